"""The images and targets of a run, by row of its samples.jsonl, ready for the network."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from mia_tui.config.train import TrainConfig
from mia_tui.dataset.model import Part
from mia_tui.engine.data.augment import augment
from mia_tui.engine.data.images import ImageStore, open_images
from mia_tui.engine.data.order import batches, epoch_order
from mia_tui.engine.data.reader import ShouldStop, Told
from mia_tui.engine.data.scaling import Channels, standardise, to_unit
from mia_tui.runs.disk import OnWait
from mia_tui.runs.record.job import Sample


@dataclass(frozen=True)
class Batch:
    """Some images of a run.

    Attributes:
        images: Shape (N, channels, H, W), float32, normalised, channels last; on the device.
        targets: Shape (N,), int64, on the device.
        rows: Their rows among the samples, shape (N,), int64, on the CPU.
    """

    images: Tensor
    targets: Tensor
    rows: Tensor


class Feed:
    """Batches of the parts of a run.

    Unreadable images are left out of their batch, so that every other batch is as it would be without
    them, whatever the cache.

    Args:
        samples: The run's samples; a row is a position in them.
        root: Folder their paths are relative to.
        config: Settings.
        device: Where batches are wanted.
        scaling: Mean and deviation of each channel, for pixels in 0..1.
        on_progress: Told (images done, images in all) while loading.
        should_stop: Asked while loading, and while waiting for images that are away.
        left_out: Rows that are left out of the present epoch, with the reasons; see `images`.
        on_wait: Told why it waits, and None when it goes on.

    Raises:
        LoadingStopped: If `should_stop` said so.
        AwayError: If the disk with the images is away and stays so.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        root: Path,
        config: TrainConfig,
        device: torch.device,
        *,
        scaling: tuple[Channels, Channels],
        on_progress: Told | None = None,
        should_stop: ShouldStop | None = None,
        left_out: Mapping[int, str] | None = None,
        on_wait: OnWait | None = None,
    ) -> None:
        self.config = config
        self.samples = samples
        self.images: ImageStore = open_images(
            samples,
            root,
            config,
            device,
            on_progress=on_progress,
            should_stop=should_stop,
            left_out=left_out,
            on_wait=on_wait,
        )
        self._device = device
        self._scaling = scaling
        self._targets = torch.tensor([sample.class_index for sample in samples], dtype=torch.int64)

    def rows(self, part: Part) -> Tensor:
        """Rows of one part, ascending, int64."""
        found = [row for row, sample in enumerate(self.samples) if sample.split == part]
        return torch.tensor(found, dtype=torch.int64)

    def training_batches(self, epoch: int, *, start: int) -> Iterator[Batch]:
        """The batches of an epoch from step `start` on, shuffled and augmented.

        Unreadable images may leave a batch with one image or none; it still is a step.
        """
        rows = self.rows("train")
        order = rows[epoch_order(len(rows), seed=self.config.seed, epoch=epoch)]
        wanted = batches(order, self.config.batch_size)[start:]
        for chosen, pixels, kept in self._fetch(wanted):
            samples = chosen[kept]  # on the CPU: copying it over would wait for the GPU
            images = augment(
                to_unit(pixels), self.config, seed=self.config.seed, epoch=epoch, samples=samples
            )
            yield Batch(standardise(images, *self._scaling), self._targets_of(samples), samples)

    def plain_batches(self, rows: Tensor) -> Iterator[Batch]:
        """Batches of the given rows in their order, not augmented."""
        for chosen, pixels, kept in self._fetch(batches(rows, self.config.batch_size, keep_single=True)):
            samples = chosen[kept]
            yield Batch(standardise(to_unit(pixels), *self._scaling), self._targets_of(samples), samples)

    def close(self) -> None:
        """Let go of the threads that read images; there are no more batches."""
        self.images.close()

    def _targets_of(self, rows: Tensor) -> Tensor:
        # Without non_blocking the CPU would wait at every step for all that the GPU still has to do.
        return self._targets[rows].to(self._device, non_blocking=True)

    def _fetch(self, wanted: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        self.images.prefetch(wanted)
        for chosen in wanted:
            pixels, kept = self.images.fetch(chosen)
            yield chosen, pixels, kept
