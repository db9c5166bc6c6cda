"""Random changes to the training images, in whole batches on the device.

Each happens with its own probability, in the order of the functions below. The kinds, their ranges and their
order are those of the predecessor, which takes them from imgaug; where it fills an uncovered border with black,
the image is reflected here.

A new one is a function marked with `@augmentation` (with the next free stream number, 9), its probability and ranges
as fields of TrainConfig (a range is two fields, NAME_min and NAME_max), and the same fields in the recipe `mia` of
config/recipes.py, its probability 0.

What happens to a sample is drawn from (seed, epoch, sample) and nothing else, and no image is computed
together with its neighbours: a sample gets the same pixels in any batch, before and after a resume.

Decisions are drawn on the CPU and only the images concerned are touched: choosing them on a GPU would make
the CPU wait for the GPU at every step. For the same reason angles and kernels are computed there, in float64:
a vectorised and a plain cosine may differ in the last bit, and rounding to float32 takes that away.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from mia_tui.config.train import TrainConfig
from mia_tui.engine.data.image_ops import (
    GRID_POINTS,
    Sampling,
    blur,
    gaussian_kernels,
    move_grid,
    warp,
)
from mia_tui.engine.data.random import ORDER_STREAM, uniforms, uniforms_at

_DROPOUT_PIXELS_STREAM = 7  # of the mask; `_dropout` itself has 6
_MIN_PATCHES = 3  # a side (imgaug 0.4); fewer could black out the whole image


@torch.no_grad()
def augment(images: Tensor, config: TrainConfig, *, seed: int, epoch: int, samples: Tensor) -> Tensor:
    """Augment a batch.

    Args:
        images: Shape (N, C, H, W), float32 in 0..1, any memory format; left as they are.
        config: Its augmentation fields are read.
        seed: Seed of the run.
        epoch: Number of the epoch.
        samples: Row number of each image in the run's samples, shape (N,), int64. Kept on the CPU they cost
            no wait for the GPU.

    Returns:
        Same shape, dtype, device and memory format; `images` itself where everything is off.
    """
    if not is_augmented(config):
        return images
    batch = AugmentedBatch(images.clone(), samples.cpu(), seed, epoch)
    for each in _AUGMENTATIONS:
        chance = getattr(config, each.chance)
        if not chance:
            continue
        rows, drawn = batch.chosen(each.stream, chance, each.numbers)
        if len(rows):
            each.change(batch, rows, drawn, config)
    return batch.images


def is_augmented(config: TrainConfig) -> bool:
    """Whether any augmentation is on."""
    return any(getattr(config, each.chance) for each in _AUGMENTATIONS)


@dataclass(frozen=True)
class AugmentedBatch:
    """Images on their device, replaced in place, and what their draws depend on, on the CPU."""

    images: Tensor
    samples: Tensor
    seed: int
    epoch: int

    def chosen(self, stream: int, probability: float, count: int = 0) -> tuple[Tensor, Tensor]:
        """Rows (K,) that are drawn with a probability, and `count` further numbers for each, (K, count)."""
        decisive = uniforms(self.seed, self.epoch, self.samples, 1, stream=stream).squeeze(1)
        rows = (decisive < probability).nonzero().squeeze(1)
        return rows, uniforms(self.seed, self.epoch, self.samples[rows], 1 + count, stream=stream)[:, 1:]

    def replace(self, rows: Tensor, change: Callable[[Tensor], Tensor]) -> None:
        """Put what `change` makes of the images of these rows in their place."""
        if not len(rows):
            return
        at = self.on_device(rows)
        in_memory, as_images = _orders(self.images)
        memory = self.images.permute(in_memory)
        changed = change(memory.index_select(0, at).permute(as_images))
        memory.index_copy_(0, at, changed.permute(in_memory))

    def on_device(self, values: Tensor) -> Tensor:
        return values.to(self.images.device, non_blocking=True)


Change = Callable[[AugmentedBatch, Tensor, Tensor, TrainConfig], None]


@dataclass(frozen=True)
class _Augmentation:
    """A kind of change.

    Attributes:
        chance: The field of TrainConfig that is its probability.
        stream: Number of its random numbers.
        numbers: How many of them an image needs.
        change: Changes the images of some rows (K,) with their numbers (K, numbers).
    """

    chance: str
    stream: int
    numbers: int
    change: Change


_AUGMENTATIONS: list[_Augmentation] = []


def augmentation(chance: str, *, stream: int, numbers: int = 0) -> Callable[[Change], Change]:
    """Register a kind of change; they happen in the order in which they are registered.

    Args:
        chance: The field of TrainConfig that is its probability.
        stream: A number of its own, so that it does not shift the random numbers of another. It is part of what a
            seed means: never changed, never used again. 0 to 8 are taken.
        numbers: Random numbers in [0, 1) that an image needs.

    Raises:
        ValueError: If the stream is taken.
    """
    if stream in (ORDER_STREAM, _DROPOUT_PIXELS_STREAM, *(each.stream for each in _AUGMENTATIONS)):
        raise ValueError(f"stream {stream} is taken")

    def register(change: Change) -> Change:
        _AUGMENTATIONS.append(_Augmentation(chance, stream, numbers, change))
        return change

    return register


@augmentation("flip_horizontal", stream=1)
def _flip_horizontal(batch: AugmentedBatch, rows: Tensor, drawn: Tensor, config: TrainConfig) -> None:
    batch.replace(rows, lambda images: images.flip(3))


@augmentation("flip_vertical", stream=2)
def _flip_vertical(batch: AugmentedBatch, rows: Tensor, drawn: Tensor, config: TrainConfig) -> None:
    batch.replace(rows, lambda images: images.flip(2))


@augmentation("rotate90", stream=3, numbers=1)
def _rotate90(batch: AugmentedBatch, rows: Tensor, drawn: Tensor, config: TrainConfig) -> None:
    height, width = batch.images.shape[2:]
    possible = (1, 2, 3) if height == width else (2,)
    turns = torch.tensor(possible)[(drawn[:, 0] * len(possible)).to(torch.int64)]
    for turn in possible:
        batch.replace(rows[turns == turn], partial(torch.rot90, k=turn, dims=(2, 3)))


@augmentation("blur", stream=4, numbers=1)
def _blur(batch: AugmentedBatch, rows: Tensor, drawn: Tensor, config: TrainConfig) -> None:
    kernels = batch.on_device(gaussian_kernels(drawn[:, 0].double() * config.blur_sigma))
    batch.replace(rows, partial(blur, kernels=kernels))


@augmentation("piecewise_affine", stream=5, numbers=1 + 4 * GRID_POINTS * GRID_POINTS)
def _piecewise_affine(batch: AugmentedBatch, rows: Tensor, drawn: Tensor, config: TrainConfig) -> None:
    height, width = batch.images.shape[2:]
    share = _between(config.piecewise_scale_min, config.piecewise_scale_max, drawn[:, :1])
    moves = _normals(drawn[:, 1:]).view(-1, 2, GRID_POINTS * GRID_POINTS)  # x and y
    moves = moves * share.unsqueeze(2) * torch.tensor([[width], [height]], dtype=torch.float64)
    batch.replace(rows, partial(move_grid, moves=batch.on_device(moves.float())))


@augmentation("dropout", stream=6, numbers=5)
def _dropout(batch: AugmentedBatch, rows: Tensor, drawn: Tensor, config: TrainConfig) -> None:
    kind, share, per_channel, *patch_sides = drawn.double().unbind(1)
    pixels = kind < 0.5
    size = torch.tensor(batch.images.shape[2:])
    patches = _between(
        config.dropout_patch_size_min, config.dropout_patch_size_max, torch.stack(patch_sides, 1)
    )
    cells = (patches * size).long().clamp(min=_MIN_PATCHES).minimum(size)
    cells = torch.where(pixels.unsqueeze(1), size, cells)  # (K, 2) rows and columns of the mask
    share = torch.where(
        pixels,
        _between(config.dropout_pixels_min, config.dropout_pixels_max, share),
        _between(config.dropout_patches_min, config.dropout_patches_max, share),
    )
    apart = per_channel < torch.where(
        pixels, config.dropout_pixels_per_channel, config.dropout_patches_per_channel
    )
    index = _mask_index(batch, cells, apart)
    samples, shares = batch.on_device(batch.samples[rows]), batch.on_device(share.float())
    noise = uniforms_at(batch.seed, batch.epoch, samples, index, stream=_DROPOUT_PIXELS_STREAM)
    dropped = noise < shares.view(-1, 1, 1, 1)
    batch.replace(rows, lambda images: images.masked_fill(dropped, 0.0))


@augmentation("affine", stream=8, numbers=7)
def _affine(batch: AugmentedBatch, rows: Tensor, drawn: Tensor, config: TrainConfig) -> None:
    matrices = batch.on_device(_inverse_affine(drawn.double(), config, batch.images.shape[3:1:-1]))
    smooth = drawn[:, 6] < 0.5
    samplings: tuple[tuple[Sampling, Tensor], ...] = (("nearest", ~smooth), ("bilinear", smooth))
    for sampling, mask in samplings:
        which = mask.nonzero().squeeze(1)
        those = matrices.index_select(0, batch.on_device(which))
        batch.replace(rows[which], partial(warp, matrices=those, sampling=sampling))


def _mask_index(batch: AugmentedBatch, cells: Tensor, apart: Tensor) -> Tensor:
    """Which cell of its mask a pixel is in: (K, C or 1, H, W), int64.

    Args:
        batch: For the shape of its images and their device.
        cells: Rows and columns of each image's mask, shape (K, 2), int64.
        apart: Whether the channels have masks of their own, shape (K,), bool.
    """
    channels, height, width = batch.images.shape[1:]
    channel = torch.arange(channels if apart.any() else 1)
    first = channel * (apart * cells.prod(1)).unsqueeze(1)  # (K, C)
    down = torch.arange(height) * cells[:, :1] // height  # (K, H)
    across = torch.arange(width) * cells[:, 1:] // width  # (K, W)
    starts = first.unsqueeze(2) + (down * cells[:, 1:]).unsqueeze(1)  # (K, C, H)
    return batch.on_device(starts).unsqueeze(3) + batch.on_device(across)[:, None, None]


def _inverse_affine(drawn: Tensor, config: TrainConfig, size: tuple[int, ...]) -> Tensor:
    """From pixels of the result to pixels of the image: (K, 7), float64, to (K, 2, 3), float32.

    The image is scaled, sheared along x, rotated about its middle and shifted, in this order.

    Args:
        drawn: Numbers in [0, 1): scale x and y, shift x and y, shear, rotation; the seventh is not read.
        config: Ranges.
        size: Width and height, pixels.
    """
    scale = _between(config.affine_scale_min, config.affine_scale_max, drawn[:, :2])
    sides = torch.tensor(size, dtype=torch.float64)
    shift = _between(-config.affine_shift, config.affine_shift, drawn[:, 2:4]) * sides
    slope = torch.tan(torch.deg2rad(_between(-config.affine_shear, config.affine_shear, drawn[:, 4])))
    angle = torch.deg2rad(_between(-config.affine_rotate, config.affine_rotate, drawn[:, 5]))
    cos, sin = torch.cos(angle), torch.sin(angle)
    x_row = torch.stack((cos + slope * sin, sin - slope * cos), 1)
    linear = torch.stack((x_row, torch.stack((-sin, cos), 1)), 1) / scale.unsqueeze(2)  # (K, 2, 2)
    middle = (sides - 1) / 2
    offset = middle - (linear * (middle + shift).unsqueeze(1)).sum(2)
    return torch.cat((linear, offset.unsqueeze(2)), 2).float()


def _orders(images: Tensor) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Order of dimensions in which images are stored in memory, and the way back.

    Taking images out in the order of memory is 3 times faster, putting them back 6 times (CPU).
    """
    if images.is_contiguous():
        return (0, 1, 2, 3), (0, 1, 2, 3)
    return (0, 2, 3, 1), (0, 3, 1, 2)


def _between(low: float, high: float, drawn: Tensor) -> Tensor:
    return low + (high - low) * drawn.double()


def _normals(drawn: Tensor) -> Tensor:
    """Standard normal numbers from twice as many uniform ones (Box and Muller, 1958); float64."""
    radius, angle = drawn.double().chunk(2, dim=1)
    return torch.sqrt(-2 * torch.log1p(-radius)) * torch.cos(2 * math.pi * angle)
