"""Series: steps against plain NumPy loops, in both engines, at any length, and through gradients."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ironcalc
import numpy as np
import pandas as pd
import pytest
from engines import SOFFICE, differences, ironcalc_cells, libreoffice_cells, poison
from lint import lint

import sheetsim
from sheetsim.engine.evaluate import evaluate
from sheetsim.model import expr
from sheetsim.model.expr import Matrix, mean, sum_squares, total
from sheetsim.model.traversal import topological
from sheetsim.runs.run import Run

PAGE = Path(__file__).parent.parent / "docs/own-model.md"
START = [[-7.0, 2.0]]


def adam(steps: int = 30, start: Any = None) -> tuple[sheetsim.Model, dict[str, Any]]:
    """Adam on x²/20 + y²: three series with a start, and the gradient, which has none."""
    model = sheetsim.Model("Adam")
    rate = model.input("rate", 0.3)
    beta_1, beta_2 = model.input("beta_1", 0.9), model.input("beta_2", 0.999)
    half = model.input("curvature", [[1 / 20, 1.0]])
    start = model.input("start", START) if start is None else start

    def step(before: dict[str, Matrix], t: int) -> dict[str, Matrix]:
        p = before["p"]
        (g,) = sheetsim.grad(total(half * p**2), [p])
        m = beta_1 * before["m"] + (1 - beta_1) * g
        v = beta_2 * before["v"] + (1 - beta_2) * g**2
        moved = rate * (m / (1 - beta_1**t)) / (sheetsim.sqrt(v / (1 - beta_2**t)) + 1e-8)
        return {"g": g, "m": m, "v": v, "p": p - moved}

    series = model.series(
        {"p": start, "m": [[0, 0]], "v": [[0, 0]]}, step=step, steps=steps, columns={"p": ["x", "y"], "g": ["x", "y"]}
    )
    return model, series


def numpy_adam(steps: int = 30, rate: float = 0.3, start: Any = START) -> Any:
    p, m, v = np.array(start[0]), np.zeros(2), np.zeros(2)
    path = [p]
    for t in range(1, steps + 1):
        g = 2 * np.array([1 / 20, 1.0]) * p
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        p = p - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        path.append(p)
    return np.array(path)


def matrices(steps: int = 8) -> sheetsim.Model:
    """A 3×2 state and a single number by step, and a series of gradients by each step of the state."""
    model = sheetsim.Model("States", seed=2)
    W = model.input("W", sheetsim.normal(std=0.7), (2, 2))
    h = model.series("h", model.input("h_0", sheetsim.normal(), (3, 2)), lambda h, t: sheetsim.tanh(h @ W), steps)
    model.series("count", 1.0, lambda n, t: n * 2 + t, steps)
    gradients = sheetsim.grad(sum_squares(h[-1]), list(reversed(list(h))))
    back = model.stacked("d_h", gradients, first=1)
    model.stacked("norm", [sheetsim.sqrt(sum_squares(d)) for d in back], ["norm"], first=1)
    model.define("energy", total(h))
    return model


def written(run: Run, folder: Path) -> tuple[Path, Path]:
    number = len(list(folder.iterdir()))
    book, poisoned = run.to_excel(folder / f"book-{number}.xlsx"), folder / f"poisoned-{number}.xlsx"
    assert poison(book, poisoned) >= sum(node.shape[0] * node.shape[1] for node in run._layout.formulas)
    return book, poisoned


MODELS: dict[str, Callable[[], sheetsim.Model]] = {"adam": lambda: adam()[0], "matrices": matrices}


def test_adam_is_that_of_a_plain_loop() -> None:
    run = adam()[0].run()
    frame = run.frame("p")
    np.testing.assert_allclose(frame, numpy_adam(), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(run["p"], frame)
    assert (frame.index.tolist(), frame.index.name) == (list(range(31)), "step")
    assert list(frame.columns) == ["x", "y"]
    gradient = run.frame("g")
    assert gradient.index.tolist() == list(range(1, 31))
    np.testing.assert_allclose(gradient, frame.iloc[:-1].to_numpy() * [0.1, 2.0], rtol=1e-12)


def test_a_series_of_matrices_is_that_of_a_plain_loop() -> None:
    run = matrices().run()
    h = [run["h_0"]]
    for _ in range(8):
        h.append(np.tanh(h[-1] @ run["W"]))
    np.testing.assert_allclose(run["h"], np.concatenate(h), rtol=1e-14)
    frame = run.frame("h")
    assert frame.index.names == ["step", "row"]
    np.testing.assert_array_equal(frame.loc[3], run["h"][9:12])
    assert run["count"][:4, 0].tolist() == [1, 3, 8, 19]
    d = [2 * h[-1]]
    for z in reversed(h[1:]):
        d.append((d[-1] * (1 - z**2)) @ run["W"].T)
    np.testing.assert_allclose(run["d_h"], np.concatenate(d), rtol=1e-12)
    np.testing.assert_allclose(run["norm"][:, 0], [np.sqrt((part**2).sum()) for part in d], rtol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_ironcalc_agrees_from_poisoned_caches(name: str, tmp_path: Path) -> None:
    run = MODELS[name]().run()
    book, poisoned = written(run, tmp_path)
    assert lint(book) == []
    assert differences(run, ironcalc_cells(poisoned), 1e-12) == []


@pytest.mark.skipif(SOFFICE is None, reason="soffice is not installed")
def test_libreoffice_agrees_from_poisoned_caches(tmp_path: Path) -> None:
    runs = [make().run() for make in MODELS.values()]
    books = [written(run, tmp_path)[1] for run in runs]
    for run, cells in zip(runs, libreoffice_cells(books), strict=True):
        assert differences(run, cells, 1e-11) == []


def in_ironcalc(path: Path, changes: dict[tuple[str, int, int], str], sheet: str, shape: tuple[int, int]) -> Any:
    """The numbers of a sheet from B2, after cells were changed."""
    book = ironcalc.load_from_xlsx(str(path), "en", "UTC", "en")
    titles = [properties["name"] for properties in book.get_worksheets_properties()]
    for (title, row, column), text in changes.items():
        book.set_user_input(titles.index(title), row, column, text)
    book.evaluate()
    number = titles.index(sheet)
    return np.array([[book.get_cell_value(number, r + 2, c + 2) for c in range(shape[1])] for r in range(shape[0])])


def test_a_changed_rate_or_start_changes_every_later_step(tmp_path: Path) -> None:
    model, series = adam(start=START)
    run = model.run()
    _, poisoned = written(run, tmp_path)
    place = run._layout.places[model["rate"]]
    rate = {(place.sheet, place.row + 1, place.column + 1): "0.1"}
    found = in_ironcalc(poisoned, rate, "p", (31, 2))
    np.testing.assert_allclose(found, numpy_adam(rate=0.1), rtol=1e-10, atol=1e-12)
    # The start stands in the series itself, as numbers to be changed.
    assert series["p"][0] not in run._layout.formulas
    found = in_ironcalc(poisoned, {("p", 2, 2): "3", ("p", 2, 3): "-1"}, "p", (31, 2))
    np.testing.assert_allclose(found, numpy_adam(start=[[3.0, -1.0]]), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_what_is_read_back_is_what_was_computed(name: str, tmp_path: Path) -> None:
    run = MODELS[name]().run()
    path = run.to_excel(tmp_path / "book.xlsx")
    with sheetsim.read(path) as book:
        for title in ("p", "m", "v", "g") if name == "adam" else ("h", "count", "d_h", "norm"):
            np.testing.assert_array_equal(book[title], run[title])
            pd.testing.assert_frame_equal(book.frame(title), run.frame(title), check_index_type=False)
            levels = [0, 1] if run.frame(title).index.nlevels == 2 else 0
            table = pd.read_excel(path, sheet_name=title, index_col=levels, engine="openpyxl")
            np.testing.assert_array_equal(table, run.frame(title))
            assert list(map(str, table.columns)) == list(map(str, run.frame(title).columns))
        other = "curvature" if name == "adam" else "W"
        pd.testing.assert_frame_equal(book.frame(other), run.frame(other), check_index_type=False)
    values = run.to_excel(tmp_path / "values.xlsx", values_only=True)
    assert lint(values) == []
    with sheetsim.read(values) as book:
        assert "IF(" not in str(book.names())


def test_a_book_has_a_name_a_series_and_not_a_step(tmp_path: Path) -> None:
    path = adam(200)[0].to_excel(tmp_path / "book.xlsx")
    with sheetsim.read(path) as book:
        assert set(book.names()) == {"rate", "beta_1", "beta_2", "curvature", "start", "p", "m", "v", "g"}
        assert book["p"].shape == (201, 2)


def test_overflow_is_an_error_value_and_lasts(tmp_path: Path) -> None:
    model = sheetsim.Model()
    model.series("y", 10.0, lambda y, t: y * y, 12)
    run = model.run()
    assert np.isinf(run["y"][-4, 0])
    assert np.isnan(run["y"][-3:]).all()
    book, poisoned = written(run, tmp_path)
    assert lint(book) == []
    cells = ironcalc_cells(poisoned)
    assert [isinstance(value, str) for (value,) in cells("y", 1, 1, (13, 1))] == [
        not np.isfinite(v) for v in run["y"][:, 0]
    ]


def test_the_gradient_passes_thousands_of_steps_without_recursion() -> None:
    model = sheetsim.Model()
    start = model.input("start", [[2.0]])
    x = model.series("x", start, lambda x, t: x * 0.9999 + 0.5, 5000)
    (d,) = sheetsim.grad(total(x[-1]), [start])
    assert evaluate([d])[d].item() == pytest.approx(0.9999**5000, rel=1e-9)


def test_a_step_s_gradient_looks_no_further_than_that_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were it to walk all the steps before, a training loop would take time in their square."""
    seen: list[int] = []

    def counted(targets: Any, args: Any) -> list[Matrix]:
        order = topological(targets, args)
        seen.append(len(order))
        return order

    monkeypatch.setattr("sheetsim.model.grad.topological", counted)
    adam(60)
    a_step = len(seen) // 60
    assert sum(seen[-a_step:]) == sum(seen[a_step : 2 * a_step]) > 0


@pytest.mark.slow
def test_work_grows_with_the_steps_and_not_with_their_square(tmp_path: Path) -> None:
    """Calls of Python functions, counted: time would depend on the machine."""
    calls = [_calls(lambda steps=steps: adam(steps)[0].run().to_excel(tmp_path / "b.xlsx")) for steps in (50, 250, 450)]
    more, most = calls[1] - calls[0], calls[2] - calls[1]
    assert most == pytest.approx(more, rel=0.02)


def _calls(work: Callable[[], object]) -> int:
    import sys

    count = 0

    def called(frame: object, event: str, arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    work()  # imports are no steps
    sys.setprofile(called)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda m: m.series("y", 1.0, lambda y, t: y, 0), "steps must be a whole number of at least 1"),
        (lambda m: m.series("y", 1.0, None, 3), "needs step, a function"),
        (lambda m: m.series("y", [[1, 2]], lambda y, t: y + m.input("v", [[1], [2]]), 3), "y: step 1 is 2×2, .* 1×2"),
        (lambda m: m.series("y", [[1, 2]], lambda y, t: y, 3, columns=["a"]), "1 headings for 2 columns"),
        (lambda m: m.series("y", [[1, 2]], lambda y, t: y, 3, columns=["a", "a"]), "two columns have the same heading"),
        (lambda m: m.series("y", [[1, 2]], lambda y, t: y, 3, columns="ab"), "must be a list of texts"),
        (lambda m: m.series("y", [[1, 2]], lambda y, t: y, 3, columns=["a", "b\x00"]), "printable"),
        (lambda m: m.series("y", [[1, np.nan]], lambda y, t: y, 3), "column 2 is nan"),
        (lambda m: (m.input("y", 1.0), m.series("Y", 1.0, lambda y, t: y, 3)), "'Y' is already taken"),
        (lambda m: m.series("y 1", 1.0, lambda y, t: y, 3), "is not a valid name"),
        (lambda m: (m.series("y1", 1.0, lambda y, t: y, 3), m.to_excel("no.xlsx")), "'y1' is a cell reference"),
        (lambda m: m.series({"y": 1.0}, step=lambda b, t: {}, steps=3), "step 1 lacks 'y'"),
        (lambda m: m.series({"y": 1.0}, step=lambda b, t: {"y": 1, f"z{t}": 1}, steps=3), "step 2 lacks 'z1'"),
        (lambda m: m.series({"y": 1.0}, step=lambda b, t: b["y"], steps=3), "mapping of names to matrices, not Matrix"),
        (lambda m: m.series("y", 1.0, lambda y, t: y, 3)[4], "y: no step 4; it has 0 to 3"),
        (lambda m: m.define("z", m.series("y", 1.0, lambda y, t: y, 3)[1]), "already a step of a series"),
        (lambda m: m.stacked("z", []), "one or more matrices"),
        (lambda m: sheetsim.grad(total(m.series("y", y := m.input("x", 1.0), lambda y, t: y, 3)), [y]), "its steps"),
        (lambda m: (m.stacked("z", [m.input("x", np.ones((9000, 1)))] * 117), m.to_excel("n.xlsx")), "1,053,001 rows"),
    ],
)  # fmt: skip
def test_a_wrong_series_is_refused_with_the_reason(make: Any, sentence: str) -> None:
    with pytest.raises(sheetsim.SheetsimError, match=sentence):
        make(sheetsim.Model())


def test_a_matrix_in_two_places_is_referred_to(tmp_path: Path) -> None:
    model = sheetsim.Model()

    def step(before: dict[str, Matrix], t: int) -> dict[str, Any]:
        y = before["y"] * 2
        return {"y": y, "same": y, "old": before["y"], "number": 4}

    model.series({"y": 1.0}, step=step, steps=3)
    run = model.run()
    assert run["same"][:, 0].tolist() == [2, 4, 8]
    assert run["old"][:, 0].tolist() == [1, 2, 4]
    assert run["number"][:, 0].tolist() == [4, 4, 4]
    assert differences(run, ironcalc_cells(written(run, tmp_path)[1]), 1e-12) == []


def trained(steps: int = 50) -> tuple[sheetsim.Model, dict[str, Any]]:
    """The worked example of docs/own-model.md, as it stands there."""
    (code,) = [c for c in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if "model.series" in c]
    names: dict[str, Any] = {}
    exec(code.replace("steps=50", f"steps={steps}").replace('model.to_excel("training.xlsx")', ""), names)
    return names["model"], names


def test_the_documented_network_trains_as_a_plain_loop_does_and_ironcalc_agrees(tmp_path: Path) -> None:
    run = trained()[0].run()
    x, y, W, V = (run[name] for name in ("x", "y", "W_1", "W_2"))
    losses = []
    for _ in range(50):
        a = x @ W
        z = np.tanh(a)
        error = z @ V - y
        losses.append((error**2).mean())
        d = 2 * error / error.size
        dV, dW = z.T @ d, x.T @ ((d @ V.T) * (1 - z**2))
        W, V = W - 0.2 * dW, V - 0.2 * dV
    assert losses[-1] < 0.5 * losses[0]
    np.testing.assert_allclose(run["loss"][:, 0], losses, rtol=1e-12)
    np.testing.assert_allclose(run.frame("W").loc[50], W, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(run.frame("V").loc[50], V, rtol=1e-12, atol=1e-12)
    book, poisoned = written(run, tmp_path)
    assert lint(book) == []
    assert differences(run, ironcalc_cells(poisoned), 1e-12) == []


def test_a_series_as_a_whole_is_a_matrix_of_the_model() -> None:
    model = sheetsim.Model()
    y = model.series("y", [[1.0, 2.0]], lambda y, t: y + 1, 3)
    assert model["y"] is y
    assert (len(y), y.shape) == (4, (4, 2))
    model.define("least", expr.minimum(y))
    model.define("level", mean(y[-1]))
    run = model.run()
    assert (run["least"], run["level"]) == (1.0, 4.5)
    assert run._layout.formulas[model["least"]] == "MIN(y)"
    assert run._layout.formulas[model["level"]] == "AVERAGE('y'!$B$5:$C$5)"
