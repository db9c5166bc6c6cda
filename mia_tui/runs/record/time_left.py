"""How far a run is and how long it will take, from what its worker measured.

Nothing here is computed from the time of day, which people and networks change:
epochs have seconds of work, steps have images per second.

The beginning of an attempt is not representative: its first epoch includes reading the images and building the
network, its first steps the warm-up (on recorded runs the time left came out 2 to 22 times too long). These are left
out, and until there is more no time is shown.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from mia_tui.runs.record.state import RunState

_STEPS, _EPOCHS = 7, 5  # the newest ones, whose median is used
_WARMING_STEPS = 2  # reported ones at the beginning of an attempt
_LEAST_STEPS = 4  # reported ones after them that are needed for an estimate


@dataclass(frozen=True)
class RunProgress:
    """How far a run is.

    Attributes:
        epoch: The current epoch, from 1.
        step: Steps of it that are done.
        steps_per_epoch: Steps of an epoch.
        total_epochs: Epochs of the run, unless it stops early.
        epoch_left_s: About how many seconds to the end of the epoch's steps; None while that cannot be estimated.
        run_left_s: About how many seconds to the end of the last epoch; None while that cannot be estimated.
    """

    epoch: int
    step: int
    steps_per_epoch: int
    total_epochs: int
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


def run_progress(state: RunState, batch_size: int) -> RunProgress | None:
    """How far a run is, and how long it will still take; None before it has started.

    Args:
        state: What its events tell.
        batch_size: Images a step.
    """
    started = state.started
    if started is None:
        return None
    epoch, step = _place(state)
    steps = started.steps_per_epoch
    step_s = _step_s(state, batch_size)
    per_epoch = _epoch_s(state)
    if per_epoch is None and step_s is not None:
        per_epoch = step_s * steps  # without validation, of which nothing is known before an epoch has ended
    to_do = max(0.0, started.total_epochs - (epoch - 1) - _share(step, steps))
    return RunProgress(
        epoch=min(epoch, started.total_epochs),
        step=step if epoch <= started.total_epochs else steps,
        steps_per_epoch=steps,
        total_epochs=started.total_epochs,
        epoch_left_s=None if step_s is None else step_s * max(0, steps - step),
        run_left_s=None if per_epoch is None else per_epoch * to_do,
    )


def _place(state: RunState) -> tuple[int, int]:
    """The current epoch and how many of its steps are done."""
    done = state.epochs[-1].epoch if state.epochs else 0
    last = state.last_step
    if last is not None and last.epoch > done:
        return last.epoch, last.step
    resumed = state.started.resumed_at if state.started is not None else None
    if resumed is not None and resumed.epoch > done:
        return resumed.epoch, resumed.step
    return done + 1, 0


def _step_s(state: RunState, batch_size: int) -> float | None:
    """Seconds a step takes by the newest ones of this attempt; None where that is not known yet."""
    begun, newest = _begun_at(state), list(state.steps.points[-_STEPS - _WARMING_STEPS :])
    if state.last_step is not None and state.last_step not in newest[-1:]:
        newest.append(state.last_step)
    reported = [step for step in newest if (step.epoch, step.step) > begun]
    warm = reported[_WARMING_STEPS:]
    speeds = [
        step.images_per_s for step in warm if math.isfinite(step.images_per_s) and step.images_per_s > 0
    ]
    return batch_size / median(speeds) if len(speeds) >= _LEAST_STEPS else None


def _epoch_s(state: RunState) -> float | None:
    """Seconds an epoch takes, its validation included; None before this attempt has done one as a whole."""
    first, _ = _begun_at(state)
    newest = [row for row in state.epochs[-_EPOCHS - 1 :] if row.epoch >= first]
    times = [later.elapsed_s - earlier.elapsed_s for earlier, later in pairwise(newest)]
    return median(times) if times and min(times) >= 0 else None


def _begun_at(state: RunState) -> tuple[int, int]:
    """The epoch and the step behind which this attempt began."""
    resumed = None if state.started is None else state.started.resumed_at
    return (1, 0) if resumed is None else (resumed.epoch, resumed.step)


def _share(done: float, total: float) -> float:
    return max(0.0, min(1.0, done / total)) if total > 0 else 0.0
