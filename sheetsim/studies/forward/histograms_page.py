"""The sheet Histograms of the outputs: counts on one range for all layers, its ends, and a large chart a layer."""

from sheetsim.model.graph import Graph
from sheetsim.studies.histogram_pages import BINS_NOTE, counts_page, counts_section, layer_bars
from sheetsim.studies.sections import Row, lines, numbers
from sheetsim.summary.histogram import Histogram
from sheetsim.workbook.layout import Page

CHART = (446, 280)
CHART_ROWS, CHART_COLUMNS = 14, 7

NOTES = (
    BINS_NOTE,
    "Bin 1 counts the range's lower end too: for relu, the zeros. Bin 0 is below the range, “more” above.",
    "most: the largest count of a bin without the exact zeros; the charts' scale fits it, and at least tallest.",
)
# Where the range is made from the outputs.
NOTES_OF_RANGE = (
    "tail: a layer's 99.9 % quantile of |z|; bound: the largest of them, rounded up, and reach at least.",
    "Books with the same reach and tallest have the same axes, where no bound and no count is greater.",
)


def output_histograms(graph: Graph, histogram: Histogram) -> Page:
    """The page."""
    drawn, layers = histogram.drawn, len(histogram.counts)
    ends = [Row("low", [histogram.low], "edge"), Row("high", [histogram.high], "edge")]
    if histogram.tails:
        ends += [
            Row("bound", [graph["bound"]], "edge"),
            Row("tail", [graph["tail"], *histogram.tails], "edge"),
            Row("reach", [graph["reach"]], "input"),
        ]
    ends += [Row("most", [drawn.largest], "count"), Row("tallest", [graph["tallest"]], "input")]
    notes = NOTES + (NOTES_OF_RANGE if histogram.tails else ())
    charts = []
    for k in range(layers):
        place = (k // 2) * CHART_ROWS, 3 + layers + CHART_COLUMNS * (k % 2)
        charts.append(layer_bars(*place, f"Activation {k + 1}", drawn, k + 1, CHART, 5, "output, up to"))
    widths = {0: 9, 1: 9} | dict.fromkeys(range(2, 2 + layers), 10)
    return counts_page(
        [counts_section(histogram, gap=0), numbers(ends), lines(notes, columns=2 + layers)], widths, (1, 2), charts
    )
