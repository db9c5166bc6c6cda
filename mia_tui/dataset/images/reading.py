"""Opening an image file: which formats are read, what is refused, and a message for every fault.

A format that Pillow reads needs its name in `FORMATS` and its endings in `_BY_SUFFIX`; one whose files hold several
images also needs a place in `count_frames` and in `STACK_SUFFIXES` or `ANIMATED_SUFFIXES`. TIFF files are read by
`readers.tiff`, which Pillow would scramble. Pixels of more than 8 bits go through `bit_depth`.
"""

import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from mia_tui.dataset.images import bit_depth
from mia_tui.dataset.images.readers.gif import frame_extents
from mia_tui.disk_errors import UNREACHABLE
from mia_tui.errors import DecodeError
from mia_tui.files import OddFile, open_to_read
from mia_tui.text import printable

if TYPE_CHECKING:
    from mia_tui.config.train import Frames

MAX_MEGAPIXELS = 120.0
_RAISE_LIMIT = "Raise it with --max-megapixels (max_megapixels in a settings file)."

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
_START_BYTES = 4
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # little and big end first, TIFF and BigTIFF

Size = tuple[int, int]
"""Width and height in pixels."""

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

# Pillow's own limit is one number for the whole process; ours is a setting with a message.
Image.MAX_IMAGE_PIXELS = None
# Pillow's warnings (odd tags, odd palettes) do not help the user; what it cannot read is raised anyway.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


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
    with open_image(path) as image:
        return image.frames if image.format == "TIFF" or animated == "all" else 1


@contextmanager
def opened(path: Path, frame: int, max_megapixels: float) -> "Iterator[OpenedImage]":
    """One frame of an image file, opened and not decoded yet.

    Raises:
        DecodeError: For every fault of the file, found here or while the image is used.
    """
    with open_image(path) as image:
        try:
            image.seek(frame)
        except EOFError as error:
            raise DecodeError(
                f"{printable(path.name)} has no frame {frame} (frames count from 0)."
            ) from error
        if image.megapixels > max_megapixels:
            _check_megapixels(*image.size, max_megapixels, path)
            raise DecodeError(
                f"{printable(path.name)} takes as much memory, with its {image.depth}, as "
                f"{image.megapixels:,.1f} megapixels in colour, the limit is {max_megapixels:g}.",
                _RAISE_LIMIT,
            )
        yield image


@contextmanager
def open_image(path: Path) -> "Iterator[OpenedImage]":
    """An image file, opened and not decoded yet.

    Raises:
        DecodeError: As `opened`; also for a named pipe or a device, without waiting for it.
    """
    with reading(path), open_to_read(path, follow=True) as file:
        start = file.read(_START_BYTES)
        file.seek(0)
        if start.startswith(b"GIF"):
            _check_gif(file, 1, path)
        if start in _TIFF_STARTS:
            from mia_tui.dataset.images.readers import tiff

            try:
                yield tiff.TiffImage(file, path)
                return
            except tiff.NotForThisReader:
                file.seek(0)
            except tiff.damage() as error:
                raise ValueError(str(error)) from error
        with Image.open(file, formats=formats_of(path)) as image:
            yield PillowImage(image, file, path)


def _check_gif(file: BinaryIO, frames: int, path: Path) -> None:
    """Refuse a GIF whose canvas is too large for its first frames, before Pillow allocates it."""
    for width, height in islice(frame_extents(file), frames):
        _check_megapixels(width, height, MAX_MEGAPIXELS, path)
    file.seek(0)


class OpenedImage(Protocol):
    """A frame of an image file that is not decoded yet; the first one until `seek`.

    Attributes:
        format: As Pillow calls it.
        file: The open file.
    """

    format: str
    file: BinaryIO

    @property
    def frames(self) -> int:
        """Images in the file, at least 1; counting those of an animation takes long."""

    @property
    def size(self) -> Size:
        """Width and height, upright, of the whole image at full resolution; of a PNG this reads the pixels."""

    @property
    def depth(self) -> str:
        """Bits and kind of colour, in words."""

    @property
    def is_deep(self) -> bool:
        """Whether values have more than 8 bits, or a sign."""

    def seek(self, frame: int) -> None:
        """Turn to a frame; EOFError if there is none."""

    @property
    def megapixels(self) -> float:
        """Of what would be read; more where a pixel takes more memory than in colour."""

    def reduce(self, least: Callable[[Size], Size]) -> None:
        """Allow that the image is read smaller, if that is quicker.

        Args:
            least: The smallest size that is enough, from the size of the whole image; both upright.
        """

    def pixels(self, outside: tuple[float, float]) -> Image.Image:
        """The image, upright, mode RGB or L; see `bit_depth.tonal_window` for `outside`."""

    def numbers(self) -> np.ndarray:
        """The values as the file has them, any shape."""

    def save_frame(self, file: BinaryIO) -> None:
        """Write the frame with its original values as a TIFF file."""


class PillowImage:
    """An image that Pillow reads; see `OpenedImage`."""

    def __init__(self, image: ImageFile.ImageFile, file: BinaryIO, path: Path) -> None:
        self._image, self._path, self.file = image, path, file
        self.format = image.format or ""
        self._frame = 0
        self._full_size: Size | None = None

    @property
    def frames(self) -> int:
        if self.format == "GIF":
            place = self.file.tell()
            count = sum(1 for _ in frame_extents(self.file))
            self.file.seek(place)
            return max(1, count)
        return int(getattr(self._image, "n_frames", 1))

    @property
    def size(self) -> Size:
        return self._full_size or self._upright_size()

    @property
    def depth(self) -> str:
        if bit_depth.has_deep_colour(self._image):
            return "16 bits, colour"
        if self._image.mode.startswith("I;16"):
            return "16 bits, grey"
        return _DEPTHS.get(self._image.mode, "8 bits, colour")

    @property
    def is_deep(self) -> bool:
        return self._image.mode in bit_depth.GREY_MODES or bit_depth.has_deep_colour(self._image)

    def seek(self, frame: int) -> None:
        if frame:
            if self.format == "GIF":
                place = self.file.tell()
                _check_gif(self.file, frame + 1, self._path)
                self.file.seek(place)
            self._image.seek(frame)
            self._frame = frame

    @property
    def megapixels(self) -> float:
        return self._image.width * self._image.height / 1e6

    def reduce(self, least: Callable[[Size], Size]) -> None:
        """A JPEG can be read at 1/2, 1/4 or 1/8 of its size, a mean over blocks: 100 megapixels in 0.1 s, not 1 s."""
        if isinstance(self._image, JpegImageFile):
            self._full_size = self._upright_size()
            width, height = least(self._full_size)
            self._image.draft(None, (height, width) if self._is_turned() else (width, height))

    def pixels(self, outside: tuple[float, float]) -> Image.Image:
        if bit_depth.has_deep_colour(self._image):
            with (
                open_to_read(self._path, follow=True) as file,
                Image.open(file, formats=formats_of(self._path)) as again,
            ):
                if self._frame:
                    again.seek(self._frame)
                picture = bit_depth.show_deep_colour(self._image, again, outside)
        else:
            picture = _to_8_bit(self._image, outside)
        orientation = _orientation(self._image)  # last: PNG may have it after the pixels
        return picture.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else picture

    def numbers(self) -> np.ndarray:
        return np.asarray(self._image)

    def save_frame(self, file: BinaryIO) -> None:
        self._image.copy().save(file, format="TIFF")

    def _upright_size(self) -> Size:
        width, height = self._image.size
        return (height, width) if self._is_turned() else (width, height)

    def _is_turned(self) -> bool:
        return 5 <= _orientation(self._image) <= 8


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


def _check_megapixels(width: int, height: int, most: float, path: Path) -> None:
    megapixels = width * height / 1e6
    if megapixels > most:
        raise DecodeError(
            f"{printable(path.name)} has {width:,} × {height:,} pixels "
            f"({megapixels:,.1f} megapixels), the limit is {most:g}.",
            _RAISE_LIMIT,
        )


def _orientation(image: Image.Image) -> int:
    """Exif orientation, 1 if there is none. Pillow turns TIFF pages by itself."""
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
