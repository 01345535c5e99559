"""Initializers: the standard deviation of a layer's weights from its fan-in and fan-out, and how they are drawn."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from sheetsim.model.activations import ACTIVATIONS
from sheetsim.model.distributions import distribution, normal, uniform
from sheetsim.model.draws import Distribution, checked_distribution
from sheetsim.model.expr import Matrix, Operand, largest, sqrt
from sheetsim.model.sampling import ORTHOGONAL

STANDARD = normal()

# Of mean 0 and variance 1.
UNIFORM = uniform(-math.sqrt(3), math.sqrt(3))


# How weights can be drawn that schemes draw as normal numbers.
WEIGHT_DRAWS = ("normal", "uniform", "truncated")

# Standard deviation of a standard normal number without what lies beyond two of them.
KEPT = 0.87962566103423978


def weight_draws(name: str) -> Distribution:
    """One of WEIGHT_DRAWS, with mean 0 and variance 1.

    truncated: a normal number within two of its own standard deviations, enlarged to have a variance of 1 (TensorFlow's
    VarianceScaling).
    """
    if name == "truncated":
        # Not before it is asked for: it takes SciPy.
        return checked_distribution("normal", {"mean": 0.0, "std": 1 / KEPT}, -2 / KEPT, 2 / KEPT)
    return UNIFORM if name == "uniform" else STANDARD


@dataclass(frozen=True)
class Initializer:
    """W = sd · e: `sd` is a function of (fan_in, fan_out), the standard draws e have mean 0 and variance 1.

    draws, design: what e is drawn from, and whether its elements are independent (`random`) or e is `orthogonal`.
    """

    sd: Callable[[Matrix, Matrix], Operand]
    draws: Distribution = STANDARD
    design: str = "random"

    def draws_like(self, other: "Initializer") -> bool:
        """Whether another standard deviation would make weights of the other one from the same draws."""
        return (self.draws, self.design) == (other.draws, other.design)


def lecun() -> Initializer:
    """LeCun's initializer, sd = 1/√fan_in.

    Keeps the variance of pre-activations through identity layers, and nearly through tanh near 0. Through sigmoid it
    keeps the spread of the outputs and loses the input (χ = 0.056).

    References
    ----------
    Y. LeCun, L. Bottou, G. Orr, K.-R. Müller, Efficient BackProp (1998), §4.6.
    """
    return Initializer(lambda fan_in, fan_out: 1 / sqrt(fan_in))


def lecun_normal() -> Initializer:
    """Keras' name for `lecun` with normal draws: the same as `lecun`."""
    return lecun()


def xavier() -> Initializer:
    """The name that articles and books often give to sd = 1/√fan_in: the same as `lecun`.

    The initializer of Xavier Glorot and Yoshua Bengio (2010, eq. 12), which PyTorch calls xavier, is `glorot`; the two
    agree where fan_in equals fan_out.
    """
    return lecun()


def glorot() -> Initializer:
    """Glorot's initializer, sd = √(2/(fan_in + fan_out)): a compromise of the forward and the backward pass.

    PyTorch's `xavier_normal_` has this standard deviation.

    References
    ----------
    X. Glorot, Y. Bengio, Understanding the difficulty of training deep feedforward neural networks (2010), eq. 12.
    """
    return Initializer(lambda fan_in, fan_out: sqrt(2 / (fan_in + fan_out)))


def glorot_uniform() -> Initializer:
    """Uniform draws on ±√(6/(fan_in + fan_out)), with the standard deviation of `glorot`.

    PyTorch's `xavier_uniform_`, and Keras' default.

    References
    ----------
    X. Glorot, Y. Bengio, Understanding the difficulty of training deep feedforward neural networks (2010), eq. 16.
    """
    return replace(glorot(), draws=UNIFORM)


def he() -> Initializer:
    """He's initializer, sd = √(2/fan_in): keeps E[z²] through ReLU layers.

    References
    ----------
    K. He, X. Zhang, S. Ren, J. Sun, Delving deep into rectifiers (2015), arXiv:1502.01852, eq. 10.
    """
    return Initializer(lambda fan_in, fan_out: sqrt(2 / fan_in))


def he_uniform() -> Initializer:
    """Uniform draws on ±√(6/fan_in), with the standard deviation of `he`: PyTorch's `kaiming_uniform_` for ReLU."""
    return replace(he(), draws=UNIFORM)


def orthogonal(gain: Operand = 1.0) -> Initializer:
    """gain · Q with orthonormal columns, or rows where fan_in < fan_out.

    Parameters
    ----------
    gain
        Factor, a number or a single cell of a model.

    Notes
    -----
    Rows of W are inputs: with gain 1 and fan_in ≤ fan_out the norm of a sample is kept exactly, ‖x W‖ = ‖x‖; with more
    inputs than units x W is a projection. W is sd · e as for other initializers: sd = gain/√max(fan_in, fan_out) is the
    root mean square of its elements, and another sd is another gain.

    References
    ----------
    A. Saxe, J. McClelland, S. Ganguli, Exact solutions to the nonlinear dynamics of learning in deep linear neural
    networks (2013), arXiv:1312.6120, §3.
    """
    return Initializer(lambda fan_in, fan_out: gain / sqrt(largest(fan_in, fan_out)), design=ORTHOGONAL)


def scaled(sd: Operand) -> Initializer:
    """A given standard deviation, whatever the fan-in.

    Parameters
    ----------
    sd
        The standard deviation; a single cell of a model can be changed in the workbook.
    """
    return Initializer(lambda fan_in, fan_out: sd)


def zeros() -> Initializer:
    """All weights 0: nothing passes."""
    return scaled(0.0)


def constant(value: Operand) -> Initializer:
    """All weights equal, so that the units of a layer never differ.

    Parameters
    ----------
    value
        Every weight, a number or a single cell of a model.
    """
    return Initializer(lambda fan_in, fan_out: value, distribution("ones"))


# σ_w by activation: weights of the standard deviation gain/√fan_in.
GAINS: dict[str, float] = {name: row.gain for name, row in ACTIVATIONS.items()}

SCHEMES: dict[str, Initializer] = {
    "std 1": scaled(1.0),
    "std 0.01": scaled(0.01),
    "xavier": xavier(),
    "lecun": lecun(),
    "lecun normal": lecun_normal(),
    "glorot": glorot(),
    "he": he(),
    "zeros": zeros(),
    "glorot uniform": glorot_uniform(),
    "he uniform": he_uniform(),
    "orthogonal": orthogonal(),
}

# For a person who chooses.
INITIALIZER_NAMES = (
    "xavier: 1/√n (LeCun et al. 1998; lecun is the same). glorot: √(2/(n_in + n_out)), PyTorch’s xavier. he: √(2/n)"
)

# Further names.
MORE_NAMES = (
    "glorot uniform, he uniform: the same standard deviations with uniform draws. orthogonal: orthonormal columns, or "
    "rows (Saxe et al. 2013): 1/√max(n_in, n_out). A drop-down has the schemes of the draws that the book was made with"
)
