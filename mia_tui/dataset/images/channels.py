"""From the channels of an image, of any number and depth, to 8-bit grey or colour for screen and network.

Values of 8 bits stay as they are; deeper ones go through `bit_depth.tonal_window`. Transparent pixels are put on
white. An image of other than one or three channels is a composite: each channel has a colour of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.images.bit_depth import OUTSIDE, between, limits
from mia_tui.dataset.images.network.brightness import type_range
from mia_tui.dataset.images.source import Colour, Scene

ValueRanges = tuple[tuple[float, float], ...]
"""The values that are shown as black and white: one pair for a coloured picture, else one for each channel."""
RGB_NAMES = ("red", "green", "blue")

_ABOVE_8_BITS = 256
_BLOCK_ROWS = 256  # worked on at once, so that float64 needs little memory
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


@dataclass(frozen=True)
class ChannelChoice:
    """Which channels are seen.

    Attributes:
        alone: Number of the only one, which is shown in grey; None for all together, each in its colour.
        hidden: Numbers of those that are left out; ignored if one is alone.
    """

    alone: int | None = None
    hidden: frozenset[int] = frozenset()


ALL_CHANNELS = ChannelChoice()


def channel_names(scene: Scene) -> dict[int, str]:
    """The channels that can be seen alone, by their numbers; none where there is only one."""
    if scene.colour is not None or scene.palette is not None:
        return dict(enumerate(RGB_NAMES))
    if len(scene.measured) < 2:
        return {}
    return {number: scene.channels[number].name or f"channel {number}" for number in scene.measured}


def show(planes: Planes, outside: tuple[float, float] = OUTSIDE) -> NDArray[np.uint8]:
    """The pixels in 8 bits: shape (H, W) for grey, (H, W, 3) for colour.

    Args:
        planes: The pixels.
        outside: See `bit_depth.tonal_window`.
    """
    return show_between(planes, ranges_of(planes, outside))


def has_ranges(scene: Scene) -> bool:
    """Whether values have to be brought to 8 bits between two of them."""
    return scene.is_deep and scene.colour != "lab"


def ranges_of(planes: Planes, outside: tuple[float, float] = OUTSIDE) -> ValueRanges:
    """The values that become black and white, measured on these pixels; none where they have 8 bits already."""
    if not has_ranges(planes.scene):
        return ()
    planes = _straight(planes)
    values, scene = planes.values, planes.scene
    if scene.colour is not None:
        return (limits(values[:, :, : _colours(scene)], outside),)
    ends = outside[::-1] if scene.is_inverted else outside
    return tuple(limits(values[:, :, number], ends) for number in scene.measured)


def show_between(
    planes: Planes,
    ranges: ValueRanges,
    choice: ChannelChoice = ALL_CHANNELS,
    *,
    own_colours: bool = False,
) -> NDArray[np.uint8]:
    """The pixels in 8 bits: shape (H, W) for grey, (H, W, 3) for colour.

    Args:
        planes: The pixels.
        ranges: Of the scene, as from `ranges_of`.
        choice: Which channels are seen; numbers of channels that do not exist count for nothing.
        own_colours: Whether a composite is in the colours that the file names.
    """
    planes = _straight(in_whole_range(planes))
    values, scene = planes.values, planes.scene
    share = None if scene.opacity is None or scene.palette is not None else share_of(planes, scene.opacity)
    if not scene.measured:
        shown = _coloured(values, scene, ranges)
        return of_rgb(shown if share is None else _on_white(shown, share), choice)
    shown = _of_measured(values, scene, ranges, choice, own_colours=own_colours)
    return shown if share is None else _on_white(shown, share)


def in_whole_range(planes: Planes) -> Planes:
    """The same with values of fewer than 8 bits, such as 0 to 15, as 0 to 255, so that the largest is white."""
    scene = planes.scene
    if scene.dtype != np.uint8 or scene.palette is not None or not 0 < (scene.bits or 8) < 8:
        return planes
    most = 2 ** (scene.bits or 8) - 1
    table = (np.minimum(np.arange(256), most) * 255 + most // 2) // most
    return Planes(table.astype(np.uint8)[planes.values], replace(scene, bits=None))


def share_of(planes: Planes, channel: int) -> NDArray[np.float32]:
    """How opaque each pixel is, 0 to 1, shape (H, W), by the channel at this position."""
    values = planes.values[:, :, channel]
    _, most = type_range(values.dtype, planes.scene.bits)
    share: NDArray[np.float32] = values.astype(np.float32) / np.float32(most)
    return np.clip(np.nan_to_num(share, copy=False), 0, 1)


def divided(values: NDArray[np.generic], share: NDArray[np.float32]) -> NDArray[np.generic]:
    """Values (H, W, C) that were multiplied with how opaque they are, as they were before; 0 where none is seen."""
    if share.min(initial=1) == 1:
        return values
    found = np.empty_like(values)
    for start in range(0, len(values), _BLOCK_ROWS):
        rows, by = values[start : start + _BLOCK_ROWS], share[start : start + _BLOCK_ROWS, :, None]
        before = np.zeros(rows.shape)
        np.divide(rows, by, out=before, where=by > 0)
        if values.dtype.kind != "f":
            before = np.clip(np.rint(before), *type_range(values.dtype))
        found[start : start + _BLOCK_ROWS] = before
    return found


def of_rgb(shown: NDArray[np.uint8], choice: ChannelChoice) -> NDArray[np.uint8]:
    """The chosen ones of red, green and blue."""
    if choice.alone is not None and choice.alone < len(RGB_NAMES):
        return shown[:, :, choice.alone]
    hidden = [number for number in choice.hidden if number < len(RGB_NAMES)]
    if hidden and choice.alone is None:
        shown = shown.copy()
        shown[:, :, hidden] = 0
    return shown


def _straight(planes: Planes) -> Planes:
    """The same with values that are not multiplied with how opaque they are."""
    values, scene = planes.values, planes.scene
    if scene.opacity is None or not scene.is_multiplied:
        return planes
    straight = np.array(divided(values, share_of(planes, scene.opacity)))
    straight[:, :, scene.opacity] = values[:, :, scene.opacity]
    return Planes(straight, replace(scene, is_multiplied=False))


def _of_measured(
    values: NDArray[np.generic],
    scene: Scene,
    ranges: ValueRanges,
    choice: ChannelChoice,
    *,
    own_colours: bool,
) -> NDArray[np.uint8]:
    numbers = scene.measured
    if len(numbers) == 1 or choice.alone in numbers:
        wanted = [choice.alone if choice.alone in numbers else numbers[0]]
    else:
        wanted = [number for number in numbers if number not in choice.hidden]
    at = {number: place for place, number in enumerate(numbers)}
    channels = []
    for number in wanted:
        channel = _in_8_bits(values[:, :, number], ranges, at[number])
        channels.append(255 - channel if scene.is_inverted else channel)
    if len(numbers) == 1 or choice.alone in numbers:
        return channels[0]
    colours = _composite_colours(scene, own=own_colours)
    chosen = [colours[at[number]] for number in wanted]
    return _composite(channels, chosen, values.shape[:2])


def _in_8_bits(values: NDArray[np.generic], ranges: ValueRanges, number: int) -> NDArray[np.uint8]:
    if values.dtype == np.uint8:
        return values.astype(np.uint8, copy=False)
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255)
    return between(values, *ranges[number])


def _colours(scene: Scene) -> int:
    """Channels of a colour model, without opacity."""
    return 4 if scene.colour == "cmyk" else 3


def _coloured(values: NDArray[np.generic], scene: Scene, ranges: ValueRanges) -> NDArray[np.uint8]:
    if scene.palette is not None:
        return _by_palette(values[:, :, 0], scene.palette)
    values = values[:, :, : _colours(scene)]
    if scene.colour == "lab":
        return _from_lab(values)
    shown = _in_8_bits(values, ranges, 0)
    if scene.colour == "rgb":
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


def _composite_colours(scene: Scene, *, own: bool) -> list[Colour]:
    """The colour of each measured channel; that of the file unless it has none, or black."""
    count = len(scene.measured)
    usual = _TWO if count == 2 else _MANY
    found = [usual[place % len(usual)] for place in range(count)]
    if own:
        named = [scene.channels[number].colour for number in scene.measured]
        found = [
            colour if colour is not None and any(colour) else usual_one
            for colour, usual_one in zip(named, found, strict=True)
        ]
    return found


def _composite(
    channels: Sequence[NDArray[np.uint8]], colours: Sequence[Colour], shape: tuple[int, ...]
) -> NDArray[np.uint8]:
    """Each channel in its colour, added up."""
    total = np.zeros((*shape, 3), np.uint16)
    for channel, colour in zip(channels, colours, strict=True):
        total += (channel[:, :, None].astype(np.uint16) * np.array(colour, np.uint16)) // 255
    return np.minimum(total, 255).astype(np.uint8)


def _on_white(shown: NDArray[np.uint8], share: NDArray[np.float32]) -> NDArray[np.uint8]:
    share = share if shown.ndim == 2 else share[:, :, None]
    mixed: NDArray[np.float32] = shown * share + 255 * (1 - share) + np.float32(0.5)
    return mixed.astype(np.uint8)
