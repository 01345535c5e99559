"""Five rules by which an optimiser steps, with their cells and their sources."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sheetsim.model.expr import Matrix, sqrt

State = Mapping[str, Matrix]

# (the position, the gradient there, the state before, the cells, the step) to the position and the state after.
UpdateStep = Callable[[Matrix, Matrix, State, State, int], tuple[Matrix, dict[str, Matrix]]]

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


def sgd(p: Matrix, g: Matrix, state: State, cell: State, t: int) -> tuple[Matrix, dict[str, Matrix]]:
    return p - cell["rate_sgd"] * g, {}


def momentum(p: Matrix, g: Matrix, state: State, cell: State, t: int) -> tuple[Matrix, dict[str, Matrix]]:
    v = cell["momentum"] * state["v"] - cell["rate_momentum"] * g
    return p + v, {"v": v}


def adagrad(p: Matrix, g: Matrix, state: State, cell: State, t: int) -> tuple[Matrix, dict[str, Matrix]]:
    h = state["h"] + g**2
    return p - cell["rate_adagrad"] * g / (sqrt(h) + cell["epsilon"]), {"h": h}


def rmsprop(p: Matrix, g: Matrix, state: State, cell: State, t: int) -> tuple[Matrix, dict[str, Matrix]]:
    h = cell["decay"] * state["h"] + (1 - cell["decay"]) * g**2
    return p - cell["rate_rmsprop"] * g / (sqrt(h) + cell["epsilon"]), {"h": h}


def adam(p: Matrix, g: Matrix, state: State, cell: State, t: int) -> tuple[Matrix, dict[str, Matrix]]:
    m = cell["beta_1"] * state["m"] + (1 - cell["beta_1"]) * g
    v = cell["beta_2"] * state["v"] + (1 - cell["beta_2"]) * g**2
    mean, square = m / (1 - cell["beta_1"] ** t), v / (1 - cell["beta_2"] ** t)
    return p - cell["rate_adam"] * mean / (sqrt(square) + cell["epsilon"]), {"m": m, "v": v}


@dataclass(frozen=True)
class Rule:
    """label: what people call it; step: the rule, and `lines` the same in words of mathematics; state: its letters,
    each a vector that begins at 0; rate, others: the names of its cells."""

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
