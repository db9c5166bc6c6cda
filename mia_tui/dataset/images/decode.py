"""From an image file to 8-bit pixels: the same for training, prediction, export and screen.

Colour is always red, green, blue. Transparent pixels are put on white, as
viewers do. Exif orientation is applied, colour profiles are not. Images of more
than 8 bits are scaled by an intensity window of their own, see
`bit_depth.tonal_window`. Every fault of a file is a DecodeError with a message;
nothing here keeps state, so any number of threads may decode at once. For the
screen see `rendering`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from PIL import Image

from mia_tui.dataset.images import bit_depth
from mia_tui.dataset.images.limits import MAX_MEGAPIXELS
from mia_tui.dataset.images.reading import opened
from mia_tui.dataset.model import FRAME_NUMBERING

if TYPE_CHECKING:
    from mia_tui.config.train import Geometry, Resize, StackPick

# Pillow widens each of these filters by the scale when it makes an image smaller, which is anti-aliasing. Its own
# NEAREST picks single pixels, so nearest is the box filter here, which is the same when an image is enlarged.
_FILTERS: dict["Resize", Image.Resampling] = {
    "nearest": Image.Resampling.BOX,
    "linear": Image.Resampling.BILINEAR,
    "cubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


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


def fit(image: np.ndarray, width: int, height: int, *, geometry: "Geometry", resize: "Resize") -> np.ndarray:
    """An image at a network's input size.

    Args:
        image: uint8, shape (H, W, C), C is 1 or 3.
        width: Pixels.
        height: Pixels.
        geometry: squash ignores the proportions, letterbox keeps them and pads with black, crop keeps them and
            cuts out the middle.
        resize: Filter; always anti-aliased.

    Returns:
        uint8, shape (height, width, C), writable.
    """
    picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    return _pixels(_fit(picture, width, height, geometry, resize))


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
    stack: "StackPick" = "max",
    numbering: int = FRAME_NUMBERING,
) -> np.ndarray:
    """`decode` and `fit` in one, faster for large JPEG files.

    A JPEG is scaled by 1/2, 1/4 or 1/8 while it is decoded (a mean over blocks), as long as it stays at least twice
    as large as wanted, so 100 megapixels take 0.1 s instead of 1 s; then the filter is applied.

    Returns:
        uint8, shape (height, width, 3 or 1), writable.

    Raises:
        DecodeError: As for `decode`.
    """
    picture = _load(path, frame, color, max_megapixels, (width, height, geometry), stack, numbering)
    return _pixels(_fit(picture, width, height, geometry, resize))


class NetworkInput(Protocol):
    """How images are prepared for a network: part of the settings of a training, and of a model card."""

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


def decode_input(
    path: Path, frame: int, wanted: NetworkInput, *, numbering: int = FRAME_NUMBERING
) -> np.ndarray:
    """`decode_fitted` for a network: the same pixels in training, prediction and preview.

    Raises:
        DecodeError: As for `decode`.
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
        stack=wanted.stack,
        numbering=numbering,
    )


def _load(
    path: Path,
    frame: int,
    color: bool,
    max_megapixels: float,
    wanted: tuple[int, int, "Geometry"] | None,
    stack: "StackPick" = "max",
    numbering: int = FRAME_NUMBERING,
) -> Image.Image:
    """One upright image in mode RGB or L."""
    with opened(path, frame, max_megapixels, numbering=numbering, stack=stack) as image:
        level = 0
        if wanted is not None:
            level = image.level_for(lambda size: _doubled(_scaled(size, *wanted)))
        return image.picture(bit_depth.OUTSIDE, level).convert("RGB" if color else "L")


def _doubled(size: tuple[int, int]) -> tuple[int, int]:
    return 2 * size[0], 2 * size[1]


def _scaled(size: tuple[int, int], width: int, height: int, geometry: "Geometry") -> tuple[int, int]:
    """Size to which the whole image is scaled, before a crop cuts out the middle."""
    if geometry == "squash":
        return width, height
    across, down = width / size[0], height / size[1]
    scale = min(across, down) if geometry == "letterbox" else max(across, down)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _fit(image: Image.Image, width: int, height: int, geometry: "Geometry", resize: "Resize") -> Image.Image:
    if geometry == "crop":
        return image.resize((width, height), _FILTERS[resize], _middle(image.size, width, height))
    scaled = _scaled(image.size, width, height, geometry)
    inner = image if image.size == scaled else image.resize(scaled, _FILTERS[resize])
    if scaled == (width, height):
        return inner
    canvas = Image.new(image.mode, (width, height))
    canvas.paste(inner, ((width - scaled[0]) // 2, (height - scaled[1]) // 2))
    return canvas


def _middle(size: tuple[int, int], width: int, height: int) -> tuple[float, float, float, float]:
    """The largest box with the proportions width:height in the middle of an image."""
    scale = min(size[0] / width, size[1] / height)
    left, top = (size[0] - width * scale) / 2, (size[1] - height * scale) / 2
    return left, top, size[0] - left, size[1] - top


def _pixels(image: Image.Image) -> np.ndarray:
    pixels = np.array(image)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels
