"""Tables of a person's own, .csv and .xlsx: which columns are numbers, which are categories, and what has gaps."""

import csv
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from sheetsim.errors import SheetsimError
from sheetsim.model.op import Array
from sheetsim.studies.data_sets.arrays import MNIST_PIXELS, MNIST_SHAPE
from sheetsim.studies.data_sets.records import Records, check_count, classes_or_numbers, sha256_of, some_of
from sheetsim.studies.input_files import (
    column_place,
    csv_rows,
    is_heading,
    is_missing,
    listed_names,
    number_in,
    shown_cell,
    xlsx_rows,
)

# A table has an eighth of the numbers that an array may have: each cell is an object of Python's while it is read.
TABLE_BYTES = 1 << 28

# What stands in a cell that has no value, beside nothing at all: as R, pandas, Excel and the UCI repository write it.
GAPS = {"NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "?"}

# Different texts of a column of categories, and different whole numbers of a target that is one of classes.
MOST_CATEGORIES = 20

# A column of which more is numbers is one of numbers, and what else stands there a slip.
NUMERIC = 0.9


class _Column(Struct, frozen=True):
    """A column's cells (an array where each is a finite number), its name, and the number of its first cell's row."""

    path: Path
    name: str
    place: int
    cells: list[Any] | Array
    first_row: int

    def numbers(self) -> Array | None:
        """The numbers, NaN for a gap; None for a column of texts. Raises SheetsimError for a slip among numbers."""
        if isinstance(self.cells, np.ndarray):
            return self.cells
        parsed = [number_in(cell) for cell in self.cells]
        wrong = [k for k, number in enumerate(parsed) if number is None and not _is_gap(self.cells[k])]
        right = len(parsed) - parsed.count(None)
        if wrong and right <= NUMERIC * (right + len(wrong)):
            return None
        if wrong:
            problem = f"{shown_cell(self.cells[wrong[0]])}, not a finite number like the others in its column"
            raise SheetsimError(f"{self.where(wrong[0])} is {problem}: correct it, or drop the column")
        return np.array([np.nan if number is None else number for number in parsed])

    def texts(self) -> list[str]:
        """Each cell's text, "" for a gap."""
        return ["" if _is_gap(cell) else _text(cell) for cell in self.cells]

    def where(self, k: int) -> str:
        """The place of a cell, by its number from 0."""
        named = f" ({self.name[:40]})" if self.name != str(self.place + 1) else ""
        return f"{self.path}, row {self.first_row + k}, column {self.place + 1}{named}"


def table_records(
    path: Path, target: str | int | None, drop: Sequence[str | int], sheet: str | None, task: str | None
) -> Records:
    """The samples of a table, a row each; a first row of texts, or one that holds the target's name, is a heading.

    A column of numbers is a feature, with NaN for its gaps. A column of texts is a feature a category, 1 or 0, and its
    gaps have 0 in each; it is left out where it has more than MOST_CATEGORIES of them, or more than half as many as
    cells, as names and tickets have. A column of gaps alone is left out. Notes say so.
    Raises SheetsimError with the row and column at fault; OSError.
    """
    if path.stat().st_size > TABLE_BYTES:
        raise SheetsimError(f"{path} has {path.stat().st_size:,} bytes; a table may have at most {TABLE_BYTES:,}")
    columns = _columns(path, sheet, target)
    names = [column.name for column in columns]
    if target is None:
        raise SheetsimError(f"{path} needs a target, the column to learn: it has {listed_names(names)}")
    chosen = _place(path, target, names)
    dropped = {_place(path, column, names) for column in drop}
    if chosen in dropped:
        raise SheetsimError(f"the target {names[chosen][:40]!r} is among the columns to drop")
    learned, class_names = _target(columns[chosen], task)
    kept = [column for column in columns if column.place != chosen and column.place not in dropped]
    if kept and kept[0].name == "":
        raise SheetsimError(f"{path}, column 1 has no heading: write the table without its index, or drop column 1")
    features, feature_names, notes = _features(kept)
    if not feature_names:
        raise SheetsimError(f"{path} has no column to learn from besides the target")
    return Records(
        np.column_stack(features),
        learned,
        class_names,
        tuple(feature_names),
        names[chosen],
        image_shape=MNIST_SHAPE if len(feature_names) == MNIST_PIXELS else None,
        notes=tuple(notes),
        sha256=sha256_of([path]),
    )


def _columns(path: Path, sheet: str | None, target: str | int | None) -> list[_Column]:
    plain = _plain_numbers(path, target) if path.suffix.lower() == ".csv" else None
    if plain is not None:
        heading, numbers = plain
        return _named(path, heading, [*numbers.T])
    rows = csv_rows(path) if path.suffix.lower() == ".csv" else xlsx_rows(path, sheet)
    width = max(map(len, rows), default=0)
    heading = _heading(rows[0], target) if rows else None
    body = rows if heading is None else rows[1:]
    if not body:
        raise SheetsimError(f"{path} holds no samples" if heading is None else f"{path} has a heading but no samples")
    for r, row in enumerate(body, start=1 if heading is None else 2):
        if all(map(is_missing, row)):
            raise SheetsimError(f"{path}, row {r} is blank, but rows follow it: delete it")
    return _named(path, heading, [[row[c] if c < len(row) else None for row in body] for c in range(width)])


def _plain_numbers(path: Path, target: str | int | None) -> tuple[list[str] | None, Array] | None:
    """A csv's heading and its numbers, rows × columns, where every cell below is a finite one; else None.

    By NumPy's parser: three times as fast as a cell at a time, which matters in a table of 33 million cells.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file, warnings.catch_warnings():
            # NumPy warns of a file without rows.
            warnings.simplefilter("ignore")
            first = next(csv.reader(file, strict=True))
            heading = _heading(first, target)
            above = [float("nan") if number is None else number for number in map(number_in, first)]
            body = np.loadtxt(file, delimiter=",", comments=None, quotechar='"', ndmin=2)
    except (StopIteration, ValueError, csv.Error):
        return None
    if body.size == 0 or body.shape[1] != len(first):
        return None
    numbers = np.vstack([above, body]) if heading is None else body
    return (heading, numbers) if np.isfinite(numbers).all() else None


def _heading(first: Sequence[Any], target: str | int | None) -> list[str] | None:
    """The names in a first row, "" for none; None where it is no heading: no row of texts, and without the target."""
    texts = [cell.strip() if isinstance(cell, str) else "" for cell in first]
    is_named = isinstance(target, str) and number_in(target) is None and target.strip() in texts
    if is_named or (all(map(is_heading, first)) and any(texts)):
        # Whole numbers are names too, in a heading that the target's name is in.
        return ["" if is_missing(cell) else str(cell).strip() for cell in first]
    return None


def _named(path: Path, heading: list[str] | None, columns: Sequence[list[Any] | Array]) -> list[_Column]:
    """The columns by name. One that has none is called by its number, except for the first under a heading."""
    heads = [] if heading is None else heading
    names = [*heads, *[""] * (len(columns) - len(heads))]
    first_row = 1 if heading is None else 2
    return [
        _Column(path, name or ("" if c == 0 and heading is not None else str(c + 1)), c, cells, first_row)
        for c, (name, cells) in enumerate(zip(names, columns, strict=True))
    ]


def _place(path: Path, column: str | int, names: list[str]) -> int:
    """The place of a column from 0: a text is a name first, a number is one from 1."""
    return column_place(path, str(column), names if isinstance(column, str) else [], len(names))


def _target(column: _Column, task: str | None) -> tuple[Any, tuple[str, ...]]:
    gap = next((k for k, cell in enumerate(column.cells) if _is_gap(cell)), None)
    if gap is not None:
        raise SheetsimError(f"{column.where(gap)} is missing: every sample needs its target, so complete or delete it")
    numbers = column.numbers()
    try:
        return classes_or_numbers(column.texts() if numbers is None else numbers, task, MOST_CATEGORIES)
    except SheetsimError as error:
        raise SheetsimError(f"{column.path}, the target {column.name[:40]!r}: {error}") from None


def _features(columns: Sequence[_Column]) -> tuple[list[Array], list[str], list[str]]:
    """The features, their names, and what is to be said of them."""
    features: list[Array] = []
    names: list[str] = []
    notes: list[str] = []
    empty: list[str] = []
    for column in columns:
        numbers = column.numbers()
        check_count(len(column.cells), len(features) + MOST_CATEGORIES)
        if numbers is not None and np.isnan(numbers).all():
            empty.append(column.name)
        elif numbers is not None:
            features.append(numbers)
            names.append(column.name)
        else:
            categories, note = _categories(column)
            features += [feature for _, feature in categories]
            names += [name for name, _ in categories]
            notes.append(note)
    if empty:
        notes.append(f"{some_of(empty)} left out: no cell there has a value.")
    return features, names, notes


def _categories(column: _Column) -> tuple[list[tuple[str, Array]], str]:
    """A name and a feature (1 or 0) for each category, none where there are too many; and a note."""
    texts = column.texts()
    distinct = sorted(set(texts) - {""})
    present = len(texts) - texts.count("")
    if len(distinct) > MOST_CATEGORIES or 2 * len(distinct) > present:
        values = f"{len(distinct):,} different texts in {present:,} cells"
        return [], f"{column.name[:40]} is left out: {values} are names rather than categories."
    all_texts = np.array(texts, dtype=object)
    one_hot = [(f"{column.name[:40]}={text[:40]}", (all_texts == text).astype(np.float64)) for text in distinct]
    gaps = f"; {len(texts) - present:,} gaps have 0 in each" if present < len(texts) else ""
    return one_hot, f"{column.name[:40]} is a feature for each of its {len(distinct)} categories, 1 or 0{gaps}."


def _is_gap(cell: Any) -> bool:
    return is_missing(cell) or (isinstance(cell, str) and cell.strip() in GAPS)


def _text(cell: Any) -> str:
    return str(cell).upper() if isinstance(cell, bool) else str(cell).strip()
