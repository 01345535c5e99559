"""How the study of optimizers looks as a workbook: which matrix stands where, and the texts beside it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from sheetsim.model.expr import Matrix
from sheetsim.model.graph import Graph
from sheetsim.model.update_rules import RULES
from sheetsim.studies.about import StudyBook
from sheetsim.studies.optimizers.minimum import Minimum
from sheetsim.studies.optimizers.path_pages import FIXED_LINES, PathPages, rule_sections
from sheetsim.studies.optimizers.paths import PATHS, Path
from sheetsim.studies.optimizers.summary_page import least_said, summary_page
from sheetsim.studies.pages import LABEL_WIDTH, LAYER_WIDTH
from sheetsim.studies.sections import (
    Control,
    Overview,
    Row,
    Section,
    charts,
    controls,
    headed,
    lead,
    meaning,
    numbers,
)
from sheetsim.summary.table import Table
from sheetsim.workbook.layout import Block, Echo, Item, Line, Lines, Page, Text

if TYPE_CHECKING:
    from sheetsim.studies.optimizers.study import Optimizers

SMALL_CHART = (215, 240)
# Two beside one another are as wide as the six columns of Overview.
WIDE_CHART = (616, 420)

KEPT = {"momentum": "momentum", "rmsprop": "decay", "adam": "beta_1"}

# Of Overview: label, column of the table and style.
ROWS = (
    ("x at the end", "x", "center"),
    ("y at the end", "y", "center"),
    ("f at the end", "f", "center"),
    ("f over f at the start", "f_ratio", "center"),
    ("Steps to 1 % (#N/A: never)", "steps_to_1_percent", "count-center"),
    ("Length of the path", "path_length", "center"),
    ("Steps outside of the window", "outside", "count-center"),
)


class OptimizersBook(Struct, frozen=True):
    """Everything that the workbook shows; `sheets` lays it out.

    minimum: where f was found least, if anywhere; shown: how paths look on charts and pages; said: f, ∂f/∂x and ∂f/∂y
    as formulas; logarithmic: whether f by step stands on a scale of powers of ten.
    """

    study: "Optimizers"
    graph: Graph
    paths: Sequence[Path]
    table: Table
    least: Matrix
    minimum: Minimum | None
    verdicts: Sequence[Matrix]
    shown: PathPages
    said: tuple[str, str, str]
    logarithmic: bool

    def sheets(self, command: str, live: bool) -> StudyBook:
        """The sheets in their order."""
        shown = self.shown
        summary = summary_page(self.graph, self.table, self.paths, self.least, self.minimum)
        pages = [self._overview(live), summary, *map(shown.page, self.paths), shown.contours_page()]
        return StudyBook(self.study, self.graph, pages, command, live, tables=(self.table,))

    def _overview(self, live: bool) -> Page:
        graph, wide = self.graph, len(self.paths) + 1
        told = (
            f"Five optimizers go {len(self.paths[0].p) - 1:,} steps down f(x, y) from one start. A sheet each has "
            "a row a step: position p, f, gradient g, state, and the length of the step"
            + (", each a formula over the row before." if live else "; values without formulas."),
            FIXED_LINES,
        )
        formulas: list[Item] = []
        for row, (label, text) in enumerate(zip(("f(x, y)", "∂f/∂x", "∂f/∂y"), self.said, strict=True)):
            formulas += [Text(row, 0, label, "label"), Text(row, 1, _shortened(text), "code", wide - 1, is_name=True)]
        drawn = "e_start" in graph
        cells = [Control("ε, added to roots", graph["epsilon"])]
        if drawn:
            cells.insert(0, Control("Start: mean of x and y", graph["start_mean"]))
            cells.insert(1, Control("Start: standard deviation", graph["start_std"]))
        else:
            cells.insert(0, Control("Start: x and y", graph["start"]))
        start: list[Item] = []
        for row, name in enumerate(("e_start", "start") if drawn else ()):
            label = "Start: x and y" if row else "Start: standard normal draws"
            start += [Text(row, 0, label, "label"), Block(row, 1, graph[name], "center")]
        change = Text(0, 3, "Change a yellow cell: paths, charts, tables and verdicts follow.", "hint", 3)
        labels = [RULES[path.name].label for path in self.paths]
        rows = [
            Row("Verdict", self.verdicts, "verdict"),
            Row("Learning rate η", [graph[RULES[path.name].rate] for path in self.paths], "input"),
            Row("Share kept: α, ρ, β₁", [graph[KEPT[p.name]] if p.name in KEPT else None for p in self.paths], "input"),
            Row(
                "Share of squares kept: β₂",
                [graph["beta_2"] if p.name == "adam" else None for p in self.paths],
                "input",
            ),
            *(Row(label, self.table[name], style) for label, name, style in ROWS),
        ]
        paths = [
            replace(self.shown.chart(0, c, "", [path], SMALL_CHART), label=f"Paths: {label}")
            for c, (path, label) in enumerate(zip(self.paths, labels, strict=True), start=1)
        ]
        together = self.shown.chart(0, 0, "Five paths over contour lines of f", self.paths, WIDE_CHART), self._losses()
        # least_f has its cell on the sheet Paths.
        least_f: Item = Echo(0, 1, self.least, "center") if self.minimum else Block(0, 1, graph["best_f"], "center")
        called = Text(0, 0, "least f" if self.minimum else "best f", "label")
        least = [Text(k, 2, text, "hint", wide - 2) for k, text in enumerate(least_said(self.minimum))]
        sections: list[Section] = [
            lead(told, wide),
            Section(formulas, 3),
            controls(cells, more=[change] if live else (), gap=0),
            *([Section(start, 2, gap=0)] if drawn else []),
            numbers(rows, headed("Optimizer", labels)),
            charts(paths, SMALL_CHART[1], "Paths over contour lines of f", gap=0),
            charts(together, WIDE_CHART[1], heading=["All together"]),
            *rule_sections(wide),
            meaning(PATHS, wide - 1),
            Section([called, least_f, *least], 2, gap=0),
        ]
        widths = {0: LABEL_WIDTH} | dict.fromkeys(range(1, wide), LAYER_WIDTH)
        return Overview(self.study.title, self.study.TITLE, wide, sections, widths, PATHS).page()

    def _losses(self) -> Lines:
        lines = tuple(Line(RULES[path.name].label, (path.f,)) for path in self.paths)
        return Lines(0, 3, "f by step", lines, WIDE_CHART, "step", (self.graph["step"],), self.logarithmic)


def _shortened(text: str) -> str:
    return text if len(text) <= 160 else f"{text[:150]} …"
