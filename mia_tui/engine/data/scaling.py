"""From uint8 pixels to the input of a network.

Training augments between the two steps, in the range 0..1, so that black is 0 for every scaling:
`to_unit`, `augment`, `standardise`. Everywhere else there is no augmentation.
"""

from functools import lru_cache

import torch
from torch import Tensor

from mia_tui.catalog.backbones import HALF, IMAGENET, Normalisation
from mia_tui.config.train import TrainConfig

Channels = tuple[float, ...]

_ZERO_ONE = Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def to_unit(images: Tensor) -> Tensor:
    """Pixels as float32 in 0..1, same shape, device and memory format.

    Args:
        images: Shape (N, C, H, W), uint8.
    """
    return images.to(torch.float32).div_(255.0)


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
    mean_c, std_c = _constants(mean, std, images.device)
    return (images - mean_c).div_(std_c)


def channel_scaling(config: TrainConfig) -> tuple[Channels, Channels]:
    """Mean and deviation of each channel, for pixels in 0..1; they are saved in a model's metadata.

    Mono images have one channel, which uses the mean of the three colours' values.

    Raises:
        ConfigError: If there is no such backbone.
    """
    chosen = _chosen(config)
    if config.color:
        return chosen.mean, chosen.std
    return (sum(chosen.mean) / 3,), (sum(chosen.std) / 3,)


@lru_cache(maxsize=8)
def _constants(mean: Channels, std: Channels, device: torch.device) -> tuple[Tensor, Tensor]:
    """Mean and deviation on the device, (C, 1, 1) each; copied once, not at every step."""
    both = torch.tensor([mean, std], dtype=torch.float32, device=device).unsqueeze(2).unsqueeze(3)
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
