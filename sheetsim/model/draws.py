"""Random draws: distributions by name, and one stream of numbers a matrix. It knows no expression."""

import difflib
import hashlib
import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sheetsim.arguments import listed, number, said, text, whole
from sheetsim.errors import SheetsimError
from sheetsim.model import scipy_families
from sheetsim.model.families import BUILT_IN
from sheetsim.model.family import FAILURES, Family, Parameter
from sheetsim.model.op import Array, Shape
from sheetsim.model.truncation import check_truncation, truncated_family

# Where a model's draws come from: of each matrix's own stream, of one run of NumPy's legacy generator, or of HDR 2.0,
# which spreadsheets compute too.
GENERATORS = ("pcg64", "mt19937", "hdr")

# Of a study: those of pcg64, with a switch in the workbook that draws others.
LIVE = "live"

# What seeds the legacy generator has.
LEGACY_SEEDS = 2**32

# And what HDR 2.0 takes as two identifiers: all that spreadsheets, which keep 15 digits, show.
HDR_SEEDS = 9 * 10**14

# Numbers of the legacy generator that are passed over at once.
PASSED_OVER = 1_000_000

Generator: TypeAlias = np.random.Generator | np.random.RandomState


# A list of this many numbers is shown in full; of a longer one, its length and ends.
MOST_TOLD = 6


@dataclass(frozen=True)
class Distribution:
    """A distribution of single numbers: one of BUILT_IN or of scipy.stats; `parameters` are all that its family has.

    low, high: where it is truncated: it is the law of those numbers that lie between.
    """

    name: str
    parameters: tuple[tuple[str, Parameter], ...] = ()
    low: float = -math.inf
    high: float = math.inf

    @property
    def family(self) -> Family:
        """The family's functions, of the truncated distribution where there are bounds."""
        return _family(self.name) if (self.low, self.high) == (-math.inf, math.inf) else _truncated(self)

    @property
    def mean(self) -> float:
        """E[x]: infinite where it diverges, NaN where there is none or none is known."""
        return self.family.moments(**dict(self.parameters))[0]

    @property
    def second_moment(self) -> float:
        """E[x²]: infinite where it diverges, NaN where none is known."""
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
        shown = ", ".join(f"{key} {_told(value)}" for key, value in self.parameters if not _is_none(value))
        from_low = "" if self.low == -math.inf else f" from {self.low:g}"
        to_high = "" if self.high == math.inf else f" to {self.high:g}"
        return f"{self.name}({shown}){from_low}{to_high}"


def _is_none(value: Parameter) -> bool:
    """Whether a parameter says that there is no such thing: no bound, no weights."""
    return value == () or (not isinstance(value, tuple) and math.isinf(value))


def _told(value: Parameter) -> str:
    if not isinstance(value, tuple):
        return f"{value:g}"
    if len(value) <= MOST_TOLD:
        return ", ".join(f"{one:g}" for one in value)
    return f"({len(value):,} numbers from {min(value):g} to {max(value):g})"


def checked_distribution(
    name: str, parameters: Mapping[str, Any], low: float = -math.inf, high: float = math.inf
) -> Distribution:
    """The named distribution, of BUILT_IN or of scipy.stats, with the parameters that it has there, defaults filled in.

    low, high: its truncation.
    Raises SheetsimError on an unknown name, on a parameter that is unknown, missing or outside of its domain, and on a
    truncation that leaves nothing.
    """
    family = _family(text("the name of a distribution", name))
    values = {
        key: _list(name, key, value) if key in family.lists else _single(name, key, value)
        for key, value in full_parameters(name, parameters).items()
    }
    for key, value in values.items():
        if not _is_allowed(value, family.defaults[key]):
            raise SheetsimError(
                f"{name}: {key} must be {'finite numbers' if key in family.lists else 'a finite number'}"
            )
    if not family.valid(values):
        raise SheetsimError(f"{name}: {family.rule or 'parameters must be finite numbers'}")
    items = tuple(values.items())
    if (low, high) != (-math.inf, math.inf):
        check_truncation(str(Distribution(name, items)), family, values, low, high)
    return Distribution(name, items, low, high)


def full_parameters(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters in the family's order, defaults filled in. Raises SheetsimError on one unknown or missing."""
    defaults = _family(text("the name of a distribution", name)).defaults
    allowed = ", ".join(defaults) or "none"
    unknown = sorted(set(parameters) - set(defaults))
    if unknown:
        raise SheetsimError(f"{name} has no parameter {unknown[0]!r} (its parameters: {allowed})")
    full = {key: parameters.get(key, default) for key, default in defaults.items()}
    for key, value in full.items():
        if value is None:
            raise SheetsimError(f"{name} needs the parameter {key!r} (its parameters: {allowed})")
    return full


def _single(name: str, key: str, value: Any) -> float:
    try:
        return float(value)
    except Exception:  # what an object answers when it is asked for a number is its own
        raise SheetsimError(f"{name}: {key} must be a finite number") from None


def _list(name: str, key: str, value: Any) -> tuple[float, ...]:
    what = f"{name}: {key}"
    return tuple(number(f"{what}: each", one) for one in listed(what, value, "numbers"))


def _is_allowed(value: Parameter, default: Parameter | None) -> bool:
    return value == default or bool(np.isfinite(value).all())


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
    return checked_distribution(name, parameters)


def stream(seed: int, name: str) -> np.random.Generator:
    """The generator of the matrix `name` in the run `seed`.

    The name, not the order of creation, picks the stream, so that adding a matrix leaves the other draws alone and
    scenarios that share a seed share their draws (common random numbers).
    """
    digest = hashlib.blake2s(name.encode()).digest()[:16]
    words = tuple(int.from_bytes(digest[k : k + 4], "little") for k in range(0, 16, 4))
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy=seed, spawn_key=words)))


def child_seed(seed: int, replicate: int, draws: str = "pcg64") -> int:
    """The seed of a replicate, from 0: `sheetsim run` with it gives the replicate as a workbook.

    49 bits, under 15 digits: spreadsheet programs show, and LibreOffice saves, no more. With draws mt19937 32 bits, as
    NumPy's legacy generator takes no more.
    """
    state = np.random.SeedSequence(seed, spawn_key=(replicate,)).generate_state(1, np.uint64)[0]
    return int(state >> np.uint64(32 if draws == "mt19937" else 15))


def check_seed(seed: int, draws: str = "pcg64") -> None:
    """Raises SheetsimError for a generator that there is not, and for a seed that it does not have."""
    if not isinstance(draws, str) or draws not in (*GENERATORS, LIVE):
        raise SheetsimError(f"draws must be one of {', '.join(GENERATORS)}, not {said(draws)}")
    whole("seed", seed)
    most = {"mt19937": LEGACY_SEEDS, "hdr": HDR_SEEDS, LIVE: HDR_SEEDS}.get(draws)
    if most is not None and seed >= most:
        raise SheetsimError(f"seed must be at most {most - 1} with draws {draws}, not {seed}")


def legacy_stream(seed: int, before: int) -> np.random.RandomState:
    """NumPy's legacy generator (Mersenne Twister 19937, polar method) after so many standard normal numbers.

    It keeps the second number of each pair that it makes: randn(a) and then randn(b) are randn(a + b) cut in two.
    """
    check_seed(seed, "mt19937")
    generator = np.random.RandomState(seed)
    for passed in itertools.chain([PASSED_OVER] * (before // PASSED_OVER), [before % PASSED_OVER]):
        generator.standard_normal(passed)
    return generator


@lru_cache(maxsize=64)
def _truncated(law: Distribution) -> Family:
    return truncated_family(law.name, _family(law.name), law.parameters, law.low, law.high)


def _family(name: str) -> Family:
    family = BUILT_IN.get(name) or scipy_families.family(name)
    if family is None:
        close = difflib.get_close_matches(name, [*BUILT_IN, *scipy_families.family_names()], n=1)
        meant = f" (did you mean {close[0]!r}?)" if close else ""
        raise SheetsimError(
            f"unknown distribution {name!r}: choose one of {', '.join(BUILT_IN)} or of scipy.stats{meant}"
        )
    return family
