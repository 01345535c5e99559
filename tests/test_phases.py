"""The phases of wide networks: known lines, fixed points by other quadratures, networks beside theory, the book."""

from pathlib import Path
from typing import Any

import ironcalc
import numpy as np
import openpyxl
import pytest

import sheetsim
from sheetsim.audit.verify import verify
from sheetsim.model.activations import ACTIVATIONS, Activation
from sheetsim.summary.phases import critical_line, followed, phases

SMALL = {"steps": 3, "points": [[1.0, 0.1], [4.0, 0.02]], "pairs": 10, "units": 60, "layers": 8}
FUNCTIONS: dict[str, Any] = {"tanh": np.tanh, "sigmoid": lambda a: 1 / (1 + np.exp(-a))}


def expectation(g: Any, q: float, c: float) -> float:
    """E[g(u, v)] of normal numbers of variance q and correlation c, by the trapezoidal rule in two dimensions."""
    s = np.linspace(-9, 9, 241)
    w = np.exp(-(s**2) / 2) / np.sqrt(2 * np.pi) * (s[1] - s[0])
    u = np.sqrt(q) * s[:, None]
    v = np.sqrt(q) * (c * s[:, None] + np.sqrt(1 - c**2) * s)
    return float(w @ g(u, v) @ w)


@pytest.mark.parametrize(("activation", "w2", "b2"), [("tanh", 3.0, 0.1), ("tanh", 0.8, 0.3), ("sigmoid", 30.0, 1.0)])
def test_fixed_points_are_fixed_by_another_quadrature(activation: str, w2: float, b2: float) -> None:
    f, at = FUNCTIONS[activation], phases(activation, [w2], [b2])
    q, c = float(at.q[0]), float(at.c[0])
    assert np.isclose(w2 * expectation(lambda u, v: f(u) ** 2 + 0 * v, q, 0) + b2, q, rtol=1e-10)
    step = 1e-5
    slope = w2 * expectation(lambda u, v: ((f(u + step) - f(u - step)) / 2 / step) ** 2 + 0 * v, q, 0)
    assert np.isclose(slope, at.chi[0], rtol=1e-7)
    mapped = [
        (w2 * expectation(lambda u, v: f(u) * f(v), q, correlation) + b2) / q
        for correlation in (c, c + step, c - step)
        if correlation <= 1
    ]
    assert np.isclose(mapped[0], c, atol=1e-8)
    if at.chi[0] > 1:
        assert 0 < c < 1
        assert np.isclose(at.xi_c[0], -1 / np.log((mapped[1] - mapped[2]) / 2 / step), rtol=1e-4)
    else:
        assert c == 1
        assert np.isclose(at.xi_c[0], -1 / np.log(slope), rtol=1e-6)

    def growth(variance: float) -> float:
        return w2 * expectation(lambda u, v: f(u) ** 2 + 0 * v, variance, 0)

    assert np.isclose(at.xi_q[0], -1 / np.log((growth(q + step) - growth(q - step)) / 2 / step), rtol=1e-5)


def test_q_and_chi_agree_with_mpmath() -> None:
    mp = pytest.importorskip("mpmath")
    at = phases("tanh", [2.5], [0.2])
    q = mp.mpf(float(at.q[0]))

    def mean(g: Any) -> Any:
        return mp.quad(lambda s: mp.npdf(s) * g(mp.sqrt(q) * s), [-12, -4, 0, 4, 12])

    assert abs(2.5 * mean(lambda a: mp.tanh(a) ** 2) + mp.mpf("0.2") - q) < 1e-13
    assert abs(2.5 * mean(lambda a: mp.sech(a) ** 4) - float(at.chi[0])) < 1e-13


def test_what_is_zero_or_infinite_is_no_rounding_of_it() -> None:
    """Without biases tanh has c* = 0 above the line, and on it, σ_w² = 1, variances take infinitely many layers."""
    at = phases("tanh", [1.0, 2.0, 1.54419284], [0.0, 0.0, 0.02])
    assert at.c[1] == 0
    assert at.xi_q[0] == at.xi_c[2] == np.inf
    assert np.isfinite([at.xi_q[1], at.xi_c[1]]).all()


def test_c_star_and_its_depth_scale_agree_with_mpmath() -> None:
    """By Mehler's series: E[f(u) f(v)] = Σ a_k² c^k/k! of correlated normal u, v, with a_k = E[f(√q s) He_k(s)]."""
    mp = pytest.importorskip("mpmath")
    at = phases("tanh", [4.0], [0.02])
    q, c = mp.mpf(float(at.q[0])), mp.mpf(float(at.c[0]))
    assert 0.05 < c < 0.1

    def term(k: int) -> Any:
        def of(s: Any) -> Any:
            return mp.npdf(s) * mp.tanh(mp.sqrt(q) * s) * mp.hermite(k, s / mp.sqrt(2)) / mp.mpf(2) ** (mp.mpf(k) / 2)

        return (2 * mp.quad(of, [0, 4, 12])) ** 2 / mp.factorial(k)

    terms = {k: term(k) for k in range(1, 14, 2)}
    assert abs(4 * sum(a * c**k for k, a in terms.items()) + mp.mpf("0.02") - q * c) < 1e-10
    slope = 4 * sum(a * k * c ** (k - 1) for k, a in terms.items()) / q
    assert abs(-1 / mp.log(slope) / float(at.xi_c[0]) - 1) < 1e-8


def test_known_critical_lines() -> None:
    """tanh without biases is critical at σ_w² = 1, relu at 2 whatever its biases, sigmoid nowhere up to 100 here."""
    assert abs(critical_line("tanh", [0.0])[0] - 1) < 1e-6
    assert np.abs(critical_line("relu", [0.0, 0.1, 3.0]) - 2).max() < 1e-9
    assert np.isnan(critical_line("sigmoid", [0.1])).all()
    biases = np.linspace(0, 1, 7)
    line = critical_line("tanh", biases)
    assert np.abs(phases("tanh", line, biases).chi - 1).max() < 1e-9
    assert set(phases("tanh", line[1:], biases[1:]).names) == {"edge of chaos"}
    # Controls: beside the line there is one phase on each side.
    assert set(phases("tanh", line[1:] * 1.01, biases[1:]).names) == {"chaotic"}
    assert set(phases("tanh", line * 0.99, biases).names) == {"ordered"}


def test_where_sizes_grow_without_end_correlations_go_to_1_and_the_identitys_stay() -> None:
    """For relu c goes by the arc-cosine kernel to 1 (Cho & Saul 2009), however chaotic gradients are."""
    assert phases("relu", [4.0], [0.1]).c.item() == pytest.approx(1, abs=1e-3)
    w2, b2 = [2.0, 4.0, 1.0, 1.0], [0.02, 0.3, 0.0, 0.1]
    assert np.array_equal(phases("identity", w2, b2).c, [np.nan, np.nan, np.nan, 1.0], equal_nan=True)
    ends = [followed("identity", 4.0, 0.3, 1.0, c, 30)[-1, 1] for c in (0.0, 0.6)]
    assert 0 < ends[0] < 0.1 < 0.6 < ends[1] < 0.7


@pytest.mark.parametrize("activation", ["selu", "softplus"])
def test_the_critical_line_is_where_the_order_ends_first(activation: str) -> None:
    """χ of selu comes back to 1 at σ_w² = 1.8116, whatever the biases, where its variance begins to explode."""
    biases = np.linspace(0, 0.38, 5)
    line = critical_line(activation, biases)
    for share, above in ((0.2, False), (0.6, False), (0.99, False), (1.01, True)):
        assert ((phases(activation, share * line, biases).chi > 1) == above).all(), share


def test_theory_has_the_closed_forms_of_the_error_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """E[f f′] = 2/π arcsin(2 q c/(1 + 2 q)) (Williams 1997) and E[f′²] = 4/π/√(1 + 4 q), of erf as one more row."""
    steepest = 2 / np.sqrt(np.pi)
    row = Activation(lambda a: 2 * sheetsim.normal_probability(np.sqrt(2) * a) - 1, steepest, least=-1, most=1)
    monkeypatch.setitem(ACTIVATIONS, "erf", row)

    def product(q: Any, c: Any) -> Any:
        return 2 / np.pi * np.arcsin(2 * q * c / (1 + 2 * q))

    w2, b2 = np.array([0.9, 2.0, 4.0]), np.array([0.3, 0.1, 0.02])
    at = phases("erf", w2, b2)
    assert np.allclose(w2 * product(at.q, 1) + b2, at.q, rtol=1e-13)
    assert np.allclose(w2 * 4 / np.pi / np.sqrt(1 + 4 * at.q), at.chi, rtol=1e-13)
    assert np.allclose((w2 * product(at.q, at.c) + b2) / at.q, at.c, rtol=1e-9)
    assert at.names == ["ordered", "chaotic", "chaotic"]
    q, c, _ = followed("erf", 2.0, 0.1, 1.0, 0.6, 5).T
    assert np.allclose(2 * product(q[:-1], 1) + 0.1, q[1:], rtol=1e-13)
    assert np.allclose((2 * product(q[:-1], c[:-1]) + 0.1) / q[1:], c[1:], rtol=1e-9)
    line = critical_line("erf", b2)
    q = phases("erf", line, b2).q
    assert np.allclose(line, np.pi / 4 * np.sqrt(1 + 4 * q), rtol=1e-9)
    # The line begins at the square of the inverse slope at 0.
    assert np.isclose(critical_line("erf", [1e-9])[0], np.pi / 4, rtol=1e-2)


def test_without_biases_the_fixed_point_is_that_of_the_theory_of_one_number() -> None:
    for activation in ("tanh", "sigmoid", "relu", "softplus", "selu", "leaky relu"):
        scales = [0.3, 1.0, 1.7, 4.0]
        many = phases(activation, scales, np.zeros(4))
        for k, scale in enumerate(scales):
            one = sheetsim.fixed_point(activation, scale)
            assert np.isclose(many.q[k], one.q, rtol=1e-8, atol=1e-12, equal_nan=True), (activation, scale)
            assert np.isclose(many.chi[k], one.chi, rtol=1e-7), (activation, scale)


def test_relus_correlations_follow_the_arc_cosine_kernel_with_biases() -> None:
    """Of degree 1 (Cho & Saul 2009): E[f(u) f(v)] = q κ(c)/2."""
    q, c = 1.5 * 1.0 + 0.2, (1.5 * 0.3 + 0.2) / 1.7
    for _ in range(4):
        kernel = (np.sqrt(1 - c**2) + (np.pi - np.arccos(c)) * c) / np.pi
        c = (1.5 * q / 2 * kernel + 0.2) / (1.5 * q / 2 + 0.2)
        q = 1.5 * q / 2 + 0.2
    assert np.allclose(followed("relu", 1.5, 0.2, 1.0, 0.3, 5)[-1], (q, c, 0.75), rtol=2e-5)


def test_networks_agree_with_theory_over_seeds() -> None:
    """To four standard errors of the mean, and what finite width makes."""
    frame = sheetsim.replicate("phase-diagram", 30, **SMALL).frame()
    for name in ("q", "c", "chi"):
        for point in (1, 2):
            found, expected = frame.loc[point, name], frame.loc[point, f"{name}_theory"].iloc[0]
            error = found.std() / np.sqrt(len(found))
            assert abs(found.mean() - expected) < 4 * error + 0.05 * max(1, abs(expected)), (name, point)


def test_the_book_verifies_and_its_point_moves(tmp_path: Path) -> None:
    run = sheetsim.run("phase-diagram", **SMALL)
    assert run.verdicts() == ["ordered", "chaotic"]
    path = run.to_excel(tmp_path / "book.xlsx")
    assert verify(path).state == "as made"
    book = ironcalc.load_from_xlsx(str(path), "en", "UTC", "en")
    titles = [sheet.title for sheet in run._layout.sheets]
    for name, value in (("weight_scale", "4"), ("bias_variance", "0.3")):
        place = run._layout.places[run._study.graph[name]]
        book.set_user_input(titles.index(place.sheet), place.row + 1, place.column + 1, value)
    book.evaluate()
    at = phases("tanh", [4.0], [0.3])
    for name, expected in (("q_theory", at.q), ("c_theory", at.c), ("chi_theory", at.chi)):
        place = run._layout.places[run._study.graph[name][-1]]
        said = book.get_cell_value(titles.index(place.sheet), place.row + 1, place.column + 1)
        assert np.isclose(float(said), expected[0], rtol=1e-3), name


def test_heat_maps_have_the_critical_line_and_the_points_on_top(tmp_path: Path) -> None:
    """ReLU's line is σ_w² = 2 for all biases."""
    keys = {"activation": "relu", "weight_variance": [1.0, 3.0], "bias_variance": [0.0, 0.2], "steps": 3}
    run = sheetsim.run("phase-diagram", **keys, points=[[3.0, 0.2], [9.0, 0.1]], units=4, layers=2, pairs=2)
    sheet = openpyxl.load_workbook(run.to_excel(tmp_path / "book.xlsx"))["Heat maps"]
    top = next(row for row in range(1, 20) if str(sheet.cell(row, 1).value).startswith("σ_b²")) + 1
    boxes = [[sheet.cell(row, column).border.left.style for column in (2, 3, 4)] for row in range(top, top + 3)]
    assert boxes == [[None, "thin", "medium"], [None, "thin", None], [None, "thin", None]]


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"activation": "gelu"}, "activation must be one of sigmoid, tanh, relu, .* not 'gelu'"),
        ({"steps": 1}, "steps must be 2 to 60, not 1"),
        ({"weight_variance": (2.0, 1.0)}, "weight_variance must be two numbers from 0 to 100, the lower first"),
        ({"points": [(0.0, 1.0)]}, "points: .0, 1. must be a variance of weights above 0"),
        ({"correlation": 1.0}, "correlation must be at least 0 and below 1, not 1"),
    ],
)
def test_impossible_parameters_are_refused(keys: dict[str, Any], sentence: str) -> None:
    with pytest.raises(sheetsim.SheetsimError, match=sentence):
        sheetsim.PhaseDiagram(**keys)
