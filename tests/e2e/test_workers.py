"""Workers as real processes, without any training: locks, deaths, stops, starts."""

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import LONGEST_S
from run_support import finished, make_run, on_small_disk, python, run_python, started, wait_for

from mia_tui.errors import RunError
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventLog
from mia_tui.runs.worker import launch
from mia_tui.runs.worker.control import request_stop
from mia_tui.runs.worker.liveness import WorkerLock, probe_lock, read_record, run_status

pytestmark = pytest.mark.e2e

HOLD = """
    import time
    from pathlib import Path
    from mia_tui.runs.worker import control
    from mia_tui.runs.worker.control import StopRequest
    from mia_tui.runs.record.log import EventLog
    from mia_tui.runs.record.events import RunEnded
    from mia_tui.runs.record.layout import RunDir
    from mia_tui.runs.worker.liveness import WorkerLock
    run = RunDir(Path(sys.argv[1]))
    control._LOOK_EVERY_S = float(sys.argv[2])
    with WorkerLock(run), EventLog(run.events) as log, StopRequest(run) as stop:
        stop.install_signals(foreground=False)
        assert not stop.requested()
        print("held", flush=True)
        while not stop.requested():
            time.sleep(0.01)
        log.append(RunEnded(t=time.time(), outcome="stopped"))
        print("signal", stop.signal, flush=True)
"""


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return make_run(tmp_path / "mia")


@pytest.fixture
def looks_every_s() -> float:
    """How often a worker looks for the file that asks it to stop, after a first time."""
    return 0.0


@pytest.fixture
def worker(run: RunDir, looks_every_s: float) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the run until it is asked to stop."""
    process = subprocess.Popen(python(HOLD, run.path, looks_every_s), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def last_words(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.communicate(timeout=LONGEST_S)[0].strip()


def test_a_second_worker_is_refused_and_the_first_goes_on(run: RunDir, worker: subprocess.Popen[str]) -> None:
    with pytest.raises(RunError, match=f"process {worker.pid} on "):
        WorkerLock(run).__enter__()
    assert run_status(run) == "running"
    assert probe_lock(run).pid == worker.pid


def test_a_killed_worker_is_lost_even_as_a_zombie(run: RunDir, worker: subprocess.Popen[str]) -> None:
    worker.kill()
    wait_for(lambda: run_status(run) == "lost")
    assert worker.returncode is None  # nobody has waited for it: it is a zombie still
    worker.wait()
    assert run_status(run) == "lost"
    with WorkerLock(run):
        assert run_status(run) == "running"


@pytest.mark.parametrize("looks_every_s", [math.inf])  # or it may find the file before the signal comes
def test_a_stop_reaches_the_worker_by_signal(run: RunDir, worker: subprocess.Popen[str]) -> None:
    asked = request_stop(run)
    assert asked.signalled, asked.doubt
    assert last_words(worker) == f"signal {signal.SIGTERM.value}"
    assert run_status(run) == "stopped"
    assert not run.stop.exists()


def test_a_stop_reaches_the_worker_by_file_alone(run: RunDir, worker: subprocess.Popen[str]) -> None:
    run.stop.touch()
    assert last_words(worker) == "signal None"
    assert run_status(run) == "stopped"


def test_a_hangup_does_not_end_the_worker(run: RunDir, worker: subprocess.Popen[str]) -> None:
    os.kill(worker.pid, signal.SIGHUP)
    time.sleep(0.1)
    assert run_status(run) == "running"


def test_loader_processes_do_not_keep_the_lock_of_a_killed_worker(run: RunDir) -> None:
    code = """
        import os, time
        from pathlib import Path
        from mia_tui.runs.record.layout import RunDir
        from mia_tui.runs.worker.liveness import WorkerLock, run_status
        run = RunDir(Path(sys.argv[1]))
        lock = WorkerLock(run).__enter__()
        if not os.fork():
            print(os.getpid(), run_status(run), flush=True)  # asking opens the file: not the parent's lock to lose
        time.sleep(300)
    """
    process = subprocess.Popen(python(code, run.path), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    number, seen = process.stdout.readline().split()
    loader = int(number)
    try:
        assert seen == "running"
        assert run_status(run) == "running"
        process.kill()
        wait_for(lambda: run_status(run) == "lost")
        os.kill(loader, 0)
    finally:
        os.kill(loader, signal.SIGKILL)
        process.kill()
        process.communicate()


def test_no_start_fails_and_nothing_seems_lost_while_watchers_look(run: RunDir) -> None:
    code = """
        import time
        from pathlib import Path
        from mia_tui.runs.record.log import EventLog
        from mia_tui.runs.record.events import RunEnded
        from mia_tui.runs.record.layout import RunDir
        from mia_tui.runs.worker.liveness import WorkerLock
        run = RunDir(Path(sys.argv[1]))
        log = EventLog(run.events)
        for _ in range(600):
            with WorkerLock(run):
                log.append(RunEnded(t=time.time(), outcome="finished"))
        print("done")
    """
    seen: Counter[str] = Counter()
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            seen[run_status(run)] += 1

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        assert run_python(code, run.path) == "done"
    finally:
        over.set()
        watcher.join()
    assert set(seen) <= {"starting", "running", "finished"}, seen
    assert seen["running"] > 10 and seen["finished"] > 10


def test_a_lock_of_another_container_is_seen_but_not_signalled(
    run: RunDir, worker: subprocess.Popen[str]
) -> None:
    code = """
        from pathlib import Path
        from mia_tui.runs.worker.control import request_stop
        from mia_tui.runs.record.layout import RunDir
        from mia_tui.runs.worker.liveness import probe_lock
        run = RunDir(Path(sys.argv[1]))
        lock = probe_lock(run)
        print(lock.held, lock.pid, request_stop(run).signalled)
    """
    rights = ["-r"] if os.geteuid() else []
    said = run_python(code, run.path, prefix=["unshare", *rights, "--pid", "--fork"])
    assert said == "True None False"
    assert last_words(worker) == "signal None"


SPAWNED = """
import json, os, signal, sys, time
from pathlib import Path
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.liveness import WorkerLock

print("to the log", flush=True)
run = RunDir(Path(sys.argv[1]))
mode = os.environ.get("FAKE_WORKER", "hold")
if mode == "fail":
    sys.exit("ImportError: no torch here")
with WorkerLock(run):
    ignored = [number for number in signal.valid_signals() if signal.getsignal(number) == signal.SIG_IGN]
    told = {
        "folder": os.getcwd(), "session": os.getsid(0) == os.getpid(), "input": sys.stdin.read(),
        "ignored": sorted(set(ignored) - {signal.SIGPIPE, signal.SIGXFSZ}),
        "batch": os.sched_getscheduler(0) == os.SCHED_BATCH,
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])), "stop": run.stop.exists(),
        "path": sys.path[0],
    }
    (run.path / "told.tmp").write_text(json.dumps(told))
    (run.path / "told.tmp").rename(run.path / "told.json")
    while mode == "hold":
        time.sleep(0.05)
"""


@pytest.fixture
def fake_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`spawn` starts a module that tells about itself instead of training."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "fake_worker.py").write_text(SPAWNED)
    monkeypatch.setattr(launch, "WORKER_MODULE", "fake_worker")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"))


def test_a_spawned_worker_stands_on_its_own(run: RunDir, fake_worker: None) -> None:
    run.stop.touch()
    spawn = f"""
        import signal
        from pathlib import Path
        from mia_tui.runs.worker import launch
        from mia_tui.runs.record.layout import RunDir
        launch.WORKER_MODULE = "fake_worker"
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        print(launch.spawn(RunDir(Path({str(run.path)!r})), gives_way=True))
    """
    pid = int(run_python(spawn))  # whoever started it is gone by now
    try:
        told_file = run.path / "told.json"
        wait_for(told_file.exists)
        told = json.loads(told_file.read_text())
        assert told.pop("path") != ""
        assert told == {
            "folder": "/",
            "session": True,
            "input": "",
            "ignored": [],
            "batch": True,
            "blocked": [],
            "stop": False,
        }
        assert run.worker_log.read_text() == "to the log\n"
        assert run_status(run) == "running"
        assert read_record(run).pid == pid
    finally:
        os.kill(pid, signal.SIGKILL)


def test_a_start_is_awaited_and_a_second_one_refused(run: RunDir, fake_worker: None) -> None:
    pid = launch.spawn(run)
    try:
        assert launch.wait_until_taken(run, pid, timeout_s=LONGEST_S)
        with pytest.raises(RunError, match="already being worked on"):
            launch.spawn(run)
        assert not launch.wait_until_taken(run, 1 << 30, timeout_s=0.0)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_worker_that_fails_at_once_is_quoted(
    run: RunDir, fake_worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_WORKER", "fail")
    pid = launch.spawn(run)
    with pytest.raises(
        RunError, match=r"ended at once: to the log / ImportError: no torch here\. .*worker\.log"
    ):
        launch.wait_until_taken(run, pid, timeout_s=LONGEST_S)


def test_of_a_worker_that_fails_at_once_only_its_own_words_are_quoted(
    run: RunDir, fake_worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.worker_log.write_text("what an earlier one said\n")
    monkeypatch.setenv("FAKE_WORKER", "fail")
    pid = launch.spawn(run)
    with pytest.raises(RunError, match="ended at once: to the log / ImportError"):
        launch.wait_until_taken(run, pid, timeout_s=LONGEST_S)


def test_a_worker_that_a_full_disk_leaves_without_a_word_is_told_as_that(tmp_path: Path) -> None:
    code = """
        from pathlib import Path
        from run_support import make_run
        from mia_tui.errors import RunError
        from mia_tui.runs.worker import launch
        disk = Path(sys.argv[1])
        run = make_run(disk / "mia")
        run.worker_log.write_bytes(b"Traceback\\nof an earlier failure\\n".ljust(4096))  # a page to its end
        with (disk / "ballast").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        try:
            launch.wait_until_taken(run, launch.spawn(run))
        except RunError as error:
            print(error)
    """
    said = on_small_disk(tmp_path / "disk", code, tmp_path / "disk")
    assert said.startswith("The disk that holds ") and "is full. Free some space" in said, said


def test_a_worker_that_is_done_at_once_counts_as_started(
    run: RunDir, fake_worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_WORKER", "quick")
    pid = launch.spawn(run)
    wait_for(lambda: (run.path / "told.json").exists())
    assert launch.wait_until_taken(run, pid, timeout_s=LONGEST_S)


def test_workers_that_ended_leave_no_zombies(
    tmp_path: Path, fake_worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_WORKER", "fail")
    first = launch.spawn(make_run(tmp_path / "mia"))
    wait_for(lambda: Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[0] == "Z")
    second = launch.spawn(make_run(tmp_path / "mia"))
    assert not Path(f"/proc/{first}").exists()
    os.waitpid(second, 0)


def test_an_ended_run_is_spawned_again_and_its_log_goes_on(
    run: RunDir, fake_worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_WORKER", "fail")
    with EventLog(run.events) as log:
        log.append(started())
        log.append(finished())
    for _ in range(2):
        os.waitpid(launch.spawn(run), 0)
    assert run.worker_log.read_text().count("to the log") == 2


def test_a_folder_that_takes_no_log_is_one_sentence(run: RunDir, fake_worker: None) -> None:
    run.worker_log.mkdir()
    with pytest.raises(RunError, match=r"worker\.log cannot be used: it is a folder"):
        launch.spawn(run)


def test_a_python_that_is_gone_is_told_from_the_log(
    run: RunDir, fake_worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    pid = launch.spawn(run)
    with pytest.raises(RunError, match=r"ended at once: .*/nowhere/python"):
        launch.wait_until_taken(run, pid, timeout_s=LONGEST_S)
