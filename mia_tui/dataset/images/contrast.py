"""Tones of an image of 8 bits: what each of its 256 values is shown as."""

import math
from functools import lru_cache

import numpy as np
from PIL import Image

WHOLE = (0, 255)
_SAMPLED_PX = 500  # on each side; percentiles of so many differ by less than one value of 256


def ends(image: Image.Image, window: tuple[float, float]) -> tuple[int, int]:
    """The values that become black and white.

    Args:
        image: Mode L or RGB; the channels of a coloured one count alike, so that colours stay.
        window: Percentiles.
    """
    if image.width > _SAMPLED_PX or image.height > _SAMPLED_PX:
        size = (min(image.width, _SAMPLED_PX), min(image.height, _SAMPLED_PX))
        image = image.resize(size, Image.Resampling.NEAREST)
    counts = np.array(image.histogram()).reshape(-1, 256).sum(axis=0)
    below = np.cumsum(counts) / counts.sum()
    low = int(np.searchsorted(below, window[0] / 100, side="right"))
    high = int(np.searchsorted(below, window[1] / 100))
    if low >= high:  # almost all of one value: the few others are what there is to see
        low, high = np.flatnonzero(counts)[[0, -1]].tolist()
    return (low, high) if low < high else WHOLE


@lru_cache(maxsize=64)
def table(ends: tuple[int, int], brightness: int, contrast: int, invert: bool) -> list[int]:
    """What each value becomes; 256 of them.

    Args:
        ends: The values that are black and white before all else.
        brightness: -100 to 100, in percent of the range.
        contrast: -100 (all grey) to 100 (black and white).
        invert: Whether black and white change places in the end.
    """
    shown = (np.arange(256) - ends[0]) / (ends[1] - ends[0])
    slope = min(math.tan((contrast / 100 + 1) * math.pi / 4), 1000.0)  # 1 at 0, all or nothing at 100
    shown = (shown.clip(0, 1) + brightness / 100 - 0.5) * slope + 0.5
    if invert:
        shown = 1 - shown
    found: list[int] = (shown.clip(0, 1) * 255).round().astype(int).tolist()
    return found
