"""Runs and books that several tests look at, made once a process."""

from functools import cache
from pathlib import Path

import pytest

import sheetsim
from sheetsim import templates
from sheetsim.report import Run

SMALL = {"samples": 40, "inputs": 7, "layers": [6, 8, 5], "histogram": {"bins": 12}}

# Templates whose full-size books every run of the tests makes; those of gradient flow have 3.5 million cells each.
QUICK = [name for name in templates.names() if not name.startswith("gradient-flow-")]


@cache
def run_of(name: str) -> Run:
    return sheetsim.run(name)


def small_run(name: str = "relu-he", **overrides: object) -> Run:
    return sheetsim.run(name, **{**SMALL, **overrides})


@pytest.fixture(scope="session")
def he_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_of("relu-he").to_excel(tmp_path_factory.mktemp("book") / "relu-he.xlsx")


@pytest.fixture
def small_book(tmp_path: Path) -> Path:
    return small_run().to_excel(tmp_path / "small.xlsx")
