"""The study of propagation: what skips and normalization do with sizes, correlations and gradients, by depth.

It holds its parameters and its graph; `blocks.py` has the blocks, `theory.py` what is expected, `layers.py` what is
measured.
"""

import math
from typing import TYPE_CHECKING, ClassVar

from sheetsim.errors import SheetsimError
from sheetsim.model.distributions import normal
from sheetsim.model.draws import check_seed
from sheetsim.model.expr import Matrix, sqrt, total
from sheetsim.model.grad import grad
from sheetsim.model.graph import Graph
from sheetsim.model.initializers import Initializer
from sheetsim.model.nets import ACTIVATIONS, drawn_biases
from sheetsim.model.op import Shape
from sheetsim.studies.propagation.blocks import BLOCKS, NORMS, PropagationBlock, normed_matrix, outputs
from sheetsim.studies.propagation.layers import VERDICTS, propagation_table, propagation_verdicts
from sheetsim.studies.propagation.theory import theory_series
from sheetsim.studies.study import Experiment, Findings, Study, check_one_of
from sheetsim.studies.weight_keys import SIGMA_W, DrawnWeights

if TYPE_CHECKING:
    from sheetsim.studies.about import StudyBook

MOST = {"samples": (4, 2_000), "units": (2, 1_000), "layers": (1, 100)}
# Of layers · units · (samples + units): numbers of the matrices of all layers.
MOST_CELLS = 4_000_000


class Propagation(DrawnWeights, Experiment, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The study `propagation`: layers with skip connections and normalization.

    Attributes
    ----------
    block
        Kind of layer.
    norm
        Normalization.
    samples
        Samples of the batch.
    units
        Units of the input and of each layer.
    layers
        Number of layers.
    activation
        Activation of all layers.
    gain
        σ_w, the weights' standard deviation times √units: a number, or "activation" for the usual gain of the
        activation.
    alpha
        Factor of a residual block's branch.
    correlation
        Correlation of any two inputs, from 0 to below 1.

    Raises
    ------
    SheetsimError
        A key is wrong; the message names it and says why.
    """

    STUDY: ClassVar[str] = "propagation"
    TITLE: ClassVar[str] = "Propagation with skips and normalization"
    TABLES: ClassVar[tuple[str, ...]] = ("propagation",)
    UNSAID: ClassVar[tuple[str, ...]] = ("bias", "weight_draws")

    study: str = "propagation"
    seed: int = 0
    block: str = "residual"
    norm: str = "none"
    samples: int = 40
    units: int = 50
    layers: int = 10
    activation: str = "relu"
    gain: float | str = 2**0.5
    bias: float = 0.0
    weight_draws: str = "normal"
    alpha: float = 1.0
    correlation: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seed(self.seed, "pcg64")
        for key, options in (("block", BLOCKS), ("norm", NORMS), ("activation", tuple(ACTIVATIONS))):
            check_one_of(key, getattr(self, key), options)
        for key, (least, most) in MOST.items():
            if not least <= getattr(self, key) <= most:
                raise SheetsimError(f"{key} must be {least} to {most:,}, not {getattr(self, key):,}")
        if self.layers * self.units * (self.samples + self.units) > MOST_CELLS:
            raise SheetsimError(f"layers · units · (samples + units) must be at most {MOST_CELLS:,}")
        self.check_weights()
        if not 0 <= self.alpha < math.inf:
            raise SheetsimError(f"alpha must be a finite number of at least 0, not {self.alpha:g}")
        if not 0 <= self.correlation < 1:
            raise SheetsimError(f"correlation must be at least 0 and below 1, not {self.correlation:g}")

    def build(self) -> Study:
        """The network, and a gradient back through it."""
        graph = Graph(seed=self.seed)
        shape = self.samples, self.units
        f = ACTIVATIONS[self.activation].function
        gain = graph.input("gain", self.gain_size, at_least=0.0, what=SIGMA_W)
        bias = self.bias_std(graph)
        alpha = graph.input("alpha", self.alpha, at_least=0.0, what="α: what the branch is multiplied by")
        c = graph.input("c_0", self.correlation, at_least=0.0, what="the correlation of any two inputs")
        common = graph.input("e_common", normal(), (1, self.units), what="standard normal draws that inputs share")
        each = graph.input("e_x", normal(), shape, what="standard normal draws of each input, samples × units")
        z = x = graph.define("x", sqrt(c) * common + sqrt(1 - c) * each, what="the inputs, samples × units")
        u = graph.input(
            "d_last", normal(), shape, what="the gradient with respect to the last outputs: standard normal draws"
        )
        blocks = []
        for number in range(1, self.layers + 1):
            initializer = Initializer(lambda fan_in, fan_out: gain / sqrt(fan_in), self.law)
            W = graph.weights(f"W_{number}", initializer, (self.units, self.units), what="weights, gain/√units · e")
            b = None if bias is None else drawn_biases(graph, number, self.units, bias)
            normed, a = _block(graph, self.block, self.norm, number, z, W, b)
            z = graph.define(f"z_{number}", outputs(self.block, f, alpha, z, a), what="outputs of the layer")
            blocks.append(PropagationBlock(number, graph[f"e_{number}"], W, normed, a, z, b))
        by = [x, *(block.z for block in blocks[:-1])]
        gradients = [
            graph.define(
                f"d_z_{k}",
                d,
                what="gradients of Σ z ∘ d_last with respect to the outputs, of 0 with respect to the input",
            )
            for k, d in enumerate(grad(total(z * u), by))
        ]
        return Study(graph, self.title or self.TITLE, lambda: self._findings(graph, blocks, [*gradients, u]))

    def _findings(self, graph: Graph, blocks: list[PropagationBlock], gradients: list[Matrix]) -> Findings:
        f = ACTIVATIONS[self.activation].function
        theory = theory_series(graph, self.block, self.norm, f, self.samples, self.layers)
        table = propagation_table(gradients, [block.z for block in blocks], theory)
        words = propagation_verdicts(graph, table)

        def sheets(command: str, live: bool) -> "StudyBook":
            from sheetsim.studies.propagation.book import PropagationBook

            return PropagationBook(self, graph, blocks, gradients, theory, table, words).sheets(command, live)

        names = ("q", "q_theory", "c", "c_theory", "chi", "chi_theory", "rate", "rate_theory")
        return Findings(sheets, (table,), verdicts=words, words=VERDICTS, headline=names)

    def sizes(self) -> dict[str, Shape]:
        """The shapes of the inputs, of the last layer's outputs, and of its weights."""
        shape = self.samples, self.units
        return {"x": shape, f"z_{self.layers}": shape, f"W_{self.layers}": (self.units, self.units)}


def _block(
    graph: Graph, block: str, norm: str, number: int, z: Matrix, W: Matrix, b: Matrix | None
) -> tuple[Matrix | None, Matrix]:
    """What is normalized, where it is, and what f takes. Names `h_l` and `a_l`."""

    def summed(of: Matrix) -> Matrix:
        return of @ W if b is None else of @ W + b

    if norm == "none":
        return None, graph.define(f"a_{number}", summed(z), what="sums, what f takes")
    if block == "plain":
        sums = graph.define(f"h_{number}", summed(z), what="sums, before they are normalized")
        return sums, graph.define(f"a_{number}", normed_matrix(norm, sums), what="normalized sums, what f takes")
    normed = graph.define(f"h_{number}", normed_matrix(norm, z), what="what goes into the branch, normalized")
    return normed, graph.define(f"a_{number}", summed(normed), what="sums, what f takes")
