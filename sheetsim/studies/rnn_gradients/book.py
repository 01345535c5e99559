"""How the study of gradients through time looks as a workbook: which matrix stands where, and what is said there."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from sheetsim.language import counted
from sheetsim.model.graph import Graph
from sheetsim.model.series import Series
from sheetsim.studies.about import StudyBook
from sheetsim.studies.network_sheets import DRAWS, WEIGHTS
from sheetsim.studies.pages import VALUES
from sheetsim.studies.rnn_gradients.growth import DECIDES, VERDICTS, Growth
from sheetsim.studies.rnn_gradients.spectrum import Radius
from sheetsim.studies.rnn_gradients.step_pages import spectrum_sheets, step_pages
from sheetsim.studies.sections import (
    Control,
    Overview,
    Row,
    Section,
    charts,
    controls,
    headed,
    lead,
    lines,
    meaning,
    numbers,
    table_page,
)
from sheetsim.workbook.layout import Block, Line, Lines, MatrixSheet, Page, Sheet, Text

if TYPE_CHECKING:
    from sheetsim.studies.rnn_gradients.study import RnnGradients

ACROSS = 9  # columns of Overview
CHART = (510, 300)

# The yellow cells, and the texts beside them.
CONTROLS = {
    "activation": ("Activation f", "with the identity h ← h W; for others the slopes f′ count in the backward pass"),
    "scale": ("Scale of the weights", "W = scale · e_W: ρ, σ and the identity's growth are in proportion to it"),
    "gain": ("Gain of the weights", "scale is multiplied by it"),
    "bias_std": ("Standard deviation of biases", "of b in h ← f(h W + b), the same at every step"),
    "max_norm": ("max_norm", "the norm that clipping holds the gradient to"),
    "clip": (
        "Clip",
        "each step: the clipped gradient is passed on; once: the whole gradient is, and clipped after k steps",
    ),
    "norm_kind": ("Norm", "mean: √Σd²/N, N samples; l2: √Σd²"),
}
HEADINGS = ("verdict", "first norm", "last norm", "last over first", "growth a step", "largest growth")


class RnnGradientsBook(Struct, frozen=True):
    """Everything that the workbook shows; `sheets` lays it out. radii: of W and of WᵀW."""

    study: "RnnGradients"
    graph: Graph
    series: Mapping[str, Series]
    growth: Growth
    radii: tuple[Radius, Radius]

    def sheets(self, command: str, live: bool) -> StudyBook:
        """The sheets in their order."""
        table, norms = self.growth.table, self.growth.norms
        whole = [(c, self.graph[one.name]) for c, one in enumerate(norms.columns, start=1) if one.name in self.graph]
        series = [Block(1, c, node, "none") for c, node in whole]
        sheets: list[Sheet] = [
            self._overview(live),
            table_page(table, {0: 14} | dict.fromkeys(range(1, len(table.columns) + 1), 15), None),
            table_page(norms, {0: 8} | dict.fromkeys(range(1, len(norms.columns) + 1), 15), more=series),
            MatrixSheet("Weights", self.graph["W"], "from unit", tab=WEIGHTS.tab, words=WEIGHTS.words),
            *step_pages(self.graph, self.series),
            *spectrum_sheets(*self.radii),
            MatrixSheet("Draws", self.graph["e_W"], "from unit", tab=DRAWS.tab, words=DRAWS.words),
        ]
        return StudyBook(self.study, self.graph, sheets, command, live, tables=(table, norms))

    def _overview(self, live: bool) -> Page:
        graph, growth, log = self.graph, self.growth, self.study.log
        whole = {column.name: column.cells[0] for column in growth.table.columns}
        spectrum = (
            (
                "Spectral radius ρ",
                growth.radius,
                "the largest |eigenvalue| of W: the identity's growth in the long run",
            ),
            (
                "Largest singular value σ",
                growth.sigma,
                "the largest factor of W: no step grows by more than σ times the largest f′",
            ),
            ("Growth a step", whole["growth"], "unclipped: the geometric mean over the second half of the steps"),
            (
                "Largest growth",
                whole["largest_growth"],
                "of a single step: where f′ ≤ 1 at most σ, while it may exceed ρ",
            ),
            ("Mean slope f′", growth.slope, "of all samples, units and steps; 1 for the identity"),
            ("Divisor of norms", self.graph["divisor"], "N, the samples, or 1: see the cell Norm"),
        )
        told = "which of the two decides; what the words mean stands below"
        rows = [Row(label, [node], hint=hint) for label, node, hint in spectrum]
        rows.append(Row("The growth follows", [growth.decides], "verdict", told))
        styles = ("verdict", *["center"] * (len(HEADINGS) - 1))
        columns = growth.table.columns[: len(HEADINGS) - 1]
        gradients = [
            Row(str(kind), [verdict, *(column.cells[k] for column in columns)], styles)
            for k, (kind, verdict) in enumerate(zip(growth.table.labels, growth.verdicts, strict=True))
        ]
        gradients.append(Row("steps clipped", [growth.clipped_steps], "count-center"))
        over = [Text(0, 0, "Weights and growth", "heading-left"), Text(0, 1, " ", "heading", ACROSS - 1)]
        hint = "With --set log=true the chart of the norms has powers of ten, and shows small beside large."
        sections: list[Section] = [
            lead(self._lead(live), ACROSS, (17, 32, 17)),
            controls([Control(label, graph[name], said) for name, (label, said) in CONTROLS.items() if name in graph]),
            numbers(rows, over, 2),
            numbers(gradients, headed("Gradient", (*HEADINGS, " ", " "))),
            lines([] if log else [hint], "hint", gap=int(log)),
            charts(list(self._charts()), CHART[1], gap=0),
            meaning(VERDICTS),
            meaning(DECIDES, heading="What the growth follows"),
        ]
        widths = {0: 30, 1: 18} | dict.fromkeys(range(2, ACROSS), 14)
        verdicts = *VERDICTS, *DECIDES
        return Overview(self.study.title, self.study.TITLE, ACROSS, sections, widths, verdicts).page()

    def _lead(self, live: bool) -> tuple[str, ...]:
        samples, units = self.graph["h_0"].shape
        sizes = f"{counted(samples, 'sample')} of {counted(units, 'unit')} {'passes' if samples == 1 else 'pass'}"
        moved = "h ← f(h W + b)" if self.study.bias else "h ← f(h W)"
        shown = (
            "Choose between them by the cells Clip and Norm. Change a yellow cell, and all follows." if live else VALUES
        )
        return (
            f"{sizes} {counted(len(self.series['norm']), 'time')} through {moved}. Back comes d, the gradient "
            "of Σ h ∘ d_start by each h: d ← (d ∘ f′) Wᵀ, which is d Wᵀ for the identity.",
            "Clipped: d ← d · rate where rate = max_norm/(norm + 1e-6) is below 1. “each step” with √(Σd²)/N is "
            "a textbook's convention; “once” with √(Σd²) is that of Pascanu, Mikolov & Bengio (2013, algorithm 1).",
            shown,
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
