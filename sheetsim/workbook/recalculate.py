"""Recalculates a workbook with an independent spreadsheet engine, from caches that were made wrong first."""

import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from sheetsim.errors import SheetsimError
from sheetsim.workbook.raw import Cells, RawBook, Rectangle, column_number

# What poisoned cells say: no statistic and no draw of a model is likely to be this number.
POISON = 12345.678

ENGINES = ("ironcalc", "libreoffice")

# A sheet's values, row by row, of a rectangle.
Reader = Callable[[str, Rectangle], list[list[Any]]]

_CELL = re.compile(rb'<c((?:\s+[\w:]+="[^"]*")*)\s*(?:/>|>(.*?)</c>)', re.DOTALL)
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
    chosen: dict[str, dict[tuple[int, int], str]] = {}
    for name, text in (texts or {}).items():
        title, block = book.place(name)
        chosen.setdefault(book.part_of(title), {})[block.top, block.left] = text
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
                xml, count = _poisoned(xml, computed, chosen.get(part, {}))
                if count != len(computed):
                    raise SheetsimError(
                        f"{book.path}, sheet {titles[part]}: {len(computed) - count} cells have no place"
                    )
                total += count
            out.writestr(part, xml)
    return total


def _poisoned(xml: bytes, computed: set[tuple[int, int]], texts: Mapping[tuple[int, int], str]) -> tuple[bytes, int]:
    count = 0

    def replace(match: re.Match[bytes]) -> bytes:
        nonlocal count
        reference = _REFERENCE.search(match[1])
        if reference is None:
            return match[0]
        place = int(reference[2]), column_number(reference[1].decode())
        bare = _TYPE.sub(b"", match[1])
        if place in texts:
            return b'<c%b t="str"><v>%b</v></c>' % (bare, texts[place].encode())
        if place not in computed:
            return match[0]
        count += 1
        formula = _FORMULA.search(match[2] or b"")
        return b"<c%b>%b<v>%r</v></c>" % (bare, formula[0] if formula else b"", POISON)

    return _CELL.sub(replace, xml), count


def recalculated(books: Iterable[Path], engine: str) -> list[Reader]:
    """The books' values as the engine computes them. Raises SheetsimError when the engine is not there or fails."""
    return [_ironcalc(book) for book in books] if engine == "ironcalc" else _libreoffice(list(books))


def _ironcalc(book: Path) -> Reader:
    try:
        import ironcalc
    except ImportError:
        raise SheetsimError("the engine ironcalc is not installed: pip install 'sheetsim[verify]'") from None
    try:
        model = ironcalc.load_from_xlsx(str(book), "en", "UTC", "en")
        model.evaluate()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the engine's panics are no Exception
        raise SheetsimError(f"ironcalc cannot read the book: {error}") from None
    titles = [sheet["name"] if isinstance(sheet, dict) else sheet.name for sheet in model.get_worksheets_properties()]

    def read(title: str, block: Rectangle) -> list[list[Any]]:
        sheet = titles.index(title)
        return [
            [model.get_cell_value(sheet, row, column) for column in range(block.left, block.right + 1)]
            for row in range(block.top, block.bottom + 1)
        ]

    return read


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


def _libreoffice(books: list[Path], *, force: bool = True) -> list[Reader]:
    """All books in one start of LibreOffice."""
    soffice = shutil.which("soffice")
    if soffice is None:
        raise SheetsimError("the engine libreoffice is not installed: there is no command soffice")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        command = [soffice, libreoffice_profile(Path(folder), force=force), "--headless", "--convert-to", "xlsx"]
        done = subprocess.run(
            [*command, "--outdir", str(out), *map(str, books)], capture_output=True, text=True, check=False
        )
        results = [out / book.name for book in books]
        missing = [book for book, result in zip(books, results, strict=True) if not result.exists()]
        if missing:
            raise SheetsimError(
                f"libreoffice cannot read {missing[0]}: {done.stderr.strip()[:200] or 'no reason given'}"
            )
        return [_values(result) for result in results]


def _values(path: Path) -> Reader:
    with RawBook(path) as book:
        sheets = {title: book.cells(title).values for title in book.titles}

    def read(title: str, block: Rectangle) -> list[list[Any]]:
        values = sheets[title]
        return [
            [values.get((row, column)) for column in range(block.left, block.right + 1)]
            for row in range(block.top, block.bottom + 1)
        ]

    return read
