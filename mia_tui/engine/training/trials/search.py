"""Does the trials of a run: short trainings on its images, which are decoded once, in the process of the run.

The state is trials.jsonl: a run that is resumed goes on with the trial that was interrupted.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial

import msgspec
import numpy as np
import torch
from torch import Tensor

from mia_tui.config.train import TrainConfig
from mia_tui.config.train.epoch_work import MOST_NORM_IMAGES
from mia_tui.engine.data.disk_watch import WorkStopped
from mia_tui.engine.data.feed import Feed, batches
from mia_tui.engine.device import Arithmetic
from mia_tui.engine.inference.evaluate import infer
from mia_tui.engine.network.norms import measure_norms
from mia_tui.engine.training.learner import Learner
from mia_tui.engine.training.trials.judge import Fold, groups_of, image_losses, make_folds
from mia_tui.engine.training.trials.plan import (
    Settings,
    TrialPlan,
    choose,
    gain_over,
    next_settings,
    plan_trials,
    usual_choice,
)
from mia_tui.errors import RunError
from mia_tui.runs.record.events import SettingsChosen, TrialEnded
from mia_tui.runs.record.job import Sample, TrainJob
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.state import read_state
from mia_tui.runs.record.trials import (
    DoneTrial,
    Trial,
    TrialsChoice,
    are_possible,
    read_trials,
    settings_words,
    with_settings,
    write_trials,
)
from mia_tui.runs.worker.attempt import Attempt

MakeFeed = Callable[[TrainConfig, Sequence[Sample]], Feed]
MakeLearner = Callable[[TrainConfig, int], Learner]


class TrialSearch:
    """The trials of one run.

    Args:
        attempt: Takes the events, and is asked to stop after each step.
        job: What is trained; its settings ask for trials.
        samples: Its images, without those of the test part.
        make_feed: Batches of the decoded images, by settings and samples with other parts.
        make_learner: A new network, by settings and steps of an epoch.
        class_weights: Of the loss, shape (C,); None for equal ones.
    """

    def __init__(
        self,
        attempt: Attempt,
        job: TrainJob,
        samples: Sequence[Sample],
        *,
        make_feed: MakeFeed,
        make_learner: MakeLearner,
        class_weights: Tensor | None,
        arithmetic: Arithmetic,
    ) -> None:
        self._attempt, self._run, self._job, self._config = attempt, attempt.run, job, job.config
        self._make_feed, self._make_learner, self._arithmetic = make_feed, make_learner, arithmetic
        counts = [sum(sample.split == part for sample in samples) for part in ("train", "val")]
        self._plan = plan_trials(self._config, train=counts[0], val=counts[1])
        self._folds = make_folds(samples, self._config.group_by, self._plan.folds, self._config.split_seed)
        self._rows = torch.cat([fold.judged for fold in self._folds])
        self._targets = torch.tensor([samples[row].class_index for row in self._rows.tolist()])
        groups = groups_of(samples, self._config.group_by)[self._rows.numpy()]
        self._groups = np.unique(groups, return_inverse=True)[1].astype(np.int64)
        self._weights = (
            torch.ones(len(self._rows)) if class_weights is None else class_weights.cpu()[self._targets]
        )

    def choose(self) -> TrainConfig:
        """Do the trials that are left, and choose.

        Returns:
            The settings of the run, with those that were chosen.

        Raises:
            WorkStopped: If a stop was requested; the trials that are done are kept.
        """
        done, choice = read_trials(self._run.path, root=self._run.root)
        choice = choice or self._chosen_before() or self._chosen_by_first()
        if choice is None:
            done = [one for one in done if one.trial.images == len(self._rows)]
            choice = self._do(done)
        self._write(done, choice)
        config = with_settings(self._config, choice.settings)
        self._attempt.emit(SettingsChosen(t=time.time(), choice=choice, total_epochs=config.epochs))
        return config

    def _do(self, done: list[DoneTrial]) -> TrialsChoice:
        if len(np.unique(self._groups)) < 2 or not self._plan.names:
            return usual_choice(self._plan, "There is nothing to try, or nothing to judge it on.")
        while (settings := next_settings(self._plan, [one.trial.score for one in done])) is not None:
            found = self._try(len(done) + 1, settings, done)
            done.append(found)
            self._write(done, None)
            self._attempt.emit(TrialEnded(t=time.time(), trial=found.trial, of=self._plan.count))
        return choose(self._plan, done, self._groups, self._weights.double().numpy())

    def _chosen_before(self) -> TrialsChoice | None:
        """What this run has chosen by its events, where trials.jsonl was lost or damaged since."""
        choice = read_state(self._run).choice
        return choice if choice is not None and are_possible(choice.settings) else None

    def _chosen_by_first(self) -> TrialsChoice | None:
        """What the first run of a group of repetitions has chosen; None for no such group, or none yet."""
        repeat = self._job.repeat
        if repeat is None or repeat.number == 1:
            return None
        for beside in sorted(self._run.path.parent.iterdir()):
            run = RunDir(beside)
            if beside == self._run.path or not run.exists():
                continue
            try:
                other = run.written_job().repeat
                if other is not None and (other.group, other.number) == (repeat.group, 1):
                    choice = read_trials(run.path, root=run.root)[1]
                    why = None if choice is None else f"As in the run {run.name}. {choice.why}"
                    return None if choice is None else msgspec.structs.replace(choice, why=why)
            except RunError:  # of another version
                continue
        return None

    def _write(self, done: Sequence[DoneTrial], choice: TrialsChoice | None) -> None:
        self._attempt.write_when_back(
            partial(write_trials, self._run.path, done, choice, root=self._run.root)
        )

    def _try(self, number: int, settings: Settings, done: Sequence[DoneTrial]) -> DoneTrial:
        config = _trial_config(self._config, self._plan, settings)
        words = settings_words({name: settings[name] for name in self._plan.names})
        self._attempt.phase("trials", f"trial {number} of {self._plan.count}: {words}")
        begun = time.monotonic()
        total = config.epochs * sum(fold.train for fold in self._folds)
        logits, seen = [], 0
        for fold in self._folds:
            logits.append(self._train(config, fold, seen, total))
            seen += config.epochs * fold.train
        said = torch.cat(logits)
        weights = self._weights
        losses = image_losses(said, self._targets, weights)
        score = float((losses * weights.double().numpy()).sum() / weights.sum())
        gain, error = 0.0, 0.0
        if done:
            base = np.array(done[0].losses)
            gain, error = gain_over(base, losses, self._groups, weights.double().numpy())
        right = (said.argmax(dim=1) == self._targets).double().mean()
        trial = Trial(
            number=number,
            settings=dict(settings),
            epochs=config.epochs,
            score=score,
            gain=gain,
            error=min(error, 20.0),
            accuracy=float(right),
            images=len(self._rows),
            seconds=time.monotonic() - begun,
        )
        return DoneTrial(trial=trial, losses=losses.tolist())

    def _train(self, config: TrainConfig, fold: Fold, seen: int, total: int) -> Tensor:
        """Train one network, and get its logits of the images that it is judged on, shape (n, C), on the CPU."""
        steps = len(batches(torch.arange(fold.train), config.batch_size))
        learner, feed = self._make_learner(config, steps), self._make_feed(config, fold.samples)
        least, measures = min(2, config.batch_size), False
        for epoch in range(1, config.epochs + 1):
            for step, batch in enumerate(feed.training_batches(epoch, start=0)):
                learner.set_step(epoch, step)
                if len(batch.targets) >= least:
                    learner.step(batch)
                seen += len(batch.targets)
                self._attempt.progress(min(seen, total), total)
                if self._attempt.should_stop():
                    raise WorkStopped
            measures = learner.end_epoch(epoch)
        if measures and not self._measure_norms(learner, feed):
            raise WorkStopped
        return self._judge(learner, feed, fold.judged)

    def _measure_norms(self, learner: Learner, feed: Feed) -> bool:
        """As before each validation of the run; False if a stop was requested meanwhile."""
        images = (batch.images for batch in feed.mixed_batches(MOST_NORM_IMAGES))
        return measure_norms(
            learner.evaluated_model, images, learner.device, self._arithmetic, self._attempt.should_stop
        )

    def _judge(self, learner: Learner, feed: Feed, rows: Tensor) -> Tensor:
        classes = len(self._job.classes)
        found = torch.zeros(len(rows), classes)  # an image that cannot be read tells nothing
        places = {row: place for place, row in enumerate(rows.tolist())}
        for batch in feed.plain_batches(rows):
            if self._attempt.should_stop():
                raise WorkStopped
            if len(batch.targets):
                said = infer(learner.evaluated_model, batch.images, learner.device, self._arithmetic)
                found[[places[row] for row in batch.rows.tolist()]] = said[:, :classes].cpu()
        return found


def _trial_config(config: TrainConfig, plan: TrialPlan, settings: Settings) -> TrainConfig:
    """The settings of a trial: as the training that it stands for, but shorter in all that has a length."""
    whole = with_settings(config, settings)
    epochs = plan.epochs_of(settings)
    share = epochs / whole.epochs
    return msgspec.structs.replace(
        whole,
        epochs=epochs,
        early_stop=0,
        compile="off",  # takes longer than a trial
        warmup_epochs=whole.warmup_epochs * share,
        freeze_epochs=whole.freeze_epochs * share,
        average_epochs=min(whole.average_epochs, max(1, round(whole.average_epochs * share))),
        step_epochs=max(1, round(whole.step_epochs * share)),
    )
