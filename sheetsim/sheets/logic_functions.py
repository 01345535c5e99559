"""Sheet functions of logic: conditions, choices and what is done with errors."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sheetsim.sheets.function import LAZY, RAW, VALUES, Function
from sheetsim.sheets.operators import OPERATIONS, CellGrid, Context, is_error, lifted
from sheetsim.sheets.values import (
    BOOL,
    EMPTY,
    NA,
    NUMBER,
    TEXT,
    VALUE,
    CellError,
    TrialColumn,
    Value,
    codes_of,
    error_of,
    select,
    to_number,
    to_truth,
    truth_value,
)

Thunk = Callable[[Context], Any]


def _chosen(context: Context, condition: Any, yes: Any, no: Any) -> Any:
    def choose(of: Context, truth: Value, one: Value, other: Value) -> Value:
        return select(to_truth(truth, of.pool), one, other, of.pool, of.trials)

    return lifted(context, choose, (condition, yes, no))


def _if(context: Context, condition: Thunk, yes: Thunk, no: Thunk | None = None) -> Any:
    asked = condition(context)
    if not isinstance(asked, CellGrid | np.ndarray | TrialColumn):
        truth = to_truth(asked, context.pool)
        if truth != truth:
            return error_of(float(truth))
        return _given(yes(context)) if truth else (False if no is None else _given(no(context)))
    return _chosen(context, asked, yes(context), False if no is None else no(context))


def _given(value: Any) -> Any:
    return 0.0 if value is None else value


def _ifs(context: Context, *thunks: Thunk) -> Any:
    if len(thunks) % 2:
        return VALUE
    result: Any = NA
    for condition, value in reversed(list(zip(thunks[::2], thunks[1::2], strict=True))):
        result = _chosen(context, condition(context), value(context), result)
    return result


def _if_error(context: Context, value: Thunk, instead: Thunk) -> Any:
    return _replaced(context, value(context), instead, is_error)


def _if_na(context: Context, value: Thunk, instead: Thunk) -> Any:
    return _replaced(context, value(context), instead, _is_na_error)


def _replaced(context: Context, value: Any, instead: Thunk, wrong: Callable[[Value], Any]) -> Any:
    if not isinstance(value, CellGrid):
        errors = wrong(value)
        if not np.any(errors):
            return _given(value)
        if errors is True:
            return _given(instead(context))

    def replace(of: Context, one: Value, other: Value) -> Value:
        errors = wrong(one)
        if not isinstance(errors, np.ndarray):
            return other if errors else one
        # The error itself would be a condition's: the numbers that hide it are not looked at.
        kept = TrialColumn(np.where(errors, 0.0, one.numbers), one.kinds) if isinstance(one, TrialColumn) else one
        return select(errors.astype(np.float64), other, kept, of.pool, of.trials)

    return lifted(context, replace, (value, instead(context)))


def _is_na_error(value: Value) -> Any:
    if isinstance(value, CellError):
        return value is NA
    numbers = value.numbers if isinstance(value, TrialColumn) else value
    return codes_of(numbers) == NA.code if isinstance(numbers, np.ndarray) else False


def _truths(context: Context, args: Any) -> "list[tuple[Any, Any]] | CellError":
    """Conditions of AND, OR and XOR, each with where it counts; texts of ranges count for nothing."""
    pairs: list[tuple[Any, Any]] = []
    for arg in args:
        if not isinstance(arg, CellGrid):
            pairs.append((to_truth(arg, context.pool), True))
            continue
        for value in arg.cells():
            if isinstance(value, str) or value is None:
                continue
            if isinstance(value, TrialColumn):
                kinds = np.broadcast_to(np.asarray(value.kinds), value.numbers.shape)
                counts = ((kinds == NUMBER) | (kinds == BOOL)) | np.isnan(value.numbers)
                pairs.append((to_truth(TrialColumn(value.numbers, NUMBER), context.pool), counts))
            else:
                pairs.append((to_truth(value, context.pool), True))
    return pairs


def _all_or_any(start: float, combine: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def evaluate(context: Context, *args: Any) -> Any:
        pairs = _truths(context, args)
        if not pairs or isinstance(pairs, CellError):
            return VALUE
        result: Any = start
        error: Any = 0.0
        counted: Any = False
        for truth, counts in pairs:
            unknown = np.isnan(truth) & counts
            error = np.where(unknown & ~np.isnan(error), truth, error) if np.any(unknown) else error
            result = np.where(counts, combine(result, np.not_equal(truth, 0)), result)
            counted = counted | np.asarray(counts)
        result = np.where(counted, result, VALUE.nan)
        result = np.where(np.isnan(error), error, result)
        return truth_value(result if result.ndim else float(result))

    return evaluate


def _not(context: Context, value: Value) -> Value:
    truth = to_truth(value, context.pool)
    return truth_value(np.where(np.isnan(truth), truth, np.equal(truth, 0)))


def _choose(context: Context, index: Thunk, *values: Thunk) -> Any:
    place = index(context)
    number = to_number(place if not isinstance(place, CellGrid) else place.at(0, 0), context.pool)
    if not isinstance(number, np.ndarray):
        if number != number:
            return error_of(number)
        k = int(number)
        return values[k - 1](context) if 1 <= k <= len(values) else VALUE
    whole = np.trunc(number)
    result: Any = VALUE
    for k in np.unique(whole[np.isfinite(whole)]).tolist():
        if 1 <= k <= len(values):
            result = _chosen(
                context, truth_value(np.equal(whole, k).astype(float)), values[int(k) - 1](context), result
            )
    return _chosen(context, truth_value(np.where(np.isnan(number), number, 1.0)), result, 0.0)


def _switch(context: Context, value: Thunk, *rest: Thunk) -> Any:
    asked = value(context)
    pairs = len(rest) // 2
    result = rest[-1](context) if len(rest) % 2 else NA
    for k in reversed(range(pairs)):
        same = lifted(context, OPERATIONS["="], (asked, rest[2 * k](context)))
        result = _chosen(context, same, rest[2 * k + 1](context), result)
    return result


def _kind_test(test: Callable[[Any], bool], kinds: tuple[int, ...], errors: bool = False) -> Callable[..., Value]:
    """A function that asks what a value is: of single ones by a test, of trials by kinds, or whether it is an error."""

    def evaluate(context: Context, value: Value) -> Value:
        if isinstance(value, np.ndarray):
            value = TrialColumn(value, NUMBER)
        if isinstance(value, TrialColumn):
            of_kind = np.isin(np.broadcast_to(np.asarray(value.kinds), value.numbers.shape), kinds)
            unknown = np.isnan(value.numbers)
            return truth_value((unknown if errors else of_kind & ~unknown).astype(np.float64))
        return test(value)

    return evaluate


def _is_na(context: Context, value: Value) -> Value:
    return _as_truth(_is_na_error(value))


def _is_err(context: Context, value: Value) -> Value:
    return _as_truth(np.logical_and(is_error(value), np.logical_not(_is_na_error(value))))


def _as_truth(answer: Any) -> Value:
    return truth_value(answer.astype(np.float64)) if isinstance(answer, np.ndarray) else bool(answer)


def _is_no_text(context: Context, value: Value) -> Value:
    if isinstance(value, TrialColumn):
        texts = (np.asarray(value.kinds) == TEXT) & ~np.isnan(value.numbers)
        return truth_value((~texts).astype(np.float64))
    return not isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool)


def _error_type(context: Context, value: Value) -> Value:
    if isinstance(value, CellError):
        return float(value.code)
    numbers = value.numbers if isinstance(value, TrialColumn) else value
    if not isinstance(numbers, np.ndarray):
        return NA
    codes = codes_of(numbers).astype(np.float64)
    return np.where(codes > 0, codes, NA.nan)


def _is_odd(context: Context, value: Value) -> Value:
    number = to_number(value, context.pool)
    return truth_value(np.where(np.isnan(number), number, np.trunc(np.abs(number)) % 2 == 1))


def _is_even(context: Context, value: Value) -> Value:
    number = to_number(value, context.pool)
    return truth_value(np.where(np.isnan(number), number, np.trunc(np.abs(number)) % 2 == 0))


def _not_available(context: Context) -> Value:
    return NA


def _number(context: Context, value: Value) -> Value:
    if isinstance(value, str):
        return 0.0
    if isinstance(value, TrialColumn):
        texts = np.asarray(value.kinds) == TEXT
        return np.where(texts & ~np.isnan(value.numbers), 0.0, value.numbers)
    return value if isinstance(value, CellError | np.ndarray) else float(value or 0)


LOGIC = (
    Function("IF", 2, 3, LAZY, _if, "one value or another, by a condition"),
    Function("IFS", 2, None, LAZY, _ifs, "the value of the first condition that holds"),
    Function("IFERROR", 2, 2, LAZY, _if_error, "another value in place of an error"),
    Function("IFNA", 2, 2, LAZY, _if_na, "another value in place of #N/A"),
    Function("CHOOSE", 2, None, LAZY, _choose, "one of several values, by its number"),
    Function("SWITCH", 3, None, LAZY, _switch, "the value beside the first that is equal"),
    Function("AND", 1, None, RAW, _all_or_any(1.0, np.logical_and), "whether all conditions hold"),
    Function("OR", 1, None, RAW, _all_or_any(0.0, np.logical_or), "whether one condition holds"),
    Function("XOR", 1, None, RAW, _all_or_any(0.0, np.logical_xor), "whether an odd number of conditions hold"),
    Function("NOT", 1, 1, VALUES, _not, "the other truth value"),
    Function("TRUE", 0, 0, VALUES, lambda context: True, "TRUE"),
    Function("FALSE", 0, 0, VALUES, lambda context: False, "FALSE"),
    Function("NA", 0, 0, VALUES, _not_available, "#N/A"),
    Function("N", 1, 1, VALUES, _number, "a number, 0 of a text"),
    Function("ERROR.TYPE", 1, 1, VALUES, _error_type, "the number of an error"),
    Function("ISERROR", 1, 1, VALUES, _kind_test(lambda v: isinstance(v, CellError), (), True), "an error?"),
    Function("ISERR", 1, 1, VALUES, _is_err, "an error that is not #N/A?"),
    Function("ISNA", 1, 1, VALUES, _is_na, "#N/A?"),
    Function("ISNUMBER", 1, 1, VALUES, _kind_test(_is_number, (NUMBER,)), "a number?"),
    Function("ISTEXT", 1, 1, VALUES, _kind_test(lambda v: isinstance(v, str), (TEXT,)), "a text?"),
    Function("ISNONTEXT", 1, 1, VALUES, _is_no_text, "no text?"),
    Function("ISLOGICAL", 1, 1, VALUES, _kind_test(lambda v: isinstance(v, bool), (BOOL,)), "a truth value?"),
    Function("ISBLANK", 1, 1, VALUES, _kind_test(lambda v: v is None, (EMPTY,)), "an empty cell?"),
    Function("ISODD", 1, 1, VALUES, _is_odd, "an odd number?", strict=True),
    Function("ISEVEN", 1, 1, VALUES, _is_even, "an even number?", strict=True),
)
