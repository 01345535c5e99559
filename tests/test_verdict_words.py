"""Every word that a verdict can say has a look of its own, and an explanation where the study explains its words."""

import pytest

from sheetsim.model.expr import Constant, Matrix
from sheetsim.runs import templates
from sheetsim.studies.gradient_flow import gradients
from sheetsim.studies.optimizers import paths
from sheetsim.studies.rnn_gradients import growth
from sheetsim.studies.study import Study
from sheetsim.studies.symmetry import starts
from sheetsim.summary import layers
from sheetsim.workbook.writing.styles import VERDICTS

CONTRASTS = {"#D9F2E0": "praise", "#FBDDD7": "fault", "#FCEBCB": "warning", "#F3F4F6": "says nothing"}
EXPLAINED = {
    "forward": layers.VERDICTS,
    "gradient-flow": gradients.FLOWS,
    "optimizers": paths.PATHS,
    "rnn-gradients": growth.VERDICTS,
    "symmetry": starts.VERDICTS,
}
SMALL = {"forward": {"samples": 9, "inputs": 3, "layers": [3, 3, 3]}, "optimizers": {"steps": 2, "contours": 0}}
SMALL["gradient-flow"] = SMALL["forward"]


def words(node: Matrix) -> set[str]:
    """The texts that an expression can be: of its branches, without the texts that it compares."""
    if isinstance(node.source, Constant):
        return {node.source.value} if isinstance(node.source.value, str) else set()
    if getattr(node.source, "name", "") == "where":
        return words(node.args[1]) | words(node.args[2])
    return set()


def studies() -> dict[str, list[Study]]:
    found: dict[str, list[Study]] = {}
    for name in templates.names():
        study = templates.load(name).experiment.study
        if study not in found:
            found[study] = [templates.origin(name, SMALL.get(study, {})).experiment.build()]
    found["optimizers"].append(
        templates.origin("optimizers", {"f": "x^3 + y", **SMALL["optimizers"]}).experiment.build()
    )
    return found


@pytest.mark.parametrize("study", EXPLAINED)
def test_every_word_has_a_style_and_an_explanation(study: str) -> None:
    said = {word for built in studies()[study] for node in built.verdicts for word in words(node)}
    assert said == set(EXPLAINED[study]), "words that are never said, or never explained"
    assert said <= set(VERDICTS)


def test_every_word_of_every_verdict_cell_has_a_style() -> None:
    """Claims and what growth follows, too: every cell of the style `verdict`."""
    found = set(growth.DECIDES)
    for built in (built for own in studies().values() for built in own):
        for sheet in built.sheets("", True):
            for item in getattr(sheet, "items", ()):
                if getattr(item, "style", "") == "verdict" and hasattr(item, "matrix"):
                    found |= words(item.matrix)
    assert {"does not hold", "neither alone", "best of five", "undecided"} <= found
    assert found - set(VERDICTS) == set()
    assert {style["bg_color"] for style in VERDICTS.values()} == set(CONTRASTS)
