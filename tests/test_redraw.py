"""Draws of HDR 2.0, and books whose switch draws anew: the generator's numbers, and engines at all three positions."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from engines import SOFFICE, Cells, differences, ironcalc_books, libreoffice_cells, poison
from lint import lint
from scipy.stats import chi2, kstest

import sheetsim
from sheetsim.cli.commands import app
from sheetsim.engine.evaluate import evaluate
from sheetsim.errors import SheetsimError
from sheetsim.model import hdr
from sheetsim.model.distributions import normal, uniform
from sheetsim.model.draws import child_seed
from sheetsim.model.graph import Graph
from sheetsim.runs.run import Run

SMALL = {"samples": 40, "inputs": 12, "layers": [10, 8]}
TINY = {"samples": 12, "inputs": 5, "layers": [4, 3]}
# Not the run's own, so that numbers of another seed could not pass; 15 digits, so that both identifiers count.
SEED = 123456789012345

# Numbers of a test of independence.
MANY = 200_000


# The generator


def test_a_matrix_has_rows_as_trials_and_columns_as_variables() -> None:
    numbers = hdr.matrix_uniforms(SEED, "x", (4, 3))
    for column in range(3):
        of_column = hdr.hdr_uniforms(np.arange(1, 5), hdr.entity_of("x"), column + 1, 9012345, 12345678)
        np.testing.assert_array_equal(numbers[:, column], of_column)


@pytest.mark.parametrize(("name", "seed"), [("x", 0), ("e_1", 1), ("e_5", SEED)])
def test_the_numbers_are_uniform_in_the_whole_and_in_each_column(name: str, seed: int) -> None:
    numbers = hdr.matrix_uniforms(seed, name, (5000, 40))
    assert kstest(numbers.ravel(), "uniform").pvalue > 1e-4
    bins = 200
    counts = np.bincount((numbers * bins).astype(int).ravel(), minlength=bins)
    expected = numbers.size / bins
    assert chi2.sf(np.square(counts - expected).sum() / expected, bins - 1) > 1e-4
    # Forty columns: the least of forty p-values is above 1e-4/40 but for one case in 10,000.
    assert min(kstest(column, "uniform").pvalue for column in numbers.T) > 1e-4 / 40


def test_equal_numbers_are_as_many_as_by_chance_of_so_many_values() -> None:
    samples = 1_000_000
    expected = samples**2 / (2 * hdr.VALUES)  # 116 pairs
    pairs = 0
    for name in ("x", "e_1"):
        numbers = hdr.matrix_uniforms(3, name, (samples // 100, 100)).ravel()
        pairs += samples - len(np.unique(numbers))
    assert abs(pairs - 2 * expected) < 4 * math.sqrt(2 * expected)


def test_neighbors_matrices_and_seeds_are_independent() -> None:
    shape = MANY // 100, 100
    x = _scores(hdr.matrix_uniforms(5, "x", shape))
    pairs = {f"rows {lag} apart": (x[lag:], x[:-lag]) for lag in (1, 2, 3, 10)}
    pairs |= {f"columns {lag} apart": (x[:, lag:], x[:, :-lag]) for lag in (1, 2, 3, 10)}
    pairs |= {f"seed {seed}": (x, _scores(hdr.matrix_uniforms(seed, "x", shape))) for seed in (6, 7, 10**7 + 5)}
    pairs |= {name: (x, _scores(hdr.matrix_uniforms(5, name, shape))) for name in ("e_1", "e_2", "X")}
    # The correlation of n independent pairs has mean 0 and standard deviation 1/√n; those of squares and of signs too.
    for what, (one, two) in pairs.items():
        for kind in (lambda u: u, lambda u: u * u - (u * u).mean(), lambda u: np.sign(u) * 1.0):
            a, b = kind(one).ravel(), kind(two).ravel()
            r = (a * b).mean() / (a.std() * b.std())
            assert abs(r) < 4.5 / math.sqrt(a.size), what


def test_no_correlation_between_columns_is_more_than_chance() -> None:
    numbers = hdr.matrix_uniforms(11, "x", (2000, 100))
    r = np.corrcoef(numbers.T)[np.triu_indices(100, 1)]
    # n r² of independent columns is chi-squared with one degree of freedom each: mean 1, variance 2.
    squares = 2000 * np.square(r)
    assert abs(squares.mean() - 1) < 4 * math.sqrt(2 / len(r))
    assert squares.max() < chi2.isf(1e-4 / len(r), 1)


def test_a_negative_control_fails_the_same_checks() -> None:
    counter = np.arange(1, 200_001)
    assert kstest(counter * math.sqrt(2) % 1, "uniform").pvalue > 0.99999  # far too even
    one, two = (_scores(hdr.hdr_uniforms(counter + shift, 7, 3)) for shift in (0, 1))
    assert abs((one * two).mean()) < 4.5 / math.sqrt(len(counter)) * one.var()
    assert abs((one[1:] * two[:-1]).mean()) > 100 / math.sqrt(len(counter)) * one.var()  # the same numbers


def _scores(numbers: Any) -> Any:
    return numbers - 0.5


# The formula


def test_the_formula_gives_the_numbers_bit_for_bit() -> None:
    for seed in (0, 1, SEED, hdr.ENTITIES * hdr.SEED3 - 1):
        live = Graph(seed=seed, draws="live")
        x = live.input("x", normal(2, 3), (300, 20))
        u = live.input("u", uniform(-1, 4), (7, 5))
        seeded = evaluate([x, u], {live["draws"]: np.array([["seeded"]])})
        plain = Graph(seed=seed, draws="hdr")
        x_plain, u_plain = plain.input("x", normal(2, 3), (300, 20)), plain.input("u", uniform(-1, 4), (7, 5))
        values = evaluate([x_plain, u_plain])
        np.testing.assert_array_equal(seeded[x], values[x_plain])
        np.testing.assert_array_equal(seeded[u], values[u_plain])


@pytest.mark.slow
@pytest.mark.parametrize("half", [hdr.FIRST, hdr.SECOND], ids=["first", "second"])
def test_no_rest_on_the_way_is_one_that_engines_round_up(half: hdr.Half) -> None:
    """INT and MOD of spreadsheets look at 15 digits.

    A quotient half a unit of the 15th below a whole number is taken for that number. All states of the generator are
    looked at.
    """
    (times, plus), (factor, modulus) = half.divisor, half.rest
    by = np.arange(half.modulus, dtype=np.int64) * times + plus
    left = hdr.DIVIDED % by
    _assert_not_rounded_up(np.full_like(by, hdr.DIVIDED), by)
    _assert_not_rounded_up(left * factor, np.full_like(by, modulus))


def test_the_last_rest_and_the_hashes_have_too_few_digits_to_be_rounded_up() -> None:
    greatest = 99_991 * (hdr.FIRST_FACTOR * hdr.SUM_FACTOR % hdr.VALUES) + 7_440_893 * hdr.SUM_FACTOR
    rows, columns = 1_048_576, 16_384
    identifiers = hdr.ENTITIES, hdr.SEED3, hdr.ENTITIES
    for half in (hdr.FIRST, hdr.SECOND):
        hashed = half.factors[0] * rows + half.factors[1] * columns + half.modulus
        key = sum(a * b for a, b in zip(half.factors[2:], identifiers, strict=True))
        for most, modulus in ((greatest, hdr.VALUES), (hashed, half.modulus), (key, half.modulus)):
            digits = len(str(most // modulus))
            assert 1 / modulus > 0.5 * 10.0 ** (digits - 15)


def _assert_not_rounded_up(number: Any, by: Any) -> None:
    quotient = number // by
    digits = np.floor(np.log10(np.maximum(quotient, 1))) + 1
    below = (by - number % by) / by
    assert (below > 0.5 * 10.0 ** (digits - 15)).all()


# Runs and books


def test_draws_depend_on_the_seed_and_the_matrix_alone() -> None:
    one = sheetsim.run("relu-he", draws="hdr", **SMALL)
    again = sheetsim.run("relu-he", draws="hdr", **(SMALL | {"layers": [10, 8, 3]}))
    for name in ("x", "e_1", "e_2"):
        np.testing.assert_array_equal(one[name], again[name])
    other = sheetsim.run("relu-he", draws="hdr", seed=1, **SMALL)
    assert not np.isclose(one["x"], other["x"]).any()


def test_a_live_book_has_the_numbers_of_the_frozen_draws(tmp_path: Path) -> None:
    live, plain = sheetsim.run("relu-he", draws="live", **SMALL), sheetsim.run("relu-he", **SMALL)
    with sheetsim.read(live.to_excel(tmp_path / "live.xlsx")) as book:
        for name in plain.names():
            np.testing.assert_array_equal(book[name], plain[name])
        assert (book["draws"], book["seed"]) == ("frozen", 0)
        assert book.title == plain.title
        assert book.manifest.command == f"{plain._command} --set 'draws=\"live\"'"
        assert book.summary().equals(plain.summary())


POSITIONS: dict[str, dict[str, str | float]] = {
    "frozen": {},
    "seeded": {"draws": "seeded", "seed": SEED},
    "F9": {"draws": "F9"},
    "F9 again": {"draws": "F9"},
    "back": {"draws": "frozen", "seed": 5},
}


def positions(book: Path, folder: Path) -> list[Path]:
    """The book with wrong cached values, and the switch at each position."""
    for name, cells in POSITIONS.items():
        poison(book, folder / f"{name}.xlsx", cells)
    return [folder / f"{name}.xlsx" for name in POSITIONS]


def numbers_of(run: Run, cells: Cells, name: str) -> Any:
    place = run._layout.places[run._study.graph[name]]
    return np.array(cells(place.sheet, place.row, place.column, place.shape), dtype=float)


def assert_positions(live: Run, hdr_run: Run, cells: list[Cells]) -> None:
    """An engine's numbers at each position against NumPy's; hdr_run: of the seed, with draws hdr."""
    frozen, seeded, f9, f9_again, back = cells
    assert differences(live, frozen, 1e-12) == []
    for name in ("x", "e_1", "z_1"):
        np.testing.assert_array_equal(numbers_of(live, back, name), numbers_of(live, frozen, name))
    for name in ("x", "e_1"):
        np.testing.assert_allclose(numbers_of(live, seeded, name), hdr_run[name], rtol=1e-12)
    x, again = numbers_of(live, f9, "x"), numbers_of(live, f9_again, "x")
    assert abs(x.mean()) < 4.5 / math.sqrt(x.size)
    assert abs(x.std() - 1) < 4.5 / math.sqrt(2 * x.size)
    assert len(np.unique([x, again])) == 2 * x.size
    assert not np.isin(x, live["x"]).any()
    # Last: it changes the run's values.
    graph = live._study.graph
    live._values |= evaluate(live._layout.places, {graph["draws"]: np.array([["seeded"]]), graph["seed"]: _cell(SEED)})
    for name in hdr_run.names():
        np.testing.assert_array_equal(live[name], hdr_run[name], err_msg=name)
    assert differences(live, seeded, 1e-12) == []


def _cell(number: float) -> Any:
    return np.array([[float(number)]])


def test_diff_of_a_changed_book_and_the_command_with_its_seed_finds_last_digits(tmp_path: Path) -> None:
    """As a person would: the seed is changed in a spreadsheet program, which saves the book."""
    import ironcalc

    live = sheetsim.run("relu-he", draws="live", **TINY).to_excel(tmp_path / "live.xlsx")
    poison(live, tmp_path / "poisoned.xlsx", POSITIONS["seeded"])
    program = ironcalc.load_from_xlsx(str(tmp_path / "poisoned.xlsx"), "en", "UTC", "en")
    program.evaluate()
    program.save_to_xlsx(str(tmp_path / "changed.xlsx"))
    again = sheetsim.run("relu-he", draws="live", redraw=SEED, **TINY).to_excel(tmp_path / "again.xlsx")
    found = sheetsim.diff(tmp_path / "changed.xlsx", again)
    # IronCalc spells formulas otherwise, and the command, the titles and what they follow are others.
    assert {one.name for one in found if one.is_edit and one.kind != "formulas"} == {
        *("(Overview)", "(About)", "(sheetsim)", "as_made")
    }
    digits = {one.name for one in found if not one.is_edit}
    assert {"x", "e_1", "z_2", "(Layers)"} <= digits
    cells = next(one.changes for one in found if one.kind == "values" and one.name == "(Overview)")
    assert [cell.where for cell in cells] == ["Overview!A1"]
    verified = sheetsim.verify(tmp_path / "changed.xlsx")
    assert verified.ok
    assert sheetsim.verify(again).state == "as made"


def test_rand_stands_in_redrawn_matrices_alone_and_nothing_else_is_wrong_with_the_book(tmp_path: Path) -> None:
    faults = lint(sheetsim.run("relu-he", draws="live", **TINY).to_excel(tmp_path / "live.xlsx"))
    assert {fault.partition(": ")[2] for fault in faults} == {"the volatile function RAND"}
    assert {fault.partition("!")[0] for fault in faults} == {"Input", "Draws 1", "Draws 2"}


def test_a_book_at_f9_is_not_verified(tmp_path: Path) -> None:
    live = sheetsim.run("relu-he", draws="live", **TINY).to_excel(tmp_path / "live.xlsx")
    poison(live, tmp_path / "f9.xlsx", POSITIONS["F9"])
    with pytest.raises(SheetsimError, match="draws new numbers at each recalculation: set its cell"):
        sheetsim.verify(tmp_path / "f9.xlsx")
    assert sheetsim.verify(live).state == "as made"


LIVE = SMALL | {"draws": "live"}


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: sheetsim.run("relu-he", draws="sobol"), "draws must be one of pcg64, hdr, live, not 'sobol'"),
        (lambda: sheetsim.run("relu-he", draws="hdr", seed=9 * 10**14), "seed must be at most 899999999999999 with"),
        (lambda: sheetsim.run("relu-he", redraw=1), "redraw needs draws = "),
        (lambda: sheetsim.run("relu-he", draws="live", redraw=-1), "redraw must be a whole number from 0"),
        (lambda: sheetsim.run("relu-he", draws="live", report="summary"), "draws live needs formulas, which a summary"),
        (lambda: sheetsim.run("relu-he", draws="live", sampling="lhs"), "x: draws hdr and live support neither"),
        (
            lambda: sheetsim.run("relu-he", draws="hdr", initializer="orthogonal"),
            "e_1: draws hdr and live support neit",
        ),
        (
            lambda: sheetsim.run("relu-he", draws="hdr", weight_draws="truncated"),
            "e_1: draws hdr and live support only normal and uniform numbers, not normal",
        ),
        (lambda: sheetsim.run("relu-he", **LIVE).to_excel("x.xlsx", values_only=True), "draws live needs formulas"),
        (lambda: sheetsim.replicate("relu-he", 2, **LIVE), "draws live works only in the book of a single run"),
        (lambda: sheetsim.Model(draws="live"), "draws live works with templates only"),
        (lambda: sheetsim.run("symmetry", draws="hdr"), "unknown key 'draws'"),
        (lambda: sheetsim.run("rnn-gradients", draws="live"), "draws must be one of pcg64, mt19937, hdr, not 'live'"),
    ],
)
def test_what_cannot_be_redrawn_is_refused(make: Any, reason: str) -> None:
    with pytest.raises(SheetsimError, match=reason):
        make()


def test_constant_weights_stay_while_inputs_are_redrawn(tmp_path: Path) -> None:
    live = sheetsim.run("relu-he", **LIVE, initializer={"constant": 0.5})
    assert [one.name for one in live._study.graph.redrawn] == ["x"]
    assert sheetsim.verify(live.to_excel(tmp_path / "live.xlsx")).ok


def test_replicates_and_models_draw_by_hdr_too() -> None:
    replicates = sheetsim.replicate("relu-he", 3, draws="hdr", **SMALL)
    one = sheetsim.run("relu-he", draws="hdr", seed=child_seed(0, 1), **SMALL)
    frame = replicates.frame().reset_index()
    of_layer = frame[(frame.replicate == 1) & (frame.layer == 2)]["var"].item()
    assert of_layer == pytest.approx(one.summary().loc[2, "var"], rel=1e-9)
    model = sheetsim.Model(seed=3, draws="hdr")
    model.input("x", uniform(2, 5), (100, 3))
    np.testing.assert_array_equal(model.run()["x"], 2 + 3 * hdr.matrix_uniforms(3, "x", (100, 3)))


def test_the_command_says_what_is_usual_where_the_template_has_it_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('study = "forward"\nsamples = 8\ninputs = 3\nlayers = [2]\ndraws = "hdr"\nbias = 0.5\n')
    back = sheetsim.run(path, draws="pcg64", bias=0.0)
    assert back._command == f"sheetsim run {path} --set bias=0.0 --set 'draws=\"pcg64\"'"
    np.testing.assert_array_equal(back["x"], sheetsim.run("relu-he", samples=8, inputs=3, layers=[2])["x"])


def test_the_command_line_makes_a_live_book(tmp_path: Path) -> None:
    target = tmp_path / "live.xlsx"
    sizes = ["--set", "samples=20", "--set", "inputs=4", "--set", "layers=[3]"]
    done = CliRunner().invoke(app, ["run", "relu-he", *sizes, "--draws", "live", "--output", str(target)])
    assert done.exit_code == 0
    with sheetsim.read(target) as book:
        assert book["draws"] == "frozen"
    for more in (["--values-only"], ["--set", "draws=hdr"]):
        refused = CliRunner().invoke(app, ["run", "relu-he", "--draws", "live", *more])
        assert isinstance(refused.exception, SheetsimError)


BOOKS = {
    "relu-he": SMALL,
    "biases and uniform weights": SMALL | {"bias": 0.1, "weight_draws": "uniform", "initializer": "he"},
    "gradient-flow": SMALL | {"outputs": 3},
}


@pytest.mark.parametrize(
    "name", ["relu-he", *(pytest.param(name, marks=pytest.mark.slow) for name in BOOKS if name != "relu-he")]
)
def test_ironcalc_agrees_at_every_position(name: str, tmp_path: Path) -> None:
    live, by_seed = _runs(name)
    books = positions(live.to_excel(tmp_path / "live.xlsx"), tmp_path)
    assert_positions(live, by_seed, ironcalc_books(books))


@pytest.mark.slow
@pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not installed")
def test_libreoffice_agrees_at_every_position(tmp_path: Path) -> None:
    for name in BOOKS:
        live, by_seed = _runs(name)
        books = positions(live.to_excel(tmp_path / "live.xlsx"), tmp_path)
        assert_positions(live, by_seed, libreoffice_cells(books))


def _runs(name: str) -> tuple[Run, Run]:
    template = "gradient-flow" if name == "gradient-flow" else "relu-he"
    return tuple(
        sheetsim.run(template, **BOOKS[name], draws=draws, seed=seed) for draws, seed in (("live", 0), ("hdr", SEED))
    )  # type: ignore[return-value]
