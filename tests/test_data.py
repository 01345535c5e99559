"""A person's own data as input: what is taken, and what is refused with the cell at fault."""

import time
import zipfile
from datetime import date
from pathlib import Path

import numpy as np
import openpyxl
import pytest

import sheetsim
from sheetsim.errors import SheetsimError

TABLE = np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 70.0]])


def write(path: Path, rows: list[list[object]]) -> Path:
    if path.suffix == ".csv":
        path.write_text("\n".join(",".join(map(str, row)) for row in rows) + "\n")
    else:
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        book.save(path)
    return path


def run(path: Path, **keys: object) -> sheetsim.Run:
    return sheetsim.run("relu-he", layers=[3], input={"file": str(path), **keys})


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
@pytest.mark.parametrize("heading", [[], [["age", "income"]]], ids=["bare", "headed"])
def test_tables_are_read_with_and_without_a_heading(tmp_path: Path, suffix: str, heading: list[list[object]]) -> None:
    path = write(tmp_path / f"data{suffix}", [*heading, *TABLE.tolist()])
    np.testing.assert_array_equal(run(path)["x"], TABLE)


def test_npy_is_read_and_exact(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(5, 2))
    np.save(tmp_path / "data.npy", values)
    np.testing.assert_array_equal(run(tmp_path / "data.npy")["x"], values)


def test_standardized_columns_have_mean_0_and_variance_1(tmp_path: Path) -> None:
    x = run(write(tmp_path / "data.csv", TABLE.tolist()), standardize=True)["x"]
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-15)
    np.testing.assert_allclose(x.var(axis=0), 1)


def test_a_file_named_in_a_template_lies_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "study").mkdir()
    write(tmp_path / "study" / "data.csv", TABLE.tolist())
    (tmp_path / "study" / "mine.toml").write_text('layers = [2]\ninput = {file = "data.csv"}\n')
    monkeypatch.chdir(tmp_path)
    np.testing.assert_array_equal(sheetsim.run("study/mine.toml")["x"], TABLE)


def test_an_array_from_python_is_an_input_too(tmp_path: Path) -> None:
    np.testing.assert_array_equal(sheetsim.run(sheetsim.Forward(input=TABLE, layers=[2]))["x"], TABLE)
    np.testing.assert_array_equal(sheetsim.run("relu-he", input=TABLE, layers=[2])["x"], TABLE)


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([["age", "income"], [1, 2], [3, "n/a"]], r"row 3, column 2 \(income\) is 'n/a', not a finite number"),
        ([["age", "income"], [1, ""], [3, 4]], r"row 2, column 2 \(income\) is missing"),
        ([[1, 2], [3, "inf"]], "row 2, column 2 is 'inf', not a finite number"),
        ([["age", "income"]], "a heading but no numbers"),
        ([[1.5, "2O"], [3, 4]], "row 1, column 2 is '2O'"),
        ([["", "a"], [0, 1]], "column 1 has no heading"),
        ([[1, "1_000"], [3, 4]], "row 1, column 2 is '1_000'"),
    ],
)
def test_a_cell_that_is_no_number_is_named(
    tmp_path: Path, suffix: str, rows: list[list[object]], sentence: str
) -> None:
    cells = [[None if cell == "" and suffix == ".xlsx" else cell for cell in row] for row in rows]
    with pytest.raises(SheetsimError, match=sentence):
        run(write(tmp_path / f"data{suffix}", cells))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", b"", "not a table"),
        ("a.csv", b"1,2\n3\n4,5,6\n", "not a table"),
        ("a.csv", b"\xff\xfe1,2", "not a table"),
        ("a.xlsx", b"not a zip", "is not a workbook"),
        ("a.npy", b"\x93NUMPY broken", "not an array of numbers"),
        ("a.npy", b"", "not an array of numbers"),
    ],
)
def test_a_broken_file_is_one_sentence(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SheetsimError, match=sentence):
        run(tmp_path / name)


def header(text: str, data: bytes = b"") -> bytes:
    content = text.encode()
    content += b" " * (63 - (10 + len(content)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(content).to_bytes(2, "little") + content + data


@pytest.mark.parametrize(
    "shape", ["(10000000000, 100000)", f"({'9' * 30}, 2)", f"({'9' * 5000}, 2)", "(True, True)", "(-1, 2)", "(" * 999]
)
def test_a_header_that_promises_what_is_not_there_is_one_sentence(tmp_path: Path, shape: str) -> None:
    (tmp_path / "a.npy").write_bytes(
        header("{'descr': '<f8', 'fortran_order': False, 'shape': " + shape + "}", bytes(64))
    )
    with pytest.raises(SheetsimError, match="is not an array of numbers that NumPy can load") as caught:
        run(tmp_path / "a.npy")
    assert len(str(caught.value)) < 500


def test_long_doubles_are_numbers_as_far_as_a_double_holds_them(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", TABLE.astype(np.longdouble))
    np.testing.assert_array_equal(run(tmp_path / "a.npy")["x"], TABLE)
    np.save(tmp_path / "a.npy", TABLE * np.longdouble("1e4000"))
    with pytest.raises(SheetsimError, match=r"row 1, column 1: 1e\+4000 is not a finite number"):
        run(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("1,2\n   \n3,4\n", "row 2 is blank, but rows follow it"),
        ("1\n\n3\n", "row 2 is blank, but rows follow it"),
        ("1,2\n٣,4\n", "row 2, column 1 is '٣'"),
        ("2024-01-01,2\n3,4\n", "row 1, column 1 is '2024-01-01'"),
        ("1,TRUE\n3,4\n", "row 1, column 2 is 'TRUE'"),
    ],
)
def test_a_line_that_holds_no_numbers_is_passed_over_at_the_end_only(
    tmp_path: Path, content: str, sentence: str
) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(SheetsimError, match=sentence):
        run(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("1,2\n3,4\n\n  \n")
    assert run(tmp_path / "a.csv")["x"].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([[True, 2], [3, 4]], "row 1, column 1 is TRUE, not a finite number"),
        ([[1, 2], [3, False]], "row 2, column 2 is FALSE, not a finite number"),
        ([[date(2024, 1, 1)] * 2, [date(2024, 1, 2)] * 2], "row 1, column 1 is '2024-01-01 00:00:00'"),
        ([["day", "n"], [date(2024, 1, 1), 2]], r"row 2, column 1 \(day\) is '2024-01-01 00:00:00'"),
        ([[1, 2], [], [3, 4]], "row 2, column 1 is missing"),
    ],
)
def test_truth_values_and_dates_are_no_numbers(tmp_path: Path, rows: list[list[object]], sentence: str) -> None:
    with pytest.raises(SheetsimError, match=sentence):
        run(write(tmp_path / "a.xlsx", rows))


@pytest.mark.parametrize(("old", "new"), [('r="A2"', 'r="A99999999999"'), ('<row r="2"', '<row r="99999999999"')])
def test_a_cell_beyond_any_sheet_is_refused_at_once(tmp_path: Path, old: str, new: str) -> None:
    path = write(tmp_path / "a.xlsx", [[1, 2], [3, 4]])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content.replace(old.encode(), new.encode()))
    start = time.monotonic()
    with pytest.raises(SheetsimError, match="a cell beyond the limits of a sheet, or one listed in a wrong row"):
        run(path)
    assert time.monotonic() - start < 10


def test_a_constant_column_cannot_be_standardized(tmp_path: Path) -> None:
    with pytest.raises(SheetsimError, match="column 2 is constant"):
        run(write(tmp_path / "data.csv", [[k, 0.1] for k in range(1000)]), standardize=True)


def test_sizes_that_contradict_the_file_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", TABLE.tolist())
    with pytest.raises(SheetsimError, match="samples is 4, but the input has 3"):
        sheetsim.run("relu-he", samples=4, layers=[2], input={"file": str(path)})


def test_an_unknown_sheet_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "data.xlsx", TABLE.tolist())
    with pytest.raises(SheetsimError, match="nothing"):
        run(path, sheet="nothing")
