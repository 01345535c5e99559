"""The study of a training in cells: a 9-3-2 network learns circles and crosses from three starts, every step live.

Here stand its parameters and what is computed; `book.py` says how the workbook shows it.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.model.distributions import normal
from sheetsim.model.draws import check_seed
from sheetsim.model.expr import column_sum
from sheetsim.model.graph import Graph
from sheetsim.model.layers import entropy_of
from sheetsim.model.op import Shape
from sheetsim.studies.study import Experiment, Findings, Study, check_one_of
from sheetsim.studies.training_in_cells.classify import classified
from sheetsim.studies.training_in_cells.descent import CURVES, SHAPES_OF_DRAWS, STARTS, Descent, descent_from
from sheetsim.studies.training_in_cells.pictures import KEEP, PIXELS, TILE, as_row, drawn_pictures, targets
from sheetsim.studies.training_in_cells.tables import VERDICTS, ends_table, measures_table, start_verdicts
from sheetsim.studies.weight_keys import GAIN, DrawnWeights

if TYPE_CHECKING:
    from sheetsim.studies.about import StudyBook

MOST_STEPS = 200
# The names of a drop-down have 255 characters together.
MOST_PICTURES = 60

CELLS = {
    "rate": "the learning rate: v ← momentum · v − rate · gradient",
    "momentum": "the share of the velocity that stays",
    "constant": "what all weights of the start constant are",
    "small": "what the draws are multiplied by for the start small: their standard deviation",
}
# With longer steps rounding grows from step to step, until spreadsheet programs give other numbers in every digit.
LIMITS = {"rate": (1e-6, 2.0), "momentum": (0.0, 0.95), "constant": (-10.0, 10.0), "small": (1e-6, 10.0)}


class TrainingInCells(DrawnWeights, Experiment, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The study `training-in-cells`: a network learns pictures of 3×3 pixels, every step a row of formulas.

    Attributes
    ----------
    pictures
        Number of pictures, a multiple of 4.
    noise
        Standard deviation of what is added to each pixel.
    negatives
        Whether the second half of each class are negatives, dark on light, so that no single unit can tell the classes
        apart.
    steps
        Steps of full-batch gradient descent.
    activation
        Activation of the hidden units.
    rate
        Learning rate (with tanh and a rate from about 1 on, rounding can grow in a long training, and spreadsheet
        programs then differ in the ninth digit).
    momentum
        Share of the velocity that stays.
    constant
        Every weight in the first start.
    small
        Factor of the draws in the second start; the third, xavier, has 1/√inputs times the same draws.
    gain
        Factor of both: a number, or "activation" for the usual gain of the activation.
    bias
        Standard deviation σ_b of the biases that these two starts begin with; 0 for biases that begin at 0.

    Raises
    ------
    SheetsimError
        A key is wrong; the message names it and says why.
    """

    STUDY: ClassVar[str] = "training-in-cells"
    TITLE: ClassVar[str] = "Training in cells"
    TABLES: ClassVar[tuple[str, ...]] = ("final", "curves")

    study: str = "training-in-cells"
    seed: int = 0
    pictures: int = 40
    noise: float = 0.3
    negatives: bool = True
    steps: int = 80
    activation: str = "tanh"
    rate: float = 0.5
    momentum: float = 0.9
    constant: float = 0.5
    small: float = 0.02
    gain: float | str = 1.0
    bias: float = 0.0
    weight_draws: str = "normal"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seed(self.seed, "pcg64")
        if not (4 <= self.pictures <= MOST_PICTURES and self.pictures % 4 == 0):
            raise SheetsimError(f"pictures must be a multiple of 4 from 4 to {MOST_PICTURES}, not {self.pictures}")
        if not 0 <= self.noise <= 1:
            raise SheetsimError(f"noise must be a number from 0 to 1, not {self.noise:g}")
        if not 1 <= self.steps <= MOST_STEPS:
            raise SheetsimError(f"steps must be 1 to {MOST_STEPS}, not {self.steps}")
        check_one_of("activation", self.activation, CURVES)
        self.check_weights()
        for key, (low, high) in LIMITS.items():
            value = getattr(self, key)
            if not (math.isfinite(value) and low <= value <= high):
                raise SheetsimError(f"{key} must be a number from {low:g} to {high:g}, not {value:g}")

    def build(self) -> Study:
        """The three trainings, and the tables about them."""
        graph = Graph(seed=self.seed)
        graph.choice("activation", CURVES, self.activation, what="f of the hidden units, a drop-down")
        for key, what in CELLS.items():
            graph.input(key, getattr(self, key), (1, 1), what=what)
        graph.input("tile", TILE, what="1 where a pixel of a row of nine is of the picture's column")
        graph.input("keep", KEEP, what="1 where a pixel of a row of nine is of the picture's row")
        drawn = drawn_pictures(self.seed, self.pictures, self.noise, self.negatives)
        said = "the pictures, 3 × 3 pixels each, to change"
        rows = [
            as_row(graph, graph.input(f"picture_{k}", picture, what=said)) for k, picture in enumerate(drawn, start=1)
        ]
        columns = tuple(f"pixel {k}" for k in range(1, PIXELS + 1))
        graph.stacked("x", rows, columns, first=1, what="the pictures as rows of nine pixels, from the top left")
        graph.input("versus", [[1.0, -1.0], [-1.0, 1.0]], what="an output's sum, less the other's")
        graph.input("y", targets(self.pictures), what="what the pictures are: columns circle and cross")
        graph.define("entropy", entropy_of(column_sum(graph["y"])), what="entropy of the classes, in nats")
        for number, shape in SHAPES_OF_DRAWS.items():
            graph.input(f"e_{number}", self.law, shape, what=f"{self.law_in_words} draws for the weights")
            graph.input(f"ones_{number}", np.ones(shape), what="the pattern of the start constant")
        if self.gain != 1:
            graph.input("gain", self.gain_size, at_least=0.0, what=GAIN)
        if self.bias_std(graph) is not None:
            for number, (_, units) in SHAPES_OF_DRAWS.items():
                graph.input(f"e_b_{number}", normal(), (1, units), what="standard normal draws of the biases")
        graph.input("step", np.arange(self.steps + 1.0).reshape(-1, 1), what="the numbers of the steps")
        descents = [descent_from(graph, name, self.steps) for name in STARTS]
        return Study(graph, self.title or self.TITLE, lambda: self._findings(graph, descents))

    def _findings(self, graph: Graph, descents: Sequence[Descent]) -> Findings:
        final, curves = ends_table(descents), measures_table(descents)
        words = start_verdicts(graph, descents, final)
        shown = classified(graph, descents, self.steps)

        def sheets(command: str, live: bool) -> "StudyBook":
            from sheetsim.studies.training_in_cells.book import InCellsBook

            return InCellsBook(self, graph, descents, final, curves, words, shown).sheets(command, live)

        headline = ("loss", "accuracy", "steps_to_95_percent", "units_most")
        return Findings(sheets, (final, curves), verdicts=words, words=VERDICTS, headline=headline)

    def sizes(self) -> dict[str, Shape]:
        """The pictures, and the series that are as long as the steps."""
        shapes = {"x": (self.pictures, PIXELS), "step": (self.steps + 1, 1)}
        for name in STARTS:
            shapes |= {
                f"W_1_{name}": (PIXELS * (self.steps + 1), 3),
                f"p_{name}": (self.pictures * (self.steps + 1), 2),
            }
        return shapes
