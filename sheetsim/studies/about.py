"""The sheet About: what made a book, with which parameters, and what its names and columns are."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from math import ceil
from typing import Any

import numpy as np

from sheetsim.engine.blas import kernels
from sheetsim.studies.pages import CHANGED, AsMade, follow
from sheetsim.studies.study import Experiment, toml_value
from sheetsim.summary.table import Table
from sheetsim.summary.verdict import Verdict, meanings
from sheetsim.version import __version__
from sheetsim.workbook.layout import Block, Item, Page, Sheet, Text
from sheetsim.workbook.limits import check_cell_text

# The routines of BLAS and NumPy, in words of their own.
KERNELS = "kernels"


@dataclass(frozen=True)
class AboutPage(Page):
    """The sheet About, with what it says of how the book was made as it is. versions: by name, of what computed it."""

    command: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


def versions_here(scipy: bool) -> dict[str, str]:
    """What computes here. scipy: whether it has a part in the numbers."""
    found = {"sheetsim": __version__, "NumPy": np.__version__, "Python": platform.python_version()}
    return found | ({"SciPy": version("scipy")} if scipy else {}) | {KERNELS: kernels()}


def versions_text(versions: Mapping[str, str]) -> str:
    """The versions in a line."""
    return ", ".join(text if name == KERNELS else f"{name} {text}" for name, text in versions.items())


# Headings, and what they say when a yellow cell was changed.
FOLLOWING = {
    "To make this file again": "To make this file again as it was, with the yellow cells as they were",
    "Parameters": "Parameters that it was made with, before yellow cells were changed",
}


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
    """parameters: shown as TOML has them; sections: under its heading, each word with what it means; scipy: whether it
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
    heights: dict[int, float] = {0: 28}
    for row, (label, text, style) in enumerate(rows):
        longest = AS_IT_WAS_MADE + text if style == "description" else text
        lines = ceil(len(longest) / PER_LINE[style]) if style in PER_LINE else 1
        if lines > 1:
            # LibreOffice does not fit rows to wrapped texts when it opens a book. 409 points are Excel's most.
            heights[row] = min(15.0 * lines, 409)
        if style == "title":
            items.append(AsMade(row, 0, text, style, 2, CHANGED + text))
        elif style == "section":
            changed = FOLLOWING.get(label)
            items.append(AsMade(row, 0, label, style, 1, changed) if changed else Text(row, 0, label, style))
        elif style == "description":
            items.append(AsMade(row, 1, text, "wrapped", 1, longest))
        elif label or text:
            items += [Text(row, 0, label, "label-top" if lines > 1 else "label"), Text(row, 1, text, style)]
    return AboutPage(
        "About",
        tuple(items),
        {0: 24, 1: 110},
        heights,
        command=command,
        parameters=parameters,
        versions=versions,
    )


def with_about(
    experiment: Experiment,
    sheets: Sequence[Sheet],
    command: str,
    live: bool,
    *,
    glossary: Mapping[str, str],
    tables: Sequence[Table],
    scipy: bool = False,
    words: Sequence[Verdict] = (),
) -> list[Sheet]:
    """A study's sheets as a book: with About, bound, and with texts that follow the yellow cells.

    glossary: names of the book with what they are; tables: of which About tells the columns.
    """
    sections = {"Defined names": glossary}
    sections |= {f"Columns of {table.sheet}": table.glossary for table in tables if table.sheet}
    if words:
        sections["The verdicts"] = meanings(words)
    title = experiment.title or experiment.TITLE
    about = about_page(title, experiment.description, command, experiment.shown(), sections, scipy=scipy)
    return follow([*sheets, about], live)


def placed(sheets: Sequence[Sheet]) -> set[str]:
    """The names of the matrices that have a place on the sheets."""
    found: set[str] = set()
    for sheet in sheets:
        if isinstance(sheet, Page):
            found |= {str(item.matrix.name) for item in sheet.items if isinstance(item, Block)}
        else:
            found.add(str(sheet.matrix.name))
    return found
