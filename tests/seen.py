"""What a person would see wrong on a book's pages, from the file alone: cut texts, ###, charts, sheets of paper.

Widths of texts are approximated (those of Arial by kinds of letters), so that a text is told that is clearly too long.
"""

import re
from collections.abc import Iterator
from itertools import combinations
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple
from unicodedata import east_asian_width

import openpyxl
from openpyxl.utils import range_boundaries

# Shares of the font's size by kinds of letters.
NARROW, WIDE = re.compile(r"[ijl.,:;'|!ftrI()\[\]/ ·‘’-]"), re.compile(r"[mwMW%@—→±√]")
LETTERS = {"narrow": 0.29, "wide": 0.83, "capital": 0.68, "other": 0.55, "east": 1.0}

# How much longer than its room a text is before it is told, and pixels at a cell's ends.
SLACK, ENDS = 1.06, 4

# Pixels: of columns and rows without sizes of their own, of an English Metric Unit, and of A4's length.
COLUMN, ROW, EMU = 64, 20, 1 / 9525
PAPER = 11.69 * 96


class Box(NamedTuple):
    """Pixels from a sheet's first cell."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: "Box") -> bool:
        """Whether both have more than an edge in common."""
        across = min(self.right, other.right) - max(self.left, other.left)
        return across > 1 and min(self.bottom, other.bottom) - max(self.top, other.top) > 1


def seen(path: Path) -> list[str]:
    """The book's faults, each with its sheet and cell. Sheets of matrices, which have a note, are left out."""
    with_values = openpyxl.load_workbook(path, data_only=True)
    pages = [sheet for sheet in with_values if sheet.sheet_state == "visible" and sheet["A1"].comment is None]
    return [f"{page.title}{fault}" for page in pages for fault in _Page(page).faults()]


def text_width(text: str, size: float, bold: bool) -> float:
    """About so many pixels, of the longest line."""
    return max(sum(map(_letter, line)) for line in text.split("\n")) * size * 4 / 3 * (1.07 if bold else 1)


def _letter(letter: str) -> float:
    if east_asian_width(letter) in "WF":
        return LETTERS["east"]
    if NARROW.match(letter):
        return LETTERS["narrow"]
    return LETTERS["wide" if WIDE.match(letter) else "capital" if letter.isupper() else "other"]


def number_text(value: float, shown: str) -> str:
    """A number in a format, as far as its length goes."""
    positive, *others = shown.split(";")
    section = others[0] if value < 0 and others else positive
    words = "".join(re.findall(r'"([^"]*)"', section))
    digits = re.sub(r'"[^"]*"|\[[^\]]*\]', "", section).strip()
    if not re.search(r"[0#?G]", digits):
        return words
    if digits == "General":
        return words + f"{value:.0f}" if abs(value) >= 1 else words + "0"
    after = len(re.findall(r"[0#?]", digits.partition(".")[2].partition("E")[0]))
    if "E" in digits:
        return words + f"{value:.{after}e}"
    return (
        words
        + f"{100 * value if '%' in digits else value:{',' if ',' in digits else ''}.{after}f}"
        + ("%" if "%" in digits else "")
    )


class _Page:
    def __init__(self, sheet: Any) -> None:
        self.sheet = sheet
        self.last = sheet.max_row, sheet.max_column
        self.widths = {
            column: int(own.width * 7 + 0.5)
            for own in sheet.column_dimensions.values()
            for column in range(own.min or 1, (own.max or 1) + 1)
            if own.width
        }
        self.heights = {row: own.height * 4 / 3 for row, own in sheet.row_dimensions.items() if own.height}
        self.merged = {(area.min_row, area.min_col): (area.max_row, area.max_col) for area in sheet.merged_cells.ranges}
        self.inside = {
            (row, column)
            for area in sheet.merged_cells.ranges
            for row in range(area.min_row, area.max_row + 1)
            for column in range(area.min_col, area.max_col + 1)
        }
        self.filled = {
            (cell.row, cell.column): cell for row in sheet.iter_rows() for cell in row if cell.value not in (None, "")
        }
        self.charts = [(chart, self.box(chart.anchor)) for chart in sheet._charts]
        self.rules = [
            (range_boundaries(part), rule)
            for areas, rules in sheet.conditional_formatting._cf_rules.items()
            for part in str(areas.sqref).split()
            for rule in rules
            if rule.dxf is not None and rule.dxf.numFmt is not None
        ]

    def faults(self) -> Iterator[str]:
        for (row, column), cell in self.filled.items():
            fault = self.text(cell) if isinstance(cell.value, str) else self.number(cell)
            if fault:
                yield f"!{cell.coordinate}: {fault}"
            at = Box(self.x(column), self.y(row), self.x(column + 1), self.y(row + 1))
            if any(box.overlap(at) for _, box in self.charts) and str(cell.value).strip():
                yield f"!{cell.coordinate}: a chart covers {cell.value!r}"
        for (_, one), (_, other) in combinations(self.charts, 2):
            if one.overlap(other):
                yield f": charts at {one} and {other} overlap"
        for chart, box in self.charts:
            drawn = [self.numbers(series) for part in (chart, *chart._charts) for series in part.series]
            if not any(drawn):
                yield f": the chart at {box} is empty"
            elif not all(drawn):
                yield f": a series of the chart at {box} has no number, which LibreOffice draws as 0"
        yield from self.paper()

    def x(self, column: int) -> float:
        return sum(self.widths.get(k, COLUMN) for k in range(1, column))

    def y(self, row: int) -> float:
        return sum(self.heights.get(k, ROW) for k in range(1, row))

    def box(self, anchor: Any) -> Box:
        ends = anchor._from, anchor.to
        left, right = (self.x(end.col + 1) + end.colOff * EMU for end in ends)
        top, bottom = (self.y(end.row + 1) + end.rowOff * EMU for end in ends)
        return Box(left, top, right, bottom)

    def numbers(self, series: Any) -> bool:
        source = getattr(series, "val", None) or getattr(series, "yVal", None)
        title, _, block = source.numRef.f.rpartition("!")
        cells = self.sheet.parent[title.strip("'").replace("''", "'")][block.replace("$", "")]
        cells = cells if isinstance(cells, tuple) else ((cells,),)
        return any(isinstance(cell.value, int | float) for row in cells for cell in row)

    def text(self, cell: Any) -> str:
        need = text_width(cell.value, cell.font.sz, cell.font.b) + 9 * (cell.alignment.indent or 0)
        row, column = cell.row, cell.column
        last_row, last = self.merged.get((row, column), (row, column))
        room = self.x(last + 1) - self.x(column) - ENDS
        if cell.alignment.wrap_text:
            merged = (row, column) in self.merged
            if row not in self.heights and not merged:
                return ""  # the program makes the row as high as it must be
            high = self.y(last_row + 1) - self.y(row)
            lines = sum(
                ceil(text_width(line, cell.font.sz, cell.font.b) / SLACK / room) for line in cell.value.split("\n")
            )
            too_high = lines > 1 and lines * cell.font.sz * 1.2 * 4 / 3 > high * SLACK
            return f"{lines} lines of {cell.value!r} in {high:.0f} pixels" if too_high else ""
        if last > column:
            return self.told(cell, need, room)
        to_right, to_left = {"right": (False, True), "center": (True, True)}.get(
            cell.alignment.horizontal, (True, False)
        )
        if to_right and to_left:
            sides = [self.free(row, column, 1), self.free(row, column, -1)]
            return self.told(cell, need, room + 2 * min(sides))
        return self.told(cell, need, room + self.free(row, column, 1 if to_right else -1))

    def free(self, row: int, column: int, step: int) -> float:
        """The pixels of the empty cells beside one."""
        pixels, at = 0.0, column + step
        while at > 0 and pixels < 3000 and (row, at) not in self.filled and (row, at) not in self.inside:
            box = Box(self.x(at), self.y(row), self.x(at + 1), self.y(row + 1))
            if any(chart.overlap(box) for _, chart in self.charts):
                break
            pixels += self.widths.get(at, COLUMN)
            at += step
        return pixels

    def told(self, cell: Any, need: float, room: float) -> str:
        return f"{cell.value!r} needs {need:.0f} pixels and has {room:.0f}" if need > room * SLACK else ""

    def number(self, cell: Any) -> str:
        if not isinstance(cell.value, int | float):
            return ""
        text = number_text(cell.value, self.format(cell))
        need = text_width(text, cell.font.sz, cell.font.b)
        _, last = self.merged.get((cell.row, cell.column), (cell.row, cell.column))
        room = self.x(last + 1) - self.x(cell.column) - ENDS
        return f"### for {text}: {need:.0f} pixels of {room:.0f}" if need > room * SLACK else ""

    def format(self, cell: Any) -> str:
        """The number format, with those of the rules for the cell."""
        for (left, top, right, bottom), rule in self.rules:
            if left <= cell.column <= right and top <= cell.row <= bottom and _holds(rule, cell.value):
                return str(rule.dxf.numFmt.formatCode)
        return str(cell.number_format)

    def paper(self) -> Iterator[str]:
        """Sheets of paper side by side of which one holds nothing, or one column that the others would have held."""
        sheet = self.sheet
        if not sheet.print_area:
            return
        _, _, last, bottom = range_boundaries(str(sheet.print_area).rpartition("!")[2].replace("$", ""))
        margins = 96 * (sheet.page_margins.left + sheet.page_margins.right)
        room = (PAPER - margins) * 100 / (sheet.page_setup.scale or 100)
        labels = sheet.print_title_cols
        repeated = self.x(range_boundaries(labels.replace("$", ""))[2] + 1) if labels else 0
        strips: list[list[int]] = [[]]
        breaks, wide = {own.id for own in sheet.col_breaks.brk}, 0.0
        for column in range(1, last + 1):
            width = self.widths.get(column, COLUMN)
            if strips[-1] and (column - 1 in breaks or wide + width > room):
                strips.append([])
                wide = repeated
            strips[-1].append(column)
            wide += width
        for strip in strips[1:]:
            ends = Box(self.x(strip[0]), 0, self.x(strip[-1] + 1), self.y(bottom + 1))
            held = any(column in strip for row, column in self.filled if row <= bottom)
            drawn = any(box.overlap(ends) for _, box in self.charts)
            if not held and not drawn:
                yield f": a sheet of paper of columns {strip[0]} to {strip[-1]} is empty"
            elif len(strip) == 1 and not drawn:
                yield f": a sheet of paper has column {strip[0]} alone"


def _holds(rule: Any, value: float) -> bool:
    if rule.type != "cellIs":
        return False
    ends = [float(formula) for formula in rule.formula]
    if rule.operator == "equal":
        return value == ends[0]
    within = ends[0] <= value <= ends[-1]
    return within if rule.operator == "between" else not within
