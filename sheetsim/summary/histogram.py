"""Histograms of every layer on one set of edges, with the counts below and above. It draws nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sheetsim.model.expr import (
    Matrix,
    absolute,
    ceiling,
    choose,
    floor,
    frequency,
    largest,
    log10,
    maximum,
    quantile,
    where,
)
from sheetsim.model.graph import Graph
from sheetsim.model.nets import Network

if TYPE_CHECKING:
    import pandas as pd


# The first edge lies this share of the range below it, so that the first bin counts the range's end too (for relu the
# exact zeros), as Excel's histograms do. Were the edge the end itself, sigmoid's and tanh's last digits near 0 and -1,
# which differ between engines, would move counts between the first two bins.
NUDGE = 1e-9


@dataclass(frozen=True)
class Histogram:
    """edges: (bins + 1)×1, rising; counts: a layer each, (bins + 2)×1: below the range, bins (a, b], above it.

    bin: the column 0…bins; low, high: the range; largest: the greatest count of all layers;
    tails: a layer's 99.9 % quantile of |z| each, none when the limits were given.
    """

    bin: Matrix
    low: Matrix
    high: Matrix
    edges: Matrix
    counts: tuple[Matrix, ...]
    largest: Matrix
    tails: tuple[Matrix, ...]

    def frame(self, values: Mapping[Matrix, Any]) -> "pd.DataFrame":
        """A row a layer and bin: see `histogram_frame`."""
        return histogram_frame(values[self.edges], [values[node] for node in self.counts])


def histogram_frame(edges: Any, counts: Sequence[Any]) -> "pd.DataFrame":
    """A row a layer and bin: `layer` (index), `bin`, `above`, `up_to`, `count`, `share`; bin 0 is open below, the last
    above. edges: (bins + 1)×1; counts: a layer each, (bins + 2)×1."""
    import pandas as pd

    above, up_to = np.append(-np.inf, edges[:, 0]), np.append(edges[:, 0], np.inf)
    frames = []
    for layer, column in enumerate(counts, start=1):
        count = column[:, 0].astype(int)
        data = {"bin": range(len(count)), "above": above, "up_to": up_to, "count": count, "share": count / count.sum()}
        frames.append(pd.DataFrame(data, index=pd.Index([layer] * len(count), name="layer")))
    return pd.concat(frames)


def histogram(graph: Graph, network: Network, bins: int, limits: tuple[float, float] | None) -> Histogram:
    """Names `bin`, `range_low`, `range_high`, `edges`, `counts_1`…, `largest_count`; `tail`, `bound` without limits.

    limits: the range, or None for what suits the activation: sigmoid 0 to 1, tanh -1 to 1, relu 0 to a
    bound that at least 99.9 % of every layer's outputs lie under (rounded up to a multiple of half its power of ten; 1
    if all are 0), identity the same on both sides of 0.
    """
    bin_numbers = graph.input("bin", np.arange(bins + 1.0).reshape(-1, 1))
    tails: tuple[Matrix, ...] = ()
    if limits is None:
        tails, bound = _bound(graph, [layer.z for layer in network.layers])
        low = graph.define(
            "range_low", choose(network.activation, {"sigmoid": 0, "tanh": -1, "relu": 0, "identity": -bound})
        )
        high = graph.define(
            "range_high", choose(network.activation, {"sigmoid": 1, "tanh": 1, "relu": bound, "identity": bound})
        )
    else:
        low, high = graph.input("range_low", limits[0]), graph.input("range_high", limits[1])
    width = high - low
    edges = graph.define("edges", low + width * (bin_numbers / bins) - where(bin_numbers > 0, 0, NUDGE * width))
    counts = tuple(graph.define(f"counts_{layer.number}", frequency(layer.z, edges)) for layer in network.layers)
    most = graph.define("largest_count", largest(*map(maximum, counts)))
    return Histogram(bin_numbers, low, high, edges, counts, most, tails)


def symmetric_histogram(graph: Graph, name: str, matrices: Sequence[Matrix], bin_numbers: Matrix) -> Histogram:
    """Counts of matrices on one scale, on both sides of 0: a bound that 99.9 % of each lie within, rounded up.

    bin_numbers: the column 0…bins. Names `tail_NAME`, `bound_NAME`, `edges_NAME`, `counts_NAME_1`… and
    `largest_count_NAME`.
    """
    bins = bin_numbers.shape[0] - 1
    tails, bound = _bound(graph, matrices, f"_{name}")
    # A hair above where they would be, so that no edge is 0: of what is 0 but for rounding each engine has its own.
    edges = graph.define(f"edges_{name}", bound * (2 * bin_numbers / bins - 1 + NUDGE))
    counts = tuple(
        graph.define(f"counts_{name}_{k}", frequency(node, edges)) for k, node in enumerate(matrices, start=1)
    )
    most = graph.define(f"largest_count_{name}", largest(*map(maximum, counts)))
    return Histogram(bin_numbers, -bound, bound, edges, counts, most, tails)


def _bound(graph: Graph, matrices: Sequence[Matrix], suffix: str = "") -> tuple[tuple[Matrix, ...], Matrix]:
    """The 99.9 % quantiles of |x|, and the greatest rounded up to a multiple of half its power of ten, 1 if it is 0."""
    tails = tuple(quantile(absolute(node), 0.999) for node in matrices)
    q = graph.define(f"tail{suffix}", largest(*tails))
    step = 10 ** floor(log10(q)) / 2
    return tails, graph.define(f"bound{suffix}", where(q > 0, ceiling(q / step) * step, 1))
