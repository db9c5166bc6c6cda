"""What becomes of runs: deleted, run anew, gone on with; live workers are real processes."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from patience import LONGEST_S
from run_support import epoch_row, make_run, python, started, wait_for

from mia_tui.errors import ConfigError, RunError
from mia_tui.runs.list import lifecycle
from mia_tui.runs.list.lifecycle import (
    again_config,
    changed_config,
    delete_run,
    drop_untrained_run,
    resume_run,
    wait_until_started,
)
from mia_tui.runs.record.events import Failure, Phase, RunEnded
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventLog
from mia_tui.runs.worker.liveness import WorkerLock, WorkerRecord, run_status

HOLD = """
    import signal, time
    from pathlib import Path
    from mia_tui.runs.worker.control import STOP_SIGNALS, StopRequest
    from mia_tui.runs.record.layout import RunDir
    from mia_tui.runs.worker.liveness import WorkerLock
    run = RunDir(Path(sys.argv[1]))
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)  # as the worker does
    with WorkerLock(run), StopRequest(run) as stop:
        stop.install_signals(foreground=False)
        print("held", flush=True)
        while not stop.requested():
            time.sleep(0.01)
        (run.path.parent.parent / "saved").touch()
"""


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return make_run(tmp_path / "mia", created_at=1e9)


@pytest.fixture
def worker(run: RunDir) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the run until it is asked to stop."""
    process = subprocess.Popen(python(HOLD, run.path), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


@pytest.fixture(autouse=True)
def settled(run: RunDir) -> None:
    """The run was made long ago."""
    os.utime(run.path / "job.json", (1e9, 1e9))


def test_an_ended_run_is_deleted_with_all_it_has(run: RunDir) -> None:
    run.checkpoints.mkdir()
    run.best_weights.write_bytes(b"weights")
    delete_run(run)
    assert not run.path.exists()


def test_a_live_run_is_stopped_first_with_a_word_to_its_worker(
    run: RunDir, worker: subprocess.Popen[str], tmp_path: Path
) -> None:
    delete_run(run)
    assert not run.path.exists()
    # The word is a file and then a signal, which may find a process that has read the file and is ending.
    assert worker.wait(LONGEST_S) in (0, -signal.SIGTERM)
    assert (tmp_path / "mia" / "saved").exists()


def test_a_worker_that_hangs_is_killed_before_its_run_is_deleted(
    run: RunDir, worker: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "_SAVING_S", 0.3)
    os.kill(worker.pid, signal.SIGSTOP)
    delete_run(run)
    assert not run.path.exists()
    assert worker.wait(LONGEST_S) == -signal.SIGKILL


@pytest.mark.parametrize("silent_s", [0.0, 1000.0])
def test_a_run_whose_worker_is_on_another_host_is_asked_to_stop_and_not_deleted(
    run: RunDir, monkeypatch: pytest.MonkeyPatch, silent_s: float
) -> None:
    monkeypatch.setattr(lifecycle, "_SAVING_S", 0.3)
    record = WorkerRecord(
        pid=1,
        host="gpu3",
        boot_id="x",
        start_time=1,
        started_at=1.0,
        heartbeat=time.time() - silent_s,
        locked=True,
    )
    run.worker_json.write_bytes(msgspec.json.encode(record))
    with pytest.raises(
        RunError, match=r"by its file `stop` only, since its worker is on gpu3\. Delete it when"
    ):
        delete_run(run)
    assert run.exists() and run.stop.exists()


def test_a_run_whose_record_names_somebody_elses_process_is_not_deleted_and_that_process_lives(
    run: RunDir, worker: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "_SAVING_S", 0.3)
    other = make_run(run.path.parent.parent, name="planted")
    other.worker_json.write_bytes(run.worker_json.read_bytes())
    other.worker_lock.hardlink_to(run.worker_lock)
    with pytest.raises(RunError, match=r"so it is not deleted: .* since its worker\.lock is a link\."):
        delete_run(other)
    assert other.exists() and other.stop.exists()
    assert worker.poll() is None and not run.stop.exists()


def test_a_worker_that_hangs_and_cannot_be_proved_ours_is_never_killed(
    run: RunDir, worker: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "_SAVING_S", 0.3)
    os.kill(worker.pid, signal.SIGSTOP)
    record = msgspec.json.decode(run.worker_json.read_bytes())
    run.worker_json.write_bytes(msgspec.json.encode({**record, "start_time": None}))
    with pytest.raises(RunError, match="does not show when its worker started"):
        delete_run(run)
    assert run.exists() and worker.poll() is None


def test_a_damaged_run_is_deleted_and_so_are_remains(run: RunDir) -> None:
    (run.path / "job.json").write_bytes(b"\xff")
    os.utime(run.path / "job.json", (1e9, 1e9))
    delete_run(run)
    assert not run.path.exists()
    run.path.mkdir()
    run.events.touch()
    delete_run(run)
    assert not run.path.exists()


def test_files_that_are_not_the_runs_own_survive_its_deletion(run: RunDir) -> None:
    own = run.path / "cells"
    (own / "mia").mkdir(parents=True)
    (own / "mia" / "labels.db").write_bytes(b"labels")
    run.predictions.symlink_to(own)
    with pytest.raises(RunError, match=r"is deleted; its folder .* stays, since it holds other files: cells"):
        delete_run(run)
    assert [path.name for path in run.path.iterdir()] == ["cells"]
    assert (own / "mia" / "labels.db").read_bytes() == b"labels"


def test_a_run_that_is_a_link_is_not_deleted_and_neither_is_what_it_leads_to(run: RunDir) -> None:
    link = RunDir(run.path.with_name("link"))
    link.path.symlink_to(run.path)
    with pytest.raises(RunError, match="is a link to another folder, so it is not deleted"):
        delete_run(link)
    assert link.path.is_symlink() and run.exists()


def test_a_run_that_is_gone_already_is_no_fault(run: RunDir) -> None:
    shutil.rmtree(run.path)
    delete_run(run)


def test_a_deletion_that_is_cut_short_leaves_no_run(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    run.checkpoints.mkdir()

    def refuse(name: str, **_: object) -> None:
        raise PermissionError(13, "Permission denied", name)

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(RunError, match=r"You may not write to .*checkpoints\."):
        delete_run(run)
    assert not run.exists()


def test_a_run_is_run_again_with_its_settings_and_changed_from_its_best_weights(run: RunDir) -> None:
    assert again_config(run) == run.job().config
    changed = changed_config(run)
    assert changed.weights == str(run.best_weights.resolve())
    assert msgspec.structs.replace(changed, weights="none") == msgspec.structs.replace(
        run.job().config, weights="none"
    )


def test_a_run_at_work_is_not_resumed(run: RunDir) -> None:
    with WorkerLock(run), pytest.raises(RunError, match="already being worked on"):
        resume_run(run)


@pytest.mark.parametrize(("trained", "kept"), [(False, False), (True, True)])
def test_what_died_of_a_mistake_before_it_trained_is_removed(run: RunDir, trained: bool, kept: bool) -> None:
    with EventLog(run.events) as log:
        if trained:
            log.append(started())
            log.append(epoch_row(1))
        log.append(RunEnded(t=9.0, outcome="failed", error=Failure("ConfigError", "No such GPU.", None)))
    with pytest.raises(ConfigError, match="No such GPU"):
        wait_until_started(run)
    assert run.exists() == kept


def test_what_died_of_another_cause_is_kept(run: RunDir) -> None:
    drop_untrained_run(run, RunError("The worker ended at once."))
    assert run.exists()


def test_a_run_that_waits_for_another_counts_as_started(run: RunDir) -> None:
    with EventLog(run.events) as log:
        log.append(Phase(t=1.0, name="waiting", message="waiting for the run A to end"))
    begun = time.monotonic()
    wait_until_started(run)
    assert time.monotonic() - begun < lifecycle.STARTING_S / 2


def test_a_worker_on_its_way_is_awaited_before_its_run_is_deleted(
    run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "STARTING_S", LONGEST_S)
    run.worker_log.touch()  # as `spawn` leaves it
    assert run_status(run) == "starting"
    process = subprocess.Popen(python(HOLD, run.path), stdout=subprocess.PIPE, text=True)
    delete_run(run)
    assert process.wait(LONGEST_S) == 0
    wait_for(lambda: not run.path.exists())
