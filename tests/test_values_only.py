"""Books of values alone: none of their sentences asks for a change that nothing would follow."""

import re
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from goldens import STEPS, TINY

import sheetsim

ASKING = re.compile(r"[Cc]hange (a|one|it)\b|[Cc]hoose|formulas?\b(?<!without formulas)|too large for live|type where")
BOOKS: list[tuple[str, dict[str, Any]]] = [
    ("relu-he", TINY),
    ("gradient-flow", TINY),
    ("bayesian-search", {"points": [[-2.0, 0.1], [-1.0, 0.4]], "grid": 5}),
    *((name, STEPS[name]) for name in ("symmetry", "rnn-gradients", "finite-width", "jacobian-linear")),
    *((name, STEPS[name]) for name in ("training-in-cells", "bayesian-search")),
    ("training-starts", {"data": "iris", "samples": 60, "layers": [3], "batch": 0, "steps": 2, "seeds": 1}),
]


def asking(book: Path) -> list[str]:
    """The texts of a book that ask for a change, or speak of formulas."""
    pages = [sheet for sheet in openpyxl.load_workbook(book) if sheet.sheet_state == "visible"]
    cells = (cell.value for page in pages if page.title != "About" for row in page.iter_rows() for cell in row)
    return [text for text in cells if isinstance(text, str) and ASKING.search(text)]


@pytest.mark.parametrize(("name", "keys"), BOOKS, ids=lambda one: one if isinstance(one, str) else "")
def test_a_book_of_values_asks_for_no_change(name: str, keys: dict[str, Any], tmp_path: Path) -> None:
    assert asking(sheetsim.run(name, **keys).to_excel(tmp_path / "book.xlsx", values_only=True)) == []


def test_a_training_of_one_run_has_no_intervals_and_speaks_of_none(tmp_path: Path) -> None:
    keys = BOOKS[-1][1]
    for seeds, said in ((1, False), (2, True)):
        book = openpyxl.load_workbook(
            sheetsim.run("training-starts", **keys | {"seeds": seeds}).to_excel(tmp_path / "b.xlsx")
        )
        texts = [str(cell.value) for row in book["Overview"].iter_rows() for cell in row]
        assert any("95 % intervals" in text for text in texts) == said
        assert any("its 95 % interval" in text for text in texts) == said


def test_a_models_book_asks_for_changes_where_it_has_formulas(tmp_path: Path) -> None:
    model = sheetsim.Model("Sum", seed=0)
    model.output("y", model.input("x", sheetsim.normal(), (20, 1)) + 1)
    assert asking(model.to_excel(tmp_path / "values.xlsx", values_only=True)) == []
    assert "change it: the value at it follows" in asking(model.to_excel(tmp_path / "formulas.xlsx"))
