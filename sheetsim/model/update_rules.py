"""Five rules by which an optimizer steps, with their cells and their sources; and one with its numbers, to train by."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

from msgspec import Struct

from sheetsim.arguments import number, one_of, whole
from sheetsim.errors import SheetsimError
from sheetsim.model.expr import Matrix, cos, floor, matrix, sqrt, sum_squares, where

State = Mapping[str, Matrix]

# (the position, the gradient there, the state before, the cells, the step) to the position and the state after.
UpdateStep = Callable[[Matrix, Matrix, State, State, int | Matrix], tuple[Matrix, dict[str, Matrix]]]

CELLS = {
    "rate_sgd": "learning rate η of SGD",
    "rate_momentum": "learning rate η of Momentum",
    "momentum": "α: the share of Momentum's velocity that stays",
    "rate_adagrad": "learning rate η of AdaGrad",
    "rate_rmsprop": "learning rate η of RMSprop",
    "decay": "ρ: the share of RMSprop's mean square that stays",
    "rate_adam": "learning rate η of Adam",
    "beta_1": "β₁: the share of Adam's mean gradient that stays",
    "beta_2": "β₂: the share of Adam's mean square that stays",
    "epsilon": "ε: added to roots, against division by 0",
}


def sgd(p: Matrix, g: Matrix, state: State, cell: State, t: int | Matrix) -> tuple[Matrix, dict[str, Matrix]]:
    """p ← p − η·g."""
    return p - cell["rate_sgd"] * g, {}


def momentum(p: Matrix, g: Matrix, state: State, cell: State, t: int | Matrix) -> tuple[Matrix, dict[str, Matrix]]:
    """v ← α·v − η·g; p ← p + v."""
    v = cell["momentum"] * state["v"] - cell["rate_momentum"] * g
    return p + v, {"v": v}


def adagrad(p: Matrix, g: Matrix, state: State, cell: State, t: int | Matrix) -> tuple[Matrix, dict[str, Matrix]]:
    """h ← h + g²; p ← p − η·g/(√h + ε)."""
    h = state["h"] + g**2
    return p - cell["rate_adagrad"] * g / (sqrt(h) + cell["epsilon"]), {"h": h}


def rmsprop(p: Matrix, g: Matrix, state: State, cell: State, t: int | Matrix) -> tuple[Matrix, dict[str, Matrix]]:
    """h ← ρ·h + (1 − ρ)·g²; p ← p − η·g/(√h + ε)."""
    h = cell["decay"] * state["h"] + (1 - cell["decay"]) * g**2
    return p - cell["rate_rmsprop"] * g / (sqrt(h) + cell["epsilon"]), {"h": h}


def adam(p: Matrix, g: Matrix, state: State, cell: State, t: int | Matrix) -> tuple[Matrix, dict[str, Matrix]]:
    """Means m, v of g, g² with shares β₁, β₂; p ← p − η·m̂/(√v̂ + ε), m̂ and v̂ corrected for their start at 0."""
    m = cell["beta_1"] * state["m"] + (1 - cell["beta_1"]) * g
    v = cell["beta_2"] * state["v"] + (1 - cell["beta_2"]) * g**2
    mean, square = m / (1 - cell["beta_1"] ** t), v / (1 - cell["beta_2"] ** t)
    return p - cell["rate_adam"] * mean / (sqrt(square) + cell["epsilon"]), {"m": m, "v": v}


class Rule(Struct, frozen=True):
    """A rule of gradient descent.

    label: its usual name; step: the rule; lines: the same as formulas for people; state: its letters, each a vector
    that begins at 0; rate, others: the names of its cells.
    """

    label: str
    step: UpdateStep
    state: str
    rate: str
    others: tuple[str, ...]
    lines: tuple[str, ...]
    note: str
    source: str


RULES: dict[str, Rule] = {
    "sgd": Rule(
        "SGD",
        sgd,
        "",
        "rate_sgd",
        (),
        ("p ← p − η·g",),
        "No state, no ε. Here the gradient is exact, and not that of a random batch.",
        "Robbins & Monro 1951: Annals of Mathematical Statistics 22, 400–407; with an exact gradient Cauchy 1847",
    ),
    "momentum": Rule(
        "Momentum",
        momentum,
        "v",
        "rate_momentum",
        ("momentum",),
        ("v ← α·v − η·g", "p ← p + v"),
        "The velocity v begins at 0. No ε.",
        "Polyak 1964: USSR Computational Mathematics and Mathematical Physics 4(5), 1–17",
    ),
    "adagrad": Rule(
        "AdaGrad",
        adagrad,
        "h",
        "rate_adagrad",
        ("epsilon",),
        ("h ← h + g²", "p ← p − η·g / (√h + ε)"),
        "The sum of squares h begins at 0 and only grows: steps become shorter. ε stands outside of the root.",
        "Duchi, Hazan & Singer 2011: Journal of Machine Learning Research 12, 2121–2159",
    ),
    "rmsprop": Rule(
        "RMSprop",
        rmsprop,
        "h",
        "rate_rmsprop",
        ("decay", "epsilon"),
        ("h ← ρ·h + (1 − ρ)·g²", "p ← p − η·g / (√h + ε)"),
        "The mean square h begins at 0 without bias correction: the first steps are longer. ε outside of the root.",
        "Tieleman & Hinton 2012: Neural Networks for Machine Learning, lecture 6e",
    ),
    "adam": Rule(
        "Adam",
        adam,
        "mv",
        "rate_adam",
        ("beta_1", "beta_2", "epsilon"),
        (
            "m ← β₁·m + (1 − β₁)·g;  v ← β₂·v + (1 − β₂)·g²",
            "p ← p − η·m̂ / (√v̂ + ε) with m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ)",
        ),
        "m̂ and v̂ correct the bias of a mean gradient m and a mean square v that begin at 0. ε outside of the root.",
        "Kingma & Ba 2015: Adam, a method for stochastic optimization, algorithm 1, arXiv:1412.6980",
    ),
}


SCHEDULES = ("constant", "step", "cosine")


@dataclass(frozen=True)
class Optimizer:
    """A rule of gradient descent with its numbers.

    Parameters
    ----------
    rule
        "sgd", "momentum", "adagrad", "rmsprop" or "adam".
    rate
        Learning rate η.
    schedule
        How η changes: "constant"; "step" multiplies it by `factor` after each `drop_every` steps; "cosine" lets it fall
        to 0 along half a cosine over all steps (Loshchilov & Hutter 2017, arXiv:1608.03983, without restarts).
    factor
        Factor of the schedule "step".
    drop_every
        Steps after which the schedule "step" multiplies.
    momentum
        Share of the velocity that stays (momentum).
    decay
        Share of the mean square that stays (rmsprop).
    beta_1
        Share of the mean gradient that stays (adam).
    beta_2
        Share of the mean square that stays (adam).
    epsilon
        Added to roots, against division by 0.
    weight_decay
        λ, decoupled from the gradient: W ← W − η·λ·W beside the rule's step; AdamW where the rule is adam (Loshchilov &
        Hutter 2019, arXiv:1711.05101, algorithm 2).
    clip
        Largest norm of all gradients together, 0 for none (Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063, algorithm
        1).

    Raises
    ------
    SheetsimError
        The rule or schedule is unknown, or a number is below 0.

    Notes
    -----
    Sources of the rules: Robbins & Monro 1951 (sgd), Polyak 1964 (momentum), Duchi, Hazan & Singer 2011 (adagrad),
    Tieleman & Hinton 2012, lecture 6e (rmsprop), Kingma & Ba 2015, arXiv:1412.6980, algorithm 1 (adam).
    """

    rule: str = "sgd"
    rate: float = 0.01
    schedule: str = "constant"
    factor: float = 0.5
    drop_every: int = 100
    momentum: float = 0.9
    decay: float = 0.9
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    clip: float = 0.0

    def __post_init__(self) -> None:
        one_of("optimizer", self.rule, tuple(RULES))
        one_of("schedule", self.schedule, SCHEDULES)
        for name in ("rate", "factor", "momentum", "decay", "beta_1", "beta_2", "epsilon", "weight_decay", "clip"):
            if not number(name, getattr(self, name)) >= 0:
                raise SheetsimError(f"{name} must be a number of at least 0, not {getattr(self, name):g}")
        whole("drop_every", self.drop_every, 1)

    def starts(self, parameter: Matrix) -> dict[str, Matrix]:
        """The state of a parameter before the first step, by the rule's letters: 0 everywhere."""
        return dict.fromkeys(RULES[self.rule].state, parameter * 0)

    def rate_at(self, step: Matrix, steps: int) -> Matrix:
        """η at a step, from 1."""
        if self.schedule == "step":
            return self.rate * matrix(self.factor) ** floor((step - 1) / float(self.drop_every))
        if self.schedule == "cosine":
            return self.rate / 2 * (1 + cos(math.pi / steps * (step - 1)))
        return matrix(self.rate)

    def clipped(self, gradients: Sequence[Matrix]) -> list[Matrix]:
        """The gradients, times what takes the norm of all together to `clip` where it is greater."""
        if not self.clip:
            return list(gradients)
        norm = sqrt(reduce(add, map(sum_squares, gradients)))
        share = where(norm > self.clip, self.clip / norm, 1)
        return [share * gradient for gradient in gradients]

    def after(
        self, p: Matrix, g: Matrix, state: State, step: Matrix, rate: Matrix, decays: bool
    ) -> tuple[Matrix, dict[str, Matrix]]:
        """A parameter and its state after a step. decays: whether it is a weight, which decays."""
        names = ("momentum", "decay", "beta_1", "beta_2", "epsilon")
        cells = {name: matrix(getattr(self, name)) for name in names} | {RULES[self.rule].rate: rate}
        moved, state_after = RULES[self.rule].step(p, g, state, cells, step)
        if decays and self.weight_decay:
            moved = moved - rate * self.weight_decay * p
        return moved, state_after
