"""What the books of several studies share: titles that follow the yellow cells, tables and histograms as pages."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from math import ceil
from operator import mul

from sheetsim.model.expr import Choice, Data, Matrix, absolute, equal, if_error, not_equal, total, where
from sheetsim.model.expr import column as column_of
from sheetsim.studies.contents import bound
from sheetsim.summary.histogram import Drawn
from sheetsim.summary.table import Table
from sheetsim.workbook.layout import Bars, Block, Colours, Echo, Item, Number, Page, Sheet, Spike, Text

# Widths: a column as wide as its chart, so that a layer's numbers stand under its histogram.
LABEL_WIDTH = 27
LAYER_WIDTH = 30
CHART = (215, 250)

# What a book is, by whether it has the matrices and whether it is live.
HOW_IT_IS_SHOWN = {
    (True, True): "Each matrix is a sheet and each computed matrix is one array formula",
    (True, False): "Each matrix is a sheet of values, without formulas",
    (False, False): "The matrices were left out of this book, which holds values without formulas",
}


CHANGED = "Changed since made as: "

# The cell that says whether the yellow cells hold what they were made with, 1 or 0.
AS_MADE = "as_made"

# What no formula can hold.
NO_TEXT = re.compile("[\x00-\x1f\ud800-\udfff\ufffe\uffff]")

# Yellow cells that one formula compares: it has 8,192 characters at most.
MOST_COMPARED = 30

# Characters of a line of a page's title, in its size.
TITLE_LINE = 85


@dataclass(frozen=True)
class AsMade(Text):
    """A text that holds for what the yellow cells were made with; `follow` shows `changed` instead when one is not."""

    changed: str = ""


def page_title(title: str, otherwise: str, columns: int) -> Text:
    """A page's title over so many columns; `otherwise`, which tells nothing of the choices, where there is none."""
    return AsMade(0, 0, title, "title", columns, CHANGED + title) if title else Text(0, 0, otherwise, "title", columns)


def title_height(title: str) -> float:
    """The height of a title's row, in points, also after a change."""
    return 28.0 * min(4, ceil(len(CHANGED + title) / TITLE_LINE))


def follow(sheets: Sequence[Sheet], live: bool) -> list[Sheet]:
    """The sheets, bound into a book, with formulas for the texts that depend on the yellow cells, and on About a cell
    that compares these.

    What is drawn is no choice: a draw that a person overwrites changes no text.
    """
    sheets = bound(sheets)
    pages = [sheet for sheet in sheets if isinstance(sheet, Page)]
    items = [item for page in pages for item in page.items]
    cells = [item.matrix for item in items if isinstance(item, Block) and item.style == "input"]
    truths = [truth for cell in cells for truth in _as_made(cell)]
    if not live or not truths:
        return sheets
    about = next(page for page in pages if page.title == "About")
    row = 2 + max(item.row for item in about.items if not isinstance(item, Colours))
    added: list[Item] = [Text(row, 0, "Since it was made", "section")]
    found, *truths = truths
    for first in range(0, max(1, len(truths)), MOST_COMPARED):
        row += 1
        found = reduce(mul, truths[first : first + MOST_COMPARED], found)
        more = first + MOST_COMPARED < len(truths)
        # No matrix of the study's graph: the texts alone refer to it.
        found = found.placed(None if more else AS_MADE)
        added += [Text(row, 0, "some yellow cells" if more else "yellow cells", "label")]
        added += [Block(row, 1, found, "as-made")]
    said = (
        f"{AS_MADE}: 1 where every yellow cell holds what it was made with, else 0; titles and descriptions follow it"
    )
    added += [Text(row + 1, 1, said, "wrapped")]
    done = replace(about, items=(*about.items, *added))
    return [_followed(done if sheet is about else sheet, found) for sheet in sheets]


def _followed(sheet: Sheet, as_made: Matrix) -> Sheet:
    if not isinstance(sheet, Page):
        return sheet
    return replace(
        sheet, items=tuple(_told(item, as_made) if isinstance(item, AsMade) else item for item in sheet.items)
    )


def _told(item: AsMade, as_made: Matrix) -> Block:
    texts = (NO_TEXT.sub(" ", text) for text in (item.text, item.changed))
    return Block(item.row, item.column, where(as_made, *texts).placed(None), item.style, item.columns)


def _as_made(cell: Matrix) -> list[Matrix]:
    """Whether a yellow cell, or a block of them, holds what it was made with: factors that are 1 or 0."""
    if isinstance(cell.source, Choice):
        return [equal(cell, cell.source.value)]
    if not isinstance(cell.source, Data):
        return []
    numbers = cell.source.values
    if (numbers == numbers[0, 0]).all():
        number = float(numbers[0, 0])
        return [_is(cell, number) if cell.shape == (1, 1) else equal(total(not_equal(cell, number)), 0)]
    if cell.shape[0] == 1:
        return [_is(column_of(cell, k), float(number)) for k, number in enumerate(numbers[0], start=1)]
    return []


def _is(cell: Matrix, number: float) -> Matrix:
    """Spreadsheets keep or compare 15 digits, and none below 1e-307: of a number with more, whether it is near."""
    if float(f"{number:.15g}") == number and (number == 0 or abs(number) > 1e-290):
        return equal(cell, number)
    near = absolute(cell - number) < 1e-12 * abs(number) if abs(number) > 1e-290 else absolute(cell) < 1e-290
    return if_error(near, 0)  # a text has no difference


def echoed(items: Iterable[Item], elsewhere: Iterable[Matrix]) -> list[Item]:
    """A page's items with references for matrices whose home is a later sheet."""
    others = frozenset(elsewhere)
    return [
        Echo(item.row, item.column, item.matrix, item.style)
        if isinstance(item, Block) and item.matrix in others
        else item
        for item in items
    ]


def table_items(table: Table) -> list[Item]:
    """A table from the first cell of a page, its headings in the first row."""
    styles = {
        "number": "number",
        "size": "number",
        "count": "count",
        "share": "percent",
        "decimal": "one-decimal",
        "text": "text",
    }
    items: list[Item] = [Text(0, 0, table.index, "index")]
    items += [
        Text(1 + k, 0, label, "index") if isinstance(label, str) else Number(1 + k, 0, float(label), "index")
        for k, label in enumerate(table.labels)
    ]
    for c, column in enumerate(table.columns, start=1):
        items.append(Text(0, c, column.name, "column"))
        items += [Block(1 + r, c, cell, styles[column.kind]) for r, cell in enumerate(column.cells)]
    return items


def abreast(layers: int, most: int) -> list[range]:
    """The layers' places, from 0, in rows of so many: a deep network is read, and printed, from above to below."""
    return [range(first, min(first + most, layers)) for first in range(0, layers, most)]


def layer_heads(row: int, label: str, own: range, wide: int, last: str = "") -> list[Item]:
    """The heading of some layers in a row of `wide` columns, from their places; last: what the last one is called."""
    items: list[Item] = [Text(row, 0, label, "heading-left")]
    items += [Number(row, c, 1 + k, "layer") for c, k in enumerate(own, start=1)]
    if last:
        items[-1] = Text(row, len(own), last, "heading")
    return items + [Text(row, column, " ", "heading") for column in range(len(own) + 1, wide + 1)]


def layer_bars(
    row: int,
    column: int,
    title: str,
    drawn: Drawn,
    layer: int,
    size: tuple[int, int],
    every: int,
    axis: str = "",
) -> Bars:
    """The chart of a layer's histogram (layers from 1), at a cell."""
    spike = None
    if drawn.zeros:
        zeros = drawn.zeros[layer - 1]
        spike = Spike(zeros.at, "zeros", zeros.share, zeros.parts)
    bars = drawn.bars[layer - 1]
    return Bars(row, column, title, bars, drawn.labels, size, every, drawn.height, axis, spike)


# Of an input that is not drawn.
GIVEN = "given: the key input on About says from where"

# What the colours of a histogram mean.
BARS_NOTE = "Ochre: outside the range, “below” or “more”."
ZEROS_NOTE = "Grey: exact zeros, with their share; broken where it is taller than the scale, which is the others'."


def bars_page(histograms: Mapping[str, Drawn]) -> Page:
    """The sheet Bars: what the charts draw, by the heading of each set of histograms."""
    items: list[Item] = []
    row = wide = 0
    for heading, own in histograms.items():
        layers = len(own.counts)
        items += [
            Text(row, 0, heading, "section"),
            Text(row + 1, 0, "bin", "column"),
            Text(row + 1, 1, "edge", "column"),
            Block(row + 2, 1, own.edges, "edge"),
            Text(row + 1, 2, "height", "column"),
            Block(row + 2, 2, own.height, "count"),
        ]
        rows = own.counts[0].shape[0]
        items += [Number(row + 2 + k, 0, k, "whole") for k in range(rows)]
        if own.zeros:
            groups = ("bars", "zeros to", "gap to", "zeros below", "share")
            for k, zeros in enumerate(own.zeros):
                items += [
                    Text(row + 1, 4 + k + g * (layers + 1), f"{name} {k + 1}", "column")
                    for g, name in enumerate(groups)
                ]
                items.append(Block(row + 2, 4 + k, own.bars[k], "count"))
                for g, node in enumerate((*zeros.parts, zeros.share), start=1):
                    style = "percent" if node is zeros.share else "count"
                    items.append(Block(row + 2 + zeros.at, 4 + k + g * (layers + 1), node, style))
            wide = max(wide, 5 * (layers + 1))
        row += rows + 4
    notes = (
        "edge: a bin's upper edge, with all digits. The first one lies 1e-9 of the range below it (or all edges of a "
        "range on both sides of 0 as much above where they would be), so that rounding decides about no count.",
        "height: what the charts' scale reaches at least. bars: the counts without the exact zeros.",
        "The bar of zeros stands behind, as high as the two together; where it is taller than the chart it is broken: "
        "drawn to “zeros to”, over it in white “gap to”, over that “zeros below”.",
    )
    items += [Text(row + k, 0, note, "text") for k, note in enumerate(notes)]
    return Page("Bars", tuple(items), {0: 9, 1: 11} | dict.fromkeys(range(2, 4 + wide), 11), freeze=(0, 2))


def counted(layers: int) -> str:
    """So many layers, in words."""
    return "1 layer" if layers == 1 else f"{layers} layers"
