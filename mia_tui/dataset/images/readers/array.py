"""An array in memory as if it were an image file, so that a network is given the same numbers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.images.reading import OpenedFrame
from mia_tui.dataset.images.source import Channel, Place, Region, Scene, Source, part_of
from mia_tui.errors import DataError
from mia_tui.text import join_names, printable

_KINDS = "buif"  # bool, unsigned, signed, real


class ArraySource(Source):
    """One image; see `Source`.

    Args:
        values: Shape (H, W, C).
        scene: What they are.
    """

    format = "array"

    def __init__(self, values: NDArray[np.generic], scene: Scene) -> None:
        self._values = values
        self.scenes = [scene]

    def plane(
        self,
        place: Place,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
        region: Region | None = None,
    ) -> NDArray[np.generic]:
        return part_of(self._values, channels, region)


def open_array(
    values: NDArray[np.generic],
    names: Sequence[str] = (),
    *,
    pixel_um: tuple[float, float] | None = None,
    max_megapixels: float,
    called: str = "the array",
) -> OpenedFrame:
    """An array as an image that is open.

    Args:
        values: Shape (H, W), or (H, W, C): one channel, three colours, with a fourth channel how opaque a pixel is;
            or the channels that have names. Whole numbers or floating point, as an image file would have them.
        names: Of the channels; none for grey and coloured images.
        pixel_um: Width and height of a pixel, micrometres.
        max_megapixels: More is refused.
        called: What it is in a message.

    Raises:
        DataError: If it is no image.
    """
    values = np.asarray(values)
    if values.dtype.kind not in _KINDS or values.dtype.itemsize > 8:
        raise DataError(
            f"{printable(called)} holds {values.dtype}, which are no values of an image.",
            "It takes bool, whole or floating point numbers of up to 64 bits.",
        )
    values = values[:, :, None] if values.ndim == 2 else values
    wanted = _wanted(names)
    if values.ndim != 3 or values.shape[2] not in wanted or not values.size:
        shapes = join_names([_shape_words(count) for count in wanted], "or")
        what = f", of the channels {join_names(list(map(printable, names)))}" if names else ""
        raise DataError(f"{printable(called)} has the shape {values.shape}; an image is {shapes}{what}.")
    values = np.ascontiguousarray(values, values.dtype.newbyteorder("="))
    height, width, count = values.shape
    is_coloured = not names and count >= 3
    scene = Scene(
        (width, height),
        values.dtype,
        channels=tuple(map(Channel, names)) or (Channel(),) * count,
        colour="rgb" if is_coloured else None,
        opacity=3 if is_coloured and count == 4 else None,
        pixel_um=pixel_um,
    )
    return OpenedFrame(ArraySource(values, scene), Place(), Path(called), max_megapixels)


def _wanted(names: Sequence[str]) -> tuple[int, ...]:
    return (len(names),) if names else (1, 3, 4)


def _shape_words(channels: int) -> str:
    return "(height, width)" if channels == 1 else f"(height, width, {channels})"
