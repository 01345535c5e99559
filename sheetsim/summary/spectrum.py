"""The spectral radius and the largest singular value of a matrix, as formulas of it: no eigenvalue is asked for."""

from dataclasses import dataclass

from sheetsim.model.expr import Matrix, absolute, if_error, matrix, maximum, sqrt
from sheetsim.model.graph import Graph
from sheetsim.model.series import Series

# ‖A^m‖^(1/m) lies above the radius by about log(m)/m of itself; m = 2^SQUARINGS takes that below a double's last digit.
SQUARINGS = 50


@dataclass(frozen=True)
class Radius:
    """The squarings of a matrix A by step, and what they say of its spectral radius.

    powers: step i is A^(2^i) over a factor, step 0 A itself, n×n each; scale: step i is the largest magnitude c of step
    i − 1 of the powers; radius: step i is the radius as far as i squarings tell it, the last one the radius.
    """

    powers: Series
    scale: Series
    radius: Series

    @property
    def value(self) -> Matrix:
        """The spectral radius, 1×1."""
        return self.radius[-1]


def spectral_radius(graph: Graph, A: Matrix, tail: str) -> Radius:
    """The largest magnitude of A's eigenvalues, ρ = lim ‖A^m‖^(1/m) (Gelfand 1941), for any n×n matrix.

    By squaring: B_0 = A, c_i = max|B_{i−1}|, B_i = (B_{i−1}/c_i)², ρ = Π c_i^(2^(1−i)); the division by c keeps powers
    within a double's range. Complex pairs and defective matrices are no exception, and a nilpotent one has 0.
    Names the series `powers_…`, `scale_…` and `radius_…` with the given tail.
    """

    def step(before: dict[str, Matrix], i: int) -> dict[str, Matrix]:
        B, radius = before[f"powers_{tail}"], before[f"radius_{tail}"]
        c = _magnitude(B)
        part = _scaled(B, c)
        return {
            f"scale_{tail}": c,
            f"powers_{tail}": part @ part,
            f"radius_{tail}": radius * c**0.5 ** (i - 1),
        }

    names = [f"{name}_{tail}" for name in ("powers", "scale", "radius")]
    start = {names[0]: A, names[2]: matrix(1.0) + 0}
    found = graph.series(
        start, step=step, steps=SQUARINGS, columns={name: (name.partition("_")[0],) for name in names[1:]}
    )
    return Radius(*(found[name] for name in names))


def largest_singular_value(graph: Graph, A: Matrix, tail: str) -> tuple[Matrix, Radius]:
    """σ = √ρ(AᵀA), the most by which A stretches a vector, with the squarings that it comes from.

    A is divided by its largest magnitude first, so that the product neither overflows nor underflows.
    Names those of `spectral_radius`.
    """
    c = _magnitude(A)
    part = _scaled(A, c)
    found = spectral_radius(graph, part.T @ part, tail)
    return c * sqrt(found.value), found


def _magnitude(B: Matrix) -> Matrix:
    return maximum(absolute(B))


def _scaled(B: Matrix, c: Matrix) -> Matrix:
    """B/c, and 0 where B is 0. (An error in c stays one: the radius is a product with c.)"""
    return if_error(B / c, 0)
