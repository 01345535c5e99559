"""Formulas over generated arguments, to be computed by several engines: for each function how its arguments look."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import xlsxwriter

from sheetsim.sheets.function import NUMBERS
from sheetsim.sheets.functions import FUNCTIONS

# By function, a letter an argument: n any number, p above 0, u between 0 and 1, i 1 to 9, z -3 to 3 (whole), b a truth
# value, o 0 or 1, d a date, t a text, w a text of digits and words, x anything; R a column of five, S the same of texts
# and numbers, V flows with both signs, D dates, L rising numbers, M a table of five rows and three columns that begins
# with rising numbers, Z a column of five of -3 to 3, Q two rows of two numbers, c a condition of COUNTIF, g a text of a
# date, f a format of numbers, h one of dates.
ARGUMENTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("ROUND", "ROUNDUP", "ROUNDDOWN"), ("nz",)),
    "TRUNC": ("n", "nz"),
    **dict.fromkeys(("MOD", "QUOTIENT", "CEILING", "FLOOR", "MROUND"), ("nn", "np")),
    **dict.fromkeys(("CEILING.MATH", "FLOOR.MATH"), ("n", "np", "npz")),
    **dict.fromkeys(("LN", "LOG10", "SQRT"), ("p", "n")),
    "LOG": ("p", "pp", "pn"),
    "POWER": ("pn", "nz", "zz"),
    "PI": ("",),
    **dict.fromkeys(("ASIN", "ACOS", "ATANH", "FISHER"), ("u", "n")),
    "ACOSH": ("p", "n"),
    "FACT": ("i",),
    **dict.fromkeys(("COMBIN", "PERMUT", "GCD", "LCM"), ("ii",)),
    "GAMMALN": ("p",),
    "GAMMA": ("p",),
    "EXP": ("z",),
    **dict.fromkeys(("SINH", "COSH"), ("z",)),
    "ATAN2": ("nn",),
    "IF": ("bxx", "xxx", "bx"),
    "IFS": ("bxbx",),
    "IFERROR": ("xx",),
    "IFNA": ("xx",),
    "CHOOSE": ("ixxx",),
    "SWITCH": ("zzxzxx",),
    **dict.fromkeys(("AND", "OR", "XOR"), ("bb", "R", "xb")),
    **dict.fromkeys(("TRUE", "FALSE", "NA"), ("",)),
    **dict.fromkeys(("NOT", "N", "T"), ("x",)),
    **{name: ("x",) for name in FUNCTIONS if name.startswith("IS") and name not in ("ISOWEEKNUM", "ISODD", "ISEVEN")},
    **dict.fromkeys(("SUM", "PRODUCT", "AVERAGE", "COUNT", "COUNTA", "MIN", "MAX"), ("R", "Rn", "xx")),
    **dict.fromkeys(("SUMSQ", "AVERAGEA", "COUNTBLANK", "MEDIAN", "AVEDEV", "DEVSQ", "SKEW", "KURT"), ("R",)),
    **{name: ("R", "Rn") for name in FUNCTIONS if name.startswith(("STDEV", "VAR"))},
    **dict.fromkeys(("GEOMEAN", "HARMEAN"), ("P",)),
    **dict.fromkeys(("MODE", "MODE.SNGL"), ("Z",)),
    "TRIMMEAN": ("Ru",),
    "FREQUENCY": ("RL",),
    "ERROR.TYPE": ("x",),
    **dict.fromkeys(("SUMPRODUCT", "SUMX2MY2", "SUMX2PY2", "SUMXMY2", "CORREL", "PEARSON", "COVAR"), ("RR",)),
    **dict.fromkeys(("COVARIANCE.P", "COVARIANCE.S", "SLOPE", "INTERCEPT", "RSQ"), ("RR",)),
    **dict.fromkeys(("FORECAST", "FORECAST.LINEAR"), ("nRR",)),
    **dict.fromkeys(("PERCENTILE", "PERCENTILE.INC", "PERCENTILE.EXC"), ("Ru",)),
    **dict.fromkeys(("QUARTILE", "QUARTILE.INC"), ("Rz",)),
    **dict.fromkeys(("LARGE", "SMALL"), ("Ri",)),
    **dict.fromkeys(("RANK", "RANK.EQ", "RANK.AVG"), ("rR", "rRo")),
    "SUMIF": ("Sc", "ScR"),
    "SUMIFS": ("RSc", "RScSc"),
    "COUNTIF": ("Sc",),
    "COUNTIFS": ("Sc", "ScSc"),
    "AVERAGEIF": ("Sc", "ScR"),
    "AVERAGEIFS": ("RSc",),
    "MAXIFS": ("RSc",),
    "MINIFS": ("RSc",),
    "SUBTOTAL": ("9R", "1R"),
    "VLOOKUP": ("nMi", "nMib", "lMib"),
    "HLOOKUP": ("nMi",),
    "XLOOKUP": ("lLR", "nLRx"),
    "LOOKUP": ("nLR", "lLR"),
    "MATCH": ("nL", "lL1", "lS0"),
    "XMATCH": ("lL",),
    "INDEX": ("Ri", "Mii"),
    **dict.fromkeys(("ROWS", "COLUMNS"), ("M",)),
    "ROW": ("", "n"),
    "COLUMN": ("", "n"),
    "TRANSPOSE": ("Q", "R"),
    "MMULT": ("QQ", "QR"),
    "NPV": ("uR", "un"),
    "IRR": ("V",),
    "MIRR": ("Vuu",),
    "XNPV": ("uVD",),
    "XIRR": ("VD",),
    **dict.fromkeys(("PV", "FV", "PMT"), ("uin", "uinn", "uinnb")),
    **dict.fromkeys(("IPMT", "PPMT"), ("u1in",)),
    **dict.fromkeys(("CUMIPMT", "CUMPRINC"), ("uip11o",)),
    "NPER": ("unp",),
    "RATE": ("imp",),
    "SLN": ("ppi",),
    "SYD": ("pui1",),
    **dict.fromkeys(("DB", "DDB"), ("pui1",)),
    **dict.fromkeys(("EFFECT", "NOMINAL"), ("ui",)),
    "RRI": ("ipp",),
    "PDURATION": ("upp",),
    "DATE": ("yzi", "yii"),
    **dict.fromkeys(("YEAR", "MONTH", "DAY", "ISOWEEKNUM", "HOUR", "MINUTE", "SECOND"), ("d",)),
    "WEEKDAY": ("d", "di"),
    **dict.fromkeys(("EDATE", "EOMONTH"), ("dz",)),
    **dict.fromkeys(("DAYS", "DAYS360"), ("dd",)),
    "YEARFRAC": ("dd", "ddz"),
    "NETWORKDAYS": ("dd", "ddD"),
    "WORKDAY": ("dz", "di"),
    "TIME": ("iii",),
    "DATEVALUE": ("g",),
    "TODAY": (),
    "NOW": (),
    "CONCAT": ("tn", "R"),
    "TEXTJOIN": ("tbR",),
    "CONCATENATE": ("tnx",),
    **dict.fromkeys(("LEFT", "RIGHT"), ("t", "ti")),
    "MID": ("tii",),
    "VALUE": ("w",),
    "NUMBERVALUE": ("w",),
    "TEXT": ("nf", "dh"),
    **dict.fromkeys(("LEN", "UPPER", "LOWER", "PROPER", "TRIM", "CODE"), ("t",)),
    **dict.fromkeys(("FIND", "SEARCH"), ("et", "eti")),
    "SUBSTITUTE": ("tet", "teti"),
    "REPLACE": ("tiit",),
    "REPT": ("ti",),
    "EXACT": ("tt",),
    "CHAR": ("i",),
    **dict.fromkeys(("NORM.DIST", "NORMDIST"), ("nnpb",)),
    **dict.fromkeys(("NORM.INV", "NORMINV", "LOGNORM.INV", "LOGINV"), ("unp",)),
    "NORM.S.DIST": ("zb",),
    "NORMSDIST": ("z",),
    **dict.fromkeys(("NORM.S.INV", "NORMSINV"), ("u",)),
    "LOGNORM.DIST": ("pnpb",),
    "LOGNORMDIST": ("pnp",),
    "T.DIST": ("zib",),
    "T.DIST.RT": ("zi",),
    **dict.fromkeys(("T.DIST.2T", "CHISQ.DIST.RT", "CHIDIST"), ("ii",)),
    "TDIST": ("ii2",),
    **dict.fromkeys(("T.INV", "T.INV.2T", "TINV", "CHISQ.INV", "CHISQ.INV.RT", "CHIINV"), ("ui",)),
    "BETA.DIST": ("uppb",),
    "BETADIST": ("upp",),
    **dict.fromkeys(("BETA.INV", "BETAINV", "GAMMA.INV", "GAMMAINV"), ("upp",)),
    **dict.fromkeys(("GAMMA.DIST", "GAMMADIST", "WEIBULL.DIST", "WEIBULL"), ("pppb",)),
    **dict.fromkeys(("EXPON.DIST", "EXPONDIST"), ("ppb",)),
    "CHISQ.DIST": ("pib",),
    "F.DIST": ("piib",),
    **dict.fromkeys(("F.DIST.RT", "FDIST"), ("pii",)),
    **dict.fromkeys(("F.INV", "F.INV.RT", "FINV"), ("uii",)),
    **dict.fromkeys(("BINOM.DIST", "BINOMDIST", "NEGBINOM.DIST"), ("iiub",)),
    **dict.fromkeys(("BINOM.INV", "CRITBINOM"), ("iuu",)),
    **dict.fromkeys(("POISSON.DIST", "POISSON"), ("ipb",)),
    "HYPGEOM.DIST": ("iijkb",),
    "STANDARDIZE": ("nnp",),
    **dict.fromkeys(("CONFIDENCE", "CONFIDENCE.NORM", "CONFIDENCE.T"), ("upi",)),
    "ERF": ("z", "zz"),
}

# What gives an array, of which all numbers count.
ARRAYS = ("TRANSPOSE", "MMULT")

OPERATORS = ("+", "-", "*", "/", "^", "&", "=", "<>", "<", "<=", ">", ">=")

# What stands in place of an argument now and then.
MESS = ("abc", "3", "", None, True, False, "#N/A", "#DIV/0!", 0, -1, 2.5)

WIDTH = 24


def arguments_of(name: str) -> tuple[str, ...]:
    """How a function's arguments look."""
    if name in ARGUMENTS:
        return ARGUMENTS[name]
    function = FUNCTIONS[name]
    assert function.kind == NUMBERS or name in ("ISODD", "ISEVEN"), name
    return ("n" * function.least,)


def cases(seed: int, each: int, mess: float) -> Iterator[tuple[str, str, list[Any]]]:
    """A name, a formula with {0}, {1}, … for cells or ranges, and the values of its arguments."""
    chance = random.Random(seed)
    for name in FUNCTIONS:
        for shape in arguments_of(name):
            for _ in range(each):
                slots = ",".join(f"{{{k}}}" for k in range(len(shape)))
                formula = f"{prefixed(name)}({slots})"
                formula = f"SUM({formula})" if name in ARRAYS else formula
                yield name, formula, [argument(chance, kind, mess) for kind in shape]
    for symbol in OPERATORS:
        for _ in range(3 * each):
            yield symbol, f"{{0}}{symbol}{{1}}", [argument(chance, "x", mess) for _ in range(2)]
    for text in ("-{0}", "{0}%", "-{0}^2", "+{0}"):
        for _ in range(each):
            yield text, text, [argument(chance, "x", mess)]


NEW = (
    *("IFS", "SWITCH", "XOR", "IFNA", "CONCAT", "TEXTJOIN", "MAXIFS", "MINIFS", "XLOOKUP", "XMATCH", "DAYS"),
    *("CEILING.MATH", "FLOOR.MATH", "RRI", "PDURATION", "ISOWEEKNUM", "NUMBERVALUE", "PHI", "GAUSS", "GAMMA"),
    *("FORECAST.LINEAR", "ERFC.PRECISE"),
)


def prefixed(name: str) -> str:
    """The name as a file has it."""
    return f"_xlfn.{name}" if name in NEW or ("." in name and name != "ERROR.TYPE") else name


def argument(chance: random.Random, kind: str, mess: float) -> Any:
    """The value of an argument, or a list of rows."""
    if kind in "RPVDLSZ":
        rows = [[_single(chance, {"R": "n", "P": "p", "S": "x", "Z": "z"}.get(kind, "n"))] for _ in range(5)]
        if kind == "V":
            rows = [[-chance.uniform(50, 200)], *([chance.uniform(10, 90)] for _ in range(4))]
        elif kind == "D":
            first = chance.randint(40_000, 45_000)
            rows = [[first + 90 * k + chance.randint(0, 60)] for k in range(5)]
        elif kind == "L":
            rows = [[float(v)] for v in sorted(chance.sample(range(-20, 20), 5))]
        if kind in "RPSZ":
            rows = [[chance.choice(MESS)] if chance.random() < mess / 2 else row for row in rows]
        return rows
    if kind == "Q":
        return [[argument(chance, "n", mess / 2) for _ in range(2)] for _ in range(2)]
    if kind == "M":
        keys = sorted(chance.sample(range(-20, 20), 5))
        return [[float(k), round(chance.uniform(0, 9), 2), chance.choice(["x", "y", 7.0])] for k in keys]
    # Formats that are unknown go to another engine.
    return chance.choice(MESS) if chance.random() < mess and kind not in "fh" else _single(chance, kind)


def _single(chance: random.Random, kind: str) -> Any:
    if kind.isdecimal():
        return float(kind)
    choices: dict[str, Any] = {
        "n": lambda: chance.choice([chance.uniform(-20, 20), float(chance.randint(-20, 20)), chance.gauss(0, 1000)]),
        "r": lambda: float(chance.randint(-20, 20)),
        "l": lambda: float(chance.randint(-22, 22)),
        "p": lambda: chance.choice([chance.uniform(0.05, 5), float(chance.randint(1, 9))]),
        "m": lambda: -chance.uniform(0.5, 2),
        "u": lambda: chance.uniform(0.01, 0.99),
        "i": lambda: float(chance.randint(1, 9)),
        "j": lambda: float(chance.randint(5, 15)),
        "k": lambda: float(chance.randint(16, 30)),
        "z": lambda: float(chance.randint(-3, 3)),
        "o": lambda: chance.choice([0.0, 1.0]),
        "b": lambda: chance.choice([True, False]),
        "d": lambda: float(chance.randint(1, 60_000)) if chance.random() < 0.5 else chance.uniform(36_000, 46_000),
        "y": lambda: float(chance.randint(1900, 2100)),
        "t": lambda: chance.choice(["alpha beta", "Gamma", "a-b-a", "x1y22", "  two  words ", "12"]),
        "e": lambda: chance.choice(["a", "b", "A", "-", "w"]),
        "w": lambda: chance.choice(["12", "1,234.5", "5%", "$3", "-7", "1e3", "abc", " 8 "]),
        "c": lambda: chance.choice([">0", "<=2.5", "<>7", "=abc", "a*", "3", 3.0, "?bc", "<>", "abc", True, ">=-1"]),
        "g": lambda: chance.choice(["2024-02-29", "2023-02-29", "1999-12-31", "2024-13-01", " 2001-1-5 ", "abc"]),
        "f": lambda: chance.choice(["0", "0.00", "0,000", "0,000.0", "0%", "0.0%", "000", "General"]),
        "h": lambda: chance.choice(["yyyy-mm-dd", "d mmm yyyy", "mmmm", "dddd", "mm/dd/yy", "yyyy"]),
        "x": lambda: chance.choice([1.0, -2.5, 0.0, 100.0, "abc", "ABD", "3", True, False, None, "#N/A", "#VALUE!"]),
    }
    return choices[kind]()


def write_cases(path: Path, all_cases: list[tuple[str, str, list[Any]]]) -> list[str]:
    """A book with the arguments of each case in its rows, and its formula in column A; returns the formulas' cells.

    The formulas have no values.
    """
    cells = []
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Cases")
        row = 0
        for _, formula, values in all_cases:
            column, height, addresses = 1, 1, []
            for value in values:
                rows = value if isinstance(value, list) else [[value]]
                for r, line in enumerate(rows):
                    for c, one in enumerate(line):
                        _write(sheet, row + r, column + c, one)
                first = xlsxwriter.utility.xl_rowcol_to_cell(row, column)
                last = xlsxwriter.utility.xl_rowcol_to_cell(row + len(rows) - 1, column + len(rows[0]) - 1)
                addresses.append(first if first == last else f"{first}:{last}")
                column, height = column + len(rows[0]), max(height, len(rows))
            sheet.write_formula(row, 0, f"={formula.format(*addresses)}")
            cells.append(f"A{row + 1}")
            row += height
    return cells


def _write(sheet: Any, row: int, column: int, value: Any) -> None:
    if isinstance(value, str) and value.startswith("#"):
        sheet.write_formula(row, column, f"={value}", None, value)
    elif isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, str):
        sheet.write_string(row, column, value)
    elif value is not None:
        sheet.write_number(row, column, value)
