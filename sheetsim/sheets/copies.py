"""Copies of a person's workbook with other numbers in some cells: every other part is kept byte for byte."""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

from sheetsim.errors import SheetsimError
from sheetsim.sheets.book import CellId, SheetBook
from sheetsim.workbook.formulas import column_letters
from sheetsim.workbook.limits import COLUMNS

_STYLE = re.compile(rb'\ss="\d+"')


def write_with_numbers(book: SheetBook, target: Path, numbers: Mapping[CellId, float]) -> None:
    """Writes a copy in which cells hold numbers in place of what they held, formulas too.

    Raises SheetsimError for a cell that the file does not have.
    """
    by_part: dict[str, dict[int, float]] = {}
    for (sheet, cell), number in numbers.items():
        by_part.setdefault(book.part_of(sheet), {})[cell] = number
    with zipfile.ZipFile(book.path) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
        for member in source.infolist():
            data = source.read(member)
            for cell, number in by_part.get(member.filename, {}).items():
                data = _with_number(book, data, cell, number)
            out.writestr(member, data)


def _with_number(book: SheetBook, xml: bytes, cell: int, number: float) -> bytes:
    address = f"{column_letters(cell % COLUMNS)}{cell // COLUMNS}".encode()
    pattern = re.compile(rb'<c(?=[^>]*\sr="%b")([^>]*?)(?:/>|>.*?</c>)' % address, re.DOTALL)
    match = pattern.search(xml)
    if match is None:
        raise SheetsimError(f"{book.path.name}: the cell {address.decode()} is not in the file")
    style = _STYLE.search(match[1])
    text = b'<c r="%b"%b><v>%b</v></c>' % (address, style[0] if style else b"", repr(number).encode())
    return xml[: match.start()] + text + xml[match.end() :]
