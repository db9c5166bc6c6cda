"""Adding decoded images to the user's cache folder, in a thread: whoever decodes them never waits for the disk.

What the disk does not take is not kept, and nothing else is lost: images that come faster than it writes them are
passed over and are there for the next run to add, and after a fault nothing more is written.
"""

import fcntl
import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.decoded.layout import RECORD, DecodedFolder
from mia_tui.dataset.decoded.room import free_bytes
from mia_tui.disk_errors import FULL_DISK, disk_error
from mia_tui.files import NO_LOCKS, Identity, hold, let_go, open_in_place, remove

_PRIVATE = 0o600
_TOGETHER = 64  # images written at a time
_MOST_WAITING = 256 << 20  # bytes
_CHECK_EVERY = 64 << 20  # bytes; then it is asked how much of the disk is free
_LEAST_FREE = 2_000_000_000  # bytes that are always left on the disk
_PATIENCE_S = 10.0  # at the end of a run


@dataclass(frozen=True, eq=False)
class _Waiting:
    record: NDArray[Any]  # shape ()
    pixels: NDArray[Any]


class SegmentWriter:
    """Adds images to a folder, as long as there is room.

    Args:
        folder: Where to.
        row_bytes: Of each image.
        most_bytes: That may be added.

    Attributes:
        problem: Why nothing more is written, a sentence; None as long as all is well.
        removed: The pair of files that was removed again because the disk is full; whoever reads it closes it.
        segment: The pair of files that is written to; empty before the first image.
    """

    def __init__(self, folder: DecodedFolder, row_bytes: int, most_bytes: int) -> None:
        self.problem: str | None = None
        self.removed: str | None = None
        self.segment = ""
        self._folder, self._row_bytes, self._left = folder, row_bytes, most_bytes
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._waiting_bytes = 0
        self._is_over = False
        self._thread: threading.Thread | None = None
        self._files: tuple[int, int] | None = None  # of pixels and of records
        self._locked: Identity | None = None
        self._written: deque[tuple[int, NDArray[Any]]] = deque()
        self._count = 0
        self._unchecked = _CHECK_EVERY  # bytes since the free space was asked for

    @property
    def can_write(self) -> bool:
        return not self._is_over and self._left >= self._row_bytes

    def add(self, record: NDArray[Any], pixels: NDArray[Any]) -> None:
        """Have an image written; its pixels must not be changed any more.

        Args:
            record: Of `RECORD`, shape ().
            pixels: Of `row_bytes`, contiguous.
        """
        with self._changed:
            if not self.can_write or self._waiting_bytes >= _MOST_WAITING:
                return
            self._left -= self._row_bytes
            self._waiting.append(_Waiting(record, pixels))
            self._waiting_bytes += self._row_bytes
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="write-decoded", daemon=True)
                self._thread.start()
            self._changed.notify()

    def take_written(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """Records that are on the disk since this was asked last, each with the number of its first image."""
        while self._written:
            yield self._written.popleft()

    def close(self) -> None:
        """Write what is waiting, for some seconds at most, and end."""
        with self._changed:
            self._is_over = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(_PATIENCE_S)

    def _work(self) -> None:
        try:
            while some := self._next():
                self._write(some)
        except OSError as error:
            self._give_up(error)
        finally:
            self._close_files()

    def _next(self) -> list[_Waiting]:
        """The next images; none at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_over)
            some = [self._waiting.popleft() for _ in range(min(_TOGETHER, len(self._waiting)))]
            self._waiting_bytes -= len(some) * self._row_bytes
            return some

    def _write(self, some: list[_Waiting]) -> None:
        self._unchecked += len(some) * self._row_bytes
        if self._unchecked >= _CHECK_EVERY:
            self._unchecked = 0
            if free_bytes(self._folder.path) < _LEAST_FREE:
                self._stop()
                return
        pixels, images = self._files or self._open()
        if not os.fstat(images).st_nlink:  # removed meanwhile, by another run or by a person
            self._stop()
            return
        for place, image in enumerate(some, self._count):
            _write_at(pixels, image.pixels, place * self._row_bytes)
        records = np.array([image.record for image in some], RECORD)
        _write_at(images, records, self._count * RECORD.itemsize)
        self._written.append((self._count, records))
        self._count += len(some)

    def _stop(self) -> None:
        with self._changed:
            self._is_over = True
            self._waiting.clear()

    def _open(self) -> tuple[int, int]:
        """A pair of files that no other process adds to: one that is there, or a new one."""
        for segment in self._folder.segments():
            with suppress(OSError):
                if self._take(segment):
                    break
        else:
            self._take(os.urandom(8).hex())
        assert self._files is not None
        pixels, images = self._files
        whole = os.fstat(pixels).st_size // self._row_bytes
        self._count = min(whole, os.fstat(images).st_size // RECORD.itemsize)
        data = os.pread(images, self._count * RECORD.itemsize, 0)
        self._written.append((0, np.frombuffer(data, RECORD, len(data) // RECORD.itemsize)))
        return self._files

    def _take(self, segment: str) -> bool:
        """Open a pair of files, unless another process has it or the disk knows no locks."""
        path = self._folder.images(segment)
        is_new = not path.exists()
        images = open_in_place(path, mode=_PRIVATE)
        try:
            fcntl.lockf(images, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if not (is_new and error.errno in NO_LOCKS):
                os.close(images)
                return False
        try:
            pixels = open_in_place(self._folder.pixels(segment), mode=_PRIVATE)
        except OSError:
            os.close(images)
            raise
        status = os.fstat(images)
        self._locked = status.st_dev, status.st_ino
        hold(self._locked)
        self.segment, self._files = segment, (pixels, images)
        return True

    def _give_up(self, error: OSError) -> None:
        """Nothing more is written; on a full disk what was written goes, too, so that the run has room."""
        self._stop()
        self.problem = disk_error(error, self._folder.path).message
        if error.errno in FULL_DISK and self.segment:
            with suppress(OSError):
                remove(self._folder.images(self.segment))
                remove(self._folder.pixels(self.segment))
            self.removed = self.segment

    def _close_files(self) -> None:
        if self._files is not None:
            for file in self._files:
                os.close(file)
        if self._locked is not None:
            let_go(self._locked)
        self._files = self._locked = None


def _write_at(file: int, content: NDArray[Any], offset: int) -> None:
    left = content.reshape(-1).view(np.uint8).data
    while len(left):
        written = os.pwrite(file, left, offset)
        left, offset = left[written:], offset + written
