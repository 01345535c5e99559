"""The command line: it parses, calls and prints. No arithmetic, and nothing imported that the command does not use."""

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

from sheetsim.cli import simulate
from sheetsim.cli.opening import check_opener, open_files
from sheetsim.cli.paths import OUTPUTS, book_of, make_ready, picture_of, targets_of
from sheetsim.cli.terminal import (
    MOST_LINES,
    Format,
    ProgressLine,
    ReportFormat,
    difference_json,
    form_of,
    language_of,
    lines_of,
    message_of,
    names_of,
    print_differences,
    print_frame,
    print_heading,
    print_json,
    print_pieces,
    print_records,
    print_verified,
    records_of,
    speak,
    speak_of,
    spoken,
    text_of,
    verified_json,
)
from sheetsim.errors import SheetsimError, SheetsimWarning
from sheetsim.language import check_language
from sheetsim.version import __version__

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    import pandas as pd

    from sheetsim.audit.verify import Verified
    from sheetsim.runs.run import CheckedScenario, Results
    from sheetsim.runs.templates import Scenario
    from sheetsim.runs.training import TrainingOptions

# Longer than any text that a key may have.
LONGEST_WORD = 1000

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A template's key with another value.")
]
Seed = Annotated[int | None, typer.Option(help="The seed of all draws (a whole number from 0).")]
Json = Annotated[bool, typer.Option("--json", help="Short for --format json.")]
Form = Annotated[Format, typer.Option("--format", help="How to print it.")]
Report = Annotated[ReportFormat, typer.Option("--format", help="How to print it.")]
BookPath = Annotated[Path | None, typer.Option(metavar="PATH", help="The .xlsx file.", show_default=False)]
ValuesOnly = Annotated[bool, typer.Option("--values-only", help="Numbers without formulas.")]


def _theme(given: Path | None) -> Any:
    """Read at once: what is wrong with it is said before anything runs."""
    if given is None:
        return None
    from sheetsim.runs.themes import theme_of

    return theme_of(given)


ThemeFile = Annotated[
    Path | None,
    typer.Option(
        "--theme",
        metavar="FILE.toml",
        help="A house style: colors, fonts, number formats, a logo, a cover.",
        show_default=False,
        callback=_theme,
    ),
]
Draws = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="As --set draws=NAME; live: a switch in the book draws anew.", show_default=False
    ),
]
Workers = Annotated[int, typer.Option(help="Processes on this machine.")]
Scheduler = Annotated[
    str | None, typer.Option(metavar="tcp://…", help="A Dask scheduler's address, or local.", show_default=False)
]
Force = Annotated[
    bool, typer.Option("--force", help="Overwrite a file that another program saved, or that is not a sheetsim book.")
]
Lang = Annotated[
    str | None,
    typer.Option(
        "--lang",
        metavar="CODE",
        help="The language of the workbook, and of what is printed: en or ja.",
        show_default=False,
    ),
]
Open = Annotated[bool, typer.Option("--open", help="Show what was written in the desktop's application.")]


def main() -> None:
    """Runs the command. A person's mistake is one line on standard error and exit status 2."""
    _print_any_text()
    speak(language_of(sys.argv[1:], os.environ))
    warnings.showwarning = _warned
    try:
        status = app(standalone_mode=False)
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
    _say(message)
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
        _say(str(message))
    else:
        print(warnings.formatwarning(message, category, filename, lineno, line), end="", file=file or sys.stderr)


def _say(message: str) -> None:
    print(f"sheetsim: {message_of(' '.join(message.split()))}", file=sys.stderr)


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    lang: Annotated[
        str | None,
        typer.Option(metavar="CODE", help="The language of what is printed: en or ja.", show_default="the locale's"),
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
    workers: Annotated[int, typer.Option(help="Processes on this machine, for what is trained.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Continue trainings that were stopped.")] = False,
    form: Form = Format.table,
    as_json: Json = False,
) -> None:
    """Run templates (with no name: the article's five), write their workbooks and print a row a layer.

    Networks with the same activation and sizes have histograms on the same axes. What is trained is kept beside the
    workbook until that is written: after Ctrl-C or a crash the same command with --resume goes on.
    """
    from sheetsim.runs import templates
    from sheetsim.runs.run import check_scenario, run_scenario, shared_scales

    form = form_of(form, as_json)
    settings = _with_draws(settings, draws)
    if draws == "live" and values_only:
        raise SheetsimError("--draws live are formulas, and --values-only leaves them out: give one of them")
    scenarios = [_load(name, settings, seed, lang=lang) for name in what or templates.ARTICLE]
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
                scenarios[k], checked[k] = _load(name, settings, seed, axes, lang), None
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


def _with_draws(settings: list[str] | None, draws: str | None) -> list[str] | None:
    """The settings, with that of --draws."""
    if draws is None:
        return settings
    if any(setting.partition("=")[0] == "draws" for setting in settings or []):
        raise SheetsimError("--draws and --set draws=… say the same: give one of them")
    return [*(settings or []), f'draws="{draws}"']


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
        _say(f"stopped: what was trained is kept in {folder}; the same command with --resume goes on")
        raise
    forget(folder)


@app.command("list")
def list_templates(form: Form = Format.table, as_json: Json = False) -> None:
    """List the templates, a line each, and how to make small books of the networks."""
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
    # Beside what a script reads, which has a line a template.
    _say("a network's live book of less than 500 KB (with --draws live: 600 KB): sheetsim run NAME --set size=small")


@app.command()
def show(name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Print the TOML of a template, or of a shipped search, to copy and edit."""
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
        option.help = f"Which table of its study. {told}."  # type: ignore[attr-defined]
        super().format_help(ctx, formatter)


@app.command(cls=_WithTables)
def summary(
    what: Annotated[str, typer.Argument(metavar="NAME|FILE.toml|BOOK.xlsx")],
    table: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which table of its study.", show_default="the first")
    ] = None,
    form: Form = Format.table,
    settings: Settings = None,
    seed: Seed = None,
    as_json: Json = False,
) -> None:
    """Print a table of a template's run, or of a workbook; writes no workbook."""
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
    output: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="The .png, .svg or .pdf file.", show_default="outputs/NAME.png"),
    ] = None,
    theme: ThemeFile = None,
    show_it: Open = False,
) -> None:
    """Draw the charts of a template's run, or of a workbook, as a picture; writes no workbook."""
    from sheetsim.runs.plots import drawing

    target = picture_of(Path(what).stem, output)
    drawing()
    check_opener(show_it)
    results = _results(what, settings, seed)
    make_ready([target], force=True)
    results.plot(page, path=target, theme=theme)
    print(f"{what} → {target}")
    open_files(show_it, [target])


def _results(what: str, settings: list[str] | None, seed: int | None) -> "Results":
    """A run of a template, or a workbook read."""
    if what.lower().endswith(".xlsx"):
        if settings or seed is not None:
            raise SheetsimError(f"{what} is a workbook: --set and --seed go with templates")
        from sheetsim.runs.run import read

        return read(what)
    from sheetsim.runs.run import run_scenario

    scenario = _load(what, settings, seed)
    scenario.experiment.check_english("pictures of a run")
    return run_scenario(scenario)


def _check_shown(show_it: bool, output: Path | None) -> None:
    if show_it and output is None:
        raise SheetsimError("--open shows the book that --output names: give both")
    check_opener(show_it)


@app.command("diagnose")
def diagnose_command(
    weights: Annotated[list[Path], typer.Argument(metavar="WEIGHTS.npz|.safetensors|W.npy...", show_default=False)],
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Inputs (.csv, .xlsx, .npy).", show_default="normal draws")
    ] = None,
    activation: Annotated[str, typer.Option(help="The activation of all layers.")] = "relu",
    samples: Annotated[int | None, typer.Option(help="How many inputs are drawn.", show_default="1000")] = None,
    seed: Annotated[int, typer.Option(help="The seed of drawn inputs.")] = 0,
    layout: Annotated[
        str,
        typer.Option(help="Rows of weights: in-out, out-in (units: PyTorch), auto (by names and shapes)."),
    ] = "auto",
    layers: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="The weights to use, in their order.", show_default=False)
    ] = None,
    all_layers: Annotated[
        bool,
        typer.Option(
            "--all-layers", help="The last weights are a layer with the activation too, and not a linear output."
        ),
    ] = False,
    table: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Another table of the study forward: variance, claims or histograms."),
    ] = None,
    form: Form = Format.table,
    output: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Write a workbook too: the .xlsx file.", show_default=False)
    ] = None,
    summary_only: Annotated[bool, typer.Option("--summary", help="A book without the matrices.")] = False,
    lang: Lang = None,
    theme: ThemeFile = None,
    force: Force = False,
    show_it: Open = False,
    as_json: Json = False,
) -> None:
    """Print the layers of your own weights, fresh or trained, with verdicts, as of the study forward."""
    import shlex

    from sheetsim.runs.diagnose import diagnose

    form = form_of(form, as_json)
    _check_shown(show_it, output)
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
        _say(note)
    if target is not None:
        make_ready([target], force)
        print(f"{result.name} → {result.to_excel(target, theme=theme)}", file=sys.stderr)
        open_files(show_it, [target])


class ReplicateTable(StrEnum):
    """The tables that `replicate` prints."""

    statistics = "statistics"
    verdicts = "verdicts"
    claims = "claims"
    histograms = "histograms"
    replicates = "replicates"


@app.command("replicate")
def replicate_command(
    what: Annotated[str, typer.Argument(metavar="NAME|FILE.toml")],
    replicates: Annotated[int, typer.Option(help="How many independent runs; with --until, at most.")] = 100,
    until: Annotated[
        str | None,
        typer.Option(metavar="2%", help="Stop when the statistics' intervals are narrower than this on each side."),
    ] = None,
    statistics: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="What --until, the convergence and the output are about: columns of the tables, or ROW.COLUMN.",
            show_default="of forward pooled,var, else the first two",
        ),
    ] = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    bootstrap: Annotated[bool, typer.Option("--bootstrap", help="Bootstrap intervals too.")] = False,
    single: Annotated[bool, typer.Option("--single", help="Layers in single precision.")] = False,
    table: Annotated[
        ReplicateTable | None,
        typer.Option(help="Print this table whole; the workbook is written too.", show_default=False),
    ] = None,
    form: Form = Format.table,
    settings: Settings = None,
    seed: Seed = None,
    lang: Lang = None,
    output: BookPath = None,
    values_only: ValuesOnly = False,
    theme: ThemeFile = None,
    force: Force = False,
    show_it: Open = False,
    as_json: Json = False,
) -> None:
    """Run a template many times with independent seeds: statistics with intervals, theory beside them, a workbook."""
    from dataclasses import replace

    from sheetsim.runs.replicates import plan_of, run_replicates, share

    form = form_of(form, as_json)
    scenario = _load(what, settings, seed, lang=lang)
    names = () if statistics is None else tuple(name.strip() for name in statistics.split(","))
    plan = plan_of(scenario, replicates, share(until), names, single, bootstrap)
    # Beside the run's own book, and not in its place.
    target = targets_of([replace(scenario, name=f"{scenario.name}-replicates")], output)[0]
    check_opener(show_it)
    make_ready([target], force)
    with ProgressLine(1) as progress:
        progress.begin(scenario.name)
        result = run_replicates(plan, workers, scheduler, progress.replicate(replicates))
        progress.sheet("writing")
        result.to_excel(target, values_only=values_only, theme=theme)
    open_files(show_it, [target])
    frames = {
        ReplicateTable.statistics: result.statistics,
        ReplicateTable.verdicts: result.verdicts,
        ReplicateTable.claims: result.claims,
        ReplicateTable.histograms: result.histograms,
        ReplicateTable.replicates: result.frame,
    }
    speak_of(scenario.experiment.study)
    print_heading(f"{spoken(f'{scenario.name}, {result.count} replicates ({result.reason})')} → {target}", form)
    if table is not None:
        print_frame(frames[table](), form)
        return
    frame = result.statistics()
    shown = frame.loc[[plan.observed.labels[k] for k in plan.observed.places(plan.chosen)]]
    if form is not Format.table:
        shown = shown if names else frame
        if form is Format.json:
            head = {"name": scenario.name, "file": str(target), "replicates": result.count, "reason": result.reason}
            print_json([head | row for row in records_of(shown)])
        else:
            print_frame(shown, form)
        return
    hidden = ["se", "half", "p05", "p50", "p95", "log_mean", "log_sd"]
    if (shown["read"] == "mean").all():
        hidden += ["geometric", "geometric_low", "geometric_high", "read"]
    print(text_of(shown.drop(columns=hidden)), end="\n\n")
    if plan.observed.name == "forward":
        print(text_of(result.claims()))
    elif plan.observed.words:
        print(text_of(result.verdicts()))
    for note in result.notes:
        print(f"\n{spoken(note)}")


@app.command("compare")
def compare_command(
    what: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME|FILE.toml|BOOK.xlsx]...", show_default=False)
    ] = None,
    replicates: Annotated[
        int, typer.Option(help="Runs of each network with common draws: differences from the first, with intervals.")
    ] = 0,
    workers: Annotated[int, typer.Option(help="Processes on this machine, for replicates.")] = 1,
    form: Form = Format.table,
    settings: Settings = None,
    seed: Seed = None,
    lang: Lang = None,
    draws: Draws = None,
    output: BookPath = None,
    values_only: ValuesOnly = False,
    theme: ThemeFile = None,
    force: Force = False,
    show_it: Open = False,
    as_json: Json = False,
) -> None:
    """Compare networks layer by layer in one workbook (with no name: the article's five), and print a row a layer.

    Histograms side by side on common scales, key numbers in colors, lines by layer.
    """
    from sheetsim.runs.compare import compare

    form = form_of(form, as_json)
    target = book_of("comparison", output)
    check_opener(show_it)
    make_ready([target], force)
    with ProgressLine(1) as progress:
        progress.begin("comparison")
        overrides = _overrides(_with_draws(settings, draws), seed)
        options: dict[str, Any] = {"replicates": replicates, "workers": workers, "lang": lang}
        result = compare(*what or (), progress=progress.sheet, **options, **overrides)
        progress.sheet("writing")
        result.to_excel(target, values_only=values_only, theme=theme)
    open_files(show_it, [target])
    frame = result.frame()
    print_heading(f"{', '.join(result.names)} → {target}", form)
    if form is not Format.table:
        print_frame(frame, form)
        return
    print(text_of(frame[["verdict", *result.shown]]))
    if replicates:
        heading = f"Differences from {result.names[0]}, means of {replicates} replicates with common draws"
        print(f"\n{spoken(heading)}")
        print(text_of(result.differences()))


@app.command("sensitivity")
def sensitivity_command(
    what: Annotated[str, typer.Argument(metavar="NAME|FILE.toml")],
    statistic: Annotated[
        str, typer.Option(metavar="NAME", help="A column of the study's tables, or one number as ROW.COLUMN.")
    ],
    trials: Annotated[int, typer.Option(help="Pairs of replicates; (groups + 2) times as many are run.")] = 256,
    group: Annotated[
        list[str] | None,
        typer.Option("--group", metavar="NAME=INPUT,...", help="Draws that count as one input.", show_default=False),
    ] = None,
    resamples: Annotated[int, typer.Option(help="Resamples of the bootstrap for the intervals, 0 for none.")] = 1000,
    form: Form = Format.table,
    settings: Settings = None,
    seed: Seed = None,
    lang: Lang = None,
    output: BookPath = None,
    values_only: ValuesOnly = False,
    theme: ThemeFile = None,
    force: Force = False,
    show_it: Open = False,
    as_json: Json = False,
) -> None:
    """Say which draws move a statistic's variance over replicates, the input's or a layer's weights': Sobol indices.

    With --output a workbook has the same as formulas over the design's numbers.
    """
    from sheetsim.runs.study_sensitivity import plan_sensitivity, run_sensitivity

    form = form_of(form, as_json)
    scenario = _load(what, settings, seed, lang=lang)
    plan = plan_sensitivity(scenario, statistic, trials, dict(map(_group, group or [])), resamples)
    speak_of("sensitivity")
    _check_shown(show_it, output)
    targets = [] if output is None else targets_of([scenario], output)
    make_ready(targets, force)
    with ProgressLine(1) as progress:
        progress.begin(scenario.name)
        show = progress.replicate(trials)
        result = run_sensitivity(plan, lambda done: show(done, float("nan")))
        for target in targets:
            progress.sheet("writing")
            result.to_excel(target, values_only=values_only, theme=theme)
    open_files(show_it, targets)
    for target in targets:
        print_heading(f"{scenario.name} → {target}", form)
    print_frame(result.frame(), form)
    if form is Format.table:
        for note in result.notes:
            print(f"\n{spoken(note)}")


@app.command("sweep")
def sweep_command(
    what: Annotated[str, typer.Argument(metavar="FILE.toml")],
    workers: Workers = 1,
    scheduler: Scheduler = None,
    lang: Lang = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="The folder of its files.", show_default=False)
    ] = None,
    values_only: ValuesOnly = False,
    theme: ThemeFile = None,
    force: Force = False,
    show_it: Open = False,
    form: Form = Format.table,
    as_json: Json = False,
) -> None:
    """Run replicates at every point of a grid: Parquet, and a workbook with heat maps and lines. Can be resumed.

    FILE.toml names a template, replicates, and a [grid] of keys with lists of values or {from, to, steps, scale}.
    Finished parts are kept in the folder: after a stop, the same command computes only what is missing.
    """
    from sheetsim.runs import sweep, sweep_grid

    form = form_of(form, as_json)
    plan = sweep_grid.load_sweep(what, lang)
    sweep.check_sweep(plan)
    folder = output or OUTPUTS / plan.name
    if folder.suffix.lower() in (".xlsx", ".parquet"):
        raise SheetsimError(f"--output {folder} is a file: a sweep writes several, name a folder")
    table, book = folder / f"{plan.name}.parquet", folder / f"{plan.name}.xlsx"
    check_opener(show_it)
    make_ready([book], force)
    with ProgressLine(1) as progress:
        progress.begin(plan.name)
        result = sweep.run_sweep(plan, folder / "parts", workers, scheduler, progress.sweep())
        progress.sheet("writing")
        result.to_parquet(table)
        result.to_excel(book, values_only=values_only, theme=theme)
    open_files(show_it, [book])
    records = result.last_layers().to_dict(orient="records")
    points = f"{len(plan.points)} points, {plan.replicates} replicates each"
    print_heading(f"{spoken(f'{plan.name}, {points}')} → {table}, {book}", form)
    _print_first(records, form, "Heat map", plan.grid)


def _print_first(records: "list[dict[Any, Any]]", form: Format, sheet: str, names: "Collection[str]") -> None:
    """Print records, in a terminal the first ones. names: the columns whose texts are names."""
    if form is not Format.table:
        print_records(records, form)
        return
    print(lines_of([names_of(record, names) for record in records[:MOST_LINES]]))
    if len(records) > MOST_LINES:
        print(spoken(f"… and {len(records) - MOST_LINES} lines more: the sheet {sheet}, or --format json"))


@app.command("search")
def search_command(
    what: Annotated[str, typer.Argument(metavar="NAME|FILE.toml")],
    workers: Workers = 1,
    scheduler: Scheduler = None,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="0.95|'20 trials'|'10 min'",
            help="Stop at a value, after so many trials of a method, or after a time.",
            show_default=False,
        ),
    ] = None,
    lang: Lang = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="The folder of its files.", show_default=False)
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How to print the trials.")] = Format.table,
    values_only: ValuesOnly = False,
    theme: ThemeFile = None,
    force: Force = False,
    show_it: Open = False,
    as_json: Json = False,
) -> None:
    """Look for hyperparameters of a template that give a good value: prints the trials, best first.

    FILE.toml names a template, a value, a goal, a method (grid, random, sobol, lhs, bayes, halving) and a [space] of
    keys with ranges or lists of choices. Trials are kept in the folder as they are done: after a stop, the same command
    runs only those that are missing. A Parquet file and a workbook of all trials are written beside them.
    """
    from sheetsim.runs import search, search_plan

    form = form_of(form, as_json)
    plan = search_plan.load_search(what, until, lang)
    folder = output or OUTPUTS / plan.name
    if folder.suffix.lower() in (".xlsx", ".parquet"):
        raise SheetsimError(f"--output {folder} is a file: a search writes several, name a folder")
    table, book = folder / f"{plan.name}.parquet", folder / f"{plan.name}.xlsx"
    search.check_search(plan)
    check_opener(show_it)
    make_ready([book], force)
    with ProgressLine(1) as progress:
        progress.begin(plan.name)
        result = search.run_search(plan, folder / "parts", workers, scheduler, progress.search())
        progress.sheet("writing")
        result.to_parquet(table)
        result.to_excel(book, values_only=values_only, theme=theme)
    open_files(show_it, [book])
    print_heading(f"{plan.name}: {spoken(result.reason)} → {table}, {book}", form)
    _print_first(result.records(), form, "Trials", [*plan.columns, "method"])
    if form is not Format.table:
        return
    for note in result.notes:
        print(f"\n{spoken(note)}")


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
            help="Families to fit: normal, lognormal, uniform, or continuous ones of scipy.stats.",
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
    """Fit distributions to a column of data: ranked by AIC, and a workbook with quantile plots.

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
        _say(f"{family} could not be fitted: {reason}")


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
    """Run trials of your own workbook: what happens to its outputs when some of its cells are uncertain.

    A sheet Simulation in it (see --mark), or BOOK.toml beside it, can say the same as the options. The workbook is
    never changed. NumPy computes its formulas; IronCalc checks trials from the file. Exit status 1 where it disagrees.
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
        simulate.answer(book, inputs or [], outputs or [], correlations or [], trials, seed, questions, form, _say)
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
    status = simulate.simulate(book, *given, trials, seed, until, verify, engine, scenarios or [], least, wanted, _say)
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
        bool, typer.Option("--fill", help="First write the values that are missing into the books: the engine's.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="A row for every block, also for those that agree.")
    ] = False,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.py",
            help="Of a model's book: the Python file with the model as a variable at its top level; it is run.",
        ),
    ] = None,
    form: Report = ReportFormat.table,
    as_json: Json = False,
) -> int:
    """Recalculate books with an independent engine and with NumPy, and say whether their values and formulas agree."""
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
                _say(str(error))
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
    """Show where two books differ, cell by cell, grouped by block. Exit status 1 when they do."""
    from sheetsim.audit.verify import diff

    differences = diff(first, second)
    if as_json or form is ReportFormat.json:
        print_pieces(map(difference_json, differences))
    else:
        print_differences(differences)
    return 1 if differences else 0


def _load(
    name: str,
    settings: list[str] | None,
    seed: int | None,
    more: "Mapping[str, Any] | None" = None,
    lang: str | None = None,
) -> "Scenario":
    from sheetsim.runs import templates

    scenario = templates.load(name, _overrides(settings, seed, lang) | dict(more or {}))
    speak_of(scenario.experiment.study)
    return scenario


def _overrides(settings: list[str] | None, seed: int | None, lang: str | None = None) -> dict[str, Any]:
    """The keys that --set, --seed and --lang give."""
    overrides = dict(map(_setting, settings or []))
    for key, value in (("seed", seed), ("lang", lang)):
        if value is not None:
            if key in overrides:
                raise SheetsimError(f"--{key} and --set {key}=… say the same: give one of them")
            overrides[key] = value
    return overrides


def _setting(text: str) -> tuple[str, Any]:
    """`key=value` with the value as in TOML; a bare word is text."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise SheetsimError(f"--set {text}: write key=value, for example --set samples=500")
    from sheetsim.runs.templates import parsed

    try:
        table = parsed(f"value = {value}")
    except SheetsimError as error:
        if value[:1] in ("[", "{", '"', "'") or len(value) > LONGEST_WORD:
            raise SheetsimError(f"--set {key:.40}: {value:.60} is not a TOML value: {error}") from None
        return key, value
    if len(table) > 1:
        raise SheetsimError(f"--set {key:.40}: a value has no line break; give each key its own --set")
    return key, table["value"]


def _group(text: str) -> tuple[str, list[str]]:
    """`name=input,input`."""
    name, equals, members = text.partition("=")
    if not name or not equals or not members:
        raise SheetsimError(f"--group {text}: write name=input,input, for example --group weights=e_1,e_2")
    return name, [member.strip() for member in members.split(",")]
