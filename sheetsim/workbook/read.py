"""Reads a workbook that sheetsim wrote: the numbers that its cells hold, by defined name. It computes nothing."""

import os
import weakref
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from xml.etree.ElementTree import ParseError

import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.workbook.raw import RawBook

if TYPE_CHECKING:
    import pandas as pd


# Columns of tables that hold whole numbers.
COUNTS = (
    *("fan_in", "dead_units", "steps_to_1_percent", "outside", "distinct_start", "distinct_most", "distinct_end"),
    *("distinct_zeros", "distinct_constant", "distinct_small", "distinct_large"),
)


class Reader:
    """An open workbook: blocks by defined name, and the table at the top of a sheet.

    A sheet is read when something on it is first asked for. Error values (#N/A, #NUM!, …) read as NaN.
    """

    def __init__(self, path: Path, stream: BinaryIO, workbook: Any, raw: RawBook) -> None:
        self.path = path
        # A book that nobody closes lets go of its file too, and without a word.
        self.close = weakref.finalize(self, stream.close)
        self._file = raw
        self._workbook = workbook
        self._known: dict[str, Any] = {}
        self.title = str(workbook.properties.title or path.stem)

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def names(self) -> list[str]:
        """The workbook's defined names."""
        return list(self._workbook.defined_names)

    def has_sheet(self, title: str) -> bool:
        return title in self._workbook.sheetnames

    def __contains__(self, name: str) -> bool:
        return name in self._workbook.defined_names

    def __getitem__(self, name: str) -> Any:
        """The named block: a 2-D array (read-only), or a number or text where it is a single cell."""
        if name not in self._known:
            cells = self._raw(*self.place(name))
            value = _number_or_text(cells[0][0]) if len(cells) == len(cells[0]) == 1 else self._array(name, cells)
            self._known[name] = value
        return self._known[name]

    def place(self, name: str) -> tuple[str, int, int, int, int]:
        """Sheet, first row and column, last row and column of a defined name, from 1."""
        title, block = self._file.place(name)
        return title, *block

    def cells(self, sheet: str, top: int, left: int, bottom: int, right: int) -> list[list[float | str]]:
        """Numbers and texts of a rectangle, NaN for errors and empty cells, rows and columns from 1."""
        return [[_number_or_text(cell) for cell in row] for row in self._raw(sheet, top, left, bottom, right)]

    def _raw(self, sheet: str, top: int, left: int, bottom: int, right: int) -> list[tuple[Any, ...]]:
        if sheet not in self._workbook.sheetnames:
            raise SheetsimError(f"{self.path} has no sheet {sheet!r}")
        rows = self._workbook[sheet].iter_rows(top, bottom, left, right, values_only=True)
        return [tuple(row) for row in rows]

    def _array(self, name: str, cells: list[tuple[Any, ...]]) -> Any:
        try:
            array = np.array([[np.nan if _is_error(cell) else float(cell) for cell in row] for row in cells])
        except (TypeError, ValueError):
            raise SheetsimError(f"{self.path}: a cell of {name} is no number") from None
        array.flags.writeable = False
        return array

    def table(self, sheet: str) -> "pd.DataFrame":
        """The table at a sheet's top left: to the first empty heading and the first empty row number."""
        import pandas as pd

        if sheet not in self._workbook.sheetnames:
            raise SheetsimError(f"{self.path} has no sheet {sheet!r}")
        heading: list[Any] = []
        rows = []
        for cells in self._workbook[sheet].iter_rows(values_only=True):
            if not heading:
                heading = list(cells[: (*cells, None).index(None)])
            elif cells[0] is None:
                break
            else:
                rows.append([_number_or_text(cell) for cell in cells[: len(heading)]])
        frame = pd.DataFrame([row[1:] for row in rows], columns=heading[1:])
        labels = [row[0] if isinstance(row[0], str) else int(row[0]) for row in rows]
        frame.index = pd.Index(labels, name=heading[0])
        for column in COUNTS:
            if column in frame and frame[column].notna().all():
                frame[column] = frame[column].astype(int)
        return frame


def _is_error(cell: Any) -> bool:
    return isinstance(cell, str) and cell.startswith("#")


def _number_or_text(cell: Any) -> float | str:
    if cell is None or _is_error(cell):
        return float("nan")
    return cell if isinstance(cell, str) else float(cell)


def open_book(path: str | os.PathLike[str]) -> Reader:
    """Opens a workbook to read. Raises SheetsimError when it is no workbook or cannot be read."""
    target = Path(path)
    with RawBook(target) as raw:  # refuses what openpyxl would choke on, and knows where the names lead
        pass
    try:
        stream = target.open("rb")
    except OSError as error:
        raise SheetsimError(f"cannot read {target}: {(error.strerror or str(error)).lower()}") from None
    try:
        return Reader(target, stream, _loaded(target, stream), raw)
    except BaseException:
        stream.close()
        raise


def _loaded(target: Path, stream: BinaryIO) -> Any:
    from openpyxl import load_workbook

    try:
        return load_workbook(stream, read_only=True, data_only=True)
    except OSError as error:
        raise SheetsimError(f"cannot read {target}: {(error.strerror or str(error)).lower()}") from None
    except (zipfile.BadZipFile, KeyError, ValueError, ParseError) as error:
        raise SheetsimError(f"{target} is no workbook: {error}") from None
    except Exception as error:  # openpyxl's own exceptions share no base
        raise SheetsimError(f"{target} cannot be read as a workbook: {error}") from None
