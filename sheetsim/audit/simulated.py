"""A person's workbook, simulated: trials by NumPy, and what an engine says of them. The file is never written."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from sheetsim import arguments
from sheetsim.audit.trial_engine import check_trials, has_ironcalc, ironcalc_engine
from sheetsim.errors import SheetsimError
from sheetsim.files import path_of
from sheetsim.model.draws import check_seed
from sheetsim.runs.templates import read_toml, sentence
from sheetsim.runs.workbook_model import WorkbookModel, WorkbookRun
from sheetsim.runs.workbook_scenarios import (
    CellGoal,
    ComparedScenarios,
    compared_scenarios,
    goal_of,
    grid_of,
    overridden,
)
from sheetsim.sheets.book import SheetBook
from sheetsim.sheets.marking import SimulationPlan, plan_sheet, write_marked
from sheetsim.sheets.program import BaseDifference, formula_differences

if TYPE_CHECKING:
    import pandas as pd

TRIALS = 100_000

# Trials that an engine recalculates, if no other number is asked for.
CHECKED = 50

# Trials of the first look with `until`, and of a 95 % interval's half width the standard errors.
FIRST_LOOK, HALF_WIDTH = 1000, 1.959963984540054

# The scenario that changes nothing.
AS_IT_IS = "as it is"

Correlation = tuple[str, str, float]

# Called with what is being done.
Told = Callable[[str], None]


class Workbook:
    """Your own workbook, of which trials can be run.

    Parameters
    ----------
    path
        The .xlsx file. It is never written.

    Raises
    ------
    SheetsimError
        The file is not a workbook, or is made to do harm.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.book = SheetBook(path)

    @np.errstate(all="ignore")
    def simulate(
        self,
        inputs: Mapping[str, Any] | None = None,
        outputs: Sequence[str] = (),
        *,
        trials: int | None = None,
        seed: int | None = None,
        correlations: Sequence[Correlation] = (),
        until: float | None = None,
        verify: int = CHECKED,
        engines: Sequence[str] = ("ironcalc",),
        scenarios: Mapping[str, Mapping[str, Any]] | None = None,
        least: bool = False,
        progress: Told | None = None,
    ) -> WorkbookRun:
        """Run trials of the workbook: how the outputs are distributed when the inputs are uncertain.

        What the workbook's sheet `Simulation` says, or a TOML file beside it (book.toml), is taken too; arguments take
        precedence. A cell without a sheet is on the sheet that the workbook opens with.

        Parameters
        ----------
        inputs
            By cell ("B2", "Sheet1!B2") or defined name, a distribution of this package or of scipy.stats, or its text.
        outputs
            Cells or names.
        trials
            Number of trials; with `until` at most.
        seed
            Seed of all draws.
        correlations
            Rank correlations, (input, input, number) each.
        until
            A share: trials are doubled from 1,000 until half of the 95 % interval of every output's mean is less than
            this share of the mean.
        verify
            Number of trials that IronCalc recalculates from the file, where it is installed; 0 for none.
        engines
            With "libreoffice", LibreOffice recalculates a few too.
        scenarios
            Options for the run's `scenarios` and a page of its book, as of `compare`; those of the TOML file if None.
        least
            Whether of scenarios less is better, as of costs.
        progress
            Called with what is being done.

        Returns
        -------
        WorkbookRun
            Summary, risk numbers, sensitivity and a workbook of the outputs, as of a model's run.

        Raises
        ------
        SheetsimError
            An input is no cell or no distribution, an output is not a formula, or something cannot be computed.
        """
        arguments.whole("verify", verify)
        asked = self._asked(inputs, outputs, correlations, trials, seed)
        options = self._options(self.plan().scenarios if scenarios is None else scenarios)
        most = asked.trials
        said = progress or (lambda _: None)

        def model_of(count: int) -> WorkbookModel:
            return asked.model(count)

        said("reading")
        model = model_of(most if until is None else min(FIRST_LOOK, most))
        run = model.run()
        if until is not None:
            share = arguments.number("until", until)
            if not 0 < share < 1:
                raise SheetsimError(f"until must lie between 0 and 1, not {until!r}")
            while run.trials < most and widest_of(run) > share:
                said(f"{run.trials:,} trials, widest interval ±{widest_of(run):.2%}")
                run = model_of(min(2 * run.trials, most)).run()
        run.notes += self._notes(run, until)
        if options:
            said("scenarios")
            changed = msgspec.structs.replace(asked, trials=run.trials).changed
            run.scenarios, run.least = compared_scenarios(changed, asked.outputs, options), least
        if verify:
            said(f"checking {min(verify, run.trials)} trials")
            self._check(run, verify, engines)
        return run

    @property
    def model(self) -> WorkbookModel:
        """The simulation that the sheet `Simulation`, or a TOML file beside the workbook, describes, as a Model.

        Raises
        ------
        SheetsimError
            Neither names an output.
        """
        asked = self._asked(None, (), (), None, None)
        return asked.model(asked.trials)

    def differences(self) -> list[BaseDifference]:
        """Cells whose value in the file differs from what NumPy computes from the other cells, sheet by sheet.

        Formulas that NumPy does not compute are left out, and so are cells without a value.

        Raises
        ------
        SheetsimError
            The workbook has a circular reference.
        """
        return formula_differences(self.book)

    @np.errstate(all="ignore")
    def compare(
        self,
        scenarios: Mapping[str, Mapping[str, Any]] | None = None,
        inputs: Mapping[str, Any] | None = None,
        outputs: Sequence[str] = (),
        *,
        trials: int | None = None,
        seed: int | None = None,
        correlations: Sequence[Correlation] = (),
    ) -> ComparedScenarios:
        """Compare named scenarios over the same draws.

        Parameters
        ----------
        scenarios
            By name, numbers or distributions of cells: `{"as it is": {}, "cheaper": {"B3": 5}}`; those of the TOML file
            beside the workbook if None.
        inputs
            As of `simulate`.
        outputs
            As of `simulate`.
        trials
            As of `simulate`.
        seed
            As of `simulate`.
        correlations
            As of `simulate`.
        """
        asked = self._asked(inputs, outputs, correlations, trials, seed)
        given = self.plan().scenarios if scenarios is None else scenarios
        return compared_scenarios(asked.changed, asked.outputs, given)

    def _options(self, scenarios: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
        """The scenarios after the one that changes nothing, if it is not among them; none where there are none."""
        if not isinstance(scenarios, Mapping) or not all(isinstance(one, Mapping) for one in scenarios.values()):
            raise SheetsimError("scenarios must map each name to a mapping of cells to numbers or distributions")
        for name, cells in scenarios.items():
            for cell in cells:
                try:
                    self.book.cell_of(arguments.text("a cell", cell))
                except SheetsimError as error:
                    raise SheetsimError(f"the scenario {name}: {error}") from None
        if not scenarios or any(not cells for cells in scenarios.values()):
            return dict(scenarios)
        if AS_IT_IS in scenarios:
            raise SheetsimError(f"{AS_IT_IS!r} is the name of the unchanged workbook: give the scenario another name")
        return {AS_IT_IS: {}} | dict(scenarios)

    @np.errstate(all="ignore")
    def grid(
        self,
        axes: Mapping[str, Sequence[float]],
        inputs: Mapping[str, Any] | None = None,
        output: str = "",
        *,
        statistic: str = "mean",
        trials: int | None = None,
        seed: int | None = None,
        correlations: Sequence[Correlation] = (),
    ) -> "pd.DataFrame":
        """A statistic of an output at every point of a grid of one or two cells, over the same draws.

        Parameters
        ----------
        axes
            By cell, its numbers.
        output
            Cell or name of the output.
        statistic
            "mean", "std", "q01" … "q99", or "loss", the share below 0.
        inputs
            As of `simulate`.
        trials
            As of `simulate`.
        seed
            As of `simulate`.
        correlations
            As of `simulate`.
        """
        asked = self._asked(inputs, [output] if output else (), correlations, trials, seed)
        return grid_of(asked.changed, self.book, axes, statistic)

    @np.errstate(all="ignore")
    def goal(
        self,
        cell: str,
        inputs: Mapping[str, Any] | None = None,
        output: str = "",
        *,
        above: float | None = None,
        below: float | None = None,
        inclusive: bool = False,
        probability: float = 0.9,
        trials: int | None = None,
        seed: int | None = None,
        correlations: Sequence[Correlation] = (),
    ) -> CellGoal:
        """The value of a cell at which P(output > above), or P(output < below), has a given value.

        By bisection over the same draws.

        Parameters
        ----------
        cell
            The cell that is changed.
        output
            Cell or name of the output.
        above
            The threshold, 0 if there is none.
        below
            A threshold in place of `above`: the output is to be less.
        inclusive
            Whether the threshold itself counts: ≥ in place of >, ≤ in place of <.
        probability
            The probability to reach.
        inputs
            As of `simulate`.
        trials
            As of `simulate`.
        seed
            As of `simulate`.
        correlations
            As of `simulate`.

        Raises
        ------
        SheetsimError
            No value near the one in the file reaches the probability.
        """
        if above is not None and below is not None:
            raise SheetsimError("a goal needs exactly one threshold: give above or below")
        asked = self._asked(inputs, [output] if output else (), correlations, trials, seed)
        number = arguments.number("above", above or 0.0) if below is None else arguments.number("below", below)
        sign = (">" if below is None else "<") + ("=" if arguments.flag("inclusive", inclusive) else "")
        return goal_of(asked.changed, self.book, cell, sign, number, probability)

    def _asked(
        self,
        inputs: Mapping[str, Any] | None,
        outputs: Sequence[str],
        correlations: Sequence[Correlation],
        trials: int | None,
        seed: int | None,
    ) -> "_Asked":
        plan = self.plan()
        merged = self._merged(plan.inputs, inputs or {})
        named = arguments.listed("outputs", outputs, "cells") or plan.outputs
        every = [*correlations, *self._others(plan.correlations, correlations)]
        seed = next((one for one in (seed, plan.seed) if one is not None), 0)
        check_seed(seed)
        count = next((one for one in (trials, plan.trials) if one is not None), TRIALS)
        most = arguments.whole("trials", count, 2)
        return _Asked(self.book, merged, named, every, most, seed)

    @property
    def beside(self) -> Path | None:
        """The TOML file beside the workbook, which is read too; None where there is none."""
        beside = self.book.path.with_suffix(".toml")
        return beside if beside.exists() else None

    def plan(self) -> SimulationPlan:
        """The simulation that the sheet `Simulation` describes; the TOML file beside the workbook takes precedence."""
        plan = plan_sheet(self.book)
        if self.beside is not None:
            more = plan_file(self.beside)
            plan.inputs = self._merged(plan.inputs, more.inputs)
            plan.outputs = more.outputs or plan.outputs
            plan.correlations = [*more.correlations, *self._others(plan.correlations, more.correlations)]
            plan.trials, plan.seed, plan.scenarios = more.trials, more.seed, more.scenarios
        return plan

    def _merged(self, first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
        """Inputs of two sources: of one cell the second's."""
        if not isinstance(second, Mapping):
            raise SheetsimError(f"inputs must be a mapping of cells to distributions, not {arguments.said(second)}")
        given = {self.book.cell_of(arguments.text("an input", name)) for name in second}
        return {name: law for name, law in first.items() if self.book.cell_of(name) not in given} | dict(second)

    def _others(self, first: Sequence[Correlation], second: Sequence[Correlation]) -> list[Correlation]:
        """The first's correlations of cells of which the second says none."""
        given = {frozenset(map(self.book.cell_of, pair[:2])) for pair in second}
        return [pair for pair in first if frozenset(map(self.book.cell_of, pair[:2])) not in given]

    def mark(self, target: str | os.PathLike[str]) -> tuple[int, int, int]:
        """Write a copy with a sheet `Simulation` to fill in.

        The sheet lists the numbers that formulas use; formulas that no other formula uses; and other formulas with a
        label of their own, such as a total. Their counts are returned.
        """
        return write_marked(self.book, path_of(target))

    def _notes(self, run: WorkbookRun, until: float | None) -> list[str]:
        model = run.model
        notes = [*self.book.notes, *(f"the input {one} reaches no output" for one in model.idle)]
        notes += [
            f"the input {one.given} holds a formula, which is not computed: its draws stand in its place"
            for one in model.uncertain
            if self.book.is_formula(one.cell)
        ]
        notes += [
            f"the output {output} is a number in no trial: it is a text or an error"
            for output, errors in run.summary()["errors"].items()
            if errors == run.trials
        ]
        for cell, reason in model.sheet.unknown.items():
            cost = f"{run.trials:,} trials took {model.sheet.engine_seconds:.2g} s"
            notes.append(f"{self.book.name_of(cell)} is computed by IronCalc trial by trial, as {reason}: {cost}")
        differences = run.base_differences()
        clock = model.sheet.plan.clock
        if clock:
            notes.append(f"{self.book.name_of(clock[0])} depends on the date or the time: the trials are of now")
        if differences:
            first = differences[0]
            size = f", by {first.size:.3g}" if first.size == first.size else ""
            more = f" ({len(differences):,} cells in all)" if len(differences) > 1 else ""
            notes.append(
                f"the base case is not what the file holds: {first.cell} holds {first.in_file!r}, and its formula "
                f"gives {first.computed!r}{size}{more}; the file may have been changed without recalculation"
            )
        elif run.base_compared:
            plural = "s" * (run.base_compared > 1)
            notes.append(f"the base case agrees with the {run.base_compared:,} computed cell{plural} of the file")
        else:
            notes.append("the file holds no values of the formulas: the base case is not compared")
        if until is not None and widest_of(run) > until:
            notes.append(
                f"after {run.trials:,} trials the widest interval is ±{widest_of(run):.2%}, and not {until:.2%}"
            )
        return notes

    def _check(self, run: WorkbookRun, trials: int, engines: Sequence[str]) -> None:
        if not has_ironcalc():
            run.notes.append("not checked by an engine: pip install 'sheetsim[verify]' brings IronCalc")
            return
        try:
            run.checks += check_trials(run, trials, "libreoffice" in engines)
        except SheetsimError as error:
            run.notes.append(f"not checked by an engine: {error}")
            return
        run.notes += [check.sentence for check in run.checks]

    def close(self) -> None:
        """Close the file."""
        self.book.close()

    def __repr__(self) -> str:
        return f"<Workbook {self.book.path.name}: {', '.join(self.book.titles[:6])}>"


class _Asked(msgspec.Struct, frozen=True):
    """What is asked of a workbook."""

    book: SheetBook
    inputs: dict[str, Any]
    outputs: list[str]
    correlations: list[Correlation]
    trials: int
    seed: int

    def model(self, trials: int) -> WorkbookModel:
        """Its model with so many trials."""
        return self._of(self.inputs, self.correlations, trials)

    def changed(self, cells: Mapping[str, Any]) -> WorkbookModel:
        """Its model with other laws or numbers of some cells; those with a number are correlated with nothing."""
        numbers = {self.book.cell_of(name) for name, value in cells.items() if isinstance(value, int | float)}
        left = [pair for pair in self.correlations if not numbers & set(map(self.book.cell_of, pair[:2]))]
        return self._of(overridden(self.book, self.inputs, cells), left, self.trials)

    def _of(self, inputs: Mapping[str, Any], correlations: Sequence[Correlation], trials: int) -> WorkbookModel:
        engine = ironcalc_engine if has_ironcalc() else None
        return WorkbookModel(
            self.book, inputs, self.outputs, trials=trials, seed=self.seed, correlations=correlations, engine=engine
        )


def widest_of(run: WorkbookRun) -> float:
    """Half of the widest 95 % interval of an output's mean, relative to it."""
    frame = run.summary()
    with np.errstate(all="ignore"):
        return float(np.nanmax(HALF_WIDTH * frame["se"] / frame["mean"].abs(), initial=0.0))


def workbook(path: str | os.PathLike[str]) -> Workbook:
    """Open your own workbook to run trials of it: see `Workbook.simulate`. The file is never written.

    Examples
    --------
    >>> import openpyxl
    >>> import sheetsim
    >>> book = openpyxl.Workbook()
    >>> book.active["B1"], book.active["B2"], book.active["B3"] = 100, 5, "=B1*(B2-3)"
    >>> book.save("plan.xlsx")
    >>> run = sheetsim.workbook("plan.xlsx").simulate({"B1": "normal(100, 15)"}, ["B3"], trials=2000, verify=0)
    >>> round(float(run.summary()["mean"].iloc[0]))
    200
    """
    return Workbook(path)


def plan_file(path: Path) -> SimulationPlan:
    """What a TOML beside a workbook says. Raises SheetsimError with the key at fault."""
    try:
        return msgspec.convert(read_toml(path), SimulationPlan)
    except msgspec.ValidationError as error:
        said = sentence(str(error), {"": SimulationPlan.__struct_fields__})
        raise SheetsimError(f"{path}: {said}") from None
