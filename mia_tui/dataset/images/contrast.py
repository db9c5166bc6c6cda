"""Brightness and contrast of an 8-bit image: a table of what each of its 256 values is shown as."""

import math
from functools import lru_cache

import numpy as np
from PIL import Image

FULL_RANGE = (0, 255)
_SAMPLED_PX = 500  # on each side; percentiles of so many pixels differ by less than one of 256 values


def black_and_white(image: Image.Image, window: tuple[float, float]) -> tuple[int, int]:
    """The values that are shown as black and white.

    Args:
        image: Mode L or RGB; all channels of a colour image are used together, so that colours are kept.
        window: Percentiles.
    """
    if image.width > _SAMPLED_PX or image.height > _SAMPLED_PX:
        size = (min(image.width, _SAMPLED_PX), min(image.height, _SAMPLED_PX))
        image = image.resize(size, Image.Resampling.NEAREST)
    counts = np.array(image.histogram()).reshape(-1, 256).sum(axis=0)
    below = np.cumsum(counts) / counts.sum()
    low = int(np.searchsorted(below, window[0] / 100, side="right"))
    high = int(np.searchsorted(below, window[1] / 100))
    if low >= high:  # almost all pixels have one value: show the few others
        low, high = np.flatnonzero(counts)[[0, -1]].tolist()
    return (low, high) if low < high else FULL_RANGE


@lru_cache(maxsize=64)
def lookup_table(ends: tuple[int, int], brightness: int, contrast: int, invert: bool) -> list[int]:
    """The value that each of the 256 values is shown as.

    Args:
        ends: The values that become black and white first.
        brightness: -100 to 100, in percent of the range.
        contrast: -100 (all grey) to 100 (black and white).
        invert: Whether black and white are swapped at the end.
    """
    shown = (np.arange(256) - ends[0]) / (ends[1] - ends[0])
    slope = min(math.tan((contrast / 100 + 1) * math.pi / 4), 1000.0)  # 1 at 0, all or nothing at 100
    shown = (shown.clip(0, 1) + brightness / 100 - 0.5) * slope + 0.5
    if invert:
        shown = 1 - shown
    found: list[int] = (shown.clip(0, 1) * 255).round().astype(int).tolist()
    return found
