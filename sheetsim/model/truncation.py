"""Truncation: a family's law given that the number lies between two bounds. It knows no seed and no matrix."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.model.family import Family, Parameter, uniforms
from sheetsim.model.op import Array, Shape
from sheetsim.model.table_families import weighted_values

# Normal scores beyond which Φ is 0 or 1 to a double.
EDGE = 8.2

# What a truncation leaves of a distribution, at least: with less, doubles near Φ = 1 tell too few numbers apart.
LEAST_SHARE = 1e-9


def check_truncation(law: str, family: Family, parameters: Mapping[str, Parameter], low: float, high: float) -> None:
    """Raises SheetsimError for bounds that are not numbers, do not rise, or leave nearly nothing."""
    if math.isnan(low) or math.isnan(high) or not low < high:
        raise SheetsimError(f"{law}: truncation needs low less than high, not {low:g} and {high:g}")
    first, last = _scores(family, parameters, low, high)
    if _share(first, last) < LEAST_SHARE:
        raise SheetsimError(f"{law} has less than {LEAST_SHARE:g} of its probability between {low:g} and {high:g}")


def truncated_family(
    name: str, family: Family, parameters: tuple[tuple[str, Parameter], ...], low: float, high: float
) -> Family:
    """The family with its numbers between low and high alone, for these parameters.

    A normal score z is moved to the score between those of the bounds with the same share of probability below it.
    Moments: of normal, lognormal, uniform and discrete laws; NaN of others.
    """
    first, last = _scores(family, dict(parameters), low, high)

    def from_normal(z: Array, /, **given: Any) -> Array:
        quantiles: Array = np.clip(family.from_normal(_between(z, first, last), **given), low, high)
        return quantiles

    def draw(generator: np.random.Generator, size: Shape, /, **given: Any) -> Array:
        return from_normal(generator.standard_normal(size), **given)

    def moments(**given: Any) -> tuple[float, float]:
        of_name = _MOMENTS.get(name)
        return of_name(first, last, low, high, **given) if of_name else (math.nan, math.nan)

    return Family(draw, from_normal, moments, family.defaults, family.valid, family.rule, False, family.lists)


def _between(z: Array, first: float, last: float) -> Array:
    if first > 0:
        # From the other side: Φ near 1 has lost the digits that it has near 0.
        return -_between(-z, -last, -first)
    from scipy.special import ndtri

    below, share = float(uniforms(np.array(first))), _share(first, last)
    scores: Array = np.clip(ndtri(below + share * uniforms(z)), max(first, -EDGE), min(last, EDGE))
    return scores


def _share(first: float, last: float) -> float:
    """Φ(last) − Φ(first)."""
    if first > 0:
        first, last = -last, -first
    return float(uniforms(np.array(last)) - uniforms(np.array(first)))


def _scores(family: Family, parameters: Mapping[str, Parameter], low: float, high: float) -> tuple[float, float]:
    """The least normal score whose quantile is not below low, and the largest whose is not above high."""

    def quantile(z: float) -> float:
        with np.errstate(all="ignore"):
            return float(np.asarray(family.from_normal(np.array([[z]]), **parameters)).item())

    _, first = (0.0, -math.inf) if low == -math.inf else _turn(lambda z: quantile(z) >= low)
    last, _ = (math.inf, 0.0) if high == math.inf else _turn(lambda z: quantile(z) > high)
    return first, last


def _turn(holds: Callable[[float], bool]) -> tuple[float, float]:
    """The last score where a condition does not hold and the first where it does, by bisection.

    Both infinite where there is no such place.
    """
    a, b = -EDGE, EDGE
    if holds(a):
        return -math.inf, -math.inf
    if not holds(b):
        return math.inf, math.inf
    while a < (middle := (a + b) / 2) < b:
        a, b = (a, middle) if holds(middle) else (middle, b)
    return a, b


def _density(z: float) -> float:
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def _normal_moments(first: float, last: float, low: float, high: float, mean: float, std: float) -> tuple[float, float]:
    """Johnson, Kotz & Balakrishnan (1994), Continuous Univariate Distributions 1, section 13.10.1."""
    share = _share(first, last)
    at_first, at_last = _density(first), _density(last)
    z = (at_first - at_last) / share
    moved = (first * at_first if at_first else 0.0) - (last * at_last if at_last else 0.0)
    return mean + std * z, mean * mean + 2 * mean * std * z + std * std * (1 + moved / share)


def _lognormal_moments(
    first: float, last: float, low: float, high: float, mean: float, std: float
) -> tuple[float, float]:
    """E[exp(k(mean + std z))] between the scores is that of all z with the scores moved by k std."""

    def moment(k: int) -> float:
        return math.exp(k * mean + (k * std) ** 2 / 2) * _share(first - k * std, last - k * std) / _share(first, last)

    return moment(1), moment(2)


def _uniform_moments(
    first: float, last: float, at_least: float, at_most: float, /, low: float, high: float
) -> tuple[float, float]:
    a, b = max(low, at_least), min(high, at_most)
    return (a + b) / 2, (a * a + a * b + b * b) / 3


def _discrete_moments(
    first: float,
    last: float,
    low: float,
    high: float,
    values: tuple[float, ...],
    weights: tuple[float, ...] = (),
) -> tuple[float, float]:
    x, shares = weighted_values(values, weights)
    kept = (x >= low) & (x <= high)
    x, shares = x[kept], shares[kept] / shares[kept].sum()
    return float(shares @ x), float(shares @ (x * x))


# By family: of the scores of the bounds, the bounds, and the parameters.
_MOMENTS: dict[str, Callable[..., tuple[float, float]]] = {
    "normal": _normal_moments,
    "lognormal": _lognormal_moments,
    "uniform": _uniform_moments,
    "discrete": _discrete_moments,
    "empirical": _discrete_moments,
}
