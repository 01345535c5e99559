"""How replicates look as a workbook: statistics with intervals over a sheet with a row a replicate, and charts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sheetsim.model.activations import ACTIVATIONS
from sheetsim.model.expr import Constant, Matrix
from sheetsim.model.graph import Graph
from sheetsim.runs import intervals
from sheetsim.runs.intervals import Facts, Label, convergence, interval_table, readings
from sheetsim.runs.streaming import WORDS, nonnegative, products
from sheetsim.studies.about import about_page
from sheetsim.studies.contents import bound
from sheetsim.studies.forward.study import Forward
from sheetsim.studies.histogram_pages import BARS_NOTE, COUNTED, ZEROS_NOTE, bars_page, layer_bars
from sheetsim.studies.pages import abreast, layer_heads
from sheetsim.summary.histogram import drawn
from sheetsim.summary.table import Table
from sheetsim.summary.verdict import tones
from sheetsim.workbook.layout import Block, Echo, Item, Line, Lines, MatrixSheet, Number, Page, Sheet, Text

# A recalculation goes over all replicates for every cell: beyond these a book holds values.
MOST_LIVE = 10_000

# Statistics that Overview shows, with the headings of their charts.
SHOWN = {
    "pooled": "Variance of the linear sums a",
    "var": "Variance of the outputs z",
    "mean": "Mean of the outputs z",
    "effective_units": "Effective units",
}

# What the sheet Replicates holds.
WORDS_OF_ROWS = "a row a replicate: its seed and its statistics"

MORE = {
    "boot_low": "lower end of the mean's interval by the bootstrap of t (2,000 resamples; a number without a formula)",
    "boot_high": "its upper end",
    "rounding": "relative difference from double precision, the greatest in the first replicates",
}

# Layers side by side on Overview.
ACROSS = 7

LABEL_WIDTH = 54
LAYER_WIDTH = 17
CHART = (460, 270)
HISTOGRAM = (446, 280)
MOST_CHARTS = 10


class ReplicatesBook:
    """The tables over replicates as a model, and the sheets that show them.

    rows: a row a replicate, its seed and then a column a label; counts: layers × bins + 2; reason: why there are not
    more replicates; chosen: statistics, of which the first is shown converging; more: further columns of the
    statistics, of MORE, in the labels' order; notes: what a reader must know of them, in sentences.
    """

    def __init__(
        self,
        study: Forward,
        rows: Any,
        counts: Any,
        edges: Any,
        labels: Sequence[Label],
        theory: Mapping[Label, float],
        reason: str,
        confidence: float,
        chosen: Sequence[str],
        more: Mapping[str, Any],
        notes: Sequence[str] = (),
    ) -> None:
        self._study, self._labels, self._reason, self._chosen = study, labels, reason, chosen
        self._more, self._notes = more, notes
        self._layers = len(study.layers)
        self._graph = graph = Graph(seed=study.seed)
        self._results = graph.results("results", rows)
        self._level = confidence
        self._confidence = graph.input("confidence", confidence)
        self._precision = graph.input("precision", 0.01)
        self._tolerance = graph.input("tolerance", 0.02)
        self._edges = graph.input("edges", np.asarray(edges).reshape(-1, 1))
        self._counts = [graph.input(f"counts_{k}", own.reshape(-1, 1)) for k, own in enumerate(counts, start=1)]
        never_below, scaled = nonnegative(study.activation), products(study.activation)
        self._nonnegative = frozenset(never_below)
        self._skewed = {
            name for k, (_, name) in enumerate(labels, start=1) if name in scaled and Facts.of(rows[:, k]).skewed
        }
        self.statistics: Table = interval_table(
            self._results, labels, theory, self._confidence, self._precision, never_below
        )
        exact = ACTIVATIONS[study.activation].zeros
        zeros = [1 * share for share in self._cells("mean", "saturated")] if exact else []
        at = int(np.searchsorted(edges, 0.0))
        self._drawn = drawn(graph, self._counts, self._edges, zeros, at)
        self.readings = readings(
            self._results, labels, self._layers, study.activation, self._confidence, self._tolerance
        )

    @property
    def histogram(self) -> tuple[Matrix, Sequence[Matrix]]:
        """The edges, and the counts by layer."""
        return self._edges, self._counts

    @property
    def live(self) -> bool:
        """Whether the replicates are few enough for a book with formulas."""
        return self._results.shape[0] <= MOST_LIVE

    def sheets(self, command: str, parameters: Mapping[str, Any], live: bool) -> list[Sheet]:
        """The sheets in their order."""
        statistics, converging = self._statistics(), self._convergence(live)
        headings = ("seed", *(f"{statistic} {layer}" for layer, statistic in self._labels))
        names = {
            "results": "the replicates: a row each, its seed and its statistics by layer (constants)",
            "confidence": "confidence of every interval",
            "precision": "half-width over mean that “needed” is for",
            "tolerance": "how near the expected ratio a claim’s interval must lie to hold, how far for it not to "
            "(with the confidence for all layers together)",
            "edges": "upper edges of the bins; a bin is (edge before, edge]",
            "counts_1": "counts_1, …: outputs of all replicates below the range, in each bin, above it",
            "bars_1": "bars_1, …: counts without the exact zeros of relu",
            "largest_count": "the greatest of all bars",
            "chart_height": "what the histograms' common scale reaches: with room for a bar of zeros",
            "checkpoint": "numbers of replicates at which Convergence looks",
            "t_checkpoint": f"Student's t at each checkpoint, for {self._level:.0%} whatever the confidence is",
            "replicate": "the replicates' numbers",
            "running_1": "running_1, running_low_1, running_high_1, …: mean and interval at each checkpoint",
        }
        columns = {column.name: column.what for column in self.statistics.columns}
        columns |= WORDS
        columns |= {name: MORE[name] for name in self._more}
        about = about_page(
            self._title(),
            self._study.description,
            command,
            parameters,
            {"Names": names, "Columns": columns},
            scipy=True,
        )
        sheets: list[Sheet] = [
            self._overview(),
            statistics,
            self._histograms(),
            converging,
            bars_page({"Outputs of each layer": self._drawn}),
            MatrixSheet("Replicates", self._results, "replicate", headings, wholes=1, words=WORDS_OF_ROWS),
            about,
        ]
        return bound(sheets)

    def _title(self) -> str:
        return f"{self._study.title or 'Forward pass'}: {self._results.shape[0]:,} replicates"

    def _cells(self, column: str, statistic: str) -> tuple[Matrix, ...]:
        """A statistic's cells in a column of the table, layer by layer."""
        first = self._labels.index((1, statistic))
        return self.statistics[column][first : first + self._layers]

    def _overview(self) -> Page:
        wide = ACROSS + 1
        lead = (
            "Each replicate is a run of the study with draws of its own for the input and the weights; its seed stands "
            "on Replicates, and `sheetsim run` with it gives that replicate as a workbook.",
            f"Replicates: {self._reason}. An interval is made to hold the true mean with the confidence below "
            "(Student; of what is never negative, for the logarithm of the mean).",
            "Theory is the mean-field value for infinitely wide layers, z how many standard errors the mean is from "
            "it: many replicates resolve the difference of order 1/units and 1/samples.",
            *self._notes,
        )
        top = len(lead) + 2
        items: list[Item] = [Text(0, 0, self._title(), "title", wide)]
        items += [Text(1 + k, 0, sentence, "lead", wide) for k, sentence in enumerate(lead)]
        for k, (label, node) in enumerate(
            (
                ("Confidence", self._confidence),
                ("Wished precision (for “needed” on Statistics)", self._precision),
                ("Tolerance of the claims", self._tolerance),
            )
        ):
            items += [Text(top + k, 0, label, "label"), Block(top + k, 1, node, "input")]
        row = top + 4
        for own in abreast(self._layers, ACROSS):
            if self.readings:
                items += self._claims(row, own)
                row += 2 + 5 * len(self.readings)
            items += self._means(row, own)
            row = 2 + max(item.row for item in items if isinstance(item, Text))
        for k, (statistic, title) in enumerate(SHOWN.items()):
            if self._has("mean", statistic):
                items.append(self._by_layer(row + 15 * (k // 2), 5 * (k % 2) - (k % 2), statistic, title))
        line = LABEL_WIDTH + LAYER_WIDTH * (wide - 1)
        heights = {0: 30} | {1 + k: 16 * -(-len(sentence) // line) + 1 for k, sentence in enumerate(lead)}
        widths = {0: LABEL_WIDTH} | dict.fromkeys(range(1, wide), LAYER_WIDTH)
        return Page("Overview", tuple(items), widths, heights, tones=tones(intervals.VERDICTS))

    def _means(self, row: int, own: range) -> list[Item]:
        """Means, intervals and theory of some layers, by their places from 0."""
        items = layer_heads(row, "Over replicates", own, ACROSS)
        for statistic, title in SHOWN.items():
            items.append(Text(row + 1, 0, f"{title} ({statistic}), mean", "label"))
            parts = [("mean", "centre"), ("low", "centre"), ("high", "centre")]
            if statistic in self._skewed:
                parts += [(name, "centre") for name in ("geometric", "geometric_low", "geometric_high", "read")]
            parts += [("theory", "centre"), ("z", "one-decimal-centre")]
            parts = [part for part in parts if any(map(_is_there, self._cells(part[0], statistic)))]
            for k, (column, style) in enumerate(parts):
                if k:
                    items.append(Text(row + 1 + k, 0, f"    {column.replace('_', ' mean, ')}", "label"))
                cells = self._cells(column, statistic)
                items += [
                    _echo(row + 1 + k, c, cells[layer], style)
                    for c, layer in enumerate(own, start=1)
                    if _is_there(cells[layer])
                ]
            row += max(len(parts), 1)
        return items

    def _claims(self, row: int, own: range) -> list[Item]:
        items = layer_heads(row, "Claims: ratios of means over replicates", own, ACROSS)
        row += 1
        for claim in self.readings:
            items.append(Text(row, 0, claim.sentence, "label"))
            for k, (label, cells, style) in enumerate(
                (
                    (claim.sentence, claim.ratio, "ratio"),
                    ("    interval: low", claim.low, "ratio"),
                    ("    high", claim.high, "ratio"),
                    (f"    {claim.expected:g} expected; off by", claim.off, "percent-centre"),
                    ("    verdict", claim.verdict, "verdict"),
                )
            ):
                items.append(Text(row + k, 0, label, "label"))
                items += [
                    _block(row + k, c, cells[layer], style)
                    for c, layer in enumerate(own, start=1)
                    if _is_there(cells[layer])
                ]
            row += 5
        return items

    def _has(self, column: str, statistic: str) -> bool:
        """Whether a column has a number of the statistic at every layer."""
        return all(map(_is_there, self._cells(column, statistic)))

    def _by_layer(self, row: int, column: int, statistic: str, title: str) -> Lines:
        shown = [("measured", "mean", "solid"), ("low", "low", "faint"), ("high", "high", "faint")]
        if statistic in self._skewed:
            shown.append(("geometric mean", "geometric", "guide"))
        shown.append(("theory", "theory", "dashed"))
        # What has no number has no cell, and is no line.
        lines = [
            Line(name, self._cells(column_name, statistic), style=style)
            for name, column_name, style in shown
            if self._has(column_name, statistic)
        ]
        means = self._results.source.values[:, self._labels.index((1, statistic)) + 1 :][:, : self._layers].mean(axis=0)  # type: ignore[union-attr]
        steep = bool((means > 0).all() and means.max() > 100 * means.min())
        return Lines(row, column, title, tuple(lines), CHART, "layer", logarithmic=steep)

    def _statistics(self) -> Page:
        items: list[Item] = [Text(0, 0, "statistic", "heading-left"), Text(0, 1, "layer", "index")]
        items += [Text(0, 2 + c, column.name, "column") for c, column in enumerate(self.statistics.columns)]
        for r, (layer, statistic) in enumerate(self._labels, start=1):
            items += [Text(r, 0, statistic, "label"), Number(r, 1, layer, "index")]
        styles = {"replicates": "count", "z": "one-decimal", "needed": "count", "read": "muted"}
        for c, column in enumerate(self.statistics.columns, start=2):
            style = styles.get(column.name, "number")
            items += [_block(r, c, cell, style) for r, cell in enumerate(column.cells, 1) if _is_there(cell)]
        for c, (name, numbers) in enumerate(self._more.items(), start=2 + len(self.statistics.columns)):
            items.append(Text(0, c, name, "column"))
            known = ((r, number) for r, number in enumerate(numbers, start=1) if np.isfinite(number))
            items += [Number(r, c, number, "number") for r, number in known]
        widths = {0: 17, 1: 7} | {
            c: max(11, len(column.name) + 1) for c, column in enumerate(self.statistics.columns, 2)
        }
        words = "each statistic over the replicates, with its interval"
        return Page("Statistics", tuple(items), widths, freeze=(1, 2), words=words)

    def _histograms(self) -> Page:
        bins = self._edges.shape[0]
        items: list[Item] = [
            Text(0, 0, "up to", "column"),
            Block(1, 0, self._drawn.labels, "up-to"),
            Text(bins + 1, 0, "more", "edge-muted"),
        ]
        for k, counts in enumerate(self._counts):
            items += [Text(0, 1 + k, f"Layer {k + 1}", "column"), Block(1, 1 + k, counts, "count")]
        first = 2 + self._layers
        for k in range(self._layers):
            place = (k // 2) * 14, first + 7 * (k % 2)
            title = f"Layer {k + 1}, all replicates"
            items.append(layer_bars(*place, title, self._drawn, k + 1, HISTOGRAM, 10, "output, up to"))
        notes = (BARS_NOTE, ZEROS_NOTE) if self._drawn.zeros else (BARS_NOTE,)
        items += [Text(bins + 3 + k, 0, note, "text") for k, note in enumerate(notes)]
        widths = {0: 9} | dict.fromkeys(range(1, first - 1), 14)
        return Page("Histograms", tuple(items), widths, freeze=(1, 1), words=COUNTED)

    def _convergence(self, live: bool) -> Page:
        statistic = self._chosen[0]
        count = min(self._layers, MOST_CHARTS)
        layers = sorted({int(k) for k in np.linspace(1, self._layers, count)})
        # A book of its own: another `sheets` names the same matrices again.
        graph = Graph(seed=0)
        never_below = statistic in self._nonnegative
        found = convergence(graph, self._results, self._labels, statistic, layers, self._level, never_below)
        items: list[Item] = [
            Text(0, 0, "replicates", "column"),
            Text(0, 1, f"t at {self._level:.0%}", "column"),
            Block(1, 0, found.checkpoints, "count"),
            Block(1, 1, graph["t_checkpoint"], "number"),
        ]
        column = 2
        for layer in layers:
            for heading, cells in (("mean", found.mean), ("low", found.low), ("high", found.high)):
                items += [Text(0, column, f"{heading} {layer}", "column"), Block(1, column, cells[layer], "number")]
                column += 1
        if live:
            items += [Text(0, column, "replicate", "column"), Block(1, column, graph["replicate"], "whole")]
        start = found.checkpoints.shape[0] + 2
        items.append(
            Text(
                start,
                0,
                f"How the mean of {statistic} settles: its running mean and {self._level:.0%} interval.",
                "text",
            )
        )
        for k, layer in enumerate(layers):
            lines = (
                Line("mean", (found.mean[layer],)),
                Line("low", (found.low[layer],), style="faint"),
                Line("high", (found.high[layer],), style="faint"),
            )
            place = start + 1 + 14 * (k // 2), 6 * (k % 2)
            items.append(Lines(*place, f"{statistic}, layer {layer}", lines, CHART, "replicates", (found.checkpoints,)))
        words = "how the means settle with more replicates"
        return Page("Convergence", tuple(items), dict.fromkeys(range(column + 1), 12), freeze=(1, 1), words=words)


def _is_there(cell: Matrix) -> bool:
    return cell.expression is not intervals.NONE


def _block(row: int, column: int, cell: Matrix, style: str) -> Item:
    """A cell of a table; a word that no formula gives is a text."""
    if isinstance(cell.source, Constant):
        return Text(row, column, str(cell.source.value), style)
    return Block(row, column, cell, style)


def _echo(row: int, column: int, cell: Matrix, style: str) -> Item:
    """The same where the cell lives elsewhere."""
    shown = _block(row, column, cell, style)
    return shown if isinstance(shown, Text) else Echo(row, column, cell, style)
