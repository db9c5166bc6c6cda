"""Which number a path has, among a million, without a Python object or a step of Python for each."""

import os
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_MERGED = 1 << 18  # numbers; merging longer runs would hold up a screen
_AT_ONCE = 1 << 18  # bytes that are hashed together: what is made of them stays in the processor's cache

# The hash of a path is a polynomial over its bytes, whose base is another one in each process: nobody can
# choose names that collide. It is taken of many at once, each divided by the power where its path begins.
_BASE = int.from_bytes(os.urandom(8), "little") | 1
_INVERSE = pow(_BASE, -1, 1 << 64)

Run = tuple[NDArray[np.int64], NDArray[np.int32]]


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

    def candidates(self, wanted: np.int64) -> Iterator[int]:
        """Numbers whose path has this hash."""
        for hashes, numbers in self._runs:
            at = int(hashes.searchsorted(wanted))
            while at < len(hashes) and hashes[at] == wanted:
                yield int(numbers[at])
                at += 1

    def first_candidates(self, wanted: NDArray[np.int64]) -> NDArray[np.int32]:
        """One number for each hash whose path may be the one meant, -1 if there is none."""
        found = np.full(len(wanted), -1, np.int32)
        for hashes, numbers in self._runs:
            at = np.minimum(hashes.searchsorted(wanted), len(hashes) - 1)
            fits = hashes[at] == wanted
            found[fits] = numbers[at[fits]]
        return found


def hashes_of(names: NDArray[np.uint8], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Hash of each path.

    Args:
        names: Paths as bytes, each with a zero behind it.
        ends: Where the next path begins, for each.
    """
    hashes = np.empty(len(ends), np.int64)
    start, base = 0, 0
    while start < len(ends):
        stop = max(start + 1, int(ends.searchsorted(base + _AT_ONCE, side="right")))
        end = int(ends[stop - 1])
        begins = np.concatenate(([0], ends[start : stop - 1] - base))
        powers, inverses = _powers(end - base)
        sums = np.add.reduceat(names[base:end] * powers[: end - base], begins) * inverses[begins]
        hashes[start:stop] = sums.view(np.int64)
        start, base = stop, end
    return hashes


def _powers(count: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Powers of the base from 1, and of its inverse from 0, at least as many as asked for."""
    global _known  # the same for all listings of the process
    if len(_known[0]) < count:
        count = max(count, _AT_ONCE)
        _known = _multiplied(_BASE, _BASE, count), _multiplied(1, _INVERSE, count)
    return _known


def _multiplied(first: int, by: int, count: int) -> NDArray[np.uint64]:
    factors = np.full(count, by, np.uint64)
    factors[:1] = first
    products: NDArray[np.uint64] = np.multiply.accumulate(factors)
    return products


_known = _multiplied(_BASE, _BASE, 512), _multiplied(1, _INVERSE, 512)


def _sorted(hashes: NDArray[np.int64], numbers: NDArray[np.int32]) -> Run:
    order = np.argsort(hashes, kind="stable")  # two sorted runs are merged, not sorted anew
    return hashes[order], numbers[order]
