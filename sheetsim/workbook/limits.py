"""Excel's limits and name rules as data, and the checks that refuse what a workbook cannot hold. It writes nothing."""

import re
import unicodedata
from collections.abc import Iterable

from sheetsim.errors import SheetsimError

ROWS = 1_048_576
COLUMNS = 16_384
TEXT_CHARACTERS = 32_767
FORMULA_CHARACTERS = 8_192
NESTING = 64
TITLE_CHARACTERS = 31
VALIDATION_CHARACTERS = 255

# The sheet of what a book says about itself to programs.
MANIFEST_TITLE = "sheetsim"

_A1 = re.compile(r"[A-Za-z]{1,3}[0-9]+\Z")
_R1C1 = re.compile(r"(R[0-9]*)?(C[0-9]*)?\Z", re.IGNORECASE)

# Texts and sheets' titles: brackets in them are none of the formula's.
_QUOTED = re.compile(r""""(?:[^"]|"")*"|'(?:[^']|'')*'""")


def check_name(name: str) -> None:
    """Refuses a defined name that Excel would read as a cell (`W1`, `R`, `R1C1`), keeps for itself or finds too long.

    Digits of other scripts too: XlsxWriter takes `a٣` for a cell and drops the name, and what Excel does is not known.
    """
    if len(name) > 255:
        raise SheetsimError(f"the name {name[:20]}… has {len(name)} characters; Excel allows 255")
    if _A1.match(name) or _R1C1.match(name):
        letters = name.rstrip("0123456789")
        raise SheetsimError(
            f"the name {name!r} is a cell reference in Excel: write, for example, '{letters}_{name[len(letters) :]}'"
        )
    if name.casefold().startswith("_xl"):
        raise SheetsimError(f"the name {name!r} begins with _xl, as Excel's own names do: choose another")
    strange = next((c for c in name if not c.isascii() and not c.isalpha()), None)
    if strange is not None:
        raise SheetsimError(
            f"the name {name!r} contains {strange!r}, which Excel may not read: use letters and the digits 0 to 9"
        )
    if name.casefold() in ("true", "false", "print_area", "print_titles"):
        raise SheetsimError(f"the name {name!r} means something else to Excel: choose another")


def check_names(names: Iterable[str]) -> None:
    """Refuses defined names that Excel refuses, and one that is there twice: Excel repairs such a file."""
    seen: set[str] = set()
    for name in names:
        check_name(name)
        if name.casefold() in seen:
            raise SheetsimError(f"the name {name!r} occurs twice (names ignore case)")
        seen.add(name.casefold())


def check_titles(titles: Iterable[str]) -> None:
    """Refuses sheet titles that Excel refuses."""
    seen: set[str] = set()
    for title in titles:
        # Excel counts UTF-16 units: a character beyond the basic plane is two.
        if not title or len(title.encode("utf-16-le", "surrogatepass")) > 2 * TITLE_CHARACTERS:
            raise SheetsimError(f"the sheet title {title!r} must have 1 to {TITLE_CHARACTERS} characters")
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in title):
            raise SheetsimError(f"the sheet title {title!r} contains a control character")
        if re.search(r"[\[\]:*?/\\]", title) or title.startswith("'") or title.endswith("'"):
            raise SheetsimError(f"the sheet title {title!r} must not contain [ ] : * ? / \\ or begin or end with '")
        if title.casefold() == "history":
            raise SheetsimError(f"the sheet title {title!r} is reserved by Excel: choose another")
        if title.casefold() == MANIFEST_TITLE:
            raise SheetsimError(f"the sheet title {title!r} is used by a hidden sheet of every book: choose another")
        if title.casefold() in seen:
            raise SheetsimError(f"the sheet title {title!r} is already taken (titles ignore case)")
        seen.add(title.casefold())


def check_size(what: str, rows: int, columns: int) -> None:
    """Refuses a block, headings included, that is longer or wider than a sheet."""
    if rows > ROWS:
        raise SheetsimError(f"{what} needs {rows:,} rows with its heading; a sheet has {ROWS:,}")
    if columns > COLUMNS:
        raise SheetsimError(f"{what} needs {columns:,} columns with its heading; a sheet has {COLUMNS:,}")


def check_cell_text(what: str, text: str) -> None:
    """Refuses a text that is too long for a cell."""
    if len(text) > TEXT_CHARACTERS:
        raise SheetsimError(f"{what} has {len(text):,} characters; a cell holds {TEXT_CHARACTERS:,}")


def check_length(what: str, characters: int) -> None:
    """Refuses a formula of so many characters or more, before it is written out."""
    if characters > FORMULA_CHARACTERS:
        size = f"{characters:,} characters or more; Excel allows {FORMULA_CHARACTERS:,}"
        raise SheetsimError(f"the formula of {what} has {size}: name a part of it with define")


def check_formula(what: str, formula: str) -> None:
    """Refuses a formula that is too long or nested too deep; naming a part of it makes it shorter."""
    if len(formula) > FORMULA_CHARACTERS:
        size = f"{len(formula):,} characters; Excel allows {FORMULA_CHARACTERS:,}"
        raise SheetsimError(f"the formula of {what} has {size}: name a part of it with define")
    if formula.count("(") <= NESTING:
        return
    depth = deepest = 0
    for character in _QUOTED.sub("", formula):
        depth += (character == "(") - (character == ")")
        deepest = max(deepest, depth)
    if deepest > NESTING:
        depths = f"{deepest} deep; Excel allows {NESTING}"
        raise SheetsimError(f"the formula of {what} is nested {depths}: name a part of it with define")
