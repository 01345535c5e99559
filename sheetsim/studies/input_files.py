"""A person's own input data: tables of numbers from files. Every cell is a number, or the file is refused."""

import csv
import math
import warnings
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from sheetsim.errors import SheetsimError
from sheetsim.files import check_regular, check_text, path_of
from sheetsim.model.op import Array
from sheetsim.model.op_table import CONSTANT
from sheetsim.workbook.limits import COLUMNS, ROWS
from sheetsim.workbook.reading.raw import check_archive

READERS = (".csv", ".xlsx", ".npy")

# Of what a library says of a file, which may repeat all that it found there.
LONGEST_REASON = 200

# Of the columns that a message lists: a table of pictures has hundreds.
MOST_NAMES = 20


class File(Struct, frozen=True):
    """A file of numbers, samples × inputs; a first row that holds text is a heading, and names the columns.

    sheet: of an .xlsx, the first one if None; standardize: each column less its mean, over its population standard
    deviation; key: the template's, which a mistake names; column: the name of the one column that is read, or its
    number from 1 where no column has that name, or "" for the only one. The others may then hold anything.
    """

    path: Path
    sheet: str | None = None
    standardize: bool = False
    key: str = "input.file"
    column: str | None = None

    def load(self) -> Any:
        """The numbers as a float64 array, in a DataFrame where the columns have names.

        Raises SheetsimError with the file, row and column at fault.
        Truth values and dates are refused in an .xlsx, where sums pass over the ones and the others are written with a
        unit and a beginning; an array of truth values in an .npy is one of 0 and 1, as NumPy has it.
        """
        path = path_of(self.path, self.key)
        check_text(self.key, str(path))
        suffix = path.suffix.lower()
        if suffix not in READERS:
            raise SheetsimError(f"{self.key}: {path} is not one of {', '.join(READERS)}")
        if self.sheet is not None and suffix != ".xlsx":
            raise SheetsimError(f"input.sheet goes with an .xlsx file, not with {path}")
        try:
            if not path.exists() or path.is_dir():
                raise SheetsimError(f"there is no file {path}")
            check_regular(path)
            names: list[str] = []
            if suffix == ".npy":
                array = _npy(path)
                if self.column is not None:
                    k = column_place(path, self.column, [], array.shape[1])
                    array = array[:, k : k + 1]
            else:
                rows = csv_rows(path) if suffix == ".csv" else xlsx_rows(path, self.sheet)
                array, names = _numbers(path, rows if self.column is None else _one_column(path, rows, self.column))
            return _named(_standardized(path, array) if self.standardize else array, names)
        except SheetsimError as error:
            raise SheetsimError(f"{self.key}: {error}") from None
        except OSError as error:
            raise SheetsimError(f"{self.key}: cannot read {path}: {(error.strerror or str(error)).lower()}") from None


def _npy(path: Path) -> Array:
    array = mapped_npy(path)
    if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "biuf":
        raise SheetsimError(f"{path} must hold one matrix of numbers")
    with np.errstate(over="ignore"):
        numbers = np.array(array, dtype=np.float64)
    wrong = np.argwhere(~np.isfinite(numbers))
    if len(wrong):
        r, c = wrong[0]
        raise SheetsimError(f"{path}, row {r + 1}, column {c + 1}: {array[r, c]!s} is not a finite number")
    return numbers


def mapped_npy(path: Path) -> NDArray[Any]:
    """The array of an .npy file, of any shape and kind but objects, mapped read-only. Raises SheetsimError, OSError."""
    try:
        # Mapped: a header that promises more numbers than the file has is found out before there is memory for them.
        array = np.load(path, allow_pickle=False, mmap_mode="r")
    except OSError:
        raise
    except Exception as error:  # the header is read by Python's own parser, whose exceptions share no base
        if _holds_objects(path):
            raise SheetsimError(
                f"{path} holds pickled Python objects (for example a list of arrays), which can run code: save each "
                "array of numbers as its own .npy, or several with np.savez"
            ) from None
        raise SheetsimError(f"{path} is not an array of numbers that NumPy can load: {in_words(error)}") from None
    if not isinstance(array, np.ndarray):
        raise SheetsimError(f"{path} must hold one matrix of numbers")
    return array


def _holds_objects(path: Path) -> bool:
    """Whether the header of an .npy file says so."""
    try:
        with path.open("rb") as file:
            version = npy_format.read_magic(file)
            read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
            return bool(read(file)[2].hasobject)
    except Exception:  # what is no such header
        return False


def csv_rows(path: Path) -> list[Sequence[Any]]:
    """The rows of texts, all of one length and none blank. Raises SheetsimError with the row at fault, OSError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows: list[Sequence[Any]] = list(csv.reader(file, strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise SheetsimError(f"{path} is not a table of comma-separated text: {in_words(error)}") from None
    rows = _without_end(rows)
    for number, cells in enumerate(rows, start=1):
        if all(map(is_missing, cells)):
            raise SheetsimError(f"{path}, row {number} is blank, but rows follow it: delete it")
        if len(cells) != len(rows[0]):
            sizes = f"row {number} has {len(cells)} cells, but row 1 has {len(rows[0])}"
            raise SheetsimError(f"{path} is not a table of comma-separated text: {sizes}")
    if not rows:
        raise SheetsimError(f"{path} is not a table of comma-separated text: it is empty")
    return rows


def xlsx_rows(path: Path, sheet: str | None) -> list[Sequence[Any]]:
    """The rows of values of a sheet (None: the first), of any lengths. Raises SheetsimError, OSError."""
    check_archive(path)
    try:
        return _without_end(_cells(path, sheet))
    except (OSError, SheetsimError):
        raise
    except Exception as error:  # openpyxl raises whatever its XML and zip parsers do
        raise SheetsimError(f"{path} cannot be read as a workbook: {in_words(error)}") from None


def _cells(path: Path, sheet: str | None) -> list[Sequence[Any]]:
    from openpyxl import load_workbook

    with warnings.catch_warnings():
        # What openpyxl leaves out of a book (rules, extensions) holds no numbers.
        warnings.simplefilter("ignore")
        # Opened here: openpyxl leaves a file open that it refuses.
        with path.open("rb") as file, closing(load_workbook(file, read_only=True, data_only=True)) as book:
            worksheet = book.worksheets[0] if sheet is None else book[sheet]
            # What a sheet says of its own size may be wrong; without it, rows are as long as they are.
            worksheet.reset_dimensions()
            rows: list[Sequence[Any]] = []
            for number, cells in enumerate(worksheet.iter_rows(), start=1):
                # Rows that are left out are counted up to a row's number, which may be any.
                # A cell that is not there has no place either.
                places = [(cell.row, cell.column) for cell in cells if cell.value is not None] if cells else ()
                if number > ROWS or any(row != number or column > COLUMNS for row, column in places):
                    raise SheetsimError(f"{path} has a cell beyond the limits of a sheet, or one listed in a wrong row")
                rows.append([cell.value for cell in cells] if cells else cells)
            return rows


def _without_end(rows: list[Sequence[Any]]) -> list[Sequence[Any]]:
    """The rows up to the last one that holds something."""
    while rows and all(map(is_missing, rows[-1])):
        rows.pop()
    return rows


def _one_column(path: Path, rows: list[Sequence[Any]], column: str) -> list[Sequence[Any]]:
    """The rows with the one cell of a column."""
    width = max(map(len, rows), default=0)
    first = rows[0] if rows else ()
    heads = [cell.strip() if isinstance(cell, str) and number_in(cell) is None else "" for cell in first]
    k = column_place(path, column, heads, width)
    return [row[k : k + 1] for row in rows]


def column_place(path: Path, column: str, heads: list[str], width: int) -> int:
    """The place of a column, from 0, by its name or its number from 1. Raises SheetsimError where there is none."""
    name = column.strip()
    if not name:
        if width > 1:
            told = f" ({listed_names(heads)})" if any(heads) else ""
            raise SheetsimError(f"{path} has {width} columns{told}: choose one with --column, or column= in Python")
        return 0
    if heads.count(name) == 1:
        return heads.index(name)
    if heads.count(name) > 1:
        raise SheetsimError(f"{path} has {heads.count(name)} columns {name!r}: give the number of one")
    if name.isascii() and name.isdigit() and len(name) < 6 and 1 <= int(name) <= width:
        return int(name) - 1
    columns = f"columns {listed_names(heads)}" if any(heads) else f"{width} columns without names"
    raise SheetsimError(f"{path} has no column {name[:40]!r}; it has {columns}")


def listed_names(names: Sequence[str]) -> str:
    """Names in a message, each cut short, and no more of them than a person reads."""
    named = [name[:40] for name in names if name]
    more = f" and {len(named) - MOST_NAMES:,} more" if len(named) > MOST_NAMES else ""
    return ", ".join(named[:MOST_NAMES]) + more


def _named(array: Array, names: list[str]) -> Any:
    if not names:
        return array
    import pandas as pd

    return pd.DataFrame(array, columns=names)


def _numbers(path: Path, rows: list[Sequence[Any]]) -> tuple[Array, list[str]]:
    """The numbers, and the columns' names if there is a heading; one that has none is called by its number."""
    if not rows:
        raise SheetsimError(f"{path} holds no numbers")
    width = max(map(len, rows))
    # A row of which only a part is text is no heading but a mistake, and named as one below.
    names = rows[0] if all(is_heading(cell) for cell in rows[0]) and not all(map(is_missing, rows[0])) else None
    if names is not None and is_missing(names[0]):
        raise SheetsimError(f"{path}, column 1 has no heading: write the table without its index")
    body = rows if names is None else rows[1:]
    if not body:
        raise SheetsimError(f"{path} has a heading but no numbers")
    numbers_by_row = []
    for r, cells in enumerate(body, start=1 if names is None else 2):
        numbers = [number_in(cell) for cell in cells] + [None] * (width - len(cells))
        if None in numbers:
            c = numbers.index(None)
            cell = cells[c] if c < len(cells) else None
            column = f"column {c + 1}" + (f" ({names[c]!s:.40})" if names is not None and c < len(names) else "")
            problem = "is missing" if is_missing(cell) else f"is {shown_cell(cell)}, not a finite number"
            raise SheetsimError(f"{path}, row {r}, {column} {problem}")
        numbers_by_row.append(numbers)
    heads = [] if names is None else [*names, *[None] * (width - len(names))]
    texts = [str(c) if is_missing(head) else str(head).strip() for c, head in enumerate(heads, start=1)]
    return np.array(numbers_by_row, dtype=np.float64), texts


def is_missing(cell: Any) -> bool:
    """Whether a cell is empty or blank."""
    return cell is None or (isinstance(cell, str) and not cell.strip())


def is_heading(cell: Any) -> bool:
    """Whether a cell may stand in a heading: it is empty, or text that is not a number."""
    return is_missing(cell) or (isinstance(cell, str) and number_in(cell) is None and not _is_number(cell))


def _is_number(text: str) -> bool:
    """Whether Python reads the text as a number, a finite one or not, and in whichever digits."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def number_in(cell: Any) -> float | None:
    """The cell's number; None where it has none that is finite."""
    # 1_000 and digits of other scripts are numbers to Python and slips in a table.
    if isinstance(cell, bool) or (isinstance(cell, str) and (not cell.isascii() or "_" in cell)):
        return None
    try:
        number = float(cell)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def shown_cell(cell: Any) -> str:
    """A cell in a message."""
    return str(cell).upper() if isinstance(cell, bool) else repr(str(cell)[:40])


def _standardized(path: Path, array: Array) -> Array:
    spread = array.std(axis=0)
    constant = np.flatnonzero(spread <= CONSTANT * np.abs(array.mean(axis=0)))
    if len(constant):
        raise SheetsimError(f"{path}, column {constant[0] + 1} is constant and cannot be standardized")
    standardized: Array = (array - array.mean(axis=0)) / spread
    return standardized


def in_words(error: Exception) -> str:
    """What a library says of a file, on one line and cut short."""
    return (" ".join(str(error).split()) or type(error).__name__)[:LONGEST_REASON]
