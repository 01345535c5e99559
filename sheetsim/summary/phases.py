"""The phases of wide networks over the variances of weights and biases, by mean-field theory. It simulates nothing.

At the fixed point q* of the sums' variance, with weights of variance σ_w²/n and biases of variance σ_b²,

    q* = σ_w² E[f(√q* s)²] + σ_b²,    χ_1 = σ_w² E[f′(√q* s)²],    c* = (σ_w² E[f(u) f(v)] + σ_b²)/q*

with s standard normal, u and v normal of variance q* and correlation c*. Below χ_1 = 1 inputs become alike, c* = 1
(ordered); above it they part, c* < 1 (chaotic); the edge lies at χ_1 = 1 (Poole et al. 2016, arXiv:1606.05340;
Schoenholz et al. 2017, arXiv:1611.01232). E[f(u) f(v)] = Σ a_k² c^k with the coefficients of f(√q* s) by normalized
Hermite polynomials (O'Donnell 2014, §11.2).
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

from sheetsim.errors import SheetsimError
from sheetsim.model.activations import activations_where
from sheetsim.model.op import Array
from sheetsim.model.op_table import CONSTANT
from sheetsim.summary.theory import EDGE, GREATEST_Q, LEAST_Q, computed, normal_rule

# The nodes are fine enough for sums of such a variance.
FINE = 4096.0

# Terms of the power series in c; the rest of E[f²] is taken as one term more.
DEGREES = 120

# Halvings of an interval of correlations: to the last digits of a double.
HALVINGS = 58

# Numbers of some points among all.
Places = NDArray[np.intp]

# Steps of a root search at most; most take about ten.
MOST_STEPS = 80
ROUNDED = 1e-11


class Phases(Struct, frozen=True):
    """Theory by point: q*, χ_1, c* and the depth scales.

    c* is the stable fixed point, NaN where each correlation is one; the scales are ξ_c = 1/|ln χ_c*| of correlations,
    with the slope of the map at c*, and ξ_q of variances.
    """

    q: Array
    chi: Array
    c: Array
    xi_c: Array
    xi_q: Array

    @property
    def names(self) -> list[str]:
        """The phase of each point: `ordered`, `chaotic` or `edge of chaos`, by χ_1."""
        near = np.abs(self.chi - 1) <= EDGE
        return list(np.where(near, "edge of chaos", np.where(self.chi < 1, "ordered", "chaotic")).tolist())


@np.errstate(all="ignore")
def phases(activation: str, weight_variance: ArrayLike, bias_variance: ArrayLike) -> Phases:
    """The phases at points (σ_w², σ_b²), all at once: two lists of numbers of one length.

    Raises SheetsimError for negative variances, and for an activation that has several fixed points.
    """
    check_activation(activation)
    w2, b2 = (np.atleast_1d(np.asarray(values, dtype=np.float64)) for values in (weight_variance, bias_variance))
    if w2.shape != b2.shape or not (np.isfinite(w2).all() and np.isfinite(b2).all()) or min(w2.min(), b2.min()) < 0:
        raise SheetsimError(
            "variances of weights and biases must be two equally long lists of finite numbers of at least 0"
        )
    q = _fixed(activation, w2, b2)
    at = np.where(np.isnan(q), 1.0, np.clip(q, LEAST_Q, GREATEST_Q))
    f, slope, s, w = _at_nodes(activation, at)
    chi, second = w2 * (slope**2 @ w), f**2 @ w
    coefficients = (f @ _hermite()) ** 2
    c, slope_at_c = _correlation(coefficients, second, w2, b2, chi)
    # d q′/d q = σ_w² E[f f′ s]/√q.
    growth = w2 * ((f * slope * s) @ w) / np.sqrt(at)
    dead = q == 0
    return Phases(
        q,
        chi,
        np.where(dead, np.nan, c),
        np.where(dead | ~np.isfinite(q), np.nan, _depth(np.where(chi <= 1, chi, slope_at_c))),
        np.where(np.isfinite(q), _depth(growth), np.nan),
    )


def critical_line(activation: str, bias_variance: ArrayLike, most: float = 100.0) -> Array:
    """The σ_w² at which χ_1 = 1 for each σ_b², by root search in [0, most]; NaN where there is none below `most`.

    It is the lowest one: of selu χ_1 comes down to 1 again where q* begins to explode.
    """
    b2 = np.asarray(bias_variance, dtype=np.float64)
    w2 = np.full_like(b2, np.nan)
    crossed = _chi(activation, np.full_like(b2, most), b2) > 1
    if not crossed.any():
        return w2
    of = b2[crossed]
    low, high = np.zeros_like(of), np.full_like(of, most)
    for _ in range(HALVINGS):
        middle = np.where(low > 0, high, high / 2)
        above = _chi(activation, middle, of) > 1
        low, high = np.where(above, low, middle), np.where(above, middle, high)
        if (low > 0).all():
            break
    w2[crossed] = _roots(lambda middle, places: _chi(activation, middle, of[places]) - 1, low, high)
    return w2


@np.errstate(all="ignore")
def _chi(activation: str, w2: Array, b2: Array) -> Array:
    q = _fixed(activation, w2, b2)
    _, slope, _, w = _at_nodes(activation, np.where(np.isnan(q), 1.0, np.clip(q, LEAST_Q, GREATEST_Q)))
    return np.asarray(w2 * (slope**2 @ w))


def _fixed(activation: str, w2: Array, b2: Array) -> Array:
    """q*, as `theory.fixed_point` has it: (σ_w² E[f²] + σ_b²)/q falls with q, or stays."""
    t, w = _rule()

    def growth(log_q: Array, of: Places) -> Array:
        q = np.exp(log_q)
        (f,) = computed(activation, np.sqrt(q)[:, None] * t, slope=False)
        return np.asarray((w2[of] * (f**2 @ w) + b2[of]) / q - 1)

    low, high, every = np.full_like(w2, np.log(LEAST_Q)), np.full_like(w2, np.log(GREATEST_Q)), np.arange(len(w2))
    small, large = growth(low, every), growth(high, every)
    falls, rises = small <= CONSTANT, large >= -CONSTANT
    inside = ~falls & ~rises
    ends = np.where(falls & rises, np.nan, np.where(falls, 0.0, np.inf))
    ends = np.where(falls & rises & (small < -CONSTANT) & (large <= CONSTANT), 0.0, ends)
    ends = np.where(falls & rises & (small >= -CONSTANT) & (large > CONSTANT), np.inf, ends)
    # Of the logarithm: it is nearly straight.
    log_q = _roots(lambda log_q, of: np.log1p(growth(log_q, every[inside][of])), low[inside], high[inside])
    ends[inside] = np.exp(log_q)
    return ends


@np.errstate(all="ignore")
def _roots(function: Callable[[Array, Places], Array], low: Array, high: Array) -> Array:
    """Where a function of numbers, each on its own, is 0 between `low` and `high`, at which its signs differ.

    function: of some of the numbers, and of their places. By inverse quadratic interpolation, and halving where that is
    not safe (Chandrupatla 1997, Advances in Engineering Software 28, 145).
    """
    places, roots = np.arange(len(low)), np.empty_like(low)
    a, b, f_a, f_b = high, low, function(high, places), function(low, places)
    t = np.full_like(low, 0.5)
    for step in range(MOST_STEPS):
        x = a + t * (b - a)
        f_x = function(x, places)
        same = np.sign(f_x) == np.sign(f_a)
        c, f_c = np.where(same, a, b), np.where(same, f_a, f_b)
        b, f_b = np.where(same, b, a), np.where(same, f_b, f_a)
        a, f_a = x, f_x
        best = np.where(np.abs(f_a) < np.abs(f_b), a, b)
        least = 2 * np.finfo(float).eps * np.maximum(np.abs(best), 1) / np.abs(b - a)
        # Between ends that are this near to 0 there is rounding alone, as of selu's eᵃ − 1, or a straight line.
        settled = np.maximum(np.abs(f_a), np.abs(f_b)) < ROUNDED
        roots[places] = np.where(f_a == 0, a, np.where(settled, a - f_a * (b - a) / (f_b - f_a), best))
        left = (least < 0.5) & (f_a != 0) & ~settled
        if not left.any() or step == MOST_STEPS - 1:
            break
        places, least = places[left], least[left]
        a, b, c, f_a, f_b, f_c = (of[left] for of in (a, b, c, f_a, f_b, f_c))
        xi, phi = (a - b) / (c - b), (f_a - f_b) / (f_c - f_b)
        inverse = f_a / (f_b - f_a) * f_c / (f_b - f_c)
        inverse += (c - a) / (b - a) * f_a / (f_c - f_a) * f_b / (f_c - f_b)
        t = np.where((phi**2 < xi) & ((1 - phi) ** 2 < 1 - xi), inverse, 0.5)
        t = np.clip(t, least, 1 - least)
    return roots


def _correlation(a: Array, second: Array, w2: Array, b2: Array, chi: Array) -> tuple[Array, Array]:
    """c* and the slope of the map there. a: squared coefficients, points × degrees from 0; second: E[f²]."""
    a = np.column_stack([a, second - a.sum(axis=1)])
    following = w2 * second + b2

    def mapped(c: Array) -> Array:
        value = np.zeros_like(c)
        for k in range(a.shape[1] - 1, -1, -1):
            value = value * c + a[:, k]
        return np.asarray((w2 * value + b2) / following)

    low, high = np.zeros_like(w2), np.ones_like(w2)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        above = mapped(middle) > middle
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    # An interval that was halved to 0 each time has c* = 0, as of odd functions without biases.
    c = np.where(chi <= 1, 1.0, np.where(low == 0, 0.0, (low + high) / 2))
    # Of the identity correlations stay, unless biases count beside sizes that do not grow e-fold.
    linear = second - a[:, 1] <= CONSTANT * second
    c = np.where(linear & ((chi > 1 + CONSTANT) | (b2 == 0)), np.nan, c)
    k = np.arange(1, a.shape[1])
    slope = w2 * (k * a[:, 1:] * c[:, None] ** (k - 1)).sum(axis=1) / following
    return c, slope


def check_activation(activation: str) -> None:
    """Refuses an activation for which the variance has several fixed points: gelu, whose E[f²]/q rises."""
    allowed = activations_where(lambda f: f.rises)
    if activation not in allowed:
        raise SheetsimError(f"activation must be one of {', '.join(allowed)}, not {activation!r}")


@np.errstate(all="ignore")
def followed(
    activation: str, weight_variance: float, bias_variance: float, second: float, c: float, layers: int
) -> Array:
    """q, c and χ of the sums by layer, layers × 3, for inputs of mean square `second` and correlation c."""
    q = weight_variance * second + bias_variance
    c = (weight_variance * second * c + bias_variance) / q if q > 0 else np.nan
    path = []
    for _ in range(layers):
        f, slope, _, w = _at_nodes(activation, np.array([q]))
        path.append((q, c, weight_variance * float((slope**2 @ w)[0])))
        a = (f @ _hermite())[0] ** 2
        square = float((f**2 @ w)[0])
        product = float(a @ c ** np.arange(len(a))) + (square - a.sum()) * c ** len(a)
        q = weight_variance * square + bias_variance
        c = (weight_variance * product + bias_variance) / q if q > 0 else np.nan
    return np.array(path, dtype=np.float64)


def _depth(slope: Array) -> Array:
    """1/|ln slope|: infinite within EDGE of 1, 0 at 0."""
    return np.where(np.abs(slope - 1) <= EDGE, np.inf, 1 / np.abs(np.log(slope)))


@lru_cache(maxsize=1)
def _rule() -> tuple[Array, Array]:
    return normal_rule(FINE)


def _at_nodes(activation: str, q: Array) -> tuple[Array, Array, Array, Array]:
    """f and f′ at nodes, points × nodes, the nodes s, and their weights."""
    s, w = _rule()
    f, slope = computed(activation, np.sqrt(q)[:, None] * s)
    return f, slope, s, w


@lru_cache(maxsize=1)
def _hermite() -> Array:
    """Columns w·h_k of the normalized Hermite polynomials from k = 0, at the nodes."""
    s, w = _rule()
    rows = [np.ones_like(s), s]
    for k in range(1, DEGREES):
        rows.append((s * rows[k] - np.sqrt(k) * rows[k - 1]) / np.sqrt(k + 1))
    return (np.array(rows) * w).T
