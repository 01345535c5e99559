"""Replicates of a study over independent seeds: computed, joined with theory, and written as a workbook."""

import os
import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sheetsim import arguments
from sheetsim.engine.evaluate import Values, evaluate
from sheetsim.engine.jobs import alone, check_workers, in_order
from sheetsim.engine.moments import UnitMoments
from sheetsim.errors import SheetsimError
from sheetsim.runs import templates
from sheetsim.runs.intervals import SKEWED, Facts, Label, bootstrap_t, reading_frame, widest
from sheetsim.runs.manifest import Manifest, Replicated, manifest
from sheetsim.runs.replicates_book import ReplicatesBook
from sheetsim.runs.replicates_plan import (
    Batch,
    Replicator,
    Theory,
    child_seed,
    expected,
    measure,
    rounding,
    spread_of_a_layer,
    spread_of_logs,
    with_data,
)
from sheetsim.runs.streaming import COLUMNS, nonnegative, products
from sheetsim.studies.forward.study import Forward
from sheetsim.studies.study import properties
from sheetsim.summary.histogram import histogram_frame
from sheetsim.workbook.layout import Layout

if TYPE_CHECKING:
    import pandas as pd

REPLICATES = 100

# `until` looks no earlier: with fewer the spread itself is hardly known.
FLOOR = 30

CONFIDENCE = 0.95

# What `until` and the convergence are about, unless others are named.
CHOSEN = ("pooled", "var")

# The book of replicates has twenty rows a layer, each of a dozen formulas.
MOST_LAYERS = 250

# Multiply-adds in one task: some tenths of a second, long against handing it out, short against Ctrl-C.
WORK = 1e9

ReplicateProgress = Callable[[int, float], None]


@dataclass(frozen=True)
class ReplicatesPlan:
    """What to replicate and how often.

    run: the command that runs the study once, and template what it begins with; replicates: how many, or at most how
    many with `until`, the wished half-width over mean of the intervals of the `chosen` statistics at every layer;
    single: layers in single precision; bootstrap: intervals of the means by the bootstrap too.
    """

    study: Forward
    name: str
    run: str
    replicates: int
    until: float | None = None
    chosen: tuple[str, ...] = CHOSEN
    single: bool = False
    bootstrap: bool = False
    template: str = ""

    @property
    def command(self) -> str:
        """The command that makes the replicates again."""
        words = [self.run.replace("sheetsim run", "sheetsim replicate", 1)]
        if not self.run.startswith("sheetsim run"):
            return self.run
        words.append(f"--replicates {self.replicates}")
        if self.until is not None:
            words.append(f"--until {self.until!r}")
        if self.chosen != CHOSEN:
            words.append(f"--statistics {','.join(self.chosen)}")
        return " ".join(words + ["--single"] * self.single + ["--bootstrap"] * self.bootstrap)

    def options(self) -> dict[str, Any]:
        """How the study is replicated, beside its own keys."""
        found = {"replicates": self.replicates, "until": self.until, "statistics": list(self.chosen)}
        return {key: value for key, value in found.items() if value is not None} | {
            "single": self.single,
            "bootstrap": self.bootstrap,
        }

    def __post_init__(self) -> None:
        arguments.whole("replicates", self.replicates, 2)
        arguments.flag("single", self.single)
        arguments.flag("bootstrap", self.bootstrap)
        if len(self.study.layers) > MOST_LAYERS:
            raise SheetsimError(f"replicates have {MOST_LAYERS} layers at most, not {len(self.study.layers):,}")
        if self.until is not None and not (isinstance(self.until, float) and 0 < self.until < 1):
            raise SheetsimError(f"until must lie between 0 and 1 (2% is 0.02), not {arguments.said(self.until)}")
        if not all(isinstance(name, str) for name in self.chosen) or not self.chosen:
            raise SheetsimError(f"statistics: name at least one of {', '.join(COLUMNS)}")
        for name in self.chosen:
            if name not in COLUMNS:
                raise SheetsimError(f"unknown statistic {name!r}: choose of {', '.join(COLUMNS)}")


class Replicates:
    """Computed replicates: statistics with intervals, pooled histograms, a row a replicate, and the workbook.

    count: how many there are; reason: why there are not more.
    """

    def __init__(
        self, plan: ReplicatesPlan, rows: Any, counts: Any, edges: Any, reason: str, error: Any = None
    ) -> None:
        """error: of single precision, see `replicates_plan.rounding`."""
        self.name, self.title = plan.name, plan.study.title or "Forward pass"
        self.count, self.reason = len(rows), reason
        self.edges, self.counts = edges, counts
        self._plan, self._rows, self._error = plan, rows, error
        layers = range(1, len(plan.study.layers) + 1)
        self.labels: list[Label] = [(layer, statistic) for statistic in COLUMNS for layer in layers]

    def statistics(self) -> "pd.DataFrame":
        """Mean, sd, se, interval, percentiles, theory and its z: a row a layer and statistic.

        What is never negative has an interval that is not either, and, where it is above 0 in all replicates, its
        geometric mean with an interval; `read` says which mean to read. NaN where there is no number; `attrs["notes"]`
        says in sentences why, and what else to know.
        In single precision `rounding` says how far, relatively, a statistic of the first replicates was from double;
        with the bootstrap `boot_low` and `boot_high` are the ends of the mean's interval by `intervals.bootstrap_t`.
        """
        import pandas as pd

        frame = self._book.statistics.frame(self._values)
        frame.index = pd.MultiIndex.from_tuples(self.labels, names=("layer", "statistic"))
        for name, numbers in self._more.items():
            frame[name] = numbers
        frame.attrs["notes"] = list(self.notes)
        return frame.sort_index(level="layer", sort_remaining=False, kind="stable")

    def claims(self) -> "pd.DataFrame":
        """The claims of the explanation by additivity of variance over all replicates: a row a claim and layer."""
        return reading_frame(self._book.readings, self._values)

    def frame(self) -> "pd.DataFrame":
        """A row a replicate and layer: its seed, which `sheetsim.run` takes, and every statistic."""
        import pandas as pd

        layers = len(self._plan.study.layers)
        numbers = np.asarray(self._rows[:, 1:]).reshape(self.count, len(COLUMNS), layers)
        index = pd.MultiIndex.from_product([range(self.count), range(1, layers + 1)], names=("replicate", "layer"))
        frame = pd.DataFrame(numbers.transpose(0, 2, 1).reshape(-1, len(COLUMNS)), index=index, columns=list(COLUMNS))
        frame.insert(0, "seed", np.repeat(self._rows[:, 0].astype(np.int64), layers))
        return frame

    def histograms(self) -> "pd.DataFrame":
        """Counts over all replicates by layer and bin, those below and above the edges included."""
        return histogram_frame(self.edges.reshape(-1, 1), [own.reshape(-1, 1) for own in self.counts])

    def to_excel(self, path: str | os.PathLike[str], *, values_only: bool = False) -> Path:
        """Writes the workbook and returns its path; `values_only` leaves the formulas out."""
        from sheetsim.workbook.writing.write import write

        layout, values = self.book(values_only)
        said = self.manifest(layout, values_only)
        return write(path, layout, values, properties=properties(self.title), manifest=said.rows())

    def manifest(self, layout: Layout, values_only: bool) -> Manifest:
        """What the book of that layout says of itself."""
        return manifest(
            layout,
            self.title,
            template=self._plan.template,
            parameters=self._plan.study.parameters(),
            values_only=values_only,
            tables={"statistics": self._book.statistics},
            histograms={"histograms": self._book.histogram},
            replicates=Replicated(run=self._plan.run, **self._plan.options()),
        )

    def book(self, values_only: bool = False) -> tuple[Layout, Values]:
        """What stands where in the workbook, and its numbers."""
        live = self._book.live and not values_only
        command = templates.writing(self._plan.command, values_only)
        parameters = self._plan.study.parameters() | self._plan.options()
        layout = Layout(self._book.sheets(command, parameters, live), live=live)
        return layout, self._values | evaluate(node for node in layout.places if node not in self._values)

    def __repr__(self) -> str:
        return f"<Replicates {self.name}: {self.count}; {self.reason}>"

    def _repr_html_(self) -> str:
        said = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        table = self.statistics().to_html(float_format="{:.4g}".format, na_rep="–")
        return f"<p>{self.count} replicates: {escape(self.reason)}</p>{said}{table}"

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of the statistics, in sentences: where theory is missing, which means to distrust."""
        study, limit = self._plan.study, SKEWED * float(np.log(self.count))
        scaled = products(study.activation)
        facts = {label: Facts.of(self._rows[:, k]) for k, label in enumerate(self.labels, 1) if label[1] in scaled}
        skewed = sum(own.skewed for own in facts.values())
        # Networks without signal, or that overflow, have no such products.
        spread = spread_of_logs(study) * facts[len(study.layers), "second_moment"].varied
        notes = self._theory.gaps
        if not skewed and spread <= limit:
            return notes
        found = (
            "Numbers that deep or narrow networks make as products over layers are near log-normal over seeds (Hanin & "
            "Rolnick 2018). Where the variance of their logarithm is over ln(replicates)/3, here "
            f"{limit:.2g}, a few seeds make the mean, and its interval covers less than it says: read what Statistics "
            f"names under `read` (not the mean in {skewed} of {len(self.labels)} rows)."
        )
        if spread > limit:
            found += (
                f" Of second moments it is up to about {spread:.2g} by depth and width, nearly "
                f"{spread_of_a_layer(study):g}/units a layer."
            )
        return (*notes, found)

    @cached_property
    def _theory(self) -> Theory:
        return expected(self._plan.study)

    @cached_property
    def _book(self) -> ReplicatesBook:
        return ReplicatesBook(
            self._plan.study,
            self._rows,
            self.counts,
            self.edges,
            self.labels,
            self._theory.values,
            self.reason,
            CONFIDENCE,
            self._plan.chosen,
            self._more,
            self.notes,
        )

    @cached_property
    def _more(self) -> dict[str, Any]:
        """Columns of the statistics that no formula gives."""
        found = {}
        if self._plan.bootstrap:
            never_below = nonnegative(self._plan.study.activation)
            ends = [
                bootstrap_t(self._rows[:, k], CONFIDENCE, self._plan.study.seed, name in never_below)
                for k, (_, name) in enumerate(self.labels, start=1)
            ]
            found["boot_low"], found["boot_high"] = np.array(ends).T
        if self._error is not None:
            found["rounding"] = self._error.T.ravel()
        return found

    @cached_property
    def _values(self) -> Values:
        claims = (cell for claim in self._book.readings for cells in claim.cells() for cell in cells)
        return evaluate([*self._book.statistics.cells(), *claims])


def share(value: float | str | None) -> float | None:
    """A share as a person writes it, 0.02 or `2%`. Raises SheetsimError for what is none."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    try:
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise SheetsimError(f"until {value}: write a share, for example 2%") from None


def replicate(
    what: "str | os.PathLike[str] | Forward",
    /,
    replicates: int = REPLICATES,
    *,
    until: float | str | None = None,
    statistics: Sequence[str] = CHOSEN,
    workers: int = 1,
    scheduler: str | None = None,
    single: bool = False,
    bootstrap: bool = False,
    progress: ReplicateProgress | None = None,
    **overrides: Any,
) -> Replicates:
    """Runs a template, a TOML file or a Forward(...) so many times, each replicate with a child seed of its own.

    until: a share, 0.02 or "2%": stop as soon as the 95 % intervals of the `statistics` are narrower, on each side,
    than this share of their means at every layer, with at least FLOOR replicates and at most `replicates` (the
    intervals are then those of a rule that stops when they look narrow: a little too narrow with few replicates);
    workers: processes on this machine; scheduler: a Dask scheduler's address instead; single: layers in float32;
    bootstrap: intervals by the bootstrap too;
    progress: called with the number of replicates and the widest relative half-width.
    The numbers depend on neither workers nor scheduler. Raises SheetsimError with the key at fault.
    """
    chosen = tuple(arguments.listed("statistics", statistics, "names"))
    scenario = templates.scenario(what, overrides)
    study = templates.forward(scenario.experiment, "replicates")
    plan = ReplicatesPlan(
        study, scenario.name, scenario.command, replicates, share(until), chosen, single, bootstrap, scenario.template
    )
    return run_plan(plan, workers, scheduler, progress)


def run_plan(
    plan: ReplicatesPlan, workers: int = 1, scheduler: str | None = None, progress: ReplicateProgress | None = None
) -> Replicates:
    """Computes a plan's replicates."""
    check_workers(workers, scheduler)
    arguments.function("progress", progress)
    _check_disk(plan)
    study = with_data(plan.study)
    replicator = Replicator(study, single=plan.single)
    edges = alone(lambda: replicator.edges)
    batches = _batches(plan, study, edges, replicator.work)
    precision = _Precision(plan)
    counts: Any = 0
    # Rows on disk, so that memory does not grow with the replicates; without a name, so that nothing is left behind.
    with (
        tempfile.TemporaryFile() as spool,
        closing(in_order(measure, batches, workers=workers, scheduler=scheduler)) as results,
    ):
        for numbers, counted in (one for batch in results for one in batch):
            row = np.concatenate([[child_seed(study.seed, precision.done)], numbers.T.ravel()])
            spool.write(row.tobytes())
            counts = counts + counted
            # Of a network that overflows nothing is precise, and that is no warning.
            with np.errstate(all="ignore"):
                precision.add(row)
            if progress is not None:
                progress(precision.done, precision.wide)
            if precision.enough:
                break
        spool.flush()
        rows = np.memmap(spool, dtype=np.float64, mode="r", shape=(precision.done, len(row)))
    error = alone(rounding, study) if plan.single else None
    return Replicates(plan, rows, counts, edges, precision.reason(), error)


def _check_disk(plan: ReplicatesPlan) -> None:
    """Refuses more rows than the disk takes, before the first is computed; with `until` there may be fewer."""
    needed = 8 * (1 + len(COLUMNS) * len(plan.study.layers)) * plan.replicates
    free = shutil.disk_usage(folder := tempfile.gettempdir()).free
    if plan.until is None and needed > free:
        size = f"{plan.replicates:,} replicates need {needed / 1e9:,.0f} GB on disk"
        raise SheetsimError(f"{size}, and {folder} has {free / 1e9:,.0f} GB free: ask for fewer, or for a precision")


class _Precision:
    """How precisely the means of a plan's chosen statistics are known so far, and whether that is enough."""

    def __init__(self, plan: ReplicatesPlan) -> None:
        layers = len(plan.study.layers)
        self._plan = plan
        self._columns = [COLUMNS.index(name) * layers + layer + 1 for name in plan.chosen for layer in range(layers)]
        self._so_far: UnitMoments | None = None
        self.done = 0
        self.wide = np.inf

    def add(self, row: Any) -> None:
        """Counts a replicate in: its seed and its statistics."""
        count = len(self._columns)
        own = UnitMoments(1, row[None, self._columns], np.zeros((count, count)))
        self._so_far = own if self._so_far is None else self._so_far.merge(own)
        self.done += 1
        if self.done > 1:
            self.wide = widest(self._so_far, CONFIDENCE)

    @property
    def enough(self) -> bool:
        return self._plan.until is not None and self.done >= FLOOR and self.wide <= self._plan.until

    def reason(self) -> str:
        """Why there are not more replicates, in words."""
        if self._plan.until is None:
            return f"{self.done} were asked for"
        if np.isnan(self.wide):
            found = f"of {', '.join(self._plan.chosen)} a mean is 0, or missing, and has no relative precision"
        else:
            found = f"the widest interval of {', '.join(self._plan.chosen)} is ±{100 * self.wide:.3g}% of its mean"
        wish = f"±{100 * self._plan.until:.3g}% asked for"
        if self.enough:
            return f"stopped at {self.done}: {found}, within the {wish}"
        return f"stopped at the most that were allowed, {self.done}: {found}, not within the {wish}"


def _batches(plan: ReplicatesPlan, study: Forward, edges: Any, work: int) -> Iterator[Batch]:
    size = int(np.clip(WORK // work, 1, 50))
    data = pickle.dumps(study)
    for first in range(0, plan.replicates, size):
        yield Batch(data, edges, plan.single, first, min(first + size, plan.replicates))
