"""Starting a worker that keeps running when the program that started it ends."""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import mia_tui
from mia_tui.disk_errors import disk_error
from mia_tui.errors import MiaError, RunError
from mia_tui.files import open_in_place, open_to_read, remove
from mia_tui.runs.disk import replacing
from mia_tui.runs.machine.system import FULL_BYTES
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.control import clear_stop
from mia_tui.runs.worker.liveness import read_record, run_status
from mia_tui.text import printable, typed

WORKER_MODULE = "mia_tui.worker"

_LOG_LINES = 5
_LAST_BYTES = 4096  # of a log, where its last lines are searched
_NO_LOG = "its log is empty."
_NICE = 5  # where the system has no SCHED_BATCH
_INSTALLED = ("site-packages", "dist-packages")
# The shell only changes the folder and then becomes the worker: posix_spawn, which alone can reset the
# signals without running Python between fork and exec, cannot set the folder.
_SHELL_LINE = 'cd / && exec "$0" "$@"'

_children: dict[int, int] = {}
"""Where the output of each worker begins in its run's log, after that of earlier workers."""


def spawn(run: RunDir, *, gives_way: bool = False) -> int:
    """Start `python -m mia_tui.worker RUN` in a session of its own.

    Its input is closed, its output goes to worker.log, its signals are as the system gives them, its folder
    is /, so that neither a closed terminal nor this program's end reaches it.

    Args:
        run: The run to work on.
        gives_way: Whether interactive programs go before the worker, see `give_way`.

    Returns:
        The worker's process number.

    Raises:
        RunError: If the run is being worked on, or the worker cannot be started.
    """
    if run_status(run) == "running":
        raise RunError(
            f"The run {printable(run.name)} is already being worked on.",
            "Watch it with `mia-tui runs follow`.",
        )
    clear_stop(run)
    _reap()
    command = [sys.executable, "-P", "-m", WORKER_MODULE, str(run.path.resolve())]
    try:
        log = open_in_place(run.worker_log, root=run.root, append=True)
    except OSError as error:
        raise disk_error(error, run.worker_log) from error
    try:
        begin = os.fstat(log).st_size
        os.utime(log)  # its age tells watchers that a worker is on its way
        pid = start_program(command, log)
    except OSError as error:
        raise RunError(f"The worker cannot be started: {error.strerror}.") from error
    finally:
        os.close(log)
    _children[pid] = begin
    if gives_way:
        give_way(pid)
    return pid


def give_way(pid: int) -> None:
    """Let a process that was just started compute in long time slices and not preempt others when it wakes.

    It still gets its share of the cores. Niceness would take that away on a shared server: beside two busy programs
    on two cores, a thread that was nice by 5 got 0.15 of a core and one like this 0.63; beside eight, 0.04 and 0.20.
    """
    with suppress(OSError):  # a sandbox forbids it
        if hasattr(os, "sched_setscheduler"):
            os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0))
        else:
            os.setpriority(os.PRIO_PROCESS, pid, _NICE)


def wait_until_taken(run: RunDir, pid: int, *, timeout_s: float = 30.0) -> bool:
    """Wait until a spawned worker has its run; False if it needs longer.

    Raises:
        RunError: If the worker ended without taking the run; tells the end of its log, or that the disk is full.
    """
    begin = _children.get(pid, 0)
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        ended = _has_ended(pid)  # first: it may take the run and end in between
        record = read_record(run)
        if record is not None and record.pid == pid:
            return True
        if ended:
            raise _ended_at_once(run, begin)
        time.sleep(0.05)
    return False


def _ended_at_once(run: RunDir, begin: int) -> MiaError:
    """Why a worker ended before it locked its run: on a full disk not even its output was written."""
    words = end_of_log(run.worker_log, begin=begin)
    what = f"The worker of the run {printable(run.name)} ended at once"
    if words != _NO_LOG:
        return RunError(f"{what}: {words}", f"{printable(run.worker_log)} says more.")
    try:
        _check_disk_space(run)
    except MiaError as error:
        return error
    return RunError(f"{what}: {words}", f"`mia-tui runs resume {typed(run.path)}` tries again.")


def _check_disk_space(run: RunDir) -> None:
    """Check that a small file can be written to the run's folder, by writing and removing one.

    Raises:
        RunError: If it does not; says why.
    """
    place = run.path / "space"
    with replacing(place, root=run.root) as file:
        file.write(bytes(FULL_BYTES))
    remove(place, root=run.root)


def start_program(command: list[str], log: int) -> int:
    """Start a program of this package in a session of its own, input closed, output to `log`; its process number."""
    return os.posix_spawn(
        "/bin/sh",
        ["sh", "-c", _SHELL_LINE, *command],
        program_environment(),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, log, 1),
            (os.POSIX_SPAWN_DUP2, log, 2),
        ],
        setsid=True,
        setsigmask=[],
        setsigdef=_resettable_signals(),
    )


def program_environment() -> dict[str, str]:
    """The environment of a program of this package."""
    environment = dict(os.environ)
    environment.setdefault("PYTHONFAULTHANDLER", "1")  # worker.log gets the traceback of a crash in a driver
    source = Path(mia_tui.__file__).resolve().parent.parent
    if source.name not in _INSTALLED:  # run from its sources: nothing else tells the worker where they are
        above = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = f"{source}{os.pathsep}{above}" if above else str(source)
    return environment


def _resettable_signals() -> list[int]:
    return sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:  # waited for before
        return True


def _reap() -> None:
    """Wait for workers that ended, so that an app that runs for long collects no zombies."""
    for pid in list(_children):
        if _has_ended(pid):
            _children.pop(pid, None)


def end_of_log(log: Path, *, begin: int = 0) -> str:
    """The end of a log as one sentence, without what comes before byte `begin`."""
    try:
        with open_to_read(log) as file:
            file.seek(max(begin, file.seek(0, os.SEEK_END) - _LAST_BYTES))
            text = file.read(_LAST_BYTES).decode("utf-8", "replace")
    except OSError:
        text = ""
    lines = [printable(line.strip()) for line in text.splitlines() if line.strip()]
    return " / ".join(lines[-_LOG_LINES:]).rstrip(".") + "." if lines else _NO_LOG
