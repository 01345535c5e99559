"""Spectral radius and largest singular value as formulas: against LAPACK's, and where eigenvalues are hard."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engines import SOFFICE, differences, ironcalc_cells, libreoffice_cells, poison

import sheetsim
from sheetsim.runs.run import Run
from sheetsim.studies.rnn_gradients.spectrum import largest_singular_value, spectral_radius


def measured(A: Any) -> Run:
    model = sheetsim.Model()
    W = model.input("W", A)
    model.define("rho", spectral_radius(model, W, "W").value + 0)
    model.define("sigma", largest_singular_value(model, W, "WtW")[0])
    return model.run()


def gaussian(n: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal((n, n))


def rotation(angle: float) -> Any:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


JORDAN = 0.9 * np.eye(4) + np.diag(np.ones(3), 1)
NILPOTENT = np.triu(gaussian(5), 1)
HARD = {
    "complex pair": 1.3 * rotation(1.0),
    "opposite": np.diag([2.0, -2.0, 1.0]),
    "symmetric": gaussian(6) + gaussian(6).T,
    "orthogonal": np.linalg.qr(gaussian(7))[0],
    "far from normal": np.array([[0.5, 1e6], [0.0, 0.4]]),
    "negative": -np.ones((3, 3)),
    "huge": gaussian(4) * 1e250,
    "tiny": gaussian(4) * 1e-250,
    "one cell": np.array([[-3.0]]),
}


@pytest.mark.parametrize("n", [1, 2, 3, 5, 10, 40, 100])
@pytest.mark.parametrize("seed", range(3))
def test_random_matrices_of_many_sizes(n: int, seed: int) -> None:
    A = gaussian(n, seed)
    run = measured(A)
    np.testing.assert_allclose(run["rho"], np.abs(np.linalg.eigvals(A)).max(), rtol=1e-9)
    np.testing.assert_allclose(run["sigma"], np.linalg.norm(A, 2), rtol=1e-12)


@pytest.mark.parametrize("name", HARD)
def test_hard_matrices(name: str) -> None:
    run, A = measured(HARD[name]), HARD[name]
    np.testing.assert_allclose(run["rho"], np.abs(np.linalg.eigvals(A)).max(), rtol=1e-9)
    np.testing.assert_allclose(run["sigma"], np.linalg.svd(A)[1][0], rtol=1e-12)


def test_a_defective_matrix_has_its_own_radius() -> None:
    np.testing.assert_allclose(measured(JORDAN)["rho"], 0.9, rtol=1e-5)
    np.testing.assert_allclose(measured([[1.0, 1.0], [0.0, 1.0]])["rho"], 1.0, rtol=1e-5)
    # In another basis the eigenvalue of a power drowns in the last digits of much larger powers.
    A = np.linalg.solve(gaussian(4, 1), JORDAN @ gaussian(4, 1))
    np.testing.assert_allclose(measured(A)["rho"], 0.9, rtol=0.01)


def test_nothing_is_left_of_nilpotent_and_zero_matrices() -> None:
    for A in (NILPOTENT, np.zeros((3, 3))):
        run = measured(A)
        assert run["rho"] == 0
        np.testing.assert_allclose(run["sigma"], np.linalg.norm(A, 2), rtol=1e-12)
        assert np.isfinite(run["powers_W"]).all()


def test_a_larger_entry_is_a_larger_radius() -> None:
    """The control: what is measured follows the matrix."""
    A = gaussian(3)
    assert abs(measured(A)["rho"] / measured(1.001 * A)["rho"] - 1) > 5e-4


def poisoned(run: Run, folder: Path) -> Path:
    book = run.to_excel(folder / f"{len(list(folder.iterdir()))}.xlsx")
    target = book.with_suffix(".poisoned.xlsx")
    assert poison(book, target) > 0
    return target


EVERY = {**HARD, "random": gaussian(8), "jordan": JORDAN, "nilpotent": NILPOTENT, "zero": np.zeros((2, 2))}


@pytest.mark.parametrize("name", EVERY)
def test_ironcalc_agrees(name: str, tmp_path: Path) -> None:
    run = measured(EVERY[name])
    assert differences(run, ironcalc_cells(poisoned(run, tmp_path)), 1e-9) == []


@pytest.mark.skipif(SOFFICE is None, reason="soffice is not installed")
@pytest.mark.slow
@pytest.mark.parametrize("every", [1])
def test_libreoffice_agrees(every: int, tmp_path: Path) -> None:
    runs = {name: measured(A) for name, A in list(EVERY.items())[::every]}
    found = libreoffice_cells([poisoned(run, tmp_path) for run in runs.values()])
    wrong = {name: differences(run, cells, 1e-9) for (name, run), cells in zip(runs.items(), found, strict=True)}
    assert {name: lines for name, lines in wrong.items() if lines} == {}
