import errno
import fcntl
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from run_support import finished, make_run, run_python, started, step, wait_for

from mia_tui.errors import RunError
from mia_tui.files import read
from mia_tui.runs.machine.system import boot_id, host_name, process_runs, start_time
from mia_tui.runs.record.events import RunEnded
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventLog
from mia_tui.runs.worker import liveness
from mia_tui.runs.worker.liveness import (
    REMOTE_SILENT_S,
    STARTING_S,
    StatusTracker,
    WorkerLock,
    WorkerRecord,
    probe_lock,
    read_record,
    run_status,
)


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return make_run(tmp_path / "mia")


def record(**fields: Any) -> WorkerRecord:
    """What a worker of this process on this host would have written, but for `fields`."""
    base = WorkerRecord(
        pid=os.getpid(),
        host=host_name(),
        boot_id=boot_id(),
        start_time=start_time(os.getpid()),
        started_at=100.0,
        heartbeat=100.0,
        locked=True,
    )
    return msgspec.structs.replace(base, **fields)


def leave(run: RunDir, left: WorkerRecord) -> None:
    run.worker_json.write_bytes(msgspec.json.encode(left))
    run.worker_lock.touch()


def seen_from_elsewhere(run: RunDir) -> str:
    """The status as another process sees it."""
    return run_python(
        """
        from pathlib import Path
        from mia_tui.runs.record.layout import RunDir
        from mia_tui.runs.worker.liveness import run_status
        print(run_status(RunDir(Path(sys.argv[1]))))
        """,
        run.path,
    )


def test_a_new_run_is_starting_and_later_merely_created(run: RunDir) -> None:
    assert run_status(run) == "starting"
    assert run_status(run, now=time.time() + STARTING_S) == "created"


def test_a_spawned_worker_that_has_not_spoken_is_starting_again(run: RunDir) -> None:
    old = time.time() - 1000
    os.utime(run.path / "job.json", (old, old))
    assert run_status(run) == "created"
    run.worker_log.touch()
    assert run_status(run) == "starting"


def test_a_held_run_is_running_for_its_own_process_and_for_others(run: RunDir) -> None:
    with WorkerLock(run):
        assert run_status(run) == "running"
        assert probe_lock(run).pid == os.getpid()
        assert seen_from_elsewhere(run) == "running"
    assert not probe_lock(run).held


def test_looking_from_the_worker_does_not_drop_its_lock(run: RunDir) -> None:
    with WorkerLock(run):
        for _ in range(3):
            run_status(run)
            with pytest.raises(RunError, match="already being worked on by process"):
                WorkerLock(run).__enter__()
        assert seen_from_elsewhere(run) == "running"


def test_a_worker_that_ended_without_a_word_is_lost(run: RunDir) -> None:
    with WorkerLock(run):
        pass
    assert run_status(run) == "lost"
    left = read_record(run)
    assert left is not None and left.released


@pytest.mark.parametrize("outcome", ["finished", "stopped", "failed"])
def test_a_worker_that_ended_is_what_it_said(run: RunDir, outcome: Any) -> None:
    with WorkerLock(run), EventLog(run.events) as log:
        log.append(started())
        log.append(RunEnded(t=time.time(), outcome=outcome))
        assert run_status(run) == "running"
    assert run_status(run) == outcome


def test_an_attempt_that_died_before_its_first_event_is_lost(run: RunDir) -> None:
    with EventLog(run.events) as log:
        log.append(finished(t=50.0))
    leave(run, record(started_at=60.0, pid=1))
    assert run_status(run) == "lost"
    leave(run, record(started_at=40.0, pid=1))
    assert run_status(run) == "finished"


def test_an_attempt_that_found_nothing_to_do_leaves_the_run_as_it_was(run: RunDir) -> None:
    with EventLog(run.events) as log:
        log.append(finished(t=50.0))
    with pytest.raises(RunError), WorkerLock(run):
        raise RunError("The run is finished.")
    assert run_status(run) == "finished"


def test_a_copied_run_without_its_worker_file_keeps_its_end(run: RunDir) -> None:
    with EventLog(run.events) as log:
        log.append(started())
        log.append(finished())
    assert run_status(run) == "finished"


def test_a_run_with_events_and_nobody_is_lost(run: RunDir) -> None:
    with EventLog(run.events) as log:
        log.append(step(1, 1))
    assert run_status(run, now=time.time() + STARTING_S) == "lost"


def test_a_silent_worker_of_another_host_is_unknown_and_never_lost(run: RunDir) -> None:
    leave(run, record(host="elsewhere", boot_id="x", heartbeat=1000.0))
    assert run_status(run, now=1000.0 + REMOTE_SILENT_S - 1) == "running"
    assert run_status(run, now=1000.0 + REMOTE_SILENT_S) == "unknown"
    assert run_status(run, now=1000.0 + 1e9) == "unknown"
    assert run_status(run, now=900.0) == "running"


def test_a_worker_of_another_host_that_let_go_is_lost(run: RunDir) -> None:
    leave(run, record(host="elsewhere", boot_id="x", heartbeat=1000.0, released=True))
    assert run_status(run, now=1001.0) == "lost"


def test_a_restart_of_this_host_loses_the_worker(run: RunDir) -> None:
    leave(run, record(boot_id="before", heartbeat=1000.0))
    assert run_status(run, now=1001.0) == "lost"


def test_a_worker_in_another_container_of_this_host_is_judged_by_its_lock(run: RunDir) -> None:
    leave(run, record(host="container", heartbeat=1000.0))
    assert run_status(run, now=1001.0) == "lost"


def test_a_run_that_lives_on_another_host_is_not_taken(run: RunDir) -> None:
    leave(run, record(host="elsewhere", boot_id="x", heartbeat=time.time()))
    with pytest.raises(RunError, match=r"process \d+ on elsewhere.*within 120 seconds"):
        WorkerLock(run).__enter__()
    leave(run, record(host="elsewhere", boot_id="x", heartbeat=time.time() - REMOTE_SILENT_S))
    with WorkerLock(run, heartbeat_s=0.02):
        assert run_status(run) == "running"


def test_a_run_is_not_taken_from_a_host_whose_clock_is_wrong_while_its_heart_beats(run: RunDir) -> None:
    leave(run, record(host="elsewhere", boot_id="x", heartbeat=5000.0))
    assert run_status(run) == "unknown"
    beat = threading.Timer(0.3, leave, (run, record(host="elsewhere", boot_id="x", heartbeat=5005.0)))
    beat.start()
    with pytest.raises(RunError, match="on elsewhere"):
        WorkerLock(run, heartbeat_s=5.0).__enter__()
    beat.join()


@pytest.mark.parametrize("skew_s", [-1e6, 0.0, 1e6])
def test_a_watcher_believes_a_beating_heart_whatever_the_clock_of_its_host(
    run: RunDir, skew_s: float
) -> None:
    pulse, there = StatusTracker(), time.time() + skew_s
    leave(run, record(host="elsewhere", boot_id="x", heartbeat=there))
    assert pulse.status(run, tick=0.0) == ("running" if skew_s == 0.0 else "unknown")
    leave(run, record(host="elsewhere", boot_id="x", heartbeat=there + 5.0))
    assert pulse.status(run, tick=5.0) == "running"
    assert pulse.status(run, tick=5.0 + REMOTE_SILENT_S - 1) == "running"
    assert pulse.status(run, tick=5.0 + REMOTE_SILENT_S) == "unknown"
    leave(run, record(host="elsewhere", boot_id="x", heartbeat=there + 200.0))
    assert pulse.status(run, tick=200.0) == "running"


def test_a_clock_that_was_put_back_leaves_nothing_starting(run: RunDir) -> None:
    run.worker_log.touch()
    assert run_status(run, now=time.time() - 3600.0) != "starting"


def test_a_damaged_record_is_as_none(run: RunDir) -> None:
    run.worker_json.write_bytes(b'{"pid": 1')
    assert read_record(run) is None
    assert run_status(run) == "starting"


def test_the_heart_beats_while_the_run_is_held(run: RunDir) -> None:
    with WorkerLock(run, heartbeat_s=0.02):
        first = read_record(run)
        assert first is not None
        wait_for(lambda: (read_record(run) or first).heartbeat > first.heartbeat)
        assert (read_record(run) or first).started_at == first.started_at


def test_who_takes_a_run_removes_what_killed_writers_left_and_nothing_that_is_being_written(
    run: RunDir,
) -> None:
    left, young = (run.path / f".job.json.{number:016x}.tmp" for number in range(2))
    for path in (left, young):
        path.write_bytes(b"half")
    os.utime(left, (0, 0))
    with WorkerLock(run):
        assert not left.exists() and young.exists()


def test_a_heartbeat_that_finds_no_room_does_not_end_the_run(
    run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[bool] = []

    def full(*_: object, **__: object) -> None:
        tried.append(True)
        raise RunError("The disk is full.")

    with WorkerLock(run, heartbeat_s=0.01):
        monkeypatch.setattr(liveness, "write_atomically", full)
        wait_for(lambda: len(tried) > 3)
    assert not probe_lock(run).held


def test_a_run_that_cannot_be_written_is_not_held(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise RunError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(liveness, "write_atomically", full)
        with pytest.raises(RunError, match="full"):
            WorkerLock(run).__enter__()
    assert not probe_lock(run).held
    with WorkerLock(run):
        pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_without_locks_the_process_tells(run: RunDir, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "lockf", refuse)
    monkeypatch.setattr(fcntl, "fcntl", refuse)
    with WorkerLock(run):
        left = read_record(run)
        assert left is not None and not left.locked
        assert run_status(run) == "running"
        with pytest.raises(RunError, match="already being worked on"):
            WorkerLock(run).__enter__()
    assert run_status(run) == "lost"


def test_without_locks_a_zombie_counts_as_dead(run: RunDir) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    began = start_time(child.pid)
    leave(run, record(pid=child.pid, start_time=began, locked=False))
    assert run_status(run) == "running"
    child.kill()
    wait_for(lambda: not process_runs(child.pid, began))
    assert (
        Path(f"/proc/{child.pid}").exists() or sys.platform == "darwin"
    )  # a zombie: nobody has waited for it
    assert run_status(run) == "lost"
    child.communicate()
    assert run_status(run) == "lost"


def test_without_locks_another_process_of_the_same_number_counts_as_dead(run: RunDir) -> None:
    leave(run, record(start_time=1, locked=False))
    assert run_status(run) == "lost"


def test_an_unknown_start_fits_no_process_so_the_heartbeat_tells(run: RunDir) -> None:
    assert not process_runs(os.getpid(), None)
    leave(run, record(start_time=None, locked=False, heartbeat=1000.0))
    assert run_status(run, now=1000.0 + REMOTE_SILENT_S - 1) == "running"
    assert run_status(run, now=1000.0 + REMOTE_SILENT_S) == "lost"


def test_a_process_named_like_a_riddle_is_read_right(tmp_path: Path) -> None:
    name = tmp_path / "a) Z 1 (b"
    name.symlink_to("/bin/sleep")
    child = subprocess.Popen([name, "60"])
    try:
        wait_for(lambda: ") Z 1" in Path(f"/proc/{child.pid}/stat").read_text())
        assert process_runs(child.pid, start_time(child.pid))
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("how", ["link", "second name"])
def test_a_run_keeps_its_lock_when_an_image_turns_out_to_be_its_lock_file(
    run: RunDir, tmp_path: Path, how: str
) -> None:
    image = tmp_path / "cell.tif"
    with WorkerLock(run):
        if how == "link":
            image.symlink_to(run.worker_lock)
        else:
            image.hardlink_to(run.worker_lock)
        with pytest.raises(OSError, match="has locked"):
            read(image, follow=True)
        assert seen_from_elsewhere(run).startswith("running")
    assert read(image, follow=True) == b""
