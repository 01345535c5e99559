"""A person's own model: named matrices that run, with what is told of its outputs, and a workbook."""

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sheetsim import arguments
from sheetsim.engine.evaluate import Values, evaluate
from sheetsim.errors import SheetsimError
from sheetsim.model.graph import Graph
from sheetsim.runs.manifest import manifest
from sheetsim.runs.outputs import ModelOutputs, model_book, model_study, title_of
from sheetsim.runs.run import Run, SheetProgress, heading
from sheetsim.studies.model_book import MADE_IN_PYTHON
from sheetsim.studies.study import properties
from sheetsim.summary.outputs import Asked, cell_of, output_histogram_frame
from sheetsim.summary.table import Table
from sheetsim.workbook.layout import Layout

if TYPE_CHECKING:
    import pandas as pd

    from sheetsim.workbook.layout import Sheet


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

    def run(self) -> "ModelRun":
        """Computes every named matrix, and what is told of the outputs."""
        return ModelRun(self)

    def _repr_html_(self) -> str:
        return heading(self.title or "Model", self)

    def to_excel(self, path: str | os.PathLike[str], *, values_only: bool = False) -> Path:
        """Computes the model and writes its workbook."""
        return self.run().to_excel(path, values_only=values_only)


class ModelRun(Run):
    """One computed run of a model: its matrices by name, what is told of its outputs, and its workbook.

    All is computed when the run is made, but for what the workbook alone shows.
    """

    def __init__(self, model: Graph) -> None:
        self.name, self.title, self.headline = "model", title_of(model), ()
        self._template, self._command = "", MADE_IN_PYTHON
        self._study = model_study(model)
        self._outputs = ModelOutputs(model)
        self._values: Values = {}
        self._compute(model)

    def outputs(self) -> list[str]:
        """The labels of the outputs' quantities, as their tables have them."""
        return [quantity.label for quantity in self._outputs.of]

    def summary(self) -> "pd.DataFrame":
        """A row a quantity: n, errors, mean, std, se, skew, kurtosis, min, q01 … q99, max (summary.outputs.COLUMNS).

        Raises SheetsimError for a model without an output.
        """
        self._check_outputs()
        return self._outputs.table.frame(self._values)

    def percentiles(self) -> "pd.DataFrame":
        """Percentiles, a row each (summary.outputs.PERCENTS), with a column a quantity."""
        self._check_outputs()
        table = self._outputs.percentiles
        return table.frame(evaluate(table.cells(), self._values))

    def risk(
        self,
        output: str | None = None,
        *,
        threshold: float | None = None,
        probability: float | None = None,
        between: tuple[float, float] | None = None,
    ) -> "pd.DataFrame":
        """Risk numbers, a row a quantity (of one output, if it is named): summary.outputs.RISK_COLUMNS.

        threshold: t of P(output ≤ t); probability: p of the value at it, and of the means beyond that value; between:
        a and b of P(a < output ≤ b). What is not given is what the workbook asks at first.
        """
        self._check_outputs()
        labels = self.outputs() if output is None else [self._label(output)]
        given = {} if threshold is None else {"threshold": arguments.number("threshold", threshold)}
        if probability is not None:
            given["probability"] = arguments.number("probability", probability)
            if not 0 <= given["probability"] <= 1:
                raise SheetsimError(f"probability must lie between 0 and 1, not {probability!r}")
        if between is not None:
            ends = arguments.listed("between", between, "two numbers")
            if len(ends) != 2:
                raise SheetsimError(f"between must be two numbers, not {arguments.said(between)}")
            given |= {"low": arguments.number("between", ends[0]), "high": arguments.number("between", ends[1])}
        questions = dict(self._questions)
        for label in labels:
            cells = {name: cell_of(number) for name, number in given.items()}
            questions[label] = Asked(**(vars(questions[label]) | cells))
        table = self._outputs.risk(questions)
        return table.frame(evaluate(table.cells(), self._values)).loc[labels]

    def histograms(self) -> "pd.DataFrame":
        """Counts by output and bin, those below and above the edges included."""
        self._check_outputs()
        histograms = self._outputs.histograms
        values = evaluate([node for of in histograms.values() for node in (of.edges, of.counts)], self._values)
        return output_histogram_frame((label, values[of.edges], values[of.counts]) for label, of in histograms.items())

    def tables(self) -> list[str]:
        """The names of the tables."""
        return ["outputs", "percentiles", "risk", "histograms"] if self._outputs.of else []

    def table(self, name: str) -> "pd.DataFrame":
        """A table by name, one of `tables()`. Raises SheetsimError for another."""
        tables = {
            "outputs": self.summary,
            "percentiles": self.percentiles,
            "risk": self.risk,
            "histograms": self.histograms,
        }
        if arguments.text("a table's name", name) not in self.tables():
            raise SheetsimError(f"the model has no table {name!r}; it has {', '.join(self.tables()) or 'none'}")
        frame: pd.DataFrame = tables[name]()
        return frame

    def to_excel(
        self,
        path: str | os.PathLike[str],
        *,
        values_only: bool = False,
        matrices: bool = True,
        progress: SheetProgress | None = None,
    ) -> Path:
        """Writes the workbook and returns its path; values_only leaves the formulas and drop-downs out; without
        `matrices` the book holds the outputs' pages and single cells alone, as values.

        progress: called with each sheet's title. Raises SheetsimError when the file cannot be written.
        """
        from sheetsim.workbook.writing.write import write

        arguments.function("progress", progress)
        outputs = self._outputs
        whole = arguments.flag("matrices", matrices) and not values_only
        layout = self._layout if whole else Layout(self._sheets(matrices), live=False)
        self._compute(layout.places)
        tables = (outputs.table, outputs.percentiles, self._risk) if outputs.of else ()
        placed = {table.name: table for table in tables}
        said = manifest(layout, self.title, values_only=values_only, matrices=matrices, tables=placed)
        return write(
            path, layout, self._values, properties=properties(self.title), manifest=said.rows(), progress=progress
        )

    @cached_property
    def _layout(self) -> Layout:  # type: ignore[override]
        """Where everything stands in the whole workbook, whose values are computed."""
        try:
            layout = Layout(self._sheets(matrices=True), live=True)
        except SheetsimError as error:
            if not self._outputs.of:
                raise
            raise SheetsimError(f"{error}; to_excel(path, matrices=False) writes the outputs alone") from None
        self._compute(layout.places)
        return layout

    def _sheets(self, matrices: bool) -> "list[Sheet]":
        return model_book(self._study.graph, self._outputs, self._risk, self._command, matrices=matrices)

    @cached_property
    def _questions(self) -> dict[str, Asked]:
        return self._outputs.questions(self._values)

    @cached_property
    def _risk(self) -> Table:
        """The answers to what the workbook asks at first."""
        return self._outputs.risk(self._questions)

    def _label(self, output: str) -> str:
        if output not in self.outputs():
            names = ", ".join(self.outputs()) or "none"
            raise SheetsimError(f"no output {arguments.said(output)}: the model has {names}")
        return output

    def _check_outputs(self) -> None:
        if not self._outputs.of:
            raise SheetsimError(
                "the model has no output: say which matrix has a row a trial with model.output(name, expression)"
            )
