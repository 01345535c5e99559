"""The families of distributions that this package has itself, by name. It knows no seed and no matrix."""

import math

import numpy as np

from sheetsim.model.family import Family, uniforms
from sheetsim.model.metalog import METALOG
from sheetsim.model.op import Array
from sheetsim.model.table_families import DISCRETE, EMPIRICAL
from sheetsim.model.three_point_families import PERT, TRIANGULAR


def _student_t_quantile(z: Array, df: float) -> Array:
    from scipy.special import stdtrit

    quantiles: Array = stdtrit(df, uniforms(z))
    return quantiles


def _uniform_moments(low: float, high: float) -> tuple[float, float]:
    return (low + high) / 2, (low * low + low * high + high * high) / 3


def _normals(generator: np.random.Generator, shape: tuple[int, int], mean: float, std: float) -> Array:
    drawn: Array = generator.standard_normal(shape)
    # Each step passes over all numbers.
    if std != 1:
        drawn *= std
    if mean:
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
    "triangular": TRIANGULAR,
    "pert": PERT,
    "discrete": DISCRETE,
    "empirical": EMPIRICAL,
    "metalog": METALOG,
    "ones": Family(lambda g, shape: np.ones(shape), np.ones_like, lambda: (1.0, 1.0), {}),
}
