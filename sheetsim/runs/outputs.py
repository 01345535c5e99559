"""A person's own model as a study: its outputs are what there is to tell of it."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from sheetsim.engine.evaluate import Values, evaluate
from sheetsim.model.graph import Graph
from sheetsim.studies.study import Findings, Study
from sheetsim.summary.outputs import (
    Asked,
    OutputHistogram,
    Quantity,
    asked,
    output_histogram,
    output_table,
    percentile_table,
    quantities,
    risk_table,
)
from sheetsim.summary.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sheetsim.workbook.layout import Page, Sheet


class ModelOutputs:
    """What is told of a model's outputs, each made when it is asked for. values: of the model's matrices."""

    def __init__(self, model: Graph) -> None:
        self.of: list[Quantity] = quantities(model)

    @cached_property
    def table(self) -> Table:
        """The summary."""
        return output_table(self.of)

    @cached_property
    def percentiles(self) -> Table:
        """The percentiles."""
        return percentile_table(self.of)

    @cached_property
    def histograms(self) -> dict[str, OutputHistogram]:
        """By label, the histogram of a quantity."""
        return {quantity.label: output_histogram(quantity) for quantity in self.of}

    def questions(self, values: Values) -> dict[str, Asked]:
        """By label, what is asked of a quantity at first; values: of the outputs' matrices, or their columns."""
        columns = evaluate([quantity.x for quantity in self.of], values)
        return {quantity.label: asked(columns[quantity.x]) for quantity in self.of}

    def risk(self, questions: dict[str, Asked]) -> Table:
        """The answers to questions."""
        return risk_table(self.of, questions)


def model_study(model: Graph) -> Study:
    """The model as a study: its summary, of which replicates observe every cell."""
    outputs = ModelOutputs(model)

    def findings() -> Findings:
        return Findings(no_sheets, (outputs.table,) if outputs.of else ())

    return Study(model, title_of(model), findings)


def title_of(model: Graph) -> str:
    """What a model's book is called."""
    return str(getattr(model, "title", "")) or "Model"


def no_sheets(command: str, live: bool) -> "list[Sheet]":
    """A model's sheets need its numbers: `ModelRun` makes them."""
    raise NotImplementedError


def model_book(
    model: Graph,
    outputs: ModelOutputs,
    risk: Table,
    command: str,
    *,
    matrices: bool = True,
    more: "Sequence[Page]" = (),
) -> "list[Sheet]":
    """The sheets of a model's workbook. matrices: with a sheet for each; more: pages after those of the outputs."""
    from sheetsim.studies.model_book import model_sheets
    from sheetsim.studies.output_pages import output_pages

    pages: list[Any] = []
    if outputs.of:
        pages = output_pages(outputs.of, outputs.table, outputs.percentiles, risk, outputs.histograms)
    return model_sheets(model, title_of(model), command, [*pages, *more], matrices=matrices)
