"""Runs experiments and models, and joins what was computed with its tables and its workbook."""

import math
import os
import sys
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from msgspec.structs import replace

from sheetsim import arguments
from sheetsim.engine.evaluate import Values, evaluate
from sheetsim.errors import SheetsimError
from sheetsim.language import ENGLISH, Language, language
from sheetsim.model.activations import ACTIVATIONS
from sheetsim.model.expr import Matrix
from sheetsim.model.graph import Graph
from sheetsim.model.op import Array
from sheetsim.model.series import Series
from sheetsim.runs import templates
from sheetsim.runs.manifest import Manifest, PlacedColumn, PlacedHistogram, PlacedTable, manifest, read_manifest
from sheetsim.runs.outputs import LaidOut, first_questions, lay_out, pages_of_outputs
from sheetsim.runs.plots import Pages, Plotted, layout_pages
from sheetsim.studies.forward.study import Forward
from sheetsim.studies.pages import AS_MADE, CHANGED
from sheetsim.studies.study import Experiment, Study
from sheetsim.summary.frames import matrix_frame, series_frame
from sheetsim.summary.histogram import LayerCounts, histogram_frame
from sheetsim.summary.table import Table
from sheetsim.workbook.limits import MANIFEST_TITLE
from sheetsim.workbook.reading.parse import rectangle

if TYPE_CHECKING:
    import pandas as pd

    from sheetsim.runs.themes import ThemeLike
    from sheetsim.runs.training import TrainingOptions, TrainingProgress
    from sheetsim.summary.outputs import Asked
    from sheetsim.workbook.layout import Layout
    from sheetsim.workbook.reading.read import Reader

SheetProgress = Callable[[str], None]


class Results(Plotted):
    """What a run and a book that was read have in common: matrices, tables and verdicts."""

    def __getitem__(self, name: str) -> Any:
        """The named matrix: a 2-D array (read-only), or a number or text where it is a single cell."""
        raise NotImplementedError

    def __contains__(self, name: str) -> bool:
        raise NotImplementedError

    def table(self, name: str) -> "pd.DataFrame":
        """A table of the study by name: of `forward` `layers`, `variance`, `claims` and `histograms`.

        Raises
        ------
        SheetsimError
            There is no such table.
        """
        raise NotImplementedError

    def verdicts(self) -> list[str]:
        """A word a row of the summary, explained on the sheet Overview, such as healthy or vanishing."""
        raise NotImplementedError

    def summary(self) -> "pd.DataFrame":
        """The study's first table.

        Of `forward` it has a row per layer (how the outputs are distributed), of `gradient-flow` too (the size of the
        gradients); of studies of steps a row per path (how it began and ended).
        """
        raise NotImplementedError

    def gradients(self) -> "pd.DataFrame":
        """The gradients of `gradient-flow`: a row per layer, the output layer last."""
        return self.table("gradients")

    def variance(self) -> "pd.DataFrame":
        """The variance of the pre-activations, decomposed and predicted: a row per layer."""
        return self.table("variance")

    def claims(self) -> "pd.DataFrame":
        """The claims of the explanation by additivity of variance, checked: a row per claim.

        Returns
        -------
        pandas.DataFrame
            verdict (holds, nearly, undecided, does not hold, nothing to check, not ReLU), checked (number of layers),
            expected, and by layer ratio_1, …, error_1, … (relative), units_1, …, low_1, …, high_1, …, verdict_1, …
        """
        return self.table("claims")

    def histograms(self) -> "pd.DataFrame":
        """Counts by layer and bin, with those below and above the edges."""
        return self.table("histograms")

    def _placed_histograms(self) -> "Mapping[str, tuple[str, Sequence[str]]]":
        """By name of a histogram the name of its edges, and those of its counts by layer."""
        raise NotImplementedError

    def layer_counts(self, name: str = "histograms") -> LayerCounts:
        """The counts of a histogram by layer.

        Parameters
        ----------
        name
            Name of the histogram's table.

        Raises
        ------
        SheetsimError
            There is no such histogram.
        """
        placed = self._placed_histograms()
        if name not in placed:
            raise SheetsimError(f"there is no histogram {name!r}; there are {', '.join(placed) or 'none'}")
        edges, names = placed[name]
        counts = [self[one] for one in names]
        # Without a bar of zeros what is drawn are the counts themselves.
        bars = [f"bars{one.removeprefix('counts')}" for one in names]
        return LayerCounts.of(
            self[edges], counts, [self[bar if bar in self else one] for bar, one in zip(bars, names, strict=True)]
        )

    def _repr_html_(self) -> str:
        frame = self.summary()
        words = self.verdicts()
        if words:
            frame.insert(0, "verdict", words)
        table = frame.to_html(float_format="{:.4g}".format)
        return f"<p><b>{escape(self.title)}</b></p>{table}{self._picture_html()}"

    def _table_of(self, name: str) -> "pd.DataFrame":
        return self.table(name)

    def _counts_of(self, name: str) -> set[str]:
        _, counts = self._placed_histograms().get(name, ("", ()))
        return {of for one in counts for of in (one, f"bars{one.removeprefix('counts')}")}


class Run(Results):
    """One computed run: matrices by name, tables as DataFrames, and the workbook.

    Everything is computed when the run is made. With `report = "summary"` the matrices are not kept.

    Parameters
    ----------
    study
        What the run computes.
    name
        Name of the run.
    command
        Command that makes the workbook again.
    template
        First argument of the command, a name or path.
    book
        Layout of the study's workbook, where it exists already.
    train
        How trainings are run, where there are any.
    """

    def __init__(
        self,
        study: Study,
        name: str,
        command: str,
        template: str = "",
        book: LaidOut | None = None,
        train: "TrainingOptions | None" = None,
    ) -> None:
        """Compute a study. Parameters are described at the class."""
        self.name = name
        self._template = template
        self.title = study.title
        self.headline = study.findings.headline
        self._study = study
        self._command = command
        self._layout, self._risk, values = book or lay_out(study, command, study.matrices)
        self._values: Values = dict(values)
        if train is not None:
            from sheetsim.runs.training import trained_values

            self._values |= trained_values([*self._layout.places, *study.findings.cells()], train)
        self._compute([*(study.graph if study.matrices else ()), *self._layout.places])

    def _compute(self, more: Iterable[Matrix]) -> None:
        """Computes the cells of the tables, and more that is not there yet."""
        missing = [node for node in (*more, *self._study.findings.cells()) if node not in self._values]
        self._values |= evaluate(missing, self._values)
        for array in self._values.values():
            # An array that is shared with the model, or with the workbook to be written, stays what it is.
            array.flags.writeable = False

    def __getitem__(self, name: str) -> Any:
        """The named matrix: a 2-D array (read-only), or a number or text where it is a single cell."""
        value = self._values[self._kept(name)]
        return value.item() if value.shape == (1, 1) else value

    def _kept(self, name: str) -> Matrix:
        node = self._study.graph[name]
        if node not in self._values:
            raise SheetsimError(f'{name} was not kept: report = "summary" keeps the tables only')
        return node

    def frame(self, name: str) -> "pd.DataFrame":
        """A matrix as a DataFrame, its columns named where they have names.

        Of a series it has a row per step; a row per step and row where a step has several rows.
        """
        node = self._kept(name)
        values = self._values[node]
        return (
            series_frame(values, node.columns, node.rows, node.first)
            if isinstance(node, Series)
            else matrix_frame(values, node.headings)
        )

    def __contains__(self, name: str) -> bool:
        return isinstance(name, str) and name in self._study.graph and self._study.graph[name] in self._values

    def names(self) -> list[str]:
        """Names of the matrices that this run holds."""
        return [str(node.name) for node in self._study.graph if node in self._values]

    def summary(self) -> "pd.DataFrame":
        """The study's first table."""
        return self.table(next(iter(self._study.tables), "summary"))

    def tables(self) -> list[str]:
        """Names of the study's tables."""
        return [*self._study.tables, *self._study.histograms, *self._tables_of_outputs]

    def table(self, name: str) -> "pd.DataFrame":
        """A table by name, one of `tables()`.

        Raises
        ------
        SheetsimError
            There is no such table.
        """
        arguments.text("a table's name", name)
        if name in self._study.histograms:
            return self._study.histograms[name].frame(self._values)
        if name in self._tables_of_outputs:
            return self._tables_of_outputs[name]()
        if name not in self._study.tables:
            names = ", ".join(self.tables()) or "none"
            raise SheetsimError(f"{self._said} has no table {name!r}; it has {names}")
        return self._study.tables[name].frame(self._values)

    def outputs(self) -> list[str]:
        """Labels of the outputs' quantities, as in their tables."""
        return [quantity.label for quantity in self._study.outputs.of] if self._study.graph.outputs else []

    def percentiles(self) -> "pd.DataFrame":
        """Percentiles of the outputs, 0 to 100 %: a row per percentile, a column per quantity."""
        self._check_outputs()
        table = self._study.outputs.percentiles
        return table.frame(evaluate(table.cells(), self._values))

    def risk(
        self,
        output: str | None = None,
        *,
        threshold: float | None = None,
        probability: float | None = None,
        between: tuple[float, float] | None = None,
    ) -> "pd.DataFrame":
        """Risk numbers: a row per quantity.

        Parameters
        ----------
        output
            Label of one output; all if None.
        threshold
            t of P(output ≤ t); it may be infinite.
        probability
            p of the p-quantile, and of the means beyond it.
        between
            a and b of P(a < output ≤ b), likewise.

        Returns
        -------
        pandas.DataFrame
            threshold, at_most and the ends of its 95 % interval (Wilson 1927), probability, value, means below and
            above it, and the share between a and b. What is not given is what the workbook's yellow cells hold at
            first.
        """
        from sheetsim.summary.outputs import cell_of

        self._check_outputs()
        labels = self.outputs() if output is None else [self._label(output)]
        given = {} if threshold is None else {"threshold": _end("threshold", threshold)}
        if probability is not None:
            given["probability"] = arguments.number("probability", probability)
            if not 0 <= given["probability"] <= 1:
                raise SheetsimError(f"probability must be a number from 0 to 1, not {probability!r}")
        if between is not None:
            ends = arguments.listed("between", between, "two numbers")
            if len(ends) != 2:
                raise SheetsimError(f"between must be two numbers, not {arguments.said(between)}")
            given |= {"low": _end("between", ends[0]), "high": _end("between", ends[1])}
        questions = dict(self._questions)
        for label in labels:
            # Cells hold no infinite number.
            cells = {name: cell_of(max(-sys.float_info.max, min(x, sys.float_info.max))) for name, x in given.items()}
            questions[label] = replace(questions[label], **cells)
        table = self._study.outputs.risk(questions)
        return table.frame(evaluate(table.cells(), self._values)).loc[labels].assign(**given)

    def histograms(self) -> "pd.DataFrame":
        """Counts by layer and bin, or by output and bin, with those below and above the edges."""
        return self.table("histograms")

    def verdicts(self) -> list[str]:
        """A word a row of the summary, explained on the sheet Overview, such as healthy or vanishing."""
        return [str(self._values[node][0, 0]) for node in self._study.verdicts]

    def records(self) -> list[dict[str, Any]]:
        """The summary's rows with their verdicts, a dict each; empty where the study has no table."""
        tables, words = list(self._study.tables.values()), self.verdicts()
        rows = tables[0].records(self._values) if tables else []
        return [row | {"verdict": word} for row, word in zip(rows, words, strict=True)] if words else rows

    def to_excel(
        self,
        path: str | os.PathLike[str],
        *,
        values_only: bool = False,
        progress: SheetProgress | None = None,
        theme: "ThemeLike" = None,
    ) -> Path:
        """Write the workbook and return its path.

        Parameters
        ----------
        path
            The .xlsx file; an existing one is replaced.
        values_only
            Leave the formulas and drop-downs out.
        progress
            Called with each sheet's title.
        theme
            A file with a house style.

        Raises
        ------
        SheetsimError
            The file cannot be written, or a matrix does not fit a sheet.
        """
        from sheetsim.runs.themes import write_book

        arguments.function("progress", progress)
        layout = self._layout
        if values_only and self._study.graph.redrawn:
            raise SheetsimError("draws live needs formulas, which values_only leaves out: give only one of them")
        if values_only:
            pages = pages_of_outputs(self._study, self._risk, live=False)
            layout = self._study.layout(templates.writing(self._command, True), False, pages)
            # Its pages may show what the live book's do not.
            self._compute(layout.places)
        said = study_manifest(self._study, layout, self._risk, values_only, self._template)
        return write_book(path, said, layout, self._values, theme, progress)

    def _pages(self) -> Pages:
        return layout_pages(self._layout, self._values)

    def _spoken(self) -> Language:
        return self._layout.spoken

    def _table_names(self) -> list[str]:
        return self.tables()

    def _placed_histograms(self) -> Mapping[str, tuple[str, Sequence[str]]]:
        return {
            name: (str(one.edges.name), [str(counts.name) for counts in one.counts])
            for name, one in self._study.histograms.items()
        }

    def _histograms_of_outputs(self) -> "pd.DataFrame":
        """Counts by output and bin, those below and above the edges included."""
        from sheetsim.summary.outputs import output_histogram_frame

        self._check_outputs()
        histograms = self._study.outputs.histograms
        values = evaluate([node for of in histograms.values() for node in (of.edges, of.counts)], self._values)
        return output_histogram_frame((label, values[of.edges], values[of.counts]) for label, of in histograms.items())

    @cached_property
    def _tables_of_outputs(self) -> "dict[str, Callable[[], pd.DataFrame]]":
        """Tables about outputs beside their summary, which is one of the study's tables."""
        if not self._study.graph.outputs:
            return {}
        histograms = histograms_of_outputs(self._study.histograms)
        return {"percentiles": self.percentiles, "risk": self.risk, histograms: self._histograms_of_outputs}

    @cached_property
    def _questions(self) -> "dict[str, Asked]":
        return first_questions(self._study, self._values)

    @cached_property
    def _risk(self) -> Table | None:
        """The answers to what the workbook asks at first, where there are outputs."""
        return self._study.outputs.risk(self._questions) if self._study.graph.outputs else None

    @property
    def _said(self) -> str:
        """What is run, in messages."""
        return self.name

    def _check_outputs(self) -> None:
        if not self._study.graph.outputs:
            raise SheetsimError(f"{self._said} has no output: the study declares none")

    def _label(self, output: str) -> str:
        if output not in self.outputs():
            names = ", ".join(self.outputs()) or "none"
            raise SheetsimError(f"no output {arguments.said(output)}: {self._said} has {names}")
        return output

    def __repr__(self) -> str:
        return f"<Run {self.name}: {_listed(self.names())}>"

    def _repr_html_(self) -> str:
        return super()._repr_html_() if self._study.tables else heading(self.title, self._study.graph)


def histograms_of_outputs(others: Container[str]) -> str:
    """The name of the table of outputs' histograms. others: the names of a study's own histograms."""
    return "output_histograms" if "histograms" in others else "histograms"


def study_manifest(study: Study, layout: "Layout", risk: Table | None, values_only: bool, template: str) -> Manifest:
    """What the study's book says about itself. risk: as of LaidOut; values_only: whether formulas were not wanted."""
    outputs = None if risk is None else study.outputs
    more = [] if outputs is None or risk is None else [outputs.percentiles, risk]
    return manifest(
        layout,
        study.title,
        template=template,
        values_only=values_only,
        matrices=study.matrices,
        tables=study.tables | {table.name: table for table in more},
        outputs=outputs,
        histograms={name: (histogram.edges, histogram.counts) for name, histogram in study.histograms.items()},
        verdicts=study.verdicts,
    )


def heading(title: str, graph: Graph) -> str:
    """A graph's title and matrices, in HTML."""
    return f"<p><b>{escape(title)}</b>: {_shapes(graph)}</p>"


def _shapes(graph: Graph) -> str:
    return ", ".join(f"{escape(str(node.name))} {node.shape[0]}×{node.shape[1]}" for node in graph)


def run(
    what: "str | os.PathLike[str] | Experiment | Graph",
    /,
    *,
    workers: int = 1,
    progress: "TrainingProgress | None" = None,
    **overrides: Any,
) -> Run:
    """Run a template, a study or a model.

    Parameters
    ----------
    what
        A template's name, the path of a TOML file, a study such as `Forward(...)`, or a `Model`.
    workers
        Processes for a study's trainings. The numbers do not depend on it.
    progress
        Called with TrainingNews while trainings run.
    **overrides
        Keys of the template with other values: `seed=1`, `layers=[50, 50]`, `histogram={"bins": 20}`.

    Returns
    -------
    Run
        The computed run.

    Raises
    ------
    SheetsimError
        A key or a file is wrong; the message names it.

    Examples
    --------
    >>> import sheetsim
    >>> small = sheetsim.run("relu-he", samples=50, inputs=20, layers=[20, 20])
    >>> small["z_2"].shape
    (50, 20)
    >>> small.summary().index.tolist()
    [1, 2]
    """
    if isinstance(what, Graph):
        if overrides:
            raise SheetsimError("a model has no keys to override: change the model itself")
        from sheetsim.runs.model import ModelRun

        return ModelRun(what)
    scenario = templates.scenario(what, overrides)
    if workers == 1 and progress is None:
        return run_scenario(scenario)
    from sheetsim.runs.training import TrainingOptions

    return run_scenario(scenario, train=TrainingOptions(workers, progress=progress))


class CheckedScenario(NamedTuple):
    """What a scenario is before it is computed: its study, and the layout of its book."""

    study: Study
    book: LaidOut


def check_scenario(scenario: templates.Scenario) -> CheckedScenario:
    """Raises the SheetsimError of running it and writing its book, as far as it is known before computing."""
    checked = _laid_out(scenario)
    checked.book.layout.formulas  # noqa: B018 (written on first use)
    return checked


def _laid_out(scenario: templates.Scenario) -> CheckedScenario:
    scenario.experiment.check_book()
    study = scenario.experiment.build()
    return CheckedScenario(study, lay_out(study, scenario.command, study.matrices))


def run_scenario(
    scenario: templates.Scenario, checked: CheckedScenario | None = None, train: "TrainingOptions | None" = None
) -> Run:
    """Runs a loaded template; `checked`: what `check_scenario` gave for it; train: how trainings are run."""
    study, book = checked or _laid_out(scenario)
    return Run(study, scenario.name, scenario.command, scenario.template, book, train)


def shared_scales(experiments: Sequence[Experiment]) -> list[dict[str, Any]]:
    """For each experiment the keys of [histogram] that put its charts on one scale with those of the others.

    Those of the study forward are alike that have the same activation, bins, samples and widths: `reach` is the
    largest bound of activations without bounds, `tallest` the largest count. One that is alone has no keys.
    """
    alike: dict[Any, dict[int, Forward]] = {}
    for k, experiment in enumerate(experiments):
        if isinstance(experiment, Forward) and experiment.study == Forward.STUDY:
            sizes = experiment.samples, frozenset(experiment.layers)
            alike.setdefault((experiment.activation, experiment.histogram, sizes), {})[k] = experiment
    keys_by_place: list[dict[str, Any]] = [{} for _ in experiments]
    for (activation, bins, _), several in alike.items():
        if len(several) == 1:
            continue
        networks = list(several.values())
        keys: dict[str, Any] = {}
        if bins.range is None and not ACTIVATIONS[activation].bounded:
            # Where all outputs are 0 there is no bound to share.
            pairs = [_numbers(one, "bound", "tail") for one in networks]
            keys["reach"] = max((bound for bound, tail in pairs if math.isfinite(bound) and tail > 0), default=0.0)
        wide = [replace(one, histogram=replace(bins, **keys)) for one in networks]
        counts = [most for one in wide for most in _numbers(one, "largest_count") if math.isfinite(most)]
        keys["tallest"] = round(max([*counts, bins.tallest or 0.0]))
        for k in several:
            keys_by_place[k] = {f"histogram.{key}": value for key, value in keys.items() if value}
    return keys_by_place


def _numbers(experiment: Experiment, *names: str) -> list[float]:
    """Single cells of an experiment, and no more of it than they need."""
    study = experiment.build()
    nodes = [study.named(name) for name in names]
    values = evaluate(nodes)
    return [float(values[node].item()) for node in nodes]


class Book(Results):
    """A workbook that sheetsim wrote, read back: the accessors of a Run, from what its cells hold."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        from sheetsim.workbook.reading.read import Reader

        self._reader = Reader(path)
        self.path = self._reader.path
        try:
            self.manifest = _manifest(self._reader)
        except SheetsimError:
            self.close()
            raise
        changed = AS_MADE in self._reader and self._reader[AS_MADE] == 0
        self.title = CHANGED + self.manifest.title if changed else self.manifest.title

    def __getitem__(self, name: str) -> Any:
        """The named block: a 2-D array (read-only), or a number or text where it is a single cell."""
        return self._english(self._reader[arguments.text("a name", name)])

    def _english(self, value: Any) -> Any:
        """What a cell says, as a book in English does."""
        return self.manifest.texts.get(value, value) if isinstance(value, str) else value

    def frame(self, name: str) -> "pd.DataFrame":
        """A series, or a matrix on a sheet of its own, as a DataFrame: see `Run.frame`."""
        values = np.reshape(self[arguments.text("a name", name)], self._reader.shape(name))
        series = self.manifest.series.get(name)
        headings = series.columns if series else self.manifest.headings.get(name, [])
        if headings and len(headings) != values.shape[1]:
            raise SheetsimError(
                f"{self.path}: {name} has {values.shape[1]} columns, but {len(headings)} names for them"
            )
        if series is None:
            return matrix_frame(values, headings)
        if series.rows < 1 or len(values) % series.rows:
            raise SheetsimError(f"{self.path}: {name} has {len(values)} rows, which is not a multiple of {series.rows}")
        return series_frame(values, headings, series.rows, series.first)

    def __contains__(self, name: str) -> bool:
        return isinstance(name, str) and name in self._reader

    def names(self) -> list[str]:
        """The workbook's defined names."""
        return self._reader.names()

    def table(self, name: str) -> "pd.DataFrame":
        """A table of the study by name.

        Raises
        ------
        SheetsimError
            The book has no such table.
        """
        arguments.text("a table's name", name)
        if name in self.manifest.tables:
            return self._table(self.manifest.tables[name])
        if name in self.manifest.histograms:
            edges, *counts = self._histogram(self.manifest.histograms[name])
            return histogram_frame(edges, counts)
        of_outputs = self.manifest.output_histograms
        names = [*self.manifest.tables, *self.manifest.histograms]
        names += [histograms_of_outputs(self.manifest.histograms)] if of_outputs else []
        if name not in names:
            raise SheetsimError(f"{self.path} has no table {name!r}; it has {', '.join(names) or 'none'}")
        from sheetsim.summary.outputs import output_histogram_frame

        arrays = {label: self._histogram(placed) for label, placed in of_outputs.items()}
        return output_histogram_frame((label, edges, counts) for label, (edges, counts, *_) in arrays.items())

    def _pages(self) -> Pages:
        from sheetsim.workbook.plotting.from_book import charted_sheets

        return charted_sheets(self._reader)

    def _spoken(self) -> Language:
        return language(self.manifest.lang or ENGLISH, str(self.manifest.parameters.get("study", "")))

    def _heading(self) -> str:
        return next((said for said, text in self.manifest.texts.items() if text == self.title), self.title)

    def _table_names(self) -> list[str]:
        return [*self.manifest.tables, *self.manifest.histograms]

    def _placed_histograms(self) -> Mapping[str, tuple[str, Sequence[str]]]:
        return {name: (one.edges, one.counts) for name, one in self.manifest.histograms.items()}

    def _histogram(self, placed: PlacedHistogram) -> list[Array]:
        """Its edges, and its counts by layer."""
        edges, *counts = [np.reshape(self[one], self._reader.shape(one)) for one in (placed.edges, *placed.counts)]
        if not counts or edges.shape[1] != 1 or any(one.shape != (len(edges) + 1, 1) for one in counts):
            raise SheetsimError(f"{self.path}: {placed.edges} and its counts do not have the sizes of a histogram")
        return [edges, *counts]

    def _table(self, table: PlacedTable) -> "pd.DataFrame":
        import pandas as pd

        data = {column.name: self._column(column, len(table.labels)) for column in table.columns}
        return pd.DataFrame(data, index=pd.Index(table.labels, name=table.index))

    def _column(self, column: PlacedColumn, rows: int) -> list[float | str]:
        try:
            places = [(place[0], rectangle(place[1])) if isinstance(place, tuple) else place for place in column.cells]
        except ValueError as error:
            raise SheetsimError(f"{self.path}: the column {column.name!r}: {error}") from None
        if sum(place[1].size if isinstance(place, tuple) else 1 for place in places) != rows:
            raise SheetsimError(
                f"{self.path}: the column {column.name!r} does not have {rows} cells, one for each row of its table"
            )
        cells: list[float | str] = []
        for place in places:
            if isinstance(place, tuple):
                cells += [self._english(cell) for row in self._reader.cells(place[0], *place[1]) for cell in row]
            else:
                cells.append(math.nan if place is None else place)
        # A count is a whole number, unless somebody wrote another there.
        whole = column.kind == "count" and all(isinstance(cell, float) and cell.is_integer() for cell in cells)
        return [int(cell) for cell in cells] if whole else cells

    def summary(self) -> "pd.DataFrame":
        """The study's first table."""
        return self.table(next(iter(self.manifest.tables), "summary"))

    def verdicts(self) -> list[str]:
        """A word a row of the summary, explained on the sheet Overview, such as healthy or vanishing."""
        return [self[name] for name in self.manifest.verdicts]

    def close(self) -> None:
        """Close the file. A `with` statement does it too."""
        self._reader.close()

    def __enter__(self) -> "Book":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Book {self.path}: {_listed(self.names())}>"


def _manifest(reader: "Reader") -> Manifest:
    said = read_manifest(reader.file)
    if said is None:
        raise SheetsimError(f"{reader.path} is not a book of sheetsim: it has no sheet {MANIFEST_TITLE!r}")
    return said


def read(path: str | os.PathLike[str]) -> Book:
    """Open a workbook that sheetsim wrote.

    Parameters
    ----------
    path
        The .xlsx file.

    Returns
    -------
    Book
        Its matrices and tables, read as they are asked for. Close it, or use it in a `with` statement.

    Raises
    ------
    SheetsimError
        The file is not a workbook of sheetsim, or cannot be read.

    Examples
    --------
    >>> import sheetsim
    >>> path = sheetsim.run("relu-he", samples=20, inputs=5, layers=[5]).to_excel("small.xlsx")
    >>> with sheetsim.read(path) as book:
    ...     book["z_1"].shape, book.manifest.parameters["seed"]
    ((20, 5), 0)
    """
    return Book(path)


def _end(what: str, value: Any) -> float:
    """A number, or an infinite one. Raises SheetsimError for anything else."""
    number = arguments.number(what, value)
    if math.isnan(number):
        raise SheetsimError(f"{what} must be a number, not NaN")
    return number


def _listed(names: list[str]) -> str:
    return ", ".join(names[:12]) + (" …" if len(names) > 12 else "")
