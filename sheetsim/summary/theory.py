"""What theory expects of a network's layers, beside which the measured tables stand. It simulates and measures nothing.

Mean-field theory: weights, and biases if there are some, are independent with mean 0, and layers so wide that the
sums a_l = z_{l-1} W_l of a layer are normal, N(0, q_l), as are those of two samples together, with correlation c_l:

    q_l     = n_l sd_l² E[z_{l-1}²]          (Glorot & Bengio 2010 near 0; He et al. 2015, arXiv:1502.01852, for relu)
    q_l c_l = n_l sd_l² E[z_{l-1} z′_{l-1}]  (Poole et al. 2016, arXiv:1606.05340)
    χ_l     = n_l sd_l² E[f′(a_l)²]          (Schoenholz et al. 2017, arXiv:1611.01232)

with n_l the fan-in; biases of variance σ_b² add that to q_l and to q_l c_l. Given a sample x, the sums of the first
layer are normal with variance sd_1² ‖x‖² + σ_b²: where samples
differ in size (correlated inputs, uneven data), all of this holds for each size, and a layer is a scale mixture.
Real layers deviate by O(1/width). For sd(a) over 1e9, χ of sigmoid and tanh is not resolved.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from sheetsim.arguments import listed, number, one_of, said
from sheetsim.engine.evaluate import evaluate
from sheetsim.errors import SheetsimError
from sheetsim.model.activations import ACTIVATIONS
from sheetsim.model.expr import Data, Matrix, total
from sheetsim.model.grad import grad
from sheetsim.model.op import Array
from sheetsim.model.op_table import CONSTANT

if TYPE_CHECKING:
    import pandas as pd

# |χ - 1| up to this is the edge: the depth scale 1/|ln χ| is then a million layers. Above tanh's edge χ rises only as
# 1 + (n·sd² - 1)²/3, so that for tanh n·sd² up to 1.0017 is the edge.
EDGE = 1e-6

# Fixed points are looked for between these; below and above, a fixed point is 0 or infinity.
LEAST_Q, GREATEST_Q = 1e-30, 1e30

GREATEST = np.finfo(np.float64).max

# Sizes of samples that a mixture is made of, and what is as good as 0 beside the largest.
SIZES, LEAST_SIZE = 200, 1e-8

# Panels reach to ±10, where the normal weight is 1e-22, and are halved toward a kink down to 2^-30.
REACH, HALVINGS = 10, 30
NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)


@dataclass(frozen=True)
class InputMoments:
    """Moments of the inputs x that mean-field theory starts from.

    Parameters
    ----------
    second
        E[x²], averaged over the inputs: variance + mean² for independent inputs of one distribution.
    product
        E[x·x′] of two independent samples, averaged over the inputs: mean² for independent inputs of one distribution.
        Of drawn samples it is not negative; of given ones with columns of mean 0 it is just below 0.
    sizes
        Where samples differ in their mean square ‖x‖²/inputs, its values; empty where it is nearly the same for all.
        `of_sizes` makes them.
    weights
        How often each of the sizes occurs.

    Raises
    ------
    SheetsimError
        Not |product| ≤ second, or not finite.
    """

    second: float
    product: float
    sizes: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ("second", "product"):
            number(f"input moments: {name}", getattr(self, name))
        if not (0 <= abs(self.product) <= self.second < np.inf):
            raise SheetsimError(f"input moments: |{self.product:g}| <= {self.second:g} must hold, and be finite")

    @classmethod
    def of_sizes(cls, sizes: ArrayLike, weights: ArrayLike, product: float) -> "InputMoments":
        """Moments of samples with given mean squares.

        Parameters
        ----------
        sizes
            Mean square of each sample.
        weights
            Weight of each; they add up to 1.
        product
            As of the class.

        Notes
        -----
        Many sizes are shared out among SIZES values in equal ratios, each between its two neighbors so that the mean
        stays.
        """
        sizes, weights = np.asarray(sizes, dtype=np.float64), np.asarray(weights, dtype=np.float64)
        second = float(weights @ sizes)
        if len(sizes) > SIZES:
            low, high = max(sizes.min(), LEAST_SIZE * sizes.max()), sizes.max()
            grid = np.geomspace(low, high, SIZES) if low < high else np.array([high])
            grid = np.concatenate([[0.0], grid]) if sizes.min() < low else grid
            place = np.clip(np.searchsorted(grid, sizes, side="right") - 1, 0, max(len(grid) - 2, 0))
            above = np.minimum(place + 1, len(grid) - 1)
            gap = grid[above] - grid[place]
            share = np.where(gap > 0, (sizes - grid[place]) / np.where(gap > 0, gap, 1), 0)
            shared = np.bincount(place, weights * (1 - share), len(grid)) + np.bincount(
                above, weights * share, len(grid)
            )
            sizes, weights = grid[shared > 0], shared[shared > 0]
        return cls(second, product, tuple(sizes.tolist()), tuple(weights.tolist()))


@dataclass(frozen=True)
class FixedPoint:
    """Limit of q in deep networks of equal layers, χ there (at c = 1), and the phase.

    Attributes
    ----------
    q
        0 where signals die, infinity where they explode, NaN where every q is a fixed point (relu at n·sd² = 2) and
        where the limit depends on the first q: of gelu with n·sd² between 2 and 4, small ones die and large ones
        explode.
    chi
        χ at q; its limit where q is 0 or infinity, NaN where q depends on the start.
    phase
        `ordered` for χ < 1 (gradients vanish), `chaotic` for χ > 1 (they explode), `edge of chaos` within EDGE of 1;
        `depends on the start` where q does. Of relu and identity with q 0 or infinity the phase describes gradients;
        the correlation of samples behaves as at the edge.
    """

    q: float
    chi: float
    phase: str


@np.errstate(all="ignore")
def mean_field(
    activation: str, fan_in: Sequence[int], sd: Sequence[float], given: InputMoments, bias: float = 0.0
) -> "pd.DataFrame":
    """Mean-field theory of a network, for infinitely wide layers: a row per layer, from 1.

    Parameters
    ----------
    activation
        Name of the activation.
    fan_in
        Number of inputs of each layer.
    sd
        Standard deviation of the weights of each layer.
    given
        Moments of the network's inputs.
    bias
        Standard deviation of the biases.

    Returns
    -------
    pandas.DataFrame
        Columns of the tables `layers` and `variance` by their names, and three of theory alone. `pooled` is q, `within`
        q(1 − c) and `between` q·c, for so many samples that the mean of a unit is known: of N samples, a part within/N
        is found in `between` instead. `second_moment` is E[z²], `correlation` c, and `chi` χ of the step z_{l−1} → z_l:
        the mean square of a small change of the inputs grows by χ_l, and that of gradients backward by
        χ_l·fan_out/fan_in. Ratios to a variance of 0 are NaN; overflow gives infinity, and NaN after it.

    Raises
    ------
    SheetsimError
        The activation is unknown, or lists do not fit.

    Notes
    -----
    All pairs of samples are taken to have one c, which holds for independent inputs. Where samples differ in size it
    does not: then every column is an average over the sizes, and `within`, `between`, `additive` and `correlation`,
    which are of pairs, are NaN from layer 2 on, and `over_samples` everywhere.

    References
    ----------
    B. Poole et al., Exponential expressivity in deep neural networks through transient chaos (2016), arXiv:1606.05340.
    S. Schoenholz et al., Deep information propagation (2017), arXiv:1611.01232.

    Examples
    --------
    >>> import sheetsim
    >>> theory = sheetsim.mean_field("relu", [100] * 3, [0.02**0.5] * 3, sheetsim.InputMoments(1, 0))
    >>> theory["second_moment"].round(3).tolist()
    [1.0, 1.0, 1.0]
    """
    import pandas as pd

    _check(activation)
    for n in listed("fan_in", fan_in, "whole numbers"):
        number("fan_in", n)
    sd = [number("sd", value) for value in listed("sd", sd, "numbers")]
    if not isinstance(given, InputMoments):
        raise SheetsimError(f"the inputs' moments must be InputMoments, not {said(given)}")
    if len(fan_in) != len(sd) or min(fan_in, default=1) < 1 or not all(0 <= value < np.inf for value in sd):
        raise SheetsimError(
            "fan_in and sd must list a whole number of at least 1 and a finite number of at least 0 for each layer"
        )
    rows = []
    # By size of sample: E[z²] of the layer before.
    seconds, weights = np.array(given.sizes or (given.second,)), np.array(given.weights or (1.0,))
    second, spread = np.float64(given.second), np.float64(given.second - given.product)
    for n, deviation in zip(fan_in, sd, strict=True):
        scale = n * np.float64(deviation) ** 2
        q, within, between, apart = scale * second, scale * spread, scale * (second - spread), spread / second
        if bias:
            q, between, apart = q + bias**2, between + bias**2, within / (q + bias**2)
        row, seconds, steepness = _outputs(activation, scale * seconds + bias**2, weights)
        second = np.float64(weights @ seconds)
        spread = np.float64(np.nan) if given.sizes else _spread(activation, q, apart, second)
        row["over_samples"] = spread / row["var"] if row["var"] > 0 else np.nan
        row |= {"pooled": q, "within": within, "between": between, "additive": within, "covariance": 0.0, "moment": q}
        divisor, c = (q, 1 - apart) if q > 0 else (np.nan, np.nan)
        row |= {"var_ratio": row["var"] / divisor, "moment_ratio": second / divisor}
        rows.append(row | {"second_moment": second, "correlation": c, "chi": scale * steepness})
    return pd.DataFrame(rows, index=pd.RangeIndex(1, len(rows) + 1, name="layer"), dtype=float)


@np.errstate(all="ignore")
def fixed_point(activation: str, weight_scale: float) -> FixedPoint:
    """The fixed point of q = weight_scale · E[f(√q t)²], t standard normal.

    Parameters
    ----------
    activation
        Name of the activation f.
    weight_scale
        n·sd², the σ_w² of the papers.

    Returns
    -------
    FixedPoint
        q, χ and the phase.

    Raises
    ------
    SheetsimError
        The activation is unknown, or the weight scale is negative or not finite.

    Notes
    -----
    E[f²]/q falls with q or stays constant, so there is one fixed point, none, or every q is one; of gelu it rises, and
    none is stable.

    References
    ----------
    B. Poole et al., Exponential expressivity in deep neural networks through transient chaos (2016), arXiv:1606.05340.

    Examples
    --------
    >>> import sheetsim
    >>> sheetsim.fixed_point("tanh", 4.0).phase
    'chaotic'
    """
    from scipy.optimize import brentq

    _check(activation, weight_scale)

    def growth(log_q: float) -> float:
        q = np.exp(log_q)
        w, z, _ = _at_nodes(activation, q)
        return float(weight_scale * (w @ z**2) / q - 1)

    low, high = np.log(LEAST_Q), np.log(GREATEST_Q)
    small, large = growth(low), growth(high)
    falls, rises = small <= CONSTANT, large >= -CONSTANT
    if falls and rises and small < -CONSTANT and large > CONSTANT:
        return FixedPoint(np.nan, np.nan, "depends on the start")
    if falls and rises:
        q = 0.0 if small < -CONSTANT else np.inf if large > CONSTANT else np.nan
    elif falls or rises:
        q = 0.0 if falls else np.inf
    else:
        q = float(np.exp(brentq(growth, low, high, xtol=1e-14)))
    w, _, slope = _at_nodes(activation, _within_reach(q))
    chi = float(weight_scale * (w @ slope**2))
    return FixedPoint(q, chi, "edge of chaos" if abs(chi - 1) <= EDGE else "ordered" if chi < 1 else "chaotic")


@np.errstate(all="ignore")
def correlation_map(activation: str, weight_scale: float, correlations: Sequence[float]) -> "pd.Series[float]":
    """The next layer's correlation c of two samples for each given one, at the fixed point of q.

    Where q is 0 or infinity it is the limit. For relu it is the arc-cosine kernel of degree 1 at every q.

    Parameters
    ----------
    activation
        As of `fixed_point`.
    weight_scale
        As of `fixed_point`.
    correlations
        Correlations from 0 to 1.

    Returns
    -------
    pandas.Series
        Index `correlation`, name `next`.

    Raises
    ------
    SheetsimError
        As `fixed_point`; a correlation is not in [0, 1]; or the fixed point depends on the start.

    References
    ----------
    B. Poole et al., Exponential expressivity in deep neural networks through transient chaos (2016), arXiv:1606.05340.
    Y. Cho, L. Saul, Kernel methods for deep learning (2009).
    """
    import pandas as pd

    correlations = [number("a correlation", c) for c in listed("correlations", correlations, "numbers")]
    wrong = [c for c in correlations if not 0 <= c <= 1]
    if wrong:
        raise SheetsimError(f"correlations must be 0 to 1, not {wrong[0]:g}")
    point = fixed_point(activation, weight_scale)
    if np.isnan(point.chi):
        raise SheetsimError(
            f"{activation} has no unique fixed point at the weight scale {weight_scale:g}: {point.phase}"
        )
    q = _within_reach(point.q)
    w, z, _ = _at_nodes(activation, q)
    second = float(w @ z**2)
    following = [1 - _spread(activation, q, 1 - c, second) / second for c in correlations]
    return pd.Series(following, index=pd.Index(correlations, name="correlation"), name="next", dtype=float)


def _check(activation: str, weight_scale: float = 0.0) -> None:
    one_of("activation", activation, tuple(ACTIVATIONS))
    if not 0 <= number("the weight scale", weight_scale) < np.inf:
        raise SheetsimError(f"the weight scale must be a finite number of at least 0, not {weight_scale:g}")


def _within_reach(q: float) -> float:
    """A q near the fixed point at which the limits at 0 and infinity can be computed; any, where every q is one."""
    return 1.0 if np.isnan(q) else float(np.clip(q, LEAST_Q, GREATEST_Q))


def _values(activation: str, a: Array) -> Array:
    """f(a) by the model's own expression, for the numbers of an array."""
    return computed(activation, a, slope=False)[0]


def computed(activation: str, a: Array, *, slope: bool = True) -> list[Array]:
    """f(a), and f′(a) by the model's own derivative, of an array's numbers."""
    # An infinity is an error to the model; the largest number stands for it.
    leaf = Matrix(Data(np.clip(a, -GREATEST, GREATEST).reshape(1, -1)), (), (1, a.size))
    z = ACTIVATIONS[activation].function(leaf)
    nodes = [z, *(grad(total(z), [leaf]) if slope else ())]
    values = evaluate(nodes)
    return [np.broadcast_to(values[node], (1, a.size)).reshape(a.shape) for node in nodes]


def normal_rule(q: float = 1.0) -> tuple[Array, Array]:
    """Nodes and weights for the standard normal, fine enough for functions of normal numbers of variance q."""
    return _rule(_edges(q))


def _edges(q: float) -> Array:
    """Ends of panels about a kink at 0, finest there: to 1/√q, the width over which sigmoid and tanh turn."""
    halvings = 0 if np.isnan(q) else int(np.clip(np.ceil(np.log2(q) / 2), 0, HALVINGS))
    side = np.concatenate([2.0 ** np.arange(-halvings, 0), np.arange(1.0, REACH + 1)])
    return np.concatenate([-side[::-1], [0.0], side])


def _rule(edges: Array) -> tuple[Array, Array]:
    """Nodes and weights for the standard normal: Gauss-Legendre on each panel.

    Gauss-Hermite would gain only a digit for ten times the nodes at relu's kink. Leading axes of the edges are separate
    rules.
    """
    low, high = edges[..., :-1, None], edges[..., 1:, None]
    t = (low + high) / 2 + (high - low) / 2 * NODES
    w = (high - low) / 2 * WEIGHTS * np.exp(-(t**2) / 2) / np.sqrt(2 * np.pi)
    return t.reshape(*edges.shape[:-1], -1), w.reshape(*edges.shape[:-1], -1)


def _at_nodes(activation: str, q: float) -> tuple[Array, Array, Array]:
    """Weights, f(a) and f′(a) at nodes of a ~ N(0, q)."""
    t, w = _rule(_edges(q)) if q > 0 else (np.zeros(1), np.ones(1))
    z, slope = computed(activation, np.sqrt(q) * t)
    return w, z, slope


def _outputs(activation: str, q: Array, weights: Array) -> tuple[dict[str, Any], Array, float]:
    """Distribution of z = f(a), a ~ N(0, q), by the names of `layer_table`; E[z²] of each q; and E[f′(a)²] of all.

    q has so many values and weights.
    """
    nodes = [_at_nodes(activation, variance) for variance in q]
    w = np.concatenate([share * w for share, (w, _, _) in zip(weights, nodes, strict=True)])
    z, slope = (np.concatenate([of_one[k] for of_one in nodes]) for k in (1, 2))
    seconds = np.array([w @ outputs**2 for w, outputs, _ in nodes])
    mean, second = w @ z, weights @ seconds
    centered = z - mean
    var = w @ centered**2 if np.isfinite(second) else second
    std = np.sqrt(var)
    varies = std > CONSTANT * abs(mean)
    # Where f rises its quantiles are those of a, activated; where it falls below 0 to come back to 0, those from 0 up.
    ends = np.array([_quantile(p, _root(q), weights) for p in (0.05, 0.5, 0.95)])
    low, median, high = np.where(ACTIVATIONS[activation].rises | (ends >= 0), _values(activation, ends), np.nan)
    row = {
        "mean": mean,
        "std": std,
        "var": var,
        "skew": w @ centered**3 / std**3 if varies else np.nan,
        "kurtosis": w @ centered**4 / var**2 - 3 if varies else np.nan,
        "q05": low,
        "q50": median,
        "q95": high,
        "saturated": weights @ [_saturated(activation, variance) for variance in q],
    }
    return row, seconds, w @ slope**2


def _quantile(p: float, roots: Array, weights: Array) -> float:
    """The p-quantile of normal numbers whose standard deviations have so many values and weights."""
    from scipy.optimize import brentq
    from scipy.special import ndtr, ndtri

    ends = ndtri(p) * roots
    if len(roots) == 1 or p == 0.5:
        return float(ends[0]) if p != 0.5 else 0.0

    def excess(a: float) -> float:
        return float(weights @ np.where(roots > 0, ndtr(a / np.where(roots > 0, roots, 1)), a >= 0)) - p

    reach = abs(ends).max()
    return float(brentq(excess, ends.min() - 1e-9 * reach, ends.max() + 1e-9 * reach, xtol=1e-14 * reach))


def _root(q: Array | float) -> Array:
    """√q, or the largest number: infinity times 0 is NaN."""
    return np.minimum(np.sqrt(q), np.finfo(float).max)


def _spread(activation: str, q: float, apart: float, second: float) -> Any:
    """½ E[(f(u) - f(v))²] = E[f²] - E[f(u) f(v)] of normal u, v with variance q and correlation 1 - apart, in [-1, 1].

    For c from 0 at most `second`, E[f²]: there E[f(u) f(v)] is a sum of squares times powers of c, and never negative.

    In rotated coordinates u, v = √q(αs ± βt), with kinks at s = ±βt/α, so that it stays exact as the two come together,
    where the difference of the expectations has lost its digits.
    """
    if q == 0:
        return np.float64(0)
    alpha, beta = np.sqrt(1 - apart / 2), np.sqrt(apart / 2)
    edges = _edges(q)
    # t < 0 exchanges u and v: twice t > 0.
    t, outer = _rule(edges[edges >= 0])
    t = t[:, None]
    kink = beta / alpha * t
    s, inner = _rule(np.concatenate([np.minimum(edges, kink) - kink, np.maximum(edges, -kink) + kink], axis=1))
    plus, minus = (_values(activation, np.sqrt(q) * (alpha * s + side * beta * t)) for side in (1, -1))
    difference = plus - minus
    return np.minimum(outer @ (inner * difference**2).sum(axis=1), second if apart <= 1 else 2 * second)


def _saturated(activation: str, q: float) -> float:
    """P(a on a tail of f), a ~ N(0, q), by the normal distribution function beyond their ends."""
    from scipy.special import ndtr

    low, high = ACTIVATIONS[activation].tails
    if q == 0:
        return 0.0 if low < 0 < high else 1.0
    return float(ndtr(low / _root(q)) + ndtr(-high / _root(q)))
