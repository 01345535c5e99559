"""How paths over contour lines look: charts, the sheet of a path with a row per step, and the sheet of the lines."""

from collections.abc import Sequence

from msgspec import Struct

from sheetsim.model.expr import Matrix
from sheetsim.model.graph import Graph
from sheetsim.model.update_rules import RULES
from sheetsim.studies.optimizers.contours import Contours, Window
from sheetsim.studies.optimizers.paths import Path
from sheetsim.studies.sections import Section, StepPage, Steps, lines
from sheetsim.workbook.layout import Block, Item, Number, Page, Scatter, Text, Trace

CHART = (560, 420)

# Rows above a path's start, and above the contour lines' points.
HEAD = 9
FIRST_POINT = 10

# The path on whose sheet the numbers of the steps have their cells.
FIRST = next(iter(RULES))

# What the sheet Contours holds.
LINES = "points of equal f: the gray lines of the charts"

FIXED_LINES = (
    "Gray lines join points of equal f. They belong to f as this book was made, and follow neither the start nor the "
    "rates; a path that leaves the window is cut off at its frame."
)

GRADIENT = (
    "g is the gradient of f at p. Squares, roots and quotients go element by element; t counts the steps from 1. The "
    "optimizers' sheets name their sources in full."
)


class PathPages(Struct, frozen=True):
    """window: the charts' axes; lines: of equal f; pieces: their points, a matrix each."""

    graph: Graph
    window: Window
    lines: Contours
    pieces: Sequence[Matrix]

    def chart(self, row: int, column: int, title: str, paths: Sequence[Path], size: tuple[int, int]) -> Scatter:
        """Paths over the contour lines; of several also their start."""
        names = list(RULES)
        traces = tuple(Trace(RULES[path.name].label, path.p, names.index(path.name)) for path in paths)
        if len(paths) > 1:
            traces += (Trace("start", self.graph["start"], style="point"),)
        return Scatter(row, column, title, traces, tuple(self.pieces), self.window, size)

    def page(self, path: Path) -> Page:
        """Position, f, gradient, state and length side by side, a row per step."""
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
            steps=self.graph["step"] if path.name == FIRST else None,
            labeled="heading-left",
            index="index",
            wide=12,
            more=lambda left: [told, self.chart(HEAD, left + 1, title, [path], CHART)],
        ).page()

    def contours_page(self) -> Page:
        """The sheet Contours: the charts' window, and the points of the lines."""
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
        return Page("Contours", tuple(items), widths, {0: 28}, freeze=(FIRST_POINT, 0), heads=3, words=LINES)


def rule_sections(wide: int) -> list[Section]:
    """The update rules, over so many columns."""
    return [lines(["Update rules"], "section"), lines([GRADIENT], gap=0), *(_rule(name, wide) for name in RULES)]


def _rule(name: str, wide: int) -> Section:
    rule = RULES[name]
    items = [
        Text(0, 0, rule.label, "label"),
        Text(0, 1, ";  ".join(rule.lines), "hint", 3),
        Text(0, 4, rule.source.partition(":")[0], "hint", wide - 4),
        Text(1, 1, rule.note, "muted-left", wide - 1),
    ]
    return Section(items, 2, gap=0)
