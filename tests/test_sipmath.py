"""SIPmath 3.0 libraries: the standard's generator, a library that is read, and outputs that are written."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xlsxwriter
from scipy.special import ndtr, ndtri

import sheetsim
from sheetsim.errors import SheetsimError
from sheetsim.model.hdr import hdr_uniforms
from sheetsim.model.sipmath import SipLibrary


def test_the_generator_gives_the_published_numbers() -> None:
    published = [0.017076639574952, 0.635042575071566, 0.110189726925455, 0.862261233734898]
    np.testing.assert_allclose(hdr_uniforms([1, 2, 3, 4], 1, 1, 1, 1), published, rtol=0, atol=5e-16)
    # All four identifiers tell apart: entity 10, variable 2, seeds 3 and 4.
    assert hdr_uniforms([1], 10, 2, 3, 4)[0] == pytest.approx(0.18532938009593636, rel=0, abs=5e-16)
    many = hdr_uniforms(np.arange(1, 100_001), 7, 3)
    assert abs(many.mean() - 0.5) < 4 / np.sqrt(12 * len(many))
    assert abs(np.corrcoef(many, hdr_uniforms(np.arange(1, 100_001), 7, 4))[0, 1]) < 0.015


def library(path: Path, **changes: Any) -> Path:
    data = {
        "objectType": "sipModel",
        "libraryType": "SIPmath_3_0",
        "globalVariables": [
            {
                "name": "m",
                "value": {
                    "columns": ["demand", "price"],
                    "rows": ["demand", "price"],
                    "matrix": [
                        {"row": "demand", "col": "demand", "value": 1},
                        {"row": "price", "col": "demand", "value": 0.6},
                        {"row": "price", "col": "price", "value": 1},
                    ],
                },
            }
        ],
        "U01": {
            "rng": [
                {"name": f"h{k}", "function": "HDR_2_0", "arguments": {"counter": "PM_Index", "entity": 1, "varId": k}}
                for k in (1, 2, 3)
            ],
            "copula": [
                {
                    "name": "G",
                    "function": "GaussianCopula",
                    "arguments": {"correlationMatrix": {"type": "globalVariables", "value": "m"}, "rng": ["h1", "h2"]},
                    "copulaLayer": ["c1", "c2"],
                }
            ],
        },
        "sips": [
            {
                "name": "demand",
                "ref": {"source": "copula", "name": "G", "copulaLayer": "c1"},
                "function": "Metalog_1_0",
                "arguments": {"aCoefficients": [100, 10, 0.5]},
            },
            {
                "name": "price",
                "ref": {"source": "copula", "name": "G", "copulaLayer": "c2"},
                "function": "Metalog_1_0",
                "arguments": {"aCoefficients": [2, 0.3], "lowerBound": 0},
            },
            {
                "name": "alone",
                "ref": {"source": "rng", "name": "h3"},
                "function": "Metalog_1_0",
                "arguments": {"aCoefficients": [0, 1], "lowerBound": 1, "upperBound": 3},
            },
        ],
    }
    path.write_text(json.dumps(data | changes))
    return path


def test_a_library_gives_the_numbers_that_its_formulas_say(tmp_path: Path) -> None:
    sips = SipLibrary(library(tmp_path / "lib.json"))
    assert sips.names == ["demand", "price", "alone"]
    z = [ndtri(hdr_uniforms(np.arange(1, 51), 1, k)) for k in (1, 2, 3)]
    u = [ndtr(z[0]), ndtr(0.6 * z[0] + 0.8 * z[1]), ndtr(z[2])]
    logit = [np.log(one / (1 - one)) for one in u]
    demand = 100 + 10 * logit[0] + 0.5 * (u[0] - 0.5) * logit[0]
    np.testing.assert_allclose(sips.numbers("demand", 50), demand, rtol=1e-12)
    np.testing.assert_allclose(sips.numbers("price", 50), np.exp(2 + 0.3 * logit[1]), rtol=1e-9)
    np.testing.assert_allclose(sips.numbers("alone", 50), 1 + 2 * u[2], rtol=1e-9)


def test_libraries_are_inputs_and_outputs_of_a_simulated_workbook(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Sheet1")
        sheet.write_row(0, 0, (100, 8))
        sheet.write_formula("C1", "=A1*B1", None, 800)
        sheet.write_formula("D1", "=C1*2", None, 1600)
    lib = library(tmp_path / "lib.json")
    inputs = {"A1": sheetsim.sip(lib, "demand"), "B1": f"sip({lib}, price)"}
    run = sheetsim.workbook(path).simulate(inputs, ["C1", "D1"], trials=5000)
    sips = SipLibrary(lib)
    np.testing.assert_allclose(run.trial_frame()["C1"], sips.numbers("demand", 5000) * sips.numbers("price", 5000))
    written = SipLibrary(run.to_sipmath(tmp_path / "out.json"))
    assert written.names == ["C1", "D1"]
    there, read = run.trial_frame()["C1"], written.numbers("C1", 5000)
    np.testing.assert_allclose(np.quantile(read, [0.1, 0.5, 0.9]), np.quantile(there, [0.1, 0.5, 0.9]), rtol=0.03)
    np.testing.assert_allclose(written.numbers("D1", 5000), 2 * read, rtol=1e-3)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sips": [{"name": "x", "function": "Weibull"}]}, "by 'Weibull', but sheetsim supports only Metalog_1_0"),
        ({"sips": None}, "not a SIPmath 3.0 library"),
    ],
)
def test_what_is_no_library_is_refused(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(SheetsimError, match=reason):
        SipLibrary(library(tmp_path / "lib.json", **changes))
    with pytest.raises(SheetsimError, match="no variable"):
        sheetsim.sip(library(tmp_path / "lib.json"), "nothing")
