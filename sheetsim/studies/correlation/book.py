"""How the study of correlation looks as a workbook: which matrix stands where, and what is said beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sheetsim.model.expr import Matrix, absolute, if_error, log, where
from sheetsim.model.graph import Graph
from sheetsim.model.initializers import INITIALIZER_NAMES
from sheetsim.model.series import Series
from sheetsim.studies.about import with_about
from sheetsim.studies.correlation.layers import VERDICTS, Layer
from sheetsim.studies.correlation.mean_field import DEGREES, FURTHER, SHOWN
from sheetsim.studies.forward.book import network_controls
from sheetsim.studies.pages import LABEL_WIDTH
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
    numbers,
    table_page,
)
from sheetsim.summary.table import Table
from sheetsim.summary.theory import EDGE
from sheetsim.workbook.layout import Block, Item, Line, Lines, MatrixSheet, Page, SeriesSheet, Sheet, Text

if TYPE_CHECKING:
    from sheetsim.studies.correlation.study import Correlation

ACROSS = 8  # layers side by side on Overview
CHART = (520, 300)
HEAD = 7

SAID = {"sums": "linear sums, what goes in times the weights,", "activations": "activations f(a)"}

NOTES = (
    "Step 0 is the input, step l layer l: q the variance of its sums, c the correlation of two inputs' sums, χ the "
    "growth of a small difference, map_slope what the next layer's c changes by with this one's.",
    f"After the network's last layer {FURTHER} further ones follow, of the same width: towards the fixed point c*.",
    "The next c is E[f(u) f(v)]/E[f²] = Σ a_k² c^k/Σ a_k², a_k = E[f(√q s) h_k(s)] with normalised Hermite polynomials "
    f"(sheet Hermite, to degree {DEGREES}; what is left of E[f²] as one degree more). Good to 0.001; where c is over "
    "0.98 and weights are so large that f is a step, to 0.04.",
)


@dataclass(frozen=True)
class CorrelationBook:
    """Everything that the workbook shows; `sheets` lays it out."""

    study: "Correlation"
    graph: Graph
    layers: Sequence[Layer]
    theory: Mapping[str, Series]
    table: Table
    verdicts: Sequence[Matrix]

    def sheets(self, command: str, live: bool) -> list[Sheet]:
        """The sheets in their order."""
        graph, theory = self.graph, self.theory
        shown = [Steps(theory[name], name) for name in (*SHOWN, "second")]
        told = [step for name in SHOWN for step in theory[name]]
        widths = {0: 8} | dict.fromkeys(range(1, len(self.table.columns) + 1), 12)
        sheets: list[Sheet] = [
            self._overview(live),
            replace(
                table_page(self.table, widths, elsewhere=told), words="numbers of each layer, and what theory expects"
            ),
            StepPage("Mean field", "Mean-field theory by layer", NOTES, shown, HEAD, wide=13).page(),
            MatrixSheet("Input x", graph["x"], "pair", tab="input", words="the first inputs, a row a pair"),
            MatrixSheet("Input y", graph["y"], "pair", tab="input", words="the second inputs, of correlation c to x"),
        ]
        sheets += [MatrixSheet(f"Weights {layer.number}", layer.W, "fan-in") for layer in self.layers]
        for kind, tab in (("Linear", "sums"), ("Activation", "activations")):
            for layer in self.layers:
                for of, node in zip("xy", layer.sums if tab == "sums" else layer.outputs, strict=True):
                    title, said = f"{kind} {of} {layer.number}", f"{SAID[tab]} of {of}, a row a pair"
                    sheets.append(MatrixSheet(title, node, "pair", tab=tab, words=said))
        sheets += [MatrixSheet(f"Draws {layer.number}", layer.e, "fan-in") for layer in self.layers]
        slopes: list[Item] = [Text(0, 0, "Layer by layer, of each unit: mean of f′(a_x)² over the pairs", "section")]
        for number in range(1, len(self.layers) + 1):
            slopes += [Text(number, 0, f"Layer {number}", "label"), Block(number, 1, graph[f"slope_square_{number}"])]
        sheets += [
            Page("Slopes", tuple(slopes), {0: 12}, words="the mean of f′(a_x)² by layer and unit"),
            SeriesSheet("Squares", theory["squares"], words="the squares of f's coefficients by layer, a row a degree"),
            MatrixSheet("Draws y", graph["e_y"], "pair", tab="draws", words="standard draws that y is made of"),
            MatrixSheet("Nodes", graph["nodes"], "node", tab="draws", words="where f is taken for the expectations"),
            MatrixSheet("Node weights", graph["node_weights"], "node", tab="draws", words="their weights"),
            MatrixSheet(
                "Hermite",
                graph["hermite"],
                "node",
                tab="draws",
                words="weights times the polynomials, a column a degree",
            ),
            MatrixSheet("Degrees", graph["degree"], "row", tab="draws", words="the polynomials' degrees"),
        ]
        return with_about(self.study, sheets, command, live, glossary=GLOSSARY, tables=(self.table,))

    def _overview(self, live: bool) -> Page:
        graph, table, count = self.graph, self.table, len(self.layers)
        wide = ACROSS + 1
        told = (
            f"{self.study.pairs:,} pairs of inputs, of correlation c, pass through {count} layers of "
            f"{self.study.units:,} units with the same weights, which are drawn anew for each layer.",
            "In wide networks c goes through one map, layer by layer, to its fixed point c* (Poole et al. 2016). Its "
            "slope at c = 1 is χ: below 1 inputs become alike (ordered), above 1 they part however near they are "
            "(chaotic), and differences change e-fold over the depth scale ξ = 1/|ln χ| (Schoenholz et al. 2017).",
            "relu with n·sd² = 2 stays at the edge, χ = 1, and yet c goes to 1, the more slowly the nearer it is.",
        )
        own = [
            *network_controls(graph),
            Control("Correlation c of the inputs", graph["c_0"]),
        ]
        hints = (
            "Choose from the yellow cells: every sheet, chart and verdict follows.",
            "The custom standard deviation counts when the initializer is “custom”.",
            INITIALIZER_NAMES,
        )
        rows = [
            Row("Verdict", self.verdicts, "verdict"),
            Row("Correlation c", table["c"]),
            Row("    its 95 % interval: low", table["c_low"]),
            Row("    high", table["c_high"]),
            Row("    mean field", table["c_theory"]),
            Row("χ", table["chi"]),
            Row("    mean field", table["chi_theory"]),
            Row("Rate: mean χ up to here", table["rate"]),
            Row("    its 95 % interval: low", table["rate_low"]),
            Row("    high", table["rate_high"]),
            Row("Mean square of the sums", table["q"]),
            Row("    mean field", table["q_theory"]),
        ]
        chi = self.theory["chi_theory"][-1]
        depth = if_error(where(absolute(chi - 1) > EDGE, 1 / absolute(log(chi)), float("nan")), float("nan"))
        limits = [
            Row("n·sd²", [graph["weight_scale"]], hint="inputs of a unit times the variance of its weights"),
            Row(f"c {FURTHER} layers further", [self.theory["c_theory"][-1]], hint="mean field, towards c*"),
            Row("χ there", [chi], hint="the slope of the map at c = 1"),
            Row(
                "Depth scale ξ there",
                [depth],
                hint="in layers; #N/A at the edge, where it has no end",
            ),
        ]
        ends = [Line(name, table[f"c_{name}"], "faint") for name in ("low", "high")]
        near = Line("measured", table["c"]), *ends, Line("mean field", table["c_theory"], "dashed")
        grown = Line("measured", table["chi"]), Line("mean field", table["chi_theory"], "dashed")
        by_number = (
            Lines(0, 0, "Correlation c by layer", near, CHART, "layer"),
            Lines(0, 5, "χ by layer", grown, CHART, "layer"),
        )
        sections: list[Section] = [
            lead(told, wide, (17, 32, 17)),
            controls(own, hints if live else (), wide - 2),
            *by_layer("By layer", count, ACROSS, rows),
            numbers(limits, hint_column=2),
            charts(by_number, CHART[1]),
            meaning(VERDICTS, wide - 1),
        ]
        widths = {0: LABEL_WIDTH} | dict.fromkeys(range(1, wide), 14)
        title, elsewhere = self.study.title, [*table.cells(), chi, self.theory["c_theory"][-1]]
        return Overview(title, self.study.TITLE, wide, sections, widths, VERDICTS, elsewhere).page()


GLOSSARY = {
    "x": "the first inputs, pairs × units (constants)",
    "e_y": "standard normal draws, pairs × units (constants)",
    "y": "the second inputs, c_0 x + √(1 − c_0²) e_y",
    "c_0": "the correlation of the two",
    "activation": "the activation f, a drop-down",
    "initializer": f"the initializer, a drop-down. {INITIALIZER_NAMES}",
    "custom_std": "the standard deviation that the initializer “custom” uses",
    "e_1": "e_1, e_2, …: standard draws of the layers' weights, units × units (constants)",
    "sd_1": "sd_1, …: standard deviations of the layers' weights, by the initializer",
    "W_1": "W_1, …: weights, sd_l · e_l, the same for x and y",
    "a_x_1": "a_x_1, …, a_y_1, …: linear sums of x and of y",
    "z_x_1": "z_x_1, …, z_y_1, …: activations f(a)",
    "weight_scale": "n·sd²: units times the variance of the weights",
    "verdict_1": "verdict_1, …: the layers' verdicts",
    "slope_square_1": "slope_square_1, …: by unit, the mean of f′(a_x)² over the pairs",
    "q_0": "the inputs' mean square in theory",
    "q_theory": "by layer, step 0 the input: the variance of the sums in mean-field theory",
    "c_theory": "the correlation of the two inputs' sums",
    "chi_theory": "χ: the growth of a small difference's square to the next layer",
    "map_slope": "what the next layer's c changes by with this one's",
    "squares": "the squares a_k² of f's coefficients, from degree 1",
    "second": "E[f²], the sum of all from degree 0",
    "nodes": "nodes of the expectations over a standard normal (constants)",
    "node_weights": "their weights (constants)",
    "hermite": "weights times normalised Hermite polynomials of degree 1, 2, … at the nodes (constants)",
    "degree": "the degrees (constants)",
}
