"""What an epoch computes: the size of its input, where that grows (`start_size`), and how much work it is."""

from msgspec.structs import replace

from mia_tui.config.train import TrainConfig

STAGES = 4
"""Sizes from the first to the whole one, each for a quarter of the epochs.

Source: Tan and Le, "EfficientNetV2: Smaller Models and Faster Training", 2021, algorithm 1.
"""

MOST_NORM_IMAGES = 2048
"""Images of the training part that batch normalisation is measured on: some thousand are enough.

Source: Wu and Johnson, "Rethinking 'Batch' in BatchNorm", 2021, 3.
"""

_STEP = 8  # pixels between two sizes of a side: what most networks halve three times leaves no rest
_FORWARD = 1 / 3  # of the work of a step: the backward pass takes twice as long as the forward one


def epoch_size(config: TrainConfig, epoch: int) -> tuple[int, int]:
    """Height and width of the input in an epoch (from 1), pixels; the last epoch has the whole size."""
    stage = STAGES - 1 if epoch >= config.epochs else (epoch - 1) * STAGES // config.epochs
    share = config.start_size + (1 - config.start_size) * stage / (STAGES - 1)
    return _side(config.height, share), _side(config.width, share)


def training_work(config: TrainConfig, first: int, last: int) -> float:
    """How much the steps of some epochs have to compute, in epochs in which all learns at the whole size.

    Pixels count, and where the head learns alone there is no backward pass but its own.

    Args:
        config: Settings.
        first: The first of the epochs, from 1.
        last: The last of them; before the first one for none.
    """
    work = sum(
        _overlap(first, last, begin, end) * height * width for begin, end, (height, width) in _stages(config)
    )
    frozen = sum(
        _overlap(first, min(last, config.freeze_epochs), begin, end) * height * width
        for begin, end, (height, width) in _stages(config)
    )
    return (work - (1 - _FORWARD) * frozen) / (config.height * config.width)


def scaled_to(config: TrainConfig, height: int) -> TrainConfig:
    """Settings for images of another height: what is given in pixels is the same part of the image."""
    if height == config.height:
        return config
    return replace(config, blur_sigma=config.blur_sigma * height / config.height)


def _stages(config: TrainConfig) -> list[tuple[int, int, tuple[int, int]]]:
    """The first and the last epoch of each stage, and the size of the input in it."""
    starts = [1 + -(-stage * config.epochs // STAGES) for stage in range(STAGES)]
    starts[-1] = min(starts[-1], config.epochs)
    ends = [min(start, starts[-1]) - 1 for start in starts[1:]] + [config.epochs]
    return [
        (begin, end, epoch_size(config, begin))
        for begin, end in zip(starts, ends, strict=True)
        if begin <= end
    ]


def _overlap(first: float, last: float, begin: float, end: float) -> float:
    """How many epochs two stretches of them have in common."""
    return max(0.0, min(last, end) - max(first, begin) + 1)


def _side(whole: int, share: float) -> int:
    if share == 1:
        return whole
    return min(whole, max(_STEP, round(whole * share / _STEP) * _STEP))
