"""What makes sheets a book: contents on the first one, a way back from the others, and tabs colored by kind."""

import re
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from sheetsim.workbook.layout import Block, Colors, Item, Link, MatrixSheet, Page, Sheet, Text
from sheetsim.workbook.writing.printing import CHARTS, Placed, chart_end
from sheetsim.workbook.writing.styles import COLORS

# The tab of a sheet that says no other.
RESULTS = "results"

# Rows from the top in which a link to the contents is seen.
NEAR = 12

WAY_BACK = "The first cell of every sheet leads back here."


def bound(sheets: Sequence[Sheet]) -> list[Sheet]:
    """The sheets with the contents at the end of the first one, a page, and About right after it."""
    first, *others = sheets
    others.sort(key=lambda sheet: sheet.title != "About")
    told: list[Sheet] = [replace(sheet, tab=sheet.tab or RESULTS, back=first.title) for sheet in others]
    assert isinstance(first, Page)
    return [_with_contents(replace(first, tab=first.tab or RESULTS), told), *told]


def _family(title: str) -> str:
    return re.sub(r" [0-9]+\Z", "", title)


def _with_contents(page: Page, others: Sequence[Sheet]) -> Page:
    """A row a sheet; sheets with one title and a number have a row of words, and links under it."""
    wide = max(page.widths, default=0) + 1
    held = {row for item in page.items if not isinstance(item, Colors) for row in _rows(page, item)}
    row = top = 2 + max(held)
    added: list[Item] = [Text(row, 0, "Contents", "section"), Text(row + 1, 0, WAY_BACK, "text")]
    if any(isinstance(sheet, MatrixSheet) and not sheet.wholes for sheet in others):
        added.append(Text(row + 2, 0, f"{COLORS} So on every matrix sheet; its first cell has a note.", "text"))
        row += 1
    row += 2
    for family, sheets in _families(others):
        first, alone = sheets[0], len(sheets) == 1
        label = (
            Link(row, 0, first.title, "link", sheet=first.title, is_name=True)
            if alone
            else Text(row, 0, family, "label", is_name=True)
        )
        added += [label, Text(row, 1, first.words, "hint", max(1, wide - 1))]
        row += 1
        if alone:
            continue
        for k, sheet in enumerate(sheets):
            down, across = divmod(k, max(1, wide - 1))
            added.append(Link(row + down, 1 + across, sheet.title, "link", sheet=sheet.title, is_name=True))
        row += down + 1
    # Where a row under the title is free, it leads to them.
    free = next(k for k in range(1, top) if k not in held)
    if free < NEAR:
        added.append(Link(free, 0, "Contents: all sheets", "link", sheet=page.title, to_row=top))
    return replace(page, items=(*page.items, *added))


def _rows(page: Page, item: Placed) -> range:
    """The rows of an item."""
    if isinstance(item, CHARTS):
        return range(item.row, chart_end(page, item)[0] + 1)
    return range(item.row, item.row + (item.matrix.shape[0] if isinstance(item, Block) else 1))


def _families(sheets: Sequence[Sheet]) -> Iterator[tuple[str, list[Sheet]]]:
    """The sheets by title without number, in the order in which these come."""
    families: dict[str, list[Sheet]] = {}
    for sheet in sheets:
        families.setdefault(_family(sheet.title), []).append(sheet)
    yield from families.items()
