"""The charts and headings of a sheet in another language. Texts of cells are translated where they are written."""

from typing import Any

from msgspec.structs import replace

from sheetsim.language import Say
from sheetsim.workbook.layout import (
    Bars,
    HorizontalBars,
    Line,
    Lines,
    MatrixSheet,
    Page,
    Scatter,
    SeriesSheet,
    Sheet,
    Spike,
    Trace,
)

# The fields that are read. Titles of sheets and names of matrices are as scripts know them.
READ: dict[type, tuple[str, ...]] = {
    Bars: ("title", "axis", "outside", "spike"),
    HorizontalBars: ("title", "axis", "parts"),
    Line: ("name",),
    Lines: ("title", "axis", "lines"),
    MatrixSheet: ("corner", "headings"),
    Page: ("items",),
    Scatter: ("title", "axes", "traces"),
    SeriesSheet: ("labels",),
    Spike: ("name",),
    Trace: ("name",),
}


def translated(sheet: Sheet, say: Say) -> Sheet:
    """The sheet with the texts of its charts and headings as `say` has them."""
    done: Sheet = _translated(sheet, say)
    return done


def _translated(part: Any, say: Say) -> Any:
    if isinstance(part, str):
        return say(part)
    if type(part) is tuple:
        return tuple(_translated(one, say) for one in part)
    # Pages of the studies are of kinds of their own.
    fields = READ.get(Page if isinstance(part, Page) else type(part), ())
    return replace(part, **{field: _translated(getattr(part, field), say) for field in fields}) if fields else part
