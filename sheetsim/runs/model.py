"""A person's own model: named matrices that run, with what is told of its outputs, and a workbook."""

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sheetsim import arguments
from sheetsim.engine.evaluate import Values
from sheetsim.errors import SheetsimError
from sheetsim.model.graph import Graph
from sheetsim.runs.manifest import Manifest, manifest
from sheetsim.runs.outputs import model_study, pages_of_outputs, title_of
from sheetsim.runs.run import Run, SheetProgress, heading
from sheetsim.runs.sensitivity import (
    RESAMPLES,
    SOBOL_RESAMPLES,
    TrialSensitivity,
    check_resamples,
    quantity_of,
    sensitivity_pages,
    sobol_indices,
)
from sheetsim.runs.stream import Streamed, StreamProgress, stream_trials
from sheetsim.studies.model_book import MADE_IN_PYTHON
from sheetsim.summary.table import Table
from sheetsim.workbook.layout import Layout

if TYPE_CHECKING:
    import pandas as pd

    from sheetsim.runs.themes import ThemeLike
    from sheetsim.workbook.layout import Page, Sheet


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

    def stream(self, trials: int | None = None, progress: StreamProgress | None = None) -> Streamed:
        """Runs so many trials in blocks, of which only what tells of the outputs is kept: see `stream_trials`."""
        return stream_trials(self, trials, progress)

    def _repr_html_(self) -> str:
        return heading(self.title or "Model", self)

    def sobol(
        self,
        output: str | None = None,
        *,
        trials: int | None = None,
        groups: Mapping[str, Sequence[str]] | None = None,
        resamples: int = SOBOL_RESAMPLES,
        seed: int | None = None,
    ) -> "pd.DataFrame":
        """First-order and total Sobol indices of an output by input or group, with intervals, by Jansen's estimators.

        The shares of the output's variance that an input makes by itself, and with all its interactions. Saltelli's
        design: two independent samples of all inputs, and for each group the first with the group's columns from the
        second, so that (groups + 2) · trials rows are computed, by the draws' own designs.
        output: its label (none is needed where there is one); trials: rows of a sample, rounded up to whole runs of the
        model, one if it is left out; groups: by name, inputs that are taken together (a leaf's name is all its
        columns); resamples: of the bootstrap over rows, 0 for no intervals, which hold for independent rows (of other
        designs than random they are no more than a hint); seed: of the design, the model's if it is left out.
        Inputs that are correlated must be in one group: with them, indices of single inputs are no shares. Draws that
        are no trials, as weights are, stay as they were drawn, and `attrs["notes"]` names them.
        Raises SheetsimError for correlated or given inputs, for an output without any, and for unknown names.
        """
        return sobol_indices(self, output, trials, groups, resamples, seed)

    def to_excel(self, path: str | os.PathLike[str], *, values_only: bool = False, theme: "ThemeLike" = None) -> Path:
        """Computes the model and writes its workbook; theme: a file with a house style."""
        return self.run().to_excel(path, values_only=values_only, theme=theme)


class ModelRun(Run):
    """One computed run of a model: its matrices by name, what is told of its outputs, and its workbook.

    All is computed when the run is made, but for what the workbook alone shows.
    """

    def __init__(self, model: Graph) -> None:
        self.name, self.title, self.headline = "model", title_of(model), ()
        self._template, self._command = "", MADE_IN_PYTHON
        self._study = model_study(model)
        self._values: Values = {}
        self._compute(model)

    @property
    def _said(self) -> str:
        return "the model"

    def summary(self) -> "pd.DataFrame":
        """A row a quantity: n, errors, mean, std, se, skew, kurtosis, min, q01 … q99, max (summary.outputs.COLUMNS).

        Raises SheetsimError for a model without an output.
        """
        self._check_outputs()
        return super().summary()

    def sensitivity(
        self,
        output: str | None = None,
        *,
        groups: Mapping[str, Sequence[str]] | None = None,
        resamples: int = RESAMPLES,
        seed: int | None = None,
    ) -> "pd.DataFrame":
        """How an output follows its inputs, from the trials that are there: a row an input or group, by its swing.

        summary.sensitivity.SENSITIVITY_COLUMNS, and the ends of 95 % intervals by the bootstrap over trials;
        `attrs["r2"]` is R² of the regression, and `attrs["notes"]` says what else to know.
        NaN where the output or the input does not vary. An input is a column of draws, or of given numbers, with a row
        a trial. A group of several stands by what they add to the regression. Trials without a number are left out.
        Where inputs are correlated, correlations and swing tell of an input together with what goes along with it.
        output: its label (none is needed where there is one); groups: by name, inputs that are taken together (a
        leaf's name is all its columns); resamples: 0 for no intervals (of 100,000 trials and 10 inputs they take
        seconds); seed: of the bootstrap, the model's if it is left out.
        Raises SheetsimError for an output without inputs, and for unknown names.
        """
        quantity = quantity_of(self._study.graph, output)
        seed = self._study.graph.seed if seed is None else arguments.whole("seed", seed)
        return TrialSensitivity(quantity, self._values, groups).frame(check_resamples(resamples), seed)

    def to_excel(
        self,
        path: str | os.PathLike[str],
        *,
        values_only: bool = False,
        matrices: bool = True,
        progress: SheetProgress | None = None,
        theme: "ThemeLike" = None,
    ) -> Path:
        """Writes the workbook and returns its path; values_only leaves the formulas and drop-downs out; without
        `matrices` the book holds the outputs' pages and single cells alone, as values.

        progress: called with each sheet's title; theme: a file with a house style.
        Raises SheetsimError when the file cannot be written.
        """
        from sheetsim.runs.themes import write_book

        arguments.function("progress", progress)
        said, layout, values = self.book(values_only, arguments.flag("matrices", matrices))
        return write_book(path, said, layout, values, theme, progress)

    def book(self, values_only: bool, matrices: bool) -> tuple[Manifest, Layout, Values]:
        """What the workbook says of itself, what stands where in it, and its numbers."""
        outputs = self._study.outputs
        layout = self._layout if matrices and not values_only else Layout(self._sheets(matrices), live=False)
        self._compute(layout.places)
        tables = () if self._risk is None else (outputs.table, outputs.percentiles, self._risk, *self._sensitivities[1])
        placed = {table.name: table for table in tables}
        told = outputs if outputs.of else None
        said = manifest(layout, self.title, values_only=values_only, matrices=matrices, tables=placed, outputs=told)
        return said, layout, self._values

    @cached_property
    def _layout(self) -> Layout:  # type: ignore[override]
        """Where everything stands in the whole workbook, whose values are computed."""
        try:
            layout = Layout(self._sheets(matrices=True), live=True)
        except SheetsimError as error:
            if not self._study.graph.outputs:
                raise
            raise SheetsimError(f"{error}; to_excel(path, matrices=False) writes the outputs alone") from None
        self._compute(layout.places)
        return layout

    def _sheets(self, matrices: bool) -> "list[Sheet]":
        from sheetsim.studies.model_book import model_sheets

        pages = [*pages_of_outputs(self._study, self._risk), *self._sensitivities[0]]
        return model_sheets(self._study.graph, self._study.title, self._command, pages, matrices=matrices)

    @cached_property
    def _sensitivities(self) -> "tuple[list[Page], list[Table]]":
        """The workbook's pages of sensitivity, and their tables."""
        return sensitivity_pages(self._study.graph, self._values)

    def _check_outputs(self) -> None:
        if not self._study.graph.outputs:
            raise SheetsimError(
                "the model has no output: say which matrix has a row a trial with model.output(name, expression)"
            )
