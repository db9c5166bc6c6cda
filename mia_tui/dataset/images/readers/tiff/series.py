"""Which pages of a TIFF file are images, over which axes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from math import prod
from typing import overload

import numpy as np
import tifffile
from numpy.typing import NDArray

from mia_tui.dataset.images.readers.tiff.chain import MOST_PAGES, PageChain
from mia_tui.dataset.images.readers.tiff.limits import MOST_COPIES
from mia_tui.dataset.images.source import Channel, Size

FRAME_AXES = "TZ"
"""Of whose planes are frames, slowest first; others follow."""
_CHANNEL_AXES = "CS"
_FOUR_GB = 1 << 32


@dataclass(frozen=True, eq=False)
class Series:
    """Planes of one size and kind.

    Attributes:
        pages: Number of the page that holds each plane, its shape the sizes of `axes`, then that of the channels that
            lie in pages of their own; -1 where the file lacks it.
        axes: Names of the axes whose planes are frames, slowest first.
        split: Planes in each page, along its depth or its samples; the numbers in `pages` count them then.
        is_contiguous: Whether the planes lie one after the other behind the first page, with or without pages.
        channels: Names and colours; none if the file does not tell.
        levels: Pages of smaller copies, each like `pages`, largest first.
        level_sizes: Widths and heights of the smaller copies, where their pages are larger.
        has_sub_pages: Whether the smaller copies hang on each page.
        pixel_um: Width and height of a pixel in micrometres.
        name: What the file calls it.
    """

    pages: NDArray[np.int64]
    axes: str = ""
    split: int = 1
    is_contiguous: bool = False
    channels: tuple[Channel, ...] = ()
    levels: tuple[NDArray[np.int64], ...] = ()
    level_sizes: tuple[Size, ...] = ()
    has_sub_pages: bool = True
    pixel_um: tuple[float, float] | None = None
    name: str = ""

    @property
    def sizes(self) -> dict[str, int]:
        return dict(zip(self.axes, self.pages.shape, strict=False))

    @property
    def frames(self) -> int:
        return int(np.prod(self.pages.shape[:-1], dtype=np.int64))

    @property
    def key(self) -> int:
        """Number of the first page there is."""
        there = self.pages[self.pages >= 0]
        return int(there[0]) // self.split if there.size else 0


def series_of(pages: NDArray[np.int64], axes: str, **more: object) -> Series:
    """A series from the pages over axes of any order, such as TCZ; axes without a meaning may share a letter.

    Args:
        pages: Their numbers, an axis for each letter.
        axes: Slowest first.
        **more: Attributes of `Series`.
    """
    time, depth, others, channel = (
        [at for at, axis in enumerate(axes) if axis in group] for group in _groups(axes)
    )
    ordered = pages.transpose(*time, *depth, *others, *channel)
    frame_axes = [*time, *depth, *others]
    letters = [axes[at] for at in frame_axes]
    shape = [pages.shape[at] for at in frame_axes]
    channels = int(np.prod([pages.shape[at] for at in channel], dtype=np.int64))
    kept = [at for at, size in enumerate(shape) if size > 1]
    names = "".join(_distinct([letters[at] for at in kept]))
    return Series(ordered.reshape(*(shape[at] for at in kept), channels), names, **more)  # type: ignore[arg-type]


def _groups(axes: str) -> tuple[str, str, str, str]:
    others = "".join(axis for axis in axes if axis not in FRAME_AXES + _CHANNEL_AXES)
    return "T", "Z", others, _CHANNEL_AXES


def _distinct(letters: list[str]) -> Iterator[str]:
    """A letter for each axis; those that share one get others."""
    taken = set(letters)
    used: set[str] = set()
    for letter in letters:
        chosen = letter
        if chosen in used:
            chosen = next(one for one in "QIJKLMNOPRUVWABDEFGH" if one not in taken)
            taken.add(chosen)
        used.add(chosen)
        yield chosen


def declared_pages(
    chain: PageChain, shape: Sequence[int], *, first: int = 0, step: int = 1
) -> NDArray[np.int64] | None:
    """Numbers of the pages that planes of this shape should have; -1 for those that the file lacks at its end.

    Args:
        chain: All pages.
        shape: Sizes of the axes, slowest first; where the file has fewer planes, the slowest one is shortened.
        first: The first page.
        step: Pages from one plane to the next.

    Returns:
        The numbers; None if the shape cannot be.
    """
    planes = prod(shape)
    if planes < 1 or planes > MOST_PAGES or not chain.has(first):
        return None
    numbers = np.arange(first, first + planes * step, step)
    if not chain.has(int(numbers[-1])):
        numbers[numbers >= len(chain)] = -1
    table = numbers.reshape(shape)
    slowest = next((at for at, size in enumerate(shape) if size > 1), 0)
    others = tuple(at for at in range(len(shape)) if at != slowest)
    there = (table >= 0).any(axis=others) if shape else np.array([True])
    return np.compress(there, table, axis=slowest) if shape else table


def split_pages(pages: NDArray[np.int64], split: int) -> NDArray[np.int64]:
    """Numbers of the planes in pages, with an axis more: that of the planes in a page."""
    planes = pages[..., None] * split + np.arange(split)
    planes[pages < 0] = -1
    return planes


@dataclass(frozen=True, eq=False)
class PlainPages(Sequence[Series]):
    """Pages that are a frame each, whatever their kinds; found as far as somebody asks.

    Attributes:
        chain: All pages.
        every: Whether smaller copies between the pages count as well, as they once did.
        single: Whether all pages behind the first are smaller copies of it, or no images.
    """

    chain: PageChain
    every: bool = False
    single: bool = False
    _found: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        if self.single:
            return 1
        if self.every:
            return self._last_full() + 1
        while self._find(len(self._found)) is not None:
            pass
        return max(1, len(self._found))

    @overload
    def __getitem__(self, number: int) -> Series: ...
    @overload
    def __getitem__(self, number: slice) -> list[Series]: ...
    def __getitem__(self, number: int | slice) -> Series | list[Series]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        page = self.page(number)
        copies = tuple(np.array([copy]) for copy in self._copies(page))
        return Series(np.array([page]), levels=copies)

    def pages(self) -> NDArray[np.int64]:
        """Numbers of the pages that are frames."""
        frames = len(self)
        return np.array(self._found[:frames] if self._found else range(frames))

    def page(self, number: int) -> int:
        """Number of the page that is the frame of this number.

        Raises:
            IndexError: If there is none.
        """
        if self.every or self.single:
            page: int | None = number if 0 <= number < len(self) else None
        else:
            page = self._find(number)
        if page is None and number == 0:
            page = 0  # a file of smaller copies alone
        if page is None:
            raise IndexError(f"no frame {number}")
        return page

    def _find(self, number: int) -> int | None:
        for page in count(self._found[-1] + 1 if self._found else 0):
            if 0 <= number < len(self._found):
                return self._found[number]
            if number < 0 or not self.chain.has(page):
                return None
            if self.chain.is_image(page):
                self._found.append(page)
        return None

    def _copies(self, page: int) -> Iterator[int]:
        """Pages that may be smaller copies of a page."""
        alone = self.single or (self.every and len(self) == 1)
        if self.every and not alone:
            return
        for copy in range(page + 1, page + 1 + MOST_COPIES):
            if not self.chain.has(copy) or not (alone or self.chain.is_reduced(copy)):
                return
            yield copy

    def _last_full(self) -> int:
        """The last page that is not a smaller copy of another; so pages keep their numbers."""
        pages = len(self.chain)
        for last in range(pages - 1, max(0, pages - 1 - MOST_COPIES), -1):
            if not self.chain.is_reduced(last):
                return last
        return max(1, pages - MOST_COPIES) - 1


def page_at(tiff: tifffile.TiffFile, chain: PageChain, number: int) -> tifffile.TiffPage:
    """A page of the chain, read anew unless it is the first."""
    page = tiff.pages[0]
    if number or not isinstance(page, tifffile.TiffPage):
        page = _read_page(tiff, chain.offset(number), number)
    if tiff.is_lsm:
        step = 2 if chain.has(1) and chain.is_reduced(1) else 1
        _mend_lsm(page, int(tiff.pages[0].dataoffsets[0]) + number // step * page.nbytes)
    return page


def page_below(page: tifffile.TiffPage, number: int) -> tifffile.TiffPage:
    """One of the pages that hang on a page.

    Raises:
        ValueError: If it has no such page.
    """
    if page.subifds is None or not 0 <= number < len(page.subifds):
        raise ValueError("a page lacks its smaller copies")
    return _read_page(page.parent, page.subifds[number], (page.index, number))


def _read_page(tiff: tifffile.TiffFile, place: int, number: int | tuple[int, int]) -> tifffile.TiffPage:
    tiff.filehandle.seek(place)
    try:
        return tifffile.TiffPage(tiff, number)
    except tifffile.TiffFileError as error:  # no ValueError in its older versions
        raise ValueError(str(error)) from error


def _mend_lsm(page: tifffile.TiffPage, least: int) -> None:
    """Where the pixels of a page of an LSM file are: its places leave out what is above 4 GB, its sizes mislead.

    Args:
        page: The page.
        least: The place of its pixels if there were nothing but pixels before.
    """
    file_bytes = page.parent.filehandle.size
    places = page.dataoffsets
    if file_bytes > _FOUR_GB:
        places = tuple(place + -(-max(0, least - place) // _FOUR_GB) * _FOUR_GB for place in places)
        page.dataoffsets = places
    if page.compression != 1:  # the sizes are those of the pixels; compressed ones may be larger
        sizes = page.tags.valueof(279) or ()
        sizes = sizes if isinstance(sizes, tuple) else (sizes,)
        page.databytecounts = tuple(
            max(0, min(2 * size, file_bytes - place)) for size, place in zip(sizes, places, strict=False)
        )
