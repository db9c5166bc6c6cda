"""What the worker of a run reports and asks, whatever kind of job it does.

The work of a kind gets an `Attempt`: it asks `should_stop` after each step and in each wait, reports through `emit`
and the other methods, and writes into the run's folder with `write_when_back`.
"""

import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from mia_tui.runs.disk import Result, write_when_back
from mia_tui.runs.machine.system import boot_id, cpu_name, host_name
from mia_tui.runs.record.events import (
    PROTOCOL,
    EpochPlace,
    Event,
    Phase,
    PhaseName,
    ProgressMade,
    RunStarted,
    Warned,
)
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.start_clock import StartClock

PROGRESS_EVERY_S = 0.2
"""Progress is reported no more often than this."""

_PACKAGES = ("mia-tui", "torch", "torchvision", "timm", "pillow", "numpy")


class Attempt:
    """What one worker does for a run: from the run's start, or its last checkpoint, to its end or a stop.

    Args:
        run: The run.
        number: Counts from 1.
        emit: Takes each event.
        should_stop: Whether the worker was asked to stop.
        start: Measures the start; None begins now.

    Attributes:
        waited_s: Seconds spent waiting for disks that were away.
    """

    def __init__(
        self,
        run: RunDir,
        number: int,
        emit: Callable[[Event], None],
        should_stop: Callable[[], bool],
        start: StartClock | None = None,
    ) -> None:
        self.run, self.number, self.emit, self.should_stop = run, number, emit, should_stop
        self.start = StartClock() if start is None else start
        self.waited_s = self._waiting_since = 0.0
        self._phase = Phase(t=0.0, name="importing")
        self._progress_at = float("-inf")

    def started(
        self,
        *,
        device: str,
        total_epochs: int = 0,
        steps_per_epoch: int = 0,
        resumed_at: EpochPlace | None = None,
        arithmetic: str = "",
    ) -> None:
        """The job is about to begin, or to continue from a place that was saved; only trainings have epochs."""
        self.emit(
            RunStarted(
                t=time.time(),
                protocol=PROTOCOL,
                attempt=self.number,
                resumed_at=resumed_at,
                pid=os.getpid(),
                host=host_name(),
                boot_id=boot_id(),
                versions=installed_versions(),
                device=device,
                total_epochs=total_epochs,
                steps_per_epoch=steps_per_epoch,
                cpu=cpu_name(),
                arithmetic=arithmetic,
            )
        )

    def first_step_ended(self, *, since: float) -> float:
        """Report how long the start took, and return it in seconds; call once.

        Args:
            since: When network and images were there, on the clock of `time.monotonic`.
        """
        timed = self.start.ended(since)
        self.emit(timed)
        return timed.total_s

    def phase(self, name: PhaseName, message: str) -> None:
        """What the worker is doing from now on."""
        self._phase, self._progress_at = Phase(t=time.time(), name=name, message=message), float("-inf")
        self.emit(self._phase)

    def progress(self, done: int, total: int) -> None:
        """How many images of the present phase are done; may be called after each."""
        now = time.monotonic()
        if done == total or now - self._progress_at >= PROGRESS_EVERY_S:
            self._progress_at = now
            self.emit(ProgressMade(t=time.time(), done=done, total=total))

    def warn(self, message: str, hint: str | None = None) -> None:
        """Something the user should know; the run continues."""
        self.emit(Warned(t=time.time(), message=message, hint=hint))

    def waiting_for_disk(self, message: str | None) -> None:
        """The run waits for a disk, for the reason given; None ends the wait and restores the phase before it."""
        if message is not None:
            self._waiting_since = time.monotonic()
            self.emit(Phase(t=time.time(), name="waiting", message=message))
            return
        waited_s = time.monotonic() - self._waiting_since
        self.waited_s += waited_s
        self.warn(f"A disk was away or did not answer for {waited_s:.0f} s; the run waited and continued.")
        self.emit(Phase(t=time.time(), name=self._phase.name, message=self._phase.message))

    def write_when_back(self, action: Callable[[], Result]) -> Result:
        """Do something that needs the run's folder, and wait while that is away; see `runs.disk`."""
        return write_when_back(
            action, self.run.path, should_stop=self.should_stop, on_wait=self.waiting_for_disk
        )


def installed_versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide what a run computes; none of them is imported."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
