"""The progress of a run, the scaling of its input, and the model card of its weights."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from mia_tui.catalog.metrics import MetricName, higher_is_better
from mia_tui.config.train import TrainConfig
from mia_tui.dataset.images.intensity import InputMap
from mia_tui.dataset.model import StackMode
from mia_tui.engine.data.scaling import Channels, channel_scaling
from mia_tui.runs.record.job import TrainJob
from mia_tui.runs.record.model_card import ModelCard, card_of


@dataclass
class TrainingProgress:
    """Where a run is; saved in last.pt beside the weights.

    Attributes:
        confusion: Counts of the current epoch so far, shape (C, C), int64, rows truth.
        epoch: The current epoch, from 1.
        step: Steps of it that are done.
        best_epoch: 0 before the first.
        best_value: Of the watched metric.
        elapsed_s: Seconds of work in this and earlier attempts, up to the last checkpoint.
        sums: Numerator and denominator of the current epoch's loss so far.
        predicted: Predicted class of each training image in the current epoch so far, shape (samples,), int32;
            None if there is a validation part.
        seconds: What the time of this and earlier attempts went into, up to the last checkpoint; empty in checkpoints
            of earlier versions.
    """

    confusion: Tensor
    epoch: int = 1
    step: int = 0
    best_epoch: int = 0
    best_value: float | None = None
    elapsed_s: float = 0.0
    sums: list[float] = field(default_factory=lambda: [0.0, 0.0])
    predicted: Tensor | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    def state_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    @property
    def loss(self) -> float:
        """Mean loss of the current epoch so far; NaN if no image could be read."""
        numerator, denominator = self.sums
        return numerator / denominator if denominator else math.nan

    def is_better(self, value: float, metric: MetricName) -> bool:
        """Whether a value of the watched metric is better than the best one so far."""
        if math.isnan(value):  # never the best
            return False
        if self.best_value is None:
            return True
        return value > self.best_value if higher_is_better(metric) else value < self.best_value

    def is_over(self, config: TrainConfig) -> bool:
        """Whether the last epoch is done, or early stopping applies."""
        waited = self.epoch - 1 - self.best_epoch
        return self.epoch > config.epochs or 0 < config.early_stop <= waited

    def begin_next(self) -> None:
        """Go to the next epoch."""
        self.epoch, self.step = self.epoch + 1, 0
        self.sums, self.confusion = [0.0, 0.0], torch.zeros_like(self.confusion)
        self.predicted = None


def starting_scaling(config: TrainConfig, input_map: InputMap) -> tuple[Channels, Channels]:
    """Mean and deviation of each channel: from the settings, or from the model that training starts from."""
    if config.scaling == "auto" and config.weights not in ("none", "imagenet"):
        from mia_tui.engine.network.weights import find_weights

        card = card_of(find_weights(config.backbone, config.weights))
        if card is not None and _has_channels(card, config, input_map):
            return channels(card.mean, card.std)
    return channel_scaling(config, input_map)


def _has_channels(card: ModelCard, config: TrainConfig, input_map: InputMap) -> bool:
    """Whether a model has the channels of a run."""
    wanted = input_map.channels
    return card.input_map.channels == wanted and (bool(wanted) or card.color == config.color)


def channels(mean: Sequence[float], std: Sequence[float]) -> tuple[Channels, Channels]:
    """Mean and deviation as they are saved in a checkpoint or a card."""
    return tuple(mean), tuple(std)


def make_card(
    job: TrainJob,
    run: str,
    scaling: tuple[Channels, Channels],
    input_map: InputMap,
    *,
    epoch: int,
    value: float,
    evaluated_on: str,
    stacks: StackMode,
    fingerprint: str = "",
) -> ModelCard:
    """The model card that lets the weights of an epoch be used without their run.

    Args:
        job: What is trained.
        run: Name of the run.
        scaling: Mean and deviation of each channel.
        input_map: From the values of the files to brightness.
        epoch: Epoch of the weights.
        value: The watched metric in that epoch.
        evaluated_on: Part of the images that it was computed on.
        stacks: Whether stacks were labelled as a whole.
        fingerprint: Of the images; empty where it is not known.
    """
    config, (mean, std) = job.config, scaling
    return ModelCard(
        backbone=config.backbone,
        classes=job.classes,
        width=config.width,
        height=config.height,
        color=config.color,
        geometry=config.geometry,
        resize=config.resize,
        mean=list(mean),
        std=list(std),
        max_megapixels=config.max_megapixels,
        frames=config.frames,
        stack=config.stack,
        stacks=stacks,
        drop_rate=config.drop_rate,
        drop_path_rate=config.drop_path_rate,
        run=run,
        epoch=epoch,
        metric=config.metric,
        value=value,
        evaluated_on=evaluated_on,
        version=job.version,
        pixel_size=config.pixel_size,
        input_map=input_map,
        fingerprint=fingerprint,
    )
