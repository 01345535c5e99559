"""Mean-field theory of wide layers with biases, by layer, as formulas that follow the yellow cells.

The sums of a layer are normal with variance q, and with weights of variance σ_w²/n and biases of variance σ_b²

    q_l = σ_w² E[f(√q_{l-1} s)²] + σ_b²,    χ_l = σ_w² E[f′(√q_l s)²],    s standard normal

(Poole et al. 2016, arXiv:1606.05340; Schoenholz et al. 2017, arXiv:1611.01232). Expectations are sums over the nodes of
a quadrature, which stand in the book.
"""

from sheetsim.model.expr import Matrix, sqrt, total
from sheetsim.model.grad import grad
from sheetsim.model.graph import Graph
from sheetsim.model.nets import activate
from sheetsim.model.series import Series
from sheetsim.summary.theory import normal_rule

# The nodes are fine enough for sums of such a variance: sigmoid and tanh turn over 1/√q.
FINE = 64.0

SERIES = {
    "second_theory": "by layer, step 0 the input: the mean square of the outputs in mean-field theory",
    "q_theory": "the variance of the layer's sums in that theory, σ_w² second_theory + σ_b² of the layer before",
    "chi_theory": "χ: the growth of a small difference's square through the layer, σ_w² E[f′²]",
    "slope_square": "E[f′²] of the layer’s sums",
    "slope_fourth": "E[f′⁴]",
    "slope_ratio": "E[f′⁴]/E[f′²]²: 1 where all slopes are equal",
}

# What stands above their columns.
HEADINGS = {
    "second_theory": "mean square",
    "q_theory": "variance q",
    "chi_theory": "growth χ",
    "slope_square": "E[f′²]",
    "slope_fourth": "E[f′⁴]",
    "slope_ratio": "E[f′⁴]/E[f′²]²",
}


def layer_theory(
    graph: Graph, activation: Matrix, weights: Matrix, bias: Matrix, given: Matrix, layers: int
) -> dict[str, Series]:
    """The series of SERIES by layer. weights, bias: σ_w² and σ_b²; given: the mean square of the inputs.

    Names also `nodes` and `node_weights`.
    """
    s, w = normal_rule(FINE)
    nodes = graph.input("nodes", s.reshape(-1, 1), what="nodes of the expectations over a standard normal")
    shares = graph.input("node_weights", w.reshape(-1, 1), what="the weights of the nodes").T

    def step(before: dict[str, Matrix], layer: int) -> dict[str, Matrix]:
        q = weights * before["second_theory"] + bias
        sums = sqrt(q) * nodes
        f = activate(activation, sums)
        (slope,) = grad(total(f), [sums])
        square, fourth = shares @ slope**2, shares @ slope**4
        return {
            "q_theory": q,
            "second_theory": shares @ f**2,
            "chi_theory": weights * square,
            "slope_square": square,
            "slope_fourth": fourth,
            "slope_ratio": fourth / square**2,
        }

    columns = {name: (name,) for name in SERIES}
    return graph.series({"second_theory": given + 0}, step=step, steps=layers, columns=columns, what=SERIES)
