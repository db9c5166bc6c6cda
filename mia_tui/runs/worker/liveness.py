"""Whether a worker is alive: a lock that the kernel releases however the process ends.

The worker holds `fcntl.lockf` on worker.lock. Not `flock`: loader processes
inherit it and keep it after the worker has ended. Closing any descriptor of that
file drops the lock, so the worker's process must never open it again; a table
of what this process holds prevents that. Watchers ask with F_GETLK and never
lock: locking to look makes some starts of workers fail.

Where locks do not work (another host, a file system without them), worker.json
is used: process number and start time on the same host, a heartbeat elsewhere
and where the system shows no start times. It decides what is shown; it is not
enough to send a signal (`signals`).
"""

import fcntl
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Annotated, Literal, Self

import msgspec
from msgspec import Meta

from mia_tui.decoding import BadRecord, Count, Text, Time, decode_json
from mia_tui.disk_errors import disk_error
from mia_tui.errors import RunError
from mia_tui.files import (
    FORGOTTEN_S,
    NO_LOCKS,
    Identity,
    OddFile,
    hold,
    let_go,
    open_in_place,
    open_to_read,
    read,
    remove_leftovers,
)
from mia_tui.runs.disk import write_atomically
from mia_tui.runs.machine.system import boot_id, host_name, lock_holder, process_runs, start_time
from mia_tui.runs.record.events import KnownEvent, RunEnded
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import last_event
from mia_tui.text import printable

Status = Literal["created", "starting", "running", "lost", "unknown", "finished", "stopped", "failed"]
ShownStatus = Literal[Status, "waiting"]
"""As people see it: a worker that waits, for another run or for a disk, does not train."""

IN_PROGRESS: frozenset[ShownStatus] = frozenset({"starting", "waiting", "running", "unknown"})
"""A worker has such a run, or is being started, or may have it."""

HEARTBEAT_S = 5.0
REMOTE_SILENT_S = 120.0
"""After so long without a heartbeat, nobody can tell whether a worker of another host is alive."""

STARTING_S = 30.0
"""How long a worker may take until it has locked its run."""

_LOOK_EVERY_S = 0.2
_MOST_BYTES = 1 << 16  # of worker.json, which has some hundreds

_held: dict[tuple[int, int], int] = {}  # (device, inode) of a lock file -> the process that holds it


class WorkerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """worker.json: the process that works on a run, or did last.

    Attributes:
        pid: Process number on its host.
        host: Name of the host.
        boot_id: Changes with each start of the host; empty where the system has none.
        start_time: When the process started, in clock ticks after the boot; None if unknown.
        started_at: When it locked the run, Unix seconds.
        heartbeat: When it last wrote that it is alive, Unix seconds.
        locked: Whether the file system gave it a lock.
        released: Whether it released the run by itself.
    """

    pid: Annotated[int, Meta(ge=1, le=2**31 - 1)]  # 0 and below would mean many processes
    host: Text
    boot_id: Text
    start_time: Count | None
    started_at: Time
    heartbeat: Time
    locked: bool
    released: bool = False


@dataclass(frozen=True)
class LockProbe:
    """Who holds a run's lock.

    Attributes:
        held: Whether any process does.
        pid: The holder; None if this host cannot name it.
        is_odd: Whether the lock file is something else, such as a link.
    """

    held: bool
    pid: int | None = None
    is_odd: bool = False


class WorkerLock:
    """Holds a run for this process, with a heartbeat, until the block ends or the process dies.

    Raises:
        RunError: On entering, if another worker has the run, or nothing can be written.
    """

    def __init__(self, run: RunDir, *, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._run = run
        self._heartbeat_s = heartbeat_s
        self._descriptor = -1
        self._file: Identity | None = None  # that is locked
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        # Asked before the file is opened: a process can lock a file that it holds already, and not every network
        # file system passes locks from host to host.
        status = run_status(self._run)
        if status == "running" or (status == "unknown" and _beats(self._run, 2 * self._heartbeat_s)):
            raise _taken(self._run, read_record(self._run))
        locked = self._take()
        now = time.time()
        self._record = WorkerRecord(
            pid=os.getpid(),
            host=host_name(),
            boot_id=boot_id(),
            start_time=start_time(os.getpid()),
            started_at=now,
            heartbeat=now,
            locked=locked,
        )
        for folder in self._run.worker_folders():
            remove_leftovers(folder, root=self._run.root)
        remove_leftovers(self._run.path, root=self._run.root, of=self._run.worker_json.name.__eq__)
        # job.json may be replaced by others just now.
        remove_leftovers(self._run.path, root=self._run.root, older_than_s=FORGOTTEN_S)
        try:
            self._write(self._record)
        except RunError:
            self._release()
            raise
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()
        with suppress(RunError):  # a full disk: the released lock shows the same
            self._write(msgspec.structs.replace(self._record, heartbeat=time.time(), released=True))
        self._release()

    def _take(self) -> bool:
        """Lock the file; False if the file system has no locks."""
        path = self._run.worker_lock
        try:
            self._descriptor = open_in_place(path, root=self._run.root)
        except OSError as error:
            raise disk_error(error, path) from error
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in NO_LOCKS:
                return False
            os.close(self._descriptor)
            raise _taken(self._run, read_record(self._run)) from error
        self._file = _identity(os.fstat(self._descriptor))
        _held[self._file] = os.getpid()
        hold(self._file)
        return True

    def _release(self) -> None:
        if self._file is not None:
            _held.pop(self._file, None)
            let_go(self._file)
        os.close(self._descriptor)

    def _beat(self) -> None:
        while not self._ending.wait(self._heartbeat_s):
            with suppress(RunError):  # a full disk or an unreachable network drive: the run continues
                self._write(msgspec.structs.replace(self._record, heartbeat=time.time()))

    def _write(self, record: WorkerRecord) -> None:
        write_atomically(self._run.worker_json, msgspec.json.encode(record), root=self._run.root, sync=False)


def run_status(run: RunDir, *, now: float | None = None) -> Status:
    """What a run is doing, by asking and never by locking.

    Args:
        run: Any run folder.
        now: Unix seconds; None is the present.
    """
    now = time.time() if now is None else now
    record = read_record(run)  # before the lock: its writer held the lock
    lock = probe_lock(run)
    if lock.held:
        return "running"
    ended = _last_event(run)  # after the lock: a worker writes its last event before it releases it
    if isinstance(ended, RunEnded) and not _died_since(ended, record):
        return ended.outcome
    if record is None:
        return _before_the_worker(run, now)
    if lock.is_odd:  # somebody put a link there: a worker may be alive nevertheless
        return "unknown"
    status = _by_record(record, now)
    return "running" if status == "lost" and probe_lock(run).held else status


def lives(run: RunDir) -> bool:
    """Whether a run is being worked on, about to be, or may be on another host."""
    try:
        return run_status(run) in IN_PROGRESS
    except OSError:  # its folder may not be read: as good as deleted
        return False


class StatusTracker:
    """Tells the status of one run again and again.

    A worker on another host counts as alive while its heartbeat is seen to change, since the clocks of two hosts
    may differ a lot, and either may be adjusted at any time.
    """

    def __init__(self) -> None:
        self._heartbeat: float | None = None
        self._since = 0.0
        self._has_beaten = False

    def status(self, run: RunDir, *, tick: float | None = None) -> Status:
        """The status now.

        Args:
            run: Always the same run.
            tick: Seconds of a clock that is never adjusted; None is the present.
        """
        tick = time.monotonic() if tick is None else tick
        status = run_status(run)
        record = read_record(run)
        if status not in ("running", "unknown") or record is None or not _is_foreign(record):
            self._heartbeat, self._has_beaten = None, False
            return status
        if record.heartbeat != self._heartbeat:
            self._has_beaten = self._heartbeat is not None
            self._heartbeat, self._since = record.heartbeat, tick
        silent = tick - self._since >= REMOTE_SILENT_S
        if self._has_beaten:
            return "unknown" if silent else "running"
        return "unknown" if silent else status


def probe_lock(run: RunDir) -> LockProbe:
    """Who holds the lock of a run, without touching the lock."""
    path = run.worker_lock
    try:
        if holds_here(path.stat()):
            return LockProbe(held=True, pid=os.getpid())
        file = open_to_read(path)
    except OddFile:
        return LockProbe(held=False, is_odd=True)
    except OSError:  # no worker yet, or a folder that this user may not read
        return LockProbe(held=False)
    with file:
        return LockProbe(*lock_holder(file.fileno()))


def holds_here(lock: os.stat_result) -> bool:
    """Whether this process holds the run that a lock file belongs to."""
    return _held.get(_identity(lock)) == os.getpid()


def read_record(run: RunDir) -> WorkerRecord | None:
    """The record of the run's newest worker; None if there was none."""
    try:
        return decode_json(read(run.worker_json, most_bytes=_MOST_BYTES), WorkerRecord)
    except (OSError, BadRecord):
        return None


def process_lives(record: WorkerRecord) -> bool:
    """Whether the process of a record of this host is running; a zombie is not."""
    return process_runs(record.pid, record.start_time)


def is_on_this_host(record: WorkerRecord) -> bool:
    """Whether the record's process number means something here."""
    return record.host == host_name() and record.boot_id == boot_id()


def _last_event(run: RunDir) -> KnownEvent | None:
    """The last event of the run; also None if its log is not a regular file, which the reader of the log reports."""
    try:
        return last_event(run.events)
    except OddFile:
        return None


def _identity(file: os.stat_result) -> Identity:
    return file.st_dev, file.st_ino


def _before_the_worker(run: RunDir, now: float) -> Status:
    times = [path.stat().st_mtime for path in (run.path / "job.json", run.worker_log) if path.exists()]
    # abs: after a clock was set back, it must not count as starting forever.
    if times and abs(now - max(times)) < STARTING_S:
        return "starting"
    return "lost" if run.worker_lock.exists() or run.events.exists() else "created"


def _died_since(ended: RunEnded, record: WorkerRecord | None) -> bool:
    """Whether a later attempt died before its first event; one that released the run changed nothing."""
    return record is not None and not record.released and ended.t < record.started_at


def _by_record(record: WorkerRecord, now: float) -> Status:
    """The status of a run whose lock is free and whose log has no run_ended."""
    if record.released:
        return "lost"
    is_fresh = abs(now - record.heartbeat) < REMOTE_SILENT_S
    if is_on_this_host(record):
        lives = is_fresh if record.start_time is None else process_lives(record)
        return "running" if not record.locked and lives else "lost"
    if record.locked and _same_kernel(record):  # another container: its lock would be seen from here
        return "lost"
    if record.host == host_name():  # this host was restarted
        return "lost"
    return "running" if is_fresh else "unknown"


def _is_foreign(record: WorkerRecord) -> bool:
    return record.host != host_name() and not record.released and not _same_kernel(record)


def _beats(run: RunDir, within_s: float) -> bool:
    """Whether the heartbeat of a worker elsewhere changes: its clock may differ from ours."""
    before, deadline = read_record(run), time.monotonic() + within_s
    while time.monotonic() < deadline:
        time.sleep(min(_LOOK_EVERY_S, within_s))
        if read_record(run) != before:
            return True
    return False


def _same_kernel(record: WorkerRecord) -> bool:
    return record.boot_id != "" and record.boot_id == boot_id()


def _taken(run: RunDir, record: WorkerRecord | None) -> RunError:
    who = f"process {record.pid} on {printable(record.host)}" if record else "another process"
    return RunError(
        f"The run {printable(run.name)} is already being worked on by {who}.",
        "Watch it with `mia-tui runs follow`, or end it with `mia-tui runs stop`; after a crash of that host "
        f"it is free again within {REMOTE_SILENT_S:.0f} seconds.",
    )
