"""Searches: known optima are found, trials depend on no worker and no stop, mistakes are sentences."""

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lint import lint

import sheetsim
from sheetsim.audit.verify import verify
from sheetsim.engine.gaussian_process import GaussianProcess, Kernel, fitted
from sheetsim.errors import SheetsimError
from sheetsim.runs.search import search
from sheetsim.runs.search_methods import Goal, MethodOptions, acquired
from sheetsim.runs.search_plan import load_search, shipped_searches, until_of
from sheetsim.runs.search_space import space_of

TOML = """
title = "A small search"
template = "relu-he"
value = "2.var"
goal = {near = 1.0}
method = "bayes"
trials = 12
replicates = 2
seed = 3
set = {samples = 20, inputs = 6, layers = [5, 4]}
[space]
initializer = {from = 0.05, to = 2.0, scale = "log"}
samples = {from = 10, to = 30}
activation = ["relu", "tanh"]
"""
TOML = TOML.replace("samples = 20, ", "")


def branin(x: float, y: float) -> sheetsim.Model:
    """Least at three points, with 0.397887 (Dixon & Szegő 1978)."""
    model = sheetsim.Model("branin")
    u, v = model.input("u", x), model.input("v", y)
    bowl = (v - 5.1 / (4 * math.pi**2) * u**2 + 5 / math.pi * u - 6) ** 2
    model.define("f", bowl + 10 * (1 - 1 / (8 * math.pi)) * sheetsim.cos(u) + 10)
    return model


BRANIN: dict[str, Any] = {"x": {"from": -5, "to": 10}, "y": {"from": 0, "to": 15}}


def noisy(x: float) -> sheetsim.Model:
    """Greatest at 0.3, with 1; a trial is the mean of 20 numbers with noise of 0.05."""
    model = sheetsim.Model("noisy", seed=1)
    at, e = model.input("at", x), model.input("e", sheetsim.normal(), (20, 1))
    model.output("y", 1 - (at - 0.3) ** 2 + 0.05 * e)
    return model


def lists(result: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in result.trials().astype(object).where(lambda x: x.notna(), None).to_numpy()]


def test_the_process_is_that_of_scikit_learn() -> None:
    """Posterior, likelihood and its gradient."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    rng = np.random.default_rng(0)
    for n, lengths, height, noise in ((5, (0.4,), 1.0, 1e-6), (40, (0.3, 0.7, 2.5), 1.7, 0.02)):
        x, points = rng.random((n, len(lengths))), rng.random((30, len(lengths)))
        y = np.sin(5 * x[:, 0]) + 0.1 * rng.normal(size=n)
        of = ConstantKernel(height) * Matern(lengths, nu=2.5)
        theirs = GaussianProcessRegressor(of, alpha=noise, optimizer=None).fit(x, y)
        mean, deviation = theirs.predict(points, return_std=True)
        ours = GaussianProcess(Kernel(lengths, height, noise), x, y)
        np.testing.assert_allclose(ours.posterior(points)[0], mean, atol=1e-8, rtol=0)
        np.testing.assert_allclose(ours.posterior(points)[1], deviation, atol=1e-8, rtol=0)
        with_noise = GaussianProcessRegressor(of + WhiteKernel(noise), alpha=0, optimizer=None).fit(x, y)
        likelihood, slope = with_noise.log_marginal_likelihood(with_noise.kernel_.theta, eval_gradient=True)
        assert ours.log_likelihood() == pytest.approx(likelihood, abs=1e-8)
        # Theirs has the constant first.
        np.testing.assert_allclose(ours.slope(), np.r_[slope[1:-1], slope[0], slope[-1]], rtol=1e-7, atol=1e-7)


def test_the_fit_finds_what_scikit_learn_finds() -> None:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    rng = np.random.default_rng(1)
    x = rng.random((40, 2))
    y = np.sin(5 * x[:, 0]) + x[:, 1] + 0.1 * rng.normal(size=40)
    y = (y - y.mean()) / y.std()
    bounds = {"length_scale_bounds": (0.03, 10.0)}
    kernel = ConstantKernel(1.0, (0.05, 20)) * Matern((0.3, 0.3), nu=2.5, **bounds) + WhiteKernel(0.01, (1e-6, 1))
    theirs = GaussianProcessRegressor(kernel, alpha=0).fit(x, y).log_marginal_likelihood_value_
    found = fitted(x, y, [Kernel((0.3, 0.3))])
    assert GaussianProcess(found, x, y).log_likelihood() == pytest.approx(theirs, abs=1e-3)


@pytest.mark.parametrize("goal", [Goal("max"), Goal("min"), Goal("near", 0.4)], ids=str)
def test_expected_improvement_is_an_expectation(goal: Goal) -> None:
    """Over draws of the value: how much better its score is than the best, where it is."""
    mean, deviation, best = 0.1, 0.7, goal.score(0.6)
    values = mean + deviation * np.random.default_rng(0).normal(size=200_000)
    gains = np.maximum(0, [goal.score(value) - best for value in values])
    near = goal.near if goal.kind == "near" else 0.0
    found = acquired(np.array([mean]), np.array([deviation]), best, near, MethodOptions(9, 0, goal))[0]
    assert found == pytest.approx(gains.mean(), abs=5 * gains.std() / len(gains) ** 0.5)


def test_branins_least_value_is_found_and_by_bayes_nearer_than_at_random() -> None:
    found = {
        method: search(branin, BRANIN, value="f", goal="min", method=method, trials=40) for method in
        ("random", "sobol", "lhs", "grid", "bayes")
    }  # fmt: skip
    least = {method: result.records()[0]["value"] for method, result in found.items()}
    assert all(0.397887 <= value < 12 for value in least.values())
    assert least["bayes"] < 0.45
    assert least["bayes"] < least["random"]
    # Nothing is drawn: a trial is one run, and exact.
    assert all(row["low"] == row["value"] == row["high"] for row in found["bayes"].records())


def test_a_noisy_quadratic() -> None:
    space = {"x": {"from": 0.0, "to": 1.0}}
    found = search(noisy, space, value="y.mean", method="bayes", trials=16, replicates=5)
    assert abs(found.best["x"] - 0.3) < 0.1
    best = found.records()[0]
    assert best["low"] < best["value"] < best["high"]
    # Common random numbers: differences of trials are without noise, though values have it.
    values = found.frame().pivot_table(index="trial", columns="replicate", values="value")
    assert (values - values.mean(axis=1).to_numpy()[:, None]).std().max() < 1e-12
    assert values.std(axis=1).min() > 0.001


def test_a_conditional_space() -> None:
    def model(kind: str, a: float = 0.0, b: float = 0.0) -> sheetsim.Model:
        return noisy({"left": 0.9 - a, "right": 0.3 + b / 2}[kind])

    space = {
        "kind": ["left", "right"],
        "a": {"from": 0.0, "to": 0.3, "when": {"kind": "left"}},
        "b": {"from": 0.0, "to": 1.0, "when": {"kind": "right"}},
    }
    for method in ("random", "grid", "bayes"):
        found = search(model, space, value="y.mean", method=method, trials=15, replicates=2)
        for row in found.records():
            assert (row["a"] is None) == (row["kind"] == "right")
            assert (row["b"] is None) == (row["kind"] == "left")
    assert found.best["kind"] == "right"
    assert found.best["b"] < 0.1


def test_scales_whole_numbers_and_choices_are_drawn_evenly() -> None:
    space = space_of(
        {
            "rate": {"from": 1e-4, "to": 1, "scale": "log"},
            "batch": {"from": 1, "to": 4, "whole": True},
            "on": [True, 2],
        },
        (),
    )
    u = np.random.default_rng(0).random((4000, 3))
    points = [space.point(row) for row in u]
    assert {point["batch"] for point in points} == {1, 2, 3, 4}
    assert all(abs(sum(point["batch"] == k for point in points) - 1000) < 150 for k in (1, 2, 3, 4))
    assert sum(point["rate"] < 0.01 for point in points) == pytest.approx(2000, abs=150)
    assert all(space.point(space.coordinates(point)) == pytest.approx(point) for point in points[:50])


def test_a_space_that_is_tried_out_ends_the_search() -> None:
    for method in ("random", "sobol", "bayes", "grid"):
        found = search(noisy, {"x": [0.1, 0.3, 0.8]}, value="y.mean", method=method, trials=20, replicates=2)
        assert sorted(row["x"] for row in found.records()) == [0.1, 0.3, 0.8]
    assert "grid" in found.reason


def test_two_values_that_a_study_refuses_together_are_told_before_anything_runs() -> None:
    space = {"sampling": ["random", "antithetic"], "samples": {"from": 3, "to": 9, "whole": True}}
    keys = {"template": "relu-he", "value": "5.std", "space": space}
    with pytest.raises(SheetsimError, match=r"the point sampling = \"antithetic\", samples = 3: .*must be even"):
        sheetsim.search(keys)


def test_failed_trials_are_kept_shown_and_survived(tmp_path: Path) -> None:
    def model(x: float) -> sheetsim.Model:
        if 0.35 < x < 0.45:
            raise ValueError("no such model")
        made = noisy(x)
        made.output("root", sheetsim.sqrt(made["at"] - 0.2) + 0 * made["e"])
        return made

    found = search(model, {"x": {"from": 0.21, "to": 1}}, value="root.mean", method="bayes", trials=12, replicates=2)
    assert found.best["x"] > 0.9
    found = search(model, {"x": {"from": 0.0, "to": 1}}, value="root.mean", method="sobol", trials=32, replicates=2)
    records = found.records()
    failed = [row for row in records if row["status"] != "ok"]
    assert {row["status"] for row in failed} == {
        "refused: the function failed: ValueError: no such model",
        "no number in 2 of 2 replicates",
    }
    assert records[-len(failed) :] == failed
    book = found.to_excel(tmp_path / "book.xlsx")
    assert lint(book) == []
    assert verify(book).ok


def test_the_command_prints_trials_best_first_and_takes_up_again(sheetsim, tmp_path: Path) -> None:
    Path("mine.toml").write_text(TOML)
    status, out, err = sheetsim("search", "mine.toml", "--format", "json")
    assert (status, err) == (0, "mine: 12 trials → outputs/mine/mine.parquet, outputs/mine/mine.xlsx\n")
    records = json.loads(out)
    assert list(records[0]) == ["trial", "value", "low", "high", "status", "initializer", "samples", "activation"]
    away = [abs(row["value"] - 1) for row in records]
    assert away == sorted(away)
    assert away[0] < 0.5
    folder = Path("outputs/mine")
    first = {path.name: path.read_bytes() for path in folder.glob("mine.*")}
    assert sorted(first) == ["mine.parquet", "mine.xlsx"]
    assert len(pd.read_parquet(folder / "mine.parquet")) == 12 * 2
    assert lint(folder / "mine.xlsx") == []
    assert verify(folder / "mine.xlsx").ok
    # What is there is not run again, what is missing or damaged is.
    parts = sorted((folder / "parts").iterdir())
    assert len(parts) == 12
    parts[0].unlink()
    parts[1].write_bytes(b"half")
    kept = {path: path.stat().st_mtime_ns for path in parts[2:]}
    assert sheetsim("search", "mine.toml", "--format", "json")[1] == out
    assert {path.name: path.read_bytes() for path in folder.glob("mine.*")} == first
    assert {path: path.stat().st_mtime_ns for path in parts[2:]} == kept
    assert len(sorted((folder / "parts").iterdir())) == 12


def test_on_a_terminal_progress_shows_the_best_so_far(sheetsim, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mine.toml").write_text(TOML.replace("trials = 12", "trials = 3"))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    err = sheetsim("search", "mine.toml")[2]
    values = pd.read_parquet("outputs/mine/mine.parquet").groupby("trial")["value"].mean()
    for done in (1, 2, 3):
        best = min(values[:done], key=lambda value: abs(value - 1))
        assert f"mine: trial {done} of 3, best so far {best:.4g}" in err


def test_shipped_searches_are_sound(sheetsim) -> None:
    assert {"digits-rate", "edge-of-chaos", "search-methods"} <= set(shipped_searches())
    for name in shipped_searches():
        plan = load_search(name)
        assert plan.title
        assert sheetsim("show", name)[1].startswith("# ")
        assert len(list(plan.space.ends())) >= 2


def test_workers_change_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(TOML.replace("trials = 12", "trials = 10"))
    one = search(tmp_path / "mine.toml").to_excel(tmp_path / "one.xlsx")
    two = search(tmp_path / "mine.toml", workers=2).to_excel(tmp_path / "two.xlsx")
    assert one.read_bytes() == two.read_bytes()


def test_until_a_value_a_number_of_trials_or_a_time() -> None:
    space = {"x": {"from": 0.0, "to": 1.0}}
    kept: dict[str, Any] = {"value": "y.mean", "method": "random", "trials": 50, "replicates": 2}
    every = search(noisy, space, **kept)
    by_number = sorted(every.records(), key=lambda row: row["trial"])
    assert sorted(row["trial"] for row in search(noisy, space, until="7 trials", **kept).records()) == [*range(1, 8)]
    reached = next(row["trial"] for row in by_number if row["value"] >= 0.98)
    stopped = search(noisy, space, until=0.98, **kept)
    assert len(stopped.records()) == reached
    assert "as good as 0.98" in stopped.reason
    assert len(search(noisy, space, until="0.000001 s", **kept).records()) <= 1
    assert until_of("10 min").seconds == 600


def test_methods_side_by_side_over_repeats(tmp_path: Path) -> None:
    told: list[tuple[int, int, float]] = []
    found = search(
        noisy, {"x": {"from": 0.0, "to": 1.0}}, value="y.mean", method=["grid", "random", "bayes"], repeats=3, trials=7,
        replicates=2, progress=lambda *now: told.append(now),
    )  # fmt: skip
    assert told[-1][:2] == (63, 63)
    assert told[-1][2] == found.records()[0]["value"]
    best = found.best_so_far()
    assert len(best) == 63
    assert best.groupby(["method", "repeat"])["best"].is_monotonic_increasing.all()
    book = found.to_excel(tmp_path / "book.xlsx")
    assert lint(book) == []
    assert verify(book).ok
    assert lint(found.to_excel(tmp_path / "values.xlsx", values_only=True)) == []


def test_importance_finds_what_matters() -> None:
    def model(x: float, idle: float, kind: str) -> sheetsim.Model:
        return noisy(0.3 + x + (0.1 if kind == "b" else 0.0) + 0 * idle)

    space = {"x": {"from": 0.0, "to": 1.0}, "idle": {"from": 0.0, "to": 1.0}, "kind": ["a", "b"]}
    found = search(model, space, value="y.mean", method="sobol", trials=48, replicates=2).importance()
    assert found.rank_correlation["x"] < -0.9
    assert abs(found.rank_correlation["idle"]) < 0.3
    assert found.first_order["x"] > 0.8 > 0.1 > found.first_order["idle"]


def changed(old: str, new: str) -> str:
    assert old in TOML
    return TOML.replace(old, new)


SPACE = "[space]\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (TOML[: TOML.index("[space]")], "missing required field `space`"),
        (TOML[: TOML.index("initializer")], "space has no key"),
        (changed("from = 0.05, to = 2.0", "from = 2.0, to = 0.05"), "space.initializer: `from` must be below `to`"),
        (changed("from = 0.05", "from = 0"), "space.initializer: a log scale needs `from` above 0, not 0"),
        (changed("to = 2.0", "to = inf"), "space.initializer: `from` and `to` must be finite numbers"),
        (changed('"log"', '"ln"'), "space.initializer: scale must be linear or log, not 'ln'"),
        (changed("to = 2.0", "upto = 2.0"), "space.initializer: unknown key 'upto'"),
        (changed('["relu", "tanh"]', "[]"), "space.activation: lists no value"),
        (changed('["relu", "tanh"]', '["relu", "relu"]'), 'space.activation: has "relu" twice'),
        (changed('["relu", "tanh"]', '"relu"'), "space.activation: must be a range"),
        (changed('["relu", "tanh"]', "[1.0, inf]"), "space.activation: has inf, which is not a finite number"),
        (changed('["relu", "tanh"]', '["relu", "tan"]'), "activation must be one of"),
        (changed("from = 10, to = 30", "from = 10.2, to = 10.8"), "there is no whole number from 10.2 to 10.8"),
        (changed("from = 10, to = 30", "from = 0, to = 30"), "the point initializer"),
        (changed("samples =", "sampels ="), "unknown key 'sampels' (did you mean 'samples'?)"),
        (TOML + "seed = [1, 2]", "space.seed: it cannot vary"),
        (TOML + "inputs = [2, 3]", "inputs is both in set and in space"),
        (TOML + 'draws = {from = 1, to = 2, when = {kind = "a"}}', "when: kind is not another key of space"),
        (TOML + "bias = {from = 1, to = 2, when = {samples = 3}}", "when: samples has a range"),
        (TOML + 'bias = {from = 1, to = 2, when = {activation = "elu"}}', 'when: activation is never "elu"'),
        (changed('"2.var"', '"2.variance"'), "value: there is no number '2.variance'"),
        (changed('"2.var"', '"var"'), "var has a number for each of several rows, 1, 2: name one, such as 2.var"),
        (changed("{near = 1.0}", '"most"'), "goal must be max or min, not 'most'"),
        (changed("{near = 1.0}", "{near = 1.0, far = 2}"), "goal must be"),
        (changed('"bayes"', '"bayesian"'), "method must be one of grid, random, sobol, lhs, bayes, halving"),
        (changed('"bayes"', '"halving"'), "halving needs a study of training"),
        (changed('"bayes"', '["random", "random"]'), "method lists one method twice"),
        (changed("trials = 12", "trials = 3000"), "bayes has 2,000 trials at most, not 3,000"),
        (changed("trials = 12", "trials = 0"), "trials must be a whole number from 1 to 10,000, not 0"),
        (changed("trials = 12", "trails = 12"), "unknown key 'trails' (did you mean 'trials'?)"),
        (changed("seed = 3", 'until = "soon"'), "until soon: write a value (0.95), a number of trials"),
        (changed("seed = 3", 'acquisition = "pi"'), "acquisition must be ei or ucb, not 'pi'"),
        (changed('"relu-he"', '"relu-hee"'), "unknown template 'relu-hee' (did you mean 'relu-he'?)"),
        ("a = = b", "is not TOML"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence_before_anything_runs(sheetsim, tmp_path: Path, text: str, sentence: str) -> None:
    Path("mine.toml").write_text(text)
    status, out, err = sheetsim("search", "mine.toml")
    assert (status, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


def test_mistakes_on_the_command_line_and_from_python(sheetsim, tmp_path: Path) -> None:
    assert "nor a shipped search" in sheetsim("search", "nothing")[2]
    Path("mine.toml").write_text(TOML)
    assert "name a folder" in sheetsim("search", "mine.toml", "--output", "a.xlsx")[2]
    assert "until 5 days" in sheetsim("search", "mine.toml", "--until", "5 days")[2]
    with pytest.raises(SheetsimError, match="needs a space"):
        search(noisy)
    with pytest.raises(SheetsimError, match="value: name the number"):
        search(noisy, {"x": [1, 2]})
    with pytest.raises(SheetsimError, match="workers must be a whole number of at least 1"):
        search(noisy, {"x": [1, 2]}, value="y.mean", workers=0)
    with pytest.raises(SheetsimError, match="which is neither a model nor a study"):
        search(lambda x: x, {"x": [1, 2]}, value="y.mean")


def test_halving_spends_more_on_fewer() -> None:
    found = search({
        "template": "training", "value": "final.test_accuracy", "method": "halving", "trials": 3, "replicates": 1,
        "least": 3,
        "set": {"networks": [], "seeds": 1, "steps": 27, "layers": [8], "samples": 100, "every": 27},
        "space": {"rate": {"from": 1e-4, "to": 1.0, "scale": "log"}},
    })  # fmt: skip
    trials = found.trials().sort_values("trial")
    assert trials["steps"].tolist() == [3] * 9 + [9] * 3 + [27]
    rates = trials.groupby("steps")["rate"].apply(set)
    assert rates[27] < rates[9] < rates[3]
    best_of_first = trials[trials.steps == 3].nlargest(3, "value")["rate"]
    assert set(best_of_first) == rates[9]
    assert found.records()[0]["steps"] == 27


@pytest.mark.slow
def test_a_search_that_is_killed_at_any_moment_ends_with_the_same_bytes(tmp_path: Path) -> None:
    text = TOML.replace("trials = 12", "trials = 24").replace('"relu-he"', '"relu-he"')
    text = text.replace("{from = 10, to = 30}", "{from = 4000, to = 9000}").replace("inputs = 6", "inputs = 60")
    (tmp_path / "mine.toml").write_text(text)
    whole = search(tmp_path / "mine.toml").to_excel(tmp_path / "whole.xlsx").read_bytes()
    command = [sys.executable, "-m", "sheetsim", "search", "mine.toml", "--output", "out", "--workers", "2"]
    rng = random.Random(0)
    killed = 0
    for _ in range(20):
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(rng.uniform(0.5, 4.0))
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
                killed += 1
    assert killed > 0
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    again = search(tmp_path / "mine.toml", folder=tmp_path / "out" / "parts").to_excel(tmp_path / "again.xlsx")
    assert again.read_bytes() == whole
    said = (tmp_path / "out" / "mine.parquet").read_bytes()
    assert said == search(tmp_path / "mine.toml").to_parquet(tmp_path / "whole.parquet").read_bytes()


@pytest.mark.slow
def test_dask_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(TOML)
    one = search(tmp_path / "mine.toml").to_parquet(tmp_path / "one.parquet")
    two = search(tmp_path / "mine.toml", workers=2, scheduler="local").to_parquet(tmp_path / "two.parquet")
    assert one.read_bytes() == two.read_bytes()
