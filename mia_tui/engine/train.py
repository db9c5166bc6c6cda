"""The training loop.

`train` goes from epoch to epoch: steps, validation, checkpoint. Everything it
must remember to go on exactly where it was stopped is in `Learner.state_dict`
and `Progress`; everything a watcher learns goes through `emit`.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from mia_tui.catalog.metrics import higher_is_better
from mia_tui.config.class_weights import class_weight_values
from mia_tui.config.train import TrainConfig
from mia_tui.engine.checkpoint import (
    BestWeights,
    card_of,
    copy_weights,
    load_state,
    save_checkpoint,
    settle_best,
)
from mia_tui.engine.data.feed import Feed
from mia_tui.engine.data.order import batches
from mia_tui.engine.data.reader import LoadingStopped
from mia_tui.engine.data.scaling import Channels, channel_scaling
from mia_tui.engine.device import describe, peak_memory_bytes, pick_device, resolve_precision, set_up
from mia_tui.engine.evaluate import Scores, evaluate
from mia_tui.engine.learner import Learner
from mia_tui.engine.metrics import ConfusionCounter
from mia_tui.engine.weights import find_weights
from mia_tui.errors import DataError, RunError
from mia_tui.paths import printable
from mia_tui.runs.card import ModelCard
from mia_tui.runs.events import (
    PROTOCOL,
    CheckpointSaved,
    Confusion,
    EpochEnded,
    Event,
    Outcome,
    Phase,
    PhaseName,
    Place,
    RunStarted,
    StepEnded,
    Warned,
)
from mia_tui.runs.events import Progress as Loaded
from mia_tui.runs.figures import SavedConfusion, figures, save_confusion
from mia_tui.runs.job import Sample, TrainJob
from mia_tui.runs.layout import RunDir

Emit = Callable[[Event], None]

SAVE_EVERY_S = 60.0
"""A checkpoint is saved at an epoch's end, but no more often than this; and at every stop."""

TELL_EVERY_S = 0.2
"""Steps are told no more often than this."""


@dataclass(frozen=True)
class Identity:
    """Who runs this attempt; filled by the worker."""

    attempt: int
    pid: int
    host: str
    boot_id: str
    versions: dict[str, str]


@dataclass
class Progress:
    """Where a run is, beside the weights.

    Attributes:
        confusion: Counts of the present epoch so far, shape (C, C), int64, rows truth.
        epoch: The present epoch, from 1.
        step: Steps of it that are done.
        best_epoch: 0 before the first.
        best_value: Of the watched figure.
        elapsed_s: Seconds of work in this and earlier attempts, up to the last checkpoint.
        sums: Numerator and denominator of the present epoch's loss so far.
    """

    confusion: Tensor
    epoch: int = 1
    step: int = 0
    best_epoch: int = 0
    best_value: float | None = None
    elapsed_s: float = 0.0
    sums: list[float] = field(default_factory=lambda: [0.0, 0.0])

    def state_dict(self) -> dict[str, Any]:
        return dict(vars(self))


def train(
    run: RunDir,
    job: TrainJob,
    samples: Sequence[Sample],
    identity: Identity,
    emit: Emit,
    should_stop: Callable[[], bool],
) -> Outcome:
    """Train until the last epoch, an early stop, or until told to stop; resumes by itself.

    Raises:
        MiaError: If the run cannot start or go on; what was saved stays.
    """
    choice = pick_device(job.config.device)
    set_up(choice.device, threads=job.threads, deterministic=job.config.deterministic)
    state = load_state(run)
    training = _Training(run, job, samples, emit, should_stop, choice.device, state)
    resumed_at = None if state is None else Place(training.progress.epoch, training.progress.step)
    emit(
        RunStarted(
            t=time.time(),
            protocol=PROTOCOL,
            attempt=identity.attempt,
            resumed_at=resumed_at,
            kind="train",
            pid=identity.pid,
            host=identity.host,
            boot_id=identity.boot_id,
            versions=identity.versions,
            device=describe(choice.device),
            total_epochs=job.config.epochs,
            steps_per_epoch=training.steps_per_epoch,
        )
    )
    if choice.warning:
        training.warn(f"Training on the CPU: {choice.warning}")
    return training.run_epochs() if training.load() else "stopped"


class _Training:
    """One attempt at a run."""

    def __init__(
        self,
        run: RunDir,
        job: TrainJob,
        samples: Sequence[Sample],
        emit: Emit,
        should_stop: Callable[[], bool],
        device: torch.device,
        state: dict[str, Any] | None,
    ) -> None:
        self.run, self.job, self.config = run, job, job.config
        self.samples, self.device = samples, device
        self.emit, self.should_stop = emit, should_stop
        counts = torch.zeros(len(job.classes), len(job.classes), dtype=torch.int64)
        self.progress = Progress(**state["progress"]) if state else Progress(counts)
        self.arithmetic = state["arithmetic"] if state else resolve_precision(self.config.precision, device)
        self.scaling = _channels(*state["scaling"]) if state else starting_scaling(self.config)
        self._state = state
        train_count = sum(sample.split == "train" for sample in samples)
        self.steps_per_epoch = len(batches(torch.arange(train_count), self.config.batch_size))
        self.judged_on = "val" if any(sample.split == "val" for sample in samples) else "train"
        self._pending_best: BestWeights | None = None
        self._started = time.monotonic()
        self._saved_at = float("-inf")
        self._named_skipped: dict[int, str] = state["skipped"] if state else {}

    def load(self) -> bool:
        """Read the images and build the network; False if told to stop meanwhile."""
        self._phase("loading", "reading images")
        try:
            self.feed = Feed(
                self.samples,
                Path(self.job.dataset),
                self.config,
                self.device,
                scaling=self.scaling,
                on_progress=self._tell_progress,
                should_stop=self.should_stop,
                skipped=self._named_skipped,
            )
        except LoadingStopped:
            return False
        self._check_skipped()
        self._phase("loading", f"building {self.config.backbone}")
        self.learner = Learner(
            self.config,
            num_classes=len(self.job.classes),
            class_weights=self._class_weights(),
            device=self.device,
            arithmetic=self.arithmetic,
            steps_per_epoch=self.steps_per_epoch,
            warn=self.warn,
            say=lambda message: self._phase("loading", message),
            resumed=self._state is not None,
        )
        if self._state is not None:
            self.learner.load_state_dict(self._state["learner"])
            settle_best(self.run, self.progress.best_epoch)
            self._state = None
        return True

    def run_epochs(self) -> Outcome:
        self._phase("training", f"on {describe(self.device)}, {self.arithmetic}")
        while self.progress.epoch <= self.config.epochs and not self._is_early_stop():
            if not (self._train_epoch() and self._end_epoch()):
                self._save()
                return "stopped"
        self._save()
        return "finished"

    # One epoch

    def _train_epoch(self) -> bool:
        """The steps of the present epoch that are still to do; False if told to stop before its last step."""
        progress, counter = self.progress, ConfusionCounter(len(self.job.classes), self.device)
        sums = torch.tensor(progress.sums, device=self.device)
        teller = _Teller(self)
        for batch in self.feed.training_batches(progress.epoch, start=progress.step):
            self.learner.schedule.set_step(progress.epoch, progress.step)
            progress.step += 1
            if len(batch.targets) > 1:
                result = self.learner.step(batch.images, batch.targets)
                sums += torch.stack([result.numerator, result.denominator])
                teller.step_ended(result.numerator / result.denominator, len(batch.targets))
                counter.update(result.logits, batch.targets)
            if self.should_stop():
                break
        progress.sums = sums.tolist()
        progress.confusion += torch.from_numpy(counter.counts())
        self.check_loss(_ratio(progress.sums))
        return progress.step >= self.steps_per_epoch

    def _end_epoch(self) -> bool:
        """Validate, tell and save; False if told to stop during validation."""
        progress = self.progress
        self._check_skipped()
        scores = {"train": Scores(progress.confusion.numpy(), _ratio(progress.sums))}
        if self.judged_on == "val":
            validated = self._validate()
            if validated is None:
                return False
            scores["val"] = validated
        values = {part: {"loss": s.loss, **figures(s.confusion)} for part, s in scores.items()}
        value = values[self.judged_on][self.config.metric]
        is_best = self._is_better(value)
        self._tell_epoch(values, scores[self.judged_on], is_best)
        self.learner.schedule.epoch_ended(value, higher_is_better(self.config.metric))
        if is_best:
            progress.best_epoch, progress.best_value = progress.epoch, value
            self._pending_best = BestWeights(self._card(value), copy_weights(self.learner.judged_model))
        progress.epoch, progress.step = progress.epoch + 1, 0
        progress.sums, progress.confusion = [0.0, 0.0], torch.zeros_like(progress.confusion)
        if time.monotonic() - self._saved_at >= SAVE_EVERY_S:
            self._save()
        return True

    def _validate(self) -> Scores | None:
        return evaluate(
            self.learner.judged_model,
            self.feed.plain_batches(self.feed.rows("val")),
            num_classes=len(self.job.classes),
            device=self.device,
            arithmetic=self.arithmetic,
            loss_terms=self.learner.loss_terms,
            should_stop=self.should_stop,
        )

    def _tell_epoch(self, values: dict[str, dict[str, float]], judged: Scores, is_best: bool) -> None:
        epoch, classes = self.progress.epoch, tuple(item.name for item in self.job.classes)
        self.emit(
            EpochEnded(
                t=time.time(),
                epoch=epoch,
                train=values["train"],
                val=values.get("val"),
                elapsed_s=self._elapsed(),
            )
        )
        confusion = SavedConfusion(epoch, self.judged_on, classes, judged.confusion)
        which: tuple[Literal["last", "best"], ...] = ("last", "best") if is_best else ("last",)
        for path in map(self.run.confusion, which):
            save_confusion(path, confusion)
            file = str(path.relative_to(self.run.path))
            self.emit(Confusion(t=time.time(), epoch=epoch, split=self.judged_on, file=file))

    def _is_better(self, value: float) -> bool:
        best = self.progress.best_value
        if value != value:  # NaN is never the best
            return False
        if best is None:
            return True
        return value > best if higher_is_better(self.config.metric) else value < best

    def _is_early_stop(self) -> bool:
        waited = self.progress.epoch - 1 - self.progress.best_epoch
        return bool(self.config.early_stop) and waited >= self.config.early_stop

    # Checkpoints

    def _save(self) -> None:
        self.progress.elapsed_s = self._elapsed()
        self._started = time.monotonic()
        best = self._pending_best
        state = {
            "progress": self.progress.state_dict(),
            "best_epoch": self.progress.best_epoch,
            "arithmetic": self.arithmetic,
            "scaling": [list(values) for values in self.scaling],
            "learner": self.learner.state_dict(),
            "skipped": self._named_skipped,
        }
        save_checkpoint(self.run, state, best)
        self._pending_best = None
        self._saved_at = time.monotonic()
        begun = self.progress.epoch if self.progress.step else self.progress.epoch - 1
        for path in (self.run.last_checkpoint, *([self.run.best_weights] if best else [])):
            self.emit(
                CheckpointSaved(
                    t=time.time(),
                    path=str(path.relative_to(self.run.path)),
                    epoch=best.card.epoch if best and path == self.run.best_weights else begun,
                    is_best=path == self.run.best_weights,
                )
            )

    def _card(self, value: float) -> ModelCard:
        config = self.config
        mean, std = self.scaling
        return ModelCard(
            backbone=config.backbone,
            classes=self.job.classes,
            width=config.width,
            height=config.height,
            color=config.color,
            geometry=config.geometry,
            resize=config.resize,
            mean=list(mean),
            std=list(std),
            max_megapixels=config.max_megapixels,
            frames=config.frames,
            drop_rate=config.drop_rate,
            drop_path_rate=config.drop_path_rate,
            run=self.run.path.name,
            epoch=self.progress.epoch,
            metric=config.metric,
            value=value,
            judged_on=self.judged_on,
            version=self.job.version,
        )

    # Watching over it

    def warn(self, message: str, hint: str | None = None) -> None:
        self.emit(Warned(t=time.time(), message=message, hint=hint))

    def _phase(self, name: PhaseName, message: str) -> None:
        self.emit(Phase(t=time.time(), name=name, message=message))

    def _tell_progress(self, done: int, total: int) -> None:
        self.emit(Loaded(t=time.time(), done=done, total=total))

    def _elapsed(self) -> float:
        return self.progress.elapsed_s + time.monotonic() - self._started

    def check_loss(self, loss: float) -> None:
        """Stop the run if the loss is no number any more; what was saved before stays good."""
        if not math.isfinite(loss):
            raise RunError(
                f"The loss became {loss} in epoch {self.progress.epoch}, step {self.progress.step}.",
                "Start again with a lower learning rate (--lr) or with --precision fp32.",
            )

    def _check_skipped(self) -> None:
        """Name images that could not be read, and refuse to go on without any image of a class."""
        skipped = self.feed.images.skipped
        new = sorted(set(skipped) - set(self._named_skipped))
        if new:
            self._named_skipped.update({row: skipped[row] for row in new})
            self.warn(_skipped_sentence([(self.samples[row].path, skipped[row]) for row in new]))
        readable = Counter(
            sample.class_index
            for row, sample in enumerate(self.samples)
            if sample.split == "train" and row not in skipped
        )
        for index, item in enumerate(self.job.classes):
            if not readable[index]:
                raise DataError(
                    f"No image of class {printable(item.name)} is left to train on.",
                    "Check the files that were named as unreadable, or label more images.",
                )

    def _class_weights(self) -> Tensor | None:
        counts = Counter(sample.class_index for sample in self.samples if sample.split == "train")
        values = class_weight_values(
            self.config.class_weights,
            [counts[index] for index in range(len(self.job.classes))],
            [item.name for item in self.job.classes],
            self.config.effective_beta,
        )
        return None if values is None else torch.tensor(values, dtype=torch.float32)


class _Teller:
    """Tells steps, at most one every TELL_EVERY_S, and looks whether the loss is still a number.

    Reading the loss waits for a GPU, so there it is read only when it is told.
    """

    def __init__(self, training: _Training) -> None:
        self._training = training
        self._waits = training.device.type != "cpu"
        self._told_at = time.monotonic()
        self._images = 0

    def step_ended(self, loss: Tensor, images: int) -> None:
        self._images += images
        elapsed = time.monotonic() - self._told_at
        if self._waits and elapsed < TELL_EVERY_S:
            return
        value = float(loss)
        self._training.check_loss(value)
        if elapsed >= TELL_EVERY_S:
            self._tell(value, elapsed)

    def _tell(self, loss: float, elapsed: float) -> None:
        training = self._training
        training.emit(
            StepEnded(
                t=time.time(),
                epoch=training.progress.epoch,
                step=training.progress.step,
                loss=loss,
                lr=training.learner.schedule.lr,
                images_per_s=self._images / elapsed,
                memory_bytes=peak_memory_bytes(training.device),
            )
        )
        self._told_at, self._images = time.monotonic(), 0


def starting_scaling(config: TrainConfig) -> tuple[Channels, Channels]:
    """Mean and deviation of each channel: of the settings, or of the model that training starts from."""
    if config.scaling == "auto" and config.weights not in ("none", "imagenet"):
        card = card_of(find_weights(config.backbone, config.weights))
        if card is not None and card.color == config.color:
            return _channels(card.mean, card.std)
    return channel_scaling(config)


def _channels(mean: Sequence[float], std: Sequence[float]) -> tuple[Channels, Channels]:
    return tuple(mean), tuple(std)


def _ratio(sums: list[float]) -> float:
    return sums[0] / sums[1] if sums[1] else float("nan")


def _skipped_sentence(skipped: list[tuple[str, str]]) -> str:
    named = "; ".join(f"{printable(path)}: {reason}" for path, reason in skipped[:5])
    more = f"; and {len(skipped) - 5} more" if len(skipped) > 5 else ""
    images = "1 image is" if len(skipped) == 1 else f"{len(skipped)} images are"
    return f"{images} left out because they cannot be read: {named}{more}."
