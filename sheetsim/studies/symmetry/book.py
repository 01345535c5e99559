"""How the study of symmetry looks as a workbook: which matrix stands where, and what is said beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sheetsim.model.expr import Matrix
from sheetsim.model.graph import Graph
from sheetsim.studies.about import with_about
from sheetsim.studies.pages import AsMade
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
    lines,
    meaning,
    numbers,
    table_page,
)
from sheetsim.studies.symmetry.starts import VERDICTS, Start
from sheetsim.summary.table import Table
from sheetsim.workbook.layout import Block, Echo, Item, Line, Lines, Number, Page, Sheet, Text

if TYPE_CHECKING:
    from sheetsim.studies.symmetry.study import Symmetry

HEAD = 8  # rows above a start's first step
WIDE = 6  # columns of Overview
CHARTS = (505, 550)  # widths of the left and the right one, in pixels
HEIGHT = 290

# The groups of a start's page, from left to right, with their series.
GROUPS = {
    "The step": ("distinct", "distance", "loss", "gradient", "slope"),
    "Weights of the hidden units": ("w_1", "w_2"),
    "Weighted sums by sample": ("a_1", "a_2"),
    "Outputs of the hidden units by sample": ("z_1", "z_2"),
    "Weights of the output": ("v_1", "v_2", "b"),
    "Output by sample, and its gradient": ("y", "d_y"),
    "Gradients by output weights": ("d_v_1", "d_v_2", "d_b"),
    "Gradients by the hidden units' outputs": ("d_z_1", "d_z_2"),
    "Gradients by the weighted sums: times f′(a)": ("d_a_1", "d_a_2"),
    "Gradients by the weights": ("d_w_1", "d_w_2"),
}

WHAT = {
    "zeros": "All weights start at 0.",
    "constant": "All weights start at one constant, the cell “constant” of Overview.",
    "small": "All weights start at the cell “small” of Overview times standard normal draws.",
    "large": "All weights start at the cell “large” of Overview times the same draws.",
}


LEAD = (
    "2 inputs, 2 hidden units, 1 output, gradient descent. Units with equal weights, and equal weights to the "
    "output, have equal outputs and gradients: after the step all are equal again, and by induction for ever.",
    "A small random start breaks the symmetry: the difference grows with the weights, and the units can learn "
    "different features. A large one breaks it too, but saturates as a rule: where f′(a) is near 0, little "
    "gradient comes back, and the units stay near what chance made them.",
    "Equal units can still lower the loss, as one unit would: here a straight line parts the classes. From "
    "zeros nothing moves: output weights of 0 let no gradient back, and the two classes, equally many, cancel.",
)

# Of Overview: label, column of the table, style and what is said behind.
ROWS = (
    ("Distinct hidden units at the start", "distinct_start", "count-centre", "1: the two are the same"),
    ("Distinct hidden units at the end", "distinct_end", "count-centre", "of every step: sheet Steps"),
    ("Distance ‖w_1 − w_2‖ at the start", "distance_start", "centre", "exactly 0 for equal units"),
    ("Distance at the end", "distance_end", "centre", ""),
    ("Loss at the start", "loss_start", "centre", "log 2 = 0.693 where the output is 0"),
    ("Loss at the end", "loss_end", "centre", ""),
    ("Gradient’s norm at the start", "gradient_start", "centre", "by the hidden units’ weights"),
    ("Gradient’s norm at the end", "gradient_end", "centre", ""),
    ("f′(a) at the start", "slope_start", "percent-centre", "mean, as a share of the greatest f′"),
    ("f′(a), mean of all steps", "slope_mean", "percent-centre", "falls where weights grow, too"),
)


@dataclass(frozen=True)
class SymmetryBook:
    """Everything that the workbook shows; `sheets` lays it out."""

    study: "Symmetry"
    graph: Graph
    starts: Sequence[Start]
    table: Table
    steps: Table
    verdicts: Sequence[Matrix]

    def sheets(self, command: str, live: bool) -> list[Sheet]:
        """The sheets in their order."""
        told = [step for start in self.starts for key in GROUPS["The step"] for step in start[key]]
        widths = {0: 11} | dict.fromkeys(range(1, 25), 18)
        results = [table_page(table, widths, elsewhere=told) for table in (self.steps, self.table)]
        pages = [self._start(start, verdict) for start, verdict in zip(self.starts, self.verdicts, strict=True)]
        sheets: list[Sheet] = [self._overview(live), *pages, *results, self._data()]
        tables = self.table, self.steps
        return with_about(self.study, sheets, command, live, glossary=GLOSSARY, tables=tables, words=VERDICTS)

    def _overview(self, live: bool) -> Page:
        graph, names = self.graph, [start.name for start in self.starts]
        # The first sentence holds for any start; the others for the scales that stand in the yellow cells.
        said = [AsMade(0, 0, text, "lead", WIDE, f"As it was made: {text}") for text in LEAD[1:]]
        own = [
            Control("Activation of the hidden units", graph["activation"], "tanh or sigmoid"),
            Control("Learning rate", graph["rate"], "w ← w − rate · ∂loss/∂w"),
            Control("Constant start", graph["constant"], "what all its weights are"),
            Control("Small random start", graph["small"], "times the standard normal draws of sheet Data"),
            Control("Large random start", graph["large"], "times the same draws"),
        ]
        change = ["Change a yellow cell, and every step, chart and verdict follows."] if live else []
        rows = [Row("Verdict", self.verdicts, "verdict", "see below")]
        rows += [Row(label, self.table[name], style, hint) for label, name, style, hint in ROWS]
        sections: list[Section] = [
            lead([LEAD[0], *said], WIDE, 32),
            lines(change, gap=int(not live)),
            controls(own, more=[Text(0, 3, "greatest f′", "hint"), Block(0, 4, graph["steepest"], "centre")], gap=0),
            numbers(rows, headed("Start", [*names, ""]), WIDE - 1),
            charts([self._chart(0, "distance"), self._chart(3, "loss")], HEIGHT, more=8),
            charts([self._chart(0, "gradient"), self._chart(3, "slope")], HEIGHT, more=8, gap=0),
            meaning(VERDICTS),
        ]
        widths = {0: 34} | dict.fromkeys(range(1, WIDE - 1), 19) | {WIDE - 1: 40}
        title, elsewhere = self.study.title, self.table.cells()
        return Overview(title, self.study.TITLE, WIDE, sections, widths, VERDICTS, elsewhere).page()

    def _chart(self, column: int, key: str) -> Lines:
        # Random starts first: a start has one colour in all charts, and zeros have no logarithm.
        logarithmic = {"distance": ("small", "large"), "gradient": ("small", "large", "constant")}
        names = logarithmic.get(key, ("small", "large", "constant", "zeros"))
        titles = {
            "distance": "Distance ‖w_1 − w_2‖ of the random starts",
            "loss": "Loss",
            "gradient": "Gradient by the hidden weights (without zeros)",
            "slope": "Mean f′(a), share of its greatest value",
        }
        starts = {start.name: start for start in self.starts}
        lines = tuple(Line(name, (starts[name][key],)) for name in names)
        return Lines(
            0,
            column,
            titles[key],
            lines,
            (CHARTS[column > 0], HEIGHT),
            "step",
            (self.graph["step"],),
            key in logarithmic,
        )

    def _start(self, start: Start, verdict: Matrix) -> Page:
        """A row a step: weights, activations and gradients of the step, from left to right as they are computed."""
        name = start.name
        notes = (
            f"{WHAT[name]} A row is a step: its weights, what they give, and the gradients, by which the next row's "
            "weights differ.",
            f"The series have the start's name too: w_1_{name}, z_1_{name}, d_w_1_{name}. Columns 1, 2, … are samples; "
            "x₁, x₂ and bias are a unit's three weights.",
            "distinct: different hidden units; distance: ‖w_1 − w_2‖; gradient: its norm by the hidden units' weights; "
            "slope: mean f′(a), as a share of the greatest.",
        )
        shown = []
        for group, keys in GROUPS.items():
            for key in keys:
                label, style = key if start[key].shape[1] > 1 else " ", STYLES.get(key, "number")
                shown.append(Steps(start[key], label, style, group if key == keys[0] else "", width=WIDTHS.get(key, 0)))
        return StepPage(
            name.capitalize(),
            f"Start: {name}",
            notes,
            shown,
            HEAD,
            columns=(6, 1),
            steps=self.graph["step"] if start is self.starts[0] else None,
            labelled="heading-left",
            index="index",
            wide=10,
            gap=3,
            words=VERDICTS,
            more=lambda left: [Text(4, 0, "verdict", "label"), Echo(4, 1, verdict, "verdict")],
        ).page()

    def _data(self) -> Page:
        graph = self.graph
        samples = graph["x"].shape[1]
        items: list[Item] = [
            Text(0, 0, "The samples, and the patterns of the starts", "title", 8),
            Text(
                1, 0, "A column is a sample: two inputs, standard normal draws, and a 1 for the bias (keep it).", "text"
            ),
            Text(2, 0, "The second half mirrors the first. A target is 1 where x₁ + x₂ > 0, −1 elsewhere.", "text"),
            Text(4, 0, "sample", "heading-left"),
            *(Number(4, 1 + k, 1 + k, "heading") for k in range(samples)),
            *(Text(5 + k, 0, label, "label") for k, label in enumerate(("x₁", "x₂", "1 (bias)", "target"))),
            Block(5, 1, graph["x"], "number"),
            Block(8, 1, graph["targets"], "whole"),
            Text(10, 0, "A start is its scale times a pattern: draws for small and large, ones for constant.", "text"),
            Text(
                11,
                0,
                "Change one of the ones, and the equal units differ: a control. Of the output's ones (ones_v) that "
                "of a single unit does it too, one step later: equal gradients need equal weights on both sides.",
                "text",
            ),
            Text(13, 0, "pattern", "heading-left"),
            *(Text(13, 1 + k, text, "column") for k, text in enumerate(("x₁", "x₂", "bias"))),
        ]
        of = {"1": "hidden unit 1", "2": "hidden unit 2", "v": "output: from unit 1, unit 2, bias"}
        row = 13
        for kind, style in (("e", "number"), ("ones", "input")):
            for number, what in of.items():
                row += 1
                name = f"{kind}_{number}"
                items += [Text(row, 0, name, "label"), Block(row, 1, graph[name], style), Text(row, 4, what, "hint")]
        return Page("Data", tuple(items), {0: 12} | dict.fromkeys(range(1, samples + 1), 10), {0: 28})


STYLES = {"distinct": "whole", "slope": "percent"}
WIDTHS = {"distinct": 14}

GLOSSARY = {
    "activation": "f of the hidden units; a drop-down",
    "steepest": "the greatest value of f′",
    "rate": "the learning rate: w ← w − rate · d_w",
    "constant, small, large": "the scales of three starts",
    "x": "the inputs, 3 × samples: x₁, x₂ and a row of ones for the bias (constants)",
    "targets": "1 where x₁ + x₂ > 0, −1 elsewhere, 1 × samples",
    "e_1, e_2, e_v": "standard normal draws for the weights of unit 1, unit 2 and the output, 1 × 3 each (constants)",
    "ones_1, ones_2, ones_v": "the pattern of the equal starts, 1 × 3 each (constants)",
    "step": "the number of the step, 0 for the start",
    "w_1_small, …": "each of the following series is there for every start, with its name at the end",
    "w_1, w_2": "weights of a hidden unit, 1 × 3 a step: from x₁, from x₂, and its bias",
    "a_1, a_2": "its weighted sums w_k x, 1 × samples a step",
    "z_1, z_2": "its outputs f(a)",
    "v_1, v_2, b": "weights of the output from each unit, and its bias",
    "y": "the output v_1 z_1 + v_2 z_2 + b, 1 × samples a step; its sign is the class",
    "loss": "mean log(1 + exp(−target · y)), the logistic loss",
    "d_y, d_z_1, d_a_1, d_w_1, …": "the gradient of the loss by y, z_1, a_1, w_1, …",
    "distinct": "the number of distinct hidden units: 2 where a weight or the bias of the two differs. A spreadsheet "
    "compares about 15 digits",
    "distance": "‖w_1 − w_2‖",
    "gradient": "‖(d_w_1, d_w_2)‖",
    "slope": "mean f′(a) over units and samples, as a share of its greatest value",
    "verdict_zeros, …": "the verdict of a start",
}
