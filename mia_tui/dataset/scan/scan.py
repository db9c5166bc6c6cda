"""Finding the images of a dataset, with sizes, times and numbers of frames.

`walk.scan_files` finds them one by one; `measure` finds out sizes, times and
frames. `scan` does both at once, `incremental.list_images` reports what is
found meanwhile.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mia_tui.dataset.images.formats import ANIMATED_SUFFIXES, IMAGE_SUFFIXES, STACK_SUFFIXES
from mia_tui.dataset.images.reading import count_frames
from mia_tui.dataset.model import FRAME_NUMBERING, WHOLE_STACK, ImageFile, ImageKey, StackMode
from mia_tui.dataset.scan.file_cache import FileCache
from mia_tui.dataset.scan.folder_images import stat_image
from mia_tui.dataset.scan.other_kinds import OtherKinds
from mia_tui.dataset.scan.walk import ScanProblem, scan_files
from mia_tui.dataset.threads import map_in_threads
from mia_tui.errors import DataError, DecodeError
from mia_tui.text import counted, name_some, printable

if TYPE_CHECKING:
    from mia_tui.config.train import Frames

_REPORTED_EVERY = 1000  # files between two calls of `progress`


@dataclass(frozen=True)
class Scan:
    """All images of a dataset.

    Attributes:
        keys: One for each frame, in the dataset's order.
        files: One for each file, with size and time, in the same order.
        problems: Files and folders that could not be read.
        other_kinds: Files of other kinds.
        stacks: How many frames each file has that has several, by path.
        mode: Whether `keys` has all of these frames, or one image for the file.
    """

    keys: tuple[ImageKey, ...]
    files: tuple[ImageFile, ...]
    problems: tuple[ScanProblem, ...]
    other_kinds: OtherKinds = field(default_factory=OtherKinds)
    stacks: Mapping[str, int] = field(default_factory=dict)
    mode: StackMode = "frames"

    def labelled_as(self, mode: StackMode) -> "Scan":
        """The same with each stack as one image, or as its frames."""
        if not self.stacks or mode == self.mode:
            return self
        keys = [key for file in self.files for key in keys_of(file.path, self.stacks.get(file.path, 1), mode)]
        return replace(self, keys=tuple(keys), mode=mode)

    @property
    def notes(self) -> list[str]:
        """What could not be read and what was left out, one sentence each, for the user."""
        return [*problem_notes(self.problems), *self.other_kinds.notes]


def keys_of(path: str, frames: int, stacks: StackMode) -> list[ImageKey]:
    """The images of a file."""
    if frames > 1 and stacks == "whole":
        return [ImageKey(path, WHOLE_STACK)]
    return [ImageKey(path, frame) for frame in range(frames)]


class MeasuredFile(NamedTuple):
    """A file with the number of images it contains."""

    path: str
    size: int
    mtime_ns: int
    frames: int


def scan(
    root: Path,
    *,
    frames: "Frames" = "first",
    numbering: int = FRAME_NUMBERING,
    progress: Callable[[int], None] | None = None,
) -> Scan:
    """Find all images of a folder and how many frames each file has.

    Only files that may contain several images are opened (TIFF; GIF and WebP if `frames` is all), and only once as
    long as they do not change. A file whose frames cannot be counted is listed as one image, like any other damaged
    file.

    Args:
        root: Folder of the dataset.
        frames: Whether only the first frame of an animated GIF or WebP counts, or all of them.
        numbering: What is a frame.
        progress: Called now and then with the number of files found so far.

    Raises:
        DataError: If the folder does not exist, is a file, cannot be read, or contains no images.
    """
    check_root(root)
    problems: list[ScanProblem] = []
    other_kinds = OtherKinds()
    found = []
    for path in scan_files(root, problems=problems, other_kinds=other_kinds):
        found.append(path)
        if progress is not None and len(found) % _REPORTED_EVERY == 0:
            progress(len(found))
    files, keys, stacks = [], [], {}
    for path, size, mtime_ns, count in measure(
        root, found, frames, problems, other_kinds, numbering=numbering
    ):
        files.append(ImageFile(path, size, mtime_ns))
        keys += keys_of(path, count, "frames")
        if count > 1:
            stacks[path] = count
    if progress is not None:
        progress(len(files))
    return Scan(tuple(keys), tuple(files), tuple(problems), other_kinds, stacks)


def iter_images(
    root: Path,
    *,
    frames: "Frames",
    stacks: StackMode = "frames",
    numbering: int = FRAME_NUMBERING,
    problems: list[ScanProblem] | None = None,
    other_kinds: OtherKinds | None = None,
) -> Iterator[ImageKey]:
    """The images of a folder one by one, in order; of millions of files only those of one folder are in memory.

    Args:
        root: The folder.
        frames: As for `scan`.
        stacks: Whether a stack is one image.
        numbering: What is a frame.
        problems: Files and folders that cannot be read are added to it.
        other_kinds: Files of other kinds are added to it.

    Raises:
        DataError: As `scan`.
    """
    check_root(root)
    problems = [] if problems is None else problems
    other_kinds = OtherKinds() if other_kinds is None else other_kinds
    found = scan_files(root, problems=problems, other_kinds=other_kinds)
    for file in measure(root, found, frames, problems, other_kinds, numbering=numbering):
        yield from keys_of(file.path, file.frames, stacks)


def measure(
    root: Path,
    found: Iterable[str],
    frames: "Frames",
    problems: list[ScanProblem],
    other_kinds: OtherKinds,
    *,
    numbering: int = FRAME_NUMBERING,
) -> Iterator[MeasuredFile]:
    """Find out size, time and number of images of files, in order; in threads if the disk is slow.

    Args:
        root: Folder of the dataset.
        found: Its files, from `scan_files`.
        frames: As for `scan`.
        problems: Files that cannot be read are added to it.
        other_kinds: Files of other kinds, for the error if there is no image.
        numbering: What is a frame; what is counted in an old way is not remembered.

    Raises:
        DataError: If there is no file.
    """
    index = FileCache(root)
    suffixes = STACK_SUFFIXES | ANIMATED_SUFFIXES if frames == "all" else STACK_SUFFIXES
    is_empty = True
    try:
        for file, count in map_in_threads(
            partial(_look_at, root, os.fspath(root), frames, suffixes, index, numbering), found
        ):
            if isinstance(count, OSError):
                message = f"The file cannot be read: {count.strerror}."
                problems.append(ScanProblem(file.path, message))
                continue
            is_empty = False
            if count is not None and numbering == FRAME_NUMBERING and index.frames(file) is None:
                index.remember(file, frames=count)
            yield MeasuredFile(file.path, file.size or 0, file.mtime_ns or 0, count or 1)
    finally:
        index.save()
    if is_empty:
        raise _no_images(root, problems, other_kinds)


def problem_notes(problems: Sequence[ScanProblem]) -> list[str]:
    """What could not be read, as a sentence for the user; empty if there is nothing to say."""
    if not problems:
        return []
    named = name_some(f"{problem.path} ({problem.message.removesuffix('.')})" for problem in problems)
    return [f"{counted(len(problems), 'file or folder', 'files or folders')} could not be read: {named}."]


def check_root(root: Path) -> None:
    """Refuse a dataset that is not a folder.

    Raises:
        DataError: If it is a file, or does not exist.
    """
    try:
        mode = root.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"There is no folder {printable(root)}.", "Check how it is spelt.") from None
    except OSError as error:
        raise DataError(
            f"{printable(root)} cannot be read: {error.strerror}.", "Name a folder that you may read."
        ) from error
    if not stat.S_ISDIR(mode):
        raise DataError(f"{printable(root)} is a file.", "Name the folder that contains the images.")


def _no_images(root: Path, problems: list[ScanProblem], other_kinds: OtherKinds) -> DataError:
    suffixes = ", ".join(sorted(suffix[1:] for suffix in IMAGE_SUFFIXES))
    hint = " ".join((f"Images are files that end in {suffixes}.", *other_kinds.notes))
    if problems:
        first = problems[0]
        hint = f"{printable(first.path or root)}: {first.message}"
    return DataError(f"There are no images in {printable(root)}.", hint)


def _look_at(
    root: Path,
    folder: str,
    frames: "Frames",
    suffixes: frozenset[str],
    index: FileCache,
    numbering: int,
    path: str,
) -> tuple[ImageFile, int | OSError | None]:
    """Size and time of a file, and its number of images if it may contain several and they can be counted."""
    try:
        status = stat_image(f"{folder}/{path}")
    except OSError as error:
        return ImageFile(path), error
    file = ImageFile(path, status.st_size, status.st_mtime_ns)
    if os.path.splitext(path)[1].lower() not in suffixes:  # noqa: PTH122
        return file, None
    known = index.frames(file) if numbering == FRAME_NUMBERING else None
    if known is not None:
        return file, known
    try:
        return file, count_frames(root / path, animated=frames, numbering=numbering)
    except DecodeError:
        return file, None
