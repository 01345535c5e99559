"""What the books of several studies share: a home for each matrix, and tables as pages."""

from collections.abc import Iterable, Mapping

from sheetsim.model.expr import Matrix
from sheetsim.summary.histogram import Drawn
from sheetsim.summary.table import Table
from sheetsim.workbook.layout import Bars, Block, Echo, Item, Number, Page, Spike, Text

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


class Homes:
    """Gives a matrix its home on a page the first time that it is shown there, and a reference to it from then on.

    elsewhere: matrices whose home is another page.
    """

    def __init__(self, elsewhere: Iterable[Matrix] = ()) -> None:
        self._seen = set(elsewhere)

    def show(self, row: int, column: int, node: Matrix, style: str) -> Item:
        """The matrix at a cell, as its home or by reference."""
        if node in self._seen:
            return Echo(row, column, node, style)
        self._seen.add(node)
        return Block(row, column, node, style)


def table_items(table: Table, homes: Homes) -> list[Item]:
    """A table from the first cell of a page, its headings in the first row."""
    styles = {"number": "number", "count": "count", "share": "percent", "decimal": "one-decimal", "text": "text"}
    items: list[Item] = [Text(0, 0, table.index, "index")]
    items += [
        Text(1 + k, 0, label, "index") if isinstance(label, str) else Number(1 + k, 0, float(label), "index")
        for k, label in enumerate(table.labels)
    ]
    for c, column in enumerate(table.columns, start=1):
        items.append(Text(0, c, column.name, "column"))
        items += [homes.show(1 + r, c, cell, styles[column.kind]) for r, cell in enumerate(column.cells)]
    return items


def layer_bars(
    row: int,
    column: int,
    title: str,
    drawn: Drawn,
    layer: int,
    size: tuple[int, int],
    every: int,
    axis: str = "",
    curve: tuple[str, Matrix] | None = None,
) -> Bars:
    """The chart of a layer's histogram (layers from 1), at a cell."""
    spike = None
    if drawn.zeros:
        zeros = drawn.zeros[layer - 1]
        spike = Spike(zeros.at, "zeros", zeros.share, zeros.parts)
    bars = drawn.bars[layer - 1]
    return Bars(row, column, title, bars, drawn.labels, size, every, drawn.height, axis, spike, curve)


# What the colours of a histogram mean.
BARS_NOTE = "Ochre: outside the range, “below” or “more”."
ZEROS_NOTE = "Grey: exact zeros, with their share; broken where it is taller than the scale, which is the others'."


def bars_page(histograms: Mapping[str, Drawn]) -> Page:
    """The sheet Bars: what the charts draw, by the heading of each set of histograms."""
    homes = Homes()
    items: list[Item] = []
    row = wide = 0
    for heading, own in histograms.items():
        layers = len(own.counts)
        items += [
            Text(row, 0, heading, "section"),
            Text(row + 1, 0, "bin", "column"),
            Text(row + 1, 1, "edge", "column"),
            homes.show(row + 2, 1, own.edges, "edge"),
            Text(row + 1, 2, "height", "column"),
            homes.show(row + 2, 2, own.height, "count"),
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
                items.append(homes.show(row + 2, 4 + k, own.bars[k], "count"))
                for g, node in enumerate((*zeros.parts, zeros.share), start=1):
                    style = "percent" if node is zeros.share else "count"
                    items.append(homes.show(row + 2 + zeros.at, 4 + k + g * (layers + 1), node, style))
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
