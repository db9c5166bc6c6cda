"""The training loop.

`train` goes from epoch to epoch: steps, validation, checkpoint. All state that is needed to resume exactly where a
run was stopped is in the dict of `_Training._save`; everything that is reported goes through an `Attempt`.

Images that cannot be read are left out of an epoch, see `left_out`. While the disk with the images or with the run's
folder is away, the loop waits between two steps; after `runs.disk.OUTAGE_S` it saves a checkpoint and gives up.
"""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor

from mia_tui.catalog.metrics import higher_is_better
from mia_tui.dataset.model import WHOLE_STACK
from mia_tui.engine.data.disk_watch import WorkStopped
from mia_tui.engine.data.feed import Batch, batches
from mia_tui.engine.device import describe, is_out_of_memory, pick_device, resolve_precision, set_up
from mia_tui.engine.inference.evaluate import Scores, evaluate
from mia_tui.engine.inference.familiar import MOST_IMAGES, FamiliarFeatures, familiar_features
from mia_tui.engine.inference.head_input import EvaluatedFeatures, WithHeadInput
from mia_tui.engine.inference.kept_scores import KeptScores
from mia_tui.engine.network.norms import MOST_NORM_IMAGES, measure_norms
from mia_tui.engine.training.checkpoint import (
    BestWeights,
    copy_weights,
    load_state,
    save_checkpoint,
)
from mia_tui.engine.training.core_wait import CoreWait
from mia_tui.engine.training.learner import StepResult
from mia_tui.engine.training.loading import TrainingLoader
from mia_tui.engine.training.metrics import ConfusionCounter, PredictedClasses
from mia_tui.engine.training.progress import TrainingProgress, make_card
from mia_tui.engine.training.reports import EpochEvaluation, StepReports, report_checkpoint, save_evaluation
from mia_tui.errors import AwayError, DataError, RunError
from mia_tui.runs.evaluation.confusion import SavedConfusion, figures
from mia_tui.runs.evaluation.epoch_predictions import NOT_EVALUATED, EpochPredictions
from mia_tui.runs.machine.cores import usable_cores
from mia_tui.runs.record.events import EpochEnded, EpochPlace, Outcome
from mia_tui.runs.record.job import Sample, TrainJob
from mia_tui.runs.record.model_card import ModelCard
from mia_tui.runs.worker.attempt import Attempt
from mia_tui.text import typed

SAVE_EVERY_S = 60.0
"""A checkpoint is saved at an epoch's end, but no more often than this; and at every stop."""

EMIT_EVERY_S = 0.2
"""Steps are reported no more often than this."""


def train(attempt: Attempt, job: TrainJob, samples: Sequence[Sample]) -> Outcome:
    """Train until the last epoch, an early stop, or a request to stop; resumes from the last checkpoint.

    Args:
        attempt: Takes the events, and is asked to stop after each step and while images are read or waited for.
        job: What is trained, and with which settings.
        samples: The images of the run with class and split.

    Returns:
        Whether the run finished or was stopped.

    Raises:
        AwayError: If a disk was away for too long; if it was that of the images, a checkpoint was saved.
        MiaError: If the run cannot start or continue; earlier checkpoints stay.
    """
    choice = pick_device(job.config.device)
    threads = job.threads or usable_cores()
    job = msgspec.structs.replace(job, config=msgspec.structs.replace(job.config, threads=threads))
    set_up(choice.device, threads=threads, deterministic=job.config.deterministic)
    # No name holds the state here: it is as large as the network and its optimizer.
    training = _Training(attempt, job, samples, choice.device, load_state(attempt.run))
    training.loader.check_network()
    attempt.started(
        device=describe(choice.device),
        total_epochs=job.config.epochs,
        steps_per_epoch=training.steps_per_epoch,
        resumed_at=training.resumed_at,
        arithmetic=training.arithmetic,
    )
    training.loader.warn_of_other_threads(threads)
    if choice.warning:
        attempt.warn(f"Training on the CPU: {choice.warning}")
    try:
        return training.run_epochs() if training.load() else "stopped"
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise RunError(
            f"Memory ran out on {describe(choice.device)}.",
            "Use a smaller input (--size), a smaller backbone, --cache none or another GPU; memory used by "
            "other programs counts, too.",
        ) from error
    finally:
        training.loader.close()


class _Training:
    """One attempt at a run: from its start, or from the last checkpoint, to its end or a stop."""

    def __init__(
        self,
        attempt: Attempt,
        job: TrainJob,
        samples: Sequence[Sample],
        device: torch.device,
        state: dict[str, Any] | None,
    ) -> None:
        self.attempt, self.run, self.job, self.config = attempt, attempt.run, job, job.config
        # Images of the test part are never used here.
        self.places = [place for place, sample in enumerate(samples) if sample.split != "test"]
        self.samples, self.device = [samples[place] for place in self.places], device
        self._sample_count = len(samples)
        counts = torch.zeros(len(job.classes), len(job.classes), dtype=torch.int64)
        self.progress = TrainingProgress(**state["progress"]) if state else TrainingProgress(counts)
        self.resumed_at = EpochPlace(self.progress.epoch, self.progress.step) if state else None
        self.arithmetic = state["arithmetic"] if state else resolve_precision(self.config.precision, device)
        train_count = sum(sample.split == "train" for sample in self.samples)
        self.steps_per_epoch = len(batches(torch.arange(train_count), self.config.batch_size))
        self.evaluated_part = "val" if any(sample.split == "val" for sample in self.samples) else "train"
        self._pending_best: BestWeights | None = None
        self._pending_evaluation: EpochEvaluation | None = None
        self._started = time.monotonic()
        self._saved_at = float("-inf")
        self._core_wait = CoreWait(attempt.warn, torch.get_num_threads(), self.run.name)
        self.loader = TrainingLoader(
            attempt,
            job,
            self.samples,
            device,
            state,
            progress=self.progress,
            arithmetic=self.arithmetic,
            steps_per_epoch=self.steps_per_epoch,
        )

    def load(self) -> bool:
        """Read the images and build the network; False if a stop was requested meanwhile."""
        try:
            loaded = self.loader.load()
            if self.config.trials:
                self.config, loaded = self.loader.choose_settings(loaded)
                self.job = msgspec.structs.replace(self.job, config=self.config)
        except WorkStopped:
            return False
        self.feed, self.left_out, self.learner = loaded.feed, loaded.left_out, loaded.learner
        self._loaded = loaded
        return True

    def run_epochs(self) -> Outcome:
        self.attempt.phase("training", f"on {describe(self.device)}, {self.arithmetic}")
        try:
            while not self.progress.is_over(self.config):
                if not self.progress.step:  # an epoch resumed in its middle leaves out the same images
                    self.left_out.try_again(self.progress.epoch)
                if not (self._train_epoch() and self._end_epoch()):
                    raise WorkStopped
        except WorkStopped:
            self._save()
            return "stopped"
        except AwayError as error:
            self._save()
            raise AwayError(
                error.message,
                "A checkpoint is saved; when the disk is back, resume with `mia-tui train --resume "
                f"{typed(self.run.path)}`.",
            ) from error
        self._save()
        return "finished"

    # One epoch

    def _train_epoch(self) -> bool:
        """Do the remaining steps of the current epoch; False if a stop was requested before its last one."""
        progress, counter = self.progress, ConfusionCounter(len(self.job.classes), self.device)
        predictions = self._training_predictions()
        sums = torch.tensor(progress.sums, device=self.device)
        steps = StepReports(self.attempt, self.device, every_s=EMIT_EVERY_S, check_loss=self._check_loss)
        least = min(2, self.config.batch_size)  # batch norm cannot train on one image
        interrupted: Exception | None = None
        try:
            for batch in self.feed.training_batches(progress.epoch, start=progress.step):
                self.learner.set_step(progress.epoch, progress.step)
                progress.step += 1
                if len(batch.targets) >= least:
                    result = self._step(batch)
                    sums += torch.stack([result.numerator, result.denominator])
                    steps.step_ended(
                        EpochPlace(progress.epoch, progress.step),
                        result.numerator / result.denominator,
                        self.learner.schedule.lr,
                        len(batch.targets),
                    )
                    counter.update(result.logits, batch.targets)
                    if predictions is not None:
                        predictions.update(batch.rows, result.logits)
                if self.attempt.should_stop():
                    break
        except (WorkStopped, AwayError) as error:  # while waiting for a batch: the steps before it count
            interrupted = error
        progress.sums = sums.tolist()
        progress.confusion += torch.from_numpy(counter.counts())
        progress.predicted = None if predictions is None else predictions.classes()
        if progress.sums[1]:  # 0 where no image of the steps so far can be read
            self._check_loss(progress.loss)
        if interrupted is not None:
            raise interrupted
        return progress.step >= self.steps_per_epoch

    def _step(self, batch: Batch) -> StepResult:
        if self.device.type != "cpu":
            return self.learner.step(batch)
        return self._core_wait.timed(self.learner.step, batch)

    def _training_predictions(self) -> PredictedClasses | None:
        """Without a validation part the training images are evaluated, while they are trained on."""
        if self.evaluated_part != "train":
            return None
        return PredictedClasses(len(self.samples), self.device, self.progress.predicted)

    def _end_epoch(self) -> bool:
        """Validate, report and save; False if a stop was requested during validation."""
        progress = self.progress
        self.left_out.report(progress.epoch)
        self.left_out.check_classes()
        self._loaded.other_types.give()
        scores = {"train": Scores(progress.confusion.numpy(), progress.loss, progress.predicted)}
        images = len(self.feed.rows("val"))
        seen, kept = EvaluatedFeatures(images, MOST_IMAGES), KeptScores(images, len(self.job.classes))
        if self.learner.end_epoch(progress.epoch) and not self._measure_norms():
            return False
        if self.evaluated_part == "val":
            validated = self._validate(seen, kept)
            if validated is None:
                return False
            scores["val"] = validated
        values = {part: {"loss": s.loss, **figures(s.confusion)} for part, s in scores.items()}
        value = values[self.evaluated_part][self.config.metric]
        is_best = progress.is_better(value, self.config.metric)
        self._emit_epoch(values, scores[self.evaluated_part], kept if is_best else None)
        self.learner.schedule.epoch_ended(value, higher_is_better(self.config.metric))
        if is_best:
            progress.best_epoch, progress.best_value = progress.epoch, value
            weights = copy_weights(self.learner.evaluated_model)
            self._pending_best = BestWeights(self._card(value), weights, self._familiar(*seen.kept()))
        progress.begin_next()
        is_due = time.monotonic() - self._saved_at >= SAVE_EVERY_S
        if is_due and not progress.is_over(self.config):  # the end is saved anyway
            self._save()
        return True

    def _measure_norms(self) -> bool:
        """Measure the norms of the network that is validated and saved; False if a stop was requested meanwhile."""
        batches = self.feed.mixed_batches(MOST_NORM_IMAGES)
        return measure_norms(
            self.learner.evaluated_model,
            (batch.images for batch in batches),
            self.device,
            self.arithmetic,
            self.attempt.should_stop,
        )

    def _validate(self, seen: EvaluatedFeatures, kept: KeptScores) -> Scores | None:
        rows = self.feed.rows("val")
        left_out = self.left_out.rows
        if left_out and left_out.keys() >= set(rows.tolist()):  # no validation at all would be worse
            self.feed.images.try_again(rows.tolist())
        with closing(WithHeadInput(self.learner.evaluated_model)) as model:
            scores = evaluate(
                model,
                self.feed.plain_batches(rows),
                num_classes=len(self.job.classes),
                num_samples=len(self.samples),
                device=self.device,
                arithmetic=self.arithmetic,
                loss_terms=self.learner.loss_terms,
                should_stop=self.attempt.should_stop,
                features=seen,
                kept=kept,
                with_views=self.config.validate_views,
            )
        self.left_out.report(self.progress.epoch)
        if scores is not None and not scores.confusion.any():
            raise DataError(
                "No image of the validation part can be read.",
                "Check the files that were named as unreadable, or train with --val-fraction 0.",
            )
        return scores

    def _familiar(self, rows: Tensor, features: Tensor) -> Callable[[], FamiliarFeatures | None]:
        """Learns what is familiar to a network from validation images, once its weights are saved."""
        samples = [self.samples[row] for row in rows.tolist()]
        classes = torch.tensor([sample.class_index for sample in samples], dtype=torch.int64)
        files = {
            sample.path: place for place, sample in enumerate(samples)
        }  # frames of a file belong together
        groups = torch.tensor([files[sample.path] for sample in samples], dtype=torch.int64)
        return partial(familiar_features, features, classes, groups)

    def _emit_epoch(
        self, values: dict[str, dict[str, float]], scores: Scores, best: KeptScores | None
    ) -> None:
        """Report the epoch and save its evaluation; `best` is what the network said in it, if it is the best."""
        names = tuple(item.name for item in self.job.classes)
        matrix = SavedConfusion(self.progress.epoch, self.evaluated_part, names, scores.confusion)
        evaluation = EpochEvaluation(matrix, self._evaluated_images(scores.predicted))
        self.attempt.emit(
            EpochEnded(
                t=time.time(),
                epoch=self.progress.epoch,
                train=values["train"],
                val=values.get("val"),
                elapsed_s=self._elapsed(),
                left_out=self.left_out.counts(),
            )
        )
        save_evaluation(self.attempt, evaluation, "last")
        if best is not None:
            said = best.scores(np.array(self.places), epoch=self.progress.epoch, split=self.evaluated_part)
            self._pending_evaluation = replace(evaluation, scores=said)

    def _evaluated_images(self, predicted: Tensor | None) -> EpochPredictions:
        """Predicted classes by position in samples.jsonl, which lists the images of the test part, too."""
        of_all = np.full(self._sample_count, NOT_EVALUATED, np.int64)
        if predicted is not None:
            of_all[self.places] = predicted.numpy()
        return EpochPredictions(self.progress.epoch, self.evaluated_part, of_all)

    # Checkpoints

    def _save(self) -> None:
        self.left_out.report(self.progress.epoch)
        self.progress.elapsed_s = self._elapsed()
        self._started, self.attempt.waited_s = time.monotonic(), 0.0
        best = self._pending_best
        state = {
            "progress": self.progress.state_dict(),
            "best_epoch": self.progress.best_epoch,
            "arithmetic": self.arithmetic,
            "scaling": [list(values) for values in self._loaded.scaling],
            "learner": self.learner.state_dict(),
            "skipped": self.left_out.rows,
            "threads": self.config.threads,
        }
        if self._pending_evaluation is not None:  # just before the weights, so that a failure leaves neither
            save_evaluation(self.attempt, self._pending_evaluation, "best")
        self.attempt.write_when_back(lambda: save_checkpoint(self.run, state, best))
        self._pending_best = self._pending_evaluation = None
        self._saved_at = time.monotonic()
        begun = self.progress.epoch if self.progress.step else self.progress.epoch - 1
        report_checkpoint(self.attempt, self.run.last_checkpoint, begun, is_best=False)
        if best is not None:
            report_checkpoint(self.attempt, self.run.best_weights, best.card.epoch, is_best=True)

    def _card(self, value: float) -> ModelCard:
        return make_card(
            self.job,
            self.run.path.name,
            self._loaded.scaling,
            self._loaded.input.input_map,
            epoch=self.progress.epoch,
            value=value,
            evaluated_on=self.evaluated_part,
            stacks="whole" if any(sample.frame == WHOLE_STACK for sample in self.samples) else "frames",
            fingerprint=self._loaded.fingerprint,
        )

    # Checks and clocks

    def _elapsed(self) -> float:
        return self.progress.elapsed_s + time.monotonic() - self._started - self.attempt.waited_s

    def _check_loss(self, loss: float) -> None:
        """End the run if the loss is not finite; earlier checkpoints stay valid."""
        if not math.isfinite(loss):
            raise RunError(
                f"The loss became {loss} in epoch {self.progress.epoch}, step {self.progress.step}.",
                "Start again with a lower learning rate (--lr) or with --precision fp32.",
            )
