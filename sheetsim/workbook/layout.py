"""What stands where in a workbook: sheets as data, and the place of every matrix. It writes no file."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, partial
from typing import NamedTuple, TypeAlias

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace

from sheetsim.errors import SheetsimError
from sheetsim.language import ENGLISH, Language, language
from sheetsim.model.expr import Choice, Constant, Draw, Matrix, Routine
from sheetsim.model.op import Array, Op, Shape
from sheetsim.model.series import Series
from sheetsim.model.traversal import topological
from sheetsim.workbook import limits
from sheetsim.workbook.formulas import FormulaText, address, column_letters, formula, local_range, lowered, quoted

# Characters of a formula that a note shows, and matrices that it refers to.
LONGEST_FORMULA, MOST_PARTS = 600, 12

# Before and after the number of a row that each cell's formula has another of: no text of a cell can hold it.
ROW_MARK = "\0"


class MatrixSheet(Struct, frozen=True):
    """One matrix on a sheet of its own: row 1 the column numbers, column A the row numbers, numbers from B2.

    corner: the text of A1, which says what the rows are ("sample"); headings: texts in place of the column numbers,
    the matrix's own if there are none; wholes: so many first columns hold whole numbers, and the others are of
    different kinds, without one color scale; constants: where its numbers are from, where they are no draws.
    tab, words, back: as of every sheet (see Page).
    """

    title: str
    matrix: Matrix
    corner: str = "row"
    headings: tuple[str, ...] = ()
    wholes: int = 0
    constants: str = "given"
    tab: str = ""
    words: str = ""
    back: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The texts of row 1 from B1, if it has texts."""
        return self.headings or self.matrix.headings


class SeriesSheet(Struct, frozen=True):
    """A series on a sheet of its own: row 1 the headings, column A the step, and B the row where a step has several."""

    title: str
    matrix: Series
    tab: str = ""
    words: str = ""
    back: str = ""
    labels: tuple[str, str] = ("step", "row")

    @property
    def items(self) -> "tuple[Block, ...]":
        """The whole, and the steps, each with cells and a formula of its own."""
        return step_blocks(1, self.left, self.matrix)

    @property
    def left(self) -> int:
        """The numbers' first column."""
        return 1 if self.matrix.rows == 1 else 2

    @property
    def headings(self) -> tuple[str, ...]:
        """The texts of row 1."""
        series = self.matrix
        return self.labels[: self.left] + (series.columns or tuple(map(str, range(1, series.shape[1] + 1))))


class Text(Struct, frozen=True):
    """A fixed text, over `columns` cells when that is more than 1; is_name: whether it is one in every language."""

    row: int
    column: int
    text: str
    style: str = "text"
    columns: int = 1
    is_name: bool = False


class Link(Text, frozen=True):
    """A text that leads to a cell: of a sheet, in a row from 0 and the first column."""

    sheet: str = ""
    to_row: int = 0


class Number(Struct, frozen=True):
    """A fixed number that no formula refers to: a heading, a parameter."""

    row: int
    column: int
    number: float
    style: str = "heading"


class Block(Struct, frozen=True):
    """A matrix whose home is here, its first cell at (row, column); a single text over `columns` cells."""

    row: int
    column: int
    matrix: Matrix
    style: str = "number"
    columns: int = 1


def step_blocks(row: int, column: int, series: Series, style: str = "number") -> "tuple[Block, ...]":
    """A series on a page: its place as a whole, and its steps one under another."""
    first = Block(row, column, series, "none")
    steps = (
        Block(row + k * series.rows, column, step, style if step.is_op else "input") for k, step in enumerate(series)
    )
    return first, *steps


class Echo(Struct, frozen=True):
    """A single number or text that lives elsewhere, shown here by a reference."""

    row: int
    column: int
    matrix: Matrix
    style: str = "number"


class Spike(Struct, frozen=True):
    """A bar of a histogram in a color of its own, which can be broken, with a share beside it where that is not 0.

    at: its place among the bars, from 0; parts: heights of three bars, each over the one before: what is above the
    gap, the gap, what is below it. A cell of `parts` and `share` has at least `at` empty cells above it.
    """

    at: int
    name: str
    share: Matrix
    parts: tuple[Matrix, Matrix, Matrix]


class Bars(Struct, frozen=True):
    """A native column chart without gaps: a histogram of `counts`, one more than there are `labels`.

    The first and the last bar are what lies outside the range: in a color of their own, and named where they are not
    empty. The labels are those cells and the one below them.

    height: a 1×1 matrix drawn as an invisible bar, so that charts that share it share their scale.
    size: width and height in pixels; every: a label at each so many bars.
    spike: a bar of its own behind the others; native: the numbers that are counted, of which Excel draws its own
    histogram with these bins in place of this chart; label: of this and other charts, "HEADING: NAME", what a chart
    without a title shows, for those who do not see the cells above it; outside: what the first and the last bar are
    called.
    """

    row: int
    column: int
    title: str
    counts: Matrix
    labels: Matrix
    size: tuple[int, int]
    every: int
    height: Matrix
    axis: str = ""
    spike: Spike | None = None
    native: "tuple[Line, ...]" = ()
    label: str = ""
    outside: tuple[str, str] = ("below", "more")


class Line(Struct, frozen=True):
    """A line of a chart: cells one under another (single matrices, or one column) and a name.

    style: "solid", "dashed" (theory), "guide" (dashed, in a color of its own), "faint" (an interval's end), "band"
    (the same, in the color of the line before it, and in no legend), "inner" and "outer" (thinner and dashed, in that
    color too) or "none" (unseen, for the scale).
    """

    name: str
    cells: tuple[Matrix, ...]
    style: str = "solid"


class Lines(Struct, frozen=True):
    """A native line chart: cells against `labels` (cells too; without them 1, 2, 3, …), with its axes' names.

    logarithmic: a scale of powers of ten, for values above 0; share: values from 0 to 1, in percent; native: the
    numbers, of which Excel draws a box plot in its place, a box a line.
    """

    row: int
    column: int
    title: str
    lines: tuple[Line, ...]
    size: tuple[int, int]
    axis: str = ""
    labels: tuple[Matrix, ...] = ()
    logarithmic: bool = False
    share: bool = False
    native: tuple[Line, ...] = ()
    label: str = ""


class HorizontalBars(Struct, frozen=True):
    """A native bar chart: a name a row, the first one at the top, and a bar a part.

    parts: a name, and cells one under another, one for each name; names: the column of these, from 0, in the rows of
    the cells; stacked: whether a row's bars lie on one line, as what is below and above 0 does in a tornado.
    """

    row: int
    column: int
    title: str
    parts: tuple[Line, ...]
    names: int
    size: tuple[int, int]
    axis: str = ""
    stacked: bool = False
    label: str = ""


class DataBars(Struct, frozen=True):
    """Bars in so many cells under one another, from 0 to 1 full."""

    row: int
    column: int
    rows: int


class Ticks(NamedTuple):
    """An axis of fixed ends, and the distance of its ticks."""

    low: float
    high: float
    tick: float


class Trace(Struct, frozen=True):
    """Points of a scatter chart (n×2, an x and a y a row), joined in their order.

    color: its number among the lines' colors; style: "path" (a thin line with markers) or "point" (a marker alone).
    """

    name: str
    points: Matrix
    color: int = 0
    style: str = "path"


class Scatter(Struct, frozen=True):
    """A native scatter chart: traces over `contours`, thin gray lines (points n×2) that the legend leaves out.

    window: the axes of x and y. Fixed, so that lines stay in sight when a trace leaves it.
    """

    row: int
    column: int
    title: str
    traces: tuple[Trace, ...]
    contours: tuple[Matrix, ...]
    window: tuple[Ticks, Ticks]
    size: tuple[int, int]
    axes: tuple[str, str] = ("x", "y")
    label: str = ""


class Colors(Struct, frozen=True):
    """Three colors from the smallest number to the largest, one scale over all areas (row, column, rows, columns).

    at: the numbers of the three colors, instead of the smallest, the median and the largest.
    """

    areas: tuple[tuple[int, int, int, int], ...]
    at: tuple[float, float, float] | None = None


class Sparklines(Struct, frozen=True):
    """Bars in a cell a row beside a table, in books whose theme asks for them: Excel's sparklines.

    row, column: of the heading, under which they stand; cells: for each row what it draws, one under another, none
    where it has no bars; counts: whether these are of a histogram, and their scale begins at 0.
    """

    row: int
    column: int
    heading: str
    cells: tuple[tuple[Matrix, ...], ...]
    counts: bool = False


class Area(NamedTuple):
    """A rectangle of cells on a sheet, from 0."""

    sheet: str
    row: int
    column: int
    shape: Shape


Item: TypeAlias = Text | Number | Block | Echo | Bars | HorizontalBars | Lines | Scatter | Colors | DataBars


class Page(Struct, frozen=True):
    """A sheet for people: items at chosen cells. `widths` in characters by first column, `heights` in points by row.

    heads: so many rows above the frozen line are printed on each sheet of paper; printed: so many rows are printed at
    all, where those below are for the screen. tab: the color of its tab, a key of a theme's tabs; words: what it holds;
    back: the sheet that its first cell leads to; tones: what the cells of the style `verdict` can say, each word with
    its tone, a key of a theme's tones; sparklines: beside its tables.
    """

    title: str
    items: tuple[Item, ...]
    widths: Mapping[int, float] = field(default_factory=dict)
    heights: Mapping[int, float] = field(default_factory=dict)
    freeze: tuple[int, int] | None = None
    gridlines: bool = False
    heads: int = 1
    printed: int | None = None
    tab: str = ""
    words: str = ""
    back: str = ""
    tones: Mapping[str, str] = field(default_factory=dict)
    sparklines: tuple[Sparklines, ...] = ()

    def __post_init__(self) -> None:
        for item in self.items:
            if isinstance(item, Text | Block | Echo) and item.style in ("verdict", "verdict-top"):
                said = {item.text} if isinstance(item, Text) else possible_texts(item.matrix)
                if unknown := said - self.tones.keys():
                    raise ValueError(f"{self.title}: no verdict is declared for {', '.join(sorted(unknown))}")


def possible_texts(node: Matrix) -> set[str]:
    """The texts that an expression can be: those of its branches, without the ones that it compares."""
    texts: set[str] = set()
    left, seen = [node], set()
    while left:
        part = left.pop()
        if part in seen:
            continue
        seen.add(part)
        if isinstance(part.source, Constant) and isinstance(part.source.value, str):
            texts.add(part.source.value)
        elif getattr(part.source, "name", "") == "where":
            left += part.args[1:]
    return texts


Sheet: TypeAlias = MatrixSheet | SeriesSheet | Page


class Layout:
    """The sheets in their order, where each matrix lives, and its formula.

    live: without it there are no formulas, and no matrix needs what it is computed from. spoken: the book's
    language. Sheets and values stay in English: `say` has what a cell shows. Raises SheetsimError for what a workbook
    cannot hold.
    """

    def __init__(self, sheets: Iterable[Sheet], *, live: bool = True, spoken: Language | None = None) -> None:
        self.live = live
        self.spoken = spoken or language(ENGLISH)
        self.places: dict[Matrix, Area] = {}
        # The named matrices and the steps of series, by their expressions: a part of a formula that equals one refers
        # to it.
        self._homes: dict[Matrix, Matrix] = {}
        self.sheets = tuple(self._settled(sheet) for sheet in sheets)
        # What a person picks stays as templates and formulas have it.
        self._options = {
            option for node in self.places if isinstance(node.source, Choice) for option in node.source.options
        }
        limits.check_titles(sheet.title for sheet in self.sheets)
        limits.check_names(str(node.name) for node in self.named())
        for node in self.places:
            if isinstance(node.source, Choice):
                _check_choice(str(node.name), node.source)

    @cached_property
    def formulas(self) -> dict[Matrix, str]:
        """Each matrix's formula, the first cell's where each cell has one.

        They are written when they are asked for first: numbers alone need none. Raises SheetsimError for a formula that
        Excel cannot hold.
        """
        self._arrays: set[Matrix] = set()
        # Of a matrix whose cells have a formula each, its columns', in pieces with the numbers of rows between them.
        self._by_cell: dict[Matrix, list[list[str]]] = {}
        texts: dict[Matrix, FormulaText] = {}
        formulas = {node: self._formula(node, texts) for node in self.places if self.live and _has_formula(node)}
        for sheet in self.sheets:
            if isinstance(sheet, SeriesSheet) and not self._by_cell.keys().isdisjoint(sheet.matrix):
                raise SheetsimError(
                    f"{sheet.matrix.name}: a step of a series contains an operation that needs a formula in each cell"
                )
        return formulas

    @cached_property
    def notes(self) -> dict[str, list[str]]:
        """By title what is said of a matrix's sheet."""
        return {sheet.title: self._note(sheet) for sheet in self.sheets if not isinstance(sheet, Page)}

    def _settled(self, sheet: Sheet) -> Sheet:
        """The sheet with each matrix in its own cells where it first stands, and as a reference elsewhere."""
        if isinstance(sheet, MatrixSheet):
            self._settle(sheet.title, 1, 1, sheet.matrix)
            for text in sheet.columns:
                limits.check_cell_text(f"a column's heading on sheet {sheet.title!r}", text)
            return sheet
        items: list[Item] = []
        for item in sheet.items:
            if not isinstance(item, Block):
                items.append(item)
            elif isinstance(item.matrix.source, Constant) and item.matrix.expression is item.matrix:
                items.append(_constant(item, item.matrix.source.value))
            elif item.matrix in self.places and item.matrix.shape == (1, 1):
                items.append(Echo(item.row, item.column, item.matrix, item.style))
            else:
                self._settle(sheet.title, item.row, item.column, item.matrix)
                items.append(item)
        return replace(sheet, items=tuple(items)) if isinstance(sheet, Page) else sheet

    def _settle(self, title: str, row: int, column: int, node: Matrix) -> None:
        if node in self.places:
            raise SheetsimError(f"{node!r} is laid out twice: on {self.places[node].sheet} and {title}")
        what = f"{node.name or 'a matrix'} on sheet {title!r}"
        limits.check_size(what, row + node.shape[0], column + node.shape[1])
        self.places[node] = Area(title, row, column, node.shape)
        for home in (node, *(node if isinstance(node, Series) else ())):
            if home.name is not None or home is not node:
                self._homes.setdefault(home.expression, home)

    def _formula(self, node: Matrix, texts: "dict[Matrix, FormulaText]") -> str:
        place = self.places[node]
        what = node.name or f"{local_range(*place[1:])} on sheet {place.sheet!r}"
        text, is_array, is_by_cell = lowered(node, self.reference, what, self.say, texts)
        if is_by_cell:
            columns = range(node.shape[1])
            self._by_cell[node] = [
                formula(node, partial(self._cell, c), what, self.say).split(ROW_MARK) for c in columns
            ]
            text = self.cell_formula(node, node.shape[0] - 1, columns[-1])
            limits.check_formula(what, text)
            return self.cell_formula(node, 0, 0)
        limits.check_formula(what, text)
        if is_array:
            self._arrays.add(node)
        return text

    def say(self, text: str) -> str:
        """An English text as the book shows it."""
        return text if text in self._options else self.spoken.say(text)

    def said(self, item: Text) -> str:
        """What a text's cell shows."""
        return item.text if item.is_name or item.style == "code" else self.say(item.text)

    def shown(self, values: Array) -> Array:
        """Values as cells show them: texts in the book's language."""
        return (
            np.array([[self.say(text) for text in row] for row in values.tolist()])
            if values.dtype.kind == "U"
            else values
        )

    def is_array(self, node: Matrix) -> bool:
        """Whether the matrix's formula is an array formula."""
        return node in self.formulas and node in self._arrays

    def is_by_cell(self, node: Matrix) -> bool:
        """Whether the matrix has no array formula, and a formula in each cell: `formulas` has the first."""
        return node in self.formulas and node in self._by_cell

    def cell_formula(self, node: Matrix, row: int, column: int) -> str:
        """The formula of a cell of such a matrix, from 0."""
        pieces = self._by_cell[node][column]
        return "".join(str(int(piece) + row) if k % 2 else piece for k, piece in enumerate(pieces))

    def _cell(self, column: int, node: Matrix) -> str | None:
        """What stands for one cell of a matrix: that of a row, whose number is marked, and of a column from 0."""
        home = self.home(node)
        if home is None or home.shape == (1, 1):
            return self.reference(node)
        place = self.places[home]
        letters = column_letters(place.column + (column if home.shape[1] > 1 else 0))
        row = f"{ROW_MARK}{place.row + 1}{ROW_MARK}" if home.shape[0] > 1 else f"${place.row + 1}"
        return f"{quoted(place.sheet)}!{letters}{row}"

    def reference(self, node: Matrix) -> str | None:
        """What stands for the matrix in a formula: its name, its address, or None where it has no place."""
        home = self.home(node)
        if home is None:
            return None
        place = self.places[home]
        return home.name or address(place.sheet, place.row, place.column, place.shape)

    def home(self, node: Matrix) -> Matrix | None:
        """The matrix with a place whose numbers these are, itself or another of the same expression; else None."""
        return node if node in self.places else self._homes.get(node.expression)

    def _note(self, sheet: MatrixSheet | SeriesSheet) -> list[str]:
        """What is said of a matrix's sheet: what it holds, its formula, and where that takes its numbers from."""
        node = sheet.matrix
        shown = node
        said: list[str] = []
        size = f"{node.shape[0]:,} × {node.shape[1]:,}"
        if isinstance(node, Series):
            said.append(f"{node.name}: {len(node)} steps of {node.rows:,} × {node.shape[1]:,}, one under another")
            shown = next((step for step in node if step.is_op), node.args[0])
            if shown in self.formulas and len(node) > 1:
                said.append(f"Step {node.first + node.args.index(shown)}; each later one by the same rule:")
        else:
            said.append(f"{node.name}: {size}")
        if shown in self.formulas:
            text = self.formulas[shown]
            if self.is_by_cell(shown):
                said.append("A formula a cell; in the first one:")
            said.append("=" + (text if len(text) <= LONGEST_FORMULA else f"{text[:LONGEST_FORMULA]} …"))
            parts = _parts(shown, self.home)[:MOST_PARTS]
            said += dict.fromkeys(f"{part.name or 'cells'}: sheet {self.places[part].sheet}" for part in parts)
        elif isinstance(node.source, Draw):
            said.append(f"Constants, drawn: {node.source.law}")
        elif isinstance(node.source, Routine):
            said.append(f"Constants, computed by NumPy: {node.source.name}")
        elif shown.is_op:
            said.append("Numbers without formulas")
        else:
            constants = sheet.constants if isinstance(sheet, MatrixSheet) else "given"
            said.append(f"Constants, {constants}")
        heads = [f"{sheet.title}: {self.say(sheet.words)}"] if sheet.words else []
        return heads + [self.say(line) for line in said]

    def named(self) -> Iterator[Matrix]:
        """The matrices that get a name in the workbook, in order of place."""
        return (node for node in self.places if node.name is not None)


def _has_formula(node: Matrix) -> bool:
    return isinstance(node.source, Op) and bool(node.source.excel)


def _constant(item: Block, value: float | str) -> Text | Number:
    if isinstance(value, str):
        return Text(item.row, item.column, value, item.style, item.columns)
    return Number(item.row, item.column, value, item.style)


def _parts(node: Matrix, home: Callable[[Matrix], Matrix | None]) -> list[Matrix]:
    """The matrices with a place that a formula refers to, each once, in its order."""
    order = topological(node.args, lambda part: () if home(part) is not None else part.args)
    homes = map(home, order)
    return list(dict.fromkeys(part for part in homes if part is not None))


def _check_choice(name: str, choice: Choice) -> None:
    listed = ",".join(choice.options)
    if any("," in option for option in choice.options) or len(listed) > limits.VALIDATION_CHARACTERS:
        raise SheetsimError(
            f"the options of {name} must have no comma, and at most {limits.VALIDATION_CHARACTERS} characters in total"
        )
