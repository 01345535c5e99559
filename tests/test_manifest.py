"""What a book says of itself survives every program that saves it, is all that readers need, and is not trusted."""

import json
import subprocess
import time
import zipfile
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import ironcalc
import openpyxl
import pandas as pd
import pytest
from conftest import small_run
from engines import SOFFICE
from goldens import BOOKS

import sheetsim
from sheetsim.audit.recalculate import libreoffice_profile
from sheetsim.audit.verify import diff, verify
from sheetsim.errors import SheetsimError
from sheetsim.runs.manifest import PIECE, Manifest, read_manifest
from sheetsim.workbook.layout import Layout, Page, Text
from sheetsim.workbook.limits import MANIFEST_TITLE
from sheetsim.workbook.reading.raw import RawBook
from sheetsim.workbook.writing.write import write


def told(path: Path) -> Manifest:
    with RawBook(path) as book:
        found = read_manifest(book)
    assert found is not None
    return found


def rows_of(path: Path) -> dict[str, str]:
    """By field, the text of the hidden sheet."""
    sheet = openpyxl.load_workbook(path)[MANIFEST_TITLE]
    return {str(name.value): "".join(str(piece.value) for piece in pieces if piece.value) for name, *pieces in sheet}


def with_rows(book: Path, target: Path, rows: list[list[str]]) -> Path:
    """A copy whose hidden sheet has other rows."""
    with RawBook(book) as raw:
        part = raw.part_of(MANIFEST_TITLE)
    xml = "".join(
        f'<row r="{r}">'
        + "".join(f'<c t="inlineStr"><is><t xml:space="preserve">{escape(text)}</t></is></c>' for text in row)
        + "</row>"
        for r, row in enumerate(rows, start=1)
    )
    with zipfile.ZipFile(book) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
        for name in source.namelist():
            new = f"<worksheet><sheetData>{xml}</sheetData></worksheet>".encode()
            out.writestr(name, new if name == part else source.read(name))
    return target


@pytest.mark.parametrize("kind", ["relu-he", "values-only", "summary", "replicates", "sweep", "model"])
def test_every_book_says_how_it_was_made_and_where_its_tables_stand(kind: str, tmp_path: Path) -> None:
    BOOKS[kind](tmp_path / "book.xlsx")
    found = told(tmp_path / "book.xlsx")
    assert (found.live, found.values_only, found.matrices) == (
        kind not in ("values-only", "summary"),
        kind == "values-only",
        kind != "summary",
    )
    assert found.versions["sheetsim"] == sheetsim.__version__
    assert found.parameters.get("study", "") == ("" if kind in ("sweep", "model") else "forward")
    assert (found.replicates is not None, found.sweep is not None) == (kind == "replicates", kind == "sweep")
    book = openpyxl.load_workbook(tmp_path / "book.xlsx")
    assert (book.sheetnames[-1], book[MANIFEST_TITLE].sheet_state) == (MANIFEST_TITLE, "veryHidden")
    for table in found.tables.values():
        for column in table.columns:
            for cells in column.cells:
                if isinstance(cells, tuple):
                    assert book[cells[0]][cells[1]] is not None


def test_the_table_of_replicates_comes_back_from_their_book(tmp_path: Path) -> None:
    made = sheetsim.replicate("relu-he", 4, samples=6, inputs=4, layers=[3, 2])
    book = sheetsim.read(made.to_excel(tmp_path / "book.xlsx"))
    there = made.statistics().sort_index(kind="stable")
    found = book.summary()
    for layer, statistic in there.index:
        for column in ("replicates", "mean", "low", "high", "theory", "read"):
            one, other = there.loc[(layer, statistic), column], found.loc[f"{statistic} {layer}", column]
            assert one == other or (pd.isna(one) and pd.isna(other)), (layer, statistic, column)
    pd.testing.assert_frame_equal(book.table("histograms"), made.histograms())


def test_a_models_book_says_its_seed_draws_shapes_and_versions(tmp_path: Path) -> None:
    model = sheetsim.Model("Mine", seed=7, draws="mt19937")
    x = model.input("x", sheetsim.normal(), (3, 2))
    model.define("y", x * 2)
    path = model.to_excel(tmp_path / "model.xlsx")
    cells = dict(row[:2] for row in openpyxl.load_workbook(path)["About"].iter_rows(values_only=True) if row[0])
    assert (cells["seed"], cells["draws"]) == ("7", '"mt19937"')
    assert (cells["x"], cells["y"]) == ("3 × 2, drawn: normal(mean 0, std 1)", "3 × 2, computed")
    assert cells["versions"].startswith(f"sheetsim {sheetsim.__version__}, NumPy ")
    assert told(path).parameters == {"seed": 7, "draws": "mt19937"}
    named = sheetsim.Model()
    named.input("sheetsim", [[1.0, 2.0]])
    with pytest.raises(SheetsimError, match="'sheetsim' is used by a hidden sheet of every book"):
        named.to_excel("never.xlsx")


def saved_by_openpyxl(path: Path) -> Path:
    openpyxl.load_workbook(path).save(path.with_name("saved.xlsx"))
    return path.with_name("saved.xlsx")


def saved_by_ironcalc(path: Path) -> Path:
    ironcalc.load_from_xlsx(str(path), "en", "UTC", "en").save_to_xlsx(str(path.with_name("saved.xlsx")))
    return path.with_name("saved.xlsx")


def saved_by_libreoffice(path: Path) -> Path:
    folder = path.with_name("saved")
    command = [str(SOFFICE), libreoffice_profile(path.parent), "--headless", "--convert-to", "xlsx", "--outdir"]
    subprocess.run([*command, str(folder), str(path)], check=True, capture_output=True)
    return folder / path.name


@pytest.mark.parametrize(
    "save",
    [
        saved_by_openpyxl,
        saved_by_ironcalc,
        pytest.param(saved_by_libreoffice, marks=pytest.mark.skipif(SOFFICE is None, reason="no soffice")),
    ],
)
def test_what_a_book_says_is_kept_by_programs_that_save_it(save: Callable[[Path], Path], tmp_path: Path) -> None:
    """Also a text of several cells, signs beyond ASCII, and what spreadsheets take for an escape."""
    title = 'ä → "_x0041_" \x7f <b> & 𝕏 \\'
    model = sheetsim.Model(title)
    model.input("x", pd.DataFrame([range(200)], columns=[f"{k} {title * 10}" for k in range(200)]))
    path = model.to_excel(tmp_path / "book.xlsx")
    before = told(path)
    assert len(rows_of(path)["headings"]) > 2 * PIECE
    after = told(save(path))
    assert after == before
    assert after.title == title


def test_readers_need_nothing_that_about_says(tmp_path: Path) -> None:
    """A person may write what they like there."""
    run = small_run(samples=5)
    book = openpyxl.load_workbook(run.to_excel(tmp_path / "book.xlsx", values_only=True))
    for row in book["About"].iter_rows():
        for cell in row[: 2 if row[0].row > 1 else 1]:
            cell.value = None
    book["Layers"]["A1"] = "my layers"
    book.save(tmp_path / "mine.xlsx")
    found = verify(tmp_path / "mine.xlsx")
    assert (found.ok, found.state) == (True, "edited")
    assert {change.name for change in found.changes if change.is_edit} == {"(About)", "(Layers)"}
    pd.testing.assert_frame_equal(sheetsim.read(tmp_path / "mine.xlsx").summary(), run.summary())


def test_diff_says_which_parameters_differ(tmp_path: Path) -> None:
    one = small_run(samples=5).to_excel(tmp_path / "one.xlsx")
    two = small_run(samples=5, seed=3).to_excel(tmp_path / "two.xlsx")
    changes = {c.where: tuple(c[1:]) for d in diff(one, two) if d.kind == "manifest" for c in d.changes}
    assert changes.pop("parameters.seed") == ("0", "3")
    assert changes.keys() == {"command"}


def test_a_book_of_an_earlier_version_is_refused_with_the_version_that_reads_it(tmp_path: Path) -> None:
    old = write(tmp_path / "old.xlsx", Layout([Page("Overview", (Text(0, 0, "As before"),))]), {})
    for reader in (verify, sheetsim.read):
        with pytest.raises(
            SheetsimError, match=r"either sheetsim 0.1.0 or before wrote it \(read it with sheetsim 0.1.0\)"
        ):
            reader(old)
    assert diff(old, old) == []


def test_a_book_of_another_program_is_refused_by_read(tmp_path: Path) -> None:
    openpyxl.Workbook().save(tmp_path / "foreign.xlsx")
    with pytest.raises(SheetsimError, match="is not a book of sheetsim: it has no sheet 'sheetsim'"):
        sheetsim.read(tmp_path / "foreign.xlsx")


def changed(field: str, value: Any) -> Callable[[dict[str, str]], list[list[str]]]:
    text = value if isinstance(value, str) else json.dumps(value)
    return lambda rows: [[name, *_cut(old if name != field else text)] for name, old in (rows | {field: text}).items()]


def _cut(text: str) -> list[str]:
    return [text[k : k + PIECE] for k in range(0, len(text), PIECE)]


def parameters(**other: Any) -> Callable[[dict[str, str]], list[list[str]]]:
    return lambda rows: changed("parameters", json.loads(rows["parameters"]) | other)(rows)


def tables(kind: str, cells: Any, labels: Any = None) -> Callable[[dict[str, str]], list[list[str]]]:
    def edit(rows: dict[str, str]) -> list[list[str]]:
        found = json.loads(rows["tables"])
        found["layers"]["columns"][0] |= {"kind": kind, "cells": cells}
        found["layers"]["labels"] = labels or found["layers"]["labels"]
        return changed("tables", found)(rows)

    return edit


HOSTILE: dict[str, Callable[[dict[str, str]], list[list[str]]]] = {
    "no rows": lambda rows: [],
    "no JSON": changed("parameters", "{seed = 0}"),
    "cut": changed("parameters", '{"seed": 0'),
    "a list": changed("parameters", "[]"),
    "deep": changed("parameters", "[" * 100_000 + "]" * 100_000),
    "deep tables": changed("parameters", '{"a":' * 100_000 + "1" + "}" * 100_000),
    "deep, in parameters": parameters(layers=[[[[[[[[[[1]]]]]]]]]]),
    "5,000 digits": changed("format", "9" * 5000),
    "5,000 digits as a seed": changed("parameters", '{"study": "forward", "seed": ' + "9" * 5000 + "}"),
    "no number": changed("format", "NaN"),
    "another format": changed("format", 2),
    "another type": changed("live", "1"),
    "an unknown field": changed("more", 1),
    "a field twice": lambda rows: [[name, text] for name, text in rows.items()] * 2,
    "a row without a name": lambda rows: [["", text] for text in rows.values()],
    "no study": parameters(study="none"),
    "a study that is not text": parameters(study=["forward"]),
    "other sizes": parameters(samples=50_000_000),
    "other layers": parameters(layers=[100_000] * 3),
    "much work": parameters(report="summary", samples=10**15),
    "many replicates": changed(
        "replicates",
        {"run": "", "replicates": 10**12, "statistics": ["var"], "single": False, "bootstrap": False},
    ),
    "replicates of a type": changed("replicates", {"run": "", "replicates": "many"}),
    "statistics of none": changed(
        "replicates", {"run": "", "replicates": 9, "statistics": [], "single": False, "bootstrap": False}
    ),
    "no histogram": changed("histograms", {"histograms": {"edges": "z_1", "counts": ["z_1", "z_2"]}}),
    "huge cells": tables("number", [["Layers", "A1:XFD1048576"]]),
    "cells that are none": tables("number", [["Layers", "B2:B"]]),
    "cells of no sheet": tables("number", [["Nowhere", "B2:B4"]]),
    "other labels": tables("number", [["Layers", "B2:B4"]], [1, 2]),
    "verdicts of none": changed("verdicts", ["none"]),
    "headings of none": changed("headings", {"x": ["a"]}),
    "steps of none": changed("series", {"x": {"first": 0, "rows": 0, "columns": []}}),
}


@pytest.fixture(scope="module")
def plain_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_run(samples=5).to_excel(tmp_path_factory.mktemp("plain") / "book.xlsx", values_only=True)


@pytest.mark.every(2)
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_manifest_is_one_sentence_and_little_work(plain_book: Path, tmp_path: Path, kind: str) -> None:
    path = with_rows(plain_book, tmp_path / "hostile.xlsx", HOSTILE[kind](rows_of(plain_book)))
    start = time.process_time()
    reasons = []
    for reader in (verify, everything):
        try:
            found = reader(path)
        except SheetsimError as error:
            reasons.append(str(error))
            continue
        assert reader is everything or not found.ok or found.state != "as made"
    assert diff(plain_book, path)
    assert reasons
    for reason in reasons:
        assert reason.startswith(str(path))
        assert "\n" not in reason
        assert len(reason) < 400 + len(str(path))
    assert time.process_time() - start < 3


def test_a_manifest_without_end_is_refused(plain_book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sheetsim.runs.manifest.MOST", 1000)
    with pytest.raises(SheetsimError, match="it has more than 1,000 characters"):
        told(plain_book)


@pytest.mark.parametrize("name", ["x" * 5000, "\0"])
def test_a_file_of_an_impossible_name_is_one_that_is_not_here(plain_book: Path, tmp_path: Path, name: str) -> None:
    edit = parameters(input={"file": f"{name}.csv"}, samples=None, inputs=None)
    found = verify(with_rows(plain_book, tmp_path / "file.xlsx", edit(rows_of(plain_book))))
    assert (found.ok, found.state) == (True, "edited")


def everything(path: Path) -> None:
    with sheetsim.read(path) as book:
        book.frame("x")
        book.summary()
        book.table("histograms")
        book.verdicts()
