"""How long a training will take, by steps that were timed on this machine, or by the size of the network.

The steps are timed in a process of its own, which imports torch; typing never waits for it.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mia_tui.catalog.backbones import BACKBONES
from mia_tui.config.train import TrainConfig
from mia_tui.config.train.run import LEAST_TRIAL_STEPS
from mia_tui.runs.machine.step_times import StepTime, StepTimes, timed_settings
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

_START_S = 10.0  # until the libraries are imported and the network is built
_TIMED_IMAGES = 8
_IDLE_S = 20.0  # then the process ends
_BACKWARD = 3.0  # times as long as a prediction takes a step of the training
# Billions of multiply-adds a second, forward, of a step: as a core and a GPU of 2020 do them.
_CORE_RATE, _GPU_RATE = 7.0, 600.0
_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0


@dataclass(frozen=True)
class Forecast:
    """How long a training will take.

    Attributes:
        seconds: About.
        source: Where that comes from, in a few words.
    """

    seconds: float
    source: str

    def __str__(self) -> str:
        return f"{about(self.seconds)} ({self.source})"


def about(seconds: float) -> str:
    """A time as people say it, such as `about 12 minutes`."""
    if seconds < 0.75 * _MINUTE:
        return "less than a minute"
    for unit, name, next_unit in (
        (_MINUTE, "minute", _HOUR),
        (_HOUR, "hour", _DAY),
        (_DAY, "day", float("inf")),
    ):
        if seconds < 0.9 * next_unit:
            count = max(1, round(seconds / unit))
            one = "an hour" if name == "hour" else f"a {name}"
            return f"about {one}" if count == 1 else f"about {count:,} {name}s"
    return ""


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
        times, key = self._times, timed_settings(config)
        time = None if times is None else times.find(key)
        if time is not None:
            slowed = ", beside other programs" if time.is_busy else ""
            return Forecast(_total_s(config, estimate, time), f"measured here{slowed}")
        problem = self._problems.get(key)
        guess = _guess(config, None if times is None else times.alike(key), has_gpu=has_gpu)
        if guess is None:
            return None
        source = (
            f"an estimate, since it cannot be measured: {printable(problem)}" if problem else "an estimate"
        )
        if key == self._asked and not problem:
            source += "; it is being measured"
        return Forecast(_total_s(config, estimate, guess), source)

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


def _total_s(config: TrainConfig, estimate: StartEstimate, time: StepTime) -> float:
    totals = estimate.totals
    images = totals["train"] + totals["val"]
    reading = images * time.read_s / cores_here()
    epoch = totals["train"] * time.train_s + totals["val"] * time.validate_s
    if config.cache == "none":  # read beside the steps
        epoch, reading = max(epoch, reading), 0.0
    run = config.epochs * epoch
    return config.repeats * (_START_S + reading + run) + _trials_s(config, run, time)


def _trials_s(config: TrainConfig, run_s: float, time: StepTime) -> float:
    """How long the trials of a run take at most, if it has any; only the first of its repetitions does them."""
    if not config.trials:
        return 0.0
    allowed = LEAST_TRIAL_STEPS * config.batch_size * time.train_s
    whole = (
        2 * (config.trials + 4) * run_s
    )  # each as long as the run, on two thirds of the images three times
    return min(whole, max(config.trial_share * run_s, allowed))


def _guess(config: TrainConfig, alike: StepTime | None, *, has_gpu: bool) -> StepTime | None:
    """Times by the multiply-adds of a network, and by how fast this machine did others."""
    row = BACKBONES.get(config.backbone)
    if row is None:
        return None
    work = row.gmacs * config.width * config.height / row.input_size**2
    is_gpu = has_gpu and config.device != "cpu"
    train_s = work / (_GPU_RATE if is_gpu else _CORE_RATE * (config.threads or cores_here()))
    read_s = 0.005
    other = None if alike is None else BACKBONES.get(alike.backbone)
    if alike is not None and other is not None:
        train_s = alike.train_s * work / (other.gmacs * alike.pixels / other.input_size**2)
        read_s = alike.read_s
    return StepTime(train_s, train_s / _BACKWARD, read_s, "", config.backbone, config.width * config.height)
