"""Decoding many images in threads."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mia_tui.config.train import TrainConfig
from mia_tui.dataset.pixels.decode import decode_input
from mia_tui.errors import DecodeError
from mia_tui.runs.cores import usable_cores
from mia_tui.runs.job import Sample

Told = Callable[[int, int], None]
ShouldStop = Callable[[], bool]

_TELL_EVERY_S = 0.2
_LEAST_THREADS = 4  # a slow disk keeps more of them waiting than there are cores


class LoadingStopped(Exception):
    """Images were being loaded when somebody asked to stop."""


class ImageReader:
    """Reads rows of samples as pixels; what cannot be read goes into `skipped`.

    Attributes:
        shape: Of one image: height, width, channels.
        skipped: Rows that cannot be read, with a sentence each. Only the thread that asks for results
            writes to it.
    """

    def __init__(
        self, samples: Sequence[Sample], root: Path, config: TrainConfig, *, skipped: Mapping[int, str]
    ) -> None:
        self.shape = (config.height, config.width, 3 if config.color else 1)
        self.skipped = dict(skipped)
        self._samples = samples
        self._root = root
        self._config = config
        self._pool = ThreadPoolExecutor(_threads(config), thread_name_prefix="decode")

    def __len__(self) -> int:
        return len(self._samples)

    def start(self, rows: Tensor) -> "Pending":
        """Begin to decode rows, shape (N,), int64, in the background."""
        return Pending(self, rows)

    def submit(self, row: int, into: np.ndarray) -> Future[str | None]:
        """Decode one row into an array (H, W, C); the future tells why it cannot be read, or None."""
        return self._pool.submit(self._read, row, into)

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
            None if row in reader.skipped else reader.submit(row, into)
            for row, into in zip(self._numbers, self._pixels, strict=True)
        ]

    def result(self, after_each: Callable[[], None] | None = None) -> tuple[Tensor, Tensor]:
        """Wait for the batch.

        Args:
            after_each: Called when an image is done, in the thread that waits.

        Returns:
            The images that could be read, shape (M, H, W, C), uint8; and their positions in `rows`,
            ascending, shape (M,), int64. Both on the CPU.
        """
        kept = []
        for position, future in enumerate(self._futures):
            if future is not None and self._is_read(self._numbers[position], future):
                kept.append(position)
            if after_each is not None:
                after_each()
        positions = torch.tensor(kept, dtype=torch.int64)
        pixels = torch.from_numpy(self._pixels)
        return (pixels if len(kept) == len(pixels) else pixels[positions]), positions

    def cancel(self) -> None:
        """Give up what has not begun."""
        for future in self._futures:
            if future is not None:
                future.cancel()

    def _is_read(self, row: int, future: Future[str | None]) -> bool:
        """Wait for one image. A row once skipped stays so, even if its file has come back since."""
        problem = future.result()
        if problem is not None:
            self._reader.skipped.setdefault(row, problem)
        return row not in self._reader.skipped


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
