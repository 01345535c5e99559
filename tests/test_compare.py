"""Comparisons of networks: their numbers are those of runs, books and replicates; scales are common."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from engines import SOFFICE, libreoffice_cells, poison
from lint import lint

import sheetsim
from sheetsim.audit.verify import verify
from sheetsim.cli import commands
from sheetsim.errors import SheetsimError
from sheetsim.runs import templates
from sheetsim.workbook.reading.raw import RawBook

TINY: dict[str, Any] = {"samples": 12, "inputs": 5, "layers": [4, 3]}


def called(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["sheetsim", *arguments])
    with pytest.raises(SystemExit) as stop:
        commands.main()
    return int(stop.value.code or 0)


def test_the_default_is_the_articles_five_and_every_number_is_the_runs() -> None:
    found = sheetsim.compare(**TINY)
    assert tuple(found.names) == templates.ARTICLE
    frame = found.frame()
    for name in templates.ARTICLE:
        alone = sheetsim.run(name, **TINY)
        pd.testing.assert_frame_equal(frame.loc[name].drop(columns="verdict"), alone.summary(), check_exact=True)
        assert list(frame.loc[name]["verdict"]) == alone.verdicts()


def test_its_book_recalculates_has_common_scales_and_a_chart_a_layer(tmp_path: Path) -> None:
    names = ("sigmoid-std1", "relu-xavier", "relu-he")
    path = sheetsim.compare(*names, **TINY, replicates=3).to_excel(tmp_path / "book.xlsx")
    assert verify(path).ok
    assert lint(path) == []
    book = openpyxl.load_workbook(path)
    titles = ["Overview", "About", "Numbers", "Lines", "Differences", "Replicates", "Layers", "Histograms", "Bars"]
    assert [sheet.title for sheet in book if sheet.sheet_state == "visible"] == titles
    overview = book["Overview"]
    assert len(overview._charts) == len(names) * 2
    # The first series of a chart is the height of its scale: one cell for a network's layers.
    heights = [chart.series[0].val.numRef.f for chart in overview._charts]
    assert heights[::2] == heights[1::2]
    assert len(set(heights)) == len(names)
    labels = [_column(book, chart.series[0].cat.strRef.f) for chart in overview._charts]
    assert labels[2:] == [labels[2]] * 4
    assert labels[0] != labels[2]


def _column(book: openpyxl.Workbook, place: str) -> list[object]:
    sheet, _, block = place.rpartition("!")
    return [cell.value for (cell,) in book[sheet][block.replace("$", "")][1:]]


@pytest.mark.skipif(SOFFICE is None, reason="soffice is not installed")
@pytest.mark.slow
def test_another_choice_gives_the_networks_of_one_range_one_scale_of_counts(tmp_path: Path) -> None:
    path = sheetsim.compare("sigmoid-std1", "relu-xavier", "relu-he", **TINY).to_excel(tmp_path / "book.xlsx")
    poison(path, tmp_path / "other.xlsx", {"scale": "all of a range"})
    (cells,) = libreoffice_cells([tmp_path / "other.xlsx"])
    with sheetsim.read(path) as book, RawBook(path) as raw:
        own = [book[f"chart_height_{k}"] for k in (1, 2, 3)]
        places = [raw.place(f"chart_height_{k}") for k in (1, 2, 3)]
    common = [cells(sheet, block.top - 1, block.left - 1, (1, 1))[0][0] for sheet, block in places]
    assert own[1] != own[2]
    np.testing.assert_allclose(common, [own[0], max(own[1:]), max(own[1:])])


def test_its_bars_are_the_runs_counts_without_exact_zeros() -> None:
    counts = sheetsim.run("relu-he", **TINY).layer_counts()
    z = sheetsim.run("relu-he", **TINY)["z_2"]
    assert counts.zeros[1] == (z == 0).sum()
    assert counts.bars[1].sum() == (z != 0).sum()
    assert counts.counts[1].sum() == z.size


def test_books_and_templates_compare_alike(tmp_path: Path) -> None:
    path = sheetsim.run("relu-he", **TINY).to_excel(tmp_path / "made.xlsx")
    toml = tmp_path / "mine.toml"
    toml.write_text('activation = "relu"\ninitializer = "he"\nsamples = 12\ninputs = 5\nlayers = [4, 3]\n')
    found = sheetsim.compare(path, toml, replicates=2)
    frame = found.frame()
    assert found.names == ["made", "mine"]
    pd.testing.assert_frame_equal(frame.loc["made"], frame.loc["mine"])
    assert (found.differences() == 0).all(axis=None)


def test_differences_are_of_replicates_with_the_same_draws() -> None:
    found = sheetsim.compare("relu-he", "relu-xavier", replicates=5, **TINY).differences()
    frames = [sheetsim.replicate(name, 5, **TINY).frame()["std"].unstack() for name in ("relu-xavier", "relu-he")]
    less = (frames[0] - frames[1]).to_numpy()
    own = found.xs("std", level="statistic")
    np.testing.assert_allclose(own["difference"], less.mean(axis=0), rtol=1e-12)
    half = 2.7764451051977987 * less.std(axis=0, ddof=1) / 5**0.5
    np.testing.assert_allclose(own["high"] - own["difference"], half, rtol=1e-9)


def test_networks_of_different_depths_and_without_numbers_are_compared(tmp_path: Path) -> None:
    deep = sheetsim.Forward(samples=9, inputs=4, layers=[3] * 9, initializer=1e200)
    found = sheetsim.compare(sheetsim.Forward(**TINY), deep)
    assert found.names == ["forward (1)", "forward (2)"]
    path = found.to_excel(tmp_path / "book.xlsx")
    assert lint(path) == []
    assert verify(path).ok
    assert "No histogram: numbers overflow." in {cell.value for cell in openpyxl.load_workbook(path)["Overview"]["A"]}


def test_replicates_that_overflow_have_no_difference(tmp_path: Path) -> None:
    found = sheetsim.compare("relu-he", sheetsim.Forward(**TINY, initializer=1e200), replicates=2, **TINY)
    assert found.differences().xs(2, level="layer").isna().all(axis=None)
    assert verify(found.to_excel(tmp_path / "book.xlsx")).ok


def test_gradients_are_compared(tmp_path: Path) -> None:
    found = sheetsim.compare("gradient-flow", "gradient-flow-sigmoid-std001", samples=9, inputs=4, layers=[3, 3])
    assert verify(found.to_excel(tmp_path / "book.xlsx")).ok
    assert list(found.frame().loc["gradient-flow"].index) == [1, 2, 3]


def test_the_command_prints_a_record_a_network_and_layer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    sizes = [word for key, value in TINY.items() for word in ("--set", f"{key}={value}")]
    target = tmp_path / "c.xlsx"
    done = called(monkeypatch, "compare", "relu-he", "tanh-he", *sizes, "--output", str(target), "--format", "json")
    assert done == 0
    records = json.loads(capsys.readouterr().out)
    assert [(one["network"], one["layer"]) for one in records] == [
        *(("relu-he", 1), ("relu-he", 2), ("tanh-he", 1), ("tanh-he", 2))
    ]
    command = sheetsim.read(target).manifest.command
    assert command == "sheetsim compare relu-he tanh-he --set samples=12 --set inputs=5 --set 'layers=[4, 3]'"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("relu-he",), "2 to 20 networks, not 1"),
        (("relu-he", "optimizers"), "optimizers is of optimizers"),
        (("relu-he", "gradient-flow"), "compare networks of the same study"),
        (("relu-he", sheetsim.Forward(draws="live")), "holds counts but no draws"),
        (("relu-he", "relu-hee"), "did you mean 'relu-he'"),
    ],
)
def test_what_cannot_be_compared_is_refused(given: tuple[str, ...], message: str) -> None:
    with pytest.raises(SheetsimError, match=message):
        sheetsim.compare(*given)


def test_books_take_no_keys_and_replicates_need_one_seed(tmp_path: Path) -> None:
    one, other = (sheetsim.run(name, **TINY).to_excel(tmp_path / f"{name}.xlsx") for name in ("relu-he", "tanh-he"))
    with pytest.raises(SheetsimError, match="is a workbook: seed"):
        sheetsim.compare(one, other, seed=3)
    seeds = sheetsim.Forward(seed=1, **TINY), sheetsim.Forward(seed=2, **TINY)
    with pytest.raises(SheetsimError, match="common draws need the same seed"):
        sheetsim.compare(*seeds, replicates=2)
