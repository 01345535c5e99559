"""Outputs of a model: known answers, pandas and NumPy as referees, live cells in IronCalc and LibreOffice."""

import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import ironcalc
import numpy as np
import openpyxl
import pandas as pd
import pytest
from engines import SOFFICE, differences, ironcalc_cells, libreoffice_cells
from lint import lint
from scipy import stats

import sheetsim
from sheetsim.errors import SheetsimError
from sheetsim.runs.model import ModelRun
from sheetsim.runs.run import Run
from sheetsim.studies.forward.study import Forward
from sheetsim.summary.outputs import COLUMNS, PERCENTS, RISK_COLUMNS

RNG = np.random.default_rng(11)
NUMBERS = RNG.gamma(2.0, 300.0, (500, 1)) - 400


# What a page says, by its label, and the column of the risk table that it is.
ANSWERS = {
    "P(output ≤ t)": "at_most",
    "The value at p": "value",
    "Mean of what is at or above it": "mean_above",
    "Mean of what is at or below it": "mean_below",
    "P(a < output ≤ b)": "between",
}


def given(values: Any, **keys: Any) -> sheetsim.Model:
    """A model whose output is the numbers that are given."""
    model = sheetsim.Model("Given")
    model.output("y", model.input("x", values) * 1, **keys)
    return model


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> tuple[ModelRun, Path]:
    run = given(NUMBERS, unit="€", what="profit", log=True).run()
    return run, run.to_excel(tmp_path_factory.mktemp("outputs") / "given.xlsx")


def test_the_summary_is_that_of_pandas_and_scipy() -> None:
    run, y = given(NUMBERS).run(), pd.Series(NUMBERS[:, 0])
    expected = {
        "n": 500,
        "errors": 0,
        "mean": y.mean(),
        "std": y.std(),
        "se": y.sem(),
        "skew": stats.skew(y),
        "kurtosis": stats.kurtosis(y),
        "min": y.min(),
        **{f"q{p:02}": y.quantile(p / 100) for p in (1, 5, 25, 50, 75, 95, 99)},
        "max": y.max(),
    }
    summary = run.summary()
    assert list(summary.columns) == list(COLUMNS)
    for name, number in expected.items():
        assert summary.loc["y", name] == pytest.approx(number, rel=1e-12), name
    percentiles = run.percentiles()["y"]
    np.testing.assert_allclose(percentiles, np.percentile(y, PERCENTS), rtol=1e-12)


def test_risk_numbers_count_trials() -> None:
    run, y = given(NUMBERS).run(), NUMBERS[:, 0]
    assert run.risk().loc["y", "threshold"] == 0  # where numbers lie on both sides of it
    risk = run.risk("y", threshold=100, probability=0.9, between=(-50, 250)).loc["y"]
    assert list(risk.index) == list(RISK_COLUMNS)
    interval = stats.binomtest(int((y <= 100).sum()), 500).proportion_ci(method="wilson")
    value = np.quantile(y, 0.9)
    expected = {
        "threshold": 100,
        "at_most": (y <= 100).mean(),
        "at_most_low": interval.low,
        "at_most_high": interval.high,
        "probability": 0.9,
        "value": value,
        "mean_above": y[y >= value].mean(),
        "mean_below": y[y <= value].mean(),
        "low": -50,
        "high": 250,
        "between": ((y > -50) & (y <= 250)).mean(),
    }
    assert risk.to_dict() == pytest.approx(expected, rel=1e-12)


def test_infinite_ends_leave_a_side_open() -> None:
    run, y = given(NUMBERS).run(), NUMBERS[:, 0]
    assert run.risk(between=(-np.inf, 0))["between"].item() == (y <= 0).mean()
    assert run.risk(between=(0, np.inf))["between"].item() == (y > 0).mean()
    assert run.risk(threshold=np.inf)[["threshold", "at_most"]].to_numpy().tolist() == [[np.inf, 1]]
    assert run.risk(threshold=-np.inf)["at_most"].item() == 0


def test_a_histogram_counts_every_trial_once() -> None:
    histogram = given(NUMBERS).run().histograms()
    y = NUMBERS[:, 0]
    assert histogram["count"].sum() == 500
    assert histogram["share"].sum() == pytest.approx(1)
    edges = histogram["up_to"].to_numpy()[:-1]
    expected = [((y > low) & (y <= high)).sum() for low, high in zip([-np.inf, *edges], [*edges, np.inf], strict=True)]
    assert histogram["count"].tolist() == expected


def test_trials_without_a_number_are_counted_and_left_out() -> None:
    model = sheetsim.Model()
    x = model.input("x", np.linspace(-1, 3, 41).reshape(-1, 1))
    model.output("root", sheetsim.sqrt(x))
    run = model.run()
    left = np.sqrt(np.linspace(-1, 3, 41)[10:])
    summary = run.summary().loc["root"]
    assert summary[["n", "errors"]].tolist() == [31, 10]
    assert summary[["mean", "std", "min", "max", "q25", "q50", "q99"]].tolist() == pytest.approx(
        [left.mean(), left.std(ddof=1), left.min(), left.max(), *np.quantile(left, [0.25, 0.5, 0.99])], rel=1e-9
    )
    assert run.risk("root", threshold=1.0).loc["root", "at_most"] == pytest.approx((left <= 1.0).mean())
    assert run.histograms()["count"].sum() == 31


def test_equal_trials_have_a_summary_and_a_histogram(tmp_path: Path) -> None:
    run = given(np.full((8, 1), 5.0)).run()
    summary = run.summary().loc["y"]
    assert summary[["mean", "std", "q05", "max"]].tolist() == [5, 0, 5, 5]
    assert summary[["skew", "kurtosis"]].isna().all()
    assert run.histograms()["count"].sum() == 8
    assert sheetsim.verify(run.to_excel(tmp_path / "equal.xlsx")).ok


def test_columns_of_an_output_are_quantities_with_their_names(tmp_path: Path) -> None:
    run = given(np.column_stack([NUMBERS[:60], 2 * NUMBERS[:60]]), columns=("north", "south")).run()
    assert run.outputs() == ["y north", "y south"]
    summary = run.summary()
    assert summary.loc["y south", "mean"] == pytest.approx(2 * summary.loc["y north", "mean"])
    path = run.to_excel(tmp_path / "two.xlsx")
    with sheetsim.read(path) as read:
        pd.testing.assert_frame_equal(read.summary(), summary, check_dtype=False)
        pd.testing.assert_frame_equal(read.table("percentiles"), run.percentiles(), check_dtype=False)
    assert sheetsim.verify(path).ok


@pytest.mark.parametrize(
    "columns",
    [("a/b", "a:b"), ("<€ & 10 %>", "１月 (千円)"), ("a b", "a.b"), ("Net", "NET"), ("x" * 250, "y")],
    ids=["signs of titles", "signs of no name", "one name", "case", "long"],
)
def test_any_headings_make_pages_and_names_of_their_own(columns: tuple[str, str], tmp_path: Path) -> None:
    run = given(np.column_stack([NUMBERS[:20], 2 * NUMBERS[:20]]), columns=columns).run()
    path = run.to_excel(tmp_path / "headings.xlsx")
    with sheetsim.read(path) as read:
        pd.testing.assert_frame_equal(read.summary(), run.summary(), check_dtype=False)
        pd.testing.assert_frame_equal(read.histograms(), run.histograms(), check_dtype=False)
    assert lint(path) == []


@pytest.mark.parametrize(("keys", "sheet"), [({"matrices": False}, False), ({"values_only": True}, True)])
def test_a_book_of_values_tells_nobody_to_change_a_cell(keys: dict[str, bool], sheet: bool, tmp_path: Path) -> None:
    run = given(NUMBERS, unit="€").run()
    for lang in ("en", "ja"):
        book = openpyxl.load_workbook(run.to_excel(tmp_path / f"{lang}.xlsx", lang=lang, **keys))
        told = [
            str(cell.value)
            for title in ("Model", "Output y", "Sensitivity")
            for row in book[title].iter_rows()
            for cell in row
            if isinstance(cell.value, str)
        ]
        assert not re.search("can be changed|change it|over the trials|変更|数式です", "\n".join(told))
        words = "A trial is a row of the sheet y." if lang == "en" else "シート y の 1 行が 1 回の試行です。"
        assert any(words in text for text in told) == sheet
        assert any(("without formulas" if lang == "en" else "数式のない値だけ") in text for text in told)


def test_a_histograms_names_are_none_that_the_model_has(tmp_path: Path) -> None:
    model = sheetsim.Model()
    x = model.input("x", np.column_stack([NUMBERS[:20], NUMBERS[20:40]]))
    model.define("y.2.counts", x * 2)
    model.define("Chart_Height.z", x * 3)
    model.output("y", x * 1)
    model.output("y.1", sheetsim.row_sum(x))
    model.output("z", sheetsim.row_sum(x * x))
    path = model.to_excel(tmp_path / "names.xlsx")
    assert lint(path) == []
    assert sheetsim.verify(path).ok


def test_the_book_reads_back_and_has_no_fault(book: tuple[ModelRun, Path]) -> None:
    run, path = book
    assert lint(path) == []
    with sheetsim.read(path) as read:
        pd.testing.assert_frame_equal(read.summary(), run.summary(), check_dtype=False)
        pd.testing.assert_frame_equal(read.table("risk"), run.risk(), check_dtype=False)


def test_ironcalc_recalculates_the_pages(book: tuple[ModelRun, Path]) -> None:
    run, path = book
    assert differences(run, ironcalc_cells(path), 1e-12) == []


@pytest.mark.slow
@pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not here")
def test_libreoffice_recalculates_the_pages(book: tuple[ModelRun, Path]) -> None:
    run, path = book
    (cells,) = libreoffice_cells([path])
    assert differences(run, cells, 1e-12) == []


def test_what_is_typed_in_the_yellow_cells_is_answered(book: tuple[ModelRun, Path]) -> None:
    """As a person does it: another t, p, a and b, in IronCalc."""
    run, path = book
    model = ironcalc.load_from_xlsx(str(path), "en", "UTC", "en")
    sheet = next(k for k, one in enumerate(model.get_worksheets_properties()) if one["name"] == "Output y")
    rows = {model.get_formatted_cell_value(sheet, row, 1).strip(): row for row in range(1, 20)}
    typed = {"A number t": 150.0, "A probability p": 0.25, "A number a": 0.0, "A number b": 120.5}
    for label, number in typed.items():
        model.set_user_input(sheet, rows[label], 2, str(number))
    model.evaluate()
    expected = run.risk("y", threshold=150, probability=0.25, between=(0, 120.5)).loc["y"]
    for label, name in ANSWERS.items():
        shown = model.get_formatted_cell_value(sheet, rows[label], 2)
        number = float(shown.rstrip("%").replace(",", "")) / (100 if shown.endswith("%") else 1)
        assert number == pytest.approx(expected[name], abs=0.00051 if shown.endswith("%") else 0.6), label


@pytest.mark.slow
@pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not here")
def test_libreoffice_answers_what_is_typed(book: tuple[ModelRun, Path], tmp_path: Path) -> None:
    run, path = book
    workbook = openpyxl.load_workbook(path)
    sheet = workbook["Output y"]
    rows = {str(sheet.cell(row, 1).value).strip(): row for row in range(1, 20)}
    for label, number in {"A number t": 150, "A probability p": 0.25, "A number a": 0, "A number b": 120.5}.items():
        sheet.cell(rows[label], 2).value = number
    workbook.save(tmp_path / "typed.xlsx")
    (cells,) = libreoffice_cells([tmp_path / "typed.xlsx"])
    expected = run.risk("y", threshold=150, probability=0.25, between=(0, 120.5)).loc["y"]
    for label, name in ANSWERS.items():
        assert cells("Output y", rows[label] - 1, 1, (1, 1))[0][0] == pytest.approx(expected[name], rel=1e-9), label


def test_sums_and_products_have_their_known_moments() -> None:
    """Normals add by variances, and logarithms of log-normals do."""
    n = 40_000
    model = sheetsim.Model(seed=4)
    a, b = model.input("a", sheetsim.normal(3, 2), (n, 1)), model.input("b", sheetsim.normal(-1, 1.5), (n, 1))
    u = model.input("u", sheetsim.distribution("lognormal", mean=0.1, std=0.2), (n, 1))
    v = model.input("v", sheetsim.distribution("lognormal", mean=0.3, std=0.1), (n, 1))
    model.output("both", a + b)
    model.output("product", u * v)
    summary = model.run().summary()
    laws = {"both": stats.norm(2, 2.5), "product": stats.lognorm(np.hypot(0.2, 0.1), scale=np.exp(0.4))}
    for name, law in laws.items():
        row = summary.loc[name]
        assert abs(row["mean"] - law.mean()) < 4 * row["se"]
        # The standard error of a standard deviation, by the fourth moment.
        spread = law.std() * np.sqrt((law.stats("k") + 2) / 4 / n)
        assert abs(row["std"] - law.std()) < 4 * spread
        for p in (0.05, 0.5, 0.95):
            se = np.sqrt(p * (1 - p) / n) / law.pdf(law.ppf(p))
            assert abs(row[f"q{round(100 * p):02}"] - law.ppf(p)) < 4 * se


def test_an_option_costs_what_black_and_scholes_say() -> None:
    """Price and delta of a call against the closed form (Black & Scholes 1973); delta by the path's derivative."""
    n, s, k, r, sigma, t = 100_000, 100.0, 105.0, 0.03, 0.2, 0.5
    model = sheetsim.Model(seed=2)
    z = model.input("z", sheetsim.normal(), (n, 1), sampling="antithetic")
    spot = model.input("spot", s)
    end = spot * sheetsim.exp((r - sigma**2 / 2) * t + sigma * np.sqrt(t) * z)
    payoff = np.exp(-r * t) * sheetsim.relu(end - k)
    model.output("call", payoff)
    (delta,) = sheetsim.grad(sheetsim.mean(payoff), [spot])
    model.define("delta", delta + 0)
    run = model.run()
    d1 = (np.log(s / k) + (r + sigma**2 / 2) * t) / (sigma * np.sqrt(t))
    d2 = d1 - sigma * np.sqrt(t)
    price = s * stats.norm.cdf(d1) - k * np.exp(-r * t) * stats.norm.cdf(d2)
    row = run.summary().loc["call"]
    assert abs(row["mean"] - price) < 4 * row["se"]
    assert run["delta"] == pytest.approx(stats.norm.cdf(d1), abs=4 * 0.6 / np.sqrt(n))


def test_more_trials_than_a_sheet_has_rows_run_and_leave_a_book_of_the_outputs(tmp_path: Path) -> None:
    model = sheetsim.Model(seed=1)
    model.output("y", model.input("x", sheetsim.normal(), (1_050_000, 1)) + 1)
    run = model.run()
    assert run.summary().loc["y", "n"] == 1_050_000
    with pytest.raises(
        sheetsim.SheetsimError, match=r"needs 1,050,001 rows.*to_excel\(path, matrices=False\) writes the outputs alone"
    ):
        run.to_excel(tmp_path / "never.xlsx")
    path = run.to_excel(tmp_path / "outputs.xlsx", matrices=False)
    assert path.stat().st_size < 100_000
    with sheetsim.read(path) as read:
        assert read.summary().loc["y", "mean"] == run.summary().loc["y", "mean"]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda m: m.output("y", 3.0), "y: an output must be a matrix of the model with one row per trial, not float"),
        (lambda m: m.output("y", m.input("x", [[1.0, 2.0]])), "one row per trial and at least 2 rows, not 1×2"),
        (lambda m: m.output("y", m.input("x", [[1.0], [2.0]])), "this matrix already has the name 'x'"),
        (lambda m: m.output("y", m.input("x", np.ones((3, 2))) * 1, columns=["a"]), "1 headings for 2 columns"),
        (lambda m: m.output("y", m.input("x", np.ones((3, 1))) * 1, unit=3), "y: unit must be text"),
        (lambda m: m.output("x", sheetsim.Model().input("x", np.ones((3, 1)))), "this matrix is of another model"),
        (lambda m: m.run().summary(), r"the model has no output: name a matrix with one row per trial by model.output"),
        (lambda m: given(NUMBERS).run().risk("z"), "no output 'z': the model has y"),
        (lambda m: given(NUMBERS).run().risk(probability=1.5), "probability must be a number from 0 to 1, not 1.5"),
        (lambda m: given(NUMBERS).run().risk(threshold=np.nan), "threshold must be a number, not NaN"),
        (lambda m: given(NUMBERS).run().risk(between=(0, np.nan)), "between must be a number, not NaN"),
        (lambda m: given(NUMBERS).run().risk(between=(1,)), "between must be two numbers"),
        (lambda m: given(NUMBERS).run().risk(threshold="x"), "threshold must be a number, not 'x'"),
        (lambda m: given(NUMBERS).run().table("layers"), "the model has no table 'layers'; it has outputs, perce"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(make: Any, sentence: str) -> None:
    with pytest.raises(sheetsim.SheetsimError, match=sentence):
        make(sheetsim.Model())


def test_a_matrix_that_has_the_name_is_the_output() -> None:
    model = sheetsim.Model()
    profit = model.define("profit", model.input("x", NUMBERS) * 2)
    assert model.output("profit", profit) is profit
    assert model.run().outputs() == ["profit"]


def test_the_documented_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parent.parent / "docs/own-model.md").read_text()
    (code,) = [c for c in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "model.output" in c and "risk" in c]
    monkeypatch.chdir(tmp_path)
    exec(code.replace("10_000", "500").replace(", 200, until", ", 30, until").replace("1_000_000", "1000"), {})
    assert sheetsim.verify("launch.xlsx").ok


LAUNCH = """
import sheetsim

model = sheetsim.Model("Launch", seed=4)
other = sheetsim.Model("Other")
mean = model.input("mean", 5.0)
x = model.input("x", sheetsim.normal(mean, 2), (300, 1))
model.output("y", x * x - 3, unit="€")
if __name__ == "__main__":
    model.to_excel("launch.xlsx")
"""


def test_a_models_book_is_made_again_from_its_python_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("launch.py").write_text(LAUNCH)
    subprocess.run([sys.executable, "launch.py"], check=True)
    written = Path("launch.xlsx").read_bytes()
    verified = sheetsim.verify("launch.xlsx", model="launch.py")
    assert verified.ok
    assert verified.state == "as made"
    assert {row.engine for row in verified.rows} == {"ironcalc", "numpy"}
    assert Path("launch.xlsx").read_bytes() == written
    Path("launch.py").write_text(LAUNCH.replace("* x - 3", "* x - 3.5"))
    changed = sheetsim.verify("launch.xlsx", model="launch.py")
    assert not changed.ok
    assert any(row.engine == "numpy" and row.name == "y" and not row.ok for row in changed.rows)


def test_a_book_of_a_models_replicates_is_made_again_from_its_python_file(tmp_path: Path) -> None:
    (tmp_path / "launch.py").write_text(LAUNCH)
    names = runpy.run_path(str(tmp_path / "launch.py"), run_name="launch")
    replicates = sheetsim.replicate(names["model"], 40, until="90%", statistics=["mean"], bootstrap=True)
    book = replicates.to_excel(tmp_path / "replicates.xlsx")
    assert sheetsim.verify(book).state == "as written"
    verified = sheetsim.verify(book, model=tmp_path / "launch.py")
    assert (verified.ok, verified.state) == (True, "as made")
    (tmp_path / "launch.py").write_text(LAUNCH.replace("* x - 3", "* x - 3.5"))
    changed = sheetsim.verify(book, model=tmp_path / "launch.py")
    assert changed.state == "as written"
    assert any(difference.name == "results" for difference in changed.changes)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "import sheetsim\na, b = sheetsim.Model('A'), sheetsim.Model('B')",
            "exactly one model with the book's title 'Given'; it",
        ),
        ("1 / 0", "model.py cannot be run: ZeroDivisionError: division by zero"),
        ("", "exactly one model with the book's title 'Given'; it defines no model as a variable"),
        ("raise SystemExit(3)", "model.py cannot be run: SystemExit: 3"),
    ],
)
def test_a_file_without_the_model_is_one_sentence(
    text: str, sentence: str, book: tuple[ModelRun, Path], tmp_path: Path
) -> None:
    (tmp_path / "model.py").write_text(text)
    with pytest.raises(sheetsim.SheetsimError, match=sentence):
        sheetsim.verify(book[1], model=tmp_path / "model.py")
    with pytest.raises(sheetsim.SheetsimError, match="is not a Python file that makes a model"):
        sheetsim.verify(book[1], model=tmp_path / "none.py")


def test_two_dice_make_their_discrete_convolution() -> None:
    n, faces = 50_000, np.arange(1, 7)
    model = sheetsim.Model(seed=6)
    dice = [model.input(f"die_{k}", sheetsim.discrete(faces), (n, 1)) for k in "ab"]
    model.output("points", dice[0] + dice[1])
    run = model.run()
    exact = np.convolve(np.full(6, 1 / 6), np.full(6, 1 / 6))  # of 2 … 12
    for points in range(2, 12):
        share = exact[: points - 1].sum()
        at_most = run.risk("points", threshold=points).loc["points", "at_most"]
        assert abs(at_most - share) < 4 * np.sqrt(share * (1 - share) / n)


@pytest.fixture(scope="module")
def pairs() -> Run:
    """A study whose graph declares an output, and nothing more."""
    return sheetsim.run("correlation", pairs=30, units=20, layers=3)


def test_a_study_tells_of_an_output_that_its_graph_declares(pairs: Run) -> None:
    x, y = pairs["a_x_3"], pairs["a_y_3"]
    expected = (x * y).sum(axis=1) / np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    assert pairs.outputs() == ["pair_correlation"]
    assert pairs.table("outputs").loc["pair_correlation", "mean"] == pytest.approx(expected.mean())
    np.testing.assert_allclose(pairs.percentiles()["pair_correlation"], np.percentile(expected, PERCENTS))
    risk = pairs.risk(threshold=0.4).loc["pair_correlation"]
    assert risk["at_most"] == pytest.approx((expected <= 0.4).mean())
    assert pairs.histograms()["count"].sum() == 30
    assert pairs.summary().index.name == "layer"
    with pytest.raises(SheetsimError, match="no output 'q': correlation has pair_correlation"):
        pairs.risk("q")
    with pytest.raises(SheetsimError, match="symmetry has no output: the study declares none"):
        sheetsim.run("symmetry").percentiles()


def test_a_studys_book_has_a_page_of_its_output_whose_questions_change_no_title(pairs: Run, tmp_path: Path) -> None:
    path = pairs.to_excel(tmp_path / "pairs.xlsx")
    with sheetsim.read(path) as made:
        pd.testing.assert_frame_equal(made.table("risk"), pairs.risk())
        pd.testing.assert_frame_equal(made.table("percentiles"), pairs.percentiles())
        pd.testing.assert_frame_equal(made.histograms(), pairs.histograms())
    titles = [sheet.title for sheet in pairs._layout.sheets]
    assert titles[:4] == ["Overview", "About", "Outputs", "Output pair_correlation"]
    assert titles.count("pair_correlation") == 1
    book = ironcalc.load_from_xlsx(str(path), "en", "UTC", "en")
    risk = pairs._risk
    assert risk is not None
    places = {name: pairs._layout.places[risk[name][0]] for name in ("threshold", "at_most")}
    book.set_user_input(3, places["threshold"].row + 1, places["threshold"].column + 1, "2")
    book.evaluate()
    assert book.get_formatted_cell_value(3, places["at_most"].row + 1, places["at_most"].column + 1) == "100.0%"
    assert not book.get_formatted_cell_value(0, 1, 1).startswith("Changed")
    assert sheetsim.verify(pairs.to_excel(tmp_path / "values.xlsx", values_only=True)).state == "as made"


@pytest.mark.slow
@pytest.mark.parametrize(
    "engine",
    [
        "ironcalc",
        pytest.param("libreoffice", marks=pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not here")),
    ],
)
def test_engines_agree_with_a_studys_book_and_its_outputs(pairs: Run, engine: str, tmp_path: Path) -> None:
    verified = sheetsim.verify(pairs.to_excel(tmp_path / "pairs.xlsx"), (engine,))
    assert (verified.ok, verified.state) == (True, "as made")


def test_an_output_of_a_study_with_histograms_of_its_own_has_others_beside_them() -> None:
    study = Forward(study="forward", samples=20, inputs=3, layers=[4, 4]).build()
    study.graph.output("norm", sheetsim.row_sum(study.graph["z_2"] ** 2), what="squared norm of a sample's outputs")
    run = Run(study, "forward", "")
    assert run.tables()[-3:] == ["percentiles", "risk", "output_histograms"]
    assert run.table("output_histograms")["count"].sum() == 20
    assert run.histograms()["count"].sum() == 2 * 20 * 4
    assert run.table("outputs").loc["norm", "mean"] == pytest.approx((run["z_2"] ** 2).sum() / 20)


def test_replicates_of_a_study_observe_its_output() -> None:
    replicates = sheetsim.replicate("correlation", 3, pairs=5, units=6, layers=2)
    rows = replicates.frame().xs("pair_correlation", level="row")
    assert ("pair_correlation", "q50") in replicates.statistics().index
    again = sheetsim.run("correlation", pairs=5, units=6, layers=2, seed=int(rows["seed"].iloc[0])).table("outputs")
    assert again.loc["pair_correlation", "q50"] == pytest.approx(rows["q50"].iloc[0], rel=1e-12)
