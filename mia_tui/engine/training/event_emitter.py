"""Reports a training run: its events, and the confusion matrices saved beside them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from mia_tui.engine.device import peak_memory_bytes
from mia_tui.runs.disk import write_when_back
from mia_tui.runs.evaluation.confusion import SavedConfusion, save_confusion
from mia_tui.runs.evaluation.epoch_predictions import (
    EpochPredictions,
    epoch_predictions_file,
    save_epoch_predictions,
)
from mia_tui.runs.record.events import (
    PROTOCOL,
    CheckpointSaved,
    ConfusionSaved,
    EpochEnded,
    EpochPlace,
    Event,
    LeftOut,
    Phase,
    PhaseName,
    RunStarted,
    StepEnded,
    Warned,
)
from mia_tui.runs.record.events import ProgressMade as Loaded
from mia_tui.runs.record.layout import RunDir
from mia_tui.text import NAMED, counted, fault_of, name_faults

Emit = Callable[[Event], None]


@dataclass(frozen=True)
class Identity:
    """The process that runs this attempt; filled in by the worker."""

    attempt: int
    pid: int
    host: str
    boot_id: str
    versions: dict[str, str]


@dataclass(frozen=True)
class EpochEvaluation:
    """The confusion matrix of an epoch, and the predicted class of each image."""

    matrix: SavedConfusion
    images: EpochPredictions


class EventEmitter:
    """Turns what happens in a run into events.

    Args:
        run: The run.
        emit: Takes each event.
        should_stop: Polled while waiting for the run's folder.

    Attributes:
        waited_s: Seconds spent waiting for disks that were away.
    """

    def __init__(self, run: RunDir, emit: Emit, should_stop: Callable[[], bool]) -> None:
        self._run = run
        self.emit = emit
        self._should_stop = should_stop
        self.waited_s = self._waiting_since = 0.0
        self._phase: tuple[PhaseName, str] = ("loading", "")

    def started(
        self,
        identity: Identity,
        *,
        device: str,
        resumed_at: EpochPlace | None,
        total_epochs: int,
        steps_per_epoch: int,
    ) -> None:
        self.emit(
            RunStarted(
                t=time.time(),
                protocol=PROTOCOL,
                attempt=identity.attempt,
                resumed_at=resumed_at,
                pid=identity.pid,
                host=identity.host,
                boot_id=identity.boot_id,
                versions=identity.versions,
                device=device,
                total_epochs=total_epochs,
                steps_per_epoch=steps_per_epoch,
            )
        )

    def phase(self, name: PhaseName, message: str) -> None:
        self._phase = name, message
        self.emit(Phase(t=time.time(), name=name, message=message))

    def loaded(self, done: int, total: int) -> None:
        """Report how many images are read."""
        self.emit(Loaded(t=time.time(), done=done, total=total))

    def warn(self, message: str, hint: str | None = None) -> None:
        self.emit(Warned(t=time.time(), message=message, hint=hint))

    def waiting_for_disk(self, message: str | None) -> None:
        """The run waits for a disk, for the reason given; None ends the wait and restores the phase before it."""
        if message is not None:
            self._waiting_since = time.monotonic()
            self.emit(Phase(t=time.time(), name="waiting", message=message))
            return
        waited_s = time.monotonic() - self._waiting_since
        self.waited_s += waited_s
        self.warn(f"A disk was away or did not answer for {waited_s:.0f} s; the run waited and continued.")
        self.emit(Phase(t=time.time(), name=self._phase[0], message=self._phase[1]))

    def left_out(self, images: Sequence[tuple[str, str]], epoch: int) -> None:
        """Name images that are left out of an epoch from now on, each with the reason."""
        named = name_faults((fault_of(*image) for image in images[:NAMED]), len(images))
        one = len(images) == 1
        are = "1 image is" if one else f"{len(images):,} images are"
        self.warn(
            f"{are} left out of epoch {epoch} because {'it' if one else 'they'} cannot be read: {named}.",
            f"Each epoch tries {'it' if one else 'them'} again.",
        )

    def readable_again(self, count: int, epoch: int) -> None:
        """Images that were left out of the previous epoch can be read again."""
        self.warn(
            f"{counted(count, 'image')} that could not be read can be read again, from epoch {epoch} on."
        )

    def epoch(
        self,
        values: dict[str, dict[str, float]],
        evaluation: EpochEvaluation,
        elapsed_s: float,
        left_out: LeftOut | None,
    ) -> None:
        """An epoch ended.

        Args:
            values: Metrics by name, of `train` and, with a validation part, of `val`.
            evaluation: Confusion matrix and predictions behind the metrics of the evaluated part.
            elapsed_s: Seconds of work so far.
            left_out: Images that were left out of it; None if there were none.
        """
        self.emit(
            EpochEnded(
                t=time.time(),
                epoch=evaluation.matrix.epoch,
                train=values["train"],
                val=values.get("val"),
                elapsed_s=elapsed_s,
                left_out=left_out,
            )
        )
        self.confusion(evaluation, "last")

    def confusion(self, evaluation: EpochEvaluation, which: Literal["last", "best"]) -> None:
        """Save a confusion matrix with the predicted class of each image, and report where it is.

        Raises:
            RunError: If it cannot be written.
        """
        path, matrix = self._run.confusion(which), evaluation.matrix

        def save() -> None:
            save_epoch_predictions(
                epoch_predictions_file(self._run, which), evaluation.images, root=self._run.root
            )
            save_confusion(path, matrix, root=self._run.root)

        self.write_when_back(save)
        self.emit(
            ConfusionSaved(t=time.time(), epoch=matrix.epoch, split=matrix.split, file=self._relative(path))
        )

    def write_when_back(self, action: Callable[[], None]) -> None:
        """Do something that writes into the run's folder, and wait while that is away; see `runs.disk`."""
        write_when_back(action, self._run.path, should_stop=self._should_stop, on_wait=self.waiting_for_disk)

    def saved(self, path: Path, epoch: int, *, is_best: bool) -> None:
        """A checkpoint is on disk."""
        self.emit(CheckpointSaved(t=time.time(), path=self._relative(path), epoch=epoch, is_best=is_best))

    def _relative(self, path: Path) -> str:
        return str(path.relative_to(self._run.path))


class StepEmitter:
    """Reports the steps of an epoch, at most one every `every_s`, and has their loss checked.

    Reading the loss makes the CPU wait for the GPU, so there it is read only for the steps that are reported.

    Args:
        emitter: Takes the events.
        device: Device of the losses.
        every_s: Seconds between two reported steps.
        check_loss: Called with each loss that is read.
    """

    def __init__(
        self,
        emitter: EventEmitter,
        device: torch.device,
        *,
        every_s: float,
        check_loss: Callable[[float], None],
    ) -> None:
        self._emitter = emitter
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
        if elapsed >= self._every_s:
            self._emit(place, value, lr, elapsed)

    def _emit(self, place: EpochPlace, loss: float, lr: float, elapsed: float) -> None:
        self._emitter.emit(
            StepEnded(
                t=time.time(),
                epoch=place.epoch,
                step=place.step,
                loss=loss,
                lr=lr,
                images_per_s=self._images / elapsed,
                memory_bytes=peak_memory_bytes(self._device),
            )
        )
        self._emitted_at, self._images = time.monotonic(), 0
