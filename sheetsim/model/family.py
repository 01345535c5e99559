"""What a family of distributions is: how it is drawn, its quantiles, moments and parameters. It knows no seed."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from msgspec import Struct
from numpy.typing import NDArray

from sheetsim.model.op import Array

# What NumPy and SciPy raise for parameters that they cannot work with.
FAILURES = (ArithmeticError, AttributeError, RuntimeError, TypeError, ValueError)

# A parameter is a number, or a list of numbers where the family says so.
Parameter: TypeAlias = float | tuple[float, ...]


class Family(Struct, frozen=True):
    """One named distribution; every function takes its parameters as keywords.

    draw: independent numbers from a generator, in a shape; from_normal: the quantile of Φ(z), for standard normal
    scores z; moments: (E[x], E[x²]), infinite where they diverge and NaN where there is none or none is known;
    defaults: by parameter, None where it must be given (an infinite one stands for "none"); valid, rule: what the
    parameters must satisfy, and in words (`valid` may raise a SheetsimError that says more); in_order: whether two
    draws in a row are the rows of one longer draw, by NumPy alone; lists: the parameters that are lists of numbers.
    """

    draw: Callable[..., NDArray[Any]]
    from_normal: Callable[..., NDArray[Any]]
    moments: Callable[..., tuple[float, float]]
    defaults: Mapping[str, Parameter | None]
    valid: Callable[[Mapping[str, Any]], bool] = lambda p: True
    rule: str = ""
    in_order: bool = True
    lists: tuple[str, ...] = ()


def uniforms(z: Array) -> Array:
    """Φ(z), element by element. SciPy is imported here, so that a plain run does without it."""
    from scipy.special import ndtr

    probabilities: Array = ndtr(z)
    return probabilities
