"""How the study of gradient flow looks as a workbook: which matrix stands where, and what is said beside it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sheetsim.model.backward import Backward
from sheetsim.model.expr import Draw, Matrix
from sheetsim.model.graph import Graph
from sheetsim.model.initializers import NAMES
from sheetsim.studies.about import about_page
from sheetsim.studies.forward.book import GLOSSARY as FORWARD_GLOSSARY
from sheetsim.studies.gradient_flow.gradients import FLOWS, Curve
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
from sheetsim.summary.table import Table
from sheetsim.summary.verdict import meanings, tones
from sheetsim.workbook.layout import Bars, Block, Item, Line, Lines, MatrixSheet, Number, Page, Sheet, Text
from sheetsim.workbook.rules import check_size

# Layers side by side on Overview, the output layer among them.
ACROSS = 6

WIDE_CHART = (645, 260)
LABEL_CHART = 190  # pixels: as wide as the column of labels

HISTOGRAMS = {
    "a": "Linear sums a, and f′(a) over their range",
    "d_a": "Gradients d_a, by the linear sums",
    "d_z": "Gradients d_z, by the activations",
    "d_W": "Gradients d_W, by the weights",
}
NOTES = {
    "a": "Counts of a layer's linear sums, on one scale for all layers. Where the bars lie and f′(a), at the left over "
    f"the same range, is near 0, little comes back. {BARS_NOTE}",
    "d_a": f"Counts of ∂loss/∂a on one scale for all layers. {ZEROS_NOTE}",
    "d_z": "Counts of ∂loss/∂z on one scale for all layers.",
    "d_W": "Counts of ∂loss/∂W on one scale for all layers: what a step of training changes.",
}


@dataclass(frozen=True)
class GradientFlowBook:
    """Everything that the workbook shows; `sheets` lays it out."""

    graph: Graph
    flow: Backward
    table: Table
    layers: Table
    verdicts: Sequence[Matrix]
    histograms: Mapping[str, Histogram]
    curve: Curve
    title: str
    description: str

    def sheets(self, command: str, parameters: Mapping[str, Any], *, matrices: bool, live: bool) -> list[Sheet]:
        """The sheets in their order; without matrices only those that hold results.

        Raises SheetsimError for a matrix that no sheet can hold.
        """
        if matrices:
            x = self.flow.network.x
            check_size("x on sheet 'Input'", x.shape[0] + 1, x.shape[1] + 1)
            for step in self.flow.steps:
                rows, columns = step.W.shape
                check_size(f"W_{step.number} on sheet 'Weights {step.number}'", rows + 1, columns + 1)
        pages = [
            self._overview(live, matrices),
            self._histograms(),
            self._table("Gradients", self.table),
            self._table("Layers", self.layers),
            bars_page({HISTOGRAMS[name]: own.drawn for name, own in self.histograms.items()}),
        ]
        about = self._about(command, parameters, pages, matrices)
        if not matrices:
            return follow([*pages, about], live)
        overview, *rest, bars = pages
        return follow([overview, *self._forward(), *self._backward(), *rest, *self._draws(), bars, about], live)

    def _forward(self) -> Iterator[Sheet]:
        steps = self.flow.steps
        yield MatrixSheet("Input", self.flow.network.x, "sample", constants=GIVEN)
        yield from (MatrixSheet(f"Weights {step.number}", step.W, "fan-in") for step in steps)
        yield from (MatrixSheet(f"Linear {step.number}", step.a, "sample") for step in steps)
        yield from (MatrixSheet(f"Activation {step.number}", step.z, "sample") for step in steps[:-1])
        yield MatrixSheet("Targets", self.flow.targets, "sample")

    def _backward(self) -> Iterator[Sheet]:
        """From the output back, as the gradients are computed."""
        for step in reversed(self.flow.steps):
            if step.d_z is not step.d_a:
                yield MatrixSheet(f"d_z {step.number}", step.d_z, "sample")
            yield MatrixSheet(f"d_a {step.number}", step.d_a, "sample")
            yield MatrixSheet(f"d_W {step.number}", step.d_W, "fan-in")

    def _draws(self) -> Iterator[Sheet]:
        flow = self.flow
        yield from (MatrixSheet(f"Draws {step.number}", step.e, "fan-in") for step in flow.steps)
        yield MatrixSheet("Target draws", flow.random_targets, "sample")
        items: tuple[Item, ...] = (
            Text(0, 0, "draw", "column"),
            Text(0, 1, "label", "column"),
            Text(0, 3, "classes", "column"),
            Block(1, 0, flow.label_draws),
            Block(1, 1, flow.labels, "whole"),
            Block(0, 4, flow.classes, "column"),
        )
        yield Page("Labels", items, {0: 10, 1: 8}, freeze=(1, 0))
        items = (
            *(Text(0, k, f"of {k + 1}", "column") for k in range(len(flow.maxima))),
            *(Block(1, k, node) for k, node in enumerate(flow.maxima)),
        )
        yield Page("Shift", items, freeze=(1, 0))

    def _overview(self, live: bool, matrices: bool) -> Page:
        homes = Homes(self.table.cells())
        steps = self.flow.steps
        samples, inputs = self.flow.network.x.shape
        wide = ACROSS + 1
        lead = (
            f"{samples:,} samples of {inputs:,} inputs pass through {counted(len(steps) - 1)} and a linear output "
            "layer to a loss, and its gradients come back: d_v is ∂loss/∂v.",
            f"{HOW_IT_IS_SHOWN[matrices, live]}; each gradient refers to the one before on the way back.",
            "d_z of a layer is d_a of the next times its weights; d_a is d_z times f′(a); d_W is the layer's input "
            "times d_a.",
            "A step back multiplies ‖d_z‖ by about √χ, χ = n sd² E[f′(a)²]. Large weights make up for small f′: "
            "whether gradients vanish is told by this rate, and not by how many units are saturated.",
        )
        items: list[Item] = [page_title(self.title, "Gradient flow", wide)]
        items += [Text(1 + k, 0, sentence, "lead", wide) for k, sentence in enumerate(lead)]
        controls = [
            ("Activation", "activation"),
            ("Initializer", "initializer"),
            ("Custom standard deviation", "custom_std"),
            ("Loss", "loss"),
            ("Output layer's initializer", "output_initializer"),
            ("Its custom std", "output_custom_std"),
        ]
        for k, (label, name) in enumerate(controls):
            items += [Text(5 + k, 0, label, "label"), homes.show(5 + k, 1, self.graph[name], "input")]
        hints = (
            "Choose from the yellow cells: every sheet, chart and verdict follows.",
            "The custom standard deviations count when their initializer is “custom”.",
            NAMES,
        )
        items += [Text(5 + k, 2, hint, "hint", wide - 2) for k, hint in enumerate(hints if live else ())]
        row = 12
        for own in abreast(len(steps), ACROSS):
            last = f"Output (layer {len(steps)})" if own[-1] + 1 == len(steps) else ""
            items += layer_heads(row, "Gradients of each layer", own, ACROSS, last)
            for label, nodes, style in self._rows():
                row += 1
                items.append(Text(row, 0, label, "label"))
                items += [homes.show(row, c, nodes[k], style) for c, k in enumerate(own, start=1) if k < len(nodes)]
            row += 2
        row -= 1
        items += [
            Text(row, 0, "Loss", "label"),
            homes.show(row, 1, self.flow.loss, "centre"),
        ]
        heights: dict[int, float] = {0: title_height(self.title), 1: 17, 2: 17, 3: 17, 4: 17}
        row += 2
        items += self._norms(row)
        heights[row] = WIDE_CHART[1] * 0.75 + 4
        for name, heading in HISTOGRAMS.items():
            row += 2
            items += [Text(row, 0, heading, "section"), Text(row + 1, 0, NOTES[name], "text")]
            row += 1
            for own in abreast(len(steps) - 1, ACROSS):
                row += 1
                items += layer_heads(row, name, own, ACROSS)
                row += 1
                items += self._charts(row, name, own)
                heights[row] = CHART[1] * 0.75 + 4
        row += 2
        items.append(Text(row, 0, "What the verdicts mean", "section"))
        for word, meaning in meanings(FLOWS).items():
            row += 1
            items += [Text(row, 0, word, "label"), Text(row, 1, meaning, "hint", wide - 1)]
        widths = {0: LABEL_WIDTH} | dict.fromkeys(range(1, wide), LAYER_WIDTH)
        return Page("Overview", tuple(items), widths, heights, tones=tones(FLOWS))

    def _rows(self) -> Iterator[tuple[str, Sequence[Matrix], str]]:
        yield "Verdict", self.verdicts, "verdict"
        if "initializer_1" in self.graph:
            for label, name in (("Initializer of the layer", "initializer"), ("Its custom std", "custom_std")):
                yield label, [self.graph[f"{name}_{step.number}"] for step in self.flow.steps[:-1]], "input"
        yield "Standard deviation of weights", [step.sd for step in self.flow.steps], "centre"
        yield "‖d_a‖", self.table["d_a_norm"], "centre"
        yield "Of that at the output", self.table["reach"], "centre"
        yield "Rate a layer, of ‖d_z‖: √χ", self.table["rate"][:-2], "centre"
        yield "    its 95 % interval: low", self.table["rate_low"][:-2], "centre"
        yield "    high", self.table["rate_high"][:-2], "centre"
        yield "Total, of ‖d_z‖", self.table["total"][:-2], "centre"
        yield "Of that of the layer before", self.table["d_a_ratio"][:-1], "centre"
        yield "Expected", self.table["expected"][:-1], "centre"
        yield "Mean of f′(a)²", self.table["slope_square"], "centre"
        yield "d_a exactly 0", self.table["d_a_zeros"], "percent-centre"
        yield "‖d_z‖", self.table["d_z_norm"], "centre"
        yield "‖d_W‖", self.table["d_W_norm"], "centre"

    def _norms(self, row: int) -> list[Item]:
        note = (
            "L2 norms of the gradients by layer, on a scale of powers of ten; read it from right to left, the way the "
            "gradients go. The last layer is the output. Numbers: sheet Gradients."
        )
        lines = tuple(Line(f"‖{name}‖", self.table[f"{name}_norm"]) for name in ("d_a", "d_z", "d_W"))
        curve = self.curve
        return [
            Text(row, 0, note, "note"),
            Lines(row, 1, "Norms of the gradients by layer", lines, WIDE_CHART, "layer", (), True),
            Lines(
                row,
                4,
                "The activation f(a) and its derivative f′(a)",
                (Line("f(a)", (curve.value,)), Line("f′(a)", (curve.slope,))),
                (430, WIDE_CHART[1]),
                "a",
                (curve.at,),
            ),
        ]

    def _charts(self, row: int, name: str, layers: range) -> Iterator[Bars | Lines]:
        own = self.histograms[name]
        if name == "a":
            slope = Line("f′(a)", (self.curve.slope,))
            yield Lines(row, 0, "f′(a)", (slope,), (LABEL_CHART, CHART[1]), "a", (self.curve.at,))
        for c, k in enumerate(layers, start=1):
            yield layer_bars(row, c, "", own.drawn, k + 1, CHART, 10)

    def _histograms(self) -> Page:
        homes = Homes()
        items: list[Item] = []
        row = 0
        for name, own in self.histograms.items():
            items += self._counts(row, name, own, homes)
            row += own.bin.shape[0] + 6
        notes = (
            "A bin counts what is above the edge before it and up to its own edge (Excel's FREQUENCY; edges: Bars).",
            "most: the greatest count of a bin, exact zeros apart: the charts' scale.",
            "tail: the greatest 99.9 % quantile of |x| of the layers, which stand beside it; bound: it rounded up.",
        )
        items += [Text(row + k, 0, note, "text") for k, note in enumerate(notes)]
        widths = {0: 9, 1: 11} | {2 + k: 11 for k in range(len(self.flow.steps) + 7)}
        return Page("Histograms", tuple(items), widths, freeze=(0, 2))

    def _counts(self, row: int, name: str, own: Histogram, homes: Homes) -> Iterator[Item]:
        last = row + 2 + own.bin.shape[0]
        yield Text(row, 0, HISTOGRAMS[name], "section")
        yield Text(row + 1, 0, "bin", "column")
        yield Text(row + 1, 1, "up to", "column")
        if name == "a":
            yield homes.show(row + 2, 0, own.bin, "whole")
        else:
            yield from (Number(row + 2 + k, 0, k, "whole") for k in range(own.bin.shape[0]))
        yield homes.show(row + 2, 1, own.drawn.labels, "up-to")
        yield Number(last, 0, own.bin.shape[0], "whole")
        yield Text(last, 1, "more", "edge-muted")
        for k, counts in enumerate(own.counts):
            yield Text(row + 1, 2 + k, f"Layer {k + 1}", "column")
            yield homes.show(row + 2, 2 + k, counts, "count")
        if name == "a":
            # Longer than the bins: beside what stands under the counts of this kind and the others.
            first = 5 + len(own.counts)
            for k, (heading, node) in enumerate(
                (
                    ("share", self.graph["share"]),
                    ("a", self.curve.at),
                    ("f", self.curve.value),
                    ("f′", self.curve.slope),
                ),
                start=first,
            ):
                yield Text(row + 1, k, heading, "column")
                yield homes.show(row + 2, k, node, "edge")
        yield Text(last + 1, 0, "tail", "label")
        yield homes.show(last + 1, 1, self.graph[f"tail_{name}"], "edge")
        for k, tail in enumerate(own.tails):
            yield homes.show(last + 1, 2 + k, tail, "edge")
        yield Text(last + 2, 0, "bound", "label")
        yield homes.show(last + 2, 1, own.high, "edge")
        yield Text(last + 2, 2, "most", "label")
        yield homes.show(last + 2, 3, own.drawn.largest, "count")

    def _table(self, title: str, table: Table) -> Page:
        items = table_items(table, Homes())
        return Page(title, tuple(items), {0: 8} | dict.fromkeys(range(1, len(table.columns) + 1), 15), freeze=(1, 1))

    def _about(self, command: str, parameters: Mapping[str, Any], pages: Sequence[Page], matrices: bool) -> Page:
        placed = {item.matrix.name for page in pages for item in page.items if isinstance(item, Block)}
        if matrices:
            placed.update(node.name for node in self.graph)
        words = FORWARD_GLOSSARY | GLOSSARY
        sections = {"Defined names": {name: what for name, what in words.items() if name in placed}}
        for title, table in (("Gradients", self.table), ("Layers", self.layers)):
            sections[f"Columns of {title}"] = {column.name: column.what for column in table.columns}
        source = self.flow.network.x.source
        # SciPy has a part in drawn inputs that are not plain.
        scipy = isinstance(source, Draw) and not source.is_plain
        return about_page(self.title or "Gradient flow", self.description, command, parameters, sections, scipy=scipy)


GLOSSARY = {
    "loss": "the loss, a drop-down",
    "loss_value": "its value",
    "output_initializer": "the output layer's initializer, a drop-down",
    "output_custom_std": "the standard deviation that it uses for “custom”",
    "d_z_1": "d_z_1, …: gradients of the loss by the activations, d_a_{l+1} · W_{l+1} transposed",
    "d_a_1": "d_a_1, …: by the linear sums, d_z_l times f′(a_l); the last one is by the output",
    "d_W_1": "d_W_1, …: by the weights, the layer's input transposed · d_a_l",
    "targets": "what the output should be: e_targets, or a 1 in the column of the sample's label",
    "e_targets": "standard normal draws, samples × outputs (constants)",
    "u_labels": "uniform draws of which the labels are made (constants)",
    "labels": "the samples' labels, from 1",
    "classes": "the numbers of the outputs",
    "shift": "each sample's greatest output, taken off its outputs before EXP against overflow: the last column of "
    "the sheet Shift, whose column k has the greatest of the first k outputs",
    "share": "numbers from −1 to 1 (constants)",
    "curve_a": "share · bound_a: linear sums over the range of the histograms",
    "f_curve": "f at these",
    "slope_curve": "f′ at these",
    "bound_a": "bound_a, bound_d_a, bound_d_z, bound_d_W: the ends of the histograms' ranges, on both sides of 0",
    "tail_a": "tail_a, …: the greatest 99.9 % quantile of all layers, of |x|",
    "edges_a": "edges_a, …: the bins' upper edges",
    "counts_a_1": "counts_a_1, …, counts_d_W_1, …: a layer's counts below the range, in each bin, above the range",
    "bars_d_a_1": "bars_d_a_1, …, bars_d_W_1, …: counts without the exact zeros",
    "largest_count_a": "largest_count_a, …: the greatest of all bars",
    "chart_height_a": "chart_height_a, …: what the charts' common scale reaches: with room for a bar of zeros",
}
