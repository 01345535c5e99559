"""The sheet Paths: a row per path, and the least f that is known, with what it is."""

from collections.abc import Sequence

from sheetsim.model.expr import Matrix
from sheetsim.model.graph import Graph
from sheetsim.studies.optimizers.minimum import Minimum
from sheetsim.studies.optimizers.paths import Path
from sheetsim.studies.sections import table_page
from sheetsim.summary.table import Table
from sheetsim.workbook.layout import Block, Item, Page, Text


def least_said(minimum: Minimum | None) -> tuple[str, str]:
    """What the least f that is known is, in two sentences; minimum: where f was found least, if anywhere."""
    if minimum is None:
        return (
            "the least f at the end of a path that does not diverge",
            "scipy.optimize.minimize found no least f when this book was made: f falls without end, or is least at "
            "the edge of where it is a number",
        )
    x, y = minimum.point
    return (
        "f where it was found least, or less where a path goes lower",
        f"found by scipy.optimize.minimize from {minimum.tries} points when the book was made, at x = {x:g}, "
        f"y = {y:g}: constants, whatever the rates and the start",
    )


def summary_page(graph: Graph, table: Table, paths: Sequence[Path], least: Matrix, minimum: Minimum | None) -> Page:
    """The page. paths: those of the table's rows; least: the matrix `least_f`."""
    row = len(table.labels) + 2
    items: list[Item] = [Text(row, 0, "least_f", "label"), Block(row, 1, least, "number")]
    if minimum:
        items += [
            Text(row, 2, "minimum: x, y", "label"),
            Block(row, 3, graph["minimum"], "number"),
            Text(row, 5, "minimum_f", "label"),
            Block(row, 6, graph["minimum_f"], "number"),
        ]
    first, second = least_said(minimum)
    notes = (
        f"{'least_f' if minimum else 'best_f'}: {first}.",
        f"{second[0].upper()}{second[1:]}.",
        "1 % is of the way from f at the start to least_f. #N/A: not within these steps, or no least f is known. "
        "outside: steps that lie outside of the charts' window.",
    )
    items += [Text(row + 1 + k, 0, note, "text") for k, note in enumerate(notes)]
    return table_page(
        table, {0: 12} | dict.fromkeys(range(1, 9), 18), more=items, drawn={"f by step": [(path.f,) for path in paths]}
    )
