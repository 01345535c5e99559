"""A matrix sheet's cells as XML, a band of rows at once. It opens no file and knows no workbook.

XlsxWriter formats numbers one by one with 16 digits, from which 43 % of doubles do not come back. orjson gives the
shortest text that does, for a whole array in one call; the XML between the numbers depends only on the block's shape.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np
import orjson

from sheetsim.model.op import Array
from sheetsim.workbook.formulas import column_letters, local_range

NOT_A_NUMBER = "#N/A"
INFINITE = "#NUM!"

# Cells formatted at once: 2.5 MB of XML. Twice as many hold the interpreter so long at a time that the threads which
# deflate starve; fewer cost more calls.
BAND = 50_000


def error_text(value: float) -> str:
    """The error value that stands in a cell for NaN or an infinity; a `<v>nan</v>` makes a file that does not open."""
    return NOT_A_NUMBER if value != value else INFINITE


def matrix_bands(
    values: Array,
    formula: str | None,
    style: int,
    index_style: int,
    corner: tuple[int, int],
    headings: Sequence[int] = (),
    cell_formula: Callable[[int, int], str] | None = None,
) -> Iterator[bytes]:
    """The rows of a matrix sheet, a band at a time: headings, then `values` from B2.

    formula: the array formula of the whole block (XML text), which stands in the first cell; style, index_style: cell
    formats of the numbers and of the headings; corner: the shared string of A1 and its cell format; headings: those of
    row 1, where they are not numbers; cell_formula: by row and column from 0, the formula of a cell (XML text), in
    place of one for all.
    """
    rows, columns = values.shape
    kind = ' t="s"' if headings else ""
    heads = "".join(
        f'<c r="{column_letters(column)}1" s="{index_style}"{kind}><v>{head}</v></c>'
        for column, head in enumerate(headings or range(1, columns + 1), start=1)
    )
    yield f'<row r="1"><c r="A1" s="{corner[1]}" t="s"><v>{corner[0]}</v></c>{heads}</row>'.encode()
    height = max(1, BAND // columns)
    for top in range(0, rows, height):
        numbers = values[top : top + height]
        texts = [] if cell_formula is None else [cell_formula(top + r, c) for r, c in np.ndindex(numbers.shape)]
        xml = _band(numbers, top + 2, style, index_style, texts)
        if formula is not None and top == 0:
            array = f'<f t="array" ref="{local_range(1, 1, values.shape)}">{formula}</f>'.encode()
            number = xml.index(b"<v>", xml.index(b'<c r="B2"'))
            yield xml[:number] + array
            xml = xml[number:]
        yield xml


def _band(numbers: Array, first_row: int, style: int, index_style: int, formulas: Sequence[str] = ()) -> bytes:
    template = _template(first_row, *numbers.shape, style, index_style)
    flat = np.ascontiguousarray(numbers, dtype=np.float64).ravel()
    texts = orjson.dumps(flat, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
    wrong = np.flatnonzero(~np.isfinite(flat))
    if formulas or len(wrong):
        # Rare: such a cell needs a template of its own, as its type and its formula stand before its number.
        cells = template.split(b"%b")
        for k in wrong:
            cells[k] = cells[k].removesuffix(b'"><v>') + b'" t="e"><v>'
            texts[k] = error_text(flat[k]).encode()
        for place, formula in enumerate(formulas):
            cells[place] = cells[place].removesuffix(b"<v>") + f"<f>{formula.replace('%', '%%')}</f><v>".encode()
        template = b"%b".join(cells)
    # One formatting operation: half the time of joining a list of alternating pieces.
    return template % tuple(texts)


@lru_cache(maxsize=16)
def _template(first_row: int, rows: int, columns: int, style: int, index_style: int) -> bytes:
    """The band's XML with `%b` for each number: the same for all blocks of one shape, so that it is made once."""
    letters = [column_letters(column) for column in range(1, columns + 1)]
    row = "".join(f'<c r="{letter}\0" s="{style}"><v>%b</v></c>' for letter in letters)
    row = f'<row r="\0"><c r="A\0" s="{index_style}"><v>\1</v></c>{row}</row>'
    return "".join(
        row.replace("\0", str(number)).replace("\1", str(number - 1)) for number in range(first_row, first_row + rows)
    ).encode()


def series_rows(
    values: Array,
    rows: int,
    first: int,
    formulas: Sequence[tuple[str | None, bool]],
    styles: tuple[int, int, int, int],
    headings: Sequence[int],
) -> Iterator[bytes]:
    """The rows of a series' sheet, a step at a time: headings, then the number of each step, its rows and its values.

    rows: of one step; first: the number of the first. formulas: of each step the XML text, None for numbers that can
    be changed, and whether it is an array formula. styles: of numbers, of those that can be changed, of headings, and
    of A1; headings: shared strings.
    """
    number, changeable, index, corner = styles
    letters = [column_letters(column) for column in range(len(headings))]
    left = len(headings) - values.shape[1]
    heads = "".join(
        f'<c r="{letter}1" s="{index if letter != "A" else corner}" t="s"><v>{head}</v></c>'
        for letter, head in zip(letters, headings, strict=True)
    )
    yield f'<row r="1">{heads}</row>'.encode()
    for step, (formula, array) in enumerate(formulas):
        top = step * rows
        numbers = values[top : top + rows]
        texts = orjson.dumps(numbers.ravel(), option=orjson.OPT_SERIALIZE_NUMPY).decode()[1:-1].split(",")
        style = changeable if formula is None else number
        kind = f' t="array" ref="{local_range(top + 1, left, numbers.shape)}"' if array else ""
        begin = "" if formula is None else f"<f{kind}>{formula}</f>"
        xml = []
        for row in range(rows):
            place = top + row + 2
            xml.append(f'<row r="{place}"><c r="A{place}" s="{index}"><v>{first + step}</v></c>')
            if left == 2:
                xml.append(f'<c r="B{place}" s="{index}"><v>{row + 1}</v></c>')
            for column, letter in enumerate(letters[left:]):
                text, error = texts[row * numbers.shape[1] + column], ""
                if text == "null":
                    text, error = error_text(numbers[row, column]), ' t="e"'
                xml.append(f'<c r="{letter}{place}" s="{style}"{error}>{begin}<v>{text}</v></c>')
                begin = ""
            xml.append("</row>")
        yield "".join(xml).encode()
