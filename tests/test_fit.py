"""Distributions fitted to data: the right family first, known likelihoods, the command and its workbook."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from lint import lint
from scipy import stats

import sheetsim
from sheetsim.cli.commands import app
from sheetsim.errors import SheetsimError
from sheetsim.model.distribution_text import parse_distribution
from sheetsim.model.fitting import ABOVE_ZERO, ANY_SIGN, BELOW_ONE

DATA = stats.gamma(3, scale=2).rvs(400, random_state=1)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    frame = pd.DataFrame({"date": ["2024-01-01"] * 400, "price": DATA, "change": DATA - DATA.mean()})
    path = tmp_path / "data.csv"
    frame.to_csv(path, index=False)
    return path


def test_the_family_that_made_the_data_is_first_and_its_likelihood_is_right() -> None:
    found = sheetsim.fit(DATA, families=["normal", "gamma", "lognormal", "expon", "uniform"])
    frame = found.frame()
    assert found.best.name == "gamma"
    a, _, scale = stats.gamma.fit(DATA, floc=0)
    assert dict(found.best.parameters) == pytest.approx({"a": a, "loc": 0, "scale": scale})
    likelihood = stats.gamma(a, scale=scale).logpdf(DATA).sum()
    assert frame.loc["gamma", "log_likelihood"] == pytest.approx(likelihood)
    assert frame.loc["gamma", "aic"] == pytest.approx(2 * 2 - 2 * likelihood)
    assert frame["parameters"].to_dict() == {"normal": 2, "gamma": 2, "lognormal": 2, "expon": 1, "uniform": 2}
    assert (frame["delta_aic"].diff().iloc[1:] >= 0).all()
    for name, law in (("normal", stats.norm), ("lognormal", stats.lognorm), ("uniform", stats.uniform)):
        fixed = {"floc": 0} if name == "lognormal" else {}
        free = law.fit(DATA, **fixed)
        assert frame.loc[name, "log_likelihood"] == pytest.approx(law(*free).logpdf(DATA).sum())
        assert frame.loc[name, "ks"] == pytest.approx(stats.kstest(DATA, law(*free).cdf).statistic)
        x = found[name].from_normal(np.array([[-1.0, 0.0, 1.0]]))
        np.testing.assert_allclose(x, law(*free).ppf(stats.norm.cdf([[-1, 0, 1]])), rtol=1e-6)


def test_families_suit_the_sign_of_the_data() -> None:
    assert {"gamma", "lognormal"} <= set(sheetsim.fit(DATA).names())
    assert "beta" in sheetsim.fit(DATA / 100).names()
    signed = sheetsim.fit(DATA - 6)
    assert not {"gamma", "lognormal", "beta"} & set(signed.names())
    assert sheetsim.fit(DATA - 6, families=["lognormal", "normal"]).left_out == {
        "lognormal": "data are not all above 0"
    }


def test_every_law_that_is_printed_is_one_that_simulate_takes() -> None:
    found = [sheetsim.fit(data) for data in (DATA / 100, 1e6 + DATA)]
    laws = [(name, law, one[name]) for one in found for name, law in one.frame()["law"].items()]
    assert {name for name, *_ in laws} == {*ANY_SIGN, *ABOVE_ZERO, *BELOW_ONE}
    z = np.array([[-2.0, 0.0, 1.0]])
    for name, law, fitted in laws:
        again = parse_distribution(law)
        assert again.name == name
        np.testing.assert_allclose(again.from_normal(z), fitted.from_normal(z), rtol=1e-8, err_msg=law)


def test_the_command_prints_the_ranking_and_writes_a_sound_book(table: Path, tmp_path: Path) -> None:
    book = tmp_path / "fit.xlsx"
    words = ["fit", str(table), "--column", "price", "--families", "gamma,normal,weibull_min"]
    done = CliRunner().invoke(app, [*words, "--output", str(book), "--format", "json"])
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    found = sheetsim.fit(table, "price", families=["gamma", "normal", "weibull_min"])
    assert [row["family"] for row in printed] == found.names()
    assert printed[0]["aic"] == pytest.approx(found.frame()["aic"].iloc[0])
    assert lint(book) == []
    assert sheetsim.verify(book).ok
    with sheetsim.read(book) as read:
        np.testing.assert_array_equal(read.summary()["aic"], found.frame()["aic"])
        assert "--column price" in read.manifest.command


def test_an_empirical_distribution_of_a_column_of_a_file(table: Path) -> None:
    law = sheetsim.empirical(table, column="price")
    assert law.mean == pytest.approx(DATA.mean())
    assert sheetsim.empirical(pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 5.0]}), "b").mean == 4
    assert sheetsim.empirical(pd.Series([1.0, 2.0], name="a")).mean == 1.5


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("", "has 3 columns (date, price, change): choose one with --column"),
        ("--column date", "column 1 (date) is '2024-01-01', not a finite number"),
        ("--column nothing", "has no column 'nothing'; it has columns date, price, change"),
        ("--column price --families poisson", "'poisson' is not a continuous distribution"),
        ("--column price --families gaussian", "'gaussian' is not a continuous distribution"),
        ("--column change --families lognormal", "no family could be fitted (lognormal: data are not all above 0)"),
        ("--column price --output a.txt", "neither an .xlsx file nor an existing folder"),
    ],
)
def test_a_mistake_is_one_sentence(words: str, sentence: str, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(table.parent)
    done = CliRunner().invoke(app, ["fit", "data.csv", *words.split()])
    assert isinstance(done.exception, SheetsimError)
    assert sentence in str(done.exception)


def test_too_few_or_equal_numbers_are_refused() -> None:
    with pytest.raises(SheetsimError, match="fit needs at least 8 numbers, not 7"):
        sheetsim.fit(range(7))
    with pytest.raises(SheetsimError, match="all 9 are 3"):
        sheetsim.fit([3.0] * 9)
    with pytest.raises(SheetsimError, match="number 2 is nan"):
        sheetsim.fit([1.0, np.nan, 3.0])
