"""Blocks of networks with skips and normalization, as expressions: what a layer makes of what goes into it."""

from collections.abc import Callable

from msgspec import Struct

from sheetsim.model.expr import Matrix, column_mean, column_variance, row_sum, sqrt

# plain: z ← f(norm(z W + b)); residual: z ← z + α f(norm(z) W + b).
BLOCKS = ("plain", "residual")

# layer: each sample over its units (Ba, Kiros & Hinton 2016); batch: each unit over the samples (Ioffe & Szegedy 2015).
# Both to mean 0 and variance 1, without ε, gain and shift.
NORMS = ("none", "layer", "batch")


class PropagationBlock(Struct, frozen=True):
    """One layer: draws e, weights W = gain/√units · e, sums a and outputs z (samples × units), biases b if there are.

    What was normalized is kept too, where it is not the layer's input.
    """

    number: int
    e: Matrix
    W: Matrix
    normed: Matrix | None
    a: Matrix
    z: Matrix
    b: Matrix | None = None


def normed_matrix(norm: str, x: Matrix) -> Matrix:
    """The matrix, samples × units, normalized by rows (layer), by columns (batch), or as it is."""
    if norm == "layer":
        centered = x - row_sum(x) / float(x.shape[1])
        return centered / sqrt(row_sum(centered**2) / float(x.shape[1]))
    if norm == "batch":
        center = column_mean(x)
        return (x - center) / sqrt(column_variance(x, center))
    return x


def outputs(block: str, f: Callable[[Matrix], Matrix], alpha: Matrix, z: Matrix, a: Matrix) -> Matrix:
    """What comes out of a block: z what goes in, a what f takes."""
    return f(a) if block == "plain" else z + alpha * f(a)
