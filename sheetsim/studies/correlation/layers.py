"""What is measured by layer: the correlation of two inputs' sums, the growth of small differences, and a word."""

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add, mul

from msgspec import Struct

from sheetsim.model.expr import (
    Matrix,
    column_mean,
    column_sum,
    exp,
    if_error,
    mean,
    sqrt,
    sum_squares,
    total,
    where,
)
from sheetsim.model.grad import grad
from sheetsim.model.graph import Graph
from sheetsim.model.series import Series
from sheetsim.summary.layers import OF_LAYERS, checked_std
from sheetsim.summary.table import Column, Table
from sheetsim.summary.verdict import Verdict

# Half the width of intervals, in standard errors.
NORMAL_95 = 1.96

VERDICTS = (
    Verdict("ordered", "the interval of the rate lies below e^(−1/L): differences fade within the L layers", "warning"),
    Verdict("chaotic", "it lies above e^(1/L): differences grow within the L layers", "warning"),
    Verdict("near the edge", "it lies between the two: the depth scale is at least the network's depth", "good"),
    Verdict("undecided", "it contains one of them, as with few units or layers", "neutral"),
    Verdict("no signal", "the sums are 0", "bad"),
    Verdict("overflow", "the sums, or their squares, are too large for a cell", "bad"),
    Verdict("check std", "the custom standard deviation is not a number from 0", "bad"),
    Verdict("check c", "the correlation is not a number from −1 to 1", "bad"),
)

COLUMNS = {
    "c": "correlation of the two inputs' pre-activations, Σ a_x a_y / √(Σ a_x² Σ a_y²), over pairs and units",
    "c_low": "the lower end of its 95 % interval over draws of the weights and inputs",
    "c_high": "its upper end",
    "c_theory": "the mean-field value, from c_0 through the map layer by layer",
    "chi": "χ: n sd² times the mean of f′(a_x)², the growth of a small difference's square to the next layer",
    "rate": "geometric mean of χ over the layers up to here; the verdict uses it",
    "rate_low": "the lower end of its 95 % interval over other weights, given what comes into each layer",
    "rate_high": "its upper end",
    "chi_theory": "the mean-field value of χ",
    "q": "mean square of the pre-activations a_x",
    "q_theory": "its mean-field value",
    "c_spread": "variance of c over draws: what the layer's units add, and that of the layer before, carried on",
    "chi_spread": "variance of ln χ over other weights, given what comes into the layer",
}

# What the matrices slope_square_l are.
SLOPES = "by unit, the mean of f′(a_x)² over the pairs"


class Layer(Struct, frozen=True):
    """One layer: weights, biases, pre-activations and activations of x and of y.

    W = sd · e, b if there are biases; the others are pairs × units each.
    """

    number: int
    e: Matrix
    sd: Matrix
    W: Matrix
    sums: tuple[Matrix, ...]
    outputs: tuple[Matrix, ...]
    b: Matrix | None = None


# Correlations: everything else is never below 0.
SIGNED = ("c", "c_low", "c_high", "c_theory")


def correlation_table(graph: Graph, layers: Sequence[Layer], theory: Mapping[str, Series]) -> Table:
    """One row per layer.

    The interval of c: given what comes into a layer its units are independent, and c varies by the squares of what each
    adds (the delta method; Cochran 1977, §2.11). The variance of the layer before is carried on by the map's slope,
    squared. It is made for ln(1 − c), so that it does not reach beyond 1. That of the rate is for other weights given
    what comes into each layer: the logarithm of χ varies by Σ(v/Σv − 1/n)² over the units' means v of f′², and the
    layers' variances add up. Over all draws it covers less, by as much as χ changes with q.
    Names `slope_square_1`…, by unit.
    """
    rows: list[dict[str, Matrix]] = []
    c_0 = graph["c_0"]
    pairs, units = layers[0].sums[0].shape
    for layer in layers:
        number = layer.number
        u, v = (a / sqrt(sum_squares(a)) for a in layer.sums)
        apart = sum_squares(u - v) / 2
        c = 1 - apart
        of_units = column_sum(u * v) - c / 2 * (column_sum(u**2) + column_sum(v**2))
        if rows:
            carried = theory["map_slope"][number - 1] ** 2 * rows[-1]["c_spread"]
        else:
            carried = (1 - c_0**2) ** 2 / float(pairs * units)
        spread = sum_squares(of_units) + carried
        off = exp(NORMAL_95 * sqrt(spread) / apart)
        (slope,) = grad(total(layer.outputs[0]), [layer.sums[0]])
        steep = graph.define(f"slope_square_{number}", column_mean(slope**2), what=SLOPES)
        chi = graph["weight_scale"] * mean(steep)
        # A unit's share of all; of slopes that are all 0 it is 0/0.
        of_chi = if_error(sum_squares(steep / total(steep) - 1 / float(units)), 0)
        chis, spreads = ([*(row[name] for row in rows), last] for name, last in (("chi", chi), ("chi_spread", of_chi)))
        rate = reduce(mul, chis) ** (1 / number)
        error = exp(NORMAL_95 * sqrt(reduce(add, spreads)) / number)
        rows.append(
            {
                "c": c,
                "c_low": if_error(1 - apart * off, c),
                "c_high": if_error(1 - apart / off, c),
                "c_theory": theory["c_theory"][number],
                "chi": chi,
                "rate": rate,
                "rate_low": rate / error,
                "rate_high": rate * error,
                "chi_theory": theory["chi_theory"][number],
                "q": mean(layer.sums[0] ** 2),
                "q_theory": theory["q_theory"][number],
                "c_spread": spread,
                "chi_spread": of_chi,
            }
        )
    columns = tuple(
        Column(name, what, tuple(row[name] for row in rows), "number" if name in SIGNED else "size")
        for name, what in COLUMNS.items()
    )
    numbers = [layer.number for layer in layers]
    said = "numbers of each layer, and what theory expects"
    return Table("correlation", "layer", numbers, columns, "Correlation", said)


def correlation_verdicts(graph: Graph, layers: Sequence[Layer], table: Table) -> tuple[Matrix, ...]:
    """One word a layer, of VERDICTS. Names `verdict_1`…."""
    words = []
    low, high = math.exp(-1 / len(layers)), math.exp(1 / len(layers))
    given = if_error(1 - graph["c_0"] ** 2, -1)
    for k, layer in enumerate(layers):
        least, most, q = (table[name][k] for name in ("rate_low", "rate_high", "q"))
        inside = where((least > low) * (most < high), "near the edge", "undecided")
        word = where(most < low, "ordered", where(least > high, "chaotic", inside))
        # Overflow: an error value in the sheet, infinity or NaN here, neither of which compares.
        finite = if_error((q + table["rate"][k]) * 0 + 1, 0)
        word = where(finite > 0, where(q > 0, word, "no signal"), "overflow")
        word = checked_std(layer.e, layer.sd, [layer.sd], word)
        words.append(graph.define(f"verdict_{layer.number}", where(given < 0, "check c", word), what=OF_LAYERS))
    return tuple(words)
