"""The model language: names, draws and their streams, and what the engine computes."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sheetsim
from sheetsim.engine.evaluate import evaluate
from sheetsim.model import draws, expr, initializers
from sheetsim.model.distributions import distribution, normal
from sheetsim.model.expr import choose, exp, relu, total


def test_the_example_of_the_documentation_runs() -> None:
    model = sheetsim.Model(seed=0)
    x = model.input("x", sheetsim.normal(), (1000, 100))
    W = model.weights("W_1", sheetsim.he(), (100, 100))
    a = model.define("a_1", x @ W)
    model.define("z_1", sheetsim.relu(a))
    run = model.run()
    np.testing.assert_array_equal(run["z_1"], np.maximum(run["x"] @ run["W_1"], 0))
    np.testing.assert_array_equal(run["W_1"], np.sqrt(2 / 100) * run["e_1"])


def test_adding_a_matrix_leaves_the_other_draws_alone() -> None:
    first, second = sheetsim.Model(seed=3), sheetsim.Model(seed=3)
    second.input("new", normal(), (4, 4))
    for model in (first, second):
        model.input("x", normal(), (5, 2))
    np.testing.assert_array_equal(first.run()["x"], second.run()["x"])


def test_scenarios_that_share_a_seed_share_their_draws_and_other_seeds_do_not() -> None:
    he, xavier = (sheetsim.run(name, samples=20, layers=[10]) for name in ("relu-he", "relu-xavier"))
    np.testing.assert_array_equal(he["e_1"], xavier["e_1"])
    other = sheetsim.run("relu-he", samples=20, layers=[10], seed=1)
    assert not np.array_equal(he["e_1"], other["e_1"])


def test_draws_of_different_matrices_are_uncorrelated() -> None:
    model = sheetsim.Model()
    model.input("e_1", normal(), (1000, 100))
    model.input("e_2", normal(), (1000, 100))
    run = model.run()
    r = np.corrcoef(run["e_1"].ravel(), run["e_2"].ravel())[0, 1]
    assert abs(r) < 4 / np.sqrt(100_000)  # four standard errors


@pytest.mark.parametrize(
    ("name", "parameters", "mean", "var"),
    [
        ("normal", {"mean": 2, "std": 3}, 2, 9),
        ("uniform", {"low": -1, "high": 3}, 1, 16 / 12),
        ("lognormal", {"std": 0.5}, np.exp(0.125), (np.exp(0.25) - 1) * np.exp(0.25)),
        ("student_t", {"df": 10}, 0, 10 / 8),
        ("bernoulli", {"p": 0.3}, 0.3, 0.21),
        ("ones", {}, 1, 0),
    ],
)
def test_distributions_have_their_moments(name: str, parameters: dict[str, float], mean: float, var: float) -> None:
    model = sheetsim.Model(seed=5)
    n = 200_000
    model.input("x", distribution(name, **parameters), (n, 1))
    x = model.run()["x"]
    assert abs(x.mean() - mean) <= 4 * np.sqrt(var / n)
    fourth = np.mean((x - x.mean()) ** 4)
    assert abs(x.var() - var) <= 4 * np.sqrt(max(fourth - var**2, 0) / n) + 1e-12


@pytest.mark.parametrize(
    ("name", "parameters", "sentence"),
    [
        ("gauss", {}, "unknown distribution 'gauss': choose one of normal"),
        ("normal", {"sigma": 1}, "no parameter 'sigma'"),
        ("normal", {"std": -1}, "std must be 0 or more"),
        ("uniform", {"low": 1, "high": 1}, "low must be less than high"),
        ("bernoulli", {"p": 2}, "between 0 and 1"),
    ],
)
def test_a_wrong_distribution_is_refused(name: str, parameters: dict[str, float], sentence: str) -> None:
    with pytest.raises(sheetsim.SheetsimError, match=sentence):
        distribution(name, **parameters)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda m: m.input("2x", [[1]]), "is not a valid name"),
        (lambda m: m.input("a b", [[1]]), "is not a valid name"),
        (lambda m: (m.input("x", [[1]]), m.input("X", [[1]])), "is already taken"),
        (lambda m: m.input("x", [[1, float("nan")]]), "row 1, column 2 is nan"),
        (lambda m: m.input("x", [["a"]]), "not a table of numbers"),
        (lambda m: m.input("x", np.zeros((2, 2, 2))), "two dimensions"),
        (lambda m: m.input("x", normal()), "need a shape"),
        (lambda m: m.input("x", normal(), (0, 3)), "need a shape"),
        (lambda m: m.define("y", m.input("x", [[1]])), "already has the name 'x'"),
        (lambda m: m.choice("c", ["a", "b"], "z"), "'z' is not one of a, b"),
        (lambda m: m.input("x", [[1]], what=3), "x: what must be text, not 3"),
        (lambda m: m.series({"s": [[1]]}, step=dict, steps=1, what="steps"), "give a mapping of their names"),
        (lambda m: m.series({"s": [[1]]}, step=lambda s, t: s, steps=1, what={"t": "time"}), "what: no series 't'"),
        (lambda m: m["nothing"], "no matrix 'nothing'"),
        (lambda m: choose(m.choice("c", ["a", "b"], "a"), {"a": 1}), "give a branch for each"),
    ],
)
def test_a_wrong_model_is_refused_with_the_reason(make: object, sentence: str) -> None:
    with pytest.raises(sheetsim.SheetsimError, match=sentence):
        make(sheetsim.Model())  # type: ignore[operator]


@pytest.mark.parametrize("seed", [-1, 1.5, True, "1"])
def test_a_seed_is_a_whole_number_from_0(seed: object) -> None:
    with pytest.raises(sheetsim.SheetsimError, match="seed must be"):
        sheetsim.Model(seed=seed)  # type: ignore[arg-type]


def test_only_the_chosen_branch_is_computed() -> None:
    model = sheetsim.Model()
    x = model.input("x", [[1.0]])
    mode = model.choice("mode", ["cheap", "dear"], "cheap")
    dear = exp(x)
    z = model.define("z", choose(mode, {"cheap": x * 2, "dear": dear}))
    assert evaluate([z])[z].tolist() == [[2.0]]
    assert dear not in evaluate([z])


def test_a_very_deep_graph_is_computed_without_recursion() -> None:
    model = sheetsim.Model()
    node = model.input("x", [[0.0]])
    for _ in range(20_000):
        node = node + 1
    assert evaluate([node])[node].item() == 20_000


def test_data_is_copied_and_results_are_read_only() -> None:
    given = np.ones((2, 2))
    model = sheetsim.Model()
    model.define("total", total(relu(model.input("x", given))))
    given[:] = 9
    run = model.run()
    assert run["total"] == 4
    with pytest.raises(ValueError, match="read-only"):
        run["x"][0, 0] = 5


def test_the_functions_of_the_language_are_public_and_listed_and_a_name_has_one_meaning() -> None:
    own = {name for name, made in vars(expr).items() if getattr(made, "__module__", "") == expr.__name__}
    functions = {name for name in own if name.islower() and name not in ("apply", "matrix")}
    assert functions == set(sheetsim.FUNCTIONS) <= set(sheetsim.__all__)
    for module in (initializers, draws):
        theirs = {name for name, made in vars(module).items() if getattr(made, "__module__", "") == module.__name__}
        assert not theirs & functions
    page = (Path(__file__).parent.parent / "docs/own-model.md").read_text()
    listed = re.findall(r"`(\w+)`", page.partition("| element by element |")[2].partition("| gradients |")[0])
    assert functions <= set(listed)


def test_std_is_the_statistic() -> None:
    model = sheetsim.Model()
    numbers = np.random.default_rng(1).normal(size=(30, 4))
    model.define("spread", sheetsim.std(model.input("x", numbers)))
    assert model.run()["spread"] == pytest.approx(numbers.std(), rel=1e-14)


def test_a_series_of_pandas_is_a_column_and_a_list_a_row() -> None:
    model = sheetsim.Model()
    assert model.input("x", pd.Series([1.0, 2.0, 3.0])).shape == (3, 1)
    assert model.input("y", [1.0, 2.0, 3.0]).shape == (1, 3)
    assert model.run()["x"].tolist() == [[1.0], [2.0], [3.0]]
