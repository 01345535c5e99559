"""What a workbook says that it was made from, and the same study made again: to compare, and to check its numbers."""

import math
import re
import warnings
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from sheetsim.engine.evaluate import Values, evaluate
from sheetsim.errors import SheetsimError, SheetsimWarning
from sheetsim.language import ENGLISH
from sheetsim.model.expr import Choice, Matrix
from sheetsim.model.graph import Graph
from sheetsim.model.op import Array
from sheetsim.runs import templates
from sheetsim.runs.manifest import Manifest, Replicated
from sheetsim.runs.outputs import lay_out
from sheetsim.runs.replicates import ReplicatesPlan, observed, run_replicates
from sheetsim.runs.run import study_manifest
from sheetsim.runs.themes import theme_of, write_book
from sheetsim.studies.about import AboutPage
from sheetsim.studies.forward.study import INPUTS, SAMPLES, Forward
from sheetsim.studies.input_key import GIVEN_ARRAY
from sheetsim.studies.optimizers.study import GIVEN_FUNCTION
from sheetsim.studies.study import Experiment
from sheetsim.workbook.layout import Block, Echo, Layout, MatrixSheet, Text
from sheetsim.workbook.reading.parse import Cells
from sheetsim.workbook.reading.raw import RawBook
from sheetsim.workbook.reading.values import CellKeys, CellValues, Rectangle, keys_of, values_of
from sheetsim.workbook.writing.theme import Theme

if TYPE_CHECKING:
    import pandas as pd


class GivenPartError(SheetsimError):
    """A book's study had a part that was given in Python, and that no book holds."""


# A summary holds no matrices: to check it is to run it again, and a file may ask for any size.
OPERATIONS = 1e12

# A cell of the matrices that `sizes` names stands for so much work of a study.
PER_CELL = 1e5

SheetCells = Mapping[str, Cells]


class Provenance(msgspec.Struct, frozen=True):
    """The study that a book says it is; plan: how often it was run, in a book of replicates.

    run: the command that runs it, where it can be told; lost: the input file that is not here, its numbers taken from
    the book.
    """

    manifest: Manifest
    experiment: Experiment
    plan: ReplicatesPlan | None
    run: str | None
    lost: str


class Made(msgspec.Struct, frozen=True):
    """The study made again: where everything stands in its book, what that says about itself, and what NumPy gives."""

    manifest: Manifest
    layout: Layout
    values: Values

    def write(self, path: Path, theme: Theme) -> Path:
        """Writes its workbook."""
        with warnings.catch_warnings():
            # Of a cover's cells: said when the book was made.
            warnings.simplefilter("ignore", SheetsimWarning)
            return write_book(path, self.manifest, self.layout, self.values, theme)

    def rows_of_about(self, labels: Sequence[str]) -> CellKeys:
        """The keys of the cells beside some labels of About, the first of each."""
        (about,) = (sheet for sheet in self.layout.sheets if isinstance(sheet, AboutPage))
        rows = {item.text: item.row for item in reversed(about.items) if isinstance(item, Text) and item.column == 0}
        return keys_of(Rectangle(rows[label] + 1, 2, rows[label] + 1, 2) for label in labels if label in rows)

    def computed(self) -> dict[str, CellValues]:
        """By sheet, what NumPy gives for the cells that are computed, references to other cells included."""
        keys: dict[str, list[CellKeys]] = {}
        arrays: dict[str, list[NDArray[Any]]] = {}
        for title, row, column, node in _shown(self.layout):
            block = Rectangle(row + 1, column + 1, row + node.shape[0], column + node.shape[1])
            keys.setdefault(title, []).append(keys_of([block]))
            arrays.setdefault(title, []).append(self.layout.shown(self.values[node]))
        return {title: values_of(keys[title], arrays[title]) for title in keys}


def provenance(book: RawBook, sheets: SheetCells, said: Manifest) -> Provenance | None:
    """The study that a book's manifest names, if any; data that are not at hand are taken from the book itself.

    Raises SheetsimError when its parameters cannot be read, or are of other sizes than the book has, and
    GivenPartError when what it says is not all of it.
    """
    parameters = dict(said.parameters)
    if "study" not in parameters:
        return None
    if parameters.get("f") == GIVEN_FUNCTION:
        raise GivenPartError(f"{book.path}: f was given in Python, so the study cannot be made again")
    source = parameters.get("input")
    file = source.get("file", "") if isinstance(source, dict) else ""
    lost = file if isinstance(file, str) and file and not _is_here(file) else ""
    try:
        if lost or source == GIVEN_ARRAY:
            if not said.matrices:
                raise SheetsimError("the data of the input are missing, and a summary does not contain them")
            parameters["input"] = _input(book, sheets)
        experiment = templates.convert(parameters)
        # Where the input file is not here, its numbers are no file's.
        command = None if lost else _command(said.template, experiment)
        plan = None if said.replicates is None else plan_again(said, said.replicates, experiment, command)
    except SheetsimError as error:
        raise SheetsimError(f"{book.path}: the parameters cannot be read: {error}") from None
    _check_sizes(experiment, plan, book)
    return Provenance(said, experiment, plan, command, lost)


def theme_again(said: Manifest) -> tuple[Theme, bool]:
    """The theme that a book names, and whether its file is here; else one that only names it."""
    try:
        return theme_of(said.theme or None), True
    except SheetsimError:
        return Theme(file=said.theme), False


def _is_here(file: str) -> bool:
    try:
        return Path(file).is_file()
    except OSError:
        return False


def plan_again(
    said: Manifest, how: Replicated, source: Experiment | Graph, command: str | None = None
) -> ReplicatesPlan:
    """How a book of replicates was made. command: the one that runs the study once, where it can be told."""
    options = msgspec.structs.asdict(how) | ({"run": command} if command else {})
    chosen = tuple(options.pop("statistics"))
    if not chosen:
        raise SheetsimError("the manifest's replicates.statistics is empty")
    return ReplicatesPlan(observed=observed(source), name="", chosen=chosen, template=said.template, **options)


def _command(template: str, experiment: Experiment) -> str | None:
    """The command that runs the study: of a shipped template what it must be, of another it is not known."""
    if template not in templates.names():
        return None
    return templates.command(template, templates.load(template).experiment, experiment)


def _check_sizes(experiment: Experiment, plan: ReplicatesPlan | None, book: RawBook) -> None:
    """Before anything is built: the sizes must be the book's own, or they decide how much work this is."""
    if plan is not None and isinstance(experiment, Forward):
        _check_work(experiment, book, plan.replicates)
    elif plan is not None:
        _check_cells(experiment, book, plan.replicates)
    elif not isinstance(experiment, Forward):
        for name, (rows, columns) in experiment.sizes().items():
            _, block = book.place(name)
            shape = block.bottom - block.top + 1, block.right - block.left + 1
            if shape != (rows, columns):
                said = f"{name} has {rows}×{columns} cells; the book has {shape[0]}×{shape[1]}"
                raise SheetsimError(f"{book.path}: according to its manifest, {said}")
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
            f"{book.path}: its manifest says {said}, the book has {(rows, columns, widths)} samples, inputs, layers"
        )


def _check_summary(experiment: Forward, book: RawBook) -> None:
    layers = experiment.layers
    counted = sum(re.fullmatch(r"counts_(a_)?[0-9]+", name) is not None for name in book.names)
    if counted != len(layers):
        raise SheetsimError(f"{book.path}: its manifest says {len(layers)} layers, the book has {counted}")
    _check_work(experiment, book, 1)


def _check_work(experiment: Forward, book: RawBook, replicates: int) -> None:
    widths = [experiment.inputs or INPUTS, *experiment.widths()]
    if (experiment.samples or SAMPLES) * sum(map(math.prod, pairwise(widths))) * replicates > OPERATIONS:
        raise SheetsimError(f"{book.path}: verify does not compute this book again, as that would take too long")


def _check_cells(experiment: Experiment, book: RawBook, replicates: int) -> None:
    """Of a study whose work is known by the sizes of some of its matrices alone."""
    if sum(rows * columns for rows, columns in experiment.sizes().values()) * PER_CELL * replicates > OPERATIONS:
        raise SheetsimError(f"{book.path}: verify does not compute this book again, as that would take too long")


def _number(name: str) -> tuple[int, str]:
    tail = name.rpartition("_")[2]
    return (int(tail) if tail.isdecimal() and len(tail) < 10 else 0), name


def named_array(book: RawBook, sheets: SheetCells, name: str) -> Array:
    """A defined name's numbers. Raises SheetsimError for a cell without one."""
    numbers = _numbers(book, sheets, *book.place(name))
    if numbers is None or np.isnan(numbers).any():
        raise SheetsimError(f"{book.path}: a cell of {name} is not a number")
    return numbers


def _input(book: RawBook, sheets: SheetCells) -> "Array | pd.DataFrame":
    """The numbers of x, as a DataFrame where texts stand above them."""
    numbers = named_array(book, sheets, "x")
    title, block = book.place("x")
    heads = sheets[title].values.rows(Rectangle(block.top - 1, block.left, block.top - 1, block.right))[0]
    if block.top < 2 or not all(isinstance(head, str) for head in heads):
        return numbers
    import pandas as pd

    return pd.DataFrame(numbers, columns=heads)


def _numbers(book: RawBook, sheets: SheetCells, title: str, block: Rectangle) -> Array | None:
    """The numbers of a block, NaN where a cell holds none; None when the sheet has far fewer cells."""
    if title not in sheets:
        return None
    cells = keys_of([block]) if block.size <= 2 * len(sheets[title].values) else np.empty(0, dtype=np.int64)
    numbers = sheets[title].values.numbers_at(cells)
    if len(numbers) != block.size:
        return None
    return numbers.reshape(block.bottom - block.top + 1, -1)


def made(said: Provenance) -> Made:
    """The study made again. Raises SheetsimError for input data that cannot be read."""
    was = said.manifest
    if said.plan is not None:
        return made_replicates(said.plan, was)
    study = said.experiment.build()
    live = study.matrices and not was.values_only
    command = was.command if said.run is None else templates.writing(said.run, was.values_only)
    layout, risk, values = lay_out(study, command, live)
    said_again = study_manifest(study, layout, risk, was.values_only, was.template)
    return Made(said_again, layout, evaluate(layout.places, values))


def made_replicates(plan: ReplicatesPlan, was: Manifest) -> Made:
    """A book of replicates made again."""
    replicates = run_replicates(plan)
    layout, values = replicates.book(was.values_only, was.lang or ENGLISH)
    return Made(replicates.manifest(layout, was.values_only), layout, values)


def adopted(meant: Made, book: RawBook, sheets: SheetCells) -> Made:
    """The same with every constant as it stands in the book: the same object where none is another.

    Raises SheetsimError for a constant that is not there, or is not one of a drop-down's texts.
    """
    others: Values = {}
    for node in meant.layout.places:
        if not node.is_op:
            other = _in_book(node, meant, book, sheets)
            if other is not None:
                others[node] = other
    return msgspec.structs.replace(meant, values=evaluate(meant.layout.places, others)) if others else meant


def _in_book(node: Matrix, made_again: Made, book: RawBook, sheets: SheetCells) -> NDArray[Any] | None:
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
                f"{book.path}: {name} says {chosen!r}, which is not one of {', '.join(node.source.options)}"
            )
        return np.array([[chosen]]) if chosen != str(meant[0, 0]) else None
    if meant.dtype.kind == "U":  # a fixed text, on which nothing depends
        return None
    numbers = _numbers(book, sheets, *place)
    if numbers is None or (np.isnan(numbers) & np.isfinite(meant if meant.shape == numbers.shape else 0.0)).any():
        raise SheetsimError(f"{book.path}: a cell of {name} is not a number")
    if numbers.shape != node.shape:
        raise SheetsimError(f"{book.path}: {name} has {numbers.shape[0]}×{numbers.shape[1]} cells, not {node.shape}")
    # A replicate that lacks a statistic has an error value there, whichever it is.
    same = np.array_equal(numbers, np.where(np.isfinite(meant), meant, np.nan), equal_nan=True)
    return None if same else numbers


def _shown(layout: Layout) -> list[tuple[str, int, int, Matrix]]:
    """Each computed matrix and each reference to a cell, with its sheet and first row and column from 0."""
    computed = []
    for sheet in layout.sheets:
        if isinstance(sheet, MatrixSheet):
            if sheet.matrix.is_op:
                computed.append((sheet.title, 1, 1, sheet.matrix))
            continue
        computed += [
            (sheet.title, item.row, item.column, item.matrix)
            for item in sheet.items
            if isinstance(item, Echo) or (isinstance(item, Block) and item.matrix.is_op)
        ]
    return computed
