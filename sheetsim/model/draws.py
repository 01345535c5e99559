"""Random draws: distributions by name, and one stream of numbers a matrix. It knows no expression."""

import difflib
import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sheetsim.arguments import said, text, whole
from sheetsim.errors import SheetsimError
from sheetsim.model import scipy_families
from sheetsim.model.families import BUILT_IN, FAILURES, Family
from sheetsim.model.op import Array, Shape

# Where a model's draws come from: of each matrix's own stream, or of one run of NumPy's legacy generator.
GENERATORS = ("pcg64", "mt19937")

# What seeds the legacy generator has.
LEGACY_SEEDS = 2**32

# Numbers of the legacy generator that are passed over at once.
PASSED_OVER = 1_000_000

Generator: TypeAlias = np.random.Generator | np.random.RandomState


@dataclass(frozen=True)
class Distribution:
    """A distribution of single numbers: one of BUILT_IN or of scipy.stats; `parameters` are all that its family has."""

    name: str
    parameters: tuple[tuple[str, float], ...] = ()

    @property
    def family(self) -> Family:
        return _family(self.name)

    @property
    def mean(self) -> float:
        """E[x]: infinite where it diverges, NaN where there is none or SciPy knows none."""
        return self.family.moments(**dict(self.parameters))[0]

    @property
    def second_moment(self) -> float:
        """E[x²]: infinite where it diverges, NaN where SciPy knows none."""
        return self.family.moments(**dict(self.parameters))[1]

    def sample(self, generator: Generator, shape: Shape) -> Array:
        """Independent numbers of the given shape (rows × columns), float64. Raises SheetsimError when that fails."""
        return self._numbers(self.family.draw, generator, shape)

    def from_normal(self, z: Array) -> Array:
        """The quantiles of Φ(z) for standard normal scores z, in their shape. Raises SheetsimError when that fails."""
        return self._numbers(self.family.from_normal, z)

    def _numbers(self, function: Callable[..., NDArray[Any]], *arguments: Any) -> Array:
        try:
            with np.errstate(all="ignore"):
                return np.asarray(function(*arguments, **dict(self.parameters)), dtype=float)
        except FAILURES as error:
            raise SheetsimError(f"{self} cannot be drawn: {str(error).partition(chr(10))[0]}") from None

    def __str__(self) -> str:
        shown = ", ".join(f"{key} {value:g}" for key, value in self.parameters)
        return f"{self.name}({shown})"


def distribution(name: str, /, **parameters: float) -> Distribution:
    """The named distribution, of BUILT_IN or of scipy.stats, with the parameters that it has there, defaults filled in.

    Raises SheetsimError on an unknown name, and on a parameter that is unknown, missing or outside of its domain.
    """
    family = _family(text("the name of a distribution", name))
    allowed = ", ".join(family.defaults) or "none"
    unknown = sorted(set(parameters) - set(family.defaults))
    if unknown:
        raise SheetsimError(f"{name} has no parameter {unknown[0]!r} (its parameters: {allowed})")
    full = {}
    for key, default in family.defaults.items():
        value = parameters.get(key, default)
        if value is None:
            raise SheetsimError(f"{name} needs the parameter {key!r} (its parameters: {allowed})")
        try:
            full[key] = float(value)
        except Exception:  # what an object answers when it is asked for a number is its own
            raise SheetsimError(f"{name}: {key} must be a finite number") from None
    if not all(np.isfinite(value) for value in full.values()) or not family.valid(full):
        raise SheetsimError(f"{name}: {family.rule or 'parameters must be finite numbers'}")
    return Distribution(name, tuple(full.items()))


def as_distribution(value: Any) -> Distribution | None:
    """A Distribution as it is, a frozen one of scipy.stats by its name and parameters, None for anything else.

    Raises SheetsimError for what scipy.stats has and a name with numbers cannot say.
    """
    if isinstance(value, Distribution):
        return value
    # Asked by name: what is SciPy's can only be here when SciPy is loaded, and need not be loaded to ask.
    if not type(value).__module__.startswith("scipy.stats"):
        return None
    name, parameters = scipy_families.named(value)
    return distribution(name, **parameters)


def normal(mean: float = 0.0, std: float = 1.0) -> Distribution:
    """The normal distribution with the given mean and standard deviation."""
    return distribution("normal", mean=mean, std=std)


def uniform(low: float = 0.0, high: float = 1.0) -> Distribution:
    """The uniform distribution on [low, high)."""
    return distribution("uniform", low=low, high=high)


def stream(seed: int, name: str) -> np.random.Generator:
    """The generator of the matrix `name` in the run `seed`.

    The name, not the order of creation, picks the stream, so that adding a matrix leaves the other draws alone and
    scenarios that share a seed share their draws (common random numbers).
    """
    digest = hashlib.blake2s(name.encode()).digest()[:16]
    words = tuple(int.from_bytes(digest[k : k + 4], "little") for k in range(0, 16, 4))
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy=seed, spawn_key=words)))


def check_seed(seed: int, draws: str = "pcg64") -> None:
    """Raises SheetsimError for a generator that there is not, and for a seed that it does not have."""
    if not isinstance(draws, str) or draws not in GENERATORS:
        raise SheetsimError(f"draws must be {' or '.join(GENERATORS)}, not {said(draws)}")
    whole("seed", seed)
    if draws == "mt19937" and seed >= LEGACY_SEEDS:
        raise SheetsimError(f"seed must be at most {LEGACY_SEEDS - 1} with draws mt19937, not {seed}")


def legacy_stream(seed: int, before: int) -> np.random.RandomState:
    """NumPy's legacy generator (Mersenne Twister 19937, polar method) after so many standard normal numbers.

    It keeps the second number of each pair that it makes: randn(a) and then randn(b) are randn(a + b) cut in two.
    """
    check_seed(seed, "mt19937")
    generator = np.random.RandomState(seed)
    for passed in itertools.chain([PASSED_OVER] * (before // PASSED_OVER), [before % PASSED_OVER]):
        generator.standard_normal(passed)
    return generator


def _family(name: str) -> Family:
    family = BUILT_IN.get(name) or scipy_families.family(name)
    if family is None:
        close = difflib.get_close_matches(name, [*BUILT_IN, *scipy_families.family_names()], n=1)
        meant = f" (did you mean {close[0]!r}?)" if close else ""
        raise SheetsimError(
            f"unknown distribution {name!r}: choose one of {', '.join(BUILT_IN)} or of scipy.stats{meant}"
        )
    return family
