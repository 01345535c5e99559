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
from sheetsim.studies.study import Experiment
from sheetsim.studies.training.gradients import TrainingGradients
from sheetsim.studies.training.scales import BatchNormScales
from sheetsim.studies.training.study import Trained

# The same examples at each run: a test that fails does so again.
settings.register_profile("fixed", derandomize=True)
settings.load_profile("fixed")

SMALL = {"samples": 40, "inputs": 7, "layers": [6, 8, 5], "histogram": {"bins": 12}}

# By study the keys that make its book small; those of training follow from the template, see `small_keys`.
FEW: dict[str, dict[str, Any]] = {
    "bayesian-search": {"steps": 2, "grid": 9},
    "correlation": {"pairs": 8, "units": 10, "layers": 3},
    "finite-width": {"networks": 12, "inputs": 9, "layers": [9, 8, 9], "bins": 4},
    "forward": SMALL,
    "gradient-flow": SMALL,
    "jacobian": {"units": 6, "layers": 3, "bins": 4},
    "optimizers": {"steps": 4, "contours": 5},
    "phase-diagram": {"steps": 3, "points": [[1.0, 0.1]], "pairs": 2, "units": 6, "layers": 2},
    "propagation": {"samples": 8, "units": 7, "layers": 3},
    "rnn-gradients": {"samples": 3, "units": 4, "steps": 4},
    "symmetry": {"samples": 4, "steps": 3},
    "training-in-cells": {"pictures": 8, "steps": 4},
}
# Books of these templates are small as they are.
SMALL_AS_THEY_ARE = ("bayesian-search", "optimizers", "rnn-gradients", "symmetry")

# What is printed is in the language of the locale: that of the tests, and not of the machine.
os.environ["LC_ALL"] = "C.UTF-8"

FEW_STEPS = {"data": "iris", "samples": 60, "batch": 20, "steps": 12, "every": 4, "seeds": 2}

# Templates with large books, which are small in a plain run of the tests, and full with -m slow.
EXPERIMENTS = {name: templates.load(name).experiment for name in templates.names()}
LARGE = [name for name, experiment in EXPERIMENTS.items() if experiment.study not in SMALL_AS_THEY_ARE]

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
    if not isinstance(known, Trained):
        assert known.study in FEW, f"tests/conftest.py: FEW has no keys that make a book of {known.study} small"
        return FEW[known.study]
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
