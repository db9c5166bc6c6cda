"""Random changes to the training images, in whole batches on the device.

Each happens with its own probability: flips and turns first, then in the order of the functions below. Those of the
predecessor have its ranges and order, which it takes from imgaug; where it fills an uncovered border with black, the
image is reflected here. How images are mixed with each other afterwards is in `augmentation.mixing`.

A new one is a function marked with `@augmentation` (with the next free stream number, 18), its probability and ranges
as fields of `config.train.augmentation` (a range is two fields, NAME_min and NAME_max), and the same fields in the
recipe `mia` of config/train/recipes.py, its probability 0.

What happens to a sample is drawn from (seed, epoch, sample) and nothing else, and no image is computed
together with its neighbours: a sample gets the same pixels in any batch, before and after a resume. That is why these
are not the transforms of torchvision: they draw once for a whole batch, from torch's generator, and their functions
take one strength for all images. Importing them also takes seconds, in which a preview would wait.

Decisions are drawn on the CPU and only the images concerned are touched: choosing them on a GPU would make
the CPU wait for the GPU at every step. For the same reason angles and kernels are computed there, in float64:
a vectorised and a plain cosine may differ in the last bit, and rounding to float32 takes that away.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import torch
from torch import Tensor

from mia_tui.config.train import TrainConfig
from mia_tui.engine.data.augmentation.colours import (
    colour_matrices,
    jitter_colours,
    jitter_stains,
    stain_matrices,
    stain_shifts,
)
from mia_tui.engine.data.augmentation.image_ops import (
    GRID_POINTS,
    Sampling,
    blur,
    gaussian_kernels,
    memory_orders,
    move_grid,
    warp,
)
from mia_tui.engine.data.augmentation.mixing import CUTMIX_STREAM, MIXUP_STREAM, WHICH_STREAM, inside_boxes
from mia_tui.engine.data.augmentation.moves import (
    FLIP_HORIZONTAL_STREAM,
    FLIP_VERTICAL_STREAM,
    ROTATE90_STREAM,
    draw_moves,
    move,
    moves_any,
)
from mia_tui.engine.data.augmentation.trivial import (
    GEOMETRIC,
    TRIVIAL_OPERATIONS,
    geometric_matrices,
    recoloured,
    trivial_strengths,
)
from mia_tui.engine.data.random import ORDER_STREAM, uniforms, uniforms_at
from mia_tui.engine.data.scaling import to_unit

_DROPOUT_PIXELS_STREAM = 7  # of the mask; `_dropout` itself has 6
_NOISE_STREAM = 17  # of what erased rectangles are filled with
_TAKEN = {
    ORDER_STREAM,
    FLIP_HORIZONTAL_STREAM,
    FLIP_VERTICAL_STREAM,
    ROTATE90_STREAM,
    _DROPOUT_PIXELS_STREAM,
    MIXUP_STREAM,
    CUTMIX_STREAM,
    WHICH_STREAM,
    _NOISE_STREAM,
}
_MIN_PATCHES = 3  # a side (imgaug 0.4); fewer could black out the whole image
_BLUR_GROUPS = 3
_NOISES = 16  # images of noise, one of which fills a rectangle
_STAIN_BACKGROUND = 0.25  # largest change of a stain everywhere, in optical density, by `stain_strength`
_ERASED_RATIO = 10 / 3  # longest side of a rectangle by its shortest (Zhong et al. 2020)


@torch.no_grad()
def augment(
    images: Tensor,
    config: TrainConfig,
    *,
    seed: int,
    epoch: int,
    samples: Tensor,
    moves: Tensor | None = None,
    is_rgb: bool = True,
) -> Tensor:
    """Augment a batch.

    Args:
        images: Shape (N, C, H, W), float32 in 0..1, any memory format; or pixels as from `scaling.to_tensor`, which
            are flipped and turned in a quarter of the time. Left as they are.
        config: Its augmentation fields are read.
        seed: Seed of the run.
        epoch: Number of the epoch.
        samples: Row number of each image in the run's samples, shape (N,), int64. Kept on the CPU they cost
            no wait for the GPU.
        moves: What `draw_moves` says of these samples, if that is known already.
        is_rgb: Whether three channels are red, green and blue, and no measurements of their own.

    Returns:
        Same shape, device and memory format, float32; `images` itself where everything is off and they are float32.
    """
    if moves_any(config):
        if moves is None:
            moves = draw_moves(config, seed=seed, epoch=epoch, samples=samples.cpu())
        images = _in_memory_format(move(images, moves), images)
    kinds = [each for each in _AUGMENTATIONS if getattr(config, each.chance)]
    if images.dtype != torch.float32:
        images = to_unit(images)
    elif kinds and not moves_any(config):
        images = images.clone()
    batch = AugmentedBatch(images, samples.cpu(), seed, epoch, is_rgb and images.shape[1] == 3)
    for each in kinds:
        chance = getattr(config, each.chance)
        rows, drawn = batch.chosen(each.stream, chance, each.numbers_of(images.shape[1]))
        if len(rows):
            each.change(batch, rows, drawn, config)
    return batch.images


def is_augmented(config: TrainConfig) -> bool:
    """Whether any augmentation is on."""
    return moves_any(config) or any(getattr(config, each.chance) for each in _AUGMENTATIONS)


@dataclass(frozen=True)
class AugmentedBatch:
    """Images on their device, replaced in place, and what their draws depend on, on the CPU.

    Attributes:
        images: Shape (N, C, H, W), float32 in 0..1.
        samples: Row number of each image, shape (N,), int64.
        seed: Seed of the run.
        epoch: Number of the epoch.
        is_rgb: Whether the channels are red, green and blue.
    """

    images: Tensor
    samples: Tensor
    seed: int
    epoch: int
    is_rgb: bool

    def chosen(self, stream: int, probability: float, count: int = 0) -> tuple[Tensor, Tensor]:
        """Rows (K,) that are drawn with a probability, and `count` further numbers for each, (K, count)."""
        drawn = uniforms(self.seed, self.epoch, self.samples, 1 + count, stream=stream)
        rows = (drawn[:, 0] < probability).nonzero().squeeze(1)
        return rows, drawn[rows, 1:]

    def replace(self, rows: Tensor, change: Callable[[Tensor], Tensor]) -> None:
        """Put what `change` makes of the images of these rows in their place."""
        if not len(rows):
            return
        at = self.on_device(rows)
        in_memory, as_images = memory_orders(self.images)
        memory = self.images.permute(in_memory)
        changed = change(memory.index_select(0, at).permute(as_images)).permute(in_memory)
        if memory.device.type != "cpu":
            memory.index_copy_(0, at, changed)
            return
        for row, image in zip(rows.tolist(), changed, strict=True):  # a third of the time of index_copy_
            memory[row].copy_(image)

    def on_device(self, values: Tensor) -> Tensor:
        return values.to(self.images.device, non_blocking=True)


Change = Callable[[AugmentedBatch, Tensor, Tensor, TrainConfig], None]


@dataclass(frozen=True)
class _Augmentation:
    """A kind of change.

    Attributes:
        chance: The field of TrainConfig that is its probability.
        stream: Number of its random numbers.
        numbers: How many of them an image needs, and how many more for each of its channels.
        change: Changes the images of some rows (K,) with their numbers (K, numbers).
    """

    chance: str
    stream: int
    numbers: tuple[int, int]
    change: Change

    def numbers_of(self, channels: int) -> int:
        return self.numbers[0] + self.numbers[1] * channels


_AUGMENTATIONS: list[_Augmentation] = []


def augmentation(
    chance: str, *, stream: int, numbers: int = 0, of_channel: int = 0
) -> Callable[[Change], Change]:
    """Register a kind of change; they happen in the order in which they are registered.

    Args:
        chance: The field of TrainConfig that is its probability.
        stream: A number of its own, so that it does not shift the random numbers of another. It is part of what a
            seed means: never changed, never used again. 0 to 17 are taken.
        numbers: Random numbers in [0, 1) that an image needs.
        of_channel: How many more it needs for each of its channels.

    Raises:
        ValueError: If the stream is taken.
    """
    if stream in _TAKEN or any(stream == each.stream for each in _AUGMENTATIONS):
        raise ValueError(f"stream {stream} is taken")

    def register(change: Change) -> Change:
        _AUGMENTATIONS.append(_Augmentation(chance, stream, (numbers, of_channel), change))
        return change

    return register


@augmentation("resized_crop", stream=9, numbers=4)
def _resized_crop(batch: AugmentedBatch, rows: Tensor, drawn: Tensor, config: TrainConfig) -> None:
    area = _between(config.crop_area_min, config.crop_area_max, drawn[:, 0])
    sides = _sides(area, config.crop_ratio, drawn[:, 1])  # (K, 2)
    size = torch.tensor(batch.images.shape[3:1:-1])
    first = drawn[:, 2:].double() * (1 - sides) * size
    linear = torch.diag_embed(sides)
    matrices = torch.cat((linear, (first + (sides - 1) / 2).unsqueeze(2)), 2)  # between centres of pixels
    batch.replace(rows, partial(warp, matrices=batch.on_device(matrices.float()), sampling="bilinear"))


@augmentation("trivial_augment", stream=10, numbers=3)
def _trivial_augment(batch: AugmentedBatch, rows: Tensor, drawn: Tensor, config: TrainConfig) -> None:
    """One operation of random kind at a random strength, in a random direction."""
    kinds = (drawn[:, 0] * len(TRIVIAL_OPERATIONS)).long()
    strengths = trivial_strengths(drawn[:, 1])
    signed = torch.where(drawn[:, 2] < 0.5, strengths, -strengths)
    moved = ((kinds >= 1) & (kinds <= len(GEOMETRIC))).nonzero().squeeze(1)
    size = batch.images.shape[3], batch.images.shape[2]
    matrices = batch.on_device(geometric_matrices(kinds[moved] - 1, signed[moved], size))
    batch.replace(rows[moved], partial(warp, matrices=matrices, sampling="bilinear"))
    first = 1 + len(GEOMETRIC)
    for place, name in enumerate(TRIVIAL_OPERATIONS[first:], first):
        chosen = (kinds == place).nonzero().squeeze(1)
        each = batch.on_device(torch.stack((strengths, signed))[:, chosen].float())
        batch.replace(
            rows[chosen],
            partial(recoloured, name=name, strengths=each[0], signed=each[1], is_rgb=batch.is_rgb),
        )


@augmentation("stain_jitter", stream=11, numbers=6)
def _stain_jitter(batch: AugmentedBatch, rows: Tensor, drawn: Tensor, config: TrainConfig) -> None:
    """Factors and amounts of the stains of a picture in colour (Tellez et al. 2018); others have none to tell apart.

    Source: Tellez et al., "Whole-slide mitosis detection in H&E breast histology using PHH3 as a reference to train
        distilled stain-invariant convolutional networks", 2018.
    """
    if not batch.is_rgb:
        return
    strengths = _between(1 - config.stain_strength, 1 + config.stain_strength, drawn[:, :3])
    matrices = batch.on_device(stain_matrices(strengths).float())
    most = config.stain_strength * _STAIN_BACKGROUND
    shifts = batch.on_device(stain_shifts(_between(-most, most, drawn[:, 3:])).float())
    batch.replace(rows, partial(jitter_stains, matrices=matrices, shifts=shifts))


@augmentation("colour_jitter", stream=12, numbers=2, of_channel=2)
def _colour_jitter(batch: AugmentedBatch, rows: Tensor, drawn: Tensor, config: TrainConfig) -> None:
    """Of a picture as a whole, of measurements each channel by itself; only a picture in colour has colours."""
    channels = 1 if batch.is_rgb else batch.images.shape[1]
    brightness, contrast = drawn[:, 2 : 2 + channels], drawn[:, 2 + channels : 2 + 2 * channels]
    matrices = None
    if batch.is_rgb:
        saturation = _around_one(config.jitter_saturation, drawn[:, 0])
        hue = _between(-config.jitter_hue, config.jitter_hue, drawn[:, 1])
        matrices = batch.on_device(colour_matrices(saturation, hue).float())
    batch.replace(
        rows,
        partial(
            jitter_colours,
            brightness=batch.on_device(_around_one(config.jitter_brightness, brightness).float()),
            contrast=batch.on_device(_around_one(config.jitter_contrast, contrast).float()),
            matrices=matrices,
        ),
    )


@augmentation("blur", stream=4, numbers=1)
def _blur(batch: AugmentedBatch, rows: Tensor, drawn: Tensor, config: TrainConfig) -> None:
    sigmas = drawn[:, 0].double() * config.blur_sigma
    order = torch.argsort(sigmas, stable=True)
    groups = _BLUR_GROUPS if batch.images.device.type == "cpu" else 1
    for chosen in order.tensor_split(
        groups
    ):  # a broad kernel costs more, and so do those it is computed with
        if len(chosen):
            kernels = batch.on_device(gaussian_kernels(sigmas[chosen]))
            batch.replace(rows[chosen], partial(blur, kernels=kernels))


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
    for mask in (apart, ~apart):  # where all channels have one mask, it costs a third
        chosen = mask.nonzero().squeeze(1)
        index = _mask_index(batch, cells[chosen], apart[chosen])
        samples, shares = batch.on_device(batch.samples[rows[chosen]]), batch.on_device(share[chosen].float())
        noise = uniforms_at(batch.seed, batch.epoch, samples, index, stream=_DROPOUT_PIXELS_STREAM)
        dropped = noise < shares.view(-1, 1, 1, 1)
        batch.replace(rows[chosen], partial(torch.masked_fill, mask=dropped, value=0.0))


@augmentation("affine", stream=8, numbers=7)
def _affine(batch: AugmentedBatch, rows: Tensor, drawn: Tensor, config: TrainConfig) -> None:
    matrices = batch.on_device(_inverse_affine(drawn.double(), config, batch.images.shape[3:1:-1]))
    smooth = drawn[:, 6] < 0.5
    samplings: tuple[tuple[Sampling, Tensor], ...] = (("nearest", ~smooth), ("bilinear", smooth))
    for sampling, mask in samplings:
        which = mask.nonzero().squeeze(1)
        those = matrices.index_select(0, batch.on_device(which))
        batch.replace(rows[which], partial(warp, matrices=those, sampling=sampling))


@augmentation("erasing", stream=13, numbers=5)
def _erasing(batch: AugmentedBatch, rows: Tensor, drawn: Tensor, config: TrainConfig) -> None:
    """A rectangle of noise (Zhong et al., "Random Erasing Data Augmentation", 2020)."""
    channels, height, width = batch.images.shape[1:]
    area = _between(config.erasing_share_min, config.erasing_share_max, drawn[:, 0])
    size = torch.tensor((width, height))
    sides = (_sides(area, _ERASED_RATIO, drawn[:, 1]) * size).round().clamp(min=1)
    first = (drawn[:, 2:4].double() * (size - sides + 1)).floor()
    boxes = batch.on_device(torch.cat((first, first + sides), 1).long())
    inside = inside_boxes(boxes, height, width)
    noise = _noise(batch.seed, channels, height, width, batch.images.device)
    which = batch.on_device((drawn[:, 4] * _NOISES).long())
    batch.replace(rows, lambda images: torch.where(inside, noise.index_select(0, which), images))


@lru_cache(maxsize=2)
def _noise(seed: int, channels: int, height: int, width: int, device: torch.device) -> Tensor:
    """Uniform noise in each pixel and channel, shape (_NOISES, channels, height, width), float32."""
    index = torch.arange(channels * height * width).view(1, channels, height, width)
    return uniforms_at(seed, 0, torch.arange(_NOISES), index, stream=_NOISE_STREAM).to(device)


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


def _in_memory_format(images: Tensor, like: Tensor) -> Tensor:
    return images.contiguous().as_strided(like.shape, like.stride()) if like.is_contiguous() else images


def _between(low: float, high: float, drawn: Tensor) -> Tensor:
    return low + (high - low) * drawn.double()


def _around_one(most: float, drawn: Tensor) -> Tensor:
    return _between(1 - most, 1 + most, drawn)


def _sides(area: Tensor, ratio: float, drawn: Tensor) -> Tensor:
    """Width and height of a part of an image, as shares of its own: (K,), float64, to (K, 2).

    The logarithm of width by height is drawn evenly up to the ratio, as far as the part still fits the image.
    """
    most = torch.log(torch.clamp(1 / area, max=ratio))
    by = torch.exp(_between(-1, 1, drawn) * most)
    return torch.stack((torch.sqrt(area * by), torch.sqrt(area / by)), 1).clamp(max=1)


def _normals(drawn: Tensor) -> Tensor:
    """Standard normal numbers from twice as many uniform ones (Box and Muller, 1958); float64."""
    radius, angle = drawn.double().chunk(2, dim=1)
    return torch.sqrt(-2 * torch.log1p(-radius)) * torch.cos(2 * math.pi * angle)
