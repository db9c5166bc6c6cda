"""Paths of files in order, as bytes in one array: each found by its number or by its name."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.listing.arrays import written
from mia_tui.dataset.listing.columns import Column
from mia_tui.dataset.listing.match import are_paths
from mia_tui.dataset.listing.path_index import PathIndex, hashes_of
from mia_tui.dataset.listing.search import paths_with

_AT_ONCE = 65_536  # paths that are looked for together


class PathTable:
    """Paths by number, each there once; more can be put at the end.

    Args:
        names: Paths as bytes, each with a zero behind it, uint8.
        ends: Where the path after this one begins, int64.
    """

    def __init__(self, names: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        self._names, self._ends = Column(names), Column(ends)
        self._index = PathIndex()
        self._index.add(hashes_of(names, ends))

    def __len__(self) -> int:
        return len(self._ends)

    def append(self, names: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        """Put paths at the end, in the same form."""
        self._index.add(hashes_of(names, ends))
        self._ends.append(ends + len(self._names))
        self._names.append(names)

    @property
    def names(self) -> NDArray[np.uint8]:
        return self._names.values

    @property
    def ends(self) -> NDArray[np.int64]:
        return self._ends.values

    def path(self, number: int) -> str:
        """One path; numbers are not counted from the end."""
        ends = self._ends.values
        start = int(ends[number - 1]) if number else 0
        return os.fsdecode(self._names.values[start : int(ends[number]) - 1].tobytes())

    def between(self, start: int, stop: int) -> list[str]:
        """The paths from one number up to another."""
        if start >= stop:
            return []
        ends = self._ends.values
        names = self._names.values[int(ends[start - 1]) if start else 0 : int(ends[stop - 1]) - 1]
        return os.fsdecode(names.tobytes()).split("\0")

    def some(self, numbers: NDArray[Any]) -> list[str]:
        """The paths of many numbers; a hundred thousand take 30 ms."""
        if not len(numbers):
            return []
        ends, names = self.ends, self.names.tobytes()
        starts = np.where(numbers > 0, ends[numbers - 1], 0).tolist()
        paths = [names[start:end] for start, end in zip(starts, (ends[numbers] - 1).tolist(), strict=True)]
        return os.fsdecode(b"\0".join(paths)).split("\0")

    def number(self, path: str) -> int | None:
        """The number of a path; None if it is not there."""
        names, ends = _sought([path])
        (wanted,) = hashes_of(names, ends)
        return next((found for found in self._index.candidates(wanted) if self.path(found) == path), None)

    def numbers(self, paths: Sequence[str]) -> NDArray[np.int32]:
        """The number of each path; -1 where it is not there."""
        found = np.empty(len(paths), np.int32)
        for start in range(0, len(paths), _AT_ONCE):
            part = paths[start : start + _AT_ONCE]
            found[start : start + len(part)] = self._numbers_of_some(part)
        return found

    def with_text(self, text: str, start: int) -> NDArray[np.bool_]:
        """For each path from a number on, whether it contains a text."""
        base = int(self.ends[start - 1]) if start else 0
        return paths_with(text, self.names[base:], self.ends[start:] - base)

    def _numbers_of_some(self, paths: Sequence[str]) -> NDArray[np.int32]:
        sought = _sought(paths)
        found = self._index.first_candidates(hashes_of(*sought))
        if not len(self):
            return found
        is_same = are_paths(*sought, np.maximum(found, 0), self.names, self.ends)
        for at in np.flatnonzero((found >= 0) & ~is_same).tolist():  # another path has its hash
            number = self.number(paths[at])
            found[at] = -1 if number is None else number
        return found


def _sought(paths: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Paths that are looked for, as bytes: one that cannot be a file's name is empty, which no file's is."""
    try:
        names, ends = written(paths)
        if len(ends) == len(paths):
            return names, ends
    except UnicodeEncodeError:
        pass
    return written([path if _can_be(path) else "" for path in paths])


def _can_be(path: str) -> bool:
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False
