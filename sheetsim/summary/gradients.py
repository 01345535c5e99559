"""The summary of a backward pass by layer: how large the gradients are, and a verdict in words."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sheetsim.model.backward import Backward, Step
from sheetsim.model.expr import (
    Matrix,
    if_error,
    matrix,
    mean,
    row_count,
    sqrt,
    std,
    sum_squares,
    total,
    where,
)
from sheetsim.model.grad import grad
from sheetsim.model.graph import Graph
from sheetsim.model.nets import activate
from sheetsim.summary.histogram import Histogram, symmetric_histogram
from sheetsim.summary.layers import checked_std
from sheetsim.summary.table import Column, Table
from sheetsim.summary.variance import NONE, ratio

# Where the verdicts draw their lines. They are conventions of this program, stated beside the verdicts.
WEAK = 0.2
STRONG = 5.0

FLOWS = {
    "vanishing": f"‖d_a‖ under {WEAK:g} of that at the output",
    "exploding": f"‖d_a‖ over {STRONG:g} times that at the output; overflow",
    "check std": "this layer’s custom standard deviation is below 0, or that of any layer is no number",
    "steady": "between the two",
}

GRADIENTS: dict[str, Callable[[Step], Matrix]] = {
    "d_a": lambda step: step.d_a,
    "d_z": lambda step: step.d_z,
    "d_W": lambda step: step.d_W,
}


def gradient_table(flow: Backward) -> Table:
    """One row a layer, the output layer last: size and spread of its three gradients, and why they change.

    `ratio` is the norm over that of the layer before on the way back, l + 1; `expected` what d_a's is for independent
    weights and gradients: ‖d_a_l‖² is about ‖d_a_{l+1}‖² · n_{l+1} sd_{l+1}² · E[f′(a_l)²], with n the fan-in.
    """
    columns: list[Column] = []
    for name, pick in GRADIENTS.items():
        nodes = [pick(step) for step in flow.steps]
        squares = tuple(map(sum_squares, nodes))
        norms = tuple(map(sqrt, squares))
        ratios = (*(ratio(own, before) for own, before in pairwise(norms)), matrix(NONE) + 0)
        columns += [
            Column(f"{name}_norm", f"L2 norm √Σx² of {name}", norms),
            Column(f"{name}_sum_squares", f"sum of squares Σx² of {name}", squares),
            Column(f"{name}_mean", f"mean of {name}", tuple(map(mean, nodes))),
            Column(f"{name}_std", f"population standard deviation of {name}", tuple(map(std, nodes))),
            Column(
                f"{name}_zeros",
                f"share of {name} that is exactly 0",
                tuple(_zeros(node, square) for node, square in zip(nodes, squares, strict=True)),
                "share",
            ),
            Column(f"{name}_ratio", f"norm of {name} over that of layer l + 1, the one before on the way back", ratios),
        ]
    slopes = tuple(_slope_square(step) for step in flow.steps)
    growth = [row_count(step.W) * step.sd**2 for step in flow.steps]
    expected = [sqrt(after * own) for after, own in zip(growth[1:], slopes, strict=False)]
    columns += [
        Column("slope_square", "mean of f′(a)² over samples and units", slopes),
        Column(
            "expected",
            "the ratio of d_a that independence predicts: √(n sd² of layer l + 1 · slope_square)",
            (*expected, matrix(NONE) + 0),
        ),
        Column(
            "reach",
            "norm of d_a over that at the output: the verdict's",
            tuple(ratio(norm, columns[0].cells[-1]) for norm in columns[0].cells),
        ),
    ]
    return Table("gradients", "layer", [step.number for step in flow.steps], tuple(columns))


def _zeros(d: Matrix, squares: Matrix) -> Matrix:
    """The share of exact zeros; an error where there is one among the numbers, and so in their squares.

    0/0 alone is an error: IronCalc takes numbers under 2E-16 for equal to 0.
    """
    return 1 - mean(if_error(d / d, 0)) + 0 * squares


def _slope_square(step: Step) -> Matrix:
    if step.z is step.a:
        return matrix(1.0) + 0
    (slope,) = grad(total(step.z), [step.a])
    return mean(slope**2)


def flow_verdicts(graph: Graph, table: Table, flow: Backward) -> tuple[Matrix, ...]:
    """One word a layer, of FLOWS, the output layer included. Names `verdict_1`…."""
    words = []
    # What is no number at one layer leaves none at any.
    sds = [step.sd for step in flow.steps]
    for number, reach, step in zip(table.labels, table["reach"], flow.steps, strict=True):
        word = where(reach < WEAK, "vanishing", where(reach > STRONG, "exploding", "steady"))
        # Overflow: an error value in the sheet, infinity or NaN here, neither of which compares.
        finite = if_error(reach * 0 + 1, 0)
        word = where(finite > 0, word, "exploding")
        words.append(graph.define(f"verdict_{number}", checked_std(step.e, step.sd, sds, word)))
    return tuple(words)


# Of a curve.
POINTS = 241


@dataclass(frozen=True)
class Curve:
    """f and f′ of the chosen activation at numbers over the range of the linear sums' bins, a column each."""

    at: Matrix
    value: Matrix
    slope: Matrix


def gradient_histograms(graph: Graph, flow: Backward, table: Table, bins: int) -> tuple[dict[str, Histogram], Curve]:
    """Counts by layer of the linear sums `a` and of each gradient, each of the four on one scale for all layers.

    Without the output layer, whose few large gradients would decide the scale. table: of `gradient_table`.
    Names `bin`, `share`, `curve_a`, `f_curve`, `slope_curve`, and those
    of `symmetric_histogram`.
    """
    numbers = graph.input("bin", np.arange(bins + 1.0).reshape(-1, 1))
    hidden = flow.steps[:-1]
    matrices = {
        "a": [step.a for step in hidden],
        "d_a": [step.d_a for step in hidden],
        "d_z": [step.d_z for step in hidden],
        "d_W": [step.d_W for step in hidden],
    }
    # Cells of their own, beside the bars: the table's have their place.
    zeros = {name: [1 * share for share in table[f"{name}_zeros"][:-1]] for name in GRADIENTS}
    found = {
        name: symmetric_histogram(graph, name, own, numbers, zeros.get(name, ())) for name, own in matrices.items()
    }
    of_a = found["a"]
    # Bins are too coarse: over sums that spread wide a sigmoid's f′ would be a spike of two or three points.
    share = graph.input("share", np.linspace(-1, 1, POINTS).reshape(-1, 1))
    at = graph.define("curve_a", of_a.high * share)
    value = graph.define("f_curve", activate(flow.network.activation, at))
    slope = graph.define("slope_curve", grad(total(value), [at])[0])
    return found, Curve(at, value, slope)
