"""Searches: trials run as a method asks for them, and are kept, so that a search can be stopped and continued.

A trial is a set of replicates. Replicate k has the same seed in every trial, so that trials differ by their
hyperparameters and not by chance (common random numbers). A method depends on the values alone: started again, it asks
for the same trials, which are taken from the folder of parts up to the first that is missing.
"""

import math
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from msgspec.structs import asdict

from sheetsim.arguments import function
from sheetsim.engine.evaluate import Values, evaluate
from sheetsim.engine.jobs import Crew, check_workers, crew
from sheetsim.errors import SheetsimError
from sheetsim.files import path_of
from sheetsim.language import Language, language
from sheetsim.model.draws import child_seed
from sheetsim.model.op import Array
from sheetsim.runs.intervals import interval_arrays
from sheetsim.runs.manifest import Manifest, manifest
from sheetsim.runs.parts import Parts, fingerprint
from sheetsim.runs.replicates import CONFIDENCE
from sheetsim.runs.search_book import CAUTIONS, SearchBook
from sheetsim.runs.search_importance import Importance, importances
from sheetsim.runs.search_methods import METHODS
from sheetsim.runs.search_plan import SearchPlan, is_training, load_search, planned_search
from sheetsim.runs.search_space import Keys, identity
from sheetsim.runs.search_trials import FAILURES, TrialTask, digests, loaded, run_trial
from sheetsim.runs.sweep import check_parquet, column_of
from sheetsim.runs.templates import writing
from sheetsim.runs.written import Written
from sheetsim.studies.study import toml_value
from sheetsim.whole_file import whole_file
from sheetsim.workbook.layout import Layout
from sheetsim.workbook.limits import check_cell_text

if TYPE_CHECKING:
    import pandas as pd


# Trials that are done, and of all at most, and the best value so far (NaN without one).
SearchProgress = Callable[[int, int, float], None]


class Trial(Struct, frozen=True):
    """A trial that was run.

    number: from 1, in its own search; numbers: a value a replicate, none where it failed; failure: why it has no value,
    else empty.
    """

    number: int
    method: str
    repeat: int
    keys: Keys
    numbers: Array
    failure: str = ""

    @property
    def value(self) -> float:
        """The mean over replicates; NaN where it failed."""
        return math.nan if self.failure else float(self.numbers.mean())


class Search(Written):
    """A search's trials: as tables, best first, as Parquet and as a workbook.

    Attributes
    ----------
    reason
        Why there are not more trials, in words.
    """

    def __init__(self, plan: SearchPlan, trials: Sequence[Trial], reasons: Sequence[str]) -> None:
        self.name, self.title, self.plan = plan.name, plan.title, plan
        self._trials = list(trials)
        self.reason = "; ".join(dict.fromkeys(reasons))

    @cached_property
    def ordered(self) -> list[Trial]:
        """The trials, best first; of successive halving, larger budgets before smaller ones. Failed ones are last."""
        goal, resource = self.plan.goal, self.plan.asked.resource
        halved = "halving" in self.plan.methods

        def rank(trial: Trial) -> tuple[Any, ...]:
            budget = trial.keys.get(resource, self.plan.budget) if halved else 0
            return bool(trial.failure), -budget, -goal.score(trial.value), trial.repeat, trial.number

        return sorted(self._trials, key=rank)

    @property
    def best(self) -> Keys:
        """The hyperparameters of the best trial.

        Raises
        ------
        SheetsimError
            All trials failed.
        """
        first = self.ordered[0]
        if first.failure:
            raise SheetsimError(
                f"no trial has a value: all {len(self._trials)} failed, the first with: {first.failure}"
            )
        return dict(first.keys)

    def records(self) -> list[dict[str, Any]]:
        """A dict per trial, best first.

        Its keys are trial (the number), method and repeat where there are several, value, low, high, status (ok, or why
        it failed), and each hyperparameter, None where its condition does not hold.
        """
        several = {
            "method": len(self.plan.methods) > 1,
            "repeat": self.plan.asked.repeats > 1,
        }
        low, high = self._ends
        rows = []
        for trial, below, above in zip(self.ordered, low, high, strict=True):
            row: dict[str, Any] = {"trial": trial.number}
            row |= {key: getattr(trial, key) for key, there in several.items() if there}
            row |= {"value": trial.value, "low": float(below), "high": float(above), "status": trial.failure or "ok"}
            rows.append(row | {key: trial.keys.get(key) for key in self.plan.columns})
        return rows

    def trials(self) -> "pd.DataFrame":
        """The records as a table."""
        import pandas as pd

        return pd.DataFrame(self.records())

    def frame(self) -> "pd.DataFrame":
        """A row per trial and replicate, in the order in which trials were run.

        Its columns are method, repeat, trial, the hyperparameters, status, replicate, seed and value.
        """
        import pandas as pd

        plan = self.plan
        seeds = [child_seed(plan.seed, k, plan.draws) for k in range(plan.replicates)]
        count = len(self._trials)
        data: dict[str, Any] = {
            "method": np.repeat(np.array([trial.method for trial in self._trials], dtype=object), plan.replicates),
            "repeat": np.repeat([trial.repeat for trial in self._trials], plan.replicates),
            "trial": np.repeat([trial.number for trial in self._trials], plan.replicates),
        }
        for key in plan.columns:
            data[key] = np.repeat(_column([trial.keys.get(key) for trial in self._trials]), plan.replicates)
        status = np.array([trial.failure or "ok" for trial in self._trials], dtype=object)
        data["status"] = np.repeat(status, plan.replicates)
        data["replicate"] = np.tile(np.arange(plan.replicates), count)
        data["seed"] = np.tile(np.array(seeds, dtype=np.int64), count)
        data["value"] = self._numbers(self._trials).ravel()
        return pd.DataFrame(data)

    def best_so_far(self) -> "pd.DataFrame":
        """The best value so far: a row per search and trial.

        Its columns are method, repeat, trial, cost (of this trial and those before, in trials with the whole budget),
        and the best value (NaN before the first; of halving, with any budget).
        """
        import pandas as pd

        rows = []
        costs: dict[tuple[str, int], float] = {}
        best: dict[tuple[str, int], float] = {}
        for trial in self._trials:
            search = trial.method, trial.repeat
            before = best.get(search, math.nan)
            score = self.plan.goal.score
            best[search] = trial.value if score(trial.value) > score(before) else before
            costs[search] = costs.get(search, 0.0) + self._cost(trial)
            rows.append((*search, trial.number, costs[search], best[search]))
        return pd.DataFrame(rows, columns=["method", "repeat", "trial", "cost", "best"])

    def _cost(self, trial: Trial) -> float:
        """In trials with the whole budget."""
        return trial.keys[self.plan.asked.resource] / self.plan.budget if trial.method == "halving" else 1.0

    def to_parquet(self, path: str | os.PathLike[str]) -> Path:
        """Write `frame()` as Parquet and return the path.

        Raises
        ------
        SheetsimError
            pyarrow is not installed, or the file cannot be written.
        """
        check_parquet()
        content = BytesIO()
        self.frame().to_parquet(content, engine="pyarrow", index=False)
        target = path_of(path)
        with whole_file(target) as file:
            file.write(content.getvalue())
        return target

    def importance(self) -> "pd.DataFrame":
        """Importance of each hyperparameter: rank_correlation and first_order, as `search_importance.WHAT` says."""
        import pandas as pd

        return pd.DataFrame([asdict(one) for one in self._importance]).set_index("key")

    @cached_property
    def _importance(self) -> list[Importance]:
        """Of all trials together, at the largest budget where budgets differ; equal points count once."""
        plan = self.plan
        points: dict[str, Trial] = {}
        for trial in self.ordered:
            if trial.keys.get(plan.asked.resource, plan.budget) == plan.budget or "halving" not in plan.methods:
                points.setdefault(identity(trial.keys), trial)
        distinct = [(_without(trial.keys, plan), trial.value) for trial in points.values()]
        return importances(
            plan.space, plan.options(0), [keys for keys, _ in distinct], [value for _, value in distinct]
        )

    @property
    def notes(self) -> list[str]:
        """What to know of the trials, in sentences."""
        failed = [trial for trial in self._trials if trial.failure]
        notes = [f"{len(failed)} trials failed, the first by: {failed[0].failure}"] if failed else []
        return [*notes, *CAUTIONS[: 2 if self.plan.replicates > 1 else 1]]

    def manifest(self, layout: Layout, values_only: bool) -> Manifest:
        """What the book of that layout says about itself."""
        return manifest(layout, self.title, parameters={}, values_only=values_only, search=self.plan.parameters)

    def book(self, values_only: bool = False, lang: str | None = None) -> tuple[Layout, Values]:
        """What stands where in the workbook, and its numbers."""
        plan = self.plan
        good = [trial for trial in self.ordered if not trial.failure]
        first, so_far = self._aligned()
        book = SearchBook(
            plan, self.ordered, self._numbers(good), so_far, first, self._importance, self.reason, CONFIDENCE
        )
        command = writing(plan.command, values_only)
        spoken = self._spoken(lang)
        layout = Layout(book.sheets(command, not values_only), live=not values_only, spoken=spoken)
        return layout, evaluate(layout.places)

    def _spoken(self, lang: str | None = None) -> Language:
        return language(lang or self.plan.lang, self.plan.study)

    def _aligned(self) -> tuple[int, dict[str, Array]]:
        """By method, best so far by cost × repeats, from the first cost at which every search has one.

        A search that has ended stays at its best. Methods of which a search has no value at all are left out.
        """
        frame = self.best_so_far()
        searches = {
            name: _at_costs(of["cost"].to_numpy(), of["best"].to_numpy())
            for name, of in frame.groupby(["method", "repeat"], sort=False)
        }
        methods = [
            method
            for method in self.plan.methods
            if all(np.isfinite(searches.get((method, k), [math.nan])[-1]) for k in range(self.plan.asked.repeats))
        ]
        kept = {name: best for name, best in searches.items() if name[0] in methods}
        if not kept:
            return 1, {}
        first = max(int(np.argmax(np.isfinite(best))) for best in kept.values())
        last = max(map(len, kept.values()))
        padded = {name: np.pad(best, (0, last - len(best)), mode="edge")[first:] for name, best in kept.items()}
        return first + 1, {
            method: np.column_stack([padded[method, k] for k in range(self.plan.asked.repeats)]) for method in methods
        }

    def __repr__(self) -> str:
        return f"<Search {self.name}: {len(self._trials)} trials; {self.reason}>"

    def _repr_html_(self) -> str:
        table = self.trials().to_html(float_format="{:.4g}".format, index=False)
        return f"<p>{self.title}: {self.reason}</p>{table}{self._picture_html()}"

    def _numbers(self, trials: Sequence[Trial]) -> Array:
        """Trials × replicates; NaN of those that failed without any."""
        table = np.full((len(trials), self.plan.replicates), np.nan)
        for row, trial in zip(table, trials, strict=True):
            row[: len(trial.numbers)] = trial.numbers
        return table

    @cached_property
    def _ends(self) -> tuple[Array, Array]:
        """The ends of the 95 % intervals of the ordered trials' values: Student's, over replicates.

        A value that is not drawn is exact; of a single replicate, and of a trial that failed, there is none.
        """
        values = np.array([trial.value for trial in self.ordered])
        if not self.plan.searched.is_drawn:
            return values, values
        intervals = interval_arrays(
            self._numbers(self.ordered).T, CONFIDENCE, self.plan.searched.nonnegative, self.plan.searched.share
        )
        missing = np.isnan(values)
        return np.where(missing, np.nan, intervals["low"]), np.where(missing, np.nan, intervals["high"])


def search(
    what: "str | os.PathLike[str] | Mapping[str, Any] | Callable[..., Any]",
    space: Mapping[str, Any] | None = None,
    /,
    *,
    until: str | float | None = None,
    folder: str | os.PathLike[str] | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    progress: SearchProgress | None = None,
    **keys: Any,
) -> Search:
    """Look for hyperparameters with a good value.

    Parameters
    ----------
    what
        The path of a TOML file, a shipped search's name, a mapping with the same keys, or a function with a `space`,
        where function(**point) gives a model or a study for each point: `search(f, {"rate": {"from": 1e-4, "to": 1,
        "scale": "log"}}, value="loss")`.
    space
        The hyperparameters, for a function.
    until
        Stop at a value, a number of trials ("20 trials") or a time ("10 min"), in place of the file's key.
    folder
        Where trials are kept as they are done. A later run takes them from there.
    workers
        Processes on this machine.
    scheduler
        A Dask scheduler's address, or "local", in place of processes.
    progress
        Called with the number of trials done, of all at most, and the best value so far.
    **keys
        Of a function's search, as the keys of a file.

    Returns
    -------
    Search
        The trials depend on neither `folder`, `workers` nor `scheduler`.

    Raises
    ------
    SheetsimError
        A key is wrong; the message names it.
    """
    if callable(what):
        if space is None:
            raise SheetsimError("a search of a function needs a space: search(function, {key: range}, value=…)")
        if "value" not in keys:
            raise SheetsimError("value: name the number to optimize, an output of the function's model")
        plan = planned_search(what, {**keys, "space": dict(space)}, until)
    elif space is not None or keys:
        raise SheetsimError(
            "a search given as a file or a mapping contains its space and keys: leave these arguments out"
        )
    else:
        plan = load_search(what, until)
    return run_search(plan, folder, workers, scheduler, progress)


def check_search(plan: SearchPlan) -> None:
    """Raises the SheetsimError that its table or its workbook would raise, as far as can be told before."""
    check_parquet()
    for key, value in plan.parameters.items():
        check_cell_text(key, toml_value(value))


def run_search(
    plan: SearchPlan,
    folder: str | os.PathLike[str] | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    progress: SearchProgress | None = None,
) -> Search:
    """Runs a plan's trials, except those that the folder has."""
    check_workers(workers, scheduler)
    function("progress", progress)
    parts = None if folder is None else Parts(path_of(folder, "the folder"))
    trials: list[Trial] = []
    reasons: list[str] = []
    clock = _Clock(plan, progress)
    with crew(run_trial, workers=workers, scheduler=scheduler) as run:
        bench = _Bench(plan, parts, run)
        for repeat in range(plan.asked.repeats):
            for method in plan.methods:
                with closing(_one_search(plan, bench, method, repeat, clock)) as of_one:
                    trials += of_one
                reasons.append(clock.reason)
    return Search(plan, trials, reasons)


def _one_search(
    plan: SearchPlan, bench: "_Bench", method: str, repeat: int, clock: "_Clock"
) -> Generator[Trial, None, None]:
    """The trials of one search, in its method's order."""
    ask = METHODS[method](plan.space, plan.options(repeat))
    clock.begin(method)
    number = 0
    try:
        points = next(ask)
        while not clock.stopped:
            values = []
            with closing(bench.outcomes(points)) as outcomes:
                for point, (numbers, failure) in zip(points, outcomes, strict=False):
                    number += 1
                    trial = Trial(number, method, repeat, point, numbers, failure)
                    values.append(trial.value)
                    yield trial
                    clock.done(trial)
                    if clock.stopped:
                        return
            points = ask.send(values)
    except StopIteration:
        clock.end(number)


@dataclass
class _Bench:
    """Where points become numbers: those that are kept are looked up, others run."""

    plan: SearchPlan
    parts: Parts | None
    run: "Crew[TrialTask, Array | str]"
    before: dict[str, Array | str] = field(default_factory=dict)

    def outcomes(self, points: Sequence[Keys]) -> Generator[tuple[Array, str], None, None]:
        """The numbers of each point, and why it has no value if it has none."""
        made = [self._made(point) for point in points]
        units = {name: task for one in made if not isinstance(one, str) for name, task in one.items()}
        missing = {name: task for name, task in units.items() if not self._kept(name, task)}
        with closing(self.run(missing.values())) as results:  # type: ignore[type-var]
            names = iter(missing)
            for one in made:
                if isinstance(one, str):
                    yield np.zeros(0), one
                    continue
                for name in one:
                    while name not in self.before:
                        done = next(names)
                        self._keep(done, next(results))
                yield self._joined([self.before[name] for name in one])

    def _made(self, point: Keys) -> dict[str, TrialTask] | str:
        """The tasks of a point by the names under which they are kept, or why there are none."""
        try:
            source = loaded(self.plan.make(point))
        except FAILURES as error:
            return f"refused: {error}"
        name = fingerprint(source, [self.plan.value, *digests(source)])
        size = 1 if is_training(source) else self.plan.replicates
        firsts = range(0, self.plan.replicates, size)
        return {f"{name}-{k}-{k + size}": TrialTask(source, self.plan.value, k, k + size) for k in firsts}

    def _kept(self, name: str, task: TrialTask) -> bool:
        if name not in self.before and self.parts is not None:
            kept = self.parts.load(name)
            if kept is not None and kept.dtype.kind == "U" and kept.shape == (1,):
                self.before[name] = str(kept[0])
            elif kept is not None and kept.dtype.kind == "f" and kept.shape == (task.last - task.first,):
                self.before[name] = kept
        return name in self.before

    def _keep(self, name: str, result: Array | str) -> None:
        self.before[name] = result
        if self.parts is not None:
            self.parts.store(name, np.array([result]) if isinstance(result, str) else result)

    def _joined(self, results: Sequence[Array | str]) -> tuple[Array, str]:
        failure = next((result for result in results if isinstance(result, str)), "")
        if failure:
            return np.zeros(0), failure
        numbers = np.concatenate([result for result in results if not isinstance(result, str)])
        without = int(np.count_nonzero(~np.isfinite(numbers)))
        return numbers, f"no number in {without} of {len(numbers)} replicates" if without else ""


class _Clock:
    """Counts trials, reports progress, and knows when the search is to stop."""

    def __init__(self, plan: SearchPlan, progress: SearchProgress | None) -> None:
        self._plan, self._progress = plan, progress
        self._started = monotonic()
        self._all = plan.most_trials
        self._done = 0
        self._best = math.nan
        self._method = ""
        self.reason = ""
        self.stopped = False

    def begin(self, method: str) -> None:
        """A search by the method begins."""
        self._method, self._of_one = method, 0
        self.stopped = self._out_of_time()

    def done(self, trial: Trial) -> None:
        """Counts a trial in, and stops the search where that is enough."""
        goal, until = self._plan.goal, self._plan.until
        self._done += 1
        self._of_one += 1
        if goal.score(trial.value) > goal.score(self._best):
            self._best = trial.value
        if self._progress is not None:
            self._progress(self._done, self._all, self._best)
        if until.trials is not None and self._of_one >= until.trials:
            self._stop(f"stopped after {until}, as asked for")
        if until.value is not None and goal.reached(trial.value, until.value):
            self._stop(f"stopped at trial {trial.number}: its value {trial.value:.6g} is as good as {until.value:g}")
        self.stopped = self._out_of_time() or self.stopped

    def end(self, trials: int) -> None:
        """The method has no more points."""
        wanted = self._plan.asked.trials
        self.reason = f"{trials} trials"
        if self._method == "grid" and trials < wanted:
            self.reason += f": the largest grid with at most {wanted}"
        elif self._method != "halving" and trials < wanted:
            self.reason += ", and the space has no more points"

    def _out_of_time(self) -> bool:
        seconds = self._plan.until.seconds
        if seconds is None or monotonic() - self._started < seconds:
            return False
        self._stop(f"stopped after {seconds:g} s, as asked for")
        return True

    def _stop(self, reason: str) -> None:
        self.reason, self.stopped = reason, True


def _column(values: list[Any]) -> Any:
    """Values of a hyperparameter: numbers, NaN where a trial has none, or else texts and None."""
    column = column_of([math.nan if value is None else value for value in values])
    if column.dtype.kind == "O":
        column[[value is None for value in values]] = None
    return column


def _at_costs(costs: Array, best: Array) -> Array:
    """The best so far once 1, 2, 3, … whole trials are paid for; NaN before the first is."""
    places = np.searchsorted(costs, np.arange(1, math.ceil(costs[-1] - 1e-9) + 1) + 1e-9, side="right") - 1
    return np.where(places >= 0, best[places], np.nan)


def _without(keys: Keys, plan: SearchPlan) -> Keys:
    """The hyperparameters of the space alone."""
    return {key: value for key, value in keys.items() if key in plan.space.keys}
