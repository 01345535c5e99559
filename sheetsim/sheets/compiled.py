"""Formulas compiled: from the tree of one to a function that computes its value from those of other cells.

What does not depend on an uncertain cell is computed when the formula is compiled, and is a constant from then on.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from sheetsim.errors import SheetsimError
from sheetsim.sheets.book import CellId, SheetBook
from sheetsim.sheets.function import LAZY, NUMBERS, RAW, VALUES, Function
from sheetsim.sheets.functions import FUNCTIONS, SINGLE_ARGUMENTS
from sheetsim.sheets.operators import OPERATIONS, CellGrid, Context, lifted, negative, percent
from sheetsim.sheets.references import (
    DYNAMIC,
    RANDOM,
    CellArea,
    ForeignReferenceError,
    References,
    ReferenceValueError,
    UnknownFormulaError,
)
from sheetsim.sheets.text_functions import is_known_format
from sheetsim.sheets.values import ERROR_OF, NAME, NUM, VALUE, TrialColumn, to_number
from sheetsim.workbook.formulas import BINDING, OPERATORS
from sheetsim.workbook.limits import COLUMNS
from sheetsim.workbook.reading.syntax import (
    AreaNode,
    ArrayNode,
    CallNode,
    ErrorLiteral,
    ForeignNode,
    Literal,
    NameNode,
    Node,
    OperatorNode,
    TableNode,
)
from sheetsim.workbook.reading.values import Rectangle, key, within

# Arguments that are computed as arrays in any formula, by function: `INDEX(A1:A9>0,0)`, `LOOKUP(2,1/(A1:A9>0),…)`.
ARRAY_ARGUMENTS = {
    "INDEX": (0,),
    "LOOKUP": (1, 2),
    "XLOOKUP": (1, 2),
    "XMATCH": (1,),
    "FREQUENCY": (0, 1),
    **dict.fromkeys(
        ("CORREL", "PEARSON", "COVAR", "COVARIANCE.P", "COVARIANCE.S", "SLOPE", "INTERCEPT", "RSQ"), (0, 1)
    ),
}

# Cells of one range, and values of trials in one from which it is put together once for all formulas that read it.
MOST_CELLS, MANY = 20_000_000, 32

Compute = Callable[[Context], Any]


class Compiled(Struct, frozen=True):
    """compute: the value in a block of trials; varies: whether it differs between trials, or else what it is."""

    compute: Compute
    varies: bool
    value: Any = None


def fixed(value: Any) -> Compiled:
    """A value that is the same in all trials."""
    return Compiled(lambda context: value, False, value)


def is_single(compiled: Compiled) -> bool:
    """Whether a value is the same in all trials, and of all rows that are computed together."""
    return not compiled.varies and not isinstance(compiled.value, np.ndarray | TrialColumn)


class Compiler(References):
    """Compiles the formulas of a book.

    places: by cell that is computed over trials, its slot; draws: by cell, the slots of its own random numbers;
    values: of cells that are computed but do not vary.
    """

    def __init__(self, book: SheetBook) -> None:
        super().__init__(book)
        self.places: dict[CellId, int] = {}
        self.draws: dict[CellId, list[int]] = {}
        self.values: dict[CellId, Any] = {}
        self._static = Context(1, [], book.is_1904)
        self._scope: dict[str, Compiled] = {}
        self._of_names: dict[Any, Compiled] = {}
        self._blocks: dict[tuple[int, Rectangle], tuple[list[list[Any]], list[tuple[int, int, int]]]] = {}

    def argument(self, node: Node, cell: CellId, home: CellId) -> tuple[bool, Any]:
        """Whether a part of a formula differs between trials, and its value where it does not."""
        compiled = self.value(node, cell, home, False)
        return compiled.varies, compiled.value

    # --- formulas

    def formula(self, cell: CellId) -> Compiled:
        """The formula that computes a cell. Raises UnknownFormulaError for what there is no rule for."""
        with np.errstate(all="ignore"):
            return self._formula(cell)

    def _formula(self, cell: CellId) -> Compiled:
        tree, home = self.book.tree(cell)
        self._of_names = {}
        self._drawn = iter(self.draws.get(cell, ()))
        block = self.book.sheet(cell[0]).arrays.get(cell[1])
        if block is None:
            compiled = self.value(tree, cell, home, False)
            return _single(compiled)
        whole = self.raw(tree, cell, home, True)
        row, column = cell[1] // COLUMNS - block.top, cell[1] % COLUMNS + 1 - block.left
        if not whole.varies:
            return fixed(_element(whole.value, row, column))
        memo = (home, "array")

        def compute(context: Context) -> Any:
            if memo not in context.memo:
                context.memo[memo] = whole.compute(context)
            return _element(context.memo[memo], row, column)

        return Compiled(compute, True)

    def value(self, node: Node, cell: CellId, home: CellId, array: bool) -> Compiled:
        """A part of a formula as a single value; with `array` as one or an array of them."""
        if isinstance(node, Literal):
            return fixed(node.value)
        if isinstance(node, ErrorLiteral):
            return fixed(ERROR_OF.get(node.text, VALUE))
        if isinstance(node, OperatorNode) and node.symbol in (*OPERATIONS, "%"):
            return self._operation(node, cell, home, array)
        if isinstance(node, CallNode) and not self._is_reference(node):
            return self._call(node, cell, home, array)
        if isinstance(node, NameNode):
            if node.name.casefold() in self._scope:
                return self._scope[node.name.casefold()]
            return self._of_name(node, cell, home, array, self.value)
        if isinstance(node, ArrayNode):
            return self.raw(node, cell, home, array)
        return self._referred(node, cell, home, array)

    def raw(self, node: Node, cell: CellId, home: CellId, array: bool) -> Compiled:
        """A part of a formula with ranges as they are: a reference is a CellGrid, of a single cell too."""
        if isinstance(node, ArrayNode):
            rows = [[self.value(one, cell, home, False).value for one in row] for row in node.rows]
            return fixed(CellGrid(rows))
        if isinstance(node, NameNode):
            if node.name.casefold() in self._scope:
                return self._scope[node.name.casefold()]
            return self._of_name(node, cell, home, array, self.raw)
        if isinstance(node, AreaNode | TableNode) or self._is_reference(node):
            try:
                areas = self.areas_of(node, cell, home)
            except ReferenceValueError as error:
                return fixed(error.value)
            except UnknownFormulaError:
                if isinstance(node, CallNode) and node.name == "INDEX":
                    return self._call(node, cell, home, array)
                raise
            return self._grids(areas)
        return self.value(node, cell, home, array)

    def _of_name(
        self, node: NameNode, cell: CellId, home: CellId, array: bool, compile_part: Callable[..., Compiled]
    ) -> Compiled:
        """What a name stands for, compiled once in a formula."""
        at = (node, home, array, compile_part.__name__)
        if at not in self._of_names:
            try:
                inner = self._named(node, home)
            except ReferenceValueError as error:
                return fixed(error.value)
            # A name that is made of itself has no value.
            self._of_names[at] = fixed(NAME)
            self._of_names[at] = _once(compile_part(inner, cell, home, array))
        return self._of_names[at]

    def _is_reference(self, node: Node) -> bool:
        if isinstance(node, OperatorNode):
            return node.symbol in (":", " ", ",")
        return isinstance(node, CallNode) and node.name in DYNAMIC

    def _referred(self, node: Node, cell: CellId, home: CellId, array: bool) -> Compiled:
        """A reference where a single value is wanted: of a column what is in the formula's row, of a row likewise."""
        if isinstance(node, ForeignNode):
            raise ForeignReferenceError(f"another workbook ({node.text})", self.book.name_of(cell))
        try:
            areas = self.areas_of(node, cell, home)
        except ReferenceValueError as error:
            return fixed(error.value)
        if len(areas) > 1:
            return fixed(VALUE)
        (area,) = areas
        if area.block.size == 1:
            return self._cell((area.sheet, key(area.block.top, area.block.left)))
        if array:
            return self._grids(areas)
        return self._intersection(area, cell)

    def _intersection(self, area: CellArea, cell: CellId) -> Compiled:
        row, column, block = cell[1] // COLUMNS, cell[1] % COLUMNS + 1, area.block
        if block.left == block.right and block.top <= row <= block.bottom:
            return self._cell((area.sheet, key(row, block.left)))
        if block.top == block.bottom and block.left <= column <= block.right:
            return self._cell((area.sheet, key(block.top, column)))
        return fixed(VALUE)

    def _cell(self, cell: CellId) -> Compiled:
        slot = self.places.get(cell)
        if slot is None:
            return fixed(self.fixed_value(cell))
        return Compiled(lambda context: context.slots[slot], True)

    def fixed_value(self, cell: CellId) -> Any:
        """What a cell holds in all trials."""
        if cell in self.values:
            return self.values[cell]
        value = self.book.value(cell)
        return ERROR_OF.get(value, value) if isinstance(value, str) and value.startswith("#") else value

    def _grids(self, areas: list[CellArea]) -> Compiled:
        if len(areas) > 1:
            parts = [self._grid(area) for area in areas]
            if not any(part.varies for part in parts):
                return fixed(_together([part.value for part in parts]))
            return Compiled(lambda context: _together([part.compute(context) for part in parts]), True)
        return self._grid(areas[0])

    def _grid(self, area: CellArea) -> Compiled:
        block = area.block
        used = self.book.sheet(area.sheet).used
        bottom, right = max(min(block.bottom, used[0]), block.top), max(min(block.right, used[1]), block.left)
        kept = Rectangle(block.top, block.left, bottom, right)
        if kept.size > MOST_CELLS:
            raise SheetsimError(f"a range of {kept.size:,} cells is more than the {MOST_CELLS:,} that are read at once")
        at = (area.sheet, kept)
        if at not in self._blocks:
            # All its cells are compiled before the first formula that reads it.
            self._blocks[at] = self._fixed_rows(area.sheet, kept), list(self._within(self.places, area.sheet, kept))
        rows, varying = self._blocks[at]
        height, width = block.bottom - block.top + 1, block.right - block.left + 1
        place = (area.sheet, block.top, block.left)
        if not varying:
            return fixed(CellGrid(rows, height, width, place))

        def filled(context: Context) -> list[list[Any]]:
            values = rows.copy()
            slots = context.slots
            copied: set[int] = set()
            for r, c, slot in varying:
                if r not in copied:
                    values[r] = values[r].copy()
                    copied.add(r)
                values[r][c] = slots[slot]
            return values

        if len(varying) < MANY:
            return Compiled(lambda context: CellGrid(filled(context), height, width, place), True)

        def compute(context: Context) -> CellGrid:
            if at not in context.memo:
                context.memo[at] = filled(context)
            return CellGrid(context.memo[at], height, width, place)

        return Compiled(compute, True)

    def _fixed_rows(self, sheet: int, block: Rectangle) -> list[list[Any]]:
        """The values of a rectangle that are the same in all trials, row by row."""
        rows = self._rows_in_file(sheet, block)
        for r, c, value in self._within(self.values, sheet, block):
            rows[r][c] = value
        return rows

    def _rows_in_file(self, sheet: int, block: Rectangle) -> list[list[Any]]:
        values = self.book.sheet(sheet).values
        width = block.right - block.left + 1
        rows: list[list[Any]] = [[None] * width for _ in range(block.bottom - block.top + 1)]
        positions = within(values.keys, block)
        for cell, number in zip(values.keys[positions].tolist(), values.numbers[positions].tolist(), strict=True):
            value: Any = number
            if number != number:
                value = values.others[cell]
                value = ERROR_OF.get(value, value) if isinstance(value, str) and value.startswith("#") else value
            rows[cell // COLUMNS - block.top][cell % COLUMNS + 1 - block.left] = value
        return rows

    @staticmethod
    def _within(values: Mapping[CellId, Any], sheet: int, block: Rectangle) -> Iterable[tuple[int, int, Any]]:
        """What is said of the cells of a rectangle: row and column in it, from 0, and the value."""
        if block.size <= len(values):
            for r in range(block.bottom - block.top + 1):
                for c in range(block.right - block.left + 1):
                    at = (sheet, key(block.top + r, block.left + c))
                    if at in values:
                        yield r, c, values[at]
            return
        for (number, cell), value in values.items():
            r, c = cell // COLUMNS - block.top, cell % COLUMNS + 1 - block.left
            if number == sheet and 0 <= r <= block.bottom - block.top and 0 <= c <= block.right - block.left:
                yield r, c, value

    # --- operators and functions

    def _operation(self, node: OperatorNode, cell: CellId, home: CellId, array: bool) -> Compiled:
        if len(node.args) == 1:
            inner = self.value(node.args[0], cell, home, array)
            if node.symbol == "+":
                return inner
            of_one = negative if node.symbol == "-" else percent
            return self._applied(lambda context, a: lifted(context, of_one, (a,)), [inner])
        # A sum of a thousand terms is a thousand levels deep at its left, and is walked in a row.
        spine: list[tuple[str, Node]] = []
        part: Node = node
        while isinstance(part, OperatorNode) and len(part.args) == 2 and part.symbol in OPERATIONS:
            spine.append((part.symbol, part.args[1]))
            part = part.args[0]
        compiled = self.value(part, cell, home, array)
        for symbol, right in reversed(spine):
            compiled = self._pair(symbol, compiled, self.value(right, cell, home, array), array)
        return compiled

    def _pair(self, symbol: str, left: Compiled, right: Compiled, array: bool) -> Compiled:
        operate = OPERATIONS[symbol]
        a, b = left.compute, right.compute
        if not left.varies and not right.varies:
            return self._constant(lambda context: lifted(context, operate, (a(context), b(context))))
        if array or isinstance(left.value, CellGrid) or isinstance(right.value, CellGrid):
            return Compiled(lambda context: lifted(context, operate, (a(context), b(context))), True)
        if is_single(right):
            value = right.value
            return Compiled(lambda context: _operated(context, operate, a(context), value), True)
        if is_single(left):
            value = left.value
            return Compiled(lambda context: _operated(context, operate, value, b(context)), True)
        return Compiled(lambda context: _operated(context, operate, a(context), b(context)), True)

    def _applied(self, function: Callable[..., Any], args: list[Compiled]) -> Compiled:
        computes = [arg.compute for arg in args]
        if not any(arg.varies for arg in args):
            return self._constant(lambda context: function(context, *(one(context) for one in computes)))
        if len(computes) == 1:
            (only,) = computes
            return Compiled(lambda context: function(context, only(context)), True)
        return Compiled(lambda context: function(context, *[one(context) for one in computes]), True)

    def _constant(self, compute: Compute) -> Compiled:
        """What does not vary, computed now."""
        return fixed(compute(self._static))

    def _call(self, node: CallNode, cell: CellId, home: CellId, array: bool) -> Compiled:
        if node.name in RANDOM:
            return self._draw(node, cell, home)
        if node.name == "LET":
            return self._let(node, cell, home, array)
        if node.name == "SINGLE":
            return _single(self.value(node.args[0], cell, home, False))
        if node.name in ("ROW", "COLUMN") and not node.args:
            return fixed(float(cell[1] // COLUMNS if node.name == "ROW" else cell[1] % COLUMNS + 1))
        node = self._resized(node, cell, home)
        function = FUNCTIONS.get(node.name)
        if function is None:
            if self.book.name_tree(node.name, home[0]) is None and not node.name.isascii():
                return fixed(NAME)
            raise UnknownFormulaError(node.name, self.book.name_of(cell))
        count = len(node.args)
        if count < function.least or (function.most is not None and count > function.most):
            raise UnknownFormulaError(f"{node.name} with {count} arguments", self.book.name_of(cell))
        array = array or function.array
        if function.kind == LAZY:
            return self._lazy(function, node, cell, home, array)
        if function.kind in (NUMBERS, VALUES):
            values = [self.value(arg, cell, home, array) for arg in node.args]
            self._check_format(node, values, cell)
            return self._applied(function, values)
        assert function.kind == RAW
        as_arrays = ARRAY_ARGUMENTS.get(node.name, ())
        single = SINGLE_ARGUMENTS.get(node.name, ())
        args = [
            self.value(arg, cell, home, array) if k in single else self.raw(arg, cell, home, array or k in as_arrays)
            for k, arg in enumerate(node.args)
        ]
        return self._applied(_over_arrays(function, single) if single else function, args)

    def _check_format(self, node: CallNode, args: Sequence[Compiled], cell: CellId) -> None:
        """Raises UnknownFormulaError for TEXT with a format that is not known."""
        code = args[1].value if node.name == "TEXT" and not args[1].varies else None
        if isinstance(code, str) and not is_known_format(code):
            raise UnknownFormulaError(f"TEXT with the format {code!r}", self.book.name_of(cell))

    def _lazy(self, function: Function, node: CallNode, cell: CellId, home: CellId, array: bool) -> Compiled:
        args = []
        failed: dict[int, UnknownFormulaError] = {}
        for k, arg in enumerate(node.args):
            try:
                args.append(self.value(arg, cell, home, array))
            except UnknownFormulaError as error:
                # A branch that is never taken may hold what is not known.
                failed[k] = error
                args.append(fixed(None))
        if failed and (0 in failed or args[0].varies or function.name != "IF"):
            raise next(iter(failed.values()))
        if failed:
            branch = self._taken(args[0], failed)
            if branch in failed:
                raise failed[branch]
        thunks = [arg.compute for arg in args]
        if not any(arg.varies for arg in args):
            return self._constant(lambda context: function(context, *thunks))
        return Compiled(lambda context: function(context, *thunks), True)

    def _taken(self, condition: Compiled, failed: Mapping[int, UnknownFormulaError]) -> int:
        """The argument of IF that its condition, which does not vary, takes."""
        return 1 if to_number(condition.value, self._static.pool) else 2

    def _let(self, node: CallNode, cell: CellId, home: CellId, array: bool) -> Compiled:
        """LET: names for parts of a formula, each computed once in a block."""
        if len(node.args) % 2 == 0 or not all(isinstance(name, NameNode) for name in node.args[:-1:2]):
            raise UnknownFormulaError("LET with other arguments than names and values", self.book.name_of(cell))
        before = dict(self._scope)
        try:
            for name, part in zip(node.args[:-1:2], node.args[1::2], strict=True):
                assert isinstance(name, NameNode)
                self._scope[name.name.casefold()] = _once(self.raw(part, cell, home, array))
            return self.value(node.args[-1], cell, home, array)
        finally:
            self._scope = before

    def _draw(self, node: CallNode, cell: CellId, home: CellId) -> Compiled:
        drawn = self._next_draw()
        if drawn is None:
            raise UnknownFormulaError(f"{node.name} in a name", self.book.name_of(cell))
        if node.name == "RAND":
            return Compiled(drawn, True)
        ends = [self.value(arg, cell, home, False).compute for arg in node.args]
        if len(ends) != 2:
            raise UnknownFormulaError(f"{node.name} with {len(ends)} arguments", self.book.name_of(cell))

        def between(context: Context) -> Any:
            first, last = (to_number(end(context), context.pool) for end in ends)
            low, high = np.ceil(first), np.floor(last)
            number = low + np.floor(drawn(context) * (high - low + 1))
            return np.where(np.greater(first, last), NUM.nan, number)

        return Compiled(between, True)

    def _next_draw(self) -> Compute | None:
        """The next of the random numbers of the cell that is compiled; None after the last."""
        slot = next(self._drawn, None)
        return None if slot is None else lambda context: context.slots[slot]


def _over_arrays(function: Function, single: Collection[int]) -> Callable[..., Any]:
    """The function over the cells of arrays that stand where it takes single values."""

    def apply(context: Context, *args: Any) -> Any:
        places = [k for k, arg in enumerate(args) if k in single and isinstance(arg, CellGrid)]
        if not places:
            return function(context, *args)

        def of_singles(of: Context, *values: Any) -> Any:
            given = list(args)
            for place, value in zip(places, values, strict=True):
                given[place] = value
            result = function(of, *given)
            return result.at(0, 0) if isinstance(result, CellGrid) else result

        return lifted(context, of_singles, tuple(args[place] for place in places))

    return apply


def _once(compiled: Compiled) -> Compiled:
    """What is computed once in a block of trials, however often it is asked for."""
    if not compiled.varies:
        return compiled
    token = object()

    def compute(context: Context) -> Any:
        if token not in context.memo:
            value = compiled.compute(context)
            single_cell = isinstance(value, CellGrid) and value.height == value.width == 1
            context.memo[token] = value.at(0, 0) if single_cell else value
        return context.memo[token]

    return Compiled(compute, True)


def _operated(context: Context, operate: Callable[..., Any], a: Any, b: Any) -> Any:
    if isinstance(a, CellGrid) or isinstance(b, CellGrid):
        return lifted(context, operate, (a, b))
    return operate(context, a, b)


def _single(compiled: Compiled) -> Compiled:
    """The upper left value where an array is computed in a single cell."""
    if not compiled.varies:
        value = compiled.value
        return fixed(value.at(0, 0)) if isinstance(value, CellGrid) else compiled
    compute = compiled.compute

    def single(context: Context) -> Any:
        value = compute(context)
        return value.at(0, 0) if isinstance(value, CellGrid) else value

    return Compiled(single, True)


def _element(value: Any, row: int, column: int) -> Any:
    return value.at(row, column) if isinstance(value, CellGrid) else value


def _together(grids: list[Any]) -> CellGrid:
    """The cells of several ranges in a column."""
    return CellGrid([[value] for grid in grids for value in grid.cells()], place=(grids[0].sheet or 0, 0, 0))


assert set(OPERATORS) == set(OPERATIONS), BINDING
