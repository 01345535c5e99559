"""The summary of paths down a function of two variables: where each ends, how far it came, and a verdict in words."""

from collections.abc import Sequence

from msgspec import Struct

from sheetsim.model.expr import (
    Matrix,
    column,
    if_error,
    largest,
    matrix,
    minimum,
    row,
    row_numbers,
    total,
    where,
)
from sheetsim.model.graph import Graph
from sheetsim.model.series import Series
from sheetsim.summary.table import Column, Table
from sheetsim.summary.variance import NONE
from sheetsim.summary.verdict import Verdict

# The share of the way down that may be left. A convention of this program, stated beside the verdicts.
LEFT = 0.01

PATHS = (
    Verdict("99 % down", "at the end at most 1 % of the way from f at the start to least f is left", "good"),
    Verdict(
        "best of five",
        "f at the end is the least of the five; the minimum of f is not known",
        "neutral",
    ),
    Verdict("on its way", "f at the end is at most that of the start, and neither of these", "warning"),
    Verdict("not moved", "every step has length 0", "neutral"),
    Verdict("diverging", "f at the end is above that of the start, or is not a number (overflow)", "bad"),
)


class Path(Struct, frozen=True):
    """One optimizer's series, from the start: positions p (x and y), f there, gradient, state, and lengths of steps."""

    name: str
    p: Series
    f: Series
    others: tuple[Series, ...]
    moved: Series


def path_table(graph: Graph, paths: Sequence[Path], window: Matrix, minimum_f: Matrix | None) -> tuple[Table, Matrix]:
    """One row per path, and the least f that is known (`least_f`): that found without the paths, or a lower one on one.

    window: 2×2, x from and to, y from and to; minimum_f: f where a minimizer found it least, None where it found none:
    then no least f is known, and `least_f` is NaN (#N/A).
    Where f overflows it counts as that of the start, in what looks for a least one.
    """
    seen = [if_error(path.f, path.f[0]) for path in paths]
    lowest = tuple(map(minimum, seen))
    lower = -largest(*(-low for low in (*lowest, minimum_f))) if minimum_f is not None else matrix(NONE) + 0
    known_as = "minimum_f, or less where a path goes lower; #N/A without a minimum"
    least = graph.define("least_f", lower, what=known_as)
    # Placed: f's own formula has these coordinates too, and refers to the path and not to this table.
    ends = [(column(path.p[-1], 1).placed(None), column(path.p[-1], 2).placed(None), path.f[-1] + 0) for path in paths]
    columns = (
        Column("x", "x at the last step", tuple(x for x, _, _ in ends)),
        Column("y", "y at the last step", tuple(y for _, y, _ in ends)),
        Column("f", "f at the last step", tuple(f for _, _, f in ends)),
        Column("f_ratio", "f at the last step over f at the start", tuple(path.f[-1] / path.f[0] for path in paths)),
        Column(
            "steps_to_1_percent",
            "the first step with at most 1 % of the way down left, from f at the start to least_f; #N/A: none, or it "
            "diverges, or no least f is known",
            tuple(
                _first(path, heights, least) if minimum_f is not None else matrix(NONE) + 0
                for path, heights in zip(paths, seen, strict=True)
            ),
            "count",
        ),
        Column("path_length", "the sum of the steps' lengths", tuple(total(path.moved) for path in paths), "size"),
        Column("least", "the least f on the path", lowest),
        Column(
            "outside", "steps outside of the charts' window", tuple(_outside(path, window) for path in paths), "count"
        ),
    )
    names = [path.name for path in paths]
    return Table("paths", "optimizer", names, columns, "Paths", "how each path began and ended"), least


def _is_sound(path: Path) -> Matrix:
    """1 where f ends as a number that is not above its value at the start.

    An overflow is an error value in the sheet, infinity or NaN here; neither compares.
    """
    end = path.f[-1]
    return where(if_error(end * 0 + 1, 0) > 0, end <= path.f[0], 0)


def _is_down(path: Path, f: Matrix, least: Matrix) -> Matrix:
    """1 where at most the share LEFT of the way down is left."""
    return f - least <= LEFT * (path.f[0] - least)


def _first(path: Path, seen: Matrix, least: Matrix) -> Matrix:
    steps = len(path.f)
    number = minimum(where(_is_down(path, seen, least), row_numbers(seen) - 1, steps))
    return where(_is_sound(path) * (least < path.f[0]) * (number < steps), number, NONE)


def _outside(path: Path, window: Matrix) -> Matrix:
    inside = None
    for axis in (1, 2):
        numbers, ends = column(path.p, axis), row(window, axis)
        along = (numbers >= column(ends, 1)) * (numbers <= column(ends, 2))
        inside = along if inside is None else inside * along
    assert inside is not None
    return total(1 - if_error(inside, 0))


def path_verdicts(graph: Graph, paths: Sequence[Path], table: Table, minimum_f: Matrix | None) -> tuple[Matrix, ...]:
    """One word a path, of PATHS. Names `verdict_sgd`…, and without a least f `best_f`, the least f at an end.

    minimum_f: as in `path_table`.
    """
    least = graph["least_f"]
    if minimum_f is None:
        ends = (where(_is_sound(path), -path.f[-1], -path.f[0]) for path in paths)
        said = "only without a minimum: the least f at the end of a path that does not diverge"
        best = graph.define("best_f", -largest(*ends), what=said)
    words = []
    for path, length in zip(paths, table["path_length"], strict=True):
        # 0/0 alone is an error: IronCalc takes numbers under 2E-16 for equal to 0.
        moves = if_error(length / length, 0)
        if minimum_f is None:
            word = where(path.f[-1] <= best, "best of five", "on its way")
        else:
            word = where(_is_down(path, path.f[-1], least), "99 % down", "on its way")
        sound = where(moves > 0, word, "not moved")
        word = where(_is_sound(path), sound, "diverging")
        words.append(graph.define(f"verdict_{path.name}", word, what="the paths' verdicts"))
    return tuple(words)
