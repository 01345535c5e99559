"""Two engines, one answer: every formula of a book, recalculated from poisoned caches, gives NumPy's numbers."""

import itertools
import subprocess
from pathlib import Path

import ironcalc
import pytest
from conftest import FULL, LARGE, run_of, small_run, some
from engines import SOFFICE, differences, ironcalc_cells, libreoffice_cells, poison

import sheetsim
from sheetsim.audit.recalculate import POISON, libreoffice_profile
from sheetsim.model.nets import ACTIVATIONS
from sheetsim.model.series import Series
from sheetsim.runs import templates
from sheetsim.runs.run import Run
from sheetsim.workbook.reading.raw import RawBook

# Relative to a matrix's largest magnitude. tanh with standard deviation 1 is chaotic: rounding grows tenfold a layer.
# An inverse loses as many digits as its condition has: 2,500 there.
TOLERANCE = dict.fromkeys(templates.names(), 1e-12) | {"tanh-std1": 1e-9, "bayesian-search": 1e-10}

# What saturated units let through is a difference of numbers near 1.
FLOOR = {"symmetry": 1e-13, "training-in-cells": 1e-13}

needs_libreoffice = pytest.mark.skipif(SOFFICE is None, reason="soffice is not installed")

CHOICES: list[dict[str, str]] = [
    *({"activation": name} for name in ACTIVATIONS),
    *({"initializer": name} for name in ("std 1", "std 0.01", "xavier", "lecun", "lecun normal")),
    *({"initializer": name} for name in ("glorot", "he", "zeros", "custom")),
]


def poisoned(run: Run, folder: Path, texts: dict[str, str] | None = None) -> Path:
    book = run.to_excel(folder / f"{run.name}-{len(list(folder.iterdir()))}.xlsx")
    target = book.with_suffix(".poisoned.xlsx")
    count = poison(book, target, texts)
    computed = sum(node.shape[0] * node.shape[1] for node in run._layout.formulas)
    assert count >= computed
    return target


def chosen(run_name: str, choice: dict[str, str], **overrides: object) -> Run:
    """The run that NumPy gives for the drop-downs so set; `custom` is whatever the custom cell says (0.1)."""
    settings: dict[str, object] = dict(choice)
    if settings.get("initializer") == "custom":
        settings["initializer"] = 0.1
    return small_run(run_name, **settings, **overrides)


@pytest.mark.every(3)
@pytest.mark.parametrize("name", some(LARGE))
def test_ironcalc_agrees_with_numpy_on_every_network_when_small(name: str, tmp_path: Path) -> None:
    run = small_run(name)
    assert differences(run, ironcalc_cells(poisoned(run, tmp_path)), 1e-11, FLOOR.get(name, 0.0)) == []


@pytest.mark.parametrize("name", FULL)
def test_ironcalc_agrees_with_numpy_on_every_template(name: str, tmp_path: Path) -> None:
    run = run_of(name)
    cells = ironcalc_cells(poisoned(run, tmp_path))
    assert differences(run, cells, TOLERANCE[name], FLOOR.get(name, 0.0)) == []


@pytest.mark.every(3)
@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: "-".join(choice.values()))
def test_ironcalc_follows_each_choice_of_each_drop_down(choice: dict[str, str], tmp_path: Path) -> None:
    run = small_run()
    cells = ironcalc_cells(poisoned(run, tmp_path, choice))
    assert differences(chosen("relu-he", choice), cells, 1e-11) == []


@pytest.mark.parametrize(
    "overrides",
    [
        {"initializer": ["he", 0.3, {"constant": 0.05}]},
        {"initializer": {"constant": 0.01}, "activation": "tanh"},
        {"histogram": {"bins": 5, "range": (0.0, 0.5)}},
        {"histogram": {"bins": 5, "range": (0.5, 2.0), "tallest": 500}},
        {"histogram": {"bins": 8, "reach": 9.5, "tallest": 0.5}, "activation": "identity"},
        {"histogram": {"reach": 2}, "initializer": "zeros"},
        {"input": {"distribution": "uniform", "low": -2, "high": 1}, "activation": "identity", "initializer": 0.0},
        {"layers": [1], "inputs": 1},
        {"samples": 1},
        {"samples": 1, "inputs": 1, "layers": [1]},
        {"initializer": 1e100, "activation": "tanh"},
    ],
    ids=[
        "per-layer",
        "constant",
        "range",
        "range-above-zeros",
        "reach",
        "reach-of-zeros",
        "zero-identity",
        "one-unit",
        "one-sample",
        "one-cell",
        "1e100",
    ],
)
def test_ironcalc_agrees_on_unusual_studies(overrides: dict[str, object], tmp_path: Path) -> None:
    run = small_run(**overrides)
    cells = ironcalc_cells(poisoned(run, tmp_path))
    assert differences(run, cells, 1e-11) == []


def test_a_shared_range_grows_when_outputs_do(tmp_path: Path) -> None:
    shared = {"bins": 6, "reach": 7.0, "tallest": 150.0}
    run, large = small_run(histogram=shared), small_run(histogram=shared, initializer="std 1")
    assert run["range_high"] == 7 < large["range_high"]
    assert run["chart_height"] == 150 / 0.8
    cells = ironcalc_cells(poisoned(run, tmp_path, {"initializer": "std 1"}))
    assert differences(large, cells, 1e-11) == []


PAIRS = [
    {"activation": a["activation"], "initializer": i["initializer"]}
    for a, i in itertools.product(CHOICES[: len(ACTIVATIONS)], CHOICES[len(ACTIVATIONS) :])
]


@needs_libreoffice
@pytest.mark.parametrize(
    "pairs",
    # IronCalc follows each choice in the plain run.
    [pytest.param(PAIRS[::62], id="some"), pytest.param(PAIRS, id="every pair", marks=pytest.mark.slow)],
)
def test_libreoffice_agrees_and_follows_choices(pairs: list[dict[str, str]], tmp_path: Path) -> None:
    run = small_run()
    books = [poisoned(run, tmp_path, pair) for pair in pairs]
    found = {}
    for pair, cells in zip(pairs, libreoffice_cells(books), strict=True):
        wrong = differences(chosen("relu-he", pair), cells, 1e-11)
        if wrong:
            found["-".join(pair.values())] = wrong
    assert found == {}


@pytest.mark.slow
@needs_libreoffice
def test_libreoffice_agrees_on_a_full_book(tmp_path: Path) -> None:
    run = run_of("relu-he")
    (cells,) = libreoffice_cells([poisoned(run, tmp_path)])
    assert differences(run, cells, 1e-12) == []


@pytest.mark.slow
@needs_libreoffice
@pytest.mark.parametrize("name", [name for name in templates.names() if name != "relu-he"])
def test_libreoffice_agrees_on_every_full_template(name: str, tmp_path: Path) -> None:
    run = run_of(name)
    (cells,) = libreoffice_cells([poisoned(run, tmp_path)])
    assert differences(run, cells, TOLERANCE[name], FLOOR.get(name, 0.0)) == []


def test_without_recalculation_the_poison_is_found(tmp_path: Path) -> None:
    """The control: were the engines to hand back caches, every computed matrix would differ."""
    run = small_run()
    with RawBook(poisoned(run, tmp_path)) as book:
        sheets = {title: book.cells(title).values for title in book.titles}

    def cached(sheet: str, row: int, column: int, shape: tuple[int, int]) -> list[list[object]]:
        return [[sheets[sheet].get(row + r + 1, column + c + 1) for c in range(shape[1])] for r in range(shape[0])]

    titles = [node for node in run._layout.formulas if "as_made" in (node.name, *(arg.name for arg in node.args))]
    # A series differs as a whole besides its steps, which have the formulas.
    series = [node for node in run._layout.places if isinstance(node, Series)]
    assert len(differences(run, cached, 1e-9)) == len(run._layout.formulas) - len(titles) + len(series)


def test_a_book_that_was_not_poisoned_proves_nothing_and_is_noticed(tmp_path: Path) -> None:
    """The other control: values-only books have no formula to poison, and the count says so."""
    book = small_run().to_excel(tmp_path / "dead.xlsx", values_only=True)
    assert poison(book, tmp_path / "poisoned.xlsx") == 0


@pytest.mark.slow
@needs_libreoffice
def test_libreoffice_without_forced_recalculation_keeps_poisoned_plain_formulas(tmp_path: Path) -> None:
    """Why the profile forces it: otherwise a stale cache of a plain formula passes for a result."""
    run = small_run()
    book, out = poisoned(run, tmp_path), tmp_path / "out"
    profile = libreoffice_profile(tmp_path, force=False)
    command = [str(SOFFICE), profile, "--headless", "--convert-to", "xlsx", "--outdir", str(out), str(book)]
    subprocess.run(command, check=True, capture_output=True)
    with RawBook(out / book.name) as kept:
        assert POISON in kept.cells("Layers").values.numbers
        assert POISON not in kept.cells("Activation 1").values.numbers


def test_two_runs_agree_on_the_same_numbers_only_if_the_choice_matters(tmp_path: Path) -> None:
    """A drop-down that nothing followed would pass the tests above if all choices gave the same numbers."""
    results = [chosen("relu-he", choice)["z_2"] for choice in CHOICES]
    distinct = {array.tobytes() for array in results}
    # relu and he are the template's own choices, and so the same run; xavier, lecun and lecun normal are one scheme.
    assert len(distinct) == len(CHOICES) - 3


def test_a_person_changes_an_input_number_and_the_book_follows(tmp_path: Path) -> None:
    model = sheetsim.Model()
    x = model.input("x", [[1.0, 2.0], [3.0, 4.0]])
    factor = model.input("factor", 10.0)
    model.define("y", x * factor)
    run = model.run()
    place = run._layout.places[factor]
    book = ironcalc.load_from_xlsx(str(poisoned(run, tmp_path)), "en", "UTC", "en")
    book.set_user_input(0, place.row + 1, place.column + 1, "0.5")
    book.evaluate()
    assert [[book.get_cell_value(3, row, column) for column in (2, 3)] for row in (2, 3)] == [[0.5, 1.0], [1.5, 2.0]]
