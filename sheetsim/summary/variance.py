"""The check of the explanation by additivity of variance: what it predicts, what is measured, and what holds."""

from collections.abc import Sequence

from msgspec import Struct

from sheetsim.model.expr import (
    Matrix,
    column_mean,
    column_variance,
    equal,
    exp,
    if_error,
    largest,
    matrix,
    maximum,
    mean,
    minimum,
    normal_quantile,
    row_count,
    sqrt,
    sum_squares,
    total,
    variance,
    where,
)
from sheetsim.model.graph import Graph
from sheetsim.model.nets import Network
from sheetsim.model.op_table import CONSTANT
from sheetsim.summary.table import Column, Table
from sheetsim.summary.verdict import Verdict

NONE = float("nan")

SENTENCES: dict[str, tuple[str, float]] = {
    "additivity": ("Additivity of variances predicts the variance within units", 1),
    "moment_rule": ("The moment rule n·sd²·E[z²] predicts the pooled variance", 1),
    "relu_halves_variance": ("ReLU halves the variance: Var(z) = Var(a)/2", 0.5),
    "relu_halves_second_moment": ("ReLU halves the second moment: E[z²] = E[a²]/2", 0.5),
}
CLAIMS = tuple(SENTENCES)

# Of which activation a claim speaks, where it is of one.
OF = dict.fromkeys(("relu_halves_variance", "relu_halves_second_moment"), "relu")

# How far a ratio may be off, of what it should be, for a claim to hold: one run of 100 units a layer knows it to 0.5 to
# 2 % a standard error, so that the replicates' 2 % would leave every claim undecided.
TOLERANCE = 0.1

# Of a claim's intervals at all layers together.
CONFIDENCE = 0.99

# Over mirrored samples ReLU halves the second moment of the first sums exactly: an interval of no width.
ROUNDING = 1e-9

VERDICTS = (
    Verdict("holds", "the interval of the ratio lies within the tolerance, and has the expected ratio in it", "good"),
    Verdict("nearly", "it lies within the tolerance, and has not the expected ratio in it", "warning"),
    Verdict("undecided", "it reaches over the tolerance, or a layer was not checked", "neutral"),
    Verdict("does not hold", "it lies wholly further from the expected ratio than the tolerance", "bad"),
    Verdict("not checked", "a layer without an interval: no variance, units all alike, or overflow", "neutral"),
    Verdict("nothing to check", "no layer has an interval", "neutral"),
    Verdict("not ReLU", "the claim is of relu, and the activation is another", "neutral"),
)

# What is said of a claim at a layer that was checked.
WORDS = ("holds", "nearly", "undecided", "does not hold")


class Units(Struct, frozen=True):
    """A layer's statistics by unit, 1×units each: means and population variances over the samples."""

    mean_a: Matrix
    var_a: Matrix
    mean_z: Matrix
    var_z: Matrix


def unit_statistics(graph: Graph, network: Network) -> tuple[Matrix, tuple[Units, ...]]:
    """Names `var_x`, and `mean_a_l`, `var_a_l`, `mean_z_l`, `var_z_l` a layer; returns var_x and the layers'."""

    def moments(name: str, of: Matrix) -> tuple[Matrix, Matrix]:
        # Over mirrored samples, and of nearly constant units, they are 0 except for rounding, which differs by engine.
        center = graph.define(
            f"mean_{name}", column_mean(of), kind="rounding", what="the units' means over the samples"
        )
        spread = column_variance(of, center)
        said = "the units' population variances over the samples"
        return center, graph.define(f"var_{name}", spread, kind="rounding", what=said)

    var_x = graph.define("var_x", column_variance(network.x), what="the inputs' variances over the samples")
    return var_x, tuple(
        Units(*moments(f"a_{layer.number}", layer.a), *moments(f"z_{layer.number}", layer.z))
        for layer in network.layers
    )


def quotient(numerator: Matrix, denominator: Matrix) -> Matrix:
    """Their ratio, NaN (#N/A in the workbook) where there is nothing to divide by.

    Only 0/0 and x/0 say so: IronCalc takes a denominator under 2E-16 for equal to 0, and gradients are far smaller.
    """
    return if_error(numerator / denominator, NONE)


def variance_table(network: Network, var_x: Matrix, units: Sequence[Units], bias: Matrix | None = None) -> Table:
    """One row per layer: the decomposition of the pre-activations' variance and what the rules predict.

    bias: the biases' standard deviation, where there are some.
    """
    rows = []
    for layer, by_unit, given in zip(network.layers, units, [var_x, *(u.var_z for u in units[:-1])], strict=True):
        pooled, within = variance(layer.a), mean(by_unit.var_a)
        fan_in, sd = row_count(layer.W), layer.sd
        additive = mean(given @ layer.W**2)
        moment = fan_in * sd**2 * mean(layer.given**2)
        rows.append(
            {
                "fan_in": fan_in,
                "sd_w": sd,
                "pooled": pooled,
                "within": within,
                "between": variance(by_unit.mean_a),
                "additive": additive,
                "covariance": within - additive,
                "moment": moment if bias is None else moment + bias**2,
                "var_ratio": quotient(variance(layer.z), pooled),
                "moment_ratio": quotient(mean(layer.z**2), mean(layer.a**2)),
            }
        )
    return Table(
        "variance",
        "layer",
        [layer.number for layer in network.layers],
        tuple(
            Column(
                name,
                what if bias is None else OF_BIASED.get(name, what),
                tuple(row[name] for row in rows),
                "count" if name == "fan_in" else "number",
            )
            for name, what in COLUMNS.items()
        ),
        sheet="Variance",
        what="the variance of the pre-activations, and the claims about it",
    )


COLUMNS = {
    "fan_in": "n: inputs of each unit",
    "sd_w": "standard deviation of the weights by the scheme",
    "pooled": "variance of the pre-activations a over samples and units",
    "within": "their variance over samples, averaged over units",
    "between": "variance of the units' means: pooled = within + between",
    "additive": "mean over units of Σ w² Var(z): what additivity of independent variances predicts for within",
    "covariance": "within − additive: what the inputs' covariances add",
    "moment": "n·sd²·E[z²] of the layer before: what the moment rule predicts for pooled",
    "var_ratio": "Var(z) / Var(a)",
    "moment_ratio": "E[z²] / E[a²]",
}


# Where there are biases.
OF_BIASED = {"moment": "n·sd²·E[z²] of the layer before, and bias_std²: what the moment rule predicts for pooled"}


class Checked(Struct, frozen=True):
    """A claim at one layer, all 1×1.

    The measured ratio Σu / Σv over units, its relative standard error, how many equal units would tell as much, the
    interval's ends, and one of WORDS or "not checked".

    NaN: the error where there is nothing to check (no variance, overflow, units all alike, not ReLU); the ends also
    where so few units give no interval, which leaves the claim undecided.
    """

    ratio: Matrix
    error: Matrix
    units: Matrix
    low: Matrix
    high: Matrix
    word: Matrix


class Claim(Struct, frozen=True):
    """A sentence to check: the ratio that it claims, what is found at each layer, and the verdict over all of them.

    checked: how many layers could be; width: of their intervals, each way, in standard errors; counts: how many layers
    have each of WORDS.
    """

    name: str
    sentence: str
    expected: float
    layers: tuple[Checked, ...]
    checked: Matrix
    width: Matrix
    counts: tuple[Matrix, ...]
    verdict: Matrix


class _Measured(Struct, frozen=True):
    """The part of `Checked` that does not depend on how many layers are."""

    ratio: Matrix
    error: Matrix
    units: Matrix


def claims(graph: Graph, network: Network, table: Table, var_x: Matrix, units: Sequence[Units]) -> tuple[Claim, ...]:
    """The four claims of the explanation.

    The graph has the verdict of each under its name, and names `tolerance` and `confidence`, which can be changed.

    At each layer a claim does not hold where the interval of its ratio lies wholly further than the tolerance from
    what it should be, and holds where it lies wholly within and has that in it (without: nearly); else it is undecided.
    Over the layers the worst of these is said, and undecided where a layer could not be checked. Those on ReLU are
    checked only while the activation is relu.

    The intervals are for other weights given what came into the layer: then its units are independent, however few the
    samples, and the claimed ratios are those of the expected sums, except for the moment rule, which lacks the part of
    order 1/units that the pooled mean takes. All layers of a claim together are in their intervals with the confidence
    (Bonferroni: 1 − (1 − confidence) / layers at each).
    """
    near = "how near the expected ratio a claim's interval must lie to hold, how far for it not to"
    graph.input("tolerance", TOLERANCE, what=near)
    graph.input("confidence", CONFIDENCE, what="confidence of a claim's intervals at all layers together")
    measured_by: dict[str, list[_Measured]] = {name: [] for name in CLAIMS}
    for k, (layer, by_unit) in enumerate(zip(network.layers, units, strict=True)):
        row = {column.name: column.cells[k] for column in table.columns}
        given = units[k - 1].var_z if k else var_x
        spread_a = by_unit.var_a + (by_unit.mean_a - mean(by_unit.mean_a)) ** 2
        spread_z = by_unit.var_z + (by_unit.mean_z - mean(by_unit.mean_z)) ** 2
        square_a, square_z = by_unit.var_a + by_unit.mean_a**2, by_unit.var_z + by_unit.mean_z**2
        measured_by["additivity"].append(
            _measured(quotient(row["within"], row["additive"]), by_unit.var_a, given @ layer.W**2)
        )
        # The same prediction forevery unit.
        measured_by["moment_rule"].append(_measured(quotient(row["pooled"], row["moment"]), spread_a, spread_a * 0 + 1))
        for name, measured, u, v in (
            ("relu_halves_variance", row["var_ratio"], spread_z, spread_a),
            ("relu_halves_second_moment", row["moment_ratio"], square_z, square_a),
        ):
            measured_by[name].append(_measured(measured, u, v, equal(network.activation, OF[name])))
    return tuple(_claim(graph, network, name, layers) for name, layers in measured_by.items())


def _measured(measured: Matrix, u: Matrix, v: Matrix, asked: Matrix | None = None) -> _Measured:
    """The ratio Σu / Σv of statistics by unit, its relative standard error, and the effective number of units.

    The error is by the delta method (Cochran 1977, §2.11), the number the smaller of (Σu)² / Σu² and (Σv)² / Σv² (Kish
    1965).
    """
    p, q = u / total(u), v / total(v)
    # Alike to 12 digits, as under equal weights, units repeat nothing.
    error = where(maximum(u) - minimum(u) > CONSTANT * maximum(u), sqrt(sum_squares(p - q)), NONE)
    error = if_error(error + measured * 0, NONE)
    if asked is not None:
        error = where(asked, error, NONE)
    return _Measured(measured, error, if_error(1 / largest(sum_squares(p), sum_squares(q)), NONE))


def _claim(graph: Graph, network: Network, name: str, layers: Sequence[_Measured]) -> Claim:
    sentence, expected = SENTENCES[name]
    checked = _added([if_error(layer.error * 0 + 1, 0) for layer in layers])
    width = if_error(normal_quantile(1 - (1 - graph["confidence"]) / 2 / checked), NONE)
    by_layer = []
    for layer in layers:
        low, high = _interval(layer, width)
        word = word_of(layer.error, low, high, expected, graph["tolerance"])
        by_layer.append(Checked(layer.ratio, layer.error, layer.units, low, high, word))
    counts, verdict = over_layers([layer.word for layer in by_layer], checked)
    if name in OF:
        verdict = where(equal(network.activation, OF[name]), verdict, "not ReLU")
    named = graph.define(name, verdict, what="the claims' verdicts")
    return Claim(name, sentence, expected, tuple(by_layer), checked, width, counts, named)


def _interval(layer: _Measured, width: Matrix) -> tuple[Matrix, Matrix]:
    """The interval of a ratio, by its logarithm: a sum of few squares is nearer to log-normal than to normal.

    Its half-width is c·error / √(1 − c²/units) for c standard errors: as the squared differences are about the measured
    ratio, a few units that happen to agree would otherwise look precise (about the claimed one, Σd / √Σd² is at most
    √units: Efron 1969). For c² units and fewer there is no interval.
    """
    half = width * layer.error / sqrt(1 - width**2 / layer.units)
    return if_error(layer.ratio * exp(-half), NONE), if_error(layer.ratio * exp(half), NONE)


def word_of(error: Matrix, low: Matrix, high: Matrix, expected: float, tolerance: Matrix) -> Matrix:
    """What is said at one layer of the claim that the ratio is the expected one: one of WORDS, or "not checked"."""
    at_least = largest(low / expected - 1, 1 - high / expected)
    at_most = largest(high / expected - 1, 1 - low / expected)
    inside = where(at_least > ROUNDING, "nearly", "holds")
    word = where(at_least > tolerance, "does not hold", where(at_most > tolerance, "undecided", inside))
    unknown = where(if_error(error * 0 + 1, 0) > 0, "undecided", "not checked")
    return where(if_error(low + high, -1) < 0, unknown, word)


def over_layers(words: Sequence[Matrix], checked: Matrix) -> tuple[tuple[Matrix, ...], Matrix]:
    """How many layers have each of WORDS, and the verdict over them all, of which so many were checked."""
    counts = tuple(_added([equal(said, word) for said in words]) for word in WORDS)
    _, nearly, undecided, fails = counts
    # Nothing is known of a layer that was not checked.
    verdict = where(checked < len(words), "undecided", where(nearly > 0, "nearly", "holds"))
    verdict = where(fails > 0, "does not hold", where(undecided > 0, "undecided", verdict))
    return counts, where(checked > 0, verdict, "nothing to check")


def _added(numbers: Sequence[Matrix]) -> Matrix:
    """Their sum by halves: one after another, hundreds of layers would nest as deep."""
    if len(numbers) == 1:
        return numbers[0]
    half = len(numbers) // 2
    return _added(numbers[:half]) + _added(numbers[half:])


def claim_table(checked: Sequence[Claim]) -> Table:
    """The claims as a table, a row per claim: verdict, layers checked, the expected ratio, and what each layer has."""
    return Table(
        "claims",
        "claim",
        [claim.name for claim in checked],
        (
            Column("verdict", "whether the claim holds at every layer", tuple(c.verdict for c in checked), "text"),
            Column("checked", "how many layers could be checked", tuple(c.checked for c in checked), "count"),
            Column("expected", "what the ratio should be", tuple(matrix(c.expected) for c in checked)),
            *(
                Column(
                    f"{name}_{k + 1}",
                    f"{what} at layer {k + 1}",
                    tuple(getattr(claim.layers[k], cell) for claim in checked),
                    "text" if name == "verdict" else "number",
                )
                for name, (cell, what) in LAYER_COLUMNS.items()
                for k in range(len(checked[0].layers))
            ),
        ),
    )


# Columns by layer of the claims: the field of `Checked`, and what it is.
LAYER_COLUMNS = {
    "ratio": ("ratio", "the ratio"),
    "error": ("error", "its standard error relative to itself"),
    "units": ("units", "how many equal units would tell as much"),
    "low": ("low", "the lower end of its interval"),
    "high": ("high", "the upper end of its interval"),
    "verdict": ("word", "whether the claim holds"),
}
