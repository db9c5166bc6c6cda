"""What a list of images consists of: arrays, ready to be searched or kept."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ListingArrays:
    """What a listing consists of, to be kept.

    Attributes:
        names: Paths as bytes, each with a zero behind it, uint8.
        ends: Where the path after this one begins, int64, one for each file.
        first_rows: Row of the first image of each file, int32.
        sizes: Bytes of each file, int64; -1 where not known.
        mtimes_ns: Time of each file, int64; 0 where not known.
        turns: Files whose folder is another than that of the file before, int32.
        images: Number of rows.
    """

    names: NDArray[np.uint8]
    ends: NDArray[np.int64]
    first_rows: NDArray[np.int32]
    sizes: NDArray[np.int64]
    mtimes_ns: NDArray[np.int64]
    turns: NDArray[np.int32]
    images: int


def no_images() -> ListingArrays:
    """The arrays of a listing of nothing."""
    rows, counts = np.empty(0, np.int32), np.empty(0, np.int64)
    return ListingArrays(np.empty(0, np.uint8), counts, rows, counts, counts, rows, 0)
