"""How far a run is and how long it will take, from what its worker measured.

Nothing here is computed from the time of day, which people and networks change:
epochs have seconds of work, steps have images per second.

The beginning of an attempt is not representative: its first epoch includes reading the images and building the
network, its first steps the warm-up (on recorded runs the time left came out 2 to 22 times too long). These are left
out, and until there is more no time is shown.

Jobs that count images have no measured speed, only the times of their reports. Theirs is the speed of the last tens
of seconds, without spans in which the clock was set or the machine slept.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from mia_tui.runs.record.events import ProgressMade
from mia_tui.runs.record.state import WORK, RunState

_STEPS, _EPOCHS = 7, 5  # the newest ones, whose median is used
_WARMING_STEPS = 2  # reported ones at the beginning of an attempt
_LEAST_STEPS = 4  # reported ones after them that are needed for an estimate
_LEAST_SPANS = 3  # between reports of images done, after the first one
_LEAST_SPANS_S = 3.0
_LONGEST_SPAN = 10.0  # times the median one; the clock of a longer one was set, or the machine slept


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


Work = Callable[[int, int], float]
"""How much there is to do from one epoch to another one, both included."""


def _all_alike(first: int, last: int) -> float:
    return last - first + 1


def run_progress(state: RunState, batch_size: int, work: Work = _all_alike) -> RunProgress | None:
    """How far a run is, and how long it will still take; None before it has started.

    Args:
        state: What its events tell.
        batch_size: Images a step.
        work: What epochs take; by default all take the same.
    """
    started = state.started
    if started is None:
        return None
    epoch, step = _place(state)
    steps = started.steps_per_epoch
    step_s = _step_s(state, batch_size)
    per_work = _epoch_s(state, work)
    if per_work is None and step_s is not None:
        # Without validation, of which nothing is known before an epoch has ended.
        per_work = step_s * steps / work(epoch, epoch)
    to_do = 0.0
    if epoch <= started.total_epochs:
        to_do = work(epoch, started.total_epochs) - _share(step, steps) * work(epoch, epoch)
    return RunProgress(
        epoch=min(epoch, started.total_epochs),
        step=step if epoch <= started.total_epochs else steps,
        steps_per_epoch=steps,
        total_epochs=started.total_epochs,
        epoch_left_s=None if step_s is None else step_s * max(0, steps - step),
        run_left_s=None if per_work is None else per_work * to_do,
    )


@dataclass(frozen=True)
class ImageProgress:
    """How far a job is that counts images.

    Attributes:
        done: Images that are done.
        total: All of them.
        images_per_s: In the last tens of seconds; None while that is not known, and while it does not work.
    """

    done: int
    total: int
    images_per_s: float | None

    @property
    def share(self) -> float:
        """How much is done, 0 to 1."""
        return _share(self.done, self.total)

    @property
    def left_s(self) -> float | None:
        """About how many seconds to the last image; None while that cannot be estimated."""
        return None if not self.images_per_s else max(0, self.total - self.done) / self.images_per_s


def image_progress(state: RunState) -> ImageProgress | None:
    """How far the work of a job is that counts images, and how fast it is; None before its first report.

    Until a resumed job is at work again, it is as far as it was.
    """
    if state.reached is None or (state.phase in WORK and state.progress is None):
        return None
    done, total = state.reached
    at_work = state.phase == "working" and state.outcome is None
    return ImageProgress(done, total, _images_per_s(state.recent_progress) if at_work else None)


def _images_per_s(reports: list[ProgressMade]) -> float | None:
    """Images a second between reports, without the span after the first one, in which the network warms up."""
    spans = [(later.t - earlier.t, later.done - earlier.done) for earlier, later in pairwise(reports[1:])]
    spans = [(seconds, images) for seconds, images in spans if seconds > 0 and images >= 0]
    if len(spans) < _LEAST_SPANS:
        return None
    longest = _LONGEST_SPAN * median(seconds for seconds, _ in spans)
    kept = [(seconds, images) for seconds, images in spans if seconds <= longest]
    seconds, images = (sum(each) for each in zip(*kept, strict=True))
    return images / seconds if seconds >= _LEAST_SPANS_S and images > 0 else None


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


def _epoch_s(state: RunState, work: Work) -> float | None:
    """Seconds a unit of work takes, with validation; None before this attempt has done an epoch as a whole."""
    first, _ = _begun_at(state)
    newest = [row for row in state.epochs[-_EPOCHS - 1 :] if row.epoch >= first]
    times = [
        (later.elapsed_s - earlier.elapsed_s) / work(later.epoch, later.epoch)
        for earlier, later in pairwise(newest)
    ]
    return median(times) if times and min(times) >= 0 else None


def _begun_at(state: RunState) -> tuple[int, int]:
    """The epoch and the step behind which this attempt began."""
    resumed = None if state.started is None else state.started.resumed_at
    return (1, 0) if resumed is None else (resumed.epoch, resumed.step)


def _share(done: float, total: float) -> float:
    return max(0.0, min(1.0, done / total)) if total > 0 else 0.0
