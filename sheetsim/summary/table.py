"""A table of single numbers: named columns of expressions under one index.

One definition, two readings: the engine's values as a pandas DataFrame, and a page of formulas in the workbook.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import force_setattr, replace

from sheetsim.model.expr import Constant, Matrix

if TYPE_CHECKING:
    import pandas as pd


SHARE = "share"

# Kinds of what is never below 0, and of what of these may be a product over layers or steps: its mean over replicates
# has an interval by the logarithm, and a geometric mean.
SIZES = ("size", "count", SHARE, "decimal")
PRODUCTS = ("size", SHARE, "decimal")


class Column(Struct, frozen=True):
    """A column: its heading, what it is in a sentence, one 1×1 matrix a row, and how to show it.

    kind: number, size (a number that is never below 0), count, share (of 1), decimal (a size, shown with one place) or
    text.
    """

    name: str
    what: str
    cells: tuple[Matrix, ...]
    kind: str = "number"


class Table(Struct, frozen=True):
    """Columns of equal length under one index: numbers (of layers), or texts.

    name: as it is asked for; sheet: the one at whose top left it stands, if any; what: it holds, in words; observed:
    whether replicates observe its cells, each of which its row's label and its column's name must then tell apart.
    """

    name: str
    index: str
    labels: Sequence[int | str]
    columns: tuple[Column, ...]
    sheet: str = ""
    what: str = ""
    observed: bool = True

    def __post_init__(self) -> None:
        # Equal expressions are one node, and each cell of a table is one of its own.
        seen: set[Matrix] = set()

        def placed(cell: Matrix) -> Matrix:
            shared = cell in seen or isinstance(cell.source, Constant)
            node = cell.placed(None) if shared and cell.name is None else cell
            seen.add(node)
            return node

        columns = tuple(replace(column, cells=tuple(map(placed, column.cells))) for column in self.columns)
        force_setattr(self, "columns", columns)

    def __getitem__(self, column: str) -> tuple[Matrix, ...]:
        return next(one.cells for one in self.columns if one.name == column)

    @property
    def glossary(self) -> dict[str, str]:
        """Each column's heading with what it is."""
        return {column.name: column.what for column in self.columns}

    def cells(self) -> Iterator[Matrix]:
        """All cells, column by column."""
        for column in self.columns:
            yield from column.cells

    def frame(self, values: Mapping[Matrix, Any]) -> "pd.DataFrame":
        """The values as a DataFrame with the labels as index."""
        import pandas as pd

        return pd.DataFrame(self._numbers(values), index=pd.Index(self.labels, name=self.index))

    def records(self, values: Mapping[Matrix, Any]) -> list[dict[str, Any]]:
        """The values as a dict per row, its label first: to load pandas takes longer than to run a small model."""
        columns = {self.index: self.labels, **self._numbers(values)}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def _numbers(self, values: Mapping[Matrix, Any]) -> dict[str, list[float | int | str]]:
        return {
            column.name: [_number(values[cell][0, 0], column.kind) for cell in column.cells] for column in self.columns
        }


def _number(value: Any, kind: str) -> float | int | str:
    if kind == "text":
        return str(value)
    # A count is a whole number, and came through float64 exactly; of outputs that overflow it is NaN.
    return int(value) if kind == "count" and value == value else float(value)
