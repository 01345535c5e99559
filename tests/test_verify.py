"""verify and diff find what is wrong and where; stale caches do not satisfy them, and hostile files do no harm."""

import io
import json
import os
import re
import secrets
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import orjson
import pytest
from conftest import small_run
from engines import SOFFICE

import sheetsim
from sheetsim.audit import recalculate
from sheetsim.audit.compare import blocks
from sheetsim.audit.difference import Difference
from sheetsim.audit.recalculate import libreoffice_profile, recalculated
from sheetsim.audit.verify import diff, verify
from sheetsim.cli import commands as cli
from sheetsim.errors import SheetsimError
from sheetsim.workbook.reading.raw import RawBook, check_archive
from sheetsim.workbook.writing.package import DIGEST_PART, digest

Edit = Callable[[str, bytes], bytes]

needs_libreoffice = pytest.mark.skipif(SOFFICE is None, reason="soffice is not installed")


def edited(book: Path, target: Path, edit: Edit) -> Path:
    """A copy of the book with each part passed through `edit(name, data)`."""
    with zipfile.ZipFile(book) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
        for name in source.namelist():
            out.writestr(name, edit(name, source.read(name)))
    return target


def part_of(book: Path, title: str) -> str:
    with RawBook(book) as raw:
        return raw.part_of(title)


def with_cell(book: Path, target: Path, title: str, cell: str, value: float) -> Path:
    """A copy in which one cell holds another number, its formula kept."""
    part = part_of(book, title)
    pattern = re.compile(rb'(<c r="%b"[^>]*>(?:<f.*?</f>)?<v>)[^<]*' % cell.encode(), re.DOTALL)

    def edit(name: str, data: bytes) -> bytes:
        if name != part:
            return data
        changed, count = pattern.subn(rb"\g<1>%r" % value, data)
        assert count == 1
        return changed

    return edited(book, target, edit)


def with_choice(book: Path, target: Path, name: str, text: str) -> Path:
    """A copy in which a drop-down says something else, and nothing was recalculated."""
    with RawBook(book) as raw:
        title, block = raw.place(name)
        part = raw.part_of(title)
    pattern = re.compile(rb'<c r="[A-Z]+%d"( s="\d+") t="s"><v>\d+</v></c>' % block.top)

    def edit(known: str, data: bytes) -> bytes:
        if known != part:
            return data
        found = [m for m in pattern.finditer(data) if b'r="B' in m[0]]
        assert len(found) == 1
        cell = b'<c r="B%d"%b t="inlineStr"><is><t>%b</t></is></c>' % (block.top, found[0][1], text.encode())
        return data.replace(found[0][0], cell)

    return edited(book, target, edit)


def kinds(changes: Iterable[Difference]) -> set[tuple[str, str]]:
    return {(change.name, change.kind) for change in changes}


def test_a_book_is_as_made_and_agrees_with_every_engine(small_book: Path) -> None:
    engines = ("ironcalc", "libreoffice") if SOFFICE else ("ironcalc",)
    found = verify(small_book, engines)
    assert (found.ok, found.state, found.changes) == (True, "as made", ())
    assert {row.engine for row in found.rows} == {*engines, "numpy"}
    names = {row.name for row in found.rows if row.engine == "ironcalc"}
    assert {"W_1", "a_2", "z_3", "edges", "counts_1", "sd_1", "verdict_1", "(Layers)", "(Variance)"} <= names
    # In a notebook a line, and not its hundreds of blocks.
    assert repr(found).startswith(f"<Verified {small_book}: as made; ok=True; ")
    assert len(repr(found)) < len(str(small_book)) + 100


@pytest.mark.parametrize(
    "overrides",
    [
        {"samples": 1, "inputs": 1, "layers": [1]},
        pytest.param({"initializer": 1e300}, marks=pytest.mark.slow),
        pytest.param({"initializer": 1e200}, marks=pytest.mark.slow),
        pytest.param({"initializer": 1e200, "activation": "sigmoid"}, marks=pytest.mark.slow),
        pytest.param({"initializer": 1e150}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_one_cell_and_overflow_agree_with_every_engine(overrides: dict[str, object], tmp_path: Path) -> None:
    """An infinity is an error in a sheet, and so is what comes from it: 1/inf is no 0 there, nor is relu(-inf)."""
    run = small_run(**overrides)
    assert len(run.summary()) == len(run.table("variance"))
    found = verify(run.to_excel(tmp_path / "odd.xlsx"), ("ironcalc", "libreoffice") if SOFFICE else ("ironcalc",))
    assert [row for row in found.rows if not row.ok] == []
    assert found.state == "as made"
    assert len(sheetsim.read(tmp_path / "odd.xlsx").summary()) == len(run.summary())


@pytest.mark.parametrize(
    ("title", "cell", "name"),
    [
        ("Activation 2", "C7", "z_2"),
        ("Linear 1", "B2", "a_1"),
        ("Histograms", "C4", "counts_1"),
        ("Layers", "B2", "(Layers)"),
    ],
)
def test_a_wrong_cached_value_is_found_with_its_cell(
    small_book: Path, tmp_path: Path, title: str, cell: str, name: str
) -> None:
    found = verify(with_cell(small_book, tmp_path / "wrong.xlsx", title, cell, 3.25))
    assert not found.ok
    failed = {(row.engine, row.name) for row in found.rows if not row.ok}
    assert failed == {("ironcalc", name), ("numpy", name)}
    assert all(row.where.startswith(f"{title}!{cell}: 3.25") for row in found.rows if not row.ok)
    assert found.state == "edited"


def test_a_changed_input_number_with_stale_values_disagrees_and_is_named(small_book: Path, tmp_path: Path) -> None:
    found = verify(with_cell(small_book, tmp_path / "wrong.xlsx", "Input", "C5", 0.5))
    assert (found.ok, found.state) == (False, "edited")
    assert kinds(found.changes) == {("x", "values")}
    assert [(change.where, change.second) for change in found.changes[0].changes] == [("Input!C5", 0.5)]


def test_a_changed_drop_down_with_stale_values_disagrees_and_is_named(small_book: Path, tmp_path: Path) -> None:
    found = verify(with_choice(small_book, tmp_path / "wrong.xlsx", "activation", "tanh"))
    assert (found.ok, found.state, kinds(found.changes)) == (False, "edited", {("activation", "values")})
    assert found.changes[0].changes[0][1:] == ("relu", "tanh")


def test_numbers_that_lost_their_last_digits_are_no_edits_and_come_after_them(small_book: Path, tmp_path: Path) -> None:
    """As LibreOffice saves: 15 digits, and formulas spelt in its own way."""

    def saved(name: str, data: bytes) -> bytes:
        data = data.replace(b"E-12*", b"E-0012*")
        if name.startswith("xl/worksheets/"):
            return re.sub(rb"(?<=<v>)-?\d+\.\d{9,}(?=<)", lambda match: b"%.15g" % float(match[0]), data)
        return data.replace(b"2026-01-01T", b"2026-01-02T")

    rounded = edited(small_book, tmp_path / "saved.xlsx", saved)
    found = verify(rounded)
    assert (found.ok, found.state) == (True, "saved again")
    assert {(change.name, change.kind) for change in found.changes} == {
        (name, "rounded") for name in ("x", "e_1", "e_2", "e_3")
    }
    found = verify(with_cell(rounded, tmp_path / "edited.xlsx", "Input", "C5", 0.5))
    assert found.state == "edited"
    assert [change.kind for change in found.changes][:2] == ["values", "rounded"]
    assert [tuple(change) for change in found.changes[0].changes] == [("Input!C5", small_run()["x"][3, 1], 0.5)]


def sealed(book: Path, target: Path, edit: Edit) -> Path:
    """A copy that an edit changed, with the right digest: as sheetsim would have written it elsewhere."""
    changed = edited(book, target.with_suffix(".part"), edit)
    with zipfile.ZipFile(changed) as archive:
        members = [m for m in archive.infolist() if m.filename != DIGEST_PART]
        right = digest((member.filename, member.CRC, member.file_size) for member in members)
    return edited(changed, target, lambda n, d: re.sub(rb"[0-9a-f]{64}", right.encode(), d) if n == DIGEST_PART else d)


@pytest.mark.parametrize(
    ("factor", "ok", "state", "kind"),
    [
        (1 + 1e-14, True, "as made, except for last digits", "last digits"),
        (1 + 1e-6, False, "as written", "values"),
    ],
)
def test_a_book_of_another_processor_differs_in_last_digits_and_is_not_edited(
    small_book: Path, tmp_path: Path, factor: float, ok: bool, state: str, kind: str
) -> None:
    part, number = part_of(small_book, "Activation 2"), re.compile(rb"(?<=<v>)[0-9.]+\d{9}(?=<)")

    def elsewhere(name: str, data: bytes) -> bytes:
        return number.sub(lambda match: repr(float(match[0]) * factor).encode(), data) if name == part else data

    found = verify(sealed(small_book, tmp_path / "elsewhere.xlsx", elsewhere))
    assert (found.ok, found.state) == (ok, state)
    assert kinds(found.changes) == {("z_2", kind)}
    if ok:
        assert "by a processor for which the libraries round in another order" in found.notes[0]
    unsealed = verify(edited(small_book, tmp_path / "unsealed.xlsx", elsewhere))
    assert unsealed.state == ("saved again" if ok else "edited")


@pytest.mark.slow
def test_a_book_made_with_another_kernel_of_openblas_differs_in_last_digits(tmp_path: Path) -> None:
    made = tmp_path / "elsewhere.xlsx"
    sizes = ["--set", "samples=300", "--set", "inputs=50", "--set", "layers=[50, 50]"]
    command = [sys.executable, "-m", "sheetsim", "run", "tanh-std1", "--output", str(made), *sizes]
    for kernel in ("Prescott", "Haswell"):
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "OPENBLAS_CORETYPE": kernel})
        found = verify(made)
        if found.state != "as made":
            break
    else:
        pytest.skip("this NumPy knows one kernel only")
    assert (found.ok, found.state) == (True, "as made, except for last digits")
    assert {change.kind for change in found.changes} == {"last digits"}


def test_a_book_packed_otherwise_is_as_made(small_book: Path, tmp_path: Path) -> None:
    found = verify(edited(small_book, tmp_path / "packed.xlsx", lambda name, data: data))
    assert (found.ok, found.state, found.changes) == (True, "as made", ())
    assert "compressed in another way" in found.notes[0]


def test_a_book_of_other_versions_is_as_made(small_book: Path, tmp_path: Path) -> None:
    version = f"NumPy {np.__version__}".encode()
    told = f'"NumPy": "{np.__version__}"'.encode()

    def older(name: str, data: bytes) -> bytes:
        return data.replace(version, b"NumPy 1.20.0").replace(told, b'"NumPy": "1.20.0"')

    book = sealed(small_book, tmp_path / "old.xlsx", older)
    found = verify(book)
    assert (found.ok, found.state, found.changes) == (True, "as made, by other versions", ())
    assert re.search(rf"made with sheetsim .*NumPy 1.20.0.*; here are .*NumPy {np.__version__}", found.notes[0])


@pytest.fixture
def bare_book(small_book: Path, tmp_path: Path) -> Path:
    """A book that a program changed and saved which computes nothing: formulas without values, beside stale ones."""
    import openpyxl

    book = openpyxl.load_workbook(small_book)
    book["Input"]["C5"] = 0.5
    book.save(tmp_path / "bare.xlsx")
    return tmp_path / "bare.xlsx"


def test_formulas_without_values_are_one_sentence(
    bare_book: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    sentence = (
        "bare.xlsx holds formulas without values, .*: open and save it in Excel or LibreOffice, or .*verify --fill"
    )
    for reader in (
        lambda: sheetsim.read(bare_book).summary(),
        lambda: sheetsim.read(bare_book)["z_3"],
        lambda: sheetsim.read(bare_book)["verdict_1"],
        lambda: verify(bare_book),
    ):
        with pytest.raises(SheetsimError, match=sentence):
            reader()
    for command in ("summary", "verify"):
        status, out, err = call(monkeypatch, capfd, command, str(bare_book))
        assert (status, out, err.count("\n")) == (2, "", 1)


def test_fill_writes_what_the_engine_computes_and_nothing_else(
    bare_book: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(bare_book) as archive:
        before = {name: archive.read(name) for name in archive.namelist()}
    status, out, _ = call(monkeypatch, capfd, "verify", "--fill", str(bare_book))
    assert status == 0
    assert re.search(
        r"edited; values and formulas agree .*\n  \d+ cells were filled by ironcalc\n  x, values: 1 differs", out
    )
    x, run = small_run()["x"].copy(), small_run()
    x[3, 1] = 0.5
    a = x @ run["W_1"]
    np.testing.assert_allclose(sheetsim.read(bare_book)["a_1"], a, rtol=1e-12)
    assert sheetsim.read(bare_book).summary()["mean"][1] == pytest.approx(np.maximum(a, 0).mean(), rel=1e-12)
    value = re.compile(rb' t="(?:str|n|e)"|<v\b.*?(?:</v>|/>)')
    with zipfile.ZipFile(bare_book) as archive:
        assert archive.namelist() == list(before)
        for name, data in before.items():
            if name.startswith("xl/worksheets/sheet"):
                assert value.sub(b"", archive.read(name)) == value.sub(b"", data)
            else:
                assert archive.read(name) == data
    whole = bare_book.read_bytes()
    assert recalculate.fill(bare_book, "ironcalc") == 0
    assert bare_book.read_bytes() == whole


def test_names_beyond_ascii_are_checked_too(tmp_path: Path) -> None:
    """IronCalc cannot read them, and gets others in their place; a text of the same letters stays."""
    model = sheetsim.Model()
    x = model.input("größe", [[1.0, 2.0], [3.0, 4.0]])
    part = model.define("Δ_2", x * 2)
    scale = model.input("α", 3.0)
    model.define("total", sheetsim.mean(part) * scale)
    model.define("said", sheetsim.where(scale > 2, "größe α", "no"))
    book = model.to_excel(tmp_path / "names.xlsx")
    found = verify(book)
    assert [row for row in found.rows if not row.ok] == []
    assert {row.name for row in found.rows} == {"Δ_2", "total", "said"}
    wrong = verify(with_cell(book, tmp_path / "wrong.xlsx", "Δ_2", "C3", 9.0))
    assert {row.name for row in wrong.rows if not row.ok} == {"Δ_2"}


@pytest.mark.slow
@needs_libreoffice
def test_a_book_changed_and_recalculated_by_a_person_is_consistent(small_book: Path, tmp_path: Path) -> None:
    """As a person does it: another activation, recalculated and saved by LibreOffice."""
    changed = with_choice(small_book, tmp_path / "tanh.xlsx", "activation", "tanh")
    profile = libreoffice_profile(tmp_path)
    saved = tmp_path / "saved"
    command = [str(SOFFICE), profile, "--headless", "--convert-to", "xlsx", "--outdir", str(saved), str(changed)]
    subprocess.run(command, check=True, capture_output=True)
    found = verify(saved / "tanh.xlsx", ("ironcalc", "libreoffice"))
    assert [row for row in found.rows if not row.ok] == []
    assert {row.engine for row in found.rows} == {"ironcalc", "libreoffice", "numpy"}
    # The one edit first. LibreOffice saves 15 digits, so that the constants are not the drawn ones any more; that it
    # spells some formulas in its own way is no difference, and its styles and charts are not compared.
    assert [(change.name, change.kind) for change in found.changes] == [
        ("activation", "values"),
        *((name, "rounded") for name in ("x", "e_1", "e_2", "e_3")),
    ]
    assert found.state == "edited"


def test_a_persons_model_is_recalculated_though_nothing_says_how_it_was_made(tmp_path: Path) -> None:
    model = sheetsim.Model()
    x = model.input("x", [[1.0, 2.0], [3.0, 4.0]])
    model.define("y", 1 / (x - 1))
    book = model.to_excel(tmp_path / "model.xlsx")
    found = verify(book)
    assert (found.ok, found.state) == (True, "as written")
    assert "name the Python file that makes it with --model" in found.notes[0]
    found = verify(edited(book, tmp_path / "again.xlsx", lambda name, data: data.replace(b"<v>4.0<", b"<v>5.0<")))
    assert (found.ok, found.state) == (False, "unknown")
    assert "whether it was edited is not known" in found.notes[1]


def test_a_comparison_says_which_command_makes_it_again(tmp_path: Path) -> None:
    few = {"samples": 10, "inputs": 3, "layers": [3]}
    found = verify(sheetsim.compare("relu-he", "tanh-he", **few).to_excel(tmp_path / "book.xlsx"))
    assert (found.ok, found.state) == (True, "as written")
    command = "sheetsim compare relu-he tanh-he --set samples=10 --set inputs=3 --set 'layers=[3]'"
    assert found.notes[0].endswith(f"with another --output, and compare the two books with sheetsim diff: {command}")


BARE: dict[str, dict[str, object]] = {
    "values-only": {},
    "per-layer": {"initializer": ["he", 0.3, {"constant": 0.05}], "title": "DEL \x7f"},
    "summary": {"report": "summary"},
    "uniform summary": {"report": "summary", "input": {"distribution": "uniform"}, "activation": "tanh"},
}


@pytest.mark.parametrize("kind", BARE)
def test_a_book_without_formulas_is_checked_with_numpy_and_is_as_made(tmp_path: Path, kind: str) -> None:
    found = verify(small_run(**BARE[kind]).to_excel(tmp_path / "bare.xlsx", values_only=True))
    assert (found.ok, found.state, found.changes) == (True, "as made", ())
    assert {row.engine for row in found.rows} == {"numpy"}
    assert "no formulas to recalculate" in found.notes[0]


def test_a_summary_written_without_the_option_is_as_made_too(tmp_path: Path) -> None:
    assert verify(small_run(report="summary").to_excel(tmp_path / "bare.xlsx")).state == "as made"


@pytest.mark.parametrize(
    ("kind", "title", "cell", "name"),
    [
        ("values-only", "Activation 2", "C7", "z_2"),
        ("values-only", "Overview", "B14", "(Overview)"),
        ("summary", "Layers", "E2", "(Layers)"),
        ("summary", "Histograms", "C4", "counts_1"),
    ],
)
def test_a_wrong_number_in_a_book_without_formulas_is_found(
    tmp_path: Path, kind: str, title: str, cell: str, name: str
) -> None:
    book = small_run(**BARE[kind]).to_excel(tmp_path / "bare.xlsx", values_only=True)
    found = verify(with_cell(book, tmp_path / "wrong.xlsx", title, cell, 3.25))
    assert [(row.engine, row.name) for row in found.rows if not row.ok] == [("numpy", name)]
    assert (found.state, kinds(found.changes)) == ("edited", {(name, "values")})


def test_a_changed_constant_of_a_book_of_values_shows_in_what_follows_from_it(tmp_path: Path) -> None:
    book = small_run().to_excel(tmp_path / "bare.xlsx", values_only=True)
    found = verify(with_cell(book, tmp_path / "wrong.xlsx", "Input", "C5", 0.5))
    assert {"a_1", "z_1", "var_x"} <= {row.name for row in found.rows if not row.ok}
    assert kinds(found.changes) == {("x", "values")}


def test_a_foreign_book_without_formulas_has_nothing_to_verify(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    book.active["A1"] = 1.5
    book.save(tmp_path / "foreign.xlsx")
    with pytest.raises(SheetsimError, match="neither formulas nor a study to compute again"):
        verify(tmp_path / "foreign.xlsx")


def test_a_live_book_whose_formulas_were_taken_away_is_edited(small_book: Path, tmp_path: Path) -> None:
    def edit(name: str, data: bytes) -> bytes:
        return re.sub(rb"<f.*?</f>", b"", data) if name.startswith("xl/worksheets/sheet") else data

    found = verify(edited(small_book, tmp_path / "frozen.xlsx", edit))
    assert (found.ok, found.state) == (True, "edited")
    assert {change.kind for change in found.changes} == {"formulas"}
    assert {"z_1", "W_2", "sd_3"} <= {change.name for change in found.changes}


def test_a_book_that_says_other_parameters_is_not_as_made(small_book: Path, tmp_path: Path) -> None:
    found = verify(
        edited(small_book, tmp_path / "lie.xlsx", lambda name, data: data.replace(b'"seed": 0', b'"seed": 1'))
    )
    # With another seed the draws should be others: every constant is then an edit, from which the values still follow.
    assert (found.ok, found.state) == (True, "edited")
    values = {change.name for change in found.changes if change.kind == "values"}
    assert values == {"x", "e_1", "e_2", "e_3", "(About)"}


def test_diff_is_silent_on_the_same_book_and_says_where_books_differ(small_book: Path, tmp_path: Path) -> None:
    assert diff(small_book, small_book) == []
    found = diff(small_book, with_cell(small_book, tmp_path / "other.xlsx", "Activation 1", "D4", 7.0))
    assert [(d.name, d.kind, len(d.changes)) for d in found] == [("z_1", "values", 1)]
    assert found[0].changes[0].where == "Activation 1!D4"
    assert found[0].changes[0].second == 7.0
    seeds = {d.name for d in diff(small_book, small_run(seed=1).to_excel(tmp_path / "seed.xlsx"))}
    assert {"x", "e_1", "z_1"} <= seeds


def test_diff_finds_formulas_names_and_sheets(small_book: Path, tmp_path: Path) -> None:
    def edit(name: str, data: bytes) -> bytes:
        return data.replace(b">sd_1*e_1<", b">sd_2*e_1<") if name.startswith("xl/worksheets") else data

    (found,) = diff(small_book, edited(small_book, tmp_path / "f.xlsx", edit))
    assert (found.name, found.kind) == ("W_1", "formulas")
    assert found.changes == [("Weights 1!B2", "{=sd_1*e_1} in B2:G8", "{=sd_2*e_1} in B2:G8")]
    shallow = small_run(layers=[6, 8]).to_excel(tmp_path / "shallow.xlsx")
    assert {"names", "sheets"} <= {d.kind for d in diff(small_book, shallow)}


def test_diff_gives_every_cell_of_every_block(small_book: Path, tmp_path: Path) -> None:
    """All of them from Python, as arrays: the blocks' numbers before and after are those of the two runs."""
    one, two = small_run(), small_run(seed=1)
    found = {d.name: d for d in diff(small_book, two.to_excel(tmp_path / "seed.xlsx")) if d.kind == "values"}
    for name in ("x", "e_2", "W_1", "a_3"):
        changes = found[name].changes
        assert len(changes) == one[name].size
        assert [change.first for change in changes] == one[name].ravel().tolist()
        assert [change.second for change in changes] == two[name].ravel().tolist()
    assert found["x"].changes[0].where == "Input!B2"
    assert found["x"].changes[-1].where == "Input!H41"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
def test_a_diff_of_a_million_cells_takes_little_memory(he_book: Path, tmp_path: Path) -> None:
    other = sheetsim.run("relu-he", seed=1).to_excel(tmp_path / "seed.xlsx")
    code = (
        "import re, sys; from pathlib import Path; from sheetsim.audit.verify import diff\n"
        "found = diff(*sys.argv[1:]); assert sum(len(d.changes) for d in found) > 1_000_000\n"
        "print(int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1]) // 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(he_book), str(other)], check=True, capture_output=True, text=True
    )
    assert int(done.stdout) < 300


@pytest.mark.parametrize(
    ("part", "old", "new", "kind"),
    [
        ("xl/charts/chart2.xml", b'val="100"', b'val="90"', "charts"),
        ("xl/styles.xml", b"<sz val=", b'<sz x="1" val=', "styles"),
        ("xl/worksheets/sheet1.xml", b"<dataValidation ", b'<dataValidation x="1" ', "styles"),
        ("xl/worksheets/sheet4.xml", b'<c r="C3" s="', b'<c r="C3" s="1', "styles"),
    ],
)
def test_diff_and_verify_say_that_charts_or_styles_differ(
    small_book: Path, tmp_path: Path, part: str, old: bytes, new: bytes, kind: str
) -> None:
    other = edited(small_book, tmp_path / "other.xlsx", lambda n, d: d.replace(old, new) if n == part else d)
    assert [d.kind for d in diff(small_book, other)] == [kind]
    found = verify(other)
    assert (found.ok, found.state, [d.kind for d in found.changes]) == (True, "edited", [kind])


def test_a_part_that_was_added_is_named(small_book: Path, tmp_path: Path) -> None:
    other = edited(small_book, tmp_path / "other.xlsx", lambda n, d: d)
    with zipfile.ZipFile(other, "a") as archive:
        archive.writestr("xl/vbaProject.bin", b"macro")
    (found,) = diff(small_book, other)
    assert (found.name, found.kind) == ("xl/vbaProject.bin", "parts")


def test_a_sheet_that_is_gone_is_a_failing_row_and_a_change_without_a_path(small_book: Path, tmp_path: Path) -> None:
    def edit(name: str, data: bytes) -> bytes:
        return data.replace(b'name="Weights 2"', b'name="Renamed"') if name == "xl/workbook.xml" else data

    found = verify(edited(small_book, tmp_path / "renamed.xlsx", edit))
    assert ("numpy", "(Weights 2)") in {(row.engine, row.name) for row in found.rows if not row.ok}
    assert {("(Weights 2)", "sheets"), ("(Renamed)", "sheets")} <= kinds(found.changes)
    assert "again.xlsx" not in str(found) + str([list(d.changes) for d in found.changes])


def test_the_rows_of_about_are_compared_also_where_the_input_file_is_gone(tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_text("\n".join("1,2,3.5" if k % 3 else "0.25,4,1" for k in range(30)))
    book = small_run(samples=30, inputs=3, input={"file": str(data)}).to_excel(tmp_path / "book.xlsx")
    assert verify(book).state == "as made"
    data.unlink()
    found = verify(book)
    assert (found.ok, found.state, found.changes) == (True, "as made, except that the input file is not here", ())
    assert "data.csv' is not here: its numbers were taken from the book" in found.notes[0]
    found = verify(
        edited(book, tmp_path / "again.xlsx", lambda name, data: data.replace(b"2026-01-01T", b"2026-01-02T"))
    )
    assert (found.ok, found.state, found.changes) == (True, "saved again", ())
    # The number 0 on About, seed's, is a text of its own.
    lie = edited(book, tmp_path / "lie.xlsx", lambda n, d: d.replace(b"the layers' verdicts", b"the layers' lies"))
    found = verify(lie)
    assert (found.state, kinds(found.changes)) == ("edited", {("(About)", "values")})


def test_a_command_on_about_that_makes_another_book_is_an_edit(small_book: Path, tmp_path: Path) -> None:
    lie = edited(small_book, tmp_path / "lie.xlsx", lambda n, d: d.replace(b"--set samples=40 ", b"--set samples=41 "))
    found, told = verify(lie).changes
    assert (told.name, told.kind, [change.where for change in told.changes]) == ("(sheetsim)", "manifest", ["command"])
    assert found.name == "(About)"
    assert "samples=41" in found.changes[0].second


def test_a_cell_that_stands_twice_is_refused_by_name(small_book: Path, tmp_path: Path) -> None:
    part = part_of(small_book, "Activation 2")
    cell = re.compile(rb'<c r="C7"[^>]*><v>[^<]*</v></c>')
    twice = edited(small_book, tmp_path / "twice.xlsx", lambda n, d: cell.sub(rb"\g<0>\g<0>", d) if n == part else d)
    with pytest.raises(SheetsimError, match="sheet 'Activation 2': the cell C7 occurs twice"):
        verify(twice)


def test_a_number_as_text_is_no_number(small_book: Path, tmp_path: Path) -> None:
    part = part_of(small_book, "Input")
    cell = re.compile(rb'<c r="C7"( s="\d+")><v>([^<]*)</v></c>')
    words = edited(
        small_book,
        tmp_path / "words.xlsx",
        lambda n, d: cell.sub(rb'<c r="C7"\1 t="str"><v>\2</v></c>', d) if n == part else d,
    )
    found = verify(words)
    assert found.state == "edited"
    assert any("a cell of x is not a number" in note for note in found.notes)


def test_texts_are_read_with_their_escapes(tmp_path: Path) -> None:
    model = sheetsim.Model("a\x01b _x0041_ c\rd")
    model.input("x", [[1.0, 2.0]])
    with RawBook(model.to_excel(tmp_path / "book.xlsx")) as book:
        assert book.cells("Model").values.get(1, 1) == "a\x01b _x0041_ c\rd"


def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["sheetsim", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    out, err = capfd.readouterr()
    return int(stop.value.code or 0), out, err


def test_the_commands_end_with_0_when_all_agrees_and_1_when_not(
    small_book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = call(monkeypatch, capfd, "verify", str(small_book))
    assert status == 0
    assert re.fullmatch(r".*small.xlsx: as made; values and formulas agree \(ironcalc and numpy, [\d,]+ cells\)\n", out)
    out = call(monkeypatch, capfd, "verify", "--verbose", str(small_book))[1]
    assert re.search(r"W_1 +Weights 1 +ironcalc +42 .* True\n", out)
    out = call(monkeypatch, capfd, "verify", str(with_cell(small_book, tmp_path / "w.xlsx", "Layers", "B2", 3.25)))[1]
    assert re.findall(r"^ *\S+ +\S+ +(?:ironcalc|numpy).*", out, re.MULTILINE) == re.findall(
        r"^.*False$", out, re.MULTILINE
    )
    assert out.count("False") == 2
    wrong = str(with_cell(small_book, tmp_path / "wrong.xlsx", "Activation 2", "C7", 3.25))
    status, out, _ = call(monkeypatch, capfd, "verify", wrong, "--json")
    assert status == 1
    (report,) = json.loads(out)
    assert any(row["name"] == "z_2" and not row["ok"] for row in report["rows"])
    assert report["changes"][0]["changes"][0]["where"] == "Activation 2!C7"
    assert call(monkeypatch, capfd, "diff", str(small_book), str(small_book))[:2] == (0, "")
    assert call(monkeypatch, capfd, "diff", str(small_book), str(small_book), "--json")[:2] == (0, "[]\n")
    assert call(monkeypatch, capfd, "diff", str(small_book), wrong)[0] == 1


def test_diff_prints_ten_cells_a_block_and_all_of_them_as_json(
    small_book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    other = str(small_run(seed=1).to_excel(tmp_path / "seed.xlsx"))
    status, out, _ = call(monkeypatch, capfd, "diff", str(small_book), other)
    assert status == 1
    block = out[out.index("x, values: 280 differ") :].splitlines()[:12]
    assert [line.split(":")[0].strip() for line in block[1:11]] == [
        f"Input!{c}" for c in ("B2", "C2", "D2", "E2", "F2", "G2", "H2", "B3", "C3", "D3")
    ]
    assert block[11] == "  … and 270 more (all with --format json)"
    status, out, _ = call(monkeypatch, capfd, "diff", str(small_book), other, "--json")
    found = {(d["name"], d["kind"]): d for d in json.loads(out)}
    assert len(found["x", "values"]["changes"]) == found["x", "values"]["cells"] == 280
    assert found["x", "values"]["changes"][-1]["first"] == small_run()["x"][-1, -1]


def test_one_bad_book_does_not_discard_the_reports_of_the_others(
    small_book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.xlsx"
    bad.write_bytes(b"hello")
    books = [str(small_book), str(bad), str(small_book)]
    status, out, err = call(monkeypatch, capfd, "verify", *books)
    assert status == 2
    assert out.count("as made; values and formulas agree") == 2
    assert err.startswith(f"sheetsim: {bad} is not a workbook")
    assert err.count("\n") == 1
    status, out, err = call(monkeypatch, capfd, "verify", *books, "--json")
    assert (status, len(json.loads(out))) == (2, 2)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes end otherwise there")
@pytest.mark.parametrize("command", [["list"], ["verify", "{book}"], ["diff", "{book}", "{other}", "--json"]], ids=str)
def test_a_reader_that_goes_away_ends_the_command_without_a_traceback(
    small_book: Path, tmp_path: Path, command: list[str]
) -> None:
    other = small_run(seed=1).to_excel(tmp_path / "seed.xlsx")
    words = [word.format(book=small_book, other=other) for word in command]
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "sheetsim", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 141
    process.stderr.close()


def test_a_missing_engine_is_a_sentence(small_book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ironcalc", None)
    with pytest.raises(SheetsimError, match="ironcalc is not installed"):
        recalculated([small_book], "ironcalc")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SheetsimError, match="LibreOffice was not found"):
        recalculated([small_book], "libreoffice")


def zip_of(path: Path, parts: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in parts.items():
            out.writestr(name, data)
    return path


ENTITIES = b"""<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><workbook><sheets><sheet name="&c;" sheetId="1"/></sheets></workbook>"""
LINKS = (
    b"""<?xml version="1.0"?><Relationships><Relationship Id="r1" Target="worksheets/sheet1.xml"/></Relationships>"""
)


def lone_sheet(path: Path, sheet: bytes, names: bytes = b"") -> Path:
    sheets = b'<sheets><sheet name="S" sheetId="1" id="r1"/></sheets>'
    book = b"<workbook>" + sheets + b"<definedNames>" + names + b"</definedNames></workbook>"
    parts = {"xl/workbook.xml": book, "xl/_rels/workbook.xml.rels": LINKS, "xl/worksheets/sheet1.xml": sheet}
    return zip_of(path, parts)


def cells_of_numbers(count: int) -> bytes:
    """Legal XML of a sheet of one long column, 40 bytes a cell."""
    numbers = orjson.dumps(np.random.default_rng(0).random(count), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]
    rows = numbers.replace(b",", b"</v></c></row><row><c><v>")
    return b"<worksheet><sheetData><row><c><v>" + rows + b"</v></c></row></sheetData></worksheet>"


def tokens(count: int, text: bytes) -> bytes:
    # Names that do not deflate: else it is the expansion that is refused, and not their number.
    return b"".join(text % secrets.token_hex(8).encode() for _ in range(count))


def with_bytes(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


LONG_NAME = b'<definedName name="n">S!$A$1:$XFD$1048576</definedName>'

HOSTILE: dict[str, Callable[[Path, bytes], Path]] = {
    "empty": lambda path, whole: with_bytes(path, b""),
    "text": lambda path, whole: with_bytes(path, b"hello"),
    "truncated": lambda path, whole: with_bytes(path, whole[: len(whole) // 2]),
    "flipped": lambda path, whole: with_bytes(
        path, whole[:3000] + bytes(b ^ 0xFF for b in whole[3000:9000]) + whole[9000:]
    ),
    "no-parts": lambda path, whole: zip_of(path, {"a.txt": b"a"}),
    "entities": lambda path, whole: zip_of(path, {"xl/workbook.xml": ENTITIES, "xl/_rels/workbook.xml.rels": LINKS}),
    "bomb": lambda path, whole: zip_of(path, {"xl/workbook.xml": b"", "xl/worksheets/sheet1.xml": bytes(300 << 20)}),
    "outside": lambda path, whole: zip_of(path, {"../../etc/passwd": b"root"}),
    "sheets": lambda path, whole: zip_of(
        path,
        {
            "xl/workbook.xml": b"<workbook><sheets>"
            + tokens(300_000, b'<sheet name="%b" sheetId="1" id="r1"/>')
            + b"</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": LINKS,
        },
    ),
    "names": lambda path, whole: lone_sheet(
        path, cells_of_numbers(9), tokens(300_000, b'<definedName name="n%b">S!$A$1</definedName>')
    ),
    "100 MB": lambda path, whole: lone_sheet(path, cells_of_numbers(2_500_000)),
    "100 MB, a long name": lambda path, whole: lone_sheet(path, cells_of_numbers(2_500_000), LONG_NAME),
    "elements": lambda path, whole: lone_sheet(
        path, b"<worksheet><sheetData>" + tokens(900_000, b'<x t="%b"/>') + b"</sheetData></worksheet>"
    ),
}


@pytest.mark.every(3)
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_book_is_refused_by_every_reader_with_the_reason_and_at_once(
    small_book: Path, tmp_path: Path, kind: str
) -> None:
    path = HOSTILE[kind](tmp_path / "hostile.xlsx", small_book.read_bytes())
    readers: list[Callable[[], object]] = [
        lambda: verify(path),
        lambda: diff(path, small_book),
        lambda: sheetsim.read(path).summary(),
        lambda: sheetsim.run("relu-he", input={"file": str(path)}, layers=[3]),
    ]
    if kind in ("names", "100 MB", "100 MB, a long name"):
        readers.pop()  # these are sound tables of a person's data
    if kind == "flipped":
        readers.pop(2)  # the sheet that it reads is whole
    if kind == "elements":
        readers = readers[:1]  # the others read no sheet that they are not asked for
    reasons = []
    for reader in readers:
        start = time.process_time()
        with pytest.raises(SheetsimError) as refused:
            reader()
        assert time.process_time() - start < 2
        reasons.append(str(refused.value))
    assert REASONS.get(kind, "") in reasons[0]


REASONS = {
    "sheets": "more than 10,000 elements 'sheet'",
    "names": "more than 50,000 elements 'definedName'",
    "100 MB": "far more than its named blocks account for",
    "100 MB, a long name": "far more than its named blocks account for",
    "elements": "elements are refused",
}


def test_many_names_are_read_at_once(tmp_path: Path) -> None:
    """Names by the ten thousand that lead to cells are allowed, and looked up by sheet."""
    names = tokens(49_000, b'<definedName name="n%b">S!$A$1:$A$9</definedName>')
    path = lone_sheet(tmp_path / "names.xlsx", cells_of_numbers(20_000), names)
    start = time.process_time()
    with RawBook(path) as book:
        assert len(list(blocks(book, "S", book.cells("S").values.keys))) == 2
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    ("title", "block"),
    [("y", b"MMULT(ROW($1:$30000)^0,TRANSPOSE(ROW($1:$30000)))"), ("y", b"(" * 3000 + b"x" + b")" * 3000)],
    ids=["matrix of 7 GB", "deep brackets"],
)
def test_a_formula_that_ends_the_engine_is_one_sentence(tmp_path: Path, title: str, block: bytes) -> None:
    model = sheetsim.Model()
    model.define("y", model.input("x", [[1.0, 2.0]]) * 2)
    book = model.to_excel(tmp_path / "book.xlsx")
    fatal = edited(book, tmp_path / "fatal.xlsx", lambda n, d: d.replace(b">x*2<", b">" + block + b"<"))
    start = time.monotonic()
    with pytest.raises(SheetsimError, match="ironcalc cannot recalculate the book: it crashed, or needed more than"):
        verify(fatal)
    assert time.monotonic() - start < 20


@pytest.mark.slow
def test_a_name_over_far_too_many_cells_takes_no_memory_of_the_machine(tmp_path: Path) -> None:
    model = sheetsim.Model()
    model.define("t", sheetsim.mean(model.input("x", [[1.0, 2.0]])))
    book = model.to_excel(tmp_path / "book.xlsx")
    wide = edited(book, tmp_path / "wide.xlsx", lambda n, d: d.replace(b"$B$2:$C$2", b"$A$1:$XFD$20000"))
    with pytest.raises(SheetsimError, match="crashed, or needed more than 2,0"):
        verify(wide)


@pytest.mark.parametrize("engine", ["ironcalc", pytest.param("libreoffice", marks=needs_libreoffice)])
def test_an_engine_that_takes_too_long_is_stopped(
    small_book: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setattr(recalculate, "SECONDS", 0)
    monkeypatch.setattr(recalculate, "SECONDS_A_MEGABYTE", 0)
    start = time.monotonic()
    with pytest.raises(SheetsimError, match=f"{engine} cannot recalculate .*more than"):
        recalculated([small_book], engine)
    assert time.monotonic() - start < 10


READERS = """
import re, sys
from pathlib import Path
import sheetsim
from sheetsim.audit.verify import diff, verify
bad, good = sys.argv[1:]
for read in (lambda: verify(bad), lambda: diff(bad, good), lambda: sheetsim.read(bad).summary()):
    try:
        read()
    except sheetsim.SheetsimError:
        pass
# Not ru_maxrss: on Linux that begins with the peak of the process that started this one.
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


@pytest.mark.every(2)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
@pytest.mark.parametrize(
    "kind", ["bomb", "sheets", "entities", *(pytest.param(k, marks=pytest.mark.slow) for k in ("100 MB", "elements"))]
)
def test_a_hostile_book_takes_little_memory(small_book: Path, tmp_path: Path, kind: str) -> None:
    path = HOSTILE[kind](tmp_path / "hostile.xlsx", small_book.read_bytes())
    command = [sys.executable, "-c", READERS, str(path), str(small_book)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(done.stdout) < 500


def test_a_book_whose_cells_are_of_other_kinds_is_refused_by_name(small_book: Path, tmp_path: Path) -> None:
    part = part_of(small_book, "Activation 1")
    words = edited(small_book, tmp_path / "words.xlsx", lambda n, d: d.replace(b"<v>", b"<v>x", 40) if n == part else d)
    with pytest.raises(SheetsimError, match="damaged"):
        verify(words)
    nameless = edited(
        small_book,
        tmp_path / "nameless.xlsx",
        lambda n, d: re.sub(rb'<definedName name="x">.*?</definedName>', b"", d) if n == "xl/workbook.xml" else d,
    )
    found = verify(nameless)
    assert (found.ok, found.state) == (False, "edited")
    assert "no block of cells named 'x'" in found.notes[0]


@pytest.mark.parametrize("text", [b"nan", b"inf", b"-INF"])
def test_a_value_that_is_no_number_never_agrees(small_book: Path, tmp_path: Path, text: bytes) -> None:
    part = part_of(small_book, "Activation 2")
    pattern = re.compile(rb'(<c r="C7"[^>]*><v>)[^<]*')
    broken = edited(
        small_book, tmp_path / "nan.xlsx", lambda n, d: pattern.sub(rb"\g<1>" + text, d) if n == part else d
    )
    with pytest.raises(SheetsimError, match="not a number that a cell can hold"):
        verify(broken)


def test_a_large_statistic_does_not_hide_a_wrong_small_one(tmp_path: Path) -> None:
    run = small_run(initializer=1000, activation="identity")
    book = run.to_excel(tmp_path / "large.xlsx")
    assert verify(book).ok
    assert not verify(with_cell(book, tmp_path / "wrong.xlsx", "Layers", "E2", 777.0)).ok


def test_a_moved_name_is_an_edit(small_book: Path, tmp_path: Path) -> None:
    def edit(name: str, data: bytes) -> bytes:
        return data.replace(b">Layers!$B$2<", b">Layers!$B$3<").replace(
            b'<definedName name="bound">Histograms!', b'<definedName name="bound">Overview!'
        )

    found = verify(edited(small_book, tmp_path / "moved.xlsx", edit))
    assert found.state == "edited"
    assert ("bound", "names") in kinds(found.changes)


def insist(path: Path) -> None:
    """Verifies a book that is not as made: a refusal, or a report of what was changed, which is as good."""
    found = verify(path)
    assert found.state != "as made"
    raise SheetsimError(str(found.changes or found.notes[0]))


@pytest.mark.parametrize(
    ("part", "old", "new"),
    [
        pytest.param("xl/worksheets/sheet4.xml", b'ref="B2:', b'ref="B2:XFD3000" x="', marks=pytest.mark.slow),
        ("xl/workbook.xml", b'<sheet name="Input"', b"<sheet "),
        ("xl/workbook.xml", b'encoding="UTF-8"', b'encoding="foo"'),
        ("xl/workbook.xml", b"Input!$B$2:", b"Input!$F$41:"),
        ("xl/_rels/workbook.xml.rels", b"worksheets/sheet2.xml", b"worksheets/sheet1.xml"),
    ],
    ids=["huge array", "sheet without name", "unknown encoding", "backward name", "one part twice"],
)
def test_crooked_parts_are_refused_or_reported_and_never_a_traceback(
    small_book: Path, tmp_path: Path, part: str, old: bytes, new: bytes
) -> None:
    path = edited(small_book, tmp_path / "bad.xlsx", lambda n, d: d.replace(old, new) if n == part else d)
    start = time.process_time()
    with pytest.raises(SheetsimError):
        insist(path)
    assert time.process_time() - start < 2


def test_an_ordinary_archive_passes_the_guard(small_book: Path) -> None:
    check_archive(small_book)
    assert zipfile.is_zipfile(io.BytesIO(small_book.read_bytes()))
