"""The map from the values of a file to brightness, by the limits of an `InputMap`.

A value v of a channel becomes

    x = (v - low) / (high - low), not below 0 nor above 1; 0 for NaN, 0 and 1 for the infinities

The image is resized in x, and the result stored as x * 255 or x * 65535, rounded. Values of 8 bits without a sign are
never stretched; beside deeper ones they are stored as v * 257, which is the same x.
"""

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.images.intensity import InputMap, ValueLimits

_MOST_IN_32_BITS = 1e30  # limits beyond have no exact place in float32
_BLOCK_ROWS = 256  # mapped at once, so that float64 needs little memory


def type_range(dtype: np.dtype, bits: int | None = None) -> tuple[float, float]:
    """The values that a dtype can have, 0 to 1 for floats.

    Args:
        dtype: Of the values.
        bits: Significant ones, where they are fewer than those of an unsigned dtype.
    """
    if dtype.kind in "fb":
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
    most = _MOST_IN_32_BITS
    fits = values.dtype.itemsize <= 2 and max(abs(low), abs(high)) < most and high - low > 1 / most
    exact: type[np.float32 | np.float64] = np.float32 if fits else np.float64
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
