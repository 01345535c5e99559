"""Replicates: the numbers of single runs whatever the blocks, workers or cluster; intervals that cover; a live book."""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from conftest import SMALL
from engines import SOFFICE, ironcalc_cells, libreoffice_cells, poison
from hypothesis import given, settings
from hypothesis import strategies as some
from lint import lint
from scipy import stats

import sheetsim
from sheetsim.audit import recalculate
from sheetsim.audit.verify import verify
from sheetsim.cli.terminal import ProgressLine
from sheetsim.engine.moments import Moments, UnitMoments
from sheetsim.errors import SheetsimError
from sheetsim.runs import replicates_plan
from sheetsim.runs.intervals import interval_arrays
from sheetsim.runs.replicates import FLOOR
from sheetsim.runs.replicates_plan import Replicator, child_seed, spread_of_logs
from sheetsim.runs.streaming import COLUMNS, LAYER_COLUMNS, SHARES, nonnegative, products
from sheetsim.summary.theory import InputMoments, mean_field
from sheetsim.workbook.layout import Layout

VARIANCE = [name for name in COLUMNS if name not in LAYER_COLUMNS and not name.startswith("second")]

STUDIES: dict[str, dict[str, Any]] = {
    "relu": {},
    "sigmoid": {"activation": "sigmoid", "initializer": "std 1"},
    "tanh": {"activation": "tanh", "initializer": 0.3},
    "identity": {"activation": "identity", "initializer": "glorot"},
    "alike": {"activation": "tanh", "initializer": {"constant": 0.01}},
    "zeros": {"initializer": "zeros"},
    "dead": {"input": {"distribution": "uniform", "low": -3, "high": -1}, "initializer": {"constant": 0.5}},
    "one unit": {"inputs": 1, "layers": [1, 1]},
    "one sample": {"samples": 1},
    "uniform": {"input": {"distribution": "uniform", "low": -1, "high": 3}, "initializer": ["he", 0.5, "xavier"]},
    "correlated": {"input": {"distribution": "normal", "correlation": 0.5}},
    "lhs": {"sampling": "lhs"},
}


def study(**overrides: Any) -> sheetsim.Forward:
    return sheetsim.Forward(**{**SMALL, **overrides})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", STUDIES)
def test_a_replicate_is_the_run_with_its_seed(name: str) -> None:
    found = sheetsim.replicate(study(**STUDIES[name]), 3).frame()
    for replicate in range(3):
        own = found.loc[replicate]
        run = sheetsim.run(study(**STUDIES[name]), seed=int(own["seed"].iloc[0]))
        expected = pd.concat([run.summary(), run.variance()[VARIANCE]], axis=1)
        # Deviations and differences are as exact as the numbers that they are of.
        scale = expected.abs().max(axis=None) if name == "one sample" else 1
        np.testing.assert_allclose(
            own[list(expected)].to_numpy(float), expected.to_numpy(float), rtol=1e-9, atol=1e-13 * scale
        )


def test_blocks_of_samples_give_what_all_at_once_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, counts, _ = Replicator(study(samples=1000)).one(5)
    monkeypatch.setattr(replicates_plan, "BLOCK", 8 * 130)
    blocks, counts_of_blocks, _ = Replicator(study(samples=1000)).one(5)
    # Quantiles are those of the first block, and edges of the first block's tail.
    exact = [k for k, name in enumerate(COLUMNS) if not name.startswith("q")]
    np.testing.assert_allclose(blocks[:, exact], whole[:, exact], rtol=1e-10, atol=1e-12)
    assert counts_of_blocks.sum() == counts.sum() == 1000 * (6 + 8 + 5)


def test_pooled_histograms_are_the_sums_of_the_runs() -> None:
    bins = {"bins": 9, "range": (0.0, 2.5)}
    pooled = sheetsim.replicate(study(histogram=bins), 6)
    runs = [sheetsim.run(study(histogram=bins), seed=child_seed(0, k)).histograms() for k in range(6)]
    assert pooled.histograms()["count"].tolist() == sum(run["count"].to_numpy() for run in runs).tolist()
    assert pooled.histograms()["above"].tolist() == runs[0]["above"].tolist()


def test_statistics_are_scipys() -> None:
    found = sheetsim.replicate(study(), 40, bootstrap=True)
    rows, table = found.frame(), found.statistics()
    for (layer, name), row in table.iterrows():  # type: ignore[misc]
        numbers = rows.loc[(slice(None), layer), name].to_numpy()
        if np.isnan(numbers).any():
            continue
        np.testing.assert_allclose(row["mean"], np.mean(numbers), rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(row["sd"], np.std(numbers, ddof=1), rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(
            row[["p05", "p50", "p95"]].astype(float), np.quantile(numbers, [0.05, 0.5, 0.95]), rtol=1e-12
        )
        if row["sd"] > 1e-12:
            low, high = stats.t.interval(0.95, 39, np.mean(numbers), stats.sem(numbers))
            if name in nonnegative("relu"):
                share = (high - low) / 2 / np.mean(numbers)
                low, high = np.mean(numbers) * np.exp([-share, share])
            high = min(high, 1) if name in SHARES else high
            np.testing.assert_allclose([row["low"], row["high"]], [low, high], rtol=1e-9)
            if name in products("relu") and (numbers > 0).all():
                logs = np.log(numbers)
                own = np.exp(stats.t.interval(0.95, 39, logs.mean(), stats.sem(logs)))
                np.testing.assert_allclose(row["geometric"], stats.gmean(numbers), rtol=1e-12)
                np.testing.assert_allclose([row["geometric_low"], row["geometric_high"]], own.tolist(), rtol=1e-9)
            # The bootstrap's interval is about as wide, and shifted by skewness at most.
            # Of counts that are nearly all 0, many resamples have no spread, and there is none.
            if name != "dead_units":
                assert 0.6 < (row["boot_high"] - row["boot_low"]) / (high - low) < 1.6
            ratio = np.std(numbers, ddof=1) / (0.01 * abs(np.mean(numbers)))
            n = row["needed"]
            assert np.isnan(n) == (row["read"] != "mean")
            if 8 < n < 1e7:
                # One fewer is too few, or as good as enough; one more is enough.
                assert stats.t.ppf(0.975, n) * ratio <= np.sqrt(n + 1)
                assert stats.t.ppf(0.975, n - 3) * ratio > np.sqrt(n - 2)


def test_a_statistic_that_some_replicates_lack_is_that_of_the_others(tmp_path: Path) -> None:
    # Narrow relu networks die in some replicates: then there is no skewness.
    found = sheetsim.replicate(study(layers=[2, 2], samples=5), 40)
    numbers = found.frame().loc[(slice(None), 2), "skew"].to_numpy()
    there = numbers[np.isfinite(numbers)]
    row = found.statistics().loc[(2, "skew")]
    assert 2 < len(there) < 40
    assert row["replicates"] == len(there)
    np.testing.assert_allclose([row["mean"], row["sd"]], [there.mean(), there.std(ddof=1)], rtol=1e-10)
    assert_recalculated(found, tmp_path)


@pytest.mark.slow
def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """E[z²] of a first relu layer with He weights is E[x²] = 1 exactly; 200 experiments of 40 replicates."""
    tiny = {"samples": 8, "inputs": 6, "layers": [6]}
    x = sheetsim.replicate(study(**tiny), 200 * 40).frame()["second_moment"].to_numpy().reshape(200, 40)
    ends = interval_arrays(x.T, 0.95, nonnegative=True)
    covered = int(np.sum((ends["low"] <= 1) & (ends["high"] >= 1)))
    # Binomial: 190 ± 3.1; the mean of 40 skewed numbers costs a few per cent more.
    assert 190 - 5 * 3.1 <= covered <= 190 + 3 * 3.1


def test_theory_stands_beside_what_it_predicts_and_only_there() -> None:
    table = sheetsim.replicate("relu-he", 60, samples=200, layers=[100, 100, 100], seed=2).statistics()
    z = table["z"].unstack("layer").loc[["pooled", "second_moment", "moment_ratio", "moment"]]
    assert (z.abs() < 4.5).all(axis=None)
    assert table["theory"].unstack("layer").loc["second_moment"].tolist() == pytest.approx([1, 1, 1], rel=1e-12)
    assert table["theory"].unstack("layer").loc[["min", "max", "dead_units", "effective_units"]].isna().all(axis=None)
    wrong = sheetsim.replicate("relu-xavier", 60, samples=200, layers=[100, 100, 100], seed=2).statistics()
    off = (wrong["mean"] - table["theory"]) / wrong["se"]
    assert (off.unstack("layer").loc["second_moment"].abs() > 20).all()


ANTITHETIC = {"sampling": "antithetic", "activation": "tanh", "initializer": "xavier"}


@pytest.mark.parametrize("design", ["antithetic", "lhs", "sobol"])
def test_designs_have_no_theory_of_what_their_samples_make_together(design: str) -> None:
    found = sheetsim.replicate(study(sampling=design, samples=64), 3)
    table = found.statistics()["theory"].unstack("layer")
    assert table.loc[["within", "between", "additive", "over_samples"]].isna().all(axis=None)
    assert table.loc[["pooled", "second_moment"]].notna().all(axis=None)
    assert f"samples by {design} are not independent" in found.statistics().attrs["notes"][0]
    assert not sheetsim.replicate(study(), 3)._theory.gaps


def test_columns_of_mean_0_leave_no_z_of_rounding_errors() -> None:
    x = np.random.default_rng(0).standard_normal((40, 7))
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    for one in (sheetsim.Forward(input=x, layers=[6, 8], activation="tanh"), study(**ANTITHETIC)):
        table = sheetsim.replicate(one, 12).statistics()
        assert abs(table.loc[(1, "between"), "mean"]) < 1e-20
        assert np.isnan(table.loc[(1, "between"), "z"])
        assert table["z"].abs().max() < 100


SIZES = {
    "factor": ({"distribution": "normal", "correlation": 0.9}, "tanh"),
    "shifted factor": ({"distribution": "uniform", "low": -1, "high": 2, "correlation": 0.7}, "sigmoid"),
    "data": (None, "relu"),
}


@pytest.mark.parametrize("name", SIZES)
def test_theory_of_samples_that_differ_in_size_is_what_wide_networks_do(name: str) -> None:
    given, activation = SIZES[name]
    if given is None:
        rng = np.random.default_rng(1)
        given = rng.standard_normal((100, 100)) * np.exp(0.8 * rng.standard_normal((100, 1)))
    sizes = {} if name == "data" else {"samples": 100, "inputs": 100}
    wide = sheetsim.Forward(**sizes, layers=[100, 100], activation=activation, initializer="he", input=given)
    found = sheetsim.replicate(wide, 40)
    table = found.statistics()
    shown = table["theory"].unstack("layer")
    assert shown.loc[["within", "between", "additive"], 2].isna().all()
    rows = ["pooled", "second_moment", "moment", "saturated"] + ["kurtosis"] * (activation == "tanh")
    z = table["z"].unstack("layer").abs()
    # What one sample has is normal in the limit of width 100 as well; nothing is empty without a reason.
    assert not (z.loc[rows] > 4).any(axis=None)
    assert z.loc["second_moment"].notna().all()
    assert not (z.loc[["within", "between"], 1] > 4).any(axis=None)
    # The control: samples of one size, as independent inputs have.
    even = InputMoments(found._theory.values[1, "moment"] / 2, 0)
    alike = mean_field(activation, [100, 100], [np.sqrt(2 / 100)] * 2, even)
    if activation != "relu":
        row = table.loc[(1, "second_moment")]
        assert abs(row["mean"] - alike.loc[1, "second_moment"]) > 5 * row["se"]
    else:
        assert (
            abs((table.loc[(1, "kurtosis"), "mean"] - alike.loc[1, "kurtosis"]) / table.loc[(1, "kurtosis"), "se"]) > 5
        )


def test_intervals_of_what_is_never_negative_do_not_reach_below_0() -> None:
    found = sheetsim.replicate(study(), 2)
    table = found.statistics()
    rows = table.index.get_level_values("statistic").isin(nonnegative("relu"))
    assert (table.loc[rows, "low"].dropna() >= 0).all()
    assert (table.loc[rows, "mean"] - table.loc[rows, "half"]).min() < 0
    assert (table.xs("saturated", level="statistic")["high"] <= 1).all()
    assert (found.claims()["low"] > 0).all()
    assert set(found.claims()["verdict"]) == {"undecided"}


@pytest.mark.slow
def test_the_geometric_mean_is_read_and_its_interval_covers_where_a_few_seeds_make_the_mean() -> None:
    """ln‖z‖² of one sample varies over seeds by nearly Σ 5/units (Hanin & Rolnick 2018), more where these are few."""
    narrow = sheetsim.Forward(samples=1, inputs=20, layers=[20] * 20, initializer="he")
    found = sheetsim.replicate(narrow, 240)
    x = found.frame()["second_moment"].xs(20, level="layer").to_numpy().reshape(24, 10)
    logs, middle = np.log(x), np.log(x).mean()
    # Of 240 normal numbers the standard error of the variance is 9 % of it.
    assert logs.var() == pytest.approx(spread_of_logs(narrow), rel=3 * 0.09)
    assert spread_of_logs(narrow) > 20 * 5 / 20
    held = {"mean": 0, "geometric": 0}
    for row in x:
        # E[z²] stays 1 at every width and depth.
        ends = interval_arrays(row[:, None], 0.95, nonnegative=True)
        held["mean"] += bool(ends["low"][0] <= 1 <= ends["high"][0])
        ends = interval_arrays(np.log(row)[:, None], 0.95)
        held["geometric"] += bool(ends["low"][0] <= middle <= ends["high"][0])
    # Binomial: 22.8 ± 1.1 of 24 at 95 %.
    assert held["mean"] < 19
    assert held["geometric"] >= 20
    few = sheetsim.replicate(narrow, 10)
    table = few.statistics()
    row = table.loc[(20, "second_moment")]
    assert row["read"] == "geometric"
    assert row[["z", "needed"]].isna().all()
    assert "Hanin & Rolnick 2018" in table.attrs["notes"][-1]
    assert f"up to about {spread_of_logs(narrow):.2g} by depth and width" in table.attrs["notes"][-1]
    assert set(few.claims()["verdict"].xs(20, level="layer")) == {"undecided", "no value"}
    assert not sheetsim.replicate("relu-he", 3, samples=5, layers=[100]).notes


@pytest.mark.slow
def test_no_error_value_stands_in_a_table_over_replicates(tmp_path: Path) -> None:
    for name in ("zeros", "one sample", "alike", "lhs", "dead"):
        found = sheetsim.replicate(study(**STUDIES[name]), 2)
        book = openpyxl.load_workbook(found.to_excel(tmp_path / "a.xlsx"), data_only=True)
        for title in ("Overview", "Statistics", "Convergence"):
            texts = [c.value for row in book[title].iter_rows() for c in row if isinstance(c.value, str)]
            assert not [text for text in texts if text.startswith("#")], (name, title)


def test_until_is_a_share_in_python_as_on_the_command_line() -> None:
    counts = {sheetsim.replicate(study(), 60, until=until, statistics=["var"]).count for until in (0.2, "20%", "0.2")}
    assert len(counts) == 1
    with pytest.raises(SheetsimError, match="until abc: write a share, for example 2%"):
        sheetsim.replicate(study(), 3, until="abc")


def test_progress_names_no_width_before_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    shown = ProgressLine(1)
    monkeypatch.setattr(shown, "sheet", lines.append)
    sheetsim.replicate(study(), 3, progress=shown.replicate(3))
    assert len(lines) == 3
    assert "inf" not in "".join(lines)
    assert ["±" in line for line in lines] == [False, True, True]


def test_claims_over_replicates_find_the_true_and_the_false() -> None:
    claims = sheetsim.replicate("relu-he", 150, samples=200, layers=[100, 100], seed=1).claims()["verdict"]
    by_claim = {claim: set(claims.loc[claim]) for claim in claims.index.unique("claim")}
    assert by_claim.pop("ReLU halves the variance: Var(z) = Var(a)/2") == {"does not hold"}
    assert all("does not hold" not in found for found in by_claim.values())
    assert {verdict for claim in by_claim for verdict in [claims[claim, 1]]} <= {"holds", "nearly"}


@pytest.mark.slow
def test_workers_and_cluster_give_the_same_bytes(tmp_path: Path) -> None:
    books = []
    for k, how in enumerate(({}, {"workers": 2}, {"workers": 2, "scheduler": "local"})):
        found = sheetsim.replicate(study(), 130, **how)
        books.append(found.to_excel(tmp_path / f"{k}.xlsx").read_bytes())
    assert books[0] == books[1] == books[2]


def test_until_stops_at_the_first_replicate_that_is_precise_enough() -> None:
    found = sheetsim.replicate(study(), 500, until=0.1, statistics=["mean"], workers=2)
    assert FLOOR < found.count < 500
    assert found.reason.startswith(f"stopped at {found.count}: the widest interval of mean is ±")

    def widest(count: int) -> float:
        table = sheetsim.replicate(study(), count).statistics().xs("mean", level="statistic")
        return float((table["half"] / table["mean"]).max())

    assert widest(found.count) <= 0.1 < widest(found.count - 1)
    capped = sheetsim.replicate(study(), 31, until=1e-6)
    assert capped.count == 31
    assert capped.reason.startswith("stopped at the most that were allowed, 31")
    assert sheetsim.replicate(study(), 100, until=0.9).count == FLOOR


def test_single_precision_is_near_double() -> None:
    double, single = (sheetsim.replicate("tanh-xavier", 3, samples=200, single=one).frame() for one in (False, True))
    assert (double["seed"] == single["seed"]).all()
    error = ((single - double).abs() / double.abs())[["mean", "var", "pooled", "effective_units"]]
    assert error["var"].max() < 1e-5
    assert error["var"].max() > 0
    said = sheetsim.replicate("tanh-xavier", 4, samples=200, single=True).statistics()["rounding"]
    assert said.xs("var", level="statistic").max() >= error["var"].max()


def test_a_network_that_overflows_gives_a_book_of_errors_and_no_warning(tmp_path: Path) -> None:
    found = sheetsim.replicate(study(initializer=1e200), 5)
    assert not np.isfinite(found.statistics().loc[(3, "var"), "mean"])
    assert_recalculated(found, tmp_path)


def test_children_are_independent_of_how_many_there_are_and_differ() -> None:
    seeds = [child_seed(7, k) for k in range(10_000)]
    assert len(set(seeds)) == 10_000
    assert max(seeds) < 10**15
    assert seeds[:3] == [child_seed(7, k) for k in range(3)]
    means = [sheetsim.replicate(study(seed=s), 2).frame()["mean"].to_numpy() for s in (1, 2)]
    assert not np.intersect1d(*means).size


numbers = some.lists(some.floats(-1e3, 1e3), min_size=1, max_size=30)


@given(numbers, numbers, some.sampled_from([0.0, 1e9]))
@settings(max_examples=200, deadline=None)
def test_merged_moments_are_those_of_all_numbers(left: list[float], right: list[float], offset: float) -> None:
    a, b = (np.array([side]) + offset for side in (left, right))
    found = Moments.of(a).merge(Moments.of(b))
    exact = [Fraction(float(number)) for number in np.concatenate([a, b], axis=1)[0]]
    mean = sum(exact) / len(exact)
    spread = float(max(abs(number - mean) for number in exact)) + 1e-12 * abs(offset)
    largest = float(max(abs(number) for number in exact))
    assert found.count == len(exact)
    assert abs(found.mean - float(mean)) <= 1e-13 * (abs(offset) + 1e3)
    for power, sum_of_powers in ((2, found.m2), (3, found.m3), (4, found.m4)):
        truth = float(sum((number - mean) ** power for number in exact))
        # Rounding of numbers near 1e9 moves each deviation by 1e-7 at most.
        error = len(exact) * power * (spread + 1e-6) ** (power - 1) * (1e-12 * largest + 2.4e-7 * (offset > 0))
        assert abs(sum_of_powers - truth) <= error + 1e-12 * abs(truth) + 1e-290


def test_merged_unit_moments_keep_their_digits_where_squares_lose_them() -> None:
    x = np.random.default_rng(0).normal(size=(900, 5)) * 1e-3 + 1e6
    merged = UnitMoments.of(x[:200]).merge(UnitMoments.of(x[200:550])).merge(UnitMoments.of(x[550:]))
    np.testing.assert_allclose(merged.m2, 900 * np.cov(x.T, bias=True), rtol=1e-5, atol=1e-9)
    squares = (x.T @ x) / 900 - np.outer(x.mean(axis=0), x.mean(axis=0))
    assert not np.allclose(squares, np.cov(x.T, bias=True), rtol=0.1)


def assert_recalculated(found: sheetsim.Replicates, folder: Path, engine: str = "ironcalc") -> None:
    """Every formula of the book, from poisoned caches, gives what NumPy gave."""
    book = found.to_excel(folder / "replicates.xlsx")
    assert lint(book) == []
    poison(book, folder / "poisoned.xlsx")
    read = ironcalc_cells if engine == "ironcalc" else lambda path: libreoffice_cells([path])[0]
    cells = read(folder / "poisoned.xlsx")
    # Bytes do not depend on it: the same sheets again, for the places of their nodes.
    layout = Layout(found._book.sheets("", {}, True))
    from sheetsim.engine.evaluate import evaluate

    values = evaluate(layout.places)
    assert len(layout.formulas) > 100
    for node in layout.formulas:
        place = layout.places[node]
        actual = cells(place.sheet, place.row, place.column, place.shape)
        if values[node].dtype.kind == "U":
            # Which error value it is differs between the engines and NumPy, which has NaN alone.
            assert actual == values[node].tolist() or (actual[0][0] + values[node][0, 0]).count("#") == 2
            continue
        plain = np.array([[float("nan") if isinstance(v, str | None) else v for v in row] for row in actual], float)
        scale = np.nanmax(np.abs(values[node])) if np.isfinite(values[node]).any() else 0
        expected = np.where(np.isfinite(values[node]), values[node], np.nan)
        np.testing.assert_allclose(plain, expected, rtol=1e-8, atol=1e-11 * scale + 1e-15, err_msg=str(place))


@pytest.mark.every(2)
@pytest.mark.parametrize("name", ["relu", "sigmoid", "one sample"])
def test_ironcalc_recalculates_the_book(name: str, tmp_path: Path) -> None:
    assert_recalculated(sheetsim.replicate(study(**STUDIES[name]), 35), tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(SOFFICE is None, reason="soffice is not installed")
def test_libreoffice_recalculates_the_book(tmp_path: Path) -> None:
    assert_recalculated(sheetsim.replicate(study(), 35), tmp_path, "libreoffice")


def test_verify_makes_the_replicates_again_and_finds_an_edit(tmp_path: Path) -> None:
    words = ("replicate", "relu-he", *FAST, "--replicates", "35", "--output", "a.xlsx")
    assert sheetsim_command(*words, cwd=tmp_path).returncode == 0
    sound = verify(tmp_path / "a.xlsx")
    assert (sound.state, sound.ok) == ("as made", True)
    assert {row.engine for row in sound.rows} == {"ironcalc", "numpy"}
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    place = book.defined_names["results"].attr_text
    assert place.startswith("Replicates!$B$2")
    book["Replicates"]["D9"] = 5.5
    book.save(tmp_path / "b.xlsx")
    assert recalculate.fill(tmp_path / "b.xlsx", "ironcalc") > 0  # openpyxl saves formulas without values
    edited = verify(tmp_path / "b.xlsx")
    assert (edited.state, edited.ok) == ("edited", True)
    assert any(change.name == "results" for change in edited.changes)


def sheetsim_command(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sheetsim", *words], capture_output=True, text=True, check=False, cwd=cwd, timeout=120
    )


FAST = ("--set", "samples=20", "--set", "inputs=5", "--set", "layers=[4,4]")


@pytest.mark.slow
def test_the_command_on_about_makes_the_same_file(tmp_path: Path) -> None:
    words = ("replicate", "relu-he", *FAST, "--replicates", "40", "--until", "30%", "--statistics", "mean,var")
    done = sheetsim_command(*words, "--output", "a.xlsx", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    about = pd.read_excel(tmp_path / "a.xlsx", sheet_name="About", header=None, engine="openpyxl").set_index(0)[1]
    import shlex

    again = shlex.split(about["command"])
    assert again[0] == "sheetsim"
    assert sheetsim_command(*again[1:], "--output", "b.xlsx", cwd=tmp_path).returncode == 0
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()


@pytest.mark.slow
def test_the_command_prints_every_table_in_every_format(tmp_path: Path) -> None:
    words = ("replicate", "tanh-xavier", *FAST, "--replicates", "12")
    plain = sheetsim_command(*words, cwd=tmp_path)
    assert "tanh-xavier, 12 replicates (12 were asked for)" in plain.stdout
    assert (tmp_path / "outputs" / "tanh-xavier-replicates.xlsx").exists()
    for table, rows in (("statistics", 2 * len(COLUMNS)), ("claims", 4), ("histograms", 64), ("replicates", 24)):
        done = sheetsim_command(*words, "--table", table, "--json", cwd=tmp_path)
        assert len(json.loads(done.stdout)) == rows
    csv = sheetsim_command(*words, "--table", "statistics", "--format", "csv", cwd=tmp_path).stdout
    assert csv.count("\n") == 2 * len(COLUMNS) + 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--replicates", "1"), "replicates must be a whole number of at least 2, not 1"),
        (("--until", "abc"), "write a share, for example 2%"),
        (("--until", "200%"), "until must lie between 0 and 1"),
        (("--statistics", "median"), "unknown statistic 'median'"),
        (("--workers", "0"), "workers must be a whole number of at least 1"),
        (("--set", "sampling=sobol", "--set", "samples=20"), "power of two"),
        pytest.param(("--scheduler", "tcp://127.0.0.1:1"), "cannot reach a Dask scheduler", marks=pytest.mark.slow),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_written(
    words: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    done = sheetsim_command("replicate", "relu-he", "--replicates", "3", *FAST, *words, cwd=tmp_path)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.rglob("*.xlsx"))


# Not ru_maxrss: on Linux that begins with the peak of the process that started this one.
PEAK = 'print(re.findall(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[0])'

MEASURED = f"""
import re, sheetsim
study = sheetsim.Forward(samples=2_000_000, inputs=100, layers=[100] * 5, initializer="he")
found = sheetsim.replicate(study, 2)
assert found.histograms()["count"].sum() == 2 * 5 * 2_000_000 * 100
{PEAK}
"""


@pytest.mark.slow
def test_a_thousand_million_activations_a_replicate_take_under_500_megabytes() -> None:
    done = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 500 * 1024


@pytest.mark.slow
def test_memory_does_not_grow_with_replicates(tmp_path: Path) -> None:
    code = (
        "import re, sys, sheetsim\n"
        "study = sheetsim.Forward(samples=2, inputs=2, layers=[2, 2])\n"
        "found = sheetsim.replicate(study, int(sys.argv[1]))\n"
        f"{PEAK}\n"
    )
    peaks = [
        int(subprocess.run([sys.executable, "-c", code, n], capture_output=True, text=True, check=True).stdout)
        for n in ("50", "4000")
    ]
    # 4,000 rows of 44 numbers are 1.4 MB on disk; lists of them would be ten times that.
    assert peaks[1] - peaks[0] < 6 * 1024
