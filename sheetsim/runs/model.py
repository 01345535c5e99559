"""A person's own model: named matrices that run, tables about its outputs, and a workbook."""

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sheetsim import arguments
from sheetsim.engine.evaluate import Values
from sheetsim.errors import SheetsimError
from sheetsim.language import ENGLISH, language
from sheetsim.model.draws import LIVE
from sheetsim.model.graph import Graph
from sheetsim.runs.manifest import Manifest, manifest
from sheetsim.runs.outputs import model_study, pages_of_outputs, title_of
from sheetsim.runs.plots import Pages, layout_pages
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
    """A model of your own: named matrices that run, and are written as a workbook with live formulas.

    Parameters
    ----------
    title
        Heading of the workbook.
    seed
        Whole number from 0: every draw of the model comes from it.
    draws
        "pcg64", a stream for each matrix by its name; or "mt19937", all matrices one after another from one run of
        NumPy's legacy generator, as in a script that seeds `numpy.random.RandomState(seed)` and calls `randn` for each.
        The latter has normal draws only, and seeds below 2**32.

    Raises
    ------
    SheetsimError
        The seed or the generator is not one of these.

    Examples
    --------
    >>> import sheetsim
    >>> model = sheetsim.Model("One layer", seed=0)
    >>> x = model.input("x", sheetsim.normal(), (1000, 100))
    >>> W = model.weights("W_1", "he", (100, 50))
    >>> z = model.define("z_1", sheetsim.relu(x @ W))
    >>> model.run()["z_1"].shape
    (1000, 50)
    >>> model.to_excel("layer.xlsx").name
    'layer.xlsx'
    """

    def __init__(self, title: str = "", *, seed: int = 0, draws: str = "pcg64") -> None:
        if isinstance(draws, str) and draws == LIVE:
            raise SheetsimError("draws live works with templates only: a model's book has no page for the switch")
        super().__init__(seed=seed, draws=draws)
        self.title = arguments.text("the title", title)

    def run(self) -> "ModelRun":
        """Compute every named matrix, and the tables of the outputs."""
        return ModelRun(self)

    def stream(self, trials: int | None = None, progress: StreamProgress | None = None) -> Streamed:
        """Run many trials in blocks, and keep only what describes the outputs.

        Parameters
        ----------
        trials
            Number of trials; as many as the model was made with if None.
        progress
            Called with the trials done, and all.

        Returns
        -------
        Streamed
            Summary, percentiles and risk numbers of the outputs.

        Raises
        ------
        SheetsimError
            The model has no output, or one that is not computed trial by trial, such as a mean over all trials.

        Notes
        -----
        Plain draws come block by block, the first ones those of `run`; designs and correlated inputs are drawn whole.
        """
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
        """First-order and total Sobol indices of an output, by input or group, with intervals.

        They are the shares of the output's variance that an input makes by itself, and with all its interactions.

        Parameters
        ----------
        output
            Label of the output; not needed where there is only one.
        trials
            Rows of a sample, rounded up to whole runs of the model; one run if None. (groups + 2) · trials rows are
            computed.
        groups
            By name, inputs that are taken together. A leaf's name means all its columns. Correlated inputs must be in
            one group: indices of single ones would not be shares.
        resamples
            Resamples of the bootstrap over rows for the intervals, 0 for no intervals. They hold for independent rows;
            with other designs than `random` they are only a hint.
        seed
            Seed of the design; the model's if None.

        Returns
        -------
        pandas.DataFrame
            A row per input or group. `attrs["notes"]` names draws that are not trials, such as weights: they stay as
            drawn.

        Raises
        ------
        SheetsimError
            Correlated inputs in several groups, given inputs, an output without inputs, or an unknown name.

        References
        ----------
        Design: A. Saltelli et al., Computer Physics Communications 181 (2010) 259–270. Estimators: M. Jansen, Computer
        Physics Communications 117 (1999) 35–43.
        """
        return sobol_indices(self, output, trials, groups, resamples, seed)

    def to_excel(self, path: str | os.PathLike[str], *, values_only: bool = False, theme: "ThemeLike" = None) -> Path:
        """Compute the model and write its workbook: see `ModelRun.to_excel`."""
        return self.run().to_excel(path, values_only=values_only, theme=theme)


class ModelRun(Run):
    """One computed run of a model: its matrices by name, tables of its outputs, and its workbook.

    `run["profit"]` is the matrix of that name, a 2-D array (a number or text for a single cell).
    """

    def __init__(self, model: Graph) -> None:
        self.name, self.title, self.headline = "model", title_of(model), ()
        self._template, self._command = "", MADE_IN_PYTHON
        self._study = model_study(model)
        self._values: Values = {}
        self._told: dict[bool, tuple[list[Page], list[Table]]] = {}
        self._compute(model)

    @property
    def _said(self) -> str:
        return "the model"

    @property
    def _said_names(self) -> Mapping[str, str]:
        """What sentences call outputs and inputs, by the names that they have in the model."""
        return {}

    def summary(self) -> "pd.DataFrame":
        """A row per output quantity: n, errors, mean, std, se, skew, kurtosis, min, q01 … q99, max.

        Raises
        ------
        SheetsimError
            The model has no output.
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
        """How an output follows its inputs, from the trials of this run: a row per input or group, largest swing first.

        Parameters
        ----------
        output
            Label of the output; not needed where there is only one.
        groups
            By name, inputs that are taken together. A leaf's name means all its columns. A group stands by its share in
            the regression.
        resamples
            Resamples of the bootstrap over trials for 95 % intervals, 0 for none (for 100,000 trials and 10 inputs they
            take seconds).
        seed
            Seed of the bootstrap; the model's if None.

        Returns
        -------
        pandas.DataFrame
            low, high, swing, pearson, spearman, src, contribution, q05, q95, and ends of intervals; NaN where the
            output or the input does not vary. `attrs["r2"]` is R² of the regression, and `attrs["notes"]` says what
            else to know.

        Raises
        ------
        SheetsimError
            The output has no inputs, or a name is unknown.

        Notes
        -----
        An input is a column of draws, or of given numbers, with a row per trial. Trials without a number are left out.
        Where inputs are correlated, correlations and swing describe an input together with those that it is correlated
        with.
        """
        quantity = quantity_of(self._study.graph, output)
        seed = self._study.graph.seed if seed is None else arguments.whole("seed", seed)
        return TrialSensitivity(quantity, self._values, groups, self._said_names).frame(
            check_resamples(resamples), seed
        )

    def to_excel(
        self,
        path: str | os.PathLike[str],
        *,
        values_only: bool = False,
        matrices: bool = True,
        lang: str | None = None,
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
        matrices
            False: the book holds the outputs' pages and single cells alone, as values.
        lang
            The language of the workbook, `en` or `ja` (Japanese); English if None.
        progress
            Called with each sheet's title.
        theme
            A file with a house style.

        Raises
        ------
        SheetsimError
            The model is too large for a sheet, or the file cannot be written.
        """
        from sheetsim.runs.themes import write_book

        arguments.function("progress", progress)
        said, layout, values = self.book(values_only, arguments.flag("matrices", matrices), lang)
        return write_book(path, said, layout, values, theme, progress)

    def book(self, values_only: bool, matrices: bool, lang: str | None = None) -> tuple[Manifest, Layout, Values]:
        """What the workbook says about itself, what stands where in it, and its numbers."""
        outputs, live = self._study.outputs, matrices and not values_only
        layout = self._layout if live and lang in (None, ENGLISH) else self._laid_out(matrices, live, lang)
        self._compute(layout.places)
        tables = (
            ()
            if self._risk is None
            else (outputs.table, outputs.percentiles, self._risk, *self._sensitivities(live)[1])
        )
        placed = {table.name: table for table in tables}
        told = outputs if outputs.of else None
        said = manifest(layout, self.title, values_only=values_only, matrices=matrices, tables=placed, outputs=told)
        return said, layout, self._values

    def _pages(self) -> Pages:
        _, layout, values = self.book(values_only=True, matrices=False)
        return layout_pages(layout, values)

    @cached_property
    def _layout(self) -> Layout:  # type: ignore[override]
        """Where everything stands in the whole workbook, whose values are computed."""
        layout = self._laid_out(matrices=True, live=True)
        self._compute(layout.places)
        return layout

    def _laid_out(self, matrices: bool, live: bool, lang: str | None = None) -> Layout:
        spoken = language(lang)
        try:
            layout = Layout(self._sheets(matrices, live), live=live, spoken=spoken)
            layout.formulas  # noqa: B018 (written on first use)
            return layout
        except SheetsimError as error:
            if not (live and self._study.graph.outputs):
                raise
            raise SheetsimError(f"{error}; to_excel(path, matrices=False) writes the outputs alone") from None

    def _sheets(self, matrices: bool, live: bool) -> "list[Sheet]":
        from sheetsim.studies.model_book import model_sheets

        pages = [*pages_of_outputs(self._study, self._risk, live, matrices), *self._sensitivities(live)[0]]
        title, command = self._study.title, self._command
        return model_sheets(self._study.graph, title, command, pages, matrices=matrices, live=live)

    def _sensitivities(self, live: bool) -> "tuple[list[Page], list[Table]]":
        """The pages of sensitivity of a workbook with formulas or without, and their tables."""
        if live not in self._told:
            self._told[live] = sensitivity_pages(self._study.graph, self._values, live)
        return self._told[live]

    def _check_outputs(self) -> None:
        if not self._study.graph.outputs:
            raise SheetsimError(
                "the model has no output: name a matrix with one row per trial by model.output(name, expression)"
            )
