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

    Reading a loss from a GPU would make the CPU wait for all that the GPU still has to do. So it is copied without
    waiting, only for the steps that are reported, and reported with one of the next steps, once it has arrived.

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
        self._on_its_way: _Report | None = None

    def step_ended(self, place: EpochPlace, loss: Tensor, lr: float, images: int) -> None:
        """A step ended: `loss` is a scalar on the device, `images` were in its batch."""
        self._images += images
        now = time.monotonic()
        elapsed = now - self._emitted_at
        if self._device.type == "cpu":
            self._check_loss(float(loss))
        if self._on_its_way is not None:
            if not self._on_its_way.has_arrived():
                return
            self.finish()
        if elapsed < self._every_s:
            return
        self._on_its_way = _Report(place, loss, lr, self._images / elapsed)
        self._emitted_at, self._images = now, 0
        if self._on_its_way.has_arrived():
            self.finish()

    def finish(self) -> None:
        """Report what was not reported yet; waits for the device."""
        report, self._on_its_way = self._on_its_way, None
        if report is None:
            return
        value = report.loss()
        self._check_loss(value)
        self._attempt.emit(
            StepEnded(
                t=time.time(),
                epoch=report.place.epoch,
                step=report.place.step,
                loss=value,
                lr=report.lr,
                images_per_s=report.images_per_s,
                memory_bytes=peak_memory_bytes(self._device),
            )
        )


class _Report:
    """A step that is to be reported, whose loss is on its way to the CPU."""

    def __init__(self, place: EpochPlace, loss: Tensor, lr: float, images_per_s: float) -> None:
        self.place, self.lr, self.images_per_s = place, lr, images_per_s
        self._loss, self._copied = loss, None
        if loss.is_cuda:
            self._loss = torch.empty((), dtype=loss.dtype, pin_memory=True)
            self._loss.copy_(loss, non_blocking=True)
            self._copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._copied.record(torch.cuda.current_stream(loss.device))

    def has_arrived(self) -> bool:
        """Whether reading the loss waits for nothing."""
        return self._copied is None or bool(self._copied.query())  # type: ignore[no-untyped-call]

    def loss(self) -> float:
        """The loss, which is waited for."""
        if self._copied is not None:
            self._copied.synchronize()
        return float(self._loss)
