"""The distribution of singular values that free probability expects of a wide network's Jacobian.

J = W_1 D_1 W_2 D_2 … with diagonal D_l of slopes f′. In wide layers, and with the factors taken as free, S-transforms
multiply: S_{J Jᵀ} = Π_l S_{D_l²} S_{W_l W_lᵀ} (Pennington, Schoenholz & Ganguli 2017, arXiv:1711.04735; 2018,
arXiv:1802.09979), with S = 1/σ_w² for orthogonal W and 1/(σ_w² (1 + M)) for Gaussian. With M(z) = E[x/(z − x)] and
ζ_l the point where that of D_l² is M,

    log z = Σ_l log(σ_w² ζ_l) − (L − 1) t,                  t = log((1 + M)/M), for orthogonal weights,
    log z = Σ_l log(σ_w² ζ_l) + L log M + t                 for Gaussian ones.

Shares need no density: U(z) = E[log(z − x)] has dU = (1 + M) d log z, which is exact by factor, and above x lies the
share Im U(x + i0)/π with

    Im U = Σ_l Im U_{D_l²}(ζ_l) + (L − 1) arg M + (L Im M for Gaussian weights).
"""

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sheetsim.model.op import Array

Complex: TypeAlias = NDArray[np.complex128]

# Rows of slopes that are equal to so many decimals, of a mean square of 1, are one.
DECIMALS = 9

# z is x exp(iθ) and θ goes from near π, where there is one solution, down to this; the share is then extrapolated to 0.
FIRST, LAST = 3.0, 1e-5

# θ up to which a share is good to a few thousandths, as θ² is; points whose solution was lost before have none.
ENOUGH = 0.1

# Steps toward the real axis, and Newton's method at each: how often, and how small its last step is.
STEPS, NEWTON, SMALL = 60, 5, 1e-7


def share_below(s: Array, slopes: Array, weights: Array, gain: float, gaussian: bool) -> Array:
    """The share of singular values up to each s > 0, for layers without limit to their width.

    NaN where it is not found, or where all are 0. slopes: f′² of the layers' sums, layers × nodes, which go from low to
    high sums, as many below 0 as above; weights: of the nodes, with sum 1; gain: σ_w; gaussian: weights, else
    orthogonal ones.
    """
    mean = slopes @ weights
    with np.errstate(all="ignore"):
        log_x = 2 * (np.log(s) - len(slopes) * np.log(gain)) - np.log(mean).sum()
        d = slopes / mean[:, None]
    if not (np.isfinite(log_x).all() and np.isfinite(d).all()):
        return np.full(len(s), np.nan)
    if not gaussian and np.ptp(d) == 0:
        return np.where(log_x >= 0, 1.0, 0.0)
    if not gaussian and len(d) == 1:
        return _mixture(np.exp(log_x), d[0], weights)
    d, counts = np.unique(d.round(DECIMALS), axis=0, return_counts=True)
    atoms, shares = _fewer(d, np.broadcast_to(weights, d.shape), 24 + 400 // len(slopes))
    with np.errstate(all="ignore"):
        return _Product(atoms, shares, counts.astype(float), gaussian).share(log_x)


def _mixture(x: Array, d: Array, weights: Array) -> Array:
    """The share of d up to each x, linear in between nodes; a kink may be at 0, between the halves."""
    below = np.zeros(len(x))
    for half, share in zip(np.split(d, 2), np.split(weights, 2), strict=True):
        for end in (0, -1):
            below += share[end] / 2 * (half[end] <= x)
        low, high = np.minimum(half[1:], half[:-1]), np.maximum(half[1:], half[:-1])
        at = x[:, None]
        with np.errstate(all="ignore"):
            part = np.where(high > low, np.clip((at - low) / (high - low), 0, 1), at >= high)
        below += part @ ((share[1:] + share[:-1]) / 2)
    return below


def _fewer(d: Array, weights: Array, count: int) -> tuple[Array, Array]:
    """Gauss quadrature with so many atoms for each row's distribution, by Lanczos' method: the same first moments.

    A distribution of fewer atoms keeps these, and others get weight 0. All are kept unless there are twice as many.
    """
    if 2 * count > d.shape[1]:
        return d, weights
    v, before, beta = np.sqrt(weights), np.zeros_like(d), np.zeros((len(d), 1))
    basis: list[Array] = []
    jacobi = np.zeros((len(d), count, count))
    for k in range(count):
        basis.append(v)
        jacobi[:, k, k] = (v * v * d).sum(axis=1)
        rest = (d - jacobi[:, k, k, None]) * v - beta * before
        for one in basis:
            rest -= (rest * one).sum(axis=1, keepdims=True) * one
        before, beta = v, np.linalg.norm(rest, axis=1, keepdims=True)
        beta = np.where(beta > 1e-13 * d.max(axis=1, keepdims=True), beta, 0)
        v = np.where(beta > 0, rest / np.where(beta > 0, beta, 1), 0)
        if k + 1 < count:
            jacobi[:, k, k + 1] = jacobi[:, k + 1, k] = beta[:, 0]
    atoms, vectors = np.linalg.eigh(jacobi)
    return np.maximum(atoms, 0), vectors[:, 0, :] ** 2


def _log(x: Complex) -> Complex:
    """The logarithm in the upper half plane and at both ends of its edge, where rounding may lead below."""
    return np.asarray(np.log(-1j * x) + 0.5j * np.pi, dtype=np.complex128)


class _Product:
    """Layers of D_l² with given atoms, mean 1 and so often each, with weights of σ_w = 1."""

    def __init__(self, atoms: Array, shares: Array, counts: Array, gaussian: bool) -> None:
        self.atoms, self.shares, self.counts, self.gaussian = atoms, shares, counts, gaussian
        self.layers = counts.sum()

    def share(self, log_x: Array) -> Array:
        """The share up to each x."""
        far = np.maximum(log_x, math.log(10 * (self.layers + 1))) + 2

        def log_z(of: NDArray[np.intp], way: Array) -> Complex:
            """From far away to |z| = x, way 0 to 1, then down to the real axis, 1 to 2."""
            size = far[of] + np.minimum(way, 1) * (log_x[of] - far[of])
            angle = FIRST * (LAST / FIRST) ** np.maximum(way - 1, 0)
            return np.asarray(size + 1j * angle, dtype=np.complex128)

        every = np.arange(len(log_x))
        way, step = np.zeros(len(log_x)), np.full(len(log_x), 1 / 3)
        # Far away M is 1/z, and so is that of each factor.
        t = log_z(every, way)
        log_zeta = np.repeat(t[:, None], len(self.counts), axis=1)
        for _ in range(STEPS):
            of = np.flatnonzero((way < 2) & (step > 1e-3))
            if not len(of):
                break
            to = np.minimum(way[of] + step[of], 2)
            found_t, found_zeta, error = self._newton(log_z(of, to), t[of], log_zeta[of])
            # In the upper half plane there is one solution with all of these in it.
            inside = (found_t.imag > 0) & (found_zeta.imag > 0).all(axis=1)
            good = inside & (error < SMALL)
            kept = of[good]
            way[kept], t[kept], log_zeta[kept] = to[good], found_t[good], found_zeta[good]
            step[kept] *= 3
            step[of[~good]] /= 3
        angle = log_z(every, way).imag
        over = np.expm1(t)  # 1/M
        of_slopes = (self.shares * np.angle(np.exp(log_zeta)[..., None] - self.atoms)).sum(axis=-1) @ self.counts
        total = of_slopes - (self.layers - 1) * _log(over).imag
        if self.gaussian:
            total += self.layers * (1 / over).imag
        # dU = (1 + M) d log z: what θ still makes of it.
        above = (total - angle * (1 + (1 / over).real)) / np.pi
        return np.where((angle <= ENOUGH) & (way > 1), 1 - above, np.nan)

    def _newton(self, log_z: Complex, t: Complex, log_zeta: Complex) -> tuple[Complex, Complex, Array]:
        """t and log ζ_l at z by Newton's method from where they are near, and the size of the last step."""
        for _ in range(NEWTON):
            zeta = np.exp(log_zeta)
            inverse = 1 / (zeta[..., None] - self.atoms)
            G, M = (inverse * self.shares).sum(axis=-1), (inverse * self.shares * self.atoms).sum(axis=-1)
            # The layer's own t and its derivative by log ζ. 1 + M = ζ G, which is as good near M = −1.
            rises = (inverse**2 * self.shares * self.atoms).sum(axis=-1) / (M * G)
            gap = (t[:, None] - _log(zeta * G / M)) / rises
            over = np.expm1(t)
            if self.gaussian:
                rest, slope = t - self.layers * _log(over), 1 - self.layers * (1 + 1 / over)
            else:
                rest, slope = (1 - self.layers) * t, np.full_like(t, 1 - self.layers)
            missing = log_z - log_zeta @ self.counts - rest - gap @ self.counts
            by_t = missing / ((1 / rises) @ self.counts + slope)
            by_zeta = gap + by_t[:, None] / rises
            t, log_zeta = t + by_t, log_zeta + by_zeta
        return t, log_zeta, np.maximum(np.abs(by_t), np.abs(by_zeta).max(axis=1))
