"""What networks do at some points of the diagram, beside theory: two inputs pass the same layers, by NumPy."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from sheetsim.model.expr import Data, Matrix, Routine, absolute, column, log, where
from sheetsim.model.graph import Graph
from sheetsim.model.op import Array
from sheetsim.summary.phases import Phases, followed
from sheetsim.summary.table import Column, Table
from sheetsim.summary.theory import computed
from sheetsim.summary.verdict import Verdict

# So near to χ = 1 the depth scale is over a hundred layers.
NEAR = 0.01

VERDICTS = (
    Verdict("ordered", "χ_1 < 1: inputs become alike, and gradients vanish", "warning"),
    Verdict(
        "chaotic",
        "χ_1 > 1: gradients explode; inputs part, however near they are, unless sizes grow without end",
        "warning",
    ),
    Verdict("edge of chaos", f"|ln χ_1| is at most {NEAR:g}: depth scales are over {1 / NEAR:g} layers", "good"),
)

COLUMNS = {
    "weight_variance": "σ_w²: units times the variance of the weights",
    "bias_variance": "σ_b²: the variance of the biases",
    "q": "mean square of the last layer’s sums, measured",
    "q_theory": "its mean-field value",
    "c": "correlation of the two inputs’ sums at the last layer, measured",
    "c_theory": "its mean-field value at that layer",
    "c_star": "the value that it goes to in ever deeper networks",
    "chi": "χ at the last layer, σ_w² times the mean of f′², measured",
    "chi_theory": "its mean-field value at that layer",
    "chi_star": "χ_1, its value at the fixed point",
    "xi_c": "depth scale of correlations at the fixed point, in layers",
}


class Draws(NamedTuple):
    """Draws that all points share.

    They are two inputs, pairs × units each; weights, one layer's units × units under another's; biases, layers × units.
    """

    x: Matrix
    y: Matrix
    weights: Matrix
    biases: Matrix


def _passed(activation: str, x: Array, e_y: Array, weights: Array, biases: Array, point: Array) -> Array:
    """q, c and χ of the last layer's sums, 1 × 3; point: σ_w², σ_b² and the inputs' correlation, 1 × 3."""
    w2, b2, c = point[0]
    layers, units = biases.shape
    z = np.concatenate([x, c * x + np.sqrt(1 - c**2) * e_y])
    a = z
    for k in range(layers):
        W = weights[k * units : (k + 1) * units]
        a = np.sqrt(w2 / units) * (z @ W) + np.sqrt(b2) * biases[k]
        z = computed(activation, a, slope=False)[0]
    _, slope = computed(activation, a)
    u, v = np.split(a, 2)
    squares = float(np.sqrt(np.vdot(u, u) * np.vdot(v, v)))
    q, correlation = np.vdot(u, u) / u.size, np.vdot(u, v) / squares if squares > 0 else np.nan
    return np.array([[q, correlation, w2 * np.square(slope[: len(x)]).mean()]])


def points_table(
    graph: Graph, activation: str, points: Sequence[Sequence[float]], at: Phases, c: float, draws: Draws, layers: int
) -> Table:
    """One row per point. at: the phases there. Names `point_1` and `measured_1`, and so on."""
    rows: list[dict[str, Matrix]] = []
    for k, (w2, b2) in enumerate(points):
        number = k + 1
        point = graph.input(
            f"point_{number}", [[w2, b2, c]], what="a point’s σ_w² and σ_b², and the inputs’ correlation"
        )
        routine = Routine("a pass through the layers", partial(_passed, activation))
        what = "q, c and χ of the last layer’s sums, by NumPy: constants"
        passed = graph.routine(f"measured_{number}", routine, [*draws, point], (1, 3), what=what)
        theory = followed(activation, w2, b2, 1.0, c, layers)[-1]
        q, correlation, chi = (column(passed, n) for n in (1, 2, 3))
        constants = [leaf(value) for value in (*theory, at.c[k], at.chi[k], at.xi_c[k])]
        rows.append(
            {
                "weight_variance": column(point, 1),
                "bias_variance": column(point, 2),
                "q": q,
                "q_theory": constants[0],
                "c": correlation,
                "c_theory": constants[1],
                "c_star": constants[3],
                "chi": chi,
                "chi_theory": constants[2],
                "chi_star": constants[4],
                "xi_c": constants[5],
            }
        )
    signed = ("c", "c_theory", "c_star")
    columns = tuple(
        Column(name, what, tuple(row[name] for row in rows), "number" if name in signed else "size")
        for name, what in COLUMNS.items()
    )
    said = "networks at some points, beside theory"
    return Table("points", "point", range(1, len(rows) + 1), columns, "Points", said)


def point_verdicts(graph: Graph, table: Table) -> tuple[Matrix, ...]:
    """One word a point, of VERDICTS, named `phase_1` and so on."""
    words = []
    for number, chi in enumerate(table["chi_star"], start=1):
        word = where(absolute(log(chi)) <= NEAR, "edge of chaos", where(chi < 1, "ordered", "chaotic"))
        word = where(chi > 0, word, "ordered")
        words.append(graph.define(f"phase_{number}", word, what="the phase by theory"))
    return tuple(words)


def leaf(value: float) -> Matrix:
    """A number that was computed before, as a cell of its own; NaN, an error value there, for an infinity."""
    return Matrix(Data(np.array([[value if np.isfinite(value) else np.nan]])), (), (1, 1))
