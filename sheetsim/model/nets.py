"""Networks as matrices: the layers of a feed-forward network. It says what, and computes nothing."""

from collections.abc import Sequence

from msgspec import Struct

from sheetsim.model.activations import ACTIVATIONS as ACTIVATIONS
from sheetsim.model.activations import activate as activate
from sheetsim.model.distributions import normal
from sheetsim.model.expr import Matrix
from sheetsim.model.graph import Graph
from sheetsim.model.initializers import Initializer

# What the matrices W_l and a_l are.
WEIGHTS = "weights, sd · e"
SUMS = "pre-activations, the layer's input × its weights"
BIASED_SUMS = f"{SUMS} + its biases"
BIASES = "biases, bias_std · e_b: 1 × units"


class NetworkLayer(Struct, frozen=True):
    """One layer: z = f(a), a = input · W + b, W = sd · e; `given` is the layer's input, samples × fan-in.

    b: its biases, 1 × units, where it has some.
    """

    number: int
    given: Matrix
    e: Matrix
    sd: Matrix
    W: Matrix
    a: Matrix
    z: Matrix
    b: Matrix | None = None


class Network(Struct, frozen=True):
    """The layers, and the drop-down that chooses the activation of them all."""

    x: Matrix
    activation: Matrix
    layers: tuple[NetworkLayer, ...]


def feed_forward(
    graph: Graph,
    x: Matrix,
    activation: Matrix,
    widths: Sequence[int],
    initializers: Sequence[Initializer],
    bias: Matrix | None = None,
) -> Network:
    """a_l = z_{l-1} W_l + b_l, z_l = f(a_l), with z_0 = x; one width and one initializer a layer.

    bias: the biases' standard deviation, b_l = bias · e_b_l with standard normal e_b_l; without it there are none.
    """
    layers = []
    given = x
    for number, (width, initializer) in enumerate(zip(widths, initializers, strict=True), start=1):
        W = graph.weights(f"W_{number}", initializer, (given.shape[1], width), what=WEIGHTS)
        b = None if bias is None else drawn_biases(graph, number, width, bias)
        sums, what = (given @ W, SUMS) if b is None else (given @ W + b, BIASED_SUMS)
        a = graph.define(f"a_{number}", sums, what=what)
        z = graph.define(f"z_{number}", activate(activation, a), what="activations f(a)")
        layers.append(NetworkLayer(number, given, graph[f"e_{number}"], graph[f"sd_{number}"], W, a, z, b))
        given = z
    return Network(x, activation, tuple(layers))


def drawn_biases(graph: Graph, tail: str | int, units: int, std: Matrix, what: str = BIASES) -> Matrix:
    """b = std · e_b, 1 × units, with standard normal e_b; named `b_tail` and `e_b_tail`."""
    draws = graph.input(f"e_b_{tail}", normal(), (1, units), what="standard normal draws of the biases")
    return graph.define(f"b_{tail}", std * draws, what=what)
