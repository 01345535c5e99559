"""Tasks on processes and on a cluster: results in order, each once, and nothing left when one side dies."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from sheetsim.engine.blas import one_thread
from sheetsim.engine.jobs import in_order
from sheetsim.errors import SheetsimError


def squared(number: int) -> int:
    # The later ones are done first.
    time.sleep(0.02 if number % 3 == 0 else 0.0)
    return number**2


def marked(task: tuple[str, int]) -> int:
    """Leaves a mark that it has begun, and takes its time."""
    folder, number = task
    Path(folder, f"{number}-{os.getpid()}").touch()
    time.sleep(0.05)
    return number


def suicidal(number: int) -> int:
    if number == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def mistaken(number: int) -> int:
    if number == 3:
        raise SheetsimError("the third is wrong")
    return number


@pytest.mark.parametrize("how", [{}, {"workers": 2}, {"workers": 2, "scheduler": "local"}], ids=str)
def test_results_come_in_the_order_of_the_tasks(how: dict[str, object]) -> None:
    assert list(in_order(squared, range(40), **how)) == [n**2 for n in range(40)]  # type: ignore[arg-type]


def test_the_last_of_pythons_threads_to_leave_gives_the_blas_its_threads_back() -> None:
    def threads() -> set[int]:
        return {own["num_threads"] for own in threadpool_info() if own["user_api"] == "blas"}

    def briefly() -> None:
        with one_thread():
            pass

    with threadpool_limits(2, user_api="blas"):
        before = threads()
        with one_thread():
            other = Thread(target=briefly)
            other.start()
            other.join()
            assert threads() == {1}
        assert threads() == before


def test_tasks_are_drawn_as_results_are_taken() -> None:
    drawn: list[int] = []

    def tasks() -> Iterator[int]:
        for number in range(10_000):
            drawn.append(number)
            yield number

    results = in_order(squared, tasks(), workers=2)
    assert [next(results) for _ in range(3)] == [0, 1, 4]
    results.close()
    assert len(drawn) < 40


def slow(number: int) -> int:
    time.sleep(30 if number else 0)
    return number


def test_work_that_nobody_wants_any_more_is_not_waited_for() -> None:
    results = in_order(slow, range(8), workers=2)
    assert next(results) == 0
    start = time.monotonic()
    results.close()
    assert time.monotonic() - start < 15


def large(number: int) -> bytes:
    return bytes(20_000_000)


def test_workers_that_are_stopped_in_the_middle_of_a_result_leave_nobody_waiting() -> None:
    for _ in range(3):
        results = in_order(large, range(50), workers=2)
        assert len(next(results)) == 20_000_000
        results.close()


def missing(number: int) -> int:
    raise EOFError("the file ends here")


def test_what_a_task_raises_is_not_taken_for_a_lost_process() -> None:
    with pytest.raises(EOFError, match="the file ends here") as error:
        list(in_order(missing, range(4), workers=2))
    assert "in missing" in error.value.__notes__[0]


def test_a_killed_process_is_one_sentence() -> None:
    with pytest.raises(SheetsimError, match="a worker process ended before its work was done"):
        list(in_order(suicidal, range(20), workers=2))


@pytest.mark.parametrize("how", [{"workers": 2}, {"workers": 2, "scheduler": "local"}], ids=str)
def test_a_mistake_in_a_task_reaches_the_person(how: dict[str, object]) -> None:
    with pytest.raises(SheetsimError, match="the third is wrong"):
        list(in_order(mistaken, range(20), **how))  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker_midway_loses_and_repeats_nothing(tmp_path: Path) -> None:
    from distributed import Client, LocalCluster

    tasks = [(str(tmp_path), number) for number in range(60)]
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", processes=True) as cluster,
        Client(cluster) as client,
    ):
        before = set(client.run(os.getpid).values())
        results = in_order(marked, tasks, scheduler=cluster.scheduler_address)
        found = [next(results) for _ in range(8)]
        os.kill(min(before), signal.SIGKILL)
        found += results
        assert set(client.run(os.getpid).values()) != before
    assert found == list(range(60))
    # It did cost something: a task that was under way was begun again elsewhere, or the rest went to others.
    assert len(list(tmp_path.iterdir())) >= 60


ORPHANS = """
import os, sys, time
sys.path.insert(0, {tests!r})
from sheetsim.engine.jobs import in_order
from test_jobs import marked
if __name__ == "__main__":
    for number in in_order(marked, (({folder!r}, n) for n in range(10_000)), workers=2):
        print(number, flush=True)
"""


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    marks = tmp_path / "marks"
    marks.mkdir()
    script.write_text(ORPHANS.format(tests=str(Path(__file__).parent), folder=str(marks)))
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert [parent.stdout.readline().strip() for _ in range(4)] == ["0", "1", "2", "3"]
    workers = {int(mark.name.partition("-")[2]) for mark in marks.iterdir()}
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(Path(f"/proc/{pid}").exists() for pid in workers):
        time.sleep(0.1)
    assert len(workers) == 2
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]
