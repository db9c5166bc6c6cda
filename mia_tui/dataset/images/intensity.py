"""From the numbers of image files to the numbers that a network is given: the same map for all images of a run.

Stretching each image by its own percentiles would take away how bright it is, which may be all that tells two classes
apart. So the limits of each channel are measured once, on a sample of the training part, and stand in the model file;
see `measuring`. A value v of a channel becomes

    x = (v - low) / (high - low), not below 0 nor above 1; 0 for NaN, 0 and 1 for the infinities

The image is resized in x, and the result stored as x * 255 or x * 65535, rounded. Values of 8 bits without a sign are
never stretched; beside deeper ones they are stored as v * 257, which is the same x.
"""

import math
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from mia_tui.dataset.images.source import FRAME_NUMBERING

IntensityMode = Literal["dataset", "type", "image"]


class ValueLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The values of files of one dtype that become black and white.

    Attributes:
        dtype: As numpy calls it: uint8, int16, float32.
        low: One value for each channel of the network's input.
        high: As `low`, larger.
    """

    dtype: str
    low: list[float]
    high: list[float]

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
        numbering: Which frames of a stack the numbers name, see `source.FRAME_NUMBERING`.
        readers: Versions of the packages that read the files of the sample.
    """

    mode: IntensityMode
    channels: list[str] = []
    limits: list[ValueLimits] = []
    bits: Annotated[int, Meta(ge=8, le=16)] = 8
    numbering: int = FRAME_NUMBERING
    readers: dict[str, str] = {}


AS_BEFORE = InputMap(mode="image", numbering=1)
"""Of runs and model files that were made before there was a map."""


_BLOCK_ROWS = 256  # mapped at once, so that float64 needs little memory


def count_channels(input_map: InputMap | None, *, color: bool) -> int:
    """Channels of the network's input."""
    if input_map is not None and input_map.channels:
        return len(input_map.channels)
    return 3 if color else 1


def type_range(dtype: np.dtype, bits: int | None = None) -> tuple[float, float]:
    """The values that a dtype can have, 0 to 1 for floats.

    Args:
        dtype: Of the values.
        bits: Significant ones, where they are fewer than those of an unsigned dtype.
    """
    if dtype.kind == "f":
        return 0.0, 1.0
    if dtype.kind == "b":
        return 0.0, 1.0
    if bits is not None and dtype.kind == "u":
        return 0.0, 2.0**bits - 1
    info = np.iinfo(dtype)
    return float(info.min), float(info.max)


def limits_in(input_map: InputMap, dtype: np.dtype) -> ValueLimits | None:
    """What the map says of a dtype; None if no file of the sample had it."""
    return next((limits for limits in input_map.limits if limits.dtype == dtype.name), None)


def to_unit(values: NDArray[np.generic], low: float, high: float) -> NDArray[np.float32]:
    """Values of one channel as 0 to 1, by the formula above.

    Args:
        values: Shape (H, W), of any dtype.
        low: Becomes 0.
        high: Becomes 1; larger than `low`.
    """
    exact: type[np.float32 | np.float64] = np.float32 if values.dtype.itemsize <= 2 else np.float64
    shown = np.empty(values.shape, np.float32)
    for start in range(0, len(values), _BLOCK_ROWS):
        with np.errstate(invalid="ignore"):  # signalling NaN
            block: NDArray[np.floating] = values[start : start + _BLOCK_ROWS].astype(exact)
        if values.dtype.kind == "f":
            np.nan_to_num(block, copy=False, nan=low, posinf=high, neginf=low)
        np.clip(block, low, high, out=block)
        shown[start : start + _BLOCK_ROWS] = (block - low) / (high - low)
    return shown


def quantise(unit: NDArray[np.float32], bits: int) -> NDArray[np.uint8 | np.uint16]:
    """Values of 0 to 1 as whole numbers of 8 or 16 bits."""
    if bits == 8:
        return np.rint(np.clip(unit, 0, 1) * 255).astype(np.uint8)
    return np.rint(np.clip(unit, 0, 1) * 65535).astype(np.uint16)
