"""Numbers that come block by block and are not kept.

Their moments, ends, and counts in so fine bins that quantiles can be read off them.
"""

import numpy as np
from numpy.typing import NDArray

from sheetsim.engine.moments import Moments
from sheetsim.model.op import Array

# Bins to a unit of asinh: a bin is as wide as 1/FINE of the distance from the median, or of SPREAD of the quartiles'
# distance where that is more.
FINE = 1 << 14
SPREAD = 0.1

# The bins reach so far in units of asinh: to the largest double.
REACH = 711


class Binned:
    """Counts numbers block by block; those that are not finite are counted apart.

    n: how many are finite, errors: how many are not; low, high: the smallest and the largest.
    The bins are laid about the median of the first block: equal steps of asinh((x − median)/scale).
    """

    def __init__(self) -> None:
        self.n = self.errors = 0
        self.low, self.high = np.inf, -np.inf
        self.moments: Moments | None = None
        # Of the bins from the lowest to the highest that holds a number: the number of the first, counts, and the
        # least and the greatest number in each.
        self._first = 0
        self._counts = np.zeros(0, dtype=np.int64)
        self._lows: Array = np.zeros(0)
        self._highs: Array = np.zeros(0)
        self._middle, self._scale = 0.0, 0.0

    def add(self, values: Array) -> None:
        """Counts a block in."""
        x = values.ravel()
        finite = np.isfinite(x)
        if not finite.all():
            self.errors += int(x.size - finite.sum())
            x = x[finite]
        if not x.size:
            return
        self.n += x.size
        self.low, self.high = min(self.low, float(x.min())), max(self.high, float(x.max()))
        with np.errstate(over="ignore", invalid="ignore"):
            moments = Moments.of(x)
            self.moments = moments if self.moments is None else self.moments.merge(moments)
            bins = self._bins(x)
        first, last = int(bins.min()), int(bins.max())
        self._reach(first, last)
        bins -= self._first
        part = slice(first - self._first, last + 1 - self._first)
        self._counts[part] += np.bincount(bins - part.start)
        np.minimum.at(self._lows, bins, x)
        np.maximum.at(self._highs, bins, x)

    def _bins(self, x: Array) -> NDArray[np.int64]:
        """The number of each one's bin."""
        if not len(self._counts):
            first, self._middle, last = np.quantile(x, [0.25, 0.5, 0.75]).tolist()
            scales = SPREAD * (last - first), SPREAD * (self.high - self.low), abs(self._middle)
            self._scale = next((scale for scale in scales if 0 < scale < np.inf), 1.0)
        places = x - self._middle
        places /= self._scale
        np.arcsinh(places, out=places)
        np.clip(places, -REACH, REACH, out=places)
        places *= FINE
        return places.astype(np.int64)

    def _reach(self, first: int, last: int) -> None:
        """Makes room for the bins of these numbers."""
        count = len(self._counts)
        if count:
            first, last = min(first, self._first), max(last, self._first + count - 1)
        if last - first + 1 == count:
            return
        before = self._first - first if count else 0
        around = before, last - first + 1 - count - before
        self._counts = np.pad(self._counts, around)
        self._lows = np.pad(self._lows, around, constant_values=np.inf)
        self._highs = np.pad(self._highs, around, constant_values=-np.inf)
        self._first = first

    def quantiles(self, p: Array) -> Array:
        """The p-quantiles, linear between order statistics, those within a bin evenly: off by less than its width."""
        if not self.n:
            return np.full(np.shape(p), np.nan)
        counts, lows, highs = self._held
        last = np.cumsum(counts) - 1
        ranks = np.column_stack([last - counts + 1, last]).ravel()
        return np.interp(np.asarray(p) * (self.n - 1), ranks, np.column_stack([lows, highs]).ravel())

    def at_most(self, t: float) -> float:
        """The share of numbers at or below t, linear within a bin; NaN where there is no number."""
        if not self.n or np.isnan(t):
            return np.nan
        counts, lows, highs = self._held
        k = int(np.searchsorted(lows, t, side="right")) - 1
        if k < 0:
            return 0.0
        # From the first one of its bin to all of them.
        part = 1.0 if t >= highs[k] else (t - lows[k]) / (highs[k] - lows[k])
        return float(counts[:k].sum() + 1 + part * (counts[k] - 1)) / self.n

    @property
    def _held(self) -> tuple[NDArray[np.int64], Array, Array]:
        """Of the bins that hold numbers: counts, and the least and the greatest number."""
        held = np.flatnonzero(self._counts)
        return self._counts[held], self._lows[held], self._highs[held]
