"""The training loop.

`train` goes from epoch to epoch: steps, validation, checkpoint. All state that is needed to resume exactly where a
run was stopped is in the dict of `_Training._save`; everything that is reported goes through an `Attempt`.

Images that cannot be read are left out of an epoch, see `left_out`. While the disk with the images or with the run's
folder is away, the loop waits between two steps; after `runs.disk.OUTAGE_S` it saves a checkpoint and gives up.
"""

import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mia_tui.catalog.metrics import higher_is_better
from mia_tui.config.train.epoch_work import MOST_NORM_IMAGES
from mia_tui.dataset.model import WHOLE_STACK
from mia_tui.engine.data.disk_watch import WorkStopped
from mia_tui.engine.device import describe_all
from mia_tui.engine.inference.evaluate import Scores, evaluate
from mia_tui.engine.inference.familiar import MOST_IMAGES, FamiliarFeatures, familiar_features
from mia_tui.engine.inference.head_input import EvaluatedFeatures, WithHeadInput
from mia_tui.engine.inference.kept_scores import KeptScores
from mia_tui.engine.network.norms import measure_norms
from mia_tui.engine.parallel.steps import steps_together
from mia_tui.engine.training.checkpoint import (
    BestWeights,
    copy_weights,
    save_checkpoint,
)
from mia_tui.engine.training.learner import Learner
from mia_tui.engine.training.loading import LoadedImages, TrainingLoader
from mia_tui.engine.training.metrics import ConfusionCounter, PredictedClasses
from mia_tui.engine.training.progress import make_card
from mia_tui.engine.training.reports import EpochEvaluation, StepReports, report_checkpoint, save_evaluation
from mia_tui.engine.training.steps.core_wait import CoreWait
from mia_tui.engine.training.steps.fast_steps import FastSteps, call, refuse_impossible_means
from mia_tui.engine.training.steps.step_graphs import StepResult
from mia_tui.engine.training.time_use import TimeUse
from mia_tui.errors import AwayError, DataError, RunError
from mia_tui.runs.evaluation.confusion import SavedConfusion, count_confusion, figures
from mia_tui.runs.evaluation.epoch_predictions import NOT_EVALUATED, EpochPredictions
from mia_tui.runs.record.events import EpochEnded, EpochPlace, Outcome, TimeUsed
from mia_tui.runs.record.model_card import ModelCard
from mia_tui.runs.record.time_use import bottleneck_sentence
from mia_tui.runs.worker.attempt import Attempt
from mia_tui.text import typed

SAVE_EVERY_S = 60.0
"""A checkpoint is saved at an epoch's end, but no more often than this; and at every stop."""

EMIT_EVERY_S = 0.2
"""Steps are reported no more often than this."""


def train(attempt: Attempt, loader: TrainingLoader) -> Outcome:
    """Train until the last epoch, an early stop, or a request to stop; resumes from the last checkpoint.

    Args:
        attempt: Takes the events, and is asked to stop after each step and while images are read or waited for.
        loader: Has the images of the run, and builds its network.

    Returns:
        Whether the run finished or was stopped.

    Raises:
        AwayError: If a disk was away for too long; if it was that of the images, a checkpoint was saved.
        MiaError: If the run cannot start or continue; earlier checkpoints stay.
        WorkStopped: If a stop was requested before the first step.
    """
    loader.check_network()
    attempt.started(
        device=describe_all(loader.device, loader.ranks.count),
        total_epochs=loader.job.config.epochs,
        steps_per_epoch=loader.steps_per_epoch,
        resumed_at=loader.resumed_at,
        arithmetic=loader.arithmetic,
    )
    refuse_impossible_means(loader.job.config, loader.device, loader.arithmetic)
    loader.warn()
    return _Training(attempt, loader, *loader.load()).run_epochs()


class _Training:
    """One attempt at a run: from its start, or from the last checkpoint, to its end or a stop."""

    def __init__(
        self, attempt: Attempt, loader: TrainingLoader, images: LoadedImages, learner: Learner
    ) -> None:
        self.ranks = loader.ranks
        self.attempt, self.run, self.job, self.config = attempt, attempt.run, loader.job, loader.job.config
        self.places, self.samples, self.device = loader.places, loader.samples, loader.device
        self._sample_count = loader.sample_count
        self.progress, self.arithmetic = loader.progress, loader.arithmetic
        self.steps_per_epoch = loader.steps_per_epoch
        self.evaluated_part = "val" if any(sample.split == "val" for sample in self.samples) else "train"
        self._pending_best: BestWeights | None = None
        self._pending_evaluation: EpochEvaluation | None = None
        self._started, self._saved_at = loader.began, float("-inf")
        self._images, self.learner = images, learner
        self.feed, self.left_out, self._fingerprint = images.feed, images.left_out, ""
        self._time, self._has_stepped = TimeUse(dict(self.progress.seconds), self.device), False
        self.feed.measure(self._time.mark)
        self._loaded_at = time.monotonic()
        self._core_wait = CoreWait(attempt.warn, torch.get_num_threads(), self.run.name)

    def _choose_means(self) -> FastSteps:
        """Begin to choose by which means steps are computed."""
        say, where = partial(self.attempt.phase, "training"), describe_all(self.device, self.ranks.count)
        place = f"on {where}, {self.arithmetic}"
        say(place)
        waits_for_cores = self.device.type == "cpu" and self.ranks.count == 1  # and for no other process
        return FastSteps(
            self.learner,
            steps_left=self._steps_left,
            say=lambda words: say(f"{place}; {words}"),
            warn=self.attempt.warn,
            do=self._core_wait.timed if waits_for_cores else call,
        )

    def _steps_left(self) -> int:
        return (self.config.epochs + 1 - self.progress.epoch) * self.steps_per_epoch - self.progress.step

    def run_epochs(self) -> Outcome:
        self._steps = self._choose_means()
        try:
            while not self.progress.is_over(self.config):
                if not self.progress.step:  # an epoch resumed in its middle leaves out the same images
                    self.ranks.together(partial(self.left_out.try_again, self.progress.epoch))
                    self.left_out.agree(self.ranks)
                if not (self._train_epoch() and self._end_epoch()):
                    raise WorkStopped
        except WorkStopped:
            self._save()
            self._report_time()
            return "stopped"
        except AwayError as error:
            self._save()
            raise AwayError(
                error.message,
                "A checkpoint is saved; when the disk is back, resume with `mia-tui train --resume "
                f"{typed(self.run.path)}`.",
            ) from error
        self._save()
        self._report_time()
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
        self._time.begin_steps()
        try:
            parts = self.feed.training_batches(progress.epoch, start=progress.step)
            for batch, images in steps_together(parts, self.ranks, self.attempt.should_stop):
                self.learner.set_step(progress.epoch, progress.step)
                progress.step += 1
                if images >= least:
                    result = self._steps.step(batch)
                    if not self._has_stepped:
                        self._first_step_ended(result)
                    sums += torch.stack([result.numerator, result.denominator])
                    steps.step_ended(
                        EpochPlace(progress.epoch, progress.step),
                        result.numerator / result.denominator,
                        self.learner.schedule.lr,
                        images,
                    )
                    counter.update(result.logits, batch.targets)
                    if predictions is not None:
                        predictions.update(batch.rows, result.logits)
                self._time.mark("computing")
        except (WorkStopped, AwayError) as error:  # while waiting for a batch: the steps before it count
            interrupted = error
        steps.finish()
        progress.sums = sums.tolist()
        progress.confusion += self.ranks.sum_(torch.from_numpy(counter.counts()))
        progress.predicted = None if predictions is None else self.ranks.max_(predictions.classes())
        self._time.end_steps()
        if progress.sums[1]:  # 0 where no image of the steps so far can be read
            self._check_loss(progress.loss)
        if interrupted is not None:
            raise interrupted
        return progress.step >= self.steps_per_epoch

    def _first_step_ended(self, result: StepResult) -> None:
        self._has_stepped = True
        result.numerator.item()  # waits for the device, this once
        self._time.started(self.attempt.first_step_ended(since=self._loaded_at))

    def _training_predictions(self) -> PredictedClasses | None:
        """Without a validation part the training images are evaluated, while they are trained on."""
        if self.evaluated_part != "train":
            return None
        return PredictedClasses(len(self.samples), self.device, self.progress.predicted)

    def _end_epoch(self) -> bool:
        """Validate, report and save; False if a stop was requested during validation."""
        progress = self.progress
        self._fingerprint = self.ranks.from_first(self._images.fingerprint.digest)
        self.left_out.agree(self.ranks)
        self.left_out.report(progress.epoch)
        self.ranks.together(self.left_out.check_classes)
        self._images.other_types.give()
        problem = self.feed.images.take_disk_problem()
        if problem is not None:
            self.attempt.warn(
                f"Decoded images are not kept on the disk any more: {problem}", "The run goes on."
            )
        scores = {"train": Scores(self._training_confusion(), progress.loss, progress.predicted)}
        images = len(self.feed.rows("val"))
        seen, kept = EvaluatedFeatures(images, MOST_IMAGES), KeptScores(images, len(self.job.classes))
        if self.learner.end_epoch(progress.epoch) and not self._measure_norms():
            return False
        if self.evaluated_part == "val":
            with self._time.part("validating"):
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
            self._pending_best = BestWeights(
                self._card(value), weights, self._familiar(*seen.kept(self.ranks))
            )
        progress.begin_next()
        is_due = self.ranks.from_first(lambda: time.monotonic() - self._saved_at >= SAVE_EVERY_S)
        if is_due and not progress.is_over(self.config):  # the end is saved anyway
            self._save()
        self._report_time()
        return True

    def _training_confusion(self) -> np.ndarray:
        """Of what was shown in the epoch; where the training part is evaluated each shown image counts once."""
        predicted = self.progress.predicted
        if predicted is None or self.config.sampling == "all":
            return self.progress.confusion.numpy()
        said = predicted.numpy()
        shown = said != NOT_EVALUATED
        truth = np.array([sample.class_index for sample in self.samples], np.int64)
        return count_confusion(truth[shown], said[shown], len(self.job.classes))

    def _measure_norms(self) -> bool:
        """Measure the norms of the network that is validated and saved; False if a stop was requested meanwhile."""
        asked = self.attempt.should_stop
        batches = steps_together(self.feed.mixed_batches(MOST_NORM_IMAGES), self.ranks, asked)
        images = (batch.images for batch, _ in batches)
        never = bool  # since `steps_together` asks
        measure_norms(self.learner.evaluated_model, images, self.device, self.arithmetic, never)
        return not self.ranks.sums(asked())[0]

    def _validate(self, seen: EvaluatedFeatures, kept: KeptScores) -> Scores | None:
        rows = self.feed.rows("val")
        left_out = self.left_out.rows
        if left_out and left_out.keys() >= set(rows.tolist()):  # no validation at all would be worse
            self.ranks.together(partial(self.feed.images.try_again, rows.tolist()))
            self.left_out.agree(self.ranks)
        self.ranks.broadcast_(list(self.learner.evaluated_model.buffers()))  # those of batch norm differ
        scores = self.ranks.together(partial(self._validate_share, rows, seen, kept))
        if self.ranks.sums(scores is None)[0]:
            return None
        assert scores is not None
        self.left_out.agree(self.ranks)
        self.left_out.report(self.progress.epoch)
        scores = scores.of_all(self.ranks)
        kept.gather(self.ranks)
        if not scores.confusion.any():
            raise DataError(
                "No image of the validation part can be read.",
                "Check the files that were named as unreadable, or train with --val-fraction 0.",
            )
        return scores

    def _validate_share(self, rows: Tensor, seen: EvaluatedFeatures, kept: KeptScores) -> Scores | None:
        """What this process finds out of its share of the validation images."""
        with closing(WithHeadInput(self.learner.evaluated_model)) as model:
            return evaluate(
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
                views=self._views(),
                averaged=self.learner.averaged_epochs,
            )
        )
        if self.ranks.is_first:
            with self._time.part("saving"):
                save_evaluation(self.attempt, evaluation, "last")
        if best is not None:
            said = best.scores(np.array(self.places), epoch=self.progress.epoch, split=self.evaluated_part)
            self._pending_evaluation = replace(evaluation, scores=said)

    def _views(self) -> int:
        """How many views of each validation image the network is shown."""
        is_shown_more = self.config.validate_views and self.evaluated_part == "val"
        return self.config.view_count if is_shown_more else 1

    def _evaluated_images(self, predicted: Tensor | None) -> EpochPredictions:
        """Predicted classes by position in samples.jsonl, which lists the images of the test part, too."""
        of_all = np.full(self._sample_count, NOT_EVALUATED, np.int64)
        if predicted is not None:
            of_all[self.places] = predicted.numpy()
        return EpochPredictions(self.progress.epoch, self.evaluated_part, of_all)

    # Checkpoints

    def _save(self) -> None:
        with self._time.part("saving"):
            self._save_checkpoint()

    def _save_checkpoint(self) -> None:
        self.left_out.agree(self.ranks)
        self.left_out.report(self.progress.epoch)
        self.progress.elapsed_s, self.progress.seconds = self._elapsed(), self._time.now()
        self._started, self.attempt.waited_s = time.monotonic(), 0.0
        best = self._pending_best
        state = {
            "progress": self.progress.state_dict(),
            "best_epoch": self.progress.best_epoch,
            "arithmetic": self.arithmetic,
            "scaling": [list(values) for values in self._images.scaling],
            "learner": self.learner.state_dict(),
            "skipped": self.left_out.rows,
            "threads": self.config.threads,
            "processes": self.ranks.count,
        }
        if self.ranks.is_first:
            self._write(state, best)
        self._pending_best = self._pending_evaluation = None
        self._saved_at = time.monotonic()

    def _write(self, state: dict[str, Any], best: BestWeights | None) -> None:
        if self._pending_evaluation is not None:  # just before the weights, so that a failure leaves neither
            save_evaluation(self.attempt, self._pending_evaluation, "best")
        self.attempt.write_when_back(lambda: save_checkpoint(self.run, state, best))
        begun = self.progress.epoch if self.progress.step else self.progress.epoch - 1
        report_checkpoint(self.attempt, self.run.last_checkpoint, begun, is_best=False)
        if best is not None:
            report_checkpoint(self.attempt, self.run.best_weights, best.card.epoch, is_best=True)

    def _card(self, value: float) -> ModelCard:
        return make_card(
            self.job,
            self.run.path.name,
            self._images.scaling,
            self._images.input.input_map,
            epoch=self.progress.epoch,
            value=value,
            evaluated_on=self.evaluated_part,
            stacks="whole" if any(sample.frame == WHOLE_STACK for sample in self.samples) else "frames",
            fingerprint=self._fingerprint,
        )

    # Checks and clocks

    def _report_time(self) -> None:
        """Report what the time went into up to now."""
        seconds = self._time.now()
        sentence = bottleneck_sentence(
            seconds, images_in=self.feed.images.place, on_cpu=self.device.type == "cpu"
        )
        self.attempt.emit(TimeUsed(t=time.time(), seconds=seconds, sentence=sentence))

    def _elapsed(self) -> float:
        return self.progress.elapsed_s + time.monotonic() - self._started - self.attempt.waited_s

    def _check_loss(self, loss: float) -> None:
        """End the run if the loss is not finite; earlier checkpoints stay valid."""
        if not math.isfinite(loss):
            raise RunError(
                f"The loss became {loss} in epoch {self.progress.epoch}, step {self.progress.step}.",
                "Start again with a lower learning rate (--lr) or with --precision fp32.",
            )
