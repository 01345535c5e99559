"""The study of Jacobians: by how much a network's layers stretch small changes of an input, in each direction.

Here stand its parameters and its graph; `layers.py` says what is measured, and `book.py` how the workbook shows it.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from sheetsim.errors import SheetsimError
from sheetsim.model.distributions import normal
from sheetsim.model.draws import check_seed
from sheetsim.model.expr import Matrix, sqrt, total
from sheetsim.model.grad import grad
from sheetsim.model.graph import Graph
from sheetsim.model.initializers import Initializer, lecun, orthogonal
from sheetsim.model.nets import ACTIVATIONS, activate, drawn_biases
from sheetsim.model.op import Shape
from sheetsim.studies.forward.study import chosen_activation
from sheetsim.studies.jacobian.layers import (
    VERDICTS,
    JacobianLayer,
    jacobian_histograms,
    jacobian_table,
    jacobian_verdicts,
    singular_values,
    values_table,
)
from sheetsim.studies.layer_theory import layer_theory
from sheetsim.studies.study import Experiment, Findings, Study, check_one_of
from sheetsim.studies.weight_keys import BIAS, SIGMA_W, DrawnWeights, with_draws

if TYPE_CHECKING:
    from sheetsim.studies.about import StudyBook

MOST = {"units": (1, 1_000), "layers": (1, 200), "bins": (2, 100)}

# Of units² · layers: up to so many numbers of each kind of matrix the book is live, and holds the matrices.
MOST_LIVE = 100_000

# How the two networks' weights are drawn, each of standard deviation gain/√n.
DRAWS: Mapping[str, Initializer] = {"gaussian": lecun(), "orthogonal": orthogonal()}

# What the matrices are.
WEIGHTS = "weights, gain/√n · e: rows are inputs"
BIASES = "biases of the layer, bias_std · standard normal draws"
SUMS = "the layer's sums for the one input, 1 × units"
OUTPUTS = "the layer's outputs f(a), 1 × units"
JACOBIAN = (
    "the derivatives of the layer's outputs with respect to the input, inputs × units: that of the layer before · "
    "W ∘ f′(a)"
)


class Jacobian(DrawnWeights, Experiment, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The study `jacobian`: singular values of a network's Jacobian by depth, for Gaussian and orthogonal weights.

    Attributes
    ----------
    units
        Units of the input and of each layer.
    layers
        Number of layers.
    activation
        Activation of all layers.
    gain
        σ_w, the weights' standard deviation times √units, of independent and of orthogonal weights: a number, or
        "activation" for the usual gain of the activation.
    weight_draws
        Distribution of the independent weights, a name of WEIGHT_DRAWS; orthogonal ones are as they are.
    input_std
        Standard deviation of the input, one sample of normal numbers.
    bins
        Bins of the histograms.

    Raises
    ------
    SheetsimError
        A key is wrong; the message names it and says why.
    """

    STUDY: ClassVar[str] = "jacobian"
    TITLE: ClassVar[str] = "Singular values of the Jacobian"
    TABLES: ClassVar[tuple[str, ...]] = ("jacobian", "histogram", "values")
    UNSAID: ClassVar[tuple[str, ...]] = ("weight_draws",)

    study: str = "jacobian"
    seed: int = 0
    units: int = 30
    layers: int = 8
    activation: str = "tanh"
    gain: float | str = 1.0
    bias: float = 0.0
    weight_draws: str = "normal"
    input_std: float = 1.0
    bins: int = 24

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seed(self.seed, "pcg64")
        for key, (least, most) in MOST.items():
            if not least <= getattr(self, key) <= most:
                raise SheetsimError(f"{key} must be {least} to {most:,}, not {getattr(self, key):,}")
        self.check_weights()
        if not 0 <= self.input_std < math.inf:
            raise SheetsimError(f"input_std must be a finite number of at least 0, not {self.input_std:g}")
        check_one_of("activation", self.activation, tuple(ACTIVATIONS))

    @property
    def is_full(self) -> bool:
        """Whether the workbook holds the matrices, and is live."""
        return self.units**2 * self.layers <= MOST_LIVE

    def depths(self) -> list[int]:
        """The depths of which there are histograms: the first layer, half and all."""
        return sorted({1, math.ceil(self.layers / 2), self.layers})

    def build(self) -> Study:
        """Two networks, one input, and the Jacobians by layer."""
        graph = Graph(seed=self.seed)
        activation = chosen_activation(graph, self.activation)
        gain = graph.input("gain", self.gain_size, at_least=0.0, what=SIGMA_W)
        bias = graph.input("bias_std", self.bias, at_least=0.0, what=BIAS)
        scale = graph.input("input_std", self.input_std, at_least=0.0, what="the input's standard deviation")
        e = graph.input("e_x", normal(), (1, self.units), what="standard normal draws, 1 × units")
        x = graph.define("x", scale * e, what="the input, input_std · e_x")
        networks = {}
        for kind, scheme in DRAWS.items():
            initializer = with_draws(self.weight_draws, scheme)
            given, made = x, []
            J: Matrix | None = None
            for number in range(1, self.layers + 1):
                tail = f"{kind}_{number}"
                W = graph.weights(
                    f"W_{tail}",
                    Initializer(lambda fan_in, fan_out: gain / sqrt(fan_in), initializer.draws, initializer.design),
                    (self.units, self.units),
                    what=WEIGHTS,
                )
                b = drawn_biases(graph, tail, self.units, bias, BIASES)
                a = graph.define(f"a_{tail}", given @ W + b, what=SUMS)
                given = graph.define(f"z_{tail}", activate(activation, a), what=OUTPUTS)
                (slope,) = grad(total(given), [a])
                product = W if J is None else J @ W
                J = graph.define(f"J_{tail}", product * slope, what=JACOBIAN)
                made.append(JacobianLayer(number, graph[f"e_{tail}"], W, b, a, given, J))
            networks[kind] = made
        return Study(graph, self.title or self.TITLE, lambda: self._findings(graph, networks), self.is_full)

    def _findings(self, graph: Graph, networks: dict[str, list[JacobianLayer]]) -> Findings:
        activation, bias = graph["activation"], graph["bias_std"]
        given = graph["input_std"] ** 2
        theory = layer_theory(graph, activation, graph["gain"] ** 2, bias**2, given, self.layers)
        values = singular_values(graph, networks)
        table = jacobian_table(graph, networks, values, theory)
        words = jacobian_verdicts(graph, table)
        histograms = jacobian_histograms(graph, values, theory, self.depths(), self.bins)
        listed = values_table(values, self.depths())

        def sheets(command: str, live: bool) -> "StudyBook":
            from sheetsim.studies.jacobian.book import JacobianBook

            parts = graph, networks, theory, values, (table, histograms.table, listed), histograms, words
            return JacobianBook(self, *parts).sheets(command, live)

        headline = ("mean_square", "mean_square_theory", "fourth", "fourth_theory", "largest", "smallest", "condition")
        return Findings(sheets, (table, histograms.table, listed), verdicts=words, words=VERDICTS, headline=headline)

    def sizes(self) -> dict[str, Shape]:
        """The shapes of all that the book holds of the last layer."""
        values = {f"found_gaussian_{self.layers}": (self.units, 1)}
        square = self.units, self.units
        held = {"x": (1, self.units), f"W_gaussian_{self.layers}": square, f"J_gaussian_{self.layers}": square}
        return values | (held if self.is_full else {})
