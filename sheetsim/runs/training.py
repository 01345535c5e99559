"""Trainings at work: each run of each network as a task, on processes or here; kept on the way, and taken up again."""

import hashlib
import pickle
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from msgspec import Struct

from sheetsim.engine.evaluate import Values
from sheetsim.engine.jobs import check_workers, in_order
from sheetsim.engine.training import Progress, Results, TrainingRun, joined, part_of
from sheetsim.model.expr import Matrix, Outcome
from sheetsim.model.packing import content
from sheetsim.model.training import TrainingLoop, trainings
from sheetsim.model.traversal import topological
from sheetsim.runs.parts import FORMAT, Parts
from sheetsim.version import __version__

# Steps between looks at the clock, and seconds between the states that are kept on the way.
STEPS_AT_ONCE = 20
SECONDS = 2.0


class TrainingNews(NamedTuple):
    """How far the trainings are.

    name, run: of the one at work; step: of `steps`; loss: of the last step; share: of all steps of all trainings that
    is done; left: seconds that the rest is likely to take.
    """

    name: str
    run: int
    step: int
    steps: int
    loss: float
    share: float
    left: float


TrainingProgress = Callable[[TrainingNews], None]


class TrainingOptions(Struct, frozen=True):
    """How trainings are run; their numbers do not depend on it.

    workers: processes; folder: where states are kept, if anywhere; resume: whether those that are there are used;
    progress: called now and then.
    """

    workers: int = 1
    folder: Path | None = None
    resume: bool = False
    progress: TrainingProgress | None = None


IN_THIS_PROCESS = TrainingOptions()


class TrainingTask(Struct, frozen=True):
    """One run of a training, pickled.

    folder, key: where its state is kept under which name, if at all; resume: whether to begin with what is there.
    """

    training: bytes
    run: int
    key: str = ""
    folder: Path | None = None
    resume: bool = False


@lru_cache(maxsize=2)
def _unpickled(training: bytes) -> TrainingLoop:
    made: TrainingLoop = pickle.loads(training)
    return made


def train_one(task: TrainingTask) -> Results:
    """What a task's run gives."""
    return train_run(_unpickled(task.training), task)


def train_run(training: TrainingLoop, task: TrainingTask, told: Callable[[TrainingRun], None] | None = None) -> Results:
    """The same of a training that is there; told: called with the run now and then.

    Its state is kept in the task's folder each few seconds, when it ends, and when it is interrupted.
    """
    parts = None if task.folder is None else Parts(task.folder)
    before = parts.load(task.key) if parts is not None and task.resume else None
    one = TrainingRun(training, task.run, progress=None if before is None else Progress.unpacked(training, before))
    kept_at = time.monotonic()
    try:
        while not one.ended:
            one.advance(STEPS_AT_ONCE)
            if told is not None:
                told(one)
            if parts is not None and time.monotonic() - kept_at > SECONDS:
                parts.store(task.key, one.progress.packed(training))
                kept_at = time.monotonic()
    except KeyboardInterrupt:
        # Between two steps or within one: the state is replaced at a step's end, all at once.
        if parts is not None:
            parts.store(task.key, one.progress.packed(training))
        raise
    if parts is not None and (before is None or one.progress.step != before[0]):
        parts.store(task.key, one.progress.packed(training))
    return one.results()


def train_key(training: TrainingLoop) -> str:
    """A name for what a training's numbers are made of, and who computes them."""
    digest = hashlib.blake2s(repr([FORMAT, __version__, np.__version__, training.seed, training.steps]).encode())
    plan: list[object] = [training.kept, [(name, one.every, one.of_state) for name, one in training.records.items()]]
    plan += [[(draw.distribution, draw.stream) for draw in training.draws]]
    plan += [training.batches and (training.batches.size, training.batches.order)]
    digest.update(repr(plan).encode())
    for piece in content(training.nodes()):
        digest.update(piece)
    return digest.hexdigest()[:32]


def trained_values(nodes: Iterable[Matrix], options: TrainingOptions = IN_THIS_PROCESS) -> Values:
    """The values of all outcomes of trainings that the nodes are made of."""
    check_workers(options.workers, None)
    outcomes = [node for node in topological(nodes) if isinstance(node.source, Outcome)]
    every = trainings(outcomes)
    tasks = _tasks(every, options)
    clock = _Clock(every, options.progress)
    results: list[Results] = []
    if options.workers == 1:
        for training, task in tasks:
            results.append(train_run(training, task, clock.told(training, task.run)))
            clock.done(training)
    else:
        pickled = [task for _, task in tasks]
        for (training, task), result in zip(tasks, in_order(train_one, pickled, workers=options.workers), strict=True):
            results.append(result)
            clock.done(training, task.run)
    return _by_outcome(every, outcomes, results)


def _tasks(every: Sequence[TrainingLoop], options: TrainingOptions) -> list[tuple[TrainingLoop, TrainingTask]]:
    tasks = []
    for training in every:
        pickled = pickle.dumps(training) if options.workers > 1 else b""
        key = train_key(training) if options.folder is not None else ""
        tasks += [
            (training, TrainingTask(pickled, run, f"{key}-{run}", options.folder, options.resume))
            for run in range(training.seeds)
        ]
    return tasks


def forget(folder: Path) -> None:
    """Removes the states that were kept, once the book that is made of them is there."""
    for path in folder.glob("*.npy"):
        path.unlink(missing_ok=True)
    with suppress(OSError):  # what else a person keeps there stays
        folder.rmdir()


def _by_outcome(every: Sequence[TrainingLoop], outcomes: Sequence[Matrix], results: Sequence[Results]) -> Values:
    rest: Iterator[Results] = iter(results)
    of = {training: joined(training, [next(rest) for _ in range(training.seeds)]) for training in every}
    values: Values = {}
    for node in outcomes:
        assert isinstance(node.source, Outcome)
        values[node] = part_of(node.source.training, of[node.source.training], node.source.part)
    return values


class _Clock:
    """Counts steps, and reports the progress of all trainings."""

    def __init__(self, every: Sequence[TrainingLoop], progress: TrainingProgress | None) -> None:
        self._all = sum(training.steps * training.seeds for training in every)
        self._before = 0
        self._started = time.monotonic()
        self._progress = progress

    def told(self, training: TrainingLoop, run: int) -> Callable[[TrainingRun], None] | None:
        """The news of a run that is going on."""
        if self._progress is None:
            return None
        return lambda one: self._say(training, run, one.progress.step, one.progress.loss)

    def done(self, training: TrainingLoop, run: int | None = None) -> None:
        """Counts a run that has ended."""
        self._before += training.steps
        if run is not None:
            self._say(training, run, 0, float("nan"))

    def _say(self, training: TrainingLoop, run: int, step: int, loss: float) -> None:
        if self._progress is None:
            return
        share = (self._before + step) / self._all
        passed = time.monotonic() - self._started
        left = passed * (1 - share) / share if share else float("inf")
        self._progress(TrainingNews(training.name, run, step, training.steps, loss, share, left))
