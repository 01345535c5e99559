"""The summary of a network by layer: how each layer's outputs are distributed, and a verdict in words."""

from sheetsim.model.expr import (
    Matrix,
    absolute,
    choose,
    column_mean,
    column_sum,
    if_error,
    kurtosis,
    matrix,
    maximum,
    mean,
    minimum,
    quantile,
    row,
    skew,
    sqrt,
    std,
    sum_squares,
    total,
    variance,
    where,
)
from sheetsim.model.graph import Graph
from sheetsim.model.nets import ACTIVATIONS, Layer, Network
from sheetsim.model.ops import CONSTANT
from sheetsim.summary.table import Column, Table

# Where the verdicts draw their lines. They are conventions of this program, stated beside the verdicts.
FLAT = 0.01
SATURATED = 0.2
NARROW = 0.05
WEAK = 0.1
STRONG = 10.0
DEAD = 0.1

# Of outputs that vary by less of themselves the last digits decide about a covariance, and engines differ in them.
STILL = 1e-8

VERDICTS = {
    "saturated": f"sigmoid, tanh: over {SATURATED:.0%} of outputs where f′ is under {FLAT:.0%} of its largest value",
    "collapsed": f"no spread, or all units alike; sigmoid, tanh: std under {NARROW:g}; identity: as dying",
    "dying": f"relu: mean square under {WEAK:g} of the input's, or over {DEAD:.0%} of units dead",
    "exploding": f"relu, identity: mean square over {STRONG:g} times the input's; overflow",
    "healthy": "none of these",
}


def saturated(activation: Matrix, z: Matrix) -> Matrix:
    """The share of outputs where f'(a) is under 1 % of its largest value; for relu the share at 0."""
    return choose(
        activation,
        {
            name: mean(where(matrix(known.slope(z)) < FLAT * known.steepest, 1, 0))
            for name, known in ACTIVATIONS.items()
        },
    )


def dead_units(z: Matrix) -> Matrix:
    """The number of units whose output is the same, to 12 digits, for all samples."""
    first = row(z, 1)
    differs = where(absolute(z - first) > CONSTANT * absolute(first), 1, 0)
    return total(where(column_sum(differs) > 0, 0, 1))


def effective_units(z: Matrix) -> Matrix:
    """The participation ratio (tr C)² / tr C² of the covariance C of the units: n for n independent units alike,
    1 when all move as one, 0 when none moves by more than STILL of itself (Gao et al. 2017, doi:10.1101/214262)."""
    centred = z - column_mean(z)
    power = sum_squares(centred)
    # A ratio of sizes, as IronCalc takes numbers under 2E-16 for equal; of an overflow it is an error, by the last 0.
    moves = if_error(sqrt(power / sum_squares(z)), 0) > STILL
    return where(moves, power**2 / sum_squares(centred.T @ centred), 0 * power)


def layer_table(network: Network) -> Table:
    """One row a layer over all its outputs z (samples × units): the columns of `run.summary()`."""
    layers = network.layers
    outputs = [layer.z for layer in layers]

    def column(name: str, what: str, make: object, kind: str = "number") -> Column:
        return Column(name, what, tuple(make(z) for z in outputs), kind)  # type: ignore[operator]

    return Table(
        "summary",
        "layer",
        [layer.number for layer in layers],
        (
            column("mean", "mean of all outputs", mean),
            column("std", "their population standard deviation", std),
            column("var", "their population variance", variance),
            column("skew", "population skewness, 0 when symmetric", skew),
            column("kurtosis", "population excess kurtosis, 0 for a normal distribution", kurtosis),
            column("min", "least output", minimum),
            column("q05", "5 % quantile", lambda z: quantile(z, 0.05)),
            column("q50", "median", lambda z: quantile(z, 0.5)),
            column("q95", "95 % quantile", lambda z: quantile(z, 0.95)),
            column("max", "greatest output", maximum),
            column(
                "saturated",
                "share of outputs where f′ is under 1 % of its largest value; for relu, share at 0",
                lambda z: saturated(network.activation, z),
                "share",
            ),
            column("dead_units", "units that are the same for all samples", dead_units, "count"),
            column(
                "effective_units",
                "participation ratio of the units' covariance: how many independent units the layer is worth",
                effective_units,
                "decimal",
            ),
        ),
    )


def verdicts(graph: Graph, network: Network, table: Table) -> tuple[Matrix, ...]:
    """One word a layer, of VERDICTS: what is wrong with the layer's outputs, or `healthy`. Names `verdict_1`…."""
    given = mean(network.x**2)
    return tuple(
        graph.define(
            f"verdict_{layer.number}",
            _verdict(network, layer, given, {column.name: column.cells[k] for column in table.columns}),
        )
        for k, layer in enumerate(network.layers)
    )


def _verdict(network: Network, layer: Layer, given: Matrix, row: dict[str, Matrix]) -> Matrix:
    square = row["var"] + row["mean"] ** 2
    weak, strong = square < WEAK * given, square > STRONG * given
    spread = row["std"] > CONSTANT * absolute(row["mean"])
    # One unit cannot be like the others.
    alike = row["effective_units"] < (1.5 if layer.z.shape[1] > 1 else 0.5)
    bounded = where(row["saturated"] > SATURATED, "saturated", where(row["std"] < NARROW, "collapsed", "healthy"))
    dead = row["dead_units"] > DEAD * layer.z.shape[1]
    healthy = choose(
        network.activation,
        {
            "sigmoid": bounded,
            "tanh": bounded,
            "relu": where(strong, "exploding", where(weak, "dying", where(dead, "dying", "healthy"))),
            "identity": where(strong, "exploding", where(weak, "collapsed", "healthy")),
        },
    )
    # Overflow: an error value in the sheet, infinity or NaN here, neither of which compares.
    finite = if_error(row["std"] * 0 + 1, 0)
    return where(finite > 0, where(spread, where(alike, "collapsed", healthy), "collapsed"), "exploding")
