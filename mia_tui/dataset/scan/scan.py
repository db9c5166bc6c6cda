"""Finding the images of a dataset, with sizes, times and numbers of frames.

`walk.scan_files` finds them one by one; `measure` finds out the rest. `scan`
does both at once, `lister.list_images` shows what is found meanwhile.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mia_tui.dataset.hashes import duplicate_groups, file_hash
from mia_tui.dataset.images.decode import count_frames
from mia_tui.dataset.images.reading import ANIMATED_SUFFIXES, IMAGE_SUFFIXES, STACK_SUFFIXES
from mia_tui.dataset.model import ImageFile, ImageKey
from mia_tui.dataset.scan.index import ScanIndex, map_in_threads
from mia_tui.dataset.scan.other_kinds import OtherKinds
from mia_tui.dataset.scan.walk import NaturalKey, ScanProblem, natural_key, scan_files
from mia_tui.errors import DataError, DecodeError
from mia_tui.text import counted, name_some, printable

if TYPE_CHECKING:
    from mia_tui.config.train import Frames

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


@dataclass(frozen=True)
class Scan:
    """All images of a dataset.

    Attributes:
        keys: One for each frame, in the dataset's order.
        files: One for each file, with size and time, in the same order.
        problems: What could not be looked at.
        other_kinds: Files of other kinds.
    """

    keys: tuple[ImageKey, ...]
    files: tuple[ImageFile, ...]
    problems: tuple[ScanProblem, ...]
    other_kinds: OtherKinds = field(default_factory=OtherKinds)

    @property
    def notes(self) -> list[str]:
        """What could not be looked at and what was left out, a sentence each for the user."""
        return [*problem_notes(self.problems), *self.other_kinds.notes]


class MeasuredFile(NamedTuple):
    """A file that is there, with the number of images it holds."""

    path: str
    size: int
    mtime_ns: int
    frames: int


def scan(root: Path, *, frames: "Frames" = "first", progress: Callable[[int], None] | None = None) -> Scan:
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
    other_kinds = OtherKinds()
    found = []
    for path in scan_files(root, problems=problems, other_kinds=other_kinds):
        found.append(path)
        if progress is not None and len(found) % _TOLD_EVERY == 0:
            progress(len(found))
    files, keys = [], []
    for path, size, mtime_ns, count in measure(root, found, frames, problems, other_kinds):
        files.append(ImageFile(path, size, mtime_ns))
        keys += [ImageKey(path, frame) for frame in range(count)]
    if progress is not None:
        progress(len(files))
    return Scan(tuple(keys), tuple(files), tuple(problems), other_kinds)


def measure(
    root: Path,
    found: Iterable[str],
    frames: "Frames",
    problems: list[ScanProblem],
    other_kinds: OtherKinds,
) -> Iterator[MeasuredFile]:
    """Find out size, time and number of images of files, one after the other; in threads where the disk is slow.

    Args:
        root: Folder of the dataset.
        found: Its files, from `scan_files`.
        frames: As for `scan`.
        problems: Gets the files that are not there any more.
        other_kinds: Files of other kinds, named where there is no image.

    Raises:
        DataError: If there is no file.
    """
    index = ScanIndex(root)
    suffixes = STACK_SUFFIXES | ANIMATED_SUFFIXES if frames == "all" else STACK_SUFFIXES
    is_empty = True
    try:
        for file, count in map_in_threads(
            partial(_look_at, root, os.fspath(root), frames, suffixes, index), found
        ):
            if isinstance(count, OSError):
                message = f"The file cannot be looked at: {count.strerror}."
                problems.append(ScanProblem(file.path, message))
                continue
            is_empty = False
            if count is not None and index.frames(file) is None:
                index.remember(file, frames=count)
            yield MeasuredFile(file.path, file.size or 0, file.mtime_ns or 0, count or 1)
    finally:
        index.save()
    if is_empty:
        raise _no_images(root, problems, other_kinds)


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


def _no_images(root: Path, problems: list[ScanProblem], other_kinds: OtherKinds) -> DataError:
    suffixes = ", ".join(sorted(suffix[1:] for suffix in IMAGE_SUFFIXES))
    hint = " ".join((f"Images are files that end in {suffixes}.", *other_kinds.notes))
    if problems:
        first = problems[0]
        hint = f"{printable(first.path or root)}: {first.message}"
    return DataError(f"There are no images in {printable(root)}.", hint)


def _look_at(
    root: Path, folder: str, frames: "Frames", suffixes: frozenset[str], index: ScanIndex, path: str
) -> tuple[ImageFile, int | OSError | None]:
    """Size and time of a file, and its number of images where it may hold several and they can be counted."""
    try:
        status = os.stat(f"{folder}/{path}")  # noqa: PTH116  (100,000 of them)
    except OSError as error:
        return ImageFile(path), error
    file = ImageFile(path, status.st_size, status.st_mtime_ns)
    if os.path.splitext(path)[1].lower() not in suffixes:  # noqa: PTH122
        return file, None
    known = index.frames(file)
    if known is not None:
        return file, known
    try:
        return file, count_frames(root / path, animated=frames)
    except DecodeError:
        return file, None
