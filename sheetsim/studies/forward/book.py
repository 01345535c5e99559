"""How the study of initial weights looks as a workbook: which matrix stands where, and the texts beside it."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from sheetsim.language import counted
from sheetsim.model.expr import Matrix, quantile
from sheetsim.model.graph import Graph
from sheetsim.model.nets import Network
from sheetsim.studies.about import StudyBook
from sheetsim.studies.forward.histograms_page import output_histograms
from sheetsim.studies.forward.variance_page import variance_page
from sheetsim.studies.histogram_pages import BARS_NOTE, ZEROS_NOTE, bars_page, small_bars
from sheetsim.studies.network_sheets import (
    OUTPUTS,
    bias_page,
    draws_sheets,
    layer_controls,
    matrix_sheets,
    network_controls,
    network_hints,
)
from sheetsim.studies.pages import CHART, HOW_IT_IS_SHOWN, LABEL_WIDTH, LAYER_WIDTH
from sheetsim.studies.sections import (
    Chart,
    Overview,
    Row,
    Section,
    by_layer,
    charts,
    controls,
    lead,
    lines,
    meaning,
    numbers,
    stacked,
    table_page,
)
from sheetsim.studies.trace_pages import NAMES, TRACES
from sheetsim.summary.histogram import Histogram
from sheetsim.summary.layers import INPUT_LOST, VERDICTS, Given
from sheetsim.summary.table import Table
from sheetsim.summary.variance import Claim, Units
from sheetsim.workbook.layout import Bars, Block, DataBars, Item, Line, Lines, Number, Page, Sheet, Text

if TYPE_CHECKING:
    from sheetsim.studies.forward.study import Forward

# Layers side by side on Overview.
ACROSS = 5

FAN = (645, 260)

EXCELS = (
    "Excel draws these charts itself from the sheets of the outputs (its histogram and box plot of 2016). Programs "
    "that do not know them show the charts of Overview here."
)
NATIVE_NOTE = (
    "Excel's own histograms, of all outputs; each has a scale of its own. Their bins are those that the file was made "
    "with, and “≤” and “>” count what lies outside. Other programs show column charts here."
)
BOXES_NOTE = (
    "Excel's box plot: a box from the first quartile to the third with the median across it, a cross at the mean, and "
    "points for what lies over 1.5 boxes away. Other programs show the quantiles as lines."
)


class ForwardBook(Struct, frozen=True, dict=True):
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
    traces: Callable[[], Sequence[Page]]

    def sheets(self, command: str, live: bool) -> StudyBook:
        """The sheets in their order; of a summary only those that hold results.

        Raises SheetsimError for a matrix that no sheet can hold.
        """
        # First: of a matrix that no sheet can hold there is no page of headings either.
        network, full = self.network, self.study.is_full
        matrices = list(matrix_sheets(network.x, network.layers, len(network.layers))) if full else []
        checked = variance_page(self.graph, network, self.variance, self.claims, self.units, full)
        results = [output_histograms(self.graph, self.histogram), self._layers(), checked]
        bars = self._bars()
        sheets: list[Sheet] = [self._overview(live), *results, bars]
        if full:
            draws = [*bias_page(network.layers), *draws_sheets(network.layers)]
            native = [self._excels_charts()] if self.study.charts == "both" else []
            sheets = [sheets[0], *native, *(self.traces() if live else ()), *matrices, *results, *draws, bars]
        tables = self.table, self.variance
        return StudyBook(self.study, self.graph, sheets, command, live, tables=tables, asking=TRACES, names=NAMES)

    def _overview(self, live: bool) -> Page:
        layers, native = self.network.layers, self.study.charts == "native"
        samples, inputs = self.network.x.shape
        wide = ACROSS + 1
        biases = " + Biases" if layers[0].b is not None else ""
        told = (
            f"{samples:,} samples of {counted(inputs, 'input')} pass through {counted(len(layers), 'layer')}: a layer "
            f"multiplies by weights (Linear = input × Weights{biases}) and applies the activation "
            "(Activation = f(Linear)).",
            f"{HOW_IT_IS_SHOWN[self.study.is_full, live]}; the charts show how every layer's outputs are distributed "
            "under the chosen start of the weights.",
            "A good start keeps the spread, and the difference between samples, from layer to layer; a bad one "
            "saturates the units, makes them all alike, loses the input, or lets the signal die out or explode.",
        )
        rows = [
            Row("Verdict", self.verdicts, "verdict"),
            *layer_controls(self.graph, len(layers)),
            Row("Standard deviation of weights", [layer.sd for layer in layers]),
            Row("Mean of outputs", self.table["mean"], sheet="Layers"),
            Row("Standard deviation of outputs", self.table["std"], sheet="Layers"),
            Row("Of their variance, over samples", self.table["over_samples"], "percent-center", sheet="Layers"),
            Row("Saturated outputs (relu: zeros)", self.table["saturated"], "percent-center", sheet="Layers"),
            Row("Dead units", self.table["dead_units"], "count-center", sheet="Layers"),
            Row("Effective units", self.table["effective_units"], "one-decimal-center", sheet="Layers"),
        ]
        given = [
            Row("Mean square of the input", [self.given.square]),
            Row("Of it, variance over samples", [self.given.over_samples], "percent-center"),
            Row("Effective units of the input", [self.given.effective_units], "one-decimal-center"),
        ]
        note = (
            "Counts of all outputs in bins of equal width, on one scale for all layers. "
            f"{BARS_NOTE} {ZEROS_NOTE} Numbers: sheet Histograms."
            if not native
            else f"{NATIVE_NOTE} Numbers: sheet Histograms."
        )
        sections: list[Section] = [
            lead(told, wide),
            controls(network_controls(self.graph), network_hints(layers) if live else (), wide - 2),
            *by_layer(
                "Outputs of each layer",
                len(layers),
                ACROSS,
                rows,
                self._histograms(native),
                CHART[1],
                note,
                to=OUTPUTS.title if self.study.is_full else "",
            ),
            numbers(given),
            *self._fan(native),
            meaning(VERDICTS, wide - 1),
            lines(INPUT_LOST, "lead", wide, 34),
        ]
        widths = {0: LABEL_WIDTH} | dict.fromkeys(range(1, wide), LAYER_WIDTH)
        return Overview(self.study.title, self.study.TITLE, wide, sections, widths, VERDICTS).page()

    def _fan(self, native: bool) -> list[Section]:
        """Quantiles by layer, of a network with several; native: as a box plot of Excel."""
        if len(self.network.layers) < 2:
            return []
        quantiles = {name: self.table[name] for name in ("q05", "q50", "q95")} | self._quartiles
        fan = (
            Line("median", quantiles["q50"]),
            Line("25 %", quantiles["q25"], "inner"),
            Line("75 %", quantiles["q75"], "inner"),
            Line("5 %", quantiles["q05"], "outer"),
            Line("95 %", quantiles["q95"], "outer"),
        )
        note = (
            "Half of a layer's outputs lie between the thin lines, 90 % between the dashed ones: what spreads, shrinks "
            "or saturates with depth shows as a fan. Numbers: sheets Layers and Bars."
        )
        drawn = Lines(0, 1, "Quantiles of the outputs by layer", fan, FAN, "layer")
        if native:
            drawn = replace(drawn, title="Outputs by layer", native=self._outputs)
            note = BOXES_NOTE
        return [charts([drawn], FAN[1], note)]

    @property
    def _outputs(self) -> tuple[Line, ...]:
        return tuple(Line(f"Layer {k}", (layer.z,)) for k, layer in enumerate(self.network.layers, start=1))

    def _histograms(self, native: bool) -> Callable[[int, int], list[Chart]]:
        """The charts of a layer (from 0) at a column; native: as Excel draws its own."""
        drawn = small_bars(self.histogram.drawn)
        if not native:
            return drawn
        outputs = self._outputs
        return lambda k, column: [
            replace(bars, native=(outputs[k],)) for bars in drawn(k, column) if isinstance(bars, Bars)
        ]

    def _excels_charts(self) -> Page:
        """The sheet Excel charts: Excel's own histograms and box plot, beside the charts of Overview."""
        wide = ACROSS + 1
        sections = [
            lead((EXCELS,), wide),
            *by_layer(
                "Outputs of each layer", len(self._outputs), ACROSS, (), self._histograms(True), CHART[1], NATIVE_NOTE
            ),
            *self._fan(True),
        ]
        widths = {0: LABEL_WIDTH} | dict.fromkeys(range(1, wide), LAYER_WIDTH)
        items, heights = stacked(sections, 0)
        return Page(
            "Excel charts", tuple(items), widths, heights, tab="results", words="Excel's own histograms, a box plot"
        )

    @cached_property
    def _quartiles(self) -> dict[str, tuple[Matrix, ...]]:
        shares = {"q25": 0.25, "q75": 0.75}
        layers = self.network.layers
        return {name: tuple(quantile(layer.z, p) for layer in layers) for name, p in shares.items()}

    def _bars(self) -> Page:
        """What charts draw and no table has: histograms, and quartiles."""
        page = bars_page({"Outputs of each layer": self.histogram.drawn})
        if len(self.network.layers) < 2:
            return page
        row = 2 + max(item.row for item in page.items if isinstance(item, Text))
        more: list[Item] = [Text(row, 0, "Quartiles of the outputs", "section"), Text(row + 1, 0, "layer", "column")]
        more += [Number(row + 1 + k, 0, k, "whole") for k in range(1, 1 + len(self.network.layers))]
        for c, (name, cells) in enumerate(self._quartiles.items(), start=1):
            more.append(Text(row + 1, c, name, "column"))
            more += [Block(row + 2 + k, c, cell) for k, cell in enumerate(cells)]
        return replace(page, items=(*page.items, *more))

    def _layers(self) -> Page:
        last, rows = len(self.table.columns), len(self.table.labels)
        more: list[Item] = []
        for c, column in enumerate(self.table.columns, start=1):
            if column.kind == "share":
                more.append(DataBars(1, c, rows))
        widths = {0: 8} | dict.fromkeys(range(1, last), 11) | {last: 15}
        drawn = {"distribution": [(bars,) for bars in self.histogram.drawn.bars]}
        return table_page(self.table, widths, more=more, drawn=drawn, counts=True)
