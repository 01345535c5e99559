"""What a row of the table of sheet functions is, and how the kinds of functions take their arguments."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from msgspec import Struct

from sheetsim.sheets.operators import CellGrid, Context, lifted
from sheetsim.sheets.values import (
    BOOL,
    DIV,
    NUMBER,
    VALUE,
    CellError,
    TrialColumn,
    Value,
    as_value,
    number_of_text,
    scalars_of,
    select,
    to_number,
    to_truth,
)

# How a function takes its arguments: numbers (text is coerced), single values of any kind, values and ranges as they
# are, or as functions that compute one when it is called for.
NUMBERS, VALUES, RAW, LAZY = "numbers", "values", "raw", "lazy"


class Function(Struct, frozen=True):
    """One row: a function of Excel.

    least, most: how many arguments it takes (None: any number); kind: how; evaluate: of `numbers`, arrays and floats to
    numbers; of the others, the context and the arguments to a value; array: whether its arguments are computed as in an
    array formula; strict: whether a truth value is #VALUE!, as in those that were an add-in's; words: what it gives.
    """

    name: str
    least: int
    most: int | None
    kind: str
    evaluate: Callable[..., Any]
    words: str
    array: bool = False
    strict: bool = False

    def __call__(self, context: Context, *args: Any) -> Any:
        if self.kind == NUMBERS:
            return lifted(context, self._of_numbers, args)
        if self.strict:
            args = tuple(map(_without_truths, args))
        if self.kind == VALUES:
            return lifted(context, self.evaluate, args)
        return self.evaluate(context, *args)

    def _of_numbers(self, context: Context, *args: Value) -> Value:
        if self.strict:
            args = tuple(map(_without_truths, args))
        numbers = [_as_double(to_number(arg, context.pool)) for arg in args]
        result = self.evaluate(*numbers)
        return as_value(with_errors_of(result, numbers))


def _as_double(number: Any) -> Any:
    """A float of NumPy: divided by 0 it gives an infinity."""
    return number if isinstance(number, np.ndarray) else np.float64(number)


def _without_truths(value: Any) -> Any:
    """The value, #VALUE! where it is a truth value."""
    if isinstance(value, bool):
        return VALUE
    if isinstance(value, TrialColumn):
        truths = (np.asarray(value.kinds) == BOOL) & ~np.isnan(value.numbers)
        return TrialColumn(np.where(truths, VALUE.nan, value.numbers), value.kinds)
    if isinstance(value, CellGrid) and value.height == value.width == 1:
        return _without_truths(value.at(0, 0))
    return value


def with_errors_of(result: Any, numbers: Any) -> Any:
    """The result, with the NaN of the first argument that has one."""
    for number in reversed(numbers):
        nans = np.isnan(number)
        if np.any(nans):
            result = np.where(nans, number, result)
    return result


def single(value: Any) -> Any:
    """The upper left value of a CellGrid; a value as it is."""
    return value.at(0, 0) if isinstance(value, CellGrid) else value


def number_arg(context: Context, value: Any) -> Any:
    """A raw argument as numbers."""
    return _as_double(to_number(single(value), context.pool))


def for_each(context: Context, value: Any, compute: Callable[[Any], Any]) -> Any:
    """What a function of one single value gives, by trial, for a raw argument that says how to compute."""
    asked = single(value)
    if not isinstance(asked, np.ndarray | TrialColumn):
        return compute(asked)
    scalars = scalars_of(asked, context.pool, context.trials)
    # 1 and TRUE are one key of a dict.
    keys = [(type(one), one) for one in scalars]
    result: Any = 0.0
    for key in dict.fromkeys(keys):
        here = np.array([float(one == key) for one in keys])
        result = select(here, single(compute(key[1])), result, context.pool, context.trials)
    return result


def numbers_of(context: Context, args: Any, *, texts: bool = False, truths: bool = False) -> Iterator[tuple[Any, Any]]:
    """The numbers among the arguments, as aggregate functions see them: each with where it counts (True, or a mask).

    Of ranges and arrays numbers and errors alone; of single arguments truth values and texts that say a number too.
    texts, truths: of ranges, texts as 0 and truth values as 1 and 0 (the functions whose names end with A).
    """
    for arg in args:
        if not isinstance(arg, CellGrid):
            if isinstance(arg, str):
                number = number_of_text(arg)
                yield (number.nan if isinstance(number, CellError) else number), True
            else:
                yield to_number(arg, context.pool), True
            continue
        for value in arg.cells():
            if type(value) is float or isinstance(value, np.ndarray):
                yield value, True
            elif isinstance(value, TrialColumn):
                yield _counted(value, texts, truths)
            elif isinstance(value, CellError):
                yield value.nan, True
            elif (texts and isinstance(value, str)) or (truths and isinstance(value, bool)):
                yield (0.0 if isinstance(value, str) else float(value)), True


def _counted(column: TrialColumn, texts: bool, truths: bool) -> tuple[Any, Any]:
    kinds = np.broadcast_to(np.asarray(column.kinds), column.numbers.shape)
    errors = np.isnan(column.numbers)
    counts = (kinds == NUMBER) | errors
    numbers = column.numbers
    if truths:
        counts |= kinds == 1
    if texts:
        counts |= kinds == 2
        numbers = np.where((kinds == 2) & ~errors, 0.0, numbers)
    return (numbers, True) if counts.all() else (np.where(counts, numbers, 0.0), counts)


def stacked_numbers(context: Context, args: Any) -> tuple[Any, Any, Any]:
    """The numbers of the arguments as rows of a matrix, a trial a column (or one column for all).

    With where they count, and the NaN of the first that is an error (0 where none is).
    """
    pairs = list(numbers_of(context, args))
    width = max((number.size for number, _ in pairs if isinstance(number, np.ndarray)), default=1)
    matrix = np.empty((len(pairs), width))
    mask = np.ones((len(pairs), width), dtype=bool)
    for k, (number, counts) in enumerate(pairs):
        matrix[k] = number
        mask[k] = counts
    errors = np.zeros(width)
    nans = np.isnan(matrix)
    if nans.any():
        first = nans.argmax(axis=0)
        errors = np.where(nans.any(axis=0), matrix[first, np.arange(width)], 0.0)
    return matrix, mask, errors


def settled(result: Any, errors: Any) -> Value:
    """A result a trial with the errors of `stacked_numbers`; of a single column a single value."""
    whole = np.where(np.isnan(errors), errors, result)
    return as_value(float(whole[0]) if whole.size == 1 else whole)


def truth_arg(context: Context, value: Any) -> Any:
    """A raw argument as a condition."""
    return to_truth(single(value), context.pool)


def mean_of(total: Any, count: Any) -> Any:
    """A sum over how many numbers there are; #DIV/0! of none."""
    if not isinstance(count, np.ndarray):
        return as_value(total / count) if count else DIV
    return as_value(np.where(np.equal(count, 0), DIV.nan, np.divide(total, count)))
