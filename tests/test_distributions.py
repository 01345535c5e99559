"""Distributions of planning models: laws against closed forms, parameters in cells, and imposed rank correlations."""

import math
import pickle
import re
from pathlib import Path
from typing import Any

import ironcalc
import numpy as np
import pytest
from conftest import small_run
from scipy import stats

import sheetsim
from sheetsim.engine.evaluate import Program
from sheetsim.errors import SheetsimError
from sheetsim.model.cell_families import CELL_FAMILIES, TRUNCATED_FAMILIES
from sheetsim.model.draws import Distribution, stream
from sheetsim.model.expr import Matrix
from sheetsim.model.packing import content


def quantiles(law: Any, *probabilities: float) -> np.ndarray:
    return law.from_normal(stats.norm.ppf(np.array([probabilities]))).ravel()


def spearman(run: Any, *names: str) -> Any:
    return stats.spearmanr(np.hstack([run[name] for name in names])).statistic


@pytest.mark.parametrize(
    ("law", "points"),
    [
        (sheetsim.lognormal(p5=800, p95=3000), {0.05: 800, 0.95: 3000}),
        (sheetsim.lognormal(p2_5=2, p60=3), {0.025: 2, 0.6: 3}),
        (sheetsim.lognormal(quantiles={0.95: 3000, 0.05: 800}), {0.05: 800, 0.95: 3000}),
        (sheetsim.triangular(p10=5, mode=7, p90=12), {0.1: 5, 0.9: 12}),
        (sheetsim.triangular(p10=5, p50=8, p90=12), {0.1: 5, 0.5: 8, 0.9: 12}),
        (sheetsim.triangular(low=0, p50=6, high=10), {0: 0, 0.5: 6, 1: 10}),
        (sheetsim.triangular(low=0, mode=0, p90=10), {0: 0, 0.9: 10}),
        (sheetsim.metalog({0.1: 5, 0.5: 8, 0.9: 14}), {0.1: 5, 0.5: 8, 0.9: 14}),
        (sheetsim.metalog(p5=1, p25=2, p50=4, p75=7, p95=16, low=0), {0.05: 1, 0.25: 2, 0.5: 4, 0.75: 7, 0.95: 16}),
        (sheetsim.metalog(p10=2, p50=8, p90=9, low=0, high=10), {0: 0, 0.1: 2, 0.5: 8, 0.9: 9, 1: 10}),
        (sheetsim.metalog(p10=2, p50=8, p90=9, high=10), {0.1: 2, 0.5: 8, 0.9: 9, 1: 10}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_percentiles_are_hit(law: Distribution, points: dict[float, float]) -> None:
    np.testing.assert_allclose(quantiles(law, *points), list(points.values()), rtol=1e-9, atol=1e-9)


def test_a_triangular_is_found_again_from_its_percentiles() -> None:
    law = stats.triang(0.7, loc=-3, scale=10)
    p10, p50, p80 = law.ppf([0.1, 0.5, 0.8])
    for given in (
        {"p10": p10, "p50": p50, "p80": p80},
        {"mode": 4.0, "p10": p10, "p80": p80},
        {"low": -3.0, "p50": p50, "high": 7.0},
    ):
        found = dict(sheetsim.triangular(**given).parameters)
        assert found == pytest.approx({"low": -3, "mode": 4, "high": 7}, abs=1e-7)


def test_pert_has_the_mean_that_planners_know() -> None:
    assert sheetsim.pert(20, 25, 40).mean == pytest.approx((20 + 4 * 25 + 40) / 6)
    assert sheetsim.pert(20, 25, 40, shape=10).mean == pytest.approx((20 + 10 * 25 + 40) / 12)


def test_three_metalog_terms_are_keelins_closed_form() -> None:
    """Keelin (2016), section 4: with symmetric percentiles α, 1/2, 1 − α the coefficients are these."""
    alpha, low, median, high = 0.1, 5.0, 8.0, 14.0
    a2 = (high - low) / (2 * np.log(1 / alpha - 1))
    r = (median - low) / (high - low)
    a3 = (1 - 2 * r) * (high - low) / ((1 - 2 * alpha) * np.log(1 / alpha - 1))
    y = np.array([0.01, 0.3, 0.7, 0.999])
    logit = np.log(y / (1 - y))
    expected = median + a2 * logit + a3 * (y - 0.5) * logit
    np.testing.assert_allclose(quantiles(sheetsim.metalog(p10=low, p50=median, p90=high), *y), expected, rtol=1e-11)
    np.testing.assert_allclose(sheetsim.metalog(p10=low, p50=median, p90=high).mean, median + a3 / 2, rtol=1e-11)
    # One bound: the same of the logarithms.
    log_law = sheetsim.metalog(p10=np.log(low), p50=np.log(median), p90=np.log(high))
    bounded = sheetsim.metalog(p10=low, p50=median, p90=high, low=0)
    np.testing.assert_allclose(quantiles(bounded, *y), np.exp(quantiles(log_law, *y)), rtol=1e-11)


def test_keelins_bound_of_feasible_three_terms_is_ours() -> None:
    """Three terms are a distribution while |a₃/a₂| < 1.66711 (Keelin 2016, section 4.2)."""
    for ratio, is_law in ((1.66, True), (1.675, False), (-1.66, True), (-1.675, False)):
        logit = np.log(9)
        points = {0.1: -logit * (1 - 0.4 * ratio), 0.5: 0.0, 0.9: logit * (1 + 0.4 * ratio)}
        if is_law:
            assert sheetsim.metalog(points)
        else:
            with pytest.raises(SheetsimError, match="decreases somewhere"):
                sheetsim.metalog(points)


def test_a_truncation_keeps_the_shares_between_its_bounds() -> None:
    law = sheetsim.truncated(stats.poisson(2.5), low=1, high=3.5)
    shares = stats.poisson(2.5).pmf([1, 2, 3])
    x = law.sample(stream(1, "x"), (20_000, 1))
    for k, share in zip((1, 2, 3), shares / shares.sum(), strict=True):
        assert abs(np.mean(x == k) - share) < 5 * np.sqrt(share * (1 - share) / x.size)
    gamma = sheetsim.truncated(stats.gamma(2), low=1, high=3)
    within = stats.gamma(2).cdf([1, 3])
    p = np.array([0.01, 0.5, 0.99])
    np.testing.assert_allclose(quantiles(gamma, *p), stats.gamma(2).ppf(within[0] + p * np.diff(within)), rtol=1e-10)
    twice = sheetsim.truncated(sheetsim.truncated(sheetsim.normal(), low=-1), low=-2, high=1)
    assert (twice.low, twice.high) == (-1, 1)
    assert sheetsim.truncated(sheetsim.lognormal(0, 1), high=1).mean == pytest.approx(
        stats.lognorm(1).expect(lambda x: x, lb=0, ub=1, conditional=True)
    )
    assert sheetsim.truncated(sheetsim.uniform(0, 4), low=1).mean == 2.5
    assert sheetsim.truncated(sheetsim.discrete([1, 2, 3]), low=1.5).second_moment == 6.5


def test_discrete_and_empirical_numbers_come_as_often_as_they_should() -> None:
    x = sheetsim.discrete([3, 1, 7], [1, 5, 4]).sample(stream(2, "x"), (20_000, 1))
    for value, share in ((3, 0.1), (1, 0.5), (7, 0.4)):
        assert abs(np.mean(x == value) - share) < 5 * np.sqrt(share * (1 - share) / x.size)
    data = stream(3, "data").standard_normal(50)
    drawn = sheetsim.empirical(data).sample(stream(2, "x"), (20_000, 1))
    assert set(drawn.ravel()) == set(data)
    assert stats.chisquare(np.unique(drawn, return_counts=True)[1]).pvalue > 1e-4


def test_a_distribution_is_a_value_that_can_be_sent_and_said() -> None:
    laws = [sheetsim.discrete([1, 2]), sheetsim.metalog(p10=1, p90=2), sheetsim.truncated(sheetsim.normal(), low=0)]
    for law in laws:
        assert pickle.loads(pickle.dumps(law)) == law
        assert len({law, pickle.loads(pickle.dumps(law))}) == 1
    assert str(laws[2]) == "normal(mean 0, std 1) from 0"
    assert str(sheetsim.empirical(range(100))) == "empirical(values (100 numbers from 0 to 99))"


@pytest.mark.parametrize(
    "law",
    [
        sheetsim.discrete([-1, 2], [2, 1]),
        sheetsim.metalog(p10=-1, p50=0, p90=2),
        sheetsim.truncated(sheetsim.normal(0, 2), high=3),
        sheetsim.triangular(-1, 0, 2),
    ],
    ids=lambda law: law.name,
)
def test_a_template_says_the_distribution(law: Distribution, tmp_path: Path) -> None:
    run = small_run(input=law)
    x = run["x"]
    book = sheetsim.read(run.to_excel(tmp_path / "book.xlsx"))
    with book:
        again = small_run(input=book.manifest.parameters["input"])
    np.testing.assert_array_equal(again["x"], x)
    assert sheetsim.verify(tmp_path / "book.xlsx").state == "as made"


# Parameters as constants that are not the defaults, and what a person changes one of them to.
CELLS: dict[str, tuple[dict[str, Any], str, float]] = {
    "normal": ({"mean": 1.0, "std": 2.0}, "std", 5.0),
    "lognormal": ({"mean": 1.0, "std": 0.5}, "std", 0.25),
    "uniform": ({"low": 1.0, "high": 2.0}, "high", 5.0),
    "triangular": ({"low": 1.0, "mode": 2.0, "high": 4.0}, "mode", 4.0),
    "pert": ({"low": 1.0, "mode": 2.0, "high": 4.0, "shape": 4.0}, "mode", 4.0),
    "discrete": ({"values": (1.0, 2.0, 5.0), "weights": (1.0, 2.0, 1.0)}, "weights_3", 4.0),
    "metalog": ({"probabilities": (0.1, 0.5, 0.9), "quantiles": (1.0, 2.0, 4.0)}, "quantiles_3", 5.0),
    "bernoulli": ({"p": 0.3}, "p", 0.8),
    "expon": ({"loc": 1.0, "scale": 2.0}, "scale", 0.5),
    "weibull_min": ({"c": 1.5, "loc": 1.0, "scale": 2.0}, "c", 3.0),
    "pareto": ({"b": 2.5, "loc": 1.0, "scale": 2.0}, "b", 4.0),
    "lomax": ({"c": 2.5, "loc": 1.0, "scale": 2.0}, "c", 4.0),
    "powerlaw": ({"a": 2.5, "loc": 1.0, "scale": 2.0}, "a", 0.5),
    "logistic": ({"loc": 1.0, "scale": 2.0}, "loc", -3.0),
    "fisk": ({"c": 2.5, "loc": 1.0, "scale": 2.0}, "c", 4.0),
    "gumbel_r": ({"loc": 1.0, "scale": 2.0}, "scale", 0.5),
    "gumbel_l": ({"loc": 1.0, "scale": 2.0}, "scale", 0.5),
    "laplace": ({"loc": 1.0, "scale": 2.0}, "loc", -3.0),
    "rayleigh": ({"loc": 1.0, "scale": 2.0}, "scale", 0.5),
}

# What no distribution of the family has.
IMPOSSIBLE = {
    "uniform": ("low", 9.0),
    "triangular": ("mode", 9.0),
    "pert": ("mode", 9.0),
    "discrete": ("weights_1", -1.0),
    # Rising, and yet with no rising quantile function between.
    "metalog": ("quantiles_1", -20.0),
    "bernoulli": ("p", 1.5),
}


def celled(changed: dict[str, float] | None = None, rows: int = 40) -> sheetsim.Model:
    """A model with an input of every family, all of whose parameters are cells `FAMILY.PARAMETER`."""
    model = sheetsim.Model("Cells", seed=4)
    for name, (parameters, _, _) in CELLS.items():

        def cell(key: str, value: float, name: str = name) -> Matrix:
            return model.input(f"{name}.{key}", (changed or {}).get(f"{name}.{key}", value))

        cells = {
            key: value
            if key == "probabilities"
            else [cell(f"{key}_{k}", one) for k, one in enumerate(value, start=1)]
            if isinstance(value, tuple)
            else cell(key, value)
            for key, value in parameters.items()
        }
        model.input(name, sheetsim.distribution(name, **cells), (rows, 1))
    return model


def test_every_family_with_cells_is_tested() -> None:
    assert set(CELLS) ^ set(CELL_FAMILIES) == set(), "CELLS of this file and CELL_FAMILIES differ"


def test_numbers_over_cells_are_the_quantiles_of_their_constants() -> None:
    run = celled().run()
    for name, (parameters, _, _) in CELLS.items():
        law = sheetsim.distribution(name, **parameters)
        z = run[f"e_{name}"] if f"e_{name}" in run else stats.norm.ppf(run[f"u_{name}"])
        np.testing.assert_allclose(run[name], law.from_normal(z), rtol=1e-9, err_msg=name)


def test_ironcalc_follows_a_parameter_of_every_family(tmp_path: Path) -> None:
    """A person changes a parameter, and then makes the distribution impossible: the cells show error values."""
    run = celled().run()
    book = ironcalc.load_from_xlsx(str(run.to_excel(tmp_path / "cells.xlsx")), "en", "UTC", "en")
    titles = [sheet.title for sheet in run._layout.sheets]
    places = {node.name: place for node, place in run._layout.places.items()}

    def recalculated(changed: dict[str, float]) -> dict[str, list[str]]:
        for cell, value in changed.items():
            place = places[cell]
            book.set_user_input(titles.index(place.sheet), place.row + 1, place.column + 1, repr(value))
        book.evaluate()
        return {
            name: [
                book.get_formatted_cell_value(titles.index(places[name].sheet), places[name].row + r + 1, 2)
                for r in range(40)
            ]
            for name in CELLS
        }

    changed = {f"{name}.{key}": value for name, (_, key, value) in CELLS.items()}
    expected = celled(changed).run()
    for name, texts in recalculated(changed).items():
        assert not np.array_equal(expected[name], run[name]), name
        shown = np.array([float(text) for text in texts])
        np.testing.assert_allclose(shown, expected[name].ravel(), atol=1e-4, rtol=1e-3, err_msg=name)
    broken = {
        f"{name}.{key}": value
        for name, (parameters, _, _) in CELLS.items()
        for key, value in [
            IMPOSSIBLE.get(name, (next(k for k in ("std", "scale") if k in parameters or k == "scale"), -1.0))
        ]
    }
    for name, texts in recalculated(broken).items():
        assert set(texts) == {"#N/A"}, name
    nothing = celled(changed | broken).run()
    assert all(np.isnan(nothing[name]).all() for name in CELLS)


def test_a_truncated_input_follows_its_bounds_and_parameters_in_cells(tmp_path: Path) -> None:
    model = sheetsim.Model("Truncated", seed=3)
    laws = {}
    for name in TRUNCATED_FAMILIES:
        parameters = CELLS[name][0]
        whole = sheetsim.distribution(name, **parameters)
        low, high = np.round(whole.from_normal(np.array([[-1.5, 1.0]])), 2)[0]
        cells = {key: model.input(f"{name}.{key}", value) for key, value in parameters.items()}
        bound = model.input(f"{name}.from", low)
        for side, ends, cell_ends in (
            ("low", {"low": low}, {"low": bound}),
            ("both", {"low": low, "high": high}, {"low": bound, "high": high}),
        ):
            law = sheetsim.truncated(sheetsim.distribution(name, **cells), **cell_ends)
            model.input(f"{name}.by_{side}", law, (50, 1))
            laws[f"{name}.by_{side}"] = sheetsim.truncated(whole, **ends)
    # Only the bound is a cell.
    model.input("plain", sheetsim.truncated(sheetsim.normal(1, 2), high=model["normal.from"]), (50, 2))
    run = model.run()
    laws["plain"] = sheetsim.truncated(sheetsim.normal(1, 2), high=run["normal.from"])
    for name, law in laws.items():
        expected = law.from_normal(stats.norm.ppf(run[f"u_{name}"]))
        np.testing.assert_allclose(run[name], expected, rtol=1e-6, atol=1e-9, err_msg=name)
    verified = sheetsim.verify(run.to_excel(tmp_path / "truncated.xlsx"), model=model)
    assert verified.ok, [row for row in verified.rows if not row.ok]
    assert verified.state == "as made"


def test_a_truncation_that_keeps_nothing_is_an_error_value() -> None:
    model = sheetsim.Model(seed=3)
    std = model.input("std", 1.0)
    for name, low, high in (("far", 5.0, 9.0), ("crossed", 1.0, model.input("high", 0.0))):
        model.input(name, sheetsim.truncated(sheetsim.normal(0, std), low=low, high=high), (5, 1))
    run = model.run()
    assert np.isnan(run["far"]).all()
    assert np.isnan(run["crossed"]).all()


def test_an_impossible_parameter_is_counted_by_the_summary(tmp_path: Path) -> None:
    """A person types -1 for a standard deviation: error values in the cells, and as many errors in the summary."""

    def model_of(std: float) -> sheetsim.Model:
        model = sheetsim.Model("Impossible", seed=1)
        x = model.input("x", sheetsim.normal(0, model.input("std", std)), (30, 1))
        model.output("twice", 2 * x)
        return model

    run = model_of(2.0).run()
    book = ironcalc.load_from_xlsx(str(run.to_excel(tmp_path / "impossible.xlsx")), "en", "UTC", "en")
    titles = [sheet.title for sheet in run._layout.sheets]

    def shown(node: Matrix, row: int = 0) -> str:
        place = run._layout.places[node]
        return book.get_formatted_cell_value(titles.index(place.sheet), place.row + 1 + row, place.column + 1)

    table = run._study.outputs.table
    assert (shown(table["n"][0]), shown(table["errors"][0])) == ("30", "0")
    place = run._layout.places[run._study.graph["std"]]
    book.set_user_input(titles.index(place.sheet), place.row + 1, place.column + 1, "-1")
    book.evaluate()
    assert {shown(run._study.graph["twice"], row) for row in range(30)} == {"#N/A"}
    assert (shown(table["n"][0]), shown(table["errors"][0])) == ("0", "30")
    broken = model_of(-1.0).run()
    assert np.isnan(broken["twice"]).all()
    row = broken.summary().loc["twice"]
    assert row[["n", "errors"]].tolist() == [0, 30]
    assert row.drop(["n", "errors"]).isna().all()
    assert broken.percentiles().isna().all(axis=None)
    assert broken.histograms()["count"].sum() == 0
    assert sheetsim.verify(broken.to_excel(tmp_path / "broken.xlsx")).ok


@pytest.mark.parametrize("rows", [40, 17_000])
def test_a_matrix_that_engines_compute_cell_by_cell_reads_as_one(rows: int, tmp_path: Path) -> None:
    """Several columns, beside a row and a column that spread, and more cells than stand in a band."""
    model = sheetsim.Model("By cell", seed=2)
    u, row = model.input("u", sheetsim.uniform(), (rows, 3)), model.input("row", [[2.0, 3.0, 4.0]])
    column = model.input("column", np.linspace(1, 2, rows).reshape(-1, 1))
    z = model.define("z", sheetsim.normal_quantile(u) * row + column)
    run = model.run()
    formulas = run._layout
    assert [formulas.cell_formula(z, 0, 0), formulas.cell_formula(z, 1, 2)] == [
        "_xlfn.NORM.S.INV('u'!B2)*'row'!B$2+column!B2",
        "_xlfn.NORM.S.INV('u'!D3)*'row'!D$2+column!B3",
    ]
    path = run.to_excel(tmp_path / "cells.xlsx")
    with sheetsim.read(path) as book:
        np.testing.assert_array_equal(book["z"], run["z"])
    if rows == 40:
        assert sheetsim.verify(path).ok
    model.define("mean", sheetsim.mean(sheetsim.normal_quantile(u)))
    with pytest.raises(
        SheetsimError, match="mean: normal_quantile needs a formula in each cell, and mean one for a block"
    ):
        model.run().to_excel(path)


def test_an_input_over_cells_reads_as_a_formula_and_has_a_gradient(tmp_path: Path) -> None:
    model = sheetsim.Model(seed=1)
    mean, std = model.input("mean", 3.0), model.input("std", 2.0)
    x = model.input("x", sheetsim.normal(mean, std), (100, 1), sampling="lhs")
    by_mean, by_std = sheetsim.grad(sheetsim.mean(x**2), [mean, std])
    model.define("by_mean", by_mean)
    model.define("by_std", by_std)
    run = model.run()
    np.testing.assert_array_equal(run["x"], 3 + 2 * run["e_x"])
    assert run["by_mean"] == pytest.approx(2 * run["x"].mean())
    assert run["by_std"] == pytest.approx(2 * (run["x"] * run["e_x"]).mean())
    assert run._layout.formulas[model["x"]] == "mean+IF(std>=0,std,NA())*e_x"
    assert sheetsim.verify(run.to_excel(tmp_path / "x.xlsx")).ok
    # Numbers that are right by themselves need no check in the cells.
    y = model.input("y", sheetsim.distribution("weibull_min", c=1.5, scale=std), (3, 1))
    model.input("z", sheetsim.triangular(1, mean, 9), (3, 1))
    formulas = model.run()._layout.formulas
    assert formulas[y] == "IF(std>0,std,NA())*-LN(1-u_y)^0.6666666666666666"
    assert "IF(mean>=1" in formulas[model["z"]]


def test_the_documented_example_runs_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parent.parent / "docs/distributions.md").read_text()
    (code,) = [c for c in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "sheetsim.normal(mean, 2)" in c]
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(code.replace("10_000", "500"), names)
    run = names["model"].run()
    assert run._layout.formulas[names["price"]] == "mean+2*e_price"
    assert spearman(run, "demand", "cost") == pytest.approx(0.6, abs=0.03)
    assert (tmp_path / "launch.xlsx").exists()
    with pytest.raises(SheetsimError, match="only a model's input can have parameters in cells"):
        sheetsim.run("relu-he", input=sheetsim.normal(names["mean"], 1))


def test_a_lognormal_follows_percentiles_in_cells() -> None:
    model = sheetsim.Model(seed=1)
    low, high = model.input("low", 800.0), model.input("high", 3000.0)
    model.input("demand", sheetsim.lognormal(p5=low, p95=high), (50, 1))
    run = model.run()
    law = sheetsim.lognormal(p5=800, p95=3000)
    np.testing.assert_allclose(run["demand"], law.from_normal(run["e_demand"]), rtol=1e-12)


def launch(seed: int = 1, rows: int = 4000, **designs: Any) -> sheetsim.Model:
    model = sheetsim.Model("Launch", seed=seed)
    model.input("demand", sheetsim.lognormal(p5=800, p95=3000), (rows, 1))
    model.input("cost", sheetsim.pert(20, 25, 40), (rows, 1), correlation={"demand": 0.6}, **designs)
    share = model.input("share", 0.3)
    model.input("wins", sheetsim.distribution("bernoulli", p=share), (rows, 1))
    model.input(
        "price", sheetsim.normal(share, 2), (rows, 1), correlation={"demand": -0.3, model["cost"]: 0.2, "wins": 0.5}
    )
    return model


@pytest.mark.parametrize("design", ["random", "lhs"])
def test_rank_correlations_are_near_what_was_asked_and_numbers_stay_what_they_are(design: str) -> None:
    run = launch(sampling=design).run()
    found = spearman(run, "demand", "cost", "price")
    # The scores' correlation is exact; that of the ranks differs from 6/π·asin(r/2) by the shape of one sample.
    np.testing.assert_allclose([found[0, 1], found[0, 2], found[1, 2]], [0.6, -0.3, 0.2], atol=0.01)
    # The scores of draws that are uniform, of which a bernoulli takes two values.
    assert spearman(run, "u_wins", "price") == pytest.approx(0.5, abs=0.01)
    free = sheetsim.Model(seed=1)
    free.input("demand", sheetsim.lognormal(p5=800, p95=3000), (4000, 1))
    free.input("cost", sheetsim.pert(20, 25, 40), (4000, 1), sampling=design)
    alone = free.run()
    np.testing.assert_array_equal(run["demand"], alone["demand"])
    np.testing.assert_array_equal(np.sort(run["cost"], axis=0), np.sort(alone["cost"], axis=0))
    assert not np.array_equal(run["cost"], alone["cost"])


def test_perfect_correlations_are_the_same_and_the_opposite_order() -> None:
    model = sheetsim.Model(seed=2)
    model.input("x", sheetsim.normal(), (50, 1))
    model.input("y", sheetsim.distribution("expon"), (50, 1), correlation={"x": 1})
    model.input("z", sheetsim.uniform(), (50, 1), correlation={"x": -1, "y": -1})
    found = spearman(model.run(), "x", "y", "z")
    np.testing.assert_allclose(found, [[1, 1, -1], [1, 1, -1], [-1, -1, 1]], rtol=1e-12)


def test_correlated_inputs_are_the_same_in_another_process_and_follow_the_seed() -> None:
    model = launch(rows=300)
    sent = pickle.loads(pickle.dumps(model))
    wanted = [sent[name] for name in ("demand", "cost", "price")]
    other = Program(wanted)(seed=9)
    expected = launch(seed=9, rows=300).run()
    for node in wanted:
        np.testing.assert_array_equal(other[node], expected[str(node.name)])
    np.testing.assert_array_equal(sent.run()["price"], model.run()["price"])
    assert not np.array_equal(expected["price"], model.run()["price"])


def test_a_long_chain_of_correlated_inputs_is_made_sent_and_told_apart() -> None:
    """As many as there are days in a year, and more than Python goes deep."""
    model = sheetsim.Model(seed=1)
    model.input("x_0", sheetsim.normal(), (30, 1))
    for k in range(1, 400):
        model.input(f"x_{k}", sheetsim.uniform(), (30, 1), correlation={f"x_{k - 1}": 0.8})
    sent = pickle.loads(pickle.dumps(model))
    run = sent.run()
    assert np.mean([spearman(run, f"x_{k}", f"x_{k + 1}") for k in range(399)]) == pytest.approx(0.8, abs=0.02)
    other = sheetsim.Model(seed=1)
    other.input("x_0", sheetsim.normal(), (30, 1))
    other.input("x_1", sheetsim.uniform(), (30, 1), correlation={"x_0": 0.7})
    assert b"".join(content([sent["x_1"]])) == b"".join(content([model["x_1"]]))
    assert b"".join(content([other["x_1"]])) != b"".join(content([model["x_1"]]))
    # 0.8 and 0.8 make 0.64 of the next but one, whatever is not named.
    with pytest.raises(SheetsimError, match="positive semi-definite"):
        model.input("y", sheetsim.normal(), (30, 1), correlation={"x_0": 0.9, "x_2": -0.1})


def test_correlations_with_many_inputs_are_all_there() -> None:
    model = sheetsim.Model(seed=1)
    for k in range(40):
        model.input(f"x_{k}", sheetsim.normal(), (60, 1), correlation={f"x_{j}": 0.3 for j in range(k)})
    found = spearman(model.run(), *(f"x_{k}" for k in range(40)))
    assert np.abs(found - 0.3)[~np.eye(40, dtype=bool)].max() < 0.15


def correlated(correlation: Any, shape: tuple[int, int] = (10, 1)) -> None:
    model = sheetsim.Model()
    x = model.input("x", sheetsim.normal(), (10, 1))
    model.input("y", sheetsim.normal(), (10, 1), correlation={"x": 0.9})
    model.input("wide", sheetsim.normal(), (10, 2))
    model.input("given", np.ones((10, 1)))
    model.define("twice", x * 2)
    model.input("z", sheetsim.normal(), shape, correlation=correlation)


CELL = sheetsim.Model().input("cell", 1.0)
WIDE = sheetsim.Model().input("wide", [[1.0, 2.0]])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: sheetsim.lognormal(p5=3, p95=2), "lognormal: percentiles must be finite and increase"),
        (lambda: sheetsim.lognormal(p5=-3, p95=2), "lognormal: percentiles must be above 0, but one is -3"),
        (lambda: sheetsim.lognormal(p5=3), "lognormal: give mean and std .* or two percentiles"),
        (lambda: sheetsim.lognormal(mean=1, p5=3, p95=4), "lognormal: give mean and std"),
        (lambda: sheetsim.lognormal(p5=3, p120=4), "has no parameter 'p120'; percentiles are named"),
        (lambda: sheetsim.lognormal(p0=3, p10=4), "percentiles between 0 and 100"),
        (lambda: sheetsim.lognormal(quantiles={0.05: 1}, p5=1), "a percentile is given twice"),
        (lambda: sheetsim.triangular(1, 0, 2), "low <= mode <= high"),
        (lambda: sheetsim.triangular(1, 2), "triangular needs the parameter 'high'"),
        (lambda: sheetsim.triangular(1, p50=2), "give exactly three"),
        (lambda: sheetsim.triangular(p10=0, p50=9, p90=10), "no triangular distribution has these"),
        (lambda: sheetsim.triangular(p10=0, mode=20, p90=10), "no triangular distribution has these"),
        (lambda: sheetsim.triangular(CELL, p10=3, p90=10), "with percentiles, all must be numbers"),
        (lambda: sheetsim.pert(2, 1, 3), "pert: low <= mode <= high"),
        (lambda: sheetsim.pert(CELL, 4, 3), "pert: low <= mode <= high"),
        (lambda: sheetsim.metalog(p10=CELL, p30=1, p50=3, p90=9), "give two or three quantiles"),
        (lambda: sheetsim.discrete([1, CELL], [1]), "weights must be as many"),
        (lambda: sheetsim.discrete([1, WIDE]), "discrete: values must be a number or a single cell, not 1×2"),
        (lambda: sheetsim.discrete([]), "discrete: values must be one or more numbers"),
        (lambda: sheetsim.discrete([1, 2], [1]), "weights must be as many"),
        (lambda: sheetsim.discrete([1, 2], [0, 0]), "not all 0"),
        (lambda: sheetsim.discrete([1, "a"]), "discrete: values: each must be a number"),
        (lambda: sheetsim.metalog(p10=3, p50=2), "metalog: quantiles must increase"),
        (lambda: sheetsim.metalog(p10=3), "2 to 16 quantiles"),
        (lambda: sheetsim.metalog(p10=3, p50=4, low=3), "above low and below high"),
        (lambda: sheetsim.metalog(p10=0, p50=9, p90=10), "decreases somewhere"),
        (lambda: sheetsim.truncated(sheetsim.normal(), 2, 1), "low less than high"),
        (lambda: sheetsim.truncated(sheetsim.normal(), low=9), "less than 1e-09 of its probability"),
        (lambda: sheetsim.truncated(sheetsim.normal()), "needs low, high, or both"),
        (lambda: sheetsim.truncated(sheetsim.pert(CELL, 1, 3), low=0), "pert cannot be truncated at cells; .* normal"),
        (lambda: sheetsim.truncated(sheetsim.normal(CELL)), "needs low, high, or both"),
        (lambda: sheetsim.truncated(sheetsim.normal(CELL), 2, 1), "low less than high"),
        (lambda: sheetsim.truncated(sheetsim.truncated(sheetsim.normal(CELL), 2), 1), "truncated already"),
        (lambda: sheetsim.truncated(sheetsim.normal(), low=math.nan), "low and high must be numbers, not NaN"),
        (lambda: sheetsim.normal(math.nan, 1), "normal: mean must be a finite number"),
        (
            lambda: sheetsim.discrete({1: 0.2, 2: 0.8}),
            "discrete: values must be a list of numbers, not {1: 0.2, 2: 0.8}",
        ),
        (lambda: sheetsim.truncated(3, low=0), "truncated takes a distribution"),
        (lambda: sheetsim.empirical(["a"]), "data must be a column of numbers"),
        (lambda: sheetsim.empirical([[1, 2], [3, 4]]), "data has 2 columns: choose one"),
        (lambda: sheetsim.empirical("nowhere.csv"), "there is no file nowhere.csv"),
        (lambda: sheetsim.normal(WIDE), "mean must be a number or a single cell, not 1×2"),
        (lambda: sheetsim.normal(CELL, -1), "normal: std must be 0 or more"),
        (lambda: sheetsim.distribution("expon", loc=CELL, scale=0), "outside of what scipy.stats.expon allows"),
        (lambda: sheetsim.normal(CELL, "a"), "std must be a finite number or a single cell"),
        (lambda: sheetsim.distribution("gamma", a=CELL), "gamma cannot have parameters in cells"),
        (
            lambda: correlated({"x": 0.9, "y": -0.9}),
            "z: correlation must be positive semi-definite: with x 0.9, y -0.9",
        ),
        (
            lambda: sheetsim.Model().input("x", sheetsim.normal(), (9, 1), at_least=0),
            r"x: at_least is for given numbers: draw from truncated\(…, low=0\) instead",
        ),
        (lambda: sheetsim.Model().input("x", 1.0, at_least="a"), "x: at_least must be a number, not 'a'"),
        (lambda: correlated({"x": 1.5}), "correlation with x must lie between -1 and 1"),
        (lambda: correlated({"q": 0.5}), "correlation: no input 'q'; the model has x, y"),
        (lambda: correlated({CELL: 0.5}), "correlation: no input"),
        (lambda: correlated({"wide": 0.5}), "wide is 10×2, but must be 10×1"),
        (lambda: correlated({"given": 0.5}), "given is not an input that is drawn"),
        (lambda: correlated({"twice": 0.5}), "twice is not an input that is drawn"),
        (lambda: correlated({"x": 0.5}, (11, 1)), "x is 10×1, but must be 11×1"),
        (lambda: correlated({"x": 0.5}, (10, 2)), "correlated with others must have one column"),
        (lambda: correlated({"x": "a"}), "correlation with x must be a number"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(call: Any, sentence: str) -> None:
    with pytest.raises(SheetsimError, match=sentence) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_constant_has_no_rank_correlation() -> None:
    model = sheetsim.Model()
    model.input("x", sheetsim.discrete([2]), (10, 1))
    model.input("y", sheetsim.normal(), (10, 1), correlation={"x": 0.5})
    with pytest.raises(SheetsimError, match="y: x is constant, so nothing can be correlated with it"):
        model.run()
