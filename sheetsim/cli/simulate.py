"""The command `simulate`: a person's workbook over trials. It parses, calls and prints."""

import re
import shlex
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sheetsim.cli.terminal import Format, ProgressLine, lines_of, print_frame, print_json, spoken
from sheetsim.errors import SheetsimError
from sheetsim.workbook.limits import ROWS

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

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


class CheckingEngine(StrEnum):
    """The engines that recalculate trials."""

    ironcalc = "ironcalc"
    all = "all"


# What is printed as a table: the other columns are in the workbook and in JSON.
SHOWN = ("n", "errors", "mean", "std", "se", "q05", "q50", "q95", "base")

Book = Annotated[str | None, typer.Argument(metavar="BOOK.xlsx", show_default=False)]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="CELL=DISTRIBUTION",
        help='An uncertain cell or defined name: "Sheet1!B2=normal(100, 15)". A cell without a sheet is of the sheet '
        "that the workbook opens with; $ may stand in it.",
        show_default=False,
    ),
]
Outputs = Annotated[
    list[str] | None,
    typer.Option("--output", metavar="CELL", help="A cell or defined name that is asked about.", show_default=False),
]
Correlations = Annotated[
    list[str] | None,
    typer.Option("--correlation", metavar="A,B=R", help="A rank correlation of two inputs.", show_default=False),
]
Trials = Annotated[int | None, typer.Option(help="How many trials; with --until, at most.", show_default="100,000")]
Into = Annotated[
    Path | None,
    typer.Option(
        metavar="COPY.xlsx",
        help="Also write a copy of the workbook with the result's sheets in it.",
        show_default=False,
    ),
]
SipOut = Annotated[
    Path | None,
    typer.Option(
        "--sipmath", metavar="OUT.json", help="Also write the outputs as a SIPmath library.", show_default=False
    ),
]
Mark = Annotated[
    bool, typer.Option("--mark", help="Write a copy with a sheet Simulation to fill in, and run no trials.")
]
Until = Annotated[
    str | None,
    typer.Option(
        metavar="1%",
        help="Stop when the means' 95 % intervals are narrower than this on each side.",
        show_default=False,
    ),
]
Out = Annotated[Path | None, typer.Option(metavar="PATH", help="The .xlsx file, or its folder.", show_default=False)]
Verify = Annotated[int, typer.Option(metavar="N", help="Trials that IronCalc recalculates from the file, 0 for none.")]
Scenarios = Annotated[
    list[str] | None,
    typer.Option(
        "--scenario",
        metavar="NAME:CELL=VALUE,...",
        help="Scenarios side by side over the same draws, numbers or distributions of cells, and which is best. It is "
        "printed in place of a single run.",
        show_default=False,
    ),
]
GridAxes = Annotated[
    list[str] | None,
    typer.Option(
        "--grid", metavar="CELL=FROM:TO:STEPS", help="Print a statistic over one or two cells.", show_default=False
    ),
]
Statistic = Annotated[str, typer.Option(help="Of --grid: mean, std, q01, …, q99, or loss, the share below 0.")]
GoalOption = Annotated[
    str | None,
    typer.Option(
        "--goal",
        metavar='"CELL: P(OUTPUT>0)=90%"',
        help="Print the value of a cell at which an output is above a number so often.",
        show_default=False,
    ),
]
Least = Annotated[bool, typer.Option("--least", help="Of scenarios, less is better, as of costs.")]
TableOption = Annotated[SimulateTable, typer.Option("--table", help="Which table to print; trials are all of them.")]
Engine = Annotated[
    CheckingEngine, typer.Option(help="Which engine recalculates trials: all is LibreOffice too, which takes seconds.")
]
FunctionsToo = Annotated[bool, typer.Option("--functions", help="Print the functions that are computed, and stop.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How to print the records of the outputs.")]


# What formulas are made of beside functions of values: part, arguments, what it gives.
OF_THE_LANGUAGE = (
    ("RAND", "draws", 0, 0, "a number from 0 to 1, drawn for each trial"),
    ("RANDBETWEEN", "draws", 2, 2, "a whole number between two, drawn for each trial"),
    ("OFFSET", "references", 3, 5, "a range beside another, which is the same in all trials"),
    ("INDIRECT", "references", 1, 2, "the range that a text names, which is the same in all trials"),
    ("LET", "names", 3, None, "a formula with names for its parts"),
)


@dataclass(frozen=True)
class Wanted:
    """Where a result goes, and how it is printed."""

    target: Path
    form: Format
    values_only: bool
    command: list[str]
    into: Path | None
    library: Path | None
    table: SimulateTable
    theme: "ThemeLike" = None
    lang: str | None = None


def simulate(
    book: str,
    inputs: list[str],
    outputs: list[str],
    correlations: list[str],
    trials: int | None,
    seed: int | None,
    until: str | None,
    verify: int,
    engine: CheckingEngine,
    wanted: Wanted,
    say: "Callable[[str], None]",
) -> int:
    """Runs the trials, writes the result's workbook, and prints a record an output. 1 where an engine disagrees."""
    from sheetsim.audit.simulated import workbook
    from sheetsim.runs.replicates import share

    given = dict(map(assignment, inputs))
    if len(given) < len(inputs):
        raise SheetsimError("an input is given twice")
    with ProgressLine(1) as progress:
        progress.begin(book, "reading")
        opened = workbook(book)
        run = opened.simulate(
            given,
            outputs,
            trials=trials,
            seed=seed,
            correlations=list(map(_correlation, correlations)),
            until=share(until),
            verify=verify,
            engines=("ironcalc", "libreoffice") if engine is CheckingEngine.all else ("ironcalc",),
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
    _print(run, book, wanted, say)
    return 1 if any(check.failed for check in run.checks) else 0


@dataclass(frozen=True)
class Questions:
    """What is asked in place of a single run."""

    scenarios: list[str]
    axes: list[str]
    statistic: str
    goal: str | None
    least: bool

    @property
    def any(self) -> bool:
        """Whether there is such a question."""
        return bool(self.scenarios or self.axes or self.goal)


def answer(
    book: str,
    inputs: list[str],
    outputs: list[str],
    correlations: list[str],
    trials: int | None,
    seed: int | None,
    questions: Questions,
    form: Format,
) -> None:
    """Prints scenarios, a grid or a goal."""
    import pandas as pd

    from sheetsim.audit.simulated import workbook

    opened = workbook(book)
    given: dict[str, Any] = {
        "inputs": dict(map(assignment, inputs)),
        "trials": trials,
        "seed": seed,
        "correlations": list(map(_correlation, correlations)),
    }
    if sum(map(bool, (questions.scenarios, questions.axes, questions.goal))) > 1:
        raise SheetsimError("--scenario, --grid and --goal ask different things: give one of them")
    if questions.goal is not None:
        cell, output, above, probability = _goal(questions.goal)
        goal = opened.goal(cell, output=output, above=above, probability=probability, **given)
        row = {"cell": goal.cell, "value": goal.value, "probability": goal.probability, "mean": goal.mean}
        print_frame(pd.DataFrame([row]).set_index("cell"), form)
        return
    if questions.axes:
        axes = dict(map(_axis, questions.axes))
        if len(outputs) != 1:
            raise SheetsimError("--grid is of one --output")
        print_frame(opened.grid(axes, output=outputs[0], statistic=questions.statistic, **given), form)
        return
    scenarios: dict[str, dict[str, Any]] = {"as it is": {}} | dict(map(_scenario, questions.scenarios))
    compared = opened.compare(scenarios, outputs=outputs, **given)
    if form is not Format.table:
        frames = [compared.frame(output, least=questions.least).assign(output=output) for output in compared.outputs]
        print_frame(pd.concat(frames), form)
        return
    for output in compared.outputs:
        if len(compared.outputs) > 1:
            print(output)
        print_frame(compared.frame(output, least=questions.least).drop(columns="errors"), form)
        print()
        print_frame(compared.decision(output, least=questions.least), form)


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


_GOAL = re.compile(r"\s*(.+?)\s*:\s*P\(\s*(.+?)\s*>\s*(-?[0-9_.eE+-]+)\s*\)\s*=\s*([0-9.]+)\s*(%?)\s*\Z")


def _goal(text: str) -> tuple[str, str, float, float]:
    match = _GOAL.match(text)
    try:
        if match is None:
            raise ValueError
        share = float(match[4]) / (100 if match[5] else 1)
        return match[1], match[2], float(match[3].replace("_", "")), share
    except ValueError:
        raise SheetsimError(f'--goal {text:.80}: write "CELL: P(OUTPUT>0)=90%"') from None


def command_of(
    book: str,
    inputs: list[str],
    outputs: list[str],
    correlations: list[str],
    trials: int | None,
    seed: int | None,
    until: str | None,
    lang: str | None = None,
) -> list[str]:
    """The words that make the same result again."""
    words = ["sheetsim", "simulate", book]
    for option, values in (("--input", inputs), ("--output", outputs), ("--correlation", correlations)):
        for value in values:
            words += [option, value]
    for option, one in (("--trials", trials), ("--seed", seed), ("--until", until), ("--lang", lang)):
        words += [] if one is None else [option, str(one)]
    return words


def mark(book: str, target: Path) -> None:
    """Writes a copy with a sheet to fill in, and says what it lists."""
    from sheetsim.audit.simulated import workbook

    inputs, outputs = workbook(book).mark(target)
    listed = spoken(f"{inputs:,} numbers that formulas use, {outputs:,} formulas that no other uses")
    print(f"{book} → {target}: {listed}")
    print(spoken("Fill in its sheet Simulation, save it, and run:") + " sheetsim simulate " + shlex.quote(str(target)))


def _print(run: "WorkbookRun", book: str, wanted: Wanted, say: "Callable[[str], None]") -> None:
    form, table = wanted.form, wanted.table
    if form is Format.table:
        print(f"{book}, {spoken(f'{run.trials:,} trials')} → {wanted.target}")
    if table is not SimulateTable.outputs:
        for frame in _frames(run, table):
            print_frame(frame, form)
    elif form is Format.json:
        print_json(run.given_records())
    elif form is Format.table:
        print(lines_of([{key: record[key] for key in ("output", *SHOWN)} for record in run.given_records()]))
    else:
        print_frame(run.summary(), form)
    for note in run.notes:
        if form is Format.table:
            print(f"  {spoken(note)}")
        else:
            say(note)


def _frames(run: "WorkbookRun", table: SimulateTable) -> "list[pd.DataFrame]":
    if table is SimulateTable.trials:
        return [run.trial_frame().rename_axis("trial")]
    if table is not SimulateTable.sensitivity:
        return [run.table(table.value)]
    frames = [run.sensitivity(output).assign(output=output) for output in run.given_outputs()]
    import pandas as pd

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


def print_functions(form: Format) -> None:
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
    if form is Format.json:
        print_json(rows)
        return
    import pandas as pd

    frame = pd.DataFrame(rows).set_index("function")
    if form is Format.table:
        width = max(len(row["function"]) for row in rows)
        for row in rows:
            print(f"{row['function']:<{width}}  {row['arguments']:>6}  {row['gives']}")
    else:
        print_frame(frame, form)


def _count(least: int, most: int | None) -> str:
    return f"{least}–" if most is None else str(least) if least == most else f"{least}–{most}"
