"""What makes sheets a book: contents on the first one, a way back from the others, and tabs coloured by kind."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from sheetsim.workbook.layout import Block, Colours, Item, Link, MatrixSheet, Page, Sheet, Text
from sheetsim.workbook.writing.printing import CHARTS, Placed, chart_end
from sheetsim.workbook.writing.styles import COLOURS

# By the title of a sheet, without its number: the kind of what it holds, which colours its tab, and words.
SHEETS: dict[str, tuple[str, str]] = {
    "Overview": ("results", ""),
    "Model": ("results", ""),
    "About": ("about", "how to make this file again, its parameters, names and columns"),
    "Input": ("input", "what goes in: a row a sample, a column an input"),
    "Targets": ("input", "what the outputs should be"),
    "Data": ("input", "the samples that the network learns"),
    "Weights": ("weights", "weights: their standard deviation times the draws"),
    "Linear": ("sums", "linear sums: what goes into the layer times its weights"),
    "Activation": ("activations", "what comes out of the layer: f of its linear sums"),
    "d_z": ("gradients", "gradients of the loss by the activations"),
    "d_a": ("gradients", "gradients of the loss by the linear sums"),
    "d_W": ("gradients", "gradients of the loss by the weights"),
    "Draws": ("draws", "standard draws that the weights are made of"),
    "Target draws": ("draws", "standard draws that targets are made of"),
    "Labels": ("draws", "the samples' labels, and the draws that they are made of"),
    "Shift": ("results", "each sample's greatest output, taken off before EXP"),
    "Histograms": ("results", "counts in bins, as the charts show them"),
    "Bars": ("results", "what the charts of histograms draw"),
    "Layers": ("results", "numbers of each layer's outputs"),
    "Variance": ("results", "the variance of the linear sums, and the claims about it"),
    "Gradients": ("results", "numbers of each layer's gradients"),
    "Paths": ("results", "how each path began and ended"),
    "Contours": ("results", "points of equal f: the grey lines of the charts"),
    "Growth": ("results", "how the gradients grow by step"),
    "Norms": ("results", "norms by step"),
    "Powers of W": ("sums", "powers of W"),
    "Averages of W": ("sums", "averages over powers of W"),
    "Powers of WtW": ("sums", "powers of WᵀW"),
    "Averages of WtW": ("sums", "averages over powers of WᵀW"),
    "Starts": ("results", "how each start began and ended"),
    "Steps": ("results", "numbers by step"),
    "Replicates": ("results", "a row a replicate: its seed and its statistics"),
    "Statistics": ("results", "each statistic over the replicates, with its interval"),
    "Convergence": ("results", "how the means settle with more replicates"),
    "Heat map": ("results", "means by the first two keys of the grid"),
    "Lines": ("results", "means by layer"),
    "Quantiles": ("results", "the points of the quantile plots"),
    "Points": ("results", "a row a point of the grid and layer: means and intervals"),
}

# Rows from the top in which a link to the contents is seen.
NEAR = 12

WAY_BACK = "The first cell of every sheet leads back here."


def bound(sheets: Sequence[Sheet]) -> list[Sheet]:
    """The sheets with the contents at the end of the first one, a page, and About right after it."""
    first, *others = sheets
    told = [_told(sheet, first.title) for sheet in sorted(others, key=lambda sheet: sheet.title != "About")]
    assert isinstance(first, Page)
    return [_with_contents(replace(first, tab=kind_of(first)), told), *told]


def kind_of(sheet: Sheet) -> str:
    """The kind of what a sheet holds."""
    return sheet.tab or SHEETS.get(_family(sheet.title), ("results", ""))[0]


def _told(sheet: Sheet, back: str) -> Sheet:
    words = sheet.words or SHEETS.get(_family(sheet.title), ("", ""))[1]
    if not words and isinstance(sheet, Page):
        words = next((item.text for item in sheet.items if isinstance(item, Text) and item.style == "title"), "")
        # The sheet of a path is called as the path.
        words = "a row a step" if words == sheet.title else words
    return replace(sheet, tab=kind_of(sheet), words=words, back=back)


def _family(title: str) -> str:
    return re.sub(r" [0-9]+\Z", "", title)


def _with_contents(page: Page, others: Sequence[Sheet]) -> Page:
    """A row a sheet; sheets with one title and a number have a row of words, and links under it."""
    wide = max(page.widths, default=0) + 1
    held = {row for item in page.items if not isinstance(item, Colours) for row in _rows(page, item)}
    row = top = 2 + max(held)
    added: list[Item] = [Text(row, 0, "Contents", "section"), Text(row + 1, 0, WAY_BACK, "text")]
    if any(isinstance(sheet, MatrixSheet) and not sheet.wholes for sheet in others):
        added.append(Text(row + 2, 0, f"{COLOURS} So on every matrix sheet; its first cell has a note.", "text"))
        row += 1
    row += 2
    for family, own in _families(others):
        alone = len(own) == 1
        label = Link(row, 0, own[0].title, "link", sheet=own[0].title) if alone else Text(row, 0, family, "label")
        added += [label, Text(row, 1, own[0].words, "hint", max(1, wide - 1))]
        row += 1
        if alone:
            continue
        for k, sheet in enumerate(own):
            down, across = divmod(k, max(1, wide - 1))
            added.append(Link(row + down, 1 + across, sheet.title, "link", sheet=sheet.title))
        row += down + 1
    # Where a row under the title is free, it leads to them.
    free = next(k for k in range(1, top) if k not in held)
    if free < NEAR:
        added.append(Link(free, 0, "Contents: all sheets", "link", sheet=page.title, to_row=top))
    return replace(page, items=(*page.items, *added))


def _rows(page: Page, item: Placed) -> range:
    """The rows of an item."""
    if isinstance(item, CHARTS):
        return range(item.row, chart_end(page, item)[0] + 1)
    return range(item.row, item.row + (item.matrix.shape[0] if isinstance(item, Block) else 1))


def _families(sheets: Sequence[Sheet]) -> Iterator[tuple[str, list[Sheet]]]:
    """The sheets by title without number, in the order in which these come."""
    found: dict[str, list[Sheet]] = {}
    for sheet in sheets:
        found.setdefault(_family(sheet.title), []).append(sheet)
    yield from found.items()
