"""A workbook as it stands in its file: sheets, names, and every cell's value and formula. It trusts nothing it reads.

openpyxl keeps either a cell's formula or its value, and not where an array formula ends; the checks need all three.
"""

import os
import re
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from posixpath import normpath
from typing import TypeVar
from xml.parsers import expat

from sheetsim.errors import SheetsimError
from sheetsim.files import check_regular, path_of
from sheetsim.workbook.reading.parse import Cells, Element, Elements, Parser, SharedStrings, SheetParser, rectangle
from sheetsim.workbook.reading.values import Rectangle
from sheetsim.workbook.writing.package import DIGEST, DIGEST_PART, digest

# Far beyond any workbook that Excel opens, and far below what harms the machine.
MEMBERS = 20_000
MEMBER_BYTES = 4 << 30
PLAIN_BYTES = 64 << 20  # of the parts that are no sheets
EXPANSION = 250  # cells of one repeated number deflate to about a fortieth
HARMLESS_BYTES = 8 << 20  # below it an expansion does no harm
MOST_SHEET_ELEMENTS = 10_000
MOST_NAME_ELEMENTS = 50_000

# What all sheets may have beside the cells of named blocks, and for each of those with its row and its heading.
FREE_BYTES = 32 << 20
FREE_ELEMENTS = 800_000
BYTES_A_CELL = 256
ELEMENTS_A_CELL = 6
SHORTEST_CELL = 28  # bytes: what names say of more cells than a part can hold counts for nothing

PIECE = 1 << 20

_P = TypeVar("_P", bound=Parser)
_S = TypeVar("_S", bound=SheetParser)

_PLACE = re.compile(r"'?((?:[^']|'')+?)'?!(\$?[A-Z]{1,3}\$?\d{1,7}(?::\$?[A-Z]{1,3}\$?\d{1,7})?)\Z")


# How a file of Excel 97 to 2003 begins, and a workbook that is locked; in how many bytes the latter says so.
COMPOUND, ENCRYPTED_WITHIN = bytes.fromhex("d0cf11e0a1b11ae1"), 1 << 24


def no_values(path: Path) -> str:
    """Why a book with formulas that have no values is not read."""
    return (
        f"{path} holds formulas without values, as saved by a program that does not calculate: "
        f"open and save it in Excel or LibreOffice, or run sheetsim verify --fill {path}"
    )


def _what_instead(path: Path, error: Exception) -> str:
    """What a file is that cannot be opened as a workbook, and what to do."""
    with path.open("rb") as file:
        if file.read(len(COMPOUND)) == COMPOUND:
            # An encrypted .xlsx is a file of the old kind with this stream in it.
            if "EncryptedPackage".encode("utf-16-le") in file.read(ENCRYPTED_WITHIN):
                return "it is locked by a password: open it in Excel or LibreOffice, and save it without one"
            return "it is of Excel 97 to 2003: open it in Excel or LibreOffice, and save it as .xlsx"
    if path.suffix.lower() in (".csv", ".tsv", ".txt", ".xls", ".ods"):
        return f"it is {path.suffix.lower()}: open it in Excel or LibreOffice, and save it as .xlsx"
    return str(error)[:1].lower() + str(error)[1:]


def check_archive(path: Path) -> None:
    """Refuses a file that is not a zip, or one made to exhaust the machine or to reach outside itself."""
    try:
        check_regular(path)
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except SheetsimError:
        raise
    except OSError as error:
        raise SheetsimError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from None
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise SheetsimError(f"{path} is not a workbook: {_what_instead(path, error)}") from None
    if len(members) > MEMBERS:
        raise SheetsimError(f"{path} is refused: {len(members):,} parts, more than any workbook has")
    for member in members:
        if member.filename.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", member.filename):
            raise SheetsimError(f"{path} is refused: the part {member.filename!r} points outside the file")
        limit = MEMBER_BYTES if member.filename.startswith("xl/worksheets/") else PLAIN_BYTES
        swollen = member.file_size > HARMLESS_BYTES and member.file_size > EXPANSION * max(member.compress_size, 1)
        if member.file_size > limit or swollen:
            raise SheetsimError(
                f"{path} is refused: the part {member.filename!r} would grow to {member.file_size:,} bytes"
            )
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise SheetsimError(
                f"{path} is refused: the part {member.filename!r} has a compression that workbooks do not use"
            )
        if member.flag_bits & 1:
            raise SheetsimError(f"{path} is encrypted: save it without a password")


def check_overwrite(path: Path) -> None:
    """Refuses to overwrite a file that is not as sheetsim wrote it: a person edited it, or it is something else."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return  # nothing is there, or it is refused with its reason when it is written
    if stat.S_ISDIR(mode):
        return
    check_regular(path)
    with suppress(SheetsimError), RawBook(path) as book:
        if book.is_as_written:
            return
    raise SheetsimError(
        f"{path} exists and was not written by sheetsim, or was changed since: move it away, or overwrite it with "
        "--force"
    )


class RawBook:
    """An open workbook file. Raises SheetsimError for other files, and for those that are made to do harm.

    free_bytes, free_elements: what all sheets may have beside the cells of named blocks.
    """

    free_bytes, free_elements = FREE_BYTES, FREE_ELEMENTS

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path_of(path)
        check_archive(self.path)
        self._archive = zipfile.ZipFile(self.path)
        try:
            self._parts, self.names = self._workbook()
            self._elements: dict[str, int] = {}
            self._check_size()
            self.texts = self._shared_strings()
        except BaseException:
            self._archive.close()
            raise

    def __enter__(self) -> "RawBook":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._archive.close()

    @property
    def titles(self) -> list[str]:
        """The sheets' titles, in their order."""
        return list(self._parts)

    @property
    def title(self) -> str:
        """The title among the file's properties, empty where there is none."""
        if "docProps/core.xml" not in self.parts:
            return ""
        titles = self._parsed("docProps/core.xml", Elements({"title": 1})).elements
        return titles[0].text if titles else ""

    def part_of(self, title: str) -> str:
        """The name of the part that holds a sheet."""
        return self._parts[title]

    def place(self, name: str) -> tuple[str, Rectangle]:
        """A defined name's sheet and cells. Raises SheetsimError when there is none, or it is not a block of cells."""
        match = _PLACE.match(self.names.get(name, ""))
        title = match[1].replace("''", "'") if match else ""
        if match is None or title not in self._parts:
            raise SheetsimError(f"{self.path} has no block of cells named {name!r}")
        try:
            return title, rectangle(match[2])
        except ValueError as error:
            raise SheetsimError(f"{self.path}: the name {name!r}: {error}") from None

    def blocks_on(self, title: str) -> list[tuple[str, Rectangle]]:
        """The defined names that are blocks of cells on a sheet."""
        return self._blocks.get(title, [])

    @cached_property
    def _blocks(self) -> dict[str, list[tuple[str, Rectangle]]]:
        by_title: dict[str, list[tuple[str, Rectangle]]] = {}
        for name in self.names:
            try:
                title, block = self.place(name)
            except SheetsimError:
                continue
            by_title.setdefault(title, []).append((name, block))
        return by_title

    @cached_property
    def parts(self) -> dict[str, int]:
        """The parts' names, in their order, and their bytes."""
        return {member.filename: member.file_size for member in self._archive.infolist()}

    @property
    def has_digest(self) -> bool:
        """Whether sheetsim made it: a program that saves the book again keeps the digest, then a wrong one."""
        return DIGEST_PART in self.parts and DIGEST.encode() in self.read(DIGEST_PART)

    @property
    def is_as_written(self) -> bool:
        """Whether every part is as sheetsim wrote it: the digest in the file says so. It is no signature."""
        members = [member for member in self._archive.infolist() if member.filename != DIGEST_PART]
        if DIGEST_PART not in self.parts:
            return False
        expected = digest((member.filename, member.CRC, member.file_size) for member in members)
        return expected.encode() in self.read(DIGEST_PART)

    def read(self, part: str) -> bytes:
        """A part that is no sheet, as it is."""
        return b"".join(self.pieces(part))

    def pieces(self, part: str) -> Iterator[bytes]:
        """A part's bytes, as many as the directory says: a stream that holds more was made to exhaust the machine."""
        try:
            size, length = self._archive.getinfo(part).file_size, 0
            with self._archive.open(part) as stream:
                while piece := stream.read(PIECE):
                    length += len(piece)
                    if length > size:
                        raise SheetsimError(
                            f"{self.path} is refused: the part {part!r} is longer than its recorded size"
                        )
                    yield piece
        except SheetsimError:
            raise
        except KeyError:
            raise SheetsimError(f"{self.path} is not a workbook: it has no part {part}") from None
        except Exception as error:  # zlib.error has no other base
            raise SheetsimError(f"{self.path} is damaged in the part {part}: {error}") from None

    def cells(self, title: str) -> Cells:
        """Everything that stands on a sheet."""
        parser = self.parsed_sheet(title, SheetParser)
        try:
            return parser.cells()
        except SheetsimError as error:
            raise SheetsimError(f"{self.path}, sheet {title!r}: {error}") from None

    def parsed_sheet(self, title: str, kind: "Callable[[list[str], int], _S]") -> "_S":
        """A sheet's part, read by a parser of this kind, which gets the shared strings and how many elements are left.

        Raises SheetsimError for more of these than all sheets may have.
        """
        others = sum(used for other, used in self._elements.items() if other != title)
        allowed = self.free_elements + ELEMENTS_A_CELL * sum(self._named.values()) - others
        parser = self._parsed(self._parts[title], kind(self.texts, allowed))
        self._elements[title] = allowed - parser.left
        return parser

    def elements(self, part: str, wanted: dict[str, int]) -> list[Element]:
        """The wanted elements of a part that is no sheet, up to a number of each."""
        return self._parsed(part, Elements(wanted)).elements

    def _check_size(self) -> None:
        """Before a sheet is read: no more of them than what the named blocks account for, and a rest."""
        size = sum(map(self.size, self._parts.values()))
        if size > self.free_bytes + BYTES_A_CELL * sum(self._named.values()):
            raise SheetsimError(
                f"{self.path} is refused: its sheets have {size:,} bytes, far more than its named blocks account for"
            )

    @cached_property
    def _named(self) -> dict[str, int]:
        """How many cells of a sheet have names, as far as its part can hold them."""
        named = {title: _disjoint(block for _, block in self.blocks_on(title)) for title in self._parts}
        return {t: cells if SHORTEST_CELL * cells <= self.size(self._parts[t]) else 0 for t, cells in named.items()}

    def size(self, part: str) -> int:
        """A part's bytes."""
        if part not in self.parts:
            raise SheetsimError(f"{self.path} is not a workbook: it has no part {part}")
        return self.parts[part]

    def _parsed(self, part: str, parser: _P) -> _P:
        try:
            for piece in self.pieces(part):
                parser.feed(piece, last=False)
            parser.feed(b"", last=True)
        except (expat.ExpatError, ValueError, TypeError, LookupError) as error:
            if isinstance(error, SheetsimError):
                says_where = str(error).startswith(str(self.path))
                raise SheetsimError(str(error) if says_where else f"{self.path}, part {part}: {error}") from None
            raise SheetsimError(f"{self.path} is damaged in the part {part}: {error}") from None
        return parser

    def _workbook(self) -> tuple[dict[str, str], dict[str, str]]:
        book = self._parsed(
            "xl/workbook.xml", Elements({"sheet": MOST_SHEET_ELEMENTS, "definedName": MOST_NAME_ELEMENTS})
        )
        links = self._parsed("xl/_rels/workbook.xml.rels", Elements({"Relationship": 2 * MOST_SHEET_ELEMENTS}))
        targets = {link.attributes.get("Id", ""): link.attributes.get("Target", "") for link in links.elements}
        parts: dict[str, str] = {}
        seen: set[str] = set()
        names: dict[str, str] = {}
        for element, attributes, text in book.elements:
            name = attributes.get("name", "")
            if element == "definedName":
                if "localSheetId" not in attributes:
                    names[name] = text
                continue
            target = targets.get(
                next((v for k, v in attributes.items() if k.endswith("id") and k != "sheetId"), ""), ""
            )
            part = normpath(target.lstrip("/") if target.startswith("/") else f"xl/{target}")
            if part in seen or name in parts:
                raise SheetsimError(f"{self.path} is refused: two sheets use the part {part!r}, or have the same name")
            seen.add(part)
            parts[name] = part
        return parts, names

    def _shared_strings(self) -> list[str]:
        if "xl/sharedStrings.xml" not in self.parts:
            return []
        return self._parsed("xl/sharedStrings.xml", SharedStrings()).texts


def _disjoint(blocks: Iterable[Rectangle]) -> int:
    """The cells of rectangles that lie below or beside one another; what overlaps is counted once, or not at all."""
    cells = top = bottom = right = 0
    for block in sorted(blocks):
        if block.top > bottom:
            top = block.top
        elif block.top != top or block.left <= right:
            continue
        cells, bottom, right = cells + block.size, max(bottom, block.bottom), block.right
    return cells
