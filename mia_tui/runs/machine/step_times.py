"""How long steps of trainings took on this machine, kept for the next time the form is opened."""

from contextlib import suppress
from typing import Annotated

import msgspec

from mia_tui.config.train import TrainConfig
from mia_tui.decoding import BadRecord, JsonReader, Text
from mia_tui.errors import MiaError
from mia_tui.files import new_content, read
from mia_tui.paths import user_cache
from mia_tui.runs.machine.system import host_name

# What a step depends on; `alike` goes by the first two.
_SETTINGS = (
    *("device", "threads", "precision", "deterministic", "batch_size", "optimizer"),
    *("backbone", "drop_rate", "drop_path_rate", "ema_decay", "layer_decay"),
    *("width", "height", "color", "channels", "stack", "pixel_size", "max_megapixels"),
    *("flip_horizontal", "flip_vertical", "rotate90", "blur", "piecewise_affine", "dropout", "affine"),
    *("resized_crop", "colour_jitter", "stain_jitter", "trivial_augment", "erasing", "mixup", "cutmix"),
)
_MOST = 500  # are kept
_MOST_BYTES = 1 << 20

Seconds = Annotated[float, msgspec.Meta(ge=0.0, le=1e9)]


class StepTime(msgspec.Struct, frozen=True):
    """What an image takes.

    Attributes:
        train_s: In a step of the training.
        validate_s: In the validation.
        read_s: Until it is read.
        device: Where, in words.
        backbone: The network.
        pixels: Of the input.
        is_busy: Whether other programs slowed it down; such a time is not kept.
    """

    train_s: Seconds
    validate_s: Seconds
    read_s: Seconds
    device: Text
    backbone: Text
    pixels: Annotated[int, msgspec.Meta(ge=1)]
    is_busy: bool = False


def timed_settings(config: TrainConfig) -> TrainConfig:
    """The settings that a step depends on; all others as by default."""
    return msgspec.structs.replace(TrainConfig(), **{name: getattr(config, name) for name in _SETTINGS})


_READER = JsonReader(dict[str, StepTime])


class StepTimes:
    """The times of this machine; other machines with the same home folder have names of their own."""

    def __init__(self) -> None:
        self._file = user_cache() / "step-times.json"
        self._times: dict[str, StepTime] = {}
        with suppress(OSError, MiaError, BadRecord):
            self._times = _READER.decode(read(self._file, most_bytes=_MOST_BYTES))

    def find(self, config: TrainConfig) -> StepTime | None:
        """The time of these settings; None if they were not timed."""
        return self._times.get(_key(config))

    def alike(self, config: TrainConfig) -> StepTime | None:
        """The latest time of another network or size on the device of these settings."""
        here = "|".join([host_name(), config.device, str(config.threads), ""])
        return next((time for key, time in reversed(self._times.items()) if key.startswith(here)), None)

    def add(self, config: TrainConfig, time: StepTime) -> None:
        """Remember a time, also for the next start unless it cannot be written."""
        self._times.pop(_key(config), None)
        self._times[_key(config)] = time
        if not time.is_busy:
            kept = dict([each for each in self._times.items() if not each[1].is_busy][-_MOST:])
            with suppress(OSError, MiaError), new_content(self._file, sync=False) as file:
                file.write(msgspec.json.encode(kept))


def _key(config: TrainConfig) -> str:
    return "|".join([host_name(), *(str(getattr(config, name)) for name in _SETTINGS)])
