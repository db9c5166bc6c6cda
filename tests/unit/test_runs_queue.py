"""Whose turn it is: a run waits for all that is ahead of it, however that ends, and never for what has ended."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
from run_support import make_job, wait_for

from mia_tui.paths import StateFolder
from mia_tui.runs.list.find import list_runs
from mia_tui.runs.list.lifecycle import delete_run
from mia_tui.runs.record.events import Event, Phase
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker import queue
from mia_tui.runs.worker.liveness import WorkerLock, WorkerRecord, lives
from mia_tui.runs.worker.queue import last_behind, last_in_line, wait_for_turn


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "_LOOK_EVERY_S", 0.02)
    monkeypatch.setattr("mia_tui.runs.disk._LISTEN_EVERY_S", 0.01)
    monkeypatch.setattr("mia_tui.runs.worker.liveness.STARTING_S", 0.0)


@pytest.fixture
def locks() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def make(state: Path, number: int, after: RunDir | None = None) -> RunDir:
    job = make_job(state, created_at=1e9 + number)
    if after is not None:
        job = msgspec.structs.replace(job, after=str(after.path.resolve()))
    return RunDir.create(StateFolder(state), job, [], name=f"run{number}")


class Waiting:
    """A run that waits in a thread, as its worker would."""

    def __init__(self, run: RunDir) -> None:
        self.told: list[Event] = []
        self.stop = threading.Event()
        self.answer: bool | None = None
        self._thread = threading.Thread(target=self._wait, args=(run,), daemon=True)
        self._thread.start()

    def _wait(self, run: RunDir) -> None:
        self.answer = wait_for_turn(run, run.job(), self.told.append, self.stop.is_set)

    @property
    def words(self) -> list[str]:
        return [event.message for event in self.told if isinstance(event, Phase) and event.name == "waiting"]

    def goes_on(self) -> bool:
        self._thread.join(30.0)
        return self.answer is True

    def still_waits(self) -> bool:
        wait_for(lambda: bool(self.told))
        self._thread.join(0.15)
        return self.answer is None


def test_a_run_behind_nothing_begins_at_once_and_says_nothing(tmp_path: Path) -> None:
    told: list[Event] = []
    run = make(tmp_path, 1)
    assert wait_for_turn(run, run.job(), told.append, lambda: False)
    assert told == []


def test_a_run_waits_until_the_one_ahead_ends_however_it_ends(tmp_path: Path) -> None:
    first = make(tmp_path, 1)
    with WorkerLock(first):
        second = Waiting(make(tmp_path, 2, first))
        assert second.still_waits()
        assert second.words == [f"waiting for the run {first.name} to end"]
    assert second.goes_on()  # lost, as it happens


@pytest.mark.parametrize("how", ["never started", "deleted", "damaged"])
def test_a_run_behind_one_that_is_not_at_work_begins_at_once(tmp_path: Path, how: str) -> None:
    first = make(tmp_path, 1)
    second = make(tmp_path, 2, first)
    if how == "deleted":
        delete_run(first)
    elif how == "damaged":
        (first.path / "job.json").write_text("{")
    assert Waiting(second).goes_on()


def test_a_stop_is_heard_while_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "_LOOK_EVERY_S", 600.0)  # not only at the next look
    first = make(tmp_path, 1)
    with WorkerLock(first):
        second = Waiting(make(tmp_path, 2, first))
        assert second.still_waits()
        second.stop.set()
        wait_for(lambda: second.answer is False)


def test_deleting_a_run_in_the_middle_starts_nothing_early(tmp_path: Path, locks: ExitStack) -> None:
    first = make(tmp_path, 1)
    second = make(tmp_path, 2, first)
    third = make(tmp_path, 3, second)
    with WorkerLock(first):
        waiting = Waiting(third)
        assert waiting.still_waits()
        delete_run(second)
        assert waiting.still_waits()
    assert waiting.goes_on()


def test_two_runs_behind_the_same_one_do_not_begin_together(tmp_path: Path) -> None:
    first = make(tmp_path, 1)
    second, third = make(tmp_path, 2, first), make(tmp_path, 3, first)
    with WorkerLock(second):
        with WorkerLock(first):
            waiting = Waiting(third)
            assert waiting.still_waits()
        assert waiting.still_waits()
        assert waiting.words[-1] == f"waiting for the run {second.name} to end"
    assert waiting.goes_on()


def test_a_run_that_is_stopped_and_queued_at_the_end_lets_those_go_that_waited_for_it(
    tmp_path: Path, locks: ExitStack
) -> None:
    first = make(tmp_path, 1)
    second = make(tmp_path, 2, first)
    third = make(tmp_path, 3, second)
    with WorkerLock(first):
        with WorkerLock(second):
            at_third = locks.enter_context(ExitStack())
            at_third.enter_context(WorkerLock(third))
            earlier = Waiting(third)
            assert earlier.still_waits()
        second.put_after(third)
        locks.enter_context(WorkerLock(second))
        later = Waiting(second)
        assert later.still_waits() and earlier.still_waits()
    assert earlier.goes_on()
    assert later.still_waits(), "never both at once"
    at_third.close()
    assert later.goes_on()


def test_a_silent_worker_elsewhere_is_waited_for_and_said_so(tmp_path: Path) -> None:
    first = make(tmp_path, 1)
    record = WorkerRecord(
        pid=1, host="gpu3", boot_id="x", start_time=1, started_at=1.0, heartbeat=1.0, locked=True
    )
    first.worker_json.write_bytes(msgspec.json.encode(record))
    waiting = Waiting(make(tmp_path, 2, first))
    assert waiting.still_waits()
    assert waiting.words == [
        f"waiting for the run {first.name} to end; its worker is on another host and silent"
    ]
    first.worker_json.write_bytes(msgspec.json.encode(msgspec.structs.replace(record, released=True)))
    assert waiting.goes_on()


def test_a_job_that_makes_features_in_the_background_is_not_waited_for(
    tmp_path: Path, locks: ExitStack
) -> None:
    first, features = make(tmp_path, 1), make(tmp_path, 2)
    job = msgspec.json.decode((features.path / "job.json").read_bytes())
    (features.path / "job.json").write_bytes(msgspec.json.encode(job | {"kind": "features"}))
    locks.enter_context(WorkerLock(features))
    assert lives(features) and last_in_line([first, features]) is None
    locks.enter_context(WorkerLock(first))
    assert last_in_line([first, features]) == first


def test_the_end_of_the_line_is_the_run_that_begins_last(tmp_path: Path, locks: ExitStack) -> None:
    first = make(tmp_path, 1)
    runs = [first]
    assert last_in_line(runs) is None and last_behind(first, runs) is None
    locks.enter_context(WorkerLock(first))
    assert lives(first) and last_in_line(runs) == first
    third = make(tmp_path, 3, first)
    locks.enter_context(WorkerLock(third))
    fourth = make(tmp_path, 4, third)
    locks.enter_context(WorkerLock(fourth))
    make(tmp_path, 5, fourth)  # not at work
    runs = list_runs(StateFolder(tmp_path))
    assert last_in_line(runs) == fourth
    assert last_behind(first, runs) == fourth
    beside = make(tmp_path, 6)
    locks.enter_context(WorkerLock(beside))
    assert last_behind(first, list_runs(StateFolder(tmp_path))) == fourth


def test_a_queue_goes_on_where_its_dataset_was_moved_to_and_a_copy_waits_for_its_own_runs(
    tmp_path: Path, locks: ExitStack
) -> None:
    first = make(tmp_path / "cells" / "mia", 1)
    second = make(tmp_path / "cells" / "mia", 2, first)
    shutil.copytree(tmp_path / "cells", tmp_path / "copy")
    (tmp_path / "cells").rename(tmp_path / "moved")
    moved, copied = (tmp_path / name / "mia" / "runs" for name in ("moved", "copy"))
    locks.enter_context(WorkerLock(RunDir(moved / first.name)))
    waiting = Waiting(RunDir(moved / second.name))
    assert waiting.still_waits()
    assert Waiting(RunDir(copied / second.name)).goes_on()
    assert last_behind(RunDir(moved / first.name), list_runs(StateFolder(moved.parent))) is not None
    locks.close()
    assert waiting.goes_on()
