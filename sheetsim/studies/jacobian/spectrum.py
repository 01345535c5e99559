"""What NumPy computes of Jacobians, constants in the book: their singular values, and shares of these in theory."""

from functools import partial

import numpy as np

from sheetsim.model.expr import Routine
from sheetsim.model.op import Array
from sheetsim.studies.jacobian.free_product import share_below


def _singular_values(J: Array) -> Array:
    """The singular values, the largest first, n × 1; NaN where J is not finite."""
    if not np.isfinite(J).all():
        return np.full((min(J.shape), 1), np.nan)
    return np.asarray(np.linalg.svd(J, compute_uv=False), dtype=np.float64).reshape(-1, 1)


def shares(gaussian: bool, depth: int) -> Routine:
    """The shares of singular values by bin that theory has for the first layers of a wide network.

    Its arguments: edges between the bins, one fewer than these × 1; slopes, f′² at nodes, layers × nodes; the nodes'
    weights, nodes × 1; and the gain. It gives bins × 1.
    """
    return Routine("the shares of bins in free probability", partial(_shares, gaussian, depth))


def _shares(gaussian: bool, depth: int, edges: Array, slopes: Array, weights: Array, gain: Array) -> Array:
    below = share_below(edges[:, 0], slopes[:depth], weights[:, 0] / weights.sum(), gain.item(), gaussian)
    rising = np.maximum.accumulate(np.clip(below, 0, 1))
    return np.diff(rising, prepend=0.0, append=1.0).reshape(-1, 1)


SINGULAR_VALUES = Routine("the singular values (LAPACK)", _singular_values)
