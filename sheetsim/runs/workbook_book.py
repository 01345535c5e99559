"""The workbook of a simulated workbook: overview, outputs, inputs, trials with live formulas over them, sensitivity."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec.structs import replace

from sheetsim.engine.evaluate import Values, evaluate
from sheetsim.language import Joined, language
from sheetsim.model.distribution_text import written_distribution
from sheetsim.model.draws import Distribution
from sheetsim.model.expr import Data, Matrix, column, maximum, mean, minimum, quantile, sample_std
from sheetsim.model.graph import Output
from sheetsim.runs.manifest import Manifest, manifest
from sheetsim.runs.sensitivity import TrialSensitivity
from sheetsim.runs.workbook_scenario_book import TRIALS as SCENARIO_TRIALS
from sheetsim.runs.workbook_scenario_book import scenario_sheets
from sheetsim.studies.about import about_page
from sheetsim.studies.contents import bound
from sheetsim.studies.output_pages import is_large, output_pages
from sheetsim.studies.sensitivity_pages import MOST_INPUTS, MOST_OUTPUTS, sensitivity_page, sensitivity_titles
from sheetsim.studies.workbook_pages import InputRow, inputs_page, workbook_overview
from sheetsim.summary.outputs import (
    Quantity,
    asked,
    cell_of,
    output_histogram,
    output_table,
    percentile_table,
    quantities,
    risk_table,
)
from sheetsim.summary.sensitivity import by_swing, sensitivity_table
from sheetsim.summary.table import Column, Table
from sheetsim.workbook.layout import Layout, MatrixSheet, Page, Sheet

if TYPE_CHECKING:
    from sheetsim.runs.workbook_model import SipVariable, WorkbookRun

TRIALS = "Trials"

# Columns of the first page's table.
SHOWN = ("n", "errors", "mean", "std", "se", "q05", "q50", "q95")


# Longer texts of distributions, as of data, are shortened.
LONGEST_LAW = 200


class WorkbookBook:
    """The sheets of a run's workbook, whose numbers are columns of one sheet of trials.

    matrices: whether that sheet is there: without it the book holds values; taken: titles that its sheets must not
    have; lang: its language.
    """

    def __init__(
        self, run: "WorkbookRun", matrices: bool, live: bool, taken: Collection[str] = (), lang: str | None = None
    ) -> None:
        self._run, self._matrices, self._live, self._spoken = run, matrices, live, language(lang)
        self._taken = {title.casefold() for title in taken}
        self._trials_title = self._title(TRIALS)
        model = run.model
        self._inputs = [str(node.name) for node in model.columns]
        self._asked = [one.name for one in model.asked]
        numbers = np.column_stack(
            [np.arange(1.0, run.trials + 1), *(run[name][:, 0] for name in (*self._inputs, *self._asked))]
        )
        headings = ("trial", *run.column_names())
        self._trials = Matrix(Data(numbers, None, headings), (), numbers.shape, "simulated_trials")
        self._columns = {name: column(self._trials, k) for k, name in enumerate((*self._inputs, *self._asked), start=2)}
        self._of = [
            Quantity(one.given, Output(self._trials, "", one.label), self._columns[one.name], one.name)
            for one in model.asked
        ]
        self._base = dict(zip(run.given_outputs(), run.base().to_list(), strict=True))

    def made(self, values_only: bool) -> tuple[Manifest, Layout, Values]:
        """What the workbook says of itself, what stands where in it, and its numbers."""
        of = self._of
        table, percentiles = output_table(of), percentile_table(of)
        columns = evaluate([quantity.x for quantity in of])
        risk = risk_table(of, {quantity.label: asked(columns[quantity.x]) for quantity in of})
        histograms = {quantity.label: output_histogram(quantity) for quantity in of}
        pages, sensitivities = self._sensitivity()
        more = {quantity.label: self._base_rows(quantity) for quantity in of}
        shown = {"live": self._live, "matrices": self._matrices}
        told = output_pages(of, table, percentiles, risk, histograms, self._trials_title, more, **shown)
        options, compared = self._scenarios()
        titles = [page.title for page in (*told, *pages)]
        first_table = self._first_table(table)
        large = [is_large(risk, k) for k in range(len(of))]
        first = workbook_overview(self._run.title, self._sentences(), first_table, of, histograms, titles, large)
        sheets: list[Sheet] = [first, *told, *pages, *options, self._inputs_page(), self._about()]
        if self._matrices:
            words = "uncertain cells and outputs, a row a trial"
            sheets.append(
                MatrixSheet(TRIALS, self._trials, "row", self._trials.headings, 1, "drawn and computed", "draws", words)
            )
        named = [replace(sheet, title=self._own_title(sheet.title)) for sheet in sheets]
        layout = Layout(bound(named), live=self._live, spoken=self._spoken)
        values = evaluate(layout.places)
        tables = (table, percentiles, risk, *sensitivities, *compared)
        said = manifest(
            layout,
            self._run.title,
            values_only=values_only,
            matrices=self._matrices,
            tables={one.name: one for one in tables},
        )
        return said, layout, values

    def _title(self, title: str) -> str:
        """The title, or another where it is taken."""
        options = (
            title,
            *(f"{title[: 31 - len(end)]}{end}" for end in (" simulated", *(f" {k}" for k in range(2, 99)))),
        )
        return next(one for one in options if one.casefold() not in self._taken)

    def _own_title(self, title: str) -> str:
        """As `_title`, and taken from now on."""
        title_given = self._trials_title if title == TRIALS else self._title(title)
        self._taken.add(title_given.casefold())
        return title_given

    def _first_table(self, table: Table) -> Table:
        base = Column("base", "the base case", tuple(map(cell_of, self._base.values())))
        shown = [one for one in table.columns if one.name in SHOWN]
        return Table("overview", "output", self._run.given_outputs(), (*shown, base), "Overview")

    def _base_rows(self, quantity: Quantity) -> list[tuple[str, Matrix, str, str]]:
        value = self._base[quantity.label]
        if not np.isfinite(value):
            return []
        base = cell_of(value)
        share = quantity.share(quantity.x <= base).placed(None)
        return [
            ("Base case", base, "center", "what the workbook gives as it stands"),
            ("P(output ≤ base case)", share, "percent-center", "the share of trials at or below it"),
        ]

    def _sentences(self) -> list[str]:
        run = self._run
        cells = run.model.sheet.program.plan.book.path.name
        count = len(self._inputs)
        lead = (
            f"{run.trials:,} trials of {cells}, {count} uncertain number{'s' * (count != 1)}, seed {run.model.seed}. "
            "Each output has a page; the trials are a sheet, and numbers are formulas over it."
        )
        return [lead, *(Joined(note, ".", english=f"{note[:1].upper()}{note[1:]}.") for note in run.notes)]

    def _scenarios(self) -> tuple[list[Page | MatrixSheet], list[Table]]:
        """The page of the scenarios and their trials, where there are any, and their tables."""
        if self._run.scenarios is None:
            return [], []
        title = self._title(SCENARIO_TRIALS)
        return scenario_sheets(self._run.scenarios, self._run.least, title, self._matrices)

    def _inputs_page(self) -> Page:
        run, model = self._run, self._run.model
        laws = {one.name: (one.given, one.label, _law_text(one.law)) for one in model.uncertain}
        base = {one.name: model.base_value(one.cell) for one in model.uncertain}
        rows = []
        for name in self._inputs:
            x = self._columns[name]
            given, label, law = laws.get(name, (name, model.meanings.get(name, ""), "uniform(low=0, high=1)"))
            cells = {
                "mean": mean(x),
                "std": sample_std(x),
                "min": minimum(x),
                **{f"q{100 * p:02.0f}": quantile(x, p) for p in (0.05, 0.5, 0.95)},
                "max": maximum(x),
            }
            placed = {key: cell.placed(None) for key, cell in cells.items()}
            placed |= {"base": cell_of(base[name])} if name in base else {}
            rows.append(InputRow(given, label, law, placed))
        return inputs_page(rows, run.model.correlations)

    def _about(self) -> Page:
        run, model = self._run, self._run.model
        book = model.book
        sections: dict[str, Mapping[str, str]] = {
            "The workbook": {"file": book.path.name, "SHA-256": book.sha256, "sheets": ", ".join(book.titles)[:2000]},
            "Uncertain cells": {
                one.given: f"{book.name_of(one.cell)}: {_law_text(one.law)}" for one in model.uncertain
            },
            "Outputs": {one.given: f"{book.name_of(one.cell)}: {book.text_of(one.cell)[:500]}" for one in model.asked},
        }
        if run.notes:
            sections["What was checked"] = {str(k): note for k, note in enumerate(run.notes, start=1)}
        parameters: dict[str, Any] = {"seed": model.seed, "trials": run.trials}
        return about_page(run.title, "", run.command, parameters, sections, scipy=True)

    def _sensitivity(self) -> tuple[list[Page], list[Table]]:
        """As `sensitivity_pages`, with formulas over the sheet of trials."""
        run = self._run
        pages: list[Page] = []
        tables: list[Table] = []
        there = {quantity.label: quantity for quantity in quantities(run.model)}
        titles = sensitivity_titles(self._of)
        for shown, title in zip(self._of[:MOST_OUTPUTS], titles, strict=False):
            of_trials = TrialSensitivity(there[shown.name], run.values, names=run.given_names)
            if not of_trials.is_told:
                continue
            numbers = of_trials.numbers()
            labels = of_trials.labels()
            inputs = {run.given_name(name): self._columns[name] for name in labels}
            whole = sensitivity_table(title, shown, inputs, numbers)
            swings = evaluate(whole["swing"])
            order = by_swing(np.array([swings[cell][0, 0] for cell in whole["swing"]]))[:MOST_INPUTS]
            names = list(inputs)
            table = sensitivity_table(
                title.lower() if len(self._of) == 1 else title,
                shown,
                {names[j]: inputs[names[j]] for j in order},
                {key: of_column[order] for key, of_column in numbers.items()},
                title,
            )
            r2 = float(of_trials.associations.r2)
            average = shown.mean.placed(None)
            notes = of_trials.notes
            pages.append(sensitivity_page(title, shown, table, average, r2, len(labels), notes, self._live))
            tables.append(table)
        return pages, tables


def _law_text(law: "Distribution | SipVariable") -> str:
    """As `--input` takes it, if it is not too long to be read."""
    text = written_distribution(law) if isinstance(law, Distribution) else str(law)
    return text if len(text) <= LONGEST_LAW else str(law)
