"""A copy of a workbook with sheets added: every other part is kept byte for byte, but for the lists that name parts."""

import re
import zipfile
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from sheetsim.errors import SheetsimError
from sheetsim.whole_file import whole_file
from sheetsim.workbook.writing.package_lists import before_end

_SHEET_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"

TYPES, WORKBOOK, LINKS = "[Content_Types].xml", "xl/workbook.xml", "xl/_rels/workbook.xml.rels"


class AddedSheet(NamedTuple):
    """A sheet to add: its title, its part's XML, and whether people see it."""

    title: str
    xml: bytes


def copy_with_sheets(source: Path, target: Path, sheets: Sequence[AddedSheet]) -> Path:
    """Writes a copy of the workbook with the sheets after its own.

    Raises SheetsimError when a title is taken, and when the file cannot be written.
    """
    with zipfile.ZipFile(source) as archive:
        parts = archive.namelist()
        workbook = archive.read(WORKBOOK)
        names = [f"xl/worksheets/sheetsim{k}.xml" for k in range(1, len(sheets) + 1)]
        taken = set(parts) & set(names)
        if taken:
            raise SheetsimError(
                f"{source} already contains sheets of sheetsim (part {taken.pop()!r}): use the original workbook"
            )
        ids = [f"rIdSheetsim{k}" for k in range(1, len(sheets) + 1)]
        changed = {
            TYPES: _typed(archive.read(TYPES), names),
            LINKS: _linked(archive.read(LINKS), dict(zip(ids, names, strict=True))),
            WORKBOOK: _listed(workbook, dict(zip(ids, (sheet.title for sheet in sheets), strict=True))),
        }
        with whole_file(target) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
            for member in archive.infolist():
                out.writestr(member, changed.get(member.filename, archive.read(member)))
            for name, sheet in zip(names, sheets, strict=True):
                out.writestr(name, sheet.xml)
    return target


def _typed(xml: bytes, names: Sequence[str]) -> bytes:
    namespace = "http://schemas.openxmlformats.org/package/2006/content-types"
    rows = (f'<Override xmlns="{namespace}" PartName="/{name}" ContentType="{_SHEET_TYPE}"/>' for name in names)
    return before_end(xml, "Types", "".join(rows).encode())


def _linked(xml: bytes, names: Mapping[str, str]) -> bytes:
    namespace = "http://schemas.openxmlformats.org/package/2006/relationships"
    rows = (
        f'<Relationship xmlns="{namespace}" Id="{key}" Type="{_OFFICE}/worksheet" Target="/{name}"/>'
        for key, name in names.items()
    )
    return before_end(xml, "Relationships", "".join(rows).encode())


def _listed(xml: bytes, titles: Mapping[str, str]) -> bytes:
    numbers = [int(number) for number in re.findall(rb'<(?:\w+:)?sheet\s[^>]*?sheetId="(\d+)"', xml)]
    rows = (
        f'<sheet xmlns="{_MAIN}" xmlns:r="{_OFFICE}" name="{escape(title)}" sheetId="{number}" r:id="{key}"/>'
        for number, (key, title) in enumerate(titles.items(), start=max(numbers, default=0) + 1)
    )
    return before_end(xml, "sheets", "".join(rows).encode())


def plain_sheet(rows: Sequence[Sequence[str | float | None]], widths: Sequence[float]) -> bytes:
    """A sheet's part of texts and numbers without styles."""
    from sheetsim.workbook.formulas import column_letters

    columns = "".join(
        f'<col min="{k}" max="{k}" width="{width}" customWidth="1"/>' for k, width in enumerate(widths, start=1)
    )
    lines = []
    for r, row in enumerate(rows, start=1):
        cells = []
        for c, value in enumerate(row):
            place = f"{column_letters(c)}{r}"
            if isinstance(value, str):
                cells.append(f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>')
            elif value is not None:
                cells.append(f'<c r="{place}"><v>{value!r}</v></c>')
        lines.append(f'<row r="{r}">{"".join(cells)}</row>')
    return (
        f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<worksheet xmlns="{_MAIN}"><cols>{columns}</cols>'
        f"<sheetData>{''.join(lines)}</sheetData></worksheet>"
    ).encode()
