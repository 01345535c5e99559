"""Trials of a person's workbook by IronCalc, from the file itself: to check the numbers, and for what NumPy cannot."""

import importlib.util
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sheetsim.audit import trials_child
from sheetsim.audit.recalculate import (
    MEMORY,
    MEMORY_A_BYTE,
    SECONDS,
    SECONDS_A_MEGABYTE,
    recalculated,
    run_child,
    unpacked_bytes,
    with_plain_names,
)
from sheetsim.errors import SheetsimError
from sheetsim.model.op import Array
from sheetsim.runs.workbook_model import OutputCell, WorkbookRun
from sheetsim.sheets.book import CellId, SheetBook
from sheetsim.sheets.copies import write_with_numbers
from sheetsim.workbook.limits import COLUMNS

# Relative to the number, and to the largest of the output's trials, beside which the last digits of a difference of
# large numbers are rounding.
TOLERANCE, OF_LARGEST = 1e-9, 1e-12

# A process that takes fewer costs more to start than its share of the work.
FEWEST_A_WORKER = 500

# What IronCalc gives for functions and names that it does not know.
UNKNOWN = ("#NAME?", "#ERROR", "#N/IMPL")

# Seconds after which enough trials were checked.
ENOUGH = 30.0

# Trials that LibreOffice recalculates where IronCalc disagrees.
LIBREOFFICE_TRIALS = 5

# Seconds of one evaluation, at most, for each megabyte of the book's parts.
SECONDS_A_TRIAL = 5


def has_ironcalc() -> bool:
    """Whether the engine is installed."""
    return importlib.util.find_spec("ironcalc") is not None


@dataclass(frozen=True)
class TrialCheck:
    """What an engine said of some trials.

    worst: the largest relative difference; failed: (output, trial, ours, theirs) where they differ by more than
    TOLERANCE; unread: by output why it was not checked: what the engine gave for the file as it stands, where the file
    itself holds something else.
    """

    engine: str
    trials: int
    worst: float
    failed: tuple[tuple[str, int, float, Any], ...]
    unread: dict[str, str]

    @property
    def sentence(self) -> str:
        """What a report says."""
        unread = "".join(f"; {one} was not checked: {what}" for one, what in self.unread.items())
        if self.failed:
            output, trial, ours, theirs = self.failed[0]
            return (
                f"{self.engine} DISAGREES: of {self.trials} trials recalculated from the file, {len(self.failed)} "
                f"outputs differ; first {output} in trial {trial + 1}: {ours!r} here, {theirs!r} there{unread}"
            )
        return (
            f"{self.trials} trials recalculated by {self.engine} from the file agree to {TOLERANCE:g} "
            f"(largest relative difference {self.worst:.1e}){unread}"
        )


def ironcalc_trials(
    book: SheetBook, cells: Mapping[CellId, Array], outputs: Sequence[CellId], enough: float = 1e9
) -> tuple[Array, list[dict[int, Any]]]:
    """The outputs by IronCalc, outputs × trials, NaN for what is not a number, and by output what stands there instead.

    cells: by cell its numbers, a trial each, which are set in the book as it is in the file; enough: after so many
    seconds it stops, so that the last trials may be missing.
    Raises SheetsimError when the engine is not there or cannot read the book.
    """
    if not has_ironcalc():
        raise SheetsimError("the engine ironcalc is not installed: pip install 'sheetsim[verify]'")
    numbers = np.column_stack(list(cells.values()))
    trials = len(numbers)
    workers = max(1, min(os.cpu_count() or 1, trials // FEWEST_A_WORKER))
    pieces = np.array_split(numbers, workers)
    size = unpacked_bytes([book.path])
    with tempfile.TemporaryDirectory() as folder:
        plain = book.path
        if not all(name.isascii() for _, name in book.names):
            plain = with_plain_names(book.path, Path(folder, "book.xlsx"))

        def work(number: int) -> tuple[Array, dict[str, Any]]:
            place = Path(folder, str(number))
            place.mkdir()
            piece = pieces[number]
            plan = {"trials": len(piece), "set": _places(book, cells), "read": _places(book, outputs)}
            Path(place, "trials.json").write_text(json.dumps(plan), encoding="utf-8")
            np.ascontiguousarray(piece).tofile(Path(place, "trials.bin"))
            seconds = SECONDS + SECONDS_A_MEGABYTE * size // 1_000_000
            seconds += int(len(piece) * (0.01 + SECONDS_A_TRIAL * size / 1_000_000))
            memory = MEMORY + MEMORY_A_BYTE * size
            limits = [str(memory), str(seconds), str(enough)]
            command = [sys.executable, "-P", trials_child.__file__, str(place), *limits, str(plain)]
            status, reason = run_child(command, 2 * seconds)
            if status:
                told = (reason.strip().splitlines() or [f"it ended with status {status}"])[-1][:300]
                raise SheetsimError(f"ironcalc cannot recalculate {book.path.name}: {told}")
            results = np.fromfile(Path(place, "results.bin")).reshape(-1, len(outputs))
            return results, json.loads(Path(place, "results.json").read_text(encoding="utf-8"))

        with ThreadPoolExecutor(workers) as pool:
            done = list(pool.map(work, range(workers)))
    others: list[dict[int, Any]] = [{} for _ in outputs]
    first = 0
    for results, instead in done:
        for place, what in instead.items():
            trial, output = divmod(int(place), len(outputs))
            others[output][first + trial] = what
        first += len(results)
    return np.concatenate([results for results, _ in done]).T, others


def ironcalc_engine(book: SheetBook, cells: Mapping[CellId, Array], outputs: Sequence[CellId]) -> Array:
    """The outputs by IronCalc, as a `CellEngine`. Raises SheetsimError for functions that it does not know either."""
    results, others = ironcalc_trials(book, cells, outputs)
    for cell, instead in zip(outputs, others, strict=True):
        for what in instead.values():
            if what is not None and str(what).startswith((*UNKNOWN, "#CIRC")):
                raise SheetsimError(f"IronCalc cannot compute {book.name_of(cell)} either: it gives {what}")
    return results


def _places(book: SheetBook, cells: Any) -> list[tuple[str, int, int]]:
    return [(book.titles[sheet], place // COLUMNS, place % COLUMNS + 1) for sheet, place in cells]


def check_trials(run: WorkbookRun, trials: int, libreoffice: bool = False) -> list[TrialCheck]:
    """Recalculates the first trials of a run by IronCalc from the person's file, and compares every output.

    An output that IronCalc already gets wrong for the file as it stands is not checked. Where it disagrees, LibreOffice
    is asked for a few trials, if it is installed; with `libreoffice` in any case.
    """
    model = run.model
    count = min(trials, run.trials)
    given = [run[str(column.name)][:count, 0] for column in model.columns]
    inputs = len(model.uncertain)
    cells = model.sheet.settings(given[:inputs], given[inputs:])
    base = {cell: _base_number(model.book, cell, numbers) for cell, numbers in cells.items()}
    # The file as it stands comes first.
    with_base = {cell: np.append(base[cell], numbers) for cell, numbers in cells.items()}
    outputs = [one.cell for one in model.asked]
    theirs, others = ironcalc_trials(model.book, with_base, outputs, ENOUGH)
    ours = np.stack([run[one.name][: theirs.shape[1] - 1, 0] for one in model.asked])
    unread = {}
    base_of = run.base().to_list()
    for k, one in enumerate(model.asked):
        in_file, there = model.book.value(one.cell), others[k].get(0, float(theirs[k, 0]))
        # A value in the file that is old is no reason: then both engines give another.
        is_ours = in_file is not None and _same_base(in_file, base_of[k])
        if is_ours and not _same_base(in_file, there):
            unread[one.given] = f"for the file as it stands IronCalc gives {there!r}, and the file holds {in_file!r}"
        elif str(there).startswith(UNKNOWN):
            unread[one.given] = f"IronCalc gives {there}, as of functions and names that it does not know"
    moved = [{trial - 1: what for trial, what in other.items()} for other in others]
    asked = [one for one in model.asked if one.cell not in model.sheet.unknown and one.given not in unread]
    if not asked and not unread:
        return []
    places = [model.asked.index(one) for one in asked]
    names = [one.given for one in asked]
    first = _compared("IronCalc", names, ours[places], theirs[places, 1:], [moved[k] for k in places], unread)
    if not first.failed and not libreoffice:
        return [first]
    second = _by_libreoffice(model.book, cells, asked, ours[places])
    if second is None or second.failed or not first.failed:
        return [first, second] if second else [first]
    wrong = dict.fromkeys(
        dict.fromkeys(output for output, *_ in first.failed), f"{first.sentence}; LibreOffice does not"
    )
    left = [k for k, name in enumerate(names) if name not in wrong]
    kept = [places[k] for k in left]
    again = _compared(
        "IronCalc", [names[k] for k in left], ours[kept], theirs[kept, 1:], [moved[k] for k in kept], unread | wrong
    )
    return [again, second]


def _base_number(book: SheetBook, cell: CellId, numbers: Array) -> float:
    value = book.value(cell)
    return float(value) if isinstance(value, float | bool) else float(numbers[0])


def _same_base(in_file: Any, there: Any) -> bool:
    if isinstance(in_file, float) and isinstance(there, float):
        return abs(in_file - there) <= TOLERANCE * max(abs(in_file), abs(there), 1e-6)
    return isinstance(in_file, str | bool) and not isinstance(there, float)


def _compared(
    engine: str, names: Sequence[str], ours: Array, theirs: Array, others: Sequence[Any], unread: dict[str, str]
) -> TrialCheck:
    failed: list[tuple[str, int, float, Any]] = []
    worst = 0.0
    for name, a, b, instead in zip(names, ours, theirs, others, strict=True):
        both = np.isfinite(a) & np.isfinite(b)
        size = np.maximum(np.abs(a), np.abs(b))
        largest = float(size[both].max()) if both.any() else 0.0
        off = np.abs(a - b)
        wrong = np.where(both, off > TOLERANCE * size + OF_LARGEST * largest, np.isnan(a) != np.isnan(b))
        relative = off[both & (size > 0)] / size[both & (size > 0)]
        worst = max(worst, float(relative.max()) if relative.size else 0.0)
        failed += [(name, int(t), float(a[t]), instead.get(int(t), float(b[t]))) for t in np.flatnonzero(wrong)]
    return TrialCheck(engine, ours.shape[1], worst, tuple(failed), dict(unread))


def _by_libreoffice(
    book: SheetBook, cells: Mapping[CellId, Array], asked: Sequence[OutputCell], ours: Array
) -> TrialCheck | None:
    """The same by LibreOffice, of LIBREOFFICE_TRIALS; None where it is not installed, or cannot be given the cells."""
    if shutil.which("soffice") is None:
        return None
    count = min(LIBREOFFICE_TRIALS, ours.shape[1])
    with tempfile.TemporaryDirectory() as folder:
        copies = [Path(folder, f"trial-{trial}.xlsx") for trial in range(count)]
        try:
            for trial, copy in enumerate(copies):
                write_with_numbers(book, copy, {cell: float(numbers[trial]) for cell, numbers in cells.items()})
            read = recalculated(copies, "libreoffice")
        except SheetsimError:
            return None
    theirs = np.full((len(asked), count), np.nan)
    others: list[dict[int, Any]] = [{} for _ in asked]
    for trial, sheets in enumerate(read):
        for k, one in enumerate(asked):
            value = sheets[book.titles[one.cell[0]]].at(one.cell[1])
            if isinstance(value, float | bool):
                theirs[k, trial] = float(value)
            else:
                others[k][trial] = value
    # LibreOffice writes 15 digits.
    return _compared("LibreOffice", [one.given for one in asked], ours[:, :count], theirs, others, {})
