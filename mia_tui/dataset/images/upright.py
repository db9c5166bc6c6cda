"""Image files for the screen: upright and in 8 bits as from `decode`, but large JPEG files are reduced on reading."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from mia_tui.dataset.images import bit_depth
from mia_tui.dataset.images.reading import MAX_MEGAPIXELS, open_upright, opened, orientation_of

# A JPEG may be decoded at this fraction of the size it is shown in: 4000 x 3000 on 1067 x 800 pixels takes half the
# time, and is enlarged by 6 %.
_SHORTFALL = 0.9


@dataclass(frozen=True)
class UprightImage:
    """An image after Exif orientation, at full resolution or reduced."""

    image: Image.Image
    """Mode RGB or L."""
    width: int
    """Of the whole image at full resolution, in pixels."""
    height: int
    is_deep: bool
    """Whether the file has more than 8 bits per value."""


def decode_upright(
    path: Path,
    frame: int = 0,
    *,
    box_px: tuple[float, float] | None = None,
    outside: tuple[float, float] = bit_depth.OUTSIDE,
    max_megapixels: float = MAX_MEGAPIXELS,
) -> UprightImage:
    """An image for the screen.

    Args:
        path: Image file.
        frame: Page or frame, from 0.
        box_px: Width and height in which the whole image will be shown. A large JPEG may be reduced by 2, 4 or 8,
            to no less than 0.9 of that; all others have full resolution. None is full resolution.
        outside: Fractions of the values that are clipped if they have more than 8 bits, see
            `bit_depth.tonal_window`.
        max_megapixels: Larger images are refused.

    Raises:
        DecodeError: As for `decode.decode`.
    """
    with opened(path, frame, max_megapixels) as image:
        full_size = None
        if box_px is not None and isinstance(image, JpegImageFile):
            full_size = _draft(image, box_px)
        is_deep = bit_depth.has_deep_colour(image)
        picture = open_upright(image, path, frame, outside)
        width, height = full_size or picture.size
        return UprightImage(picture, width, height, is_deep or image.mode in bit_depth.GREY_MODES)


def _draft(image: JpegImageFile, box_px: tuple[float, float]) -> tuple[int, int]:
    """Have a file read at a reduced size. Returns its upright size at full resolution."""
    width, height = image.size
    upright = (height, width) if orientation_of(image) >= 5 else (width, height)
    scale = _SHORTFALL * min(1.0, box_px[0] / upright[0], box_px[1] / upright[1])
    image.draft(None, (max(1, int(width * scale)), max(1, int(height * scale))))
    return upright
