"""Reads a workbook that sheetsim wrote: the numbers that its cells hold, by defined name. It computes nothing."""

import os
import weakref
from typing import Any

import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.model.op import Array
from sheetsim.workbook.reading.raw import RawBook, no_values
from sheetsim.workbook.reading.values import CellValue, CellValues, Rectangle, keys_of


class Reader:
    """An open workbook: blocks by defined name, and rectangles of cells.

    A sheet is read when something on it is first asked for. Error values (#N/A, #NUM!, …) read as NaN; a sheet with
    formulas that have no values is refused.
    Raises SheetsimError when the file is not a workbook or cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.file = RawBook(path)
        self.path = self.file.path
        # A book that nobody closes closes its file too, without a warning.
        self.close = weakref.finalize(self, self.file.close)
        self._sheets: dict[str, CellValues] = {}
        self._by_name: dict[str, Any] = {}

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def names(self) -> list[str]:
        """The workbook's defined names."""
        return list(self.file.names)

    def __contains__(self, name: str) -> bool:
        return name in self.file.names

    def __getitem__(self, name: str) -> Any:
        """The named block: a 2-D array (read-only), or a number or text where it is a single cell."""
        if name not in self._by_name:
            sheet, *block = self.place(name)
            area = Rectangle(*block)
            single = area.size == 1
            self._by_name[name] = self.cells(sheet, *area)[0][0] if single else self._array(name, sheet, area)
        return self._by_name[name]

    def place(self, name: str) -> tuple[str, int, int, int, int]:
        """Sheet, first row and column, last row and column of a defined name, from 1."""
        title, block = self.file.place(name)
        return title, *block

    def shape(self, name: str) -> tuple[int, int]:
        """Rows and columns of a defined name."""
        _, block = self.file.place(name)
        return block.bottom - block.top + 1, block.right - block.left + 1

    def cells(self, sheet: str, top: int, left: int, bottom: int, right: int) -> list[list[float | str]]:
        """Numbers and texts of a rectangle, NaN for errors and empty cells, rows and columns from 1."""
        rows = self._values(sheet).rows(Rectangle(top, left, bottom, right))
        return [list(map(_number_or_text, row)) for row in rows]

    def _values(self, sheet: str) -> CellValues:
        if sheet not in self.file.titles:
            raise SheetsimError(f"{self.path} has no sheet {sheet!r}")
        if sheet not in self._sheets:
            if not self.close.alive:
                raise SheetsimError(f"{self.path} is closed: read it again")
            cells = self.file.cells(sheet)
            if len(cells.bare):
                raise SheetsimError(no_values(self.path))
            self._sheets[sheet] = cells.values
        return self._sheets[sheet]

    def _array(self, name: str, sheet: str, area: Rectangle) -> Array:
        values = self._values(sheet)
        # A name may lead to far more cells than there are.
        keys = keys_of([area]) if area.size <= 2 * len(values) else np.array([0])
        array = values.numbers_at(keys)
        if not all(_is_error(values.at(cell)) for cell in keys[np.isnan(array)].tolist()):
            raise SheetsimError(f"{self.path}: a cell of {name} is not a number")
        array = array.reshape(area.bottom - area.top + 1, -1)
        array.flags.writeable = False
        return array


def _is_error(cell: object) -> bool:
    return isinstance(cell, str) and cell.startswith("#")


def _number_or_text(cell: CellValue | None) -> float | str:
    if cell is None or _is_error(cell):
        return float("nan")
    return cell if isinstance(cell, str) else float(cell)
