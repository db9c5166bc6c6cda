"""The images of a run as uint8 on the device, wherever they are kept in between.

    device   decoded once, kept on the device
    ram      decoded once, kept in memory, copied batch by batch
    none     decoded anew for each batch, ahead of time (`prefetch`)

All three decode by the same `ImageReader`, so the pixels are the same to the bit. Decoding runs in threads: Pillow
lets go of Python's lock while it decodes and resizes, and threads need no copy of the process and no pickling.

An image that cannot be read is left out of an epoch and named, never an error. At the start of an epoch those that
were left out of the last one are tried again (`try_again`); what cannot be read then stays out of the whole epoch,
even if it comes back in its middle. Without a cache an image may turn out to be unreadable later in the epoch. Since
each image is wanted once in an epoch, that leaves it out of the whole epoch as well, and nothing depends on when it
was found out: `left_out` is all that must be saved for an epoch that is resumed to go on as it would have.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

import numpy as np
import torch
from torch import Tensor

from mia_tui.config.train import TrainConfig
from mia_tui.engine.data.memory import free_device_bytes, free_ram_bytes
from mia_tui.engine.data.presence import LoadingStopped
from mia_tui.engine.data.reader import ImageReader, Pending, ShouldStop, Told, Watch
from mia_tui.errors import ConfigError
from mia_tui.runs.disk import OnWait
from mia_tui.runs.record.job import Sample

__all__ = ["EpochPlace", "ImageStore", "LoadingStopped", "ShouldStop", "Told", "choose_place", "open_images"]

EpochPlace = Literal["device", "ram", "none"]

_CHUNK = 64  # images decoded together while loading
_CHUNKS_AHEAD = 2  # of them, so that no thread waits for the last image of a chunk
_BATCHES_AHEAD = 3  # without a cache: one in use, two on their way
_DEVICE_SHARE = 0.4  # of the free memory: the rest is for the network and its activations
_RAM_SHARE = 0.5


class ImageStore(Protocol):
    """The images of a run, by row of its samples."""

    place: EpochPlace
    left_out: dict[int, str]
    """Rows that are left out of the present epoch, each with a sentence that says why. Always the same object; grows
    while images are read."""

    def fetch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """A batch.

        Args:
            rows: Rows of the samples, shape (N,), int64, on the CPU.

        Returns:
            The images that can be read, shape (M, C, H, W), uint8, channels last, on the device; and their
            positions in `rows`, ascending, shape (M,), int64, on the CPU. M may be 0.

        Raises:
            LoadingStopped: If somebody asked to stop while it waited for images that are away.
            AwayError: If they stay away.
        """

    def try_again(self, rows: Sequence[int] | None = None) -> None:
        """See whether images that are left out can be read by now; those that can are left out no more.

        Args:
            rows: Some of those that are left out; None for all of them.

        Raises:
            LoadingStopped: If somebody asked to stop.
            AwayError: If the disk they lie on stays away.
        """

    def can_read_any(self, rows: Sequence[int]) -> bool:
        """Whether one of some rows can be read now, left out or not; changes nothing."""

    def prefetch(self, batches: Sequence[Tensor]) -> None:
        """Say which batches will be fetched next, in order; replaces what was said before."""

    def close(self) -> None:
        """Let go of threads; the images cannot be fetched any more."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_images(
    samples: Sequence[Sample],
    root: Path,
    config: TrainConfig,
    device: torch.device,
    *,
    on_progress: Told | None = None,
    should_stop: ShouldStop | None = None,
    left_out: Mapping[int, str] | None = None,
    on_wait: OnWait | None = None,
) -> ImageStore:
    """The images of a run; decodes them all unless they are read anew each epoch.

    Args:
        samples: The run's samples; rows are positions in it.
        root: Folder that relative paths start from.
        config: Its cache, threads, size, colour, geometry, resize and max_megapixels are read.
        device: Where batches are wanted.
        on_progress: Told (images done, images in all) while loading, at most 5 times a second.
        should_stop: Asked after each image while loading, and while waiting for images that are away.
        left_out: Rows that are left out of the present epoch, with the reasons, where that was begun before. They
            are read by `try_again` only: an epoch that goes on must not see other images than before.
        on_wait: Told why it waits, and None when it goes on.

    Raises:
        LoadingStopped: If `should_stop` said so.
        AwayError: If the disk with the images is away and stays so.
        ConfigError: If the cache asked for does not fit.
    """
    place = choose_place(len(samples), config, device)
    reader = ImageReader(
        samples, root, config, left_out=left_out or {}, should_stop=should_stop, on_wait=on_wait
    )
    if place == "none":
        return _Streamed(reader, device)
    try:
        return _Kept(reader, device, place, Watch(len(samples), on_progress, should_stop))
    except BaseException:
        reader.close()
        raise


def choose_place(count: int, config: TrainConfig, device: torch.device) -> EpochPlace:
    """Where the images go: what was asked for, or by size.

    Raises:
        ConfigError: If they do not fit where they were asked for.
    """
    need = count * config.width * config.height * (3 if config.color else 1)
    match config.cache:
        case "none":
            return "none"
        case "device":
            _check_fits(need, free_device_bytes(device), f"on the device {device}")
            return "device"
        case "ram":
            _check_fits(need, free_ram_bytes(), "in memory")
            return "ram"
        case "auto":
            if device.type != "cpu" and need <= _DEVICE_SHARE * free_device_bytes(device):
                return "device"
            return "ram" if need <= _RAM_SHARE * free_ram_bytes() else "none"


def _check_fits(need: int, free: int, where: str) -> None:
    if need > free:
        raise ConfigError(
            f"The images take {need / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free {where}.",
            "Set --cache auto, or --cache none to read them anew each epoch.",
        )


class _Store:
    """What all stores share: a device, rows that are left out, and being closed."""

    def __init__(self, reader: ImageReader, device: torch.device, place: EpochPlace) -> None:
        self.place: EpochPlace = place
        self.left_out = reader.left_out
        self._reader = reader
        self._device = device

    def close(self) -> None:
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def try_again(self, rows: Sequence[int] | None = None) -> None:
        wanted = sorted(self.left_out) if rows is None else list(rows)
        while wanted:
            self._reader.presence.wait(wanted)
            for row, pixels, problem in self._reader.read_each(wanted):
                self._take_back(row, pixels)
                if problem is None:
                    del self.left_out[row]
                else:
                    self.left_out[row] = problem
                self._reader.presence.tell(row, is_read=problem is None)
            wanted = [row for row in wanted if row in self.left_out]
            if wanted and not self._reader.presence.is_away(wanted):
                break

    def can_read_any(self, rows: Sequence[int]) -> bool:
        return any(problem is None for _, _, problem in self._reader.read_each(rows))

    def _take_back(self, row: int, pixels: np.ndarray | None) -> None:
        """Keep the pixels (H, W, C) of an image that can be read again, where images are kept."""

    def _batch(self, pixels: Tensor) -> Tensor:
        """(M, H, W, C) anywhere to (M, C, H, W), channels last, on the device."""
        if self._device.type == "cuda" and not pixels.is_cuda:
            pixels = pixels.pin_memory()  # so that the copy goes on beside the GPU's work
        return pixels.to(self._device, non_blocking=True).permute(0, 3, 1, 2)


class _Kept(_Store):
    """Every image decoded once; unreadable ones keep an empty place."""

    def __init__(self, reader: ImageReader, device: torch.device, place: EpochPlace, watch: Watch) -> None:
        super().__init__(reader, device, place)
        home = device if place == "device" else torch.device("cpu")
        self._pixels = torch.zeros((len(reader), *reader.shape), dtype=torch.uint8, device=home)
        self._readable = torch.zeros(len(reader), dtype=torch.bool)
        ahead: deque[Pending] = deque()
        for start in range(0, len(reader), _CHUNK):
            ahead.append(reader.start(torch.arange(start, min(start + _CHUNK, len(reader)))))
            if len(ahead) > _CHUNKS_AHEAD:
                self._keep(ahead.popleft(), watch)
        while ahead:
            self._keep(ahead.popleft(), watch)

    def _keep(self, pending: Pending, watch: Watch) -> None:
        pixels, kept = pending.result(watch)
        rows = pending.rows[kept]
        self._pixels[rows.to(self._pixels.device)] = pixels.to(self._pixels.device)
        self._readable[rows] = True

    def _take_back(self, row: int, pixels: np.ndarray | None) -> None:
        if pixels is not None:
            self._pixels[row] = torch.from_numpy(pixels)
            self._readable[row] = True

    def fetch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        kept = self._readable[rows].nonzero().squeeze(1)
        chosen = rows[kept].to(self._pixels.device, non_blocking=True)
        return self._batch(self._pixels.index_select(0, chosen)), kept

    def prefetch(self, batches: Sequence[Tensor]) -> None:
        """Nothing to do: they are here."""


class _Streamed(_Store):
    """Images decoded when they are wanted, the next batches in the background."""

    def __init__(self, reader: ImageReader, device: torch.device) -> None:
        super().__init__(reader, device, "none")
        self._planned: deque[Tensor] = deque()
        self._ahead: deque[Pending] = deque()

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

    def _take(self, rows: Tensor) -> Pending:
        """The batch as it was planned, or a new one where something else is asked for."""
        if any(torch.equal(pending.rows, rows) for pending in self._ahead):
            while not torch.equal((pending := self._ahead.popleft()).rows, rows):
                pending.cancel()  # passed over
            return pending
        return self._reader.start(rows)

    def _start_more(self) -> None:
        while self._planned and len(self._ahead) < _BATCHES_AHEAD - 1:
            self._ahead.append(self._reader.start(self._planned.popleft()))
