"""Finding the images of a dataset while a person looks at the first of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mia_tui.config.train import Frames
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import ImageFile
from mia_tui.dataset.scan import check_root, measure, problem_notes
from mia_tui.dataset.walk import ScanProblem, scan_files

_BATCH_S = 0.05  # what a person does not see as a wait


@dataclass(frozen=True)
class Found:
    """All images of a dataset.

    Attributes:
        listing: The images with sizes, times and frames.
        files: One for each file, in the same order, for `LabelStore.reconcile`.
        problems: What could not be looked at.
    """

    listing: Listing
    files: tuple[ImageFile, ...]
    problems: tuple[ScanProblem, ...]

    @property
    def notes(self) -> list[str]:
        """What could not be looked at, as a sentence for the user."""
        return problem_notes(self.problems)


class _StoppedError(Exception):
    """Nobody wants to know any more."""


def list_images(
    root: Path,
    *,
    frames: Frames = "first",
    on_batch: Callable[[list[str]], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Found | None:
    """Find all images of a folder, telling of them as they are found.

    Args:
        root: Folder of the dataset.
        frames: As for `scan.scan`.
        on_batch: Gets the paths in order: the first at once, then so many that it is called at most 20 times
            a second once there are many. Stacks stand for one image until the end. Called in this thread.
        stop: Asked between files whether to end.

    Returns:
        The images, ready to be searched; None if it was stopped.

    Raises:
        DataError: If the folder is not there, is a file, cannot be read, or holds no images.
    """

    def heed() -> None:
        if stop():
            raise _StoppedError

    check_root(root)
    problems: list[ScanProblem] = []
    teller = _Teller(on_batch)
    found = []
    try:
        for file in scan_files(root, problems=problems):
            heed()
            found.append(file)
            teller.note(file.path)
        teller.tell()
        measured = measure(root, found, frames, problems, heed=heed)
    except _StoppedError:
        return None
    listing = Listing.of_files(measured.files, measured.frames)
    _ = listing.by_time  # sorting a million takes as long as a person waits for a key; here nobody does
    return Found(listing, measured.files, tuple(problems))


class _Teller:
    """Passes paths on in batches: as many as were told before, or what came within a blink."""

    def __init__(self, on_batch: Callable[[list[str]], None] | None) -> None:
        self._on_batch = on_batch
        self._waiting: list[str] = []
        self._told = 0
        self._told_at = 0.0

    def note(self, path: str) -> None:
        self._waiting.append(path)
        is_many = len(self._waiting) > self._told  # a slow folder never holds back more than half
        if is_many or time.monotonic() - self._told_at > _BATCH_S:
            self.tell()

    def tell(self) -> None:
        if self._waiting and self._on_batch is not None:
            self._on_batch(self._waiting)
        self._told += len(self._waiting)
        self._waiting = []
        self._told_at = time.monotonic()
