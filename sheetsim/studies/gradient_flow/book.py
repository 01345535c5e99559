"""How the study of gradient flow looks as a workbook: which matrix stands where, and what is said beside it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sheetsim.model.backward import BackwardPass
from sheetsim.model.expr import Matrix
from sheetsim.model.graph import Graph
from sheetsim.model.initializers import INITIALIZER_NAMES
from sheetsim.studies.about import placed, with_about
from sheetsim.studies.forward.book import GLOSSARY as FORWARD_GLOSSARY
from sheetsim.studies.forward.book import layer_controls, needs_scipy, network_controls
from sheetsim.studies.gradient_flow.gradients import FLOWS, Curve
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
    Chart,
    Control,
    Overview,
    Row,
    Section,
    by_layer,
    charts,
    controls,
    lead,
    meaning,
    numbers,
    table_page,
)
from sheetsim.summary.histogram import Histogram
from sheetsim.summary.table import Table
from sheetsim.workbook.layout import Block, Item, Line, Lines, MatrixSheet, Number, Page, Sheet, Text
from sheetsim.workbook.limits import check_size

if TYPE_CHECKING:
    from sheetsim.studies.gradient_flow.study import GradientFlow

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

    study: "GradientFlow"
    graph: Graph
    flow: BackwardPass
    table: Table
    layers: Table
    verdicts: Sequence[Matrix]
    histograms: Mapping[str, Histogram]
    curve: Curve

    def sheets(self, command: str, live: bool) -> list[Sheet]:
        """The sheets in their order; of a summary only those that hold results.

        Raises SheetsimError for a matrix that no sheet can hold.
        """
        # First: of a matrix that no sheet can hold there is no page of headings either.
        matrices = [*self._forward(), *self._backward()] if self.study.is_full else []
        tables = [
            table_page(table, {0: 8} | dict.fromkeys(range(1, len(table.columns) + 1), 15))
            for table in (self.table, self.layers)
        ]
        results = [self._histograms(), *tables]
        bars = bars_page({HISTOGRAMS[name]: own.drawn for name, own in self.histograms.items()})
        sheets: list[Sheet] = [self._overview(live), *results, bars]
        if self.study.is_full:
            sheets = [sheets[0], *matrices, *results, *self._draws(), bars]
        names = placed(sheets)
        return with_about(
            self.study,
            sheets,
            command,
            live,
            glossary={name: what for name, what in (FORWARD_GLOSSARY | GLOSSARY).items() if name in names},
            tables=(self.table, self.layers),
            scipy=needs_scipy(self.flow.network),
        )

    def _forward(self) -> Iterator[Sheet]:
        x, steps = self.flow.network.x, self.flow.steps
        check_size("x on sheet 'Input'", x.shape[0] + 1, x.shape[1] + 1)
        for step in steps:
            rows, columns = step.W.shape
            check_size(f"W_{step.number} on sheet 'Weights {step.number}'", rows + 1, columns + 1)
        yield MatrixSheet("Input", x, "sample", constants=GIVEN)
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

    def _overview(self, live: bool) -> Page:
        steps = self.flow.steps
        samples, inputs = self.flow.network.x.shape
        wide = ACROSS + 1
        told = (
            f"{samples:,} samples of {inputs:,} inputs pass through {counted(len(steps) - 1)} and a linear output "
            "layer to a loss, and its gradients come back: d_v is ∂loss/∂v.",
            f"{HOW_IT_IS_SHOWN[self.study.is_full, live]}; each gradient refers to the one before on the way back.",
            "d_z of a layer is d_a of the next times its weights; d_a is d_z times f′(a); d_W is the layer's input "
            "times d_a.",
            "A step back multiplies ‖d_z‖ by about √χ, χ = n sd² E[f′(a)²]. Large weights make up for small f′: "
            "whether gradients vanish is told by this rate, and not by how many units are saturated.",
        )
        own = [
            *network_controls(self.graph),
            Control("Loss", self.graph["loss"]),
            Control("Output layer's initializer", self.graph["output_initializer"]),
            Control("Its custom std", self.graph["output_custom_std"]),
        ]
        hints = (
            "Choose from the yellow cells: every sheet, chart and verdict follows.",
            "The custom standard deviations count when their initializer is “custom”.",
            INITIALIZER_NAMES,
        )
        output = f"Output (layer {len(steps)})"
        sections: list[Section] = [
            lead(told, wide),
            controls(own, hints if live else (), wide - 2, gap=0),
            *by_layer("Gradients of each layer", len(steps), ACROSS, list(self._rows()), last=output),
            numbers([Row("Loss", [self.flow.loss])], gap=0),
            self._norms(),
            *(section for name in HISTOGRAMS for section in self._counted(name)),
            meaning(FLOWS, wide - 1),
        ]
        widths = {0: LABEL_WIDTH} | dict.fromkeys(range(1, wide), LAYER_WIDTH)
        title, elsewhere = self.study.title, self.table.cells()
        return Overview(title, self.study.TITLE, wide, sections, widths, FLOWS, elsewhere).page()

    def _rows(self) -> Iterator[Row]:
        table = self.table
        yield Row("Verdict", self.verdicts, "verdict")
        yield from layer_controls(self.graph, len(self.flow.steps) - 1)
        yield Row("Standard deviation of weights", [step.sd for step in self.flow.steps])
        yield Row("‖d_a‖", table["d_a_norm"])
        yield Row("Of that at the output", table["reach"])
        yield Row("Rate a layer, of ‖d_z‖: √χ", table["rate"][:-2])
        yield Row("    its 95 % interval: low", table["rate_low"][:-2])
        yield Row("    high", table["rate_high"][:-2])
        yield Row("Total, of ‖d_z‖", table["total"][:-2])
        yield Row("Of that of the layer before", table["d_a_ratio"][:-1])
        yield Row("Expected", table["expected"][:-1])
        yield Row("Mean of f′(a)²", table["slope_square"])
        yield Row("d_a exactly 0", table["d_a_zeros"], "percent-centre")
        yield Row("‖d_z‖", table["d_z_norm"])
        yield Row("‖d_W‖", table["d_W_norm"])

    def _norms(self) -> Section:
        note = (
            "L2 norms of the gradients by layer, on a scale of powers of ten; read it from right to left, the way the "
            "gradients go. The last layer is the output. Numbers: sheet Gradients."
        )
        norms = tuple(Line(f"‖{name}‖", self.table[f"{name}_norm"]) for name in ("d_a", "d_z", "d_W"))
        curve = Line("f(a)", (self.curve.value,)), Line("f′(a)", (self.curve.slope,))
        title = "The activation f(a) and its derivative f′(a)"
        return charts(
            [
                Lines(0, 1, "Norms of the gradients by layer", norms, WIDE_CHART, "layer", (), True),
                Lines(0, 4, title, curve, (430, WIDE_CHART[1]), "a", (self.curve.at,)),
            ],
            WIDE_CHART[1],
            note,
        )

    def _counted(self, name: str) -> Iterator[Section]:
        """A kind of histogram: its heading, and under it the charts of all layers."""
        yield Section((Text(0, 0, HISTOGRAMS[name], "section"), Text(1, 0, NOTES[name], "text")), 2)
        for section in by_layer(
            name, len(self.flow.steps) - 1, ACROSS, (), lambda k, c: list(self._charts(name, k, c)), CHART[1]
        ):
            yield replace(section, gap=0)

    def _charts(self, name: str, layer: int, column: int) -> Iterator[Chart]:
        if name == "a" and column == 1:
            slope = Line("f′(a)", (self.curve.slope,))
            yield Lines(0, 0, "f′(a)", (slope,), (LABEL_CHART, CHART[1]), "a", (self.curve.at,))
        yield layer_bars(0, column, "", self.histograms[name].drawn, layer + 1, CHART, 10)

    def _histograms(self) -> Page:
        items: list[Item] = []
        row = 0
        for name, own in self.histograms.items():
            items += self._counts(row, name, own)
            row += own.bin.shape[0] + 6
        notes = (
            "A bin counts what is above the edge before it and up to its own edge (Excel's FREQUENCY; edges: Bars).",
            "most: the greatest count of a bin, exact zeros apart: the charts' scale.",
            "tail: the greatest 99.9 % quantile of |x| of the layers, which stand beside it; bound: it rounded up.",
        )
        items += [Text(row + k, 0, note, "text") for k, note in enumerate(notes)]
        widths = {0: 9, 1: 11} | {2 + k: 11 for k in range(len(self.flow.steps) + 7)}
        return Page("Histograms", tuple(items), widths, freeze=(0, 2))

    def _counts(self, row: int, name: str, own: Histogram) -> Iterator[Item]:
        last = row + 2 + own.bin.shape[0]
        yield Text(row, 0, HISTOGRAMS[name], "section")
        yield Text(row + 1, 0, "bin", "column")
        yield Text(row + 1, 1, "up to", "column")
        if name == "a":
            yield Block(row + 2, 0, own.bin, "whole")
        else:
            yield from (Number(row + 2 + k, 0, k, "whole") for k in range(own.bin.shape[0]))
        yield Block(row + 2, 1, own.drawn.labels, "up-to")
        yield Number(last, 0, own.bin.shape[0], "whole")
        yield Text(last, 1, "more", "edge-muted")
        for k, counts in enumerate(own.counts):
            yield Text(row + 1, 2 + k, f"Layer {k + 1}", "column")
            yield Block(row + 2, 2 + k, counts, "count")
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
                yield Block(row + 2, k, node, "edge")
        yield Text(last + 1, 0, "tail", "label")
        yield Block(last + 1, 1, self.graph[f"tail_{name}"], "edge")
        for k, tail in enumerate(own.tails):
            yield Block(last + 1, 2 + k, tail, "edge")
        yield Text(last + 2, 0, "bound", "label")
        yield Block(last + 2, 1, own.high, "edge")
        yield Text(last + 2, 2, "most", "label")
        yield Block(last + 2, 3, own.drawn.largest, "count")


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
