"""How the norm of a gradient grows by step back: measured, beside what the weights' spectrum predicts, and in words."""

from collections.abc import Mapping
from itertools import pairwise

from msgspec import Struct

from sheetsim.model.expr import Matrix, absolute, if_error, maximum, mean, sqrt, total, where
from sheetsim.model.graph import Graph
from sheetsim.model.series import Series
from sheetsim.summary.table import Column, Table
from sheetsim.summary.verdict import Verdict

# Where the verdicts draw their lines. They are conventions of this program, stated beside the verdicts.
GROWING = 1.05
SHRINKING = 0.95
NEAR = 0.05
WEAK = 0.2
STRONG = 5.0

VERDICTS = (
    Verdict(
        "exploding",
        f"the norm grows by over {GROWING - 1:.0%} a step, {STRONG:g}-fold over the last half, or {STRONG:g}-fold in "
        "all and as fast in the last half as before; or it overflows",
        "bad",
    ),
    Verdict(
        "vanishing",
        f"it shrinks by over {1 - SHRINKING:.0%} a step, to under {WEAK:g} over the last half, or to under {WEAK:g} in "
        "all and as fast in the last half as before",
        "warning",
    ),
    Verdict("steady", f"neither, and the last norm is {WEAK:g} to {STRONG:g} times the first", "good"),
    Verdict(
        "levelled off",
        "neither, but the last norm is less or more than that: most of what changed it lies in the first half",
        "warning",
    ),
)
DECIDES = (
    Verdict("spectral radius", f"the growth a step lies within {NEAR:.0%} of ρ, and nearer to it than to σ", "neutral"),
    Verdict("largest singular value", f"it lies within {NEAR:.0%} of σ, and nearer to it than to ρ", "neutral"),
    Verdict("both", f"both lie within {NEAR:.0%} of it and differ by less than that", "neutral"),
    Verdict(
        "neither alone", "it lies near neither of the two: the slopes f′ count too, or the steps are few", "neutral"
    ),
)
KINDS = ("unclipped", "clipped")

COLUMNS = {
    "first": "norm after the first step back",
    "last": "norm after the last step back",
    "ratio": "last over first",
    "growth": "growth per step: geometric mean over the second half of the steps; the verdict uses it",
    "largest_growth": "the largest growth in a single step",
    "second_half": "growth over the whole second half of the steps",
}
NORMS = {
    "norm": "√Σd² of the whole gradient over the divisor, N samples (mean) or 1 (l2)",
    "norm_before": "norm of the clipped gradient, before this step's clipping",
    "rate": "max_norm/(norm_before + 1e-6), by which the gradient is multiplied when it is below 1",
    "norm_clipped": "the norm of the clipped gradient: with “each step” it is handed on to the next step back",
    "growth": "norm over that of the step before",
    "growth_clipped": "norm_clipped over that of the step before",
    "slope": "mean of f′(a) over samples and units at this step",
}


class Growth(Struct, frozen=True):
    """What is said of the norms.

    radius, sigma: of the weights, 1×1; slope: the mean of f′ over all steps; clipped_steps: how many were clipped;
    decides: which of the two the growth follows, a text of DECIDES; table: a row for the whole gradient and one for
    the clipped; norms: a row per step; verdicts: a text of VERDICTS a row of `table`.
    """

    radius: Matrix
    sigma: Matrix
    slope: Matrix
    clipped_steps: Matrix
    decides: Matrix
    table: Table
    norms: Table
    verdicts: tuple[Matrix, ...]


def growth_of(
    graph: Graph, series: Mapping[str, Series], first: Matrix, slopes: Series, radius: Matrix, sigma: Matrix
) -> Growth:
    """From the series `norm`, `rate` and `norm_clipped`, the norm at the start, slopes and the weights' spectrum.

    The growth a step is the geometric mean over the second half of the steps, in which the swings of complex and of
    opposite eigenvalues even out. In the long run it tends to ρ where f′ is 1, as ‖d (Wᵀ)ᵏ‖^(1/k) does, while no single
    step exceeds σ (Pascanu, Mikolov & Bengio 2013, §2.1, arXiv:1211.5063).
    Names `spectral_radius`, `largest_singular_value`, `growth`, `growth_clipped`, `mean_slope`, `clipped_steps`,
    `decides` and `verdict_…` of each row.
    """
    rho = graph.define("spectral_radius", radius + 0, what="ρ: the largest magnitude of W's eigenvalues")
    top = graph.define("largest_singular_value", sigma, what="σ: the square root of the spectral radius of WᵀW")
    made, rows = {}, []
    for norms, name in ((series["norm"], "growth"), (series["norm_clipped"], "growth_clipped")):
        by_step = [ratio(now, before) for before, now in pairwise((first, *norms))]
        made[name] = graph.stacked(name, by_step, (name,), first=1, what=NORMS[name])
        half = len(norms) // 2
        later = ratio(norms[-1], norms[half] if half else first)
        a_step = later ** (1 / (len(norms) - half))
        rows.append((norms[1] + 0, norms[-1] + 0, ratio(norms[-1], norms[1]), a_step, maximum(made[name]), later))
    columns = tuple(map(_column, COLUMNS.items(), zip(*rows, strict=True)))
    table = Table("growth", "gradient", KINDS, columns, "Growth", "how the gradients grow by step")
    growths = table["growth"]
    return Growth(
        rho,
        top,
        graph.define("mean_slope", mean(slopes), what="the mean of slope over the steps"),
        graph.define("clipped_steps", total(series["rate"] < 1), what="how many steps have a rate below 1"),
        graph.define(
            "decides",
            decided(growths[0], rho, top),
            what="which of the two the growth of the whole gradient follows",
        ),
        table,
        _norms(series, made, slopes, rho, top),
        tuple(
            graph.define(f"verdict_{kind}", growth_verdict(*cells), what="what becomes of the gradient")
            for kind, *cells in zip(KINDS, growths, table["second_half"], table["ratio"], strict=True)
        ),
    )


def ratio(now: Matrix, before: Matrix) -> Matrix:
    """now / before, and 0 where both are; an error where there is one in `now`, as where it overflowed."""
    return if_error(now / before, 0) + 0 * now


def _column(named: tuple[str, str], cells: tuple[Matrix, ...]) -> Column:
    return Column(*named, cells, "size")


def _norms(
    series: Mapping[str, Series], growths: Mapping[str, Series], slopes: Series, rho: Matrix, sigma: Matrix
) -> Table:
    by_name = {**series, **growths, "slope": slopes}
    columns = [Column(name, what, tuple(by_name[name]), "size") for name, what in NORMS.items()]
    for name, letter, value in (("radius", "ρ", rho), ("sigma", "σ", sigma)):
        columns.append(Column(name, f"{letter} of W, beside each step", tuple(value + 0 for _ in slopes), "size"))
    return Table("norms", "step", range(1, len(slopes) + 1), tuple(columns), "Norms", "norms by step")


def growth_verdict(growth: Matrix, later: Matrix, whole: Matrix) -> Matrix:
    """A text of VERDICTS from the growth a step, over the second half of the steps, and from the first to the last."""
    steady = where((whole > WEAK) * (whole < STRONG), "steady", "levelled off")
    # What grows by one rate throughout grows over the last half by the root of the whole, or by a step more.
    even = sqrt(whole)
    exploding = (growth > GROWING) + (later > STRONG) + (whole > STRONG) * (later >= even)
    vanishing = (growth < SHRINKING) + (later < WEAK) + (whole < WEAK) * (later <= even)
    word = where(exploding > 0, "exploding", where(vanishing > 0, "vanishing", steady))
    return where(_is_number(growth), word, "exploding")


def decided(growth: Matrix, rho: Matrix, sigma: Matrix) -> Matrix:
    """A text of DECIDES from the growth a step, ρ and σ."""
    of_rho, of_sigma = absolute(growth - rho), absolute(growth - sigma)
    nearer = where(of_rho <= of_sigma, "spectral radius", "largest singular value")
    near_both = (of_sigma <= NEAR * sigma) * (sigma - rho <= NEAR * rho)
    near_rho = where(near_both, "both", nearer)
    near_sigma = where(of_sigma <= NEAR * sigma, "largest singular value", "neither alone")
    return where(_is_number(growth), where(of_rho <= NEAR * rho, near_rho, near_sigma), "neither alone")


def _is_number(x: Matrix) -> Matrix:
    """Overflow is an error value in the sheet, infinity or NaN here, neither of which compares."""
    return if_error(x * 0 + 1, 0) > 0
