"""Every message of an error in the source, as the catalog would have it: `python tests/error_messages.py [FOLDER…]`.

It prints those that have no Japanese, a JSON object whose keys are the messages, with braces for what is filled in.
"""

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from sheetsim.cli.terminal import message_of, speak
from sheetsim.language import PLACEHOLDER

SOURCE = Path(__file__).resolve().parent.parent / "sheetsim"


def messages(folder: str = "") -> Iterator[tuple[str, str]]:
    """Where each is raised, and the message."""
    for path in sorted(SOURCE.rglob("*.py")):
        where = path.relative_to(SOURCE).as_posix()
        if not where.startswith(folder):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "SheetsimError":
                for text in _texts(node.args[0]):
                    yield f"{where}:{node.lineno}", text


def _texts(node: ast.expr) -> list[str]:
    """The texts that an expression can be; none where it is a text made elsewhere."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.IfExp):
        return _texts(node.body) + _texts(node.orelse)
    if isinstance(node, ast.JoinedStr):
        text, names = "", 0
        for part in node.values:
            if isinstance(part, ast.Constant):
                text += str(part.value)
            else:
                assert isinstance(part, ast.FormattedValue)
                # Parts that are one of several short texts (a plural's s) stay placeholders too.
                name = _name(part.value)
                names += 1
                text += f"{{{name or 'part'}{'' if name and f'{{{name}}}' not in text else names}}}"
        # A message that is all filled in is made elsewhere.
        return [text] if PLACEHOLDER.sub("", text).strip(" :,") else []
    return []


def _name(node: ast.expr) -> str:
    """A placeholder's name after what is filled in."""
    if isinstance(node, ast.Name):
        return node.id.strip("_").upper()
    if isinstance(node, ast.Attribute):
        return node.attr.strip("_").upper()
    return ""


def filled(message: str) -> str:
    """The message with something in each of its places: a number, which every kind of placeholder takes."""
    return " ".join(PLACEHOLDER.sub("7", message).split())


def untranslated(folder: str = "") -> dict[str, str]:
    """The messages that have no Japanese, each with where it is raised first."""
    speak("ja")
    found: dict[str, str] = {}
    for where, message in messages(folder):
        if message_of(filled(message)) == filled(message):
            found.setdefault(" ".join(message.split()), where)
    return found


if __name__ == "__main__":
    found = {key: where for folder in sys.argv[1:] or [""] for key, where in untranslated(folder).items()}
    print(json.dumps(found, ensure_ascii=False, indent=0))
