"""A sheet's part read into cells: values, formulas and who shares them, array formulas and data tables.

By one pattern where it accounts for all cells, as it does of what spreadsheet programs write: several times as fast as
the XML parser, to which all else is left. It trusts nothing it reads.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sheetsim.workbook.limits import COLUMNS, ROWS
from sheetsim.workbook.reading.parse import SheetParser, column_number, rectangle, unescaped
from sheetsim.workbook.reading.values import CellKeys, CellValues, Rectangle, key

# Of what is read at once by the pattern; larger parts go through the parser, piece by piece.
MOST_AT_ONCE = 1 << 29

PIECE = 1 << 22

_CELL = re.compile(
    rb'<c r="([A-Z]{1,3})(\d{1,7})"([^>]*?)'
    rb"(?:/>|>(?:<f([^>]*?)(?:/>|>([^<]*)</f>))?(?:<v>([^<]*)</v>|<v ?/>)?(?:<is>(.*?)</is>)?</c>)",
    re.DOTALL,
)
_TYPE = re.compile(rb'\bt="(\w+)"')
_ATTRIBUTE = re.compile(rb'([\w:]+)="([^"]*)"')
_INLINE = re.compile(rb"<t(?:\s[^>]*)?>([^<]*)</t>")
_ENTITY = re.compile(r"&(?:#x([0-9A-Fa-f]{1,6})|#([0-9]{1,7})|(lt|gt|amp|quot|apos));")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}


@dataclass
class SheetFormulas:
    """What a sheet's formulas are, by the keys of their cells.

    texts: empty where a formula is shared; shared: the cell whose formula a cell shares; arrays: by cell the rectangle
    of its array formula; data_tables: the rectangles that data tables fill, whether over two cells and along a row.
    """

    texts: dict[int, str] = field(default_factory=dict)
    shared: dict[int, int] = field(default_factory=dict)
    arrays: dict[int, Rectangle] = field(default_factory=dict)
    data_tables: list[tuple[Rectangle, bool, bool]] = field(default_factory=list)
    _numbers: dict[int, str] = field(default_factory=dict)
    _masters: dict[str, int] = field(default_factory=dict)

    def add(self, cell: int, attributes: Mapping[str, str], text: str) -> None:
        """Takes in the formula of a cell. Raises ValueError for one that has no place."""
        kind = attributes.get("t")
        if kind == "dataTable":
            flags = [attributes.get(name, "") in ("1", "true") for name in ("dt2D", "dtr")]
            self.data_tables.append((rectangle(attributes.get("ref", "A1")), flags[0], flags[1]))
            return
        if kind == "shared":
            number = attributes.get("si", "")
            if text:
                self._masters[number] = cell
            self._numbers[cell] = number
        elif not text:
            return
        elif kind == "array":
            block = rectangle(attributes.get("ref", "A1"))
            # As many as cells of a sheet that a person fills: a reference to far more would take the machine.
            if block.size > 2_000_000:
                raise ValueError(f"an array formula of {block.size:,} cells")
            for row in range(block.top, block.bottom + 1):
                self.arrays.update((key(row, c), block) for c in range(block.left, block.right + 1))
        self.texts[cell] = text

    def finished(self) -> "SheetFormulas":
        """With who shares whose formula."""
        self.shared = {cell: self._masters[number] for cell, number in self._numbers.items() if number in self._masters}
        return self


class FormulaParser(SheetParser):
    """A sheet's cells by the XML parser, with the formulas that cells share."""

    keeps_empty_texts = True

    def __init__(self, texts: list[str], elements: int) -> None:
        super().__init__(texts, elements)
        self.formulas = SheetFormulas()
        self._attributes: dict[str, str] = {}

    def empty_text(self) -> None:
        """A formula's value is a text of no characters: no empty cell."""
        self._other("")

    def begin_formula(self, attributes: dict[str, str]) -> None:
        """Keeps what the formula's element says of itself."""
        self._attributes = attributes

    def end_formula(self, place: tuple[int, int], text: str) -> None:
        """Keeps the formula, or whose it is."""
        self.formulas.add(key(*place), self._attributes, text)

    def read(self) -> tuple[CellValues, SheetFormulas]:
        """What was read. Raises SheetsimError for a cell that stands there twice."""
        return self.cells().values, self.formulas.finished()


def read_quickly(xml: bytes, shared_texts: list[str]) -> tuple[CellValues, SheetFormulas] | None:
    """A sheet's cells by the pattern; None where it does not account for all of them, or for what is damaged."""
    start = xml.find(b"<sheetData")
    end = xml.rfind(b"</sheetData>")
    if start < 0 or end < start or b"<!" in xml[:start] or xml.find(b"<!", start, end) >= 0:
        return None
    formulas = SheetFormulas()
    keys: list[Any] = []
    numbers: list[Any] = []
    others: dict[int, str | bool] = {}
    try:
        for piece in _pieces(xml, start, end):
            cells = _CELL.findall(piece)
            if len(cells) != piece.count(b"<c ") or b"<c>" in piece:
                return None
            if cells:
                _take(cells, shared_texts, keys, numbers, others, formulas)
    except (ValueError, IndexError, OverflowError):
        return None
    if not keys:
        return CellValues(np.empty(0, dtype=np.int64), np.empty(0), {}), formulas.finished()
    all_keys, all_numbers = np.concatenate(keys), np.concatenate(numbers)
    if (np.diff(all_keys) <= 0).any():
        return None
    return CellValues(all_keys, all_numbers, others), formulas.finished()


def _pieces(xml: bytes, start: int, end: int) -> Iterator[bytes]:
    """The XML between two places in pieces that end with rows."""
    while start < end:
        stop = xml.find(b"</row>", start + PIECE, end)
        stop = end if stop < 0 else stop
        yield xml[start:stop]
        start = stop


def _take(
    cells: list[tuple[bytes, ...]],
    shared_texts: list[str],
    keys: list[Any],
    numbers: list[Any],
    others: dict[int, str | bool],
    formulas: SheetFormulas,
) -> None:
    letters, rows, attributes, _, _, values, _ = zip(*cells, strict=True)
    columns = {one: column_number(one.decode()) - 1 for one in set(letters)}
    types = {one: _type(one) for one in set(attributes)}
    row_numbers = np.array(rows).astype(np.int64)
    column_numbers = np.array([columns[one] for one in letters])
    if row_numbers.min() < 1 or row_numbers.max() > ROWS or column_numbers.max() >= COLUMNS:
        raise ValueError("a cell beyond the sheet")
    here: CellKeys = row_numbers * COLUMNS + column_numbers
    kinds = [types[one] for one in attributes]
    plain = [k for k, (kind, value) in enumerate(zip(kinds, values, strict=True)) if kind == "n" and value]
    result = np.full(len(cells), np.nan)
    texts = np.array([values[k] for k in plain])
    result[plain] = texts.astype(np.float64) if plain else 0.0
    if not np.isfinite(result[plain]).all():
        raise ValueError("a number that a cell cannot hold")
    there = np.zeros(len(cells), dtype=bool)
    there[plain] = True
    for k, cell in enumerate(cells):
        if cell[3] or cell[4]:
            given = {name.decode(): _text(value) for name, value in _ATTRIBUTE.findall(cell[3])} if cell[3] else {}
            formulas.add(int(here[k]), given, _text(cell[4]))
        if kinds[k] != "n":
            value = _other(kinds[k], cell, shared_texts)
            if value is not None:
                others[int(here[k])] = value
                there[k] = True
    keys.append(here[there])
    numbers.append(result[there])


def _type(attributes: bytes) -> str:
    match = _TYPE.search(attributes)
    return match[1].decode() if match else "n"


def _other(kind: str, cell: tuple[bytes, ...], shared_texts: list[str]) -> str | bool | None:
    """The text or truth value of a cell that is no number."""
    value = cell[5]
    if kind == "inlineStr":
        return unescaped("".join(_text(one) for one in _INLINE.findall(cell[6])))
    if kind == "str":
        return unescaped(_text(value))
    if not value:
        return None
    if kind == "s":
        return shared_texts[int(value) if value.isdigit() else len(shared_texts)]
    return value == b"1" if kind == "b" else _text(value)


def _text(data: bytes) -> str:
    """The characters that bytes of XML stand for."""
    text = data.decode()
    if "&" not in text:
        return text

    def character(match: re.Match[str]) -> str:
        return _NAMED[match[3]] if match[3] else chr(int(match[1], 16) if match[1] else int(match[2]))

    return _ENTITY.sub(character, text)
