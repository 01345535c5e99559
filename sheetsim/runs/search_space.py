"""The space of a search: hyperparameters with ranges, scales and conditions. It runs nothing.

A point of the unit cube becomes a set of hyperparameters.
"""

import math
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, TypeAlias

import msgspec
import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.model.op import Array
from sheetsim.runs import templates
from sheetsim.runs.sweep_grid import FIXED, WHOLE
from sheetsim.studies.study import toml_value, unwrapped

# A point: hyperparameters by key, without those whose condition does not hold.
Keys: TypeAlias = dict[str, Any]

# Columns that a search's table has beside one a hyperparameter.
TAKEN = ("trial", "method", "repeat", "value", "low", "high", "replicates", "status")

MOST_HYPERPARAMETERS = 50

# Of a hyperparameter that a point does not have, and that the surrogate still has a coordinate for.
MIDDLE = 0.5


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"low": "from", "high": "to"}):
    """Numbers from low to high.

    Attributes
    ----------
    low, high
        The ends of the range.
    scale
        "linear", or "log" for equal steps of the logarithm.
    whole
        Whole numbers only.
    when
        Another key of choices, with the value or list of values for which this one exists.
    """

    low: float
    high: float
    scale: str = "linear"
    whole: bool = False
    when: dict[str, Any] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise SheetsimError(f"`from` and `to` must be finite numbers, not {self.low:g} and {self.high:g}")
        if self.scale not in ("linear", "log"):
            raise SheetsimError(f"scale must be linear or log, not {self.scale!r}")
        if self.low >= self.high:
            raise SheetsimError(f"`from` must be below `to`, but {self.low:g} is not below {self.high:g}")
        if self.scale == "log" and self.low <= 0:
            raise SheetsimError(f"a log scale needs `from` above 0, not {self.low:g}")


class Choices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Values of which one is taken. A plain list of values says the same without a condition.

    Attributes
    ----------
    choices
        The values.
    when
        Another key of choices, with the value or list of values for which this one exists.
    """

    choices: list[Any]
    when: dict[str, Any] = msgspec.field(default_factory=dict)


class Hyperparameter(msgspec.Struct, frozen=True):
    """A key with what it can be: choices, or numbers from low to high.

    log: whether equal steps of the cube are equal ratios; when: by key of another one, its values with which this one
    is there.
    """

    key: str
    choices: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    whole: bool = False
    when: Mapping[str, Sequence[Any]] = msgspec.field(default_factory=dict)

    @property
    def count(self) -> float:
        """How many values there are."""
        return len(self.choices) or (int(self._last - self._first) + 1 if self.whole else math.inf)

    @property
    def _first(self) -> int:
        return math.ceil(self.low)

    @property
    def _last(self) -> int:
        return math.floor(self.high)

    def value(self, u: float) -> Any:
        """What a coordinate of the cube means: for choices and whole numbers equal parts of it."""
        if self.choices:
            return self.choices[min(int(u * len(self.choices)), len(self.choices) - 1)]
        number = float(self._numbers(np.array([u]))[0])
        return int(number) if self.whole else number

    def coordinate(self, value: Any) -> float:
        """A coordinate of the cube that means the value."""
        if self.choices:
            return (self.choices.index(value) + 0.5) / len(self.choices)
        return float(self._scaled(np.array([float(value)]))[0])

    def columns(self, u: Array, there: Any) -> list[Array]:
        """What the surrogate sees of the coordinates of many points: a column per choice, or one of numbers."""
        if self.choices:
            numbers = np.minimum((u * len(self.choices)).astype(int), len(self.choices) - 1)
            return [np.where(there, numbers == k, MIDDLE).astype(float) for k in range(len(self.choices))]
        return [np.where(there, self._scaled(self._numbers(u)) if self.whole else u, MIDDLE)]

    def levels(self, count: int) -> list[float]:
        """So many coordinates, evenly: with both ends, or the middle alone; of choices each."""
        if self.choices:
            return [(k + 0.5) / len(self.choices) for k in range(len(self.choices))]
        return [0.5] if count == 1 else np.linspace(0, 1, count).tolist()

    def _ends(self) -> tuple[float, float]:
        """Of the scale: whole numbers have half a unit more at each end, so that all have equal parts."""
        low, high = (self._first - 0.5, self._last + 0.5) if self.whole else (self.low, self.high)
        return (math.log(low), math.log(high)) if self.log else (low, high)

    def _numbers(self, u: Array) -> Array:
        low, high = self._ends()
        numbers = low + u * (high - low)
        numbers = np.exp(numbers) if self.log else numbers
        if self.whole:
            return np.clip(np.rint(numbers), self._first, self._last)
        return np.clip(numbers, self.low, self.high)

    def _scaled(self, numbers: Array) -> Array:
        low, high = self._ends()
        return ((np.log(numbers) if self.log else numbers) - low) / (high - low)


class Space(msgspec.Struct, frozen=True):
    """Hyperparameters in the order of the file; one that depends on another stands after it."""

    hyperparameters: tuple[Hyperparameter, ...]

    def __len__(self) -> int:
        return len(self.hyperparameters)

    @property
    def keys(self) -> list[str]:
        """The keys."""
        return [one.key for one in self.hyperparameters]

    def point(self, u: Iterable[float]) -> Keys:
        """The point that coordinates of the cube mean."""
        made: Keys = {}
        for one, coordinate in zip(self.hyperparameters, u, strict=True):
            if all(key in made and made[key] in values for key, values in one.when.items()):
                made[one.key] = one.value(coordinate)
        return made

    def coordinates(self, point: Keys) -> list[float]:
        """Coordinates that mean the point."""
        return [one.coordinate(point[one.key]) if one.key in point else MIDDLE for one in self.hyperparameters]

    def features(self, u: Array) -> Array:
        """What the surrogate sees of points (n×d): each hyperparameter that is not there in the middle of its range."""
        there: dict[str, Any] = {}
        chosen: dict[str, Any] = {}
        columns: list[Array] = []
        for one, of_one in zip(self.hyperparameters, u.T, strict=True):
            here = np.ones(len(u), dtype=bool)
            for key, values in one.when.items():
                here &= there[key] & chosen[key][[value in values for value in self._named(key).choices]].any(axis=0)
            made = one.columns(of_one, here)
            there[one.key], chosen[one.key] = here, np.array(made) == 1
            columns += made
        return np.column_stack(columns)

    def grid(self, most: int) -> list[Keys]:
        """At most so many points of a grid.

        Numeric hyperparameters have as many levels as there is room for, the first ones more; choices have all.
        """
        levels = [int(len(one.choices) or 1) for one in self.hyperparameters]
        grown = True
        while grown:
            grown = False
            for k in sorted(range(len(levels)), key=lambda k: levels[k]):
                more = [*levels[:k], levels[k] + 1, *levels[k + 1 :]]
                room = not self.hyperparameters[k].choices and levels[k] < self.hyperparameters[k].count
                if room and math.prod(more) <= most:
                    levels, grown = more, True
                    break
        axes = [one.levels(count) for one, count in zip(self.hyperparameters, levels, strict=True)]
        return unlike(map(self.point, product(*axes)))

    @property
    def count(self) -> float:
        """How many points there are at most."""
        return math.prod(one.count for one in self.hyperparameters)

    def ends(self) -> Iterator[Keys]:
        """Points that show whether a study refuses a key.

        They are each end and choice of each hyperparameter, with all others in the middle, and with those that its
        condition needs.
        """
        for k, one in enumerate(self.hyperparameters):
            for at in one.levels(2):
                u = [MIDDLE] * len(self)
                self._enable(u, one)
                u[k] = at
                yield self.point(u)

    def spread(self, count: int) -> list[Keys]:
        """So many points all over the space, and those of its corners that are no more.

        A study may refuse two values together that it takes one by one.
        """
        from scipy.stats import qmc

        ends = [one.levels(2) for one in self.hyperparameters]
        corners = product(*ends) if math.prod(map(len, ends)) <= count else ()
        inside = qmc.Halton(len(self), scramble=False).random(count)
        return unlike(map(self.point, (*corners, *inside.tolist())))

    def _enable(self, u: list[float], one: Hyperparameter) -> None:
        for key, values in one.when.items():
            parent = self._named(key)
            u[self.keys.index(key)] = parent.coordinate(values[0])
            self._enable(u, parent)

    def _named(self, key: str) -> Hyperparameter:
        return next(one for one in self.hyperparameters if one.key == key)


def unlike(points: Iterable[Keys]) -> list[Keys]:
    """The points, each once."""
    seen: dict[str, Keys] = {}
    for point in points:
        seen.setdefault(identity(point), point)
    return list(seen.values())


def identity(point: Mapping[str, Any]) -> str:
    """A text that equal points share."""
    return ", ".join(f"{key} = {toml_value(value)}" for key, value in point.items())


def space_of(asked: Mapping[str, Any], fixed: Container[str]) -> Space:
    """The space of a file's table. Raises SheetsimError with the key and the reason."""
    if not asked:
        raise SheetsimError("space has no key: name one with a range, {from = …, to = …}, or a list of choices")
    if len(asked) > MOST_HYPERPARAMETERS:
        raise SheetsimError(f"space has {len(asked)} keys; {MOST_HYPERPARAMETERS} are allowed")
    made: dict[str, Hyperparameter] = {}
    for key, spec in asked.items():
        if key in fixed:
            raise SheetsimError(f"{key} is both in set and in space")
        try:
            made[key] = _hyperparameter(key, spec, made, asked)
        except SheetsimError as error:
            raise SheetsimError(f"space.{key}: {error}") from None
    return Space(tuple(made.values()))


def _hyperparameter(
    key: str, spec: Any, before: Mapping[str, Hyperparameter], asked: Mapping[str, Any]
) -> Hyperparameter:
    if key in FIXED or key in TAKEN:
        reason = "replicates have seeds of their own" if key == "seed" else "it is not a key that can be searched"
        raise SheetsimError(f"it cannot vary: {reason}")
    plain = _listed(spec)
    if isinstance(plain, Mapping):
        plain = {str(name): _listed(value) for name, value in plain.items()}
        kind: Any = Choices if "choices" in plain else Range
        keys = ("choices", "when") if kind is Choices else ("from", "to", "scale", "whole", "when")
    elif isinstance(plain, list | tuple):
        plain, kind, keys = {"choices": list(map(unwrapped, plain))}, Choices, ("choices", "when")
    else:
        raise SheetsimError("must be a range, {from = …, to = …}, or a list of choices")
    try:
        declared = msgspec.convert(plain, kind)
    except msgspec.ValidationError as error:
        raise SheetsimError(templates.sentence(str(error), {"": keys})) from None
    when = {name: _condition(key, name, values, before, asked) for name, values in declared.when.items()}
    if isinstance(declared, Choices):
        return Hyperparameter(key, tuple(_choices(declared.choices)), when=when)
    whole = declared.whole or key in WHOLE
    if whole and math.ceil(declared.low) > math.floor(declared.high):
        raise SheetsimError(f"there is no whole number from {declared.low:g} to {declared.high:g}")
    if whole and declared.scale == "log" and declared.low < 1:
        raise SheetsimError(f"whole numbers on a log scale need `from` to be at least 1, not {declared.low:g}")
    return Hyperparameter(key, (), declared.low, declared.high, declared.scale == "log", whole, when)


def _listed(value: Any) -> Any:
    """Numbers and arrays of NumPy's as Python's."""
    return value.tolist() if isinstance(value, np.ndarray) else unwrapped(value)


def _choices(values: list[Any]) -> list[Any]:
    if not values:
        raise SheetsimError("lists no value")
    endless = next((value for value in values if isinstance(value, float) and not math.isfinite(value)), None)
    if endless is not None:
        raise SheetsimError(f"has {endless}, which is not a finite number")
    twice = [value for k, value in enumerate(values) if toml_value(value) in map(toml_value, values[:k])]
    if twice:
        raise SheetsimError(f"has {toml_value(twice[0])} twice")
    return values


def _condition(
    key: str, name: str, values: Any, before: Mapping[str, Hyperparameter], asked: Mapping[str, Any]
) -> list[Any]:
    """The values of another hyperparameter with which this one is there."""
    if name not in before:
        later = f"comes after {key}: put it first" if name in asked and name != key else "is not another key of space"
        raise SheetsimError(f"when: {name} {later}")
    choices = before[name].choices
    if not choices:
        raise SheetsimError(f"when: {name} has a range; a condition needs a key with choices")
    listed = values if isinstance(values, list) else [values]
    strange = [value for value in listed if value not in choices]
    if strange or not listed:
        wrong = f"is never {toml_value(strange[0])}" if strange else "lists no value"
        raise SheetsimError(f"when: {name} {wrong}: its choices are {', '.join(map(toml_value, choices))}")
    return listed
