"""What the schema validator misses in a workbook: a list of faults, empty for a sound book."""

import re
import zipfile
from itertools import combinations, product
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from sheetsim.workbook.parse import column_number, rectangle
from sheetsim.workbook.raw import RawBook
from sheetsim.workbook.rules import FORMULA_CHARACTERS, NESTING, VALIDATION_CHARACTERS
from sheetsim.workbook.values import Rectangle

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
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
        blocks = {name: book.place(name) for name in book.names}
        for title in book.titles:
            sheet = _Sheet(book, title, texts)
            sheet.read(ElementTree.fromstring(archive.read(book.part_of(title))))
            sheet.check_blocks({block for place, block in blocks.values() if place == title})
            found += sheet.faults
        for name in archive.namelist():
            if name.startswith("xl/charts/chart"):
                found += _chart_faults(book, name, ElementTree.fromstring(archive.read(name)))
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
        """No cell has two blocks of conditional formats: LibreOffice drops the colour scale of one of them."""
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
