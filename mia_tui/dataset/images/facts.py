"""Properties of an image file, in words: size, depth, frames."""

from dataclasses import dataclass
from pathlib import Path

from mia_tui.dataset.images.reading import MAX_MEGAPIXELS, opened


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
        frames, depth = image.frames, image.depth
        width, height = image.size  # last: this loads a PNG, which may have its orientation at the end
        return ImageFacts(width, height, depth, frames)
