"""How the lines of charts look: one definition for the charts of books and for pictures of them."""

from collections.abc import Sequence
from itertools import cycle
from typing import NamedTuple

from sheetsim.workbook.layout import Line, Lines, Trace
from sheetsim.workbook.writing.styles import Look

# Cells of a line, beyond which it has no markers.
MOST_MARKERS = 40

# Points of a line, by its style.
WIDTHS = {"solid": 1.75, "band": 0.5, "inner": 1.25, "outer": 0.75}

# In the color of the line before it.
ALIKE = ("band", "inner", "outer")

# A shape a line, so that a print in black and white tells them apart.
MARKERS = ("circle", "square", "diamond", "triangle", "x")


class LineLook(NamedTuple):
    """How a line is drawn.

    width, size: of the line (0: none) and of its markers, in points; marker: "" for none; named: whether the legend
    names it.
    """

    color: str
    width: float
    dashed: bool = False
    marker: str = ""
    size: float = 5
    named: bool = True


def contour_look(look: Look) -> LineLook:
    """The look of a contour line."""
    return LineLook(look.theme.colors.contour, 0.5, named=False)


def line_looks(look: Look, item: Lines) -> list[LineLook]:
    """A look a line of a chart."""
    longest = max(sum(node.shape[0] for node in line.cells) for line in item.lines)
    shapes = cycle(MARKERS)
    looks = []
    for line, line_color in zip(item.lines, _colors(look, item.lines), strict=True):
        solid = line.style == "solid" and len(item.lines) <= len(look.theme.colors.lines) and longest <= MOST_MARKERS
        looks.append(
            LineLook(
                line_color if line.style in ("solid", "guide", *ALIKE) else look.theme.colors.muted,
                0 if line.style == "none" else WIDTHS.get(line.style, 1),
                line.style in ("dashed", "guide", "outer"),
                next(shapes) if solid and not item.labels else "",
                named=line.style not in ("none", "band"),
            )
        )
    return looks


def row_colors(look: Look, parts: int) -> tuple[str, ...]:
    """The colors of bars from left to right: a histogram's where there is one part."""
    return (look.theme.colors.bar,) if parts == 1 else look.line_colors(parts)


def trace_look(look: Look, trace: Trace) -> LineLook:
    """The look of a trace of a scatter chart."""
    if trace.style == "point":
        return LineLook(look.theme.colors.ink, 0, marker="diamond", size=7)
    size = 4 if trace.points.shape[0] <= MOST_MARKERS else 2
    return LineLook(look.theme.colors.lines[trace.color], 1, marker="circle", size=size)


def _colors(look: Look, lines: Sequence[Line]) -> list[str]:
    """A color a line; an interval's ends have that of the line before them."""
    colors = iter(look.line_colors(sum(line.style not in ALIKE for line in lines)))
    chosen: list[str] = []
    for line in lines:
        chosen.append(chosen[-1] if line.style in ALIKE else next(colors))
    return chosen
