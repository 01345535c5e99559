"""Gradients through time: the legacy generator's run, plain loops and autograd, both engines, verdicts and mistakes."""

import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import autograd.numpy as anp
import ironcalc
import numpy as np
import openpyxl
import pytest
from autograd import grad as autograd
from engines import SOFFICE, differences, ironcalc_cells, libreoffice_cells, poison
from lint import lint
from references import REFERENCES

import sheetsim
from sheetsim.audit.verify import verify
from sheetsim.engine.evaluate import evaluate
from sheetsim.errors import SheetsimError
from sheetsim.model.draws import stream
from sheetsim.model.expr import matrix
from sheetsim.model.nets import ACTIVATIONS
from sheetsim.runs.run import Run
from sheetsim.studies.rnn_gradients.growth import decided, growth_verdict

TEMPLATES = ("rnn-gradients", "rnn-gradients-tanh")
WIDER = {"samples": 3, "units": 4, "steps": 9}


def by_hand(run: Run, activation: str, max_norm: float, *, once: bool = False, l2: bool = False) -> dict[str, Any]:
    """The norms and gradients by a loop that knows nothing of the model but its draws."""
    W, h = run["scale"] * np.atleast_2d(run["e_W"]), [np.atleast_2d(run["h_0"])]
    steps, samples = len(np.atleast_2d(run["norm"])), len(h[0])
    for _ in range(steps):
        h.append(REFERENCES[activation].of(np, h[-1] @ W))
    found: dict[str, list[Any]] = {name: [] for name in ("norm", "norm_clipped", "rate", "d_h", "d_h_clipped")}
    d = clipped = np.atleast_2d(run["d_start"])
    divisor = 1 if l2 else samples
    for t in range(steps, 0, -1):
        slope = np.vectorize(REFERENCES[activation].slope)(h[t - 1] @ W)
        d, clipped = (d * slope) @ W.T, ((d if once else clipped) * slope) @ W.T
        rate = max_norm / (np.sqrt(np.sum(clipped**2)) / divisor + 1e-6)
        if rate < 1:
            clipped = clipped * rate
        row = (np.sqrt((d**2).sum()) / divisor, np.sqrt((clipped**2).sum()) / divisor, rate, d, clipped)
        for name, value in zip(found, row, strict=True):
            found[name].append(value)
    return {name: np.array(values) for name, values in found.items()}


def test_the_template_is_numpys_legacy_run() -> None:
    N, H = 2, 2
    np.random.seed(3)
    W = np.random.randn(H, H)
    d = np.ones((N, H))
    norms = []
    for _ in range(20):
        d = d @ W.T
        norms.append(np.sqrt((d**2).sum()) / N)
    run = sheetsim.run("rnn-gradients")
    np.testing.assert_array_equal(run["W"], W)
    np.testing.assert_array_equal(run["h_0"], np.random.randn(N, H))
    assert run["norm"].shape == run["norm_clipped"].shape == (20, 1)
    np.testing.assert_allclose(run["norm"][:, 0], norms, rtol=1e-13)
    np.testing.assert_allclose(run.frame("d_h").loc[20], d, rtol=1e-13)
    assert run.frame("norm").index.tolist() == list(range(1, 21))
    assert run.frame("norm").columns.tolist() == ["norm"]


def test_the_default_streams_are_other_draws() -> None:
    run = sheetsim.run("rnn-gradients", draws="pcg64")
    assert sheetsim.RnnGradients().draws == "pcg64"
    assert not np.isclose(run["W"], np.random.RandomState(3).randn(2, 2)).any()
    np.testing.assert_array_equal(run["e_W"], stream(3, "e_W").standard_normal((2, 2)))
    np.testing.assert_allclose(run["norm"][:, 0], by_hand(run, "identity", 5.0)["norm"], rtol=1e-13)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("overrides", [{}, WIDER, {"samples": 1, "units": 1, "steps": 1, "max_norm": 0.1}], ids=str)
def test_every_series_is_that_of_a_plain_loop(activation: str, overrides: dict[str, Any]) -> None:
    run = sheetsim.run("rnn-gradients", activation=activation, **overrides)
    expected = by_hand(run, activation, run["max_norm"])
    for name in ("norm", "norm_clipped", "rate"):
        np.testing.assert_allclose(np.atleast_2d(run[name])[:, 0], expected[name], rtol=1e-11, err_msg=name)
    for name in ("d_h", "d_h_clipped"):
        steps = run[name].reshape(-1, *np.atleast_2d(run["h_0"]).shape)
        np.testing.assert_allclose(steps[1:], expected[name], rtol=1e-9, atol=1e-12, err_msg=name)


CONVENTIONS = [("each step", "l2"), ("once", "mean"), ("once", "l2")]


@pytest.mark.every(2)
@pytest.mark.parametrize(("clip", "norm"), CONVENTIONS)
def test_both_conventions_of_clipping_are_plain_loops_and_follow_the_drop_downs(
    clip: str, norm: str, tmp_path: Path
) -> None:
    own = {**WIDER, "activation": "tanh", "scale": 1.5, "max_norm": 0.1}
    run = sheetsim.run("rnn-gradients", clip=clip, norm=norm, **own)
    expected = by_hand(run, "tanh", 0.1, once=clip == "once", l2=norm == "l2")
    for name in ("norm", "norm_clipped", "rate"):
        np.testing.assert_allclose(run[name][:, 0], expected[name], rtol=1e-11, err_msg=name)
    assert (expected["rate"] < 1).any()
    # The control: the other convention is another run.
    other = by_hand(run, "tanh", 0.1)
    assert not all(np.allclose(other[name], expected[name], rtol=1e-3) for name in ("norm", "norm_clipped"))
    if clip == "once":
        # As the algorithm has it: the whole gradient, or one of its direction with the norm max_norm.
        whole, clipped = run.frame("d_h").loc[3].to_numpy(), run.frame("d_h_clipped").loc[3].to_numpy()
        size = np.linalg.norm(whole) / (3 if norm == "mean" else 1)
        np.testing.assert_allclose(clipped, whole * min(1, 0.1 / size), rtol=1e-5)
    book = poisoned(sheetsim.run("rnn-gradients", **own), tmp_path, {"clip": clip, "norm_kind": norm})
    assert differences(run, ironcalc_cells(book), 1e-11) == []


@pytest.mark.parametrize(
    ("growth", "later", "whole", "word"),
    [
        (1.0, 1.0, 2.0, "steady"),
        (1.0, 1.0, 100.0, "levelled off"),
        (1.0, 1.0, 0.01, "levelled off"),
        # By 3 % a step over 100 steps, and back: as fast at the end as at the start.
        (1.03, 1.03**50, 1.03**99, "exploding"),
        (1.03**-1, 1.03**-50, 1.03**-99, "vanishing"),
        (1.04, 7.0, 50.0, "exploding"),
        (0.97, 0.1, 0.01, "vanishing"),
        (1.06, 1.2, 1.3, "exploding"),
        (float("nan"), float("nan"), 1.0, "exploding"),
    ],
)
def test_steady_is_false_for_none_of_the_numbers_beside_it(
    growth: float, later: float, whole: float, word: str
) -> None:
    node = growth_verdict(matrix(growth), matrix(later), matrix(whole))
    assert evaluate([node])[node].item() == word


@pytest.mark.parametrize(
    ("growth", "rho", "sigma", "word"),
    [
        (1.0, 1.0, 1.04, "both"),
        # σ is 8 % above the growth, and so not within 5 % of it.
        (0.96, 1.0, 1.04, "spectral radius"),
        (1.08, 1.0, 1.04, "largest singular value"),
        (0.9, 1.0, 1.04, "neither alone"),
    ],
)
def test_what_the_growth_follows_lies_near_it(growth: float, rho: float, sigma: float, word: str) -> None:
    node = decided(matrix(growth), matrix(rho), matrix(sigma))
    assert evaluate([node])[node].item() == word


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "identity"])
def test_gradients_through_time_are_autograds(activation: str) -> None:
    run = sheetsim.run("rnn-gradients", activation=activation, **WIDER)
    W, last, f = run["W"], run["d_start"], partial(REFERENCES[activation].of, anp)
    h = run["h"].reshape(-1, 3, 4)
    for back in range(1, 10):

        def loss(state: Any, steps: int = back) -> Any:
            for _ in range(steps):
                state = f(state @ W)
            return anp.sum(state * last)

        expected = autograd(loss)(h[9 - back])
        np.testing.assert_allclose(run.frame("d_h").loc[back], expected, rtol=1e-10, atol=1e-13)


def test_clipping_holds_the_norm_and_only_where_it_must() -> None:
    run = sheetsim.run("rnn-gradients", **WIDER)
    table = run.table("norms")
    assert (table["norm"] > 5).any()
    assert (table["norm_clipped"] < 5).all()
    np.testing.assert_allclose(table["norm_clipped"][table["rate"] < 1], 5, rtol=1e-6)
    free = table["rate"] >= 1
    np.testing.assert_array_equal(table["norm_clipped"][free], table["norm_before"][free])
    assert run["clipped_steps"] == (~free).sum()
    # The control: with a limit that is never reached, clipped is unclipped, to the last digit.
    loose = sheetsim.run("rnn-gradients", max_norm=1e9, **WIDER)
    np.testing.assert_array_equal(loose["norm_clipped"], loose["norm"])
    assert loose["clipped_steps"] == 0


def test_the_direction_of_a_clipped_gradient_is_that_of_the_whole() -> None:
    """With the identity the way back is linear, so that clipping takes length alone."""
    run = sheetsim.run("rnn-gradients", **WIDER)
    whole, clipped = run.frame("d_h").loc[9], run.frame("d_h_clipped").loc[9]
    np.testing.assert_allclose(whole / np.linalg.norm(whole), clipped / np.linalg.norm(clipped), rtol=1e-10)


def test_formulas_read_as_the_mathematics() -> None:
    run = sheetsim.run("rnn-gradients")
    series = run._study.graph
    formulas = {name: run._layout.formulas[series[name][1]] for name in ("a", "d_h", "norm", "norm_clipped", "rate")}
    assert formulas["a"] == "MMULT(Forward!$E$8:$F$9,W)"
    assert formulas["d_h"] == "MMULT(Backward!$C$10:$D$11,TRANSPOSE(W))"
    assert formulas["norm"] == "SQRT(SUMSQ(Backward!$E$10:$F$11))/divisor"
    assert formulas["rate"] == "max_norm/(Norms!$C$2+1E-06)"
    assert run._layout.formulas[series["d_a"][1]].startswith(
        'IF(activation="sigmoid",Backward!$E$8:$F$9*Forward!$E$48:$F$49*(1-Forward!$E$48:$F$49),'
        'IF(activation="tanh",Backward!$E$8:$F$9*(1-Forward!$E$48:$F$49^2),'
        'IF(activation="relu",IF(Forward!$C$48:$D$49>0,Backward!$E$8:$F$9,0),IF(activation="identity",Backward!$E$8:$F$9,'
    )


@pytest.mark.parametrize("draws", ["mt19937", pytest.param("pcg64", marks=pytest.mark.slow)])
@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, 4))])
def test_identity_follows_the_spectral_radius_and_no_step_exceeds_the_singular_value(draws: str, seed: int) -> None:
    run = sheetsim.run("rnn-gradients", draws=draws, seed=seed, units=6, samples=4, steps=200, scale=0.5)
    W = run["W"]
    np.testing.assert_allclose(run["spectral_radius"], np.abs(np.linalg.eigvals(W)).max(), rtol=1e-9)
    np.testing.assert_allclose(run["largest_singular_value"], np.linalg.svd(W)[1][0], rtol=1e-12)
    table = run.summary()
    np.testing.assert_allclose(table["growth"]["unclipped"], run["spectral_radius"], rtol=0.05)
    assert table["largest_growth"]["unclipped"] <= run["largest_singular_value"] * (1 + 1e-12)
    assert run["decides"] in ("spectral radius", "both")


@pytest.mark.slow
def test_small_and_large_weights_have_their_verdicts() -> None:
    word = {}
    for scale in (0.4, 1 / 1.874990105306758, 1.0):
        run = sheetsim.run("rnn-gradients", scale=scale, steps=100)
        word[scale] = run.verdicts()
    assert list(word.values()) == [["vanishing"] * 2, ["steady"] * 2, ["exploding", "steady"]]
    table = run.table("norms")
    growth = (table["norm"][100] / table["norm"][50]) ** (1 / 50)
    np.testing.assert_allclose(run.summary()["growth"]["unclipped"], growth, rtol=1e-12)


def test_under_tanh_neither_decides_as_the_slopes_count() -> None:
    run = sheetsim.run("rnn-gradients-tanh")
    assert run["spectral_radius"] > 1
    assert run.verdicts() == ["vanishing", "vanishing"]
    assert run["decides"] == "neither alone"
    np.testing.assert_allclose(run["mean_slope"], np.mean(1 - run["h"][2:] ** 2), rtol=1e-12)
    # The control: the same weights without the slopes.
    linear = sheetsim.run("rnn-gradients")
    assert (linear.verdicts()[0], linear["decides"]) == ("exploding", "spectral radius")
    assert linear["mean_slope"] == 1


def test_a_nilpotent_gradient_dies_and_an_overflowing_one_explodes(tmp_path: Path) -> None:
    run = sheetsim.run("rnn-gradients", scale=0.0)
    assert run["spectral_radius"] == run["largest_singular_value"] == 0
    assert run.verdicts() == ["vanishing", "vanishing"]
    over = sheetsim.run("rnn-gradients", scale=1e40)
    assert over.verdicts()[0] == "exploding"
    for each in (run, over):
        assert lint(each.to_excel(tmp_path / "book.xlsx")) == []
    assert differences(run, ironcalc_cells(poisoned(run, tmp_path)), 1e-11) == []


def poisoned(run: Run, folder: Path, texts: dict[str, str] | None = None) -> Path:
    book = run.to_excel(folder / f"{len(list(folder.iterdir()))}.xlsx")
    target = book.with_suffix(".poisoned.xlsx")
    assert poison(book, target, texts) >= sum(node.shape[0] * node.shape[1] for node in run._layout.formulas)
    return target


@pytest.mark.every(8)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("overrides", [{}, WIDER, {"samples": 1, "units": 1, "steps": 1}], ids=str)
def test_ironcalc_follows_the_drop_down(activation: str, overrides: dict[str, Any], tmp_path: Path) -> None:
    book = poisoned(sheetsim.run("rnn-gradients", **overrides), tmp_path, {"activation": activation})
    assert lint(tmp_path / "0.xlsx") == []
    run = sheetsim.run("rnn-gradients", activation=activation, **overrides)
    assert differences(run, ironcalc_cells(book), 1e-11) == []


@pytest.mark.slow
@pytest.mark.skipif(SOFFICE is None, reason="soffice is not installed")
def test_libreoffice_follows_the_drop_down(tmp_path: Path) -> None:
    books = [poisoned(sheetsim.run("rnn-gradients", **WIDER), tmp_path, {"activation": name}) for name in ACTIVATIONS]
    for name, cells in zip(ACTIVATIONS, libreoffice_cells(books), strict=True):
        assert differences(sheetsim.run("rnn-gradients", activation=name, **WIDER), cells, 1e-11) == []


def test_the_numbers_of_another_activation_would_be_found(tmp_path: Path) -> None:
    """The control of the two above."""
    cells = ironcalc_cells(poisoned(sheetsim.run("rnn-gradients"), tmp_path))
    wrong = {line.partition(":")[0] for line in differences(sheetsim.run("rnn-gradients-tanh"), cells, 1e-11)}
    assert {"d_h", "d_a", "norm", "norm_clipped", "slope", "verdict_unclipped", "decides"} <= wrong


@pytest.mark.parametrize(
    ("cell", "value", "overrides"),
    [("scale", 0.5, {"scale": 0.5}), ("max_norm", 2.5, {"max_norm": 2.5})],
)
def test_a_changed_cell_moves_the_norms(cell: str, value: float, overrides: dict[str, Any], tmp_path: Path) -> None:
    path = sheetsim.run("rnn-gradients").to_excel(tmp_path / "book.xlsx")
    book = ironcalc.load_from_xlsx(str(path), "en", "UTC", "en")
    with sheetsim.read(path) as read:
        _, row, column, *_ = read._reader.place(cell)
        places = {name: read._reader.place(name) for name in ("norm", "norm_clipped", "spectral_radius", "decides")}
    titles = openpyxl.load_workbook(path).sheetnames
    book.set_user_input(titles.index("Overview"), row, column, str(value))
    book.evaluate()
    changed = sheetsim.run("rnn-gradients", **overrides)
    for name, (sheet, top, left, bottom, _) in places.items():
        found = [book.get_cell_value(titles.index(sheet), r, left) for r in range(top, bottom + 1)]
        if name == "decides":
            assert found == [changed[name]]
        else:
            np.testing.assert_allclose(found, np.ravel(changed[name]), rtol=1e-11, err_msg=name)


@pytest.mark.parametrize("overrides", [{}, WIDER, {"samples": 1}], ids=str)
def test_a_book_reads_back_and_verifies_as_made(overrides: dict[str, Any], tmp_path: Path) -> None:
    run = sheetsim.run("rnn-gradients-tanh", **overrides)
    path = run.to_excel(tmp_path / "book.xlsx")
    found = verify(path)
    assert (found.ok, found.state) == (True, "as made")
    with sheetsim.read(path) as book:
        assert book.summary().equals(run.summary())
        assert book.summary().index.tolist() == ["unclipped", "clipped"]
        for name in ("growth", "norms"):
            assert book.table(name).equals(run.table(name))
        assert book.verdicts() == run.verdicts()
        for name in ("h", "a", "d_a", "d_h", "d_h_clipped", "norm", "norm_clipped", "rate", "growth", "radius_W"):
            assert book.frame(name).equals(run.frame(name)), name
            assert book.frame(name).index.equals(run.frame(name).index), name
        assert set(book.names()) == {"as_made", *(str(node.name) for node in run._study.graph)}


def test_an_edited_cell_is_found(tmp_path: Path) -> None:
    path, edited = sheetsim.run("rnn-gradients").to_excel(tmp_path / "book.xlsx"), tmp_path / "edited.xlsx"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(edited, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "xl/worksheets/sheet1.xml":
                data = data.replace(b"<v>2.0091680", b"<v>2.0191680")
            new.writestr(name, data)
    found = verify(edited)
    assert not found.ok
    assert found.state == "edited"


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two = (sheetsim.run("rnn-gradients").to_excel(tmp_path / f"{k}.xlsx").read_bytes() for k in "12")
    assert one == two


def test_the_axis_is_of_powers_of_ten_on_request_alone(tmp_path: Path) -> None:
    def charts(log: bool) -> list[bytes]:
        path = sheetsim.run("rnn-gradients", log=log).to_excel(tmp_path / f"{log}.xlsx")
        with zipfile.ZipFile(path) as archive:
            return [archive.read(f"xl/charts/chart{k}.xml") for k in (1, 2)]

    assert [b'<c:logBase val="10"/>' in xml for xml in charts(log=True)] == [True, False]
    assert [b"logBase" in xml for xml in charts(log=False)] == [False, False]
    for xml in charts(log=False)[:1]:
        assert b"<c:lineChart>" in xml
        assert b"Norms!$B$2:$B$21" in xml
        assert b"Norms!$E$2:$E$21" in xml


@pytest.mark.parametrize("name", TEMPLATES)
def test_values_alone_verify_and_hold_no_formula(name: str, tmp_path: Path) -> None:
    path = sheetsim.run(name).to_excel(tmp_path / "book.xlsx", values_only=True)
    assert lint(path) == []
    assert verify(path).ok
    with zipfile.ZipFile(path) as archive:
        sheets = [archive.read(part) for part in archive.namelist() if part.startswith("xl/worksheets/sheet")]
    assert not any(b"<f>" in xml or b"<f " in xml for xml in sheets)


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ({"seed": -1}, "seed must be a whole number of at least 0, not -1"),
        ({"seed": 2**32}, "seed must be at most 4294967295 with draws mt19937, not 4294967296"),
        ({"draws": "mersenne"}, "draws must be one of pcg64, mt19937, hdr, not 'mersenne'"),
        ({"samples": 0}, "samples must be 1 to 1,000, not 0"),
        ({"units": 101}, "units must be 1 to 100, not 101"),
        ({"steps": 1001}, "steps must be 1 to 1,000, not 1,001"),
        ({"samples": 1000, "units": 100}, "samples · units · steps must be at most 50,000, not 2,000,000"),
        ({"activation": "softmax"}, "activation must be one of sigmoid, .*, not 'softmax'"),
        ({"scale": -1.0}, "scale must be a standard deviation from 0 to 1e100, not -1"),
        ({"scale": float("nan")}, "scale must be a standard deviation"),
        ({"max_norm": 0.0}, "max_norm must be a finite number above 0, not 0"),
        ({"max_norm": float("inf")}, "max_norm must be a finite number above 0"),
        ({"clip": "never"}, "clip must be each step or once, not 'never'"),
        ({"norm": "max"}, "norm must be mean or l2, not 'max'"),
        ({"log": "yes"}, "log: must be true or false, not text"),
        ({"step": 3}, r"unknown key 'step' \(did you mean 'steps'\?\)"),
    ],
    ids=str,
)
def test_mistakes_are_refused_with_the_key(overrides: dict[str, Any], reason: str) -> None:
    with pytest.raises(SheetsimError, match=reason):
        sheetsim.run("rnn-gradients", **overrides)


def test_the_command_line_runs_shows_and_refuses(sheetsim: Callable[..., Any], tmp_path: Path) -> None:
    status, out, _ = sheetsim("run", "rnn-gradients", "--set", "log=true", "--set", "draws=pcg64", "--set", "steps=5")
    assert (status, "exploding" in out or "vanishing" in out) == (0, True)
    book = "outputs/rnn-gradients.xlsx"
    about = {row[0]: row[1] for row in openpyxl.load_workbook(book)["About"].iter_rows(values_only=True)}
    assert about["command"] == "sheetsim run rnn-gradients --set 'draws=\"pcg64\"' --set steps=5 --set log=true"
    assert sheetsim("verify", book)[0] == 0
    for what in ("rnn-gradients-tanh", book):
        status, out, _ = sheetsim("summary", what, "--format", "csv")
        assert (status, out.splitlines()[0]) == (
            0,
            "gradient,verdict,first,last,ratio,growth,largest_growth,second_half",
        )
    assert sheetsim("summary", book, "--table", "norms")[0] == 0
    assert sheetsim("replicate", "rnn-gradients", "--set", "steps=3", "--replicates", "2")[0] == 0
    before = sorted(tmp_path.rglob("*"))
    assert sheetsim("run", "rnn-gradients", "--set", "steps=0", "--output", "bad.xlsx")[0] == 2
    assert sorted(tmp_path.rglob("*")) == before
