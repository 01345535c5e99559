"""Sparklines beside tables: small charts in cells, in books whose theme asks for them.

They are an extension of the file format by Excel 2010, of which openpyxl, and pandas with it, warns.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from msgspec.structs import replace

from sheetsim.workbook.formulas import address
from sheetsim.workbook.layout import Page, Text
from sheetsim.workbook.writing.charts import Places, down
from sheetsim.workbook.writing.styles import Look

# A cell that holds one: characters and points.
WIDTH, HEIGHT = 22.0, 24.0


def with_sparklines(page: Page) -> Page:
    """The page with their headings, and room for them."""
    items, widths, heights = list(page.items), dict(page.widths), dict(page.heights)
    for one in page.sparklines:
        items.append(Text(one.row, one.column, one.heading, "column"))
        widths[one.column] = WIDTH
        heights |= {one.row + k: HEIGHT for k, cells in enumerate(one.cells, start=1) if cells}
    return replace(page, items=tuple(items), widths=widths, heights=heights)


class Sparkline(NamedTuple):
    """A cell, and what XlsxWriter draws in it."""

    row: int
    column: int
    options: dict[str, Any]


def sparklines(page: Page, look: Look, places: Places) -> Iterator[Sparkline]:
    """The page's sparklines. All are bars: LibreOffice 7.4 prints no lines in cells."""
    for one in page.sparklines:
        for k, cells in enumerate(one.cells, start=1):
            if cells:
                area = down(cells, places)
                drawn = address(area.sheet, area.row, area.column, area.shape)
                options: dict[str, Any] = {"range": drawn, "type": "column", "series_color": look.theme.colors.bar}
                yield Sparkline(one.row + k, one.column, options | ({"min": 0} if one.counts else {}))
