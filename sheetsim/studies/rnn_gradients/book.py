"""How the study of gradients through time looks as a workbook: which matrix stands where, and what is said there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sheetsim.model.activations import NAMES
from sheetsim.model.graph import Graph
from sheetsim.model.series import Series
from sheetsim.studies.about import about_page
from sheetsim.studies.pages import Homes, follow, page_title, table_items, title_height
from sheetsim.studies.rnn_gradients.growth import DECIDES, VERDICTS, Growth
from sheetsim.studies.rnn_gradients.spectrum import Radius
from sheetsim.summary.verdict import meanings, tones
from sheetsim.workbook.layout import Block, Item, Line, Lines, MatrixSheet, Number, Page, SeriesSheet, Sheet, Text
from sheetsim.workbook.layout import step_blocks as blocks

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

    graph: Graph
    series: Mapping[str, Series]
    growth: Growth
    radii: tuple[Radius, Radius]
    title: str
    description: str
    log: bool

    def sheets(self, command: str, parameters: Mapping[str, Any], *, live: bool) -> list[Sheet]:
        """The sheets in their order."""
        own, squared = self.radii
        table = self.growth.table
        widths = {0: 14} | dict.fromkeys(range(1, len(table.columns) + 1), 15)
        sheets: list[Sheet] = [
            self._overview(live),
            Page("Growth", tuple(table_items(table, Homes())), widths),
            self._norms(),
            MatrixSheet("Weights", self.graph["W"], "from unit"),
            self._forward(),
            self._backward(),
            self._spectrum(),
            SeriesSheet("Powers of W", own.powers),
            SeriesSheet("Averages of W", own.averages),
            SeriesSheet("Powers of WtW", squared.powers),
            SeriesSheet("Averages of WtW", squared.averages),
            MatrixSheet("Draws", self.graph["e_W"], "from unit"),
            self._about(command, parameters),
        ]
        return follow(sheets, live)

    def _overview(self, live: bool) -> Page:
        growth = self.growth
        homes = Homes(growth.table.cells())
        items: list[Item] = [page_title(self.title, "Gradients through time", ACROSS)]
        items += [Text(1 + k, 0, sentence, "lead", ACROSS) for k, sentence in enumerate(self._lead(live))]
        for row, (name, (label, hint)) in enumerate(CONTROLS.items(), start=5):
            items += [Text(row, 0, label, "label"), homes.show(row, 1, self.graph[name], "input")]
            items.append(Text(row, 2, hint, "hint"))
        row = 11
        items += [Text(row, 0, "Weights and growth", "heading-left"), Text(row, 1, " ", "heading", ACROSS - 1)]
        unclipped = {column.name: column.cells[0] for column in growth.table.columns}
        for label, node, hint in (
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
            ("Growth a step", unclipped["growth"], "unclipped: the geometric mean over the second half of the steps"),
            ("Largest growth", unclipped["largest_growth"], "of a single step: at most σ, while it may exceed ρ"),
            ("Mean slope f′", growth.slope, "of all samples, units and steps; 1 for the identity"),
            ("Divisor of norms", self.graph["divisor"], "N, the samples, or 1: see the cell Norm"),
            ("The growth follows", growth.decides, "which of the two decides; what the words mean stands below"),
        ):
            row += 1
            style = "verdict" if node is growth.decides else "centre"
            items += [Text(row, 0, label, "label"), homes.show(row, 1, node, style), Text(row, 2, hint, "hint")]
        row += 2
        items.append(Text(row, 0, "Gradient", "heading-left"))
        items += [Text(row, c, head, "heading") for c, head in enumerate((*HEADINGS, " ", " "), start=1)]
        for k, (kind, verdict) in enumerate(zip(growth.table.labels, growth.verdicts, strict=True)):
            row += 1
            items += [Text(row, 0, str(kind), "label"), homes.show(row, 1, verdict, "verdict")]
            cells = [column.cells[k] for column in growth.table.columns[: len(HEADINGS) - 1]]
            items += [homes.show(row, c, cell, "centre") for c, cell in enumerate(cells, start=2)]
        row += 1
        items += [Text(row, 0, "steps clipped", "label"), homes.show(row, 1, growth.clipped_steps, "count-centre")]
        row += 2
        if not self.log:
            hint = "With --set log=true the chart of the norms has powers of ten, and shows small beside large."
            items.append(Text(row - 1, 0, hint, "hint"))
        heights: dict[int, float] = {0: title_height(self.title), 1: 17, 2: 32, 3: 17, row: CHART[1] * 0.75 + 4}
        items += self._charts(row)
        row += 2
        for heading, words in (("What the verdicts mean", VERDICTS), ("What the growth follows", DECIDES)):
            items.append(Text(row, 0, heading, "section"))
            for k, (word, meaning) in enumerate(meanings(words).items(), start=1):
                items += [Text(row + k, 0, word, "label"), Text(row + k, 1, meaning, "hint")]
            row += len(words) + 2
        widths = {0: 30, 1: 18} | dict.fromkeys(range(2, ACROSS), 14)
        return Page("Overview", tuple(items), widths, heights, tones=tones(VERDICTS, DECIDES))

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

    def _charts(self, row: int) -> Iterator[Lines]:
        columns = self.growth.norms
        title = "Norm of the gradient by step back" + (", powers of ten" if self.log else "")
        norms = (Line("norm", columns["norm"]), Line("norm clipped", columns["norm_clipped"]))
        yield Lines(row, 0, title, norms, CHART, "steps back", (), self.log)
        lines = (
            Line("growth", columns["growth"]),
            Line("spectral radius ρ", columns["radius"], style="guide"),
            Line("singular value σ", columns["sigma"], style="guide"),
        )
        yield Lines(row, 4, "Growth of the norm by step back, beside ρ and σ", lines, CHART, "steps back")

    def _norms(self) -> Page:
        columns = self.growth.norms.columns
        items = table_items(self.growth.norms, Homes())
        whole = [(c, self.graph[own.name]) for c, own in enumerate(columns, start=1) if own.name in self.graph]
        items += [Block(1, c, series, "none") for c, series in whole]
        return Page("Norms", tuple(items), {0: 8} | dict.fromkeys(range(1, len(columns) + 1), 15), freeze=(1, 1))

    def _forward(self) -> Page:
        notes = (
            "The sums a = h W of the state before, and the states h = f(a). Step 0 is h_0, standard normal draws.",
            "d_start is the gradient by the last state, with which the way back begins.",
        )
        return self._steps("Forward", "States by step", notes, ("a", "h"), ("h_0", "d_start"))

    def _backward(self) -> Page:
        notes = (
            "Row k of d_h and d_h_clipped: the gradient by the state k steps before the last; step 0 is d_start.",
            "d_a is the gradient of the step before times f′(a), and d_h = d_a Wᵀ.",
            "Clipped: d_h_before = d_a_clipped Wᵀ, and d_h_clipped that times the rate (sheet Norms) where it is < 1. "
            "With Clip “once” d_a_clipped is d_a, and d_h_before d_h.",
        )
        names = ("d_a", "d_h", "d_a_clipped", "d_h_before", "d_h_clipped")
        return self._steps("Backward", "Gradients by step back", notes, names)

    def _steps(
        self, title: str, heading: str, notes: Sequence[str], names: Sequence[str], side: Sequence[str] = ()
    ) -> Page:
        """Series side by side, so many rows a step, and at their right input cells."""
        series = [self.series[name] for name in names]
        rows, units = series[0].rows, series[0].shape[1]
        items = [*_titled(heading, notes), Text(HEAD - 1, 0, "step", "heading"), Text(HEAD - 1, 1, "row", "heading")]
        for k in range(rows * max(own.first + len(own) for own in series)):
            items += [Number(HEAD + k, 0, k // rows, "heading"), Number(HEAD + k, 1, k % rows + 1, "heading")]
        left = 2
        for name, own in zip(names, series, strict=True):
            items += [*_headed(left, name, units), *blocks(HEAD + own.first * rows, left, own)]
            left += units
        widths = {0: 8, 1: 6} | dict.fromkeys(range(2, left), 11)
        for name in side:
            widths |= dict.fromkeys(range(left + 1, left + 1 + units), 18)
            items += [*_headed(left + 1, name, units), Block(HEAD, left + 1, self.graph[name], "input")]
            left += units + 1
        return Page(title, tuple(items), widths, {0: 28}, freeze=(HEAD, 2), heads=2)

    def _spectrum(self) -> Page:
        notes = (
            "ρ = lim ‖Wᵐ‖^(1/m) (Gelfand). Each step divides the power before by its scale, the largest magnitude, "
            "squares it, and multiplies the radius by scale^(1/m).",
            "Norms swing as eigenvalues turn. X ← B X Bᵀ + X over the last powers B evens that out (sheets Averages): "
            "ρ = radius · (|B X Bᵀ|/|X|)^(1/2m).",
            "|·| is the largest magnitude, m = 2^step. σ² is the same of WᵀW, W over its largest magnitude first.",
        )
        items = [*_titled("Spectral radius and largest singular value", notes), Text(HEAD - 1, 0, "step", "heading")]
        items += [Number(HEAD + k, 0, k, "heading") for k in range(len(self.radii[0].radius))]
        for left, heading, found in zip((1, 3), ("W", "WᵀW, scaled"), self.radii, strict=True):
            items.append(Text(HEAD - 2, left, heading, "heading", 2))
            for c, series in enumerate((found.scale, found.radius), start=left):
                items.append(Text(HEAD - 1, c, series.columns[0], "column"))
                items += blocks(HEAD + series.first, c, series)
        return Page(
            "Spectrum", tuple(items), {0: 8} | dict.fromkeys(range(1, 5), 13), {0: 28}, freeze=(HEAD, 1), heads=2
        )

    def _about(self, command: str, parameters: Mapping[str, Any]) -> Page:
        sections: dict[str, Mapping[str, str]] = {"Defined names": GLOSSARY}
        for table in (self.growth.table, self.growth.norms):
            sections[f"Columns of {table.name.capitalize()}"] = {own.name: own.what for own in table.columns}
        title = self.title or "Gradients through time"
        return about_page(title, self.description, command, parameters, sections, scipy=False)


def _titled(title: str, notes: Sequence[str]) -> list[Item]:
    # A space is content: without it LibreOffice cuts the page, and the notes, after the last column of numbers.
    items: list[Item] = [Text(0, 0, title, "title", 12), Text(0, 12, " ")]
    return items + [Text(1 + k, 0, note, "text", 12) for k, note in enumerate(notes)]


def _headed(left: int, label: str, units: int) -> list[Item]:
    items: list[Item] = [Text(HEAD - 2, left, label, "heading", units)]
    return items + [Text(HEAD - 1, left + k, str(k + 1), "column") for k in range(units)]


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


GLOSSARY = {
    "e_W": "standard normal draws, units × units (constants)",
    "scale": "what they are multiplied by: the standard deviation of the weights",
    "W": "scale · e_W: rows are the units of the step before",
    "h_0": "standard normal draws, samples × units (constants): the state before the first step",
    "activation": f"the activation f, one for all steps. {NAMES}",
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
