"""Histograms in books: the charts of the layers, the sheet of their counts, and the sheet of what the charts draw."""

from collections.abc import Callable, Mapping, Sequence

from sheetsim.studies.pages import CHART
from sheetsim.studies.sections import Chart, Section, stacked
from sheetsim.summary.histogram import Drawn, Histogram
from sheetsim.workbook.layout import Bars, Block, Item, Number, Page, Spike, Text

# What the sheet Histograms holds.
COUNTED = "counts in bins, as the charts show them"

# How a bin counts: the first note under the counts.
BINS_NOTE = "A bin counts what is above the edge before it and up to its own edge (Excel's FREQUENCY; edges: Bars)."

# What the colors of a histogram mean.
BARS_NOTE = "Ochre: outside the range, “below” or “more”."
ZEROS_NOTE = "Gray: exact zeros, with their share; broken where it is taller than the scale, which is the others'."


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


def small_bars(drawn: Drawn, first: Chart | None = None) -> Callable[[int, int], list[Chart]]:
    """The charts of Overview by layer, from 0, and column: a layer's, without a title; first: at the left of a row."""

    def charts(layer: int, column: int) -> list[Chart]:
        left = [first] if first and column == 1 else []
        return [*left, layer_bars(0, column, "", drawn, layer + 1, CHART, 10)]

    return charts


def counts_section(histogram: Histogram, heading: str = "", numbered: bool = True, gap: int = 1) -> Section:
    """A row per bin and a column per layer, under a heading if there is one.

    numbered: whether the bins' numbers have their cells here.
    """
    rows = histogram.bin.shape[0]
    top = 1 if heading else 0
    first, last = top + 1, top + 1 + rows
    items: list[Item] = [Text(0, 0, heading, "section")] if heading else []
    items += [Text(top, 0, "bin", "column"), Text(top, 1, "up to", "column")]
    items += [Block(first, 0, histogram.bin, "whole")] if numbered else _whole(first, rows)
    items += [
        Block(first, 1, histogram.drawn.labels, "up-to"),
        Number(last, 0, rows, "whole"),
        Text(last, 1, "more", "edge-muted"),
    ]
    for k, counts in enumerate(histogram.counts):
        items += [Text(top, 2 + k, f"Layer {k + 1}", "column"), Block(first, 2 + k, counts, "count")]
    return Section(items, last + 1, gap=gap)


def _whole(row: int, rows: int) -> list[Item]:
    return [Number(row + k, 0, k, "whole") for k in range(rows)]


def counts_page(
    sections: Sequence[Section], widths: Mapping[int, float], freeze: tuple[int, int], more: Sequence[Item] = ()
) -> Page:
    """The sheet Histograms: counts, what is said of them, and charts or other items beside them."""
    items, _ = stacked(sections, 0)
    return Page("Histograms", (*items, *more), widths, freeze=freeze, words=COUNTED)


def bars_page(histograms: Mapping[str, Drawn]) -> Page:
    """The sheet Bars: what the charts draw, by the heading of each set of histograms."""
    items: list[Item] = []
    row = wide = 0
    for heading, drawn in histograms.items():
        layers = len(drawn.counts)
        items += [
            Text(row, 0, heading, "section"),
            Text(row + 1, 0, "bin", "column"),
            Text(row + 1, 1, "edge", "column"),
            Block(row + 2, 1, drawn.edges, "edge"),
            Text(row + 1, 2, "height", "column"),
            Block(row + 2, 2, drawn.height, "count"),
        ]
        rows = drawn.counts[0].shape[0]
        items += _whole(row + 2, rows)
        if drawn.zeros:
            groups = ("bars", "zeros to", "gap to", "zeros below", "share")
            for k, zeros in enumerate(drawn.zeros):
                items += [
                    Text(row + 1, 4 + k + g * (layers + 1), f"{name} {k + 1}", "column")
                    for g, name in enumerate(groups)
                ]
                items.append(Block(row + 2, 4 + k, drawn.bars[k], "count"))
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
    widths = {0: 9, 1: 11} | dict.fromkeys(range(2, 4 + wide), 11)
    return Page("Bars", tuple(items), widths, freeze=(0, 2), words="what the charts of histograms draw")
