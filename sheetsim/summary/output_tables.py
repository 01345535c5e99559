"""Tables about a graph's outputs, each made when it is asked for. It computes no value."""

from collections.abc import Mapping
from functools import cached_property

from sheetsim.model.expr import Matrix
from sheetsim.model.graph import Graph
from sheetsim.model.op import Array
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


class OutputTables:
    """The tables of a graph's outputs; `of`: their quantities, none where the graph declares no output."""

    def __init__(self, graph: Graph) -> None:
        self.of: list[Quantity] = quantities(graph)

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

    def questions(self, values: Mapping[Matrix, Array]) -> dict[str, Asked]:
        """By label, what is asked of a quantity at first; values: of the quantities."""
        return {quantity.label: asked(values[quantity.x]) for quantity in self.of}

    def risk(self, questions: Mapping[str, Asked]) -> Table:
        """The answers to questions."""
        return risk_table(self.of, questions)
