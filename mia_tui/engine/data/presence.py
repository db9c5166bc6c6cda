"""Whether images that cannot be read are faulty, or the disk they lie on is away for a moment.

One image that is gone is left out; a drive that is gone is waited for. It is taken for gone where the folder cannot
be listed, where more than half of the images that should be there cannot be opened, those that were read before
among them, or where none of a class or of the validation part can, without which a training has no sense. As long
as nothing was read, none must be there: a person may have deleted most of them before a run is resumed.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from mia_tui.errors import AwayError
from mia_tui.files import open_to_read
from mia_tui.runs import disk
from mia_tui.text import printable

Result = TypeVar("Result")

_WITNESSES = 64  # 1 ms each on a network drive
_MOST_GONE, _ALL_GONE = 0.5, 0.99
_SLOW_S = 10.0
"""So long one image may take until that is said; 120 megapixels take 3 s on a busy machine."""


class LoadingStopped(Exception):
    """Images were being read, or waited for, when somebody asked to stop."""


class Presence:
    """Knows which images could be read, and waits where their disk is away.

    Args:
        root: Folder that the paths are relative to.
        paths: Of the images, by row; absolute ones lie elsewhere.
        groups: Which rows belong together, shape (rows,), int; none is to be lost as a whole. None for no groups.
        should_stop: Asked while waiting.
        on_wait: Told why it waits, and None when it goes on.
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

    def tell(self, row: int, *, is_read: bool) -> None:
        """An image could be read, or could not."""
        self._was_read[row], self._failed[row] = is_read, not is_read

    def wait(self, rows: Sequence[int]) -> None:
        """Return at once where the disk is there, else when it has come back.

        Args:
            rows: That could not be read.

        Raises:
            LoadingStopped: If somebody asks to stop meanwhile.
            AwayError: If it stays away.
        """
        if not self.is_away(rows):
            return
        missing = printable(self._paths[rows[0]])
        self._on_wait(
            f"waiting for the images in {printable(self._root)} to come back; {missing} and others cannot be read"
        )
        if not disk.wait_until_back(lambda: not self.is_away(rows), self._should_stop):
            raise self._given_up()
        self._on_wait(None)

    def read_again(
        self,
        rows: Sequence[int],
        submit: Callable[[int], Future[Result]],
        is_fault: Callable[[Result], bool],
    ) -> dict[int, Result]:
        """Read rows once more that could not be read, with the disk known to be there before and after that.

        Args:
            rows: That could not be read.
            submit: Begins to read a row in a thread.
            is_fault: Whether an answer says that it cannot be read.

        Returns:
            The newest answer of each row.

        Raises:
            LoadingStopped: If somebody asks to stop meanwhile.
            AwayError: If the disk stays away.
        """
        answers: dict[int, Result] = {}
        while rows:
            self.wait(rows)
            answers |= {row: self.result(future) for row, future in [(row, submit(row)) for row in rows]}
            rows = [row for row in rows if is_fault(answers[row])]
            if rows and not self.is_away(rows):
                break
        return answers

    def result(self, future: Future[Result]) -> Result:
        """What a thread that reads an image comes to; a disk that gives no answer counts as one that is away.

        Raises:
            LoadingStopped: If somebody asks to stop after some seconds without an answer.
            AwayError: If there is none for too long.
        """
        if future.done():
            return future.result()
        looked = slow = disk.look_count(_SLOW_S)
        if not wait([future], timeout=_SLOW_S).not_done:
            return future.result()
        self._on_wait(f"waiting for the disk with the images in {printable(self._root)} to answer")
        while not future.done():
            looked += 1
            if looked - slow > disk.look_count(disk.OUTAGE_S) or disk.stopped_within(0, self._should_stop):
                raise self._given_up()
            wait([future], timeout=disk.LOOK_EVERY_S)
        self._on_wait(None)
        return future.result()

    def is_away(self, rows: Sequence[int]) -> bool:
        """Whether rows cannot be read because the disk is away; see above."""
        if any(not Path(self._paths[row]).is_absolute() for row in rows) and not _can_list(self._root):
            return True
        expected, witnesses = np.flatnonzero(~self._failed), np.flatnonzero(self._was_read)
        most_gone = _MOST_GONE if len(witnesses) else _ALL_GONE
        if self._share_gone(expected) > most_gone and (
            not len(witnesses) or self._share_gone(witnesses) > _MOST_GONE
        ):
            return True
        return any(self._share_gone(members) == 1.0 for members in self._groups_of(rows))

    def _groups_of(self, rows: Sequence[int]) -> Iterator[npt.NDArray[np.int64]]:
        """All rows of the groups that some rows belong to."""
        if self._groups is not None:
            for group in np.unique(self._groups[list(rows)]):
                yield np.flatnonzero(self._groups == group)

    def _share_gone(self, rows: npt.NDArray[np.int64]) -> float:
        """Share of files that cannot be opened, of some that lie evenly among these."""
        if not len(rows):
            return 0.0
        places = np.linspace(0, len(rows) - 1, min(len(rows), _WITNESSES)).astype(np.int64)
        return float(np.mean([not _can_open(self._root / self._paths[row]) for row in rows[places]]))

    def _given_up(self) -> Exception:
        if self._should_stop():
            return LoadingStopped()
        return AwayError(
            f"The images in {printable(self._root)} have been away for {disk.OUTAGE_S / 60:.0f} minutes.",
            "Go on when they are back.",
        )


def _can_list(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            next(entries, None)
    except OSError:
        return False
    return True


def _can_open(path: Path) -> bool:
    """Whether a file gives its first byte: its size alone may be remembered from before."""
    try:
        with open_to_read(path, follow=True) as file:
            file.read(1)
    except OSError:
        return False
    return True
