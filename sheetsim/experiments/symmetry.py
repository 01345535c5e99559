"""The study of symmetry: two hidden units that start equal stay equal at every step, and a random start parts them.

Here stand its parameters and what is computed; `symmetry_book.py` says how the workbook shows it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.experiments.study import Experiment, Study, check_one_of
from sheetsim.experiments.symmetry_book import SymmetryBook
from sheetsim.model.draws import normal, stream
from sheetsim.model.expr import (
    Matrix,
    choose,
    column,
    exp,
    if_error,
    log,
    maximum,
    mean,
    not_equal,
    row,
    sqrt,
    sum_squares,
    total,
    where,
)
from sheetsim.model.grad import grad
from sheetsim.model.graph import Graph
from sheetsim.model.nets import ACTIVATIONS
from sheetsim.model.ops import Shape
from sheetsim.model.series import Series
from sheetsim.summary.table import Column, Table

STARTS = ("zeros", "constant", "small", "large")
CURVES = ("tanh", "sigmoid")

# 1/samples is then exact, and what the two classes give at a start of zeros cancels to 0, and not to rounding.
SAMPLES = (2, 4, 8, 16, 32)
MOST_STEPS = 100

# Where the verdicts draw their lines. They are conventions of this program, stated beside the verdicts.
FLAT = 0.25
APART = 5.0

VERDICTS = {
    "same for ever": "at every step the two hidden units have exactly the same weights: they are one unit",
    "saturated": f"f′(a), the mean over all steps, units and samples, is under {FLAT:.0%} of its greatest value",
    "apart": f"the distance ‖w_1 − w_2‖ is at the end over {APART:g} times that at the start",
    "differ": "the two units differ, and neither of these: not saturated, and not gone apart",
    "overflow": "a number is too large for a cell: take a smaller scale or learning rate",
}


@dataclass(frozen=True)
class Start:
    """One start of the weights and its descent: series by their names without the start's."""

    name: str
    series: Mapping[str, Series]

    def __getitem__(self, name: str) -> Series:
        return self.series[name]


class Symmetry(Experiment, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parameters of the study, which are the keys of its templates.

    samples: one of SAMPLES, the second half of them mirrors the first, so that both classes are equally many; steps:
    of gradient descent; activation: of the hidden units, tanh or sigmoid; rate: the learning rate; constant, small,
    large: the start of all weights in three of the four starts, which is the constant, or so many times the same
    standard normal draws. Inputs, hidden units and outputs are 2, 2 and 1.
    Raises SheetsimError with the key and the reason.
    """

    STUDY: ClassVar[str] = "symmetry"
    # What comes through saturated units holds 1 − z², the difference of two numbers near 1.
    ROUNDED: ClassVar[tuple[str, ...]] = ("z_", "d_", "gradient_", "slope_")

    study: str = "symmetry"
    seed: int = 0
    samples: int = 8
    steps: int = 20
    activation: str = "tanh"
    rate: float = 5.0
    constant: float = 0.01
    small: float = 0.01
    large: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.seed < 0:
            raise SheetsimError(f"seed must be a whole number from 0, not {self.seed}")
        if self.samples not in SAMPLES:
            raise SheetsimError(f"samples must be one of {', '.join(map(str, SAMPLES))}, not {self.samples}")
        if not 1 <= self.steps <= MOST_STEPS:
            raise SheetsimError(f"steps must be 1 to {MOST_STEPS}, not {self.steps}")
        check_one_of("activation", self.activation, CURVES)
        for key, low in (("rate", 1e-6), ("constant", -20.0), ("small", 1e-6), ("large", 1e-6)):
            value = getattr(self, key)
            if not (math.isfinite(value) and low <= value <= 20):
                raise SheetsimError(f"{key} must be a number from {low:g} to 20, not {value:g}")

    def build(self) -> Study:
        """The study as graph, tables and sheets."""
        graph = Graph(seed=self.seed)
        activation = graph.choice("activation", CURVES, self.activation)
        graph.define("steepest", choose(activation, {name: ACTIVATIONS[name].steepest for name in CURVES}))
        for key in ("rate", "constant", "small", "large"):
            graph.input(key, getattr(self, key), (1, 1))
        half = normal().sample(stream(self.seed, "x"), (2, self.samples // 2))
        graph.input("x", np.vstack([np.hstack([half, -half]), np.ones((1, self.samples))]))
        graph.define("targets", where(row(graph["x"], 1) + row(graph["x"], 2) > 0, 1, -1))
        for number in (1, 2, "v"):
            graph.input(f"e_{number}", normal(), (1, 3))
            graph.input(f"ones_{number}", np.ones((1, 3)))
        graph.input("step", np.arange(self.steps + 1.0).reshape(-1, 1))
        starts = [descent(graph, name, self.steps) for name in STARTS]
        table, words = start_table(graph, starts)
        series = {start.name: start.series for start in starts}
        book = SymmetryBook(graph, series, table, step_table(starts), words, VERDICTS, self.title, self.description)
        return Study(
            graph=graph,
            title=self.title or "Symmetry of equal starts",
            sheets=lambda command, live: book.sheets(command, self.parameters(), live=live),
            tables={"starts": table, "steps": book.steps},
            verdicts=words,
            headline=tuple(c.name for c in table.columns if not c.name.startswith("gradient")),
        )

    def sizes(self) -> dict[str, Shape]:
        """The inputs, and the series that are as long as the steps."""
        found = {"x": (3, self.samples), "step": (self.steps + 1, 1)}
        for name in STARTS:
            found |= {f"w_1_{name}": (self.steps + 1, 3), f"z_1_{name}": (self.steps + 1, self.samples)}
        return found


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
        made |= _measured(made, graph["steepest"])
        for key, node in made.items():
            nodes.setdefault(key, []).append(node)
        if step < steps:
            now = {key: made[key] - rate * made[f"d_{key}"] for key in now}
    columns = {f"{d}w_{k}": ("x₁", "x₂", "bias") for d in ("", "d_") for k in (1, 2)}
    return Start(
        name,
        {
            key: graph.stacked(f"{key}_{name}", own, columns.get(key, (key,) if own[0].shape[1] == 1 else ()))
            for key, own in nodes.items()
        },
    )


def _start(graph: Graph, name: str) -> dict[str, Matrix]:
    """The weights at step 0: a scale times the pattern of all starts of that kind."""
    kind = "e" if name in ("small", "large") else "ones"
    scale = 0.0 if name == "zeros" else graph[name]
    found = {f"w_{k}": scale * graph[f"{kind}_{k}"] for k in (1, 2)}
    return found | {key: scale * column(graph[f"{kind}_v"], k) for k, key in enumerate(("v_1", "v_2", "b"), start=1)}


def _measured(at: Mapping[str, Matrix], steepest: Matrix) -> dict[str, Matrix]:
    """What is told of a step: the number of distinct hidden units, how far they are apart, and how steep f is there."""
    slopes = [grad(total(at[f"z_{k}"]), [at[f"a_{k}"]])[0] for k in (1, 2)]
    return {
        "distinct": where(total(not_equal(at["w_1"], at["w_2"])) > 0, 2, 1),
        "distance": sqrt(sum_squares(at["w_1"] - at["w_2"])),
        "gradient": sqrt(sum_squares(at["d_w_1"]) + sum_squares(at["d_w_2"])),
        "slope": (mean(slopes[0]) + mean(slopes[1])) / (2 * steepest),
    }


MEASURES = {
    "distinct": "distinct hidden units: 1 where all weights and the bias of the two are equal",
    "distance": "‖w_1 − w_2‖, the distance between the two units' weights",
    "loss": "the logistic loss, mean log(1 + exp(−target · y))",
    "gradient": "‖(d_w_1, d_w_2)‖, the norm of the loss's gradient by the hidden units' weights",
    "slope": "mean of f′(a) over units and samples, as a share of its greatest value",
}
KINDS = {"distinct": "count", "slope": "share"}


def start_table(graph: Graph, starts: list[Start]) -> tuple[Table, tuple[Matrix, ...]]:
    """A row a start: each measure at the first step and at the last, and verdicts, named `verdict_zeros` and so on."""
    columns = [
        Column(
            f"{key}_{end}", f"{what}; at the {end}", tuple(start[key][k] for start in starts), KINDS.get(key, "number")
        )
        for key, what in MEASURES.items()
        for end, k in (("start", 0), ("end", -1))
    ]
    most = tuple(maximum(start["distinct"]) for start in starts)
    columns.insert(2, Column("distinct_most", "the most distinct hidden units of all steps", most, "count"))
    steep = tuple(mean(start["slope"]) for start in starts)
    columns.append(Column("slope_mean", "the mean of slope over all steps: the verdict's", steep, "share"))
    table = Table("starts", "start", STARTS, tuple(columns))
    return table, tuple(_verdict(graph, start, table, k) for k, start in enumerate(starts))


def _verdict(graph: Graph, start: Start, table: Table, k: int) -> Matrix:
    distance, before = table["distance_end"][k], table["distance_start"][k]
    parted = where(distance > APART * before, "apart", "differ")
    bent = where(table["slope_mean"][k] < FLAT, "saturated", parted)
    word = where(table["distinct_most"][k] > 1, bent, "same for ever")
    # Overflow: an error value in the sheet, infinity or NaN here, neither of which compares.
    sound = if_error(0 * (total(start["loss"]) + distance) + 1, 0)
    return graph.define(f"verdict_{start.name}", where(sound > 0, word, "overflow"))


def step_table(starts: list[Start]) -> Table:
    """A row a step: each measure of each start."""
    columns = [
        Column(f"{key}_{start.name}", f"{what}; from {start.name}", tuple(start[key]), KINDS.get(key, "number"))
        for key, what in MEASURES.items()
        for start in starts
    ]
    return Table("steps", "step", range(len(starts[0]["loss"])), tuple(columns))
