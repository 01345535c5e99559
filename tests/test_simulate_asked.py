"""What is asked of a workbook's simulation, and told of it: names, texts of distributions, scenarios, goals, files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
import xlsxwriter
from lint import lint

import sheetsim
from sheetsim.errors import SheetsimError

INPUT = ("--input", "B1=normal(100, 20)", "--trials", "500")


@pytest.fixture(name="command")
def _command(sheetsim: Any) -> Any:
    """The command line, beside the package of that name."""
    return sheetsim


@pytest.fixture
def profit(tmp_path: Path) -> Path:
    """Profit B4 of a demand B1, a price B2 and a cost B3, and the unit's gain B5, an error from a price of 6 on."""
    path = tmp_path / "profit.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Cash Flow")
        for row, (label, value) in enumerate((("demand", 100), ("price", 5), ("cost", 3))):
            sheet.write_row(row, 0, (label, value))
        sheet.write_row(3, 0, ("Profit", "=B1*(B2-B3)-100"))
        sheet.write_row(4, 0, ("Share", '=IF(B1>B2*20,B4/B1,"none")'))
        sheet.write_row(5, 0, ("note", "hello"))
    return path


def texts(path: Path) -> set[str]:
    """What a person reads in a book: its texts, and the titles of its charts."""
    book = openpyxl.load_workbook(path, data_only=True)
    shown = [sheet for sheet in book if sheet.sheet_state == "visible"]
    return {cell.value for sheet in shown for row in sheet.iter_rows() for cell in row if isinstance(cell.value, str)}


def test_an_output_has_the_name_that_it_was_given_everywhere(profit: Path, tmp_path: Path, command: Any) -> None:
    out = tmp_path / "out.xlsx"
    words = ("simulate", str(profit), *INPUT, "--output", "Cash Flow!B4", "--output", "$B$5", "--out", str(out))
    status, printed, err = command(*words, "--format", "json", "--seed", "3")
    assert status == 0, err
    assert [row["output"] for row in json.loads(printed)] == ["Cash Flow!B4", "$B$5"]
    said = texts(out)
    assert {"Cash Flow!B4", "$B$5", "What moves Cash Flow!B4", "Output Cash Flow B4", "Sensitivity B5"} <= said
    assert not [text for text in said if "Cash_Flow" in text]
    assert lint(out) == []


def test_sentences_on_sensitivity_name_cells_as_they_were_given(profit: Path) -> None:
    inputs = {"B1": "normal(100, 20)", "Cash Flow!B3": "uniform(2, 4)"}
    given = {"outputs": ["B4", "B5"], "trials": 300, "verify": 0}
    run = sheetsim.workbook(profit).simulate(inputs, correlations=[("B1", "Cash Flow!B3", 0.5)], **given)
    notes = " ".join(run.sensitivity("B5").attrs["notes"])
    assert "trials of B5 have no number" in notes
    assert "B1, Cash Flow!B3" in notes
    with pytest.raises(SheetsimError, match="name one of B4, B5"):
        run.sensitivity()
    assert list(run.sensitivity("B4", groups={"both": ["B1", "Cash Flow!B3"]}).index) == ["both"]


def test_the_page_of_scenarios_has_the_numbers_of_the_frame(profit: Path, tmp_path: Path) -> None:
    scenarios = {"dear": {"B2": 5.5}, "few": {"B1": "normal(90, 20)"}}
    run = sheetsim.workbook(profit).simulate(
        {"Cash Flow!B1": "normal(100, 20)"}, ["B4", "B5"], trials=300, scenarios=scenarios, least=True, verify=0
    )
    assert run.scenarios is not None
    assert run.scenarios.scenarios() == ["as it is", "dear", "few"]
    # The same draws, by whichever name the cell is called.
    trials = run.scenarios.trials("B4")
    np.testing.assert_allclose(trials["few"], trials["as it is"] - 20)
    np.testing.assert_array_equal(trials["as it is"], run.trial_frame()["B4"])
    path = run.to_excel(tmp_path / "book.xlsx")
    assert lint(path) == []
    assert sheetsim.verify(path).ok
    book = sheetsim.read(path)
    for output in ("B4", "B5"):
        frame = run.scenarios.frame(output, least=True)
        read = book.table(f"scenarios {output}")[list(frame)]
        pd.testing.assert_frame_equal(read, frame, check_dtype=False, check_names=False, rtol=1e-9, atol=1e-9)
    assert (run.scenarios.frame("B5")["errors"] > 0).all()
    assert "yes" in texts(path)
    with pytest.raises(SheetsimError, match="name of the unchanged workbook"):
        sheetsim.workbook(profit).simulate({}, ["B4"], scenarios={"as it is": {"B2": 1}}, trials=100)


@pytest.mark.parametrize("form", ["json", "csv"])
def test_scenarios_and_which_is_best_are_printed_in_every_form(profit: Path, command: Any, form: str) -> None:
    words = ("simulate", str(profit), *INPUT, "--output", "B4", "--scenario", "dear: B2=5.5", "--format", form)
    _, told, _ = command(*words)
    _, decision, _ = command(*words, "--table", "decision", "--force")
    about = texts(Path("outputs/profit-simulated.xlsx"))
    assert any("--scenario 'dear: B2=5.5'" in text for text in about if text.startswith("sheetsim simulate"))
    if form == "json":
        best = {row["criterion"]: row for row in json.loads(decision)}
        assert [row["scenario"] for row in json.loads(told)] == ["as it is", "dear"]
        assert (best["mean"]["best"], best["mean"]["decided"], best["loss"]["output"]) == ("dear", True, "B4")
        assert best["mean"]["low"] < best["mean"]["better"] < best["mean"]["high"]
    else:
        assert told.startswith("scenario,n,errors,mean")
        assert decision.startswith("criterion,best,value,second,better,low,high,decided,output\nmean,dear,")
    status, _, err = command(*words[:-4], "--table", "decision", "--force")
    assert (status, "--table decision needs scenarios" in err) == (2, True)


def test_the_copy_that_is_written_and_the_toml_that_is_read_are_said(profit: Path, command: Any) -> None:
    copy, beside = profit.with_name("copy.xlsx"), profit.with_suffix(".toml")
    beside.write_text('outputs = ["B4"]\n[scenarios]\ndear = {B2 = 5.5}\n')
    words = ("simulate", str(profit), *INPUT, "--into", str(copy))
    _, out, err = command(*words)
    assert f"with the result's sheets → {copy}" in out
    assert err == f"sheetsim: {beside}, beside the workbook, is read too; options of the command take precedence\n"
    assert "B4, scenarios over the same draws" in out
    assert "Scenarios" in openpyxl.load_workbook(copy, read_only=True).sheetnames
    _, out, err = command(*words, "--force", "--format", "json")
    assert json.loads(out)[0]["output"] == "B4"
    assert f"→ {copy}" in err
    assert f"{profit}, 500 trials → outputs/profit-simulated.xlsx" in err


@pytest.mark.parametrize(
    ("law", "missing"),
    [
        ("normal(12.5)", "normal needs the parameter 'std'"),
        ("normal(std=3)", "normal needs the parameter 'mean'"),
        ("uniform(5)", "uniform needs the parameter 'high'"),
        ("lognormal(3)", "lognormal needs the parameter 'std'"),
        ("triangular(1, 2)", "triangular needs the parameter 'high'"),
        ("pert(1, 2)", "pert needs the parameter 'high'"),
        ("student_t", "student_t needs the parameter 'df'"),
        ("bernoulli()", "bernoulli needs the parameter 'p'"),
        ("discrete()", "discrete needs the parameter 'values'"),
        ("expon(5)", "expon needs the parameter 'scale', as in expon(scale=3)"),
        ("gamma(2, 3)", "gamma needs the parameter 'scale'"),
        ("gamma(scale=3)", "gamma needs the parameter 'a'"),
        ("normal(mu=3, std=1)", "normal has no parameter 'mu'"),
    ],
)
def test_a_text_that_lacks_a_parameter_is_refused(profit: Path, law: str, missing: str) -> None:
    book = sheetsim.workbook(profit)
    with pytest.raises(SheetsimError) as refused:
        book.simulate({"B1": law}, ["B4"], trials=100)
    book.close()
    assert missing in str(refused.value)


def test_a_parameter_with_a_natural_default_can_be_left_out(profit: Path) -> None:
    book = sheetsim.workbook(profit)
    laws = (
        "pert(1, 2, 3)",
        "discrete([1, 2])",
        "beta(2, 3)",
        "poisson(3)",
        "lognormal(p5=8, p95=30)",
        "expon(scale=5)",
    )
    for law in (*laws, sheetsim.normal(12.5)):
        assert book.simulate({"B1": law}, ["B4"], trials=100, verify=0).trials == 100


@pytest.mark.parametrize("count", ["2,000", "2_000", "2e3", "2000"])
def test_a_count_of_trials_is_taken_as_people_write_it(profit: Path, command: Any, count: str) -> None:
    words = ("simulate", str(profit), *INPUT[:2], "--output", "B4", "--format", "json", "--verify", "0")
    _, out, _ = command(*words, "--trials", count)
    assert json.loads(out)[0]["n"] == 2000


@pytest.mark.parametrize("count", ["1.5", "20,00", "many", "inf", "0"])
def test_what_is_no_count_of_trials_is_refused(profit: Path, command: Any, count: str) -> None:
    status, _, err = command("simulate", str(profit), "--output", "B4", "--trials", count)
    assert (status, err.count("\n"), "whole number" in err) == (2, 1, True)


@pytest.mark.parametrize(
    ("asked", "share", "probability"),
    [
        ("P(B4 > 0) = 90 %", lambda y: y > 0, 0.9),
        ("P(B4>=0)=90%", lambda y: y >= 0, 0.9),
        ("P(B4<1,000)=0.25", lambda y: y < 1000, 0.25),
        ("P(B4 ≤ 1e2) = 50%", lambda y: y <= 100, 0.5),
    ],
)
def test_a_goal_is_asked_on_either_side_of_a_number(
    profit: Path, command: Any, asked: str, share: Any, probability: float
) -> None:
    _, out, _ = command("simulate", str(profit), *INPUT, "--goal", f"B3: {asked}", "--format", "json")
    (goal,) = json.loads(out)
    held = sheetsim.workbook(profit).compare(
        {"it": {"B3": goal["value"]}}, {"B1": "normal(100, 20)"}, ["B4"], trials=500
    )
    assert share(held.trials()["it"]).mean() == pytest.approx(probability, abs=0.003)


def test_a_goal_of_counts_tells_at_least_from_more_than(tmp_path: Path) -> None:
    path = tmp_path / "units.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet().write_column(0, 0, (10, 5, "=INT(A2)-A1"))
    asked = {"inputs": {"A1": "discrete([10, 11, 12])"}, "output": "A3", "probability": 0.99, "trials": 300}
    found = [sheetsim.workbook(path).goal("A2", inclusive=inclusive, **asked).value for inclusive in (False, True)]
    assert found == pytest.approx([13, 12])
    with pytest.raises(SheetsimError, match="one threshold"):
        sheetsim.workbook(path).goal("A2", above=1, below=2, **asked)


def test_numbers_that_overflow_are_errors_and_no_warning(tmp_path: Path) -> None:
    """Warnings of the tests are errors."""
    path = tmp_path / "large.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet().write_column(0, 0, (1, "=A1*1E307", "=A1*1E200", "=SUMSQ(A3,1)"))
    outputs = ["A2", "A3", "A4"]
    run = sheetsim.workbook(path).simulate(
        {"A1": "normal(1, 20)"}, outputs, trials=300, scenarios={"other": {"A1": "normal(1, 30)"}}
    )
    frame = run.summary()
    x = run.trial_frame()["A1"]
    assert frame["errors"].to_list() == [int((x.abs() > 17.976).sum()), 0, 300]
    # A standard deviation of such numbers is too large for a number itself.
    assert frame["std"].isna().all()
    assert not any(check.failed for check in run.checks)
    out = run.to_excel(tmp_path / "out.xlsx")
    assert lint(out) == []
    assert sheetsim.verify(out).ok
    assert run.scenarios is not None
    assert run.scenarios.decision("A4")["best"].isna().all()
    assert run.sensitivity("A3").loc["A1", "pearson"] != 0


def test_a_marked_copy_lists_final_formulas_first_and_then_those_with_a_label_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "plan.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Plan")
        sheet.write_row(0, 0, ("rate", 0.1, "", "Year", "Flow"))
        for year in range(1, 6):
            sheet.write_row(year, 3, (year, f"=100*(1+B1)^D{year + 1}"))
        sheet.write_row(1, 0, ("NPV", "=NPV(B1,E2:E6)"))
        sheet.write_row(2, 0, ("Go", "=IF(B2>0,1,0)"))
    counts = sheetsim.workbook(path).mark(tmp_path / "marked.xlsx")
    rows = list(openpyxl.load_workbook(tmp_path / "marked.xlsx")["Simulation"].iter_rows(values_only=True))
    first = [row[0] for row in rows].index("Outputs")
    # A row of the flows is no output of its own: all five have one label.
    assert [row[0] for row in rows[first + 2 : first + 5]] == ["Plan!B3", "Plan!B2", None]
    assert counts == (6, 1, 1)


def test_randbetween_of_ends_in_the_wrong_order_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet().write_column(0, 0, (3, "=RANDBETWEEN(A1,3)", "=IFERROR(A2,-1)"))
    trials = sheetsim.workbook(path).simulate({"A1": "discrete([2, 4])"}, ["A3"], trials=300, verify=0).trial_frame()
    assert set(trials.loc[trials["A1"] == 4, "A3"]) == {-1}
    assert set(trials.loc[trials["A1"] == 2, "A3"]) == {2, 3}


def test_a_format_of_texts_that_is_not_known_goes_to_ironcalc(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet().write_column(0, 0, (3, '=TEXT(A1,"0.0 ""kg"";(0)")', "=LEN(A2)"))
    run = sheetsim.workbook(path).simulate({"A1": "discrete([2, 40, -2])"}, ["A3"], trials=100, verify=0)
    trials = run.trial_frame()
    assert dict(zip(trials["A1"], trials["A3"], strict=True)) == {2: 6, 40: 7, -2: 3}
    assert any("Sheet1!A2 uses TEXT with the format" in note and "IronCalc" in note for note in run.notes)
