"""Activations: a row each says all that the program knows of one. It computes nothing.

Tables, histograms, verdicts, theory and replicates read these rows and ask no activation for its name. A row is tested
by enumeration: f and f′ in NumPy and two spreadsheet engines, and each number of it against the function itself.
"""

import math
from collections.abc import Callable, Mapping

from msgspec import Struct

from sheetsim.model.expr import Matrix, Operand, absolute, choose, equal, exp, log, matrix, relu, sigmoid, tanh, where

# f is flat where |f′| is under this share of its largest value.
FLAT_SHARE = 0.01

# Klambauer et al. (2017, arXiv:1706.02515), eq. 14: with them E[f] = 0 and E[f²] = 1 of a standard normal.
SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717

# The slope of leaky relu below 0 (Maas, Hannun & Ng 2013).
LEAK = 0.01


class Activation(Struct, frozen=True):
    """f of a pre-activation a. Its derivative is that of the op table (`model.grad`).

    function: f(a), of a matrix of the model; finite numbers must give finite ones.
    steepest: the largest |f′|.
    gain: σ_w of suitable weights, whose standard deviation is gain/√fan_in. With those of relu and of leaky relu,
    √(2/(1 + a²)) for the slope a below 0 (He et al. 2015, §2.2), E[z²] stays; selu's is LeCun's (Klambauer et al.
    2017). That of tanh, 5/3, is PyTorch's convention: no theory has it, and deep networks are chaotic with it.
    least, most: the bounds of f(a), infinite where it has none.
    below: how far a histogram goes below 0 where f has no bounds, as a share of how far it goes above.
    tails: from a = −∞ up to the first, and from the second up to ∞, f is flat: outputs there count as saturated.
    fades: f goes to 0 on its tail, so that a unit that is there is silent, and not saturated at a level of its own.
    zero: f(0).
    rises: whether f never falls, so that the quantiles of f(a) are those of a, activated.
    zeros: whether f is exactly 0 over a range of a.
    active: where f multiplies sizes, f(ca) = c·f(a) for c > 0, the share of the sums that carry the size of the outputs
    (except for LEAK²); None elsewhere.
    Quadrature of f is exact to rounding where f turns within a few units of 0 and has kinks nowhere else.
    """

    function: Callable[[Matrix], Matrix]
    steepest: float
    gain: float = 1.0
    least: float = -math.inf
    most: float = math.inf
    below: float = 1.0
    tails: tuple[float, float] = (-math.inf, math.inf)
    fades: bool = False
    zero: float = 0.0
    rises: bool = True
    zeros: bool = False
    active: float | None = None

    @property
    def bounded(self) -> bool:
        """Whether outputs stay within bounds, however large the sums."""
        return math.isfinite(self.least) and math.isfinite(self.most)

    @property
    def saturates(self) -> bool:
        """Whether it has a tail."""
        return any(map(math.isfinite, self.tails))

    @property
    def levels(self) -> bool:
        """Whether outputs have a size of their own, so that a small spread is one whatever the input's size."""
        return self.bounded or self.zero != 0


def _softplus(a: Matrix) -> Matrix:
    # Not with relu, which has no derivative at 0: here grad gives one half. EXP never overflows.
    return a / 2 + absolute(a) / 2 + log(1 + exp(-absolute(a)))


def _gelu(a: Matrix) -> Matrix:
    # Not with a³, which overflows before the outputs' square does.
    return 0.5 * a * (1 + tanh(math.sqrt(2 / math.pi) * a * (1 + 0.044715 * a**2)))


def _selu(a: Matrix) -> Matrix:
    # Both branches are computed everywhere, and EXP of a large number overflows.
    return SELU_SCALE * where(a > 0, a, SELU_ALPHA * (exp(where(a > 0, 0, a)) - 1))


_TANH_TAIL = math.atanh(math.sqrt(1 - FLAT_SHARE))

ACTIVATIONS: dict[str, Activation] = {
    "sigmoid": Activation(sigmoid, 0.25, least=0, most=1, tails=(-2 * _TANH_TAIL, 2 * _TANH_TAIL), zero=0.5),
    "tanh": Activation(tanh, 1.0, gain=5 / 3, least=-1, most=1, tails=(-_TANH_TAIL, _TANH_TAIL)),
    "relu": Activation(relu, 1.0, gain=math.sqrt(2), least=0, tails=(0, math.inf), fades=True, zeros=True, active=0.5),
    "identity": Activation(lambda a: a, 1.0, active=1),
    # log(1 + eᵃ) (Dugas et al. 2001); f′ is the sigmoid.
    "softplus": Activation(
        _softplus, 1.0, least=0, tails=(math.log(FLAT_SHARE / (1 - FLAT_SHARE)), math.inf), fades=True, zero=math.log(2)
    ),
    "leaky relu": Activation(
        lambda a: where(a > 0, a, LEAK * a), 1.0, gain=math.sqrt(2 / (1 + LEAK**2)), below=0.25, active=0.5
    ),
    # The tanh approximation of a·Φ(a), and not that itself (Hendrycks & Gimpel 2016, arXiv:1606.08415, end of §2).
    "gelu": Activation(
        _gelu,
        1.128993068658772,
        gain=math.sqrt(2),
        least=-0.17004075057125406,
        tails=(-3.0093577396311257, math.inf),
        fades=True,
        rises=False,
    ),
    "selu": Activation(
        _selu,
        SELU_SCALE * SELU_ALPHA,
        least=-SELU_SCALE * SELU_ALPHA,
        tails=(math.log(FLAT_SHARE), math.inf),
    ),
}

# For a person who chooses.
ACTIVATION_NAMES = (
    f"leaky relu has the slope {LEAK:g} below 0; gelu is its tanh approximation (Hendrycks & Gimpel 2016)"
)


def activate(activation: Matrix, a: Matrix) -> Matrix:
    """f(a) with f as the drop-down says."""
    return choose(activation, {name: row.function(a) for name, row in ACTIVATIONS.items()})


def chosen(activation: Matrix, special: Mapping[str, Operand], otherwise: Operand) -> Matrix:
    """The value for the activation that the drop-down says: some have a special one, by name, and all others one."""
    value = matrix(otherwise)
    for name, special_value in reversed(list(special.items())):
        value = where(equal(activation, name), special_value, value)
    return value


def activations_where(rule: Callable[[Activation], bool]) -> list[str]:
    """The activations whose rows the rule is true of."""
    return [name for name, row in ACTIVATIONS.items() if rule(row)]


def chosen_is(activation: Matrix, rule: Callable[[Activation], bool]) -> Matrix:
    """1 where the rule is true of the activation that the drop-down says, else 0: 1×1."""
    first, *others = [equal(activation, name) for name in activations_where(rule)] or [matrix(0)]
    return sum(others, first)
