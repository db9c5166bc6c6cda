"""Which files of one listing are which of another: mostly the same ones at the same places."""

from collections.abc import Callable

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
    names: NDArray[np.uint8],
    ends: NDArray[np.int64],
    files: NDArray[np.int32],
    their_names: NDArray[np.uint8],
    their_ends: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """For each path, whether it is that of a file.

    Args:
        names: The paths as bytes, each with a zero behind it.
        ends: Where the next path begins, for each.
        files: A number for each path.
        their_names: The files' paths, at least one, in the same form.
        their_ends: The same of them.
    """
    lengths = np.diff(ends, prepend=0)
    starts = np.where(files > 0, their_ends[files - 1], 0)
    same: NDArray[np.bool_] = their_ends[files] - starts == lengths
    begins = ends - lengths
    places = np.repeat(starts - begins, lengths) + np.arange(len(names))
    theirs = their_names[np.minimum(places, len(their_names) - 1)]  # it may reach beyond the end if longer
    same &= np.logical_and.reduceat(theirs == names, begins)
    return same


def _equal_bytes(one: NDArray[np.uint8], two: NDArray[np.uint8]) -> int:
    """How many bytes are equal until the first that differ."""
    length = min(len(one), len(two))
    for start in range(0, length, _COMPARED):
        differ = one[start : min(start + _COMPARED, length)] != two[start : min(start + _COMPARED, length)]
        if differ.any():
            return start + int(differ.argmax())
    return length
