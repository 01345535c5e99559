"""Pictures of circles and crosses, 3×3 pixels: how they are made, and how one becomes a row of nine numbers."""

import numpy as np

from sheetsim.model.distributions import normal
from sheetsim.model.draws import stream
from sheetsim.model.expr import Matrix, column_sum
from sheetsim.model.graph import Graph
from sheetsim.model.op import Array

SIDE = 3
PIXELS = SIDE * SIDE
CLASSES = ("circle", "cross")

SHAPES = {
    "circle": np.array([[1.0, 1, 1], [1, 0, 1], [1, 1, 1]]),
    "cross": np.array([[1.0, 0, 1], [0, 1, 0], [1, 0, 1]]),
}

TILE, KEEP = np.tile(np.eye(SIDE), (1, SIDE)), np.repeat(np.eye(SIDE), SIDE, axis=1)


def kinds(negatives: bool) -> tuple[tuple[str, bool], ...]:
    """The class of each quarter of the pictures, and whether its pictures are negatives."""
    return tuple((name, negatives and second) for name in CLASSES for second in (False, True))


def drawn_pictures(seed: int, count: int, noise: float, negatives: bool) -> list[Array]:
    """So many pictures, 3×3 each, a quarter of each kind after another.

    A pixel is 1 where the shape is and 0 elsewhere, in a negative the other way round; to it `noise` times a standard
    normal draw is added, what then lies outside of 0 to 1 becomes 0 or 1, and the rest has two decimals.
    """
    draws = normal().sample(stream(seed, "pictures"), (count, PIXELS))
    quarter = count // 4
    pictures = []
    for k, (name, negative) in enumerate(kinds(negatives)):
        shape = 1 - SHAPES[name] if negative else SHAPES[name]
        pictures += [
            np.clip(shape + noise * draw.reshape(SIDE, SIDE), 0, 1).round(2)
            for draw in draws[k * quarter : (k + 1) * quarter]
        ]
    return pictures


def targets(count: int) -> Array:
    """What the pictures are, pictures × 2: 1 in the column of the class."""
    return np.repeat(np.eye(len(CLASSES)), count // 2, axis=0)


def as_row(graph: Graph, picture: Matrix) -> Matrix:
    """A picture, 3×3, as a row of its pixels, 1×9."""
    return column_sum((picture @ graph["tile"]) * graph["keep"])


def as_picture(graph: Graph, pixels: Matrix) -> Matrix:
    """A row of nine pixels as a picture, 3×3."""
    return (graph["keep"] * pixels) @ graph["tile"].T
