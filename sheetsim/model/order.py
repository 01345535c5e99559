"""Order statistics and counts of many numbers, without sorting them all. It knows no histogram and no quantile."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetsim.model.op import Array

# Fine bins, whose counters fit into a processor's first cache.
BINS = 4096

# Fewer numbers are sorted in less time.
FEW = 4000

# A bin that holds more than one in CROWD of the numbers is divided on its own, ZOOMS times at most: heavy tails.
CROWD = 16
ZOOMS = 2

# By type: a number beside which numbers are integers, and how far from it they may lie.
ROUNDING: dict[str, Any] = {
    "d": (np.float64(1.5 * 2**52), np.float64(2**40)),
    "f": (np.float32(1.5 * 2**23), np.float32(2**16)),
}


def order_statistics_and_counts(
    values: Array, edges: Array, ranks: NDArray[np.intp], few: int = FEW, zooms: int = ZOOMS
) -> tuple[Any, Any]:
    """`np.sort(values)[ranks]` and `np.searchsorted(np.sort(values), edges, side="right")`, except for the sign of a 0.

    values: 1-D, float32 or float64; edges: 1-D, of the same type; ranks: 1-D, integers from 0 to len(values) − 1.

    A number x lies in the fine bin (x − least)·scale + 1, to the nearest integer. Rounded at each step, that never
    falls as x rises: what lies in a lower bin is less, and only bins that hold an edge or a wanted rank need be sorted.
    All numbers are sorted where they are few, and where no finite scale exists: with infinities or NaN, or a range near
    the least positive number.
    """
    size = len(values)
    if size <= few or not zooms:
        return _by_sorting(values, edges, ranks)
    low, high = values.min(), values.max()
    if low == high:
        return np.full(len(ranks), low), np.where(edges < low, 0, size)
    with np.errstate(all="ignore"):
        scale = values.dtype.type(BINS / (high - low))
    if not 0 < scale < np.inf:
        return _by_sorting(values, edges, ranks)
    bins = _bins(values, low, scale)
    counts = np.bincount(bins, minlength=BINS + 3)
    crowd = size // CROWD
    # Of each end there may be many: relu's zeros are half of its outputs.
    least = np.count_nonzero(values == low) if counts[:3].max() > crowd or (edges == low).any() else 1
    greatest = np.count_nonzero(values == high) if counts[-3:].max() > crowd else 1
    at_ranks = np.where(ranks < least, low, high)
    at_most = np.where(edges < low, 0, np.where(edges == low, least, size))
    inner_ranks = np.flatnonzero((least <= ranks) & (ranks < size - greatest))
    inner_edges = np.flatnonzero((low < edges) & (edges < high))
    rank_bins = counts.cumsum().searchsorted(ranks[inner_ranks], side="right")
    edge_bins = _bins(edges[inner_edges], low, scale)
    wanted = np.zeros(len(counts), dtype=bool)
    wanted[rank_bins] = wanted[edge_bins] = True
    crowded = np.flatnonzero(wanted & (counts > crowd))
    wanted[crowded] = False
    for group in (wanted, *(np.arange(len(counts)) == k for k in crowded)):
        own_ranks, own_edges = group[rank_bins], group[edge_bins]
        of_ranks, of_edges = inner_ranks[own_ranks], inner_edges[own_edges]
        # Numbers in lower bins that are not in the group.
        others = np.where(group, 0, counts).cumsum()
        # An array of truths as an index takes half as long again.
        held = values.take(np.flatnonzero(group.take(bins)))
        at_ranks[of_ranks], counted = order_statistics_and_counts(
            held, edges[of_edges], ranks[of_ranks] - others[rank_bins[own_ranks]], few, zooms - 1
        )
        at_most[of_edges] = counted + others[edge_bins[own_edges]]
    return at_ranks, at_most


def _by_sorting(values: Array, edges: Array, ranks: NDArray[np.intp]) -> tuple[Any, Any]:
    rising = np.sort(values)
    return rising[ranks], np.searchsorted(rising, edges, side="right")


def _bins(values: Array, low: Any, scale: Any) -> Any:
    """The fine bins of values not below `low`, from 0 to BINS + 2, as numpy.bincount takes them."""
    shift, far = ROUNDING[values.dtype.char]
    start = low * scale
    # Each step passes over all numbers: one less, unless they lie so far from 0 that digits would be lost.
    if -far < start < far:
        scaled = values * scale
    else:
        scaled = values - low
        scaled *= scale
        start = 0
    # Rounds, and leaves the integer in the last bits. NumPy converts doubles to integers of 64 bits one by one.
    scaled += shift + (1 - np.rint(start))
    bins = scaled.view(f"i{scaled.itemsize}")
    bins -= shift.view(bins.dtype)
    return bins.astype(np.intp, copy=False)
