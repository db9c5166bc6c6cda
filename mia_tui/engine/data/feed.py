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
from mia_tui.config.train.epoch_work import epoch_size, scaled_to
from mia_tui.dataset.images.decode import NetworkInput
from mia_tui.dataset.model import FRAME_NUMBERING, Part
from mia_tui.engine.data.augment import augment
from mia_tui.engine.data.augmentation.mixing import Portion, is_mixed, mix_images, portion_of
from mia_tui.engine.data.augmentation.moves import draw_moves
from mia_tui.engine.data.images import ImageStore, Mark, open_images, unmarked
from mia_tui.engine.data.network_input import is_rgb
from mia_tui.engine.data.random import ORDER_STREAM, hashes
from mia_tui.engine.data.reader import ShouldStop, row_groups
from mia_tui.engine.data.sampling import shown_in_epoch
from mia_tui.engine.data.scaling import Channels, standardise, to_unit, to_unit_of_size
from mia_tui.engine.parallel.ranks import ALONE, Ranks
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
        ranks: The processes that share out each batch.

    Attributes:
        images: The images of the run.
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
        ranks: Ranks = ALONE,
    ) -> None:
        self.config = config
        self._ranks = ranks
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
            processes=ranks.local_count,
        )
        self._mark: Mark = unmarked
        self._device = device
        self._scaling = scaling
        self._is_rgb = is_rgb(wanted)
        self._targets = torch.tensor([sample.class_index for sample in samples], dtype=torch.int64)

    def measure(self, mark: Mark) -> None:
        """Have `images` and `augmenting` marked from now on, as each batch is made."""
        self._mark = self.images.mark = mark

    def rows(self, part: Part) -> Tensor:
        """Rows of one part, ascending, int64."""
        found = [row for row, sample in enumerate(self.samples) if sample.split == part]
        return torch.tensor(found, dtype=torch.int64)

    def begin(self, epoch: int, *, start: int) -> None:
        """Check that each class has an image that can be read, and begin to read those of an epoch from a step on.

        What cannot be read is then among the images left out, all of a class if that has no other.

        Raises:
            WorkStopped: If a stop was requested.
            AwayError: If the disk with the images stayed away.
        """
        self.images.check_groups(row_groups(self.samples))
        keys = self._keys(epoch)
        self.images.prefetch(self._rows_of(keys, self._portions(len(keys), start)))

    def training_batches(self, epoch: int, *, start: int) -> Iterator[Batch]:
        """The batches of an epoch from step `start` on, shuffled and augmented; of several processes, its part.

        Without its unreadable images a batch may have one image or none; it still counts as a step.
        """
        seed, (height, width) = self.config.seed, epoch_size(self.config, epoch)
        config = scaled_to(self.config, height)
        keys = self._keys(epoch)
        moves = draw_moves(config, seed=seed, epoch=epoch, samples=keys)
        portions = self._portions(len(keys), start)
        fetched = self._fetch(self._rows_of(keys, portions))
        for portion, (_, pixels, kept) in zip(portions, fetched, strict=True):
            left = portion.readable(kept)
            shown = keys[left.places]  # on the CPU: copying it over would wait for the GPU
            if pixels.shape[2:] != (height, width):
                pixels = to_unit_of_size(pixels, height, width)
            images = augment(
                pixels,
                config,
                seed=seed,
                epoch=epoch,
                samples=shown,
                moves=moves[left.places],
                is_rgb=self._is_rgb,
            )
            batch = self._mixed(images, shown, left.partners, epoch)
            self._mark("augmenting")
            yield batch

    def _mixed(self, images: Tensor, keys: Tensor, partners: Tensor, epoch: int) -> Batch:
        """A batch of the images that are trained on, with others mixed in; see `mix_images`."""
        own = keys[: len(partners)]
        rows = own % len(self.samples)
        mix = None
        if is_mixed(self.config):
            images, share = mix_images(
                images, self.config, seed=self.config.seed, epoch=epoch, samples=own, partners=partners
            )
            others = torch.where(partners >= 0, keys[partners], own) % len(self.samples)
            mix = Mix(self._targets_of(others), share.to(self._device, non_blocking=True))
        return Batch(standardise(images, *self._scaling), self._targets_of(rows), rows, mix)

    def plain_batches(self, rows: Tensor) -> Iterator[Batch]:
        """Batches of the given rows in their order, not augmented; of several processes, this one's share."""
        yield from self._plain(self._ranks.share(batches(rows, self.config.batch_size, keep_single=True)))

    def mixed_batches(self, most: int) -> Iterator[Batch]:
        """Training images in an order in which classes are mixed, at most so many; the same at each call.

        As `plain_batches`, of two images or more.
        """
        rows = self.rows("train")
        order = rows[epoch_order(len(rows), seed=self.config.seed, epoch=0)][:most]  # epochs begin at 1
        yield from self._plain(batches(order, max(2, self.config.batch_size)))

    def close(self) -> None:
        """Stop the threads that read images; no batches can be fetched any more."""
        self.images.close()

    def _keys(self, epoch: int) -> Tensor:
        """What an epoch shows, in order: rows of images, and beyond the number of samples the same rows once more.

        So what is drawn for an image that is shown twice is drawn anew.
        """
        rows = self.rows("train")
        seed = self.config.seed
        shown = shown_in_epoch(rows, self._targets[rows], self.config.sampling, seed=seed, epoch=epoch)
        keys = shown.rows + shown.turn * len(self.samples)
        return keys[epoch_order(len(keys), seed=seed, epoch=epoch)]

    def _portions(self, count: int, start: int) -> list[Portion]:
        """What is read for each batch of an epoch of so many images, from a step on."""
        return [
            portion_of(places, self._ranks.part(torch.arange(len(places))), self.config)
            for places in batches(torch.arange(count), self.config.batch_size)[start:]
        ]

    def _rows_of(self, keys: Tensor, portions: Sequence[Portion]) -> list[Tensor]:
        return [keys[portion.places] % len(self.samples) for portion in portions]

    def _plain(self, wanted: Sequence[Tensor]) -> Iterator[Batch]:
        for chosen, pixels, kept in self._fetch(wanted):
            samples = chosen[kept]
            yield Batch(standardise(to_unit(pixels), *self._scaling), self._targets_of(samples), samples)

    def _targets_of(self, rows: Tensor) -> Tensor:
        # Without non_blocking the CPU would wait at every step for all that the GPU still has to do.
        return self._targets[rows].to(self._device, non_blocking=True)

    def _fetch(self, wanted: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        self.images.prefetch(wanted)
        for chosen in wanted:
            pixels, kept = self.images.fetch(chosen)
            yield chosen, pixels, kept
