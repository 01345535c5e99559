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
    """A distribution by name, of this package or of scipy.stats, with the parameters that it has there.

    Parameters
    ----------
    name
        "normal", "lognormal", "pert", …, or a continuous distribution of scipy.stats, such as "gamma".
    **parameters
        Its parameters by name. One may be a single cell of a model where the family's quantile function is a formula.

    Raises
    ------
    SheetsimError
        The name is unknown, or a parameter is unknown, missing or outside of its domain.
    """
    if has_cells(*parameters.values()):
        return cell_distribution(name, **parameters)
    return checked_distribution(name, parameters)


@overload
def normal(mean: float = ..., std: float = ...) -> Distribution: ...


@overload
def normal(mean: Cell = ..., std: Cell = ...) -> Distribution | CellDistribution: ...


def normal(mean: Cell = 0.0, std: Cell = 1.0) -> Distribution | CellDistribution:
    """Normal distribution.

    Parameters
    ----------
    mean
        Mean; it may be a single cell of a model.
    std
        Standard deviation, from 0; it may be a single cell of a model.
    """
    return distribution("normal", mean=mean, std=std)


@overload
def uniform(low: float = ..., high: float = ...) -> Distribution: ...


@overload
def uniform(low: Cell = ..., high: Cell = ...) -> Distribution | CellDistribution: ...


def uniform(low: Cell = 0.0, high: Cell = 1.0) -> Distribution | CellDistribution:
    """Uniform distribution on [low, high).

    Parameters
    ----------
    low
        Lower end; it may be a single cell of a model.
    high
        Upper end, likewise.
    """
    return distribution("uniform", low=low, high=high)


def lognormal(
    mean: Cell | None = None,
    std: Cell | None = None,
    *,
    quantiles: Mapping[float, Cell] | None = None,
    **percentiles: Cell,
) -> Distribution | CellDistribution:
    """Lognormal distribution, by parameters of the logarithm or by two percentiles.

    Parameters
    ----------
    mean
        Mean of the natural logarithm, 0 if None.
    std
        Standard deviation of the natural logarithm, 1 if None.
    quantiles
        Two quantiles by probability: `lognormal(quantiles={0.05: 800, 0.95: 3000})`.
    **percentiles
        The same as percentiles: `lognormal(p5=800, p95=3000)`; decimals follow an underscore, as in `p2_5`.

    Raises
    ------
    SheetsimError
        Percentiles beside a mean or std, not two of them, or ones that do not rise or are not above 0.

    Examples
    --------
    >>> import sheetsim
    >>> demand = sheetsim.lognormal(p5=800, p95=3000)
    >>> sheetsim.lognormal(quantiles={0.05: 800, 0.95: 3000}) == demand
    True
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
            raise SheetsimError(f"lognormal: percentiles must be above 0, but one is {x:g}")
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
    """Triangular distribution, by its ends and mode or by percentiles.

    Three numbers in all: `triangular(low, mode, high)`, `triangular(p10=5, mode=7, p90=12)` or
    `triangular(p10=5, p50=8, p90=12)`.

    Parameters
    ----------
    low
        Lower end. Percentiles can replace it, the mode or the upper end; they are solved for numerically.
    mode
        Peak.
    high
        Upper end.
    quantiles
        As of `lognormal`.
    **percentiles
        As of `lognormal`.

    Raises
    ------
    SheetsimError
        Not three numbers, numbers that do not rise, or no triangular distribution has them.
    """
    points = _quantiles("triangular", quantiles, percentiles)
    given = {key: value for key, value in (("low", low), ("mode", mode), ("high", high)) if value is not None}
    if not points:
        return distribution("triangular", **given)
    if len(points) + len(given) != 3:
        raise SheetsimError("triangular: give exactly three of low, mode, high and percentiles such as p10 and p90")
    if has_cells(*points.values(), *given.values()):
        raise SheetsimError("triangular: with percentiles, all must be numbers; low, mode and high can be cells")
    _check_rising("triangular", points)
    ends = {key: number(f"triangular: {key}", value) for key, value in given.items()}
    if not all(map(math.isfinite, ends.values())):
        raise SheetsimError("triangular: low, mode and high must be finite numbers")
    solved = triangular_through(ends, points)
    return distribution("triangular", low=solved[0], mode=solved[1], high=solved[2])


def pert(low: Cell, mode: Cell, high: Cell, shape: Cell = 4.0) -> Distribution | CellDistribution:
    """PERT distribution: a beta distribution from low to high with mean (low + shape · mode + high)/(shape + 2).

    Parameters
    ----------
    low
        Lower end; each of these may be a single cell of a model.
    mode
        Most probable value.
    high
        Upper end.
    shape
        Weight of the mode, 4 by convention.

    References
    ----------
    D. Malcolm, J. Roseboom, C. Clark, W. Fazar, Operations Research 7 (1959) 646–669, for the shape 4; D. Vose, Risk
    Analysis (2008), for others.
    """
    return distribution("pert", low=low, mode=mode, high=high, shape=shape)


def discrete(values: Sequence[Cell], weights: Sequence[Cell] | None = None) -> Distribution | CellDistribution:
    """One of given values.

    Parameters
    ----------
    values
        The values.
    weights
        Probabilities, up to a common factor; equal ones if None.
    """
    return distribution("discrete", values=values, weights=() if weights is None else weights)


def metalog(
    quantiles: Mapping[float, Cell] | None = None,
    *,
    low: Cell | None = None,
    high: Cell | None = None,
    **percentiles: Cell,
) -> Distribution | CellDistribution:
    """Metalog distribution through given quantiles, with as many terms as there are quantiles.

    Parameters
    ----------
    quantiles
        2 to 16 quantiles by probability: `metalog({0.1: 5, 0.5: 8, 0.9: 14})`.
    low, high
        Bounds of the values, if any.
    **percentiles
        The quantiles as percentiles: `metalog(p10=5, p50=8, p90=14)`.

    Raises
    ------
    SheetsimError
        Quantiles do not rise or lie outside of the bounds, or the quantile function through them is not increasing.

    References
    ----------
    T. Keelin, The Metalog Distributions, Decision Analysis 13 (2016) 243–277.
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
    """A distribution conditioned on an interval.

    Parameters
    ----------
    law
        A distribution of this package, or a frozen one of scipy.stats.
    low, high
        Bounds, at least one of them. Bounds and parameters may be single cells of a model, of a family whose quantile
        function is a formula.

    Raises
    ------
    SheetsimError
        `law` is not a distribution, the bounds do not rise, or the interval has a probability below 1e-9 (with cells
        below 1e-6 the numbers are error values).
    """
    whole = law if isinstance(law, CellDistribution) else as_distribution(law)
    if whole is not None and (isinstance(whole, CellDistribution) or has_cells(low, high)):
        return truncated_cells(whole, -math.inf if low is None else low, math.inf if high is None else high)
    if whole is None:
        raise SheetsimError(f"truncated takes a distribution, such as normal(), not {said(law)}")
    at_least = -math.inf if low is None else number("truncated: low", low)
    at_most = math.inf if high is None else number("truncated: high", high)
    if math.isnan(at_least) or math.isnan(at_most):
        raise SheetsimError("truncated: low and high must be numbers, not NaN")
    if (at_least, at_most) == (-math.inf, math.inf):
        raise SheetsimError("truncated needs low, high, or both")
    return checked_distribution(whole.name, dict(whole.parameters), max(whole.low, at_least), min(whole.high, at_most))


def resampled(values: Any) -> Distribution:
    """The empirical distribution of the numbers: each is drawn as often as another, with replacement."""
    try:
        array = np.array(values, dtype=np.float64)
    except Exception:  # an object's own conversion may raise anything
        raise SheetsimError("empirical: the data are not numbers") from None
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
        raise SheetsimError(f"{name}: percentiles must be finite and increase with their probabilities")
