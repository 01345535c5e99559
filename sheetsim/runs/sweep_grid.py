"""The file of a sweep: a template, a grid over its keys, and the points that they give. It computes no point."""

import inspect
import math
import os
import shlex
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from sheetsim.arguments import said
from sheetsim.errors import SheetsimError
from sheetsim.files import path_of
from sheetsim.language import check_language
from sheetsim.model.graph import Graph
from sheetsim.runs import templates
from sheetsim.runs.observed import Observed
from sheetsim.runs.replicates import observed
from sheetsim.runs.replicates_plan import with_data
from sheetsim.runs.templates import LAYERS
from sheetsim.studies.forward.study import Forward
from sheetsim.studies.study import LONGEST_TEXT, Experiment, check_no_array, check_plain, toml_value, unwrapped

REPLICATES = 20

# Keys of a template that change no statistic, and the seed: every point has the same ones, so that points share draws.
FIXED = ("study", "title", "description", "lang", "seed", "histogram", "report")

# Keys whose steps are rounded.
WHOLE = ("samples", "inputs", *LAYERS)

MOST_POINTS = 10_000


class GridSteps(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"first": "from", "last": "to"}):
    """Numbers of a range, both ends included.

    Attributes
    ----------
    first, last
        The ends of the range.
    steps
        How many numbers.
    scale
        "linear" for equal distances, "log" for equal ratios.
    """

    first: float
    last: float
    steps: int
    scale: str = "linear"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.first) and math.isfinite(self.last)):
            raise SheetsimError(f"`from` and `to` must be finite numbers, not {self.first:g} and {self.last:g}")
        if not 1 <= self.steps <= MOST_POINTS:
            raise SheetsimError(f"steps must be 1 to {MOST_POINTS:,}, not {self.steps}")
        if self.scale not in ("linear", "log"):
            raise SheetsimError(f"scale must be linear or log, not {self.scale!r}")
        if self.scale == "log" and min(self.first, self.last) <= 0:
            raise SheetsimError(f"a log scale needs `from` and `to` above 0, not {self.first:g} and {self.last:g}")

    def values(self, *, whole: bool) -> list[Any]:
        """The numbers; whole: each the nearest whole number."""
        space = np.geomspace if self.scale == "log" else np.linspace
        numbers = space(self.first, self.last, self.steps).tolist()
        return [round(number) for number in numbers] if whole else numbers


class Grid(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys of a sweep's file.

    Attributes
    ----------
    template
        Name of a template, or a .toml beside the file.
    grid
        By key of the template, `depth` or `width`, a list of values or {from, to, steps, scale}, in the order of the
        sweep.
    replicates
        Replicates at each point.
    seed
        Seed in place of the template's.
    lang
        The language of the workbook, `en` or `ja` (Japanese).
    show
        A statistic of the study's tables, or several, that the workbook shows, or of single rows as "small.loss_end".
    set
        Keys of the template with other values.

    Raises
    ------
    SheetsimError
        A key is wrong; the message names it and says why.
    """

    template: str
    grid: dict[str, Any]
    title: str = ""
    description: str = ""
    replicates: int = REPLICATES
    seed: int | None = None
    lang: str | None = None
    show: str | list[str] = ""
    set: dict[str, Any] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        check_language(self.lang)
        if self.replicates < 2:
            raise SheetsimError(f"replicates must be a whole number of at least 2, not {self.replicates}")
        for key, text in (("title", self.title), ("description", self.description)):
            if len(text) > LONGEST_TEXT:
                raise SheetsimError(f"{key} has {len(text):,} characters; {LONGEST_TEXT:,} are allowed")
        if self.show != "" and (not self.shown or len(set(self.shown)) < len(self.shown)):
            raise SheetsimError(f"show must name one statistic or several different ones, not {self.show!r}")

    @property
    def shown(self) -> tuple[str, ...]:
        """What is named; nothing where that is left to the study."""
        if self.show == "":
            return ()
        return (self.show,) if isinstance(self.show, str) else tuple(self.show)


class Point(msgspec.Struct, frozen=True):
    """A point of the grid: its keys, in the grid's order, the study or model that they make, and what is observed."""

    keys: Mapping[str, Any]
    study: Experiment | Graph
    observed: Observed

    def __str__(self) -> str:
        return _said(self.keys)


class SweepPlan(msgspec.Struct, frozen=True):
    """A sweep that has been checked.

    grid: by key its values; points: their product, the first key slowest; name: what to call it; command: what makes
    it again; parameters: the file's keys; shown: by name, the labels that its heat maps and lines show, row by row.
    """

    name: str
    title: str
    description: str
    command: str
    parameters: Mapping[str, Any]
    replicates: int
    shown: Mapping[str, tuple[str, str | int | None]]
    grid: Mapping[str, list[Any]]
    points: tuple[Point, ...]

    @property
    def seed(self) -> int:
        """The seed that every point's replicates come from."""
        return self.points[0].observed.seed

    @property
    def draws(self) -> str:
        """The generator of its draws."""
        return self.points[0].observed.draws

    @property
    def index(self) -> str:
        """What a row is called (layer, start, …): at all points the same, or `row`."""
        indices = {point.observed.index for point in self.points}
        return indices.pop() if len(indices) == 1 else "row"

    @property
    def lang(self) -> str | None:
        """The language of the workbook: the file's, or the template's."""
        return self.parameters.get("lang") or getattr(self.points[0].study, "lang", None)

    @property
    def columns(self) -> dict[str, str]:
        """What each statistic is, of any point."""
        return {name: what for point in self.points for name, what in point.observed.columns.items()}

    @property
    def rows(self) -> int:
        """Rows of the sheet Points: of all points, those of what is shown."""
        statistic, row = next(iter(self.shown.values()))
        return sum(1 if row is not None else len(point.observed.rows(statistic)) for point in self.points)


def load_sweep(what: "str | os.PathLike[str] | Mapping[str, Any]", lang: str | None = None) -> SweepPlan:
    """The plan of a sweep's file, or of a mapping with the same keys; lang: in place of its own.

    Raises SheetsimError with what is wrong.
    """
    more = {} if lang is None else {"lang": lang}
    if isinstance(what, Mapping):
        return _plan(
            dict(what) | more, Path(), "sweep", "made in Python: sheetsim.sweep of a mapping with these parameters"
        )
    path = path_of(what, "a sweep's file")
    if path.suffix != ".toml":
        raise SheetsimError(f"{path} must end in .toml: a sweep is a TOML file, as `sheetsim sweep --help` explains")
    parameters = templates.read_toml(path) | more
    command = f"sheetsim sweep {shlex.quote(str(path))}{f' --lang {lang}' if lang else ''}"
    try:
        return _plan(parameters, path.parent, path.stem, command)
    except SheetsimError as error:
        raise SheetsimError(f"{path}: {error}") from None


def _plan(parameters: Mapping[str, Any], base: Path, name: str, command: str) -> SweepPlan:
    check_plain(parameters)
    plain = {key: unwrapped(value) for key, value in parameters.items()}
    for field in msgspec.structs.fields(Grid):
        check_no_array(field.name, plain.get(field.name), field.type)
    asked = _converted(plain)
    template = str(base / asked.template) if asked.template.endswith(".toml") else asked.template
    fixed = dict(asked.set) if asked.seed is None else asked.set | {"seed": asked.seed}
    grid = _grid(asked.grid, fixed)
    points = tuple(_points(template, fixed, grid, base))
    return SweepPlan(
        name,
        asked.title or templates.entitled(f"Sweep of {asked.template}", asked.set),
        asked.description,
        command,
        dict(parameters) | ({"set": _plain(asked.set, points[0].study)} if asked.set else {}),
        asked.replicates,
        _shown(asked.shown, points),
        grid,
        points,
    )


def _converted(parameters: Mapping[str, Any]) -> Grid:
    try:
        return msgspec.convert(parameters, Grid)
    except msgspec.ValidationError as error:
        raise SheetsimError(templates.sentence(str(error), {"": Grid.__struct_fields__})) from None


def _grid(asked: Mapping[str, Any], fixed: Container[str]) -> dict[str, list[Any]]:
    """By key its values. Raises SheetsimError for no key, one that is set besides, and too many points."""
    if not asked:
        raise SheetsimError("grid has no key: name one with its values")
    grid = {key: _values(key, spec) for key, spec in asked.items()}
    both = next((key for key in grid if key in fixed), None)
    if both is not None:
        raise SheetsimError(f"{both} is both in set and in grid")
    count = math.prod(map(len, grid.values()))
    if count > MOST_POINTS:
        raise SheetsimError(f"the grid has {count:,} points; {MOST_POINTS:,} are allowed")
    return grid


def _values(key: str, spec: Any) -> list[Any]:
    """A key's values. Raises SheetsimError with the key."""
    if key in FIXED:
        reason = "replicates have seeds of their own" if key == "seed" else "it changes no statistic"
        raise SheetsimError(f"grid.{key} cannot vary: {reason}")
    plain = spec.tolist() if hasattr(spec, "tolist") else spec
    try:
        checked = msgspec.convert(plain, list[Any] | GridSteps)
        values = checked.values(whole=key in WHOLE) if isinstance(checked, GridSteps) else checked
        values = [value.item() if isinstance(value, np.generic) else value for value in values]
    except SheetsimError as error:
        raise SheetsimError(f"grid.{key}: {error}") from None
    except msgspec.ValidationError as error:
        reason = templates.sentence(str(error), {"": ("from", "to", "steps", "scale")})
        raise SheetsimError(f"grid.{key}: {reason}") from None
    if not values:
        raise SheetsimError(f"grid.{key} lists no value")
    strange = next((value for value in values if not _is_plain(value)), None)
    if strange is not None:
        raise SheetsimError(f"grid.{key}: {type(strange).__name__} is not a value that a TOML file can hold")
    endless = next((value for value in values if isinstance(value, float) and not math.isfinite(value)), None)
    if endless is not None:
        raise SheetsimError(f"grid.{key} has {endless}, which is not a finite number")
    # By equality: 1 and 1.0 are one point.
    twice = [value for k, value in enumerate(values) if value in values[:k]]
    if twice:
        raise SheetsimError(f"grid.{key} has {toml_value(twice[0])} twice{': steps are rounded' * (key in WHOLE)}")
    return values


def _points(template: str, fixed: Mapping[str, Any], grid: Mapping[str, list[Any]], base: Path) -> Iterator[Point]:
    data: dict[str, Forward] = {}
    for values in product(*grid.values()):
        keys = dict(zip(grid, values, strict=True))
        try:
            overrides = dict(fixed) | keys
            templates.place_file(overrides, base)
            study = templates.load(template, overrides).experiment
            if isinstance(study, Forward):
                study = _loaded(study, data)
            yield Point(keys, study, observed(study))
        except SheetsimError as error:
            raise SheetsimError(f"the point {_said(keys)}: {error}") from None


def planned(function: Callable[..., Any], grid: Mapping[str, Any], title: str, replicates: int, show: Any) -> SweepPlan:
    """The plan of a function's sweep: function(**point) gives a model or a study."""
    if not isinstance(grid, Mapping):
        raise SheetsimError(f"grid must be a mapping of keys to lists of values, not {said(grid)}")
    asked = _converted({"template": "", "grid": dict(grid), "replicates": replicates, "show": show, "title": title})
    values = _grid(asked.grid, ())
    _check_takes(function, values)
    points = []
    for combination in product(*values.values()):
        keys = dict(zip(values, combination, strict=True))
        study = function(**keys)
        if not isinstance(study, Graph | Experiment):
            raise SheetsimError(
                f"the point {_said(keys)}: the function returned {said(study)}, which is neither a model nor a study"
            )
        try:
            points.append(Point(keys, study, observed(study)))
        except SheetsimError as error:
            raise SheetsimError(f"the point {_said(keys)}: {error}") from None
    if len({point.observed.seed for point in points}) > 1:
        raise SheetsimError("the models of a sweep must have the same seed, so that points do not differ by chance")
    return SweepPlan(
        getattr(function, "__name__", "sweep"),
        title or f"Sweep of {getattr(function, '__name__', 'a function')}",
        "",
        "made in Python: sheetsim.sweep of a function; no command makes it again",
        {"grid": values, "replicates": replicates, "show": list(asked.shown)},
        replicates,
        _shown(asked.shown, points),
        values,
        tuple(points),
    )


def _check_takes(function: Callable[..., Any], keys: Iterable[str]) -> None:
    """Raises SheetsimError where the function cannot be called with these arguments and no others."""
    try:
        signature = inspect.signature(function)
    except ValueError:  # what is compiled can have none
        return
    try:
        signature.bind(**dict.fromkeys(keys))
    except TypeError as error:
        raise SheetsimError(f"the function's arguments must be the grid's keys, {', '.join(keys)}: {error}") from None


def _shown(names: Sequence[str], points: Sequence[Point]) -> dict[str, tuple[str, str | int | None]]:
    """By name, the statistic and its row; all rows (None) where these are numbered, and else each as one of its own.

    Raises SheetsimError for what a point does not observe, and for statistics of different rows.
    """
    first = points[0].observed
    shown: dict[str, tuple[str, str | int | None]] = {}
    for name in names or ("var" if "var" in first.names else first.chosen[0],):
        try:
            places = first.places([name])
        except SheetsimError as error:
            raise SheetsimError(f"show: {str(error).removeprefix('statistics: ')}") from None
        labels = [first.labels[k] for k in places]
        for row, statistic in labels if name not in first.names else labels[:1]:
            for point in points[1:]:
                if statistic not in point.observed.names or (
                    isinstance(row, str) and row not in point.observed.rows(statistic)
                ):
                    raise SheetsimError(f"show: the point {point} has no {name!r}")
        if name in first.names and all(isinstance(row, int) for row, _ in labels):
            shown[name] = (name, None)
        else:
            shown |= {f"{row}.{statistic}": (statistic, row) for row, statistic in labels}
    rows = {tuple(first.rows(statistic)) if row is None else None for statistic, row in shown.values()}
    if len(rows) > 1:
        raise SheetsimError("show: statistics of different rows cannot be shown together: use two sweeps")
    return shown


def _loaded(study: Forward, data: dict[str, Forward]) -> Forward:
    """The study with the numbers of its input's files, which are read once for all points that have the same."""
    named = study.input if isinstance(study.input, Mapping) else {}
    if not any(isinstance(named.get(key), str) for key in ("file", "correlation")):
        return study
    key = toml_value([study.input, study.samples or 0, study.inputs or 0])
    if key not in data:
        data[key] = with_data(msgspec.structs.replace(study, layers=[1], initializer="he"))
    with_numbers = data[key]
    return msgspec.structs.replace(
        study, input=with_numbers.input, samples=with_numbers.samples, inputs=with_numbers.inputs
    )


def _plain(fixed: Mapping[str, Any], study: Experiment | Graph) -> dict[str, Any]:
    """Keys that were set, and where Python set a distribution or an array, what the study says of it."""
    said = study.parameters() if isinstance(study, Experiment) else {}
    return {key: value if _is_plain(value) else said.get(key, key) for key, value in fixed.items()}


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, Mapping):
        return all(map(_is_plain, value.values()))
    return isinstance(value, str | int | float)


def _said(keys: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {toml_value(value)}" for key, value in keys.items())
