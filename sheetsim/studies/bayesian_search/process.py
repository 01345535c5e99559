"""One step of a Bayesian search as expressions: covariances, their inverse, the posterior over a grid, the acquisition.

The columns of points have as many rows at every step: `used` is 1 in those of points that were tried, and 0 in the
others, whose rows of the covariances are those of the identity, so that they take no part.
"""

import math
from collections.abc import Mapping

from msgspec import Struct

from sheetsim.model.expr import (
    Matrix,
    absolute,
    apply,
    choose,
    equal,
    exp,
    inverse,
    maximum,
    minimum,
    row_numbers,
    row_sum,
    sqrt,
    total,
    where,
)
from sheetsim.model.graph import Graph

ROOT_5 = math.sqrt(5)

ACQUISITIONS = ("ucb", "ei")

# Of the acquisition's range: places whose values differ by less are one, and the first of them is taken, so that
# engines that differ in the last digit go on with the same point.
TIE = 1e-9

# Hart (1968), algorithm 5666, as West (2005) has it: Φ(−|z|) to 15 digits in arithmetic alone. IronCalc knows
# NORM.S.DIST and ERF of no block.
NUMERATOR = (
    *(3.52624965998911e-02, 0.700383064443688, 6.37396220353165, 33.912866078383, 112.079291497871),
    *(221.213596169931, 220.206867912376),
)
DENOMINATOR = (
    *(8.83883476483184e-02, 1.75566716318264, 16.064177579207, 86.7807322029461, 296.564248779674),
    *(637.333633378831, 793.826512519948, 440.413735824752),
)


class SearchStep(Struct, frozen=True):
    """What a step computes: see `WHAT`, by the same names."""

    parts: Mapping[str, Matrix]

    def __getitem__(self, name: str) -> Matrix:
        return self.parts[name]


WHAT = {
    "used": "1 in the rows of points that were tried before the step, 0 in the others, points × 1",
    "K": "covariances of the points’ values: Matérn’s of smoothness 5/2, and noise² on the diagonal; points not yet "
    "tried have rows of the identity",
    "K_inverse": "the inverse of these",
    "prior": "the mean of the values so far, about which the process varies",
    "weights": "K⁻¹ (y − prior): how much each point’s value counts",
    "k_grid": "covariances of the grid with the points, grid × points",
    "mean": "posterior mean over the grid: prior + k_grid K⁻¹ (y − prior)",
    "deviation": "posterior standard deviation over the grid: √(signal² − k_grid K⁻¹ k_grid′)",
    "low": "mean − 2 · deviation",
    "high": "mean + 2 · deviation",
    "z": "(mean − best value so far) / deviation",
    "phi": "normal distribution function Φ(z)",
    "ucb": "upper confidence bound: mean + κ · deviation",
    "ei": "expected improvement: (mean − best) Φ(z) + deviation · φ(z)",
    "acquisition": "the one that the drop-down chooses",
    "place": "the first place of the grid where it is greatest",
    "next": "the point there: the one to try next",
    "nearest": "how far it is from the nearest point that was tried",
    "next_mean": "posterior mean at the next point",
    "next_deviation": "posterior standard deviation at the next point",
}


def search_step(graph: Graph, suffix: str, x: Matrix, y: Matrix, count: Matrix) -> SearchStep:
    """The step of the tried points x, y (points × 1), of which the first `count` are used.

    The graph has grid, numbers, length, signal, noise, kappa and the drop-down acquisition.
    """
    made: dict[str, Matrix] = {}

    def named(name: str, node: Matrix) -> Matrix:
        made[name] = graph.define(f"{name}_{suffix}", node, what=WHAT[name])
        return made[name]

    grid, numbers, noise, signal = (graph[name] for name in ("grid", "numbers", "noise", "signal"))
    used = named("used", numbers <= count)
    same = equal(numbers, numbers.T)
    K = named("K", used * used.T * _covariance(graph, x, x) + same * (used * noise**2 + 1 - used))
    K_inverse = named("K_inverse", inverse(K))
    prior = named("prior", total(used * y) / count)
    weights = named("weights", K_inverse @ (used * (y - prior)))
    k = named("k_grid", used.T * _covariance(graph, grid, x))
    mean = named("mean", prior + k @ weights)
    variance = signal**2 - row_sum((k @ K_inverse) * k)
    deviation = named("deviation", sqrt(where(variance > 0, variance, 0)))
    named("low", mean - 2 * deviation)
    named("high", mean + 2 * deviation)
    best = maximum(where(used > 0, y, minimum(y)))
    z = named("z", (mean - best) / where(deviation > 0, deviation, 1e-12))
    phi = named("phi", normal_share(z))
    ucb = named("ucb", mean + graph["kappa"] * deviation)
    density = exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    ei = named("ei", (mean - best) * phi + deviation * density)
    a = named("acquisition", choose(graph["chosen"], {"ucb": ucb + 0, "ei": ei + 0}))
    reached = a >= maximum(a) - TIE * (maximum(a) - minimum(a))
    place = named("place", minimum(where(reached, row_numbers(a), float(a.shape[0]))))
    following = named("next", apply("row", grid, place))
    distances = where(used > 0, absolute(following - x), maximum(grid) - minimum(grid))
    named("nearest", minimum(distances))
    named("next_mean", apply("row", mean, place))
    named("next_deviation", apply("row", deviation, place))
    return SearchStep(made)


def normal_share(z: Matrix) -> Matrix:
    """Φ(z), element by element, in arithmetic alone (see NUMERATOR).

    From 39 deviations on, where e^(−z²/2) is 0, it is 0 or 1; the polynomials, which overflow far beyond, stay at 40.
    """
    far = absolute(z)
    near = where(far > 40, 40, far)
    below = exp(-(z**2) / 2) * _polynomial(NUMERATOR, near) / _polynomial(DENOMINATOR, near)
    return where(z > 0, 1 - below, below)


def _polynomial(coefficients: tuple[float, ...], x: Matrix) -> Matrix:
    """By Horner's rule, the highest power first."""
    first, *rest = coefficients
    value = first * x
    for k, coefficient in enumerate(rest, start=1):
        value = value + coefficient
        if k < len(rest):
            value = value * x
    return value


def _covariance(graph: Graph, a: Matrix, b: Matrix) -> Matrix:
    """Of columns a and b: Matérn's of smoothness 5/2 (Rasmussen & Williams 2006, eq. 4.17), times signal²."""
    r = ROOT_5 / graph["length"] * absolute(a - b.T)
    return graph["signal"] ** 2 * (1 + r + r**2 / 3) * exp(-r)
