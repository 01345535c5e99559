"""What the books of several studies share: titles that follow the yellow cells, homes of matrices, tables as pages."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import reduce
from math import ceil
from operator import mul

from msgspec.structs import replace

from sheetsim.model.expr import Choice, Data, Matrix, absolute, equal, if_error, not_equal, total, where
from sheetsim.model.expr import column as column_of
from sheetsim.model.series import Series
from sheetsim.studies.contents import bound
from sheetsim.summary.table import Table
from sheetsim.workbook.layout import Block, Colors, Echo, Item, Link, Number, Page, Sheet, Text

# Widths: a column as wide as its chart, so that a layer's numbers stand under its histogram.
LABEL_WIDTH = 27
LAYER_WIDTH = 30
CHART = (215, 250)

# What a book is, by whether it has the matrices and whether it is live.
HOW_IT_IS_SHOWN = {
    (True, True): "Each matrix is a sheet and each computed matrix is one array formula",
    (True, False): "Each matrix is a sheet of values, without formulas",
    (False, False): "The matrices were left out of this book, which holds values without formulas",
}


CHANGED = "Edited since made as: "

# What pages say where nothing follows a change.
VALUES = "This book holds values, without formulas."

# The cell that says whether the yellow cells hold what they were made with, 1 or 0.
AS_MADE = "as_made"

# What no formula can hold.
NO_TEXT = re.compile("[\x00-\x1f\ud800-\udfff\ufffe\uffff]")

# Yellow cells that one formula compares: it has 8,192 characters at most.
MOST_COMPARED = 30

# Characters of a line of a page's title, in its size.
TITLE_LINE = 85


class AsMade(Text, frozen=True):
    """A text that holds for what the yellow cells were made with; `follow` shows `changed` instead when one is not."""

    changed: str = ""


def page_title(title: str, otherwise: str, columns: int) -> Text:
    """A page's title over so many columns; `otherwise`, which does not depend on the choices, where there is none."""
    if not title:
        return Text(0, 0, otherwise, "title", columns)
    return AsMade(0, 0, title, "title", columns, changed=CHANGED + title)


def title_height(title: str) -> float:
    """The height of a title's row, in points, also after a change."""
    return 28.0 * min(4, ceil(len(CHANGED + title) / TITLE_LINE))


def follow(sheets: Sequence[Sheet], live: bool, but: Collection[str] = ()) -> list[Sheet]:
    """The sheets as a book, with formulas for texts that depend on the yellow cells, which a cell on About compares."""
    sheets = bound(sheets)
    pages = [sheet for sheet in sheets if isinstance(sheet, Page)]
    items = [item for page in pages if page.title not in but for item in page.items]
    cells = [item.matrix for item in items if isinstance(item, Block) and item.style == "input"]
    truths = [truth for cell in cells for truth in _as_made(cell)]
    if not live or not truths:
        return sheets
    about = next(page for page in pages if page.title == "About")
    row = 2 + max(item.row for item in about.items if not isinstance(item, Colors))
    added: list[Item] = [Text(row, 0, "Since it was made", "section")]
    as_made, *truths = truths
    for first in range(0, max(1, len(truths)), MOST_COMPARED):
        row += 1
        as_made = reduce(mul, truths[first : first + MOST_COMPARED], as_made)
        more = first + MOST_COMPARED < len(truths)
        # No matrix of the study's graph: the texts alone refer to it.
        as_made = as_made.placed(None if more else AS_MADE)
        added += [Text(row, 0, "some yellow cells" if more else "yellow cells", "label")]
        added += [Block(row, 1, as_made, "as-made")]
    said = (
        f"{AS_MADE}: 1 where every yellow cell holds what it was made with, else 0; titles and descriptions follow it"
    )
    added += [Text(row + 1, 1, said, "wrapped")]
    done = replace(about, items=(*about.items, *added))
    return [_followed(done if sheet is about else sheet, as_made) for sheet in sheets]


def _followed(sheet: Sheet, as_made: Matrix) -> Sheet:
    if not isinstance(sheet, Page):
        return sheet
    return replace(
        sheet, items=tuple(_told(item, as_made) if isinstance(item, AsMade) else item for item in sheet.items)
    )


def _told(item: AsMade, as_made: Matrix) -> Block:
    texts = (NO_TEXT.sub(" ", text) for text in (item.text, item.changed))
    return Block(item.row, item.column, where(as_made, *texts).placed(None), item.style, item.columns)


def _as_made(cell: Matrix) -> list[Matrix]:
    """Whether a yellow cell, or a block of them, holds what it was made with: factors that are 1 or 0."""
    if isinstance(cell.source, Choice):
        return [equal(cell, cell.source.value)]
    if not isinstance(cell.source, Data):
        return []
    numbers = cell.source.values
    if (numbers == numbers[0, 0]).all():
        number = float(numbers[0, 0])
        return [_is(cell, number) if cell.shape == (1, 1) else equal(total(not_equal(cell, number)), 0)]
    if cell.shape[0] == 1:
        return [_is(column_of(cell, k), float(number)) for k, number in enumerate(numbers[0], start=1)]
    return []


def _is(cell: Matrix, number: float) -> Matrix:
    """Spreadsheets keep or compare 15 digits, and none below 1e-307: of a number with more, whether it is near."""
    if float(f"{number:.15g}") == number and (number == 0 or abs(number) > 1e-290):
        return equal(cell, number)
    near = absolute(cell - number) < 1e-12 * abs(number) if abs(number) > 1e-290 else absolute(cell) < 1e-290
    return if_error(near, 0)  # a text has no difference


def at_home(sheets: Iterable[Sheet], tables: Iterable[Table]) -> list[Sheet]:
    """The sheets with references for matrices whose cells are elsewhere.

    Those are a step where its series stands, and a cell of a table, unless it has a name, on the table's sheet. Any
    other matrix has its cells where it first stands (Layout).
    """
    sheets = list(sheets)
    of_tables = {table.sheet for table in tables}
    blocks = [
        (item.matrix, sheet.title)
        for sheet in sheets
        if isinstance(sheet, Page)
        for item in sheet.items
        if isinstance(item, Block)
    ]
    homes = {step: title for node, title in blocks if isinstance(node, Series) for step in node}
    for node, title in blocks:
        if node.name is None and title in of_tables:
            homes.setdefault(node, title)
    return [_with_echoes(sheet, homes) if isinstance(sheet, Page) else sheet for sheet in sheets]


def _with_echoes(page: Page, homes: Mapping[Matrix, str]) -> Page:
    return replace(
        page,
        items=tuple(
            Echo(item.row, item.column, item.matrix, item.style)
            if isinstance(item, Block) and homes.get(item.matrix, page.title) != page.title
            else item
            for item in page.items
        ),
    )


def table_items(table: Table) -> list[Item]:
    """A table from the first cell of a page, its headings in the first row."""
    styles = {
        "number": "number",
        "size": "number",
        "count": "count",
        "share": "percent",
        "decimal": "one-decimal",
        "text": "text",
    }
    items: list[Item] = [Text(0, 0, table.index, "index")]
    items += [
        Text(1 + k, 0, label, "index") if isinstance(label, str) else Number(1 + k, 0, float(label), "index")
        for k, label in enumerate(table.labels)
    ]
    for c, column in enumerate(table.columns, start=1):
        items.append(Text(0, c, column.name, "column"))
        items += [Block(1 + r, c, cell, styles[column.kind]) for r, cell in enumerate(column.cells)]
    return items


def abreast(layers: int, most: int) -> list[range]:
    """The layers' places, from 0, in rows of so many: a deep network is read, and printed, from above to below."""
    return [range(first, min(first + most, layers)) for first in range(0, layers, most)]


def layer_heads(row: int, label: str, places: range, wide: int, last: str = "", to: str = "") -> list[Item]:
    """The heading of some layers in a row of `wide` columns, from their places.

    last: what the last one is called; to: the title, without its number, of the sheets that the headings lead to, if
    any.
    """
    items: list[Item] = [Text(row, 0, label, "heading-left")]
    for c, k in enumerate(places, start=1):
        name = last if last and c == len(places) else f"Layer {k + 1}"
        if to:
            items.append(Link(row, c, name, "index-link", sheet=f"{to} {k + 1}"))
        else:
            items.append(Text(row, c, name, "heading") if name == last else Number(row, c, 1 + k, "layer"))
    return items + [Text(row, column, " ", "heading") for column in range(len(places) + 1, wide + 1)]
