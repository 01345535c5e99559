"""A function of x and y that a person wrote, and its formulas. A text is arithmetic: it is never run as Python."""

import ast
import difflib
import inspect
import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from sheetsim.errors import SheetsimError
from sheetsim.model.expr import Matrix, absolute, exp, log, log10, matrix, relu, sigmoid, sqrt, tanh
from sheetsim.model.traversal import topological
from sheetsim.workbook.formulas import characters, formula
from sheetsim.workbook.limits import FORMULA_CHARACTERS

Function = Callable[[Matrix, Matrix], Matrix]

EXAMPLE = "x**2/20 + y**2"
FUNCTIONS: Mapping[str, Callable[[Matrix], Matrix]] = {
    "exp": exp,
    "log": log,
    "log10": log10,
    "sqrt": sqrt,
    "tanh": tanh,
    "sigmoid": sigmoid,
    "relu": relu,
    "abs": absolute,
    "absolute": absolute,
}

LONGEST = 500
# A formula has 64 levels in Excel.
DEEPEST = 60
# What a cell's formula needs of its characters beside f or a derivative.
LEFT_FREE = 200

_SIGNS: Mapping[type[ast.AST], Callable[[Matrix, Matrix], Matrix]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_DECIMAL = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_FOREIGN = re.compile(r"[^0-9A-Za-z_ .+\-*/^(),]")


@lru_cache(maxsize=16)
def function_of(text: str) -> Function:
    """The function that the text says: numbers, x, y, + - * / ** (or ^), brackets and the names of FUNCTIONS.

    Precedence is that of mathematics and Python: -x**2 is -(x**2), and x**y**2 is x**(y**2).
    Raises SheetsimError with the place and the reason for anything else.
    """
    text = text.strip()
    if not text:
        raise SheetsimError(f"f is empty: write a function of x and y, for example {EXAMPLE}")
    if len(text) > LONGEST:
        raise SheetsimError(f"f has {len(text):,} characters; {LONGEST} are allowed")
    foreign = _FOREIGN.search(text)
    if foreign:
        raise SheetsimError(
            f"f: {foreign[0]!r} at character {foreign.start() + 1} is not allowed in a function of x and y"
            f" (for example {EXAMPLE})"
        )
    reader = _Reader(text)
    tree = reader.parsed()
    # Once, so that a mistake is found now and not when the function is used.
    reader.value(tree, {"x": matrix(0.0), "y": matrix(0.0)}, 0)
    return lambda x, y: reader.value(tree, {"x": x, "y": y}, 0)


class _Reader:
    """A text's syntax tree, turned into matrices of the model."""

    def __init__(self, text: str) -> None:
        self.text = text
        # Python's ^ is another operator, which binds more loosely than +.
        self.source = text.replace("^", "**")

    def parsed(self) -> ast.expr:
        try:
            return ast.parse(self.source, mode="eval").body
        except SyntaxError as error:
            # At the end of the text Python counts from another line.
            place = self.place(error.offset - 1) if error.lineno == 1 and error.offset else len(self.text)
            hint = "; a product needs its *, as in 2*x" if "decimal literal" in error.msg else ""
            raise SheetsimError(f"f cannot be read at character {place}: {error.msg}{hint}") from None
        except (RecursionError, MemoryError, ValueError):
            raise SheetsimError("f cannot be read: its brackets are nested too deeply") from None

    def place(self, offset: int) -> int:
        """The number, from 1, of the text's character at an offset of the source."""
        at = 0
        for number, character in enumerate(self.text, start=1):
            at += 2 if character == "^" else 1
            if at > offset:
                return number
        return len(self.text)

    def value(self, node: ast.expr, names: Mapping[str, Matrix], depth: int) -> Matrix:
        if depth > DEEPEST:
            raise SheetsimError(f"f is nested deeper than {DEEPEST} levels (each term of a long sum is a level)")
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            return matrix(self.number(node))
        if isinstance(node, ast.Name) and node.id in names:
            return names[node.id]
        if isinstance(node, ast.BinOp) and type(node.op) in _SIGNS:
            sides = self.value(node.left, names, depth + 1), self.value(node.right, names, depth + 1)
            return _SIGNS[type(node.op)](*sides)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            inner = self.value(node.operand, names, depth + 1)
            return -inner if isinstance(node.op, ast.USub) else inner
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS:
            if len(node.args) != 1 or node.keywords:
                raise SheetsimError(f"f: {node.func.id} takes one number, {self.where(node)}")
            return FUNCTIONS[node.func.id](self.value(node.args[0], names, depth + 1))
        raise SheetsimError(self.refusal(node))

    def number(self, node: ast.Constant) -> float:
        if not _DECIMAL.fullmatch(ast.get_source_segment(self.source, node) or ""):
            raise SheetsimError(f"f: {self.where(node)} is not a decimal number")
        try:
            number = float(node.value)  # type: ignore[arg-type]
        except OverflowError:
            number = float("inf")
        if number == float("inf"):
            raise SheetsimError(f"f: the number {self.where(node)} is too large")
        return number

    def refusal(self, node: ast.expr) -> str:
        called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        name = node.func if isinstance(node, ast.Call) else node
        if isinstance(name, ast.Name):
            names = tuple(FUNCTIONS) if called else ("x", "y")
            close = difflib.get_close_matches(name.id.lower(), names, n=1, cutoff=0.5)
            hint = f" (did you mean {close[0]!r}?)" if close and close[0] != name.id else ""
            what = "function" if called else "name"
            return f"f: unknown {what} {self.where(name)}{hint}: there are x, y, numbers and {', '.join(FUNCTIONS)}"
        functions = ", ".join(FUNCTIONS)
        return f"f: {self.where(node)} is not allowed: use numbers, x, y, + - * / ** and functions ({functions})"

    def where(self, node: ast.expr) -> str:
        """What stands there, and at which character."""
        part = (ast.get_source_segment(self.source, node) or "")[:40]
        return f"{part!r} at character {self.place(node.col_offset)}"


def check_arguments(function: Callable[..., object]) -> None:
    """Refuses a function given in Python that does not take two arguments."""
    try:
        inspect.signature(function).bind(None, None)
    except TypeError:
        raise SheetsimError("f must be a function of two matrices, x and y") from None
    except ValueError:  # some functions in C do not say
        return


def depends(value: Matrix, node: Matrix) -> bool:
    """Whether the expression is made of the node. It looks no deeper than that: a step does not see those before."""
    return node in topological([value], lambda part: [arg for arg in part.args if arg.depth >= node.depth])


def written(node: Matrix, x: str = "") -> str:
    """The formula of an expression of the inputs x and y, for which the text `x` stands, or else their names.

    Raises SheetsimError when a cell cannot hold it: a text that stands twice at each of many levels has no end.
    """

    def reference(part: Matrix) -> str | None:
        return (x or part.name) if part.name in ("x", "y") else None

    size = characters(node, reference)
    if size > FORMULA_CHARACTERS - LEFT_FREE:
        raise SheetsimError(
            f"f is too long: it or its gradient takes {size:.3g} characters or more; a cell's formula may have "
            f"{FORMULA_CHARACTERS:,} at most"
        )
    try:
        return reference(node) or formula(node, reference)
    except SheetsimError as error:
        # A text has no part that could be named.
        raise SheetsimError(f"f: {str(error).partition(': name a part')[0]}") from None
