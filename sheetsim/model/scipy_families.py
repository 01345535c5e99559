"""SciPy's distributions as families, by the names and parameters that they have in scipy.stats.

SciPy is imported inside the functions: loading it takes longer than a whole run that does without it.
"""

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.model.family import FAILURES, Family, uniforms


@cache
def family_names() -> tuple[str, ...]:
    """The names of SciPy's distributions of single numbers."""
    from scipy import stats

    return tuple(name for name in dir(stats) if _single_number_distribution(name) is not None)


@cache
def family(name: str) -> Family | None:
    """The family `name` of scipy.stats; None where it has none. Raises SheetsimError for one of vectors or matrices."""
    dist = _single_number_distribution(name)
    if dist is None:
        if _is_multivariate(name):
            raise SheetsimError(f"{name} is multivariate: give a univariate distribution and a correlation")
        return None

    def valid(parameters: Mapping[str, float]) -> bool:
        try:
            with np.errstate(all="ignore"):
                return parameters.get("scale", 1.0) > 0 and not np.isnan(dist.support(**_exact(parameters))).any()
        except FAILURES:
            return False

    def moments(**parameters: float) -> tuple[float, float]:
        keys = _exact(parameters)
        try:
            with np.errstate(all="ignore"):
                mean, variance = float(dist.mean(**keys)), float(dist.var(**keys))
        except FAILURES:
            return math.nan, math.nan
        return mean, variance + mean * mean

    return Family(
        lambda g, shape, **parameters: dist.rvs(**_exact(parameters), size=shape, random_state=g),
        lambda z, **parameters: dist.ppf(uniforms(z), **_exact(parameters)),
        moments,
        {**dict.fromkeys(_shapes(dist)), "loc": 0.0, **({"scale": 1.0} if _is_continuous(dist) else {})},
        valid,
        f"the parameters are outside of what scipy.stats.{name} allows",
        in_order=False,
    )


def named(frozen: Any) -> tuple[str, dict[str, Any]]:
    """The name and parameters of a frozen distribution, such as scipy.stats.gamma(2.0), as a template has them.

    SciPy's `uniform` and `bernoulli` have other parameters than ours, and are shown by ours; a bernoulli that is moved
    is a binom of one trial. Raises SheetsimError for anything else of scipy.stats.
    """
    from scipy.stats.distributions import rv_frozen

    if not isinstance(frozen, rv_frozen):
        kind = getattr(frozen, "name", None) or type(frozen).__name__
        raise SheetsimError(f"{kind} is not a frozen distribution of single numbers, such as scipy.stats.gamma(2.0)")
    dist = frozen.dist
    if type(_single_number_distribution(str(dist.name))) is not type(dist):
        raise SheetsimError("the distribution is not one of scipy.stats by name, so a template cannot hold it")
    keys = [*_shapes(dist), "loc", "scale"]
    given = {**dict(zip(keys, frozen.args, strict=False)), **frozen.kwds}
    if any(np.ndim(value) for value in given.values()):
        raise SheetsimError(
            f"{dist.name} has an array as a parameter: give numbers, as all inputs have the same distribution"
        )
    loc = given.get("loc", 0.0)
    if dist.name == "uniform":
        return "uniform", {"low": loc, "high": loc + given.get("scale", 1.0)}
    if dist.name == "bernoulli":
        return ("binom", {"n": 1, "p": given["p"], "loc": loc}) if loc != 0 else ("bernoulli", {"p": given["p"]})
    return str(dist.name), given


def _single_number_distribution(name: str) -> Any:
    """SciPy's distribution of single numbers by that name, or None."""
    from scipy import stats

    dist = getattr(stats, name, None)
    return dist if isinstance(dist, stats.rv_continuous | stats.rv_discrete) else None


def _is_multivariate(name: str) -> bool:
    from scipy import stats

    other = getattr(stats, name, None)
    return hasattr(other, "rvs") and not isinstance(other, type)


def _is_continuous(dist: Any) -> bool:
    from scipy import stats

    return isinstance(dist, stats.rv_continuous)


def _shapes(dist: Any) -> list[str]:
    return [key.strip() for key in (dist.shapes or "").split(",") if key.strip()]


def _exact(parameters: Mapping[str, float]) -> dict[str, float]:
    """Whole numbers as int: NumPy's binomial and hypergeometric take no float."""
    return {
        key: int(value) if float(value).is_integer() and abs(value) < 2**53 else value
        for key, value in parameters.items()
    }
