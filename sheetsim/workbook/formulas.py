"""The Excel lowering: an expression as formula text. The only module that knows Excel's syntax; it writes no file."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from string import Formatter
from typing import NamedTuple

from sheetsim.errors import SheetsimError
from sheetsim.language import Say
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

# Spellings of a slot that do not write its argument out.
SLOTS_WITHOUT_TEXT = ("ones", "across", "numbers", "rows", "columns")

# The slot `{*}`, of all arguments.
ALL = -1


class Formula(NamedTuple):
    """A matrix's formula, without `=`.

    is_array: whether it must be an array formula, as it makes, or passes through, more than one number; is_by_cell:
    whether it is of one cell, and each has its own, as engines compute one of its ops of single numbers alone.
    """

    text: str
    is_array: bool
    is_by_cell: bool


def formula(node: Matrix, reference: Reference, what: str = "an expression", say: Say = str) -> str:
    """The text of `lowered`."""
    return lowered(node, reference, what, say).text


def lowered(
    node: Matrix,
    reference: Reference,
    what: str = "an expression",
    say: Say = str,
    texts: "dict[Matrix, FormulaText] | None" = None,
) -> Formula:
    """The formula that computes the node from the matrices that `reference` finds in the workbook.

    reference: the text that stands for a matrix (its name or address), None for one that must be inlined; what: what to
    call it; say: its texts in the book's language; texts: of the parts of formulas with the same reference, to which
    those of this one are added. Raises SheetsimError when an unnamed part is nested deeper than Excel allows, or takes
    more characters, and where it has an op of single numbers, of a block, and also takes blocks as a whole.
    """
    texts = {} if texts is None else texts

    def args(part: Matrix) -> Sequence[Matrix]:
        if part is not node:
            if part in texts:
                return ()
            stand_in = reference(part)
            if stand_in is not None:
                texts[part] = FormulaText(stand_in)
                return ()
        return [part.args[k] for k in dict.fromkeys(_written(part))]

    for part in topological([node], args)[:-1]:
        if part not in texts:
            texts[part] = _checked(_spelled_out(part, texts, reference, False, say), node, reference, what)
    whole = _checked(_spelled_out(node, texts, reference, True, say), node, reference, what)
    if whole.by_cell and whole.of_blocks:
        raise SheetsimError(
            f"{what}: {whole.by_cell} needs a formula in each cell, and {whole.of_blocks} one for a block: name a "
            "part of it with define"
        )
    # A cell of truth values would not add up: SUM and AVERAGE pass over them.
    text = f"IF({whole.text},1,0)" if whole.level == "comparison" else whole.text
    return Formula(text, whole.is_array, whole.by_cell != "")


def _checked(piece: "FormulaText", node: Matrix, reference: Reference, what: str) -> "FormulaText":
    """The text of a part of the node, if Excel can hold it."""
    if piece.height > limits.NESTING:
        raise SheetsimError(
            f"an expression is nested deeper than the {limits.NESTING} levels that Excel allows: name a part of it "
            "with define"
        )
    if len(piece.text) > limits.FORMULA_CHARACTERS:
        # What stands twice at each of many levels has no end: its length is told without writing it.
        limits.check_length(what, characters(node, reference))
    return piece


def characters(node: Matrix, reference: Reference) -> int:
    """How many characters `formula` writes at least, told without writing them: all but the brackets."""
    sizes: dict[Matrix, int] = {}

    def args(part: Matrix) -> Sequence[Matrix]:
        stand_in = None if part is node else reference(part)
        if stand_in is not None:
            sizes[part] = len(stand_in)
            return ()
        return [part.args[k] for k in dict.fromkeys(_written(part))]

    for part in topological([node], args):
        if part in sizes:
            continue
        if isinstance(part.source, Constant):
            sizes[part] = len(literal(part.source.value))
        elif _is_left_out(part):
            sizes[part] = sizes[part.args[0]]
        elif isinstance(part.source, Op):
            written = sum(sizes[part.args[k]] for k in _written(part))
            sizes[part] = sum(len(text) for text, _, _ in _pieces(part.source.excel)) + written
    return sizes[node]


def _written(part: Matrix) -> Sequence[int]:
    """Which arguments the node's text holds, each as often as it stands there."""
    if not isinstance(part.source, Op):
        return ()
    slots = _slots(part.source.excel)
    return range(len(part.args)) if slots is None else slots


@cache
def _slots(template: str) -> tuple[int, ...] | None:
    """The numbers of the slots that write their arguments out; None for all that there are."""
    slots = [k for _, k, spelling in _pieces(template) if k is not None and spelling not in SLOTS_WITHOUT_TEXT]
    return None if ALL in slots else tuple(slots)


@cache
def _pieces(template: str) -> tuple[tuple[str, int | None, str], ...]:
    """A template's texts, each with the slot after it, None for none, and how the slot is spelled."""
    return tuple(
        (text, None if slot is None else ALL if slot == "*" else int(slot), spelling or "")
        for text, slot, spelling, _ in Formatter().parse(template)
    )


def literal(value: float | str) -> str:
    """A number or text as Excel writes it. Raises SheetsimError for a number that a formula cannot hold."""
    if isinstance(value, str):
        pieces = [value[k : k + LONGEST_PIECE] for k in range(0, len(value), LONGEST_PIECE)] or [""]
        texts = ['"' + piece.replace('"', '""') + '"' for piece in pieces]
        return texts[0] if len(texts) == 1 else f"({'&'.join(texts)})"
    if value != value:
        return "NA()"
    if abs(value) == float("inf") or 0 < abs(value) < SMALLEST_LITERAL:
        raise SheetsimError(f"{value} cannot be written in a formula: give it to the model as an input")
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


class FormulaText(NamedTuple):
    """A part of a formula: its text, how tightly it binds, and how many levels of parts are in it.

    is_array: whether more than one number is made in it; by_cell, of_blocks: the name of an op in it that engines
    compute of single numbers alone, and of one that takes blocks as a whole.
    """

    text: str
    level: str = "atom"
    height: int = 0
    is_array: bool = False
    by_cell: str = ""
    of_blocks: str = ""


def _spelled_out(
    part: Matrix, texts: Mapping[Matrix, FormulaText], reference: Reference, whole: bool, say: Say
) -> FormulaText:
    """A node's text from those of its arguments; whole: it is the formula, and no part of one."""
    op = part.source
    if isinstance(op, Constant):
        text = literal(say(op.value) if isinstance(op.value, str) else op.value)
        return FormulaText(text, "negation" if text.startswith("-") else "atom")
    if not isinstance(op, Op):
        raise SheetsimError(f"{part!r} has no cells in the workbook")
    if not whole and op.name in ("where", "if_error"):
        _check_spread(part)
    height, is_array, by_cell, of_blocks = 0, part.shape != (1, 1) or op.array, "", ""
    for k in _written(part):
        arg = texts[part.args[k]]
        height, is_array = max(height, arg.height), is_array or arg.is_array
        by_cell, of_blocks = by_cell or arg.by_cell, of_blocks or arg.of_blocks
    if op.by_cell and part.shape != (1, 1):
        by_cell = op.name
    elif not op.is_elementwise:
        of_blocks = op.name
    if _is_left_out(part):
        first = texts[part.args[0]]
        return FormulaText(first.text, first.level, height + 1, is_array, by_cell, of_blocks)
    text = _filled(op.excel, part.args, texts, reference)
    return FormulaText(text, op.level, height + 1, is_array, by_cell, of_blocks)


def _filled(template: str, args: Sequence[Matrix], texts: Mapping[Matrix, FormulaText], reference: Reference) -> str:
    """A template with its arguments in its slots."""
    written = []
    for text, slot, spelling in _pieces(template):
        written.append(text)
        if slot == ALL:
            written.append(",".join(_slot(arg, spelling, texts, reference) for arg in args))
        elif slot is not None:
            written.append(_slot(args[slot], spelling, texts, reference))
    return "".join(written)


def _slot(arg: Matrix, spelling: str, texts: Mapping[Matrix, FormulaText], reference: Reference) -> str:
    """An argument in a template: `{0:power}` is its text, in brackets where it binds less tightly than a power."""
    if spelling in SLOTS_WITHOUT_TEXT:
        return _measure(arg, spelling, reference)
    text, level = texts[arg][:2]
    if spelling == "truth":
        return text
    if level == "comparison":
        return f"IF({text},1,0)"
    return text if not spelling or BINDING[level] >= BINDING[spelling] else f"({text})"


def _measure(arg: Matrix, spelling: str, reference: Reference) -> str:
    """What a template takes of an argument's size: ones or numbers, down or across, or how many rows or columns."""
    if spelling == "across":
        return f"ROW($1:${arg.shape[1]})^0"
    if spelling == "numbers":
        return f"ROW($1:${arg.shape[0]})"
    if spelling == "ones":
        return _ones(arg, reference)
    block = reference(arg)
    # ROWS and COLUMNS take a block of cells; in LibreOffice nothing else.
    return f"{spelling.upper()}({block})" if block else str(arg.shape[spelling == "columns"])


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
            f"a {node.source.name} with a single condition cannot choose between "  # type: ignore[union-attr]
            "matrices of different sizes inside a formula: name it with define, and use the name"
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
