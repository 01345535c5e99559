"""A model's outputs in numbers: summary, percentiles, risk numbers and histograms, as expressions of the model.

The rows of an output are trials and its columns quantities. A trial without a number (an error value in the sheet) is
counted under `errors`, and everything else is of the trials that have one.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from sheetsim.model.expr import (
    COUNT,
    Data,
    Matrix,
    absolute,
    column,
    frequency,
    if_error,
    maximum,
    minimum,
    normal_quantile,
    quantile,
    row_count,
    row_numbers,
    sqrt,
    total,
    where,
)
from sheetsim.model.graph import NAME, Graph, Output
from sheetsim.model.op import Array
from sheetsim.model.op_table import CONSTANT
from sheetsim.summary.histogram import NUDGE, Drawn, drawn
from sheetsim.summary.table import Column, Table

if TYPE_CHECKING:
    import pandas as pd

# Larger than any number that a statistic is made of.
LARGEST = 1e308

QUANTILES = {"q01": 0.01, "q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95, "q99": 0.99}

# The rows of the table of percentiles, in percent.
PERCENTS = (
    *(0, 0.1, 0.5, 1, 2.5, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50),
    *(55, 60, 65, 70, 75, 80, 85, 90, 95, 97.5, 99, 99.5, 99.9, 100),
)

BINS = 40

# Matrices of a quantity's histogram, beside the two of `drawn`; and the longest text that they are called after, so
# that their names are no longer than a workbook's may be.
HISTOGRAM_PARTS = ("bin", "edges", "counts", "at_most", "above")
LONGEST_KEY = 200

# A histogram's range: all but so much at each end.
CUT = 0.001

# Of the intervals of probabilities.
CONFIDENCE = 0.95

# What a person asks for by default: a value at this probability, and what lies between these quantiles.
PROBABILITY, BETWEEN = 0.95, (0.05, 0.95)

COLUMNS = {
    "n": "trials that have a number",
    "errors": "trials that have none: an error value",
    "mean": "their mean",
    "std": "their standard deviation (n − 1)",
    "se": "standard error of the mean: std / √n, of independent trials",
    "skew": "population skewness, 0 when symmetric",
    "kurtosis": "population excess kurtosis, 0 for a normal distribution",
    "min": "least number",
    **{name: f"{100 * p:g} % quantile" for name, p in QUANTILES.items()},
    "max": "greatest number",
}

RISK_COLUMNS = {
    "threshold": "a number t: change it",
    "at_most": "P(output ≤ t): the share of trials at or below it",
    "at_most_low": "lower end of its 95 % interval (Wilson 1927), of independent trials",
    "at_most_high": "its upper end",
    "probability": "a probability p: change it",
    "value": "the value at it: the p-quantile",
    "mean_above": "mean of the trials at or above that value (expected shortfall of a cost)",
    "mean_below": "mean of the trials at or below it (expected shortfall of a profit)",
    "low": "a number a: change it",
    "high": "a number b: change it",
    "between": "P(a < output ≤ b)",
}


class Quantity(Struct, frozen=True, dict=True):
    """One column of an output, trials × 1.

    label: the output's name, and the column's where there are several; key: what its matrices are called after, where
    that is not the label.
    """

    label: str
    output: Output
    x: Matrix
    key: str = ""

    @property
    def name(self) -> str:
        """What its matrices are called after."""
        return self.key or self.label.replace(" ", ".")

    @cached_property
    def errors(self) -> Matrix:
        """How many trials have no number."""
        return row_count(self.x) - self.n

    @cached_property
    def n(self) -> Matrix:
        """How many trials have a number."""
        return total(if_error(self.x * 0 + 1, 0))

    @cached_property
    def mean(self) -> Matrix:
        """The mean of the numbers; trials without a number are left out."""
        return total(if_error(self.x, 0)) / self.n

    @cached_property
    def top(self) -> Matrix:
        """The largest number; NaN where there is none."""
        return where(self.n > 0, maximum(if_error(self.x, -LARGEST)), np.nan)

    @cached_property
    def filled(self) -> Matrix:
        """The trials, with the largest number where there is none: it stays at the end of the order."""
        return if_error(self.x, self.top)

    def quantile(self, p: Matrix | float) -> Matrix:
        """The p-quantile of the trials that have a number, linear between order statistics.

        Of N trials with n numbers it lies at (n − 1) p in their order, which is the quantile p (n − 1)/(N − 1) of all.
        """
        count = float(self.x.shape[0])
        return quantile(self.filled, p * (self.n - 1) / (count - 1))

    def share(self, condition: Matrix) -> Matrix:
        """The share of trials that meet a condition (1 or 0), of those that have a number."""
        return total(if_error(condition, 0)) / self.n

    def mean_where(self, condition: Matrix) -> Matrix:
        """The mean of the trials that meet a condition."""
        return total(if_error(where(condition, self.x, 0), 0)) / total(if_error(condition, 0))

    def statistics(self) -> dict[str, Matrix]:
        """By name of COLUMNS, a number each."""
        n, mean = self.n, self.mean
        # Where the mean or a square is too large for a number, so that it is an error, there is no standard deviation.
        deviation = if_error(self.x, mean) - mean
        square = deviation * deviation
        second = total(square)
        std = sqrt(where(n > 1, second / (n - 1), np.nan))
        variance = second / n
        third, fourth = (total(power) / n for power in (square * deviation, square * square))
        varies = sqrt(variance) > CONSTANT * absolute(mean)
        return {
            "n": n,
            "errors": self.errors,
            "mean": mean,
            "std": std,
            "se": std / sqrt(n),
            "skew": where(varies, if_error(third / variance**1.5, np.nan), np.nan),
            "kurtosis": where(varies, if_error(fourth / (variance * variance) - 3, np.nan), np.nan),
            "min": where(n > 0, minimum(if_error(self.x, LARGEST)), np.nan),
            **{name: self.quantile(p) for name, p in QUANTILES.items()},
            "max": self.top,
        }


def quantities(graph: Graph) -> list[Quantity]:
    """The columns of all outputs, in their order."""
    columns: list[Quantity] = []
    taken = {str(node.name).casefold() for node in graph}
    for output in graph.outputs.values():
        count, name = output.matrix.shape[1], str(output.matrix.name)
        headings = output.columns or output.matrix.headings or tuple(map(str, range(1, count + 1)))
        for k in range(count):
            x = output.matrix if count == 1 else column(output.matrix, k + 1)
            label = name if count == 1 else f"{name} {headings[k]}"
            columns.append(Quantity(label, output, x, _key(label, name if count == 1 else f"{name}.{k + 1}", taken)))
    return columns


def _key(label: str, plain: str, taken: set[str]) -> str:
    """What the matrices of a quantity are called after: its label, or `plain`, so that all their names can be had.

    taken: names in lower case, to which those of the matrices are added.
    """
    first = label.replace(" ", ".")
    is_name = NAME.match(first) and len(first) <= LONGEST_KEY and all(c.isascii() or c.isalpha() for c in first)
    key = first if is_name else plain
    while not taken.isdisjoint(names := {name.casefold() for name in _names(key)}):
        key = f"{plain}_" if key == first != plain else f"{key}_"
    taken |= names
    return key


def _names(key: str) -> list[str]:
    """The names of the matrices of `output_histogram`."""
    return [*(f"{key}.{part}" for part in HISTOGRAM_PARTS), f"largest_count.{key}", f"chart_height.{key}"]


def output_table(of: Sequence[Quantity]) -> Table:
    """A row per quantity: the columns of `run.summary()`."""
    rows = [quantity.statistics() for quantity in of]
    kinds = {"n": "count", "errors": "count", "std": "size", "se": "size"}
    columns = tuple(
        Column(name, what, tuple(row[name] for row in rows), kinds.get(name, "number"))
        for name, what in COLUMNS.items()
    )
    return Table("outputs", "output", [quantity.label for quantity in of], columns, "Outputs")


def percentile_table(of: Sequence[Quantity]) -> Table:
    """A row a percentage, a column per quantity."""
    columns = tuple(
        Column(
            quantity.label,
            f"percentiles of {quantity.label}",
            tuple(quantity.quantile(percent / 100) for percent in PERCENTS),
        )
        for quantity in of
    )
    return Table("percentiles", "percent", [f"{percent:g} %" for percent in PERCENTS], columns)


class Asked(Struct, frozen=True):
    """What a person asks of a quantity, as cells that can be changed: a threshold, a probability, a range."""

    threshold: Matrix
    probability: Matrix
    low: Matrix
    high: Matrix


def asked(values: Array) -> Asked:
    """Questions that fit the numbers of a quantity (trials × 1): t is 0 where they lie on both sides of it."""
    numbers = values[np.isfinite(values)]
    if not numbers.size:
        numbers = np.zeros(1)
    with np.errstate(over="ignore"):
        low, middle, high = np.quantile(numbers, [BETWEEN[0], 0.5, BETWEEN[1]])
        width = float(high - low)
    threshold = 0.0 if numbers.min() < 0 < numbers.max() else _rounded(float(middle), width)
    ends = _rounded(float(low), width), _rounded(float(high), width)
    return Asked(*(cell_of(number) for number in (threshold, PROBABILITY, *ends)))


def risk_table(of: Sequence[Quantity], questions: Mapping[str, Asked]) -> Table:
    """A row per quantity: what is asked, by label, and the answers, of RISK_COLUMNS."""
    rows = [_answers(quantity, questions[quantity.label]) for quantity in of]
    shares = ("at_most", "at_most_low", "at_most_high", "between")
    columns = tuple(
        Column(name, what, tuple(row[name] for row in rows), "share" if name in shares else "number")
        for name, what in RISK_COLUMNS.items()
    )
    return Table("risk", "output", [quantity.label for quantity in of], columns)


def _answers(quantity: Quantity, question: Asked) -> dict[str, Matrix]:
    x, n = quantity.x, quantity.n
    share = quantity.share(x <= question.threshold).placed(None)
    low, high = wilson(share, n, CONFIDENCE)
    value = quantity.quantile(question.probability).placed(None)
    return {
        "threshold": question.threshold,
        "at_most": share,
        "at_most_low": low,
        "at_most_high": high,
        "probability": question.probability,
        "value": value,
        "mean_above": quantity.mean_where(x >= value),
        "mean_below": quantity.mean_where(x <= value),
        "low": question.low,
        "high": question.high,
        "between": quantity.share((x > question.low) * (x <= question.high)),
    }


def wilson(share: Matrix, n: Matrix, confidence: Matrix | float) -> tuple[Matrix, Matrix]:
    """The ends of a share's interval (Wilson 1927, doi:10.1080/01621459.1927.10502953), of n independent trials."""
    z = normal_quantile(1 - (1 - confidence) / 2)
    middle = share + z**2 / (2 * n)
    reach = z * sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low, high = (middle - reach) / (1 + z**2 / n), (middle + reach) / (1 + z**2 / n)
    return where(share > 0, low, 0), where(share < 1, high, 1)


class OutputHistogram(Struct, frozen=True):
    """Counts of a quantity between all but the outermost trials, and the shares at or below the bins' upper edges.

    edges: (BINS + 1)×1; counts: (BINS + 2)×1, below the range, in each bin, above; at_most: as the edges; above: what
    is left, empty (an error) where that is nothing, as a scale of powers of ten has no 0.
    """

    bin: Matrix
    edges: Matrix
    counts: Matrix
    drawn: Drawn
    at_most: Matrix
    above: Matrix


def output_histogram(quantity: Quantity) -> OutputHistogram:
    """Matrices called `NAME.bin`, `NAME.edges`, `NAME.counts`, `NAME.at_most`, `NAME.above` and as of `drawn`."""
    name = quantity.name
    first, last = quantity.quantile(CUT).placed(None), quantity.quantile(1 - CUT).placed(None)
    # Of equal numbers a range of their own size, or of 1 about 0.
    width = where(last > first, last - first, where(absolute(first) > 0, absolute(first), 1))
    start = where(last > first, first, first - width / 2)
    numbers = np.arange(BINS + 1.0).reshape(-1, 1)
    place = Matrix(Data(numbers), (), numbers.shape, f"{name}.bin")
    edges = (start + width * (place / BINS) - where(place > 0, 0, NUDGE * width)).placed(f"{name}.edges")
    # What has no number lies above, and is taken off there.
    counts = frequency(if_error(quantity.x, LARGEST), edges)
    last_bin = row_numbers(counts) >= BINS + 2
    counted = (counts - where(last_bin, quantity.errors, 0)).placed(f"{name}.counts", COUNT)
    shown = drawn(Graph(), [counted], edges, (), 0, f".{name}")
    summed = where(row_numbers(edges) >= row_numbers(counted).T, 1, 0) @ counted / quantity.n
    at_most = summed.placed(f"{name}.at_most")
    rest = 1 - at_most
    above = where(rest > 0.5 / quantity.n, rest, np.nan).placed(f"{name}.above")
    return OutputHistogram(place, edges, counted, shown, at_most, above)


def output_histogram_frame(of: Iterable[tuple[str, Array, Array]]) -> "pd.DataFrame":
    """A row per output and bin: `output` (index), `bin`, `above`, `up_to`, `count`, `share`.

    Bin 0 is open below, the last above. of: label, edges and counts, columns each.
    """
    import pandas as pd

    frames = []
    for label, edges, counts in of:
        above, up_to = np.append(-np.inf, edges[:, 0]), np.append(edges[:, 0], np.inf)
        # Where no trial has a number there are no edges, and no counts.
        count = np.nan_to_num(counts[:, 0]).astype(int)
        share = count / max(count.sum(), 1)
        data = {"bin": range(len(count)), "above": above, "up_to": up_to, "count": count, "share": share}
        frames.append(pd.DataFrame(data, index=pd.Index([label] * len(count), name="output")))
    return pd.concat(frames)


def cell_of(number: float) -> Matrix:
    """A number as a cell that can be changed."""
    return Matrix(Data(np.array([[number]])), (), (1, 1))


def _rounded(number: float, width: float) -> float:
    """A number to three digits of a width."""
    if not np.isfinite([number, width]).all() or width <= 0:
        return number
    digits = 2 - int(np.floor(np.log10(width)))
    return round(number, digits)
