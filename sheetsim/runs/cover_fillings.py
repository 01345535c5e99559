"""What the named cells of a cover can get from a book: by name, its numbers and texts. It fills no cell."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sheetsim.engine.evaluate import Values
from sheetsim.model.expr import Matrix
from sheetsim.runs.manifest import Manifest, PlacedColumn
from sheetsim.studies.about import AboutPage, versions_text
from sheetsim.studies.study import toml_value
from sheetsim.workbook.formulas import address
from sheetsim.workbook.layout import Block, Layout, Text
from sheetsim.workbook.reading.parse import rectangle
from sheetsim.workbook.writing.cover import Filling

# Texts on About, by their row and column.
TEXTS = {"title": (0, 0), "description": (1, 1)}


def fillings(said: Manifest, layout: Layout, values: Values) -> dict[str, Filling]:
    """What named cells can get, by name in lower case.

    Keys of the study (dots as _); cells of its tables as TABLE_ROW_COLUMN; title, description, command, versions, and
    verdict, that of the summary's last row (empty where the book has none); single cells by their defined names. A
    later one of these goes before an earlier one. Texts are in the book's language.
    """
    about = next(sheet for sheet in layout.sheets if isinstance(sheet, AboutPage))
    filled = {name: Filling(value) for name, value in _keys({**about.parameters, **said.parameters})}
    filled |= _of_tables(said, layout, values)
    filled |= {name: _text(about, *place, layout, values) for name, place in TEXTS.items()}
    filled |= {"command": Filling(said.command), "versions": Filling(versions_text(said.versions))}
    nodes = {str(node.name): node for node in layout.named() if node.shape == (1, 1)}
    named = {name.lower(): _computed(layout, values, node, name) for name, node in nodes.items()}
    # Verdicts of trainings have cells without names.
    last = named.get(said.verdicts[-1].lower(), Filling("")) if said.verdicts else Filling("")
    return filled | {"verdict": last} | named


def _computed(layout: Layout, values: Values, node: Matrix, formula: str) -> Filling:
    """A cell's value, and the formula that refers to it in a live book."""
    value = values[node][0, 0]
    return Filling(layout.say(str(value)) if isinstance(value, str) else float(value), formula if layout.live else "")


def _text(about: AboutPage, row: int, column: int, layout: Layout, values: Values) -> Filling:
    for item in about.items:
        if isinstance(item, Text | Block) and (item.row, item.column) == (row, column):
            if isinstance(item, Text):
                return Filling(layout.say(item.text))
            return _computed(layout, values, item.matrix, address(about.title, row, column, (1, 1)))
    return Filling("")


def _of_tables(said: Manifest, layout: Layout, values: Values) -> dict[str, Filling]:
    nodes = {(area.sheet, area.row, area.column): n for n, area in layout.places.items() if n.shape == (1, 1)}
    filled: dict[str, Filling] = {}
    for name, table in said.tables.items():
        for column in table.columns:
            for label, place in zip(table.labels, _places(column), strict=True):
                key = _word(f"{name}_{label}_{column.name}")
                if isinstance(place, tuple):
                    filled[key] = _computed(layout, values, nodes[place], address(*place, (1, 1)))
                elif place is not None:
                    filled[key] = Filling(layout.say(place) if isinstance(place, str) else place)
    return filled


def _places(column: PlacedColumn) -> Iterator[tuple[str, int, int] | float | str | None]:
    """What each row has: a cell, its row and column from 0, or what no cell holds."""
    for cell in column.cells:
        if isinstance(cell, tuple):
            block = rectangle(cell[1])
            yield from ((cell[0], row - 1, block.left - 1) for row in range(block.top, block.bottom + 1))
        else:
            yield cell


def _keys(parameters: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, float | str]]:
    for key, value in parameters.items():
        name = _word(f"{before}{key}")
        if isinstance(value, Mapping):
            yield from _keys(value, f"{name}_")
        elif isinstance(value, str):
            yield name, value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield name, float(value)
        else:
            yield name, toml_value(value)


def _word(text: str) -> str:
    """A text as a defined name can be."""
    return re.sub(r"\W+", "_", text).lower()
