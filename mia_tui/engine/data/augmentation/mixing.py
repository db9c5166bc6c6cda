"""Mixup and cutmix: an image is trained on together with another one of its batch, and with a share of its class.

The other one is the next of the batch in the order of the epoch, after the last the first; what is mixed are the
augmented images. How an image is mixed is drawn from (seed, epoch, sample) like every augmentation, so that a
resumed run mixes the same images in the same way, and so do several processes that each have a part of a batch. An
image whose next one cannot be read stays alone.

The image's own share is at least a half, since a smaller one would only exchange the two. So what the network says
of an image can be compared with its own class.

Sources: Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018; Yun et al., "CutMix: Regularization
Strategy to Train Strong Classifiers with Localizable Features", 2019. There one share is drawn for a whole batch.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from mia_tui.config.train import TrainConfig
from mia_tui.engine.data.augmentation.image_ops import memory_orders
from mia_tui.engine.data.random import uniforms

MIXUP_STREAM, CUTMIX_STREAM, WHICH_STREAM = 14, 15, 16

_STEPS = 16384  # of the table of a Beta distribution


@dataclass(frozen=True)
class _Mixing:
    """How the images of a batch are mixed, on the CPU.

    Attributes:
        share: Each image's own share, shape (N,), float32; 1 where it stays alone.
        boxes: Left, top, right and bottom of what is taken of the other image, pixels, shape (N, 4), int64; empty
            where the images are mixed as a whole.
    """

    share: Tensor
    boxes: Tensor


def is_mixed(config: TrainConfig) -> bool:
    """Whether images may be mixed."""
    return bool(config.mixup or config.cutmix)


@dataclass(frozen=True)
class Portion:
    """What is read for a batch, or for a part of it: images that are trained on, and those that are mixed in.

    Attributes:
        places: Where they are in the epoch's order, shape (M,), int64; those that are trained on come first.
        partners: Which of the M images is mixed with each that is trained on, -1 for none: shape (N,), int64.
    """

    places: Tensor
    partners: Tensor

    def readable(self, kept: Tensor) -> "Portion":
        """What is left of it if only some of its images can be read: their positions in it, ascending, int64."""
        new = torch.full((len(self.places) + 1,), -1)  # the last one is where -1 points to
        new[kept] = torch.arange(len(kept))
        own = kept[kept < len(self.partners)]
        return Portion(self.places[kept], new[self.partners[own]])


def portion_of(batch: Tensor, part: Tensor, config: TrainConfig) -> Portion:
    """What a process reads for its part of a batch.

    Args:
        batch: Where the images of the whole batch are in the epoch's order, shape (B,), int64.
        part: Positions in the batch of those that this process trains on: neighbours, shape (N,), int64.
        config: Whether images are mixed.
    """
    if not is_mixed(config) or len(batch) < 2:
        return Portion(batch[part], torch.full_like(part, -1))
    following = (part + 1) % len(batch)
    further = following[~torch.isin(following, part)]
    read = torch.cat((part, further))
    where = torch.empty_like(batch)
    where[read] = torch.arange(len(read))
    return Portion(batch[read], where[following])


def mix_images(
    images: Tensor, config: TrainConfig, *, seed: int, epoch: int, samples: Tensor, partners: Tensor
) -> tuple[Tensor, Tensor]:
    """Mix images with others.

    Args:
        images: Augmented, shape (M, C, H, W), float32, M at least N: the first N are trained on, further ones are
            there to be mixed in. They are left as they are.
        config: Its settings of mixup and cutmix are read.
        seed: Seed of the run.
        epoch: Number of the epoch.
        samples: Row number of each of the N images in the run's samples, shape (N,), int64, on the CPU.
        partners: Which of the M images is mixed in, -1 for none, shape (N,), int64, on the CPU.

    Returns:
        The N images, and each one's own share, shape (N,), float32, on the CPU.
    """
    mixing = _draw(config, seed, epoch, samples, partners >= 0, (images.shape[3], images.shape[2]))
    is_box = mixing.boxes[:, 2] > mixing.boxes[:, 0]
    whole = ((mixing.share < 1) & ~is_box).nonzero().squeeze(1)
    parts = is_box.nonzero().squeeze(1)
    mixed = images[: len(samples)].clone()
    if len(whole):
        _blend(mixed, images, whole, partners[whole], mixing.share[whole])
    if len(parts):
        _paste(mixed, images, parts, partners[parts], mixing.boxes[parts])
    return mixed, mixing.share


def _blend(mixed: Tensor, images: Tensor, rows: Tensor, partners: Tensor, share: Tensor) -> None:
    """Blend some images with others, by each one's own share."""
    in_memory, _ = memory_orders(images)
    memory = images.permute(in_memory)
    at, others, own = _on(images.device, rows, partners, share.view(-1, 1, 1, 1))
    both = memory.index_select(0, at).mul_(own).add_(memory.index_select(0, others).mul_(1 - own))
    mixed.permute(in_memory).index_copy_(0, at, both)


def _paste(mixed: Tensor, images: Tensor, rows: Tensor, partners: Tensor, boxes: Tensor) -> None:
    """Put what others have in boxes in the place of some images' own pixels."""
    if images.device.type == "cpu":  # nothing outside the boxes is touched; on a GPU each would be a kernel
        for row, other, box in zip(rows.tolist(), partners.tolist(), boxes.tolist(), strict=True):
            left, top, right, bottom = box
            mixed[row, :, top:bottom, left:right] = images[other, :, top:bottom, left:right]
        return
    in_memory, _ = memory_orders(images)
    memory = images.permute(in_memory)
    at, others, edges = _on(images.device, rows, partners, boxes)
    inside = inside_boxes(edges, images.shape[2], images.shape[3]).permute(in_memory)
    both = torch.where(inside, memory.index_select(0, others), memory.index_select(0, at))
    mixed.permute(in_memory).index_copy_(0, at, both)


def _draw(
    config: TrainConfig, seed: int, epoch: int, samples: Tensor, has_partner: Tensor, size: tuple[int, int]
) -> _Mixing:
    drawn = uniforms(seed, epoch, samples, 2, stream=MIXUP_STREAM)
    cut = uniforms(seed, epoch, samples, 4, stream=CUTMIX_STREAM)
    is_whole = (drawn[:, 0] < config.mixup) & has_partner
    is_box = (cut[:, 0] < config.cutmix) & has_partner
    is_either = uniforms(seed, epoch, samples, 1, stream=WHICH_STREAM)[:, 0] < 0.5  # of those drawn for both
    is_whole, is_box = is_whole & ~(is_box & is_either), is_box & ~(is_whole & ~is_either)
    share = torch.where(is_whole, 1 - _smaller_share(drawn[:, 1], config.mixup_alpha), 1.0)
    side = torch.sqrt(_smaller_share(cut[:, 1], config.cutmix_alpha)).unsqueeze(1)
    pixels = torch.tensor(size)
    sides = (side * pixels).round().long() * is_box.unsqueeze(1)
    first = (cut[:, 2:].double() * (pixels - sides + 1)).long()
    share = share - sides.prod(1) / pixels.prod()
    return _Mixing(share.float(), torch.cat((first, first + sides), 1))


def inside_boxes(boxes: Tensor, height: int, width: int) -> Tensor:
    """Which pixels are inside boxes.

    Args:
        boxes: Left, top, right and bottom of each, pixels, the latter two outside: shape (K, 4), int64.
        height: Of the images, pixels.
        width: Likewise.

    Returns:
        Shape (K, 1, H, W), bool, on the device of the boxes.
    """
    left, top, right, bottom = boxes.view(-1, 4, 1).unbind(1)
    across, down = torch.arange(width, device=boxes.device), torch.arange(height, device=boxes.device)
    in_columns, in_rows = (across >= left) & (across < right), (down >= top) & (down < bottom)
    return (in_rows.unsqueeze(2) & in_columns.unsqueeze(1)).unsqueeze(1)


def _on(device: torch.device, *values: Tensor) -> list[Tensor]:
    return [value.to(device, non_blocking=True) for value in values]


def _smaller_share(drawn: Tensor, alpha: float) -> Tensor:
    """The smaller of two shares that are distributed as Beta(alpha, alpha), from numbers in [0, 1); float64."""
    table = _beta_table(alpha)
    place = drawn.double() * (len(table) - 1)
    lower = place.long()
    return torch.lerp(table[lower], table[lower + 1], place - lower)


@lru_cache(maxsize=4)
def _beta_table(alpha: float) -> Tensor:
    """Quantiles of the lower half of Beta(alpha, alpha), from 0 to a half: shape (_STEPS + 1,), float64.

    Its density x^(alpha - 1) (1 - x)^(alpha - 1) is integrated over u with x = u^power / 2, in which it has no pole.
    """
    power = max(1.0, 1 / alpha)
    middles = (torch.arange(_STEPS, dtype=torch.float64) + 0.5) / _STEPS
    density = middles ** (power * alpha - 1) * (1 - middles**power / 2) ** (alpha - 1)
    total = torch.cat((torch.zeros(1, dtype=torch.float64), density.cumsum(0)))
    wanted = torch.linspace(0, 1, _STEPS + 1, dtype=torch.float64) * total[-1]
    upper = torch.searchsorted(total, wanted).clamp(1, _STEPS)
    below = total[upper - 1]
    places = (upper - 1 + (wanted - below) / (total[upper] - below)) / _STEPS
    return places**power / 2
