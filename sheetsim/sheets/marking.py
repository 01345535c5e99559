"""The sheet `Simulation` of a person's workbook: which cells are uncertain, and what is asked.

The sheet has three tables, one under another: under `Inputs` a cell and its distribution a row, under `Outputs` a cell
and `yes` where it is asked about, under `Correlations` two inputs and a number.
"""

from pathlib import Path
from typing import Any

import msgspec

from sheetsim.errors import SheetsimError
from sheetsim.sheets.book import CellId, SheetBook
from sheetsim.sheets.compiled import Compiler
from sheetsim.sheets.package_copy import AddedSheet, copy_with_sheets, plain_sheet
from sheetsim.workbook.limits import COLUMNS
from sheetsim.workbook.reading.values import key

TITLE = "Simulation"

INPUTS, OUTPUTS, CORRELATIONS = "Inputs", "Outputs", "Correlations"

# Columns of the inputs: the cell, its distribution, parameters, and then what is for people.
PARAMETERS = 4
HEADINGS = ("cell", "distribution", *(f"parameter {k}" for k in range(1, PARAMETERS + 1)), "value now", "label")

# Candidates that are listed, and cells of a range that are looked at one by one.
MOST_CANDIDATES, MOST_OUTPUTS, SMALL_RANGE = 400, 100, 64

# Cells left of a formula among which its label may stand after empty ones.
BLANKS = 3

# Rows of the sheet that are read.
MOST_ROWS = 10_000

YES = ("yes", "y", "x", "true", "1")

HELP = (
    "Uncertain cells of this workbook, for: sheetsim simulate",
    "Give a cell a distribution and its parameters, as normal with 100 and 15, or write normal(100, 15) whole.",
    "Rows without a distribution count for nothing; cells can be named by sheet and address, or by a defined name.",
    "Outputs: write yes beside a formula. First those that no other formula uses, then those with their own label.",
)


class SimulationPlan(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be simulated, with the keys of the TOML that can say it; None where it is not said.

    Attributes
    ----------
    inputs
        By cell ("Sheet1!B2") or defined name its distribution as text, `"normal(100, 15)"`.
    outputs
        Cells or defined names that are asked about.
    correlations
        Lists of two inputs and their rank correlation, `["B2", "B3", 0.5]`.
    trials
        Number of trials (100,000 without it).
    seed
        The seed of all draws, a whole number from 0.
    scenarios
        By name of a scenario a table of cells with numbers or distributions, in place of what they hold.
    """

    inputs: dict[str, str] = {}
    outputs: list[str] = []
    correlations: list[tuple[str, str, float]] = []
    trials: int | None = None
    seed: int | None = None
    scenarios: dict[str, dict[str, float | str]] = {}


def plan_sheet(book: SheetBook) -> SimulationPlan:
    """What the sheet `Simulation` says; nothing where there is none. Raises SheetsimError for rows that say nothing."""
    plan = SimulationPlan()
    number = book.sheet_number(TITLE)
    if number is None:
        return plan
    values = book.sheet(number).values
    last = min(book.sheet(number).used[0], MOST_ROWS)
    part = ""
    for row in range(1, last + 1):
        cells = [values.at(key(row, column)) for column in range(1, 3 + PARAMETERS)]
        first = cells[0].strip() if isinstance(cells[0], str) else cells[0]
        if first in (INPUTS, OUTPUTS, CORRELATIONS):
            part = str(first)
        elif first in (None, "", "cell"):
            continue
        elif part == INPUTS:
            law = _law(cells[1:])
            if law:
                plan.inputs[str(first)] = law
        elif part == OUTPUTS and str(_plain(cells[1])).strip().casefold() in YES:
            plan.outputs.append(str(first))
        elif part == CORRELATIONS and cells[2] is not None:
            if not isinstance(cells[2], float) or not isinstance(cells[1], str):
                raise SheetsimError(f"{TITLE}, row {row}: a correlation needs two inputs and a number")
            plan.correlations.append((str(first), cells[1].strip(), cells[2]))
    return plan


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _law(cells: list[Any]) -> str:
    """The text of a distribution from its cells."""
    name = cells[0]
    if not isinstance(name, str) or not name.strip():
        return ""
    if "(" in name:
        return name.strip()
    parameters = [repr(cell) if isinstance(cell, float) else str(cell) for cell in cells[1:] if cell not in (None, "")]
    return f"{name.strip()}({', '.join(parameters)})"


def write_marked(book: SheetBook, target: Path) -> tuple[int, int, int]:
    """Writes a copy with a sheet `Simulation` that lists what `candidates` finds, and returns how many of each.

    Raises SheetsimError for a workbook that has such a sheet.
    """
    if book.sheet_number(TITLE) is not None:
        raise SheetsimError(f"{book.path.name} already has a sheet {TITLE!r}: fill it in, and run sheetsim simulate")
    inputs, ends, labeled = candidates(book)
    outputs = [*ends, *labeled]
    rows: list[list[str | float | None]] = [[text] for text in HELP]
    rows += [[], [INPUTS], list(HEADINGS)]
    for cell in inputs[:MOST_CANDIDATES]:
        value = book.value(cell)
        number = float(value) if isinstance(value, float) else None
        rows.append([book.name_of(cell), None, *[None] * PARAMETERS, number, book.label_of(cell)])
    if len(inputs) > MOST_CANDIDATES:
        rows.append([f"… and {len(inputs) - MOST_CANDIDATES:,} more: any cell can be named"])
    rows += [[], [OUTPUTS], ["cell", "ask? (yes)", *[None] * PARAMETERS, "value now", "label"]]
    for cell in outputs[:MOST_OUTPUTS]:
        value = book.value(cell)
        shown = value if isinstance(value, str | float) else None
        rows.append([book.name_of(cell), None, *[None] * PARAMETERS, shown, book.label_of(cell)])
    if len(outputs) > MOST_OUTPUTS:
        rows.append([f"… and {len(outputs) - MOST_OUTPUTS:,} more: any cell with a formula can be named"])
    rows += [[], [CORRELATIONS], ["cell", "cell", "rank correlation"], []]
    copy_with_sheets(book.path, target, [AddedSheet(TITLE, plain_sheet(rows, (28, 18, *[13] * PARAMETERS, 14, 34)))])
    return len(inputs), len(ends), len(labeled)


def candidates(book: SheetBook) -> tuple[list[CellId], list[CellId], list[CellId]]:
    """The cells with numbers that formulas use, formulas that no other uses, and other formulas with their own label.

    A total has a label of its own, and the rows of a schedule have not. Each in the order of sheets.
    """
    compiler = Compiler(book)
    used: set[CellId] = set()
    formulas: list[CellId] = []
    for number in range(len(book.titles)):
        for place in book.sheet(number).formula_keys.tolist():
            cell = (number, place)
            formulas.append(cell)
            try:
                tree, home = book.tree(cell)
                areas = compiler.precedents(tree, cell, home)
            except SheetsimError:
                continue
            for area in areas:
                block = area.block
                if block.size <= SMALL_RANGE:
                    used.update(
                        (area.sheet, key(row, column))
                        for row in range(block.top, block.bottom + 1)
                        for column in range(block.left, block.right + 1)
                    )
                else:
                    used.update((area.sheet, one) for one in book.sheet(area.sheet).formulas_in(block))
    numbers = sorted(cell for cell in used if not book.is_formula(cell) and isinstance(book.value(cell), float))
    ends = [cell for cell in formulas if cell not in used]
    return numbers, ends, [cell for cell in formulas if cell in used and _has_own_label(book, cell)]


def _has_own_label(book: SheetBook, cell: CellId) -> bool:
    """Whether a text stands left of a formula, and no formula right of it; or a text above, and none below it."""
    row, column = divmod(cell[1], COLUMNS)
    column += 1

    def at(r: int, c: int) -> CellId | None:
        return (cell[0], key(r, c)) if r >= 1 and 1 <= c < COLUMNS else None

    def is_text(place: CellId | None) -> bool:
        return place is not None and isinstance(book.value(place), str) and not book.is_formula(place)

    def is_formula(place: CellId | None) -> bool:
        return place is not None and book.is_formula(place)

    left = next((c for c in range(column - 1, max(0, column - 1 - BLANKS), -1) if _holds(book, at(row, c))), 0)
    if left and is_text(at(row, left)):
        return not is_formula(at(row, column + 1))
    return is_text(at(row - 1, column)) and not is_formula(at(row + 1, column))


def _holds(book: SheetBook, cell: CellId | None) -> bool:
    return cell is not None and (book.value(cell) is not None or book.is_formula(cell))
