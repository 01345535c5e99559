"""Which inputs move an output: from the trials of a run, and by Saltelli's design with new draws."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct, field

from sheetsim import arguments
from sheetsim.engine.evaluate import Program, Values, evaluate
from sheetsim.engine.sensitivity import Associations, Design, Regression, contributions, jansen, jansen_intervals
from sheetsim.errors import SheetsimError
from sheetsim.model.draws import check_seed, stream
from sheetsim.model.expr import Data, Draw, Matrix, column
from sheetsim.model.graph import Graph
from sheetsim.model.model_inputs import (
    InputGroups,
    ModelInput,
    check_independent,
    correlated_sets,
    drawn_leaves,
    grouped,
    replaced,
    trial_inputs,
)
from sheetsim.model.op import Array
from sheetsim.runs.observed import child_seed
from sheetsim.summary.outputs import Quantity, quantities
from sheetsim.summary.sensitivity import AS_NUMBERS, by_swing, sensitivity_table
from sheetsim.summary.table import Table

if TYPE_CHECKING:
    import pandas as pd

    from sheetsim.workbook.layout import Page

# Of the bootstrap: the rank correlations of each resample are ranked again.
RESAMPLES = 200

# The same for Sobol indices, of which a resample is a few sums.
SOBOL_RESAMPLES = 1000

# Trials with a number, for anything to be said.
LEAST = 3

# What the bootstrap and the order of rows are drawn from, beside a seed.
BOOTSTRAP, SHUFFLE = "sensitivity bootstrap", "sensitivity order"

CORRELATED = (
    "{names} are correlated: Pearson and rank correlations and the swing then describe an input together with all that "
    "goes along with it, a standardized regression coefficient of what it adds where the model is nearly linear; "
    "contributions count what is shared more than once, and R² holds for all inputs together."
)


class TrialSensitivity(Struct, frozen=True, dict=True):
    """How a quantity follows its inputs, from the trials of a run.

    values: of the model's matrices; groups: see `grouped`; names: what sentences call outputs and inputs, by the names
    that they have in the model. Raises SheetsimError where it has no input.
    """

    quantity: Quantity
    values: Values
    groups: Mapping[str, Sequence[str]] | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    def _said(self, name: str) -> str:
        return self.names.get(name, name)

    @cached_property
    def _inputs(self) -> list[ModelInput]:
        inputs = trial_inputs(self.quantity.x)
        if not inputs:
            raise SheetsimError(
                f"{self._said(self.quantity.label)} has no input with one row per trial, drawn or given"
            )
        return inputs

    @cached_property
    def _groups(self) -> InputGroups:
        return grouped(self._inputs, self.groups)

    @cached_property
    def _y(self) -> Array:
        return evaluate([self.quantity.x], self.values)[self.quantity.x][:, 0]

    @property
    def is_told(self) -> bool:
        """Whether there are trials enough that have a number."""
        return int(np.isfinite(self._y).sum()) >= LEAST

    @cached_property
    def _regression(self) -> Regression:
        leaves = evaluate({one.leaf for one in self._inputs}, self.values)
        x = np.column_stack([leaves[one.leaf][:, one.column] for one in self._inputs])
        if not self.is_told:
            raise SheetsimError(
                f"{self._said(self.quantity.label)} has fewer than {LEAST} trials with a number: "
                "too few for a sensitivity"
            )
        places = {one: k for k, one in enumerate(self._inputs)}
        groups = [[places[one] for one in members] for members in self._groups.values()]
        return Regression(x, self._y, groups)

    @cached_property
    def associations(self) -> Associations:
        """Correlations, coefficients and R² of the trials."""
        return self._regression.associations()

    @cached_property
    def _columns(self) -> dict[str, Matrix]:
        """By group, its input as a matrix; of several inputs what they add to the regression, as numbers."""
        columns = {}
        for k, (name, members) in enumerate(self._groups.items()):
            one = members[0]
            if len(members) > 1:
                scores = self._regression.scores[:, [k]]
                columns[name] = Matrix(Data(scores), (), scores.shape)
            else:
                columns[name] = one.leaf if one.leaf.shape[1] == 1 else column(one.leaf, (one.column or 0) + 1)
        return columns

    def labels(self) -> list[str]:
        """The inputs' or groups' names."""
        return list(self._groups)

    def numbers(self) -> dict[str, Array]:
        """The columns of AS_NUMBERS, a number an input or group."""
        numbers = dict(zip(AS_NUMBERS, (self.associations.spearman, self.associations.src), strict=False))
        return numbers | {"contribution": contributions(self.associations.spearman)}

    def table(self, name: str = "sensitivity", sheet: str = "", most: int | None = None) -> Table:
        """The rows by their swing, the widest first, at most so many."""
        numbers = self.numbers()
        whole = sensitivity_table(name, self.quantity, self._columns, numbers)
        swings = evaluate(whole["swing"], self.values)
        order = by_swing(np.array([swings[cell][0, 0] for cell in whole["swing"]]))[:most]
        labels = list(self._columns)
        return sensitivity_table(
            name,
            self.quantity,
            {labels[k]: self._columns[labels[k]] for k in order},
            {key: column[order] for key, column in numbers.items()},
            sheet,
        )

    def frame(self, resamples: int, seed: int) -> "pd.DataFrame":
        """The table with the ends of the intervals."""
        table = self.table()
        frame = table.frame(evaluate(table.cells(), self.values))
        if resamples:
            ends = self._regression.intervals(resamples, stream(seed, BOOTSTRAP))
            order = [list(self._columns).index(str(name)) for name in frame.index]
            for measure in ("pearson", "spearman", "src"):
                place = frame.columns.get_loc(measure)
                for end, of in zip(("high", "low"), reversed(ends), strict=True):
                    frame.insert(place + 1, f"{measure}_{end}", getattr(of, measure)[order])
        frame.attrs["r2"] = float(self.associations.r2)
        frame.attrs["notes"] = self.notes
        return frame

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know, in sentences."""
        said = []
        label = self._said(self.quantity.label)
        errors = int((~np.isfinite(self._y)).sum())
        if errors:
            said.append(f"{errors:,} trials of {label} have no number, and are left out.")
        if not np.isfinite(self.associations.pearson).any():
            said.append(f"{label} does not vary: nothing moves it, and correlations have no value.")
        elif not np.isfinite(self.associations.r2):
            said.append("There are no more trials than inputs: a regression says nothing.")
        for members in correlated_sets(self._inputs):
            names = [self._said(one.name) for one in members]
            shown = ", ".join(names if len(names) < 7 else (*names[:5], "…", names[-1]))
            said.append(CORRELATED.format(names=shown))
        return tuple(said)


def sensitivity_pages(model: Graph, values: Values, live: bool) -> "tuple[list[Page], list[Table]]":
    """The pages of the first outputs that have inputs, and their tables.

    values: of the model's matrices; live: whether the book has formulas.
    """
    from sheetsim.studies.sensitivity_pages import MOST_INPUTS, MOST_OUTPUTS, sensitivity_page, sensitivity_titles

    pages: list[Page] = []
    tables: list[Table] = []
    there = quantities(model)
    for quantity, title in zip(there, sensitivity_titles(there), strict=True):
        if len(pages) == MOST_OUTPUTS or not trial_inputs(quantity.x):
            continue
        of_trials = TrialSensitivity(quantity, values)
        if not of_trials.is_told:
            continue
        table = of_trials.table(title.lower() if len(there) == 1 else title, title, MOST_INPUTS)
        r2, inputs = float(of_trials.associations.r2), len(trial_inputs(quantity.x))
        mean = quantity.mean.placed(None)
        pages.append(sensitivity_page(title, quantity, table, mean, r2, inputs, of_trials.notes, live))
        tables.append(table)
    return pages, tables


def quantity_of(model: Graph, output: str | None) -> Quantity:
    """The quantity of that label; of none, the only one. Raises SheetsimError where there is no such quantity."""
    there = {quantity.label: quantity for quantity in quantities(model)}
    names = ", ".join(there) or "none"
    if output is None and len(there) == 1:
        return next(iter(there.values()))
    if output is None and there:
        raise SheetsimError(f"sensitivity takes one output: name one of {names}")
    if output not in there:
        said = "" if output is None else f" {arguments.said(output)}"
        raise SheetsimError(f"no output{said}: the model has {names}")
    return there[output]


def check_resamples(resamples: int) -> int:
    """How often rows are resampled, 0 for no intervals. Raises SheetsimError for what is no such number."""
    return arguments.whole("resamples", resamples, 0, 1_000_000)


def sobol_indices(
    model: Graph,
    output: str | None,
    trials: int | None,
    groups: Mapping[str, Sequence[str]] | None,
    resamples: int,
    seed: int | None,
) -> "pd.DataFrame":
    """See `Model.sobol`."""
    quantity = quantity_of(model, output)
    check_resamples(resamples)
    rows = quantity.x.shape[0]
    runs = 1 if trials is None else -(-arguments.whole("trials", trials, 2) // rows)
    seed = model.seed if seed is None else seed
    check_seed(seed, model.draws)
    inputs = trial_inputs(quantity.x)
    given = sorted({str(one.leaf.name) for one in inputs if not isinstance(one.leaf.source, Draw)})
    if given:
        raise SheetsimError(
            f"Sobol indices need drawn inputs, but {', '.join(given)} are given numbers: use run.sensitivity()"
        )
    if not inputs:
        raise SheetsimError(f"{quantity.label} has no input with one row per trial: none of its rows is drawn")
    by_name = grouped(inputs, groups)
    check_independent(by_name)
    leaves = list(dict.fromkeys(one.leaf for one in inputs))
    held = [str(leaf.name) for leaf in drawn_leaves([quantity.x]) if leaf not in leaves]
    program = Program([quantity.x], leaves)

    def evaluated(values: Values) -> Array:
        return program(values)[quantity.x][:, 0]

    designs = [saltelli(by_name, leaves, seed, k, model.draws, evaluated) for k in range(runs)]
    design = Design(*(np.concatenate(part, axis=-1) for part in zip(*designs, strict=True)))
    frame = index_frame(design.whole(), list(by_name), resamples, seed)
    rows = len(design.f_a)
    notes = []
    if errors := rows - len(design.whole().f_a):
        notes.append(f"{errors:,} of {rows:,} rows of the design have an error value, and are left out.")
    if held:
        notes.append(f"Held as they were drawn, the same for all trials: {', '.join(held)}.")
    frame.attrs["notes"] = (*notes, *design_notes(design.whole(), quantity.label))
    return frame


def saltelli(
    groups: InputGroups,
    leaves: Sequence[Matrix],
    seed: int,
    number: int,
    draws: str,
    evaluated: Callable[[Values], Array],
    shuffled: bool = True,
) -> Design:
    """Saltelli's design (Saltelli et al. 2010, doi:10.1016/j.cpc.2009.09.018).

    Two independent samples of the leaves, and the first with one group's inputs from the second; number: of the pair of
    samples, from 0; shuffled: whether the rows of leaves are trials, which a sample of another seed by a Sobol'
    sequence has in the same order.
    """
    base, other = (_sampled(leaves, child_seed(seed, 2 * number + k, draws)) for k in range(2))
    if shuffled:
        order = stream(child_seed(seed, 2 * number, draws), SHUFFLE).permutation(len(next(iter(other.values()))))
        other = {leaf: sample[order] for leaf, sample in other.items()}
    f_ab = [evaluated(replaced(groups, name, base, other)) for name in groups]
    return Design(evaluated(base), evaluated(other), np.stack(f_ab))


def _sampled(leaves: Sequence[Matrix], seed: int) -> Values:
    return {leaf: leaf.source.sample(leaf.shape, seed) for leaf in leaves if isinstance(leaf.source, Draw)}


def design_notes(design: Design, label: str) -> tuple[str, ...]:
    """What a reader must know of a design's indices."""
    if np.isfinite(jansen(design).total).all():
        return ()
    few = "has fewer than 2 rows with a number" if len(design.f_a) < 2 else "does not vary"
    return (f"{label} {few}: its variance has no parts.",)


def index_frame(design: Design, names: Sequence[str], resamples: int, seed: int) -> "pd.DataFrame":
    """First-order and total indices with their intervals, a row per input or group."""
    import pandas as pd

    first, total = jansen(design)
    columns = {"first_order": first, "total": total}
    if resamples and len(design.f_a):
        low, high = jansen_intervals(design, resamples, stream(seed, BOOTSTRAP))
        columns = {
            "first_order": first,
            "first_order_low": low.first,
            "first_order_high": high.first,
            "total": total,
            "total_low": low.total,
            "total_high": high.total,
        }
    frame = pd.DataFrame(columns, index=pd.Index(names, name="input"))
    frame.attrs["trials"] = len(design.f_a)
    return frame
