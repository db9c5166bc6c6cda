"""Finding the images of a dataset, in the order a person would count them.

`scan_files` streams: the first image is there before the second folder is
opened, and no file is asked for its size, so a slow disk does not hold up the
first picture. `scan` finds out the rest: sizes, times and frame counts.

Order: the files of a folder, then its folders, both counted as people count
(cell2 before cell10). Folders that are links come last and only where they
lead to something not seen yet, so each image has one name, that of its real
place if it has one inside the dataset.
"""

import os
import re
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from mia_tui.config.train import Frames
from mia_tui.dataset.decode import ANIMATED_SUFFIXES, IMAGE_SUFFIXES, STACK_SUFFIXES, count_frames
from mia_tui.dataset.hashes import duplicate_groups, file_hash
from mia_tui.dataset.model import ImageFile, ImageKey
from mia_tui.dataset.scan_index import ScanIndex, each
from mia_tui.dataset.wording import counted, name_some
from mia_tui.errors import DataError, DecodeError
from mia_tui.paths import LABELS_DB, printable

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

NaturalKey = tuple[tuple[str | int, ...], str]


@dataclass(frozen=True, slots=True)
class ScanProblem:
    """A file or folder that could not be looked at; `path` is relative to the dataset."""

    path: str
    message: str


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
        if not self.problems:
            return []
        named = name_some(
            f"{problem.path} ({problem.message.removesuffix('.')})" for problem in self.problems
        )
        return [f"{counted(len(self.problems), 'place')} could not be looked into: {named}."]


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
    files = list(_with_sizes(root, found, problems))
    if not files:
        raise _no_images(root, problems)
    counts = _frame_counts(root, files, frames)
    keys = (ImageKey(file.path, frame) for file in files for frame in range(counts.get(file.path, 1)))
    if progress is not None:
        progress(len(files))
    return Scan(tuple(keys), tuple(files), tuple(problems))


def scan_files(root: Path, *, problems: list[ScanProblem] | None = None) -> Iterator[ImageFile]:
    """The image files below a folder, one by one, without their sizes.

    Hidden files and folders, and folders that hold a labels.db, are left out. Each folder is visited once,
    whatever links lead to it.

    Args:
        root: Folder of the dataset.
        problems: Gets what cannot be looked at; the rest is found all the same.
    """
    walk = _Walk(root, [] if problems is None else problems)
    walk.seen.update(_folders_above(root))
    yield from walk.files("")
    while walk.links:
        yield from walk.files(walk.links.popleft())


def natural_key(name: str) -> NaturalKey:
    """Sorts names as people count: cell2 before cell10, whatever the case of letters."""
    parts = _NUMBER.split(name.casefold())
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts)), name


_NUMBER = re.compile("([0-9]+)")


@dataclass
class _Walk:
    """One pass over a dataset; `seen` are folders by device and inode, `links` wait for the end."""

    root: Path
    problems: list[ScanProblem]
    seen: set[tuple[int, int]] = field(default_factory=set)
    links: deque[str] = field(default_factory=deque)

    def files(self, start: str) -> Iterator[ImageFile]:
        """Images in and below one folder (relative; "" is the dataset)."""
        waiting = [start]
        while waiting:
            folder = waiting.pop()
            try:
                images, folders = self._look_into(folder)
            except OSError as error:
                self._note(folder, f"The folder cannot be opened: {error.strerror}.")
                continue
            prefix = f"{folder}/" if folder else ""
            for entry in images:
                if not entry.is_symlink() or self._leads_to_a_file(entry, prefix + entry.name):
                    yield ImageFile(prefix + entry.name)
            waiting.extend(prefix + name for name in reversed(folders))

    def _look_into(self, folder: str) -> tuple[list[os.DirEntry[str]], list[str]]:
        """Images (links with an image's suffix among them, whatever they lead to) and folders, in order."""
        path = os.path.join(self.root, folder)  # noqa: PTH118  (Path would cost more than the rest)
        status = os.stat(path)  # noqa: PTH116
        identity = (status.st_dev, status.st_ino)
        if identity in self.seen:
            return [], []
        images, folders, links = [], [], []
        with os.scandir(path) as entries:
            for entry in entries:
                name = entry.name
                if name.startswith("."):
                    continue
                if name == LABELS_DB and folder and entry.is_file():
                    return [], []
                if _has_image_suffix(name) and (entry.is_symlink() or entry.is_file(follow_symlinks=False)):
                    images.append(entry)
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(name)
                elif entry.is_symlink() and _is_folder(entry):
                    links.append(name)
        self.seen.add(identity)
        images.sort(key=lambda entry: natural_key(entry.name))
        links.sort(key=natural_key)
        self.links.extend(f"{folder}/{name}" if folder else name for name in links)
        return images, sorted(folders, key=natural_key)

    def _leads_to_a_file(self, link: os.DirEntry[str], path: str) -> bool:
        """Asked only when it is the link's turn: a folder of 100,000 links shows its first image at once."""
        try:
            if link.is_file():
                return True
            if link.is_dir():
                self.links.append(path)
                return False
        except OSError as error:
            self._note(path, f"The link cannot be followed: {error.strerror}.")
            return False
        self._note(path, "The link leads nowhere.")
        return False

    def _note(self, path: str, message: str) -> None:
        self.problems.append(ScanProblem(path, message))


def _has_image_suffix(name: str) -> bool:
    stem, dot, suffix = name.rpartition(".")
    return bool(stem) and f"{dot}{suffix.lower()}" in IMAGE_SUFFIXES


def _is_folder(link: os.DirEntry[str]) -> bool:
    try:
        return link.is_dir()
    except OSError:  # a link to itself
        return False


def _folders_above(root: Path) -> Iterator[tuple[int, int]]:
    """A link to a folder that holds the dataset is a loop, too."""
    for folder in root.resolve().parents:
        try:
            status = folder.stat()
        except OSError:
            continue
        yield status.st_dev, status.st_ino


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


def _with_sizes(root: Path, files: list[ImageFile], problems: list[ScanProblem]) -> Iterator[ImageFile]:
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


def _frame_counts(root: Path, files: Iterable[ImageFile], frames: Frames) -> dict[str, int]:
    suffixes = STACK_SUFFIXES | ANIMATED_SUFFIXES if frames == "all" else STACK_SUFFIXES
    stacks = [file for file in files if os.path.splitext(file.path)[1].lower() in suffixes]  # noqa: PTH122
    if not stacks:
        return {}
    index = ScanIndex(root)
    counts = {file.path: index.frames(file) or 1 for file in stacks}
    unknown = [file for file in stacks if index.frames(file) is None]
    for file, count in zip(unknown, each(partial(_count_or_none, root, frames), unknown), strict=True):
        if count is not None:
            counts[file.path] = count
            index.remember(file, frames=count)
    index.save()
    return counts


def _count_or_none(root: Path, frames: Frames, file: ImageFile) -> int | None:
    try:
        return count_frames(root / file.path, animated=frames)
    except DecodeError:
        return None
