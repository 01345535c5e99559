"""The scripts of examples/ run from start to end, with warnings as errors."""

import runpy
import sys
from pathlib import Path

import pandas as pd
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"

# What a script must print, and the books that it must write.
SAID = {
    "lesson": ("relu_halves_variance: 0.341 (0.336 to 0.346) at layer 1, expected 0.5: does not hold", ["lesson.xlsx"]),
    "diagnose": ("exploding", []),
    "own_workbook": ("as it is", ["plan.xlsx", "plan-simulated.xlsx"]),
    "search": ("mean-field theory for it, after many layers", ["search.xlsx"]),
    "risk": ("another engine agrees: True", ["launch.xlsx"]),
    "train": ("Differences from He", ["train.xlsx"]),
    "read_with_pandas": ("Activation 3: 80 samples of 20 units", ["relu-he.xlsx"]),
    "dask_sweep": ("written: sweep.parquet", ["sweep.xlsx"]),
}
QUICK = {"read_with_pandas"}


def test_every_script_is_run_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(SAID)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in SAID]
)
def test_a_script_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [f"{name}.py"])
    with pd.option_context("display.width", 200):
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    words, books = SAID[name]
    assert words in capsys.readouterr().out
    for book in books:
        assert (tmp_path / book).stat().st_size > 0
