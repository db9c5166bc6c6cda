"""TIFF files of every kind, read by tifffile and imagecodecs.

Pillow scrambles some of them without a word (compressed 16 and 32 bit values of the other byte order, images that are
stored turned) and refuses others. Here a file is a number of frames: its pages, or the planes of an ImageJ stack that
has a single page. Smaller copies of an image, its thumbnail and the label of a slide are not images of their own; the
copies are used where a small image is enough.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np
import tifffile
from numpy.typing import NDArray

from mia_tui.dataset.images.readers.pillow import turned
from mia_tui.dataset.images.readers.tiff_limits import MOST_COPIES, check_pages, check_pieces, distrust_pieces
from mia_tui.dataset.images.source import Channel, LazyScenes, Place, Region, Scene, Size, Source
from mia_tui.text import printable

# What tifffile says of odd tags would be printed over the app; what it cannot read it raises.
logging.getLogger("tifffile").addHandler(logging.NullHandler())
logging.getLogger("tifffile").propagate = False

_GREY_INVERTED, _PALETTE, _CMYK, _YCBCR = 0, 3, 5, 6
_COLOUR = frozenset({2, _YCBCR})  # red, green, blue once it is decoded
_LAB = frozenset({8, 9, 10})
_OPACITY = frozenset({1, 2})  # associated and unassociated alpha
_JPEG = frozenset({6, 7, 34892, 33007})
_NUMBERS = frozenset("buif")


def open_file(path: Path, file: BinaryIO) -> "TiffSource | None":
    """Open a TIFF file; None if Pillow is to read it.

    Args:
        path: For messages.
        file: At its beginning; stays open.

    Raises:
        DecodeError: If its pages lead back to an earlier one, or are too many.
    """
    try:
        tiff = tifffile.TiffFile(file, name=path.name)
        first = tiff.pages[0]
    except tifffile.TiffFileError as error:  # no ValueError in its older versions
        raise ValueError(str(error)) from error
    assert isinstance(first, tifffile.TiffPage)
    check_pages(tiff, printable(path.name))
    if int(first.photometric or 1) == _YCBCR and int(first.compression) not in _JPEG:
        return None
    return TiffSource(tiff, path)


class TiffSource(Source):
    """An open TIFF file; see `Source`.

    Args:
        tiff: The file.
        path: For messages.
    """

    def __init__(self, tiff: tifffile.TiffFile, path: Path) -> None:
        self.format = "TIFF"
        self._tiff, self._name = tiff, printable(path.name)
        self._stack = _one_page_stack(tiff)
        if self._stack is None:
            self._count = 1 if tiff.is_svs else self._full_pages()
            self.scenes = LazyScenes(lambda: self._count, self._page_scene)
        else:
            axes = {axis: self._stack.shape[axis] for axis in self._stack.frame_axes}
            self.scenes = [replace(_scene(self._page(0), self._name, self._stack.channels), axes=axes)]
        self._copies: tuple[int, list[tifffile.TiffPage]] | None = None

    def plane(
        self,
        place: Place,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
        region: Region | None = None,
    ) -> NDArray[np.generic]:
        page = self._levels(place.scene)[level]
        if self._stack is not None:
            values = self._stack.read(place.index)
        else:
            check_pieces(page, self._name)
            distrust_pieces(page, self._name)
            values = _as_channels_last(np.asarray(page.asarray()), page.axes)
        values = turned(values, _orientation(page))
        if region is not None:
            values = values[region.top : region.top + region.height, region.left : region.left + region.width]
        return values if channels is None else values[:, :, list(channels)]

    def cost_bytes(self, place: Place, level: int, region: Region | None) -> int:
        scene = self.scenes[place.scene]
        page = self._levels(place.scene)[level]
        of_pixel = len(scene.channels) * page.imagedepth * scene.dtype.itemsize
        return page.imagewidth * page.imagelength * of_pixel

    def close(self) -> None:
        self._tiff.close()

    def _page_scene(self, number: int) -> Scene:
        if not 0 <= number < self._count:
            raise IndexError(f"no page {number}")
        page = self._page(number)
        levels = tuple(_upright_size(level) for level in self._levels(number))
        return replace(_scene(page, self._name, page.samplesperpixel), levels=levels)

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

    def _levels(self, number: int) -> list[tifffile.TiffPage]:
        """A page and its smaller copies, largest first."""
        if self._copies is None or self._copies[0] != number:
            self._copies = number, self._find_levels(self._page(number))
        return self._copies[1]

    def _find_levels(self, page: tifffile.TiffPage) -> list[tifffile.TiffPage]:
        if self._stack is not None:
            return [page]
        copies = []
        if page.pages is not None and 0 < len(page.subifds or ()) <= MOST_COPIES:
            copies = [copy for copy in page.pages if isinstance(copy, tifffile.TiffPage)]
        if self._count == 1 and not copies:
            copies = [self._page(number) for number in range(1, min(len(self._tiff.pages), 1 + MOST_COPIES))]
        fitting = [
            copy
            for copy in copies
            if copy.dtype == page.dtype
            and copy.samplesperpixel == page.samplesperpixel
            and _is_copy(copy, page)
        ]
        return [page, *sorted(fitting, key=lambda copy: copy.imagewidth, reverse=True)]


def _scene(page: tifffile.TiffPage, name: str, channels: int) -> Scene:
    """A page as a scene of a single plane."""
    dtype = page.dtype
    if dtype is None or dtype.kind not in _NUMBERS:
        what = "an unknown kind of number" if dtype is None else f"the kind {dtype.name}"
        problem = f"{name} is a TIFF with values of {what}, which cannot be shown."
        return Scene(_upright_size(page), np.dtype(np.uint8), problem=problem)
    meaning = _meaning(page)
    bits = page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)
    return Scene(
        _upright_size(page),
        dtype.newbyteorder("="),
        (Channel(),) * channels,
        bits=bits if bits < 8 * dtype.itemsize else None,
        **meaning,  # type: ignore[arg-type]
    )


def _upright_size(page: tifffile.TiffPage) -> Size:
    size = (page.imagewidth, page.imagelength)
    return size[::-1] if 5 <= _orientation(page) <= 8 else size


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

    def read(self, place: Mapping[str, int]) -> NDArray[np.generic]:
        """One frame, shape (H, W, C)."""
        inner = [axis for axis in self.axes if axis in "SYX"]  # one plane in the file
        plane_size = prod(self._sizes("".join(inner)))
        outer = [axis for axis in self.axes if axis not in inner]
        planes = []
        for channel in range(self.shape.get("C", 1)):
            index = [channel if axis == "C" else place[axis] for axis in outer]
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


def _meaning(page: tifffile.TiffPage) -> dict[str, object]:
    """What the channels of a page are, as arguments of `Scene`."""
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
