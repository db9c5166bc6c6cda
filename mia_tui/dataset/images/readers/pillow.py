"""The formats that Pillow reads: PNG, JPEG, GIF, WebP, BMP, and TIFFs of the one kind that tifffile does not read."""

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from mia_tui.dataset.images.formats import PILLOW_FORMATS, format_of_name
from mia_tui.dataset.images.limits import check_density
from mia_tui.dataset.images.readers.gif import check_gif, frame_extents
from mia_tui.dataset.images.source import DAMAGED, Channel, LazyScenes, Place, Region, Scene, Size, Source
from mia_tui.disk_errors import UNREACHABLE
from mia_tui.errors import DecodeError
from mia_tui.files import open_to_read
from mia_tui.text import printable

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_DENSE = frozenset({"AVIF", "JPEG2000", "WEBP"})  # of which a few bytes may become any number of pixels
_EXIF_ORIENTATION = 0x0112
_JPEG_SCALES = (1, 2, 4, 8)
_STORED_AS = {
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
_DEEP_GREY = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
_DEEP_GREY_AND_OPACITY = "LA;16B"
_MOST_COMPOSED_PX = (
    4_000_000_000  # of the frames of an animation, each of which is drawn over those before it
)
_DEEP_COLOUR_BYTES = 8  # of a pixel
_DEEP_COLOUR = frozenset(f"{bands};16{order}" for bands in ("RGB", "RGBA") for order in "LBN")

# Pillow's own limit is one number for the whole process; ours is a setting with a message.
Image.MAX_IMAGE_PIXELS = None
# Pillow's warnings (odd tags, odd palettes) do not help the user; what it cannot read is raised anyway.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


class PillowSource(Source):
    """An image file that Pillow reads; see `Source`.

    Args:
        path: For messages, and to read images of 16 bits per colour a second time.
        file: At its beginning; stays open.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._file = path, file
        self._image = Image.open(file, formats=_likeliest_first(path))
        self.raw_size: Size = self._image.size
        """Of the first frame, before it is turned upright: for a PNG that takes reading its pixels."""
        self.format = self._image.format or ""
        if self.format in _DENSE:
            check_density(self.raw_size, length_of(file), path.name)
        self.is_animation = self.format != "TIFF"
        self._deep: NDArray[np.uint16] | None = None
        self.scenes = LazyScenes(self._count, self._scene)

    def plane(
        self,
        place: Place,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
        region: Region | None = None,
    ) -> NDArray[np.generic]:
        self.scenes[place.scene]
        values: NDArray[np.generic] | None = self._deep
        if values is None:
            self._draft(level)
            self._image.load()
            image: Image.Image = self._image
            orientation = exif_orientation(image)  # last: PNG may have it after the pixels
            if region is not None and orientation not in _UPRIGHT:
                right, bottom = region.left + region.width, region.top + region.height
                image = image.crop(
                    (region.left, region.top, right, bottom)
                )  # saves three copies of the whole
                region = None
            values = _values(image)
        else:
            orientation = exif_orientation(self._image)
        values = values.reshape(*values.shape[:2], -1)  # (H, W, C)
        values = turned(values, orientation)
        if region is not None:
            values = values[region.top : region.top + region.height, region.left : region.left + region.width]
        return values if channels is None else values[:, :, list(channels)]

    def cost_bytes(self, place: Place, level: int, region: Region | None) -> int:
        return super().cost_bytes(place, level, None)  # all of it is decoded

    def picture(self, place: Place, level: int) -> Image.Image | None:
        scene = self.scenes[place.scene]
        if scene.is_deep:
            return None
        self._draft(level)
        self._image.load()
        picture = _in_8_bits(self._image)
        orientation = exif_orientation(self._image)  # last: PNG may have it after the pixels
        return picture.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else picture

    def close(self) -> None:
        """Let go of the pixels: the scenes lead back here, so that they would stay until Python looks for circles."""
        self.scenes, self._deep = (), None
        del self._image

    def _count(self) -> int:
        if self.format == "GIF":
            place = self._file.tell()
            count = sum(1 for _ in frame_extents(self._file))
            self._file.seek(place)
            return max(1, count)
        return int(getattr(self._image, "n_frames", 1))

    def _scene(self, number: int) -> Scene:
        self._turn_to(number)
        image = self._image
        self._deep = None
        if any(_raw_mode(tile) in _DEEP_COLOUR for tile in image.tile):
            check_density(image.size, length_of(self._file), self._path.name, pixel_bytes=_DEEP_COLOUR_BYTES)
            self._deep = self._read_deep_colour(number)  # before anything loads the upper bytes alone
        elif not number and any(_raw_mode(tile) == _DEEP_GREY_AND_OPACITY for tile in image.tile):
            # Each pixel has as many bytes as one of red, green, blue and opacity.
            self._deep = _read_as(image, lambda mode: "RGBA").view(">u2").astype(np.uint16)
        size = image.size[::-1] if 5 <= exif_orientation(image) <= 8 else image.size
        levels: tuple[Size, ...] = (size,)
        if isinstance(image, JpegImageFile):  # a mean over blocks: 100 megapixels in 0.1 s, not 1 s
            levels = tuple(dict.fromkeys((-(-size[0] // by), -(-size[1] // by)) for by in _JPEG_SCALES))
        if self._deep is not None and self._deep.shape[2] == 2:
            words = "16 bits, grey, with transparency"
            return Scene(size, self._deep.dtype, (Channel(),) * 2, opacity=1, stored_as=words, levels=levels)
        if self._deep is not None:
            return _coloured(size, self._deep.shape[2], np.uint16, levels, "16 bits, colour")
        if image.mode in _DEEP_GREY:
            dtype = {"I": np.int32, "F": np.float32}.get(image.mode, np.uint16)
            words = _STORED_AS.get(image.mode, "16 bits, grey")
            return Scene(size, np.dtype(dtype), stored_as=words, levels=levels)
        words = _STORED_AS.get(image.mode, "8 bits, colour")
        if image.has_transparency_data:
            return _coloured(size, 4, np.uint8, levels, words)
        if image.mode in ("1", "L"):
            bits = np.dtype(np.bool_ if image.mode == "1" else np.uint8)
            return Scene(size, bits, stored_as=words, levels=levels)
        return _coloured(size, 3, np.uint8, levels, words)

    def _turn_to(self, frame: int) -> None:
        if frame * prod(self.raw_size) > _MOST_COMPOSED_PX:
            raise DecodeError(
                f"Frame {frame} of {printable(self._path.name)} is made of all frames before it, which have "
                f"{frame * prod(self.raw_size) / 1e6:,.0f} megapixels: that would take too long."
            )
        try:
            if frame and self.format == "GIF":
                place = self._file.tell()
                check_gif(self._file, frame + 1, self._path)
                self._file.seek(place)
            if frame or self._image.tell():
                self._image.seek(frame)
        except EOFError as error:
            raise IndexError(f"no frame {frame}") from error

    def _draft(self, level: int) -> None:
        if level:
            scale = _JPEG_SCALES[level]
            self._image.draft(None, (self._image.width // scale or 1, self._image.height // scale or 1))

    def _read_deep_colour(self, frame: int) -> NDArray[np.uint16]:
        """Pillow reads either byte of a 16-bit value, so the file is read once for each."""
        with (
            open_to_read(self._path, follow=True) as file,
            Image.open(file, formats=_likeliest_first(self._path)) as again,
        ):
            if frame:
                again.seek(frame)
            upper, lower = np.asarray(self._image), _read_as(again, _swapped)
        values: NDArray[np.uint16] = upper.astype(np.uint16) << 8 | lower  # (H, W, 3 or 4)
        return values


def length_of(file: BinaryIO) -> int:
    """Bytes of an open file."""
    place = file.tell()
    length = file.seek(0, os.SEEK_END)
    file.seek(place)
    return length


def turned(values: NDArray[np.generic], orientation: int) -> NDArray[np.generic]:
    """Values (H, W, C) turned and mirrored as Exif's orientation, 1 to 8, says."""
    if orientation >= 5:
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return values


def _coloured(size: Size, count: int, dtype: type, levels: tuple[Size, ...], words: str) -> Scene:
    return Scene(
        size,
        np.dtype(dtype),
        (Channel(),) * count,
        colour="rgb",
        opacity=3 if count == 4 else None,
        levels=levels,
        stored_as=words,
    )


def _likeliest_first(path: Path) -> tuple[str, ...]:
    """Before Pillow tries a second format, it imports all its readers, 50 ms."""
    likely = format_of_name(path.name)
    if likely is None or likely.name not in PILLOW_FORMATS:
        return PILLOW_FORMATS
    return (likely.name, *PILLOW_FORMATS)


def _values(image: Image.Image) -> NDArray[np.generic]:
    """The values of a loaded image as its scene has them."""
    if image.mode in _DEEP_GREY or image.mode in ("1", "L", "RGB"):
        return np.asarray(image)
    return np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB"))


def _in_8_bits(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    if image.mode in ("L", "RGB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def exif_orientation(image: Image.Image) -> int:
    """Exif orientation, 1 if there is none. Pillow turns TIFF pages by itself."""
    if image.format == "TIFF":
        return 1
    try:
        return int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except DAMAGED as error:  # the pixels may be intact even if the Exif block is not
        if isinstance(error, OSError) and error.errno in UNREACHABLE:
            raise
        return 1


def _read_as(image: ImageFile.ImageFile, other: Callable[[str], str]) -> np.ndarray:
    """The pixels, taken for those of another raw mode."""
    tiles = []
    for tile in image.tile:
        mode = other(_raw_mode(tile))
        tiles.append(tile._replace(args=(mode, *tile.args[1:]) if isinstance(tile.args, tuple) else mode))
    image.tile = tiles
    return np.asarray(image)


def _raw_mode(tile: object) -> str:
    args = getattr(tile, "args", None)
    first = args[0] if isinstance(args, tuple) and args else args
    return first if isinstance(first, str) else ""


def _swapped(mode: str) -> str:
    """The raw mode that reads the other byte of each value."""
    other = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}
    return mode[:-1] + other[mode[-1]]
