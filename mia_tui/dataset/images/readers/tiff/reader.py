"""An open TIFF file as a `Source`.

Pillow scrambles some of them without a word (compressed 16 and 32 bit values of the other byte order, images
that are stored turned) and refuses others. Smaller copies of an image, its thumbnail and the label of a slide are no
images of their own; the copies are used where a small image is enough.
"""

import logging
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import tifffile
from numpy.typing import NDArray

from mia_tui.dataset.images.limits import check_channels
from mia_tui.dataset.images.readers.tiff.chain import PageChain
from mia_tui.dataset.images.readers.tiff.known import Identity, recall, remember
from mia_tui.dataset.images.readers.tiff.layout import find_series, new_numbers, pages_as_frames
from mia_tui.dataset.images.readers.tiff.limits import MOST_COPIES
from mia_tui.dataset.images.readers.tiff.pixels import cost_of_part, read_part, upright_size
from mia_tui.dataset.images.readers.tiff.scene import is_only_for_pillow, scene_of
from mia_tui.dataset.images.readers.tiff.series import PlainPages, Series, page_at, page_below
from mia_tui.dataset.images.readers.tiff.slides import is_copy
from mia_tui.dataset.images.readers.tiff.units import page_um
from mia_tui.dataset.images.source import Channel, LazyScenes, Place, Region, Scene, Size, Source
from mia_tui.errors import DecodeError
from mia_tui.text import printable

# What tifffile says of odd tags would be printed over the app; what it cannot read it raises.
logging.getLogger("tifffile").addHandler(logging.NullHandler())
logging.getLogger("tifffile").propagate = False
_DAMAGED = (ValueError, LookupError, TypeError, AttributeError, struct.error)


def open_file(path: Path, file: BinaryIO) -> "TiffSource | None":
    """Open a TIFF file; None if Pillow is to read it.

    Args:
        path: For messages.
        file: At its beginning; stays open.

    Raises:
        DecodeError: If its pages lead back to an earlier one, or are too many.
    """
    return _open(path, file, find_series, 2)


def open_pages(path: Path, file: BinaryIO) -> "TiffSource | None":
    """`open_file`, with the frames as they were numbered first: each page is one."""
    return _open(path, file, pages_as_frames, 1)


def new_frame_numbers(path: Path, file: BinaryIO) -> list[int] | None:
    """For each frame of `open_pages` its number in `open_file`; see `reading.new_frame_numbers`."""
    tiff = _tiff(path, file)
    chain = PageChain(tiff, printable(path.name))
    return None if is_only_for_pillow(page_at(tiff, chain, 0)) else new_numbers(tiff, chain)


def _tiff(path: Path, file: BinaryIO) -> tifffile.TiffFile:
    # tifffile would read all pages of these kinds at once.
    options: dict[str, Any] = {"is_scanimage": False, "is_lsm": False}
    try:
        try:
            tiff = tifffile.TiffFile(file, name=path.name, **options)
            first = tiff.pages[0]
        except (tifffile.TiffFileError, IndexError):
            if not path.name.lower().endswith(".ndpi"):
                raise
            file.seek(0)  # by its name alone tifffile took it for a slide with places of 64 bits
            tiff = tifffile.TiffFile(file, name=path.name, is_ndpi=False, **options)
            first = tiff.pages[0]
    except tifffile.TiffFileError as error:  # no ValueError in its older versions
        raise ValueError(str(error)) from error
    assert isinstance(first, tifffile.TiffPage)
    tiff.is_lsm = first.is_lsm  # type: ignore[attr-defined]  # as tifffile itself does
    return tiff


def _open(
    path: Path, file: BinaryIO, find: Callable[..., Sequence[Series]], numbering: int
) -> "TiffSource | None":
    identity = Identity.of(file, numbering)
    walk, known = recall(identity)
    tiff = _tiff(path, file)
    chain = PageChain(tiff, printable(path.name), walk)
    if is_only_for_pillow(page_at(tiff, chain, 0)):
        return None
    series = known if known is not None else find(tiff, chain)
    return TiffSource(tiff, chain, series, path, identity)


class TiffSource(Source):
    """An open TIFF file; see `Source`.

    Args:
        tiff: The file.
        chain: Its pages.
        series: Its images.
        path: For messages.
        identity: By which what was found out is kept; None if it is not.
    """

    def __init__(
        self,
        tiff: tifffile.TiffFile,
        chain: PageChain,
        series: Sequence[Series],
        path: Path,
        identity: Identity | None,
    ) -> None:
        self._identity = identity
        self.format = "OME-TIFF" if tiff.is_ome else "LSM" if tiff.is_lsm else "TIFF"
        self._tiff, self._chain, self._series, self._name = tiff, chain, series, printable(path.name)
        self.scenes = LazyScenes(lambda: len(self._series), self._make_scene)
        self._levels_of: tuple[int, list[_Level]] | None = None

    @property
    def frames(self) -> int:
        if isinstance(self._series, PlainPages):
            return len(self._series)
        return sum(series.frames for series in self._series)

    def place(self, frame: int) -> Place:
        if isinstance(self._series, PlainPages):
            self._series.page(frame)
            return Place(frame)
        left = frame
        for number, series in enumerate(self._series):
            if 0 <= left < series.frames:
                position = np.unravel_index(left, series.pages.shape[:-1])
                return Place(number, dict(zip(series.axes, map(int, position), strict=True)))
            left -= series.frames
        raise IndexError(f"no frame {frame}")

    def plane(
        self,
        place: Place,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
        region: Region | None = None,
    ) -> NDArray[np.generic]:
        chosen = self._levels(place.scene)[level]
        numbers = self._numbers(place, chosen)
        samples = chosen.samples
        if channels is None and len(numbers) == 1:
            return self._part(place, chosen, numbers[0], region)
        wanted = list(range(len(numbers) * samples) if channels is None else channels)
        values: NDArray[np.generic] | None = None
        for number in dict.fromkeys(channel // samples for channel in wanted):
            part = self._part(place, chosen, numbers[number], region)
            if values is None:
                values = np.empty((*part.shape[:2], len(wanted)), part.dtype)
            for at, channel in enumerate(wanted):
                if channel // samples == number:
                    values[:, :, at] = part[:, :, channel % samples]
        assert values is not None
        return values

    def _numbers(self, place: Place, level: "_Level") -> list[int]:
        """The pages that hold the channels of a plane."""
        axes = self._series[place.scene].axes
        return [int(number) for number in level.numbers[tuple(place.index[axis] for axis in axes)]]

    def _part(self, place: Place, level: "_Level", number: int, region: Region | None) -> NDArray[np.generic]:
        """One page of a plane, or a part of it, upright."""
        if number < 0:
            raise DecodeError(
                f"{self._name} lacks this image, of which it tells: its recording may have ended early."
            )
        if region is None and level.size != upright_size(level.key):
            region = Region(0, 0, *level.size)
        series = self._series[place.scene]
        number, inner = divmod(number, series.split)
        depth, plane, page = (inner if level.key.imagedepth > 1 else 0), 0, level.key
        if series.is_contiguous:
            plane = number - series.key
        elif number != level.number:
            page = self._page_like(level, number)
        values = read_part(page, region, self._name, plane=plane, depth=depth)
        return values if level.samples == values.shape[2] else values[:, :, inner : inner + 1]

    def cost_bytes(self, place: Place, level: int, region: Region | None) -> int:
        chosen = self._levels(place.scene)[level]
        part = cost_of_part(chosen.key, region)
        pages = len(self._numbers(place, chosen))
        return part if pages == 1 else super().cost_bytes(place, level, region) + part

    def close(self) -> None:
        remember(self._identity, self._chain, self._series)
        self._tiff.close()
        self.scenes = ()  # which lead back here: what was read would stay until Python looks for circles

    def _make_scene(self, number: int) -> Scene:
        if number < 0:
            raise IndexError(f"no scene {number}")
        series = self._series[number]
        try:
            levels = self._levels(number)
        except _DAMAGED as error:
            problem = f"{self._name} is damaged: page {series.key + 1} cannot be read ({error})."
            return Scene((1, 1), np.dtype(np.uint8), problem=problem)
        page = levels[0].key
        scene = scene_of(page, self._name)
        count = series.pages.shape[-1] * levels[0].samples
        if scene.problem is not None:
            count = 1
        check_channels(count, self._name)
        channels = series.channels if len(series.channels) == count else ()
        if count != page.samplesperpixel:
            scene = replace(scene, colour=None, palette=None, opacity=None)
        return replace(
            scene,
            axes=series.sizes,
            channels=channels or (Channel(),) * count,
            levels=tuple(level.size for level in levels),
            pixel_um=series.pixel_um or page_um(page),
            name=series.name,
        )

    def _page_like(self, level: "_Level", number: int) -> tifffile.TiffPage:
        """A page, or the smaller copy of it that a level is of.

        Raises:
            DecodeError: If it is of another size or kind than the first of its series.
        """
        page = page_at(self._tiff, self._chain, number)
        if level.below is not None:
            page = page_below(page, level.below)
        if page.shaped != level.key.shaped or page.dtype != level.key.dtype:
            raise DecodeError(f"{self._name} is damaged: this image has another size than the first one.")
        return page

    def _levels(self, number: int) -> "list[_Level]":
        """A series and its smaller copies, largest first."""
        if self._levels_of is None or self._levels_of[0] != number:
            self._levels_of = number, self._find_levels(self._series[number])
        return self._levels_of[1]

    def _find_levels(self, series: Series) -> "list[_Level]":
        page = page_at(self._tiff, self._chain, series.key)
        copies = []
        if series.has_sub_pages and not series.is_contiguous and len(page.subifds or ()) <= MOST_COPIES:
            for below in range(len(page.subifds or ())):
                copy = page_below(page, below)
                copies.append(_Level(series.pages, series.key, copy, upright_size(copy), series.split, below))
        if not copies:
            for numbers, size in zip_longest(series.levels, series.level_sizes):
                first = int(numbers.flat[0]) // series.split
                copy = page_at(self._tiff, self._chain, first)
                pages = numbers.reshape(series.pages.shape)
                copies.append(_Level(pages, first, copy, size or upright_size(copy), series.split))
        full = _Level(series.pages, series.key, page, upright_size(page), series.split)
        fitting = [copy for copy in copies if copy.kind == full.kind and is_copy(copy.size, full.size)]
        return [full, *sorted(fitting, key=lambda copy: copy.size[0], reverse=True)]


@dataclass(frozen=True, eq=False)
class _Level:
    """The planes of a series in one size.

    Attributes:
        numbers: Of their pages, as `Series.pages`.
        number: Of the first page.
        key: That page, or the smaller copy of it.
        size: Width and height, upright; a page may be larger, filled up to whole tiles.
        split: As `Series.split`.
        below: Which of the smaller copies that hang on a page; None for the page itself.
    """

    numbers: NDArray[np.int64]
    number: int
    key: tifffile.TiffPage
    size: Size
    split: int
    below: int | None = None

    @property
    def kind(self) -> tuple[object, int]:
        """Of numbers, and how many there are for a pixel."""
        return self.key.dtype, self.key.samplesperpixel

    @property
    def samples(self) -> int:
        """Of a page that are channels of one image."""
        return 1 if self.split > 1 and self.key.imagedepth == 1 else self.key.samplesperpixel
