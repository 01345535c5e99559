"""The check of the explanation by additivity of variance: what it predicts, what is measured, and what holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sheetsim.model.expr import (
    Matrix,
    absolute,
    choose,
    column_mean,
    column_variance,
    largest,
    matrix,
    mean,
    row_count,
    sqrt,
    sum_squares,
    total,
    variance,
    where,
)
from sheetsim.model.graph import Graph
from sheetsim.model.nets import ACTIVATIONS, Network
from sheetsim.summary.table import Column, Table

NONE = float("nan")

CLAIMS = ("additivity", "moment_rule", "relu_halves_variance", "relu_halves_second_moment")

# A claim fails where it is off by more than this many standard errors; chance alone does that once in 16,000.
STANDARD_ERRORS = 4.0


@dataclass(frozen=True)
class Units:
    """A layer's statistics by unit, 1×units each: means and population variances over the samples."""

    mean_a: Matrix
    var_a: Matrix
    mean_z: Matrix
    var_z: Matrix


def unit_statistics(graph: Graph, network: Network) -> tuple[Matrix, tuple[Units, ...]]:
    """Names `var_x`, and `mean_a_l`, `var_a_l`, `mean_z_l`, `var_z_l` a layer; returns var_x and the layers'."""

    def moments(name: str, of: Matrix) -> tuple[Matrix, Matrix]:
        center = graph.define(f"mean_{name}", column_mean(of))
        return center, graph.define(f"var_{name}", column_variance(of, center))

    var_x = graph.define("var_x", column_variance(network.x))
    return var_x, tuple(
        Units(*moments(f"a_{layer.number}", layer.a), *moments(f"z_{layer.number}", layer.z))
        for layer in network.layers
    )


def ratio(numerator: Matrix, denominator: Matrix) -> Matrix:
    """Their ratio, NaN (#N/A in the workbook) where there is nothing to divide by."""
    return where(denominator > 0, numerator / denominator, NONE)


def variance_table(network: Network, var_x: Matrix, units: Sequence[Units]) -> Table:
    """One row a layer: the decomposition of the linear sums' variance and what the rules predict."""
    rows = []
    for layer, own, given in zip(network.layers, units, [var_x, *(u.var_z for u in units[:-1])], strict=True):
        pooled, within = variance(layer.a), mean(own.var_a)
        fan_in, sd = row_count(layer.W), layer.sd
        additive = mean(given @ layer.W**2)
        rows.append(
            {
                "fan_in": fan_in,
                "sd_w": sd,
                "pooled": pooled,
                "within": within,
                "between": variance(own.mean_a),
                "additive": additive,
                "covariance": within - additive,
                "moment": fan_in * sd**2 * mean(layer.given**2),
                "var_ratio": ratio(variance(layer.z), pooled),
                "moment_ratio": ratio(mean(layer.z**2), mean(layer.a**2)),
            }
        )
    return Table(
        "variance",
        "layer",
        [layer.number for layer in network.layers],
        tuple(
            Column(name, what, tuple(row[name] for row in rows), "count" if name == "fan_in" else "number")
            for name, what in COLUMNS.items()
        ),
    )


COLUMNS = {
    "fan_in": "n: inputs of each unit",
    "sd_w": "standard deviation of the weights by the scheme",
    "pooled": "variance of the linear sums a over samples and units",
    "within": "their variance over samples, averaged over units",
    "between": "variance of the units' means: pooled = within + between",
    "additive": "mean over units of Σ w² Var(z): what additivity of independent variances predicts for within",
    "covariance": "within − additive: what the inputs' covariances add",
    "moment": "n·sd²·E[z²] of the layer before: what the moment rule predicts for pooled",
    "var_ratio": "Var(z) / Var(a)",
    "moment_ratio": "E[z²] / E[a²]",
}


@dataclass(frozen=True)
class Claim:
    """A sentence to check: a measured ratio a layer, what it should be, its standard error, and its state (0 within
    STANDARD_ERRORS of what it should be, 1 off, -1 nothing to check).

    The units of a layer are independent given the layer before, so the error of a ratio of sums over units, Σu / Σv,
    is sqrt(Σ(u - ratio·v)²) / Σv (the delta method; Cochran 1977, §2.11).
    """

    name: str
    sentence: str
    expected: float
    ratios: tuple[Matrix, ...]
    errors: tuple[Matrix, ...]
    states: tuple[Matrix, ...]
    verdict: Matrix


# The measured ratio Σu/Σv, its standard error, and Σv: 0 where there is nothing to check.
Checked: TypeAlias = tuple[Matrix, Matrix, Matrix]


def claims(graph: Graph, network: Network, table: Table, var_x: Matrix, units: Sequence[Units]) -> tuple[Claim, ...]:
    """The four claims of the explanation; the graph has the verdict of each under its name.

    Those on ReLU are checked only while the activation is relu.
    """
    additive, moment, var_half, moment_half = [], [], [], []
    for k, (layer, own) in enumerate(zip(network.layers, units, strict=True)):
        row = {column.name: column.cells[k] for column in table.columns}
        given = units[k - 1].var_z if k else var_x
        spread_a = own.var_a + (own.mean_a - mean(layer.a)) ** 2
        spread_z = own.var_z + (own.mean_z - mean(layer.z)) ** 2
        square_a, square_z = own.var_a + own.mean_a**2, own.var_z + own.mean_z**2
        additive.append(_checked(ratio(row["within"], row["additive"]), own.var_a, given @ layer.W**2))
        moment.append(_checked(ratio(row["pooled"], row["moment"]), spread_a, row["moment"]))
        var_half.append(_checked(row["var_ratio"], spread_z, spread_a))
        moment_half.append(_checked(row["moment_ratio"], square_z, square_a))
    relu_only = network.activation
    found = (
        _claim("additivity", "Additivity of variances predicts the variance within units", 1, additive),
        _claim("moment_rule", "The moment rule n·sd²·E[z²] predicts the pooled variance", 1, moment),
        _claim("relu_halves_variance", "ReLU halves the variance: Var(z) = Var(a)/2", 0.5, var_half, relu_only),
        _claim(
            "relu_halves_second_moment",
            "ReLU halves the second moment: E[z²] = E[a²]/2",
            0.5,
            moment_half,
            relu_only,
        ),
    )
    for claim in found:
        graph.define(claim.name, claim.verdict)
    return found


def _checked(measured: Matrix, u: Matrix, v: Matrix) -> Checked:
    units = u.shape[1]
    whole = total(v) if v.shape == u.shape else v * units
    return measured, where(whole > 0, sqrt(sum_squares(u - measured * v)) / whole, NONE), whole


def _claim(
    name: str, sentence: str, expected: float, layers: Sequence[Checked], activation: Matrix | None = None
) -> Claim:
    states = []
    for measured, error, whole in layers:
        # The last term is for errors of exactly 0, of units that are all alike: rounding is no failure.
        off = absolute(measured - expected) > STANDARD_ERRORS * error * _at_larger(measured, expected) + 1e-9
        states.append(where(whole > 0, where(off, 1, 0), -1))
    worst = largest(*states)
    verdict = where(worst > 0, "does not hold", where(worst < 0, "nothing to check", "holds"))
    if activation is not None:
        other = dict.fromkeys(ACTIVATIONS, matrix("not ReLU"))
        verdict = choose(activation, other | {"relu": verdict})
    ratios, errors, _ = zip(*layers, strict=True)
    return Claim(name, sentence, expected, ratios, errors, tuple(states), verdict)


def _at_larger(measured: Matrix, expected: float) -> Matrix:
    """The factor from the error at the measured ratio to the error at the larger of the two, in proportion: sums of
    squares that happen to be small have small errors, and would fail too often."""
    return where(measured > 0, where(measured < expected, expected / measured, 1), 1)


def claim_table(checked: Sequence[Claim]) -> Table:
    """The claims as a table, a row a claim: verdict, the expected ratio, and ratio and standard error a layer."""
    layers = range(len(checked[0].ratios))
    return Table(
        "claims",
        "claim",
        [claim.name for claim in checked],
        (
            Column("verdict", "whether the claim holds at every layer", tuple(c.verdict for c in checked), "text"),
            Column("expected", "what the ratio should be", tuple(matrix(c.expected) for c in checked)),
            *(
                Column(f"ratio_{k + 1}", f"the ratio at layer {k + 1}", tuple(c.ratios[k] for c in checked))
                for k in layers
            ),
            *(
                Column(f"error_{k + 1}", f"its standard error at layer {k + 1}", tuple(c.errors[k] for c in checked))
                for k in layers
            ),
        ),
    )
