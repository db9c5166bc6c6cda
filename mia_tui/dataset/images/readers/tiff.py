"""TIFF files of every kind, read by tifffile and imagecodecs.

Pillow scrambles some of them without a word (compressed 16 and 32 bit values of the other byte order, images that are
stored turned) and refuses others. Here a file is a number of frames: its pages, or the planes of an ImageJ stack that
has a single page. Smaller copies of an image, its thumbnail and the label of a slide are not images of their own; the
copies are used where a small image is enough.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from mia_tui.dataset.images.channels import Planes, show
from mia_tui.dataset.images.readers.tiff_limits import (
    MOST_COPIES,
    check_pages,
    check_pieces,
    distrust_pieces,
    weight,
)
from mia_tui.dataset.images.reading import Size
from mia_tui.errors import DecodeError
from mia_tui.text import counted, printable

# What tifffile says of odd tags would be printed over the app; what it cannot read it raises.
logging.getLogger("tifffile").addHandler(logging.NullHandler())
logging.getLogger("tifffile").propagate = False

_GREY_INVERTED, _PALETTE, _CMYK, _YCBCR = 0, 3, 5, 6
_COLOUR = frozenset({2, _YCBCR})  # red, green, blue once it is decoded
_LAB = frozenset({8, 9, 10})
_OPACITY = frozenset({1, 2})  # associated and unassociated alpha
_JPEG = frozenset({6, 7, 34892, 33007})
_NUMBERS = frozenset("buif")


class NotForThisReader(Exception):
    """A TIFF of a kind that Pillow reads and tifffile does not."""


def damage() -> type[Exception]:
    """What tifffile raises about a damaged file; in its older versions this is no ValueError."""
    return tifffile.TiffFileError


class TiffImage:
    """An open TIFF file, see `reading.OpenedImage`.

    Args:
        file: At its beginning; stays open.
        path: For messages.

    Raises:
        NotForThisReader: If Pillow is to read it.
        DecodeError: If its values are of a kind that cannot be shown.
    """

    format = "TIFF"

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.file, self._name = file, printable(path.name)
        self._frame = self._level = 0
        self._tiff = tifffile.TiffFile(file, name=path.name)
        first = self._page(0)
        check_pages(self._tiff, self._name)
        if int(first.photometric or 1) == _YCBCR and int(first.compression) not in _JPEG:
            raise NotForThisReader
        self._stack = _one_page_stack(self._tiff)
        self.frames = 1 if self._tiff.is_svs else self._full_pages()
        if self._stack is not None:
            self.frames = prod(self._stack.shape[axis] for axis in self._stack.frame_axes)
        self.seek(0)

    def seek(self, frame: int) -> None:
        if not 0 <= frame < self.frames:
            raise EOFError
        page = self._page(0 if self._stack is not None else frame)
        if page.dtype is None or page.dtype.kind not in _NUMBERS:
            what = "an unknown kind of number" if page.dtype is None else f"the kind {page.dtype.name}"
            raise DecodeError(f"{self._name} is a TIFF with values of {what}, which cannot be shown.")
        self._frame, self._level = frame, 0
        self._levels = self._levels_of(page)

    @property
    def size(self) -> Size:
        return self._upright_size(self._levels[0])

    @property
    def megapixels(self) -> float:
        page = self._levels[self._level]
        return float(page.imagewidth * page.imagelength / 1e6 * weight(page, self._channels))

    @property
    def depth(self) -> str:
        page = self._levels[0]
        kind = self._meaning.get("colour")
        words = {"rgb": "colour", "cmyk": "print colours (CMYK)", "lab": "colour (L*a*b*)"}.get(
            str(kind), "grey" if self._channels == 1 else f"{self._channels} channels"
        )
        if "palette" in self._meaning:
            words = "palette"
        elif self._meaning["opacity"] is not None:
            words = f"{'colour' if kind == 'rgb' else 'grey'}, with transparency"
        bits = page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)
        sign = {"f": ", with decimals", "i": ", with sign"}.get(np.dtype(page.dtype).kind, "")
        return f"{counted(bits, 'bit')}, {words}{sign}"

    @property
    def is_deep(self) -> bool:
        page = self._levels[0]
        return "palette" not in self._meaning and page.dtype not in (np.uint8, np.bool_)

    def reduce(self, least: Callable[[Size], Size]) -> None:
        """Choose the smallest copy that is large enough."""
        width, height = least(self.size)
        sizes = [self._upright_size(level) for level in self._levels]
        fitting = [number for number, (w, h) in enumerate(sizes) if w >= width and h >= height]
        self._level = max(fitting, default=0)

    def pixels(self, outside: tuple[float, float]) -> Image.Image:
        return Image.fromarray(np.ascontiguousarray(show(self._planes(), outside)))

    def numbers(self) -> NDArray[np.generic]:
        return self._planes().values

    def save_frame(self, file: BinaryIO) -> None:
        planes = self._planes()
        kinds = {"rgb": "rgb", "cmyk": "separated", "lab": "cielab", None: "minisblack"}
        kind = "miniswhite" if planes.is_inverted else kinds[planes.colour]
        options: dict[str, Any] = {"photometric": kind}
        if planes.palette is not None:
            options = {"photometric": "palette", "colormap": planes.palette.T}
        if planes.opacity is not None:
            options["extrasamples"] = ["unassalpha"]
        values = planes.values[:, :, 0] if planes.values.shape[2] == 1 else planes.values
        if values.ndim == 3:
            options["planarconfig"] = "contig"
        tifffile.imwrite(file, np.ascontiguousarray(values), metadata=None, **options)

    def _planes(self) -> Planes:
        """The pixels of the frame, upright, at full size or of a smaller copy."""
        page = self._levels[self._level]
        if self._stack is not None:
            values = self._stack.read(self._frame)
        else:
            check_pieces(page, self._name)
            distrust_pieces(page, self._name)
            values = _as_channels_last(np.asarray(page.asarray()), page.axes)
        return Planes(_upright(values, _orientation(page)), **self._meaning)  # type: ignore[arg-type]

    @property
    def _channels(self) -> int:
        return self._levels[0].samplesperpixel if self._stack is None else self._stack.channels

    @property
    def _meaning(self) -> dict[str, object]:
        return _meaning(self._levels[0])

    @staticmethod
    def _upright_size(page: tifffile.TiffPage) -> Size:
        size = (page.imagewidth, page.imagelength)
        return size[::-1] if 5 <= _orientation(page) <= 8 else size

    def _page(self, number: int) -> tifffile.TiffPage:
        page = self._tiff.pages[number]
        assert isinstance(page, tifffile.TiffPage)  # TiffFrame only where asked for
        return page

    def _full_pages(self) -> int:
        """Pages up to the last one that is not a smaller copy of another; so pages keep their numbers."""
        pages = len(self._tiff.pages)
        for last in range(pages - 1, max(0, pages - 1 - MOST_COPIES), -1):
            if not self._page(last).is_reduced:
                return last + 1
        return max(1, pages - MOST_COPIES)

    def _levels_of(self, page: tifffile.TiffPage) -> list[tifffile.TiffPage]:
        """A page and its smaller copies, largest first."""
        if self._stack is not None:
            return [page]
        copies = []
        if page.pages is not None and 0 < len(page.subifds or ()) <= MOST_COPIES:
            copies = [copy for copy in page.pages if isinstance(copy, tifffile.TiffPage)]
        if self.frames == 1 and not copies:
            copies = [self._page(number) for number in range(1, min(len(self._tiff.pages), 1 + MOST_COPIES))]
        fitting = [
            copy
            for copy in copies
            if copy.dtype == page.dtype
            and copy.samplesperpixel == page.samplesperpixel
            and _is_copy(copy, page)
        ]
        return [page, *sorted(fitting, key=lambda copy: copy.imagewidth, reverse=True)]


@dataclass(frozen=True)
class _Stack:
    """The planes of an ImageJ stack that lie one after the other behind a single page."""

    file: tifffile.FileHandle
    offset: int
    dtype: np.dtype
    axes: str
    shape: dict[str, int]

    @property
    def frame_axes(self) -> str:
        """Time first, then depth, then what has no name."""
        others = [axis for axis in self.axes if axis not in "TZCSYX"]
        return "".join([*(axis for axis in "TZ" if axis in self.shape), *others])

    @property
    def channels(self) -> int:
        return self.shape.get("C", 1) * self.shape.get("S", 1)

    def read(self, frame: int) -> NDArray[np.generic]:
        """One frame, shape (H, W, C)."""
        place = dict(zip(self.frame_axes, np.unravel_index(frame, self._sizes(self.frame_axes)), strict=True))
        inner = [axis for axis in self.axes if axis in "SYX"]  # one plane in the file
        plane_size = prod(self._sizes("".join(inner)))
        outer = [axis for axis in self.axes if axis not in inner]
        planes = []
        for channel in range(self.shape.get("C", 1)):
            index = [channel if axis == "C" else int(place[axis]) for axis in outer]
            number = int(np.ravel_multi_index(index, self._sizes("".join(outer)))) if outer else 0
            self.file.seek(self.offset + number * plane_size * self.dtype.itemsize)
            data = self.file.read(plane_size * self.dtype.itemsize)
            values = np.frombuffer(data, self.dtype).reshape(self._sizes("".join(inner)))
            planes.append(_as_channels_last(values, "".join(inner)))
        return np.concatenate(planes, axis=2)

    def _sizes(self, axes: str) -> tuple[int, ...]:
        return tuple(self.shape[axis] for axis in axes)


def _one_page_stack(tiff: tifffile.TiffFile) -> _Stack | None:
    if not tiff.is_imagej or len(tiff.pages) != 1:
        return None
    series = tiff.series[0]
    if series.dataoffset is None or series.ndim <= tiff.pages[0].ndim:
        return None
    dtype = series.dtype.newbyteorder(tiff.byteorder)
    shape = dict(zip(series.axes, series.shape, strict=True))
    return _Stack(tiff.filehandle, series.dataoffset, dtype, series.axes, shape)


def _is_copy(copy: tifffile.TiffPage, page: tifffile.TiffPage) -> bool:
    """Whether a page shows the same as another one, smaller: thumbnails and labels have other proportions."""
    if not 0 < copy.imagewidth < page.imagewidth or not copy.imagelength:
        return False
    across, down = page.imagewidth / copy.imagewidth, page.imagelength / copy.imagelength
    return abs(across - down) <= 0.02 * across + across / copy.imagelength


def _as_channels_last(values: NDArray[np.generic], axes: str) -> NDArray[np.generic]:
    """Values of one image as (H, W, C); of a volume its first plane."""
    for axis in [axis for axis in axes if axis not in "SYXC"]:
        values = np.take(values, [0], axes.index(axis)).squeeze(axes.index(axis))
        axes = axes.replace(axis, "")
    channel = next((axis for axis in axes if axis in "SC"), None)
    if channel is None:
        return values[:, :, None]
    return np.moveaxis(values, axes.index(channel), 2)


def _orientation(page: tifffile.TiffPage) -> int:
    tag = page.tags.get(274)
    value = tag.value if tag is not None else 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _upright(values: NDArray[np.generic], orientation: int) -> NDArray[np.generic]:
    """Values (H, W, C) turned and mirrored as Exif's orientation says."""
    if orientation >= 5:
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return values


def _meaning(page: tifffile.TiffPage) -> dict[str, object]:
    """What the channels of a page are, as arguments of `Planes`."""
    kind = int(page.photometric if page.photometric is not None else 1)
    opacity = [number for number, extra in enumerate(page.extrasamples) if int(extra) in _OPACITY]
    first_extra = page.samplesperpixel - len(page.extrasamples)
    meaning: dict[str, object] = {"opacity": first_extra + opacity[0] if opacity else None}
    if kind in _COLOUR and page.samplesperpixel >= 3:
        meaning["colour"] = "rgb"
    elif kind in _LAB and page.samplesperpixel >= 3:
        meaning["colour"] = "lab"
    elif kind == _CMYK and page.samplesperpixel >= 4:
        meaning["colour"] = "cmyk"
    elif kind == _PALETTE and page.colormap is not None:
        meaning["palette"] = np.asarray(page.colormap).T
    elif kind == _GREY_INVERTED:
        meaning["is_inverted"] = True
    return meaning
