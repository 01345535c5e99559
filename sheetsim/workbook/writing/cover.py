"""A person's first sheet as the cover of a book.

Its part stays as it is, with the numbers of its formats moved, its texts in its cells, and the contents of named cells
filled in. What belongs to it (pictures, charts, comments) goes along.

What a cover cannot keep is refused: macros, links to other workbooks, formulas that other sheets have a part in.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path
from posixpath import basename, dirname, join, normpath, relpath
from typing import NamedTuple

from msgspec import Struct

from sheetsim.errors import SheetsimError
from sheetsim.workbook.formulas import column_letters, quoted
from sheetsim.workbook.reading.parse import rectangle
from sheetsim.workbook.reading.raw import RawBook
from sheetsim.workbook.reading.values import Rectangle
from sheetsim.workbook.writing.cells import error_text
from sheetsim.workbook.writing.package_lists import before_end, merged_styles

TYPES, STYLES, THEME = "[Content_Types].xml", "xl/styles.xml", "xl/theme/theme1.xml"

# What the names of its parts begin with.
PREFIX = "cover_"

# Of the parts that a cover brings.
MOST_BYTES = 32 << 20

# Kinds of parts that go along with a sheet.
_OF_CHARTS = ("chart", "chartStyle", "chartColorStyle", "themeOverride")
_KEPT = ("drawing", "image", "vmlDrawing", "comments", "printerSettings", "hyperlink", *_OF_CHARTS)

# Of other values on another day, or of cells that no reference tells.
_UNSTEADY = re.compile(r"(?<![\w.])(TODAY|NOW|RAND|RANDBETWEEN|RANDARRAY|INDIRECT|OFFSET|CELL|INFO)\(")

_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_CELL = re.compile(rb"<c\b([^>]*?)(?:/>|>(.*?)</c>)", re.DOTALL)
_ROW = re.compile(rb"<row\b([^>]*?)(?:/>|>(.*?)</row>)", re.DOTALL)
_ATTRIBUTE = re.compile(rb'([\w:]+)\s*=\s*"([^"]*)"')
_STRING = re.compile(rb"<si\s*/>|<si>(.*?)</si>", re.DOTALL)
_FORMULA = re.compile(rb"<f\b([^>]*)>([^<]*)</f>")
_ANY_FORMULA = re.compile(rb"<(?:\w+:)?(?:f|formula[12]?)\b[^>]*>([^<]*)<")
_RELATION = re.compile(rb"<Relationship\b[^>]*>")
_TEXT = re.compile(r'"(?:[^"]|"")*"')
_REFERENCE = re.compile(r"(?<![\w.$])\$?[A-Z]{1,3}\$?\d{1,7}(?::\$?[A-Z]{1,3}\$?\d{1,7})?(?![\w.(])")
_LINES_OF_CELLS = re.compile(r"(?<![\w.$])\$?(?:[A-Z]{1,3}:\$?[A-Z]{1,3}|\d+:\$?\d+)(?![\w.(])")
_WORD = re.compile(r"(?<![\w.$!])([^\W\d][\w.]*)(?![\w.(!])")


class Filling(NamedTuple):
    """What a named cell of a cover gets: a number or text, and in a live book the formula that it is the value of."""

    value: float | str
    formula: str = ""


class _Cell(NamedTuple):
    """style: its number among the cover's own; more: the attributes beside it; inside: its elements."""

    style: int
    more: bytes
    inside: bytes


@dataclass
class _Row:
    attributes: dict[bytes, bytes]
    cells: dict[int, _Cell]


class Cover(Struct, frozen=True):
    """A person's first sheet, read.

    slots: by defined name, the row and column (from 1) of the cell to be filled; used: by the name of a slot, the cell
    of a formula of the cover that computes from it, so that it is not filled; names: defined names that go along, and
    what they stand for; printed: those of what is printed of it.
    """

    path: Path
    title: str
    slots: Mapping[str, tuple[int, int]]
    used: Mapping[str, str]
    names: Mapping[str, str]
    printed: Mapping[str, str]
    _around: tuple[bytes, bytes]
    _rows: Mapping[int, _Row]
    _styles: bytes
    _theme: bytes
    _parts: Mapping[str, bytes]
    _types: Mapping[str, str]
    _links: bytes = b""

    def parts(self, package: Mapping[str, bytes], sheet: str, filled: Mapping[str, Filling]) -> dict[str, bytes]:
        """By name, the parts of a package that are others with the cover in it, and those that come to it.

        package: its styles and content types; sheet: the name of the part that the cover becomes; filled: by name in
        lower case, what its cells get.
        """
        styles, (formats, rules) = merged_styles(package[STYLES], self._styles)
        parts = {STYLES: styles, sheet: self._sheet(filled, formats, rules), **self._parts}
        parts[TYPES] = self._typed(package[TYPES])
        if self._theme:
            parts[THEME] = self._theme
        if self._links:
            parts[_links_of(sheet)] = self._links
        return parts

    def _sheet(self, filled: Mapping[str, Filling], formats: int, rules: int) -> bytes:
        rows = {number: _Row(row.attributes, dict(row.cells)) for number, row in self._rows.items()}
        for name, (row, column) in self.slots.items():
            if name.lower() in filled and name not in self.used:
                cells = rows.setdefault(row, _Row({}, {})).cells
                old = cells.get(column, _Cell(0, b"", b""))
                cells[column] = _filled(old.style, filled[name.lower()])
        lines = b"".join(_row(number, rows[number], formats) for number in sorted(rows))
        before, after = self._around
        before = re.sub(rb'(<col\b[^>]*?\sstyle=")(\d+)"', lambda m: b'%b%d"' % (m[1], int(m[2]) + formats), before)
        after = re.sub(rb'dxfId="(\d+)"', lambda m: b'dxfId="%d"' % (int(m[1]) + rules), after)
        return b"%b<sheetData>%b</sheetData>%b" % (before, lines, after)

    def _typed(self, types: bytes) -> bytes:
        """The content types with those of the cover's parts."""
        there = {ending.decode().lower() for ending in re.findall(rb'Extension="([^"]*)"', types)}
        added: dict[str, None] = {}
        for part, kind in self._types.items():
            ending = part.rpartition(".")[2].lower()
            if ending in ("xml", "rels") or ending in there:
                added[f'<Override PartName="/{part}" ContentType="{kind}"/>'] = None
            else:
                added[f'<Default Extension="{ending}" ContentType="{kind}"/>'] = None
        return before_end(types, "Types", "".join(added).encode())


def _filled(style: int, given: Filling) -> _Cell:
    formula = f"<f>{escape(given.formula, quote=False)}</f>".encode() if given.formula else b""
    value = given.value
    if isinstance(value, str):
        text = escape(value, quote=False)
        if given.formula:
            return _Cell(style, b' t="str"', formula + f"<v>{text}</v>".encode())
        return _Cell(style, b' t="inlineStr"', f'<is><t xml:space="preserve">{text}</t></is>'.encode())
    if value - value != 0:
        return _Cell(style, b' t="e"', formula + f"<v>{error_text(value)}</v>".encode())
    return _Cell(style, b"", formula + f"<v>{float(value)!r}</v>".encode())


def _row(number: int, row: _Row, formats: int) -> bytes:
    given = {b"r": b"%d" % number, **row.attributes}
    if b"s" in given:
        given[b"s"] = b"%d" % (int(given[b"s"]) + formats)
    given.pop(b"spans", None)
    attributes = b"".join(b' %b="%b"' % pair for pair in given.items())
    cells = b"".join(
        b'<c r="%b%d" s="%d"%b>%b</c>'
        % (column_letters(column - 1).encode(), number, cell.style + formats, cell.more, cell.inside)
        for column, cell in sorted(row.cells.items())
    )
    return b"<row%b>%b</row>" % (attributes, cells)


def read_cover(path: Path) -> Cover:
    """The first sheet of a workbook. Raises SheetsimError for what is none, and for what no cover can keep."""
    if path.suffix.lower() != ".xlsx":
        raise SheetsimError(f"the cover {path} must be an .xlsx workbook, without macros")
    with RawBook(path) as book:
        try:
            return _Reader(book).read()
        except SheetsimError:
            raise
        except (ValueError, LookupError) as error:
            raise SheetsimError(f"the cover {path} is damaged: {error}") from None


class _Reader:
    def __init__(self, book: RawBook) -> None:
        self.book = book
        self.title, *self.others = book.titles or [""]
        self.total = 0

    def refuse(self, why: str) -> SheetsimError:
        return SheetsimError(f"the cover {self.book.path}: {why}")

    def read(self) -> Cover:
        self._check_book()
        part = self.book.part_of(self.title)
        cells = self.book.cells(self.title)
        if len(cells.bare):
            raise self.refuse("a formula has no value: open and save it in Excel or LibreOffice")
        xml = self._bytes(part)
        parts, types, links = self._related(part)
        before, data, after = self._split(xml)
        rows = self._rows(data)
        names, printed = self._names()
        kept = {name: text for name, text in names.items() if self._goes_along(text)}
        merged = [rectangle(one.decode()) for one in re.findall(rb'<mergeCell\s+ref="([^"]+)"', after)]
        slots = {name: (place.top, place.left) for name, place in self._places(kept) if _is_cell(place, merged)}
        drawn = [data for name, data in parts.items() if not name.endswith(".rels")]
        self._check_sheets([xml, *drawn], [name for name in names if name not in kept])
        used = self._used(data, dict(self._places(kept)), slots)
        around = _selected(before), after
        styles, theme = [self._bytes(name) if name in self.book.parts else b"" for name in (STYLES, THEME)]
        return Cover(
            self.book.path, self.title, slots, used, kept, printed, around, rows, styles, theme, parts, types, links
        )

    def _check_book(self) -> None:
        parts = self.book.parts
        if any("vbaproject" in part.lower() for part in parts):
            raise self.refuse("it has macros: save it without them")
        if any(part.startswith("xl/externalLinks/") for part in parts):
            raise self.refuse("it has links to other workbooks: replace them by values")
        sheets = self.book.elements("xl/workbook.xml", {"sheet": 10_000})
        if not sheets or self.book.part_of(self.title).rpartition("/")[0] != "xl/worksheets":
            raise self.refuse("its first sheet is not a worksheet")
        if sheets[0].attributes.get("state", "visible") != "visible":
            raise self.refuse(f"its first sheet {self.title!r} is hidden")

    def _bytes(self, part: str) -> bytes:
        self.total += self.book.size(part)
        if self.total > MOST_BYTES:
            raise self.refuse(f"its first sheet and its parts have more than {MOST_BYTES:,} bytes")
        if part.endswith((".xml", ".rels")):
            self.book.elements(part, {})  # raises where it is no XML
        return self.book.read(part)

    def _related(self, sheet: str) -> tuple[dict[str, bytes], dict[str, str], bytes]:
        """The parts that go along, under new names; their types; and the sheet's relations to them."""
        types = self._types()
        parts: dict[str, bytes] = {}
        kinds: dict[str, str] = {}
        links = b""
        left, seen = [sheet], {sheet}
        while left:
            owner = left.pop()
            if owner != sheet:
                parts[_renamed(owner)] = self._bytes(owner)
                kinds[_renamed(owner)] = types.get(owner) or types.get(f"*.{owner.rpartition('.')[2].lower()}", "")
            if _links_of(owner) not in self.book.parts:
                continue
            xml = self._bytes(_links_of(owner))
            targets = [self._target(owner, one) for one in _RELATION.findall(xml)]
            for target in filter(None, targets):
                if target not in seen:
                    seen.add(target)
                    left.append(target)
            moved = _RELATION.sub(lambda match, owner=owner: self._moved(owner, match[0]), xml)  # type: ignore[misc]
            if owner == sheet:
                links = moved
            else:
                parts[_links_of(_renamed(owner))] = moved
        return parts, kinds, links

    def _types(self) -> dict[str, str]:
        rows = self.book.elements(TYPES, {"Override": 20_000, "Default": 1_000})
        return {
            row.attributes["PartName"].lstrip("/")
            if row.name == "Override"
            else f"*.{row.attributes['Extension'].lower()}": row.attributes.get("ContentType", "")
            for row in rows
        }

    def _target(self, owner: str, relation: bytes) -> str:
        """The part to which a relation leads; none where it leads out of the file."""
        given = _attributes(relation)
        kind = given.get(b"Type", b"").decode().rpartition("/")[2]
        if kind not in _KEPT:
            raise self.refuse(f"its first sheet has a part of the kind {kind!r}, which a cover cannot keep")
        target = unescape(given.get(b"Target", b"").decode())
        if given.get(b"TargetMode") == b"External":
            if kind != "hyperlink":
                raise self.refuse(f"the {kind} {target} is outside the file: embed it")
            return ""
        return "" if target.startswith("#") else _resolved(owner, target)

    def _moved(self, owner: str, relation: bytes) -> bytes:
        target = self._target(owner, relation)
        if not target:
            return relation
        where = relpath(_renamed(target), dirname(owner))
        return re.sub(rb'\bTarget="[^"]*"', lambda _: f'Target="{escape(where)}"'.encode(), relation)

    def _split(self, xml: bytes) -> tuple[bytes, bytes, bytes]:
        match = re.search(rb"<sheetData\s*/>|<sheetData>(.*)</sheetData>", xml, re.DOTALL)
        if match is None or b"<![CDATA[" in xml:
            raise self.refuse(
                "its first sheet is not as Excel or LibreOffice writes it: open and save it in one of them"
            )
        before = re.sub(rb"<dimension\b[^>]*/>", b"", xml[: match.start()])
        return before, match[1] or b"", xml[match.end() :]

    def _rows(self, data: bytes) -> dict[int, _Row]:
        strings: list[bytes] = []
        if "xl/sharedStrings.xml" in self.book.parts:
            strings = [one[1] or b"" for one in _STRING.finditer(self._bytes("xl/sharedStrings.xml"))]
        rows: dict[int, _Row] = {}
        for match in _ROW.finditer(data):
            attributes = _attributes(match[1])
            number = int(attributes.get(b"r", b"0"))
            cells: dict[int, _Cell] = {}
            for one in _CELL.finditer(match[2] or b""):
                given = _attributes(one[1])
                place = rectangle(given.pop(b"r", b"A1").decode())
                if place.top != number or b"cm" in given or b"vm" in given:
                    raise self.refuse(
                        f"row {number} has a cell without a reference, or of a kind that a cover cannot keep"
                    )
                cells[place.left] = self._cell(given, one[2] or b"", strings)
            rows[number] = _Row(attributes, cells)
        if 0 in rows or sum(len(row.cells) for row in rows.values()) != len(re.findall(rb"<c[\s>/]", data)):
            raise self.refuse(
                "its first sheet is not as Excel or LibreOffice writes it: open and save it in one of them"
            )
        return rows

    def _cell(self, given: dict[bytes, bytes], inside: bytes, strings: list[bytes]) -> _Cell:
        style = int(given.pop(b"s", b"0"))
        if given.get(b"t") == b"s":
            number = re.search(rb"<v>(\d+)</v>", inside)
            given[b"t"] = b"inlineStr"
            inside = b"<is>%b</is>" % strings[int(number[1])] if number else b""
        return _Cell(style, b"".join(b' %b="%b"' % pair for pair in given.items()), inside)

    def _names(self) -> tuple[dict[str, str], dict[str, str]]:
        """The defined names that hold on the sheet, and those of what is printed of it."""
        names: dict[str, str] = {}
        printed: dict[str, str] = {}
        for one in self.book.elements("xl/workbook.xml", {"definedName": 50_000}):
            name = one.attributes.get("name", "")
            if one.attributes.get("localSheetId", "0") != "0":
                continue
            if name in ("_xlnm.Print_Area", "_xlnm.Print_Titles"):
                if "localSheetId" in one.attributes:
                    printed[name] = one.text
            elif not name.startswith("_xl"):
                names[name] = one.text
        return names, printed

    def _goes_along(self, text: str) -> bool:
        """Whether a name stands for cells of the sheet, or for a number or text."""
        return self._place(text) is not None or re.fullmatch(r'-?[\d.]+(E[+-]?\d+)?%?|"(?:[^"]|"")*"', text) is not None

    def _place(self, text: str) -> Rectangle | None:
        title, mark, cells = text.rpartition("!")
        if not mark or title not in (quoted(self.title), f"'{self.title.replace(chr(39), chr(39) * 2)}'", self.title):
            return None
        try:
            return rectangle(cells)
        except ValueError:
            return None

    def _places(self, names: Mapping[str, str]) -> Iterator[tuple[str, Rectangle]]:
        for name, text in names.items():
            place = self._place(text)
            if place is not None:
                yield name, place

    def _check_sheets(self, parts: list[bytes], lost: list[str]) -> None:
        """No formula, link or chart of the sheet needs another sheet."""
        for data in parts:
            if not data.lstrip().startswith(b"<"):
                continue
            text = unescape(data.decode(errors="replace"))
            for other in self.others:
                if f"{quoted(other)}!" in text or re.search(rf"(?<![\w'.]){re.escape(other)}!", text):
                    raise self.refuse(
                        f"its first sheet refers to the sheet {other!r}, which is left out: use values there"
                    )
            used = {word.lower() for one in _ANY_FORMULA.findall(data) for word in _words(unescape(one.decode()))}
            for name in lost:
                if name.lower() in used:
                    raise self.refuse(f"its first sheet uses the name {name!r}, which does not refer to its cells")

    def _used(
        self, data: bytes, named: Mapping[str, Rectangle], slots: Mapping[str, tuple[int, int]]
    ) -> dict[str, str]:
        """By the name of a slot, the cell of a formula that uses it: its value is the one that stands there.

        Raises SheetsimError for a formula of the day's date and the like.
        """
        used: dict[str, str] = {}
        by_word = {name.lower(): place for name, place in named.items()}
        for one in _CELL.finditer(data):
            formula = _FORMULA.search(one[2] or b"")
            if formula is None:
                continue
            place = _attributes(one[1]).get(b"r", b"").decode()
            text = _TEXT.sub('""', unescape(formula[2].decode()))
            unsteady = _UNSTEADY.search(text.upper())
            if unsteady:
                raise self.refuse(
                    f"the formula in {place} uses {unsteady[1]}(), which Excel recomputes at each opening: use a value"
                )
            text = text.replace(f"{quoted(self.title)}!", "").replace(f"{self.title}!", "")
            blocks = [rectangle(reference) for reference in _REFERENCE.findall(text)]
            blocks += [by_word[word.lower()] for word in _words(text) if word.lower() in by_word]
            shared = _attributes(formula[1])
            if shared.get(b"t") == b"shared" and b"ref" in shared:
                # The cells that share it have references so far away.
                over = rectangle(shared[b"ref"].decode())
                down, right = over.bottom - over.top, over.right - over.left
                blocks = [Rectangle(b.top, b.left, b.bottom + down, b.right + right) for b in blocks]
            for name, (row, column) in slots.items():
                inside = any(b.top <= row <= b.bottom and b.left <= column <= b.right for b in blocks)
                if inside or _LINES_OF_CELLS.search(text):
                    used[name] = place
        return used


def _words(formula: str) -> Iterator[str]:
    """Names in a formula, among other words."""
    return (match[1] for match in _WORD.finditer(_TEXT.sub('""', formula)))


def _is_cell(place: Rectangle, merged: list[Rectangle]) -> bool:
    return place.size == 1 or place in merged


def _attributes(element: bytes) -> dict[bytes, bytes]:
    return dict(_ATTRIBUTE.findall(element))


def _resolved(owner: str, target: str) -> str:
    return normpath(target.lstrip("/") if target.startswith("/") else join(dirname(owner), target))


def _renamed(part: str) -> str:
    return join(dirname(part), PREFIX + basename(part))


def _links_of(part: str) -> str:
    return join(dirname(part), "_rels", f"{basename(part)}.rels")


def _selected(before: bytes) -> bytes:
    """The beginning of a sheet's part as of the one that is seen when the book is opened."""
    before = re.sub(rb'(<sheetView\b[^>]*?)\s+tabSelected="\w+"', rb"\1", before)
    return re.sub(rb"<sheetView\b", b'<sheetView tabSelected="1"', before, count=1)
