"""The sheets of scenarios in a simulated workbook's book: options side by side over the trials, and which is best."""

import math
from collections.abc import Sequence
from functools import reduce
from operator import mul
from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace

from sheetsim.model.expr import Data, Matrix, column, if_error, sqrt, total, where
from sheetsim.model.graph import Output
from sheetsim.runs.workbook_scenarios import WIDE, ComparedScenarios
from sheetsim.studies.pages import table_items
from sheetsim.studies.sections import moved
from sheetsim.summary.outputs import Quantity, cell_of
from sheetsim.summary.table import Column, Table
from sheetsim.workbook.layout import Block, Item, MatrixSheet, Page, Text

if TYPE_CHECKING:
    import pandas as pd

SCENARIOS, TRIALS = "Scenarios", "Scenario trials"

# What a column is, and its kind; `tail` and `best` follow which end is the worse one.
COLUMNS = {
    "n": ("trials that have a number", "count"),
    "errors": ("trials that have none", "count"),
    "mean": ("their mean", "number"),
    "std": ("their standard deviation (n − 1)", "size"),
    "q05": ("5 % quantile", "number"),
    "q50": ("median", "number"),
    "q95": ("95 % quantile", "number"),
    "loss": ("chance of loss: the share of trials below 0", "share"),
    "tail": ("mean of the worst 5 %: of the trials at or beyond {tail}", "number"),
    "best": ("share of trials in which no other scenario is {better}", "share"),
    "difference": ("mean difference from the first scenario, trial by trial", "number"),
    "low": ("lower end of its paired 95 % interval", "number"),
    "high": ("its upper end", "number"),
}

# Of the decisions: the heading of a column, and its name in `ComparedScenarios.decision`.
DECISION = {
    "criterion": "criterion",
    "best": "best",
    "second": "second",
    "decided": "decided",
    "value": "value",
    "better by": "better",
    "low": "low",
    "high": "high",
}
TEXTS = ("criterion", "best", "second", "decided")


def scenario_sheets(
    compared: ComparedScenarios, least: bool, trials: str, matrices: bool
) -> tuple[list[Page | MatrixSheet], list[Table]]:
    """The page, with the sheet of the trials where matrices are in the book, and a table an output.

    trials: the title of that sheet; least: whether less is better.
    """
    names, outputs = compared.scenarios(), compared.outputs
    frames = [compared.trials(output) for output in outputs]
    count = len(frames[0])
    numbers = np.column_stack([np.arange(1.0, count + 1), *(frame.to_numpy() for frame in frames)])
    headings = ("trial", *(name if len(outputs) == 1 else f"{output}: {name}" for output in outputs for name in names))
    whole = Matrix(Data(numbers, None, headings), (), numbers.shape, "scenario_trials")
    lead = f"{count:,} trials of each scenario, over the same draws: numbers are formulas over the sheet {trials}."
    items: list[Item] = [
        Text(0, 0, SCENARIOS, "title", 6),
        Text(1, 0, lead if matrices else lead.partition(":")[0] + ".", "text"),
    ]
    tables, row = [], 3
    for k, output in enumerate(outputs):
        columns = [column(whole, 2 + k * len(names) + j) for j in range(len(names))]
        table = _table(output if len(outputs) > 1 else "", names, columns, least)
        items.append(Text(row, 0, output, "section"))
        items += [moved(item, row + 1) for item in table_items(table)]
        row += len(names) + 3
        items += _decision(compared.decision(output, least=least), row)
        row += 6
        tables.append(table)
    for name, what in tables[0].glossary.items():
        items += [Text(row, 0, name, "label"), Text(row, 1, what, "hint")]
        row += 1
    wide = max(14, *(len(name) + 2 for name in names))
    widths = dict.fromkeys(range(3), wide) | dict.fromkeys(range(3, len(COLUMNS) + 1), 12)
    page = Page(
        SCENARIOS, tuple(items), widths, {0: 28}, tab="results", words="options side by side, and which is best"
    )
    if not matrices:
        return [page], tables
    words = "outputs in each scenario, a row a trial"
    return [page, MatrixSheet(TRIALS, whole, "row", whole.headings, 1, "computed", "draws", words)], tables


def _table(output: str, names: Sequence[str], columns: Sequence[Matrix], least: bool) -> Table:
    """A row a scenario: the columns of `ComparedScenarios.frame`, as formulas."""
    of = [Quantity(name, Output(x, ""), x) for name, x in zip(names, columns, strict=True)]
    rows = [_row(quantity, of[0], columns, least) for quantity in of]
    said = {"tail": "q95" if least else "q05", "better": "less" if least else "greater"}
    made = tuple(
        Column(key, what.format(**said), tuple(row[key] for row in rows), kind) for key, (what, kind) in COLUMNS.items()
    )
    title = f"scenarios {output}" if output else "scenarios"
    return Table(title, "scenario", list(names), made, SCENARIOS, observed=False)


def _row(quantity: Quantity, first: Quantity, columns: Sequence[Matrix], least: bool) -> dict[str, Matrix]:
    x = quantity.x
    numbers = quantity.statistics()
    ends = {key: numbers[key].placed(None) for key in ("q05", "q95")}
    tail = quantity.mean_where(x >= ends["q95"] if least else x <= ends["q05"])
    others = [y for y in columns if y is not x]
    # An error where one of them has no number.
    not_worse = [x <= y if least else x >= y for y in others] or [x * 0 + 1]
    everywhere = reduce(mul, [y * 0 + 1 for y in columns])
    best = total(if_error(reduce(mul, not_worse), 0)) / total(if_error(everywhere, 0))
    between = replace(quantity, x=x - first.x)
    mean = between.mean.placed(None)
    deviation = if_error(between.x, mean) - mean
    n = between.n
    square = total(deviation * deviation) / (n - 1)
    half = (WIDE * where(n > 1, sqrt(square / n), math.nan)).placed(None)
    return {
        **{key: numbers[key] for key in ("n", "errors", "mean", "std", "q50")},
        **ends,
        "loss": quantity.share(x < 0),
        "tail": tail,
        "best": best,
        "difference": mean,
        "low": mean - half,
        "high": mean + half,
    }


def _decision(decision: "pd.DataFrame", row: int) -> list[Item]:
    """A row a criterion, as it was when the book was made."""
    items: list[Item] = [Text(row, 0, "Which is best, when the book was made", "label")]
    columns = decision.reset_index()
    for c, (heading, key) in enumerate(DECISION.items()):
        items.append(Text(row + 1, c, heading, "heading-left" if key in TEXTS else "column"))
        for r, cell in enumerate(columns.get(key, ()), start=row + 2):
            if isinstance(cell, bool | np.bool_):
                items.append(Text(r, c, "yes" if cell else "no", "text"))
            elif isinstance(cell, str):
                items.append(Text(r, c, cell, "text", is_name=key != "criterion"))
            elif isinstance(cell, float) and math.isfinite(cell):
                items.append(Block(r, c, cell_of(cell), "number"))
    return items
