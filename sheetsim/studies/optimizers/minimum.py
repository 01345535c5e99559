"""The least value of a function of two variables, looked for when a book is made: it knows no optimizer's path."""

from collections.abc import Iterator

import numpy as np
from msgspec import Struct

from sheetsim.engine.evaluate import Program
from sheetsim.model.expr import matrix
from sheetsim.model.graph import Graph
from sheetsim.model.op import Array
from sheetsim.studies.optimizers.contours import grid_heights
from sheetsim.studies.optimizers.function_text import Function
from sheetsim.workbook.layout import Ticks

# The window, and one that is so many times as wide and reaches beyond the origin, are cut into so many parts along each
# axis; of each the lowest of the points is one to begin from.
WIDER, PARTS, POINTS = 5, 3, 9

# Of so many of the points that came lowest in a short descent the way down is followed to its end.
FOLLOWED = 3

# What stands where f is not a number: the minimizer compares and subtracts.
HIGH = 1e300

# So many windows, and ways to the origin, away no end is looked for: f falls without one, or towards one at infinity.
FAR = 100

# The point is written with the fewest of these digits that raise f by no more than a part in 10⁹ of what the descent
# took: the last digits of a minimizer differ between its versions.
DIGITS = (6, 9, 12, 15)
RAISED = 1e-9


class Minimum(Struct, frozen=True):
    """Where f was least, and from how many points that was looked for."""

    point: tuple[float, float]
    tries: int


class _EndlessError(Exception):
    """f falls where no end is seen."""


def least_found(f: Function, points: Array, window: tuple[Ticks, Ticks]) -> Minimum | None:
    """The lowest local minimum that a simplex finds (Nelder & Mead 1965, scipy.optimize).

    It starts from the points (n×2, the first a start where f is a number), and from the lowest points of parts of the
    window and of a wider one.
    """
    from scipy.optimize import minimize  # not for studies that look for nothing

    graph = Graph()
    x, y = graph.input("x", 0.0), graph.input("y", 0.0)
    height = matrix(f(x, y))
    program = Program([height], [x, y])
    low, high = (np.array([getattr(axis, end) for axis in window]) for end in ("low", "high"))
    middle, size = (low + high) / 2, high - low
    wide = size + np.abs(middle)

    def at(p: Array) -> float:
        """f at a point, HIGH where it is not a number."""
        if (np.abs(p - middle) > FAR * wide).any():
            raise _EndlessError
        number = float(program({x: p[:1].reshape(1, 1), y: p[1:].reshape(1, 1)})[height][0, 0])
        if number < -HIGH:
            raise _EndlessError
        return min(number, HIGH) if np.isfinite(number) else HIGH

    def value(place: Array) -> float:
        """f at a place, in windows from the middle."""
        return at(middle + place * size)

    def descent(place: Array, width: float, tolerance: float) -> tuple[float, Array]:
        simplex = place + width * np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        options = {"initial_simplex": simplex, "xatol": tolerance, "fatol": np.inf, "maxfev": 1000}
        end = minimize(value, place, method="Nelder-Mead", options=options)
        return float(end.fun), end.x

    # The end of a path that runs away is far from all else.
    near = [np.asarray(p) for p in points if (np.abs(p - middle) <= WIDER * wide).all()]
    near += [p for width in (size, WIDER * wide) for p in _lowest(f, middle, width)]
    places = [(p - middle) / size for p in near]
    try:
        first = value(places[0])
        places = [place for place in places if value(place) < HIGH]
        lowest = sorted((descent(place, 0.03, 1e-2) for place in places), key=lambda end: end[0])[:FOLLOWED]
        ends = [descent(place, 0.01, 1e-6) for _, place in lowest]
        # Of minima that are equally deep the last digits are not to choose.
        deepest = min(lowest for lowest, _ in ends)
        enough = deepest + RAISED * (first - deepest)
        # A simplex may lie flat before it is down; a new one stands upright.
        least, place = descent(next(place for lowest, place in ends if lowest <= enough), 1e-3, 1e-10)
        p = middle + place * size
        allowed = least + RAISED * (first - least)
        powers = np.floor(np.log10(wide)).astype(int)
        for digits in DIGITS:
            rounded = np.array([round(float(c), int(digits - k)) for c, k in zip(p, powers, strict=True)])
            if at(rounded) <= allowed:
                p = rounded
                break
        around = max(at(p + 1e-6 * size * np.array(way)) for way in ((1, 0), (-1, 0), (0, 1), (0, -1)))
    except _EndlessError:
        return None
    return None if around >= HIGH else Minimum((float(p[0]) + 0.0, float(p[1]) + 0.0), len(places))


def _lowest(f: Function, middle: Array, width: Array) -> Iterator[Array]:
    """The lowest point of each part of a window."""
    along = (np.arange(PARTS * POINTS) + 0.5) / (PARTS * POINTS) - 0.5
    xs, ys = (center + along * whole for center, whole in zip(middle, width, strict=True))
    heights = grid_heights(f, xs, ys)
    parts = np.where(np.isfinite(heights), heights, np.inf).reshape(PARTS, POINTS, PARTS, POINTS).swapaxes(1, 2)
    for (top, left), part in zip(np.ndindex(PARTS, PARTS), parts.reshape(-1, POINTS, POINTS), strict=True):
        row, column = np.unravel_index(np.argmin(part), part.shape)
        yield np.array([xs[POINTS * left + column], ys[POINTS * top + row]])
