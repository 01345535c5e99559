"""The distributions that a person names: each checked, and with single cells as parameters where the family can."""

import math
import re
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any, overload

import numpy as np

from sheetsim.arguments import number, said
from sheetsim.errors import SheetsimError
from sheetsim.model.cell_families import Cell, CellDistribution, cell_distribution, has_cells, truncated_cells
from sheetsim.model.draws import Distribution, as_distribution, checked_distribution
from sheetsim.model.expr import log
from sheetsim.model.three_point_families import triangular_through

_PERCENTILE = re.compile(r"p(\d{1,2})(?:_(\d+))?\Z")


@overload
def distribution(name: str, /, **parameters: float | Sequence[float]) -> Distribution: ...


@overload
def distribution(name: str, /, **parameters: Any) -> Distribution | CellDistribution: ...


def distribution(name: str, /, **parameters: Any) -> Distribution | CellDistribution:
    """The named distribution, of this package or of scipy.stats, with the parameters that it has there.

    A parameter may be a single cell of a model where the family's quantiles are a formula (CELL_FAMILIES).
    Raises SheetsimError on an unknown name, and on a parameter that is unknown, missing or outside of its domain.
    """
    if has_cells(*parameters.values()):
        return cell_distribution(name, **parameters)
    return checked_distribution(name, parameters)


@overload
def normal(mean: float = ..., std: float = ...) -> Distribution: ...


@overload
def normal(mean: Cell = ..., std: Cell = ...) -> Distribution | CellDistribution: ...


def normal(mean: Cell = 0.0, std: Cell = 1.0) -> Distribution | CellDistribution:
    """The normal distribution with the given mean and standard deviation."""
    return distribution("normal", mean=mean, std=std)


@overload
def uniform(low: float = ..., high: float = ...) -> Distribution: ...


@overload
def uniform(low: Cell = ..., high: Cell = ...) -> Distribution | CellDistribution: ...


def uniform(low: Cell = 0.0, high: Cell = 1.0) -> Distribution | CellDistribution:
    """The uniform distribution on [low, high)."""
    return distribution("uniform", low=low, high=high)


def lognormal(
    mean: Cell | None = None,
    std: Cell | None = None,
    *,
    quantiles: Mapping[float, Cell] | None = None,
    **percentiles: Cell,
) -> Distribution | CellDistribution:
    """The lognormal distribution, by mean (0) and standard deviation (1) of the logarithm, or by two percentiles.

    percentiles: `lognormal(p5=800, p95=3000)`, with decimals after an underscore (`p2_5`); quantiles: the same by
    probability, `lognormal(quantiles={0.05: 800, 0.95: 3000})`. All may be single cells of a model.
    Raises SheetsimError for percentiles beside a mean or std, not two of them, or ones that are not above 0 and rising.
    """
    points = _quantiles("lognormal", quantiles, percentiles)
    if not points:
        return distribution("lognormal", mean=0.0 if mean is None else mean, std=1.0 if std is None else std)
    if mean is not None or std is not None or len(points) != 2:
        raise SheetsimError("lognormal: give mean and std (of the logarithm), or two percentiles such as p5 and p95")
    (p, x), (q, y) = points.items()
    z = NormalDist().inv_cdf(p)
    between = NormalDist().inv_cdf(q) - z
    if not has_cells(x, y):
        _check_rising("lognormal", points)
        if x <= 0:
            raise SheetsimError(f"lognormal: percentiles must be above 0, and one is {x:g}")
    logarithms = [log(one) if has_cells(one) else math.log(one) if one > 0 else math.nan for one in (x, y)]
    spread = (logarithms[1] - logarithms[0]) / between
    return distribution("lognormal", mean=logarithms[0] - z * spread, std=spread)


def triangular(
    low: Cell | None = None,
    mode: Cell | None = None,
    high: Cell | None = None,
    *,
    quantiles: Mapping[float, float] | None = None,
    **percentiles: float,
) -> Distribution | CellDistribution:
    """The triangular distribution from low to high with its peak at mode, each of which percentiles can replace.

    Three numbers in all: `triangular(low, mode, high)`, `triangular(p10=5, mode=7, p90=12)`,
    `triangular(p10=5, p50=8, p90=12)`; percentiles and quantiles as of `lognormal`, which are solved for numerically.
    Raises SheetsimError for another number of them, for ones that do not rise, and where no such distribution has them.
    """
    points = _quantiles("triangular", quantiles, percentiles)
    given = {key: value for key, value in (("low", low), ("mode", mode), ("high", high)) if value is not None}
    if not points:
        return distribution("triangular", **given)
    if len(points) + len(given) != 3:
        raise SheetsimError("triangular: give three in all of low, mode, high and percentiles such as p10 and p90")
    if has_cells(*points.values(), *given.values()):
        raise SheetsimError("triangular: with percentiles, all must be numbers; low, mode and high can be cells")
    _check_rising("triangular", points)
    ends = {key: number(f"triangular: {key}", value) for key, value in given.items()}
    if not all(map(math.isfinite, ends.values())):
        raise SheetsimError("triangular: low, mode and high must be finite numbers")
    solved = triangular_through(ends, points)
    return distribution("triangular", low=solved[0], mode=solved[1], high=solved[2])


def pert(low: Cell, mode: Cell, high: Cell, shape: Cell = 4.0) -> Distribution | CellDistribution:
    """The PERT distribution: a beta from low to high with mean (low + shape · mode + high)/(shape + 2).

    (Malcolm, Roseboom, Clark & Fazar 1959 for the shape 4; Vose 2008 for others.)
    """
    return distribution("pert", low=low, mode=mode, high=high, shape=shape)


def discrete(values: Sequence[Cell], weights: Sequence[Cell] | None = None) -> Distribution | CellDistribution:
    """One of the values, with probabilities in proportion to the weights; equal ones if there are none."""
    return distribution("discrete", values=values, weights=() if weights is None else weights)


def metalog(
    quantiles: Mapping[float, Cell] | None = None,
    *,
    low: Cell | None = None,
    high: Cell | None = None,
    **percentiles: Cell,
) -> Distribution | CellDistribution:
    """The metalog distribution through quantiles by probability (Keelin 2016), with as many terms as there are.

    quantiles: `metalog({0.1: 5, 0.5: 8, 0.9: 14})`, or as percentiles `metalog(p10=5, p50=8, p90=14)`, 2 to 16 of them;
    low, high: bounds that x does not pass, if any.
    Raises SheetsimError for quantiles that do not rise or lie out of the bounds, and where the quantile function
    through them falls somewhere.
    """
    points = _quantiles("metalog", quantiles, percentiles)
    return distribution(
        "metalog",
        probabilities=tuple(points),
        quantiles=tuple(points.values()),
        low=-math.inf if low is None else low,
        high=math.inf if high is None else high,
    )


def truncated(law: Any, low: Cell | None = None, high: Cell | None = None) -> Distribution | CellDistribution:
    """The distribution (one of this package, or frozen of scipy.stats) of those of its numbers from low to high.

    Bounds and parameters may be single cells of a model, of a family that can (TRUNCATED_FAMILIES).
    Raises SheetsimError for what is no distribution, for bounds that do not rise, and where less than 1e-9 of the
    numbers lie between them (in cells 1e-6, or they are error values).
    """
    whole = law if isinstance(law, CellDistribution) else as_distribution(law)
    if whole is not None and (isinstance(whole, CellDistribution) or has_cells(low, high)):
        return truncated_cells(whole, -math.inf if low is None else low, math.inf if high is None else high)
    if whole is None:
        raise SheetsimError(f"truncated takes a distribution, such as normal(), not {said(law)}")
    at_least = -math.inf if low is None else number("truncated: low", low)
    at_most = math.inf if high is None else number("truncated: high", high)
    if (at_least, at_most) == (-math.inf, math.inf):
        raise SheetsimError("truncated needs low, high, or both")
    return checked_distribution(whole.name, dict(whole.parameters), max(whole.low, at_least), min(whole.high, at_most))


def resampled(values: Any) -> Distribution:
    """The empirical distribution of the numbers: each is drawn as often as another, with replacement."""
    try:
        array = np.array(values, dtype=np.float64)
    except Exception:  # an object may answer as it likes when it is asked for numbers
        raise SheetsimError("empirical: the data are no numbers") from None
    if array.size == 0 or not np.isfinite(array).all() or (array.ndim > 1 and max(array.shape) != array.size):
        raise SheetsimError("empirical: the data must be one column of finite numbers")
    return checked_distribution("empirical", {"values": array.ravel().tolist()})


def _quantiles(name: str, quantiles: Any, percentiles: Mapping[str, Any]) -> dict[float, Any]:
    """By rising probability the quantiles, numbers or cells, of a mapping and of keywords such as p5 and p97_5."""
    if quantiles is not None and not isinstance(quantiles, Mapping):
        raise SheetsimError(f"{name}: quantiles must be a mapping of probabilities to numbers, not {said(quantiles)}")
    pairs = [(number(f"{name}: a probability", p), x) for p, x in (quantiles or {}).items()]
    for key, x in percentiles.items():
        match = _PERCENTILE.match(key)
        if match is None:
            raise SheetsimError(f"{name} has no parameter {key!r}; percentiles are named p5, p50 or p97_5")
        # As the decimal number that it is: 5 / 100 and 0.05 are one double.
        pairs.append((float(f"{match[1]}.{match[2] or 0}e-2"), x))
    if not all(0 < p < 1 for p, _ in pairs):
        raise SheetsimError(f"{name}: probabilities must lie between 0 and 1, and percentiles between 0 and 100")
    if len({p for p, _ in pairs}) < len(pairs):
        raise SheetsimError(f"{name}: a percentile is given twice")
    return {
        p: x if has_cells(x) else number(f"{name}: the quantile of {p:g}", x)
        for p, x in sorted(pairs, key=lambda pair: pair[0])
    }


def _check_rising(name: str, points: Mapping[float, float]) -> None:
    xs = np.array(list(points.values()))
    if not np.isfinite(xs).all() or (np.diff(xs) <= 0).any():
        raise SheetsimError(f"{name}: percentiles must be finite and rise with their probabilities")
