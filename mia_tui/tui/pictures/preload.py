"""Reads the first image of a dataset while Textual is still being imported.

The import takes 150 ms of one core. The images found the last time, and the one that the person was at, are known
without it; so another thread reads and decodes that image meanwhile. Nothing here may import Textual.
"""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from mia_tui.dataset.images.rendering import LoadedImage, load_image
from mia_tui.dataset.listing.cache import load_listing
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.recent import last_position
from mia_tui.errors import DecodeError

_CELL_PX = (16, 32)  # larger than the cells of most terminals, which have not answered yet


class Preload:
    """The images of a dataset as they were listed the last time, and the pixels of the first one to show.

    Args:
        dataset: Its folder.
        columns: Of the terminal; with `rows` the most that an image can fill.
        rows: As `columns`.
    """

    def __init__(self, dataset: Path, *, columns: int, rows: int) -> None:
        self.dataset = dataset
        self._box_px = (columns * _CELL_PX[0], rows * _CELL_PX[1])
        self._taken = threading.Lock()
        pool = ThreadPoolExecutor(1, "preload")
        self._listing = pool.submit(load_listing, dataset)
        self._key = pool.submit(self._first)
        self._pixels: Future[LoadedImage | None] | None = pool.submit(self._read)
        pool.shutdown(wait=False)

    def listing(self) -> Listing | None:
        """The images found the last time, None if there are none; waits for them."""
        return self._listing.result()

    def take(self, key: ImageKey, box_px: tuple[int, int]) -> LoadedImage | None:
        """The pixels of an image, if it is the one that was read; waits for them. Only the first call gets them.

        Args:
            key: The image to show.
            box_px: Width and height it is shown in.
        """
        with self._taken:
            reading, self._pixels = self._pixels, None
        if reading is None or self._key.result() != key:
            return None
        pixels = reading.result()
        return pixels if pixels is not None and self._is_enough(pixels, box_px) else None

    def _first(self) -> ImageKey | None:
        """The image that is shown first: where the person was, or the first one."""
        listing = self._listing.result()
        if listing is None or not len(listing):
            return None
        position = last_position(self.dataset)
        is_there = position is not None and listing.row(position) is not None
        return position if is_there else listing.key(0)

    def _read(self) -> LoadedImage | None:
        key = self._key.result()
        if key is None:
            return None
        path = self.dataset / key.path
        try:
            return load_image(path, key.frame, box_px=self._box_px)
        except DecodeError:  # decoding it again will fail as well, and that error is shown
            return None

    def _is_enough(self, pixels: LoadedImage, box_px: tuple[int, int]) -> bool:
        """Whether a reduced image has enough pixels for the box."""
        fits = box_px[0] <= self._box_px[0] and box_px[1] <= self._box_px[1]
        return fits or not pixels.is_reduced
