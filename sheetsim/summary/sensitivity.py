"""How an output follows its inputs, trial by trial, as a table: what a formula gives beside what NumPy computed."""

from collections.abc import Mapping, Sequence

import numpy as np

from sheetsim.model.expr import Matrix, absolute, if_error, quantile, sqrt, total, where
from sheetsim.model.op import Array
from sheetsim.model.op_table import CONSTANT
from sheetsim.summary.outputs import Quantity, cell_of
from sheetsim.summary.table import Column, Table

# The tenths of the trials with the smallest and the largest input lie about its quantiles q05 and q95.
TENTH = 0.1

SENSITIVITY_COLUMNS = {
    "low": "mean of the output over the tenth of the trials with the least input, which lies about its q05",
    "high": "the same over the tenth with the greatest input, about its q95",
    "swing": "high − low; of an input with few different numbers a tenth takes all trials that share its last one",
    "pearson": "correlation of output and input",
    "spearman": "correlation of their ranks",
    "src": "standardized regression coefficient: the change of the output's mean, in standard deviations, per "
    "standard deviation of the input, with the others held constant",
    "contribution": "contribution to variance: squared rank correlations as shares of their sum, signed",
    "q05": "5 % quantile of the input",
    "q95": "95 % quantile of the input",
}

# What no formula of the book gives.
AS_NUMBERS = ("spearman", "src", "contribution")


def sensitivity_table(
    name: str,
    of: Quantity,
    inputs: Mapping[str, Matrix],
    numbers: Mapping[str, Array],
    sheet: str = "",
) -> Table:
    """A row per input or group, in their order; inputs: by name, trials × 1; numbers: AS_NUMBERS, a number a row."""
    rows = [_formulas(of, x) for x in inputs.values()]
    columns = []
    for column, what in SENSITIVITY_COLUMNS.items():
        cells = (
            [cell_of(float(number)) for number in numbers[column]]
            if column in AS_NUMBERS
            else [row[column] for row in rows]
        )
        columns.append(Column(column, what, tuple(cells)))
    return Table(name, "input", list(inputs), tuple(columns), sheet, f"how {of.label} follows its inputs")


def _formulas(of: Quantity, x: Matrix) -> dict[str, Matrix]:
    y = of.x
    # An error where the trial has no number.
    one = y * 0 + 1
    low = of.mean_where((x <= quantile(x, TENTH)) * one).placed(None)
    high = of.mean_where((x >= quantile(x, 1 - TENTH)) * one).placed(None)
    return {
        "low": low,
        "high": high,
        "swing": high - low,
        "pearson": _pearson(of, x, one),
        "q05": quantile(x, 0.05),
        "q95": quantile(x, 0.95),
    }


def _pearson(of: Quantity, x: Matrix, one: Matrix) -> Matrix:
    """Over the trials that have a number."""
    middle = total(if_error(x * one, 0)) / of.n
    deviation, of_output = x - middle, of.x - of.mean
    squares = total(if_error(deviation**2 * one, 0))
    of_outputs = total(if_error(of_output**2, 0))
    limit = CONSTANT * sqrt(of.n)
    vary = (sqrt(squares) > limit * absolute(middle)) * (sqrt(of_outputs) > limit * absolute(of.mean))
    return where(vary, total(if_error(deviation * of_output, 0)) / sqrt(squares * of_outputs), np.nan)


def by_swing(swings: Array) -> Sequence[int]:
    """The places of the rows, the widest swing first; those without one come last."""
    return [int(k) for k in np.argsort(-np.abs(np.nan_to_num(swings)), kind="stable")]
