"""How the study of a training in cells looks as a workbook: which matrix stands where, and the texts beside it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from sheetsim.model.expr import Matrix
from sheetsim.model.graph import Graph
from sheetsim.studies.about import StudyBook
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
from sheetsim.studies.training_in_cells.classify import Classified
from sheetsim.studies.training_in_cells.descent import Descent
from sheetsim.studies.training_in_cells.picture_pages import classify_page, pictures_page, samples_page, starts_page
from sheetsim.studies.training_in_cells.step_pages import start_pages
from sheetsim.studies.training_in_cells.tables import VERDICTS
from sheetsim.summary.table import Table
from sheetsim.workbook.layout import Line, Lines, Page, Sheet

if TYPE_CHECKING:
    from sheetsim.studies.training_in_cells.study import TrainingInCells

WIDE = 5  # columns of Overview
CHARTS = (428, 580)  # widths of the left and the right one, in pixels
HEIGHT = 290

LEAD = (
    "A network of 9 inputs, 3 hidden units and 2 outputs learns 3×3 pictures of circles and crosses by gradient "
    "descent with momentum on all pictures at once; loss: the cross-entropy of the softmax. Every step is in cells.",
    "Equal weights have equal gradients: three units stay one. The smaller random weights are, the less gradient comes "
    "through them, and the later the loss falls; Xavier’s are 1/√inputs times the same draws.",
)
OF_NEGATIVES = (
    "Half of the pictures are negatives, dark on light. Without noise no single unit separates the classes: the mean "
    "of a shape and its negative is the same gray for circle and cross."
)

# Of Overview: label, column of the table, style and what is said behind.
ROWS = (
    ("Loss at the start", "loss_start", "center", "log 2 = 0.693 where outputs do not look at the picture"),
    ("Loss at the end", "loss", "center", "cross-entropy, mean over the pictures"),
    ("Pictures that are right at the end", "accuracy", "percent-center", "of all that it learns from"),
    ("First step with 95 % right", "steps_to_95_percent", "count-center", "#N/A: none"),
    ("Distinct hidden units, most of all steps", "units_most", "count-center", "1: the three are the same"),
    ("Gradient’s norm at the start", "gradient_start", "center", "by all weights and biases"),
)


class InCellsBook(Struct, frozen=True):
    """Everything that the workbook shows; `sheets` lays it out."""

    study: "TrainingInCells"
    graph: Graph
    descents: Sequence[Descent]
    final: Table
    curves: Table
    verdicts: Sequence[Matrix]
    shown: Classified

    def sheets(self, command: str, live: bool) -> StudyBook:
        """The sheets in their order."""
        graph, widths = self.graph, {0: 12} | dict.fromkeys(range(1, 8), 19)
        sheets: list[Sheet] = [
            self._overview(live),
            classify_page(graph, self.descents, self.shown, self.study.steps, live),
            pictures_page(graph, self.descents[-1], self.study, live),
        ]
        for k, (one, verdict) in enumerate(zip(self.descents, self.verdicts, strict=True)):
            sheets += start_pages(self.study, one, verdict, None if k else graph["step"])
        sheets += [table_page(table, widths) for table in (self.final, self.curves)]
        sheets += [samples_page(graph), starts_page(graph, live)]
        tables = self.final, self.curves
        return StudyBook(self.study, graph, sheets, command, live, tables=tables, verdicts=VERDICTS)

    def _overview(self, live: bool) -> Page:
        graph, names = self.graph, [one.name for one in self.descents]
        told = [*LEAD, *([OF_NEGATIVES] if self.study.negatives else [])]
        cells = [
            Control("Activation of the hidden units", graph["activation"], "tanh, sigmoid or relu"),
            Control("Learning rate", graph["rate"], "v ← momentum · v − rate · gradient, W ← W + v"),
            Control("Momentum", graph["momentum"], "the share of the velocity that stays; 0: plain gradient descent"),
            Control("Constant start", graph["constant"], "what all its weights are; 0: zeros"),
            Control("Small random start", graph["small"], f"times the {self.study.law_in_words} draws of sheet Starts"),
        ]
        more = {"gain": "Gain of the random starts", "bias_std": "Standard deviation of their biases"}
        cells += [Control(label, graph[name]) for name, label in more.items() if name in graph]
        change = ["Change a yellow cell or a pixel (sheet Pictures), and every step, chart and verdict follows."]
        rows = [Row("Verdict", self.verdicts, "verdict", "see below")]
        rows += [Row(label, self.final[name], style, hint) for label, name, style, hint in ROWS]
        sections: list[Section] = [
            lead(told, WIDE, 32),
            lines(change if live else [], gap=int(not live)),
            controls(cells, gap=0),
            numbers(rows, headed("Start", [*names, ""]), WIDE - 1),
            charts([self._chart(0, "loss"), self._chart(2, "accuracy")], HEIGHT, more=8),
            charts([self._chart(0, "units"), self._chart(2, "gradient")], HEIGHT, more=8, gap=0),
            meaning(VERDICTS),
        ]
        widths = {0: 38} | dict.fromkeys(range(1, WIDE - 1), 22) | {WIDE - 1: 46}
        return Overview(self.study.title, self.study.TITLE, WIDE, sections, widths, VERDICTS).page()

    def _chart(self, column: int, key: str) -> Lines:
        titles = {
            "loss": "Loss by step",
            "accuracy": "Share of the pictures that is right, by step",
            "units": "Distinct hidden units by step",
            "gradient": "Gradient’s norm by step",
        }
        drawn = tuple(Line(one.name, (one[key],)) for one in self.descents)
        size = (CHARTS[column > 0], HEIGHT)
        steps = (self.graph["step"],)
        return Lines(0, column, titles[key], drawn, size, "step", steps, key == "gradient", key == "accuracy")
