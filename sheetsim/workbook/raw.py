"""A workbook as it stands in its file: sheets, names, and every cell's value and formula. It trusts nothing it reads.

openpyxl keeps either a cell's formula or its value, and not where an array formula ends; the checks need all three.
"""

import math
import os
import re
import zipfile
from pathlib import Path
from posixpath import normpath
from typing import Any, NamedTuple
from xml.parsers import expat

from sheetsim.errors import SheetsimError

# Far beyond any workbook that Excel opens, and far below what harms the machine.
MEMBERS = 20_000
MEMBER_BYTES = 4 << 30
PLAIN_BYTES = 64 << 20  # of the parts that are no sheets
EXPANSION = 250  # cells of one repeated number deflate to about a fortieth
SMALL = 8 << 20  # below it an expansion does no harm
SHEETS = 10_000
NAMES = 50_000

_RANGE = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7})(?::\$?([A-Z]{1,3})\$?(\d{1,7}))?\Z")
_PLACE = re.compile(r"'?((?:[^']|'')+?)'?!(\$?[A-Z]{1,3}\$?\d{1,7}(?::\$?[A-Z]{1,3}\$?\d{1,7})?)\Z")


class Rectangle(NamedTuple):
    """First row and column, last row and column, from 1."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def size(self) -> int:
        return (self.bottom - self.top + 1) * (self.right - self.left + 1)


class Cells(NamedTuple):
    """A sheet's cells by (row, column) from 1. values: float, str, bool; errors as text that begins with #.

    formulas: by their first cell, with the rectangle that an array formula fills (one cell for others).
    """

    values: dict[tuple[int, int], Any]
    formulas: dict[tuple[int, int], tuple[str, Rectangle]]

    def computed(self) -> set[tuple[int, int]]:
        """The cells whose values come from a formula."""
        return {
            (row, column)
            for _, block in self.formulas.values()
            for row in range(block.top, block.bottom + 1)
            for column in range(block.left, block.right + 1)
        }


def check_archive(path: Path) -> None:
    """Refuses a file that is no zip, or one made to exhaust the machine or to reach outside itself."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except OSError as error:
        raise SheetsimError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from None
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise SheetsimError(f"{path} is no workbook: {error}") from None
    if len(members) > MEMBERS:
        raise SheetsimError(f"{path} is refused: {len(members):,} parts, more than any workbook has")
    for member in members:
        if member.filename.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", member.filename):
            raise SheetsimError(f"{path} is refused: the part {member.filename!r} points outside the file")
        limit = MEMBER_BYTES if member.filename.startswith("xl/worksheets/") else PLAIN_BYTES
        swollen = member.file_size > SMALL and member.file_size > EXPANSION * max(member.compress_size, 1)
        if member.file_size > limit or swollen:
            raise SheetsimError(
                f"{path} is refused: the part {member.filename!r} would grow to {member.file_size:,} bytes"
            )
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise SheetsimError(f"{path} is refused: the part {member.filename!r} is packed as no workbook is")
        if member.flag_bits & 1:
            raise SheetsimError(f"{path} is encrypted: save it without a password")


class RawBook:
    """An open workbook file. Raises SheetsimError for anything that is none, or that is made to do harm."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        check_archive(self.path)
        self._archive = zipfile.ZipFile(self.path)
        try:
            self._parts, self.names = self._workbook()
            self._texts = self._shared_strings()
        except BaseException:
            self._archive.close()
            raise

    def __enter__(self) -> "RawBook":
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    @property
    def titles(self) -> list[str]:
        return list(self._parts)

    def part_of(self, title: str) -> str:
        """The name of the part that holds a sheet."""
        return self._parts[title]

    def place(self, name: str) -> tuple[str, Rectangle]:
        """A defined name's sheet and cells. Raises SheetsimError when there is none, or it is no block of cells."""
        match = _PLACE.match(self.names.get(name, ""))
        title = match[1].replace("''", "'") if match else ""
        if match is None or title not in self._parts:
            raise SheetsimError(f"{self.path} has no block of cells named {name!r}")
        try:
            return title, rectangle(match[2])
        except ValueError as error:
            raise SheetsimError(f"{self.path}: the name {name!r}: {error}") from None

    def cells(self, title: str) -> Cells:
        """Everything that stands on a sheet."""
        parser = _SheetParser(self._texts)
        self._parsed(self._parts[title], parser)
        try:
            return parser.cells()
        except SheetsimError as error:
            raise SheetsimError(f"{self.path}, sheet {title!r}: {error}") from None

    def _read(self, part: str) -> bytes:
        try:
            return self._declared(part)
        except SheetsimError:
            raise
        except KeyError:
            raise SheetsimError(f"{self.path} is no workbook: it has no part {part}") from None
        except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
            raise SheetsimError(f"{self.path} is damaged in the part {part}: {error}") from None
        except Exception as error:  # zlib.error has no other base
            raise SheetsimError(f"{self.path} is damaged in the part {part}: {error}") from None

    def _declared(self, part: str) -> bytes:
        """A part's bytes, as many as the directory says: a stream that holds more was made to exhaust the machine."""
        size = self._archive.getinfo(part).file_size
        pieces, length = [], 0
        with self._archive.open(part) as stream:
            while piece := stream.read(1 << 20):
                pieces.append(piece)
                length += len(piece)
                if length > size:
                    raise SheetsimError(f"{self.path} is refused: the part {part!r} is longer than it says")
        return b"".join(pieces)

    def _parsed(self, part: str, parser: Any) -> Any:
        try:
            parser.feed(self._read(part))
        except (expat.ExpatError, ValueError, TypeError, LookupError) as error:
            if isinstance(error, SheetsimError):
                raise SheetsimError(f"{self.path}, part {part}: {error}") from None
            raise SheetsimError(f"{self.path} is damaged in the part {part}: {error}") from None
        return parser

    def _workbook(self) -> tuple[dict[str, str], dict[str, str]]:
        book = self._parsed("xl/workbook.xml", _Elements({"sheet": SHEETS, "definedName": NAMES}))
        links = self._parsed("xl/_rels/workbook.xml.rels", _Elements({"Relationship": 2 * SHEETS}))
        targets = {found.get("Id", ""): found.get("Target", "") for _, found, _ in links.found}
        parts: dict[str, str] = {}
        names: dict[str, str] = {}
        for element, attributes, text in book.found:
            name = attributes.get("name", "")
            if element == "definedName":
                if "localSheetId" not in attributes:
                    names[name] = text
                continue
            target = targets.get(
                next((v for k, v in attributes.items() if k.endswith("id") and k != "sheetId"), ""), ""
            )
            part = normpath(target.lstrip("/") if target.startswith("/") else f"xl/{target}")
            if part in parts.values():
                raise SheetsimError(f"{self.path} is refused: two sheets are the part {part!r}")
            parts[name] = part
        return parts, names

    def _shared_strings(self) -> list[str]:
        if "xl/sharedStrings.xml" not in self._archive.namelist():
            return []
        parser = _SharedStrings()
        self._parsed("xl/sharedStrings.xml", parser)
        return parser.texts


def rectangle(text: str) -> Rectangle:
    """`B2:CW1001`, with or without $, as rows and columns from 1. Raises ValueError for anything else."""
    match = _RANGE.match(text)
    if match is None:
        raise ValueError(f"{text!r} is no block of cells")
    left, top, right, bottom = match.groups()
    block = Rectangle(int(top), column_number(left), int(bottom or top), column_number(right or left))
    if not (1 <= block.top <= block.bottom <= 1_048_576 and block.left <= block.right <= 16_384):
        raise ValueError(f"{text!r} is no block of cells")
    return block


def column_number(letters: str) -> int:
    """A is 1, XFD 16384."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


class _Parser:
    """Expat without document types: an entity is the one way in which a short XML grows without end."""

    def __init__(self) -> None:
        self._expat = expat.ParserCreate()
        self._expat.buffer_text = True
        self._expat.StartDoctypeDeclHandler = self._refuse
        self._expat.StartElementHandler = lambda name, attributes: self.start(name.rpartition(":")[2], attributes)
        self._expat.EndElementHandler = lambda name: self.end(name.rpartition(":")[2])
        self._expat.CharacterDataHandler = self.text

    def _refuse(self, *_: object) -> None:
        raise SheetsimError("a document type, which no workbook has, is refused")

    def feed(self, data: bytes) -> None:
        self._expat.Parse(data, True)

    def start(self, name: str, attributes: dict[str, str]) -> None: ...

    def end(self, name: str) -> None: ...

    def text(self, data: str) -> None: ...


class _Elements(_Parser):
    """The wanted elements with their attributes and text, up to a number of each."""

    def __init__(self, wanted: dict[str, int]) -> None:
        super().__init__()
        self._wanted = wanted
        self._left = dict(wanted)
        self.found: list[tuple[str, dict[str, str], str]] = []
        self._texts: list[str] | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name in self._wanted:
            self._left[name] -= 1
            if self._left[name] < 0:
                raise SheetsimError(f"more than {self._wanted[name]:,} elements {name!r} are refused")
            self.found.append((name, attributes, ""))
            self._texts = []

    def text(self, data: str) -> None:
        if self._texts is not None:
            self._texts.append(data)

    def end(self, name: str) -> None:
        if name in self._wanted and self._texts is not None:
            known, attributes, _ = self.found[-1]
            self.found[-1] = (known, attributes, "".join(self._texts))
            self._texts = None


class _SharedStrings(_Parser):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._inside = self._phonetic = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "si":
            self.texts.append("")
        elif name == "rPh":
            self._phonetic = True
        self._inside = name == "t" and not self._phonetic

    def end(self, name: str) -> None:
        self._inside = False
        if name == "rPh":
            self._phonetic = False

    def text(self, data: str) -> None:
        if self._inside:
            self.texts[-1] += data


class _SheetParser(_Parser):
    def __init__(self, texts: list[str]) -> None:
        super().__init__()
        self._shared = texts
        self._values: dict[tuple[int, int], Any] = {}
        self._formulas: dict[tuple[int, int], tuple[str, Rectangle]] = {}
        self._columns: dict[str, int] = {}
        self._row = self._column = 0
        self._kind = "n"
        self._collected: list[str] | None = None
        self._ref: str | None = None

    def cells(self) -> Cells:
        filled = sum(block.size for _, block in self._formulas.values())
        # Each cell of an array formula holds a value; a reference to far more cells would take the machine to list.
        if filled > 2 * len(self._values) + 10_000:
            raise SheetsimError("array formulas that fill cells which are not there are refused")
        return Cells(self._values, self._formulas)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            reference = attributes.get("r")
            if reference is None:
                self._column += 1
            else:
                letters = reference.rstrip("0123456789")
                if letters not in self._columns:
                    self._columns[letters] = column_number(letters)
                self._column = self._columns[letters]
                self._row = int(reference[len(letters) :])
            self._kind = attributes.get("t", "n")
        elif name in ("v", "t"):
            self._collected = []
        elif name == "f":
            self._collected = []
            self._ref = attributes.get("ref") if attributes.get("t") == "array" else None
        elif name == "row":
            self._row = int(attributes.get("r", self._row + 1))
            self._column = 0

    def text(self, data: str) -> None:
        if self._collected is not None:
            self._collected.append(data)

    def end(self, name: str) -> None:
        if self._collected is None or name not in ("v", "t", "f"):
            return
        text = "".join(self._collected)
        self._collected = None
        place = self._row, self._column
        if name == "f":
            block = rectangle(self._ref) if self._ref else Rectangle(*place, *place)
            self._formulas[place] = (text, block)
        elif name == "v" and text:
            self._values[place] = self._typed(text)
        elif name == "t" and self._kind == "inlineStr":
            self._values[place] = self._values.get(place, "") + text

    def _typed(self, text: str) -> Any:
        if self._kind == "n":
            number = float(text)
            if not math.isfinite(number):
                raise ValueError(f"{text!r} is no number that a cell can hold")
            return number
        if self._kind == "s":
            return self._shared[int(text) if text.isdecimal() else len(self._shared)]
        return text == "1" if self._kind == "b" else text
