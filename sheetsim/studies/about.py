"""The sheet About: what made a book, with which parameters, and what its names and columns are."""

import platform
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import ceil
from typing import Any

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace

from sheetsim.engine.blas import kernels
from sheetsim.model.expr import Data, Draw, Matrix
from sheetsim.model.graph import Graph
from sheetsim.studies.pages import CHANGED, AsMade, at_home, follow, title_height
from sheetsim.studies.redraw_sheets import redraw_sheets, said_of_draws
from sheetsim.studies.study import Experiment, toml_value
from sheetsim.summary.table import Table
from sheetsim.summary.verdict import Verdict, meanings
from sheetsim.version import __version__
from sheetsim.workbook.layout import Block, Item, MatrixSheet, Page, Sheet, Text
from sheetsim.workbook.limits import check_cell_text

# The routines of BLAS and NumPy, in words of their own.
KERNELS = "kernels"

# The number at the end of a name.
NUMBER = re.compile(r"_[0-9]+\Z")


class AboutPage(Page, frozen=True):
    """The sheet About, with what it says of how the book was made as it is. versions: by name, of what computed it."""

    command: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


def versions_here(scipy: bool) -> dict[str, str]:
    """What computes here. scipy: whether it has a part in the numbers."""
    always = {"sheetsim": __version__, "NumPy": np.__version__, "Python": platform.python_version()}
    if scipy:
        from importlib.metadata import version  # which loads what reads mail, and scipy takes longer

        always["SciPy"] = version("scipy")
    return always | {KERNELS: kernels()}


def versions_text(versions: Mapping[str, str]) -> str:
    """The versions in a line."""
    return ", ".join(text if name == KERNELS else f"{name} {text}" for name, text in versions.items())


# Headings, and what they say when a yellow cell was changed.
FOLLOWING = {
    "To make this file again": "To make this file again as it was, with the yellow cells as they were",
    "Parameters": "Parameters that it was made with, before yellow cells were changed",
}


NAMES = "Defined names"

AS_IT_WAS_MADE = "As it was made: "

# Characters of a line in the second column, by style, for sure.
PER_LINE = {"wrapped": 105, "description": 105, "code": 90}


def about_page(
    title: str,
    description: str,
    command: str,
    parameters: Mapping[str, Any],
    sections: Mapping[str, Mapping[str, str]],
    *,
    scipy: bool,
) -> AboutPage:
    """What the sheet About says of a book.

    parameters: shown as TOML has them; sections: under its heading, each word with its meaning; scipy: whether SciPy
    had a part in the numbers. Raises SheetsimError for a text that is too long for a cell.
    """
    rows: list[tuple[str, str, str]] = [("title", title, "title")]
    if description:
        rows.append(("", description, "description"))
    rows += [("", "", "text"), ("To make this file again", "", "section"), ("command", command, "code")]
    versions = versions_here(scipy)
    rows += [
        ("versions", versions_text(versions), "text"),
        ("", "", "text"),
        ("Parameters", "", "section"),
    ]
    rows += [(key, toml_value(value), "code") for key, value in parameters.items()]
    for heading, words in sections.items():
        rows += [("", "", "text"), (heading, "", "section")]
        rows += [(word, meaning, "wrapped") for word, meaning in words.items()]
    for label, text, _ in rows:
        check_cell_text(f"{label} on sheet 'About'", text)
    items: list[Item] = []
    heights: dict[int, float] = {0: title_height(title)}
    section = ""
    for row, (label, text, style) in enumerate(rows):
        longest = AS_IT_WAS_MADE + text if style == "description" else text
        lines = ceil(len(longest) / PER_LINE[style]) if style in PER_LINE else 1
        if lines > 1:
            # LibreOffice does not fit rows to wrapped texts when it opens a book. 409 points are Excel's most.
            heights[row] = min(15.0 * lines, 409)
        if style == "title":
            items.append(AsMade(row, 0, text, style, 2, changed=CHANGED + text))
        elif style == "section":
            section = label
            changed = FOLLOWING.get(label)
            items.append(AsMade(row, 0, label, style, changed=changed) if changed else Text(row, 0, label, style))
        elif style == "description":
            items.append(AsMade(row, 1, text, "wrapped", changed=longest))
        elif label or text:
            look = "label-top" if lines > 1 else "label"
            is_parameter = style == "code" and label != "command"
            is_name = is_parameter or section == NAMES
            items.append(Text(row, 0, label, look, is_name=is_name))
            items.append(Text(row, 1, text, style, is_name=is_parameter or _is_command(text)))
    return AboutPage(
        "About",
        tuple(items),
        {0: 24, 1: 110},
        heights,
        tab="about",
        words="how to make this file again, its parameters, names and columns",
        command=command,
        parameters=parameters,
        versions=versions,
    )


def _is_command(text: str) -> bool:
    """Whether it is a command, and not a sentence that says why there is none."""
    return text.startswith("sheetsim ")


def with_command(page: AboutPage, command: str) -> AboutPage:
    """The page with another command that makes the file again."""
    row = next(item.row for item in page.items if isinstance(item, Text) and item.text == "command" and not item.column)
    lines = ceil(len(command) / PER_LINE["code"])
    label = Text(row, 0, "command", "label-top" if lines > 1 else "label")
    told = {(row, 0): label, (row, 1): Text(row, 1, command, "code", is_name=_is_command(command))}
    items = tuple(told.get((item.row, item.column), item) if isinstance(item, Text) else item for item in page.items)
    heights = {**page.heights, row: min(15.0 * lines, 409)} if lines > 1 else page.heights
    return replace(page, items=items, heights=heights, command=command)


class StudyBook(Struct, frozen=True):
    """A study's sheets, the first one a page, and what About and the contents say of them.

    graph: of which About explains the names that have a place on the sheets; tables: whose columns it explains;
    asking: titles of pages whose yellow cells ask something of the numbers, and change none; names: what the names are
    that stand in no graph.
    """

    experiment: Experiment
    graph: Graph
    sheets: Sequence[Sheet]
    command: str
    live: bool
    tables: Sequence[Table]
    verdicts: Sequence[Verdict] = ()
    asking: Sequence[str] = ()
    names: Mapping[str, str] = field(default_factory=dict)

    def bound(
        self, pages: Sequence[Page] = (), tables: Sequence[Table] = (), matrices: Sequence[Matrix] = ()
    ) -> list[Sheet]:
        """The sheets as a book: with About, bound, and with texts that follow the yellow cells.

        pages, tables: of outputs, after the first page; matrices: theirs, which get a sheet where they have no place.
        """
        first, *others = self.sheets
        placed = {node for node, _ in _placed(self.sheets)}
        more = [
            MatrixSheet(str(node.name), node, "trial", tab="results", words="an output, a row a trial")
            for node in matrices
            if node not in placed
        ]
        tables = [*self.tables, *tables]
        sheets = at_home([first, *pages, *others, *more, *redraw_sheets(self.graph, self.sheets)], tables)
        placed_names = {node.name for node, _ in _placed(sheets)}
        more_names = {name: what for name, what in self.names.items() if name in placed_names}
        sections = {NAMES: glossary(self.graph, sheets) | more_names}
        sections |= {f"Columns of {table.sheet}": table.glossary for table in tables if table.sheet}
        if said := said_of_draws(self.graph):
            sections["The draws"] = said
        if self.verdicts:
            sections["The verdicts"] = meanings(self.verdicts)
        experiment = self.experiment
        title = experiment.title or experiment.TITLE
        parameters, scipy = experiment.shown(), uses_scipy(self.graph)
        about = about_page(title, experiment.description, self.command, parameters, sections, scipy=scipy)
        return follow([*sheets, about], self.live, [*self.asking, *(page.title for page in pages)])


def glossary(graph: Graph, sheets: Iterable[Sheet]) -> dict[str, str]:
    """What the names are that have a place on the sheets, in the order in which the graph got them.

    Names of which the same is said have one line, under the first of them.
    """
    placed = {str(node.name): style for node, style in _placed(sheets)}
    lines: dict[str, list[str]] = {}
    for node in graph:
        name = str(node.name)
        what = graph.meanings.get(name)
        if what and name in placed:
            # What stands in no yellow cell is not meant to be changed.
            constant = isinstance(node.source, Data | Draw) and placed[name] != "input"
            lines.setdefault(f"{what} (constants)" if constant else what, []).append(name)
    return {
        names[0]: what if len(names) == 1 else f"{', '.join(_in_short(names))}: {what}" for what, names in lines.items()
    }


def _placed(sheets: Iterable[Sheet]) -> Iterator[tuple[Matrix, str]]:
    """The matrices that have a place on the sheets, each with the style of its cells if it has one."""
    for sheet in sheets:
        if isinstance(sheet, Page):
            yield from ((item.matrix, item.style) for item in sheet.items if isinstance(item, Block))
        else:
            yield sheet.matrix, ""


def _in_short(names: Sequence[str]) -> Iterator[str]:
    """The names, those that differ in the number at the end together: of more than three the first two and the last."""
    families: dict[str, list[str]] = {}
    for name in names:
        families.setdefault(NUMBER.sub("_#", name), []).append(name)
    for family in families.values():
        yield from family if len(family) < 4 else (*family[:2], "…", family[-1])


def uses_scipy(graph: Graph) -> bool:
    """Whether SciPy has a part in the numbers of a graph: in draws."""
    return graph.redraw is not None or any(isinstance(node.source, Draw) and node.source.by_scipy for node in graph)
