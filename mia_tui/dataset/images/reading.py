"""Opening an image file: which formats are read, what is refused, and a message for every fault.

A format that Pillow reads needs its name in `FORMATS` and its endings in `_BY_SUFFIX`; one whose files hold several
images also needs a place in `count_frames` and in `STACK_SUFFIXES` or `ANIMATED_SUFFIXES`. Pixels of more than 8 bits
go through `bit_depth`.
"""

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from PIL import Image, ImageFile, UnidentifiedImageError

from mia_tui.dataset.images import bit_depth
from mia_tui.disk_errors import UNREACHABLE
from mia_tui.errors import DecodeError
from mia_tui.files import OddFile, open_to_read
from mia_tui.text import printable

if TYPE_CHECKING:
    from mia_tui.config.train import Frames

MAX_MEGAPIXELS = 120.0

# A wrong suffix for one of these is no problem. Formats that start other programs (EPS) are excluded.
FORMATS = ("PNG", "JPEG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "PPM", "JPEG2000")
# The endings of image files, each with the likely format.
_BY_SUFFIX = {
    ".png": "PNG", ".apng": "PNG",
    ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".jif": "JPEG", ".jfi": "JPEG",
    ".pjpeg": "JPEG", ".pjp": "JPEG",  # what browsers save JPEG files as
    ".bmp": "BMP", ".dib": "BMP",
    ".gif": "GIF", ".webp": "WEBP",
    ".tif": "TIFF", ".tiff": "TIFF",
}  # fmt: skip
IMAGE_SUFFIXES = frozenset(_BY_SUFFIX)
STACK_SUFFIXES = frozenset(suffix for suffix, kind in _BY_SUFFIX.items() if kind == "TIFF")
ANIMATED_SUFFIXES = frozenset(suffix for suffix, kind in _BY_SUFFIX.items() if kind in ("GIF", "WEBP"))

# What Pillow's readers raise on damaged bytes; 55,000 randomly changed files of ten formats raised no other.
_DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    struct.error,
    zlib.error,
)

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_EXIF_ORIENTATION = 0x0112

# Pillow's own limit is one number for the whole process; ours is a setting with a message.
Image.MAX_IMAGE_PIXELS = None
# Pillow's warnings (odd tags, odd palettes) do not help the user; what it cannot read is raised anyway.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def open_upright(
    image: ImageFile.ImageFile, path: Path, frame: int, outside: tuple[float, float]
) -> Image.Image:
    """The pixels of an opened image, upright, mode RGB or L."""
    if bit_depth.has_deep_colour(image):
        with open_image(path) as (again, _):
            _seek(again, frame, path)
            picture = bit_depth.show_deep_colour(image, again, outside)
    else:
        picture = _to_8_bit(image, outside)
    orientation = _orientation(image)  # last: PNG may have it after the pixels
    return picture.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else picture


def is_image_name(name: str) -> bool:
    """Whether a file is an image by its ending, in upper or lower case; a name that is only an ending has none."""
    stem, dot, suffix = name.rpartition(".")
    return bool(stem) and f"{dot}{suffix.lower()}" in IMAGE_SUFFIXES


def count_frames(path: Path, *, animated: "Frames" = "first") -> int:
    """Number of images in a file: the pages of a TIFF, the frames of a GIF or WebP if asked for.

    Args:
        path: Image file.
        animated: Whether only the first frame of an animated GIF or WebP counts, or all of them.

    Raises:
        DecodeError: If the file is not an image or cannot be opened.
    """
    with open_image(path) as (image, _):
        if image.format == "TIFF" or (image.format in ("GIF", "WEBP") and animated == "all"):
            return int(getattr(image, "n_frames", 1))
        return 1


@contextmanager
def opened(path: Path, frame: int, max_megapixels: float) -> Iterator[ImageFile.ImageFile]:
    """One frame of an image file, opened and not decoded yet.

    Raises:
        DecodeError: For every fault of the file, found here or while the image is used.
    """
    with open_image(path) as (image, _):
        _seek(image, frame, path)
        _refuse_too_large(image, max_megapixels, path)
        yield image


@contextmanager
def open_image(path: Path) -> Iterator[tuple[ImageFile.ImageFile, BinaryIO]]:
    """An image file, opened and not decoded yet, with the open file behind it.

    Raises:
        DecodeError: As `opened`; also for a named pipe or a device, without waiting for it.
    """
    with (
        reading(path),
        open_to_read(path, follow=True) as file,
        Image.open(file, formats=formats_of(path)) as image,
    ):
        yield image, file


def formats_of(path: Path) -> tuple[str, ...]:
    """Possible formats, the likeliest first: before Pillow tries another, it imports all its readers, 50 ms."""
    likely = _BY_SUFFIX.get(path.suffix.lower())
    return FORMATS if likely is None else (likely, *FORMATS)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what Pillow raises about a file into a DecodeError."""
    name = printable(path.name)
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DecodeError(f"{name} is not there any more.") from error
    except PermissionError as error:
        raise DecodeError(f"{name} may not be read by you.") from error
    except UnidentifiedImageError as error:
        if _is_empty(path):
            raise DecodeError(f"{name} is empty (0 bytes).") from error
        raise DecodeError(f"{name} is not an image, or of a kind that cannot be read.") from error
    except OddFile as error:
        raise DecodeError(f"{name} cannot be read: {error.strerror}.") from error
    except MemoryError as error:
        raise DecodeError(f"{name} needs more memory than there is.") from error
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno in UNREACHABLE:  # the file may be intact
            raise DecodeError(f"{name} cannot be read: {error.strerror}.") from error
        raise DecodeError(f"{name} is cut short or damaged.") from error


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except OSError:
        return False


def _seek(image: Image.Image, frame: int, path: Path) -> None:
    if frame == 0:
        return
    try:
        image.seek(frame)
    except EOFError as error:
        raise DecodeError(f"{printable(path.name)} has no frame {frame} (frames count from 0).") from error


def _refuse_too_large(image: Image.Image, max_megapixels: float, path: Path) -> None:
    megapixels = image.width * image.height / 1e6
    if megapixels > max_megapixels:
        raise DecodeError(
            f"{printable(path.name)} has {image.width:,} × {image.height:,} pixels "
            f"({megapixels:,.1f} megapixels), the limit is {max_megapixels:g}.",
            "Raise it with --max-megapixels (max_megapixels in a settings file).",
        )


def is_turned(image: Image.Image) -> bool:
    """Whether width and height change places when the image is put upright."""
    return 5 <= _orientation(image) <= 8


def _orientation(image: Image.Image) -> int:
    """Exif orientation, 1 if there is none. Pillow rotates TIFF pages by itself."""
    if image.format == "TIFF":
        return 1
    try:
        return int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except _DAMAGED:  # the pixels may be intact even if the Exif block is not
        return 1


def _to_8_bit(image: ImageFile.ImageFile, outside: tuple[float, float]) -> Image.Image:
    image.load()
    if image.mode in bit_depth.GREY_MODES:
        return bit_depth.show_deep_grey(image, outside)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    if image.mode in ("L", "RGB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")
