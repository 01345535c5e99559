"""A book finds its own way about: contents, links, notes, colors, names of columns, and a small one for the mail."""

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from conftest import quick_run, small_run
from lint import lint

import sheetsim
from sheetsim.audit.verify import verify
from sheetsim.runs import templates
from sheetsim.workbook.writing.styles import COLORS

NETWORKS = [name for name in templates.names() if templates.small(name)]


def loaded(path: Path) -> Any:
    return openpyxl.load_workbook(path)


def links(sheet: Any) -> dict[str, str]:
    """The text of each cell that is a link, against the sheet that it leads to."""
    cells = (cell for row in sheet.iter_rows() for cell in row if cell.hyperlink)
    return {str(cell.value): cell.hyperlink.location.rpartition("!")[0].strip("'") for cell in cells}


@pytest.mark.parametrize("overrides", [{}, {"report": "summary"}, {"layers": [3] * 12}], ids=str)
def test_contents_name_every_sheet_once_and_about_is_the_second(overrides: dict[str, Any], tmp_path: Path) -> None:
    book = loaded(small_run(**overrides).to_excel(tmp_path / "book.xlsx"))
    assert book.sheetnames[:2] == ["Overview", "About"]
    found = links(book["Overview"])
    jump = found.pop("Contents: all sheets")
    assert jump == "Overview"
    # Headings of layers, and labels of numbers, lead to sheets too.
    assert set(found.values()) <= set(book.sheetnames)
    found = {text: title for text, title in found.items() if text in book.sheetnames}
    assert found == {title: title for title in book.sheetnames[1:] if book[title].sheet_state == "visible"}


def test_a_models_names_lead_to_their_sheets_and_back(tmp_path: Path) -> None:
    model = sheetsim.Model("mine")
    x = model.input("x", pd.DataFrame({"age": [1.0, 2.0], "income": [-3.0, 4.0]}))
    model.define("y", x * model.input("rate", 0.5))
    path = model.to_excel(tmp_path / "model.xlsx")
    book = loaded(path)
    assert links(book["Model"]) == {"x": "x", "y": "y"}
    assert [cell.value for cell in book["x"][1]] == ["row", "age", "income"]
    assert lint(path) == []
    assert list(model.run().frame("x")) == list(sheetsim.read(path).frame("x")) == ["age", "income"]


def test_the_note_of_a_matrix_says_what_it_is_and_where_from(small_book: Path) -> None:
    book = loaded(small_book)
    told = {title: book[title]["A1"].comment.text for title in ("Input", "Linear 2", "Weights 1")}
    assert "Constants, drawn: normal" in told["Input"]
    assert "=MMULT(z_1,W_2)\nz_1: sheet Activation 1\nW_2: sheet Weights 2\n" in told["Linear 2"]
    assert "sd_1: sheet Overview" in told["Weights 1"] or "sd_1: sheet Variance" in told["Weights 1"]
    assert all(text.endswith(COLORS) for text in told.values())


def test_tabs_tell_kinds_apart(small_book: Path) -> None:
    book = loaded(small_book)
    tabs = {sheet.title: sheet.sheet_properties.tabColor.rgb for sheet in book if sheet.sheet_state == "visible"}
    kinds = ("Overview", "About", "Input", "Weights 1", "Linear 1", "Activation 1", "Draws 1")
    assert len({tabs[title] for title in kinds}) == len(kinds)
    assert tabs["Weights 1"] == tabs["Weights 2"]
    assert tabs["Overview"] == tabs["Histograms"]


@pytest.mark.parametrize("values_only", [False, True])
def test_one_rule_colors_all_matrices(values_only: bool, tmp_path: Path) -> None:
    """Ends at the largest magnitude on both sides of 0, by formulas that follow the cells."""
    book = loaded(small_run("sigmoid-std1").to_excel(tmp_path / "book.xlsx", values_only=values_only))
    for title in ("Input", "Weights 1", "Linear 1", "Activation 1", "Draws 1"):
        sheet = book[title]
        area = f"$B$2:${sheet.cell(1, sheet.max_column).column_letter}${sheet.max_row}"
        most = f"MAX(MAX({area}),-MIN({area}),1E-300)"
        (rules,) = [own.rules for own in sheet.conditional_formatting]
        (scale,) = [rule.colorScale for rule in rules if rule.colorScale]
        assert [(stop.type, stop.val) for stop in scale.cfvo] == [
            ("formula", f"-{most}"),
            ("num", 0),
            ("formula", most),
        ]
        assert [color.rgb for color in scale.color] == ["FF7FB2E5", "FFFFFFFF", "FFF2A65A"]


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
@pytest.mark.parametrize("study", ["relu-he", "gradient-flow"])
def test_names_of_columns_are_kept(suffix: str, study: str, tmp_path: Path) -> None:
    table = pd.DataFrame(np.arange(12.0).reshape(6, 2) ** 2, columns=["age", "net income"])
    # About's row of such a path is higher than that of an input which is not here.
    data = tmp_path / f"{'long' * 30}.{suffix}"
    table.to_csv(data, index=False) if suffix == "csv" else table.to_excel(data, index=False)
    run = sheetsim.run(study, layers=[3, 2], input={"file": str(data)})
    pd.testing.assert_frame_equal(run.frame("x").reset_index(drop=True), table)
    path = run.to_excel(tmp_path / "book.xlsx")
    sheet = loaded(path)["Input"]
    assert [cell.value for cell in sheet[1]] == ["sample", "age", "net income"]
    assert "Constants, given: the key input on About says from where" in sheet["A1"].comment.text
    assert list(sheetsim.read(path).frame("x")) == ["age", "net income"]
    data.unlink()
    assert verify(path, ()).state == "as made, except that the input file is not here"


def test_names_by_column_stand_over_the_inputs_variances(tmp_path: Path) -> None:
    table = pd.DataFrame(np.arange(12.0).reshape(6, 2) ** 2, columns=["age", "net income"])
    sheet = loaded(sheetsim.run("relu-he", layers=[3], input=table).to_excel(tmp_path / "book.xlsx"))["Variance"]
    (row,) = [row for row in range(1, sheet.max_row) if sheet.cell(row, 1).value == "var_x"]
    assert [sheet.cell(row - 1, c).value for c in (2, 3)] == ["age", "net income"]


@pytest.mark.every(3)
@pytest.mark.parametrize("name", NETWORKS)
def test_small_books_are_live_and_fit_into_a_mail(name: str, tmp_path: Path) -> None:
    scenario = templates.load(name, {"size": "small"})
    path = sheetsim.run(name, size="small").to_excel(tmp_path / "small.xlsx")
    assert path.stat().st_size < 500_000
    assert "size" not in scenario.command
    with zipfile.ZipFile(path) as archive:
        assert any(b't="array"' in archive.read(part) for part in archive.namelist() if "/sheet" in part)


def test_small_leaves_what_is_said_and_data_as_they_are() -> None:
    assert templates.load("relu-he", {"size": "small", "samples": 7, "layers": [3]}).experiment.layers == [3]  # type: ignore[attr-defined]
    own = templates.load("relu-he", {"size": "small", "input": np.ones((5, 2)) * [[1.0, 2.0]]}).experiment
    assert (own.samples, own.layers) == (None, [20] * 5)  # type: ignore[attr-defined]
    with pytest.raises(sheetsim.SheetsimError, match="size must be small"):
        templates.load("relu-he", {"size": "tiny"})
    with pytest.raises(sheetsim.SheetsimError, match="unknown key 'size'"):
        templates.load("symmetry", {"size": "small"})


def test_list_says_how_to_make_the_small_books(sheetsim: Callable[..., tuple[int, str, str]]) -> None:
    assert sheetsim("list")[2].endswith("sheetsim run NAME --set size=small\n")
    by_name = {own["name"]: own["small"] for own in json.loads(sheetsim("list", "--json")[1])}
    assert by_name["relu-he"] == "sheetsim run relu-he --set size=small"
    assert by_name["optimizers"] is None


def test_one_thing_has_one_name_on_histograms(small_book: Path) -> None:
    labels = {cell.value for cell in loaded(small_book)["Histograms"]["A"]}
    assert {"low", "high"} <= labels
    assert not labels & {"from", "to"}


@pytest.mark.parametrize(
    "name",
    [
        "relu-he",
        pytest.param("gradient-flow", marks=pytest.mark.slow),
        pytest.param("correlation", marks=pytest.mark.slow),
    ],
)
def test_rows_of_about_are_as_tall_as_their_wrapped_texts(name: str, tmp_path: Path) -> None:
    sheet = loaded(quick_run(name).to_excel(tmp_path / "book.xlsx"))["About"]
    # As many characters as a line of column B has at most.
    tall = [cell for (cell,) in sheet["B1:B200"] if len(str(cell.value or "")) > 130 and cell.alignment.wrap_text]
    assert tall
    for cell in tall:
        text = str(cell.value)
        longest = max(re.findall(r'"([^"]*)"', text), key=len) if text.startswith("=") else text
        assert (sheet.row_dimensions[cell.row].height or 15) >= 15 * -(-len(longest) // 130)
