"""How the study of optimisers looks as a workbook: which matrix stands where, and what is said beside it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sheetsim.model.expr import Matrix
from sheetsim.model.graph import Graph
from sheetsim.studies.about import about_page
from sheetsim.studies.optimizers.contours import Contours
from sheetsim.studies.optimizers.minimum import Minimum
from sheetsim.studies.optimizers.paths import PATHS, Path
from sheetsim.studies.optimizers.update_rules import CELLS, RULES
from sheetsim.studies.pages import LABEL_WIDTH, LAYER_WIDTH, Homes, follow, page_title, table_items, title_height
from sheetsim.summary.table import Table
from sheetsim.summary.verdict import meanings, tones
from sheetsim.workbook.layout import (
    Block,
    Item,
    Line,
    Lines,
    Number,
    Page,
    Scatter,
    Sheet,
    Text,
    Trace,
    step_blocks,
)

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


@dataclass(frozen=True)
class OptimizersBook:
    """Everything that the workbook shows; `sheets` lays it out.

    found: where f was found least, if anywhere.
    said: f, ∂f/∂x and ∂f/∂y as formulas; logarithmic: whether f by step stands on a scale of powers of ten.
    """

    graph: Graph
    cells: Mapping[str, Matrix]
    start: Matrix
    units: tuple[Matrix, Matrix]
    paths: Sequence[Path]
    table: Table
    least: Matrix
    found: Minimum | None
    verdicts: Sequence[Matrix]
    window: Matrix
    lines: Contours
    pieces: Sequence[Matrix]
    said: tuple[str, str, str]
    logarithmic: bool
    title: str
    description: str

    def sheets(self, command: str, parameters: Mapping[str, Any], *, live: bool) -> list[Sheet]:
        """The sheets in their order."""
        pages = [self._overview(live), self._summary(), *map(self._path, self.paths), self._contours()]
        return follow([*pages, self._about(command, parameters)], live)

    def _chart(self, row: int, column: int, title: str, paths: Sequence[Path], size: tuple[int, int]) -> Scatter:
        names = list(RULES)
        traces = tuple(Trace(RULES[path.name].label, path.p, names.index(path.name)) for path in paths)
        if len(paths) > 1:
            traces += (Trace("start", self.start, style="point"),)
        return Scatter(row, column, title, traces, tuple(self.pieces), self.lines.window, size)

    def _overview(self, live: bool) -> Page:
        homes = Homes([*self.table.cells(), self.least])
        wide = len(self.paths) + 1
        lead = (
            f"Five optimisers go {len(self.paths[0].p) - 1:,} steps down f(x, y) from one start. A sheet each has "
            "a row a step: position p, f, gradient g, state, and the length of the step"
            + (", each a formula over the row before." if live else "; values without formulas."),
            FIXED_LINES,
        )
        items: list[Item] = [page_title(self.title, "Optimisers", wide)]
        items += [Text(1 + k, 0, sentence, "lead", wide) for k, sentence in enumerate(lead)]
        for row, (label, text) in enumerate(zip(("f(x, y)", "∂f/∂x", "∂f/∂y"), self.said, strict=True), start=4):
            items += [Text(row, 0, label, "label"), Text(row, 1, _shortened(text), "code", wide - 1)]
        items += [
            Text(7, 0, "Start: x and y", "label"),
            Block(7, 1, self.start, "input"),
            Text(8, 0, "ε, added to roots", "label"),
            Block(8, 1, self.cells["epsilon"], "input"),
        ]
        if live:
            items.append(Text(7, 3, "Change a yellow cell: paths, charts, tables and verdicts follow.", "hint", 3))
        items += self._columns(homes)
        row = 24
        items.append(Text(row, 0, "All together", "section"))
        row += 1
        items += [self._chart(row, 0, "Five paths over contour lines of f", self.paths, WIDE_CHART), self._losses(row)]
        heights: dict[int, float] = {0: title_height(self.title), 1: 17, 2: 17, 22: SMALL_CHART[1] * 0.75 + 4}
        heights[row] = WIDE_CHART[1] * 0.75 + 4
        row += 2
        items.append(Text(row, 0, "Update rules", "section"))
        row += 1
        items.append(Text(row, 0, GRADIENT, "text"))
        for rule in RULES.values():
            row += 1
            items += [Text(row, 0, rule.label, "label"), Text(row, 1, ";  ".join(rule.lines), "hint", 3)]
            items.append(Text(row, 4, rule.source.partition(":")[0], "hint", wide - 4))
            row += 1
            items.append(Text(row, 1, rule.note, "muted-left", wide - 1))
        row += 2
        items.append(Text(row, 0, "What the verdicts mean", "section"))
        for word, meaning in meanings(PATHS).items():
            row += 1
            items += [Text(row, 0, word, "label"), Text(row, 1, meaning, "hint", wide - 1)]
        row += 1
        known = self.least if self.found else self.graph["best_f"]
        items += [Text(row, 0, "least f" if self.found else "best f", "label"), homes.show(row, 1, known, "centre")]
        items += [Text(row + k, 2, text, "hint", wide - 2) for k, text in enumerate(self._least_said())]
        widths = {0: LABEL_WIDTH} | dict.fromkeys(range(1, wide), LAYER_WIDTH)
        return Page("Overview", tuple(items), widths, heights, tones=tones(PATHS))

    def _columns(self, homes: Homes) -> Iterator[Item]:
        """A column an optimiser: its verdict, its cells, its numbers, its chart."""
        row = 10
        yield Text(row, 0, "Optimiser", "heading-left")
        for c, path in enumerate(self.paths, start=1):
            yield Text(row, c, RULES[path.name].label, "heading")
        row += 1
        yield Text(row, 0, "Verdict", "label")
        for c, word in enumerate(self.verdicts, start=1):
            yield homes.show(row, c, word, "verdict")
        shared = ("Learning rate η", "Share kept: α, ρ, β₁", "Share of squares kept: β₂")
        for r, label in enumerate(shared, start=row + 1):
            yield Text(r, 0, label, "label")
        for c, path in enumerate(self.paths, start=1):
            yield homes.show(row + 1, c, self.cells[RULES[path.name].rate], "input")
            if path.name in KEPT:
                yield homes.show(row + 2, c, self.cells[KEPT[path.name]], "input")
            if path.name == "adam":
                yield homes.show(row + 3, c, self.cells["beta_2"], "input")
        row += 4
        for label, name, style in (
            ("x at the end", "x", "centre"),
            ("y at the end", "y", "centre"),
            ("f at the end", "f", "centre"),
            ("f over f at the start", "f_ratio", "centre"),
            ("Steps to 1 % (#N/A: never)", "steps_to_1_percent", "count-centre"),
            ("Length of the path", "path_length", "centre"),
            ("Steps outside of the window", "outside", "count-centre"),
        ):
            yield Text(row, 0, label, "label")
            for c, cell in enumerate(self.table[name], start=1):
                yield homes.show(row, c, cell, style)
            row += 1
        yield Text(row, 0, "Paths over contour lines of f", "note")
        for c, path in enumerate(self.paths, start=1):
            yield self._chart(row, c, "", [path], SMALL_CHART)

    def _losses(self, row: int) -> Lines:
        lines = tuple(Line(RULES[path.name].label, (path.f,)) for path in self.paths)
        return Lines(row, 3, "f by step", lines, WIDE_CHART, "step", (self.graph["step"],), self.logarithmic)

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
        homes = Homes(self.verdicts)
        items = table_items(self.table, homes)
        row = len(self.paths) + 2
        items += [Text(row, 0, "least_f", "label"), homes.show(row, 1, self.least, "number")]
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
        return Page("Paths", tuple(items), {0: 12} | dict.fromkeys(range(1, 9), 18), freeze=(1, 1))

    def _path(self, path: Path) -> Page:
        """Position, f, gradient, state and length side by side, a row a step."""
        rule = RULES[path.name]
        texts = [*rule.lines, rule.note, f"Source: {rule.source}."]
        items: list[Item] = [Text(0, 0, rule.label, "title", 8)]
        items += [Text(1 + k, 0, text, "text") for k, text in enumerate(texts)]
        items.append(
            Text(6, 0, "Row t has the gradient at row t − 1, by which step t goes; the chart is to the right.", "text")
        )
        items.append(Text(HEAD - 1, 0, "step", "heading"))
        if path is self.paths[0]:
            items.append(Block(HEAD, 0, self.graph["step"], "index"))
        else:
            items += [Number(HEAD + t, 0, t, "index") for t in range(len(path.p))]
        left = 1
        for series in (path.p, path.f, *path.others, path.moved):
            items.append(Text(HEAD - 2, left, str(series.name), "heading-left", series.shape[1]))
            items += [Text(HEAD - 1, left + k, heading, "column") for k, heading in enumerate(series.columns)]
            items += step_blocks(HEAD + series.first, left, series)
            left += series.shape[1]
        items.append(self._chart(HEAD, left + 1, f"{rule.label}: p over contour lines of f", [path], OWN_CHART))
        return Page(
            rule.label, tuple(items), {0: 8} | dict.fromkeys(range(1, left), 12), {0: 28}, freeze=(HEAD, 1), heads=2
        )

    def _contours(self) -> Page:
        items: list[Item] = [
            Text(0, 0, "Contour lines of f", "title", 8),
            Text(1, 0, FIXED_LINES, "text"),
            Text(3, 0, "window", "heading"),
            *(Text(3, c, heading, "column") for c, heading in enumerate(("from", "to"), start=1)),
            Text(4, 0, "x", "index"),
            Text(5, 0, "y", "index"),
            Block(4, 1, self.window),
            Text(3, 4, "direction", "heading"),
            *(Text(3, c, heading, "column") for c, heading in enumerate("xy", start=5)),
        ]
        for row, (unit, label) in enumerate(zip(self.units, ("unit_x", "unit_y"), strict=True), start=4):
            items += [Text(row, 4, label, "index"), Block(row, 5, unit, "whole")]
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

    def _about(self, command: str, parameters: Mapping[str, Any]) -> Page:
        sections = {
            "Defined names": CELLS | GLOSSARY,
            "Columns of Paths": {column.name: column.what for column in self.table.columns},
        }
        return about_page(self.title or "Optimisers", self.description, command, parameters, sections, scipy=False)


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
