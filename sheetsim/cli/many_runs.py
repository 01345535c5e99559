"""The commands of many runs: replicates, comparisons, sensitivity, sweeps, searches. They parse, call and print."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sheetsim.cli.opening import check_opener, open_files
from sheetsim.cli.options import (
    FILE,
    book_option,
    check_shown,
    draws_option,
    folder_option,
    format_option,
    json_option,
    lang_option,
    load_scenario,
    overrides_of,
    scenario_options,
    scheduler_option,
    settings_with_draws,
    workers_option,
    writing_options,
)
from sheetsim.cli.paths import OUTPUTS, book_of, make_ready, targets_of
from sheetsim.cli.terminal import (
    MOST_LINES,
    Format,
    ProgressLine,
    form_of,
    lines_of,
    names_of,
    print_frame,
    print_heading,
    print_json,
    print_records,
    records_of,
    speak_of,
    spoken,
    text_of,
)
from sheetsim.errors import SheetsimError

if TYPE_CHECKING:
    from collections.abc import Collection

    from sheetsim.runs.themes import ThemeLike


class ReplicateTable(StrEnum):
    """The tables that `replicate` prints."""

    statistics = "statistics"
    verdicts = "verdicts"
    claims = "claims"
    histograms = "histograms"
    replicates = "replicates"


@click.command("replicate")
@click.argument("what", type=FILE, metavar="NAME|FILE.toml")
@click.option("--replicates", type=int, default=100, help="How many independent runs; with --until, at most.")
@click.option("--until", metavar="2%", help="Stop when the statistics' intervals are narrower than this on each side.")
@click.option(
    "--statistics",
    metavar="NAME,...",
    show_default="of forward pooled,var, else the first two",
    help="The statistics for --until, the convergence and the output: columns of the tables, or ROW.COLUMN.",
)
@workers_option
@scheduler_option
@click.option("--bootstrap", is_flag=True, help="Also compute bootstrap intervals.")
@click.option("--single", is_flag=True, help="Compute the layers in single precision.")
@click.option(
    "--table", type=click.Choice(ReplicateTable), help="Print this table in full; the workbook is still written."
)
@format_option
@scenario_options
@book_option
@writing_options
@json_option
def replicate_command(
    what: str,
    replicates: int,
    until: str | None,
    statistics: str | None,
    workers: int,
    scheduler: str | None,
    bootstrap: bool,
    single: bool,
    table: ReplicateTable | None,
    form: Format,
    settings: tuple[str, ...],
    seed: int | None,
    lang: str | None,
    output: Path | None,
    values_only: bool,
    theme: "ThemeLike",
    force: bool,
    show_it: bool,
    as_json: bool,
) -> None:
    """Run a template many times with independent seeds: statistics with intervals, compared with theory; a workbook."""
    from msgspec.structs import replace

    from sheetsim.runs.replicates import plan_of, run_replicates, share

    form = form_of(form, as_json)
    scenario = load_scenario(what, settings, seed, lang=lang)
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


@click.command("compare")
@click.argument("what", type=FILE, nargs=-1, metavar="[NAME|FILE.toml|BOOK.xlsx]...")
@click.option(
    "--replicates",
    type=int,
    default=0,
    help="Replicates with common draws: differences from the first network, with intervals.",
)
@click.option("--workers", type=int, default=1, help="Processes on this machine, for replicates.")
@format_option
@scenario_options
@draws_option
@book_option
@writing_options
@json_option
def compare_command(
    what: tuple[str, ...],
    replicates: int,
    workers: int,
    form: Format,
    settings: tuple[str, ...],
    seed: int | None,
    lang: str | None,
    draws: str | None,
    output: Path | None,
    values_only: bool,
    theme: "ThemeLike",
    force: bool,
    show_it: bool,
    as_json: bool,
) -> None:
    """Compare networks layer by layer in one workbook (with no name: the article's five), and print a row per layer.

    Histograms side by side on common scales, key numbers in colors, lines by layer.
    """
    from sheetsim.runs.compare import compare

    form = form_of(form, as_json)
    target = book_of("comparison", output)
    check_opener(show_it)
    make_ready([target], force)
    with ProgressLine(1) as progress:
        progress.begin("comparison")
        overrides = overrides_of(settings_with_draws(settings, draws), seed)
        options: dict[str, Any] = {"replicates": replicates, "workers": workers, "lang": lang}
        result = compare(*what, progress=progress.sheet, **options, **overrides)
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


@click.command("sensitivity")
@click.argument("what", type=FILE, metavar="NAME|FILE.toml")
@click.option(
    "--statistic", required=True, metavar="NAME", help="A column of the study's tables, or one number as ROW.COLUMN."
)
@click.option("--trials", type=int, default=256, help="Pairs of replicates; (groups + 2) times as many are run.")
@click.option("--group", "groups", multiple=True, metavar="NAME=INPUT,...", help="Draws that count as one input.")
@click.option("--resamples", type=int, default=1000, help="Resamples of the bootstrap for the intervals, 0 for none.")
@format_option
@scenario_options
@book_option
@writing_options
@json_option
def sensitivity_command(
    what: str,
    statistic: str,
    trials: int,
    groups: tuple[str, ...],
    resamples: int,
    form: Format,
    settings: tuple[str, ...],
    seed: int | None,
    lang: str | None,
    output: Path | None,
    values_only: bool,
    theme: "ThemeLike",
    force: bool,
    show_it: bool,
    as_json: bool,
) -> None:
    """Find how much the input and each layer's weights contribute to a statistic's variance: Sobol indices.

    --output writes a workbook with the indices as formulas.
    """
    from sheetsim.runs.study_sensitivity import plan_sensitivity, run_sensitivity

    form = form_of(form, as_json)
    scenario = load_scenario(what, settings, seed, lang=lang)
    plan = plan_sensitivity(scenario, statistic, trials, dict(map(_group, groups)), resamples)
    speak_of("sensitivity")
    check_shown(show_it, output)
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


@click.command("sweep")
@click.argument("what", type=FILE, metavar="FILE.toml")
@workers_option
@scheduler_option
@lang_option
@folder_option
@writing_options
@format_option
@json_option
def sweep_command(
    what: str,
    workers: int,
    scheduler: str | None,
    lang: str | None,
    output: Path | None,
    values_only: bool,
    theme: "ThemeLike",
    force: bool,
    show_it: bool,
    form: Format,
    as_json: bool,
) -> None:
    """Run replicates at every point of a grid: Parquet, and a workbook with heat maps and lines. Can be resumed.

    FILE.toml names a template, replicates, and a [grid] of keys with lists of values or {from, to, steps, scale}.
    Finished parts are kept in the folder: after an interruption, the same command computes only what is missing.
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


@click.command("search")
@click.argument("what", type=FILE, metavar="NAME|FILE.toml")
@workers_option
@scheduler_option
@click.option(
    "--until",
    metavar="0.95|'20 trials'|'10 min'",
    help="Stop at a value, after so many trials of a method, or after a time.",
)
@lang_option
@folder_option
@click.option("--format", "form", type=click.Choice(Format), default=Format.table, help="Output format of the trials.")
@writing_options
@json_option
def search_command(
    what: str,
    workers: int,
    scheduler: str | None,
    until: str | None,
    lang: str | None,
    output: Path | None,
    form: Format,
    values_only: bool,
    theme: "ThemeLike",
    force: bool,
    show_it: bool,
    as_json: bool,
) -> None:
    """Search for good hyperparameters of a template and print the trials, best first.

    FILE.toml names a template, a value, a goal, a method (grid, random, sobol, lhs, bayes, halving) and a [space] of
    keys with ranges or lists of choices. Finished trials are kept in the folder: after an interruption, the same
    command runs only the missing ones. It also writes a Parquet file and a workbook of all trials.
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


def _group(text: str) -> tuple[str, list[str]]:
    """`name=input,input`."""
    name, equals, members = text.partition("=")
    if not name or not equals or not members:
        raise SheetsimError(f"--group {text}: write name=input,input, for example --group weights=e_1,e_2")
    return name, [member.strip() for member in members.split(",")]


# In the order of the help.
COMMANDS = (replicate_command, compare_command, sensitivity_command, sweep_command, search_command)
