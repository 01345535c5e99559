"""Numbers that come block by block and are not kept.

Their moments, ends, and counts in so fine bins that quantiles can be read off them.
"""

import numpy as np

from sheetsim.engine.moments import Moments
from sheetsim.model.op import Array

# Bins to a unit of asinh: a bin is as wide as 1/FINE of the distance from the median, or of SPREAD of the quartiles'
# distance where that is more.
FINE = 1 << 14
SPREAD = 0.1

# The bins reach so far in units of asinh: 1e10 times SPREAD of the quartiles' distance on each side.
REACH = 24


class Binned:
    """Counts numbers block by block; those that are not finite are counted apart.

    n: how many are finite, errors: how many are not; low, high: the smallest and the largest.
    The bins are laid about the median of the first block: equal steps of asinh((x − median)/scale).
    """

    def __init__(self) -> None:
        self.n = self.errors = 0
        self.low, self.high = np.inf, -np.inf
        self.moments: Moments | None = None
        self._counts = np.zeros(2 * REACH * FINE + 1, dtype=np.int64)
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
        if self.moments is None:
            first, self._middle, last = np.quantile(x, [0.25, 0.5, 0.75]).tolist()
            self._scale = SPREAD * (last - first) or SPREAD * float(np.ptp(x)) or abs(self._middle) or 1.0
        self.n += x.size
        self.low, self.high = min(self.low, float(x.min())), max(self.high, float(x.max()))
        moments = Moments.of(x)
        self.moments = moments if self.moments is None else self.moments.merge(moments)
        places = x - self._middle
        places *= 1 / self._scale
        np.arcsinh(places, out=places)
        places *= FINE
        np.clip(places, -REACH * FINE, REACH * FINE, out=places)
        keys = places.astype(np.int64)
        keys += REACH * FINE
        first = int(keys.min())
        keys -= first
        counts = np.bincount(keys)
        self._counts[first : first + len(counts)] += counts

    def quantiles(self, p: Array) -> Array:
        """The p-quantiles, linear within a bin: off by less than its width."""
        ranks = np.asarray(p) * (self.n - 1)
        return np.interp(ranks, self._cumulative[0], self._cumulative[1])

    def at_most(self, t: float) -> float:
        """The share of numbers at or below t, linear within a bin."""
        if t < self.low or not self.n:
            return 0.0
        if t >= self.high:
            return 1.0
        ranks, edges = self._cumulative
        return float(np.interp(t, edges, ranks + 0.5) / self.n)

    @property
    def _cumulative(self) -> tuple[Array, Array]:
        """Ranks (from 0) at the edges of the bins that hold numbers, and these edges, within the ends."""
        held = np.flatnonzero(self._counts)
        # Truncation towards 0 makes the bin of the median twice as wide.
        keys = np.arange(held[0], held[-1] + 2) - REACH * FINE
        edges = self._middle + self._scale * np.sinh(np.where(keys > 0, keys, keys - 1) / FINE)
        below = np.append(0, np.cumsum(self._counts[held[0] : held[-1] + 1]))
        return np.clip(below - 0.5, 0, self.n - 1), np.clip(edges, self.low, self.high)
