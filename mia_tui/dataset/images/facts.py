"""Properties of an image file, in words: size, depth, frames."""

from dataclasses import dataclass
from pathlib import Path

from PIL import ImageFile

from mia_tui.dataset.images import bit_depth
from mia_tui.dataset.images.reading import MAX_MEGAPIXELS, is_turned, opened

_DEPTHS = {
    "1": "1 bit, black and white",
    "L": "8 bits, grey",
    "LA": "8 bits, grey, with transparency",
    "P": "8 bits, palette",
    "RGB": "8 bits, colour",
    "RGBA": "8 bits, colour, with transparency",
    "CMYK": "8 bits, print colours (CMYK)",
    "I": "32 bits, grey",
    "F": "32 bits, grey, with decimals",
}


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
        frames = int(getattr(image, "n_frames", 1))
        depth = _depth(image)
        # After the depth: this loads a PNG, which may have its orientation at the end.
        width, height = image.size[::-1] if is_turned(image) else image.size
        return ImageFacts(width, height, depth, frames)


def _depth(image: ImageFile.ImageFile) -> str:
    if bit_depth.has_deep_colour(image):
        return "16 bits, colour"
    if image.mode.startswith("I;16"):
        return "16 bits, grey"
    return _DEPTHS.get(image.mode, "8 bits, colour")
