"""Statistics over replicates: means with intervals, percentiles, theory beside them, and how the mean converged.

They are expressions over the matrix of results (a row a replicate), so that the DataFrame and the live cell have one
definition.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sheetsim.engine.moments import UnitMoments
from sheetsim.model.expr import (
    Data,
    Matrix,
    absolute,
    ceiling,
    column,
    if_error,
    matrix,
    mean,
    normal_quantile,
    quantile,
    row_count,
    sample_std,
    sqrt,
    t_quantile,
    total,
    where,
)
from sheetsim.model.graph import Graph
from sheetsim.summary.table import Column, Table
from sheetsim.summary.variance import SENTENCES

if TYPE_CHECKING:
    import pandas as pd

NONE = matrix(float("nan"))

# A layer and one of its statistics.
Label = tuple[int, str]

CHECKPOINTS = 50

COLUMNS = {
    "replicates": "replicates that have the statistic (a ratio of zeros has no value)",
    "mean": "mean over replicates",
    "sd": "standard deviation over replicates (n − 1)",
    "se": "standard error of the mean: sd / √n",
    "half": "half-width of Student's interval for the mean",
    "low": "lower end of Student's interval for the mean",
    "high": "its upper end",
    "p05": "5 % percentile over replicates",
    "p50": "median over replicates",
    "p95": "95 % percentile over replicates",
    "theory": "mean-field value, for layers of infinite width",
    "z": "(mean − theory) / se",
    "needed": "replicates needed for an interval of ± the wished precision of the mean",
}


def interval_table(
    results: Matrix,
    labels: Sequence[Label],
    theory: Mapping[Label, float],
    confidence: Matrix,
    precision: Matrix,
) -> Table:
    """A row a label; column k + 2 of the results has label k (the first is the seed).

    theory: by label, where there is one; confidence: of the intervals; precision: half-width over mean that `needed`
    is for, both 1×1.
    """
    rows = []
    for number, label in enumerate(labels, start=2):
        own = column(results, number)
        n, center, sd = _moments(own, results, number)
        se = sd / sqrt(n)
        half = t_quantile(1 - confidence, n - 1) * se
        known = Matrix(Data(np.array([[theory[label]]])), (), (1, 1)) if label in theory else NONE
        rows.append(
            {
                "replicates": n,
                "mean": center,
                "sd": sd,
                "se": se,
                "half": half,
                "low": center - half,
                "high": center + half,
                "p05": quantile(own, 0.05),
                "p50": quantile(own, 0.5),
                "p95": quantile(own, 0.95),
                "theory": known,
                "z": where(se > 0, (center - known) / se, NONE) if label in theory else NONE,
                "needed": _needed(sd / (precision * absolute(center)), 1 - confidence),
            }
        )
    kinds = {"replicates": "count"}
    return Table(
        "statistics",
        "label",
        [f"{statistic} {layer}" for layer, statistic in labels],
        tuple(
            Column(name, what, tuple(row[name] for row in rows), kinds.get(name, "number"))
            for name, what in COLUMNS.items()
        ),
    )


def interval_arrays(x: Any, confidence: float) -> dict[str, Any]:
    """Columns of `interval_table` for all numbers at once: x has replicates along its first axis, results the others.

    `replicates`, `mean`, `sd`, `se`, `low` and `high`, over the replicates that have a finite number; NaN without one,
    and without two for all but the mean.
    """
    from scipy.special import stdtrit

    known = np.isfinite(x)
    n = known.sum(axis=0)
    # Powers of two change no digit, and keep squares of very large and very small numbers in range.
    scale = np.exp2(np.frexp(np.where(known, np.abs(x), 0).max(axis=0))[1].clip(-1021, 1023))
    with np.errstate(all="ignore"):
        shares = np.where(known, x / scale, 0)
        center = shares.sum(axis=0) / n
        squares = np.where(known, shares - center, 0) ** 2
        sd = np.sqrt(squares.sum(axis=0) / np.where(n > 1, n - 1, np.nan))
        se = sd / np.sqrt(n)
        half = stdtrit(np.maximum(n - 1, 1), (1 + confidence) / 2) * se
        found = {"mean": center, "sd": sd, "se": se, "low": center - half, "high": center + half}
        return {"replicates": n, **{name: numbers * scale for name, numbers in found.items()}}


def _needed(ratio: Matrix, tails: Matrix) -> Matrix:
    """The n for which t(n - 1) · ratio is √n, ratio being the standard deviation over the wished half-width.

    t² is near z² (1 + (z² + 1) / 2n), from the first term of its expansion about the normal quantile z.
    """
    z = normal_quantile(1 - tails / 2)
    return ceiling((z * ratio) ** 2 + (z**2 + 1) / 2)


def _moments(own: Matrix, results: Matrix, number: int) -> tuple[Matrix, Matrix, Matrix]:
    """Number, mean and standard deviation of a column; where replicates lack the statistic, of the others."""
    assert isinstance(results.source, Data)
    if np.isfinite(results.source.values[:, number - 1]).all():
        return row_count(results) + 0, mean(own), sample_std(own)
    n = total(if_error(own * 0 + 1, 0))
    center = total(if_error(own, 0)) / n
    return n, center, sqrt(total(if_error((own - center) ** 2, 0)) / (n - 1))


@dataclass(frozen=True)
class Reading:
    """A claim over replicates at every layer: the ratio of two means, its interval, and whether the claim holds.

    off: ratio / expected − 1. A ratio of means and not a mean of ratios, which is biased by the denominators' spread;
    its standard error by the delta method (Cochran 1977, §2.11).
    """

    sentence: str
    expected: float
    ratio: tuple[Matrix, ...]
    low: tuple[Matrix, ...]
    high: tuple[Matrix, ...]
    off: tuple[Matrix, ...]
    verdict: tuple[Matrix, ...]

    def cells(self) -> tuple[tuple[Matrix, ...], ...]:
        """All its cells, a tuple a row."""
        return self.ratio, self.low, self.high, self.off, self.verdict


# Each claim of `variance.py` as a ratio of two statistics.
RATIOS = {
    "additivity": ("within", "additive"),
    "moment_rule": ("pooled", "moment"),
    "relu_halves_variance": ("var", "pooled"),
    "relu_halves_second_moment": ("second_moment", "second_moment_a"),
}


def readings(
    results: Matrix, labels: Sequence[Label], layers: int, relu: bool, confidence: Matrix, tolerance: Matrix
) -> list[Reading]:
    """The claims of the explanation by additivity of variance; those on ReLU only with relu.

    tolerance: relative, 1×1. A claim does not hold where its interval lies wholly further than that from the expected
    ratio, and holds where it lies wholly within and has the ratio in it (without: nearly); else it is undecided.
    """
    found = []
    for name, (above, below) in RATIOS.items():
        if name.startswith("relu") and not relu:
            continue
        sentence, expected = SENTENCES[name]
        rows = []
        for layer in range(1, layers + 1):
            u, v = (column(results, labels.index((layer, of)) + 2) for of in (above, below))
            ratio = mean(u) / mean(v)
            n = row_count(results)
            half = t_quantile(1 - confidence, n - 1) * sample_std(u - ratio * v) / sqrt(n) / mean(v)
            off = ratio / expected - 1
            band, gap = tolerance * expected, absolute(ratio - expected)
            inside = where(gap <= half, "holds", "nearly")
            verdict = where(gap - half > band, "does not hold", where(gap + half > band, "undecided", inside))
            rows.append((ratio, ratio - half, ratio + half, off, verdict))
        found.append(Reading(sentence, expected, *zip(*rows, strict=True)))
    return found


def reading_frame(found: Sequence[Reading], values: Mapping[Matrix, Any]) -> "pd.DataFrame":
    """A row a claim and layer: expected, ratio, low, high, off, verdict."""
    import pandas as pd

    index = [(claim.sentence, k + 1) for claim in found for k in range(len(claim.ratio))]
    data: dict[str, list[Any]] = {"expected": [claim.expected for claim in found for _ in claim.ratio]}
    for column_name in ("ratio", "low", "high", "off"):
        data[column_name] = [float(values[cell][0, 0]) for claim in found for cell in getattr(claim, column_name)]
    data["verdict"] = [str(values[cell][0, 0]) for claim in found for cell in claim.verdict]
    return pd.DataFrame(data, index=pd.MultiIndex.from_tuples(index, names=("claim", "layer")))


@dataclass(frozen=True)
class Convergence:
    """How a statistic's mean settled: at each checkpoint (a number of replicates) its mean and the interval's ends.

    checkpoints: column; by layer number: columns as long.
    """

    statistic: str
    checkpoints: Matrix
    mean: Mapping[int, Matrix]
    low: Mapping[int, Matrix]
    high: Mapping[int, Matrix]


def convergence(
    graph: Graph, results: Matrix, labels: Sequence[Label], statistic: str, layers: Sequence[int], confidence: float
) -> Convergence:
    """Names `checkpoint`, `t_checkpoint`, `replicate` and, by layer, `running_l`, `running_low_l`, `running_high_l`."""
    from scipy.special import stdtrit

    count = results.shape[0]
    numbers = np.unique(np.linspace(min(5, count), count, min(CHECKPOINTS, count)).astype(int)).astype(float)
    at = graph.input("checkpoint", numbers.reshape(-1, 1))
    # Numbers and not formulas: they depend on the checkpoints alone, and IronCalc knows TINV of no block.
    t = graph.input("t_checkpoint", stdtrit(np.maximum(numbers - 1, 1), (1 + confidence) / 2).reshape(-1, 1))
    number = graph.input("replicate", np.arange(1.0, count + 1).reshape(-1, 1))
    running, low, high = {}, {}, {}
    for layer in layers:
        own = column(results, labels.index((layer, statistic)) + 2)
        center = mean(own)
        before = where(at >= number.T, 1, 0)
        running[layer] = graph.define(f"running_{layer}", before @ own / at)
        # Deviations from the mean of all first: Σx² − (Σx)² would lose its digits.
        squares = before @ (own - center) ** 2 - at * (running[layer] - center) ** 2
        half = t * sqrt(where(squares > 0, squares, 0) / (where(at > 1, at - 1, 1) * at))
        low[layer] = graph.define(f"running_low_{layer}", running[layer] - half)
        high[layer] = graph.define(f"running_high_{layer}", running[layer] + half)
    return Convergence(statistic, at, running, low, high)


def widest(so_far: UnitMoments, confidence: float) -> float:
    """The greatest half-width, relative to its mean, of Student's intervals for the means of a row's numbers.

    so_far: the moments of the rows. NaN where a number is missing.
    """
    from scipy.special import stdtrit

    n = so_far.count
    sd = np.sqrt(so_far.variance * n / (n - 1))
    with np.errstate(all="ignore"):
        return float(np.max(stdtrit(n - 1, (1 + confidence) / 2) * sd / np.sqrt(n) / np.abs(so_far.mean)))
