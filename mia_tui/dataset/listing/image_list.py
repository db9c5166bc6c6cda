"""Images in the order to see them in, such as those behind a figure, which may be a hundred thousand."""

import asyncio
import weakref
from collections.abc import Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.listing.listing import Listing, Rows
from mia_tui.dataset.model import ImageKey

Places = NDArray[np.int64]

_AT_ONCE = 2048  # images that are looked up together, in a few milliseconds


class ImageList(Sequence[ImageKey]):
    """Images in an order; which rows of a listing they are is looked up once for all lists made of them.

    Args:
        keys: The images.
    """

    def __init__(self, keys: Sequence[ImageKey]) -> None:
        self._known = _KnownRows(keys)
        self._places: Places | None = None  # None for all of them

    @classmethod
    def of(cls, keys: Sequence[ImageKey]) -> "ImageList":
        """These images; a list as it is."""
        return keys if isinstance(keys, ImageList) else cls(keys)

    def some(self, places: Places) -> "ImageList":
        """The images at some positions, in this order; no image is looked at."""
        part = ImageList.__new__(ImageList)
        part._known = self._known
        part._places = places if self._places is None else self._places[places]
        return part

    def rows_in(self, listing: Listing) -> Rows:
        """The row of each image, int32; -1 if it is not listed."""
        self._known.look_up(listing, len(self._known.keys))
        return self._known.rows if self._places is None else self._known.rows[self._places]

    async def find_rows(self, listing: Listing) -> None:
        """Look them up as `rows_in` does, between other work of the event loop."""
        while not self._known.look_up(listing, _AT_ONCE):
            await asyncio.sleep(0)

    def __len__(self) -> int:
        return len(self._known.keys) if self._places is None else len(self._places)

    @overload
    def __getitem__(self, position: int) -> ImageKey: ...
    @overload
    def __getitem__(self, position: slice) -> "ImageList": ...
    def __getitem__(self, position: int | slice) -> "ImageKey | ImageList":
        if isinstance(position, slice):
            return self.some(np.arange(len(self))[position])
        return self._known.keys[position if self._places is None else int(self._places[position])]

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, ImageList | tuple):
            return NotImplemented
        return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(self))


class _KnownRows:
    """Images, and their rows in the listing where they were looked up last."""

    def __init__(self, keys: Sequence[ImageKey]) -> None:
        self.keys = keys
        self.rows: Rows = np.empty(0, np.int32)
        self._listing: weakref.ref[Listing] | None = None
        self._files = 0  # of the listing then
        self._unknown: Places = np.empty(0, np.int64)  # to be looked up
        self._done = 0  # so many of those are

    def look_up(self, listing: Listing, most: int) -> bool:
        """Look up so many more; returns whether all are. Rows stay valid while files are added to a listing."""
        if self._listing is None or self._listing() is not listing:
            self._listing, self._files = weakref.ref(listing), listing.files
            self.rows = np.full(len(self.keys), -1, np.int32)
            self._unknown, self._done = np.arange(len(self.keys)), 0
        elif self._files != listing.files:
            self._files = listing.files
            self._unknown, self._done = np.flatnonzero(self.rows < 0), 0  # whether looked up or not yet
        places = self._unknown[self._done : self._done + most]
        if len(places):
            self.rows[places] = listing.rows([self.keys[place] for place in places.tolist()])
            self._done += len(places)
        return self._done == len(self._unknown)
