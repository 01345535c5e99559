"""Draws that a switch in the workbook makes anew: frozen numbers, HDR 2.0 by a seed cell, or a sheet's own RAND.

They are expressions: the formulas and the NumPy numbers of a redrawn matrix come from one graph.
"""

from typing import TYPE_CHECKING

from msgspec import Struct

from sheetsim.model import hdr
from sheetsim.model.expr import Choice, Matrix, apply, equal, floor, matrix, normal_quantile, row_numbers, where
from sheetsim.model.op import Shape
from sheetsim.model.sampling import Draw

if TYPE_CHECKING:
    from sheetsim.model.graph import Graph

FROZEN, F9, SEEDED = POSITIONS = ("frozen", "F9", "seeded")

# The names of the drop-down and of the seed's cell, and what begins the names of a matrix's parts.
SWITCH, SEED = "draws", "seed"
FROZEN_PREFIX, UNIFORM_PREFIX = "frozen_", "uniform_"

OF_SWITCH = (
    "frozen: the draws that the book was made with; F9: other ones at each recalculation (RAND); seeded: those of the "
    "cell seed (HDR 2.0)"
)
OF_SEED = "the seed of the draws while draws says “seeded”: a whole number from 0 to 899999999999999"
OF_FROZEN = "the draws that the book was made with"
OF_UNIFORMS = "uniform numbers of the seed by HDR 2.0, ½ while draws does not say “seeded”"


class Redrawn(Struct, frozen=True):
    """A matrix by the switch.

    numbers: the matrix; frozen: the leaf of its constants; uniforms: HDR's numbers of the seed; identifiers: of the
    seed, seed3 and seed4, the same for all matrices; keys: what the identifiers add to the two hashes of each number.
    The last four are single numbers with cells of their own.
    """

    name: str
    entity: int
    numbers: Matrix
    frozen: Matrix
    uniforms: Matrix
    identifiers: tuple[Matrix, Matrix]
    keys: tuple[Matrix, Matrix]


def redrawn_in(graph: "Graph", name: str, source: Draw, shape: Shape, what: str) -> Matrix:
    """The normal or uniform matrix that the switch chooses, named in the graph with its parts.

    The first one names the switch and the seed's cell too. Raises SheetsimError for a name that is taken.
    """
    if graph.redrawn:
        switch, seed, identifiers = graph[SWITCH], graph[SEED], graph.redrawn[0].identifiers
    else:
        position, number = (FROZEN, graph.seed) if graph.redraw is None else (SEEDED, graph.redraw)
        switch = graph.choice(SWITCH, POSITIONS, position, what=OF_SWITCH)
        seed = graph.input(SEED, float(number), at_least=0.0, what=OF_SEED)
        seed4 = floor(seed / float(hdr.SEED3)).placed(None)
        identifiers = (floor(seed) - float(hdr.SEED3) * seed4).placed(None), seed4
    frozen = graph.take(Matrix(source, (), shape, f"{FROZEN_PREFIX}{name}"), what=OF_FROZEN)
    entity = hdr.entity_of(name)
    keys = _key(entity, identifiers, hdr.FIRST), _key(entity, identifiers, hdr.SECOND)
    # What no position needs is not computed at each recalculation.
    uniforms = where(equal(switch, SEEDED), uniforms_like(frozen, keys), 0.5)
    uniforms = graph.define(f"{UNIFORM_PREFIX}{name}", uniforms, what=OF_UNIFORMS)
    law = source.distribution
    seeded = hdr.of_uniforms(law, uniforms, normal_quantile)
    anew = hdr.of_uniforms(law, apply("random_like", frozen), normal_quantile)
    numbers = where(equal(switch, FROZEN), frozen, where(equal(switch, SEEDED), seeded, anew))
    numbers = graph.define(name, numbers, what=what)
    graph.redrawn.append(Redrawn(name, entity, numbers, frozen, uniforms, identifiers, keys))
    return numbers


def uniforms_like(like: Matrix, keys: tuple[Matrix, Matrix]) -> Matrix:
    """`hdr.matrix_uniforms` as an expression, equal to it bit for bit, in the shape of a matrix."""
    rows, columns = row_numbers(like), row_numbers(like.T).T
    first, second = (
        _part(rows * float(half.factors[0]) + columns * float(half.factors[1]) + key, half)
        for half, key in zip((hdr.FIRST, hdr.SECOND), keys, strict=True)
    )
    # The factor as a rest: else the quotient has so many digits that INT, which looks at 15, may round it up.
    factor = float(hdr.FIRST_FACTOR * hdr.SUM_FACTOR % hdr.VALUES)
    parts = (first * factor + second * float(hdr.SUM_FACTOR)) / float(hdr.VALUES)
    return parts - floor(parts) + 0.5 / hdr.VALUES


def drawn_as(node: Matrix) -> Draw | None:
    """How a matrix is drawn, or is while the switch says frozen; None for what is no draw."""
    if isinstance(node.source, Draw):
        return node.source
    if node.is_op and len(node.args) == 3 and node.args[0].args:
        asked, frozen = node.args[0].args[0], node.args[1].source
        if isinstance(asked.source, Choice) and asked.source.options == POSITIONS and isinstance(frozen, Draw):
            return frozen
    return None


def _key(entity: int, identifiers: tuple[Matrix, Matrix], half: hdr.Half) -> Matrix:
    """What the identifiers add to a hash, as a rest: the hashes of all cells then have far fewer than 15 digits."""
    _, _, by_entity, by_seed3, by_seed4 = map(float, half.factors)
    seed3, seed4 = identifiers
    return _rest(matrix(by_entity * entity) + by_seed3 * seed3 + by_seed4 * seed4, half.modulus).placed(None)


def _part(value: Matrix, half: hdr.Half) -> Matrix:
    times, plus = map(float, half.divisor)
    by = _rest(value, half.modulus) * times + plus
    left = float(hdr.DIVIDED) - by * floor(float(hdr.DIVIDED) / by)
    return _rest(left * float(half.rest[0]), half.rest[1])


def _rest(value: Matrix, modulus: int) -> Matrix:
    """value mod modulus, exact for whole numbers below 2^53. Not by MOD, which IronCalc has of no array."""
    return value - float(modulus) * floor(value / float(modulus))
