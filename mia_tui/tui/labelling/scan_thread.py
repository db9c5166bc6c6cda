"""Finding a dataset's images while the app runs: the first at once, the rest behind it.

What was found the last time is shown first; the scan then replaces it only if
something is different now.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mia_tui.dataset.listing.arrays import ListingArrays
from mia_tui.dataset.listing.cache import save_listing
from mia_tui.dataset.listing.incremental_scan import ListedImages, list_images
from mia_tui.dataset.listing.listing import Listing
from mia_tui.errors import DataError

if TYPE_CHECKING:
    from mia_tui.config.train import Frames


class ScanThread:
    """Scans a dataset in a thread. All callbacks are made in that thread.

    Args:
        root: Folder of the dataset.
        known: What was found the last time; then only the end is told, and kept if something is different now.
        frames: Whether animated files are one image or all of their frames.
        on_batch: Told the files found, in order, while they are found; for `LabelSession.append`. `taken` answers.
        on_found: Told everything at the end.
        on_failed: Told why the dataset cannot be looked into.
    """

    def __init__(
        self,
        root: Path,
        *,
        known: Listing | None,
        frames: "Frames",
        on_batch: Callable[[ListingArrays], None],
        on_found: Callable[[ListedImages], None],
        on_failed: Callable[[DataError], None],
    ) -> None:
        self._root, self._known, self._frames = root, known, frames
        self._on_batch, self._on_found, self._on_failed = on_batch, on_found, on_failed
        self._begun = False
        self._stopped = threading.Event()
        self._room = threading.Semaphore()  # the scan is never more than one batch ahead of the screen

    def start(self) -> None:
        """Begin, unless it has begun already."""
        if not self._begun:
            self._begun = True
            threading.Thread(target=self._work, name="scan", daemon=True).start()

    def stop(self) -> None:
        """End soon; nothing is told any more."""
        self._stopped.set()
        self.taken()

    def taken(self) -> None:
        """What was told last is taken over: the next batch may come."""
        self._room.release()

    def _tell(self, part: ListingArrays) -> None:
        self._room.acquire()
        self._on_batch(part)

    def _work(self) -> None:
        try:
            found = list_images(
                self._root,
                frames=self._frames,
                on_batch=self._tell if self._known is None else None,
                stop=self._stopped.is_set,
            )
        except DataError as error:
            if not self._stopped.is_set():
                self._on_failed(error)
            return
        if found is not None and not self._stopped.is_set():
            if self._known is None or not self._known.same_files(found.listing):
                save_listing(self._root, found.listing)
            self._on_found(found)
