"""The summary of a backward pass by layer: how large the gradients are, and a verdict in words."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
from msgspec import Struct

from sheetsim.model.backward import BackwardPass, LayerGradient
from sheetsim.model.expr import (
    Matrix,
    column_sum,
    exp,
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
from sheetsim.summary.histogram import Histogram, numbered, symmetric_histogram
from sheetsim.summary.layers import OF_LAYERS, checked_std
from sheetsim.summary.table import Column, Table
from sheetsim.summary.variance import NONE, quotient
from sheetsim.summary.verdict import Verdict

# Where the verdicts draw their lines. They are conventions of this program, stated beside the verdicts.
WEAK = 0.2
STRONG = 5.0
TOLERANCE = 0.1

# Half the width of the rate's interval, in standard errors.
NORMAL_95 = 1.96

FLOWS = (
    Verdict(
        "vanishing",
        f"the rate's interval lies below {1 - TOLERANCE:g}, or below 1 and the total is under {WEAK:g}",
        "warning",
    ),
    Verdict(
        "exploding",
        f"it lies above {1 + TOLERANCE:g}, or above 1 and the total is over {STRONG:g}; overflow",
        "bad",
    ),
    Verdict(
        "weakened",
        f"neither, and ‖d_a‖ is under {WEAK:g} of that at the output: it shrank in a single step, as with a small f′",
        "warning",
    ),
    Verdict("amplified", f"neither, and ‖d_a‖ is over {STRONG:g} times that at the output", "warning"),
    Verdict(
        "steady",
        f"the interval lies within {1 - TOLERANCE:g} to {1 + TOLERANCE:g}; the total, ‖d_a‖ of that at the "
        f"output, and the layer's own step within {WEAK:g} to {STRONG:g}",
        "good",
    ),
    Verdict(
        "undecided",
        "none of these: the interval contains a limit, as with few layers or units, or there is none, as with a layer "
        "of one unit",
        "neutral",
    ),
    Verdict(
        "start",
        "the last hidden layer and the output, where the backward pass through the hidden layers begins",
        "neutral",
    ),
    Verdict("check std", "this layer’s custom standard deviation is below 0, or any layer’s is not a number", "bad"),
)

GRADIENTS: dict[str, Callable[[LayerGradient], Matrix]] = {
    "d_a": lambda step: step.d_a,
    "d_z": lambda step: step.d_z,
    "d_W": lambda step: step.d_W,
}


def gradient_table(flow: BackwardPass) -> Table:
    """One row per layer, the output layer last: size and spread of its three gradients, and why they change.

    `ratio` is the norm over that of layer l + 1; `expected` what d_a's is for independent
    weights and gradients: ‖d_a_l‖² is about ‖d_a_{l+1}‖² · n_{l+1} sd_{l+1}² · E[f′(a_l)²], with n the fan-in.

    `rate` is the growth of ‖d_z‖ a layer from the last hidden layer L back to l, its geometric mean: √χ (Schoenholz et
    al. 2017, arXiv:1611.01232), which takes in the f′ of the layers from l + 1 to L. Its interval is over other draws
    of the same weights: the units of a layer are independent given the layer above. With u and v a layer's Σd² by unit,
    of d_a and d_z, the logarithm of the squared norm varies by Σ(v/Σv − 1/n)² for the product with the weights, and by
    Σ(u/Σu − v/Σv)² for f′ (the delta method; Cochran 1977, §2.11).
    """
    columns: list[Column] = []
    for name, pick in GRADIENTS.items():
        nodes = [pick(step) for step in flow.steps]
        squares = tuple(map(sum_squares, nodes))
        norms = tuple(map(sqrt, squares))
        ratios = (*(quotient(norm, before) for norm, before in pairwise(norms)), matrix(NONE) + 0)
        columns += [
            Column(f"{name}_norm", f"L2 norm √Σx² of {name}", norms, "size"),
            Column(f"{name}_sum_squares", f"sum of squares Σx² of {name}", squares, "size"),
            Column(f"{name}_mean", f"mean of {name}", tuple(map(mean, nodes))),
            Column(f"{name}_std", f"population standard deviation of {name}", tuple(map(std, nodes)), "size"),
            Column(
                f"{name}_zeros",
                f"share of {name} that is exactly 0",
                tuple(_zeros(node, square) for node, square in zip(nodes, squares, strict=True)),
                "share",
            ),
            Column(
                f"{name}_ratio",
                f"norm of {name} over that of layer l + 1",
                ratios,
                "size",
            ),
        ]
    slopes = tuple(_slope_square(step) for step in flow.steps)
    growth = [row_count(step.W) * step.sd**2 for step in flow.steps]
    expected = [sqrt(after * slope) for after, slope in zip(growth[1:], slopes, strict=False)]
    columns += [
        Column("slope_square", "mean of f′(a)² over samples and units", slopes, "size"),
        Column(
            "expected",
            "the ratio of d_a that independence predicts: √(n sd² of layer l + 1 · slope_square)",
            (*expected, matrix(NONE) + 0),
            "size",
        ),
        Column(
            "reach",
            "norm of d_a over that at the output",
            tuple(quotient(norm, columns[0].cells[-1]) for norm in columns[0].cells),
            "size",
        ),
    ]
    cells = {column.name: column.cells for column in columns}
    columns += _rates(flow.steps[:-1], cells["d_z_norm"], cells["d_z_sum_squares"], cells["d_a_sum_squares"])
    numbers = [step.number for step in flow.steps]
    said = "numbers of each layer's gradients"
    return Table("gradients", "layer", numbers, tuple(columns), "Gradients", said)


def _rates(
    hidden: Sequence[LayerGradient], norms: Sequence[Matrix], of_z: Sequence[Matrix], of_a: Sequence[Matrix]
) -> Iterator[Column]:
    """The columns of the rate, which only layers below the last hidden one have."""
    last = len(hidden) - 1
    total: list[Matrix] = []
    rates: list[tuple[Matrix, ...]] = []
    spread: list[Matrix] = [matrix(0.0)]
    for k in range(last - 1, -1, -1):
        share = _of_units(hidden[k].d_z, of_z[k])
        above = _of_units(hidden[k + 1].d_a, of_a[k + 1]) - _of_units(hidden[k + 1].d_z, of_z[k + 1])
        if 1 in (share.shape[1], above.shape[1]):
            # How other draws would differ cannot be told from one unit.
            spread.append(matrix(NONE) + 0)
        else:
            spread.append(spread[-1] + sum_squares(share - 1 / float(share.shape[1])) + sum_squares(above))
        steps = last - k
        total.append(quotient(norms[k], norms[last]))
        rate = total[-1] ** (1 / steps)
        off = exp(NORMAL_95 * sqrt(spread[-1]) / (2 * steps))
        rates.append((rate, rate / off, rate * off))
    none = (matrix(NONE) + 0, matrix(NONE) + 0)
    lines = (
        ("total", "norm of d_z over that at the last hidden layer", total),
        (
            "rate",
            "growth of the norm of d_z per layer, from the last hidden one: √χ; the verdict uses it",
            [r for r, *_ in rates],
        ),
        (
            "rate_low",
            "the lower end of the rate's 95 % interval over draws of the weights; #N/A back from a layer of one unit",
            [low for _, low, _ in rates],
        ),
        ("rate_high", "its upper end", [high for *_, high in rates]),
        ("rate_spread", "variance of log Σd_z² from the last hidden layer, over draws of the weights", spread[1:]),
    )
    for name, what, cells in lines:
        yield Column(name, what, (*reversed(cells), *none), "size")


def _of_units(d: Matrix, squares: Matrix) -> Matrix:
    """Each unit's share of the squared norm, 1×units."""
    return column_sum(d**2) / squares


def _zeros(d: Matrix, squares: Matrix) -> Matrix:
    """The share of exact zeros; an error where there is one among the numbers, and so in their squares.

    0/0 alone is an error: IronCalc takes numbers under 2E-16 for equal to 0.
    """
    return 1 - mean(if_error(d / d, 0)) + 0 * squares


def _slope_square(step: LayerGradient) -> Matrix:
    if step.z is step.a:
        return matrix(1.0) + 0
    (slope,) = grad(total(step.z), [step.a])
    return mean(slope**2)


def flow_verdicts(graph: Graph, table: Table, flow: BackwardPass) -> tuple[Matrix, ...]:
    """One word a layer, of FLOWS, the output layer included. Names `verdict_1`…."""
    words = []
    last = len(table.labels) - 2
    # What is not a number at one layer leaves none at any.
    sds = [step.sd for step in flow.steps]
    for k, number in enumerate(table.labels):
        row = {column.name: column.cells[k] for column in table.columns}
        reach = row["reach"]
        once = where(reach < WEAK, "weakened", where(reach > STRONG, "amplified", "start"))
        word = _by_rate(row) if k < last else once
        word = where(_is_number(reach), word, "exploding")
        step = flow.steps[k]
        words.append(graph.define(f"verdict_{number}", checked_std(step.e, step.sd, sds, word), what=OF_LAYERS))
    return tuple(words)


def _by_rate(row: Mapping[str, Matrix]) -> Matrix:
    """The word of a layer from which there is a rate."""
    reach, total, rate, step = row["reach"], row["total"], row["rate"], row["d_z_ratio"]
    # Without an interval the rate may be any, but for a gradient that is 0: the shares of its units are 0/0.
    low, high = if_error(row["rate_low"], 0), if_error(row["rate_high"], where(rate > 0, STRONG, 0))
    vanishing = (high < 1 - TOLERANCE) + (high < 1) * (total < WEAK)
    exploding = (low > 1 + TOLERANCE) + (low > 1) * (total > STRONG)
    steady = (low > 1 - TOLERANCE) * (high < 1 + TOLERANCE)
    for part in (total, reach, step):
        steady = steady * (part > WEAK) * (part < STRONG)
    word = where(reach < WEAK, "weakened", where(reach > STRONG, "amplified", where(steady, "steady", "undecided")))
    word = where(vanishing > 0, "vanishing", where(exploding > 0, "exploding", word))
    # Where nothing comes back at all there is no total.
    return where(_is_number(total), word, "vanishing")


def _is_number(x: Matrix) -> Matrix:
    """Overflow is an error value in the sheet, infinity or NaN here, neither of which compares."""
    return if_error(x * 0 + 1, 0) > 0


# Of a curve.
POINTS = 241


class Curve(Struct, frozen=True):
    """f and f′ of the chosen activation at numbers over the range of the pre-activations' bins, a column each."""

    at: Matrix
    value: Matrix
    slope: Matrix


def gradient_histograms(
    graph: Graph, flow: BackwardPass, table: Table, bins: int
) -> tuple[dict[str, Histogram], Curve]:
    """Counts by layer of the pre-activations `a` and of each gradient, each of the four on one scale for all layers.

    Without the output layer, whose few large gradients would decide the scale. table: of `gradient_table`.
    Names `bin`, `share`, `curve_a`, `f_curve`, `slope_curve`, and those
    of `symmetric_histogram`.
    """
    numbers = numbered(graph, bins)
    hidden = flow.steps[:-1]
    matrices = {
        "a": [step.a for step in hidden],
        "d_a": [step.d_a for step in hidden],
        "d_z": [step.d_z for step in hidden],
        "d_W": [step.d_W for step in hidden],
    }
    # Cells of their own, beside the bars: the table's have their place.
    zeros = {name: [1 * share for share in table[f"{name}_zeros"][:-1]] for name in GRADIENTS}
    histograms = {
        name: symmetric_histogram(graph, name, nodes, numbers, zeros.get(name, ())) for name, nodes in matrices.items()
    }
    of_a = histograms["a"]
    # Bins are too coarse: over sums that spread wide a sigmoid's f′ would be a spike of two or three points.
    share = graph.input("share", np.linspace(-1, 1, POINTS).reshape(-1, 1), what="numbers from −1 to 1")
    at = graph.define(
        "curve_a", of_a.high * share, what="share · bound_a: pre-activations over the range of the histograms"
    )
    value = graph.define("f_curve", activate(flow.network.activation, at), what="f at curve_a")
    slope = graph.define("slope_curve", grad(total(value), [at])[0], what="f′ at curve_a")
    return histograms, Curve(at, value, slope)
