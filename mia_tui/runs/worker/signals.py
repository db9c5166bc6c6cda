"""Signals are sent to a run's own worker and to no other process.

Anybody who may write to a run folder may write any process number into worker.json, so that file alone proves
nothing. A process is a run's worker only if all of this is true:

    user        worker.json, worker.lock and the process belong to this user
    boot        worker.json names the running kernel of this host
    start       the process started at the very tick that worker.json names; an unknown time matches nothing
    lock        that process holds the lock of worker.lock (F_GETLK) and has the file open; the file is regular and
                has one name, so it is no link to the lock of another program or of another run

If one of them cannot be checked (no locks on that disk, no /proc), no signal is sent: the file `stop` reaches a
worker anywhere.
"""

import os
import signal
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mia_tui.decoding import BadRecord, decode_json
from mia_tui.runs.machine.system import boot_id, lock_holder, process_runs
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.liveness import WorkerRecord, holds_here, is_on_this_host
from mia_tui.text import printable

_RECORD_BYTES = 64 * 1024


class _Doubt(Exception):
    """Why no signal was sent, as the end of a sentence."""


def signal_worker(run: RunDir, number: int) -> str | None:
    """Send a signal to the run's worker, if that is provably a process of this user.

    Args:
        run: The run.
        number: The signal; 0 sends none and only checks whether one could be sent.

    Returns:
        None if it was sent, else why not, as the end of a sentence.
    """
    try:
        record = _own_record(run)
        with _process(record.pid) as process:  # first: from here on no other process can get the number
            _check_process(record)
            _check_lock(run, record.pid)
            process.send(number)
    except _Doubt as doubt:
        return str(doubt)
    return None


def _own_record(run: RunDir) -> WorkerRecord:
    """What worker.json says, if a signal may be sent by it."""
    try:
        descriptor, _ = _open_own(run.worker_json)
        with closing(os.fdopen(descriptor, "rb")) as file:
            record = decode_json(file.read(_RECORD_BYTES), WorkerRecord)
    except FileNotFoundError:
        raise _Doubt("no worker has locked it yet") from None
    except (OSError, BadRecord):
        raise _Doubt("its worker.json cannot be read") from None
    if record.released:
        raise _Doubt("its worker has released it")
    if not is_on_this_host(record):
        raise _Doubt(f"its worker is on {printable(record.host)}")
    if not record.locked:
        raise _Doubt("the disk has no locks to prove that its worker is yours")
    if record.start_time is None or boot_id() == "":
        raise _Doubt("this system does not show when its worker started")
    return record


def _check_process(record: WorkerRecord) -> None:
    if not process_runs(record.pid, record.start_time):
        raise _Doubt(f"process {record.pid} is not the one that locked it")
    if _users(record.pid) != {os.geteuid()}:
        raise _Doubt(f"process {record.pid} belongs to another user")


def _check_lock(run: RunDir, pid: int) -> None:
    try:
        # Opened for its path only: closing a file that was opened for reading would drop a lock of this process.
        descriptor, lock = _open_own(run.worker_lock, os.O_PATH)
        try:
            holder = os.getpid() if holds_here(lock) else _holder(descriptor)
        finally:
            os.close(descriptor)
    except OSError:
        raise _Doubt("its worker.lock cannot be read") from None
    if holder != pid or not _has_open(pid, lock):
        raise _Doubt(f"process {pid} does not hold its worker.lock")


def _holder(descriptor: int) -> int | None:
    """Who holds the lock of a file that is open for its path only, even if its path now leads to another file."""
    reading = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return lock_holder(reading)[1]
    finally:
        os.close(reading)


def _open_own(path: Path, flags: int = os.O_RDONLY) -> tuple[int, os.stat_result]:
    """Open a regular file of this user that has no other name and is not a link; its descriptor and status."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    found = os.fstat(descriptor)
    fault = None
    if stat.S_ISLNK(found.st_mode) or found.st_nlink > 1:
        fault = "is a link"
    elif not stat.S_ISREG(found.st_mode):
        fault = "is not a regular file"
    elif found.st_uid != os.geteuid():
        fault = "belongs to another user"
    if fault is not None:
        os.close(descriptor)
        raise _Doubt(f"its {path.name} {fault}")
    return descriptor, found


def _users(pid: int) -> set[int]:
    """Real, effective, saved and file system user of a process; empty if that is unknown."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
    except OSError:
        return set()
    return {int(word) for line in lines if line.startswith("Uid:") for word in line.split()[1:]}


def _has_open(pid: int, wanted: os.stat_result) -> bool:
    """Whether a process has a file open: a file system may name a wrong holder of a lock."""
    try:
        for entry in os.scandir(f"/proc/{pid}/fd"):
            try:
                if os.path.samestat(entry.stat(), wanted):
                    return True
            except OSError:  # closed meanwhile
                continue
    except OSError:
        return False
    return False


@dataclass(frozen=True)
class _Process:
    """A process that can be signalled; `handle` means this process even if another gets its number later."""

    pid: int
    handle: int | None

    def send(self, number: int) -> None:
        try:
            if self.handle is None:
                os.kill(self.pid, number)
            else:
                signal.pidfd_send_signal(self.handle, number)
        except OSError as error:
            raise _Doubt(f"process {self.pid} cannot be signalled: {error.strerror}") from error


@contextmanager
def _process(pid: int) -> Iterator[_Process]:
    handle = _pidfd(pid)
    try:
        yield _Process(pid, handle)
    finally:
        if handle is not None:
            os.close(handle)


def _pidfd(pid: int) -> int | None:
    """A descriptor of a process; None on a system without them (not Linux, or before 5.3)."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise _Doubt(f"process {pid} has ended") from None
    except (AttributeError, OSError):
        return None
