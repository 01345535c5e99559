"""How the study of symmetry looks as a workbook: which matrix stands where, and the texts beside it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from sheetsim.model.expr import Matrix
from sheetsim.model.graph import Graph
from sheetsim.studies.about import StudyBook
from sheetsim.studies.pages import AsMade
from sheetsim.studies.sections import (
    Control,
    Overview,
    Row,
    Section,
    charts,
    controls,
    headed,
    lead,
    lines,
    meaning,
    numbers,
    table_page,
)
from sheetsim.studies.symmetry.data_page import data_page
from sheetsim.studies.symmetry.start_page import start_page
from sheetsim.studies.symmetry.starts import VERDICTS, Start
from sheetsim.summary.table import Table
from sheetsim.workbook.layout import Block, Line, Lines, Page, Sheet, Text

if TYPE_CHECKING:
    from sheetsim.studies.symmetry.study import Symmetry

WIDE = 6  # columns of Overview
CHARTS = (505, 550)  # widths of the left and the right one, in pixels
HEIGHT = 290

LEAD = (
    "2 inputs, 2 hidden units, 1 output, gradient descent. Units with equal weights, and equal weights to the "
    "output, have equal outputs and gradients: after the step all are equal again, and by induction forever.",
    "A small random start breaks the symmetry: the difference grows with the weights, and the units can learn "
    "different features. A large one breaks it too, but saturates as a rule: where f′(a) is near 0, little "
    "gradient comes back, and the units stay near what chance made them.",
    "Equal units can still lower the loss, as one unit would: here a straight line parts the classes. From "
    "zeros nothing moves: output weights of 0 let no gradient back, and the two classes, equally many, cancel.",
)

# Of Overview: label, column of the table, style and what is said behind.
ROWS = (
    ("Distinct hidden units at the start", "distinct_start", "count-center", "1: the two are the same"),
    ("Distinct hidden units at the end", "distinct_end", "count-center", "of every step: sheet Steps"),
    ("Distance ‖w_1 − w_2‖ at the start", "distance_start", "center", "exactly 0 for equal units"),
    ("Distance at the end", "distance_end", "center", ""),
    ("Loss at the start", "loss_start", "center", "log 2 = 0.693 where the output is 0"),
    ("Loss at the end", "loss_end", "center", ""),
    ("Gradient’s norm at the start", "gradient_start", "center", "by the hidden units’ weights"),
    ("Gradient’s norm at the end", "gradient_end", "center", ""),
    ("f′(a) at the start", "slope_start", "percent-center", "mean, as a share of the greatest f′"),
    ("f′(a), mean of all steps", "slope_mean", "percent-center", "falls where weights grow, too"),
)


class SymmetryBook(Struct, frozen=True):
    """Everything that the workbook shows; `sheets` lays it out."""

    study: "Symmetry"
    graph: Graph
    starts: Sequence[Start]
    table: Table
    steps: Table
    verdicts: Sequence[Matrix]

    def sheets(self, command: str, live: bool) -> StudyBook:
        """The sheets in their order."""
        widths = {0: 11} | dict.fromkeys(range(1, 25), 18)
        results = [table_page(table, widths) for table in (self.steps, self.table)]
        pages = [
            start_page(self.study, start, verdict, None if k else self.graph["step"])
            for k, (start, verdict) in enumerate(zip(self.starts, self.verdicts, strict=True))
        ]
        sheets: list[Sheet] = [self._overview(live), *pages, *results, data_page(self.graph, live)]
        tables = self.table, self.steps
        return StudyBook(self.study, self.graph, sheets, command, live, tables=tables, verdicts=VERDICTS)

    def _overview(self, live: bool) -> Page:
        graph, names = self.graph, [start.name for start in self.starts]
        # The first sentence holds for any start; the others for the scales that stand in the yellow cells.
        said = [AsMade(0, 0, text, "lead", WIDE, changed=f"As it was made: {text}") for text in LEAD[1:]]
        cells = [
            Control("Activation of the hidden units", graph["activation"], "tanh or sigmoid"),
            Control("Learning rate", graph["rate"], "w ← w − rate · ∂loss/∂w"),
            Control("Constant start", graph["constant"], "what all its weights are"),
            Control("Small random start", graph["small"], f"times the {self.study.law_in_words} draws of sheet Data"),
            Control("Large random start", graph["large"], "times the same draws"),
        ]
        more = {"gain": "Gain of the random starts", "bias_std": "Standard deviation of their biases"}
        cells += [Control(label, graph[name]) for name, label in more.items() if name in graph]
        change = ["Change a yellow cell, and every step, chart and verdict follows."] if live else []
        rows = [Row("Verdict", self.verdicts, "verdict", "see below")]
        rows += [Row(label, self.table[name], style, hint) for label, name, style, hint in ROWS]
        sections: list[Section] = [
            lead([LEAD[0], *said], WIDE, 32),
            lines(change, gap=int(not live)),
            controls(cells, more=[Text(0, 3, "greatest f′", "hint"), Block(0, 4, graph["steepest"], "center")], gap=0),
            numbers(rows, headed("Start", [*names, ""]), WIDE - 1),
            charts([self._chart(0, "distance"), self._chart(3, "loss")], HEIGHT, more=8),
            charts([self._chart(0, "gradient"), self._chart(3, "slope")], HEIGHT, more=8, gap=0),
            meaning(VERDICTS),
        ]
        widths = {0: 34} | dict.fromkeys(range(1, WIDE - 1), 19) | {WIDE - 1: 40}
        return Overview(self.study.title, self.study.TITLE, WIDE, sections, widths, VERDICTS).page()

    def _chart(self, column: int, key: str) -> Lines:
        # Random starts first: a start has one color in all charts, and zeros have no logarithm.
        logarithmic = {"distance": ("small", "large"), "gradient": ("small", "large", "constant")}
        names = logarithmic.get(key, ("small", "large", "constant", "zeros"))
        titles = {
            "distance": "Distance ‖w_1 − w_2‖ of the random starts",
            "loss": "Loss",
            "gradient": "Gradient of the hidden weights (without zeros)",
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
