"""A 9-3-2 network's training by full batch, step by step: every pass, gradient and update is a matrix of its own."""

from collections.abc import Mapping
from functools import reduce
from operator import add

import numpy as np
from msgspec import Struct

from sheetsim.model.activations import ACTIVATIONS
from sheetsim.model.expr import (
    COUNT,
    NUMBER,
    ROUNDING,
    Data,
    Matrix,
    absolute,
    choose,
    column,
    column_count,
    column_mean,
    matrix,
    mean,
    row_count,
    row_sum,
    sigmoid,
    sqrt,
    sum_squares,
    total,
    where,
)
from sheetsim.model.grad import grad
from sheetsim.model.graph import Graph
from sheetsim.model.initializers import xavier
from sheetsim.model.series import Series
from sheetsim.model.update_rules import RULES
from sheetsim.studies.training_in_cells.pictures import CLASSES, PIXELS

HIDDEN = 3
UNITS = tuple(f"unit {k}" for k in range(1, HIDDEN + 1))

CONSTANT, SMALL, XAVIER = STARTS = ("constant", "small", "xavier")
CURVES = ("tanh", "sigmoid", "relu")

PARAMETERS = ("W_1", "b_1", "W_2", "b_2")

# Units differ where the distance of their weights is more than this share of their root mean square; sums that differ
# by no more are of two classes alike.
NEAR = 1e-6
TIE = 1e-9

MEASURES = {
    "loss": "cross-entropy of the softmax, mean over the pictures",
    "accuracy": "share of the pictures that are classified right; one whose two outputs are equal to 1E-9 counts "
    "one half",
    "units": "distinct hidden units: those whose weights from the pixels and bias differ from the others', by more "
    "than 1E-6 of their size",
    "gradient": "norm of the loss's gradient with respect to all weights and biases together",
}

# What the series are, by their names without the start's.
SERIES = {
    "W_1": "weights of the hidden units, 9 × 3 a step: a row a pixel, a column a unit",
    "b_1": "biases of the hidden units, 1 × 3 a step",
    "W_2": "weights of the outputs, 3 × 2 a step: a row a hidden unit, a column an output",
    "b_2": "biases of the outputs, 1 × 2 a step",
    "a_1": "sums x W_1 + b_1 of the hidden units, a row a picture",
    "z_1": "outputs f(a_1) of the hidden units, a row a picture",
    "a_2": "sums z_1 W_2 + b_2 of the outputs, a row a picture",
    "ahead": "by how much the sum of the picture's own class is ahead of the other's; above 0 it is right",
    "p": "probabilities of circle and cross, the softmax of a_2, a row a picture",
}
GRADIENTS = "gradients of the loss with respect to what the name says behind d_"
VELOCITIES = "velocities v ← momentum · v − rate · gradient, of what the name says behind v_; they begin at 0"

COLUMNS = {"1": UNITS, "2": CLASSES}


class Descent(Struct, frozen=True):
    """One start of the weights and its steps: series by their names without the start's."""

    name: str
    series: Mapping[str, Series]

    def __getitem__(self, name: str) -> Series:
        return self.series[name]

    def said_of(self, graph: Graph, pixels: Matrix) -> Matrix:
        """What the network says of a row of pixels after the last step: probabilities, 1×2."""
        last = {key: self.series[key][-1] for key in PARAMETERS}
        return probabilities(graph, _forward(graph, pixels, last)["a_2"])


def probabilities(graph: Graph, a_2: Matrix) -> Matrix:
    """The softmax of two outputs, which is the sigmoid of each sum less the other: so it overflows nowhere."""
    return sigmoid(a_2 @ graph["versus"])


def _forward(graph: Graph, x: Matrix, at: Mapping[str, Matrix]) -> dict[str, Matrix]:
    a_1 = x @ at["W_1"] + at["b_1"]
    z_1 = choose(graph["activation"], {name: ACTIVATIONS[name].function(a_1) for name in CURVES})
    return {"a_1": a_1, "z_1": z_1, "a_2": z_1 @ at["W_2"] + at["b_2"]}


def descent_from(graph: Graph, name: str, steps: int) -> Descent:
    """Full-batch gradient descent with momentum from one start: each series has the steps 0 to `steps`.

    Shapes a step, n pictures: W_1 9×3, b_1 1×3, W_2 3×2, b_2 1×2; a_1 and z_1 n×3, a_2 and p n×2, ahead
    n×1; d_… the gradients by each, and v_… the velocities of the parameters, from step 1 (Polyak 1964, see RULES).
    """
    x, y = graph["x"], graph["y"]
    cells = {"momentum": graph["momentum"], "rate_momentum": graph["rate"]}
    nodes: dict[str, list[Matrix]] = {}
    now = _start(graph, name)
    velocities: dict[str, Matrix] = dict.fromkeys(PARAMETERS, matrix(0.0))
    for step in range(steps + 1):
        made = now | _forward(graph, x, now)
        p = probabilities(graph, made["a_2"])
        # Of the mean cross-entropy of a softmax; the sum of a_2 · d_a_2 has the loss's gradients then.
        d_a_2 = (p - y) / float(y.shape[0])
        by = [key for key in made if key != "a_2"]
        gradients = dict(
            zip(by, grad(total(made["a_2"] * d_a_2), [made[key] for key in by], fixed=[d_a_2]), strict=True)
        )
        # The sum of d_a_2, but divided last: where both classes are as probable it is 0 and no rounding of it.
        gradients["b_2"] = column_mean(p - y)
        made |= {f"d_{key}": node for key, node in (gradients | {"a_2": d_a_2}).items()}
        made |= {"p": p, "ahead": row_sum(made["a_2"] * (2 * y - 1))}
        made["loss"] = mean(ACTIVATIONS["softplus"].function(-made["ahead"]))
        # Equal columns of weights give equal sums except for rounding, which differs by engine: they count as one half.
        made["accuracy"] = mean(where(absolute(made["ahead"]) < TIE, 0.5, made["ahead"] > 0))
        made["units"] = _distinct(made["W_1"], made["b_1"])
        made["gradient"] = sqrt(reduce(add, (sum_squares(gradients[key]) for key in PARAMETERS)))
        if step < steps:
            now = {}
            for key in PARAMETERS:
                before = {"v": velocities[key]}
                now[key], after = RULES["momentum"].step(made[key], gradients[key], before, cells, step + 1)
                velocities[key] = after["v"]
                nodes.setdefault(f"v_{key}", []).append(after["v"])
        for key, node in made.items():
            nodes.setdefault(key, []).append(node)
    return Descent(name, {key: _series(graph, f"{key}_{name}", key, by_step) for key, by_step in nodes.items()})


def _series(graph: Graph, name: str, key: str, by_step: list[Matrix]) -> Series:
    first = int(key.startswith("v_"))
    kind = COUNT if key == "units" else NUMBER if key in ("loss", "accuracy", "p") else ROUNDING
    columns = COLUMNS.get(key[-1], CLASSES) if by_step[0].shape[1] > 1 else (key,)
    return graph.stacked(name, by_step, columns, first=first, kind=kind, what=_what(key))


def _what(key: str) -> str:
    if key in MEASURES:
        return MEASURES[key]
    return GRADIENTS if key.startswith("d_") else VELOCITIES if key.startswith("v_") else SERIES[key]


def _start(graph: Graph, name: str) -> dict[str, Matrix]:
    """The parameters at step 0: weights by the start, and biases of 0, cells to change, or of random starts drawn."""
    weights = {}
    for number in (1, 2):
        draws, ones = graph[f"e_{number}"], graph[f"ones_{number}"]
        if name == CONSTANT:
            weights[f"W_{number}"] = graph[CONSTANT] * ones
            continue
        scale = graph[SMALL] if name == SMALL else xavier().sd(row_count(draws), column_count(draws))
        weights[f"W_{number}"] = (graph["gain"] * scale if "gain" in graph else scale) * draws
    shapes = (("b_1", (1, HIDDEN)), ("b_2", (1, 2)))
    biases = {key: Matrix(Data(np.zeros(shape)), (), shape) for key, shape in shapes}
    if "bias_std" in graph and name != CONSTANT:
        biases = {key: graph["bias_std"] * graph[f"e_{key}"] for key, _ in shapes}
    return {key: {**weights, **biases}[key] for key in PARAMETERS}


def _distinct(W: Matrix, b: Matrix) -> Matrix:
    """How many of three units differ. Not to the last digit: a BLAS may round equal columns differently."""
    size = (sum_squares(W) + sum_squares(b)) / HIDDEN

    def differ(j: int, k: int) -> Matrix:
        apart = sum_squares(column(W, j) - column(W, k)) + (column(b, j) - column(b, k)) ** 2
        return apart > NEAR**2 * size

    return 1 + differ(1, 2) + differ(1, 3) * differ(2, 3)


SHAPES_OF_DRAWS = {1: (PIXELS, HIDDEN), 2: (HIDDEN, len(CLASSES))}
