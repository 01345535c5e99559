"""How the study of initial weights looks as a workbook: which matrix stands where, and what is said beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sheetsim.model.activations import NAMES as ACTIVATION_NAMES
from sheetsim.model.expr import Draw, Matrix
from sheetsim.model.graph import Graph
from sheetsim.model.initializers import NAMES, STANDARD
from sheetsim.model.nets import Network
from sheetsim.studies.about import about_page
from sheetsim.studies.pages import (
    BARS_NOTE,
    CHART,
    GIVEN,
    HOW_IT_IS_SHOWN,
    LABEL_WIDTH,
    LAYER_WIDTH,
    ZEROS_NOTE,
    Homes,
    abreast,
    bars_page,
    counted,
    follow,
    layer_bars,
    layer_heads,
    page_title,
    table_items,
    title_height,
)
from sheetsim.summary.histogram import Histogram
from sheetsim.summary.layers import INPUT_LOST, VERDICTS, Given
from sheetsim.summary.table import Table
from sheetsim.summary.variance import VERDICTS as OF_CLAIMS
from sheetsim.summary.variance import WORDS, Claim, Units
from sheetsim.summary.verdict import meanings, tones
from sheetsim.workbook.layout import Block, Item, MatrixSheet, Number, Page, Sheet, Text
from sheetsim.workbook.rules import check_size

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

    graph: Graph
    network: Network
    table: Table
    verdicts: Sequence[Matrix]
    given: Given
    histogram: Histogram
    variance: Table
    claims: Sequence[Claim]
    units: tuple[Matrix | Units, ...]
    title: str
    description: str

    def sheets(self, command: str, parameters: Mapping[str, Any], *, matrices: bool, live: bool) -> list[Sheet]:
        """The sheets in their order; without matrices only those that hold results.

        Raises SheetsimError for a matrix that no sheet can hold.
        """
        layers = self.network.layers
        if matrices:
            check_size("x on sheet 'Input'", self.network.x.shape[0] + 1, self.network.x.shape[1] + 1)
            for layer in layers:
                rows, columns = layer.W.shape
                check_size(f"W_{layer.number} on sheet 'Weights {layer.number}'", rows + 1, columns + 1)
        overview = self._overview(live, matrices)
        histograms, summary, variance = self._histograms(), self._summary(), self._variance(matrices)
        bars = bars_page({"Outputs of each layer": self.histogram.drawn})
        about = self._about(command, parameters, [overview, histograms, summary, variance, bars], matrices)
        if not matrices:
            return follow([overview, histograms, summary, variance, bars, about], live)
        sheets: list[Sheet] = [
            overview,
            MatrixSheet("Input", self.network.x, "sample", constants=GIVEN),
            *(MatrixSheet(f"Weights {layer.number}", layer.W, "fan-in") for layer in layers),
            *(MatrixSheet(f"Linear {layer.number}", layer.a, "sample") for layer in layers),
            *(MatrixSheet(f"Activation {layer.number}", layer.z, "sample") for layer in layers),
            histograms,
            summary,
            variance,
            *(MatrixSheet(f"Draws {layer.number}", layer.e, "fan-in") for layer in layers),
            bars,
            about,
        ]
        return follow(sheets, live)

    def _overview(self, live: bool, matrices: bool) -> Page:
        homes = Homes(self.table.cells())
        layers = self.network.layers
        samples, inputs = self.network.x.shape
        wide = ACROSS + 1
        lead = (
            f"{samples:,} samples of {inputs:,} inputs pass through {counted(len(layers))}: a layer multiplies "
            "by weights (Linear = input × Weights) and applies the activation (Activation = f(Linear)).",
            f"{HOW_IT_IS_SHOWN[matrices, live]}; the charts show how every layer's outputs are distributed under the "
            "chosen start of the weights.",
            "A good start keeps the spread, and what tells samples apart, from layer to layer; a bad one saturates the "
            "units, makes them all alike, loses the input, or lets the signal die out or explode.",
        )
        items: list[Item] = [page_title(self.title, "Forward pass", wide)]
        items += [Text(1 + k, 0, sentence, "lead", wide) for k, sentence in enumerate(lead)]
        controls = [
            ("Activation", "activation"),
            ("Initializer", "initializer"),
            ("Custom standard deviation", "custom_std"),
        ]
        for k, (label, name) in enumerate(controls):
            items += [Text(5 + k, 0, label, "label"), homes.show(5 + k, 1, self.graph[name], "input")]
        hints = [
            "Choose from the yellow cells: every sheet, chart and verdict follows.",
            "The custom standard deviation counts when the initializer is “custom”.",
            NAMES,
        ]
        drawn = {layer.e.source.distribution for layer in layers if isinstance(layer.e.source, Draw)} - {STANDARD}
        if any(distribution.name == "ones" for distribution in drawn):
            hints.append(
                "Weights of a layer with draws that are all 1 are equal: its standard deviation is their value."
            )
        elif drawn:
            hints.append(
                f"Draws of weights stay as the book was made ({', '.join(sorted(map(str, drawn)))}): a choice changes "
                "the standard deviation alone."
            )
        items += [Text(5 + k, 2, hint, "hint", wide - 2) for k, hint in enumerate(hints if live else ())]
        items += [
            Text(
                10,
                0,
                "Counts of all outputs in bins of equal width, on one scale for all layers. "
                f"{BARS_NOTE} {ZEROS_NOTE} Numbers: sheet Histograms.",
                "note",
            )
        ]
        rows: list[tuple[str, Sequence[Matrix], str]] = [("Verdict", self.verdicts, "verdict")]
        if "initializer_1" in self.graph:
            for label, name in (("Initializer of the layer", "initializer"), ("Its custom std", "custom_std")):
                rows.append((label, [self.graph[f"{name}_{layer.number}"] for layer in layers], "input"))
        rows += [
            ("Standard deviation of weights", [layer.sd for layer in layers], "centre"),
            ("Mean of outputs", self.table["mean"], "centre"),
            ("Standard deviation of outputs", self.table["std"], "centre"),
            ("Of their variance, over samples", self.table["over_samples"], "percent-centre"),
            ("Saturated outputs (relu: zeros)", self.table["saturated"], "percent-centre"),
            ("Dead units", self.table["dead_units"], "count-centre"),
            ("Effective units", self.table["effective_units"], "one-decimal-centre"),
        ]
        heights: dict[int, float] = {0: title_height(self.title), 1: 17, 2: 17, 3: 17}
        row = 9
        for own in abreast(len(layers), ACROSS):
            items += layer_heads(row, "Outputs of each layer", own, ACROSS)
            row += 1
            heights[row] = CHART[1] * 0.75 + 4
            items += [
                layer_bars(row, c, "", self.histogram.drawn, k + 1, CHART, 10) for c, k in enumerate(own, start=1)
            ]
            for label, nodes, style in rows:
                row += 1
                items.append(Text(row, 0, label, "label"))
                items += [homes.show(row, c, nodes[k], style) for c, k in enumerate(own, start=1)]
            row += 2
        for label, node, style in (
            ("Mean square of the input", self.given.square, "centre"),
            ("Of it, variance over samples", self.given.over_samples, "percent-centre"),
            ("Effective units of the input", self.given.effective_units, "one-decimal-centre"),
        ):
            items += [Text(row, 0, label, "label"), homes.show(row, 1, node, style)]
            row += 1
        row += 1
        items.append(Text(row, 0, "What the verdicts mean", "section"))
        for word, meaning in meanings(VERDICTS).items():
            row += 1
            items += [Text(row, 0, word, "label"), Text(row, 1, meaning, "hint", wide - 1)]
        row += 2
        items += [Text(row + k, 0, sentence, "lead", wide) for k, sentence in enumerate(INPUT_LOST)]
        widths = {0: LABEL_WIDTH} | dict.fromkeys(range(1, wide), LAYER_WIDTH)
        heights |= {row + k: 34 for k in range(len(INPUT_LOST))}
        return Page("Overview", tuple(items), widths, heights, tones=tones(VERDICTS))

    def _histograms(self) -> Page:
        histogram, homes = self.histogram, Homes()
        bins = histogram.bin.shape[0]
        last = bins + 1
        items: list[Item] = [
            Text(0, 0, "bin", "column"),
            Text(0, 1, "up to", "column"),
            homes.show(1, 0, histogram.bin, "whole"),
            homes.show(1, 1, histogram.drawn.labels, "up-to"),
            Number(last, 0, bins, "whole"),
            Text(last, 1, "more", "edge-muted"),
        ]
        for k, counts in enumerate(histogram.counts):
            items += [Text(0, 2 + k, f"Layer {k + 1}", "column"), homes.show(1, 2 + k, counts, "count")]
        row = last + 2
        labelled = [("low", histogram.low, "edge"), ("high", histogram.high, "edge")]
        if histogram.tails:
            labelled += [("bound", self.graph["bound"], "edge"), ("tail", self.graph["tail"], "edge")]
            labelled.append(("reach", self.graph["reach"], "input"))
        labelled += [("most", histogram.drawn.largest, "count"), ("tallest", self.graph["tallest"], "input")]
        for label, node, style in labelled:
            items += [Text(row, 0, label, "label"), homes.show(row, 1, node, style)]
            if label == "tail":
                items += [homes.show(row, 2 + k, tail, "edge") for k, tail in enumerate(histogram.tails)]
            row += 1
        notes = (
            "A bin counts what is above the edge before it and up to its own edge (Excel's FREQUENCY; edges: Bars).",
            "Bin 1 counts the range's lower end too: for relu, the zeros. Bin 0 is below the range, “more” above.",
            "most: the greatest count of a bin, exact zeros apart; the charts' scale fits it, and tallest at least.",
            "tail: a layer's 99.9 % quantile of |z|; bound: the largest of them, rounded up, and reach at least.",
            "Books with the same reach and tallest have the same axes, where no bound and no count is greater.",
        )
        items += [
            Text(row + 1 + k, 0, note, "text")
            for k, note in enumerate(
                note for note in notes if histogram.tails or not note.startswith(("tail", "Books"))
            )
        ]
        first = 3 + len(histogram.counts)
        for k in range(len(histogram.counts)):
            place = (k // 2) * CHART_ROWS, first + 7 * (k % 2)
            items.append(
                layer_bars(*place, f"Activation {k + 1}", histogram.drawn, k + 1, LARGE_CHART, 5, "output, up to")
            )
        widths = {0: 9, 1: 9} | {2 + k: 10 for k in range(len(histogram.counts))}
        return Page("Histograms", tuple(items), widths, freeze=(1, 2))

    def _summary(self) -> Page:
        items = table_items(self.table, Homes())
        widths = {0: 8} | dict.fromkeys(range(1, len(self.table.columns)), 11) | {len(self.table.columns): 15}
        return Page("Layers", tuple(items), widths, freeze=(1, 1))

    def _variance(self, matrices: bool) -> Page:
        layers = self.network.layers
        # The weights' standard deviations live on Overview, where they are seen beside the drop-down.
        homes = Homes(layer.sd for layer in layers)
        items = table_items(self.variance, homes)
        row = len(layers) + 2
        story = (
            "The common explanation: ReLU halves the variance, variances add, so He's standard deviation needs a √2.",
            "ReLU does not halve the variance: for a normal input Var(z)/Var(a) is (π−1)/2π ≈ 0.34. "
            "It halves the second moment: E[z²]/E[a²] = 1/2.",
            "The next layer's sums have variance n·sd²·E[z²], not n·sd²·Var(z), because the means of z count too. "
            "It is the second moment that He's √2 restores.",
        )
        items.append(Text(row, 0, "What the numbers say", "section"))
        items += [Text(row + 1 + k, 0, sentence, "text") for k, sentence in enumerate(story)]
        row += len(story) + 2
        items.append(Text(row, 0, "What is said of the claims", "section"))
        for k, (label, name) in enumerate((("Tolerance", "tolerance"), ("Confidence", "confidence"))):
            items += [Text(row + 1 + k, 0, label, "label"), homes.show(row + 1 + k, 1, self.graph[name], "input")]
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
            items += self._claim(row, claim, homes)
            row += CLAIM_ROWS
        if not matrices:
            widths = {0: 11} | dict.fromkeys(range(1, 9 + len(layers)), 14)
            return Page("Variance", tuple(items), widths, freeze=(1, 1), tones=tones(OF_CLAIMS))
        printed = row
        items.append(Text(row, 0, "By unit: means and variances over the samples", "section"))
        row += 1
        most = max(node.shape[1] for node in self._unit_rows())
        items += [Text(row, 0, "unit", "index")] + [Number(row, 1 + c, c + 1, "column") for c in range(most)]
        if self.network.x.headings and self._unit_rows()[0] is self.units[0]:
            row += 1
            items.append(Text(row, 0, "input", "label"))
            items += [Text(row, c, name, "column") for c, name in enumerate(self.network.x.headings, start=1)]
        for node in self._unit_rows():
            row += 1
            items += [Text(row, 0, str(node.name), "label"), homes.show(row, 1, node, "number")]
        widths = {0: 11} | dict.fromkeys(range(1, max(most, 8 + len(layers)) + 1), 14)
        return Page("Variance", tuple(items), widths, freeze=(1, 1), printed=printed, tones=tones(OF_CLAIMS))

    def _claim(self, row: int, claim: Claim, homes: Homes) -> list[Item]:
        """The claim's verdict, and the layers that it comes from: how many are said what, and each one's numbers."""
        items: list[Item] = [
            Text(row, 0, claim.sentence, "label", 6),
            homes.show(row, 6, claim.verdict, "verdict"),
            homes.show(row, 7, claim.checked, "count-centre"),
            Number(row, 8, claim.expected, "ratio"),
        ]
        for k, (word, count) in enumerate(zip(WORDS, claim.counts, strict=True), start=1):
            items += [Text(row + k, 6, word, "muted"), homes.show(row + k, 7, count, "state")]
        items += [Text(row + 5, 6, "± std errors", "muted"), homes.show(row + 5, 7, claim.width, "ratio")]
        for k, (label, cell, style) in enumerate(CLAIM_LINES):
            if label:
                items.append(Text(row + k, 8, label, "muted"))
            items += [homes.show(row + k, 9 + c, getattr(layer, cell), style) for c, layer in enumerate(claim.layers)]
        return items

    def _unit_rows(self) -> list[Matrix]:
        var_x, *units = self.units
        rows = [var_x] if isinstance(var_x, Matrix) else []
        for own in units:
            if isinstance(own, Units):
                rows += [own.mean_a, own.var_a, own.mean_z, own.var_z]
        return rows

    def _about(self, command: str, parameters: Mapping[str, Any], pages: Sequence[Page], matrices: bool) -> Page:
        placed = {item.matrix.name for page in pages for item in page.items if isinstance(item, Block)}
        if matrices:
            placed.update(node.name for node in self.graph)
        sections = {"Defined names": {name: what for name, what in GLOSSARY.items() if name in placed}}
        for title, table in (("Layers", self.table), ("Variance", self.variance)):
            sections[f"Columns of {title}"] = {column.name: column.what for column in table.columns}
        # SciPy has a part in drawn inputs that are not plain.
        scipy = isinstance(self.network.x.source, Draw) and not self.network.x.source.is_plain
        return about_page(self.title or "Forward pass", self.description, command, parameters, sections, scipy=scipy)


GLOSSARY = {
    "x": "the input, samples × inputs (constants)",
    "e_1": "e_1, e_2, …: standard draws of the layers' weights, fan-in × fan-out (constants)",
    "sd_1": "sd_1, …: standard deviations of the layers' weights, by the initializer",
    "W_1": "W_1, …: weights, sd_l · e_l",
    "a_1": "a_1, …: linear sums, input × W_l",
    "z_1": "z_1, …: activations f(a_l)",
    "activation": f"the activation f, a drop-down. {ACTIVATION_NAMES}",
    "initializer": f"the initializer, a drop-down. {NAMES}",
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
