"""Sweeps: the numbers are those of separate replicates, a killed sweep goes on where it was, mistakes are sentences."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from lint import lint

from sheetsim.audit.verify import verify
from sheetsim.cli import terminal
from sheetsim.errors import SheetsimError
from sheetsim.runs import sweep as sweep_module
from sheetsim.runs.intervals import interval_arrays
from sheetsim.runs.replicates import replicate
from sheetsim.runs.run import run
from sheetsim.runs.streaming import COLUMNS, WORDS
from sheetsim.runs.sweep import sweep
from sheetsim.runs.sweep_grid import load_sweep

SMALL: dict[str, Any] = {
    "template": "tanh-xavier",
    "replicates": 3,
    "set": {"samples": 20, "inputs": 6},
    "grid": {"initializer": [0.1, "he", 0.5], "depth": [1, 4], "width": [5, 7]},
}

SLOW_TOML = """
template = "relu-he"
replicates = 2
set = {samples = 400, inputs = 200}
[grid]
initializer = {from = 0.05, to = 0.2, steps = 10}
width = [200]
"""

TOML = """
title = "A small sweep"
template = "relu-he"
replicates = 3
set = {samples = 20, inputs = 6, layers = [5, 4]}
[grid]
initializer = {from = 0.01, to = 2, steps = 4, scale = "log"}
activation = ["relu", "tanh"]
"""


def cells_of(book: Path, sheet: str, *, data_only: bool) -> dict[str, Any]:
    """A sheet's cells by their addresses: values, or formulas where there are some."""
    found = openpyxl.load_workbook(book, data_only=data_only)[sheet]
    return {cell.coordinate: cell.value for row in found.iter_rows() for cell in row if cell.value is not None}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sheetsim", *arguments]


def test_each_point_is_bit_for_bit_its_replicates() -> None:
    frame = sweep(SMALL).frame()
    assert list(frame.columns) == ["initializer", "depth", "width", "replicate", "seed", "layer", *COLUMNS]
    assert len(frame) == 3 * 2 * 3 * (1 + 4)
    for (initializer, depth, width), own in frame.groupby(["initializer", "depth", "width"], sort=False):
        scheme = initializer if initializer == "he" else float(initializer)
        layers = [int(width)] * depth
        alone = replicate("tanh-xavier", 3, samples=20, inputs=6, initializer=scheme, layers=layers).frame()
        expected = alone.reset_index()[["replicate", "seed", "layer", *COLUMNS]]
        pd.testing.assert_frame_equal(own[expected.columns].reset_index(drop=True), expected, check_exact=True)


def test_statistics_are_those_of_replicates() -> None:
    found = sweep(SMALL).statistics()
    alone = replicate("tanh-xavier", 3, samples=20, inputs=6, initializer=0.5, layers=[7] * 4).statistics()
    own = found[(found.initializer == "0.5") & (found.depth == 4) & (found.width == 7)]
    own = own.set_index(["layer", "statistic"]).loc[alone.index]
    for column in ("mean", "sd", "se", "low", "high"):
        np.testing.assert_allclose(own[column], alone[column], rtol=1e-12, atol=1e-14)
    assert (own["replicates"] == alone["replicates"]).all()


def test_intervals_of_extreme_and_missing_numbers() -> None:
    x = np.array([[1e300, 2e-308, np.nan, np.inf, 3.0], [3e300, 4e-308, 5.0, np.nan, 3.0]])
    found = interval_arrays(x, 0.95)
    assert found["replicates"].tolist() == [2, 2, 1, 0, 2]
    np.testing.assert_allclose(found["mean"][:3], [2e300, 3e-308, 5.0])
    np.testing.assert_allclose(found["sd"][:2], [2**0.5 * 1e300, 2**0.5 * 1e-308])
    assert np.isnan(found["mean"][3])
    assert np.isnan(found["sd"][2])
    assert found["low"][4] == found["high"][4] == 3.0


def test_a_shallow_network_is_the_beginning_of_a_deep_one_and_is_not_computed_again(tmp_path: Path) -> None:
    frame = sweep(SMALL, folder=tmp_path).frame()
    shallow, deep = (frame[(frame.depth == depth) & (frame.layer == 1)] for depth in (1, 4))
    np.testing.assert_array_equal(shallow[list(COLUMNS)], deep[list(COLUMNS)])
    assert len(list(tmp_path.iterdir())) == 6


def test_points_share_their_draws(tmp_path: Path) -> None:
    frame = sweep({**SMALL, "replicates": 30, "grid": {"initializer": [0.3, 0.33]}}).frame()
    one, other = (frame[(frame.initializer == sd) & (frame.layer == 5)] for sd in (0.3, 0.33))
    assert one.seed.tolist() == other.seed.tolist()
    seed = int(one.seed.iloc[0])
    runs = [run("tanh-xavier", samples=20, inputs=6, initializer=sd, seed=seed) for sd in (0.3, 0.33)]
    np.testing.assert_array_equal(runs[0]["e_3"], runs[1]["e_3"])
    np.testing.assert_array_equal(runs[0]["x"], runs[1]["x"])
    # Against replicates of other draws: the next one's.
    common, independent = one["var"].to_numpy() - other["var"].to_numpy(), one["var"] - np.roll(other["var"], 1)
    assert common.var() < independent.var() / 2


@pytest.mark.parametrize("scheduler", [None, pytest.param("local", marks=pytest.mark.slow)])
def test_workers_change_no_byte(tmp_path: Path, scheduler: str | None) -> None:
    files = []
    for workers in (1, 2):
        found = sweep(SMALL, workers=workers, scheduler=scheduler if workers == 2 else None)
        folder = tmp_path / str(workers)
        folder.mkdir()
        made = found.to_parquet(folder / "a.parquet"), found.to_excel(folder / "a.xlsx")
        files.append([path.read_bytes() for path in made])
    assert files[0] == files[1]


def parts_of(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("parts/*.npy")}


def results(folder: Path) -> list[bytes]:
    return [next(folder.glob(f"*.{kind}")).read_bytes() for kind in ("parquet", "xlsx")]


def stopped(folder: Path, stop: Callable[[subprocess.Popen[bytes]], None], workers: int) -> tuple[int, dict[str, int]]:
    """Starts the slow sweep, stops it after its second part, and returns its status and its parts."""
    arguments = command("sweep", "slow.toml", "--output", folder.name, "--workers", str(workers))
    process = subprocess.Popen(arguments, cwd=folder.parent, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    for _ in range(3000):
        if len(parts_of(folder)) >= 2 or process.poll() is not None:
            break
        time.sleep(0.01)
    stop(process)
    status = process.wait(60)
    return status, parts_of(folder)


@pytest.mark.parametrize(
    ("workers", "how", "status"),
    [
        (1, signal.SIGKILL, -9),
        pytest.param(2, signal.SIGKILL, -9, marks=pytest.mark.slow),
        pytest.param(1, signal.SIGINT, 130, marks=pytest.mark.slow),
        pytest.param(2, signal.SIGINT, 130, marks=pytest.mark.slow),
    ],
)
def test_a_stopped_sweep_goes_on_where_it_was(tmp_path: Path, workers: int, how: int, status: int) -> None:
    (tmp_path / "slow.toml").write_text(SLOW_TOML)
    found, kept = stopped(tmp_path / "stopped", lambda process: os.kill(process.pid, how), workers)
    assert found == status
    assert 2 <= len(kept) < 10
    assert not list((tmp_path / "stopped").glob("slow.*"))
    for folder, workers_then in (("stopped", 1), ("whole", 3 - workers)):
        arguments = command("sweep", "slow.toml", "--output", folder, "--workers", str(workers_then))
        subprocess.run(arguments, cwd=tmp_path, check=True, capture_output=True)
    after = parts_of(tmp_path / "stopped")
    assert len(after) == 10
    assert {name: after[name] for name in kept} == kept
    assert results(tmp_path / "stopped") == results(tmp_path / "whole")


@pytest.mark.slow
def test_two_sweeps_at_once_share_a_folder(tmp_path: Path) -> None:
    (tmp_path / "slow.toml").write_text(SLOW_TOML)
    both = [subprocess.Popen(command("sweep", "slow.toml", "--output", "one"), cwd=tmp_path) for _ in range(2)]
    assert [process.wait(120) for process in both] == [0, 0]
    subprocess.run(command("sweep", "slow.toml", "--output", "two"), cwd=tmp_path, check=True)
    assert results(tmp_path / "one") == results(tmp_path / "two")
    assert {path.name for path in (tmp_path / "one").iterdir()} == {"parts", "slow.parquet", "slow.xlsx"}


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[:200],
        lambda content: content[:300] + bytes([content[300] ^ 1]) + content[301:],
        lambda content: b"no array",
    ],
    ids=["empty", "last byte", "cut", "flipped", "other"],
)
def test_a_damaged_part_is_computed_again(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    whole = sweep(SMALL, folder=tmp_path).frame()
    parts = {path: path.read_bytes() for path in tmp_path.iterdir()}
    first = next(iter(parts))
    first.write_bytes(damage(parts[first]))
    pd.testing.assert_frame_equal(sweep(SMALL, folder=tmp_path).frame(), whole, check_exact=True)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == parts


def test_a_part_of_another_name_is_never_used(tmp_path: Path) -> None:
    whole = sweep(SMALL, folder=tmp_path).frame()
    first, second, *_ = tmp_path.iterdir()
    first.write_bytes(second.read_bytes())
    pd.testing.assert_frame_equal(sweep(SMALL, folder=tmp_path).frame(), whole, check_exact=True)


def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the replicates that are computed from here on."""
    counts: list[int] = []
    measure = sweep_module.measure
    monkeypatch.setattr(
        sweep_module, "measure", lambda batch: counts.append(batch.last - batch.first) or measure(batch)
    )
    return counts


@pytest.mark.parametrize(
    ("change", "again"),
    [
        ({}, 0),
        ({"title": "Another", "show": ["mean", "pooled"]}, 0),
        ({"grid": {"initializer": [0.5], "depth": [4], "width": [7]}}, 0),
        ({"grid": {"initializer": [0.5, 0.7], "depth": [4], "width": [7]}}, 3),
        ({"replicates": 4}, 24),
        ({"seed": 1}, 18),
        ({"set": {"samples": 21, "inputs": 6}}, 18),
        ({"set": {"samples": 20, "inputs": 6, "histogram": {"bins": 5}, "report": "summary"}}, 0),
    ],
    ids=str,
)
def test_only_what_other_parameters_change_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], again: int
) -> None:
    sweep(SMALL, folder=tmp_path)
    counts = computed(monkeypatch)
    sweep(SMALL | change, folder=tmp_path)
    assert sum(counts) == again


def test_long_points_are_kept_in_batches_of_replicates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sweep(SMALL).frame()
    monkeypatch.setattr(
        sweep_module, "PART", 2.1 * max(sweep_module.cost(point.observed) for point in load_sweep(SMALL).points)
    )
    pd.testing.assert_frame_equal(sweep(SMALL, folder=tmp_path).frame(), whole, check_exact=True)
    assert {re.sub(r"^\w+-", "", path.stem) for path in tmp_path.iterdir()} >= {"0-2", "2-3"}


def test_progress_counts_points_and_work(tmp_path: Path) -> None:
    told: list[tuple[int, int, float]] = []
    sweep(SMALL, folder=tmp_path, progress=lambda *now: told.append(now))
    assert [done for done, _, _ in told] == [2, 4, 6, 8, 10, 12]
    assert told[-1] == (12, 12, pytest.approx(1))
    told.clear()
    next(tmp_path.iterdir()).unlink()
    sweep(SMALL, folder=tmp_path, progress=lambda *now: told.append(now))
    assert told == [(12, 12, 1)]


def test_tanh_on_both_sides_of_the_edge_of_chaos() -> None:
    """From small inputs the variance falls with depth for n·sd² < 1 and grows to a fixed point above (Poole 2016)."""
    tanh = {
        "template": "tanh-xavier",
        "replicates": 8,
        "set": {"samples": 50, "inputs": 60, "input": {"distribution": "normal", "std": 0.1}},
        "grid": {"initializer": [0.8 / 60**0.5, 1.25 / 60**0.5], "depth": [8], "width": [60]},
    }
    means = sweep(tanh).frame().groupby(["initializer", "layer"])["var"].mean().unstack()
    trend = np.log(means[8] / means[1])
    assert trend.iloc[0] < -1
    assert trend.iloc[1] > 1


def test_relus_pooled_variance_grows_by_half_of_n_sd2_a_layer() -> None:
    """In the mean (He et al. 2015); the pooled variance leaves out the square of the mean of a, 1/n of it at most."""
    n, sds = 60, [0.1, 0.2, 0.3]
    relu = {
        "template": "relu-he",
        "replicates": 100,
        "set": {"samples": 10, "inputs": n, "depth": 3, "width": n},
        "grid": {"initializer": sds},
    }
    found = sweep(relu).statistics()
    for sd in sds:
        for statistic, bias in (("second_moment_a", 0), ("pooled", 1 / n)):
            own = found[(found.initializer == sd) & (found.statistic == statistic)].set_index("layer")
            for layer in (2, 3):
                expected = n * sd**2 * (n * sd**2 / 2) ** (layer - 1)
                allowed = 4 * own.se[layer] + bias * expected
                assert abs(own["mean"][layer] - expected) < allowed


@pytest.mark.parametrize("grid", [
    {"initializer": [0.1, 1.0], "activation": ["tanh", "relu"], "depth": [1, 3]},
    {"depth": [2]},
    {"layers": [[3], [4, 2]], "input": ["normal", {"distribution": "uniform", "low": 0, "high": 1}]},
    {"initializer": [["he", 0.1, "zeros", 1, 2], "zeros", 1e200], "inputs": [4, 5]},
    {"initializer": {"from": 0.01, "to": 2, "steps": 15, "scale": "log"}},
], ids=lambda grid: ",".join(grid))  # fmt: skip
def test_books_are_sound_and_recalculate(tmp_path: Path, grid: dict[str, Any]) -> None:
    found = sweep({**SMALL, "set": {"samples": 20}, "grid": grid, "show": ["var", "mean", "dead_units"]})
    book = found.to_excel(tmp_path / "book.xlsx")
    assert lint(book) == []
    assert lint(found.to_excel(tmp_path / "values.xlsx", values_only=True)) == []
    assert verify(book).ok


def test_the_heat_map_shows_the_last_layer_of_each_point(tmp_path: Path) -> None:
    found = sweep({**SMALL, "grid": {"width": [5, 7], "activation": ["tanh", "relu"]}, "show": "effective_units"})
    means = found.last_layers().set_index(["width", "activation"])["mean"]
    path = found.to_excel(tmp_path / "book.xlsx")
    values, formulas = (cells_of(path, "Heat map", data_only=data_only) for data_only in (True, False))
    shown = {place: values[place] for place, text in formulas.items() if str(text).startswith("=")}
    assert sorted(shown.values()) == sorted(means)


def test_every_statistic_has_its_words() -> None:
    assert tuple(WORDS) == COLUMNS


def test_the_command_writes_a_table_a_book_and_parts(sheetsim, tmp_path: Path) -> None:
    Path("mine.toml").write_text(TOML)
    status, out, err = sheetsim("sweep", "mine.toml")
    assert (status, err) == (0, "")
    assert out.splitlines()[0].startswith("mine, 8 points, 3 replicates each")
    assert len(out.splitlines()) == 2 + 8
    frame = pd.read_parquet("outputs/mine/mine.parquet")
    assert len(frame) == 8 * 3 * 2
    assert Path("outputs/mine/mine.xlsx").is_file()
    status, out, _ = sheetsim("sweep", "mine.toml", "--output", "other", "--json", "--workers", "2")
    assert status == 0
    assert len(json.loads(out)) == 8
    assert Path("other/mine.parquet").read_bytes() == Path("outputs/mine/mine.parquet").read_bytes()


def test_a_template_and_data_beside_the_file(sheetsim, tmp_path: Path) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()
    (folder / "own.toml").write_text('layers = [4]\nactivation = "tanh"')
    pd.DataFrame(np.arange(12.0).reshape(4, 3), columns=list("abc")).to_csv(folder / "data.csv", index=False)
    text = 'template = "own.toml"\nreplicates = 2\nset = {input = {file = "data.csv"}}\n[grid]\nwidth = [2, 3]'
    (folder / "mine.toml").write_text(text)
    assert sheetsim("sweep", "deep/mine.toml")[0] == 0
    alone = replicate(
        str(folder / "own.toml"), 2, input={"file": str(folder / "data.csv")}, layers=[3]
    ).frame().reset_index()  # fmt: skip
    frame = pd.read_parquet("outputs/mine/mine.parquet")
    own = frame[frame.width == 3].drop(columns="width").reset_index(drop=True)
    pd.testing.assert_frame_equal(own, alone[own.columns], check_exact=True)


def test_on_a_terminal_progress_shows_points_and_the_time_left(sheetsim, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mine.toml").write_text(TOML)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(terminal, "monotonic", lambda: next(clock))
    err = sheetsim("sweep", "mine.toml")[2]
    assert "mine: 2 of 8 points, 25% of the work, 60 s left" in err
    assert "mine: 6 of 8 points, 75% of the work, 20 s left" in err
    assert err.endswith("\r\033[K")


def test_a_correlation_beside_the_file_is_read_and_parts_depend_on_its_numbers(tmp_path: Path) -> None:
    text = 'template = "relu-he"\nreplicates = 2\n'
    text += '[set]\ninputs = 2\nsamples = 9\ninput = {distribution = "normal", correlation = "c.csv"}\n'
    (tmp_path / "mine.toml").write_text(text + "[grid]\nwidth = [2]")
    frames = []
    for between in (0.5, 0.9):
        pd.DataFrame([[1, between], [between, 1]]).to_csv(tmp_path / "c.csv", index=False, header=False)
        frames.append(sweep(tmp_path / "mine.toml", folder=tmp_path / "parts").frame())
    assert not frames[0]["var"].equals(frames[1]["var"])
    assert len(list((tmp_path / "parts").iterdir())) == 2


def changed(old: str, new: str) -> str:
    assert old in TOML
    return TOML.replace(old, new)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (changed("replicates = 3", "replicate = 3"), "unknown key 'replicate' (did you mean 'replicates'?)"),
        (changed("replicates = 3", "replicates = 1"), "replicates must be a whole number of at least 2, not 1"),
        (changed("replicates = 3", 'replicates = "3"'), "replicates: must be a whole number, not text"),
        (changed("replicates = 3", 'show = "variance"'), "show: unknown statistic 'variance'"),
        (changed("replicates = 3", "show = []"), "show must name one statistic"),
        (changed("replicates = 3", "seed = -1"), "seed must be a whole number of at least 0"),
        (changed('template = "relu-he"', ""), "missing required field `template`"),
        (changed('"relu-he"', '"relu-hee"'), "unknown template 'relu-hee' (did you mean 'relu-he'?)"),
        (changed('"relu-he"', '"no.toml"'), "cannot read no.toml"),
        (changed('["relu", "tanh"]', "[]"), "grid.activation lists no value"),
        (changed('["relu", "tanh"]', '"relu"'), "grid.activation: must be a table or a list, not text"),
        (changed('["relu", "tanh"]', '["relu", "tan"]'), 'activation = "tan": relu-he: activation must be one of'),
        (changed('["relu", "tanh"]', '["relu", "relu"]'), 'grid.activation has "relu" twice'),
        (changed('["relu", "tanh"]', "{from = 1, to = 2, steps = 2}"), "activation: must be text, not a number"),
        (changed("steps = 4", "steps = 0"), "grid.initializer: steps must be 1 to 10,000, not 0"),
        (changed("steps = 4", "steps = 2.5"), "grid.initializer: steps: must be a whole number"),
        (changed("steps = 4", "step = 4"), "grid.initializer: unknown key 'step' (did you mean 'steps'?)"),
        (changed("from = 0.01", "from = 0"), "a log scale needs `from` and `to` above 0"),
        (changed("from = 0.01", "from = -0.01"), "a log scale needs `from` and `to` above 0"),
        (changed("to = 2", "to = inf"), "`from` and `to` must be finite numbers"),
        (changed('"log"', '"ln"'), "scale must be linear or log, not 'ln'"),
        (changed("from = 0.01", "from = -1, to = 1, steps = 2}\n# {"), "initializer as a number must be a standard"),
        (TOML.replace("activation = [", "depth = [1]\n# ["), "depth and layers set the same thing"),
        (TOML + "depth = [2]\n", "depth and layers set the same thing"),
        (TOML + "layers = [[2]]\n", "layers is both in set and in grid"),
        (TOML + "seed = [1, 2]\n", "grid.seed cannot vary: replicates have seeds of their own"),
        (TOML + 'title = ["a", "b"]\n', "grid.title cannot vary: it changes no statistic"),
        (TOML + "sampels = [1]\n", "unknown key 'sampels' (did you mean 'samples'?)"),
        (TOML + "inputs = [0]\n", "inputs is both in set and in grid"),
        (TOML.replace("layers = [5, 4]", "depth = 0"), "depth must be a whole number from 1 to 1,000, not 0"),
        (TOML.replace("layers = [5, 4]", "depth = true"), "depth must be a whole number from 1 to 1,000, not True"),
        (TOML.replace(", layers = [5, 4]", "") + "width = [0]\n", "width must be a whole number of at least 1, not 0"),
        (
            TOML.replace(", layers = [5, 4]", "") + "width = {from = 1, to = 3, steps = 9}\n",
            "grid.width has 1 twice: steps are rounded",
        ),
        (TOML[: TOML.index("[grid]")], "missing required field `grid`"),
        (TOML[: TOML.index("initializer")], "grid has no key"),
        (changed("steps = 4", "steps = 6000"), "the grid has 12,000 points; 10,000 are allowed"),
        (
            'template = "relu-he"\n[grid]\nwidth=[1, 2]\ndepth = {from = 1, to = 1000, steps = 400}',
            "400,400 rows, one per point and layer; a sweep's workbook has 200,000 at most",
        ),
        (TOML + "sampling = [1979-05-27]\n", "grid.sampling: date is not a value that a TOML file can hold"),
        ('template = "relu-he"\n[grid]\nwidth = [2, 1000000]', "the point width = 1000000 needs 72,001 GB"),
        (TOML + f"inputs_{'s' * 9} = {list(range(9))}\n", "unknown key 'inputs_sssssssss'"),
        (f'template = "relu-he"\n[grid]\ninitializer = {[0.1 + k / 3e6 for k in range(2000)]}', "a cell holds 32,767"),
        (changed('["relu", "tanh"]', '["relu"]') + "correlation = [1, 1.0]", "grid.correlation has 1.0 twice"),
        ("a = = b", "is not TOML"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_written(sheetsim, tmp_path: Path, text: str, sentence: str) -> None:
    Path("mine.toml").write_text(text)
    status, out, err = sheetsim("sweep", "mine.toml")
    assert (status, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


def test_mistakes_on_the_command_line(sheetsim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mine.toml").write_text(TOML)
    assert "cannot read no.toml" in sheetsim("sweep", "no.toml")[2]
    assert "must end in .toml" in sheetsim("sweep", "relu-he")[2]
    assert "name a folder" in sheetsim("sweep", "mine.toml", "--output", "a.xlsx")[2]
    monkeypatch.setattr(sweep_module, "find_spec", lambda name: None)
    status, _, err = sheetsim("sweep", "mine.toml")
    assert (status, err.count("\n")) == (2, 1)
    assert "needs pyarrow: pip install 'sheetsim[parquet]'" in err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


def test_from_python_mistakes_are_the_same() -> None:
    with pytest.raises(SheetsimError, match="workers must be a whole number of at least 1"):
        sweep(SMALL, workers=0)
    with pytest.raises(SheetsimError, match=r"grid\.width: must be a table or a list"):
        sweep({**SMALL, "grid": {"width": 3}})


def test_distributions_from_python_are_said_in_the_book(tmp_path: Path) -> None:
    import scipy.stats

    books = []
    for _ in range(2):
        kept = {"samples": 20, "input": scipy.stats.gamma(2.0)}
        found = sweep({**SMALL, "set": kept, "grid": {"width": [3]}})
        books.append(found.to_excel(tmp_path / "book.xlsx").read_bytes())
    assert books[0] == books[1]
    about = cells_of(tmp_path / "book.xlsx", "About", data_only=True)
    assert any("gamma" in str(value) for value in about.values())
    with pytest.raises(SheetsimError, match="not a value that a TOML file can hold"):
        sweep({**SMALL, "grid": {"input": [scipy.stats.gamma(2.0)]}})


def test_the_documented_example_is_a_sweep(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs/sweeps.md").read_text()
    text = page.partition("```toml\n")[2].partition("```")[0]
    (tmp_path / "scale.toml").write_text(text)
    plan = load_sweep(tmp_path / "scale.toml")
    assert len(plan.points) == 12 * 3 * 2
    assert plan.points[0].study.layers == [100] * 5


def test_numpy_values_make_a_grid() -> None:
    found = sweep({**SMALL, "set": {}, "grid": {"initializer": np.geomspace(0.1, 1, 3), "samples": np.array([5, 6])}})
    assert found.frame()["samples"].unique().tolist() == [5, 6]
