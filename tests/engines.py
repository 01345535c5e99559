"""Recalculated books against a run: what the tests of recalculation share."""

import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sheetsim.audit import recalculate
from sheetsim.runs.run import Run
from sheetsim.workbook.reading.raw import RawBook
from sheetsim.workbook.reading.values import Rectangle

SOFFICE = shutil.which("soffice")

# Reads a block: sheet, row and column from 0, shape.
Cells = Callable[[str, int, int, tuple[int, int]], Any]


def poison(book: Path, target: Path, texts: Mapping[str, str | float] | None = None) -> int:
    """Copies a book with wrong caches and other texts in named drop-downs; returns how many cells were poisoned."""
    with RawBook(book) as raw:
        return recalculate.poison(raw, target, texts)


def cells_of(book: recalculate.Recalculated) -> Cells:
    return lambda sheet, row, column, shape: book[sheet].rows(
        Rectangle(row + 1, column + 1, row + shape[0], column + shape[1])
    )


def ironcalc_cells(book: Path) -> Cells:
    """A book as IronCalc computes it."""
    return cells_of(*recalculate.recalculated([book], "ironcalc"))


def ironcalc_books(books: Iterable[Path]) -> list[Cells]:
    """Books as IronCalc computes them, in one start."""
    return [cells_of(read) for read in recalculate.recalculated(books, "ironcalc")]


def libreoffice_cells(books: Iterable[Path]) -> list[Cells]:
    """Books as LibreOffice computes them, in one start."""
    return [cells_of(read) for read in recalculate.recalculated(books, "libreoffice")]


def differences(run: Run, cells: Cells, tolerance: float, floor: float = 0.0) -> list[str]:
    """Every placed matrix of the run against a book's cells: a line for each that differs.

    Matrices to `tolerance` of their largest magnitude, or to `floor` where that is more; counts and texts exactly;
    single statistics to 1e-9 of 1 or of themselves, as a ratio or a moment of higher order has lost some digits.
    """
    found = []
    for node, place in run._layout.places.items():
        if "as_made" in (node.name, *(arg.name for arg in node.args)):
            continue  # a book with another choice is not as made, and a run with it is
        expected = run._values[node]
        actual = cells(place.sheet, place.row, place.column, place.shape)
        name = node.name or f"{place.sheet} row {place.row + 1} column {place.column + 1}"
        # A variance is a difference of squares: its error is that of the squares, however small it is itself.
        mean = f"mean_{node.name[4:]}" if node.name and node.name.startswith("var_") else ""
        squares = np.square(run[mean]).max() if mean in run else 0.0
        problem = _difference(expected, actual, tolerance, name.startswith("counts_"), squares, floor)
        if problem:
            found.append(f"{name}: {problem}")
    return found


def _difference(expected: Any, actual: Any, tolerance: float, exact: bool, squares: float, floor: float) -> str | None:
    if expected.dtype.kind == "U":
        return None if [[str(v) for v in row] for row in expected] == actual else f"{actual} for {expected}"
    numbers = np.array([[_number(value) for value in row] for row in actual])
    if numbers.shape != expected.shape:
        return f"shape {numbers.shape} for {expected.shape}"
    if not np.array_equal(np.isnan(numbers), np.isnan(expected)):
        return f"errors differ: {actual} for {expected}" if expected.size < 20 else "errors differ"
    if exact:
        return None if np.array_equal(numbers, expected) else "counts differ"
    gap = np.nan_to_num(np.abs(numbers - expected))
    scale = squares + (np.nanmax(np.abs(expected)) if not np.isnan(expected).all() else 0.0)
    allowed = max(floor, tolerance * scale) if expected.size > 1 else 1e-9 * max(1.0, scale)
    return None if gap.max() <= allowed else f"off by {gap.max():.3g} of {scale:.3g}"


def _number(value: Any) -> float:
    if isinstance(value, str):
        return float("nan") if value.startswith("#") or not value else float(value)
    return float("nan") if value is None else float(value)
