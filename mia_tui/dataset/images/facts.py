"""Properties of an image file, in words: size, depth, frames."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mia_tui.dataset.images.limits import MAX_MEGAPIXELS
from mia_tui.dataset.images.reading import opened
from mia_tui.dataset.images.source import Scene
from mia_tui.errors import DecodeError
from mia_tui.text import counted


@dataclass(frozen=True)
class ImageFacts:
    """The properties of one image.

    Attributes:
        width: Pixels, upright (after Exif orientation).
        height: As `width`.
        depth: Bits per channel and kind of colour, such as `16 bits, grey`.
        frames: Pages or frames of the file, at least 1.
    """

    width: int
    height: int
    depth: str
    frames: int


def read_facts(path: Path, frame: int = 0, *, max_megapixels: float = MAX_MEGAPIXELS) -> ImageFacts:
    """Read the properties of one image; only a PNG is decoded for that.

    Args:
        path: Image file.
        frame: Page or frame, from 0.
        max_megapixels: Larger images are refused.

    Raises:
        DecodeError: If the file is missing, damaged, not an image, too large, or has no such frame.
    """
    with opened(path, frame, max_megapixels) as image:
        scene = image.scene
        if scene.problem is not None:
            raise DecodeError(scene.problem)
        return ImageFacts(*scene.size, scene.stored_as or _stored_as(scene), image.source.frames)


def _stored_as(scene: Scene) -> str:
    """Bits and kind of colour, in words."""
    count = len(scene.channels)
    words = {"rgb": "colour", "cmyk": "print colours (CMYK)", "lab": "colour (L*a*b*)"}.get(
        str(scene.colour), "grey" if count == 1 else f"{count} channels"
    )
    if scene.palette is not None:
        words = "palette"
    elif scene.opacity is not None:
        words = f"{'colour' if scene.colour == 'rgb' else 'grey'}, with transparency"
    bits = scene.bits or (1 if scene.dtype == np.bool_ else 8 * scene.dtype.itemsize)
    sign = {"f": ", with decimals", "i": ", with sign"}.get(scene.dtype.kind, "")
    return f"{counted(bits, 'bit')}, {words}{sign}"
