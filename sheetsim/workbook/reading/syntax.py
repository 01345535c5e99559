"""Formulas read: text to a tree of nodes, by the precedence table that writes them. It knows no value and no workbook.

Tokens are openpyxl's; a formula's text is never run. References that are relative are kept as distances from the cell
of the formula, so that the formulas of a filled column are one tree.
"""

import re
from typing import Any, TypeAlias

from msgspec import Struct
from openpyxl.formula import Tokenizer

from sheetsim.errors import SheetsimError
from sheetsim.workbook.formulas import BINDING, OPERATORS
from sheetsim.workbook.limits import COLUMNS, ROWS
from sheetsim.workbook.reading.parse import column_number

# Excel nests 64 levels; a tree is walked by functions that call themselves.
DEEPEST = 100


class Literal(Struct, frozen=True):
    """A number, a text, a truth value; None for an argument that is left out."""

    value: float | str | bool | None


class ErrorLiteral(Struct, frozen=True):
    """An error value: #N/A."""

    text: str


class Corner(Struct, frozen=True):
    """A row and column from 1 where they are fixed ($), otherwise distances from the formula's cell."""

    row: int
    column: int
    row_fixed: bool
    column_fixed: bool

    def at(self, row: int, column: int) -> tuple[int, int]:
        """The row and column, of a formula that stands in this cell."""
        return (
            self.row if self.row_fixed else self.row + row,
            self.column if self.column_fixed else self.column + column,
        )


class AreaNode(Struct, frozen=True):
    """A cell (`last` is None) or a range, of the formula's sheet where none is named.

    `Jan:Mar` means all sheets from one to the other. Whole columns and rows have all rows and columns.
    """

    sheet: str | None
    first: Corner
    last: Corner | None = None


class NameNode(Struct, frozen=True):
    """A defined name, of a sheet where one is named."""

    name: str
    sheet: str | None = None


class TableNode(Struct, frozen=True):
    """A structured reference: a table, its parts, and the first and last of its columns (None: all).

    The parts are `items`: #All, #Data, #Headers, #Totals, #This Row.
    """

    table: str
    items: tuple[str, ...]
    columns: tuple[str, str] | None


class CallNode(Struct, frozen=True):
    """A function by its name in capital letters, without Excel's prefixes of newer ones."""

    name: str
    args: "tuple[Node, ...]"


class OperatorNode(Struct, frozen=True):
    """An operator between operands: one operand for a sign (`+`, `-`) and `%`. `:`, ` ` and `,` make areas of areas."""

    symbol: str
    args: "tuple[Node, ...]"


class ArrayNode(Struct, frozen=True):
    """Constants in braces, row by row."""

    rows: "tuple[tuple[Node, ...], ...]"


class ForeignNode(Struct, frozen=True):
    """What stands in another workbook."""

    text: str


Node: TypeAlias = (
    Literal | ErrorLiteral | AreaNode | NameNode | TableNode | CallNode | OperatorNode | ArrayNode | ForeignNode
)

_SHEET = re.compile(r"(?:'((?:[^']|'')+)'|([^'!]+))!(.+)\Z", re.DOTALL)
_CELL = re.compile(r"(\$?)([A-Za-z]{1,3})(\$?)([0-9]{1,7})\Z")
_COLUMN = re.compile(r"(\$?)([A-Za-z]{1,3})\Z")
_ROW = re.compile(r"(\$?)([0-9]{1,7})\Z")
_PREFIX = re.compile(r"(?:_xlfn\.|_xlws\.|_xludf\.)+", re.IGNORECASE)
_SKIPPED_OR_CELL = re.compile(
    r""" "(?:[^"]|"")*" | '(?:[^']|'')*' | \[[^\]]*\]
       | (?<![\w.$]) (\$?)([A-Za-z]{1,3})(\$?)([0-9]{1,7}) (?![\w.(!]) """,
    re.VERBOSE,
)


def relative(text: str, row: int, column: int) -> str:
    """The formula with distances for relative references: the same text for all formulas of a filled column."""

    def distances(match: re.Match[str]) -> str:
        if match[2] is None:
            return match[0]
        r, c = int(match[4]), column_number(match[2].upper())
        return f"R{r if match[3] else f'[{r - row}]'}C{c if match[1] else f'[{c - column}]'}"

    return _SKIPPED_OR_CELL.sub(distances, text)


def parse_formula(text: str, row: int, column: int) -> Node:
    """The tree of a formula (with or without `=`) that stands in this row and column, from 1.

    Raises SheetsimError for what is not a formula.
    """
    try:
        tokens = Tokenizer(text if text.startswith("=") else f"={text}").items
    except Exception as error:  # the tokenizer's own, of several kinds
        raise SheetsimError(f"{text:.80} is not a formula: {error}") from None
    reader = _Reader(text, _spaced(tokens), row, column)
    tree = reader.expression(0)
    if not reader.is_at_end:
        reader.refuse()
    return tree


def _spaced(tokens: list[Any]) -> list[tuple[str, str, str]]:
    """Type, subtype and text of the tokens; a space counts between two operands alone, where it is an operator."""
    kept: list[tuple[str, str, str]] = []
    space = False
    for token in tokens:
        one = str(token.type), str(token.subtype), str(token.value)
        if one[0] == "WHITE-SPACE":
            space = True
            continue
        starts = one[0] == "OPERAND" or (one[0] in ("FUNC", "PAREN") and one[1] == "OPEN")
        if space and starts and kept and (kept[-1][0] == "OPERAND" or kept[-1][1] == "CLOSE"):
            kept.append(("OPERATOR-INFIX", "", " "))
        kept.append(one)
        space = False
    return kept


class _Reader:
    """Precedence climbing over tokens."""

    def __init__(self, text: str, tokens: list[tuple[str, str, str]], row: int, column: int) -> None:
        self._text, self._tokens, self._place, self._depth = text, tokens, (row, column), 0
        self._next = 0

    @property
    def is_at_end(self) -> bool:
        return self._next >= len(self._tokens)

    def refuse(self) -> None:
        raise SheetsimError(f"the formula {self._text:.80} cannot be read")

    def _peek(self) -> tuple[str, str, str]:
        if self.is_at_end:
            return "", "", ""
        return self._tokens[self._next]

    def _take(self) -> tuple[str, str, str]:
        token = self._peek()
        self._next += 1
        return token

    def expression(self, least: int) -> Node:
        """An expression of operators that bind at least so tightly."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise SheetsimError(f"the formula {self._text:.40}… is nested deeper than Excel allows")
        left = self._operand()
        while True:
            kind, _, symbol = self._peek()
            if kind == "OPERATOR-POSTFIX":
                if BINDING["percent"] < least:
                    break
                self._take()
                left = OperatorNode("%", (left,))
                continue
            if kind != "OPERATOR-INFIX" or symbol not in OPERATORS:
                break
            binding = BINDING[OPERATORS[symbol]]
            if binding < least:
                break
            self._take()
            left = OperatorNode(symbol, (left, self.expression(binding + 1)))
        self._depth -= 1
        return left

    def _operand(self) -> Node:
        kind, subtype, value = self._take()
        if kind == "OPERATOR-PREFIX":
            if value not in ("+", "-"):
                self.refuse()
            return OperatorNode(value, (self.expression(BINDING["negation"]),))
        node: Node
        if kind == "OPERAND":
            node = self._constant(subtype, value)
        elif kind == "FUNC":
            node = self._call(value[:-1])
        elif kind == "PAREN" and subtype == "OPEN":
            node = self._bracketed()
        elif kind == "ARRAY" and subtype == "OPEN":
            node = self._array()
        else:
            self.refuse()
        return self._ranged(node)

    def _ranged(self, node: Node) -> Node:
        """What makes areas of areas: `A1:INDEX(…)`."""
        while self._peek()[0] == "OPERATOR-INFIX" and self._peek()[2] in (":", " "):
            symbol = self._take()[2]
            node = OperatorNode(symbol, (node, self._operand()))
        return node

    def _bracketed(self) -> Node:
        node = self.expression(0)
        parts = [node]
        while self._peek()[2] == "," and self._peek()[0] in ("OPERATOR-INFIX", "SEP"):
            self._take()
            parts.append(self.expression(0))
        if self._take()[:2] != ("PAREN", "CLOSE"):
            self.refuse()
        return node if len(parts) == 1 else OperatorNode(",", tuple(parts))

    def _call(self, name: str) -> Node:
        if ":" in name:  # A1:INDEX(…), of which the tokenizer makes one name
            first, _, name = name.rpartition(":")
            return OperatorNode(":", (self._reference(first), self._call(name)))
        # A sign of intersection stands before the name of a function too.
        name = _PREFIX.sub("", name.lstrip("@")).upper()
        args: list[Node] = []
        if self._peek()[:2] == ("FUNC", "CLOSE"):
            self._take()
            return CallNode(name, ())
        while True:
            kind, subtype, _ = self._peek()
            left_out = kind == "SEP" or (kind, subtype) == ("FUNC", "CLOSE")
            args.append(Literal(None) if left_out else self.expression(0))
            kind, subtype, _ = self._take()
            if (kind, subtype) == ("FUNC", "CLOSE"):
                return CallNode(name, tuple(args))
            if kind != "SEP":
                self.refuse()

    def _array(self) -> Node:
        rows: list[tuple[Node, ...]] = []
        row: list[Node] = []
        while True:
            row.append(self.expression(BINDING["negation"]))
            kind, subtype, _ = self._take()
            if kind == "SEP" and subtype == "ARG":
                continue
            rows.append(tuple(row))
            row = []
            if (kind, subtype) == ("ARRAY", "CLOSE"):
                break
            if kind != "SEP":
                self.refuse()
        if len({len(one) for one in rows}) > 1:
            self.refuse()
        return ArrayNode(tuple(rows))

    def _constant(self, subtype: str, value: str) -> Node:
        if subtype == "NUMBER":
            try:
                return Literal(float(value))
            except ValueError:
                self.refuse()
        if subtype == "TEXT":
            return Literal(value[1:-1].replace('""', '"'))
        if subtype == "LOGICAL":
            return Literal(value.upper() == "TRUE")
        if subtype == "ERROR":
            return ErrorLiteral(value.upper())
        return self._reference(value)

    def _reference(self, value: str) -> Node:
        if value.startswith("@"):
            return CallNode("SINGLE", (self._reference(value[1:]),))
        if value.endswith("#"):
            return CallNode("ANCHORARRAY", (self._reference(value[:-1]),))
        sheet: str | None = None
        match = _SHEET.match(value)
        if match is not None:
            sheet = match[1].replace("''", "'") if match[1] else match[2]
            if "[" in sheet:
                return ForeignNode(value)
            value = match[3]
        area = self._area(sheet, value)
        if area is not None:
            return area
        if value.upper() == "#REF!":
            return ErrorLiteral("#REF!")
        if "[" in value:
            return ForeignNode(value) if value.startswith("[") else _table_reference(value)
        return NameNode(value, sheet)

    def _area(self, sheet: str | None, text: str) -> AreaNode | None:
        first_text, colon, last_text = text.partition(":")
        first = self._corner(first_text)
        if first is not None:
            last = self._corner(last_text) if colon else None
            return None if colon and last is None else AreaNode(sheet, first, last)
        one, two = _COLUMN.match(first_text), _COLUMN.match(last_text)
        if one is not None and two is not None:
            ends = [self._of_column(match) for match in (one, two)]
            return AreaNode(sheet, Corner(1, *ends[0]), Corner(ROWS, *ends[1]))
        one, two = _ROW.match(first_text), _ROW.match(last_text)
        if one is not None and two is not None:
            rows = [self._of_row(match) for match in (one, two)]
            places = zip(rows, (1, COLUMNS), strict=True)
            corners = [Corner(row, column, fixed, True) for (row, fixed), column in places]
            return AreaNode(sheet, corners[0], corners[1])
        return None

    def _of_column(self, match: re.Match[str]) -> tuple[int, bool, bool]:
        column, fixed = column_number(match[2].upper()), bool(match[1])
        return column if fixed else column - self._place[1], True, fixed

    def _of_row(self, match: re.Match[str]) -> tuple[int, bool]:
        row, fixed = int(match[2]), bool(match[1])
        return row if fixed else row - self._place[0], fixed

    def _corner(self, text: str) -> Corner | None:
        match = _CELL.match(text)
        if match is None:
            return None
        row, column = int(match[4]), column_number(match[2].upper())
        if not (0 < row <= ROWS and column <= COLUMNS):
            return None
        row_fixed, column_fixed = bool(match[3]), bool(match[1])
        return Corner(
            row if row_fixed else row - self._place[0],
            column if column_fixed else column - self._place[1],
            row_fixed,
            column_fixed,
        )


# Brackets of a structured reference, in which ' stands before a sign that means itself.
_PART = re.compile(r"\[((?:'.|[^\[\]'])*)\]")


def _table_reference(text: str) -> Node:
    """`Table[column]`, `Table[[#This Row],[first]:[last]]`, `Table[#All]`."""
    name, _, inside = text.partition("[")
    inside = inside.removesuffix("]")
    parts = [match[1] for match in _PART.finditer(inside)] if inside.startswith("[") else [inside]
    items = tuple(part for part in parts if part.startswith("#"))
    if inside.startswith("@"):
        items, parts = ("#This Row",), ([m[1] for m in _PART.finditer(inside)] or [inside[1:]])
    columns = [re.sub(r"'(.)", r"\1", part) for part in parts if part and not part.startswith("#")]
    return TableNode(name, items, (columns[0], columns[-1]) if columns else None)
