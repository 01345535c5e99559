"""What pages are made of: sections one under another, each declared by what it shows."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from sheetsim.model.expr import Matrix
from sheetsim.model.series import Series
from sheetsim.studies.pages import abreast, layer_heads, page_title, table_items, title_height
from sheetsim.summary.table import Table
from sheetsim.summary.verdict import Verdict, meanings, tones
from sheetsim.workbook.layout import (
    Bars,
    Block,
    Colors,
    HorizontalBars,
    Item,
    Lines,
    Link,
    Number,
    Page,
    Scatter,
    Sparklines,
    Text,
    step_blocks,
)

Chart = Bars | HorizontalBars | Lines | Scatter

LINE = 17.0  # points of a line of the style `lead`


class Section(Struct, frozen=True):
    """A part of a page: items in rows from 0, and how many rows they take.

    Further: heights of some rows in points, and the number of empty rows above the part.
    """

    items: Sequence[Item]
    rows: int
    heights: Mapping[int, float] = field(default_factory=dict)
    gap: int = 1


class Control(Struct, frozen=True):
    """A cell that can be changed, its label and the text beside it."""

    label: str
    matrix: Matrix
    hint: str = ""


class Row(Struct, frozen=True):
    """A row of numbers or words: its label, and a cell per column (none where there is None).

    Further: their style or styles, a hint, and the sheet that the label leads to, if any.
    """

    label: str
    cells: Sequence[Matrix | None]
    style: str | Sequence[str] = "center"
    hint: str = ""
    sheet: str = ""

    def items(self, row: int, hint_column: int = 0) -> list[Item]:
        """Its items at a row of a page."""
        styles = [self.style] * len(self.cells) if isinstance(self.style, str) else self.style
        label = Link(row, 0, self.label, "link", sheet=self.sheet) if self.sheet else Text(row, 0, self.label, "label")
        shown: list[Item] = [label]
        shown += [
            Block(row, c, cell, style)
            for c, (cell, style) in enumerate(zip(self.cells, styles, strict=True), start=1)
            if cell is not None
        ]
        return shown + ([Text(row, hint_column, self.hint, "hint")] if hint_column else [])


class Overview(Struct, frozen=True):
    """A book's first page: its title, over so many columns, and sections.

    otherwise: the title where there is none; verdicts: what its cells of that style can say.
    """

    title: str
    otherwise: str
    columns: int
    sections: Sequence[Section]
    widths: Mapping[int, float]
    verdicts: Sequence[Verdict] = ()

    def page(self) -> Page:
        """The page."""
        items, heights = stacked(self.sections, 1)
        title = page_title(self.title, self.otherwise, self.columns)
        heights = {0: title_height(self.title), **heights}
        return Page("Overview", (title, *items), self.widths, heights, tones=tones(self.verdicts))


def stacked(sections: Iterable[Section], top: int) -> tuple[list[Item], dict[int, float]]:
    """The items of sections one under another from a row on, and the heights of rows."""
    items: list[Item] = []
    heights: dict[int, float] = {}
    for section in sections:
        top += section.gap
        items += [moved(item, top) for item in section.items]
        heights |= {top + row: height for row, height in section.heights.items()}
        top += section.rows
    return items, heights


def moved(item: Item, rows: int) -> Item:
    """The item so many rows further down."""
    assert not isinstance(item, Colors)
    return replace(item, row=item.row + rows)


def lead(sentences: Sequence[str | Text], columns: int, height: float | Sequence[float] = LINE) -> Section:
    """What the page is about, a row a sentence."""
    heights = height if isinstance(height, Sequence) else [height] * len(sentences)
    items = [
        replace(one, row=k) if isinstance(one, Text) else Text(k, 0, one, "lead", columns)
        for k, one in enumerate(sentences)
    ]
    return Section(items, len(sentences), dict(enumerate(heights)), gap=0)


def lines(texts: Sequence[str], style: str = "text", columns: int = 1, height: float = 0, gap: int = 1) -> Section:
    """Texts one under another."""
    items = [Text(k, 0, text, style, columns) for k, text in enumerate(texts)]
    return Section(items, len(texts), dict.fromkeys(range(len(texts)), height) if height else {}, gap)


def controls(
    cells: Sequence[Control], hints: Sequence[str] = (), columns: int = 1, more: Sequence[Item] = (), gap: int = 1
) -> Section:
    """Yellow cells; hints: said beside them all, over so many columns; more: what else stands there."""
    items: list[Item] = []
    for k, control in enumerate(cells):
        items += [Text(k, 0, control.label, "label"), Block(k, 1, control.matrix, "input")]
        if control.hint:
            items.append(Text(k, 2, control.hint, "hint"))
    items += [Text(k, 2, hint, "hint", columns) for k, hint in enumerate(hints)]
    return Section([*items, *more], len(cells), gap=gap)


def numbers(rows: Sequence[Row], head: Sequence[Item] = (), hint_column: int = 0, gap: int = 1) -> Section:
    """Rows of numbers under a heading (items of row 0)."""
    first = 1 if head else 0
    items = [*head, *(item for k, row in enumerate(rows, start=first) for item in row.items(k, hint_column))]
    return Section(items, first + len(rows), gap=gap)


def headed(label: str, headings: Sequence[str]) -> list[Item]:
    """A heading a column, to stand over rows of numbers."""
    return [Text(0, 0, label, "heading-left"), *(Text(0, c, text, "heading") for c, text in enumerate(headings, 1))]


def charts(
    beside: Sequence[Chart], height: float, note: str = "", heading: Sequence[str] = (), more: float = 4, gap: int = 1
) -> Section:
    """Charts side by side, as high as their row, with a heading and a text above and a note at their left."""
    first = len(heading)
    items: list[Item] = [Text(k, 0, text, "text" if k else "section") for k, text in enumerate(heading)]
    if note:
        items.append(Text(first, 0, note, "note"))
    items += [replace(chart, row=first) for chart in beside]
    return Section(items, first + 1, {first: height * 0.75 + more}, gap)


def by_layer(
    label: str,
    layers: int,
    across: int,
    rows: Sequence[Row],
    drawn: Callable[[int, int], Sequence[Chart]] | None = None,
    height: float = 0,
    note: str = "",
    last: str = "",
    to: str = "",
    called: str = "",
) -> list[Section]:
    """Layers side by side, so many at most, then the next ones below: charts and rows of numbers.

    drawn: the charts of a layer (from 0) at a column; note: left of the first charts; last: what the last layer is
    called; to: the title of the sheets that the headings lead to; called: what the charts show, the label otherwise.
    """
    sections = []
    for places in abreast(layers, across):
        items = layer_heads(0, label, places, across, last if places[-1] + 1 == layers else "", to)
        first = 2 if drawn else 1
        if drawn:
            items += [Text(1, 0, note, "note")] if note and places[0] == 0 else []
            for c, k in enumerate(places, start=1):
                name = last if last and k + 1 == layers else f"Layer {k + 1}"
                items += [_called(replace(chart, row=1), f"{called or label}: {name}") for chart in drawn(k, c)]
        for r, row in enumerate(rows, start=first):
            cells = [row.cells[k] for k in places if k < len(row.cells)]
            items += replace(row, cells=cells).items(r)
        sections.append(Section(items, first + len(rows), {1: height * 0.75 + 4} if drawn else {}))
    return sections


def _called(chart: Chart, label: str) -> Chart:
    """The chart with what it shows, where no title says it."""
    return chart if chart.title else replace(chart, label=label)


def meaning(verdicts: Sequence[Verdict], columns: int = 1, heading: str = "What the verdicts mean") -> Section:
    """Each word with what it means."""
    items: list[Item] = [Text(0, 0, heading, "section")]
    for k, (word, said) in enumerate(meanings(verdicts).items(), start=1):
        items += [Text(k, 0, word, "label"), Text(k, 1, said, "hint", columns)]
    return Section(items, 1 + len(verdicts))


def table_page(
    table: Table,
    widths: Mapping[int, float],
    freeze: tuple[int, int] | None = (1, 1),
    more: Sequence[Item] = (),
    verdicts: Sequence[Verdict] = (),
    printed: int | None = None,
    drawn: Mapping[str, Sequence[Sequence[Matrix]]] | None = None,
    counts: bool = False,
) -> Page:
    """The sheet of a table; more: what stands beside or below it, of which so many rows are printed.

    drawn: by heading, sparklines at its right: for each row the cells one under another; counts: of a histogram.
    """
    items, said = (*table_items(table), *more), tones(verdicts)
    small = tuple(
        Sparklines(0, column, heading, tuple(map(tuple, cells)), counts)
        for column, (heading, cells) in enumerate((drawn or {}).items(), start=len(table.columns) + 1)
    )
    page = Page(table.sheet, items, widths, freeze=freeze, printed=printed, words=table.what, tones=said)
    return replace(page, sparklines=small)


class Steps(Struct, frozen=True):
    """A series on a page of steps: what stands over it, how its numbers look, and a heading of the columns from here.

    over: columns that the label stands over, the series' own if 0; width: of its columns, in characters.
    """

    series: Series
    label: str = ""
    style: str = "number"
    section: str = ""
    over: int = 0
    width: float = 0


class StepPage(Struct, frozen=True):
    """Series side by side, a row per step, or several rows; from left to right as they are computed.

    head: rows above the first step; heading, notes: the texts above; columns: that they go over; steps: the matrix of
    the numbers of steps, where their cells are here; labeled: the style of the series' labels; wide: a column's width,
    in characters; gap: the width of the column behind the series of a section, none if 0; side: input cells at the
    right; more: what else stands there, with the number of columns that the series take.
    """

    title: str
    heading: str
    notes: Sequence[str]
    shown: Sequence[Steps]
    head: int
    columns: tuple[int, int] = (12, 12)
    steps: Matrix | None = None
    labeled: str = "heading"
    index: str = "heading"
    wide: float = 11
    gap: float = 0
    side: Sequence[Matrix] = ()
    verdicts: Sequence[Verdict] = ()
    more: Callable[[int], Sequence[Item]] = lambda left: ()

    def page(self) -> Page:
        """The page."""
        rows = max(steps.series.rows for steps in self.shown)
        over, under = self.columns
        items: list[Item] = [Text(0, 0, self.heading, "title", over)]
        items += [Text(1 + k, 0, note, "text", under) for k, note in enumerate(self.notes)]
        if under > 1:
            # A space is content: without it LibreOffice cuts the page, and the notes, after the last column of numbers.
            items.append(Text(0, over, " "))
        items += self._index(rows)
        left = 1 if rows == 1 else 2
        widths: dict[int, float] = {0: 8} if rows == 1 else {0: 8, 1: 6}
        heads = 2
        for k, steps in enumerate(self.shown):
            if steps.section:
                heads = 3
                items.append(Text(self.head - 3, left, steps.section, "section"))
            items += self._series(left, steps)
            columns = range(left, left + steps.series.shape[1])
            widths |= dict.fromkeys(columns, steps.width or self.wide)
            left = columns.stop
            if self.gap and (k + 1 == len(self.shown) or self.shown[k + 1].section):
                widths[left] = self.gap
                left += 1
        for node in self.side:
            widths |= dict.fromkeys(range(left + 1, left + 1 + node.shape[1]), 18)
            items += self._headed(left + 1, str(node.name), map(str, range(1, node.shape[1] + 1)))
            items.append(Block(self.head, left + 1, node, "input"))
            left += node.shape[1] + 1
        items += self.more(left)
        freeze = self.head, 1 if rows == 1 else 2
        # The sheet of a path is called as the path.
        words = "a row a step" if self.heading == self.title else self.heading
        said = tones(self.verdicts)
        return Page(self.title, tuple(items), widths, {0: 28}, freeze, heads=heads, words=words, tones=said)

    def _series(self, left: int, steps: Steps) -> list[Item]:
        series = steps.series
        width = series.shape[1]
        items = self._headed(left, steps.label, series.columns or map(str, range(1, width + 1)), steps.over)
        return items + list(step_blocks(self.head + series.first * series.rows, left, series, steps.style))

    def _headed(self, left: int, label: str, headings: Iterable[str], over: int = 0) -> list[Item]:
        texts = list(headings)
        items: list[Item] = [Text(self.head - 2, left, label, self.labeled, over or len(texts))] if label else []
        return items + [Text(self.head - 1, left + k, text, "column") for k, text in enumerate(texts)]

    def _index(self, rows: int) -> list[Item]:
        items: list[Item] = [Text(self.head - 1, 0, "step", "heading")]
        if rows > 1:
            items.append(Text(self.head - 1, 1, "row", "heading"))
        if self.steps is not None:
            return [*items, Block(self.head, 0, self.steps, self.index)]
        for k in range(rows * max(steps.series.first + len(steps.series) for steps in self.shown)):
            items.append(Number(self.head + k, 0, k // rows, self.index))
            if rows > 1:
                items.append(Number(self.head + k, 1, k % rows + 1, self.index))
        return items
