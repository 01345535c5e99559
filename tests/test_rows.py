"""Filled columns computed together: the same values as cell by cell, to the error and the text."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xlsxwriter

from sheetsim.sheets import program, rows
from sheetsim.sheets.book import SheetBook
from sheetsim.sheets.operators import CellGrid
from sheetsim.sheets.program import SheetPlan, SheetProgram
from sheetsim.sheets.values import CellError, scalars_of

ROWS, COLUMNS, TRIALS = 24, 16, 5

# {a}, {b}: cells of the same row before; {u}: a cell of the row above; {r}: a range of the row; $F$1 and the name
# `scale` are uncertain.
TEMPLATES = (
    *("{a}*$F$1+{b}", "{a}-{b}/scale", "{a}/{b}", "{u}+{a}*$G$1", "-{a}^2", "{a}%", "SUM({r})*$F$1", "AVERAGE({r})"),
    *('IF({a}>{b},{a}*$F$1,"low")', "IF($G$1>0,{a},{b})", "IFERROR({a}*$F$1,{b})", '{a}&"|"&ROUND($F$1,1)'),
    *("MAX({r},$G$1)", "AND({a}>0,{b}<$F$1)", "IF(ISNUMBER({a}),{a},0)*$G$1", "NORMSDIST({a}*$G$1)", "COUNT({r})+$F$1"),
    *(
        "VLOOKUP({a},$A$2:$C$20,3,FALSE)+$F$1",
        "INDEX({r},2)*$F$1",
        "IFERROR(MATCH({a},{r},0),9)*$F$1",
        "SUMPRODUCT({r},{r})*$G$1",
    ),
    *(
        'IF({a}="low",1,$F$1)',
        "CHOOSE(1+({a}>$F$1),{a},{b})",
        "LEN({a})+$F$1",
        "NPV($G$1,{r})",
        "{a}={b}",
        "NOT({a}>$G$1)",
    ),
    *("IF({a}>0,IF({b}>0,$F$1,{a}),NA())", 'SUMIF({r},">0")*$F$1', "ROW()*$F$1", "ROUND({a}*scale,0)", "{a}+RAND()"),
    *(
        "STDEV({r})",
        "N({a})+$F$1",
        "IF({a},$F$1,$G$1)",
        "COUNTA({r})+$F$1",
        "SQRT({a}*$F$1)",
        "{a}<$F$1",
        "MEDIAN({r})",
    ),
)


def write_columns(path: Path, chance: random.Random) -> None:
    """Columns of one formula each, over data that are numbers here and there something else."""
    others: tuple[Any, ...] = ("text", "12", True, None, "=NA()", "=1/0", 0, "")
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Data")
        sheet.write_row("E1", ("uncertain", 1.3, 0.4))
        book.define_name("scale", "=Data!$F$1")
        for row in range(1, ROWS + 1):
            for column in range(4):
                odd = chance.random() < 0.1
                sheet.write(row, column, chance.choice(others) if odd else round(chance.uniform(-5, 20), 1))
        for column in range(8, 8 + COLUMNS):
            template = chance.choice(TEMPLATES)
            before = [0, 1, 2, 3, *range(8, column)]
            a, b = (_name(chance.choice(before)) for _ in range(2))
            left = chance.choice([0, 0, *range(8, column - 2)])
            for row in range(2, ROWS + 2):
                cells = {"a": f"{a}{row}", "b": f"{b}{row}", "u": f"{_name(column)}{row - 1}"}
                cells["r"] = f"{_name(left)}{row}:{_name(left + 2)}{row}"
                sheet.write_formula(row - 1, column, "=" + template.format(**cells))


def _name(column: int) -> str:
    return str(xlsxwriter.utility.xl_col_to_name(column))


def values_of(
    book: SheetBook, cells: list[Any], sources: list[Any]
) -> tuple[list[list[Any]], list[list[Any]], SheetProgram]:
    """By cell its values over trials, and the base case."""
    one = SheetProgram(SheetPlan(book, [book.cell_of("F1"), book.cell_of("G1")], cells))
    given = [*sources, *(np.random.default_rng(k).random(TRIALS) for k in range(len(one.draws)))]
    pool, values = one.values(given, TRIALS)
    values = [value.at(0, 0) if isinstance(value, CellGrid) else value for value in values]
    return [scalars_of(value, pool, TRIALS) for value in values], [[value] for value in one.base()[0]], one


@pytest.mark.parametrize("seed", [*range(2), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 30))])
def test_rows_together_are_those_one_by_one(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    write_columns(tmp_path / "book.xlsx", random.Random(seed))
    book = SheetBook(tmp_path / "book.xlsx")
    cells = [(0, place) for place in book.sheet(0).formula_keys.tolist()]
    sources = [np.random.default_rng(seed).uniform(-1, 3, TRIALS), np.random.default_rng(seed).uniform(0, 1, TRIALS)]
    monkeypatch.setattr(rows, "VALUES_AT_ONCE", 7 * TRIALS)
    together, base, one = values_of(book, cells, sources)
    assert len(one._steps) < 0.8 * one.cells
    monkeypatch.setattr(program, "RowGroups", NoGroups)
    alone, base_alone, _ = values_of(book, cells, sources)
    for cell, ours, theirs in zip([*cells, *cells], [*together, *base], [*alone, *base_alone], strict=True):
        assert ours == [one_alone(value) for value in theirs], book.name_of(cell)


def one_alone(value: Any) -> Any:
    """A number to its last digits; of two errors that meet either is given, as NumPy adds NaNs in any order."""
    if isinstance(value, CellError):
        return AnyError()
    return pytest.approx(value, rel=1e-12, abs=1e-12) if type(value) is float else value


class AnyError:
    """Equal to every error."""

    __hash__ = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CellError)


class NoGroups(rows.RowGroups):
    """Finds none."""

    def of_levels(self, levels: Any) -> list[list[Any]]:
        return []
