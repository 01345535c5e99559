"""What the books of several studies share: a home for each matrix, and tables as pages."""

from collections.abc import Iterable

from sheetsim.model.expr import Matrix
from sheetsim.summary.table import Table
from sheetsim.workbook.layout import Block, Echo, Item, Number, Text

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


class Homes:
    """Gives a matrix its home on a page the first time that it is shown there, and a reference to it from then on.

    elsewhere: matrices whose home is another page.
    """

    def __init__(self, elsewhere: Iterable[Matrix] = ()) -> None:
        self._seen = set(elsewhere)

    def show(self, row: int, column: int, node: Matrix, style: str) -> Item:
        """The matrix at a cell, as its home or by reference."""
        if node in self._seen:
            return Echo(row, column, node, style)
        self._seen.add(node)
        return Block(row, column, node, style)


def table_items(table: Table, homes: Homes) -> list[Item]:
    """A table from the first cell of a page, its headings in the first row."""
    styles = {"number": "number", "count": "count", "share": "percent", "decimal": "one-decimal", "text": "text"}
    items: list[Item] = [Text(0, 0, table.index, "index")]
    items += [
        Text(1 + k, 0, label, "index") if isinstance(label, str) else Number(1 + k, 0, float(label), "index")
        for k, label in enumerate(table.labels)
    ]
    for c, column in enumerate(table.columns, start=1):
        items.append(Text(0, c, column.name, "column"))
        items += [homes.show(1 + r, c, cell, styles[column.kind]) for r, cell in enumerate(column.cells)]
    return items


def counted(layers: int) -> str:
    """So many layers, in words."""
    return "1 layer" if layers == 1 else f"{layers} layers"
