"""Every kind of book passes our own lint, and each rule finds the fault that it is for."""

import zipfile
from pathlib import Path

import pytest
from conftest import quick_run, small_run, some
from lint import lint

import sheetsim
from sheetsim.engine.evaluate import evaluate
from sheetsim.model.expr import apply
from sheetsim.model.graph import Graph
from sheetsim.runs import templates
from sheetsim.workbook.layout import Block, Echo, Layout, MatrixSheet, Page
from sheetsim.workbook.writing.write import write


@pytest.mark.every(3)
@pytest.mark.parametrize("name", some(templates.names()))
def test_every_templates_book_is_clean(name: str, tmp_path: Path) -> None:
    assert lint(quick_run(name).to_excel(tmp_path / "book.xlsx")) == []


@pytest.mark.slow
def test_a_full_book_is_clean(he_book: Path) -> None:
    assert lint(he_book) == []


@pytest.mark.parametrize(
    "overrides",
    [
        {"initializer": ["he", 0.3, {"constant": 0.05}]},
        {"initializer": "zeros"},
        {"report": "summary"},
        {"samples": 1, "inputs": 1, "layers": [1]},
        {"layers": [3] * 40},
        {"initializer": 1e300},
    ],
    ids=str,
)
@pytest.mark.parametrize("values_only", [False, True])
@pytest.mark.every(3)
def test_unusual_books_are_clean(overrides: dict[str, object], values_only: bool, tmp_path: Path) -> None:
    assert lint(small_run(**overrides).to_excel(tmp_path / "book.xlsx", values_only=values_only)) == []


def test_deep_networks_and_many_runs_are_clean(tmp_path: Path) -> None:
    """Layers in rows, and tables and charts that go on several sheets of paper."""
    deep = {"samples": 9, "inputs": 3, "layers": [3] * 8}
    books = [
        sheetsim.run("gradient-flow", **deep).to_excel(tmp_path / "flow.xlsx"),
        sheetsim.run("relu-he", samples=4, inputs=3, layers=[100]).to_excel(tmp_path / "wide.xlsx"),
        sheetsim.replicate("relu-he", 3, **deep).to_excel(tmp_path / "replicates.xlsx"),
        sheetsim.sweep(
            {
                "template": "relu-he",
                "replicates": 2,
                "set": {**deep, "layers": [3, 3]},
                "grid": {"activation": ["relu", "tanh"]},
            }
        ).to_excel(tmp_path / "sweep.xlsx"),
    ]
    assert [fault for book in books for fault in lint(book)] == []


def test_a_persons_model_is_clean(tmp_path: Path) -> None:
    model = sheetsim.Model('It\'s "R&D"')
    x = model.input("x", [[1.0, 2.0]])
    model.choice("mode", ["a", "b"], "b")
    model.define("y", sheetsim.exp(-(x**2)) * 1e-5 + 1)
    assert lint(model.to_excel(tmp_path / "model.xlsx")) == []


def test_brackets_and_quotes_in_texts_and_titles_are_none_of_a_formulas(tmp_path: Path) -> None:
    model = sheetsim.Model()
    mode = model.choice("mode", ["a((", "b\"'", "c"], "c")
    model.define("y", sheetsim.choose(mode, {"a((": 1, "b\"'": 2, "c": 3}))
    assert lint(model.to_excel(tmp_path / "model.xlsx")) == []
    graph = Graph()
    x = graph.input("x", [[1.0, 2.0]])
    total = graph.define("y", apply("total", x))
    page = Page('b"(', (Block(0, 0, total), Echo(1, 0, total)))
    other = Page("p", (Echo(0, 0, total),))
    layout = Layout([MatrixSheet("it's \"(", x), page, other])
    assert lint(write(tmp_path / "book.xlsx", layout, evaluate(layout.places))) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (b'ref="B2:G8"', b'ref="B2:G9"', "an array formula over"),
        (b'ref="B2:G8"', b'ref="C2:G8"', "an array formula over"),
        (b'<c r="C3"', b'<c r="B3"', "not unique and in order"),
        (b'<row r="4">', b'<row r="2">', "rows are not in order"),
        (b">sd_1*e_1<", b">sd_1*e_9<", "no name 'e_9'"),
        (b">sd_1*e_1<", b">sd_1*Nowhere!$A$1<", "no sheet 'Nowhere'"),
        (b">sd_1*e_1<", b">RAND()*e_1<", "the volatile function RAND"),
        (b">sd_1*e_1<", b">(sd_1*e_1<", "brackets"),
        (b">sd_1*e_1<", b">" + b"sd_1+" * 2000 + b"e_1<", "a formula of 1000"),
        (b">sd_1*e_1</f><v>", b">sd_1*e_1</f><v>nan", "the value 'nan"),
        (b't="s"><v>', b't="s"><v>9999', "of type s"),
        (b'<c r="B2"', b'<c cm="1" r="B2"', "a dynamic-array cell"),
        (b"sigmoid,tanh,", b"sigmoid,tanh," + b"x" * 250, "more than 255"),
        (b'paperSize="9"', b'paperSize="1"', "no A4 page"),
        (b'scale="67"', b'scale="30"', "printed at 30%"),
        (b'scale="67"', b'scale="128"', "is cut in two, across"),
        (b'scale="67"', b'scale="150"', "is cut in two, down"),
        (b"Overview!$A$1:$F$", b"Overview!$A$1:$B$", "is cut off by the printed area"),
        (
            b"</sheetData>",
            b'</sheetData><conditionalFormatting sqref="A1 B2:F99"/>',
            "two blocks of conditional formats",
        ),
    ],
)
def test_each_rule_finds_its_fault(old: bytes, new: bytes, fault: str, tmp_path: Path) -> None:
    book, broken = small_run().to_excel(tmp_path / "book.xlsx"), tmp_path / "broken.xlsx"
    changed = 0
    with zipfile.ZipFile(book) as source, zipfile.ZipFile(broken, "w") as out:
        for name in source.namelist():
            data = source.read(name)
            if name.startswith("xl/work") and old in data and not changed:
                data, changed = data.replace(old, new, 1), 1
            out.writestr(name, data)
    assert changed
    assert any(fault in found for found in lint(broken)), lint(broken)
