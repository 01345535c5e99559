"""Building a study makes its graph: nothing is computed, laid out or drawn until tables or pages are asked for."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import sheetsim
from sheetsim.engine import evaluate
from sheetsim.model.expr import Matrix
from sheetsim.runs import templates
from sheetsim.studies.registry import CLASSES
from sheetsim.workbook import layout

ROOT = Path(__file__).parent.parent


def forbidden(*_: Any, **__: Any) -> Any:
    raise AssertionError("this computes or lays out")


@pytest.fixture
def nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    # Now: a module that is first loaded while these are forbidden would keep them so.
    for study in templates.STUDIES.values():
        import_module(study.__module__.replace(".study", ".book"))
    monkeypatch.setattr(evaluate.Program, "__init__", forbidden)
    monkeypatch.setattr(layout.Layout, "__init__", forbidden)
    # A Struct is made without `__init__`: the classes are forbidden by their names, in every module that has them.
    for module in [module for name, module in sys.modules.items() if name.startswith("sheetsim.")]:
        for name in {"Page", "MatrixSheet", "SeriesSheet"} & vars(module).keys():
            monkeypatch.setattr(module, name, forbidden)


def of_study(name: str) -> Any:
    return next(own.experiment for own in map(templates.load, templates.names()) if own.experiment.study == name)


@pytest.mark.parametrize("name", templates.STUDIES)
def test_the_graph_alone_computes_nothing_and_lays_nothing_out(name: str, request: pytest.FixtureRequest) -> None:
    experiment = of_study(name)  # a function is tried at its start when it is given: that is the check of a parameter
    request.getfixturevalue("nothing_else")
    study = experiment.build()
    assert len(list(study.graph)) > 5
    assert "findings" not in vars(study)


@pytest.mark.parametrize("name", sorted(set(templates.STUDIES) - {"optimizers", "phase-diagram"}))
def test_tables_are_expressions_until_their_values_are_asked_for(name: str, request: pytest.FixtureRequest) -> None:
    """The optimizers' tables look for the least f, and the phase diagram's for fixed points, which no formula does."""
    experiment = of_study(name)
    request.getfixturevalue("nothing_else")
    study = experiment.build()
    assert all(isinstance(cell, Matrix) for table in study.tables.values() for cell in table.cells())
    with pytest.raises(AssertionError, match="lays out"):
        study.layout("", True)


def test_a_replicate_loads_no_layout_and_builds_no_table() -> None:
    code = (
        "import sys\n"
        "from sheetsim.runs.replicates_plan import Replicator\n"
        "from sheetsim.studies.forward.study import Forward\n"
        "own = Replicator(Forward(samples=9, inputs=3, layers=[3, 2]))\n"
        "import numpy\n"
        "own.edges = numpy.array([0.0, 0.5, 1.0])\n"
        "own.one(0)\n"
        "assert 'findings' not in vars(own._built)\n"
        "assert 'sheetsim.workbook.layout' not in sys.modules\n"
        "from sheetsim.studies.registry import STUDIES\n"
        "assert len(list(STUDIES.values())) > 5\n"
        "assert 'sheetsim.workbook.layout' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_study_refuses_an_unknown_key_in_a_sentence_with_the_near_one(name: str) -> None:
    kind = getattr(sheetsim, name)
    with pytest.raises(
        sheetsim.SheetsimError, match=rf"^{name}: unknown key 'sede' \(did you mean 'seed'\?\): the keys are"
    ):
        kind(sede=1)
    with pytest.raises(sheetsim.SheetsimError, match=rf"^{name} takes its keys by name, as in {name}\(seed=1\)$"):
        kind(1)
