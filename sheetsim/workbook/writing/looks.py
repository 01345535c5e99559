"""How the lines of charts look: one definition for the charts of books and for pictures of them."""

from collections.abc import Sequence
from itertools import cycle
from typing import NamedTuple

from sheetsim.workbook.layout import Line, Lines, Trace
from sheetsim.workbook.writing.styles import CONTOUR, INK, LINES, MUTED, line_colors

# Cells of a line, beyond which it has no markers.
MOST_MARKERS = 40

# Points of a line, by its style.
WIDTHS = {"solid": 1.75, "band": 0.5, "inner": 1.25, "outer": 0.75}

# In the color of the line before it.
ALIKE = ("band", "inner", "outer")

# A shape a line, so that a print in black and white tells them apart.
MARKERS = ("circle", "square", "diamond", "triangle", "x")


class Look(NamedTuple):
    """A line's color, its width in points (0.

    No line), whether it is dashed, its marker ("": none) and that one's size in points, and whether the legend names
    it.
    """

    color: str
    width: float
    dashed: bool = False
    marker: str = ""
    size: float = 5
    named: bool = True


CONTOUR_LOOK = Look(CONTOUR, 0.5, named=False)


def line_looks(item: Lines) -> list[Look]:
    """A look a line of a chart."""
    longest = max(sum(node.shape[0] for node in line.cells) for line in item.lines)
    shapes = cycle(MARKERS)
    looks = []
    for line, line_color in zip(item.lines, _colors(item.lines), strict=True):
        solid = line.style == "solid" and len(item.lines) <= len(LINES) and longest <= MOST_MARKERS
        looks.append(
            Look(
                line_color if line.style in ("solid", "guide", *ALIKE) else MUTED,
                0 if line.style == "none" else WIDTHS.get(line.style, 1),
                line.style in ("dashed", "guide", "outer"),
                next(shapes) if solid and not item.labels else "",
                named=line.style not in ("none", "band"),
            )
        )
    return looks


def trace_look(trace: Trace) -> Look:
    """The look of a trace of a scatter chart."""
    if trace.style == "point":
        return Look(INK, 0, marker="diamond", size=7)
    return Look(LINES[trace.color], 1, marker="circle", size=4 if trace.points.shape[0] <= MOST_MARKERS else 2)


def _colors(lines: Sequence[Line]) -> list[str]:
    """A color a line; an interval's ends have that of the line before them."""
    colors = iter(line_colors(sum(line.style not in ALIKE for line in lines)))
    chosen: list[str] = []
    for line in lines:
        chosen.append(chosen[-1] if line.style in ALIKE else next(colors))
    return chosen
