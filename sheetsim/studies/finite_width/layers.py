"""Tables about many networks' lengths by layer: mean, variance and tail of the logarithms, beside theory, a word."""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from sheetsim.model.expr import (
    COUNT,
    Matrix,
    absolute,
    column,
    exp,
    frequency,
    if_error,
    maximum,
    mean,
    minimum,
    row,
    sqrt,
    t_quantile,
    total,
    where,
)
from sheetsim.model.graph import Graph
from sheetsim.summary.histogram import NUDGE
from sheetsim.summary.table import Column, Table
from sheetsim.summary.verdict import Verdict

CONFIDENCE = 0.95
# Standard errors on each side of a variance's interval.
NORMAL_95 = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)

# A run is near where its squared length is within this factor of the mean-field value.
FACTOR = 2.0
MOST_RUNS, FEW_RUNS = 0.95, 0.5

VERDICTS = (
    Verdict(
        "reliable",
        f"in at least {MOST_RUNS:.0%} of the networks the squared length is within a factor of {FACTOR:g} of theory’s",
        "good",
    ),
    Verdict("noisy", f"in {FEW_RUNS:.0%} to {MOST_RUNS:.0%} of them: a single run says little", "warning"),
    Verdict(
        "says nothing", f"in less than {FEW_RUNS:.0%}: a single run says nothing; widths must grow with depth", "bad"
    ),
    Verdict("died out", "the length of at least one network is 0, or overflows: its logarithm has no value", "bad"),
)

COLUMNS = {
    "log_mean": "mean over networks of ln ‖z‖², less that of its mean-field value",
    "log_mean_low": "the lower end of its 95 % interval, by Student’s t",
    "log_mean_high": "its upper end",
    "log_mean_theory": "minus half of log_variance_theory; #N/A with biases, and if f is not homogeneous",
    "log_variance": "variance over networks of ln ‖z‖²",
    "log_variance_low": "the lower end of its 95 % interval, by the spread of the squared deviations",
    "log_variance_high": "its upper end",
    "log_variance_theory": "κ Σ 1/n over the layers, κ = E[f⁴]/E[f²]² − 1: 5 for relu, 2 for the identity; "
    "for others, and with biases, each layer passes on a part",
    "arithmetic": "mean over networks of ‖z‖² over its mean-field value: 1 in expectation where f multiplies sizes",
    "geometric": "the same by the mean of the logarithm: what a typical network has",
    "within": f"share of networks whose ‖z‖² is within a factor of {FACTOR:g} of its mean-field value",
    "below_tenth": "share of networks with less than a tenth of it",
    "back_mean": "mean of ln ‖d‖², less that of its mean-field value: of a gradient, so many layers back",
    "back_mean_theory": "minus half of back_variance_theory",
    "back_variance": "variance over networks of ln ‖d‖²",
    "back_variance_low": "the lower end of its 95 % interval",
    "back_variance_high": "its upper end",
    "back_variance_theory": "Σ 2/n + 3 (E[f′⁴]/E[f′²]² − 1)/n: 5 Σ 1/n for relu, as forward; #N/A as log_mean_theory",
}


def width_table(logs: Matrix, theory: Matrix, layers: int) -> Table:
    """One row per layer. logs: networks × 2L, forward and back; theory: L × 4."""
    networks = float(logs.shape[0])
    t = t_quantile(1 - CONFIDENCE, networks - 1)
    rows: list[dict[str, Matrix]] = []
    for layer in range(1, layers + 1):
        forward, back = column(logs, layer), column(logs, layers + layer)
        expected = [column(row(theory, layer), k) for k in range(1, 5)]
        center, variance, error = _moments(forward)
        back_centre, back_variance, back_error = _moments(back)
        half = t * sqrt(variance / networks)
        rows.append(
            {
                "log_mean": center,
                "log_mean_low": center - half,
                "log_mean_high": center + half,
                "log_mean_theory": expected[0],
                "log_variance": variance,
                "log_variance_low": variance - NORMAL_95 * error,
                "log_variance_high": variance + NORMAL_95 * error,
                "log_variance_theory": expected[1],
                "arithmetic": mean(exp(forward)),
                "geometric": exp(center),
                "within": mean(absolute(forward) <= math.log(FACTOR)),
                "below_tenth": mean(forward < math.log(0.1)),
                "back_mean": back_centre,
                "back_mean_theory": expected[2],
                "back_variance": back_variance,
                "back_variance_low": back_variance - NORMAL_95 * back_error,
                "back_variance_high": back_variance + NORMAL_95 * back_error,
                "back_variance_theory": expected[3],
            }
        )
    columns = tuple(Column(name, what, tuple(row[name] for row in rows), _kind(name)) for name, what in COLUMNS.items())
    said = "logarithms of lengths over networks by layer, and theory’s"
    return Table("widths", "layer", range(1, layers + 1), columns, "Finite width", said)


def _kind(name: str) -> str:
    if name in ("within", "below_tenth"):
        return "share"
    return "size" if name in ("log_variance", "back_variance", "arithmetic", "geometric") else "number"


def _moments(x: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """Mean, variance over n − 1, and its standard error √((m₄ − m₂²)/n) (Cramér 1946, §27.4)."""
    count = float(x.shape[0])
    center = mean(x)
    squares = (x - center) ** 2
    second = mean(squares)
    # Rounding may leave less than nothing of equal numbers.
    spread = mean((squares - second) ** 2)
    return center, total(squares) / (count - 1), sqrt(spread / count)


def width_verdicts(graph: Graph, table: Table) -> tuple[Matrix, ...]:
    """One word a layer, of VERDICTS, named `verdict_1` and so on."""
    words = []
    for layer, share in zip(table.labels, table["within"], strict=True):
        word = where(share >= MOST_RUNS, "reliable", where(share >= FEW_RUNS, "noisy", "says nothing"))
        word = where(if_error(share + 1, 0) > 0, word, "died out")
        words.append(graph.define(f"verdict_{layer}", word, what="how much a single run says of a layer"))
    return tuple(words)


def log_histogram(graph: Graph, logs: Matrix, theory: Matrix, layers: int, bins: int) -> Table:
    """Shares of the networks by ln ‖z_L‖², beside those of a normal distribution with theory's mean and variance.

    Names `bin`, `up_to`, `counts`, `share`, `expected`.
    """
    x = column(logs, layers)
    numbers = graph.input("bin", np.arange(1.0, bins + 1).reshape(-1, 1), what="the bins' numbers")
    inner = graph.input("edge", np.arange(1.0, bins).reshape(-1, 1), what="the numbers of the edges between the bins")
    low, width = minimum(x), (maximum(x) - minimum(x)) / bins
    ends = graph.define("up_to", low + width * numbers, what="the bins' upper ends")
    edges = graph.define("edges", low + width * inner * (1 + NUDGE), what="the edges between the bins")
    counts = graph.define(
        "counts", frequency(x, edges), kind=COUNT, what="networks by bin of ln ‖z‖² at the last layer"
    )
    share = graph.define("share", counts / float(logs.shape[0]), what="their share")
    mean_of, variance = (column(row(theory, layers), k) for k in (1, 2))
    z = (ends - width / 2 - mean_of) / sqrt(variance)
    density = exp(-(z**2) / 2) / sqrt(2 * math.pi * variance)
    normal = graph.define(
        "expected", width * density, what="the share in a normal distribution with theory’s mean and variance"
    )
    cells = (ends, share, normal)
    names = {
        "up_to": "the bin’s upper end, of ln ‖z‖² at the last layer",
        "share": "share of the networks in the bin",
        "share_theory": "in a normal distribution with theory’s mean and variance, by the density in its middle",
    }
    columns = tuple(
        Column(name, what, tuple(row(node, k) for k in range(1, bins + 1)), "number")
        for (name, what), node in zip(names.items(), cells, strict=True)
    )
    return Table(
        "histogram", "bin", range(1, bins + 1), columns, "Histogram", "of ln ‖z‖² at the last layer", observed=False
    )


def sum_of_inverses(widths: Sequence[int]) -> float:
    """Σ 1/n over the layers."""
    return sum(1 / n for n in widths)
