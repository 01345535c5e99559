"""Measures of sensitivity from numbers, and their intervals by the bootstrap over rows. It knows no model.

They are correlations, standardized regression coefficients, and Sobol indices by Jansen's estimators.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sheetsim.engine.blas import one_thread
from sheetsim.model.op import Array
from sheetsim.model.op_table import CONSTANT

# Of the bootstrap's intervals.
LEVEL = 0.95

# Singular values of a correlation matrix below this share of the largest count as 0: inputs that say the same.
COLLINEAR = 1e-10

# Numbers of one piece of resampled counts.
PIECE = 1_000_000


class Associations(NamedTuple):
    """Correlations, rank correlations and standardized coefficients by input or group, of one sample.

    r2: R² of the regression, a single number.
    """

    pearson: Array
    spearman: Array
    src: Array
    r2: Array


class Regression:
    """An output's linear regression on its inputs, and what each group of inputs has in it.

    x: rows × inputs; y: the output; groups: the inputs' places by group. A group is what its inputs add to the
    regression, Σ b x: `scores`, rows × groups, which is x itself for a single input. Rows in which y has no number have
    scores, and count for nothing else.
    """

    @one_thread()
    def __init__(self, x: Array, y: Array, groups: list[list[int]]) -> None:
        self.groups = groups
        has = np.isfinite(y)
        every, x, y = x, x[has], y[has]
        # Of the size 1, so that sums of squares lose no digits.
        self._z = np.column_stack([_standardized(x), _standardized(y[:, None])])
        coefficients = _coefficients(_covariances(self._z, np.ones(len(y))), len(y))
        self.scores: Array = np.column_stack(
            [
                every[:, places[0]] if len(places) == 1 else _standardized(every[:, places]) @ coefficients[places]
                for places in groups
            ]
        )
        self._s = np.column_stack([_standardized(self.scores[has]), self._z[:, -1]])
        self._ties = [np.unique(column, return_inverse=True)[1] for column in self._s.T]

    @one_thread()
    def associations(self, counts: Array | None = None) -> Associations:
        """The measures, of the sample or of one in which each row stands so many times."""
        rows = len(self._z)
        w = np.ones(rows) if counts is None else counts
        with np.errstate(all="ignore"):
            covariances = _covariances(self._z, w)
            b = _coefficients(covariances, int((w > 0).sum()))
            spread = np.sqrt(covariances[-1, -1])
            parts = [_part(b[places], covariances[np.ix_(places, places)]) for places in self.groups]
            src = np.array(parts) / spread
            explained: Array = np.asarray(b @ covariances[:-1, -1] / covariances[-1, -1])
            ranks = np.column_stack([_ranks(ties, w) for ties in self._ties])
            return Associations(_with_last(self._s, w), _with_last(ranks, w), src, explained)

    @one_thread()
    def intervals(self, resamples: int, rng: np.random.Generator) -> tuple[Associations, Associations]:
        """The ends of the measures' 95 % intervals, percentiles over resampled rows."""
        rows = len(self._z)
        samples = [
            self.associations(np.bincount(rng.integers(0, rows, rows), minlength=rows).astype(float))
            for _ in range(resamples)
        ]
        ends = [_ends(np.array(numbers)) for numbers in zip(*samples, strict=True)]
        return Associations(*(low for low, _ in ends)), Associations(*(high for _, high in ends))


def _part(b: Array, covariances: Array) -> float:
    """Standard deviation of the part that some inputs add to a regression.

    For a single input it has the sign of its coefficient. NaN where none of them varies.
    """
    if not (np.diagonal(covariances) > 0).any():
        return np.nan
    return float(b[0] * np.sqrt(covariances[0, 0])) if len(b) == 1 else float(np.sqrt(b @ covariances @ b))


def _standardized(x: Array) -> Array:
    """Columns of mean 0 and variance 1; zeros where a column does not vary."""
    with np.errstate(all="ignore"):
        middle, spread = x.mean(axis=0), x.std(axis=0)
        if not np.isfinite(spread).all():
            # Squares of numbers beyond 1e154 are none.
            return _standardized(x / np.abs(x).max(axis=0))
        varies = spread > CONSTANT * np.abs(middle)
        return np.where(varies, (x - middle) / spread, 0)


def _covariances(z: Array, w: Array) -> Array:
    """The covariances of the columns."""
    total = w.sum()
    centered = z - w @ z / total
    covariances: Array = (centered * w[:, None]).T @ centered / total
    return covariances


def _coefficients(covariances: Array, rows: int) -> Array:
    """Coefficients of the regression of the last column on the others, 0 for those that do not vary.

    NaN with no more rows than unknowns, and for a constant last column.
    """
    varying = np.flatnonzero(np.diagonal(covariances)[:-1] > 0)
    if rows <= len(varying) + 1 or not covariances[-1, -1] > 0:
        return np.full(len(covariances) - 1, np.nan)
    b: Array = np.zeros(len(covariances) - 1)
    b[varying] = (
        np.linalg.pinv(covariances[np.ix_(varying, varying)], COLLINEAR, hermitian=True) @ (covariances[varying, -1])
    )
    return b


def _with_last(x: Array, w: Array) -> Array:
    """The correlation of each column with the last one."""
    centered = x - w @ x / w.sum()
    squares = w @ centered**2
    correlations: Array = (w * centered[:, -1]) @ centered / np.sqrt(squares * squares[-1])
    return np.where(squares > 0, correlations, np.nan)[:-1]


def _ranks(ties: NDArray[np.intp], w: Array) -> Array:
    """The ranks of a column in which each row stands so many times; equal numbers share the mean of theirs.

    ties: the place of each row's number among the different ones.
    """
    counts = np.bincount(ties, weights=w)
    ranks: Array = (np.cumsum(counts) - (counts - 1) / 2)[ties]
    return ranks


def contributions(spearman: Array) -> Array:
    """Contribution to variance as Crystal Ball and its like have it.

    Squared rank correlations as shares of their sum, with the sign of the correlation.
    """
    squares = np.where(np.isfinite(spearman), spearman, 0) ** 2
    with np.errstate(all="ignore"):
        shares: Array = np.sign(spearman) * squares / squares.sum()
    return shares


class Design(NamedTuple):
    """An output at the points of Saltelli's design.

    f_a and f_b: at two independent samples of all inputs, rows long; f_ab: groups × rows, at the first sample with one
    group's inputs from the second.
    """

    f_a: Array
    f_b: Array
    f_ab: Array

    def whole(self) -> "Design":
        """The rows that have all numbers."""
        kept = np.isfinite(self.f_a) & np.isfinite(self.f_b) & np.isfinite(self.f_ab).all(axis=0)
        return Design(self.f_a[kept], self.f_b[kept], self.f_ab[:, kept])


class SobolIndices(NamedTuple):
    """First-order and total indices by group."""

    first: Array
    total: Array


@one_thread()
def jansen(design: Design) -> SobolIndices:
    """The indices by Jansen's estimators (Jansen 1999; Saltelli et al. 2010, doi:10.1016/j.cpc.2009.09.018, table 2).

    S_i = 1 − Σ(f_b − f_ab_i)²/(2 N V) and T_i = Σ(f_a − f_ab_i)²/(2 N V), V the variance of f_a and f_b together.
    """
    first, total = _indices(_terms(design), np.ones((len(design.f_a), 1)))
    return SobolIndices(first[:, 0], total[:, 0])


@one_thread()
def jansen_intervals(design: Design, resamples: int, rng: np.random.Generator) -> tuple[SobolIndices, SobolIndices]:
    """The ends of the indices' 95 % intervals, percentiles over resampled rows."""
    terms, rows = _terms(design), len(design.f_a)
    pieces: list[tuple[Array, Array]] = []
    done = 0
    while done < resamples:
        count = min(resamples - done, max(1, PIECE // rows))
        w = np.stack([np.bincount(rng.integers(0, rows, rows), minlength=rows) for _ in range(count)], axis=1)
        pieces.append(_indices(terms, w.astype(float)))
        done += count
    first, total = (_ends(np.concatenate(part, axis=1).T) for part in zip(*pieces, strict=True))
    return SobolIndices(first[0], total[0]), SobolIndices(first[1], total[1])


def _terms(design: Design) -> Array:
    """What the estimators are means of, a row each: f, f², then (f_b − f_ab)²/2 and (f_a − f_ab)²/2 by group.

    NaN where f does not vary.
    """
    f_a, f_b, f_ab = design
    # Squares that overflow have no index.
    with np.errstate(over="ignore", invalid="ignore"):
        return _of_numbers(f_a, f_b, f_ab)


def _of_numbers(f_a: Array, f_b: Array, f_ab: Array) -> Array:
    both = np.concatenate([f_a, f_b])
    middle = both.mean() if len(both) else np.nan
    if not len(both) or not both.std() > CONSTANT * abs(middle):
        return np.full((2 + 2 * len(f_ab), len(f_a)), np.nan)
    a, b = f_a - middle, f_b - middle
    return np.vstack([(a + b) / 2, (a * a + b * b) / 2, (f_b - f_ab) ** 2 / 2, (f_a - f_ab) ** 2 / 2])


def _indices(terms: Array, w: Array) -> tuple[Array, Array]:
    """First-order and total indices, groups × columns of w: how often each row stands in a sample."""
    with np.errstate(all="ignore"):
        means = terms @ w / w.sum(axis=0)
        variance = means[1] - means[0] ** 2
        groups = (len(terms) - 2) // 2
        return 1 - means[2 : 2 + groups] / variance, means[2 + groups :] / variance


def _ends(samples: Array) -> tuple[Array, Array]:
    """The ends of the interval by percentiles over the first axis; NaN where a sample has none."""
    low, high = np.quantile(samples, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high
