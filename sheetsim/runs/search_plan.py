"""The file of a search: a template, the number that is looked for, a space of hyperparameters, and a method.

It runs no trial.
"""

import math
import os
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from sheetsim.arguments import number as number_of
from sheetsim.arguments import said
from sheetsim.errors import SheetsimError
from sheetsim.files import path_of
from sheetsim.language import check_language
from sheetsim.model.graph import Graph
from sheetsim.runs import templates
from sheetsim.runs.search_methods import METHODS, Goal, MethodOptions, halving_rungs
from sheetsim.runs.search_space import Keys, Space, identity, space_of
from sheetsim.runs.search_trials import Searched, Source, searched
from sheetsim.studies.study import (
    LONGEST_TEXT,
    Experiment,
    check_no_array,
    check_one_of,
    check_plain,
    unwrapped,
)
from sheetsim.studies.training.keys import TrainingKeys

# Where the shipped searches are, beside the templates of studies.
FOLDER = "searches"

REPLICATES, TRIALS = 3, 30
MOST = {"trials": 10_000, "replicates": 10_000, "repeats": 1000, "batch": 100, "least": 1_000_000}
MOST_TRIALS = 100_000

# A Gaussian process takes the cube of them in time, and the square in memory.
MOST_BAYES = 2000

# Points of a template's space at which its keys are checked before anything runs.
TRIED = 64

ACQUISITIONS = ("ei", "ucb")

UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}


class SearchFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys of a search's file.

    Attributes
    ----------
    template
        Name of a template, or a .toml beside the file.
    value
        The number that is looked for: a statistic of the study's tables ("test_accuracy"), of a single row ("20.chi",
        "adam.steps_to_1_percent"), or with its table ("final.test_accuracy").
    space
        By key of the template a list of choices, or a range {from, to, scale, whole, when}.
    goal
        "max", "min", or {near = NUMBER} for the value nearest to a number.
    method
        A name of METHODS, or a list of them, which are compared.
    trials
        Trials of each method. Of halving: as many as cost what so many with the whole budget do.
    replicates
        Replicates of each trial, 1 for a single run.
    lang
        Language of the workbook, "en" or "ja" (Japanese).
    seed
        Seed of the methods' own draws; the template's seed is that of the trials.
    repeats
        Searches by each method, with seeds of their own.
    until
        Stop before the last trial: at a value (0.95), a number of trials ("20 trials") or a time ("10 min").
    batch
        Points that bayes proposes at once, whatever the number of workers.
    acquisition
        How bayes chooses the next point: "ei" (expected improvement) or "ucb" (upper confidence bound).
    kappa
        Of ucb: how many standard deviations are added to the mean.
    resource
        The key of the template that halving spends, up to the template's value.
    eta
        Halving keeps the share 1/eta of the trials at each step.
    least
        The least budget of halving.
    set
        Keys of the template with other values.

    Raises
    ------
    SheetsimError
        A key is wrong; the message names it and says why.
    """

    template: str
    value: str
    space: dict[str, Any]
    goal: str | dict[str, Any] = "max"
    method: str | list[str] = "random"
    trials: int = TRIALS
    replicates: int = REPLICATES
    seed: int = 0
    repeats: int = 1
    until: str | float | None = None
    batch: int = 4
    acquisition: str = "ei"
    kappa: float = 2.0
    resource: str = "steps"
    eta: int = 3
    least: int = 1
    title: str = ""
    description: str = ""
    lang: str | None = None
    set: dict[str, Any] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        check_language(self.lang)
        for key, most in MOST.items():
            if not 1 <= getattr(self, key) <= most:
                raise SheetsimError(f"{key} must be a whole number from 1 to {most:,}, not {getattr(self, key)}")
        if not 0 <= self.seed < 2**63:
            raise SheetsimError(f"seed must be a whole number of at least 0, not {self.seed}")
        for key, text in (("title", self.title), ("description", self.description)):
            if len(text) > LONGEST_TEXT:
                raise SheetsimError(f"{key} has {len(text):,} characters; {LONGEST_TEXT:,} are allowed")
        self._check_methods()

    def _check_methods(self) -> None:
        if not self.methods:
            raise SheetsimError(f"method must be one of {', '.join(METHODS)}, or several of them")
        for method in self.methods:
            check_one_of("method", method, tuple(METHODS))
        if len(set(self.methods)) < len(self.methods):
            raise SheetsimError("method lists one method twice: to run each several times, set repeats")
        if len(self.methods) * self.repeats * self.trials > MOST_TRIALS:
            raise SheetsimError(f"methods × repeats × trials are more than {MOST_TRIALS:,}")
        if "bayes" in self.methods and self.trials > MOST_BAYES:
            raise SheetsimError(f"method: bayes has {MOST_BAYES:,} trials at most, not {self.trials:,}")
        check_one_of("acquisition", self.acquisition, ACQUISITIONS)
        if not 2 <= self.eta <= 100:
            raise SheetsimError(f"eta must be a whole number from 2 to 100, not {self.eta}")
        if not 0 <= self.kappa <= 1000:
            raise SheetsimError(f"kappa must be a number from 0 to 1,000, not {self.kappa:g}")

    @property
    def methods(self) -> list[str]:
        """The methods' names."""
        return [self.method] if isinstance(self.method, str) else self.method

    @property
    def wish(self) -> Goal:
        """The goal."""
        if isinstance(self.goal, str):
            check_one_of("goal", self.goal, ("max", "min"))
            return Goal(self.goal)
        near = unwrapped(self.goal.get("near"))
        if set(self.goal) != {"near"} or isinstance(near, bool) or not isinstance(near, int | float):
            raise SheetsimError('goal must be "max", "min" or {near = a number}')
        if not math.isfinite(near):
            raise SheetsimError(f"goal: near must be a finite number, not {near}")
        return Goal("near", float(near))


class Until(msgspec.Struct, frozen=True):
    """When to stop before the last trial.

    value: as soon as a value is as good as this (of a goal {near}: as near); or after so many trials; or after so many
    seconds.
    """

    value: float | None = None
    trials: int | None = None
    seconds: float | None = None

    def __str__(self) -> str:
        if self.value is not None:
            return f"a value of {self.value:g}"
        return f"{self.trials} trials" if self.trials is not None else f"{self.seconds:g} s"


def until_of(asked: str | float | None) -> Until:
    """What is asked for: a number, `20 trials`, or a time as `90 s`, `10 min`, `2 h`. Raises SheetsimError."""
    if asked is None:
        return Until()
    asked = asked if isinstance(asked, str) else repr(number_of("until", asked))
    parts = re.fullmatch(r"\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*(trials?|s|min|h|)\s*", asked)
    try:
        number = float(parts[1]) if parts else math.nan
    except ValueError:
        number = math.nan
    unit = parts[2] if parts else ""
    if not math.isfinite(number):
        raise SheetsimError(
            f"until {asked:.60}: write a value (0.95), a number of trials (20 trials) or a time (10 min)"
        )
    if unit.startswith("trial"):
        if number < 1 or number != int(number):
            raise SheetsimError(f"until {asked}: the number of trials must be a whole number of at least 1")
        return Until(trials=int(number))
    if unit:
        if number <= 0:
            raise SheetsimError(f"until {asked}: the time must be above 0")
        return Until(seconds=number * UNITS[unit])
    return Until(value=number)


class SearchPlan(msgspec.Struct, frozen=True):
    """A search that has been checked.

    name: what to call it; command: what makes it again; parameters: the file's keys; make: the study or model of a
    point; searched: what the value is; replicates: of a trial, 1 where nothing is drawn; seed, draws: of the trials;
    study, lang: which one, and the language of the workbook.
    """

    name: str
    title: str
    description: str
    command: str
    parameters: Mapping[str, Any]
    asked: SearchFile
    goal: Goal
    until: Until
    space: Space
    searched: Searched
    replicates: int
    make: Callable[[Keys], Source]
    seed: int
    draws: str
    budget: int = 0
    study: str = ""
    lang: str | None = None

    @property
    def value(self) -> str:
        """The value's name."""
        return self.asked.value

    @property
    def methods(self) -> list[str]:
        """The methods that are compared, or the one."""
        return self.asked.methods

    @property
    def columns(self) -> list[str]:
        """The keys that a trial can have, in their order."""
        return [*self.space.keys, *([self.asked.resource] if "halving" in self.methods else [])]

    @property
    def most_trials(self) -> int:
        """How many trials there are at most."""
        until = self.until.trials or math.inf
        of_halving = sum(count for _, count in halving_rungs(self.options(0)))
        each = [of_halving if method == "halving" else self.asked.trials for method in self.methods]
        return self.asked.repeats * int(sum(min(until, count) for count in each))

    def options(self, repeat: int) -> MethodOptions:
        """Of the search of that number, from 0, by each method."""
        asked = self.asked
        return MethodOptions(
            asked.trials,
            asked.seed + repeat,
            self.goal,
            asked.batch,
            asked.acquisition,
            asked.kappa,
            asked.eta,
            asked.resource,
            self.budget,
            asked.least,
        )


def shipped_searches() -> list[str]:
    """The shipped searches."""
    return sorted(path.stem for path in (templates.folder() / FOLDER).glob("*.toml"))


def load_search(
    what: "str | os.PathLike[str] | Mapping[str, Any]", until: str | float | None = None, lang: str | None = None
) -> SearchPlan:
    """The plan of a search's file, of a shipped search, or of a mapping with the same keys.

    until, lang: in place of the file's. Raises SheetsimError with what is wrong.
    """
    more = {} if lang is None else {"lang": lang}
    if isinstance(what, Mapping):
        return _plan(dict(what) | more, Path(), "search", "made in Python: sheetsim.search of a mapping", until)
    path = path_of(what, "a search's file")
    name = path.stem
    command = f"sheetsim search {shlex.quote(str(path))}"
    if path.suffix != ".toml":
        if str(what) not in shipped_searches():
            raise SheetsimError(
                f"{path} is neither a .toml file nor a shipped search; these are {', '.join(shipped_searches())}"
            )
        path = templates.folder() / FOLDER / f"{what}.toml"
    parameters = templates.read_toml(path) | more
    if until is not None:
        command += f" --until {shlex.quote(str(until))}"
    if lang is not None:
        command += f" --lang {lang}"
    try:
        return _plan(parameters, path.parent, name, command, until)
    except SheetsimError as error:
        raise SheetsimError(f"{what}: {error}") from None


def _plan(parameters: Mapping[str, Any], base: Path, name: str, command: str, until: str | float | None) -> SearchPlan:
    asked, plain = _asked(parameters)
    template = str(base / asked.template) if asked.template.endswith(".toml") else asked.template
    fixed = dict(asked.set)
    templates.place_file(fixed, base)
    space = space_of(asked.space, asked.set)

    def make(point: Keys) -> Source:
        overrides = fixed | point
        templates.place_file(overrides, base)
        return templates.load(template, overrides).experiment

    source = make({})
    title = asked.title or templates.entitled(f"Search of {asked.template}", asked.set)
    if until is not None:
        plain = plain | {"until": until}
    plan = _checked(asked, space, make, source, name, title, command, plain, until)
    for point in space.spread(TRIED):
        try:
            make(point)
        except SheetsimError as error:
            raise SheetsimError(f"the point {identity(point)}: {error}") from None
    return plan


def planned_search(
    function: Callable[..., Any], parameters: Mapping[str, Any], until: str | float | None
) -> SearchPlan:
    """The plan of a function's search: function(**point) gives a model or a study."""
    asked, plain = _asked({"template": "", **parameters})
    if asked.set:
        raise SheetsimError("set: a function has no keys to set; give it an argument")
    space = space_of(asked.space, ())

    def make(point: Keys) -> Source:
        try:
            made = function(**point)
        except SheetsimError:
            raise
        except Exception as error:  # a person's own
            raise SheetsimError(f"the function failed: {type(error).__name__}: {error}") from error
        if not isinstance(made, Graph | Experiment):
            raise SheetsimError(f"the function returned {said(made)}, which is neither a model nor a study")
        return made

    first = next(space.ends())
    called = getattr(function, "__name__", "a function")
    command = "made in Python: sheetsim.search of a function; no command makes it again"
    try:
        source = make(first)
    except SheetsimError as error:
        raise SheetsimError(f"the point {identity(first)}: {error}") from None
    plain.pop("template", None)
    return _checked(asked, space, make, source, called, asked.title or f"Search of {called}", command, plain, until)


def _asked(parameters: Mapping[str, Any]) -> tuple[SearchFile, dict[str, Any]]:
    check_plain(parameters)
    plain = {str(key): unwrapped(value) for key, value in parameters.items()}
    for one in msgspec.structs.fields(SearchFile):
        check_no_array(one.name, plain.get(one.name), one.type)
    try:
        return msgspec.convert(plain, SearchFile), plain
    except msgspec.ValidationError as error:
        raise SheetsimError(templates.sentence(str(error), {"": SearchFile.__struct_fields__})) from None


def _checked(
    asked: SearchFile,
    space: Space,
    make: Callable[[Keys], Source],
    source: Source,
    name: str,
    title: str,
    command: str,
    parameters: dict[str, Any],
    until: str | float | None,
) -> SearchPlan:
    goal = asked.wish
    budget = _budget(asked, space, source)
    values: list[Searched] = []
    for point in space.ends():
        try:
            values.append(searched(make(point), asked.value))
        except SheetsimError as error:
            if str(error).startswith("value:") and not values:
                raise
            raise SheetsimError(f"the point {identity(point)}: {error}") from None
    is_drawn = any(value.is_drawn for value in values)
    return SearchPlan(
        name,
        title,
        asked.description,
        command,
        parameters,
        asked,
        goal,
        until_of(asked.until if until is None else until),
        space,
        msgspec.structs.replace(values[0], is_drawn=is_drawn),
        asked.replicates if is_drawn else 1,
        make,
        int(getattr(source, "seed", 0)),
        str(getattr(source, "draws", "pcg64")),
        budget,
        str(getattr(source, "study", "")),
        asked.lang or getattr(source, "lang", None),
    )


def _budget(asked: SearchFile, space: Space, source: Source) -> int:
    """The whole budget of successive halving: the template's number of the resource."""
    if "halving" not in asked.methods:
        return 0
    key = asked.resource
    if key in space.keys:
        raise SheetsimError(f"space.{key} cannot vary: it is the resource that halving allocates")
    budget = getattr(source, key, None)
    if isinstance(budget, bool) or not isinstance(budget, int):
        kind = "a study of training" if key == "steps" else "a study with that key"
        raise SheetsimError(f"method: halving needs {kind}, where {key} is a whole number")
    rungs = halving_rungs(MethodOptions(asked.trials, 0, eta=asked.eta, budget=budget, least=asked.least))
    if len(rungs) < 2:
        raise SheetsimError(
            f"method: halving of {asked.trials} trials with {key} = {budget} has a single rung: give it more "
            "trials, or a smaller least"
        )
    return budget


def is_training(source: Source) -> bool:
    """Whether the study is one of training."""
    return isinstance(source, TrainingKeys)
