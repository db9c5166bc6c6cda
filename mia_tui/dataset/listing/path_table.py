"""Paths of files in order, as bytes in one array, found by number, by name, or by a part of it.

A listing may have a million paths, so nothing here makes a Python object, or takes a step of Python, for each.
"""

import os
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.listing.arrays import Column, ListingArrays, encode_paths

_AT_ONCE = 65_536  # paths that are looked up together


class PathTable:
    """Paths by number, each once; more can be added at the end.

    Args:
        names: Paths as bytes, each followed by a zero, uint8.
        ends: Where the next path begins, int64.
    """

    def __init__(self, names: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        self._names, self._ends = Column(names), Column(ends)
        self._index = PathIndex()
        self._index.add(hashes_of(names, ends))

    def __len__(self) -> int:
        return len(self._ends)

    def append(self, names: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        """Add paths at the end, in the same form."""
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
        """One path; negative numbers are not allowed."""
        ends = self._ends.values
        start = int(ends[number - 1]) if number else 0
        return os.fsdecode(self._names.values[start : int(ends[number]) - 1].tobytes())

    def between(self, start: int, stop: int) -> list[str]:
        """The paths from `start` up to `stop`."""
        if start >= stop:
            return []
        ends = self._ends.values
        names = self._names.values[int(ends[start - 1]) if start else 0 : int(ends[stop - 1]) - 1]
        return os.fsdecode(names.tobytes()).split("\0")

    def some(self, numbers: NDArray[Any]) -> list[str]:
        """The paths with these numbers; a hundred thousand take 30 ms."""
        if not len(numbers):
            return []
        ends, names = self.ends, self.names.tobytes()
        starts = np.where(numbers > 0, ends[numbers - 1], 0).tolist()
        paths = [names[start:end] for start, end in zip(starts, (ends[numbers] - 1).tolist(), strict=True)]
        return os.fsdecode(b"\0".join(paths)).split("\0")

    def number(self, path: str) -> int | None:
        """The number of a path; None if it is not in the table."""
        names, ends = _to_look_up([path])
        (wanted,) = hashes_of(names, ends)
        return next((found for found in self._index.candidates(wanted) if self.path(found) == path), None)

    def numbers(self, paths: Sequence[str]) -> NDArray[np.int32]:
        """The number of each path; -1 if it is not in the table."""
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
        wanted_paths = _to_look_up(paths)
        found = self._index.first_candidates(hashes_of(*wanted_paths))
        if not len(self):
            return found
        is_same = are_paths(*wanted_paths, np.maximum(found, 0), self.names, self.ends)
        for at in np.flatnonzero((found >= 0) & ~is_same).tolist():  # another path has the same hash
            number = self.number(paths[at])
            found[at] = -1 if number is None else number
        return found


def _to_look_up(paths: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Paths to look up, as bytes; one that is no possible file name becomes empty, which matches no file."""
    try:
        names, ends = encode_paths(paths)
        if len(ends) == len(paths):
            return names, ends
    except UnicodeEncodeError:
        pass
    return encode_paths([path if _is_possible(path) else "" for path in paths])


def _is_possible(path: str) -> bool:
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


_MERGED = 1 << 18  # numbers; merging longer runs would block a screen
_HASHED_BYTES = (
    1 << 18
)  # bytes that are hashed together, so that intermediate results stay in the processor's cache

# The hash of a path is a polynomial over its bytes, with a random base in each process, so that nobody can choose
# names that collide. Many are computed at once, each divided by the power at which its path begins.
_BASE = int.from_bytes(os.urandom(8), "little") | 1
_INVERSE = pow(_BASE, -1, 1 << 64)

Run = tuple[NDArray[np.int64], NDArray[np.int32]]


class PathIndex:
    """Numbers by the hash of their path. Two paths may share a hash, so callers have to compare the paths.

    Hashes are kept in sorted runs, each more than twice as long as the next, except for the longest ones: so adding
    costs the same on average however many there are, and a search has to check few runs.
    """

    def __init__(self) -> None:
        self._runs: list[Run] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, hashes: NDArray[np.int64]) -> None:
        """Assign the next numbers to paths with these hashes, from `hashes_of`."""
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
        """For each hash one number whose path may be the wanted one, -1 if there is none."""
        found = np.full(len(wanted), -1, np.int32)
        for hashes, numbers in self._runs:
            at = np.minimum(hashes.searchsorted(wanted), len(hashes) - 1)
            matches = hashes[at] == wanted
            found[matches] = numbers[at[matches]]
        return found


def hashes_of(names: NDArray[np.uint8], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Hash of each path.

    Args:
        names: Paths as bytes, each followed by a zero.
        ends: Where the next path begins, for each.
    """
    hashes = np.empty(len(ends), np.int64)
    start, base = 0, 0
    while start < len(ends):
        stop = max(start + 1, int(ends.searchsorted(base + _HASHED_BYTES, side="right")))
        end = int(ends[stop - 1])
        begins = np.concatenate(([0], ends[start : stop - 1] - base))
        powers, inverses = _powers(end - base)
        sums = np.add.reduceat(names[base:end] * powers[: end - base], begins) * inverses[begins]
        hashes[start:stop] = sums.view(np.int64)
        start, base = stop, end
    return hashes


def _powers(count: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Powers of the base from 1, and of its inverse from 0; at least `count` of each."""
    global _known  # shared by all listings of the process
    if len(_known[0]) < count:
        count = max(count, _HASHED_BYTES)
        _known = _multiplied(_BASE, _BASE, count), _multiplied(1, _INVERSE, count)
    return _known


def _multiplied(first: int, by: int, count: int) -> NDArray[np.uint64]:
    factors = np.full(count, by, np.uint64)
    factors[:1] = first
    products: NDArray[np.uint64] = np.multiply.accumulate(factors)
    return products


_known = _multiplied(_BASE, _BASE, 512), _multiplied(1, _INVERSE, 512)


def _sorted(hashes: NDArray[np.int64], numbers: NDArray[np.int32]) -> Run:
    order = np.argsort(hashes, kind="stable")  # a stable sort merges two sorted runs
    return hashes[order], numbers[order]


_PATHS = 8192  # searched together, so that their bytes stay in the processor's cache

Letter = tuple[bytes, ...]
"""The ways to write one letter, each with the same number of bytes."""


def paths_with(text: str, names: NDArray[np.uint8], ends: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which paths contain a text.

    Args:
        text: In upper or lower case; both its composed and its decomposed form (as on a Mac) are searched.
        names: Bytes of all paths, each followed by a zero.
        ends: Where the next path begins, for each, ascending.

    Returns:
        One bool for each path.
    """
    found = np.zeros(len(ends), np.bool_)
    if not text:
        found[:] = True
    for form in {unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)}:
        letters = _letters(form)
        if not letters:
            continue
        for start in range(0, len(ends), _PATHS):
            stop = min(start + _PATHS, len(ends))
            base = int(ends[start - 1]) if start else 0
            hits = _find(names[base : int(ends[stop - 1])], letters)
            if len(hits):
                found[start + np.searchsorted(ends[start:stop] - base, hits, side="right")] = True
    return found


def _letters(text: str) -> list[Letter]:
    """The letters of a text; empty if no path can contain it."""
    if "\0" in text:
        return []
    try:
        return [_ways_to_write(letter) for letter in text]
    except UnicodeEncodeError:
        return []


def _ways_to_write(letter: str) -> Letter:
    encode_paths = os.fsencode(letter)
    others = {os.fsencode(other) for other in (letter.lower(), letter.upper())}
    return encode_paths, *(
        other for other in others if other != encode_paths and len(other) == len(encode_paths)
    )


def _find(names: NDArray[np.uint8], letters: Sequence[Letter]) -> NDArray[np.intp]:
    """Where the text occurs. Its first letters are compared everywhere, the others only where those match."""
    width = sum(len(letter[0]) for letter in letters)
    places = len(names) - width + 1
    if places <= 0:
        return np.empty(0, np.intp)
    matches, offset = np.ones(places, np.bool_), 0
    for letter in letters[:2]:
        matches &= _is_letter(names, slice(offset, offset + places), letter)
        offset += len(letter[0])
    hits = np.flatnonzero(matches)
    for letter in letters[2:]:
        if not len(hits):
            break
        hits = hits[_is_letter(names, hits + offset, letter)]
        offset += len(letter[0])
    return hits


def _is_letter(names: NDArray[np.uint8], at: slice | NDArray[np.intp], letter: Letter) -> NDArray[np.bool_]:
    ways = [_is_written(names, at, way) for way in letter]
    matches = ways[0]
    for other in ways[1:]:
        matches |= other
    return matches


def _is_written(names: NDArray[np.uint8], at: slice | NDArray[np.intp], way: bytes) -> NDArray[np.bool_]:
    matches: NDArray[np.bool_] = names[at] == way[0]
    for step in range(1, len(way)):
        at = slice(at.start + 1, at.stop + 1) if isinstance(at, slice) else at + 1
        matches &= names[at] == way[step]
    return matches


_COMPARED = 1 << 20  # bytes at a time

FilesOf = Callable[[int, int], NDArray[np.int32]]


def match_files(old: ListingArrays, new: ListingArrays, look_up: FilesOf) -> NDArray[np.int32]:
    """The number in `new` of each file of `old`, int32; -1 if it is not in it.

    Args:
        old: One listing.
        new: Another one, mostly with the same files at the same places.
        look_up: Returns the numbers in `new` of the files of `old` from one number up to another. Only called for
            those between an equal beginning and an equal end.
    """
    ahead = int(old.ends.searchsorted(_equal_bytes(old.names, new.names), side="right"))
    others = len(old.ends) - ahead
    equal = _equal_bytes(old.names[::-1], new.names[::-1])
    # The zero before a path has to be equal, too, or zb/1.png would match b/1.png.
    behind = min(others, int(np.count_nonzero(old.ends[:-1] > len(old.names) - equal)))
    stop = len(old.ends) - behind
    files = np.empty(len(old.ends), np.int32)
    files[:ahead] = np.arange(ahead)
    files[stop:] = np.arange(len(new.ends) - behind, len(new.ends))
    files[ahead:stop] = look_up(ahead, stop)
    return files


def are_paths(
    names: NDArray[np.uint8],
    ends: NDArray[np.int64],
    files: NDArray[np.int32],
    their_names: NDArray[np.uint8],
    their_ends: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """For each path, whether it is the path of the given file.

    Args:
        names: The paths as bytes, each followed by a zero.
        ends: Where the next path begins, for each.
        files: A number for each path.
        their_names: The files' paths, at least one, in the same form.
        their_ends: Where the next of them begins.
    """
    lengths = np.diff(ends, prepend=0)
    starts = np.where(files > 0, their_ends[files - 1], 0)
    same: NDArray[np.bool_] = their_ends[files] - starts == lengths
    begins = ends - lengths
    places = np.repeat(starts - begins, lengths) + np.arange(len(names))
    theirs = their_names[np.minimum(places, len(their_names) - 1)]  # a longer path may reach beyond the end
    same &= np.logical_and.reduceat(theirs == names, begins)
    return same


def _equal_bytes(one: NDArray[np.uint8], two: NDArray[np.uint8]) -> int:
    """Number of equal bytes before the first that differ."""
    length = min(len(one), len(two))
    for start in range(0, length, _COMPARED):
        differ = one[start : min(start + _COMPARED, length)] != two[start : min(start + _COMPARED, length)]
        if differ.any():
            return start + int(differ.argmax())
    return length
