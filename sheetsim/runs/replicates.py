"""Replicates of an experiment over independent seeds: computed, joined with theory, and written as a workbook."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from msgspec.structs import force_setattr
from numpy.typing import NDArray

from sheetsim import arguments
from sheetsim.engine.evaluate import Values, evaluate
from sheetsim.engine.jobs import check_workers, in_order
from sheetsim.engine.moments import UnitMoments
from sheetsim.errors import SheetsimError
from sheetsim.language import Language, language
from sheetsim.model.graph import Graph
from sheetsim.runs import templates
from sheetsim.runs.intervals import bootstrap_t, reading_frame, widest
from sheetsim.runs.manifest import Manifest, Replicated, manifest
from sheetsim.runs.observed import Batch, Measurer, Observed, Theory, child_seed, measure, observed_tables, pickled
from sheetsim.runs.observed_forward import observed_forward
from sheetsim.runs.replicates_book import ReplicatesBook
from sheetsim.runs.written import Written
from sheetsim.studies.forward.study import Forward
from sheetsim.studies.model_book import MADE_IN_PYTHON
from sheetsim.studies.study import Experiment, check_repeatable
from sheetsim.summary.histogram import histogram_frame
from sheetsim.workbook.layout import Layout

if TYPE_CHECKING:
    import pandas as pd


REPLICATES = 100

# `until` looks no earlier: with fewer the spread itself is hardly known.
FLOOR = 30

CONFIDENCE = 0.95

# Rows of the statistics, each of a dozen formulas.
MOST_LABELS = 6000

# Multiply-adds in one task: some tenths of a second, long against handing it out, short against Ctrl-C.
WORK = 1e9

ReplicateProgress = Callable[[int, float], None]


def observed(source: Experiment | Graph) -> Observed:
    """What replicates of an experiment or of a person's model observe.

    Raises SheetsimError where that is nothing.
    """
    if isinstance(source, Experiment):
        check_repeatable(source)
    if isinstance(source, Forward) and source.study == Forward.STUDY:
        return observed_forward(source)
    if isinstance(source, Graph):
        return observed_tables(source, "", "the model")
    return observed_tables(source, source.title, source.study)


class ReplicatesPlan(Struct, frozen=True):
    """What to replicate and how often.

    run: the command that runs the study once, and template what it begins with; replicates: how many, or at most how
    many with `until`, the wanted half-width over mean of the intervals of the statistics that are chosen (by default
    `observed.chosen`), at every row; single: layers in single precision; bootstrap: intervals of the means by the
    bootstrap too.
    """

    observed: Observed
    name: str
    run: str
    replicates: int
    until: float | None = None
    chosen: tuple[str, ...] = ()
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
        if self.chosen != self.observed.chosen:
            words.append(f"--statistics {','.join(self.chosen)}")
        return " ".join(words + ["--single"] * self.single + ["--bootstrap"] * self.bootstrap)

    def options(self) -> dict[str, Any]:
        """How the study is replicated, beside its own keys."""
        options = {"replicates": self.replicates, "until": self.until, "statistics": list(self.chosen)}
        return {key: value for key, value in options.items() if value is not None} | {
            "single": self.single,
            "bootstrap": self.bootstrap,
        }

    def __post_init__(self) -> None:
        force_setattr(self, "chosen", self.chosen or self.observed.chosen)
        arguments.whole("replicates", self.replicates, 2)
        arguments.flag("single", self.single)
        arguments.flag("bootstrap", self.bootstrap)
        if self.until is not None and not (isinstance(self.until, float) and 0 < self.until < 1):
            raise SheetsimError(f"until must lie between 0 and 1 (2% is 0.02), not {arguments.said(self.until)}")
        self.observed.places(self.chosen)
        if len(self.observed.labels) > MOST_LABELS:
            raise SheetsimError(
                f"a book of replicates has at most {MOST_LABELS:,} rows, but there are {len(self.observed.labels):,} "
                "statistics: ask for fewer layers or steps"
            )


class Measurements(Struct, frozen=True):
    """The numbers of all replicates.

    rows: replicates × (1 + labels), the seed first; words: replicates × words; counts: of pooled histograms, layers ×
    bins + 2, where the experiment has some.
    """

    rows: NDArray[np.float64]
    words: NDArray[np.str_]
    counts: NDArray[np.int64] | None = None


class Replicates(Written):
    """Computed replicates: statistics with intervals, how often each verdict occurs, histograms, and the workbook.

    Attributes
    ----------
    count
        Number of replicates.
    reason
        Why there are not more, in words.
    """

    def __init__(
        self, plan: ReplicatesPlan, measured: Measurements, reason: str, error: NDArray[np.float64] | None = None
    ) -> None:
        """error: of single precision by label, see `Observed.rounding`."""
        self.name, self.title = plan.name, plan.observed.title
        self.count, self.reason = len(measured.rows), reason
        self.labels = list(plan.observed.labels)
        self._plan, self._measured, self._error = plan, measured, error

    @property
    def _rows(self) -> NDArray[np.float64]:
        return self._measured.rows

    def statistics(self) -> "pd.DataFrame":
        """Statistics over replicates: a row per table's row (layer, start, …) and statistic.

        Returns
        -------
        pandas.DataFrame
            Mean, sd, se, interval, percentiles, theory and its z. The interval of a statistic that is never negative is
            not negative either; where it is above 0 in all replicates its geometric mean has an interval too, and
            `read` says which mean to read. NaN where there is no number; `attrs["notes"]` says why. In single precision
            `rounding` is the relative difference of the first replicates from double precision. With the bootstrap
            `boot_low` and `boot_high` are the ends of the mean's interval by `intervals.bootstrap_t`.
        """
        import pandas as pd

        frame = self._book.statistics.frame(self._values)
        index = self._plan.observed.index
        frame.index = pd.MultiIndex.from_tuples(self.labels, names=(index, "statistic"))
        for name, numbers in self._more.items():
            frame[name] = numbers
        frame.attrs["notes"] = list(self.notes)
        order = {row: k for k, row in enumerate(dict.fromkeys(row for row, _ in self.labels))}
        return frame.sort_index(level=0, sort_remaining=False, kind="stable", key=lambda level: level.map(order))

    def verdicts(self) -> "pd.DataFrame":
        """How often each verdict, or other word, occurs: a row per table's row, column and word.

        Returns
        -------
        pandas.DataFrame
            count, replicates, share, and low and high, the ends of Wilson's 95 % interval of the share. Empty without
            words.
        """
        import pandas as pd

        frame = self._book.frequencies.frame(self._values)
        said = [(row, name, word) for (row, name), word, _ in self._book.said]
        frame.index = pd.MultiIndex.from_tuples(said, names=(self._plan.observed.index, "column", "word"))
        return frame

    def claims(self) -> "pd.DataFrame":
        """The claims of the explanation by additivity of variance over all replicates: a row per claim and layer.

        Raises
        ------
        SheetsimError
            The study is not `forward`: others have no claims.
        """
        if self._measured.counts is None:
            raise SheetsimError(
                f"replicates of {self._plan.observed.name} have no claims: only those of forward have them"
            )
        return reading_frame(self._book.readings, self._values)

    def frame(self) -> "pd.DataFrame":
        """A row per replicate and table's row: its seed, for `sheetsim.run`, and every statistic (NaN: none)."""
        import pandas as pd

        observed, columns = self._plan.observed, {}
        of_rows = {row: k for k, row in enumerate(dict.fromkeys(row for row, _ in self.labels))}
        for name in observed.names:
            columns[name] = np.full((self.count, len(of_rows)), np.nan)
        for place, (row, name) in enumerate(self.labels, start=1):
            columns[name][:, of_rows[row]] = self._rows[:, place]
        index = pd.MultiIndex.from_product([range(self.count), of_rows], names=("replicate", observed.index))
        frame = pd.DataFrame({name: numbers.ravel() for name, numbers in columns.items()}, index=index)
        frame.insert(0, "seed", np.repeat(self._rows[:, 0].astype(np.int64), len(of_rows)))
        return frame

    def words(self) -> "pd.DataFrame":
        """A row per replicate: its seed, and a column for each word."""
        import pandas as pd

        columns = [f"{name} {row}" for row, name in self._plan.observed.words]
        frame = pd.DataFrame(self._measured.words, columns=columns)
        frame.insert(0, "seed", self._rows[:, 0].astype(np.int64))
        return frame

    def histograms(self) -> "pd.DataFrame":
        """Counts over all replicates by layer and bin, with those below and above the edges.

        Raises
        ------
        SheetsimError
            The study is not `forward`: others have no pooled histograms.
        """
        edges, counts = self._plan.observed.edges, self._measured.counts
        if edges is None or counts is None:
            raise SheetsimError(
                f"replicates of {self._plan.observed.name} have no histograms: only those of forward have them"
            )
        return histogram_frame(edges.reshape(-1, 1), [of.reshape(-1, 1) for of in counts])

    def manifest(self, layout: Layout, values_only: bool) -> Manifest:
        """What the book of that layout says about itself."""
        options = {key: value for key, value in self._plan.options().items() if key != "statistics"}
        tables = {"statistics": self._book.statistics}
        if self._book.said:
            tables["verdicts"] = self._book.frequencies
        return manifest(
            layout,
            self.title,
            template=self._plan.template,
            parameters=self._plan.observed.parameters,
            values_only=values_only,
            tables=tables,
            histograms={} if self._book.histogram is None else {"histograms": self._book.histogram},
            replicates=Replicated(run=self._plan.run, statistics=list(self._plan.chosen), **options),
        )

    def book(self, values_only: bool = False, lang: str | None = None) -> tuple[Layout, Values]:
        """What stands where in the workbook, and its numbers."""
        live = self._book.live and not values_only
        command = templates.writing(self._plan.command, values_only)
        parameters = dict(self._plan.observed.parameters) | self._plan.options()
        spoken = self._spoken(lang)
        layout = Layout(self._book.sheets(command, parameters, live), live=live, spoken=spoken)
        return layout, self._values | evaluate(node for node in layout.places if node not in self._values)

    def _spoken(self, lang: str | None = None) -> Language:
        return language(lang or self._plan.observed.parameters.get("lang"), self._plan.observed.name)

    def __repr__(self) -> str:
        return f"<Replicates {self.name}: {self.count}; {self.reason}>"

    def _repr_html_(self) -> str:
        said = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        table = self.statistics().to_html(float_format="{:.4g}".format, na_rep="–")
        return f"<p>{self.count} replicates: {escape(self.reason)}</p>{said}{table}{self._picture_html()}"

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of the statistics, in sentences: where theory is missing, which means to distrust."""
        return (*self._theory.gaps, *self._plan.observed.notes(self._rows))

    @cached_property
    def _theory(self) -> Theory:
        return self._plan.observed.theory(self._rows)

    @cached_property
    def _book(self) -> ReplicatesBook:
        return ReplicatesBook(
            self._plan.observed,
            self._rows,
            self._measured.words,
            self._measured.counts,
            self._theory.values,
            self.reason,
            CONFIDENCE,
            self._plan.chosen,
            self._more,
            self.notes,
        )

    @cached_property
    def _more(self) -> dict[str, NDArray[np.float64]]:
        """Columns of the statistics that no formula gives."""
        columns: dict[str, NDArray[np.float64]] = {}
        if self._plan.bootstrap:
            observed = self._plan.observed
            ends = [
                bootstrap_t(self._rows[:, k], CONFIDENCE, observed.seed, name in observed.signs.nonnegative)
                for k, (_, name) in enumerate(self.labels, start=1)
            ]
            columns["boot_low"], columns["boot_high"] = np.array(ends).T
        if self._error is not None:
            columns["rounding"] = self._error
        return columns

    @cached_property
    def _values(self) -> Values:
        claims = (cell for claim in self._book.readings for cells in claim.cells() for cell in cells)
        return evaluate([*self._book.statistics.cells(), *self._book.frequencies.cells(), *claims])


def share(value: float | str | None) -> float | None:
    """A share as a person writes it, 0.02 or `2%`. Raises SheetsimError for other texts."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    try:
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise SheetsimError(f"until {value}: write a share, for example 2%") from None


def replicate(
    what: "str | os.PathLike[str] | Experiment | Graph",
    /,
    replicates: int = REPLICATES,
    *,
    until: float | str | None = None,
    statistics: Sequence[str] | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    single: bool = False,
    bootstrap: bool = False,
    progress: ReplicateProgress | None = None,
    **overrides: Any,
) -> Replicates:
    """Run a template, a TOML file, a study or a Model many times, each replicate with its own child seed.

    Every cell of the study's tables (of a model, of its outputs' summary) is observed, and every verdict.

    Parameters
    ----------
    what
        A template's name, the path of a TOML file, a study such as `Symmetry()`, or a `Model`.
    replicates
        How many; with `until` at most.
    until
        A share, 0.02 or "2%": stop as soon as the 95 % intervals of the `statistics` are narrower, on each side, than
        this share of their means at every row, after at least FLOOR replicates. Intervals at such a stop are a little
        too narrow with few replicates.
    statistics
        Columns of the tables, or single cells such as "small.loss_end" (row, then column), that `until` and the
        convergence are about.
    workers
        Processes on this machine.
    scheduler
        A Dask scheduler's address, in place of processes.
    single
        Compute layers in float32; of `forward` alone.
    bootstrap
        Give intervals by the bootstrap too.
    progress
        Called with the number of replicates and the widest relative half-width.
    **overrides
        Keys of the template with other values.

    Returns
    -------
    Replicates
        The numbers depend on neither `workers` nor `scheduler`.

    Raises
    ------
    SheetsimError
        A key is wrong; the message names it.

    Examples
    --------
    >>> import sheetsim
    >>> few = sheetsim.replicate("relu-he", 3, samples=50, inputs=20, layers=[20])
    >>> few.count, few.frame()["seed"].nunique()
    (3, 3)
    """
    chosen = () if statistics is None else tuple(arguments.listed("statistics", statistics, "names"))
    if statistics is not None and not chosen:
        raise SheetsimError("statistics: name at least one, or leave the key out")
    if isinstance(what, Graph):
        if overrides:
            raise SheetsimError("a model has no keys to override: change the model itself")
        plan = ReplicatesPlan(
            observed(what), "model", MADE_IN_PYTHON, replicates, share(until), chosen, single, bootstrap
        )
    else:
        plan = plan_of(templates.scenario(what, overrides), replicates, share(until), chosen, single, bootstrap)
    return run_replicates(plan, workers, scheduler, progress)


def plan_of(
    scenario: templates.Scenario,
    replicates: int,
    until: float | None = None,
    chosen: tuple[str, ...] = (),
    single: bool = False,
    bootstrap: bool = False,
) -> ReplicatesPlan:
    """The plan of a template's replicates."""
    return ReplicatesPlan(
        observed(scenario.experiment),
        scenario.name,
        scenario.command,
        replicates,
        until,
        chosen,
        single,
        bootstrap,
        scenario.template,
    )


def run_replicates(
    plan: ReplicatesPlan, workers: int = 1, scheduler: str | None = None, progress: ReplicateProgress | None = None
) -> Replicates:
    """Computes a plan's replicates."""
    check_workers(workers, scheduler)
    arguments.function("progress", progress)
    _check_disk(plan)
    measurer = plan.observed.measurer(plan.single)
    batches = _batches(plan, measurer)
    precision = _Precision(plan)
    counts: Any = None
    words: list[tuple[str, ...]] = []
    # Rows on disk, so that memory does not grow with the replicates; without a name, so that nothing is left behind.
    with (
        tempfile.TemporaryFile() as spool,
        closing(in_order(measure, batches, workers=workers, scheduler=scheduler)) as results,
    ):
        for measured in (one for batch in results for one in batch):
            seed = child_seed(plan.observed.seed, precision.done, plan.observed.draws)
            row = np.concatenate([[seed], measured.numbers, measured.more])
            spool.write(row.tobytes())
            words.append(measured.words)
            if measured.counts is not None:
                counts = measured.counts if counts is None else counts + measured.counts
            # Of a network that overflows nothing is precise, and that is no warning.
            with np.errstate(all="ignore"):
                precision.add(row)
            if progress is not None:
                progress(precision.done, precision.wide)
            if precision.enough:
                break
        spool.flush()
        rows = np.memmap(spool, dtype=np.float64, mode="r", shape=(precision.done, len(row)))
    width = 1 + len(plan.observed.labels)
    later = plan.observed.later_words(rows[:, :width], rows[:, width:])
    said = np.array(words, dtype=np.str_).reshape(precision.done, -1) if later is None else later
    error = plan.observed.rounding() if plan.single else None
    return Replicates(plan, Measurements(rows[:, :width], said, counts), precision.reason(), error)


def _check_disk(plan: ReplicatesPlan) -> None:
    """Refuses more rows than the disk takes, before the first is computed; with `until` there may be fewer."""
    needed = 8 * (1 + len(plan.observed.labels)) * plan.replicates
    free = shutil.disk_usage(folder := tempfile.gettempdir()).free
    if plan.until is None and needed > free:
        size = f"{plan.replicates:,} replicates need {needed / 1e9:,.0f} GB on disk"
        raise SheetsimError(
            f"{size}, but {folder} has {free / 1e9:,.0f} GB free: ask for fewer, or for a precision (until)"
        )


class _Precision:
    """How precisely the means of a plan's chosen statistics are known so far, and whether that is enough."""

    def __init__(self, plan: ReplicatesPlan) -> None:
        self._plan = plan
        self._columns = [place + 1 for place in plan.observed.places(plan.chosen)]
        self._so_far: UnitMoments | None = None
        self.done = 0
        self.wide = np.inf

    def add(self, row: NDArray[np.float64]) -> None:
        """Counts a replicate in: its seed and its statistics."""
        count = len(self._columns)
        of_one = UnitMoments(1, row[None, self._columns], np.zeros((count, count)))
        self._so_far = of_one if self._so_far is None else self._so_far.merge(of_one)
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
            reached = f"of {', '.join(self._plan.chosen)} a mean is 0, or missing, and has no relative precision"
        else:
            reached = f"the widest interval of {', '.join(self._plan.chosen)} is ±{100 * self.wide:.3g}% of its mean"
        wish = f"±{100 * self._plan.until:.3g}% asked for"
        if self.enough:
            return f"stopped at {self.done}: {reached}, within the {wish}"
        return f"stopped at the most that were allowed, {self.done}: {reached}, not within the {wish}"


def _batches(plan: ReplicatesPlan, measurer: Measurer) -> Iterator[Batch]:
    size = int(np.clip(WORK // measurer.work, 1, 50))
    content = pickled(measurer)
    for first in range(0, plan.replicates, size):
        yield Batch(content, first, min(first + size, plan.replicates))
