"""What charts look like: colors that are told apart, the fan of quantiles, bars in tables."""

import itertools
from pathlib import Path

import numpy as np
import openpyxl
import xlsxwriter
from lint import lint

import sheetsim
from sheetsim.audit.verify import verify
from sheetsim.workbook.reading.raw import RawBook
from sheetsim.workbook.writing.looks import MARKERS
from sheetsim.workbook.writing.theme import RoleColors

# Linear RGB as it is seen without one kind of receptor (Machado, Oliveira & Fernandes 2009, severity 1).
SEEN = {
    "all": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
)
WHITE = np.array([0.95047, 1, 1.08883])


def lab(linear: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear RGB."""
    xyz = TO_XYZ @ np.clip(linear, 0, 1) / WHITE
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def linear(color: str) -> np.ndarray:
    share = np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def test_lines_are_told_apart_without_a_receptor_and_by_their_markers() -> None:
    for seen in SEEN.values():
        labs = [lab(np.array(seen) @ linear(color)) for color in RoleColors().lines]
        assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(labs, 2)) > 20
    assert len(set(MARKERS)) == len(RoleColors().lines)


def test_overview_has_a_fan_of_quantiles_and_layers_have_bars(tmp_path: Path) -> None:
    run = sheetsim.run("tanh-xavier", samples=9, inputs=5, layers=[4, 3, 3])
    path = run.to_excel(tmp_path / "book.xlsx")
    assert lint(path) == []
    assert verify(path).ok
    book = openpyxl.load_workbook(path, data_only=True)
    fan = next(chart for chart in book["Overview"]._charts if len(chart.series) == 5)
    layers = book["Layers"]
    for series, share in zip(fan.series, (0.5, 0.25, 0.75, 0.05, 0.95), strict=True):
        sheet, _, block = series.val.numRef.f.rpartition("!")
        drawn = [cell.value for (cell,) in book[sheet.strip("'")][block.replace("$", "")]]
        np.testing.assert_allclose(drawn, [np.quantile(run[f"z_{k}"], share) for k in (1, 2, 3)], rtol=1e-12)
    bars = [area.sqref for area, rules in layers.conditional_formatting._cf_rules.items() if rules[0].type == "dataBar"]
    assert len(bars) == 2


def test_ranges_of_sparklines_are_no_formulas_of_cells(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("one")
        sheet.write_row(0, 0, [1, 2])
        sheet.write_formula(1, 0, "=A1+B1", None, 3)
        sheet.write_string(2, 0, "last")
        sheet.add_sparkline(2, 1, {"range": "A1:B1"})
    with RawBook(path) as raw:
        assert [text for text, _ in raw.cells("one").formulas.values()] == ["A1+B1"]
