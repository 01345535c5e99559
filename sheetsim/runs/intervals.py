"""Statistics over replicates: means with intervals, percentiles, theory beside them, and how the mean converged.

They are expressions over the matrix of results (a row per replicate), so that the DataFrame and the live cell have one
definition. Where there is no number (a mean of nothing, a z without spread) there is none: NONE, an empty cell.

The interval of a statistic that is never negative is Student's for the logarithm of the mean, by the delta method:
mean · exp(± t·se/mean). It never reaches below 0, and covers more than Student's where numbers are skewed to the right.
Second moments of deep networks are near log-normal over seeds (Hanin & Rolnick 2018, arXiv:1803.01719): then a few
seeds make the mean, no interval from the others covers it, and the geometric mean is what replicates can tell.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from msgspec import Struct

from sheetsim.engine.moments import UnitMoments
from sheetsim.model.expr import (
    Data,
    Matrix,
    absolute,
    ceiling,
    column,
    equal,
    exp,
    if_error,
    largest,
    log,
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
from sheetsim.runs.observed import Label, Signs
from sheetsim.summary.outputs import wilson
from sheetsim.summary.table import Column, Table
from sheetsim.summary.variance import OF, SENTENCES
from sheetsim.summary.variance import VERDICTS as OF_ONE_RUN
from sheetsim.summary.verdict import Verdict

if TYPE_CHECKING:
    import pandas as pd

NONE = matrix(float("nan"))

CHECKPOINTS = 50

# A statistic is read by its geometric mean where the variance of its logarithm is over this share of ln(replicates).
# The largest of n log-normal numbers makes their sum where the variance is over 2 ln n (the freezing of the random
# energy model, Derrida 1981); at a sixth of that the interval of the mean still covers about 90 %, by
# benchmarks/coverage.py.
SKEWED = 1 / 3

# Replicates that a verdict on a claim needs: of fewer, deviations from a ratio of their own means tell too little.
FEWEST = 10

# Of a bootstrap.
RESAMPLES = 2000

# Numbers that differ by less than this share of themselves differ by rounding.
ROUNDING = 1e-12

COLUMNS = {
    "replicates": "replicates that have the statistic (a ratio of zeros has no value)",
    "mean": "mean over replicates",
    "sd": "standard deviation over replicates (n − 1)",
    "se": "standard error of the mean: sd / √n",
    "half": "Student's t · se",
    "low": "lower end of the mean's interval: mean · exp(−half / mean) of what is never negative, else mean − half",
    "high": "its upper end, with + in place of −; of a share at most 1",
    "p05": "5 % percentile over replicates",
    "p50": "median over replicates",
    "p95": "95 % percentile over replicates",
    "theory": "mean-field value, for layers of infinite width; empty where none holds",
    "z": "(mean − theory) / se; empty if all values are equal, and if read is not the mean",
    "needed": "replicates needed for the wanted precision of the mean; empty as z",
    "log_mean": "mean of the natural logarithm over replicates, for products over layers that are positive in all "
    "replicates",
    "log_sd": "its standard deviation",
    "geometric": "geometric mean, exp(log_mean): near the median over replicates",
    "geometric_low": "lower end of its interval, Student's for the logarithm",
    "geometric_high": "its upper end",
    "read": "which to read: geometric if log_sd² > ln(replicates) / 3, as a few seeds then dominate the mean; median "
    "if that is so for the values above 0, and others are 0",
}


class Facts(NamedTuple):
    """What a column of results is like, by which cells of its row hold a number at all.

    finite: how many are finite numbers, at most 1 where their spread overflows and 0 where their mean does;
    nonzero: whether their mean is not 0; varied: whether they differ by more than rounding; positive: whether all are
    above 0; skewed: whether a few of them make the mean, if they never are below 0.
    """

    finite: int
    nonzero: bool
    varied: bool
    positive: bool
    skewed: bool

    @classmethod
    def of(cls, numbers: Any) -> "Facts":
        """The facts of numbers, of which NaN and infinities are left out."""
        there = numbers[np.isfinite(numbers)]
        with np.errstate(all="ignore"):
            center = there.mean() if len(there) else np.nan
            sd = there.std(ddof=1) if len(there) > 1 else np.nan
        if not np.isfinite(sd):
            return cls(int(np.isfinite(center)), bool(center), False, False, False)
        above = there[there > 0]
        varied = bool(np.ptp(there) > ROUNDING * np.abs(there).max())
        skewed = len(above) > 1 and bool(np.log(above).var(ddof=1) > SKEWED * np.log(len(there)))
        return cls(len(there), bool(center != 0), varied, len(above) == len(there), skewed)


def interval_table(
    results: Matrix,
    labels: Sequence[Label],
    theory: Mapping[Label, float],
    confidence: Matrix,
    precision: Matrix,
    signs: Signs,
) -> Table:
    """A row per label; column k + 2 of the results has label k (the first is the seed).

    theory: by label, where there is one; confidence: of the intervals; precision: half-width over mean that `needed`
    is for, both 1×1; signs: of the statistics.
    """
    assert isinstance(results.source, Data)
    rows = []
    for number, label in enumerate(labels, start=2):
        numbers = results.source.values[:, number - 1]
        facts = Facts.of(numbers)
        whole = facts.finite == len(numbers)
        row = dict.fromkeys(COLUMNS, NONE)
        x, never_below = column(results, number), label[1] in signs.nonnegative
        scaled, share = label[1] in signs.products, label[1] in signs.shares
        skewed = facts.skewed and scaled
        # Placed: a row's formulas refer to the row's own count, also where others are equal.
        n = (row_count(results) + 0 if whole else total(if_error(x * 0 + 1, 0))).placed(None)
        # Of numbers some of which are 0 (networks that died) there is no geometric mean.
        row |= {"replicates": n, "read": matrix("median" if skewed else "mean")}
        if label in theory:
            row["theory"] = Matrix(Data(np.array([[theory[label]]])), (), (1, 1))
        if facts.finite:
            row["mean"] = center = mean(x) if whole else total(if_error(x, 0)) / n
        if whole:
            row |= {"p05": quantile(x, 0.05), "p50": quantile(x, 0.5), "p95": quantile(x, 0.95)}
        if facts.finite > 1:
            # Not STDEV, of which IronCalc sums squares that are not of deviations.
            deviations = (x - center) ** 2
            row["sd"] = sd = sqrt(total(deviations if whole else if_error(deviations, 0)) / (n - 1))
            row["se"] = se = sd / sqrt(n)
            t = t_quantile(1 - confidence, n - 1)
            row["half"] = half = t * se
            row["low"], row["high"] = _ends(center, half, never_below and facts.nonzero, share)
            if facts.nonzero and not skewed:
                row["needed"] = _needed(sd / (precision * absolute(center)), 1 - confidence)
            if facts.varied and not skewed and label in theory:
                row["z"] = (center - row["theory"]) / se
        if facts.varied and facts.positive and scaled:
            row["log_mean"] = middle = mean(log(x)) if whole else total(if_error(log(x), 0)) / n
            squares = (log(x) - middle) ** 2
            row["log_sd"] = spread = sqrt(total(squares if whole else if_error(squares, 0)) / (n - 1))
            reach = t * spread / sqrt(n)
            row["geometric"] = exp(middle)
            row["geometric_low"], row["geometric_high"] = _ends(row["geometric"], row["geometric"] * reach, True, share)
            row["read"] = where(spread**2 > SKEWED * log(n), "geometric", "mean")
        rows.append(row)
    kinds = {"replicates": "count", "read": "text"}
    return Table(
        "statistics",
        "label",
        [f"{statistic} {row}" for row, statistic in labels],
        tuple(
            Column(name, what, tuple(row[name] for row in rows), kinds.get(name, "number"))
            for name, what in COLUMNS.items()
        ),
    )


def _ends(center: Matrix, half: Matrix, logarithmic: bool, share: bool = False) -> tuple[Matrix, Matrix]:
    """The ends of a mean's interval; share: whether it is never above 1."""
    if not logarithmic:
        return center - half, center + half
    relative = half / center
    high = center * exp(relative)
    return center * exp(-relative), where(high < 1, high, 1) if share else high


def interval_arrays(x: Any, confidence: float, nonnegative: Any = False, shares: Any = False) -> dict[str, Any]:
    """Columns of `interval_table` for all numbers at once: x has replicates along its first axis, results the others.

    nonnegative, shares: whether a result never is below 0, and above 1 neither; as the results, or broadcast to them.
    `replicates`, `mean`, `sd`, `se`, `low` and `high`, over the replicates that have a finite number; NaN without one,
    and without two for all but the mean.
    """
    from scipy.special import stdtrit

    is_finite = np.isfinite(x)
    n = is_finite.sum(axis=0)
    # Powers of two change no digit, and keep squares of very large and very small numbers in range.
    scale = np.exp2(np.frexp(np.where(is_finite, np.abs(x), 0).max(axis=0))[1].clip(-1021, 1023))
    with np.errstate(all="ignore"):
        scaled = np.where(is_finite, x / scale, 0)
        center = scaled.sum(axis=0) / n
        squares = np.where(is_finite, scaled - center, 0) ** 2
        sd = np.sqrt(squares.sum(axis=0) / np.where(n > 1, n - 1, np.nan))
        se = sd / np.sqrt(n)
        half = stdtrit(np.maximum(n - 1, 1), (1 + confidence) / 2) * se
        logarithmic = np.logical_and(nonnegative, center > 0)
        low = np.where(logarithmic, center * np.exp(-half / center), center - half)
        high = np.where(logarithmic, center * np.exp(half / center), center + half)
        columns = {"mean": center, "sd": sd, "se": se, "low": low, "high": high}
        columns = {name: numbers * scale for name, numbers in columns.items()}
        columns["high"] = np.where(shares & (columns["high"] > 1), 1.0, columns["high"])
        return {"replicates": n, **columns}


def bootstrap_t(numbers: Any, confidence: float, seed: int, nonnegative: bool = False) -> tuple[float, float]:
    """The ends of a mean's interval by the bootstrap of Student's t (Efron & Tibshirani 1993, §12.5).

    nonnegative: of the logarithm of the mean, as in `interval_table`. It covers more than Student's where numbers are
    skewed, and more than BCa, which is too short for few of them (benchmarks/coverage.py). NaN where numbers are
    missing, or so few or alike that resamples without spread leave no t.
    """
    n = len(numbers)
    if not np.isfinite(numbers).all():
        return np.nan, np.nan
    center = numbers.mean()
    if np.ptp(numbers) <= ROUNDING * np.abs(numbers).max():
        return float(center), float(center)
    rng = np.random.default_rng(seed)
    logarithmic = nonnegative and center > 0
    pieces = []
    with np.errstate(all="ignore"):
        # Piece by piece: resamples of many replicates would not fit into memory.
        for count in np.diff(np.linspace(0, RESAMPLES, 11).astype(int)):
            drawn = np.asarray(numbers)[rng.integers(0, n, (count, n))]
            means, se = drawn.mean(axis=1), drawn.std(axis=1, ddof=1) / np.sqrt(n)
            pieces.append(np.log(means / center) * means / se if logarithmic else (means - center) / se)
        # Of equal numbers t is infinite, and of zeros alone their logarithm.
        t = np.nan_to_num(np.concatenate(pieces), nan=-np.inf if logarithmic else 0.0, posinf=np.inf, neginf=-np.inf)
        reach = np.quantile(t, [(1 + confidence) / 2, (1 - confidence) / 2], method="inverted_cdf")
        shift = -reach * numbers.std(ddof=1) / np.sqrt(n)
        low, high = center * np.exp(shift / center) if logarithmic else center + shift
    return (float(low), float(high)) if np.isfinite(shift).all() else (np.nan, np.nan)


def _needed(ratio: Matrix, tails: Matrix) -> Matrix:
    """The n for which t(n - 1) · ratio is √n, ratio being the standard deviation over the wanted half-width.

    t² is near z² (1 + (z² + 1) / 2n), from the first term of its expansion about the normal quantile z.
    """
    z = normal_quantile(1 - tails / 2)
    return ceiling((z * ratio) ** 2 + (z**2 + 1) / 2)


class Reading(Struct, frozen=True):
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


# The verdict of a claim without a ratio.
NO_VALUE = "no value"
VERDICTS = (*OF_ONE_RUN, Verdict(NO_VALUE, "the divisor is 0 or missing", "neutral"))

# Each claim of `variance.py` as a ratio of two statistics.
RATIOS = {
    "additivity": ("within", "additive"),
    "moment_rule": ("pooled", "moment"),
    "relu_halves_variance": ("var", "pooled"),
    "relu_halves_second_moment": ("second_moment", "second_moment_a"),
}


def readings(
    results: Matrix, labels: Sequence[Label], layers: int, activation: str, confidence: Matrix, tolerance: Matrix
) -> list[Reading]:
    """The claims of the explanation by additivity of variance; those on ReLU only with relu.

    tolerance: relative, 1×1. A claim does not hold where its interval, with the confidence for all layers together
    (Bonferroni), lies wholly further than that from the expected ratio, and holds where it lies wholly within and has
    the ratio in it (without: nearly); else it is undecided. So it is of fewer than FEWEST replicates, and where the
    divisor is skewed: a few seeds then make both means, and their ratio looks far more certain than it is. Where the
    divisor is 0 or missing the verdict is NO_VALUE.
    """
    assert isinstance(results.source, Data)
    claims = []
    for name, (above, below) in RATIOS.items():
        if OF.get(name, activation) != activation:
            continue
        sentence, expected = SENTENCES[name]
        rows = []
        for layer in range(1, layers + 1):
            places = [labels.index((layer, of)) + 1 for of in (above, below)]
            facts = [Facts.of(results.source.values[:, place]) for place in places]
            if not facts[1].nonzero or min(of_statistic.finite for of_statistic in facts) < results.shape[0]:
                rows.append((NONE, NONE, NONE, NONE, matrix(NO_VALUE)))
                continue
            u, v = (column(results, place + 1) for place in places)
            ratio = mean(u) / mean(v)
            n = row_count(results)
            se = sample_std(u - ratio * v) / sqrt(n) / mean(v)
            low, high = _ends(ratio, t_quantile(1 - confidence, n - 1) * se, facts[0].nonzero)
            # The verdict's interval is for all layers together: how far at least, and at most, the ratio is from what
            # is expected.
            least, most = _ends(ratio, t_quantile((1 - confidence) / layers, n - 1) * se, facts[0].nonzero)
            over, under = most / expected - 1, 1 - least / expected
            furthest, nearest = largest(over, under), largest(-over, -under)
            verdict = where(
                nearest > tolerance,
                "does not hold",
                where(furthest > tolerance, "undecided", where(nearest <= 0, "holds", "nearly")),
            )
            if facts[1].positive:
                skewed = total((log(v) - mean(log(v))) ** 2) / (n - 1) > SKEWED * log(n)
                verdict = where(skewed, "undecided", verdict)
            rows.append((ratio, low, high, ratio / expected - 1, where(n < FEWEST, "undecided", verdict)))
        claims.append(Reading(sentence, expected, *zip(*rows, strict=True)))
    return claims


def reading_frame(claims: Sequence[Reading], values: Mapping[Matrix, Any]) -> "pd.DataFrame":
    """A row per claim and layer: expected, ratio, low, high, off, verdict."""
    import pandas as pd

    index = [(claim.sentence, k + 1) for claim in claims for k in range(len(claim.ratio))]
    data: dict[str, list[Any]] = {"expected": [claim.expected for claim in claims for _ in claim.ratio]}
    for column_name in ("ratio", "low", "high", "off"):
        data[column_name] = [float(values[cell][0, 0]) for claim in claims for cell in getattr(claim, column_name)]
    data["verdict"] = [str(values[cell][0, 0]) for claim in claims for cell in claim.verdict]
    return pd.DataFrame(data, index=pd.MultiIndex.from_tuples(index, names=("claim", "layer")))


class Convergence(Struct, frozen=True):
    """How means settled: at each checkpoint (a number of replicates) the mean of each label and its interval's ends.

    checkpoints: column; by label: columns as long.
    """

    checkpoints: Matrix
    mean: Mapping[Label, Matrix]
    low: Mapping[Label, Matrix]
    high: Mapping[Label, Matrix]


def convergence(
    graph: Graph, results: Matrix, places: Mapping[Label, int], confidence: float, signs: Signs
) -> Convergence:
    """Names `checkpoint`, `t_checkpoint`, `replicate` and `running_k`, `running_low_k`, `running_high_k`, k from 1.

    places: by label its column in the results, from 1.
    """
    from scipy.special import stdtrit

    count = results.shape[0]
    numbers = np.unique(np.linspace(min(5, count), count, min(CHECKPOINTS, count)).astype(int)).astype(float)
    at = graph.input("checkpoint", numbers.reshape(-1, 1))
    # Numbers and not formulas: they depend on the checkpoints alone, and IronCalc knows TINV of no block.
    t = graph.input("t_checkpoint", stdtrit(np.maximum(numbers - 1, 1), (1 + confidence) / 2).reshape(-1, 1))
    number = graph.input("replicate", np.arange(1.0, count + 1).reshape(-1, 1))
    running, low, high = {}, {}, {}
    for k, (label, place) in enumerate(places.items(), start=1):
        results_of = column(results, place)
        center = mean(results_of)
        before = where(at >= number.T, 1, 0)
        running[label] = graph.define(f"running_{k}", before @ results_of / at)
        # Deviations from the mean of all first: Σx² − (Σx)² would lose its digits.
        squares = before @ (results_of - center) ** 2 - at * (running[label] - center) ** 2
        half = t * sqrt(where(squares > 0, squares, 0) / (where(at > 1, at - 1, 1) * at))
        below, above = running[label] - half, running[label] + half
        if label[1] in signs.nonnegative:
            share = half / where(running[label] > 0, running[label], 1)
            below, above = running[label] * exp(-share), running[label] * exp(share)
        low[label] = graph.define(f"running_low_{k}", below)
        high[label] = graph.define(f"running_high_{k}", above)
    return Convergence(at, running, low, high)


FREQUENCY_COLUMNS = {
    "count": "replicates in which it is said",
    "replicates": "all replicates",
    "share": "their share",
    "low": "lower end of the share's interval (Wilson 1927)",
    "high": "its upper end",
}


def frequency_table(
    codes: Matrix, said: Sequence[tuple[Label, str, int]], columns: Sequence[int], confidence: Matrix
) -> Table:
    """How often each word was said, a row per label and word: count, replicates, share and Wilson's interval of it.

    codes: replicates × labels, the words by number; said: label, word and its number, with the label's column of the
    codes in `columns`; confidence: 1×1.
    """
    rows: list[tuple[Matrix, ...]] = []
    for (_, _, code), place in zip(said, columns, strict=True):
        n = (row_count(codes) + 0).placed(None)
        count = total(equal(column(codes, place), code)).placed(None)
        p = (count / n).placed(None)
        rows.append((count, n, p, *wilson(p, n, confidence)))
    kinds = {"count": "count", "replicates": "count"}
    return Table(
        "verdicts",
        "label",
        [f"{row} {name}: {word}" for (row, name), word, _ in said],
        tuple(
            Column(name, what, tuple(row[k] for row in rows), kinds.get(name, "share"))
            for k, (name, what) in enumerate(FREQUENCY_COLUMNS.items())
        ),
    )


def widest(so_far: UnitMoments, confidence: float) -> float:
    """The largest half-width, relative to its mean, of Student's intervals for the means of a row's numbers.

    so_far: the moments of the rows. NaN where a number is missing.
    """
    from scipy.special import stdtrit

    n = so_far.count
    sd = np.sqrt(so_far.variance * n / (n - 1))
    with np.errstate(all="ignore"):
        return float(np.max(stdtrit(n - 1, (1 + confidence) / 2) * sd / np.sqrt(n) / np.abs(so_far.mean)))
