"""How cells look: named formats as data, in XlsxWriter's property names. One place for colors and number formats."""

from typing import Any

FONT = {"font_name": "Arial", "font_size": 10}
INK = "#1F2937"
MUTED = "#6B7280"
BAR = "#2F6DB5"
# Of a histogram: what lies outside its range, and a spike's stripes.
OUTSIDE = "#B58900"
SPIKE = "#8A94A3"
# Of charts: thin lines behind and around them, and the gap in a bar that is broken.
RULED, GAP = "#E5E7EB", "#FFFFFF"
# Told apart without red, green or blue receptors too, and most in gray (test_charts).
LINES = ("#2F6DB5", "#B23A0E", "#53B89C", "#5B2A6E", "#E0A000")
RAMP = ((0x1F, 0x3B, 0x8C), (0x3B, 0x9D, 0xC8), (0xC9, 0xB4, 0x4B), (0xB0, 0x2A, 0x1E))
RULE_COLOR = "#C9D1DC"
CONTOUR = "#A3ADBA"
HEADING = "#E8EEF6"

# For values near 1. Other magnitudes get theirs by conditional formats: sections with conditions in one number format
# (`[>=10000]0.00E+00;0.0000`) lose the sign of negative numbers in LibreOffice.
NUMBER = "0.0000"

# Cell rules in XlsxWriter's terms, the first that fits wins: what a number of that size looks like with 3 to 5 digits.
MAGNITUDES: tuple[tuple[dict[str, Any], str], ...] = (
    ({"criteria": "==", "value": 0}, "0"),
    ({"criteria": "between", "minimum": -0.00095, "maximum": 0.00095}, "0.00E+00"),
    ({"criteria": "not between", "minimum": -9999.5, "maximum": 9999.5}, "0.00E+00"),
    ({"criteria": "not between", "minimum": -99.95, "maximum": 99.95}, "0.0"),
    ({"criteria": "not between", "minimum": -9.995, "maximum": 9.995}, "0.00"),
)
# Of the cells of a matrix: what is below 0, 0, and what is above it.
NEGATIVE, ZERO, POSITIVE = "#7FB2E5", "#FFFFFF", "#F2A65A"
COLORS = "Colors: blue below 0, white at 0, orange above; strongest at the sheet's largest magnitude."
COLOR_SCALE = {"type": "3_color_scale", "min_color": NEGATIVE, "mid_color": ZERO, "max_color": POSITIVE}
# Of shares, full at 1. Without the extensions of Excel 2010, as of sparklines: openpyxl, and pandas with it, warns of
# each that it does not know.
DATA_BARS = {
    "type": "data_bar",
    "bar_color": "#B9D3EE",
    "min_type": "num",
    "min_value": 0,
    "max_type": "num",
    "max_value": 1,
}
LINK = "#1F5FA8"
# By what a sheet holds.
TABS = {
    "input": "#D6A800",
    "weights": "#8A5AA8",
    "sums": "#2F6DB5",
    "activations": "#2E8B57",
    "gradients": "#C4541B",
    "results": "#1F2937",
    "draws": "#A3ADBA",
    "about": "#E8EEF6",
}
_head = {"bold": True, "font_color": INK, "bg_color": HEADING, "bottom": 1, "bottom_color": RULE_COLOR}

STYLES: dict[str, dict[str, Any]] = {
    "title": {"bold": True, "font_size": 18, "font_color": INK, "text_wrap": True, "valign": "vcenter"},
    "text": {"font_color": INK},
    "link": {"font_color": LINK, "underline": 1},
    "hint": {"font_color": INK, "indent": 1},
    "lead": {"font_color": INK, "font_size": 11, "text_wrap": True, "valign": "top"},
    "note": {"font_color": MUTED, "text_wrap": True, "valign": "top"},
    "muted": {"font_color": MUTED, "align": "center"},
    "muted-left": {"font_color": MUTED, "indent": 1},
    "section": {"bold": True, "font_size": 12, "font_color": INK},
    "label": {"font_color": INK, "align": "left"},
    "label-top": {"font_color": INK, "align": "left", "valign": "top"},
    "heading": {**_head, "align": "center", "text_wrap": True, "valign": "vcenter"},
    "heading-left": {**_head, "align": "left"},
    "column": {**_head, "align": "right"},
    "column-link": {**_head, "align": "right", "font_color": LINK, "underline": 1},
    "index-link": {**_head, "align": "center", "font_color": LINK, "underline": 1},
    "layer": {**_head, "align": "center", "num_format": '"Layer "0'},
    "number": {"num_format": NUMBER, "align": "right"},
    "center": {"num_format": NUMBER, "align": "center"},
    "amount": {"num_format": "#,##0", "align": "right"},
    "amount-center": {"num_format": "#,##0", "align": "center"},
    "count": {"num_format": "#,##0", "align": "right"},
    "count-center": {"num_format": "#,##0", "align": "center"},
    "whole": {"num_format": "0", "align": "right"},
    "ratio": {"num_format": "0.000", "align": "center"},
    "error": {"num_format": '"± "0.0%', "align": "center", "font_color": MUTED},
    "state": {"num_format": "0", "align": "center", "font_color": MUTED},
    "one-decimal": {"num_format": "0.0", "align": "right"},
    "one-decimal-center": {"num_format": "0.0", "align": "center"},
    "percent": {"num_format": "0.0%", "align": "right"},
    "percent-center": {"num_format": "0.0%", "align": "center"},
    "edge": {"num_format": NUMBER, "align": "right"},
    "up-to": {"num_format": "General", "align": "right"},
    "edge-muted": {"align": "right", "font_color": MUTED, "italic": True},
    "input": {
        "bold": True,
        "align": "center",
        "bg_color": "#FFF4CC",
        "border": 1,
        "border_color": "#D6A800",
        "num_format": "General",
    },
    "as-made": {
        "font_color": INK,
        "align": "left",
        "num_format": '"all as this file was made";;"changed: parameters and description are those it was made with"',
    },
    # Of pictures: their color scale alone is seen.
    "pixel": {"num_format": ";;;"},
    # Of pictures whose pixels are meant to be changed: the color scale covers a fill.
    "drawing": {
        "num_format": "General",
        "align": "center",
        "valign": "vcenter",
        "border": 1,
        "border_color": "#D6A800",
    },
    # Of heat maps: cells at a line, and at points.
    "at-line": {"num_format": "0.00", "align": "center", "border": 1, "border_color": INK},
    "at-point": {"num_format": "0.00", "align": "center", "bold": True, "border": 2, "border_color": INK},
    "verdict": {"bold": True, "align": "center", "bg_color": "#F3F4F6"},
    "code": {"font_name": "Courier New", "font_color": INK, "text_wrap": True, "valign": "top"},
    "wrapped": {"font_color": INK, "text_wrap": True, "valign": "top"},
    # Last: the writer numbers styles in this order, and a number of two digits in each cell of a matrix makes the
    # deflated sheet 1 % smaller, as the deflate window then holds fewer digits to mistake for repetitions.
    "matrix": {"num_format": NUMBER},
    "axis": {**_head, "align": "center", "num_format": "General"},
    "exponent": {"num_format": "0.00", "align": "center"},
    "index": {**_head, "align": "center"},
}

# What a verdict's cell looks like by the tone of its text; set as conditional formats, so that the color follows the
# formula.
TONES: dict[str, dict[str, str]] = {
    "good": {"bg_color": "#D9F2E0", "font_color": "#14652F"},
    "warning": {"bg_color": "#FCEBCB", "font_color": "#8A5200"},
    "bad": {"bg_color": "#FBDDD7", "font_color": "#9B2211"},
    "neutral": {"bg_color": "#F3F4F6", "font_color": "#4B5563"},
}


def line_colors(count: int) -> tuple[str, ...]:
    """Colors of so many lines: distinct ones while there are, then a ramp from blue to red, in the lines' order."""
    if count <= len(LINES):
        return LINES[:count]
    ramp = []
    for k in range(count):
        part, share = divmod(k / (count - 1) * (len(RAMP) - 1), 1)
        low, high = RAMP[int(part)], RAMP[min(int(part) + 1, len(RAMP) - 1)]
        ramp.append("#" + "".join(f"{round(a + share * (b - a)):02X}" for a, b in zip(low, high, strict=True)))
    return tuple(ramp)


def axis_format(low: float, high: float) -> str:
    """The number format of an axis from low to high. An edge that lies a hair below 0 shows as 0 and not as -0.00.

    Negative numbers stand in the second section with a sign of their own: so they have one in Excel and LibreOffice.
    """
    width = high - low
    digits = "0.0E+00" if max(abs(low), abs(high)) >= 1000 or width < 0.05 else "0.00"
    hair = f"{width * 1e-6:.20f}".rstrip("0").rstrip(".")  # a condition in a format has no exponent
    return f'[>={hair}]{digits};[<=-{hair}]-{digits};"0"'
