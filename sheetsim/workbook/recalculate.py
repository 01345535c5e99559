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
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.workbook import ironcalc_child
from sheetsim.workbook.parse import Cells, column_number
from sheetsim.workbook.raw import RawBook
from sheetsim.workbook.values import Values, key

# What poisoned cells say: no statistic and no draw of a model is likely to be this number.
POISON = 12345.678
_POISON = repr(POISON).encode()

ENGINES = ("ironcalc", "libreoffice")

# Beyond what books of any size were seen to need: IronCalc 0.9 takes 12 bytes and 0.12 s a megabyte of XML.
SECONDS = 120
SECONDS_A_MEGABYTE = 10
MEMORY = 2 << 30
MEMORY_A_BYTE = 40
TIMED_OUT = -1000

# The values of a book by sheet.
Book: TypeAlias = dict[str, Values]

# First what nearly all cells are: a number, with a style or without.
_CELL = re.compile(
    rb'<c r="([A-Z]+)(\d+)"( s="\d+")?><v>[^<]*</v></c>'
    rb'|<c((?:\s+[\w:]+="[^"]*")*)\s*(?:/>|>(.*?)</c>)',
    re.DOTALL,
)
_REFERENCE = re.compile(rb'\sr="([A-Z]+)(\d+)"')
_TYPE = re.compile(rb'\st="\w+"')
_FORMULA = re.compile(rb"<f\b.*?(?:/>|</f>)", re.DOTALL)


def poison(
    book: RawBook,
    target: Path,
    texts: Mapping[str, str] | None = None,
    sheets: Mapping[str, Cells] | None = None,
) -> int:
    """Copies a book with POISON as the cached value of every cell that a formula computes; returns how many.

    texts: other texts for the cells of the named drop-downs, as a person would choose them; sheets: the book's cells,
    where they have been read already.
    Raises SheetsimError when a computed cell could not be poisoned: a stale value there would pass for a result.
    """
    chosen: dict[str, dict[int, str]] = {}
    for name, text in (texts or {}).items():
        title, block = book.place(name)
        chosen.setdefault(book.part_of(title), {})[key(block.top, block.left)] = text
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
                xml, count = _poisoned(xml, set(computed.tolist()), chosen.get(part, {}))
                if count != len(computed):
                    raise SheetsimError(
                        f"{book.path}, sheet {titles[part]}: {len(computed) - count} cells have no place"
                    )
                total += count
            out.writestr(part, xml)
    return total


def _poisoned(xml: bytes, computed: set[int], texts: Mapping[int, str]) -> tuple[bytes, int]:
    count = 0
    columns: dict[bytes, int] = {}

    def place(letters: bytes, row: bytes) -> int:
        column = columns.get(letters)
        if column is None:
            column = columns[letters] = column_number(letters.decode())
        return key(int(row), column)

    def replace(match: re.Match[bytes]) -> bytes:
        nonlocal count
        letters, row, style, attributes, content = match.groups()
        if attributes is not None:
            reference = _REFERENCE.search(attributes)
            if reference is None:
                return match[0]
            letters, row = reference.groups()
        cell = place(letters, row)
        if cell not in computed and cell not in texts:
            return match[0]
        bare = b' r="%b%b"%b' % (letters, row, style or b"") if attributes is None else _TYPE.sub(b"", attributes)
        if cell in texts:
            return b'<c%b t="str"><v>%b</v></c>' % (bare, texts[cell].encode())
        count += 1
        formula = _FORMULA.search(content or b"")
        return b"<c%b>%b<v>%b</v></c>" % (bare, formula[0] if formula else b"", _POISON)

    return _CELL.sub(replace, xml), count


def recalculated(books: Iterable[Path], engine: str) -> list[Book]:
    """The books' values as the engine computes them, in one start of it.

    Raises SheetsimError when the engine is not there, cannot read a book, or needs more time or memory than books of
    their size should.
    """
    return _ironcalc(list(books)) if engine == "ironcalc" else _libreoffice(list(books))


def _ironcalc(books: list[Path]) -> list[Book]:
    if importlib.util.find_spec("ironcalc") is None:
        raise SheetsimError("the engine ironcalc is not installed: pip install 'sheetsim[verify]'")
    size = _unpacked(books)
    seconds = SECONDS + SECONDS_A_MEGABYTE * size // 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        # -P: a folder of modules named `write` and `values` is no place to import from.
        command = [sys.executable, "-P", ironcalc_child.__file__, folder]
        memory = MEMORY + MEMORY_A_BYTE * size
        status, reason = _run([*command, str(memory), str(seconds), *map(str, books)], 2 * seconds)
        if status:
            told = (reason.strip().splitlines() or [f"it ended with status {status}"])[-1][:300]
            if status < 0:
                told = f"it crashed, or needed more than {memory >> 20:,} MB or {seconds} s"
            raise SheetsimError(f"ironcalc cannot recalculate the book: {told}")
        return [_arrays(Path(folder, str(number))) for number in range(len(books))]


def _arrays(target: Path) -> Book:
    """What the child wrote of one book."""
    found: Book = {}
    with target.with_suffix(".bin").open("rb") as file:
        for sheet in json.loads(target.with_suffix(".json").read_text(encoding="utf-8")):
            keys, numbers = (np.fromfile(file, kind, sheet["cells"]) for kind in (np.int64, np.float64))
            order = np.argsort(keys)
            others = {int(cell): value for cell, value in sheet["others"].items()}
            found[sheet["title"]] = Values(keys[order], numbers[order], others)
    return found


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


def _libreoffice(books: list[Path]) -> list[Book]:
    soffice = shutil.which("soffice")
    if soffice is None:
        raise SheetsimError("the engine libreoffice is not installed: there is no command soffice")
    seconds = SECONDS + SECONDS_A_MEGABYTE * _unpacked(books) // 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        command = [soffice, libreoffice_profile(Path(folder)), "--headless", "--convert-to", "xlsx"]
        status, reason = _run([*command, "--outdir", str(out), *map(str, books)], seconds)
        results = [out / book.name for book in books]
        missing = [book for book, result in zip(books, results, strict=True) if not result.exists()]
        if missing:
            told = f"it took more than {seconds} s" if status == TIMED_OUT else reason.strip()[:200]
            raise SheetsimError(f"libreoffice cannot recalculate {missing[0].name}: {told or 'no reason given'}")
        return [_values(result) for result in results]


def _values(path: Path) -> Book:
    with RawBook(path) as book:
        return {title: book.cells(title).values for title in book.titles}


def _unpacked(books: Iterable[Path]) -> int:
    """The bytes of the books' parts."""
    size = 0
    for book in books:
        with zipfile.ZipFile(book) as archive:
            size += sum(member.file_size for member in archive.infolist())
    return size


def _run(command: list[str], seconds: float) -> tuple[int, str]:
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
