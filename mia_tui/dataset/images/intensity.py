"""From the numbers of image files to the numbers that a network is given: the same map for all images of a run.

Stretching each image by its own percentiles would take away how bright it is, which may be all that tells two classes
apart. So the limits of each channel are measured once, on a sample of the training part (`measuring`), and stand in
the model file. How they are applied is in `network.brightness`; here are the records, without numpy.
"""

import math
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from mia_tui.dataset.model import FRAME_NUMBERING
from mia_tui.decoding import Text

MOST_CHANNELS = 4096
"""Of a network's input: more than any detector has, and few enough for the first layer to fit into memory."""

_MOST_TYPES = 64
IntensityMode = Literal["dataset", "type", "image"]


class ValueLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The values of files of one dtype that become black and white.

    Attributes:
        dtype: As numpy calls it: uint8, int16, float32.
        low: One value for each channel of the network's input.
        high: As `low`, larger.
    """

    dtype: Text
    low: Annotated[list[float], Meta(max_length=MOST_CHANNELS)]
    high: Annotated[list[float], Meta(max_length=MOST_CHANNELS)]

    def __post_init__(self) -> None:
        if not self.low or len(self.low) != len(self.high):
            raise ValueError("the low and high limits of values must be as many, and at least one")
        if not all(0 < high - low < math.inf for low, high in zip(self.low, self.high, strict=True)):
            raise ValueError("each high limit of values must be above the low one")

    def of(self, channel: int) -> tuple[float, float]:
        """Low and high of a channel; grey and coloured pictures have the same for all."""
        number = min(channel, len(self.low) - 1)
        return self.low[number], self.high[number]


class InputMap(msgspec.Struct, frozen=True, kw_only=True):
    """How image files become the input of a network; measured at the start of a run and stored in its model file.

    Attributes:
        mode: dataset (limits measured on the training part), type (the whole range of the dtype), or image (each
            image by its own percentiles, in 8 bits: all that older versions had).
        channels: What the network's input channels are in the files: names, or numbers from 0 where they have none.
            Empty for grey and coloured pictures.
        limits: One record for each dtype of the sample.
        bits: 8 or 16 for each value in the cache; 8 where all files of the sample have no more.
        numbering: Which frames of a stack the numbers name, see `model.FRAME_NUMBERING`.
        readers: Versions of the packages that read the files of the sample.
    """

    mode: IntensityMode
    channels: Annotated[list[Text], Meta(max_length=MOST_CHANNELS)] = []
    limits: Annotated[list[ValueLimits], Meta(max_length=_MOST_TYPES)] = []
    bits: Literal[8, 16] = 8
    numbering: Annotated[int, Meta(ge=1, le=FRAME_NUMBERING)] = FRAME_NUMBERING
    readers: Annotated[dict[Text, Text], Meta(max_length=_MOST_TYPES)] = {}

    def __post_init__(self) -> None:
        count = len(self.channels) or 1
        if any(len(limits.low) not in (1, count) for limits in self.limits):
            raise ValueError("the limits of values are of another number of channels")


AS_BEFORE = InputMap(mode="image", numbering=1)
"""Of runs and model files that were made before there was a map."""


def count_channels(input_map: InputMap | None, *, color: bool) -> int:
    """Channels of the network's input."""
    if input_map is not None and input_map.channels:
        return len(input_map.channels)
    return 3 if color else 1
