"""The images of a run in 8 or 16 bits on the device, wherever they are cached.

    device   decoded once, kept on the device
    ram      decoded once, kept in memory, copied batch by batch
    disk     decoded once, kept in the user's cache folder, read batch by batch
    none     decoded anew for each batch, ahead of time (`prefetch`)

All use the same `ImageReader`, so the pixels are the same to the bit. Decoding runs in threads: Pillow releases
Python's lock while it decodes and resizes, and threads need no copy of the process and no pickling. It happens during
the first epoch, in the order of its batches: ahead of the steps of a GPU; between those of a CPU, whose cores would
otherwise wait for each other.

What is in the user's cache folder (`dataset.decoded`) is there for other runs, too, and for the other processes of a
run, each of which adds what it decodes. With `auto` images are kept there whatever the place, if there is room. The
files are read, not mapped into memory: the system keeps them there as far as it is free, from where reading is as
fast, and a disk that fails is then an error that ends no run.

Images are kept at the size of the input, without a margin for random crops. Of cells of 160 pixels a crop of a third
of the area has 0.88 of the contrast of edges that a new decoding had at 96 pixels, 0.98 at 224; of photos of 500
pixels 0.6. A margin of 1.25 gives 0.05 to 0.1 of that back for 1.6 times the bytes, one of 1.7 most for 2.9 times,
and both would show the network other pixels than validation and prediction do.

An image that cannot be read is left out of an epoch and reported; it is never an error. At the start of an epoch the
images left out of the previous one are tried again (`try_again`); what cannot be read then stays out of the whole
epoch, even if it becomes readable in its middle. An image may turn out to be unreadable later in the epoch; it is
then missing from the rest of it (of which it is the whole, unless `sampling` shows images several times, or others
are mixed with it). So `left_out` is all that must be saved to resume an epoch in its middle.
"""

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mia_tui.config.train import TrainConfig
from mia_tui.dataset.decoded.images import DecodedImages
from mia_tui.dataset.images.decode import NetworkInput
from mia_tui.dataset.model import FRAME_NUMBERING
from mia_tui.disk_errors import disk_error
from mia_tui.engine.data.disk_watch import Problem
from mia_tui.engine.data.memory import free_device_bytes
from mia_tui.engine.data.network_input import bytes_of_image
from mia_tui.engine.data.reader import (
    ImageReader,
    PendingBatch,
    PendingImages,
    ShouldStop,
    row_groups,
)
from mia_tui.engine.data.scaling import to_tensor
from mia_tui.errors import ConfigError
from mia_tui.memory import free_ram_bytes
from mia_tui.runs.disk import OnWait
from mia_tui.runs.record.job import Sample
from mia_tui.runs.record.time_use import TimePart
from mia_tui.text import counted, size_words

Mark = Callable[[TimePart], None]
"""Called when a part of a step has ended; the next one begins then."""

CacheKind = Literal["device", "ram", "disk", "none"]

_TOGETHER = 64  # images of one fetch while groups are checked
_MOST_AHEAD = 256 << 20  # bytes of images that are decoded before they are asked for
_BATCHES_AHEAD = 3  # that are not cached in memory: one in use, two being decoded
_DEVICE_SHARE = 0.4  # of the free memory: the network and its activations need the other part
_RAM_SHARE = 0.5


def unmarked(part: TimePart) -> None:
    """Measure nothing."""


class ImageStore(ABC):
    """The images of a run, by row of its samples.

    Attributes:
        place: Where they are cached.
        left_out: Rows that are left out of the current epoch, each with a sentence that says why. Always the same
            object; it grows while images are read.
        other_types: Rows whose files hold numbers of a type that was not measured, with the name of that type; it
            grows likewise.
        mark: Called with `images` once those of a batch are there, before they are copied to the device.
        keeping: How many images there are, and where they are kept, in words.
    """

    def __init__(self, reader: ImageReader, device: torch.device, place: CacheKind) -> None:
        self.place: CacheKind = place
        self.left_out = reader.left_out
        self.other_types = reader.other_types
        self.mark: Mark = unmarked
        self.keeping = ""
        self._has_told = False
        self._reader = reader
        self._device = device

    def check_groups(self, groups: npt.NDArray[np.int64]) -> None:
        """Read images of each group until one can be read; of a group without such an image, all are left out then.

        Args:
            groups: The number of the group that each row belongs to, see `row_groups`.

        Raises:
            WorkStopped: If a stop was requested.
            AwayError: If the disk stayed away.
        """
        members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
        size, start = 1, 0
        while members:
            self._reader.check_stop()
            some = np.concatenate([rows[start : start + size] for rows in members])
            for at in range(0, len(some), _TOGETHER):
                _, kept = self.fetch(torch.from_numpy(some[at : at + _TOGETHER]))
                readable = groups[some[at : at + _TOGETHER][kept.numpy()]]
                members = [rows for rows in members if groups[rows[0]] not in readable]
            start, size = start + size, min(8 * size, _TOGETHER)
            members = [rows for rows in members if len(rows) > start]

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

    def take_disk_problem(self) -> str | None:
        """Why images are not kept on the disk any more, a sentence, at the first call; None if they are."""
        problem = self._reader.disk_problem
        is_new = problem is not None and not self._has_told
        self._has_told = self._has_told or is_new
        return problem if is_new else None

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
        self.mark("images")
        if self._device.type == "cuda" and not (pixels.is_cuda or pixels.is_pinned()):
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
    processes: int = 1,
) -> ImageStore:
    """The images of a run, none of which is read yet.

    Args:
        samples: The run's samples; rows are positions in it.
        root: Folder that relative paths start from.
        config: Its cache and threads are read.
        wanted: How images become pixels.
        device: Device the batches are put on.
        should_stop: Polled while images are checked, and while waiting for a disk.
        left_out: Rows that are left out of the current epoch, with the reasons, if it is resumed in its middle. They
            are read by `try_again` only: a resumed epoch must not see other images than before.
        on_wait: Called with the reason when waiting for a disk begins, and with None when it is over.
        numbering: What the frames of the samples are.
        processes: How many processes of this machine have the images of the run open, each with its own batches.

    Raises:
        ConfigError: If the images do not fit into the requested cache.
    """
    row_bytes = bytes_of_image(wanted)
    place = choose_cache(len(samples) * row_bytes, config, device, processes=processes)
    decoded, problem = None, None
    if config.cache in ("auto", "disk"):
        decoded, problem = _open_decoded(samples, root, wanted, row_bytes, numbering)
    if place == "disk" and decoded is None:
        place = "none"
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
        decoded=decoded,
    )
    images: ImageStore
    if place in ("disk", "none"):
        images = StreamedImages(reader, device, place)
    else:
        ahead = device.type != "cpu"
        images = CachedImages(reader, device, place, ahead=ahead, reads_all=processes == 1)
    images.keeping = _keeping(place, len(samples), row_bytes, decoded, problem)
    return images


def _open_decoded(
    samples: Sequence[Sample], root: Path, wanted: NetworkInput, row_bytes: int, numbering: int
) -> tuple[DecodedImages | None, str | None]:
    """The images in the user's cache folder; None if they cannot be kept there, and why, part of a sentence."""
    try:
        decoded = DecodedImages.of_run(root, samples, wanted, row_bytes, numbering)
    except OSError as error:
        return None, disk_error(error, Path(error.filename or root)).message.rstrip(".")
    if decoded.can_hold_all:
        return decoded, None
    decoded.close()
    return None, "the disk has no room for them that decoded_gb in config.toml allows"


def _keeping(
    place: CacheKind, count: int, row_bytes: int, decoded: DecodedImages | None, problem: str | None
) -> str:
    """Where images are kept, and which are there already, as the rest of a sentence."""
    where = {
        "device": "kept on the device",
        "ram": "kept in memory",
        "disk": "kept on the disk",
        "none": "read again each epoch",
    }[place]
    words = f"{counted(count, 'image')}, {size_words(count * row_bytes)}, {where}"
    if decoded is not None:
        known = f"{decoded.count:,} are there from earlier runs" if decoded.count else "for later runs, too"
        return f"{words}; {known}" if place == "disk" else f"{words} and on the disk; {known}"
    return words if problem is None else f"{words}, not on the disk: {problem}"


def choose_cache(need: int, config: TrainConfig, device: torch.device, *, processes: int = 1) -> CacheKind:
    """Where the images are cached: as the user asked, or by the bytes they need.

    Args:
        need: Bytes of all images.
        config: Its `cache` is read.
        device: What the batches are put on.
        processes: How many keep the images in the same memory; each has a device of its own.

    Raises:
        ConfigError: If they do not fit there.
    """
    match config.cache:
        case "none" | "disk":
            return config.cache
        case "device":
            _check_fits(need, free_device_bytes(device), f"on the device {device}")
            return "device"
        case "ram":
            _check_fits(need * processes, free_ram_bytes(), "in memory")
            return "ram"
        case "auto":
            if device.type != "cpu" and need <= _DEVICE_SHARE * free_device_bytes(device):
                return "device"
            return "ram" if need * processes <= _RAM_SHARE * free_ram_bytes() else "disk"


def _check_fits(need: int, free: int, where: str) -> None:
    if need > free:
        raise ConfigError(
            f"The images take {need / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free {where}.",
            "Set --cache auto, --cache disk, or --cache none to read them anew each epoch.",
        )


class CachedImages(ImageStore):
    """Every image decoded once, and kept in memory or on the device; unreadable ones leave a gap.

    Training begins with the first batch, and each batch waits for its own images only.

    Args:
        reader: Reads the images.
        device: Device the batches are put on.
        place: Where the images are kept.
        ahead: Whether images are decoded in the background, in the order of the batches that were announced.
        reads_all: Whether all others follow then; not where other processes of the run read them.
    """

    def __init__(
        self,
        reader: ImageReader,
        device: torch.device,
        place: CacheKind,
        *,
        ahead: bool,
        reads_all: bool = True,
    ) -> None:
        super().__init__(reader, device, place)
        self._reads_all = reads_all
        cached_on = device if place == "device" else torch.device("cpu")
        kind = torch.int16 if reader.dtype == np.uint16 else torch.uint8
        self._pixels = torch.zeros((len(reader), *reader.shape), dtype=kind, device=cached_on)
        self._readable = torch.zeros(len(reader), dtype=torch.bool)
        # Images of 8 bits are decoded to where they stay.
        self._in_place: npt.NDArray[np.uint8] | None = None
        if cached_on.type == "cpu" and kind == torch.uint8:
            self._in_place = self._pixels.numpy()
        self._begun: dict[int, tuple[Future[Problem], np.ndarray]] = {}
        self._planned: Iterator[int] = iter(())
        row_bytes = math.prod(reader.shape) * self._pixels.element_size()
        self._most_begun = max(_TOGETHER, _MOST_AHEAD // row_bytes) if ahead else 0

    def fetch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        asked = dict.fromkeys(rows[~self._readable[rows]].tolist())  # `sampling` may show an image twice
        missing = [row for row in asked if row not in self.left_out]
        if missing:
            self._fill(missing)
        self._begin_more()
        kept = self._readable[rows].nonzero().squeeze(1)
        return self._batch(self._taken(rows[kept])), kept

    def prefetch(self, batches: Sequence[Tensor]) -> None:
        if bool(self._readable.all()):
            return
        self._reader.find_decoded()
        others = range(len(self._readable) if self._reads_all else 0)
        self._planned = chain(chain.from_iterable(rows.tolist() for rows in batches), others)
        self._begin_more()

    def _fill(self, rows: list[int]) -> None:
        """Decode rows, or wait for those that are being decoded, and keep those that can be read."""
        begun = {row: self._begun.pop(row) for row in rows if row in self._begun}
        into = [begun[row][1] if row in begun else self._space(row) for row in rows]
        futures = {row: future for row, (future, _) in begun.items()}
        kept = PendingImages(self._reader, rows, into, futures).settle()
        if not kept:
            return
        read = torch.tensor([rows[position] for position in kept], dtype=torch.int64)
        if self._in_place is None:
            pixels = self._on_its_way(to_tensor(np.stack([into[position] for position in kept])))
            self._pixels.index_copy_(0, self._on_its_way(read), pixels)
        self._readable[read] = True

    def _on_its_way(self, values: Tensor) -> Tensor:
        """Values of the CPU on the device of the cache, without waiting for what that has to do."""
        return values.to(self._pixels.device, non_blocking=True)

    def _begin_more(self) -> None:
        while len(self._begun) < self._most_begun:
            row = next(self._planned, None)
            if row is None:
                break
            if not (self._readable[row] or row in self._begun or row in self.left_out):
                into = self._space(row)
                self._begun[row] = self._reader.submit(row, into), into

    def _space(self, row: int) -> np.ndarray:
        """Where the pixels of an image go, shape (H, W, C)."""
        if self._in_place is not None:
            place: np.ndarray = self._in_place[row]
            return place
        return np.empty(self._reader.shape, self._reader.dtype)

    def _taken(self, rows: Tensor) -> Tensor:
        """The pixels of some rows, where they are cached; pinned if they are copied to a GPU from there."""
        if self._pixels.is_cuda or self._device.type != "cuda":
            return self._pixels.index_select(0, self._on_its_way(rows))
        shape = len(rows), *self._pixels.shape[1:]
        pinned = torch.empty(shape, dtype=self._pixels.dtype, pin_memory=True)
        return torch.index_select(self._pixels, 0, rows, out=pinned)

    def _drop(self, row: int) -> None:
        self._readable[row] = False

    def _take_back(self, row: int, pixels: np.ndarray | None) -> None:
        if pixels is not None:
            self._pixels[row] = to_tensor(pixels)
            self._readable[row] = True


class StreamedImages(ImageStore):
    """Images decoded for each batch, or read from the disk where they are decoded; the next in the background."""

    def __init__(self, reader: ImageReader, device: torch.device, place: CacheKind = "none") -> None:
        super().__init__(reader, device, place)
        self._planned: deque[Tensor] = deque()
        self._ahead: deque[PendingBatch] = deque()

    def fetch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        pending = self._take(rows)
        self._start_more()
        pixels, kept = pending.result()
        return self._batch(pixels), kept

    def prefetch(self, batches: Sequence[Tensor]) -> None:
        self._planned, begun, self._ahead = deque(batches), self._ahead, deque()
        for pending in begun:
            if self._planned and torch.equal(pending.rows, self._planned[0]):
                self._planned.popleft()
                self._ahead.append(pending)
            else:
                pending.cancel()
        self._reader.find_decoded()
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
