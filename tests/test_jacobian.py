"""The study of Jacobians: closed forms, another way to the same derivatives, theory over seeds, words, the book."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ironcalc
import numpy as np
import pytest
from scipy.special import ndtr

import sheetsim
from sheetsim.audit.verify import verify
from sheetsim.engine.blas import one_thread
from sheetsim.engine.evaluate import Program, evaluate
from sheetsim.model.expr import Routine
from sheetsim.model.nets import ACTIVATIONS
from sheetsim.studies.jacobian.free_product import share_below
from sheetsim.summary.theory import computed, normal_rule

SMALL = {"units": 12, "layers": 3}


@pytest.fixture(autouse=True)
def _blas() -> Iterator[None]:
    with one_thread():
        yield


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
    _, values = jacobian(activation=activation, bias=0.3, gain=1.4, **SMALL)
    model = sheetsim.Model()
    n = SMALL["units"]
    z = x = model.input("x", np.repeat(values["x"], n, axis=0))
    for k in range(1, SMALL["layers"] + 1):
        W, b = (model.input(f"{name}_{k}", values[f"{name}_gaussian_{k}"]) for name in ("W", "b"))
        z = model.define(f"z_{k}", ACTIVATIONS[activation].function(z @ W + b))
    (d,) = sheetsim.grad(sheetsim.total(z * model.input("I", np.eye(n))), [x])
    assert np.allclose(evaluate([d])[d].T, values["J_gaussian_3"], rtol=1e-10, atol=1e-12)
    assert np.allclose(np.linalg.svd(values["J_gaussian_3"])[1], values["found_gaussian_3"][:, 0])


def slopes_of(activation: str, gain: float, bias: float, given: float, layers: int) -> tuple[Any, Any]:
    """f′² of each layer's sums at nodes of a standard normal, and the nodes' weights, by recursion in NumPy."""
    nodes, weights = normal_rule(64.0)
    weights = weights / weights.sum()
    q, slopes = gain**2 * given + bias**2, []
    for _ in range(layers):
        f, slope = computed(activation, np.sqrt(q) * nodes)
        slopes.append(slope**2)
        q = gain**2 * (weights @ f**2) + bias**2
    return np.array(slopes), weights


def fuss_catalan(factors: int) -> tuple[Any, Any]:
    """Squared singular values of a product of so many n×n Gaussian matrices of variance 1/n, for large n.

    Points x, rising, and the share below each.

    x = sin^{s+1}((s+1)φ)/(sin φ sin^s(sφ)) for 0 < φ < π/(s+1), of density sin²φ sin^{s−1}(sφ)/(π sin^s((s+1)φ)), with
    moments C((s+1)k, k)/(sk+1) (Haagerup & Möller 2013, arXiv:1203.4474; s = 1 is Marchenko & Pastur's).
    """
    s = float(factors)
    phi = np.linspace(0, np.pi / (s + 1), 20_001)[1:-1]
    u, v, w = np.sin(phi), np.sin(s * phi), np.sin((s + 1) * phi)
    log_x = (s + 1) * np.log(w) - np.log(u) - s * np.log(v)
    falls = np.cos(phi) * v * w + s**2 * np.cos(s * phi) * u * w - (s + 1) ** 2 * np.cos((s + 1) * phi) * u * v
    # density · x · |d log x / dφ|, in which what is 0 at an end has canceled.
    density = falls / (np.pi * v**2)
    steps = np.diff(phi) * (density[1:] + density[:-1]) / 2
    share = 1 - np.concatenate([[0.0], np.cumsum(steps)]) - density[0] * phi[0] / 2
    return np.exp(log_x[::-1]), share[::-1]


@pytest.mark.parametrize("factors", [1, 2, 8, 50, 200])
def test_linear_gaussian_networks_have_the_distribution_of_fuss_and_catalan(factors: int) -> None:
    x, share = (each[2000:-100:600] for each in fuss_catalan(factors))
    slopes, weights = slopes_of("identity", 1.0, 0.0, 1.0, factors)
    found = share_below(1.5**factors * np.sqrt(x), slopes, weights, 1.5, gaussian=True)
    assert np.abs(found - share).max() < 1e-6
    # Control: one factor more.
    if factors < 50:
        assert (
            np.abs(share_below(np.sqrt(x), np.ones((factors + 1, 2)), np.full(2, 0.5), 1.0, True) - share).max() > 0.01
        )


def test_one_linear_layer_has_the_distribution_of_marchenko_and_pastur() -> None:
    """In closed form for squares: P(σ² ≤ x) = (√(x(4 − x)) + 4 arcsin(√x/2))/2π."""
    x = np.array([1e-6, 0.01, 0.5, 1, 2, 3.9, 3.9999])
    expected = (np.sqrt(x * (4 - x)) + 4 * np.arcsin(np.sqrt(x) / 2)) / (2 * np.pi)
    found = share_below(np.sqrt(x), np.ones((1, 2)), np.full(2, 0.5), 1.0, gaussian=True)
    assert np.abs(found - expected).max() < 1e-6


def test_two_orthogonal_relu_layers_are_free_projections() -> None:
    """Half of the squares are 0.

    The others have the arcsine distribution on (0, σ_w⁴) (Voiculescu, Dykema & Nica 1992, §3.6).
    """
    x = np.array([1e-4, 0.1, 0.5, 0.9, 0.999])
    slopes, weights = slopes_of("relu", 1.3, 0.2, 1.0, 2)
    found = share_below(1.3**2 * np.sqrt(x), slopes, weights, 1.3, gaussian=False)
    assert np.abs(found - 0.5 - np.arcsin(np.sqrt(x)) / np.pi).max() < 1e-6


def test_one_orthogonal_layer_has_the_distribution_of_the_slopes() -> None:
    """tanh′(a) ≤ c where |a| ≥ arcosh(1/√c)."""
    c = np.array([0.05, 0.3, 0.6, 0.9, 0.99])
    slopes, weights = slopes_of("tanh", 1.0, 0.0, 1.0, 1)
    found = share_below(c, slopes, weights, 1.0, gaussian=False)
    assert np.abs(found - 2 * ndtr(-np.arccosh(1 / np.sqrt(c)))).max() < 1e-3


@pytest.mark.parametrize("gaussian", [True, False])
@pytest.mark.parametrize(("activation", "zeros"), [("relu", 0.5), ("tanh", 0.0)])
def test_the_distribution_has_the_moments_and_the_mass_of_theory(activation: str, zeros: float, gaussian: bool) -> None:
    """The mean of squares is Π χ, that of their squares, relative, 1 + Σ(E[f′⁴]/E[f′²]² − 1).

    And 1 a layer for Gaussian weights: for relu 1 + 2L, or 1 + L.
    """
    layers, gain = 9, 1.4
    slopes, weights = slopes_of(activation, gain, 0.1, 0.5, layers)
    first = slopes @ weights
    mean = float(np.prod(gain**2 * first))
    fourth = 1 + float((slopes**2 @ weights / first**2 - 1).sum()) + layers * gaussian
    if activation == "relu":
        assert np.isclose(fourth, 1 + layers * (1 + gaussian))
    top = np.sqrt(mean * 8 * (layers + 1))
    t, w = np.polynomial.legendre.leggauss(200)
    # Denser toward 0.
    s, ds = top * ((1 + t) / 2) ** 3, top * 1.5 * ((1 + t) / 2) ** 2 * w
    below = share_below(np.append(s, [1e-60 * top, top]), slopes, weights, gain, gaussian)
    assert (np.diff(below[:200]) > -1e-7).all()
    assert np.isclose(below[-1], 1, rtol=0, atol=1e-6)
    above = 1 - below[:200]
    assert np.isclose((2 * s * above) @ ds, mean, rtol=1e-4)
    assert np.isclose((4 * s**3 * above) @ ds, fourth * mean**2, rtol=1e-4)
    assert np.isclose(below[200], zeros, rtol=0, atol=1e-6)


def sampled(activation: str, gain: float, bias: float, layers: int, units: int, gaussian: bool, seed: int) -> Any:
    """Singular values of one network's Jacobian, by NumPy alone."""
    rng = np.random.default_rng(seed)
    z, J = rng.standard_normal((1, units)), np.eye(units)
    for _ in range(layers):
        W = rng.standard_normal((units, units)) / np.sqrt(units)
        if not gaussian:
            W, R = np.linalg.qr(W)
            W *= np.sign(np.diag(R))
        z, slope = computed(activation, z @ (gain * W) + bias * rng.standard_normal((1, units)))
        J = J @ (gain * W) * slope
    return np.linalg.svd(J, compute_uv=False)


CASES = [("tanh", 1.5, 0.3, 3, True), ("relu", 1.41, 0.1, 3, False), ("tanh", 1.2, 0.1, 3, False)]
CASES += [("relu", 1.41, 0.1, 2, True), ("gelu", 1.5, 0.2, 2, True), ("selu", 1.0, 0.0, 4, False)]
CASES += [("sigmoid", 4.0, 0.5, 1, True), ("leaky relu", 1.0, 0.1, 12, True)]


@pytest.mark.every(4)
@pytest.mark.parametrize(("activation", "gain", "bias", "layers", "gaussian"), CASES)
def test_sampled_jacobians_have_the_shares_of_theory(
    activation: str, gain: float, bias: float, layers: int, gaussian: bool
) -> None:
    """By bin, to four standard errors over networks and what finite width makes, layers + 1 values in 400."""
    units, networks = 400, 4
    found = [sampled(activation, gain, bias, layers, units, gaussian, seed) for seed in range(networks)]
    edges = np.quantile(np.concatenate(found), np.linspace(0, 1, 9)[1:-1])
    edges = edges[edges > 1e-9 * edges[-1]]
    shares = np.array([np.histogram(one, [-1, *edges, np.inf])[0] / units for one in found])
    error = 4 * shares.std(axis=0, ddof=1) / np.sqrt(networks) + (layers + 1) / units

    slopes, weights = slopes_of(activation, gain, bias, 1.0, layers)

    def gaps(gaussian: bool) -> Any:
        below = share_below(edges, slopes, weights, gain, gaussian)
        return np.abs(shares.mean(axis=0) - np.diff(below, prepend=0.0, append=1.0))

    assert (gaps(gaussian) < error).all()
    # Control: the other weights' distribution.
    assert (gaps(not gaussian) > error).any()


def test_a_study_shows_the_theory_of_its_own_network_beside_what_is_measured() -> None:
    _, values = jacobian(units=100, layers=3, gain=1.5, bias=0.3)
    for kind, other in (("gaussian", "orthogonal"), ("orthogonal", "gaussian")):
        for depth in (1, 2, 3):
            theory = values[f"expected_{kind}_{depth}"].cumsum()
            assert np.isclose(theory[-1], 1, rtol=0, atol=1e-6)
            assert np.abs(values[f"share_{kind}_{depth}"].cumsum() - theory).max() < 0.08
            # Control: that of the other weights.
            assert np.abs(values[f"share_{kind}_{depth}"] - values[f"expected_{other}_{depth}"]).max() > 0.08


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
    found = over_seeds(40, activation=activation, gain=gain, bias=0.1, units=80, layers=layers)
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
        ({"gain": -1.0}, "gain must be a finite number of at least 0, or activation, not -1"),
        ({"activation": "cos"}, "activation must be one of"),
    ],
)
def test_impossible_parameters_are_refused(keys: dict[str, Any], sentence: str) -> None:
    with pytest.raises(sheetsim.SheetsimError, match=sentence):
        sheetsim.Jacobian(**keys)
