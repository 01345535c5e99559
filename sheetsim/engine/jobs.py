"""Runs tasks on processes of this machine or on a Dask cluster; their results come in the tasks' order, each once.

It knows neither what a task is nor what is done with a result.
"""

import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from sheetsim.arguments import text, whole
from sheetsim.engine.blas import one_thread
from sheetsim.errors import SheetsimError

Task = TypeVar("Task")
Result = TypeVar("Result")

# A task's result may wait for those before it: so many tasks a worker are under way or waiting.
TASKS_AHEAD = 4

# Each is a process of its own, and takes a tenth of a gigabyte.
MOST_WORKERS = 1024


def in_order(
    function: Callable[[Task], Result], tasks: Iterable[Task], *, workers: int = 1, scheduler: str | None = None
) -> Generator[Result, None, None]:
    """function(task) of each task, in their order; function must be importable, task and result picklable.

    workers: processes on this machine (1: this one); scheduler: the address of a Dask cluster, which then does it, or
    "local" for one of `workers` processes. Each task computes on one thread, so that a result depends on neither.
    Raises SheetsimError when the cluster cannot be reached, or when the system killed a process.
    """
    with crew(function, workers=workers, scheduler=scheduler) as run:
        yield from run(tasks)


# Results of tasks, in their order.
Crew = Callable[[Iterable[Task]], Iterator[Result]]


@contextmanager
def crew(
    function: Callable[[Task], Result], *, workers: int = 1, scheduler: str | None = None
) -> "Iterator[Crew[Task, Result]]":
    """The same for several lots of tasks, one after another: the processes stay between them.

    What it gives takes a lot's tasks, and gives their results in order; of a lot that is left before its end, what is
    under way is not waited for.
    """
    if scheduler is not None:
        with _client(workers, scheduler) as client:
            ahead = TASKS_AHEAD * max(1, sum(client.nthreads().values()))
            # pure: a task that is asked for twice is two tasks; retries are Dask's own when a worker is lost.
            yield lambda tasks: _windowed(lambda task: client.submit(alone, function, task, pure=False), tasks, ahead)
    elif workers == 1:
        yield lambda tasks: (alone(function, task) for task in tasks)
    else:
        team: list[_Worker] = []
        try:
            yield lambda tasks: _on_processes(function, tasks, workers, team)
        finally:
            _end(team)


def check_workers(workers: object, scheduler: object) -> None:
    """Raises SheetsimError for what is neither a number of processes nor a scheduler's address."""
    whole("workers", workers, 1, MOST_WORKERS)
    if scheduler is not None:
        text("the scheduler", scheduler)


def alone(function: Callable[..., Result], *arguments: Any) -> Result:
    """function(*arguments) with one thread of the BLAS."""
    with one_thread():
        return function(*arguments)


@dataclass(eq=False)
class _Worker:
    """A process with its own pipe.

    In a pipe that several processes share, one that ends in the middle of a result leaves half a message, and the
    reader would wait for the rest without end.
    """

    process: BaseProcess
    pipe: Connection
    number: int = -1  # of the task that it is at


def _on_processes(
    function: Callable[[Task], Result], tasks: Iterable[Task], workers: int, team: list[_Worker]
) -> Iterator[Result]:
    """A worker has one task at a time. Work goes on until TASKS_AHEAD results a worker wait for one before them.

    team: the processes that are there already; those that are started join it.
    """
    rest = enumerate(tasks)
    busy: list[_Worker] = []
    done: dict[int, Any] = {}
    asked_for, given = 0, 0
    try:
        while True:
            while len(busy) < workers and given < asked_for + TASKS_AHEAD * workers and (task := next(rest, None)):
                idle = next((worker for worker in team if worker not in busy), None)
                if idle is None:
                    team.append(idle := _started(function))
                idle.number = task[0]
                with _lost_worker_named():
                    idle.pipe.send(task[1])
                busy.append(idle)
                given += 1
            if not busy and asked_for not in done:
                return
            ready = wait([worker.pipe for worker in busy], timeout=0 if asked_for in done else None)
            for worker in [worker for worker in busy if worker.pipe in ready]:
                busy.remove(worker)
                with _lost_worker_named():
                    done[worker.number] = worker.pipe.recv()
            if asked_for in done:
                result = done.pop(asked_for)
                if isinstance(result, Exception):
                    raise result
                asked_for += 1
                yield result
    finally:
        # Also after Ctrl-C, a mistake, or when nobody wants more: what is under way is not waited for.
        _end(busy)
        team[:] = [worker for worker in team if worker not in busy]


def _end(team: list[_Worker]) -> None:
    for worker in team:
        worker.process.kill()
    for worker in team:
        worker.process.join()
        worker.pipe.close()


@contextmanager
def _lost_worker_named() -> Iterator[None]:
    try:
        yield
    except (EOFError, OSError):
        raise SheetsimError(
            "a worker process ended before its work was done (killed, or out of memory): use fewer workers. "
            "A script that uses workers must start under `if __name__ == '__main__':`"
        ) from None


def _started(function: Callable[[Task], Result]) -> _Worker:
    # A fork would copy the locks of threads that it does not copy.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(function, theirs), daemon=True)
    with _unseen_interrupts():
        process.start()
    # What is left open here would keep the pipe from ending with the process.
    theirs.close()
    return _Worker(process, ours)


def _work(function: Callable[[Task], Result], pipe: Connection) -> None:
    """A worker process leaves Ctrl-C to its parent, and ends when the parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
    while True:
        task = pipe.recv()
        try:
            result: Any = alone(function, task)
        except Exception as error:
            error.add_note(f"in a worker process: {traceback.format_exc()}")
            result = error
        pipe.send(result)


@contextmanager
def _client(workers: int, scheduler: str) -> Iterator[Any]:
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise SheetsimError("a cluster needs Dask: pip install 'sheetsim[cluster]'") from None
    if scheduler == "local":
        with ExitStack() as stack:
            with _unseen_interrupts():
                cluster = stack.enter_context(
                    LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0")
                )
            yield stack.enter_context(Client(cluster))
        return
    try:
        client = Client(scheduler, timeout=10)
    except Exception as error:  # each protocol of Dask has its own
        raise SheetsimError(f"cannot reach a Dask scheduler at {scheduler!r}: {error}") from None
    with client:
        yield client


@contextmanager
def _unseen_interrupts() -> Iterator[None]:
    """Processes that are started meanwhile leave Ctrl-C to this one, which takes it again afterwards."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _windowed(submit: Callable[[Task], Any], tasks: Iterable[Task], ahead: int) -> Iterator[Any]:
    """Results in order, with at most `ahead` tasks under way: neither tasks nor results pile up."""
    rest = iter(tasks)
    waiting = deque(submit(task) for task in islice(rest, ahead))
    try:
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(submit(task) for task in islice(rest, 1))
            yield result
    finally:
        for future in waiting:
            future.cancel()
