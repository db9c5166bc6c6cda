"""Which number a path has, among a million, without a million Python objects."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

_MERGED = 1 << 18  # numbers; merging longer runs would hold up a screen

Run = tuple[NDArray[np.int64], NDArray[np.int32]]


def hash_of(path: str) -> int:
    """64 bits that are other ones in each process: nobody can choose names that collide."""
    return hash(path)


class PathIndex:
    """Numbers by the hash of their path. Two paths may share a hash: who asks has to compare.

    Hashes lie sorted in runs, all but the longest more than twice as long as the next, so that adding costs
    the same on average however many there are, and a search looks into few.
    """

    def __init__(self) -> None:
        self._runs: list[Run] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, hashes: NDArray[np.int64]) -> None:
        """Give the next numbers to paths with these hashes, from `hashes_of`."""
        numbers = np.arange(self._count, self._count + len(hashes), dtype=np.int32)
        self._count += len(hashes)
        run = _sorted(hashes, numbers)
        while self._runs and len(self._runs[-1][0]) <= min(2 * len(run[0]), _MERGED):
            hashes, numbers = self._runs.pop()
            run = _sorted(np.concatenate((hashes, run[0])), np.concatenate((numbers, run[1])))
        if len(run[0]):
            self._runs.append(run)

    def candidates(self, path: str) -> Iterator[int]:
        """Numbers whose path has this path's hash."""
        wanted = np.int64(hash_of(path))
        for hashes, numbers in self._runs:
            at = int(hashes.searchsorted(wanted))
            while at < len(hashes) and hashes[at] == wanted:
                yield int(numbers[at])
                at += 1

    def first_candidates(self, paths: Iterable[str]) -> NDArray[np.int32]:
        """One number for each path that may be its own, -1 if there is none."""
        wanted = hashes_of(paths)
        found = np.full(len(wanted), -1, np.int32)
        for hashes, numbers in self._runs:
            at = np.minimum(hashes.searchsorted(wanted), len(hashes) - 1)
            fits = hashes[at] == wanted
            found[fits] = numbers[at[fits]]
        return found


def hashes_of(paths: Iterable[str]) -> NDArray[np.int64]:
    """Hash of each path, int64."""
    return np.fromiter(map(hash_of, paths), np.int64)


def _sorted(hashes: NDArray[np.int64], numbers: NDArray[np.int32]) -> Run:
    order = np.argsort(hashes, kind="stable")  # two sorted runs are merged, not sorted anew
    return hashes[order], numbers[order]
