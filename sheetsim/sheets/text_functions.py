"""Sheet functions of texts: what is cut out of them, joined, found in them, and read as a number."""

import re
from collections.abc import Callable
from typing import Any

from sheetsim.errors import SheetsimError
from sheetsim.sheets.conditional_functions import wildcard_pattern
from sheetsim.sheets.dates import parts
from sheetsim.sheets.function import RAW, VALUES, Function
from sheetsim.sheets.operators import CellGrid, Context
from sheetsim.sheets.values import (
    VALUE,
    CellError,
    Scalar,
    Value,
    mapped,
    number_of_text,
    text_of_number,
    to_number,
    to_text,
)

# The most characters that a cell holds.
LONGEST = 32_767


def _of_singles(function: Callable[..., Any], kinds: str) -> Callable[..., Value]:
    """A function of single values. kinds: of each argument t text, n number, v as it is, the last for the rest."""

    def evaluate(context: Context, *values: Value) -> Value:
        def one(*given: Scalar) -> Any:
            args: list[Any] = []
            for k, value in enumerate(given):
                kind = kinds[min(k, len(kinds) - 1)]
                if isinstance(value, CellError):
                    return value
                if kind == "t":
                    args.append(to_text(value))
                elif kind == "n":
                    number = to_number(value, context.pool)
                    if number != number:
                        return VALUE
                    args.append(number)
                else:
                    args.append(value)
            result = function(*args)
            return VALUE if isinstance(result, str) and len(result) > LONGEST else result

        return mapped(one, values, context.pool, context.trials)

    return evaluate


def _left(text: str, count: float = 1.0) -> Any:
    return text[: int(count)] if count >= 0 else VALUE


def _right(text: str, count: float = 1.0) -> Any:
    return VALUE if count < 0 else text[-int(count) :] if int(count) else ""


def _mid(text: str, start: float, count: float) -> Any:
    return text[int(start) - 1 : int(start) - 1 + int(count)] if start >= 1 and count >= 0 else VALUE


def _length(text: str) -> float:
    # Excel counts UTF-16 units.
    return float(len(text.encode("utf-16-le")) // 2)


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return number_of_text(value)
    return VALUE if isinstance(value, bool) else 0.0 if value is None else value


def _find(sought: str, text: str, start: float = 1.0) -> Any:
    at = text.find(sought, int(start) - 1) if 1 <= start <= len(text) + 1 else -1
    return float(at + 1) if at >= 0 else VALUE


def _search(sought: str, text: str, start: float = 1.0) -> Any:
    if not 1 <= start <= len(text) + 1:
        return VALUE
    pattern = wildcard_pattern(sought) or re.compile(re.escape(sought.replace("~", "")), re.IGNORECASE)
    match = pattern.search(text, int(start) - 1)
    return float(match.start() + 1) if match else VALUE


def _substitute(text: str, old: str, new: str, which: float | None = None) -> Any:
    if not old:
        return text
    if which is None:
        return text.replace(old, new)
    if which < 1:
        return VALUE
    at = -1
    for _ in range(int(which)):
        at = text.find(old, at + 1)
        if at < 0:
            return text
    return text[:at] + new + text[at + len(old) :]


def _replace(text: str, start: float, count: float, new: str) -> Any:
    if start < 1 or count < 0:
        return VALUE
    return text[: int(start) - 1] + new + text[int(start) - 1 + int(count) :]


def _repeated(text: str, count: float) -> Any:
    if count < 0 or len(text) * int(count) > LONGEST:
        return VALUE
    return text * int(count)


def _proper(text: str) -> str:
    return re.sub(r"[^\W\d_]+", lambda match: match[0][:1].upper() + match[0][1:].lower(), text)


def _trim(text: str) -> str:
    return re.sub(" +", " ", text.strip(" "))


def _exact(one: str, two: str) -> bool:
    return one == two


def _text_only(value: Any) -> Any:
    return value if isinstance(value, str) else ""


def _character(number: float) -> Any:
    code = int(number)
    return bytes([code]).decode("cp1252", "replace") if 1 <= code <= 255 else VALUE


def _code(text: str) -> Any:
    return float(text[:1].encode("cp1252", "replace")[0]) if text else VALUE


def _joined_values(args: Any) -> list[Any]:
    values: list[Any] = []
    for arg in args:
        values += arg.cells() if isinstance(arg, CellGrid) else [arg]
    return values


def _concat(context: Context, *args: Any) -> Value:
    return _of_singles(lambda *texts: "".join(texts), "t")(context, *_joined_values(args))


def _text_join(context: Context, separator: Any, skip: Any, *args: Any) -> Value:
    def join(between: str, left_out: float, *texts: str) -> str:
        return between.join(text for text in texts if text or not left_out)

    between, left_out = (one.at(0, 0) if isinstance(one, CellGrid) else one for one in (separator, skip))
    return _of_singles(join, "tnt")(context, between, left_out, *_joined_values(args))


_FORMAT = re.compile(r"([^0#?.,%]*)([#0?,]*)(?:\.([0#?]*))?(%?)([^0#?.,%]*)\Z")
_DATE_CODES = re.compile(r"yyyy|yy|mmmm|mmm|mm|m|dddd|ddd|dd|d|[-/. ,]", re.IGNORECASE)
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def is_known_format(code: str) -> bool:
    """Whether TEXT computes numbers with that format."""
    try:
        _formatted(1.0, code)
    except SheetsimError:
        return False
    return True


def _formatted(value: Any, code: str) -> Any:
    """TEXT: numbers with digits, commas and percent, dates by year, month and day. Others are refused."""
    if isinstance(value, str):
        number = number_of_text(value)
        if isinstance(number, CellError):
            return value
        value = number
    if isinstance(value, bool):
        return to_text(value)
    x = float(value or 0)
    if code.lower() in ("general", ""):
        return text_of_number(x) if code else ""
    if re.search(r"[ymd]", code, re.IGNORECASE):
        return _formatted_date(x, code)
    match = _FORMAT.match(code)
    if match is None or (match[2] + (match[3] or "")) == "":
        raise SheetsimError(f"TEXT with the format {code!r} is not computed")
    before, whole, decimals, percent, after = match.groups()
    if any(re.search(r'["\\;@_*\[]', piece or "") for piece in (before, after)):
        raise SheetsimError(f"TEXT with the format {code!r} is not computed")
    x = x * 100 if percent else x
    places = len(decimals or "")
    from sheetsim.sheets.functions import FUNCTIONS

    rounded = float(FUNCTIONS["ROUND"].evaluate(x, float(places)))
    shown = f"{abs(rounded):,.{places}f}" if "," in whole else f"{abs(rounded):.{places}f}"
    least = whole.replace(",", "").count("0")
    digits, dot, rest = shown.partition(".")
    digits = digits if least <= len(digits) else digits.rjust(least, "0")
    digits = "" if digits == "0" and not least else digits
    keep = (decimals or "").rfind("0") + 1
    while len(rest) > keep and rest.endswith("0"):
        rest = rest[:-1]
    sign = "-" if rounded < 0 else ""
    return f"{sign}{before}{digits}{dot if decimals is not None else ''}{rest}{percent}{after}"


def _formatted_date(x: float, code: str) -> str:
    if _DATE_CODES.sub("", code):
        raise SheetsimError(f"TEXT with the format {code!r} is not computed")
    year, month, day = (int(part) for part in parts(int(x)))
    weekday = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")[(int(x) - 1) % 7]
    name = _MONTHS[month - 1]
    shown = {
        "yyyy": f"{year:04d}",
        "yy": f"{year % 100:02d}",
        "mmmm": name,
        "mmm": name[:3],
        "mm": f"{month:02d}",
        "m": str(month),
        "dddd": weekday,
        "ddd": weekday[:3],
        "dd": f"{day:02d}",
        "d": str(day),
    }
    return _DATE_CODES.sub(lambda match: shown.get(match[0].lower(), match[0]), code)


def _number_value(text: str, decimal: str = ".", group: str = ",") -> Any:
    plain = text.replace(" ", "").replace(group[:1], "").replace(decimal[:1], ".")
    return number_of_text(plain) if plain else 0.0


TEXTS = (
    Function("CONCAT", 1, None, RAW, _concat, "texts and cells joined"),
    Function("TEXTJOIN", 3, None, RAW, _text_join, "texts joined with something between"),
    *(
        Function(name, least, most, VALUES, _of_singles(evaluate, kinds), words)
        for name, least, most, evaluate, kinds, words in (
            ("CONCATENATE", 1, None, lambda *texts: "".join(texts), "t", "texts joined"),
            ("LEFT", 1, 2, _left, "tn", "the first characters"),
            ("RIGHT", 1, 2, _right, "tn", "the last characters"),
            ("MID", 3, 3, _mid, "tn", "characters in the middle"),
            ("LEN", 1, 1, _length, "t", "how many characters"),
            ("VALUE", 1, 1, _value, "v", "the number that a text says"),
            ("NUMBERVALUE", 1, 3, _number_value, "t", "the same with other signs"),
            ("TEXT", 2, 2, _formatted, "vt", "a number by a format"),
            ("UPPER", 1, 1, str.upper, "t", "in capital letters"),
            ("LOWER", 1, 1, str.lower, "t", "in small letters"),
            ("PROPER", 1, 1, _proper, "t", "each word with a capital letter"),
            ("TRIM", 1, 1, _trim, "t", "without spaces that are too many"),
            ("FIND", 2, 3, _find, "ttn", "where a text stands in another"),
            ("SEARCH", 2, 3, _search, "ttn", "the same, whatever the case, with ? and *"),
            ("SUBSTITUTE", 3, 4, _substitute, "tttn", "another text in place of one"),
            ("REPLACE", 4, 4, _replace, "tnnt", "another text at a place"),
            ("REPT", 2, 2, _repeated, "tn", "a text several times"),
            ("EXACT", 2, 2, _exact, "t", "whether texts are the same, case too"),
            ("T", 1, 1, _text_only, "v", "a text, nothing of others"),
            ("CHAR", 1, 1, _character, "n", "the character of a number"),
            ("CODE", 1, 1, _code, "t", "the number of a character"),
        )
    ),
)
