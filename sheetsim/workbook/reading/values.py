"""The values of a sheet's cells as arrays: sparse, 16 bytes a number, whatever the sheet's size. It opens no file."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sheetsim.model.op import Array
from sheetsim.workbook.formulas import column_letters
from sheetsim.workbook.limits import COLUMNS
from sheetsim.workbook.writing.cells import error_text

# Cells by their numbers (see `key`), and what one can hold: an error is its text, which begins with #.
CellKeys: TypeAlias = NDArray[np.int64]
CellValue: TypeAlias = float | str | bool


class Rectangle(NamedTuple):
    """First row and column, last row and column, from 1."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def size(self) -> int:
        """The number of cells."""
        return (self.bottom - self.top + 1) * (self.right - self.left + 1)


def key(row: int, column: int) -> int:
    """A cell's number: cells in order of rows, and of columns within a row, have rising ones."""
    return row * COLUMNS + column - 1


def cell_name(cell: int) -> str:
    """The cell of a number: C2."""
    return f"{column_letters(cell % COLUMNS)}{cell // COLUMNS}"


def keys_of(blocks: Iterable[Rectangle]) -> CellKeys:
    """The numbers of all cells of some rectangles, rising, each once."""
    pieces = [
        (
            np.arange(block.top, block.bottom + 1)[:, None] * COLUMNS + np.arange(block.left - 1, block.right)[None, :]
        ).ravel()
        for block in blocks
    ]
    if len(pieces) == 1:
        return pieces[0]
    return np.unique(np.concatenate(pieces)) if pieces else np.empty(0, dtype=np.int64)


def within(keys: CellKeys, block: Rectangle) -> NDArray[np.intp]:
    """Which of the rising keys lie in the rectangle: their positions."""
    first, last = np.searchsorted(keys, (block.top * COLUMNS, (block.bottom + 1) * COLUMNS))
    columns = keys[first:last] % COLUMNS
    positions: NDArray[np.intp] = first + np.flatnonzero((columns >= block.left - 1) & (columns <= block.right - 1))
    return positions


class CellValues:
    """What stands in cells.

    keys: rising; numbers: NaN where the cell holds none; others: texts, truth values, and errors as text that begins
    with #.
    """

    __slots__ = ("keys", "numbers", "others")

    def __init__(self, keys: CellKeys, numbers: Array, others: Mapping[int, str | bool]) -> None:
        self.keys = keys
        self.numbers = numbers
        self.others = others

    def __len__(self) -> int:
        return len(self.keys)

    def at(self, cell: int) -> CellValue | None:
        """The number, text or truth value of one cell; None where nothing stands."""
        position = int(np.searchsorted(self.keys, cell))
        if position == len(self.keys) or self.keys[position] != cell:
            return None
        return self.others[cell] if cell in self.others else float(self.numbers[position])

    def get(self, row: int, column: int) -> CellValue | None:
        """The same by row and column."""
        return self.at(key(row, column))

    def numbers_at(self, keys: CellKeys) -> Array:
        """The numbers of cells, NaN where one holds none."""
        positions = np.minimum(np.searchsorted(self.keys, keys), max(len(self.keys) - 1, 0))
        if not len(self.keys):
            return np.full(len(keys), np.nan)
        return np.where(self.keys[positions] == keys, self.numbers[positions], np.nan)

    def only(self, keys: CellKeys) -> "CellValues":
        """The values of some cells, those among them that are there."""
        there = np.intersect1d(self.keys, keys, assume_unique=True)
        others = self.others
        if others:
            others = {cell: others[cell] for cell in there.tolist() if cell in others}
        return CellValues(there, self.numbers_at(there), others)

    def rows(self, block: Rectangle) -> list[list[CellValue | None]]:
        """A rectangle's values, row by row."""
        return [
            [self.get(row, column) for column in range(block.left, block.right + 1)]
            for row in range(block.top, block.bottom + 1)
        ]


def values_of(keys: list[CellKeys], arrays: list[NDArray[Any]]) -> CellValues:
    """CellValues from cells' keys and what stands there, piece by piece: numbers, texts, or error texts for NaN."""
    if not keys:
        return CellValues(np.empty(0, dtype=np.int64), np.empty(0), {})
    others: dict[int, str | bool] = {}
    numbers = []
    for cells, array in zip(keys, arrays, strict=True):
        flat = np.ravel(array)
        if flat.dtype.kind == "f":
            wrong = np.flatnonzero(~np.isfinite(flat))
            others |= {int(cells[k]): error_text(flat[k]) for k in wrong}
            numbers.append(np.where(np.isfinite(flat), flat, np.nan) if len(wrong) else flat)
        else:
            others |= {int(cell): str(text) for cell, text in zip(cells, flat, strict=True)}
            numbers.append(np.full(len(flat), np.nan))
    joined = np.concatenate(keys)
    order = np.argsort(joined, kind="stable")
    return CellValues(joined[order], np.concatenate(numbers)[order], others)
