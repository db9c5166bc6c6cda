"""The features of a dataset's images, as far as they are made; the files are described in `layout`."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.listing.arrays import UNKNOWN_SIZE
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.listing.path_table import hashes_of
from mia_tui.dataset.model import WHOLE_STACK
from mia_tui.features.layout import (
    DEFAULT_NETWORK,
    DIGEST_BYTES,
    RECORD,
    TRAINED_ON,
    FeatureNetwork,
    TableDescription,
    TableFolder,
    table_folder,
)
from mia_tui.files import Identity, identity, open_to_read
from mia_tui.text import encode_name

Rows = NDArray[np.int32]

_FRAME_FACTOR = np.int64(
    -7046029254386353131
)  # odd, its bits without a pattern (2^64 divided by the golden ratio)
_TRIES = 3
_NO_RECORDS = np.empty(0, RECORD)


class FeatureTable:
    """The features of one dataset by one network. Read only; grows while a job writes.

    An image has one row; a file that changed gets a new one, and the row before is no image's any more. Belongs to
    one thread.

    Args:
        folder: Where it is.
        description: What it is.

    Attributes:
        network: The network.
        folder: Where it is.
    """

    def __init__(self, folder: TableFolder, description: TableDescription) -> None:
        self.network: FeatureNetwork = description.network
        self.folder, self._description = folder, description
        self._rows: NDArray[np.float16] = np.empty((0, description.dims), np.float16)
        self._records = _NO_RECORDS
        self._file: Identity | None = None  # that the rows are in
        self._keys: NDArray[np.int64] = np.empty(0, np.int64)  # sorted
        self._order: NDArray[np.int64] = np.empty(0, np.int64)

    @classmethod
    def open(cls, root: Path, network_id: str | None = None) -> Self | None:
        """The features of a dataset; None if none were made.

        Args:
            root: The dataset's folder.
            network_id: Of the network; None for the one that comes with the program.
        """
        try:
            folder = table_folder(root, network_id or DEFAULT_NETWORK)
        except (OSError, ValueError):
            return None
        for _ in range(_TRIES):
            description = folder.description()
            if description is None:
                return None
            table = cls(folder, description)
            table.refresh()
            if not table.is_replaced:  # by a job, between the two
                break
        with suppress(OSError), open_to_read(folder.description_file) as file:
            os.utime(file.fileno())  # those that were not used for longest are removed first
        return table

    def refresh(self) -> bool:
        """Look for rows that were added; returns whether there are more than before."""
        start = len(self._records)
        try:
            file = self._rows_file()
            records = self.folder.read_records(self._description, start)
            if not len(records) or self._file not in (None, file):
                return False
            kept, names = self._read_names(records)
            kept = min(kept, self.folder.whole(self._description, records[:kept], start))
            if not kept:
                return False
            rows = self.folder.map_rows(self._description, start + kept)
            if (
                self._rows_file() != file
            ):  # removed and made again meanwhile: these rows may be of other images
                return False
        except (OSError, ValueError):  # removed, or shorter than it should be
            return False
        records = records[:kept]
        self._rows, self._records, self._file = rows, np.concatenate([self._records, records]), file
        self._index(names, records)
        return True

    @property
    def is_replaced(self) -> bool:
        """Whether it was written anew or removed since it was opened: it grows no more, and can be opened again."""
        if self.folder.description() != self._description:
            return True
        try:
            return self._file is not None and self._rows_file() != self._file
        except OSError:
            return True

    def _rows_file(self) -> Identity | None:
        """Which file has the rows; it stays the same one as long as rows are mapped, and no other can be it."""
        return identity(self.folder.rows(self._description.generation))

    def __len__(self) -> int:
        return len(self._records)

    def rows(self, start: int, stop: int) -> NDArray[np.float16]:
        """Some rows, shape (stop - start, dims), memory mapped."""
        return self._rows[start:stop]

    @property
    def parts(self) -> NDArray[np.uint8]:
        """The part of each row's image in the training of the network, a place in `layout.TRAINED_ON`.

        A network knows the labels of its training part by heart: only images of the other parts tell how good it is,
        and no label may be called wrong by a network that was trained on it.
        """
        parts: NDArray[np.uint8] = self._records["part"]
        return parts

    @property
    def by_heart(self) -> NDArray[np.bool_]:
        """Whether the network was trained on the image of each row, or on a copy of it."""
        found: NDArray[np.bool_] = self.parts == TRAINED_ON.index("train")
        if found.any():
            contents = np.ascontiguousarray(self.digests).view(np.uint8).reshape(len(self), DIGEST_BYTES)
            numbers = np.unique(contents, axis=0, return_inverse=True)[1].reshape(-1)
            found = found | (np.isin(numbers, numbers[found]) & contents.any(axis=1))
        return found

    @property
    def digests(self) -> NDArray[Any]:
        """The digest of the content of each row's file, `V20`; zeros where it is not known."""
        return self._records["digest"]

    def places(self, listing: Listing) -> Rows:
        """For each row of a listing its row here, int32; -1 where there is none: the file is new, or changed.

        A file counts as unchanged if size and time are those of before. Where a listing does not know them yet, as in
        the first second of a visit, its path alone decides: a file that changed since then has the row of before
        until they are known.
        """
        arrays = listing.arrays
        if not len(self) or not len(listing):
            return np.full(len(listing), -1, np.int32)
        keys = hashes_of(arrays.names, arrays.ends)
        if not listing.has_one_image_per_file or np.any(arrays.stack_frames):
            counts = np.diff(arrays.first_rows, append=np.int32(arrays.images))
            frames = np.arange(arrays.images) - np.repeat(arrays.first_rows, counts)
            frames[np.repeat(arrays.stack_frames > 0, counts)] = WHOLE_STACK
            keys = _with_frames(np.repeat(keys, counts), frames)
        places = np.maximum(self._keys.searchsorted(keys, side="right") - 1, 0)
        found = self._order[places]
        sizes, times = listing.sizes, listing.mtimes_ns
        same = self._keys[places] == keys
        same &= (sizes == UNKNOWN_SIZE) | (self._records["size"][found] == sizes)
        same &= (times == 0) | (self._records["mtime_ns"][found] == times)
        return np.where(same, found, -1).astype(np.int32)

    def missing(self, listing: Listing) -> Rows:
        """Rows of a listing that a job has work for: without features, and not known to be unreadable."""
        rows = np.flatnonzero(self.places(listing) < 0).astype(np.int32)
        unread = {(bad.path, bad.frame): (bad.size, bad.mtime_ns) for bad in self.folder.unread_images()}
        if not unread or not len(rows):
            return rows
        sizes, times = listing.sizes[rows].tolist(), listing.mtimes_ns[rows].tolist()
        wanted = [
            unread.get((encode_name(key.path), key.frame)) != (size, time)
            for key, size, time in zip(listing.keys(rows), sizes, times, strict=True)
        ]
        return rows[np.array(wanted, np.bool_)]

    def _read_names(self, records: NDArray[Any]) -> tuple[int, NDArray[np.uint8]]:
        """How many of the records that were read last have a path, and these paths, each followed by a zero.

        Raises:
            OSError: If they cannot be read.
        """
        start = int(self._records["name_end"][-1]) if len(self._records) else 0
        ends = records["name_end"] - start
        with open_to_read(self.folder.names(self._description.generation)) as file:
            size = os.fstat(file.fileno()).st_size - start
            kept = _first(np.append((ends > size) | (np.diff(ends, prepend=0) <= 0), True))
            file.seek(start)
            names = np.frombuffer(file.read(int(ends[kept - 1]) if kept else 0), np.uint8)
        kept = _first(np.append((ends[:kept] > len(names)) | (names[ends[:kept] - 1] != 0), True))
        return kept, names[: ends[kept - 1] if kept else 0]

    def _index(self, names: NDArray[np.uint8], records: NDArray[Any]) -> None:
        start = len(self._records) - len(records)
        base = int(self._records["name_end"][start - 1]) if start else 0
        keys = _with_frames(hashes_of(names, records["name_end"] - base), records["frame"].astype(np.int64))
        unsorted = np.empty(len(self._records), np.int64)
        unsorted[self._order], unsorted[start:] = self._keys, keys
        self._order = np.argsort(unsorted, kind="stable")  # of equal ones the newest is last
        self._keys = unsorted[self._order]


def _first(found: NDArray[np.bool_]) -> int:
    return int(found.argmax())


def _with_frames(hashes: NDArray[np.int64], frames: NDArray[np.int64]) -> NDArray[np.int64]:
    """Keys of images, from the hashes of their paths; of a first frame that hash itself. The other frames are spread
    over all numbers."""
    with np.errstate(over="ignore"):
        return hashes + frames * _FRAME_FACTOR
