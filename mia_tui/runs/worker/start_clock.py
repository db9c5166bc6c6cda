"""How long the start of a run takes, and what of it."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import get_args

from mia_tui.runs.machine.system import start_time
from mia_tui.runs.record.events import StartPart, StartTimed

_runs_begun: list[float] = []
"""When the runs of this process began."""


def run_began() -> float:
    """When the process of a run began, on the clock of `time.monotonic`; for a second run of this process, now."""
    age_s, ticks = 0.0, start_time(os.getpid())
    if ticks is not None and hasattr(time, "CLOCK_BOOTTIME") and not _runs_begun:
        age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    _runs_begun.append(time.monotonic() - max(0.0, age_s))
    return _runs_begun[-1]


class StartClock:
    """Measures what an attempt does until its first step; its parts may be measured in several threads.

    Args:
        began: When the process began, on the clock of `time.monotonic`; None for now.
    """

    def __init__(self, began: float | None = None) -> None:
        self._began = time.monotonic() if began is None else began
        self._seconds: dict[StartPart, float] = {}

    @staticmethod
    def taken_over(words: str) -> "StartClock":
        """The clock of another process of this machine, in the words of `hand_over`."""
        began, seconds = json.loads(words)
        clock = StartClock(began)
        clock._seconds.update(seconds)
        return clock

    def hand_over(self) -> str:
        """What was measured up to now, in words for a process that goes on with the start."""
        return json.dumps([self._began, self._seconds])

    def settled(self) -> None:
        """What the run is to do is known; it now waits for its turn."""
        self._seconds["settings"] = time.monotonic() - self._began

    def turn_came(self) -> None:
        """It is the run's turn; what it waited for others is no part of its start."""
        self._began = time.monotonic() - self._seconds["settings"]

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave something out that is no part of the start, as the trials of settings."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self._began += time.monotonic() - begun

    @contextmanager
    def part(self, name: StartPart) -> Iterator[None]:
        """Measure a part; the times of several add up."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + time.monotonic() - begun

    def ended(self, since: float) -> StartTimed:
        """What was measured, at the end of the first step, which began at a time of `time.monotonic`."""
        now = time.monotonic()
        self._seconds["first step"] = now - since
        parts = {name: self._seconds[name] for name in get_args(StartPart) if name in self._seconds}
        return StartTimed(t=time.time(), total_s=now - self._began, parts=parts)
