"""The Excel lowering: an expression as formula text. The only module that knows Excel's syntax; it writes no file."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from sheetsim.errors import SheetsimError
from sheetsim.model.expr import Constant, Matrix
from sheetsim.model.op import Op, Shape
from sheetsim.model.traversal import topological
from sheetsim.workbook import limits

# How tightly each level binds, loosest first. Excel's order, not Python's: unary minus binds tighter than ^.
LEVELS = ("comparison", "concatenation", "sum", "product", "power", "percent", "negation", "atom")
BINDING = {level: k for k, level in enumerate(LEVELS)}

# The operators between two operands and their levels; each takes a tighter one on its right, so that all are
# left-associative, ^ too.
OPERATORS = {
    **dict.fromkeys(("=", "<>", "<", "<=", ">", ">="), "comparison"),
    "&": "concatenation",
    **dict.fromkeys(("+", "-"), "sum"),
    **dict.fromkeys(("*", "/"), "product"),
    "^": "power",
}

# Below it Excel reads a literal as 0 or refuses it (its smallest positive number is 2.2251e-308).
SMALLEST_LITERAL = 1e-307

# A text in a formula has 255 characters at most in Excel, which counts those beyond the first 65,536 as two.
LONGEST_PIECE = 127

# A text, a sheet's title in quotes, a name or the letters of an address, or a number.
_WORD = re.compile(
    r"""
    "(?:[^"]|"")*" | '(?:[^']|'')*'(?=!) | [^\W\d][\w.]* | (?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[Ee][+-]?[0-9]+)?
""",
    re.VERBOSE,
)

Reference = Callable[[Matrix], str | None]

_SLOT = re.compile(r"\{([0-9*]+)(?::(\w+))?\}")

# Spellings of a slot that do not write its argument out.
SLOTS_WITHOUT_TEXT = ("ones", "across", "numbers", "rows", "columns")


class Formula(NamedTuple):
    """A matrix's formula, without `=`.

    is_array: whether it must be an array formula, as it makes, or passes through, more than one number; is_by_cell:
    whether it is of one cell, and each has its own, as engines compute one of its ops of single numbers alone.
    """

    text: str
    is_array: bool
    is_by_cell: bool


def formula(node: Matrix, reference: Reference, what: str = "an expression") -> str:
    """The text of `lowered`."""
    return lowered(node, reference, what).text


def lowered(node: Matrix, reference: Reference, what: str = "an expression") -> Formula:
    """The formula that computes the node from the matrices that `reference` finds in the workbook.

    reference: the text that stands for a matrix (its name or address), None for one that must be inlined; what: what to
    call it. Raises SheetsimError when an unnamed part is nested deeper than Excel allows, or takes more characters, and
    where it has an op of single numbers, of a block, and also takes blocks as a whole.
    """
    texts: dict[Matrix, _Text] = {}
    is_array, by_cell, of_blocks = node.shape != (1, 1), "", ""
    for part in _inlined(node, reference):
        stand_in = None if part is node else reference(part)
        piece = _spelled_out(part, texts, reference, part is node) if stand_in is None else _Text(stand_in, "atom", 0)
        if piece.height > limits.NESTING:
            raise SheetsimError(
                f"an expression is nested deeper than the {limits.NESTING} levels that Excel allows: name a part of it"
            )
        if len(piece.text) > limits.FORMULA_CHARACTERS:
            # What stands twice at each of many levels has no end: its length is counted without writing it.
            limits.check_length(what, characters(node, reference))
        texts[part] = piece
        op = part.source
        if stand_in is None and isinstance(op, Op):
            is_array = is_array or part.shape != (1, 1) or op.array
            if op.by_cell and part.shape != (1, 1):
                by_cell = op.name
            elif not op.is_elementwise:
                of_blocks = op.name
    if by_cell and of_blocks:
        raise SheetsimError(
            f"{what}: {by_cell} is computed cell by cell, and {of_blocks} of a block: name a part of it"
        )
    whole = texts[node]
    # A cell of truth values would not add up: SUM and AVERAGE pass over them.
    text = f"IF({whole.text},1,0)" if whole.level == "comparison" else whole.text
    return Formula(text, is_array, by_cell != "")


def characters(node: Matrix, reference: Reference) -> int:
    """How many characters `formula` writes at least, told without writing them: all but the brackets."""
    sizes: dict[Matrix, int] = {}
    for part in _inlined(node, reference):
        stand_in = None if part is node else reference(part)
        if stand_in is not None:
            sizes[part] = len(stand_in)
        elif isinstance(part.source, Constant):
            sizes[part] = len(literal(part.source.value))
        elif _is_left_out(part):
            sizes[part] = sizes[part.args[0]]
        elif isinstance(part.source, Op):
            written = sum(sizes[part.args[k]] for k in _written(part))
            sizes[part] = len(_SLOT.sub("", part.source.excel)) + written
    return sizes[node]


def _inlined(node: Matrix, reference: Reference) -> list[Matrix]:
    """What the node's formula is written of, arguments first: its parts as far down as those that have a place."""

    def args(part: Matrix) -> Sequence[Matrix]:
        if part is not node and reference(part) is not None:
            return ()
        return [part.args[k] for k in dict.fromkeys(_written(part))]

    return topological([node], args)


def _written(part: Matrix) -> Sequence[int]:
    """Which arguments the node's text holds, each as often as it stands there."""
    if not isinstance(part.source, Op):
        return ()
    slots = _slots(part.source.excel)
    return range(len(part.args)) if slots is None else slots


@cache
def _slots(template: str) -> tuple[int, ...] | None:
    """The numbers of the slots that write their arguments out; None for all that there are."""
    slots = [(k, spelling) for k, spelling in _SLOT.findall(template) if spelling not in SLOTS_WITHOUT_TEXT]
    return None if ("*", "") in slots else tuple(int(k) for k, _ in slots)


def literal(value: float | str) -> str:
    """A number or text as Excel writes it. Raises SheetsimError for a number that a formula cannot hold."""
    if isinstance(value, str):
        pieces = [value[k : k + LONGEST_PIECE] for k in range(0, len(value), LONGEST_PIECE)] or [""]
        texts = ['"' + piece.replace('"', '""') + '"' for piece in pieces]
        return texts[0] if len(texts) == 1 else f"({'&'.join(texts)})"
    if value != value:
        return "NA()"
    if abs(value) == float("inf") or 0 < abs(value) < SMALLEST_LITERAL:
        raise SheetsimError(f"{value} cannot stand in a formula: give it to the model as an input")
    return repr(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value).upper()


def address(sheet: str, row: int, column: int, shape: Shape) -> str:
    """The absolute address of a block on a sheet, rows and columns from 0."""
    first = f"${column_letters(column)}${row + 1}"
    if shape == (1, 1):
        return f"{quoted(sheet)}!{first}"
    return f"{quoted(sheet)}!{first}:${column_letters(column + shape[1] - 1)}${row + shape[0]}"


def local_range(row: int, column: int, shape: Shape) -> str:
    """The relative address of a block on its own sheet, as an array formula's `ref` has it."""
    first = f"{column_letters(column)}{row + 1}"
    return first if shape == (1, 1) else f"{first}:{column_letters(column + shape[1] - 1)}{row + shape[0]}"


def column_letters(column: int) -> str:
    """A, B, … Z, AA, … for columns from 0."""
    letters = ""
    column += 1
    while column:
        column, digit = divmod(column - 1, 26)
        letters = chr(ord("A") + digit) + letters
    return letters


def quoted(sheet: str) -> str:
    """A sheet's title in a formula: bare where it is a plain word, in quotes otherwise."""
    # Words that look like cells (W1, RC) need the quotes too: letters alone, four or more, cannot be a cell.
    return sheet if sheet.isascii() and sheet.isalpha() and len(sheet) > 3 else "'" + sheet.replace("'", "''") + "'"


def same_formula(one: str, two: str) -> bool:
    """Whether two texts are one formula.

    LibreOffice spells 1E-09 as 0.000000001, to 15 digits, and 'SGD'!A1 as SGD!A1.
    """
    numbers: tuple[list[float], list[float]] = ([], [])

    def plain(text: str, literals: list[float]) -> str:
        def word(match: re.Match[str]) -> str:
            if match[0][0] in ".0123456789":
                literals.append(float(match[0]))
                return "0"
            return match[0][1:-1] if match[0][0] == "'" else match[0]

        return _WORD.sub(word, text)

    # Not by the text of 15 digits: which of two it is, a half in the 16th, depends on who rounds.
    return one == two or (
        plain(one, numbers[0]) == plain(two, numbers[1])
        and all(math.isclose(a, b, rel_tol=1e-14) for a, b in zip(*numbers, strict=True))
    )


def renamed(text: str, names: Mapping[str, str]) -> str:
    """The formula with other names, found by their casefolded old ones; its texts and titles of sheets stay."""

    def other(match: re.Match[str]) -> str:
        is_title = text[match.end() : match.end() + 1] == "!"
        return match[0] if is_title else names.get(match[0].casefold(), match[0])

    return _WORD.sub(other, text)


class _Text(NamedTuple):
    """A part of a formula: its text, how tightly it binds, and how many levels of parts are in it."""

    text: str
    level: str
    height: int


class _Slot:
    """An argument in a template: `{0:power}` is its text, in brackets where it binds less tightly than a power."""

    def __init__(self, node: Matrix, texts: Mapping[Matrix, _Text], reference: Reference) -> None:
        self._node = node
        self._texts = texts
        self._reference = reference

    def __format__(self, level: str) -> str:
        if level == "across":
            return f"ROW($1:${self._node.shape[1]})^0"
        if level == "numbers":
            return f"ROW($1:${self._node.shape[0]})"
        if level == "ones":
            return _ones(self._node, self._reference)
        if level in ("rows", "columns"):
            block = self._reference(self._node)
            # ROWS and COLUMNS take a block of cells; in LibreOffice nothing else.
            return f"{level.upper()}({block})" if block else str(self._node.shape[level == "columns"])
        text, text_level, _ = self._texts[self._node]
        if level == "truth":
            return text
        if text_level == "comparison":
            return f"IF({text},1,0)"
        return text if not level or BINDING[text_level] >= BINDING[level] else f"({text})"


def _spelled_out(part: Matrix, texts: Mapping[Matrix, _Text], reference: Reference, whole: bool) -> _Text:
    """A node's text from those of its arguments; whole: it is the formula, and no part of one."""
    if isinstance(part.source, Constant):
        text = literal(part.source.value)
        return _Text(text, "negation" if text.startswith("-") else "atom", 0)
    if not isinstance(part.source, Op):
        raise SheetsimError(f"{part!r} is a leaf without a place in the workbook")
    if not whole and part.source.name in ("where", "if_error"):
        _check_spread(part)
    height = 1 + max((texts[part.args[k]].height for k in _written(part)), default=0)
    if _is_left_out(part):
        text, level, _ = texts[part.args[0]]
        return _Text(text, level, height)
    slots = [_Slot(arg, texts, reference) for arg in part.args]
    template = part.source.excel
    text = template.replace("{*}", ",".join(map(format, slots))) if "{*}" in template else template.format(*slots)
    return _Text(text, part.source.level, height)


def _is_left_out(part: Matrix) -> bool:
    """Whether the node is the row of a single row.

    INDEX of a block of one row takes the number for a column's, and IronCalc gives #VALUE!.
    """
    return isinstance(part.source, Op) and part.source.name == "row" and part.args[0].shape[0] == 1


def _check_spread(node: Matrix) -> None:
    """Spread a branch of IF or IFERROR to the node's shape.

    With a single condition both hand on a branch as it is. In a block of cells that fills the cells, but inside a SUM
    or an MMULT it would be too small, and silently wrong.
    """
    first, *others = node.args
    if first.shape == (1, 1) and any(arg.shape != node.shape for arg in others):
        raise SheetsimError(
            f"a {node.source.name} of a single condition between matrices of different sizes stands inside a formula: "  # type: ignore[union-attr]
            "name it with define, and use the name"
        )


def _ones(node: Matrix, reference: Reference) -> str:
    """A column of ones as long as the node has rows, made from the row numbers of some block of that length."""

    def reference_if_as_long(part: Matrix) -> str | None:
        return reference(part) if part.shape[0] == node.shape[0] else None

    def args(part: Matrix) -> Sequence[Matrix]:
        return part.args if part.shape[0] == node.shape[0] and reference_if_as_long(part) is None else ()

    for part in topological([node], args):
        text = reference_if_as_long(part)
        if text is not None:
            return f"ROW({text})^0"
    return f"ROW($1:${node.shape[0]})^0"
