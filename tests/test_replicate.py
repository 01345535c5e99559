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
from sheetsim.engine.moments import Moments, UnitMoments
from sheetsim.experiments import replicates as replicates_module
from sheetsim.experiments.replicates import Replicator, child_seed
from sheetsim.replication import FLOOR
from sheetsim.summary.streaming import COLUMNS, LAYER_COLUMNS
from sheetsim.verify import verify
from sheetsim.workbook import recalculate
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
    whole, counts = Replicator(study(samples=1000)).one(5)
    monkeypatch.setattr(replicates_module, "BLOCK", 8 * 130)
    blocks, counts_of_blocks = Replicator(study(samples=1000)).one(5)
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
        np.testing.assert_allclose(row[["p05", "p50", "p95"]], np.quantile(numbers, [0.05, 0.5, 0.95]), rtol=1e-12)
        if row["sd"] > 1e-12:
            low, high = stats.t.interval(0.95, 39, np.mean(numbers), stats.sem(numbers))
            np.testing.assert_allclose([row["low"], row["high"]], [low, high], rtol=1e-9)
            # The bootstrap's interval is about as wide, and shifted by skewness at most.
            assert 0.6 < (row["boot_high"] - row["boot_low"]) / (high - low) < 1.5
            ratio = np.std(numbers, ddof=1) / (0.01 * abs(np.mean(numbers)))
            n = int(row["needed"])
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


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """E[z²] of a first relu layer with He weights is E[x²] = 1 exactly; 200 experiments of 40 replicates."""
    tiny = {"samples": 8, "inputs": 6, "layers": [6]}
    covered = 0
    for seed in range(200):
        row = sheetsim.replicate(study(**tiny, seed=seed), 40).statistics().loc[(1, "second_moment")]
        covered += row["low"] <= 1 <= row["high"]
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


def test_claims_over_replicates_find_the_true_and_the_false() -> None:
    claims = sheetsim.replicate("relu-he", 150, samples=200, layers=[100, 100], seed=1).claims()["verdict"]
    by_claim = {claim: set(claims.loc[claim]) for claim in claims.index.unique("claim")}
    assert by_claim.pop("ReLU halves the variance: Var(z) = Var(a)/2") == {"does not hold"}
    assert all(found <= {"holds", "nearly"} for found in by_claim.values())


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


@pytest.mark.parametrize("name", ["relu", "sigmoid", "one sample"])
def test_ironcalc_recalculates_the_book(name: str, tmp_path: Path) -> None:
    assert_recalculated(sheetsim.replicate(study(**STUDIES[name]), 35), tmp_path)


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


def test_the_command_prints_every_table_in_every_format(tmp_path: Path) -> None:
    words = ("replicate", "tanh-xavier", *FAST, "--replicates", "12")
    plain = sheetsim_command(*words, cwd=tmp_path)
    assert "tanh-xavier, 12 replicates (12 were asked for)" in plain.stdout
    assert (tmp_path / "outputs" / "tanh-xavier-replicates.xlsx").exists()
    for table, rows in (("statistics", 2 * len(COLUMNS)), ("claims", 4), ("histograms", 64), ("replicates", 24)):
        done = sheetsim_command(*words, "--table", table, "--json", cwd=tmp_path)
        assert len(json.loads(done.stdout)) == rows
        assert (
            sheetsim_command(*words, "--table", table, "--format", "csv", cwd=tmp_path).stdout.count("\n") == rows + 1
        )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--replicates", "1"), "replicates must be a whole number from 2, not 1"),
        (("--until", "abc"), "write a share, for example 2%"),
        (("--until", "200%"), "until must lie between 0 and 1"),
        (("--statistics", "median"), "unknown statistic 'median'"),
        (("--workers", "0"), "workers must be a whole number from 1"),
        (("--set", "sampling=sobol", "--set", "samples=20"), "power of two"),
        (("--scheduler", "tcp://127.0.0.1:1"), "cannot reach a Dask scheduler"),
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


MEASURED = """
import resource, sheetsim
study = sheetsim.Forward(samples=2_000_000, inputs=100, layers=[100] * 5, initializer="he")
found = sheetsim.replicate(study, 2)
assert found.counts.sum() == 2 * 5 * 2_000_000 * 100
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_a_thousand_million_activations_a_replicate_take_under_500_megabytes() -> None:
    done = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 500 * 1024


def test_memory_does_not_grow_with_replicates(tmp_path: Path) -> None:
    code = (
        "import resource, sys, sheetsim\n"
        "study = sheetsim.Forward(samples=2, inputs=2, layers=[2, 2])\n"
        "found = sheetsim.replicate(study, int(sys.argv[1]))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    peaks = [
        int(subprocess.run([sys.executable, "-c", code, n], capture_output=True, text=True, check=True).stdout)
        for n in ("50", "4000")
    ]
    # 4,000 rows of 44 numbers are 1.4 MB on disk; lists of them would be ten times that.
    assert peaks[1] - peaks[0] < 6 * 1024
