"""The study of gradients through time: a recurrent network's gradient, step by step back, whole and clipped.

Here stand its parameters and what is computed; `book.py` says how the workbook shows it.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.model.distributions import normal
from sheetsim.model.draws import GENERATORS, check_seed
from sheetsim.model.expr import Matrix, choose, sqrt, sum_squares, total, where
from sheetsim.model.grad import grad
from sheetsim.model.graph import Graph
from sheetsim.model.nets import ACTIVATIONS, activate, drawn_biases
from sheetsim.model.op import Shape
from sheetsim.model.series import Series
from sheetsim.studies.forward.study import chosen_activation
from sheetsim.studies.rnn_gradients.growth import DECIDES, VERDICTS, growth_of
from sheetsim.studies.rnn_gradients.growth import NORMS as OF_NORMS
from sheetsim.studies.rnn_gradients.spectrum import largest_singular_value, spectral_radius
from sheetsim.studies.study import Experiment, Findings, Study, check_one_of
from sheetsim.studies.weight_keys import GAIN, DrawnWeights

if TYPE_CHECKING:
    from sheetsim.studies.about import StudyBook

# Each step: the clipped gradient is handed on to the next step back, as textbooks' networks have it. Once: the
# whole one is handed on, and what arrives is clipped (Pascanu, Mikolov & Bengio 2013, algorithm 1).
CLIPS = ("each step", "once")

# mean: √Σd²/N, N the samples, as in those textbooks; l2: √Σd², as in that algorithm.
NORMS = ("mean", "l2")

# Added to a norm before the division by it, as clipping by global norm has it.
EPSILON = 1e-6

MOST_SAMPLES, MOST_UNITS, MOST_STEPS = 1000, 100, 1000
# Of samples · units · steps: a series of so many cells, of which the book has seven.
MOST_CELLS = 50_000

# What the matrices are.
START = "standard normal draws, samples × units: the state before the first step"
LAST = "the gradient with respect to the last state, samples × units: ones, and cells that can be changed"
CLIP = "each step or once: whether the clipped gradient is handed on, or the whole one"
STATES = {"a": "by step: the state before times W", "h": "by step: f(a); step 0 is h_0"}
BIASED = STATES | {"a": "by step: the state before times W, and the biases b_h"}
GRADIENTS = {
    "d_a": "by step back: the gradient with respect to the step's sums a, that by its state times f′",
    "d_h": "by step back: the gradient with respect to the state before, d_a times W transposed; step 0 is d_start",
    "d_a_clipped": "by step back: the clipped gradient with respect to the step's sums a",
    "d_h_before": "the clipped gradient on its way, before this step's clipping",
    "d_h_clipped": "d_h_before · rate where the rate is below 1, else d_h_before: with “each step” it is handed on",
}


class RnnGradients(DrawnWeights, Experiment, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The study `rnn-gradients`: the gradient of a recurrent network, step by step backward through time.

    Attributes
    ----------
    draws
        "pcg64", a stream for each matrix, "mt19937", one run of NumPy's legacy generator, from which W has the first
        numbers and h_0 the next, or "hdr", HDR 2.0, which spreadsheets compute too.
    samples
        N: rows of h.
    units
        H: columns of h, and rows and columns of W.
    steps
        T: steps through time.
    activation
        Activation of h.
    scale
        Standard deviation of the weights.
    bias
        Standard deviation σ_b of drawn biases, the same at every step; 0 for no biases.
    max_norm
        Norm that clipping leaves at most. The default 5 is the usual threshold in textbooks: a gradient that starts at
        norm 1 passes at first, so that the step shows from which on it is clipped.
    clip
        When the gradient is clipped.
    norm
        The norm, √(Σd²)/N or √(Σd²).
    log
        Whether the chart of the norms has a scale of powers of ten.

    Raises
    ------
    SheetsimError
        A key is wrong; the message names it and says why.
    """

    STUDY: ClassVar[str] = "rnn-gradients"
    TITLE: ClassVar[str] = "Gradients through time"
    TABLES: ClassVar[tuple[str, ...]] = ("growth", "norms")

    study: str = "rnn-gradients"
    seed: int = 0
    draws: str = "pcg64"
    samples: int = 2
    units: int = 2
    steps: int = 20
    activation: str = "identity"
    scale: float = 1.0
    gain: float | str = 1.0
    bias: float = 0.0
    weight_draws: str = "normal"
    max_norm: float = 5.0
    clip: str = "each step"
    norm: str = "mean"
    log: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_one_of("draws", self.draws, GENERATORS)
        check_seed(self.seed, self.draws)
        check_one_of("activation", self.activation, tuple(ACTIVATIONS))
        check_one_of("clip", self.clip, CLIPS)
        check_one_of("norm", self.norm, NORMS)
        self.check_weights()
        for key, value, most in (
            ("samples", self.samples, MOST_SAMPLES),
            ("units", self.units, MOST_UNITS),
            ("steps", self.steps, MOST_STEPS),
        ):
            if not 1 <= value <= most:
                raise SheetsimError(f"{key} must be 1 to {most:,}, not {value:,}")
        cells = self.samples * self.units * self.steps
        if cells > MOST_CELLS:
            raise SheetsimError(f"steps: samples · units · steps must be at most {MOST_CELLS:,}, not {cells:,}")
        if not 0 <= self.scale <= 1e100:
            raise SheetsimError(f"scale must be a standard deviation from 0 to 1e100, not {self.scale:g}")
        if not (math.isfinite(self.max_norm) and self.max_norm > 0):
            raise SheetsimError(f"max_norm must be a finite number above 0, not {self.max_norm:g}")

    def build(self) -> Study:
        """The states and the gradients by step, and the tables about them."""
        graph = Graph(seed=self.seed, draws=self.draws)
        # First: of the legacy generator W has the first numbers, as a script that draws nothing else.
        e = graph.input("e_W", self.law, (self.units, self.units), what=f"{self.law_in_words} draws, units × units")
        start = graph.input("h_0", normal(), (self.samples, self.units), what=START)
        scale = graph.input(
            "scale", self.scale, what="what e_W is multiplied by: the standard deviation of the weights"
        )
        activation = chosen_activation(graph, self.activation)
        max_norm = graph.input("max_norm", self.max_norm, what="what clipping holds the norm to")
        clip = graph.choice("clip", CLIPS, self.clip, what=CLIP)
        kind = graph.choice("norm_kind", NORMS, self.norm, what="mean: √(Σd²)/N, N the samples; l2: √(Σd²)")
        divisor = choose(kind, {"mean": float(self.samples), "l2": 1.0})
        graph.define("divisor", divisor, what="what √(Σd²) is divided by: N, the samples, or 1")
        last = graph.input("d_start", np.ones((self.samples, self.units)), what=LAST)
        if self.gain == 1:
            W = graph.define("W", scale * e, what="scale · e_W: rows are the units of the step before")
        else:
            gain = graph.input("gain", self.gain_size, at_least=0.0, what=GAIN)
            W = graph.define("W", gain * scale * e, what="gain · scale · e_W: rows are the units of the step before")
        std = self.bias_std(graph)
        b = None if std is None else drawn_biases(graph, "h", self.units, std)

        def forward(before: dict[str, Matrix], t: int) -> dict[str, Matrix]:
            a = before["h"] @ W if b is None else before["h"] @ W + b
            return {"a": a, "h": activate(activation, a)}

        states = graph.series({"h": start}, step=forward, steps=self.steps, what=STATES if b is None else BIASED)
        series = states | backward(graph, states["a"], states["h"], last, max_norm, clip)
        return Study(graph, self.title or self.TITLE, lambda: self._findings(graph, series))

    def _findings(self, graph: Graph, series: dict[str, Series]) -> Findings:
        by_step = slopes_back(series["a"], series["h"])
        slopes = graph.stacked("slope", by_step, ["slope"], first=1, what=OF_NORMS["slope"])
        radius = spectral_radius(graph, graph["W"], "W")
        sigma, squared = largest_singular_value(graph, graph["W"], "WtW")
        first = norm_of(graph["d_start"], graph["divisor"])
        growth = growth_of(graph, series, first, slopes, radius.value, sigma)

        def sheets(command: str, live: bool) -> "StudyBook":
            from sheetsim.studies.rnn_gradients.book import RnnGradientsBook

            return RnnGradientsBook(self, graph, series, growth, (radius, squared)).sheets(command, live)

        return Findings(
            sheets,
            (growth.table, growth.norms),
            verdicts=growth.verdicts,
            words=(*VERDICTS, *DECIDES),
            texts={"decides": growth.decides},
        )

    def sizes(self) -> dict[str, Shape]:
        """The shapes of the weights, the start, the states, and the norms."""
        return {
            "W": (self.units, self.units),
            "h_0": (self.samples, self.units),
            "h": (self.samples * (self.steps + 1), self.units),
            "norm": (self.steps, 1),
        }


def backward(graph: Graph, a: Series, h: Series, start: Matrix, max_norm: Matrix, clip: Matrix) -> dict[str, Series]:
    """The gradient of Σ h_T∘start, by h_{T−1} at step 1 back to h_0 at step T; with the identity d ← d Wᵀ.

    Names the series `d_a`, `d_h`, `norm` (√Σd² over the cell `divisor`) of the whole gradient, and of the clipped one
    `d_a_clipped`, `d_h_before`, `norm_before`, `rate`, `d_h_clipped`, `norm_clipped`. Clipping is by global norm:
    d ← d · rate where rate = max_norm/(norm + 1e-6) is below 1; `norm_clipped` is what is left. With clip "each step"
    that d is handed on; with "once" the whole gradient is, so that step k shows what k steps backward would give,
    clipped at its end (Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063, algorithm 1, which has no 1e-6).
    """
    steps, divisor = len(a), graph["divisor"]

    def step(before: dict[str, Matrix], k: int) -> dict[str, Matrix]:
        t = steps - k + 1
        d_a, d_h = _back(a[t], h[t], h[t - 1], before["d_h"])
        handed, _ = _back(a[t], h[t], h[t - 1], before["d_h_clipped"])
        d_a_clipped = choose(clip, {"each step": handed, "once": d_a})
        (d_h_before,) = grad(total(a[t] * d_a_clipped), [h[t - 1]], fixed=[d_a_clipped])
        norm_before = norm_of(d_h_before, divisor)
        rate = max_norm / (norm_before + EPSILON)
        clipped = d_h_before * where(rate < 1, rate, 1)
        return {
            "d_a": d_a,
            "d_h": d_h,
            "norm": norm_of(d_h, divisor),
            "d_a_clipped": d_a_clipped,
            "d_h_before": d_h_before,
            "norm_before": norm_before,
            "rate": rate,
            "d_h_clipped": clipped,
            "norm_clipped": norm_of(clipped, divisor),
        }

    columns = {name: (name,) for name in ("norm", "norm_before", "rate", "norm_clipped")}
    what = GRADIENTS | {name: OF_NORMS[name] for name in columns}
    return graph.series({"d_h": start, "d_h_clipped": start}, step=step, steps=steps, columns=columns, what=what)


def norm_of(d: Matrix, divisor: Matrix) -> Matrix:
    """√Σd² over the divisor, 1×1."""
    return sqrt(sum_squares(d)) / divisor


def _back(a: Matrix, h: Matrix, before: Matrix, d: Matrix) -> Sequence[Matrix]:
    """The gradients by a step's sums and by the state before it, from the one by its state."""
    return grad(total(h * d), [a, before], fixed=[d])


def slopes_back(a: Series, h: Series) -> list[Matrix]:
    """The mean of f′(a_t) over samples and units, from the last step back."""
    return [mean_slope(a[t], h[t]) for t in range(len(a), 0, -1)]


def mean_slope(a: Matrix, h: Matrix) -> Matrix:
    """The mean of f′(a), 1×1."""
    (slope,) = grad(total(h), [a])
    return total(slope) / float(a.shape[0] * a.shape[1])
