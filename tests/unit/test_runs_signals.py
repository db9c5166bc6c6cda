"""A signal goes to a run's own worker only: every fact that could be wrong, one at a time, with a real process."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from patience import LONGEST_S
from run_support import make_run

from mia_tui.runs.actions.ending import StopRun
from mia_tui.runs.machine.system import boot_id, host_name, start_time
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker import signals
from mia_tui.runs.worker.control import KILL_AFTER_S, request_stop
from mia_tui.runs.worker.liveness import WorkerRecord
from mia_tui.runs.worker.signals import signal_worker

_HOLD = """
import fcntl, sys, time
with open(sys.argv[1], "a+") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    print("held", flush=True)
    time.sleep(300)
"""


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return make_run(tmp_path / "mia")


@pytest.fixture
def hold() -> Iterator[Callable[[Path], "subprocess.Popen[str]"]]:
    """Starts processes that hold the lock of a file, and know nothing of stop files."""
    processes = []

    def start(path: Path) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-ISc", _HOLD, str(path)], stdout=subprocess.PIPE, text=True
        )
        processes.append(process)
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def victim(run: RunDir, hold: Callable[[Path], "subprocess.Popen[str]"]) -> "subprocess.Popen[str]":
    """A process of this user that holds the run, with the record of a worker that tells the truth."""
    process = hold(run.worker_lock)
    write_record(run, process.pid)
    return process


def write_record(run: RunDir, pid: int, **fields: Any) -> None:
    now = time.time()
    record = WorkerRecord(
        pid=pid,
        host=host_name(),
        boot_id=boot_id(),
        start_time=start_time(pid),
        started_at=now,
        heartbeat=now,
        locked=True,
    )
    run.worker_json.write_bytes(msgspec.json.encode(msgspec.structs.replace(record, **fields)))


def assert_only_asked(run: RunDir, victim: "subprocess.Popen[str]", why: str) -> None:
    """The stop file is written, the sentence says why no more was done, and the process lives."""
    result = request_stop(run)
    assert (result.signalled, result.may_kill) == (False, False)
    assert run.stop.exists()
    assert result.doubt is not None and why in result.doubt
    assert f"is asked to stop by its file `stop` only, since {result.doubt};" in StopRun(run).sentence(result)
    late = request_stop(run, now=time.time() + KILL_AFTER_S)
    assert not late.may_kill and "it gets no signal, since" in StopRun(run).sentence(late)
    assert signal_worker(run, signal.SIGKILL) == result.doubt
    time.sleep(0.05)
    assert victim.poll() is None


def test_where_all_agrees_the_worker_gets_the_signal(run: RunDir, victim: "subprocess.Popen[str]") -> None:
    assert signal_worker(run, 0) is None
    result = request_stop(run)
    assert result.signalled and run.stop.exists()
    assert "it ends after the current step, with a checkpoint" in StopRun(run).sentence(result)
    assert victim.wait(LONGEST_S) == -signal.SIGTERM
    assert signal_worker(run, 0) == f"process {victim.pid} has ended"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"boot_id": "another"}, "its worker is on"),
        ({"host": "gpu3\x1b[2J"}, "its worker is on gpu3"),
        ({"start_time": None}, "does not show when its worker started"),
        ({"start_time": 1}, "is not the one that locked it"),
        ({"locked": False}, "the disk has no locks"),
        ({"pid": 0}, "its worker.json cannot be read"),
        ({"pid": -1}, "its worker.json cannot be read"),
        ({"pid": 1 << 40}, "its worker.json cannot be read"),
        ({"pid": os.getppid()}, "is not the one that locked it"),
        ({"pid": os.getppid(), "start_time": start_time(os.getppid())}, "does not hold its worker.lock"),
    ],
)
def test_a_record_that_is_wrong_in_one_thing_leads_to_no_signal(
    run: RunDir, victim: "subprocess.Popen[str]", fields: dict[str, Any], why: str
) -> None:
    write_record(run, **{"pid": victim.pid, "start_time": start_time(victim.pid), **fields})
    assert_only_asked(run, victim, why)


def test_an_unknown_boot_is_never_believed(
    run: RunDir, victim: "subprocess.Popen[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    write_record(run, victim.pid, boot_id="")
    for module in ("mia_tui.runs.worker.liveness", "mia_tui.runs.worker.signals"):
        monkeypatch.setattr(f"{module}.boot_id", lambda: "")
    assert_only_asked(run, victim, "does not show when its worker started")


def test_a_record_of_another_user_leads_to_no_signal(
    run: RunDir, victim: "subprocess.Popen[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    assert_only_asked(run, victim, "its worker.json belongs to another user")


def test_a_process_of_another_user_gets_no_signal(
    run: RunDir, victim: "subprocess.Popen[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    assert signals._users(victim.pid) == {os.geteuid()}
    monkeypatch.setattr(signals, "_users", lambda pid: {os.geteuid(), os.geteuid() + 1})
    assert_only_asked(run, victim, "belongs to another user")


def test_a_lock_that_another_process_holds_leads_to_no_signal(
    run: RunDir, hold: Callable[[Path], "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    hold(run.worker_lock)
    victim = hold(tmp_path / "lock of another program")
    write_record(run, victim.pid)
    assert_only_asked(run, victim, f"process {victim.pid} does not hold its worker.lock")


def test_a_free_lock_leads_to_no_signal(
    run: RunDir, hold: Callable[[Path], "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    victim = hold(tmp_path / "lock of another program")
    run.worker_lock.touch()
    write_record(run, victim.pid, locked=True)
    assert signal_worker(run, signal.SIGTERM) == f"process {victim.pid} does not hold its worker.lock"
    assert victim.poll() is None


@pytest.mark.parametrize("make", [Path.hardlink_to, Path.symlink_to])
def test_a_lock_that_is_a_link_to_the_lock_of_another_program_leads_to_no_signal(
    run: RunDir,
    hold: Callable[[Path], "subprocess.Popen[str]"],
    tmp_path: Path,
    make: Callable[[Path, Path], None],
) -> None:
    lock = tmp_path / "lock of another program"
    victim = hold(lock)
    make(run.worker_lock, lock)
    write_record(run, victim.pid)
    assert_only_asked(run, victim, "its worker.lock is a link")


def test_a_record_that_is_a_link_leads_to_no_signal(run: RunDir, victim: "subprocess.Popen[str]") -> None:
    real = run.worker_json.rename(run.path / "real")
    run.worker_json.symlink_to(real)
    assert signal_worker(run, signal.SIGTERM) == "its worker.json cannot be read"
    run.worker_json.unlink()
    run.worker_json.hardlink_to(real)
    assert signal_worker(run, signal.SIGTERM) == "its worker.json is a link"
    assert victim.poll() is None


@pytest.mark.parametrize("content", [b"", b"[" * 200_000, b"\xff", b'{"pid": "1"}', b"null"])
def test_a_damaged_record_leads_to_no_signal(
    run: RunDir, victim: "subprocess.Popen[str]", content: bytes
) -> None:
    run.worker_json.write_bytes(content)
    assert signal_worker(run, signal.SIGTERM) == "its worker.json cannot be read"
    assert victim.poll() is None


def test_pipes_in_place_of_the_files_are_not_waited_for(run: RunDir) -> None:
    os.mkfifo(run.worker_json)
    assert signal_worker(run, signal.SIGTERM) == "its worker.json is not a regular file"


def test_a_file_system_that_lies_about_the_lock_is_not_believed(
    run: RunDir,
    hold: Callable[[Path], "subprocess.Popen[str]"],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    victim = hold(tmp_path / "lock of another program")
    run.worker_lock.touch()
    write_record(run, victim.pid)
    monkeypatch.setattr(signals, "lock_holder", lambda descriptor: (True, victim.pid))
    assert signal_worker(run, signal.SIGTERM) == f"process {victim.pid} does not hold its worker.lock"
    assert victim.poll() is None


def test_a_record_that_is_replaced_while_it_is_judged_changes_nothing(
    run: RunDir,
    victim: "subprocess.Popen[str]",
    hold: Callable[[Path], "subprocess.Popen[str]"],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = hold(tmp_path / "lock of another program")
    look = signals.process_runs

    def replace(pid: int, started: int | None) -> bool:
        write_record(run, other.pid)
        return look(pid, started)

    monkeypatch.setattr(signals, "process_runs", replace)
    assert signal_worker(run, signal.SIGTERM) is None
    assert victim.wait(LONGEST_S) == -signal.SIGTERM
    assert other.poll() is None


def test_a_number_that_passes_to_another_process_while_it_is_judged_is_not_signalled(
    run: RunDir, victim: "subprocess.Popen[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[int] = []
    look = signals._has_open

    def die(pid: int, wanted: os.stat_result) -> bool:
        found = look(pid, wanted)
        victim.kill()
        victim.wait()
        monkeypatch.setattr(os, "kill", lambda pid, number: killed.append(pid))
        return found

    monkeypatch.setattr(signals, "_has_open", die)
    doubt = signal_worker(run, signal.SIGTERM)
    assert doubt is not None and "cannot be signalled" in doubt
    assert killed == []
