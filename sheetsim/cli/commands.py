"""The command line: it parses, calls and prints. No arithmetic, and nothing imported that the command does not use.

Commands of many runs are in `many_runs.py`, `simulate` is in `simulate.py`, and what commands share in
`options.py`.
"""

import atexit
import gc
import io
import os
import sys
import tomllib
import warnings
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from sheetsim.cli.help import Commands
from sheetsim.cli.many_runs import COMMANDS
from sheetsim.cli.opening import check_opener, open_files
from sheetsim.cli.options import (
    FILE,
    PATH,
    check_shown,
    draws_option,
    force_option,
    format_option,
    json_option,
    lang_option,
    load_scenario,
    open_option,
    report_option,
    scenario_options,
    seed_option,
    settings_option,
    settings_with_draws,
    theme_option,
    writing_options,
)
from sheetsim.cli.paths import book_of, make_ready, picture_of, targets_of
from sheetsim.cli.simulate import simulate_command
from sheetsim.cli.terminal import (
    Format,
    ProgressLine,
    ReportFormat,
    difference_json,
    form_of,
    language_of,
    lines_of,
    print_differences,
    print_frame,
    print_heading,
    print_pieces,
    print_records,
    print_verified,
    say,
    speak,
    speak_of,
    spoken,
    verified_json,
)
from sheetsim.errors import SheetsimError, SheetsimWarning
from sheetsim.language import check_language
from sheetsim.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pandas as pd

    from sheetsim.audit.verify import Verified
    from sheetsim.runs.run import CheckedScenario, Results
    from sheetsim.runs.templates import Scenario
    from sheetsim.runs.themes import ThemeLike
    from sheetsim.runs.training import TrainingOptions


@click.group(
    cls=Commands,
    invoke_without_command=True,
    subcommand_metavar="COMMAND [ARGS]...",
    context_settings={"show_default": True},
)
@click.option("--version", is_flag=True, help="Print the version.")
@click.option("--lang", metavar="CODE", show_default="the locale's", help="The language of the output: en or ja.")
@click.pass_context
def app(context: click.Context, version: bool, lang: str | None) -> None:
    """A spreadsheet-style Monte Carlo engine with Excel export: models are matrices that NumPy computes."""
    check_language(lang)
    if version:
        print(f"sheetsim {__version__}")
        context.exit()
    if context.invoked_subcommand is None:
        print(context.get_help())


def main() -> None:
    """Runs the command. A person's mistake is one line on standard error and exit status 2."""
    _save_time()
    _print_any_text()
    code = language_of(sys.argv[1:], os.environ)
    speak(code)
    warnings.showwarning = _warned
    stdout = sys.stdout
    try:
        app.speak(code)
        status = app.main(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        _fail(error.format_message())
    except SheetsimError as error:
        _fail(str(error))
    except (click.Abort, KeyboardInterrupt):
        raise SystemExit(130) from None
    except BrokenPipeError:
        _end_without_reader()
    except SystemExit:
        # click turns a broken pipe into status 1, and replaces the stream.
        if sys.stdout is not stdout:
            _end_without_reader()
        raise
    except OSError as error:
        _fail(f"cannot write what there is to print: {(error.strerror or str(error)).lower()}")
    except MemoryError:
        _fail("there is not enough memory for matrices of this size: ask for fewer samples or narrower layers")
    raise SystemExit(status or 0)


def _save_time() -> None:
    """What takes a fifth of a short run and is of no use to it."""
    # OpenBLAS makes its threads when NumPy is loaded, and everything is computed on one (see `blas.one_thread`).
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Searches for cycles: many objects are made, and few are in one. What is left at the end goes with the process.
    gc.set_threshold(100_000, 50, 50)
    atexit.register(gc.freeze)


def _print_any_text() -> None:
    r"""Names of files in other bytes, and signs that a terminal does not have, are shown as \udcff and \u2192."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def _end_without_reader() -> NoReturn:
    """The reader of a pipe went away (`| head`): what is left to print has no place to go."""
    sys.stdout = None
    raise SystemExit(141)


def _fail(message: str) -> None:
    say(message)
    raise SystemExit(2)


def _warned(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: str | None = None,
) -> None:
    """What a result's maker should know is one line, too."""
    if issubclass(category, SheetsimWarning):
        say(str(message))
    else:
        print(warnings.formatwarning(message, category, filename, lineno, line), end="", file=file or sys.stderr)


@app.command("run")
@click.argument("what", type=FILE, nargs=-1, metavar="[NAME|FILE.toml]...")
@scenario_options
@click.option("--output", type=PATH, metavar="PATH", help="The .xlsx file, or the folder for several.")
@draws_option
@writing_options
@click.option("--workers", type=int, default=1, help="Processes on this machine, for training.")
@click.option("--resume", is_flag=True, help="Continue trainings that were stopped.")
@format_option
@json_option
def run_command(
    what: tuple[str, ...],
    settings: "Sequence[str]",
    seed: int | None,
    lang: str | None,
    output: Path | None,
    draws: str | None,
    values_only: bool,
    theme: "ThemeLike",
    force: bool,
    show_it: bool,
    workers: int,
    resume: bool,
    form: Format,
    as_json: bool,
) -> None:
    """Run templates (with no name: the article's five), write their workbooks and print a row per layer.

    Networks with the same activation and sizes have histograms on the same axes. After Ctrl-C or a crash the same
    command with --resume continues a training.
    """
    from sheetsim.runs import templates
    from sheetsim.runs.run import check_scenario, run_scenario, shared_scales

    form = form_of(form, as_json)
    settings = settings_with_draws(settings, draws)
    if draws == "live" and values_only:
        raise SheetsimError("--draws live needs formulas, which --values-only leaves out: give only one of them")
    scenarios = [load_scenario(name, settings, seed, lang=lang) for name in what or templates.ARTICLE]
    check_opener(show_it)
    targets = targets_of(scenarios, output)
    checked: list[CheckedScenario | None] = [check_scenario(scenario) for scenario in scenarios]
    make_ready(targets, force)
    records: list[dict[str, Any]] = []
    with ProgressLine(len(scenarios)) as progress:
        progress.sheet("common scales")
        scales = shared_scales([scenario.experiment for scenario in scenarios])
        for k, (name, axes) in enumerate(zip(what or templates.ARTICLE, scales, strict=True)):
            if axes:
                scenarios[k], checked[k] = load_scenario(name, settings, seed, axes, lang), None
        for scenario, built, target in zip(scenarios, checked, targets, strict=True):
            progress.begin(scenario.name)
            speak_of(scenario.experiment.study)
            with _kept(target, scenario, workers, resume, progress) as train:
                result = run_scenario(scenario, built, train)
                result.to_excel(target, values_only=values_only, progress=progress.sheet, theme=theme)
            # Without pandas, which takes longer to load than the numbers.
            rows = result.records()
            progress.pause()
            print_heading(f"{scenario.name} → {target}", form)
            records += [{"name": scenario.name, "file": str(target), **row} for row in rows]
            if form is Format.table:
                shown = [*list(rows[0])[:1], *result.headline, "verdict"] if result.headline else list(rows[0])
                print(lines_of([{key: row[key] for key in shown if key in row} for row in rows]), end="\n\n")
    if form is not Format.table:
        print_records(records, form)
    open_files(show_it, targets)


@contextmanager
def _kept(
    target: Path, scenario: "Scenario", workers: int, resume: bool, progress: ProgressLine
) -> "Iterator[TrainingOptions | None]":
    """How a study's trainings are run, where it has some: their states are kept beside the book until it is written."""
    if not scenario.experiment.TRAINS:
        yield None
        return
    from sheetsim.runs.training import TrainingOptions, forget

    folder = target.with_suffix(".training")
    try:
        yield TrainingOptions(workers, folder, resume, progress.training())
    except KeyboardInterrupt:
        progress.pause()
        say(f"stopped: what was trained is kept in {folder}; the same command with --resume goes on")
        raise
    forget(folder)


@app.command("list")
@format_option
@json_option
def list_templates(form: Format, as_json: bool) -> None:
    """List the templates, one per line, and how to make small workbooks."""
    from sheetsim.runs import templates

    titles = {name: tomllib.loads(templates.template_text(name)).get("title", "") for name in templates.names()}
    form = form_of(form, as_json)
    if form is not Format.table:
        print_records(
            [{"name": name, "title": title, "small": templates.small(name)} for name, title in titles.items()], form
        )
        return
    width = max(map(len, titles))
    for name, title in titles.items():
        print(f"{name:<{width}}  {spoken(title)}")
    # Beside what a script reads, which has a line a template; no message, whose catalog is not read for it.
    small = spoken(
        "a network's live book of less than 500 KB (with --draws live: 600 KB): sheetsim run NAME --set size=small"
    )
    print(f"sheetsim: {small}", file=sys.stderr)


@app.command("show")
@click.argument("name", metavar="NAME")
def show(name: str) -> None:
    """Print the TOML of a template or a search that comes with the package, to copy and edit."""
    from sheetsim.runs import templates

    search = templates.folder() / "searches" / f"{Path(name).name}.toml"
    print(search.read_text(encoding="utf-8") if search.is_file() else templates.template_text(name), end="")


class _TableOption(click.Option):
    """An option whose help names the tables of every study, which are loaded for that alone."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Adds them to the option's help."""
        from sheetsim.studies.registry import STUDIES

        told = "; ".join(f"{study}: {', '.join(kind.TABLES)}" for study, kind in STUDIES.items())
        record = super().get_help_record(ctx)
        return record and (record[0], record[1].replace(self.help or "", f"{self.help} {told}."))


@app.command("summary")
@click.argument("what", type=FILE, metavar="NAME|FILE.toml|BOOK.xlsx")
@click.option("--table", cls=_TableOption, metavar="NAME", show_default="the first", help="Which table of the study.")
@format_option
@settings_option
@seed_option
@json_option
def summary(
    what: str, table: str | None, form: Format, settings: tuple[str, ...], seed: int | None, as_json: bool
) -> None:
    """Print a table of a template's run, or of a workbook, without writing a workbook."""
    form = form_of(form, as_json)
    results = _results(what, settings, seed)
    print_frame(_with_verdicts(results) if table is None else results.table(table), form)


def _with_verdicts(results: "Results") -> "pd.DataFrame":
    """The summary, with a verdict of each row in front where the study has verdicts."""
    frame, verdicts = results.summary(), results.verdicts()
    if verdicts:
        frame.insert(0, "verdict", verdicts)
    return frame


@app.command("plot")
@click.argument("what", type=FILE, metavar="NAME|FILE.toml|BOOK.xlsx")
@click.option(
    "--what", "page", default="", metavar="NAME", show_default="the first page", help="A page with charts, or a table."
)
@scenario_options
@click.option(
    "--output", type=PATH, metavar="PATH", show_default="outputs/NAME.png", help="The .png, .svg or .pdf file."
)
@theme_option
@open_option
def plot_command(
    what: str,
    page: str,
    settings: tuple[str, ...],
    seed: int | None,
    lang: str | None,
    output: Path | None,
    theme: "ThemeLike",
    show_it: bool,
) -> None:
    """Draw the charts of a template's run, or of a workbook, as a picture, without writing a workbook."""
    from sheetsim.runs.plots import check_fonts, drawing

    target = picture_of(Path(what).stem, output)
    drawing()
    check_opener(show_it)
    results = _results(what, settings, seed, lang, lambda code: check_fonts(code, theme))
    make_ready([target], force=True)
    results.plot(page, path=target, theme=theme)
    print(f"{what} → {target}")
    open_files(show_it, [target])


def _results(
    what: str,
    settings: tuple[str, ...],
    seed: int | None,
    lang: str | None = None,
    check: "Callable[[str | None], None]" = lambda lang: None,
) -> "Results":
    """A run of a template, or a workbook read; check: called with the template's language before anything is run."""
    if what.lower().endswith(".xlsx"):
        if settings or seed is not None or lang is not None:
            raise SheetsimError(f"{what} is a workbook: --set, --seed and --lang go with templates")
        from sheetsim.runs.run import read

        return read(what)
    from sheetsim.runs.run import run_scenario

    scenario = load_scenario(what, settings, seed, lang=lang)
    check(scenario.experiment.lang)
    return run_scenario(scenario)


@app.command("diagnose")
@click.argument("weights", type=PATH, nargs=-1, required=True, metavar="WEIGHTS.npz|.safetensors|W.npy...")
@click.option("--data", type=PATH, metavar="FILE", show_default="normal draws", help="Inputs (.csv, .xlsx, .npy).")
@click.option("--activation", default="relu", help="The activation of all layers.")
@click.option("--samples", type=int, show_default="1000", help="The number of random inputs.")
@click.option("--seed", type=int, default=0, help="The seed of the random inputs.")
@click.option(
    "--layout", default="auto", help="Rows of weights: in-out, out-in (units: PyTorch), auto (by names and shapes)."
)
@click.option("--layers", metavar="NAME,...", help="The weights to use, in this order.")
@click.option(
    "--all-layers", is_flag=True, help="The last weights are a layer with the activation too, not a linear output."
)
@click.option("--table", metavar="NAME", help="Another table of the study forward: variance, claims or histograms.")
@format_option
@click.option("--output", type=PATH, metavar="PATH", help="Write a workbook too: the .xlsx file.")
@click.option("--summary", "summary_only", is_flag=True, help="A workbook without the matrices.")
@lang_option
@theme_option
@force_option
@open_option
@json_option
def diagnose_command(
    weights: tuple[Path, ...],
    data: Path | None,
    activation: str,
    samples: int | None,
    seed: int,
    layout: str,
    layers: str | None,
    all_layers: bool,
    table: str | None,
    form: Format,
    output: Path | None,
    summary_only: bool,
    lang: str | None,
    theme: "ThemeLike",
    force: bool,
    show_it: bool,
    as_json: bool,
) -> None:
    """Print the table of layers, with verdicts, for your own weights, initialized or trained."""
    import shlex

    from sheetsim.runs.diagnose import diagnose

    form = form_of(form, as_json)
    check_shown(show_it, output)
    target = None if output is None else book_of("diagnose", output)
    result = diagnose(
        weights,
        data=data,
        activation=activation,
        samples=samples,
        seed=seed,
        layout=layout,
        layers=() if layers is None else [name.strip() for name in layers.split(",")],
        output_layer=not all_layers,
        report="summary" if summary_only else "full",
        lang=lang,
        command=shlex.join(["sheetsim", *sys.argv[1:]]),
    )
    print_frame(_with_verdicts(result) if table is None else result.table(table), form)
    for note in result.notes:
        say(note)
    if target is not None:
        make_ready([target], force)
        print(f"{result.name} → {result.to_excel(target, theme=theme)}", file=sys.stderr)
        open_files(show_it, [target])


for command in COMMANDS:
    app.add_command(command)


@app.command("fit")
@click.argument("data", type=FILE, metavar="DATA.csv")
@click.option("--column", metavar="NAME", show_default="the only one", help="Which column, by name or number from 1.")
@click.option(
    "--families",
    metavar="NAME,...",
    show_default="common ones that suit the sign of the data",
    help="Families to fit: normal, lognormal, uniform, or continuous distributions of scipy.stats.",
)
@lang_option
@click.option("--output", type=PATH, metavar="PATH", help="The .xlsx file, or its folder.")
@format_option
@writing_options
@json_option
def fit_command(
    data: str,
    column: str | None,
    families: str | None,
    lang: str | None,
    output: Path | None,
    form: Format,
    values_only: bool,
    theme: "ThemeLike",
    force: bool,
    show_it: bool,
    as_json: bool,
) -> None:
    """Fit distributions to a column of data, rank them by AIC, and write a workbook with quantile plots.

    DATA may also be an .xlsx or .npy. By maximum likelihood; families that begin at 0 keep their location there where
    the data are above 0.
    """
    from sheetsim.runs.fit import fit

    form = form_of(form, as_json)
    names = None if families is None else [name.strip() for name in families.split(",")]
    result = fit(data, column, families=names)
    target = book_of(f"{Path(data).stem}-fit", output)
    check_opener(show_it)
    make_ready([target], force)
    result.to_excel(target, values_only=values_only, lang=lang, theme=theme)
    open_files(show_it, [target])
    print_heading(f"{data}, {spoken(f'{result.data.size:,} numbers')} → {target}", form)
    print_frame(result.frame(), form)
    for family, reason in result.left_out.items():
        say(f"{family} could not be fitted: {reason}")


app.add_command(simulate_command)


class EngineName(StrEnum):
    """The engines that `verify` recalculates with."""

    ironcalc = "ironcalc"
    libreoffice = "libreoffice"
    all = "all"


@app.command("verify")
@click.argument("books", type=FILE, nargs=-1, required=True, metavar="BOOK.xlsx...")
@click.option(
    "--engine",
    type=click.Choice(EngineName),
    default=EngineName.ironcalc,
    help="Which spreadsheet engine recalculates.",
)
@click.option("--fill", is_flag=True, help="First fill in missing values, as the engine computes them.")
@click.option("--verbose", is_flag=True, help="A row for every block, also for those that agree.")
@click.option(
    "--model",
    type=PATH,
    metavar="FILE.py",
    help="For a model's workbook: the Python file with the model as a top-level variable. It is executed.",
)
@report_option
@json_option
def verify_command(
    books: tuple[str, ...],
    engine: EngineName,
    fill: bool,
    verbose: bool,
    model: Path | None,
    form: ReportFormat,
    as_json: bool,
) -> int:
    """Recalculate workbooks with an independent engine and with NumPy, and say whether values and formulas agree."""
    from dataclasses import replace

    from sheetsim.audit import recalculate
    from sheetsim.audit.verify import verify

    as_json = as_json or form is ReportFormat.json
    engines = recalculate.ENGINES if engine is EngineName.all else (engine.value,)
    verified: list[Verified] = []
    with ProgressLine(len(books)) as progress:
        for book in books:
            try:
                progress.begin(book, "filling" if fill else "reading")
                filled = recalculate.fill(book, engines[0]) if fill else 0
                checked = verify(book, engines, progress.sheet, model=model)
            except SheetsimError as error:
                progress.pause()
                say(str(error))
                continue
            if filled:
                checked = replace(checked, notes=(f"{filled:,} cells were filled by {engines[0]}", *checked.notes))
            verified.append(checked)
            progress.pause()
            if not as_json:
                print_verified(checked, verbose)
    if as_json:
        print_pieces(map(verified_json, verified))
    if len(verified) < len(books):
        return 2
    return 0 if all(checked.ok for checked in verified) else 1


@app.command("diff")
@click.argument("first", type=FILE, metavar="A.xlsx")
@click.argument("second", type=FILE, metavar="B.xlsx")
@report_option
@json_option
def diff_command(first: str, second: str, form: ReportFormat, as_json: bool) -> int:
    """Show the cells in which two workbooks differ, by block. Exit status 1 if they differ."""
    from sheetsim.audit.verify import diff

    differences = diff(first, second)
    if as_json or form is ReportFormat.json:
        print_pieces(map(difference_json, differences))
    else:
        print_differences(differences)
    return 1 if differences else 0
