"""Recalculates a workbook with an independent spreadsheet engine, from caches that were made wrong first."""

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import TypeAlias

import numpy as np

from sheetsim.audit import ironcalc_child
from sheetsim.audit.compare import LAST
from sheetsim.errors import SheetsimError
from sheetsim.files import path_of
from sheetsim.whole_file import whole_file
from sheetsim.workbook.formulas import renamed
from sheetsim.workbook.reading.parse import Cells, column_number
from sheetsim.workbook.reading.raw import RawBook
from sheetsim.workbook.reading.values import CellValue, CellValues, cell_name, key

# What poisoned cells say: no statistic and no draw of a model is likely to be this number.
POISON = 12345.678
_POISON = (b"", repr(POISON).encode())

# The errors that a cell can hold; engines have others for what they do not know.
ERRORS = ("#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!")

ENGINES = ("ironcalc", "libreoffice")

# Beyond what books of any size were seen to need: IronCalc 0.9 takes 12 bytes and 0.12 s a megabyte of XML.
SECONDS = 120
SECONDS_A_MEGABYTE = 10
MEMORY = 2 << 30
MEMORY_A_BYTE = 40
TIMED_OUT = -1000

# The values of a book by sheet.
Recalculated: TypeAlias = dict[str, CellValues]

# First what nearly all cells are: a number, with a style or without.
_CELL = re.compile(
    rb'<c r="([A-Z]+)(\d+)"( s="\d+")?><v>[^<]*</v></c>'
    rb'|<c((?:\s+[\w:]+="[^"]*")*)\s*(?:/>|>(.*?)</c>)',
    re.DOTALL,
)
_REFERENCE = re.compile(rb'\sr="([A-Z]+)(\d+)"')
_TYPE = re.compile(rb'\st="\w+"')
_FORMULA = re.compile(rb"<f\b.*?(?:/>|</f>)", re.DOTALL)
_FORMULA_TEXT = re.compile(rb"(<f\b[^>]*>)([^<]+)(?=</f>)")
_NOTES = re.compile(rb'<Relationship\b[^>]*/relationships/comments"[^>]*>')
_NAME = re.compile(rb'(<definedName\b[^>]*\bname=")([^"]*)')

# What is written into a cell: its type as an attribute, and its value.
Content: TypeAlias = tuple[bytes, bytes]


def poison(
    book: RawBook,
    target: Path,
    texts: Mapping[str, str | float] | None = None,
    sheets: Mapping[str, Cells] | None = None,
) -> int:
    """Copies a book with POISON as the cached value of every cell that a formula computes; returns how many.

    texts: other texts, or numbers, for named cells without a formula, as a person would choose them; sheets: the
    book's cells, where they have been read already.
    Raises SheetsimError when a computed cell could not be poisoned: a stale value there would pass for a result.
    """
    chosen: dict[str, dict[int, Content]] = {}
    for name, text in (texts or {}).items():
        title, block = book.place(name)
        chosen.setdefault(book.part_of(title), {})[key(block.top, block.left)] = (
            (b' t="str"', text.encode()) if isinstance(text, str) else (b"", repr(text).encode())
        )
    titles = {book.part_of(title): title for title in book.titles}
    total = 0
    with (
        zipfile.ZipFile(book.path) as source,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out,
    ):
        for part in source.namelist():
            xml = source.read(part)
            if part in titles:
                title = titles[part]
                computed = (sheets[title] if sheets is not None else book.cells(title)).computed()
                xml = _with_contents(book, title, xml, dict.fromkeys(computed.tolist(), _POISON) | chosen.get(part, {}))
                total += len(computed)
            elif part.startswith("xl/worksheets/_rels/"):
                # IronCalc finds no notes whose path begins at the root, as openpyxl writes it, and then fails.
                xml = _NOTES.sub(b"", xml)
            out.writestr(part, xml)
    return total


def fill(path: str | os.PathLike[str], engine: str) -> int:
    """Gives the formulas of a book that have no values those that the engine computes, and returns how many cells.

    With them those that a formula computes and that hold another number, as the rest of an array formula does when its
    inputs were changed. All else stays as it is, byte for byte; a book whose formulas all have values is not touched.
    Raises SheetsimError when the file is not a workbook or cannot be written, and for what the engine cannot compute.
    """
    target = path_of(path)
    with RawBook(target) as book:
        sheets = {title: book.cells(title) for title in book.titles}
        if not any(len(cells.bare) for cells in sheets.values()):
            return 0
        with tempfile.TemporaryDirectory() as folder:
            poisoned = Path(folder, "poisoned.xlsx")
            poison(book, poisoned, sheets=sheets)
            (read,) = recalculated([poisoned], engine)
        filled = {title: dict(_filled(target, title, cells, read, engine)) for title, cells in sheets.items()}
    titles = {book.part_of(title): title for title in filled if filled[title]}
    with whole_file(target) as file, zipfile.ZipFile(target) as source, zipfile.ZipFile(file, "w") as out:
        for member in source.infolist():
            xml = source.read(member)
            title = titles.get(member.filename)
            out.writestr(member, xml if title is None else _with_contents(book, title, xml, filled[title]))
    return sum(map(len, filled.values()))


def _filled(path: Path, title: str, cells: Cells, read: Recalculated, engine: str) -> Iterator[tuple[int, Content]]:
    """The cells that formulas compute and that hold something else, with what the engine says."""
    computed = cells.computed()
    if not len(computed):
        return
    if title not in read:
        raise SheetsimError(f"{engine} does not read the sheet {title!r} of {path}")
    old, new = cells.values.numbers_at(computed), read[title].numbers_at(computed)
    with np.errstate(over="ignore"):
        others = ~(np.abs(old - new) <= LAST * np.abs(new))
    for cell in computed[others].tolist():
        value = read[title].at(cell)
        if value == cells.values.at(cell) and value is not None:
            continue
        if isinstance(value, str) and value.startswith("#") and value not in ERRORS:
            raise SheetsimError(f"{engine} cannot compute {title}!{cell_name(cell)} of {path}: {value}")
        yield cell, _content(value)


def _content(value: CellValue | None) -> Content:
    if value is None:  # a formula whose text is empty
        return b' t="str"', b""
    if isinstance(value, bool):
        return b' t="b"', b"1" if value else b"0"
    if isinstance(value, str):
        return b' t="e"' if value in ERRORS else b' t="str"', escape(value, quote=False).encode()
    return b"", repr(float(value)).encode()


def _with_contents(book: RawBook, title: str, xml: bytes, contents: Mapping[int, Content]) -> bytes:
    """A sheet's XML with other contents of some cells, their formulas and styles kept."""
    count = 0
    columns: dict[bytes, int] = {}

    def place(letters: bytes, row: bytes) -> int:
        column = columns.get(letters)
        if column is None:
            column = columns[letters] = column_number(letters.decode())
        return key(int(row), column)

    def replace(match: re.Match[bytes]) -> bytes:
        nonlocal count
        letters, row, style, attributes, inside = match.groups()
        if attributes is not None:
            reference = _REFERENCE.search(attributes)
            if reference is None:
                return match[0]
            letters, row = reference.groups()
        content = contents.get(place(letters, row))
        if content is None:
            return match[0]
        bare = b' r="%b%b"%b' % (letters, row, style or b"") if attributes is None else _TYPE.sub(b"", attributes)
        count += 1
        formula = _FORMULA.search(inside or b"")
        return b"<c%b%b>%b<v>%b</v></c>" % (bare, content[0], formula[0] if formula else b"", content[1])

    changed = _CELL.sub(replace, xml)
    if count != len(contents):
        raise SheetsimError(f"{book.path}, sheet {title}: {len(contents) - count} cells to fill in are not in the file")
    return changed


def recalculated(books: Iterable[Path], engine: str) -> list[Recalculated]:
    """The books' values as the engine computes them, in one start of it.

    Raises SheetsimError when the engine is not there, cannot read a book, or needs more time or memory than books of
    their size should.
    """
    return _ironcalc(list(books)) if engine == "ironcalc" else _libreoffice(list(books))


def _ironcalc(books: list[Path]) -> list[Recalculated]:
    if importlib.util.find_spec("ironcalc") is None:
        raise SheetsimError("the engine ironcalc is not installed: pip install 'sheetsim[verify]'")
    size = unpacked_bytes(books)
    seconds = SECONDS + SECONDS_A_MEGABYTE * size // 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        # -P: a folder of modules named `write` and `values` is no place to import from.
        command = [sys.executable, "-P", ironcalc_child.__file__, folder]
        memory = MEMORY + MEMORY_A_BYTE * size
        books = [with_plain_names(book, Path(folder, f"{number}.xlsx")) for number, book in enumerate(books)]
        status, reason = run_child([*command, str(memory), str(seconds), *map(str, books)], 2 * seconds)
        if status:
            told = (reason.strip().splitlines() or [f"it ended with status {status}"])[-1][:300]
            if status < 0:
                told = f"it crashed, or needed more than {memory >> 20:,} MB or {seconds} s"
            raise SheetsimError(f"ironcalc cannot recalculate the book: {told}")
        return [_arrays(Path(folder, str(number))) for number in range(len(books))]


def with_plain_names(book: Path, target: Path) -> Path:
    """IronCalc knows no names beyond ASCII: a copy with others in their place, or the book as it is."""
    with RawBook(book) as raw:
        strange = [name for name in raw.names if not name.isascii()]
        if not strange:
            return book
        taken = set(raw.names)
        plain = (name for k in range(len(taken) + len(strange)) if (name := f"name_{k}_") not in taken)
        names = {name.casefold(): next(plain) for name in strange}
        sheets = {raw.part_of(title) for title in raw.titles}

    def in_formula(match: re.Match[bytes]) -> bytes:
        return match[1] + renamed(match[2].decode(), names).encode()

    def in_list(match: re.Match[bytes]) -> bytes:
        return match[1] + names.get(match[2].decode().casefold(), match[2].decode()).encode()

    with zipfile.ZipFile(book) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        for part in source.namelist():
            xml = source.read(part)
            if part in sheets:
                xml = _FORMULA_TEXT.sub(in_formula, xml)
            out.writestr(part, _NAME.sub(in_list, xml) if part == "xl/workbook.xml" else xml)
    return target


def _arrays(target: Path) -> Recalculated:
    """What the child wrote of one book."""
    values: Recalculated = {}
    with target.with_suffix(".bin").open("rb") as file:
        for sheet in json.loads(target.with_suffix(".json").read_text(encoding="utf-8")):
            keys = np.fromfile(file, np.int64, sheet["cells"])
            numbers = np.fromfile(file, np.float64, sheet["cells"])
            order = np.argsort(keys)
            others = {int(cell): value for cell, value in sheet["others"].items()}
            values[sheet["title"]] = CellValues(keys[order], numbers[order], others)
    return values


def libreoffice_profile(folder: Path, *, force: bool = True) -> str:
    """Makes a profile for LibreOffice in the folder and returns the option that names it.

    force: recalculate whatever is opened; otherwise LibreOffice keeps the cached values of plain formulas.
    """
    user = folder / "profile" / "user"
    user.mkdir(parents=True)
    (user / "registrymodifications.xcu").write_text(
        '<?xml version="1.0" encoding="UTF-8"?><oor:items xmlns:oor="http://openoffice.org/2001/registry">'
        '<item oor:path="/org.openoffice.Office.Calc/Formula/Load"><prop oor:name="OOXMLRecalcMode" '
        f'oor:op="fuse"><value>{0 if force else 1}</value></prop></item></oor:items>'
    )
    return f"-env:UserInstallation={user.parent.as_uri()}"


def _libreoffice(books: list[Path]) -> list[Recalculated]:
    soffice = shutil.which("soffice")
    if soffice is None:
        raise SheetsimError("LibreOffice was not found: install it so that the command soffice is on the path")
    seconds = SECONDS + SECONDS_A_MEGABYTE * unpacked_bytes(books) // 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        command = [soffice, libreoffice_profile(Path(folder)), "--headless", "--convert-to", "xlsx"]
        status, reason = run_child([*command, "--outdir", str(out), *map(str, books)], seconds)
        results = [out / book.name for book in books]
        missing = [book for book, result in zip(books, results, strict=True) if not result.exists()]
        if missing:
            told = f"it took more than {seconds} s" if status == TIMED_OUT else reason.strip()[:200]
            raise SheetsimError(f"libreoffice cannot recalculate {missing[0].name}: {told or 'no reason given'}")
        return [_values(result) for result in results]


def _values(path: Path) -> Recalculated:
    with RawBook(path) as book:
        return {title: book.cells(title).values for title in book.titles}


def unpacked_bytes(books: Iterable[Path]) -> int:
    """The bytes of the books' parts."""
    size = 0
    for book in books:
        with zipfile.ZipFile(book) as archive:
            size += sum(member.file_size for member in archive.infolist())
    return size


def run_child(command: list[str], seconds: float) -> tuple[int, str]:
    """Runs a command for so long at most; its exit status, or TIMED_OUT, and what it says on standard error.

    With a session of its own: soffice starts other processes, which end with it.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        _, reason = process.communicate(timeout=seconds)
    except BaseException as error:
        _kill(process)
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        return TIMED_OUT, ""
    return process.returncode, reason


def _kill(process: "subprocess.Popen[str]") -> None:
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.communicate()
