"""The study of Jacobians: closed forms, another way to the same derivatives, theory over seeds, words, the book."""

from math import comb
from pathlib import Path
from typing import Any

import ironcalc
import numpy as np
import pytest

import sheetsim
from sheetsim.audit.verify import verify
from sheetsim.engine.evaluate import Program, evaluate
from sheetsim.model.expr import Routine
from sheetsim.model.nets import ACTIVATIONS
from sheetsim.studies.jacobian.spectrum import fuss_catalan

SMALL = {"units": 12, "layers": 3}


def jacobian(**keys: Any) -> tuple[Any, dict[str, Any]]:
    study = sheetsim.Jacobian(**keys).build()
    cells = list(study.findings.cells())  # which names the singular values
    nodes = {str(node.name): node for node in study.graph}
    values = evaluate([*nodes.values(), *cells])
    return study, {name: values[node] for name, node in nodes.items()}


def test_orthogonal_linear_networks_are_isometries() -> None:
    _, values = jacobian(activation="identity", units=40, layers=30)
    assert np.abs(values["found_orthogonal_30"] - 1).max() < 1e-12
    # Control: Gaussian weights of the same standard deviation are none.
    assert np.abs(values["found_gaussian_30"] - 1).max() > 0.9


@pytest.mark.parametrize("activation", ["tanh", "relu", "softplus", "selu"])
def test_the_way_forward_gives_the_derivatives_of_the_way_back(activation: str) -> None:
    """By reverse accumulation: row i of the gradient of Σ z_ii is that of output i, where all samples are the input."""
    _, values = jacobian(activation=activation, bias_std=0.3, gain=1.4, **SMALL)
    model = sheetsim.Model()
    n = SMALL["units"]
    z = x = model.input("x", np.repeat(values["x"], n, axis=0))
    for k in range(1, SMALL["layers"] + 1):
        W, b = (model.input(f"{name}_{k}", values[f"{name}_gaussian_{k}"]) for name in ("W", "b"))
        z = model.define(f"z_{k}", ACTIVATIONS[activation].function(z @ W + b))
    (d,) = sheetsim.grad(sheetsim.total(z * model.input("I", np.eye(n))), [x])
    assert np.allclose(evaluate([d])[d].T, values["J_gaussian_3"], rtol=1e-10, atol=1e-12)
    assert np.allclose(np.linalg.svd(values["J_gaussian_3"])[1], values["found_gaussian_3"][:, 0])


@pytest.mark.parametrize("factors", [1, 2, 8, 50])
def test_the_distribution_of_products_has_the_moments_of_fuss_and_catalan(factors: int) -> None:
    x, share = fuss_catalan(factors)
    middle = (x[1:] + x[:-1]) / 2
    for k in range(4):
        expected = comb((factors + 1) * k, k) / (factors * k + 1)
        assert np.isclose((np.diff(share) * middle**k).sum(), expected, rtol=1e-6)


def test_one_factor_has_the_distribution_of_marchenko_and_pastur() -> None:
    """In closed form for squares: P(σ² ≤ x) = (√(x(4 − x)) + 4 arcsin(√x/2))/2π."""
    x, share = fuss_catalan(1)
    expected = (np.sqrt(x * (4 - x)) + 4 * np.arcsin(np.minimum(np.sqrt(x) / 2, 1))) / (2 * np.pi)
    assert np.abs(share - expected).max() < 1e-6


def over_seeds(seeds: int, **keys: Any) -> dict[str, Any]:
    table = sheetsim.Jacobian(**keys).build().tables["jacobian"]
    names = ("mean_square", "mean_square_theory", "fourth", "fourth_theory")
    cells = [cell for name in names for cell in table[name]]
    program = Program(cells)
    rows = [[float(values[cell][0, 0]) for cell in cells] for values in (program(seed=seed) for seed in range(seeds))]
    found = np.array(rows).reshape(seeds, len(names), -1)
    return {name: found[:, k] for k, name in enumerate(names)}


@pytest.mark.parametrize(
    ("activation", "gain", "layers"), [("identity", 1.0, 3), ("tanh", 1.3, 3), ("relu", 2**0.5, 2)]
)
def test_means_over_seeds_are_those_of_theory(activation: str, gain: float, layers: int) -> None:
    """To four standard errors and what finite width makes, layers in 80."""
    found = over_seeds(40, activation=activation, gain=gain, bias_std=0.1, units=80, layers=layers)
    for name in ("mean_square", "fourth"):
        error = found[name].std(axis=0, ddof=1) / np.sqrt(40)
        expected = found[f"{name}_theory"][0]
        assert (np.abs(found[name].mean(axis=0) - expected) < 4 * error + expected * layers * 1.5 / 80).all(), name
    # Control: the two networks differ in what they are told apart by.
    assert found["fourth"][:, layers - 1].mean() > found["fourth"][:, -1].mean() + 0.8 * layers


WORDS = [
    ({"activation": "identity"}, "uneven", "isometry"),
    ({"activation": "identity", "gain": 2.0}, "exploding", "exploding"),
    ({"activation": "sigmoid"}, "vanishing", "vanishing"),
    ({"gain": 0.0}, "no signal", "no signal"),
    ({"activation": "identity", "gain": 1e120}, "overflow", "overflow"),
]


@pytest.mark.parametrize(("keys", "gaussian", "orthogonal"), WORDS)
def test_words_say_what_becomes_of_small_changes(keys: dict[str, Any], gaussian: str, orthogonal: str) -> None:
    verdicts = sheetsim.run("jacobian-linear", **{**SMALL, **keys}).verdicts()
    assert (verdicts[2], verdicts[-1]) == (gaussian, orthogonal)


def test_relu_loses_directions_and_has_no_condition() -> None:
    table = sheetsim.run("jacobian", activation="relu", gain=2**0.5, units=20, layers=3).summary()
    assert (table["rank"] < 20).all()
    assert table["condition"].isna().all()


def test_a_book_verifies_and_singular_values_of_another_jacobian_are_not_shown(tmp_path: Path) -> None:
    run = sheetsim.run("jacobian-linear", bins=4, **SMALL)
    path = run.to_excel(tmp_path / "book.xlsx")
    assert verify(path).state == "as made"
    book = ironcalc.load_from_xlsx(str(path), "en", "UTC", "en")
    titles = [sheet.title for sheet in run._layout.sheets]

    def cell(node: Any) -> Any:
        place = run._layout.places[node]
        return book.get_cell_value(titles.index(place.sheet), place.row + 1, place.column + 1)

    table = run._study.tables["jacobian"]
    gain = run._layout.places[run._study.graph["gain"]]
    book.set_user_input(titles.index(gain.sheet), gain.row + 1, gain.column + 1, "1.5")
    book.evaluate()
    other = sheetsim.run("jacobian-linear", gain=1.5, bins=4, **SMALL).summary()
    assert np.isclose(float(cell(table["mean_square"][2])), other["mean_square"].iloc[2])
    assert np.isclose(float(cell(table["largest_theory"][-1])), 1.5**3)
    assert cell(table["largest"][2]) == cell(run._study.graph["expected_gaussian_3"]) == "#N/A"


def test_a_large_network_has_a_book_of_values(tmp_path: Path) -> None:
    run = sheetsim.run("jacobian", units=101, layers=10)
    assert not run._study.matrices
    assert run.table("values").shape == (101, 6)
    assert verify(run.to_excel(tmp_path / "book.xlsx")).state == "as made"


def test_a_routine_has_no_derivative() -> None:
    model = sheetsim.Model()
    x = model.input("x", [[1.0, 2.0], [3.0, 4.0]])
    doubled = model.routine("doubled", Routine("double numbers", np.asarray), [x], (2, 2))
    with pytest.raises(sheetsim.SheetsimError, match="double numbers have no derivative here"):
        sheetsim.grad(sheetsim.total(doubled), [x])


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"units": 0}, "units must be 1 to 1,000, not 0"),
        ({"bins": 1}, "bins must be 2 to 100, not 1"),
        ({"gain": -1.0}, "gain must be a finite number from 0, not -1"),
        ({"activation": "cos"}, "activation must be one of"),
    ],
)
def test_impossible_parameters_are_refused(keys: dict[str, Any], sentence: str) -> None:
    with pytest.raises(sheetsim.SheetsimError, match=sentence):
        sheetsim.Jacobian(**keys)
