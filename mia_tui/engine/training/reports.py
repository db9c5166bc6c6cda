"""What a training reports besides `Attempt`: its steps, its epochs with their confusion matrices, its checkpoints."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from mia_tui.engine.device import peak_memory_bytes
from mia_tui.runs.evaluation.confusion import SavedConfusion, save_confusion
from mia_tui.runs.evaluation.epoch_predictions import (
    EpochPredictions,
    epoch_predictions_file,
    save_epoch_predictions,
)
from mia_tui.runs.evaluation.saved_scores import EvaluatedScores, save_scores, scores_file
from mia_tui.runs.record.events import CheckpointSaved, ConfusionSaved, EpochPlace, StepEnded
from mia_tui.runs.worker.attempt import Attempt


@dataclass(frozen=True)
class EpochEvaluation:
    """The confusion matrix of an epoch, and the predicted class of each image; of the best its probabilities, too."""

    matrix: SavedConfusion
    images: EpochPredictions
    scores: EvaluatedScores | None = None


def save_evaluation(attempt: Attempt, evaluation: EpochEvaluation, which: Literal["last", "best"]) -> None:
    """Save a confusion matrix with the predicted class of each image, and report where it is.

    Raises:
        RunError: If it cannot be written.
    """
    run, matrix = attempt.run, evaluation.matrix
    path = run.confusion(which)

    def save() -> None:
        if evaluation.scores is not None:
            save_scores(scores_file(run, which), evaluation.scores, root=run.root)
        save_epoch_predictions(epoch_predictions_file(run, which), evaluation.images, root=run.root)
        save_confusion(path, matrix, root=run.root)

    attempt.write_when_back(save)
    file = str(path.relative_to(run.path))
    attempt.emit(ConfusionSaved(t=time.time(), epoch=matrix.epoch, split=matrix.split, file=file))


def report_checkpoint(attempt: Attempt, path: Path, epoch: int, *, is_best: bool) -> None:
    """A checkpoint is on disk."""
    file = str(path.relative_to(attempt.run.path))
    attempt.emit(CheckpointSaved(t=time.time(), path=file, epoch=epoch, is_best=is_best))


class StepReports:
    """Reports the steps of an epoch, at most one every `every_s`, and has their loss checked.

    Reading the loss makes the CPU wait for the GPU, so there it is read only for the steps that are reported.

    Args:
        attempt: Takes the events.
        device: Device of the losses.
        every_s: Seconds between two reported steps.
        check_loss: Called with each loss that is read.
    """

    def __init__(
        self,
        attempt: Attempt,
        device: torch.device,
        *,
        every_s: float,
        check_loss: Callable[[float], None],
    ) -> None:
        self._attempt = attempt
        self._device = device
        self._every_s = every_s
        self._check_loss = check_loss
        self._emitted_at = time.monotonic()
        self._images = 0

    def step_ended(self, place: EpochPlace, loss: Tensor, lr: float, images: int) -> None:
        """A step ended: `loss` is a scalar on the device, `images` were in its batch."""
        self._images += images
        elapsed = time.monotonic() - self._emitted_at
        if self._device.type != "cpu" and elapsed < self._every_s:
            return
        value = float(loss)
        self._check_loss(value)
        if elapsed < self._every_s:
            return
        self._attempt.emit(
            StepEnded(
                t=time.time(),
                epoch=place.epoch,
                step=place.step,
                loss=value,
                lr=lr,
                images_per_s=self._images / elapsed,
                memory_bytes=peak_memory_bytes(self._device),
            )
        )
        self._emitted_at, self._images = time.monotonic(), 0
