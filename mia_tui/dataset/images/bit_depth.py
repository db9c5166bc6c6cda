"""Images of more than 8 bits, converted to 8.

Cameras deliver 10 to 16 bits in files of 16, and rarely use the whole range. So
values are scaled by a window between percentiles of the image itself. Brighter
values stay brighter, nothing wraps around, and a few hot pixels do not darken
all others (MIA had all three faults).
"""

import numpy as np

# Fractions of pixels outside the window at the dark and the bright end. ImageJ's auto contrast excludes 0.175 % at
# each; 0.1 % keeps small bright objects distinct and still ignores nine hot pixels in an image of 96 x 96.
OUTSIDE = (0.001, 0.001)
_SAMPLED = 1_000_000  # values used for percentiles; all of 120 megapixels would take seconds
_BLOCK = 1_000_000  # values converted at once, so that float64 needs little memory


def tonal_window(values: np.ndarray, outside: tuple[float, float] = OUTSIDE) -> np.ndarray:
    """Values of any depth converted to 8 bits, linearly between two percentiles.

    Args:
        values: Any shape, integer or float. NaN is shown as the darkest, infinities as the ends.
        outside: Fractions of the values outside the window at its low and its high end, together below 1.

    Returns:
        uint8, same shape. An image with a single value is scaled by the range of its type
        (0..65535 for integers, 0..1 for floats), so full white stays white.
    """
    return between(values, *limits(values, outside))


def limits(values: np.ndarray, outside: tuple[float, float] = OUTSIDE) -> tuple[float, float]:
    """The values that `tonal_window` shows as black and white."""
    low, high = _window(values, outside)
    if low == high:
        low, high = 0.0, 1.0 if values.dtype.kind == "f" else 65535.0
    return low, high


def between(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Values of any depth converted to 8 bits, linearly from `low` to `high`."""
    scale = _within_floats(low, high)
    start_value, factor = low * scale, 255 / (high * scale - low * scale)
    shown = np.empty(values.shape, np.uint8)
    flat, out = values.reshape(-1), shown.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        with np.errstate(invalid="ignore"):  # signalling NaN
            block = flat[start : start + _BLOCK].astype(np.float64)
        if values.dtype.kind == "f":
            block = np.nan_to_num(block, copy=False, nan=low, posinf=high, neginf=low)
        block = np.clip(block, low, high) * scale - start_value
        out[start : start + _BLOCK] = block * factor + 0.5
    return shown


def _within_floats(low: float, high: float) -> float:
    """A factor that makes the distance of two values, and 255 divided by it, numbers that float64 has."""
    if not np.isfinite(high - low):
        return 0.25
    return 1.0 if high - low > 1e-300 else 2.0**600


def _window(values: np.ndarray, outside: tuple[float, float]) -> tuple[float, float]:
    flat = values.reshape(-1)
    sample = _finite(flat[:: max(1, flat.size // _SAMPLED)])
    if sample.size:
        # Rounded inwards: the single darkest and brightest pixel are outside in an image of any size.
        first = int(np.ceil(outside[0] * (sample.size - 1)))
        last = int(np.floor((1 - outside[1]) * (sample.size - 1)))
        ordered = np.partition(sample, (first, last))
        if ordered[first] < ordered[last]:
            return float(ordered[first]), float(ordered[last])
    everything = _finite(flat)  # almost all pixels have one value: show the few others
    if not everything.size:
        return 0.0, 1.0
    return float(everything.min()), float(everything.max())


def _finite(values: np.ndarray) -> np.ndarray:
    return values[np.isfinite(values)] if values.dtype.kind == "f" else values
