"""A person's own input data: tables of numbers from files. Every cell is a number, or the file is refused."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.model.ops import CONSTANT
from sheetsim.workbook.raw import check_archive

if TYPE_CHECKING:
    import pandas as pd

READERS = (".csv", ".xlsx", ".npy")


@dataclass(frozen=True)
class File:
    """A file of numbers, samples × inputs; a first row that holds text is a heading.

    sheet: of an .xlsx, the first one if None; standardise: each column less its mean, over its population standard
    deviation; key: the template's, which a mistake names.
    """

    path: Path
    sheet: str | None = None
    standardise: bool = False
    key: str = "input.file"

    def load(self) -> Any:
        """The numbers as a float64 array. Raises SheetsimError with the file, row and column at fault."""
        path = self.path
        if path.suffix.lower() not in READERS:
            raise SheetsimError(f"{self.key}: {path} is none of {', '.join(READERS)}")
        if self.sheet is not None and path.suffix.lower() != ".xlsx":
            raise SheetsimError(f"input.sheet goes with an .xlsx file, not with {path}")
        try:
            if not path.is_file():
                raise SheetsimError(f"{self.key}: there is no file {path}")
            array = _npy(path) if path.suffix.lower() == ".npy" else _numbers(path, _table(path, self.sheet))
        except OSError as error:
            raise SheetsimError(f"{self.key}: cannot read {path}: {(error.strerror or str(error)).lower()}") from None
        return _standardised(path, array) if self.standardise else array


def _npy(path: Path) -> Any:
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise SheetsimError(f"input.file: {path} is no array of numbers that NumPy can load: {error}") from None
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.size == 0 or array.dtype.kind not in "biuf":
        raise SheetsimError(f"input.file: {path} must hold one matrix of numbers")
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        r, c = wrong[0]
        raise SheetsimError(f"input.file: {path}, row {r + 1}, column {c + 1}: {array[r, c]} is not a finite number")
    return array.astype(np.float64)


def _table(path: Path, sheet: str | None) -> "pd.DataFrame":
    import pandas as pd

    if path.suffix.lower() == ".csv":
        try:
            return pd.read_csv(path, header=None, dtype=str, keep_default_na=False, skip_blank_lines=True)
        except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
            raise SheetsimError(f"input.file: {path} is no table of comma-separated text: {_words(error)}") from None
    check_archive(path)
    try:
        return pd.read_excel(
            path, header=None, sheet_name=0 if sheet is None else sheet, engine="openpyxl", keep_default_na=False
        )
    except OSError:
        raise
    except Exception as error:  # openpyxl raises whatever its XML and zip parsers do
        raise SheetsimError(f"input.file: {path} cannot be read as a workbook: {error}") from None


def _numbers(path: Path, table: "pd.DataFrame") -> Any:
    if table.empty:
        raise SheetsimError(f"input.file: {path} holds no numbers")
    # A row of which only a part is text is no heading but a mistake, and named as one below.
    heading = all(_number(cell) is None for cell in table.iloc[0]) and not all(map(_missing, table.iloc[0]))
    if heading and _missing(table.iloc[0, 0]):
        raise SheetsimError(f"input.file: {path}, column 1 has no heading: write the table without its index")
    body = table.iloc[1:] if heading else table
    if body.empty:
        raise SheetsimError(f"input.file: {path} has a heading and no numbers")
    array = np.empty(body.shape)
    for r, cells in enumerate(body.itertuples(index=False)):
        for c, cell in enumerate(cells):
            number = _number(cell)
            if number is None or not np.isfinite(number):
                column = f"column {c + 1}" + (f" ({table.iloc[0, c]!s})" if heading else "")
                problem = "is missing" if _missing(cell) else f"is {str(cell)[:40]!r}, not a finite number"
                raise SheetsimError(f"input.file: {path}, row {r + 1 + heading}, {column} {problem}")
            array[r, c] = number
    return array


def _missing(cell: Any) -> bool:
    return cell is None or cell != cell or (isinstance(cell, str) and not cell.strip())


def _number(cell: Any) -> float | None:
    try:
        # 1_000 is a number to Python and a slip in a table.
        return None if isinstance(cell, bool) or "_" in str(cell) else float(cell)
    except (TypeError, ValueError):
        return None


def _standardised(path: Path, array: Any) -> Any:
    spread = array.std(axis=0)
    constant = np.flatnonzero(spread <= CONSTANT * np.abs(array.mean(axis=0)))
    if len(constant):
        raise SheetsimError(f"input.file: {path}, column {constant[0] + 1} is constant and cannot be standardised")
    return (array - array.mean(axis=0)) / spread


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
