"""Asking a worker to stop, and being asked.

A file `stop` in the run folder reaches a worker on any host and in any
container; a signal, where the worker is known beyond doubt, is quicker. Either
way the worker finishes its step, saves a checkpoint and says `run_ended`.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any, Self

import msgspec

from mia_tui.dataset.shared_folder import follow_folder
from mia_tui.runs.away import AWAY_S, GONE_S, was_deleted
from mia_tui.runs.files import disk_error
from mia_tui.runs.layout import RunDir
from mia_tui.runs.liveness import (
    Status,
    is_on_this_host,
    probe_lock,
    process_lives,
    read_record,
    run_status,
)

KILL_AFTER_S = 10.0

_LOOK_EVERY_S = 1.0
_IMPATIENT_AFTER_S = 2.0
_STOPPABLE: frozenset[Status] = frozenset({"created", "starting", "running", "unknown"})
# USR1 and USR2: what Slurm is mostly told to send some time before a job's end.
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


class StopFile(msgspec.Struct, frozen=True):
    """Content of the file `stop`; its being there is what counts."""

    asked_at: float


@dataclass(frozen=True)
class StopResult:
    """What asking a run to stop came to.

    Attributes:
        status: Of the run when it was asked; an ended or lost run is not asked.
        asked_at: When it was first asked, Unix seconds; None if it was not.
        signalled: Whether the worker got a signal, too.
        may_kill: Whether it was asked long ago and `kill_worker` can reach it.
    """

    status: Status
    asked_at: float | None = None
    signalled: bool = False
    may_kill: bool = False


def request_stop(run: RunDir, *, now: float | None = None) -> StopResult:
    """Ask a run's worker to end at the next step with a checkpoint.

    Args:
        run: The run; one that is not being worked on is left alone.
        now: Unix seconds; None is the present.

    Raises:
        RunError: If the worker can be reached neither by file nor by signal.
    """
    now = time.time() if now is None else now
    status = run_status(run, now=now)
    if status not in _STOPPABLE:
        return StopResult(status)
    try:
        asked_at = _ask(run, now)
    except OSError as error:
        if _signal(run, signal.SIGTERM):
            return StopResult(status, asked_at=now, signalled=True)
        raise disk_error(error, run.stop) from error
    may_kill = now - asked_at >= KILL_AFTER_S and _known_pid(run) is not None
    return StopResult(status, asked_at, signalled=_signal(run, signal.SIGTERM), may_kill=may_kill)


def kill_worker(run: RunDir) -> bool:
    """Kill a run's worker (what it did since its last checkpoint is lost); False if it cannot be reached."""
    return _signal(run, signal.SIGKILL)


def is_within_reach(run: RunDir) -> bool:
    """Whether the run's worker is a process of this host, known beyond doubt."""
    return _known_pid(run) is not None


def clear_stop(run: RunDir) -> None:
    """Take back a request to stop; whoever starts a worker does this first.

    Raises:
        RunError: If the file cannot be removed.
    """
    try:
        run.stop.unlink(missing_ok=True)
    except OSError as error:
        raise disk_error(error, run.stop) from error


class StopRequest:
    """The worker's ear: enter it once the run is locked, ask `requested` after every step.

    Leaving gives the signals back and removes the stop file: it was heard.

    Attributes:
        signal: Number of the first signal that asked; None for the stop file alone, or if nobody asked.
    """

    def __init__(self, run: RunDir) -> None:
        self.signal: int | None = None
        self._run = run
        self._asked_at: float | None = None
        self._signalled_at: float | None = None
        self._looked_at = float("-inf")
        self._gone_since: float | None = None
        self._foreground = False
        self._on_signal: Callable[[], None] | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()
        with suppress(OSError):
            self._run.stop.unlink(missing_ok=True)

    def install_signals(self, *, foreground: bool, on_signal: Callable[[], None] | None = None) -> None:
        """Let signals ask for a stop, and a closed terminal (SIGHUP) do nothing.

        Does nothing outside the main thread, where Python allows no handlers.

        Args:
            foreground: Whether a person sits in front; then a second Ctrl-C raises KeyboardInterrupt.
                Only after two seconds, because some launchers pass one Ctrl-C on twice.
            on_signal: Called at the first signal, between two instructions of whatever is going on.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        self._foreground, self._on_signal = foreground, on_signal
        for number in _STOP_SIGNALS:
            self._previous[number] = signal.signal(number, self._hear)
        self._previous[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)

    def requested(self) -> bool:
        """Whether the worker should stop; looks for the file at most once a second."""
        now = time.monotonic()
        if self._asked_at is None and now - self._looked_at >= _LOOK_EVERY_S:
            self._looked_at = now
            if self._file_is_there():
                self._asked_at = now
        return self._asked_at is not None

    def _file_is_there(self) -> bool:
        try:
            # Not exists(): NFS remembers for half a minute that a file is not there, but reads folders anew.
            found = self._run.stop.name in os.listdir(self._run.path)  # noqa: PTH208
        except FileNotFoundError:
            self._gone_since = self._looked_at if self._gone_since is None else self._gone_since
            patience_s = GONE_S if was_deleted(self._run.path) else AWAY_S
            return self._looked_at - self._gone_since >= patience_s
        except OSError:
            return False
        self._gone_since = None
        return found

    def _hear(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._signalled_at is None:  # perhaps after the stop file: whoever writes one mostly signals, too
            self._asked_at = self._signalled_at = now
            self.signal = number
            if self._on_signal is not None:
                self._on_signal()
        elif self._foreground and number == signal.SIGINT and now - self._signalled_at > _IMPATIENT_AFTER_S:
            raise KeyboardInterrupt


def _ask(run: RunDir, now: float) -> float:
    """Write the stop file, unless there is one; when it was first asked."""
    try:
        descriptor = os.open(run.stop, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return _asked_at(run)
    try:
        follow_folder(run.stop)
        with suppress(OSError):  # a full disk: an empty file says enough
            os.write(descriptor, msgspec.json.encode(StopFile(now)))
    finally:
        os.close(descriptor)
    return now


def _asked_at(run: RunDir) -> float:
    try:
        return msgspec.json.decode(run.stop.read_bytes(), type=StopFile).asked_at
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):  # made by hand: `touch stop`
        return run.stop.stat().st_mtime


def _known_pid(run: RunDir) -> int | None:
    """The worker's process, if it is beyond doubt: the record of this host and the lock name the same."""
    record = read_record(run)
    if record is None or record.released or not is_on_this_host(record):
        return None
    if record.locked:
        return record.pid if probe_lock(run).pid == record.pid else None
    return record.pid if process_lives(record) else None


def _signal(run: RunDir, number: signal.Signals) -> bool:
    pid = _known_pid(run)
    if pid is None:
        return False
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
