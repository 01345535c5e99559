"""What an op is: a row of the op table, and the rules of shape that rows share. The rows stand in `op_table.py`.

Excel text is a template: `{0}` is the first argument, `{0:power}` says how tightly it must bind there to stand
without brackets, and `level` says how tightly the result binds. Levels and brackets are `workbook/formulas.py`'s.
Some slots are special: `{0:truth}` keeps a comparison a truth value, `{0:ones}` is a column of ones as long as {0}, and
`{0:across}` as long as it has columns, `{0:numbers}` is a column of its rows' numbers, and `{0:rows}` and `{0:columns}`
are how many it has.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sheetsim.errors import SheetsimError

if TYPE_CHECKING:
    from sheetsim.model.expr import Matrix

Shape: TypeAlias = tuple[int, int]

# Numbers of a matrix, rows × columns.
Array: TypeAlias = NDArray[np.float64]

ShapeRule: TypeAlias = Callable[[str, Sequence[Shape]], Shape]

# (gradient by the result, the result, its arguments) to the gradient by each argument; None where the result does not
# change with the argument, or by steps alone. A gradient may be smaller than what it is by: it is then the same along
# the axis where it has a single row or column. Raises SheetsimError where there is no derivative in this package.
Derivative: TypeAlias = "Callable[..., tuple[Matrix | None, ...]]"


class Op(Struct, frozen=True, eq=False):
    """One row of the table.

    arity: number of arguments, or None where any number from one goes.
    shape: (op name, argument shapes) to the result's shape; raises SheetsimError.
    numpy: argument arrays (all 2-D) to the result (2-D).
    excel: the template, with `level` how tightly it binds; array: it computes with whole blocks on the way to one
    number, so that only an array formula gives it.
    derivative: see Derivative.
    never_overflows: finite arguments never give an infinity, so that a large result need not be searched for one.
    by_cell: engines compute it of single numbers alone, so that each cell of a block has a formula of its own.
    reads: which of its arguments its result depends on (None: all). An op of a workbook's formulas is no row of the
    table: it has no template, so that its cells hold numbers alone.
    """

    name: str
    arity: int | None
    shape: ShapeRule
    numpy: Callable[..., NDArray[Any]]
    excel: str
    derivative: Derivative
    level: str = "atom"
    array: bool = False
    never_overflows: bool = False
    by_cell: bool = False
    reads: tuple[int, ...] | None = None

    @property
    def is_elementwise(self) -> bool:
        """Whether each number comes from the numbers at its place in the arguments."""
        return self.shape is broadcast


def _text(shape: Shape) -> str:
    return f"{shape[0]}×{shape[1]}"


def broadcast(name: str, shapes: Sequence[Shape]) -> Shape:
    """Equal sizes, or 1 that stretches: NumPy's rule, which Excel's array formulas share for rows and columns."""
    sizes = []
    for axis in range(2):
        wide = {shape[axis] for shape in shapes} - {1}
        if len(wide) > 1:
            raise SheetsimError(f"{name}: shapes {' and '.join(map(_text, shapes))} do not fit together")
        sizes.append(wide.pop() if wide else 1)
    return sizes[0], sizes[1]


def product(name: str, shapes: Sequence[Shape]) -> Shape:
    """Shape of a matrix product. Raises SheetsimError where columns and rows differ."""
    left, right = shapes
    if left[1] != right[0]:
        raise SheetsimError(
            f"{name}: {_text(left)} times {_text(right)} does not fit: {left[1]} columns against {right[0]} rows"
        )
    return left[0], right[1]


def transposed(name: str, shapes: Sequence[Shape]) -> Shape:
    """Shape n×m of a transposed m×n matrix."""
    return shapes[0][1], shapes[0][0]


def square(name: str, shapes: Sequence[Shape]) -> Shape:
    """Shape of the argument, which must be square. Raises SheetsimError otherwise."""
    if shapes[0][0] != shapes[0][1]:
        raise SheetsimError(f"{name} takes as many rows as columns, not {_text(shapes[0])}")
    return shapes[0]


def scalar(name: str, shapes: Sequence[Shape]) -> Shape:
    """Shape 1×1."""
    return 1, 1


def of_scalars(name: str, shapes: Sequence[Shape]) -> Shape:
    """Shape 1×1, of arguments that are 1×1. Raises SheetsimError for others."""
    if any(shape != (1, 1) for shape in shapes):
        raise SheetsimError(f"{name} takes single numbers, not {' and '.join(map(_text, shapes))}")
    return 1, 1


def one_row(name: str, shapes: Sequence[Shape]) -> Shape:
    """Shape 1×n of a number for each column."""
    return 1, shapes[0][1]


def one_column(name: str, shapes: Sequence[Shape]) -> Shape:
    """Shape m×1 of a number for each row."""
    return shapes[0][0], 1


def first_column(name: str, shapes: Sequence[Shape]) -> Shape:
    """Shape m×1 of one column."""
    return shapes[0][0], 1


def bins(name: str, shapes: Sequence[Shape]) -> Shape:
    """Shape (n + 1)×1 of counts between n edges. Raises SheetsimError where the edges are not one column."""
    if shapes[1][1] != 1:
        raise SheetsimError(f"{name}: the edges must be one column, not {_text(shapes[1])}")
    return shapes[1][0] + 1, 1


# Every op by its name: filled by `op_table.py`, which the package `model` loads with any of its modules.
OPS: dict[str, Op] = {}
