"""The metalog distribution through given quantiles (Keelin 2016, The Metalog Distributions, Decision Analysis 13(4)).

Its quantile function is a sum of terms in y − 1/2 and the logit of y: unbounded as it is, and through a logarithm or a
logit of x where x has one bound or two. It has as many terms as quantiles, and passes through them.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.model.family import Family, uniforms
from sheetsim.model.op import Array, Shape

Numbers = tuple[float, ...]

# Terms beyond which solving for the coefficients loses its digits (Keelin's tables go to 16).
MOST_TERMS = 16

# Logits of y at which the quantile function must rise: y from 1e-16 to 1 − 1e-16.
LOGITS = np.linspace(-37, 37, 7401)

# A slope of rounding alone, of the largest coefficient: symmetric quantiles leave coefficients that should be 0.
ROUNDING = 1e-12

# Ordered numbers that a metalog is fitted to, at most.
MOST_FITTED = 10_000

# Least uniform draw: 0 itself, which comes once in 9e15 draws, has no logit.
LEAST = 2.0**-54


def _powers(terms: int) -> list[tuple[int, bool]]:
    """By term, the power of y − 1/2, and whether the logit is a factor (Keelin's equation 6)."""
    first = [(0, False), (0, True), (1, True), (1, False)]
    later = [((j - 1) // 2, False) if j % 2 else (j // 2 - 1, True) for j in range(5, terms + 1)]
    return (first + later)[:terms]


def _sum(coefficients: Array, y: Array, logit: Array) -> Array:
    d = y - 0.5
    parts = np.zeros((2, *d.shape))
    for a, (power, has_logit) in zip(coefficients, _powers(len(coefficients)), strict=True):
        parts[int(has_logit)] += a * d**power
    # The logit, which is infinite where y is 1, stands once: infinities of two signs have no sum.
    total: Array = parts[0] + parts[1] * logit
    return total


def _slope(coefficients: Array) -> Array:
    """dM/dlogit = y(1 − y) dM/dy at LOGITS."""
    y, spread = _sigmoid(LOGITS), _sigmoid(LOGITS) * _sigmoid(-LOGITS)
    d, total = y - 0.5, np.zeros_like(y)
    for a, (power, has_logit) in zip(coefficients, _powers(len(coefficients)), strict=True):
        rise = power * d ** max(power - 1, 0) * spread
        total += a * (d**power + rise * LOGITS if has_logit else rise)
    return total


def _sigmoid(t: Array) -> Array:
    """1/(1 + e^-t), which keeps its digits on both sides."""
    small = np.exp(-np.abs(t))
    sigmoid: Array = np.where(t < 0, small, 1.0) / (1 + small)
    return sigmoid


def _unbounded(x: Array, low: float, high: float) -> Array:
    """x on the scale on which the terms are summed."""
    if math.isfinite(low) and math.isfinite(high):
        return np.log((x - low) / (high - x))
    if math.isfinite(low):
        return np.log(x - low)
    return -np.log(high - x) if math.isfinite(high) else x


def _bounded(m: Array, low: float, high: float) -> Array:
    if math.isfinite(low) and math.isfinite(high):
        return low + (high - low) * _sigmoid(m)
    if math.isfinite(low):
        return low + np.exp(m)
    return high - np.exp(-m) if math.isfinite(high) else m


@lru_cache(maxsize=64)
def coefficients_of(probabilities: Numbers, quantiles: Numbers, low: float, high: float) -> Array:
    """The coefficients a₁, a₂, … of the metalog through the quantiles."""
    scaled = _unbounded(np.array(quantiles), low, high)
    return np.asarray(np.linalg.solve(logit_terms(probabilities), scaled), dtype=np.float64)


def logit_terms(probabilities: Numbers) -> Array:
    """The terms at the probabilities, a row each, with as many columns.

    The coefficients times them are the quantiles on the scale on which the terms are summed.
    """
    y = np.array(probabilities)
    logit = np.log(y) - np.log1p(-y)
    powers = _powers(len(probabilities))
    table: Array = np.stack([(y - 0.5) ** power * (logit if has_logit else 1.0) for power, has_logit in powers], axis=1)
    return table


def metalog_numbers(coefficients: Array, y: Array, low: float = -math.inf, high: float = math.inf) -> Array:
    """The quantiles of probabilities y of the metalog with these coefficients, and bounds if it has some."""
    return _bounded(_sum(coefficients, y, np.log(y) - np.log1p(-y)), low, high)


def fitted_metalog(numbers: Array, terms: int, low: float = -math.inf) -> Array:
    """The coefficients of a metalog through data, by least squares on its ordered numbers, or those less a lower bound.

    As many terms as go, up to so many: with fewer where the quantile function falls somewhere; two always go.
    """
    numbers = _unbounded(numbers, low, math.inf)
    ordered = np.sort(numbers)
    y = (np.arange(1, len(ordered) + 1) - 0.5) / len(ordered)
    if len(ordered) > MOST_FITTED:
        y = (np.arange(1, MOST_FITTED + 1) - 0.5) / MOST_FITTED
        ordered = np.quantile(ordered, y)
    logit = np.log(y) - np.log1p(-y)
    for count in range(terms, 1, -1):
        columns = [(y - 0.5) ** power * (logit if has_logit else 1.0) for power, has_logit in _powers(count)]
        coefficients: Array = np.linalg.lstsq(np.stack(columns, axis=1), ordered, rcond=None)[0]
        if (_slope(coefficients) >= -ROUNDING * np.abs(coefficients).max()).all():
            break
    return coefficients


def _valid(p: Mapping[str, Any]) -> bool:
    probabilities, quantiles, low, high = p["probabilities"], p["quantiles"], p["low"], p["high"]
    if not 2 <= len(probabilities) == len(quantiles) <= MOST_TERMS:
        raise SheetsimError(f"metalog: give 2 to {MOST_TERMS} quantiles, each with its probability")
    if not all(0 < y < 1 for y in probabilities) or (np.diff(probabilities) <= 0).any():
        raise SheetsimError("metalog: probabilities must lie between 0 and 1 and increase")
    if (np.diff(quantiles) <= 0).any():
        raise SheetsimError("metalog: quantiles must increase with their probabilities")
    if not low < quantiles[0] or not quantiles[-1] < high:
        raise SheetsimError("metalog: quantiles must lie above low and below high")
    coefficients = coefficients_of(probabilities, quantiles, low, high)
    if not np.isfinite(coefficients).all() or (_slope(coefficients) < -ROUNDING * np.abs(coefficients).max()).any():
        raise SheetsimError(
            "metalog: the quantile function through these quantiles decreases somewhere, so no such distribution "
            "exists: give fewer quantiles, other ones, or a bound low or high"
        )
    return True


def _draw(
    g: np.random.Generator, size: Shape, /, probabilities: Numbers, quantiles: Numbers, low: float, high: float
) -> Array:
    u = np.maximum(g.random(size), LEAST)
    coefficients = coefficients_of(probabilities, quantiles, low, high)
    return _bounded(_sum(coefficients, u, np.log(u) - np.log1p(-u)), low, high)


def _from_normal(z: Array, /, probabilities: Numbers, quantiles: Numbers, low: float, high: float) -> Array:
    from scipy.special import log_ndtr

    coefficients = coefficients_of(probabilities, quantiles, low, high)
    return _bounded(_sum(coefficients, uniforms(z), log_ndtr(z) - log_ndtr(-z)), low, high)


def _moments(probabilities: Numbers, quantiles: Numbers, low: float, high: float) -> tuple[float, float]:
    """By the trapezoidal rule over the logit of y, which is exact to rounding here.

    NaN with one bound alone, where the moments may diverge.
    """
    if math.isfinite(low) != math.isfinite(high):
        return math.nan, math.nan
    weights = _sigmoid(LOGITS) * _sigmoid(-LOGITS) * (LOGITS[1] - LOGITS[0])
    coefficients = coefficients_of(probabilities, quantiles, low, high)
    x = _bounded(_sum(coefficients, _sigmoid(LOGITS), LOGITS), low, high)
    return float(weights @ x), float(weights @ (x * x))


METALOG = Family(
    _draw,
    _from_normal,
    _moments,
    {"probabilities": None, "quantiles": None, "low": -math.inf, "high": math.inf},
    _valid,
    "probabilities, quantiles, low and high must be finite numbers",
    lists=("probabilities", "quantiles"),
)
