"""How the study of initial weights looks as a workbook: which matrix stands where, and what is said beside it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sheetsim.model.activations import ACTIVATION_NAMES
from sheetsim.model.expr import Draw, Matrix
from sheetsim.model.graph import Graph
from sheetsim.model.initializers import INITIALIZER_NAMES, MORE_NAMES, STANDARD
from sheetsim.model.nets import Network
from sheetsim.studies.about import placed, with_about
from sheetsim.studies.pages import (
    BARS_NOTE,
    CHART,
    GIVEN,
    HOW_IT_IS_SHOWN,
    LABEL_WIDTH,
    LAYER_WIDTH,
    ZEROS_NOTE,
    bars_page,
    counted,
    layer_bars,
)
from sheetsim.studies.sections import (
    Control,
    Overview,
    Row,
    Section,
    by_layer,
    controls,
    lead,
    lines,
    meaning,
    numbers,
    table_page,
)
from sheetsim.summary.histogram import Histogram
from sheetsim.summary.layers import INPUT_LOST, VERDICTS, Given
from sheetsim.summary.table import Table
from sheetsim.summary.variance import VERDICTS as OF_CLAIMS
from sheetsim.summary.variance import WORDS, Claim, Units
from sheetsim.workbook.layout import Block, Item, MatrixSheet, Number, Page, Sheet, Text
from sheetsim.workbook.limits import check_size

if TYPE_CHECKING:
    from sheetsim.studies.forward.study import Forward

# Layers side by side on Overview.
ACROSS = 5

LARGE_CHART = (446, 280)
CHART_ROWS = 14

# A claim's lines on the sheet Variance: label, cell of each layer and its style; an empty line parts it from the next.
CLAIM_LINES = (
    ("", "ratio", "ratio"),
    ("std error", "error", "error"),
    ("units", "units", "one-decimal-centre"),
    ("from", "low", "ratio"),
    ("to", "high", "ratio"),
    ("verdict", "word", "verdict"),
)
CLAIM_ROWS = len(CLAIM_LINES) + 1

RULE = (
    "A claim does not hold at a layer where the interval of the ratio lies wholly further than the tolerance from the "
    "expected ratio, and holds where it lies wholly within and has the expected ratio in it (without: nearly).",
    "Else it is undecided: the units of one run cannot tell. More units can, or replicates (`sheetsim replicate`).",
    "The verdict over all layers is the worst of a layer; a layer that was not checked (no variance, units all alike, "
    "overflow) leaves it undecided. With the confidence the intervals of all layers checked are right together.",
    "Intervals are for other weights given the layer's inputs: its units are the independent repeats, however few the "
    "samples. Units: so many equal ones would tell as much; with too few there is no interval (#N/A).",
)


@dataclass(frozen=True)
class ForwardBook:
    """Everything that the workbook shows; `sheets` lays it out."""

    study: "Forward"
    graph: Graph
    network: Network
    table: Table
    verdicts: Sequence[Matrix]
    given: Given
    histogram: Histogram
    variance: Table
    claims: Sequence[Claim]
    units: tuple[Matrix | Units, ...]

    def sheets(self, command: str, live: bool) -> list[Sheet]:
        """The sheets in their order; of a summary only those that hold results.

        Raises SheetsimError for a matrix that no sheet can hold.
        """
        # First: of a matrix that no sheet can hold there is no page of headings either.
        matrices = list(matrix_sheets(self.network)) if self.study.is_full else []
        results = [self._histograms(), self._summary(), self._variance()]
        bars = bars_page({"Outputs of each layer": self.histogram.drawn})
        sheets: list[Sheet] = [self._overview(live), *results, bars]
        if self.study.is_full:
            sheets = [sheets[0], *matrices, *results, *draws_sheets(self.network), bars]
        names = placed(sheets)
        return with_about(
            self.study,
            sheets,
            command,
            live,
            glossary={name: what for name, what in GLOSSARY.items() if name in names},
            tables=(self.table, self.variance),
            scipy=needs_scipy(self.network),
        )

    def _overview(self, live: bool) -> Page:
        layers = self.network.layers
        samples, inputs = self.network.x.shape
        wide = ACROSS + 1
        told = (
            f"{samples:,} samples of {inputs:,} inputs pass through {counted(len(layers))}: a layer multiplies "
            "by weights (Linear = input × Weights) and applies the activation (Activation = f(Linear)).",
            f"{HOW_IT_IS_SHOWN[self.study.is_full, live]}; the charts show how every layer's outputs are distributed "
            "under the chosen start of the weights.",
            "A good start keeps the spread, and what tells samples apart, from layer to layer; a bad one saturates the "
            "units, makes them all alike, loses the input, or lets the signal die out or explode.",
        )
        rows = [
            Row("Verdict", self.verdicts, "verdict"),
            *layer_controls(self.graph, len(layers)),
            Row("Standard deviation of weights", [layer.sd for layer in layers]),
            Row("Mean of outputs", self.table["mean"]),
            Row("Standard deviation of outputs", self.table["std"]),
            Row("Of their variance, over samples", self.table["over_samples"], "percent-centre"),
            Row("Saturated outputs (relu: zeros)", self.table["saturated"], "percent-centre"),
            Row("Dead units", self.table["dead_units"], "count-centre"),
            Row("Effective units", self.table["effective_units"], "one-decimal-centre"),
        ]
        given = [
            Row("Mean square of the input", [self.given.square]),
            Row("Of it, variance over samples", [self.given.over_samples], "percent-centre"),
            Row("Effective units of the input", [self.given.effective_units], "one-decimal-centre"),
        ]
        note = (
            "Counts of all outputs in bins of equal width, on one scale for all layers. "
            f"{BARS_NOTE} {ZEROS_NOTE} Numbers: sheet Histograms."
        )
        sections: list[Section] = [
            lead(told, wide),
            controls(network_controls(self.graph), network_hints(self.network) if live else (), wide - 2),
            *by_layer(
                "Outputs of each layer",
                len(layers),
                ACROSS,
                rows,
                lambda k, c: [layer_bars(0, c, "", self.histogram.drawn, k + 1, CHART, 10)],
                CHART[1],
                note,
            ),
            numbers(given),
            meaning(VERDICTS, wide - 1),
            lines(INPUT_LOST, "lead", wide, 34),
        ]
        widths = {0: LABEL_WIDTH} | dict.fromkeys(range(1, wide), LAYER_WIDTH)
        title, elsewhere = self.study.title, self.table.cells()
        return Overview(title, self.study.TITLE, wide, sections, widths, VERDICTS, elsewhere).page()

    def _histograms(self) -> Page:
        histogram = self.histogram
        bins = histogram.bin.shape[0]
        last = bins + 1
        items: list[Item] = [
            Text(0, 0, "bin", "column"),
            Text(0, 1, "up to", "column"),
            Block(1, 0, histogram.bin, "whole"),
            Block(1, 1, histogram.drawn.labels, "up-to"),
            Number(last, 0, bins, "whole"),
            Text(last, 1, "more", "edge-muted"),
        ]
        for k, counts in enumerate(histogram.counts):
            items += [Text(0, 2 + k, f"Layer {k + 1}", "column"), Block(1, 2 + k, counts, "count")]
        row = last + 2
        labelled = [("low", histogram.low, "edge"), ("high", histogram.high, "edge")]
        if histogram.tails:
            labelled += [("bound", self.graph["bound"], "edge"), ("tail", self.graph["tail"], "edge")]
            labelled.append(("reach", self.graph["reach"], "input"))
        labelled += [("most", histogram.drawn.largest, "count"), ("tallest", self.graph["tallest"], "input")]
        for label, node, style in labelled:
            items += [Text(row, 0, label, "label"), Block(row, 1, node, style)]
            if label == "tail":
                items += [Block(row, 2 + k, tail, "edge") for k, tail in enumerate(histogram.tails)]
            row += 1
        notes = [note for note in HISTOGRAM_NOTES if histogram.tails or not note.startswith(("tail", "Books"))]
        items += [Text(row + 1 + k, 0, note, "text") for k, note in enumerate(notes)]
        first = 3 + len(histogram.counts)
        for k in range(len(histogram.counts)):
            place = (k // 2) * CHART_ROWS, first + 7 * (k % 2)
            items.append(
                layer_bars(*place, f"Activation {k + 1}", histogram.drawn, k + 1, LARGE_CHART, 5, "output, up to")
            )
        widths = {0: 9, 1: 9} | {2 + k: 10 for k in range(len(histogram.counts))}
        return Page("Histograms", tuple(items), widths, freeze=(1, 2))

    def _summary(self) -> Page:
        last = len(self.table.columns)
        return table_page(self.table, {0: 8} | dict.fromkeys(range(1, last), 11) | {last: 15})

    def _variance(self) -> Page:
        layers = self.network.layers
        row = len(layers) + 2
        items: list[Item] = [Text(row, 0, "What the numbers say", "section")]
        items += [Text(row + 1 + k, 0, sentence, "text") for k, sentence in enumerate(STORY)]
        row += len(STORY) + 2
        items.append(Text(row, 0, "What is said of the claims", "section"))
        for k, (label, name) in enumerate((("Tolerance", "tolerance"), ("Confidence", "confidence"))):
            items += [Text(row + 1 + k, 0, label, "label"), Block(row + 1 + k, 1, self.graph[name], "input")]
        row += 3
        items += [Text(row + k, 0, sentence, "text") for k, sentence in enumerate(RULE)]
        row += len(RULE) + 1
        items += [
            Text(row, 0, "Claim", "heading-left", 6),
            Text(row, 6, "verdict", "heading"),
            Text(row, 7, "layers checked", "heading"),
            Text(row, 8, "expected", "heading"),
        ]
        items += [Number(row, 8 + layer.number, layer.number, "layer") for layer in layers]
        row += 1
        for claim in self.claims:
            items += _claim(row, claim)
            row += CLAIM_ROWS
        wide, printed = 8 + len(layers), None
        if self.study.is_full:
            printed = row
            items += self._by_unit(row)
            wide = max(wide, *(node.shape[1] for node in self._unit_rows()))
        # The weights' standard deviations live on Overview, where they are seen beside the drop-down.
        elsewhere = [layer.sd for layer in layers]
        widths = {0: 11} | dict.fromkeys(range(1, wide + 1), 14)
        return table_page(self.variance, widths, (1, 1), elsewhere, items, OF_CLAIMS, printed)

    def _by_unit(self, row: int) -> Iterator[Item]:
        yield Text(row, 0, "By unit: means and variances over the samples", "section")
        row += 1
        rows = self._unit_rows()
        yield Text(row, 0, "unit", "index")
        yield from (Number(row, c, c, "column") for c in range(1, 1 + max(node.shape[1] for node in rows)))
        if self.network.x.headings and rows[0] is self.units[0]:
            row += 1
            yield Text(row, 0, "input", "label")
            yield from (Text(row, c, name, "column") for c, name in enumerate(self.network.x.headings, start=1))
        for node in rows:
            row += 1
            yield from (Text(row, 0, str(node.name), "label"), Block(row, 1, node, "number"))

    def _unit_rows(self) -> list[Matrix]:
        var_x, *units = self.units
        rows = [var_x] if isinstance(var_x, Matrix) else []
        for own in units:
            if isinstance(own, Units):
                rows += [own.mean_a, own.var_a, own.mean_z, own.var_z]
        return rows


def network_controls(graph: Graph) -> list[Control]:
    """The yellow cells of a network of one activation and initializer."""
    return [
        Control("Activation", graph["activation"]),
        Control("Initializer", graph["initializer"]),
        Control("Custom standard deviation", graph["custom_std"]),
    ]


def layer_controls(graph: Graph, layers: int) -> list[Row]:
    """Those of a network with an initializer for each layer."""
    if "initializer_1" not in graph:
        return []
    labels = {"initializer": "Initializer of the layer", "custom_std": "Its custom std"}
    numbers = range(1, layers + 1)
    return [Row(label, [graph[f"{name}_{k}"] for k in numbers], "input") for name, label in labels.items()]


def network_hints(network: Network) -> list[str]:
    """What is said beside the yellow cells."""
    hints = [
        "Choose from the yellow cells: every sheet, chart and verdict follows.",
        "The custom standard deviation counts when the initializer is “custom”.",
        INITIALIZER_NAMES,
    ]
    drawn = {layer.e.source.law for layer in network.layers if isinstance(layer.e.source, Draw)} - {str(STANDARD)}
    if any(law.startswith("ones(") for law in drawn):
        hints.append("Weights of a layer with draws that are all 1 are equal: its standard deviation is their value.")
    elif drawn:
        hints.append(
            f"Draws of weights stay as the book was made ({', '.join(sorted(drawn))}): a choice changes "
            "the standard deviation alone."
        )
    return hints


def matrix_sheets(network: Network) -> Iterator[Sheet]:
    """The input, weights, linear sums and activations. Raises SheetsimError for one that no sheet can hold."""
    check_size("x on sheet 'Input'", network.x.shape[0] + 1, network.x.shape[1] + 1)
    for layer in network.layers:
        rows, columns = layer.W.shape
        check_size(f"W_{layer.number} on sheet 'Weights {layer.number}'", rows + 1, columns + 1)
    yield MatrixSheet("Input", network.x, "sample", constants=GIVEN)
    yield from (MatrixSheet(f"Weights {layer.number}", layer.W, "fan-in") for layer in network.layers)
    yield from (MatrixSheet(f"Linear {layer.number}", layer.a, "sample") for layer in network.layers)
    yield from (MatrixSheet(f"Activation {layer.number}", layer.z, "sample") for layer in network.layers)


def draws_sheets(network: Network) -> Iterator[Sheet]:
    """The draws of the weights."""
    yield from (MatrixSheet(f"Draws {layer.number}", layer.e, "fan-in") for layer in network.layers)


def needs_scipy(network: Network) -> bool:
    """Whether SciPy has a part in its inputs: in drawn ones that are not plain."""
    return isinstance(network.x.source, Draw) and not network.x.source.is_plain


def _claim(row: int, claim: Claim) -> list[Item]:
    """The claim's verdict, and the layers that it comes from: how many are said what, and each one's numbers."""
    items: list[Item] = [
        Text(row, 0, claim.sentence, "label", 6),
        Block(row, 6, claim.verdict, "verdict"),
        Block(row, 7, claim.checked, "count-centre"),
        Number(row, 8, claim.expected, "ratio"),
    ]
    for k, (word, count) in enumerate(zip(WORDS, claim.counts, strict=True), start=1):
        items += [Text(row + k, 6, word, "muted"), Block(row + k, 7, count, "state")]
    items += [Text(row + 5, 6, "± std errors", "muted"), Block(row + 5, 7, claim.width, "ratio")]
    for k, (label, cell, style) in enumerate(CLAIM_LINES):
        if label:
            items.append(Text(row + k, 8, label, "muted"))
        items += [Block(row + k, 9 + c, getattr(layer, cell), style) for c, layer in enumerate(claim.layers)]
    return items


HISTOGRAM_NOTES = (
    "A bin counts what is above the edge before it and up to its own edge (Excel's FREQUENCY; edges: Bars).",
    "Bin 1 counts the range's lower end too: for relu, the zeros. Bin 0 is below the range, “more” above.",
    "most: the greatest count of a bin, exact zeros apart; the charts' scale fits it, and tallest at least.",
    "tail: a layer's 99.9 % quantile of |z|; bound: the largest of them, rounded up, and reach at least.",
    "Books with the same reach and tallest have the same axes, where no bound and no count is greater.",
)

STORY = (
    "The common explanation: ReLU halves the variance, variances add, so He's standard deviation needs a √2.",
    "ReLU does not halve the variance: for a normal input Var(z)/Var(a) is (π−1)/2π ≈ 0.34. "
    "It halves the second moment: E[z²]/E[a²] = 1/2.",
    "The next layer's sums have variance n·sd²·E[z²], not n·sd²·Var(z), because the means of z count too. "
    "It is the second moment that He's √2 restores.",
)

GLOSSARY = {
    "x": "the input, samples × inputs (constants)",
    "e_1": "e_1, e_2, …: standard draws of the layers' weights, fan-in × fan-out (constants)",
    "sd_1": "sd_1, …: standard deviations of the layers' weights, by the initializer",
    "W_1": "W_1, …: weights, sd_l · e_l",
    "a_1": "a_1, …: linear sums, input × W_l",
    "z_1": "z_1, …: activations f(a_l)",
    "activation": f"the activation f, a drop-down. {ACTIVATION_NAMES}",
    "initializer": f"the initializer, a drop-down. {INITIALIZER_NAMES}. {MORE_NAMES}",
    "custom_std": "the standard deviation that the initializer “custom” uses",
    "initializer_1": "initializer_1, …: a layer's own initializer, used while initializer says “per layer”",
    "custom_std_1": "custom_std_1, …: a layer's own standard deviation for “custom”",
    "bin": "the bins' numbers",
    "range_low": "the lower end of the histograms' range",
    "range_high": "its upper end",
    "tail": "the greatest 99.9 % quantile of |z| of all layers",
    "bound": "tail rounded up, and reach at least: the upper end for activations without bounds",
    "reach": "a least bound: books that have the same can be compared",
    "edges": "the bins' upper edges; a bin is (edge before, edge], and the first bin has the range's lower end too",
    "verdict_1": "verdict_1, …: the layers' verdicts",
    "square_x": "the input's mean square, E[x²]",
    "over_samples_x": "the share of it that is variance over samples",
    "effective_x": "the input's effective units: the participation ratio of its columns' covariance",
    "additivity": "additivity, moment_rule, relu_halves_variance, relu_halves_second_moment: the claims' verdicts",
    "tolerance": "how near the expected ratio a claim's interval must lie to hold, how far for it not to",
    "confidence": "confidence of a claim's intervals at all layers together",
    "counts_1": "counts_1, …: outputs of the layer below the range, in each bin, above the range",
    "bars_1": "bars_1, …: counts without the exact zeros of relu",
    "largest_count": "the greatest of all bars",
    "tallest": "a least height for the charts' common scale: books that have the same can be compared",
    "chart_height": "what the charts' common scale reaches: largest_count or tallest, and room for a bar of zeros",
    "var_x": "the inputs' variances over the samples",
    "mean_a_1": "mean_a_1, …, mean_z_1, …: the units' means over the samples",
    "var_a_1": "var_a_1, …, var_z_1, …: the units' population variances over the samples",
}
