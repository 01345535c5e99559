"""Sobol indices of Saltelli's design, whose numbers stand in a matrix, as a table of formulas."""

from collections.abc import Mapping, Sequence

from sheetsim.model.expr import Matrix, column, mean, sum_squares
from sheetsim.model.op import Array
from sheetsim.summary.outputs import cell_of
from sheetsim.summary.table import Column, Table

INDEX_COLUMNS = {
    "first_order": "the share of the variance due to the group alone: the mean reduction if it were held constant "
    "(Jansen's estimator, which can be negative for shares near 0)",
    "first_order_low": "lower end of its 95 % interval, by the bootstrap",
    "first_order_high": "upper end",
    "total": "the share due to it and all its interactions: what would be left if all others were held constant",
    "total_low": "lower end of its 95 % interval, by the bootstrap",
    "total_high": "upper end",
}

# Those that are formulas.
ESTIMATES = ("first_order", "total")


def index_table(
    name: str, design: Matrix, first: int, groups: Sequence[str], ends: Mapping[str, Array], sheet: str = ""
) -> Table:
    """A row per group.

    design: a row a base replicate; its columns from `first` (numbered from 1) are f at the first sample, at the second,
    and at the first with each group from the second; ends: of the intervals, where there are some, by column a number a
    group.

    The formulas are those of engine.sensitivity.jansen.
    """
    rows = float(design.shape[0])
    f_a, f_b = column(design, first), column(design, first + 1)
    middle = ((mean(f_a) + mean(f_b)) / 2).placed(None)
    variance = (sum_squares(f_a - middle) + sum_squares(f_b - middle)) / (2 * rows)
    exchanged = [column(design, first + 2 + k) for k in range(len(groups))]
    cells = {
        "first_order": [1 - sum_squares(f_b - f_ab) / (2 * rows * variance) for f_ab in exchanged],
        "total": [sum_squares(f_a - f_ab) / (2 * rows * variance) for f_ab in exchanged],
        **{key: [cell_of(float(number)) for number in numbers] for key, numbers in ends.items()},
    }
    columns = tuple(Column(key, what, tuple(cells[key])) for key, what in INDEX_COLUMNS.items() if key in cells)
    return Table(name, "input", list(groups), columns, sheet, "shares of the variance over replicates")
