"""The arrays of a list of images, to be searched, saved, or appended to others; and arrays that grow."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mia_tui.dataset.listing.folders import parent_of
from mia_tui.dataset.model import StackMode

UNKNOWN_SIZE = -1


@dataclass(frozen=True, eq=False)
class ListingArrays:
    """The arrays of a listing, or of a part of one.

    Attributes:
        names: Paths as bytes, each followed by a zero, uint8.
        ends: Where the next path begins, int64, one for each file.
        first_rows: Row of the first image of each file, int32.
        sizes: Bytes of each file, int64; -1 if unknown.
        mtimes_ns: Time of each file, int64; 0 if unknown.
        folder_starts: Files in another folder than the file before them, int32; the first file is one.
        images: Number of rows.
        stack_frames: How many frames each file has that is a stack labelled as a whole, int32; 0 for all others.
    """

    names: NDArray[np.uint8]
    ends: NDArray[np.int64]
    first_rows: NDArray[np.int32]
    sizes: NDArray[np.int64]
    mtimes_ns: NDArray[np.int64]
    folder_starts: NDArray[np.int32]
    images: int
    stack_frames: NDArray[np.int32]


def no_images() -> ListingArrays:
    """The arrays of an empty listing."""
    rows, counts = np.empty(0, np.int32), np.empty(0, np.int64)
    return ListingArrays(np.empty(0, np.uint8), counts, rows, counts, counts, rows, 0, rows)


def arrays_of(
    paths: Sequence[str],
    *,
    sizes: Sequence[int] | None = None,
    mtimes_ns: Sequence[int] | None = None,
    frames: Sequence[int] | None = None,
    stacks: StackMode = "frames",
) -> ListingArrays:
    """The arrays of files in the dataset's order, each once. Too slow for a screen: it loops over Python objects.

    Args:
        paths: Of the files.
        sizes: Bytes of each; unknown if left out.
        mtimes_ns: Time of each; unknown if left out.
        frames: Number of frames of each; one each if left out.
        stacks: Whether a file with several frames is one image.

    Raises:
        ValueError: If a path contains a zero byte, which no file name can.
    """
    if not paths:
        return no_images()
    count = len(paths)
    names, ends = encode_paths(paths)
    if len(ends) != count:
        raise ValueError("a path contains a zero byte")
    images = np.ones(count, np.int32) if frames is None else np.array(frames, np.int32)
    stack_frames = np.zeros(count, np.int32)
    if stacks == "whole":
        stack_frames, images = np.where(images > 1, images, np.int32(0)), np.ones(count, np.int32)
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
        stack_frames,
    )


def encode_paths(paths: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Paths as bytes, each followed by a zero, and where the next one begins."""
    names = np.frombuffer(os.fsencode("\0".join(paths) + "\0"), np.uint8)
    return names, np.flatnonzero(names == 0) + 1


def paths_of(arrays: ListingArrays) -> list[str]:
    """The paths in arrays."""
    return os.fsdecode(arrays.names[:-1].tobytes()).split("\0") if len(arrays.names) else []


_ROOM = 4  # times what is needed: memory that was never written to costs nothing, and copies are rare


class Column:
    """A one-dimensional array that can grow; appending costs the same however long it is.

    Args:
        values: Its first content, not copied, and not written to before the first append.
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
        """Its content; valid until the next append."""
        return self._buffer[: self._count]

    def append(self, values: NDArray[Any]) -> None:
        """Add values at the end."""
        if not len(values):
            return  # the first content may be read-only
        needed = self._count + len(values)
        if needed > len(self._buffer):
            grown = np.empty(_ROOM * needed, self._buffer.dtype)
            grown[: self._count] = self.values
            self._buffer = grown
        self._buffer[self._count : needed] = values
        self._count = needed
