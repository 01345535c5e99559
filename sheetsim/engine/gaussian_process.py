"""A Gaussian process over points of the unit cube: its posterior, and its hyperparameters by maximum likelihood.

Kernel: Matérn's of smoothness 5/2 with a length scale a coordinate (Rasmussen & Williams 2006, eq. 4.17), times a
variance, with independent noise on each observation. Everything follows from the arguments: no draw is made here. SciPy
is loaded with the module, as its linear algebra can be held to one thread only then (see `blas.one_thread`).
"""

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from msgspec import Struct
from scipy.linalg import solve_triangular
from scipy.optimize import minimize
from scipy.spatial.distance import cdist

from sheetsim.model.op import Array

# Bounds of the hyperparameters, in the cube's sides and in variances of the observations.
LENGTHS, SIGNALS, NOISES = (0.03, 10.0), (0.05, 20.0), (1e-6, 1.0)

ROOT_5 = math.sqrt(5)


class Kernel(Struct, frozen=True):
    """lengths: a length scale a coordinate; signal: the process' variance; noise: that of an observation about it."""

    lengths: tuple[float, ...]
    signal: float = 1.0
    noise: float = 1e-2

    def between(self, a: Array, b: Array) -> Array:
        """Covariances of the process at points a (n×d) and b (m×d), n×m."""
        r = _distances(a, b, self.lengths) * ROOT_5
        return np.asarray(self.signal * (1 + r + r * r / 3) * np.exp(-r))

    def of(self, x: Array) -> Array:
        """Covariances of observations at x."""
        return self.between(x, x) + self.noise * np.eye(len(x))


class GaussianProcess(Struct, frozen=True, dict=True):
    """The process given observations y (n) at x (n×d), about a mean that is 0."""

    kernel: Kernel
    x: Array
    y: Array

    @cached_property
    def factor(self) -> Array:
        """The lower Cholesky factor of the observations' covariances."""
        return np.asarray(np.linalg.cholesky(self.kernel.of(self.x)), dtype=np.float64)

    def projected(self, points: Array) -> Array:
        """L⁻¹ k(x, points), n × m: what posterior covariances are made of."""
        between = self.kernel.between(self.x, points)
        return np.asarray(solve_triangular(self.factor, between, lower=True, check_finite=False))

    @cached_property
    def whitened(self) -> Array:
        """L⁻¹ y."""
        return np.asarray(solve_triangular(self.factor, self.y, lower=True, check_finite=False))

    @property
    def fits(self) -> Array:
        """The posterior means at x: y less what is taken for noise, σ² K⁻¹ y."""
        weights = solve_triangular(self.factor, self.whitened, lower=True, trans=1, check_finite=False)
        return np.asarray(self.y - self.kernel.noise * weights)

    def posterior(self, points: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the process, without noise, at points (m×d) (Rasmussen & Williams, alg. 2.1).

        Raises numpy.linalg.LinAlgError where the covariances are not positive definite.
        """
        projected = self.projected(points)
        variance = self.kernel.signal - np.einsum("ij,ij->j", projected, projected)
        return projected.T @ self.whitened, np.sqrt(np.maximum(variance, 0))

    def log_likelihood(self) -> float:
        """The logarithm of the observations' density."""
        y = self.whitened
        return float(-y @ y / 2 - np.log(np.diag(self.factor)).sum() - len(y) / 2 * math.log(2 * math.pi))

    def slope(self) -> Array:
        """Its gradient by the logarithms of lengths, signal and noise."""
        kernel, n = self.kernel, len(self.x)
        inverse_factor = np.linalg.inv(self.factor)
        inverse = inverse_factor.T @ inverse_factor
        alpha = inverse_factor.T @ self.whitened
        weights = np.outer(alpha, alpha) - inverse
        r = _distances(self.x, self.x, kernel.lengths) * ROOT_5
        decay = np.exp(-r)
        by_length = weights * (kernel.signal * 5 / 3 * (1 + r) * decay)
        slopes = [
            (by_length * ((column[:, None] - column) / length) ** 2).sum() / 2
            for column, length in zip(self.x.T, kernel.lengths, strict=True)
        ]
        of_signal = (weights * (kernel.signal * (1 + r + r * r / 3) * decay)).sum() / 2
        of_noise = kernel.noise * weights.ravel()[:: n + 1].sum() / 2
        return np.array([*slopes, of_signal, of_noise])


def fitted(x: Array, y: Array, starts: Sequence[Kernel]) -> Kernel:
    """The kernel of maximum likelihood, within the bounds, that L-BFGS-B finds from the starts.

    y: observations of mean 0 and variance 1.
    """
    d = x.shape[1]
    bounds = np.log([*[LENGTHS] * d, SIGNALS, NOISES])

    def negative(logs: Array) -> tuple[float, Array]:
        process = GaussianProcess(_kernel(logs), x, y)
        try:
            return -process.log_likelihood(), -process.slope()
        except np.linalg.LinAlgError:
            return 1e25, np.zeros(len(logs))

    best = None
    for start in starts:
        logs = np.log([*start.lengths, start.signal, start.noise]).clip(bounds[:, 0], bounds[:, 1])
        optimum = minimize(negative, logs, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 40})
        if best is None or optimum.fun < best.fun:
            best = optimum
    assert best is not None
    return _kernel(best.x)


def _kernel(logs: Array) -> Kernel:
    *lengths, signal, noise = np.exp(logs).tolist()
    return Kernel(tuple(lengths), signal, noise)


def _distances(a: Array, b: Array, lengths: Sequence[float]) -> Array:
    return np.asarray(cdist(a / np.asarray(lengths), b / np.asarray(lengths)))
