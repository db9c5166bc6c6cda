"""Tells images that are damaged or deleted from a disk that is away for a moment.

A single missing image is left out; a missing drive is waited for. The drive counts as missing if the folder cannot be
listed, if more than half of the images that should exist cannot be opened, including images that were read before, or
if none of a class or of the validation part can be opened, since training makes no sense without them. Before
anything has been read, practically all must be missing: a person may have deleted most images before resuming a run.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mia_tui.dataset.scan.folder_images import is_image_folder
from mia_tui.errors import AwayError
from mia_tui.files import open_to_read
from mia_tui.runs import disk
from mia_tui.text import printable

Problem = str | None
"""Why an image cannot be read, a sentence; None if it was read."""

_SAMPLED = 64  # files that are opened to estimate a share; 1 ms each on a network drive
_MOST, _ALL = 0.5, 0.99
_SLOW_S = 10.0
"""How long one image may take before the user is told; 120 megapixels take 3 s on a busy machine."""


class WorkStopped(Exception):
    """A stop was requested: work that reads images, or waits for them, ends where it can be resumed from."""


class DiskWatch:
    """Keeps track of which images could be read, and waits while their disk is away.

    Args:
        root: Folder that the paths are relative to.
        paths: Of the images, by row; absolute ones are elsewhere.
        groups: Number of the group each row belongs to, shape (rows,), int: if all images of a group are missing,
            the disk is. None for no groups.
        should_stop: Polled while waiting.
        on_wait: Called with the reason when waiting begins, and with None when it is over.
    """

    def __init__(
        self,
        root: Path,
        paths: Sequence[str],
        *,
        groups: npt.NDArray[np.int64] | None = None,
        should_stop: Callable[[], bool] | None = None,
        on_wait: disk.OnWait | None = None,
    ) -> None:
        self._root, self._paths, self._groups = root, paths, groups
        self._should_stop = should_stop or (lambda: False)
        self._on_wait = on_wait or (lambda message: None)
        self._was_read = np.zeros(len(paths), dtype=np.bool_)
        self._failed = np.zeros(len(paths), dtype=np.bool_)

    def record(self, row: int, *, is_read: bool) -> None:
        """Remember whether an image could be read."""
        self._was_read[row], self._failed[row] = is_read, not is_read

    def wait(self, rows: Sequence[int]) -> None:
        """Return as soon as the disk is reachable.

        Args:
            rows: Rows that could not be read.

        Raises:
            WorkStopped: If a stop is requested meanwhile.
            AwayError: If the disk stays away.
        """
        if not self.is_away(rows):
            return
        missing = printable(self._paths[rows[0]])
        self._on_wait(
            f"waiting for the images in {printable(self._root)} to come back; {missing} and others cannot be read"
        )
        if not disk.wait_until_back(lambda: not self.is_away(rows), self._should_stop):
            raise _end_of_wait(self._root, self._should_stop)
        self._on_wait(None)

    def read_again(self, rows: Sequence[int], submit: Callable[[int], Future[Problem]]) -> dict[int, str]:
        """Read rows once more that could not be read, while the disk is known to be reachable before and after.

        Args:
            rows: Rows that could not be read.
            submit: Begins to read a row in a thread.

        Returns:
            Why rows still cannot be read, each with a sentence.

        Raises:
            WorkStopped: If a stop is requested meanwhile.
            AwayError: If the disk stays away.
        """
        problems: dict[int, str] = {}
        while rows:
            self.wait(rows)
            futures = [(row, submit(row)) for row in rows]
            found = [(row, self.result(future)) for row, future in futures]
            problems = {row: problem for row, problem in found if problem is not None}
            rows = list(problems)
            if rows and not self.is_away(rows):
                break
        return problems

    def result(self, future: Future[Problem]) -> Problem:
        """The result of a thread that reads an image; a disk that does not answer counts as away.

        Raises:
            WorkStopped: If a stop is requested after some seconds without an answer.
            AwayError: If there is no answer for too long.
        """
        if future.done():
            return future.result()
        polls = slow = disk.poll_count(_SLOW_S)
        if not wait([future], timeout=_SLOW_S).not_done:
            return future.result()
        self._on_wait(f"waiting for the disk with the images in {printable(self._root)} to answer")
        while not future.done():
            polls += 1
            if polls - slow > disk.poll_count(disk.OUTAGE_S) or disk.stopped_within(0, self._should_stop):
                raise _end_of_wait(self._root, self._should_stop)
            wait([future], timeout=disk.LOOK_EVERY_S)
        self._on_wait(None)
        return future.result()

    def is_away(self, rows: Sequence[int]) -> bool:
        """Whether these rows cannot be read because the disk is away; see the rule at the top of this module."""
        if any(not Path(self._paths[row]).is_absolute() for row in rows) and not _can_list(self._root):
            return True
        expected, read_before = np.flatnonzero(~self._failed), np.flatnonzero(self._was_read)
        most_missing = _MOST if len(read_before) else _ALL
        if self._share_missing(expected) > most_missing and (
            not len(read_before) or self._share_missing(read_before) > _MOST
        ):
            return True
        return any(self._share_missing(members) == 1.0 for members in self._groups_of(rows))

    def _groups_of(self, rows: Sequence[int]) -> Iterator[npt.NDArray[np.int64]]:
        """All rows of the groups that some rows belong to."""
        if self._groups is not None:
            for group in np.unique(self._groups[list(rows)]):
                yield np.flatnonzero(self._groups == group)

    def _share_missing(self, rows: npt.NDArray[np.int64]) -> float:
        """Share of files that cannot be opened, estimated from a regular sample of these rows."""
        if not len(rows):
            return 0.0
        places = np.linspace(0, len(rows) - 1, min(len(rows), _SAMPLED)).astype(np.int64)
        return float(np.mean([not _can_open(self._root / self._paths[row]) for row in rows[places]]))


def wait_for_folder(root: Path, should_stop: Callable[[], bool], on_wait: disk.OnWait) -> None:
    """Return as soon as a folder of images, which was there before, can be listed.

    Raises:
        WorkStopped: If a stop is requested meanwhile.
        AwayError: If the disk stays away.
    """
    if not is_folder_away(root):
        return
    on_wait(f"waiting for the images in {printable(root)} to come back")
    if not disk.wait_until_back(lambda: not is_folder_away(root), should_stop):
        raise _end_of_wait(root, should_stop)
    on_wait(None)


def is_folder_away(root: Path) -> bool:
    """Whether a folder cannot be listed, not even to be told that this user may not list it."""
    try:
        with os.scandir(root) as entries:
            next(entries, None)
    except (PermissionError, NotADirectoryError):
        return False
    except OSError:
        return True
    return False


def _end_of_wait(root: Path, should_stop: Callable[[], bool]) -> Exception:
    if should_stop():
        return WorkStopped()
    return AwayError(
        f"The images in {printable(root)} have been away for {disk.OUTAGE_S / 60:.0f} minutes.",
        "Continue when they are back.",
    )


def _can_list(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            next(entries, None)
    except OSError:
        return False
    return True


def _can_open(path: Path) -> bool:
    """Whether the first byte of a file can be read: its size alone may come from a cache."""
    if is_image_folder(path):
        return _can_list(path)
    try:
        with open_to_read(path, follow=True) as file:
            file.read(1)
    except OSError:
        return False
    return True
