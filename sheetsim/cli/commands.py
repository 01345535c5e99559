"""The command line: it parses, calls and prints. No arithmetic, and nothing imported that the command does not use.

Commands of many runs are in `many_runs.py`, the parts of `simulate` in `simulate.py`, and what commands share in
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
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand
from typer.main import get_command

from sheetsim.cli import many_runs, simulate
from sheetsim.cli.help import with_help_in
from sheetsim.cli.opening import check_opener, open_files
from sheetsim.cli.options import (
    Draws,
    Force,
    Form,
    Json,
    Lang,
    Open,
    Report,
    Seed,
    Settings,
    ThemeFile,
    ValuesOnly,
    check_shown,
    load_scenario,
    settings_with_draws,
)
from sheetsim.cli.paths import book_of, make_ready, picture_of, targets_of
from sheetsim.cli.terminal import (
    Format,
    ProgressLine,
    ReportFormat,
    difference_json,
    form_of,
    help_of,
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
    from collections.abc import Callable, Iterator

    import pandas as pd

    from sheetsim.audit.verify import Verified
    from sheetsim.runs.run import CheckedScenario, Results
    from sheetsim.runs.templates import Scenario
    from sheetsim.runs.training import TrainingOptions

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Runs the command. A person's mistake is one line on standard error and exit status 2."""
    _collect_less()
    _print_any_text()
    code = language_of(sys.argv[1:], os.environ)
    speak(code)
    warnings.showwarning = _warned
    try:
        status = with_help_in(code, get_command(app))(standalone_mode=False)
        sys.stdout.flush()
    except SheetsimError as error:
        _fail(str(error))
    except (typer.Abort, KeyboardInterrupt):
        raise SystemExit(130) from None
    except BrokenPipeError:
        _end_without_reader()
    except SystemExit as stop:
        # While a command prints, Typer turns a broken pipe into status 1.
        if isinstance(stop.__context__, BrokenPipeError):
            _end_without_reader()
        raise
    except OSError as error:
        _fail(f"cannot write what there is to print: {(error.strerror or str(error)).lower()}")
    except MemoryError:
        _fail("there is not enough memory for matrices of this size: ask for fewer samples or narrower layers")
    except Exception as error:
        # Typer's usage errors carry their own sentence; anything else is a bug and keeps its traceback.
        if not hasattr(error, "format_message"):
            raise
        _fail(error.format_message())
    raise SystemExit(status or 0)


def _collect_less() -> None:
    """The search for cycles takes a tenth of a short run: many objects are made, and few are in a cycle."""
    gc.set_threshold(100_000, 50, 50)
    atexit.register(gc.freeze)  # what is left at the end goes with the process


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


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    lang: Annotated[
        str | None,
        typer.Option(metavar="CODE", help="The language of the output: en or ja.", show_default="the locale's"),
    ] = None,
) -> None:
    """A spreadsheet-style Monte Carlo engine with Excel export: models are matrices that NumPy computes."""
    check_language(lang)
    if version:
        print(f"sheetsim {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command("run")
def run_command(
    what: Annotated[list[str] | None, typer.Argument(metavar="[NAME|FILE.toml]...", show_default=False)] = None,
    settings: Settings = None,
    seed: Seed = None,
    lang: Lang = None,
    output: Annotated[
        Path | None, typer.Option(metavar="PATH", help="The .xlsx file, or the folder for several.", show_default=False)
    ] = None,
    draws: Draws = None,
    values_only: ValuesOnly = False,
    theme: ThemeFile = None,
    force: Force = False,
    show_it: Open = False,
    workers: Annotated[int, typer.Option(help="Processes on this machine, for training.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Continue trainings that were stopped.")] = False,
    form: Form = Format.table,
    as_json: Json = False,
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
def list_templates(form: Form = Format.table, as_json: Json = False) -> None:
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


@app.command()
def show(name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Print the TOML of a template or a search that comes with the package, to copy and edit."""
    from sheetsim.runs import templates

    search = templates.folder() / "searches" / f"{Path(name).name}.toml"
    print(search.read_text(encoding="utf-8") if search.is_file() else templates.template_text(name), end="")


class _WithTables(TyperCommand):
    """A command whose help names the tables of every study, which are loaded for that alone."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Adds them to the option's help."""
        from sheetsim.studies.registry import STUDIES

        told = "; ".join(f"{study}: {', '.join(kind.TABLES)}" for study, kind in STUDIES.items())
        option = next(parameter for parameter in self.params if parameter.name == "table")
        option.help = help_of(f"Which table of the study. {told}.")  # type: ignore[attr-defined]
        super().format_help(ctx, formatter)


@app.command(cls=_WithTables)
def summary(
    what: Annotated[str, typer.Argument(metavar="NAME|FILE.toml|BOOK.xlsx")],
    table: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which table of the study.", show_default="the first")
    ] = None,
    form: Form = Format.table,
    settings: Settings = None,
    seed: Seed = None,
    as_json: Json = False,
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
def plot_command(
    what: Annotated[str, typer.Argument(metavar="NAME|FILE.toml|BOOK.xlsx")],
    page: Annotated[
        str,
        typer.Option("--what", metavar="NAME", help="A page with charts, or a table.", show_default="the first page"),
    ] = "",
    settings: Settings = None,
    seed: Seed = None,
    lang: Lang = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="The .png, .svg or .pdf file.", show_default="outputs/NAME.png"),
    ] = None,
    theme: ThemeFile = None,
    show_it: Open = False,
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
    settings: list[str] | None,
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
def diagnose_command(
    weights: Annotated[list[Path], typer.Argument(metavar="WEIGHTS.npz|.safetensors|W.npy...", show_default=False)],
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Inputs (.csv, .xlsx, .npy).", show_default="normal draws")
    ] = None,
    activation: Annotated[str, typer.Option(help="The activation of all layers.")] = "relu",
    samples: Annotated[int | None, typer.Option(help="The number of random inputs.", show_default="1000")] = None,
    seed: Annotated[int, typer.Option(help="The seed of the random inputs.")] = 0,
    layout: Annotated[
        str,
        typer.Option(help="Rows of weights: in-out, out-in (units: PyTorch), auto (by names and shapes)."),
    ] = "auto",
    layers: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="The weights to use, in this order.", show_default=False)
    ] = None,
    all_layers: Annotated[
        bool,
        typer.Option("--all-layers", help="The last weights are a layer with the activation too, not a linear output."),
    ] = False,
    table: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Another table of the study forward: variance, claims or histograms."),
    ] = None,
    form: Form = Format.table,
    output: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Write a workbook too: the .xlsx file.", show_default=False)
    ] = None,
    summary_only: Annotated[bool, typer.Option("--summary", help="A workbook without the matrices.")] = False,
    lang: Lang = None,
    theme: ThemeFile = None,
    force: Force = False,
    show_it: Open = False,
    as_json: Json = False,
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


for name, command in many_runs.COMMANDS.items():
    app.command(name)(command)


@app.command("fit")
def fit_command(
    data: Annotated[str, typer.Argument(metavar="DATA.csv")],
    column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Which column, by name or number from 1.", show_default="the only one"),
    ] = None,
    families: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="Families to fit: normal, lognormal, uniform, or continuous distributions of scipy.stats.",
            show_default="common ones that suit the sign of the data",
        ),
    ] = None,
    lang: Lang = None,
    output: Annotated[
        Path | None, typer.Option(metavar="PATH", help="The .xlsx file, or its folder.", show_default=False)
    ] = None,
    form: Form = Format.table,
    values_only: ValuesOnly = False,
    theme: ThemeFile = None,
    force: Force = False,
    show_it: Open = False,
    as_json: Json = False,
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


@app.command("simulate")
def simulate_command(
    book: simulate.Book = None,
    inputs: simulate.Inputs = None,
    outputs: simulate.Outputs = None,
    correlations: simulate.Correlations = None,
    trials: simulate.Trials = None,
    seed: Seed = None,
    until: simulate.Until = None,
    verify: simulate.Verify = 50,
    out: simulate.Out = None,
    table: simulate.TableOption = None,
    form: simulate.FormatOption = Format.table,
    engine: simulate.Engine = simulate.CheckingEngine.ironcalc,
    lang: Lang = None,
    values_only: ValuesOnly = False,
    theme: ThemeFile = None,
    scenarios: simulate.Scenarios = None,
    grid: simulate.GridAxes = None,
    statistic: simulate.Statistic = "mean",
    goal: simulate.GoalOption = None,
    least: simulate.Least = False,
    into: simulate.Into = None,
    sipmath: simulate.SipOut = None,
    mark: simulate.Mark = False,
    functions: simulate.FunctionsToo = False,
    force: Force = False,
    show_it: Open = False,
    as_json: Json = False,
) -> int:
    """Simulate your own workbook: how its outputs are distributed if some of its cells are uncertain.

    A sheet Simulation in it (see --mark), or BOOK.toml beside it, can replace the options. The workbook is never
    changed. NumPy computes its formulas; IronCalc checks some trials. Exit status 1 means that it disagrees.
    """
    form = form_of(form, as_json)
    if functions:
        simulate.print_functions(form)
        return 0
    if book is None:
        raise SheetsimError("name a workbook: sheetsim simulate BOOK.xlsx --input B2=normal(100,15) --output C10")
    if bool(scenarios) + bool(grid) + (goal is not None) > 1:
        raise SheetsimError("--scenario, --grid and --goal ask different things: give one of them")
    questions = simulate.Questions(grid or [], statistic, goal)
    if questions.any:
        simulate.answer(book, inputs or [], outputs or [], correlations or [], trials, seed, questions, form)
        return 0
    target = book_of(f"{Path(book).stem}-{'marked' if mark else 'simulated'}", out)
    if target.resolve() == Path(book).resolve():
        raise SheetsimError(f"--out {target} is the workbook itself, which is never changed: name another file")
    if into is not None and into.resolve() in (Path(book).resolve(), target.resolve()):
        raise SheetsimError(f"--into {into} is the workbook itself, or the result: name another file")
    check_opener(show_it)
    make_ready([target, *([into] if into else [])], force)
    if mark:
        simulate.mark(book, target)
        open_files(show_it, [target])
        return 0
    given = (inputs or [], outputs or [], correlations or [])
    command = simulate.command_of(book, *given, trials, seed, until, scenarios or [], least, lang)
    wanted = simulate.Wanted(target, form, values_only, command, into, sipmath, table, theme, lang)
    status = simulate.simulate(book, *given, trials, seed, until, verify, engine, scenarios or [], least, wanted)
    open_files(show_it, [target])
    return status


class EngineName(StrEnum):
    """The engines that `verify` recalculates with."""

    ironcalc = "ironcalc"
    libreoffice = "libreoffice"
    all = "all"


@app.command("verify")
def verify_command(
    books: Annotated[list[str], typer.Argument(metavar="BOOK.xlsx...")],
    engine: Annotated[EngineName, typer.Option(help="Which spreadsheet engine recalculates.")] = EngineName.ironcalc,
    fill: Annotated[
        bool, typer.Option("--fill", help="First fill in missing values, as the engine computes them.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="A row for every block, also for those that agree.")
    ] = False,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.py",
            help="For a model's workbook: the Python file with the model as a top-level variable. It is executed.",
        ),
    ] = None,
    form: Report = ReportFormat.table,
    as_json: Json = False,
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
def diff_command(
    first: Annotated[str, typer.Argument(metavar="A.xlsx")],
    second: Annotated[str, typer.Argument(metavar="B.xlsx")],
    form: Report = ReportFormat.table,
    as_json: Json = False,
) -> int:
    """Show the cells in which two workbooks differ, by block. Exit status 1 if they differ."""
    from sheetsim.audit.verify import diff

    differences = diff(first, second)
    if as_json or form is ReportFormat.json:
        print_pieces(map(difference_json, differences))
    else:
        print_differences(differences)
    return 1 if differences else 0
