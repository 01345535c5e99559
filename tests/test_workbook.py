"""The workbook as a person, pandas and openpyxl find it."""

import math
import os
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import openpyxl
import pandas as pd
import pytest
from conftest import SMALL, run_of, small_run
from engines import SOFFICE

import sheetsim
from sheetsim.engine.blas import kernels
from sheetsim.errors import SheetsimError
from sheetsim.model.activations import ACTIVATIONS
from sheetsim.workbook.limits import MANIFEST_TITLE, check_formula, check_name, check_titles
from sheetsim.workbook.writing.printing import PAPER_HEIGHT, ROW, even_cuts
from sheetsim.workbook.writing.styles import axis_format
from sheetsim.workbook.writing.theme import RoleColors

ORDER = [
    "Overview",
    "About",
    "Trace",
    "Input",
    *(f"Weights {k}" for k in range(1, 6)),
    *(f"Linear {k}" for k in range(1, 6)),
    *(f"Activation {k}" for k in range(1, 6)),
    "Histograms",
    "Layers",
    "Variance",
    *(f"Draws {k}" for k in range(1, 6)),
    "Bars",
    MANIFEST_TITLE,
]


def bits(array: object) -> list[int]:
    return np.asarray(array, dtype=np.float64).view(np.uint64).ravel().tolist()


def test_sheets_stand_in_their_order(he_book: Path) -> None:
    assert openpyxl.load_workbook(he_book, read_only=True).sheetnames == ORDER


@pytest.mark.parametrize("engine", ["openpyxl", "calamine"])
def test_pandas_reads_a_matrix_sheet_as_the_frame_bit_for_bit(he_book: Path, engine: str) -> None:
    frame = pd.read_excel(he_book, sheet_name="Activation 3", index_col=0, engine=engine)
    assert frame.shape == (1000, 100)
    assert list(frame.index) == list(range(1, 1001))
    assert list(frame.columns) == list(range(1, 101))
    assert bits(frame.to_numpy()) == bits(run_of("relu-he")["z_3"])


def test_pandas_reads_the_summary_as_its_frame(he_book: Path) -> None:
    frame = pd.read_excel(he_book, sheet_name="Layers", index_col=0, engine="openpyxl")
    pd.testing.assert_frame_equal(frame, run_of("relu-he").summary(), check_dtype=False, rtol=0, atol=0)


def test_every_accessor_of_the_run_reads_the_same_from_the_file(he_book: Path) -> None:
    run = run_of("relu-he")
    with sheetsim.read(he_book) as book:
        for name in ("x", "e_1", "W_5", "a_2", "z_5", "edges", "counts_3", "mean_a_2"):
            assert bits(book[name]) == bits(run[name]), name
        assert book["activation"] == "relu"
        assert book["initializer"] == "he"
        assert book["sd_1"] == run["sd_1"] == math.sqrt(2 / 100)
        assert book.verdicts() == run.verdicts()
        for table in ("layers", "variance", "claims", "histograms"):
            pd.testing.assert_frame_equal(book.table(table), run.table(table), check_column_type=False, rtol=0, atol=0)


def test_each_computed_matrix_is_one_array_formula(he_book: Path) -> None:
    with zipfile.ZipFile(he_book) as archive:
        sheets = {title: archive.read(f"xl/worksheets/sheet{k}.xml").decode() for k, title in enumerate(ORDER, start=1)}
    expected = {
        "Weights 1": ("B2:CW101", "sd_1*e_1"),
        "Linear 1": ("B2:CW1001", "MMULT(x,W_1)"),
        "Linear 4": ("B2:CW1001", "MMULT(z_3,W_4)"),
    }
    for title, (ref, text) in expected.items():
        assert re.findall(r'<f t="array" ref="([^"]+)">([^<]*)</f>', sheets[title]) == [(ref, text)]
        assert len(re.findall("<f[ >]", sheets[title])) == 1
    # Of the activations each by its name, in the order of the table, and the last without.
    ((ref, text),) = re.findall(r'<f t="array" ref="([^"]+)">([^<]*)</f>', sheets["Activation 2"])
    assert ref == "B2:CW1001"
    assert text.startswith('IF(activation="sigmoid",0.5*(1+TANH(a_2/2)),IF(activation="tanh",TANH(a_2),')
    assert re.findall('activation="([^"]+)"', text) == list(ACTIVATIONS)[:-1]
    for title in ("Input", "Draws 3"):
        assert not re.findall("<f[ >]", sheets[title])


def test_every_cell_of_a_formula_holds_a_value(he_book: Path) -> None:
    with zipfile.ZipFile(he_book) as archive:
        for name in archive.namelist():
            if name.startswith("xl/worksheets/sheet"):
                assert "<v></v>" not in archive.read(name).decode()


def test_drop_downs_offer_what_the_models_know(small_book: Path) -> None:
    sheet = openpyxl.load_workbook(small_book)["Overview"]
    lists = {v.formula1.strip('"') for v in sheet.data_validations.dataValidation if v.type == "list"}
    assert lists == {
        ",".join(ACTIVATIONS),
        "std 1,std 0.01,xavier,lecun,lecun normal,glorot,he,zeros,custom",
    }


def test_matrix_sheets_are_frozen_below_their_headings(small_book: Path) -> None:
    book = openpyxl.load_workbook(small_book)
    assert {book[title].freeze_panes for title in ("Input", "Weights 1", "Linear 2", "Activation 3")} == {"B2"}


def test_charts_are_native_and_one_a_layer(small_book: Path) -> None:
    with zipfile.ZipFile(small_book) as archive:
        charts = [archive.read(n).decode() for n in archive.namelist() if n.startswith("xl/charts/chart")]
    charts = [chart for chart in charts if '<c:gapWidth val="0"/>' in chart]
    assert len(charts) == 2 * 3  # on Overview and on Histograms
    assert all('<c:gapWidth val="0"/>' in chart and "<c:barChart>" in chart for chart in charts)


def test_what_lies_outside_the_range_and_exact_zeros_are_bars_of_their_own(small_book: Path) -> None:
    """From back to front: unseen, zeros in three parts, above the range, inside, below."""
    space = {"c": "http://schemas.openxmlformats.org/drawingml/2006/chart"}
    space["a"] = "http://schemas.openxmlformats.org/drawingml/2006/main"
    with zipfile.ZipFile(small_book) as archive:
        root = ElementTree.fromstring(archive.read("xl/charts/chart2.xml"))
    bars, point = root.findall(".//c:barChart/c:ser", space), root.find(".//c:lineChart/c:ser", space)
    found = []
    for own in bars:
        color = own.find("c:spPr/a:solidFill/a:srgbClr", space)
        label = own.find("c:dLbls/c:numFmt", space)
        ref = own.findtext("c:val//c:f", "", space)
        found.append(
            (ref, None if color is None else color.get("val"), None if label is None else label.get("formatCode"))
        )
    gray, blue, ochre = RoleColors().zeros[1:], RoleColors().bar[1:], RoleColors().outside[1:]
    assert found == [
        ("Bars!$C$3", None, None),
        ("Bars!$J$3:$J$4", gray, None),
        ("Bars!$N$3:$N$4", "FFFFFF", None),
        ("Bars!$R$3:$R$4", gray, None),
        ("Bars!$F$3:$F$16", ochre, '"more";;'),
        ("Bars!$F$3:$F$15", blue, None),
        ("Bars!$F$3", ochre, '"below";;'),
    ]
    # Its label is live: a share in a number format, and nothing where there are no zeros.
    assert point is not None
    assert point.findtext("c:val//c:f", "", space) == "Bars!$V$3:$V$4"
    assert point.find("c:dLbls/c:numFmt", space).get("formatCode") == '"zeros "0.0%;;'  # type: ignore[union-attr]


def test_histograms_begin_at_0_and_not_a_hair_below(small_book: Path) -> None:
    sheet = openpyxl.load_workbook(small_book, data_only=True)["Histograms"]
    assert [sheet.cell(row, 2).value for row in (1, 2, 15)] == ["up to", 0, "more"]
    assert sheet["B2"].number_format == "General"


def test_the_title_is_in_the_file_properties(small_book: Path) -> None:
    assert openpyxl.load_workbook(small_book).properties.title.startswith("ReLU, He weights (√(2/n)), changed: ")


def test_about_has_every_parameter_and_the_command(tmp_path: Path) -> None:
    path = sheetsim.run("relu-he", seed=7, **SMALL).to_excel(tmp_path / "b.xlsx")
    cells = {row[0]: row[1] for row in openpyxl.load_workbook(path)["About"].iter_rows(values_only=True)}
    assert cells["seed"] == "7"
    assert cells["layers"] == "[6, 8, 5]"
    assert cells["command"].startswith("sheetsim run relu-he --seed 7 --set samples=40")
    assert "NumPy" in cells["versions"]


def test_values_only_has_the_same_sheets_but_trace_and_numbers_and_no_formula(tmp_path: Path) -> None:
    run = small_run()
    dead, live = run.to_excel(tmp_path / "dead.xlsx", values_only=True), run.to_excel(tmp_path / "live.xlsx")
    with zipfile.ZipFile(dead) as archive:
        assert not any(
            re.search(rb"<f[ >]", archive.read(n)) for n in archive.namelist() if n.startswith("xl/worksheets/sheet")
        )
    with sheetsim.read(dead) as one, sheetsim.read(live) as other:
        # Nothing can be chosen on Trace without formulas.
        assert one._reader.file.titles == [title for title in other._reader.file.titles if title != "Trace"]
        assert bits(one["z_3"]) == bits(other["z_3"])
        pd.testing.assert_frame_equal(one.summary(), other.summary())


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = small_run().to_excel(tmp_path / "1.xlsx"), small_run().to_excel(tmp_path / "2.xlsx")
    assert first.read_bytes() == second.read_bytes()
    other = small_run(seed=1).to_excel(tmp_path / "3.xlsx")
    assert first.read_bytes() != other.read_bytes()


THREADS = """
import hashlib
import numpy as np, sheetsim
size = {"samples": 250, "layers": [100, 100], "seed": 1}
rows = np.random.default_rng(0).normal(size=(400, 100))
correlated = {"distribution": "normal", "correlation": "../correlation.npy"}
runs = {
    "forward": sheetsim.run("relu-he", **size),
    "correlated": sheetsim.run("tanh-std1", input=correlated, report="summary", **size),
    "flow": sheetsim.run("gradient-flow", report="summary", **size),
    "replicates": sheetsim.replicate("relu-he", 2, input=rows, layers=[100]),
}
for name, run in runs.items():
    print(name, hashlib.sha256(run.to_excel(name + ".xlsx").read_bytes()).hexdigest())
# Its book takes a second to write: the numbers in it say as much.
run = sheetsim.run("rnn-gradients", units=40, samples=250, steps=2)
print("rnn", hashlib.sha256(b"".join(np.asarray(run[name]).tobytes() for name in run.names())).hexdigest())
"""


@pytest.mark.slow
def test_the_threads_of_the_blas_change_no_byte(tmp_path: Path) -> None:
    np.save(tmp_path / "correlation.npy", np.corrcoef(np.random.default_rng(1).normal(size=(400, 100)).T))
    processes = []
    for threads in ("1", "2", "4"):
        folder = tmp_path / threads
        folder.mkdir()
        counts = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), threads)
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", THREADS],
                cwd=folder,
                env=os.environ | counts,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    first, *others = [process.communicate()[0] for process in processes]
    assert first.count("\n") == 5
    assert others == [first, first]


def test_about_names_the_kernels_that_decide_the_last_digits(small_book: Path) -> None:
    cells = {row[0]: row[1] for row in openpyxl.load_workbook(small_book)["About"].iter_rows(values_only=True)}
    assert cells["versions"].endswith(kernels())
    assert re.search("BLAS .+, SIMD .+", kernels())
    # The same whether SciPy, which has a BLAS of its own, was loaded before or was not.
    ask = "from sheetsim.engine.blas import kernels; print(kernels())"
    said = [
        subprocess.run([sys.executable, "-c", before + ask], capture_output=True, text=True, check=True).stdout
        for before in ("", "import scipy.linalg; ")
    ]
    assert said == [f"{kernels()}\n"] * 2


def test_a_summary_report_leaves_the_matrices_out_and_takes_any_size(tmp_path: Path) -> None:
    run = sheetsim.run("relu-he", report="summary", samples=1_100_000, inputs=2, layers=[2])
    path = run.to_excel(tmp_path / "wide.xlsx")
    with sheetsim.read(path) as book:
        assert book._reader.file.titles == [
            "Overview",
            "About",
            "Histograms",
            "Layers",
            "Variance",
            "Bars",
            MANIFEST_TITLE,
        ]
        pd.testing.assert_frame_equal(book.summary(), run.summary())
    assert "z_1" not in run
    with pytest.raises(SheetsimError, match="keeps the tables only"):
        run["z_1"]


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"samples": 1_048_576, "inputs": 1, "layers": [1]}, "'Input' needs 1,048,577 rows"),
        ({"samples": 2, "layers": [16_384]}, "'Weights 1' needs 16,385 columns"),
    ],
)
def test_a_matrix_too_large_for_a_sheet_is_refused_by_its_dimension(
    overrides: dict[str, object], sentence: str
) -> None:
    with pytest.raises(SheetsimError, match=sentence):
        sheetsim.run("relu-he", **overrides)


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "book.xlsx"
    target.write_text("precious")
    run = small_run()

    def interrupted(title: str) -> None:
        if title == "Layers":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.to_excel(target, progress=interrupted)
    assert target.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("where", ["nowhere/book.xlsx", "."])
def test_a_target_that_cannot_be_written_is_one_sentence(tmp_path: Path, where: str) -> None:
    with pytest.raises(SheetsimError):
        small_run().to_excel(tmp_path / where)


def test_infinities_and_nan_become_error_values_and_read_back_as_nan(tmp_path: Path) -> None:
    model = sheetsim.Model()
    x = model.input("x", [[1.0, 0.0, 800.0]])
    model.define("inverse", 1 / x)
    model.define("power", sheetsim.exp(x))
    path = model.to_excel(tmp_path / "errors.xlsx")
    cells = [cell.value for cell in openpyxl.load_workbook(path, data_only=True)["inverse"][2]]
    assert cells == [1, 1.0, "#NUM!", 1 / 800]
    with sheetsim.read(path) as book:
        np.testing.assert_array_equal(np.isnan(book["power"]), [[False, False, True]])


@pytest.mark.parametrize("value", [0.1 + 0.2, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, -0.0, 1 / 3])
def test_every_double_comes_back_from_matrix_and_single_cells(tmp_path: Path, value: float) -> None:
    model = sheetsim.Model()
    model.input("matrix", [[value, -value]])
    model.input("single", value)
    with sheetsim.read(model.to_excel(tmp_path / "doubles.xlsx")) as book:
        assert bits(book["matrix"]) == bits([[value, -value]])
        assert bits(book["single"]) == bits(value)


CELLS = ["W1", "a1", "R", "c", "r1c1", "XFD1048576", "RC"]


@pytest.mark.parametrize("name", [*CELLS, "true", "x" * 256, "_xlnm.Database", "_XLFN.x", "a\u0663", "x²", "Ⅳ"])
def test_names_that_mean_something_else_to_excel_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SheetsimError, match=r"Excel"):
        check_name(name)
    model = sheetsim.Model()
    model.input(name, [[1.0, 2.0]])
    with pytest.raises(SheetsimError):
        model.to_excel(tmp_path / "names.xlsx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["W_1", "a_1", "x", "custom_std", "alpha12345678", "ABCD1", "größe", "Δ_2"])
def test_other_names_are_taken(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    "titles",
    [[""], ["x" * 32], ["a/b"], ["a[b"], ["'a"], ["a'"], ["Same", "same"], ["history"], ["😀" * 16], ["a\nb"]],
    ids=str,
)
def test_titles_that_excel_refuses_are_refused(titles: list[str]) -> None:
    with pytest.raises(SheetsimError, match="sheet title"):
        check_titles(titles)


def test_formulas_beyond_the_limits_are_refused() -> None:
    with pytest.raises(SheetsimError, match="8,193 characters"):
        check_formula("a", "x" * 8193)
    with pytest.raises(SheetsimError, match="65 deep"):
        check_formula("a", "(" * 65 + "x" + ")" * 65)
    check_formula("a", 'IF(x="' + "(" * 65 + "\",'It''s " + "(" * 65 + "'!A1,0)")


def test_fifty_layers_keep_every_formula_within_the_limits(tmp_path: Path) -> None:
    run = small_run(layers=[4] * 50, samples=5, inputs=4)
    assert run.to_excel(tmp_path / "deep.xlsx").exists()


def test_text_from_a_person_is_text_and_never_a_formula(tmp_path: Path) -> None:
    run = small_run(title="=1+1", description='<&"\x0b')
    path = run.to_excel(tmp_path / "text.xlsx")
    assert openpyxl.load_workbook(path, data_only=True)["Overview"]["A1"].value == "=1+1"
    dead = run.to_excel(tmp_path / "dead.xlsx", values_only=True)
    sheet = openpyxl.load_workbook(dead)["Overview"]
    assert (sheet["A1"].value, sheet["A1"].data_type) == ("=1+1", "s")


def test_results_show_themselves_in_a_notebook() -> None:
    html = small_run()._repr_html_()
    assert "<table" in html
    assert "verdict" in html
    assert "2×2" in sheetsim.run(_model())._repr_html_()


def _model() -> sheetsim.Model:
    model = sheetsim.Model("Mine & yours")
    model.input("x", np.eye(2))
    return model


@pytest.mark.skipif(SOFFICE is None, reason="soffice is not installed")
def test_numbers_are_shown_with_their_sign(tmp_path: Path) -> None:
    """As LibreOffice shows them: a format with conditions once lost the minus sign there."""
    shown = {-0.12345: "-0.1235", 0.5: "0.5000", -1.0: "-1.0000"}
    model = sheetsim.Model()
    model.input("m", [list(shown)])
    book = model.to_excel(tmp_path / "book.xlsx")
    command = [str(SOFFICE), f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}", "--headless", "--convert-to"]
    subprocess.run([*command, "html", "--outdir", str(tmp_path), str(book)], check=True, capture_output=True)
    cells = re.findall(r"<td[^>]*>(.*?)</td>", (tmp_path / "book.html").read_text(), re.DOTALL)
    texts = [re.sub(r"<[^>]*>|\\s", "", cell) for cell in cells]
    assert texts[-len(shown) :] == list(shown.values())


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(-1, 1, '[>=0.000002]0.00;[<=-0.000002]-0.00;"0"'), (0, 1e6, '[>=1]0.0E+00;[<=-1]-0.0E+00;"0"')],
)
def test_axes_show_the_sign_and_no_minus_zero(low: float, high: float, text: str) -> None:
    assert axis_format(low, high) == text


@pytest.mark.slow
def test_a_summary_report_takes_layers_wider_than_a_sheet(tmp_path: Path) -> None:
    run = sheetsim.run("relu-he", report="summary", layers=[17_000], samples=3)
    assert run.to_excel(tmp_path / "wide.xlsx").exists()


@pytest.mark.parametrize(
    "overrides",
    [
        {"samples": 10**23, "report": "summary"},
        {"layers": [10**20], "report": "summary"},
        {"layers": [50_000_000], "samples": 2},
        {"inputs": 10**13},
    ],
    ids=str,
)
def test_impossible_sizes_are_refused_at_once(overrides: dict[str, object]) -> None:
    with pytest.raises(SheetsimError, match=r"needs .* (rows|columns)|memory"):
        sheetsim.run("relu-he", **overrides)


@pytest.mark.parametrize(
    "made",
    [
        lambda: sheetsim.run("relu-he", **SMALL),
        lambda: sheetsim.run(sheetsim.Forward(activation="tanh", seed=5, layers=[4, 3], samples=9, inputs=2)),
        lambda: sheetsim.run("relu-he", input=sheetsim.uniform(-1, 1), **SMALL),
        lambda: sheetsim.run("tanh-he", initializer=[0.3, "he", {"constant": 0.1}], **SMALL),
        lambda: sheetsim.run("relu-he", title="It's “mine” & <yours>", report="summary", **SMALL),
    ],
    ids=["template", "Forward", "distribution", "per layer", "title"],
)
@pytest.mark.parametrize("values_only", [False, True])
@pytest.mark.every(4)
def test_the_command_on_about_makes_the_same_bytes(tmp_path: Path, made: object, values_only: bool) -> None:
    path = made().to_excel(tmp_path / "first.xlsx", values_only=values_only)  # type: ignore[operator]
    cells = {row[0]: row[1] for row in openpyxl.load_workbook(path)["About"].iter_rows(values_only=True)}
    command = [*shlex.split(cells["command"]), "--output", str(tmp_path / "again.xlsx")]
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True)
    assert (tmp_path / "again.xlsx").read_bytes() == path.read_bytes()


def test_a_book_without_formulas_does_not_speak_of_them(tmp_path: Path) -> None:
    path = small_run().to_excel(tmp_path / "dead.xlsx", values_only=True)
    texts = [c for row in openpyxl.load_workbook(path)["Overview"].iter_rows(values_only=True) for c in row if c]
    assert not any("yellow" in str(text) or "one array formula" in str(text) for text in texts)


@pytest.mark.parametrize(
    "make",
    [
        lambda: sheetsim.Forward(layers=5),
        lambda: sheetsim.Forward(samples="a"),
        lambda: sheetsim.run(sheetsim.Forward(), foo=1),
        lambda: sheetsim.run("relu-he", input=5),
        lambda: sheetsim.Model(5),
        lambda: sheetsim.Model().weights("W_1", "hee", (2, 2)),
        lambda: sheetsim.Model().define("t", "text"),
    ],
)
def test_wrong_types_from_python_are_sentences_too(make: object) -> None:
    with pytest.raises(SheetsimError):
        make()  # type: ignore[operator]


def test_numpy_scalars_are_numbers() -> None:
    run = sheetsim.run("relu-he", seed=np.int64(3), initializer=np.float64(0.5), **SMALL)
    assert run["sd_1"] == 0.5


@pytest.mark.parametrize("scale", [60, 100])
def test_no_sheet_of_paper_has_a_row_of_a_matrix_alone(scale: int) -> None:
    for rows in range(1, 400):
        held = np.diff([1, *even_cuts(rows, scale), rows + 1])
        assert held.max() - held.min() <= 1
        assert (held.max() + 1) * ROW * scale / 100 <= PAPER_HEIGHT
