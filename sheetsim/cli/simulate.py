"""The command `simulate`: a person's workbook over trials. It parses, calls and prints."""

import re
import shlex
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from sheetsim.cli.opening import check_opener, open_files
from sheetsim.cli.options import (
    FILE,
    PATH,
    force_option,
    format_option,
    json_option,
    lang_option,
    open_option,
    seed_option,
    theme_option,
    values_only_option,
)
from sheetsim.cli.paths import book_of, make_ready
from sheetsim.cli.terminal import (
    Format,
    ProgressLine,
    form_of,
    lines_of,
    print_frame,
    print_heading,
    print_json,
    print_records,
    say,
    spoken,
)
from sheetsim.errors import SheetsimError
from sheetsim.workbook.limits import ROWS

if TYPE_CHECKING:
    import pandas as pd

    from sheetsim.audit.simulated import Workbook
    from sheetsim.runs.themes import ThemeLike
    from sheetsim.runs.workbook_model import WorkbookRun


class SimulateTable(StrEnum):
    """The tables that `simulate` prints."""

    outputs = "outputs"
    percentiles = "percentiles"
    risk = "risk"
    histograms = "histograms"
    sensitivity = "sensitivity"
    trials = "trials"
    scenarios = "scenarios"
    decision = "decision"


OF_SCENARIOS = (SimulateTable.scenarios, SimulateTable.decision)


class CheckingEngine(StrEnum):
    """The engines that recalculate trials."""

    ironcalc = "ironcalc"
    all = "all"


# Of whole numbers that are read: no machine holds so many trials.
MOST_DIGITS = 10**18

# What is printed as a table: the other columns are in the workbook and in JSON.
SHOWN = ("n", "errors", "mean", "std", "se", "q05", "q50", "q95", "base")


def whole_number(text: str) -> int:
    """A whole number as people write it: 100000, 100,000, 100_000 or 1e5."""
    plain = text.strip()
    if re.fullmatch(r"[0-9]{1,3}(,[0-9]{3})+", plain):
        plain = plain.replace(",", "")
    try:
        number = Decimal(plain)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number != number.to_integral_value() or abs(number) > MOST_DIGITS:
        raise click.BadParameter(f"{text!r} is not a whole number, such as 100000, 100,000, 100_000 or 1e5")
    return int(number)


# What formulas are made of beside functions of values: part, arguments, what it gives.
OF_THE_LANGUAGE = (
    ("RAND", "draws", 0, 0, "a number from 0 to 1, drawn for each trial"),
    ("RANDBETWEEN", "draws", 2, 2, "a whole number between two, drawn for each trial"),
    ("OFFSET", "references", 3, 5, "a range beside another, which is the same in all trials"),
    ("INDIRECT", "references", 1, 2, "the range that a text names, which is the same in all trials"),
    ("LET", "names", 3, None, "a formula with names for its parts"),
)


class Wanted(Struct, frozen=True):
    """Where a result goes, and how it is printed."""

    target: Path
    form: Format
    values_only: bool
    command: list[str]
    into: Path | None
    library: Path | None
    table: SimulateTable | None
    theme: "ThemeLike" = None
    lang: str | None = None


@click.command("simulate")
@click.argument("book", type=FILE, required=False, metavar="[BOOK.xlsx]")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="CELL=DISTRIBUTION",
    help='An uncertain cell or defined name: "Sheet1!B2=normal(100, 15)". A cell without a sheet is on the '
    "sheet that the workbook opens with; $ is ignored.",
)
@click.option("--output", "outputs", multiple=True, metavar="CELL", help="A cell or defined name of a result.")
@click.option("--correlation", "correlations", multiple=True, metavar="A,B=R", help="A rank correlation of two inputs.")
@click.option(
    "--trials",
    type=whole_number,
    metavar="INTEGER",
    show_default="100,000",
    help="How many trials (100000, 100,000 or 1e5); with --until, at most.",
)
@seed_option
@click.option("--until", metavar="1%", help="Stop when the means' 95 % intervals are narrower than this on each side.")
@click.option(
    "--verify", type=int, default=50, metavar="N", help="Trials that IronCalc recalculates from the file, 0 for none."
)
@click.option("--out", type=PATH, metavar="PATH", help="The .xlsx file, or its folder.")
@click.option(
    "--table",
    type=click.Choice(SimulateTable),
    show_default="outputs, or scenarios",
    help="Which table to print. decision says which scenario is best.",
)
@format_option
@click.option(
    "--engine",
    type=click.Choice(CheckingEngine),
    default=CheckingEngine.ironcalc,
    help="Which engine checks trials; all adds LibreOffice, which takes seconds.",
)
@lang_option
@values_only_option
@theme_option
@click.option(
    "--scenario",
    "scenarios",
    multiple=True,
    metavar="NAME:CELL=VALUE,...",
    help="Compare scenarios (other numbers or distributions of cells) over the same draws. Can be repeated.",
)
@click.option(
    "--grid", "axes", multiple=True, metavar="CELL=FROM:TO:STEPS", help="Print a statistic over one or two cells."
)
@click.option("--statistic", default="mean", help="For --grid: mean, std, q01, …, q99, or loss (the share below 0).")
@click.option(
    "--goal",
    metavar='"CELL: P(OUTPUT>0)=90%"',
    help="Print the value of a cell at which an output is above (>, >=) or below (<, <=) a number with a given "
    "probability.",
)
@click.option("--least", is_flag=True, help="For scenarios: less is better, as for costs.")
@click.option(
    "--into", type=PATH, metavar="COPY.xlsx", help="Also write a copy of the workbook with the result's sheets in it."
)
@click.option("--sipmath", type=PATH, metavar="OUT.json", help="Also write the outputs as a SIPmath library.")
@click.option("--mark", is_flag=True, help="Write a copy with a sheet Simulation to fill in, and run no trials.")
@click.option("--functions", is_flag=True, help="List the functions that NumPy computes, and stop.")
@force_option
@open_option
@json_option
def simulate_command(
    book: str | None,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    correlations: tuple[str, ...],
    trials: int | None,
    seed: int | None,
    until: str | None,
    verify: int,
    out: Path | None,
    table: SimulateTable | None,
    form: Format,
    engine: CheckingEngine,
    lang: str | None,
    values_only: bool,
    theme: "ThemeLike",
    scenarios: tuple[str, ...],
    axes: tuple[str, ...],
    statistic: str,
    goal: str | None,
    least: bool,
    into: Path | None,
    sipmath: Path | None,
    mark: bool,
    functions: bool,
    force: bool,
    show_it: bool,
    as_json: bool,
) -> int:
    """Simulate your own workbook: how its outputs are distributed if some of its cells are uncertain.

    A sheet Simulation in it (see --mark), or BOOK.toml beside it, can replace the options. The workbook is never
    changed. NumPy computes its formulas; IronCalc checks some trials. Exit status 1 means that it disagrees.
    """
    form = form_of(form, as_json)
    if functions:
        _print_functions(form)
        return 0
    if book is None:
        raise SheetsimError("name a workbook: sheetsim simulate BOOK.xlsx --input B2=normal(100,15) --output C10")
    if bool(scenarios) + bool(axes) + (goal is not None) > 1:
        raise SheetsimError("--scenario, --grid and --goal ask different things: give one of them")
    questions = Questions(axes, statistic, goal)
    if questions.any:
        _answer(book, inputs, outputs, correlations, trials, seed, questions, form)
        return 0
    target = book_of(f"{Path(book).stem}-{'marked' if mark else 'simulated'}", out)
    if target.resolve() == Path(book).resolve():
        raise SheetsimError(f"--out {target} is the workbook itself, which is never changed: name another file")
    if into is not None and into.resolve() in (Path(book).resolve(), target.resolve()):
        raise SheetsimError(f"--into {into} is the workbook itself, or the result: name another file")
    check_opener(show_it)
    make_ready([target, *([into] if into else [])], force)
    if mark:
        _mark(book, target)
        open_files(show_it, [target])
        return 0
    given = (inputs, outputs, correlations)
    command = _command_of(book, *given, trials, seed, until, scenarios, least, lang)
    wanted = Wanted(target, form, values_only, command, into, sipmath, table, theme, lang)
    status = _simulate(book, *given, trials, seed, until, verify, engine, scenarios, least, wanted)
    open_files(show_it, [target])
    return status


def _simulate(
    book: str,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    correlations: tuple[str, ...],
    trials: int | None,
    seed: int | None,
    until: str | None,
    verify: int,
    engine: CheckingEngine,
    scenarios: tuple[str, ...],
    least: bool,
    wanted: Wanted,
) -> int:
    """Runs the trials, writes the result's workbook, and prints a record per output. 1 where an engine disagrees."""
    from sheetsim.audit.simulated import workbook
    from sheetsim.runs.replicates import share

    given = dict(map(assignment, inputs))
    if len(given) < len(inputs):
        names = [name for name, _ in map(assignment, inputs)]
        raise SheetsimError(f"the input {next(name for name in names if names.count(name) > 1)} is given twice")
    with ProgressLine(1) as progress:
        progress.begin(book, "reading")
        opened = workbook(book)
        _say_read(opened, progress)
        options = dict(map(_scenario, scenarios)) or opened.plan().scenarios
        if wanted.table in OF_SCENARIOS and not options:
            raise SheetsimError(f"--table {wanted.table} needs scenarios: give --scenario NAME:CELL=VALUE")
        run = opened.simulate(
            given,
            outputs,
            trials=trials,
            seed=seed,
            correlations=list(map(_correlation, correlations)),
            until=share(until),
            verify=verify,
            engines=("ironcalc", "libreoffice") if engine is CheckingEngine.all else ("ironcalc",),
            scenarios=options,
            least=least,
            progress=progress.sheet,
        )
        progress.sheet("writing")
        run.command = shlex.join(wanted.command)
        fits = run.trials < ROWS
        lang, theme = wanted.lang, wanted.theme
        run.to_excel(wanted.target, values_only=wanted.values_only, matrices=fits, lang=lang, theme=theme)
        if wanted.into is not None:
            run.into(wanted.into, lang=lang, theme=theme)
        if wanted.library is not None:
            run.to_sipmath(wanted.library)
        if not fits:
            run.notes.append(f"a sheet has {ROWS:,} rows: the workbook holds the statistics of the trials, as values")
    _print(run, book, wanted, bool(scenarios))
    return 1 if any(check.failed for check in run.checks) else 0


class Questions(Struct, frozen=True):
    """What is asked in place of a single run."""

    axes: tuple[str, ...]
    statistic: str
    goal: str | None

    @property
    def any(self) -> bool:
        """Whether there is such a question."""
        return bool(self.axes or self.goal)


def _answer(
    book: str,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    correlations: tuple[str, ...],
    trials: int | None,
    seed: int | None,
    questions: Questions,
    form: Format,
) -> None:
    """Prints a grid or a goal."""
    import pandas as pd

    from sheetsim.audit.simulated import workbook

    opened = workbook(book)
    _say_read(opened, None)
    given: dict[str, Any] = {
        "inputs": dict(map(assignment, inputs)),
        "trials": trials,
        "seed": seed,
        "correlations": list(map(_correlation, correlations)),
    }
    if questions.goal is not None:
        cell, output, asked = _goal(questions.goal)
        goal = opened.goal(cell, output=output, **asked, **given)
        row = {"cell": goal.cell, "value": goal.value, "probability": goal.probability, "mean": goal.mean}
        print_frame(pd.DataFrame([row]).set_index("cell"), form)
        return
    axes = dict(map(_axis, questions.axes))
    if len(outputs) != 1:
        raise SheetsimError("--grid takes exactly one output: name it with --output")
    frame = opened.grid(axes, output=outputs[0], statistic=questions.statistic, **given)
    if form is Format.table and frame.columns.name is not None:
        frame.columns = pd.Index([f"{frame.columns.name}={number:g}" for number in frame.columns])
    print_frame(frame, form)


def _say_read(opened: "Workbook", progress: ProgressLine | None) -> None:
    """Which file beside the workbook is read too."""
    beside = opened.beside
    if beside is not None:
        if progress is not None:
            progress.pause()
        say(f"{beside}, beside the workbook, is read too; options of the command take precedence")


def _scenario(text: str) -> tuple[str, dict[str, Any]]:
    """`name: cell=value, cell=distribution`."""
    name, colon, rest = text.partition(":")
    if not colon or not name.strip():
        raise SheetsimError(f'--scenario {text:.80}: write NAME:CELL=VALUE,..., for example "cheaper: B3=5"')
    cells: dict[str, Any] = {}
    for piece in _split(rest):
        cell, value = assignment(piece)
        try:
            cells[cell] = float(value.replace("_", ""))
        except ValueError:
            cells[cell] = value
    return name.strip(), cells


def _split(text: str) -> list[str]:
    """The pieces between commas that stand in no brackets."""
    pieces, depth = [""], 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            pieces.append("")
        else:
            pieces[-1] += character
    return [piece.strip() for piece in pieces if piece.strip()]


def _axis(text: str) -> tuple[str, list[float]]:
    """`cell=from:to:steps` or `cell=1,2,3`."""
    cell, values = assignment(text)
    try:
        if ":" not in values:
            return cell, [float(value) for value in values.split(",")]
        first, last, steps = values.split(":")
        return cell, _evenly(float(first), float(last), int(steps))
    except ValueError:
        raise SheetsimError(f"--grid {text:.80}: write CELL=FROM:TO:STEPS, for example B3=4:8:5") from None


def _evenly(first: float, last: float, steps: int) -> list[float]:
    """So many numbers from first to last."""
    if steps < 2:
        raise ValueError
    return [first + (last - first) * k / (steps - 1) for k in range(steps)]


_GOAL = re.compile(
    r"\s*(.+?)\s*:\s*P\(\s*(.+?)\s*(>=|<=|≥|≤|>|<)\s*(-?[0-9][0-9_.,]*(?:[eE][+-]?[0-9]+)?)\s*\)"
    r"\s*=\s*([0-9.]+)\s*(%?)\s*\Z"
)


def _goal(text: str) -> tuple[str, str, dict[str, Any]]:
    """The cell, the output, and the rest of what `Workbook.goal` takes."""
    match = _GOAL.match(text)
    try:
        if match is None:
            raise ValueError
        share = float(match[5]) / (100 if match[6] else 1)
        number = re.sub(r"(?<=[0-9])[,_](?=[0-9]{3})", "", match[4])
        end = "above" if match[3] in (">", ">=", "≥") else "below"
        asked = {end: float(number), "inclusive": match[3] not in ("<", ">"), "probability": share}
        return match[1], match[2], asked
    except ValueError:
        raise SheetsimError(f'--goal {text:.80}: write "CELL: P(OUTPUT>0)=90%", with >, >=, < or <=') from None


def _command_of(
    book: str,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    correlations: tuple[str, ...],
    trials: int | None,
    seed: int | None,
    until: str | None,
    scenarios: tuple[str, ...],
    least: bool,
    lang: str | None = None,
) -> list[str]:
    """The words that make the same result again."""
    words = ["sheetsim", "simulate", book]
    for option, values in (
        ("--input", inputs),
        ("--output", outputs),
        ("--correlation", correlations),
        ("--scenario", scenarios),
    ):
        for value in values:
            words += [option, value]
    for option, one in (("--trials", trials), ("--seed", seed), ("--until", until), ("--lang", lang)):
        words += [] if one is None else [option, str(one)]
    return words + (["--least"] if least else [])


def _mark(book: str, target: Path) -> None:
    """Writes a copy with a sheet to fill in, and says what it lists."""
    from sheetsim.audit.simulated import workbook

    inputs, ends, labeled = workbook(book).mark(target)
    listed = spoken(
        f"numbers that formulas use: {inputs:,}; formulas that no other uses: {ends:,}; "
        f"other formulas with a label of their own: {labeled:,}"
    )
    print(f"{book} → {target}: {listed}")
    print(spoken("Fill in its sheet Simulation, save it, and run:") + " sheetsim simulate " + shlex.quote(str(target)))


def _print(run: "WorkbookRun", book: str, wanted: Wanted, are_scenarios_asked: bool) -> None:
    form, table = wanted.form, wanted.table
    notes = list(run.notes)
    if wanted.into is not None:
        notes.append(f"a copy of {book} with the result's sheets → {wanted.into}")
    if wanted.library is not None:
        notes.append(f"the outputs as a SIPmath library → {wanted.library}")
    print_heading(f"{book}, {spoken(f'{run.trials:,} trials')} → {wanted.target}", form)
    if table is None and form is Format.table:
        if not are_scenarios_asked:
            _print_outputs(run, form)
        _print_scenarios(run)
    elif table is SimulateTable.outputs or (table is None and not are_scenarios_asked):
        _print_outputs(run, form)
    else:
        for frame in _frames(run, table or SimulateTable.scenarios):
            print_frame(frame, form)
    for note in notes:
        if form is Format.table:
            print(f"  {spoken(note)}")
        else:
            say(note)


def _print_outputs(run: "WorkbookRun", form: Format) -> None:
    if form is Format.json:
        print_json(run.given_records())
    elif form is Format.table:
        print(lines_of([{key: record[key] for key in ("output", *SHOWN)} for record in run.given_records()]))
    else:
        print_frame(run.summary(), form)


def _print_scenarios(run: "WorkbookRun") -> None:
    """Scenarios side by side, and which is best, as a terminal shows them."""
    compared = run.scenarios
    for output in compared.outputs if compared else ():
        assert compared is not None
        print(f"\n{output}, {spoken('scenarios over the same draws')}")
        print_frame(compared.frame(output, least=run.least).drop(columns="errors"), Format.table)
        print()
        print_frame(compared.decision(output, least=run.least), Format.table)
    if compared is not None:
        print()


def _frames(run: "WorkbookRun", table: SimulateTable) -> "list[pd.DataFrame]":
    import pandas as pd

    if table is SimulateTable.trials:
        return [run.trial_frame().rename_axis("trial")]
    if table in OF_SCENARIOS:
        compared, least = run.scenarios, run.least
        assert compared is not None
        told = compared.frame if table is SimulateTable.scenarios else compared.decision
        return [pd.concat([told(output, least=least).assign(output=output) for output in compared.outputs])]
    if table is not SimulateTable.sensitivity:
        return [run.table(table.value)]
    frames = [run.sensitivity(output).assign(output=output) for output in run.given_outputs()]
    return [pd.concat(frames)]


def assignment(text: str) -> tuple[str, str]:
    """`cell=distribution`."""
    # A sheet's title in quotes may hold the sign.
    quote = text.rfind("'!") + 1 if text.lstrip().startswith("'") else 0
    place = text.find("=", quote)
    name, law = (text[:place].strip(), text[place + 1 :].strip()) if place > 0 else ("", "")
    if not name or not law:
        raise SheetsimError(f'--input {text:.80}: write CELL=DISTRIBUTION, for example "Sheet1!B2=normal(100, 15)"')
    return name, law


def _correlation(text: str) -> tuple[str, str, float]:
    cells, _, number = text.rpartition("=")
    names = [name.strip() for name in cells.split(",")]
    try:
        return names[0], names[1], _only_two(names, float(number))
    except (ValueError, IndexError):
        raise SheetsimError(f"--correlation {text:.80}: write CELL,CELL=NUMBER, for example B2,B3=0.5") from None


def _only_two(names: list[str], number: float) -> float:
    if len(names) != 2 or not all(names):
        raise ValueError
    return number


def _print_functions(form: Format) -> None:
    """The table of functions."""
    from sheetsim.sheets.functions import PARTS

    rows: list[dict[str, Any]] = [
        {"function": one.name, "part": part, "arguments": _count(one.least, one.most), "gives": one.words}
        for part, functions in PARTS.items()
        for one in functions
    ]
    rows += [
        {"function": name, "part": part, "arguments": _count(least, most), "gives": gives}
        for name, part, least, most, gives in OF_THE_LANGUAGE
    ]
    if form is not Format.table:
        print_records(rows, form)
        return
    width = max(len(row["function"]) for row in rows)
    for row in rows:
        print(f"{row['function']:<{width}}  {row['arguments']:>6}  {row['gives']}")


def _count(least: int, most: int | None) -> str:
    return f"{least}–" if most is None else str(least) if least == most else f"{least}–{most}"
