"""How cells look: named formats as data, in XlsxWriter's property names. One place for colours and number formats."""

from typing import Any

FONT = {"font_name": "Arial", "font_size": 10}
INK = "#1F2937"
MUTED = "#6B7280"
BAR = "#2F6DB5"
RULE = "#C9D1DC"
HEADING = "#E8EEF6"

# 4 digits as most values are near 1; scientific where they would not fit the column.
NUMBER = "[>=10000]0.00E+00;[<=-10000]-0.00E+00;0.0000"
# The first edge lies a little below 0 where the range begins there: a plain 0.00 would show it as -0.00.
BIN = '[<=-0.005]-#,##0.00;[<0.005]"0.00";#,##0.00'

_head = {"bold": True, "font_color": INK, "bg_color": HEADING, "bottom": 1, "bottom_color": RULE}

STYLES: dict[str, dict[str, Any]] = {
    "title": {"bold": True, "font_size": 18, "font_color": INK},
    "text": {"font_color": INK},
    "hint": {"font_color": INK, "indent": 1},
    "lead": {"font_color": INK, "font_size": 11, "text_wrap": True, "valign": "top"},
    "note": {"font_color": MUTED, "text_wrap": True, "valign": "top"},
    "muted": {"font_color": MUTED, "align": "center"},
    "section": {"bold": True, "font_size": 12, "font_color": INK},
    "label": {"font_color": INK, "align": "left"},
    "heading": {**_head, "align": "center", "text_wrap": True, "valign": "vcenter"},
    "heading-left": {**_head, "align": "left"},
    "column": {**_head, "align": "right"},
    "layer": {**_head, "align": "center", "num_format": '"Layer "0'},
    "number": {"num_format": NUMBER, "align": "right"},
    "centre": {"num_format": NUMBER, "align": "center"},
    "count": {"num_format": "#,##0", "align": "right"},
    "count-centre": {"num_format": "#,##0", "align": "center"},
    "count-muted": {"num_format": "#,##0", "align": "right", "font_color": MUTED, "italic": True},
    "whole": {"num_format": "0", "align": "right"},
    "ratio": {"num_format": "0.000", "align": "center"},
    "error": {"num_format": '"± "0.000', "align": "center", "font_color": MUTED},
    "state": {"num_format": "0", "align": "center", "font_color": MUTED},
    "one-decimal": {"num_format": "0.0", "align": "right"},
    "one-decimal-centre": {"num_format": "0.0", "align": "center"},
    "percent": {"num_format": "0.0%", "align": "right"},
    "percent-centre": {"num_format": "0.0%", "align": "center"},
    "edge": {"num_format": BIN, "align": "right"},
    "edge-muted": {"num_format": BIN, "align": "right", "font_color": MUTED, "italic": True},
    "input": {
        "bold": True,
        "align": "center",
        "bg_color": "#FFF4CC",
        "border": 1,
        "border_color": "#D6A800",
        "num_format": "General",
    },
    "verdict": {"bold": True, "align": "center", "bg_color": "#F3F4F6"},
    "code": {"font_name": "Courier New", "font_color": INK},
    "parameter": {"font_color": INK, "align": "left", "num_format": "General"},
    # Last: the writer numbers styles in this order, and a number of two digits in each cell of a matrix makes the
    # deflated sheet 1 % smaller, as the deflate window then holds fewer digits to mistake for repetitions.
    "matrix": {"num_format": NUMBER},
    "index": {**_head, "align": "center"},
}

# What a verdict's cell looks like by its text; set as conditional formats, so that the colour follows the formula.
VERDICTS: dict[str, dict[str, str]] = {
    "healthy": {"bg_color": "#D9F2E0", "font_color": "#14652F"},
    "holds": {"bg_color": "#D9F2E0", "font_color": "#14652F"},
    "saturated": {"bg_color": "#FBDDD7", "font_color": "#9B2211"},
    "exploding": {"bg_color": "#FBDDD7", "font_color": "#9B2211"},
    "does not hold": {"bg_color": "#FBDDD7", "font_color": "#9B2211"},
    "collapsed": {"bg_color": "#FCEBCB", "font_color": "#8A5200"},
    "dying": {"bg_color": "#FCEBCB", "font_color": "#8A5200"},
}
