"""Adding rows to the features of a dataset: by one job at a time, in files that only grow; see `layout`.

Paths and features are written first and the records of the images last, so whatever ends a job, as kill -9 or a full
disk, leaves complete rows and perhaps a torn end, which the next job cuts off.
"""

import fcntl
import os
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.model import ImageKey
from mia_tui.disk_errors import disk_error
from mia_tui.errors import MiaError, RunError
from mia_tui.features.layout import (
    DIGEST_BYTES,
    RECORD,
    TRAINED_ON,
    UNSYNCED,
    TableDescription,
    TableFolder,
    UnreadImage,
    is_same_input,
    table_folder,
)
from mia_tui.files import (
    NO_LOCKS,
    Identity,
    add_folder,
    hold,
    let_go,
    new_content,
    open_in_place,
    remove,
    remove_leftovers,
)
from mia_tui.text import printable

CACHE_ELSEWHERE = "name another cache folder with XDG_CACHE_HOME."

_PRIVATE = 0o600
_SYNCED = UNSYNCED // 2  # rows; after so many, all are brought to the disk
_COPIED = 4096  # rows at a time
_LARGEST = 65504.0  # of float16


@dataclass(frozen=True)
class FeatureRow:
    """An image that features were made of.

    Attributes:
        key: The image.
        size: Bytes of its file.
        mtime_ns: Time of its file.
        digest: Of its content, hexadecimal as from `hashes.file_hash`; empty if not known.
        part: Its part in the training of the network; empty for none.
    """

    key: ImageKey
    size: int
    mtime_ns: int
    digest: str = ""
    part: str = ""


class FeatureWriter:
    """Has the features of a dataset by one network for itself, until the block ends or the process dies.

    Args:
        root: The dataset's folder.
        network_id: Of the network.

    Attributes:
        folder: Where they are.
        description: What is there; None if nothing.

    Raises:
        RunError: On entering, if another job has them, or the cache folder cannot be written.
    """

    def __init__(self, root: Path, network_id: str) -> None:
        try:
            self.folder: TableFolder = table_folder(root, network_id)
        except OSError as error:
            raise cache_error(error) from error
        self.description: TableDescription | None = None
        self._count = self._name_end = 0
        self._unsynced = 0  # rows that may not be on the disk yet
        self._lock: int | None = None
        self._locked: Identity | None = None
        self._files: list[int] = []  # names, rows, images

    def __enter__(self) -> Self:
        try:
            add_folder(self.folder.path, root=self.folder.path.parents[2], parents=True)
            self._take()
        except OSError as error:
            raise cache_error(error, self.folder.path) from error
        remove_leftovers(self.folder.path)
        self.description = self.folder.description()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._sync()
        self._close_files()
        if self._locked is not None:
            let_go(self._locked)
        if self._lock is not None:
            os.close(self._lock)

    def __len__(self) -> int:
        return self._count

    def begin(self, description: TableDescription) -> None:
        """Go on with the rows that are there, or begin anew if they are of another network or input.

        A map that knows more types of numbers than before is taken over; the rows that are there stay as they are.

        Raises:
            RunError: If the disk does not take it.
        """
        here = self.description
        generation = 1 if here is None else here.generation
        wanted = msgspec.structs.replace(description, generation=generation)
        if here is not None and not (
            here.dims == wanted.dims and is_same_input(here.input_map, wanted.input_map)
        ):
            wanted = msgspec.structs.replace(wanted, generation=generation + 1)
        try:
            if (
                here is None
            ):  # files of what nobody knows: whoever has them open, as another version, keeps them
                self._remove_files(wanted.generation)
            self._open_files(wanted.generation)
            if here is None or wanted.generation != here.generation:
                self._count = self._name_end = 0
                self._cut(wanted)
            else:
                self._cut_torn_end(wanted)
            if wanted != here:
                self._describe(wanted)
        except OSError as error:
            raise cache_error(error, self.folder.path) from error
        self.description = wanted

    def append(self, images: Sequence[FeatureRow], features: NDArray[np.floating[Any]]) -> None:
        """Add rows.

        Args:
            images: The images, N.
            features: Their features, shape (N, dims); what float16 cannot hold becomes its largest number.

        Raises:
            RunError: If the disk does not take them; it may have the first ones of them.
        """
        for start in range(0, len(images), _SYNCED):
            self._append(images[start : start + _SYNCED], features[start : start + _SYNCED])

    def _append(self, images: Sequence[FeatureRow], features: NDArray[np.floating[Any]]) -> None:
        rows = np.clip(np.nan_to_num(features), -_LARGEST, _LARGEST).astype("<f2")
        names = [os.fsencode(image.key.path) + b"\0" for image in images]
        records = np.zeros(len(images), RECORD)
        records["name_end"] = self._name_end + np.cumsum([len(name) for name in names])
        records["size"] = [image.size for image in images]
        records["mtime_ns"] = [image.mtime_ns for image in images]
        records["frame"] = [image.key.frame for image in images]
        records["checksum"] = [zlib.crc32(row) for row in rows]
        records["digest"] = [bytes.fromhex(image.digest).ljust(DIGEST_BYTES, b"\0") for image in images]
        records["part"] = [TRAINED_ON.index(image.part) for image in images]
        try:
            for file, content in zip(self._files, (b"".join(names), rows.data, records.data), strict=True):
                _write_all(file, content)
            self._count += len(images)
            self._name_end = int(records["name_end"][-1])
            self._unsynced += len(images)
            if self._unsynced >= _SYNCED:
                self._sync()
        except OSError as error:
            with suppress(OSError):
                self._keep_whole(records)
            raise cache_error(error, self.folder.path) from error

    def _keep_whole(self, records: NDArray[Any]) -> None:
        """After a fault: cut off what is torn. Rows whose record is there stay: somebody may have read them."""
        written = os.fstat(self._files[2]).st_size // RECORD.itemsize - self._count
        if 0 < written <= len(records):
            self._count += written
            self._name_end = int(records["name_end"][written - 1])
        self._cut()

    def _sync(self) -> None:
        """Bring everything to the disk, records last."""
        for file in self._files:
            os.fsync(file)
        self._unsynced = 0

    def put_unread(self, images: Sequence[UnreadImage]) -> None:
        """Replace what is said of images that could not be read.

        Raises:
            RunError: If the disk does not take it.
        """
        try:
            if images:
                self._replace(self.folder.problems, msgspec.json.encode(images))
            else:
                remove(self.folder.problems)
        except OSError as error:
            raise cache_error(error, self.folder.problems) from error

    def keep_only(self, rows: NDArray[np.int32]) -> None:
        """Write the table anew with some of its rows, in this order.

        Raises:
            RunError: If the disk does not take it; the table is then as before.
        """
        assert self.description is not None
        before = self.description
        after = msgspec.structs.replace(before, generation=before.generation + 1)
        old = np.memmap(self.folder.rows(before.generation), "<f2", "r", shape=(self._count, before.dims))
        records = np.fromfile(self.folder.images(before.generation), RECORD, self._count)
        names = self.folder.names(before.generation).read_bytes()
        try:
            self._open_files(after.generation)
            self._count = self._name_end = 0
            self._cut()
            for start in range(0, len(rows), _COPIED):
                self._copy(rows[start : start + _COPIED], old, records, names)
            self._sync()  # before anybody is told of them
            self._describe(after)
        except OSError as error:
            raise cache_error(error, self.folder.path) from error
        self.description = after
        with suppress(OSError):
            self._remove_files(before.generation)

    def _copy(
        self, rows: NDArray[np.int32], old: NDArray[np.float16], records: NDArray[Any], names: bytes
    ) -> None:
        chosen = records[rows].copy()
        ends = records["name_end"]
        starts = np.where(rows > 0, ends[rows - 1], 0)
        paths = [names[start:end] for start, end in zip(starts.tolist(), ends[rows].tolist(), strict=True)]
        chosen["name_end"] = self._name_end + np.cumsum([len(path) for path in paths])
        contents: tuple[bytes | memoryview, ...] = b"".join(paths), old[rows].data, chosen.data
        for file, content in zip(self._files, contents, strict=True):
            _write_all(file, content)
        self._count += len(rows)
        self._name_end = int(chosen["name_end"][-1])

    def _take(self) -> None:
        self._lock = open_in_place(self.folder.lock, mode=_PRIVATE)
        try:
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in NO_LOCKS:
                return
            os.close(self._lock)
            self._lock = None
            raise RunError(
                f"Another job makes the same features now, in {printable(self.folder.path)}.",
                "Wait until it has ended, or stop it: `mia-tui runs list DATASET` shows it.",
            ) from error
        status = os.fstat(self._lock)
        self._locked = status.st_dev, status.st_ino
        hold(self._locked)

    def _remove_files(self, generation: int) -> None:
        for path in (self.folder.rows, self.folder.names, self.folder.images):
            remove(path(generation))

    def _open_files(self, generation: int) -> None:
        self._close_files()
        for path in (self.folder.names, self.folder.rows, self.folder.images):
            self._files.append(open_in_place(path(generation), append=True, mode=_PRIVATE))

    def _close_files(self) -> None:
        while self._files:
            os.close(self._files.pop())

    def _cut_torn_end(self, description: TableDescription) -> None:
        """Cut off what was not written completely."""
        names, rows, images = self._files
        whole = min(
            os.fstat(images).st_size // RECORD.itemsize, os.fstat(rows).st_size // description.row_bytes
        )
        data = os.pread(images, whole * RECORD.itemsize, 0)
        records = np.frombuffer(data, RECORD, len(data) // RECORD.itemsize)
        ends = records["name_end"]
        is_torn = (ends > os.fstat(names).st_size) | (np.diff(ends, prepend=0) <= 0)
        count = int(is_torn.argmax()) if is_torn.any() else len(records)
        count = self.folder.whole(description, records[:count], 0)
        self._count = count
        self._name_end = int(ends[count - 1]) if count else 0
        self._cut(description)

    def _cut(self, description: TableDescription | None = None) -> None:
        """Cut the files to the rows that count."""
        names, rows, images = self._files
        description = description or self.description
        assert description is not None
        for file, size in (
            (images, self._count * RECORD.itemsize),
            (rows, self._count * description.row_bytes),
            (names, self._name_end),
        ):
            if os.fstat(file).st_size != size:
                os.ftruncate(file, size)

    def _describe(self, description: TableDescription) -> None:
        text = msgspec.json.format(msgspec.json.encode(description), indent=2)
        self._replace(self.folder.description_file, text)

    def _replace(self, path: Path, content: bytes) -> None:
        with new_content(path, mode=_PRIVATE) as file:
            file.write(content)


def cache_error(error: OSError, path: Path | None = None) -> MiaError:
    """The sentence for features that could not be written."""
    return disk_error(error, path or Path(error.filename or "the cache folder"), elsewhere=CACHE_ELSEWHERE)


def _write_all(file: int, content: bytes | memoryview) -> None:
    """Write at the end of a file; `os.write` may take a part only."""
    left = memoryview(content).cast("B")
    while len(left):
        left = left[os.write(file, left) :]
