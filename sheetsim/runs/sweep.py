"""Sweeps: replicates at every point of a grid, kept part by part so that a sweep can be killed and taken up again.

Replicate k has the same seed at every point, and draws depend on the seed and the matrix's name alone: points differ by
their parameters and not by chance (common random numbers). Hence, too, a shallow network is the beginning of a deep
one, and is not computed again.
"""

import os
import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from sheetsim.arguments import function
from sheetsim.engine.evaluate import evaluate
from sheetsim.engine.jobs import check_workers, in_order
from sheetsim.errors import SheetsimError
from sheetsim.files import path_of
from sheetsim.runs.intervals import interval_arrays
from sheetsim.runs.manifest import manifest
from sheetsim.runs.replicates import CONFIDENCE
from sheetsim.runs.replicates_plan import BLOCK, Batch, child_seed, measure
from sheetsim.runs.streaming import COLUMNS, SHARES, nonnegative
from sheetsim.runs.sweep_book import SweepBook
from sheetsim.runs.sweep_grid import SweepPlan, load
from sheetsim.runs.sweep_parts import Parts, fingerprint
from sheetsim.runs.templates import writing
from sheetsim.studies.forward.study import INPUTS, SAMPLES, Forward
from sheetsim.studies.study import properties, toml_value
from sheetsim.whole_file import whole_file
from sheetsim.workbook.layout import Layout

if TYPE_CHECKING:
    import pandas as pd

# Of the work of one part, in multiply-adds: about a second, so that little is lost when a sweep is killed.
PART = 2e10

# What else takes time, in multiply-adds: an output (sorted for its quantiles), a weight (drawn), a layer.
PER_OUTPUT, PER_WEIGHT, PER_LAYER = 500, 400, 8e6

# No histogram is asked for: one edge, which needs no pilot runs.
NO_BINS = np.zeros(1)

# Points done, points in all, and the share of the work that was missing at the start.
SweepProgress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Unit:
    """Replicates first … last − 1 of the network of so many points: what is computed and kept as one."""

    study: Forward
    first: int
    last: int
    points: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"{fingerprint(self.study, COLUMNS)}-{self.first}-{self.last}"

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.last - self.first, len(self.study.layers), len(COLUMNS)

    def task(self) -> Batch:
        return Batch(pickle.dumps(self.study), NO_BINS, False, self.first, self.last)


class Sweep:
    """A computed sweep: every number as one tidy table, statistics with intervals, Parquet and the workbook."""

    def __init__(self, plan: SweepPlan, numbers: list[Any]) -> None:
        """numbers: of each point, replicates × layers × streaming.COLUMNS."""
        self.name, self.title, self.plan = plan.name, plan.title, plan
        self._numbers = numbers

    def frame(self) -> "pd.DataFrame":
        """A row a point, replicate and layer: the grid's keys, replicate, seed, layer and every statistic.

        `sheetsim.run` of the point with that seed is the replicate.
        """
        import pandas as pd

        seeds = [child_seed(self.plan.seed, k) for k in range(self.plan.replicates)]
        replicates = np.arange(self.plan.replicates)
        layers = [own.shape[1] for own in self._numbers]
        data = self._keys([self.plan.replicates * count for count in layers])
        data["replicate"] = np.concatenate([np.repeat(replicates, count) for count in layers])
        data["seed"] = np.array(seeds, dtype=np.int64)[data["replicate"]]
        data["layer"] = np.concatenate([np.tile(np.arange(1, n + 1), self.plan.replicates) for n in layers])
        numbers = np.concatenate([own.reshape(-1, len(COLUMNS)) for own in self._numbers])
        return pd.DataFrame(data | dict(zip(COLUMNS, numbers.T, strict=True)))

    def statistics(self) -> "pd.DataFrame":
        """A row a point, layer and statistic: the grid's keys, layer, statistic, replicates, mean, sd, se, low, high.

        replicates: those that have the statistic; low, high: the ends of the mean's 95 % interval, Student's, and of
        what is never negative Student's for the logarithm of the mean.
        """
        import pandas as pd

        layers = [own.shape[1] for own in self._numbers]
        data = self._keys([count * len(COLUMNS) for count in layers])
        data["layer"] = np.concatenate([np.repeat(np.arange(1, n + 1), len(COLUMNS)) for n in layers])
        data["statistic"] = np.tile(np.array(COLUMNS, dtype=object), sum(layers))
        for name in self._intervals[0]:
            data[name] = np.concatenate([own[name].ravel() for own in self._intervals])
        return pd.DataFrame(data)

    def last_layers(self) -> "pd.DataFrame":
        """A row a point and shown statistic: the grid's keys, statistic, and mean, low, high at the last layer."""
        import pandas as pd

        shown = self.plan.shown
        data = self._keys([len(shown)] * len(self._numbers))
        data["statistic"] = np.tile(np.array(shown, dtype=object), len(self._numbers))
        for name in ("mean", "low", "high"):
            data[name] = [own[name][-1, COLUMNS.index(column)] for own in self._intervals for column in shown]
        return pd.DataFrame(data)

    def to_parquet(self, path: str | os.PathLike[str]) -> Path:
        """Writes `frame()` and returns the path. Raises SheetsimError without pyarrow, or when that fails."""
        check_parquet()
        content = BytesIO()
        self.frame().to_parquet(content, engine="pyarrow", index=False)
        target = path_of(path)
        with whole_file(target) as file:
            file.write(content.getvalue())
        return target

    def to_excel(self, path: str | os.PathLike[str], *, values_only: bool = False) -> Path:
        """Writes the workbook and returns its path; `values_only` leaves the formulas out."""
        from sheetsim.workbook.writing.write import write

        plan = self.plan
        SweepBook.check(sum(own.shape[1] for own in self._numbers), plan.parameters)
        points = [point.keys for point in plan.points]
        book = SweepBook(plan.title, plan.description, plan.grid, points, plan.replicates, self._shown(), CONFIDENCE)
        command = writing(plan.command, values_only)
        layout = Layout(book.sheets(command, plan.parameters), live=not values_only)
        said = manifest(layout, self.title, parameters={}, values_only=values_only, sweep=plan.parameters)
        values = evaluate(layout.places)
        return write(path, layout, values, properties=properties(self.title), manifest=said.rows())

    def __repr__(self) -> str:
        return f"<Sweep {self.name}: {len(self._numbers)} points, {self.plan.replicates} replicates each>"

    def _repr_html_(self) -> str:
        return f"<p>{self.plan.title}</p>{self.last_layers().to_html(float_format='{:.4g}'.format, index=False)}"

    @cached_property
    def _intervals(self) -> list[dict[str, Any]]:
        """By point and column of `statistics`, layers × COLUMNS."""
        shares = np.isin(COLUMNS, SHARES)
        never_below = [np.isin(COLUMNS, nonnegative(point.study.activation)) for point in self.plan.points]
        return [
            interval_arrays(own, CONFIDENCE, floor, shares)
            for own, floor in zip(self._numbers, never_below, strict=True)
        ]

    def _shown(self) -> dict[str, list[dict[str, Any]]]:
        """By shown statistic and point, the columns of its interval, each with a number a layer."""
        return {
            name: [{key: of[:, COLUMNS.index(name)] for key, of in own.items()} for own in self._intervals]
            for name in self.plan.shown
        }

    def _keys(self, rows: list[int]) -> dict[str, Any]:
        """By key of the grid, its value at each point, as many times as the point has rows."""
        return {
            key: np.repeat(_column([point.keys[key] for point in self.plan.points]), rows) for key in self.plan.grid
        }


def sweep(
    what: "str | os.PathLike[str] | Mapping[str, Any]",
    /,
    *,
    folder: str | os.PathLike[str] | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    progress: SweepProgress | None = None,
) -> Sweep:
    """Runs the sweep of a TOML file, or of a mapping with the same keys (see `sheetsim.grid.Grid`).

    folder: where parts are kept as they are done; a later run, also of another grid, computes only what is not there.
    workers: processes on this machine; scheduler: a Dask scheduler's address instead, or "local".
    progress: called with the number of points done, of all points, and the share of the missing work that is done.
    The numbers depend on neither folder, workers nor scheduler. Raises SheetsimError with the key at fault.
    """
    return run_plan(load(what), folder, workers, scheduler, progress)


def run_plan(
    plan: SweepPlan,
    folder: str | os.PathLike[str] | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    progress: SweepProgress | None = None,
) -> Sweep:
    """Computes a plan's points, but for the parts that the folder has."""
    check_workers(workers, scheduler)
    function("progress", progress)
    _check_memory(plan)
    parts = None if folder is None else Parts(path_of(folder, "the folder"))
    units = list(_units(plan))
    found = [_kept(parts, unit) for unit in units]
    missing = [k for k, numbers in enumerate(found) if numbers is None]
    tell = _Told(plan, units, missing, progress)
    tasks = (units[k].task() for k in missing)
    with closing(in_order(measure, tasks, workers=workers, scheduler=scheduler)) as results:
        for k, batch in zip(missing, results, strict=True):
            found[k] = np.array([numbers for numbers, _ in batch])
            if parts is not None:
                parts.store(units[k].name, found[k])
            tell.done(units[k])
    own: list[list[Any]] = [[] for _ in plan.points]
    for unit, part in zip(units, found, strict=True):
        for index in unit.points:
            own[index].append(part[:, : len(plan.points[index].study.layers)])
    return Sweep(plan, [np.concatenate(batches) for batches in own])


def check_parquet() -> None:
    """Raises SheetsimError where no Parquet can be written."""
    if find_spec("pyarrow") is None:
        raise SheetsimError("a sweep's table is a Parquet file, which needs pyarrow: pip install 'sheetsim[parquet]'")


def check(plan: SweepPlan) -> None:
    """Raises the SheetsimError that the plan, its table or its workbook would raise, as far as can be told before."""
    check_parquet()
    _check_memory(plan)
    SweepBook.check(sum(len(point.study.layers) for point in plan.points), plan.parameters)


def cost(study: Forward) -> float:
    """The work of a replicate in multiply-adds: products, units' covariances, and the rest by what it was measured."""
    samples = _samples(study)
    return sum(
        samples * m * (n + m + PER_OUTPUT) + n * m * ((n if n <= samples else 0) + PER_WEIGHT) + PER_LAYER
        for n, m in pairwise(_widths(study))
    )


def _check_memory(plan: SweepPlan) -> None:
    """Refuses what the machine does not hold: the numbers of all points; and of a point the weights, covariances and
    outputs of its widest layer, or, of samples in several blocks, the weights and covariances of all layers at once."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return
    held = 8 * len(COLUMNS) * plan.replicates * sum(len(point.study.layers) for point in plan.points)
    if held > memory:
        size = f"{plan.replicates:,} replicates at {len(plan.points):,} points are {held / 1e9:,.0f} GB of numbers"
        raise SheetsimError(f"{size}, more than this machine's memory holds")
    for point in plan.points:
        samples, layers = _samples(point.study), list(pairwise(_widths(point.study)))
        if samples * max(map(max, layers)) <= BLOCK:
            needed = 8 * max(3 * n * m + 2 * m * m + 6 * samples * m for n, m in layers)
        else:
            needed = 8 * sum(n * m + m * m for n, m in layers)
        if needed > memory:
            raise SheetsimError(f"the point {point} needs {needed / 1e9:,.0f} GB, more memory than this machine has")


def _samples(study: Forward) -> int:
    return len(study.input) if hasattr(study.input, "__array__") else study.samples or SAMPLES


def _widths(study: Forward) -> list[int]:
    """The inputs, and the units of each layer."""
    inputs = study.input.shape[1] if hasattr(study.input, "__array__") else study.inputs or INPUTS
    return [inputs, *study.layers]


class _Told:
    """Says how far the sweep is, after each part."""

    def __init__(self, plan: SweepPlan, units: list[Unit], missing: list[int], progress: SweepProgress | None) -> None:
        self._left = dict.fromkeys(range(len(plan.points)), 0)
        for k in missing:
            for point in units[k].points:
                self._left[point] += 1
        self._work = sum(_work(units[k]) for k in missing)
        self._worked = 0.0
        self._progress = progress

    def done(self, unit: Unit) -> None:
        self._worked += _work(unit)
        for point in unit.points:
            self._left[point] -= 1
        if self._progress is not None:
            complete = sum(not left for left in self._left.values())
            self._progress(complete, len(self._left), self._worked / self._work)


def _work(unit: Unit) -> float:
    return cost(unit.study) * (unit.last - unit.first)


def _units(plan: SweepPlan) -> Iterator[Unit]:
    """The parts of all points: of points that differ by their depth alone, those of the deepest."""
    deepest: dict[str, list[int]] = {}
    for index, point in enumerate(plan.points):
        deepest.setdefault(_network(point.study), []).append(index)
    for same in deepest.values():
        study = max((plan.points[index].study for index in same), key=lambda own: len(own.layers))
        size = int(np.clip(PART // cost(study), 1, plan.replicates))
        for first in range(0, plan.replicates, size):
            yield Unit(study, first, min(first + size, plan.replicates), tuple(same))


def _network(study: Forward) -> str:
    """What networks have in common of which one is the beginning of the other: all but the number of layers."""
    if len(set(study.layers)) > 1 or isinstance(study.initializer, list):
        return fingerprint(study, COLUMNS)
    return fingerprint(msgspec.structs.replace(study, layers=study.layers[:1]), COLUMNS)


def _kept(parts: Parts | None, unit: Unit) -> Any:
    """The unit's numbers, or None where they are not kept whole."""
    found = None if parts is None else parts.load(unit.name)
    return found if found is None or found.shape == unit.shape else None


def _column(values: list[Any]) -> Any:
    """Values of a key as a column of numbers, or of texts where they are not all numbers."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return np.array(values)
    return np.array([value if isinstance(value, str) else toml_value(value) for value in values], dtype=object)
