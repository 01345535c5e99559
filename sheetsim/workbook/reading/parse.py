"""The XML parts of a workbook as elements, texts and cells. It trusts nothing it reads, and opens no file."""

import math
import re
from array import array
from typing import Any, NamedTuple, NoReturn
from xml.parsers import expat

import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.workbook.limits import COLUMNS, ROWS
from sheetsim.workbook.reading.values import CellKeys, CellValues, Rectangle, cell_name, key, keys_of

# Of a part that is no sheet; a sheet has as many as its named blocks account for.
MOST_ELEMENTS = 800_000

_RANGE = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7})(?::\$?([A-Z]{1,3})\$?(\d{1,7}))?\Z", re.ASCII)
# Halves of surrogate pairs are no characters.
_ESCAPE = re.compile(r"_x(?![Dd][89A-Fa-f])([0-9A-Fa-f]{4})_")


class Cells(NamedTuple):
    """What stands on a sheet.

    formulas: by row and column of their first cell, with the rectangle that an array formula fills (one cell for
    others); bare: the keys of the cells with a formula and no value, an empty text being one.
    """

    values: CellValues
    formulas: dict[tuple[int, int], tuple[str, Rectangle]]
    bare: CellKeys

    def computed(self) -> CellKeys:
        """The keys of the cells whose values come from a formula, rising."""
        return keys_of(block for _, block in self.formulas.values())


def rectangle(text: str) -> Rectangle:
    """`B2:CW1001`, with or without $, as rows and columns from 1. Raises ValueError for anything else."""
    match = _RANGE.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a block of cells")
    left, top, right, bottom = match.groups()
    block = Rectangle(int(top), column_number(left), int(bottom or top), column_number(right or left))
    if not (1 <= block.top <= block.bottom <= ROWS and block.left <= block.right <= COLUMNS):
        raise ValueError(f"{text!r} is not a block of cells")
    return block


def column_number(letters: str) -> int:
    """A is 1, XFD 16384."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def unescaped(text: str) -> str:
    """A string's `_xHHHH_`, which stand for characters that XML cannot hold."""
    if "_x" not in text:
        return text
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)


class Parser:
    """Expat without document types: an entity is the one way in which a short XML grows without end.

    elements: as many as are read; more are refused. left: how many of them are.
    """

    def __init__(self, elements: int = MOST_ELEMENTS) -> None:
        self._allowed = self.left = elements
        self._expat = expat.ParserCreate()
        self._expat.buffer_text = True
        self._expat.StartDoctypeDeclHandler = self._refuse
        self._expat.StartElementHandler = self.start
        self._expat.EndElementHandler = self.end
        self._expat.CharacterDataHandler = self.text

    def _refuse(self, *_: object) -> None:
        raise SheetsimError("a document type, which no workbook has, is refused")

    def feed(self, data: bytes, *, last: bool) -> None:
        """Parses a piece. Raises ExpatError for what is no XML, SheetsimError for what is refused."""
        self._expat.Parse(data, last)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Each element passes here."""
        self.left -= 1
        if self.left < 0:
            self._refuse_more()

    def _refuse_more(self) -> NoReturn:
        raise SheetsimError(f"more than {self._allowed:,} elements are refused")

    def end(self, name: str) -> None: ...

    def text(self, data: str) -> None: ...


def _local(name: str) -> str:
    return name.rpartition(":")[2] if ":" in name else name


class Element(NamedTuple):
    """An element's name, without a prefix, its attributes, and the text in it."""

    name: str
    attributes: dict[str, str]
    text: str


class Elements(Parser):
    """The wanted elements with their attributes and text, up to a number of each."""

    def __init__(self, wanted: dict[str, int]) -> None:
        super().__init__()
        self._wanted = wanted
        self._left = dict(wanted)
        self.elements: list[Element] = []
        self._texts: list[str] | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        super().start(name, attributes)
        name = _local(name)
        if name in self._wanted:
            self._left[name] -= 1
            if self._left[name] < 0:
                raise SheetsimError(f"more than {self._wanted[name]:,} elements {name!r} are refused")
            self.elements.append(Element(name, attributes, ""))
            self._texts = []

    def text(self, data: str) -> None:
        if self._texts is not None:
            self._texts.append(data)

    def end(self, name: str) -> None:
        if self._texts is not None and _local(name) in self._wanted:
            self.elements[-1] = self.elements[-1]._replace(text="".join(self._texts))
            self._texts = None


class SharedStrings(Parser):
    """The texts that cells refer to by number."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._inside = self._phonetic = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        super().start(name, attributes)
        name = _local(name)
        if name == "si":
            self.texts.append("")
        elif name == "rPh":
            self._phonetic = True
        self._inside = name == "t" and not self._phonetic

    def end(self, name: str) -> None:
        self._inside = False
        name = _local(name)
        if name == "rPh":
            self._phonetic = False
        elif name == "si":
            self.texts[-1] = unescaped(self.texts[-1])

    def text(self, data: str) -> None:
        if self._inside:
            self.texts[-1] += data


# What a cell holds, beside a number.
_NOTHING, _NUMBER, _OTHER = 0, 1, 2


class SheetParser(Parser):
    """A sheet's cells. texts: the shared strings; keeps_empty_texts: a text of no characters is a value."""

    keeps_empty_texts = False

    def __init__(self, texts: list[str], elements: int) -> None:
        super().__init__(elements)
        self._shared = texts
        self._keys = array("q")
        self._numbers = array("d")
        self._kinds = bytearray()
        self._others: dict[int, Any] = {}
        self._empty: list[int] = []
        self._formulas: dict[tuple[int, int], tuple[str, Rectangle]] = {}
        self._columns: dict[str, int] = {}
        self._row = self._column = 0
        self._row_text = ""
        self._kind = "n"
        self._collected: list[str] | None = None
        self._ref: str | None = None
        # In a list of extensions, where `xm:f` is a sparkline's or a rule's and no cell's.
        self._extended = False

    def cells(self) -> Cells:
        """What was read. Raises SheetsimError for a cell that stands there twice and for array formulas without end."""
        filled = sum(block.size for _, block in self._formulas.values())
        # Each cell of an array formula holds a value; a reference to far more cells would take the machine to list.
        if filled > 2 * len(self._keys) + 10_000:
            raise SheetsimError("array formulas fill far more cells than the sheet has")
        keys, numbers = np.array(self._keys, dtype=np.int64), np.array(self._numbers)
        kinds = np.frombuffer(bytes(self._kinds), dtype=np.uint8)
        if np.any(np.diff(keys) <= 0):
            order = np.argsort(keys, kind="stable")
            keys, numbers, kinds = keys[order], numbers[order], kinds[order]
            twice = np.flatnonzero(np.diff(keys) == 0)
            if len(twice):
                raise SheetsimError(f"the cell {cell_name(int(keys[twice[0]]))} occurs twice")
        if len(kinds) and kinds.min() == _NOTHING:
            there = kinds != _NOTHING
            keys, numbers = keys[there], numbers[there]
        bare = np.array([key(*place) for place in self._formulas], dtype=np.int64)
        bare = np.setdiff1d(bare, np.concatenate([keys, np.array(self._empty, dtype=np.int64)]))
        return Cells(CellValues(keys, numbers, self._others), self._formulas, bare)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.left -= 1  # and not super().start, of which the call alone takes a tenth of the time
        if self.left < 0:
            self._refuse_more()
        if ":" in name:
            name = _local(name)
        if name == "c":
            self._begin(attributes)
        elif name == "v" or name == "t":
            self._collected = []
        elif name == "extLst":
            self._extended = True
        elif name == "f" and not self._extended:
            self._collected = []
            self.begin_formula(attributes)
        elif name == "row":
            self._row = int(attributes.get("r", self._row + 1))
            self._row_text = str(self._row)
            self._column = 0

    def empty_text(self) -> None:
        """A formula's value is a text of no characters."""
        self._empty.append(self._keys[-1])

    def begin_formula(self, attributes: dict[str, str]) -> None:
        """A formula's element begins."""
        self._ref = attributes.get("ref") if attributes.get("t") == "array" else None

    def end_formula(self, place: tuple[int, int], text: str) -> None:
        """A formula's text, and the row and column of its cell, from 1."""
        self._formulas[place] = (text, rectangle(self._ref) if self._ref else Rectangle(*place, *place))

    def _begin(self, attributes: dict[str, str]) -> None:
        reference = attributes.get("r")
        if reference is None:
            self._column += 1
        elif reference.endswith(self._row_text) and (column := self._columns.get(reference[: -len(self._row_text)])):
            self._column = column
        else:
            letters = reference.rstrip("0123456789")
            self._column = self._columns[letters] = rectangle(f"{letters}1").left
            self._row = int(reference[len(letters) :])
            self._row_text = str(self._row)
        if not (0 < self._row <= ROWS and self._column <= COLUMNS):
            raise SheetsimError(f"a cell in row {self._row}, column {self._column}, is beyond the limits of a sheet")
        self._keys.append(self._row * COLUMNS + self._column - 1)
        self._numbers.append(math.nan)
        self._kinds.append(_NOTHING)
        self._kind = attributes.get("t", "n")

    def text(self, data: str) -> None:
        if self._collected is not None:
            self._collected.append(data)

    def end(self, name: str) -> None:
        if self._collected is None:
            self._extended = self._extended and not name.endswith("extLst")
            return
        if ":" in name:
            name = _local(name)
        if name not in ("v", "t", "f"):
            return
        text = "".join(self._collected)
        self._collected = None
        if not self._keys:
            raise SheetsimError(f"an element {name!r} is outside of a cell")
        if name == "v":
            if text:
                self._value(text)
            elif self._kind == "str":
                self.empty_text()
        elif name == "f":
            self.end_formula((self._row, self._column), text)
        elif self._kind == "inlineStr":
            self._other(self._others.get(self._keys[-1], "") + unescaped(text))

    def _value(self, text: str) -> None:
        if self._kind == "n":
            number = float(text)
            if number - number != 0 or "_" in text:
                raise ValueError(f"{text!r} is not a number that a cell can hold")
            self._numbers[-1] = number
            self._kinds[-1] = _NUMBER
        elif self._kind == "s":
            self._other(self._shared[int(text) if text.isdecimal() else len(self._shared)])
        elif self._kind == "b":
            self._other(text == "1")
        else:
            self._other(unescaped(text) if self._kind == "str" else text)

    def _other(self, value: str | bool) -> None:
        if value == "" and not self.keeps_empty_texts:
            return  # some programs write a cell without text so, and some as an empty one
        self._others[self._keys[-1]] = value
        self._kinds[-1] = _OTHER
