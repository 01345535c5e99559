"""Every message of an error in the source, as the catalog would have it: `python tests/error_messages.py [FOLDER…]`.

It prints those that have no Japanese, and texts of `--help` that have none: a JSON object whose keys are the texts,
with braces for what is filled in, and whose values say where they are.
"""

import ast
import json
import re
import sys
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path

from sheetsim.cli.commands import app
from sheetsim.language import ERRORS, PLACEHOLDER, Messages, entries, help_texts, language

SOURCE = Path(__file__).resolve().parent.parent / "sheetsim"

# Of a message with more forms than this, what is chosen from stays a placeholder.
MOST_FORMS = 40

# What a person's mistake is, and the results' notes for the person that made them: which argument of each is the text.
RAISED = {
    "SheetsimError": 0,
    "ValueError": 0,
    "say": 0,
    "_fail": 0,
    "refuse": 0,
    "warn": 0,
    "super.__init__": 0,
    "Family": 5,
}

# Where ValueError is a bug, or is caught and never shown.
UNSEEN = ("workbook/layout.py", "workbook/writing/charts.py", "workbook/writing/xlsxwriter_parts.py")

# Words that are no names: what stands in capitals in an entry has none, but for lists of keys.
WORD, LIST = re.compile(r"(?<![\w'])[a-z]{2,}(?![\w'=(*])"), re.compile(r"[\w.\-]+(?:, [\w.\-]+)*")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def messages(folder: str = "") -> Iterator[tuple[str, str]]:
    """Where each is raised, and the message."""
    texts = _Texts()
    for name, place in RAISED.items():
        for path, call, inside in texts.calls.get(name, []):
            where = path.relative_to(SOURCE).as_posix()
            # A layout's `say` is another.
            if where.startswith(folder) and not (name == "say" and isinstance(call.func, ast.Attribute)):
                for text in texts.of(call.args[place], inside) if place < len(call.args) else []:
                    # A message that is all filled in is made elsewhere.
                    if PLACEHOLDER.sub("", text).strip(" :,"):
                        yield f"{where}:{call.lineno}", text


def _within(tree: ast.AST) -> Iterator[tuple[ast.AST, Function | None]]:
    """The nodes of a tree, with the function that each is in; half the time of ast.walk, which is most of all."""
    left: list[tuple[ast.AST, Function | None]] = [(tree, None)]
    while left:
        node, inside = left.pop()
        yield node, inside
        inside = node if isinstance(node, Function) else inside
        for value in vars(node).values():
            if isinstance(value, list):
                left += [(one, inside) for one in value if isinstance(one, ast.AST)]
            elif isinstance(value, ast.AST) and not isinstance(value, ast.expr_context):
                left.append((value, inside))


@cache
def _nodes(function: Function) -> list[ast.AST]:
    return [node for node, _ in _within(function)]


def _called(call: ast.Call) -> str:
    """The name of what is called."""
    match call.func:
        case ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr="__init__"):
            return "super.__init__"
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


class _Texts:
    """The texts that expressions can be, with what constants and functions of the package's modules say."""

    def __init__(self) -> None:
        self.calls: dict[str, list[tuple[Path, ast.Call, Function | None]]] = {}
        self._constants: dict[str, list[tuple[Path, ast.expr]]] = {}
        self._homes: dict[Function, Path] = {}
        self._functions: dict[str, list[tuple[str, Function]]] = {}
        self._open: list[Function] = []
        for path in sorted(SOURCE.rglob("*.py")):
            for node, inside in _within(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and node.args:
                    self.calls.setdefault(_called(node), []).append((path, node, inside))
                elif isinstance(node, Function):
                    self._functions.setdefault(node.name, []).append((path.stem, node))
                    self._homes[node] = path
                elif isinstance(node, ast.Assign) and inside is None and isinstance(node.targets[0], ast.Name):
                    self._constants.setdefault(node.targets[0].id, []).append((path, node.value))

    def of(self, node: ast.expr, inside: Function | None) -> list[str]:
        """The texts; what is known only when it runs is a placeholder."""
        return self._known(node, inside) or [f"{{{_name(node)}}}"]

    def _known(self, node: ast.expr, inside: Function | None) -> list[str]:
        """The texts; none where they are not to be seen here, or too many."""
        several: list[list[str]]
        match node:
            case ast.Constant(value=str(text)):
                return [text]
            case ast.IfExp(body=body, orelse=orelse):
                return [*self._known(body, inside), *self._known(orelse, inside)]
            case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mult()):
                return ["", text]
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                several = [self.of(left, inside), self.of(right, inside)]
            case ast.JoinedStr(values=values):
                several = [self._filled_in(value, inside) for value in values]
            case ast.Name(id=name):
                return self._assigned(name, inside, node.lineno)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr=name)):
                return self._returned(name, module)
            case ast.Call(func=ast.Name(id=name)):
                return self._returned(name)
            case _:
                return []
        if not any(PLACEHOLDER.sub("", text) for texts in several for text in texts):
            return []
        forms = ["".join(parts) for parts in product(*several)] if _size(several) <= MOST_FORMS else []
        return list(dict.fromkeys(forms or ["".join(texts[0] if len(texts) == 1 else "{PART}" for texts in several)]))

    def _filled_in(self, part: ast.expr, inside: Function | None) -> list[str]:
        """A part of an f-string; what is shown by its repr is taken for a text, in quotes."""
        if not isinstance(part, ast.FormattedValue):
            return self.of(part, inside)
        return [f"'{{{_name(part)}}}'"] if part.conversion == ord("r") else self.of(part.value, inside)

    def _assigned(self, name: str, inside: Function | None, line: int) -> list[str]:
        """What a name stands for at a line: in its function, else in a module."""
        if inside is not None:
            arguments = [*inside.args.posonlyargs, *inside.args.args, *inside.args.kwonlyargs]
            nodes = [node for node in _nodes(inside) if getattr(node, "lineno", line) <= line]
            values = [
                node.value
                for node in nodes
                if isinstance(node, ast.Assign) and any(getattr(to, "id", "") == name for to in node.targets)
            ]
            stored = [node for node in nodes if isinstance(node, ast.Name) and node.id == name]
            if values and sum(isinstance(node.ctx, ast.Store) for node in stored) == len(values):
                found = [self._known(value, inside) if not _calls_itself(value, name) else [] for value in values]
                return [text for texts in found for text in texts] if all(found) else []
            if any(argument.arg == name for argument in arguments) and not any(
                isinstance(node.ctx, ast.Store) for node in stored
            ):
                return self._given(name, [argument.arg for argument in arguments], inside)
            if any(isinstance(node.ctx, ast.Store) for node in stored):
                return []
        several = self._constants.get(name, [])
        home = None if inside is None else self._homes[inside]
        match [value for path, value in several if path == home] or [value for _, value in several]:
            case [ast.Constant(value=str(text))]:
                return [text]
        return []

    def _given(self, name: str, arguments: list[str], function: Function) -> list[str]:
        """The phrases that a function is called with, and a placeholder for keys and other names."""
        if function in self._open or len(self._functions[function.name]) > 1:
            return []
        self._open.append(function)
        place = arguments.index(name) - (arguments[0] == "self")
        found: list[list[str]] = []
        for _, call, inside in self.calls.get(function.name, []):
            given = [keyword.value for keyword in call.keywords if keyword.arg == name] + call.args[place : place + 1]
            found.append(self._known(given[0], inside) if given else [])
        self._open.pop()
        every = list(dict.fromkeys(text for texts in found for text in texts))
        if found and all(found) and len(every) < MOST_FORMS:
            return every
        return [*(text for text in every if " " in PLACEHOLDER.sub("", text).strip()), f"{{{name.upper()}}}"]

    def _returned(self, name: str, module: str = "") -> list[str]:
        """What the function of a name, or of a module or `self`, returns, if that is text; none of several."""
        found: list[str] = []
        named = [one for stem, one in self._functions.get(name, []) if stem == module or module in ("", "self")]
        for function in named if len(named) == 1 else []:
            if function in self._open or not (isinstance(function.returns, ast.Name) and function.returns.id == "str"):
                return []
            self._open.append(function)
            for node in ast.walk(function):
                if isinstance(node, ast.Return) and node.value is not None:
                    found += self.of(node.value, function)
            self._open.pop()
        return found if any(PLACEHOLDER.sub("", text) for text in found) else []


def _calls_itself(node: ast.expr, name: str) -> bool:
    return any(isinstance(inner, ast.Name) and inner.id == name for inner in ast.walk(node))


def _size(several: list[list[str]]) -> int:
    size = 1
    for texts in several:
        size *= len(texts)
    return size


def _name(node: ast.expr) -> str:
    """A placeholder's name after what is filled in."""
    if isinstance(node, ast.FormattedValue):
        return _name(node.value)
    if isinstance(node, ast.Name):
        return node.id.strip("_").upper()
    if isinstance(node, ast.Attribute):
        return node.attr.strip("_").upper()
    return "PART"


def filled(message: str) -> str:
    """The message with something in each of its places: a number, which every kind of placeholder takes."""
    return " ".join(PLACEHOLDER.sub("7", message).split())


def unknown(text: str, spoken: Messages) -> list[str]:
    """What of a message has no Japanese: all of it, or parts that are looked up in their turn."""
    if not any(map(str.isalpha, text)) or text in spoken.texts:
        return []
    form, parts = spoken.form_of(text)
    if form is not None:
        # What is wrong is a key, or a phrase such as "the name of a group".
        told = [part for name, part in parts.items() if name.islower() and (name != "_what" or " " in part)]
        taken = [
            part for name, part in parts.items() if name.isupper() and WORD.search(part) and not LIST.fullmatch(part)
        ]
        return [*(one for part in told for one in unknown(part, spoken)), *taken]
    place, _, rest = text.partition(": ")
    if rest:
        return [*unknown(rest, spoken), *([place] if WORD.search(place) and " " in place else [])]
    # A note of a result, as its book has it too.
    return [text] if language("ja").say(text) == text else []


def untranslated(folder: str = "") -> dict[str, str]:
    """The messages that have no Japanese, or only in part, each with where it is raised first."""
    spoken = Messages("ja", [entry[:2] for entry in entries("ja", ERRORS)])
    found: dict[str, str] = {}
    for where, message in messages(folder):
        if where.partition(":")[0] not in UNSEEN and unknown(filled(message), spoken):
            found.setdefault(" ".join(message.split()), where)
    return found


def texts_of_help() -> Iterator[tuple[str, str]]:
    """Each text of the command line's help, after the command that shows it."""
    for name, command in [("", app), *app.commands.items()]:
        yield from ((name, " ".join(part.split())) for part in str(command.help).split("\n\n"))
        context = command.make_context(name, [], resilient_parsing=True)
        for parameter in command.get_params(context):
            if getattr(parameter, "help", None):
                yield name, " ".join(parameter.help.split())
            if " " in str(getattr(parameter, "show_default", "")):
                yield name, f"({parameter.show_default})"


if __name__ == "__main__":
    found = {key: where for folder in sys.argv[1:] or [""] for key, where in untranslated(folder).items()}
    spoken_help = help_texts("ja")
    found |= {text: f"{name} --help" for name, text in texts_of_help() if spoken_help.say(text) == text}
    print(json.dumps(found, ensure_ascii=False, indent=0))
