"""The study of optimisers against plain NumPy loops, and its book."""

from pathlib import Path
from typing import Any

import ironcalc
import numpy as np
import pytest
from engines import differences, ironcalc_cells, poison
from lint import lint

import sheetsim
from sheetsim.experiments.optimizers import RULES, optimizers
from sheetsim.report import Run


def paths(rate_sgd: float = 0.95, start: tuple[float, float] = (-7.0, 2.0)) -> dict[str, Any]:
    """By hand, gradients too, as text books have it."""
    found = {}
    for name in RULES:
        p, m, v = np.array(start), np.zeros(2), np.zeros(2)
        path = [p]
        for t in range(1, 31):
            g = p * [0.1, 2.0]
            if name == "sgd":
                p = p - rate_sgd * g
            elif name == "momentum":
                v = 0.9 * v - 0.1 * g
                p = p + v
            elif name == "adagrad":
                v = v + g * g
                p = p - 1.5 * g / (np.sqrt(v) + 1e-8)
            elif name == "rmsprop":
                v = 0.9 * v + 0.1 * g * g
                p = p - 0.3 * g / (np.sqrt(v) + 1e-8)
            else:
                m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
                p = p - 0.3 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
            path.append(p)
        found[name] = np.array(path)
    return found


@pytest.fixture(scope="module")
def run() -> Run:
    return Run(optimizers(), "optimizers", "")


def test_each_path_is_that_of_a_plain_loop(run: Run) -> None:
    for name, path in paths().items():
        frame = run.frame(f"p_{name}")
        assert (list(frame.columns), frame.index[0], len(frame)) == (["x", "y"], 0, 31)
        np.testing.assert_allclose(frame, path, rtol=1e-11, atol=1e-12, err_msg=name)
        np.testing.assert_allclose(run[f"f_{name}"][:, 0], path**2 @ [0.05, 1.0], rtol=1e-10, atol=1e-12)
        assert run[f"f_{name}"][-1] < 0.1 * run[f"f_{name}"][0]


def test_the_book_is_sound_and_ironcalc_agrees_from_poisoned_caches(run: Run, tmp_path: Path) -> None:
    book, poisoned = run.to_excel(tmp_path / "book.xlsx"), tmp_path / "poisoned.xlsx"
    assert lint(book) == []
    poison(book, poisoned)
    assert differences(run, ironcalc_cells(poisoned), 1e-11) == []
    with sheetsim.read(book) as read:
        for name in ("p_adam", "g_adam", "v_adam", "f_sgd"):
            np.testing.assert_array_equal(read.frame(name), run.frame(name))
            assert read.frame(name).index.tolist() == run.frame(name).index.tolist()
            assert read.frame(name).columns.tolist() == run.frame(name).columns.tolist()


def test_a_changed_rate_moves_the_path(run: Run, tmp_path: Path) -> None:
    path = run.to_excel(tmp_path / "book.xlsx")
    book = ironcalc.load_from_xlsx(str(path), "en", "UTC", "en")
    with sheetsim.read(path) as read:
        _, row, column, *_ = read._reader.place("rate_sgd")
        _, top, left, bottom, right = read._reader.place("p_sgd")
    book.set_user_input(0, row, column, "0.5")
    book.evaluate()
    found = [[book.get_cell_value(1, r, c) for c in range(left, right + 1)] for r in range(top, bottom + 1)]
    np.testing.assert_allclose(found, paths(rate_sgd=0.5)["sgd"], rtol=1e-10, atol=1e-12)


def test_what_the_study_does_not_know_is_refused() -> None:
    with pytest.raises(sheetsim.SheetsimError, match="no parameter 'rate'"):
        optimizers(cells={"rate": 1.0})
    with pytest.raises(sheetsim.SheetsimError, match="start: the values are 1×3"):
        optimizers(start=(1.0, 2.0, 3.0))


def test_any_differentiable_function_can_be_put_in() -> None:
    study = optimizers(lambda x, y: (1 - x) ** 2 + sheetsim.exp(y) - y, start=(0.0, 1.0), cells={"rate_sgd": 0.1})
    run = Run(study, "optimizers", "")
    p = np.array([0.0, 1.0])
    for _ in range(30):
        p = p - 0.1 * np.array([2 * (p[0] - 1), np.exp(p[1]) - 1])
    np.testing.assert_allclose(run["p_sgd"][-1], p, rtol=1e-10)
