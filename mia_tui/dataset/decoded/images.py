"""The decoded images of a run, as far as they are in the user's cache folder; the files are described in `layout`."""

import fcntl
import os
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.cache_room import bytes_of, remove_unused
from mia_tui.dataset.decoded.layout import (
    RECORD,
    DecodedFolder,
    checksum_start,
    decoded_folder,
    describe_input,
    image_key,
)
from mia_tui.dataset.decoded.room import decoded_use, room_for
from mia_tui.dataset.decoded.segment_writer import SegmentWriter
from mia_tui.dataset.scan.folder_images import stat_image
from mia_tui.files import Identity, add_folder, hold, let_go, new_content, open_in_place, open_to_read

if TYPE_CHECKING:
    from mia_tui.dataset.images.decode import NetworkInput

Stamp = tuple[int, int, int]
"""Bytes of a file, the time it was written, and the time it was last changed in any way (ns).

The last one also changes when a file is renamed, or gets back its old time after it was written: images without
compression all have the same number of bytes, and those of a zip file often the same time.
"""

_PRIVATE = 0o600
_SETTLED_NS = 2_000_000_000  # as in scan.file_cache: a younger file may change without its time
_NOWHERE = -1


class NamedImage(Protocol):
    """An image by its path, relative to the dataset or absolute, and its frame."""

    @property
    def path(self) -> str: ...
    @property
    def frame(self) -> int: ...


class DecodedImages:
    """Images of a run that some run decoded before, by row; those that this one decodes are added.

    Reading and adding are safe in any number of threads. A file that cannot be read, or does not hold what was
    written, is no fault: the image is decoded then.

    Args:
        folder: Where they are.
        images: The images of the run.
        root: Folder that their paths are relative to.
        row_bytes: Of each image's pixels.
        most_bytes: That may be added.
    """

    def __init__(
        self,
        folder: DecodedFolder,
        images: Sequence[NamedImage],
        root: Path,
        row_bytes: int,
        most_bytes: int,
    ) -> None:
        self.folder = folder
        self._images, self._root, self._row_bytes = images, root, row_bytes
        self._keys = [image_key(image.path, image.frame) for image in images]
        self._rows_of: dict[bytes, list[int]] = {}
        for row, key in enumerate(self._keys):
            self._rows_of.setdefault(key, []).append(row)
        self._records = np.zeros(len(images), RECORD)
        self._segments: list[_Segment] = []
        self._segment_of = np.full(len(images), _NOWHERE, np.int32)
        self._slot_of = np.zeros(len(images), np.int64)
        self._checked = np.zeros(len(images), np.bool_)
        self._lock = _share_lock(folder)
        self._writer = SegmentWriter(folder, row_bytes, most_bytes)

    @classmethod
    def of_run(
        cls, root: Path, images: Sequence[NamedImage], wanted: "NetworkInput", row_bytes: int, numbering: int
    ) -> Self:
        """The decoded images of a dataset for one input, of which there may be none yet.

        Args:
            root: The dataset's folder.
            images: The images of the run.
            wanted: How images become pixels.
            row_bytes: Of each image's pixels.
            numbering: What their frames are.

        Raises:
            OSError: If the user's cache folder cannot be read or written.
        """
        description = describe_input(wanted, numbering)
        folder = decoded_folder(root, description)
        need = len(images) * row_bytes
        room = room_for(folder, need)
        decoded = cls._in(folder, description, images, root, row_bytes, room)
        here = decoded.count * row_bytes
        if need - here <= room or need > decoded_use().most or bytes_of(folder) < 2 * here:
            return decoded
        # It is full of images that this run does not have, or of files that changed since.
        decoded.close()
        remove_unused(folder)
        return cls._in(folder, description, images, root, row_bytes, room_for(folder, need))

    @classmethod
    def _in(
        cls,
        folder: DecodedFolder,
        description: bytes,
        images: Sequence[NamedImage],
        root: Path,
        row_bytes: int,
        room: int,
    ) -> Self:
        add_folder(folder.path, root=folder.path.parents[2], parents=True, mode=0o700)
        with new_content(folder.description_file, sync=False, mode=_PRIVATE) as file:
            file.write(description)
        decoded = cls(folder, images, root, row_bytes, room)
        decoded.refresh()
        return decoded

    @property
    def count(self) -> int:
        """How many images of the run are there, as far as is known."""
        return int((self._segment_of != _NOWHERE).sum())

    @property
    def can_hold_all(self) -> bool:
        """Whether the images of the run have room."""
        return self.count == len(self._images) or self._writer.can_write

    @property
    def problem(self) -> str | None:
        """Why no more images are added, a sentence; None as long as all is well."""
        return self._writer.problem

    def refresh(self) -> None:
        """Look for images that other processes added, unless all are there."""
        if self._writer.removed is not None:
            self._drop(self._writer.removed)
        if not (self._segment_of == _NOWHERE).any():
            return
        known = {segment.name for segment in self._segments}
        for name in self.folder.segments():
            if name not in known:
                with suppress(OSError):
                    self._segments.append(_Segment(self.folder, name, self._row_bytes))
        for number, segment in enumerate(self._segments):
            is_own = segment.name == self._writer.segment
            for start, records in self._writer.take_written() if is_own else segment.new_records():
                self._take(number, start, records)

    def are_checked(self, rows: NDArray[np.int64]) -> bool:
        """Whether all of some rows were read before, so that they can be read without looking at their files."""
        return bool(self._checked[rows].all())

    def read(self, row: int, into: NDArray[Any]) -> bool:
        """Read an image; False if it is not there, or its file changed since.

        Args:
            row: Of the run.
            into: Takes the pixels, shape (H, W, C), contiguous; holds anything after False.
        """
        number = int(self._segment_of[row])
        if number == _NOWHERE:
            return False
        is_checked = bool(self._checked[row])
        if not is_checked and self.stamp(row) != self._stamp_of(row):
            return False
        if not self._segments[number].read(int(self._slot_of[row]), into):
            return False
        if (
            not is_checked
            and self._checksum(row, self._stamp_of(row), into) != self._records["checksum"][row]
        ):
            self._segment_of[row] = _NOWHERE
            return False
        self._checked[row] = True
        return True

    def other_type(self, row: int) -> str:
        """The dtype of the values of an image that was read, if that was not measured; else empty."""
        return bytes(self._records["other_type"][row]).decode("ascii", "replace")

    def stamp(self, row: int) -> Stamp | None:
        """Bytes and times of an image's file now; None if it cannot be asked for."""
        try:
            status = stat_image(self._root / self._images[row].path)
        except (OSError, ValueError):
            return None
        return status.st_size, status.st_mtime_ns, status.st_ctime_ns

    def add(self, row: int, before: Stamp | None, pixels: NDArray[Any], other_type: str) -> None:
        """Keep an image that was decoded, unless its file changed meanwhile or just before.

        Args:
            row: Of the run.
            before: Of its file, from before it was decoded.
            pixels: Contiguous; must not be changed any more.
            other_type: As `other_type` gives it later.
        """
        if before is None or not self._writer.can_write or before[1] > time.time_ns() - _SETTLED_NS:
            return
        if self.stamp(row) != before:
            return
        record = np.zeros((), RECORD)
        record["key"], record["added_ns"] = self._keys[row], time.time_ns()
        record["size"], record["mtime_ns"], record["ctime_ns"] = before
        record["other_type"], record["checksum"] = other_type.encode(), self._checksum(row, before, pixels)
        self._writer.add(record, pixels)

    def close(self) -> None:
        """Write what was added, and let others remove the folder."""
        self._writer.close()
        for segment in self._segments:
            segment.close()
        if self._lock is not None:
            let_go(self._lock[1])
            os.close(self._lock[0])
        self._lock = None

    def _take(self, number: int, start: int, records: NDArray[Any]) -> None:
        """Take over records that are newer than those known."""
        for place, key in enumerate(records["key"].tolist()):
            for row in self._rows_of.get(key, ()):
                is_known = self._segment_of[row] != _NOWHERE
                if self._checked[row] or (
                    is_known and self._records["added_ns"][row] > records["added_ns"][place]
                ):
                    continue
                self._records[row], self._slot_of[row] = records[place], start + place
                self._segment_of[row] = number  # last: other threads read meanwhile

    def _drop(self, name: str) -> None:
        """Close a pair of files that was removed: until then it takes room on a disk that is full."""
        for number, segment in enumerate(self._segments):
            if segment.name == name:
                gone = self._segment_of == number
                self._segment_of[gone], self._checked[gone] = _NOWHERE, False
                segment.close()

    def _stamp_of(self, row: int) -> Stamp:
        record = self._records[row]
        return int(record["size"]), int(record["mtime_ns"]), int(record["ctime_ns"])

    def _checksum(self, row: int, stamp: Stamp, pixels: NDArray[Any]) -> int:
        return zlib.crc32(_bytes_of(pixels), zlib.crc32(checksum_start(self._keys[row], *stamp)))


class _Segment:
    """A pair of files, open for reading.

    They are read, not mapped: reading is as fast, and a disk that fails then is an error and not the end of the
    process.
    """

    def __init__(self, folder: DecodedFolder, name: str, row_bytes: int) -> None:
        self.name, self._row_bytes, self._count = name, row_bytes, 0
        self._images = folder.images(name)
        with open_to_read(folder.pixels(name)) as file:
            self._pixels = os.dup(file.fileno())

    def new_records(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """The records that were added since, and the number of the first of them; none if they cannot be read."""
        start = self._count
        try:
            whole = os.fstat(self._pixels).st_size // self._row_bytes
            with open_to_read(self._images) as file:
                file.seek(start * RECORD.itemsize)
                data = file.read(max(0, whole - start) * RECORD.itemsize)
        except OSError:
            data = b""
        records = np.frombuffer(data, RECORD, len(data) // RECORD.itemsize)
        self._count += len(records)
        yield start, records

    def read(self, slot: int, into: NDArray[Any]) -> bool:
        try:
            return os.preadv(self._pixels, [_bytes_of(into)], slot * self._row_bytes) == self._row_bytes
        except OSError:
            return False

    def close(self) -> None:
        if self._pixels >= 0:
            os.close(self._pixels)
        self._pixels = -1


def _bytes_of(pixels: NDArray[Any]) -> memoryview:
    return pixels.reshape(-1).view(np.uint8).data


def _share_lock(folder: DecodedFolder) -> tuple[int, Identity] | None:
    """Have a folder locked, shared; None where that is not possible, and others may remove it."""
    try:
        lock = open_in_place(folder.lock, mode=_PRIVATE)
    except OSError:
        return None
    with suppress(OSError):
        fcntl.lockf(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    status = os.fstat(lock)
    identity = status.st_dev, status.st_ino
    hold(identity)
    return lock, identity
