"""Measures what the time of a training goes into, without waiting for the device in the loop.

On a CPU each part of a step is measured by a clock. A GPU works behind the program: there events are put between the
parts of some steps, into the same queue as the work, and read once the GPU has passed them. What it did between two
events is the time of that part, its waits for the program included; the time of all steps is shared out accordingly.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, Protocol

import torch

from mia_tui.runs.record.time_use import TimePart

EVERY_STEPS = 7
"""On a GPU one step of so many is measured: an odd number, so that nothing that repeats in a batch or two hides."""


_LAST: TimePart = "computing"  # part of a step


class DeviceEvent(Protocol):
    """A mark in the queue of a device, as `torch.cuda.Event`."""

    def record(self) -> None:
        """Put it at the end of the queue."""

    def query(self) -> bool:
        """Whether the device has passed it."""

    def elapsed_time(self, end_event: Any) -> float:
        """Milliseconds from this one to another one, both of which were passed."""


class HostClock:
    """Measures the parts of every step by the clock of the program."""

    def __init__(self) -> None:
        self._seconds: dict[TimePart, float] = {}
        self._last = time.perf_counter()

    def begin(self) -> None:
        """A step begins."""
        self._last = time.perf_counter()

    def mark(self, part: TimePart) -> None:
        """A part has ended, and the next one begins."""
        now = time.perf_counter()
        self._seconds[part] = self._seconds.get(part, 0.0) + now - self._last
        self._last = now

    def take(self) -> dict[TimePart, float]:
        """Seconds of each part since the last call."""
        taken, self._seconds = self._seconds, {}
        return taken


class EventClock:
    """Measures the parts of one step in `EVERY_STEPS` on the device, and shares out the time of all.

    Args:
        make_event: Makes a mark.
    """

    def __init__(self, make_event: Callable[[], DeviceEvent]) -> None:
        self._make_event = make_event
        self._free: list[DeviceEvent] = []
        self._step: list[
            tuple[TimePart | None, DeviceEvent]
        ] = []  # the marks of the present one, if it is measured
        self._ahead: deque[list[tuple[TimePart | None, DeviceEvent]]] = (
            deque()
        )  # steps that the device is still at
        self._passed_ms: dict[TimePart, float] = {}
        self._count = 0
        self._begun = time.perf_counter()
        self._spent_s = 0.0

    def begin(self) -> None:
        """A step begins."""
        self._begun = time.perf_counter()
        self._begin_step()

    def mark(self, part: TimePart) -> None:
        """A part has ended, and the next one begins."""
        if self._step:
            self._put(part)
        if part != _LAST:
            return
        if self._step:
            self._ahead.append(self._step)
            self._read()
        self._begin_step()

    def take(self) -> dict[TimePart, float]:
        """Seconds of each part since the last call; none where no step was measured: their time is in the next."""
        now = time.perf_counter()
        self._spent_s, self._begun = self._spent_s + now - self._begun, now
        self._read()
        passed, self._passed_ms = self._passed_ms, {}
        total_ms = sum(passed.values())
        if not total_ms:
            return {}
        spent_s, self._spent_s = self._spent_s, 0.0
        return {part: spent_s * value / total_ms for part, value in passed.items()}

    def _begin_step(self) -> None:
        self._step = []
        self._count += 1
        if self._count % EVERY_STEPS == 0:
            self._put(None)

    def _put(self, part: TimePart | None) -> None:
        event = self._free.pop() if self._free else self._make_event()
        event.record()
        self._step.append((part, event))

    def _read(self) -> None:
        """Read the marks that the device has passed by now."""
        while self._ahead and self._ahead[0][-1][1].query():
            step = self._ahead.popleft()
            for (_, before), (part, after) in pairwise(step):
                assert part is not None
                self._passed_ms[part] = self._passed_ms.get(part, 0.0) + before.elapsed_time(after)
            self._free += [event for _, event in step]


class TimeUse:
    """The time of a run by parts.

    Args:
        seconds: Of each part so far, in earlier attempts; the dict is added to.
        device: Device of the network.
    """

    def __init__(self, seconds: dict[str, float], device: torch.device) -> None:
        self.seconds = seconds
        self._device = device
        self._steps = self._make_clock()
        self._is_stepping = False
        self._counted_s = sum(seconds.values())
        self._began = time.monotonic()

    def started(self, seconds: float) -> None:
        """The first step of an attempt is done, `seconds` after its process began; what follows is measured anew."""
        self._add("starting", seconds)
        self._counted_s, self._began = sum(self.seconds.values()), time.monotonic()
        self._steps = self._make_clock()
        self._steps.begin()

    def begin_steps(self) -> None:
        """Steps follow."""
        self._is_stepping = True
        self._steps.begin()

    def mark(self, part: TimePart) -> None:
        """A part of a step has ended: `images`, then `augmenting`, then `computing`; no effect between steps."""
        if self._is_stepping:
            self._steps.mark(part)

    def end_steps(self) -> None:
        """The steps are done, by the device, too."""
        self._is_stepping = False
        for part, seconds in self._steps.take().items():
            self._add(part, seconds)

    @contextmanager
    def part(self, name: TimePart) -> Iterator[None]:
        """Measure something that happens between steps, and ends with what the device does for it."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self._add(name, time.monotonic() - begun)

    def now(self) -> dict[str, float]:
        """Seconds of each part of all attempts up to now, with `other` for what is in none."""
        other = self._counted_s + time.monotonic() - self._began - sum(self.seconds.values())
        return {**self.seconds, "other": self.seconds.get("other", 0.0) + max(0.0, other)}

    def _make_clock(self) -> HostClock | EventClock:
        return EventClock(_cuda_event) if self._device.type == "cuda" else HostClock()

    def _add(self, part: TimePart, seconds: float) -> None:
        self.seconds[part] = self.seconds.get(part, 0.0) + seconds


def _cuda_event() -> DeviceEvent:
    event: DeviceEvent = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    return event
