"""How the study of propagation looks as a workbook: which matrix stands where, and the texts beside it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from sheetsim.language import counted
from sheetsim.model.expr import Matrix
from sheetsim.model.graph import Graph
from sheetsim.model.series import Series
from sheetsim.studies.about import StudyBook
from sheetsim.studies.correlation.matrix_sheets import expectation_sheets
from sheetsim.studies.network_sheets import bias_page
from sheetsim.studies.pages import LABEL_WIDTH
from sheetsim.studies.propagation.blocks import PropagationBlock
from sheetsim.studies.propagation.layers import VERDICTS
from sheetsim.studies.propagation.theory import HEADINGS
from sheetsim.studies.sections import (
    Control,
    Overview,
    Row,
    Section,
    StepPage,
    Steps,
    by_layer,
    charts,
    controls,
    lead,
    meaning,
    table_page,
)
from sheetsim.summary.table import Table
from sheetsim.workbook.layout import Block, Item, Line, Lines, MatrixSheet, Page, Sheet, Text

if TYPE_CHECKING:
    from sheetsim.studies.propagation.study import Propagation

ACROSS = 8  # layers side by side on Overview
CHART = (520, 280)
RIGHT = 4  # the column of the charts at the right
HEAD = 7

NOTES = (
    "Step 0 is the input, step l layer l: q, mean and product of its outputs, v and r of what f takes, χ of a gradient "
    "back through it.",
    "For wide layers, and for batch normalization many samples; gradients are taken to be independent of the outputs.",
)

# What the network is, and what is known of it.
FORMULAS = {
    ("plain", "none"): "z ← f(z W)",
    ("plain", "layer"): "z ← f(norm(z W)), each sample normalized over its units",
    ("plain", "batch"): "z ← f(norm(z W)), each unit normalized over the samples",
    ("residual", "none"): "z ← z + α f(z W)",
    ("residual", "layer"): "z ← z + α f(norm(z) W), each sample normalized over its units",
    ("residual", "batch"): "z ← z + α f(norm(z) W), each unit normalized over the samples",
}
BIASED = (
    "Layer normalization divides by √(σ_w² q + σ_b²): biases take up a part of each sample, which all samples share, "
    "and gradients grow by less than without them, √(σ_w² E[f′²]/(σ_w² q + σ_b²)) a layer."
)
KNOWN = {
    ("plain", "none"): "Of a plain network gradients grow by √χ a layer, χ = σ_w² E[f′²].",
    (
        "plain",
        "layer",
    ): "Layer normalization takes σ_w out: gradients grow by √(E[f′²]/E[f²]) a layer, 1 for relu. Where that is at "
    "most 1 two samples still become alike.",
    ("plain", "batch"): "Batch normalization keeps samples apart, and at the start makes gradients explode whatever "
    "σ_w: by √(E[f′²]/Var f) a layer, √(π/(π − 1)) = 1.21 for relu and many samples (Yang et al. 2019).",
    (
        "residual",
        "none",
    ): "A skip adds 1: χ = 1 + α² σ_w² E[f′²]. Sizes grow too, exponentially for relu and by a "
    "power of depth for tanh (Yang & Schoenholz 2017); with α = 1/√layers gradients’ squares grow e-fold at most where "
    "σ_w² E[f′²] ≤ 1.",
    ("residual", "layer"): "Normalized branches have one size in every layer: sizes grow by a power of depth and not "
    "exponentially, and a gradient’s growth falls as 1 + constant/depth.",
    ("residual", "batch"): "Normalized branches have one size in every layer: the skip tames what batch normalization "
    "does to gradients of plain networks, as their growth falls with depth.",
}


class PropagationBook(Struct, frozen=True):
    """Everything that the workbook shows; `sheets` lays it out. gradients: by the input, by each layer's outputs."""

    study: "Propagation"
    graph: Graph
    blocks: Sequence[PropagationBlock]
    gradients: Sequence[Matrix]
    theory: Mapping[str, Series]
    table: Table
    verdicts: Sequence[Matrix]

    def sheets(self, command: str, live: bool) -> StudyBook:
        """The sheets in their order."""
        shown = [Steps(self.theory[name], heading) for name, heading in HEADINGS.items()]
        widths = {0: 8} | dict.fromkeys(range(1, len(self.table.columns) + 1), 13)
        sheets: list[Sheet] = [
            self._overview(live),
            table_page(self.table, widths),
            StepPage("Mean field", "Mean-field theory by layer", NOTES, shown, HEAD, wide=15).page(),
            *self._matrices(),
            *expectation_sheets(self.graph, self.theory),
        ]
        return StudyBook(self.study, self.graph, sheets, command, live, tables=(self.table,))

    def _overview(self, live: bool) -> Page:
        study, table = self.study, self.table
        kind, wide, count = (study.block, study.norm), ACROSS + 1, study.layers
        told = (
            f"{study.samples:,} samples pass through {counted(count, 'layer')} of {study.units:,} {study.activation} "
            f"units, {FORMULAS[kind].replace('W)', 'W + b)') if study.bias else FORMULAS[kind]}; a random gradient "
            "comes back from the last.",
            BIASED if study.bias and kind == ("plain", "layer") else KNOWN[kind],
        )
        cells = [Control("Gain σ_w", self.graph["gain"], "weights have the standard deviation gain/√units")]
        if "bias_std" in self.graph:
            cells.append(Control("Standard deviation of biases σ_b", self.graph["bias_std"]))
        if study.block == "residual":
            cells.append(Control("Branch α", self.graph["alpha"]))
        cells.append(Control("Correlation of the inputs", self.graph["c_0"]))
        rows = [
            Row("Verdict", self.verdicts, "verdict"),
            Row("Mean square of outputs", table["q"]),
            Row("    mean field", table["q_theory"]),
            Row("Correlation of samples", table["c"]),
            Row("    mean field", table["c_theory"]),
            Row("χ, gradient’s growth, squared", table["chi"]),
            Row("    mean field", table["chi_theory"]),
            Row("Growth a layer, from the last", table["rate"]),
            Row("    mean field", table["rate_theory"]),
        ]
        sections: list[Section] = [
            lead(told, wide, 34),
            controls(cells),
            *by_layer("By layer", count, ACROSS, rows),
            charts(
                [
                    self._lines("q", "Mean square of outputs, powers of ten", 0, True),
                    self._lines("c", "Correlation of samples", RIGHT),
                ],
                CHART[1],
            ),
            charts([self._lines("chi", "χ: growth of a gradient’s square", 0), self._norms()], CHART[1]),
            meaning(VERDICTS, wide - 1),
        ]
        widths = {0: LABEL_WIDTH + 4} | dict.fromkeys(range(1, wide), 14)
        return Overview(study.title, study.TITLE, wide, sections, widths, VERDICTS).page()

    def _lines(self, name: str, title: str, column: int, log: bool = False) -> Lines:
        lines = Line("measured", self.table[name]), Line("mean field", self.table[f"{name}_theory"], "dashed")
        return Lines(0, column, title, lines, CHART, "layer", (), log)

    def _norms(self) -> Lines:
        lines = (Line("‖d_z‖", self.table["d_norm"]),)
        title = "Norm of the gradient into each layer, powers of ten"
        return Lines(0, RIGHT, title, lines, CHART, "layer", (), True)

    def _matrices(self) -> Iterator[Sheet]:
        graph = self.graph
        yield MatrixSheet("Input", graph["x"], "sample", tab="input", words="what goes in: a row a sample")
        for block in self.blocks:
            yield MatrixSheet(f"Weights {block.number}", block.W, "fan-in", tab="weights", words="weights")
        yield from bias_page(self.blocks)
        for block in self.blocks:
            if block.normed is not None:
                words = "what is normalized, or was"
                yield MatrixSheet(f"Norm {block.number}", block.normed, "sample", tab="sums", words=words)
        for block in self.blocks:
            yield MatrixSheet(f"Sums {block.number}", block.a, "sample", tab="sums", words="what f takes")
        for block in self.blocks:
            words = "what comes out of the layer"
            yield MatrixSheet(f"Outputs {block.number}", block.z, "sample", tab="activations", words=words)
        for k, d in enumerate(self.gradients[:-1]):
            words = "gradients with respect to the outputs, of 0 with respect to the input"
            yield MatrixSheet(f"Gradients {k}", d, "sample", tab="gradients", words=words)
        yield MatrixSheet("Gradient draws", self.gradients[-1], "sample", tab="draws", words="the last gradient")
        yield MatrixSheet("Input draws", graph["e_x"], "sample", tab="draws", words="draws of each input")
        items: tuple[Item, ...] = (
            Text(0, 0, "Draws that all inputs share", "section"),
            Block(1, 0, graph["e_common"]),
        )
        # Only of residual blocks it is a cell that counts.
        if self.study.block == "plain":
            items += (Text(3, 0, "alpha", "label"), Block(3, 1, graph["alpha"]))
        yield Page("Common draws", items, tab="draws", words="draws that all inputs share")
        for block in self.blocks:
            yield MatrixSheet(f"Draws {block.number}", block.e, "fan-in", tab="draws", words="draws of the weights")
