"""What the time of a training goes into: by a clock, by events of a device, and added up over attempts."""

import time
from pathlib import Path

import pytest
import torch
from training_support import make_run, train

from mia_tui.engine.training import train as train_module
from mia_tui.engine.training.time_use import EVERY_STEPS, EventClock, TimeUse
from mia_tui.runs.record.events import EpochEnded, StartTimed, TimeUsed
from mia_tui.runs.record.state import read_state
from mia_tui.runs.worker import control

PARTS = ("images", "augmenting", "computing")


class FakeDevice:
    """A device that is always some events behind; its clock is set by hand."""

    def __init__(self) -> None:
        self.now_ms, self.made, self.behind = 0.0, 0, False

    def event(self) -> "FakeEvent":
        self.made += 1
        return FakeEvent(self)


class FakeEvent:
    def __init__(self, device: FakeDevice) -> None:
        self.device, self.at_ms = device, 0.0

    def record(self) -> None:
        self.at_ms = self.device.now_ms

    def query(self) -> bool:
        return not self.device.behind

    def elapsed_time(self, end_event: "FakeEvent") -> float:
        return end_event.at_ms - self.at_ms


def do_steps(clock: EventClock, device: FakeDevice, count: int) -> None:
    for _ in range(count):
        for part, ms in zip(PARTS, (2.0, 3.0, 15.0), strict=True):
            device.now_ms += ms
            clock.mark(part)


def test_a_device_is_measured_in_some_steps_and_the_time_of_all_is_shared_out() -> None:
    device = FakeDevice()
    clock = EventClock(device.event)
    device.behind = True
    clock.begin()
    do_steps(clock, device, 5 * EVERY_STEPS)
    assert clock.take() == {}, "the device has done none of it yet"
    device.behind = False
    time.sleep(0.02)
    taken = clock.take()
    total = sum(taken.values())
    assert total >= 0.02, "what was not shared out before is shared out now"
    assert {part: round(value / total, 6) for part, value in taken.items()} == {
        "images": 0.1,
        "augmenting": 0.15,
        "computing": 0.75,
    }
    assert clock.take() == {}


def test_events_are_used_again() -> None:
    device = FakeDevice()
    clock = EventClock(device.event)
    clock.begin()
    do_steps(clock, device, 50 * EVERY_STEPS)
    assert device.made == len(PARTS) + 1


def test_nothing_is_measured_between_steps_and_all_parts_add_up_to_the_time() -> None:
    use = TimeUse({"computing": 5.0, "other": 1.0}, torch.device("cpu"))
    use.mark("images")  # as validation reads images
    use.begin_steps()
    time.sleep(0.02)
    use.mark("images")
    use.started(3.0)
    begun = time.monotonic()
    time.sleep(0.02)
    use.mark("computing")
    use.end_steps()
    with use.part("saving"):
        time.sleep(0.02)
    time.sleep(0.02)
    now = use.now()
    assert "images" not in now, "the first step belongs to the start"
    assert now["starting"] == 3.0 and now["computing"] >= 5.02 and now["saving"] >= 0.02
    assert now["other"] >= 1.02
    assert sum(now.values()) == pytest.approx(9.0 + time.monotonic() - begun, abs=0.5)


def test_a_run_tells_its_start_once_and_what_its_time_went_into_after_each_epoch(discs: Path) -> None:
    run = make_run(discs, epochs=2)
    result, events = train(run)
    assert result.outcome == "finished"
    (start,) = [event for event in events if isinstance(event, StartTimed)]
    assert set(start.parts) == {"settings", "libraries", "images", "network", "first step"}
    assert all(0 <= seconds <= start.total_s for seconds in start.parts.values())
    kinds = [type(event) for event in events]
    assert kinds.index(StartTimed) < kinds.index(EpochEnded)
    told = [event for event in events if isinstance(event, TimeUsed)]
    assert len(told) == 3, "after each epoch, and when all is saved"
    for part in ("starting", *PARTS, "validating", "saving"):
        assert told[-1].seconds[part] > 0
    assert told[0].seconds["computing"] < told[-1].seconds["computing"]
    assert told[-1].seconds["starting"] == start.total_s
    state = read_state(run)
    assert state.time_used == told[-1] and state.start == start


def test_attempts_add_up(discs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_module, "EMIT_EVERY_S", 0.0)  # every step is reported
    monkeypatch.setattr(control, "_LOOK_EVERY_S", 0.0)
    run = make_run(discs, epochs=2)
    _, events = train(run, stop_after=(1, 2))
    first = [event for event in events if isinstance(event, TimeUsed)][-1].seconds
    _, events = train(run)
    last = [event for event in events if isinstance(event, TimeUsed)][-1].seconds
    (start,) = [event for event in events if isinstance(event, StartTimed)]
    assert last["starting"] == pytest.approx(first["starting"] + start.total_s)
    assert last["computing"] > first["computing"]
