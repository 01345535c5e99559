"""Every activation of the table, by enumeration: each number of its row is what the function itself says."""

import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engines import SOFFICE, differences, ironcalc_cells, libreoffice_cells, poison
from references import REFERENCES

import sheetsim
from sheetsim.engine.evaluate import evaluate
from sheetsim.model.activations import ACTIVATIONS, FLAT_SHARE
from sheetsim.model.expr import Data, Matrix, total
from sheetsim.model.grad import grad
from sheetsim.runs.run import Run

NEAR = np.linspace(-40, 40, 400_001)
FAR = np.array([-1e300, -1e9, -1000.0, -710.0, -40.0, -1e-8, 0.0, 1e-8, 40.0, 710.0, 1000.0, 1e9])
SIZES = {"samples": 60, "inputs": 30, "layers": [30] * 3, "seed": 3}
STARTS = ("std 1", "std 0.01", "he", 0.5, "zeros")


@cache
def started(name: str, start: str | float) -> Run:
    return sheetsim.run("relu-he", **SIZES, activation=name, initializer=start)


def computed(name: str, numbers: Any) -> tuple[Any, Any]:
    """f and f′ by the model."""
    leaf = Matrix(Data(np.reshape(numbers, (1, -1))), (), (1, np.size(numbers)))
    z = ACTIVATIONS[name].function(leaf)
    slope = grad(total(z), [leaf])[0]
    values = evaluate([z, slope])
    return values[z][0], values[slope][0]


def test_each_has_a_reference() -> None:
    assert set(REFERENCES) == set(ACTIVATIONS)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_values_and_slopes_are_those_of_the_function(name: str) -> None:
    numbers = np.concatenate([NEAR[::1000] + 1e-4, FAR])
    z, slope = computed(name, numbers[numbers > -1e100] if name == "gelu" else numbers)
    numbers = numbers[-len(z) :] if name != "gelu" else numbers[numbers > -1e100]
    own = REFERENCES[name]
    for found, reference in ((z, own.f), (slope, own.slope)):
        expected = np.array([reference(a) for a in numbers])
        smooth = (numbers != 0) | (reference is own.f)
        np.testing.assert_allclose(found[smooth], expected[smooth], rtol=2e-15, atol=2e-14 if name == "gelu" else 4e-15)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_slopes_are_differences_of_values(name: str) -> None:
    numbers, step = np.linspace(-8, 8, 401) + 0.01, 1e-5
    (above, _), (below, _), (_, slope) = (computed(name, numbers + d) for d in (step, -step, 0))
    np.testing.assert_allclose(slope, (above - below) / (2 * step), atol=2e-9)


def test_slopes_at_0_are_those_of_smooth_functions_there() -> None:
    """Where weights or inputs are 0 all sums are: a slope put together of two one-sided ones would be wrong in all."""
    found = {name: computed(name, [0.0])[1][0] for name in ACTIVATIONS}
    assert {name: found[name] for name in ("sigmoid", "tanh", "identity", "softplus", "gelu")} == {
        "sigmoid": 0.25,
        "tanh": 1,
        "identity": 1,
        "softplus": 0.5,
        "gelu": 0.5,
    }
    # At a kink the left one, as PyTorch has it.
    assert [found[name] for name in ("relu", "leaky relu")] == [0, 0.01]
    assert found["selu"] == pytest.approx(ACTIVATIONS["selu"].steepest)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_numbers_of_a_row_are_those_of_its_function(name: str) -> None:
    known = ACTIVATIONS[name]
    z, slope = computed(name, NEAR)
    size = np.abs(slope)
    # From below: a grid misses the largest by the square of its step.
    assert size.max() == pytest.approx(known.steepest, rel=1e-8)
    for bound, found in ((known.least, z.min()), (known.most, z.max())):
        assert bound == pytest.approx(found, abs=1e-8) if math.isfinite(bound) else abs(found) > 0.3
    assert known.zero == pytest.approx(computed(name, [0.0])[0][0], abs=1e-16)
    assert known.rises == bool((np.diff(z) >= 0).all())
    assert known.zeros == bool((z[(NEAR > -1) & (NEAR < 0)] == 0).all())


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_tails_are_where_the_slope_stays_flat(name: str) -> None:
    known, (low, high) = ACTIVATIONS[name], ACTIVATIONS[name].tails
    z, slope = computed(name, NEAR)
    flat, step = np.abs(slope) < FLAT_SHARE * known.steepest * (1 - 1e-12), NEAR[1] - NEAR[0]
    for side, end in ((flat, low), (flat[::-1], -high)):
        first = int(np.argmin(side))  # so many from the end of the grid are flat
        if math.isfinite(end):
            assert end == pytest.approx(NEAR[first], abs=1.5 * step)
        else:
            assert first == 0
    on_tails = z[(low >= NEAR) | (high <= NEAR)]
    assert known.fades == bool(len(on_tails) and np.abs(on_tails).max() < 0.02)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_where_sizes_multiply_a_layer_adds_the_variance_that_is_said(name: str) -> None:
    """E[f⁴]/E[f²]² − 1 = 3/active − 1, and f(ca) = c f(a); no other activation of the table scales."""
    z, _ = computed(name, NEAR)
    scales = np.allclose(computed(name, 3 * NEAR)[0], 3 * z)
    active = ACTIVATIONS[name].active
    assert scales == (active is not None)
    if active is not None:
        weights = np.exp(-(NEAR**2) / 2)
        second, fourth = (weights @ z**power / weights.sum() for power in (2, 4))
        assert fourth / second**2 == pytest.approx(3 / active, rel=1e-3)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("start", STARTS, ids=str)
def test_histograms_cover_the_outputs(name: str, start: str | float) -> None:
    run = started(name, start)
    for layer, own in run.histograms().groupby(level="layer"):
        counts = own["count"].to_numpy()
        assert counts.sum() == 60 * 30
        assert counts[0] + counts[-1] <= math.ceil(0.001 * 60 * 30), layer
    z = run["z_3"]
    assert run["range_low"] <= np.quantile(z, 0.001)
    assert run["range_high"] >= np.quantile(z, 0.999)


def contradictions(run: Run, name: str) -> list[str]:
    """What is wrong with layers that are called healthy, by NumPy alone."""
    x, first, found = run["x"], run["z_1"].std(), []
    for layer, word in enumerate(run.verdicts(), start=1):
        a, z = run[f"a_{layer}"], run[f"z_{layer}"]
        slope = np.vectorize(REFERENCES[name].slope)(a)
        flat = np.mean(np.abs(slope) < 0.01 * ACTIVATIONS[name].steepest)
        squares = np.mean(z**2) / np.mean(x**2)
        wrong = {
            "no spread": z.std() <= 1e-12,
            "narrow": z.std() < 0.05 and name in ("sigmoid", "tanh", "softplus"),
            "flat": flat > (0.9 if name in ("relu", "softplus", "gelu") else 0.2),
            "size": name not in ("sigmoid", "tanh") and not 0.1 <= squares <= 10,
            "std": not 0.75 <= z.std() / first <= 4 / 3,
            "input": z.var(axis=0).mean() / z.var() < math.exp(-1) * x.var(axis=0).mean() / np.mean(x**2),
        }
        found += [f"{layer}: {what}" for what, is_so in wrong.items() if is_so and word == "healthy"]
    return found


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("start", STARTS, ids=str)
@np.errstate(all="ignore")
def test_no_layer_is_called_healthy_beside_numbers_that_say_otherwise(name: str, start: str | float) -> None:
    run = started(name, start)
    assert contradictions(run, name) == []
    if start in ("std 0.01", "zeros"):
        assert run.verdicts()[-1] not in ("healthy", "exploding")


def test_each_of_the_new_activations_has_a_start_that_is_praised() -> None:
    """The control: a rule that praises nothing would hold for nothing."""
    for name, start in (("softplus", "xavier"), ("leaky relu", "he"), ("gelu", "he"), ("selu", "lecun")):
        assert "healthy" in started(name, start).verdicts()


@pytest.mark.parametrize(
    ("name", "start", "word"),
    [
        ("selu", 0.5, "exploding"),
        ("gelu", "std 1", "exploding"),
        ("leaky relu", "std 0.01", "dying"),
        ("gelu", "std 0.01", "dying"),
        ("softplus", "zeros", "collapsed"),
    ],
)
def test_bad_starts_are_called_by_their_fault(name: str, start: str | float, word: str) -> None:
    assert started(name, start).verdicts()[-1] == word


def test_selu_is_called_saturated_on_its_tail() -> None:
    """A large input is no explosion: what is told of its outputs is that two in five lie at −λα."""
    large = {"distribution": "normal", "std": 20}
    run = sheetsim.run("relu-he", **SIZES, activation="selu", initializer="lecun", input=large)
    assert run.verdicts()[0] == "saturated"
    assert run.summary()["saturated"][1] == pytest.approx(np.mean(run["z_1"] < -1.7405), abs=1e-3)


def test_the_drop_down_fits_the_rule_of_a_cell() -> None:
    assert len(",".join(ACTIVATIONS)) <= 255


@pytest.mark.slow
@pytest.mark.skipif(SOFFICE is None, reason="soffice is not installed")
def test_libreoffice_follows_each_choice_in_a_gradient_flow(tmp_path: Path) -> None:
    sizes = {"samples": 20, "inputs": 6, "layers": [5, 4, 5], "outputs": 3}
    books = []
    for k, name in enumerate(ACTIVATIONS):
        book, target = tmp_path / f"{k}.xlsx", tmp_path / f"{k}-poisoned.xlsx"
        assert poison(sheetsim.run("gradient-flow", **sizes).to_excel(book), target, {"activation": name})
        books.append(target)
    for name, cells in zip(ACTIVATIONS, libreoffice_cells(books), strict=True):
        run = sheetsim.run("gradient-flow", **sizes, activation=name)
        assert differences(run, cells, 1e-11) == [], name


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_ironcalc_agrees_on_sums_far_from_0(name: str, tmp_path: Path) -> None:
    """With standard deviation 300 an EXP of a sum is not a number, if it is not held."""
    settings = {"samples": 8, "inputs": 6, "layers": [5, 4], "initializer": 300.0, "activation": name}
    run = sheetsim.run("relu-he", **settings)
    assert np.isfinite(run["z_2"]).all()
    assert poison(run.to_excel(tmp_path / "book.xlsx"), tmp_path / "poisoned.xlsx")
    assert differences(run, ironcalc_cells(tmp_path / "poisoned.xlsx"), 1e-11) == []
