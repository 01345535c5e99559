"""What mean-field theory expects of two inputs' correlation, by layer, as formulas that follow the drop-downs.

A layer takes the correlation c of two normal sums of variance q to E[f(u) f(v)] / E[f²] (Poole et al. 2016,
arXiv:1606.05340). By Mehler's formula E[f(u) f(v)] = Σ a_k² c^k, with a_k the coefficients of f(√q s) by normalized
Hermite polynomials (O'Donnell 2014, §11.2; Daniely et al. 2016, arXiv:1602.05897): quadrature of one variable, which
is exact at the kink of relu, and a power series.
"""

from collections.abc import Callable, Mapping

import numpy as np

from sheetsim.model.expr import Matrix, absolute, row, sqrt, total, where
from sheetsim.model.grad import grad
from sheetsim.model.graph import Graph
from sheetsim.model.op import Array
from sheetsim.model.series import Series
from sheetsim.summary.theory import normal_rule

# Terms of the power series; what is left of E[f²], 1e-4 of it for relu, is taken as one term more.
DEGREES = 60

# The nodes are fine enough for sums of such a variance: sigmoid and tanh turn over 1/√q.
FINE = 64.0

# Powers of smaller correlations are below what a sheet can hold, and are left out.
LEAST = 1e-5

# What stands above the columns of the theory; the other series lead to them.
HEADINGS = {
    "q_theory": "variance q",
    "c_theory": "correlation c",
    "chi_theory": "growth χ",
    "map_slope": "slope of c",
    "second": "E[f²]",
}

# Layers beyond the network's last that the map is followed through, towards its fixed point.
FURTHER = 64

# What the matrices are.
HERMITE = "weights times normalized Hermite polynomials of degree 1, 2, … at the nodes"
SERIES = {
    "q_theory": "by layer, step 0 the input: the variance of the sums in mean-field theory",
    "c_theory": "the correlation of the two inputs' sums in that theory",
    "chi_theory": "χ: the growth of a small difference's square to the next layer",
    "map_slope": "what the next layer's c changes by with this one's",
    "squares": "the squares a_k² of f's coefficients, from degree 1",
    "second": "E[f²], the sum of all from degree 0",
}


def mean_field_series(
    graph: Graph, layers: int, f: Callable[[Matrix], Matrix], bias: Matrix | None = None
) -> dict[str, Series]:
    """Theory by layer, step 0 the input.

    `q_theory` and `c_theory` are of the sums. From layer 1, `chi_theory` is the growth of a small difference n·sd²
    E[f′²] to the next layer (Schoenholz et al. 2017, arXiv:1611.01232), and `map_slope` the derivative of the next
    layer's c with respect to this one's.
    """
    s, w, hermite = quadrature()
    nodes = graph.input("nodes", s.reshape(-1, 1), what="nodes of the expectations over a standard normal")
    weights = graph.input("node_weights", w.reshape(-1, 1), what="the weights of the nodes").T
    polynomials = graph.input("hermite", hermite, what=HERMITE).T
    degrees = np.arange(1.0, DEGREES + 1).reshape(-1, 1)
    degree = graph.input("degree", degrees, what="the degrees of the polynomials")
    scale = graph["weight_scale"]

    shown: dict[str, Matrix] = {}
    hidden: dict[str, Matrix] = {}

    def step(before: dict[str, Matrix], t: int) -> dict[str, Matrix]:
        # The first sums are of the inputs themselves.
        q, c = scale * before["q_theory"], before["c_theory"] + 0
        if bias is not None:
            c = (q * before["c_theory"] + bias) / (q + bias)
            q = q + bias
        if t > 1:
            base = where(absolute(before["c_theory"]) > LEAST, before["c_theory"], 0)
            powers = total(shown["squares"] * base**degree) + hidden["left"] * base ** (DEGREES + 1)
            powers += row(shown["squares"], 1) * (before["c_theory"] - base)
            q, c = scale * shown["second"], (hidden["mean_square"] + powers) / shown["second"]
            if bias is not None:
                c = (q * c + bias) / (q + bias)
                q = q + bias
        at = sqrt(q) * nodes
        outputs = f(at)
        (slope,) = grad(total(outputs), [at])
        shown["squares"], hidden["mean_square"], shown["second"] = (
            (polynomials @ outputs) ** 2,
            (weights @ outputs) ** 2,
            weights @ outputs**2,
        )
        hidden["left"] = shown["second"] - hidden["mean_square"] - total(shown["squares"])
        base = where(absolute(c) > LEAST, c, 0)
        # 0⁰ is an error in a sheet: the term of k = 1 apart.
        rising = total(shown["squares"] * degree * base ** where(degree > 2, degree - 1, 1))
        rising += row(shown["squares"], 1) * (1 - base) + (DEGREES + 1) * hidden["left"] * base**DEGREES
        told = {"q_theory": q, "c_theory": c, "chi_theory": scale * (weights @ slope**2)}
        slope_of_map = rising / shown["second"]
        if bias is not None:
            slope_of_map *= scale * shown["second"] / (scale * shown["second"] + bias)
        return told | {"map_slope": slope_of_map} | shown

    q = graph.define("q_0", 0 * graph["c_0"] + 1, what="the inputs' mean square in theory")
    start = {"q_theory": q, "c_theory": graph["c_0"] + 0}
    columns = {name: (name,) for name in HEADINGS}
    return graph.series(start, step=step, steps=layers + FURTHER, columns=columns, what=SERIES)


def variance_slope(graph: Graph, theory: Mapping[str, Series], f: Callable[[Matrix], Matrix]) -> Matrix:
    """Slope of q's map, at the last q: σ_w² E[f f′ s]/√q. Names `q_slope`.

    Its logarithm is the depth scale ξ_q (Schoenholz et al. 2017).
    """
    nodes, weights, q = graph["nodes"], graph["node_weights"].T, theory["q_theory"][-1]
    at = sqrt(q) * nodes
    outputs = f(at)
    (slope,) = grad(total(outputs), [at])
    value = graph["weight_scale"] * (weights @ (outputs * slope * nodes)) / sqrt(q)
    what = "what the next layer's q changes by with this one's, after all layers"
    return graph.define("q_slope", value, what=what)


def quadrature() -> tuple[Array, Array, Array]:
    """Nodes, weights, and columns w·h_k of the normalized Hermite polynomials from k = 1, for the standard normal."""
    s, w = normal_rule(FINE)
    rows = [np.ones_like(s), s]
    for k in range(1, DEGREES):
        rows.append((s * rows[k] - np.sqrt(k) * rows[k - 1]) / np.sqrt(k + 1))
    return s, w, (np.array(rows[1:]) * w).T
