"""Measurements by layer: sizes and correlations, growth of a gradient in the backward pass, a verdict."""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import mul

from sheetsim.model.expr import Matrix, column_sum, if_error, matrix, mean, sqrt, sum_squares, where
from sheetsim.model.graph import Graph
from sheetsim.model.series import Series
from sheetsim.summary.table import Column, Table
from sheetsim.summary.verdict import Verdict

# Where the verdicts draw their lines. They are conventions of this program, stated beside the verdicts.
GROWS, SHRINKS = 1.1, 0.9

VERDICTS = (
    Verdict(
        "exploding", f"from the last layer back to this one ‖d_z‖ grows by over {GROWS - 1:.0%} a layer", "warning"
    ),
    Verdict("vanishing", f"it shrinks by over {1 - SHRINKS:.0%} a layer", "warning"),
    Verdict("steady", "neither", "good"),
    Verdict("overflow", "outputs or gradients are too large for a cell, or a norm divides by 0", "bad"),
)

COLUMNS = {
    "q": "mean square of the layer’s outputs z",
    "q_theory": "its mean-field value",
    "c": "correlation of two samples’ outputs, the mean over all pairs: Σ z z′ over Σ z²",
    "c_theory": "its mean-field value",
    "chi": "‖d_z‖² of what goes into the layer over that of what comes out: a gradient’s growth through it",
    "chi_theory": "its mean-field value",
    "rate": "‖d_z‖’s growth a layer, geometric mean from the last layer back through this one; the verdict’s",
    "rate_theory": "its mean-field value, by the product of χ",
    "d_norm": "‖d_z‖ of what goes into the layer",
}


def propagation_table(gradients: Sequence[Matrix], outputs: Sequence[Matrix], theory: Mapping[str, Series]) -> Table:
    """One row per layer. outputs: of each layer; gradients: of the input and each layer's outputs."""
    layers = len(outputs)
    rows: list[dict[str, Matrix]] = []
    for k, z in enumerate(outputs):
        number, samples = k + 1, z.shape[0]
        square = sum_squares(z)
        pairs = (sum_squares(column_sum(z)) - square) / float(samples - 1)
        back = sum_squares(gradients[k])
        depth = layers - k
        chis = [theory["chi_theory"][n] for n in range(number, layers + 1)]
        rows.append(
            {
                "q": mean(z**2),
                "q_theory": 1 * theory["q_theory"][number],
                "c": pairs / square,
                "c_theory": theory["product_theory"][number] / theory["q_theory"][number],
                "chi": back / sum_squares(gradients[k + 1]),
                "chi_theory": 1 * theory["chi_theory"][number],
                "rate": (back / sum_squares(gradients[-1])) ** (0.5 / depth),
                "rate_theory": reduce(mul, chis, matrix(1.0)) ** (0.5 / depth),
                "d_norm": sqrt(back),
            }
        )
    columns = tuple(
        Column(name, what, tuple(row[name] for row in rows), "number" if name in ("c", "c_theory") else "size")
        for name, what in COLUMNS.items()
    )
    said = "sizes, correlations and gradients by layer, and theory’s"
    return Table("propagation", "layer", range(1, layers + 1), columns, "Propagation", said)


def propagation_verdicts(graph: Graph, table: Table) -> tuple[Matrix, ...]:
    """One word a layer, of VERDICTS, named `verdict_1` and so on."""
    words = []
    for number, rate, q in zip(table.labels, table["rate"], table["q"], strict=True):
        word = where(rate > GROWS, "exploding", where(rate < SHRINKS, "vanishing", "steady"))
        word = where(if_error((rate + q) * 0 + 1, 0) > 0, word, "overflow")
        words.append(graph.define(f"verdict_{number}", word, what="how gradients change back to the layer"))
    return tuple(words)
