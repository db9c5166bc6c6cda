"""Paths of files in order, as bytes in one array: each found by its number or by its name."""

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.listing.columns import Column
from mia_tui.dataset.listing.match import are_paths
from mia_tui.dataset.listing.path_index import PathIndex, hashes_of
from mia_tui.dataset.listing.search import paths_with

_AT_ONCE = 65_536  # paths that are strings at the same time


class PathTable:
    """Paths by number, each there once; more can be put at the end.

    Args:
        names: Paths as bytes, each with a zero behind it, uint8.
        ends: Where the path after this one begins, int64.
    """

    def __init__(self, names: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        self._names, self._ends = Column(names), Column(ends)
        self._index = PathIndex()
        starts = range(0, len(ends), _AT_ONCE)
        parts = (self.between(start, min(start + _AT_ONCE, len(ends))) for start in starts)
        self._index.add(hashes_of(path for part in parts for path in part))

    def __len__(self) -> int:
        return len(self._ends)

    def append(self, paths: Sequence[str]) -> None:
        """Put paths at the end.

        Raises:
            ValueError: If one holds a zero, as no file's can.
        """
        if not paths:
            return
        names = np.frombuffer(os.fsencode("\0".join(paths) + "\0"), np.uint8)
        ends = np.flatnonzero(names == 0) + 1
        if len(ends) != len(paths):
            raise ValueError("a path holds a zero byte")
        self._ends.append(ends + len(self._names))
        self._names.append(names)
        self._index.add(hashes_of(paths))

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

    def number(self, path: str) -> int | None:
        """The number of a path; None if it is not there."""
        return next((found for found in self._index.candidates(path) if self.path(found) == path), None)

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
        found = self._index.first_candidates(paths)
        known = np.flatnonzero(found >= 0)
        if not len(known):
            return found
        wanted = [paths[at] for at in known.tolist()]
        same = are_paths(wanted, found[known], self.names, self.ends)
        for at in np.flatnonzero(~same).tolist():  # another path has its hash
            number = self.number(wanted[at])
            found[known[at]] = -1 if number is None else number
        return found
