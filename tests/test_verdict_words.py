"""Every word that a verdict can say is declared, with what it means and how its cells look."""

from functools import cache
from pathlib import Path

import openpyxl
import pytest

import sheetsim
from sheetsim.model.expr import Matrix, matrix, where
from sheetsim.runs import intervals, templates
from sheetsim.studies.rnn_gradients import growth
from sheetsim.studies.study import Study
from sheetsim.studies.symmetry import starts
from sheetsim.summary import variance
from sheetsim.summary.verdict import Verdict, meanings, tones
from sheetsim.workbook.layout import Block, Page, Text, possible_texts
from sheetsim.workbook.writing.styles import Look

SMALL = {"forward": {"samples": 9, "inputs": 3, "layers": [3, 3, 3]}, "optimizers": {"steps": 2, "contours": 0}}
SMALL["gradient-flow"] = SMALL["forward"]
SMALL["training-in-cells"] = {"pictures": 4, "steps": 2}


@cache
def studies() -> dict[str, list[Study]]:
    found: dict[str, list[Study]] = {}
    for name in templates.names():
        study = templates.load(name).experiment.study
        if study not in found:
            found[study] = [templates.scenario(name, SMALL.get(study, {})).experiment.build()]
    found["optimizers"].append(
        templates.scenario("optimizers", {"f": "x^3 + y", **SMALL["optimizers"]}).experiment.build()
    )
    return found


def computed_texts(study: Study) -> list[Matrix]:
    """The cells of tables that are texts by formula."""
    # Those of forward are on a page of their own: see below.
    tables = [table for table in study.findings.tables if table.name != "claims" or table.index == "about"]
    texts = [column for table in tables for column in table.columns if column.kind == "text"]
    return [cell for column in texts for cell in column.cells if cell.is_op]


@pytest.mark.every(3)
@pytest.mark.parametrize("study", templates.STUDIES)
def test_every_declared_word_can_be_said_and_no_other(study: str) -> None:
    said = {
        word
        for built in studies()[study]
        for node in (*built.verdicts, *built.findings.texts.values(), *computed_texts(built))
        for word in possible_texts(node)
    }
    assert said == set(meanings(studies()[study][0].findings.words)), "words that are never said, or never explained"


def test_claims_say_all_their_words() -> None:
    words = {
        word
        for built in studies()["forward"]
        for cell in built.tables["claims"].cells()
        for word in possible_texts(cell)
    }
    assert words == set(meanings(variance.VERDICTS))


def test_a_words_tone_is_a_style() -> None:
    for verdicts in (*(own[0].findings.words for own in studies().values()), growth.DECIDES, intervals.VERDICTS):
        assert set(tones(verdicts).values()) <= set(Look().tones)
        assert len(tones(verdicts)) == len(verdicts)


def test_a_word_without_a_declaration_cannot_be_written() -> None:
    good = where(matrix(1.0) + 0 > 0, "fine", "not so fine")
    declared = [Verdict("fine", "all is well", "good")]
    with pytest.raises(ValueError, match="Overview: no verdict is declared for not so fine"):
        Page("Overview", (Block(0, 0, good, "verdict"),), tones=tones(declared))
    with pytest.raises(ValueError, match="Overview: no verdict is declared for odd"):
        Page("Overview", (Text(0, 0, "odd", "verdict"),), tones=tones(declared))
    Page("Overview", (Block(0, 0, good, "verdict"),), tones=tones([*declared, Verdict("not so fine", "", "bad")]))


def test_a_cell_has_a_rule_for_each_word_that_it_can_say(tmp_path: Path) -> None:
    book = openpyxl.load_workbook(sheetsim.run("symmetry", steps=1).to_excel(tmp_path / "book.xlsx"))
    for title in ("Overview", "Small"):
        rules = [rule for own in book[title].conditional_formatting for rule in own.rules if rule.type == "beginsWith"]
        assert [rule.text for rule in rules[: len(starts.VERDICTS)]] == list(meanings(starts.VERDICTS))
        assert [rule.dxf.fill.bgColor.rgb[2:] for rule in rules[: len(starts.VERDICTS)]] == [
            Look().tones[verdict.tone]["bg_color"][1:] for verdict in starts.VERDICTS
        ]
