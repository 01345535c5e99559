"""Runs trainings with NumPy: the same step again and again, each as a flat list of calls.

Unlike `evaluate` it does not look for infinities in every matrix: a training ends where its loss is not finite.
"""

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sheetsim.engine.blas import one_thread
from sheetsim.engine.evaluate import Program
from sheetsim.model.expr import Constant, Matrix
from sheetsim.model.op import OPS, Array, Op
from sheetsim.model.training import BY_RUN, ENDED, FIRST_RUN, Recording, TrainingLoop, drawn_at

# What a run of a training gives: records by name (kept steps × columns), and kept states by their number and step.
Results = dict[Hashable, Array]

Call = tuple[Callable[..., Any], tuple[int, ...], int, tuple[int, ...]]


class Calls:
    """Targets as a flat list of calls, made once; what depends on nothing that is given is computed once, too."""

    def __init__(self, targets: Iterable[Matrix], given: Iterable[Matrix], seed: int) -> None:
        program = Program(targets, given)
        targets = [node.expression for node in targets]
        given = [node.expression for node in given]
        live = program.live
        varies = set(given)
        for node in program.order:
            if any(arg in varies for arg in live[node]):
                varies.add(node)
        calls = [node for node in program.order if node in varies and node not in given]
        fixed = dict.fromkeys(arg for node in calls for arg in live[node] if arg not in varies)
        fixed |= dict.fromkeys(node for node in targets if node not in varies)
        place = {node: k for k, node in enumerate([*fixed, *given, *calls])}
        values = Program(fixed)(seed=seed)
        self._fixed = [values[node] for node in fixed]
        self._targets = [place[node] for node in targets]
        self._room = len(place)
        last: dict[int, int] = {}
        made = []
        for number, node in enumerate(calls):
            function, args = _call(node, live[node], place)
            made.append((function, args, place[node]))
            last |= dict.fromkeys((*args, place[node]), number)
        held = {*range(len(fixed)), *self._targets}
        dead: list[list[int]] = [[] for _ in calls]
        for one, number in last.items():
            if one not in held:
                dead[number].append(one)
        self._calls: list[Call] = [(*call, tuple(ends)) for call, ends in zip(made, dead, strict=True)]

    def __call__(self, given: Sequence[Array]) -> list[Array]:
        """The targets' values, in their order; given: values in the order of what is given."""
        values: list[Any] = [*self._fixed, *given]
        values += [None] * (self._room - len(values))
        for function, args, place, dead in self._calls:
            if len(args) == 2:
                values[place] = function(values[args[0]], values[args[1]])
            elif len(args) == 1:
                values[place] = function(values[args[0]])
            else:
                values[place] = function(*[values[arg] for arg in args])
            for end in dead:
                values[end] = None
        return [values[target] for target in self._targets]


def _same(x: Array) -> Array:
    return x


def _passed(a: Array, b: Array, d: Array) -> Array:
    """d where a > b, else 0: by a product, which takes a third of the time of a choice."""
    return np.multiply(d, a > b)


def _call(node: Matrix, live: Sequence[Matrix], place: dict[Matrix, int]) -> tuple[Callable[..., Any], tuple[int, ...]]:
    """What computes the node of its arguments; a few shapes that gradients have go a shorter way to the same."""
    source = node.source
    assert isinstance(source, Op)
    args = tuple(place[arg] for arg in live)
    if len(live) < len(node.args):  # of a choice, the chosen branch
        return _same, args
    if source is OPS["power"] and _is_constant(live[1], 2):
        return np.square, args[:1]
    if source is OPS["where"] and _is_constant(live[2], 0) and live[0].source is OPS["greater"]:
        left, right = (arg.expression for arg in live[0].args)
        if left in place and right in place and live[1].shape == node.shape == left.shape:
            return _passed, (place[left], place[right], args[1])
    return source.numpy, args


def _is_constant(node: Matrix, value: float) -> bool:
    return isinstance(node.source, Constant) and node.source.value == value


@dataclass
class Progress:
    """How far a run of a training is: what is needed to go on.

    step: steps that are done; state: in the order of the training's; rows: of each of the records, by name, so far;
    kept: states by number and step; loss: the last step's.
    """

    step: int
    state: list[Array]
    rows: dict[str, list[Array]] = field(default_factory=dict)
    kept: dict[tuple[int, int], Array] = field(default_factory=dict)
    loss: float = math.nan

    def packed(self, training: TrainingLoop) -> Array:
        """All of it in one row of numbers."""
        parts = [np.array([self.step, self.loss]), *self.state]
        for name, records in training.records.items():
            count = sum(step <= self.step for step in records.steps(training.steps))
            parts += [np.array([count]), *self.rows[name][:count]]
        parts += [np.array([len(self.kept)])]
        for (number, step), value in self.kept.items():
            parts += [np.array([number, step]), value]
        return np.concatenate([np.ravel(part) for part in parts])

    @classmethod
    def unpacked(cls, training: TrainingLoop, numbers: Array) -> "Progress":
        """The same again."""
        at = 0

        def take(count: int) -> Array:
            nonlocal at
            at += count
            return numbers[at - count : at]

        def matrix_of(variable: Matrix) -> Array:
            rows, columns = variable.shape
            return take(rows * columns).reshape(rows, columns).copy()

        step, loss = take(2)
        state = [matrix_of(variable.slot) for variable in training.state]
        rows: dict[str, list[Array]] = {}
        for name, records in training.records.items():
            count = int(take(1)[0])
            rows[name] = [take(len(records.columns)).copy() for _ in range(count)]
        kept = {}
        for _ in range(int(take(1)[0])):
            number, at_step = map(int, take(2))
            kept[number, at_step] = matrix_of(training.state[number].slot)
        return cls(int(step), state, rows, kept, float(loss))


class TrainingRun:
    """One run of a training, which goes on by steps; progress: where it was left."""

    def __init__(self, training: TrainingLoop, run: int = 0, seed: int | None = None, progress: Progress | None = None):
        self.training = training
        self.seed = training.seed_of(run, seed)
        slots = [variable.slot for variable in training.state]
        batches = training.batches
        data = list(batches.slots) if batches else []
        given = [*slots, training.step]
        given += [batches.slots[name] for name in data] if batches else []
        given += [draw.slot for draw in training.draws]
        self._after = [variable.after for variable in training.state]
        of_steps = {name: records for name, records in training.records.items() if not records.of_state}
        self._of_state = {name: records for name, records in training.records.items() if records.of_state}
        self._plain = Calls([training.loss, *self._after], given, self.seed)
        self._recording = {
            name: Calls(records.expressions.values(), given, self.seed) for name, records in of_steps.items()
        }
        if of_steps:
            all_records = [node for records in of_steps.values() for node in records.expressions.values()]
            self._full = Calls([training.loss, *self._after, *all_records], given, self.seed)
        self._measures = {
            name: Calls(records.expressions.values(), slots, self.seed) for name, records in self._of_state.items()
        }
        self._of_steps = of_steps
        self._kept_steps = {
            name: frozenset(records.steps(training.steps)) for name, records in training.records.items()
        }
        self._data = Program(batches.data.values())() if batches else {}
        self._columns = [self._data[batches.data[name]] for name in data] if batches else []
        if progress is None:
            start = [variable.start for variable in training.state]
            values = Program(start)(seed=self.seed)
            progress = Progress(0, [values[node] for node in start])
            progress.rows = {name: [] for name in training.records}
        self.progress = progress
        self._taken = batches.taken(self.seed) if batches else iter(())
        for _ in range(progress.step if batches else 0):
            next(self._taken)
        if progress.step == 0 and not any(progress.rows.values()):
            with one_thread(), np.errstate(all="ignore"):
                self._look(0, progress.state)

    @property
    def ended(self) -> bool:
        """Whether there is no further step: all are done, or the loss is not a finite number."""
        return self.progress.step >= self.training.steps or self.diverged

    @property
    def diverged(self) -> bool:
        """Whether the loss of the last step was not finite."""
        return self.progress.step > 0 and not math.isfinite(self.progress.loss)

    def advance(self, steps: int) -> None:
        """Goes on by so many steps, or fewer where it ends."""
        with one_thread(), np.errstate(all="ignore"):
            for _ in range(steps):
                if self.ended:
                    return
                self._step()

    def _step(self) -> None:
        training, progress = self.training, self.progress
        number = progress.step + 1
        given = [*progress.state, np.array([[float(number)]])]
        if training.batches:
            rows = next(self._taken)
            given += self._columns if rows is None else [column[rows] for column in self._columns]
        given += [drawn_at(draw, self.seed, number) for draw in training.draws]
        recorded = [name for name in self._of_steps if number in self._kept_steps[name]]
        calls = self._full if recorded and len(recorded) == len(self._of_steps) else self._plain
        values = calls(given)
        count = 1 + len(self._after)
        if calls is not self._plain:
            at = count
            for name, records in self._of_steps.items():
                end = at + len(records.expressions)
                progress.rows[name].append(_row(values[at:end]))
                at = end
        else:
            for name in recorded:
                progress.rows[name].append(_row(self._recording[name](given)))
        loss = float(values[0][0, 0])
        state = values[1:count]
        if not math.isfinite(loss):
            state = [np.full_like(value, np.nan) for value in state]
        self._look(number, state)
        # At once, and last: an interrupt before it leaves the step undone (rows that are too many are left out).
        progress.state, progress.step, progress.loss = state, number, loss

    def _look(self, step: int, state: Sequence[Array]) -> None:
        """Recording what is of the state, and keeps it where it is to be kept."""
        progress = self.progress
        for name in self._of_state:
            if step in self._kept_steps[name]:
                progress.rows[name].append(_row(self._measures[name](state)))
        if step in self.training.kept:
            progress.kept |= {(k, step): value for k, value in enumerate(state)}

    def results(self) -> Results:
        """What the run gives; NaN for what comes after a loss that is not a finite number."""
        training, progress = self.training, self.progress
        made: Results = {
            name: _filled(records, progress.rows[name], training.steps) for name, records in training.records.items()
        }
        made[ENDED] = np.array([[float(progress.step) if self.diverged else math.nan]])
        for number, variable in enumerate(training.state):
            for step in training.kept:
                made[number, step] = progress.kept.get((number, step), np.full(variable.slot.shape, np.nan))
        return made


def _row(values: Sequence[Array]) -> Array:
    return np.concatenate([value.ravel() for value in values])


def _filled(records: Recording, rows: Sequence[Array], steps: int) -> Array:
    table = np.full((len(records.steps(steps)), len(records.columns)), np.nan)
    if rows:
        table[: len(rows)] = rows
    return table


def trained(training: TrainingLoop, run: int = 0, seed: int | None = None) -> Results:
    """What one run of a training gives, from the first step to the last."""
    one = TrainingRun(training, run, seed)
    one.advance(training.steps)
    return one.results()


def joined(training: TrainingLoop, runs: Iterable[Results]) -> Results:
    """The results of all runs: records one under another, states of the first."""
    results = list(runs)
    return {
        part: np.concatenate([one[part] for one in results]) if isinstance(part, str) else value
        for part, value in results[0].items()
    }


def part_of(training: TrainingLoop, results: Results, part: Hashable) -> Array:
    """What an outcome is, of the results of all runs."""
    if isinstance(part, tuple) and part[0] == BY_RUN:
        _, name, column = part
        return np.ascontiguousarray(results[name][:, column].reshape(training.seeds, -1).T)
    if isinstance(part, tuple) and part[0] == FIRST_RUN:
        _, name, column = part
        records = training.records[name]
        before = list(records.expressions)[: list(records.expressions).index(column)]
        sizes = [node.shape[0] * node.shape[1] for node in (records.expressions[one] for one in [*before, column])]
        first, last = sum(sizes[:-1]), sum(sizes)
        return np.ascontiguousarray(results[name][: len(records.steps(training.steps)), first:last])
    return results[part]


def outcomes(training: TrainingLoop, seed: int | None = None) -> Results:
    """What a training gives over all its runs."""
    return joined(training, _each(training, seed))


def _each(training: TrainingLoop, seed: int | None) -> Iterator[Results]:
    for run in range(training.seeds):
        yield trained(training, run, seed)
