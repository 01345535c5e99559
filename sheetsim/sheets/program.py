"""The program of a workbook: which cells lie between uncertain cells and outputs, in which order, and their trials.

Everything else keeps the value that it has in the file.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from msgspec import Struct

from sheetsim.engine.blas import one_thread
from sheetsim.errors import SheetsimError
from sheetsim.model.op import Array
from sheetsim.sheets.book import CellId, DataTable, SheetBook
from sheetsim.sheets.compiled import Compiled, Compiler
from sheetsim.sheets.operators import CellGrid, Context
from sheetsim.sheets.references import CLOCK, RANDOM, CellArea, UnknownFormulaError
from sheetsim.sheets.rows import ApartError, RowGroups, RowsCompiler
from sheetsim.sheets.values import BOOL, NUMBER, CellError, TextPool, TrialColumn, error_of
from sheetsim.workbook.limits import COLUMNS
from sheetsim.workbook.reading.values import key

# Trials of a block: its arrays stay in the processor's caches; fewer where many cells are held at once.
MOST_TRIALS, LEAST_TRIALS = 8192, 128
BLOCK_BYTES = 256 << 20

# Cells of a range that are looked up one by one; in larger ones the formulas are.
SMALL_RANGE = 64

# Cells that do not vary and are computed all the same, to see whether the file's values are those of its formulas.
MOST_SETTLED = 20_000

# Computes cells in a block of trials: a value each.
RowsCompute: TypeAlias = Callable[[Context], list[Any]]

# Of the base case against the values in the file.
BASE_TOLERANCE = 1e-9


class Step(Struct, frozen=True):
    """Cells that are computed together.

    The slot of the first, after which come those of the others, and the slots whose values are not needed any more
    after it. compute: a value a cell.
    """

    cells: tuple[CellId, ...]
    slot: int
    compute: Callable[[Context], list[Any]]
    done: tuple[int, ...]


class BaseDifference(Struct, frozen=True):
    """A cell whose value in the file is not what its formula gives."""

    cell: str
    in_file: Any
    computed: Any

    @property
    def size(self) -> float:
        """By how much two numbers differ; NaN where one is none."""
        ends = (self.in_file, self.computed)
        return abs(ends[0] - ends[1]) if all(isinstance(end, float) for end in ends) else float("nan")


class SheetPlan:
    """What lies between uncertain cells and outputs: it computes nothing.

    inputs: the uncertain cells; outputs: those that are asked for.
    order: the cells with formulas, and the inputs, that outputs are made of, each after what it needs; needs: by cell,
    those of these that it reads; drawn: by cell, how many random numbers of its own it draws; data_tables: by cell, the
    data table that it reads; clock: the cells that ask for the day or the time; reach: by cell, the numbers of the
    inputs (and after them of the cells that draw) that reach it, a bit each.
    Raises SheetsimError for a circular reference.
    """

    def __init__(self, book: SheetBook, inputs: Sequence[CellId], outputs: Sequence[CellId]) -> None:
        self.book, self.inputs, self.outputs = book, tuple(inputs), tuple(outputs)
        self.given = set(inputs)
        self._by_sheet: dict[int, list[CellId]] = {}
        for cell in inputs:
            self._by_sheet.setdefault(cell[0], []).append(cell)
        self.compiler = Compiler(book)
        self.needs: dict[CellId, list[CellId]] = {}
        self.drawn: dict[CellId, int] = {}
        self.data_tables: dict[CellId, DataTable] = {}
        self.clock: list[CellId] = []
        self.order = self._ordered()
        self.draws = [(cell, k) for cell, count in self.drawn.items() for k in range(count)]
        self.reach = self._reach()

    def _ordered(self) -> list[CellId]:
        order: list[CellId] = []
        state: dict[CellId, int] = {}
        stack: list[CellId] = list(reversed(self.outputs))
        while stack:
            cell = stack[-1]
            seen = state.get(cell, 0)
            if seen == 2:
                stack.pop()
            elif seen == 1:
                state[cell] = 2
                order.append(cell)
                stack.pop()
            else:
                state[cell] = 1
                needs = self._needed(cell)
                for one in needs:
                    if state.get(one) == 1:
                        raise SheetsimError(self._circular(stack, state, one))
                stack += [one for one in reversed(needs) if one not in state]
        return order

    def _circular(self, stack: Sequence[CellId], state: Mapping[CellId, int], cell: CellId) -> str:
        around = [one for one in stack if state.get(one) == 1]
        ring = [*around[around.index(cell) :], cell]
        shown = " → ".join(self.book.name_of(one) for one in ring[:6]) + (" → …" if len(ring) > 6 else "")
        how = ", even with iterative calculation" if self.book.iterates else ""
        return f"sheetsim cannot simulate a circular reference{how}: {shown}"

    def _needed(self, cell: CellId) -> list[CellId]:
        """The cells with formulas, and the inputs, that a cell's formula reads."""
        if cell in self.given or not self.book.is_formula(cell):
            self.needs[cell] = []
            return []
        tree, home = self.book.tree(cell)
        if self.compiler.calls_in(tree, CLOCK):
            self.clock.append(cell)
        draws = self.compiler.calls_in(tree, RANDOM)
        if draws:
            self.drawn[cell] = draws
        needs: dict[CellId, None] = {}
        for area in self.compiler.precedents(tree, cell, home):
            needs.update(dict.fromkeys(self._formulas_in(area)))
            table = self.book.data_table_in(area.sheet, area.block)
            if table is not None:
                self.data_tables[cell] = table
        self.needs[cell] = list(needs)
        return self.needs[cell]

    def _formulas_in(self, area: CellArea) -> list[CellId]:
        sheet, block = area.sheet, area.block
        if block.top == block.bottom and block.left == block.right:
            cell = (sheet, key(block.top, block.left))
            return [cell] if cell in self.given or self.book.is_formula(cell) else []
        if block.size <= SMALL_RANGE:
            cells = [
                (sheet, key(row, column))
                for row in range(block.top, block.bottom + 1)
                for column in range(block.left, block.right + 1)
            ]
            return [cell for cell in cells if cell in self.given or self.book.is_formula(cell)]
        computed = [(sheet, place) for place in self.book.sheet(sheet).formulas_in(block)]
        given = [
            cell
            for cell in self._by_sheet.get(sheet, ())
            if block.top <= cell[1] // COLUMNS <= block.bottom and block.left <= cell[1] % COLUMNS + 1 <= block.right
        ]
        return computed + given if given else computed

    def _reach(self) -> dict[CellId, int]:
        """By cell, a bit an input or cell that draws."""
        bits = {cell: 1 << k for k, cell in enumerate([*self.inputs, *self.drawn])}
        reach: dict[CellId, int] = {}
        for cell in self.order:
            mask = bits.get(cell, 0)
            for need in self.needs[cell]:
                mask |= reach[need]
            reach[cell] = mask
        return reach

    def sources_of(self, output: CellId) -> list[int]:
        """The inputs, and after them the draws, that reach an output, by their numbers."""
        mask = self.reach.get(output, 0)
        places = {cell: k for k, cell in enumerate(self.drawn, start=len(self.inputs))}
        of_draws = [places[cell] for cell, _ in self.draws]
        bits = [*range(len(self.inputs)), *of_draws]
        return [k for k, bit in enumerate(bits) if mask >> bit & 1]

    def unfinished(self, output: CellId) -> "DataTable | None":
        """The data table of which an output is made, if there is one."""
        left, seen = [output], {output}
        while left:
            cell = left.pop()
            if cell in self.data_tables:
                return self.data_tables[cell]
            new = [need for need in self.needs.get(cell, ()) if need not in seen]
            seen.update(new)
            left += new
        return None


class SheetProgram:
    """Computes the outputs of a plan over trials.

    Raises UnknownFormulaError for a formula that is not computed over trials.
    """

    def __init__(self, plan: SheetPlan) -> None:
        self.plan, self.book = plan, plan.book
        self.inputs, self.outputs = plan.inputs, plan.outputs
        self._given, self._compiler = plan.given, Compiler(plan.book)
        self._needs, self._drawn, self._order = plan.needs, plan.drawn, plan.order
        self.draws = plan.draws
        self._compile()

    # --- compilation

    def _compile(self) -> None:
        compiler = self._compiler
        self.settled, self._compared, self._stale = 0, 0, list[BaseDifference]()
        varying = {cell for cell, mask in self.plan.reach.items() if mask}
        compiler.places = {cell: slot for slot, cell in enumerate(self.inputs)}
        slots = len(compiler.places)
        for cell, count in self._drawn.items():
            compiler.draws[cell] = list(range(slots, slots + count))
            slots += count
        self._first = slots
        computed = [cell for cell in self._order if cell not in self._given and self.book.is_formula(cell)]
        for cell in computed:
            if cell not in varying:
                self._settle(cell)
        steps: list[tuple[tuple[CellId, ...], int, RowsCompute]] = []
        starts: dict[int, int] = {}

        def add(cells: tuple[CellId, ...], compute: RowsCompute) -> None:
            nonlocal slots
            steps.append((cells, slots, compute))
            compiler.places.update(zip(cells, range(slots, slots + len(cells)), strict=True))
            if len(cells) > 1:
                starts.update(dict.fromkeys(range(slots, slots + len(cells)), slots))
            slots += len(cells)

        for cells in self._together([cell for cell in computed if cell in varying], varying):
            if len(cells) > 1:
                try:
                    add(cells, RowsCompiler(compiler, cells, starts).group())
                    continue
                except ApartError:
                    pass
            for cell in cells:
                add((cell,), _alone(compiler.formula(cell)))
        self._slots = slots
        self._steps = self._with_ends(steps)

    def _together(self, cells: Sequence[CellId], varying: Collection[CellId]) -> Iterable[tuple[CellId, ...]]:
        """The cells in an order of computation, those of one formula that are independent together."""
        levels: dict[CellId, int] = {}
        for cell in cells:
            levels[cell] = 1 + max((levels.get(need, 0) for need in self._needs[cell]), default=0)
        groups = RowGroups(self._compiler, varying.__contains__).of_levels(levels)
        group_of = {cell: group for group in map(tuple, groups) for cell in group}
        placed: set[CellId] = set()
        for cell in cells:
            stack = [cell]
            while stack:
                if stack[-1] in placed:
                    stack.pop()
                    continue
                members = group_of.get(stack[-1], (stack[-1],))
                missing = [
                    need for one in members for need in self._needs[one] if need in levels and need not in placed
                ]
                if missing:
                    stack += reversed(missing)
                    continue
                placed.update(members)
                yield members

    def _settle(self, cell: CellId) -> None:
        """A cell that does not vary is computed once.

        Where there is no rule it keeps its value in the file, and so do all where there are very many.
        """
        has_value = self.book.has_value(cell)
        if has_value and self.settled >= MOST_SETTLED:
            return
        self.settled += 1
        try:
            value = self._compiler.formula(cell).value
        except UnknownFormulaError:
            if not has_value:
                raise
            return
        in_file = self._compiler.fixed_value(cell)
        self._compiler.values[cell] = 0.0 if value is None else value
        self._compared += has_value
        if has_value and not _agree(in_file, self._compiler.values[cell]):
            self._stale.append(BaseDifference(self.book.name_of(cell), in_file, self._compiler.values[cell]))

    def _with_ends(self, steps: Sequence[tuple[tuple[CellId, ...], int, RowsCompute]]) -> list[Step]:
        """The steps with what is done after each, and how many values are held at most."""
        places = self._compiler.places
        made = {slot + k: number for number, (cells, slot, _) in enumerate(steps) for k in range(len(cells))}
        # The cells of a step are rows of one array, which is held until none of them is needed.
        last = list(range(len(steps)))
        for number, (cells, _, _) in enumerate(steps):
            for cell in cells:
                for need in self._needs[cell]:
                    if places.get(need, -1) in made:
                        last[made[places[need]]] = number
        kept = {made[places[cell]] for cell in self.outputs if places.get(cell, -1) in made}
        done: dict[int, list[int]] = {}
        for number, (cells, slot, _) in enumerate(steps):
            if number not in kept:
                done.setdefault(last[number], []).extend(range(slot, slot + len(cells)))
        held = most = self._first + 1
        for number, (cells, _, _) in enumerate(steps):
            held += len(cells)
            most = max(most, held)
            held -= len(done.get(number, ()))
        self.block = int(np.clip(BLOCK_BYTES // (8 * most), LEAST_TRIALS, MOST_TRIALS))
        return [
            Step(cells, slot, compute, tuple(done.get(number, ())))
            for number, (cells, slot, compute) in enumerate(steps)
        ]

    @property
    def cells(self) -> int:
        """How many cells are computed for each trial."""
        return sum(len(step.cells) for step in self._steps)

    # --- trials

    # Of BLAS it asks whether sums of squares are finite, for which threads are dearer than the sums.
    @one_thread()
    def __call__(self, given: Sequence[Array], drawn: Sequence[Array] = ()) -> Array:
        """The outputs, outputs × trials, NaN for an error and for what is no number.

        given: by input its numbers; drawn: by draw of the sheet's own, uniform numbers from 0 to 1.
        """
        trials = len(given[0]) if len(given) else len(drawn[0])
        results = np.empty((len(self.outputs), trials))
        for first in range(0, trials, self.block):
            block = slice(first, min(first + self.block, trials))
            _, values = self.values([numbers[block] for numbers in (*given, *drawn)], block.stop - first)
            for k, value in enumerate(values):
                results[k, block] = as_numbers(value)
        return results

    def values(self, sources: Sequence[Any], trials: int) -> tuple[TextPool, list[Any]]:
        """The outputs' values in a block of trials, and the texts that they refer to; sources: inputs and draws."""
        slots: list[Any] = [None] * self._slots
        slots[: len(sources)] = sources
        context = Context(trials, slots, self.book.is_1904)
        with np.errstate(all="ignore"):
            for step in self._steps:
                slots[step.slot : step.slot + len(step.cells)] = step.compute(context)
                for slot in step.done:
                    slots[slot] = None
        places = self._compiler.places
        fixed_value = self._compiler.fixed_value
        return context.pool, [slots[places[one]] if one in places else fixed_value(one) for one in self.outputs]

    def base(self) -> tuple[list[Any], list[BaseDifference], int]:
        """The base case: the outputs as the formulas give them from what the uncertain cells hold in the file.

        Then the cells whose value in the file is another, in their order; and how many were compared. A cell that draws
        numbers of its own has the value that it has in the file.
        """
        sources: list[Any] = [self.base_value(cell) for cell in self.inputs]
        sources += [0.5] * (self._first - len(sources))
        slots: list[Any] = [None] * self._slots
        slots[: len(sources)] = sources
        context = Context(1, slots, self.book.is_1904)
        differences, compared = list(self._stale), self._compared
        with np.errstate(all="ignore"):
            for step in self._steps:
                for slot, (cell, value) in enumerate(zip(step.cells, step.compute(context), strict=True), step.slot):
                    in_file, has_value = self._in_file(cell), self.book.has_value(cell)
                    slots[slot] = value
                    if has_value and cell in self._drawn:
                        slots[slot] = in_file
                    elif has_value:
                        compared += 1
                        if not _agree(in_file, value):
                            differences.append(BaseDifference(self.book.name_of(cell), in_file, value))
        places = self._compiler.places
        values = [slots[places[cell]] if cell in places else self._compiler.fixed_value(cell) for cell in self.outputs]
        return values, differences, compared

    def base_value(self, cell: CellId) -> float:
        """What an uncertain cell holds in the file, 0 where it is empty; of a formula without a value what it gives.

        Raises SheetsimError for a text.
        """
        value = self._in_file(cell)
        if self.book.is_formula(cell) and not self.book.has_value(cell):
            value = SheetProgram(SheetPlan(self.book, [], [cell])).base()[0][0]
        if value is None:
            return 0.0
        if isinstance(value, str | CellError):
            raise SheetsimError(f"{self.book.name_of(cell)} holds {value!r}; an uncertain cell must hold a number")
        return float(value)

    def _in_file(self, cell: CellId) -> Any:
        return self._compiler.fixed_value(cell)


def formula_differences(book: SheetBook) -> list[BaseDifference]:
    """The cells whose value in the file is not what their formula gives, of those that are computed."""
    cells = [
        (number, place) for number in range(len(book.titles)) for place in book.sheet(number).formula_keys.tolist()
    ]
    plan = SheetPlan(book, [], cells)
    compiler = Compiler(book)
    differences = []
    for cell in plan.order:
        if not book.is_formula(cell) or cell in plan.drawn:
            continue
        try:
            value = compiler.formula(cell).value
        except UnknownFormulaError:
            continue
        in_file = compiler.fixed_value(cell)
        value = 0.0 if value is None else value
        if book.has_value(cell) and not _agree(in_file, value):
            differences.append(BaseDifference(book.name_of(cell), in_file, value))
        compiler.values[cell] = value
    return differences


def drawn_cells(plan: SheetPlan, given: Sequence[Array], drawn: Sequence[Array]) -> dict[CellId, Array]:
    """The values of the cells of a plan that draw numbers of their own; given, drawn: as of `SheetProgram`."""
    if not plan.drawn:
        return {}
    of_cells = SheetPlan(plan.book, plan.inputs, list(plan.drawn))
    # Its draws may come in another order.
    at = {draw: k for k, draw in enumerate(plan.draws)}
    values = SheetProgram(of_cells)(given, [drawn[at[draw]] for draw in of_cells.draws])
    return dict(zip(plan.drawn, values, strict=True))


def _alone(compiled: Compiled) -> RowsCompute:
    """What computes a single cell."""
    compute = compiled.compute

    def cell(context: Context) -> list[Any]:
        value = compute(context)
        return [0.0 if value is None else value]

    return cell


def as_numbers(value: Any) -> Any:
    """A value of trials as numbers: truth values as 1 and 0; errors and texts as NaN."""
    if isinstance(value, CellGrid):
        value = value.at(0, 0)
    if isinstance(value, TrialColumn):
        kinds = np.asarray(value.kinds)
        return np.where((kinds == NUMBER) | (kinds == BOOL), value.numbers, np.nan)
    if isinstance(value, CellError | str):
        return np.nan
    return 0.0 if value is None else value


def _agree(in_file: Any, computed: Any) -> bool:
    if isinstance(computed, float) and computed != computed:
        computed = error_of(computed)
    if isinstance(in_file, float | bool) and isinstance(computed, float | bool):
        if isinstance(in_file, bool) != isinstance(computed, bool):
            return False
        return abs(in_file - computed) <= BASE_TOLERANCE * max(abs(in_file), abs(computed), 1e-6)
    return (in_file or "") == (computed or "") if not isinstance(computed, CellError) else in_file is computed
