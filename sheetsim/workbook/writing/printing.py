"""How a page comes out on paper: its area, its scale, where it is cut, and what each sheet of paper repeats.

Programs that fit a page to a width ignore page breaks that are given, and have no least scale. Both are computed here
from the sizes of columns and rows, which are known before anything is written.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from math import ceil, floor
from typing import TypeAlias

from msgspec import Struct, field

from sheetsim.workbook.layout import (
    Bars,
    Block,
    Colors,
    DataBars,
    Echo,
    HorizontalBars,
    Lines,
    Number,
    Page,
    Scatter,
    Text,
)

# Inches: A4 lying on its side, and what a printer leaves free.
PAPER = (11.69, 8.27)
MARGINS = {"left": 0.4, "right": 0.4, "top": 0.5, "bottom": 0.6}
DOTS = 96

# Pixels. LibreOffice's columns are wider than Excel's: by 6 % with Liberation Sans, by 21 % where DejaVu Sans stands in
# for Arial.
PAPER_WIDTH = (PAPER[0] - MARGINS["left"] - MARGINS["right"]) * DOTS / 1.22
PAPER_HEIGHT = (PAPER[1] - MARGINS["top"] - MARGINS["bottom"]) * DOTS / 1.06

# Per cent: ten points become five. What is wider still goes on several sheets side by side, at another scale.
LEAST_SCALE, CUT_SCALE = 50, 60

# Pixels, where a page sets no others.
COLUMN, ROW = 64, 20
CHARACTER = 6.2
WIDEST_TEXT = 1600

# Of one kind, in a file.
MOST_BREAKS = 1000

HEADING_STYLES = ("title", "title-small", "section", "heading", "heading-left", "column", "layer", "axis", "index")
WRAPPED_STYLES = ("title", "title-small", "lead", "note", "heading", "code", "wrapped", "hint-wrapped")
CHARTS = Bars | HorizontalBars | Lines | Scatter
Placed: TypeAlias = Text | Number | Block | Echo | Bars | HorizontalBars | Lines | Scatter | DataBars


class Print(Struct, frozen=True):
    """A page on paper.

    last: the last row and column that are printed; areas: what is printed, by first and last row and column; scale: per
    cent; rows, columns: those before which it is cut; heads, labels: how many rows, above the frozen line, and columns
    are repeated, and where the rows begin.
    """

    last: tuple[int, int]
    areas: tuple[tuple[int, int, int, int], ...]
    scale: int
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    heads: tuple[int, int] | None
    labels: int


def printed(page: Page) -> Print:
    """How the page is printed: whole in width where that can be read, and no chart, heading or block cut in two."""
    items: list[Placed] = [item for item in page.items if not isinstance(item, Colors)]
    if page.printed is not None:
        items = [item for item in items if item.row < page.printed]
    last = _extent(page, items)
    widths = [column_pixels(page, column) for column in range(last[1] + 1)]
    heights = _heights(page, items, widths, last[0] + 1)
    frozen = page.freeze or (0, 0)
    scale = scale_of(sum(widths))
    heads = (frozen[0] - page.heads, frozen[0] - 1) if frozen[0] else None
    repeated = sum(heights[heads[0] : heads[1] + 1]) if heads else 0
    columns: list[int] = []
    if sum(widths) * scale > 100 * PAPER_WIDTH:
        across = _columns(items, widths, page)
        cut = {
            of: across.cuts(PAPER_WIDTH * 100 / of, frozen[1], sum(widths[: frozen[1]]))
            for of in range(CUT_SCALE, LEAST_SCALE - 1, -2)
        }
        # The largest of those with the fewest sheets side by side.
        scale = min(cut, key=lambda of: (len(cut[of]), -of))
        columns = cut[scale]
    rows = _rows(items, heights, page).cuts(PAPER_HEIGHT * 100 / scale, frozen[0], repeated)
    areas = _areas(page, items, last, columns if frozen[1] else (), heads[0] if heads else 0)
    return Print(last, areas, scale, tuple(rows), tuple(columns), heads, frozen[1])


def _areas(
    page: Page, items: Sequence[Placed], last: tuple[int, int], columns: Sequence[int], top: int
) -> tuple[tuple[int, int, int, int], ...]:
    """What is printed: all as one, or further columns from row `top` alone where nothing of theirs stands above it.

    Repeated columns would show the beginnings of titles and sentences, which stand in them there.
    """
    above = [item for item in items if item.row < top]
    if not columns or not above or any(_cells_end(page, item)[1] >= columns[0] for item in above):
        return ((0, 0, *last),)
    starts, ends = [0, *columns], [*columns, last[1] + 1]
    return tuple((top if left else 0, left, last[0], right - 1) for left, right in zip(starts, ends, strict=True))


def scale_of(pixels: int) -> int:
    """Per cent: the whole width on one sheet of paper where that can be read."""
    fit = floor(100 * PAPER_WIDTH / pixels)
    return min(100, fit) if fit >= LEAST_SCALE else CUT_SCALE


def even_cuts(rows: int, scale: int) -> tuple[int, ...]:
    """The rows before which a matrix below its headings is cut, so that each sheet of paper holds about as many.

    Cut by the programs, the last sheet can hold a single row. None where the cuts were too many for a file.
    """
    room = floor(PAPER_HEIGHT * 100 / scale / ROW) - 1
    sheets = ceil(rows / room)
    return tuple(1 + rows * k // sheets for k in range(1, sheets)) if sheets <= MOST_BREAKS else ()


def width_of(characters: float) -> int:
    """A column's pixels, as Excel has them with its usual font."""
    return int(characters * 7 + 0.5) + 5


def column_pixels(page: Page, column: int) -> int:
    """The width of a page's column."""
    width = page.widths.get(column)
    return COLUMN if width is None else width_of(width)


def row_pixels(page: Page, row: int) -> int:
    """The height of a page's row."""
    height = page.heights.get(row)
    return ROW if height is None else int(4 / 3 * height)


def _heights(page: Page, items: Sequence[Placed], widths: Sequence[int], count: int) -> list[int]:
    """Rows that have no height of their own grow with the lines of a text that is wrapped."""
    heights = [row_pixels(page, row) for row in range(count)]
    for item in items:
        if isinstance(item, Text) and item.style in WRAPPED_STYLES and item.row not in page.heights:
            room = sum(widths[item.column : item.column + item.columns])
            heights[item.row] = max(heights[item.row], ROW * ceil(len(item.text) * CHARACTER / room))
    return heights


def _shape(item: Placed) -> tuple[int, int]:
    """Rows and columns of an item's cells."""
    if isinstance(item, Text) or (isinstance(item, Block) and item.columns > 1):
        return 1, item.columns
    return item.matrix.shape if isinstance(item, Block) else (1, 1)


def chart_end(page: Page, chart: CHARTS) -> tuple[int, int]:
    """The last row and column that a chart reaches into."""
    return (
        _reached(chart.row, chart.size[1], lambda row: row_pixels(page, row)),
        _reached(chart.column, chart.size[0], lambda column: column_pixels(page, column)),
    )


def _reached(first: int, pixels: int, size: Callable[[int], int]) -> int:
    while pixels > size(first):
        pixels -= size(first)
        first += 1
    return first


def _extent(page: Page, items: Sequence[Placed]) -> tuple[int, int]:
    """The last row and column that anything reaches: charts, and texts that run over empty cells."""
    row = column = 0
    for item in items:
        below, right = _cells_end(page, item)
        if isinstance(item, Text) and item.columns == 1 and item.style not in (*WRAPPED_STYLES, *HEADING_STYLES):
            pixels = min(int(len(item.text) * CHARACTER), WIDEST_TEXT)
            right = _reached(item.column, pixels, lambda column: column_pixels(page, column))
        row, column = max(row, below), max(column, right)
    return row, column


def _cells_end(page: Page, item: Placed) -> tuple[int, int]:
    """The last row and column of an item's cells, or that its chart reaches into."""
    if isinstance(item, CHARTS):
        return chart_end(page, item)
    rows, columns = _shape(item)
    return item.row + rows - 1, item.column + columns - 1


class _Lines(Struct, frozen=True):
    """Rows from the top, or columns from the left.

    Further: the length of each, which hold something, which must not be the first on a sheet of paper, and where charts
    begin.
    """

    sizes: Sequence[int]
    held: list[bool]
    glued: list[bool]
    charts: set[int] = field(default_factory=set)

    def cuts(self, room: float, frozen: int, repeated: int) -> list[int]:
        """Where to cut: before a block (rows without an empty one between) that no longer fits.

        A block that is longer than a sheet of paper is cut within; no chart is cut, and no heading is separated from
        what follows.
        """
        ends = [0, *accumulate(self.sizes)]
        cuts: list[int] = []
        first = 0
        while (
            len(cuts) < MOST_BREAKS
            and first + 1 < len(self.sizes)
            and ends[-1] - ends[first] > (left := room - (repeated if first >= frozen else 0))
        ):
            over = bisect_right(ends, ends[first] + left) - 1
            begin = next((k for k in range(over, first, -1) if self._begins(k)), first)
            last = bisect_right(ends, ends[begin] + room - repeated) - 1
            if begin == first or (last < len(self.sizes) and all(self.held[over : last + 1])):
                # Longer than a sheet: as much of it as fits.
                begin = next((k for k in range(over, first, -1) if not self.glued[k]), over)
            # The frame of a chart at the cut would be drawn on both sheets.
            begin -= begin in self.charts and not self.held[begin - 1]
            first = max(begin, first + 1)
            cuts.append(first)
        return cuts

    def _begins(self, k: int) -> bool:
        return self.held[k] and not self.held[k - 1] and not self.glued[k]


def _rows(items: Sequence[Placed], heights: Sequence[int], page: Page) -> _Lines:
    lines = _Lines(heights, [False] * len(heights), [False] * (len(heights) + 1))
    numbers, bottoms = [False] * len(heights), set()
    for item in items:
        bottom = chart_end(page, item)[0] if isinstance(item, CHARTS) else item.row + _shape(item)[0] - 1
        covered = slice(item.row, bottom + 1)
        lines.held[covered] = [True] * (bottom + 1 - item.row)
        if isinstance(item, CHARTS):
            lines.glued[item.row + 1 : bottom + 1] = [True] * (bottom - item.row)
            lines.charts.add(item.row)
            bottoms.add(bottom)
        if isinstance(item, CHARTS | DataBars) or item.style not in HEADING_STYLES:
            numbers[covered] = lines.held[covered]
    for row, (held, number) in enumerate(zip(lines.held, numbers, strict=True), start=1):
        lines.glued[row] |= held and not number
    for top in lines.charts:
        # What stands right above a chart is its heading, where it is no chart.
        lines.glued[top] |= top > 0 and lines.held[top - 1] and top - 1 not in bottoms
    return lines


def _columns(items: Sequence[Placed], widths: Sequence[int], page: Page) -> _Lines:
    lines = _Lines(widths, [False] * len(widths), [False] * (len(widths) + 1))
    for item in items:
        if isinstance(item, CHARTS):
            right = chart_end(page, item)[1]
        elif isinstance(item, Text) and item.style not in ("heading", "heading-left", "column"):
            continue  # titles and sentences run over columns
        else:
            right = item.column + _shape(item)[1] - 1
        lines.held[item.column : right + 1] = [True] * (right + 1 - item.column)
        if not isinstance(item, Block):
            lines.glued[item.column + 1 : right + 1] = [True] * (right - item.column)
    return lines
