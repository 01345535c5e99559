"""Replicates and sweeps of any study, of a model and of a function: what they observe is what single runs give."""

import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from conftest import small_keys
from scipy.stats import binomtest

import sheetsim
from sheetsim.runs.observed import child_seed
from sheetsim.runs.run import Run
from sheetsim.studies.registry import STUDIES
from sheetsim.studies.symmetry.study import Symmetry

# By which its replicates differ, or which their tests need.
OWN: dict[str, dict[str, Any]] = {
    "forward": {"samples": 20, "inputs": 5, "layers": [6, 4], "activation": "relu", "initializer": "he"},
    "gradient-flow": {"samples": 12, "inputs": 4, "layers": [5, 4], "outputs": 2},
    "optimizers": {"start_std": 2.0, "contours": 0},
    "rnn-gradients": {"draws": "mt19937"},
    "bayesian-search": {"noise_std": 0.1},
}


def small(name: str, **keys: Any) -> Any:
    """A small experiment of the study."""
    return STUDIES[name](**{**small_keys(STUDIES[name]()), **OWN.get(name, {}), **keys})


def launch(trials: int = 200, seed: int = 1) -> sheetsim.Model:
    """A product's profit: demand times margin, less what is fixed."""
    model = sheetsim.Model("Launch", seed=seed)
    demand = model.input("demand", sheetsim.normal(1000, 200), (trials, 1))
    cost = model.input("unit_cost", sheetsim.uniform(20, 40), (trials, 1))
    model.output("profit", demand * (49 - cost) - 15_000, unit="€")
    return model


def tables_of(run: Run) -> dict[tuple[Any, str], float]:
    """Every number of a run's tables that replicates observe, by row and column."""
    cells = {}
    for name, table in run._study.tables.items():
        if not table.observed:
            continue
        frame = run.table(name).drop(columns=[column.name for column in table.columns if column.kind == "text"])
        cells |= {(row, column): frame.loc[row, column] for row in frame.index for column in frame.columns}
    return cells


@pytest.mark.every(3)
@pytest.mark.parametrize("name", [name for name in STUDIES if name != "forward"])
def test_a_replicate_of_any_study_is_the_run_with_its_seed(name: str) -> None:
    replicates = sheetsim.replicate(small(name), 2)
    frame, words = replicates.frame(), replicates.words()
    for k in range(2):
        seed = int(words["seed"][k])
        run = sheetsim.run(small(name, seed=seed))
        expected = tables_of(run)
        assert len(expected) == len(replicates.labels)
        for (row, column), number in expected.items():
            assert frame.loc[(k, row), column] == pytest.approx(number, rel=1e-12, abs=1e-300, nan_ok=True)
        said = [words[f"verdict {row}"][k] for row in run.summary().index]
        assert said == run.verdicts()
    assert frame.loc[0].iloc[0, 1:].tolist() != frame.loc[1].iloc[0, 1:].tolist()


def test_verdicts_of_networks_are_those_of_their_runs() -> None:
    study = small("forward", samples=60, activation="tanh", layers=[6, 4, 5], initializer=["xavier", 3.0, 0.05])
    words = sheetsim.replicate(study, 6).words()
    for k in range(6):
        run = sheetsim.run(study, seed=int(words["seed"][k]))
        assert words.loc[k].tolist()[1:] == run.verdicts()
    assert len(set(words.iloc[:, 1:].to_numpy().ravel())) > 1


def test_a_replicate_of_a_model_is_the_model_with_its_seed() -> None:
    replicates = sheetsim.replicate(launch(), 3)
    for k in range(3):
        alone = launch(seed=child_seed(1, k)).run().summary().loc["profit"]
        pd.testing.assert_series_equal(
            replicates.frame().loc[(k, "profit")].drop("seed"), alone.astype(float), check_names=False, rtol=1e-12
        )
    statistics = replicates.statistics().loc[("profit", "mean")]
    means = replicates.frame()["mean"]
    assert statistics["mean"] == pytest.approx(means.mean())
    assert statistics["se"] == pytest.approx(means.std(ddof=1) / np.sqrt(3))


def test_the_share_of_a_verdict_has_wilsons_interval(tmp_path: Path) -> None:
    replicates = sheetsim.replicate(small("rnn-gradients", draws="pcg64"), 40)
    verdicts = replicates.verdicts()
    assert verdicts.groupby(level=[0, 1], observed=True)["count"].sum().eq(40).all()
    for count, share, low, high in verdicts[["count", "share", "low", "high"]].itertuples(index=False):
        interval = binomtest(count, 40).proportion_ci(0.95, method="wilson")
        assert (share, low, high) == pytest.approx((count / 40, interval.low, interval.high), abs=1e-12)
    book = replicates.to_excel(tmp_path / "rnn.xlsx")
    verified = sheetsim.verify(book)
    assert verified.ok, verified.rows
    assert verified.state == "as made"
    with sheetsim.read(book) as read:
        np.testing.assert_allclose(read.table("verdicts")["share"], verdicts["share"])


def test_an_interval_of_a_size_stays_above_0() -> None:
    statistics = sheetsim.replicate(small("rnn-gradients", draws="pcg64", scale=2.0, steps=12), 20).statistics()
    norms = statistics.loc[pd.IndexSlice[:, ["norm", "last"]], :]
    assert (norms["low"] > 0).all()
    assert (norms["mean"] - norms["half"] < 0).any()


def test_theory_in_a_column_stands_beside_the_statistic() -> None:
    statistics = sheetsim.replicate(small("correlation", pairs=40, units=60), 4).statistics()
    run = sheetsim.run(small("correlation", pairs=40, units=60)).summary()
    theory = statistics.loc[pd.IndexSlice[:, "c"], "theory"]
    np.testing.assert_allclose(theory, run["c_theory"])


def test_a_book_of_a_model_names_no_command_that_there_is_not(tmp_path: Path) -> None:
    for name, what, told in (("a", launch(50), "the model made with"), ("b", small("symmetry"), "`sheetsim run`")):
        path = sheetsim.replicate(what, 2).to_excel(tmp_path / f"{name}.xlsx")
        lead = openpyxl.load_workbook(path)["Overview"]["A2"].value
        assert told in lead
        assert ("`sheetsim run`" in lead) == (name == "b")


def test_until_is_about_the_mean_and_std_of_a_models_outputs() -> None:
    replicates = sheetsim.replicate(launch(50), 400, until="10%")
    assert replicates.count < 400
    assert "the widest interval of mean, std is" in replicates.reason


def test_until_stops_at_a_single_number() -> None:
    replicates = sheetsim.replicate(launch(50), 400, until="10%", statistics=["profit.std"])
    statistics = replicates.statistics().loc[("profit", "std")]
    assert 30 <= replicates.count < 400
    assert statistics["half"] / statistics["mean"] <= 0.1
    assert "profit.std" in replicates.reason


def test_workers_give_the_same_numbers_of_a_model_made_in_python() -> None:
    alone, shared = (sheetsim.replicate(launch(), 4, workers=workers).frame() for workers in (1, 2))
    pd.testing.assert_frame_equal(alone, shared, check_exact=True)


def test_a_graph_is_the_same_after_a_copy_for_a_worker() -> None:
    model = launch(20)
    h = model.series("h", [[0.0]], lambda before, t: before + 1, 3000)
    model.define("at", h[2999] * 2, what="a number")
    model.choice("way", ["up", "down"], "down")
    copy = pickle.loads(pickle.dumps(model))
    run, of_copy = model.run(), copy.run()
    assert copy.meanings == model.meanings
    assert list(copy.outputs) == ["profit"]
    assert run.names() == of_copy.names()
    assert all(np.array_equal(run[name], of_copy[name]) for name in run.names())
    copy.define("more", copy["at"] + 1)
    with pytest.raises(sheetsim.SheetsimError, match="is already taken"):
        copy.define("AT", copy["at"] + 1)


@pytest.mark.parametrize(
    ("what", "keys", "sentence"),
    [
        (lambda: small("optimizers", start_std=0.0), {}, "nothing is drawn here, so all replicates"),
        (lambda: sheetsim.Model("empty"), {}, r"has no output to observe: name one with model.output\(name"),
        (lambda: small("symmetry"), {"statistics": ["nothing"]}, "unknown statistic 'nothing': choose one of disti"),
        (lambda: small("symmetry"), {"statistics": ["middle.loss_end"]}, "one for a single row as zeros.distinct"),
        (lambda: small("symmetry"), {"statistics": []}, "statistics: name at least one"),
        (lambda: small("symmetry"), {"single": True}, "single precision is for replicates of the study forward"),
        (lambda: launch(), {"samples": 9}, "a model has no keys to override"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(what: Any, keys: dict[str, Any], sentence: str) -> None:
    with pytest.raises(sheetsim.SheetsimError, match=sentence):
        sheetsim.replicate(what(), 2, **keys)


def test_what_forward_alone_has_is_refused_of_others() -> None:
    replicates = sheetsim.replicate(small("symmetry"), 2)
    for name in ("claims", "histograms"):
        with pytest.raises(sheetsim.SheetsimError, match=f"replicates of symmetry have no {name}"):
            getattr(replicates, name)()


def test_a_sweep_of_a_function_is_replicates_at_each_point(tmp_path: Path) -> None:
    def sized(trials: int, fixed: float) -> sheetsim.Model:
        model = sheetsim.Model(seed=3)
        x = model.input("x", sheetsim.normal(), (trials, 1))
        model.output("y", x * x - fixed)
        return model

    sweep = sheetsim.sweep(sized, {"trials": [50, 100], "fixed": [0.0, 2.0]}, replicates=3, show="mean")
    statistics = sweep.statistics().set_index(["trials", "fixed", "output", "statistic"])
    alone = sheetsim.replicate(sized(100, 2.0), 3).statistics().loc[("y", "mean")]
    at_point = statistics.loc[(100, 2.0, "y", "mean")]
    assert at_point[["mean", "se", "low", "high"]].tolist() == pytest.approx(
        alone[["mean", "se", "low", "high"]].tolist(), rel=1e-12
    )
    # Common random numbers: points differ by what differs, and not by chance.
    shift = statistics.loc[(100, 0.0, "y", "mean"), "mean"] - at_point["mean"]
    assert shift == pytest.approx(2.0, abs=1e-12)
    kept = sheetsim.sweep(sized, {"trials": [50], "fixed": [0.0]}, replicates=3, folder=tmp_path / "parts")
    again = sheetsim.sweep(sized, {"trials": [50], "fixed": [0.0]}, replicates=3, folder=tmp_path / "parts")
    pd.testing.assert_frame_equal(kept.frame(), again.frame(), check_exact=True)
    book = sweep.to_excel(tmp_path / "sweep.xlsx")
    assert sheetsim.verify(book).ok


def test_a_sweep_of_another_study_has_a_map_for_each_start(tmp_path: Path) -> None:
    (tmp_path / "rates.toml").write_text(
        'template = "symmetry"\nreplicates = 2\nshow = "loss_end"\n[set]\nsamples = 4\nsteps = 2\n'
        "[grid]\nrate = [1.0, 5.0]\n"
    )
    sweep = sheetsim.sweep(tmp_path / "rates.toml")
    shown = sweep.last_layers()
    assert list(shown["statistic"])[:4] == ["zeros.loss_end", "constant.loss_end", "small.loss_end", "large.loss_end"]
    alone = sheetsim.replicate(small("symmetry", steps=2, rate=5.0), 2).statistics().loc[("small", "loss_end"), "mean"]
    assert shown.query("rate == 5 and statistic == 'small.loss_end'")["mean"].item() == pytest.approx(alone, rel=1e-12)
    assert sheetsim.verify(sweep.to_excel(tmp_path / "rates.xlsx")).ok


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"grid": {"seed": [1]}}, "grid.seed cannot vary"),
        ({"grid": {"n": [2]}, "show": "none"}, "show: unknown statistic 'none'"),
        ({"grid": {"n": []}}, "grid.n lists no value"),
        ({"grid": {"n": [10, math.nan]}}, "grid.n has nan, which is not a finite number"),
        ({"grid": {"m": [1]}}, "arguments must be the grid's keys, m: missing a required argument: 'n'"),
        ({"grid": 5}, "grid must be a mapping of keys to lists of values, not 5"),
        ({"grid": None}, "a sweep of a function needs a grid"),
    ],
)
def test_a_wrong_sweep_of_a_function_is_one_sentence(keys: dict[str, Any], sentence: str) -> None:
    def make(n: int, **_: int) -> sheetsim.Model:
        return launch(n)

    with pytest.raises(sheetsim.SheetsimError, match=sentence):
        sheetsim.sweep(make, keys.pop("grid"), replicates=2, **keys)


def test_a_function_that_gives_no_model_is_refused_with_the_point() -> None:
    with pytest.raises(
        sheetsim.SheetsimError, match="the point n = 1: the function returned 1, which is neither a model nor a study"
    ):
        sheetsim.sweep(lambda n: n, {"n": [1]}, replicates=2)


def test_more_replicates_build_a_study_no_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inputs that a function makes of the seed come with another seed as draws do."""
    built: list[int] = []
    build = Symmetry.build
    monkeypatch.setattr(Symmetry, "build", lambda self: built.append(self.seed) or build(self))
    sheetsim.replicate(small("symmetry"), 2)
    few = len(built)
    sheetsim.replicate(small("symmetry"), 6)
    assert len(built) == 2 * few
