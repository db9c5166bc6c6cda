"""How long a training takes: by steps that were timed on this machine, else by the size of the network."""

from collections.abc import Mapping
from dataclasses import dataclass

from mia_tui.catalog.backbones import BACKBONES, Backbone
from mia_tui.config.train import TrainConfig
from mia_tui.config.train.run import LEAST_TRIAL_STEPS
from mia_tui.dataset.model import Part
from mia_tui.runs.machine.step_times import StepTime, StepTimes, timed_settings

_START_S = 10.0  # until the libraries are imported and the network is built
_BACKWARD = 3.0  # times as long as a prediction takes a step of the training
# Billions of multiply-adds a second, forward, of a step: as a core and a GPU of 2020 do them.
_CORE_RATE, _GPU_RATE = 7.0, 600.0
_READ_S = 0.005
# Layers that see one channel each move much memory for few multiply-adds. A core took as long for a step of
# efficientnetlite0 (0.07 G) as for one of resnet18 (0.33 G; 96 pixels, batches of 32, torch 2.14).
_DEPTHWISE = ("efficientnet", "mobilenet", "nasnet", "xception")
_DEPTHWISE_WORK = 5.0
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


def forecast(
    config: TrainConfig, totals: Mapping[Part, int], times: StepTimes | None, *, has_gpu: bool, cores: int
) -> Forecast | None:
    """How long a training takes; None if nothing tells.

    Args:
        config: Its settings.
        totals: Images of each part.
        times: What was timed on this machine; None where that is not known yet.
        has_gpu: Whether this machine has a GPU that can be used.
        cores: CPU cores that can be used.
    """
    key = timed_settings(config)
    time = None if times is None else times.find(key)
    if time is not None:
        slowed = ", beside other programs" if time.is_busy else ""
        return Forecast(total_s(config, totals, time, cores), f"measured here{slowed}")
    guess = _guess(config, None if times is None else times.alike(key), has_gpu=has_gpu, cores=cores)
    return None if guess is None else Forecast(total_s(config, totals, guess, cores), "an estimate")


def total_s(config: TrainConfig, totals: Mapping[Part, int], time: StepTime, cores: int) -> float:
    """Seconds of a whole training, from its start to its end."""
    images = totals["train"] + totals["val"]
    reading = images * time.read_s / cores
    epoch = totals["train"] * time.train_s * _share_of_work(config) + totals["val"] * time.validate_s
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
    )  # each as long as the run, three times on two thirds of the images
    return min(whole, max(config.trial_share * run_s, allowed))


def _share_of_work(config: TrainConfig) -> float:
    """What a step takes in the mean over all epochs, as a share of one at the whole size of the whole network."""
    frozen = min(1.0, config.freeze_epochs / config.epochs) * (1 - 1 / _BACKWARD)
    first = config.start_size
    grown = (first * first + first + 1) / 3  # the mean of a square whose side grows evenly from `first` to 1
    return grown * (1 - frozen)


def _guess(config: TrainConfig, alike: StepTime | None, *, has_gpu: bool, cores: int) -> StepTime | None:
    """Times by the multiply-adds of a network, and by how fast this machine did others."""
    row = BACKBONES.get(config.backbone)
    if row is None:
        return None
    is_gpu = has_gpu and config.device != "cpu"
    pixels = config.width * config.height
    work = _work(row, pixels, is_gpu=is_gpu)
    train_s = work / (_GPU_RATE if is_gpu else _CORE_RATE * (config.threads or cores))
    read_s = _READ_S
    other = None if alike is None else BACKBONES.get(alike.backbone)
    if alike is not None and other is not None:
        train_s = alike.train_s * work / _work(other, alike.pixels, is_gpu=is_gpu)
        read_s = alike.read_s
    return StepTime(train_s, train_s / _BACKWARD, read_s, "", config.backbone, pixels)


def _work(row: Backbone, pixels: int, *, is_gpu: bool) -> float:
    """Billions of multiply-adds of an image, on a CPU those that take as long."""
    is_deep = not is_gpu and row.name.startswith(_DEPTHWISE)
    return row.gmacs * (_DEPTHWISE_WORK if is_deep else 1.0) * pixels / row.input_size**2
