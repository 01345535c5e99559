"""XlsxWriter's private parts that sheetsim uses are where they were: each one that moved is named."""

import ast
import inspect
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest
import xlsxwriter
from xlsxwriter.chart import Chart
from xlsxwriter.format import Format
from xlsxwriter.sharedstrings import SharedStringTable
from xlsxwriter.url import Url
from xlsxwriter.worksheet import CellArrayFormulaTuple, Worksheet

from sheetsim.workbook.writing import xlsxwriter_parts
from sheetsim.workbook.writing.xlsxwriter_parts import ExactWorksheet, new_book

# What is replaced, with its parameters: XlsxWriter calls it so, and its own does the rest.
REPLACED = {
    "_write_sheet_data": (),
    "_write_cell": ("row", "col", "cell"),
    "_xml_number_element": ("number", "attributes"),
    "_prepare_formula": ("formula", "expand_future_functions"),
    "_write_formula_element": ("formula",),
}
CALLED: dict[type, dict[str, tuple[str, ...]]] = {
    Worksheet: {
        "_check_dimensions": ("row", "col", "ignore_row", "ignore_col"),
        "_write_cell_array_formula": ("formula", "cell_range"),
        "_write_cell_value": ("value",),
        "_xml_start_tag": ("tag", "attributes"),
        "_xml_end_tag": ("tag",),
        "_xml_data_element": ("tag", "data", "attributes"),
    },
    Format: {"_get_xf_index": ()},
    Chart: {"_process_names": ("name", "name_formula"), "_write_pt": ("idx", "value"), "_write_v": ("data",)},
    SharedStringTable: {"_get_shared_string_index": ("string",)},
}
METHODS = [
    *((Worksheet, *item) for item in REPLACED.items()),
    *((kind, *item) for kind, names in CALLED.items() for item in names.items()),
]


def moved(kind: type, name: str, parameters: tuple[str, ...]) -> str:
    """What became of a method, in a sentence; empty where it is as it was."""
    method = getattr(kind, name, None)
    if method is None:
        return f"XlsxWriter {xlsxwriter.__version__} has no {kind.__name__}.{name}: see {xlsxwriter_parts.__file__}"
    now = tuple(inspect.signature(method).parameters)[1:]
    return "" if now == parameters else f"{kind.__name__}.{name} takes {now} and no longer {parameters}"


@pytest.mark.parametrize(("kind", "name", "parameters"), METHODS, ids=lambda value: getattr(value, "__name__", None))
def test_a_private_method_is_where_it_was(kind: type, name: str, parameters: tuple[str, ...]) -> None:
    assert moved(kind, name, parameters) == ""


def test_one_that_moved_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Worksheet, "_write_cell", lambda self, place, cell: None)
    assert "Worksheet._write_cell takes ('place', 'cell')" in moved(Worksheet, "_write_cell", ("row", "col", "cell"))
    monkeypatch.delattr(Worksheet, "_check_dimensions")
    assert "has no Worksheet._check_dimensions" in moved(Worksheet, "_check_dimensions", ())


def test_no_private_part_is_used_that_is_not_named_here() -> None:
    tree = ast.parse(Path(xlsxwriter_parts.__file__).read_text())
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr.startswith("_")}
    replaced = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name[0] == "_"}
    assert used | replaced == {name for _, name, _ in METHODS}
    assert replaced == set(REPLACED)
    own = {"_get_xf_index", "_get_shared_string_index", "_write_cell", "hyperlinks", "str_table"}
    for other in ("write.py", "charts.py"):
        code = ast.parse(Path(xlsxwriter_parts.__file__).with_name(other).read_text())
        assert not own & {node.attr for node in ast.walk(code) if isinstance(node, ast.Attribute)}


def test_what_xlsxwriter_holds_is_called_as_it_was() -> None:
    book = new_book(BytesIO(), {})
    sheet = book.add_worksheet("One", ExactWorksheet)
    for thing, names in (
        (sheet, ("table", "hyperlinks")),
        (book, ("str_table",)),
        (Url("internal:A!A1"), ("text", "tip")),
    ):
        assert [name for name in names if not hasattr(thing, name)] == []
    assert CellArrayFormulaTuple._fields[:4] == ("formula", "format", "value", "range")


def test_xlsxwriter_calls_each_method_that_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A method of that name that nobody calls any more would leave 16 digits, and errors as texts."""
    called = set()

    def told(name: str) -> None:
        own = getattr(ExactWorksheet, name)
        monkeypatch.setattr(ExactWorksheet, name, lambda self, *given: called.add(name) or own(self, *given))

    for name in REPLACED:
        told(name)
    file = BytesIO()
    book = new_book(file, {})
    sheet, style = book.add_worksheet("One", ExactWorksheet), book.add_format()
    sheet.write_value(0, 0, 0.1 + 0.2, style)
    sheet.write_value(0, 1, float("inf"), style)
    sheet.write_array_formula(1, 0, 1, 1, "{=1/A1:B1}", style, "#NUM!")
    sheet.conditional_format(0, 0, 0, 0, {"type": "formula", "criteria": "=A1>0", "format": style})
    book.close()
    assert called == set(REPLACED)
    xml = ZipFile(file).read("xl/worksheets/sheet1.xml").decode()
    assert "<v>0.30000000000000004</v>" in xml
    assert xml.count('t="e"') == 2
