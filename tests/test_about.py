"""The sheet About explains every name of a book."""

import re
from collections.abc import Sequence
from typing import Any

import pytest
from conftest import small_keys

import sheetsim
from sheetsim.model.graph import Graph
from sheetsim.runs import templates
from sheetsim.studies.about import AboutPage, glossary
from sheetsim.studies.forward.study import Forward
from sheetsim.studies.model_book import model_sheets
from sheetsim.workbook.layout import MatrixSheet, Text

FIVE_LAYERS = {"samples": 6, "inputs": 4, "layers": [3] * 5, "histogram.bins": 4}
# Books with names that those of the templates have not.
OTHERS: dict[str, dict[str, Any]] = {
    "relu-he": {"initializer": ["he", 0.1, {"constant": 0.3}, "he", "he"]},
    "tanh-std1": {"histogram.range": [-1.0, 1.0]},
    "sigmoid-std1": {"report": "summary"},
    "optimizers": {"f": "x + y"},
}


def explained(name: str, lines: Sequence[tuple[str, str]]) -> bool:
    """Whether a line (label, text) is the name's own, or begins with a list that has it or the ends of its family."""
    stem = re.sub("_[0-9]+$", "_", name)
    for label, text in lines:
        listed = [label, *re.split(", ", text.partition(":")[0])]
        if name in listed:
            return bool(text)
        if any(re.fullmatch(re.escape(stem) + "[0-9]+", other) for other in listed) and "…" in listed:
            return True
    return False


CASES: list[tuple[str, dict[str, Any]]] = [*((name, {}) for name in templates.names()), *OTHERS.items()]


@pytest.mark.parametrize(("name", "changes"), CASES, ids=str)
def test_about_explains_every_name(name: str, changes: dict[str, Any]) -> None:
    template = templates.load(name).experiment
    few = FIVE_LAYERS if isinstance(template, Forward) else small_keys(template)
    experiment = templates.load(name, {**few, **changes}).experiment
    layout = experiment.build().layout("a command", experiment.is_full)
    (about,) = [sheet for sheet in layout.sheets if isinstance(sheet, AboutPage)]
    texts = {(item.row, item.column): item.text for item in about.items if isinstance(item, Text)}
    lines = [(texts.get((row, 0), ""), text) for (row, column), text in texts.items() if column == 1]
    named = [str(node.name) for node in layout.named()]
    assert named
    assert [name for name in named if not explained(name, lines)] == []


def test_a_line_explains_all_names_of_which_the_same_is_said() -> None:
    graph = Graph()
    for k in range(1, 5):
        graph.input(f"a_{k}", sheetsim.normal(), (2, 2), what="sums")
        graph.input(f"z_{k}", [[1.0]], what="sums of squares")
        graph.define(f"b_{k}", graph[f"a_{k}"] + k, what="sums")
    graph.input("unsaid", [[1.0]])
    graph.input("unplaced", [[1.0]], what="it stands nowhere")
    sheets = [MatrixSheet(str(node.name), node) for node in graph if node.name != "unplaced"]
    assert glossary(graph, sheets) == {
        "a_1": "a_1, a_2, …, a_4: sums (constants)",
        "z_1": "z_1, z_2, …, z_4: sums of squares (constants)",
        "b_1": "b_1, b_2, …, b_4: sums",
    }
    assert not explained("unsaid", list(glossary(graph, sheets).items()))
    assert explained("b_3", list(glossary(graph, sheets).items()))


def test_what_a_person_says_of_a_name_stands_in_the_models_book() -> None:
    model = sheetsim.Model("mine")
    x = model.input("x", [[1.0, 2.0]], what="ages, in years")
    model.series({"s": x}, step=lambda before, t: {"s": before["s"] + t}, steps=2, what={"s": "older by step"})
    model.define("y", 2 * x)
    (about,) = [sheet for sheet in model_sheets(model, "mine", "") if isinstance(sheet, AboutPage)]
    texts = [item.text for item in about.items if isinstance(item, Text)]
    assert "ages, in years; 1 × 2, given" in texts
    assert "older by step; 3 × 2: 3 steps of 1 × 2, one under another" in texts
    assert "1 × 2, computed" in texts
