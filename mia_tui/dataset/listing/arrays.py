"""What a list of images consists of: arrays, ready to be searched, kept, or put behind others."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mia_tui.dataset.listing.folders import parent_of

UNKNOWN_SIZE = -1


@dataclass(frozen=True, eq=False)
class ListingArrays:
    """What a listing, or a part of one, consists of.

    Attributes:
        names: Paths as bytes, each with a zero behind it, uint8.
        ends: Where the path after this one begins, int64, one for each file.
        first_rows: Row of the first image of each file, int32.
        sizes: Bytes of each file, int64; -1 where not known.
        mtimes_ns: Time of each file, int64; 0 where not known.
        turns: Files whose folder is another than that of the file before, int32; the first is one.
        images: Number of rows.
    """

    names: NDArray[np.uint8]
    ends: NDArray[np.int64]
    first_rows: NDArray[np.int32]
    sizes: NDArray[np.int64]
    mtimes_ns: NDArray[np.int64]
    folder_starts: NDArray[np.int32]
    images: int


def no_images() -> ListingArrays:
    """The arrays of a listing of nothing."""
    rows, counts = np.empty(0, np.int32), np.empty(0, np.int64)
    return ListingArrays(np.empty(0, np.uint8), counts, rows, counts, counts, rows, 0)


def arrays_of(
    paths: Sequence[str],
    *,
    sizes: Sequence[int] | None = None,
    mtimes_ns: Sequence[int] | None = None,
    frames: Sequence[int] | None = None,
) -> ListingArrays:
    """The arrays of files in the dataset's order, each once. This walks through Python objects: not for a screen.

    Args:
        paths: Of the files.
        sizes: Bytes of each, as far as they are known.
        mtimes_ns: Time of each.
        frames: How many images each holds; one each if left out.

    Raises:
        ValueError: If a path holds a zero, as no file's can.
    """
    if not paths:
        return no_images()
    count = len(paths)
    names, ends = encode_paths(paths)
    if len(ends) != count:
        raise ValueError("a path holds a zero byte")
    images = np.ones(count, np.int32) if frames is None else np.array(frames, np.int32)
    folders = [parent_of(path) for path in paths]
    folder_starts = [number for number in range(1, count) if folders[number] != folders[number - 1]]
    return ListingArrays(
        names,
        ends,
        np.cumsum(images, dtype=np.int32) - images,
        np.full(count, UNKNOWN_SIZE, np.int64) if sizes is None else np.array(sizes, np.int64),
        np.zeros(count, np.int64) if mtimes_ns is None else np.array(mtimes_ns, np.int64),
        np.array([0, *folder_starts], np.int32),
        int(images.sum()),
    )


def encode_paths(paths: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Paths as bytes, each with a zero behind it, and where the next one begins."""
    names = np.frombuffer(os.fsencode("\0".join(paths) + "\0"), np.uint8)
    return names, np.flatnonzero(names == 0) + 1


def paths_of(arrays: ListingArrays) -> list[str]:
    """The paths that arrays were made of."""
    return os.fsdecode(arrays.names[:-1].tobytes()).split("\0") if len(arrays.names) else []


_ROOM = 4  # times what is needed: what was never written to takes no memory, and copies are rare and small


class Column:
    """A one-dimensional array that values are appended to, at a cost that does not grow with it.

    Args:
        values: What it holds at first. It is not copied, nor written to: that begins with the first append.
    """

    def __init__(self, values: NDArray[Any]) -> None:
        self._buffer = values
        self._count = len(values)

    @classmethod
    def empty(cls, dtype: DTypeLike) -> "Column":
        return cls(np.empty(0, dtype))

    def __len__(self) -> int:
        return self._count

    @property
    def values(self) -> NDArray[Any]:
        """What it holds; good until the next append."""
        return self._buffer[: self._count]

    def append(self, values: NDArray[Any]) -> None:
        """Put values at the end."""
        if not len(values):
            return  # what it was made of may be read-only
        needed = self._count + len(values)
        if needed > len(self._buffer):
            grown = np.empty(_ROOM * needed, self._buffer.dtype)
            grown[: self._count] = self.values
            self._buffer = grown
        self._buffer[self._count : needed] = values
        self._count = needed
