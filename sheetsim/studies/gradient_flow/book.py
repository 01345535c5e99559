"""How the study of gradient flow looks as a workbook: which matrix stands where, and the texts beside it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from sheetsim.language import counted
from sheetsim.model.backward import BackwardPass
from sheetsim.model.expr import Matrix
from sheetsim.model.graph import Graph
from sheetsim.model.initializers import INITIALIZER_NAMES
from sheetsim.studies.about import StudyBook
from sheetsim.studies.gradient_flow.gradients import FLOWS, Curve
from sheetsim.studies.gradient_flow.histograms import HISTOGRAMS, chart_sections, gradient_histograms_page
from sheetsim.studies.gradient_flow.matrix_sheets import BY_SUMS, backward_sheets, target_sheets
from sheetsim.studies.histogram_pages import bars_page
from sheetsim.studies.network_sheets import (
    CHOOSE,
    bias_page,
    draws_sheets,
    layer_controls,
    matrix_sheets,
    network_controls,
)
from sheetsim.studies.pages import HOW_IT_IS_SHOWN, LABEL_WIDTH, LAYER_WIDTH
from sheetsim.studies.sections import (
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
from sheetsim.studies.trace_pages import NAMES, TRACES
from sheetsim.summary.histogram import Histogram
from sheetsim.summary.table import Table
from sheetsim.workbook.layout import Line, Lines, Page, Sheet

if TYPE_CHECKING:
    from sheetsim.studies.gradient_flow.study import GradientFlow

# Layers side by side on Overview, the output layer among them.
ACROSS = 6

WIDE_CHART = (645, 260)


class GradientFlowBook(Struct, frozen=True):
    """Everything that the workbook shows; `sheets` lays it out."""

    study: "GradientFlow"
    graph: Graph
    flow: BackwardPass
    table: Table
    layers: Table
    verdicts: Sequence[Matrix]
    histograms: Mapping[str, Histogram]
    curve: Curve
    traces: Callable[[], Sequence[Page]]

    def sheets(self, command: str, live: bool) -> StudyBook:
        """The sheets in their order; of a summary only those that hold results.

        Raises SheetsimError for a matrix that no sheet can hold.
        """
        # First: of a matrix that no sheet can hold there is no page of headings either.
        flow, full = self.flow, self.study.is_full
        network = list(matrix_sheets(flow.network.x, flow.steps, len(flow.steps) - 1)) if full else []
        tables = [
            table_page(
                table,
                {0: 8} | dict.fromkeys(range(1, len(table.columns) + 1), 15),
                drawn={f"distribution of {name}": [(bars,) for bars in self.histograms[name].drawn.bars]},
                counts=True,
            )
            for table, name in ((self.table, "d_z"), (self.layers, "a"))
        ]
        results = [gradient_histograms_page(self.graph, self.histograms, self.curve), *tables]
        bars = bars_page({HISTOGRAMS[name]: histogram.drawn for name, histogram in self.histograms.items()})
        sheets: list[Sheet] = [self._overview(live), *results, bars]
        if full:
            matrices, draws = [*network, *backward_sheets(flow)], [*draws_sheets(flow.steps), *target_sheets(flow)]
            matrices += bias_page(flow.steps)
            sheets = [sheets[0], *(self.traces() if live else ()), *matrices, *results, *draws, bars]
        told = self.table, self.layers
        return StudyBook(self.study, self.graph, sheets, command, live, tables=told, asking=TRACES, names=NAMES)

    def _overview(self, live: bool) -> Page:
        steps = self.flow.steps
        samples, inputs = self.flow.network.x.shape
        wide = ACROSS + 1
        told = (
            f"{samples:,} samples of {counted(inputs, 'input')} pass through {counted(len(steps) - 1, 'layer')} and a "
            "linear output layer to a loss, and its gradients come back: d_v is ∂loss/∂v.",
            f"{HOW_IT_IS_SHOWN[self.study.is_full, live]}; each gradient refers to that of the next layer.",
            "d_z of a layer is d_a of the next times its weights; d_a is d_z times f′(a); d_W is the layer's input "
            "times d_a.",
            "A step back multiplies ‖d_z‖ by about √χ, χ = n sd² E[f′(a)²]. Large weights make up for small f′: "
            "this rate tells whether gradients vanish, and not by how many units are saturated.",
        )
        cells = [
            *network_controls(self.graph),
            Control("Loss", self.graph["loss"]),
            Control("Output layer's initializer", self.graph["output_initializer"]),
            Control("Its custom std", self.graph["output_custom_std"]),
        ]
        hints = (CHOOSE, "The custom standard deviations count when their initializer is “custom”.", INITIALIZER_NAMES)
        output = f"Output (layer {len(steps)})"
        to = BY_SUMS.title if self.study.is_full else ""
        sections: list[Section] = [
            lead(told, wide),
            controls(cells, hints if live else (), wide - 2, gap=0),
            *by_layer("Gradients of each layer", len(steps), ACROSS, list(self._rows()), last=output, to=to),
            numbers([Row("Loss", [self.flow.loss])], gap=0),
            self._norms(),
            *chart_sections(self.histograms, self.curve, ACROSS),
            meaning(FLOWS, wide - 1),
        ]
        widths = {0: LABEL_WIDTH} | dict.fromkeys(range(1, wide), LAYER_WIDTH)
        return Overview(self.study.title, self.study.TITLE, wide, sections, widths, FLOWS).page()

    def _rows(self) -> Iterator[Row]:
        table = self.table
        yield Row("Verdict", self.verdicts, "verdict")
        yield from layer_controls(self.graph, len(self.flow.steps) - 1)
        yield Row("Standard deviation of weights", [step.sd for step in self.flow.steps])
        yield Row("‖d_a‖", table["d_a_norm"], sheet="Gradients")
        yield Row("Of that at the output", table["reach"], sheet="Gradients")
        yield Row("Rate a layer, of ‖d_z‖: √χ", table["rate"][:-2], sheet="Gradients")
        yield Row("    its 95 % interval: low", table["rate_low"][:-2], sheet="Gradients")
        yield Row("    high", table["rate_high"][:-2], sheet="Gradients")
        yield Row("Total, of ‖d_z‖", table["total"][:-2], sheet="Gradients")
        yield Row("Of that of the layer before", table["d_a_ratio"][:-1], sheet="Gradients")
        yield Row("Expected", table["expected"][:-1], sheet="Gradients")
        yield Row("Mean of f′(a)²", table["slope_square"], sheet="Gradients")
        yield Row("d_a exactly 0", table["d_a_zeros"], "percent-center", sheet="Gradients")
        yield Row("‖d_z‖", table["d_z_norm"], sheet="Gradients")
        yield Row("‖d_W‖", table["d_W_norm"], sheet="Gradients")

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
