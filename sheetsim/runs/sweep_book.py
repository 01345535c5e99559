"""How a sweep looks as a workbook: heat maps over the grid, lines by layer, and the means and intervals under them."""

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise, product, takewhile
from typing import Any

import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.language import Joined, Name, sentences
from sheetsim.model.expr import Data, Matrix, log10
from sheetsim.studies.about import about_page
from sheetsim.studies.contents import bound
from sheetsim.studies.study import toml_value
from sheetsim.workbook.layout import Block, Colors, Echo, Item, Line, Lines, Number, Page, Sheet, Text
from sheetsim.workbook.limits import check_cell_text

# A cell of a page costs memory; the table of every number is the Parquet file.
MOST_ROWS = 200_000

# What a chart, and the sheet of charts, can show.
MOST_LINES, MOST_CHARTS = 12, 40

# Values above 0 that differ by more than this are shown by their powers of ten.
STEEP = 100

CHART = (610, 340)
CHART_ROWS, CHART_COLUMNS = 18, 6
KEY_WIDTH, CELL_WIDTH = 26, 11

# Characters of a value in a heading.
LONGEST = 60

# How a replicate's numbers become a point's: columns of Points, by shown statistic.
INTERVAL = ("mean", "low", "high", "replicates")

Keys = Mapping[str, Any]


class SweepBook:
    """The sheets of a sweep.

    grid: by key its values; points: the keys of each, in the order of their product; replicates: at each; shown: by
    statistic and point, the columns of INTERVAL with a number a row (a layer); confidence: of the intervals; index:
    what a row is; meanings: of what is shown.
    """

    def __init__(
        self,
        title: str,
        description: str,
        grid: Mapping[str, Sequence[Any]],
        points: Sequence[Keys],
        replicates: int,
        shown: Mapping[str, Sequence[Mapping[str, Any]]],
        confidence: float,
        index: str,
        meanings: Mapping[str, str],
    ) -> None:
        self._index, self._meanings = index, meanings
        self._title, self._description, self._grid, self._points = title, description, grid, points
        self._replicates, self._shown, self._confidence = replicates, shown, confidence
        self._layers = [len(interval["mean"]) for interval in next(iter(shown.values()))]
        self._indices = {_identity(keys): index for index, keys in enumerate(points)}
        self._means = {name: [_blocks(interval["mean"]) for interval in of] for name, of in shown.items()}
        self._numbers = [_column(np.arange(1.0, layers + 1)) for layers in self._layers]

    @staticmethod
    def check(rows: int, parameters: Mapping[str, Any]) -> None:
        """Raises SheetsimError for more rows of points and layers, or longer parameters, than a book holds."""
        for key, value in _flat(parameters).items():
            check_cell_text(key, toml_value(value))
        if rows > MOST_ROWS:
            raise SheetsimError(
                f"the table would have {rows:,} rows, one per point and layer; "
                f"a sweep's workbook has {MOST_ROWS:,} at most"
            )

    def sheets(self, command: str, parameters: Mapping[str, Any]) -> list[Sheet]:
        """The sheets in their order."""
        columns = {
            self._index: "from 1; the last one is what the heat map shows",
            "mean": "mean of the statistic over replicates",
            "low, high": f"ends of the mean's {self._confidence:.0%} interval (Student; of what is never negative, for "
            "the logarithm of the mean)",
            "n": "replicates that have the statistic (a ratio of zeros and an overflow have no value)",
        }
        about = about_page(
            self._title,
            self._description,
            command,
            _flat(parameters),
            {"Columns of Points": columns, "Statistics": {name: self._meanings[name] for name in self._shown}},
            scipy=True,
        )
        lines = [self._lines()] if self._by_row else []
        return bound([self._overview(), self._maps(), *lines, self._table(), about])

    def _overview(self) -> Page:
        lead = [
            f"{_count(len(self._points), 'point')} of a grid, {_count(self._replicates, 'replicate')} at each. A "
            "replicate is a run with draws of its own; replicate k has the same random numbers at "
            "every point, so that points differ by their parameters and not by chance.",
            sentences(
                Joined("Heat map: ", self._named(), self._at_last(), ", by the first two keys of the grid."),
                f"Lines: the same by {self._index}." if self._by_row else "",
                "Points: the means behind it, with their intervals.",
            ),
            "Heat map and lines refer to the cells of Points; these are numbers, for the replicates themselves stand "
            "in the Parquet file beside this book.",
        ]
        items: list[Item] = [Text(0, 0, self._title, "title", 3)]
        if self._description:
            lead.insert(0, self._description)
        items += [Text(1 + k, 0, sentence, "lead", 3) for k, sentence in enumerate(lead)]
        row = 2 + len(lead)
        items += [Text(row, k, text, "heading-left") for k, text in enumerate(("Key of the grid", "Values", "Which"))]
        for k, (key, values) in enumerate(self._grid.items(), start=row + 1):
            items += [Text(k, 0, key, "label", is_name=True), Number(k, 1, len(values), "state")]
            items.append(Text(k, 2, _listed(values), is_name=True))
        heights = {0: 30} | {1 + k: 34 for k in range(len(lead))}
        return Page("Overview", tuple(items), {0: 26, 1: 12, 2: 90}, heights)

    @property
    def _by_row(self) -> bool:
        """Whether a point has several rows, which lines show."""
        return max(self._layers) > 1

    def _at_last(self) -> str:
        return f" at the last {self._index}" if self._by_row else ""

    def _named(self) -> str:
        parts = [part for name in self._shown for part in (", ", self._meanings[name], f" ({name})")]
        return Joined(*parts[1:])

    def _maps(self) -> Page:
        down, across, rest = self._axes()
        columns = len(self._grid[across]) if across else 1
        wide = max(columns + 1, 8)
        items: list[Item] = [Text(0, 0, Joined("Heat map: means over replicates", self._at_last()), "title", wide)]
        row = 2
        for name, of in self._shown.items():
            ends = np.array([interval["mean"][-1] for interval in of])
            steep = steep_scale(ends)
            heading = f"log10 of the mean of {name}" if steep else f"Mean of {name}"
            items.append(Text(row, 0, f"{heading}: {self._meanings[name]}", "section"))
            row += 1
            areas = []
            for fixed in _combinations(self._grid, rest):
                if fixed:
                    items.append(Text(row, 0, _said(fixed), "label", is_name=True))
                items += self._map(row + 1, name, fixed, down, across, steep)
                areas.append((row + 2, 1, len(self._grid[down]), columns))
                row += len(self._grid[down]) + 3
            items.append(Colors(tuple(areas)))
            row += 1
        widths = {0: KEY_WIDTH} | dict.fromkeys(range(1, wide), CELL_WIDTH)
        words = "means by the first two keys of the grid"
        return Page("Heat map", tuple(items), widths, {0: 30}, words=words)

    def _map(self, row: int, name: str, fixed: Keys, down: str, across: str | None, steep: bool) -> list[Item]:
        """One map with its headings, from `row`."""
        corner = f"{down} ↓   {across} →" if across else down
        items: list[Item] = [Text(row, 0, corner, "heading-left", is_name=True)]
        headings = self._grid[across] if across else ["mean"]
        items += [_heading(row, 1 + c, value, is_name=bool(across)) for c, value in enumerate(headings)]
        for r, value in enumerate(self._grid[down], start=row + 1):
            items.append(_heading(r, 0, value))
            for c, other in enumerate(headings, start=1):
                keys = {**fixed, down: value} | ({across: other} if across else {})
                items.append(self._cell(r, c, name, self._indices[_identity(keys)], steep))
        return items

    def _cell(self, row: int, column: int, name: str, point: int, steep: bool) -> Item:
        mean, last = float(self._shown[name][point]["mean"][-1]), self._means[name][point][-1]
        # A single error value keeps Excel from coloring the whole area.
        if not np.isfinite(mean):
            return Text(row, column, "no value" if np.isnan(mean) else "overflow", "muted")
        if not steep:
            return Echo(row, column, last, "center")
        return Block(row, column, log10(last), "exponent") if mean > 0 else Text(row, column, "0", "muted")

    def _lines(self) -> Page:
        # A shallow network is the beginning of a deep one: its line would be the same.
        deepest = {"depth": [max(self._grid["depth"])]} if "depth" in self._grid else {}
        grid = {**self._grid, **deepest}
        several = [key for key, values in grid.items() if len(values) > 1]
        by = several[0] if several else next(iter(grid))
        chosen = _some(grid[by], MOST_LINES)
        combinations = [(name, fixed) for name in self._shown for fixed in _combinations(grid, several[1:])]
        deep = "The deepest networks: a shallower one is the beginning of a deeper one, with the same draws."
        note = sentences(
            f"A line a value of {by}: mean over replicates by {self._index}.",
            "On a scale of powers of ten a line ends at 0.",
            f"{len(chosen)} of its {len(grid[by])} values are drawn." if len(chosen) < len(grid[by]) else "",
            f"The first {MOST_CHARTS} of {len(combinations)} charts." if len(combinations) > MOST_CHARTS else "",
            deep if len(self._grid.get("depth", ())) > 1 else "",
        )
        items: list[Item] = [Text(0, 0, f"Lines: means over replicates by {self._index}", "title", 2 * CHART_COLUMNS)]
        items.append(Text(1, 0, note, "text"))
        for k, (name, fixed) in enumerate(combinations[:MOST_CHARTS]):
            place = 3 + CHART_ROWS * (k // 2), CHART_COLUMNS * (k % 2)
            items.append(self._chart(place, name, by, chosen, {**_single(grid), **fixed}, _said(fixed)))
        widths = dict.fromkeys(range(2 * CHART_COLUMNS), 14)
        return Page("Lines", tuple(items), widths, {0: 30}, words="means by layer")

    def _chart(
        self, place: tuple[int, int], name: str, by: str, values: Sequence[Any], fixed: Keys, said: str
    ) -> Lines:
        points = [self._indices[_identity({**fixed, by: value})] for value in values]
        means = np.concatenate([self._shown[name][point]["mean"] for point in points])
        steep = steep_scale(means)
        cells = [_above(self._means[name][point]) if steep else self._means[name][point] for point in points]
        lines = tuple(Line(Name(_label(value)), line) for value, line in zip(values, cells, strict=True) if line)
        title = Joined(name, f" by {by}: ", Name(said) if said else self._meanings[name])
        deepest = max(points, key=lambda point: self._layers[point])
        return Lines(*place, title, lines, CHART, self._index, (self._numbers[deepest],), steep)

    def _table(self) -> Page:
        keys = list(self._grid)
        items: list[Item] = [Text(0, c, key, "column", is_name=True) for c, key in enumerate(keys)]
        items.append(Text(0, len(keys), self._index, "column"))
        column = len(keys) + 1
        for name in self._shown:
            for k, part in enumerate(("mean", "low", "high", "n")):
                items.append(Text(0, column + k, Joined(name, " ", part), "column"))
            column += len(INTERVAL)
        row = 1
        for index, (point, layers) in enumerate(zip(self._points, self._layers, strict=True)):
            for c, key in enumerate(keys):
                items += _repeated(row, c, point[key], layers)
            items.append(Block(row, len(keys), self._numbers[index], "whole"))
            for k, (name, of) in enumerate(self._shown.items()):
                items += self._interval(row, len(keys) + 1 + k * len(INTERVAL), self._means[name][index], of[index])
            row += layers
        widths = dict.fromkeys(range(len(keys)), 14)
        widths |= {c: max(11, len(item.text) + 2) for c, item in enumerate(items[:column]) if isinstance(item, Text)}
        words = "a row a point of the grid and layer: means and intervals"
        return Page("Points", tuple(items), widths, freeze=(1, len(keys) + 1), words=words)

    def _interval(self, row: int, column: int, means: tuple[Matrix, ...], of: Mapping[str, Any]) -> list[Item]:
        items = _under(row, column, means)
        items += [Block(row, column + k, _column(of[part])) for k, part in enumerate(("low", "high"), start=1)]
        return [*items, Block(row, column + 3, _column(of["replicates"].astype(float)), "count")]

    def _axes(self) -> tuple[str, str | None, list[str]]:
        """The key that goes down a heat map, the one that goes across, and those that have a map a value."""
        several = [key for key, values in self._grid.items() if len(values) > 1] or list(self._grid)[:1]
        across = several[1] if len(several) > 1 else None
        return several[0], across, [key for key in self._grid if key not in several[:2]]


def _blocks(numbers: Any) -> tuple[Matrix, ...]:
    """A column in blocks: its last number is one, which a heat map shows; those before the first 0 are too."""
    nothing = np.flatnonzero(numbers <= 0)
    cuts = sorted({0, nothing[0] if len(nothing) else 0, len(numbers) - 1, len(numbers)})
    return tuple(_column(numbers[first:end]) for first, end in pairwise(cuts))


def _above(blocks: Sequence[Matrix]) -> tuple[Matrix, ...]:
    """The blocks before the first number that is not above 0."""
    return tuple(takewhile(lambda block: not (block.source.values <= 0).any(), blocks))  # type: ignore[union-attr]


def _under(row: int, column: int, blocks: Sequence[Matrix]) -> list[Item]:
    """The blocks one under another."""
    tops = accumulate((block.shape[0] for block in blocks), initial=row)
    return [Block(top, column, block) for top, block in zip(tops, blocks, strict=False)]


def _column(numbers: Any) -> Matrix:
    values = np.asarray(numbers, dtype=np.float64).reshape(-1, 1)
    return Matrix(Data(values), (), values.shape)


def _repeated(row: int, column: int, value: Any, count: int) -> list[Item]:
    """A key's value on so many rows."""
    if _is_number(value):
        whole = isinstance(value, int)
        return [Block(row, column, _column(np.full(count, float(value))), "whole" if whole else "number")]
    return [Text(row + k, column, _label(value), "hint", is_name=True) for k in range(count)]


def _heading(row: int, column: int, value: Any, is_name: bool = True) -> Item:
    if _is_number(value):
        return Number(row, column, float(f"{value:.4g}"), "axis")
    return Text(row, column, _label(value), "axis", is_name=is_name)


def _combinations(grid: Mapping[str, Sequence[Any]], keys: Sequence[str]) -> list[dict[str, Any]]:
    return [dict(zip(keys, values, strict=True)) for values in product(*(grid[key] for key in keys))]


def _identity(keys: Keys) -> frozenset[tuple[str, str]]:
    return frozenset((key, toml_value(value)) for key, value in keys.items())


def _single(grid: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    return {key: values[0] for key, values in grid.items() if len(values) == 1}


def steep_scale(numbers: Any) -> bool:
    """Whether they are above 0, or 0, and differ by more than a chart or colors on a plain scale can show."""
    finite = numbers[np.isfinite(numbers)]
    above = finite[finite > 0]
    return bool(len(above) and (finite >= 0).all() and above.max() > STEEP * above.min())


def _some(values: Sequence[Any], most: int) -> list[Any]:
    """At most so many of the values, evenly, with both ends."""
    return [values[k] for k in sorted({round(k) for k in np.linspace(0, len(values) - 1, min(most, len(values)))})]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _label(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = value if isinstance(value, str) else toml_value(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _said(keys: Keys) -> str:
    return ", ".join(f"{key} {_label(value)}" for key, value in keys.items())


def _listed(values: Sequence[Any]) -> str:
    texts = [_label(value) for value in values]
    return ", ".join(texts if len(texts) <= 14 else [*texts[:6], "…", *texts[-6:]])


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _flat(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The file's keys, those of its tables with their path."""
    flat: dict[str, Any] = {}
    for key, value in parameters.items():
        flat |= (
            {f"{key}.{name}": inner for name, inner in value.items()} if isinstance(value, Mapping) else {key: value}
        )
    return flat
