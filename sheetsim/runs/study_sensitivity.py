"""Which draws move the variance over replicates of a study's statistics: the input's, or a layer's weights."""

import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct

from sheetsim import arguments
from sheetsim.engine.evaluate import Program, Values, evaluate
from sheetsim.engine.sensitivity import Design, jansen_intervals
from sheetsim.errors import SheetsimError
from sheetsim.language import Language, language
from sheetsim.model.draws import stream
from sheetsim.model.expr import Data, Draw, Matrix
from sheetsim.model.graph import Graph
from sheetsim.model.model_inputs import InputGroups, ModelInput, check_independent, drawn_leaves, grouped
from sheetsim.model.op import Array
from sheetsim.runs import templates
from sheetsim.runs.manifest import Manifest, manifest
from sheetsim.runs.observed import TableMeasurer, observed_tables
from sheetsim.runs.sensitivity import BOOTSTRAP, SOBOL_RESAMPLES, check_resamples, design_notes, saltelli
from sheetsim.runs.written import Written
from sheetsim.studies.model_book import MADE_IN_PYTHON
from sheetsim.studies.study import Experiment, check_repeatable
from sheetsim.summary.design_indices import index_table
from sheetsim.summary.table import Table
from sheetsim.workbook.layout import Layout

if TYPE_CHECKING:
    import pandas as pd


# Pairs of replicates.
TRIALS = 256


class Sensitivity(Written):
    """Which inputs and which layer's draws move the variance of a study's statistics over replicates.

    Attributes
    ----------
    trials
        Pairs of replicates that have all numbers.
    notes
        What to know, in sentences.
    """

    def __init__(self, plan: "SensitivityPlan", numbers: Array) -> None:
        """numbers: trials × statistics × (groups + 2): at the first sample, the second, and with each group from it."""
        self.name, self.title = plan.name, plan.title
        self.plan = plan
        whole = np.isfinite(numbers).all(axis=(1, 2))
        self._numbers = numbers[whole]
        self.trials = len(self._numbers)
        if self.trials < 2:
            raise SheetsimError(
                f"fewer than 2 of {len(numbers)} pairs of replicates have numbers: there is no variance"
            )
        lacking = len(numbers) - self.trials
        said = [f"{lacking:,} of {len(numbers):,} pairs of replicates have an error value, and are left out."]
        self.notes = (*(said if lacking else ()), *self._told())

    def frame(self) -> "pd.DataFrame":
        """First-order and total indices with their 95 % intervals: a row per statistic and group.

        NaN of a statistic that is the same in all replicates.
        """
        import pandas as pd

        frames = {table.name: table.frame(evaluate(table.cells())) for table in self._tables}
        return pd.concat(frames, names=["statistic", "input"])

    def manifest(self, layout: Layout, values_only: bool) -> Manifest:
        """What the book of that layout says about itself."""
        tables = {table.name: table for table in self._tables}
        return manifest(layout, self.title, parameters={}, values_only=values_only, tables=tables)

    def book(self, values_only: bool = False, lang: str | None = None) -> tuple[Layout, Values]:
        """What stands where in the workbook, and its numbers."""
        from sheetsim.runs.sensitivity_book import sensitivity_book

        plan = self.plan
        headings = [
            f"{label} {kind}"
            for label, names in zip(plan.labels, plan.moving, strict=True)
            for kind in ("A", "B", *names)
        ]
        command = templates.writing(plan.command, values_only)
        parameters = dict(plan.parameters) | plan.options()
        sheets = sensitivity_book(
            self.title, plan.description, self._tables, self._design, headings, self.notes, command, parameters,
            plan.by_scipy,
        )  # fmt: skip
        spoken = self._spoken(lang)
        layout = Layout(sheets, live=not values_only, spoken=spoken)
        return layout, evaluate(layout.places)

    def _spoken(self, lang: str | None = None) -> Language:
        return language(lang or self.plan.parameters.get("lang"), "sensitivity")

    def __repr__(self) -> str:
        return f"<Sensitivity {self.name}: {', '.join(self.plan.labels)}; {self.trials} pairs of replicates>"

    def _repr_html_(self) -> str:
        said = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        table = self.frame().to_html(float_format="{:.4g}".format)
        return f"<p>{escape(self.title)}</p>{said}{table}{self._picture_html()}"

    def _told(self) -> Iterator[str]:
        for label, design in zip(self.plan.labels, self._designs, strict=True):
            yield from design_notes(design, label)

    @cached_property
    def _designs(self) -> list[Design]:
        """Of each statistic, with the groups that it depends on."""
        places = {name: k for k, name in enumerate(self.plan.groups, start=2)}
        by_statistic = zip(np.moveaxis(self._numbers, 0, -1), self.plan.moving, strict=True)
        return [Design(of[0], of[1], of[[places[name] for name in names]]) for of, names in by_statistic]

    @cached_property
    def _design(self) -> Matrix:
        """The numbers as a matrix: the columns of one statistic after those of another."""
        values = np.ascontiguousarray(np.vstack([np.vstack(design) for design in self._designs]).T)
        return Matrix(Data(values), (), values.shape, "design")

    @cached_property
    def _tables(self) -> list[Table]:
        tables = []
        first = 1
        for label, names, design in zip(self.plan.labels, self.plan.moving, self._designs, strict=True):
            ends: dict[str, Array] = {}
            if self.plan.resamples:
                rng = stream(self.plan.seed, BOOTSTRAP)
                for end, of in zip(("low", "high"), jansen_intervals(design, self.plan.resamples, rng), strict=True):
                    ends |= {f"first_order_{end}": of.first, f"total_{end}": of.total}
            tables.append(index_table(label, self._design, first, names, ends))
            first += 2 + len(names)
        return tables


class SensitivityPlan(Struct, frozen=True, dict=True):
    """What to attribute the variance of.

    cells: the statistics' numbers, by their labels as `row.column`; groups: leaves of draws, whole, by name; command:
    what makes the result again; parameters: of the study.
    """

    name: str
    title: str
    description: str
    command: str
    parameters: Mapping[str, Any]
    seed: int
    draws: str
    cells: Sequence[Matrix]
    labels: Sequence[str]
    statistic: str
    groups: InputGroups
    trials: int
    resamples: int

    @cached_property
    def moving(self) -> list[list[str]]:
        """Of each statistic the groups that it depends on."""
        of_cells = [set(drawn_leaves([cell])) for cell in self.cells]
        return [
            [name for name, members in self.groups.items() if any(one.leaf in leaves for one in members)]
            for leaves in of_cells
        ]

    @property
    def by_scipy(self) -> bool:
        """Whether SciPy has a part in the draws."""
        leaves = (one.leaf for members in self.groups.values() for one in members)
        return any(isinstance(leaf.source, Draw) and leaf.source.by_scipy for leaf in leaves)

    def options(self) -> dict[str, Any]:
        """How the variance was attributed, beside the study's own keys."""
        groups = {name: [one.name for one in members] for name, members in self.groups.items()}
        shown = {"groups": groups} if any([name] != names for name, names in groups.items()) else {}
        return {"statistic": self.statistic, "trials": self.trials, "resamples": self.resamples} | shown


def sensitivity(
    what: "str | os.PathLike[str] | Experiment | Graph",
    /,
    statistic: str,
    *,
    trials: int = TRIALS,
    groups: Mapping[str, Sequence[str]] | None = None,
    resamples: int = SOBOL_RESAMPLES,
    progress: Callable[[int], None] | None = None,
    **overrides: Any,
) -> Sensitivity:
    """Which draws move a statistic's variance over replicates: Sobol indices by input and layer.

    Parameters
    ----------
    what
        A template's name, the path of a TOML file, a study, or a `Model`.
    statistic
        A column of the study's tables, at each of its rows, or one number such as "5.var" (row, then column); of a
        model, of its outputs' summary.
    trials
        Pairs of replicates; (groups + 2) · trials replicates are run.
    groups
        By name, draws that are taken together. Correlated draws must be in one group.
    resamples
        Resamples of the bootstrap, 0 for no intervals.
    progress
        Called with the number of pairs done.
    **overrides
        Keys of the template with other values.

    Returns
    -------
    Sensitivity
        First-order and total indices of the input and of each layer's draws, each as a whole.

    Raises
    ------
    SheetsimError
        A name is unknown, the statistic depends on nothing that is drawn, the study depends on its seed by more than
        its draws, or correlated draws are not in one group.

    References
    ----------
    Design: A. Saltelli et al., Computer Physics Communications 181 (2010) 259–270. Estimators: M. Jansen, Computer
    Physics Communications 117 (1999) 35–43.
    """
    if isinstance(what, Graph):
        if overrides:
            raise SheetsimError("a model has no keys to override: change the model itself")
        plan = plan_sensitivity(what, statistic, trials, groups, resamples)
    else:
        plan = plan_sensitivity(templates.scenario(what, overrides), statistic, trials, groups, resamples)
    return run_sensitivity(plan, progress)


def plan_sensitivity(
    of: templates.Scenario | Graph,
    statistic: str,
    trials: int,
    groups: Mapping[str, Sequence[str]] | None,
    resamples: int,
) -> SensitivityPlan:
    """The plan of a template's sensitivity, or of a model's; the rest as of `sensitivity`."""
    arguments.whole("trials", trials, 2)
    check_resamples(resamples)
    if isinstance(of, Graph):
        source: Experiment | Graph = of
        name, command, observed = "model", MADE_IN_PYTHON, observed_tables(of, "", "the model")
    else:
        check_repeatable(of.experiment)
        source, name = of.experiment, of.name
        command = _command(of.command, statistic, trials, groups, resamples)
        observed = observed_tables(source, source.title, source.study)
    places = observed.places([statistic])
    measurer = TableMeasurer(source)
    if measurer.program is None:
        raise SheetsimError(
            f"{name} uses its seed for more than its draws, but a sensitivity can be attributed only to draws"
        )
    cells = [measurer.cells[0][place] for place in places]
    leaves = drawn_leaves(cells)
    if not leaves:
        raise SheetsimError(f"{statistic} depends on nothing that is drawn: it is the same in all replicates")
    by_name = grouped([ModelInput(str(leaf.name), leaf) for leaf in leaves], groups)
    check_independent(by_name)
    return SensitivityPlan(
        name=name,
        title=observed.title,
        description=observed.description,
        command=command,
        parameters=observed.parameters,
        seed=observed.seed,
        draws=observed.draws,
        cells=cells,
        labels=[".".join(map(str, observed.labels[place])) for place in places],
        statistic=statistic,
        groups=by_name,
        trials=trials,
        resamples=resamples,
    )


def _command(run: str, statistic: str, trials: int, groups: Mapping[str, Sequence[str]] | None, resamples: int) -> str:
    if not run.startswith("sheetsim run"):
        return run
    words = [run.replace("sheetsim run", "sheetsim sensitivity", 1), f"--statistic {shlex.quote(statistic)}"]
    words.append(f"--trials {trials}")
    said = [f"{name}={','.join(members)}" for name, members in (groups or {}).items()]
    words += [f"--group {shlex.quote(group)}" for group in said]
    return " ".join(words + [f"--resamples {resamples}"] * (resamples != SOBOL_RESAMPLES))


def run_sensitivity(plan: SensitivityPlan, progress: Callable[[int], None] | None = None) -> Sensitivity:
    """Runs a plan's replicates."""
    arguments.function("progress", progress)
    leaves = list(dict.fromkeys(one.leaf for members in plan.groups.values() for one in members))
    program = Program(plan.cells, leaves)

    def evaluated(values: Values) -> Array:
        cells = program(values)
        return np.array([cells[cell][0, 0] for cell in plan.cells])

    numbers = np.empty((plan.trials, len(plan.cells), len(plan.groups) + 2))
    for k in range(plan.trials):
        f_a, f_b, f_ab = saltelli(plan.groups, leaves, plan.seed, k, plan.draws, evaluated, shuffled=False)
        numbers[k] = np.column_stack([f_a, f_b, f_ab.T])
        if progress is not None:
            progress(k + 1)
    return Sensitivity(plan, numbers)
