"""From the channels of an image, of any number and depth, to 8-bit grey or colour for screen and network.

Values of 8 bits stay as they are; deeper ones go through `bit_depth.tonal_window`. Transparent pixels are put on
white. An image of other than one or three channels is a composite: each channel has a colour of its own.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.images.bit_depth import OUTSIDE, tonal_window
from mia_tui.dataset.images.source import Scene

_ABOVE_8_BITS = 256
# Of channels without names, as ImageJ has them for more than two; two are told apart by red-green blind people, too.
_TWO = ((0, 255, 0), (255, 0, 255))
_MANY = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 255, 255), (255, 0, 255), (255, 255, 0))


@dataclass(frozen=True, eq=False)
class Planes:
    """The pixels of one image.

    Attributes:
        values: Shape (H, W, C), upright, in the file's own dtype.
        scene: What they are.
    """

    values: NDArray[np.generic]
    scene: Scene


def show(planes: Planes, outside: tuple[float, float] = OUTSIDE) -> NDArray[np.uint8]:
    """The pixels in 8 bits: shape (H, W) for grey, (H, W, 3) for colour.

    Args:
        planes: The pixels.
        outside: See `bit_depth.tonal_window`.
    """
    values, scene = planes.values, planes.scene
    if scene.palette is not None:
        return _by_palette(values[:, :, 0], scene.palette)
    if scene.colour is not None:
        count = 4 if scene.colour == "cmyk" else 3
        shown = _colour(values[:, :, :count], scene.colour, outside)
        return shown if scene.opacity is None else _on_white(shown, values[:, :, scene.opacity])
    ends = outside[::-1] if scene.is_inverted else outside
    channels = [_in_8_bits(values[:, :, number], ends) for number in scene.measured]
    if scene.is_inverted:
        channels = [255 - channel for channel in channels]
    shown = channels[0] if len(channels) == 1 else _composite(channels)
    return shown if scene.opacity is None else _on_white(shown, values[:, :, scene.opacity])


def _in_8_bits(values: NDArray[np.generic], outside: tuple[float, float]) -> NDArray[np.uint8]:
    if values.dtype == np.uint8:
        return values.astype(np.uint8, copy=False)
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255)
    return tonal_window(values, outside)


def _colour(values: NDArray[np.generic], kind: str, outside: tuple[float, float]) -> NDArray[np.uint8]:
    if kind == "lab":
        return _from_lab(values)
    shown = _in_8_bits(values, outside)
    if kind == "rgb":
        return shown
    ink = 255 - shown.astype(np.uint16)
    return ((ink[:, :, :3] * ink[:, :, 3:] + 127) // 255).astype(np.uint8)


def _from_lab(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """CIE L*a*b* of 8 or 16 bits by sRGB, as TIFF 6.0 stores it: L from 0, a and b with a sign; white is D50."""
    scale = 255.0 if values.dtype.itemsize == 1 else 65280.0
    signed = values.view(np.int8 if values.dtype.itemsize == 1 else np.int16).astype(np.float32)
    light = values[:, :, 0].astype(np.float32) * (100 / scale)
    a, b = (signed[:, :, channel] * (255 / scale) for channel in (1, 2))
    y = (light + 16) / 116
    xyz = np.stack([y + a / 500, y, y - b / 200], axis=2)
    xyz = np.where(xyz > 6 / 29, xyz**3, (xyz - 4 / 29) * (3 * (6 / 29) ** 2))
    xyz *= np.array([0.9642, 1.0, 0.8249], np.float32)
    to_rgb = np.array(  # sRGB with D50 (Bradford), Lindbloom
        [
            [3.1338561, -1.6168667, -0.4906146],
            [-0.9787684, 1.9161415, 0.0334540],
            [0.0719453, -0.2289914, 1.4052427],
        ],
        np.float32,
    )
    linear = np.clip(xyz @ to_rgb.T, 0, 1)
    shown = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return (shown * 255 + 0.5).astype(np.uint8)


def _by_palette(values: NDArray[np.generic], palette: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Some programs write palettes of 8 instead of 16 bits."""
    colours = palette if palette.max(initial=0) < _ABOVE_8_BITS else palette >> 8
    chosen = np.minimum(values.astype(np.int64), len(palette) - 1)
    return colours.astype(np.uint8)[chosen]


def _composite(channels: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Each channel in its colour, added up."""
    colours = _TWO if len(channels) == 2 else _MANY
    total = np.zeros((*channels[0].shape, 3), np.uint16)
    for number, channel in enumerate(channels):
        colour = np.array(colours[number % len(colours)], np.uint16)
        total += (channel[:, :, None].astype(np.uint16) * colour) // 255
    return np.minimum(total, 255).astype(np.uint8)


def _on_white(shown: NDArray[np.uint8], opacity: NDArray[np.generic]) -> NDArray[np.uint8]:
    most = 1.0 if opacity.dtype.kind in "bf" else 256.0**opacity.dtype.itemsize - 1
    share = np.clip(opacity.astype(np.float32) / most, 0, 1)
    share = share if shown.ndim == 2 else share[:, :, None]
    mixed: NDArray[np.float32] = shown * share + 255 * (1 - share) + np.float32(0.5)
    return mixed.astype(np.uint8)
