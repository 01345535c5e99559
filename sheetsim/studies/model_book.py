"""The workbook of a person's own model: a page of names and single cells, and a sheet a matrix."""

from sheetsim.model.expr import Choice, Draw, Matrix
from sheetsim.model.graph import Graph
from sheetsim.model.series import Series
from sheetsim.workbook.layout import Block, Item, Link, MatrixSheet, Page, SeriesSheet, Sheet, Text
from sheetsim.workbook.writing.styles import COLOURS


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
        items.append(Text(row, 1, f"{node.shape[0]} × {node.shape[1]}", "text"))
        if node.shape == (1, 1) and not isinstance(node, Series):
            items += [Text(row, 0, name, "label"), Block(row, 2, node, "input" if _changeable(node) else "number")]
            continue
        items.append(Link(row, 0, name, "link", sheet=name))
        if isinstance(node, Series):
            items.append(Text(row, 2, f"sheet {name}, {len(node)} steps", "text"))
            sheets.append(SeriesSheet(name, node, tab="sums", back="Model"))
        else:
            items.append(Text(row, 2, f"sheet {name}", "text"))
            tab = "sums" if node.is_op else "draws" if isinstance(node.source, Draw) else "input"
            sheets.append(MatrixSheet(name, node, tab=tab, back="Model"))
    if sheets:
        said = f"The first cell of a sheet has a note, and leads back here. {COLOURS}"
        items.append(Text(2, 0, said, "note", 3))
    return [Page("Model", tuple(items), {0: 24, 1: 16, 2: 24}, {0: 28, 2: 42}, tab="results"), *sheets]


def _changeable(node: Matrix) -> bool:
    return isinstance(node.source, Choice) or not node.is_op
