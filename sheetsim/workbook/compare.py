"""Compares workbooks block by block: numbers, texts, formulas and names. It computes no formula."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sheetsim.workbook.formulas import column_letters
from sheetsim.workbook.raw import Cells, RawBook, Rectangle

# What a cell of a table may differ by: each is a statistic of its own, and one large one is no excuse for the others.
OWN = 1e-9
OWN_ABSOLUTE = 1e-12


@dataclass(frozen=True)
class Block:
    """Cells that are compared together: a defined name's, or what else stands on a sheet."""

    name: str
    sheet: str
    cells: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Gap:
    """How far two sets of values of a block are apart.

    absolute, relative: the largest difference of numbers, and that over the block's largest magnitude; other: cells
    whose text, kind or error differs; beyond: cells that differ by more than their own size allows (see OWN);
    where: the first cell at fault, with both values.
    """

    cells: int
    differing: int
    absolute: float
    relative: float
    other: int
    beyond: int
    where: str


def blocks(book: RawBook, title: str, cells: Iterable[tuple[int, int]]) -> Iterator[Block]:
    """A sheet's cells under the defined names that they belong to, and the rest under the sheet's title."""
    left = set(cells)
    for name, place, block in named(book):
        if place == title:
            own = left & set(_inside(block)) if block.size < 2 * len(left) else {c for c in left if _within(c, block)}
            if own:
                left -= own
                yield Block(name, title, tuple(sorted(own)))
    if left:
        yield Block(f"({title})", title, tuple(sorted(left)))


def named(book: RawBook) -> Iterator[tuple[str, str, Rectangle]]:
    """The defined names that are blocks of cells, with their sheets."""
    for name in book.names:
        try:
            yield (name, *book.place(name))
        except ValueError:
            continue


def gap(block: Block, first: Mapping[tuple[int, int], Any], second: Mapping[tuple[int, int], Any]) -> Gap:
    """The difference between two readings of a block's cells."""
    largest = scale = 0.0
    worst = where = None
    differing = other = beyond = 0
    for cell in block.cells:
        one, two = first.get(cell), second.get(cell)
        if isinstance(one, float):
            scale = max(scale, abs(one))
        if one == two:
            continue
        differing += 1
        if isinstance(one, float) and isinstance(two, float):
            distance = abs(one - two)
            if not distance <= largest:
                largest, worst = distance, cell
            if not distance <= max(OWN * abs(one), OWN_ABSOLUTE):
                beyond += 1
        elif not _same(one, two):
            other += 1
            where = where or cell
    at = where or worst
    shown = f"{block.sheet}!{cell_name(at)}: {_shown(first.get(at))} against {_shown(second.get(at))}" if at else ""
    return Gap(len(block.cells), differing, largest, largest / scale if scale else largest, other, beyond, shown)


def formula_changes(title: str, first: Cells, second: Cells) -> list[str]:
    """The cells of a sheet whose formulas, or the blocks that they fill, are not the same."""
    found = []
    for cell in sorted(first.formulas.keys() | second.formulas.keys()):
        one, two = first.formulas.get(cell), second.formulas.get(cell)
        if one != two:
            found.append(f"{title}!{cell_name(cell)}: {_formula(one)} against {_formula(two)}")
    return found


def cell_name(cell: tuple[int, int]) -> str:
    """(2, 3) is C2."""
    return f"{column_letters(cell[1] - 1)}{cell[0]}"


def _inside(block: Rectangle) -> Iterator[tuple[int, int]]:
    for row in range(block.top, block.bottom + 1):
        for column in range(block.left, block.right + 1):
            yield row, column


def _within(cell: tuple[int, int], block: Rectangle) -> bool:
    return block.top <= cell[0] <= block.bottom and block.left <= cell[1] <= block.right


def _same(one: Any, two: Any) -> bool:
    # Engines have more kinds of error values than there are reasons for one.
    return isinstance(one, str) and isinstance(two, str) and one.startswith("#") and two.startswith("#")


def _shown(value: Any) -> str:
    return "nothing" if value is None else repr(value)[:60]


def _formula(known: tuple[str, Rectangle] | None) -> str:
    return "no formula" if known is None else f"={known[0][:80]}"
