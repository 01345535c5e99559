"""A network's way to a loss and back: output layer, targets, loss, and the gradients by layer. It derives by `grad`."""

from collections.abc import Callable

import numpy as np
from msgspec import Struct

from sheetsim.model.distributions import normal, uniform
from sheetsim.model.expr import Matrix, choose, column, equal, exp, floor, log, row_sum, sum_squares, total, where
from sheetsim.model.grad import grad
from sheetsim.model.graph import Graph
from sheetsim.model.initializers import Initializer
from sheetsim.model.nets import SUMS, WEIGHTS, Network

LOSSES = ("mse", "cross-entropy")

# What the matrices d_z_l, d_a_l and d_W_l are.
GRADIENTS = {
    "z": "gradients of the loss with respect to the activations: d_a of the layer above · its weights transposed",
    "a": "gradients of the loss with respect to the pre-activations: d_z times f′(a); the last one is with respect to "
    "the output",
    "W": "gradients of the loss with respect to the weights: the layer's input transposed · d_a",
    "b": "gradients of the loss with respect to the biases: d_a summed over the samples",
}
SHIFT = (
    "each sample's greatest output, taken off its outputs before EXP against overflow: the last column of the sheet "
    "Shift, whose column k has the greatest of the first k outputs"
)


class LayerGradient(Struct, frozen=True):
    """The gradients of the loss at one layer: with respect to its pre-activations, its activations and its weights.

    Of the output layer, which is linear, d_z is d_a. b, d_b: biases and their gradient, if there are some.
    """

    number: int
    W: Matrix
    a: Matrix
    z: Matrix
    given: Matrix
    sd: Matrix
    e: Matrix
    d_a: Matrix
    d_z: Matrix
    d_W: Matrix  # noqa: N815  # the matrix's own name
    b: Matrix | None = None
    d_b: Matrix | None = None


class BackwardPass(Struct, frozen=True):
    """A network's loss and the gradients of all its layers, the output layer last.

    random_targets: the draws of which targets are made, samples × outputs; labels: samples × 1, from 1.
    maxima: by column k, each sample's largest output of the first k; the last is `shift`, samples × 1.
    """

    network: Network
    choice: Matrix
    random_targets: Matrix
    label_draws: Matrix
    classes: Matrix
    labels: Matrix
    targets: Matrix
    maxima: tuple[Matrix, ...]
    loss: Matrix
    steps: tuple[LayerGradient, ...]


def backward_pass(graph: Graph, network: Network, outputs: int, initializer: Initializer, loss: Matrix) -> BackwardPass:
    """Add a linear output layer `a_{L+1} = z_L W_{L+1}`, random targets, the chosen loss, and its gradients.

    The gradients are named `d_a_l`, `d_z_l` and `d_W_l`.
    """
    last = network.layers[-1]
    number = last.number + 1
    W = graph.weights(f"W_{number}", initializer, (last.z.shape[1], outputs), what=WEIGHTS)
    out = graph.define(f"a_{number}", last.z @ W, what=SUMS)
    samples = out.shape[0]
    normals = graph.input("e_targets", normal(), (samples, outputs), what="standard normal draws, samples × outputs")
    draws = graph.input("u_labels", uniform(0, 1), (samples, 1), what="uniform draws of which the labels are made")
    classes = graph.input("classes", np.arange(1.0, outputs + 1).reshape(1, -1), what="the numbers of the outputs")
    labels = graph.define("labels", 1 + floor(draws * outputs), what="the samples' labels, from 1")
    targets = graph.define(
        "targets",
        choose(loss, {"mse": normals, "cross-entropy": equal(labels, classes)}),
        what="what the output should be: e_targets, or a 1 in the column of the sample's label",
    )
    # Against overflow of EXP; softmax is the same whatever is taken off a sample's outputs: a constant to gradients.
    *first, last_maximum = _running_maxima(out)
    shift = graph.define("shift", last_maximum, what=SHIFT)
    logits = out - shift
    ways: dict[str, Callable[[], Matrix]] = {
        "mse": lambda: sum_squares(out - targets) / (samples * outputs),
        "cross-entropy": lambda: (total(log(row_sum(exp(logits)))) - total(targets * logits)) / samples,
    }
    value = graph.define("loss_value", choose(loss, {name: way() for name, way in ways.items()}), what="the loss")
    layers = network.layers
    by = [out, *(layer.a for layer in layers), *(layer.z for layer in layers), W, *(layer.W for layer in layers)]
    by += [layer.b for layer in layers if layer.b is not None]
    gradients = dict(zip(by, grad(value, by, fixed=[shift]), strict=True))

    def gradient(letter: str, number: int, of: Matrix) -> Matrix:
        return graph.define(f"d_{letter}_{number}", gradients[of], what=GRADIENTS[letter])

    d_out, d_W = gradient("a", number, out), gradient("W", number, W)
    e, sd = graph[f"e_{number}"], graph[f"sd_{number}"]
    steps = [LayerGradient(number, W, out, out, last.z, sd, e, d_out, d_out, d_W)]
    for layer in reversed(layers):
        d_z, d_a = gradient("z", layer.number, layer.z), gradient("a", layer.number, layer.a)
        d_W = gradient("W", layer.number, layer.W)
        d_b = None if layer.b is None else gradient("b", layer.number, layer.b)
        number, given = layer.number, layer.given
        parts = layer.W, layer.a, layer.z, given, layer.sd, layer.e, d_a, d_z, d_W, layer.b, d_b
        steps.append(LayerGradient(number, *parts))
    maxima = (*first, shift)
    return BackwardPass(network, loss, normals, draws, classes, labels, targets, maxima, value, tuple(reversed(steps)))


def _running_maxima(x: Matrix) -> list[Matrix]:
    """Column k: each row's largest number of the first k. No function of a sheet takes the maximum of every row."""
    # INDEX of a single cell is an error in IronCalc.
    maxima = [column(x, 1) if x.shape[1] > 1 else x + 0]
    for number in range(2, x.shape[1] + 1):
        outputs = column(x, number)
        maxima.append(where(outputs > maxima[-1], outputs, maxima[-1]))
    return maxima
