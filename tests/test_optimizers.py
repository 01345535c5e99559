"""The study of optimizers against plain NumPy loops, closed forms and autograd; its book, its charts, its verdicts."""

import re
import shlex
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import autograd.numpy as anp
import ironcalc
import numpy as np
import pandas as pd
import pytest
from autograd import grad as autograd
from conftest import run_of
from engines import SOFFICE, differences, ironcalc_cells, libreoffice_cells, poison
from lint import lint

import sheetsim
from sheetsim.audit.verify import verify
from sheetsim.model.update_rules import RULES
from sheetsim.runs.run import Run
from sheetsim.workbook.reading.raw import RawBook

CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"


def bowl(p: Any) -> Any:
    return p[0] ** 2 / 20 + p[1] ** 2


def paths(f: Any = bowl, start: tuple[float, float] = (-7.0, 2.0), steps: int = 30, **rates: float) -> dict[str, Any]:
    """By hand, as text books have it, with gradients by automatic differentiation."""
    slope = autograd(f)
    found = {}
    for name, rate in {"sgd": 0.95, "momentum": 0.1, "adagrad": 1.5, "rmsprop": 0.3, "adam": 0.3}.items():
        eta = rates.get(name, rate)
        p, m, v = np.array(start), np.zeros(2), np.zeros(2)
        path = [p]
        for t in range(1, steps + 1):
            g = slope(p)
            if name == "sgd":
                p = p - eta * g
            elif name == "momentum":
                v = 0.9 * v - eta * g
                p = p + v
            elif name == "adagrad":
                v = v + g * g
                p = p - eta * g / (np.sqrt(v) + 1e-8)
            elif name == "rmsprop":
                v = 0.9 * v + 0.1 * g * g
                p = p - eta * g / (np.sqrt(v) + 1e-8)
            else:
                m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
                p = p - eta * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
            path.append(p)
        found[name] = np.array(path)
    return found


@pytest.fixture(scope="module")
def run() -> Run:
    return run_of("optimizers")


@pytest.fixture(scope="module")
def book(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run.to_excel(tmp_path_factory.mktemp("optimizers") / "optimizers.xlsx")


def test_each_path_is_that_of_a_plain_loop(run: Run) -> None:
    for name, path in paths().items():
        frame = run.frame(f"p_{name}")
        assert (list(frame.columns), frame.index[0], len(frame)) == (["x", "y"], 0, 31)
        np.testing.assert_allclose(frame, path, rtol=1e-11, atol=1e-12, err_msg=name)
        np.testing.assert_allclose(run[f"f_{name}"][:, 0], path**2 @ [0.05, 1.0], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(run[f"g_{name}"], path[:-1] * [0.1, 2.0], rtol=1e-10, atol=1e-12)
        steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
        np.testing.assert_allclose(run[f"moved_{name}"][:, 0], steps, rtol=1e-10)
        np.testing.assert_allclose(run.summary()["path_length"][name], steps.sum(), rtol=1e-12)


def test_sgd_on_the_bowl_has_a_closed_form(run: Run) -> None:
    t = np.arange(31)
    np.testing.assert_allclose(run["p_sgd"][:, 0], -7 * (1 - 0.95 / 10) ** t, rtol=1e-12)
    np.testing.assert_allclose(run["p_sgd"][:, 1], 2 * (1 - 2 * 0.95) ** t, rtol=1e-12)
    # AdaGrad's first step is its rate, whatever the gradient, and so is Adam's, by its bias correction.
    np.testing.assert_allclose(np.abs(run["p_adagrad"][1] - run["p_adagrad"][0]), 1.5, rtol=1e-7)
    np.testing.assert_allclose(np.abs(run["p_adam"][1] - run["p_adam"][0]), 0.3, rtol=1e-7)
    np.testing.assert_allclose(np.abs(run["p_rmsprop"][1] - run["p_rmsprop"][0]), 0.3 / np.sqrt(0.1), rtol=1e-7)


FUNCTIONS = [
    ("(1 - x)^2 + 10*(y - x^2)^2", lambda p: (1 - p[0]) ** 2 + 10 * (p[1] - p[0] ** 2) ** 2),
    ("exp(-x) + x - log(y) + y", lambda p: anp.exp(-p[0]) + p[0] - anp.log(p[1]) + p[1]),
    ("-2**-x**2 + sqrt(1 + y*y)/+3", lambda p: -(2 ** (-(p[0] ** 2))) + anp.sqrt(1 + p[1] * p[1]) / 3),
    ("tanh(x)*sigmoid(y) + abs(x - y) - log10(y^2)", None),
    ("relu(x) + absolute(y)**1.5 - 2*x*y/(x + y)**2**.5", None),
    ("y**3 - 3*y", lambda p: p[1] ** 3 - 3 * p[1]),
]


def known(p: Any) -> Any:
    return anp.tanh(p[0]) / (1 + anp.exp(-p[1])) + anp.abs(p[0] - p[1]) - anp.log10(p[1] ** 2)


def other(p: Any) -> Any:
    return anp.where(p[0] > 0, p[0], 0) + anp.abs(p[1]) ** 1.5 - 2 * p[0] * p[1] / (p[0] + p[1]) ** (2**0.5)


RATES = {"sgd": 0.01, "momentum": 0.005, "adagrad": 0.1, "rmsprop": 0.02, "adam": 0.05}


@pytest.mark.every(2)
@pytest.mark.parametrize(
    ("text", "f"),
    [pytest.param(*FUNCTIONS[0], marks=pytest.mark.slow), *FUNCTIONS[1:]],
    ids=[text for text, _ in FUNCTIONS],
)
def test_any_function_of_two_variables_can_be_put_in(sheetsim, text: str, f: Any, tmp_path: Path) -> None:
    from sheetsim import read

    f = f or (known if "tanh" in text else other)
    keys = [word for name, rate in RATES.items() for word in ("--set", f"rate_{name}={rate}")]
    status, _, err = sheetsim("run", "optimizers", "--set", f"f={text}", "--set", "start=[0.7, 1.3]", *keys)
    assert (status, err) == (0, "")
    with read(tmp_path / "outputs" / "optimizers.xlsx") as book:
        for name, path in paths(f, (0.7, 1.3), **RATES).items():
            np.testing.assert_allclose(book[f"p_{name}"], path, rtol=1e-7, atol=1e-9, err_msg=name)
            np.testing.assert_allclose(book[f"f_{name}"][:, 0], [f(p) for p in path], rtol=1e-7, atol=1e-9)
    if text == FUNCTIONS[0][0]:
        assert lint(tmp_path / "outputs" / "optimizers.xlsx") == []


def test_the_function_of_another_text_is_another() -> None:
    """The control: what stands right of ^ and under a minus sign belongs there."""
    p = np.array([0.7, 1.3])
    assert FUNCTIONS[2][1](p) != 2 ** (-p[0]) ** 2 + np.sqrt(1 + p[1] ** 2) / 3
    one = sheetsim.run("optimizers", f="-x^2 + y", steps=1)
    assert one["f_sgd"][0, 0] == -49 + 2
    assert sheetsim.run("optimizers", f="x^2*y^3^2", start=[1, 2], steps=1, rate_sgd=1e-9)["f_sgd"][0, 0] == 512


REFUSED = [
    ("__import__('os')", 'f: "\'" at character 12 is not allowed'),
    ("x.real", "f: 'x.real' at character 1 is not allowed: use numbers, x, y"),
    ("x^2 + y.__class__", "f: 'y.__class__' at character 7 is not allowed"),
    ("(lambda: x)()", "':' at character 8"),
    ("9**9**9", "f depends on neither x nor y"),
    ("9**9**9 * x*y", "f has no finite value or gradient at the start, -7, 2"),
    ("9" * 400 + "*x", "is too large"),
    ("(" * 10_000 + "x" + ")" * 10_000, "f has 20,001 characters; 500 are allowed"),
    ("(" * 240 + "x" + ")" * 240, "too many nested parentheses"),
    ("-" * 400 + "x", "f is nested deeper than 60 levels"),
    ("relu(" * 59 + "x" + ")" * 59, "f is too long: it or its gradient takes"),
    ("sinh(x)", "f: unknown function 'sinh' at character 1 (did you mean 'tanh'?): there are x, y, numbers and exp"),
    ("x^2 + z", "f: unknown name 'z' at character 7: there are x, y"),
    ("exp", "f: unknown name 'exp' at character 1"),
    ("exp(x, y)", "f: exp takes one number, 'exp(x, y)' at character 1"),
    ("x +", "f cannot be read at character 3: invalid syntax"),
    ("2x", "f cannot be read at character 1: invalid decimal literal"),
    ("x²", "f: '²' at character 2 is not allowed"),
    ("x == y", "f: '=' at character 3"),
    ("x if y else 1", "is not allowed: use numbers"),
    ("True*x", "'True' at character 1"),
    ("1j*x", "'1j' at character 1"),
    ("x % y", "'%' at character 3"),
    ("  ", "f is empty"),
    ("log(x)", "no finite value or gradient at the start"),
    ("sqrt(x + 7) + y", "no finite value or gradient at the start"),
]


@pytest.mark.parametrize(("text", "sentence"), REFUSED, ids=[text[:30] for text, _ in REFUSED])
def test_texts_that_are_no_function_are_refused_with_the_place(sheetsim, text: str, sentence: str) -> None:
    status, out, err = sheetsim("run", "optimizers", "--set", f"f='''{text}'''" if "'" not in text else f'f="{text}"')
    assert (status, out) == (2, "")
    assert sentence in err
    assert not Path("outputs").exists()


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"f": 3}, "f must be text, for example 'x**2/20 + y**2', or a function of two matrices"),
        ({"f": lambda x: x}, "f must be a function of two matrices, x and y"),
        ({"f": lambda x, y: [x, y]}, "f: list is not a matrix of the model"),
        ({"f": lambda x, y: 1.0}, "f depends on neither x nor y"),
        ({"start": (1.0, 2.0, 3.0)}, "start: must be a list of 2 numbers"),
        ({"start": (float("nan"), 0.0)}, "start must be two numbers"),
        ({"steps": 0}, "steps must be 1 to 2,000, not 0"),
        ({"steps": 2001}, "steps must be 1 to 2,000, not 2,001"),
        ({"rate_sgd": 0.0}, "rate_sgd must be above 0"),
        ({"rate_adam": float("inf")}, "rate_adam must be above 0 and at most 1,000,000"),
        ({"beta_1": 1.0}, "beta_1 must be at least 0 and below 1, not 1"),
        ({"decay": float("nan")}, "decay must be at least 0 and below 1"),
        ({"epsilon": 0.0}, "epsilon must be above 0 and at most 1, not 0"),
        ({"contours": 41}, "contours must be 0 to 40, not 41"),
        ({"rate": 1.0}, "unknown key 'rate' (did you mean 'rate_sgd'?)"),
        ({"samples": 1}, "unknown key 'samples'"),
        ({"start_std": -1}, "start_std must be from 0 to 1,000,000, not -1"),
        ({"seed": -1}, "seed must be a whole number of at least 0, not -1"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, dict) else part[:40],
)
def test_what_the_study_does_not_know_is_refused(keys: dict[str, Any], sentence: str) -> None:
    with pytest.raises(sheetsim.SheetsimError) as caught:
        sheetsim.run("optimizers", **keys)
    assert sentence in str(caught.value)


def test_a_drawn_start_is_its_mean_and_so_many_draws(tmp_path: Path) -> None:
    run = sheetsim.run("optimizers", start_std=3.0, seed=5)
    np.testing.assert_array_equal(run["start"], [[-7.0, 2.0]] + 3.0 * run["e_start"])
    np.testing.assert_array_equal(run["p_adam"][:1], run["start"])
    assert sheetsim.run("optimizers")["start"].tolist() == [[-7.0, 2.0]]
    verified = sheetsim.verify(run.to_excel(tmp_path / "drawn.xlsx"))
    assert verified.ok
    assert verified.state == "as made"


def words(run: Run, least: float = 0.0) -> list[str]:
    """By hand: f at the end against f at the start and the least f there is, which is known: the bowl's is 0."""
    losses = {name: run[f"f_{name}"][:, 0] for name in RULES}
    start = losses["sgd"][0]
    found = []
    for name, loss in losses.items():
        near = loss[-1] - least <= 0.01 * (start - least)
        moved = np.ptp(run[f"p_{name}"], axis=0).any()
        word = ("99 % down" if near else "on its way") if moved else "not moved"
        found.append(word if np.isfinite(loss[-1]) and loss[-1] <= start else "diverging")
    return found


def test_verdicts_and_the_table_say_how_the_paths_ended(run: Run) -> None:
    assert run.verdicts() == words(run) == [*(["99 % down"] * 4), "on its way"]
    table = run.summary()
    assert table.index.tolist() == list(RULES)
    least = run["least_f"]
    assert least == run["minimum_f"] == 0
    for name in RULES:
        p, loss = run[f"p_{name}"], run[f"f_{name}"][:, 0]
        near = np.flatnonzero(loss - least <= 0.01 * (loss[0] - least))
        row = table.loc[name]
        assert row["steps_to_1_percent"] == near[0]
        assert [row["x"], row["y"], row["f"], row["least"]] == [*p[-1], loss[-1], loss.min()]
        np.testing.assert_allclose(row["f_ratio"], loss[-1] / loss[0])


@pytest.mark.parametrize("rate", [0.01, 1.0, 1.001, 1.5, pytest.param(1e6, marks=pytest.mark.slow)])
def test_a_rate_over_1_diverges_and_overflow_says_so(rate: float, tmp_path: Path) -> None:
    """|1 − 2η| > 1: y grows. At 1 it swings for ever, x comes closer, and f falls slowly to 4."""
    run = sheetsim.run("optimizers", rate_sgd=rate, steps=60)
    assert run.verdicts() == words(run)
    assert run.verdicts()[0] == ("on its way" if rate <= 1.001 else "diverging")
    assert np.isfinite(run["p_sgd"]).all() == (rate < 1e6)
    if rate == 1e6:
        assert lint(run.to_excel(tmp_path / "book.xlsx")) == []
        assert differences(run, ironcalc_cells(poisoned(run, tmp_path)), 1e-11) == []
        assert np.isnan(run.summary()["steps_to_1_percent"]["sgd"])
        assert run.summary()["outside"]["sgd"] == 60
        # The window is that of the other paths.
        assert np.ptp(run["window"], axis=1).max() < 20


def test_windows_hold_the_paths_that_stay(run: Run) -> None:
    (left, right), (low, high) = run["window"]
    for name in RULES:
        x, y = run[f"p_{name}"].T
        assert (left <= x.min(), x.max() <= right, low <= y.min(), y.max() <= high) == (True,) * 4
    # All diverge: there is a book still.
    rates = dict.fromkeys(("rate_sgd", "rate_momentum", "rate_adagrad", "rate_rmsprop", "rate_adam"), 1e6)
    wild = sheetsim.run("optimizers", f="x^2 + y^4", **rates)
    assert np.isfinite(wild["window"]).all()


def pieces(run: Run) -> list[Any]:
    return [run[name] for name in run.names() if name.startswith("contour_")]


@pytest.mark.parametrize(
    ("keys", "f"),
    [({}, bowl), ({"f": FUNCTIONS[1][0], "start": [1.0, 0.5], "rate_adagrad": 0.1}, FUNCTIONS[1][1])],
    ids=["bowl", "logarithm"],
)
def test_contour_points_lie_on_their_level(keys: dict[str, Any], f: Any) -> None:
    run = sheetsim.run("optimizers", **keys)
    lines = pieces(run)
    levels = [float(np.median(f(piece.T))) for piece in lines]
    gap = np.diff(np.unique(np.round(levels, 2))).min()
    assert len(lines) >= 12
    for piece, level in zip(lines, levels, strict=True):
        assert np.abs(f(piece.T) - level).max() < 0.2 * gap, level
        assert np.abs(f(piece.T * 1.3) - level).max() > 0.2 * gap  # the control: points elsewhere do not
    window = run["window"]
    points = np.concatenate(lines)
    assert ((points >= window[:, 0] - 1e-12) & (points <= window[:, 1] + 1e-12)).all()


def test_levels_stand_on_the_sheet_and_are_those_of_the_points(book: Path, run: Run) -> None:
    cells = pd.read_excel(book, sheet_name="Contours", header=None, engine="openpyxl")
    for k, piece in enumerate(pieces(run)):
        # As linear interpolation on a grid has it.
        np.testing.assert_allclose(bowl(piece.T), cells.iloc[7, 2 * k + 1], atol=0.01)


def test_where_f_is_no_number_there_are_no_lines_and_pieces_are_capped() -> None:
    run = sheetsim.run("optimizers", f="log(x) + y^2", start=[0.2, 1.0])
    assert all((piece[:, 0] > 0).all() for piece in pieces(run))
    assert pieces(sheetsim.run("optimizers", contours=0, steps=2)) == []
    # A function of one's own may hold what is not elementwise, and many islands.
    waves = sheetsim.run(sheetsim.Optimizers(f=lambda x, y: sheetsim.mean(x**2) + y**2, steps=2))
    assert len(pieces(waves)) >= 12


def references(path: Path) -> list[list[tuple[str, str, str]]]:
    """Of each scatter chart the series: name, x and y."""
    found = []
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if not name.startswith("xl/charts/chart"):
                continue
            root = ElementTree.fromstring(archive.read(name))
            if root.find(f".//{CHART}scatterChart") is None:
                continue
            rows = []
            for series in root.iter(f"{CHART}ser"):
                texts = (
                    series.findtext(f"{CHART}{part}", "")
                    for part in (f"tx//{CHART}v", f"xVal//{CHART}f", f"yVal//{CHART}f")
                )
                rows.append(tuple(texts))
            assert len(root.findall(f".//{CHART}legendEntry")) == (len(pieces_of(rows)) if len(rows) - 16 > 0 else 0)
            found.append(rows)
    return found


def pieces_of(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return [row for row in rows if "Contours" in row[1]]


def test_charts_show_the_cells_of_the_paths_over_all_lines(book: Path, run: Run) -> None:
    charts = references(book)
    lines = len(pieces(run))
    assert sorted(len(rows) - lines for rows in charts) == [1] * 10 + [6]
    with RawBook(book) as raw:
        for rows in charts:
            assert [row[0] for row in rows[:lines]] == [""] * lines
            for label, x, y in rows[lines:]:
                if label == "start":
                    continue
                (name,) = (name for name, rule in RULES.items() if rule.label == label)
                sheet, block = raw.place(f"p_{name}")
                rows_of = f"{block.top}:${{}}${block.bottom}"
                assert x.replace("'", "") == f"{sheet}!$B${rows_of.format('B')}"
                assert y.replace("'", "") == f"{sheet}!$C${rows_of.format('C')}"


def poisoned(run: Run, folder: Path) -> Path:
    path = run.to_excel(folder / "whole.xlsx")
    target = folder / "poisoned.xlsx"
    assert poison(path, target) >= sum(node.shape[0] * node.shape[1] for node in run._layout.formulas)
    return target


def with_number(path: Path, target: Path, name: str, number: str) -> Path:
    """A copy of a book with another number in the first cell of a name."""
    with RawBook(path) as raw:
        title, block = raw.place(name)
        part = raw.part_of(title)
    cell = f'r="{"ABCDEFGH"[block.left - 1]}{block.top}"'.encode()
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as out:
        for item in source.namelist():
            data = source.read(item)
            if item == part:
                data, changed = re.subn(rb"(<c " + cell + rb"[^>]*><v>)[^<]*", rb"\g<1>" + number.encode(), data)
                assert changed == 1
            out.writestr(item, data)
    return target


def test_ironcalc_follows_a_changed_rate_and_start(run: Run, book: Path) -> None:
    model = ironcalc.load_from_xlsx(str(book), "en", "UTC", "en")
    with sheetsim.read(book) as read:
        for name, number in (("rate_sgd", "1.2"), ("start", "3"), ("beta_2", "0.99")):
            _, row, column, *_ = read._reader.place(name)
            model.set_user_input(0, row, column, number)
        model.evaluate()
        changed = sheetsim.run("optimizers", rate_sgd=1.2, start=[3.0, 2.0], beta_2=0.99)
        for sheet, name in enumerate(RULES, start=3):
            _, top, left, bottom, right = read._reader.place(f"p_{name}")
            cells = [
                [model.get_cell_value(sheet, r, c) for c in range(left, right + 1)] for r in range(top, bottom + 1)
            ]
            np.testing.assert_allclose(cells, changed[f"p_{name}"], rtol=1e-9, atol=1e-12)
            _, row, column, *_ = read._reader.place(f"verdict_{name}")
            assert model.get_cell_value(0, row, column) == changed[f"verdict_{name}"]
    assert changed["verdict_sgd"] == "diverging" != run["verdict_sgd"]


@pytest.mark.slow
@pytest.mark.skipif(SOFFICE is None, reason="soffice is not installed")
def test_libreoffice_agrees_from_poisoned_caches_also_with_another_rate(run: Run, tmp_path: Path) -> None:
    plain = poisoned(run, tmp_path)
    other = with_number(plain, tmp_path / "other.xlsx", "rate_sgd", "1.2")
    one, two = libreoffice_cells([plain, other])
    assert differences(run, one, 1e-11) == []
    changed = sheetsim.run("optimizers", rate_sgd=1.2)
    assert changed["verdict_sgd"] == "diverging"
    wrong = differences(changed, two, 1e-11)
    # The book's window and lines are constants, and stay those of the first.
    assert [line for line in wrong if not line.startswith(("window", "contour_", "Contours", "Paths"))] == []
    assert differences(run, two, 1e-11) != []


@pytest.mark.slow
def test_a_book_reads_back_verifies_and_an_edited_cell_is_found(run: Run, book: Path, tmp_path: Path) -> None:
    found = verify(book)
    assert (found.ok, found.state) == (True, "as made")
    with sheetsim.read(book) as read:
        assert read.summary().equals(run.summary())
        assert read.verdicts() == run.verdicts()
        for name in ("p_adam", "g_adam", "v_adam", "f_sgd", "moved_rmsprop"):
            np.testing.assert_array_equal(read.frame(name), run.frame(name))
            assert read.frame(name).index.tolist() == run.frame(name).index.tolist()
            assert read.frame(name).columns.tolist() == run.frame(name).columns.tolist()
    edited = verify(with_number(book, tmp_path / "edited.xlsx", "rate_sgd", "0.5"))
    assert (edited.ok, edited.state) == (False, "edited")
    assert any(change.name == "rate_sgd" for change in edited.changes)
    dead = run.to_excel(tmp_path / "dead.xlsx", values_only=True)
    assert lint(dead) == []
    assert verify(dead).state == "as made"


def about(path: Path) -> dict[str, str]:
    """Its labels and texts, the first of each label: a column of a table may be called as a key is."""
    rows = pd.read_excel(path, sheet_name="About", header=None, engine="openpyxl").iloc[::-1, :2]
    return dict(rows.dropna().to_numpy())


def test_a_function_given_in_python_is_said_to_be_one(tmp_path: Path) -> None:
    run = sheetsim.run(sheetsim.Optimizers(f=lambda x, y: x**2 / 20 + sheetsim.exp(y) - y, start=(-7, 1), rate_sgd=0.1))
    p = np.array([-7.0, 1.0])
    for _ in range(30):
        p = p - 0.1 * np.array([p[0] / 10, np.exp(p[1]) - 1])
    np.testing.assert_allclose(run["p_sgd"][-1], p, rtol=1e-10)
    path = run.to_excel(tmp_path / "book.xlsx")
    cells = about(path)
    assert cells["command"] == "made in Python with a function: no command makes it again"
    assert cells["f"] == '"a function, given in Python"'
    found = verify(path)
    assert (found.ok, found.state) == (True, "as written")
    assert "f was given in Python" in found.notes[0]
    # A wrong cell is found all the same: by its formula.
    lie = with_number(path, tmp_path / "lie.xlsx", "rate_sgd", "0.2")
    assert not verify(lie).ok


def test_whole_numbers_from_python_and_abouts_command_give_the_same_bytes(tmp_path: Path, sheetsim) -> None:
    from sheetsim import Optimizers, run

    path = run(Optimizers(start=[-7, 1], rate_sgd=1, f="x^2/20 + y^2", steps=5)).to_excel(tmp_path / "one.xlsx")
    assert verify(path).state == "as made"
    cells = about(path)
    status, _, err = sheetsim(*shlex.split(cells["command"])[1:], "--output", "two.xlsx")
    assert (status, err) == (0, "")
    assert (tmp_path / "two.xlsx").read_bytes() == path.read_bytes()


def test_formulas_read_as_the_rules_do(run: Run) -> None:
    formulas = {run._layout.places[node]: text for node, text in run._layout.formulas.items()}
    at = {(place.sheet, place.column): text for place, text in sorted(formulas.items()) if place.row == 10}
    assert at["Momentum", 1] == "Momentum!$B$10:$C$10+Momentum!$G$11:$H$11"
    assert at["Momentum", 6] == "momentum*Momentum!$G$10:$H$10-rate_momentum*Momentum!$E$11:$F$11"
    assert at["Adam", 1] == (
        "Adam!$B$10:$C$10-rate_adam*(Adam!$G$11:$H$11/(1-beta_1^1))/(SQRT(Adam!$I$11:$J$11/(1-beta_2^1))+epsilon)"
    )
    assert at["SGD", 4] == "1/20*2*INDEX('SGD'!$B$10:$C$10,0,1)*unit_x+2*INDEX('SGD'!$B$10:$C$10,0,2)*unit_y"


@pytest.mark.parametrize(
    ("said", "note"),
    [
        ("__import__(&apos;os&apos;)", "is not allowed in a function"),
        ("relu(" * 59 + "x" + ")" * 59, "f is too long"),
        ("x**2/20 + y**4", ""),
    ],
    ids=["code", "long", "another"],
)
def test_a_book_that_says_another_function_is_edited(book: Path, tmp_path: Path, said: str, note: str) -> None:
    target = tmp_path / "hostile.xlsx"
    with zipfile.ZipFile(book) as source, zipfile.ZipFile(target, "w") as out:
        for item in source.namelist():
            data = source.read(item)
            if item == "xl/sharedStrings.xml":
                # On About, and in what the book says of itself.
                assert data.count(b"x**2/20 + y**2") == 2
                data = data.replace(b"x**2/20 + y**2", said.encode())
            out.writestr(item, data)
    found = verify(target)
    assert found.state == "edited"
    assert note in "".join(found.notes)


def test_without_a_minimum_there_is_a_best_of_five_and_no_more(tmp_path: Path) -> None:
    """x³ falls without end: SGD and Momentum overflow, and of the others none is 99 % down."""
    run = sheetsim.run("optimizers", f="x^3 + y^2")
    assert run.verdicts() == [*(["diverging"] * 2), "best of five", *(["on its way"] * 2)]
    assert np.isnan(run["least_f"])
    assert "minimum" not in run
    assert run["best_f"] == run["f_adagrad"][-1, 0] == min(run[f"f_{name}"][-1, 0] for name in list(RULES)[2:])
    assert run.summary()["steps_to_1_percent"].isna().all()
    assert differences(run, ironcalc_cells(poisoned(run, tmp_path)), 1e-11) == []


def test_one_step_is_no_way_down() -> None:
    """AdaGrad is the best of five, with 27 % of f left."""
    run = sheetsim.run("optimizers", steps=1)
    assert run.summary()["f_ratio"].round(2).to_dict()["adagrad"] == 0.27
    assert run.verdicts() == words(run) == ["on its way"] * 5


LEAST = [
    ("(1 - x)^2 + 100*(y - x^2)^2", (1, 1), 0),
    ("(x^2 + y - 11)^2 + (x + y^2 - 7)^2", None, 0),
    ("abs(x - 3) + abs(y)^1.5 - 2", (3, 0), -2),
    ("exp(-x) + x - log(y) + y", (0, 1), 2),
    ("(x - 0.1)^2*(x - 9)^2 + 10*x + y^2", None, None),
    ("log(x) + y^2", None, np.nan),
    ("sqrt(x) + y^2", None, np.nan),
    ("x^3 - 3*x + y^2", None, np.nan),
    ("0*x - y", None, np.nan),
]


@pytest.mark.parametrize(("text", "point", "least"), LEAST, ids=[text for text, *_ in LEAST])
def test_the_least_f_is_found_without_the_paths(text: str, point: Any, least: float | None) -> None:
    rates = dict.fromkeys(("rate_sgd", "rate_momentum", "rate_adagrad", "rate_rmsprop", "rate_adam"), 1e-4)
    run = sheetsim.run("optimizers", f=text, start=[1.5, 2.0], steps=2, contours=0, **rates)
    if least is None:
        # Two valleys, of which the start lies in one and the deeper one is known by a grid.
        x = np.linspace(-3, 12, 150_001)
        least = float(((x - 0.1) ** 2 * (x - 9) ** 2 + 10 * x).min())
    assert run["least_f"] == pytest.approx(least, rel=1e-7, abs=1e-12, nan_ok=True)
    assert not {"99 % down", "best of five" if np.isfinite(least) else "99 % down"} & set(run.verdicts())
    if point:
        assert run["minimum"].tolist() == [list(point)]


def test_a_path_below_the_minimum_that_was_found_counts(tmp_path: Path) -> None:
    """The minimum is a constant of the book: were it wrong, no path that goes lower is 99 % down by it."""
    run = sheetsim.run("optimizers")
    book = run.to_excel(tmp_path / "book.xlsx")
    model = ironcalc.load_from_xlsx(str(book), "en", "UTC", "en")
    with sheetsim.read(book) as read:
        places = {name: read._reader.place(name) for name in ("minimum", "minimum_f", "least_f", "verdict_adagrad")}
    with pd.ExcelFile(book, engine="openpyxl") as file:
        sheets = {sheet: k for k, sheet in enumerate(file.sheet_names)}
    sheet, row, column, *_ = places["minimum"]
    model.set_user_input(sheets[sheet], row, column, "2")
    model.evaluate()
    values = {n: model.get_cell_value(sheets[s], r, c) for n, (s, r, c, *_) in places.items()}
    assert values["minimum_f"] == pytest.approx(0.2)
    assert values["least_f"] == pytest.approx(min(run[f"f_{name}"].min() for name in RULES))
    assert values["verdict_adagrad"] == "99 % down"


def test_a_function_without_a_slope_moves_nothing() -> None:
    run = sheetsim.run("optimizers", f="0*x + 0*y")
    assert run.verdicts() == words(run) == ["not moved"] * 5
    assert run.summary()["steps_to_1_percent"].isna().all()
