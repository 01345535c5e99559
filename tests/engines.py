"""Independent spreadsheet engines, and the poison that keeps a stale cache from passing for a recalculation."""

import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import ironcalc
import numpy as np
from python_calamine import CalamineWorkbook

from sheetsim.report import Run
from sheetsim.workbook.formulas import column_letters

POISON = 12345.678
SOFFICE = shutil.which("soffice")

_CELL = re.compile(r'<c r="([A-Z]+)(\d+)"([^>]*)>(.*?)</c>', re.DOTALL)
_ARRAY = re.compile(r'<f t="array" ref="([A-Z]+)(\d+)(?::([A-Z]+)(\d+))?"')


def poison(book: Path, target: Path, texts: Mapping[str, str] | None = None) -> int:
    """Copies a book with a wrong cached value in every cell that a formula computes; returns how many.

    texts: other texts for the cells of the named drop-downs, as a person would choose them.
    """
    poisoned = 0
    with zipfile.ZipFile(book) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        chosen = {place: text for name, text in (texts or {}).items() for place in [_place(source, name)]}
        for name in source.namelist():
            data = source.read(name)
            if name.startswith("xl/worksheets/sheet"):
                here = {cell: text for (part, cell), text in chosen.items() if part == name}
                data, count = _poison_sheet(data.decode(), here)
                poisoned += count
            out.writestr(name, data)
    return poisoned


def _poison_sheet(xml: str, texts: Mapping[str, str]) -> tuple[bytes, int]:
    blocks = [
        (_column(left), int(top), _column(right or left), int(bottom or top))
        for left, top, right, bottom in _ARRAY.findall(xml)
    ]
    count = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal count
        letters, row, attributes, inner = match.groups()
        if letters + row in texts:
            bare = re.sub(r' t="\w+"', "", attributes)
            return f'<c r="{letters}{row}"{bare} t="str"><v>{texts[letters + row]}</v></c>'
        computed = "<f" in inner or any(
            left <= _column(letters) <= right and top <= int(row) <= bottom for left, top, right, bottom in blocks
        )
        if not computed:
            return match[0]
        count += 1
        bare = re.sub(r' t="\w+"', "", attributes)
        formula = inner.partition("<v>")[0]
        return f'<c r="{letters}{row}"{bare}>{formula}<v>{POISON}</v></c>'

    return _CELL.sub(replace, xml).encode(), count


_COLUMNS = {column_letters(k): k + 1 for k in range(2000)}


def _column(letters: str) -> int:
    return _COLUMNS[letters]


def _place(archive: zipfile.ZipFile, name: str) -> tuple[str, str]:
    """The part and cell of a name that is one cell; sheets are numbered in the workbook's order."""
    xml = archive.read("xl/workbook.xml").decode()
    titles = re.findall(r'<sheet name="([^"]+)"', xml)
    match = re.search(rf'<definedName name="{name}">\'?([^\'!]+)\'?!\$([A-Z]+)\$(\d+)</definedName>', xml)
    assert match, name
    return f"xl/worksheets/sheet{titles.index(match[1]) + 1}.xml", match[2] + match[3]


Cells = Callable[[str, int, int, tuple[int, int]], Any]


def ironcalc_cells(book: Path, texts: Mapping[str, str] | None = None, run: Run | None = None) -> Cells:
    """Recalculates a book with IronCalc; returns a reader of blocks (sheet, row, column, shape; from 0)."""
    model = ironcalc.load_from_xlsx(str(book), "en", "UTC", "en")
    titles = [sheet["name"] if isinstance(sheet, dict) else sheet.name for sheet in model.get_worksheets_properties()]
    for name, text in (texts or {}).items():
        assert run is not None
        place = run._layout.places[run._study.graph[name]]
        model.set_user_input(titles.index(place.sheet), place.row + 1, place.column + 1, text)
    model.evaluate()

    def cells(sheet: str, row: int, column: int, shape: tuple[int, int]) -> Any:
        index = titles.index(sheet)
        return [
            [model.get_cell_value(index, row + r + 1, column + c + 1) for c in range(shape[1])] for r in range(shape[0])
        ]

    return cells


def libreoffice_cells(books: Iterable[Path], folder: Path, *, recalculate: bool = True) -> list[Cells]:
    """Opens books in one start of LibreOffice, recalculated on load or not, and returns their readers."""
    profile = folder / "profile"
    (profile / "user").mkdir(parents=True)
    mode = 0 if recalculate else 1
    (profile / "user" / "registrymodifications.xcu").write_text(
        '<?xml version="1.0" encoding="UTF-8"?><oor:items xmlns:oor="http://openoffice.org/2001/registry">'
        '<item oor:path="/org.openoffice.Office.Calc/Formula/Load"><prop oor:name="OOXMLRecalcMode" oor:op="fuse">'
        f"<value>{mode}</value></prop></item></oor:items>"
    )
    out = folder / "recalculated"
    paths = list(books)
    command = [
        SOFFICE,
        f"-env:UserInstallation=file://{profile}",
        "--headless",
        "--convert-to",
        "xlsx",
        "--outdir",
        out,
    ]
    subprocess.run([*map(str, command), *map(str, paths)], check=True, capture_output=True, timeout=900)
    return [_calamine_cells(out / path.name) for path in paths]


def _calamine_cells(path: Path) -> Cells:
    book = CalamineWorkbook.from_path(str(path))
    sheets: dict[str, list[list[Any]]] = {}

    def cells(sheet: str, row: int, column: int, shape: tuple[int, int]) -> Any:
        if sheet not in sheets:
            sheets[sheet] = book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
        return [line[column : column + shape[1]] for line in sheets[sheet][row : row + shape[0]]]

    return cells


def differences(run: Run, cells: Cells, tolerance: float) -> list[str]:
    """Every placed matrix of the run against a book's cells: a line for each that differs.

    Matrices to `tolerance` of their largest magnitude, counts and texts exactly; single statistics to 1e-9 of 1 or of
    themselves, as a ratio or a moment of higher order has lost some digits.
    """
    found = []
    for node, place in run._layout.places.items():
        expected = run._values[node]
        actual = cells(place.sheet, place.row, place.column, place.shape)
        name = node.name or f"{place.sheet} row {place.row + 1} column {place.column + 1}"
        # A variance is a difference of squares: its error is that of the squares, however small it is itself.
        mean = f"mean_{node.name[4:]}" if node.name and node.name.startswith("var_") else ""
        squares = np.square(run[mean]).max() if mean in run else 0.0
        problem = _difference(expected, actual, tolerance, name.startswith("counts_"), squares)
        if problem:
            found.append(f"{name}: {problem}")
    return found


def _difference(expected: Any, actual: Any, tolerance: float, exact: bool, squares: float) -> str | None:
    if expected.dtype.kind == "U":
        return None if [[str(v) for v in row] for row in expected] == actual else f"{actual} for {expected}"
    numbers = np.array([[_number(value) for value in row] for row in actual])
    if numbers.shape != expected.shape:
        return f"shape {numbers.shape} for {expected.shape}"
    if not np.array_equal(np.isnan(numbers), np.isnan(expected)):
        return f"errors differ: {actual} for {expected}" if expected.size < 20 else "errors differ"
    if exact:
        return None if np.array_equal(numbers, expected) else "counts differ"
    gap = np.nan_to_num(np.abs(numbers - expected))
    scale = squares + (np.nanmax(np.abs(expected)) if not np.isnan(expected).all() else 0.0)
    allowed = tolerance * scale if expected.size > 1 else 1e-9 * max(1.0, scale)
    return None if gap.max() <= allowed else f"off by {gap.max():.3g} of {scale:.3g}"


def _number(value: Any) -> float:
    if isinstance(value, str):
        return float("nan") if value.startswith("#") or not value else float(value)
    return float("nan") if value is None else float(value)
