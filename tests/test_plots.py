"""Pictures of charts: their numbers are the run's, their scales the book's, and a book read back gives the same."""

import base64
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from conftest import FIRST_OF, quick_run, small_run
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from msgspec import Struct
from msgspec.structs import astuple

import sheetsim
from sheetsim.runs import templates
from sheetsim.runs.run import Run, read
from sheetsim.runs.run import run as run_template
from sheetsim.workbook.layout import Bars, HorizontalBars, Lines, Page, Scatter
from sheetsim.workbook.plotting.figure import saved
from sheetsim.workbook.writing.styles import USUAL_LOOK
from sheetsim.workbook.writing.theme import RoleColors

QUICK = ["--set", "samples=30", "--set", "inputs=4", "--set", "layers=[5, 3]"]
TINY = {"samples": 20, "inputs": 4, "layers": [5, 3]}
BEGINNINGS = {"png": b"\x89PNG\r\n", "svg": b"<?xml", "pdf": b"%PDF-"}

# Studies that have among them every kind of chart and page; the others are slow.
PLAIN = {"relu-he", "gradient-flow", "correlation", "phase-diagram", "bayesian-search", "training-in-cells"}

Chart = Bars | HorizontalBars | Lines | Scatter


@cache
def made(name: str) -> Run:
    return quick_run(name)


def charts_of(run: Run, title: str = "Overview") -> list[Chart]:
    page = next(sheet for sheet in run._layout.sheets if isinstance(sheet, Page) and sheet.title == title)
    charts = [item for item in page.items if isinstance(item, Bars | HorizontalBars | Lines | Scatter)]
    return sorted(charts, key=lambda item: (item.row, item.column))


def numbers_of(run: Run, item: Chart) -> list[np.ndarray]:
    """What a chart shows, by its cells."""
    values = run._values
    if isinstance(item, Bars):
        return [values[item.counts][:, 0]]
    if isinstance(item, Scatter):
        return [values[node][:, 1] for node in (*item.contours, *(trace.points for trace in item.traces))]
    lines = item.lines if isinstance(item, Lines) else item.parts
    return [np.concatenate([values[node][:, 0] for node in line.cells]).astype(float) for line in lines]


def drawn_on(axes: Axes, item: Chart) -> list[np.ndarray]:
    """What is drawn, by matplotlib's artists."""
    if isinstance(item, Bars):
        inside = next(patch for patch in axes.patches if patch.get_label() == item.counts.name)
        outside = [next(patch for patch in axes.patches if patch.get_label() == name) for name in ("below", "more")]
        return [np.max([patch.get_data().values for patch in (inside, *outside)], axis=0)]
    if isinstance(item, HorizontalBars):
        return [np.array([bar.get_width() for bar in bars]) for bars in axes.containers]
    return [line.get_ydata() for line in axes.lines[: len(numbers_of_lines(item))]]


def numbers_of_lines(item: Lines | Scatter) -> tuple[object, ...]:
    return item.lines if isinstance(item, Lines) else (*item.contours, *item.traces)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other, equal_nan=True)
    if isinstance(one, Struct):
        return type(one) is type(other) and same(astuple(one), astuple(other))
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other or (one != one and other != other)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in PLAIN else pytest.mark.slow) for name in templates.names()]
)
def test_a_picture_has_overviews_charts_with_their_numbers_and_a_book_the_same_on_all_pages(
    name: str, tmp_path: Path
) -> None:
    run = made(name)
    charts = charts_of(run)
    axes = run.plot().axes
    assert len(axes) == len(charts) > 0
    for one, item in zip(axes, charts, strict=True):
        for drawn, numbers in zip(drawn_on(one, item), numbers_of(run, item), strict=True):
            np.testing.assert_array_equal(drawn, np.where(np.isfinite(numbers), numbers, np.nan))
        if isinstance(item, Lines):
            assert one.get_yscale() == ("log" if item.logarithmic else "linear")
        if isinstance(item, Scatter):
            assert one.get_xlim() == item.window[0][:2]
            assert one.get_ylim() == item.window[1][:2]
    with read(run.to_excel(tmp_path / "book.xlsx")) as book:
        ours, theirs = run._pages(), book._pages()
        assert list(ours) == list(theirs)
        for title, panels in ours.items():
            assert same(panels(USUAL_LOOK), theirs[title](USUAL_LOOK)), title


def test_a_books_picture_shows_what_a_person_changed_and_else_has_the_runs_bytes(tmp_path: Path) -> None:
    run = small_run(samples=20)
    path = run.to_excel(tmp_path / "book.xlsx", values_only=True)
    with read(path) as book:
        assert saved(book.plot(), "svg") == saved(run.plot(), "svg")
        assert same(book.plot("layers").axes[0].lines[0].get_ydata(), run.summary()["mean"].to_numpy(float))
    import openpyxl

    changed = openpyxl.load_workbook(path)
    changed["Histograms"]["C5"] = changed["Bars"]["E6"] = 77
    changed.save(tmp_path / "changed.xlsx")
    with read(tmp_path / "changed.xlsx") as book:
        inside = next(patch for patch in book.plot().axes[0].patches if patch.get_label() == "bars_1")
        assert inside.get_data().values[3] == 77


def test_histograms_of_layers_share_their_scales_and_kinds_do_not() -> None:
    axes = made("gradient-flow").plot().axes[3:]
    of_a, of_d_a = axes[:3], axes[3:6]
    for one in of_a[1:]:
        assert of_a[0].get_shared_y_axes().joined(of_a[0], one)
        assert of_a[0].get_shared_x_axes().joined(of_a[0], one)
        assert one.get_ylim() == of_a[0].get_ylim()
    assert not of_a[0].get_shared_y_axes().joined(of_a[0], of_d_a[0])


def test_zeros_are_a_bar_of_their_own_with_their_share() -> None:
    run = small_run("relu-he")
    for layer, axes in enumerate(run.plot().axes[:3], start=1):
        share = (run[f"z_{layer}"] == 0).mean()
        assert f" zeros {share:.1%} " in [text.get_text() for text in axes.texts]


def test_a_table_without_charts_is_drawn_a_chart_a_column() -> None:
    run = made("gradient-flow")
    frame = run.table("gradients")
    axes = {one.get_title(): one for one in run.plot("Gradients").axes}
    assert list(axes) == [name for name in frame if frame[name].dtype.kind in "iuf" and frame[name].notna().any()]
    for name, one in axes.items():
        np.testing.assert_array_equal(one.lines[0].get_ydata(), frame[name])


def test_a_table_with_several_series_has_a_line_each() -> None:
    run = made("training")
    frame = run.table("curves")
    names = list(dict.fromkeys(frame.index))
    loss = next(one for one in run.plot("curves").axes if one.get_title() == "loss")
    assert [text.get_text() for text in loss.get_legend().get_texts()] == names
    for line, name in zip(loss.lines, names, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), frame.loc[name, "step"])
        np.testing.assert_array_equal(line.get_ydata(), frame.loc[name, "loss"])


def test_a_histogram_by_name_is_drawn_by_layer() -> None:
    run = made("gradient-flow")
    axes = run.plot("histograms-d_z").axes
    assert [one.get_title() for one in axes] == ["Layer 1", "Layer 2", "Layer 3"]


def test_replicates_and_comparisons_are_drawn() -> None:
    replicates = sheetsim.replicate("relu-he", replicates=4, **TINY)
    means = replicates.statistics().xs("pooled", level="statistic")["mean"]
    np.testing.assert_allclose(replicates.plot().axes[0].lines[0].get_ydata(), means, rtol=1e-12)
    compared = sheetsim.compare("relu-he", "sigmoid-std1", **TINY)
    assert [part.get_suptitle() for part in compared.plot().subfigs] == ["relu-he", "sigmoid-std1"]
    numbers = compared.plot("numbers").axes[0].images[0].get_array()
    expected = compared.frame()[compared.shown[0]].unstack()
    np.testing.assert_allclose(numbers, expected.loc[["relu-he", "sigmoid-std1"]], rtol=1e-12)


def test_a_sweep_and_a_search_are_drawn(tmp_path: Path) -> None:
    grid = 'template = "relu-he"\nreplicates = 2\n[set]\nsamples = 8\ninputs = 3\nlayers = [3, 3]\n'
    (tmp_path / "sweep.toml").write_text(grid + "[grid]\ninitializer = [0.5, 1.0]\nactivation = ['tanh', 'relu']\n")
    sweep = sheetsim.sweep(tmp_path / "sweep.toml")
    (axes,) = sweep.plot().axes
    np.testing.assert_allclose(axes.images[0].get_array().ravel(), sweep.last_layers()["mean"], rtol=1e-12)
    assert [text.get_text() for text in axes.get_xticklabels()] == ["tanh", "relu"]


def test_a_models_outputs_are_drawn_whatever_signs_stand_in_its_names() -> None:
    model = sheetsim.Model("Launch $a$_b 計画 \x07", seed=1)
    demand = model.input("demand", sheetsim.normal(), (200, 1))
    model.output("profit", demand * 2, unit="$_2$ 円")
    run = model.run()
    picture = run.plot()
    counts = run.histograms()["count"]
    bars = next(patch for patch in picture.axes[0].patches if patch.get_facecolor() == to_rgba(RoleColors().bar))
    assert bars.get_data().values[:-1].tolist() == counts.tolist()[:-1]
    assert "Launch $a$_b" in picture.get_suptitle()
    assert picture.get_suptitle().endswith("Output profit")
    assert saved(picture, "png").startswith(BEGINNINGS["png"])
    with pytest.raises(sheetsim.SheetsimError, match="no charts to plot"):
        sheetsim.Model().run().plot()


def test_a_theme_colors_a_picture_as_its_book(tmp_path: Path) -> None:
    theme = tmp_path / "house.toml"
    theme.write_text('[colors]\nbar = "#14652F"\nink = "#440066"\nmuted = "#887799"\n[font]\nname = "DejaVu Serif"\n')
    run = small_run(samples=20)
    picture = run.plot(theme=theme)
    first = picture.axes[0]
    assert to_rgba("#14652F") in {patch.get_facecolor() for patch in first.patches}
    assert to_rgba(RoleColors().bar) not in {patch.get_facecolor() for patch in first.patches}
    assert first.xaxis.label.get_color() == "#887799"
    assert first.get_xticklabels()[0].get_fontname() == "DejaVu Serif"
    rows = next(axes for axes in run.plot("trace", theme=theme).axes if axes.get_title().startswith("The products"))
    assert rows.patches[0].get_facecolor() == to_rgba("#14652F")
    with read(run.to_excel(tmp_path / "book.xlsx", theme=theme)) as book:
        assert same(drawn_bars(book.plot("trace")), drawn_bars(run.plot("trace", theme=theme)))


def drawn_bars(picture: Any) -> list[Any]:
    return [patch.get_facecolor() for axes in picture.axes for patch in axes.patches]


def test_numbers_under_histograms_are_round_and_stand_at_their_bars_ends() -> None:
    run = small_run(histogram={"bins": 12, "range": [0.0, 5.0]})
    axes = run.plot().axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0", "1", "2", "3", "4", "5"]
    # The range's lower end is the upper end of bar 0, what is below it, and its upper one that of bar 12.
    np.testing.assert_allclose(axes.get_xticks(), 0.5 + np.arange(6) * 12 / 5, atol=0.1)


@pytest.mark.parametrize("initializer", [1e150, pytest.param(0.0, marks=pytest.mark.slow)])
def test_numbers_that_die_or_overflow_are_drawn_without_a_warning(initializer: float) -> None:
    run = sheetsim.run("relu-he", initializer=initializer, **{**TINY, "layers": [5, 5, 5]})
    for table in ("overview", "claims"):
        assert saved(run.plot(table), "svg").startswith(BEGINNINGS["svg"])


@pytest.mark.slow
@pytest.mark.parametrize("name", FIRST_OF.values())
def test_every_page_of_every_study_is_drawn_to_a_file_without_a_warning(name: str) -> None:
    run = made(name)
    for what in run.plots():
        assert saved(run.plot(what), "png").startswith(BEGINNINGS["png"])


@pytest.mark.parametrize("form", ["svg", *(pytest.param(form, marks=pytest.mark.slow) for form in ("png", "pdf"))])
def test_the_same_run_gives_the_same_bytes_whatever_a_persons_settings(
    sheetsim: Any, tmp_path: Path, form: str
) -> None:
    assert sheetsim("plot", "relu-he", "--output", f"new/a.{form}", *QUICK)[:2] == (0, f"relu-he → new/a.{form}\n")
    picture = (tmp_path / "new" / f"a.{form}").read_bytes()
    assert picture.startswith(BEGINNINGS[form])
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black", "savefig.dpi": 20, "svg.hashsalt": "other"}):
        small = {"samples": 30, "inputs": 4, "layers": [5, 3]}
        run_template("relu-he", **small).plot(path=tmp_path / f"b.{form}")
    assert (tmp_path / f"b.{form}").read_bytes() == picture


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("plot relu-he --output a.jpg", "a.jpg must end in .png, .svg or .pdf: it is a picture"),
        ("plot relu-he --output a", "a must end in .png, .svg or .pdf"),
        ("plot relu-he --what histogrms", "there is no plot 'histogrms': did you mean 'Histograms'?"),
        ("plot relu-he --what zzz", "there is no plot 'zzz'; there are Overview, Trace, Histograms, layers"),
        ("plot relu-hee", "unknown template 'relu-hee' (did you mean 'relu-he'?)"),
        ("plot missing.xlsx", "cannot read missing.xlsx"),
        ("plot missing.xlsx --seed 1", "go with templates"),
        ("run relu-he --open", "--open needs a desktop, and there is no xdg-open here"),
        ("plot relu-he --open", "--open needs a desktop, and there is no xdg-open here"),
        ("diagnose a.npz --open", "--open shows the book that --output names"),
    ],
)
def test_a_mistake_in_plotting_or_showing_is_one_line(
    sheetsim: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: str, sentence: str
) -> None:
    monkeypatch.setenv("PATH", "")
    status, out, err = sheetsim(*arguments.split(), *(QUICK if " relu-he" in arguments else ()))
    assert (status, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_without_matplotlib_a_sentence_says_what_to_install(sheetsim: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "sheetsim.workbook.plotting.figure")
    status, out, err = sheetsim("plot", "relu-he", *QUICK)
    assert (status, out, err) == (2, "", "sheetsim: plots need matplotlib: pip install 'sheetsim[plot]'\n")
    assert "<table" in small_run()._repr_html_()
    assert "<img" not in small_run()._repr_html_()


def test_a_notebook_shows_the_picture_below_the_table() -> None:
    run = small_run(**TINY)
    html = run._repr_html_()
    assert html.index("</table>") < html.index('<img alt="charts"')
    picture = base64.b64decode(html.partition("base64,")[2].partition('"')[0])
    assert picture.startswith(BEGINNINGS["png"])
    assert hasattr(run.plot(), "_repr_png_")


def test_matplotlib_is_loaded_when_a_picture_is_asked_for_and_pyplot_never() -> None:
    code = (
        "import sys, sheetsim\n"
        "run = sheetsim.run('relu-he', samples=9, inputs=2, layers=[2])\n"
        "assert 'matplotlib' not in sys.modules\n"
        "run.plot()\n"
        "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "MPLBACKEND": "TkAgg"})


def test_open_passes_the_books_to_the_desktop(sheetsim: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "xdg-open"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/shown\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setenv("DISPLAY", ":99")
    assert sheetsim("run", "relu-he", "tanh-he", "--open", *QUICK)[0] == 0
    shown = [tmp_path / "outputs" / name for name in ("relu-he.xlsx", "tanh-he.xlsx", "relu-he.png", "relu-he.pdf")]
    for form, path in (("png", shown[2]), ("pdf", shown[3])):
        output = ["--output", str(path)] if form == "pdf" else []
        assert sheetsim("plot", "outputs/relu-he.xlsx", "--open", *output)[0] == 0
        assert path.read_bytes().startswith(BEGINNINGS[form])
    assert (tmp_path / "shown").read_text().splitlines() == list(map(str, shown))
    program.write_text("#!/bin/sh\nexit 3\n")
    status, _, err = sheetsim("run", "relu-he", "--open", *QUICK)
    assert status == 2
    assert "found no application that shows outputs/relu-he.xlsx" in err
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert "there is no display here" in sheetsim("run", "relu-he", "--open", *QUICK)[2]
