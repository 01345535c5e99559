"""A person's own network by the tables and verdicts of the study forward: weights that are given, and data or draws.

It is not in the registry of studies: a template is complete, and these weights are given.
"""

from typing import Any, ClassVar

from sheetsim.model.activations import activate
from sheetsim.model.expr import Matrix, mean, sqrt
from sheetsim.model.graph import Graph
from sheetsim.model.nets import BIASED_SUMS, SUMS, Network, NetworkLayer
from sheetsim.studies.diagnose.weights_files import GivenLayer
from sheetsim.studies.forward.study import Forward, chosen_activation


class Diagnosed(Forward, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Forward with given weights. given: the layers, whose widths `layers` has; weights: where they are from."""

    STUDY: ClassVar[str] = "diagnose"
    TITLE: ClassVar[str] = "Diagnosis of given weights"

    study: str = "diagnose"
    given: Any = ()
    weights: list[str]

    def network(self, graph: Graph) -> Network:
        """The input, the drop-down of activations, the layers. Raises SheetsimError for data that cannot be read."""
        x = self._input(graph)
        activation = chosen_activation(graph, self.activation)
        layers, given = [], x
        for number, layer in enumerate(self.given, start=1):
            made = _layer(graph, activation, number, given, layer)
            layers.append(made)
            given = made.z
        return Network(x, activation, tuple(layers))

    def input_width(self) -> int:
        """The inputs of the data. Raises SheetsimError for data that cannot be read."""
        return self._input(Graph()).shape[1]

    def parameters(self) -> dict[str, Any]:
        """What About shows; without `study`, as no command of a template makes it again."""
        keys = super().parameters()
        return {key: value for key, value in keys.items() if key not in ("study", "given", "initializer", "gain")}


def _layer(graph: Graph, activation: Matrix, number: int, given: Matrix, layer: GivenLayer) -> NetworkLayer:
    W = graph.input(f"W_{number}", layer.W, what="the weights that were given, fan-in × units")
    sd = graph.define(f"sd_{number}", sqrt(mean(W**2)), what="root mean square of the layer's weights")
    b = None
    if layer.b is not None:
        b = graph.input(f"b_{number}", layer.b, what="the biases that were given, 1 × units")
    what = SUMS if b is None else BIASED_SUMS
    a = graph.define(f"a_{number}", given @ W if b is None else given @ W + b, what=what)
    z = graph.define(f"z_{number}", activate(activation, a), what="activations f(a)")
    return NetworkLayer(number, given, W, sd, W, a, z, b)
