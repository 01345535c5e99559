"""How the study of phases looks as a workbook: heat maps networks beside theory, a point that is live."""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from sheetsim.language import counted
from sheetsim.model.activations import ACTIVATIONS
from sheetsim.model.expr import Data, Matrix, absolute, if_error, log, log10, where
from sheetsim.model.graph import Graph
from sheetsim.model.op import Array
from sheetsim.model.series import Series
from sheetsim.studies.about import StudyBook
from sheetsim.studies.correlation.book import NOTES
from sheetsim.studies.correlation.matrix_sheets import expectation_sheets
from sheetsim.studies.correlation.mean_field import FURTHER, HEADINGS
from sheetsim.studies.pages import LABEL_WIDTH
from sheetsim.studies.phase_diagram.measured import VERDICTS
from sheetsim.studies.sections import (
    Control,
    Overview,
    Row,
    Section,
    StepPage,
    Steps,
    charts,
    controls,
    headed,
    lead,
    meaning,
    numbers,
    table_page,
)
from sheetsim.summary.table import Table
from sheetsim.summary.theory import EDGE
from sheetsim.workbook.layout import (
    Block,
    Colors,
    Echo,
    Item,
    Number,
    Page,
    Scatter,
    Sheet,
    Text,
    Ticks,
    Trace,
)

if TYPE_CHECKING:
    from sheetsim.studies.phase_diagram.study import PhaseDiagram

WIDE = 12  # columns of Overview
CHART = (640, 400)
HEAD = 7
CELL = 8.5

# What the heat maps show: a column of the grid, its heading, and whether by powers of ten.
MAPS = (
    ("chi", "χ_1: above 1 chaotic, below 1 ordered", False),
    ("c_star", "c*: the correlation that two inputs go to", False),
    ("xi_c", "ξ_c: log10 of the depth scale of correlations, in layers", True),
)
SHOWN_OF_POINTS = (
    ("σ_w²", "weight_variance"),
    ("σ_b²", "bias_variance"),
    ("q", "q"),
    ("  mean field", "q_theory"),
    ("c", "c"),
    ("  mean field", "c_theory"),
    ("c*", "c_star"),
    ("χ", "chi"),
    ("  mean field", "chi_theory"),
    ("χ_1", "chi_star"),
    ("ξ_c", "xi_c"),
)


class PhaseBook(Struct, frozen=True, dict=True):
    """Everything that the workbook shows; `sheets` lays it out.

    tables: points, grid and critical line; theory: of the point that can be moved.
    """

    study: "PhaseDiagram"
    graph: Graph
    tables: tuple[Table, Table, Table]
    theory: Mapping[str, Series]
    verdicts: Sequence[Matrix]

    def sheets(self, command: str, live: bool) -> StudyBook:
        """The sheets in their order."""
        shown = [Steps(self.theory[name], heading) for name, heading in HEADINGS.items()]
        widths = {0: 12} | dict.fromkeys(range(1, WIDE), 17)
        sheets: list[Sheet] = [
            self._overview(live),
            self._maps(),
            *(table_page(table, widths) for table in self.tables),
            StepPage(
                "Mean field", "Mean-field theory of the point that can be moved", NOTES, shown, HEAD, wide=13
            ).page(),
            self._measured(),
            *expectation_sheets(self.graph, self.theory),
        ]
        return StudyBook(self.study, self.graph, sheets, command, live, tables=self.tables)

    def _overview(self, live: bool) -> Page:
        graph, study, points = self.graph, self.study, self.tables[0]
        told = (
            f"Deep networks of {study.activation} units by the variance of their weights, σ_w²/units, and of their "
            "biases, σ_b². In wide layers the correlation goes to a fixed point c*: to 1 where χ_1 < 1 (ordered,"
            " inputs become alike, gradients vanish), below it where χ_1 > 1 (chaotic: they part, gradients explode).",
            *self._endless(),
            "A network can be trained to about 6 ξ_c layers (Schoenholz et al. 2017), and at the critical line ξ_c is "
            "infinite. Heat map, grid and line are theory, computed when the book was made; networks beside it below.",
        )
        last = self.theory
        slope = last["map_slope"][-1]
        depth = if_error(where(absolute(slope - 1) > EDGE, 1 / absolute(log(slope)), float("nan")), float("nan"))
        moved = [
            Row(f"q after {FURTHER} layers", [last["q_theory"][-1]], hint="towards q*"),
            Row("χ there", [last["chi_theory"][-1]], hint="below 1 ordered, above 1 chaotic"),
            Row(f"c after {FURTHER} layers", [last["c_theory"][-1]], hint="towards c*"),
            Row("Depth scale there", [depth], hint="1/|ln slope| of the map at that c; #N/A at an edge"),
        ]
        cells = [
            Control(
                "σ_w² of a point", graph["weight_scale"], "move the point: its numbers below follow" if live else ""
            ),
            Control("σ_b²", graph["bias_variance"]),
            Control("Correlation of the inputs", graph["c_0"]),
        ]
        rows = []
        for k, (label, verdict) in enumerate(zip(points.labels, self.verdicts, strict=True)):
            styles = ("verdict", *["center"] * len(SHOWN_OF_POINTS))
            rows.append(Row(f"Point {label}", [verdict, *(points[name][k] for _, name in SHOWN_OF_POINTS)], styles))
        measured = (
            f"{counted(study.pairs, 'pair')} of inputs of correlation {study.correlation:g} through "
            f"{counted(study.layers, 'layer')} of {counted(study.units, 'unit')}, with the same draws at every "
            "point: numbers of the last layer beside theory’s."
        )
        sections: list[Section] = [
            lead(told, WIDE, 34),
            controls(cells),
            numbers(moved, hint_column=2),
            Section([Text(0, 0, "Networks at some points", "section"), Text(1, 0, measured)], 2),
            numbers(rows, headed("", ["phase", *(label for label, _ in SHOWN_OF_POINTS)]), gap=0),
            charts([self._plane()], CHART[1]),
            meaning(VERDICTS, WIDE - 1),
        ]
        widths = {0: LABEL_WIDTH, 1: 16} | dict.fromkeys(range(2, WIDE + 1), 11)
        return Overview(study.title, study.TITLE, WIDE + 1, sections, widths, VERDICTS).page()

    def _endless(self) -> tuple[str, ...]:
        """What becomes of c where sizes grow as fast as differences."""
        activation = self.study.activation
        if activation == "identity":
            said = "Of the identity sizes grow as fast as differences: correlations stay as they are "
        elif math.isinf(ACTIVATIONS[activation].most):
            said = "Where sizes grow without end, as with large weights, they grow as fast as differences: c goes to 1 "
        else:
            return ()
        return (said + "although χ_1 > 1, and chaotic is true of gradients alone.",)

    def _plane(self) -> Scatter:
        """The critical line and the points in the plane of the two variances."""
        right, top = self.study.weight_variance[1], self.study.bias_variance[1]
        line, points = self.plane
        traces = [] if line is None else [Trace("critical line, χ_1 = 1", line)]
        traces.append(Trace("networks that were measured", points, style="point"))
        window = Ticks(0, right, right / 5), Ticks(0, top, top / 5)
        return Scatter(0, 0, "Critical line and measured points", tuple(traces), (), window, CHART, ("σ_w²", "σ_b²"))

    @cached_property
    def plane(self) -> tuple[Matrix | None, Matrix]:
        """The critical line, where there is one inside the diagram, and the points: n × 2 each, σ_w² and σ_b²."""
        critical = self.tables[2]["weight_variance"]
        w2 = np.array([cell.source.values[0, 0] for cell in critical])  # type: ignore[union-attr]
        inside = np.isfinite(w2)
        line = np.column_stack([w2, self.study.values("bias_variance")])[inside]
        return _constants(line) if len(line) else None, _constants(np.array(self.study.points))

    def _maps(self) -> Page:
        study, table = self.study, self.tables[1]
        across, down = study.values("weight_variance"), study.values("bias_variance")
        count = len(across)
        told = (
            "Boxed: the cell of each row that is nearest to the critical line; line at: the σ_w² of that. Bold in a "
            "thick box: the cells nearest to the points of Overview.",
            "–: no value, as signals die (q* = 0), explode, or the depth scale is infinite.",
        )
        items: list[Item] = [
            Text(0, 0, "Theory over the variances of weights and biases", "title", WIDE),
            *(Text(k, 0, text, "text") for k, text in enumerate(told, start=1)),
        ]
        marks, row = self._marks(), 4
        for name, heading, steep in MAPS:
            items.append(Text(row, 0, heading, "section"))
            items.append(Text(row + 1, 0, "σ_b² ↓   σ_w² →", "heading-left"))
            items += [Number(row + 1, c, value, "axis") for c, value in enumerate(across, start=1)]
            items.append(Text(row + 1, count + 1, "line at", "heading"))
            values = np.array([cell.source.values[0, 0] for cell in table[name]])  # type: ignore[union-attr]
            # The largest variance on top, as in a diagram.
            for r, place in enumerate(reversed(range(len(down))), start=row + 2):
                items.append(Number(r, 0, down[place], "axis"))
                for c in range(count):
                    k = place * count + c
                    items.append(
                        _map_cell(r, 1 + c, table[name][k], values[k], steep, marks.get((place, c), "exponent"))
                    )
                items.append(Echo(r, count + 1, self.tables[2]["weight_variance"][place], "center"))
            items.append(Colors(((row + 2, 1, len(down), count),)))
            row += len(down) + 4
        widths = {0: 18} | dict.fromkeys(range(1, count + 1), CELL) | {count + 1: 11}
        return Page("Heat maps", tuple(items), widths, {0: 28}, freeze=(0, 1), words="χ_1, c* and ξ_c over the grid")

    def _marks(self) -> dict[tuple[int, int], str]:
        """By row and column of the grid the styles of the cells nearest to the critical line or to a point."""
        across, down = self.study.values("weight_variance"), self.study.values("bias_variance")
        line, points = self.plane
        marks = {}
        for node, style in ((line, "at-line"), (points, "at-point")):
            for w2, b2 in () if node is None else node.source.values:  # type: ignore[union-attr]
                if across[0] <= w2 <= across[-1] and down[0] <= b2 <= down[-1]:
                    marks[int(np.abs(down - b2).argmin()), int(np.abs(across - w2).argmin())] = style
        return marks

    def _measured(self) -> Page:
        """What the table of points and the chart are made of."""
        items: list[Item] = [
            Text(0, 0, "What was measured: σ_w², σ_b², c of the inputs; q, c, χ of the last layer", "section")
        ]
        for k in range(1, len(self.study.points) + 1):
            items += [Block(k, 0, self.graph[f"point_{k}"]), Block(k, 4, self.graph[f"measured_{k}"])]
        line, points = self.plane
        items += [Text(0, 8, "Points and critical line, σ_w² and σ_b²", "section"), Block(1, 8, points)]
        if line is not None:
            items.append(Block(1, 11, line))
        return Page("Measured", tuple(items), dict.fromkeys(range(13), 11), words="what networks gave at the points")


def _constants(values: Array) -> Matrix:
    return Matrix(Data(values), (), values.shape)


def _map_cell(row: int, column: int, cell: Matrix, value: float, steep: bool, style: str) -> Item:
    # A single error value keeps Excel from coloring the whole area.
    if not np.isfinite(value) or (steep and value <= 0):
        return Text(row, column, "–", "muted" if style == "exponent" else style)
    return Block(row, column, log10(cell), style) if steep else Echo(row, column, cell, style)
