"""How the study of optimisers looks as a workbook: which matrix stands where, and what is said beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sheetsim.model.expr import Matrix
from sheetsim.model.graph import Graph
from sheetsim.studies.about import with_about
from sheetsim.studies.optimizers.contours import Contours, Window
from sheetsim.studies.optimizers.minimum import Minimum
from sheetsim.studies.optimizers.paths import PATHS, Path
from sheetsim.studies.optimizers.update_rules import CELLS, RULES
from sheetsim.studies.pages import LABEL_WIDTH, LAYER_WIDTH
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
from sheetsim.summary.table import Table
from sheetsim.workbook.layout import Block, Item, Line, Lines, Number, Page, Scatter, Sheet, Text, Trace

if TYPE_CHECKING:
    from sheetsim.studies.optimizers.study import Optimizers

SMALL_CHART = (215, 240)
OWN_CHART = (560, 420)
# Two beside one another are as wide as the six columns of Overview.
WIDE_CHART = (616, 420)

# Rows above a path's start, and above the contour lines' points.
HEAD = 9
FIRST_POINT = 10

KEPT = {"momentum": "momentum", "rmsprop": "decay", "adam": "beta_1"}
GRADIENT = (
    "g is the gradient of f at p. Squares, roots and quotients go element by element; t counts the steps from 1. The "
    "optimisers' sheets name their sources in full."
)
FIXED_LINES = (
    "Grey lines join points of equal f. They belong to f as this book was made, and follow neither the start nor the "
    "rates; a path that leaves the window is cut off at its frame."
)


# Of Overview: label, column of the table and style.
ROWS = (
    ("x at the end", "x", "centre"),
    ("y at the end", "y", "centre"),
    ("f at the end", "f", "centre"),
    ("f over f at the start", "f_ratio", "centre"),
    ("Steps to 1 % (#N/A: never)", "steps_to_1_percent", "count-centre"),
    ("Length of the path", "path_length", "centre"),
    ("Steps outside of the window", "outside", "count-centre"),
)


@dataclass(frozen=True)
class OptimizersBook:
    """Everything that the workbook shows; `sheets` lays it out.

    found: where f was found least, if anywhere; window: the charts' axes;
    said: f, ∂f/∂x and ∂f/∂y as formulas; logarithmic: whether f by step stands on a scale of powers of ten.
    """

    study: "Optimizers"
    graph: Graph
    paths: Sequence[Path]
    table: Table
    least: Matrix
    found: Minimum | None
    verdicts: Sequence[Matrix]
    window: Window
    lines: Contours
    pieces: Sequence[Matrix]
    said: tuple[str, str, str]
    logarithmic: bool

    def sheets(self, command: str, live: bool) -> list[Sheet]:
        """The sheets in their order."""
        pages = [self._overview(live), self._summary(), *map(self._path, self.paths), self._contours()]
        return with_about(self.study, pages, command, live, glossary=CELLS | GLOSSARY, tables=(self.table,))

    def _chart(self, row: int, column: int, title: str, paths: Sequence[Path], size: tuple[int, int]) -> Scatter:
        names = list(RULES)
        traces = tuple(Trace(RULES[path.name].label, path.p, names.index(path.name)) for path in paths)
        if len(paths) > 1:
            traces += (Trace("start", self.graph["start"], style="point"),)
        return Scatter(row, column, title, traces, tuple(self.pieces), self.window, size)

    def _overview(self, live: bool) -> Page:
        graph, wide = self.graph, len(self.paths) + 1
        told = (
            f"Five optimisers go {len(self.paths[0].p) - 1:,} steps down f(x, y) from one start. A sheet each has "
            "a row a step: position p, f, gradient g, state, and the length of the step"
            + (", each a formula over the row before." if live else "; values without formulas."),
            FIXED_LINES,
        )
        formulas: list[Item] = []
        for row, (label, text) in enumerate(zip(("f(x, y)", "∂f/∂x", "∂f/∂y"), self.said, strict=True)):
            formulas += [Text(row, 0, label, "label"), Text(row, 1, _shortened(text), "code", wide - 1)]
        cells = [Control("Start: x and y", graph["start"]), Control("ε, added to roots", graph["epsilon"])]
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
        paths = [self._chart(0, c, "", [path], SMALL_CHART) for c, path in enumerate(self.paths, start=1)]
        together = self._chart(0, 0, "Five paths over contour lines of f", self.paths, WIDE_CHART), self._losses()
        known, name = (self.least, "least f") if self.found else (graph["best_f"], "best f")
        least = [Text(k, 2, text, "hint", wide - 2) for k, text in enumerate(self._least_said())]
        sections: list[Section] = [
            lead(told, wide),
            Section(formulas, 3),
            controls(cells, more=[change] if live else (), gap=0),
            numbers(rows, headed("Optimiser", labels)),
            charts(paths, SMALL_CHART[1], "Paths over contour lines of f", gap=0),
            charts(together, WIDE_CHART[1], heading=["All together"]),
            lines(["Update rules"], "section"),
            lines([GRADIENT], gap=0),
            *(_rule(name, wide) for name in RULES),
            meaning(PATHS, wide - 1),
            Section([*Row(name, [known]).items(0), *least], 2, gap=0),
        ]
        widths = {0: LABEL_WIDTH} | dict.fromkeys(range(1, wide), LAYER_WIDTH)
        title, elsewhere = self.study.title, [*self.table.cells(), self.least]
        return Overview(title, self.study.TITLE, wide, sections, widths, PATHS, elsewhere).page()

    def _losses(self) -> Lines:
        own = tuple(Line(RULES[path.name].label, (path.f,)) for path in self.paths)
        return Lines(0, 3, "f by step", own, WIDE_CHART, "step", (self.graph["step"],), self.logarithmic)

    def _least_said(self) -> tuple[str, ...]:
        """What least f is, in two sentences."""
        if self.found is None:
            return (
                "the least f at the end of a path that does not diverge",
                "scipy.optimize.minimize found no least f when this book was made: f falls without end, or is least at "
                "the edge of where it is a number",
            )
        x, y = self.found.point
        return (
            "f where it was found least, or less where a path goes lower",
            f"found by scipy.optimize.minimize from {self.found.tries} points when the book was made, at x = {x:g}, "
            f"y = {y:g}: constants, whatever the rates and the start",
        )

    def _summary(self) -> Page:
        row = len(self.paths) + 2
        items: list[Item] = [Text(row, 0, "least_f", "label"), Block(row, 1, self.least, "number")]
        first, second = self._least_said()
        if self.found:
            items += [
                Text(row, 2, "minimum: x, y", "label"),
                Block(row, 3, self.graph["minimum"], "number"),
                Text(row, 5, "minimum_f", "label"),
                Block(row, 6, self.graph["minimum_f"], "number"),
            ]
        notes = (
            f"{'least_f' if self.found else 'best_f'}: {first}.",
            f"{second[0].upper()}{second[1:]}.",
            "1 % is of the way from f at the start to least_f. #N/A: not within these steps, or no least f is known. "
            "outside: steps that lie outside of the charts' window.",
        )
        items += [Text(row + 1 + k, 0, note, "text") for k, note in enumerate(notes)]
        return table_page(self.table, {0: 12} | dict.fromkeys(range(1, 9), 18), elsewhere=self.verdicts, more=items)

    def _path(self, path: Path) -> Page:
        """Position, f, gradient, state and length side by side, a row a step."""
        rule = RULES[path.name]
        notes = [*rule.lines, rule.note, f"Source: {rule.source}."]
        title = f"{rule.label}: p over contour lines of f"
        told = Text(
            6, 0, "Row t has the gradient at row t − 1, by which step t goes; the chart is to the right.", "text"
        )
        shown = [Steps(series, str(series.name)) for series in (path.p, path.f, *path.others, path.moved)]
        return StepPage(
            rule.label,
            rule.label,
            notes,
            shown,
            HEAD,
            columns=(8, 1),
            steps=self.graph["step"] if path is self.paths[0] else None,
            labelled="heading-left",
            index="index",
            wide=12,
            more=lambda left: [told, self._chart(HEAD, left + 1, title, [path], OWN_CHART)],
        ).page()

    def _contours(self) -> Page:
        items: list[Item] = [
            Text(0, 0, "Contour lines of f", "title", 8),
            Text(1, 0, FIXED_LINES, "text"),
            Text(3, 0, "window", "heading"),
            *(Text(3, c, heading, "column") for c, heading in enumerate(("from", "to"), start=1)),
            Text(4, 0, "x", "index"),
            Text(5, 0, "y", "index"),
            Block(4, 1, self.graph["window"]),
            Text(3, 4, "direction", "heading"),
            *(Text(3, c, heading, "column") for c, heading in enumerate("xy", start=5)),
        ]
        for row, label in enumerate(("unit_x", "unit_y"), start=4):
            items += [Text(row, 4, label, "index"), Block(row, 5, self.graph[label], "whole")]
        for k, (level, piece) in enumerate(zip(self.lines.levels, self.pieces, strict=True)):
            left = 2 * k
            items += [
                Text(FIRST_POINT - 3, left, f"line {k + 1}: f =", "heading-left"),
                Number(FIRST_POINT - 3, left + 1, level, "index"),
                Text(FIRST_POINT - 1, left, "x", "column"),
                Text(FIRST_POINT - 1, left + 1, "y", "column"),
                Block(FIRST_POINT, left, piece),
            ]
        widths = dict.fromkeys(range(max(8, 2 * len(self.pieces))), 12)
        return Page("Contours", tuple(items), widths, {0: 28}, freeze=(FIRST_POINT, 0), heads=3)


def _rule(name: str, wide: int) -> Section:
    rule = RULES[name]
    items = [
        Text(0, 0, rule.label, "label"),
        Text(0, 1, ";  ".join(rule.lines), "hint", 3),
        Text(0, 4, rule.source.partition(":")[0], "hint", wide - 4),
        Text(1, 1, rule.note, "muted-left", wide - 1),
    ]
    return Section(items, 2, gap=0)


def _shortened(text: str) -> str:
    return text if len(text) <= 160 else f"{text[:150]} …"


GLOSSARY = {
    "start": "x and y at step 0, of every path",
    "step": "the numbers of the steps",
    "p_sgd": "p_sgd, p_momentum, p_adagrad, p_rmsprop, p_adam: positions, columns x and y, row 0 the start",
    "f_sgd": "f_sgd, …: f at the positions",
    "g_sgd": "g_sgd, …: gradients of f, from step 1: the one by which the step goes",
    "v_momentum": "v_momentum, h_adagrad, h_rmsprop, m_adam, v_adam: the states, row 0 zeros",
    "moved_sgd": "moved_sgd, …: the length of each step",
    "verdict_sgd": "verdict_sgd, …: the paths' verdicts",
    "minimum": "x and y where scipy.optimize.minimize found f least when the book was made (constants); none where it "
    "found no minimum",
    "minimum_f": "f there",
    "least_f": "minimum_f, or less where a path goes lower; #N/A without a minimum",
    "best_f": "only without a minimum: the least f at the end of a path that does not diverge",
    "window": "the charts' axes: x and y, from and to (constants)",
    "unit_x": "(1, 0): a derivative by x times this is the gradient's first part",
    "unit_y": "(0, 1), for y",
    "contour_1": "contour_1, …: points of the lines of equal f, x and y (constants)",
}
