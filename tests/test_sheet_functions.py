"""Every sheet function over generated arguments: against IronCalc and LibreOffice, and trials against single values."""

import random
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xlsxwriter
from sheet_cases import OPERATORS, argument, arguments_of, cases, prefixed, write_cases

from sheetsim.audit.recalculate import recalculated
from sheetsim.sheets.book import SheetBook
from sheetsim.sheets.compiled import Compiler
from sheetsim.sheets.functions import FUNCTIONS
from sheetsim.sheets.operators import CellGrid
from sheetsim.sheets.program import SheetPlan, SheetProgram
from sheetsim.sheets.values import ERROR_OF, CellError, scalars_of
from sheetsim.workbook.limits import COLUMNS
from sheetsim.workbook.reading.values import key

# Where IronCalc 0.9 differs, whatever the arguments, and why Excel's documentation is followed.
IRONCALC = {
    "POWER": "an overflow is #DIV/0! there, #NUM! in Excel",
    "NUMBERVALUE": "signs of currencies are refused there",
    "RATE": "it gives up where there is a rate",
    "SECOND": "it cuts off parts of seconds; Excel rounds",
    "YEARFRAC": "basis 1 from the later to the earlier date is #NUM! there; Excel swaps them",
    **dict.fromkeys(("CONCAT", "CONCATENATE", "TEXTJOIN", "&"), "it joins numbers with 17 digits, Excel with 15"),
}

# Where it differs for texts, truth values, empty cells and errors among the arguments.
IRONCALC_ODD = {
    **dict.fromkeys(("SUMX2MY2", "SUMX2PY2", "SUMXMY2"), "a pair without two numbers counts there"),
    **dict.fromkeys(("COVAR", "COVARIANCE.P", "COVARIANCE.S"), "a pair without two numbers is #N/A there"),
    "TEXT": "a truth value stays one there",
    "OR": "a condition that holds is enough there beside an error",
    **dict.fromkeys(("LCM", "GCD"), "an empty cell is passed over there, 0 here"),
    **dict.fromkeys(("RANK", "RANK.EQ", "RANK.AVG", "LARGE", "SMALL"), "truth values are not numbers there"),
    **dict.fromkeys(
        ("VLOOKUP", "HLOOKUP", "LOOKUP", "MATCH"), "sorted texts and numbers compare there; a line below 1 is #REF!"
    ),
    **dict.fromkeys(
        ("DATE", "YEAR", "MONTH", "DAY", "EDATE", "EOMONTH", "WEEKDAY", "ISOWEEKNUM", "NETWORKDAYS", "WORKDAY"),
        "days before 1 March 1900 are others there, or #NUM!",
    ),
    **dict.fromkeys(("DAYS360", "DAYS", "MIRR", "XNPV", "XIRR", "IRR", "DB", "DDB"), "errors of another kind at edges"),
    **dict.fromkeys(("PV", "FV", "PMT", "IPMT", "PPMT", "NPER"), "errors of another kind where a rate is -1"),
    **dict.fromkeys(("RIGHT", "LEFT", "MID"), "texts and truth values are no counts there"),
    **dict.fromkeys(("FIND", "SEARCH"), "an empty text is not found in an empty one there"),
    **{name: "truth values and texts are not numbers there" for name in FUNCTIONS if "DIST" in name or "INV" in name},
    **dict.fromkeys(
        ("STANDARDIZE", "CONFIDENCE", "CONFIDENCE.T", "CONFIDENCE.NORM", "WEIBULL", "PHI", "GAUSS", "POISSON"),
        "as the distributions",
    ),
}


def single_value(book: SheetBook, compiler: Compiler, cell: tuple[int, int]) -> Any:
    """What a formula gives from the cells of the file: an error as its text, an empty cell as 0."""
    with np.errstate(all="ignore"):
        return shown(compiler.formula(cell).value)


def shown(value: Any) -> Any:
    value = value.at(0, 0) if isinstance(value, CellGrid) else value
    return value.text if isinstance(value, CellError) else 0.0 if value is None else value


def agree(ours: Any, theirs: Any, tolerance: float = 1e-9) -> bool:
    if isinstance(ours, bool) or isinstance(theirs, bool):
        return ours is theirs
    if isinstance(ours, float) and isinstance(theirs, float | int):
        return abs(ours - theirs) <= tolerance * max(abs(ours), abs(theirs)) + 1e-13
    return (ours or "") == (theirs or "")


def differing(path: Path, engine: str, seed: int, each: int, mess: float) -> tuple[list[Any], int]:
    """The cases in which an engine gives something else, and how many there are."""
    chosen = list(cases(seed, each, mess))
    cells = write_cases(path, chosen)
    (read,) = recalculated([path], engine)
    book = SheetBook(path)
    compiler = Compiler(book)
    differences = []
    for (name, formula, values), cell in zip(chosen, cells, strict=True):
        place = book.cell_of(cell)
        theirs = read["Cases"].at(place[1])
        ours = single_value(book, compiler, place)
        if not agree(ours, theirs):
            differences.append((name, formula, values, ours, theirs))
    book.close()
    return differences, len(chosen)


@pytest.mark.parametrize(("seed", "mess"), [(1, 0.0), (2, 0.3)])
def test_functions_and_operators_agree_with_ironcalc(tmp_path: Path, seed: int, mess: float) -> None:
    differences, count = differing(tmp_path / "cases.xlsx", "ironcalc", seed, 3, mess)
    exempt = IRONCALC | IRONCALC_ODD if mess else IRONCALC
    assert count > 1000
    assert [one for one in differences if one[0] not in exempt] == []


# Where LibreOffice 7.4 differs for numbers, dates and plain texts. (Truth values are numbers there, and errors of other
# kinds; those are not compared.)
LIBREOFFICE = {
    **dict.fromkeys(("XLOOKUP", "XMATCH"), "unknown there"),
    **dict.fromkeys(("RANK", "RANK.EQ", "RANK.AVG"), "a number that is not there has a rank"),
    **dict.fromkeys(("CONCAT", "CONCATENATE"), "the 15th digit of a half is rounded up"),
    **{name: "a text that says the number is not equal to it" for name in FUNCTIONS if name.endswith(("IF", "IFS"))},
    **dict.fromkeys(("DB", "DDB"), "more left at the end than at the beginning is an error"),
    **dict.fromkeys(("MODE", "MODE.SNGL"), "of several numbers the least"),
    "NUMBERVALUE": "signs of currencies and thousands are refused",
    "MROUND": "numbers of two signs are no error",
    "DAYS": "parts of days count",
    "POWER": "what is too small is an error, not 0",
    "RATE": "it gives up where there is a rate",
    "NOT": "a text that says a number has a truth",
}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("soffice") is None, reason="needs LibreOffice")
def test_functions_of_numbers_agree_with_libreoffice(tmp_path: Path) -> None:
    differences, count = differing(tmp_path / "cases.xlsx", "libreoffice", 1, 6, 0.0)

    def is_error(value: Any) -> bool:
        return isinstance(value, str) and value.startswith("#")

    def counts(one: tuple[Any, ...]) -> bool:
        name, _, values, ours, theirs = one
        odd = any(isinstance(v, bool) or v is None or is_error(v) for value in values for v in _flat(value))
        return name not in LIBREOFFICE and not odd and not (is_error(ours) and is_error(theirs))

    assert count > 1800
    print(Counter(one[0] for one in differences if counts(one)))
    assert [one for one in differences if counts(one)] == []


def _flat(value: Any) -> list[Any]:
    return [one for row in value for one in row] if isinstance(value, list) else [value]


TRIALS = 8


def literal(value: Any) -> str:
    if value is None or value == "":
        return '""'
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, str):
        return value if value.startswith("#") else '"' + value.replace('"', '""') + '"'
    return repr(value)


def _read_value(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, str):
        return ERROR_OF.get(value, value)
    return value if isinstance(value, bool) else float(value)


@pytest.mark.parametrize(("seed", "mess"), [(1, 0.0), (2, 0.3)])
def test_trials_together_give_what_each_gives_alone(tmp_path: Path, seed: int, mess: float) -> None:
    """Every argument is another number, text, truth value or error in each of some trials, by CHOOSE of one input."""
    chance = random.Random(seed)
    path = tmp_path / "trials.xlsx"
    jobs: list[tuple[str, tuple[int, int], list[tuple[tuple[int, int], list[Any]]]]] = []
    shapes = [(name, shape) for name in FUNCTIONS for shape in arguments_of(name)]
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Trials")
        sheet.write(0, 0, 1)
        row = 1
        for name, shape in [*shapes, *((symbol, "xx") for symbol in OPERATORS)]:
            if not shape:
                continue
            sets = [[argument(chance, kind, mess) for kind in shape] for _ in range(TRIALS)]
            cells, addresses, column, height = [], [], 1, 1
            for k in range(len(shape)):
                blocks = [one[k] if isinstance(one[k], list) else [[one[k]]] for one in sets]
                rows, columns = len(blocks[0]), len(blocks[0][0])
                for r in range(rows):
                    for c in range(columns):
                        options = [block[r][c] for block in blocks]
                        sheet.write_formula(row + r, column + c, f"=CHOOSE($A$1,{','.join(map(literal, options))})")
                        cells.append(((0, key(row + r + 1, column + c + 1)), options))
                first = xlsxwriter.utility.xl_rowcol_to_cell(row, column)
                last = xlsxwriter.utility.xl_rowcol_to_cell(row + rows - 1, column + columns - 1)
                addresses.append(first if first == last else f"{first}:{last}")
                column, height = column + columns, max(height, rows)
            text = name.join(addresses) if name in OPERATORS else f"{prefixed(name)}({','.join(addresses)})"
            sheet.write_formula(row, 0, f"={text}")
            jobs.append((text, (0, key(row + 1, 1)), cells))
            row += height
    sheets = SheetBook(path)
    outputs = [cell for _, cell, _ in jobs]
    program = SheetProgram(SheetPlan(sheets, [(0, COLUMNS)], outputs))
    pool, together = program.values([np.arange(1.0, TRIALS + 1)], TRIALS)
    differences = []
    for (text, cell, cells), value in zip(jobs, together, strict=True):
        by_trial = scalars_of(value.at(0, 0) if isinstance(value, CellGrid) else value, pool, TRIALS)
        for k in range(TRIALS):
            compiler = Compiler(sheets)
            compiler.values = {place: _read_value(options[k]) for place, options in cells}
            alone = single_value(sheets, compiler, cell)
            given, together_k = [options[k] for _, options in cells], shown(by_trial[k])
            # Of two errors, which one a sum keeps is the processor's choice.
            errors = {one for one in given if isinstance(one, str) and one.startswith("#")}
            if not agree(together_k, alone, 1e-12) and not (len(errors) > 1 and {together_k, alone} <= errors):
                differences.append((text, given, together_k, alone))
    assert len(jobs) > 300
    assert differences == []


def test_every_function_has_arguments_to_be_tested_with() -> None:
    untested = {name for name in FUNCTIONS if not arguments_of(name)}
    # Of today: they have a test of their own.
    assert untested == {"TODAY", "NOW"}


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("=0.1*3=0.3", True),
        ("=1-0.9<0.1", False),
        ("=-2^2", 4.0),
        ("=2^3^2", 64.0),
        ("=ROUND(1.005,2)", 1.01),
        ("=ROUND(-2.5,0)", -3.0),
        ("=MOD(-7,3)", 2.0),
        ("=INT(-0.5)", -1.0),
        ('="a"="A"', True),
        ('="b">1E+300', True),
        ('=TRUE>"z"', True),
        ("=1/0", "#DIV/0!"),
        ("=0^0", "#NUM!"),
        ('="x"+1', "#VALUE!"),
        ('="5%"*2', 0.1),
        ('=SUM(1,TRUE,"2")', 4.0),
        ("=MATCH(3,{9,7,5,3,1},-1)", 4.0),
        ("=MATCH(4,{9,7,5,3,1},-1)", 3.0),
        ('=TEXT(1234.567,"#,##0.00")', "1,234.57"),
        ('=TEXT(0.256,"0.0%")', "25.6%"),
        ('=TEXT(45351,"yyyy-mm-dd")', "2024-02-29"),
        ('=DATEVALUE("2024-02-29")', 45351.0),
        ('=DATEVALUE("2023-02-29")', "#VALUE!"),
        ('=INDIRECT("nothing")', "#REF!"),
        ("=SUM(OFFSET(B1,-1,0))", "#REF!"),
        ("=DATE(1900,2,29)", 60.0),
        ("=SUM(MMULT({1,2;3,4},{5;6}))", 17.0 + 39.0),
        ("=SUM(TRANSPOSE({1,2;3,4}))", 10.0),
        ("=NPV(0.1,100,200)", 100 / 1.1 + 200 / 1.21),
        ("=IRR({-100,60,60})", 0.13066238629180749),
        # Newton's steps from 10 % go to infinity.
        ("=IRR({-10000,-537,-422,-674,-528,-776,-589,-934,-407,-947,1347})", -0.3686207872024783),
        ("=XNPV(0.1,{-100,110},{40000,40365})", 0.0),
        ("=PMT(0.01,12,1000)", -88.84878867834166),
        ("=RATE(12,-88.84878867834166,1000)", 0.01),
        ("=DB(1000000,100000,6,1,7)", 186083.33333333334),
        ("=NETWORKDAYS(45292,45322)", 23.0),
        ("=YEARFRAC(45292,45473,1)", 181 / 366),
        ("=SUMPRODUCT(({1,2,3}>1)*{4,5,6})", 11.0),
        ("=INDEX({1,2;3,4},2,1)", 3.0),
        ("=TODAY()-INT(NOW())", 0.0),
    ],
)
def test_known_answers(tmp_path: Path, formula: str, value: Any) -> None:
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("A").write_formula("A1", formula)
    sheets = SheetBook(path)
    ours = single_value(sheets, Compiler(sheets), (0, COLUMNS))
    assert ours == pytest.approx(value, rel=1e-12, abs=1e-12) if isinstance(value, float) else ours == value


# Over A1:C5 (1 to 5, 10 to 50, 0 to 28) and D1:D5 (yy, x, yy, x, yy), as people write them; not all engines know all.
IDIOMS: dict[str, Any] = {
    "=SUMPRODUCT(--(A1:A5>2),B1:B5)": 120.0,
    "=LOOKUP(2,1/(A1:A5<4),B1:B5)": 30.0,
    "=INDEX(B1:B5,MATCH(TRUE,INDEX(A1:A5>2,0),0))": 30.0,
    "=SUMPRODUCT(IF(A1:A5>2,1,0))": 3.0,
    "=_xlfn.XLOOKUP(1,(A1:A5>2)*(B1:B5>35),C1:C5)": 21.0,
    "=SUM(INDEX(A1:C5,0,2))": 150.0,
    "=SUM(OFFSET(A1,1,0,3,1))": 9.0,
    "=SUM(A1:INDEX(A1:A5,3))": 6.0,
    "=SUMPRODUCT(MOD(A1:A5,2)*B1:B5)": 90.0,
    "=SUMPRODUCT(LARGE(B1:B5,{1,2}))": 90.0,
    '=SUMPRODUCT(COUNTIF(D1:D5,{"x","yy"}))': 5.0,
    '=SUMPRODUCT(SUMIF(D1:D5,{"x","yy"},A1:A5)*{1,10})': 6.0 + 90.0,
    "=SUMPRODUCT(1/COUNTIF(D1:D5,D1:D5))": 2.0,
    "=COUNTIF(D1:D5,D2:D2)": 2.0,
    "=SUM(A1:A5 A3:C3)": 3.0,
    "=SUM((A1:A2,B1:B2))": 33.0,
    '=SUM(INDIRECT("A1:A"&3))': 6.0,
    "=SUM(1:1)": 11.0,
    "=AVERAGE(B:B)": 30.0,
    '=INDIRECT("R2C2",FALSE)': 20.0,
    '=SUM(INDIRECT("A!R1C1:R3C[-5]",FALSE))': 6.0,
    '=D9=""': True,
    "=D9=0": True,
}


def test_idioms_give_what_they_give_in_excel(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("A")
        for k in range(5):
            sheet.write_row(k, 0, [k + 1, 10 * (k + 1), 7 * k, "x" if k % 2 else "yy"])
        for k, formula in enumerate(IDIOMS):
            sheet.write_formula(20 + k, 5, formula)
    sheets = SheetBook(path)
    compiler = Compiler(sheets)
    given = {formula: single_value(sheets, compiler, (0, key(21 + k, 6))) for k, formula in enumerate(IDIOMS)}
    assert given == pytest.approx(IDIOMS)
