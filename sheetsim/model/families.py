"""Families of distributions: how each is drawn, its quantiles, moments, parameters. It knows no seed and no matrix."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetsim.model.op import Array

# What NumPy and SciPy raise for parameters that they cannot work with.
FAILURES = (ArithmeticError, AttributeError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True)
class Family:
    """One named distribution; every function takes its parameters as keywords.

    draw: independent numbers from a generator, in a shape; from_normal: the quantile of Φ(z), for standard normal
    scores z; moments: (E[x], E[x²]), infinite where they diverge and NaN where there is none or none is known;
    defaults: by parameter, None where it must be given; valid, rule: what the parameters must satisfy, and in words;
    in_order: whether two draws in a row are the rows of one longer draw.
    """

    draw: Callable[..., NDArray[Any]]
    from_normal: Callable[..., NDArray[Any]]
    moments: Callable[..., tuple[float, float]]
    defaults: Mapping[str, float | None]
    valid: Callable[[Mapping[str, float]], bool] = lambda p: True
    rule: str = ""
    in_order: bool = True


def uniforms(z: Array) -> Array:
    """Φ(z), element by element. SciPy is imported here, so that a plain run does without it."""
    from scipy.special import ndtr

    probabilities: Array = ndtr(z)
    return probabilities


def _student_t_quantile(z: Array, df: float) -> Array:
    from scipy.special import stdtrit

    quantiles: Array = stdtrit(df, uniforms(z))
    return quantiles


def _uniform_moments(low: float, high: float) -> tuple[float, float]:
    return (low + high) / 2, (low * low + low * high + high * high) / 3


def _normals(generator: Any, shape: tuple[int, int], mean: float, std: float) -> Any:
    drawn = generator.standard_normal(shape)
    drawn *= std
    drawn += mean
    return drawn


def _lognormal_moments(mean: float, std: float) -> tuple[float, float]:
    with np.errstate(over="ignore"):
        return float(np.exp(mean + std * std / 2)), float(np.exp(2 * mean + 2 * std * std))


BUILT_IN: dict[str, Family] = {
    "normal": Family(
        _normals,
        lambda z, mean, std: mean + std * z,
        lambda mean, std: (mean, mean * mean + std * std),
        {"mean": 0.0, "std": 1.0},
        lambda p: p["std"] >= 0,
        "std must be 0 or more",
    ),
    "uniform": Family(
        lambda g, shape, low, high: g.uniform(low, high, shape),
        lambda z, low, high: low + (high - low) * uniforms(z),
        _uniform_moments,
        {"low": 0.0, "high": 1.0},
        lambda p: p["low"] < p["high"],
        "low must be less than high",
    ),
    "lognormal": Family(
        lambda g, shape, mean, std: np.exp(mean + std * g.standard_normal(shape)),
        lambda z, mean, std: np.exp(mean + std * z),
        _lognormal_moments,
        {"mean": 0.0, "std": 1.0},
        lambda p: p["std"] >= 0,
        "std must be 0 or more",
    ),
    "student_t": Family(
        lambda g, shape, df: g.standard_t(df, shape),
        _student_t_quantile,
        lambda df: (0.0 if df > 1 else math.nan, df / (df - 2) if df > 2 else math.inf),
        {"df": 5.0},
        lambda p: p["df"] > 0,
        "df must be above 0",
    ),
    "bernoulli": Family(
        lambda g, shape, p: g.random(shape) < p,
        lambda z, p: uniforms(z) > 1 - p,
        lambda p: (p, p),
        {"p": 0.5},
        lambda p: 0 <= p["p"] <= 1,
        "p must lie between 0 and 1",
    ),
    "ones": Family(lambda g, shape: np.ones(shape), np.ones_like, lambda: (1.0, 1.0), {}),
}
