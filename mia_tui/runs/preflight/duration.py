"""How long a training takes: by steps that were timed on this machine, else by the size of the network."""

from collections.abc import Mapping
from dataclasses import dataclass

from mia_tui.catalog.backbones import BACKBONES, Backbone
from mia_tui.config.devices import least_devices
from mia_tui.config.train import TrainConfig
from mia_tui.config.train.epoch_work import MOST_NORM_IMAGES, training_work
from mia_tui.config.train.run import LEAST_TRIAL_STEPS
from mia_tui.dataset.model import Part
from mia_tui.runs.machine.step_times import StepTime, StepTimes, timed_settings

_START_S = 10.0  # until the libraries are imported and the network is built
_BACKWARD = 3.0  # times as long as a prediction takes a step of the training
# Billions of multiply-adds a second, forward, of a step: as a core and a GPU of 2020 do them.
_CORE_RATE, _GPU_RATE = 7.0, 600.0
_READ_S = 0.005
_GAIN_OF_DEVICE = 0.9  # what a further GPU adds, as a share of the first: they wait for each other
# How many times as long as resnet18 networks take on a core for a multiply-add in the training: layers that see one
# channel each move much memory for few of them (96 pixels, batches of 8 to 32, torch 2.14, AVX-512).
_WORK_ON_A_CORE = {"efficientnet": 6.0, "mobilenet": 4.0, "nasnet": 10.0}
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
    """Seconds of a whole training, from its start to its end, if no earlier one has decoded the images."""
    images = totals["train"] + totals["val"]
    reading = images * time.read_s / cores
    steps = totals["train"] * time.train_s * training_work(config, 1, config.epochs)
    work = steps + _validate_s(config, totals, time)
    if config.device != "cpu":  # the cores are shared
        work /= 1 + _GAIN_OF_DEVICE * (least_devices(config.devices) - 1)
    if config.cache == "none":  # read beside the steps
        run = max(work, config.epochs * reading)
    elif time.device and not time.device.startswith("CPU"):  # beside the first epoch
        first = work / config.epochs
        run = max(first, reading) + work - first
    else:
        run = reading + work
    return config.repeats * (_START_S + run) + _trials_s(config, steps, time)


def _trials_s(config: TrainConfig, steps_s: float, time: StepTime) -> float:
    """How long the trials of a run take at most, if it has any; only the first of its repetitions does them.

    Args:
        config: Settings.
        steps_s: Seconds of the run's steps on one device: trials use no more, however many the run has.
        time: Of a step.
    """
    if not config.trials:
        return 0.0
    allowed = LEAST_TRIAL_STEPS * config.batch_size * time.train_s
    whole = (
        2 * (config.trials + 4) * steps_s
    )  # each as long as the run, three times on two thirds of the images
    return min(whole, max(config.trial_share * steps_s, allowed))


def _validate_s(config: TrainConfig, totals: Mapping[Part, int], time: StepTime) -> float:
    """Seconds of all validations, with the norms that are measured before them."""
    images = totals["val"] * (config.view_count if config.validate_views else 1) * config.epochs
    measured = config.epochs if config.refresh_norms else config.average_epochs
    images += min(totals["train"], MOST_NORM_IMAGES) * measured
    return images * time.validate_s


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
    """Billions of multiply-adds of an image, on a CPU those of resnet18 that take as long."""
    times = 1.0
    if not is_gpu:
        times = next((times for name, times in _WORK_ON_A_CORE.items() if row.name.startswith(name)), times)
    return row.gmacs * times * pixels / row.input_size**2
