"""Runs experiments and models, and joins what was computed with its tables and its workbook."""

import itertools
import math
import os
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec.structs import replace

from sheetsim import arguments
from sheetsim.engine.evaluate import Values, evaluate
from sheetsim.errors import SheetsimError
from sheetsim.model.activations import ACTIVATIONS
from sheetsim.model.expr import Matrix
from sheetsim.model.graph import Graph
from sheetsim.model.series import Series
from sheetsim.runs import templates
from sheetsim.studies.forward.study import Forward
from sheetsim.studies.model_book import model_sheets
from sheetsim.studies.pages import AS_MADE, CHANGED
from sheetsim.studies.study import Experiment, Study, properties
from sheetsim.summary.frames import matrix_frame, series_frame
from sheetsim.summary.histogram import histogram_frame
from sheetsim.summary.variance import CLAIMS, LAYER_COLUMNS
from sheetsim.workbook.layout import Layout

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[str], None]


class Model(Graph):
    """A model of one's own matrices: a Graph that runs, and is written as a workbook with live formulas.

    model = Model(seed=0)
    x = model.input("x", normal(), (1000, 100))
    W = model.weights("W_1", he(), (100, 100))
    z = model.define("z_1", relu(x @ W))
    model.to_excel("model.xlsx")
    """

    def __init__(self, title: str = "", *, seed: int = 0, draws: str = "pcg64") -> None:
        super().__init__(seed=seed, draws=draws)
        self.title = arguments.text("the title", title)

    def run(self) -> "Run":
        """Computes every named matrix."""
        return run(self)

    def _repr_html_(self) -> str:
        return f"<p><b>{escape(self.title or 'Model')}</b>: {_shapes(self)}</p>"

    def to_excel(self, path: str | os.PathLike[str], *, values_only: bool = False) -> Path:
        """Computes the model and writes its workbook."""
        return self.run().to_excel(path, values_only=values_only)


class Results:
    """The accessors that a run and a book that was read share."""

    title: str

    def table(self, name: str) -> "pd.DataFrame":
        """A table by name, one of its study's: of forward `layers`, `variance`, `claims` and `histograms`."""
        raise NotImplementedError

    def verdicts(self) -> list[str]:
        """A word a row of the summary, of those that the sheet Overview explains: healthy, vanishing, on its way, …"""
        raise NotImplementedError

    def summary(self) -> "pd.DataFrame":
        """The study's first table, a row a layer: of forward how the outputs are distributed, of gradient-flow the
        size of the gradients. Of the studies of steps a row a path: how it began and ended."""
        raise NotImplementedError

    def gradients(self) -> "pd.DataFrame":
        """The gradients of gradient-flow: a row a layer, the output layer last."""
        return self.table("gradients")

    def variance(self) -> "pd.DataFrame":
        """The variance of the linear sums, decomposed and predicted: a row a layer."""
        return self.table("variance")

    def claims(self) -> "pd.DataFrame":
        """The claims of the variance-additivity explanation, checked: a row a claim.

        Columns: verdict (holds, nearly, undecided, does not hold, nothing to check, not ReLU), checked
        (how many layers), expected, and by layer ratio_1, …, error_1, … (relative), units_1, …, low_1, …, high_1, …,
        verdict_1, ….
        """
        return self.table("claims")

    def histograms(self) -> "pd.DataFrame":
        """Counts by layer and bin, those below and above the edges included."""
        return self.table("histograms")

    def _repr_html_(self) -> str:
        frame = self.summary()
        words = self.verdicts()
        if words:
            frame.insert(0, "verdict", words)
        return f"<p><b>{escape(self.title)}</b></p>{frame.to_html(float_format='{:.4g}'.format)}"


class Run(Results):
    """One computed run: matrices by name, tables as DataFrames, and the workbook.

    All is computed when the run is made; with `report = "summary"` the matrices are not kept.
    """

    def __init__(self, study: Study, name: str, command: str) -> None:
        self.name = name
        self.title = study.title
        self.headline = study.headline
        self._study = study
        # The layout first: what no workbook can hold is refused before anything is computed.
        self._command = command
        self._layout = Layout(study.sheets(command, study.matrices), live=study.matrices)
        wanted = list(study.graph) if study.matrices else []
        wanted += self._layout.places
        for table in study.tables.values():
            wanted += table.cells()
        self._values: Values = evaluate(wanted)
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
        """The named matrix as a DataFrame, its columns with their names where they have some: of a series a row a
        step, or by step and row where a step has several.
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
        """The names of the matrices that this run holds."""
        return [str(node.name) for node in self._study.graph if node in self._values]

    def summary(self) -> "pd.DataFrame":
        """The study's first table."""
        return self.table(next(iter(self._study.tables), "summary"))

    def tables(self) -> list[str]:
        """The names of the study's tables."""
        return [*self._study.tables, *self._study.histograms]

    def table(self, name: str) -> "pd.DataFrame":
        """A table by name, one of `tables()`. Raises SheetsimError for another."""
        arguments.text("a table's name", name)
        if name in self._study.histograms:
            return self._study.histograms[name].frame(self._values)
        if name not in self._study.tables:
            known = ", ".join(self.tables()) or "none"
            raise SheetsimError(f"{self.name} has no table {name!r}; it has {known}")
        return self._study.tables[name].frame(self._values)

    def verdicts(self) -> list[str]:
        """A word a row of the summary, of those that the sheet Overview explains: healthy, vanishing, on its way, …"""
        return [str(self._values[node][0, 0]) for node in self._study.verdicts]

    def to_excel(
        self, path: str | os.PathLike[str], *, values_only: bool = False, progress: Progress | None = None
    ) -> Path:
        """Writes the workbook and returns its path; `values_only` leaves the formulas and drop-downs out.

        progress: called with each sheet's title. Raises SheetsimError when the file cannot be written.
        """
        from sheetsim.workbook.writing.write import write

        arguments.function("progress", progress)
        layout = self._layout
        if values_only:
            layout = Layout(self._study.sheets(f"{self._command} --values-only", False), live=False)
        return write(
            path,
            layout,
            self._values,
            properties=properties(self._study.title),
            progress=progress,
        )

    def __repr__(self) -> str:
        return f"<Run {self.name}: {_listed(self.names())}>"

    def _repr_html_(self) -> str:
        return (
            super()._repr_html_()
            if self._study.tables
            else f"<p><b>{escape(self.title)}</b>: {_shapes(self._study.graph)}</p>"
        )


def _shapes(graph: Graph) -> str:
    return ", ".join(f"{escape(str(node.name))} {node.shape[0]}×{node.shape[1]}" for node in graph)


def run(what: "str | os.PathLike[str] | Experiment | Graph", /, **overrides: Any) -> Run:
    """Runs a template (its name, or a TOML file's path), a study such as Forward(...), or a model.

    overrides: keys of the template with other values, e.g. seed=1, layers=[50, 50], histogram={"bins": 20}.
    Raises SheetsimError with the key or the file at fault.
    """
    if isinstance(what, Graph):
        if overrides:
            raise SheetsimError("a model has no keys to override: change the model itself")
        title = getattr(what, "title", "") or "Model"
        study = Study(graph=what, title=title, sheets=lambda command, live: model_sheets(what, title))
        return Run(study, "model", "")
    return run_origin(templates.origin(what, overrides))


def check(origin: templates.Origin) -> None:
    """Raises the SheetsimError that running it would raise, as far as can be told before anything is computed."""
    origin.experiment.check_book()
    study = origin.experiment.build()
    Layout(study.sheets(origin.command, study.matrices), live=study.matrices)


def run_origin(origin: templates.Origin) -> Run:
    """Runs a loaded template."""
    origin.experiment.check_book()
    return Run(origin.experiment.build(), origin.name, origin.command)


def shared_scales(experiments: Sequence[Experiment]) -> list[dict[str, Any]]:
    """For each experiment the keys of [histogram] that put its charts on one scale with those of the others.

    Those of the study forward are alike that have the same activation, bins, samples and widths: `reach` is the
    greatest bound of activations without bounds, `tallest` the greatest count. One that is alone has no keys.
    """
    alike: dict[Any, dict[int, Forward]] = {}
    for k, experiment in enumerate(experiments):
        if isinstance(experiment, Forward) and experiment.study == Forward.STUDY:
            sizes = experiment.samples, frozenset(experiment.layers)
            alike.setdefault((experiment.activation, experiment.histogram, sizes), {})[k] = experiment
    found: list[dict[str, Any]] = [{} for _ in experiments]
    for (activation, bins, _), several in alike.items():
        if len(several) == 1:
            continue
        own = list(several.values())
        keys: dict[str, Any] = {}
        if bins.range is None and not ACTIVATIONS[activation].bounded:
            # Where all outputs are 0 there is no bound to share.
            pairs = [_numbers(one, "bound", "tail") for one in own]
            keys["reach"] = max((bound for bound, tail in pairs if math.isfinite(bound) and tail > 0), default=0.0)
        wide = [replace(one, histogram=replace(bins, **keys)) for one in own]
        counts = [most for one in wide for most in _numbers(one, "largest_count") if math.isfinite(most)]
        keys["tallest"] = round(max([*counts, bins.tallest or 0.0]))
        for k in several:
            found[k] = {f"histogram.{key}": value for key, value in keys.items() if value}
    return found


def _numbers(experiment: Experiment, *names: str) -> list[float]:
    """Single cells of an experiment, and no more of it than they need."""
    graph = experiment.build().graph
    values = evaluate([graph[name] for name in names])
    return [float(values[graph[name]].item()) for name in names]


# The sheet of each table, and the tables that come first in their study.
TABLES = {
    "gradients": "Gradients",
    "layers": "Layers",
    "variance": "Variance",
    "growth": "Growth",
    "norms": "Norms",
    "paths": "Paths",
    "starts": "Starts",
    "steps": "Steps",
}
SUMMARIES = ("gradients", "growth", "paths", "starts", "layers")


class Book(Results):
    """A workbook that sheetsim wrote, read back: the same accessors as a Run, from what its cells hold."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        from sheetsim.workbook.reading.read import Reader

        self._reader = Reader(path)
        self.path = self._reader.path
        changed = AS_MADE in self._reader and self._reader[AS_MADE] == 0
        self.title = CHANGED + self._reader.title if changed else self._reader.title

    def __getitem__(self, name: str) -> Any:
        """The named block: a 2-D array (read-only), or a number or text where it is a single cell."""
        return self._reader[arguments.text("a name", name)]

    def frame(self, name: str) -> "pd.DataFrame":
        """A series, or a matrix on a sheet of its own, as a DataFrame, as of a Run."""
        sheet, top, left, bottom, right = self._reader.place(arguments.text("a name", name))
        above = self._reader.cells(sheet, 1, 1, top - 1, 1) if top > 1 and left > 1 else []
        # Where it starts at step 1 beside series that start at 0, the rows of a step stand between.
        while above and above[-1] == [0.0]:
            above.pop()
        heads = self._reader.cells(sheet, len(above), 1, len(above), right)[0] if above else []
        if (top, left) == (2, 2) and heads[:1] != ["step"] and isinstance(heads[0], str):
            texts = [head for head in heads[1:] if isinstance(head, str)]
            return matrix_frame(self[name], texts)
        if heads[:1] != ["step"]:
            raise SheetsimError(f"{name} is no series of {self.path}: book[{name!r}] has its numbers")
        numbers = self._reader.cells(sheet, top, 1, bottom, 2)
        rows = int(max(float(row) for _, row in numbers)) if left > 2 and heads[1] == "row" else 1
        columns = [str(head) for head in heads[left - 1 :]]
        plain = columns == [str(number) for number in range(1, len(columns) + 1)]
        values = np.reshape(self[name], (bottom - top + 1, -1))
        return series_frame(values, [] if plain else columns, rows, int(numbers[0][0]))

    def __contains__(self, name: str) -> bool:
        return isinstance(name, str) and name in self._reader

    def names(self) -> list[str]:
        """The workbook's defined names."""
        return self._reader.names()

    def table(self, name: str) -> "pd.DataFrame":
        """A table by name, one of its study's. Raises SheetsimError when the book has none such."""
        arguments.text("a table's name", name)
        if name in TABLES:
            return self._reader.table(TABLES[name])
        if name == "claims" and "additivity" in self:
            return self._claims(len(self.table("layers")))
        kind = {"histograms": "_d_W" if self._is_flow else ""}.get(name, name.replace("histograms-", "_", 1))
        if name.startswith("histograms") and f"edges{kind}" in self:
            counts = itertools.takewhile(self.__contains__, (f"counts{kind}_{k}" for k in itertools.count(1)))
            return histogram_frame(self[f"edges{kind}"], [self[name] for name in counts])
        raise SheetsimError(f"{self.path} has no table {name!r}")

    @property
    def _is_flow(self) -> bool:
        return "loss_value" in self

    def summary(self) -> "pd.DataFrame":
        """The study's first table."""
        return self.table(next((name for name in SUMMARIES if self._reader.has_sheet(TABLES[name])), "layers"))

    def _claims(self, layers: int) -> "pd.DataFrame":
        """From the verdicts' cells: right of them layers checked and expected ratio, then a column a layer."""
        import pandas as pd

        rows = []
        for name in CLAIMS:
            sheet, row, column, _, _ = self._reader.place(name)
            last = row + len(LAYER_COLUMNS) - 1
            cells = self._reader.cells(sheet, row, column + 1, last, column + 2 + layers)
            found = {"verdict": self[name], "checked": int(cells[0][0]), "expected": cells[0][1]}
            for line, (_, _, *numbers) in zip(LAYER_COLUMNS, cells, strict=True):
                found |= {f"{line}_{k}": number for k, number in enumerate(numbers, 1)}
            rows.append(found)
        return pd.DataFrame(rows, index=pd.Index(CLAIMS, name="claim"))

    def verdicts(self) -> list[str]:
        """A word a row of the summary, of those that the sheet Overview explains: healthy, vanishing, on its way, …"""
        names = [f"verdict_{label}" for label in self.summary().index]
        return [self[name] for name in names if name in self]

    def close(self) -> None:
        """Lets go of the file."""
        self._reader.close()

    def __enter__(self) -> "Book":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Book {self.path}: {_listed(self.names())}>"


def read(path: str | os.PathLike[str]) -> Book:
    """Opens a workbook that sheetsim wrote. Raises SheetsimError when it is none, or cannot be read."""
    return Book(path)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:12]) + (" …" if len(names) > 12 else "")
