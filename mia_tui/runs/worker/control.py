"""Asking a worker to stop, and being asked.

A file `stop` in the run folder reaches a worker on any host and in any
container; a signal is quicker, and is sent only to a process that provably is
this run's worker (`signals`). Either way the worker finishes its step, saves a
checkpoint and writes `run_ended`.
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

from mia_tui.decoding import BadRecord, Time, decode_json
from mia_tui.disk_errors import disk_error
from mia_tui.errors import RunError
from mia_tui.files import create, read, remove
from mia_tui.runs.disk import DELETED_S, OUTAGE_S, was_deleted
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.liveness import Status, run_status
from mia_tui.runs.worker.signals import signal_worker
from mia_tui.text import printable

KILL_AFTER_S = 10.0

_LOOK_EVERY_S = 1.0
_IMPATIENT_AFTER_S = 2.0
_MOST_BYTES = 1 << 12  # of the stop file, which has some dozens
_STOPPABLE: frozenset[Status] = frozenset({"created", "starting", "running", "unknown"})
# USR1 and USR2: what Slurm is mostly configured to send some time before a job's end.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


class StopFile(msgspec.Struct, frozen=True):
    """Content of the file `stop`; only its existence matters."""

    asked_at: Time


@dataclass(frozen=True)
class StopResult:
    """The outcome of asking a run to stop.

    Attributes:
        status: Of the run when it was asked; an ended or lost run is not asked.
        asked_at: When it was first asked, Unix seconds; None if it was not.
        doubt: Why the worker got no signal besides the file `stop`, as the end of a sentence; None if it got one.
        is_late: Whether it was asked so long ago that it may be killed, if a signal can be sent.
    """

    status: Status
    asked_at: float | None = None
    doubt: str | None = None
    is_late: bool = False

    @property
    def signalled(self) -> bool:
        """Whether the worker got a signal as well."""
        return self.asked_at is not None and self.doubt is None

    @property
    def may_kill(self) -> bool:
        """Whether it was asked long enough ago and `kill_worker` may signal it."""
        return self.is_late and self.signalled


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
        if signal_worker(run, signal.SIGTERM) is None:
            return StopResult(status, asked_at=now)
        raise disk_error(error, run.stop) from error
    doubt = signal_worker(run, signal.SIGTERM)
    return StopResult(status, asked_at, doubt, is_late=now - asked_at >= KILL_AFTER_S)


def kill_worker(run: RunDir) -> None:
    """Kill a run's worker; what it did since its last checkpoint is lost.

    Raises:
        RunError: If it has ended, or is not provably a process of this user.
    """
    doubt = signal_worker(run, signal.SIGKILL)
    if doubt is not None:
        raise RunError(f"The worker of the run {printable(run.name)} is not killed: {doubt}.")


def clear_stop(run: RunDir) -> None:
    """Take back a request to stop; done before a worker is started.

    Raises:
        RunError: If the file cannot be removed.
    """
    try:
        remove(run.stop, root=run.root)
    except OSError as error:
        raise disk_error(error, run.stop) from error


class StopRequest:
    """Tells a worker whether it was asked to stop: enter it once the run is locked, ask `requested` after each step.

    Leaving restores the signal handlers and removes the stop file.

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
            remove(self._run.stop, root=self._run.root)

    def install_signals(self, *, foreground: bool, on_signal: Callable[[], None] | None = None) -> None:
        """Make signals ask for a stop, and a closed terminal (SIGHUP) do nothing.

        Does nothing outside the main thread, where Python allows no handlers.

        Args:
            foreground: Whether it runs in a person's terminal; then a second Ctrl-C raises KeyboardInterrupt.
                Only after two seconds, because some launchers pass one Ctrl-C on twice.
            on_signal: Called at the first signal, between two instructions of whatever the worker is doing.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        self._foreground, self._on_signal = foreground, on_signal
        for number in STOP_SIGNALS:
            self._previous[number] = signal.signal(number, self._on_stop_signal)
        self._previous[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

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
            wait_s = DELETED_S if was_deleted(self._run.path) else OUTAGE_S
            return self._looked_at - self._gone_since >= wait_s
        except OSError:
            return False
        self._gone_since = None
        return found

    def _on_stop_signal(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._signalled_at is None:  # perhaps after the stop file: both are used together
            self._asked_at = self._signalled_at = now
            self.signal = number
            if self._on_signal is not None:
                self._on_signal()
        elif self._foreground and number == signal.SIGINT and now - self._signalled_at > _IMPATIENT_AFTER_S:
            raise KeyboardInterrupt


def _ask(run: RunDir, now: float) -> float:
    """Write the stop file, unless there is one; when it was first asked."""
    try:
        descriptor = create(run.stop, root=run.root)
    except FileExistsError:
        return _asked_at(run)
    try:
        with suppress(OSError):  # a full disk: an empty file says enough
            os.write(descriptor, msgspec.json.encode(StopFile(now)))
    finally:
        os.close(descriptor)
    return now


def _asked_at(run: RunDir) -> float:
    try:
        return decode_json(read(run.stop, most_bytes=_MOST_BYTES), StopFile).asked_at
    except (OSError, BadRecord):  # made by hand: `touch stop`
        return run.stop.lstat().st_mtime
