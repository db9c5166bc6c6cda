"""Room in the user's cache folder: what was not used for longest is removed until all others have room."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol, TypeVar

from mia_tui.files import NO_LOCKS, open_in_place, remove


class CacheFolder(Protocol):
    """A folder with files that can be made again.

    Attributes:
        path: The folder; others of the same dataset are beside it.
        description_file: Says what is in it; its time is that of the last use. Without it the folder holds nothing.
        lock: Locked by whoever must not lose the folder.
    """

    @property
    def path(self) -> Path: ...
    @property
    def description_file(self) -> Path: ...
    @property
    def lock(self) -> Path: ...


Folder = TypeVar("Folder", bound=CacheFolder)


def bytes_of(folder: CacheFolder) -> int:
    """Bytes that the files of a folder take; 0 if it is gone."""
    total = 0
    with suppress(OSError), os.scandir(folder.path) as entries:
        for entry in entries:
            with suppress(OSError):
                total += entry.stat(follow_symlinks=False).st_size
    return total


def make_room(
    folders: Sequence[Folder], most_bytes: int, *, keep: CacheFolder, wanted_bytes: int = 0
) -> list[Folder]:
    """Remove folders until all others and what is wanted have room; errors are ignored.

    Args:
        folders: All that share the room.
        most_bytes: That they may take together.
        keep: The one that is about to be used.
        wanted_bytes: That will be added to it.

    Returns:
        Those that were removed; those that somebody has locked stay.
    """
    sizes = {folder.path: bytes_of(folder) for folder in folders}
    total, removed = sum(sizes.values()) + wanted_bytes, []
    for folder in sorted(folders, key=_used_at):
        if total <= most_bytes:
            break
        if folder.path == keep.path:
            continue
        if remove_unused(folder):
            total -= sizes[folder.path]
            removed.append(folder)
    return removed


def remove_unused(folder: CacheFolder) -> bool:
    """Remove a folder unless somebody has it locked; returns whether it was removed."""
    with _alone(folder) as is_alone:
        return is_alone and _remove(folder)


def folders_in(place: Path) -> list[Path]:
    """The folders of all datasets below a folder, one level further down.

    Raises:
        OSError: If they cannot be listed.
    """
    try:
        datasets = sorted(path for path in place.iterdir() if path.is_dir())
        return [path for dataset in datasets for path in sorted(dataset.iterdir()) if path.is_dir()]
    except FileNotFoundError:
        return []


def _used_at(folder: CacheFolder) -> float:
    """When the description was written or the folder used last."""
    try:
        return folder.description_file.stat().st_mtime
    except OSError:
        return 0.0


@contextmanager
def _alone(folder: CacheFolder) -> Iterator[bool]:
    """Whether nobody has the folder locked, nor locks it before the block ends."""
    try:
        lock = open_in_place(folder.lock, make=False)
    except OSError:  # none, or it is this process that has it
        yield not folder.lock.exists()
        return
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except OSError as error:
        yield error.errno in NO_LOCKS
    finally:
        os.close(lock)


def _remove(folder: CacheFolder) -> bool:
    try:
        remove(folder.description_file)  # first: what is left is nothing then
        remove(folder.path)
    except OSError:
        return False
    with suppress(OSError):  # others may be of the same dataset
        folder.path.parent.rmdir()
    return True
