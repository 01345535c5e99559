"""The page of a model's sensitivity: an output by its inputs, with a tornado chart."""

from collections.abc import Sequence

from sheetsim.language import sentences
from sheetsim.model.expr import Matrix
from sheetsim.studies.output_pages import titles_of
from sheetsim.studies.pages import VALUES, table_items
from sheetsim.studies.sections import moved
from sheetsim.summary.outputs import Quantity
from sheetsim.summary.sensitivity import SENSITIVITY_COLUMNS
from sheetsim.summary.table import Table
from sheetsim.workbook.layout import Block, HorizontalBars, Item, Line, Page, Text

# Inputs on a page, those with the widest swings, and outputs that have one.
MOST_INPUTS, MOST_OUTPUTS = 25, 3

SENSITIVITY = "Sensitivity"

# The row of the table's headings.
TOP = 5

CHART_WIDTH = 710

# Pixels of a row of cells, and of a chart beside its bars.
ROW, BESIDE = 20, 110

LIVE = (
    "Formulas, over the trials of the sheets: low, high, swing, pearson, q05, q95. Numbers, as no formula of every "
    "program gives them: spearman, src, contribution, and the order of the rows, by swing when the book was made."
)


def sensitivity_titles(of: Sequence[Quantity]) -> list[str]:
    """The titles of all quantities' pages."""
    return [SENSITIVITY] if len(of) == 1 else titles_of(SENSITIVITY, of)


def sensitivity_page(
    title: str,
    quantity: Quantity,
    table: Table,
    mean: Matrix,
    r2: float,
    inputs: int,
    notes: Sequence[str],
    live: bool = True,
) -> Page:
    """The page of a quantity.

    mean: of the output; r2: of the regression; inputs: how many there are in all; notes: what else to know; live:
    whether the book has formulas.
    """
    unit = f" ({quantity.output.unit})" if quantity.output.unit else ""
    rows = len(table.labels)
    shown = f"The {rows} of {inputs} inputs with the widest swings." if rows < inputs else ""
    said = f"R² of the linear regression on all inputs was {r2:.3g} when the book was made." if r2 == r2 else ""
    items: list[Item] = [
        Text(0, 0, f"What moves {quantity.label}{unit}", "title", 6),
        Text(1, 0, sentences(shown, "A row an input.", said, "Intervals: run.sensitivity() in Python."), "text"),
        Text(2, 0, LIVE if live else VALUES, "text"),
        Text(3, 0, "mean of the output", "label"),
        Block(3, 1, mean, "number"),
        *(moved(item, TOP) for item in table_items(table)),
    ]
    right = len(table.columns) + 2
    ends = {"at q05": "low", "at q95": "high"}
    changes = {name: [(cell - mean).placed(None) for cell in table[column]] for name, column in ends.items()}
    for c, (name, cells) in enumerate(changes.items(), start=right):
        items.append(Text(TOP, c, name, "column"))
        items += [Block(TOP + r, c, cell, "number") for r, cell in enumerate(cells, start=1)]
    items.append(Text(TOP - 1, right, "change of the mean, as the chart draws it", "note", 2))
    below = TOP + rows + 2
    height = BESIDE + 22 * rows
    lines = tuple(Line(f"input {name}", tuple(cells)) for name, cells in changes.items())
    axis = f"change of the mean of {quantity.label}{unit}"
    chart = HorizontalBars(below, 0, "Tornado", lines, 0, (CHART_WIDTH, height), axis, stacked=True)
    items.append(chart)
    row = below + height // ROW + 2
    items += [Text(row + k, 0, note, "text") for k, note in enumerate(notes)]
    row += len(notes) + bool(notes)
    for k, (name, what) in enumerate(SENSITIVITY_COLUMNS.items()):
        items += [Text(row + k, 0, name, "label"), Text(row + k, 1, what, "hint")]
    longest = max(len(str(label)) for label in table.labels)
    widths = {0: max(20, longest + 2)} | dict.fromkeys(range(1, right), 12) | dict.fromkeys((right, right + 1), 16)
    words = f"what moves {quantity.label}"
    return Page(title, tuple(items), widths, {0: 28}, tab="results", words=words)
