"""docs/columns.md: what each column of each table is, and what each verdict means. docs/generate.py writes it."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

import sheetsim
from sheetsim.runs.fit_book import COLUMNS as FITTED
from sheetsim.runs.intervals import COLUMNS as REPLICATED
from sheetsim.runs.intervals import FREQUENCY_COLUMNS
from sheetsim.runs.search_importance import WHAT as IMPORTANCE
from sheetsim.studies.forward.study import Forward
from sheetsim.studies.phase_diagram.study import PhaseDiagram
from sheetsim.studies.registry import STUDIES
from sheetsim.studies.study import Experiment, Study
from sheetsim.studies.training.keys import TrainingKeys
from sheetsim.summary.design_indices import INDEX_COLUMNS
from sheetsim.summary.output_tables import OutputTables
from sheetsim.summary.table import Table

INTRODUCTION = """
What each column of the tables of `sheetsim summary NAME --table TABLE` means, and each verdict. The sheet `About` of
every workbook explains its own tables and verdicts.

Suffixes of names: `_low` and `_high` are the ends of an interval, `_theory` is the value by mean-field theory or free
probability, `_start` and `_end` are before the first and after the last step.
""".strip().splitlines()

# Of the studies of training, the one with the most tables that others have too.
MOST = "training-starts"

NUMBER = re.compile(r"\d+$|(?<=[ _])\d+(?= |$)|^\d+(?= %)|\bd_[azW]\b")
# What tells columns with one meaning apart, and is in their names.
ENDING = re.compile(r"; (?:from \w+|at the (?:start|end))$")
LOWER, UPPER = re.compile(r"^(?:the )?lower end of "), re.compile(r"^(?:its )?upper end(?: of .*)?$")

# Of tables that are no formulas of a study, by command.
OF_COMMANDS: dict[str, tuple[str, Mapping[str, str]]] = {
    "replicate, table `statistics`": ("Statistics over replicates.", REPLICATED),
    "replicate, table `verdicts`": ("How often each word occurs over replicates.", FREQUENCY_COLUMNS),
    "compare, differences": (
        "With `--replicates`.",
        {
            "difference": "mean over replicates of the statistic less that of the first network, with the same draws",
            "low, high": "ends of its 95 % interval, by Student's t of the differences",
        },
    ),
    "search": (
        "A row per trial, best first.",
        {
            "trial": "number of the trial, in the order in which trials were proposed",
            "method, repeat": "which method proposed it, and in which of its searches, if there are several",
            "value": "the optimized number, mean over replicates",
            "low, high": "ends of its 95 % interval over replicates",
            "status": "ok, or why the trial failed",
        },
    ),
    "search, importance": ("On the sheet `Importance`, and in Python `search.importance()`.", IMPORTANCE),
    "sensitivity": ("Sobol indices, a row per group of draws.", INDEX_COLUMNS),
    "fit": ("A row per family of distributions, best first.", {name: what for name, (_, _, what) in FITTED.items()}),
    "simulate, table `sensitivity`, and `run.sensitivity()`": (
        "A row per input, the widest swing first. Each number has 95 % intervals by the bootstrap over trials.",
        {
            "low, high": "mean of the output over the tenth of the trials with the smallest input, and the largest",
            "swing": "high − low",
            "pearson": "correlation of input and output",
            "spearman": "their rank correlation",
            "src": "standardized regression coefficient: what the input adds on its own, where the model is nearly "
            "linear",
            "contribution": "squared rank correlation as a share of the sum over inputs, with the correlation's sign",
            "q05, q95": "quantiles of the output: `low` and `high` lie near them if the input alone decides",
        },
    ),
}


def small(kind: type[Experiment]) -> Study:
    """The study with few cells: what its columns are called depends on no size."""
    few: dict[str, Any] = {}
    if issubclass(kind, Forward):
        few = {"samples": 4, "inputs": 2, "layers": [2]}
    elif issubclass(kind, TrainingKeys):
        few = {"seeds": 2, "steps": 2, "every": 1}
    elif issubclass(kind, PhaseDiagram):
        few = {"steps": 2, "layers": 2, "points": [(1.0, 0.1)]}
    return kind(**few).build()


def with_both_ends(columns: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The columns, with the ends of an interval in one line where "its upper end" follows the lower one."""
    joined: list[tuple[str, str]] = []
    for name, what in columns:
        if joined and UPPER.match(what) and LOWER.match(joined[-1][1]):
            before, lower = joined.pop()
            name, what = f"{before}`, `{name}", LOWER.sub("the ends of ", lower)
        joined.append((name, what))
    return joined


def rows(columns: Iterable[tuple[str, str]]) -> Iterator[str]:
    """A line per meaning, with all columns that have it, or the same except for a number or an ending."""
    names: dict[str, list[str]] = {}
    meanings: dict[str, list[str]] = {}
    for name, what in with_both_ends(columns):
        # What refers to the line before has one of its own.
        alone = what.startswith(("its ", "their ", "the same", "that of"))
        plain = ENDING.sub("", what)
        key = f"{name} {what}" if alone else NUMBER.sub("#", plain)
        meanings.setdefault(key, []).append(what if alone else plain)
        names.setdefault(key, []).append(f"`{name}`")
    yield "| column | meaning |"
    yield "|---|---|"
    for key, named in names.items():
        shown = named if len(named) <= 4 else [named[0], "…", named[-1]]
        first, *others = meanings[key]
        more = ", and so on" if set(others) - {first} else ""
        yield f"| {', '.join(shown)} | {first.replace('|', '∣')}{more} |"


def tables_of(tables: Sequence[Table], known: set[tuple[str, str]], first: str = "") -> Iterator[str]:
    """Tables with their columns; known: those that were explained before, in the section `first`, and these too."""
    for table in tables:
        columns = [(name, what) for name, what in table.glossary.items() if (table.name, name) not in known]
        known.update((table.name, name) for name in table.glossary)
        if columns:
            what = f"{table.what[0].upper()}{table.what[1:]}. " if table.what else ""
            yield from ("", f"**{table.name}.** {what}Index: `{table.index}`.", "", *rows(columns))
        else:
            yield from ("", f"**{table.name}.** As that of [{first}](#{first}).")


def words_of(study: Study, known: set[str]) -> Iterator[str]:
    verdicts = [verdict for verdict in study.findings.words if verdict.word not in known]
    known.update(verdict.word for verdict in verdicts)
    if verdicts:
        yield from ("", "| verdict | meaning |", "|---|---|")
        for verdict in verdicts:
            yield f"| {verdict.word} | {verdict.meaning.replace('|', '∣')} |"


def outputs() -> list[Table]:
    """The tables of an output of a model."""
    model = sheetsim.Model("Model", seed=0)
    model.output("y", 2 * model.input("x", np.arange(4.0).reshape(-1, 1)))
    made = OutputTables(model)
    return [made.table, made.risk(made.questions({one.x: np.arange(4.0).reshape(-1, 1) for one in made.of}))]


def _place(item: tuple[str, type[Experiment]]) -> tuple[bool, bool]:
    """Those of training last, and of these first the one with the most tables."""
    return issubclass(item[1], TrainingKeys), item[0] != MOST


def columns_page(head: str) -> str:
    """The page. head: what stands under its title."""
    lines = ["# Columns and verdicts", "", head, "", *INTRODUCTION]
    first: dict[bool, tuple[str, set[tuple[str, str]]]] = {}
    words: set[str] = set()
    for study, kind in sorted(STUDIES.items(), key=_place):
        is_training = issubclass(kind, TrainingKeys)
        name, columns = study, set[tuple[str, str]]()
        # Networks share tables, and trainings too.
        if is_training or issubclass(kind, Forward):
            name, columns = first.setdefault(is_training, (study, columns))
        built = small(kind)
        lines += ["", f"## {study}"]
        lines += tables_of([table for table in built.tables.values() if table.name != "outputs"], columns, name)
        lines += words_of(built, words if is_training else set())
    lines += ["", "## Outputs of a model, `simulate`"]
    lines += tables_of(outputs(), set())
    for name, (what, meanings) in OF_COMMANDS.items():
        lines += ["", f"## {name}", "", what, "", *rows(meanings.items())]
    return "\n".join(lines) + "\n"
