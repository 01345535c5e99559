"""The spectral radius and the largest singular value of a matrix, as formulas of it: no eigenvalue is asked for."""

from msgspec import Struct

from sheetsim.model.expr import Matrix, absolute, if_error, matrix, maximum, sqrt
from sheetsim.model.graph import Graph
from sheetsim.model.series import Series

# Each squaring doubles the angle by which a complex pair of eigenvalues turns, and the rounding error of that angle:
# after 18 the powers agree to 10 digits between programs; after 50, which norms alone would need, to none.
SQUARINGS = 18

# So many averages, over so many of the last powers in turn: of 1000 random matrices the worst was off by 4e-11.
AVERAGES, LEVELS = 36, 12

# What the series are, of W and of WᵀW.
SERIES = {
    "powers": "by squaring, W and WᵀW to the powers 1, 2, 4, …, each over a factor",
    "scale": "the largest magnitude of the power before, by which it is divided",
    "radius": "the spectral radius as far as the squarings tell it",
}
OF_AVERAGES = "X ← B X Bᵀ + X over the last powers B, each over its magnitude"


class Radius(Struct, frozen=True):
    """The way to a matrix A's spectral radius, by step.

    powers: step i is A^(2^i) over a factor, step 0 A itself, n×n each; scale: step i is the largest magnitude of step
    i − 1 of the powers; radius: step i is the radius as far as i squarings tell it; averages: step j is what j steps of
    averaging over the turns of eigenvalues give; value: the spectral radius, 1×1.
    """

    powers: Series
    scale: Series
    radius: Series
    averages: Series
    value: Matrix


def spectral_radius(graph: Graph, A: Matrix, tail: str) -> Radius:
    """The largest magnitude of A's eigenvalues, ρ = lim ‖A^m‖^(1/m) (Gelfand 1941), for any n×n matrix.

    By squaring: B_0 = A, c_i = max|B_{i−1}|, B_i = (B_{i−1}/c_i)²; the product of c_i^(2^(1−i)) is ρ up to a factor
    ρ(B)^(1/m) of the last B, m = 2^SQUARINGS. The norm of B swings as complex and opposite eigenvalues turn, but
    X ↦ B X Bᵀ has the eigenvalue ρ(B)² whatever they are (Kreĭn & Rutman 1948): X ← B X Bᵀ + X, over several powers B,
    evens all that turns out, and ρ(B)² = |B X Bᵀ|/|X|. Exact to the last digits as a rule; defective
    matrices to 1e-5 in triangular form, where nilpotent ones have 0, and to a hundredth in another. Divisions by the
    magnitude keep all within a double's range.
    Names the series `powers_…`, `scale_…`, `radius_…` and `averages_…` with the given tail.
    """

    def square(before: dict[str, Matrix], i: int) -> dict[str, Matrix]:
        B, radius = before[f"powers_{tail}"], before[f"radius_{tail}"]
        c = _magnitude(B)
        part = _over(B, c)
        return {
            f"scale_{tail}": c,
            f"powers_{tail}": part @ part,
            f"radius_{tail}": radius * c**0.5 ** (i - 1),
        }

    start = {f"powers_{tail}": A, f"radius_{tail}": matrix(1.0) + 0}
    heads = {f"{name}_{tail}": (name,) for name in ("scale", "radius")}
    what = {f"{name}_{tail}": said for name, said in SERIES.items()}
    made = graph.series(start, step=square, steps=SQUARINGS, columns=heads, what=what)
    powers, scale, radius = (made[f"{name}_{tail}"] for name in ("powers", "scale", "radius"))

    def average(X: Matrix, j: int) -> Matrix:
        image = _image(powers[SQUARINGS - j % LEVELS], X)
        return _over(image, _magnitude(image)) + _over(X, _magnitude(X))

    last = powers[-1]
    averages = graph.series(f"averages_{tail}", last @ last.T, average, AVERAGES, what=OF_AVERAGES)
    square_of_last = if_error(_magnitude(_image(last, averages[-1])) / _magnitude(averages[-1]), 0)
    return Radius(powers, scale, radius, averages, radius[-1] * square_of_last**0.5 ** (SQUARINGS + 1))


def largest_singular_value(graph: Graph, A: Matrix, tail: str) -> tuple[Matrix, Radius]:
    """σ = √ρ(AᵀA), the most by which A stretches a vector, with the way to it.

    A is divided by its largest magnitude first, so that the product neither overflows nor underflows.
    Names those of `spectral_radius`.
    """
    c = _magnitude(A)
    part = _over(A, c)
    way = spectral_radius(graph, part.T @ part, tail)
    return c * sqrt(way.value), way


def _image(B: Matrix, X: Matrix) -> Matrix:
    return B @ X @ B.T


def _magnitude(B: Matrix) -> Matrix:
    return maximum(absolute(B))


def _over(B: Matrix, c: Matrix) -> Matrix:
    """B/c, and 0 where B is 0. An error in B stays one: the radius is a product with its magnitude."""
    return if_error(B / c, 0)
