"""The features of a dataset's images, as far as they are made: rows of float16 in a file that only grows.

    features/DATASET-NETWORK/        in the user's cache folder
        network.json                 {"id":"…","name":"efficientnetlite0","dims":1568}
        images.msgpack               one record after the other: path (bytes), frame, size, mtime_ns
        rows.f16                     the features of the same images, little-endian float16, `dims` each

A row counts once both files have it. A file that changed gets a new row; the row before is no image's any more.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.listing.listing import Listing

Row = NDArray[np.int32]


@dataclass(frozen=True)
class FeatureNetwork:
    """The network that features are made with.

    Attributes:
        id: What it is told from others by, with the size of its input; also the name of a folder.
        name: What people call it.
        dims: Numbers for each image.
    """

    id: str
    name: str
    dims: int


class FeatureTable:
    """The features of one dataset by one network. Read only; grows while a job writes.

    Attributes:
        network: The network.
    """

    def __init__(self, folder: Path, network: FeatureNetwork) -> None:
        self.network = network
        self._folder = folder
        self._rows: NDArray[np.float16] = np.empty((0, network.dims), np.float16)

    @classmethod
    def open(cls, root: Path, network_id: str | None = None) -> Self | None:
        """The features of a dataset; None if none were made.

        Args:
            root: The dataset's folder.
            network_id: Of the network; None for the one that comes with the program.
        """
        raise NotImplementedError

    def refresh(self) -> bool:
        """Look for rows that were added; returns whether there are more than before."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self, start: int, stop: int) -> NDArray[np.float16]:
        """Some rows, shape (stop - start, dims), memory mapped."""
        return self._rows[start:stop]

    def places(self, listing: Listing) -> Row:
        """For each row of a listing its row here, int32; -1 where there is none: the file is new, or changed."""
        raise NotImplementedError
