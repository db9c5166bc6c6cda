"""Which pages of a TIFF file are images, over which axes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import overload

import numpy as np
import tifffile
from numpy.typing import NDArray

from mia_tui.dataset.images.readers.tiff.chain import PageChain
from mia_tui.dataset.images.readers.tiff.limits import MOST_COPIES
from mia_tui.dataset.images.source import Channel

FRAME_AXES = "TZ"
"""Of whose planes are frames, slowest first; others follow."""
_CHANNEL_AXES = "CS"


@dataclass(frozen=True, eq=False)
class Series:
    """Planes of one size and kind.

    Attributes:
        pages: Number of the page that holds each plane, its shape the sizes of `axes`, then that of the channels that
            lie in pages of their own; -1 where the file lacks it.
        axes: Names of the axes whose planes are frames, slowest first.
        is_contiguous: Whether the planes lie one after the other behind the first page, with or without pages.
        channels: Names and colours; none if the file does not tell.
        levels: Pages of smaller copies, each like `pages`, largest first.
        has_sub_pages: Whether the smaller copies hang on each page.
        pixel_um: Width and height of a pixel in micrometres.
        name: What the file calls it.
    """

    pages: NDArray[np.int64]
    axes: str = ""
    is_contiguous: bool = False
    channels: tuple[Channel, ...] = ()
    levels: tuple[NDArray[np.int64], ...] = ()
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
        return int(there[0]) if there.size else 0


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
    first = tiff.pages[0]
    if not number and isinstance(first, tifffile.TiffPage):
        return first
    tiff.filehandle.seek(chain.offset(number))
    return tifffile.TiffPage(tiff, number)
