"""The study of correlation: two inputs pass through one network, and come nearer to one another or part.

It holds its parameters and its graph; `layers.py` says what is measured, `mean_field.py` what theory expects, and
`book.py` how the workbook shows it.
"""

from functools import partial
from typing import TYPE_CHECKING, ClassVar

import msgspec

from sheetsim.errors import SheetsimError
from sheetsim.model.distributions import normal
from sheetsim.model.draws import check_seed
from sheetsim.model.expr import Matrix, row_sum, sqrt
from sheetsim.model.graph import Graph
from sheetsim.model.initializers import SCHEMES
from sheetsim.model.nets import ACTIVATIONS, activate, drawn_biases
from sheetsim.model.op import Shape
from sheetsim.studies.correlation.angles import angle_name, angle_table
from sheetsim.studies.correlation.layers import VERDICTS, Layer, correlation_table, correlation_verdicts
from sheetsim.studies.correlation.mean_field import mean_field_series, variance_slope
from sheetsim.studies.forward.study import check_scheme, chosen_activation, chosen_initializer
from sheetsim.studies.study import Experiment, Findings, Study, check_one_of
from sheetsim.studies.weight_keys import DrawnWeights

if TYPE_CHECKING:
    from sheetsim.studies.about import StudyBook

# Of one unit there is no interval: it is made from differences between units.
SIZES = {"pairs": (1, 10_000), "units": (2, 2_000), "layers": (1, 100)}
# Of pairs · units · layers: numbers of one matrix of each layer, of which the book has six.
MOST_CELLS = 2_000_000
MOST_ANGLES = 19

BIASES = "biases, bias_std · e_b, the same for x and y"


class Correlation(DrawnWeights, Experiment, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The study `correlation`: how similar two inputs are after each layer.

    Attributes
    ----------
    pairs
        Pairs of inputs x and y = c·x + √(1 − c²)·e, standard normal each.
    correlation
        Correlation c of the inputs, from 0 to 1.
    units
        Units of the input and of each layer.
    layers
        Number of layers.
    activation
        Activation of all layers.
    initializer
        Initializer of the weights: a name of SCHEMES, or a number, the standard deviation.
    angles
        Angles of more pairs of inputs, in degrees from 0 to 90, that pass through the same layers.

    Raises
    ------
    SheetsimError
        A key is wrong; the message names it and says why.
    """

    STUDY: ClassVar[str] = "correlation"
    TITLE: ClassVar[str] = "Correlation of two inputs"
    TABLES: ClassVar[tuple[str, ...]] = ("correlation", "outputs", "percentiles", "risk", "histograms")
    UNSAID: ClassVar[tuple[str, ...]] = ("gain", "weight_draws")

    study: str = "correlation"
    seed: int = 0
    pairs: int = 40
    correlation: float = 0.5
    units: int = 60
    layers: int = 8
    activation: str = "tanh"
    initializer: str | float = "xavier"
    bias: float = 0.0
    gain: float | str = 1.0
    weight_draws: str = "normal"
    angles: list[float] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seed(self.seed, "pcg64")
        for key, (least, most) in SIZES.items():
            if not least <= getattr(self, key) <= most:
                raise SheetsimError(f"{key} must be {least} to {most:,}, not {getattr(self, key):,}")
        if self.pairs * self.units * self.layers > MOST_CELLS:
            raise SheetsimError(f"pairs · units · layers must be at most {MOST_CELLS:,}")
        if not 0 <= self.correlation <= 1:
            raise SheetsimError(f"correlation must be from 0 to 1, not {self.correlation:g}")
        self.check_weights()
        if len(self.angles) > MOST_ANGLES or not all(0 <= angle <= 90 for angle in self.angles):
            raise SheetsimError(f"angles must list up to {MOST_ANGLES} numbers of degrees, from 0 to 90")
        if len(set(map(angle_name, self.angles))) < len(self.angles):
            raise SheetsimError("angles lists the same angle twice")
        check_one_of("activation", self.activation, tuple(ACTIVATIONS))
        check_scheme(self.initializer)
        if isinstance(self.initializer, str) and SCHEMES[self.initializer].design != "random":
            raise SheetsimError(
                f"initializer must draw weights independently, as the theory assumes, not {self.initializer}"
            )

    def build(self) -> Study:
        """The two passes through one network, and the tables about them."""
        graph = Graph(seed=self.seed)
        x = graph.input("x", normal(), (self.pairs, self.units), what="the first inputs, pairs × units")
        e = graph.input("e_y", normal(), (self.pairs, self.units), what="standard normal draws, pairs × units")
        c = graph.input("c_0", self.correlation, what="the correlation of x and y")
        y = graph.define("y", c * x + sqrt(1 - c**2) * e, what="the second inputs, c_0 x + √(1 − c_0²) e_y")
        given: tuple[Matrix, ...] = x, y
        activation = chosen_activation(graph, self.activation)
        chosen = chosen_initializer(graph, "initializer", "custom_std", self.initializer)
        (initializer,) = self.initializers_of(graph, [chosen])
        bias = self.bias_std(graph)
        layers = []
        for number in range(1, self.layers + 1):
            W = graph.weights(
                f"W_{number}", initializer, (self.units, self.units), what="weights, sd · e, the same for x and y"
            )
            b = None if bias is None else drawn_biases(graph, number, self.units, bias, BIASES)
            sums = tuple(
                graph.define(f"a_{of}_{number}", z @ W if b is None else z @ W + b, what=f"pre-activations of {of}")
                for of, z in zip("xy", given, strict=True)
            )
            given = tuple(
                graph.define(f"z_{of}_{number}", activate(activation, a), what=f"activations f(a) of {of}")
                for of, a in zip("xy", sums, strict=True)
            )
            layers.append(Layer(number, graph[f"e_{number}"], graph[f"sd_{number}"], W, sums, given, b))
        scale = self.units * graph["sd_1"] ** 2
        graph.define("weight_scale", scale, what="n·sd²: units times the variance of the weights")
        if self.pairs > 1:
            a, b = layers[-1].sums
            cosine = row_sum(a * b) / sqrt(row_sum(a**2) * row_sum(b**2))
            graph.output("pair_correlation", cosine, what=f"the correlation of each pair's sums at layer {self.layers}")
        return Study(graph, self.title or self.TITLE, lambda: self._findings(graph, layers))

    def _findings(self, graph: Graph, layers: list[Layer]) -> Findings:
        bias = graph["bias_std"] ** 2 if self.bias else None
        f = partial(activate, graph["activation"])
        theory = mean_field_series(graph, len(layers), f, bias)
        variance_slope(graph, theory, f)
        table = correlation_table(graph, layers, theory)
        tables = [table]
        if self.angles:
            tables.append(angle_table(graph, layers, self.activation, self.angles, table["c"][-1]))
        words: tuple[Matrix, ...] = correlation_verdicts(graph, layers, table)

        def sheets(command: str, live: bool) -> "StudyBook":
            from sheetsim.studies.correlation.book import CorrelationBook

            return CorrelationBook(self, graph, layers, theory, tables, words).sheets(command, live)

        headline = ("c", "c_low", "c_high", "c_theory", "chi", "chi_theory", "rate", "rate_low", "rate_high")
        return Findings(sheets, tables, verdicts=words, words=VERDICTS, headline=headline)

    def sizes(self) -> dict[str, Shape]:
        """The inputs' shape, that of a layer's sums, and of the last layer's weights."""
        shape = self.pairs, self.units
        return {"x": shape, f"a_x_{self.layers}": shape, f"W_{self.layers}": (self.units, self.units)}
