"""Where two workbook files differ, by cell, grouped by block. It computes no formula."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import msgspec
import numpy as np

from sheetsim.audit.compare import CellBlock, Change, Changed, all_keys, block_of, blocks, gap, last_digits
from sheetsim.errors import SheetsimError
from sheetsim.model.op import Array
from sheetsim.runs.manifest import Manifest, read_manifest
from sheetsim.workbook.formulas import same_formula
from sheetsim.workbook.limits import MANIFEST_TITLE
from sheetsim.workbook.reading.parse import Cells
from sheetsim.workbook.reading.raw import RawBook
from sheetsim.workbook.reading.values import CellKeys, CellValues, cell_name, key
from sheetsim.workbook.writing.package import DIGEST_PART

# Parts by their names' beginnings, and what they are to a person. Sheets, texts and the list of sheets are compared as
# cells, names and sheets; docProps/app.xml lists them once more, and another part is the digest of all.
PART_KINDS = {"xl/charts/": "charts", "xl/drawings/": "charts", "xl/styles": "styles", "xl/theme/": "styles"}
COMPARED_OTHERWISE = ("xl/workbook.xml", "xl/sharedStrings.xml", "docProps/app.xml", DIGEST_PART)

# Kinds of differences that are no edits. Programs save 15 digits (LibreOffice) or all 17 (Excel).
ROUNDED, LAST_DIGITS = "rounded", "last digits"
SAVED_DIGITS = 15

# Where a difference is that lies in no cell of a sheet.
BESIDE = "{}, beside the cells"

# In a file as XlsxWriter and sheetsim make it: its version of the application, and one fixed date. Another program that
# saves the file sets one or the other.
_VERSION = b"<AppVersion>12.0000</AppVersion>"
_DATE = re.compile(rb"<dcterms:modified[^>]*>2026-01-01T00:00:00Z<")
_CACHE = re.compile(rb"<c:(num|str)Cache>.*?</c:\1Cache>", re.DOTALL)
_DATA = re.compile(rb"<sheetData>.*</sheetData>", re.DOTALL)


@dataclass(frozen=True)
class Difference:
    """One block in which two books differ.

    name: a defined name, a sheet's title in brackets, or a part's name; kind: values, formulas, names, sheets, charts,
    styles, parts, manifest (what the book says about itself), `rounded` for numbers that lost their last digits when a
    program saved 15 of them, and `last digits` for numbers that differ in no others; absolute: the largest difference
    of numbers; changes: every cell (or name, sheet, part, field) with what the first book and the second have there.
    Cells of values are kept as arrays, 32 bytes each.
    """

    name: str
    kind: str
    absolute: float
    changes: Sequence[Change]

    @property
    def is_edit(self) -> bool:
        """Whether more than last digits differ."""
        return self.kind not in (ROUNDED, LAST_DIGITS)


def differences(
    one: RawBook, two: RawBook, computed: Mapping[str, CellKeys] | None = None, but: Sequence[str] = ()
) -> Iterator[Difference]:
    """Names, sheets, then sheet by sheet values and formulas, then charts, styles and other parts.

    What the books say of themselves is compared field by field, some of them (but) left out.

    The parts are compared byte for byte (charts without their copies of cells), and only where both files are as
    sheetsim writes them: a program that saves a book again spells all of them in its own way.
    computed: by sheet, the keys of the cells that are, where they have no formulas to tell.
    Raises SheetsimError for a sheet that cannot be read.
    """
    for name in sorted(one.names.keys() | two.names.keys()):
        if _place(one, name) != _place(two, name):
            yield Difference(name, "names", 0.0, [Change(name, one.names.get(name), two.names.get(name))])
    as_written = _written(one) and _written(two)
    texts = one.texts == two.texts
    for title in dict.fromkeys([*one.titles, *two.titles]):
        if title not in one.titles or title not in two.titles:
            there = ["a sheet" if title in book.titles else None for book in (one, two)]
            yield Difference(f"({title})", "sheets", 0.0, [Change(title, *there)])
        elif title == MANIFEST_TITLE and (told := _told(one, two)) is not None:
            changes = [change for change in told if change.where not in but]
            if changes:
                yield Difference(f"({title})", "manifest", 0.0, changes)
        elif not (texts and _same_bytes(one, two, one.part_of(title), two.part_of(title))):
            of_cells = list(_cells(one, two, title, (computed or {}).get(title)))
            yield from of_cells
            if as_written:
                yield from _format(one, two, title, changed=bool(of_cells) or not texts)
    if as_written:
        yield from _parts(one, two)


def _told(one: RawBook, two: RawBook) -> list[Change] | None:
    """What two books say of themselves, where it differs; None where one of them cannot be read."""
    try:
        first, second = (_fields(read_manifest(book)) for book in (one, two))
    except SheetsimError:
        return None
    keys = sorted(first.keys() | second.keys())
    return [Change(k, first.get(k), second.get(k)) for k in keys if first.get(k) != second.get(k)]


def _fields(manifest: Manifest | None) -> dict[str, str]:
    """By field, of parameters and the like by key, the text of its value."""
    texts: dict[str, str] = {}
    for name, value in msgspec.to_builtins(manifest).items():
        several = isinstance(value, dict) and name != "versions"
        texts |= {f"{name}.{key}": str(entry) for key, entry in value.items()} if several else {name: str(value)}
    return texts


def _cells(one: RawBook, two: RawBook, title: str, computed: CellKeys | None) -> Iterator[Difference]:
    left, right = one.cells(title), two.cells(title)
    if computed is None:
        computed = np.intersect1d(left.computed(), right.computed(), assume_unique=True)
    for block in blocks(one, title, all_keys(left.values, right.values)):
        keys = gap(block, left.values, right.values).differing
        if len(keys):
            last = last_digits(block, keys, left.values, right.values, computed)
            saved = right if not two.is_as_written else left if not one.is_as_written else None
            is_rounded = saved is not None and _is_rounded(saved.values.numbers_at(keys[last]))
            yield from _values(block, keys[~last], left.values, right.values, "values")
            yield from _values(block, keys[last], left.values, right.values, ROUNDED if is_rounded else LAST_DIGITS)
    by_block: dict[str, list[Change]] = {}
    for cell in sorted(left.formulas.keys() | right.formulas.keys()):
        before, after = _formula(left, cell), _formula(right, cell)
        if before is None or after is None or not same_formula(before, after):
            change = Change(f"{title}!{cell_name(key(*cell))}", before, after)
            by_block.setdefault(block_of(one, title, *cell), []).append(change)
    for name, listed in by_block.items():
        yield Difference(name, "formulas", 0.0, listed)


def _values(block: CellBlock, keys: CellKeys, first: CellValues, second: CellValues, kind: str) -> Iterator[Difference]:
    if not len(keys):
        return
    with np.errstate(over="ignore"):
        distances = np.abs(first.numbers_at(keys) - second.numbers_at(keys))
    largest = float(np.max(distances, initial=0.0, where=~np.isnan(distances)))
    yield Difference(block.name, kind, largest, Changed(block.sheet, keys, first, second))


def _is_rounded(numbers: Array) -> bool:
    """Whether none has more digits than LibreOffice saves."""
    return all(float(f"{number:.{SAVED_DIGITS}g}") == number for number in numbers.tolist() if number == number)


def _formula(cells: Cells, cell: tuple[int, int]) -> str | None:
    """=text, in braces with its cells where it fills a block."""
    if cell not in cells.formulas:
        return None
    text, block = cells.formulas[cell]
    if block.size == 1:
        return f"={text}"
    return f"{{={text}}} in {cell_name(key(block.top, block.left))}:{cell_name(key(block.bottom, block.right))}"


def is_beside_cells(difference: Difference, title: str) -> bool:
    """Whether it is what a sheet has beside its cells, as widths and breaks between pages."""
    return difference.changes == [Change(BESIDE.format(title), None, None)]


def _format(one: RawBook, two: RawBook, title: str, *, changed: bool) -> Iterator[Difference]:
    """What a sheet has beside its cells' contents: widths, drop-downs, conditional formats; and the cells' styles."""
    left, right = (_DATA.sub(b"", book.read(book.part_of(title))) for book in (one, two))
    if left != right:
        yield Difference(f"({title})", "styles", 0.0, [Change(BESIDE.format(title), None, None)])
    elif not changed:
        yield Difference(f"({title})", "styles", 0.0, [Change(f"{title}, of the cells", None, None)])


def _parts(one: RawBook, two: RawBook) -> Iterator[Difference]:
    sheets = {book.part_of(title) for book in (one, two) for title in book.titles}
    for part in dict.fromkeys([*one.parts, *two.parts]):
        kind = next((kind for start, kind in PART_KINDS.items() if part.startswith(start)), "parts")
        # With other sheets the lists of parts, and who refers to whom, are others too.
        structure = part.endswith((".rels", "[Content_Types].xml")) and one.titles != two.titles
        if part in sheets or part in COMPARED_OTHERWISE or structure:
            continue
        there = ["a part" if part in book.parts else None for book in (one, two)]
        if None in there:
            yield Difference(part, kind, 0.0, [Change(part, *there)])
        elif not _same_part(one, two, part):
            yield Difference(part, kind, 0.0, [Change(part, None, None)])


def _place(book: RawBook, name: str) -> object:
    """Where a name leads, however it is written; its text where it is not a block of cells."""
    try:
        return book.place(name)
    except SheetsimError:
        return book.names.get(name)


def _written(book: RawBook) -> bool:
    """Whether sheetsim wrote the file as it is, edits by hand apart."""
    app, core = (book.read(part) if part in book.parts else b"" for part in ("docProps/app.xml", "docProps/core.xml"))
    return _VERSION in app and _DATE.search(core) is not None


def _same_part(one: RawBook, two: RawBook, part: str) -> bool:
    """Charts hold copies of the cells that they show, which are compared as cells."""
    return _same_bytes(one, two, part, part) or _CACHE.sub(b"", one.read(part)) == _CACHE.sub(b"", two.read(part))


def _same_bytes(one: RawBook, two: RawBook, part: str, other: str) -> bool:
    if one.size(part) != two.size(other):
        return False
    return all(a == b for a, b in zip_longest(one.pieces(part), two.pieces(other)))
