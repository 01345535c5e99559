"""The sheet of a start: its descent, a row per step, with all that a step computes from left to right."""

from typing import TYPE_CHECKING

from sheetsim.model.expr import Matrix
from sheetsim.studies.sections import StepPage, Steps
from sheetsim.studies.symmetry.starts import VERDICTS, Start
from sheetsim.studies.weight_keys import BIASED, SCALED
from sheetsim.workbook.layout import Block, Page, Text

if TYPE_CHECKING:
    from sheetsim.studies.symmetry.study import Symmetry

HEAD = 8  # rows above a start's first step

# The columns of the first two groups, which are one sheet of paper, with the steps and the gaps.
FIRST = 14

# The groups of a start's page, from left to right, with their series.
GROUPS = {
    "The step": ("distinct", "distance", "loss", "gradient", "slope"),
    "Weights of the hidden units": ("w_1", "w_2"),
    "Weighted sums by sample": ("a_1", "a_2"),
    "Outputs of the hidden units by sample": ("z_1", "z_2"),
    "Weights of the output": ("v_1", "v_2", "b"),
    "Output by sample, and its gradient": ("y", "d_y"),
    "Gradients of output weights": ("d_v_1", "d_v_2", "d_b"),
    "Gradients of the hidden units' outputs": ("d_z_1", "d_z_2"),
    "Gradients of the weighted sums: times f′(a)": ("d_a_1", "d_a_2"),
    "Gradients of the weights": ("d_w_1", "d_w_2"),
}

WHAT = {
    "zeros": "All weights start at 0.",
    "constant": "All weights start at one constant, the cell “constant” of Overview.",
    "small": "All weights start at the cell “small” of Overview times {law} draws.",
    "large": "All weights start at the cell “large” of Overview times the same draws.",
}

STYLES = {"distinct": "whole", "slope": "percent"}
WIDTHS = {"distinct": 14}


def start_page(study: "Symmetry", start: Start, verdict: Matrix, steps: Matrix | None) -> Page:
    """A row per step: weights, activations and gradients of the step, from left to right as they are computed.

    steps: their numbers, where they have their cells here.
    """
    name = start.name
    said = WHAT[name].format(law=study.law_in_words)
    if name in ("small", "large"):
        said += SCALED * (study.gain != 1) + BIASED * (study.bias is not None)
    notes = (
        f"{said} A row is a step: its weights, what they give, and the gradients, by which the next row's "
        "weights differ.",
        f"The series have the start's name too: w_1_{name}, z_1_{name}, d_w_1_{name}. Columns 1, 2, … are samples; "
        "x₁, x₂ and bias are a unit's three weights.",
        "distinct: different hidden units; distance: ‖w_1 − w_2‖; gradient: its norm by the hidden units' weights; "
        "slope: mean f′(a), as a share of the greatest.",
    )
    shown = []
    for group, keys in GROUPS.items():
        for key in keys:
            label, style = key if start[key].shape[1] > 1 else " ", STYLES.get(key, "number")
            shown.append(Steps(start[key], label, style, group if key == keys[0] else "", width=WIDTHS.get(key, 0)))
    return StepPage(
        name.capitalize(),
        f"Start: {name}",
        notes,
        shown,
        HEAD,
        columns=(6, FIRST),
        steps=steps,
        labeled="heading-left",
        index="index",
        wide=10,
        gap=3,
        verdicts=VERDICTS,
        more=lambda left: [Text(4, 0, "verdict", "label"), Block(4, 1, verdict, "verdict")],
    ).page()
