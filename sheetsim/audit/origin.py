"""What a workbook says that it was made from, and the same study made again: to compare, and to check its numbers."""

import math
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from sheetsim.engine.evaluate import Values as Computed
from sheetsim.engine.evaluate import evaluate
from sheetsim.errors import SheetsimError
from sheetsim.model.expr import Choice, Matrix
from sheetsim.runs import templates
from sheetsim.runs.replicates import Plan, run_plan
from sheetsim.studies.forward.study import INPUTS, SAMPLES, Forward
from sheetsim.studies.optimizers.study import GIVEN_FUNCTION
from sheetsim.studies.study import Experiment, properties, toml_value
from sheetsim.workbook.layout import Block, Echo, Layout, MatrixSheet
from sheetsim.workbook.reading.parse import Cells
from sheetsim.workbook.reading.raw import RawBook
from sheetsim.workbook.reading.values import Rectangle, Values, keys_of, values_of
from sheetsim.workbook.writing.write import write

GIVEN = "an array of numbers, given in Python"
VALUES_ONLY = " --values-only"


class GivenPartError(SheetsimError):
    """A book's study had a part that was given in Python, and that no book holds."""


# Labels of About whose texts say what made the book, and not what it is made of.
MACHINE: tuple[str, ...] = ("versions",)

# A summary holds no matrices: to check it is to run it again, and a file may ask for any size.
OPERATIONS = 1e12

Sheets = Mapping[str, Cells]


@dataclass(frozen=True)
class Origin:
    """The study on a book's sheet About; plan: how often it was run, in a book of replicates.

    unchecked: labels of About whose texts are not what the same study made again would say; lost: the input file that
    is not here, its numbers taken from the book.
    """

    experiment: Experiment
    plan: Plan | None
    command: str
    live: bool
    unchecked: tuple[str, ...]
    lost: str


@dataclass(frozen=True)
class Made:
    """The study made again: where everything stands in its book, and what NumPy gives for it."""

    title: str
    layout: Layout
    values: Computed

    def write(self, path: Path) -> Path:
        """Writes its workbook."""
        return write(path, self.layout, self.values, properties=properties(self.title))

    def computed(self) -> dict[str, Values]:
        """By sheet, what NumPy gives for the cells that are computed, references to other cells included."""
        keys: dict[str, list[Any]] = {}
        arrays: dict[str, list[Any]] = {}
        for title, row, column, node in _shown(self.layout):
            block = Rectangle(row + 1, column + 1, row + node.shape[0], column + node.shape[1])
            keys.setdefault(title, []).append(keys_of([block]))
            arrays.setdefault(title, []).append(self.values[node])
        return {title: values_of(keys[title], arrays[title]) for title in keys}


def origin(book: RawBook, sheets: Sheets) -> Origin | None:
    """The study that a book says it is, if any; data that are not at hand are taken from the book itself.

    Raises SheetsimError when About cannot be read, or says other sizes than the book has, and GivenPartError when what
    it says is not all of it.
    """
    rows = about(sheets)
    if "study" not in rows:
        return None
    command = rows.get("command", "")
    try:
        text = "\n".join(f"{key} = {rows[key]}" for key in _keys(rows["study"]) if key in rows)
        parameters = templates.parsed(text)
        if parameters.get("f") == GIVEN_FUNCTION:
            raise GivenPartError(f"{book.path}: f was given in Python, so that the study cannot be made again")
        source = parameters.get("input")
        lost = isinstance(source, dict) and "file" in source and not Path(str(source["file"])).is_file()
        if lost or source == GIVEN:
            if parameters.get("report") == "summary":
                raise SheetsimError("the input is not here, and a summary does not hold it")
            parameters["input"] = _input(book, sheets)
        experiment = templates.convert(parameters)
    except GivenPartError:
        raise
    except SheetsimError as error:
        raise SheetsimError(f"{book.path}: the parameters on About cannot be read: {error}") from None
    if lost:
        unchecked = (*MACHINE, "input")
    else:
        unchecked = MACHINE
        command = _command(command, experiment)
    plan = _plan(rows, experiment, command) if "replicates" in rows else None
    _check_sizes(experiment, plan, book)
    live = (experiment.is_full or plan is not None) and not command.endswith(VALUES_ONLY)
    return Origin(experiment, plan, command, live, unchecked, str(source["file"]) if lost else "")  # type: ignore[index]


def _keys(study: str) -> tuple[str, ...]:
    """The keys of the study that About names, in TOML."""
    known = {toml_value(name): kind for name, kind in templates.STUDIES.items()}
    return known.get(study, Forward).__struct_fields__


def _plan(rows: Mapping[str, str], experiment: Experiment, command: str) -> Plan:
    try:
        study = templates.forward(experiment, "replicates")
        keys = ("replicates", "until", "statistics", "single", "bootstrap")
        options = templates.parsed("\n".join(f"{key} = {rows[key]}" for key in keys if key in rows))
        once = command.partition(" --replicates ")[0].replace("sheetsim replicate", "sheetsim run", 1)
        return Plan(
            study,
            "",
            once,
            options["replicates"],
            options.get("until"),
            tuple(options.get("statistics", ())),
            options.get("single", False),
            options.get("bootstrap", False),
        )
    except (TypeError, ValueError) as error:
        raise SheetsimError(f"the replicates on About cannot be read: {error}") from None


def about(sheets: Sheets) -> dict[str, str]:
    """About's first column against its second. A label that comes again, further down, is a defined name's."""
    found: dict[str, str] = {}
    for row, label in _labels(sheets):
        # A title stands alone in its row, and may be any text.
        text = sheets["About"].values.get(row, 2)
        if text is not None:
            found.setdefault(label, str(text))
    return found


def about_rows(sheets: Sheets, labels: tuple[str, ...]) -> list[Rectangle]:
    """The rows of some labels of About, the first of each."""
    found: dict[str, int] = {}
    for row, label in _labels(sheets):
        found.setdefault(label, row)
    return [Rectangle(found[label], 1, found[label], 2) for label in labels if label in found]


def _labels(sheets: Sheets) -> list[tuple[int, str]]:
    if "About" not in sheets:
        return []
    values = sheets["About"].values
    rows = sorted({int(cell) // 16_384 for cell in values.keys})
    return [(row, str(label)) for row in rows if (label := values.get(row, 1)) is not None]


def _command(said: str, experiment: Experiment) -> str:
    """The command that makes the study: of a shipped template what it must be, of another the one that is said."""
    try:
        words = shlex.split(said)
    except ValueError:
        return said
    if len(words) < 3 or words[0] != "sheetsim" or words[2] not in templates.names():
        return said
    made = templates.command(words[2], templates.load(words[2]).experiment, experiment)
    if words[1] == "replicate":
        # The rest is the plan's, and told from About's other rows.
        made = made.replace("sheetsim run", "sheetsim replicate", 1) + " --replicates "
    return made + (VALUES_ONLY if said.endswith(VALUES_ONLY) else "")


def _check_sizes(experiment: Experiment, plan: Plan | None, book: RawBook) -> None:
    """Before anything is built: About's sizes must be the book's own, or they decide how much work this is."""
    if plan is not None:
        _check_work(plan.study, book, plan.replicates)
    elif not isinstance(experiment, Forward):
        for name, (rows, columns) in experiment.sizes().items():
            _, block = book.place(name)
            found = block.bottom - block.top + 1, block.right - block.left + 1
            if found != (rows, columns):
                raise SheetsimError(
                    f"{book.path}: by About, {name} has {rows}×{columns} cells; the book has {found[0]}×{found[1]}"
                )
    elif not experiment.is_full:
        _check_summary(experiment, book)
    else:
        _check_layers(experiment, book)


def _check_layers(experiment: Forward, book: RawBook) -> None:
    _, x = book.place("x")
    rows, columns = x.bottom - x.top + 1, x.right - x.left + 1
    said = experiment.samples or rows, experiment.inputs or columns, experiment.widths()
    sums = [name for name in book.names if name.startswith("a_")]
    widths = [block.right - block.left + 1 for _, block in map(book.place, sorted(sums, key=_number))]
    if said != (rows, columns, widths):
        raise SheetsimError(
            f"{book.path}: About says {said}, the book has {(rows, columns, widths)} samples, inputs, layers"
        )


def _check_summary(experiment: Forward, book: RawBook) -> None:
    layers = experiment.layers
    counted = sum(re.fullmatch(r"counts_(a_)?[0-9]+", name) is not None for name in book.names)
    if counted != len(layers):
        raise SheetsimError(f"{book.path}: About says {len(layers)} layers, the book has {counted}")
    _check_work(experiment, book, 1)


def _check_work(experiment: Forward, book: RawBook, replicates: int) -> None:
    widths = [experiment.inputs or INPUTS, *experiment.widths()]
    if (experiment.samples or SAMPLES) * sum(map(math.prod, pairwise(widths))) * replicates > OPERATIONS:
        raise SheetsimError(f"{book.path}: a book of so much work is not made again to check it")


def _number(name: str) -> tuple[int, str]:
    tail = name.rpartition("_")[2]
    return (int(tail) if tail.isdecimal() and len(tail) < 10 else 0), name


def array(book: RawBook, sheets: Sheets, name: str) -> Any:
    """A defined name's numbers. Raises SheetsimError for a cell without one."""
    found = _numbers(book, sheets, *book.place(name))
    if found is None or np.isnan(found).any():
        raise SheetsimError(f"{book.path}: a cell of {name} holds no number")
    return found


def _input(book: RawBook, sheets: Sheets) -> Any:
    """The numbers of x, as a DataFrame where texts stand above them."""
    found = array(book, sheets, "x")
    title, block = book.place("x")
    heads = sheets[title].values.rows(Rectangle(block.top - 1, block.left, block.top - 1, block.right))[0]
    if block.top < 2 or not all(isinstance(head, str) for head in heads):
        return found
    import pandas as pd

    return pd.DataFrame(found, columns=heads)


def _numbers(book: RawBook, sheets: Sheets, title: str, block: Rectangle) -> Any:
    """The numbers of a block, NaN where a cell holds none; None when the sheet has far fewer cells."""
    if title not in sheets:
        return None
    cells = keys_of([block]) if block.size <= 2 * len(sheets[title].values) else np.empty(0)
    numbers = sheets[title].values.numbers_at(cells)
    if len(numbers) != block.size:
        return None
    return numbers.reshape(block.bottom - block.top + 1, -1)


def made(said: Origin) -> Made:
    """The study made again. Raises SheetsimError for input data that cannot be read."""
    if said.plan is not None:
        replicates = run_plan(said.plan)
        return Made(replicates.title, *replicates.book(values_only=not said.live))
    study = said.experiment.build()
    layout = Layout(study.sheets(said.command, said.live), live=said.live)
    return Made(study.title, layout, evaluate(layout.places))


def adopted(meant: Made, book: RawBook, sheets: Sheets) -> Made:
    """The same with every constant as it stands in the book: the same object where none is another.

    Raises SheetsimError for a constant that is not there, or is none of a drop-down's texts.
    """
    others: Computed = {}
    for node in meant.layout.places:
        if not node.is_op:
            found = _in_book(node, meant, book, sheets)
            if found is not None:
                others[node] = found
    return replace(meant, values=evaluate(meant.layout.places, others)) if others else meant


def _in_book(node: Matrix, made_again: Made, book: RawBook, sheets: Sheets) -> Any:
    """What the book says of a leaf, where that is something else; else None."""
    meant = made_again.values[node]
    if node.name is None:
        area = made_again.layout.places[node]
        row, column = area.row + 1, area.column + 1
        place = area.sheet, Rectangle(row, column, area.row + node.shape[0], area.column + node.shape[1])
        name = f"the cell in row {row}, column {column} of {area.sheet}"
    else:
        name, place = node.name, book.place(node.name)
    if isinstance(node.source, Choice):
        title, block = place
        chosen = str(sheets[title].values.get(block.top, block.left))
        if chosen not in node.source.options:
            raise SheetsimError(
                f"{book.path}: {name} says {chosen!r}, which is none of {', '.join(node.source.options)}"
            )
        return np.array([[chosen]]) if chosen != str(meant[0, 0]) else None
    found = _numbers(book, sheets, *place)
    if found is None or (np.isnan(found) & np.isfinite(meant if meant.shape == found.shape else 0.0)).any():
        raise SheetsimError(f"{book.path}: a cell of {name} holds no number")
    if found.shape != node.shape:
        raise SheetsimError(f"{book.path}: {name} has {found.shape[0]}×{found.shape[1]} cells, not {node.shape}")
    # A replicate that lacks a statistic has an error value there, whichever it is.
    same = np.array_equal(found, np.where(np.isfinite(meant), meant, np.nan), equal_nan=True)
    return None if same else found


def _shown(layout: Layout) -> list[tuple[str, int, int, Matrix]]:
    """Each computed matrix and each reference to a cell, with its sheet and first row and column from 0."""
    found = []
    for sheet in layout.sheets:
        if isinstance(sheet, MatrixSheet):
            if sheet.matrix.is_op:
                found.append((sheet.title, 1, 1, sheet.matrix))
            continue
        found += [
            (sheet.title, item.row, item.column, item.matrix)
            for item in sheet.items
            if isinstance(item, Echo) or (isinstance(item, Block) and item.matrix.is_op)
        ]
    return found
