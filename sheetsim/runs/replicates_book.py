"""How replicates look as a workbook: statistics with intervals over a sheet with a row per replicate, and charts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetsim.language import Joined
from sheetsim.model.expr import Constant, Data, Matrix
from sheetsim.model.graph import Graph
from sheetsim.runs import intervals
from sheetsim.runs.intervals import Facts, convergence, frequency_table, interval_table
from sheetsim.runs.observed import Label, Observed
from sheetsim.studies.about import about_page
from sheetsim.studies.contents import bound
from sheetsim.studies.histogram_pages import BARS_NOTE, COUNTED, ZEROS_NOTE, bars_page, layer_bars
from sheetsim.studies.pages import abreast
from sheetsim.summary.histogram import Drawn, drawn
from sheetsim.summary.table import Table
from sheetsim.summary.verdict import meanings, tones
from sheetsim.workbook.layout import Block, Echo, Item, Line, Lines, MatrixSheet, Number, Page, Sheet, Text

# What the sheet Replicates holds.
WORDS_OF_ROWS = "a row a replicate: its seed and its statistics"

# A recalculation goes over all replicates for every cell: beyond these a book holds values.
MOST_LIVE = 10_000

MORE = {
    "boot_low": "lower end of the mean's interval by the bootstrap of t (2,000 resamples; a number without a formula)",
    "boot_high": "its upper end",
    "rounding": "relative difference from double precision, the greatest in the first replicates",
}

# Rows of the tables side by side on Overview.
ACROSS = 7

LABEL_WIDTH = 54
LAYER_WIDTH = 17
CHART = (460, 270)
HISTOGRAM = (446, 280)
MOST_CHARTS = 10

# Statistics of a table of steps that Overview draws.
MOST_DRAWN = 8

# Characters of a label and of a chart's title.
LONGEST = 70

# A chart has a line a row where there are so many rows at least.
FEWEST_POINTS = 2


class ReplicatesBook:
    """The tables over replicates as a model, and the sheets that show them.

    rows: a row per replicate, its seed and a column per label; words: a row per replicate, a column per label of words;
    counts: of pooled histograms, layers × bins + 2, if any; reason: why there are not more replicates; chosen: what is
    shown converging, the first of its statistics; more: further columns of the statistics, of MORE, in the labels'
    order; notes: what a reader must know of them, in sentences.
    """

    def __init__(
        self,
        observed: Observed,
        rows: NDArray[np.float64],
        words: NDArray[np.str_],
        counts: NDArray[np.int64] | None,
        theory: Mapping[Label, float],
        reason: str,
        confidence: float,
        chosen: Sequence[str],
        more: Mapping[str, NDArray[np.float64]],
        notes: Sequence[str] = (),
    ) -> None:
        self._observed, self._reason, self._chosen = observed, reason, chosen
        self._labels = list(observed.labels)
        self._places = {label: k for k, label in enumerate(self._labels)}
        self._more, self._notes = more, notes
        self._numbers = {name: numbers for name in observed.names if (numbers := self._steps(name)) is not None}
        self._graph = graph = Graph(seed=observed.seed)
        self._results = graph.results("results", rows)
        self._rows = rows
        self._level = confidence
        self._confidence = graph.input("confidence", confidence)
        self._precision = graph.input("precision", 0.01)
        self._skewed = {
            name
            for k, (_, name) in enumerate(self._labels, start=1)
            if name in observed.signs.products and Facts.of(rows[:, k]).skewed
        }
        self.statistics: Table = interval_table(
            self._results, self._labels, theory, self._confidence, self._precision, observed.signs
        )
        self._codes, self.said = self._coded(words)
        places = {label: k for k, label in enumerate(observed.words, start=1)}
        of_said = [places[label] for label, _, _ in self.said]
        self.frequencies: Table = frequency_table(self._codes, self.said, of_said, self._confidence)
        self._drawn: Drawn | None = None
        self._counts: list[Matrix] = []
        if counts is not None and observed.edges is not None:
            edges = graph.input("edges", observed.edges.reshape(-1, 1))
            self._counts = [graph.input(f"counts_{k}", of.reshape(-1, 1)) for k, of in enumerate(counts, start=1)]
            zeros = observed.zeros()
            shares = [] if zeros is None else [1 * cell for cell in self._cells("mean", zeros)]
            self._drawn = drawn(graph, self._counts, edges, shares, int(np.searchsorted(observed.edges, 0.0)))
        tolerance = Graph(seed=0).input("tolerance", 0.02)
        self.readings = observed.readings(self._results, self._confidence, tolerance)
        self._tolerance = tolerance

    def _coded(self, words: NDArray[np.str_]) -> tuple[Matrix, list[tuple[Label, str, int]]]:
        """The words by number, and label, word and number of those that are said, the known ones in their order."""
        if not words.size:
            return Graph(seed=0).results("words", np.zeros((len(words) or 1, 1))), []
        declared = [verdict.word for verdict in self._observed.verdicts]
        numbers = {word: k for k, word in enumerate(dict.fromkeys([*declared, *sorted(set(words.ravel()))]), start=1)}
        codes = np.vectorize(numbers.__getitem__, otypes=[np.float64])(words)
        said = [
            (label, word, number)
            for k, label in enumerate(self._observed.words)
            for word, number in numbers.items()
            if (codes[:, k] == number).any()
        ]
        return self._graph.results("words", codes), said

    def _steps(self, statistic: str) -> Matrix | None:
        """The numbers of its rows as cells for a chart's axis, where they are not 1, 2, 3 and so on."""
        rows = self._observed.rows(statistic)
        places = [k for k, (_, name) in enumerate(self._labels) if name == statistic]
        together = places == list(range(places[0], places[0] + len(places)))
        if not together or not self._numbered(statistic) or rows == list(range(1, len(rows) + 1)):
            return None
        numbers = np.array(rows, dtype=np.float64).reshape(-1, 1)
        return Matrix(Data(numbers), (), numbers.shape)

    @property
    def histogram(self) -> tuple[Matrix, Sequence[Matrix]] | None:
        """The edges, and the counts by layer, of pooled histograms."""
        return None if self._drawn is None else (self._drawn.edges, self._counts)

    @property
    def live(self) -> bool:
        """Whether the replicates are few enough for a book with formulas."""
        return self._results.shape[0] <= MOST_LIVE

    def sheets(self, command: str, parameters: Mapping[str, Any], live: bool) -> list[Sheet]:
        """The sheets in their order."""
        observed = self._observed
        headings = ("seed", *(Joined(statistic, " ", str(row)) for row, statistic in self._labels))
        names = {
            "results": "the replicates: a row each, its seed and its statistics (constants)",
            "words": "the words of each replicate by number, a column each (constants)",
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
        if not self.said:
            del names["words"]
        if not self.readings:
            del names["tolerance"]
        if self._drawn is None:
            for name in ("edges", "counts_1", "bars_1", "largest_count", "chart_height"):
                del names[name]
        columns = {column.name: column.what for column in self.statistics.columns} | dict(observed.columns)
        columns |= {name: MORE[name] for name in self._more}
        words = {"Verdicts": meanings(observed.verdicts)} if observed.verdicts and self.said else {}
        about = about_page(
            self._title(),
            observed.description,
            command,
            parameters,
            {"Names": names, "Columns": columns, **words},
            scipy=True,
        )
        sheets: list[Sheet] = [self._overview(), self._statistics()]
        if self.said:
            sheets.append(self._frequencies())
        if self._drawn is not None:
            sheets.append(self._histograms(self._drawn))
        sheets.append(self._convergence(live))
        if self._drawn is not None:
            sheets.append(bars_page({"Outputs of each layer": self._drawn}))
        sheets.append(MatrixSheet("Replicates", self._results, "replicate", headings, wholes=1, words=WORDS_OF_ROWS))
        if self.said:
            said = tuple(Joined(name, " ", str(row)) for row, name in observed.words)
            sheets.append(
                MatrixSheet(
                    "Words",
                    self._codes,
                    "replicate",
                    said,
                    wholes=len(said),
                    tab="results",
                    words="the words of each replicate by number: see Verdicts",
                )
            )
        return bound([*sheets, about])

    def _title(self) -> str:
        return f"{self._observed.title}: {self._results.shape[0]:,} replicates"

    def _cells(self, column: str, statistic: str) -> tuple[Matrix, ...]:
        """A statistic's cells in a column of the table, row by row."""
        cells = self.statistics[column]
        return tuple(cells[k] for k, (_, name) in enumerate(self._labels) if name == statistic)

    def _overview(self) -> Page:
        wide = ACROSS + 1
        of_study = "`sheetsim run` with it gives that replicate as a workbook."
        of_model = "the model made with that seed is that replicate."
        lead = [
            "Each replicate is a run of the study with draws of its own; its seed stands on Replicates, and "
            + (of_study if "study" in self._observed.parameters else of_model),
            f"Replicates: {self._reason}. An interval is made to hold the true mean with the confidence below "
            "(Student; of what is never negative, for the logarithm of the mean).",
        ]
        if any(map(_is_there, self.statistics["theory"])):
            lead.append(
                "Theory is the mean-field value for infinitely wide layers, z how many standard errors the mean is "
                "from it: many replicates resolve the difference of order 1/units and 1/samples."
            )
        lead += self._notes
        top = len(lead) + 2
        items: list[Item] = [Text(0, 0, self._title(), "title", wide)]
        items += [Text(1 + k, 0, sentence, "lead", wide) for k, sentence in enumerate(lead)]
        yellow = [
            ("Confidence", self._confidence),
            ("Wished precision (for “needed” on Statistics)", self._precision),
        ]
        if self.readings:
            yellow.append(("Tolerance of the claims", self._tolerance))
        for k, (label, node) in enumerate(yellow):
            items += [Text(top + k, 0, label, "label"), Block(top + k, 1, node, "input")]
        row = top + len(yellow) + 1
        if self.said:
            items += self._words(row)
            row = 2 + max(item.row for item in items if isinstance(item, Text))
        rows = self._observed.rows(next(iter(self._observed.shown)))
        for part in abreast(len(rows), ACROSS):
            if self.readings:
                items += self._claims(row, part)
                row += 2 + 5 * len(self.readings)
            items += self._means(row, rows, part)
            row = 2 + max(item.row for item in items if isinstance(item, Text))
        for k, (statistic, title) in enumerate(self._charts()):
            items.append(self._by_row(row + 15 * (k // 2), 5 * (k % 2) - (k % 2), statistic, title))
        line = LABEL_WIDTH + LAYER_WIDTH * (wide - 1)
        heights = {0: 30} | {1 + k: 16 * -(-len(sentence) // line) + 1 for k, sentence in enumerate(lead)}
        widths = {0: LABEL_WIDTH} | dict.fromkeys(range(1, wide), LAYER_WIDTH)
        words = tones(intervals.VERDICTS) if self.readings else {}
        return Page("Overview", tuple(items), widths, heights, tones=words)

    def _charts(self) -> list[tuple[str, str]]:
        """The statistics that are drawn by row, with titles: those shown, and of tables by step the first ones."""
        observed = self._observed
        titles = dict(observed.shown)
        for name in observed.names:
            if name not in titles and len(observed.rows(name)) > ACROSS and len(titles) < MOST_DRAWN:
                titles[name] = observed.columns.get(name, name)
        return [
            (name, title)
            for name, title in titles.items()
            if self._has("mean", name) and self._numbered(name) and len(observed.rows(name)) >= FEWEST_POINTS
        ][:MOST_DRAWN]

    def _numbered(self, statistic: str) -> bool:
        """Whether the rows that have it are numbers, of layers or steps."""
        return not any(isinstance(row, str) for row in self._observed.rows(statistic))

    def _words(self, row: int) -> list[Item]:
        """How often each word of the first table's verdicts was said."""
        rows = list(dict.fromkeys(label[0] for label, _, _ in self.said))
        items: list[Item] = []
        cells = [self.frequencies[name] for name in ("share", "low", "high")]
        for part in abreast(len(rows), ACROSS):
            items += self._heads(row, "Verdicts over replicates", [rows[k] for k in part])
            row += 1
            inside = {rows[k]: c for c, k in enumerate(part, start=1)}
            for word in dict.fromkeys(word for label, word, _ in self.said if label[0] in inside):
                items.append(Text(row, 0, word, "label"))
                for k, cell in enumerate(cells):
                    if k:
                        items.append(Text(row + k, 0, "    interval: low" if k == 1 else "    high", "label"))
                    items += [
                        Echo(row + k, inside[label[0]], cell[number], "percent-center")
                        for number, (label, said, _) in enumerate(self.said)
                        if said == word and label[0] in inside and label[1] == "verdict"
                    ]
                row += len(cells)
            row += 1
        return items

    def _means(self, row: int, rows: Sequence[int | str], part: range) -> list[Item]:
        """Means, intervals and theory of some rows, by their places from 0."""
        items = self._heads(row, "Over replicates", [rows[k] for k in part])
        for statistic, title in self._observed.shown.items():
            items.append(Text(row + 1, 0, Joined(title, f" ({statistic})", ", mean", most=LONGEST), "label"))
            parts = [("mean", "center"), ("low", "center"), ("high", "center")]
            if statistic in self._skewed:
                parts += [(name, "center") for name in ("geometric", "geometric_low", "geometric_high", "read")]
            parts += [("theory", "center"), ("z", "one-decimal-center")]
            parts = [one for one in parts if any(map(_is_there, self._cells(one[0], statistic)))]
            for k, (column, style) in enumerate(parts):
                if k:
                    items.append(Text(row + 1 + k, 0, f"    {column.replace('_', ' mean, ')}", "label"))
                cells = dict(zip(self._observed.rows(statistic), self._cells(column, statistic), strict=True))
                items += [
                    _echo(row + 1 + k, c, cells[rows[place]], style)
                    for c, place in enumerate(part, start=1)
                    if rows[place] in cells and _is_there(cells[rows[place]])
                ]
            row += max(len(parts), 1)
        return items

    def _claims(self, row: int, part: range) -> list[Item]:
        items = self._heads(row, "Claims: ratios of means over replicates", [1 + k for k in part])
        row += 1
        for claim in self.readings:
            items.append(Text(row, 0, claim.sentence, "label"))
            for k, (label, cells, style) in enumerate(
                (
                    (claim.sentence, claim.ratio, "ratio"),
                    ("    interval: low", claim.low, "ratio"),
                    ("    high", claim.high, "ratio"),
                    (f"    {claim.expected:g} expected; off by", claim.off, "percent-center"),
                    ("    verdict", claim.verdict, "verdict"),
                )
            ):
                items.append(Text(row + k, 0, label, "label"))
                items += [
                    _block(row + k, c, cells[layer], style)
                    for c, layer in enumerate(part, start=1)
                    if _is_there(cells[layer])
                ]
            row += 5
        return items

    def _heads(self, row: int, label: str, rows: Sequence[int | str]) -> list[Item]:
        """The heading of some rows of the tables, side by side over ACROSS columns."""
        items: list[Item] = [Text(row, 0, label, "heading-left")]
        for c, name in enumerate(rows, start=1):
            is_layer = isinstance(name, int) and self._observed.index == "layer"
            text = name if isinstance(name, str) else self._called(name)
            items.append(Number(row, c, int(name), "layer") if is_layer else Text(row, c, text, "heading"))
        return items + [Text(row, column, " ", "heading") for column in range(len(rows) + 1, ACROSS + 1)]

    def _called(self, row: int | str) -> str:
        index = self._observed.index
        return Joined(index, " ", row) if isinstance(row, str) else f"{index} {row}"

    def _has(self, column: str, statistic: str) -> bool:
        """Whether a column has a number of the statistic at every layer."""
        return all(map(_is_there, self._cells(column, statistic)))

    def _by_row(self, row: int, column: int, statistic: str, title: str) -> Lines:
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
        places = [1 + k for k, (_, name) in enumerate(self._labels) if name == statistic]
        means = self._rows[:, places].mean(axis=0)
        steep = bool((means > 0).all() and means.max() > 100 * means.min())
        axis = self._observed.index if self._observed.index != "row" else "step"
        labels = (self._numbers[statistic],) if statistic in self._numbers else ()
        return Lines(row, column, Joined(title, most=LONGEST), tuple(lines), CHART, axis, labels, steep)

    def _statistics(self) -> Page:
        items: list[Item] = [Text(0, 0, "statistic", "heading-left"), Text(0, 1, self._observed.index, "index")]
        items += [Text(0, 2 + c, column.name, "column") for c, column in enumerate(self.statistics.columns)]
        for r, (row, statistic) in enumerate(self._labels, start=1):
            items.append(Text(r, 0, statistic, "label"))
            if isinstance(row, str):
                items.append(Text(r, 1, row, "index"))
            elif statistic not in self._numbers:
                items.append(Number(r, 1, row, "index"))
        for statistic, cells in self._numbers.items():
            first = 1 + next(k for k, (_, name) in enumerate(self._labels) if name == statistic)
            items.append(Block(first, 1, cells, "index"))
        styles = {"replicates": "count", "z": "one-decimal", "needed": "count", "read": "muted"}
        for c, column in enumerate(self.statistics.columns, start=2):
            style = styles.get(column.name, "number")
            items += [_block(r, c, cell, style) for r, cell in enumerate(column.cells, 1) if _is_there(cell)]
        for c, (name, numbers) in enumerate(self._more.items(), start=2 + len(self.statistics.columns)):
            items.append(Text(0, c, name, "column"))
            finite = ((r, number) for r, number in enumerate(numbers, start=1) if np.isfinite(number))
            items += [Number(r, c, number, "number") for r, number in finite]
        longest = max(len(str(row)) for row, _ in self._labels)
        widths = {0: max(17, *(len(name) + 2 for name in self._observed.names)), 1: max(7, longest + 2)} | {
            c: max(11, len(column.name) + 1) for c, column in enumerate(self.statistics.columns, 2)
        }
        words = "each statistic over the replicates, with its interval"
        return Page("Statistics", tuple(items), widths, freeze=(1, 2), words=words)

    def _frequencies(self) -> Page:
        """How often each word is said, and the numbers that stand for words on the sheet Words."""
        heads = (self._observed.index, "column", "word", "number")
        items: list[Item] = [Text(0, c, head, "heading-left") for c, head in enumerate(heads)]
        items += [Text(0, 4 + c, column.name, "column") for c, column in enumerate(self.frequencies.columns)]
        for r, ((row, name), word, number) in enumerate(self.said, start=1):
            items.append(Text(r, 0, row, "index") if isinstance(row, str) else Number(r, 0, row, "index"))
            items += [Text(r, 1, name, "label"), Text(r, 2, word, "label"), Number(r, 3, number, "whole")]
        styles = {"share": "percent", "count": "count"}
        for c, column in enumerate(self.frequencies.columns, start=4):
            items += [Block(r, c, cell, styles[column.kind]) for r, cell in enumerate(column.cells, start=1)]
        note = "A share's interval is Wilson's (1927). “number” stands for the word on the sheet Words."
        items.append(Text(len(self.said) + 2, 0, note, "text"))
        longest = max(len(word) for _, word, _ in self.said)
        widths = {0: 14, 1: 14, 2: longest + 3} | dict.fromkeys(range(3, 9), 11)
        return Page("Verdicts", tuple(items), widths, freeze=(1, 3), words="how often each verdict is said")

    def _histograms(self, shown: Drawn) -> Page:
        bins = shown.edges.shape[0]
        layers = len(self._counts)
        items: list[Item] = [
            Text(0, 0, "up to", "column"),
            Block(1, 0, shown.labels, "up-to"),
            Text(bins + 1, 0, "more", "edge-muted"),
        ]
        for k, counts in enumerate(self._counts):
            items += [Text(0, 1 + k, f"Layer {k + 1}", "column"), Block(1, 1 + k, counts, "count")]
        first = 2 + layers
        for k in range(layers):
            place = (k // 2) * 14, first + 7 * (k % 2)
            title = f"Layer {k + 1}, all replicates"
            items.append(layer_bars(*place, title, shown, k + 1, HISTOGRAM, 10, "output, up to"))
        notes = (BARS_NOTE, ZEROS_NOTE) if shown.zeros else (BARS_NOTE,)
        items += [Text(bins + 3 + k, 0, note, "text") for k, note in enumerate(notes)]
        widths = {0: 9} | dict.fromkeys(range(1, first - 1), 14)
        return Page("Histograms", tuple(items), widths, freeze=(1, 1), words=COUNTED)

    def _convergence(self, live: bool) -> Page:
        chosen = self._observed.places(self._chosen[:1])
        some = sorted({chosen[round(k)] for k in np.linspace(0, len(chosen) - 1, min(len(chosen), MOST_CHARTS))})
        # A book of its own: another `sheets` names the same matrices again.
        graph = Graph(seed=0)
        places = {self._labels[k]: k + 2 for k in some}
        settling = convergence(graph, self._results, places, self._level, self._observed.signs)
        items: list[Item] = [
            Text(0, 0, "replicates", "column"),
            Text(0, 1, f"t at {self._level:.0%}", "column"),
            Block(1, 0, settling.checkpoints, "count"),
            Block(1, 1, graph["t_checkpoint"], "number"),
        ]
        column = 2
        for label in places:
            for heading, cells in (("mean", settling.mean), ("low", settling.low), ("high", settling.high)):
                items += [
                    Text(0, column, Joined(heading, " ", str(label[0])), "column"),
                    Block(1, column, cells[label], "number"),
                ]
                column += 1
        if live:
            items += [Text(0, column, "replicate", "column"), Block(1, column, graph["replicate"], "whole")]
        start = settling.checkpoints.shape[0] + 2
        statistic = next(iter(places))[1]
        note = f"How the mean of {statistic} settles: its running mean and {self._level:.0%} interval."
        items.append(Text(start, 0, note, "text"))
        words = "how the means settle with more replicates"
        for k, label in enumerate(places):
            lines = (
                Line("mean", (settling.mean[label],)),
                Line("low", (settling.low[label],), style="faint"),
                Line("high", (settling.high[label],), style="faint"),
            )
            place = start + 1 + 14 * (k // 2), 6 * (k % 2)
            title = Joined(label[1], ", ", self._called(label[0]))
            items.append(Lines(*place, title, lines, CHART, "replicates", (settling.checkpoints,)))
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
