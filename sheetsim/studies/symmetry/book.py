"""How the study of symmetry looks as a workbook: which matrix stands where, and what is said beside it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sheetsim.model.expr import Matrix
from sheetsim.model.graph import Graph
from sheetsim.model.series import Series
from sheetsim.studies.about import about_page
from sheetsim.studies.pages import AsMade, Homes, follow, page_title, table_items, title_height
from sheetsim.studies.symmetry.starts import VERDICTS
from sheetsim.summary.table import Table
from sheetsim.summary.verdict import meanings, tones
from sheetsim.workbook.layout import Block, Echo, Item, Line, Lines, Number, Page, Sheet, Text, step_blocks

Start = Mapping[str, Series]

HEAD = 8  # rows above a start's first step
WIDE = 6  # columns of Overview
CHARTS = (505, 550)  # widths of the left and the right one, in pixels
HEIGHT = 290

# The groups of a start's page, from left to right, with their series.
GROUPS = {
    "The step": ("distinct", "distance", "loss", "gradient", "slope"),
    "Weights of the hidden units": ("w_1", "w_2"),
    "Weighted sums by sample": ("a_1", "a_2"),
    "Outputs of the hidden units by sample": ("z_1", "z_2"),
    "Weights of the output": ("v_1", "v_2", "b"),
    "Output by sample, and its gradient": ("y", "d_y"),
    "Gradients by output weights": ("d_v_1", "d_v_2", "d_b"),
    "Gradients by the hidden units' outputs": ("d_z_1", "d_z_2"),
    "Gradients by the weighted sums: times f′(a)": ("d_a_1", "d_a_2"),
    "Gradients by the weights": ("d_w_1", "d_w_2"),
}

WHAT = {
    "zeros": "All weights start at 0.",
    "constant": "All weights start at one constant, the cell “constant” of Overview.",
    "small": "All weights start at the cell “small” of Overview times standard normal draws.",
    "large": "All weights start at the cell “large” of Overview times the same draws.",
}


@dataclass(frozen=True)
class SymmetryBook:
    """Everything that the workbook shows; `sheets` lays it out. starts: by name the series without the start's name."""

    graph: Graph
    starts: Mapping[str, Start]
    table: Table
    steps: Table
    verdicts: Sequence[Matrix]
    title: str
    description: str

    def sheets(self, command: str, parameters: Mapping[str, Any], *, live: bool) -> list[Sheet]:
        """The sheets in their order."""
        told = [step for start in self.starts.values() for key in GROUPS["The step"] for step in start[key]]
        starts, steps = (
            Page(
                title, tuple(table_items(table, Homes(told))), {0: 11} | dict.fromkeys(range(1, 25), 18), freeze=(1, 1)
            )
            for title, table in (("Starts", self.table), ("Steps", self.steps))
        )
        pages = [self._start(name, start) for name, start in self.starts.items()]
        sheets = [self._overview(live), *pages, steps, starts, self._data(), self._about(command, parameters)]
        return follow(sheets, live)

    def _overview(self, live: bool) -> Page:
        items: list[Item] = [page_title(self.title, "Symmetry of equal starts", WIDE)]
        lead = (
            "2 inputs, 2 hidden units, 1 output, gradient descent. Units with equal weights, and equal weights to the "
            "output, have equal outputs and gradients: after the step all are equal again, and by induction for ever.",
            "A small random start breaks the symmetry: the difference grows with the weights, and the units can learn "
            "different features. A large one breaks it too, but saturates as a rule: where f′(a) is near 0, little "
            "gradient comes back, and the units stay near what chance made them.",
            "Equal units can still lower the loss, as one unit would: here a straight line parts the classes. From "
            "zeros nothing moves: output weights of 0 let no gradient back, and the two classes, equally many, cancel.",
        )
        # The first holds for any start; the others for the scales that stand in the yellow cells.
        items += [
            AsMade(1 + k, 0, sentence, "lead", WIDE, sentence if not k else f"As it was made: {sentence}")
            for k, sentence in enumerate(lead)
        ]
        controls = (
            ("Activation of the hidden units", "activation", "tanh or sigmoid"),
            ("Learning rate", "rate", "w ← w − rate · ∂loss/∂w"),
            ("Constant start", "constant", "what all its weights are"),
            ("Small random start", "small", "times the standard normal draws of sheet Data"),
            ("Large random start", "large", "times the same draws"),
        )
        steepest = self.graph["steepest"]
        items += [Text(5, 3, "greatest f′", "hint"), Block(5, 4, steepest, "centre")]
        for row, (label, name, hint) in enumerate(controls, start=5):
            items += [
                Text(row, 0, label, "label"),
                Block(row, 1, self.graph[name], "input"),
                Text(row, 2, hint, "hint"),
            ]
        if live:
            items.append(Text(4, 0, "Change a yellow cell, and every step, chart and verdict follows.", "text"))
        row = 11
        items.append(Text(row, 0, "Start", "heading-left"))
        items += [Text(row, k, name, "heading") for k, name in enumerate(self.starts, start=1)]
        items.append(Text(row, WIDE - 1, "", "heading"))
        for label, nodes, style, meaning in self._rows():
            row += 1
            items.append(Text(row, 0, label, "label"))
            items += [
                Block(row, k, node, style) if node in self.verdicts else Echo(row, k, node, style)
                for k, node in enumerate(nodes, start=1)
            ]
            items.append(Text(row, WIDE - 1, meaning, "hint"))
        row += 2
        heights: dict[int, float] = {0: title_height(self.title), 1: 32, 2: 32, 3: 32}
        for first, second in (("distance", "loss"), ("gradient", "slope")):
            items += [self._chart(row, 0, first), self._chart(row, 3, second)]
            heights[row] = HEIGHT * 0.75 + 8
            row += 1
        row += 1
        items.append(Text(row, 0, "What the verdicts mean", "section"))
        for word, meaning in meanings(VERDICTS).items():
            row += 1
            items += [Text(row, 0, word, "label"), Text(row, 1, meaning, "hint")]
        widths = {0: 34} | dict.fromkeys(range(1, WIDE - 1), 19) | {WIDE - 1: 40}
        return Page("Overview", tuple(items), widths, heights, tones=tones(VERDICTS))

    def _rows(self) -> Iterator[tuple[str, Sequence[Matrix], str, str]]:
        table = self.table
        yield "Verdict", self.verdicts, "verdict", "see below"
        yield "Distinct hidden units at the start", table["distinct_start"], "count-centre", "1: the two are the same"
        yield "Distinct hidden units at the end", table["distinct_end"], "count-centre", "of every step: sheet Steps"
        yield "Distance ‖w_1 − w_2‖ at the start", table["distance_start"], "centre", "exactly 0 for equal units"
        yield "Distance at the end", table["distance_end"], "centre", ""
        yield "Loss at the start", table["loss_start"], "centre", "log 2 = 0.693 where the output is 0"
        yield "Loss at the end", table["loss_end"], "centre", ""
        yield "Gradient’s norm at the start", table["gradient_start"], "centre", "by the hidden units’ weights"
        yield "Gradient’s norm at the end", table["gradient_end"], "centre", ""
        yield "f′(a) at the start", table["slope_start"], "percent-centre", "mean, as a share of the greatest f′"
        yield "f′(a), mean of all steps", table["slope_mean"], "percent-centre", "falls where weights grow, too"

    def _chart(self, row: int, column: int, key: str) -> Lines:
        # Random starts first: a start has one colour in all charts, and zeros have no logarithm.
        logarithmic = {"distance": ("small", "large"), "gradient": ("small", "large", "constant")}
        names = logarithmic.get(key, ("small", "large", "constant", "zeros"))
        titles = {
            "distance": "Distance ‖w_1 − w_2‖ of the random starts",
            "loss": "Loss",
            "gradient": "Gradient by the hidden weights (without zeros)",
            "slope": "Mean f′(a), share of its greatest value",
        }
        lines = tuple(Line(name, (self.starts[name][key],)) for name in names)
        return Lines(
            row,
            column,
            titles[key],
            lines,
            (CHARTS[column > 0], HEIGHT),
            "step",
            (self.graph["step"],),
            key in logarithmic,
        )

    def _start(self, name: str, start: Start) -> Page:
        """A row a step: weights, activations and gradients of the step, from left to right as they are computed."""
        text = (
            f"{WHAT[name]} A row is a step: its weights, what they give, and the gradients, by which the next row's "
            "weights differ.",
            f"The series have the start's name too: w_1_{name}, z_1_{name}, d_w_1_{name}. Columns 1, 2, … are samples; "
            "x₁, x₂ and bias are a unit's three weights.",
            "distinct: different hidden units; distance: ‖w_1 − w_2‖; gradient: its norm by the hidden units' weights; "
            "slope: mean f′(a), as a share of the greatest.",
        )
        items: list[Item] = [Text(0, 0, f"Start: {name}", "title", 6)]
        items += [Text(1 + k, 0, sentence, "text") for k, sentence in enumerate(text)]
        verdict = self.verdicts[list(self.starts).index(name)]
        items += [Text(4, 0, "verdict", "label"), Echo(4, 1, verdict, "verdict")]
        items.append(Text(HEAD - 1, 0, "step", "heading"))
        first = name == next(iter(self.starts))
        steps = self.graph["step"]
        items += (
            [Block(HEAD, 0, steps, "index")]
            if first
            else [Number(HEAD + k, 0, k, "index") for k in range(steps.shape[0])]
        )
        left, gaps = 1, []
        for group, keys in GROUPS.items():
            items.append(Text(HEAD - 3, left, group, "section"))
            for key in keys:
                series = start[key]
                width = series.shape[1]
                items.append(Text(HEAD - 2, left, key if width > 1 else " ", "heading-left", width))
                headings = series.columns or tuple(map(str, range(1, width + 1)))
                items += [Text(HEAD - 1, left + k, heading, "column") for k, heading in enumerate(headings)]
                style = {"distinct": "whole", "slope": "percent"}.get(key, "number")
                items += step_blocks(HEAD, left, series, style)
                left += width
            gaps.append(left)
            left += 1
        widths = {0: 8} | dict.fromkeys(range(2, left), 10) | {1: 14} | dict.fromkeys(gaps, 3)
        return Page(name.capitalize(), tuple(items), widths, {0: 28}, freeze=(HEAD, 1), heads=3, tones=tones(VERDICTS))

    def _data(self) -> Page:
        graph = self.graph
        samples = graph["x"].shape[1]
        items: list[Item] = [
            Text(0, 0, "The samples, and the patterns of the starts", "title", 8),
            Text(
                1, 0, "A column is a sample: two inputs, standard normal draws, and a 1 for the bias (keep it).", "text"
            ),
            Text(2, 0, "The second half mirrors the first. A target is 1 where x₁ + x₂ > 0, −1 elsewhere.", "text"),
            Text(4, 0, "sample", "heading-left"),
            *(Number(4, 1 + k, 1 + k, "heading") for k in range(samples)),
            *(Text(5 + k, 0, label, "label") for k, label in enumerate(("x₁", "x₂", "1 (bias)", "target"))),
            Block(5, 1, graph["x"], "number"),
            Block(8, 1, graph["targets"], "whole"),
            Text(10, 0, "A start is its scale times a pattern: draws for small and large, ones for constant.", "text"),
            Text(
                11,
                0,
                "Change one of the ones, and the equal units differ: a control. Of the output's ones (ones_v) that "
                "of a single unit does it too, one step later: equal gradients need equal weights on both sides.",
                "text",
            ),
            Text(13, 0, "pattern", "heading-left"),
            *(Text(13, 1 + k, text, "column") for k, text in enumerate(("x₁", "x₂", "bias"))),
        ]
        of = {"1": "hidden unit 1", "2": "hidden unit 2", "v": "output: from unit 1, unit 2, bias"}
        row = 13
        for kind, style in (("e", "number"), ("ones", "input")):
            for number, meaning in of.items():
                row += 1
                name = f"{kind}_{number}"
                items += [Text(row, 0, name, "label"), Block(row, 1, graph[name], style), Text(row, 4, meaning, "hint")]
        return Page("Data", tuple(items), {0: 12} | dict.fromkeys(range(1, samples + 1), 10), {0: 28})

    def _about(self, command: str, parameters: Mapping[str, Any]) -> Page:
        sections = {
            "Defined names (of a series add the start: w_1_small)": GLOSSARY,
            "Columns of Starts (sheetsim summary BOOK.xlsx)": {c.name: c.what for c in self.table.columns},
            "Columns of Steps (--table steps), for each start": {
                c.name: c.what for c in self.steps.columns if c.name.endswith("_small")
            },
            "The verdicts": meanings(VERDICTS),
        }
        title = self.title or "Symmetry of equal starts"
        return about_page(title, self.description, command, parameters, sections, scipy=False)


GLOSSARY = {
    "activation": "f of the hidden units; a drop-down",
    "steepest": "the greatest value of f′",
    "rate": "the learning rate: w ← w − rate · d_w",
    "constant, small, large": "the scales of three starts",
    "x": "the inputs, 3 × samples: x₁, x₂ and a row of ones for the bias (constants)",
    "targets": "1 where x₁ + x₂ > 0, −1 elsewhere, 1 × samples",
    "e_1, e_2, e_v": "standard normal draws for the weights of unit 1, unit 2 and the output, 1 × 3 each (constants)",
    "ones_1, ones_2, ones_v": "the pattern of the equal starts, 1 × 3 each (constants)",
    "step": "the number of the step, 0 for the start",
    "w_1, w_2": "weights of a hidden unit, 1 × 3 a step: from x₁, from x₂, and its bias",
    "a_1, a_2": "its weighted sums w_k x, 1 × samples a step",
    "z_1, z_2": "its outputs f(a)",
    "v_1, v_2, b": "weights of the output from each unit, and its bias",
    "y": "the output v_1 z_1 + v_2 z_2 + b, 1 × samples a step; its sign is the class",
    "loss": "mean log(1 + exp(−target · y)), the logistic loss",
    "d_y, d_z_1, d_a_1, d_w_1, …": "the gradient of the loss by y, z_1, a_1, w_1, …",
    "distinct": "the number of distinct hidden units: 2 where a weight or the bias of the two differs. A spreadsheet "
    "compares about 15 digits",
    "distance": "‖w_1 − w_2‖",
    "gradient": "‖(d_w_1, d_w_2)‖",
    "slope": "mean f′(a) over units and samples, as a share of its greatest value",
    "verdict_zeros, …": "the verdict of a start",
}
