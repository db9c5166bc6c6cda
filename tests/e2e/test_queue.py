"""Queued runs as real workers: they wait in little memory, in order, hear a stop, and begin when it is their turn."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from live_worker import start_worker
from patience import LONGEST_S
from run_support import make_run, wait_for

from mia_tui.cli.main import command
from mia_tui.cli.output import report
from mia_tui.paths import StateFolder
from mia_tui.runs.list.find import list_runs
from mia_tui.runs.list.summaries import RunSummaries, RunSummary
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.state import read_state
from mia_tui.runs.worker.control import KILL_AFTER_S, request_stop
from mia_tui.runs.worker.liveness import read_record, run_status

pytestmark = pytest.mark.e2e

LONG_S = 180.0  # for a busy machine
MOST_BYTES = 40 << 20  # measured: 20 MB
QUICK = "--backbone timm:test_resnet --size 32 --batch-size 8 --epochs 1 --threads 1 --precision fp32"


@pytest.fixture
def state(discs: Path) -> Iterator[Path]:
    place = discs.with_name(f"{discs.name}.mia")
    yield place
    for run in list_runs(StateFolder(place)):
        record = read_record(run)
        if record is not None and not record.released:
            with suppress(ProcessLookupError):
                os.kill(record.pid, signal.SIGKILL)


def queue(discs: Path, after: RunDir | str) -> RunDir:
    """Queue a training by the command line; the run that was made."""
    state = StateFolder(discs.with_name(f"{discs.name}.mia"))
    before = {run.path for run in list_runs(state)}
    name = after if isinstance(after, str) else str(after.path)
    command = [
        sys.executable,
        "-m",
        "mia_tui",
        "train",
        str(discs),
        *QUICK.split(),
        "--detach",
        "--after",
        name,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=False)
    assert done.returncode == 0, done.stderr
    [run] = [run for run in list_runs(state) if run.path not in before]
    assert "waits for its turn in the background" in done.stdout + done.stderr
    return run


def row_of(run: RunDir) -> RunSummary:
    [row] = [row for row in RunSummaries([run.path.parent.parent]).refresh() if row.run.path == run.path]
    return row


def pid_of(run: RunDir) -> int:
    record = read_record(run)
    assert record is not None
    return record.pid


def memory_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the process has ended")


def test_queued_runs_wait_in_line_without_torch_and_begin_one_after_the_other(
    discs: Path, state: Path
) -> None:
    first = make_run(state, created_at=time.time() - 100)
    worker = start_worker(first)
    second, third = queue(discs, first), queue(discs, first)
    assert [row_of(run).status for run in (first, second, third)] == ["running", "waiting", "waiting"]
    assert row_of(second).note == f"Waiting for the run {first.name} to end."
    assert third.job().after == str(second.path.resolve()), "it is not put at the end of the line"
    for run in (second, third):
        assert memory_bytes(pid_of(run)) < MOST_BYTES
        assert "torch" not in Path(f"/proc/{pid_of(run)}/maps").read_text()
    worker.kill()
    worker.wait()
    wait_for(lambda: run_status(second) == "finished", LONG_S)
    assert read_state(second).attempt == 1
    wait_for(lambda: run_status(third) == "finished", LONG_S)
    ended, begun = read_state(second).ended_at, read_state(third).first_started_at
    assert ended is not None and begun is not None and ended < begun


@pytest.mark.usefixtures("threads_stay_as_they_were")
def test_a_stop_ends_a_waiting_run_at_once_and_resuming_begins_without_waiting(
    discs: Path, state: Path
) -> None:
    first = make_run(state, created_at=time.time() - 100)
    worker = start_worker(first)
    try:
        second = queue(discs, "last")
        request_stop(second)  # by its file and a signal; whichever it hears first
        wait_for(lambda: run_status(second) == "stopped", KILL_AFTER_S)
        words = ["train", "--resume", str(second.path)]  # in this process, which has torch
        assert report.run(lambda: command.main(words, prog_name="mia-tui", standalone_mode=False)) == 0
        assert run_status(second) == "finished"
        assert run_status(first) == "running"
    finally:
        worker.kill()
        worker.wait()
