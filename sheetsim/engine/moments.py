"""Moments that merge: of numbers up to the fourth order, and of units with their covariances. They hold no numbers.

Blocks are merged by deviations from their means, never as Σx² − (Σx)², which loses all digits where the mean is large.
"""

from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from msgspec import Struct

from sheetsim.model.op import Array


class Moments(Struct, frozen=True):
    """Of `count` numbers: their mean, and m2, m3, m4, the sums of powers of their deviations from it.

    NumPy's numbers, which overflow to infinity: a power of Python's raises.
    """

    count: int
    mean: np.float64
    m2: np.float64
    m3: np.float64
    m4: np.float64

    @classmethod
    def of(cls, x: Array) -> "Moments":
        """The moments of an array's elements."""
        mean = x.mean(dtype=np.float64)
        d = x - x.dtype.type(mean)
        square = d * d
        m2 = square.sum(dtype=np.float64)
        return cls(x.size, mean, m2, np.float64(np.vdot(square, d)), np.float64(np.vdot(square, square)))

    def merge(self, other: "Moments") -> "Moments":
        """The moments of both sets of numbers together (Pébay 2008, SAND2008-6212, equations 2.1 and III.1)."""
        a, b = self.count, other.count
        n, step = a + b, other.mean - self.mean
        return Moments(
            n,
            self.mean + step * b / n,
            self.m2 + other.m2 + step**2 * a * b / n,
            self.m3 + other.m3 + step**3 * a * b * (a - b) / n**2 + 3 * step * (a * other.m2 - b * self.m2) / n,
            self.m4
            + other.m4
            + step**4 * a * b * (a * a - a * b + b * b) / n**3
            + 6 * step**2 * (a * a * other.m2 + b * b * self.m2) / n**2
            + 4 * step * (a * other.m3 - b * self.m3) / n,
        )


class UnitMoments(Struct, frozen=True, dict=True):
    """Of `count` samples of units: mean, 1×units, and m2, units×units, the sums of products of deviations."""

    count: int
    mean: Array
    m2: Array

    @classmethod
    def of(cls, x: Array) -> "UnitMoments":
        """The moments of a samples × units array."""
        n, ones = len(x), _ones(len(x), x.dtype)
        # BLAS adds columns up in a third of the time of np.add.reduce, but in the array's own precision.
        mean = ones @ x / x.dtype.type(n)
        centered = x - mean
        if mean.dtype != np.float64:
            mean = mean.astype(np.float64) + ones @ centered / n
        return cls(n, mean[None, :], (centered.T @ centered).astype(np.float64, copy=False))

    def pooled(self, x: Array) -> Moments:
        """The moments of all elements together of the array that these are the moments of."""
        mean = np.add.reduce(self.mean[0]) / self.mean.size
        apart = self.mean[0] - mean
        d = x - x.dtype.type(mean)
        square = d * d
        m2 = self.trace + self.count * np.vdot(apart, apart)
        return Moments(x.size, mean, m2, np.float64(np.vdot(square, d)), np.float64(np.vdot(square, square)))

    def merge(self, other: "UnitMoments") -> "UnitMoments":
        """The moments of both sets of samples together (Chan, Golub & LeVeque 1979)."""
        n, step = self.count + other.count, other.mean - self.mean
        return UnitMoments(
            n,
            self.mean + step * (other.count / n),
            self.m2 + other.m2 + step.T @ step * (self.count * other.count / n),
        )

    @cached_property
    def trace(self) -> np.float64:
        """The trace of m2: the sum of the squares of all deviations."""
        return np.float64(self.m2.trace())

    @property
    def mean_variance(self) -> np.float64:
        """The mean of the units' variances."""
        return self.trace / (self.count * len(self.m2))

    @property
    def mean_square(self) -> np.float64:
        """The mean of the squares of all numbers."""
        return self.mean_variance + np.vdot(self.mean, self.mean) / len(self.m2)

    @cached_property
    def variance(self) -> Array:
        """The units' population variances over the samples, 1×units."""
        return np.diagonal(self.m2)[None, :] / self.count

    def through(self, W: Array) -> tuple[Array, np.float64]:
        """Of the sums x W: their means, 1×fan-out, and the mean of their population variances, w'Cw for a unit's w."""
        return self.mean @ W, np.vdot(W, self.m2 @ W) / (self.count * W.shape[1])


def moments_of_sums(a: Array) -> tuple[Array, np.float64]:
    """Of a samples × units array: the units' means, 1×units, and the mean of their population variances."""
    mean = a.mean(axis=0, keepdims=True, dtype=np.float64)
    return mean, np.square(a - mean).mean()


@lru_cache(maxsize=4)
def _ones(count: int, dtype: np.dtype[Any]) -> Array:
    return np.ones(count, dtype)
