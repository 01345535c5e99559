"""What formulas refer to: cells, ranges, names, tables and computed references, as rectangles on sheets.

It computes nothing but arguments of references, for which a `References` asks who is above it.
"""

import re
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from msgspec import Struct

from sheetsim.errors import SheetsimError
from sheetsim.sheets.book import CellId, SheetBook
from sheetsim.sheets.values import NAME, NULL, REF, VALUE, CellError, TextPool, to_number
from sheetsim.workbook.formulas import column_letters
from sheetsim.workbook.limits import COLUMNS, ROWS
from sheetsim.workbook.reading.syntax import (
    AreaNode,
    CallNode,
    Corner,
    Literal,
    NameNode,
    Node,
    OperatorNode,
    TableNode,
    parse_formula,
)
from sheetsim.workbook.reading.values import Rectangle, key

# Draws of a sheet's own: each is an input by itself.
RANDOM = ("RAND", "RANDBETWEEN")

# What is another value another day.
CLOCK = ("TODAY", "NOW")

# What stands for a range that is known when it is computed alone.
DYNAMIC = ("OFFSET", "INDIRECT", "ANCHORARRAY")

# Names that stand for names, and so on.
DEEPEST_NAMES = 100


class UnknownFormulaError(SheetsimError):
    """A formula that this package cannot compute over trials. what: the function or the reference; cell: where."""

    def __init__(self, what: str, cell: str) -> None:
        super().__init__(f"{cell} uses {what}, which sheetsim does not compute")
        self.what, self.cell = what, cell


class ForeignReferenceError(UnknownFormulaError):
    """A formula that reads another workbook: no engine has it."""


class CellArea(Struct, frozen=True):
    """A rectangle on a sheet."""

    sheet: int
    block: Rectangle


class ReferenceValueError(Exception):
    """A reference that is an error value."""

    value: CellError = REF


class WrongReferenceError(ReferenceValueError):
    value = REF


class WrongNameError(ReferenceValueError):
    value = NAME


class EmptyIntersectionError(ReferenceValueError):
    value = NULL


class NoReferenceError(ReferenceValueError):
    value = VALUE


_ROW_AND_COLUMN = re.compile(r"R(?:(\d+)|\[(-?\d+)\])?C(?:(\d+)|\[(-?\d+)\])?", re.IGNORECASE)


def _from_rows_and_columns(text: str, cell: CellId) -> str:
    """`$B$3` of `R3C2`, and of `R[1]C` from a cell; so the ends of a range. Raises WrongReferenceError for others."""
    sheet, bang, ends = text.strip().rpartition("!")
    from_row, from_column = cell[1] // COLUMNS, cell[1] % COLUMNS + 1
    places = []
    for end in ends.split(":"):
        match = _ROW_AND_COLUMN.fullmatch(end.strip())
        if match is None:
            raise WrongReferenceError
        row = int(match[1]) if match[1] else from_row + int(match[2] or 0)
        column = int(match[3]) if match[3] else from_column + int(match[4] or 0)
        if not (1 <= row <= ROWS and 1 <= column <= COLUMNS):
            raise WrongReferenceError
        places.append(f"${column_letters(column - 1)}${row}")
    return f"{sheet}{bang}{':'.join(places)}"


class References(ABC):
    """The references of a book's formulas."""

    def __init__(self, book: SheetBook) -> None:
        self.book = book
        self._plain: dict[int, tuple[Node, list[AreaNode] | None]] = {}
        self._calls: dict[tuple[int, tuple[str, ...]], tuple[Node, int]] = {}

    @abstractmethod
    def argument(self, node: Node, cell: CellId, home: CellId) -> tuple[bool, Any]:
        """Whether a part of a formula differs between trials, and its value where it does not."""

    def areas_of(self, node: Node, cell: CellId, home: CellId) -> list[CellArea]:
        """The areas that a reference stands for. Raises UnknownFormulaError where that differs between trials."""
        row, column = home[1] // COLUMNS, home[1] % COLUMNS + 1
        if isinstance(node, AreaNode):
            return self._areas(node, home[0], row, column)
        if isinstance(node, NameNode):
            return self.areas_of(self._named(node, home), cell, home)
        if isinstance(node, TableNode):
            return [self._table(node, cell)]
        if isinstance(node, CallNode) and node.name in DYNAMIC:
            return [self._dynamic(node, cell, home)]
        if isinstance(node, CallNode) and node.name == "INDEX":
            return [self._indexed(node, cell, home)]
        if isinstance(node, OperatorNode) and node.symbol in (":", " ", ","):
            return self._combined(node, cell, home)
        raise NoReferenceError

    def _areas(self, node: AreaNode, sheet: int, row: int, column: int) -> list[CellArea]:
        sheets = [sheet]
        if node.sheet is not None:
            first, colon, last = node.sheet.partition(":")
            ends = [self.book.sheet_number(title) for title in ((first, last) if colon else (node.sheet,))]
            if None in ends:
                raise WrongReferenceError
            sheets = list(range(ends[0], ends[-1] + 1))  # type: ignore[arg-type, operator]
        top, left = node.first.at(row, column)
        bottom, right = top, left
        if node.last is not None:
            bottom, right = node.last.at(row, column)
            top, bottom, left, right = min(top, bottom), max(top, bottom), min(left, right), max(left, right)
        if not (top >= 1 and bottom <= ROWS and left >= 1 and right <= COLUMNS):
            raise WrongReferenceError
        block = Rectangle(top, left, bottom, right)
        return [CellArea(number, block) for number in sheets]

    def _named(self, node: NameNode, home: CellId) -> Node:
        seen = 0
        inner: Node = node
        while isinstance(inner, NameNode):
            number = self.book.sheet_number(inner.sheet) if inner.sheet else home[0]
            following = None if number is None else self.book.name_tree(inner.name, number)
            if following is None or seen > DEEPEST_NAMES:
                raise WrongNameError
            inner, seen = following, seen + 1
        return inner

    def _table(self, node: TableNode, cell: CellId) -> CellArea:
        table = self.book.tables.get(node.table.casefold())
        if table is None:
            raise WrongReferenceError
        block = table.block
        left, right = block.left, block.right
        if node.columns is not None:
            try:
                ends = [table.columns.index(name.casefold()) for name in node.columns]
            except ValueError:
                raise WrongReferenceError from None
            left, right = block.left + ends[0], block.left + ends[1]
        data = block.top + table.headers, block.bottom - table.totals
        rows = {
            "#all": (block.top, block.bottom),
            "#data": data,
            "#headers": (block.top, block.top),
            "#totals": (block.bottom, block.bottom),
            "#this row": (cell[1] // COLUMNS,) * 2,
        }
        chosen = [rows[item.casefold()] for item in node.items if item.casefold() in rows] or [data]
        return CellArea(table.sheet, Rectangle(min(r[0] for r in chosen), left, max(r[1] for r in chosen), right))

    def _dynamic(self, node: CallNode, cell: CellId, home: CellId) -> CellArea:
        if node.name == "ANCHORARRAY":
            (first,) = self.areas_of(node.args[0], cell, home)
            spilled = self.book.sheet(first.sheet).arrays.get(key(first.block.top, first.block.left))
            if spilled is None:
                raise WrongReferenceError
            return CellArea(first.sheet, spilled)
        if node.name == "INDIRECT":
            return self._named_by_text(node, cell, home)
        (area,) = self.areas_of(node.args[0], cell, home)
        numbers: list[int | None] = []
        for arg in node.args[1:]:
            given = None if arg == Literal(None) else to_number(self._fixed(node, arg, cell, home), TextPool())
            if given is not None and given != given:
                raise WrongReferenceError
            numbers.append(None if given is None else int(np.trunc(given)))
        rows, columns, height, width = (numbers + [None] * 4)[:4]
        block = area.block
        top, left = block.top + (rows or 0), block.left + (columns or 0)
        height = block.bottom - block.top + 1 if height is None else height
        width = block.right - block.left + 1 if width is None else width
        if height < 0:
            top, height = top + height + 1, -height
        if width < 0:
            left, width = left + width + 1, -width
        bottom, right = top + height - 1, left + width - 1
        if not (1 <= top <= bottom <= ROWS and 1 <= left <= right <= COLUMNS):
            raise WrongReferenceError
        return CellArea(area.sheet, Rectangle(top, left, bottom, right))

    def _named_by_text(self, node: CallNode, cell: CellId, home: CellId) -> CellArea:
        """What INDIRECT refers to; a text that is no reference of the book is #REF!."""
        text = self._fixed(node, node.args[0], cell, home)
        try:
            if len(node.args) > 1 and not self._fixed(node, node.args[1], cell, home):
                text = _from_rows_and_columns(str(text), cell)
            inner = parse_formula(str(text), home[1] // COLUMNS, home[1] % COLUMNS + 1)
            return self.areas_of(inner, cell, home)[0]
        except UnknownFormulaError:
            raise
        except (SheetsimError, ReferenceValueError):
            raise WrongReferenceError from None

    def _indexed(self, node: CallNode, cell: CellId, home: CellId) -> CellArea:
        (area, *_) = self.areas_of(node.args[0], cell, home)
        numbers = [to_number(self._fixed(node, arg, cell, home), TextPool()) for arg in node.args[1:3]]
        if any(number != number for number in numbers):
            raise WrongReferenceError
        block = area.block
        height, width = block.bottom - block.top + 1, block.right - block.left + 1
        row = int(numbers[0]) if numbers else 0
        column = int(numbers[1]) if len(numbers) > 1 else 0
        if len(node.args) == 2 and height == 1:
            row, column = 0, row
        if not (0 <= row <= height and 0 <= column <= width):
            raise WrongReferenceError
        top, bottom = (block.top, block.bottom) if row == 0 else (block.top + row - 1,) * 2
        left, right = (block.left, block.right) if column == 0 else (block.left + column - 1,) * 2
        return CellArea(area.sheet, Rectangle(top, left, bottom, right))

    def _fixed(self, node: CallNode, arg: Node, cell: CellId, home: CellId) -> Any:
        """An argument that must be the same in all trials."""
        varies, value = self.argument(arg, cell, home)
        if varies:
            raise UnknownFormulaError(f"{node.name} with a range that differs between trials", self.book.name_of(cell))
        return value

    def _combined(self, node: OperatorNode, cell: CellId, home: CellId) -> list[CellArea]:
        parts = [self.areas_of(arg, cell, home) for arg in node.args]
        if node.symbol == ",":
            return [area for part in parts for area in part]
        first, second = parts[0][0], parts[1][0]
        if first.sheet != second.sheet:
            raise WrongReferenceError
        a, b = first.block, second.block
        if node.symbol == ":":
            block = Rectangle(min(a.top, b.top), min(a.left, b.left), max(a.bottom, b.bottom), max(a.right, b.right))
            return [CellArea(first.sheet, block)]
        block = Rectangle(max(a.top, b.top), max(a.left, b.left), min(a.bottom, b.bottom), min(a.right, b.right))
        if block.top > block.bottom or block.left > block.right:
            raise EmptyIntersectionError
        return [CellArea(first.sheet, block)]

    def meaning(self, node: NameNode, home: CellId) -> Node | None:
        """What a name stands for; None for a name that there is not."""
        try:
            return self._named(node, home)
        except ReferenceValueError:
            return None

    # --- what a formula needs

    def precedents(self, node: Node, cell: CellId, home: CellId) -> list[CellArea]:
        """The areas that a formula reads; of a reference that is computed, also what it refers to in the base case."""
        plain = self._plain_areas(node)
        if plain is None:
            return self._walked_areas(node, cell, home)
        return [area for part in plain for area in self._quietly(part, cell, home)]

    def _walked_areas(self, node: Node, cell: CellId, home: CellId) -> list[CellArea]:
        areas: list[CellArea] = []
        # Each name once: names that double one another have no end.
        seen: set[Node] = set()
        left: list[tuple[Node, int]] = [(node, 0)]
        while left:
            part, depth = left.pop()
            if isinstance(part, AreaNode | TableNode):
                areas += self._quietly(part, cell, home)
            elif isinstance(part, NameNode):
                number = self.book.sheet_number(part.sheet) if part.sheet else home[0]
                inner = None if number is None else self.book.name_tree(part.name, number)
                if inner is not None and part not in seen:
                    seen.add(part)
                    left.append((inner, depth + 1))
            elif isinstance(part, CallNode):
                if part.name in DYNAMIC:
                    areas += self._quietly(part, cell, home)
                left += [(arg, depth) for arg in self._resized(part, cell, home).args]
            elif isinstance(part, OperatorNode):
                if part.symbol in (":", " "):
                    areas += self._quietly(part, cell, home)
                left += [(arg, depth) for arg in part.args]
        return areas

    def _plain_areas(self, node: Node) -> list[AreaNode] | None:
        """The areas of a tree without names, tables and computed references, once for all cells that share it."""
        at = id(node)
        if at not in self._plain:
            areas: list[AreaNode] = []
            left: list[Node] = [node]
            is_plain = True
            while left and is_plain:
                part = left.pop()
                if isinstance(part, AreaNode):
                    areas.append(part)
                elif isinstance(part, CallNode):
                    is_plain = part.name not in (*DYNAMIC, "SUMIF", "AVERAGEIF")
                    left += part.args
                elif isinstance(part, OperatorNode):
                    is_plain = part.symbol not in (":", " ")
                    left += part.args
                elif isinstance(part, NameNode | TableNode):
                    is_plain = False
            # The tree is kept: another one would have its place in memory.
            self._plain[at] = node, list(dict.fromkeys(areas)) if is_plain else None
        return self._plain[at][1]

    def _resized(self, node: CallNode, cell: CellId, home: CellId) -> CallNode:
        """SUMIF and AVERAGEIF sum from the first cell of their third range on, as many cells as the first one has."""
        if node.name not in ("SUMIF", "AVERAGEIF") or len(node.args) != 3:
            return node
        first, third = (self._quietly(arg, cell, home) for arg in (node.args[0], node.args[2]))
        if len(first) != 1 or len(third) != 1:
            return node
        block, start = first[0].block, third[0].block
        bottom, right = start.top + block.bottom - block.top, start.left + block.right - block.left
        if bottom > ROWS or right > COLUMNS:
            return node
        corners = (Corner(start.top, start.left, True, True), Corner(bottom, right, True, True))
        area = AreaNode(self.book.titles[third[0].sheet], *corners)
        return CallNode(node.name, (*node.args[:2], area))

    def _quietly(self, node: Node, cell: CellId, home: CellId) -> list[CellArea]:
        try:
            if isinstance(node, AreaNode):
                return self._areas(node, home[0], home[1] // COLUMNS, home[1] % COLUMNS + 1)
            with np.errstate(all="ignore"):
                return self.areas_of(node, cell, home)
        except (ReferenceValueError, UnknownFormulaError):
            return []

    def calls_in(self, node: Node, names: tuple[str, ...]) -> int:
        """How often a formula calls one of some functions, those of names included."""
        at = (id(node), names)
        if at in self._calls:
            return self._calls[at][1]
        count = 0
        seen: set[Node] = set()
        left: list[tuple[Node, int]] = [(node, 0)]
        while left:
            part, depth = left.pop()
            if isinstance(part, CallNode):
                count += part.name in names
                left += [(arg, depth) for arg in part.args]
            elif isinstance(part, OperatorNode):
                left += [(arg, depth) for arg in part.args]
            elif isinstance(part, NameNode) and part not in seen:
                seen.add(part)
                inner = self.book.name_tree(part.name, self.book.active)
                if inner is not None:
                    left.append((inner, depth + 1))
        self._calls[at] = node, count
        return count
