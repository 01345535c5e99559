"""A person's workbook as it is calculated: cells with values and formulas, names and tables. It computes nothing.

Sheets are read when they are first asked for. The file is only read.
"""

import difflib
import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from posixpath import dirname, join, normpath

import numpy as np
from msgspec import Struct

from sheetsim.errors import SheetsimError
from sheetsim.sheets.sheet_parts import MOST_AT_ONCE, FormulaParser, read_quickly
from sheetsim.workbook.formulas import column_letters, quoted
from sheetsim.workbook.limits import COLUMNS, ROWS
from sheetsim.workbook.reading.parse import rectangle
from sheetsim.workbook.reading.raw import RawBook
from sheetsim.workbook.reading.syntax import Node, parse_formula, relative
from sheetsim.workbook.reading.values import CellKeys, CellValue, CellValues, Rectangle, key

# Of a person's own sheets: XML of about 100 MB of xlsx, and the cells of that.
MOST_BYTES = 1 << 30
MOST_ELEMENTS = 60_000_000

MOST_TABLES, MOST_TABLE_COLUMNS = 10_000, 100_000

# How far from a cell its label is looked for.
NEAR = 12

# A cell: the number of its sheet, and its key there.
CellId = tuple[int, int]

_PLACE = re.compile(r"(?:(?:'((?:[^']|'')+)'|([^'!]+))!)?\$?([A-Za-z]{1,3})\$?([0-9]{1,7})\Z")
_NUMERIC_DATE_1904 = ("1", "true", "on")


class BookTable(Struct, frozen=True):
    """A table: its sheet, its rectangle with headings, and the names of its columns in small letters."""

    sheet: int
    block: Rectangle
    headers: int
    totals: int
    columns: tuple[str, ...]


class DataTable(Struct, frozen=True):
    """The rectangle that a data table fills, and whether it varies two cells, or one along a row."""

    sheet: int
    block: Rectangle
    is_square: bool
    is_row: bool

    @property
    def formula(self) -> CellId:
        """The cell with the (first) formula that it repeats."""
        top, left = self.block.top, self.block.left
        if self.is_square:
            return self.sheet, key(top - 1, left - 1)
        return self.sheet, (key(top, left - 1) if self.is_row else key(top - 1, left))


class _PersonsBook(RawBook):
    free_bytes, free_elements = MOST_BYTES, MOST_ELEMENTS


@dataclass
class BookSheet:
    """A sheet: its values, and its formulas by key.

    arrays: the array formulas' rectangles, by the key of each of their cells; used: the last row and column that hold
    something; bare: the keys of the cells with a formula and no value.
    """

    title: str
    values: CellValues
    formulas: dict[int, str]
    arrays: dict[int, Rectangle]
    shared: dict[int, int]
    data_tables: list[DataTable]
    used: tuple[int, int]
    formula_keys: CellKeys = field(repr=False)
    bare: frozenset[int]

    def formulas_in(self, block: Rectangle) -> Iterator[int]:
        """The keys of the cells with formulas in a rectangle, those of array formulas all."""
        first, last = np.searchsorted(self.formula_keys, (key(block.top, 1), key(block.bottom + 1, 1)))
        keys = self.formula_keys[first:last]
        columns = keys % COLUMNS
        yield from keys[(columns >= block.left - 1) & (columns <= block.right - 1)].tolist()


class SheetBook:
    """An open workbook. Raises SheetsimError for what is none, or is made to do harm."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._raw = _PersonsBook(path)
        self.path = self._raw.path
        self.titles = self._raw.titles
        if not self.titles:
            raise SheetsimError(f"{self.path} has no sheet")
        self._numbers = {title.casefold(): k for k, title in enumerate(self.titles)}
        self._sheets: dict[int, BookSheet] = {}
        self._trees: dict[str, Node] = {}
        self._tree_of: dict[CellId, Node] = {}
        self._read_workbook()

    def close(self) -> None:
        """Close the file."""
        self._raw.close()

    def _read_workbook(self) -> None:
        wanted = {"workbookPr": 1, "workbookView": 100, "definedName": 50_000, "calcPr": 1}
        self.names: dict[tuple[int | None, str], str] = {}
        self.active, self.is_1904, self.iterates = 0, False, False
        for element, attributes, text in self._raw.elements("xl/workbook.xml", wanted):
            if element == "workbookPr":
                self.is_1904 = attributes.get("date1904", "").lower() in _NUMERIC_DATE_1904
            elif element == "workbookView":
                tab = attributes.get("activeTab", "0")
                self.active = int(tab) if tab.isdecimal() and int(tab) < len(self.titles) else 0
            elif element == "calcPr":
                self.iterates = attributes.get("iterate", "").lower() in _NUMERIC_DATE_1904
            else:
                local = attributes.get("localSheetId")
                place = int(local) if local is not None and local.isdecimal() else None
                self.names[place, attributes.get("name", "").casefold()] = text.removeprefix("=")

    @cached_property
    def sha256(self) -> str:
        """The digest of the file's bytes."""
        digest = hashlib.sha256()
        with self.path.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
        return digest.hexdigest()

    @property
    def notes(self) -> list[str]:
        """What of the book is not computed, a sentence each."""
        parts = self._raw.parts
        said = []
        if any(part.endswith("vbaProject.bin") for part in parts):
            said.append("the workbook has macros, which are not run: functions that they define are not known")
        if any(part.startswith("xl/pivotTables/") for part in parts):
            said.append("the workbook has pivot tables: their cells keep the values that they have in the file")
        if any(part.startswith("xl/externalLinks/") for part in parts):
            said.append("the workbook refers to other workbooks: what it took from them keeps its value in the file")
        return said

    @cached_property
    def tables(self) -> dict[str, BookTable]:
        """By name in small letters."""
        sheet_of = {}
        for title, number in ((title, k) for k, title in enumerate(self.titles)):
            part = self._raw.part_of(title)
            relations = join(dirname(part), "_rels", part.rpartition("/")[2] + ".rels")
            if relations in self._raw.parts:
                for link in self._raw.elements(relations, {"Relationship": MOST_TABLES}):
                    if link.attributes.get("Type", "").endswith("/table"):
                        target = link.attributes.get("Target", "")
                        whole = target.lstrip("/") if target.startswith("/") else join(dirname(part), target)
                        sheet_of[normpath(whole)] = number
        tables = {}
        for part, number in sheet_of.items():
            try:
                name, table = self._table(part, number)
            except (ValueError, StopIteration) as error:
                if isinstance(error, SheetsimError):
                    raise
                raise SheetsimError(f"{self.path} is damaged in the part {part}: {error}") from None
            tables[name.casefold()] = table
        return tables

    def _table(self, part: str, number: int) -> tuple[str, BookTable]:
        elements = self._raw.elements(part, {"table": 1, "tableColumn": MOST_TABLE_COLUMNS})
        head = next(one.attributes for one in elements if one.name == "table")
        columns = tuple(
            one.attributes.get("name", "").replace("_x000a_", "\n").casefold()
            for one in elements
            if one.name == "tableColumn"
        )
        headers, totals = int(head.get("headerRowCount", "1")), int(head.get("totalsRowCount", "0"))
        name = head.get("displayName") or head.get("name", "")
        return name, BookTable(number, rectangle(head.get("ref", "A1")), headers, totals, columns)

    def part_of(self, sheet: int) -> str:
        """The name of the part that holds a sheet."""
        return self._raw.part_of(self.titles[sheet])

    def sheet_number(self, title: str) -> int | None:
        """The number of a sheet, from 0; case does not count."""
        return self._numbers.get(title.casefold())

    def sheet(self, number: int) -> BookSheet:
        """A sheet, which is read now if it was not."""
        if number not in self._sheets:
            self._sheets[number] = self._read(number)
        return self._sheets[number]

    def _read(self, number: int) -> BookSheet:
        title = self.titles[number]
        part = self._raw.part_of(title)
        quick = None
        if self._raw.size(part) <= MOST_AT_ONCE:
            quick = read_quickly(self._raw.read(part), self._raw.texts)
        try:
            values, formulas = quick or self._raw.parsed_sheet(title, FormulaParser).read()
        except SheetsimError as error:
            says_where = str(error).startswith(str(self.path))
            raise SheetsimError(str(error) if says_where else f"{self.path}, sheet {title!r}: {error}") from None
        keys = values.keys
        computed = np.unique(np.array([*formulas.texts, *formulas.arrays], dtype=np.int64))
        every = np.concatenate([keys, computed])
        used = (int(every.max()) // COLUMNS, int((every % COLUMNS).max()) + 1) if len(every) else (1, 1)
        bare = np.setdiff1d(computed, keys, assume_unique=True)
        return BookSheet(
            title,
            values,
            formulas.texts,
            formulas.arrays,
            formulas.shared,
            [DataTable(number, *table) for table in formulas.data_tables],
            used,
            computed,
            frozenset(bare.tolist()),
        )

    def value(self, cell: CellId) -> CellValue | None:
        """The value that a cell has in the file; an error is text that begins with #. None: nothing stands there."""
        return self.sheet(cell[0]).values.at(cell[1])

    def is_formula(self, cell: CellId) -> bool:
        """Whether a formula computes the cell."""
        sheet = self.sheet(cell[0])
        return cell[1] in sheet.formulas or cell[1] in sheet.arrays

    def has_value(self, cell: CellId) -> bool:
        """Whether the file holds a value of the cell, an empty text being one."""
        return cell[1] not in self.sheet(cell[0]).bare

    def data_table_in(self, sheet: int, block: Rectangle) -> "DataTable | None":
        """The first data table that fills cells of a rectangle."""
        for table in self.sheet(sheet).data_tables or ():
            one = table.block
            rows = one.top <= block.bottom and block.top <= one.bottom
            if rows and one.left <= block.right and block.left <= one.right:
                return table
        return None

    def tree(self, cell: CellId) -> tuple[Node, CellId]:
        """The tree of the formula that computes a cell, and the cell from which its distances count."""
        sheet = self.sheet(cell[0])
        place = cell[1]
        block = sheet.arrays.get(place)
        if block is not None:
            place = key(block.top, block.left)
        home = (cell[0], place)
        if home in self._tree_of:
            return self._tree_of[home], home
        text = sheet.formulas[place]
        if not text:
            if place not in sheet.shared:
                raise SheetsimError(
                    f"{self.name_of(cell)}: the shared formula that it refers to is missing from the file"
                )
            master = sheet.shared[place]
            self._tree_of[home] = self._parsed(sheet.formulas[master], (cell[0], master))
        else:
            self._tree_of[home] = self._parsed(text, home)
        return self._tree_of[home], home

    def _parsed(self, text: str, cell: CellId) -> Node:
        row, column = cell[1] // COLUMNS, cell[1] % COLUMNS + 1
        shape = relative(text, row, column)
        if shape not in self._trees:
            try:
                self._trees[shape] = parse_formula(text, row, column)
            except SheetsimError as error:
                raise SheetsimError(f"{self.name_of(cell)}: {error}") from None
        return self._trees[shape]

    def text_of(self, cell: CellId) -> str:
        """The text of the formula that computes a cell, or that it shares."""
        sheet = self.sheet(cell[0])
        block = sheet.arrays.get(cell[1])
        place = cell[1] if block is None else key(block.top, block.left)
        return sheet.formulas.get(place) or sheet.formulas.get(sheet.shared.get(place, -1), "")

    def name_tree(self, name: str, sheet: int) -> Node | None:
        """What a defined name stands for, the sheet's own before the book's."""
        text = self.names.get((sheet, name.casefold()), self.names.get((None, name.casefold())))
        if text is None:
            return None
        shape = f"\0{text}"
        if shape not in self._trees:
            self._trees[shape] = parse_formula(text, 1, 1)
        return self._trees[shape]

    def name_of(self, cell: CellId) -> str:
        """`Sheet1!B2`."""
        return f"{quoted_if_needed(self.titles[cell[0]])}!{column_letters(cell[1] % COLUMNS)}{cell[1] // COLUMNS}"

    def label_of(self, cell: CellId) -> str:
        """What the nearest text at the left of a cell says, or the nearest above it; empty where there is none."""
        row, column = divmod(cell[1], COLUMNS)
        values = self.sheet(cell[0]).values
        left = (key(row, c) for c in range(column, max(column - NEAR, 0), -1))
        above = (key(r, column + 1) for r in range(row - 1, max(row - NEAR, 0), -1))
        for places in (left, above):
            for place in places:
                value = values.at(place)
                if isinstance(value, str) and not value.startswith("#") and value.strip():
                    return " ".join(value.split())[:80]
        return ""

    def cell_of(self, text: str) -> CellId:
        """The cell that a person names: `B2`, `$B$2`, `Sheet1!B2`, or a defined name of one cell.

        Without a sheet it is of the one that the book opens with. Raises SheetsimError for what is no cell of the book.
        """
        text = text.strip()
        match = _PLACE.match(text)
        if match is not None and int(match[4]) > 0:
            title = (match[1] or "").replace("''", "'") or match[2]
            sheet = self.active if title is None else self.sheet_number(title)
            if sheet is None:
                raise SheetsimError(f"{text}: {self.path.name} has no sheet {title!r}; it has {', '.join(self.titles)}")
            block = rectangle(f"{match[3].upper()}{match[4]}")
            return sheet, key(block.top, block.left)
        if re.search(r"[A-Za-z]\$?[0-9]+:\$?[A-Za-z]{1,3}\$?[0-9]+\Z", text):
            raise SheetsimError(f"{text} is a range: name one cell of it")
        block_of_name = self._named_cells(text)
        if block_of_name is None:
            close = difflib.get_close_matches(text.casefold(), {name for _, name in self.names}, n=1)
            meant = f" (did you mean {close[0]!r}?)" if close else ""
            raise SheetsimError(f"{self.path.name} has no cell and no defined name {text!r}{meant}")
        number, block = block_of_name
        if block.size != 1:
            raise SheetsimError(f"the name {text} is {block.size:,} cells of {self.path.name}: name one of them")
        return number, key(block.top, block.left)

    def _named_cells(self, name: str) -> tuple[int, Rectangle] | None:
        from sheetsim.workbook.reading.syntax import AreaNode

        sheet, bang, local = name.rpartition("!")
        number = self.sheet_number(sheet.strip("'")) if bang else self.active
        if number is None:
            return None
        try:
            node = self.name_tree(local if bang else name, number)
        except SheetsimError:
            return None
        if not isinstance(node, AreaNode):
            return None
        of_sheet = number if node.sheet is None else self.sheet_number(node.sheet)
        if of_sheet is None:
            return None
        top, left = node.first.at(1, 1)
        bottom, right = (node.last or node.first).at(1, 1)
        if not (1 <= top <= bottom <= ROWS and 1 <= left <= right <= COLUMNS):
            return None
        return of_sheet, Rectangle(top, left, bottom, right)


def quoted_if_needed(title: str) -> str:
    """A sheet's title as people write it: bare where it is letters and digits that look like no cell."""
    is_plain = title.isascii() and title.replace("_", "a").isalnum() and title[0].isalpha()
    return title if is_plain and not re.match(r"[A-Za-z]{1,3}[0-9]+\Z", title) else quoted(title)
