"""Follows one run for a screen: a thread reads the events of its worker and checks whether it is alive.

The screen gets a snapshot when something is different, and never waits for a
disk. What is shown must be true: a run is called running only while its lock is
held, silence is counted by this program's own clock from the first time it read the
run, and of a folder that was deleted only that is said.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from mia_tui.config.train import TrainConfig
from mia_tui.errors import RunError
from mia_tui.files import open_to_read
from mia_tui.runs.evaluation.confusion import ConfusionReport, Which, load_confusion_report
from mia_tui.runs.list.moved_dataset import current_job
from mia_tui.runs.list.words import shown_status
from mia_tui.runs.machine.gpus import Gpu, gpus_of_process, list_gpus, nvidia_device_present
from mia_tui.runs.machine.system import host_name, is_full
from mia_tui.runs.record.job import AnyJob, RunNotes
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventReader
from mia_tui.runs.record.state import RunState
from mia_tui.runs.worker.liveness import IN_PROGRESS, ShownStatus, StatusTracker
from mia_tui.text import printable
from mia_tui.tui.runs.watch import PollingThread

EVERY_S = 0.25
ASK_EVERY_S = 1.0
GPU_EVERY_S = 3.0
SILENT_S = 10.0
"""After this time without an event, silence is shown."""

_HEAD_BYTES = 512
_HINDERED = IN_PROGRESS | {"lost"}  # by a full disk; the worker of a failed run could report why


@dataclass(frozen=True)
class RunSnapshot:
    """A run at one moment.

    Attributes:
        job: What it is to do; None where that cannot be read.
        state: Its state by its events.
        status: What it is doing.
        is_gone: Whether its folder has been deleted; all else is then what was read before that.
        is_stopping: Whether its worker was asked to stop and is still working.
        silent_s: Whole seconds without an event, counted here; None while events come, and without a worker.
        gpus: The GPUs of this machine that the run is known to use.
        is_disk_full: Whether the run is in progress, or lost, and the disk that holds its folder is full.
        report: The confusion report that was asked for; None before there is one.
        trouble: Why something cannot be read, a sentence; empty if all can.
        notes: What a person said of it.
        folder: The name of its folder.
    """

    job: AnyJob | None
    state: RunState = field(compare=False)  # that of one follower is always the same object
    status: ShownStatus
    is_gone: bool = False
    is_stopping: bool = False
    silent_s: int | None = None
    gpus: tuple[Gpu, ...] = ()
    is_disk_full: bool = False
    report: ConfusionReport | None = None
    trouble: str = ""
    notes: RunNotes = field(default_factory=RunNotes)
    folder: str = ""


class RunFollower(PollingThread):
    """Follows a run until it is stopped.

    Args:
        run: Its folder.
        on_change: Called in the thread with each snapshot that is different from the one before.
        clock: Seconds that never jump.
    """

    def __init__(
        self,
        run: RunDir,
        on_change: Callable[[RunSnapshot], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__("run", every_s=EVERY_S)
        self.run = run
        self._on_change, self._clock = on_change, clock
        self._log, self._pulse = _FollowedLog(run), StatusTracker()
        self._job: AnyJob | None = None
        self._notes = RunNotes()
        self._status: ShownStatus = "created"
        self._is_gone = self._is_stopping = self._is_disk_full = False
        self._heard_at = clock()
        self._asked_at = self._gpus_at = float("-inf")
        self._gpus: tuple[Gpu, ...] = ()
        self._wanted_report: Which | None = None
        self._report: ConfusionReport | None = None
        self._report_of: object = None
        self._trouble = self._report_trouble = ""
        self._last: RunSnapshot | None = None

    def want(self, which: Which | None) -> None:
        """Include the confusion report of that epoch in the snapshots; None for none."""
        if which != self._wanted_report:
            self._wanted_report = which
            super().poll_now()

    def poll_now(self) -> None:
        """Read the run at once, because something was done to the run."""
        self._asked_at = float("-inf")
        super().poll_now()

    def poll(self) -> None:
        now = self._clock()
        changed = not self._is_gone and self._log.read(self)
        if now - self._asked_at >= ASK_EVERY_S:
            self._asked_at = now
            self._ask()
            if self._status not in IN_PROGRESS:  # the worker wrote its last events before it released the run
                changed = (not self._is_gone and self._log.read(self)) or changed
        if changed:
            self._heard_at = now
        self._ask_gpus(now)
        self._read_report()
        snapshot = RunSnapshot(
            self._job,
            self._log.state,
            self._status,
            self._is_gone,
            self._is_stopping,
            self._silent_s(now),
            self._gpus,
            self._is_disk_full,
            self._report,
            self._log.trouble or self._trouble or self._report_trouble,
            self._notes,
            self.run.name,
        )
        if not self.stopped and (changed or snapshot != self._last):
            self._last = snapshot
            self._on_change(replace(snapshot, state=self._log.state.copy()))

    def _ask(self) -> None:
        """Check whether the worker is alive and the folder exists."""
        try:
            self._is_gone, self._trouble = not self.run.exists(), ""
            if self._is_gone:
                return
            if self._job is None or self._has_chosen(self._job):
                self._read_job()
            self._notes = self.run.notes()
            status = self._pulse.status(self.run, tick=self._clock())
            was, self._status = self._status, shown_status(status, self._log.state)
            self._is_stopping = self._status in IN_PROGRESS and self.run.stop.exists()
            self._is_disk_full = self._status in _HINDERED and is_full(self.run.path)
        except OSError as error:  # deleted meanwhile, or on a network drive that cannot be reached
            self._trouble = f"The folder of the run cannot be read: {error.strerror}."
            return
        if was not in IN_PROGRESS and self._status in IN_PROGRESS:
            self._heard_at = self._clock()  # the silence of a new worker begins now

    def _has_chosen(self, job: AnyJob) -> bool:
        """Whether trials have chosen settings since the job was read."""
        config = job.config
        return isinstance(config, TrainConfig) and config.trials > 0 and self._log.state.choice is not None

    def _read_job(self) -> None:
        try:
            self._job = current_job(self.run)
            self._log.state.metric = RunState.of(self._job).metric
        except RunError as error:
            self._trouble = str(error)

    def _silent_s(self, now: float) -> int | None:
        silent = now - self._heard_at
        working = self._status == "running" and not self._is_gone
        return int(silent) if working and silent >= SILENT_S else None

    def _ask_gpus(self, now: float) -> None:
        started = self._log.state.started
        if self._status != "running" or started is None or started.host != host_name():
            self._gpus = ()
        elif now - self._gpus_at >= GPU_EVERY_S:
            self._gpus_at = now
            if "CPU" not in started.device and nvidia_device_present():
                self._gpus = gpus_of_process(list_gpus(), started.pid, started.device)

    def _read_report(self) -> None:
        """Read the confusion report that is wanted, if it is not the one that was read last."""
        which = self._wanted_report
        saved = None if which is None else _when_saved(self._log.state, which)
        wanted = None if saved is None else (which, saved)
        if wanted == self._report_of or self._is_gone:
            return
        self._report_of, self._report_trouble = wanted, ""
        if which is None or saved is None:
            self._report = None
            return
        try:
            self._report = load_confusion_report(self.run, which)
        except RunError as error:
            self._report, self._report_trouble = None, str(error)


def _when_saved(state: RunState, which: Which) -> tuple[int, float] | None:
    """Epoch and time at which a confusion matrix was saved; None if there is none."""
    file = f"confusion/{which}.json"
    if state.result is not None and state.result.file == file:
        return 0, state.result.t
    event = state.confusions.get(file)
    return None if event is None else (event.epoch, event.t)


@dataclass
class _FollowedLog:
    """The state of a run by the complete lines of its log so far."""

    run: RunDir
    state: RunState = field(default_factory=RunState)
    trouble: str = ""

    def __post_init__(self) -> None:
        self._reader = EventReader(self.run.events)
        self._seen: tuple[int, int] | None = None
        self._head = b""

    def read(self, thread: PollingThread) -> bool:
        """Take in new events until the thread is stopped; whether there were any."""
        try:
            stat = self.run.events.stat()
            seen = (stat.st_size, stat.st_mtime_ns)
            if seen == self._seen:
                return False
            if stat.st_size < self._reader.offset or not self._same_head():
                self._begin_anew()
            before = self._reader.offset
            for events in self._reader.iter_batches():
                self.state.apply_all(events)
                if thread.stopped:
                    return False
            self.state.bad_lines = self._reader.bad_lines
            had_trouble, self.trouble, self._seen = self.trouble, "", seen
            return self._reader.offset > before or had_trouble != ""
        except FileNotFoundError:  # not yet, or deleted with its folder
            return False
        except OSError as error:
            self.trouble = f"{printable(self.run.events)} cannot be read: {error.strerror}."
            return False

    def _same_head(self) -> bool:
        """Whether this is the file that was read before, and not another one in its place."""
        with open_to_read(self.run.events) as file:
            head = file.read(_HEAD_BYTES)
        is_same, self._head = head.startswith(self._head), head
        return is_same

    def _begin_anew(self) -> None:
        self.state, self._reader = RunState(metric=self.state.metric), EventReader(self.run.events)
