"""From an image file to pixels.

For a network see `decode_input`: 8 or 16 bits, any channels, the same for training, prediction and preview. For all
others 8 bits, red, green, blue or grey; images of more bits are scaled by an intensity window of their own, see
`bit_depth.tonal_window`. Transparent pixels are put on white, as viewers do. Exif orientation is applied, colour
profiles are not. Every fault of a file is a DecodeError with a message; nothing here keeps state, so any number of
threads may decode at once. For the screen see `rendering`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from PIL import Image

from mia_tui.dataset.images import bit_depth
from mia_tui.dataset.images.intensity import AS_BEFORE, InputMap
from mia_tui.dataset.images.limits import MAX_MEGAPIXELS
from mia_tui.dataset.images.network.brightness import limits_in
from mia_tui.dataset.images.network.geometry import FILTERS, Placement, place
from mia_tui.dataset.images.network.mapping import (
    UnmappedPixels,
    input_scale,
    is_mapped,
    mapped_pixels,
    unmapped_pixels,
)
from mia_tui.dataset.images.network.selection import value_type
from mia_tui.dataset.images.reading import OpenedFrame, opened
from mia_tui.dataset.images.source import FRAME_NUMBERING, Size

if TYPE_CHECKING:
    from mia_tui.config.train import Geometry, Resize, StackPick


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
    with opened(path, frame, max_megapixels) as image:
        return _pixels(_picture(image, color))


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
    with opened(path, frame, max_megapixels) as image:
        return _fitted(image, color, (width, height), geometry, resize)


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
    def stack(self) -> "StackPick": ...
    @property
    def input_map(self) -> InputMap | None: ...
    @property
    def pixel_size(self) -> float | None: ...
    @property
    def channel_count(self) -> int: ...


def decode_input(
    path: Path,
    frame: int,
    wanted: NetworkInput,
    *,
    numbering: int = FRAME_NUMBERING,
    on_other_type: Callable[[str], None] = lambda dtype: None,
) -> np.ndarray:
    """The pixels that a network is given: the same in training, prediction and preview.

    Args:
        path: Image file.
        frame: From 0, or `WHOLE_STACK`.
        wanted: How the network wants them.
        numbering: What the frame is, see `source.FRAME_NUMBERING`.
        on_other_type: Called with the dtype of an image of whole numbers that the map does not know, so that the
            range of that dtype was taken.

    Returns:
        Shape (height, width, channel_count), writable; uint16 if the map has 16 bits, else uint8.

    Raises:
        DecodeError: As for `decode`; also if the image has other channels than wanted, no pixel size where one is
            needed, or floating point numbers that the map does not know.
    """
    with opened(path, frame, wanted.max_megapixels, numbering=numbering, stack=wanted.stack) as image:
        return input_of_frame(image, wanted, on_other_type=on_other_type)


def input_of_frame(
    image: OpenedFrame, wanted: NetworkInput, *, on_other_type: Callable[[str], None] = lambda dtype: None
) -> np.ndarray:
    """`decode_input` of an image that is open."""
    input_map = _map_of(wanted)
    if _is_more_than_a_picture(image, wanted, input_map):
        return mapped_pixels(image, wanted, input_map, on_other_type)
    kind = value_type(image.scene)
    if input_map.mode != "image" and limits_in(input_map, kind) is None:
        on_other_type(kind.name)
    pixels = _fitted(image, wanted.color, (wanted.width, wanted.height), wanted.geometry, wanted.resize)
    return pixels if input_map.bits == 8 else pixels.astype(np.uint16) * np.uint16(257)


def input_placement(
    path: Path, frame: int, wanted: NetworkInput, *, numbering: int = FRAME_NUMBERING
) -> tuple[Placement, Size]:
    """How an image lies on the canvas that `decode_input` makes of it, and its own width and height.

    Raises:
        DecodeError: As for `decode_input`.
    """
    with opened(path, frame, wanted.max_megapixels, numbering=numbering, stack=wanted.stack) as image:
        size = image.scene.size
        scale = input_scale(image.scene, wanted.pixel_size, image.path.name)
    return place(size, (wanted.width, wanted.height), wanted.geometry, scale), size


def picture_or_values(image: OpenedFrame, wanted: NetworkInput) -> np.ndarray | UnmappedPixels:
    """What `input_of_frame` begins with, before brightness and size, for programs that do the rest by themselves.

    Args:
        image: The image.
        wanted: How the network wants it.

    Returns:
        A picture of 8 bits, uint8, shape (H, W, 3 or 1), where no more is used of the image; else its values.

    Raises:
        DecodeError: As for `decode_input`.
    """
    input_map = _map_of(wanted)
    if _is_more_than_a_picture(image, wanted, input_map):
        return unmapped_pixels(image, wanted, input_map, lambda dtype: None)
    level = _level(image, (wanted.width, wanted.height), wanted.geometry)
    return _pixels(image.picture(bit_depth.OUTSIDE, level))


def _map_of(wanted: NetworkInput) -> InputMap:
    return AS_BEFORE if wanted.input_map is None else wanted.input_map


def _is_more_than_a_picture(image: OpenedFrame, wanted: NetworkInput, input_map: InputMap) -> bool:
    return bool(input_map.channels) or wanted.pixel_size is not None or is_mapped(image.scene, input_map)


def _picture(
    image: OpenedFrame, color: bool, fitted_to: tuple[Size, "Geometry"] | None = None
) -> Image.Image:
    """An image in mode RGB or L, no smaller than twice what is wanted."""
    level = 0 if fitted_to is None else _level(image, *fitted_to)
    picture, mode = image.picture(bit_depth.OUTSIDE, level), "RGB" if color else "L"
    return picture if picture.mode == mode else picture.convert(mode)  # which would copy it


def _fitted(
    image: OpenedFrame, color: bool, canvas: Size, geometry: "Geometry", resize: "Resize"
) -> np.ndarray:
    picture = _picture(image, color, (canvas, geometry))
    return _pixels(_put(picture, place(picture.size, canvas, geometry), resize))


def _level(image: OpenedFrame, canvas: Size, geometry: "Geometry") -> int:
    """The smallest level that is twice as large as wanted."""
    return image.level_for(lambda size: _doubled(place(size, canvas, geometry).scaled))


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
