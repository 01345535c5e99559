"""The summary of a network by layer: how each layer's outputs are distributed, and a verdict in words."""

import math
from collections.abc import Callable, Sequence

from msgspec import Struct

from sheetsim.model.activations import ACTIVATIONS, FLAT_SHARE, Activation, activations_where, chosen, chosen_is
from sheetsim.model.expr import (
    Draw,
    Matrix,
    absolute,
    column_mean,
    column_sum,
    column_variance,
    equal,
    if_error,
    kurtosis,
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
from sheetsim.model.nets import Network, NetworkLayer
from sheetsim.model.op_table import CONSTANT
from sheetsim.summary.table import Column, Table
from sheetsim.summary.verdict import Verdict

# Where the verdicts draw their lines. They are conventions of this program, stated beside the verdicts.
SATURATED = 0.2
NARROW = 0.05
WEAK = 0.1
STRONG = 10.0
DEAD = 0.1
ZEROS = 0.9
FEW = 0.1
SHRUNK = 0.75
GROWN = 1 / SHRUNK

# What is left of the input, in depth scales ξ = 1/|ln χ|: where two samples become one (c* = 1), the share of the
# variance that lies over samples falls as exp(-depth/ξ). After one it fades; about six is how deep Schoenholz et al.
# (2017, arXiv:1611.01232) found networks trainable.
FADING = math.exp(-1)
LOST = math.exp(-6)

# Of outputs that vary by less of themselves the last digits decide about a covariance, and engines differ in them.
STILL = 1e-8


def _those(rule: Callable[[Activation], bool]) -> str:
    return ", ".join(activations_where(rule))


# In the order in which they are looked for.
VERDICTS = (
    Verdict("check std", "the custom standard deviation of this or an earlier layer is not a number from 0", "bad"),
    Verdict(
        "exploding",
        f"overflow; all but {_those(lambda f: f.bounded)}: mean square over {STRONG:g} times the input's",
        "bad",
    ),
    Verdict(
        "collapsed",
        f"no spread; effective units under 1.5, of several; {_those(lambda f: f.levels)}: std under {NARROW:g}",
        "warning",
    ),
    Verdict(
        "saturated",
        f"{_those(lambda f: f.saturates and not f.fades)}: over {SATURATED:.0%} of outputs on a tail, "
        f"where |f′| stays under {FLAT_SHARE:.0%} of its largest value",
        "bad",
    ),
    Verdict(
        "dying",
        f"over {DEAD:.0%} of units dead; all but {_those(lambda f: f.bounded)}: mean square under {WEAK:g} of the "
        f"input's; {_those(lambda f: f.fades)}: over {ZEROS:.0%} of outputs on such a tail, or 0",
        "warning",
    ),
    Verdict(
        "input lost",
        f"the share of variance over samples is under e⁻⁶ ({LOST:.2%}) of the input's: samples give "
        "nearly the same outputs, as after six depth scales",
        "bad",
    ),
    Verdict(
        "input fading", f"that share is under 1/e ({FADING:.0%}) of the input's, as after one depth scale", "warning"
    ),
    Verdict(
        "few directions",
        f"effective units under {FEW:.0%} of the input's, or of 1/(1/units + 1/samples) if less",
        "warning",
    ),
    Verdict("shrinking", "std under 3/4 of that of layer 1", "warning"),
    Verdict("growing", "std over 4/3 times that of layer 1", "warning"),
    Verdict("healthy", "none of these", "good"),
)

# What the matrices verdict_l are.
OF_LAYERS = "the layers' verdicts"

# Why the limits of the two words on the input are where they are; a line each.
INPUT_LOST = (
    "Of their variance, over samples: the rest lies between the units' means and is the same for every sample. Mean "
    "field (Schoenholz et al. 2017): with χ = n·sd²·E[f′²] < 1 two samples' correlation goes to c* = 1, and what tells "
    "them apart falls as exp(−depth/ξ), with the depth scale ξ = 1/|ln χ|: 0.35 layers for sigmoid with n·sd² = 1.",
    "The input's share is its variance over samples in its mean square: what the sums of layer 1 have of it. Effective "
    "units: n independent units of N random samples count as about 1/(1/n + 1/N), 90.9 for 100 units in 1,000 samples.",
)


def saturated(activation: Matrix, a: Matrix) -> Matrix:
    """Share of pre-activations on a tail of f, where |f'| stays under 1 % of its largest value; for relu, outputs 0."""
    shares = {name: mean(on_tail(f, a)) for name, f in ACTIVATIONS.items() if f.saturates}
    return chosen(activation, shares, 0)


def on_tail(f: Activation, a: Matrix) -> Matrix:
    """1 where a sum lies on a tail of f, which has one, else 0."""
    low, high = f.tails
    sides = [a <= low] * math.isfinite(low) + [a >= high] * math.isfinite(high)
    return sum(sides[1:], sides[0])


def dead_units(z: Matrix) -> Matrix:
    """The number of units whose output is the same, to 12 digits, for all samples."""
    first = row(z, 1)
    differs = where(absolute(z - first) > CONSTANT * absolute(first), 1, 0)
    return total(where(column_sum(differs) > 0, 0, 1))


def effective_units(z: Matrix) -> Matrix:
    """The participation ratio (tr C)² / tr C² of the covariance C of the units.

    1 when all move as one, 0 when none moves by more than STILL of itself (Gao et al. 2017, doi:10.1101/214262).

    For n independent units alike, about 1/(1/n + 1/N) of N samples, whose covariance is not exactly diagonal; n for
    ever more samples.
    """
    centered = z - column_mean(z)
    power = sum_squares(centered)
    # A ratio of sizes, as IronCalc takes numbers under 2E-16 for equal; of an overflow it is an error, by the last 0.
    moves = if_error(sqrt(power / sum_squares(z)), 0) > STILL
    return where(moves, power**2 / sum_squares(centered.T @ centered), 0 * power)


def _over_samples(z: Matrix, over: Matrix, whole: Matrix) -> Matrix:
    # Of outputs that are constant except for rounding it would be a ratio of roundings, which differ by engine.
    varies = std(z) > CONSTANT * absolute(mean(z))
    return where(varies, if_error(mean(over) / whole, math.nan), math.nan)


def layer_table(network: Network, var_z: Sequence[Matrix] = ()) -> Table:
    """One row per layer over all its outputs z (samples × units): the columns of `run.summary()`.

    var_z: the units' variances over the samples, 1×units a layer, where they have names already.
    """
    layers = network.layers
    outputs = [layer.z for layer in layers]
    over = var_z or [column_variance(z) for z in outputs]
    variances = [variance(z) for z in outputs]

    def column(name: str, what: str, make: object, kind: str = "number") -> Column:
        return Column(name, what, tuple(make(z) for z in outputs), kind)  # type: ignore[operator]

    return Table(
        "layers",
        "layer",
        [layer.number for layer in layers],
        (
            column("mean", "mean of all outputs", mean),
            column("std", "their population standard deviation", std, "size"),
            Column("var", "their population variance", tuple(variances), "size"),
            column("skew", "population skewness, 0 when symmetric", skew),
            column("kurtosis", "population excess kurtosis, 0 for a normal distribution", kurtosis),
            column("min", "least output", minimum),
            column("q05", "5 % quantile", lambda z: quantile(z, 0.05)),
            column("q50", "median", lambda z: quantile(z, 0.5)),
            column("q95", "95 % quantile", lambda z: quantile(z, 0.95)),
            column("max", "greatest output", maximum),
            Column(
                "saturated",
                f"share of outputs on a tail of f, where |f′| stays under {FLAT_SHARE:.0%} of its largest value; for "
                "relu, share at 0",
                tuple(saturated(network.activation, layer.a) for layer in layers),
                "share",
            ),
            column("dead_units", "units that are the same for all samples", dead_units, "count"),
            column(
                "effective_units",
                "participation ratio of the units' covariance: how many independent units the layer is worth; about "
                "1/(1/units + 1/samples) where they are independent",
                effective_units,
                "decimal",
            ),
            Column(
                "over_samples",
                "share of var that lies over samples; the rest is between the units' means",
                tuple(map(_over_samples, outputs, over, variances)),
                "share",
            ),
        ),
        sheet="Layers",
        what="numbers of each layer's outputs",
    )


class Given(Struct, frozen=True):
    """What the input itself has of the numbers that verdicts look at, 1×1 each.

    square: E[x²]; over_samples: the share of it that is variance over samples; effective_units: of its columns.
    """

    square: Matrix
    over_samples: Matrix
    effective_units: Matrix


def of_input(graph: Graph, network: Network, var_x: Matrix) -> Given:
    """Names `square_x`, `over_samples_x` and `effective_x`; var_x: the inputs' variances over the samples."""
    square = graph.define("square_x", mean(network.x**2), what="the input's mean square, E[x²]")
    return Given(
        square,
        graph.define(
            "over_samples_x",
            if_error(mean(var_x) / square, math.nan),
            what="the share of the input's mean square that is variance over samples",
        ),
        graph.define(
            "effective_x",
            effective_units(network.x),
            what="the input's effective units: the participation ratio of its columns' covariance",
        ),
    )


def verdicts(graph: Graph, network: Network, table: Table, given: Given) -> tuple[Matrix, ...]:
    """One word a layer, of VERDICTS: what is wrong with the layer's outputs, or `healthy`. Names `verdict_1`…."""
    words: list[Matrix] = []
    for k, layer in enumerate(network.layers):
        row = {column.name: column.cells[k] for column in table.columns}
        word = checked_std(layer.e, layer.sd, [layer.sd], _verdict(network, layer, given, row, table["std"][0]))
        if words:
            word = where(equal(words[-1], "check std"), "check std", word)
        words.append(graph.define(f"verdict_{layer.number}", word, what=OF_LAYERS))
    return tuple(words)


def checked_std(e: Matrix, sd: Matrix, sds: Sequence[Matrix], word: Matrix) -> Matrix:
    """The word, or `check std` where the weights' standard deviation is below 0 or one of `sds` is not a number.

    Anything can be pasted into the cell of a custom one. Draws that are all 1 are times a value of any sign.
    """
    # A text times 0 is an error; compared, it is more than every number.
    zeros = [0 * one for one in sds]
    while len(zeros) > 1:  # by halves: a chain of a thousand sums is too deep to be written
        zeros = [sum(zeros[k + 1 : k + 2], zeros[k]) for k in range(0, len(zeros), 2)]
    number = if_error(zeros[0] + 1, 0)
    if isinstance(e.source, Draw) and e.source.distribution.name == "ones":
        return where(number > 0, word, "check std")
    return where(number > 0, where(sd < 0, "check std", word), "check std")


def _verdict(network: Network, layer: NetworkLayer, given: Given, row: dict[str, Matrix], first_std: Matrix) -> Matrix:
    samples, units = layer.z.shape
    square = row["var"] + row["mean"] ** 2
    spread = row["std"] > CONSTANT * absolute(row["mean"])
    # One unit cannot be like the others.
    alike = row["effective_units"] < (1.5 if units > 1 else 0.5)
    bounded, levels, fades = (
        chosen_is(network.activation, rule) for rule in (lambda f: f.bounded, lambda f: f.levels, lambda f: f.fades)
    )
    # Ratios of shares, as IronCalc takes numbers under 2E-16 for equal to 0; without variance an error, by the last 0.
    left = if_error(row["over_samples"] / given.over_samples, 0)
    most = 1 / (1 / units + 1 / samples)
    directions = where(given.effective_units < most, given.effective_units, most)
    faults = (
        ((1 - bounded) * (square > STRONG * given.square), "exploding"),
        (row["saturated"] > where(fades, ZEROS, SATURATED), where(fades, "dying", "saturated")),
        (levels * (row["std"] < NARROW), "collapsed"),
        ((1 - bounded) * (square < WEAK * given.square), "dying"),
        (row["dead_units"] > DEAD * units, "dying"),
        (left < LOST, "input lost"),
        (left < FADING, "input fading"),
        (row["effective_units"] < FEW * directions, "few directions"),
        (row["std"] < SHRUNK * first_std, "shrinking"),
        (row["std"] > GROWN * first_std, "growing"),
    )
    word: Matrix | str = "healthy"
    for fault, name in reversed(faults):
        word = where(fault, name, word)
    # Overflow: an error value in the sheet, infinity or NaN here, neither of which compares; fourth powers first.
    finite = if_error((row["std"] + square + row["effective_units"]) * 0 + 1, 0)
    return where(finite > 0, where(spread, where(alike, "collapsed", word), "collapsed"), "exploding")
