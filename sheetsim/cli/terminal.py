"""What the command line prints: tables, JSON, what a check found, and a line of progress. It computes nothing."""

import sys
from collections.abc import Callable
from enum import StrEnum
from itertools import pairwise
from time import monotonic
from typing import TYPE_CHECKING, Any

from sheetsim.errors import SheetsimError
from sheetsim.language import ENGLISH, LANGUAGES, Name, help_texts, language, messages, wide_letters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pandas as pd

    from sheetsim.audit.difference import Difference
    from sheetsim.audit.verify import Verified
    from sheetsim.runs.training import TrainingNews


class Format(StrEnum):
    """How a table is printed."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


class ReportFormat(StrEnum):
    """How differences are printed, which are no table: as sentences or as JSON."""

    table = "table"
    json = "json"


def form_of(form: Format, as_json: bool) -> Format:
    """What --format asks for, or --json, which is short for --format json. Raises SheetsimError where they differ."""
    if as_json and form not in (Format.table, Format.json):
        raise SheetsimError(f"--json and --format {form} ask for different forms: give one of them")
    return Format.json if as_json else form


def print_heading(text: str, form: Format) -> None:
    """Print a line above a table; beside anything that a script reads, it goes to standard error."""
    print(text, file=sys.stdout if form is Format.table else sys.stderr)


class _Terminal:
    """The language of what a person reads there, and the study that it is about."""

    code, study = ENGLISH, ""


def speak(code: str, study: str = "") -> None:
    """What is printed from here on is in that language, with the words of a study where it is about one."""
    _Terminal.code, _Terminal.study = code, study


def speak_of(study: str) -> None:
    """What is printed from here on is about a study."""
    speak(_Terminal.code, study)


def language_of(words: "Sequence[str]", environment: "Mapping[str, str]") -> str:
    """The language of a terminal: what --lang says, else that of the locale (LC_ALL, LC_MESSAGES, LANG), else English.

    words: of the command. A language that there is not is English: the command says that it is wrong.
    """
    given = [after for word, after in pairwise([*words, ""]) if word == "--lang"]
    given += [word.partition("=")[2] for word in words if word.startswith("--lang=")]
    locale = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    wished = given[-1] if given else locale[:2]
    return wished if wished in LANGUAGES else ENGLISH


def spoken(text: str) -> str:
    """An English text as a person reads it. What a program reads (JSON, csv) is not asked for here."""
    return language(_Terminal.code, _Terminal.study).say(text)


def message_of(text: str) -> str:
    """A message as a person reads it: of an error, else a sentence of a book."""
    told = messages(_Terminal.code).say(text)
    return spoken(text) if told == text else told


def help_of(text: str) -> str:
    """A text of the command line's help as a person reads it."""
    return help_texts(_Terminal.code).say(text)


# Of a sweep's table in a terminal.
MOST_LINES = 40


def print_verified(verified: "Verified", verbose: bool) -> None:
    """A sentence, what there is to note, the edits, and the blocks that disagree; verbose: all blocks."""
    from dataclasses import asdict

    agree = "agree" if verified.ok else "DISAGREE"
    what = "values and formulas" if any(row.engine != "numpy" for row in verified.rows) else "values"
    engines = list(dict.fromkeys(row.engine for row in verified.rows))
    cells = sum(row.cells for row in verified.rows if row.engine == engines[0])
    checked = f"{' and '.join(engines)}, {cells:,} cell{'s' * (cells != 1)}"
    print(f"{verified.path}: {spoken(f'{verified.state}; {what} {agree} ({checked})')}")
    for note in verified.notes:
        print(f"  {message_of(note)}")
    print_differences(verified.changes, "  ")
    rows = [asdict(row) for row in verified.rows if verbose or not row.ok]
    if rows:
        print(lines_of(rows))


# Of differences that are no edits, all blocks are one line.
LAST_DIGITS = {
    "rounded": "lost their last digits: 15 are kept, as LibreOffice saves them",
    "last digits": "differ in their last digits only",
}


def print_differences(differences: "Sequence[Difference]", indent: str = "") -> None:
    """Print edits one by one, and blocks that differ in last digits as one line."""
    for difference in differences:
        if difference.is_edit:
            print_difference(difference, indent)
    for kind, what in LAST_DIGITS.items():
        blocks = [difference for difference in differences if difference.kind == kind]
        if blocks:
            cells = sum(len(difference.changes) for difference in blocks)
            names = ", ".join(difference.name for difference in blocks[:SHOWN_CHANGES])
            more = f", and {len(blocks) - SHOWN_CHANGES} blocks more" if len(blocks) > SHOWN_CHANGES else ""
            print(
                indent + spoken(f"{cells:,} number{'s' * (cells > 1)} {what} ({names}{more}; all with --format json)")
            )


# So many cells of a block are printed; JSON has them all.
SHOWN_CHANGES = 10


def print_difference(difference: "Difference", indent: str = "") -> None:
    """Print a block's difference and its first changes."""
    count = len(difference.changes)
    size = f", by up to {difference.absolute:.4g}" if difference.absolute else ""
    differ = "differs" if count == 1 else "differ"
    print(indent + spoken(f"{difference.name}, {difference.kind}: {count:,} {differ}{size}"))
    for change in difference.changes[:SHOWN_CHANGES]:
        has_values = change.first is not None or change.second is not None
        print(
            f"{indent}  {change.where}" + (f": {_shown(change.first)} → {_shown(change.second)}" if has_values else "")
        )
    if count > SHOWN_CHANGES:
        print(f"{indent}  {spoken(f'… and {count - SHOWN_CHANGES:,} more (all with --format json)')}")


def _shown(value: object) -> str:
    return spoken("nothing") if value is None else f"{value!r}"[:80] if isinstance(value, float) else f"{value}"[:80]


def print_pieces(records: "Iterable[Iterator[str]]") -> None:
    """A JSON list, printed as it is made: a million cells that differ are a long one."""
    before = "[\n"
    for pieces in records:
        print(before, end="")
        for piece in pieces:
            print(piece, end="")
        before = ",\n"
    print("[]" if before == "[\n" else "\n]")


def verified_json(verified: "Verified") -> "Iterator[str]":
    """The parts of a JSON object of a checked book."""
    from dataclasses import asdict

    head = {"book": str(verified.path), "state": verified.state, "ok": verified.ok, "notes": list(verified.notes)}
    yield _json(head | {"rows": [_finite(asdict(row)) for row in verified.rows]})[:-1] + ', "changes": ['
    for number, change in enumerate(verified.changes):
        yield ",\n" if number else "\n"
        yield from difference_json(change)
    yield "]}"


def difference_json(difference: "Difference") -> "Iterator[str]":
    """The parts of a JSON object of a difference."""
    head = {
        "name": difference.name,
        "kind": difference.kind,
        "cells": len(difference.changes),
        "absolute": difference.absolute,
    }
    yield _json(_finite(head))[:-1] + ', "changes": ['
    for number, change in enumerate(difference.changes):
        yield (",\n  " if number else "\n  ") + _json(change._asdict())
    yield "]}"


def _json(record: dict[str, Any]) -> str:
    import json

    return json.dumps(record, ensure_ascii=False, allow_nan=False)


def records_of(frame: "pd.DataFrame") -> list[dict[str, Any]]:
    """A dict per row, index included."""
    rows = frame.reset_index().to_dict(orient="records")
    return [{str(key): value for key, value in row.items()} for row in rows]


def print_json(records: list[dict[str, Any]]) -> None:
    """Print records as a JSON list; NaN and infinities are null."""
    import json

    print(json.dumps(list(map(_finite, records)), indent=1, ensure_ascii=False, allow_nan=False))


def _finite(record: dict[str, Any]) -> dict[str, Any]:
    """NaN and the open ends of a histogram become null: JSON has nothing else for them."""
    return {key: None if isinstance(value, float) and value - value != 0 else value for key, value in record.items()}


def print_records(records: list[dict[str, Any]], form: Format) -> None:
    """Print records in the form that was asked for; pandas, which is slow to load, only where it is needed."""
    if form is Format.json:
        print_json(records)
    elif form is Format.table:
        print(lines_of(records))
    else:
        import pandas as pd

        first, *_ = records[0]
        print_frame(pd.DataFrame(records).set_index(first), form)


def print_frame(frame: "pd.DataFrame", form: Format) -> None:
    """Print a table in the form that was asked for."""
    if form is Format.json:
        print_json(records_of(frame))
    elif form is Format.csv:
        print(frame.to_csv(), end="")
    elif form is Format.parquet:
        if sys.stdout.isatty():
            raise SheetsimError("parquet is not for a terminal: send it to a file with > table.parquet")
        try:
            data = frame.to_parquet()
        except ImportError:
            raise SheetsimError("parquet needs pyarrow: pip install 'sheetsim[parquet]'") from None
        sys.stdout.buffer.write(data)
    else:
        print(text_of(frame))


def text_of(frame: "pd.DataFrame") -> str:
    """Columns under their headings, a line per row, 4 significant digits."""
    return lines_of(frame.reset_index().to_dict(orient="records"))


def lines_of(records: list[dict[Any, Any]]) -> str:
    """Records as aligned columns under their headings."""
    rows = [[spoken(column) if isinstance(column, str) else str(column) for column in records[0]]]
    rows += [list(map(_cell, row.values())) for row in records]
    widths = [max(map(columns_of, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(_right(cell, width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def columns_of(text: str) -> int:
    """The columns of a terminal that a text takes."""
    return len(text) + wide_letters(text)


def _right(cell: str, width: int) -> str:
    return " " * (width - columns_of(cell)) + cell


def names_of(record: "Mapping[str, Any]", keys: "Iterable[str]") -> dict[str, Any]:
    """The record, some of whose keys and their texts are names in every language."""
    return {
        Name(key) if key in keys else key: Name(value) if key in keys and isinstance(value, str) else value
        for key, value in record.items()
    }


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, str):
        return spoken(value)
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4g}" if value == value else "–"


def _duration(seconds: float) -> str:
    return spoken(_in_units(seconds))


def _in_units(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:,.0f} days"


# Seconds after which the rest is estimated, and the least rest that is reported where no terminal shows it.
FIRST, LONG = 3.0, 60.0


class ProgressLine:
    """A line on standard error that says which sheet of which workbook is being written.

    Without a terminal only long work is reported: a line after FIRST seconds, and one after each doubling of the time.
    """

    def __init__(self, runs: int) -> None:
        self._runs = runs
        self._done = 0
        self._name = ""
        self._shown = sys.stderr.isatty()
        self._next = FIRST

    def __enter__(self) -> "ProgressLine":
        return self

    def __exit__(self, *_: object) -> None:
        self.pause()

    def begin(self, name: str, step: str = "computing") -> None:
        """Show that the next run begins."""
        self._done += 1
        self._name = name
        self.sheet(step)

    def sheet(self, title: str) -> None:
        """Show what is being done."""
        if self._shown:
            sys.stderr.write(f"\r\033[K[{self._done}/{self._runs}] {self._name}: {spoken(title)}")
            sys.stderr.flush()

    def replicate(self, most: int) -> Callable[[int, float], None]:
        """Shows how many replicates there are, how wide the widest interval is, and the time left."""
        start = monotonic()

        def show(done: int, wide: float) -> None:
            spent = monotonic() - start
            left = spent / done * (most - done)
            # Of one replicate there is no interval, and of a mean that is 0 or missing none relative to it.
            width = f", widest interval ±{wide:.2%}" if wide - wide == 0 else ""
            self.sheet(f"replicate {done:,} of {most:,}{width}, {_duration(left)} left at most")
            self._tell(spent, left, f"{done:,} of {most:,} replicates")

        return show

    def training(self) -> "Callable[[TrainingNews], None]":
        """Shows which network is trained, its loss, and the time left."""
        start = monotonic()

        def show(news: "TrainingNews") -> None:
            spent = monotonic() - start
            loss = f", loss {news.loss:.4g}" if news.loss == news.loss else ""
            left = f", {_duration(news.left)} left" if spent > FIRST else ""
            self.sheet(f"training {news.name}, run {news.run + 1}, step {news.step:,} of {news.steps:,}{loss}{left}")
            self._tell(spent, news.left, f"{news.share:.0%} of all steps trained")

        return show

    def sweep(self) -> Callable[[int, int, float], None]:
        """Shows how many points are done, and the time left by the share of the work that is done."""
        start = monotonic()

        def show(done: int, points: int, share: float) -> None:
            spent = monotonic() - start
            # The first seconds are those of loading libraries and starting processes.
            rest = spent * (1 - share) / share
            left = f", {_duration(rest)} left" if spent > FIRST else ""
            self.sheet(f"{done:,} of {points:,} points, {share:.0%} of the work{left}")
            self._tell(spent, rest, f"{done:,} of {points:,} points")

        return show

    def search(self) -> Callable[[int, int, float], None]:
        """Shows how many trials are done, the best value so far, and the time left."""
        start = monotonic()

        def show(done: int, trials: int, best: float) -> None:
            spent = monotonic() - start
            rest = spent / done * (trials - done)
            value = f", best so far {best:.4g}" if best == best else ", none with a value so far"
            left = f", {_duration(rest)} left at most" if spent > FIRST else ""
            self.sheet(f"trial {done:,} of {trials:,}{value}{left}")
            self._tell(spent, rest, f"{done:,} of {trials:,} trials{value}")

        return show

    def _tell(self, spent: float, left: float, done: str) -> None:
        if spent > self._next and left > LONG and not self._shown:
            self._next = 2 * spent
            told = spoken(f"{done} in {_duration(spent)}, {_duration(left)} left at most")
            sys.stderr.write(f"sheetsim: {self._name}: {told}\n")
            sys.stderr.flush()

    def pause(self) -> None:
        """Clear the line, so that something else can be printed."""
        if self._shown:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


def say(message: str) -> None:
    """Print a message for the person, one line on standard error."""
    print(f"sheetsim: {message_of(' '.join(message.split()))}", file=sys.stderr)
