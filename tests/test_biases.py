"""Biases, gains and draws of weights: by a plain loop, by autograd, by theory over seeds, and in the book."""

from pathlib import Path
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad as autograd_grad

import sheetsim
from sheetsim.audit.verify import verify
from sheetsim.engine.evaluate import evaluate
from sheetsim.model.activations import LEAK
from sheetsim.model.initializers import GAINS, weight_draws
from sheetsim.model.layers import network
from sheetsim.model.sampling import Draw

SMALL = {"samples": 30, "inputs": 6, "layers": [7, 5]}


def test_sums_have_their_biases_and_unset_keys_leave_no_trace() -> None:
    run = sheetsim.run("tanh-xavier", bias=0.4, **SMALL)
    expected = np.tanh(run["x"] @ run["W_1"] + run["b_1"]) @ run["W_2"] + run["b_2"]
    assert np.allclose(run["a_2"], expected, rtol=1e-12, atol=1e-14)
    assert run["b_2"].shape == (1, 5)
    table = run.table("variance")
    squares = [np.square(run[name]).mean() for name in ("x", "z_1")]
    assert np.allclose(table["moment"], table["fan_in"] * table["sd_w"] ** 2 * squares + 0.16)
    plain = sheetsim.run("tanh-xavier", **SMALL)
    assert "b_1" not in plain._study.graph
    # The weights are the same numbers.
    assert np.array_equal(plain["W_2"], run["W_2"])
    assert not {"bias", "gain", "weight_draws"} & set(sheetsim.Forward().parameters())


def test_gradients_by_biases_are_those_of_autograd() -> None:
    run = sheetsim.run("gradient-flow", bias=0.3, outputs=3, **SMALL)
    x, targets = (np.array(run[name]) for name in ("x", "targets"))
    weights = [np.array(run[f"W_{k}"]) for k in (1, 2, 3)]
    biases = [np.array(run[f"b_{k}"]) for k in (1, 2)]

    def loss(b_1: Any, b_2: Any) -> Any:
        z = anp.tanh(anp.tanh(x @ weights[0] + b_1) @ weights[1] + b_2)
        return anp.mean((z @ weights[2] - targets) ** 2)

    for k in (0, 1):
        expected = autograd_grad(loss, k)(*biases)
        assert np.allclose(np.array(run[f"d_b_{k + 1}"]), expected, rtol=1e-10, atol=1e-14)


def test_gains_multiply_and_by_activation_keep_what_they_are_said_to_keep() -> None:
    run, plain = (sheetsim.run("tanh-xavier", gain=gain, **SMALL) for gain in ("activation", 1.0))
    assert np.allclose(run["W_1"], 5 / 3 * np.array(plain["W_1"]), rtol=1e-15)
    assert GAINS["leaky relu"] == np.sqrt(2 / (1 + LEAK**2))
    for activation in ("relu", "leaky relu", "identity", "selu"):
        frame = sheetsim.mean_field(
            activation, [100] * 30, [GAINS[activation] / 10] * 30, sheetsim.InputMoments(1.0, 0.0)
        )
        kept = frame["second_moment"].iloc[-1] / frame["second_moment"].iloc[0]
        assert np.isclose(kept, 1, rtol=1e-6), activation


@pytest.mark.parametrize("name", ["uniform", "truncated"])
def test_other_draws_have_the_variance_of_normal_ones(name: str) -> None:
    run = sheetsim.run("tanh-xavier", samples=4, inputs=300, layers=[300], weight_draws=name)
    W = np.array(run["W_1"])
    # Of 90,000 numbers a standard deviation is known to 0.3 %.
    assert abs(W.std() * np.sqrt(300) - 1) < 0.01
    most = np.sqrt(3) if name == "uniform" else 2 / 0.8796256610342398
    assert 0.999 * most < np.abs(W).max() * np.sqrt(300) <= most
    law = weight_draws(name)
    assert np.isclose(law.mean, 0, atol=1e-12)
    assert np.isclose(law.second_moment, 1, rtol=1e-9)
    source = run._study.graph["e_1"].source
    assert isinstance(source, Draw)


def test_over_seeds_networks_with_biases_agree_with_theory() -> None:
    keys = {"samples": 100, "inputs": 60, "layers": [60] * 3, "bias": 0.5, "gain": 1.3, "weight_draws": "uniform"}
    replicates = sheetsim.replicate("tanh-xavier", 60, **keys)
    frame = replicates.statistics()
    for name in ("pooled", "within", "between", "moment", "var", "second_moment"):
        for layer in (1, 3):
            row = frame.loc[(layer, name)]
            assert abs(row["mean"] - row["theory"]) < 4 * row["sd"] / np.sqrt(60) + 0.03 * row["theory"], (layer, name)
    # Control: without the biases theory is another.
    other = sheetsim.replicate("tanh-xavier", 2, **{**keys, "bias": 0.0}).statistics()
    assert abs(other.loc[(3, "pooled"), "theory"] / frame.loc[(3, "pooled"), "theory"] - 1) > 0.1


def test_a_replicate_with_biases_is_the_run_with_its_seed() -> None:
    keys = {**SMALL, "bias": 0.4, "gain": 1.2}
    replicates = sheetsim.replicate("tanh-xavier", 2, **keys)
    frame = replicates.frame()
    seed = int(frame["seed"].iloc[-1])
    run = sheetsim.run("tanh-xavier", seed=seed, **keys)
    found = frame[frame["seed"] == seed]
    for name in ("pooled", "within", "between", "moment"):
        assert np.allclose(found[name], run.table("variance")[name], rtol=1e-9), name


@pytest.mark.parametrize("template", ["tanh-xavier", "gradient-flow"])
def test_books_with_biases_verify(template: str, tmp_path: Path) -> None:
    keys = {"samples": 8, "inputs": 5, "layers": [4, 3], "bias": 0.2, "gain": 1.5, "weight_draws": "truncated"}
    run = sheetsim.run(template, **keys)
    checked = verify(run.to_excel(tmp_path / "book.xlsx"))
    assert checked.state == "as made"
    assert {"b_1", "b_2", "a_1"} <= {row.name for row in checked.rows}


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"bias": -1.0}, "bias must be a finite standard deviation of at least 0, not -1"),
        ({"gain": -1.0}, "gain must be a finite number of at least 0, or activation, not -1"),
        ({"gain": "he"}, "gain must be activation"),
        ({"weight_draws": "cauchy"}, "weight_draws must be one of normal, uniform, truncated, not 'cauchy'"),
    ],
)
def test_impossible_scales_are_refused(keys: dict[str, Any], sentence: str) -> None:
    with pytest.raises(sheetsim.SheetsimError, match=sentence):
        sheetsim.Forward(**keys)


def test_training_starts_with_the_gain_the_draws_and_the_biases_that_are_asked_for() -> None:
    def starts(**keys: Any) -> dict[str, Any]:
        study = sheetsim.Training(layers=[50, 40], activation=["tanh", "relu"], initializer="he", **keys)
        net = network(30, study.dense_layers(30, 3), 0)
        values = evaluate(list(net.starts.values()))
        return {name: values[node] for name, node in net.starts.items()}

    plain = starts()
    assert not plain["b_1"].any()
    assert "b_1" not in starts(bias=False)
    made = starts(bias=0.3, gain="activation", weight_draws="uniform")
    assert np.abs(np.concatenate([made["b_1"], made["b_2"]], axis=1)).std() < 0.3
    assert abs(np.concatenate([made["b_1"], made["b_2"]], axis=1).std() / 0.3 - 1) < 0.2
    for name, gain, fan_in in (("W_1", 5 / 3, 30), ("W_2", np.sqrt(2), 50), ("W_3", 1.0, 40)):
        most = gain * np.sqrt(3 * 2 / fan_in)
        assert 0.95 * most < np.abs(made[name]).max() <= most * (1 + 1e-12)
    # What claims speak of does not hold with drawn biases: units differ.
    tiny = {"layers": [4], "samples": 40, "batch": 20, "steps": 2, "seeds": 2}
    claimed = [sheetsim.run("training-starts", bias=bias, **tiny).table("claims").index for bias in (True, 0.3)]
    assert "zeros" in claimed[0]
    assert not {"zeros", "constant"} & set(claimed[1])


def test_a_recurrent_network_adds_its_biases_at_every_step() -> None:
    run = sheetsim.run("rnn-gradients", bias=0.4, gain=1.5, weight_draws="uniform", draws="pcg64", activation="tanh")
    plain = sheetsim.run("rnn-gradients", weight_draws="uniform", draws="pcg64", activation="tanh")
    assert np.allclose(run["W"], 1.5 * np.array(plain["W"]), rtol=1e-15)
    h = np.array(run["h_0"])
    for _ in range(20):
        h = np.tanh(h @ np.array(run["W"]) + np.array(run["b_h"]))
    assert np.allclose(np.array(run["h"])[-len(h) :], h, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("bias", "expected"), [(None, 0.01), (0.5, 0.5), (0.0, 0.0)])
def test_biases_of_symmetrys_random_starts_have_their_own_scale(bias: float | None, expected: float) -> None:
    run = sheetsim.run("symmetry", bias=bias, gain=1.0 if bias is None else 2.0, steps=1)
    w, e = np.array(run["w_1_small"])[0], np.array(run["e_1"])[0]
    assert np.allclose(w[:2], (0.01 if bias is None else 0.02) * e[:2], rtol=1e-14)
    assert np.isclose(w[2], expected * e[2], rtol=1e-14)
    # Equal starts stay equal: they have no drawn biases.
    assert np.array_equal(run["w_1_constant"], run["w_2_constant"])


BOOKS: list[tuple[str, dict[str, Any]]] = [
    ("correlation", {"units": 4, "layers": 2, "pairs": 3, "angles": [30.0]}),
    ("jacobian", {"units": 4, "layers": 2, "bins": 4}),
    ("residual", {"units": 4, "layers": 2, "samples": 5}),
    ("finite-width", {"networks": 20, "layers": [4, 4], "bins": 4}),
    ("symmetry", {"steps": 2}),
    ("rnn-gradients", {"steps": 3, "draws": "pcg64"}),
    ("training-in-cells", {"steps": 2, "pictures": 4}),
]


@pytest.mark.parametrize(("template", "keys"), BOOKS, ids=[name for name, _ in BOOKS])
def test_all_studies_with_weights_have_the_same_keys_and_their_books_verify(
    template: str, keys: dict[str, Any], tmp_path: Path
) -> None:
    run = sheetsim.run(template, bias=0.3, gain="activation", weight_draws="truncated", **keys)
    checked = verify(run.to_excel(tmp_path / "book.xlsx"))
    assert checked.state == "as made"
    assert not run.summary().equals(sheetsim.run(template, **keys).summary())
