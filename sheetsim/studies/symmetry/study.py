"""The study of symmetry: two hidden units that start equal stay equal at every step, and a random start parts them.

Here stand its parameters and what is computed; `book.py` says how the workbook shows it.
"""

import math
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.model.distributions import normal
from sheetsim.model.draws import stream
from sheetsim.model.expr import (
    NUMBER,
    ROUNDING,
    Matrix,
    choose,
    column,
    exp,
    log,
    matrix,
    mean,
    row,
    where,
)
from sheetsim.model.grad import grad
from sheetsim.model.graph import Graph
from sheetsim.model.nets import ACTIVATIONS
from sheetsim.model.op import Array, Shape
from sheetsim.studies.study import Experiment, Findings, Study, check_one_of
from sheetsim.studies.symmetry.starts import MEASURES, VERDICTS, Start, measured, start_table, step_table
from sheetsim.studies.weight_keys import BIAS, GAIN, DrawnWeights

if TYPE_CHECKING:
    from sheetsim.studies.about import StudyBook

STARTS = ("zeros", "constant", "small", "large")
CURVES = ("tanh", "sigmoid")

# 1/samples is then exact, and what the two classes give at a start of zeros cancels to 0, and not to rounding.
SAMPLES = (2, 4, 8, 16, 32)
MOST_STEPS = 100


# What comes through saturated units, as the gradients d_… do: they hold 1 − z², the difference of two numbers near 1.
ROUNDED = ("z_1", "z_2", "gradient", "slope")

# What the matrices are; of series by the first letter of their names.
CELLS = {
    "rate": "the learning rate: w ← w − rate · d_w",
    "constant": "what all weights of the start constant are",
    "small": "what the draws are multiplied by for the start small",
    "large": "what the draws are multiplied by for the start large",
}
DRAWS = "{law} draws for the weights of unit 1, unit 2 and the output, 1 × 3 each"
PATTERN = "the pattern of the equal starts, for unit 1, unit 2 and the output, 1 × 3 each"
SERIES = {
    "w": "weights of a hidden unit, 1 × 3 a step: from x₁, from x₂, and its bias",
    "a": "weighted sums w x of a hidden unit, 1 × samples a step",
    "z": "outputs f(a) of a hidden unit, 1 × samples a step",
    "v": "weight of the output from a hidden unit",
    "b": "bias of the output",
    "y": "the output v_1 z_1 + v_2 z_2 + b, 1 × samples a step; its sign is the class",
}


class Symmetry(DrawnWeights, Experiment, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The study `symmetry`: two hidden units that start equal, or not, trained from four starts.

    Attributes
    ----------
    samples
        2, 4, 8, 16 or 32; the second half mirrors the first, so that both classes are equally many.
    steps
        Steps of gradient descent.
    activation
        Activation of the hidden units.
    rate
        Learning rate.
    constant
        Every weight in the start `constant`.
    small
        Factor of standard normal draws in the start `small`.
    large
        Factor of the same draws in the start `large`.
    gain
        Factor of `small` and `large`: a number, or "activation" for the usual gain of the activation.
    bias
        Standard deviation σ_b of the biases in the starts `small` and `large` (None: that of their weights).
    weight_draws
        Distribution of the draws, biases included, a name of WEIGHT_DRAWS.

    Raises
    ------
    SheetsimError
        A key is wrong; the message names it and says why.
    """

    STUDY: ClassVar[str] = "symmetry"
    TITLE: ClassVar[str] = "Symmetry of equal starts"
    TABLES: ClassVar[tuple[str, ...]] = ("starts", "steps")
    UNSAID: ClassVar[tuple[str, ...]] = ("gain", "weight_draws")

    study: str = "symmetry"
    seed: int = 0
    samples: int = 8
    steps: int = 20
    activation: str = "tanh"
    rate: float = 5.0
    constant: float = 0.01
    small: float = 0.01
    large: float = 10.0
    gain: float | str = 1.0
    bias: float | None = None
    weight_draws: str = "normal"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.seed < 0:
            raise SheetsimError(f"seed must be a whole number of at least 0, not {self.seed}")
        if self.samples not in SAMPLES:
            raise SheetsimError(f"samples must be one of {', '.join(map(str, SAMPLES))}, not {self.samples}")
        if not 1 <= self.steps <= MOST_STEPS:
            raise SheetsimError(f"steps must be 1 to {MOST_STEPS}, not {self.steps}")
        check_one_of("activation", self.activation, CURVES)
        self.check_weights()
        for key, low in (("rate", 1e-6), ("constant", -20.0), ("small", 1e-6), ("large", 1e-6)):
            value = getattr(self, key)
            if not (math.isfinite(value) and low <= value <= 20):
                raise SheetsimError(f"{key} must be a number from {low:g} to 20, not {value:g}")

    def build(self) -> Study:
        """The four descents, and the tables about them."""
        graph = Graph(seed=self.seed)
        activation = graph.choice("activation", CURVES, self.activation, what="f of the hidden units, a drop-down")
        steepest = choose(activation, {name: ACTIVATIONS[name].steepest for name in CURVES})
        graph.define("steepest", steepest, what="the greatest value of f′")
        for key, what in CELLS.items():
            graph.input(key, getattr(self, key), (1, 1), what=what)
        said = "the inputs, 3 × samples: x₁, x₂ and a row of ones for the bias"
        graph.of_seed("x", partial(_mirrored, self.samples), what=said)
        if self.gain != 1:
            graph.input("gain", self.gain_size, at_least=0.0, what=GAIN)
        if self.bias is not None:
            graph.input("bias_std", self.bias, at_least=0.0, what=BIAS)
            graph.input("is_bias", [[0.0, 0.0, 1.0]], what="1 where a unit’s weight is its bias, 1 × 3")
        targets = where(row(graph["x"], 1) + row(graph["x"], 2) > 0, 1, -1)
        graph.define("targets", targets, what="1 where x₁ + x₂ > 0, −1 elsewhere, 1 × samples")
        for number in (1, 2, "v"):
            graph.input(f"e_{number}", self.law, (1, 3), what=DRAWS.format(law=self.law_in_words))
            graph.input(f"ones_{number}", np.ones((1, 3)), what=PATTERN)
        graph.input("step", np.arange(self.steps + 1.0).reshape(-1, 1), what="the numbers of the steps")
        starts = [descent(graph, name, self.steps) for name in STARTS]
        return Study(graph, self.title or self.TITLE, lambda: self._findings(graph, starts))

    def _findings(self, graph: Graph, starts: list[Start]) -> Findings:
        table, words = start_table(graph, starts)
        steps = step_table(starts)

        def sheets(command: str, live: bool) -> "StudyBook":
            from sheetsim.studies.symmetry.book import SymmetryBook

            return SymmetryBook(self, graph, starts, table, steps, words).sheets(command, live)

        headline = tuple(c.name for c in table.columns if not c.name.startswith("gradient"))
        return Findings(sheets, (table, steps), verdicts=words, words=VERDICTS, headline=headline)

    def sizes(self) -> dict[str, Shape]:
        """The inputs, and the series that are as long as the steps."""
        shapes = {"x": (3, self.samples), "step": (self.steps + 1, 1)}
        for name in STARTS:
            shapes |= {f"w_1_{name}": (self.steps + 1, 3), f"z_1_{name}": (self.steps + 1, self.samples)}
        return shapes


def _mirrored(samples: int, seed: int) -> Array:
    """Standard normal inputs, 3 × samples, the second half of them the first with the other sign; a row of ones."""
    half = normal().sample(stream(seed, "x"), (2, samples // 2))
    return np.vstack([np.hstack([half, -half]), np.ones((1, samples))])


def descent(graph: Graph, name: str, steps: int) -> Start:
    """Gradient descent from one start, w ← w − rate · ∂loss/∂w: each series has the steps 0 to `steps`.

    Of hidden unit k: w_k (1×3: from each input, and the bias), a_k = w_k x and z_k = f(a_k) (1×samples); of the output
    v_1, v_2 and b (1×1) and y = v_1 z_1 + v_2 z_2 + b (1×samples); loss = mean log(1 + exp(−target · y)), the
    logistic loss; d_… the gradients by each. Equal units have formulas of their own, and not one product for both: a
    BLAS may round two equal columns differently.
    """
    activation, rate, x = graph["activation"], graph["rate"], graph["x"]
    nodes: dict[str, list[Matrix]] = {}
    now = _start(graph, name)
    for step in range(steps + 1):
        made = dict(now)
        for k in (1, 2):
            made[f"a_{k}"] = made[f"w_{k}"] @ x
            made[f"z_{k}"] = choose(
                activation, {curve: ACTIVATIONS[curve].function(made[f"a_{k}"]) for curve in CURVES}
            )
        made["y"] = made["v_1"] * made["z_1"] + made["v_2"] * made["z_2"] + made["b"]
        made["loss"] = mean(log(1 + exp(-graph["targets"] * made["y"])))
        by = [key for key in made if key != "loss"]
        made |= {f"d_{key}": d for key, d in zip(by, grad(made["loss"], [made[key] for key in by]), strict=True)}
        made |= measured(made, graph["steepest"])
        for key, node in made.items():
            nodes.setdefault(key, []).append(node)
        if step < steps:
            now = {key: made[key] - rate * made[f"d_{key}"] for key in now}
    columns = {f"{d}w_{k}": ("x₁", "x₂", "bias") for d in ("", "d_") for k in (1, 2)}
    return Start(
        name,
        {
            key: graph.stacked(
                f"{key}_{name}",
                by_step,
                columns.get(key, (key,) if by_step[0].shape[1] == 1 else ()),
                kind=ROUNDING if key in ROUNDED or key.startswith("d_") else NUMBER,
                what=_what(key),
            )
            for key, by_step in nodes.items()
        },
    )


def _what(key: str) -> str:
    """What a series is, by its name without the start's: its first letter, and of a gradient that of what it is by."""
    if key in MEASURES:
        return MEASURES[key]
    if key.startswith("d_"):
        return f"gradients of the loss with respect to {key[2]}"
    return SERIES[key[0]]


def _start(graph: Graph, name: str) -> dict[str, Matrix]:
    """The weights at step 0: a scale times the pattern of all starts of that kind."""
    kind = "e" if name in ("small", "large") else "ones"
    scale = matrix(0.0) if name == "zeros" else graph[name]
    if kind == "e" and "gain" in graph:
        scale = graph["gain"] * scale
    of_unit, of_output = scale, scale
    if kind == "e" and "bias_std" in graph:
        of_unit = where(graph["is_bias"], graph["bias_std"], scale)
        of_output = graph["bias_std"]
    weights = {f"w_{k}": of_unit * graph[f"{kind}_{k}"] for k in (1, 2)}
    scales = {"v_1": scale, "v_2": scale, "b": of_output}
    return weights | {
        key: factor * column(graph[f"{kind}_v"], k) for k, (key, factor) in enumerate(scales.items(), start=1)
    }
