"""The study of a training in cells against a plain NumPy loop, its claims, and its book in other engines."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import ironcalc
import numpy as np
import pytest
from engines import SOFFICE, differences, libreoffice_cells, poison
from lint import lint

import sheetsim
from sheetsim.audit.verify import verify
from sheetsim.engine.evaluate import evaluate
from sheetsim.errors import SheetsimError
from sheetsim.model.grad import grad
from sheetsim.model.layers import CROSS_ENTROPY, accuracy, data_loss
from sheetsim.runs.run import Run
from sheetsim.studies.training_in_cells.descent import STARTS
from sheetsim.studies.training_in_cells.pictures import drawn_pictures

CURVES = ("tanh", "sigmoid", "relu")
FEW: dict[str, Any] = {"pictures": 8, "steps": 4}


@cache
def run_of(activation: str = "tanh", seed: int = 2, steps: int = 80) -> Run:
    return sheetsim.run("training-in-cells", activation=activation, seed=seed, steps=steps)


def slope(activation: str, z: Any) -> Any:
    return {"tanh": 1 - z * z, "sigmoid": z * (1 - z), "relu": z > 0}[activation]


def by_hand(run: Run, start: str, activation: str, x: Any = None, steps: int = 80) -> dict[str, list[Any]]:
    """Back-propagation with derivatives written by hand, one picture after another."""
    x, y = run["x"] if x is None else x, run["y"]
    if start == "constant":
        W, V = np.full((9, 3), 0.5), np.full((3, 2), 0.5)
    else:
        small = start == "small"
        W, V = (run["e_1"] * (0.02 if small else 1 / 3), run["e_2"] * (0.02 if small else 1 / np.sqrt(3)))
    f = {"tanh": np.tanh, "sigmoid": lambda a: 1 / (1 + np.exp(-a)), "relu": lambda a: np.maximum(a, 0)}[activation]
    now = [W, np.zeros(3), V, np.zeros(2)]
    velocities = [np.zeros_like(part) for part in now]
    told: dict[str, list[Any]] = {"loss": [], "p": [], "W_1": []}
    for _ in range(steps + 1):
        W, b, V, c = now
        gradients = [np.zeros_like(part) for part in now]
        loss, said = 0.0, []
        for pixels, target in zip(x, y, strict=True):
            z = f(pixels @ W + b)
            sums = z @ V + c
            p = np.exp(sums - sums.max()) / np.exp(sums - sums.max()).sum()
            loss -= np.log(p @ target) / len(x)
            said.append(p)
            d = (p - target) / len(x)
            d_sums = (V @ d) * slope(activation, z)
            for gradient, part in zip(gradients, (np.outer(pixels, d_sums), d_sums, np.outer(z, d), d), strict=True):
                gradient += part
        for name, value in (("loss", loss), ("p", np.array(said)), ("W_1", W)):
            told[name].append(value)
        velocities = [0.9 * v - 0.5 * g for v, g in zip(velocities, gradients, strict=True)]
        now = [part + v for part, v in zip(now, velocities, strict=True)]
    return told


@pytest.mark.parametrize("start", STARTS)
def test_every_loss_is_that_of_a_plain_loop(start: str) -> None:
    run = run_of()
    told = by_hand(run, start, "tanh")
    np.testing.assert_allclose(run[f"loss_{start}"][:, 0], told["loss"], rtol=1e-10)
    np.testing.assert_allclose(run[f"W_1_{start}"].reshape(81, 9, 3), told["W_1"], rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(run[f"p_{start}"].reshape(81, 40, 2), told["p"], atol=1e-10)


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_other_activations_are_those_of_a_plain_loop(activation: str) -> None:
    run = run_of(activation, steps=20)
    for start in STARTS:
        told = by_hand(run, start, activation, steps=20)
        np.testing.assert_allclose(run[f"loss_{start}"][:, 0], told["loss"], rtol=1e-10)


def test_pictures_are_made_by_the_rule() -> None:
    clean = drawn_pictures(0, 8, 0.0, True)
    ring, diagonals = np.array([[1.0, 1, 1], [1, 0, 1], [1, 1, 1]]), np.array([[1.0, 0, 1], [0, 1, 0], [1, 0, 1]])
    for k, shape in enumerate((ring, 1 - ring, diagonals, 1 - diagonals)):
        np.testing.assert_array_equal(clean[2 * k : 2 * k + 2], [shape, shape])
    plain = drawn_pictures(0, 8, 0.0, False)
    np.testing.assert_array_equal(plain, [ring] * 4 + [diagonals] * 4)
    noisy = np.array(drawn_pictures(3, 80, 0.3, True))
    assert noisy.min() == 0
    assert noisy.max() == 1
    np.testing.assert_array_equal(noisy, noisy.round(2))
    # Of pixels that are 0 before noise half stay there, and of the others the mean is that of half a normal.
    dark = noisy[:20][:, 1, 1]
    assert 0.1 < dark.mean() < 0.3 * 0.4 * 2
    assert not np.array_equal(noisy, drawn_pictures(4, 80, 0.3, True))
    run = run_of()
    np.testing.assert_array_equal(run["x"], np.array(drawn_pictures(2, 40, 0.3, True)).reshape(40, 9))
    np.testing.assert_array_equal(run["y"], np.repeat(np.eye(2), 20, axis=0))


def test_the_templates_starts_stay_one_unit_wait_and_go() -> None:
    run = run_of()
    final, curves = run.table("final"), run.table("curves")
    assert run.verdicts() == ["one unit", "late", "learned"]
    assert final.index.tolist() == list(STARTS)
    assert final["units_most"].tolist() == [1, 3, 3]
    assert final["accuracy"]["constant"] < 0.9
    assert final["accuracy"][["small", "xavier"]].tolist() == [1, 1]
    assert (final["loss"][["small", "xavier"]] < 0.01).all()
    assert final["steps_to_95_percent"]["xavier"] < 40 < final["steps_to_95_percent"]["small"]
    assert final["gradient_start"]["small"] < 0.1 * final["gradient_start"]["xavier"]
    assert curves.index.tolist() == [name for name in STARTS for _ in range(81)]
    assert curves.columns.tolist()[:3] == ["step", "loss", "accuracy"]
    for name in STARTS:
        right = curves.loc[name, "accuracy"].to_numpy() >= 0.95
        first = final["steps_to_95_percent"][name]
        assert (right.argmax() == first) if right.any() else np.isnan(first)


@pytest.mark.parametrize("activation", CURVES)
def test_equal_weights_stay_one_unit_and_random_ones_are_three(activation: str) -> None:
    run = sheetsim.run("training-in-cells", activation=activation, seed=0, pictures=12, steps=15)
    assert (run["units_constant"] == 1).all()
    W = run["W_1_constant"]
    np.testing.assert_allclose(W, W[:, :1].repeat(3, axis=1), rtol=1e-9)
    assert (run["units_xavier"] == 3).all()


def test_gradients_and_losses_are_those_of_the_cross_entropy_of_a_softmax() -> None:
    run = run_of(steps=20)
    graph = run._study.graph
    for start in STARTS:
        sums, y = graph[f"a_2_{start}"][7], graph["y"]  # type: ignore[index]
        loss = data_loss(CROSS_ENTROPY, sums, y)
        (d,) = grad(loss, [sums])
        right = accuracy(CROSS_ENTROPY, sums, y)
        values = evaluate([loss, d, right])
        np.testing.assert_allclose(run[f"d_a_2_{start}"][7 * 40 : 8 * 40], values[d], atol=1e-15)
        assert run[f"loss_{start}"][7, 0] == pytest.approx(values[loss][0, 0], rel=1e-12)
        assert run[f"accuracy_{start}"][7, 0] == pytest.approx(values[right][0, 0])


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"steps": 10}, ["one unit", "waits", "in part"]),
        ({"negatives": False, "steps": 20}, ["one unit", "learned", "learned"]),
        (
            {"rate": 2.0, "momentum": 0.95, "small": 10.0, "steps": 8, "pictures": 8, "seed": 3},
            ["one unit", "waits", "rises"],
        ),
    ],
    ids=str,
)
def test_verdicts_say_what_their_meanings_say(overrides: dict[str, Any], words: list[str]) -> None:
    run = sheetsim.run("training-in-cells", **{"seed": 2, **overrides})
    final, steps = run.table("final"), int(overrides["steps"])
    for name, word in zip(STARTS, run.verdicts(), strict=True):
        one = final.loc[name]
        if one["units_most"] == 1:
            expected = "one unit"
        elif one["accuracy"] >= 0.95:
            expected = "learned" if one["steps_to_95_percent"] <= steps / 2 else "late"
        elif one["loss"] > 1.05 * one["loss_start"]:
            expected = "rises"
        else:
            expected = "waits" if one["loss"] >= 0.95 * np.log(2) else "in part"
        assert word == expected
    assert run.verdicts() == words


def edited(run: Run, path: Path, cells: dict[str, tuple[int, int, str]]) -> Any:
    """The run's book in IronCalc, some named cells changed: row and column in the block, and what is typed."""
    titles = [sheet.title for sheet in run._layout.sheets]
    book = ironcalc.load_from_xlsx(str(run.to_excel(path)), "en", "UTC", "en")
    for name, (down, right, typed) in cells.items():
        place = run._layout.places[run._study.graph[name]]
        book.set_user_input(titles.index(place.sheet), place.row + 1 + down, place.column + 1 + right, typed)
    book.evaluate()

    def read(name: str) -> Any:
        place = run._layout.places[run._study.graph[name]]
        rows, columns = place.shape
        sheet = titles.index(place.sheet)
        return np.array(
            [
                [book.get_cell_value(sheet, place.row + 1 + r, place.column + 1 + c) for c in range(columns)]
                for r in range(rows)
            ]
        )

    return read


def test_a_changed_pixel_changes_the_training_and_the_output(tmp_path: Path) -> None:
    run = run_of(steps=6)
    read = edited(
        run, tmp_path / "book.xlsx", {"picture_3": (1, 2, "0.25"), "picture": (0, 0, "#3"), "after": (0, 0, "5")}
    )
    x = run["x"].copy()
    x[2, 1 * 3 + 2] = 0.25
    assert x[2, 5] != run["x"][2, 5]
    np.testing.assert_allclose(read("x"), x, rtol=1e-14)
    np.testing.assert_allclose(read("shown"), x[2].reshape(3, 3), rtol=1e-14)
    for start in STARTS:
        told = by_hand(run, start, "tanh", x, steps=6)
        np.testing.assert_allclose(read(f"loss_{start}")[:, 0], told["loss"], rtol=1e-10)
        np.testing.assert_allclose(read(f"p_chosen_{start}")[0], told["p"][5][2], rtol=1e-10)
        assert read(f"says_{start}")[0, 0] == ("circle" if told["p"][5][2][0] > 0.5 else "cross")
    assert read("truth")[0, 0] == "circle"
    assert abs(read("loss_xavier")[-1, 0] - run["loss_xavier"][-1, 0]) > 1e-6


def test_a_drawn_picture_and_a_number_out_of_range(tmp_path: Path) -> None:
    run = run_of(steps=6)
    read = edited(run, tmp_path / "book.xlsx", {"drawn": (1, 1, "1"), "picture": (0, 0, "#40"), "after": (0, 0, "-3")})
    drawn = np.ones(9)
    for start in STARTS:
        W, b, V, c = (run[f"{name}_{start}"] for name in ("W_1", "b_1", "W_2", "b_2"))
        sums = np.tanh(drawn @ W[-9:] + b[-1]) @ V[-3:] + c[-1]
        np.testing.assert_allclose(read(f"p_drawn_{start}")[0], np.exp(sums) / np.exp(sums).sum(), rtol=1e-10)
        np.testing.assert_allclose(read(f"p_chosen_{start}")[0], run[f"p_{start}"][39], rtol=1e-10)
        np.testing.assert_allclose(run[f"unit_2_{start}"].ravel(), W[-9:, 1])
    assert (read("chosen")[0, 0], read("moment")[0, 0]) == (40, 0)


def test_one_weight_that_starts_otherwise_makes_another_unit(tmp_path: Path) -> None:
    """The control: a start of equal weights but for one, and the engine counts two units at every step."""
    run = sheetsim.run("training-in-cells", **FEW)
    read = edited(run, tmp_path / "book.xlsx", {"ones_1": (0, 1, "1.001")})
    assert read("units_constant")[:, 0].tolist() == [2] * 5
    assert read("verdict_constant")[0, 0] != "one unit"


@pytest.mark.parametrize(
    "overrides",
    [
        {"activation": "relu", "rate": 2.0},
        {"activation": "sigmoid", "constant": 0.0, "noise": 0.0},
    ],
    ids=str,
)
def test_small_studies_agree_with_ironcalc(overrides: dict[str, Any], tmp_path: Path) -> None:
    run = sheetsim.run("training-in-cells", **{**FEW, **overrides})
    path = run.to_excel(tmp_path / "book.xlsx")
    assert lint(path) == []
    assert verify(path).ok


@pytest.mark.slow
@pytest.mark.skipif(SOFFICE is None, reason="soffice is not installed")
def test_the_whole_book_agrees_with_both_engines(tmp_path: Path) -> None:
    run = run_of()
    path = run.to_excel(tmp_path / "book.xlsx")
    assert path.stat().st_size < 5e6
    assert verify(path).ok
    target = tmp_path / "poisoned.xlsx"
    poison(path, target)
    (cells,) = libreoffice_cells([target])
    assert differences(run, cells, 1e-9, 1e-12) == []


@pytest.mark.slow
def test_over_seeds_xavier_learns_before_small_and_equal_weights_do_not() -> None:
    replicates = sheetsim.replicate("training-in-cells", 20)
    words = replicates.words()
    assert (words["verdict constant"] == "one unit").all()
    assert (words["verdict xavier"] == "learned").sum() >= 14
    assert (words["verdict small"] == "learned").sum() <= 6
    assert words["verdict small"].isin(["learned", "late"]).sum() >= 12


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ({"seed": -1}, "seed"),
        ({"pictures": 6}, "pictures must be a multiple of 4 from 4 to 60, not 6"),
        ({"noise": 1.5}, "noise must be a number from 0 to 1, not 1.5"),
        ({"steps": 201}, "steps must be 1 to 200, not 201"),
        ({"activation": "selu"}, "activation must be one of tanh, sigmoid, relu, not 'selu'"),
        ({"rate": 0.0}, "rate must be a number from 1e-06 to 2, not 0"),
        ({"momentum": 1.0}, r"momentum must be a number from 0 to 0\.95, not 1"),
        ({"small": float("nan")}, "small must be a number"),
        ({"layers": [2]}, "unknown key 'layers'"),
    ],
    ids=str,
)
def test_mistakes_are_refused_with_the_key(overrides: dict[str, Any], reason: str) -> None:
    with pytest.raises(SheetsimError, match=reason):
        sheetsim.run("training-in-cells", **overrides)


def test_the_command_line_runs_summarises_and_replicates_it(sheetsim: Any) -> None:
    few = ["--set", "pictures=4", "--set", "steps=3"]
    status, out, _ = sheetsim("run", "training-in-cells", *few)
    assert (status, "one unit" in out) == (0, True)
    status, out, _ = sheetsim("summary", "training-in-cells", "--table", "final", "--format", "json", *few)
    assert status == 0
    records = json.loads(out)
    assert [record["network"] for record in records] == list(STARTS)
    assert all({"loss", "accuracy"} <= set(record) for record in records)
    status, out, _ = sheetsim("replicate", "training-in-cells", "--replicates", "2", *few)
    assert status == 0
