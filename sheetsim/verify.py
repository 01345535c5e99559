"""Checks workbooks: against an independent engine, against NumPy, against what made them, and one against another."""

import os
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sheetsim import templates
from sheetsim.engine.evaluate import Values, evaluate
from sheetsim.errors import SheetsimError
from sheetsim.experiments.forward import Forward
from sheetsim.model.expr import Choice, Data, Matrix
from sheetsim.workbook.cells import error_text
from sheetsim.workbook.compare import Block, Gap, blocks, cell_name, formula_changes, gap
from sheetsim.workbook.layout import Layout
from sheetsim.workbook.raw import Cells, RawBook
from sheetsim.workbook.recalculate import poison, recalculated
from sheetsim.workbook.write import write

# Of a named matrix, relative to its largest magnitude; single cells and those of tables by their own size.
TOLERANCE = 1e-9

MADE, RESAVED, EDITED, UNKNOWN = "as made", "saved again", "edited", "unknown"


@dataclass(frozen=True)
class Row:
    """One block of a book against one engine's reading of it."""

    name: str
    sheet: str
    engine: str
    cells: int
    absolute: float
    relative: float
    where: str
    ok: bool


@dataclass(frozen=True)
class Verified:
    """What is known of a book.

    state: `as made` (the bytes that its seed and parameters give), `saved again` (the same cells in other bytes),
    `edited`, or `unknown` where no study says how it was made; changes: what was edited, in words.
    """

    path: Path
    rows: tuple[Row, ...]
    state: str
    changes: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether the values are what each engine, and NumPy for About's study, gives from the book's constants."""
        return all(row.ok for row in self.rows)


@dataclass(frozen=True)
class Difference:
    """One block in which two books differ. kind: values, formulas, names or sheets."""

    name: str
    kind: str
    cells: int
    absolute: float
    where: str


def verify(path: str | os.PathLike[str], engines: tuple[str, ...] = ("ironcalc",)) -> Verified:
    """Recalculates a book with each engine, from caches made wrong first, and with NumPy from the book's own constants.

    Raises SheetsimError when the file is no workbook, has no formula to check, or the engine is not there.
    """
    with RawBook(path) as book:
        sheets = {title: book.cells(title) for title in book.titles}
        rows: list[Row] = []
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder, "poisoned.xlsx")
            if not poison(book, target, sheets=sheets):
                raise SheetsimError(f"{book.path} has no formulas: there is nothing to recalculate")
            for engine in engines:
                (read,) = recalculated([target], engine)
                rows += _against(
                    book, sheets, engine, lambda title, read=read: _engine_values(read, title, sheets[title])
                )
        try:
            made, changes = _numpy_side(book, sheets)
        except SheetsimError as error:
            return Verified(book.path, tuple(rows), EDITED, (str(error),))
        if made is None:
            return Verified(book.path, tuple(rows), UNKNOWN)
        layout, values = made
        computed = _layout_values(layout, values)
        rows += _against(book, sheets, "numpy", lambda title: computed.get(title, {}), set(computed))
        state, more = _origin(book, sheets)
        if changes:
            # Values follow from the constants that were changed; formulas and names do not.
            state, more = EDITED, [change for change in more if ", values: " not in change]
        return Verified(book.path, tuple(rows), state, (*changes, *more))


def diff(first: str | os.PathLike[str], second: str | os.PathLike[str]) -> list[Difference]:
    """Where two books differ, block by block: values, formulas, names and sheets."""
    with RawBook(first) as one, RawBook(second) as two:
        return list(_differences(one, two))


def _differences(one: RawBook, two: RawBook) -> Iterator[Difference]:
    for name in sorted(one.names.keys() | two.names.keys()):
        if _place(one, name) != _place(two, name):
            texts = one.names.get(name, "no name"), two.names.get(name, "no name")
            yield Difference(name, "names", 0, 0.0, f"{texts[0]} against {texts[1]}")
    for title in dict.fromkeys([*one.titles, *two.titles]):
        if title not in one.titles or title not in two.titles:
            lacking = two.path if title in one.titles else one.path
            yield Difference(f"({title})", "sheets", 0, 0.0, f"{lacking} has no sheet {title!r}")
            continue
        left, right = one.cells(title), two.cells(title)
        for block in blocks(one, title, left.values.keys() | right.values.keys()):
            found = gap(block, left.values, right.values)
            if found.differing:
                yield Difference(block.name, "values", found.differing, found.absolute, found.where)
        changed = formula_changes(title, left, right)
        if changed:
            yield Difference(f"({title})", "formulas", len(changed), 0.0, changed[0])


def _place(book: RawBook, name: str) -> object:
    """Where a name leads, however it is written; its text where it is no block of cells."""
    try:
        return book.place(name)
    except SheetsimError:
        return book.names.get(name)


def _against(
    book: RawBook, sheets: Mapping[str, Cells], engine: str, values_of: Any, titles: set[str] | None = None
) -> Iterator[Row]:
    for title, cells in sheets.items():
        if titles is not None and title not in titles:
            continue
        values = values_of(title)
        compared = cells.computed() if titles is None else values.keys()
        for block in blocks(book, title, compared):
            found = gap(block, cells.values, values)
            ok = found.other == 0 and _close(block, found)
            yield Row(block.name, title, engine, found.cells, found.absolute, found.relative, found.where, ok)


def _close(block: Block, found: Gap) -> bool:
    if block.name.startswith("counts_"):
        return found.absolute == 0
    if len(block.cells) == 1 or block.name.startswith("("):
        return found.beyond == 0
    # Means over mirrored samples are 0 but for rounding, of which each engine has its own.
    return found.relative <= TOLERANCE or (block.name.startswith("mean_") and found.beyond == 0)


def _engine_values(read: Any, title: str, cells: Cells) -> dict[tuple[int, int], Any]:
    found: dict[tuple[int, int], Any] = {}
    for _, block in cells.formulas.values():
        for r, row in enumerate(read(title, block)):
            for c, value in enumerate(row):
                found[block.top + r, block.left + c] = float(value) if isinstance(value, int | float) else value
    return found


def _numpy_side(book: RawBook, sheets: Mapping[str, Cells]) -> tuple[tuple[Layout, Values] | None, list[str]]:
    """The study that the book says it is, computed from the constants that stand in the book; and which were edited."""
    experiment = _experiment(book, sheets)
    if experiment is None:
        return None, []
    _check_sizes(experiment, book)
    study = experiment.build()
    layout = Layout(study.sheets("", True))
    leaves = [node for node in layout.places if not node.is_op]
    meant = evaluate(leaves)
    changes = []
    for node in leaves:
        change = _adopt(node, meant[node], book, sheets)
        if change:
            changes.append(change)
    return (layout, evaluate(layout.places)), changes


def _check_sizes(experiment: Forward, book: RawBook) -> None:
    """Before anything is built: About's sizes must be the book's own, or they decide how much work this is."""
    _, block = book.place("x")
    rows, columns = block.bottom - block.top + 1, block.right - block.left + 1
    layers = sum(name.startswith("z_") for name in book.names)
    said = experiment.samples or rows, experiment.inputs or columns, len(experiment.layers)
    if said != (rows, columns, layers) or max(experiment.layers) > 16_384:
        raise SheetsimError(
            f"{book.path}: About says {said}, the book has {(rows, columns, layers)} samples, inputs, layers"
        )


def _experiment(book: RawBook, sheets: Mapping[str, Cells]) -> Forward | None:
    """The parameters on About; data that are not at hand are taken from the book itself."""
    rows = _about(sheets)
    if "study" not in rows:
        return None
    try:
        parameters = tomllib.loads(
            "\n".join(f"{key} = {rows[key]}" for key in Forward.__struct_fields__ if key in rows)
        )
        source = parameters.get("input")
        if source == "an array of numbers, given in Python" or (
            isinstance(source, dict) and "file" in source and not Path(str(source["file"])).is_file()
        ):
            parameters["input"] = _array(book, sheets, "x")
        return templates.convert(parameters)
    except (tomllib.TOMLDecodeError, RecursionError, SheetsimError) as error:
        raise SheetsimError(f"{book.path}: the parameters on About cannot be read: {error}") from None


def _about(sheets: Mapping[str, Cells]) -> dict[str, str]:
    """About's first column against its second. A label that comes again, further down, is a defined name's."""
    values = sheets["About"].values if "About" in sheets else {}
    found: dict[str, str] = {}
    for (row, column), value in sorted(values.items(), key=lambda item: item[0]):
        # A title stands alone in its row, and may be any text.
        if column == 1 and (row, 2) in values:
            found.setdefault(str(value), str(values[row, 2]))
    return found


def _array(book: RawBook, sheets: Mapping[str, Cells], name: str) -> Any:
    title, block = book.place(name)
    values = sheets[title].values
    try:
        rows = range(block.top, block.bottom + 1)
        return np.array([[float(values[r, c]) for c in range(block.left, block.right + 1)] for r in rows])
    except (KeyError, TypeError, ValueError):
        raise SheetsimError(f"{book.path}: a cell of {name} holds no number") from None


def _adopt(node: Matrix, meant: Any, book: RawBook, sheets: Mapping[str, Cells]) -> str | None:
    """Gives a leaf what the book says, and says what that changed."""
    name = str(node.name)
    if isinstance(node.source, Choice):
        title, block = book.place(name)
        chosen = str(sheets[title].values.get((block.top, block.left)))
        if chosen not in node.source.options:
            raise SheetsimError(
                f"{book.path}: {name} says {chosen!r}, which is none of {', '.join(node.source.options)}"
            )
        change = f"{name}: {node.source.value} → {chosen}" if chosen != node.source.value else None
        node.source = Choice(node.source.options, chosen)
        return change
    found = _array(book, sheets, name)
    if found.shape != node.shape:
        raise SheetsimError(f"{book.path}: {name} has {found.shape[0]}×{found.shape[1]} cells, not {node.shape}")
    node.source = Data(found)
    wrong = np.argwhere(found != meant)
    if not len(wrong):
        return None
    title, block = book.place(name)
    r, c = wrong[0]
    cell = f"{title}!{cell_name((block.top + int(r), block.left + int(c)))}"
    return f"{name}: {len(wrong):,} cells, first {cell}: {meant[r, c]!s} → {found[r, c]!s}"


def _layout_values(layout: Layout, values: Values) -> dict[str, dict[tuple[int, int], Any]]:
    """By sheet, what NumPy gives for each computed cell."""
    found: dict[str, dict[tuple[int, int], Any]] = {}
    for node in layout.formulas:
        place = layout.places[node]
        cells = found.setdefault(place.sheet, {})
        for (r, c), value in np.ndenumerate(values[node]):
            text = isinstance(value, str)
            cells[place.row + 1 + r, place.column + 1 + c] = (
                str(value) if text else float(value) if np.isfinite(value) else error_text(value)
            )
    return found


def _origin(book: RawBook, sheets: Mapping[str, Cells]) -> tuple[str, list[str]]:
    """Whether the file is, byte for byte or at least cell for cell, what its parameters give."""
    experiment = _experiment(book, sheets)
    assert experiment is not None
    command = _about(sheets).get("command", "")
    study = experiment.build()
    layout = Layout(study.sheets(command, True))
    with tempfile.TemporaryDirectory() as folder:
        again = write(Path(folder, "again.xlsx"), layout, evaluate(layout.places), properties=study.properties())
        if again.read_bytes() == book.path.read_bytes():
            return MADE, []
        with RawBook(again) as fresh:
            # About says with what the book was made: other versions are no edit of it.
            found = [f"{d.name}, {d.kind}: {d.where}" for d in _differences(fresh, book) if d.name != "(About)"]
    return (EDITED, found) if found else (RESAVED, [])
