"""From an image file to 8-bit pixels: the same for training, prediction, export and screen.

Colour is always red, green, blue. Transparent pixels are put on white, as
viewers do. Exif orientation is applied, colour profiles are not. Images of more
than 8 bits are scaled by an intensity window of their own, see
`bit_depth.tonal_window`. Every fault of a file is a DecodeError with a message;
nothing here keeps state, so any number of threads may decode at once. For the
screen see `rendering`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from PIL import Image

from mia_tui.dataset.images import bit_depth
from mia_tui.dataset.images.geometry import FILTERS, Placement, place
from mia_tui.dataset.images.intensity import InputMap
from mia_tui.dataset.images.limits import MAX_MEGAPIXELS
from mia_tui.dataset.images.reading import opened
from mia_tui.dataset.images.source import Size

if TYPE_CHECKING:
    from mia_tui.config.train import Geometry, Resize


def decode(
    path: Path, frame: int = 0, *, color: bool = True, max_megapixels: float = MAX_MEGAPIXELS
) -> np.ndarray:
    """Pixels of one image at full resolution.

    Args:
        path: Image file.
        frame: Page or frame, from 0.
        color: Three channels (red, green, blue), or one (ITU-R 601 luma of a coloured image).
        max_megapixels: Larger images are refused.

    Returns:
        uint8, shape (H, W, 3) or (H, W, 1), writable.

    Raises:
        DecodeError: If the file is missing, damaged, not an image, too large, or has no such frame.
    """
    return _pixels(_load(path, frame, color, max_megapixels, None))


def decode_fitted(
    path: Path,
    frame: int = 0,
    *,
    width: int,
    height: int,
    color: bool = True,
    geometry: "Geometry" = "squash",
    resize: "Resize" = "cubic",
    max_megapixels: float = MAX_MEGAPIXELS,
) -> np.ndarray:
    """`decode` and `geometry.fit` in one, faster for large JPEG files.

    A JPEG is scaled by 1/2, 1/4 or 1/8 while it is decoded (a mean over blocks), as long as it stays at least twice
    as large as wanted, so 100 megapixels take 0.1 s instead of 1 s; then the filter is applied.

    Returns:
        uint8, shape (height, width, 3 or 1), writable.

    Raises:
        DecodeError: As for `decode`.
    """
    canvas = width, height
    picture = _load(path, frame, color, max_megapixels, (canvas, geometry))
    return _pixels(_put(picture, place(picture.size, canvas, geometry), resize))


class NetworkInput(Protocol):
    """How images are prepared for a network: part of the settings of a training, and of a model card.

    Attributes:
        input_map: From values to brightness; None is `AS_BEFORE`.
        pixel_size: Micrometres of a pixel of the input; None if `geometry` decides.
        channel_count: Channels of the input, as `intensity.count_channels` counts them.
    """

    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def color(self) -> bool: ...
    @property
    def geometry(self) -> "Geometry": ...
    @property
    def resize(self) -> "Resize": ...
    @property
    def max_megapixels(self) -> float: ...
    @property
    def input_map(self) -> InputMap | None: ...
    @property
    def pixel_size(self) -> float | None: ...
    @property
    def channel_count(self) -> int: ...


def decode_input(
    path: Path, frame: int, wanted: NetworkInput, *, on_other_type: Callable[[str], None] = lambda dtype: None
) -> np.ndarray:
    """The pixels that a network is given: the same in training, prediction and preview.

    Args:
        path: Image file.
        frame: From 0.
        wanted: How the network wants them.
        on_other_type: Called with the dtype of an image of whole numbers that the map does not know, so that the
            range of that dtype was taken.

    Returns:
        Shape (height, width, channel_count), writable; uint16 if the map has 16 bits, else uint8.

    Raises:
        DecodeError: As for `decode`; also if the image has other channels than wanted, no pixel size where one is
            needed, or floating point numbers that the map does not know.
    """
    return decode_fitted(
        path,
        frame,
        width=wanted.width,
        height=wanted.height,
        color=wanted.color,
        geometry=wanted.geometry,
        resize=wanted.resize,
        max_megapixels=wanted.max_megapixels,
    )


def _load(
    path: Path, frame: int, color: bool, max_megapixels: float, wanted: tuple[Size, "Geometry"] | None
) -> Image.Image:
    """One upright image in mode RGB or L."""
    with opened(path, frame, max_megapixels) as image:
        level = 0
        if wanted is not None:
            level = image.level_for(lambda size: _doubled(place(size, *wanted).scaled))
        return image.picture(bit_depth.OUTSIDE, level).convert("RGB" if color else "L")


def _doubled(size: Size) -> Size:
    return 2 * size[0], 2 * size[1]


def _put(picture: Image.Image, placement: Placement, resize: "Resize") -> Image.Image:
    """`geometry.put` for what Pillow has read, which saves two copies of a large photograph."""
    inner = picture.resize(placement.size, FILTERS[resize], placement.box)
    if placement.size == placement.canvas:
        return inner
    canvas = Image.new(picture.mode, placement.canvas)
    canvas.paste(inner, placement.at)
    return canvas


def _pixels(image: Image.Image) -> np.ndarray:
    pixels = np.array(image)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels
