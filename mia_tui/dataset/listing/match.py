"""Which files of one listing are which of another: mostly the same ones at the same places."""

import os
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.listing.arrays import ListingArrays

_COMPARED = 1 << 20  # bytes at a time

FilesOf = Callable[[int, int], NDArray[np.int32]]


def match_files(old: ListingArrays, new: ListingArrays, look_up: FilesOf) -> NDArray[np.int32]:
    """The number in `new` of each file of `old`, int32; -1 where it is not there.

    Args:
        old: Where files are counted.
        new: Where they are looked for.
        look_up: The numbers in `new` of the files of `old` from one number up to another. It is asked only
            about those between an equal beginning and an equal end.
    """
    ahead = int(old.ends.searchsorted(_equal_bytes(old.names, new.names), side="right"))
    rest = len(old.ends) - ahead
    equal = _equal_bytes(old.names[::-1], new.names[::-1])
    # The zero before a path has to be equal, too: or zb/1.png would pass for b/1.png.
    behind = min(rest, int(np.count_nonzero(old.ends[:-1] > len(old.names) - equal)))
    stop = len(old.ends) - behind
    files = np.empty(len(old.ends), np.int32)
    files[:ahead] = np.arange(ahead)
    files[stop:] = np.arange(len(new.ends) - behind, len(new.ends))
    files[ahead:stop] = look_up(ahead, stop)
    return files


def are_paths(
    paths: Sequence[str], files: NDArray[np.int32], names: NDArray[np.uint8], ends: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """For each path, whether it is that of a file.

    Args:
        paths: At least one.
        files: A number for each path.
        names: The files' paths as bytes, each with a zero behind it.
        ends: Where the next path begins, for each file.
    """
    written = [os.fsencode(path) + b"\0" for path in paths]
    lengths = np.fromiter(map(len, written), np.int64, len(written))
    starts = np.where(files > 0, ends[files - 1], 0)
    same: NDArray[np.bool_] = ends[files] - starts == lengths
    begins = np.cumsum(lengths) - lengths
    places = np.repeat(starts - begins, lengths) + np.arange(int(lengths.sum()))
    theirs = names[np.minimum(places, len(names) - 1)]  # where lengths differ it may reach beyond the end
    equal = theirs == np.frombuffer(b"".join(written), np.uint8)
    same &= np.logical_and.reduceat(equal, begins)
    return same


def _equal_bytes(one: NDArray[np.uint8], two: NDArray[np.uint8]) -> int:
    """How many bytes are equal until the first that differ."""
    length = min(len(one), len(two))
    for start in range(0, length, _COMPARED):
        differ = one[start : min(start + _COMPARED, length)] != two[start : min(start + _COMPARED, length)]
        if differ.any():
            return start + int(differ.argmax())
    return length
