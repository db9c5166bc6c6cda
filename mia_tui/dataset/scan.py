"""Finding the images of a dataset, with sizes, times and numbers of frames.

`walk.scan_files` finds them one by one; `measure` finds out the rest. `scan`
does both at once, `lister.list_images` shows what is found meanwhile.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from mia_tui.config.train import Frames
from mia_tui.dataset.hashes import duplicate_groups, file_hash
from mia_tui.dataset.model import ImageFile, ImageKey
from mia_tui.dataset.pixels.decode import ANIMATED_SUFFIXES, IMAGE_SUFFIXES, STACK_SUFFIXES, count_frames
from mia_tui.dataset.scan_index import ScanIndex, each
from mia_tui.dataset.walk import NaturalKey, ScanProblem, natural_key, scan_files
from mia_tui.dataset.wording import counted, name_some
from mia_tui.errors import DataError, DecodeError
from mia_tui.paths import printable

__all__ = [
    "NaturalKey",
    "Scan",
    "ScanProblem",
    "duplicate_groups",
    "file_hash",
    "natural_key",
    "scan",
    "scan_files",
]

_TOLD_EVERY = 1000  # files between two calls of `progress`

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Scan:
    """All images of a dataset.

    Attributes:
        keys: One for each frame, in the dataset's order.
        files: One for each file, with size and time, in the same order.
        problems: What could not be looked at.
    """

    keys: tuple[ImageKey, ...]
    files: tuple[ImageFile, ...]
    problems: tuple[ScanProblem, ...]

    @property
    def notes(self) -> list[str]:
        """What could not be looked at, as a sentence for the user."""
        return problem_notes(self.problems)


@dataclass(frozen=True)
class Measured:
    """Files that are there.

    Attributes:
        files: With size and time, in the order they were found.
        frames: How many images a file holds, by its path, where there may be several.
    """

    files: tuple[ImageFile, ...]
    frames: dict[str, int]


def scan(root: Path, *, frames: Frames = "first", progress: Callable[[int], None] | None = None) -> Scan:
    """Find all images of a folder and how many frames each file has.

    Only files that may hold several images are opened (TIFF; GIF and WebP if `frames` is all), and only
    once while they stay as they are. A file whose frames cannot be counted stands for one image, like any
    other that will turn out to be damaged.

    Args:
        root: Folder of the dataset.
        frames: Whether an animated GIF or WebP counts as its first frame or as all of them.
        progress: Told now and then how many files were found so far.

    Raises:
        DataError: If the folder is not there, is a file, cannot be read, or holds no images.
    """
    check_root(root)
    problems: list[ScanProblem] = []
    found = []
    for file in scan_files(root, problems=problems):
        found.append(file)
        if progress is not None and len(found) % _TOLD_EVERY == 0:
            progress(len(found))
    measured = measure(root, found, frames, problems)
    counts = measured.frames
    keys = (
        ImageKey(file.path, frame) for file in measured.files for frame in range(counts.get(file.path, 1))
    )
    if progress is not None:
        progress(len(measured.files))
    return Scan(tuple(keys), measured.files, tuple(problems))


def measure(
    root: Path,
    found: Sequence[ImageFile],
    frames: Frames,
    problems: list[ScanProblem],
    *,
    heed: Callable[[], None] | None = None,
) -> Measured:
    """Find out size, time and number of frames of files; in threads where the disk is slow.

    Args:
        root: Folder of the dataset.
        found: Its files, from `scan_files`.
        frames: As for `scan`.
        problems: Gets the files that are not there any more.
        heed: Called between files; what it raises ends the work.

    Raises:
        DataError: If there is no file.
    """
    files = tuple(_heeding(_with_sizes(root, found, problems), heed))
    if not files:
        raise _no_images(root, problems)
    return Measured(files, _frame_counts(root, files, frames, heed))


def problem_notes(problems: Sequence[ScanProblem]) -> list[str]:
    """What could not be looked at, as a sentence for the user; none if there is nothing to say."""
    if not problems:
        return []
    named = name_some(f"{problem.path} ({problem.message.removesuffix('.')})" for problem in problems)
    return [f"{counted(len(problems), 'place')} could not be looked into: {named}."]


def check_root(root: Path) -> None:
    """Refuse a dataset that is no folder.

    Raises:
        DataError: If it is a file, or is not there.
    """
    try:
        mode = root.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"There is no folder {printable(root)}.", "Check how it is spelt.") from None
    except OSError as error:
        raise DataError(
            f"{printable(root)} cannot be looked into: {error.strerror}.", "Name a folder you may read."
        ) from error
    if not stat.S_ISDIR(mode):
        raise DataError(f"{printable(root)} is a file.", "Name the folder that holds the images.")


def _no_images(root: Path, problems: list[ScanProblem]) -> DataError:
    suffixes = ", ".join(sorted(suffix[1:] for suffix in IMAGE_SUFFIXES))
    hint = f"Images are files that end in {suffixes}."
    if problems:
        first = problems[0]
        hint = f"{printable(first.path or root)}: {first.message}"
    return DataError(f"There are no images in {printable(root)}.", hint)


def _heeding(items: Iterable[_Item], heed: Callable[[], None] | None) -> Iterator[_Item]:
    for item in items:
        if heed is not None:
            heed()
        yield item


def _with_sizes(root: Path, files: Sequence[ImageFile], problems: list[ScanProblem]) -> Iterator[ImageFile]:
    folder = os.fspath(root)
    for file, status in zip(files, each(partial(_stat, folder), files), strict=True):
        if isinstance(status, OSError):
            problems.append(ScanProblem(file.path, f"The file cannot be looked at: {status.strerror}."))
        else:
            yield ImageFile(file.path, status.st_size, status.st_mtime_ns)


def _stat(root: str, file: ImageFile) -> os.stat_result | OSError:
    try:
        return os.stat(f"{root}/{file.path}")  # noqa: PTH116  (100,000 of them)
    except OSError as error:
        return error


def _frame_counts(
    root: Path, files: Iterable[ImageFile], frames: Frames, heed: Callable[[], None] | None
) -> dict[str, int]:
    suffixes = STACK_SUFFIXES | ANIMATED_SUFFIXES if frames == "all" else STACK_SUFFIXES
    stacks = [file for file in files if os.path.splitext(file.path)[1].lower() in suffixes]  # noqa: PTH122
    if not stacks:
        return {}
    index = ScanIndex(root)
    counts = {file.path: index.frames(file) or 1 for file in stacks}
    unknown = [file for file in stacks if index.frames(file) is None]
    counted_now = _heeding(each(partial(_count_or_none, root, frames), unknown), heed)
    try:
        for file, count in zip(unknown, counted_now, strict=True):
            if count is not None:
                counts[file.path] = count
                index.remember(file, frames=count)
    finally:
        index.save()
    return counts


def _count_or_none(root: Path, frames: Frames, file: ImageFile) -> int | None:
    try:
        return count_frames(root / file.path, animated=frames)
    except DecodeError:
        return None
