"""How far a run is and how long it will take, from what its worker measured.

Nothing here is reckoned from the time of day, which people and networks set:
epochs tell seconds of work, steps tell images a second.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from mia_tui.runs.state import RunState

_STEPS, _EPOCHS = 5, 5  # the newest ones, whose median counts


@dataclass(frozen=True)
class Pace:
    """Where a run is.

    Attributes:
        epoch: The present epoch, from 1.
        step: Steps of it that are done.
        steps_per_epoch: Steps that it has.
        total_epochs: Epochs that the run has, unless it stops early.
        images_per_s: Of the newest steps; None before there are any.
        epoch_left_s: Seconds to the end of the epoch's steps; None where unknown.
        run_left_s: Seconds to the last epoch's end; None where unknown.
    """

    epoch: int
    step: int
    steps_per_epoch: int
    total_epochs: int
    images_per_s: float | None
    epoch_left_s: float | None
    run_left_s: float | None

    @property
    def epoch_share(self) -> float:
        """How much of the epoch's steps is done, 0 to 1."""
        return _share(self.step, self.steps_per_epoch)

    @property
    def run_share(self) -> float:
        """How much of the run is done, 0 to 1."""
        done = (self.epoch - 1) * self.steps_per_epoch + self.step
        return _share(done, self.total_epochs * self.steps_per_epoch)


def pace_of(state: RunState, batch_size: int) -> Pace | None:
    """The pace of a run; None before it has started.

    Args:
        state: What its events tell.
        batch_size: Images a step.
    """
    started = state.started
    if started is None:
        return None
    epoch, step = _place(state)
    steps = started.steps_per_epoch
    speed = _speed(state)
    step_s = None if speed is None else batch_size / speed
    per_epoch = _epoch_s(state) or (None if step_s is None else step_s * steps)
    to_do = max(0.0, started.total_epochs - (epoch - 1) - _share(step, steps))
    return Pace(
        epoch=min(epoch, started.total_epochs),
        step=step if epoch <= started.total_epochs else steps,
        steps_per_epoch=steps,
        total_epochs=started.total_epochs,
        images_per_s=speed,
        epoch_left_s=None if step_s is None else step_s * max(0, steps - step),
        run_left_s=None if per_epoch is None else per_epoch * to_do,
    )


def clock(seconds: float) -> str:
    """`1:02:03`, or `2:03` below an hour."""
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _place(state: RunState) -> tuple[int, int]:
    """The present epoch and how many of its steps are done."""
    done = state.epochs[-1].epoch if state.epochs else 0
    last = state.last_step
    if last is not None and last.epoch > done:
        return last.epoch, last.step
    resumed = state.started.resumed_at if state.started is not None else None
    if resumed is not None and resumed.epoch > done:
        return resumed.epoch, resumed.step
    return done + 1, 0


def _speed(state: RunState) -> float | None:
    newest = [*state.steps.points[-_STEPS:], *([state.last_step] if state.last_step is not None else [])]
    speeds = [
        step.images_per_s for step in newest if math.isfinite(step.images_per_s) and step.images_per_s > 0
    ]
    return median(speeds) if speeds else None


def _epoch_s(state: RunState) -> float | None:
    """Seconds an epoch takes, its validation included."""
    newest = state.epochs[-_EPOCHS - 1 :]
    times = [newest[0].elapsed_s] if newest and newest[0].epoch == 1 else []
    times += [later.elapsed_s - earlier.elapsed_s for earlier, later in pairwise(newest)]
    return median(times) if times and min(times) >= 0 else None


def _share(done: float, total: float) -> float:
    return max(0.0, min(1.0, done / total)) if total > 0 else 0.0
