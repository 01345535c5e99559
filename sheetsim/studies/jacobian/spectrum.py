"""Singular values of Jacobians: by LAPACK, and the distribution that theory has for products of Gaussian matrices."""

import numpy as np

from sheetsim.model.expr import Routine
from sheetsim.model.op import Array

# Points of the curve on which the distribution is tabulated; its shares of bins are good to 1e-7.
POINTS = 20_001


def _singular_values(J: Array) -> Array:
    """The singular values, the largest first, n × 1; NaN where J is not finite."""
    if not np.isfinite(J).all():
        return np.full((min(J.shape), 1), np.nan)
    return np.asarray(np.linalg.svd(J, compute_uv=False), dtype=np.float64).reshape(-1, 1)


def fuss_catalan(factors: int) -> tuple[Array, Array]:
    """The distribution of the squared singular values of a product of so many square Gaussian matrices with elements of
    variance 1/n, for large n: points x, rising, and the share below each.

    x = sin^{s+1}((s+1)φ)/(sin φ sin^s(sφ)) for 0 < φ < π/(s+1), of density sin²φ sin^{s−1}(sφ)/(π sin^s((s+1)φ)), with
    moments C((s+1)k, k)/(sk+1) (Haagerup & Möller 2013, arXiv:1203.4474; s = 1 is Marchenko & Pastur's).
    """
    s = float(factors)
    phi = np.linspace(0, np.pi / (s + 1), POINTS)[1:-1]
    u, v, w = np.sin(phi), np.sin(s * phi), np.sin((s + 1) * phi)
    log_x = (s + 1) * np.log(w) - np.log(u) - s * np.log(v)
    falls = np.cos(phi) * v * w + s**2 * np.cos(s * phi) * u * w - (s + 1) ** 2 * np.cos((s + 1) * phi) * u * v
    # density · x · |d log x / dφ|, in which what is 0 at an end has canceled.
    density = falls / (np.pi * v**2)
    steps = np.diff(phi) * (density[1:] + density[:-1]) / 2
    above = np.concatenate([[0.0], np.cumsum(steps)])
    top = (s + 1) ** (s + 1) / s**s
    x = np.exp(log_x)
    share = 1 - above - density[0] * phi[0] / 2
    return np.concatenate([[0.0], x[::-1], [top]]), np.concatenate([[0.0], share[::-1], [1.0]])


def _gaussian_shares(edges: Array, mean_square: Array, depth: Array) -> Array:
    """Shares of singular values by bin for a linear Gaussian network: up to each edge, and above the last."""
    x, share = fuss_catalan(round(depth.item()))
    if not (np.isfinite(edges).all() and np.isfinite(mean_square).all() and mean_square.item() > 0):
        return np.full((len(edges) + 1, 1), np.nan)
    at_most = np.interp(edges[:, 0] ** 2 / mean_square.item(), x, share)
    return np.diff(at_most, prepend=0.0, append=1.0).reshape(-1, 1)


SINGULAR_VALUES = Routine("the singular values (LAPACK)", _singular_values)
GAUSSIAN_SHARES = Routine("the shares of bins in the distribution of Fuss & Catalan", _gaussian_shares)
