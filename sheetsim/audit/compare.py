"""Compares cells block by block: numbers, texts, truth values and errors. It opens no file and computes no formula."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, overload

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sheetsim.workbook.reading.raw import RawBook
from sheetsim.workbook.reading.values import CellKeys, CellValues, cell_name, within

# What a cell of a table may differ by: each is a statistic of its own, and one large one is no excuse for the others.
CELL_RELATIVE = 1e-9
CELL_ABSOLUTE = 1e-12

# What a number may differ by and be the same except for its last digits: of itself; in a matrix that is computed of the
# largest number there, in one that is drawn less (a correlation mixes draws by a product).
LAST = 1e-12
LAST_DRAWN = 1e-15


class Change(NamedTuple):
    """One thing that differs: where it is, and what the first and the second say; None where one has nothing."""

    where: str
    first: Any
    second: Any


class Changed(Sequence[Change]):
    """The cells of a block that differ, made when they are asked for: kept as arrays, 32 bytes a cell."""

    def __init__(self, sheet: str, keys: CellKeys, first: CellValues, second: CellValues) -> None:
        self.sheet = sheet
        self._keys = keys
        self._first = first.only(keys)
        self._second = second.only(keys)

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, index: int) -> Change: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Change]: ...

    def __getitem__(self, index: int | slice) -> Change | Sequence[Change]:
        if isinstance(index, slice):
            return Changed(self.sheet, self._keys[index], self._first, self._second)
        cell = int(self._keys[index])
        return Change(f"{self.sheet}!{cell_name(cell)}", self._first.at(cell), self._second.at(cell))

    def without(self, keys: CellKeys) -> "Changed":
        """The same, some cells left out."""
        return Changed(self.sheet, np.setdiff1d(self._keys, keys, assume_unique=True), self._first, self._second)


class CellBlock(Struct, frozen=True):
    """Cells that are compared together: a defined name's, or what else stands on a sheet. keys: rising."""

    name: str
    sheet: str
    keys: CellKeys


class Gap(Struct, frozen=True):
    """How far two sets of values of a block are apart.

    differing: the keys of the cells that do; absolute, relative: the largest difference of numbers, and that over the
    block's largest magnitude; other: cells whose text, kind or error differs; beyond: cells that differ by more than
    their own size allows (see CELL_RELATIVE); where: the first cell at fault, with both values.
    """

    differing: CellKeys
    absolute: float
    relative: float
    other: int
    beyond: int
    where: str


def blocks(book: RawBook, title: str, keys: CellKeys) -> Iterator[CellBlock]:
    """A sheet's cells under the defined names that they belong to, and the rest under the sheet's title."""
    left = np.ones(len(keys), dtype=bool)
    for name, block in book.blocks_on(title):
        positions = within(keys, block)
        positions = positions[left[positions]]
        if len(positions):
            left[positions] = False
            yield CellBlock(name, title, keys[positions])
    if left.any():
        yield CellBlock(f"({title})", title, keys[left])


def block_of(book: RawBook, title: str, row: int, column: int) -> str:
    """The defined name whose cell it is, or the sheet's title in brackets."""
    for name, block in book.blocks_on(title):
        if block.top <= row <= block.bottom and block.left <= column <= block.right:
            return name
    return f"({title})"


def gap(block: CellBlock, first: CellValues, second: CellValues) -> Gap:
    """The difference between two readings of a block's cells."""
    one, two = first.numbers_at(block.keys), second.numbers_at(block.keys)
    numbers = ~(np.isnan(one) | np.isnan(two))
    with np.errstate(over="ignore"):
        distance = np.where(numbers, np.abs(one - two), 0.0)
    absolute = float(distance.max())
    scale = float(np.nanmax(np.abs(one), initial=0.0, where=~np.isnan(one)))
    beyond = int(np.sum(distance > np.maximum(CELL_RELATIVE * np.abs(np.where(numbers, one, 0)), CELL_ABSOLUTE)))
    differs = distance > 0
    worst = block.keys[distance.argmax()] if absolute > 0 else None
    wrong = None
    other = 0
    for position in np.flatnonzero(~numbers):
        cell = int(block.keys[position])
        a, b = first.at(cell), second.at(cell)
        if type(a) is type(b) and a == b:
            continue
        differs[position] = True
        if not _same(a, b):
            other += 1
            wrong = cell if wrong is None else wrong
    at = worst if wrong is None else wrong
    where = "" if at is None else _shown(block.sheet, int(at), first, second)
    relative = absolute / scale if scale else absolute
    return Gap(block.keys[differs], absolute, relative, other, beyond, where)


def last_digits(
    block: CellBlock, keys: CellKeys, first: CellValues, second: CellValues, computed: CellKeys
) -> NDArray[np.bool_]:
    """Which of some cells of a block differ in the last digits only, or are one error value and another.

    computed: the keys of the cells that a formula computes, rising.
    """
    one, two = first.numbers_at(keys), second.numbers_at(keys)
    is_computed = np.isin(keys, computed)
    allowed = LAST * np.abs(one)
    if block.name.startswith("(") or len(block.keys) == 1:
        allowed = np.where(is_computed, np.maximum(CELL_RELATIVE * np.abs(one), CELL_ABSOLUTE), allowed)
    else:
        every = np.abs(first.numbers_at(block.keys))
        largest = float(np.max(every, initial=0.0, where=~np.isnan(every)))
        allowed = np.maximum(allowed, np.where(is_computed, LAST, LAST_DRAWN) * largest)
    with np.errstate(over="ignore", invalid="ignore"):
        is_last = np.abs(one - two) <= allowed
    for position in np.flatnonzero(is_computed & np.isnan(one) & np.isnan(two)):
        is_last[position] = _same(first.at(int(keys[position])), second.at(int(keys[position])))
    return is_last


def all_keys(first: CellValues, second: CellValues) -> CellKeys:
    """The cells that one or the other has."""
    return np.union1d(first.keys, second.keys)


def _same(one: object, two: object) -> bool:
    # Engines have more kinds of error values than there are reasons for one.
    return isinstance(one, str) and isinstance(two, str) and one.startswith("#") and two.startswith("#")


def _shown(sheet: str, cell: int, first: CellValues, second: CellValues) -> str:
    one, two = ("nothing" if value is None else repr(value)[:60] for value in (first.at(cell), second.at(cell)))
    return f"{sheet}!{cell_name(cell)}: {one} against {two}"
