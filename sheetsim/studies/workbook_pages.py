"""The pages of a simulated workbook: what was simulated, its outputs and histograms, and its uncertain cells."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from sheetsim.language import Name
from sheetsim.model.expr import Matrix
from sheetsim.studies.pages import table_items
from sheetsim.studies.sections import moved
from sheetsim.summary.outputs import OutputHistogram, Quantity
from sheetsim.summary.table import Table
from sheetsim.workbook.layout import Bars, Block, Item, Page, Text

CHART, CHART_ROWS, ABREAST = (470, 260), 14, 2

# Outputs whose histograms stand on the first page: the others have pages of their own.
MOST_CHARTS = 6

INPUT_STATISTICS = ("base", "mean", "std", "min", "q05", "q50", "q95", "max")


class InputRow(NamedTuple):
    """An uncertain cell: its name, what stands beside it, what is drawn, and its numbers by INPUT_STATISTICS."""

    name: str
    label: str
    law: str
    cells: Mapping[str, Matrix]


def workbook_overview(
    title: str,
    sentences: Sequence[str],
    table: Table,
    quantities: Sequence[Quantity],
    histograms: Mapping[str, OutputHistogram],
    titles: Sequence[str],
    large: Sequence[bool],
) -> Page:
    """The first page: sentences on what was done and how it was checked, a row per output, and their histograms.

    titles: of the other sheets, for which the column of the contents is wide enough; large: whether the numbers of an
    output are read without decimals.
    """
    wide = len(table.columns) + 1
    items: list[Item] = [Text(0, 0, title, "title", wide)]
    items += [Text(1 + k, 0, sentence, "text") for k, sentence in enumerate(sentences)]
    top = len(sentences) + 2
    items += [moved(_without_decimals(item, large), top) for item in table_items(table)]
    row = top + len(table.labels) + 2
    for k, quantity in enumerate(quantities[:MOST_CHARTS]):
        histogram = histograms[quantity.label]
        place = row + CHART_ROWS * (k // ABREAST), 6 * (k % ABREAST)
        what, shown = quantity.output.what, histogram.drawn
        heading = Name(f"{quantity.label}: {what}"[:80] if what else quantity.label)
        items.append(Bars(*place, heading, histogram.counts, shown.labels, CHART, 8, shown.height))
    longest = max(len(str(label)) for label in (*table.labels, *titles))
    widths = {0: max(14, longest + 2)} | dict.fromkeys(range(1, wide), 12)
    return Page("Overview", tuple(items), widths, {0: 28}, tab="results", words="what was simulated, and the outputs")


def _without_decimals(item: Item, large: Sequence[bool]) -> Item:
    if isinstance(item, Block) and item.style == "number" and large[item.row - 1]:
        return replace(item, style="amount")
    return item


def inputs_page(rows: Sequence[InputRow], correlations: Sequence[tuple[str, str, float]]) -> Page:
    """A row an uncertain cell, with live statistics of its draws."""
    items: list[Item] = [
        Text(0, 0, "Uncertain cells", "title", 6),
        Text(
            1, 0, "Statistics are formulas over the sheet Trials; base is what the cell holds in the workbook.", "text"
        ),
    ]
    headings = ("cell", "label", "distribution")
    items += [Text(3, c, heading, "heading-left") for c, heading in enumerate(headings)]
    items += [Text(3, len(headings) + c, name, "column") for c, name in enumerate(INPUT_STATISTICS)]
    for r, row in enumerate(rows, start=4):
        items += [
            Text(r, c, name, "text" if c else "label", is_name=True) for c, name in enumerate((row.name, row.label))
        ]
        items.append(Text(r, 2, row.law, "text"))
        for c, name in enumerate(INPUT_STATISTICS, start=len(headings)):
            if name in row.cells:
                items.append(Block(r, c, row.cells[name], "number"))
    below = 6 + len(rows)
    if correlations:
        items.append(Text(below, 0, "Rank correlations", "section"))
        for k, (first, second, value) in enumerate(correlations, start=1):
            items.append(Text(below + k, 0, f"{first} and {second}: {value:g}", "text"))
    widths = {0: 22, 1: 30, 2: 46} | dict.fromkeys(range(3, 3 + len(INPUT_STATISTICS)), 12)
    return Page("Inputs", tuple(items), widths, {0: 28}, tab="input", words="the uncertain cells, and what was drawn")
