"""What `--help` prints in the language of the terminal: texts by its catalog, lines by the width of letters."""

import re
from collections.abc import Iterable

import click

from sheetsim.cli.terminal import columns_of, help_of
from sheetsim.language import ENGLISH

# No line begins with one of the first, or ends with one of the second.
CLOSING, OPENING = "、。,.)]」:;…ーァィゥェォッャュョぁぃぅぇぉっゃゅょ", "([「"


class _Formatter(click.HelpFormatter):
    """Looks up what it writes, and breaks lines between wide letters."""

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


class _Context(click.Context):
    formatter_class = _Formatter


class Commands(click.Group):
    """Commands in the order of their declaration, where click sorts names, with help in a terminal's language."""

    def speak(self, code: str) -> None:
        """The help of the group and of its commands is in that language from here on."""
        for one in (self, *self.commands.values()):
            one.context_class = click.Context if code == ENGLISH else _Context

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """A line for each; click cuts a first sentence to fit, and would do so before it is looked up."""
        if not isinstance(formatter, _Formatter):
            super().format_commands(ctx, formatter)
            return
        with formatter.section("Commands"):
            formatter.write_dl([(name, _paragraphs(one.help or "")[0]) for name, one in self.commands.items()])


def _paragraphs(text: str) -> list[str]:
    return [" ".join(part.split()) for part in text.strip().split("\n\n")]


def _explained(text: str) -> str:
    """The help of an option or an argument, with what click adds in brackets: its default, that it is required."""
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
