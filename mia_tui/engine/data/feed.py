"""The batches of a run: in which order, of which images, ready for the network.

The order of an epoch is a function of (seed, epoch): a resumed run computes it again and continues at its step.
It is not torch.randperm, whose algorithm may change from one torch to the next.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from mia_tui.config.train import TrainConfig
from mia_tui.dataset.images.decode import NetworkInput
from mia_tui.dataset.model import FRAME_NUMBERING, Part
from mia_tui.engine.data.augment import augment
from mia_tui.engine.data.images import ImageStore, open_images
from mia_tui.engine.data.random import ORDER_STREAM, hashes
from mia_tui.engine.data.reader import ShouldStop
from mia_tui.engine.data.scaling import Channels, standardise, to_unit
from mia_tui.runs.disk import OnWait
from mia_tui.runs.record.job import Sample


def epoch_order(count: int, *, seed: int, epoch: int) -> Tensor:
    """A permutation of 0..count-1, shape (count,), int64, on the CPU."""
    keys = hashes(seed, epoch, torch.arange(count), stream=ORDER_STREAM)
    return torch.argsort(keys, stable=True)


def batches(order: Tensor, batch_size: int, *, keep_single: bool = False) -> list[Tensor]:
    """Cut an order into batches; the last one may be smaller.

    Args:
        order: Row numbers, shape (count,), int64.
        batch_size: Images per batch, at least 1.
        keep_single: Whether a last batch of one image is kept. Training drops it, since batch normalisation
            has no variance over one image; another image is dropped in the next epoch. With a batch size
            of 1, and for validation, all are kept.

    Returns:
        Shapes (batch_size,), the last one smaller; no batches for no images.
    """
    cut = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    if cut and len(cut[-1]) == 1 < batch_size and not keep_single:
        cut.pop()
    return cut


@dataclass(frozen=True)
class Mix:
    """What was mixed into the images of a batch: each is one image by its share, and another one by the rest.

    Attributes:
        targets: Of the other images, shape (N,), int64, on the device.
        share: Of the images' own targets, shape (N,), float32 in 0..1, on the device; 1 where nothing was mixed in.
    """

    targets: Tensor
    share: Tensor


@dataclass(frozen=True)
class Batch:
    """Some images of a run, with their targets.

    Attributes:
        images: Shape (N, channels, H, W), float32, normalised, channels last; on the device.
        targets: Shape (N,), int64, on the device.
        rows: Their rows among the samples, shape (N,), int64, on the CPU.
        mix: What was mixed into them; None for nothing.
    """

    images: Tensor
    targets: Tensor
    rows: Tensor
    mix: Mix | None = None


class Feed:
    """Gives the batches of a run's parts.

    Unreadable images are left out of their batch; all other batches stay the same, whatever the cache.

    Args:
        samples: The run's samples; a row is a position in them.
        root: Folder their paths are relative to.
        config: Settings.
        wanted: How images become pixels.
        device: Device the batches are put on.
        scaling: Mean and deviation of each channel, for pixels in 0..1.
        should_stop: Polled while loading, and while waiting for a disk.
        left_out: Rows that are left out of the current epoch, with the reasons; see `images`.
        on_wait: Called with the reason when waiting for a disk begins, and with None when it is over.
        numbering: What the frames of the samples are.
        images: The images of the same samples, where another feed has them already.

    Attributes:
        images: The images of the run; to be loaded before batches are asked for.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        root: Path,
        config: TrainConfig,
        wanted: NetworkInput,
        device: torch.device,
        *,
        scaling: tuple[Channels, Channels],
        should_stop: ShouldStop | None = None,
        left_out: Mapping[int, str] | None = None,
        on_wait: OnWait | None = None,
        numbering: int = FRAME_NUMBERING,
        images: ImageStore | None = None,
    ) -> None:
        self.config = config
        self.samples = samples
        self.images: ImageStore = images or open_images(
            samples,
            root,
            config,
            wanted,
            device,
            should_stop=should_stop,
            left_out=left_out,
            on_wait=on_wait,
            numbering=numbering,
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

        Without its unreadable images a batch may have one image or none; it still counts as a step.
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
        """Stop the threads that read images; no batches can be fetched any more."""
        self.images.close()

    def _targets_of(self, rows: Tensor) -> Tensor:
        # Without non_blocking the CPU would wait at every step for all that the GPU still has to do.
        return self._targets[rows].to(self._device, non_blocking=True)

    def _fetch(self, wanted: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        self.images.prefetch(wanted)
        for chosen in wanted:
            pixels, kept = self.images.fetch(chosen)
            yield chosen, pixels, kept
