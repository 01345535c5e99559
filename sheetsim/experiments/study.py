"""What an experiment hands on: its graph, its tables and its sheets. Nothing is computed yet."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from sheetsim.model.expr import Matrix
from sheetsim.model.graph import Graph
from sheetsim.summary.histogram import Histogram
from sheetsim.summary.table import Table
from sheetsim.workbook.layout import Sheet


@dataclass(frozen=True)
class Study:
    """One experiment, built.

    title: for people; sheets: the workbook's, made when asked for, with the command that makes the file
    again and whether the book is live;
    tables and histograms: by the name under which they are asked for, the summary first; verdicts: a word for each of
    its rows; matrices: whether the workbook holds the matrices that its formulas need.
    """

    graph: Graph
    title: str
    sheets: Callable[[str, bool], list[Sheet]]
    tables: Mapping[str, Table] = field(default_factory=dict)
    histograms: Mapping[str, Histogram] = field(default_factory=dict)
    verdicts: tuple[Matrix, ...] = ()
    matrices: bool = True


class Experiment(Protocol):
    """A template's keys as an object: a frozen msgspec.Struct that knows what it is and builds its study."""

    __struct_fields__: ClassVar[tuple[str, ...]]

    @property
    def study(self) -> str:
        """A name of templates.STUDIES."""

    @property
    def title(self) -> str:
        """For people."""

    def build(self) -> Study:
        """The study. Raises SheetsimError for what cannot be built."""

    def parameters(self) -> dict[str, Any]:
        """The keys that are set, as a template would have them."""


def properties(title: str) -> dict[str, str]:
    """The properties of a workbook's file."""
    return {"title": title, "comments": "Written by sheetsim"}


def toml_value(value: Any) -> str:
    """A parameter as TOML has it on one line. Text holds no line break: templates are read from lines."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {toml_value(item)}" for key, item in value.items() if item is not None) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    if isinstance(value, str):
        # TOML forbids DEL, which JSON leaves as it is.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)


def explained(message: str) -> str:
    """msgspec's reason for refusing a value, in a person's words."""
    reason = message.partition(" - at `$")[0]
    expected = re.match(r"Expected `(.*)`, got `(.*)`", reason)
    if expected:
        return f"must be {_words(expected[1])}, not {_words(expected[2])}"
    length = re.match(r"Expected `array` of length (\d+)", reason)
    return f"must be a list of {length[1]} numbers" if length else reason


def _words(types: str) -> str:
    words = {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false", "array": "a list"}
    words |= {"object": "a table", "null": "nothing"}
    kept = [words.get(kind, kind) for kind in types.split(" | ") if kind != "null" or types == "null"]
    return " or ".join(kept)
