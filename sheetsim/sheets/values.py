"""The values of a cell over trials, and Excel's coercions between them. It knows no formula.

A value is the same in all trials (a float, bool, str, None for an empty cell, or a CellError), or differs: then it is
an array of numbers, a float64 a trial, or a TrialColumn, which holds truth values and texts too. A trial whose value
is an error holds a NaN in the array that says which: arithmetic hands it on as it is (IEEE 754 calls it a NaN's
payload).
"""

import math
import re
import struct
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from sheetsim.model.op import Array

ERROR_TEXTS = ("#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A")

_QUIET = 0x7FF8000000000000
_CODE = 0xFF


class CellError:
    """An error value; one object a kind. code: from 1; nan: the NaN that stands for it among numbers."""

    __slots__ = ("code", "nan", "text")

    def __init__(self, text: str, code: int) -> None:
        self.text, self.code = text, code
        self.nan = float(struct.unpack("<d", struct.pack("<Q", _QUIET | code))[0])

    def __repr__(self) -> str:
        return self.text


NULL, DIV, VALUE, REF, NAME, NUM, NA = ERRORS = tuple(CellError(text, k) for k, text in enumerate(ERROR_TEXTS, start=1))
ERROR_OF = {error.text: error for error in ERRORS}

# What a trial of a TrialColumn holds.
NUMBER, BOOL, TEXT, EMPTY = range(4)

Scalar: TypeAlias = "float | bool | str | CellError | None"
Value: TypeAlias = "Scalar | Array | TrialColumn"


class TextPool:
    """The texts of TrialColumns by number."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._places: dict[str, int] = {}

    def number(self, text: str) -> int:
        """The number of a text, which is added where it is new."""
        place = self._places.get(text)
        if place is None:
            place = self._places[text] = len(self.texts)
            self.texts.append(text)
        return place

    def ranks(self) -> Array:
        """By number, the place of a text in the order in which Excel compares: case does not count."""
        folded = [text.casefold() for text in self.texts]
        order = {text: float(k) for k, text in enumerate(sorted(set(folded)))}
        return np.array([order[text] for text in folded], dtype=np.float64)


class TrialColumn:
    """Values that are not all numbers, a trial each.

    numbers: float64; of a truth value 1 or 0, of a text its number in the pool, of an error its NaN; kinds: NUMBER,
    BOOL, TEXT or EMPTY, one for all or uint8 a trial (of errors any).
    """

    __slots__ = ("kinds", "numbers")

    def __init__(self, numbers: Array, kinds: Any) -> None:
        self.numbers, self.kinds = numbers, kinds


def code_of(nan: float) -> int:
    """Which error a NaN is; one that arithmetic itself made is #NUM!."""
    code = int(struct.unpack("<Q", struct.pack("<d", nan))[0] & _CODE)
    return code if 1 <= code <= len(ERRORS) else NUM.code


def codes_of(numbers: Array) -> Any:
    """Which error each number is, 0 for a number."""
    nans = np.isnan(numbers)
    codes = np.where(nans, numbers.view(np.uint64) & np.uint64(_CODE), np.uint64(0)).astype(np.uint8)
    codes[nans & ((codes < 1) | (codes > len(ERRORS)))] = NUM.code
    return codes


def error_of(nan: float) -> CellError:
    """The error that a NaN stands for."""
    return ERRORS[code_of(nan) - 1]


def as_value(result: Any) -> Value:
    """What a computation of numbers gave: an array with infinities as #NUM!, or a float, or an error."""
    if isinstance(result, np.ndarray) and result.size > 1:
        if not np.isfinite(np.dot(result, result)):
            infinite = np.isinf(result)
            if infinite.any():
                return np.where(infinite, NUM.nan, result)
        return result
    number = result.item() if isinstance(result, np.ndarray) else float(result)
    if number - number == 0:
        return number
    return NUM if math.isinf(number) else error_of(number)


_NUMBER_TEXT = re.compile(
    r"\s*([$€£]?)([+-]?)\s*([$€£]?)((?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*(%?)\s*\Z"
)
_DATE_TEXT = re.compile(r"\s*(\d{4})-(\d{1,2})-(\d{1,2})\s*\Z")


def number_of_text(text: str) -> "float | CellError":
    """The number that a text says, as arithmetic takes it: 12, 1,234.5, $5, 5 %, 2024-01-31. #VALUE! for others."""
    match = _NUMBER_TEXT.match(text)
    if match is not None and any(sign.isdigit() for sign in match[4]):
        try:
            number = float(match[4].replace(",", ""))
        except ValueError:
            return VALUE
        return (-number if match[2] == "-" else number) / (100 if match[5] else 1)
    date = date_of_text(text)
    return VALUE if date is None else date


def date_of_text(text: str) -> float | None:
    """The day number, from 1900, of a date such as 2024-01-31; None for other texts."""
    date = _DATE_TEXT.match(text)
    if date is None:
        return None
    from sheetsim.sheets.dates import month_days, serial

    year, month, day = (int(part) for part in date.groups())
    is_day = year >= 1900 and 1 <= month <= 12 and 1 <= day <= month_days(year, month)
    return float(serial(year, month, day)) if is_day else None


def to_number(value: Value, pool: TextPool) -> "float | Array":
    """The value as numbers; an error as its NaN."""
    if type(value) is float or isinstance(value, np.ndarray):
        return value
    if value is None:
        return 0.0
    if isinstance(value, CellError):
        return value.nan
    if isinstance(value, str):
        number = number_of_text(value)
        return number.nan if isinstance(number, CellError) else number
    if isinstance(value, TrialColumn):
        return _column_numbers(value, pool)
    return float(value)


def _column_numbers(value: TrialColumn, pool: TextPool) -> Array:
    kinds = value.kinds
    if isinstance(kinds, int) and kinds != TEXT:
        return value.numbers
    numbers = value.numbers.copy()
    texts = np.isfinite(numbers) & (kinds == TEXT)
    if texts.any():
        places, back = np.unique(numbers[texts].astype(np.int64), return_inverse=True)
        read = [number_of_text(pool.texts[place]) for place in places]
        numbers[texts] = np.array([one.nan if isinstance(one, CellError) else one for one in read])[back]
    return numbers


def to_column(value: Value, pool: TextPool, trials: int) -> TrialColumn:
    """The value as a TrialColumn."""
    if isinstance(value, TrialColumn):
        return value
    if isinstance(value, np.ndarray):
        return TrialColumn(value, NUMBER)
    if isinstance(value, bool):
        return TrialColumn(np.full(trials, float(value)), BOOL)
    if isinstance(value, str):
        return TrialColumn(np.full(trials, float(pool.number(value))), TEXT)
    if isinstance(value, CellError):
        return TrialColumn(np.full(trials, value.nan), NUMBER)
    if value is None:
        return TrialColumn(np.zeros(trials), EMPTY)
    return TrialColumn(np.full(trials, value), NUMBER)


def to_truth(value: Value, pool: TextPool) -> "float | Array":
    """The value as a condition: 1, 0, or the NaN of an error; a text that says neither TRUE nor FALSE is #VALUE!."""
    if isinstance(value, np.ndarray):
        return np.where(np.isnan(value), value, (value != 0).astype(np.float64))
    if isinstance(value, str):
        word = value.upper()
        return 1.0 if word == "TRUE" else 0.0 if word == "FALSE" else VALUE.nan
    if isinstance(value, TrialColumn):
        numbers = value.numbers
        truths = np.where(np.isnan(numbers), numbers, (numbers != 0).astype(np.float64))
        texts = np.isfinite(numbers) & (np.asarray(value.kinds) == TEXT)
        if texts.any():
            places, back = np.unique(numbers[texts].astype(np.int64), return_inverse=True)
            truths[texts] = np.array([to_truth(pool.texts[place], pool) for place in places])[back]
        return truths
    number = to_number(value, pool)
    return number if isinstance(number, float) and number != number else float(number != 0)


def truth_value(truths: Any) -> Value:
    """1, 0 or NaN as truth values of a cell."""
    if isinstance(truths, np.ndarray) and truths.ndim:
        return TrialColumn(truths.astype(np.float64, copy=False), BOOL)
    number = float(truths)
    return error_of(number) if number != number else number != 0


def select(truths: "float | Array", yes: Value, no: Value, pool: TextPool, trials: int) -> Value:
    """By trial, the one value where the condition is 1, the other where it is 0, and the condition's error."""
    if not isinstance(truths, np.ndarray):
        return error_of(truths) if truths != truths else (yes if truths else no)
    unknown = np.isnan(truths)
    has_errors = bool(unknown.any())
    condition = truths != 0
    ends = [_plain(one) for one in (yes, no)]
    if ends[0] is not None and ends[1] is not None:
        chosen = np.where(condition, ends[0], ends[1])
        return np.where(unknown, truths, chosen) if has_errors else chosen
    a, b = to_column(yes, pool, trials), to_column(no, pool, trials)
    numbers = np.where(condition, a.numbers, b.numbers)
    same = isinstance(a.kinds, int) and isinstance(b.kinds, int) and a.kinds == b.kinds
    kinds = a.kinds if same else np.where(condition, a.kinds, b.kinds).astype(np.uint8)
    return TrialColumn(np.where(unknown, truths, numbers) if has_errors else numbers, kinds)


def _plain(value: Value) -> Any:
    """Numbers and errors as numbers; None for what holds anything else. An empty cell that is referred to is 0."""
    if type(value) is float or isinstance(value, np.ndarray):
        return value
    if isinstance(value, CellError):
        return value.nan
    return 0.0 if value is None else None


def simplified(column: TrialColumn) -> Value:
    """A TrialColumn of numbers alone as an array."""
    if isinstance(column.kinds, int):
        return column.numbers if column.kinds == NUMBER else column
    kinds = column.kinds[~np.isnan(column.numbers)]
    if not len(kinds) or (kinds == NUMBER).all():
        return column.numbers
    return TrialColumn(column.numbers, int(kinds[0])) if (kinds == kinds[0]).all() else column


def from_scalars(values: Sequence[Scalar], pool: TextPool) -> Value:
    """A value a trial."""
    numbers, kinds = np.empty(len(values)), np.zeros(len(values), dtype=np.uint8)
    for k, value in enumerate(values):
        if isinstance(value, bool):
            numbers[k], kinds[k] = value, BOOL
        elif isinstance(value, str):
            numbers[k], kinds[k] = pool.number(value), TEXT
        elif isinstance(value, CellError):
            numbers[k] = value.nan
        elif value is None:
            numbers[k], kinds[k] = 0.0, EMPTY
        else:
            numbers[k] = value
    return simplified(TrialColumn(numbers, kinds))


def scalars_of(value: Value, pool: TextPool, trials: int) -> list[Scalar]:
    """A value a trial as Python has it."""
    if not isinstance(value, np.ndarray | TrialColumn):
        return [value] * trials
    column = to_column(value, pool, trials)
    kinds = np.broadcast_to(np.asarray(column.kinds), column.numbers.shape).tolist()
    return [_scalar(number, kind, pool) for number, kind in zip(column.numbers.tolist(), kinds, strict=True)]


def _scalar(number: float, kind: int, pool: TextPool) -> Scalar:
    if number != number:
        return error_of(number)
    if kind == NUMBER:
        return number
    if kind == BOOL:
        return number != 0
    return pool.texts[int(number)] if kind == TEXT else None


def mapped(function: Callable[..., Scalar], values: Sequence[Value], pool: TextPool, trials: int) -> Value:
    """A function of single values, once for each set of them that there is among the trials."""
    if not any(isinstance(value, np.ndarray | TrialColumn) for value in values):
        return function(*values)
    lists = [scalars_of(value, pool, trials) for value in values]
    answers: dict[Any, Scalar] = {}
    results: list[Scalar] = []
    for given in zip(*lists, strict=True):
        # 1, 1.0 and TRUE are one key of a dict.
        at = tuple((type(one), one) for one in given)
        if at not in answers:
            answers[at] = function(*given)
        results.append(answers[at])
    return from_scalars(results, pool)


def text_of_number(number: float) -> str:
    """A number as joining it to a text shows it: General, up to 15 digits."""
    if number == 0:
        return "0"
    if number == int(number) and abs(number) < 1e15:
        return str(int(number))
    text = f"{number:.15g}"
    if "e" not in text:
        return text
    mantissa, exponent = text.split("e")
    power = int(exponent)
    if -10 < power < 0:
        return f"{number:.{14 - power}f}".rstrip("0").rstrip(".")
    return f"{mantissa}E{'+' if power > 0 else '-'}{abs(power):02d}"


def to_text(value: Scalar) -> "str | CellError":
    """A single value as text."""
    if isinstance(value, str | CellError):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return text_of_number(float(value))
