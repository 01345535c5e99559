"""How cells look: named formats as data, in XlsxWriter's property names, made of a theme.

One place for number formats; the colors of the usual look are the theme's defaults.
"""

from functools import cached_property
from typing import Any

from msgspec import Struct

from sheetsim.workbook.writing.theme import USUAL, ThemeKeys

# Without a theme that names one.
FONT = "Arial"

# In a bar that is broken.
GAP = "#FFFFFF"

COLORS = "Colors: blue below 0, white at 0, orange above; strongest at the sheet's largest magnitude."

# The cell that says whether yellow cells were changed: of 1, and of 0.
AS_MADE = '"all as this file was made";;"changed: parameters and description are those it was made with"'


class Look(Struct, frozen=True, dict=True):
    """What a theme's roles mean for cells and charts.

    language_font: what the book's language needs, if anything, where the theme names no font.
    """

    theme: ThemeKeys = USUAL.keys
    language_font: str = ""

    @property
    def font_name(self) -> str:
        """The font of everything except commands."""
        return self.theme.font.name or self.language_font or FONT

    @property
    def font(self) -> dict[str, Any]:
        """Of cells without a format, and of those with one."""
        return {"font_name": self.font_name, "font_size": self.theme.font.size}

    @property
    def small_font(self) -> dict[str, Any]:
        """Of what is written in charts."""
        return {"size": 8, "color": self.theme.colors.muted, "name": self.font_name}

    @property
    def gridlines(self) -> dict[str, Any]:
        """Of charts."""
        return {"visible": True, "line": {"color": self.theme.colors.grid, "width": 0.5}}

    @property
    def tabs(self) -> dict[str, str]:
        """Colors of tabs, by what a sheet holds."""
        colors, tabs = self.theme.colors, self.theme.tabs
        return {
            "input": tabs.input or colors.input_border,
            "weights": tabs.weights,
            "sums": tabs.sums or colors.bar,
            "activations": tabs.activations,
            "gradients": tabs.gradients,
            "results": tabs.results or colors.ink,
            "draws": tabs.draws or colors.contour,
            "about": tabs.about or colors.heading,
        }

    @property
    def magnitudes(self) -> tuple[tuple[dict[str, Any], str], ...]:
        """How numbers look with 3 to 5 digits, by their size: cell rules in XlsxWriter's terms, the first wins.

        The format itself is for values near 1. Sections with conditions in one number format
        (`[>=10000]0.00E+00;0.0000`) lose the sign of negative numbers in LibreOffice.
        """
        numbers = self.theme.numbers
        return (
            ({"criteria": "==", "value": 0}, "0"),
            ({"criteria": "between", "minimum": -0.00095, "maximum": 0.00095}, numbers.scientific),
            ({"criteria": "not between", "minimum": -9999.5, "maximum": 9999.5}, numbers.scientific),
            ({"criteria": "not between", "minimum": -99.95, "maximum": 99.95}, numbers.hundreds),
            ({"criteria": "not between", "minimum": -9.995, "maximum": 9.995}, numbers.tens),
        )

    @property
    def color_scale(self) -> dict[str, str]:
        """Of the cells of a matrix: what is below 0, 0, and what is above it."""
        colors = self.theme.colors
        scale = {"min_color": colors.negative, "mid_color": colors.zero, "max_color": colors.positive}
        return {"type": "3_color_scale", **scale}

    @property
    def data_bars(self) -> dict[str, Any]:
        """Of shares, full at 1.

        Without the extensions of Excel 2010, as of sparklines: openpyxl, and pandas with it, warns of each that it does
        not know.
        """
        ends = {"min_type": "num", "min_value": 0, "max_type": "num", "max_value": 1}
        return {"type": "data_bar", "bar_color": self.theme.colors.share, **ends}

    @property
    def tones(self) -> dict[str, dict[str, str]]:
        """What a verdict's cell looks like by the tone of its text.

        Set as conditional formats, so that the color follows the formula.
        """
        tones = {tone: getattr(self.theme.tones, tone) for tone in self.theme.tones.__struct_fields__}
        return {tone: {"bg_color": of.fill, "font_color": of.text} for tone, of in tones.items()}

    def line_colors(self, count: int) -> tuple[str, ...]:
        """Colors of so many lines: distinct ones while there are, then a ramp in the lines' order."""
        lines, stops = self.theme.colors.lines, [_parts(color) for color in self.theme.colors.ramp]
        if count <= len(lines):
            return lines[:count]
        ramp = []
        for k in range(count):
            part, share = divmod(k / (count - 1) * (len(stops) - 1), 1)
            low, high = stops[int(part)], stops[min(int(part) + 1, len(stops) - 1)]
            ramp.append("#" + "".join(f"{round(a + share * (b - a)):02X}" for a, b in zip(low, high, strict=True)))
        return tuple(ramp)

    @cached_property
    def cells(self) -> dict[str, dict[str, Any]]:
        """The named formats."""
        theme, colors, numbers = self.theme, self.theme.colors, self.theme.numbers
        head = {"bold": True, "font_color": colors.ink, "bg_color": colors.heading}
        head |= {"bottom": 1, "bottom_color": colors.rule}
        title = {"bold": True, "font_size": 18, "font_color": colors.ink, "text_wrap": True, "valign": "vcenter"}
        changeable = {"bold": True, "align": "center", "bg_color": colors.input}
        changeable |= {"border": 1, "border_color": colors.input_border}
        return {
            "title": title,
            "title-small": {**title, "font_size": 12},
            "text": {"font_color": colors.ink},
            "link": {"font_color": colors.link, "underline": 1},
            "hint": {"font_color": colors.ink, "indent": 1},
            "hint-wrapped": {
                "font_color": colors.ink,
                "align": "left",
                "indent": 1,
                "text_wrap": True,
                "valign": "top",
            },
            "lead": {"font_color": colors.ink, "font_size": 11, "text_wrap": True, "valign": "top"},
            "note": {"font_color": colors.muted, "text_wrap": True, "valign": "top"},
            "muted": {"font_color": colors.muted, "align": "center"},
            "muted-left": {"font_color": colors.muted, "indent": 1},
            "section": {"bold": True, "font_size": 12, "font_color": colors.ink},
            "label": {"font_color": colors.ink, "align": "left"},
            "label-top": {"font_color": colors.ink, "align": "left", "valign": "top"},
            "heading": {**head, "align": "center", "text_wrap": True, "valign": "vcenter"},
            "heading-left": {**head, "align": "left"},
            "column": {**head, "align": "right"},
            "column-link": {**head, "align": "right", "font_color": colors.link, "underline": 1},
            "index-link": {**head, "align": "center", "font_color": colors.link, "underline": 1},
            "layer": {**head, "align": "center", "num_format": '"Layer "0'},
            "number": {"num_format": numbers.number, "align": "right"},
            "center": {"num_format": numbers.number, "align": "center"},
            "center-top": {"num_format": numbers.number, "align": "center", "valign": "top"},
            "amount": {"num_format": numbers.count, "align": "right"},
            "amount-center": {"num_format": numbers.count, "align": "center"},
            "count": {"num_format": numbers.count, "align": "right"},
            "count-center": {"num_format": numbers.count, "align": "center"},
            "whole": {"num_format": "0", "align": "right"},
            "ratio": {"num_format": "0.000", "align": "center"},
            "error": {
                "num_format": f'"± "{first_section(numbers.percent)}',
                "align": "center",
                "font_color": colors.muted,
            },
            "state": {"num_format": "0", "align": "center", "font_color": colors.muted},
            "one-to": {"num_format": '"1 to "0', "align": "left", "indent": 1, "font_color": colors.ink},
            "one-decimal": {"num_format": "0.0", "align": "right"},
            "one-decimal-center": {"num_format": "0.0", "align": "center"},
            "percent": {"num_format": numbers.percent, "align": "right"},
            "percent-center": {"num_format": numbers.percent, "align": "center"},
            "edge": {"num_format": numbers.number, "align": "right"},
            "up-to": {"num_format": "General", "align": "right"},
            "edge-muted": {"align": "right", "font_color": colors.muted, "italic": True},
            "input": {**changeable, "num_format": "General"},
            "input-number": {**changeable, "num_format": numbers.number},
            "as-made": {
                "font_color": colors.ink,
                "align": "left",
                "num_format": AS_MADE,
            },
            # Of pictures: their color scale alone is seen.
            "pixel": {"num_format": ";;;"},
            # Of pictures whose pixels are meant to be changed: the color scale covers a fill.
            "drawing": {
                "num_format": "General",
                "align": "center",
                "valign": "vcenter",
                "border": 1,
                "border_color": colors.input_border,
            },
            # Of heat maps: cells at a line, and at points.
            "at-line": {"num_format": "0.00", "align": "center", "border": 1, "border_color": colors.ink},
            "at-point": {
                "num_format": "0.00",
                "align": "center",
                "bold": True,
                "border": 2,
                "border_color": colors.ink,
            },
            "verdict": {"bold": True, "align": "center", "bg_color": colors.verdict},
            "verdict-top": {"bold": True, "align": "center", "valign": "top", "bg_color": colors.verdict},
            "code": {"font_name": theme.font.code, "font_color": colors.ink, "text_wrap": True, "valign": "top"},
            "wrapped": {"font_color": colors.ink, "text_wrap": True, "valign": "top"},
            # Last: the writer numbers styles in this order, and a number of two digits in each cell of a matrix makes
            # the deflated sheet 1 % smaller, as the deflate window then holds fewer digits to mistake for repetitions.
            "matrix": {"num_format": numbers.number},
            "axis": {**head, "align": "center", "num_format": "General"},
            "exponent": {"num_format": "0.00", "align": "center"},
            "index": {**head, "align": "center"},
        }


# Of books without a theme, and of pictures.
USUAL_LOOK = Look()


def first_section(number_format: str) -> str:
    """A number format for what is above 0."""
    return number_format.partition(";")[0]


def _parts(color: str) -> tuple[int, ...]:
    return tuple(int(color[k : k + 2], 16) for k in (1, 3, 5))


def axis_format(low: float, high: float) -> str:
    """The number format of an axis from low to high. An edge that lies a hair below 0 shows as 0 and not as -0.00.

    Negative numbers stand in the second section with a sign of their own: so they have one in Excel and LibreOffice.
    """
    width = high - low
    digits = "0.0E+00" if max(abs(low), abs(high)) >= 1000 or width < 0.05 else "0.00"
    hair = f"{width * 1e-6:.20f}".rstrip("0").rstrip(".")  # a condition in a format has no exponent
    return f'[>={hair}]{digits};[<=-{hair}]-{digits};"0"'
