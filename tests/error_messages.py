"""Every message of an error in the source, as the catalog would have it: `python tests/error_messages.py [FOLDER…]`.

It prints those that have no Japanese, a JSON object whose keys are the messages, with braces for what is filled in.
"""

import ast
import json
import sys
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path

from sheetsim.language import ERRORS, PLACEHOLDER, Messages, entries, language

SOURCE = Path(__file__).resolve().parent.parent / "sheetsim"

# Of a message with more forms than this, what is chosen from stays a placeholder.
MOST_FORMS = 40

# What a person's mistake is, and the results' notes for the person that made them.
RAISED = ("SheetsimError", "SheetsimWarning", "ValueError", "say", "_fail", "refuse")

# Where ValueError is a bug, or is caught and never shown.
UNSEEN = ("workbook/layout.py", "workbook/writing/charts.py", "workbook/writing/xlsxwriter_parts.py")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def messages(folder: str = "") -> Iterator[tuple[str, str]]:
    """Where each is raised, and the message."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(SOURCE.rglob("*.py"))}
    texts = _Texts(trees)
    for path, tree in trees.items():
        where = path.relative_to(SOURCE).as_posix()
        if where.startswith(folder):
            for call, inside in _raised(tree, None):
                for text in texts.of(call.args[0], inside):
                    # A message that is all filled in is made elsewhere.
                    if PLACEHOLDER.sub("", text).strip(" :,"):
                        yield f"{where}:{call.lineno}", text


def _raised(node: ast.AST, inside: Function | None) -> Iterator[tuple[ast.Call, Function | None]]:
    """The calls that make an error, and the function that each is in."""
    if isinstance(node, Function):
        inside = node
    if isinstance(node, ast.Call) and node.args:
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name in RAISED and not (name == "say" and isinstance(node.func, ast.Attribute)):
            yield node, inside
    for child in ast.iter_child_nodes(node):
        yield from _raised(child, inside)


class _Texts:
    """The texts that expressions can be, with what constants and functions of the package's modules say."""

    def __init__(self, trees: Mapping[Path, ast.Module]) -> None:
        self._constants: dict[str, ast.expr] = {}
        self._functions: dict[str, list[tuple[str, Function]]] = {}
        self._open: list[Function] = []
        for path, tree in trees.items():
            for node in ast.walk(tree):
                if isinstance(node, Function):
                    self._functions.setdefault(node.name, []).append((path.stem, node))
            for node in tree.body:
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    self._constants[node.targets[0].id] = node.value

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
                several = [
                    self.of(
                        value.value if isinstance(value, ast.FormattedValue) and value.conversion < 0 else value, inside
                    )
                    for value in values
                ]
            case ast.Name(id=name):
                return self._assigned(name, inside)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr=name)):
                return self._returned(name, module)
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
                return self._returned(name)
            case _:
                return []
        if not any(PLACEHOLDER.sub("", text) for texts in several for text in texts):
            return []
        forms = ["".join(parts) for parts in product(*several)] if _size(several) <= MOST_FORMS else []
        return list(dict.fromkeys(forms or ["".join(texts[0] if len(texts) == 1 else "{PART}" for texts in several)]))

    def _assigned(self, name: str, inside: Function | None) -> list[str]:
        """What a name stands for: in its function, else in a module."""
        if inside is not None:
            arguments = [*inside.args.posonlyargs, *inside.args.args, *inside.args.kwonlyargs]
            values = [
                node.value
                for node in ast.walk(inside)
                if isinstance(node, ast.Assign)
                and any(isinstance(to, ast.Name) and to.id == name for to in node.targets)
            ]
            stored = [node for node in ast.walk(inside) if isinstance(node, ast.Name) and node.id == name]
            if values and sum(isinstance(node.ctx, ast.Store) for node in stored) == len(values):
                found = [self._known(value, inside) if not _calls_itself(value, name) else [] for value in values]
                return [text for texts in found for text in texts] if all(found) else []
            if any(argument.arg == name for argument in arguments) or any(
                isinstance(node.ctx, ast.Store) for node in stored
            ):
                return []
        value = self._constants.get(name)
        return [value.value] if isinstance(value, ast.Constant) and isinstance(value.value, str) else []

    def _returned(self, name: str, module: str = "") -> list[str]:
        """What the function of a name returns, if that is text; none where several have the name."""
        found: list[str] = []
        several = self._functions.get(name, [])
        named = [function for stem, function in several if stem == module] or [function for _, function in several]
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
    place, colon, rest = text.partition(": ")
    if colon and " " not in place and spoken.say(rest) != rest:
        return unknown(rest, spoken)
    for form in spoken.forms:
        parts = form.parts(text)
        if parts:
            # What is wrong is a key, or a phrase such as "the name of a group".
            told = [part for name, part in parts.items() if name.islower() and (name != "_what" or " " in part)]
            return [one for part in told for one in unknown(part, spoken)]
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


if __name__ == "__main__":
    found = {key: where for folder in sys.argv[1:] or [""] for key, where in untranslated(folder).items()}
    print(json.dumps(found, ensure_ascii=False, indent=0))
