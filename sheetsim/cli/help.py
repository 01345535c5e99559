"""What `--help` prints in the language of the terminal: texts by its catalog, lines by the width of letters."""

import re
from collections.abc import Iterable
from typing import Any

from sheetsim.cli.terminal import columns_of, help_of
from sheetsim.language import ENGLISH

# No line begins with one of the first, or ends with one of the second.
CLOSING, OPENING = "、。,.)]」:;…ーァィゥェォッャュョぁぃぅぇぉっゃゅょ", "([「"


def with_help_in(code: str, command: Any) -> Any:
    """The command, whose help and that of its subcommands is in the language of the terminal, by its code."""
    for one in (command, *command.commands.values()) if code != ENGLISH else ():
        one.context_class = _context_class(one.context_class)
    return command


def _context_class(base: Any) -> Any:
    """Typer's context with a formatter of its help that looks up what it writes."""

    class Context(base):  # type: ignore[misc]
        formatter_class = _formatter_class(base.formatter_class)

        def make_formatter(self) -> Any:
            # Typer would cut the first sentence of a command's help before the formatter has it.
            for command in getattr(self.command, "commands", {}).values():
                command.short_help = help_of(_paragraphs(command.help)[0])
            return super().make_formatter()

    return Context


def _formatter_class(base: Any) -> Any:
    class Formatter(base):  # type: ignore[misc]
        def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
            super().write_usage(prog, help_of(args), f"{help_of('Usage:')} ")

        def write_heading(self, heading: str) -> None:
            super().write_heading(help_of(heading))

        def write_text(self, text: str) -> None:
            indent = " " * self.current_indent
            texts = [wrapped(help_of(one), self.width - self.current_indent) for one in _paragraphs(text)]
            self.write("\n\n".join("\n".join(indent + line for line in lines) for lines in texts) + "\n")

        def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
            told = [(name, _explained(text)) for name, text in rows]
            first = min(max(columns_of(name) for name, _ in told), col_max) + col_spacing
            for name, text in told:
                lines = wrapped(text, max(self.width - first - 2, 10))
                if columns_of(name) > first - col_spacing:
                    lines = ["", *lines]
                head = name + " " * (first - columns_of(name))
                for k, line in enumerate(lines or [""]):
                    self.write(f"{' ' * self.current_indent}{' ' * first if k else head}{line}".rstrip() + "\n")

    return Formatter


def _paragraphs(text: str) -> list[str]:
    return [" ".join(part.split()) for part in text.strip().split("\n\n")]


def _explained(text: str) -> str:
    """The help of an option or an argument, with what Typer adds in brackets: its default, that it is required."""
    match = re.fullmatch(r"(.*?)(?:(?:^|  )\[(.*)\])?", text, re.DOTALL)
    assert match is not None
    told = help_of(" ".join(match[1].split()))
    return told if match[2] is None else f"{told}  [{help_of(match[2])}]".strip()


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most so many columns: broken at spaces and between wide letters, and in brackets only if it must."""
    parts: list[str] = []
    for whole in re.split(r"(\[[^\[\]]*\])", text):
        in_brackets = whole[:1] == "[" and columns_of(whole) <= width
        for part in [whole] if in_brackets else re.findall(r"[!-~]+|\s+|.", whole):
            if parts and not part.isspace() and (part[0] in CLOSING or parts[-1][-1] in OPENING):
                parts[-1] += part
            else:
                parts.append(part)
    lines = [""]
    for part in parts:
        if columns_of(lines[-1] + part.rstrip()) > width and lines[-1].strip():
            lines[-1] = lines[-1].rstrip()
            lines.append("")
        lines[-1] += "" if part.isspace() and not lines[-1] else part
    return [line for line in lines if line]
