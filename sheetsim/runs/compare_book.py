"""How a comparison looks as a workbook: histograms side by side, key numbers in colors, lines, differences."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from msgspec.structs import replace

from sheetsim.language import Joined, Name, sentences
from sheetsim.model.expr import (
    Data,
    Matrix,
    column,
    equal,
    mean,
    where,
)
from sheetsim.model.graph import Graph
from sheetsim.model.op import Array
from sheetsim.runs.sweep_book import CHART as LINES_CHART
from sheetsim.runs.sweep_book import CHART_COLUMNS, CHART_ROWS, steep_scale
from sheetsim.studies.about import about_page
from sheetsim.studies.contents import bound
from sheetsim.studies.histogram_pages import BARS_NOTE, BINS_NOTE, COUNTED, ZEROS_NOTE, bars_page, layer_bars
from sheetsim.studies.pages import LABEL_WIDTH, LAYER_WIDTH
from sheetsim.studies.sections import LINE
from sheetsim.summary.histogram import COUNTS, Drawn, LayerCounts, drawn
from sheetsim.summary.student import half_width
from sheetsim.summary.verdict import Verdict, meanings, tones
from sheetsim.workbook.layout import Block, Colors, Echo, Item, Line, Lines, Number, Page, Sheet, Text

if TYPE_CHECKING:
    import pandas as pd

# Layers side by side on Overview, of more some evenly.
ACROSS = 6

CHART = (215, 210)

# What has one scale of counts: a network's layers, so that every shape is seen, or all networks of one range.
SCALES = ("each network", "all of a range")


class Member(NamedTuple):
    """A network: its name and title, a row per layer and a column per statistic, verdict and histogram per layer."""

    name: str
    title: str
    frame: "pd.DataFrame"
    verdicts: Sequence[str]
    counts: LayerCounts


class PairedDifference(NamedTuple):
    """Mean difference of a statistic from the first network over replicates, and the ends of its interval.

    One cell per layer each.
    """

    name: str
    statistic: str
    mean: tuple[Matrix, ...]
    low: tuple[Matrix, ...]
    high: tuple[Matrix, ...]


class Charted(NamedTuple):
    """What a network's charts show; alike: the names of the others whose histograms have the same edges."""

    drawn: Drawn
    alike: list[str]


class CompareBook:
    """The sheets of a comparison.

    shown: statistics; what: each column of the networks' tables is; words: the verdicts; replicates: of each network by
    statistic an array, replicates × layers, or nothing; confidence: of the differences' intervals.
    """

    def __init__(
        self,
        title: str,
        members: Sequence[Member],
        shown: Sequence[str],
        what: Mapping[str, str],
        words: Sequence[Verdict],
        replicates: Sequence[Mapping[str, Array]],
        confidence: float,
    ) -> None:
        self._title, self._members, self._shown, self._what, self._words = title, members, shown, what, words
        self._graph = Graph()
        self._depth = max(len(member.frame) for member in members)
        self._scale = self._graph.choice("scale", SCALES, SCALES[0], what="which charts share a scale of counts")
        self._charted = list(self._charts())
        common = min(len(member.frame) for member in members)
        # Not by the graph, which takes finite numbers alone: of networks that overflow there are others.
        self._replicates = [
            {name: _data(numbers[:, :common], f"{name}_{k}") for name, numbers in of.items()}
            for k, of in enumerate(replicates, start=1)
        ]
        self._confidence = self._graph.input("confidence", confidence)

    def sheets(self, command: str, parameters: Mapping[str, str]) -> list[Sheet]:
        """The sheets in their order; parameters: of each network how it was given."""
        sections = {
            "Columns of Layers": dict(self._what),
            "The verdicts": meanings(self._words),
        }
        drawn = zip(self._members, self._charted, strict=True)
        bars = bars_page({member.name: one.drawn for member, one in drawn if one is not None})
        many = [self._differences_page(), self._replicates_page()] if self._replicates else []
        about = about_page(self._title, "", command, parameters, sections, scipy=bool(self._replicates))
        pages = [self._overview(), self._numbers(), self._lines(), *many, self._table(), self._histograms(), bars]
        return bound([*pages, about])

    @cached_property
    def differences(self) -> list[PairedDifference]:
        """Of each network but the first, over the layers that all have; none without replicates."""
        paired: list[PairedDifference] = []
        if not self._replicates:
            return paired
        first, *others = self._replicates
        for member, of in zip(self._members[1:], others, strict=True):
            for name, numbers in of.items():
                less = self._graph.define(f"less_{numbers.name}", numbers - first[name])
                # Layer by layer: an error value in one makes errors of a whole matrix product.
                layers = [column(less, k) for k in range(1, less.shape[1] + 1)]
                means = tuple(map(mean, layers))
                halves = [half_width(one, middle, self._confidence) for one, middle in zip(layers, means, strict=True)]
                low = tuple(middle - half for middle, half in zip(means, halves, strict=True))
                high = tuple(middle + half for middle, half in zip(means, halves, strict=True))
                paired.append(PairedDifference(member.name, name, means, low, high))
        return paired

    @cached_property
    def _cells(self) -> list[dict[str, list[Matrix | None]]]:
        """Of each network by column of its table a number a layer, none where it is not a finite one."""
        return [
            {
                name: [_cell(number) for number in member.frame[name].to_numpy(dtype=np.float64)]
                for name in self._columns
            }
            for member in self._members
        ]

    @property
    def _columns(self) -> list[str]:
        """The columns of numbers."""
        frame = self._members[0].frame
        return [name for name in frame.columns if frame[name].dtype.kind in "fi"]

    def _charts(self) -> Iterator[Charted | None]:
        """Of each network, None where its numbers overflow."""
        finite = [member for member in self._members if _is_finite(member)]
        for k, member in enumerate(self._members, start=1):
            if not _is_finite(member):
                yield None
                continue
            counted = member.counts
            group = [one for one in finite if one is not member and np.array_equal(one.counts.edges, counted.edges)]
            edges = self._graph.input(f"edges_{k}", counted.edges.reshape(-1, 1), what="the bins' upper edges")
            counts = [
                self._graph.input(f"counts_{k}_{layer}", numbers.reshape(-1, 1), what=COUNTS)
                for layer, numbers in enumerate(counted.counts, start=1)
            ]
            # Where one has a bar of zeros, all of the range have the room above it.
            zeros = any(one.counts.zeros.any() for one in (member, *group))
            shares = [_of(share) for share in counted.zeros / counted.counts.sum(axis=1)] if zeros else []
            most = float(max(one.counts.bars.max() for one in (member, *group)))
            least = where(equal(self._scale, SCALES[1]), most, 0)
            yield Charted(
                drawn(self._graph, counts, edges, shares, counted.at, f"_{k}", least), [one.name for one in group]
            )

    def _overview(self) -> Page:
        chosen = sorted({round(k) for k in np.linspace(1, self._depth, min(ACROSS, self._depth))})
        wide = len(chosen) + 1
        lead = [
            f"{len(self._members)} networks, a row each, and their layers side by side: how a layer's numbers are "
            "distributed, and under it the verdict.",
            "Numbers compares them in colors, Lines by layer"
            + (", Differences over replicates with the same draws." if self._replicates else "."),
            sentences(BARS_NOTE, ZEROS_NOTE),
        ]
        items: list[Item] = [Text(0, 0, self._title, "title", wide)]
        items += [Text(1 + k, 0, text, "lead", wide) for k, text in enumerate(lead)]
        room = LABEL_WIDTH + LAYER_WIDTH * (wide - 1)
        heights = {0: 28.0} | {1 + k: LINE * ceil(len(text) / room) for k, text in enumerate(lead)}
        row = 2 + len(lead)
        items += [
            Text(row, 0, "Scale of counts", "label"),
            Block(row, 1, self._scale, "input"),
            Text(
                row,
                2,
                "Counts: one scale for a network, or for all networks of one range. Values: always one for a range.",
                "hint",
            ),
            Text(row + 2, 0, "Network", "heading-left"),
            *(Number(row + 2, c, k, "layer") for c, k in enumerate(chosen, 1)),
        ]
        row += 3
        for member, charted in zip(self._members, self._charted, strict=True):
            items += self._member(row, member, charted, chosen)
            heights[row + 1] = CHART[1] * 0.75 + 4
            row += 5
        items.append(Text(row, 0, "What the verdicts mean", "section"))
        for k, (word, said) in enumerate(meanings(self._words).items(), start=row + 1):
            items += [Text(k, 0, word, "label"), Text(k, 1, said, "hint", wide - 1)]
        widths = {0: LABEL_WIDTH} | dict.fromkeys(range(1, wide), LAYER_WIDTH)
        return Page("Overview", tuple(items), widths, heights, tones=tones(self._words))

    def _member(self, row: int, member: Member, charted: Charted | None, chosen: Sequence[int]) -> Iterator[Item]:
        """A network's title, charts, verdicts and first statistic."""
        name, place = self._shown[0], [one.name for one in self._members].index(member.name)
        yield Text(row, 0, member.name, "section", is_name=True)
        yield Text(row, 1, member.title, "hint", len(chosen))
        yield Text(row + 1, 0, _range(member, charted) if charted else "No histogram: numbers overflow.", "note")
        yield Text(row + 2, 0, "Verdict", "label")
        yield Text(row + 3, 0, name, "label")
        for c, layer in enumerate(chosen, start=1):
            if charted and layer <= len(member.counts.counts):
                bars = layer_bars(row + 1, c, "", charted.drawn, layer, CHART, 10)
                yield replace(bars, label=Joined(Name(member.name), ": ", f"Layer {layer}"))
            if layer <= len(member.frame):
                yield Text(row + 2, c, member.verdicts[layer - 1], "verdict")
                yield self._echo(row + 3, c, place, name, layer)

    def _echo(self, row: int, column: int, place: int, name: str, layer: int) -> Item:
        cell = self._cells[place][name][layer - 1]
        style = "count-center" if self._members[place].frame[name].dtype.kind == "i" else "center"
        return Text(row, column, "no value", "muted") if cell is None else Echo(row, column, cell, style)

    def _said(self, name: str) -> str:
        """A statistic and what it is, in short; the sheet About has all of it."""
        return f"{name}: {self._what[name].partition(';')[0].partition(', ')[0].partition(': ')[0]}"

    def _numbers(self) -> Page:
        """A block of networks × layers for each statistic, under one scale of colors."""
        wide = max(8, self._depth + 1)
        items: list[Item] = [Text(0, 0, "Key numbers by network and layer", "title", wide)]
        items.append(Text(1, 0, "Of each statistic the least number is blue, the greatest orange.", "text"))
        row = 3
        for name in self._shown:
            items.append(Text(row, 0, self._said(name), "section", wide))
            items += [Text(row + 1, 0, "Network", "heading-left")]
            items += [Number(row + 1, k, k, "layer") for k in range(1, self._depth + 1)]
            for r, member in enumerate(self._members, start=row + 2):
                items.append(Text(r, 0, member.name, "label", is_name=True))
                layers = range(1, len(member.frame) + 1)
                items += [self._echo(r, k, r - row - 2, name, k) for k in layers]
            items.append(Colors(((row + 2, 1, len(self._members), self._depth),)))
            row += len(self._members) + 3
        widths = {0: LABEL_WIDTH} | dict.fromkeys(range(1, wide), 12)
        return Page("Numbers", tuple(items), widths, {0: 28}, words="key numbers in colors: a row a network")

    def _lines(self) -> Page:
        items: list[Item] = [Text(0, 0, "Key numbers by layer", "title", 2 * CHART_COLUMNS)]
        items.append(Text(1, 0, "A line a network. On a scale of powers of ten a line ends at 0.", "text"))
        for k, name in enumerate(self._shown):
            place = 3 + CHART_ROWS * (k // 2), CHART_COLUMNS * (k % 2)
            numbers = np.concatenate([member.frame[name].to_numpy(dtype=np.float64) for member in self._members])
            steep = steep_scale(numbers)
            lines = []
            for member, cells in zip(self._members, self._cells, strict=True):
                shown = tuple(_drawn(cells[name], member.frame[name], steep))
                lines += [Line(Name(member.name), shown)] if shown else []
            if lines:
                items.append(Lines(*place, self._said(name), tuple(lines), LINES_CHART, "layer", (), steep))
        return Page("Lines", tuple(items), dict.fromkeys(range(2 * CHART_COLUMNS), 14), {0: 28}, words="lines by layer")

    def _table(self) -> Page:
        names = self._columns
        heads = ["network", "layer", "verdict", *names]
        items: list[Item] = [Text(0, c, head, "column") for c, head in enumerate(heads)]
        row = 1
        for member, cells in zip(self._members, self._cells, strict=True):
            for k, word in enumerate(member.verdicts):
                items += [Text(row + k, 0, member.name, "hint", is_name=True), Number(row + k, 1, k + 1, "whole")]
                items.append(Text(row + k, 2, word, "verdict"))
                for c, name in enumerate(names, start=3):
                    cell = cells[name][k]
                    items.append(Text(row + k, c, "no value", "muted") if cell is None else Block(row + k, c, cell))
            row += len(member.verdicts)
        widths = {0: LABEL_WIDTH, 1: 8, 2: 16} | {c: max(11, len(head) + 2) for c, head in enumerate(heads) if c > 2}
        words = "a row a network and layer: every number of its first table"
        return Page("Layers", tuple(items), widths, freeze=(1, 3), words=words, tones=tones(self._words))

    def _histograms(self) -> Page:
        items: list[Item] = []
        row = 0
        for member, charted in zip(self._members, self._charted, strict=True):
            if charted is None:
                continue
            bins, counts = len(member.counts.edges), charted.drawn.counts
            items += [Text(row, 0, member.name, "section", is_name=True), Text(row + 1, 0, "up to", "column")]
            items += [Block(row + 2, 0, charted.drawn.labels, "up-to"), Text(row + 2 + bins, 0, "more", "edge-muted")]
            for c, numbers in enumerate(counts, start=1):
                items += [Text(row + 1, c, f"Layer {c}", "column"), Block(row + 2, c, numbers, "count")]
            row += bins + 4
        items.append(Text(row, 0, BINS_NOTE, "text"))
        return Page("Histograms", tuple(items), dict.fromkeys(range(self._depth + 1), 12), words=COUNTED)

    def _differences_page(self) -> Page:
        first, layers = self._members[0].name, next(iter(self._replicates[0].values())).shape[1]
        items: list[Item] = [
            Text(0, 0, f"Differences from {first}", "title", 2 * CHART_COLUMNS),
            Text(
                1,
                0,
                "Mean over replicates of a network's number less that of the first one in the replicate with the "
                "same draws, and the ends of the mean's interval (Student's).",
                "text",
            ),
            Text(2, 0, "Confidence", "label"),
            Block(2, 1, self._confidence, "input"),
        ]
        statistics = list(self._replicates[0])
        items += [Text(4, 0, "network", "heading-left"), Text(4, 1, "layer", "column")]
        parts = ("difference", "low", "high")
        heads = [Joined(name, *([] if part == "difference" else [" ", part])) for name in statistics for part in parts]
        items += [Text(4, c, head, "column") for c, head in enumerate(heads, start=2)]
        for k, member in enumerate(self._members[1:]):
            for layer in range(layers):
                at = 5 + k * layers + layer
                items += [Text(at, 0, member.name, "hint", is_name=True), Number(at, 1, layer + 1, "whole")]
            of_member = [one for one in self.differences if one.name == member.name]
            for c, one in enumerate(of_member):
                for p, cells in enumerate((one.mean, one.low, one.high)):
                    items += [Block(5 + k * layers + r, 2 + 3 * c + p, cell) for r, cell in enumerate(cells)]
        top = 7 + layers * (len(self._members) - 1)
        for k, name in enumerate(statistics):
            lines = [
                Line(label, cells, style)
                for one in self.differences
                if one.statistic == name
                for label, cells, style in (
                    (Name(one.name), one.mean, "solid"),
                    (Joined(Name(one.name), " ", "low"), one.low, "band"),
                    (Joined(Name(one.name), " ", "high"), one.high, "band"),
                )
            ]
            place = top + CHART_ROWS * (k // 2), CHART_COLUMNS * (k % 2)
            items.append(Lines(*place, Joined(name, f": difference from {first}"), tuple(lines), LINES_CHART, "layer"))
        wide = max(2 * CHART_COLUMNS, len(heads) + 2)
        widths = (
            {0: LABEL_WIDTH}
            | dict.fromkeys(range(1, wide), 14)
            | {c: max(14, len(head) + 2) for c, head in enumerate(heads, start=2)}
        )
        words = "differences from the first network over replicates, with intervals"
        return Page("Differences", tuple(items), widths, {0: 28}, words=words)

    def _replicates_page(self) -> Page:
        """A row per replicate: every network's numbers, and the differences from the first."""
        blocks = [
            (Joined(name, f" of {member.name}"), node)
            for member, of in zip(self._members, self._replicates, strict=True)
            for name, node in of.items()
        ]
        blocks += [
            (Joined(name, f" of {member.name} less {self._members[0].name}"), self._graph[f"less_{node.name}"])
            for member, of in zip(self._members[1:], self._replicates[1:], strict=True)
            for name, node in of.items()
        ]
        assert self.differences
        rows = blocks[0][1].shape[0]
        items: list[Item] = [Text(0, 0, " "), Text(1, 0, "replicate", "column")]
        items += [Number(2 + k, 0, k, "whole") for k in range(rows)]
        column = 1
        for heading, node in blocks:
            items.append(Text(0, column, heading, "section"))
            items += [Number(1, column + k, k + 1, "layer") for k in range(node.shape[1])]
            items.append(Block(2, column, node))
            column += node.shape[1] + 1
        widths = {0: 11} | dict.fromkeys(range(1, column), 12)
        return Page(
            "Replicates", tuple(items), widths, freeze=(2, 1), words="every network's numbers, a row a replicate"
        )


def _is_finite(member: Member) -> bool:
    """Whether there is a histogram: no number overflowed."""
    return bool(np.isfinite(member.counts.edges).all() and np.isfinite(member.counts.counts).all())


def _range(member: Member, charted: Charted) -> str:
    """What a network's charts go over, and which others do."""
    edges = member.counts.edges
    width = edges[-1] - edges[0]
    # Without the hair by which the first edge lies below the range.
    low, high = (round(float(edge), int(6 - np.log10(width))) + 0.0 for edge in edges[[0, -1]])
    alike = f", as in {', '.join(charted.alike)}" if charted.alike else ""
    return f"Range {low:g} to {high:g}{alike}."


def _drawn(cells: Sequence[Matrix | None], values: Iterable[float], steep: bool) -> Iterator[Matrix]:
    """The cells of a line, up to the first that its scale cannot show."""
    for cell, value in zip(cells, values, strict=True):
        if cell is None or (steep and value <= 0):
            return
        yield cell


def _cell(number: float) -> Matrix | None:
    return _of(number) if np.isfinite(number) else None


def _of(number: Any) -> Matrix:
    return _data(np.array([[float(number)]]))


def _data(values: Array, name: str | None = None) -> Matrix:
    return Matrix(Data(values), (), values.shape, name)
