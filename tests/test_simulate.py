"""A person's own workbook over trials: what is computed, what is checked, and what is refused."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xlsxwriter
from typer.testing import CliRunner

import sheetsim
from sheetsim.cli.commands import app
from sheetsim.errors import SheetsimError

YEARS = 20


def plan_book(path: Path, stale: float = 0.0) -> Path:
    """Twenty years of a product as people write them: a row a quantity, a column a year. stale: added to a value."""
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Plan")
        for row, (label, value) in enumerate(
            (("price", 10), ("volume", 1000), ("cost", 6), ("growth", 0.03), ("rate", 0.08))
        ):
            sheet.write(row, 0, label)
            sheet.write(row, 1, value)
            book.define_name(label, f"=Plan!$B${row + 1}")
        profits = []
        for year in range(YEARS):
            letter, before = (xlsxwriter.utility.xl_col_to_name(year + k) for k in (1, 0))
            volume = 1000 * 1.03**year
            growing = "=volume" if not year else f"={before}7*(1+$B$4)"
            sheet.write_formula(6, year + 1, growing, None, volume)
            sheet.write_formula(7, year + 1, f"={letter}7*price", None, volume * 10)
            sheet.write_formula(8, year + 1, f"={letter}7*cost+500", None, volume * 6 + 500)
            profits.append(volume * 4 - 500)
            sheet.write_formula(9, year + 1, f"={letter}8-{letter}9", None, profits[-1] + stale * (year == 3))
        value = sum(profit / 1.08 ** (year + 1) for year, profit in enumerate(profits))
        sheet.write_formula("B12", "=NPV(rate,B10:U10)-2000", None, value - 2000)
        sheet.write_formula("B13", "=SUM(B10:U10)", None, sum(profits))
    return path


def by_hand(price: Any, volume: Any, growth: Any) -> Any:
    total = 0
    for _ in range(YEARS):
        total = total + volume * price - (volume * 6 + 500)
        volume = volume * (1 + growth)
    return total


def test_a_record_an_output_is_printed_and_the_workbook_stays_as_it_is(tmp_path: Path) -> None:
    book = plan_book(tmp_path / "plan.xlsx")
    before = hashlib.sha256(book.read_bytes()).hexdigest()
    words = ["simulate", str(book), "--input", "Plan!B1=normal(10, 1)", "--input", "growth=pert(0.01, 0.03, 0.05)"]
    words += ["--output", "$B$13", "--trials", "2_000", "--seed", "1", "--format", "json"]
    result = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "out.xlsx")], catch_exceptions=False)
    (record,) = json.loads(result.stdout)
    assert list(record) == [
        *("output", "n", "errors", "mean", "std", "se", "min", "q01", "q05", "q25", "q50", "q75", "q95", "q99"),
        *("max", "base"),
    ]
    assert record["output"] == "$B$13"
    assert (record["n"], record["errors"]) == (2000, 0)
    assert record["base"] == pytest.approx(by_hand(10, 1000, 0.03), rel=1e-12)
    assert abs(record["mean"] - by_hand(10, 1000, 0.03)) < 4 * record["se"]
    assert hashlib.sha256(book.read_bytes()).hexdigest() == before
    assert "50 trials recalculated by IronCalc from the file agree" in result.stderr
    assert (tmp_path / "out.xlsx").exists()


def test_trials_are_those_of_a_script_that_computes_the_same(tmp_path: Path) -> None:
    inputs = {"price": sheetsim.normal(10, 1), "volume": "uniform(900, 1100)", "B4": "pert(0.01, 0.03, 0.05)"}
    run = sheetsim.workbook(plan_book(tmp_path / "plan.xlsx")).simulate(
        inputs=inputs, outputs=["B13"], trials=20_000, seed=3, correlations=[("price", "volume", -0.5)]
    )
    trials = run.trial_frame()
    np.testing.assert_allclose(trials["B13"], by_hand(trials["price"], trials["volume"], trials["B4"]), rtol=1e-12)
    assert trials[["price", "volume"]].corr("spearman").iloc[0, 1] == pytest.approx(-0.5, abs=0.02)
    assert run.summary().loc["B13", "mean"] == pytest.approx(trials["B13"].mean(), rel=1e-12)
    assert run.sensitivity("B13").index[0] == "price"
    assert not run.checks[0].failed
    assert run.checks[0].worst < 1e-12


def test_a_value_that_the_file_holds_wrongly_is_named(tmp_path: Path) -> None:
    run = sheetsim.workbook(plan_book(tmp_path / "plan.xlsx", stale=7.5)).simulate(
        inputs={"price": "normal(10, 1)"}, outputs=["B13"], trials=100
    )
    first = run.base_differences()[0]
    assert (first.cell, round(first.size, 9)) == ("Plan!E10", 7.5)
    assert any("Plan!E10" in note and "7.5" in note for note in run.notes)


@pytest.mark.parametrize(
    ("inputs", "outputs", "reason"),
    [
        ({"B99x": "normal(1, 2)"}, ["B13"], "no cell and no defined name 'B99x'"),
        ({"No!B1": "normal(1, 2)"}, ["B13"], "no sheet 'No'"),
        ({"B1": "normal(1, -2)"}, ["B13"], "std must be 0 or more"),
        ({"B1": "norml(1, 2)"}, ["B13"], "unknown distribution 'norml'"),
        ({"B1": "__import__('os')"}, ["B13"], "is no distribution"),
        ({"B1": "normal(10, 1)"}, ["A1"], "holds no formula"),
        ({"B5": "normal(10, 1)"}, ["B13"], "no uncertain cell"),
        ({"B1": "normal(10, 1)"}, [], "no output is named"),
        ({"B1": "normal(10, 1)", "price": "normal(10, 1)"}, ["B13"], "given twice"),
    ],
)
def test_mistakes_are_refused_in_a_sentence(
    tmp_path: Path, inputs: dict[str, str], outputs: list[str], reason: str
) -> None:
    book = sheetsim.workbook(plan_book(tmp_path / "plan.xlsx"))
    with pytest.raises(SheetsimError, match=reason):
        book.simulate(inputs=inputs, outputs=outputs, trials=100)
