"""How the study of a Bayesian search looks as a workbook: a page per step, with everything that it computes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from sheetsim.model.expr import Matrix, where
from sheetsim.model.graph import Graph
from sheetsim.studies.about import StudyBook
from sheetsim.studies.bayesian_search.process import SearchStep
from sheetsim.studies.bayesian_search.study import CELLS, WORDS
from sheetsim.studies.sections import (
    Control,
    Overview,
    Section,
    charts,
    controls,
    lead,
    meaning,
    table_page,
)
from sheetsim.summary.table import Table
from sheetsim.workbook.layout import Block, Echo, Item, Line, Lines, Page, Scatter, Sheet, Text, Ticks, Trace

if TYPE_CHECKING:
    from sheetsim.studies.bayesian_search.study import BayesianSearch

WIDE = 7
CHART, SMALL = (640, 330), (420, 300)
CHART_ROWS = 18

# Columns of the grid's table on a page, each with its heading and style.
OVER_GRID = {
    "mean": "mean",
    "deviation": "deviation",
    "low": "low",
    "high": "high",
    "ucb": "ucb",
    "z": "z",
    "phi": "Φ(z)",
    "ei": "ei",
    "acquisition": "acquisition",
}

LEAD = (
    "A Gaussian process says of each place what value to expect there (mean) and how little is known (deviation). The "
    "next point is where the acquisition is greatest: mean + κ · deviation, or expected improvement.",
    "A page a step: points, their covariances K and the inverse, mean and deviation over the grid, acquisition, and "
    "the next point{formulas}; the next page has one point more.",
    "Exploration against exploitation: with a large κ the next point lies where little is known, with κ = 0 where the "
    "mean is highest; a short length scale makes everything away from the points unknown.",
)

TYPED = (
    "Points that were measured stand on the sheet Step 1 in yellow cells. Try the next point that it gives, type where "
    "it was and its value into the next row, and raise the number of points by 1: all else follows."
)


class BayesianSearchBook(Struct, frozen=True):
    """Everything that the workbook shows; `sheets` lays it out."""

    study: "BayesianSearch"
    graph: Graph
    steps: Sequence[SearchStep]
    table: Table
    words: Sequence[Matrix]

    def sheets(self, command: str, live: bool) -> StudyBook:
        """The sheets in their order."""
        pages: list[Sheet] = [self._page(number, step) for number, step in enumerate(self.steps, start=1)]
        results = table_page(self.table, {0: 9} | dict.fromkeys(range(1, 8), 14))
        given = [] if self.study.points else [self._first_points()]
        sheets: list[Sheet] = [self._overview(live), *pages, results, *given]
        return StudyBook(self.study, self.graph, sheets, command, live, tables=(self.table,), verdicts=WORDS)

    def _overview(self, live: bool) -> Page:
        graph, study = self.graph, self.study
        steps = LEAD[1].format(formulas=", each a formula over the ones before" if live else "")
        told = [LEAD[0], steps, LEAD[2]]
        if study.points:
            told[1:2] = [TYPED] if live else []
        cells = [
            Control("Acquisition", graph["chosen"], "ucb: upper confidence bound; ei: expected improvement"),
            *(Control(label, graph[key], CELLS[key]) for key, label in LABELS.items()),
        ]
        if "noise_std" in graph:
            cells.append(
                Control("Noise of the values", graph["noise_std"], "times the draws on the sheet First points")
            )
        change = [Text(0, 5, "Change a yellow cell: every step follows.", "hint", 3)] if live else []
        sections: list[Section] = [
            lead(told, WIDE, 34),
            controls(cells, more=change),
            self._results(),
            charts([self._chart(0, self.steps[-1], len(self.steps))], CHART[1], heading=["The last step"], more=8),
            meaning(WORDS, WIDE - 1),
        ]
        widths = {0: 24.0} | dict.fromkeys(range(1, WIDE), 16.0)
        return Overview(study.title, study.TITLE, WIDE, sections, widths, WORDS).page()

    def _results(self) -> Section:
        """The first points with their values, and a row per step."""
        names = [column.name for column in self.table.columns]
        items: list[Item] = [Text(0, c, text, "heading") for c, text in enumerate(["step", *names, "verdict"])]
        if 1 + len(names) < WIDE - 1:
            # A space is content: without it LibreOffice cuts the page after the last column of numbers.
            items.append(Text(0, WIDE - 1, " "))
        r = 1
        for k in () if self.study.points else range(1, 4):
            items.append(Text(r, 0, "first points" if k == 1 else "", "label"))
            items.append(Echo(r, 1, self.graph[f"point_{k}"], "center"))
            items.append(Echo(r, 1 + names.index("y"), self.graph[f"value_{k}"], "center"))
            r += 1
        for k, label in enumerate(self.table.labels):
            items.append(Text(r, 0, str(label), "label"))
            items += [Echo(r, c, self.table[name][k], "center") for c, name in enumerate(names, start=1)]
            items.append(Block(r, 1 + len(names), self.words[k], "verdict"))
            r += 1
        return Section(items, r)

    def _first_points(self) -> Page:
        """The grid, its target, and what the first points are."""
        graph = self.graph
        items: list[Item] = [Text(0, 0, "First points, their values, and the function over the grid", "title", 8)]
        items += [Text(2, c, text, "column") for c, text in enumerate(("point", "x", "value"))]
        for k in range(1, 4 + len(self.steps)):
            items.append(Text(2 + k, 0, str(k), "label"))
            if k <= 3:
                items.append(Block(2 + k, 1, graph[f"point_{k}"], "input"))
            items.append(Block(2 + k, 2, graph[f"value_{k}"]))
        items += [Text(2, 4, "grid", "column"), Block(3, 4, graph["grid"])]
        items += [Text(2, 5, "target", "column"), Block(3, 5, graph["target"])]
        items += [Text(2, 6, "for the charts", "column", 2), Block(3, 6, graph["target_path"])]
        items += [Text(2, 9, "numbers", "column"), Block(3, 9, graph["numbers"], "whole")]
        items += [Text(2, 11, "unit_x", "column"), Block(3, 11, graph["unit_x"], "whole")]
        items += [Text(4, 11, "unit_y", "column"), Block(5, 11, graph["unit_y"], "whole")]
        if "e" in graph:
            items += [Text(2, 10, "draws", "column"), Block(3, 10, graph["e"])]
        words = "first points, values of all points, and the function that the search does not see"
        return Page("First points", tuple(items), dict.fromkeys(range(13), 12.0), {0: 30}, words=words)

    def _page(self, number: int, step: SearchStep) -> Page:
        graph, study = self.graph, self.study
        n = study.count
        typed = "input" if study.points else "number"
        items: list[Item] = [Text(0, 0, f"Step {number}", "title", 12)]
        items += [Text(1, 0, "Next point", "label"), Block(1, 1, step["next"], "center")]
        items += [Text(1, 2, "mean there", "hint"), Block(1, 3, step["next_mean"], "center")]
        items += [Text(1, 4, "deviation", "hint"), Block(1, 5, step["next_deviation"], "center")]
        items += [Text(1, 6, "place", "hint"), Block(1, 7, step["place"], "whole")]
        items += [Text(1, 8, "prior mean", "hint"), Block(1, 9, step["prior"], "center")]
        items += [Text(2, 6, "nearest tried", "hint"), Block(2, 7, step["nearest"], "center")]
        if study.points:
            items += [Text(2, 0, "Number of points", "label"), Block(2, 1, graph["count"], "input")]
        top = 4 + CHART_ROWS
        items += [self._chart(3, step, number), self._acquisition(3, step)]
        heads = ("point", "x", "y", "used", "weights")
        items += [Text(top, c, text, "column") for c, text in enumerate(heads)]
        if study.points:
            items.append(Block(top + 1, 0, graph["numbers"], "whole"))
        else:
            items += [Text(top + k, 0, str(k), "label") for k in range(1, n + 1)]
        items += [Block(top + 1, 1, graph[f"X_{number}"], typed), Block(top + 1, 2, graph[f"Y_{number}"], typed)]
        items += [Block(top + 1, 3, step["used"], "whole"), Block(top + 1, 4, step["weights"])]
        left = 6
        items += [Text(top, left, "K: covariances of the points", "section"), Block(top + 1, left, step["K"])]
        left += n + 1
        items += [Text(top, left, "K_inverse", "section"), Block(top + 1, left, step["K_inverse"])]
        under = top + n + 3
        items += [Text(under, 0, "grid", "column")]
        if study.points:
            items.append(Block(under + 1, 0, graph["grid"]))
        else:
            items.append(Block(under + 1, 0, (graph["grid"] + 0).placed(None)))
        for c, (name, text) in enumerate(OVER_GRID.items(), start=1):
            items += [Text(under, c, text, "column"), Block(under + 1, c, step[name])]
        left = len(OVER_GRID) + 2
        items += [Text(under, left, "k_grid: covariances with the points", "section")]
        items.append(Block(under + 1, left, step["k_grid"]))
        left += n + 1
        items += [Text(under, left, "points of the chart: mean, low, high, tried", "section")]
        for node in self._paths(number, step).values():
            items.append(Block(under + 1, left, node))
            left += 2
        if study.points:
            items += [Text(under - 2, left, "unit_x, unit_y", "text")]
            items += [Block(under - 1, left, graph["unit_x"], "whole"), Block(under, left, graph["unit_y"], "whole")]
        widths = {0: 16.0} | dict.fromkeys(range(1, left + 2), 12.0)
        words = "points, covariances, posterior, acquisition, next point"
        return Page(f"Step {number}", tuple(items), widths, {0: 30}, words=words)

    def _paths(self, number: int, step: SearchStep) -> dict[str, Matrix]:
        """Points of the chart, x and y a row; of points not yet tried none."""
        graph = self.graph
        names = {name: f"{name}_path_{number}" for name in ("mean", "low", "high", "tried")}
        if names["mean"] in graph:
            return {name: graph[named] for name, named in names.items()}
        x, y, grid = graph["unit_x"], graph["unit_y"], graph["grid"]
        made = {
            name: graph.define(
                names[name], grid * x + step[name] * y, what=f"x and {name} over the grid, for the chart"
            )
            for name in ("mean", "low", "high")
        }
        points = graph[f"X_{number}"] * x + graph[f"Y_{number}"] * y
        tried = where(step["used"] > 0, points, float("nan"))
        made["tried"] = graph.define(names["tried"], tried, what="x and y of the points that were tried, for the chart")
        return made

    def _chart(self, row: int, step: SearchStep, number: int) -> Scatter:
        paths = self._paths(number, step)
        traces = [Trace("mean", paths["mean"], 0), Trace("tried", paths["tried"], 1, "point")]
        if "target_path" in self.graph:
            traces.append(Trace("f, unseen", self.graph["target_path"], 2))
        window = _ticks(self.study.low, self.study.high), _ticks(*self._heights())
        title = f"Step {number}: mean, band of 2 deviations, points"
        return Scatter(row, 0, title, tuple(traces), (paths["low"], paths["high"]), window, CHART, ("x", "y"))

    def _heights(self) -> tuple[float, float]:
        """The window's ends of y: of the function, or of the points, and two deviations of the process about them."""
        from sheetsim.engine.evaluate import evaluate

        study = self.study
        if study.points:
            values = np.array([y for _, y in study.points])
        else:
            target = self.graph["target"]
            values = evaluate([target])[target]
        return float(values.min() - 2 * study.signal), float(values.max() + 2 * study.signal)

    def _acquisition(self, row: int, step: SearchStep) -> Lines:
        lines = (Line("acquisition", (step["acquisition"],)),)
        return Lines(row, 7, "Acquisition over the grid", lines, SMALL, "x", (self.graph["grid"],))


LABELS = {"kappa": "κ", "length": "Length scale", "signal": "Signal", "noise": "Noise of the process"}


def _ticks(low: float, high: float) -> Ticks:
    rough = (high - low) / 6
    power = 10.0 ** np.floor(np.log10(rough))
    tick = next(step * power for step in (1, 2, 5, 10) if step * power >= rough)
    ends = np.floor(low / tick + 1e-9) * tick, np.ceil(high / tick - 1e-9) * tick, tick
    return Ticks(*(float(f"{x:.12g}") for x in ends))
