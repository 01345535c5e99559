"""The sheets of redrawn matrices, and what About says of the draws of HDR 2.0."""

from collections.abc import Iterator, Sequence

from sheetsim.model.draws import LIVE
from sheetsim.model.graph import Graph
from sheetsim.workbook.layout import Block, Item, MatrixSheet, Number, Page, Sheet, Text

POSITIONS_SAID = {
    "frozen": "The draws that the file was made with, constants on the sheets Frozen …",
    "F9": "NORM.S.INV(RAND()) in each cell (uniform draws: RAND()): other numbers with each recalculation, which "
    "nothing makes again.",
    "seeded": "Those of the cell seed by HDR 2.0, from the sheets Uniform …. The command above with --set redraw=SEED "
    "makes this file with them; with --set draws=hdr --seed SEED they are a run’s own numbers.",
}
HDR_SAID = {
    "HDR 2.0": "D. Hubbard’s counter-based generator, of the standard SIPmath 3.0. Counter: the row. Identifiers: the "
    "column, the matrix’s number, the seed’s last 7 digits, and its other digits.",
    "its limits": "It has 2³² = 4,294,967,296 values, (k + ½)/2³²: 100,000 draws have one pair of equal ones on "
    "average, and none of a normal distribution lies beyond 6.34 standard deviations. It is meant to redraw and to "
    "exchange numbers between programs; pcg64 is for the rest.",
}


def said_of_draws(graph: Graph) -> dict[str, str]:
    """What About says of the draws: nothing of the usual ones."""
    if graph.draws == LIVE:
        return POSITIONS_SAID | HDR_SAID
    return dict(HDR_SAID) if graph.draws == "hdr" else {}


def redraw_sheets(graph: Graph, sheets: Sequence[Sheet]) -> Iterator[Sheet]:
    """Of each redrawn matrix its frozen numbers and its uniform ones, called as its own sheet is.

    And a page of what identifies them.
    """
    if not graph.redrawn:
        return
    titles = {sheet.matrix: sheet for sheet in sheets if isinstance(sheet, MatrixSheet)}
    words = "the draws that the file was made with", "uniform numbers of the seed, by HDR 2.0"
    for part, what in zip(("frozen", "uniforms"), words, strict=True):
        for one in graph.redrawn:
            sheet = titles.get(one.numbers)
            title, corner = (one.name, "row") if sheet is None else (sheet.title, sheet.corner)
            kind = "Frozen" if part == "frozen" else "Uniform"
            yield MatrixSheet(f"{kind} {title}", getattr(one, part), corner, tab="draws", words=what)
    yield _identifiers(graph)


def _identifiers(graph: Graph) -> Page:
    """The seed as two identifiers, and a row per matrix: its number, and what it adds to the two hashes of a number."""
    seed3, seed4 = graph.redrawn[0].identifiers
    items: list[Item] = [
        Text(0, 0, "Identifiers of the seeded draws (HDR 2.0)", "section"),
        Text(1, 0, "seed, last 7 digits", "label"),
        Block(1, 1, seed3, "whole"),
        Text(2, 0, "seed, other digits", "label"),
        Block(2, 1, seed4, "whole"),
        *(Text(4, k, text, "column") for k, text in enumerate(("matrix", "number", "key 1", "key 2"))),
    ]
    for row, one in enumerate(graph.redrawn, start=5):
        items += [Text(row, 0, one.name, "index"), Number(row, 1, float(one.entity), "whole")]
        items += [Block(row, column, key, "whole") for column, key in enumerate(one.keys, start=2)]
    row += 2
    for k, text in enumerate(NOTES):
        items.append(Text(row + k, 0, text, "hint"))
    words = "the seed and the matrices as identifiers of HDR 2.0"
    return Page("Identifiers", tuple(items), {0: 20, 1: 14, 2: 14, 3: 14}, tab="draws", words=words)


NOTES = (
    "key 1: number · 2000371 + last 7 digits · 1796777 + other digits · 2299603, the rest by 7450589",
    "key 2: number · 2100869 + last 7 digits · 1918303 + other digits · 1624729, the rest by 7450987",
    "A number of a matrix is hashed by row · 2499997 + column · 1800451 + key 1 and row · 2246527 + column · 2399993 + "
    "key 2.",
)
