"""The study of finite width: how much lengths of outputs and gradients differ between networks of the same shape.

It holds its parameters and its graph; `passes.py` computes the networks, `layers.py` makes the tables about them.
"""

from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

import msgspec

from sheetsim.errors import SheetsimError
from sheetsim.model.distributions import normal, uniform
from sheetsim.model.draws import check_seed
from sheetsim.model.graph import Graph
from sheetsim.model.nets import ACTIVATIONS
from sheetsim.model.op import Shape
from sheetsim.studies.finite_width.layers import VERDICTS, log_histogram, width_table, width_verdicts
from sheetsim.studies.finite_width.passes import passes, theory_of_lengths
from sheetsim.studies.study import Experiment, Findings, Study, check_one_of
from sheetsim.studies.weight_keys import DrawnWeights

if TYPE_CHECKING:
    from sheetsim.studies.about import StudyBook

MOST_LAYERS, MOST_WIDTH, MOST_NETWORKS = 200, 1_000, 20_000
# Of networks · weights: draws.
MOST_DRAWS = 4_000_000_000


class FiniteWidth(DrawnWeights, Experiment, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The study `finite-width`: how far layers of finite width are from the theory of infinitely wide ones.

    Attributes
    ----------
    networks
        Number of networks, each with its own weights, and all with one input.
    inputs
        Components of the input.
    layers
        Units of each layer.
    activation
        Activation of all layers.
    gain
        σ_w, the weights' standard deviation times √fan_in: a number, or "activation" for the usual gain of the
        activation.
    bins
        Bins of the histogram.

    Raises
    ------
    SheetsimError
        A key is wrong; the message names it and says why.
    """

    STUDY: ClassVar[str] = "finite-width"
    TITLE: ClassVar[str] = "Finite width"
    TABLES: ClassVar[tuple[str, ...]] = ("widths", "histogram")

    study: str = "finite-width"
    seed: int = 0
    networks: int = 400
    inputs: int = 50
    layers: list[int] = msgspec.field(default_factory=lambda: [50] * 20)
    activation: str = "relu"
    gain: float | str = "activation"
    bias: float = 0.0
    weight_draws: str = "normal"
    bins: int = 24

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seed(self.seed, "pcg64")
        check_one_of("activation", self.activation, tuple(ACTIVATIONS))
        if not 1 <= len(self.layers) <= MOST_LAYERS:
            raise SheetsimError(f"layers must list 1 to {MOST_LAYERS} widths, not {len(self.layers)}")
        for key, widths in (("inputs", [self.inputs]), ("layers", self.layers)):
            for width in widths:
                if not 1 <= width <= MOST_WIDTH:
                    raise SheetsimError(f"{key}: a width must be 1 to {MOST_WIDTH:,}, not {width:,}")
        if not 2 <= self.networks <= MOST_NETWORKS:
            raise SheetsimError(f"networks must be 2 to {MOST_NETWORKS:,}, not {self.networks:,}")
        if not 2 <= self.bins <= 100:
            raise SheetsimError(f"bins must be 2 to 100, not {self.bins}")
        self.check_weights()
        if self.gain == 0:
            raise SheetsimError("gain must be above 0, because the study takes logarithms of lengths")
        widths = [self.inputs, *self.layers]
        if self.networks * sum(a * b for a, b in pairwise(widths)) > MOST_DRAWS:
            raise SheetsimError(f"networks · weights must be at most {MOST_DRAWS:,}: fewer networks, or narrower ones")

    def build(self) -> Study:
        """One input, and the networks' logarithms."""
        graph = Graph(seed=self.seed)
        x = graph.input("x", normal(), (1, self.inputs), what="the input of all networks, 1 × inputs")
        start = graph.input(
            "start", uniform(0, 1), (1, 1), what="a uniform draw, from which the networks’ draws follow"
        )
        count = len(self.layers)
        widths = [self.inputs, *self.layers]
        what = (
            "ln ‖z‖² by layer, then ln ‖d‖² by layers back, less the mean field’s: a row a network, by NumPy: constants"
        )
        scales = self.gain_size, self.bias
        routine = passes(self.activation, scales, self.law, widths, self.networks)
        logs = graph.routine("logs", routine, [start, x], (self.networks, 2 * count), what=what)
        what = "theory by layer: mean and variance of ln ‖z‖², of ln ‖d‖², by NumPy: constants"
        theory = graph.routine("theory", theory_of_lengths(self.activation, scales, widths), [x], (count, 4), what=what)
        table = width_table(logs, theory, count)
        words = width_verdicts(graph, table)
        histogram = log_histogram(graph, logs, theory, count, self.bins)

        def findings() -> Findings:
            def sheets(command: str, live: bool) -> "StudyBook":
                from sheetsim.studies.finite_width.book import FiniteWidthBook

                return FiniteWidthBook(self, graph, (table, histogram), words).sheets(command, live)

            names = (
                "log_mean log_mean_theory log_variance log_variance_theory arithmetic geometric within back_variance"
            )
            headline = *names.split(), "back_variance_theory"
            return Findings(sheets, (table, histogram), verdicts=words, words=VERDICTS, headline=headline)

        return Study(graph, self.title or self.TITLE, findings)

    def sizes(self) -> dict[str, Shape]:
        """The shape of the logarithms."""
        return {"logs": (self.networks, 2 * len(self.layers))}
