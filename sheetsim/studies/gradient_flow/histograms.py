"""The histograms of a backward pass in its book: their charts on Overview, by kind, and the sheet of their counts."""

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from sheetsim.model.graph import Graph
from sheetsim.studies.gradient_flow.gradients import Curve
from sheetsim.studies.histogram_pages import BARS_NOTE, BINS_NOTE, ZEROS_NOTE, counts_page, counts_section, small_bars
from sheetsim.studies.pages import CHART
from sheetsim.studies.sections import Row, Section, by_layer, lines
from sheetsim.summary.histogram import Histogram
from sheetsim.workbook.layout import Block, Item, Line, Lines, Page, Text

LABEL_CHART = 190  # pixels: as wide as the column of labels

HISTOGRAMS = {
    "a": "Pre-activations a, and f′(a) over their range",
    "d_a": "Gradients d_a, with respect to the pre-activations",
    "d_z": "Gradients d_z, with respect to the activations",
    "d_W": "Gradients d_W, with respect to the weights",
}
NOTES = {
    "a": "Counts of a layer's pre-activations, on one scale for all layers. Where the bars lie and f′(a), at the left "
    f"over the same range, is near 0, little comes back. {BARS_NOTE}",
    "d_a": f"Counts of ∂loss/∂a on one scale for all layers. {ZEROS_NOTE}",
    "d_z": "Counts of ∂loss/∂z on one scale for all layers.",
    "d_W": "Counts of ∂loss/∂W on one scale for all layers: what a step of training changes.",
}
PAGE_NOTES = (
    BINS_NOTE,
    "most: the greatest count of a bin, exact zeros apart: the charts' scale.",
    "tail: the greatest 99.9 % quantile of |x| of the layers, which stand beside it; bound: it rounded up.",
)


def chart_sections(histograms: Mapping[str, Histogram], curve: Curve, across: int) -> Iterator[Section]:
    """Of each kind a heading, and under it the charts of all layers, so many side by side."""
    for name, histogram in histograms.items():
        yield Section((Text(0, 0, HISTOGRAMS[name], "section"), Text(1, 0, NOTES[name], "text")), 2)

        charts = small_bars(histogram.drawn, _slope(curve) if name == "a" else None)
        called = HISTOGRAMS[name]
        for section in by_layer(name, len(histogram.counts), across, (), charts, CHART[1], called=called):
            yield replace(section, gap=0)


def _slope(curve: Curve) -> Lines:
    slope = Line("f′(a)", (curve.slope,))
    return Lines(0, 0, "f′(a)", (slope,), (LABEL_CHART, CHART[1]), "a", (curve.at,))


def gradient_histograms_page(graph: Graph, histograms: Mapping[str, Histogram], curve: Curve) -> Page:
    """The sheet Histograms: the four kinds one under another, and the curve beside the first."""
    sections: list[Section] = []
    for name, histogram in histograms.items():
        first = name == "a"
        counts = counts_section(histogram, HISTOGRAMS[name], numbered=first, gap=0 if first else 1)
        beside = _curve(graph, curve, 5 + len(histogram.counts)) if first else ()
        tail = Row("tail", [graph[f"tail_{name}"], *histogram.tails], "edge").items(0)
        bound = Row("bound", [histogram.high], "edge").items(1)
        most = Text(1, 2, "most", "label"), Block(1, 3, histogram.drawn.largest, "count")
        sections += [replace(counts, items=[*counts.items, *beside]), Section([*tail, *bound, *most], 2, gap=0)]
    layers = len(histograms["a"].counts)
    widths = {0: 9} | dict.fromkeys(range(1, layers + 10), 11)
    return counts_page([*sections, lines(PAGE_NOTES, columns=4 + layers)], widths, (0, 2))


def _curve(graph: Graph, curve: Curve, left: int) -> Iterator[Item]:
    """Longer than the bins: beside what stands under the counts of this kind and the others."""
    columns = {"share": graph["share"], "a": curve.at, "f": curve.value, "f′": curve.slope}
    for column, (heading, node) in enumerate(columns.items(), start=left):
        yield from (Text(1, column, heading, "column"), Block(2, column, node, "edge"))
