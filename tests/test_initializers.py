"""Initializers: each is a standard deviation and draws of its own, in a model, a study, its book and its replicates."""

import math
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from conftest import small_run
from engines import differences, ironcalc_cells, poison
from scipy import stats

import sheetsim
from sheetsim.errors import SheetsimError
from sheetsim.model.draws import stream
from sheetsim.model.initializers import SCHEMES
from sheetsim.model.sampling import DESIGNS, orthogonal_draws
from sheetsim.runs.replicates_plan import child_seed
from sheetsim.studies.forward.study import Forward

FAN_IN, FAN_OUT = 60, 40
# The schemes by the draws that a drop-down cannot change.
FAMILIES = (
    ("std 1", "std 0.01", "xavier", "lecun", "lecun normal", "glorot", "he", "zeros"),
    ("glorot uniform", "he uniform"),
    ("orthogonal",),
)
SDS = {
    "std 1": 1,
    "std 0.01": 0.01,
    **dict.fromkeys(("xavier", "lecun", "lecun normal"), 60**-0.5),
    **dict.fromkeys(("glorot", "glorot uniform"), 0.02**0.5),
    **dict.fromkeys(("he", "he uniform"), 30**-0.5),
    "zeros": 0,
    "orthogonal": 60**-0.5,
}


def drawn(scheme: str, seed: int = 0, shape: tuple[int, int] = (FAN_IN, FAN_OUT)) -> sheetsim.Run:
    model = sheetsim.Model(seed=seed)
    model.weights("W_1", scheme, shape)
    return model.run()


def test_every_scheme_is_in_a_family() -> None:
    assert {name for family in FAMILIES for name in family} == set(SCHEMES) == set(SDS)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_weights_have_the_standard_deviation_that_is_said(scheme: str) -> None:
    run = drawn(scheme)
    assert run["sd_1"] == pytest.approx(SDS[scheme], rel=1e-15)
    squares = np.concatenate([drawn(scheme, seed)["e_1"].ravel() for seed in range(10)]) ** 2
    # Uniform draws vary less in their squares (4/5) than normal ones (2); orthogonal ones not at all in their mean.
    error = 1e-13 if scheme == "orthogonal" else 4 * math.sqrt((0.8 if "uniform" in scheme else 2) / squares.size)
    assert squares.mean() == pytest.approx(1, abs=error)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_draws_follow_their_law(scheme: str) -> None:
    e = np.concatenate([drawn(scheme, seed)["e_1"].ravel() for seed in range(5)])
    laws = {"normal": stats.norm, "uniform": stats.uniform(-math.sqrt(3), 2 * math.sqrt(3))}
    # An element of a uniform direction in 60 dimensions is nearly normal: its square is a beta number.
    laws["orthogonal"] = stats.rdist(FAN_IN - 1, scale=math.sqrt(FAN_IN))
    own = "uniform" if "uniform" in scheme else scheme if scheme == "orthogonal" else "normal"
    assert stats.kstest(e, laws[own].cdf).pvalue > 1e-3
    if own != "orthogonal":
        assert stats.kstest(e, laws["uniform" if own == "normal" else "normal"].cdf).pvalue < 1e-9


def test_uniform_weights_lie_within_the_bounds_of_the_papers() -> None:
    for scheme, bound in (("glorot uniform", math.sqrt(6 / 100)), ("he uniform", math.sqrt(6 / 60))):
        W = np.abs(drawn(scheme)["W_1"])
        assert 0.99 * bound < W.max() <= bound


@pytest.mark.parametrize("shape", [(30, 30), (60, 40), (40, 60), (1, 5), (5, 1), (1, 1)])
def test_orthogonal_weights_are_orthonormal_by_columns_or_rows(shape: tuple[int, int]) -> None:
    W = np.reshape(drawn("orthogonal", shape=shape)["W_1"], shape)
    product = W.T @ W if shape[0] >= shape[1] else W @ W.T
    np.testing.assert_allclose(product, np.eye(min(shape)), atol=1e-12)


def test_orthogonal_has_a_gain() -> None:
    model = sheetsim.Model()
    W = model.weights("W_1", sheetsim.orthogonal(2.0), (6, 4))
    run = model.run()
    np.testing.assert_allclose(run["W_1"].T @ run["W_1"], 4 * np.eye(4), atol=1e-12)
    assert "MAX(ROWS(e_1),COLUMNS(e_1))" in run._layout.formulas[W.args[0]]


def test_the_signs_of_orthogonal_matrices_are_those_of_chance() -> None:
    """Uniform among orthogonal matrices.

    The trace of Q has mean 0 and variance 1, and its determinant both signs equally often (Diaconis & Shahshahani
    1994). Without the sign of R's diagonal LAPACK's Q has a trace far below 0.
    """
    n, count = 4, 4000
    generator = stream(1, "Q")
    found = np.array([orthogonal_draws(generator, (n, n)) / math.sqrt(n) for _ in range(count)])
    traces = np.trace(found, axis1=1, axis2=2)
    assert traces.mean() == pytest.approx(0, abs=4 / math.sqrt(count))
    # The fourth moment of a trace is 3, so that its square has variance 2.
    assert traces.var() == pytest.approx(1, abs=4 * math.sqrt(2 / count))
    assert np.sign(np.linalg.det(found)).mean() == pytest.approx(0, abs=4 / math.sqrt(count))
    raw = np.array([np.trace(np.linalg.qr(generator.standard_normal((n, n)))[0]) for _ in range(400)])
    assert raw.mean() < -0.5


@pytest.mark.parametrize("scheme", ["glorot uniform", "orthogonal"])
def test_a_matrix_more_changes_no_others_draws(scheme: str) -> None:
    one, two = sheetsim.Model(seed=4), sheetsim.Model(seed=4)
    one.weights("W_2", scheme, (5, 5))
    for name in ("W_1", "W_2", "W_3"):
        two.weights(name, scheme, (5, 5))
    np.testing.assert_array_equal(one.run()["e_2"], two.run()["e_2"])
    assert not np.array_equal(two.run()["e_2"], two.run()["e_3"])


@pytest.mark.parametrize("scheme", ["he uniform", "orthogonal"])
def test_the_same_seed_gives_the_same_bytes(scheme: str, tmp_path: Path) -> None:
    first, second = (small_run(initializer=scheme).to_excel(tmp_path / name) for name in ("1.xlsx", "2.xlsx"))
    assert first.read_bytes() == second.read_bytes()


def test_orthogonal_weights_and_the_identity_keep_norms_at_every_depth() -> None:
    runs = []
    # The control: normal weights of the same standard deviation keep them in the mean alone.
    for scheme in ("orthogonal", "lecun normal"):
        model = sheetsim.Model()
        z = model.input("x", sheetsim.normal(), (20, 12))
        for layer in range(1, 31):
            z = model.define(f"z_{layer}", z @ model.weights(f"W_{layer}", scheme, (12, 12)))
        runs.append(model.run())
    kept, other = ([np.linalg.norm(run[f"z_{k}"], axis=1) for k in range(1, 31)] for run in runs)
    norms = np.linalg.norm(runs[0]["x"], axis=1)
    for own in kept:
        np.testing.assert_allclose(own, norms, rtol=1e-12)
    assert np.ptp(other[-1] / norms) > 0.1


def test_a_drop_down_offers_the_schemes_of_the_books_own_draws() -> None:
    for family in FAMILIES:
        for scheme in family:
            graph = Forward(layers=[3], initializer=scheme).build().graph
            assert graph["initializer"].source.options == (*family, "custom")
    lists = {
        ("he", "glorot", 0.2): FAMILIES[0],
        ("he uniform", "he uniform"): FAMILIES[1],
        ("he uniform", "he"): (),
    }
    for schemes, offered in lists.items():
        graph = Forward(layers=[3] * len(schemes), initializer=list(schemes)).build().graph
        assert graph["initializer"].source.options == (*offered, "custom", "per layer")
        assert [graph[f"e_{k}"].source.law for k in (1, 2)] == [SCHEMES_LAW[str(scheme)] for scheme in schemes[:2]]


SCHEMES_LAW = {
    **dict.fromkeys(("he", "glorot"), "normal(mean 0, std 1)"),
    "he uniform": "uniform(low -1.73205, high 1.73205)",
}


@pytest.mark.parametrize(
    ("made", "chosen"),
    [("he uniform", "glorot uniform"), ("glorot uniform", "he uniform"), ("orthogonal", "custom")],
)
def test_ironcalc_follows_the_drop_down_with_the_same_draws(made: str, chosen: str, tmp_path: Path) -> None:
    run = small_run(initializer=made)
    assert poison(run.to_excel(tmp_path / "book.xlsx"), tmp_path / "same.xlsx")
    assert differences(run, ironcalc_cells(tmp_path / "same.xlsx"), 1e-11) == []
    if chosen != "custom":
        poison(tmp_path / "book.xlsx", tmp_path / "other.xlsx", {"initializer": chosen})
        other = small_run(initializer=chosen)
        assert differences(other, ironcalc_cells(tmp_path / "other.xlsx"), 1e-11) == []


@pytest.mark.parametrize("scheme", ["he uniform", "orthogonal"])
def test_a_replicate_is_the_run_with_its_seed(scheme: str) -> None:
    study = Forward(samples=20, inputs=6, layers=[6, 5], initializer=scheme, seed=3)
    found = sheetsim.replicate(study, 3)
    for k in range(3):
        one = sheetsim.run(study, seed=child_seed(3, k)).summary()
        assert found._rows[k, 1:][[label == (2, "std") for label in found.labels]] == pytest.approx(one["std"][2])


def test_theory_is_that_of_independent_weights() -> None:
    """Of infinitely wide layers the law of the weights is nothing but its variance; orthogonal ones are no such law."""
    studies = {name: Forward(samples=20, layers=[8] * 2, inputs=8, initializer=name) for name in ("he", "he uniform")}
    he, uniform = (sheetsim.replicate(study, 3).statistics()["theory"] for study in studies.values())
    np.testing.assert_array_equal(he, uniform)
    assert he.notna().any()
    bare = sheetsim.replicate(Forward(samples=20, layers=[8] * 2, inputs=8, initializer="orthogonal"), 3)
    assert "theory" not in bare.statistics() or bare.statistics()["theory"].isna().all()
    assert any("orthogonal weights are not independent" in note for note in bare.notes)


def test_a_models_book_says_what_its_weights_were_drawn_as(tmp_path: Path) -> None:
    model = sheetsim.Model()
    model.weights("W_1", "orthogonal", (4, 3))
    model.weights("W_2", "he uniform", (3, 2))
    book = openpyxl.load_workbook(model.to_excel(tmp_path / "model.xlsx"))
    said = [str(cell.value) for row in book["About"].iter_rows() for cell in row if cell.value]
    assert "4 × 3, drawn: orthogonal" in said
    assert "3 × 2, drawn: uniform(low -1.73205, high 1.73205)" in said
    assert "SciPy" not in "".join(said)


def test_orthogonal_is_no_design_of_inputs_and_no_legacy_draw() -> None:
    assert "orthogonal" not in DESIGNS
    with pytest.raises(SheetsimError, match="sampling must be one of random"):
        sheetsim.Model().input("x", sheetsim.normal(), (4, 4), sampling="orthogonal")
    with pytest.raises(SheetsimError, match="use draws pcg64"):
        sheetsim.Model(draws="mt19937").weights("W_1", "orthogonal", (4, 4))
    with pytest.raises(SheetsimError, match="use draws pcg64"):
        sheetsim.Model(draws="mt19937").weights("W_1", "he uniform", (4, 4))
