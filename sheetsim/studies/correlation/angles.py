"""More pairs of inputs, at other angles, through the layers of the study: by NumPy, beside the map of theory."""

import math
from collections.abc import Sequence
from functools import partial

import numpy as np

from sheetsim.model.expr import Matrix, Routine, absolute, matrix, row, where
from sheetsim.model.expr import column as column_of
from sheetsim.model.graph import Graph
from sheetsim.model.op import Array
from sheetsim.studies.correlation.layers import Layer
from sheetsim.summary.phases import followed
from sheetsim.summary.table import Column, Table
from sheetsim.summary.theory import computed

# As near as this the correlation of the study's own pair is to that of the cells: the networks are the same.
SAME = 1e-9

WHAT = (
    "by layer (rows), by NumPy, constants: measured correlation at each angle, then theory’s, then that of x and y; of "
    "the network that the book was made with"
)


def angle_name(angle: float) -> str:
    """An angle as a part of a column's name."""
    return f"{angle:g}".replace(".", "_")


def angle_table(graph: Graph, layers: Sequence[Layer], activation: str, angles: Sequence[float], live: Matrix) -> Table:
    """One row per layer, from 1: the correlation of pairs at each angle, measured and by the map.

    live: that of x and y at the last layer, by formulas: where NumPy's is another one, a yellow cell has changed the
    network, and nothing is shown. Names `angles`.
    """
    count, many = len(layers), len(angles)
    biases = [layer.b for layer in layers if layer.b is not None]
    bias = graph["bias_std"] if biases else matrix(0.0)
    routine = Routine("passes at other angles", partial(_passed, activation, tuple(angles), count))
    args = [
        graph["x"],
        graph["e_y"],
        graph["c_0"],
        graph["weight_scale"],
        bias,
        *(layer.W for layer in layers),
        *biases,
    ]
    made = graph.routine("angles", routine, args, (count, 2 * many + 1), what=WHAT)
    same = absolute(column_of(row(made, count), 2 * many + 1) - live) <= SAME
    columns = []
    for k, angle in enumerate(angles):
        for place, end, said in ((k, "", "measured"), (many + k, "_theory", "by the map of theory")):
            cells = tuple(
                where(same, column_of(row(made, number), place + 1), float("nan")) for number in range(1, count + 1)
            )
            what = (
                f"correlation of the sums of two inputs {angle:g}° apart, {said}; #N/A where a yellow cell was changed"
            )
            columns.append(Column(f"c_{angle_name(angle)}{end}", what, cells))
    said = "correlations of pairs at other angles by layer, by NumPy"
    return Table("angles", "layer", range(1, count + 1), tuple(columns), "Angles", said)


@np.errstate(all="ignore")
def _passed(
    activation: str,
    angles: tuple[float, ...],
    layers: int,
    x: Array,
    e: Array,
    c_0: Array,
    scale: Array,
    bias: Array,
    *more: Array,
) -> Array:
    """Layers × (2 angles + 1): see WHAT. more: the weights, and after them the biases if there are some."""
    weights, biases = more[:layers], more[layers:]
    cosines = [math.cos(math.radians(angle)) for angle in angles]
    measured = [_correlations(activation, x, e, c, weights, biases) for c in (*cosines, c_0.item())]
    # A cosine of 90 degrees is 6e-17.
    starts = [c if c > 1e-9 else 0.0 for c in cosines]
    theory = [followed(activation, scale.item(), bias.item() ** 2, 1.0, c, layers)[:, 1] for c in starts]
    return np.array([*measured[:-1], *theory, measured[-1]]).T


def _correlations(
    activation: str, x: Array, e: Array, c: float, weights: Sequence[Array], biases: Sequence[Array]
) -> list[float]:
    u, v = x, c * x + np.sqrt(max(1 - c**2, 0.0)) * e
    by_layer = []
    for k, W in enumerate(weights):
        a, b = (z @ W + (biases[k] if biases else 0.0) for z in (u, v))
        by_layer.append(float(np.vdot(a, b) / np.sqrt(np.vdot(a, a) * np.vdot(b, b))))
        u, v = (computed(activation, sums, slope=False)[0] for sums in (a, b))
    return by_layer
