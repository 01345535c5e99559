"""Sensitivity: indices with known answers, the same by SciPy and pandas, intervals that cover, and what is refused."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from lint import lint
from openpyxl.worksheet.formula import ArrayFormula
from scipy import stats

import sheetsim
from sheetsim.cli.commands import main
from sheetsim.engine.sensitivity import Design, jansen, jansen_intervals


def _ishigami(trials: int = 4096, **how: object) -> sheetsim.Model:
    model = sheetsim.Model(seed=1)
    x = model.input("x", sheetsim.uniform(-np.pi, np.pi), (trials, 3), **how)
    first, second, third = (sheetsim.column(x, k) for k in (1, 2, 3))
    model.output("y", sheetsim.sin(first) + 7 * sheetsim.sin(second) ** 2 + 0.1 * third**4 * sheetsim.sin(first))
    return model


def _ishigami_indices(a: float = 7, b: float = 0.1) -> tuple[list[float], list[float]]:
    """Ishigami & Homma (1990): first-order and total."""
    of_1, of_2 = (1 + b * np.pi**4 / 5) ** 2 / 2, a**2 / 8
    of_1_3 = b**2 * np.pi**8 * (1 / 18 - 1 / 50)
    variance = of_1 + of_2 + of_1_3
    first, total = [of_1, of_2, 0], [of_1 + of_1_3, of_2, of_1_3]
    return [part / variance for part in first], [part / variance for part in total]


def _linear(trials: int = 400) -> sheetsim.Model:
    """y = 3 u + 2 v − w of independent normal inputs of sd 1, 1 and 2: shares 9, 4 and 4 of 17."""
    model = sheetsim.Model(seed=5)
    u = model.input("u", sheetsim.normal(), (trials, 1))
    v = model.input("v", sheetsim.normal(), (trials, 1))
    w = model.input("w", sheetsim.normal(0, 2), (trials, 1))
    model.output("y", 3 * u + 2 * v - w)
    return model


def test_sobol_indices_are_those_of_ishigami_s_closed_form() -> None:
    frame = _ishigami().sobol("y", trials=8192, resamples=200)
    first, total = _ishigami_indices()
    # Four standard errors: an interval is nearly four of them wide.
    for name, truth in (("first_order", first), ("total", total)):
        width = frame[f"{name}_high"] - frame[f"{name}_low"]
        assert (abs(frame[name] - truth) < width).all()
        assert (width < 0.1).all()
    # That of x 3 by itself is nothing, and a fifth with x 1: an index of another kind would be seen.
    assert frame["total"]["x 3"] > 0.2


def test_two_samples_by_a_sobol_sequence_do_not_go_together() -> None:
    frame = _ishigami(2048, sampling="sobol").sobol(resamples=0)
    first, total = _ishigami_indices()
    # In the sequence's own order the rows of two samples depend on one another: the errors are then 0.3.
    assert np.allclose(frame["first_order"], first, atol=0.07)
    assert np.allclose(frame["total"], total, atol=0.07)


def test_the_g_function_of_sobol() -> None:
    a = np.array([0, 1, 4.5, 9])
    model = sheetsim.Model(seed=2)
    x = model.input("x", sheetsim.uniform(0, 1), (4096, 4), sampling="sobol")
    parts = [(sheetsim.absolute(4 * sheetsim.column(x, k + 1) - 2) + a[k]) / (1 + a[k]) for k in range(4)]
    model.output("g", parts[0] * parts[1] * parts[2] * parts[3])
    of_each = 1 / (3 * (1 + a) ** 2)
    variance = np.prod(1 + of_each) - 1
    frame = model.sobol(resamples=0)
    assert np.allclose(frame["first_order"], of_each / variance, atol=0.05)
    total = of_each / (1 + of_each) * np.prod(1 + of_each) / variance
    assert np.allclose(frame["total"], total, atol=0.05)


def test_scipy_gives_the_same_indices_from_the_same_numbers() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-np.pi, np.pi, (2, 3, 4096))

    def f(x: np.ndarray) -> np.ndarray:
        return np.sin(x[0]) + 7 * np.sin(x[1]) ** 2 + 0.1 * x[2] ** 4 * np.sin(x[0])

    f_ab = [f(np.where(np.arange(3)[:, None] == k, b, a)) for k in range(3)]
    ours = jansen(Design(f(a), f(b), np.stack(f_ab)))
    func = {"f_A": f(a)[None], "f_B": f(b)[None], "f_AB": np.stack(f_ab)[:, None]}
    theirs = stats.sobol_indices(func=func, n=4096)
    # Of total indices SciPy has the same estimator, of first-order ones another.
    assert np.allclose(ours.total, theirs.total_order, rtol=1e-12)
    assert np.allclose(ours.first, theirs.first_order, atol=0.05)


def test_of_a_linear_model_everything_is_known() -> None:
    model = _linear(4096)
    frame = model.run().sensitivity("y", resamples=20)
    shares = pd.Series({"u": 9, "v": 4, "w": 4}) / 17
    assert frame.attrs["r2"] == pytest.approx(1, abs=1e-12)
    src = frame["src"]
    assert np.sign(src).to_dict() == {"u": 1, "v": 1, "w": -1}
    assert np.allclose(src[shares.index] ** 2, shares, atol=0.02)
    sobol = model.sobol("y", trials=8192, resamples=0)
    for name in ("first_order", "total"):
        assert np.allclose(sobol[name], shares, atol=0.03)
    # The mean of a normal input in its upper tenth is φ(z)/0.1 = 1.755, and −1.755 in its lower one.
    assert frame["swing"]["u"] == pytest.approx(3 * 2 * 1.755, rel=0.1)
    assert frame["swing"]["w"] == pytest.approx(-2 * 2 * 1.755, rel=0.2)
    assert frame.index[0] == "u"
    assert abs(frame["contribution"]).sum() == pytest.approx(1)
    assert frame["contribution"]["w"] < 0


def test_correlations_and_coefficients_are_those_of_pandas_and_numpy() -> None:
    model = sheetsim.Model(seed=7)
    # Rounded: ties share their ranks.
    x = sheetsim.floor(3 * model.input("x", sheetsim.normal(), (300, 2)))
    w = model.input("w", sheetsim.distribution("expon"), (300, 1))
    model.output("y", sheetsim.exp(sheetsim.column(x, 1) / 3) * w + sheetsim.column(x, 2) ** 2)
    run = model.run()
    frame = run.sensitivity(resamples=0).loc[["x 1", "x 2", "w"]]
    data = pd.DataFrame(np.hstack([run["x"], run["w"]]), columns=["x 1", "x 2", "w"])
    y = pd.Series(run["y"][:, 0])
    for method in ("pearson", "spearman"):
        assert np.allclose(frame[method], data.corrwith(y, method=method), rtol=1e-10)
    z = (data - data.mean()) / data.std(ddof=0)
    b, (left,) = np.linalg.lstsq(z, (y - y.mean()) / y.std(ddof=0), rcond=None)[:2]
    assert np.allclose(frame["src"], b)
    for name, x in data.items():
        assert frame["low"][name] == pytest.approx(y[x <= x.quantile(0.1)].mean())
        assert frame["high"][name] == pytest.approx(y[x >= x.quantile(0.9)].mean())
    assert run.sensitivity(resamples=0).attrs["r2"] == pytest.approx(1 - left / 300)


def test_ranks_share_those_of_ties() -> None:
    model = sheetsim.Model(seed=7)
    x = model.input("x", np.repeat([[1.0], [2.0], [3.0]], 20, axis=0))
    e = model.input("e", sheetsim.normal(), (60, 1))
    model.output("y", sheetsim.floor(x + e))
    run = model.run()
    expected = stats.spearmanr(run["x"][:, 0], run["y"][:, 0]).statistic
    assert run.sensitivity(resamples=0)["spearman"]["x"] == pytest.approx(expected)


def test_intervals_cover_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(3)
    first, total = np.array([0.5, 0.2]), np.array([0.8, 0.5])  # of u + v² … below: u v has a share of 0.3
    scale = np.sqrt(np.array([0.5, 0.2, 0.3]))

    def f(x: np.ndarray) -> np.ndarray:
        return scale[0] * x[0] + scale[1] * x[1] + scale[2] * x[0] * x[1]

    held = np.zeros((2, 2))
    for _ in range(100):
        a, b = rng.standard_normal((2, 2, 200))
        design = Design(f(a), f(b), np.stack([f(np.stack([b[0], a[1]])), f(np.stack([a[0], b[1]]))]))
        low, high = jansen_intervals(design, 200, rng)
        held += [(low.first <= first) & (first <= high.first), (low.total <= total) & (total <= high.total)]
    # Binomial of 100 with 0.95: under 86 is five standard deviations away.
    assert (held >= 86).all(), held


def test_bootstrap_intervals_of_correlations_cover() -> None:
    held = np.zeros(3)
    for seed in range(25):
        model = sheetsim.Model(seed=seed)
        u, e = (model.input(name, sheetsim.normal(), (100, 1)) for name in "ue")
        model.output("y", 0.6 * u + 0.8 * e)
        row = model.run().sensitivity(resamples=50).loc["u"]
        truth = {"pearson": 0.6, "spearman": 6 / np.pi * np.arcsin(0.3), "src": 0.6}
        held += [row[f"{name}_low"] <= value <= row[f"{name}_high"] for name, value in truth.items()]
    # Binomial of 25 with 0.95: under 20 is over three standard deviations away.
    assert (held >= 20).all(), held


def test_groups_hold_what_their_inputs_do_together() -> None:
    model = _linear(4000)
    groups = {"market": ["v", "w"]}
    frame = model.run().sensitivity(groups=groups, resamples=0)
    assert frame["src"]["market"] ** 2 == pytest.approx(8 / 17, abs=0.03)
    assert set(frame.index) == {"u", "market"}
    sobol = model.sobol(groups=groups, trials=4000, resamples=0)
    assert np.allclose(sobol["total"], [9 / 17, 8 / 17], atol=0.06)
    # The one group of all makes all of the variance.
    whole = _ishigami(512).sobol(groups={"all": ["x"]}, resamples=0)
    assert whole["first_order"]["all"] == 1
    assert whole["total"]["all"] == pytest.approx(1, abs=0.2)


def _mistakes() -> Iterator[tuple[str, object, str]]:
    yield "an unknown output", lambda: _linear().run().sensitivity("profit"), "no output 'profit': the model has y"
    yield "an unknown input", lambda: _linear().sobol(groups={"g": ["z"]}), "no input 'z'; there are u, v, w"
    twice = {"g": ["u"], "h": ["u"]}
    yield "an input in two groups", lambda: _linear().sobol(groups=twice), "u is in g and in h"
    yield "a group of another's name", lambda: _linear().sobol(groups={"u": ["v"]}), "u is the name of an input"
    yield "no list of inputs", lambda: _linear().sobol(groups={"g": "uv"}), "must be a list"
    yield "no number of trials", lambda: _linear().sobol(trials=1), "trials must be a whole number of at least 2"
    yield "no resamples", lambda: _linear().run().sensitivity(resamples=-1), "resamples must be"


@pytest.mark.parametrize(("call", "sentence"), [pytest.param(*more, id=name) for name, *more in _mistakes()])
def test_a_mistake_is_one_sentence(call: object, sentence: str) -> None:
    with pytest.raises(sheetsim.SheetsimError, match=sentence):
        call()  # type: ignore[operator]


def test_an_output_without_inputs_and_given_numbers_are_refused() -> None:
    model = sheetsim.Model()
    x = model.input("x", np.arange(10.0).reshape(-1, 1))
    W = model.input("W", sheetsim.normal(), (1, 2))
    model.output("given", x @ W)
    model.output("alone", sheetsim.row_numbers(x))
    run = model.run()
    with pytest.raises(sheetsim.SheetsimError, match="name one of given 1, given 2, alone"):
        run.sensitivity()
    with pytest.raises(sheetsim.SheetsimError, match="alone has no input with one row per trial"):
        run.sensitivity("alone")
    with pytest.raises(sheetsim.SheetsimError, match="x are given numbers"):
        model.sobol("given 1")
    assert abs(run.sensitivity("given 1")["pearson"]["x"]) == pytest.approx(1)


def test_weights_are_no_trials_also_where_there_are_as_many() -> None:
    model = sheetsim.Model(seed=0)
    x = model.input("x", sheetsim.normal(), (50, 50))
    W = model.weights("W_1", "he", (50, 50))
    V = model.weights("V", "he", (50, 1))
    # Also the other way round: a trial a column of what is then transposed.
    model.output("y", (V.T @ sheetsim.relu(W.T @ x.T)).T)
    frame = model.run().sensitivity(resamples=0)
    assert len(frame) == 50
    # As many inputs as trials: a regression says nothing, and that is said.
    assert frame["src"].isna().all()
    assert "no more trials than inputs" in frame.attrs["notes"][0]
    sobol = model.sobol(groups={"half": [f"x {k}" for k in range(1, 26)]}, resamples=0)
    assert sobol.index[0] == "half"
    assert sobol.attrs["notes"] == ("Held as they were drawn, the same for all trials: e_V, e_1.",)


def test_correlated_inputs_decline_unless_they_are_one_group() -> None:
    model = sheetsim.Model(seed=4)
    rho = np.array([[1, 0.8, 0], [0.8, 1, 0], [0, 0, 1]])
    x = model.input("x", sheetsim.normal(), (2000, 3), correlation=rho)
    model.output("y", sheetsim.row_sum(x))
    with pytest.raises(sheetsim.SheetsimError, match="x 1, x 2 are correlated: put them into one group"):
        model.sobol()
    frame = model.sobol(groups={"pair": ["x 1", "x 2"]}, trials=4000, resamples=0)
    # Var(x 1 + x 2) is 3.6, and that of x 3 is 1.
    assert np.allclose(frame["first_order"], [3.6 / 4.6, 1 / 4.6], atol=0.06)
    told = model.run().sensitivity(resamples=0)
    assert told.attrs["notes"][0].startswith("x 1, x 2 are correlated: Pearson")
    # R² and coefficients hold what they mean: sd 1 each, over √4.6.
    assert np.allclose(told["src"], 1 / np.sqrt(4.6), atol=0.03)


def test_sobol_sequences_of_two_inputs_are_independent() -> None:
    for seed in range(4):
        model = sheetsim.Model(seed=seed)
        u, v = (model.input(name, sheetsim.uniform(0, 1), (1024, 1), sampling="sobol") for name in "uv")
        model.output("y", u + v)
        run = model.run()
        # Of independent samples the correlation has a standard deviation of 1/32.
        assert abs(np.corrcoef(run["u"][:, 0], run["v"][:, 0])[0, 1]) < 4 / 32
    assert model.sobol(resamples=0)["total"].to_numpy() == pytest.approx([0.5, 0.5], abs=0.1)


def test_outputs_that_do_not_vary_or_lack_numbers_say_so() -> None:
    model = sheetsim.Model(seed=4)
    x = model.input("x", sheetsim.normal(), (200, 2))
    model.output("still", 0 * sheetsim.column(x, 1) + 3)
    model.output("partly", sheetsim.log(sheetsim.column(x, 1)) + sheetsim.column(x, 2))
    run = model.run()
    still = run.sensitivity("still")
    assert still[["pearson", "spearman", "src", "contribution"]].isna().all(axis=None)
    assert (still["swing"] == 0).all()
    assert "still does not vary" in still.attrs["notes"][0]
    assert model.sobol("still").isna().all(axis=None)
    assert "does not vary" in model.sobol("still").attrs["notes"][0]
    partly = run.sensitivity("partly", resamples=20)
    y = run["partly"][:, 0]
    has = np.isfinite(y)
    assert partly.attrs["notes"] == (f"{(~has).sum()} trials of partly have no number, and are left out.",)
    expected = [np.corrcoef(run["x"][has, k], y[has])[0, 1] for k in range(2)]
    assert np.allclose(partly["pearson"][["x 1", "x 2"]], expected)
    assert "have an error value" in model.sobol("partly").attrs["notes"][0]


def test_the_same_seed_gives_the_same_numbers() -> None:
    model = _linear()
    pd.testing.assert_frame_equal(model.sobol(), model.sobol())
    first, second = (model.run().sensitivity(resamples=20) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    assert not model.sobol().equals(model.sobol(seed=6))


def test_the_book_has_a_page_with_the_same_numbers_and_a_tornado(tmp_path: Path) -> None:
    model = sheetsim.Model("Profit", seed=3)
    price = model.input("price", sheetsim.normal(10, 1), (40, 1))
    cost = model.input("cost", sheetsim.uniform(4, 8), (40, 1))
    e = model.input("e", sheetsim.normal(), (40, 2))
    # With trials that have no number: formulas leave them out as NumPy does.
    model.output("profit", (price - cost) * sheetsim.column(e, 1) + sheetsim.log(cost - 4.3) + sheetsim.column(e, 2))
    run = model.run()
    run.to_excel(tmp_path / "book.xlsx")
    told = run.sensitivity(resamples=0)
    assert told.attrs["notes"]
    pd.testing.assert_frame_equal(sheetsim.read(tmp_path / "book.xlsx").table("sensitivity"), told, rtol=0, atol=0)
    page = openpyxl.load_workbook(tmp_path / "book.xlsx")["Sensitivity"]
    assert [page.cell(7 + k, 1).value for k in range(4)] == list(told.index)
    # The tenth of the trials with the least cost have no number, and so no mean: it comes last.
    assert told["swing"].isna().tolist() == [False, False, False, True]
    assert told["swing"].dropna().abs().is_monotonic_decreasing
    assert isinstance(page["E7"].value, ArrayFormula)
    # Two series over the rows of the table, which the chart names by its cells.
    (chart,) = page._charts
    assert chart.barDir == "bar"
    assert [str(series.cat.strRef.f) for series in chart.series] == ["Sensitivity!$A$7:$A$10"] * 2
    assert sheetsim.verify(tmp_path / "book.xlsx").ok
    assert lint(tmp_path / "book.xlsx") == []


def test_a_page_for_each_of_the_first_outputs_that_have_inputs(tmp_path: Path) -> None:
    model = sheetsim.Model(seed=3)
    x = model.input("x", sheetsim.normal(), (8, 5))
    model.output("still", sheetsim.row_numbers(x) * 2)
    model.output("y", x * 2)
    model.run().to_excel(tmp_path / "book.xlsx")
    titles = openpyxl.load_workbook(tmp_path / "book.xlsx").sheetnames
    assert [title for title in titles if title.startswith("Sens")] == [f"Sensitivity y {k}" for k in (1, 2, 3)]
    assert sheetsim.verify(tmp_path / "book.xlsx").ok


def test_of_replicates_whole_draws_are_told_apart() -> None:
    model = sheetsim.Model(seed=2)
    u, v = (model.input(name, sheetsim.normal(), (3, 1)) for name in "uv")
    W = model.weights("W_1", "std 1", (1, 1))
    model.output("sum", u + 2 * v)
    model.output("product", u @ W)
    frame = sheetsim.sensitivity(model, "mean", trials=400).frame()
    # Means over three trials: of u + 2 v shares of 1 and 4 fifths; of u W nothing by one alone, and all by both.
    truth = pd.DataFrame(
        {"first_order": [0.2, 0.8, 0, 0], "total": [0.2, 0.8, 1, 1]},
        index=pd.MultiIndex.from_tuples(
            [("sum.mean", "u"), ("sum.mean", "v"), ("product.mean", "u"), ("product.mean", "e_1")],
            names=["statistic", "input"],
        ),
    )
    assert list(frame.index) == list(truth.index)
    for name in truth:
        assert (abs(frame[name] - truth[name]) < frame[f"{name}_high"] - frame[f"{name}_low"]).all()
        assert (frame[f"{name}_high"] - frame[f"{name}_low"] < 0.8).all()
    both = sheetsim.sensitivity(model, "product.mean", trials=20, groups={"all": ["u", "e_1"]}).frame()
    assert both["first_order"].tolist() == [1]


def test_a_network_s_layers_are_those_of_a_plain_loop() -> None:
    rng = np.random.default_rng(0)

    def var(draws: list[np.ndarray]) -> np.ndarray:
        z = draws[0]
        for e in draws[1:]:
            z = np.maximum(z @ (e * np.sqrt(2 / e.shape[-2])), 0)
        return z.var(axis=(1, 2))

    shapes = (6, 4), (4, 4), (4, 4)
    a, b = ([rng.standard_normal((4000, *shape)) for shape in shapes] for _ in range(2))
    y, variance = var(a), np.concatenate([var(a), var(b)]).var()
    totals = [((y - var([*a[:k], b[k], *a[k + 1 :]])) ** 2).mean() / 2 / variance for k in range(3)]
    told = sheetsim.sensitivity("relu-he", "2.var", trials=400, seed=1, samples=6, inputs=4, layers=[4, 4])
    frame = told.frame().loc["2.var"]
    assert list(frame.index) == ["x", "e_1", "e_2"]
    assert (abs(frame["total"] - totals) < 1.5 * (frame["total_high"] - frame["total_low"])).all()
    assert (frame["total_high"] - frame["total_low"] < 0.8).all()


def test_the_book_of_a_study_has_live_indices_and_is_the_same_each_time(tmp_path: Path) -> None:
    def made() -> object:
        small = {"samples": 6, "inputs": 4, "layers": [3, 2]}
        return sheetsim.sensitivity("relu-he", "var", trials=8, resamples=30, **small)

    for name in ("first", "second"):
        made().to_excel(tmp_path / f"{name}.xlsx")
    assert (tmp_path / "first.xlsx").read_bytes() == (tmp_path / "second.xlsx").read_bytes()
    book = sheetsim.read(tmp_path / "first.xlsx")
    frame = made().frame()
    # A statistic has the draws alone that it depends on.
    assert list(frame.loc["1.var"].index) == ["x", "e_1"]
    for label in ("1.var", "2.var"):
        pd.testing.assert_frame_equal(book.table(label), frame.loc[label])
    sheet = openpyxl.load_workbook(tmp_path / "first.xlsx")["Sensitivity"]
    assert len(sheet._charts) == 2
    assert sheetsim.verify(tmp_path / "first.xlsx").ok
    assert lint(tmp_path / "first.xlsx") == []
    made().to_excel(tmp_path / "values.xlsx", values_only=True)
    assert sheetsim.read(tmp_path / "values.xlsx").table("1.var").equals(frame.loc["1.var"])


def _study_mistakes() -> Iterator[tuple[str, object, str]]:
    small = {"samples": 6, "inputs": 4, "layers": [3, 2]}

    def of(statistic: str, name: str = "relu-he", **how: object) -> object:
        return lambda: sheetsim.sensitivity(name, statistic, **how)

    yield "no statistic", of("size", **small), "unknown statistic 'size'"
    yield "no such draws", of("1.var", groups={"g": ["e_2"]}, **small), "no input 'e_2'; there are x, e_1"
    yield "nothing drawn", of("sgd.x", "optimizers"), "nothing is drawn here"
    few = {"data": "iris", "layers": [3], "steps": 1, "seeds": 1, "batch": 10}
    yield "more than draws", of("plain.loss", "training", **few), "uses its seed for more than its draws"
    yield "one replicate", of("1.var", trials=1, **small), "trials must be a whole number of at least 2"
    model = sheetsim.Model()
    model.output("y", model.input("x", [[1], [2]]) * 2)
    yield "a model without draws", lambda: sheetsim.sensitivity(model, "mean"), "nothing is drawn"


@pytest.mark.parametrize(("call", "sentence"), [pytest.param(*more, id=name) for name, *more in _study_mistakes()])
def test_a_mistake_with_a_study_is_one_sentence(call: object, sentence: str) -> None:
    with pytest.raises(sheetsim.SheetsimError, match=sentence):
        call()  # type: ignore[operator]


def test_a_statistic_that_does_not_vary_has_no_indices_and_says_so() -> None:
    told = sheetsim.sensitivity(
        "relu-he", "dead_units", trials=3, samples=20, inputs=4, layers=[2], initializer="zeros"
    )
    assert told.frame()["total"].isna().all()
    assert "does not vary" in told.notes[0]


def test_the_command_prints_the_table_and_writes_the_book(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "sensitivity relu-he --set samples=6 --set inputs=4 --set layers=[3] --statistic 1.var --trials 6"
    target = tmp_path / "book.xlsx"
    more = ["--group", "all=x,e_1", "--format", "csv", "--output", str(target)]
    monkeypatch.setattr("sys.argv", ["sheetsim", *words.split(), *more])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header.startswith("statistic,input,first_order,")
    assert row.startswith("1.var,all,1.0,")
    # About has the command, which makes the same file.
    command = sheetsim.read(target).manifest.command
    again = tmp_path / "again.xlsx"
    monkeypatch.setattr("sys.argv", [*shlex.split(command), "--output", str(again)])
    with pytest.raises(SystemExit):
        main()
    assert again.read_bytes() == target.read_bytes()
    monkeypatch.setattr("sys.argv", ["sheetsim", *words.split(), "--group", "weights"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "write name=input,input" in capsys.readouterr().err
