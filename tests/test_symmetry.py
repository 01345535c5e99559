"""The study of symmetry against a plain NumPy loop, its claims, and its book in other engines."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import ironcalc
import numpy as np
import pytest
from engines import SOFFICE, Cells, differences, ironcalc_cells, libreoffice_cells, poison
from lint import lint
from test_verify import with_cell

import sheetsim
from sheetsim.audit.verify import verify
from sheetsim.errors import SheetsimError
from sheetsim.runs.manifest import Manifest
from sheetsim.runs.run import Run
from sheetsim.studies.symmetry.starts import APART, FAR, FLAT
from sheetsim.studies.symmetry.study import STARTS
from sheetsim.workbook.formulas import local_range

CURVES = ("tanh", "sigmoid")
EQUAL = ("zeros", "constant")

# What saturated units let through is a difference of numbers near 1.
FLOOR = 1e-13


@cache
def run_of(activation: str = "tanh", seed: int = 0) -> Run:
    return sheetsim.run("symmetry", activation=activation, seed=seed)


def by_hand(run: Run, start: str, rate: float = 5.0, steps: int = 20) -> dict[str, Any]:
    """Back-propagation sample by sample, with derivatives written by hand."""
    x, t = run["x"][:2].T, run["targets"][0]
    scale = {"zeros": 0.0, "constant": 0.01, "small": 0.01, "large": 10.0}[start]
    draws = [run[f"e_{k}"][0] for k in (1, 2, "v")] if start in ("small", "large") else [np.ones(3)] * 3
    w, v = scale * np.array(draws[:2]), scale * draws[2]
    sigmoid = run["activation"] == "sigmoid"
    found: dict[str, list[Any]] = {}
    for _ in range(steps + 1):
        d_w, d_v, loss, z = np.zeros((2, 3)), np.zeros(3), 0.0, np.zeros((2, len(x)))
        for n, (first, second) in enumerate(x):
            a = w[:, 0] * first + w[:, 1] * second + w[:, 2]
            z[:, n] = 1 / (1 + np.exp(-a)) if sigmoid else np.tanh(a)
            slope = z[:, n] * (1 - z[:, n]) if sigmoid else 1 - z[:, n] ** 2
            y = v[0] * z[0, n] + v[1] * z[1, n] + v[2]
            loss += np.log1p(np.exp(-t[n] * y)) / len(x)
            d_y = -t[n] / (1 + np.exp(t[n] * y)) / len(x)
            d_v += d_y * np.array([z[0, n], z[1, n], 1])
            d_w += np.outer(d_y * v[:2] * slope, [first, second, 1])
        for name, value in (("w", w), ("v", v), ("z", z), ("d_w", d_w), ("d_v", d_v), ("loss", loss)):
            found.setdefault(name, []).append(value)
        w, v = w - rate * d_w, v - rate * d_v
    return {name: np.array(values) for name, values in found.items()}


@pytest.mark.parametrize("activation", CURVES)
@pytest.mark.parametrize("start", STARTS)
def test_every_step_is_that_of_a_plain_loop(start: str, activation: str) -> None:
    run = run_of(activation)
    for name, expected in by_hand(run, start).items():
        if name == "loss":
            np.testing.assert_allclose(run[f"loss_{start}"][:, 0], expected, rtol=1e-10)
            continue
        for k in range(expected.shape[1]):
            d, letter = name[:-1], name[-1]
            own = f"{d}b_{start}" if (letter, k) == ("v", 2) else f"{name}_{k + 1}_{start}"
            np.testing.assert_allclose(
                run[own], expected[:, k].reshape(len(run[own]), -1), rtol=1e-9, atol=FLOOR, err_msg=own
            )


@pytest.mark.every(3)
@pytest.mark.parametrize("activation", CURVES)
@pytest.mark.parametrize("seed", range(12))
def test_equal_starts_stay_equal_to_the_last_bit(seed: int, activation: str) -> None:
    run = run_of(activation, seed)
    for start in EQUAL:
        for name in ("w", "a", "z", "v", "d_z", "d_a", "d_w", "d_v"):
            np.testing.assert_array_equal(run[f"{name}_1_{start}"], run[f"{name}_2_{start}"])
        assert (run[f"distinct_{start}"] == 1).all()
        assert (run[f"distance_{start}"] == 0).all()
    # Nothing moves from zeros.
    for name in ("w_1", "v_1", "b", "d_w_1", "d_v_1", "d_b"):
        assert not run[f"{name}_zeros"].any()
    for start in ("small", "large"):
        assert (run[f"distinct_{start}"] == 2).all()
    # One unit, but it learns.
    assert run["loss_constant"][-1] < run["loss_constant"][0]


def test_a_small_start_parts_the_units_and_a_large_one_saturates() -> None:
    words: dict[str, list[str]] = {start: [] for start in STARTS}
    for activation in CURVES:
        for seed in range(12):
            run = run_of(activation, seed)
            for start, word in zip(STARTS, run.verdicts(), strict=True):
                words[start].append(word)
                distance, slope = run[f"distance_{start}"][:, 0], run[f"slope_{start}"][0, 0]
                size = sum(np.linalg.norm(run[f"w_{k}_{start}"][-1]) for k in (1, 2))
                loss = run[f"loss_{start}"][:, 0]
                far = distance[-1] > max(APART * distance[0], FAR * size) and loss[-1] < loss[0]
                expected = "saturated" if slope < FLAT else "apart" if far else "differ"
                assert word == ("same forever" if start in EQUAL else expected)
    assert words["small"].count("apart") >= 20
    assert words["large"].count("saturated") >= 22
    assert set(words["zeros"] + words["constant"]) == {"same forever"}


@pytest.mark.parametrize("activation", CURVES)
def test_the_templates_claims_hold(activation: str) -> None:
    run = run_of(activation)
    starts, steps = run.summary(), run.table("steps")
    assert run.verdicts() == ["same forever", "same forever", "apart", "saturated"]
    assert starts.distance_end["small"] > 100 * starts.distance_start["small"]
    assert starts.loss_end["small"] < 0.2 * starts.loss_start["small"]
    assert starts.slope_mean["large"] < 0.01 < 0.3 < starts.slope_mean["small"]
    assert starts.gradient_end["large"] < 0.2 * starts.gradient_end["small"]
    assert starts.distinct_most.tolist() == [1, 1, 2, 2]
    slopes = [1 - run[f"z_{k}_large"] ** 2 for k in (1, 2)]
    if activation == "sigmoid":
        slopes = [4 * run[f"z_{k}_large"] * (1 - run[f"z_{k}_large"]) for k in (1, 2)]
    np.testing.assert_allclose(steps.slope_large, np.mean(slopes, axis=(0, 2)), atol=1e-15)
    gap = np.linalg.norm(run["w_1_small"] - run["w_2_small"], axis=1)
    np.testing.assert_allclose(steps.distance_small, gap, rtol=1e-12)
    norm = np.sqrt(sum((run[f"d_w_{k}_small"] ** 2).sum(axis=1) for k in (1, 2)))
    np.testing.assert_allclose(steps.gradient_small, norm, rtol=1e-12)


def poisoned(run: Run, folder: Path, texts: Mapping[str, str] | None = None) -> Path:
    book = run.to_excel(folder / f"{len(list(folder.iterdir()))}.xlsx")
    target = book.with_suffix(".poisoned.xlsx")
    assert poison(book, target, texts) >= sum(node.shape[0] * node.shape[1] for node in run._layout.formulas)
    return target


def counts(run: Run, start: str, cells: Cells) -> list[float]:
    """The live count of distinct units, as an engine has it."""
    place = run._layout.places[run._study.graph[f"distinct_{start}"]]
    return [float(row[0]) for row in cells(place.sheet, place.row, place.column, place.shape)]


@pytest.mark.slow
def test_the_engines_agree_and_count_one_unit_at_every_step(tmp_path: Path) -> None:
    books = {activation: poisoned(run_of(), tmp_path, {"activation": activation}) for activation in CURVES}
    engines = [{activation: ironcalc_cells(book) for activation, book in books.items()}]
    if SOFFICE is not None:
        engines.append(dict(zip(CURVES, libreoffice_cells(books.values()), strict=True)))
    for engine in engines:
        for activation, cells in engine.items():
            run = run_of(activation)
            assert differences(run, cells, 1e-11, FLOOR) == []
            assert [counts(run, start, cells) for start in STARTS] == [[1.0] * 21] * 2 + [[2.0] * 21] * 2
    assert differences(run_of("sigmoid"), engines[0]["tanh"], 1e-11, FLOOR) != []


def test_the_smallest_difference_breaks_the_symmetry(tmp_path: Path) -> None:
    """The control: a weight of one unit that starts a millionth higher, and an engine counts two units."""
    run = run_of()
    path = run.to_excel(tmp_path / "book.xlsx")
    ones, start = run._layout.places[run._study.graph["ones_1"]], run._layout.places[run._study.graph["constant"]]
    titles = [sheet.title for sheet in run._layout.sheets]
    book = ironcalc.load_from_xlsx(str(path), "en", "UTC", "en")
    book.set_user_input(titles.index(ones.sheet), ones.row + 1, ones.column + 1, "1.0001")
    book.evaluate()

    def column(name: str) -> list[Any]:
        place = run._layout.places[run._study.graph[name]]
        sheet = titles.index(place.sheet)
        return [book.get_cell_value(sheet, place.row + 1 + k, place.column + 1) for k in range(place.shape[0])]

    assert column("distinct_constant") == [2] * 21
    distance = column("distance_constant")
    assert distance[0] == pytest.approx(1e-6)
    assert distance[-1] > 10 * distance[0]
    # Made equal again, it is one unit again, wherever it starts.
    book.set_user_input(titles.index(ones.sheet), ones.row + 1, ones.column + 1, "1")
    book.set_user_input(0, start.row + 1, start.column + 1, "0.3")
    book.evaluate()
    assert column("distinct_constant") == [1] * 21
    assert column("loss_constant") == pytest.approx(
        sheetsim.run("symmetry", constant=0.3)["loss_constant"][:, 0].tolist(), rel=1e-10
    )


def test_equal_units_with_other_outgoing_weights_part_a_step_later(tmp_path: Path) -> None:
    """Equal weights alone are not enough: the output's are part of the units' gradients."""
    run = run_of()
    path = run.to_excel(tmp_path / "book.xlsx")
    graph, titles = run._study.graph, [sheet.title for sheet in run._layout.sheets]
    places = {name: run._layout.places[graph[name]] for name in ("ones_v", "distinct_constant", "verdict_constant")}
    book = ironcalc.load_from_xlsx(str(path), "en", "UTC", "en")

    def cell(name: str, down: int = 0) -> Any:
        place = places[name]
        return book.get_cell_value(titles.index(place.sheet), place.row + 1 + down, place.column + 1)

    place = places["ones_v"]
    book.set_user_input(titles.index(place.sheet), place.row + 1, place.column + 1, "1.0001")
    book.evaluate()
    assert [cell("distinct_constant", k) for k in range(21)] == [1] + [2] * 20
    assert cell("verdict_constant") in ("apart", "differ")
    book.set_user_input(titles.index(place.sheet), place.row + 1, place.column + 1, "1")
    book.evaluate()
    assert [cell("distinct_constant", k) for k in range(21)] == [1] * 21
    assert cell("verdict_constant") == "same forever"


@pytest.mark.slow
@pytest.mark.skipif(SOFFICE is None, reason="soffice is not installed")
def test_libreoffice_counts_two_units_where_one_weight_differs(tmp_path: Path) -> None:
    from openpyxl import load_workbook

    run = run_of("sigmoid")
    path = run.to_excel(tmp_path / "book.xlsx")
    place = run._layout.places[run._study.graph["ones_1"]]
    book = load_workbook(path)
    book[place.sheet].cell(place.row + 1, place.column + 1).value = 1.0001
    book.save(tmp_path / "edited.xlsx")
    (cells,) = libreoffice_cells([tmp_path / "edited.xlsx"])
    assert counts(run, "constant", cells) == [2.0] * 21
    assert counts(run, "zeros", cells) == [1.0] * 21


def test_gradients_that_are_all_rounding_verify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Unit 1 of this seed's large start is saturated by every sample: its outputs are 1e-10 and less.
    path = run_of("sigmoid", 19).to_excel(tmp_path / "book.xlsx")
    assert np.abs(run_of("sigmoid", 19)["z_1_large"]).max() < 1e-9
    found = verify(path)
    assert (found.ok, found.state) == (True, "as made")
    monkeypatch.setattr(Manifest, "kind_by_name", lambda self: {})
    assert not verify(path).ok


def test_verify_finds_an_edit_and_a_wrong_value(tmp_path: Path) -> None:
    run = run_of()
    path = run.to_excel(tmp_path / "book.xlsx")
    found = verify(with_cell(path, tmp_path / "edited.xlsx", "Data", "B15", 0.5))
    assert (found.ok, found.state) == (False, "edited")
    assert [(change.where, change.second) for change in found.changes[0].changes] == [("Data!B15", 0.5)]
    place = run._layout.places[run._study.graph["d_w_1_small"]]
    cell = local_range(place.row + 3, place.column + 1, (1, 1))
    value = float(run["d_w_1_small"][3, 1]) * (1 + 1e-6)
    wrong = verify(with_cell(path, tmp_path / "wrong.xlsx", place.sheet, cell, value))
    assert {row.name for row in wrong.rows if not row.ok} == {"d_w_1_small"}


def test_a_book_reads_back_as_the_run_and_is_clean(tmp_path: Path) -> None:
    run = run_of("sigmoid")
    path, dead = run.to_excel(tmp_path / "book.xlsx"), run.to_excel(tmp_path / "dead.xlsx", values_only=True)
    assert lint(path) == lint(dead) == []
    assert verify(dead).ok
    with sheetsim.read(path) as book:
        for name in ("starts", "steps"):
            assert book.table(name).equals(run.table(name))
        assert book.summary().equals(run.table("starts"))
        assert book.verdicts() == run.verdicts()
        for name in ("w_1_zeros", "z_2_small", "d_w_1_large", "d_b_constant", "distinct_small"):
            np.testing.assert_array_equal(book.frame(name), run.frame(name))
            assert book.frame(name).columns.tolist() == run.frame(name).columns.tolist()
            assert book.frame(name).index.equals(run.frame(name).index)


@pytest.mark.parametrize(
    "overrides",
    [
        {"samples": 2, "steps": 1},
        {"samples": 32, "steps": 3, "activation": "sigmoid"},
        {"rate": 20.0, "large": 20.0, "constant": -20.0, "small": 1e-6},
        {"constant": 0.0},
    ],
    ids=str,
)
@pytest.mark.every(2)
def test_unusual_studies_agree_with_ironcalc(overrides: dict[str, Any], tmp_path: Path) -> None:
    run = sheetsim.run("symmetry", **overrides)
    path = run.to_excel(tmp_path / "book.xlsx")
    assert lint(path) == []
    assert verify(path).ok
    assert set(run.verdicts()[:2]) == {"same forever"}


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ({"seed": -1}, "seed must be a whole number of at least 0"),
        ({"samples": 6}, "samples must be one of 2, 4, 8, 16, 32, not 6"),
        ({"samples": 8.5}, "samples: must be a whole number"),
        ({"steps": 0}, "steps must be 1 to 100, not 0"),
        ({"steps": 101}, "steps must be 1 to 100, not 101"),
        ({"activation": "relu"}, "activation must be tanh or sigmoid, not 'relu'"),
        ({"rate": 0.0}, "rate must be a number from 1e-06 to 20, not 0"),
        ({"rate": float("nan")}, "rate must be a number"),
        ({"small": -1.0}, "small must be a number from 1e-06 to 20"),
        ({"large": 21.0}, "large must be a number from 1e-06 to 20"),
        ({"constant": float("inf")}, "constant must be a number from -20 to 20"),
        ({"layers": [2]}, "unknown key 'layers'"),
    ],
)
def test_mistakes_are_refused_with_the_key(overrides: dict[str, Any], reason: str) -> None:
    with pytest.raises(SheetsimError, match=reason):
        sheetsim.run("symmetry", **overrides)


def test_the_command_line_runs_and_replicates_it(sheetsim: Any, tmp_path: Path) -> None:
    status, out, _ = sheetsim("run", "symmetry", "--set", "activation=sigmoid")
    assert status == 0
    assert "same forever" in out
    status, out, _ = sheetsim("verify", "outputs/symmetry.xlsx")
    assert (status, "as made; values and formulas agree" in out) == (0, True)
    status, out, _ = sheetsim("summary", "outputs/symmetry.xlsx", "--table", "steps", "--format", "csv")
    assert (status, len(out.splitlines())) == (0, 22)
    status, out, _ = sheetsim("replicate", "symmetry", "--set", "steps=3", "--replicates", "2")
    assert status == 0
    assert re.search(r"zeros +verdict +same forever +2 +2 +1 ", out)
