"""Following a run: what a screen is told, and that nothing is told that is not so."""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
import pytest
from run_support import epoch_row, finished, make_run, python, started, step, wait_for
from tui_support import make_context

from mia_tui.runs.evaluation.confusion import SavedConfusion, save_confusion
from mia_tui.runs.machine.gpus import Gpu, gpus_of_process
from mia_tui.runs.machine.system import host_name
from mia_tui.runs.record.events import ConfusionSaved, Failure, Phase, RunEnded
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventLog, encode_event
from mia_tui.runs.worker import liveness
from mia_tui.runs.worker.liveness import REMOTE_SILENT_S, WorkerLock, WorkerRecord
from mia_tui.tui.runs import follow as run_follow
from mia_tui.tui.runs.follow import SILENT_S, RunFollower, RunSnapshot
from mia_tui.tui.runs.words import doing, figures_line

WORKER = """
    import time
    from pathlib import Path
    from run_support import started
    from mia_tui.runs.record.log import EventLog
    from mia_tui.runs.record.events import Phase
    from mia_tui.runs.record.layout import RunDir
    from mia_tui.runs.worker.liveness import WorkerLock
    run = RunDir(Path(sys.argv[1]))
    with WorkerLock(run), EventLog(run.events) as log:
        log.append(started())
        log.append(Phase(t=time.time(), name="training", message="on the CPU"))
        print("ready", flush=True)
        time.sleep(600)
"""


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return make_run(tmp_path / "cells" / "mia", created_at=1e9)


@contextmanager
def worker(run: RunDir) -> Iterator[int]:
    """A process that has the run; its number."""
    process = subprocess.Popen(python(WORKER, run.path), stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
    finally:
        process.kill()
        process.wait()


class Follower:
    """A follower without its thread, and what it reports."""

    def __init__(self, run: RunDir, clock: Clock) -> None:
        self._reported: list[RunSnapshot] = []
        self._follower = RunFollower(run, self._reported.append, clock=clock)
        self.want = self._follower.want

    def poll(self) -> RunSnapshot | None:
        self._reported.clear()
        self._follower.poll()
        return self._reported[0] if self._reported else None


def follow(run: RunDir, clock: Clock) -> Follower:
    return Follower(run, clock)


def looked(follow: Follower, clock: Clock, *, after_s: float = 1.5) -> RunSnapshot:
    clock.now += after_s
    snapshot = follow.poll()
    assert snapshot is not None
    return snapshot


def write(run: RunDir, *events: object) -> None:
    with EventLog(run.events) as log:
        for event in events:
            log.append(event)


def test_a_snapshot_comes_only_when_something_is_different(run: RunDir, clock: Clock) -> None:
    write(run, started(), epoch_row(1, macro_f1=0.5), RunEnded(t=4.0, outcome="stopped"))
    watch = follow(run, clock)
    first = looked(watch, clock)
    assert (first.status, len(first.state.epochs), first.job and first.job.config.backbone) == (
        "stopped",
        1,
        "resnet18",
    )
    for _ in range(5):
        clock.now += 1.1
        assert watch.poll() is None
    write(run, started(2), step(1, 1))
    assert looked(watch, clock).state.attempt == 2
    assert len(first.state.epochs) == 1, "a snapshot stays as it was"


def test_the_last_words_of_a_worker_come_with_its_end(
    run: RunDir, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(run, started(), epoch_row(1, macro_f1=0.5))
    watch = follow(run, clock)
    looked(watch, clock)
    ask = liveness.run_status

    def ends_meanwhile(asked: RunDir) -> object:
        write(run, epoch_row(2, macro_f1=0.7), finished())
        return ask(asked)

    monkeypatch.setattr(liveness, "run_status", ends_meanwhile)
    snapshot = looked(watch, clock)
    assert (snapshot.status, snapshot.state.outcome, len(snapshot.state.epochs)) == (
        "finished",
        "finished",
        2,
    )


def test_a_worker_that_says_nothing_is_running_and_its_silence_is_told(run: RunDir, clock: Clock) -> None:
    with WorkerLock(run):
        write(run, started(), Phase(t=time.time(), name="training"), step(1, 1))
        watch = follow(run, clock)
        assert looked(watch, clock).silent_s is None
        assert looked(watch, clock, after_s=SILENT_S + 2).silent_s == SILENT_S + 2
        write(run, step(1, 2))
        assert looked(watch, clock).silent_s is None


def test_what_a_silent_worker_did_last_is_not_told_as_its_speed_of_now(run: RunDir, clock: Clock) -> None:
    with WorkerLock(run):
        write(run, started(), Phase(t=time.time(), name="training"), step(1, 1))
        watch = follow(run, clock)
        assert "100 images/s" in figures_line(looked(watch, clock), 120, make_context().ink)
        silent = looked(watch, clock, after_s=SILENT_S + 2)
        assert "images/s" not in figures_line(silent, 120, make_context().ink)


def test_that_a_full_disk_keeps_a_worker_from_telling_is_said_while_it_is_so(
    run: RunDir, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = {"full": True}
    monkeypatch.setattr(run_follow, "is_full", lambda folder: disk["full"] and folder == run.path)
    with WorkerLock(run):
        write(run, started(), Phase(t=time.time(), name="training", message="on the CPU"), step(1, 1))
        watch = follow(run, clock)
        assert "no step" not in doing(looked(watch, clock), "R")
        assert doing(looked(watch, clock, after_s=SILENT_S + 2), "R") == (
            "Training on the CPU; no step for 12 s. The disk that holds its folder is full: nothing can be written "
            "or saved until some space is free."
        )
    assert doing(looked(watch, clock), "R") == (
        "Its worker died. The disk that holds its folder is full: "
        "free some space, then R resumes it from the beginning."
    )
    disk["full"] = False
    assert doing(looked(watch, clock), "R") == "Its worker died; R resumes it from the beginning."


def test_of_a_run_that_failed_it_is_said_when_since_its_reason_may_be_gone(run: RunDir, clock: Clock) -> None:
    failure = Failure("RunError", "The disk that holds x is full.", "Free some space.")
    then = time.mktime((2020, 5, 4, 3, 2, 1, 0, 0, -1))
    write(run, started(), RunEnded(t=then, outcome="failed", error=failure))
    watch = follow(run, clock)
    assert (
        doing(looked(watch, clock), "R")
        == "Failed 2020-05-04: The disk that holds x is full. Free some space."
    )


def test_clocks_that_jump_make_no_silence(run: RunDir, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    with WorkerLock(run):
        write(run, started(t=9e9), Phase(t=-5.0, name="training"), step(1, 1))
        watch = follow(run, clock)
        assert looked(watch, clock).silent_s is None
        monkeypatch.setattr(time, "time", lambda: 5.0)  # set back by years
        write(run, step(1, 2))
        assert looked(watch, clock).silent_s is None
        assert looked(watch, clock, after_s=SILENT_S + 0.6).silent_s == int(SILENT_S + 0.6)


def test_a_stopped_process_is_running_and_a_killed_one_is_lost_within_five_seconds(run: RunDir) -> None:
    told: list[RunSnapshot] = []
    watch = RunFollower(run, told.append)
    with worker(run) as pid:
        watch.start()
        wait_for(lambda: bool(told) and told[-1].status == "running")
        os.kill(pid, signal.SIGSTOP)
        time.sleep(2.5)
        assert told[-1].status == "running"
        os.kill(pid, signal.SIGCONT)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: told[-1].status == "lost", timeout_s=4 * 5.0)  # the machine may be busy
    watch.stop()
    wait_for(lambda: not any(thread.name == "run" for thread in threading.enumerate()))


def test_a_worker_of_another_host_is_unknown_after_two_minutes_and_never_lost(
    run: RunDir, clock: Clock
) -> None:
    now = time.time()
    record = WorkerRecord(
        pid=1,
        host="elsewhere",
        boot_id="b",
        start_time=1,
        started_at=now - 900,
        heartbeat=now - 60,
        locked=True,
    )
    run.worker_json.write_bytes(msgspec.json.encode(record))
    write(run, msgspec.structs.replace(started(), host="elsewhere"), step(1, 1))
    watch = follow(run, clock)
    assert looked(watch, clock).status == "running"
    assert looked(watch, clock, after_s=REMOTE_SILENT_S + 1).status == "unknown"
    beats = msgspec.structs.replace(record, heartbeat=now - 9_000)  # its clock was put back
    run.worker_json.write_bytes(msgspec.json.encode(beats))
    assert looked(watch, clock).status == "running"


def test_of_a_deleted_folder_that_is_said_and_what_was_known_stays(run: RunDir, clock: Clock) -> None:
    write(run, started(), epoch_row(1, macro_f1=0.5), finished())
    watch = follow(run, clock)
    assert not looked(watch, clock).is_gone
    shutil.rmtree(run.path)
    snapshot = looked(watch, clock)
    assert snapshot.is_gone and len(snapshot.state.epochs) == 1 and snapshot.trouble == ""
    clock.now += 2
    assert watch.poll() is None


def test_a_folder_that_comes_back_is_read_again(run: RunDir, clock: Clock, tmp_path: Path) -> None:
    write(run, started(), epoch_row(1, macro_f1=0.5), finished())
    watch = follow(run, clock)
    looked(watch, clock)
    run.path.rename(tmp_path / "away")  # a network drive that is not there for a while
    assert looked(watch, clock).is_gone
    (tmp_path / "away").rename(run.path)
    snapshot = looked(watch, clock)
    assert not snapshot.is_gone and snapshot.status == "finished" and len(snapshot.state.epochs) == 1


def test_a_log_that_was_cut_is_read_anew(run: RunDir, clock: Clock) -> None:
    write(run, started(), epoch_row(1, macro_f1=0.5), epoch_row(2, macro_f1=0.6), finished())
    watch = follow(run, clock)
    assert len(looked(watch, clock).state.epochs) == 2
    run.events.write_bytes(encode_event(started()) + encode_event(epoch_row(1, macro_f1=0.9)))
    assert [row.val for row in looked(watch, clock).state.epochs] == [{"macro_f1": 0.9}]


def test_another_log_in_its_place_is_read_from_its_beginning(run: RunDir, clock: Clock) -> None:
    write(run, started(), finished())
    watch = follow(run, clock)
    looked(watch, clock)
    rows = [epoch_row(number, macro_f1=0.5) for number in range(1, 9)]
    run.events.write_bytes(b"".join(map(encode_event, [started(t=7.0), *rows])))
    assert len(looked(watch, clock).state.epochs) == 8


def test_half_a_line_waits_for_its_other_half_and_a_torn_one_is_counted(run: RunDir, clock: Clock) -> None:
    line = encode_event(epoch_row(1, macro_f1=0.5))
    run.events.write_bytes(encode_event(started()) + line[:20])
    watch = follow(run, clock)
    assert looked(watch, clock).state.epochs == []
    with run.events.open("ab") as file:
        file.write(line[20:])
    assert len(looked(watch, clock).state.epochs) == 1
    with run.events.open("ab") as file:
        file.write(line[:20] + b"\n" + encode_event(epoch_row(2, macro_f1=0.6)))
    snapshot = looked(watch, clock)
    assert (len(snapshot.state.epochs), snapshot.state.bad_lines) == (2, 1)


def test_files_that_cannot_be_read_are_named_and_read_when_they_can(run: RunDir, clock: Clock) -> None:
    run.events.mkdir()
    watch = follow(run, clock)
    assert "events.jsonl cannot be read" in looked(watch, clock).trouble
    run.events.rmdir()
    write(run, started(), finished())
    assert looked(watch, clock).trouble == ""


def test_a_job_that_cannot_be_read_is_said_and_its_events_are_shown(run: RunDir, clock: Clock) -> None:
    (run.path / "job.json").write_bytes(b"{")
    write(run, started(), epoch_row(1, macro_f1=0.5), finished())
    snapshot = looked(follow(run, clock), clock)
    assert snapshot.job is None and "job.json" in snapshot.trouble and len(snapshot.state.epochs) == 1


def test_two_watchers_of_one_run_see_the_same(run: RunDir, clock: Clock) -> None:
    one, other = follow(run, clock), follow(run, clock)
    with WorkerLock(run):
        for number in range(1, 4):
            write(run, started(number), epoch_row(number, macro_f1=0.1 * number))
            first, second = looked(one, clock, after_s=1.0), looked(other, clock, after_s=1.0)
            assert first.status == second.status == "running"
            assert first.state.epochs == second.state.epochs


def test_a_stop_that_was_asked_for_is_told_until_the_worker_has_ended(run: RunDir, clock: Clock) -> None:
    watch = follow(run, clock)
    with WorkerLock(run):
        write(run, started())
        assert not looked(watch, clock).is_stopping
        run.stop.touch()
        assert looked(watch, clock).is_stopping
        write(run, RunEnded(t=time.time() + 5, outcome="stopped"))
    assert not looked(watch, clock).is_stopping


def test_a_confusion_matrix_is_read_only_while_it_is_wanted_and_anew_with_each_epoch(
    run: RunDir, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    load = run_follow.load_confusion_report
    monkeypatch.setattr(
        run_follow, "load_confusion_report", lambda *args: (read.append(args[1]), load(*args))[1]
    )

    def epoch_ends(number: int) -> None:
        counts = np.full((2, 2), number)
        save_confusion(run.confusion("last"), SavedConfusion(number, "val", ("cat", "dog"), counts))
        write(
            run,
            epoch_row(number),
            ConfusionSaved(t=number, epoch=number, split="val", file="confusion/last.json"),
        )

    watch = follow(run, clock)
    epoch_ends(1)
    assert looked(watch, clock).report is None
    watch.want("last")
    report = looked(watch, clock).report
    assert report is not None and report.matrix.epoch == 1 and read == ["last"]
    clock.now += 2
    assert watch.poll() is None
    epoch_ends(2)
    report = looked(watch, clock).report
    assert report is not None and report.matrix.epoch == 2 and read == ["last", "last"]
    watch.want(None)
    assert looked(watch, clock).report is None


def test_a_damaged_confusion_matrix_is_named(run: RunDir, clock: Clock) -> None:
    run.confusion("last").parent.mkdir()
    run.confusion("last").write_bytes(b"[]")
    write(run, started(), ConfusionSaved(t=1.0, epoch=1, split="val", file="confusion/last.json"))
    watch = follow(run, clock)
    watch.want("last")
    assert "last.json holds no confusion matrix" in looked(watch, clock).trouble


def gpu(name: str, load: int | None) -> Gpu:
    return Gpu(
        uuid="x", name=name, total_bytes=80 * 10**9, free_bytes=60 * 10**9, load_percent=load, driver="1"
    )


@pytest.mark.parametrize(
    ("host", "device", "shown"), [("", "GPU A", 1), ("elsewhere", "GPU A", 0), ("", "CPU, 2 threads", 0)]
)
def test_memory_and_load_are_those_of_the_kind_of_gpu_that_the_run_has_on_this_machine(
    run: RunDir, clock: Clock, monkeypatch: pytest.MonkeyPatch, host: str, device: str, shown: int
) -> None:
    monkeypatch.setattr(run_follow, "nvidia_device_present", lambda: True)
    monkeypatch.setattr(run_follow, "list_gpus", lambda: [gpu("GPU A", 63), gpu("GPU B", 5)])
    with WorkerLock(run):
        write(run, msgspec.structs.replace(started(), host=host or host_name(), device=device), step(1, 1))
        snapshot = looked(follow(run, clock), clock)
        assert [found.name for found in snapshot.gpus] == ["GPU A"] * shown
        words, short = (figures_line(snapshot, columns, make_context().ink) for columns in (120, 50))
        assert ("GPU load 63 %, 20 GB of 80 GB in use" in words) == bool(shown)
        assert ("GPU 63 %, 20 GB of 80 GB" in short) == bool(shown)


def test_of_several_gpus_alike_only_the_one_that_the_worker_computes_on_is_shown() -> None:
    def gpu(uuid: str, name: str, *pids: int) -> Gpu:
        return Gpu(uuid, name, 80, 40, 50, "580", frozenset(pids))

    mine, idle, other = gpu("a", "H100", 7, 8), gpu("b", "H100"), gpu("c", "L4", 9)
    assert gpus_of_process([idle, mine, other], 7, "H100") == (mine,)
    assert gpus_of_process([idle, mine, other], 1, "H100") == (), "which of the two cannot be told"
    assert gpus_of_process([idle, other], 1, "L4") == (other,)
    assert gpus_of_process([mine, other], 9, "H100") == (mine,), (
        "an old number of another process says nothing"
    )
