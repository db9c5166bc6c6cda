"""Which part of an image is seen, and how large it is drawn."""

import math
from dataclasses import dataclass

from mia_tui.dataset.images.source import Size

MAX_SCALE = 64  # screen pixels for one image pixel; several of these fit into any panel
_BLOCKS_FROM = 2  # screen pixels for one image pixel


@dataclass(frozen=True)
class VisiblePart:
    """A part of an image, in pixels of the full resolution."""

    left: float
    top: float
    width: float
    height: float
    scale: float
    """Pixels of the box for one image pixel."""
    size_px: tuple[int, int]
    """Width and height on the screen."""
    blocks: bool
    """Whether each image pixel is a square of screen pixels."""


def visible_part(sides: Size, box: Size, zoom: float, centre: tuple[float, float]) -> VisiblePart:
    """The part of an image that is seen.

    Args:
        sides: Width and height of the image.
        box: Available width and height.
        zoom: 1 shows the whole image, 2 half of its width and height.
        centre: The point in the middle, as fractions of width and height.
    """
    fit = min(box[0] / sides[0], box[1] / sides[1])
    scale = min(fit * max(1.0, zoom), max(fit, MAX_SCALE), max(fit, min(box)))  # at least one pixel fits
    if zoom <= 1 or scale < 1:
        parts = [min(side, available / scale) for side, available in zip(sides, box, strict=True)]
        starts = [_start(side, part, at) for side, part, at in zip(sides, parts, centre, strict=True)]
        size = [
            max(1, min(available, round(part * min(1.0, scale))))
            for part, available in zip(parts, box, strict=True)
        ]
        return VisiblePart(starts[0], starts[1], parts[0], parts[1], scale, (size[0], size[1]), blocks=False)
    block = int(scale) if scale >= _BLOCKS_FROM else 1
    scale = block if block > 1 else scale
    whole = [
        max(1, min(side, math.ceil(available / scale), available // block))
        for side, available in zip(sides, box, strict=True)
    ]
    starts = [round(_start(side, part, at)) for side, part, at in zip(sides, whole, centre, strict=True)]
    size_px = (whole[0] * block, whole[1] * block)
    return VisiblePart(starts[0], starts[1], whole[0], whole[1], scale, size_px, blocks=block > 1)


def _start(side: int, part: float, centre: float) -> float:
    """Where a part of a side begins so that it is centred, as far as the side allows."""
    return min(max(0.0, centre * side - part / 2), side - part)
