"""Finding the images of a dataset, and reporting them in batches so that the first ones can be shown at once."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from mia_tui.dataset.images.formats import ANIMATED_SUFFIXES, STACK_SUFFIXES
from mia_tui.dataset.listing.arrays import ListingArrays, arrays_of, paths_of
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import StackMode
from mia_tui.dataset.scan.other_kinds import OtherKinds
from mia_tui.dataset.scan.scan import MeasuredFile, Scan, check_root, measure, problem_notes
from mia_tui.dataset.scan.walk import ScanProblem, scan_files

if TYPE_CHECKING:
    from mia_tui.config.train import Frames

_BATCH_S = 0.05  # too short to be noticed as a wait
_BATCH = 16_384  # files; a screen can add so many within a frame


@dataclass(frozen=True)
class ListedImages:
    """All images of a dataset.

    Attributes:
        listing: The images with sizes, times and frames.
        problems: Files and folders that could not be read.
        other_kinds: Files of other kinds.
    """

    listing: Listing
    problems: tuple[ScanProblem, ...]
    other_kinds: OtherKinds = field(default_factory=OtherKinds)

    @property
    def notes(self) -> list[str]:
        """What could not be read and what was left out, one sentence each, for the user."""
        return [*problem_notes(self.problems), *self.other_kinds.notes]


class _StoppedError(Exception):
    """The scan was stopped by its caller."""


def list_images(
    root: Path,
    *,
    frames: "Frames" = "first",
    stacks: StackMode = "frames",
    on_batch: Callable[[ListingArrays], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> ListedImages | None:
    """Find all images of a folder, and report them as they are found.

    Args:
        root: Folder of the dataset.
        frames: As for `scan.scan`.
        stacks: Whether a stack is one image.
        on_batch: Called with the files in order, for `Listing.append`: the first at once, then what is found within
            50 ms, up to some thousands. Files that may be stacks count as one image until the end; where stacks are
            images as a whole, they come at the end. Called in this thread.
        stop: Checked between files; True ends the scan.

    Returns:
        The images, ready to be searched; None if it was stopped.

    Raises:
        DataError: If the folder does not exist, is a file, cannot be read, or contains no images.
    """

    def until_stopped(items: Iterable[str]) -> Iterator[str]:
        for item in items:
            if stop():
                raise _StoppedError
            yield item

    check_root(root)
    problems: list[ScanProblem] = []
    other_kinds = OtherKinds()
    parts: deque[ListingArrays] = deque()
    try:
        for paths in _batches(until_stopped(scan_files(root, problems=problems, other_kinds=other_kinds))):
            parts.append(arrays_of(paths))
            if on_batch is not None:
                on_batch(parts[-1] if stacks == "frames" else arrays_of(_without_stacks(paths, frames)))
        files = measure(root, until_stopped(_drain(parts)), frames, problems, other_kinds)
        listing = _listed(files, stacks)
    except _StoppedError:
        return None
    _ = listing.by_time  # computed now: sorting a million takes noticeable time, and nobody is waiting here
    return ListedImages(listing, tuple(problems), other_kinds)


def _batches(paths: Iterator[str]) -> Iterator[list[str]]:
    """Batches of as many paths as were reported before, or of what was found within 50 ms."""
    waiting: list[str] = []
    reported, reported_at = 0, 0.0
    for path in paths:
        waiting.append(path)
        is_many = len(waiting) > min(reported, _BATCH)  # so never more than half of what was found waits
        if is_many or time.monotonic() - reported_at > _BATCH_S:
            yield waiting
            reported += len(waiting)
            waiting, reported_at = [], time.monotonic()
    if waiting:
        yield waiting


def _drain(parts: deque[ListingArrays]) -> Iterator[str]:
    """The paths of parts, which are released one by one: all of them need 70 MB for a million images."""
    while parts:
        yield from paths_of(parts.popleft())


def _without_stacks(paths: list[str], frames: "Frames") -> list[str]:
    """Those that have one image, by their names."""
    suffixes = STACK_SUFFIXES | ANIMATED_SUFFIXES if frames == "all" else STACK_SUFFIXES
    return [path for path in paths if os.path.splitext(path)[1].lower() not in suffixes]  # noqa: PTH122


def _listed(files: Iterator[MeasuredFile], stacks: StackMode) -> Listing:
    listing = Listing()
    for first in files:
        names, sizes, times, counts = zip(*chain([first], islice(files, _BATCH)), strict=True)
        listing.append(arrays_of(names, sizes=sizes, mtimes_ns=times, frames=counts, stacks=stacks))
    return Listing(listing.arrays)  # lookups are faster if all paths are indexed at once


def scan_of(listing: Listing) -> Scan:
    """What is listed already, as `scan` would find it; for a thread, since a million images take a second."""
    keys = listing.keys_except(())
    files = listing.files_at(list(dict.fromkeys(key.path for key in keys)))
    return Scan(tuple(keys), tuple(files), (), stacks=listing.stacks(), mode=listing.stack_mode or "frames")
