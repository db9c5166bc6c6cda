"""Finding the images of a dataset while a person looks at the first of them."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from mia_tui.dataset.listing.arrays import ListingArrays, arrays_of, paths_of
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.scan.other_kinds import OtherKinds
from mia_tui.dataset.scan.scan import MeasuredFile, check_root, measure, problem_notes
from mia_tui.dataset.scan.walk import ScanProblem, scan_files

if TYPE_CHECKING:
    from mia_tui.config.train import Frames

_BATCH_S = 0.05  # what a person does not see as a wait
_BATCH = 16_384  # files; a screen takes so many over within a frame


@dataclass(frozen=True)
class ListedImages:
    """All images of a dataset.

    Attributes:
        listing: The images with sizes, times and frames.
        problems: What could not be looked at.
        other_kinds: Files of other kinds.
    """

    listing: Listing
    problems: tuple[ScanProblem, ...]
    other_kinds: OtherKinds = field(default_factory=OtherKinds)

    @property
    def notes(self) -> list[str]:
        """What could not be looked at and what was left out, a sentence each for the user."""
        return [*problem_notes(self.problems), *self.other_kinds.notes]


class _StoppedError(Exception):
    """Nobody wants to know any more."""


def list_images(
    root: Path,
    *,
    frames: "Frames" = "first",
    on_batch: Callable[[ListingArrays], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> ListedImages | None:
    """Find all images of a folder, telling of them as they are found.

    Args:
        root: Folder of the dataset.
        frames: As for `scan.scan`.
        on_batch: Gets the files in order, for `Listing.append`: the first at once, then what is found within
            a blink, up to some thousands. Stacks stand for one image until the end. Called in this thread.
        stop: Asked between files whether to end.

    Returns:
        The images, ready to be searched; None if it was stopped.

    Raises:
        DataError: If the folder is not there, is a file, cannot be read, or holds no images.
    """

    def heeding(items: Iterable[str]) -> Iterator[str]:
        for item in items:
            if stop():
                raise _StoppedError
            yield item

    check_root(root)
    problems: list[ScanProblem] = []
    other_kinds = OtherKinds()
    parts: deque[ListingArrays] = deque()
    try:
        for paths in _batches(heeding(scan_files(root, problems=problems, other_kinds=other_kinds))):
            parts.append(arrays_of(paths))
            if on_batch is not None:
                on_batch(parts[-1])
        files = measure(root, heeding(_taken_out(parts)), frames, problems, other_kinds)
        listing = _listed(files)
    except _StoppedError:
        return None
    _ = listing.by_time  # sorting a million takes as long as a person waits for a key; here nobody does
    return ListedImages(listing, tuple(problems), other_kinds)


def _batches(paths: Iterator[str]) -> Iterator[list[str]]:
    """As many as were told before, or what came within a blink."""
    waiting: list[str] = []
    told, told_at = 0, 0.0
    for path in paths:
        waiting.append(path)
        is_many = len(waiting) > min(told, _BATCH)  # a slow folder never holds back more than half
        if is_many or time.monotonic() - told_at > _BATCH_S:
            yield waiting
            told += len(waiting)
            waiting, told_at = [], time.monotonic()
    if waiting:
        yield waiting


def _taken_out(parts: deque[ListingArrays]) -> Iterator[str]:
    """The paths of parts, which are given up one by one: all of them take 70 MB for a million."""
    while parts:
        yield from paths_of(parts.popleft())


def _listed(files: Iterator[MeasuredFile]) -> Listing:
    listing = Listing()
    for first in files:
        names, sizes, times, counts = zip(*chain([first], islice(files, _BATCH)), strict=True)
        listing.append(arrays_of(names, sizes=sizes, mtimes_ns=times, frames=counts))
    return Listing(listing.arrays)  # with all paths indexed at once they are found faster
