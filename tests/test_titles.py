"""Titles and descriptions are true of what a book says now, and of a template whose keys were changed."""

import shlex
from pathlib import Path

import ironcalc
import pytest
from conftest import small_run

import sheetsim
from sheetsim.audit.verify import verify
from sheetsim.model.expr import Choice, Data, Matrix
from sheetsim.runs import templates
from sheetsim.runs.run import Run
from sheetsim.workbook.layout import Block, Page

LONG = "A “title” of & many words, " * 20
STUDIES = {
    "forward": lambda: small_run("sigmoid-std1", title=LONG),
    "per layer": lambda: small_run("tanh-he", layers=[2] * 16, initializer=["he"] * 16, samples=4),
    "gradient-flow": lambda: small_run("gradient-flow-sigmoid-std1"),
    "optimizers": lambda: sheetsim.run("optimizers", steps=3, contours=2, rate_sgd=0.1 + 0.2),
    "rnn-gradients": lambda: sheetsim.run("rnn-gradients", steps=3),
    "symmetry": lambda: sheetsim.run("symmetry", steps=3),
    "training-in-cells": lambda: sheetsim.run("training-in-cells", steps=2, pictures=4),
}


def yellow(run: Run) -> list[Matrix]:
    pages = [sheet for sheet in run._layout.sheets if isinstance(sheet, Page)]
    items = [item for page in pages for item in page.items]
    return [item.matrix for item in items if isinstance(item, Block) and item.style == "input"]


def other(cell: Matrix) -> str:
    """Something else than a yellow cell was made with."""
    if isinstance(cell.source, Choice):
        return next(option for option in cell.source.options if option != cell.source.value)
    assert isinstance(cell.source, Data)
    return repr(float(cell.source.values[0, 0]) * (1 + 1e-9) + 1e-9)


@pytest.mark.every(2)
@pytest.mark.parametrize("study", STUDIES)
def test_titles_follow_every_yellow_cell_and_come_back(tmp_path: Path, study: str) -> None:
    run = STUDIES[study]()
    path = run.to_excel(tmp_path / "book.xlsx")
    titles = [sheet.title for sheet in run._layout.sheets]
    book = ironcalc.load_from_xlsx(str(path), "en", "UTC", "en")

    def said() -> list[str]:
        """The titles of Overview and About, and About's description."""
        return [
            book.get_cell_value(titles.index(sheet), row, column)
            for sheet, row, column in (("Overview", 1, 1), ("About", 1, 1), ("About", 2, 2))
        ]

    book.evaluate()
    begun = said()
    assert begun[0] == begun[1] == run.title
    cells = [cell for cell in yellow(run) if isinstance(cell.source, Choice | Data)]
    # What the page Trace shows changes no number of another.
    cells = [cell for cell in cells if not str(cell.name).startswith("trace_")]
    for cell in cells[:4] + cells[-6:]:
        place = run._layout.places[cell]
        where = titles.index(place.sheet), place.row + 1, place.column + 1
        content = book.get_cell_content(*where)
        for text in (other(cell), "abc"):
            book.set_user_input(*where, text)
            book.evaluate()
            found = said()
            assert found[0] == found[1] == f"Edited since made as: {run.title}", (place, text)
            assert found[2] == f"As it was made: {begun[2]}"
        book.set_user_input(*where, content)
        book.evaluate()
        assert said() == begun, place


def test_a_draw_that_is_overwritten_changes_no_title(tmp_path: Path) -> None:
    run = small_run()
    book = ironcalc.load_from_xlsx(str(run.to_excel(tmp_path / "book.xlsx")), "en", "UTC", "en")
    book.set_user_input([sheet.title for sheet in run._layout.sheets].index("Draws 1"), 2, 2, "7")
    book.evaluate()
    assert book.get_cell_value(0, 1, 1) == run.title


def test_a_book_that_was_changed_reads_so(tmp_path: Path) -> None:
    run = small_run()
    path = run.to_excel(tmp_path / "book.xlsx")
    assert sheetsim.read(path).title == run.title
    book = ironcalc.load_from_xlsx(str(path), "en", "UTC", "en")
    place = run._layout.places[run._study.graph["activation"]]
    book.set_user_input(0, place.row + 1, place.column + 1, "tanh")
    book.evaluate()
    book.save_to_xlsx(str(tmp_path / "changed.xlsx"))
    with sheetsim.read(tmp_path / "changed.xlsx") as changed:
        assert changed["as_made"] == 0


OVERRIDES = [
    ("sigmoid-std1", {"activation": "relu"}, 'changed: activation = "relu"'),
    ("sigmoid-std1", {"initializer": "he", "depth": 2, "width": 5}, 'changed: layers = 2 × 5, initializer = "he"'),
    ("gradient-flow", {"loss": "cross-entropy", "samples": 30}, 'changed: samples = 30, loss = "cross-entropy"'),
    ("optimizers", {"rate_sgd": 0.5}, "changed: rate_sgd = 0.5"),
    ("rnn-gradients", {"activation": "tanh"}, 'changed: activation = "tanh"'),
    ("symmetry", {"large": 2.0}, "changed: large = 2.0"),
    ("relu-he", {"layers": list(range(1, 90))}, "changed: layers"),
]


@pytest.mark.parametrize(("name", "overrides", "said"), OVERRIDES)
def test_a_template_with_other_keys_says_so_in_title_and_description(
    name: str, overrides: dict[str, object], said: str
) -> None:
    plain, scenario = templates.load(name).experiment, templates.load(name, overrides)
    found = scenario.experiment
    assert found.title == f"{plain.title}, {said}"
    assert found.description == f"Of the template as it was: {plain.description}"
    # The command is as short as before, and makes the same titles.
    assert "title" not in scenario.command
    assert "description" not in scenario.command
    again = templates.load(name, settings_of(scenario.command))
    assert (again.experiment, again.command) == (found, scenario.command)


def settings_of(command: str) -> dict[str, object]:
    import tomllib

    words = shlex.split(command)[3:]
    return tomllib.loads("\n".join(word for word in words if word != "--set"))


def test_what_changes_nothing_that_a_title_tells_leaves_it() -> None:
    plain = templates.load("sigmoid-std1").experiment
    for overrides in ({"report": "summary"}, {"histogram": {"bins": 5}}, {"samples": 1000}):
        found = templates.load("sigmoid-std1", overrides).experiment
        assert (found.title, found.description) == (plain.title, plain.description)
    # A description may quote figures of its seed.
    seeded = templates.load("sigmoid-std1", {"seed": 5}).experiment
    assert (seeded.title, seeded.description) == (plain.title, f"Of the template as it was: {plain.description}")


def test_own_texts_are_kept_and_stand_in_the_command() -> None:
    scenario = templates.load("sigmoid-std1", {"activation": "relu", "title": "Mine", "description": ""})
    assert (scenario.experiment.title, scenario.experiment.description) == ("Mine", "")
    assert "title" in scenario.command
    assert "description" in scenario.command
    # The template's own title, wished for a changed study, is another text than the one that would be made.
    kept = templates.load(
        "sigmoid-std1", {"activation": "relu", "title": templates.load("sigmoid-std1").experiment.title}
    )
    assert templates.load("sigmoid-std1", settings_of(kept.command)).experiment == kept.experiment


def test_an_experiment_that_is_run_with_other_keys_says_so() -> None:
    study = templates.load("sigmoid-std1").experiment
    assert sheetsim.run(study, activation="tanh", samples=9, inputs=2, layers=[3]).title.startswith(
        f"{study.title}, changed: "
    )


@pytest.mark.parametrize("overrides", [{"activation": "tanh"}, {"activation": "tanh", "title": "Mine"}, {"seed": 4}])
def test_a_changed_templates_book_is_as_made(tmp_path: Path, overrides: dict[str, object]) -> None:
    assert verify(small_run("sigmoid-std1", **overrides).to_excel(tmp_path / "book.xlsx")).state == "as made"


def test_replicates_of_a_changed_template_say_so(tmp_path: Path) -> None:
    found = sheetsim.replicate("sigmoid-std1", 3, activation="relu", samples=9, inputs=2, layers=[3])
    path = found.to_excel(tmp_path / "book.xlsx")
    assert 'activation = "relu"' in sheetsim.read(path).title
    assert verify(path).state == "as made"


def test_a_sweep_of_a_changed_template_says_so() -> None:
    sizes = {"samples": 9, "inputs": 2, "layers": [3, 3]}
    keys = {"template": "sigmoid-std1", "replicates": 2, "grid": {"initializer": ["he"]}}
    assert sheetsim.sweep({**keys, "set": {**sizes, "activation": "relu"}}).title == (
        'Sweep of sigmoid-std1, changed: samples = 9, inputs = 2, layers = 2 × 3, activation = "relu"'
    )
