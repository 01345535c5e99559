"""The tables `layers` and `variance` in numbers, from blocks of samples as they come: what a replicate is measured by.

The definitions are those of `layers.py` and `variance.py`, without an expression and without the matrices; a test
holds the two to each other.
"""

from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetsim.engine.moments import Moments, UnitMoments
from sheetsim.model.activations import ACTIVATIONS
from sheetsim.model.op import Array
from sheetsim.model.op_table import CONSTANT
from sheetsim.model.order import order_statistics_and_counts
from sheetsim.summary.layers import STILL

# A layer's statistics in their order: the columns of `layers.layer_table` and of `variance.variance_table`, except the
# fan-in and the weights' standard deviation, which are no results.
LAYER_COLUMNS = (
    *("mean", "std", "var", "skew", "kurtosis", "min", "q05", "q50", "q95", "max"),
    *("saturated", "dead_units", "effective_units", "over_samples"),
)
VARIANCE_COLUMNS = (*("pooled", "within", "between", "additive", "covariance", "moment", "var_ratio", "moment_ratio"),)
QUANTILES = (0.05, 0.5, 0.95)
# What the claims divide: E[z²] and E[a²].
SECOND_MOMENTS = ("second_moment", "second_moment_a")
COLUMNS = (*LAYER_COLUMNS, *VARIANCE_COLUMNS, *SECOND_MOMENTS)

# Never below 0, and never above 1 besides; of the outputs, under an activation that is not below 0.
SHARES = ("saturated", "over_samples")
NONNEGATIVE = (
    *("std", "var", "dead_units", "effective_units", *SHARES),
    *("pooled", "within", "between", "additive", "moment", "var_ratio", "moment_ratio"),
    *SECOND_MOMENTS,
)
OF_OUTPUTS = ("mean", "min", "q05", "q50", "q95", "max")
# Of these relu has 0 in many replicates: no product over layers, whose logarithm could be used.
AT_BOUND = ("min", "q05", "q50", "dead_units")


def products(activation: str) -> tuple[str, ...]:
    """Those of `nonnegative` that a network makes as products over its layers, so that their logarithms add up."""
    return tuple(name for name in nonnegative(activation) if name not in AT_BOUND)


def nonnegative(activation: str) -> tuple[str, ...]:
    """The statistics that never are below 0 with that activation."""
    return NONNEGATIVE + (OF_OUTPUTS if ACTIVATIONS[activation].least >= 0 else ())


WORDS = {
    "mean": "mean of the outputs z",
    "std": "standard deviation of the outputs z",
    "var": "variance of the outputs z",
    "skew": "skewness of the outputs z",
    "kurtosis": "excess kurtosis of the outputs z",
    "min": "least output z",
    "q05": "5 % quantile of the outputs z",
    "q50": "median of the outputs z",
    "q95": "95 % quantile of the outputs z",
    "max": "greatest output z",
    "saturated": "share of saturated outputs",
    "dead_units": "number of dead units",
    "effective_units": "number of effective units",
    "over_samples": "share of the variance of the outputs z that lies over samples",
    "pooled": "variance of the pre-activations a",
    "within": "variance of the pre-activations a over samples, averaged over units",
    "between": "variance of the units' means of a",
    "additive": "variance of the pre-activations a by additivity",
    "covariance": "what covariances of the inputs add to it",
    "moment": "n·sd²·E[input²], the variance of the pre-activations a that is expected",
    "var_ratio": "variance of z over variance of a",
    "moment_ratio": "second moment of z over that of a",
    "second_moment": "second moment of the outputs z",
    "second_moment_a": "second moment of the pre-activations a",
}


def thresholds(edges: Array, tails: tuple[float, float], dtype: Any) -> Array:
    """What outputs of that type are counted by: a histogram's edges, rising, and what bounds the saturated ones.

    tails: outputs up to the first and from the second on are saturated.
    """
    # What lies on the second tail is all but what is at most the number below it.
    below = np.nextafter(dtype(tails[1]), dtype(-np.inf))
    return np.append(edges, (tails[0], below)).astype(dtype, copy=False)


class Outputs:
    """One layer's outputs z, added block by block (samples × units each).

    thresholds: see `thresholds`. Quantiles are those of the first block: exact when it is the only one.
    """

    def __init__(self, thresholds: Array) -> None:
        self._thresholds = thresholds
        self.counts = np.zeros(len(thresholds) - 1, dtype=np.int64)
        self.units: UnitMoments | None = None
        self._pooled: Moments | None = None
        self._in_saturation = 0.0
        self._quantiles: tuple[float, ...] = ()
        self._ends: tuple[float, float] = (np.inf, -np.inf)

    def add(self, z: Array, saturated: int = 0) -> None:
        """Counts a block in, with so many saturated outputs beside those on the tails."""
        size = z.size
        ranks, parts = _ranks(size)
        at_ranks, at_most = order_statistics_and_counts(z.reshape(-1), self._thresholds, ranks)
        first, last, *numbers = at_ranks.tolist()
        self.counts[:-1] += at_most[:-2]
        self.counts[1:] -= at_most[:-2]
        self.counts[-1] += size
        saturated += int(at_most[-2] + size - at_most[-1])
        self._quantiles = self._quantiles or tuple(
            low + (high - low) * part for low, high, part in zip(numbers[::2], numbers[1::2], parts, strict=True)
        )
        # NaN sorts last; beside it, or an infinity, nothing is compared.
        self._ends = np.minimum(self._ends[0], first if last == last else last), np.maximum(self._ends[1], last)
        self._in_saturation += saturated if np.isfinite(first) and np.isfinite(last) else np.nan
        units = UnitMoments.of(z)
        pooled = units.pooled(z)
        if self.units is None or self._pooled is None:
            self._first = z[:1].copy()
            self._same = np.ones(z.shape[1], dtype=bool)
            self.units, self._pooled = units, pooled
        else:
            self.units, self._pooled = self.units.merge(units), self._pooled.merge(pooled)
        # Only a unit that varies by next to nothing can be the same for all samples.
        self._same &= units.variance[0] <= (4 * CONSTANT) ** 2 * np.square(units.mean[0])
        candidates = np.flatnonzero(self._same)
        if len(candidates):
            first = self._first[:, candidates]
            off = np.abs(z[:, candidates] - first) > CONSTANT * np.abs(first)
            self._same[candidates] = ~off.any(axis=0)

    def statistics(
        self, given: UnitMoments, sums: tuple[Array, np.float64], W: Array, sd: np.float64, bias: float = 0.0
    ) -> tuple[float, ...]:
        """The numbers of COLUMNS, from what was added.

        given: the moments of the layer's input; sums: of its sums a over the samples, the units' means, 1×units, and
        the mean of their variances; W: fan-in × fan-out; sd, bias: the standard deviations of weights and biases.
        """
        assert self.units is not None
        assert self._pooled is not None
        units, pooled = self.units, self._pooled
        mean, var = pooled.mean, pooled.m2 / pooled.count
        std, square = np.sqrt(var), var + mean**2
        varies = std > CONSTANT * abs(mean)
        layer = (
            mean,
            std,
            var,
            pooled.m3 / pooled.count / std**3 if varies else np.nan,
            pooled.m4 / pooled.count / var**2 - 3 if varies else np.nan,
            self._ends[0],
            *self._quantiles,
            self._ends[1],
            self._in_saturation / pooled.count,
            np.count_nonzero(self._same),
            _effective_units(units),
            units.mean_variance / var if varies else np.nan,
        )
        means_a, within = sums
        mean_a = means_a.sum() / W.shape[1]
        apart = means_a - mean_a
        between = np.vdot(apart, apart) / W.shape[1]
        pooled_a = within + between
        additive = (given.variance @ (W * W)).sum() / W.shape[1]
        square_a = pooled_a + mean_a**2
        variance = (
            pooled_a,
            within,
            between,
            additive,
            within - additive,
            len(W) * sd**2 * given.mean_square + bias**2,
            var / pooled_a if pooled_a > 0 else np.nan,
            square / square_a if square_a > 0 else np.nan,
        )
        return tuple(float(number) for number in (*layer, *variance, square, square_a))


@lru_cache(maxsize=4)
def _ranks(size: int) -> tuple[NDArray[np.intp], tuple[float, ...]]:
    """Ranks, from 0, of the smallest and largest of so many numbers, and of the pairs that QUANTILES lie between.

    The shares say how far from the first of its pair each quantile lies (linear, as in NumPy and PERCENTILE).
    """
    places = [(size - 1) * p for p in QUANTILES]
    pairs = [(int(place), min(int(place) + 1, size - 1)) for place in places]
    return np.array([0, size - 1, *chain(*pairs)]), tuple(place - int(place) for place in places)


def input_statistics(x: UnitMoments) -> tuple[float, float, float]:
    """What the input has of the numbers that verdicts look at, as `layers.of_input` names them.

    Its mean square, the share of that which is variance over samples, and its effective units.
    """
    square = float(x.mean_square)
    over = float(x.mean_variance) / square if square else np.nan
    return square, over, _effective_units(x)


def _effective_units(units: UnitMoments) -> float:
    """See `layers.effective_units`."""
    power = units.trace
    squares = power + units.count * np.vdot(units.mean, units.mean)
    if not power > STILL**2 * squares:
        return 0.0 if power == power else np.nan
    return float(power / np.vdot(units.m2, units.m2) * power)
