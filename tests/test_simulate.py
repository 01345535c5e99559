"""A person's own workbook over trials: what is computed, what is checked, and what is refused."""

import hashlib
import json
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
import xlsxwriter
from click.testing import CliRunner
from lint import lint
from real_workbooks import WORKBOOKS, YEARS, plan_book, write_workbook

import sheetsim
from sheetsim.audit.recalculate import recalculated
from sheetsim.cli.commands import app
from sheetsim.errors import SheetsimError


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


def test_the_base_case_of_a_formula_that_draws_replace_is_what_it_gives(tmp_path: Path) -> None:
    """openpyxl saves formulas without values."""
    book = openpyxl.Workbook()
    for cell, value in {"A1": 100, "B1": 0.25, "B2": "=B1*2", "C1": "=A1*(1-B2)"}.items():
        book.active[cell] = value
    book.save(tmp_path / "book.xlsx")
    run = sheetsim.workbook(tmp_path / "book.xlsx").simulate({"B2": "uniform(0.1, 0.3)"}, ["C1"], trials=100)
    assert run.base().item() == 50
    assert run.summary().loc["C1", "base"] == 50


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
        ({"B1": "__import__('os')"}, ["B13"], "is not a distribution"),
        ({"B1": "normal(10, 1)"}, ["A1"], "holds no formula"),
        ({"B5": "normal(10, 1)"}, ["B13"], "does not depend on any uncertain cell"),
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


def written(path: Path, cells: dict[str, Any], **options: Any) -> Path:
    """A book of one sheet with these cells; formulas have no true values. options: of xlsxwriter."""
    with xlsxwriter.Workbook(path, options) as book:
        sheet = book.add_worksheet("Sheet1")
        for place, value in cells.items():
            sheet.write(place, value)
    return path


def simulated(path: Path, inputs: dict[str, Any], *outputs: str, **asked: Any) -> Any:
    return sheetsim.workbook(path).simulate(inputs, list(outputs), **{"trials": 200, "seed": 1} | asked)


def test_an_unknown_function_goes_to_ironcalc_and_is_said(tmp_path: Path) -> None:
    book = written(tmp_path / "book.xlsx", {"A1": 1, "B1": "=BESSELJ(A1,0)", "C1": "=B1*2", "D1": "=A1+1"})
    run = simulated(book, {"A1": "uniform(0, 3)"}, "C1", "D1", trials=300)
    trials = run.trial_frame()
    from scipy.special import j0

    np.testing.assert_allclose(trials["C1"], 2 * j0(trials["A1"]), atol=1e-6)
    np.testing.assert_allclose(trials["D1"], trials["A1"] + 1)
    (note,) = [note for note in run.notes if "BESSELJ" in note]
    assert "Sheet1!B1" in note
    assert "IronCalc" in note


def test_without_ironcalc_a_run_says_that_it_was_not_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sheetsim.audit.simulated.has_ironcalc", lambda: False)
    book = written(tmp_path / "book.xlsx", {"A1": 1, "B1": "=BESSELJ(A1,0)", "C1": "=A1*2"})
    run = simulated(book, {"A1": "uniform(0, 3)"}, "C1")
    assert any("not checked by an engine" in note for note in run.notes)
    with pytest.raises(SheetsimError, match=r"Sheet1!B1 uses BESSELJ"):
        simulated(book, {"A1": "uniform(0, 3)"}, "B1")


def test_every_formula_of_a_file_is_compared_with_its_value(tmp_path: Path) -> None:
    assert sheetsim.workbook(plan_book(tmp_path / "plan.xlsx")).differences() == []
    (wrong, *after) = sheetsim.workbook(plan_book(tmp_path / "stale.xlsx", stale=7.5)).differences()
    assert (wrong.cell, wrong.size) == ("Plan!E10", pytest.approx(7.5))
    assert [one.cell for one in after] == []


def test_an_output_that_ironcalc_gets_wrong_for_the_file_itself_is_not_checked_by_it(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Sheet1")
        sheet.write_column(0, 0, [1, 2, 3])
        # IronCalc has no MOD of a range; the file has the value that Excel gives.
        sheet.write_formula("C1", "=SUMPRODUCT(MOD(A1:A3,2)*A1:A3)", None, 4)
        sheet.write_formula("C2", "=A1+A2", None, 99)
    run = simulated(path, {"A1": "uniform(0, 1)"}, "C1", "C2")
    np.testing.assert_allclose(run.trial_frame()["C1"], run.trial_frame()["A1"] ** 2 + 3)
    (check,) = run.checks
    assert list(check.unread) == ["C1"]
    assert check.failed == ()
    assert run.base_differences()[0].cell == "Sheet1!C2"


def test_what_no_engine_computes_is_refused_with_its_cell(tmp_path: Path) -> None:
    book = written(tmp_path / "book.xlsx", {"A1": 1, "B1": "=NOSUCHFUNCTION(A1)"})
    with pytest.raises(SheetsimError, match=r"Sheet1!B1"):
        simulated(book, {"A1": "normal(1, 1)"}, "B1")


def test_circular_references_are_named(tmp_path: Path) -> None:
    book = written(tmp_path / "book.xlsx", {"A1": 1, "B1": "=C1+A1", "C1": "=B1*0.5", "D1": "=C1"})
    with pytest.raises(SheetsimError, match=r"circular reference: Sheet1!C1 → Sheet1!B1 → Sheet1!C1"):
        simulated(book, {"A1": "normal(1, 1)"}, "D1")


def test_what_comes_from_another_workbook_is_refused_where_it_meets_trials(tmp_path: Path) -> None:
    book = written(tmp_path / "book.xlsx", {"A1": 1, "B1": "='[other.xlsx]Prices'!A1*A1", "C1": "=A1*2"})
    assert simulated(book, {"A1": "normal(1, 1)"}, "C1").trials == 200
    with pytest.raises(SheetsimError, match=r"Sheet1!B1.*another workbook"):
        simulated(book, {"A1": "normal(1, 1)"}, "B1")


def test_an_output_of_a_data_table_names_the_formula_that_it_repeats(tmp_path: Path) -> None:
    plain = written(tmp_path / "plain.xlsx", {"A1": 1, "B1": "=A1*2", "B2": 2, "B3": 2, "D1": "=AVERAGE(B2:B3)"})
    path = tmp_path / "book.xlsx"
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w") as out:
        for name in source.namelist():
            data = source.read(name)
            if name == "xl/worksheets/sheet1.xml":
                table = b'<c r="B2"><f t="dataTable" ref="B2:B3" dt2D="0" dtr="0" r1="C1"/><v>2</v></c>'
                data = data.replace(b'<c r="B2"><v>2</v></c>', table)
                assert table in data
            out.writestr(name, data)
    with pytest.raises(SheetsimError, match=r"Data Table, which repeats Sheet1!B1"):
        simulated(path, {"A1": "normal(1, 1)"}, "D1")


def test_sumif_sums_as_many_cells_as_its_criteria_have(tmp_path: Path) -> None:
    cells = {"A1": 1, "A2": 2, "A3": 3, "B1": 10, "B2": "=D1", "B3": "=D1*2", "C1": '=SUMIF(A1:A3,">1",B1)', "D1": 5}
    run = simulated(written(tmp_path / "book.xlsx", cells), {"D1": "normal(5, 1)"}, "C1")
    trials = run.trial_frame()
    np.testing.assert_allclose(trials["C1"], 3 * trials["D1"])
    assert not run.checks[0].failed


def test_random_cells_are_inputs_by_themselves(tmp_path: Path) -> None:
    book = written(
        tmp_path / "book.xlsx",
        {"A1": 5, "B1": "=_xlfn.NORM.INV(RAND(),A1,2)", "B2": "=RANDBETWEEN(1,6)", "C1": "=B1+B2"},
    )
    run = simulated(book, {}, "C1", "B2", trials=20_000)
    frame = run.summary()
    assert frame.loc["C1", "mean"] == pytest.approx(8.5, abs=0.06)
    assert frame.loc["C1", "std"] == pytest.approx((4 + 35 / 12) ** 0.5, rel=0.02)
    assert set(run.trial_frame()["B2"]) == {1, 2, 3, 4, 5, 6}
    assert list(run.sensitivity("C1").index) == ["Sheet1.B1.random", "Sheet1.B2.random"]
    assert not run.checks[0].failed


def test_dates_count_from_1904_where_the_book_says_so(tmp_path: Path) -> None:
    cells = {"A1": 40_000, "B1": "=YEAR(A1)*100+MONTH(A1)", "C1": "=DATE(2020,1,31)+A1*0", "D1": "=EDATE(A1,1)-A1"}
    from_1904 = simulated(
        written(tmp_path / "a.xlsx", cells, date_1904=True), {"A1": "uniform(40000, 41000)"}, "B1", "C1", verify=0
    ).trial_frame()
    days = np.datetime64("1904-01-01") + np.floor(from_1904["A1"]).astype(int).to_numpy()
    months = days.astype("datetime64[M]").astype(int)
    np.testing.assert_array_equal(from_1904["B1"], (1970 + months // 12) * 100 + months % 12 + 1)
    assert set(from_1904["C1"]) == {(np.datetime64("2020-01-31") - np.datetime64("1904-01-01")).astype(int)}


def test_an_error_in_a_trial_is_counted_and_the_rest_is_told_of(tmp_path: Path) -> None:
    run = simulated(written(tmp_path / "book.xlsx", {"A1": 1, "B1": "=SQRT(A1)"}), {"A1": "normal(0, 1)"}, "B1")
    (record,) = run.given_records()
    below = int((run.trial_frame()["A1"] < 0).sum())
    assert (record["n"], record["errors"]) == (200 - below, below)
    assert record["min"] >= 0


def test_an_output_that_is_an_error_in_all_trials_has_no_numbers(tmp_path: Path) -> None:
    run = simulated(written(tmp_path / "book.xlsx", {"A1": 1, "B1": "=A1+NA()"}), {"A1": "normal(0, 1)"}, "B1")
    (record,) = run.given_records()
    assert (record["n"], record["errors"]) == (0, 200)
    assert np.isnan(record["mean"])
    assert run.to_excel(tmp_path / "out.xlsx").exists()


def test_trials_stop_when_the_means_are_known(tmp_path: Path) -> None:
    book = written(tmp_path / "book.xlsx", {"A1": 1, "B1": "=A1*2"})
    run = simulated(book, {"A1": "normal(10, 1)"}, "B1", trials=1_000_000, until=0.003)
    assert run.trials == 8000
    assert simulated(book, {"A1": "normal(10, 1)"}, "B1", trials=2000, until=0.0001).trials == 2000


def test_the_model_is_a_model(tmp_path: Path) -> None:
    run = simulated(plan_book(tmp_path / "plan.xlsx"), {"price": "normal(10, 1)", "cost": "normal(6, 0.1)"}, "B13")
    assert isinstance(run.model, sheetsim.Model)
    indices = run.model.sobol(trials=512)
    assert indices.loc["price", "total"] > 0.9 > indices.loc["cost", "total"]
    streamed = run.model.stream(5000).summary()
    assert streamed.iloc[0]["n"] == 5000
    again = pickle.loads(pickle.dumps(run.model)).run()
    pd.testing.assert_frame_equal(again.trial_frame(), run.trial_frame())
    assert sheetsim.replicate(run.model, 3).count == 3


@pytest.mark.parametrize("text", ["=1+", "=SUM(", '=" ', "=A1 A2 A3 (", "=((((A1", "={1,2;3}", "=" + "(" * 500 + "A1"])
def test_formulas_that_are_none_are_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    book = written(tmp_path / "book.xlsx", {"A1": 1, "B1": "=A1"})
    broken = tmp_path / "broken.xlsx"
    with zipfile.ZipFile(book) as source, zipfile.ZipFile(broken, "w") as out:
        for name in source.namelist():
            data = source.read(name)
            out.writestr(name, data.replace(b"<f>A1</f>", f"<f>{text[1:]}</f>".encode()))
    with pytest.raises(SheetsimError, match=r"Sheet1!B1"):
        simulated(broken, {"A1": "normal(1, 1)"}, "B1")


def test_the_quick_reading_of_a_sheet_is_that_of_the_parser(tmp_path: Path) -> None:
    from sheetsim.sheets.book import SheetBook
    from sheetsim.sheets.sheet_parts import FormulaParser, read_quickly

    paths = [
        plan_book(tmp_path / "plan.xlsx"),
        *(write_workbook(name, tmp_path / f"{name}.xlsx") for name in WORKBOOKS),
    ]
    for path in paths:
        raw = SheetBook(path)._raw
        for title in raw.titles:
            quick = read_quickly(raw.read(raw.part_of(title)), raw.texts)
            assert quick is not None, path
            values, formulas = raw.parsed_sheet(title, FormulaParser).read()
            np.testing.assert_array_equal(quick[0].keys, values.keys)
            np.testing.assert_array_equal(quick[0].numbers, values.numbers)
            assert dict(quick[0].others) == dict(values.others)
            assert quick[1] == formulas


def test_the_result_is_a_live_workbook_that_agrees_with_engines(tmp_path: Path) -> None:
    book = plan_book(tmp_path / "plan.xlsx")
    out = tmp_path / "out.xlsx"
    words = ["simulate", str(book), "--input", "price=normal(10, 1)", "--input", "B2=uniform(900, 1100)"]
    words += ["--output", "B12", "--output", "B13", "--correlation", "price,B2=0.5", "--trials", "300"]
    result = CliRunner().invoke(app, [*words, "--out", str(out)], catch_exceptions=False)
    assert result.exit_code == 0
    lint(out)
    assert sheetsim.verify(out).ok
    read = sheetsim.read(out)
    table = read.table("outputs")
    assert list(table.index) == ["B12", "B13"]
    about = dict(openpyxl.load_workbook(out)["About"].iter_rows(max_col=2, values_only=True))
    assert about["SHA-256"] == hashlib.sha256(book.read_bytes()).hexdigest()
    assert about["command"].startswith(f"sheetsim simulate {book} --input 'price=normal(10, 1)'")
    titles = openpyxl.load_workbook(out).sheetnames
    assert {"Overview", "Outputs", "Output B12", "Inputs", "Trials", "Sensitivity B13"} <= set(titles)


def test_a_marked_copy_that_is_filled_in_says_what_to_simulate(tmp_path: Path) -> None:
    book, marked = plan_book(tmp_path / "plan.xlsx"), tmp_path / "marked.xlsx"
    result = CliRunner().invoke(app, ["simulate", str(book), "--mark", "--out", str(marked)], catch_exceptions=False)
    assert "numbers that formulas use: 5; formulas that no other uses: 2; other formulas" in result.stdout
    same_parts(book, marked, but=("[Content_Types].xml", "xl/workbook.xml", "xl/_rels/workbook.xml.rels"))
    filled = openpyxl.load_workbook(marked)
    sheet = filled["Simulation"]
    rows = {row[0].value: row for row in sheet.iter_rows()}
    assert rows["Plan!B1"][7].value == "price"
    rows["Plan!B1"][1].value, rows["Plan!B1"][2].value, rows["Plan!B1"][3].value = "normal", 10, 1
    rows["Plan!B2"][1].value = "uniform(900, 1100)"
    rows["Plan!B12"][1].value = "yes"
    below = rows["Correlations"][0].row + 2
    for column, value in enumerate(("price", "Plan!B2", 0.6), start=1):
        sheet.cell(below, column, value)
    filled.save(tmp_path / "filled.xlsx")
    (tmp_path / "filled.toml").write_text('trials = 3000\nseed = 2\n[inputs]\ngrowth = "uniform(0.02, 0.04)"\n')
    assert sheetsim.workbook(tmp_path / "filled.xlsx").model.run().trials == 3000
    run = sheetsim.workbook(tmp_path / "filled.xlsx").simulate()
    assert run.trials == 3000
    assert run.given_outputs() == ["Plan!B12"]
    trials = run.trial_frame()
    assert list(trials)[:3] == ["Plan!B1", "Plan!B2", "growth"]
    assert trials["Plan!B1"].corr(trials["Plan!B2"], "spearman") == pytest.approx(0.6, abs=0.05)
    for text, sentence in (
        ("trails = 3000", r"unknown key 'trails' \(did you mean 'trials'\?\)"),
        ("outputs = [12]", r"outputs\[0\]: must be text, not a whole number"),
        ("seed = " + "1" * 5000, "a whole number has more than 4,300 digits"),
    ):
        (tmp_path / "filled.toml").write_text(text)
        with pytest.raises(SheetsimError, match=sentence):
            sheetsim.workbook(tmp_path / "filled.xlsx").simulate()


def same_parts(first: Path, second: Path, but: tuple[str, ...]) -> None:
    """The second book has every part of the first, byte for byte but for some."""
    with zipfile.ZipFile(first) as one, zipfile.ZipFile(second) as two:
        assert {name for name in one.namelist() if one.read(name) != two.read(name)} == set(but)


def test_the_result_goes_into_a_copy_of_the_workbook_that_keeps_its_parts(tmp_path: Path) -> None:
    book = plan_book(tmp_path / "plan.xlsx")
    run = simulated(book, {"price": "normal(10, 1)", "B2": "uniform(900, 1100)"}, "B12")
    titles = run.into(tmp_path / "copy.xlsx")
    assert titles == ["Overview", "About", "Outputs", "Output B12", "Sensitivity", "Inputs", "Trials"]
    lists = ("[Content_Types].xml", "xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/styles.xml")
    same_parts(book, tmp_path / "copy.xlsx", but=lists)
    (read,) = recalculated([tmp_path / "copy.xlsx"], "ironcalc")
    written_values = openpyxl.load_workbook(tmp_path / "copy.xlsx", data_only=True)
    assert written_values.sheetnames == ["Plan", *titles]
    compared = 0
    for title in titles:
        for row in written_values[title].iter_rows():
            for cell in row:
                if isinstance(cell.value, float):
                    compared += 1
                    assert read[title].get(cell.row, cell.column) == pytest.approx(cell.value, rel=1e-9, abs=1e-12)
    assert compared > 800
    with pytest.raises(SheetsimError, match="workbook itself"):
        run.into(book)


def test_charts_and_pages_of_a_copy_do_not_depend_on_what_wrote_the_workbook(tmp_path: Path) -> None:
    """In a workbook that is not of Excel 2007 LibreOffice labels every bar with whatever a chart does not say."""
    run = simulated(plan_book(tmp_path / "plan.xlsx"), {"price": "normal(10, 1)"}, "B12", verify=0)
    run.into(tmp_path / "copy.xlsx")
    with zipfile.ZipFile(tmp_path / "copy.xlsx") as copy:
        parts = {name: copy.read(name).decode() for name in copy.namelist() if "/sheetsim_" in name}
    charts = [xml for name, xml in parts.items() if name.startswith("xl/charts/sheetsim_chart")]
    assert len(charts) >= 3
    for xml in charts:
        labels = re.findall(r"</c:txPr>((?:<c:show[^>]*>)*)</c:dLbls>", xml)
        assert xml.count("</c:dLbls>") == len(labels)
        assert all(re.findall(r'show(\w+) val="1"', one) == ["Val"] and one.count('val="0"') == 5 for one in labels)
        assert xml.count("</c:title>") + xml.count("</c:legend>") == xml.count('<c:overlay val="0"/>')
        assert xml.count("</c:scaling>") == xml.count('</c:scaling><c:delete val="0"/>')
        lines = "".join(re.findall("<c:lineChart>.*?</c:lineChart>", xml))
        assert xml.count('<c:smooth val="0"/></c:ser>') == lines.count("</c:ser>")
    sheets = [xml for name, xml in parts.items() if name.startswith("xl/worksheets/sheetsim_sheet")]
    assert len(sheets) == 7
    assert all('<pageSetUpPr fitToPage="1"/></sheetPr>' in xml and 'fitToHeight="0"' in xml for xml in sheets)


def test_functions_are_printed(sheetsim: Any) -> None:
    status, out, _ = sheetsim("simulate", "--functions")
    assert status == 0
    assert any(line.split()[:2] == ["VLOOKUP", "3–4"] for line in out.splitlines())


def test_a_mistake_on_the_command_line_is_one_line_and_writes_nothing(sheetsim: Any, tmp_path: Path) -> None:
    book = plan_book(tmp_path / "plan.xlsx")
    for words, reason in (
        (["--input", "price"], "write CELL=DISTRIBUTION"),
        (["--input", "price=normal(10, 1)", "--output", "B13", "--correlation", "price=0.5"], "write CELL,CELL=NUMBER"),
        (["--input", "price=normal(10, 1)", "--output", "Z99"], "holds no formula"),
    ):
        status, out, err = sheetsim("simulate", str(book), *words)
        assert (status, out) == (2, "")
        assert reason in err
        assert err.count("\n") == 1
    assert not list(tmp_path.glob("outputs/*.xlsx"))


def test_let_names_parts_of_a_formula(tmp_path: Path) -> None:
    let = "=_xlfn.LET(_xlpm.x,A1*2,_xlpm.y,_xlpm.x+1,IF(_xlpm.x>2,_xlpm.x*_xlpm.y,SUM(_xlpm.x,_xlpm.y)))"
    trials = simulated(
        written(tmp_path / "book.xlsx", {"A1": 1, "B1": let}), {"A1": "uniform(0, 2)"}, "B1", verify=0
    ).trial_frame()
    x = 2 * trials["A1"]
    np.testing.assert_allclose(trials["B1"], np.where(x > 2, x * (x + 1), x + x + 1))


@pytest.fixture
def profit(tmp_path: Path) -> Path:
    """Profit of a demand, a price and a cost: B1 = A1·(A2 − A3) − 100."""
    return written(tmp_path / "profit.xlsx", {"A1": 100, "A2": 5, "A3": 3, "B1": "=A1*(A2-A3)-100"})


def test_scenarios_share_their_draws_and_are_compared_pair_by_pair(profit: Path) -> None:
    book = sheetsim.workbook(profit)
    scenarios = {"now": {}, "dear": {"A2": 5.5}, "other demand": {"A1": "normal(110, 20)"}}
    compared = book.compare(scenarios, {"A1": "normal(100, 20)"}, ["B1"], trials=4000, seed=1)
    demand = (compared.trials()["now"] + 100) / 2
    np.testing.assert_allclose(compared.trials()["dear"], demand * 2.5 - 100)
    np.testing.assert_allclose(compared.trials()["other demand"], (demand + 10) * 2 - 100)
    frame = compared.frame()
    assert frame.loc["other demand", "difference"] == pytest.approx(20)
    assert frame.loc["other demand", "high"] - frame.loc["other demand", "low"] == pytest.approx(0, abs=1e-9)
    assert frame["best"].sum() == pytest.approx(1)
    assert frame.loc["dear", "best"] == pytest.approx((demand * 0.5 > 20).mean())
    decision = compared.decision()
    assert decision.loc["mean", "best"] == "dear"
    assert bool(decision.loc["mean", "decided"])
    assert compared.frame(least=True).loc["now", "best"] == pytest.approx((demand > 0).mean(), abs=0.01)


def test_a_grid_is_what_each_point_gives_alone(profit: Path) -> None:
    book = sheetsim.workbook(profit)
    inputs = {"A1": "normal(100, 20)"}
    grid = book.grid({"A2": [4, 6], "A3": [2, 3]}, inputs, "B1", statistic="q05", trials=2000, seed=1)
    alone = book.compare({"it": {"A2": 6, "A3": 2}}, inputs, ["B1"], trials=2000, seed=1).trials()["it"]
    assert grid.loc[6, 2] == pytest.approx(np.quantile(alone, 0.05), rel=1e-12)
    assert grid.shape == (2, 2)


def test_a_goal_is_the_value_at_which_the_share_turns(profit: Path) -> None:
    book = sheetsim.workbook(profit)
    goal = book.goal("A3", {"A1": "normal(100, 20)"}, "B1", probability=0.9, trials=4001, seed=1)
    demand = (
        book.compare({"now": {}}, {"A1": "normal(100, 20)"}, ["B1"], trials=4001, seed=1).trials()["now"] + 100
    ) / 2
    assert goal.value == pytest.approx(5 - 100 / np.quantile(demand, 0.1), rel=1e-3)
    assert goal.probability >= 0.9
    with pytest.raises(SheetsimError, match="no value of A3"):
        book.goal("A3", {"A1": "normal(100, 20)"}, "B1", above=1e300, trials=100)


def test_scenarios_a_grid_and_a_goal_are_printed(profit: Path, sheetsim: Any) -> None:
    words = ["simulate", str(profit), "--input", "A1=normal(100, 20)", "--trials", "500", "--format", "json"]
    status, out, _ = sheetsim(*words, "--output", "B1", "--scenario", "dear: A2=5.5, A1=normal(90, 20)")
    assert status == 0
    assert [(row["output"], row["scenario"]) for row in json.loads(out)] == [("B1", "as it is"), ("B1", "dear")]
    _, out, _ = sheetsim(*words[:-2], "--output", "B1", "--grid", "A2=4,6", "--grid", "A3=2:3:2")
    assert out.splitlines()[0].split() == ["A2", "A3=2", "A3=3"]
    _, out, _ = sheetsim(*words, "--output", "B1", "--grid", "A2=4:6:3", "--statistic", "loss")
    assert [row["A2"] for row in json.loads(out)] == [4, 5, 6]
    _, out, _ = sheetsim(*words, "--goal", "A3: P(B1>0)=90%")
    assert json.loads(out)[0]["cell"] == "A3"
    status, _, err = sheetsim(*words, "--goal", "A3=3")
    assert (status, err.count("\n")) == (2, 1)


def test_names_that_double_one_another_and_stray_cells_take_no_time(tmp_path: Path) -> None:
    path = tmp_path / "names.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Sheet1")
        sheet.write_row(0, 0, (1, 2))
        book.define_name("n_0", "=Sheet1!$A$1")
        for k in range(1, 60):
            book.define_name(f"n_{k}", f"=n_{k - 1}+n_{k - 1}")
        book.define_name("loop", "=loop+1")
        sheet.write_formula("C1", "=n_59/2^59")
        sheet.write_formula("C2", "=IFERROR(loop,A1)")
        sheet.write("XFD10000", 3)
        sheet.write_formula("C3", "=SUM(A:B)+A1")
        sheet.write_formula("C4", "=SUM(D1:XFD1048576)+A1")
    run = simulated(path, {"A1": "normal(1, 1)"}, "C1", "C2", "C3", verify=0)
    trials = run.trial_frame()
    np.testing.assert_allclose(trials["C1"], trials["A1"])
    np.testing.assert_allclose(trials["C2"], trials["A1"])
    np.testing.assert_allclose(trials["C3"], 2 * trials["A1"] + 2)
    with pytest.raises(SheetsimError, match="range of"):
        simulated(path, {"A1": "normal(1, 1)"}, "C4", verify=0)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("old.xls", bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600), "Excel 97 to 2003.*save it as .xlsx"),
        (
            "locked.xlsx",
            bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600) + "EncryptedPackage".encode("utf-16-le"),
            "locked by a password",
        ),
        ("plan.csv", b"price,10\n", "it is .csv.*save it as .xlsx"),
    ],
)
def test_a_file_of_another_kind_is_named_with_what_to_do(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SheetsimError, match=reason):
        sheetsim.workbook(tmp_path / name)


def test_an_output_of_texts_and_an_input_with_a_formula_are_said(tmp_path: Path) -> None:
    book = written(tmp_path / "book.xlsx", {"A1": 1, "B1": "=A1*2", "C1": '=IF(B1>0,"gain","loss")', "D1": "=B1+1"})
    run = simulated(book, {"B1": "normal(1, 1)"}, "C1", "D1", verify=0)
    assert "the input B1 holds a formula, which is not computed: its draws stand in its place" in run.notes
    assert [note for note in run.notes if "in no trial" in note] == [
        "the output C1 is a number in no trial: it is a text or an error"
    ]
    with pytest.raises(SheetsimError, match=r"A1:B1 is a range: name one cell"):
        simulated(book, {"A1:B1": "normal(1, 1)"}, "D1")
