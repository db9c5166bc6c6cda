"""The size of the input in each epoch, where it grows (`start_size`)."""

from collections import Counter

from msgspec.structs import replace

from mia_tui.config.train import TrainConfig

STAGES = 4
"""Sizes from the first to the whole one, each for a quarter of the epochs.

Source: Tan and Le, "EfficientNetV2: Smaller Models and Faster Training", 2021, algorithm 1.
"""

_STEP = 8  # pixels between two sizes of a side: what most networks halve three times leaves no rest


def epoch_size(config: TrainConfig, epoch: int) -> tuple[int, int]:
    """Height and width of the input in an epoch (from 1), pixels; the last epoch has the whole size."""
    stage = STAGES - 1 if epoch >= config.epochs else (epoch - 1) * STAGES // config.epochs
    share = config.start_size + (1 - config.start_size) * stage / (STAGES - 1)
    return _side(config.height, share), _side(config.width, share)


def epochs_by_size(config: TrainConfig) -> dict[tuple[int, int], int]:
    """How many epochs have each size (height and width), from the smallest on."""
    if config.start_size == 1:
        return {(config.height, config.width): config.epochs}
    return dict(Counter(epoch_size(config, epoch) for epoch in range(1, config.epochs + 1)))


def scaled_to(config: TrainConfig, height: int) -> TrainConfig:
    """Settings for images of another height: what is given in pixels is the same part of the image."""
    if height == config.height:
        return config
    return replace(config, blur_sigma=config.blur_sigma * height / config.height)


def _side(whole: int, share: float) -> int:
    if share == 1:
        return whole
    return min(whole, max(_STEP, round(whole * share / _STEP) * _STEP))
