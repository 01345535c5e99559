"""The check of the explanation by additivity of variance: what it predicts, what is measured, and what holds."""

from collections.abc import Sequence
from dataclasses import dataclass

from sheetsim.model.expr import (
    Draw,
    Matrix,
    absolute,
    choose,
    column_mean,
    column_variance,
    if_error,
    largest,
    matrix,
    maximum,
    mean,
    minimum,
    row_count,
    sqrt,
    sum_squares,
    total,
    variance,
    where,
)
from sheetsim.model.graph import Graph
from sheetsim.model.nets import ACTIVATIONS, Network
from sheetsim.model.ops import CONSTANT
from sheetsim.summary.table import Column, Table

NONE = float("nan")

SENTENCES: dict[str, tuple[str, float]] = {
    "additivity": ("Additivity of variances predicts the variance within units", 1),
    "moment_rule": ("The moment rule n·sd²·E[z²] predicts the pooled variance", 1),
    "relu_halves_variance": ("ReLU halves the variance: Var(z) = Var(a)/2", 0.5),
    "relu_halves_second_moment": ("ReLU halves the second moment: E[z²] = E[a²]/2", 0.5),
}
CLAIMS = tuple(SENTENCES)

# Over mirrored samples ReLU halves the second moment of the first sums exactly, with a standard error of 0.
ROUNDING = 1e-9

# A claim fails where it is off by more than this many standard errors.
STANDARD_ERRORS = 4.0

# With fewer units a layer is not checked: they are the independent repeats, and a ratio of sums over few of them is too
# far from normal. (Were there 16, not even a ratio of 0 could be 4 of its standard errors away.)
FEWEST_UNITS = 20


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
    """Their ratio, NaN (#N/A in the workbook) where there is nothing to divide by.

    Only 0/0 and x/0 say so: IronCalc takes a denominator under 2E-16 for equal to 0, and gradients are far smaller.
    """
    return if_error(numerator / denominator, NONE)


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
    """A sentence to check: a measured ratio a layer, the ratio that it claims, its standard error if the claim is true,
    and its state (0 within STANDARD_ERRORS of the claim, 1 off, -1 nothing to check).

    The units of a layer are independent given the layer before, so the error of a ratio of sums over units, Σu / Σv,
    is sqrt(Σ(u - ratio·v)²) / Σv (the delta method; Cochran 1977, §2.11), with the claimed ratio in it: the measured
    one would make sums that happen to be small look precise, and reject true claims.
    """

    name: str
    sentence: str
    expected: float
    ratios: tuple[Matrix, ...]
    errors: tuple[Matrix, ...]
    states: tuple[Matrix, ...]
    verdict: Matrix


@dataclass(frozen=True)
class Checked:
    """One layer of a claim: the measured ratio Σu / Σv, its standard error, and its state."""

    ratio: Matrix
    error: Matrix
    state: Matrix


def claims(graph: Graph, network: Network, table: Table, var_x: Matrix, units: Sequence[Units]) -> tuple[Claim, ...]:
    """The four claims of the explanation; the graph has the verdict of each under its name.

    Those on ReLU are checked only while the activation is relu.
    """
    found: dict[str, list[Checked]] = {name: [] for name in CLAIMS}
    source = network.x.source
    mirrored = isinstance(source, Draw) and source.design == "antithetic"
    for k, (layer, own) in enumerate(zip(network.layers, units, strict=True)):
        row = {column.name: column.cells[k] for column in table.columns}
        given = units[k - 1].var_z if k else var_x
        spread_a = own.var_a + (own.mean_a - mean(layer.a)) ** 2
        spread_z = own.var_z + (own.mean_z - mean(layer.z)) ** 2
        square_a, square_z = own.var_a + own.mean_a**2, own.var_z + own.mean_z**2
        found["additivity"].append(_checked(ratio(row["within"], row["additive"]), 1, own.var_a, given @ layer.W**2))
        found["moment_rule"].append(_checked(ratio(row["pooled"], row["moment"]), 1, spread_a, row["moment"]))
        for name, measured, u, v in (
            ("relu_halves_variance", row["var_ratio"], spread_z, spread_a),
            ("relu_halves_second_moment", row["moment_ratio"], square_z, square_a),
        ):
            checked = _checked(measured, 0.5, u, v, ROUNDING if mirrored else 0.0)
            state = choose(network.activation, dict.fromkeys(ACTIVATIONS, matrix(-1)) | {"relu": checked.state})
            found[name].append(Checked(checked.ratio, checked.error, state))
    return tuple(_claim(graph, network, name, layers) for name, layers in found.items())


def _checked(measured: Matrix, expected: float, u: Matrix, v: Matrix, rounding: float = 0.0) -> Checked:
    units = u.shape[1]
    whole = total(v) if v.shape == u.shape else v * units
    error = where(whole > 0, sqrt(sum_squares(u - expected * v)) / whole, NONE)
    # Alike to 12 digits, as under equal weights, units repeat nothing.
    alike = where(maximum(u) - minimum(u) > CONSTANT * maximum(u), 0, 1)
    # Overflow and nothing to divide by: errors in the sheet, NaN here, neither of which compares.
    known = if_error((measured + error) * 0 + 1, 0)
    allowed = STANDARD_ERRORS * error
    off = absolute(measured - expected) > (allowed + rounding if rounding else allowed)
    checkable = matrix(0) if units < FEWEST_UNITS else where(known > 0, 1 - alike, 0)
    return Checked(measured, error, where(checkable > 0, where(off, 1, 0), -1))


def _claim(graph: Graph, network: Network, name: str, layers: Sequence[Checked]) -> Claim:
    sentence, expected = SENTENCES[name]
    worst = largest(*(layer.state for layer in layers))
    verdict = where(worst > 0, "does not hold", where(worst < 0, "nothing to check", "holds"))
    if name.startswith("relu"):
        verdict = choose(network.activation, dict.fromkeys(ACTIVATIONS, matrix("not ReLU")) | {"relu": verdict})
    return Claim(
        name,
        sentence,
        expected,
        tuple(layer.ratio for layer in layers),
        tuple(layer.error for layer in layers),
        tuple(layer.state for layer in layers),
        graph.define(name, verdict),
    )


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
