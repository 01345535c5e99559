"""Checks workbooks: against an independent engine, against NumPy, against what made them, and one against another."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from sheetsim.arguments import listed, one_of
from sheetsim.audit.compare import Changed, Gap, blocks, gap
from sheetsim.audit.difference import Difference, differences, is_beside_cells
from sheetsim.audit.model_file import model_of
from sheetsim.audit.provenance import (
    GivenPartError,
    Made,
    SheetCells,
    adopted,
    made,
    made_replicates,
    plan_again,
    provenance,
    theme_again,
)
from sheetsim.audit.recalculate import ENGINES, Recalculated, poison, recalculated
from sheetsim.errors import SheetsimError
from sheetsim.model.draws import LIVE
from sheetsim.model.expr import COUNT, ROUNDING
from sheetsim.model.graph import Graph
from sheetsim.model.redraw import F9, FROZEN, SEEDED, SWITCH
from sheetsim.runs.manifest import Manifest, read_manifest
from sheetsim.studies.about import versions_text
from sheetsim.studies.model_book import MADE_IN_PYTHON
from sheetsim.workbook.limits import MANIFEST_TITLE
from sheetsim.workbook.reading.raw import RawBook, no_values
from sheetsim.workbook.reading.values import CellKeys, CellValues

# Of a named matrix, relative to its largest magnitude; single cells and those of tables by their own size.
MATRIX_RELATIVE = 1e-9

MADE, RESAVED, EDITED, WRITTEN, UNKNOWN = "as made", "saved again", "edited", "as written", "unknown"
FROM_INPUT = "as made, except that the input file is not here"
FROM_THEME = "as made, except that the theme is not here"
BY_OTHERS = "as made, by other versions"
IN_DIGITS = "as made, except for last digits"

NO_FORMULAS = "no formulas to recalculate: the values are checked against NumPy alone"
LOST_INPUT = "the input file {!r} is not here: its numbers were taken from the book"
LOST_THEME = "the theme {!r} is not here, or is not a theme: cells were compared, but neither their look nor a cover"
NOT_MADE_AGAIN = "verify does not make this book again, so that its constants were not checked: "
BY_COMMAND = "run its command with another {}, and compare the two books with sheetsim diff: {}"
BY_MODEL = "it is of a model of your own: name the Python file that makes it with --model"
BY_NOTHING = "it does not say what made it"
UNCHANGED = {
    WRITTEN: "by its digest nothing was changed since sheetsim wrote it",
    UNKNOWN: "the file is not as sheetsim wrote it: whether it was edited is not known",
}
NOT_SO_HERE = (
    "by its digest nothing was changed since sheetsim wrote it, but what it says about itself gives other contents here"
)
PACKED = "its parts are the same byte for byte, but compressed in another way"
OTHER_VERSIONS = "made with {}; here are {}"
OTHER_PROCESSOR = "made with the versions that are here, by a processor for which the libraries round in another order"

# Kinds of differences that a theme makes.
LOOKS = ("names", "sheets", "styles", "charts", "parts")

# Fields of a manifest that may be others when the same is made again, and their texts on About: where the input file is
# not here too.
UNCHECKED = {False: ("versions",), True: ("versions", "parameters.input")}

StageProgress = Callable[[str], None]


@dataclass(frozen=True)
class CheckedBlock:
    """One block of a book against one engine's reading of it."""

    name: str
    sheet: str
    engine: str
    cells: int
    absolute: float
    relative: float
    where: str
    ok: bool


@dataclass(frozen=True, repr=False)
class Verified:
    """What is known of a book.

    Attributes
    ----------
    path
        The file.
    rows
        Each block of the book compared with each engine.
    state
        `as made`: the parts are those that its seed and parameters give, byte for byte. With `…, by other versions`,
        `…, but for last digits` or `…, except that the input file (or the theme) is not here` the contents are the same
        as far as can be told, and the digest in the file says that nothing was changed since. `as written`: unchanged
        by that digest, where it cannot be made again, or has other contents here. `saved again`: by another program,
        with the same contents or rounded ones. `edited`: contents were changed. `unknown`: another program saved what
        cannot be made again.
    changes
        From what the study gives to what the book says: every cell, those that differ only in last digits at the end.
    notes
        What else there is to say, in sentences.
    """

    path: Path
    rows: tuple[CheckedBlock, ...]
    state: str
    changes: tuple[Difference, ...] = field(default=())
    notes: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether the values are what each engine, and NumPy for the book's study, gives from its constants."""
        return bool(self.rows) and all(row.ok for row in self.rows)

    def __repr__(self) -> str:
        # A book has hundreds of blocks.
        rows = f"{len(self.rows)} blocks, of which {sum(not row.ok for row in self.rows)} disagree"
        return f"<Verified {self.path}: {self.state}; ok={self.ok}; {rows}; {len(self.changes)} changes>"


def verify(
    path: str | os.PathLike[str],
    engines: tuple[str, ...] = ("ironcalc",),
    progress: StageProgress = lambda step: None,
    *,
    model: str | os.PathLike[str] | Graph | None = None,
) -> Verified:
    """Check a book: recalculate it with other engines, from cached values that were made wrong first, and with NumPy.

    A book without formulas is checked with NumPy alone; a summary, which holds no matrices, from its seed and
    parameters. Values that follow from a changed constant pass or fail as rows; they are not listed as changes.

    Parameters
    ----------
    path
        The .xlsx file.
    engines
        "ironcalc", "libreoffice".
    progress
        Called with what is being done.
    model
        For the book of your own model, or of its replicates: that model, or the Python file that makes it, which is
        then run. Code is never taken from a book.

    Returns
    -------
    Verified
        `verify(path).ok` says whether all engines agree.

    Raises
    ------
    SheetsimError
        The file is not a workbook, has neither formulas nor a study to check, has formulas without values, is of a
        version whose books do not say what made them, or an engine is missing or fails.

    Examples
    --------
    >>> import sheetsim
    >>> path = sheetsim.run("relu-he", samples=20, inputs=5, layers=[5]).to_excel("checked.xlsx")
    >>> verified = sheetsim.verify(path)
    >>> verified.ok, verified.state
    (True, 'as made')
    """
    for engine in listed("engines", engines, "names"):
        one_of("an engine", engine, ENGINES)
    progress("reading")
    with RawBook(path) as book:
        sheets = {title: book.cells(title) for title in book.titles}
        if any(len(cells.bare) for cells in sheets.values()):
            raise SheetsimError(no_values(book.path))
        live = any(cells.formulas for cells in sheets.values())
        unmade = WRITTEN if book.is_as_written else UNKNOWN
        manifest: Manifest | None = None
        try:
            manifest = read_manifest(book, sheets.get(MANIFEST_TITLE))
            said = None if manifest is None else provenance(book, sheets, manifest)
        except SheetsimError as error:
            if not live or MANIFEST_TITLE not in sheets:
                raise
            state = unmade if isinstance(error, GivenPartError) or unmade == WRITTEN else EDITED
            rows = _engine_rows(book, sheets, engines, manifest, progress)
            return Verified(book.path, tuple(rows), state, notes=(str(error),))
        if manifest is not None:
            _check_repeats(book, sheets, manifest)
        own_model = _model_again(manifest, model)
        if said is None and own_model is None and not live:
            raise SheetsimError(
                f"{book.path} has neither formulas nor a study to compute again: there is nothing to check"
            )
        rows = _engine_rows(book, sheets, engines, manifest, progress) if live else []
        if said is None and own_model is None:
            return Verified(book.path, tuple(rows), unmade, notes=_not_made_again(manifest, unmade))
        progress("computing with NumPy")
        by_engines = Verified(book.path, tuple(rows), unmade, notes=() if live else (NO_FORMULAS,))
        try:
            meant = own_model if said is None else made(said)
        except SheetsimError as error:
            # Data that are not here any more: the engines' word is left.
            if not rows:
                raise
            return replace(by_engines, notes=(*by_engines.notes, f"it cannot be made again: {error}"))
        assert meant is not None
        assert manifest is not None
        return _with_numpy(by_engines, book, sheets, manifest, meant, said.lost if said else "", progress)


def _not_made_again(manifest: Manifest | None, state: str) -> tuple[str, str]:
    """What to do about a book that is of no study, and what its digest says."""
    said = BY_NOTHING
    if manifest is not None:
        command = manifest.command
        said = BY_MODEL if command == MADE_IN_PYTHON else f"it was {command}"
        if command.startswith("sheetsim "):
            said = BY_COMMAND.format("--out" if command.startswith("sheetsim simulate ") else "--output", command)
    return NOT_MADE_AGAIN + said, UNCHANGED[state]


def _check_repeats(book: RawBook, sheets: SheetCells, manifest: Manifest) -> None:
    """Refuses a book that draws other numbers whenever it is computed."""
    if manifest.parameters.get("draws") != LIVE or SWITCH not in book.names:
        return
    title, block = book.place(SWITCH)
    if title in sheets and sheets[title].values.get(block.top, block.left) == F9:
        raise SheetsimError(
            f"{book.path} draws new numbers at each recalculation: set its cell {SWITCH} to {FROZEN} or {SEEDED}, "
            "save it, and verify it again"
        )


def _model_again(manifest: Manifest | None, model: str | os.PathLike[str] | Graph | None) -> Made | None:
    """A person's model made again, where the book is one's and the model is there."""
    if model is None:
        return None
    if manifest is None or "study" in manifest.parameters or manifest.sweep or manifest.search:
        raise SheetsimError("a model can be given only for a book of your own model; this book is not one")
    own_model = model_of(model, manifest.title)
    if manifest.replicates:
        return made_replicates(plan_again(manifest, manifest.replicates, own_model), manifest)
    from sheetsim.runs.model import ModelRun

    again, layout, values = ModelRun(own_model).book(manifest.values_only, manifest.matrices, manifest.lang or None)
    return Made(again, layout, values)


def diff(first: str | os.PathLike[str], second: str | os.PathLike[str]) -> list[Difference]:
    """Where two books differ.

    Parameters
    ----------
    first, second
        Two .xlsx files.

    Returns
    -------
    list of Difference
        Names, sheets, values and formulas by block, charts, styles and other parts; then numbers that differ only in
        their last digits. Every cell that differs is in its block's `changes`. Charts, styles and parts are compared
        byte for byte, and only where both files are as sheetsim writes them.

    Raises
    ------
    SheetsimError
        A file is not a workbook.
    """
    with RawBook(first) as one, RawBook(second) as two:
        return _edits_first(differences(one, two))


def _edits_first(changes: Iterator[Difference]) -> list[Difference]:
    return sorted(changes, key=lambda difference: not difference.is_edit)


def _engine_rows(
    book: RawBook, sheets: SheetCells, engines: tuple[str, ...], manifest: Manifest | None, progress: StageProgress
) -> list[CheckedBlock]:
    kinds = manifest.kind_by_name() if manifest else {}
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "poisoned.xlsx")
        poison(book, target, sheets=sheets)
        computed = {title: cells.computed() for title, cells in sheets.items()}
        rows: list[CheckedBlock] = []
        for engine in engines:
            progress(f"recalculating with {engine}")
            (read,) = recalculated([target], engine)
            rows += _against(book, sheets, engine, computed, read, kinds)
        return rows


def _with_numpy(
    by_engines: Verified,
    book: RawBook,
    sheets: SheetCells,
    said: Manifest,
    meant: Made,
    lost: str,
    progress: StageProgress,
) -> Verified:
    """What NumPy and the same made again add to what the engines found. lost: the input file that is not here."""
    computed = meant.computed()
    try:
        current = adopted(meant, book, sheets)
    except SheetsimError as error:
        state = by_engines.state if by_engines.state == WRITTEN else EDITED
        return replace(by_engines, state=state, notes=(*by_engines.notes, str(error)))
    values = computed if current is meant else current.computed()
    keys = {title: cells.keys for title, cells in values.items()}
    rows = *by_engines.rows, *_against(book, sheets, "numpy", keys, values, said.kind_by_name())
    progress("comparing with the same made again")
    keys = {title: cells.keys for title, cells in computed.items()}
    state, changes, notes = _origin(book, said, meant, lost, keys, follow=current is not meant)
    return replace(by_engines, rows=rows, state=state, changes=tuple(changes), notes=(*by_engines.notes, *notes))


def _against(
    book: RawBook,
    sheets: SheetCells,
    engine: str,
    computed: Mapping[str, CellKeys],
    read: Recalculated,
    kinds: Mapping[str, str],
) -> Iterator[CheckedBlock]:
    nothing = CellValues(np.empty(0, dtype=np.int64), np.empty(0), {})
    for title, keys in computed.items():
        if title not in sheets:
            yield CheckedBlock(
                f"({title})", title, engine, len(keys), 0.0, 0.0, f"the book has no sheet {title!r}", False
            )
            continue
        for block in blocks(book, title, keys):
            block_gap = gap(block, sheets[title].values, read.get(title, nothing))
            ok = block_gap.other == 0 and _close(block.name, len(block.keys), block_gap, kinds.get(block.name, ""))
            yield CheckedBlock(
                block.name, title, engine, len(block.keys), block_gap.absolute, block_gap.relative, block_gap.where, ok
            )


def _close(name: str, cells: int, block_gap: Gap, kind: str) -> bool:
    if kind == COUNT:
        return block_gap.absolute == 0
    if cells == 1 or name.startswith("("):
        return block_gap.beyond == 0
    return block_gap.relative <= MATRIX_RELATIVE or (kind == ROUNDING and block_gap.beyond == 0)


def _origin(
    book: RawBook, said: Manifest, meant: Made, lost: str, computed: Mapping[str, CellKeys], *, follow: bool
) -> tuple[str, list[Difference], list[str]]:
    """Whether the file is what its parameters give: byte for byte, cell for cell, or except for last digits.

    follow: whether constants were changed, from which the computed values follow: those are then no changes.
    """
    notes = [LOST_INPUT.format(lost)] if lost else []
    with tempfile.TemporaryDirectory() as folder:
        theme, has_theme = theme_again(said)
        again = meant.write(Path(folder, "again.xlsx"), theme)
        if again.read_bytes() == book.path.read_bytes():
            return MADE, [], notes
        with RawBook(again) as fresh:
            changes = _edits_first(differences(fresh, book, computed, but=UNCHECKED[bool(lost)]))
    # The book says with what it was made: other versions are no edit of it.
    labels = [field.partition(".")[2] or field for field in UNCHECKED[bool(lost)]]
    changes = list(_without(changes, {"About": meant.rows_of_about(labels)}))
    if lost:
        # The input's text on About is another, and so the height of its row and the breaks between pages.
        changes = [change for change in changes if not is_beside_cells(change, "About")]
    if not has_theme:
        notes.append(LOST_THEME.format(said.theme))
        changes = [change for change in changes if change.kind not in LOOKS]
    if follow:
        changes = list(_without(changes, computed))
    was, here = said.versions, meant.manifest.versions
    others = [OTHER_VERSIONS.format(versions_text(was), versions_text(here))] if was != here else []
    if any(difference.is_edit for difference in changes):
        state = WRITTEN if book.is_as_written else EDITED
        notes += [NOT_SO_HERE, *others] if book.is_as_written else []
    elif not book.is_as_written:
        state = RESAVED
    elif changes:
        state = IN_DIGITS
        notes += others or [OTHER_PROCESSOR]
    else:
        state = FROM_INPUT if lost else BY_OTHERS if others else MADE if has_theme else FROM_THEME
        notes += others or ([] if lost or not has_theme else [PACKED])
    return state, changes, notes


def _without(changes: list[Difference], left_out: Mapping[str, CellKeys]) -> Iterator[Difference]:
    for change in changes:
        listed = change.changes
        if isinstance(listed, Changed):
            listed = listed.without(left_out.get(listed.sheet, np.empty(0, dtype=np.int64)))
        if len(listed):
            yield replace(change, changes=listed)
