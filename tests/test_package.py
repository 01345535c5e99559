"""The file itself: exact numbers for any shape and value, a sound zip, and whole or not at all whatever happens."""

import io
import os
import resource
import signal
import struct
import subprocess
import sys
import textwrap
import time
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from conftest import small_run
from engines import SOFFICE, ironcalc_cells, libreoffice_cells
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from sheetsim.errors import SheetsimError
from sheetsim.model.graph import Graph
from sheetsim.workbook.layout import Layout, MatrixSheet
from sheetsim.workbook.writing import package
from sheetsim.workbook.writing.cells import BAND, matrix_bands
from sheetsim.workbook.writing.package import write_package
from sheetsim.workbook.writing.write import write


def book_of(path: Path, **matrices: np.ndarray) -> Path:
    graph = Graph()
    nodes = {name: graph.input(name, values) for name, values in matrices.items()}
    sheets = [MatrixSheet(name, node) for name, node in nodes.items()]
    return write(path, Layout(sheets), {node: node.source.values for node in nodes.values()})


def calamine(path: Path, title: str) -> np.ndarray:
    rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_name(title).to_python(skip_empty_area=False)
    return np.array([row[1:] for row in rows[1:]], dtype=float)


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and bool(np.array_equal(a.view(np.uint64), b.view(np.uint64)))


doubles = st.integers(0, 2**64 - 1).map(lambda word: struct.unpack("<d", struct.pack("<Q", word))[0])


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 5), st.integers(1, 30))
def test_any_finite_double_in_any_small_shape_comes_back_bit_for_bit(
    data: st.DataObject, rows: int, columns: int
) -> None:
    values = data.draw(st.lists(doubles.filter(np.isfinite), min_size=rows * columns, max_size=rows * columns))
    array = np.array(values).reshape(rows, columns)
    xml = b"".join(matrix_bands(array, None, 1, 2, (0, 2))).decode()
    found = [float(text) for cell in xml.split('s="1"><v>')[1:] for text in [cell.partition("<")[0]]]
    assert same_bits(np.array(found).reshape(rows, columns), array)


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        (1, 1),
        (1, 16_383),
        pytest.param(1_048_575, 1, marks=pytest.mark.slow),
        (BAND // 7 + 3, 7),
        (2 * BAND, 1),
        (3, BAND // 100),
    ],
    ids=str,
)
def test_extreme_shapes_come_back_bit_for_bit(tmp_path: Path, rows: int, columns: int) -> None:
    values = np.random.default_rng(1).standard_normal((rows, columns))
    path = book_of(tmp_path / "book.xlsx", m=values)
    assert same_bits(calamine(path, "m"), values)


def test_special_doubles_come_back_from_every_reader(tmp_path: Path) -> None:
    tiny, huge = 2.2250738585072014e-308, 1.7976931348623157e308
    values = np.array([[0.0, -0.0, 5e-324, -5e-324, tiny, huge], [-huge, 0.1, 1 / 3, 1e15, 1e16, 123456789.123456789]])
    path = book_of(tmp_path / "book.xlsx", m=values)
    assert same_bits(calamine(path, "m"), values)
    sheet = openpyxl.load_workbook(path, read_only=True)["m"]
    read = np.array([[float(v) for v in row] for row in sheet.iter_rows(2, 3, 2, 7, values_only=True)])
    assert same_bits(read, values)
    # IronCalc keeps all digits of what it can hold; it reads -0 as 0.
    np.testing.assert_array_equal(np.array(ironcalc_cells(path)("m", 1, 1, (2, 6)), dtype=float), values)


@pytest.mark.skipif(SOFFICE is None, reason="soffice is not installed")
def test_libreoffice_reads_the_numbers_to_its_15_digits(tmp_path: Path) -> None:
    values = np.random.default_rng(2).standard_normal((50, 20))
    (cells,) = libreoffice_cells([book_of(tmp_path / "book.xlsx", m=values)])
    np.testing.assert_allclose(np.array(cells("m", 1, 1, (50, 20)), dtype=float), values, rtol=5e-15)


@pytest.mark.parametrize("title", ["It's", "R&D <1>", "重み 1", '"quoted"', "a!b", "W1", "2026", "x+y"])
def test_sheet_titles_of_all_kinds_keep_formulas_and_readers_working(tmp_path: Path, title: str) -> None:
    graph = Graph()
    x = graph.input("x", [[1.0, 2.0], [3.0, 4.0]])
    y = graph.define("y", x * 2)
    layout = Layout([MatrixSheet(title, x), MatrixSheet(title[:20] + " y", y)])
    path = write(tmp_path / "book.xlsx", layout, {x: x.source.values, y: 2 * x.source.values})
    assert calamine(path, title).tolist() == [[1, 2], [3, 4]]
    if "!" not in title:  # IronCalc takes the first ! of a reference for the sheet's end, quoted or not
        assert ironcalc_cells(path)(title[:20] + " y", 1, 1, (2, 2)) == [[2, 4], [6, 8]]
    assert openpyxl.load_workbook(path).sheetnames == [title, title[:20] + " y"]


@pytest.mark.skipif(SOFFICE is None, reason="soffice is not installed")
def test_japanese_names_work_in_formulas(tmp_path: Path) -> None:
    """In LibreOffice; IronCalc knows no names but ASCII's."""
    graph = Graph()
    x = graph.input("入力", [[1.0, 2.0]])
    y = graph.define("倍", x * 2)
    values = {x: x.source.values, y: -x.source.values}
    path = write(tmp_path / "b.xlsx", Layout([MatrixSheet("入力", x), MatrixSheet("倍", y)]), values)
    (cells,) = libreoffice_cells([path])
    assert cells("倍", 1, 1, (1, 2)) == [[2, 4]]


def test_a_part_without_chunks_is_an_empty_part() -> None:
    file = io.BytesIO()
    write_package(file, [("one", [b"1"]), ("none", []), ("two", [b"2"]), ("last", iter(()))])
    with zipfile.ZipFile(file) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "one": b"1",
            "none": b"",
            "two": b"2",
            "last": b"",
        }


def test_every_cell_and_row_keeps_its_reference(tmp_path: Path) -> None:
    path = small_run().to_excel(tmp_path / "book.xlsx")
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.startswith("xl/worksheets/sheet"):
                xml = archive.read(name).decode()
                assert xml.count("<c ") == xml.count("<c r=")
                assert xml.count("<row ") == xml.count("<row r=")


def test_threads_do_not_change_the_bytes() -> None:
    chunks = [os.urandom(10) * 30_000, b"a" * 100, b""]
    made = []
    for threads in (1, 2, 7):
        file = io.BytesIO()
        write_package(file, [("one.xml", chunks), ("two/2.xml", [b"x"])], threads)
        made.append(file.getvalue())
    assert made[0] == made[1] == made[2]
    with zipfile.ZipFile(io.BytesIO(made[0])) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["one.xml", "two/2.xml"]
        assert archive.read("one.xml") == b"".join(chunks)


def test_a_package_beyond_the_32_bit_limits_is_a_zip64(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the limit moved down to where a test can pass it: the records are the ones that 5 GB would get."""
    monkeypatch.setattr(package, "ZIP32_LIMIT", 1000)
    entry = package._Entry("big.xml", 2000)
    entry.size, entry.packed, entry.crc = 5000, 3000, 7
    assert struct.unpack_from("<HHQQ", entry.header(), 30 + 7) == (1, 16, 5000, 3000)
    assert struct.unpack_from("<HHQQQ", entry.directory(), 46 + 7) == (1, 24, 5000, 3000, 2000)


@pytest.mark.slow
def test_a_part_of_more_than_4_gb_is_read_by_other_programs(tmp_path: Path) -> None:
    chunk = bytes(1 << 24)
    with (tmp_path / "big.zip").open("w+b") as file:
        write_package(file, [("zeros", (chunk for _ in range(257))), ("after", [b"here"])])
    with zipfile.ZipFile(tmp_path / "big.zip") as archive:
        assert archive.getinfo("zeros").file_size == 257 << 24
        assert archive.read("after") == b"here"
        with archive.open("zeros") as part:
            assert sum(len(block) for block in iter(lambda: part.read(1 << 24), b"")) == 257 << 24


WRITER = textwrap.dedent(
    """
    import sys, sheetsim
    run = sheetsim.run("relu-he", samples=400, inputs=50, layers=[60, 60, 60])
    run.to_excel(sys.argv[1])
    print("ready", flush=True)  # when there is a book: on a busy machine the first one takes its time
    while True:
        run.to_excel(sys.argv[1])
    """
)


@pytest.mark.slow
def test_killed_at_any_point_the_file_is_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "book.xlsx"
    whole = set()
    rng = np.random.default_rng(0)
    for _ in range(12):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(target)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(rng.uniform(0, 0.4))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        if target.exists():
            whole.add(target.read_bytes())
    assert len(whole) == 1  # every file that was ever seen is the same whole book
    assert zipfile.ZipFile(io.BytesIO(whole.pop())).testzip() is None
    # A kill between the link and the rename may leave the whole file under its other name, and no half of one.
    assert len(list(tmp_path.iterdir())) <= 2


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 0.999])
def test_on_a_full_disk_the_old_file_stays_and_the_error_is_a_sentence(tmp_path: Path, share: float) -> None:
    run = small_run(samples=200)
    size = run.to_excel(tmp_path / "size.xlsx").stat().st_size
    (tmp_path / "size.xlsx").unlink()
    target = tmp_path / "book.xlsx"
    target.write_text("precious")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(size * share), hard))
    try:
        with pytest.raises(SheetsimError, match=r"cannot write .*book\.xlsx: file too large"):
            run.to_excel(target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert target.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_is_followed_and_a_private_file_stays_private(tmp_path: Path) -> None:
    real, link = tmp_path / "real.xlsx", tmp_path / "link.xlsx"
    real.write_text("old")
    real.chmod(0o600)
    link.symlink_to(real)
    small_run().to_excel(link)
    assert link.is_symlink()
    assert zipfile.is_zipfile(real)
    assert real.stat().st_mode & 0o777 == 0o600


def test_a_name_as_long_as_the_file_system_takes_is_taken(tmp_path: Path) -> None:
    assert small_run().to_excel(tmp_path / ("重" * 82 + ".xlsx")).exists()


def test_a_new_file_has_the_rights_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        path = small_run().to_excel(tmp_path / "book.xlsx")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640


def test_without_unnamed_files_a_named_one_is_used_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    path = small_run().to_excel(tmp_path / "book.xlsx")
    assert zipfile.ZipFile(path).testzip() is None
    with pytest.raises(ZeroDivisionError):
        small_run().to_excel(path, progress=lambda title: 1 / 0)
    assert list(tmp_path.iterdir()) == [path]


PEAK = textwrap.dedent(
    """
    import re, sys
    from pathlib import Path
    import numpy as np
    from sheetsim.model.graph import Graph
    from sheetsim.workbook.layout import Layout, MatrixSheet
    from sheetsim.workbook.writing.write import write
    graph = Graph()
    x = graph.input("x", np.random.default_rng(0).standard_normal((int(sys.argv[2]), 100)))
    # Not ru_maxrss: on Linux that begins with the peak of the process that started this one.
    peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
    before = peak()
    write(sys.argv[1], Layout([MatrixSheet("x", x)]), {x: x.source.values})
    print((peak() - before) // 1024)
    """
)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
def test_memory_does_not_grow_with_the_number_of_cells(tmp_path: Path) -> None:
    extra = [
        int(
            subprocess.run(
                [sys.executable, "-c", PEAK, str(tmp_path / "b.xlsx"), rows], check=True, capture_output=True, text=True
            ).stdout
        )
        for rows in ("10000", "40000")
    ]
    # 4 million cells are 200 MB of XML; a band is 5 MB, and a dozen of them are about at once.
    assert extra[1] < 150
    assert extra[1] - extra[0] < 60
