"""The study of correlation: known maps, theory by another quadrature, simulation against theory, words, the book."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import ironcalc
import numpy as np
import pytest
from engines import differences, ironcalc_cells, poison
from lint import lint

import sheetsim
from sheetsim.audit.verify import verify
from sheetsim.engine.evaluate import Program, evaluate
from sheetsim.model.nets import ACTIVATIONS
from sheetsim.runs.run import Run
from sheetsim.summary.phases import phases

SMALL = {"pairs": 8, "units": 10, "layers": 3}


def theory(activation: str, scale: float, c: float, name: str = "c_theory") -> Any:
    """A series of theory by layer, from 1, for weights with n·sd² = scale."""
    keys = {"pairs": 2, "units": 4, "layers": 1, "correlation": c}
    study = sheetsim.Correlation(activation=activation, initializer=float(np.sqrt(scale / 4)), **keys).build()
    node = study.named(name)
    return evaluate([node])[node][-65:, 0]


def test_identity_keeps_the_correlation() -> None:
    assert np.allclose(theory("identity", 1, 0.3), 0.3, rtol=0, atol=1e-12)
    assert np.allclose(theory("identity", 1, 0.3, "chi_theory"), 1)


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_relus_map_is_the_arc_cosine_kernel(scale: float) -> None:
    """Of degree 1 (Cho & Saul 2009), whatever the variance."""
    c = theory("relu", scale, 0.2)
    expected = (np.sqrt(1 - c**2) + (np.pi - np.arccos(c)) * c) / np.pi
    assert np.abs(c[1:] - expected[:-1]).max() < 4e-4
    assert np.allclose(theory("relu", scale, 0.2, "chi_theory"), scale / 2)


@pytest.mark.every(5)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("scale", "c"), [(1.0, 0.0), (2.0, 0.5), (9.0, 0.9)])
def test_formulas_and_quadrature_in_two_dimensions_give_the_same_theory(
    activation: str, scale: float, c: float
) -> None:
    layers, given = 8, sheetsim.InputMoments(1, c)
    frame = sheetsim.mean_field(activation, [4] * layers, [np.sqrt(scale / 4)] * layers, given)
    assert np.abs(theory(activation, scale, c)[:layers] - frame["correlation"]).max() < 1e-3
    assert np.allclose(theory(activation, scale, c, "chi_theory")[:layers], frame["chi"], rtol=1e-3)
    assert np.allclose(theory(activation, scale, c, "q_theory")[:layers], frame["pooled"], rtol=1e-9)


def test_the_map_comes_to_rest_and_its_slope_is_its_own() -> None:
    """tanh with n·sd² = 4 parts inputs (c* = 0); sigmoid with 400 has its fixed point between 0 and 1."""
    assert theory("tanh", 4.0, 0.9)[-1] < 1e-3
    c = theory("sigmoid", 400.0, 0.1)
    following = sheetsim.correlation_map("sigmoid", 400.0, [c[-1], c[-1] + 1e-5])
    assert 0.1 < c[-1] < 0.999
    assert abs(following.iloc[0] - c[-1]) < 1e-5
    slope = theory("sigmoid", 400.0, 0.1, "map_slope")[-1]
    assert abs(slope - np.diff(following)[0] / 1e-5) < 1e-3
    assert slope < 1 < theory("sigmoid", 400.0, 0.1, "chi_theory")[-1]


SEEDS = 60
CASES = (("tanh", 0.3, 0.5), ("sigmoid", 0.5, 0.2), ("relu", "he", 0.5), ("identity", "xavier", 0.7))


@cache
def over_seeds(activation: str, initializer: float | str, c: float) -> Any:
    keys = {"pairs": 30, "units": 50, "layers": 4, "correlation": c}
    study = sheetsim.Correlation(activation=activation, initializer=initializer, **keys).build()
    table = study.tables["correlation"]
    names = ("c", "c_low", "c_high", "c_theory")
    cells = [cell for name in names for cell in table[name]]
    program = Program(cells)
    found = [[float(values[cell][0, 0]) for cell in cells] for values in (program(seed=seed) for seed in range(SEEDS))]
    return np.array(found).reshape(SEEDS, len(names), 4).transpose(1, 0, 2)


@pytest.mark.parametrize(("activation", "initializer", "c"), CASES)
def test_simulation_and_theory_agree(activation: str, initializer: float | str, c: float) -> None:
    """To four standard errors of the mean over seeds, and to what finite width makes: a few parts in 50."""
    measured, *_, expected = over_seeds(activation, initializer, c)
    error = measured.std(axis=0, ddof=1) / np.sqrt(SEEDS)
    assert (np.abs(measured.mean(axis=0) - expected[0]) < 4 * error + 0.02).all()


@pytest.mark.parametrize(("activation", "initializer", "c"), CASES)
def test_the_interval_covers_theory_as_often_as_it_says(activation: str, initializer: float | str, c: float) -> None:
    _, low, high, expected = over_seeds(activation, initializer, c)
    covered = ((low <= expected) & (expected <= high)).mean(axis=0)
    # Three standard errors of 95 % over 60 seeds are 8 %; relu's bias of order 1/units grows from layer to layer.
    assert (covered >= (0.78 if activation == "relu" else 0.86)).all(), covered


def test_equal_inputs_stay_equal_and_their_interval_has_no_width() -> None:
    run = sheetsim.run("correlation", correlation=1.0, **SMALL)
    table = run.summary()
    assert (table[["c", "c_low", "c_high"]] == 1).all(axis=None)
    assert np.allclose(table["c_theory"], 1)


WORDS = [
    ({"activation": "tanh", "initializer": 0.5}, "chaotic"),
    ({"activation": "sigmoid", "initializer": "xavier"}, "ordered"),
    ({"activation": "identity", "initializer": "xavier"}, "near the edge"),
    ({"initializer": "zeros"}, "no signal"),
    ({"activation": "identity", "initializer": 1e160}, "overflow"),
]


@pytest.mark.parametrize(("keys", "word"), WORDS)
def test_words_say_what_the_weights_do(keys: dict[str, Any], word: str) -> None:
    run = sheetsim.run("correlation", pairs=20, units=40, layers=6, **keys)
    assert run.verdicts()[-1] == word


def typed(run: Run, path: Path, name: str, text: str) -> list[str]:
    book = ironcalc.load_from_xlsx(str(run.to_excel(path)), "en", "UTC", "en")
    titles = [sheet.title for sheet in run._layout.sheets]
    place = run._layout.places[run._study.graph[name]]
    book.set_user_input(titles.index(place.sheet), place.row + 1, place.column + 1, text)
    book.evaluate()
    places = [run._layout.places[node] for node in run._study.verdicts]
    return [book.get_cell_value(titles.index(own.sheet), own.row + 1, own.column + 1) for own in places]


@pytest.mark.parametrize("text", ["1.5", "-2", "abc"])
def test_a_correlation_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    run = sheetsim.run("correlation", **SMALL)
    assert typed(run, tmp_path / "book.xlsx", "c_0", text) == ["check c"] * 3


@pytest.mark.slow
def test_the_book_follows_its_drop_downs(tmp_path: Path) -> None:
    run = sheetsim.run("correlation", **SMALL)
    book = run.to_excel(tmp_path / "book.xlsx")
    assert lint(book) == []
    for activation, initializer in (("sigmoid", "std 1"), ("relu", "zeros")):
        assert poison(book, tmp_path / "other.xlsx", {"activation": activation, "initializer": initializer})
        other = sheetsim.run("correlation", activation=activation, initializer=initializer, **SMALL)
        found = differences(other, ironcalc_cells(tmp_path / "other.xlsx"), 1e-9)
        # What a person asks of the output stays as it stands; a run asks what fits its numbers.
        assert [one for one in found if not re.match(r"Output pair_correlation row \d+ column 2:", one)] == []


def test_a_book_reads_as_it_ran_and_verifies(tmp_path: Path) -> None:
    run = sheetsim.run("correlation-chaos", **SMALL)
    path = run.to_excel(tmp_path / "book.xlsx")
    with sheetsim.read(path) as book:
        assert book.summary().equals(run.summary())
        assert book.verdicts() == run.verdicts()
    assert verify(path).state == "as made"


def test_pairs_at_other_angles_pass_the_same_layers_and_follow_the_map() -> None:
    keys = {"pairs": 40, "units": 200, "layers": 4, "bias": 0.3, "initializer": 1.5 / 200**0.5}
    tables = sheetsim.Correlation(correlation=0.5, angles=[0, 45, 60, 90], **keys).build().tables
    cells = [*tables["angles"].cells(), *tables["correlation"]["c"], *tables["correlation"]["c_theory"]]
    values = evaluate(cells)
    table = tables["angles"].frame(values)
    # The pair of the study itself is 60 degrees apart.
    for name, end in (("c", ""), ("c_theory", "_theory")):
        live = [values[cell][0, 0] for cell in tables["correlation"][name]]
        assert np.allclose(table[f"c_60{end}"], live, atol=1e-4 if end else 1e-12), name
    assert np.allclose(table["c_0"], 1)
    assert np.allclose(table["c_0_theory"], 1)
    for angle in ("45", "60", "90"):
        assert np.abs(table[f"c_{angle}"] - table[f"c_{angle}_theory"]).max() < 0.06, angle
    assert np.abs(table["c_45"] - table["c_90_theory"]).max() > 0.2


@pytest.mark.slow
def test_other_angles_are_not_shown_of_another_network(tmp_path: Path) -> None:
    few = sheetsim.run("correlation", angles=[30.5], bias=0.2, **SMALL)
    path = few.to_excel(tmp_path / "book.xlsx")
    assert verify(path).state == "as made"
    assert few.table("angles").columns.tolist() == ["c_30_5", "c_30_5_theory"]
    book = ironcalc.load_from_xlsx(str(path), "en", "UTC", "en")
    titles = [sheet.title for sheet in few._layout.sheets]
    place = few._layout.places[few._study.graph["bias_std"]]
    book.set_user_input(titles.index(place.sheet), place.row + 1, place.column + 1, "0.5")
    book.evaluate()
    shown = few._layout.places[few._study.tables["angles"]["c_30_5"][0]]
    assert book.get_cell_value(titles.index(shown.sheet), shown.row + 1, shown.column + 1) == "#N/A"


def test_depth_scales_are_those_of_the_phase_diagram() -> None:
    scale, bias = 3.0, 0.4
    initializer = float(np.sqrt(scale / 4))
    study = sheetsim.Correlation(
        activation="tanh", initializer=initializer, bias=bias, pairs=2, units=4, layers=1, correlation=0.5
    ).build()
    nodes = [study.named(name) for name in ("q_theory", "c_theory", "map_slope", "q_slope")]
    q, c, of_c, of_q = (float(value[-1, 0]) for value in evaluate(nodes).values())
    at = phases("tanh", [scale], [bias**2])
    assert np.allclose([q, c], [at.q[0], at.c[0]], rtol=1e-3)
    assert np.allclose([-1 / np.log(of_c), -1 / np.log(of_q)], [at.xi_c[0], at.xi_q[0]], rtol=1e-2)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"correlation": 1.5}, "correlation must be from 0 to 1, not 1.5"),
        ({"units": 0}, "units must be 2 to 2,000, not 0"),
        ({"pairs": 10_000, "units": 2_000}, "pairs · units · layers must be at most 2,000,000"),
        ({"activation": "cos"}, "activation must be one of"),
        (
            {"initializer": "orthogonal"},
            "initializer must draw weights independently, as the theory assumes, not orthogonal",
        ),
        ({"bias": -1.0}, "bias must be a finite standard deviation of at least 0, not -1"),
        ({"angles": [91.0]}, "angles must list up to 19 numbers of degrees, from 0 to 90"),
        ({"angles": [30, 30.0]}, "angles lists the same angle twice"),
        ({"initializer": -1.0}, "initializer as a number must be a standard deviation of at least 0"),
    ],
)
def test_impossible_parameters_are_refused(keys: dict[str, Any], sentence: str) -> None:
    with pytest.raises(sheetsim.SheetsimError, match=sentence):
        sheetsim.Correlation(**keys)
