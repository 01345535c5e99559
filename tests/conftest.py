"""Runs and books that several tests look at, made once a process."""

import gc
import os
import sys
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import sheetsim
from sheetsim.cli import commands as cli
from sheetsim.runs import templates
from sheetsim.runs.run import Run
from sheetsim.studies.correlation.study import Correlation
from sheetsim.studies.finite_width.study import FiniteWidth
from sheetsim.studies.forward.study import Forward
from sheetsim.studies.jacobian.study import Jacobian
from sheetsim.studies.phase_diagram.study import PhaseDiagram
from sheetsim.studies.propagation.study import Propagation
from sheetsim.studies.study import Experiment
from sheetsim.studies.training.gradients import TrainingGradients
from sheetsim.studies.training.scales import BatchNormScales
from sheetsim.studies.training.study import Trained
from sheetsim.studies.training_in_cells.study import TrainingInCells

# The same examples at each run: a test that fails does so again.
settings.register_profile("fixed", derandomize=True)
settings.load_profile("fixed")

SMALL = {"samples": 40, "inputs": 7, "layers": [6, 8, 5], "histogram": {"bins": 12}}
FEW_PAIRS = {"pairs": 8, "units": 10, "layers": 3}
FEW_PICTURES = {"pictures": 8, "steps": 4}
FEW_UNITS = {"units": 6, "layers": 3, "bins": 4}
FEW_BLOCKS = {"samples": 8, "units": 7, "layers": 3}
FEW_NETWORKS = {"networks": 12, "inputs": 9, "layers": [9, 8, 9], "bins": 4}
SMALL_GRID = {"steps": 3, "points": [[1.0, 0.1]], "pairs": 2, "units": 6, "layers": 2}
# What is printed is in the language of the locale: that of the tests, and not of the machine.
os.environ["LC_ALL"] = "C.UTF-8"

FEW_STEPS = {"data": "iris", "samples": 60, "batch": 20, "steps": 12, "every": 4, "seeds": 2}

# Templates with large books, which are small in a plain run of the tests, and full with -m slow.
EXPERIMENTS = {name: templates.load(name).experiment for name in templates.names()}
LARGE = [
    name
    for name, known in EXPERIMENTS.items()
    if isinstance(
        known,
        Forward | Correlation | FiniteWidth | Jacobian | PhaseDiagram | Propagation | Trained | TrainingInCells,
    )
]

# One template of each study in a plain run of the tests, and all with -m slow.
FIRST_OF = {known.study: name for name, known in reversed(EXPERIMENTS.items())} | {"forward": "relu-he"}


def some(names: Iterable[str]) -> list[Any]:
    """Parameters of a test: what is not the first template of its study is slow."""
    plain = {*FIRST_OF.values(), "gradient-flow", "tanh-std1"}
    return [pytest.param(name, marks=() if name in plain else pytest.mark.slow) for name in names]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a test with the marker `every` each step-th case is in a plain run of the tests, and all with -m slow."""
    cases: Counter[str] = Counter()
    for item in items:
        step = item.get_closest_marker("every")
        if step is not None and item.get_closest_marker("slow") is None:
            test = item.nodeid.partition("[")[0]
            if cases[test] % step.args[0]:
                item.add_marker(pytest.mark.slow)
            cases[test] += 1


def pytest_collection_finish() -> None:
    """Modules and collected tests stay: looking through them takes a sixth of the time, and so happens seldom."""
    # gc.freeze() would hide them from Hypothesis before 6.142, which then takes NumPy's generator for garbage.
    gc.set_threshold(100_000, 20, 50)


FULL = [pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name for name in templates.names()]


@cache
def run_of(name: str) -> Run:
    return sheetsim.run(name)


def small_run(name: str = "relu-he", **overrides: object) -> Run:
    return sheetsim.run(name, **{**small_keys(EXPERIMENTS[name]), **overrides})


def small_keys(known: Experiment) -> dict[str, object]:
    """Keys that make a template's book small."""
    if isinstance(known, Jacobian):
        return FEW_UNITS
    if isinstance(known, Propagation):
        return FEW_BLOCKS
    if isinstance(known, FiniteWidth):
        return FEW_NETWORKS
    if isinstance(known, PhaseDiagram):
        return SMALL_GRID
    if not isinstance(known, Trained):
        return {Correlation: FEW_PAIRS, TrainingInCells: FEW_PICTURES}.get(type(known), SMALL)
    keys = {**FEW_STEPS, "layers": [5] * min(len(known.layers), 3)}
    if isinstance(known.dropout, list):
        keys["dropout"] = [0.0] * (len(keys["layers"]) - 1) + [0.25]
    keys |= {"every": 1} if isinstance(known, TrainingGradients) else {}
    return keys | ({"scales": [1.0, 0.01]} if isinstance(known, BatchNormScales) else {})


def quick_run(name: str) -> Run:
    return small_run(name) if name in LARGE else run_of(name)


@pytest.fixture(scope="session")
def he_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_of("relu-he").to_excel(tmp_path_factory.mktemp("book") / "relu-he.xlsx")


@pytest.fixture
def small_book(tmp_path: Path) -> Path:
    return small_run().to_excel(tmp_path / "small.xlsx")


@pytest.fixture(name="sheetsim")
def command_line(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> object:
    """Calls the command line in a folder of its own: exit status, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sheetsim", *arguments])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capfd.readouterr()
        return int(stop.value.code or 0), out, err

    return call
