"""Families given by a list of values: discrete, with weights, and empirical, which resamples data."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from sheetsim.model.family import Family, uniforms
from sheetsim.model.op import Array, Shape

Numbers = tuple[float, ...]


@lru_cache(maxsize=16)
def weighted_values(values: Numbers, weights: Numbers = ()) -> tuple[Array, Array]:
    """The values with a weight above 0, rising, and their probabilities; equal ones where no weights are given."""
    x = np.array(values)
    w = np.array(weights) if weights else np.ones(len(x))
    order = np.argsort(x, kind="stable")
    order = order[w[order] > 0]
    # By the largest, as a sum of large weights may overflow.
    shares = w[order] / w.max()
    return x[order], shares / shares.sum()


def _discrete(probabilities: Array, side: Any, values: Numbers, weights: Numbers) -> Array:
    x, shares = weighted_values(values, weights)
    places = np.searchsorted(np.cumsum(shares), probabilities, side)
    return x[np.minimum(places, len(x) - 1)]


def _discrete_moments(values: Numbers, weights: Numbers = ()) -> tuple[float, float]:
    x, shares = weighted_values(values, weights)
    return float(shares @ x), float(shares @ (x * x))


def _discrete_valid(p: Mapping[str, Numbers]) -> bool:
    values, weights = p["values"], p["weights"]
    return len(values) > 0 and (not weights or (len(weights) == len(values) and min(weights) >= 0 and max(weights) > 0))


def _empirical_draw(g: np.random.Generator, size: Shape, /, values: Numbers) -> Array:
    x, _ = weighted_values(values)
    return x[g.integers(0, len(x), size)]


def _empirical_from_normal(z: Array, /, values: Numbers) -> Array:
    x, _ = weighted_values(values)
    places = np.ceil(uniforms(z) * len(x)) - 1
    quantiles: Array = x[np.clip(places, 0, len(x) - 1).astype(np.int64)]
    return quantiles


DISCRETE = Family(
    lambda g, shape, values, weights: _discrete(g.random(shape), "right", values, weights),
    lambda z, values, weights: _discrete(uniforms(z), "left", values, weights),
    _discrete_moments,
    {"values": None, "weights": ()},
    _discrete_valid,
    "values must be one or more numbers; weights must be as many, 0 or more, and not all 0",
    lists=("values", "weights"),
)

EMPIRICAL = Family(
    _empirical_draw,
    _empirical_from_normal,
    _discrete_moments,
    {"values": None},
    lambda p: len(p["values"]) > 0,
    "values must be one or more numbers",
    lists=("values",),
)
