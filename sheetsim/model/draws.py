"""Random draws: distributions by name, and one stream of numbers a matrix. It knows no expression."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from sheetsim.errors import SheetsimError

Sampler: TypeAlias = Callable[..., Any]


@dataclass(frozen=True)
class Distribution:
    """A distribution of independent numbers; `parameters` are keywords of its row in DISTRIBUTIONS."""

    name: str
    parameters: tuple[tuple[str, float], ...] = ()

    def sample(self, generator: np.random.Generator, shape: tuple[int, int]) -> Any:
        """Numbers of the given shape (rows × columns), float64."""
        sampler = DISTRIBUTIONS[self.name].sampler
        return np.asarray(sampler(generator, shape, **dict(self.parameters)), dtype=float)

    def __str__(self) -> str:
        shown = ", ".join(f"{key} {value:g}" for key, value in self.parameters)
        return f"{self.name}({shown})"


@dataclass(frozen=True)
class Family:
    """How a named distribution is drawn, its parameters' defaults, and what they must satisfy (in words)."""

    sampler: Sampler
    defaults: Mapping[str, float]
    valid: Callable[[Mapping[str, float]], bool]
    rule: str


DISTRIBUTIONS: dict[str, Family] = {
    "normal": Family(
        lambda g, shape, mean, std: mean + std * g.standard_normal(shape),
        {"mean": 0.0, "std": 1.0},
        lambda p: p["std"] >= 0,
        "std must be 0 or more",
    ),
    "uniform": Family(
        lambda g, shape, low, high: g.uniform(low, high, shape),
        {"low": 0.0, "high": 1.0},
        lambda p: p["low"] < p["high"],
        "low must be less than high",
    ),
    "lognormal": Family(
        lambda g, shape, mean, std: np.exp(mean + std * g.standard_normal(shape)),
        {"mean": 0.0, "std": 1.0},
        lambda p: p["std"] >= 0,
        "std must be 0 or more",
    ),
    "student_t": Family(
        lambda g, shape, df: g.standard_t(df, shape), {"df": 5.0}, lambda p: p["df"] > 0, "df must be above 0"
    ),
    "bernoulli": Family(
        lambda g, shape, p: g.random(shape) < p,
        {"p": 0.5},
        lambda p: 0 <= p["p"] <= 1,
        "p must lie between 0 and 1",
    ),
    "ones": Family(lambda g, shape: np.ones(shape), {}, lambda p: True, ""),
}


def distribution(name: str, /, **parameters: float) -> Distribution:
    """The named distribution with its parameters (defaults filled in). Raises SheetsimError on a wrong one."""
    if name not in DISTRIBUTIONS:
        raise SheetsimError(f"unknown distribution {name!r}: choose one of {', '.join(DISTRIBUTIONS)}")
    family = DISTRIBUTIONS[name]
    unknown = sorted(set(parameters) - set(family.defaults))
    if unknown:
        known = ", ".join(family.defaults) or "none"
        raise SheetsimError(f"{name} has no parameter {unknown[0]!r} (its parameters: {known})")
    full = {key: float(parameters.get(key, default)) for key, default in family.defaults.items()}
    if not all(np.isfinite(value) for value in full.values()) or not family.valid(full):
        raise SheetsimError(f"{name}: {family.rule or 'parameters must be finite numbers'}")
    return Distribution(name, tuple(full.items()))


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
