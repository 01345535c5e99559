"""Rank correlations imposed on given marginals (Iman & Conover 1982). It knows no distribution and no expression.

The numbers of an input stay what they are; they are put in another order, in which their ranks are correlated with
those of other inputs, which keep theirs.
"""

from collections.abc import Sequence

import numpy as np

from sheetsim.model.op import Array

# Of a sum of squares: what is left of scores that others explain wholly is rounding.
NOTHING = 1e-18

# Eigenvalues of a correlation matrix that are rounding, of the largest.
SINGULAR = 1e-10


def arranged(numbers: Array, others: Sequence[Array], correlations: Sequence[float]) -> Array:
    """The numbers (a column) in the order in which their rank correlations with the others (columns) are as asked.

    Every column's ranks are turned into normal scores (van der Waerden's). The scores of the new column are the sum of
    those of the others that has the correlations, exactly for these scores, and of a part of its own that has none, its
    own scores as they were drawn; the numbers take the order of that sum. A rank correlation r is 2·sin(πr/6) between
    normal scores (Pearson 1907). Where chance has correlated the others so that no column can have all the
    correlations, they are taken by one factor nearer to 0.
    """
    z = np.stack([_standardized(_scores(other)) for other in others], axis=1)
    asked = 2 * np.sin(np.pi / 6 * np.asarray(correlations))
    between = z.T @ z / len(z)
    inverse = np.linalg.pinv(between, rcond=SINGULAR, hermitian=True)
    weights = inverse @ asked
    explained = float(weights @ between @ weights)
    if explained > 1:
        weights, explained = weights / np.sqrt(explained), 1.0
    own_scores = _standardized(_scores(numbers))
    apart = own_scores - z @ (inverse @ (z.T @ own_scores / len(z)))
    size = float(apart @ apart)
    target = z @ weights
    if size > NOTHING * len(z):
        target = target + np.sqrt((1 - explained) * len(z) / size) * apart
    ordered = np.empty(len(z))
    ordered[np.argsort(target, kind="stable")] = np.sort(numbers, axis=None)
    return ordered.reshape(-1, 1)


def is_constant(numbers: Array) -> bool:
    """Whether the numbers have one rank alone, and so no correlation."""
    return bool((numbers == numbers.flat[0]).all())


def _scores(numbers: Array) -> Array:
    """Φ⁻¹(rank/(n + 1)) of a column, equal numbers with the mean of their ranks."""
    from scipy.special import ndtri

    _, places, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places.ravel()]
    scores: Array = ndtri(ranks / (numbers.size + 1))
    return scores


def _standardized(scores: Array) -> Array:
    centered = scores - scores.mean()
    spread = np.sqrt((centered @ centered) / len(centered))
    standardized: Array = centered / spread if spread > 0 else centered
    return standardized
