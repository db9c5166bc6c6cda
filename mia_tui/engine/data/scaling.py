"""From pixels of 8 or 16 bits to the input of a network.

Training augments between the two steps, in the range 0..1, so that black is 0 for every scaling:
`to_unit`, `augment`, `standardise`. Everywhere else there is no augmentation.

Pixels of 16 bits are int16 in tensors, 32,768 less than in arrays: torch knows uint16, but many operations on it are
missing, not the same ones in each version and on each device.
"""

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mia_tui.catalog.backbones import HALF, IMAGENET, Normalisation
from mia_tui.config.train import TrainConfig
from mia_tui.dataset.images.intensity import AS_BEFORE, InputMap, count_channels

Channels = tuple[float, ...]

_BYTE_CHANNELS = 4  # that torch resizes as bytes
_SIGN = np.uint16(32768)
_ZERO_ONE = Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def to_tensor(pixels: np.ndarray) -> Tensor:
    """Decoded pixels, uint8 or uint16, as uint8 or int16 of the same shape."""
    if pixels.dtype == np.uint8:
        return torch.from_numpy(pixels)
    return torch.from_numpy((pixels ^ _SIGN).view(np.int16))


def to_unit(images: Tensor) -> Tensor:
    """Pixels as float32 in 0..1, same shape, device and memory format.

    Args:
        images: Shape (N, C, H, W), as from `to_tensor`.
    """
    unit = images.to(torch.float32)
    return unit.div_(255.0) if images.dtype == torch.uint8 else unit.add_(float(_SIGN)).div_(65535.0)


def to_unit_of_size(pixels: Tensor, height: int, width: int) -> Tensor:
    """As `to_unit`, made smaller first, with anti-aliasing.

    On the CPU torch is 200 times as fast with bytes of up to four channels as with all else.
    """
    if pixels.shape[2:] == (height, width):
        return to_unit(pixels)
    if pixels.device.type == "cpu" and pixels.dtype == torch.uint8 and pixels.shape[1] <= _BYTE_CHANNELS:
        return to_unit(_shrink(pixels, (height, width)))
    return _shrink(to_unit(pixels).contiguous(), (height, width)).contiguous(
        memory_format=torch.channels_last
    )


def standardise(images: Tensor, mean: Channels, std: Channels) -> Tensor:
    """The input of the network, from images in 0..1: (images - mean) / deviation of each channel.

    Args:
        images: Shape (N, C, H, W), float32 in 0..1; not changed.
        mean: One value for each channel.
        std: As `mean`.

    Returns:
        Same shape, dtype and memory format; `images` itself where nothing changes.
    """
    if not any(mean) and all(value == 1.0 for value in std):
        return images
    if not images.is_contiguous(memory_format=torch.channels_last):
        mean_c, std_c = _constants(mean, std, 1, images.device)
        return (images - mean_c.view(-1, 1, 1)).div_(std_c.view(-1, 1, 1))
    # The same numbers in the order of memory, row by row: five times as fast on a CPU as three channels at a time.
    rows = images.permute(0, 2, 3, 1).flatten(2)  # (N, H, W * C)
    mean_row, std_row = _constants(mean, std, images.shape[3], images.device)
    scaled = (rows - mean_row).div_(std_row)
    return scaled.view(*scaled.shape[:2], images.shape[3], images.shape[1]).permute(0, 3, 1, 2)


def channel_scaling(config: TrainConfig, input_map: InputMap = AS_BEFORE) -> tuple[Channels, Channels]:
    """Mean and deviation of each channel, for pixels in 0..1; they are saved in a model's metadata.

    The channel of mono images, and channels that are measurements of their own, use the mean of the three colours'
    values.

    Raises:
        ConfigError: If there is no such backbone.
    """
    chosen = _chosen(config)
    if config.color and not input_map.channels:
        return chosen.mean, chosen.std
    count = count_channels(input_map, color=config.color)
    return (sum(chosen.mean) / 3,) * count, (sum(chosen.std) / 3,) * count


def _shrink(images: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(images, size=size, mode="bilinear", antialias=True)


@lru_cache(maxsize=8)
def _constants(mean: Channels, std: Channels, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each value of a row on the device, (width * C,) each; copied once, not at every step."""
    both = torch.tensor([mean, std], dtype=torch.float32).repeat(1, width).to(device)
    return both[0], both[1]


def _chosen(config: TrainConfig) -> Normalisation:
    match config.scaling:
        case "zero_one":
            return _ZERO_ONE
        case "minus_one_one":
            return HALF
        case "imagenet":
            return IMAGENET
        case "auto":
            # Imports timm, which the preview of augmented images does without.
            from mia_tui.engine.network.backbones import expected_normalisation

            return IMAGENET if config.weights == "none" else expected_normalisation(config.backbone)
