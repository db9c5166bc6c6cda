"""Which values of an image are shown as black and white: its own percentiles, fixed ones, or all of its type."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mia_tui.dataset.images import bit_depth
from mia_tui.dataset.images.channels import ValueRanges, has_ranges
from mia_tui.dataset.images.screen.pixels import Measured
from mia_tui.dataset.images.source import Scene

WindowKind = Literal["image", "fixed", "type"]


@dataclass(frozen=True)
class FixedWindow:
    """Values that are black and white in every image of the same kind.

    Attributes:
        dtype: Of the images, as numpy calls it.
        ranges: One pair for a coloured picture or grey, else one for each channel.
    """

    dtype: str
    ranges: ValueRanges


Window = tuple[float, float] | FixedWindow | Literal["type"] | None
"""Percentiles; fixed values; the whole range of the type; or None: the usual percentiles of images of more than 8
bits, and the whole range of others."""


def ranges_for(
    scene: Scene, window: Window, measured: Callable[[], Measured]
) -> tuple[ValueRanges, WindowKind]:
    """The values that become black and white, and where they are from; none for an image of 8 bits."""
    fixed = fixed_ranges(window, scene)
    if not has_ranges(scene):
        return (), "image" if fixed is None else "fixed"
    if fixed is not None:
        return fixed, "fixed"
    if window == "type":
        return (_of_type(scene, measured),) * _windows(scene), "type"
    return measured().ranges(_outside(window)), "image"


def fixed_ranges(window: Window, scene: Scene) -> ValueRanges | None:
    """The values of a fixed window for an image; None if it is another one, or for images of another kind."""
    if not isinstance(window, FixedWindow) or window.dtype != scene.dtype.name:
        return None
    if len(set(window.ranges)) == 1:
        return window.ranges[:1] * _windows(scene)
    return window.ranges if len(window.ranges) == _windows(scene) else None


def _windows(scene: Scene) -> int:
    """One for each measured channel; all channels of a coloured picture, or of 8 bits, share one."""
    return 1 if not has_ranges(scene) or scene.colour is not None else len(scene.measured)


def _outside(window: Window) -> tuple[float, float]:
    if not isinstance(window, tuple):
        return bit_depth.OUTSIDE
    return window[0] / 100, 1 - window[1] / 100


def _of_type(scene: Scene, measured: Callable[[], Measured]) -> tuple[float, float]:
    """The range of the type; that of decimals is 0 to 1 if all are within, else that of the image."""
    if scene.dtype.kind == "f":
        low, high = measured().extremes()
        is_fraction = low >= 0 and high <= 1
        return (0.0, 1.0) if is_fraction or low == high else (low, high)
    kind = np.iinfo(scene.dtype)
    if scene.bits is not None and scene.dtype.kind == "u":
        return 0.0, float(2**scene.bits - 1)
    return float(kind.min), float(kind.max)
