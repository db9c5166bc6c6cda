"""The pixels that a network is given of images of more than 8 bits, of chosen channels, or at a physical scale.

Values become 0 to 1 by the map of the run (`brightness`), transparent pixels are put on white, then the image is
resized (`geometry`), and only the result is stored as whole numbers. One channel is worked on at a time, to save
memory.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.images.bit_depth import tonal_window
from mia_tui.dataset.images.channels import Planes, show
from mia_tui.dataset.images.intensity import InputMap
from mia_tui.dataset.images.network.brightness import limits_in, quantise, to_unit, type_range
from mia_tui.dataset.images.network.geometry import Placement, place, put
from mia_tui.dataset.images.network.selection import (
    ChannelValues,
    channel_names,
    channel_values,
    file_channels,
    find_channels,
    is_picture,
    value_type,
)
from mia_tui.dataset.images.reading import OpenedFrame
from mia_tui.dataset.images.source import Region, Scene, Size
from mia_tui.errors import DecodeError
from mia_tui.text import name_some, printable

if TYPE_CHECKING:
    from mia_tui.dataset.images.decode import NetworkInput

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R 601, as Pillow has it
_MOST_SCALE = 1e6  # or its inverse: what a file says beyond that is no size of a pixel
_REACH = 3  # of the widest filter, in pixels of the result


def is_mapped(scene: Scene, input_map: InputMap) -> bool:
    """Whether a grey or coloured image needs more than its 8-bit picture, which is quicker to read and resize."""
    return input_map.mode != "image" and (scene.is_deep or not is_picture(scene))


def mapped_pixels(
    image: OpenedFrame,
    wanted: "NetworkInput",
    input_map: InputMap,
    on_other_type: Callable[[str], None],
) -> NDArray[np.uint8 | np.uint16]:
    """See `decode.decode_input`.

    Raises:
        DecodeError: If the image does not have what the network needs.
    """
    asked = _ask_for(image, wanted, input_map, on_other_type)
    placement = place(asked.size, (wanted.width, wanted.height), wanted.geometry, asked.scale)
    region = _region(placement, asked.size)
    if region is not None:
        placement = _inside(placement, region)
    chosen = _read(image, asked, input_map, region)
    units = [
        _placed(chosen, channel, asked.limits(channel), placement, wanted) for channel in range(chosen.count)
    ]
    unit = np.concatenate(units, axis=2)
    return quantise(unit if input_map.channels else _in_colours(unit, color=wanted.color), input_map.bits)


@dataclass(frozen=True, eq=False)
class UnmappedPixels:
    """What `mapped_pixels` begins with, for programs that do the rest by themselves.

    Attributes:
        values: Shape (H, W, C), in the file's own dtype, larger ones brighter.
        opacity: 0 to 1, shape (H, W); None where everything is opaque.
        limits: What becomes black and white in each of the C channels.
        scale: Pixels of the input for one of the image, across and down; None if the geometry decides.
    """

    values: NDArray[np.generic]
    opacity: NDArray[np.float32] | None
    limits: tuple[tuple[float, float], ...]
    scale: tuple[float, float] | None


def unmapped_pixels(
    image: OpenedFrame,
    wanted: "NetworkInput",
    input_map: InputMap,
    on_other_type: Callable[[str], None],
) -> UnmappedPixels:
    """The values that `mapped_pixels` maps and resizes, of the whole image.

    Raises:
        DecodeError: If the image does not have what the network needs.
    """
    asked = _ask_for(image, wanted, input_map, on_other_type)
    chosen = _read(image, asked, input_map, None)
    limits = tuple(asked.limits(channel) for channel in range(chosen.count))
    return UnmappedPixels(chosen.values, chosen.opacity, limits, asked.scale)


@dataclass(frozen=True, eq=False)
class _Asked:
    """What is read of an image: channels, their limits, the level, its size, and its scale (None: the geometry's)."""

    numbers: list[int] | None
    limits: Callable[[int], tuple[float, float]]
    level: int
    size: Size
    scale: tuple[float, float] | None


def _ask_for(
    image: OpenedFrame,
    wanted: "NetworkInput",
    input_map: InputMap,
    on_other_type: Callable[[str], None],
) -> _Asked:
    scene, name = image.scene, image.path.name
    if scene.problem is not None:
        raise DecodeError(scene.problem)
    numbers = _numbers(scene, input_map, name)
    limits = _limits(scene, input_map, name, on_other_type)
    scale = input_scale(scene, wanted.pixel_size, name)
    scaled = place(scene.size, (wanted.width, wanted.height), wanted.geometry, scale).scaled
    level = image.level_for(lambda size: (2 * scaled[0], 2 * scaled[1]))
    size = scene.levels[level]
    if scale is not None:
        scale = scale[0] * scene.size[0] / size[0], scale[1] * scene.size[1] / size[1]
    return _Asked(numbers, limits, level, size, scale)


def _read(image: OpenedFrame, asked: _Asked, input_map: InputMap, region: Region | None) -> ChannelValues:
    channels = file_channels(image.scene, asked.numbers)
    planes = image.planes(asked.level, region, channels, _bytes_beside(region, asked.size))
    return _chosen(planes, input_map, asked.numbers)


def _numbers(scene: Scene, input_map: InputMap, name: str) -> list[int] | None:
    if input_map.channels:
        return find_channels(scene, input_map.channels, name)
    if input_map.mode != "image" and not is_picture(scene):
        names = channel_names(scene)
        raise DecodeError(
            f"{printable(name)} has {len(names)} channels ({name_some(names)}), but the network is for grey and "
            "coloured images.",
            "Train one with --channels.",
        )
    return None


def _limits(
    scene: Scene, input_map: InputMap, name: str, on_other_type: Callable[[str], None]
) -> Callable[[int], tuple[float, float]]:
    """Low and high of each channel."""
    kind = value_type(scene)
    if input_map.mode == "image":
        return lambda channel: (0, 255)
    limits = limits_in(input_map, kind)
    if limits is not None:
        return limits.of
    if kind.kind == "f" and input_map.mode != "type":
        raise DecodeError(
            f"{printable(name)} has floating point values ({kind.name}), of which the network has seen none, so "
            "nobody knows which are black and white.",
            "Convert the file to whole numbers, or train with --intensity type, which takes 0 to 1.",
        )
    on_other_type(kind.name)
    ends = type_range(kind, scene.bits)
    return lambda channel: ends


def input_scale(scene: Scene, pixel_size: float | None, name: str) -> tuple[float, float] | None:
    """Pixels of the network's input for one of the image, across and down; None if the geometry decides.

    Args:
        scene: The image.
        pixel_size: Micrometres of a pixel of the input.
        name: Of the file, for the error.

    Raises:
        DecodeError: If the file does not say how large its pixels are.
    """
    if pixel_size is None:
        return None
    across, down = (side / pixel_size for side in scene.pixel_um or (0.0, 0.0))
    if not (1 / _MOST_SCALE < across < _MOST_SCALE and 1 / _MOST_SCALE < down < _MOST_SCALE):
        raise DecodeError(
            f"{printable(name)} does not say how large its pixels are, which --pixel-size needs.",
            "Leave such files out, or train without --pixel-size.",
        )
    return across, down


def _region(placement: Placement, size: Size) -> Region | None:
    """The part of an image that is needed for the part on the canvas; None for all of it."""
    starts, ends = [], []
    for side, low, high, shown in zip(
        size, placement.box[:2], placement.box[2:], placement.size, strict=True
    ):
        margin = _REACH * max(1.0, (high - low) / shown) + 1
        starts.append(max(0, math.floor(low - margin)))
        ends.append(min(side, math.ceil(high + margin)))
    width, height = ends[0] - starts[0], ends[1] - starts[1]
    return None if (width, height) == size else Region(starts[0], starts[1], width, height)


def _bytes_beside(region: Region | None, size: Size) -> int:
    """Memory for a channel beside the image's own: its brightness, and a copy of that for Pillow."""
    width, height = size if region is None else (region.width, region.height)
    return width * height * 2 * np.dtype(np.float32).itemsize


def _inside(placement: Placement, region: Region) -> Placement:
    left, top, right, bottom = placement.box
    box = left - region.left, top - region.top, right - region.left, bottom - region.top
    return replace(placement, box=box)


def _chosen(planes: Planes, input_map: InputMap, numbers: list[int] | None) -> ChannelValues:
    if input_map.mode != "image":
        return channel_values(planes, numbers)
    if numbers is None:
        shown = show(planes)
        return ChannelValues(shown.reshape(*shown.shape[:2], -1))  # (H, W, 1 or 3)
    chosen = channel_values(planes, numbers)
    if chosen.values.dtype == np.uint8:
        return chosen
    windows = [tonal_window(chosen.values[:, :, channel]) for channel in range(chosen.count)]
    return replace(chosen, values=np.stack(windows, axis=2))


def _placed(
    chosen: ChannelValues,
    channel: int,
    limits: tuple[float, float],
    placement: Placement,
    wanted: "NetworkInput",
) -> NDArray[np.float32]:
    """One channel as the network has it, 0 to 1 (resizing may exceed that), shape (height, width, 1)."""
    unit = to_unit(chosen.values[:, :, channel], *limits)
    if chosen.opacity is not None:
        unit = unit * chosen.opacity + (1 - chosen.opacity)
    placed: NDArray[np.float32] = put(unit[:, :, None], placement, wanted.resize)
    return placed


def _in_colours(unit: NDArray[np.float32], *, color: bool) -> NDArray[np.float32]:
    """A grey or coloured image (H, W, 1 or 3) as red, green and blue, or as one channel."""
    if color:
        return unit if unit.shape[2] == 3 else unit.repeat(3, axis=2)
    return unit if unit.shape[2] == 1 else (unit @ _LUMA)[:, :, None]
