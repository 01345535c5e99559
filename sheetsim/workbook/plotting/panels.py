"""What the charts of a page show, as numbers: read from a layout and its values. It draws nothing.

Texts are in the layout's language.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from sheetsim.model.expr import Matrix
from sheetsim.model.op import Array
from sheetsim.workbook.layout import (
    Bars,
    Block,
    Colors,
    Echo,
    HorizontalBars,
    Layout,
    Lines,
    Number,
    Page,
    Scatter,
    Text,
    Ticks,
)
from sheetsim.workbook.translated import translated
from sheetsim.workbook.writing.looks import LineLook, contour_look, line_looks, row_colors, trace_look
from sheetsim.workbook.writing.styles import GAP, Look

# Letters of a title; of a longer one what stands before its colon is shown.
LONGEST_TITLE = 44

Values: TypeAlias = Mapping[Matrix, Array]
Cell: TypeAlias = float | str

# The pixels of a colored cell, and at most of a whole side.
CELL, MOST_PIXELS = (52, 26), 900


class PanelFrame(NamedTuple):
    """Where a chart stands on its page (row and column from 0), its pixels, and what is said above it.

    A heading that it may share with those beside it, and its title.
    """

    row: int
    column: int
    size: tuple[int, int]
    heading: str
    title: str


class BarLayer(NamedTuple):
    """Bars of one color, those of a histogram from the left; no color: unseen, for the scale."""

    heights: Array
    color: str
    name: str = ""


class BarShare(NamedTuple):
    """A number from 0 to 1 beside a bar, and its name."""

    at: int
    value: float
    name: str


class HistogramPanel(Struct, frozen=True):
    """Layers of bars, each over the ones before; labels: a bar each; every: a label at each so many bars.

    The last three layers are what lies above the range, the bars inside it, and what lies below it.
    """

    frame: PanelFrame
    layers: tuple[BarLayer, ...]
    labels: tuple[str, ...]
    axis: str
    every: int
    share: BarShare | None = None

    @property
    def height(self) -> float:
        """What the scale reaches."""
        return max(float(np.nanmax(layer.heights, initial=0.0)) for layer in self.layers)

    @property
    def outside(self) -> tuple[tuple[int, BarLayer], tuple[int, BarLayer]]:
        """The places of the first and the last bar, and what lies below and above the range there."""
        return (0, self.layers[-1]), (len(self.labels) - 1, self.layers[-3])


class DrawnLine(Struct, frozen=True):
    """A line through points, NaN where it is broken; x: none where its places are 1, 2, 3 and so on."""

    name: str
    y: Array
    look: LineLook
    x: Array | None = None


class LinesPanel(Struct, frozen=True):
    """Curves over labels, or over 1, 2, 3, … where there are none. logarithmic, share: as of layout.Lines."""

    frame: PanelFrame
    curves: tuple[DrawnLine, ...]
    labels: tuple[Cell, ...]
    axis: str
    logarithmic: bool
    share: bool


class RowsPanel(Struct, frozen=True):
    """Bars from left to right, the first name on top."""

    frame: PanelFrame
    parts: tuple[BarLayer, ...]
    names: tuple[str, ...]
    axis: str
    stacked: bool


class ScatterPanel(Struct, frozen=True):
    """Curves with x, in a window of x and y."""

    frame: PanelFrame
    curves: tuple[DrawnLine, ...]
    window: tuple[Ticks, Ticks]
    axes: tuple[str, str]


class HeatMapPanel(Struct, frozen=True):
    """Cells in colors between three numbers, NaN where there is no number.

    With the headings of rows and columns, and what stands in their corner.
    """

    frame: PanelFrame
    numbers: Array
    at: tuple[float, float, float]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    corner: str


Panel: TypeAlias = HistogramPanel | LinesPanel | RowsPanel | ScatterPanel | HeatMapPanel
ChartItem: TypeAlias = Bars | HorizontalBars | Lines | Scatter | Colors
PageCells: TypeAlias = Mapping[tuple[int, int], Cell]

CHARTS = (Bars, HorizontalBars, Lines, Scatter, Colors)


def charted(layout: Layout) -> dict[str, Page]:
    """The pages that have charts, or cells in colors, by title."""
    pages = [sheet for sheet in layout.sheets if isinstance(sheet, Page)]
    return {page.title: page for page in pages if any(isinstance(item, CHARTS) for item in page.items)}


def panels_of(page: Page, layout: Layout, values: Values, look: Look) -> list[Panel]:
    """The page's charts in the order of their rows, in a look.

    values: of every matrix that has a place.
    """
    return by_place(_panels(page, layout, values, look))


def by_place(panels: Iterator[Panel]) -> list[Panel]:
    """By row, then by column."""
    return sorted(panels, key=lambda panel: panel.frame[:2])


def _panels(page: Page, layout: Layout, values: Values, look: Look) -> Iterator[Panel]:
    said = translated(page, layout.spoken.say)
    assert isinstance(said, Page)
    for item in said.items:
        if isinstance(item, Bars):
            yield _histogram(item, layout, values, look)
        elif isinstance(item, Lines):
            yield _lines(item, layout, values, look)
        elif isinstance(item, Scatter):
            yield _scatter(item, layout, values, look)
        elif isinstance(item, HorizontalBars):
            yield _rows(item, layout, values, look)
        elif isinstance(item, Colors):
            yield from heat_maps(item.areas, item.at, _cells(page, layout, values))


def _frame(item: Bars | HorizontalBars | Lines | Scatter, layout: Layout) -> PanelFrame:
    return frame_of(item.row, item.column, item.size, item.title, layout.say(item.label))


def frame_of(row: int, column: int, size: tuple[int, int], title: str, label: str) -> PanelFrame:
    """A chart's frame; label: "HEADING: NAME" or a name, in place of a title that there is not."""
    heading, _, name = label.rpartition(": ")
    return PanelFrame(row, column, size, *(("", title) if title else (heading, name)))


def _histogram(item: Bars, layout: Layout, values: Values, look: Look) -> HistogramPanel:
    colors = look.theme.colors
    counts = values[item.counts][:, 0]
    length = len(counts)
    layers = [BarLayer(_at(0, values[item.height], length), "")]
    share = None
    if item.spike is not None:
        parts = [_at(item.spike.at, values[part], length) for part in item.spike.parts]
        names = "", "", item.spike.name
        layers += [BarLayer(*of) for of in zip(parts, (colors.zeros, GAP, colors.zeros), names, strict=True)]
        share = BarShare(item.spike.at, float(values[item.spike.share][0, 0]), item.spike.name)
    inside = counts.copy()
    inside[-1] = 0
    layers += [
        BarLayer(counts, colors.outside, item.outside[1]),
        BarLayer(inside, colors.bar, item.counts.name or ""),
        BarLayer(_at(0, counts[:1], length), colors.outside, item.outside[0]),
    ]
    labels = *map(cell_text, layout.shown(values[item.labels])[:, 0]), layout.say("more")
    return HistogramPanel(_frame(item, layout), tuple(layers), labels, item.axis, item.every, share)


def _at(place: int, value: Any, length: int) -> Array:
    """So many zeros but for a number at a place."""
    heights = np.zeros(length)
    heights[place] = np.ravel(value)[0]
    return heights


def _down(cells: Sequence[Matrix], values: Values) -> Array:
    return np.concatenate([np.asarray(values[node][:, 0], dtype=np.float64) for node in cells])


def _lines(item: Lines, layout: Layout, values: Values, look: Look) -> LinesPanel:
    curves = tuple(
        DrawnLine(line.name, _down(line.cells, values), of)
        for line, of in zip(item.lines, line_looks(look, item), strict=True)
    )
    labels = tuple(cell.item() for node in item.labels for cell in layout.shown(values[node])[:, 0])
    return LinesPanel(_frame(item, layout), _told(curves), labels, item.axis, item.logarithmic, item.share)


def _told(curves: Sequence[DrawnLine]) -> tuple[DrawnLine, ...]:
    """The lines, of which a legend names none where it had one alone to name."""
    several = sum(curve.look.named for curve in curves) > 1
    return tuple(curve if several else replace(curve, look=curve.look._replace(named=False)) for curve in curves)


def _scatter(item: Scatter, layout: Layout, values: Values, look: Look) -> ScatterPanel:
    curves = [DrawnLine("", values[node][:, 1], contour_look(look), values[node][:, 0]) for node in item.contours]
    for trace in item.traces:
        points = values[trace.points]
        curves.append(DrawnLine(trace.name, points[:, 1], trace_look(look, trace), points[:, 0]))
    return ScatterPanel(_frame(item, layout), _told(curves), item.window, item.axes)


def _rows(item: HorizontalBars, layout: Layout, values: Values, look: Look) -> RowsPanel:
    first = layout.places[item.parts[0].cells[0]]
    page = next(sheet for sheet in layout.sheets if sheet.title == first.sheet)
    assert isinstance(page, Page)
    cells = _cells(page, layout, values)
    colors = row_colors(look, len(item.parts))
    parts = tuple(
        BarLayer(_down(part.cells, values), color, part.name) for part, color in zip(item.parts, colors, strict=True)
    )
    names = tuple(cell_text(cells.get((first.row + k, item.names), "")) for k in range(len(parts[0].heights)))
    return RowsPanel(_frame(item, layout), parts, names, item.axis, item.stacked)


def heat_maps(
    areas: Sequence[tuple[int, int, int, int]], at: tuple[float, float, float] | None, cells: PageCells
) -> Iterator[HeatMapPanel]:
    """Areas of cells (row, column, rows, columns from 0) that share one scale of colors; at: as of layout.Colors."""
    arrays = []
    for row, column, rows, columns in areas:
        block = [[cells.get((row + r, column + c), np.nan) for c in range(columns)] for r in range(rows)]
        arrays.append(np.array([[np.nan if isinstance(cell, str) else cell for cell in line] for line in block]))
    numbers = np.concatenate([array.ravel() for array in arrays])
    finite = numbers[np.isfinite(numbers)]
    if at is None:
        at = (float(finite.min()), float(np.median(finite)), float(finite.max())) if finite.size else (0.0, 0.0, 0.0)
    above = (2, 3) if len(areas) == 1 else (2,)
    for (row, column, rows, columns), array in zip(areas, arrays, strict=True):
        size = min(MOST_PIXELS, CELL[0] * columns + 110), min(MOST_PIXELS, CELL[1] * rows + 70)
        heads = tuple(cell_text(cells.get((row - 1, column + c), "")) for c in range(columns))
        names = tuple(cell_text(cells.get((row + r, column - 1), "")) for r in range(rows))
        corner = cell_text(cells.get((row - 1, column - 1), ""))
        frame = PanelFrame(row, column, size, "", _title_above(row, column, columns, cells, above))
        yield HeatMapPanel(frame, array, at, names, heads, corner)


def _title_above(row: int, column: int, columns: int, cells: PageCells, rows: Sequence[int]) -> str:
    """A text so many rows above an area, in a row without numbers."""
    for up in rows:
        beside = [cells.get((row - up, column + c)) for c in range(-1, columns)]
        title = next((cell for cell in beside[:2] if isinstance(cell, str) and cell.strip()), "")
        if title and not any(isinstance(cell, float) for cell in beside):
            return title if len(title) <= LONGEST_TITLE else title.partition(": ")[0]
    return ""


def _cells(page: Page, layout: Layout, values: Values) -> dict[tuple[int, int], Cell]:
    """What the page's cells hold."""
    cells: dict[tuple[int, int], Cell] = {}
    for item in page.items:
        if isinstance(item, Text):
            cells[item.row, item.column] = layout.said(item)
        elif isinstance(item, Number):
            cells[item.row, item.column] = item.number
        elif isinstance(item, Block | Echo):
            shown = layout.shown(values[item.matrix] if isinstance(item, Block) else values[item.matrix][:1, :1])
            for (r, c), value in np.ndenumerate(shown):
                cells[item.row + r, item.column + c] = value.item() if isinstance(value, np.generic) else value
    return cells


def cell_text(cell: Cell) -> str:
    """A cell in few characters."""
    return cell if isinstance(cell, str) else f"{cell + 0.0:.6g}"
