"""Trials in blocks against the same trials at once, and what cannot go in blocks."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

import sheetsim
from sheetsim.engine.binned import FINE, SPREAD, Binned
from sheetsim.runs import stream as stream_module


def profit(trials: int = 5000, **keys: Any) -> sheetsim.Model:
    model = sheetsim.Model(seed=3)
    demand = model.input("demand", sheetsim.lognormal(p5=800, p95=3000), (trials, 1), **keys)
    cost = model.input("cost", sheetsim.pert(20, 25, 40), (trials, 1))
    weights = model.input("weights", [[0.4, 1.0], [0.6, -1.0]])
    parts = model.input("parts", sheetsim.uniform(0, 1), (trials, 2))
    model.output("profit", demand * (49 - cost) - 20_000)
    model.output("mix", parts @ weights, columns=("first", "second"))
    return model


@pytest.mark.parametrize("keys", [{}, {"sampling": "lhs"}])
def test_blocks_give_what_all_trials_at_once_give(keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "ROWS", 700)
    model = profit(**keys)
    whole, streamed = model.run(), model.stream()
    summary, by_blocks = whole.summary(), streamed.summary()
    assert list(by_blocks.index) == list(summary.index)
    exact = ["n", "errors", "mean", "std", "se", "skew", "kurtosis", "min", "max"]
    np.testing.assert_allclose(by_blocks[exact].astype(float), summary[exact].astype(float), rtol=1e-10)
    # Of so few trials the neighbors of a quantile lie further apart than a bin is wide.
    between = (summary["q75"] - summary["q25"]).to_numpy()[:, None]
    quantiles = ["q01", "q05", "q25", "q50", "q75", "q95", "q99"]
    assert (abs(by_blocks[quantiles] - summary[quantiles]) < 0.02 * between).all(axis=None)


def test_more_trials_than_the_model_was_made_with_find_the_law() -> None:
    streamed = sheetsim.Model(seed=1)
    x = streamed.input("x", sheetsim.normal(5, 2), (10, 1))
    streamed.output("square", x * x)
    result = streamed.stream(400_000)
    row = result.summary().loc["square"]
    law = stats.ncx2(1, (5 / 2) ** 2, scale=4)
    assert row["n"] == 400_000
    assert abs(row["mean"] - law.mean()) < 4 * row["se"]
    for p, name in ((0.05, "q05"), (0.5, "q50"), (0.99, "q99")):
        truth = law.ppf(p)
        assert abs(row[name] - truth) < 4 * np.sqrt(p * (1 - p) / 400_000) / law.pdf(truth)
    assert result.probability("square", 9.0) == pytest.approx(law.cdf(9.0), abs=4 * 0.5 / np.sqrt(400_000))


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).standard_cauchy(20_000),
        np.random.default_rng(1).integers(0, 5, 20_000).astype(float),
        np.where(np.random.default_rng(2).random(20_000) < 0.4, 0.0, np.random.default_rng(3).standard_normal(20_000)),
        np.full(5000, 7.0),
        np.exp(3 * np.random.default_rng(4).standard_normal(20_000)),
    ],
    ids=["cauchy", "discrete", "zeros", "equal", "lognormal"],
)
def test_quantiles_of_bins_are_within_a_bin(values: Any) -> None:
    binned = Binned()
    for block in np.array_split(values, 7):
        binned.add(block)
    # Linear within a bin: between the order statistics beside the quantile, but for the width of a bin.
    ordered, p = np.sort(values), np.array([0, 0.01, 0.05, 0.3, 0.5, 0.77, 0.99, 1])
    ranks = p * (len(values) - 1)
    below, above = (
        ordered[np.maximum(np.floor(ranks).astype(int) - 1, 0)],
        ordered[np.minimum(np.ceil(ranks).astype(int) + 1, len(values) - 1)],
    )
    q25, q50, q75 = np.quantile(values[: len(values) // 7], [0.25, 0.5, 0.75])
    width = np.maximum(np.abs(np.quantile(values, p) - q50), SPREAD * (q75 - q25) or 1) / FINE
    read_off = binned.quantiles(p)
    assert (read_off >= below - 2 * width).all()
    assert (read_off <= above + 2 * width).all()


def test_trials_without_a_number_are_counted_apart() -> None:
    model = sheetsim.Model(seed=2)
    x = model.input("x", sheetsim.normal(), (2000, 1))
    model.output("root", sheetsim.sqrt(x))
    summary, streamed = model.run().summary().loc["root"], model.stream().summary().loc["root"]
    assert streamed[["n", "errors"]].tolist() == summary[["n", "errors"]].tolist()
    assert streamed["mean"] == pytest.approx(summary["mean"])


def test_progress_reaches_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "ROWS", 400)
    steps: list[tuple[int, int]] = []
    profit(1000).stream(progress=lambda done, count: steps.append((done, count)))
    assert steps == [(400, 1000), (800, 1000), (1000, 1000)]


def averaged(model: sheetsim.Model) -> None:
    x = model.input("x", sheetsim.normal(), (50, 1))
    model.output("y", x - sheetsim.mean(x))


def given(model: sheetsim.Model) -> None:
    model.output("y", model.input("x", np.ones((50, 1))) * 2)


def unequal(model: sheetsim.Model) -> None:
    model.output("y", model.input("x", sheetsim.normal(), (50, 1)) * 2)
    model.output("z", model.input("v", sheetsim.normal(), (60, 1)) * 2)


@pytest.mark.parametrize(
    ("make", "trials", "sentence"),
    [
        (averaged, None, "mean of x needs all trials at once and cannot be computed in blocks"),
        (given, 60, "x has 50 given trials, not 60"),
        (unequal, None, "the outputs have different numbers of trials"),
        (lambda model: None, None, "the model has no output"),
        (averaged, 1, "trials must be a whole number from 2, not 1"),
    ],
)
def test_what_cannot_go_in_blocks_is_one_sentence(make: Any, trials: int | None, sentence: str) -> None:
    model = sheetsim.Model()
    make(model)
    with pytest.raises(sheetsim.SheetsimError, match=sentence):
        model.stream(trials)
