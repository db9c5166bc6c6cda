"""How an image is brought to the size of a network's input: the same in training, prediction, preview and export.

An image of W × H pixels lies on a canvas of w × h pixels, its middle on the middle of the canvas, scaled by:

    squash      w / W across and h / H down
    letterbox   min(w / W, h / H) both ways; the rest of the canvas is black
    crop        max(w / W, h / H) both ways; what does not fit is cut off
    pixel size  (micrometres of a pixel across) / (micrometres wanted), and down alike; what does not fit is cut off,
                the rest of the canvas is black

The filter is widened by the scale where an image becomes smaller, which is anti-aliasing.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mia_tui.dataset.images.source import Size

if TYPE_CHECKING:
    from mia_tui.config.train import Geometry, Resize

# Pillow's own NEAREST picks single pixels, so nearest is the box filter here, which is the same when an image is
# enlarged.
FILTERS: dict["Resize", Image.Resampling] = {
    "nearest": Image.Resampling.BOX,
    "linear": Image.Resampling.BILINEAR,
    "cubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


@dataclass(frozen=True)
class Placement:
    """How an image lies on a canvas.

    Attributes:
        canvas: Its width and height.
        scaled: Size of the whole image at the scale of the canvas.
        box: The part of the image that is on the canvas, in its pixels: left, top, right, bottom.
        size: Of that part on the canvas.
        at: Of its left upper pixel on the canvas.
    """

    canvas: Size
    scaled: Size
    box: tuple[float, float, float, float]
    size: Size
    at: tuple[int, int]


def place(
    size: Size, canvas: Size, geometry: "Geometry", scale: tuple[float, float] | None = None
) -> Placement:
    """Where an image lies on a canvas.

    Args:
        size: Of the image.
        canvas: Its width and height.
        geometry: See above; without effect if there is a scale.
        scale: Pixels of the canvas for one pixel of the image, across and down; None if the geometry decides.
    """
    if scale is not None:
        return _at_scale(size, canvas, scale)
    if geometry == "squash":
        return Placement(canvas, canvas, (0, 0, *size), canvas, (0, 0))
    across, down = canvas[0] / size[0], canvas[1] / size[1]
    by = min(across, down) if geometry == "letterbox" else max(across, down)
    scaled = max(1, round(size[0] * by)), max(1, round(size[1] * by))
    if geometry == "crop":
        return Placement(canvas, scaled, _middle(size, canvas), canvas, (0, 0))
    return Placement(canvas, scaled, (0, 0, *size), scaled, _centred(scaled, canvas))


def _at_scale(size: Size, canvas: Size, scale: tuple[float, float]) -> Placement:
    scaled = tuple(max(1, round(side * by)) for side, by in zip(size, scale, strict=True))
    parts = [min(side, room / by) for side, room, by in zip(size, canvas, scale, strict=True)]
    starts = [(side - part) / 2 for side, part in zip(size, parts, strict=True)]
    shown = min(scaled[0], canvas[0]), min(scaled[1], canvas[1])
    right, bottom = (min(side, start + part) for side, start, part in zip(size, starts, parts, strict=True))
    box = starts[0], starts[1], right, bottom
    return Placement(canvas, (scaled[0], scaled[1]), box, shown, _centred(shown, canvas))


def _middle(size: Size, canvas: Size) -> tuple[float, float, float, float]:
    """The largest box with the proportions of the canvas in the middle of an image."""
    by = min(size[0] / canvas[0], size[1] / canvas[1])
    # Rounding may make a side that fits exactly longer by 1e-14, which Pillow refuses.
    left, top = (max(0.0, (side - room * by) / 2) for side, room in zip(size, canvas, strict=True))
    return left, top, size[0] - left, size[1] - top


def _centred(size: Size, canvas: Size) -> tuple[int, int]:
    return (canvas[0] - size[0]) // 2, (canvas[1] - size[1]) // 2


def fit(image: np.ndarray, width: int, height: int, *, geometry: "Geometry", resize: "Resize") -> np.ndarray:
    """An image at a network's input size.

    Args:
        image: uint8, uint16 or float32, shape (H, W, C).
        width: Pixels.
        height: Pixels.
        geometry: squash, letterbox or crop.
        resize: Filter.

    Returns:
        The same dtype, shape (height, width, C), writable.
    """
    return put(image, place((image.shape[1], image.shape[0]), (width, height), geometry), resize)


def put(image: np.ndarray, placement: Placement, resize: "Resize") -> np.ndarray:
    """An image on its canvas; 0 is black. Arguments and result as for `fit`."""
    width, height = placement.canvas
    left, top = placement.at
    across, down = placement.size
    canvas = np.zeros((height, width, image.shape[2]), image.dtype)
    canvas[top : top + down, left : left + across] = _resized(image, placement, resize)
    return canvas


def _resized(image: np.ndarray, placement: Placement, resize: "Resize") -> NDArray[np.generic]:
    if image.dtype == np.uint8 and image.shape[2] == 3:
        picture = Image.fromarray(np.ascontiguousarray(image))
        return np.asarray(picture.resize(placement.size, FILTERS[resize], placement.box))
    kind = np.uint8 if image.dtype == np.uint8 else np.float32
    planes = []
    for channel in range(image.shape[2]):
        plane = Image.fromarray(np.ascontiguousarray(image[:, :, channel], kind))  # mode L or F
        planes.append(np.asarray(plane.resize(placement.size, FILTERS[resize], placement.box)))
    resized: NDArray[np.generic] = np.stack(planes, axis=2)
    if image.dtype == np.uint16:
        resized = np.clip(np.rint(resized.astype(np.float32)), 0, 65535).astype(np.uint16)
    return resized
