"""Arguments of public functions: each is what it must be, or is refused in a sentence that names it."""

from collections.abc import Callable, Collection, Iterable, Mapping
from numbers import Integral
from typing import Any, TypeVar

from sheetsim.errors import SheetsimError
from sheetsim.files import check_text

LONGEST_SAID = 60

# Whole numbers lie below: NumPy's own seeds do. Python gives no digits of one that has more than 4,300.
WHOLE_BELOW = 2**128

_F = TypeVar("_F", bound=Callable[..., Any] | None)


def said(value: object) -> str:
    """A value in a message, cut short; of what has no text, or no end, its type."""
    try:
        text = repr(value)
    except Exception:
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= LONGEST_SAID else f"{text[:LONGEST_SAID]}…"


def text(what: str, value: object) -> str:
    """The text. Raises SheetsimError for anything else."""
    if not isinstance(value, str):
        raise SheetsimError(f"{what} must be text, not {said(value)}")
    check_text(what, value)
    return value


def number(what: str, value: Any) -> float:
    """The number, which may be NaN or infinite. Raises SheetsimError for anything else, or beyond a double."""
    try:
        if isinstance(value, str | bytes):
            raise TypeError
        return float(value)
    except OverflowError:
        raise SheetsimError(f"{what} is too large a number") from None
    except Exception:
        # What an object answers when it is asked for a number is its own.
        raise SheetsimError(f"{what} must be a number, not {said(value)}") from None


def whole(what: str, value: object, least: int = 0, most: int = WHOLE_BELOW - 1) -> int:
    """The whole number. Raises SheetsimError for anything else, truth values too, and out of bounds."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise SheetsimError(f"{what} must be a whole number of at least {least}, not {said(value)}")
    if int(value) > most:
        limit = f", {most:,} at most" if most < WHOLE_BELOW - 1 else ""
        raise SheetsimError(f"{what} is too large a whole number{limit}")
    return int(value)


def flag(what: str, value: object) -> bool:
    """The truth value. Raises SheetsimError for anything else."""
    if not isinstance(value, bool):
        raise SheetsimError(f"{what} must be True or False, not {said(value)}")
    return value


def listed(what: str, value: object, of: str) -> list[Any]:
    """The elements of a list of `of`.

    Raises SheetsimError for what is no list, for a text, whose elements are letters, and for a mapping, whose elements
    are keys alone.
    """
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise SheetsimError(f"{what} must be a list of {of}, not {said(value)}")
    try:
        return list(value)
    except TypeError:
        # An array of no dimension.
        raise SheetsimError(f"{what} must be a list of {of}, not {said(value)}") from None


def one_of(what: str, value: object, options: Collection[str]) -> str:
    """The text, which is one of the options. Raises SheetsimError for another."""
    if not isinstance(value, str) or value not in options:
        raise SheetsimError(f"{what} must be one of {', '.join(options)}, not {said(value)}")
    return value


def function(what: str, value: _F) -> _F:
    """The function, or None. Raises SheetsimError for what cannot be called."""
    if value is not None and not callable(value):
        raise SheetsimError(f"{what} must be a function, not {said(value)}")
    return value


def shape(what: str, value: object) -> tuple[int, int]:
    """(rows, columns). Raises SheetsimError for anything else."""
    sides = tuple(value) if isinstance(value, tuple | list) else ()
    if len(sides) != 2 or any(isinstance(n, bool) or not isinstance(n, Integral) or n < 1 for n in sides):
        raise SheetsimError(f"{what} need a shape (rows, columns) of whole numbers of at least 1, not {said(value)}")
    return int(sides[0]), int(sides[1])
