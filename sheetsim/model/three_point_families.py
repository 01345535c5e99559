"""Families given by minimum, most likely value and maximum: triangular and PERT; a triangular from percentiles."""

from collections.abc import Callable, Mapping

import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.model.family import Family, uniforms
from sheetsim.model.op import Array, Shape

# Points at which the mode's place is looked for, between which it is refined.
GRID = 4001


def _triangular(below: Array, above: Array, low: float, mode: float, high: float) -> Array:
    """The quantiles of probabilities `below` = 1 − `above`."""
    width = high - low
    rising = low + np.sqrt(below * width * (mode - low))
    falling = high - np.sqrt(above * width * (high - mode))
    return np.where(below * width < mode - low, rising, falling)


def _triangular_draw(g: np.random.Generator, size: Shape, /, low: float, mode: float, high: float) -> Array:
    u = g.random(size)
    return _triangular(u, 1 - u, low, mode, high)


def _triangular_moments(low: float, mode: float, high: float) -> tuple[float, float]:
    mean = (low + mode + high) / 3
    variance = ((high - low) ** 2 - (mode - low) * (high - mode)) / 18
    return mean, variance + mean * mean


def _beta_shapes(low: float, mode: float, high: float, shape: float) -> tuple[float, float]:
    return 1 + shape * (mode - low) / (high - low), 1 + shape * (high - mode) / (high - low)


def _pert_draw(g: np.random.Generator, size: Shape, /, low: float, mode: float, high: float, shape: float) -> Array:
    return low + (high - low) * g.beta(*_beta_shapes(low, mode, high, shape), size)


def _pert_from_normal(z: Array, /, low: float, mode: float, high: float, shape: float) -> Array:
    from scipy.special import betaincinv

    a, b = _beta_shapes(low, mode, high, shape)
    # From the nearer end: Φ(z) near 1 has lost the digits that Φ(−z) has.
    rising, falling = betaincinv(a, b, uniforms(z)), betaincinv(b, a, uniforms(-z))
    quantiles: Array = np.where(z < 0, low + (high - low) * rising, high - (high - low) * falling)
    return quantiles


def _pert_moments(low: float, mode: float, high: float, shape: float) -> tuple[float, float]:
    a, b = _beta_shapes(low, mode, high, shape)
    width = high - low
    mean = low + width * a / (a + b)
    variance = width * width * a * b / ((a + b) ** 2 * (a + b + 1))
    return mean, variance + mean * mean


def _in_order(p: Mapping[str, float]) -> bool:
    return p["low"] <= p["mode"] <= p["high"] and p["low"] < p["high"]


TRIANGULAR = Family(
    _triangular_draw,
    lambda z, low, mode, high: _triangular(uniforms(z), uniforms(-z), low, mode, high),
    _triangular_moments,
    {"low": None, "mode": None, "high": None},
    _in_order,
    "low <= mode <= high and low < high must hold",
)

PERT = Family(
    _pert_draw,
    _pert_from_normal,
    _pert_moments,
    {"low": None, "mode": None, "high": None, "shape": 4.0},
    lambda p: _in_order(p) and p["shape"] >= 0,
    "low <= mode <= high, low < high and shape >= 0 must hold",
)


def triangular_through(points: Mapping[str, float], percentiles: Mapping[float, float]) -> tuple[float, float, float]:
    """The (low, mode, high) of the triangular distribution that has the given ones of these, and the percentiles.

    Three in all. For c = P(x ≤ mode) each says low + width · t(c) = x: t is 0 for low, c for the mode, 1 for high, and
    √(pc) or 1 − √((1 − p)(1 − c)) for a percentile. Two of them give low and width; the third is an equation in c,
    which is solved by Brent's method. Raises SheetsimError where no triangular distribution has them.
    """
    from scipy.optimize import brentq

    heights: dict[str, Callable[[float], float]] = {"low": lambda c: 0.0, "mode": lambda c: c, "high": lambda c: 1.0}
    conditions = [(x, heights[name]) for name, x in points.items()]
    conditions += [(x, _standard_quantile(p)) for p, x in percentiles.items()]
    (x1, t1), (x2, t2), (x3, t3) = sorted(conditions, key=lambda condition: condition[0])

    def gap(c: float) -> float:
        return (t2(c) - t1(c)) * (x3 - x1) - (t3(c) - t1(c)) * (x2 - x1)

    cs = np.linspace(0, 1, GRID)
    gaps = np.array([gap(c) for c in cs])
    for k in np.flatnonzero(np.sign(gaps[:-1]) * np.sign(gaps[1:]) <= 0):
        c = float(brentq(gap, cs[k], cs[k + 1], xtol=1e-16)) if gaps[k] * gaps[k + 1] < 0 else float(cs[k])
        if gaps[k] != 0 and gaps[k + 1] == 0:
            c = float(cs[k + 1])
        if t3(c) > t1(c) and t2(c) >= t1(c):
            width = (x3 - x1) / (t3(c) - t1(c))
            low = x1 - width * t1(c)
            solved = {"low": low, "mode": low + width * c, "high": low + width, **points}
            return solved["low"], solved["mode"], solved["high"]
    raise SheetsimError("triangular: no triangular distribution has these percentiles")


def _standard_quantile(p: float) -> Callable[[float], float]:
    """By c, the p-quantile of the triangular distribution from 0 to 1 with mode c."""
    return lambda c: float(np.sqrt(p * c) if p <= c else 1 - np.sqrt((1 - p) * (1 - c)))
