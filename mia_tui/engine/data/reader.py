"""Decoding many images in threads, for training and prediction alike.

An image that cannot be read is tried a second time, once it is certain that its disk is reachable: see `disk_watch`.
Only then is it left out, until the end of the epoch.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mia_tui.dataset.decoded.images import DecodedImages
from mia_tui.dataset.images.decode import NetworkInput, decode_input
from mia_tui.dataset.model import FRAME_NUMBERING, ImageKey
from mia_tui.engine.data.disk_watch import DiskWatch, Problem, WorkStopped
from mia_tui.engine.data.network_input import is_deep
from mia_tui.engine.data.scaling import to_tensor
from mia_tui.errors import DecodeError
from mia_tui.runs.disk import OnWait
from mia_tui.runs.machine.cores import usable_cores
from mia_tui.runs.record.job import Sample

ShouldStop = Callable[[], bool]

_TOGETHER = 64  # images tried again at a time
_VALIDATION = -1
_LEAST_THREADS = 4  # a slow disk keeps more of them waiting than there are cores


class ImageReader:
    """Decodes images, which are known by their row; what cannot be read is added to `left_out`.

    Args:
        images: Path and frame of each row.
        root: Folder their paths are relative to.
        wanted: How images become pixels.
        threads: Decoding threads; None or 0 for one per core that may be used.
        groups: Which rows belong together, see `DiskWatch`.
        left_out: Rows that were left out of the current epoch before, with the reasons.
        should_stop: Polled while images are loaded, and while waiting for a disk.
        on_wait: Called with the reason when waiting for a disk begins, and with None when it is over.
        numbering: What the frames of the images are.
        decoded: Images that are decoded already, which those that are read now are added to; None for none.

    Attributes:
        shape: Of one image: height, width, channels.
        dtype: Of its pixels: uint8 or uint16.
        other_types: Rows whose files hold numbers of a type that was not measured, with the name of that type.
        left_out: Rows that are left out of the current epoch, with a sentence each. Only the thread that asks for
            results writes to it; always the same object.
        disk: Knows whether the images are reachable.
    """

    def __init__(
        self,
        images: Sequence[Sample] | Sequence[ImageKey],
        root: Path,
        wanted: NetworkInput,
        *,
        threads: int | None,
        groups: npt.NDArray[np.int64] | None = None,
        left_out: Mapping[int, str] | None = None,
        should_stop: ShouldStop | None = None,
        on_wait: OnWait | None = None,
        numbering: int = FRAME_NUMBERING,
        decoded: DecodedImages | None = None,
    ) -> None:
        self.shape = (wanted.height, wanted.width, wanted.channel_count)
        self.dtype: type[np.generic] = np.uint16 if is_deep(wanted) else np.uint8
        self.other_types: dict[int, str] = {}
        self._numbering = numbering
        self.left_out = dict(left_out or {})
        self.disk = DiskWatch(
            root,
            [image.path for image in images],
            groups=groups,
            should_stop=should_stop,
            on_wait=on_wait,
        )
        for row in self.left_out:
            self.disk.record(row, is_read=False)
        self._images = images
        self._root = root
        self._wanted = wanted
        self._should_stop = should_stop
        self._decoded = decoded
        self._pool = ThreadPoolExecutor(
            max(_LEAST_THREADS, threads or usable_cores()), thread_name_prefix="decode"
        )

    def __len__(self) -> int:
        return len(self._images)

    def start(self, rows: Tensor) -> "PendingBatch":
        """Begin to decode rows, shape (N,), int64, in the background."""
        return PendingBatch(self, rows)

    def submit(self, row: int, into: np.ndarray) -> Future[Problem]:
        """Decode one row into an array (H, W, C); the future gives the reason why it cannot be read, or None."""
        return self._pool.submit(self._read, row, into)

    def read_each(self, rows: Sequence[int]) -> Iterator[tuple[int, np.ndarray | None, str | None]]:
        """Decode rows, left out or not: each with its pixels (H, W, C), or with why it cannot be read.

        Raises:
            WorkStopped: If a stop was requested.
            AwayError: If the disk does not answer.
        """
        for start in range(0, len(rows), _TOGETHER):
            self.check_stop()
            some = rows[start : start + _TOGETHER]
            pixels = np.empty((len(some), *self.shape), self.dtype)
            futures = [self.submit(row, into) for row, into in zip(some, pixels, strict=True)]
            for row, into, future in zip(some, pixels, futures, strict=True):
                problem = self.disk.result(future)
                yield row, into if problem is None else None, problem

    def check_stop(self) -> None:
        """Raise WorkStopped if a stop was requested."""
        if self._should_stop is not None and self._should_stop():
            raise WorkStopped

    def close(self) -> None:
        """Drop what has not begun, and stop the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._decoded is not None:
            self._decoded.close()

    @property
    def disk_problem(self) -> str | None:
        """Why decoded images are not kept on the disk any more, a sentence; None as long as all is well."""
        return None if self._decoded is None else self._decoded.problem

    def find_decoded(self) -> None:
        """Look for images that other runs decoded since."""
        if self._decoded is not None:
            self._decoded.refresh()

    def submit_decoded(self, rows: Sequence[int], pixels: np.ndarray) -> Future[Problem] | None:
        """Read a whole batch (N, H, W, C) of images that were decoded before; None if not all of them were.

        The future gives a reason if one of them cannot be read any more: then none counts.
        """
        if self._decoded is None or not self._decoded.are_checked(np.asarray(rows, np.int64)):
            return None
        return self._pool.submit(self._read_decoded, rows, pixels)

    def _read_decoded(self, rows: Sequence[int], pixels: np.ndarray) -> Problem:
        assert self._decoded is not None
        are_read = all(self._decoded.read(row, into) for row, into in zip(rows, pixels, strict=True))
        return None if are_read else "they are not in the cache any more."

    def _read(self, row: int, into: np.ndarray) -> Problem:
        if self._decoded is None:
            return self._decode(row, into)
        if self._decoded.read(row, into):
            other_type = self._decoded.other_type(row)
            if other_type:
                self.other_types[row] = other_type
            return None
        before = self._decoded.stamp(row)
        problem = self._decode(row, into)
        if problem is None:
            self._decoded.add(row, before, into, self.other_types.get(row, ""))
        return problem

    def _decode(self, row: int, into: np.ndarray) -> Problem:
        image = self._images[row]
        try:
            into[...] = decode_input(
                self._root / image.path,
                image.frame,
                self._wanted,
                numbering=self._numbering,
                on_other_type=partial(self.other_types.__setitem__, row),
            )
        except DecodeError as error:
            return error.message
        return None


class PendingImages:
    """Images that are being decoded.

    Args:
        reader: Decodes them.
        rows: Which.
        pixels: Takes them: an array (H, W, C) for each.
        begun: Futures of those that are being decoded into their array already, by row.
    """

    def __init__(
        self,
        reader: ImageReader,
        rows: Sequence[int],
        pixels: Sequence[np.ndarray],
        begun: Mapping[int, Future[Problem]] | None = None,
    ) -> None:
        self._reader, self._numbers, self._into = reader, rows, pixels
        self._futures = [
            None if row in reader.left_out else (begun or {}).get(row) or reader.submit(row, into)
            for row, into in zip(rows, pixels, strict=True)
        ]

    def settle(self) -> list[int]:
        """Wait for the images, and for their disk if that is away; what cannot be read is added to `left_out`.

        Returns:
            The positions in `rows` of those that could be read, ascending.

        Raises:
            WorkStopped: If a stop was requested while it waited.
            AwayError: If the disk stayed away.
        """
        faults: dict[int, str] = {}
        for position, future in enumerate(self._futures):
            if future is not None and not future.done():
                self._reader.check_stop()
            problem = None if future is None else self._reader.disk.result(future)
            if problem is not None:
                faults[self._numbers[position]] = problem
        faults = self._still_unreadable(faults)
        kept = []
        for position, row in enumerate(self._numbers):
            if row in faults:
                self._reader.left_out.setdefault(row, faults[row])
            if row not in self._reader.left_out:  # nor one that an earlier batch found unreadable
                kept.append(position)
            self._reader.disk.record(row, is_read=row not in self._reader.left_out)
        return kept

    def cancel(self) -> None:
        """Give up what has not begun."""
        for future in self._futures:
            if future is not None:
                future.cancel()

    def _still_unreadable(self, faults: dict[int, str]) -> dict[int, str]:
        """Read rows once more; returns why some still cannot be read although the disk is reachable."""
        places = {row: position for position, row in enumerate(self._numbers)}

        def submit(row: int) -> Future[Problem]:
            return self._reader.submit(row, self._into[places[row]])

        return self._reader.disk.read_again(list(faults), submit)


class PendingBatch:
    """A batch that is being decoded, or read if its images were decoded before.

    Attributes:
        rows: What was asked for, shape (N,), int64.
    """

    def __init__(self, reader: ImageReader, rows: Tensor) -> None:
        self.rows = rows
        self._reader = reader
        self._numbers: list[int] = rows.tolist()
        self._pixels = np.empty((len(self._numbers), *reader.shape), reader.dtype)
        self._whole = None
        if reader.left_out.keys().isdisjoint(self._numbers):
            self._whole = reader.submit_decoded(self._numbers, self._pixels)
        self._images = None if self._whole is not None else self._begin()

    def result(self) -> tuple[Tensor, Tensor]:
        """Wait for the batch, and for its disk if that is away.

        Returns:
            The images that could be read, shape (M, H, W, C), as from `to_tensor`; and their positions in `rows`,
            ascending, shape (M,), int64. Both on the CPU.

        Raises:
            WorkStopped: If a stop was requested while it waited.
            AwayError: If the disk stayed away.
        """
        if self._whole is not None and self._reader.disk.result(self._whole) is None:
            kept = [row not in self._reader.left_out for row in self._numbers]
            positions = torch.tensor(kept, dtype=torch.bool).nonzero().squeeze(1)
        else:
            positions = torch.tensor((self._images or self._begin()).settle(), dtype=torch.int64)
        pixels = to_tensor(self._pixels)
        return (pixels if len(positions) == len(pixels) else pixels[positions]), positions

    def cancel(self) -> None:
        """Give up what has not begun."""
        if self._whole is not None:
            self._whole.cancel()
        if self._images is not None:
            self._images.cancel()

    def _begin(self) -> PendingImages:
        return PendingImages(self._reader, self._numbers, list(self._pixels))


def row_groups(samples: Sequence[Sample]) -> npt.NDArray[np.int64]:
    """Groups that training cannot lose as a whole: the training images of each class, the validation images."""
    return np.array(
        [sample.class_index if sample.split == "train" else _VALIDATION for sample in samples], dtype=np.int64
    )
