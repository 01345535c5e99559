"""What mean-field theory expects of blocks with skips and normalization, as formulas by layer.

q = E[z²], m = E[z] over units, p = E[z z′] of two samples. What f takes is normal with variance v and correlation c:

    plain      v = σ_w² q, c = p/q; with a norm v = 1; by batch c = −1/(N − 1) for N samples that are all alike
    residual   v = σ_w² q, c = p/q; with a norm v = σ_w², c of what was centered: (p − m²)/(q − m²) by layer

Biases of variance σ_b² add that to the variance of the sums and to their covariance (Poole et al. 2016,
arXiv:1606.05340, eq. 3 and 5): v + σ_b² and (v c + σ_b²)/(v + σ_b²), before a plain block's norm by layer, which
divides by the former. A norm by batch takes them out of plain blocks, as samples have them in common. And then

    q, m, p ← E[f²], E[f], E[f f′], of a residual block q + 2α m E[f] + α² E[f²], and so on

A gradient's square grows back by χ = σ_w² E[f′²]/s, σ_w² s the variance that the norm divides by: s = q + σ_b²/σ_w²
or q − p of plain blocks by layer or batch (Yang et al. 2019, arXiv:1902.08129: π/(π − 1) for relu by batch); of
residual ones by 1 + α² χ, with s = q − m² or q − p (Yang & Schoenholz 2017, arXiv:1712.08969). For many units, and by
batch for many samples.
"""

from collections.abc import Callable

import numpy as np

from sheetsim.model.expr import Matrix, absolute, matrix, total, where
from sheetsim.model.expr import sqrt as root
from sheetsim.model.grad import grad
from sheetsim.model.graph import Graph
from sheetsim.model.series import Series
from sheetsim.studies.correlation.mean_field import DEGREES, LEAST, quadrature

SERIES = {
    "q_theory": "by layer, step 0 the input: the mean square of the outputs in mean-field theory",
    "mean_theory": "their mean",
    "product_theory": "the mean product of two samples’ outputs",
    "v_theory": "the variance of what f takes",
    "r_theory": "its correlation between two samples",
    "squares": "the squares a_k² of f's coefficients by Hermite polynomials, from degree 1",
    "f_mean": "E[f]",
    "f_square": "E[f²]",
    "f_product": "E[f f′] of two samples",
    "chi_theory": "χ: by what a gradient's square grows back through the layer",
}

# What stands above their columns.
HEADINGS = {
    "q_theory": "mean square q",
    "mean_theory": "mean m",
    "product_theory": "mean product p",
    "v_theory": "variance v",
    "r_theory": "correlation r",
    "f_mean": "E[f]",
    "f_square": "E[f²]",
    "f_product": "E[f f′]",
    "chi_theory": "growth χ",
}


def theory_series(
    graph: Graph, block: str, norm: str, f: Callable[[Matrix], Matrix], samples: int, layers: int
) -> dict[str, Series]:
    """The series of SERIES. Names also `nodes`, `node_weights`, `hermite` and `degree`."""
    s, w, hermite = quadrature()
    nodes = graph.input("nodes", s.reshape(-1, 1), what="nodes of the expectations over a standard normal")
    weights = graph.input("node_weights", w.reshape(-1, 1), what="the weights of the nodes").T
    polynomials = graph.input("hermite", hermite, what="weights times the polynomials, a column a degree").T
    degrees = np.arange(1.0, DEGREES + 1).reshape(-1, 1)
    degree = graph.input("degree", degrees, what="the degrees of the polynomials")
    scale, alpha = graph["gain"] ** 2, graph["alpha"]

    def step(before: dict[str, Matrix], layer: int) -> dict[str, Matrix]:
        q, m, p = (before[name] for name in ("q_theory", "mean_theory", "product_theory"))
        v, c, spread = _taken(block, norm, scale, q, m, p, samples)
        if "bias_std" in graph:
            v, c, spread = _biased(block, norm, scale, graph["bias_std"] ** 2, q, v, c, spread)
        at = root(v) * nodes
        values = f(at)
        (slope,) = grad(total(values), [at])
        center, square, squares = weights @ values, weights @ values**2, (polynomials @ values) ** 2
        # 0 to a power is an error in a sheet.
        base = where(absolute(c) > LEAST, c, LEAST)
        left = square - center**2 - total(squares)
        product = center**2 + total(squares * base**degree) + left * base ** (DEGREES + 1)
        chi = scale * (weights @ slope**2) / spread
        told = {"v_theory": v, "r_theory": c, "squares": squares, "f_mean": center, "f_square": square}
        told |= {"f_product": product}
        if block == "plain":
            return (
                told
                | {"q_theory": square + 0, "mean_theory": center + 0, "product_theory": product + 0}
                | {"chi_theory": chi}
            )
        cross = 2 * alpha * m * center
        return told | {
            "q_theory": q + cross + alpha**2 * square,
            "mean_theory": m + alpha * center,
            "product_theory": p + cross + alpha**2 * product,
            "chi_theory": 1 + alpha**2 * chi,
        }

    start = {
        "q_theory": 0 * graph["c_0"] + 1,
        "mean_theory": 0 * graph["c_0"],
        "product_theory": graph["c_0"] + 0,
    }
    columns = {name: (name,) for name in SERIES if name != "squares"}
    return graph.series(start, step=step, steps=layers, columns=columns, what=SERIES)


def _taken(
    block: str, norm: str, scale: Matrix, q: Matrix, m: Matrix, p: Matrix, samples: int
) -> tuple[Matrix, Matrix, Matrix]:
    """The variance of what f takes, its correlation between samples, and what a norm divides by, over σ_w²'s."""
    one = matrix(1.0)
    if norm == "none":
        return scale * q, p / q, one
    apart = matrix(-1.0 / (samples - 1))
    if block == "plain":
        # σ_w² has gone with the norm.
        return one + 0 * q, (p / q if norm == "layer" else apart + 0 * q), scale * (q if norm == "layer" else q - p)
    if norm == "layer":
        return scale + 0 * q, (p - m**2) / (q - m**2), q - m**2
    return scale + 0 * q, apart + 0 * q, q - p


def _biased(
    block: str, norm: str, scale: Matrix, bias: Matrix, q: Matrix, v: Matrix, c: Matrix, spread: Matrix
) -> tuple[Matrix, Matrix, Matrix]:
    """The three of `_taken` with biases of that variance."""
    if (block, norm) == ("plain", "batch"):
        return v, c, spread
    if (block, norm) == ("plain", "layer"):
        variance = scale * q + bias
        return v, (scale * q * c + bias) / variance, variance
    return v + bias, (v * c + bias) / (v + bias), spread
