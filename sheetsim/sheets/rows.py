"""Filled columns: cells of one formula that do not depend on one another, compiled once and computed together.

A formula is computed over rows × trials as over so many trials: the values of its references are laid one row after
another. What differs between rows but not between trials is computed once, a value a row. So every function has one
definition, and the same numbers come out as cell by cell.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sheetsim.errors import SheetsimError
from sheetsim.model.op import Array
from sheetsim.sheets.book import CellId, SheetBook
from sheetsim.sheets.compiled import Compiled, Compiler, Compute, fixed
from sheetsim.sheets.function import RAW
from sheetsim.sheets.functions import FUNCTIONS
from sheetsim.sheets.operators import OPERATIONS, CellGrid, Context
from sheetsim.sheets.references import RANDOM, CellArea, ReferenceValueError, UnknownFormulaError
from sheetsim.sheets.values import (
    TEXT,
    CellError,
    TrialColumn,
    Value,
    scalars_of,
    simplified,
    to_column,
)
from sheetsim.workbook.limits import COLUMNS, ROWS
from sheetsim.workbook.reading.syntax import (
    AreaNode,
    ArrayNode,
    CallNode,
    ErrorLiteral,
    Literal,
    NameNode,
    Node,
    OperatorNode,
    TableNode,
)
from sheetsim.workbook.reading.values import Rectangle, key

# Fewer rows take as long together as one by one.
FEWEST_ROWS = 8

# Rows of a group at most, so that what is held at once stays nearly what it is cell by cell.
MOST_ROWS = 1024

# Rows × trials that are computed at once: arrays of this size stay in the processor's caches.
VALUES_AT_ONCE = 32_768

# Cells of a range that each row has of its own.
MOST_OF_RANGE = 64

# Functions of ranges that take as long over rows × trials as row by row. Others ask where a range lies (ROW), or do
# once what is the same in all trials (COUNTIF by its criterion).
OF_RANGES = frozenset(
    (
        *("AND", "OR", "XOR", "SUM", "SUMSQ", "PRODUCT", "AVERAGE", "AVERAGEA", "COUNT", "COUNTA", "COUNTBLANK"),
        *("MIN", "MAX", "MEDIAN", "STDEV", "STDEV.S", "STDEVP", "STDEV.P", "VAR", "VAR.S", "VARP", "VAR.P"),
        *("SUMPRODUCT", "VLOOKUP", "HLOOKUP", "LOOKUP", "MATCH", "INDEX", "NPV", "IRR", "ROWS", "COLUMNS"),
    )
)


class RowsContext(Context):
    """Some rows of a group, each with the trials of a block. first, last: the rows; width: trials of each."""

    __slots__ = ("first", "last", "width")

    def __init__(self, whole: Context, first: int, last: int) -> None:
        super().__init__((last - first) * whole.trials, whole.slots, whole.is_1904)
        self.pool = whole.pool
        self.first, self.last, self.width = first, last, whole.trials


class ApartError(Exception):
    """Rows that are computed one by one after all."""


class _Reference(Struct, frozen=True):
    """What a reference is in each row: a rectangle of so many cells, at the upper left of which these cells stand."""

    sheet: int
    height: int
    width: int
    keys: NDArray[np.int64]

    @property
    def size(self) -> int:
        return self.height * self.width

    def positions(self) -> Iterable[NDArray[np.int64]]:
        """By cell of the rectangle, row by row, which cell it is in each row of the group."""
        for r in range(self.height):
            for c in range(self.width):
                yield self.keys + (r * COLUMNS + c)

    @property
    def is_one(self) -> bool:
        """Whether it is the same rectangle in all rows."""
        return bool((self.keys == self.keys[0]).all())

    def area(self) -> CellArea:
        """The rectangle of the first row."""
        top, left = divmod(int(self.keys[0]), COLUMNS)
        return CellArea(self.sheet, Rectangle(top, left + 1, top + self.height - 1, left + self.width))


class RowGroups:
    """Finds the cells that are computed together. varies: whether a cell is computed over trials."""

    def __init__(self, compiler: Compiler, varies: Callable[[CellId], bool]) -> None:
        self._compiler, self._book, self._varies = compiler, compiler.book, varies
        self._references: dict[tuple[int, int], tuple[Node, list[Node] | None]] = {}

    def of_levels(self, levels: Mapping[CellId, int]) -> list[list[CellId]]:
        """Groups of cells of one formula, none of which needs another of its group.

        levels: by cell, in the order of computation, 1 more than the highest of those that it needs: cells of one level
        are independent, and so are groups.
        """
        alike: dict[tuple[int, int, int], list[CellId]] = {}
        for cell, level in levels.items():
            if cell[1] not in self._book.sheet(cell[0]).arrays:
                tree, _ = self._book.tree(cell)
                alike.setdefault((id(tree), cell[0], level), []).append(cell)
        groups = []
        for cells in alike.values():
            if len(cells) >= FEWEST_ROWS:
                for same in self._of_one_kind(cells):
                    pieces = range(0, len(same), MOST_ROWS)
                    groups += [same[k : k + MOST_ROWS] for k in pieces if len(same) - k >= FEWEST_ROWS]
        return groups

    def _of_one_kind(self, cells: Sequence[CellId]) -> Iterable[list[CellId]]:
        """Those of the cells whose references hold the same kinds of values."""
        nodes = self._referred(cells[0])
        if nodes is None:
            return []
        try:
            references = [reference_in_rows(self._compiler, node, cells) for node in nodes]
            kinds = [kind for one in references for kind in self._kinds(one)]
        except ApartError:
            return []
        if not kinds:
            return [list(cells)]
        same: dict[Hashable, list[CellId]] = {}
        for cell, *of_cell in zip(cells, *kinds, strict=True):
            same.setdefault(tuple(of_cell), []).append(cell)
        return [one for one in same.values() if len(one) >= FEWEST_ROWS]

    def _kinds(self, reference: _Reference) -> Iterable[list[Hashable]]:
        if reference.is_one:
            if reference.size > MOST_OF_RANGE and not self._is_fixed(reference.area()):
                raise ApartError
            return
        if reference.size > MOST_OF_RANGE:
            raise ApartError
        for keys in reference.positions():
            yield [self._kind((reference.sheet, cell), value) for cell, value in self._values(reference.sheet, keys)]

    def _values(self, sheet: int, keys: NDArray[np.int64]) -> Iterable[tuple[int, float]]:
        numbers = self._book.sheet(sheet).values.numbers_at(keys)
        return zip(keys.tolist(), numbers.tolist(), strict=True)

    def _kind(self, cell: CellId, number: float) -> Hashable:
        """Of a cell that is computed and of a number, which of these; anything else is of a kind of its own."""
        if self._varies(cell):
            return "computed"
        if number == number and cell not in self._compiler.values:
            return "number"
        value = self._compiler.fixed_value(cell)
        return "number" if type(value) is float else (type(value), value)

    def _is_fixed(self, area: CellArea) -> bool:
        block = area.block
        places = self._compiler.places
        computed = self._book.sheet(area.sheet).formulas_in(block)
        return not any(self._varies((area.sheet, place)) for place in computed) and not any(
            sheet == area.sheet
            and block.top <= cell // COLUMNS <= block.bottom
            and block.left <= cell % COLUMNS + 1 <= block.right
            for sheet, cell in places
        )

    def _referred(self, cell: CellId) -> list[Node] | None:
        tree, home = self._book.tree(cell)
        at = (id(tree), home[0])
        if at not in self._references:
            # The tree is kept: another one would have its place in memory.
            self._references[at] = tree, references_in(self._compiler, tree, home)
        return self._references[at][1]


def references_in(compiler: Compiler, tree: Node, home: CellId) -> list[Node] | None:
    """The references of a formula, those of its names included; None for a formula that is computed cell by cell."""
    references: dict[Node, None] = {}
    left: list[Node] = [tree]
    names: set[Node] = set()
    while left:
        part = left.pop()
        if isinstance(part, AreaNode | TableNode):
            references[part] = None
        elif isinstance(part, NameNode):
            inner = compiler.meaning(part, home)
            if inner is None:
                return None
            if part not in names:
                names.add(part)
                left.append(inner)
        elif isinstance(part, OperatorNode | CallNode) and _goes_by_rows(part):
            left += part.args
        elif not isinstance(part, Literal | ErrorLiteral | ArrayNode):
            return None
    return list(references)


def _goes_by_rows(call: OperatorNode | CallNode) -> bool:
    if isinstance(call, OperatorNode):
        return call.symbol in (*OPERATIONS, "%")
    function = FUNCTIONS.get(call.name)
    if function is None:
        return call.name in RANDOM
    return function.kind != RAW or call.name in OF_RANGES


def reference_in_rows(compiler: Compiler, node: Node, cells: Sequence[CellId]) -> _Reference:
    """What a reference is in each of the cells. Raises ApartError where it differs in size, or is none."""
    if isinstance(node, AreaNode):
        return _area_in_rows(compiler.book, node, cells)
    areas = []
    for cell in cells:
        try:
            (area,) = compiler.areas_of(node, cell, cell)
        except (ReferenceValueError, UnknownFormulaError, ValueError):
            raise ApartError from None
        areas.append(area)
    first = areas[0].block
    height, width = first.bottom - first.top, first.right - first.left
    for one in areas:
        block = one.block
        if (one.sheet, block.bottom - block.top, block.right - block.left) != (areas[0].sheet, height, width):
            raise ApartError
    keys = np.array([key(one.block.top, one.block.left) for one in areas])
    return _Reference(areas[0].sheet, height + 1, width + 1, keys)


def _area_in_rows(book: SheetBook, node: AreaNode, cells: Sequence[CellId]) -> _Reference:
    sheet = cells[0][0] if node.sheet is None else book.sheet_number(node.sheet)
    if sheet is None:
        raise ApartError
    first, last = node.first, node.last or node.first
    if (first.row_fixed, first.column_fixed) != (last.row_fixed, last.column_fixed):
        raise ApartError
    height, width = last.row - first.row, last.column - first.column
    at = np.array([cell for _, cell in cells])
    rows, columns = at // COLUMNS, at % COLUMNS + 1
    top = np.full(len(cells), first.row) if first.row_fixed else rows + first.row
    left = np.full(len(cells), first.column) if first.column_fixed else columns + first.column
    inside = height >= 0 and width >= 0 and top.min() >= 1 and left.min() >= 1
    if not inside or top.max() + height > ROWS or left.max() + width > COLUMNS:
        raise ApartError
    return _Reference(sheet, height + 1, width + 1, top * COLUMNS + left - 1)


class RowsCompiler(Compiler):
    """Compiles the formula of a group of cells, once for all of them.

    base: of the book, with the slots of what was compiled before; starts: by slot of a group, the first of the group.
    """

    def __init__(self, base: Compiler, cells: Sequence[CellId], starts: Mapping[int, int]) -> None:
        super().__init__(base.book)
        self._base, self._cells, self._starts = base, cells, starts
        self.places, self.draws, self.values = base.places, base.draws, base.values
        self._laid_before: dict[tuple[int, ...], Compiled] = {}
        self._static = RowsContext(Context(1, [], base.book.is_1904), 0, len(cells))
        self._draws_taken = 0

    def group(self) -> Callable[[Context], list[Any]]:
        """What computes the cells of the group, a value each. Raises ApartError where they are computed one by one."""
        first = self._cells[0]
        tree, home = self.book.tree(first)
        try:
            with np.errstate(all="ignore"):
                compiled = self.value(tree, first, home, False)
        except SheetsimError:
            raise ApartError from None
        count = len(self._cells)
        compute = compiled.compute

        def rows(context: Context) -> list[Any]:
            width = context.trials
            # Rows of one array: another group that reads them takes it as it is.
            whole = np.empty((count, width))
            at_once = max(1, VALUES_AT_ONCE // width)
            values: list[Any] = []
            for start in range(0, count, at_once):
                part = RowsContext(context, start, min(start + at_once, count))
                value = compute(part)
                values += _by_row(value.at(0, 0) if isinstance(value, CellGrid) else value, part, whole)
            return values

        return rows

    def _next_draw(self) -> Compute | None:
        number = self._draws_taken
        self._draws_taken += 1
        slots = [self.draws[cell][number] for cell in self._cells if number < len(self.draws.get(cell, ()))]
        return self._laid(slots).compute if len(slots) == len(self._cells) else None

    def _constant(self, compute: Compute) -> Compiled:
        return _a_row(compute(self._static))

    def _taken(self, condition: Compiled, failed: Mapping[int, UnknownFormulaError]) -> int:
        # A branch that is not known is none of a formula of rows.
        return next(iter(failed))

    # --- references

    def raw(self, node: Node, cell: CellId, home: CellId, array: bool) -> Compiled:
        if not isinstance(node, AreaNode | TableNode):
            return super().raw(node, cell, home, array)
        reference = reference_in_rows(self._base, node, self._cells)
        if reference.is_one and reference.size > MOST_OF_RANGE:
            whole = self._grids([reference.area()])
            if whole.varies:
                raise ApartError
            return whole
        parts = [self._position(reference.sheet, keys) for keys in reference.positions()]
        width, area = reference.width, reference.area()
        place = (area.sheet, area.block.top, area.block.left)

        def grid(context: Context) -> CellGrid:
            values = [part.compute(context) for part in parts]
            return CellGrid([values[k : k + width] for k in range(0, len(values), width)], place=place)

        if any(part.varies for part in parts):
            return Compiled(grid, True)
        return Compiled(grid, False, grid(self._static))

    def _referred(self, node: Node, cell: CellId, home: CellId, array: bool) -> Compiled:
        if not isinstance(node, AreaNode | TableNode):
            raise ApartError
        reference = reference_in_rows(self._base, node, self._cells)
        if reference.size == 1:
            return self._position(reference.sheet, reference.keys)
        if not array:
            raise ApartError
        return self.raw(node, cell, home, array)

    def _position(self, sheet: int, keys: NDArray[np.int64]) -> Compiled:
        """A cell of each row."""
        cells = [(sheet, place) for place in keys.tolist()]
        slot = self.places.get(cells[0])
        if cells[0] == cells[-1] and len(set(cells)) == 1:
            return fixed(self.fixed_value(cells[0])) if slot is None else _repeated(slot)
        if slot is not None:
            return self._laid([self.places[one] for one in cells])
        value = self.fixed_value(cells[0])
        if type(value) is not float:
            return fixed(value)
        numbers = self.book.sheet(sheet).values.numbers_at(keys).tolist()
        return _a_row(np.array([self.values.get(one, number) for one, number in zip(cells, numbers, strict=True)]))

    def _laid(self, slots: Sequence[int]) -> Compiled:
        """The values of some slots, one row after another; of consecutive rows of a group as they stand."""
        at = tuple(slots)
        if at not in self._laid_before:
            start = self._starts.get(at[0])
            offset = 0 if start is None else at[0] - start
            in_order = start is not None and all(
                slot == at[0] + k and self._starts.get(slot) == start for k, slot in enumerate(at)
            )
            token = object()

            def laid(context: Context) -> Value:
                assert isinstance(context, RowsContext)
                if token not in context.memo:
                    first, last = context.first, context.last
                    values = [context.slots[slot] for slot in at[first:last]]
                    if in_order and all(type(value) is np.ndarray for value in values):
                        context.memo[token] = values[0].base[offset + first : offset + last].reshape(-1)
                    else:
                        context.memo[token] = _joined(values, context)
                return context.memo[token]  # type: ignore[no-any-return]

            self._laid_before[at] = Compiled(laid, True)
        return self._laid_before[at]


def _a_row(value: Any) -> Compiled:
    """What is the same in all trials of a row, as an array over rows; or in all rows too."""
    cells = value.cells() if isinstance(value, CellGrid) else [value]
    arrays = [one for one in cells if isinstance(one, np.ndarray | TrialColumn)]
    if not arrays:
        return fixed(value)
    if any(isinstance(one, TrialColumn) and np.any(np.asarray(one.kinds) == TEXT) for one in arrays):
        # Texts have other numbers in each block of trials.
        raise ApartError
    if isinstance(value, CellGrid):
        grid = value

        def spread(context: Context) -> Any:
            rows = [[_spread(one, context) for one in row] for row in grid.rows]
            return CellGrid(rows, grid.height, grid.width)

        return Compiled(spread, False, value)
    return Compiled(lambda context: _spread(value, context), False, value)


def _spread(value: Any, context: Context) -> Any:
    assert isinstance(context, RowsContext)
    here = slice(context.first, context.last)
    if isinstance(value, np.ndarray):
        return np.repeat(value[here], context.width)
    if isinstance(value, TrialColumn):
        kinds = value.kinds if isinstance(value.kinds, int) else np.repeat(value.kinds[here], context.width)
        return TrialColumn(np.repeat(value.numbers[here], context.width), kinds)
    return value


def _repeated(slot: int) -> Compiled:
    """The value of a slot in every row."""
    at = ("repeated", slot)

    def repeated(context: Context) -> Value:
        assert isinstance(context, RowsContext)
        value = context.slots[slot]
        if not isinstance(value, np.ndarray | TrialColumn):
            return value  # type: ignore[no-any-return]
        if at not in context.memo:
            rows = context.last - context.first
            if isinstance(value, TrialColumn):
                kinds = value.kinds if isinstance(value.kinds, int) else np.tile(value.kinds, rows)
                context.memo[at] = TrialColumn(np.tile(value.numbers, rows), kinds)
            else:
                context.memo[at] = np.tile(value, rows)
        return context.memo[at]  # type: ignore[no-any-return]

    return Compiled(repeated, True)


def _joined(values: Sequence[Value], context: RowsContext) -> Value:
    """Values of rows, over their trials each, in one."""
    width = context.width
    if width == 1 and all(type(value) is float for value in values):
        return np.array(values, dtype=np.float64)
    if all(isinstance(value, np.ndarray) for value in values):
        return np.concatenate(values)  # type: ignore[arg-type]
    if not any(isinstance(value, TrialColumn | bool | str) or value is None for value in values):
        return np.concatenate([_as_array(value, width) for value in values])
    columns = [to_column(value, context.pool, width) for value in values]
    kinds = np.concatenate([np.broadcast_to(np.asarray(one.kinds, dtype=np.uint8), width) for one in columns])
    return simplified(TrialColumn(np.concatenate([one.numbers for one in columns]), kinds))


def _as_array(value: Any, width: int) -> Array:
    if isinstance(value, np.ndarray):
        return value
    return np.full(width, value.nan if isinstance(value, CellError) else value)


def _by_row(value: Any, context: RowsContext, whole: Array) -> list[Any]:
    """A value over rows × trials as one a row. Every array is a row of `whole`."""
    rows, width = context.last - context.first, context.width
    if not isinstance(value, np.ndarray | TrialColumn):
        return [0.0 if value is None else value] * rows
    if width == 1:
        return scalars_of(value, context.pool, rows)
    here = whole[context.first : context.last]
    here[:] = (value if isinstance(value, np.ndarray) else value.numbers).reshape(rows, width)
    if isinstance(value, np.ndarray):
        return list(here)
    if isinstance(value.kinds, int):
        return [TrialColumn(row, value.kinds) for row in here]
    kinds = value.kinds.reshape(rows, width)
    return [simplified(TrialColumn(row, kind)) for row, kind in zip(here, kinds, strict=True)]
