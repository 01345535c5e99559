"""A house style as data: colors, fonts and number formats by role, a logo, a cover. Its defaults are the usual look.

What is no role, such as the white of charts, is the same in every style. styles.py makes cells' formats of it.
"""

import re
from collections.abc import Sequence
from colorsys import rgb_to_hsv
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from sheetsim.workbook.writing.cover import Cover

COLOR = "#[0-9A-Fa-f]{6}"

# What a number format is made of: digits, marks, texts, conditions and currencies in brackets. A date's are not.
_FORMAT = re.compile(
    r"(?=.*[0#?])(?:[0#?.,%; \-+()/$€£¥:'\u00a0\u202f]|E[+-](?=0)|\"[^\"\x00-\x1f]*\"|[\\_][\x20-\x7e]"
    r"|\[(?:\$[^\[\]\"]*|Black|Blue|Cyan|Green|Magenta|Red|White|Yellow)\])+\Z"
)
LONGEST_FORMAT, LONGEST_FONT = 100, 31

# Of charts, each with a marker of its own.
LINES = 5

# What texts of the books call the colors of some roles.
CALLED = {"input": "yellow", "negative": "blue", "zero": "white", "positive": "orange"}
CALLED |= {"zeros": "gray", "contour": "gray", "outside": "ochre"}

# Rows are made for 10 points: of what is larger, lines would be cut off.
SIZES = 8, 11

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
                if not re.fullmatch(COLOR, color):
                    raise ValueError(f"{key} must be a color such as #1F2937, not {color!r:.40}")


class RoleColors(_Keys, frozen=True, kw_only=True):
    """Colors by role.

    Attributes
    ----------
    ink
        Texts.
    muted
        Notes, and what is written in charts.
    link
        Links.
    heading
        Behind headings.
    rule
        Under headings, and axes of charts.
    verdict
        Behind a verdict without a tone.
    bar
        Histograms.
    outside
        What lies outside the range of histograms, an ochre.
    zeros
        The spike of zeros in histograms, a gray.
    lines
        Lines of charts in their order, five.
    ramp
        From the first to the last of more lines than five.
    grid
        Thin lines in and around charts.
    contour
        Lines of equal height, a gray.
    negative
        Numbers of a matrix below 0, and the smallest ones, a blue.
    zero
        Numbers between, a white.
    positive
        Numbers above 0, and the largest ones, an orange.
    share
        Bars in cells.
    input
        Cells that are meant to be changed, a yellow.
    input_border
        Their border.
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
                raise ValueError(
                    f"{key} must be a shade of {word}, which is what texts of the books call it, not {color}"
                )


class Tabs(_Keys, frozen=True, kw_only=True):
    """Colors of tabs by what a sheet holds.

    Attributes
    ----------
    input
        Input data, without it the color input_border.
    weights
        Weights.
    sums
        Linear sums, without it the color bar.
    activations
        Activations.
    gradients
        Gradients.
    results
        Results, without it the color ink.
    draws
        Draws, without it the color contour.
    about
        About, without it the color heading.
    """

    input: str | None = None
    weights: str = "#8A5AA8"
    sums: str | None = None
    activations: str = "#2E8B57"
    gradients: str = "#C4541B"
    results: str | None = None
    draws: str | None = None
    about: str | None = None


class Tone(_Keys, frozen=True, kw_only=True):
    """Colors of a verdict's cell.

    Attributes
    ----------
    fill
        Behind the text.
    text
        The text.
    """

    fill: str
    text: str


class Tones(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Colors of verdicts by how good they are.

    Attributes
    ----------
    good
        Good news.
    warning
        A warning.
    bad
        Bad news.
    neutral
        Neither.
    """

    good: Tone = Tone(fill="#D9F2E0", text="#14652F")
    warning: Tone = Tone(fill="#FCEBCB", text="#8A5200")
    bad: Tone = Tone(fill="#FBDDD7", text="#9B2211")
    neutral: Tone = Tone(fill="#F3F4F6", text="#4B5563")


class Font(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Fonts of cells and charts.

    Attributes
    ----------
    name
        Font of everything, the usual one of the book's language without it.
    code
        Font of commands.
    size
        Size of plain text in points, 8 to 11.
    """

    name: str | None = None
    code: str = "Courier New"
    size: int | float = 10

    def __post_init__(self) -> None:
        for key in ("name", "code"):
            name = getattr(self, key)
            if name is not None and (not 0 < len(name) <= LONGEST_FONT or not name.isprintable()):
                raise ValueError(f"{key} must be a font's name of at most {LONGEST_FONT} characters, not {name!r:.40}")
        if not SIZES[0] <= self.size <= SIZES[1]:
            raise ValueError(f"size must lie between {SIZES[0]} and {SIZES[1]} points, not {self.size}")


class Numbers(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Number formats, as Excel writes them.

    Attributes
    ----------
    number
        Magnitudes from 0.001 to 10.
    tens
        From 10 to 100.
    hundreds
        From 100 to 10,000.
    scientific
        Above that, and below 0.001.
    percent
        Shares.
    count
        Whole numbers that count something.
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
            if len(text) > LONGEST_FORMAT or text.count(";") > 3 or not _FORMAT.match(text):
                raise ValueError(f"{key} must be a number format such as 0.00 or #,##0, not {text!r:.60}")


class ThemeKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys of a theme's file.

    Attributes
    ----------
    colors
        Colors by role.
    tabs
        Colors of tabs by what a sheet holds.
    tones
        Colors of verdicts by how good they are.
    font
        Fonts of cells and charts.
    numbers
        Number formats.
    logo
        A picture in PNG or JPEG, its path relative to the theme.
    cover
        A workbook whose first sheet is the cover, its path relative to the theme.
    sparklines
        Whether tables of layers, paths and outputs have a small chart in each row, of which openpyxl warns.
    """

    colors: RoleColors = RoleColors()
    tabs: Tabs = Tabs()
    tones: Tones = Tones()
    font: Font = Font()
    numbers: Numbers = Numbers()
    logo: str | None = None
    cover: str | None = None
    sparklines: bool = False


class Theme(msgspec.Struct, frozen=True):
    """A theme with its files read. file: where it was found, as a command names it; logo: a picture's bytes."""

    keys: ThemeKeys = msgspec.field(default_factory=ThemeKeys)
    file: str = ""
    logo: bytes = b""
    cover: "Cover | None" = None


USUAL = Theme()


def tables() -> dict[str, Sequence[str]]:
    """By a theme's table its keys."""
    kinds: dict[str, Any] = {"": ThemeKeys, "colors": RoleColors, "tabs": Tabs, "tones": Tones, "font": Font}
    kinds |= {"numbers": Numbers} | {f"tones.{tone}": Tone for tone in Tones.__struct_fields__}
    return {table: kind.__struct_fields__ for table, kind in kinds.items()}
