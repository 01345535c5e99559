"""What an experiment hands on: its graph, and when asked for, its tables and its sheets. It computes nothing."""

import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import numpy as np

from sheetsim.arguments import WHOLE_BELOW
from sheetsim.errors import SheetsimError
from sheetsim.files import check_text
from sheetsim.language import check_language, language
from sheetsim.model.draws import LIVE
from sheetsim.model.expr import Matrix
from sheetsim.model.graph import Graph
from sheetsim.model.op import Shape
from sheetsim.summary.histogram import Histogram
from sheetsim.summary.table import Table
from sheetsim.summary.verdict import Verdict

if TYPE_CHECKING:
    from sheetsim.studies.about import StudyBook
    from sheetsim.summary.output_tables import OutputTables
    from sheetsim.workbook.layout import Layout, Page


# The workbook, with the command that makes the file again and whether the book is live.
Sheets = Callable[[str, bool], "StudyBook"]


class Findings(msgspec.Struct, frozen=True):
    """Findings of an experiment: expressions of its graph, which are computed when their values are asked for.

    sheets: the workbook's, made when asked for; tables: the summary first; histograms: by the name under which they are
    asked for; verdicts: a word for each row of the summary; words: what they can say; texts: by name, other words that
    replicates count; headline: the columns of the summary that a terminal has room for, all where there are none.
    """

    sheets: Sheets
    tables: Sequence[Table] = ()
    histograms: Mapping[str, Histogram] = msgspec.field(default_factory=dict)
    verdicts: tuple[Matrix, ...] = ()
    words: tuple[Verdict, ...] = ()
    headline: tuple[str, ...] = ()
    texts: Mapping[str, Matrix] = msgspec.field(default_factory=dict)

    def cells(self) -> Iterator[Matrix]:
        """The cells of the tables."""
        for table in self.tables:
            yield from table.cells()


class Study(msgspec.Struct, frozen=True, dict=True):
    """One experiment, built: its graph, and its findings when they are asked for.

    title: for people; find: makes the findings, and names in the graph what they need; matrices: whether the workbook
    holds the matrices that its formulas need. Of the outputs that the graph declares the summary is one more table.
    """

    graph: Graph
    title: str
    find: Callable[[], Findings]
    matrices: bool = True

    @cached_property
    def findings(self) -> Findings:
        """The findings of the experiment."""
        findings = self.find()
        if not self.graph.outputs:
            return findings
        return msgspec.structs.replace(findings, tables=(*findings.tables, self.outputs.table))

    @cached_property
    def outputs(self) -> "OutputTables":
        """The tables about the graph's outputs."""
        from sheetsim.summary.output_tables import OutputTables

        return OutputTables(self.graph)

    @property
    def tables(self) -> dict[str, Table]:
        """The tables by name, the summary first."""
        return {table.name: table for table in self.findings.tables}

    @property
    def histograms(self) -> Mapping[str, Histogram]:
        """The histograms by the name under which they are asked for."""
        return self.findings.histograms

    @property
    def verdicts(self) -> tuple[Matrix, ...]:
        """A word for each row of the summary."""
        return self.findings.verdicts

    def named(self, name: str) -> Matrix:
        """A matrix of the graph, which may be named with the findings. Raises SheetsimError for an unknown name."""
        _ = self.findings
        return self.graph[name]

    def layout(self, command: str, live: bool, pages: "Sequence[Page]" = ()) -> "Layout":
        """The workbook's sheets. pages: of the outputs."""
        from sheetsim.workbook.layout import Layout

        tables = (self.outputs.table,) if pages else ()
        outputs = [output.matrix for output in self.graph.outputs.values()] if pages and self.matrices else []
        book = self.findings.sheets(command, live)
        spoken = language(book.experiment.lang, book.experiment.study)
        return Layout(book.bound(pages, tables, outputs), live=live, spoken=spoken)


LONGEST_TEXT = 1000

# Levels of lists and tables in one another: a correlation matrix in the table `input` has three.
DEEPEST = 8


class KeysByName(msgspec.StructMeta):
    """What makes a study of keys in Python: msgspec names the unknown ones in a TypeError, and none that is near."""

    def __call__(self, *args: Any, **keys: Any) -> Any:
        """The study. Raises SheetsimError for an unknown key, and for what has no name."""
        if args:
            raise SheetsimError(f"{self.__name__} takes its keys by name, as in {self.__name__}(seed=1)")
        for key in keys:
            if key not in self.__struct_fields__:
                raise SheetsimError(f"{self.__name__}: {unknown_key(key, key, self.__struct_fields__)}")
        return super().__call__(**keys)


class Experiment(msgspec.Struct, metaclass=KeysByName, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A template's keys as an object that builds its study. A subclass is one study, and STUDY its name.

    study: the name of a study of registry.STUDIES; lang: the language of the workbook, `en` or `ja` (Japanese);
    title, description: for people.
    TITLE: where there is no title; TABLES: the names of its tables, as `--table` has them, the summary first; TRAINS:
    whether what it computes is trained, and so can be kept and taken up again; UNSAID: keys that are said only where
    they are not their default, so that a book without them is what it was before there were such keys.
    Raises SheetsimError with the key and the reason.
    """

    STUDY: ClassVar[str]
    TITLE: ClassVar[str]
    TABLES: ClassVar[tuple[str, ...]]
    TRAINS: ClassVar[bool] = False
    UNSAID: ClassVar[tuple[str, ...]] = ()

    study: str
    title: str = ""
    description: str = ""
    lang: str | None = None

    def __post_init__(self) -> None:
        # From Python a field can hold anything; from a template msgspec has checked its type.
        check_plain({declared.name: getattr(self, declared.name) for declared in msgspec.structs.fields(type(self))})
        for declared in msgspec.structs.fields(type(self)):
            value = getattr(self, declared.name)
            check_no_array(declared.name, value, declared.type)
            try:
                converted = msgspec.convert(unwrapped(value), declared.type)
                if isinstance(value, np.generic | tuple | set) and declared.type is not Any:
                    # As a template has it.
                    msgspec.structs.force_setattr(self, declared.name, converted)
            except msgspec.ValidationError as error:
                raise SheetsimError(f"{declared.name}: {explained(str(error), declared.type)}") from None
        check_one_of("study", self.study, (self.STUDY,))
        check_language(self.lang)
        for key, text in (("title", self.title), ("description", self.description)):
            if len(text) > LONGEST_TEXT:
                raise SheetsimError(f"{key} has {len(text):,} characters; {LONGEST_TEXT:,} are allowed")

    def check_book(self) -> None:
        """Raises SheetsimError where a workbook of the study would have more sheets than are written, before any is."""

    def build(self) -> Study:
        """The study as a graph, and the tables about it. Raises SheetsimError for what cannot be built."""
        raise NotImplementedError

    def parameters(self) -> dict[str, Any]:
        """The keys that are set, as a template would have them."""
        unsaid = {field.name: field.default for field in msgspec.structs.fields(self) if field.name in self.UNSAID}
        keys = msgspec.structs.asdict(self)
        return {k: v for k, v in keys.items() if v is not None and not (k in unsaid and v == unsaid[k])}

    def shown(self) -> dict[str, Any]:
        """The parameters that About shows."""
        return self.parameters()

    @property
    def given_in_python(self) -> str:
        """What was given in Python and no template can hold, in words; empty where all of it is said by the keys."""
        return ""

    @property
    def is_full(self) -> bool:
        """Whether its workbook holds the matrices."""
        return True

    def sizes(self) -> dict[str, Shape]:
        """The shapes of some matrices of its workbook: those that say how much work it is."""
        raise NotImplementedError


def check_repeatable(experiment: Experiment) -> None:
    """Raises SheetsimError for a study that is of one book alone."""
    if getattr(experiment, "draws", "") == LIVE:
        raise SheetsimError("draws live works only in the book of a single run: leave it out, the numbers are the same")


def unwrapped(value: Any) -> Any:
    """A number of NumPy's as Python's, which msgspec knows; anything else as it is."""
    if not isinstance(value, np.generic):
        return value
    number = value.item()
    # A long double's is itself.
    return float(number) if isinstance(number, np.floating) else number


def check_no_array(key: str, value: Any, kind: Any) -> None:
    """Refuses an array in place of what msgspec would look for keys in."""
    if kind is not Any and hasattr(value, "__array__") and not isinstance(value, np.generic):
        raise SheetsimError(f"{key} must not be an array: give the numbers that it takes, or a list of them")


def check_plain(parameters: Mapping[str, Any]) -> None:
    """Refuses values that no sheet and no message can hold: invalid texts and numbers, lists that contain themselves.

    Raises SheetsimError with the key.
    """
    inside: list[tuple[str, Any, int]] = [(str(key), value, 0) for key, value in parameters.items()]
    while inside:
        key, value, depth = inside.pop()
        check_text("a key", key)
        if depth > DEEPEST:
            raise SheetsimError(f"{key:.40} has lists or tables nested more than {DEEPEST} deep")
        if isinstance(value, str):
            check_text(key, value)
        elif isinstance(value, Mapping):
            inside += [(f"{key}.{inner}", item, depth + 1) for inner, item in value.items()]
        elif isinstance(value, list | tuple):
            inside += [(key, item, depth + 1) for item in value]
        elif isinstance(value, int) and not -WHOLE_BELOW < value < WHOLE_BELOW:
            raise SheetsimError(f"{key} is too large a whole number: it has more than {len(str(WHOLE_BELOW))} digits")


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


def unknown_key(path: str, key: str, allowed: Sequence[str]) -> str:
    """What is said of a key that is not one of those allowed. path: with the tables that it is in."""
    return f"unknown key {path!r}{nearest(key, allowed)}: the keys are {', '.join(allowed)}"


def nearest(word: str, words: Sequence[str]) -> str:
    """The one of the words that is near, as a question in brackets; empty where none is."""
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""


def explained(message: str, kind: Any = None) -> str:
    """msgspec's reason for refusing a value, in a person's words. kind: the type that the value was to be of."""
    reason = message.partition(" - at `$")[0]
    unknown = re.match(r"Object contains unknown field `(.*)`", reason)
    if unknown and hasattr(kind, "__struct_fields__"):
        return unknown_key(unknown[1], unknown[1], kind.__struct_fields__)
    expected = re.match(r"Expected `(.*)`, got `(.*)`", reason)
    if expected:
        return f"must be {_words(expected[1])}, not {_words(expected[2])}"
    if reason == "Number out of range":
        return "is too large a number"
    length = re.match(r"Expected `array` of length (\d+)", reason)
    return f"must be a list of {length[1]} numbers" if length else reason


def check_one_of(key: str, value: str, options: Sequence[str]) -> None:
    """Raises SheetsimError for a value that is not one of the options."""
    if value not in options:
        words = f"one of {', '.join(options)}" if len(options) > 2 else " or ".join(options)
        raise SheetsimError(f"{key} must be {words}, not {value!r}")


def _words(types: str) -> str:
    words = {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false", "array": "a list"}
    words |= {"object": "a table", "null": "nothing"}
    kept = [words.get(kind, kind) for kind in types.split(" | ") if kind != "null" or types == "null"]
    return " or ".join(kept)
