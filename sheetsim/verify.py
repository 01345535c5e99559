"""Checks workbooks: against an independent engine, against NumPy, against what made them, and one against another."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.origin import GivenPartError, Made, Origin, Sheets, about_rows, adopted, made, origin
from sheetsim.workbook.compare import Changed, Gap, blocks, gap
from sheetsim.workbook.difference import Difference, differences
from sheetsim.workbook.raw import RawBook
from sheetsim.workbook.recalculate import Book, poison, recalculated
from sheetsim.workbook.values import Values, keys_of

# Of a named matrix, relative to its largest magnitude; single cells and those of tables by their own size.
TOLERANCE = 1e-9

MADE, RESAVED, EDITED, UNKNOWN = "as made", "saved again", "edited", "unknown"

NO_FORMULAS = "no formulas to recalculate: the values are checked against NumPy alone"


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

    state: `as made` (the bytes that its seed and parameters give), `saved again` (the same contents in other bytes),
    `edited`, or `unknown` where no study says how it was made; changes: what was edited, from what the study gives to
    what the book says, every cell; notes: what else there is to say, in words.
    """

    path: Path
    rows: tuple[Row, ...]
    state: str
    changes: tuple[Difference, ...] = field(default=())
    notes: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether the values are what each engine, and NumPy for About's study, gives from the book's constants."""
        return bool(self.rows) and all(row.ok for row in self.rows)


def verify(path: str | os.PathLike[str], engines: tuple[str, ...] = ("ironcalc",)) -> Verified:
    """Recalculates a book with each engine, from caches made wrong first, and with NumPy from the book's own constants.

    A book without formulas is checked with NumPy alone; a summary, which holds no matrices, from its seed and
    parameters. Of the constants that were changed the computed values follow: those are then rows that pass or fail,
    and no changes.
    Raises SheetsimError when the file is no workbook, has neither formulas nor a study to check, or an engine is not
    there or fails.
    """
    with RawBook(path) as book:
        sheets = {title: book.cells(title) for title in book.titles}
        live = any(cells.formulas for cells in sheets.values())
        try:
            said = origin(book, sheets)
        except SheetsimError as error:
            if not live:
                raise
            state = UNKNOWN if isinstance(error, GivenPartError) else EDITED
            return Verified(book.path, tuple(_engine_rows(book, sheets, engines, ())), state, notes=(str(error),))
        if said is None and not live:
            raise SheetsimError(f"{book.path} has no formulas, and no study on About: there is nothing to check")
        rounded = said.experiment.ROUNDED if said else ()
        rows = _engine_rows(book, sheets, engines, rounded) if live else []
        found = Verified(book.path, tuple(rows), UNKNOWN, notes=() if live else (NO_FORMULAS,))
        return found if said is None else _with_numpy(found, book, sheets, said)


def diff(first: str | os.PathLike[str], second: str | os.PathLike[str]) -> list[Difference]:
    """Where two books differ: names, sheets, values and formulas by block, charts, styles and other parts.

    Every cell that differs is in its block's `changes`. Charts, styles and parts are compared byte for byte, and only
    where both files are as sheetsim writes them.
    Raises SheetsimError when a file is no workbook.
    """
    with RawBook(first) as one, RawBook(second) as two:
        return list(differences(one, two))


def _engine_rows(book: RawBook, sheets: Sheets, engines: tuple[str, ...], rounded: tuple[str, ...]) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "poisoned.xlsx")
        poison(book, target, sheets=sheets)
        computed = {title: cells.computed() for title, cells in sheets.items()}
        rows: list[Row] = []
        for engine in engines:
            (read,) = recalculated([target], engine)
            rows += _against(book, sheets, engine, computed, read, rounded)
        return rows


def _with_numpy(found: Verified, book: RawBook, sheets: Sheets, said: Origin) -> Verified:
    """What NumPy and the study made again add to what the engines found."""
    meant = made(said)
    computed = meant.computed()
    try:
        current = adopted(meant, book, sheets)
    except SheetsimError as error:
        return replace(found, state=EDITED, notes=(*found.notes, str(error)))
    values = computed if current is meant else current.computed()
    keys = {title: known.keys for title, known in values.items()}
    rows = _against(book, sheets, "numpy", keys, values, said.experiment.ROUNDED)
    state, changes = _origin(book, sheets, said, meant)
    if current is not meant:
        changes = list(_constant(changes, computed))
    notes = found.notes + said.notes
    return replace(found, rows=(*found.rows, *rows), state=state, changes=tuple(changes), notes=notes)


def _against(
    book: RawBook,
    sheets: Sheets,
    engine: str,
    computed: Mapping[str, np.ndarray],
    read: Book,
    rounded: tuple[str, ...],
) -> Iterator[Row]:
    nothing = Values(np.empty(0, dtype=np.int64), np.empty(0), {})
    for title, keys in computed.items():
        if title not in sheets:
            yield Row(f"({title})", title, engine, len(keys), 0.0, 0.0, f"the book has no sheet {title!r}", False)
            continue
        for block in blocks(book, title, keys):
            found = gap(block, sheets[title].values, read.get(title, nothing))
            ok = found.other == 0 and _close(block.name, len(block.keys), found, rounded)
            yield Row(block.name, title, engine, len(block.keys), found.absolute, found.relative, found.where, ok)


def _close(name: str, cells: int, found: Gap, rounded: tuple[str, ...]) -> bool:
    if name.startswith("counts_"):
        return found.absolute == 0
    if cells == 1 or name.startswith("("):
        return found.beyond == 0
    # Means over mirrored samples are 0 but for rounding, of which each engine has its own.
    return found.relative <= TOLERANCE or (name.startswith(("mean_", *rounded)) and found.beyond == 0)


def _origin(book: RawBook, sheets: Sheets, said: Origin, meant: Made) -> tuple[str, list[Difference]]:
    """Whether the file is, byte for byte or at least cell for cell, what its parameters give."""
    with tempfile.TemporaryDirectory() as folder:
        again = meant.write(Path(folder, "again.xlsx"))
        if again.read_bytes() == book.path.read_bytes():
            return MADE, []
        with RawBook(again) as fresh:
            found = list(differences(fresh, book))
    # About says with what the book was made: other versions are no edit of it.
    left_out = {"About": keys_of(about_rows(sheets, said.unchecked))}
    found = list(_without(found, left_out))
    return (EDITED, found) if found else (RESAVED, [])


def _constant(changes: list[Difference], computed: Mapping[str, Values]) -> Iterator[Difference]:
    """The changes less computed values, which follow from the constants that were changed."""
    return _without(changes, {title: values.keys for title, values in computed.items()})


def _without(changes: list[Difference], left_out: Mapping[str, np.ndarray]) -> Iterator[Difference]:
    for change in changes:
        listed = change.changes
        if isinstance(listed, Changed):
            listed = listed.without(left_out.get(listed.sheet, np.empty(0, dtype=np.int64)))
        if len(listed):
            yield replace(change, changes=listed)
