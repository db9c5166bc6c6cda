"""Decoding many images in threads.

An image that cannot be read is tried a second time, once it is known that the disk it lies on is there: see
`presence`. Only then is it left out, for the rest of the epoch.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mia_tui.config.train import TrainConfig
from mia_tui.dataset.images.decode import decode_input
from mia_tui.engine.data.presence import LoadingStopped, Presence
from mia_tui.errors import DecodeError
from mia_tui.runs.disk import OnWait
from mia_tui.runs.machine.cores import usable_cores
from mia_tui.runs.record.job import Sample

Told = Callable[[int, int], None]
ShouldStop = Callable[[], bool]

_TELL_EVERY_S = 0.2
_TOGETHER = 64  # images tried again at a time
_VALIDATION = -1
_LEAST_THREADS = 4  # a slow disk keeps more of them waiting than there are cores


class ImageReader:
    """Reads rows of samples as pixels; what cannot be read goes into `left_out`.

    Args:
        samples: The run's samples.
        root: Folder their paths are relative to.
        config: How images become pixels.
        left_out: Rows that are left out of the present epoch from its beginning, with the reasons.
        should_stop: Asked while waiting for images that are away.
        on_wait: Told why it waits, and None when it goes on.

    Attributes:
        shape: Of one image: height, width, channels.
        left_out: Rows that are left out of the present epoch, with a sentence each. Only the thread that asks for
            results writes to it; always the same object.
        presence: Knows whether the images are away.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        root: Path,
        config: TrainConfig,
        *,
        left_out: Mapping[int, str],
        should_stop: ShouldStop | None = None,
        on_wait: OnWait | None = None,
    ) -> None:
        self.shape = (config.height, config.width, 3 if config.color else 1)
        self.left_out = dict(left_out)
        self.presence = Presence(
            root,
            [sample.path for sample in samples],
            groups=_groups(samples),
            should_stop=should_stop,
            on_wait=on_wait,
        )
        for row in self.left_out:
            self.presence.tell(row, is_read=False)
        self._samples = samples
        self._root = root
        self._config = config
        self._should_stop = should_stop
        self._pool = ThreadPoolExecutor(_threads(config), thread_name_prefix="decode")

    def __len__(self) -> int:
        return len(self._samples)

    def start(self, rows: Tensor) -> "Pending":
        """Begin to decode rows, shape (N,), int64, in the background."""
        return Pending(self, rows)

    def submit(self, row: int, into: np.ndarray) -> Future[str | None]:
        """Decode one row into an array (H, W, C); the future tells why it cannot be read, or None."""
        return self._pool.submit(self._read, row, into)

    def read_each(self, rows: Sequence[int]) -> Iterator[tuple[int, np.ndarray | None, str | None]]:
        """Decode rows, left out or not: each with its pixels (H, W, C), or with why it cannot be read.

        Raises:
            LoadingStopped: If somebody asked to stop.
            AwayError: If a disk gives no answer.
        """
        for start in range(0, len(rows), _TOGETHER):
            if self._should_stop is not None and self._should_stop():
                raise LoadingStopped
            some = rows[start : start + _TOGETHER]
            pixels = np.empty((len(some), *self.shape), dtype=np.uint8)
            futures = [self.submit(row, into) for row, into in zip(some, pixels, strict=True)]
            for row, into, future in zip(some, pixels, futures, strict=True):
                problem = self.presence.result(future)
                yield row, into if problem is None else None, problem

    def close(self) -> None:
        """Drop what has not begun and let go of the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _read(self, row: int, into: np.ndarray) -> str | None:
        sample = self._samples[row]
        try:
            into[...] = decode_input(self._root / sample.path, sample.frame, self._config)
        except DecodeError as error:
            return error.message
        return None


class Pending:
    """A batch that is being decoded.

    Attributes:
        rows: What was asked for, shape (N,), int64.
    """

    def __init__(self, reader: ImageReader, rows: Tensor) -> None:
        self.rows = rows
        self._reader = reader
        self._numbers: list[int] = rows.tolist()
        self._pixels = np.empty((len(self._numbers), *reader.shape), dtype=np.uint8)
        self._futures = [
            None if row in reader.left_out else reader.submit(row, into)
            for row, into in zip(self._numbers, self._pixels, strict=True)
        ]

    def result(self, after_each: Callable[[], None] | None = None) -> tuple[Tensor, Tensor]:
        """Wait for the batch; where the disk with the images is away, until it is back.

        Args:
            after_each: Called when an image is done, in the thread that waits.

        Returns:
            The images that could be read, shape (M, H, W, C), uint8; and their positions in `rows`,
            ascending, shape (M,), int64. Both on the CPU.

        Raises:
            LoadingStopped: If somebody asked to stop while it waited.
            AwayError: If the disk stays away.
        """
        faults: dict[int, str] = {}
        for position, future in enumerate(self._futures):
            problem = None if future is None else self._reader.presence.result(future)
            if problem is not None:
                faults[self._numbers[position]] = problem
            if after_each is not None:
                after_each()
        faults = self._tried_again(faults)
        kept = []
        for position, row in enumerate(self._numbers):
            if row in faults:
                self._reader.left_out.setdefault(row, faults[row])
            if row not in self._reader.left_out:  # also those that an earlier batch found unreadable
                kept.append(position)
            self._reader.presence.tell(row, is_read=row not in self._reader.left_out)
        positions = torch.tensor(kept, dtype=torch.int64)
        pixels = torch.from_numpy(self._pixels)
        return (pixels if len(kept) == len(pixels) else pixels[positions]), positions

    def cancel(self) -> None:
        """Give up what has not begun."""
        for future in self._futures:
            if future is not None:
                future.cancel()

    def _tried_again(self, faults: dict[int, str]) -> dict[int, str]:
        """Why rows still cannot be read although the disk is there."""
        places = {row: position for position, row in enumerate(self._numbers)}

        def submit(row: int) -> Future[str | None]:
            return self._reader.submit(row, self._pixels[places[row]])

        answers = self._reader.presence.read_again(list(faults), submit, lambda problem: problem is not None)
        return {row: problem for row, problem in answers.items() if problem is not None}


class Watch:
    """Counts images while they are loaded, tells how far it is, and stops when asked to."""

    def __init__(self, total: int, told: Told | None, should_stop: ShouldStop | None) -> None:
        self._total = total
        self._told = told
        self._should_stop = should_stop
        self._done = 0
        self._next_s = 0.0

    def __call__(self) -> None:
        """One more image is done.

        Raises:
            LoadingStopped: If somebody asked to stop.
        """
        self._done += 1
        if self._should_stop is not None and self._should_stop():
            raise LoadingStopped
        now_s = time.monotonic()
        if self._told is not None and (now_s >= self._next_s or self._done == self._total):
            self._next_s = now_s + _TELL_EVERY_S
            self._told(self._done, self._total)


def _threads(config: TrainConfig) -> int:
    return max(_LEAST_THREADS, config.threads or usable_cores())


def _groups(samples: Sequence[Sample]) -> np.ndarray:
    """What no training can do without as a whole: the training images of each class, the validation part."""
    return np.array(
        [sample.class_index if sample.split == "train" else _VALIDATION for sample in samples], dtype=np.int64
    )
