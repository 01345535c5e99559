"""Random workbooks of 200 cells over three sheets: NumPy over trials, IronCalc and LibreOffice give the same."""

import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sheetsim
from sheetsim.audit.recalculate import recalculated
from sheetsim.audit.trial_engine import ironcalc_trials
from sheetsim.sheets.book import SheetBook
from sheetsim.sheets.copies import write_with_numbers

SHEETS = ("Data", "Second sheet", "Jan")
CELLS, INPUTS = 200, 4

# {a}, {b}: cells before; {r}: a range of cells before; {n}: a number. Smooth enough for the last digits to agree.
TEMPLATES = (
    *("{a}+{b}", "{a}-{b}*{n}", "({a}+{n})*{b}/100", "{a}/(1+ABS({b}))", "-{a}", "{a}%", "({a}-{b})^2/50"),
    *("SUM({r})/10", "AVERAGE({r})", "MAX({r})", "MIN({r},{a})", "MEDIAN({r})", "SUMPRODUCT({r},{r})/1000"),
    *("IF({a}>{b},{a},{n})", "IF(AND({a}>0,{b}<{n}),1,{b}/10)", "IFERROR(LN({a}),{n})", "IFERROR({a}/({b}>0),-1)"),
    *("ROUND({a},2)", "INT({a})", "MOD({a},7)", "SQRT(ABS({a}))", "EXP(-ABS({a})/100)", "TRUNC({a},1)"),
    *('COUNTIF({r},">"&{n})', 'SUMIF({r},"<0")/10', "LARGE({r},2)", "IFERROR(RANK(N({a}),{r}),0)"),
    *("CHOOSE(MOD(INT(ABS({a})),3)+1,{b},{n},1)", "INDEX({r},2)", "IFERROR(MATCH({a},{r},0),9)", 'LEN({a}&"")>3'),
    *("IF(ISNUMBER({a}),{a},0)", 'LEFT("12"&{n},2)+{a}', "NPV(0.1,{r})/10", "PMT(0.05,10,{a})", "N({a}>{b})*{n}"),
    *("NORMSDIST({a}/100)", "STDEV({r})", 'IF({a}>0,"up","down")', 'IF({a}="up",{b},{n})', "CORREL({r},{r})"),
)


# Truth values are numbers to LibreOffice, which rounds a half in the 15th digit as it is shown, joins such numbers, and
# ranks numbers that are not there.
OTHERS = ("ROUND", "TRUNC", "LEN", "INT", "LEFT", "IFERROR(RANK")
OF_LIBREOFFICE = [one for one in TEMPLATES if not one.startswith(OTHERS)]


def write_random(path: Path, chance: random.Random, templates: Sequence[str] = TEMPLATES) -> str:
    """Writes a workbook; the first cells of the first sheet are numbers. Returns the last cell."""
    places = [(0, k, 0) for k in range(INPUTS)]
    with xlsxwriter.Workbook(path) as book:
        sheets = [book.add_worksheet(title) for title in SHEETS]
        for _, row, column in places:
            sheets[0].write_number(row, column, chance.uniform(-50, 50))
        for number in range(CELLS):
            sheet, column = chance.randrange(3), 1 + number % 5
            row = 10 + number // 5
            text = chance.choice(templates)
            while "{r}" in text and number < 12:
                text = chance.choice(templates)
            recent = places[-40:]
            given = {
                "a": _address(chance.choice(recent), sheet),
                "b": _address(chance.choice([*recent, *places[:INPUTS]]), sheet),
                "r": _range(number, places, chance),
                "n": chance.choice(["1", "2.5", "-3", "10", "0.7"]),
            }
            sheets[sheet].write_formula(row, column, "=" + text.format(**given))
            places.append((sheet, row, column))
        last = places[-1]
        # Errors and texts are as good as numbers here: they are told by which kind of error, or how long.
        ends = "+".join(f"IF(ISERROR({c}),ERROR.TYPE({c}),IF(ISTEXT({c}),LEN({c}),{c}))" for c in [_address(last, 0)])
        sheets[0].write_formula(5, 0, "=" + ends.replace("ERROR.TYPE", "N"))
        total = ",".join(f"IF(ISNUMBER({_address(place, 0)}),{_address(place, 0)},0)" for place in places[-30:])
        sheets[0].write_formula(6, 0, f"=SUM({total})")
        count = ",".join(f"IF(ISERROR({_address(place, 0)}),1,0)" for place in places[-60:])
        sheets[0].write_formula(7, 0, f"=SUM({count})")
    return "A7"


def _address(place: tuple[int, int, int], sheet: int) -> str:
    cell = xlsxwriter.utility.xl_rowcol_to_cell(place[1], place[2], row_abs=place[1] % 2 == 0)
    return cell if place[0] == sheet else f"'{SHEETS[place[0]]}'!{cell}"


def _range(number: int, places: Any, chance: random.Random) -> str:
    """A block of rows above on some sheet, with empty cells among them."""
    row = 10 + number // 5
    if row <= 12:
        return f"'{SHEETS[0]}'!A1:A4"
    first = chance.randint(10, row - 2)
    column = chance.randint(1, 5)
    cells = [xlsxwriter.utility.xl_rowcol_to_cell(r, column) for r in (first, min(first + 5, row - 1))]
    return f"'{chance.choice(SHEETS)}'!{cells[0]}:{cells[1]}"


def check_random(path: Path, seed: int, engine: str, trials: int) -> None:
    write_random(path, random.Random(seed), TEMPLATES if engine == "ironcalc" else OF_LIBREOFFICE)
    book = SheetBook(path)
    inputs = [f"Data!A{k + 1}" for k in range(INPUTS)]
    # Four cells may not reach an output by chance: those that do are drawn.
    model = sheetsim.workbook(path)
    run = model.simulate(dict.fromkeys(inputs, "normal(5, 30)"), ["Data!A7", "Data!A8"], trials=trials, verify=0)
    frame = run.trial_frame()
    cells = {book.cell_of(name): frame[name].to_numpy() for name in inputs}
    outputs = [book.cell_of(name) for name in ("Data!A7", "Data!A8")]
    if engine == "ironcalc":
        theirs = ironcalc_trials(book, cells, outputs)[0]
    else:
        copies = [path.with_name(f"{trial}.xlsx") for trial in range(trials)]
        for trial, copy in enumerate(copies):
            write_with_numbers(book, copy, {cell: float(numbers[trial]) for cell, numbers in cells.items()})
        read = recalculated(copies, engine)
        theirs = np.array([[sheets["Data"].at(cell[1]) for sheets in read] for cell in outputs])
    np.testing.assert_allclose(frame["Data!A7"], theirs[0], rtol=1e-9, atol=1e-8, err_msg=f"seed {seed}")
    np.testing.assert_array_equal(frame["Data!A8"], theirs[1], err_msg=f"seed {seed}")


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**6))
def test_random_workbooks_agree_with_ironcalc(tmp_path: Path, seed: int) -> None:
    check_random(tmp_path / "random.xlsx", seed, "ironcalc", 20)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("soffice") is None, reason="needs LibreOffice")
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**6))
def test_random_workbooks_agree_with_libreoffice(tmp_path: Path, seed: int) -> None:
    check_random(tmp_path / "random.xlsx", seed, "libreoffice", 3)
