"""XlsxWriter's workbook and worksheet, with every private part of them that is used or replaced. Its only importer.

A private part may move with any release: tests/test_xlsxwriter_parts.py names each, and says which did.
"""

import struct
from collections.abc import Iterable, Mapping
from functools import partial
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from xlsxwriter import Workbook
from xlsxwriter.exceptions import XlsxWriterException
from xlsxwriter.image import Image
from xlsxwriter.url import Url
from xlsxwriter.worksheet import CellArrayFormulaTuple, Worksheet

from sheetsim.workbook.formulas import address, local_range
from sheetsim.workbook.writing.cells import error_text

# Stands for a matrix's cells in a sheet's XML: a character that XML cannot hold, so that no text is taken for it.
MARK = "\x00"


class _Error(NamedTuple):
    """A cell of an error value without a formula, in XlsxWriter's table of cells."""

    format: Any
    value: str


class ExactWorksheet(Worksheet):  # type: ignore[misc]  # XlsxWriter has no types
    """XlsxWriter's worksheet with exact numbers, error values, and a matrix as one piece of XML."""

    is_block = False
    tones: Mapping[str, str] = {}  # of a page: the verdicts' tones, by word

    def write_value(self, row: int, column: int, value: float | str, style: Any) -> None:
        """A cached number or text of a block, beside the cell that holds its formula."""
        if isinstance(value, str):
            self.write_string(row, column, value, style)
        elif np.isfinite(value):
            self.write_number(row, column, value, style)
        else:
            self._check_dimensions(row, column)
            self.table[row][column] = _Error(style, error_text(value))

    def link(self, row: int, column: int, sheet: str, to_row: int = 0) -> None:
        """Link a cell to the first column of a sheet's row, whatever else is written there.

        write_url would write a text of its own.
        """
        self.hyperlinks[row][column] = Url(f"internal:{address(sheet, to_row, 0, (1, 1)).replace('$', '')}")
        self.hyperlinks[row][column].text = f"To {sheet}"
        self.hyperlinks[row][column].tip = f"To {sheet}"

    def print_areas(self, title: str, areas: Iterable[tuple[int, int, int, int]]) -> None:
        """Print several areas, of first and last row and column, each from a sheet of paper of its own.

        title: of this sheet. XlsxWriter's own `print_area` knows one area.
        """
        self.print_area_range = ",".join(
            address(title, top, left, (bottom - top + 1, right - left + 1)) for top, left, bottom, right in areas
        )

    def has_link(self, row: int, column: int) -> bool:
        """Whether a cell leads somewhere."""
        return column in self.hyperlinks.get(row, ())

    def write_block(self, rows: int, columns: int) -> None:
        """Leaves the sheet's cells to `MARK`: a block of that size and its headings."""
        self._check_dimensions(0, 0)
        self._check_dimensions(rows, columns)
        self.is_block = True

    def _write_sheet_data(self) -> None:
        if self.is_block:
            self.fh.write(f"<sheetData>{MARK}</sheetData>")
        else:
            super()._write_sheet_data()

    def _write_cell(self, row: int, col: int, cell: Any) -> None:
        # XlsxWriter types an array formula's cached error as text, and writes no error without a formula.
        array = isinstance(cell, CellArrayFormulaTuple) and str(cell.value).startswith("#")
        if not array and not isinstance(cell, _Error):
            super()._write_cell(row, col, cell)
            return
        self._xml_start_tag("c", [("r", local_range(row, col, (1, 1))), ("s", number_of(cell.format)), ("t", "e")])
        if array:
            self._write_cell_array_formula(cell.formula, cell.range)
        self._write_cell_value(cell.value)
        self._xml_end_tag("c")

    def _xml_number_element(self, number: float, attributes: Iterable[tuple[str, object]] = ()) -> None:
        # XlsxWriter's 16 digits do not bring every double back; repr does.
        text = "".join(f' {key}="{value}"' for key, value in attributes)
        self.fh.write(f"<c{text}><v>{float(number)!r}</v></c>")

    def _prepare_formula(self, formula: str, expand_future_functions: bool = False) -> str:
        # XlsxWriter searches each formula for what it must respell; ours are as a file has them.
        return formula.removeprefix("{").removeprefix("=").removesuffix("}")

    def _write_formula_element(self, formula: object) -> None:
        # XlsxWriter searches each rule's formula for 140 names of later functions; ours hold none, and are a thousand.
        self._xml_data_element("formula", str(formula).removeprefix("="))


def new_chart(book: Any, options: dict[str, str]) -> Any:
    """A chart of a book whose titles and names are texts, also ones such as `Sheet1!B2`, which XlsxWriter refers to."""
    chart = book.add_chart(options)
    chart._process_names = lambda name, name_formula: (name, name_formula)
    chart._write_pt = partial(write_point, chart)
    return chart


def write_point(chart: Any, number: int, value: object) -> None:
    """A cached number or text of a chart: XlsxWriter searches even numbers for what XML cannot hold."""
    if isinstance(value, str):
        chart.fh.write(f'<c:pt idx="{number}">')
        chart._write_v(value)
        chart.fh.write("</c:pt>")
    elif value is not None:
        chart.fh.write(f'<c:pt idx="{number}"><c:v>{value}</c:v></c:pt>')


def new_book(file: BytesIO, font: Mapping[str, Any]) -> Any:
    """An XlsxWriter workbook in memory. font: of cells without a format."""
    # A copy: XlsxWriter writes into the dict that it is given, and a second book would differ.
    return Workbook(file, {"in_memory": True, "default_format_properties": dict(font)})


def define_name(book: Any, name: str, text: str, *, sheet: int = -1, hidden: bool = False) -> None:
    """Gives cells a name: of one sheet where that is given, or one that no list shows.

    XlsxWriter's own `define_name` hides none, and takes no text that is as a file has it.
    """
    book.defined_names.append([name, sheet, text, hidden])


def picture_size(data: bytes) -> tuple[float, float]:
    """A PNG's or JPEG's width and height in pixels of the screen. Raises ValueError for another file."""
    try:
        image = Image(BytesIO(data))
    except (XlsxWriterException, struct.error, IndexError):
        raise ValueError("no picture") from None
    width, height = image.width * 96 / image.x_dpi, image.height * 96 / image.y_dpi
    if image.image_type not in ("PNG", "JPEG") or not min(width, height) > 0:
        raise ValueError("no picture")
    return width, height


def insert_picture(worksheet: Worksheet, data: bytes, x: int, y: int, scale: float) -> None:
    """Puts a picture at pixels from the sheet's corner; it moves with the cells, and keeps its size."""
    options = {"x_offset": x, "y_offset": y, "x_scale": scale, "y_scale": scale, "object_position": 2}
    worksheet.insert_image(0, 0, Image(BytesIO(data)), {**options, "description": "Logo"})


def number_of(style: Any) -> int:
    """The number that cells refer to a format by, given at the first call."""
    number: int = style._get_xf_index()
    return number


def string_number(book: Any, text: str) -> int:
    """The number that cells refer to a text by. XlsxWriter forgets it when it closes the book."""
    number: int = book.str_table._get_shared_string_index(text)
    return number
