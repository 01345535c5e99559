"""Initializers: the standard deviation of a layer's weights from its fan-in and fan-out. Weights are sd · draws."""

from collections.abc import Callable
from dataclasses import dataclass

from sheetsim.model.draws import Distribution, distribution, normal
from sheetsim.model.expr import Matrix, Operand, sqrt

STANDARD = normal()


@dataclass(frozen=True)
class Initializer:
    """W = sd · e: `sd` is a function of (fan_in, fan_out), the standard draws e have mean 0 and variance 1."""

    sd: Callable[[Matrix, Matrix], Operand]
    draws: Distribution = STANDARD


def lecun() -> Initializer:
    """sd = 1/sqrt(fan_in): keeps Var[a] through identity layers, and near 0 through tanh (LeCun et al. 1998, §4.6).

    Through sigmoid it keeps a spread of the outputs and loses the input (χ = 0.056).
    """
    return Initializer(lambda fan_in, fan_out: 1 / sqrt(fan_in))


def xavier() -> Initializer:
    """sd = 1/sqrt(fan_in), by the name that articles and books often give to LeCun's: the same as `lecun`.

    What Xavier Glorot and Yoshua Bengio (2010, eq. 12) propose, and PyTorch calls xavier, is `glorot`; the two agree
    where fan_in is fan_out.
    """
    return lecun()


def glorot() -> Initializer:
    """sd = sqrt(2/(fan_in + fan_out)): between the forward and the backward need (Glorot & Bengio 2010, eq. 12).

    PyTorch's xavier_normal_ has this standard deviation.
    """
    return Initializer(lambda fan_in, fan_out: sqrt(2 / (fan_in + fan_out)))


def he() -> Initializer:
    """sd = sqrt(2/fan_in): keeps E[z²] through ReLU layers (He et al. 2015, arXiv:1502.01852, eq. 10)."""
    return Initializer(lambda fan_in, fan_out: sqrt(2 / fan_in))


def scaled(sd: Operand) -> Initializer:
    """The given standard deviation, whatever the fan-in; a 1×1 matrix makes it a cell that can be changed."""
    return Initializer(lambda fan_in, fan_out: sd)


def zeros() -> Initializer:
    """All weights 0: nothing passes."""
    return scaled(0.0)


def constant(value: Operand) -> Initializer:
    """All weights equal (the draws are all 1): the units of a layer then never differ."""
    return Initializer(lambda fan_in, fan_out: value, distribution("ones"))


SCHEMES: dict[str, Initializer] = {
    "std 1": scaled(1.0),
    "std 0.01": scaled(0.01),
    "xavier": xavier(),
    "lecun": lecun(),
    "glorot": glorot(),
    "he": he(),
    "zeros": zeros(),
}

# For a person who chooses.
NAMES = "xavier: 1/√n (LeCun et al. 1998; lecun is the same). glorot: √(2/(n_in + n_out)), PyTorch’s xavier. he: √(2/n)"
