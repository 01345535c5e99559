"""The Bayesian search in cells: its process is scikit-learn's, cells follow κ, and κ decides what it finds."""

from pathlib import Path
from typing import Any

import ironcalc
import numpy as np
import pytest
from engines import differences, ironcalc_cells, poison
from lint import lint
from scipy.special import ndtr
from scipy.stats import norm

import sheetsim
from sheetsim.engine.evaluate import evaluate
from sheetsim.errors import SheetsimError
from sheetsim.studies.bayesian_search.process import normal_share


def small(**keys: Any) -> Any:
    return sheetsim.run("bayesian-search", **{"grid": 21, "steps": 3, **keys})


@pytest.mark.parametrize("keys", [{}, {"length": 1.3, "noise": 0.1, "acquisition": "ei", "noise_std": 0.1}], ids=str)
def test_every_step_is_scikit_learns_process(keys: dict[str, Any]) -> None:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern

    run = sheetsim.run("bayesian-search", **keys)
    length, signal, noise = (run[name] for name in ("length", "signal", "noise"))
    grid = run["grid"]
    for t in range(1, 9):
        count = t + 2
        x, y = run[f"X_{t}"][:count], run[f"Y_{t}"][:count, 0]
        kernel = ConstantKernel(signal**2) * Matern(length, nu=2.5)
        theirs = GaussianProcessRegressor(kernel, alpha=noise**2, optimizer=None).fit(x, y - y.mean())
        mean, deviation = theirs.predict(grid, return_std=True)
        np.testing.assert_allclose(run[f"mean_{t}"][:, 0], mean + y.mean(), atol=1e-8, rtol=0)
        np.testing.assert_allclose(run[f"deviation_{t}"][:, 0], deviation, atol=1e-8, rtol=0)
        gain, sd = mean + y.mean() - y.max(), deviation
        improvement = gain * norm.cdf(gain / sd) + sd * norm.pdf(gain / sd)
        np.testing.assert_allclose(run[f"ei_{t}"][:, 0], improvement, atol=1e-8, rtol=0)
        chosen = run[f"{'ei' if keys else 'ucb'}_{t}"]
        assert run[f"next_{t}"] == grid[np.flatnonzero(chosen > chosen.max() - 1e-8 * np.ptp(chosen))[0]]


def test_the_normal_distribution_function_has_all_its_digits() -> None:
    z = np.concatenate([np.linspace(-40, 40, 4001), [0.0]]).reshape(-1, 1)
    share = normal_share(sheetsim.Model().input("z", z))
    np.testing.assert_allclose(evaluate([share])[share], ndtr(z), atol=1e-15, rtol=1e-11)
    far = np.abs(z) > 39
    assert np.isin(evaluate([share])[share][far], (0, 1)).all()


def test_what_exploits_stays_on_the_lower_hill_and_what_explores_finds_the_higher_one() -> None:
    best = {kappa: sheetsim.run("bayesian-search", kappa=kappa).table("steps")["best"].iloc[-1] for kappa in (0.3, 2)}
    assert best[0.3] < 0.61
    assert best[2] > 0.95
    words = sheetsim.run("bayesian-search", kappa=0.3).verdicts()
    assert set(words) == {"exploits", "again"}


def test_ironcalc_follows_kappa_and_the_drop_down(tmp_path: Path) -> None:
    run = small()
    path = run.to_excel(tmp_path / "book.xlsx")
    assert lint(path) == []
    poison(path, tmp_path / "other.xlsx", {"chosen": "ei"})
    assert differences(small(acquisition="ei"), ironcalc_cells(tmp_path / "other.xlsx"), 1e-11) == []
    book = ironcalc.load_from_xlsx(str(path), "en", "UTC", "en")
    titles = [sheet.title for sheet in run._layout.sheets]
    place = run._layout.places[run._study.graph["kappa"]]
    book.set_user_input(titles.index(place.sheet), place.row + 1, place.column + 1, "0")
    book.evaluate()
    other = small(kappa=0.0)
    for t in range(1, 4):
        place = run._layout.places[run._study.graph[f"next_{t}"]]
        value = book.get_cell_value(titles.index(place.sheet), place.row + 1, place.column + 1)
        assert value == pytest.approx(other[f"next_{t}"], abs=1e-12)


def test_a_typed_point_is_one_more_step(tmp_path: Path) -> None:
    given = [[-3.0, 0.5], [-1.0, 0.8]]
    run = small(points=given)
    path = run.to_excel(tmp_path / "book.xlsx")
    assert lint(path) == []
    book = ironcalc.load_from_xlsx(str(path), "en", "UTC", "en")
    titles = [sheet.title for sheet in run._layout.sheets]
    for name, row, value in (("X_1", 3, -1.6), ("Y_1", 3, 0.9), ("count", 1, 3)):
        place = run._layout.places[run._study.graph[name]]
        book.set_user_input(titles.index(place.sheet), place.row + row, place.column + 1, str(value))
    book.evaluate()
    other = small(points=[*given, [-1.6, 0.9]])
    place = run._layout.places[run._study.graph["next_1"]]
    value = book.get_cell_value(titles.index(place.sheet), place.row + 1, place.column + 1)
    assert value == pytest.approx(other["next_1"], abs=1e-12)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"f": "x + y"}, "f must be a function of x alone"),
        ({"f": "3"}, "f does not depend on x"),
        ({"f": "log(x)"}, "f is not finite everywhere between low and high"),
        ({"low": 1.0}, "low must be below high"),
        ({"grid": 4}, "grid must be 5 to 201"),
        ({"steps": 21}, "steps must be 1 to 20"),
        ({"length": 0.0}, "length must be a number from 1e-06"),
        ({"noise": 1e-5}, "noise must be at least a thousandth of signal"),
        ({"acquisition": "pi"}, "acquisition must be ucb or ei"),
        ({"points": [[1.0, 1.0]]}, "x = 1 is not between low and high"),
        ({"points": [[-1.0, 1.0]] * 26}, "26 are given, but at most 25 are allowed"),
    ],
)
def test_a_mistake_is_one_sentence(keys: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SheetsimError, match=sentence):
        sheetsim.run("bayesian-search", **keys)
