"""The study of finite width: exact laws of linear networks, an independent pass, theory, intervals, the book."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import digamma, polygamma

import sheetsim
from sheetsim.audit.verify import verify
from sheetsim.engine.evaluate import Program, evaluate
from sheetsim.model.initializers import GAINS

SMALL = {"networks": 300, "inputs": 20, "layers": [20, 30, 20]}


def table_of(**keys: Any) -> Any:
    return sheetsim.run(sheetsim.FiniteWidth(**{**SMALL, **keys})).summary()


def test_linear_networks_have_the_law_of_products_of_chi_squares() -> None:
    """‖z_l‖²·n_l/‖z_{l−1}‖² is χ² with n_l degrees, independently: means ψ(n/2) + ln(2/n) and variances ψ′(n/2)."""
    table = table_of(activation="identity", networks=2000)
    widths = np.array(SMALL["layers"])
    means, variances = np.cumsum(digamma(widths / 2) + np.log(2 / widths)), np.cumsum(polygamma(1, widths / 2))
    error = np.sqrt(variances / 2000)
    first = table["log_mean"].iloc[0] - means[0]
    assert abs(first) < 4 * error[0]
    assert (np.abs(table["log_mean"] - means) < 4 * error).all()
    assert (np.abs(table["log_variance"] / variances - 1) < 4 * np.sqrt(2.5 / 2000)).all()
    # Theory is of the first order in 1/width.
    assert np.allclose(table["log_variance_theory"], np.cumsum(2 / widths))
    assert np.allclose(table["back_variance_theory"], np.cumsum(2 / np.array([30, 20, 20])))


def test_relu_varies_by_five_over_the_width_both_ways_and_the_arithmetic_mean_stays() -> None:
    table = table_of(networks=4000, inputs=60, layers=[60] * 4)
    expected = 5 * np.arange(1, 5) / 60
    assert np.allclose(table["log_variance_theory"], expected)
    assert np.allclose(table["back_variance_theory"], expected)
    for name in ("log_variance", "back_variance"):
        assert (np.abs(table[name] / expected - 1) < 0.15).all(), name
    assert (np.abs(table["arithmetic"] - 1) < 4 * np.sqrt(expected / 4000)).all()
    assert (np.abs(table["log_mean"] - table["log_mean_theory"]) < 4 * np.sqrt(expected / 4000) + 0.02).all()
    # Control: a narrower network is told apart.
    assert not np.allclose(table_of(layers=[20] * 3)["log_variance_theory"], expected[:3], rtol=0.2)


def test_tanh_hands_on_a_part_of_what_varies() -> None:
    table = table_of(activation="tanh", gain=1.5, networks=4000, inputs=80, layers=[80] * 4)
    assert (np.abs(table["log_variance"] / table["log_variance_theory"] - 1) < 0.15).all()
    assert table["log_mean_theory"].isna().all()
    # Less than layer by layer alone would add up to.
    assert table["log_variance_theory"].iloc[-1] < 3 * table["log_variance_theory"].iloc[0]


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_with_biases_layers_hand_on_a_part_and_theory_of_the_rest_is_blank(activation: str) -> None:
    keys = {"activation": activation, "gain": 1.4, "networks": 4000, "inputs": 60, "layers": [60] * 4}
    table = table_of(bias=0.7, weight_draws="uniform", **keys)
    assert (np.abs(table["log_variance"] / table["log_variance_theory"] - 1) < 0.15).all()
    blank = ["log_mean_theory", "back_mean_theory", "back_variance_theory"]
    assert table[blank].isna().all(axis=None)
    # Control: without biases theory is another one.
    plain = table_of(**{**keys, "networks": 2})["log_variance_theory"]
    assert plain.iloc[-1] > 1.3 * table["log_variance_theory"].iloc[-1]


def test_the_networks_are_those_of_a_plain_loop() -> None:
    study = sheetsim.FiniteWidth(networks=3, inputs=4, layers=[5, 3], activation="relu").build()
    values = evaluate([study.named(name) for name in ("start", "x", "logs")])
    start, x, logs = values.values()
    generator = np.random.Generator(np.random.PCG64(int(start.item() * 2**53)))
    gain = GAINS["relu"]
    first, second = (generator.standard_normal((3, a, b)) * gain / np.sqrt(a) for a, b in ((4, 5), (5, 3)))
    d = generator.standard_normal((3, 1, 3))
    mean_square = float((x**2).mean())
    for k in range(3):
        a_1 = x @ first[k]
        a_2 = np.maximum(a_1, 0) @ second[k]
        # A unit or two may be all that is left of so narrow a network, or none.
        with np.errstate(divide="ignore"):
            outputs = [np.log((np.maximum(a, 0) ** 2).mean() / mean_square) for a in (a_1, a_2)]
            by_1 = (d[k] * (a_2 > 0)) @ second[k].T
            by_x = (by_1 * (a_1 > 0)) @ first[k].T
            back = [np.log((one**2).sum() / (d[k] ** 2).sum()) for one in (by_1, by_x)]
        expected = np.array([*outputs, *back])
        assert np.allclose(np.where(np.isfinite(expected), expected, np.nan), logs[k], rtol=1e-9, equal_nan=True)


def test_the_intervals_hold_what_they_are_of_as_often_as_they_say() -> None:
    """Over 100 seeds, 95 % less three standard errors is 88 %; the linear networks' law is exact."""
    study = sheetsim.FiniteWidth(networks=100, inputs=10, layers=[10, 10], activation="identity").build()
    table = study.tables["widths"]
    names = [f"{name}_{end}" for name in ("log_mean", "log_variance") for end in ("low", "high")]
    program = Program([table[name][1] for name in names])
    ends = np.array([[float(v[0, 0]) for v in program(seed=seed).values()] for seed in range(100)])
    for k, law in enumerate((2 * (digamma(5) + np.log(0.2)), 2 * polygamma(1, 5))):
        covered = ((ends[:, 2 * k] <= law) & (law <= ends[:, 2 * k + 1])).mean()
        assert 0.86 <= covered <= 1, (names[2 * k], covered)


def test_words_and_the_book(tmp_path: Path) -> None:
    wide = sheetsim.run("finite-width", networks=50, inputs=400, layers=[400])
    deep = sheetsim.run("finite-width", networks=50, inputs=10, layers=[10] * 12, bins=4)
    assert wide.verdicts() == ["reliable"]
    assert deep.verdicts()[-1] in ("says nothing", "died out")
    assert sheetsim.run("finite-width", networks=50, inputs=4, layers=[2] * 6).verdicts()[-1] == "died out"
    assert verify(deep.to_excel(tmp_path / "book.xlsx")).state == "as made"


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"networks": 1}, "networks must be 2 to 20,000, not 1"),
        ({"layers": []}, "layers must list 1 to 200 widths, not 0"),
        ({"layers": [0]}, "layers: a width must be 1 to 1,000, not 0"),
        ({"gain": 0.0}, "gain must be above 0, because the study takes logarithms of lengths"),
        ({"networks": 20_000, "layers": [1000, 1000]}, "networks · weights must be at most 4,000,000,000"),
    ],
)
def test_impossible_parameters_are_refused(keys: dict[str, Any], sentence: str) -> None:
    with pytest.raises(sheetsim.SheetsimError, match=sentence):
        sheetsim.FiniteWidth(**keys)
