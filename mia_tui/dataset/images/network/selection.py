"""The channels of an image that a network is given: which they are, and their values with bright as large.

Colour, palettes, print colours, Lab, white as 0 and opacity end here, for files of all formats. Nothing is stretched.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.images.channels import Planes, divided, in_whole_range, share_of, show
from mia_tui.dataset.images.network.brightness import quantise, to_unit, type_range
from mia_tui.dataset.images.source import Scene
from mia_tui.errors import DecodeError
from mia_tui.text import name_some, printable

_PICTURE = ("red", "green", "blue")
_NAMED = 12
_EIGHT_BITS = np.dtype(np.uint8)


@dataclass(frozen=True, eq=False)
class ChannelValues:
    """Channels of an image, in numbers of which larger ones are brighter.

    Attributes:
        values: Shape (H, W, C).
        opacity: 0 to 1, shape (H, W); None where everything is opaque.
    """

    values: NDArray[np.generic]
    opacity: NDArray[np.float32] | None = None

    @property
    def count(self) -> int:
        return int(self.values.shape[2])


def is_picture(scene: Scene) -> bool:
    """Whether an image is grey or coloured, and not several measurements of the same place."""
    return len(scene.measured) <= 1


def value_type(scene: Scene) -> np.dtype:
    """Of the values of `channel_values`: that of the file, or uint8 for all that becomes 8 bits."""
    return scene.dtype if scene.is_deep and scene.colour in ("rgb", None) else _EIGHT_BITS


def channel_names(scene: Scene) -> tuple[str, ...]:
    """What the channels of an image are called: red, green, blue; or their names in the file, or numbers from 0.

    A name that occurs twice tells nothing, so such channels have numbers, too.
    """
    if scene.colour is not None or scene.palette is not None:
        return _PICTURE
    # Printable, since names go into model files and are typed.
    named = [printable(scene.channels[number].name or "") for number in scene.measured]
    return tuple(
        name if name and named.count(name) == 1 else str(number) for number, name in enumerate(named)
    )


def find_channels(scene: Scene, wanted: Sequence[str], file_name: str) -> list[int]:
    """The positions in `channel_names` of those that are wanted, by name, or else by number.

    Raises:
        DecodeError: If the image has no such channel.
    """
    names = channel_names(scene)
    by_name = {name.strip().casefold(): number for number, name in reversed(list(enumerate(names)))}
    by_name |= {name: number for number, name in enumerate(names)}
    found = []
    for name in wanted:
        number = by_name.get(name, by_name.get(name.strip().casefold()))
        if number is None and name.isdecimal() and int(name) < len(names):
            number = int(name)
        if number is None:
            raise DecodeError(
                f"{printable(file_name)} has no channel {printable(name)}, only {name_some(names, _NAMED)}.",
                "Channels are called as in the file, or by numbers from 0.",
            )
        found.append(number)
    return found


def file_channels(scene: Scene, numbers: Sequence[int] | None) -> list[int] | None:
    """The numbers in the file of the channels that have to be read for `channel_values`; None for all."""
    if numbers is None or scene.colour is not None or scene.palette is not None:
        return None
    opacity = [] if scene.opacity is None else [scene.opacity]
    return [scene.measured[number] for number in numbers] + opacity


def channel_values(planes: Planes, numbers: Sequence[int] | None = None) -> ChannelValues:
    """The values of some channels, or of all.

    Args:
        planes: The image, of which the `file_channels` were read.
        numbers: From `find_channels`; None for all: one of a grey image, three of a coloured one.
    """
    planes = in_whole_range(planes)
    values, scene = planes.values, planes.scene
    if scene.palette is not None or scene.colour in ("cmyk", "lab"):
        return ChannelValues(_some(show(_in_8_bits(planes)), numbers))
    if numbers is None or file_channels(scene, numbers) is None:
        every = [0, 1, 2] if scene.colour == "rgb" else list(scene.measured)
        chosen = every if numbers is None else [every[number] for number in numbers]
        opacity_at = scene.opacity
    else:
        chosen, opacity_at = list(range(len(numbers))), -1
    opacity = None if scene.opacity is None or opacity_at is None else share_of(planes, opacity_at)
    values = values[:, :, chosen]
    if opacity is not None and scene.is_multiplied:
        values = divided(values, opacity)
    if scene.is_inverted:
        values = _inverted(values, scene.bits)
    if values.dtype == np.bool_:
        values = values.astype(np.uint8) * np.uint8(255)
    return ChannelValues(values, opacity)


def _some(shown: NDArray[np.uint8], numbers: Sequence[int] | None) -> NDArray[np.uint8]:
    shown = shown.reshape(*shown.shape[:2], -1)  # (H, W, 1 or 3)
    return shown if numbers is None else shown[:, :, list(numbers)]


def _in_8_bits(planes: Planes) -> Planes:
    """Deep print colours by the range of their type. Lab of 16 bits is converted as it is."""
    values, scene = planes.values, planes.scene
    if scene.colour != "cmyk" or not scene.is_deep:
        return planes
    low, high = type_range(scene.dtype, scene.bits)
    channels = [quantise(to_unit(values[:, :, n], low, high), 8) for n in range(values.shape[2])]
    return Planes(np.stack(channels, axis=2), replace(scene, dtype=_EIGHT_BITS, bits=None))


def _inverted(values: NDArray[np.generic], bits: int | None) -> NDArray[np.generic]:
    """Values of which 0 was white: the range of their type from its other end."""
    mirrored: NDArray[np.generic]
    if values.dtype.kind == "f":
        mirrored = np.subtract(1, values)
    elif values.dtype.kind == "u" and values.dtype.itemsize > 1 and bits is not None:
        most = values.dtype.type(2**bits - 1)
        mirrored = most - np.minimum(values, most)
    else:
        mirrored = np.invert(values)  # the largest value minus this one; with a sign, -1 minus this one
    return mirrored
