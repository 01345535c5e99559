"""How the study of finite width looks as a workbook: which matrix stands where, and the texts beside it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from sheetsim.language import counted
from sheetsim.model.expr import Matrix
from sheetsim.model.graph import Graph
from sheetsim.studies.about import StudyBook
from sheetsim.studies.finite_width.layers import VERDICTS, sum_of_inverses
from sheetsim.studies.finite_width.passes import multiplies_sizes
from sheetsim.studies.pages import LABEL_WIDTH, VALUES
from sheetsim.studies.sections import (
    Overview,
    Row,
    Section,
    by_layer,
    charts,
    lead,
    meaning,
    table_page,
)
from sheetsim.summary.histogram import labels
from sheetsim.summary.table import Table
from sheetsim.workbook.layout import Block, Item, Line, Lines, MatrixSheet, Page, Sheet, Text

if TYPE_CHECKING:
    from sheetsim.studies.finite_width.study import FiniteWidth

ACROSS = 8  # layers side by side on Overview
CHART = (520, 280)
RIGHT = 4  # the column of the charts at the right

BIASED = (
    "Biases come anew in each layer, the same whatever the length before: a layer hands on the part σ_w² E[z²]/q of a "
    "deviation, q = σ_w² E[z²] + σ_b², and the variance settles instead of adding up. Theory of the means, and of the "
    "backward pass, is for networks without biases: #N/A here."
)
NOT_MULTIPLIED = (
    "This activation does not multiply lengths: a deviation of the length before is multiplied by "
    "γ = d ln E[f²]/d ln q, and the variance does not add up as κ Σ 1/n. Theory of the means, and of the "
    "backward pass, is for activations that multiply lengths: #N/A here."
)

ROWS = (
    ("Mean of ln ‖z‖²", "log_mean", "center"),
    ("    its 95 % interval: low", "log_mean_low", "center"),
    ("    high", "log_mean_high", "center"),
    ("    theory", "log_mean_theory", "center"),
    ("Variance of ln ‖z‖²", "log_variance", "center"),
    ("    its 95 % interval: low", "log_variance_low", "center"),
    ("    high", "log_variance_high", "center"),
    ("    theory", "log_variance_theory", "center"),
    ("Arithmetic mean of ‖z‖²", "arithmetic", "center"),
    ("Geometric mean", "geometric", "center"),
    ("Within a factor of 2", "within", "percent-center"),
    ("Below a tenth", "below_tenth", "percent-center"),
    ("Back: variance of ln ‖d‖²", "back_variance", "center"),
    ("    theory", "back_variance_theory", "center"),
)


class FiniteWidthBook(Struct, frozen=True):
    """Everything that the workbook shows; `sheets` lays it out. tables: by layer, and the last one's histogram."""

    study: "FiniteWidth"
    graph: Graph
    tables: tuple[Table, Table]
    verdicts: Sequence[Matrix]

    def sheets(self, command: str, live: bool) -> StudyBook:
        """The sheets in their order."""
        graph, table = self.graph, self.tables[0]
        axis = labels(graph["up_to"])
        widths = {0: 8} | dict.fromkeys(range(1, len(table.columns) + 1), 17)
        words = "logarithms of the lengths, a row a network"
        sheets: list[Sheet] = [
            self._overview(axis, live),
            table_page(table, widths),
            table_page(self.tables[1], widths),
            self._drawn(axis),
            MatrixSheet("Logarithms", graph["logs"], "network", words=words),
        ]
        return StudyBook(self.study, graph, sheets, command, live, tables=self.tables)

    def _overview(self, axis: Matrix, live: bool) -> Page:
        study, table = self.study, self.tables[0]
        wide, count = ACROSS + 1, len(study.layers)
        told = (
            f"{study.networks:,} networks of {counted(count, 'layer')} and {study.activation} units take one input "
            f"through {'weights and biases' if study.bias else 'weights'} of their own, σ_w = {study.gain_size:.4g}"
            f"{f', σ_b = {study.bias:.4g}' if study.bias else ''}. Each layer’s squared length ‖z‖² stands beside its "
            "mean-field value. For relu it is a mean of n terms that vary by 5: its logarithm varies by 5/n a layer.",
            self._of_depth,
            "Numbers of the networks are NumPy’s, constants of this book; all statistics of them are formulas."
            if live
            else VALUES,
        )
        rows = [Row("Verdict", self.verdicts, "verdict")]
        rows += [Row(label, table[name], style) for label, name, style in ROWS]
        variance = self._with_interval("log_variance"), self._with_interval("back_variance")
        beside = (
            Lines(0, 0, "Variance of ln ‖z‖² by layer", variance[0], CHART, "layer"),
            Lines(0, RIGHT, "Variance of ln ‖d‖² by layers back", variance[1], CHART, "layers back"),
        )
        means = Line("arithmetic", table["arithmetic"]), Line("geometric", table["geometric"])
        share = [Line("networks", (self.graph["share"],))]
        if self._has_means:
            share.append(Line("normal, by theory", (self.graph["expected"],), "dashed"))
        below = (
            Lines(0, 0, "Means of ‖z‖² over its mean-field value", means, CHART, "layer"),
            Lines(0, RIGHT, "ln ‖z‖² at the last layer: share of networks", tuple(share), CHART, "up to", (axis,)),
        )
        sections: list[Section] = [
            lead(told, wide, (34, 51, 17)),
            *by_layer("Over networks", count, ACROSS, rows),
            charts(beside, CHART[1]),
            charts(below, CHART[1]),
            meaning(VERDICTS, wide - 1),
        ]
        widths = {0: LABEL_WIDTH + 4} | dict.fromkeys(range(1, wide), 14)
        return Overview(study.title, study.TITLE, wide, sections, widths, VERDICTS).page()

    @property
    def _of_depth(self) -> str:
        """What layers make of the variance, in words."""
        if self._has_means:
            return (
                f"Over layers that adds up to κ Σ 1/n, here with Σ 1/n = {sum_of_inverses(self.study.layers):.3g}: "
                "depth over width. The logarithm is near a normal one, with minus half the variance as mean: the "
                "arithmetic mean stays at 1, carried by few networks, while a typical one has the geometric mean "
                "(Hanin 2018; Hanin & Rolnick 2018; Hanin & Nica 2019)."
            )
        return BIASED if self.study.bias else NOT_MULTIPLIED

    def _with_interval(self, name: str) -> tuple[Line, ...]:
        table = self.tables[0]
        ends = [Line(end, table[f"{name}_{end}"], "faint") for end in ("low", "high")]
        lines = [Line("measured", table[name]), *ends]
        # LibreOffice draws missing numbers as 0.
        if name == "log_variance" or self._has_means:
            lines.append(Line("theory", table[f"{name}_theory"], "dashed"))
        return tuple(lines)

    @property
    def _has_means(self) -> bool:
        """Whether there is theory of the means, and of the backward pass."""
        return multiplies_sizes(self.study.activation, self.study.bias)

    def _drawn(self, axis: Matrix) -> Page:
        """What the chart of the histogram draws, the input, and theory."""
        graph = self.graph
        items: list[Item] = [Text(0, 0, "What the histogram draws", "section")]
        columns = (
            ("bin", graph["bin"], "whole"),
            ("up to", graph["up_to"], "edge"),
            ("on the axis", axis, "up-to"),
            ("edge", graph["edge"], "whole"),
            ("edges", graph["edges"], "edge"),
            ("networks", graph["counts"], "count"),
            ("share", graph["share"], "percent"),
            ("normal", graph["expected"], "percent"),
        )
        for k, (heading, node, style) in enumerate(columns):
            items += [Text(1, k, heading, "column"), Block(2, k, node, style)]
        left = len(columns) + 1
        items += [Text(0, left, "Theory by layer: mean and variance of ln ‖z‖², of ln ‖d‖²", "section")]
        items += [Block(2, left, graph["theory"])]
        bottom = 3 + max(graph["bin"].shape[0], graph["theory"].shape[0])
        items += [Text(bottom, 0, "draw", "label"), Block(bottom, 1, graph["start"])]
        items += [Text(bottom + 1, 0, "input", "label"), Block(bottom + 1, 1, graph["x"])]
        words = "the histogram’s bins, theory and the input"
        # The input is a row that would go over several sheets of paper.
        widths = dict.fromkeys(range(left), 12) | dict.fromkeys(range(left, left + 4), 18)
        return Page("Drawn", tuple(items), widths, printed=bottom + 1, words=words)
