"""A run beside busy programs warns once."""

import pytest

from mia_tui.engine.training.steps.core_wait import CoreWait


class Steps:
    """Steps of a second, of which the thread has a core for a share."""

    def __init__(self, threads: int) -> None:
        self.told: list[tuple[str, str | None]] = []
        self.clock = self.used = 0.0
        self.wait = CoreWait(
            lambda message, hint: self.told.append((message, hint)),
            threads,
            "vgg16",
            clock=lambda: self.clock,
            used=lambda: self.used,
        )

    def take(self, count: int, share: float) -> None:
        for _ in range(count):
            assert self.wait.timed(self._step, share) == "done"
            self.clock += 5.0  # between the steps: reading images, which may wait for a disk

    def _step(self, share: float) -> str:
        self.clock += 1.0
        self.used += share
        return "done"


@pytest.mark.parametrize("share", [1.0, 0.95, 0.67])
def test_steps_that_get_their_cores_are_not_reported(share: float) -> None:
    steps = Steps(2)
    steps.take(100, share)
    assert steps.told == []


def test_steps_that_wait_for_cores_are_reported_once_with_what_to_do() -> None:
    steps = Steps(2)
    steps.take(9, 0.25)
    assert steps.told == []
    steps.take(100, 0.25)
    [(message, hint)] = steps.told
    assert message == "The machine is busy: steps take 4.0 times their processor time with 2 threads."
    assert hint is not None and "`mia-tui train --resume vgg16 --threads 1`" in hint


def test_a_load_that_begins_later_is_reported_too() -> None:
    steps = Steps(1)
    steps.take(50, 1.0)
    steps.take(10, 0.5)
    [(_, hint)] = steps.told
    assert hint is not None and "--threads" not in hint
