"""The images of a run as uint8 on the device, wherever they are kept in between.

    device   decoded once, kept on the device
    ram      decoded once, kept in memory, copied batch by batch
    none     decoded anew for each batch, ahead of time (`prefetch`)

All three decode by the same `ImageReader`, so the pixels are the same to the bit. An image that cannot be
read is left out and named, never an error. Decoding runs in threads: Pillow lets go of Python's lock while it
decodes and resizes, and threads need no copy of the process and no pickling.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

import torch
from torch import Tensor

from mia_tui.config.train import TrainConfig
from mia_tui.engine.data.memory import free_device_bytes, free_ram_bytes
from mia_tui.engine.data.reader import ImageReader, LoadingStopped, Pending, ShouldStop, Told, Watch
from mia_tui.errors import ConfigError
from mia_tui.runs.job import Sample

__all__ = ["ImageStore", "LoadingStopped", "Place", "ShouldStop", "Told", "choose_place", "open_images"]

Place = Literal["device", "ram", "none"]

_CHUNK = 64  # images decoded together while loading
_CHUNKS_AHEAD = 2  # of them, so that no thread waits for the last image of a chunk
_BATCHES_AHEAD = 3  # without a cache: one in use, two on their way
_DEVICE_SHARE = 0.4  # of the free memory: the rest is for the network and its activations
_RAM_SHARE = 0.5


class ImageStore(Protocol):
    """The images of a run, by row of its samples."""

    place: Place
    skipped: dict[int, str]
    """Rows whose image cannot be read, each with a sentence that says why. Grows while images are read."""

    def fetch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """A batch.

        Args:
            rows: Rows of the samples, shape (N,), int64, on the CPU.

        Returns:
            The images that can be read, shape (M, C, H, W), uint8, channels last, on the device; and their
            positions in `rows`, ascending, shape (M,), int64, on the CPU. M may be 0.
        """

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
    skipped: Mapping[int, str] | None = None,
) -> ImageStore:
    """The images of a run; decodes them all unless they are read anew each epoch.

    Args:
        samples: The run's samples; rows are positions in it.
        root: Folder that relative paths start from.
        config: Its cache, threads, size, colour, geometry, resize and max_megapixels are read.
        device: Where batches are wanted.
        on_progress: Told (images done, images in all) while loading, at most 5 times a second.
        should_stop: Asked after each image while loading.
        skipped: Rows that were skipped before the run was broken off, with the reason. They are not tried
            again: a run that goes on must not see other images than before.

    Raises:
        LoadingStopped: If `should_stop` said so.
        ConfigError: If the cache asked for does not fit.
    """
    place = choose_place(len(samples), config, device)
    reader = ImageReader(samples, root, config, skipped=skipped or {})
    if place == "none":
        return _Streamed(reader, device)
    try:
        return _Kept(reader, device, place, Watch(len(samples), on_progress, should_stop))
    finally:
        reader.close()


def choose_place(count: int, config: TrainConfig, device: torch.device) -> Place:
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
    """What all stores share: a device, skipped rows, and being closed."""

    def __init__(self, reader: ImageReader, device: torch.device, place: Place) -> None:
        self.place: Place = place
        self.skipped = reader.skipped
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

    def _batch(self, pixels: Tensor) -> Tensor:
        """(M, H, W, C) anywhere to (M, C, H, W), channels last, on the device."""
        if self._device.type == "cuda" and not pixels.is_cuda:
            pixels = pixels.pin_memory()  # so that the copy goes on beside the GPU's work
        return pixels.to(self._device, non_blocking=True).permute(0, 3, 1, 2)


class _Kept(_Store):
    """Every image decoded once; unreadable ones keep an empty place."""

    def __init__(self, reader: ImageReader, device: torch.device, place: Place, watch: Watch) -> None:
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
