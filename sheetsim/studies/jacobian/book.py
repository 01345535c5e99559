"""How the study of Jacobians looks as a workbook: which matrix stands where, and what is said beside it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from sheetsim.language import counted
from sheetsim.model.expr import Matrix
from sheetsim.model.graph import Graph
from sheetsim.model.series import Series
from sheetsim.studies.about import StudyBook
from sheetsim.studies.jacobian.layers import (
    VERDICTS,
    DepthHistogram,
    JacobianHistograms,
    JacobianLayer,
    Values,
)
from sheetsim.studies.layer_theory import HEADINGS
from sheetsim.studies.network_sheets import CHOOSE
from sheetsim.studies.pages import LABEL_WIDTH, VALUES
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
from sheetsim.summary.histogram import labels
from sheetsim.summary.table import Table
from sheetsim.workbook.layout import Block, Item, Line, Lines, MatrixSheet, Page, Sheet, Text

if TYPE_CHECKING:
    from sheetsim.studies.jacobian.study import Jacobian

ACROSS = 8  # layers side by side on Overview
CHART = (520, 280)
RIGHT = 4  # the column of the charts at the right
HEAD = 7

NOTES = (
    "Step l is layer l: q_theory the variance of its sums, second_theory the mean square of its outputs (step 0: the "
    "input’s), chi_theory the growth of a small change’s square, slope_ratio E[f′⁴]/E[f′²]².",
)


class JacobianBook(Struct, frozen=True):
    """Everything that the workbook shows; `sheets` lays it out. tables: the summary, histograms, and all values."""

    study: "Jacobian"
    graph: Graph
    networks: Mapping[str, Sequence[JacobianLayer]]
    theory: Mapping[str, Series]
    values: Mapping[str, Sequence[Values]]
    tables: tuple[Table, Table, Table]
    histograms: JacobianHistograms
    verdicts: Sequence[Matrix]

    def sheets(self, command: str, live: bool) -> StudyBook:
        """The sheets in their order; where the networks are large only those that hold results."""
        table = self.tables[0]
        shown = [Steps(series, HEADINGS[name]) for name, series in self.theory.items()]
        widths = {0: 18} | dict.fromkeys(range(1, len(table.columns) + 1), 13)
        drawn = {one.depth: labels(one.ends) for one in self.histograms.of}
        sheets: list[Sheet] = [
            self._overview(live, drawn),
            table_page(table, widths),
            StepPage("Mean field", "Mean-field theory by layer", NOTES, shown, HEAD, wide=19).page(),
            *(table_page(table, {0: 12} | dict.fromkeys(range(1, 40), 17)) for table in self.tables[1:]),
            self._values(),
            self._histograms(drawn),
        ]
        if live:
            sheets += self._matrices()
        sheets += [
            MatrixSheet(title, self.graph[name], corner, tab="draws", words=words)
            for title, name, corner, words in (
                ("Nodes", "nodes", "node", "where f is taken for the expectations"),
                ("Node weights", "node_weights", "node", "their weights"),
            )
        ]
        return StudyBook(self.study, self.graph, sheets, command, live, tables=self.tables)

    def _overview(self, live: bool, drawn: Mapping[int, Matrix]) -> Page:
        study, table = self.study, self.tables[0]
        wide, count = ACROSS + 1, study.layers
        shown = (
            "The Jacobians are formulas, products of matrices; mean square and fourth power follow the yellow cells. "
            "Singular values are NumPy’s, constants: they are #N/A where a yellow cell has changed their Jacobian."
            if live
            else VALUES
            if study.is_full
            else "This book holds values without formulas: its networks are too large for live ones, units² · layers "
            "over 100,000."
        )
        told = (
            f"One input passes through {counted(count, 'layer')} of {counted(study.units, 'unit')} with Gaussian "
            "weights, and with orthogonal ones. J holds the derivatives of a layer’s outputs by the input, "
            "J ← (J W) ∘ f′(a); its singular values say by how much small changes are stretched, in the best "
            "direction and the worst.",
            "Their mean square is χ^L in wide networks, which the choice of σ_w and σ_b can keep at 1. Only where all "
            "of them are near 1 does every direction pass: dynamical isometry (Saxe et al. 2013; Pennington, "
            "Schoenholz & Ganguli 2017). The fourth power, relative to the squared mean square, is then 1; Gaussian "
            "weights add 1 a layer to it.",
            "Theory beside the shares is free probability, for infinite width: weights and slopes f′ of all layers are "
            "taken as free of each other, backward pass as independent of forward, and a layer’s sums as normal of "
            "variance q_theory, biases included (Pennington, Schoenholz & Ganguli 2017, 2018). It is good where "
            f"layers/units, here {count / study.units:.2g}, is small. Zeros, half of all for relu, count in the first "
            "bin.",
            shown,
        )
        cells = [
            Control("Activation", self.graph["activation"]),
            Control("Gain σ_w", self.graph["gain"], "weights have the standard deviation gain/√units"),
            Control("Standard deviation of biases σ_b", self.graph["bias_std"]),
            Control("Standard deviation of the input", self.graph["input_std"]),
        ]
        sections: list[Section] = [
            lead(told, wide, (34, 51, 51, 34)),
            controls(cells, (CHOOSE,) if live else (), wide - 2),
        ]
        for place, kind in enumerate(self.networks):
            rows = [Row("Verdict", self.verdicts[place * count : (place + 1) * count], "verdict")]
            for label, name, style in (
                ("Mean square", "mean_square", "center"),
                ("    mean field", "mean_square_theory", "center"),
                ("Fourth power, relative", "fourth", "center"),
                ("    theory", "fourth_theory", "center"),
                ("Largest", "largest", "center"),
                ("Median", "median", "center"),
                ("Smallest", "smallest", "center"),
                ("Largest over smallest", "condition", "center"),
                ("Rank", "rank", "count-center"),
            ):
                rows.append(Row(label, table[name][place * count : (place + 1) * count], style))
            sections += by_layer(f"{kind.capitalize()} weights", count, ACROSS, rows)
        by_depth = (
            self._by_depth("mean_square", "Mean square by layer, powers of ten", 0, True),
            self._by_depth("condition", "Largest over smallest by layer, powers of ten", RIGHT),
        )
        sections.append(charts(by_depth, CHART[1]))
        for one in self.histograms.of:
            beside = [
                self._histogram(one, kind, drawn[one.depth], column)
                for kind, column in zip(self.networks, (0, RIGHT), strict=True)
            ]
            sections.append(charts(beside, CHART[1]))
        sections.append(meaning(VERDICTS, wide - 1))
        widths = {0: LABEL_WIDTH + 4} | dict.fromkeys(range(1, wide), 14)
        return Overview(study.title, study.TITLE, wide, sections, widths, VERDICTS).page()

    def _by_depth(self, name: str, title: str, column: int, theory: bool = False) -> Lines:
        cells, count = self.tables[0][name], self.study.layers
        lines = [Line(kind, cells[k * count : (k + 1) * count]) for k, kind in enumerate(self.networks)]
        if theory:
            lines.append(Line("mean field", self.tables[0][f"{name}_theory"][:count], "dashed"))
        return Lines(0, column, title, tuple(lines), CHART, "layer", (), True)

    def _histogram(self, of: DepthHistogram, kind: str, drawn: Matrix, column: int) -> Lines:
        through = counted(of.depth, "layer")
        lines = Line("measured", (of.measured[kind],)), Line("theory", (of.expected[kind],), "dashed")
        title = f"{kind.capitalize()} weights, {through}: share of singular values"
        return Lines(0, column, title, lines, CHART, "singular value, up to", (drawn,))

    def _values(self) -> Page:
        """All singular values: NumPy's constants at the left, and what is shown of them."""
        items: list[Item] = [Text(0, 0, "Singular values by NumPy, constants, the largest first", "section")]
        left = 0
        for heading, name in (("by NumPy", "constants"), ("those of the cells’ Jacobian, else #N/A", "shown")):
            for kind, of in self.values.items():
                items.append(Text(1, left, f"{kind}: {heading}", "text"))
                for k, values in enumerate(of):
                    items += [
                        Text(2, left + k, f"Layer {k + 1}", "column"),
                        Block(3, left + k, getattr(values, name)),
                    ]
                left += len(of) + 1
        return Page(
            "Singular values", tuple(items), dict.fromkeys(range(left), 11), freeze=(3, 0), words="of each Jacobian"
        )

    def _histograms(self, drawn: Mapping[int, Matrix]) -> Page:
        """What the charts of histograms draw."""
        graph, left = self.graph, 2
        items: list[Item] = [Text(0, 0, "Shares of singular values", "section")]
        items += [Text(1, 0, "bin", "column"), Block(2, 0, graph["bin"], "whole")]
        items += [Text(1, 1, "edge", "column"), Block(2, 1, graph["edge"], "whole")]
        for of in self.histograms.of:
            items.append(Text(0, left + 1, f"Through {of.depth} of the layers", "section"))
            columns = [
                ("up to", of.ends, "edge"),
                ("on the axis", drawn[of.depth], "up-to"),
                ("edges", of.edges, "edge"),
            ]
            for kind in self.networks:
                columns.append((f"{kind} count", graph[f"counts_{kind}_{of.depth}"], "count"))
                columns.append((f"{kind} share", of.measured[kind], "percent"))
                columns.append((f"{kind} by NumPy", graph[f"curve_{kind}_{of.depth}"], "percent"))
                columns.append((f"{kind} theory", of.expected[kind], "percent"))
            for k, (heading, node, style) in enumerate(columns, start=left + 1):
                items += [Text(1, k, heading, "column"), Block(2, k, node, style)]
            left += len(columns) + 1
        words = "shares of singular values by bin, measured and in theory"
        return Page("Histograms", tuple(items), dict.fromkeys(range(2, left + 1), 13), freeze=(2, 0), words=words)

    def _matrices(self) -> Iterator[Sheet]:
        """The two passes of the one input, and by network and layer weights, Jacobians and draws."""
        items: list[Item] = []
        for k, (label, name) in enumerate((("draws of the input", "e_x"), ("input", "x"))):
            items += [Text(k, 0, label, "label"), Block(k, 1, self.graph[name])]
        row = 2
        for kind, layers in self.networks.items():
            for layer in layers:
                for what, node in (
                    ("draws of biases", self.graph[f"e_b_{kind}_{layer.number}"]),
                    ("biases", layer.b),
                    ("sums", layer.a),
                    ("outputs", layer.z),
                ):
                    items += [Text(row, 0, f"{kind}, layer {layer.number}: {what}", "label"), Block(row, 1, node)]
                    row += 1
        yield Page(
            "Pass", tuple(items), {0: 38}, freeze=(0, 1), tab="sums", words="the input’s way through both networks"
        )
        for kind, layers in self.networks.items():
            for layer in layers:
                title = f"J {kind} {layer.number}"
                words = "derivatives of the layer’s outputs with respect to the input"
                yield MatrixSheet(title, layer.J, "input", tab="gradients", words=words)
            for layer in layers:
                title, words = f"W {kind} {layer.number}", f"{kind} weights: gain/√units times the draws"
                yield MatrixSheet(title, layer.W, "fan-in", tab="weights", words=words)
            for layer in layers:
                yield MatrixSheet(f"e {kind} {layer.number}", layer.e, "fan-in", tab="draws", words="draws of weights")
