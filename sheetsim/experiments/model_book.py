"""The workbook of a person's own model: a page of names and single cells, and a sheet a matrix."""

from sheetsim.model.expr import Choice, Matrix
from sheetsim.model.graph import Graph
from sheetsim.model.series import Series
from sheetsim.workbook.layout import Block, Item, MatrixSheet, Page, SeriesSheet, Sheet, Text


def model_sheets(graph: Graph, title: str) -> list[Sheet]:
    """`Model` lists every name with its size and holds the single cells; each larger matrix has a sheet of its name."""
    items: list[Item] = [
        Text(0, 0, title, "title"),
        Text(1, 0, "Single cells stand here; every larger matrix is a sheet. Yellow cells can be changed.", "text"),
        *(
            Text(3, column, heading, "heading-left")
            for column, heading in enumerate(("name", "size", "value or sheet"))
        ),
    ]
    sheets: list[Sheet] = []
    for row, node in enumerate(graph, start=4):
        name = str(node.name)
        items += [Text(row, 0, name, "label"), Text(row, 1, f"{node.shape[0]} × {node.shape[1]}", "text")]
        if isinstance(node, Series):
            items.append(Text(row, 2, f"sheet {name}, {len(node)} steps", "text"))
            sheets.append(SeriesSheet(name, node))
        elif node.shape == (1, 1):
            items.append(Block(row, 2, node, "input" if _changeable(node) else "number"))
        else:
            items.append(Text(row, 2, f"sheet {name}", "text"))
            sheets.append(MatrixSheet(name, node))
    return [Page("Model", tuple(items), {0: 24, 1: 16, 2: 24}, {0: 28}), *sheets]


def _changeable(node: Matrix) -> bool:
    return isinstance(node.source, Choice) or not node.is_op
