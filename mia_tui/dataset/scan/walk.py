"""Walking through a dataset's folders: its images, one by one, in natural order.

Only the name and kind of a file are read, so that a slow disk does not delay
the first picture: it is found before the second folder is opened.

Order: the files of a folder, then its subfolders, both in natural order (cell2
before cell10). Folders that are links come last, and only if they lead to
something not seen yet. So each image has one name, that of its real path if it
has one inside the dataset.
"""

import heapq
import os
import re
import stat
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mia_tui.dataset.images.formats import (
    WITH_PARTS,
    is_folder_image_name,
    is_folder_of_parts,
    is_image_name,
)
from mia_tui.dataset.scan.other_kinds import OtherKinds, is_system_folder
from mia_tui.paths import LABELS_DB, is_file, is_folder

_SORTED = 8192  # names that are sorted together

NaturalKey = tuple[tuple[str | int, ...], str]


@dataclass(frozen=True, slots=True)
class ScanProblem:
    """A file or folder that could not be read; `path` is relative to the dataset."""

    path: str
    message: str


def scan_files(
    root: Path, *, problems: list[ScanProblem] | None = None, other_kinds: OtherKinds | None = None
) -> Iterator[str]:
    """The image files below a folder, one by one: paths relative to it.

    Hidden files and folders, folders that contain a labels.db, and those that a NAS device or a desktop made for
    itself are skipped. Each folder is visited once, whatever links lead to it.
    A folder that is one image, as OME-Zarr, is listed and not looked into.

    Args:
        root: Folder of the dataset.
        problems: Files and folders that cannot be read are added to it; all others are found anyway.
        other_kinds: Files that are not images by their ending are added to it.
    """
    walk = _Walk(
        root, [] if problems is None else problems, OtherKinds() if other_kinds is None else other_kinds
    )
    walk.seen.update(_folders_above(root))
    yield from walk.files("")
    while walk.links:
        yield from walk.files(walk.links.popleft())


def natural_key(name: str) -> NaturalKey:
    """Sorts names in natural order: cell2 before cell10, ignoring case."""
    parts = _NUMBER.split(name.casefold())
    return tuple(int(part[:_MOST_DIGITS]) if i % 2 else part for i, part in enumerate(parts)), name


_NUMBER = re.compile("([0-9]+)")
_MOST_DIGITS = 4000  # Python makes no number of more than 4300


@dataclass
class _Walk:
    """One walk through a dataset; `seen` are folders by device and inode, `links` are visited last."""

    root: Path
    problems: list[ScanProblem]
    other_kinds: OtherKinds
    seen: set[tuple[int, int]] = field(default_factory=set)
    links: deque[str] = field(default_factory=deque)

    def files(self, start: str) -> Iterator[str]:
        """Images in and below one folder (relative; "" is the dataset)."""
        waiting = [start]
        while waiting:
            folder = waiting.pop()
            try:
                images, links, folders = self._look_into(folder)
            except OSError as error:
                self._note(folder, f"The folder cannot be opened: {error.strerror}.")
                continue
            prefix = f"{folder}/" if folder else ""
            for name in images:
                if name not in links or self._leads_to_a_file(prefix + name):
                    yield prefix + name
            waiting.extend(prefix + name for name in reversed(folders))

    def _look_into(self, folder: str) -> tuple[Iterable[str], set[str], list[str]]:
        """Names of images, which of them are links (of any kind), and names of folders, in order."""
        path = os.path.join(self.root, folder)  # noqa: PTH118  (Path would be slower than everything else)
        status = os.stat(path)  # noqa: PTH116
        identity = (status.st_dev, status.st_ino)
        if identity in self.seen:
            return (), set(), []
        images, image_links, folders, links, others = [], set(), [], [], []
        with os.scandir(path) as entries:
            for entry in entries:
                name = entry.name
                if name.startswith("."):
                    continue
                if name == LABELS_DB and folder and is_file(entry):
                    return (), set(), []
                is_image = is_image_name(name)
                if is_image and entry.is_file(follow_symlinks=False):
                    images.append(name)
                elif is_image and entry.is_symlink():
                    images.append(name)
                    image_links.add(name)
                elif entry.is_dir(follow_symlinks=False):
                    if is_image and is_folder_image_name(name):
                        images.append(name)
                    elif not is_system_folder(name):
                        folders.append(name)
                elif entry.is_symlink() and is_folder(entry):
                    if not is_system_folder(name):
                        links.append(name)
                elif is_image:
                    self._note(
                        f"{folder}/{name}" if folder else name, "It is a named pipe, a socket or a device."
                    )
                elif entry.is_symlink() and not _is_there(entry):
                    # perhaps a class folder on a disk that is not mounted
                    self._note(f"{folder}/{name}" if folder else name, "The link leads nowhere.")
                else:
                    others.append(name)
        self.seen.add(identity)
        if folders and (owners := {name for name in images if name.endswith(WITH_PARTS)}):
            folders = [name for name in folders if not is_folder_of_parts(name, owners)]
        if others:
            self.other_kinds.add(folder, others, alone=not (images or folders or links))
        links.sort(key=natural_key)
        self.links.extend(f"{folder}/{name}" if folder else name for name in links)
        return _in_natural_order(images), image_links, sorted(folders, key=natural_key)

    def _leads_to_a_file(self, path: str) -> bool:
        """Only checked when it is the link's turn: a folder with 100,000 links shows its first image at once."""
        try:
            mode = os.stat(os.path.join(self.root, path)).st_mode  # noqa: PTH116, PTH118
        except FileNotFoundError:
            mode = 0
        except OSError as error:
            self._note(path, f"The link cannot be followed: {error.strerror}.")
            return False
        if stat.S_ISDIR(mode):
            if is_folder_image_name(path):
                return True
            self.links.append(path)
        elif not stat.S_ISREG(mode):
            self._note(path, "The link leads to no file." if mode else "The link leads nowhere.")
        return stat.S_ISREG(mode)

    def _note(self, path: str, message: str) -> None:
        self.problems.append(ScanProblem(path, message))


def _in_natural_order(names: list[str]) -> Iterator[str]:
    """Sorted in pieces: sorting a million names at once would block a screen for seconds."""
    pieces = (names[start : start + _SORTED] for start in range(0, len(names), _SORTED))
    return heapq.merge(*(sorted(piece, key=natural_key) for piece in pieces), key=natural_key)


def _is_there(link: os.DirEntry[str]) -> bool:
    try:
        link.stat()
    except OSError:
        return False
    return True


def _folders_above(root: Path) -> Iterator[tuple[int, int]]:
    """A link to a folder that contains the dataset is a loop, too."""
    for folder in root.resolve().parents:
        try:
            status = folder.stat()
        except OSError:
            continue
        yield status.st_dev, status.st_ino
