"""What the schema validator misses in a workbook: a list of faults, empty for a sound book."""

import re
import zipfile
from collections import Counter
from itertools import combinations, product
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from sheetsim.workbook.limits import FORMULA_CHARACTERS, MANIFEST_TITLE, NESTING, VALIDATION_CHARACTERS
from sheetsim.workbook.reading.parse import column_number, rectangle
from sheetsim.workbook.reading.raw import RawBook
from sheetsim.workbook.reading.values import Rectangle

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing}"
LEAST_SCALE = 0.5
ERRORS = {"#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!"}
VOLATILE = {"RAND", "RANDBETWEEN", "RANDARRAY", "NOW", "TODAY", "OFFSET", "INDIRECT", "CELL", "INFO"}

# A text, or a reference with its sheet: whichever comes first, as a quote within the other is no quote.
_TEXT_OR_SHEET = re.compile(
    r""""(?:[^"]|"")*"|(?:'((?:[^']|'')+)'|([^\W\d][\w.]*))!\$?[A-Z]+\$?\d+(?::\$?[A-Z]+\$?\d+)?"""
)
_FUNCTION = re.compile(r"([A-Z][A-Z0-9.]*)\(")
_WORD = re.compile(r"(?<![\w.$])([^\W\d][\w.]*)(?![\w.(])")
_ROWS = re.compile(r"\$\d+:\$\d+")
_EXPONENT = re.compile(r"\d(?:\.\d+)?E[+-]\d+")


def lint(path: Path) -> list[str]:
    """The book's faults, each with its sheet and cell."""
    found: list[str] = []
    with RawBook(path) as book, zipfile.ZipFile(path) as archive:
        if any("metadata" in name for name in archive.namelist()):
            found.append("a metadata part: dynamic arrays")
        texts = 0
        if "xl/sharedStrings.xml" in archive.namelist():
            texts = len(ElementTree.fromstring(archive.read("xl/sharedStrings.xml")))
        defined = list(ElementTree.fromstring(archive.read("xl/workbook.xml")).iter(f"{MAIN}definedName"))
        told = {
            (book.titles[int(own.get("localSheetId", 0))], str(own.get("name"))): own.text or ""
            for own in defined
            if own.get("localSheetId")
        }
        whole = Counter(str(own.get("name")).casefold() for own in defined if not own.get("localSheetId"))
        found += [f"the name {name} is defined {count} times" for name, count in whole.items() if count > 1]
        blocks = {name: book.place(name) for name in book.names}
        bound = b"<hyperlink " in archive.read(book.part_of(book.titles[0]))
        for title in book.titles:
            sheet = _Sheet(book, title, texts)
            root = ElementTree.fromstring(archive.read(book.part_of(title)))
            sheet.read(root)
            if title == MANIFEST_TITLE:
                found += sheet.faults
                continue  # nobody sees or prints it
            found += _link_faults(title, root, book.titles, bound)
            found += _paper_faults(title, root, told, _anchors(archive, book.part_of(title)))
            sheet.check_blocks({block for place, block in blocks.values() if place == title})
            found += sheet.faults
        for name in archive.namelist():
            if name.startswith("xl/charts/chart"):
                found += _chart_faults(book, name, ElementTree.fromstring(archive.read(name)))
    return found


def _link_faults(title: str, root: Any, titles: list[str], bound: bool) -> list[str]:
    """A link leads to a sheet that is there; in a book with contents (bound) first cells lead to the first sheet."""
    links = {own.get("ref"): str(own.get("location")) for own in root.iter(f"{MAIN}hyperlink")}
    sheets = {cell: place.rpartition("!")[0].strip("'").replace("''", "'") for cell, place in links.items()}
    found = [f"{title}!{cell}: a link to {links[cell]}" for cell, sheet in sheets.items() if sheet not in titles]
    if bound and title != titles[0] and sheets.get("A1") != titles[0]:
        found.append(f"{title}: no way back to {titles[0]}")
    return found


def _paper_faults(title: str, root: Any, told: dict[tuple[str, str], str], charts: list[Rectangle]) -> list[str]:
    """On paper a page can be read, and no chart is cut off, by the printed area or by the end of a sheet of paper.

    told: by sheet and name what is printed, and what is repeated.
    """
    found = []
    setup, margins = root.find(f"{MAIN}pageSetup"), root.find(f"{MAIN}pageMargins")
    if setup is None or margins is None or setup.get("paperSize") != "9" or setup.get("orientation") != "landscape":
        return [f"{title}: no A4 page on its side"]
    scale = int(setup.get("scale", 100)) / 100
    if scale < LEAST_SCALE or root.find(f".//{MAIN}pageSetUpPr[@fitToPage='1']") is not None:
        found.append(f"{title}: printed at {scale:.0%}, or fitted to a size that nobody told")
    widths, heights = _sizes(root)
    free = {side: 96 * float(margins.get(side, 0)) for side in ("left", "right", "top", "bottom")}
    paper = (8.27 * 96 - free["top"] - free["bottom"]) / scale, (11.69 * 96 - free["left"] - free["right"]) / scale
    rows, columns = (
        [int(own.get("id", 0)) for own in root.iterfind(f"{MAIN}{kind}/{MAIN}brk")]
        for kind in ("rowBreaks", "colBreaks")
    )
    pane = root.find(f".//{MAIN}pane")
    if (
        columns
        and pane is not None
        and pane.get("xSplit")
        and "!$A:" not in told.get((title, "_xlnm.Print_Titles"), "")
    ):
        found.append(f"{title}: labels are not repeated on the second sheet of paper")
    area = told.get((title, "_xlnm.Print_Area"), "")
    last = rectangle(area.rpartition("!")[2].replace("$", "")) if area else Rectangle(0, 0, 0, 0)
    for chart in charts:
        if chart.bottom > last.bottom or chart.right > last.right:
            found.append(f"{title}: a chart over {chart} is cut off by the printed area {area}")
        down = _is_cut(chart.top, chart.bottom, rows, heights, 20, paper[0])
        if down or _is_cut(chart.left, chart.right, columns, widths, 64, paper[1]):
            found.append(f"{title}: a chart over {chart} is cut in two, {'down' if down else 'across'}")
    return found


def _is_cut(first: int, last: int, breaks: list[int], sizes: dict[int, float], usual: float, room: float) -> bool:
    """Whether a break, or the end of a sheet of paper, is between the first and the last row (or column)."""
    begin = max((b for b in breaks if b < first), default=0)
    length = sum(sizes.get(k, usual) for k in range(begin + 1, last + 1))
    return length > room or any(first <= b < last for b in breaks)


def _sizes(root: Any) -> tuple[dict[int, float], dict[int, float]]:
    """Widths of columns and heights of rows, in pixels by number from 1."""
    widths = {
        column: int(float(own.get("width", 0)) * 7 + 0.5)
        for own in root.iter(f"{MAIN}col")
        for column in range(int(own.get("min", 0)), int(own.get("max", 0)) + 1)
    }
    heights = {int(own.get("r")): float(own.get("ht")) * 4 / 3 for own in root.iter(f"{MAIN}row") if own.get("ht")}
    return widths, heights


def _anchors(archive: zipfile.ZipFile, part: str) -> list[Rectangle]:
    """The cells under each chart of a sheet."""
    folder, _, name = part.rpartition("/")
    links = f"{folder}/_rels/{name}.rels"
    if links not in archive.namelist():
        return []
    targets = [own.get("Target", "") for own in ElementTree.fromstring(archive.read(links))]
    found = []
    for target in targets:
        if "drawings/drawing" not in target:
            continue
        for anchor in ElementTree.fromstring(archive.read(f"xl/{target.removeprefix('../')}")):
            ends = [anchor.find(f"{DRAWING}{end}") for end in ("from", "to")]
            (left, _, top, _), (right, over, bottom, under) = ([int(own.text) for own in end] for end in ends)
            # Of the last column and row nothing is covered where the chart ends at their beginning.
            found.append(Rectangle(top + 1, left + 1, bottom + (under > 0), right + (over > 0)))
    return found


def _chart_faults(book: RawBook, name: str, root: Any) -> list[str]:
    """A chart has 255 series at most, each of cells that are there: of x as many as of y."""
    found = []
    series = list(root.iter(f"{CHART}ser"))
    if len(series) > 255:
        found.append(f"{name}: {len(series)} series")
    for own in series:
        sizes = []
        for axis in ("xVal", "yVal"):
            for reference in own.findall(f"{CHART}{axis}//{CHART}f"):
                sheet, _, block = str(reference.text).rpartition("!")
                if sheet.strip("'") not in book.titles:
                    found.append(f"{name}: no sheet {sheet}")
                    continue
                area = rectangle(block.replace("$", ""))
                sizes.append(area.size)
                values = book.cells(sheet.strip("'")).values
                if values.get(area.top, area.left) is None or values.get(area.bottom, area.right) is None:
                    found.append(f"{name}: {reference.text} has empty cells")
        if len(set(sizes)) > 1:
            found.append(f"{name}: a series of {sizes} x and y")
    return found


class _Sheet:
    def __init__(self, book: RawBook, title: str, texts: int) -> None:
        self.book = book
        self.title = title
        self.texts = texts
        self.faults: list[str] = []
        self.cells: set[tuple[int, int]] = set()
        self.arrays: dict[tuple[int, int], Rectangle] = {}

    def fault(self, where: str, what: str) -> None:
        self.faults.append(f"{self.title}!{where}: {what}")

    def read(self, root: Any) -> None:
        last_row = 0
        for row in root.iter(f"{MAIN}row"):
            number = int(row.get("r", 0))
            if number <= last_row:
                self.fault(f"row {number}", "rows are not in order")
            last_row, last_column = number, 0
            for cell in row.iter(f"{MAIN}c"):
                reference = cell.get("r", "")
                match = re.fullmatch(r"([A-Z]+)(\d+)", reference)
                if match is None or int(match[2]) != number:
                    self.fault(reference, f"stands in row {number}")
                    continue
                column = column_number(match[1])
                if column <= last_column:
                    self.fault(reference, "cells are not unique and in order")
                last_column = column
                self.cells.add((number, column))
                self._cell(reference, (number, column), cell)
        for validation in root.iter(f"{MAIN}dataValidation"):
            text = validation.findtext(f"{MAIN}formula1", "")
            if validation.get("type") == "list" and len(text.strip('"')) > VALIDATION_CHARACTERS:
                self.fault(str(validation.get("sqref")), "a list of more than 255 characters")

        self._check_rules(root)

    def _check_rules(self, root: Any) -> None:
        """No cell has two blocks of conditional formats: LibreOffice drops the color scale of one of them."""
        blocks = [
            [rectangle(part) for part in str(block.get("sqref")).split()]
            for block in root.iter(f"{MAIN}conditionalFormatting")
        ]
        for first, second in combinations(blocks, 2):
            for one, other in product(first, second):
                if max(one.top, other.top) <= min(one.bottom, other.bottom) and max(one.left, other.left) <= min(
                    one.right, other.right
                ):
                    self.fault(f"{one} and {other}", "two blocks of conditional formats for one cell")

    def _cell(self, reference: str, place: tuple[int, int], cell: Any) -> None:
        if cell.get("cm"):
            self.fault(reference, "a dynamic-array cell")
        value, kind = cell.findtext(f"{MAIN}v"), cell.get("t", "n")
        if value is not None:
            self._value(reference, kind, value)
        formula = cell.find(f"{MAIN}f")
        if formula is not None:
            if value is None:
                self.fault(reference, "a formula without a value")
            if formula.get("t") == "array":
                self.arrays[place] = rectangle(formula.get("ref", ""))
            self._formula(reference, formula.text or "")

    def _value(self, reference: str, kind: str, value: str) -> None:
        if kind == "n":
            try:
                sound = abs(float(value)) < float("inf")
            except ValueError:
                sound = False
        else:
            sound = {"s": value.isdigit() and int(value) < self.texts, "e": value in ERRORS}.get(kind, True)
        if not sound:
            self.fault(reference, f"the value {value!r} of type {kind}")

    def _formula(self, reference: str, text: str) -> None:
        if len(text) > FORMULA_CHARACTERS:
            self.fault(reference, f"a formula of {len(text)} characters")
        bare = _TEXT_OR_SHEET.sub("", text)
        depth = deepest = 0
        for character in bare:
            depth += (character == "(") - (character == ")")
            deepest = max(deepest, depth)
        if depth or deepest > NESTING:
            self.fault(reference, f"brackets that end at {depth}, {deepest} deep")
        for quoted, plain in _TEXT_OR_SHEET.findall(text):
            if (quoted or plain) and (quoted or plain).replace("''", "'") not in self.book.titles:
                self.fault(reference, f"no sheet {quoted or plain!r}")
        for function in _FUNCTION.findall(bare):
            if function in VOLATILE:
                self.fault(reference, f"the volatile function {function}")
        for word in _WORD.findall(_EXPONENT.sub("", _ROWS.sub("", bare))):
            if word not in self.book.names and word not in ("TRUE", "FALSE"):
                self.fault(reference, f"no name {word!r}")

    def check_blocks(self, named: set[Rectangle]) -> None:
        """Array formulas fill just the named block that they begin, have all their cells, and do not overlap."""
        covered: set[tuple[int, int]] = set()
        begins = {(block.top, block.left): block for block in named}
        for place, block in self.arrays.items():
            inside = {(r, c) for r in range(block.top, block.bottom + 1) for c in range(block.left, block.right + 1)}
            # Of a series each step has a formula of its own, and the next step's begins under it.
            goes_on = (block.bottom + 1, block.left) in self.arrays
            if place != (block.top, block.left) or (begins.get(place, block) != block and not goes_on):
                self.fault(str(place), f"an array formula over {block}, not over its block {begins.get(place)}")
            if inside & covered or not inside <= self.cells:
                self.fault(str(place), "an array formula overlaps another or lacks cells")
            covered |= inside
