"""Gradient flow: the tables against plain NumPy and autograd, the books against other engines, verdicts and theory."""

import itertools
from pathlib import Path
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad as autograd
from conftest import SMALL
from engines import SOFFICE, differences, ironcalc_cells, libreoffice_cells, poison
from lint import lint
from references import REFERENCES
from scipy import special

import sheetsim
from sheetsim.audit.verify import verify
from sheetsim.engine.evaluate import Program
from sheetsim.errors import SheetsimError
from sheetsim.model.nets import ACTIVATIONS
from sheetsim.runs import templates
from sheetsim.runs.run import Run
from sheetsim.summary.theory import InputMoments, mean_field

TEMPLATES = [name for name in templates.names() if name.startswith("gradient-flow")]
LOSSES = ("mse", "cross-entropy")
MODES = list(itertools.product(ACTIVATIONS, LOSSES))


def small(name: str = "gradient-flow", **overrides: object) -> Run:
    return sheetsim.run(name, **{**SMALL, "outputs": 3, **overrides})


def reference(run: Run, layers: int) -> dict[str, Any]:
    """Gradients with respect to the pre-activations and the weights, by automatic differentiation of plain NumPy."""
    activation, loss, x, targets = run["activation"], run["loss"], run["x"], run["targets"]

    def value(parameters: Any) -> Any:
        weights, moves, others = parameters
        h = x
        for k, (W, move, other) in enumerate(zip(weights, moves, others, strict=True)):
            h = h @ W + move
            if k < layers:
                h = REFERENCES[activation].of(anp, h) + other
        if loss == "mse":
            return anp.mean((h - targets) ** 2)
        p = anp.exp(h - anp.max(h, axis=1, keepdims=True))
        return -anp.mean(anp.sum(targets * anp.log(p / anp.sum(p, axis=1, keepdims=True)), axis=1))

    numbers = range(1, layers + 2)
    weights = [run[f"W_{k}"] for k in numbers]
    still = [np.zeros_like(run[f"a_{k}"]) for k in numbers]
    d_W, d_a, d_z = autograd(value)((weights, still, [zero.copy() for zero in still]))
    found = {f"d_W_{k}": own for k, own in zip(numbers, d_W, strict=True)}
    found |= {f"d_a_{k}": own for k, own in zip(numbers, d_a, strict=True)}
    found |= {f"d_z_{k}": own for k, own in zip(numbers[:-1], d_z, strict=False)}
    return found | {"loss_value": value((weights, still, still))}


@pytest.mark.parametrize(("activation", "loss"), MODES)
def test_every_gradient_is_autograds(activation: str, loss: str) -> None:
    run = small(activation=activation, loss=loss)
    for name, expected in reference(run, 3).items():
        scale = np.abs(expected).max()
        np.testing.assert_allclose(run[name], expected, rtol=1e-10, atol=1e-10 * scale, err_msg=name)


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_table_is_what_numpy_says(name: str) -> None:
    run = small(name, initializer="he")
    table = run.table("gradients")
    for k in (1, 2, 3):
        for kind in ("d_a", "d_z", "d_W"):
            d, row = run[f"{kind}_{k}"], table.loc[k]
            before = run[f"{kind}_{k + 1}"] if (kind, k) != ("d_z", 3) else run["d_a_4"]
            np.testing.assert_allclose(row[f"{kind}_norm"], np.linalg.norm(d))
            np.testing.assert_allclose(row[f"{kind}_sum_squares"], (d**2).sum())
            np.testing.assert_allclose(row[f"{kind}_mean"], d.mean())
            np.testing.assert_allclose(row[f"{kind}_std"], d.std())
            np.testing.assert_allclose(row[f"{kind}_zeros"], (d == 0).mean(), atol=1e-15)
            np.testing.assert_allclose(row[f"{kind}_ratio"], np.linalg.norm(d) / np.linalg.norm(before))
        np.testing.assert_allclose(table["reach"][k], np.linalg.norm(run[f"d_a_{k}"]) / np.linalg.norm(run["d_a_4"]))


def test_the_derivatives_curve_is_that_of_differences() -> None:
    for activation in ACTIVATIONS:
        run = small(activation=activation)
        a, slope = run["curve_a"][:, 0], run["slope_curve"][:, 0]
        known, smooth = REFERENCES[activation].of, np.abs(a) > 1e-5
        found = (known(np, a + 1e-6) - known(np, a - 1e-6)) / 2e-6
        np.testing.assert_allclose(slope[smooth], found[smooth], atol=1e-8)


@pytest.mark.parametrize("name", ["a", "d_a", "d_z", "d_W"])
def test_histograms_count_every_element_once(name: str) -> None:
    run = small("gradient-flow-relu-he")
    frame = run.table(f"histograms-{name}")
    for k, own in frame.groupby(level="layer"):
        values, edges = run[f"{name}_{k}"].ravel(), run[f"edges_{name}"][:, 0]
        counts = np.diff(np.searchsorted(np.sort(values), edges, side="right"), prepend=0, append=values.size)
        assert own["count"].tolist() == counts.tolist()


def test_formulas_refer_to_the_gradient_before() -> None:
    formulas = {node.name: text for node, text in small()._layout.formulas.items() if node.name}
    assert formulas["d_z_2"] == "MMULT(d_a_3,TRANSPOSE(W_3))"
    assert formulas["d_W_2"] == "MMULT(TRANSPOSE(z_1),d_a_2)"
    assert formulas["d_a_1"].startswith(
        'IF(activation="sigmoid",d_z_1*z_1*(1-z_1),IF(activation="tanh",d_z_1*(1-z_1^2),'
        'IF(activation="relu",IF(a_1>0,d_z_1,0),IF(activation="identity",d_z_1,'
    )


def poisoned(run: Run, folder: Path, texts: dict[str, str] | None = None) -> Path:
    book = run.to_excel(folder / f"{len(list(folder.iterdir()))}.xlsx")
    target = book.with_suffix(".poisoned.xlsx")
    assert poison(book, target, texts) >= sum(node.shape[0] * node.shape[1] for node in run._layout.formulas)
    return target


@pytest.mark.every(3)
@pytest.mark.parametrize(("activation", "loss"), MODES)
def test_ironcalc_follows_the_drop_downs(activation: str, loss: str, tmp_path: Path) -> None:
    choice = {"activation": activation, "loss": loss}
    assert differences(small(**choice), ironcalc_cells(poisoned(small(), tmp_path, choice)), 1e-11) == []


@pytest.mark.parametrize(
    "overrides",
    [
        {"initializer": ["he", 0.3, {"constant": 0.05}], "output_initializer": 0.2},
        {"initializer": "zeros"},
        {"layers": [1], "inputs": 1, "outputs": 1, "samples": 1},
        {"histogram": {"bins": 4}, "initializer": "std 1", "output_initializer": 0.3},
    ],
    ids=str,
)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.every(3)
def test_ironcalc_agrees_on_unusual_studies(overrides: dict[str, Any], loss: str, tmp_path: Path) -> None:
    run = small(loss=loss, **overrides)
    book = poisoned(run, tmp_path)
    assert lint(tmp_path / "0.xlsx") == []
    assert differences(run, ironcalc_cells(book), 1e-11) == []


@pytest.mark.skipif(SOFFICE is None, reason="soffice is not installed")
@pytest.mark.slow
@pytest.mark.parametrize("modes", [MODES], ids=["all"])
def test_libreoffice_follows_the_drop_downs(modes: list[tuple[str, str]], tmp_path: Path) -> None:
    choices = [{"activation": activation, "loss": loss} for activation, loss in modes]
    books = [poisoned(small(), tmp_path, choice) for choice in choices]
    for choice, cells in zip(choices, libreoffice_cells(books), strict=True):
        assert differences(small(**choice), cells, 1e-11) == []


def test_a_wrong_derivative_would_be_found(tmp_path: Path) -> None:
    """The control: a book of tanh against the numbers of sigmoid."""
    cells = ironcalc_cells(poisoned(small(), tmp_path))
    wrong = {line.partition(":")[0] for line in differences(small(activation="sigmoid"), cells, 1e-11)}
    assert {"d_a_1", "d_z_1", "d_W_1", "counts_d_W_1", "slope_curve"} <= wrong


VERDICTS = {
    "gradient-flow": ["vanishing"] * 2 + ["undecided"] * 2 + ["start"] * 2,
    "gradient-flow-sigmoid-std1": ["weakened"] * 5 + ["start"],
    "gradient-flow-sigmoid-std001": ["vanishing"] * 4 + ["start"] * 2,
    "gradient-flow-sigmoid-xavier": ["vanishing"] * 4 + ["start"] * 2,
    "gradient-flow-relu-xavier": ["vanishing"] * 4 + ["start"] * 2,
    "gradient-flow-relu-he": ["steady"] * 4 + ["start"] * 2,
}


@pytest.mark.every(2)
@pytest.mark.parametrize("name", TEMPLATES)
def test_the_templates_have_their_verdicts(name: str) -> None:
    run = sheetsim.run(name, report="summary")
    assert run.verdicts() == VERDICTS[name]
    assert run.summary().equals(run.table("gradients"))


def rates_by_hand(run: Run, layers: int) -> dict[int, tuple[float, float, float]]:
    """The rate from the last hidden layer back to each, with its interval, by loops over units."""
    found, spread = {}, 0.0
    top = np.linalg.norm(run[f"d_z_{layers}"])
    for k in range(layers - 1, 0, -1):
        units = [float((column**2).sum()) for column in run[f"d_z_{k}"].T]
        above = [[float((column**2).sum()) for column in run[f"{d}_{k + 1}"].T] for d in ("d_a", "d_z")]
        spread += sum((own / sum(units) - 1 / len(units)) ** 2 for own in units)
        spread += sum((u / sum(above[0]) - v / sum(above[1])) ** 2 for u, v in zip(*above, strict=True))
        rate = (np.linalg.norm(run[f"d_z_{k}"]) / top) ** (1 / (layers - k))
        off = np.exp(1.96 * np.sqrt(spread) / 2 / (layers - k))
        found[k] = rate, rate / off, rate * off
    return found


def test_the_rate_and_its_interval_are_those_of_loops_over_units() -> None:
    run = small(activation="tanh", initializer="std 1")
    table = run.table("gradients")
    for k, expected in rates_by_hand(run, 3).items():
        np.testing.assert_allclose(table.loc[k, ["rate", "rate_low", "rate_high"]].tolist(), expected, rtol=1e-12)
        np.testing.assert_allclose(table["total"][k], expected[0] ** (3 - k), rtol=1e-12)
    assert table.loc[[3, 4], ["total", "rate", "rate_low", "rate_high", "rate_spread"]].isna().all(axis=None)


def test_a_saturated_tanh_explodes() -> None:
    """Saturation does not imply vanishing: large weights make up for small f′ (Schoenholz et al. 2017)."""
    run = sheetsim.run("gradient-flow", initializer="std 1", layers=[100] * 20, samples=60, report="summary")
    assert run.table("layers")["saturated"].min() > 0.6
    gradients = run.table("gradients")
    assert gradients["total"][1] > 1e6
    assert run.verdicts()[:19] == ["exploding"] * 19
    chi = mean_field("tanh", [100] * 20, [1.0] * 20, InputMoments(1, 0))["chi"]
    assert gradients["rate"][1] == pytest.approx(np.exp(np.log(chi[2:]).mean() / 2), rel=0.1)


def test_one_saturated_step_is_no_rate() -> None:
    """Sigmoid with large weights: nine tenths are lost at one f′, and nothing after that.

    A fixed fifth as the limit called that vanishing.
    """
    run = sheetsim.run("gradient-flow-sigmoid-std1", report="summary", samples=200)
    table = run.table("gradients")
    assert table["reach"][1] < 0.2
    assert table["rate_low"][1] < 1 < table["rate_high"][1]
    assert set(run.verdicts()[:5]) == {"weakened"}


# Of 100 seeds, with 100 samples (benchmarks/verdicts.py): steady in 100, and in 0 at ten times the weights.
@pytest.mark.parametrize(
    ("activation", "initializer", "layers", "word"),
    [
        ("tanh", 0.13, [100] * 5, "steady"),
        ("tanh", 1.0, [100] * 5, "exploding"),
        ("sigmoid", "xavier", [100] * 5, "vanishing"),
        ("relu", "xavier", [30] * 5, "vanishing"),
    ],
)
def test_the_words_are_those_of_theory_over_seeds(activation: str, initializer: Any, layers: Any, word: str) -> None:
    study = sheetsim.GradientFlow(
        samples=60, inputs=layers[0], layers=layers, activation=activation, initializer=initializer, report="summary"
    ).build()
    program = Program([study.verdicts[0]])
    assert {str(program(seed=seed)[study.verdicts[0]][0, 0]) for seed in range(12)} == {word}


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"initializer": "zeros"}, ["vanishing", "vanishing", "start", "start"]),
        ({"output_initializer": "zeros"}, ["vanishing", "vanishing", "weakened", "start"]),
        ({"layers": [6]}, ["start", "start"]),
        # One unit has no spread to make an interval from; its zeros are zeros.
        ({"layers": [1, 1, 1]}, ["weakened", "undecided", "start", "start"]),
        ({"layers": [1, 1, 1], "initializer": "zeros"}, ["vanishing", "vanishing", "start", "start"]),
        ({"initializer": 1e200, "activation": "relu"}, ["exploding"] * 4),
    ],
    ids=str,
)
def test_gradients_that_are_0_or_overflow_have_their_word_in_every_engine(
    overrides: dict[str, Any], words: list[str], tmp_path: Path
) -> None:
    run = small(**overrides)
    assert run.verdicts() == words
    # Which sums of an overflowing product are infinite, and which are none, differs between engines: the words do not.
    found = differences(run, ironcalc_cells(poisoned(run, tmp_path)), 1e-11)
    assert [line for line in found if line.startswith("verdict") or words[0] != "exploding"] == []


def test_large_weights_explode_and_overflow_says_so() -> None:
    assert small("gradient-flow-relu-he", initializer=5.0).verdicts()[0] == "exploding"
    assert small("gradient-flow-relu-he", initializer=1e120).verdicts()[:3] == ["exploding"] * 3


# Fluctuations of a layer's gain are O(1/width) and add up over depth: the slope of log norms² over 50 layers of 100
# units is off by a few hundredths.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        pytest.param("gradient-flow-sigmoid-xavier", 0.05, marks=pytest.mark.slow),
        pytest.param("gradient-flow-sigmoid-std001", 0.05, marks=pytest.mark.slow),
        ("gradient-flow-relu-he", 0.05),
    ],
)
def test_at_depth_50_norms_follow_the_mean_field_factor(name: str, tolerance: float) -> None:
    runs = [sheetsim.run(name, layers=[100] * 50, samples=200, report="summary", seed=seed) for seed in range(4)]
    squares = np.array([run.table("gradients")["d_z_sum_squares"].to_numpy()[:50] for run in runs])
    growth = np.log(squares[:, :-1] / squares[:, 1:])  # ‖d_z_{l-1}‖² over ‖d_z_l‖², l from 2
    activation = "relu" if "relu" in name else "sigmoid"
    sd = {"he": np.sqrt(2 / 100), "xavier": 0.1, "std001": 0.01}[name.rpartition("-")[2]]
    chi = mean_field(activation, [100] * 50, [sd] * 50, InputMoments(1, 0))["chi"].to_numpy()[1:]
    # Of 49 layers' means; standard error of the whole from the seeds' spread.
    off = (growth - np.log(chi)).mean(axis=1)
    error = off.std(ddof=1) / np.sqrt(len(off))
    assert abs(off.mean()) <= max(5 * error, tolerance), (off, error)
    expected = runs[0].table("gradients")[["d_a_ratio", "expected"]].iloc[:50]
    assert (np.abs(np.log(expected["d_a_ratio"] / expected["expected"])) < 0.5).all()


def test_a_book_reads_back_verifies_and_is_made_again_by_its_command(tmp_path: Path) -> None:
    run = small(loss="cross-entropy")
    path = run.to_excel(tmp_path / "book.xlsx")
    found = verify(path)
    assert found.ok
    assert found.state == "as made"
    with sheetsim.read(path) as book:
        for name in ("gradients", "layers", "histograms", "histograms-a", "histograms-d_z"):
            assert book.table(name).equals(run.table(name)), name
        assert book.verdicts() == run.verdicts()
        assert book.summary().equals(run.summary())
        with pytest.raises(SheetsimError, match="no table 'claims'"):
            book.table("claims")


def test_abouts_command_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shlex
    import sys

    from openpyxl import load_workbook

    from sheetsim.cli import commands as cli

    path = small(loss="cross-entropy").to_excel(tmp_path / "book.xlsx")
    about = dict(row[:2] for row in load_workbook(path)["About"].iter_rows(values_only=True) if row[0])
    again = tmp_path / "again.xlsx"
    monkeypatch.setattr(sys, "argv", [*shlex.split(about["command"]), "--output", str(again)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 0
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("report", ["full", "summary"])
def test_books_of_values_alone_are_clean_and_verify(report: str, tmp_path: Path) -> None:
    path = small(report=report).to_excel(tmp_path / "book.xlsx", values_only=True)
    assert lint(path) == []
    assert verify(path).ok


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ({"los": "mse"}, r"unknown key 'los' \(did you mean 'loss'\?\): the keys are study, title"),
        ({"loss": "hinge"}, "loss must be mse or cross-entropy, not 'hinge'"),
        ({"outputs": 0}, "outputs must be at least 1"),
        ({"output_initializer": "best"}, "initializer must be one of"),
        ({"histogram": {"range": (0.0, 1.0)}}, "histogram.range is only for the study forward"),
        (
            {"study": "backward"},
            "study must be one of .*forward, .*gradient-flow, .*, not 'backward'",
        ),
    ],
)
def test_mistakes_are_refused_with_the_key(overrides: dict[str, Any], reason: str) -> None:
    with pytest.raises(SheetsimError, match=reason):
        sheetsim.run("gradient-flow", **overrides)


def test_forwards_keys_are_forwards() -> None:
    with pytest.raises(SheetsimError, match="unknown key 'loss'"):
        sheetsim.run("relu-he", loss="mse")


def test_a_study_made_in_python_runs() -> None:
    run = sheetsim.run(sheetsim.GradientFlow(samples=20, inputs=4, layers=[3], seed=1), outputs=2)
    assert run["d_W_2"].shape == (3, 2)
    assert run.name == "gradient-flow"


def test_outputs_far_apart_keep_the_cross_entropy_finite(tmp_path: Path) -> None:
    """Each sample's own greatest output is taken off: with that of all, a sample far below it would be log(0)."""
    run = small(loss="cross-entropy", activation="identity", initializer="std 1", output_initializer=1000.0)
    out, labels = run["a_4"], run["labels"][:, 0].astype(int) - 1
    least = out.max() - out.max(axis=1)
    assert least.max() > 745  # the control: exp(-745) is the least number that there is
    reference = np.mean(special.logsumexp(out, axis=1) - out[np.arange(len(out)), labels])
    assert run["loss_value"] == pytest.approx(reference, rel=1e-12)
    assert np.isfinite(run["d_W_1"]).all()
    assert differences(run, ironcalc_cells(poisoned(run, tmp_path)), 1e-11) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gradient-flow-sigmoid-std001", "gradient-flow-sigmoid-xavier"])
def test_a_book_of_depth_50_is_set_by_depth_and_verifies(name: str, tmp_path: Path) -> None:
    """Gradients down to 1e-80, which IronCalc takes for 0 wherever it compares them."""
    run = sheetsim.run(name, samples=30, inputs=12, depth=50, width=12)
    assert len(run.summary()) == 51
    assert run.summary()["d_a_norm"].iloc[0] < 1e-25
    found = verify(run.to_excel(tmp_path / "book.xlsx"))
    assert found.state == "as made"
    assert [row for row in found.rows if not row.ok] == []
