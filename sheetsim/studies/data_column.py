"""One column of numbers, from a file or as given in Python: what a distribution is fitted to, or resampled from."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from sheetsim.arguments import whole
from sheetsim.errors import SheetsimError
from sheetsim.files import path_of
from sheetsim.model.distributions import resampled
from sheetsim.model.draws import Distribution
from sheetsim.model.op import Array
from sheetsim.studies.input_files import File
from sheetsim.workbook.limits import COLUMNS

# Digits of a column's number, and one more.
LONGEST_NUMBER = 6


def data_column(data: Any, column: str | int | None = None) -> tuple[Array, str]:
    """The numbers, 1-D, and what the column is called ("" where it has no name).

    data: the path of a csv, xlsx or npy, or anything that is an array or a table with named columns; column: which of
    several, by name or by number from 1.
    Raises SheetsimError for what is no column of finite numbers, for a column that is not there, and where there are
    several and none was chosen.
    """
    chosen = "" if column is None else column if isinstance(column, str) else str(whole("column", column, 1, COLUMNS))
    if isinstance(data, str | os.PathLike):
        table = File(Path(path_of(data, "data")), key="data", column=chosen).load()
        return np.asarray(table, dtype=np.float64).ravel(), next(map(str, getattr(table, "columns", ())), "")
    try:
        names = [str(name) for name in getattr(data, "columns", ())]
        if chosen in names:
            data, names = data[data.columns[names.index(chosen)]], [chosen]
        name = getattr(data, "name", None)
        array = np.array(data, dtype=np.float64)
    except Exception:  # an object's own conversion may raise anything
        raise SheetsimError("data must be a column of numbers, or the path of a file that holds one") from None
    if array.ndim == 1:
        array = array.reshape(-1, 1)
        names = names or [name if isinstance(name, str) else ""]
    if array.ndim != 2 or array.size == 0:
        raise SheetsimError(f"data must be a column of numbers, but has the shape {array.shape}")
    if chosen and chosen not in names:
        names, array = _by_number(chosen, names, array)
    if array.shape[1] > 1:
        told = f" ({', '.join(name[:40] for name in names)})" if names else ""
        raise SheetsimError(f"data has {array.shape[1]} columns{told}: choose one with column=")
    wrong = np.flatnonzero(~np.isfinite(array))
    if len(wrong):
        raise SheetsimError(f"data: number {wrong[0] + 1} is {array[wrong[0], 0]}, not a finite number")
    return array.ravel(), names[0] if names else ""


def empirical(data: Any, column: str | int | None = None) -> Distribution:
    """Distribution of data: each number is drawn with the same probability, with replacement.

    Parameters
    ----------
    data
        Numbers, a column of a table, or the path of a csv, xlsx or npy file.
    column
        Name, or number from 1, of the column, where there are several.

    Raises
    ------
    SheetsimError
        The data are no column of finite numbers, or the column is missing or was not chosen.

    Examples
    --------
    >>> import sheetsim
    >>> model = sheetsim.Model(seed=0)
    >>> x = model.input("x", sheetsim.empirical([1, 2, 2, 5]), (4, 1))
    >>> set(model.run()["x"].ravel().tolist()) <= {1.0, 2.0, 5.0}
    True
    """
    return resampled(data_column(data, column)[0])


def _by_number(chosen: str, names: list[str], array: Array) -> tuple[list[str], Array]:
    """The column of that number, from 1, and its name."""
    k = int(chosen) - 1 if chosen.isascii() and chosen.isdigit() and len(chosen) < LONGEST_NUMBER else -1
    if not 0 <= k < array.shape[1]:
        there = ", ".join(name[:40] for name in names if name) or f"{array.shape[1]} without names"
        raise SheetsimError(f"data has no column {chosen[:40]!r}; it has {there}")
    return names[k : k + 1], array[:, k : k + 1]
