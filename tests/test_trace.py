"""The pages that show one unit by hand hold for every choice: by NumPy, by an engine, and for layers of any sizes."""

from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
from lint import lint

import sheetsim
from sheetsim.audit.recalculate import fill
from sheetsim.audit.verify import verify

SIZES: dict[str, Any] = {"samples": 4, "inputs": 22, "layers": [3, 5]}


def chosen(path: Path, **cells: float | str) -> Path:
    """The book with other values in named cells, as a person chooses them and an engine then computes the rest."""
    book = openpyxl.load_workbook(path)
    for name, value in cells.items():
        sheet, _, cell = book.defined_names[name].attr_text.rpartition("!")
        book[sheet.strip("'")][cell.replace("$", "")] = value
    book.save(path)
    fill(path, "ironcalc")
    return path


# Layer, unit and sample, as they are asked for and as they are taken.
CHOICES = [((2, 5, 4), (2, 5, 4)), ((1.7, 9, 99), (1, 3, 4))]


@pytest.mark.every(2)
@pytest.mark.parametrize(("asked", "taken"), CHOICES)
def test_any_choice_shows_its_unit(asked: tuple[float, ...], taken: tuple[int, ...], tmp_path: Path) -> None:
    run = sheetsim.run("gradient-flow", activation="sigmoid", **SIZES)
    path = run.to_excel(tmp_path / "book.xlsx")
    names = ("trace_layer", "trace_unit", "trace_sample")
    chosen(path, activation="tanh", **dict(zip(names, asked, strict=True)))
    assert verify(path).ok
    book, run = sheetsim.read(path), sheetsim.run("gradient-flow", activation="tanh", **SIZES)
    layer, unit, sample = taken
    assert tuple(book[f"traced_{name}"] for name in ("layer", "unit", "sample")) == taken
    given = run["x"] if layer == 1 else run[f"z_{layer - 1}"]
    expected = given[sample - 1] * run[f"W_{layer}"][:, unit - 1]
    products = book["trace_products"][:, 0]
    np.testing.assert_allclose(products[: len(expected)], expected, rtol=1e-9, atol=1e-15)
    assert not products[len(expected) :].any()
    back = run[f"d_a_{layer + 1}"][sample - 1] * run[f"W_{layer + 1}"][unit - 1]
    np.testing.assert_allclose(book["back_products"][: len(back), 0], back, rtol=1e-9, atol=1e-15)
    place = sample - 1, unit - 1
    np.testing.assert_allclose(book["trace_sum"], run[f"a_{layer}"][place])
    np.testing.assert_allclose(book["traced_z"], np.tanh(book["trace_sum"]))
    np.testing.assert_allclose(book["traced_slope"], 1 - book["traced_z"] ** 2)
    np.testing.assert_allclose(book["back_sum"], run[f"d_z_{layer}"][place])
    np.testing.assert_allclose(book["traced_d_a"], run[f"d_a_{layer}"][place])


def test_products_stand_by_size_and_equal_ones_in_the_order_of_the_inputs(tmp_path: Path) -> None:
    run = sheetsim.run("relu-he", samples=3, inputs=30, layers=[30, 2])
    path = chosen(run.to_excel(tmp_path / "book.xlsx"), trace_layer=2, trace_sample=2)
    products = run["z_1"][1] * run["W_2"][:, 0]
    assert (products == 0).sum() > 5
    order = np.argsort(-np.abs(products), kind="stable")
    rows = list(openpyxl.load_workbook(path, data_only=True)["Trace"].iter_rows(values_only=True))
    top = next(r for r, row in enumerate(rows) if row[0] == "by size") + 1
    columns = list(zip(*(row[:6] for row in rows[top : top + 30]), strict=True))
    assert list(columns[1]) == [*order + 1]
    np.testing.assert_allclose(columns[4], products[order])
    np.testing.assert_allclose(columns[5], np.cumsum(products[order]), atol=1e-14)


def test_a_choice_of_a_unit_is_no_change_of_the_book(tmp_path: Path) -> None:
    path = chosen(sheetsim.run("relu-he", **SIZES).to_excel(tmp_path / "book.xlsx"), trace_unit=2)
    assert sheetsim.read(path)["as_made"] == 1


@pytest.mark.parametrize(
    "overrides",
    [
        {"layers": [1]},
        {"layers": [1], "inputs": 1, "samples": 1},
        {"layers": [2, 1, 2], "inputs": 1},
        {"initializer": 0},
    ],
    ids=str,
)
def test_small_and_silent_networks_are_traced(overrides: dict[str, Any], tmp_path: Path) -> None:
    path = sheetsim.run("gradient-flow-relu-he", **SIZES | overrides).to_excel(tmp_path / "book.xlsx")
    assert verify(path).ok
    assert lint(path) == []


def test_networks_too_large_for_a_formula_a_product_have_no_such_page(tmp_path: Path) -> None:
    path = sheetsim.run("relu-he", samples=2, inputs=401, layers=[2]).to_excel(tmp_path / "book.xlsx")
    assert "Trace" not in openpyxl.load_workbook(path, read_only=True).sheetnames
