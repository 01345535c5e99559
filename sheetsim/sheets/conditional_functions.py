"""Sheet functions with conditions: COUNTIF and its family, and what a criterion is."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from sheetsim.sheets.function import RAW, Function, mean_of, numbers_of, single
from sheetsim.sheets.operators import COMPARE, OPERATIONS, CellGrid, Context, is_error
from sheetsim.sheets.values import (
    ERROR_OF,
    NUMBER,
    TEXT,
    VALUE,
    CellError,
    TrialColumn,
    as_value,
    number_of_text,
    scalars_of,
    to_column,
    to_number,
    to_truth,
)

_CRITERION = re.compile(r"(<=|>=|<>|<|>|=)?(.*)\Z", re.DOTALL)


def wildcard_pattern(text: str) -> "re.Pattern[str] | None":
    """The pattern of a text with ? and *; None for one without."""
    if not re.search(r"[?*]", text):
        return None
    pieces = re.findall(r"~[~?*]|.", text, re.DOTALL)
    signs = {"?": ".", "*": ".*"}
    return re.compile("".join(signs.get(piece, re.escape(piece[-1])) for piece in pieces), re.DOTALL | re.IGNORECASE)


def met_by(context: Context, value: Any, criterion: Any) -> Any:
    """Whether a cell's value meets a criterion of COUNTIF: a bool, or an array a trial."""
    if isinstance(criterion, TrialColumn):
        return _met_by_column(context, value, criterion)
    if isinstance(criterion, CellError):
        criterion = criterion.text
    symbol = "="
    if isinstance(criterion, str):
        symbol, criterion = _read_criterion(criterion)
    criterion = 0.0 if criterion is None else criterion
    if callable(criterion):
        return _by_trial(context, lambda one: criterion(one) == (symbol == "="), value)
    if isinstance(criterion, float | np.ndarray) and not isinstance(criterion, bool):
        return _met_number(context, symbol, value, criterion)
    kind = type(criterion)
    comparable = _by_trial(context, lambda one: type(one) is kind, value)
    truths = to_truth(OPERATIONS[symbol](context, value, criterion), context.pool)
    met = np.equal(truths, 1) & comparable
    if symbol == "<>":
        met = met | ~np.asarray(comparable) | np.asarray(is_error(value))
    return met if isinstance(met, np.ndarray) and met.ndim else bool(met)


def _met_number(context: Context, symbol: str, value: Any, number: Any) -> Any:
    """Whether a value is a number that compares so with another; a text that says a number is equal to it, no more."""
    column = to_column(value, context.pool, 1)
    kinds = np.asarray(column.kinds)
    if symbol in ("=", "<>"):
        numbers = to_number(value, context.pool) if (kinds == TEXT).any() else column.numbers
        equal = np.equal(numbers, number) & ((kinds == NUMBER) | (kinds == TEXT))
        met = equal if symbol == "=" else ~equal
    else:
        met = COMPARE[symbol](column.numbers, number) & (kinds == NUMBER)
    return (
        met if isinstance(value, np.ndarray | TrialColumn) or isinstance(number, np.ndarray) else bool(np.ravel(met)[0])
    )


def _met_by_column(context: Context, value: Any, criterion: TrialColumn) -> Any:
    """The same where the criterion differs between trials: texts of one operator and a number are met at once."""
    met = np.zeros(context.trials, dtype=bool)
    groups: dict[str, Any] = {}
    singles: dict[Any, list[int]] = {}
    for k, one in enumerate(scalars_of(criterion, context.pool, context.trials)):
        symbol, read = _read_criterion(one) if isinstance(one, str) else ("=", one)
        if type(read) is float:
            groups.setdefault(symbol, np.full(context.trials, np.nan))[k] = read
        else:
            singles.setdefault((type(one), one), []).append(k)
    for symbol, numbers in groups.items():
        met |= _met_number(context, symbol, value, numbers) & ~np.isnan(numbers)
    for (_, one), trials in singles.items():
        met[trials] = np.broadcast_to(met_by(context, value, one), met.shape)[trials]
    return met


def _read_criterion(text: str) -> tuple[str, Any]:
    """The operator of a criterion and what it compares with: a value, or for = and <> also a test of a single value."""
    match = _CRITERION.match(text)
    symbol, text = (match[1], match[2]) if match else (None, text)
    number = number_of_text(text) if text else VALUE
    tests = symbol in (None, "=", "<>")
    criterion: Any = text.replace("~*", "*").replace("~?", "?")
    pattern = wildcard_pattern(text)
    if not isinstance(number, CellError):
        criterion = number
    elif text.upper() in ("TRUE", "FALSE"):
        criterion = text.upper() == "TRUE"
    elif text == "" and tests:
        blank = (None, "") if symbol is None else (None,)
        criterion = lambda one: one in blank  # noqa: E731  # a test beside values
    elif text in ERROR_OF and tests:
        criterion = lambda one: one is ERROR_OF[text]  # noqa: E731
    elif pattern is not None and tests:
        criterion = lambda one: isinstance(one, str) and pattern.fullmatch(one) is not None  # noqa: E731
    return symbol or "=", criterion


def _by_trial(context: Context, test: Callable[..., bool], *values: Any) -> Any:
    if not any(isinstance(value, np.ndarray | TrialColumn) for value in values):
        return test(*values)
    lists = [scalars_of(value, context.pool, context.trials) for value in values]
    return np.array([test(*given) for given in zip(*lists, strict=True)])


def _cells_met(context: Context, pairs: Any) -> "list[Any] | CellError":
    """By cell of the ranges, whether it meets all criteria."""
    ranges = [as_grid(area) for area in pairs[::2]]
    first = ranges[0]
    if any((one.height, one.width) != (first.height, first.width) for one in ranges):
        return VALUE
    rows = max(len(one.rows) for one in ranges)
    columns = max((len(row) for one in ranges for row in one.rows[:1]), default=0)
    met: list[Any] = [True] * (rows * columns)
    for area, criterion in zip(ranges, pairs[1::2], strict=True):
        asked = single(criterion)
        for k in range(rows * columns):
            if met[k] is not False:
                met[k] = np.logical_and(met[k], met_by(context, area.at(k // columns, k % columns), asked))
                met[k] = met[k] if isinstance(met[k], np.ndarray) else bool(met[k])
    return met


def as_grid(value: Any) -> CellGrid:
    """A single value as a CellGrid of one cell."""
    return value if isinstance(value, CellGrid) else CellGrid([[value]])


def _values_met(context: Context, sums: Any, pairs: Any) -> Any:
    """The numbers of the cells that are to be summed, each with where its cell meets the criteria."""
    met = _cells_met(context, pairs)
    if isinstance(met, CellError):
        return met
    area, width = as_grid(sums), max((len(row) for one in pairs[::2] for row in as_grid(one).rows[:1]), default=0)
    chosen = []
    for k, holds in enumerate(met):
        if holds is False:
            continue
        value = area.at(k // width, k % width) if area.height > k // width else None
        for number, counted in numbers_of(context, [CellGrid([[value]])]):
            chosen.append((number, np.logical_and(holds, counted)))
    return chosen


def _sum_ifs(context: Context, sums: Any, *pairs: Any) -> Any:
    chosen = _values_met(context, sums, pairs)
    if isinstance(chosen, CellError):
        return chosen
    result: Any = 0.0
    for number, counted in chosen:
        result = result + (number if np.all(counted) else np.where(counted, number, 0.0))
    return as_value(result)


def _average_ifs(context: Context, sums: Any, *pairs: Any) -> Any:
    chosen = _values_met(context, sums, pairs)
    if isinstance(chosen, CellError):
        return chosen
    result: Any = 0.0
    count: Any = 0.0
    for number, counted in chosen:
        result = result + (number if np.all(counted) else np.where(counted, number, 0.0))
        count = count + counted
    count = np.asarray(count, dtype=float)
    return mean_of(result, count if count.ndim else float(count))


def _extreme_ifs(ufunc: Any, worst: float) -> Callable[..., Any]:
    def evaluate(context: Context, values: Any, *pairs: Any) -> Any:
        chosen = _values_met(context, values, pairs)
        if isinstance(chosen, CellError):
            return chosen
        result: Any = worst
        for number, counted in chosen:
            result = ufunc(result, np.where(counted, number, worst))
        result = np.where(np.isinf(result), 0.0, result)
        return as_value(result if result.ndim else float(result))

    return evaluate


def _widened(area: Any, like: Any) -> Any:
    """SUMIF sums from the first cell of its range on, as many cells as the criteria have."""
    return area if area is not None else like


def _sum_if(context: Context, area: Any, criterion: Any, sums: Any = None) -> Any:
    return _sum_ifs(context, _widened(sums, area), area, criterion)


def _average_if(context: Context, area: Any, criterion: Any, sums: Any = None) -> Any:
    return _average_ifs(context, _widened(sums, area), area, criterion)


def _count_ifs(context: Context, *pairs: Any) -> Any:
    met = _cells_met(context, pairs)
    if isinstance(met, CellError):
        return met
    count: Any = 0.0
    for holds in met:
        count = count + holds
    grid = as_grid(pairs[0])
    rest = grid.height * grid.width - len(met)
    if rest and all(met_by(context, None, single(criterion)) is True for criterion in pairs[1::2]):
        count = count + rest
    return as_value(np.asarray(count, dtype=float) if isinstance(count, np.ndarray) else float(count))


CONDITIONAL = tuple(
    Function(name, least, most, RAW, evaluate, words)
    for name, least, most, evaluate, words in (
        ("SUMIF", 2, 3, _sum_if, "the sum of the cells that meet a condition"),
        ("SUMIFS", 3, None, _sum_ifs, "the sum of the cells that meet conditions"),
        ("COUNTIF", 2, 2, _count_ifs, "how many cells meet a condition"),
        ("COUNTIFS", 2, None, _count_ifs, "how many cells meet conditions"),
        ("AVERAGEIF", 2, 3, _average_if, "the mean of the cells that meet a condition"),
        ("AVERAGEIFS", 3, None, _average_ifs, "the mean of the cells that meet conditions"),
        ("MAXIFS", 3, None, _extreme_ifs(np.maximum, -np.inf), "the greatest of the cells that meet conditions"),
        ("MINIFS", 3, None, _extreme_ifs(np.minimum, np.inf), "the least of the cells that meet conditions"),
    )
)
