"""Times the steps of a training on this machine, for how long it will take (`runs.preflight.duration`).

The steps are timed in a process of its own, which imports torch; typing never waits for it.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from mia_tui.config.train import TrainConfig
from mia_tui.runs.machine.step_times import StepTime, StepTimes, timed_settings
from mia_tui.runs.preflight.duration import Forecast, forecast
from mia_tui.runs.record.job import Sample
from mia_tui.runs.worker.helper import Helper
from mia_tui.runs.worker.preview_messages import PreviewImage
from mia_tui.runs.worker.timing_messages import (
    STEP_TIMER_MODULE,
    TimingAnswer,
    TimingRequest,
    decode_timing_answer,
    encode_timing,
)
from mia_tui.text import printable
from mia_tui.tui.training.estimate import StartEstimate
from mia_tui.tui.training.machine import cores_here

_TIMED_IMAGES = 8
_IDLE_S = 20.0  # then the process ends


class StepClock:
    """Times the steps of trainings, each only once.

    Args:
        root: Folder of the images.
        on_news: Called in a thread when a forecast may be another one than before.
    """

    def __init__(self, root: Path, on_news: Callable[[], None]) -> None:
        self._root, self._on_news = root, on_news
        self._times: StepTimes | None = None
        self._problems: dict[TrainConfig, str] = {}
        self._helper = Helper(
            STEP_TIMER_MODULE,
            encode_timing,
            decode_timing_answer,
            on_answer=self._take,
            on_ready=lambda: None,
            on_end=lambda _: self._fail("torch cannot be used, or memory is short."),
            idle_s=_IDLE_S,
        )
        self._asked: TrainConfig | None = None
        threading.Thread(target=self._load, name="step-times", daemon=True).start()

    @property
    def times(self) -> StepTimes | None:
        """What was timed on this machine; None until that is read."""
        return self._times

    @property
    def idle(self) -> bool:
        """Whether nothing is being timed."""
        return self._helper.idle

    def close(self) -> None:
        """End the process."""
        self._helper.close()

    def want(self, config: TrainConfig, estimate: StartEstimate) -> bool:
        """Time a training, unless that was done before; whether that begins now."""
        times, key = self._times, timed_settings(config)
        rows = _some(estimate.samples)
        if times is None or not rows or times.find(key) or key in self._problems or key == self._asked:
            return False
        self._asked = key
        self._helper.ask(TimingRequest(key, str(self._root.resolve()), rows, len(estimate.counts)))
        return True

    def forecast(self, config: TrainConfig, estimate: StartEstimate, *, has_gpu: bool) -> Forecast | None:
        """How long a training takes; None if nothing tells."""
        told = forecast(config, estimate.totals, self._times, has_gpu=has_gpu, cores=cores_here())
        key = timed_settings(config)
        if told is None or (self._times is not None and self._times.find(key)):
            return told
        problem, source = self._problems.get(key), told.source
        if problem:
            source += f", since it cannot be measured: {printable(problem)}"
        elif key == self._asked:
            source += "; it is being measured"
        return replace(told, source=source)

    def _load(self) -> None:
        self._times = StepTimes()
        self._on_news()

    def _take(self, request: TimingRequest, answer: TimingAnswer) -> None:
        if answer.error:
            self._fail(answer.error)
            return
        config = request.config
        time = StepTime(
            answer.train_s,
            answer.validate_s,
            answer.read_s,
            answer.device,
            config.backbone,
            config.width * config.height,
            answer.is_busy,
        )
        if self._times is not None:
            self._times.add(config, time)
        self._on_news()

    def _fail(self, problem: str) -> None:
        if self._asked is not None:
            self._problems[self._asked] = problem
        self._on_news()


def _some(samples: Sequence[Sample]) -> tuple[PreviewImage, ...]:
    """A few images of the training part, from all over it."""
    training = [(row, each) for row, each in enumerate(samples) if each.split == "train"]
    step = max(1, len(training) // _TIMED_IMAGES)
    return tuple(PreviewImage(row, each.path, each.frame) for row, each in training[::step][:_TIMED_IMAGES])
