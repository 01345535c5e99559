"""The workbook of a person's own model: a page of names and single cells, and a sheet per matrix."""

from collections.abc import Sequence

from msgspec.structs import replace

from sheetsim.language import Joined, Name, sentences
from sheetsim.model.expr import Choice, Draw, Matrix
from sheetsim.model.graph import Graph
from sheetsim.model.series import Series
from sheetsim.studies.about import about_page, uses_scipy
from sheetsim.studies.pages import VALUES
from sheetsim.workbook.layout import Block, Item, Link, MatrixSheet, Page, SeriesSheet, Sheet, Text
from sheetsim.workbook.writing.styles import COLORS

# What About says in place of a command.
MADE_IN_PYTHON = "made in Python from your own model: no command makes it again"


def model_sheets(
    graph: Graph, title: str, command: str, pages: Sequence[Page] = (), *, matrices: bool = True, live: bool = True
) -> list[Sheet]:
    """`Model` lists every name with its size and holds the single cells; each larger matrix has a sheet of its name.

    About says with which seed, generator and versions it was made, and what each name is.
    pages: of the outputs, which follow; matrices: whether the larger ones have sheets; live: whether there are
    formulas.
    """
    told = "Single cells stand here; every larger matrix is a sheet. Yellow cells can be changed."
    if not live:
        where = "every larger matrix is a sheet" if matrices else "larger matrices are left out"
        told = sentences(f"Single cells stand here; {where}.", VALUES)
    items: list[Item] = [
        Text(0, 0, title, "title"),
        Text(1, 0, told, "text"),
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
            items += [
                Text(row, 0, name, "label", is_name=True),
                Block(row, 2, node, "input" if live and _changeable(node) else "number"),
            ]
            continue
        if not matrices:
            items += [Text(row, 0, name, "label", is_name=True), Text(row, 2, "left out", "muted-left")]
            continue
        items.append(Link(row, 0, name, "link", sheet=name, is_name=True))
        if isinstance(node, Series):
            items.append(Text(row, 2, f"sheet {name}, {len(node)} steps", "text"))
            sheets.append(SeriesSheet(name, node, tab="sums", back="Model"))
        else:
            items.append(Text(row, 2, f"sheet {name}", "text"))
            tab = "sums" if node.is_op else "draws" if isinstance(node.source, Draw) else "input"
            sheets.append(MatrixSheet(name, node, tab=tab, back="Model"))
    if sheets:
        said = sentences("The first cell of a sheet has a note, and leads back here.", COLORS)
        items.append(Text(2, 0, said, "note", 3))
    model = Page("Model", tuple(items), {0: 24, 1: 16, 2: 24}, {0: 28, 2: 42}, tab="results")
    about = about_page(
        title,
        "",
        command,
        {"seed": graph.seed, "draws": graph.draws},
        {"Defined names": {str(node.name): _explained(graph, node) for node in graph}},
        scipy=uses_scipy(graph),
    )
    more = (replace(page, back="Model") for page in pages)
    return [model, *more, replace(about, back="Model"), *sheets]


def _explained(graph: Graph, node: Matrix) -> str:
    """What a name is, in the words of the person who gave it, its size, and where its numbers are from."""
    what = graph.meanings.get(str(node.name))
    return Joined(Name(what), "; ", _words(node)) if what else _words(node)


def _words(node: Matrix) -> str:
    """The size of a matrix, and where its numbers are from."""
    size = f"{node.shape[0]:,} × {node.shape[1]:,}"
    if isinstance(node, Series):
        return f"{size}: {len(node)} steps of {node.rows:,} × {node.shape[1]:,}, one under another"
    if isinstance(node.source, Draw):
        return f"{size}, drawn: {node.source.law}"
    if isinstance(node.source, Choice):
        return f"a choice of {', '.join(node.source.options)}; made with {node.source.value}"
    return f"{size}, computed" if node.is_op else f"{size}, given"


def _changeable(node: Matrix) -> bool:
    return isinstance(node.source, Choice) or not node.is_op
