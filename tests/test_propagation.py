"""Skips and normalization by depth: a plain loop with autograd, closed forms of relu, theory over seeds, the book."""

from functools import cache
from pathlib import Path
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad as autograd_grad

import sheetsim
from sheetsim.audit.verify import verify
from sheetsim.engine.evaluate import Program, evaluate

KINDS = [(block, norm) for block in ("plain", "residual") for norm in ("none", "layer", "batch")]
SMALL = {"samples": 7, "units": 6, "layers": 3}


def norm_of(norm: str, x: Any) -> Any:
    if norm == "none":
        return x
    axis = 1 if norm == "layer" else 0
    return (x - anp.mean(x, axis=axis, keepdims=True)) / anp.std(x, axis=axis, keepdims=True)


@pytest.mark.parametrize("bias", [0.0, 0.5])
@pytest.mark.parametrize(("block", "norm"), KINDS)
def test_outputs_and_gradients_are_those_of_a_plain_loop_and_autograd(block: str, norm: str, bias: float) -> None:
    study = sheetsim.Propagation(
        block=block, norm=norm, activation="tanh", gain=1.3, alpha=0.7, correlation=0.4, bias=bias, **SMALL
    ).build()
    names = ["x", "d_last", "z_3", "d_z_0", "d_z_1", *(f"W_{k}" for k in (1, 2, 3))]
    names += [f"b_{k}" for k in (1, 2, 3)] if bias else []
    x, u, z_3, d_0, d_1, *parameters = evaluate([study.graph[name] for name in names]).values()
    weights = [(W, parameters[3 + k] if bias else 0.0) for k, W in enumerate(parameters[:3])]

    def through(z: Any, of: Any) -> Any:
        for W, b in of:
            z = anp.tanh(norm_of(norm, z @ W + b)) if block == "plain" else z + 0.7 * anp.tanh(norm_of(norm, z) @ W + b)
        return z

    assert np.allclose(through(x, weights), z_3, rtol=1e-11, atol=1e-13)
    z_1 = through(x, weights[:1])
    for start, of, d in ((x, weights, d_0), (z_1, weights[1:], d_1)):
        expected = autograd_grad(lambda z, of=of: anp.sum(through(z, of) * u))(start)
        assert np.allclose(expected, d, rtol=1e-9, atol=1e-11)


def relu_theory(block: str, norm: str, gain: float, alpha: float, c: float, samples: int, layers: int) -> Any:
    """q, c and χ by layer in closed form: E[f] = √(v/2π), E[f²] = v/2, E[f f′] = v κ(c)/2, E[f′²] = 1/2."""
    q, m, p, rows = 1.0, 0.0, c, []
    for _ in range(layers):
        s = {"none": 1.0, "layer": q if block == "plain" else q - m**2, "batch": q - p}[norm]
        r = {"none": p / q, "layer": p / q if block == "plain" else (p - m**2) / s, "batch": -1 / (samples - 1)}[norm]
        v = gain**2 * q if norm == "none" else 1.0 if block == "plain" else gain**2
        chi = 0.5 / s if block == "plain" and norm != "none" else gain**2 * 0.5 / s
        kernel = (np.sqrt(1 - r**2) + (np.pi - np.arccos(r)) * r) / np.pi
        f, f2, ff = np.sqrt(v / 2 / np.pi), v / 2, v / 2 * kernel
        if block == "plain":
            q, m, p = f2, f, ff
        else:
            chi = 1 + alpha**2 * chi
            q, m, p = q + 2 * alpha * m * f + alpha**2 * f2, m + alpha * f, p + 2 * alpha * m * f + alpha**2 * ff
        rows.append((q, p / q, chi))
    return np.array(rows)


@pytest.mark.parametrize(("block", "norm"), KINDS)
def test_the_formulas_of_theory_are_relus_closed_forms(block: str, norm: str) -> None:
    keys = {"samples": 9, "units": 4, "layers": 6}
    study = sheetsim.Propagation(block=block, norm=norm, gain=1.2, alpha=0.6, correlation=0.3, **keys).build()
    table = study.tables["propagation"]
    names = ("q_theory", "c_theory", "chi_theory")
    values = evaluate([cell for name in names for cell in table[name]])
    found = np.array([[values[cell][0, 0] for cell in table[name]] for name in names]).T
    assert np.abs(found / relu_theory(block, norm, 1.2, 0.6, 0.3, 9, 6) - 1).max() < 1e-3


def test_batch_normalized_relu_networks_explode_by_the_known_factor() -> None:
    """√(π/(π − 1)) a layer for many samples (Yang et al. 2019), measured within 3 % over seeds."""
    keys = {"block": "plain", "norm": "batch", "samples": 100, "units": 100, "layers": 6}
    table = sheetsim.Propagation(**keys).build().tables["propagation"]
    program = Program([table["rate"][1], table["rate_theory"][1]])
    rates = np.array([[float(v[0, 0]) for v in program(seed=seed).values()] for seed in range(6)])
    known = np.sqrt(np.pi / (np.pi - 1))
    assert abs(rates[:, 0].mean() / known - 1) < 0.03
    assert abs(rates[0, 1] / known - 1) < 0.01
    # Control: with layer normalization they are steady.
    other = sheetsim.Propagation(**{**keys, "norm": "layer"}).build().tables["propagation"]
    assert abs(float(evaluate([other["rate"][0]])[other["rate"][0]][0, 0]) - 1) < 0.05


@cache
def over_seeds(block: str, norm: str, **more: Any) -> Any:
    keys = {"samples": 40, "units": 60, "layers": 4, "activation": "tanh", "gain": 1.2, "correlation": 0.3}
    table = sheetsim.Propagation(block=block, norm=norm, **{**keys, **more}).build().tables["propagation"]
    names = ("q", "c", "chi", "q_theory", "c_theory", "chi_theory")
    program = Program([cell for name in names for cell in table[name]])
    rows = [[float(v[0, 0]) for v in program(seed=seed).values()] for seed in range(20)]
    return np.array(rows).reshape(20, 6, 4)


@pytest.mark.parametrize("more", [{}, {"bias": 0.6, "weight_draws": "uniform"}], ids=["plain", "biased"])
@pytest.mark.parametrize(("block", "norm"), KINDS)
def test_means_over_seeds_are_those_of_theory(block: str, norm: str, more: dict[str, Any]) -> None:
    """To four standard errors and what finite width and batch make, a few parts in 40."""
    found = over_seeds(block, norm, **more)
    error = found[:, :3].std(axis=0, ddof=1) / np.sqrt(20)
    expected = found[0, 3:]
    assert (np.abs(found[:, :3].mean(axis=0) - expected) < 4 * error + 0.06 * np.maximum(np.abs(expected), 0.5)).all()


WORDS = [
    ({"block": "plain", "norm": "none", "gain": 0.5}, "vanishing"),
    ({"block": "plain", "norm": "batch", "samples": 30, "units": 30}, "exploding"),
    ({"block": "residual", "norm": "none", "alpha": 0.1}, "steady"),
    ({"block": "plain", "norm": "layer", "gain": 0.0}, "overflow"),
]


@pytest.mark.parametrize(("keys", "word"), WORDS)
def test_words_say_what_becomes_of_gradients(keys: dict[str, Any], word: str) -> None:
    run = sheetsim.run(sheetsim.Propagation(**{**SMALL, "layers": 4, **keys}))
    assert run.verdicts()[0] == word


@pytest.mark.parametrize("template", ["residual", "layer-norm", "batch-norm-propagation"])
def test_books_verify(template: str, tmp_path: Path) -> None:
    run = sheetsim.run(template, **SMALL)
    assert verify(run.to_excel(tmp_path / "book.xlsx")).state == "as made"


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"norm": "group"}, "norm must be one of none, layer, batch, not 'group'"),
        ({"samples": 3}, "samples must be 4 to 2,000, not 3"),
        ({"alpha": -1.0}, "alpha must be a finite number of at least 0, not -1"),
        (
            {"units": 1000, "samples": 2000, "layers": 100},
            "layers · units · .samples . units. must be at most 4,000,000",
        ),
        ({"correlation": 1.0}, "correlation must be at least 0 and below 1, not 1"),
    ],
)
def test_impossible_parameters_are_refused(keys: dict[str, Any], sentence: str) -> None:
    with pytest.raises(sheetsim.SheetsimError, match=sentence):
        sheetsim.Propagation(**keys)
