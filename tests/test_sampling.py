"""How inputs are drawn: designs, distributions, correlations, pieces. Tolerances are Monte Carlo errors."""

import itertools
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from conftest import small_run
from scipy import stats

import sheetsim
from sheetsim.audit.verify import verify
from sheetsim.errors import SheetsimError
from sheetsim.model.distributions import distribution, normal, uniform
from sheetsim.model.draws import Distribution, as_distribution
from sheetsim.model.families import BUILT_IN
from sheetsim.model.sampling import DESIGNS, Draw, as_correlation

# Ours beside SciPy's of the same law.
CONTINUOUS = [
    (normal(1, 2), stats.norm(1, 2)),
    (uniform(-1, 3), stats.uniform(-1, 4)),
    (distribution("lognormal", mean=0.5, std=0.25), stats.lognorm(0.25, scale=np.exp(0.5))),
    (distribution("student_t", df=9), stats.t(9)),
    (distribution("gamma", a=2, scale=1.5), stats.gamma(2, scale=1.5)),
    (distribution("beta", a=2, b=3, loc=-1), stats.beta(2, 3, loc=-1)),
    (sheetsim.triangular(-1, 0, 3), stats.triang(0.25, loc=-1, scale=4)),
    (sheetsim.pert(20, 25, 40), stats.beta(2, 4, loc=20, scale=20)),
    # Terms in the logit alone: a logistic distribution with median 1 and scale 2.
    (sheetsim.metalog({0.1: 1 - 2 * np.log(9), 0.5: 1, 0.9: 1 + 2 * np.log(9)}), stats.logistic(1, 2)),
    (sheetsim.truncated(normal(1, 2), low=0, high=4), stats.truncnorm(-0.5, 1.5, loc=1, scale=2)),
    (sheetsim.truncated(normal(), low=5), stats.truncnorm(5, np.inf)),
]
DISCRETE = [
    (distribution("bernoulli", p=0.3), stats.bernoulli(0.3)),
    (distribution("binom", n=5, p=0.4), stats.binom(5, 0.4)),
    (distribution("poisson", mu=2.5), stats.poisson(2.5)),
    (distribution("ones"), stats.binom(1, 1)),
    (sheetsim.discrete([3, 0, 2], [1, 5, 4]), stats.rv_discrete(values=([0, 2, 3], [0.5, 0.4, 0.1]))),
    (sheetsim.empirical([4, 1, 1, 2]), stats.rv_discrete(values=([1, 2, 4], [0.5, 0.25, 0.25]))),
]
EVERY = [*CONTINUOUS, *DISCRETE]
# The first of each name: truncated ones come later.
OURS = {ours.name: ours for ours, _ in reversed(EVERY) if ours.name in BUILT_IN}
MATRIX = np.array([[1.0, 0.7, -0.2], [0.7, 1.0, 0.1], [-0.2, 0.1, 1.0]])

# Two-sided, of a normal deviate: about one in two million.
SIGMAS = 5


def named(cases: list) -> list:
    return [pytest.param(*case, id=case[0].name) for case in cases]


def draw(of: object, design: str = "random", correlation: object = None, seed: int = 0, inputs: int = 3) -> Draw:
    mixing = None if correlation is None else as_correlation(correlation, inputs)
    return Draw(of, seed, "x", design, mixing)  # type: ignore[arg-type]


def test_every_distribution_of_ours_is_tested() -> None:
    assert set(BUILT_IN) - set(OURS) == set(), "CONTINUOUS or DISCRETE of this file has no such distribution"


@pytest.mark.parametrize(("ours", "scipys"), named(CONTINUOUS))
def test_random_draws_follow_the_law(ours: object, scipys: object) -> None:
    x = draw(ours, seed=1).sample((4000, 1)).ravel()
    assert stats.kstest(x, scipys.cdf).pvalue > 1e-4
    assert stats.kstest(x + scipys.std() / 5, scipys.cdf).pvalue < 1e-4


@pytest.mark.parametrize("design", ["lhs", "sobol"])
@pytest.mark.parametrize(("ours", "scipys"), named(CONTINUOUS))
def test_a_stratified_column_is_within_a_sample_of_the_law(ours: object, scipys: object, design: str) -> None:
    for column in draw(ours, design).sample((256, 5)).T:
        assert stats.kstest(column, scipys.cdf).statistic <= 1 / 256 + 1e-9


@pytest.mark.parametrize("design", ["lhs", "sobol"])
@pytest.mark.parametrize(("ours", "scipys"), named(DISCRETE))
def test_a_stratified_column_has_the_shares_of_the_law(ours: object, scipys: object, design: str) -> None:
    for column in draw(ours, design).sample((256, 5)).T:
        for k in range(12):
            assert abs(np.mean(column <= k) - scipys.cdf(k)) <= 1 / 256 + 1e-9


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize(("ours", "scipys"), named(EVERY))
def test_moments_are_those_of_the_law_and_of_the_draws(ours: object, scipys: object, design: str) -> None:
    assert ours.mean == pytest.approx(scipys.mean(), rel=1e-12, abs=1e-12)
    assert ours.second_moment == pytest.approx(scipys.var() + scipys.mean() ** 2, rel=1e-12)
    x = draw(ours, design, seed=2).sample((4096, 4))
    # The mirrored half repeats, for the second moment, what the first says.
    independent = x.size / (2 if design == "antithetic" else 1)
    for values, expected in ((x, ours.mean), (x * x, ours.second_moment)):
        assert abs(values.mean() - expected) <= SIGMAS * values.std() / np.sqrt(independent)


@pytest.mark.parametrize(
    ("of", "mean", "second"),
    [
        (distribution("student_t", df=2), 0, np.inf),
        (distribution("student_t", df=1), np.nan, np.inf),
        (distribution("lognormal", std=40), np.inf, np.inf),
        (distribution("levy"), np.inf, np.inf),
        (distribution("lomax", c=1.5), 2, np.inf),
        (distribution("cauchy"), np.nan, np.nan),
    ],
)
def test_moments_that_diverge_are_infinite(of: object, mean: float, second: float) -> None:
    np.testing.assert_equal((of.mean, of.second_moment), (mean, second))


@pytest.mark.parametrize(("ours", "scipys"), named(CONTINUOUS))
def test_antithetic_halves_mirror_each_other_on_the_scale_of_quantiles(ours: object, scipys: object) -> None:
    first, second = np.split(draw(ours, "antithetic").sample((200, 3)), 2)
    np.testing.assert_allclose(scipys.cdf(first) + scipys.cdf(second), 1, atol=1e-12)


def test_antithetic_pairs_of_a_normal_have_twice_its_mean_as_sum() -> None:
    first, second = np.split(draw(normal(), "antithetic", 0.4).sample((200, 3)), 2)
    np.testing.assert_array_equal(first + second, 0)
    plain = draw(normal(), "antithetic").sample((200, 3))
    np.testing.assert_array_equal(plain[:100], draw(normal()).sample((100, 3)))
    first, second = np.split(draw(normal(3, 2), "antithetic").sample((200, 3)), 2)
    np.testing.assert_allclose(first + second, 6, rtol=4 * np.finfo(float).eps)


def test_a_latin_hypercube_has_one_sample_in_each_stratum_of_each_input() -> None:
    u = stats.norm.cdf(draw(normal(), "lhs").sample((137, 6)))
    np.testing.assert_array_equal(np.sort(np.floor(u * 137), axis=0), np.arange(137)[:, None].repeat(6, axis=1))


def test_sobol_is_balanced_in_every_dyadic_box_of_its_first_two_inputs() -> None:
    u = stats.norm.cdf(draw(normal(), "sobol", seed=3).sample((256, 2)))
    for power in range(9):
        boxes = np.floor(u * [2**power, 2 ** (8 - power)])
        assert len(np.unique(boxes, axis=0)) == 256
    control = stats.norm.cdf(draw(normal(), "lhs", seed=3).sample((256, 2)))
    assert len(np.unique(np.floor(control * 16), axis=0)) < 256


def test_designs_lower_the_variance_of_a_linear_mean_as_theory_says() -> None:
    samples, seeds, weights = 64, 200, np.array([1.0, -2.0, 3.0])
    random = weights @ weights / 12 / samples
    measured = {
        design: np.var(
            [(draw(uniform(), design, seed=seed).sample((samples, 3)) @ weights).mean() for seed in range(seeds)],
            ddof=1,
        )
        for design in DESIGNS
    }
    low, high = stats.chi2(seeds - 1).ppf([1e-6, 1 - 1e-6]) / (seeds - 1)
    assert low < measured["random"] / random < high
    # A sample is uniform in its stratum, which is n times as narrow.
    assert low < measured["lhs"] / (random / samples**2) < high
    assert measured["antithetic"] < 1e-28
    assert measured["sobol"] < random / samples


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("correlation", [0.6, -0.4, MATRIX], ids=["0.6", "-0.4", "matrix"])
def test_the_correlation_of_normal_inputs_is_the_one_asked_for(design: str, correlation: object) -> None:
    wanted = correlation if isinstance(correlation, np.ndarray) else np.full((3, 3), correlation)
    x = draw(normal(2, 3), design, correlation, seed=4).sample((8192, 3))
    independent = 8192 / (2 if design == "antithetic" else 1)
    found = np.corrcoef(x.T)
    np.testing.assert_allclose(x.std(axis=0), 3, rtol=SIGMAS / np.sqrt(2 * independent))
    for r, c in itertools.combinations(range(3), 2):
        error = (1 - wanted[r, c] ** 2) / np.sqrt(independent)
        assert abs(found[r, c] - wanted[r, c]) <= SIGMAS * error
        # Control: the check tells this correlation from one that is a little smaller, and from none.
        assert abs(found[r, c] - wanted[r, c] * 0.2) > SIGMAS * error or abs(wanted[r, c]) < 0.3


@pytest.mark.parametrize(("ours", "scipys"), named(CONTINUOUS))
def test_a_copula_keeps_the_law_and_has_the_rank_correlation_of_its_normal_scores(ours: object, scipys: object) -> None:
    x = draw(ours, "random", MATRIX, seed=5).sample((4096, 3))
    for column in x.T:
        assert stats.kstest(column, scipys.cdf).pvalue > 1e-4
    ranks = stats.spearmanr(x).statistic
    for r, c in itertools.combinations(range(3), 2):
        assert abs(ranks[r, c] - 6 / np.pi * np.arcsin(MATRIX[r, c] / 2)) <= SIGMAS / np.sqrt(4095)
    free = stats.spearmanr(draw(ours, seed=5).sample((4096, 3))).statistic
    assert abs(free[0, 1] - 6 / np.pi * np.arcsin(0.35)) > SIGMAS / np.sqrt(4095)


@pytest.mark.parametrize("correlation", [1, -0.5, np.ones((3, 3)), 1.5 * np.eye(3) - 0.5], ids=["1", "-1/2", "J", "-J"])
def test_singular_correlations_are_allowed(correlation: object) -> None:
    x = draw(normal(), "random", correlation).sample((100, 3))
    if np.min(correlation) > 0:
        np.testing.assert_allclose(x, x[:, :1].repeat(3, axis=1), atol=1e-6)
    else:
        np.testing.assert_allclose(x.sum(axis=1), 0, atol=1e-6)


def test_a_number_and_the_matrix_that_it_stands_for_give_the_same_draws() -> None:
    matrix = np.full((5, 5), 0.3) + 0.7 * np.eye(5)
    one = draw(normal(), "sobol", 0.3, inputs=5).sample((64, 5))
    np.testing.assert_allclose(one, draw(normal(), "sobol", matrix, inputs=5).sample((64, 5)), atol=1e-12)


@pytest.mark.parametrize(
    ("correlation", "sentence"),
    [
        (1.1, "between -0.5 and 1, not 1.1"),
        (-0.6, "between -0.5 and 1, not -0.6"),
        (np.nan, "must be finite"),
        (np.eye(2), "is 2×2, but must be 3×3"),
        (np.ones((3, 2)), "is 3×2, but must be 3×3"),
        ([[1, 0.5, 0], [0.4, 1, 0], [0, 0, 1]], "symmetric: row 1, column 2"),
        (2 * np.eye(3), "ones on its diagonal: row 1"),
        ([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]], "positive semi-definite: its smallest eigenvalue is -0.8"),
        ([[1, 0.5], [0.5]], "a number or a square matrix"),
        ([1, 2, 3], "a number or a square matrix"),
        ([["1", "0"], ["0", "1"]], "a number or a square matrix"),
        (True, "a number or a square matrix"),
        ([[1, 10**400], [0, 1]], "a number or a square matrix|too large a whole number"),
    ],
)
def test_what_is_no_correlation_is_refused(correlation: object, sentence: str) -> None:
    with pytest.raises(SheetsimError, match=sentence):
        sheetsim.run("relu-he", inputs=3, layers=[2], input={"distribution": "normal", "correlation": correlation})
    with pytest.raises(SheetsimError, match=f"x: correlation.*{sentence}"):
        sheetsim.Model().input("x", normal(), (4, 3), correlation=correlation)


@pytest.mark.parametrize("rows", [1, 7, 64, 1000])
@pytest.mark.parametrize("law", OURS.values(), ids=OURS)
def test_pieces_are_the_whole(law: Distribution, rows: int) -> None:
    made = draw(law, seed=6)
    assert made.is_plain
    pieces = list(made.pieces((100, 5), rows))
    assert [len(piece) for piece in pieces[:-1]] == [rows] * (len(pieces) - 1)
    np.testing.assert_array_equal(np.concatenate(pieces), made.sample((100, 5)))
    other = np.concatenate(list(made.pieces((100, 5), rows, seed=7)))
    np.testing.assert_array_equal(other, draw(law, seed=7).sample((100, 5)))


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("correlation", [None, 0.5, MATRIX], ids=["free", "0.5", "matrix"])
@pytest.mark.parametrize("of", [normal(), distribution("gamma", a=2)], ids=["normal", "gamma"])
def test_pieces_of_any_other_draw_are_cut_from_the_whole(design: str, correlation: object, of: object) -> None:
    made = draw(of, design, correlation)
    np.testing.assert_array_equal(np.concatenate(list(made.pieces((64, 3), 10))), made.sample((64, 3)))


def test_pieces_of_a_plain_draw_need_no_memory_for_the_whole() -> None:
    pieces = draw(normal()).pieces((10**12, 1000), 2)
    np.testing.assert_array_equal(next(pieces), draw(normal()).sample((2, 1000)))


@pytest.mark.parametrize("design", DESIGNS)
def test_a_draw_depends_on_seed_and_name_alone(design: str) -> None:
    made = draw(normal(), design, seed=1).sample((64, 3))
    np.testing.assert_array_equal(draw(normal(), design, seed=1).sample((64, 3)), made)
    np.testing.assert_array_equal(draw(normal(), design, seed=2).sample((64, 3), seed=1), made)
    assert not np.array_equal(draw(normal(), design, seed=2).sample((64, 3)), made)
    assert not np.array_equal(Draw(normal(), 1, "y", design).sample((64, 3)), made)


@pytest.mark.parametrize(
    ("frozen", "name", "parameters"),
    [
        (stats.gamma(2.0), "gamma", {"a": 2, "loc": 0, "scale": 1}),
        (stats.gamma(2, -1, scale=3), "gamma", {"a": 2, "loc": -1, "scale": 3}),
        (stats.beta(b=2, a=1), "beta", {"a": 1, "b": 2, "loc": 0, "scale": 1}),
        (stats.norm(1, 2), "norm", {"loc": 1, "scale": 2}),
        (stats.uniform(-1, 3), "uniform", {"low": -1, "high": 2}),
        (stats.bernoulli(0.3), "bernoulli", {"p": 0.3}),
        (stats.bernoulli(0.3, loc=-1), "binom", {"n": 1, "p": 0.3, "loc": -1}),
        (stats.randint(0, np.int64(6)), "randint", {"low": 0, "high": 6, "loc": 0}),
    ],
)
def test_a_frozen_distribution_is_told_by_name_and_parameters(frozen: object, name: str, parameters: dict) -> None:
    found = as_distribution(frozen)
    assert (found.name, dict(found.parameters)) == (name, parameters)
    x = draw(found, seed=8).sample((4000, 1))
    assert abs(x.mean() - frozen.mean()) <= SIGMAS * frozen.std() / np.sqrt(4000)
    np.testing.assert_allclose(found.mean, frozen.mean())


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (stats.gamma, "gamma is not a frozen distribution"),
        (stats.multivariate_normal([0, 0]), "not a frozen distribution of single numbers"),
        (stats.gamma([1, 2]), "gamma has an array as a parameter"),
        (stats.rv_discrete(values=([1, 2], [0.5, 0.5]))(), "is not one of scipy.stats by name"),
        (stats.gamma(-1), "outside of what scipy.stats.gamma allows"),
        ({"distribution": stats.gamma(1), "a": 2}, "input.a is given, but the distribution"),
        ({"distribution": "gamma", "a": 1, "scale": 0}, "outside of what scipy.stats.gamma allows"),
        ({"distribution": "binom", "n": 2.5, "p": 0.5}, "outside of what scipy.stats.binom allows"),
        ({"distribution": "gamma", "a": np.inf}, "gamma: a must be a finite number"),
        ({"distribution": 5}, "input.distribution must be text"),
        ({"distribution": "pareto", "b": 1e-3}, "x: pareto.* too large"),
        ({"distribution": "lognormal", "std": 1000}, "x: lognormal.* too large"),
        ({"distribution": "poisson", "mu": 1e30}, "cannot be drawn"),
    ],
)
def test_what_cannot_be_drawn_is_refused(given: object, sentence: str) -> None:
    with pytest.raises(SheetsimError, match=sentence):
        sheetsim.run("relu-he", samples=64, inputs=4, layers=[2], input=given)


def test_draws_that_are_not_finite_are_refused_under_every_design() -> None:
    for design in DESIGNS:
        with pytest.raises(SheetsimError, match="too large"):
            draw(distribution("pareto", b=1e-3), design).sample((256, 4))


def test_data_have_no_design() -> None:
    with pytest.raises(SheetsimError, match="sampling must be random"):
        sheetsim.run("relu-he", input=MATRIX, layers=[2], sampling="lhs")
    for keys in ({"sampling": "lhs"}, {"correlation": 0.5}):
        with pytest.raises(SheetsimError, match="apply to distributions"):
            sheetsim.Model().input("x", MATRIX, **keys)


@pytest.mark.parametrize("design", DESIGNS)
def test_a_model_takes_designs_frozen_distributions_and_correlations(design: str) -> None:
    model = sheetsim.Model(seed=1)
    model.input("x", stats.gamma(2.0), (64, 3), sampling=design, correlation=MATRIX)
    expected = draw(distribution("gamma", a=2), design, MATRIX, seed=1).sample((64, 3))
    np.testing.assert_array_equal(model.run()["x"], expected)


@pytest.mark.parametrize("overrides", [{"samples": 64}, {"samples": 64, "sampling": "sobol"}])
def test_a_distribution_from_python_keeps_the_templates_sizes(overrides: dict) -> None:
    assert sheetsim.run("relu-he", input=uniform(), layers=[2], inputs=9, **overrides)["x"].shape == (64, 9)


BOOKS = {
    "lhs": {"sampling": "lhs"},
    "antithetic": {"sampling": "antithetic"},
    "sobol": {"sampling": "sobol", "samples": 32},
    "gamma": {"input": {"distribution": "gamma", "a": 2, "scale": 1.5}},
    "frozen": {"input": stats.gamma(2.0, scale=1.5), "sampling": "lhs"},
    "equal": {"input": {"distribution": "uniform", "low": -1, "correlation": 0.5}},
    "matrix": {"input": {"distribution": stats.poisson(np.float64(3)), "correlation": MATRIX}, "inputs": 3},
}


@pytest.mark.parametrize(
    "overrides",
    [
        pytest.param(keys, id=name, marks=() if name == "antithetic" else pytest.mark.slow)
        for name, keys in BOOKS.items()
    ],
)
def test_books_are_made_again_by_their_command_and_agree_with_an_engine(tmp_path: Path, overrides: dict) -> None:
    path = small_run(**overrides).to_excel(tmp_path / "first.xlsx")
    assert small_run(**overrides).to_excel(tmp_path / "second.xlsx").read_bytes() == path.read_bytes()
    cells = {row[0]: row[1] for row in openpyxl.load_workbook(path)["About"].iter_rows(values_only=True)}
    assert "SciPy" in cells["versions"]
    command = [*shlex.split(cells["command"]), "--output", str(tmp_path / "again.xlsx")]
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True)
    assert (tmp_path / "again.xlsx").read_bytes() == path.read_bytes()
    checked = verify(path)
    assert (checked.ok, checked.state) == (True, "as made")


def test_a_plain_book_says_nothing_of_sampling(small_book: Path) -> None:
    cells = {row[0]: row[1] for row in openpyxl.load_workbook(small_book)["About"].iter_rows(values_only=True)}
    assert "sampling" not in cells
    assert "SciPy" not in cells["versions"]


def test_a_correlation_too_long_for_about_is_refused() -> None:
    matrix = np.corrcoef(np.random.default_rng(0).normal(size=(60, 200)))
    with pytest.raises(SheetsimError, match=r"on sheet 'About' has .* characters; a cell holds 32,767"):
        sheetsim.run("relu-he", inputs=60, layers=[2], input={"distribution": "normal", "correlation": matrix})
    model = sheetsim.Model()
    model.input("x", normal(), (4, 60), correlation=matrix)
    assert np.isfinite(model.run()["x"]).all()


@pytest.mark.parametrize("seed", range(5))
def test_over_mirrored_samples_relu_halves_the_second_moment_exactly(seed: int) -> None:
    claims = small_run(seed=seed, layers=[30, 30], samples=64, sampling="antithetic").claims()
    assert abs(claims.loc["relu_halves_second_moment", "ratio_1"] - 0.5) < 1e-12
    assert claims.loc["relu_halves_second_moment", "verdict_1"] == "holds"


def test_a_correlation_matrix_may_come_from_a_file(tmp_path: Path) -> None:
    matrix = 0.3 + 0.7 * np.eye(90)
    np.savetxt(tmp_path / "r.csv", matrix, delimiter=",")
    given = {"distribution": "normal", "correlation": str(tmp_path / "r.csv")}
    shape = {"samples": 50, "inputs": 90, "layers": [5]}
    x = sheetsim.run("relu-he", input=given, **shape)["x"]
    number = sheetsim.run("relu-he", input={**given, "correlation": 0.3}, **shape)["x"]
    np.testing.assert_allclose(x, number, rtol=1e-9, atol=1e-12)
    with pytest.raises(SheetsimError, match=r"input\.correlation: there is no file"):
        sheetsim.run("relu-he", input={**given, "correlation": "nowhere.csv"}, **shape)
    with pytest.raises(SheetsimError, match="90"):
        sheetsim.run("relu-he", input=given, samples=50, inputs=8, layers=[5])


def test_legacy_draws_are_one_run_of_randn() -> None:
    """Odd sizes too: the generator keeps the second number of a pair for the next matrix."""
    shapes = [(3, 3), (1, 5), (4, 2), (1, 1), (7, 3)]
    for seed in (0, 3, 2**32 - 1):
        model = sheetsim.Model(seed=seed, draws="mt19937")
        for k, shape in enumerate(shapes):
            model.input(f"x_{k}", normal(), shape)
        W = model.weights("W_1", sheetsim.scaled(0.5), (3, 5))
        moved = model.input("moved", normal(2, 3), (2, 2))
        run, script = model.run(), np.random.RandomState(seed)
        for k, shape in enumerate(shapes):
            np.testing.assert_array_equal(np.atleast_2d(run[f"x_{k}"]), script.randn(*shape))
        np.testing.assert_array_equal(run[W.name], 0.5 * script.randn(3, 5))
        np.testing.assert_array_equal(run[moved.name], script.normal(2, 3, (2, 2)))


def test_legacy_draws_in_pieces_and_of_another_seed_are_the_same_numbers() -> None:
    from sheetsim.engine.evaluate import Program

    model = sheetsim.Model(seed=3, draws="mt19937")
    first, x = model.input("first", normal(), (3, 1)), model.input("x", normal(), (11, 3))
    assert isinstance(x.source, Draw)
    whole = x.source.sample(x.shape)
    for rows in (1, 4, 11, 20):
        np.testing.assert_array_equal(np.concatenate(list(x.source.pieces(x.shape, rows))), whole)
    found, script = Program([x, first])(seed=8), np.random.RandomState(8)
    np.testing.assert_array_equal(found[first], script.randn(3, 1))
    np.testing.assert_array_equal(found[x], script.randn(11, 3))
    assert not np.isclose(found[x], whole).any()


def test_a_long_run_is_passed_over_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    from sheetsim.model import draws

    monkeypatch.setattr(draws, "PASSED_OVER", 7)
    script = np.random.RandomState(5).randn(40)
    for before in (0, 6, 7, 8, 21):
        np.testing.assert_array_equal(draws.legacy_stream(5, before).randn(3), script[before : before + 3])


def test_default_streams_do_not_know_of_the_legacy_generator() -> None:
    """The numbers of a matrix are those of its name, whatever was named before it; pinned to what they always were."""
    one, two = sheetsim.Model(seed=3), sheetsim.Model(seed=3, draws="pcg64")
    one.input("other", normal(), (5, 5))
    for model in (one, two):
        x = model.input("x", normal(), (2, 2))
        np.testing.assert_array_equal(model.run()["x"], draw(normal(), seed=3).sample(x.shape))
    known = [-0.08414880439574082, 0.565894523013352, -1.2356792367143503]
    assert draw(normal(), seed=3).sample((1, 3)).ravel().tolist() == known
    legacy = sheetsim.Model(seed=3, draws="mt19937")
    legacy.input("x", normal(), (2, 2))
    assert not np.isclose(legacy.run()["x"], two.run()["x"]).any()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: sheetsim.Model(draws="xorshift"), "draws must be one of pcg64, mt19937, hdr, not 'xorshift'"),
        (lambda: sheetsim.Model(seed=2**32, draws="mt19937"), "seed must be at most 4294967295 with draws mt19937"),
        (lambda: legacy_input(uniform()), "x: draws mt19937 supports only normal numbers, not uniform"),
        (lambda: legacy_input(normal(), sampling="antithetic"), "x: draws mt19937 supports neither sampling designs"),
        (lambda: legacy_input(normal(), correlation=0.5), "x: draws mt19937 supports neither sampling designs"),
    ],
    ids=["unknown", "seed", "uniform", "design", "correlation"],
)
def test_what_the_legacy_generator_does_not_draw_is_refused(make: object, reason: str) -> None:
    with pytest.raises(SheetsimError, match=reason):
        make()  # type: ignore[operator]


def legacy_input(values: object, **options: object) -> object:
    return sheetsim.Model(draws="mt19937").input("x", values, (4, 2), **options)  # type: ignore[arg-type]


def test_antithetic_samples_double_the_variance_of_an_even_mean() -> None:
    """A pair has one value of x²: half as many independent ones. The control, an odd mean, is exact."""
    means = {
        design: np.var([np.mean(Draw(normal(), k, "x", design).sample((64, 10)) ** 2) for k in range(600)])
        for design in ("random", "antithetic")
    }
    # A variance from 600 means has a relative error of sqrt(2/600), their ratio 0.08.
    assert means["antithetic"] / means["random"] == pytest.approx(2, abs=2 * 4 * 0.082)
    assert abs(Draw(normal(), 0, "x", "antithetic").sample((64, 10)).mean()) < 1e-15
