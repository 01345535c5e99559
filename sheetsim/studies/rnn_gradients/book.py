"""How the study of gradients through time looks as a workbook: which matrix stands where, and what is said there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sheetsim.model.activations import ACTIVATION_NAMES
from sheetsim.model.graph import Graph
from sheetsim.model.series import Series
from sheetsim.studies.about import with_about
from sheetsim.studies.rnn_gradients.growth import DECIDES, VERDICTS, Growth
from sheetsim.studies.rnn_gradients.spectrum import Radius
from sheetsim.studies.sections import (
    Control,
    Overview,
    Row,
    Section,
    StepPage,
    Steps,
    charts,
    controls,
    headed,
    lead,
    lines,
    meaning,
    numbers,
    table_page,
)
from sheetsim.workbook.layout import Block, Line, Lines, MatrixSheet, Page, SeriesSheet, Sheet, Text

if TYPE_CHECKING:
    from sheetsim.studies.rnn_gradients.study import RnnGradients

HEAD = 7  # rows above a page's first step
ACROSS = 9  # columns of Overview
CHART = (510, 300)

# The yellow cells, and what is said beside them.
CONTROLS = {
    "activation": ("Activation f", "with the identity h ← h W; of the others the slopes f′ count on the way back"),
    "scale": ("Scale of the weights", "W = scale · e_W: ρ, σ and the identity's growth are in proportion to it"),
    "max_norm": ("max_norm", "the norm that clipping holds the gradient to"),
    "clip": (
        "Clip",
        "each step: what is clipped is handed on; once: the whole gradient, at the end of a way of k steps",
    ),
    "norm_kind": ("Norm", "mean: √Σd²/N, N samples; l2: √Σd²"),
}
HEADINGS = ("verdict", "first norm", "last norm", "last over first", "growth a step", "largest growth")


@dataclass(frozen=True)
class RnnGradientsBook:
    """Everything that the workbook shows; `sheets` lays it out. radii: of W and of WᵀW."""

    study: "RnnGradients"
    graph: Graph
    series: Mapping[str, Series]
    growth: Growth
    radii: tuple[Radius, Radius]

    def sheets(self, command: str, live: bool) -> list[Sheet]:
        """The sheets in their order."""
        own, squared = self.radii
        table, norms = self.growth.table, self.growth.norms
        whole = [(c, self.graph[one.name]) for c, one in enumerate(norms.columns, start=1) if one.name in self.graph]
        series = [Block(1, c, node, "none") for c, node in whole]
        sheets: list[Sheet] = [
            self._overview(live),
            table_page(table, {0: 14} | dict.fromkeys(range(1, len(table.columns) + 1), 15), None),
            table_page(norms, {0: 8} | dict.fromkeys(range(1, len(norms.columns) + 1), 15), more=series),
            MatrixSheet("Weights", self.graph["W"], "from unit"),
            self._steps("Forward", "States by step", FORWARD, ("a", "h"), ("h_0", "d_start")),
            self._steps("Backward", "Gradients by step back", BACKWARD, GRADIENTS),
            self._spectrum(),
            SeriesSheet("Powers of W", own.powers),
            SeriesSheet("Averages of W", own.averages),
            SeriesSheet("Powers of WtW", squared.powers),
            SeriesSheet("Averages of WtW", squared.averages),
            MatrixSheet("Draws", self.graph["e_W"], "from unit"),
        ]
        return with_about(self.study, sheets, command, live, glossary=GLOSSARY, tables=(table, norms))

    def _overview(self, live: bool) -> Page:
        growth, log = self.growth, self.study.log
        whole = {column.name: column.cells[0] for column in growth.table.columns}
        found = (
            (
                "Spectral radius ρ",
                growth.radius,
                "the largest |eigenvalue| of W: the identity's growth in the long run",
            ),
            (
                "Largest singular value σ",
                growth.sigma,
                "the most by which W stretches: f′ ≤ 1 lets no step grow by more",
            ),
            ("Growth a step", whole["growth"], "unclipped: the geometric mean over the second half of the steps"),
            ("Largest growth", whole["largest_growth"], "of a single step: at most σ, while it may exceed ρ"),
            ("Mean slope f′", growth.slope, "of all samples, units and steps; 1 for the identity"),
            ("Divisor of norms", self.graph["divisor"], "N, the samples, or 1: see the cell Norm"),
        )
        told = "which of the two decides; what the words mean stands below"
        rows = [Row(label, [node], hint=hint) for label, node, hint in found]
        rows.append(Row("The growth follows", [growth.decides], "verdict", told))
        styles = ("verdict", *["centre"] * (len(HEADINGS) - 1))
        columns = growth.table.columns[: len(HEADINGS) - 1]
        gradients = [
            Row(str(kind), [verdict, *(column.cells[k] for column in columns)], styles)
            for k, (kind, verdict) in enumerate(zip(growth.table.labels, growth.verdicts, strict=True))
        ]
        gradients.append(Row("steps clipped", [growth.clipped_steps], "count-centre"))
        over = [Text(0, 0, "Weights and growth", "heading-left"), Text(0, 1, " ", "heading", ACROSS - 1)]
        hint = "With --set log=true the chart of the norms has powers of ten, and shows small beside large."
        sections: list[Section] = [
            lead(self._lead(live), ACROSS, (17, 32, 17)),
            controls([Control(label, self.graph[name], said) for name, (label, said) in CONTROLS.items()]),
            numbers(rows, over, 2),
            numbers(gradients, headed("Gradient", (*HEADINGS, " ", " "))),
            lines([] if log else [hint], "hint", gap=int(log)),
            charts(list(self._charts()), CHART[1], gap=0),
            meaning(VERDICTS),
            meaning(DECIDES, heading="What the growth follows"),
        ]
        widths = {0: 30, 1: 18} | dict.fromkeys(range(2, ACROSS), 14)
        words, elsewhere = (*VERDICTS, *DECIDES), growth.table.cells()
        return Overview(self.study.title, self.study.TITLE, ACROSS, sections, widths, words, elsewhere).page()

    def _lead(self, live: bool) -> tuple[str, ...]:
        samples, units = self.graph["h_0"].shape
        sizes = f"{_counted(samples, 'sample')} of {_counted(units, 'unit')}"
        shown = "Change a yellow cell, and all follows." if live else "This book holds values, without formulas."
        return (
            f"{sizes} pass {_counted(len(self.series['norm']), 'time')} through h ← f(h W). Back comes d, the gradient "
            "of Σ h ∘ d_start by each h: d ← (d ∘ f′) Wᵀ, which is d Wᵀ for the identity.",
            "Clipped: d ← d · rate where rate = max_norm/(norm + 1e-6) is below 1. “each step” with √(Σd²)/N is "
            "a textbook's convention; “once” with √(Σd²) is that of Pascanu, Mikolov & Bengio (2013, algorithm 1).",
            f"Choose between them by the cells Clip and Norm. {shown}",
        )

    def _charts(self) -> Iterator[Lines]:
        columns = self.growth.norms
        title = "Norm of the gradient by step back" + (", powers of ten" if self.study.log else "")
        norms = (Line("norm", columns["norm"]), Line("norm clipped", columns["norm_clipped"]))
        yield Lines(0, 0, title, norms, CHART, "steps back", (), self.study.log)
        lines = (
            Line("growth", columns["growth"]),
            Line("spectral radius ρ", columns["radius"], style="guide"),
            Line("singular value σ", columns["sigma"], style="guide"),
        )
        yield Lines(0, 4, "Growth of the norm by step back, beside ρ and σ", lines, CHART, "steps back")

    def _steps(
        self, title: str, heading: str, notes: Sequence[str], names: Sequence[str], side: Sequence[str] = ()
    ) -> Page:
        """Series side by side, so many rows a step, and at their right input cells."""
        shown = [Steps(self.series[name], name) for name in names]
        return StepPage(title, heading, notes, shown, HEAD, side=[self.graph[name] for name in side]).page()

    def _spectrum(self) -> Page:
        shown: list[Steps] = []
        for heading, found in zip(("W", "WᵀW, scaled"), self.radii, strict=True):
            shown += [Steps(found.scale, heading, over=2), Steps(found.radius)]
        return StepPage("Spectrum", "Spectral radius and largest singular value", SPECTRUM, shown, HEAD, wide=13).page()


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


GRADIENTS = ("d_a", "d_h", "d_a_clipped", "d_h_before", "d_h_clipped")

FORWARD = (
    "The sums a = h W of the state before, and the states h = f(a). Step 0 is h_0, standard normal draws.",
    "d_start is the gradient by the last state, with which the way back begins.",
)
BACKWARD = (
    "Row k of d_h and d_h_clipped: the gradient by the state k steps before the last; step 0 is d_start.",
    "d_a is the gradient of the step before times f′(a), and d_h = d_a Wᵀ.",
    "Clipped: d_h_before = d_a_clipped Wᵀ, and d_h_clipped that times the rate (sheet Norms) where it is < 1. "
    "With Clip “once” d_a_clipped is d_a, and d_h_before d_h.",
)
SPECTRUM = (
    "ρ = lim ‖Wᵐ‖^(1/m) (Gelfand). Each step divides the power before by its scale, the largest magnitude, "
    "squares it, and multiplies the radius by scale^(1/m).",
    "Norms swing as eigenvalues turn. X ← B X Bᵀ + X over the last powers B evens that out (sheets Averages): "
    "ρ = radius · (|B X Bᵀ|/|X|)^(1/2m).",
    "|·| is the largest magnitude, m = 2^step. σ² is the same of WᵀW, W over its largest magnitude first.",
)

GLOSSARY = {
    "e_W": "standard normal draws, units × units (constants)",
    "scale": "what they are multiplied by: the standard deviation of the weights",
    "W": "scale · e_W: rows are the units of the step before",
    "h_0": "standard normal draws, samples × units (constants): the state before the first step",
    "activation": f"the activation f, one for all steps. {ACTIVATION_NAMES}",
    "a": "by step: the state before times W",
    "h": "by step: f(a); step 0 is h_0",
    "d_start": "the gradient by the last state, samples × units: ones, and cells that can be changed",
    "max_norm": "what clipping holds the norm to",
    "d_a": "by step back: the gradient by the step's sums a, that by its state times f′",
    "d_h": "by step back: the gradient by the state before, d_a times W transposed; step 0 is d_start",
    "clip": "each step or once: whether the clipped gradient is handed on, or the whole one",
    "norm_kind": "mean: √(Σd²)/N; l2: √(Σd²)",
    "divisor": "N, the samples, or 1",
    "norm": "by step back: √(Σd²) of d_h over the divisor",
    "d_a_clipped": "the same of the clipped gradient, by the sums",
    "d_h_before": "the clipped gradient on its way, before this step's clipping",
    "norm_before": "√(Σd²) of d_h_before over the divisor",
    "rate": "max_norm/(norm_before + 1e-6)",
    "d_h_clipped": "d_h_before · rate where the rate is below 1, else d_h_before: with “each step” it is handed on",
    "norm_clipped": "√(Σd²) of d_h_clipped over the divisor",
    "growth": "by step back: norm over that of the step before",
    "growth_clipped": "by step back: norm_clipped over that of the step before",
    "slope": "by step back: the mean of f′(a)",
    "mean_slope": "the mean of slope over the steps",
    "clipped_steps": "how many steps have a rate below 1",
    "spectral_radius": "ρ: the largest magnitude of W's eigenvalues",
    "largest_singular_value": "σ: the square root of the spectral radius of WᵀW",
    "decides": "which of the two the growth of the whole gradient follows",
    "verdict_unclipped": "verdict_unclipped, verdict_clipped: what becomes of the gradient",
    "powers_W": "powers_W, powers_WtW: by squaring, W and WᵀW to the powers 1, 2, 4, …, each over a factor",
    "scale_W": "scale_W, scale_WtW: the largest magnitude of the power before, by which it is divided",
    "radius_W": "radius_W, radius_WtW: the spectral radius as far as the squarings tell it",
    "averages_W": "averages_W, averages_WtW: X ← B X Bᵀ + X over the last powers B, each over its magnitude",
}
