"""The images of a run in 8 or 16 bits on the device, wherever they are cached.

    device   decoded once, kept on the device
    ram      decoded once, kept in memory, copied batch by batch
    none     decoded anew for each batch, ahead of time (`prefetch`)

All three use the same `ImageReader`, so the pixels are the same to the bit. Decoding runs in threads: Pillow
releases Python's lock while it decodes and resizes, and threads need no copy of the process and no pickling.

An image that cannot be read is left out of an epoch and reported; it is never an error. At the start of an epoch the
images left out of the previous one are tried again (`try_again`); what cannot be read then stays out of the whole
epoch, even if it becomes readable in its middle. Without a cache an image may turn out to be unreadable later in the
epoch. Since each image is used once in an epoch, it is then missing from the whole epoch as well, and nothing depends
on when it was noticed: `left_out` is all that must be saved to resume an epoch in its middle.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from mia_tui.config.train import TrainConfig
from mia_tui.dataset.images.decode import NetworkInput
from mia_tui.dataset.model import FRAME_NUMBERING
from mia_tui.engine.data.memory import free_device_bytes
from mia_tui.engine.data.network_input import bytes_of_image
from mia_tui.engine.data.reader import (
    ImageReader,
    PendingBatch,
    ShouldStop,
    row_groups,
)
from mia_tui.engine.data.scaling import to_tensor
from mia_tui.errors import ConfigError
from mia_tui.memory import free_ram_bytes
from mia_tui.runs.disk import OnWait
from mia_tui.runs.record.job import Sample

CacheKind = Literal["device", "ram", "none"]

_CHUNK = 64  # images decoded together while loading
_CHUNKS_AHEAD = 2  # so that no thread waits for the last image of a chunk
_BATCHES_AHEAD = 3  # without a cache: one in use, two being decoded
_DEVICE_SHARE = 0.4  # of the free memory: the network and its activations need the other part
_RAM_SHARE = 0.5


class ImageStore(ABC):
    """The images of a run, by row of its samples.

    Attributes:
        place: Where they are cached.
        left_out: Rows that are left out of the current epoch, each with a sentence that says why. Always the same
            object; it grows while images are read.
        other_types: Rows whose files hold numbers of a type that was not measured, with the name of that type; it
            grows likewise.
    """

    def __init__(self, reader: ImageReader, device: torch.device, place: CacheKind) -> None:
        self.place: CacheKind = place
        self.left_out = reader.left_out
        self.other_types = reader.other_types
        self._reader = reader
        self._device = device

    @abstractmethod
    def load(self) -> Iterator[int]:
        """Decode what is to be cached; gives the number of images that are done, after each.

        Raises:
            WorkStopped: If a stop was requested.
            AwayError: If the disk stayed away.
        """

    @abstractmethod
    def fetch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Get a batch.

        Args:
            rows: Rows of the samples, shape (N,), int64, on the CPU.

        Returns:
            The images that can be read, shape (M, C, H, W), as from `to_tensor`, channels last, on the device; and
            their positions in `rows`, ascending, shape (M,), int64, on the CPU. M may be 0.

        Raises:
            WorkStopped: If a stop was requested while it waited for a disk.
            AwayError: If the disk stayed away.
        """

    @abstractmethod
    def prefetch(self, batches: Sequence[Tensor]) -> None:
        """Say which batches will be fetched next, in order; replaces what was said before."""

    def try_again(self, rows: Sequence[int] | None = None) -> None:
        """Read images again that are left out; those that can be read now are no longer left out.

        Args:
            rows: Some of those that are left out; None for all of them.

        Raises:
            WorkStopped: If a stop was requested.
            AwayError: If the disk they are on stayed away.
        """
        wanted = sorted(self.left_out) if rows is None else list(rows)
        while wanted:
            self._reader.disk.wait(wanted)
            for row, pixels, problem in self._reader.read_each(wanted):
                self._take_back(row, pixels)
                if problem is None:
                    del self.left_out[row]
                else:
                    self.left_out[row] = problem
                self._reader.disk.record(row, is_read=problem is None)
            wanted = [row for row in wanted if row in self.left_out]
            if wanted and not self._reader.disk.is_away(wanted):
                break

    def leave_out(self, problems: Mapping[int, str]) -> None:
        """Leave out rows that another process could not read, with the reasons."""
        for row, problem in problems.items():
            if row not in self.left_out:
                self.left_out[row] = problem
                self._drop(row)

    def can_read_any(self, rows: Sequence[int]) -> bool:
        """Whether at least one of these rows can be read now, left out or not; changes nothing."""
        return any(problem is None for _, _, problem in self._reader.read_each(rows))

    def close(self) -> None:
        """Stop the threads; no images can be fetched any more."""
        self._reader.close()

    def _take_back(self, row: int, pixels: np.ndarray | None) -> None:
        """Cache the pixels (H, W, C) of an image that can be read again; without a cache there is nothing to do."""
        return

    def _drop(self, row: int) -> None:
        """Give an image no more, which may be cached; without a cache there is nothing to do."""
        return

    def _batch(self, pixels: Tensor) -> Tensor:
        """(M, H, W, C) anywhere to (M, C, H, W), channels last, on the device."""
        if self._device.type == "cuda" and not pixels.is_cuda:
            pixels = pixels.pin_memory()  # so that the copy runs beside the GPU's work
        return pixels.to(self._device, non_blocking=True).permute(0, 3, 1, 2)


def open_images(
    samples: Sequence[Sample],
    root: Path,
    config: TrainConfig,
    wanted: NetworkInput,
    device: torch.device,
    *,
    should_stop: ShouldStop | None = None,
    left_out: Mapping[int, str] | None = None,
    on_wait: OnWait | None = None,
    numbering: int = FRAME_NUMBERING,
    sharers: int = 1,
) -> ImageStore:
    """The images of a run. `load` decodes them, unless they are read anew each epoch.

    Args:
        samples: The run's samples; rows are positions in it.
        root: Folder that relative paths start from.
        config: Its cache and threads are read.
        wanted: How images become pixels.
        device: Device the batches are put on.
        should_stop: Polled after each image while loading, and while waiting for a disk.
        left_out: Rows that are left out of the current epoch, with the reasons, if it is resumed in its middle. They
            are read by `try_again` only: a resumed epoch must not see other images than before.
        on_wait: Called with the reason when waiting for a disk begins, and with None when it is over.
        numbering: What the frames of the samples are.
        sharers: How many processes share the memory of this machine, each with a cache of its own.

    Raises:
        ConfigError: If the images do not fit into the requested cache.
    """
    place = choose_cache(len(samples) * bytes_of_image(wanted), config, device, sharers)
    reader = ImageReader(
        samples,
        root,
        wanted,
        threads=config.threads,
        groups=row_groups(samples),
        left_out=left_out,
        should_stop=should_stop,
        on_wait=on_wait,
        numbering=numbering,
    )
    return StreamedImages(reader, device) if place == "none" else CachedImages(reader, device, place)


def choose_cache(need: int, config: TrainConfig, device: torch.device, sharers: int = 1) -> CacheKind:
    """Where the images are cached: as the user asked, or by the bytes they need.

    Raises:
        ConfigError: If they do not fit there.
    """
    match config.cache:
        case "none":
            return "none"
        case "device":
            _check_fits(need, free_device_bytes(device), f"on the device {device}")
            return "device"
        case "ram":
            _check_fits(
                need,
                free_ram_bytes() // sharers,
                "in memory for each process" if sharers > 1 else "in memory",
            )
            return "ram"
        case "auto":
            if device.type != "cpu" and need <= _DEVICE_SHARE * free_device_bytes(device):
                return "device"
            return "ram" if need <= _RAM_SHARE * free_ram_bytes() / sharers else "none"


def _check_fits(need: int, free: int, where: str) -> None:
    if need > free:
        raise ConfigError(
            f"The images take {need / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free {where}.",
            "Set --cache auto, or --cache none to read them anew each epoch.",
        )


class CachedImages(ImageStore):
    """Every image decoded once; unreadable ones leave a gap."""

    def __init__(self, reader: ImageReader, device: torch.device, place: CacheKind) -> None:
        super().__init__(reader, device, place)
        cached_on = device if place == "device" else torch.device("cpu")
        kind = torch.int16 if reader.dtype == np.uint16 else torch.uint8
        self._pixels = torch.zeros((len(reader), *reader.shape), dtype=kind, device=cached_on)
        self._readable = torch.zeros(len(reader), dtype=torch.bool)

    def load(self) -> Iterator[int]:
        done, count, ahead = 0, len(self._reader), deque[PendingBatch]()
        starts = deque(range(0, count, _CHUNK))
        while starts or ahead:
            while starts and len(ahead) <= _CHUNKS_AHEAD:
                start = starts.popleft()
                ahead.append(self._reader.start(torch.arange(start, min(start + _CHUNK, count))))
            pending = ahead.popleft()
            for _ in pending.each_done():
                done += 1
                yield done
            pixels, kept = pending.result()
            rows = pending.rows[kept]
            self._pixels[rows.to(self._pixels.device)] = pixels.to(self._pixels.device)
            self._readable[rows] = True

    def _take_back(self, row: int, pixels: np.ndarray | None) -> None:
        if pixels is not None:
            self._pixels[row] = to_tensor(pixels)
            self._readable[row] = True

    def _drop(self, row: int) -> None:
        self._readable[row] = False

    def fetch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        kept = self._readable[rows].nonzero().squeeze(1)
        chosen = rows[kept].to(self._pixels.device, non_blocking=True)
        return self._batch(self._pixels.index_select(0, chosen)), kept

    def prefetch(self, batches: Sequence[Tensor]) -> None:
        """Nothing to do: all images are decoded."""


class StreamedImages(ImageStore):
    """Images decoded for each batch, the next batches in the background."""

    def __init__(self, reader: ImageReader, device: torch.device) -> None:
        super().__init__(reader, device, "none")
        self._planned: deque[Tensor] = deque()
        self._ahead: deque[PendingBatch] = deque()

    def load(self) -> Iterator[int]:
        """Nothing to do: images are decoded for each batch."""
        return iter(())

    def fetch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        pending = self._take(rows)
        self._start_more()
        pixels, kept = pending.result()
        return self._batch(pixels), kept

    def prefetch(self, batches: Sequence[Tensor]) -> None:
        while self._ahead:
            self._ahead.pop().cancel()
        self._planned = deque(batches)
        self._start_more()

    def close(self) -> None:
        self.prefetch(())
        super().close()

    def _take(self, rows: Tensor) -> PendingBatch:
        """The batch as it was planned, or a new one if something else is wanted."""
        if any(torch.equal(pending.rows, rows) for pending in self._ahead):
            while not torch.equal((pending := self._ahead.popleft()).rows, rows):
                pending.cancel()  # passed over
            return pending
        return self._reader.start(rows)

    def _start_more(self) -> None:
        while self._planned and len(self._ahead) < _BATCHES_AHEAD - 1:
            self._ahead.append(self._reader.start(self._planned.popleft()))
