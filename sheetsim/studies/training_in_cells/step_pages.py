"""The sheets of a start: all that its steps compute, by how many rows a step takes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sheetsim.model.expr import Matrix
from sheetsim.studies.sections import StepPage, Steps
from sheetsim.studies.training_in_cells.descent import CONSTANT, SMALL, Descent
from sheetsim.studies.training_in_cells.tables import VERDICTS
from sheetsim.studies.weight_keys import BIASED, SCALED
from sheetsim.workbook.layout import Block, Page, Text

if TYPE_CHECKING:
    from sheetsim.studies.training_in_cells.study import TrainingInCells

HEAD = 8  # rows above a start's first step

WHAT = {
    CONSTANT: "All weights start at one constant, the cell “constant” of Overview.",
    SMALL: "All weights start at the cell “small” of Overview times {law} draws.",
}
OF_XAVIER = "All weights start at 1/√inputs times {law} draws: 1/3 in the first layer, 1/√3 in the second."

# The groups of each sheet, from left to right, with their series.
BY_STEP: Mapping[str, Sequence[str]] = {
    "The step": ("loss", "accuracy", "units", "gradient"),
    "Biases": ("b_1", "b_2"),
    "Gradients of the biases": ("d_b_1", "d_b_2"),
    "Velocities of the biases": ("v_b_1", "v_b_2"),
}
BY_ROW: dict[str, tuple[str, str, Mapping[str, Sequence[str]]]] = {
    "hidden": (
        "weights of the hidden units",
        "A step has 9 rows, one a pixel; a column is a hidden unit.",
        {"Weights": ("W_1",), "Gradients of the weights": ("d_W_1",), "Velocities": ("v_W_1",)},
    ),
    "outputs": (
        "weights of the outputs",
        "A step has 3 rows, one a hidden unit; a column is an output.",
        {"Weights": ("W_2",), "Gradients of the weights": ("d_W_2",), "Velocities": ("v_W_2",)},
    ),
    "pass": (
        "forward and back",
        "A step has a row a picture: forward from left to right, then the gradients of the loss back.",
        {
            "Hidden units": ("a_1", "z_1"),
            "Outputs": ("a_2", "p", "ahead"),
            "Back: outputs": ("d_a_2",),
            "Back: hidden units": ("d_z_1", "d_a_1"),
        },
    ),
}
STYLES = {"units": "whole", "accuracy": "percent"}


def start_pages(study: "TrainingInCells", one: Descent, verdict: Matrix, steps: Matrix | None) -> list[Page]:
    """Four sheets: a row per step; 9 rows, the hidden units' weights; 3 rows, the outputs'; and a row per picture.

    steps: their numbers, where they have their cells here.
    """
    name = one.name
    said = WHAT.get(name, OF_XAVIER).format(law=study.law_in_words)
    if name != CONSTANT:
        said += SCALED * (study.gain != 1) + BIASED * bool(study.bias)
    notes = (
        f"{said} A row is a step, from the numbers of the step before.",
        f"The series have the start's name too: loss_{name}, b_1_{name}, d_b_1_{name}. Weights, and what the pictures "
        f"become, are on the sheets {name.capitalize()} hidden, {name.capitalize()} outputs and "
        f"{name.capitalize()} pass.",
        "units: distinct hidden units; gradient: its norm by all weights and biases.",
    )
    first = StepPage(
        name.capitalize(),
        f"Start: {name}",
        notes,
        _shown(one, BY_STEP),
        HEAD,
        columns=(6, 1),
        steps=steps,
        labeled="heading-left",
        index="index",
        gap=3,
        verdicts=VERDICTS,
        more=lambda left: [Text(4, 0, "verdict", "label"), Block(4, 1, verdict, "verdict")],
    ).page()
    return [first, *(_rows_page(one, title, *said) for title, said in BY_ROW.items())]


def _rows_page(one: Descent, title: str, what: str, note: str, groups: Mapping[str, Sequence[str]]) -> Page:
    return StepPage(
        f"{one.name.capitalize()} {title}",
        f"Start {one.name}: {what}",
        (note,),
        _shown(one, groups),
        6,
        columns=(9, 1),
        labeled="heading-left",
        index="index",
        wide=9.5,
        gap=2,
    ).page()


def _shown(one: Descent, groups: Mapping[str, Sequence[str]]) -> list[Steps]:
    shown = []
    for group, keys in groups.items():
        for key in keys:
            label = key if one[key].shape[1] > 1 else " "
            shown.append(Steps(one[key], label, STYLES.get(key, "number"), group if key == keys[0] else ""))
    return shown
