"""The words of the study forward: what praises is true of every number beside it, and wrong cells are said."""

import math
from pathlib import Path

import ironcalc
import numpy as np
import pytest
from conftest import run_of, small_run
from engines import differences, ironcalc_cells, poison

import sheetsim
from sheetsim.errors import SheetsimError
from sheetsim.model import initializers
from sheetsim.runs import templates
from sheetsim.runs.run import Run
from sheetsim.studies.forward.study import Forward
from sheetsim.summary import layers
from sheetsim.summary.theory import InputMoments, mean_field
from sheetsim.workbook.reading.raw import RawBook

FORWARD = [name for name in templates.names() if templates.load(name).experiment.study == "forward"]


def effective(z: np.ndarray) -> float:
    covariance = np.cov(z.T, bias=True)
    return float(np.trace(covariance) ** 2 / np.sum(covariance**2))


def praised(run: Run) -> list[int]:
    return [layer for layer, word in enumerate(run.verdicts(), start=1) if word == "healthy"]


@pytest.mark.parametrize(
    "given", ["normal", {"distribution": "uniform"}, {"distribution": "normal", "correlation": 0.3}], ids=str
)
@pytest.mark.parametrize("name", FORWARD)
@pytest.mark.every(4)
def test_what_is_called_healthy_is_so_by_every_number_beside_it(name: str, given: object) -> None:
    run = sheetsim.run(name, depth=12, width=40, inputs=40, samples=100, input=given)
    x, first = run["x"], run["z_1"].std()
    own = x.var(axis=0).mean() / np.mean(x**2)
    for layer in praised(run):
        z = run[f"z_{layer}"]
        assert z.var(axis=0).mean() / z.var() >= own / math.e
        assert 0.75 <= z.std() / first <= 4 / 3
        assert np.sum(np.ptp(z, axis=0) == 0) <= 4
        assert effective(z) >= 0.1 * min(effective(x), 1 / (1 / 40 + 1 / 100))
        if name.startswith("relu"):
            assert 0.1 <= np.mean(z**2) / np.mean(x**2) <= 10
        else:
            slope = z * (1 - z) * 4 if name.startswith("sigmoid") else 1 - z**2
            assert np.mean(slope < 0.01) <= 0.2


@pytest.mark.parametrize("name", ["sigmoid-xavier", "relu-xavier", "relu-he", "tanh-he", "tanh-xavier"])
def test_first_layers_of_a_good_scale_are_called_healthy(name: str) -> None:
    """The control: a rule that praises nothing would hold for nothing."""
    assert 1 in praised(sheetsim.run(name, width=40, inputs=40, samples=100, report="summary"))


def test_a_sigmoid_that_loses_its_input_is_not_healthy_however_wide_its_histogram() -> None:
    run = run_of("sigmoid-xavier")
    assert run.verdicts() == ["healthy", "input fading", "input fading", "input lost", "input lost"]
    share = run.summary()["over_samples"]
    for layer in share.index:
        z = run[f"z_{layer}"]
        assert share[layer] == pytest.approx(z.var(axis=0).mean() / z.var(), rel=1e-9)


def test_the_input_is_lost_at_the_rate_of_mean_field_theory() -> None:
    """Layer by layer the share falls by χ = 0.0557 for sigmoid with 1/√n, and stays for tanh: 20 seeds of 100 units."""
    settings = {"samples": 60, "layers": [100] * 4, "report": "summary"}
    logs = np.array(
        [np.log(sheetsim.run("sigmoid-xavier", seed=k, **settings).summary()["over_samples"]) for k in range(20)]
    )
    theory = np.log(mean_field("sigmoid", [100] * 4, [0.1] * 4, InputMoments(1, 0))["over_samples"])
    error = logs.std(axis=0, ddof=1) / math.sqrt(20)
    assert np.all(np.abs(logs.mean(axis=0) - theory)[1:] < 4 * error[1:] + 0.05)
    assert math.exp(theory[4] - theory[3]) == pytest.approx(0.0557, abs=0.001)
    assert sheetsim.run("tanh-xavier", **settings).summary()["over_samples"].min() > 0.95


def test_an_input_with_a_mean_is_measured_by_itself() -> None:
    """Uniform (0, 1) inputs have a quarter of their mean square over samples; so have the sums of layer 1."""
    run = sheetsim.run("relu-he", samples=300, input={"distribution": "uniform"}, report="summary")
    assert run["over_samples_x"] == pytest.approx(0.25, abs=0.01)
    assert run.summary()["over_samples"][1] < layers.FADING
    assert run.verdicts()[0] == "healthy"


@pytest.mark.parametrize(
    ("overrides", "word"),
    [
        ({"initializer": 0.3}, "growing"),
        ({"initializer": "xavier"}, "shrinking"),
        ({"activation": "tanh", "initializer": "xavier", "depth": 24}, "few directions"),
        ({"activation": "sigmoid", "initializer": "xavier"}, "input fading"),
        ({"activation": "sigmoid", "initializer": "xavier", "depth": 6}, "input lost"),
    ],
)
@pytest.mark.every(5)
def test_ironcalc_says_each_word(overrides: dict[str, object], word: str, tmp_path: Path) -> None:
    settings: dict[str, object] = {"samples": 60, "inputs": 40, "width": 40, "depth": 3, "seed": 1}
    run = sheetsim.run("relu-he", **settings | overrides)
    assert word in run.verdicts()
    poison(run.to_excel(tmp_path / "book.xlsx"), tmp_path / "poisoned.xlsx")
    assert differences(run, ironcalc_cells(tmp_path / "poisoned.xlsx"), 1e-11) == []


def typed(run: Run, folder: Path, name: str, text: str) -> list[str]:
    """The verdicts by IronCalc after something was typed, or pasted, into a cell."""
    place = run._layout.places[run._study.graph[name]]
    sheets = [sheet.title for sheet in run._layout.sheets]
    book = ironcalc.load_from_xlsx(str(run.to_excel(folder / "typed.xlsx")), "en", "UTC", "en")
    book.set_user_input(sheets.index(place.sheet), place.row + 1, place.column + 1, text)
    book.evaluate()
    homes = [run._layout.places[node] for node in run._study.verdicts]
    return [book.get_cell_value(sheets.index(home.sheet), home.row + 1, home.column + 1) for home in homes]


@pytest.mark.parametrize("text", ["abc", "-0.5", "TRUE and false"])
def test_a_standard_deviation_that_is_none_is_said(text: str, tmp_path: Path) -> None:
    run = small_run(initializer=0.3)
    assert "check std" not in run.verdicts()
    assert typed(run, tmp_path, "custom_std", text) == ["check std"] * 3
    # What is not in use may hold anything.
    assert typed(small_run(), tmp_path, "custom_std", text) == small_run().verdicts()


def test_a_layers_own_standard_deviation_is_said_there_and_where_nothing_can_be_computed(tmp_path: Path) -> None:
    run = small_run(initializer=["he", 0.3, "he"])
    healthy = run.verdicts()
    assert typed(run, tmp_path, "custom_std_2", "abc") == [healthy[0], "check std", "check std"]
    assert typed(run, tmp_path, "custom_std_2", "-0.3")[:2] == [healthy[0], "check std"]
    flow = small_run("gradient-flow", output_initializer=0.3)
    assert typed(flow, tmp_path, "output_custom_std", "abc") == ["check std"] * 4
    *hidden, last = typed(flow, tmp_path, "output_custom_std", "-0.3")
    assert last == "check std"
    assert "check std" not in hidden


def test_equal_weights_may_be_negative(tmp_path: Path) -> None:
    run = small_run(initializer={"constant": -0.2}, activation="tanh")
    assert "check std" not in run.verdicts()
    assert "check std" not in typed(run, tmp_path, "custom_std", "-0.3")


def test_the_cells_of_standard_deviations_take_numbers_from_0_only(tmp_path: Path) -> None:
    run = small_run("gradient-flow", initializer=["he", 0.3, "xavier"])
    rules = (run.to_excel(tmp_path / "book.xlsx"), run.to_excel(tmp_path / "values.xlsx", values_only=True))
    counts = []
    for book in rules:
        with RawBook(book) as raw:
            overview = raw.read("xl/worksheets/sheet1.xml")
        counts.append(overview.count(b'type="decimal" operator="greaterThanOrEqual"'))
    # custom_std, one a layer, output_custom_std.
    assert counts == [5, 0]


def test_a_models_cells_can_have_a_least_number(tmp_path: Path) -> None:
    model = sheetsim.Model()
    model.define("y", model.input("rate", 0.2, at_least=0) * 2)
    with pytest.raises(SheetsimError, match="low: -1 is less than 0"):
        model.input("low", -1, at_least=0)
    with RawBook(model.run().to_excel(tmp_path / "book.xlsx")) as raw:
        assert b'operator="greaterThanOrEqual"' in raw.read("xl/worksheets/sheet1.xml")


def test_a_scheme_keeps_its_own_draws_in_the_study(monkeypatch: pytest.MonkeyPatch) -> None:
    """An initializer with uniform draws of variance 1: the study has them, as a model's weights do."""
    own = initializers.Initializer(initializers.he().sd, sheetsim.uniform(-math.sqrt(3), math.sqrt(3)))
    monkeypatch.setitem(initializers.SCHEMES, "he", own)
    for study in (Forward(initializer="he", layers=[50]), Forward(initializer=["he"], layers=[50])):
        e = sheetsim.run(study)["e_1"]
        assert np.abs(e).max() <= math.sqrt(3)
        assert np.mean(e**2) == pytest.approx(1, abs=4 * math.sqrt(0.8 / e.size))
    assert np.abs(sheetsim.run(Forward(initializer="xavier", layers=[50]))["e_1"]).max() > 3


def test_lecun_is_xavier_by_its_authors_name() -> None:
    np.testing.assert_array_equal(small_run(initializer="lecun")["W_2"], small_run(initializer="xavier")["W_2"])
    model = sheetsim.Model()
    model.weights("W_1", sheetsim.lecun(), (25, 3))
    assert model.run()["sd_1"] == 0.2


def test_effective_units_of_independent_units_have_the_ceiling_that_is_said() -> None:
    found = [effective(np.random.default_rng(k).standard_normal((1000, 100))) for k in range(20)]
    assert np.mean(found) == pytest.approx(1 / (1 / 100 + 1 / 1000), abs=0.3)
