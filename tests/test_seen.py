"""Pages have no cut texts, no ###, no empty or overlapping charts, no needless sheet of paper; each rule is tried."""

import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import EXPERIMENTS, LARGE, quick_run, small_keys, some
from engines import SOFFICE
from seen import seen

import sheetsim
from sheetsim.language import LANGUAGES
from sheetsim.runs import templates

TINY = {"samples": 9, "inputs": 4, "layers": [3, 3]}


@pytest.mark.every(3)
@pytest.mark.parametrize("name", some(templates.names()))
def test_every_page_of_a_template_can_be_read(name: str, tmp_path: Path) -> None:
    assert seen(quick_run(name).to_excel(tmp_path / "book.xlsx")) == []


@pytest.mark.every(4)
@pytest.mark.parametrize("name", some(templates.names()))
def test_every_page_in_japanese_can_be_read(name: str, tmp_path: Path) -> None:
    keys = small_keys(EXPERIMENTS[name]) if name in LARGE else {}
    assert seen(sheetsim.run(name, lang="ja", **keys).to_excel(tmp_path / "book.xlsx")) == []


@pytest.mark.parametrize(
    "made",
    [
        lambda: sheetsim.run("finite-width", activation="tanh", networks=9, layers=[3, 3]),
        lambda: sheetsim.run("finite-width", bias=0.5, networks=9, layers=[20, 20]),
        lambda: sheetsim.compare("sigmoid-std001", "relu-xavier", "relu-he", replicates=2, **TINY),
        lambda: sheetsim.replicate("relu-he", 3, **TINY),
        lambda: sheetsim.sweep({"template": "relu-he", "set": TINY, "grid": {"initializer": [0.1, 0.5]}}),
    ],
    ids=["no theory", "biases", "compare", "replicate", "sweep"],
)
def test_every_page_of_other_books_can_be_read(made: Callable[[], object], tmp_path: Path) -> None:
    assert seen(made().to_excel(tmp_path / "book.xlsx")) == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("part", "pattern", "new", "fault"),
    [
        ("worksheets/sheet1.xml", rb'max="1" width="[^"]*"', b'max="1" width="9"', "pixels and has"),
        ("worksheets/sheet1.xml", rb'max="6" width="[^"]*"', b'max="6" width="3"', "###"),
        ("worksheets/sheet1.xml", rb'ht="[^"]*"', b'ht="15"', "lines of"),
        ("worksheets/sheet1.xml", rb'scale="6[67]"', b'scale="85"', "a sheet of paper"),
        ("drawings/drawing1.xml", rb"<xdr:from><xdr:col>2<", b"<xdr:from><xdr:col>1<", "overlap"),
        ("drawings/drawing1.xml", rb"<xdr:row>10<", b"<xdr:row>6<", "a chart covers"),
        ("charts/chart1.xml", rb"<c:f>Bars![^<]*", b"<c:f>Bars!$ZZ$1:$ZZ$3", "is empty"),
    ],
)
def test_each_rule_finds_its_fault(part: str, pattern: bytes, new: bytes, fault: str, tmp_path: Path) -> None:
    book, broken = sheetsim.run("relu-he", **TINY).to_excel(tmp_path / "book.xlsx"), tmp_path / "broken.xlsx"
    assert seen(book) == []
    with zipfile.ZipFile(book) as source, zipfile.ZipFile(broken, "w") as out:
        for name in source.namelist():
            data = source.read(name)
            out.writestr(name, re.sub(pattern, new, data) if name == f"xl/{part}" else data)
    assert any(fault in found for found in seen(broken)), seen(broken)


@pytest.mark.slow
@pytest.mark.skipif(SOFFICE is None, reason="soffice is not installed")
@pytest.mark.parametrize("name", ["relu-he", "symmetry", "rnn-gradients", "correlation-angles"])
def test_libreoffice_shows_every_page_without_errors_in_every_language(name: str, tmp_path: Path) -> None:
    script = Path(__file__).parents[1] / "docs" / "pictures.py"
    words = [sys.executable, script, name, "--all", "--output", tmp_path / "pictures"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert len(list((tmp_path / "pictures").glob("*.png"))) > len(LANGUAGES)


def test_the_documentations_pictures_are_small_and_shown() -> None:
    docs = Path(__file__).parents[1] / "docs"
    pages = "".join(page.read_text(encoding="utf-8") for page in (docs.parent / "README.md", *docs.rglob("*.md")))
    pictures = sorted((docs / "pictures").glob("*.png"))
    assert len(pictures) == 4
    for picture in pictures:
        assert picture.stat().st_size < 150_000
        assert f"pictures/{picture.name})" in pages
