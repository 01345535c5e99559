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
    # Of a bin, and the bins are laid about the quartiles of the first block.
    between = (summary["q75"] - summary["q25"]).to_numpy()[:, None]
    quantiles = ["q01", "q05", "q25", "q50", "q75", "q95", "q99"]
    assert (abs(by_blocks[quantiles] - summary[quantiles]) < 4 / FINE * between).all(axis=None)


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
    p = np.array([0, 0.01, 0.05, 0.3, 0.5, 0.77, 0.99, 1])
    q25, q50, q75 = np.quantile(values[: len(values) // 7], [0.25, 0.5, 0.75])
    expected = np.quantile(values, p)
    width = np.maximum(np.abs(expected - q50), SPREAD * (q75 - q25)) / FINE
    assert (np.abs(binned.quantiles(p) - expected) <= 1.01 * width).all()


def test_two_trials_have_the_quantiles_between_them() -> None:
    model = sheetsim.Model()
    model.output("y", model.input("x", [[1.0], [5.0]]) * 1)
    np.testing.assert_allclose(model.stream().percentiles(), model.run().percentiles(), rtol=1e-12)


def test_a_share_counts_all_trials_that_are_equal_to_the_number() -> None:
    model = sheetsim.Model(seed=1)
    x = model.input("x", sheetsim.normal(-0.5, 1), (2000, 1))
    model.output("payoff", sheetsim.relu(x))
    model.output("loss", -sheetsim.relu(x))
    model.output("sign", x > 0)
    run, streamed = model.run(), model.stream()
    for output, t in (("payoff", 0), ("loss", 0), ("sign", 0), ("sign", 0.5), ("sign", 1), ("payoff", -1)):
        assert streamed.probability(output, t) == run.risk(output, threshold=t)["at_most"].item()


def test_numbers_far_beyond_the_quartiles_have_quantiles() -> None:
    model = sheetsim.Model(seed=1)
    x = model.input("x", sheetsim.normal(), (3000, 1))
    model.output("rare", sheetsim.where(x > 1.5, 1e12 + x, 1e-3 * x))
    model.output("wide", sheetsim.exp(40 * x))
    summary, streamed = model.run().summary(), model.stream().summary()
    np.testing.assert_allclose(streamed[["q95", "q99"]], summary[["q95", "q99"]], rtol=1e-3)


@pytest.mark.parametrize(
    "numbers",
    [lambda x: x * 1e300, lambda x: x * 5e307, lambda x: x * 1e-9 + 1e9, lambda x: sheetsim.log(x * 0 - 1)],
    ids=["square too large", "sum too large", "rounding alone", "no number"],
)
def test_what_a_run_has_no_number_for_has_none_in_blocks(numbers: Any) -> None:
    model = sheetsim.Model(seed=1)
    model.output("y", numbers(model.input("x", sheetsim.normal(), (300, 1))))
    run, streamed = model.run(), model.stream()
    assert streamed.summary().isna().to_numpy().tolist() == run.summary().isna().to_numpy().tolist()
    at_most = run.risk("y", threshold=0)["at_most"].item()
    assert streamed.probability("y", 0) == pytest.approx(at_most, nan_ok=True, abs=1e-3)


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
        (averaged, 1, "trials must be a whole number of at least 2, not 1"),
    ],
)
def test_what_cannot_go_in_blocks_is_one_sentence(make: Any, trials: int | None, sentence: str) -> None:
    model = sheetsim.Model()
    make(model)
    with pytest.raises(sheetsim.SheetsimError, match=sentence):
        model.stream(trials)
