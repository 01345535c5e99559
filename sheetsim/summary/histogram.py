"""Histograms of every layer on one set of edges, with the counts below and above. It draws nothing, but says how high.

Exact zeros, of which relu gives a half, are a bar of their own: else it would decide the scale of all the others.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from sheetsim.model.activations import ACTIVATIONS, Activation, chosen, chosen_is
from sheetsim.model.expr import (
    COUNT,
    Matrix,
    Operand,
    absolute,
    ceiling,
    equal,
    floor,
    frequency,
    largest,
    log10,
    maximum,
    minimum,
    quantile,
    row,
    row_numbers,
    total,
    where,
)
from sheetsim.model.graph import Graph
from sheetsim.model.nets import Network
from sheetsim.model.op import Array

if TYPE_CHECKING:
    import pandas as pd


# The first edge lies this share of the range below it, so that the first bin counts the range's end too (for relu the
# exact zeros), as Excel's histograms do. Were the edge the end itself, sigmoid's and tanh's last digits near 0 and -1,
# which differ between engines, would move counts between the first two bins.
NUDGE = 1e-9

# Of the charts' height where there are zeros: how high the tallest of the other bars is, and between which heights the
# bar of zeros is broken where it is taller than the chart.
TALLEST, BREAK = 0.8, (0.9, 0.94)

# What the matrices are.
COMPARED = ": books that have the same can be compared"
REACH = f"a least bound{COMPARED}"
LOW, HIGH = (f"the {end} end of the histograms' range" for end in ("lower", "upper"))
COUNTS = "a layer's counts below the range, in each bin, above the range"
HEIGHT = "what the charts' common scale reaches: the greatest bar, and room for a bar of zeros"


class Zeros(Struct, frozen=True):
    """The bar of a layer's exact zeros, behind the bar of the others in their bin and as high as the two together.

    at: their bin's row among the counts, from 0; share: of all outputs; parts: heights of three bars, each drawn over
    the one before: the whole, a gap, and what is below it. The first two are 0 where the bar is not broken.
    """

    at: int
    share: Matrix
    parts: tuple[Matrix, Matrix, Matrix]


class Drawn(Struct, frozen=True):
    """What charts show of counts by edges, a layer each.

    labels: the edges rounded for an axis; bars: the counts without the exact zeros; largest: the largest of all bars;
    height: that the charts need, the same for all layers; zeros: a layer each, none where there can be none.
    """

    edges: Matrix
    counts: tuple[Matrix, ...]
    labels: Matrix
    bars: tuple[Matrix, ...]
    largest: Matrix
    height: Matrix
    zeros: tuple[Zeros, ...]


class Histogram(Struct, frozen=True):
    """edges: (bins + 1)×1, rising; counts: a layer each, (bins + 2)×1: below the range, bins (a, b], above it.

    bin: the column 0…bins; low, high: the range; drawn: how charts show it;
    tails: a layer's 99.9 % quantile of |z| each, none when the limits were given.
    """

    bin: Matrix
    low: Matrix
    high: Matrix
    edges: Matrix
    counts: tuple[Matrix, ...]
    drawn: Drawn
    tails: tuple[Matrix, ...]

    def frame(self, values: Mapping[Matrix, Array]) -> "pd.DataFrame":
        """A row per layer and bin: see `histogram_frame`."""
        return histogram_frame(values[self.edges], [values[node] for node in self.counts])


class LayerCounts(Struct, frozen=True):
    """The numbers of a histogram: edges (bins + 1) and counts (layers × bins + 2).

    Where charts show exact zeros as a bar of their own, also their number by layer and their bin's place.
    """

    edges: Array
    counts: Array
    zeros: Array
    at: int

    @classmethod
    def of(cls, edges: Array, counts: Sequence[Array], bars: Sequence[Array]) -> "LayerCounts":
        """bars: the counts without the exact zeros."""
        taken = np.reshape(counts, (len(counts), -1)) - np.reshape(bars, (len(bars), -1))
        at = int(np.searchsorted(np.ravel(edges), 0.0))
        return cls(np.ravel(edges), np.reshape(counts, taken.shape), taken.sum(axis=1), at)

    @property
    def bars(self) -> Array:
        """The counts without the exact zeros."""
        bars = self.counts.copy()
        if self.zeros.any():
            bars[:, self.at] -= self.zeros
        return bars


def histogram_frame(edges: Array, counts: Sequence[Array]) -> "pd.DataFrame":
    """A row per layer and bin: `layer` (index), `bin`, `above`, `up_to`, `count`, `share`.

    Bin 0 is open below, the last above. edges: (bins + 1)×1; counts: a layer each, (bins + 2)×1.
    """
    import pandas as pd

    above, up_to = np.append(-np.inf, edges[:, 0]), np.append(edges[:, 0], np.inf)
    frames = []
    for layer, column in enumerate(counts, start=1):
        count = column[:, 0].astype(int)
        data = {"bin": range(len(count)), "above": above, "up_to": up_to, "count": count, "share": count / count.sum()}
        frames.append(pd.DataFrame(data, index=pd.Index([layer] * len(count), name="layer")))
    return pd.concat(frames)


def numbered(graph: Graph, bins: int) -> Matrix:
    """The column 0…bins. Names `bin`."""
    return graph.input("bin", np.arange(bins + 1.0).reshape(-1, 1), what="the bins' numbers")


def histogram(
    graph: Graph,
    network: Network,
    shares: Sequence[Matrix],
    bins: int,
    limits: tuple[float, float] | None,
    reach: float = 0.0,
    tallest: float = 0.0,
) -> Histogram:
    """Names `bin`, `range_low`, `range_high`, `edges`, `counts_1`…, and those of `drawn`.

    Without limits also `reach`, `tail`, `bound`.

    shares: a layer each, of its outputs that are 0 when the activation gives exact zeros (relu); limits: the range, or
    None for what suits the activation: its own bounds where it is bounded (sigmoid 0 to 1, tanh -1 to 1), else a bound
    that at least 99.9 % of every layer's |z| lie under (rounded up to a multiple of half its power of ten; 1 if all are
    0) and that is `reach` at least, on both sides of 0 (leaky relu: a quarter of it below) or from the least output up.
    """
    bin_numbers = numbered(graph, bins)
    tails: tuple[Matrix, ...] = ()
    at = 1
    if limits is None:
        tails, bound = _bound(
            graph, [layer.z for layer in network.layers], least=graph.input("reach", reach, what=REACH)
        )
        lows = {name: _low(f, bound) for name, f in ACTIVATIONS.items() if f.least > -np.inf or f.below < 1}
        highs = {name: f.most for name, f in ACTIVATIONS.items() if f.bounded}
        low = graph.define("range_low", chosen(network.activation, lows, -bound), what=LOW)
        high = graph.define("range_high", chosen(network.activation, highs, bound), what=HIGH)
    else:
        low, high = graph.input("range_low", limits[0], what=LOW), graph.input("range_high", limits[1], what=HIGH)
        at = int(np.searchsorted(edges_between(*limits, bins), 0.0))
    width = high - low
    edges = graph.define(
        "edges",
        low + width * (bin_numbers / bins) - where(bin_numbers > 0, 0, NUDGE * width),
        what="the bins' upper edges; a bin is (edge before, edge], and the first bin has the range's lower end too",
    )
    counts = tuple(
        graph.define(f"counts_{layer.number}", frequency(layer.z, edges), kind=COUNT, what=COUNTS)
        for layer in network.layers
    )
    zeros = [where(chosen_is(network.activation, lambda f: f.zeros), share, 0) for share in shares]
    least = graph.input("tallest", tallest, what=f"a least height for the charts' common scale{COMPARED}")
    shown = drawn(graph, counts, edges, zeros, at, least=least)
    return Histogram(bin_numbers, low, high, edges, counts, shown, tails)


def _low(f: Activation, bound: Matrix) -> Operand:
    """The lower end of a range for outputs of which 99.9 % lie within the bound."""
    if np.isinf(f.least):
        return -f.below * bound
    return f.least if f.bounded or f.least >= 0 else largest(-bound, f.least)


def edges_between(low: float, high: float, bins: int) -> Array:
    """The edges of so many bins, to the last digit as the model computes them."""
    numbers, width = np.arange(bins + 1.0), high - low
    return low + width * (numbers / bins) - np.where(numbers > 0, 0, NUDGE * width)


def symmetric_histogram(
    graph: Graph, name: str, matrices: Sequence[Matrix], bin_numbers: Matrix, shares: Sequence[Matrix] = ()
) -> Histogram:
    """Counts of matrices on one scale, on both sides of 0: a bound that 99.9 % of each lie within, rounded up.

    bin_numbers: the column 0…bins; shares: of each matrix that is 0, where that is not next to nothing. Names
    `tail_NAME`, `bound_NAME`, `edges_NAME`, `counts_NAME_1`…, and those of `drawn`.
    """
    bins = bin_numbers.shape[0] - 1
    tails, bound = _bound(graph, matrices, f"_{name}")
    # A hair above where they would be, so that no edge is 0: of what is 0 except for rounding each engine has its own.
    edges = graph.define(f"edges_{name}", bound * (2 * bin_numbers / bins - 1 + NUDGE), what="the bins' upper edges")
    counts = tuple(
        graph.define(f"counts_{name}_{k}", frequency(node, edges), kind=COUNT, what=COUNTS)
        for k, node in enumerate(matrices, start=1)
    )
    shown = drawn(graph, counts, edges, shares, (bins + 1) // 2, f"_{name}")
    return Histogram(bin_numbers, -bound, bound, edges, counts, shown, tails)


def drawn(
    graph: Graph,
    counts: Sequence[Matrix],
    edges: Matrix,
    shares: Sequence[Matrix],
    at: int,
    suffix: str = "",
    least: Matrix | None = None,
) -> Drawn:
    """How charts show counts.

    shares: of exact zeros, a layer each, or none; at: their row among the counts; least: a least height for the
    tallest bar. Names `bars_1`…, where there are shares, `largest_count` and `chart_height`.
    """
    bars = tuple(counts)
    if shares:
        taken = [floor(share * total(column) + 0.5) for share, column in zip(shares, counts, strict=True)]
        bars = tuple(
            graph.define(
                f"bars{suffix}_{k}",
                column - zeros * where(equal(row_numbers(column), at + 1), 1, 0),
                what="counts without the exact zeros",
            )
            for k, (column, zeros) in enumerate(zip(counts, taken, strict=True), start=1)
        )
    most = graph.define(f"largest_count{suffix}", largest(*map(maximum, bars)), what="the greatest of all bars")
    scale = most if least is None else largest(most, least)
    if not shares:
        height = graph.define(f"chart_height{suffix}", 1 * scale, what=HEIGHT)
        return Drawn(edges, bars, labels(edges), bars, most, height, ())
    # Where all are zeros they alone are the scale.
    scale = where(scale > 0, scale, largest(*map(maximum, counts)))
    height = graph.define(f"chart_height{suffix}", scale / where(largest(*shares) > 0, TALLEST, 1), what=HEIGHT)
    zeros = (Zeros(at, share, _parts(column, share, at, height)) for column, share in zip(counts, shares, strict=True))
    return Drawn(edges, tuple(counts), labels(edges), bars, most, height, tuple(zeros))


def _parts(counts: Matrix, share: Matrix, at: int, height: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    whole = where(share > 0, row(counts, at + 1), 0)
    low, high = (where(whole > height, part * height, 0) for part in BREAK)
    return where(whole > height, height, 0), high, where(whole > height, low, whole)


def labels(edges: Matrix) -> Matrix:
    """The edges to two digits of the bins' width, for an axis: the first edge is then the range's end and no nudge."""
    width = (maximum(edges) - minimum(edges)) / (edges.shape[0] - 1)
    # Hairs, so that rounding decides neither about a width that is a power of ten nor about a half: INT of LibreOffice
    # takes what lies just below an integer for it.
    power = 10 ** (1 - floor(log10(width) + 1e-9))
    return floor(edges * power + 0.501) / power


def _bound(
    graph: Graph, matrices: Sequence[Matrix], suffix: str = "", least: Matrix | None = None
) -> tuple[tuple[Matrix, ...], Matrix]:
    """The 99.9 % quantiles of |x|, and the largest rounded up to a multiple of half its power of ten, 1 if it is 0.

    least: a bound that it is at least; with one, all 0 has no bound of its own.
    """
    tails = tuple(quantile(absolute(node), 0.999) for node in matrices)
    q = graph.define(
        f"tail{suffix}", largest(*tails), what="the greatest 99.9 % quantile of all layers, of the magnitude"
    )
    step = 10 ** floor(log10(q)) / 2
    rounded = where(q > 0, ceiling(q / step) * step, 1 if least is None else where(least > 0, 0, 1))
    if least is None:
        return tails, graph.define(
            f"bound{suffix}", rounded, what="the ends of the histograms' ranges, on both sides of 0"
        )
    said = "tail rounded up, and reach at least: the upper end for activations without bounds"
    return tails, graph.define(f"bound{suffix}", largest(rounded, least), what=said)
