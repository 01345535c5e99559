"""Contour lines of a function of two variables: points computed when a book is made, which follow no cell."""

import math
from typing import Any

import numpy as np
from msgspec import Struct

from sheetsim.engine.evaluate import Program
from sheetsim.model.expr import Matrix, matrix
from sheetsim.model.graph import Graph
from sheetsim.model.op import Array, Op, broadcast
from sheetsim.model.traversal import topological
from sheetsim.studies.optimizers.function_text import Function
from sheetsim.workbook.layout import Ticks

Window = tuple[Ticks, Ticks]

# Points of the grid along each axis.
GRID = 81
MARGIN = 0.08


class Contours(Struct, frozen=True):
    """Pieces of contour lines in a window: each an array of points (n×2), with its level."""

    levels: tuple[float, ...]
    pieces: tuple[Array, ...]


def window_of(points: Array) -> Window:
    """The axes of x and y around points (n×2)."""
    return _ticks(points[:, 0], _span(points[:, 1])), _ticks(points[:, 1], _span(points[:, 0]))


def contours(f: Function, window: Window, count: int, most: int) -> Contours:
    """`count` levels of f over a window, `most` pieces of lines at most, the longest.

    The levels are quantiles of f over the window at (k / (count + 1))²: lines of a quadratic function are then evenly
    spaced, as are those of any rising function of one. Where f is not a finite number there are no lines.
    """
    xs, ys = (np.linspace(axis.low, axis.high, GRID) for axis in window)
    heights = grid_heights(f, xs, ys)
    pieces: list[tuple[float, Array]] = []
    if count and np.isfinite(heights).any():
        from contourpy import LineType, contour_generator  # not for studies that draw no contours

        lines: Any = contour_generator(xs, ys, np.ma.masked_invalid(heights), line_type=LineType.Separate)
        for level in _levels(heights[np.isfinite(heights)], count):
            pieces += [(level, piece) for piece in lines.lines(level) if len(piece) > 1 and np.isfinite(piece).all()]
    scale = [axis.high - axis.low for axis in window]
    lengths = [np.hypot(*(np.diff(piece, axis=0) / scale).T).sum() for _, piece in pieces]
    kept = sorted(np.argsort(lengths, kind="stable")[::-1][:most]) if pieces else []
    return Contours(tuple(pieces[k][0] for k in kept), tuple(pieces[k][1] for k in kept))


def _span(numbers: Array) -> float:
    return float(numbers.max() - numbers.min())


def _ticks(numbers: Array, other: float) -> Ticks:
    """An axis around the numbers that ends at its ticks; never narrower than a quarter of the other one's span."""
    low, high = float(numbers.min()), float(numbers.max())
    size = max(abs(low), abs(high))
    # Points that do not move at all leave the choice; those that hardly move, enough for doubles to tell them apart.
    span = max(_span(numbers), other / 4)
    span = max(span, 1e-6 * size) if span else max(size, 1.0)
    more = (span - (high - low)) / 2 + MARGIN * span
    low, high = low - more, high + more
    rough = (high - low) / 6
    power = 10.0 ** math.floor(math.log10(rough))
    tick = next(step * power for step in (1, 2, 5, 10) if step * power >= rough * (1 - 1e-9))
    # Whole multiples have digits too many: 3 · 0.1 is 0.30000000000000004.
    return Ticks(*(float(f"{x:.12g}") for x in (math.floor(low / tick) * tick, math.ceil(high / tick) * tick, tick)))


def grid_heights(f: Function, xs: Array, ys: Array) -> Array:
    """f over the grid, a row a y: at once where each of its ops goes element by element, point by point otherwise."""
    graph = Graph()
    x, y = graph.input("x", 0.0), graph.input("y", 0.0)
    height = matrix(f(x, y))
    program = Program([height], [x, y])
    if _is_elementwise(height):
        heights = program({x: xs.reshape(1, -1), y: ys.reshape(-1, 1)})[height]
        return np.broadcast_to(heights, (len(ys), len(xs)))
    return np.array([[program({x: np.array([[a]]), y: np.array([[b]])})[height][0, 0] for a in xs] for b in ys])


def _is_elementwise(node: Matrix) -> bool:
    return all(part.source.shape is broadcast for part in topological([node]) if isinstance(part.source, Op))


def _levels(heights: Array, count: int) -> list[float]:
    """Rising levels above the least height, with digits enough to tell them apart."""
    least = heights.min()
    levels = np.quantile(heights, (np.arange(1, count + 1) / (count + 1)) ** 2)
    levels = levels[levels > least]
    if not len(levels):
        return []
    digits = 2 - math.floor(math.log10(levels[0] - least))
    return [float(level) for level in np.unique(np.round(levels, min(max(digits, -300), 300))) if level > least]
