"""Room for the texts of a page, in the book's language: wider columns for headings, and lines for what runs over cells.

A text in a cell of its own is cut where its neighbor holds something, and a merged one at the end of its cells.
"""

from collections.abc import Callable
from itertools import pairwise
from math import ceil
from typing import TypeGuard
from unicodedata import east_asian_width

from msgspec.structs import replace

from sheetsim.workbook.layout import Item, Page, Text
from sheetsim.workbook.writing.printing import CHARACTER, WRAPPED_STYLES, column_pixels

# By style of texts beside which others stand, a letter's width in characters of a column: Arial's of 10 points, bold
# ones, and larger ones of a section's name.
LETTER = {"label": 1.05, "label-top": 1.05, "edge-muted": 1.05, "column": 1.12, "index": 1.12, "heading": 1.12}
SECTION = 1.35
NARROW = frozenset("ijltrfI.,:;'|()[]/ -")

# Of a column beside its text, and the widest that is made.
ENDS, WIDEST = 1.0, 40.0

# The widest column that Excel has; and of frozen ones, beside which others are to be seen and printed.
MOST, MOST_FROZEN = 255.0, 80.0

# Pixels of a letter of a title, and of a small one.
TITLE, SMALL_TITLE = 12.0, 8.0

# By style of one line, the style of several; points of a line, and above and below them.
WRAPPED = {"text": "wrapped", "hint": "hint-wrapped"}
LINE, AROUND = 13.0, 2.0

Shown = Callable[[Text], str]


def with_room(page: Page, shown: Shown) -> Page:
    """The page with room for its texts; shown: what a text's cell shows."""
    wide = _with_titles(replace(page, widths=_widths(page, shown)), shown)
    heights = dict(page.heights)
    items: list[Item] = []
    lined: set[int] = set()
    for item in page.items:
        if _is_linked_title(item, page) and halves(shown(item)) * TITLE > _room(item, wide):
            item = replace(item, style="title-small")
        if isinstance(item, Text) and (item.columns > 1 if item.style in WRAPPED else item.style in WRAPPED.values()):
            lines = ceil(halves(shown(item)) * CHARACTER / _room(item, wide))
            if lines > 1:
                item = replace(item, style=WRAPPED.get(item.style, item.style))
                # Of a single cell alone every program finds the height by itself, where none is given.
                if item.columns > 1 or item.row in heights:
                    heights[item.row] = max(heights.get(item.row, 0.0), LINE * lines + AROUND)
                    lined.add(item.row)
        items.append(item)
    # What a text of several lines is about stands beside the first one.
    items = [
        replace(item, style="label-top")
        if isinstance(item, Text) and item.style == "label" and item.row in lined
        else item
        for item in items
    ]
    return replace(wide, items=tuple(items), heights=heights)


def _is_linked_title(item: Item, page: Page) -> TypeGuard[Text]:
    """Whether it is a title that LibreOffice never wraps, as its cell has a link."""
    return isinstance(item, Text) and item.style == "title" and item.row == item.column == 0 and bool(page.back)


def _room(item: Text, page: Page) -> int:
    """The pixels of a text's columns."""
    return sum(column_pixels(page, column) for column in range(item.column, item.column + item.columns))


def _widths(page: Page, shown: Shown) -> dict[int, float]:
    """The columns' widths, with room for headings and labels."""
    texts = sorted(
        (item for item in page.items if isinstance(item, Text) and item.columns == 1),
        key=lambda item: (item.row, item.column),
    )
    frozen = page.freeze[1] if page.freeze else 0
    widths = {column: min(width, MOST_FROZEN if column < frozen else MOST) for column, width in page.widths.items()}

    def has(column: int) -> float:
        return widths[column] if column in widths else column_pixels(page, column) / 7

    for item in texts:
        if item.style not in LETTER:
            continue
        text = shown(item)
        if item.style in WRAPPED_STYLES:
            text = max(_words(text), key=_letters, default="")
        need = min(WIDEST, LETTER[item.style] * _letters(text) + ENDS)
        if need > has(item.column):
            widths[item.column] = need
    for left, right in pairwise(texts):
        if left.style == "section" and left.row == right.row:
            lacks = SECTION * _letters(shown(left)) + ENDS - sum(map(has, range(left.column, right.column)))
            if 0 < lacks < WIDEST:
                widths[left.column] = has(left.column) + lacks
    return widths


def _with_titles(page: Page, shown: Shown) -> Page:
    """The page with room for a title that is one line in every program: its last column takes what it lacks.

    WIDEST more at most: a title as long as a cell may hold would push what stands below over several sheets of paper.
    """
    for title in page.items:
        if _is_linked_title(title, page):
            lacks = (SMALL_TITLE * halves(shown(title)) - _room(title, page)) / 7
            if 0 < lacks <= WIDEST:
                last = title.columns - 1
                return replace(page, widths={**page.widths, last: min(column_pixels(page, last) / 7 + lacks, MOST)})
    return page


def _words(text: str) -> list[str]:
    """What is not cut at a line's end: words between spaces, and none of East Asia, whose letters are."""
    if text.isascii():
        return text.split()
    return "".join(" " if halves(letter) == 2 else letter for letter in text).split()


def _letters(text: str) -> float:
    """How many letters of usual width take as much room."""
    return halves(text) - 0.5 * sum(letter in NARROW for letter in text)


def halves(text: str) -> int:
    """The width of a text in characters, of which those of East Asia are two."""
    return len(text) if text.isascii() else sum(2 if east_asian_width(one) in "WF" else 1 for one in text)
