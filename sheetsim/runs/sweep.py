"""Sweeps: replicates at every point of a grid, kept part by part so that a sweep can be killed and taken up again.

Replicate k has the same seed at every point, and draws depend on the seed and the matrix's name alone: points differ by
their parameters and not by chance (common random numbers). For this reason a shallow network is the beginning of a deep
one, and is not computed again.
"""

import os
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import cached_property
from importlib.util import find_spec
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from sheetsim.arguments import function
from sheetsim.engine.evaluate import Values, evaluate
from sheetsim.engine.jobs import check_workers, in_order
from sheetsim.errors import SheetsimError
from sheetsim.files import path_of
from sheetsim.language import Language, language
from sheetsim.model.graph import Graph
from sheetsim.runs.intervals import interval_arrays
from sheetsim.runs.manifest import Manifest, manifest
from sheetsim.runs.observed import Batch, Label, Measurer, Observed, child_seed, measure
from sheetsim.runs.observed_forward import ForwardMeasurer, ForwardObserved
from sheetsim.runs.parts import Parts, fingerprint
from sheetsim.runs.replicates import CONFIDENCE
from sheetsim.runs.replicates_plan import BLOCK
from sheetsim.runs.sweep_book import SweepBook
from sheetsim.runs.sweep_grid import REPLICATES, Point, SweepPlan, load_sweep, planned
from sheetsim.runs.templates import writing
from sheetsim.runs.written import Written
from sheetsim.studies.forward.study import INPUTS, SAMPLES, Forward
from sheetsim.studies.study import Experiment, toml_value
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


class Unit(msgspec.Struct, frozen=True):
    """Replicates first … last − 1 of the study or model of so many points: what is computed and kept as one."""

    study: Experiment | Graph
    observed: Observed
    first: int
    last: int
    points: tuple[int, ...]

    @property
    def name(self) -> str:
        """The part's file name: study and replicates."""
        return f"{fingerprint(self.study, self.observed.names)}-{self.first}-{self.last}"

    @property
    def shape(self) -> tuple[int, int]:
        """Replicates × statistics."""
        return self.last - self.first, len(self.observed.labels)

    def task(self) -> Batch:
        """Without histograms: they need pilot runs."""
        observed = self.observed
        measurer: Measurer
        if isinstance(observed, ForwardObserved):
            measurer = ForwardMeasurer(observed.study, NO_BINS, False)
        else:
            measurer = observed.measurer(False)
        return Batch(pickle.dumps(measurer), self.first, self.last)


class Sweep(Written):
    """A computed sweep: every number as one tidy table, statistics with intervals, Parquet and the workbook."""

    def __init__(self, plan: SweepPlan, numbers: list[NDArray[np.float64]]) -> None:
        """numbers: of each point, replicates × its labels."""
        self.name, self.title, self.plan = plan.name, plan.title, plan
        self._numbers = numbers

    def frame(self) -> "pd.DataFrame":
        """Every number: a row per point, replicate and table's row (layer, start, …).

        Returns
        -------
        pandas.DataFrame
            The grid's keys, replicate, seed, the row and every statistic (NaN for none). `sheetsim.run` of the point
            with that seed is the replicate.
        """
        import pandas as pd

        plan = self.plan
        seeds = [child_seed(plan.seed, k, plan.draws) for k in range(plan.replicates)]
        rows = [list(dict.fromkeys(row for row, _ in point.observed.labels)) for point in plan.points]
        counts = [len(of) for of in rows]
        data = self._keys([plan.replicates * count for count in counts])
        data["replicate"] = np.concatenate([np.repeat(np.arange(plan.replicates), count) for count in counts])
        data["seed"] = np.array(seeds, dtype=np.int64)[data["replicate"]]
        data[plan.index] = column_of([row for of in rows for _ in range(plan.replicates) for row in of])
        for name in plan.columns:
            blocks = []
            for point, of, numbers in zip(plan.points, rows, self._numbers, strict=True):
                places = {label: k for k, label in enumerate(point.observed.labels)}
                block = np.full((plan.replicates, len(of)), np.nan)
                for c, row in enumerate(of):
                    if (row, name) in places:
                        block[:, c] = numbers[:, places[row, name]]
                blocks.append(block.ravel())
            data[name] = np.concatenate(blocks)
        return pd.DataFrame(data)

    def statistics(self) -> "pd.DataFrame":
        """Statistics over replicates: a row per point, table's row and statistic.

        Returns
        -------
        pandas.DataFrame
            The grid's keys, the row, statistic, replicates (those that have the statistic), mean, sd, se, and low and
            high, the ends of the mean's 95 % interval: Student's, and for a statistic that is never negative Student's
            for the logarithm of the mean.
        """
        import pandas as pd

        orders = [_by_row(point.observed.labels) for point in self.plan.points]
        data = self._keys([len(order) for order in orders])
        labels = [
            point.observed.labels[k] for point, order in zip(self.plan.points, orders, strict=True) for k in order
        ]
        data[self.plan.index] = column_of([row for row, _ in labels])
        data["statistic"] = np.array([name for _, name in labels], dtype=object)
        for name in self._intervals[0]:
            columns = [of[name][order] for of, order in zip(self._intervals, orders, strict=True)]
            data[name] = np.concatenate(columns)
        return pd.DataFrame(data)

    def last_layers(self) -> "pd.DataFrame":
        """The last row (of a network, the last layer) of each point and shown statistic: mean, low and high."""
        import pandas as pd

        shown = self._shown()
        data = self._keys([len(shown)] * len(self._numbers))
        data["statistic"] = np.tile(np.array(list(shown), dtype=object), len(self._numbers))
        for name in ("mean", "low", "high"):
            data[name] = [of[k][name][-1] for k in range(len(self._numbers)) for of in shown.values()]
        return pd.DataFrame(data)

    def to_parquet(self, path: str | os.PathLike[str]) -> Path:
        """Write `frame()` as Parquet and return the path.

        Raises
        ------
        SheetsimError
            pyarrow is not installed, or the file cannot be written.
        """
        check_parquet()
        content = BytesIO()
        self.frame().to_parquet(content, engine="pyarrow", index=False)
        target = path_of(path)
        with whole_file(target) as file:
            file.write(content.getvalue())
        return target

    def manifest(self, layout: Layout, values_only: bool) -> Manifest:
        """What the book of that layout says about itself."""
        return manifest(layout, self.title, parameters={}, values_only=values_only, sweep=self.plan.parameters)

    def book(self, values_only: bool = False, lang: str | None = None) -> tuple[Layout, Values]:
        """What stands where in the workbook, and its numbers."""
        plan = self.plan
        SweepBook.check(plan.rows, plan.parameters)
        points = [point.keys for point in plan.points]
        meanings = {name: plan.columns[statistic] for name, (statistic, _) in plan.shown.items()}
        shown = self._shown()
        book = SweepBook(
            plan.title, plan.description, plan.grid, points, plan.replicates, shown, CONFIDENCE, plan.index, meanings
        )
        command = writing(plan.command, values_only)
        layout = Layout(
            book.sheets(command, plan.parameters),
            live=not values_only,
            spoken=self._spoken(lang),
        )
        return layout, evaluate(layout.places)

    def _spoken(self, lang: str | None = None) -> Language:
        return language(lang or self.plan.lang, self.plan.points[0].observed.name)

    def __repr__(self) -> str:
        return f"<Sweep {self.name}: {len(self._numbers)} points, {self.plan.replicates} replicates each>"

    def _repr_html_(self) -> str:
        table = self.last_layers().to_html(float_format="{:.4g}".format, index=False)
        return f"<p>{self.plan.title}</p>{table}{self._picture_html()}"

    @cached_property
    def _intervals(self) -> list[dict[str, NDArray[Any]]]:
        """By point and column of `statistics`, a number a label."""
        intervals = []
        for point, numbers in zip(self.plan.points, self._numbers, strict=True):
            names, signs = [name for _, name in point.observed.labels], point.observed.signs
            floor = np.isin(names, list(signs.nonnegative))
            intervals.append(interval_arrays(numbers, CONFIDENCE, floor, np.isin(names, list(signs.shares))))
        return intervals

    def _shown(self) -> dict[str, list[dict[str, NDArray[Any]]]]:
        """By what is shown and point, the columns of its interval, each with a number a row."""
        shown: dict[str, list[dict[str, NDArray[Any]]]] = {}
        for name, (statistic, row) in self.plan.shown.items():
            for point, intervals in zip(self.plan.points, self._intervals, strict=True):
                labels = point.observed.labels
                at = [k for k, (r, of) in enumerate(labels) if of == statistic and row in (None, r)]
                shown.setdefault(name, []).append({key: of[at] for key, of in intervals.items()})
        return shown

    def _keys(self, rows: list[int]) -> dict[str, Any]:
        """By key of the grid, its value at each point, as many times as the point has rows."""
        return {
            key: np.repeat(column_of([point.keys[key] for point in self.plan.points]), rows) for key in self.plan.grid
        }


def sweep(
    what: "str | os.PathLike[str] | Mapping[str, Any] | Callable[..., Experiment | Graph]",
    grid: Mapping[str, Any] | None = None,
    /,
    *,
    replicates: int | None = None,
    show: str | Sequence[str] = "",
    title: str = "",
    folder: str | os.PathLike[str] | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    progress: SweepProgress | None = None,
) -> Sweep:
    """Run replicates at every point of a grid.

    Parameters
    ----------
    what
        The path of a TOML file; a mapping with the same keys; or a function with `grid`, where function(**point) gives
        a model or a study for each point: `sweep(f, {"width": [10, 100]})`.
    grid
        Values by key, for a function.
    replicates
        Of a function's sweep, as the key of a file.
    show
        Of a function's sweep, as the key of a file.
    title
        Of a function's sweep, as the key of a file.
    folder
        Where parts are kept as they are done. A later run, also of another grid, computes only what is missing.
    workers
        Processes on this machine.
    scheduler
        A Dask scheduler's address, or "local", in place of processes.
    progress
        Called with the number of points done, of all points, and the share of the missing work that is done.

    Returns
    -------
    Sweep
        The numbers depend on neither `folder`, `workers` nor `scheduler`.

    Raises
    ------
    SheetsimError
        A key is wrong; the message names it.

    Examples
    --------
    >>> import sheetsim
    >>> def launch(price):
    ...     model = sheetsim.Model(seed=1)
    ...     demand = model.input("demand", sheetsim.normal(100, 15), (200, 1))
    ...     model.output("profit", demand * (price - 3) - 150)
    ...     return model
    >>> swept = sheetsim.sweep(launch, {"price": [4, 5]}, replicates=2, show="mean")
    >>> len(swept.last_layers())
    2
    """
    if callable(what):
        if grid is None:
            raise SheetsimError("a sweep of a function needs a grid: sweep(function, {key: values})")
        names = show if isinstance(show, str) else list(show)
        plan = planned(what, grid, title, REPLICATES if replicates is None else replicates, names)
    elif grid is not None or replicates is not None or show or title:
        raise SheetsimError(
            "a sweep given as a file or a mapping contains its grid, replicates, show and title: leave these "
            "arguments out"
        )
    else:
        plan = load_sweep(what)
    return run_sweep(plan, folder, workers, scheduler, progress)


def run_sweep(
    plan: SweepPlan,
    folder: str | os.PathLike[str] | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    progress: SweepProgress | None = None,
) -> Sweep:
    """Computes a plan's points, except the parts that the folder has."""
    check_workers(workers, scheduler)
    function("progress", progress)
    _check_memory(plan)
    parts = None if folder is None else Parts(path_of(folder, "the folder"))
    units = list(_units(plan))
    numbers_of_units = [_kept(parts, unit) for unit in units]
    missing = [k for k, numbers in enumerate(numbers_of_units) if numbers is None]
    tell = _Told(plan, units, missing, progress)
    tasks = (units[k].task() for k in missing)
    with closing(in_order(measure, tasks, workers=workers, scheduler=scheduler)) as results:
        for k, batch in zip(missing, results, strict=True):
            numbers_of_units[k] = np.array([measured.numbers for measured in batch])
            if parts is not None:
                parts.store(units[k].name, numbers_of_units[k])
            tell.done(units[k])
    of_points: list[list[NDArray[np.float64]]] = [[] for _ in plan.points]
    for unit, part in zip(units, numbers_of_units, strict=True):
        places = {label: k for k, label in enumerate(unit.observed.labels)}
        for index in unit.points:
            of_points[index].append(part[:, [places[label] for label in plan.points[index].observed.labels]])
    return Sweep(plan, [np.concatenate(batches) for batches in of_points])


def check_parquet() -> None:
    """Raises SheetsimError where no Parquet can be written."""
    if find_spec("pyarrow") is None:
        raise SheetsimError("a sweep's table is a Parquet file, which needs pyarrow: pip install 'sheetsim[parquet]'")


def check_sweep(plan: SweepPlan) -> None:
    """Raises the SheetsimError that the plan, its table or its workbook would raise, as far as can be told before."""
    check_parquet()
    _check_memory(plan)
    SweepBook.check(plan.rows, plan.parameters)


def cost(observed: Observed) -> float:
    """Work of a replicate in multiply-adds: products and covariances of units, or for other studies as measured."""
    if not isinstance(observed, ForwardObserved):
        return observed.measurer(False).work
    study = observed.study
    samples = _samples(study)
    return sum(
        samples * m * (n + m + PER_OUTPUT) + n * m * ((n if n <= samples else 0) + PER_WEIGHT) + PER_LAYER
        for n, m in pairwise(_widths(study))
    )


def _check_memory(plan: SweepPlan) -> None:
    """Refuse what the machine cannot hold.

    Counted are the numbers of all points; and of a point the weights, covariances and outputs of its widest layer, or,
    with samples in several blocks, the weights and covariances of all layers at once.
    """
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return
    held = 8 * plan.replicates * sum(len(point.observed.labels) for point in plan.points)
    if held > memory:
        size = f"{plan.replicates:,} replicates at {len(plan.points):,} points are {held / 1e9:,.0f} GB of numbers"
        raise SheetsimError(f"{size}, more than this machine's memory holds")
    for point in plan.points:
        if not isinstance(point.observed, ForwardObserved):
            continue
        samples, layers = _samples(point.observed.study), list(pairwise(_widths(point.observed.study)))
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
    return cost(unit.observed) * (unit.last - unit.first)


def _units(plan: SweepPlan) -> Iterator[Unit]:
    """The parts of all points: of points that differ by their depth alone, those of the deepest."""
    deepest: dict[str, list[int]] = {}
    for index, point in enumerate(plan.points):
        deepest.setdefault(_network(point), []).append(index)
    for same in deepest.values():
        point = max((plan.points[index] for index in same), key=lambda point: len(point.observed.labels))
        size = int(np.clip(PART // cost(point.observed), 1, plan.replicates))
        for first in range(0, plan.replicates, size):
            yield Unit(point.study, point.observed, first, min(first + size, plan.replicates), tuple(same))


def _network(point: Point) -> str:
    """What studies share where one is the beginning of the other: of networks, all but the number of layers."""
    study, names = point.study, point.observed.names
    if not isinstance(point.observed, ForwardObserved):
        return fingerprint(study, names)
    assert isinstance(study, Forward)
    if len(set(study.layers)) > 1 or isinstance(study.initializer, list):
        return fingerprint(study, names)
    return fingerprint(msgspec.structs.replace(study, layers=study.layers[:1]), names)


def _by_row(labels: Sequence[Label]) -> list[int]:
    """The places of labels, row by row."""
    order = {row: k for k, row in enumerate(dict.fromkeys(row for row, _ in labels))}
    return sorted(range(len(labels)), key=lambda k: order[labels[k][0]])


def _kept(parts: Parts | None, unit: Unit) -> Any:
    """The unit's numbers, or None where they are not kept whole."""
    numbers = None if parts is None else parts.load(unit.name)
    return numbers if numbers is None or numbers.shape == unit.shape else None


def column_of(values: list[Any]) -> Any:
    """Values of a key as a column of numbers, or of texts where they are not all numbers."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return np.array(values)
    return np.array([value if isinstance(value, str) else toml_value(value) for value in values], dtype=object)
