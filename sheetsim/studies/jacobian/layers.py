"""What is measured of Jacobians by depth: the singular values' mean square, spread and ends, histograms, and a word."""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from sheetsim.language import counted
from sheetsim.model.expr import (
    COUNT,
    Matrix,
    absolute,
    equal,
    frequency,
    if_error,
    largest,
    matrix,
    maximum,
    minimum,
    quantile,
    row,
    sqrt,
    sum_squares,
    total,
    where,
)
from sheetsim.model.grad import grad
from sheetsim.model.graph import Graph
from sheetsim.model.nets import activate
from sheetsim.model.series import Series
from sheetsim.studies.jacobian.spectrum import SINGULAR_VALUES, shares
from sheetsim.summary.histogram import NUDGE
from sheetsim.summary.table import Column, Table
from sheetsim.summary.verdict import Verdict

# Singular values below this share of the largest count as 0: rounding makes such ones of matrices of lower rank.
ZERO = 1e-13

# Where the verdicts draw their lines. They are conventions of this program, stated beside the verdicts.
LEAST, MOST, NARROW = 0.5, 2.0, 1.25

# As near as this the constants' sum of squares is to that of the Jacobian in the cells: they are its singular values.
SAME = 1e-9

VERDICTS = (
    Verdict(
        "isometry",
        f"the mean square of the singular values is {LEAST:g} to {MOST:g}, and `fourth` at most {NARROW:g}: most "
        "directions pass nearly alike",
        "good",
    ),
    Verdict("uneven", "the mean square is the same, but directions are stretched by very different factors", "warning"),
    Verdict("vanishing", f"the mean square is below {LEAST:g}: small changes of the input fade", "warning"),
    Verdict("exploding", f"it is above {MOST:g}: they grow", "warning"),
    Verdict("no signal", "the Jacobian is 0", "bad"),
    Verdict("overflow", "its numbers, or their squares, are too large for a cell", "bad"),
)

COLUMNS = {
    "mean_square": "mean of the squared singular values, Σ J²/units: by how much a small change’s square grows",
    "mean_square_theory": "the mean-field value: the product of χ over the layers",
    "fourth": "mean fourth power of the singular values over their mean square’s square, units · Σ (J Jᵀ)²/(Σ J²)²: 1 "
    "where all are equal",
    "fourth_theory": "its value by free probability: 1, the sum of slope_ratio − 1 over the layers, and 1 a layer for "
    "Gaussian weights (Pennington, Schoenholz & Ganguli 2017)",
    "largest": "the largest singular value, by NumPy; #N/A where a yellow cell has changed the Jacobian",
    "largest_theory": "of the identity alone: the end of the theory’s distribution, √((L+1)^(L+1)/L^L) gain^L for "
    "Gaussian weights, gain^L for orthogonal ones",
    "median": "the median singular value, by NumPy",
    "smallest": "the smallest singular value, by NumPy",
    "condition": "largest over smallest; #N/A where rank is below units",
    "rank": f"how many singular values are above {ZERO:g} of the largest",
}
OF_VALUES = "singular values of J, by NumPy: constants, the largest first"
CURVE = "shares of singular values by bin in free probability, for wide layers, by NumPy: constants"
EXPECTED = "the same where the bins are those of the Jacobian in the cells, else #N/A"
SHOWN = "singular values where they are those of the Jacobian in the cells, else #N/A"


class JacobianLayer(Struct, frozen=True):
    """One layer: draws e, W = gain/√n · e, biases b, sums a and outputs z of the one input (1 × units), and J.

    J: the derivatives of z by the input, inputs × units.
    """

    number: int
    e: Matrix
    W: Matrix
    b: Matrix
    a: Matrix
    z: Matrix
    J: Matrix


class Values(Struct, frozen=True):
    """Singular values of a layer's Jacobian, units × 1.

    constants: NumPy's; shown: #N/A where they are another Jacobian's than that of the cells.
    """

    constants: Matrix
    shown: Matrix


def singular_values(graph: Graph, networks: Mapping[str, Sequence[JacobianLayer]]) -> dict[str, list[Values]]:
    """By network and layer. Names `found_KIND_L` and `sv_KIND_L`."""
    made: dict[str, list[Values]] = {}
    for kind, layers in networks.items():
        made[kind] = []
        for layer in layers:
            tail, units = f"{kind}_{layer.number}", layer.J.shape[0]
            constants = graph.routine(f"found_{tail}", SINGULAR_VALUES, [layer.J], (units, 1), what=OF_VALUES)
            square = sum_squares(layer.J)
            same = absolute(sum_squares(constants) - square) <= SAME * square
            shown = graph.define(f"sv_{tail}", where(same, constants, float("nan")), what=SHOWN)
            made[kind].append(Values(constants, shown))
    return made


def jacobian_table(
    graph: Graph,
    networks: Mapping[str, Sequence[JacobianLayer]],
    values: Mapping[str, Sequence[Values]],
    theory: Mapping[str, Series],
) -> Table:
    """One row per network and layer.

    Squared singular values of a product of free factors have the mean of the factors' product, and their relative
    variance is the sum of the factors': f′² has slope_ratio − 1, and WᵀW 1 for Gaussian, 0 for orthogonal weights
    (Pennington, Schoenholz & Ganguli 2017, arXiv:1711.04735, eq. 14).
    """
    labels, rows = [], []
    for kind, layers in networks.items():
        # Each row goes on from the row above: sums of many layers would be nested deeper than Excel allows.
        mean, fourth = matrix(1.0), matrix(1.0)
        for layer, of in zip(layers, values[kind], strict=True):
            depth, units = layer.number, float(layer.J.shape[0])
            square, ratio = sum_squares(layer.J), theory["slope_ratio"][depth]
            mean = mean * theory["chi_theory"][depth]
            fourth = fourth + (ratio if kind == "gaussian" else ratio - 1)
            end = (depth + 1) ** (depth + 1) / depth**depth if kind == "gaussian" else 1.0
            linear = sqrt(end * graph["gain"] ** (2 * depth))
            top, least, rank = maximum(of.shown), minimum(of.shown), total(of.shown > ZERO * maximum(of.shown))
            labels.append(f"{kind} {depth}")
            rows.append(
                {
                    "mean_square": square / units,
                    "mean_square_theory": mean,
                    "fourth": units * sum_squares(layer.J @ layer.J.T) / square**2,
                    "fourth_theory": fourth,
                    "largest": top,
                    "largest_theory": where(equal(graph["activation"], "identity"), linear, float("nan")),
                    "median": quantile(of.shown, 0.5),
                    "smallest": least,
                    "condition": where(rank >= units, top / least, float("nan")),
                    "rank": rank,
                }
            )
    columns = tuple(
        Column(name, what, tuple(row[name] for row in rows), "count" if name == "rank" else "size")
        for name, what in COLUMNS.items()
    )
    said = "the singular values’ mean square, fourth power and extremes, by network and layer"
    return Table("jacobian", "network and layer", labels, columns, "Jacobian", said)


def jacobian_verdicts(graph: Graph, table: Table) -> tuple[Matrix, ...]:
    """One word a row, of VERDICTS. Names `verdict_KIND_L`."""
    words = []
    for label, square, fourth in zip(table.labels, table["mean_square"], table["fourth"], strict=True):
        inside = where(fourth <= NARROW, "isometry", "uneven")
        word = where(square < LEAST, "vanishing", where(square > MOST, "exploding", inside))
        finite = if_error(square * 0 + 1, 0) * if_error(where(square > 0, fourth, 0) * 0 + 1, 0)
        word = where(finite > 0, where(square > 0, word, "no signal"), "overflow")
        what = "what becomes of small changes of the input"
        words.append(graph.define(f"verdict_{str(label).replace(' ', '_')}", word, what=what))
    return tuple(words)


class DepthHistogram(Struct, frozen=True):
    """Shares of the singular values by bin at one depth.

    ends: of the bins, bins × 1; edges: between them, one less; measured, expected: by network, bins × 1 each.
    """

    depth: int
    ends: Matrix
    edges: Matrix
    measured: Mapping[str, Matrix]
    expected: Mapping[str, Matrix]


class JacobianHistograms(Struct, frozen=True):
    """The histograms, and their table: a row a depth and bin."""

    of: tuple[DepthHistogram, ...]
    table: Table


def jacobian_histograms(
    graph: Graph, values: Mapping[str, Sequence[Values]], theory: Mapping[str, Series], depths: Sequence[int], bins: int
) -> JacobianHistograms:
    """Shares of the singular values by bin, from 0 to the largest of both networks, beside those of wide networks.

    Names `bin`, `edge`, and by depth `up_to_D`, `edges_D`, `counts_KIND_D`, `share_KIND_D`, `curve_KIND_D` and
    `expected_KIND_D`.
    """
    numbers = graph.input("bin", np.arange(1.0, bins + 1).reshape(-1, 1), what="the bins' numbers")
    inner = graph.input("edge", np.arange(1.0, bins).reshape(-1, 1), what="the numbers of the edges between the bins")
    sums = sqrt(theory["q_theory"]) * graph["nodes"].T
    (slopes,) = grad(total(activate(graph["activation"], sums)), [sums])
    made, rows, labels = [], [], []
    for depth in depths:
        shown = {kind: of[depth - 1].shown for kind, of in values.items()}
        width = largest(*map(maximum, shown.values())) / bins
        ends = graph.define(f"up_to_{depth}", width * numbers, what="the bins' upper ends")
        # A hair above, so that rounding does not part what is equal in theory.
        edges = graph.define(f"edges_{depth}", width * inner * (1 + NUDGE), what="the edges between the bins")
        measured, expected = {}, {}
        for kind, sv in shown.items():
            tail = f"{kind}_{depth}"
            counts = graph.define(f"counts_{tail}", frequency(sv, edges), kind=COUNT, what="singular values by bin")
            measured[kind] = graph.define(
                f"share_{tail}", counts / float(sv.shape[0]), what="share of the singular values by bin"
            )
            args = [edges, slopes**2, graph["node_weights"], graph["gain"]]
            curve = graph.routine(f"curve_{tail}", shares(kind == "gaussian", depth), args, (bins, 1), what=CURVE)
            # Constants for the cells and edges as they were made: #N/A with the edges.
            expected[kind] = graph.define(f"expected_{tail}", curve + 0 * width, what=EXPECTED)
        made.append(DepthHistogram(depth, ends, edges, measured, expected))
        for k in range(1, bins + 1):
            labels.append(f"{depth}: {k}")
            cells = {"up_to": row(ends, k)}
            for kind in shown:
                cells |= {kind: row(measured[kind], k), f"{kind}_theory": row(expected[kind], k)}
            rows.append(cells)
    told = {"up_to": "the bin’s upper end"}
    for kind in values:
        told |= {kind: f"share of the {kind} network’s singular values in the bin"}
        told |= {f"{kind}_theory": "the same in theory for infinite width; #N/A where a yellow cell has changed J"}
    columns = tuple(Column(name, told[name], tuple(of[name] for of in rows), "size") for name in told)
    said = "shares of singular values by depth and bin"
    return JacobianHistograms(
        tuple(made), Table("histogram", "depth: bin", labels, columns, "Shares", said, observed=False)
    )


def values_table(values: Mapping[str, Sequence[Values]], depths: Sequence[int]) -> Table:
    """All singular values at some depths, the largest first."""
    units = next(iter(values.values()))[0].shown.shape[0]
    columns = tuple(
        Column(
            f"{kind}_{depth}",
            f"singular values of the {kind} network’s Jacobian through {counted(depth, 'layer')}",
            tuple(row(of[depth - 1].shown, k) for k in range(1, units + 1)),
            "size",
        )
        for kind, of in values.items()
        for depth in depths
    )
    said = "singular values at some depths, the largest first"
    return Table("values", "number", range(1, units + 1), columns, "Values", said, observed=False)
