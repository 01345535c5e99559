"""Activations written apart from the model's table: what the tests by enumeration hold the table to."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

C, CUBE = math.sqrt(2 / math.pi), 0.044715
SCALE, ALPHA = 1.0507009873554805, 1.6732632423543772


class Reference(NamedTuple):
    """An activation for comparison.

    of: f of an array, with NumPy's functions or autograd's; f, slope: of a number, to its last digits; moved: f(a) −
    f(0), which keeps its digits where f hardly moves.
    """

    of: Callable[[Any, Any], Any]
    f: Callable[[float], float]
    slope: Callable[[float], float]
    moved: Callable[[float], float]


def sigmoid(a: float) -> float:
    return 1 / (1 + math.exp(-a)) if a >= 0 else 1 - 1 / (1 + math.exp(a))


def softplus(a: float) -> float:
    return max(a, 0.0) + math.log1p(math.exp(-abs(a)))


def gelu(a: float) -> float:
    return a * sigmoid(2 * C * (a + CUBE * a**3)) if abs(a) < 40 else max(a, 0.0)


def gelu_slope(a: float) -> float:
    if abs(a) > 40:
        return float(a > 0)
    s = sigmoid(2 * C * (a + CUBE * a**3))
    return s + 2 * a * s * sigmoid(-2 * C * (a + CUBE * a**3)) * C * (1 + 3 * CUBE * a * a)


def selu(a: float) -> float:
    return SCALE * (a if a > 0 else ALPHA * math.expm1(a))


REFERENCES = {
    "sigmoid": Reference(
        lambda np, a: 1 / (1 + np.exp(-a)),
        sigmoid,
        lambda a: sigmoid(a) * sigmoid(-a),
        lambda a: math.tanh(a / 2) / 2,
    ),
    "tanh": Reference(lambda np, a: np.tanh(a), math.tanh, lambda a: math.cosh(min(abs(a), 300)) ** -2, math.tanh),
    "relu": Reference(
        lambda np, a: np.where(a > 0, a, 0.0), lambda a: max(a, 0.0), lambda a: float(a > 0), lambda a: max(a, 0.0)
    ),
    "identity": Reference(lambda np, a: a, lambda a: a, lambda a: 1.0, lambda a: a),
    "softplus": Reference(
        lambda np, a: np.maximum(a, 0) + np.log(1 + np.exp(-np.abs(a))),
        softplus,
        sigmoid,
        lambda a: math.log1p(math.expm1(a) / 2) if a < 1 else softplus(a) - math.log(2),
    ),
    "leaky relu": Reference(
        lambda np, a: np.where(a > 0, a, 0.01 * a),
        lambda a: a if a > 0 else 0.01 * a,
        lambda a: 1.0 if a > 0 else 0.01,
        lambda a: a if a > 0 else 0.01 * a,
    ),
    "gelu": Reference(lambda np, a: 0.5 * a * (1 + np.tanh(C * (a + CUBE * a**3))), gelu, gelu_slope, gelu),
    "selu": Reference(
        lambda np, a: SCALE * np.where(a > 0, a, ALPHA * (np.exp(a) - 1)),
        selu,
        lambda a: SCALE * (1 if a > 0 else ALPHA * math.exp(a)),
        selu,
    ),
}
