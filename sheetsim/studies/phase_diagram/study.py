"""The study of phases: what deep networks do with correlations and gradients, over the variances of weights and biases.

Here stand its parameters and what is computed; `measured.py` has networks beside theory, and `book.py` the workbook.
"""

import math
from typing import TYPE_CHECKING, ClassVar

import msgspec
import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.model.distributions import normal
from sheetsim.model.draws import check_seed
from sheetsim.model.graph import Graph
from sheetsim.model.initializers import WEIGHT_DRAWS, weight_draws
from sheetsim.model.nets import ACTIVATIONS
from sheetsim.model.op import Array, Shape
from sheetsim.model.series import Series
from sheetsim.studies.correlation.mean_field import mean_field_series
from sheetsim.studies.phase_diagram.measured import VERDICTS, Draws, leaf, point_verdicts, points_table
from sheetsim.studies.study import Experiment, Findings, Study, check_one_of
from sheetsim.summary.phases import Phases, check_activation, critical_line, phases
from sheetsim.summary.table import Column, Table

if TYPE_CHECKING:
    from sheetsim.studies.about import StudyBook

MOST = {"steps": (2, 60), "pairs": (1, 1_000), "units": (1, 1_000), "layers": (1, 100)}
MOST_POINTS = 40

GRID = {
    "weight_variance": "σ_w²: units times the variance of the weights",
    "bias_variance": "σ_b²: the variance of the biases",
    "q_star": "the fixed point of the sums’ variance: 0 where signals die, #N/A where they explode or stay as they are",
    "chi": "χ_1: n·sd² E[f′²] at q*, by which a small difference’s square grows a layer, and a gradient’s",
    "c_star": "the correlation that two inputs go to; #N/A where q* is 0, and where each stays as it is",
    "xi_c": "depth scale of correlations, 1/|ln χ| at c*, in layers",
    "xi_q": "depth scale of variances, in layers",
}
LINE = {
    "weight_variance": "the σ_w² at which χ_1 = 1, by root search; #N/A where there is none up to 100",
    "q_star": "q* there",
}


class PhaseDiagram(Experiment, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The study `phase-diagram`: where signals are ordered or chaotic, by the variances of weights and biases.

    Attributes
    ----------
    activation
        Activation of all layers, a name of ACTIVATIONS whose variance has one fixed point (all but gelu).
    weight_variance
        Lower and upper end of σ_w².
    bias_variance
        Lower and upper end of σ_b².
    steps
        Number of values of each.
    points
        [σ_w², σ_b²] at which networks are measured.
    pairs
        Pairs of inputs that pass through each of these networks.
    units
        Units of each of their layers.
    layers
        Number of their layers.
    correlation
        Correlation of the inputs of a pair.
    weight_draws
        Distribution of the measured networks' weights, a name of WEIGHT_DRAWS; theory is the same for all.

    Raises
    ------
    SheetsimError
        A key is wrong; the message names it and says why.
    """

    STUDY: ClassVar[str] = "phase-diagram"
    TITLE: ClassVar[str] = "Phase diagram"
    TABLES: ClassVar[tuple[str, ...]] = ("points", "grid", "critical")
    UNSAID: ClassVar[tuple[str, ...]] = ("weight_draws",)

    study: str = "phase-diagram"
    seed: int = 0
    activation: str = "tanh"
    weight_variance: tuple[float, float] = (0.25, 5.0)
    bias_variance: tuple[float, float] = (0.0, 0.38)
    steps: int = 20
    points: list[tuple[float, float]] = msgspec.field(
        default_factory=lambda: [(1.0, 0.1), (1.544193, 0.02), (2.0, 0.02), (3.0, 0.1), (4.0, 0.02), (4.0, 0.3)]
    )
    pairs: int = 20
    units: int = 100
    layers: int = 20
    correlation: float = 0.6
    weight_draws: str = "normal"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seed(self.seed, "pcg64")
        check_activation(self.activation)
        check_one_of("weight_draws", self.weight_draws, WEIGHT_DRAWS)
        for key, (least, most) in MOST.items():
            if not least <= getattr(self, key) <= most:
                raise SheetsimError(f"{key} must be {least} to {most:,}, not {getattr(self, key):,}")
        for key in ("weight_variance", "bias_variance"):
            low, high = getattr(self, key)
            if not 0 <= low < high <= 100:
                raise SheetsimError(
                    f"{key} must be two numbers from 0 to 100, the lower first, not [{low:g}, {high:g}]"
                )
        if not 1 <= len(self.points) <= MOST_POINTS:
            raise SheetsimError(f"points must list 1 to {MOST_POINTS} pairs of variances, not {len(self.points)}")
        for w2, b2 in self.points:
            if not (0 < w2 < math.inf and 0 <= b2 < math.inf):
                raise SheetsimError(
                    f"points: [{w2:g}, {b2:g}] must be a variance of weights above 0 and one of biases of at least 0"
                )
        if not 0 <= self.correlation < 1:
            raise SheetsimError(f"correlation must be at least 0 and below 1, not {self.correlation:g}")

    def values(self, key: str) -> list[float]:
        """The grid's values of a key."""
        low, high = getattr(self, key)
        return [float(f"{value:.12g}") for value in np.linspace(low, high, self.steps)]

    def build(self) -> Study:
        """The draws of the networks, and the cells of a point that can be moved."""
        graph = Graph(seed=self.seed)
        shape = self.pairs, self.units
        law = weight_draws(self.weight_draws)
        draws = Draws(
            graph.input("e_x", normal(), shape, what="the first inputs, standard normal draws, pairs × units"),
            graph.input("e_y", normal(), shape, what="standard normal draws of the second inputs"),
            graph.input("e_W", law, (self.layers * self.units, self.units), what="draws of the weights"),
            graph.input("e_b", normal(), (self.layers, self.units), what="draws of the biases"),
        )
        w2, b2 = self.points[0]
        graph.input("weight_scale", w2, at_least=0.0, what="σ_w² of the point that can be moved")
        graph.input("bias_variance", b2, at_least=0.0, what="σ_b² of that point")
        graph.input("c_0", self.correlation, what="the correlation of the inputs there")
        return Study(graph, self.title or self.TITLE, lambda: self._findings(graph, draws))

    def _findings(self, graph: Graph, draws: Draws) -> Findings:
        w2, b2 = np.meshgrid(self.values("weight_variance"), self.values("bias_variance"))
        grid = phases(self.activation, w2.ravel(), b2.ravel())
        at = phases(self.activation, *np.array(self.points).T)
        points = points_table(graph, self.activation, self.points, at, self.correlation, draws, self.layers)
        words = point_verdicts(graph, points)
        tables = points, grid_table(w2.ravel(), b2.ravel(), grid), self._line()
        theory = self._moved(graph)

        def sheets(command: str, live: bool) -> "StudyBook":
            from sheetsim.studies.phase_diagram.book import PhaseBook

            return PhaseBook(self, graph, tables, theory, words).sheets(command, live)

        headline = ("weight_variance", "bias_variance", "q", "q_theory", "c", "c_theory", "c_star", "chi", "chi_theory")
        return Findings(sheets, tables, verdicts=words, words=VERDICTS, headline=headline)

    def _line(self) -> Table:
        b2 = self.values("bias_variance")
        w2 = critical_line(self.activation, b2)
        there = phases(self.activation, np.nan_to_num(w2, nan=1.0), b2)
        columns = (
            Column("weight_variance", LINE["weight_variance"], tuple(map(leaf, w2)), "size"),
            Column("q_star", LINE["q_star"], tuple(map(leaf, np.where(np.isnan(w2), np.nan, there.q))), "size"),
        )
        labels = [f"σ_b² = {value:g}" for value in b2]
        return Table("critical", "biases", labels, columns, "Critical line", "where χ_1 is 1", observed=False)

    def _moved(self, graph: Graph) -> dict[str, Series]:
        """The theory of a point that a person can move, live."""
        f = ACTIVATIONS[self.activation].function
        return mean_field_series(graph, 0, f, graph["bias_variance"])

    def sizes(self) -> dict[str, Shape]:
        """The shape of what is measured at the last point."""
        return {f"measured_{len(self.points)}": (1, 3)}


def grid_table(w2: Array, b2: Array, grid: Phases) -> Table:
    """One row per point of the grid."""
    named = zip(GRID, (w2, b2, grid.q, grid.chi, grid.c, grid.xi_c, grid.xi_q), strict=True)
    columns = tuple(Column(name, GRID[name], tuple(map(leaf, values)), "size") for name, values in named)
    labels = range(1, len(w2) + 1)
    return Table("grid", "place", labels, columns, "Grid", "theory at each point of the grid", observed=False)
