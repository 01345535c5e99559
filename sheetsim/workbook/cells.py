"""A matrix sheet's cells as XML, whole matrices at once. It opens no file and knows no workbook.

XlsxWriter formats numbers one by one with 16 digits, from which 43 % of doubles do not come back. orjson gives the
shortest text that does, for a whole array in one call; the XML between the numbers depends only on the block's shape.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import orjson

from sheetsim.workbook.formulas import column_letters, local_range

NOT_A_NUMBER = "#N/A"
INFINITE = "#NUM!"


def error_text(value: float) -> str:
    """The error value that stands in a cell for NaN or an infinity; a `<v>nan</v>` makes a file that does not open."""
    return NOT_A_NUMBER if value != value else INFINITE


@lru_cache(maxsize=4)
def _between(rows: int, columns: int, style: int, index_style: int) -> tuple[tuple[bytes, ...], bytes]:
    """What stands before each number of a block at B2, and what closes the last: the same for blocks of one shape."""
    letters = [column_letters(column) for column in range(1, columns + 1)]
    before = []
    close = ""
    for row in range(2, rows + 2):
        opening = f'{close}<row r="{row}"><c r="A{row}" s="{index_style}"><v>{row - 1}</v></c>'
        before.append(f'{opening}<c r="{letters[0]}{row}" s="{style}"><v>'.encode())
        before.extend(f'</v></c><c r="{letter}{row}" s="{style}"><v>'.encode() for letter in letters[1:])
        close = "</v></c></row>"
    return tuple(before), close.encode()


def matrix_rows(values: Any, formula: str | None, style: int, index_style: int, corner: int) -> bytes:
    """The rows of a matrix sheet: headings, then `values` from B2 with the array formula (XML text) in the first cell.

    style, index_style: cell formats of the numbers and of the headings; corner: the shared string of A1.
    """
    rows, columns = values.shape
    heads = "".join(
        f'<c r="{column_letters(column)}1" s="{index_style}"><v>{column}</v></c>' for column in range(1, columns + 1)
    )
    head = f'<row r="1"><c r="A1" s="{index_style}" t="s"><v>{corner}</v></c>{heads}</row>'.encode()
    before, close = _between(rows, columns, style, index_style)
    text = orjson.dumps(np.ascontiguousarray(values, dtype=np.float64).ravel(), option=orjson.OPT_SERIALIZE_NUMPY)
    numbers = text[1:-1].split(b",")
    pieces: list[bytes] = [b""] * (2 * len(numbers))
    pieces[0::2] = before
    pieces[1::2] = numbers
    for k in np.flatnonzero(~np.isfinite(values)):
        pieces[2 * k] = pieces[2 * k].removesuffix(b'"><v>') + b'" t="e"><v>'
        pieces[2 * k + 1] = error_text(values.flat[k]).encode()
    if formula is not None:
        array = f'<f t="array" ref="{local_range(1, 1, values.shape)}">{formula}</f><v>'.encode()
        pieces[0] = pieces[0].removesuffix(b"<v>") + array
    return b"".join((head, *pieces, close))
