"""Excel's operators over values of trials: arithmetic, comparison, joining. It knows no formula and no cell."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sheetsim.model.op import Array
from sheetsim.sheets.values import (
    DIV,
    EMPTY,
    NA,
    NUM,
    NUMBER,
    TEXT,
    CellError,
    TextPool,
    TrialColumn,
    Value,
    as_value,
    mapped,
    to_column,
    to_number,
    to_text,
    truth_value,
)

NUMBERS = (float, np.ndarray)

# Numbers that may be equal to 15 digits, relative to one of them.
NEAR = 1e-14


class Context:
    """What a block of trials is computed in. trials: how many; slots: by step, its value; is_1904: of the book."""

    __slots__ = ("is_1904", "memo", "pool", "slots", "trials")

    def __init__(self, trials: int, slots: list[Any], is_1904: bool = False) -> None:
        self.trials, self.slots, self.is_1904 = trials, slots, is_1904
        self.pool = TextPool()
        self.memo: dict[Any, Any] = {}


class CellGrid:
    """A range's or array's values, row by row, in its upper left part; what lies beyond is empty.

    height, width: of the whole; sheet, top, left: of a range its place; None of an array.
    """

    __slots__ = ("height", "left", "rows", "sheet", "top", "width")

    def __init__(
        self,
        rows: list[list[Any]],
        height: int | None = None,
        width: int | None = None,
        place: tuple[int, int, int] | None = None,
    ) -> None:
        self.rows = rows
        self.height = len(rows) if height is None else height
        self.width = (len(rows[0]) if rows else 0) if width is None else width
        self.sheet: int | None = None if place is None else place[0]
        self.top, self.left = (0, 0) if place is None else place[1:]

    def at(self, row: int, column: int) -> Any:
        """The value in a row and column from 0; a single row or column stands for all; #N/A beyond."""
        row, column = 0 if self.height == 1 else row, 0 if self.width == 1 else column
        if row >= self.height or column >= self.width:
            return NA
        if row >= len(self.rows) or column >= len(self.rows[row]):
            return None
        return self.rows[row][column]

    def cells(self) -> list[Any]:
        """The values that are kept, row by row."""
        return [value for row in self.rows for value in row]


def lifted(context: Context, function: Callable[..., Any], args: Any) -> Any:
    """The function of single values over the cells of arrays among its arguments."""
    grids = [arg for arg in args if isinstance(arg, CellGrid)]
    if not grids:
        return function(context, *args)
    height = max(len(grid.rows) if grid.height > 1 else 1 for grid in grids)
    width = max((len(grid.rows[0]) if grid.rows else 1) if grid.width > 1 else 1 for grid in grids)
    rows = [
        [function(context, *(arg.at(r, c) if isinstance(arg, CellGrid) else arg for arg in args)) for c in range(width)]
        for r in range(height)
    ]
    return CellGrid(rows)


def _arithmetic(ufunc: Any) -> Callable[[Context, Value, Value], Value]:
    def operate(context: Context, a: Value, b: Value) -> Value:
        if type(a) not in NUMBERS:
            a = to_number(a, context.pool)
        if type(b) not in NUMBERS:
            b = to_number(b, context.pool)
        return as_value(ufunc(a, b))

    return operate


def _quotient(a: Any, b: Any) -> Any:
    result = np.divide(a, b)
    zero = np.equal(b, 0)
    if np.any(zero):
        return np.where(zero & ~np.isnan(a), DIV.nan, np.where(np.isnan(a), a, result))
    return result


def power_of(a: Any, b: Any) -> Any:
    """a^b as Excel has it: 0^0 is #NUM!, 0^-1 #DIV/0!, and of a negative number only whole powers."""
    result = np.power(a, b)
    if np.any(np.less_equal(b, 0)) or np.any(np.isnan(b)):
        result = np.where(np.equal(a, 0) & np.less(b, 0), DIV.nan, result)
        result = np.where(np.equal(a, 0) & np.equal(b, 0), NUM.nan, result)
        # NumPy has NaN^0 = 1, and so hides an error.
        result = np.where(np.isnan(a), a, np.where(np.isnan(b), b, result))
    return result


def _joined(context: Context, a: Value, b: Value) -> Value:
    def join(one: Any, two: Any) -> Any:
        texts = to_text(one), to_text(two)
        for text in texts:
            if isinstance(text, CellError):
                return text
        return f"{texts[0]}{texts[1]}"

    return mapped(join, (a, b), context.pool, context.trials)


COMPARE: dict[str, Any] = {
    "=": np.equal,
    "<>": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


def _comparison(symbol: str) -> Callable[[Context, Value, Value], Value]:
    ufunc = COMPARE[symbol]

    def operate(context: Context, a: Value, b: Value) -> Value:
        if type(a) in NUMBERS and type(b) in NUMBERS:
            return truth_value(_with_errors(ufunc(*_to_15_digits(a, b)), a, b))
        return truth_value(compared(context, ufunc, a, b))

    return operate


def _to_15_digits(a: Any, b: Any) -> tuple[Any, Any]:
    """Numbers to be compared: those that are equal to 15 digits are the same, as 0.1*3 and 0.3 are in a sheet."""
    difference = np.subtract(a, b)
    near = (np.abs(difference) <= NEAR * np.abs(b)) & (difference != 0)
    if not np.any(near):
        return a, b
    first, second = (np.broadcast_to(x, near.shape).ravel() for x in (a, b))
    first = first.astype(np.float64)
    for k in np.flatnonzero(near).tolist():
        if f"{first[k]:.15g}" == f"{second[k]:.15g}":
            first[k] = second[k]
    return (first.reshape(near.shape), b) if near.ndim else (float(first[0]), b)


def _with_errors(truths: Any, a: Any, b: Any) -> Any:
    """Truths as 1 and 0, with the NaN of either operand, the first before the second."""
    unknown_a, unknown_b = np.isnan(a), np.isnan(b)
    if np.any(unknown_a) or np.any(unknown_b):
        return np.where(unknown_a, a, np.where(unknown_b, b, truths))
    return truths.astype(np.float64) if isinstance(truths, np.ndarray) else float(truths)


def compared(context: Context, ufunc: Any, a: Value, b: Value) -> "float | Array":
    """A comparison of any values: numbers come before texts, and these before truth values.

    Of texts case does not count; an empty cell is 0, FALSE or an empty text, as what it is compared with.
    """
    trials = context.trials if isinstance(a, np.ndarray | TrialColumn) or isinstance(b, np.ndarray | TrialColumn) else 1
    first, second = to_column(a, context.pool, trials), to_column(b, context.pool, trials)
    kinds = [np.broadcast_to(np.asarray(one.kinds), one.numbers.shape) for one in (first, second)]
    (kind_a, x), (kind_b, y) = (
        _as_other(kinds[0], first.numbers, kinds[1], context.pool),
        _as_other(kinds[1], second.numbers, kinds[0], context.pool),
    )
    if (kind_a == TEXT).any() and (kind_b == TEXT).any():
        ranks = context.pool.ranks()
        x, y = (_ranked(numbers, kind, ranks) for numbers, kind in ((x, kind_a), (y, kind_b)))
    same = kind_a == kind_b
    order_a, order_b = _ORDER[kind_a], _ORDER[kind_b]
    truths = np.where(same, ufunc(*_to_15_digits(x, y)), ufunc(order_a, order_b))
    truths = _with_errors(truths, first.numbers, second.numbers)
    return (
        truths
        if trials > 1 or isinstance(a, np.ndarray | TrialColumn) or isinstance(b, np.ndarray | TrialColumn)
        else float(truths[0])
    )


# By kind: numbers, truth values last, texts between.
_ORDER = np.array([0.0, 2.0, 1.0, 0.0])


def _as_other(kinds: Any, numbers: Array, others: Any, pool: TextPool) -> tuple[Any, Array]:
    """Empty cells as what they are compared with."""
    empty = kinds == EMPTY
    if not empty.any():
        return kinds, numbers
    target = np.where(others == EMPTY, NUMBER, others)
    kinds = np.where(empty, target, kinds)
    return kinds, np.where(empty & (target == TEXT), float(pool.number("")), np.where(empty, 0.0, numbers))


def _ranked(numbers: Array, kinds: Any, ranks: Array) -> Array:
    texts = (kinds == TEXT) & ~np.isnan(numbers)
    ranked = numbers.copy()
    ranked[texts] = ranks[numbers[texts].astype(np.int64)]
    return ranked


OPERATIONS: dict[str, Callable[[Context, Value, Value], Value]] = {
    "+": _arithmetic(np.add),
    "-": _arithmetic(np.subtract),
    "*": _arithmetic(np.multiply),
    "/": _arithmetic(_quotient),
    "^": _arithmetic(power_of),
    "&": _joined,
    **{symbol: _comparison(symbol) for symbol in COMPARE},
}


def negative(context: Context, a: Value) -> Value:
    """-a."""
    return as_value(np.negative(to_number(a, context.pool)))


def percent(context: Context, a: Value) -> Value:
    """a%."""
    return as_value(np.divide(to_number(a, context.pool), 100))


def is_error(value: Value) -> Any:
    """Whether the value is an error: a bool, or an array a trial."""
    if isinstance(value, CellError):
        return True
    if isinstance(value, TrialColumn):
        return np.isnan(value.numbers)
    return np.isnan(value) if isinstance(value, np.ndarray) else False
