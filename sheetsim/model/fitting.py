"""Families of distributions fitted to data by maximum likelihood, and compared. It reads no file and shows nothing."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from sheetsim.errors import SheetsimError
from sheetsim.model import scipy_families
from sheetsim.model.draws import Distribution, checked_distribution
from sheetsim.model.op import Array

# With fewer numbers, which family is ranked first is chance.
LEAST_DATA = 8

ANY_SIGN = ("normal", "logistic", "laplace", "t", "gumbel_r", "gumbel_l", "uniform")
ABOVE_ZERO = ("lognormal", "gamma", "weibull_min", "expon", "fisk", "invgauss", "pareto", "rayleigh")
BELOW_ONE = ("beta",)


class FittedFamily(Struct, frozen=True):
    """A family at its maximum likelihood.

    free: parameters that were fitted; distance: Kolmogorov and Smirnov's, the largest between the distribution function
    and that of the data.
    """

    distribution: Distribution
    free: int
    log_likelihood: float
    distance: float

    @property
    def aic(self) -> float:
        """Akaike's information criterion, 2 k − 2 ln L (Akaike 1974)."""
        return 2 * self.free - 2 * self.log_likelihood


def suited_families(data: Array) -> tuple[str, ...]:
    """The families that are fitted where none are named: common ones that give numbers of the data's sign."""
    positive = ABOVE_ZERO if data.min() > 0 else ()
    return (*ANY_SIGN, *positive, *(BELOW_ONE if positive and data.max() < 1 else ()))


def fitted_families(data: Array, families: Sequence[str]) -> tuple[list[FittedFamily], dict[str, str]]:
    """The families fitted to the data (1-D), least AIC first; and by name why some could not be.

    normal, lognormal and uniform in closed form, others by the `fit` of scipy.stats. Where the data are above 0, a
    family that begins at 0 (or at its scale, as pareto does) keeps its location 0, and beta its scale 1 where they are
    below 1: with a free beginning the likelihood may grow without bound.
    Raises SheetsimError for fewer data than 8, data that are all the same, and a name that is no continuous family.
    """
    if data.size < LEAST_DATA:
        raise SheetsimError(f"fit needs at least {LEAST_DATA} numbers, not {data.size}")
    if data.min() == data.max():
        raise SheetsimError(f"fit needs numbers that differ, but all {data.size:,} are {data[0]:g}")
    laws = {name: _law(name) for name in dict.fromkeys(families)}
    ranked: list[FittedFamily] = []
    left_out: dict[str, str] = {}
    ordered = np.sort(data)
    for name, law in laws.items():
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                ranked.append(_fitted(name, law, ordered))
        except SheetsimError as error:
            left_out[name] = str(error)
        except Exception as error:  # an optimizer and a density may raise whatever they like on data of another kind
            left_out[name] = " ".join(str(error).split())[:200] or type(error).__name__
    return sorted(ranked, key=lambda one: one.aic), left_out


def _law(name: str) -> Any:
    """The family of scipy.stats."""
    from scipy import stats

    if name in _CLOSED:
        return None
    dist = getattr(stats, name, None) if scipy_families.family(name) is not None else None
    if not isinstance(dist, stats.rv_continuous):
        raise SheetsimError(
            f"fit: {name[:40]!r} is not a continuous distribution: normal, lognormal, uniform or one of scipy.stats"
        )
    return dist


def _fitted(name: str, dist: Any, data: Array) -> FittedFamily:
    """data: rising."""
    if dist is None:
        parameters, free, frozen = _CLOSED[name](data)
    else:
        fixed = _fixed(dist, data)
        greatest = tuple(map(float, dist.fit(data, **fixed)))
        shapes = [key.strip() for key in (dist.shapes or "").split(",") if key.strip()]
        parameters = dict(zip([*shapes, "loc", "scale"], greatest, strict=True))
        free, frozen = len(greatest) - len(fixed), dist(*greatest)
    likelihood = float(np.sum(frozen.logpdf(data)))
    if not math.isfinite(likelihood):
        raise SheetsimError("data lie outside of its support")
    probabilities = frozen.cdf(data)
    steps = np.arange(data.size + 1) / data.size
    distance = max((steps[1:] - probabilities).max(), (probabilities - steps[:-1]).max())
    return FittedFamily(checked_distribution(name, parameters), free, likelihood, float(distance))


def _fixed(dist: Any, data: Array) -> dict[str, float]:
    if not (dist.a >= 0 and math.isfinite(dist.a) and data[0] > 0):
        return {}
    return {"floc": 0.0, "fscale": 1.0} if dist.b == 1 and data[-1] < 1 else {"floc": 0.0}


def _normal(data: Array) -> tuple[dict[str, float], int, Any]:
    from scipy import stats

    mean, std = float(data.mean()), float(data.std())
    return {"mean": mean, "std": std}, 2, stats.norm(mean, std)


def _lognormal(data: Array) -> tuple[dict[str, float], int, Any]:
    from scipy import stats

    if data[0] <= 0:
        raise SheetsimError("data are not all above 0")
    logarithms = np.log(data)
    mean, std = float(logarithms.mean()), float(logarithms.std())
    return {"mean": mean, "std": std}, 2, stats.lognorm(std, scale=math.exp(mean))


def _uniform(data: Array) -> tuple[dict[str, float], int, Any]:
    from scipy import stats

    low, high = float(data[0]), float(data[-1])
    return {"low": low, "high": high}, 2, stats.uniform(low, high - low)


# By family, of rising data: the parameters of maximum likelihood, how many, and the same of scipy.stats.
_CLOSED = {"normal": _normal, "lognormal": _lognormal, "uniform": _uniform}
