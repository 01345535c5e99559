"""A matrix or a series as a pandas DataFrame. It computes nothing."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sheetsim.model.op import Array

if TYPE_CHECKING:
    import pandas as pd


def matrix_frame(values: Array, columns: Sequence[str] = ()) -> "pd.DataFrame":
    """Rows and columns by number from 1, or columns by their headings."""
    import pandas as pd

    return pd.DataFrame(values, index=pd.RangeIndex(1, len(values) + 1, name="row"), columns=_headings(values, columns))


def series_frame(values: Array, columns: Sequence[str], rows: int, first: int) -> "pd.DataFrame":
    """A row per step, from `first`; by step and row where a step has several rows."""
    import pandas as pd

    steps = pd.RangeIndex(first, first + len(values) // rows, name="step")
    index = steps if rows == 1 else pd.MultiIndex.from_product([steps, range(1, rows + 1)], names=["step", "row"])
    return pd.DataFrame(values, index=index, columns=_headings(values, columns))


def _headings(values: Array, columns: Sequence[str]) -> list[str] | range:
    return list(columns) or range(1, values.shape[1] + 1)
