"""The figures of Glorot & Bengio: what the usual weights and normalized ones do to the first pass, and the book."""

from pathlib import Path

import numpy as np
import pytest

import sheetsim
from sheetsim.audit.verify import verify
from sheetsim.engine.evaluate import evaluate
from sheetsim.model.expr import matrix

FEW = {"samples": 100, "steps": 4, "every": 2, "batch": 20, "seeds": 2, "layers": [60] * 4}


def test_the_usual_weights_are_uniform_and_the_papers_are_wider() -> None:
    """1/√(3n) against √(2/(n_in + n_out)): of square layers √3 times as wide (eq. 1 and 16)."""
    study = sheetsim.GlorotFigures(**FEW)
    keys = dict(study.compared())
    sizes = matrix(64.0), matrix(64.0)
    spreads = [matrix(keys[name].start.sd(*sizes)) for name in ("standard", "normalized")]
    standard, normalized = (float(evaluate([node])[node][0, 0]) for node in spreads)
    assert np.isclose(standard, 1 / np.sqrt(3 * 64))
    assert np.isclose(normalized / standard, np.sqrt(3))
    assert keys["standard"].start.draws == keys["normalized"].start.draws


def test_gradients_shrink_back_through_the_usual_weights_and_not_through_normalized_ones() -> None:
    run = sheetsim.run(sheetsim.GlorotFigures(**FEW))
    table = run.table("first_pass")
    ratio = {name: table["back_ratio"][f"{name} 1"] for name in ("standard", "normalized")}
    # Near 0 tanh has a slope of 1: each layer back multiplies by √n·sd, that is 1/√3.
    assert 0.6 * 3 ** (-3 / 2) < ratio["standard"] < 1.4 * 3 ** (-3 / 2)
    assert 0.6 < ratio["normalized"] < 1.1
    assert table["std"]["standard 4"] < 0.5 * table["std"]["normalized 4"]
    counts = np.asarray(run["z_2_standard"])
    assert counts.shape == (2, 42)
    assert (counts.sum(axis=1) == 100 * 60).all()
    assert np.isclose(np.asarray(run["share_d_3_normalized"]).sum(), 1)
    # What is told of step 0 is the start's.
    activations = run.table("activations")
    first = activations[activations["step"] == 0]
    assert np.allclose(first["std_2"], [table["std"]["standard 2"], table["std"]["normalized 2"]])


@pytest.mark.slow
def test_its_book_verifies(tmp_path: Path) -> None:
    run = sheetsim.run(sheetsim.GlorotFigures(**{**FEW, "layers": [5] * 2}))
    assert verify(run.to_excel(tmp_path / "book.xlsx")).state == "as made"
