"""A house style as data: colors, fonts and number formats by role, a logo, a cover. Its defaults are the usual look.

What is no role, such as the white of charts, is the same in every style. styles.py makes cells' formats of it.
"""

import re
from collections.abc import Sequence
from colorsys import rgb_to_hsv
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from sheetsim.workbook.writing.cover import Cover

_COLOR = re.compile(r"#[0-9A-Fa-f]{6}\Z")

# What a number format is made of: digits, marks, texts, conditions and currencies in brackets. A date's are not.
_FORMAT = re.compile(
    r"(?=.*[0#?])(?:[0#?.,%; \-+()/$€£¥:'\u00a0\u202f]|E[+-](?=0)|\"[^\"\x00-\x1f]*\"|[\\_][\x20-\x7e]"
    r"|\[(?:\$[^\[\]\"]*|Black|Blue|Cyan|Green|Magenta|Red|White|Yellow)\])+\Z"
)
_LONGEST_FORMAT, _LONGEST_FONT = 100, 31

# Of charts, each with a marker of its own.
LINES = 5

# What texts of the books call the colors of some roles.
CALLED = {"input": "yellow", "negative": "blue", "zero": "white", "positive": "orange"}
CALLED |= {"zeros": "gray", "contour": "gray", "outside": "ochre"}

# Rows are made for 10 points: of what is larger, lines would be cut off.
_SIZES = 8, 11

# Colors by the words that texts of the books have for them: by which hue, in degrees, they can be told.
_HUES = {"yellow": (38, 70), "blue": (185, 260), "orange": (14, 42), "ochre": (30, 56)}


def _is_called(color: str, word: str) -> bool:
    red, green, blue = (int(color[k : k + 2], 16) for k in (1, 3, 5))
    low, high = min(red, green, blue), max(red, green, blue)
    if word == "white":
        return low >= 240
    if word == "gray":
        return high - low <= 40 and low >= 60 and high < 240
    hue = 360 * rgb_to_hsv(red, green, blue)[0]
    if word == "ochre" and high > 225:
        return False
    return high - low >= 25 and _HUES[word][0] <= hue <= _HUES[word][1]


class _Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    def colors(self) -> dict[str, Sequence[str]]:
        """By key the colors that are given for it."""
        given = {key: getattr(self, key) for key in self.__struct_fields__}
        return {key: (value,) if isinstance(value, str) else value for key, value in given.items() if value is not None}

    def __post_init__(self) -> None:
        for key, colors in self.colors().items():
            for color in colors:
                if not _COLOR.match(color):
                    raise ValueError(f"{key} must be a color as #1F2937 is one, not {color!r:.40}")


class RoleColors(_Keys, frozen=True, kw_only=True):
    """Colors by role.

    ink, muted: of texts, and of notes and what is written in charts; link; heading: behind headings; rule: under them,
    and of axes; verdict: behind a verdict.
    bar, outside, zeros: of histograms, what lies outside the range, and the spike of zeros; lines: of charts, in their
    order; ramp: from the first to the last of more lines than those; grid: thin lines in and around charts; contour.
    negative, zero, positive: of the numbers of a matrix, and of a scale from smallest to largest; share: of bars
    in cells; input, input_border: of cells that are meant to be changed.
    """

    ink: str = "#1F2937"
    muted: str = "#6B7280"
    link: str = "#1F5FA8"
    heading: str = "#E8EEF6"
    rule: str = "#C9D1DC"
    verdict: str = "#F3F4F6"
    bar: str = "#2F6DB5"
    outside: str = "#B58900"
    zeros: str = "#8A94A3"
    # Told apart without red, green or blue receptors too, and most in gray (test_charts).
    lines: tuple[str, ...] = ("#2F6DB5", "#B23A0E", "#53B89C", "#5B2A6E", "#E0A000")
    ramp: tuple[str, ...] = ("#1F3B8C", "#3B9DC8", "#C9B44B", "#B02A1E")
    grid: str = "#E5E7EB"
    contour: str = "#A3ADBA"
    negative: str = "#7FB2E5"
    zero: str = "#FFFFFF"
    positive: str = "#F2A65A"
    share: str = "#B9D3EE"
    input: str = "#FFF4CC"
    input_border: str = "#D6A800"

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.lines) != LINES or len(self.ramp) < 2:
            raise ValueError(f"lines must be a list of {LINES} colors, and ramp of 2 or more")
        for key, word in CALLED.items():
            color = getattr(self, key)
            if not _is_called(color, word):
                raise ValueError(f"{key} must be a {word}, as texts of the books call it so, not {color}")


class Tabs(_Keys, frozen=True, kw_only=True):
    """Colors of tabs by what a sheet holds; those that are not given are a role's."""

    input: str | None = None
    weights: str = "#8A5AA8"
    sums: str | None = None
    activations: str = "#2E8B57"
    gradients: str = "#C4541B"
    results: str | None = None
    draws: str | None = None
    about: str | None = None


class Tone(_Keys, frozen=True, kw_only=True):
    """Of a verdict's cell: the color behind its text, and of the text."""

    fill: str
    text: str


class Tones(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Colors of verdicts by how good they are."""

    good: Tone = Tone(fill="#D9F2E0", text="#14652F")
    warning: Tone = Tone(fill="#FCEBCB", text="#8A5200")
    bad: Tone = Tone(fill="#FBDDD7", text="#9B2211")
    neutral: Tone = Tone(fill="#F3F4F6", text="#4B5563")


class Font(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of cells, and of charts.

    name: of everything, the usual one of the book's language where it is left out; code: of commands; size: of plain
    text in points, 8 to 11.
    """

    name: str | None = None
    code: str = "Courier New"
    size: int | float = 10

    def __post_init__(self) -> None:
        for key in ("name", "code"):
            name = getattr(self, key)
            if name is not None and (not 0 < len(name) <= _LONGEST_FONT or not name.isprintable()):
                raise ValueError(f"{key} must be a font's name of at most {_LONGEST_FONT} characters, not {name!r:.40}")
        if not _SIZES[0] <= self.size <= _SIZES[1]:
            raise ValueError(f"size must lie between {_SIZES[0]} and {_SIZES[1]} points, not {self.size}")


class Numbers(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Number formats, as Excel has them.

    number: of magnitudes from 0.001 to 10; tens, hundreds: of greater ones; scientific: of those that are greater or
    smaller still; percent; count: of whole numbers that count something.
    """

    number: str = "0.0000"
    tens: str = "0.00"
    hundreds: str = "0.0"
    scientific: str = "0.00E+00"
    percent: str = "0.0%"
    count: str = "#,##0"

    def __post_init__(self) -> None:
        for key in self.__struct_fields__:
            text = getattr(self, key)
            if len(text) > _LONGEST_FORMAT or text.count(";") > 3 or not _FORMAT.match(text):
                raise ValueError(f"{key} must be a format of numbers as 0.00 or #,##0 are, not {text!r:.60}")


class ThemeKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys of a theme's file.

    logo, cover: files, relative to it; sparklines: whether tables of layers, paths and outputs have a small chart a
    row, of which openpyxl warns.
    """

    colors: RoleColors = RoleColors()
    tabs: Tabs = Tabs()
    tones: Tones = Tones()
    font: Font = Font()
    numbers: Numbers = Numbers()
    logo: str | None = None
    cover: str | None = None
    sparklines: bool = False


@dataclass(frozen=True)
class Theme:
    """A theme with its files read. file: where it was found, as a command names it; logo: a picture's bytes."""

    keys: ThemeKeys = field(default_factory=ThemeKeys)
    file: str = ""
    logo: bytes = b""
    cover: "Cover | None" = None


USUAL = Theme()


def tables() -> dict[str, Sequence[str]]:
    """By a theme's table its keys."""
    kinds: dict[str, Any] = {"": ThemeKeys, "colors": RoleColors, "tabs": Tabs, "tones": Tones, "font": Font}
    kinds |= {"numbers": Numbers} | {f"tones.{tone}": Tone for tone in Tones.__struct_fields__}
    return {table: kind.__struct_fields__ for table, kind in kinds.items()}
