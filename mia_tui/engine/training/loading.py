"""What a training does before its first step: it reads the images, and builds the network or restores it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mia_tui.config.class_weights import class_weight_values
from mia_tui.config.train import TrainConfig
from mia_tui.engine.data.feed import Feed
from mia_tui.engine.data.images import ImageStore
from mia_tui.engine.data.network_input import InputOfRun, input_of
from mia_tui.engine.data.scaling import Channels
from mia_tui.engine.device import Arithmetic, is_out_of_memory
from mia_tui.engine.network.backbones import timm_name
from mia_tui.engine.network.weights import find_weights
from mia_tui.engine.training.checkpoint import check_fits, settle_best
from mia_tui.engine.training.fingerprint import settle_fingerprint
from mia_tui.engine.training.input_map import settle_input_map
from mia_tui.engine.training.learner import Learner
from mia_tui.engine.training.left_out import LeftOutImages
from mia_tui.engine.training.progress import TrainingProgress, channels, starting_scaling
from mia_tui.errors import CheckpointError
from mia_tui.runs.machine.cores import other_threads
from mia_tui.runs.record.input_words import other_types_sentence
from mia_tui.runs.record.job import Sample, TrainJob
from mia_tui.runs.worker.attempt import Attempt
from mia_tui.text import printable


class OtherTypesWarning:
    """Warns once of images whose numbers are of a type that was not measured."""

    def __init__(self, attempt: Attempt, images: ImageStore, wanted: InputOfRun) -> None:
        self._attempt, self._images, self._input_map = attempt, images, wanted.input_map
        self._is_given = False

    def give(self) -> None:
        """Warn if images of that kind were read by now, and there was no warning yet."""
        found = Counter(self._images.other_types.values())
        if found and not self._is_given:
            self._is_given = True
            self._attempt.warn(other_types_sentence(found, self._input_map))


@dataclass(frozen=True)
class Loaded:
    """What steps are made with.

    Attributes:
        input: What the images become.
        scaling: Mean and deviation of each channel.
        feed: The batches.
        left_out: The images that cannot be read.
        other_types: The warning of images of other types.
        fingerprint: Of the images; empty where it is not known.
        learner: Network and optimizer.
    """

    input: InputOfRun
    scaling: tuple[Channels, Channels]
    feed: Feed
    left_out: LeftOutImages
    other_types: OtherTypesWarning
    fingerprint: str
    learner: Learner


class TrainingLoader:
    """Loads images and network of a run, as it begins or as its last checkpoint has them.

    Args:
        attempt: Takes the events, and is asked to stop while images are read or waited for.
        job: What is trained.
        samples: Its images, without those of the test part.
        device: Device of the network.
        state: Content of the last checkpoint; None at the beginning of a run.
        progress: Where the run is.
        arithmetic: Type of the forward pass.
        steps_per_epoch: For the schedule.
    """

    def __init__(
        self,
        attempt: Attempt,
        job: TrainJob,
        samples: Sequence[Sample],
        device: torch.device,
        state: dict[str, Any] | None,
        *,
        progress: TrainingProgress,
        arithmetic: Arithmetic,
        steps_per_epoch: int,
    ) -> None:
        self._attempt, self._job, self._config, self._samples = attempt, job, job.config, samples
        self._device, self._state, self._progress = device, state, progress
        self._arithmetic, self._steps_per_epoch = arithmetic, steps_per_epoch
        self._feed: Feed | None = None

    def check_network(self) -> None:
        """Check that the network and its weights are available, before time is spent on reading images."""
        timm_name(self._config.backbone)
        if self._state is None and self._config.weights != "none":
            find_weights(self._config.backbone, self._config.weights, on_download=self._say)

    def warn_of_other_threads(self, threads: int) -> None:
        """Warn if the run is resumed with another number of threads than before."""
        before = threads if self._state is None else self._state.get("threads", threads)
        if before != threads and self._device.type == "cpu":
            self._attempt.warn(*other_threads(before, threads))

    def load(self) -> Loaded:
        """Read the images and build the network; call once.

        Raises:
            WorkStopped: If a stop was requested meanwhile.
        """
        wanted, scaling = self._settle_input()
        self._say("reading images")
        self._feed = feed = self._open_feed(wanted, scaling)
        left_out = LeftOutImages(self._attempt, self._samples, self._job.classes, feed.images)
        feed.begin(self._progress.epoch, start=self._progress.step)
        left_out.report(self._progress.epoch)
        left_out.check_classes()
        fingerprint = settle_fingerprint(
            self._attempt, self._job, self._samples, is_resumed=self._state is not None
        )
        other_types = OtherTypesWarning(self._attempt, feed.images, wanted)
        self._say(f"building {self._config.backbone}")
        learner = self._build_learner(wanted, self._config, self._steps_per_epoch)
        if self._state is not None:
            self._restore(learner, self._state)
            self._state = None  # as large as the network and its optimizer
        return Loaded(wanted, scaling, feed, left_out, other_types, fingerprint, learner)

    def choose_settings(self, loaded: Loaded) -> tuple[TrainConfig, Loaded]:
        """Do the trials of the run, by the images that are loaded.

        Returns:
            The settings with those that were chosen, and what is loaded with a network by them.

        Raises:
            WorkStopped: If a stop was requested meanwhile.
        """
        from mia_tui.engine.training.trials.search import TrialSearch  # only few runs have trials

        search = TrialSearch(
            self._attempt,
            self._job,
            self._samples,
            make_feed=partial(self._shared_feed, loaded),
            make_learner=partial(self._new_learner, loaded),
            class_weights=self._class_weights(),
            arithmetic=self._arithmetic,
        )
        config = search.choose()
        self._say(f"building {config.backbone}")
        feed = self._shared_feed(loaded, config, self._samples)
        learner = self._new_learner(loaded, config, self._steps_per_epoch)
        return config, replace(loaded, feed=feed, learner=learner)

    def _shared_feed(self, loaded: Loaded, config: TrainConfig, samples: Sequence[Sample]) -> Feed:
        """Batches of the images that are loaded, by other settings or with other parts."""
        return Feed(
            samples,
            Path(self._job.dataset),
            config,
            loaded.input,
            self._device,
            scaling=loaded.scaling,
            images=loaded.feed.images,
        )

    def _new_learner(self, loaded: Loaded, config: TrainConfig, steps_per_epoch: int) -> Learner:
        return self._build_learner(loaded.input, config, steps_per_epoch)

    def close(self) -> None:
        """Stop the threads that read images."""
        if self._feed is not None:
            self._feed.close()

    def _settle_input(self) -> tuple[InputOfRun, tuple[Channels, Channels]]:
        """What the images become, and the scaling: as the run began, or as it is measured now."""
        state = self._state
        training = [sample for sample in self._samples if sample.split == "train"]
        wanted = input_of(
            self._config, settle_input_map(self._attempt, self._job, training, state is not None)
        )
        if state is None:
            return wanted, starting_scaling(self._config, wanted.input_map)
        check_fits(
            self._attempt.run,
            state,
            classes=len(self._job.classes),
            images=len(self._samples),
            channels=wanted.channel_count,
        )
        return wanted, channels(*state["scaling"])

    def _open_feed(self, wanted: InputOfRun, scaling: tuple[Channels, Channels]) -> Feed:
        return Feed(
            self._samples,
            Path(self._job.dataset),
            self._config,
            wanted,
            self._device,
            scaling=scaling,
            should_stop=self._attempt.should_stop,
            left_out=self._state["skipped"] if self._state else None,
            on_wait=self._attempt.waiting_for_disk,
            numbering=self._job.numbering,
        )

    def _build_learner(self, wanted: InputOfRun, config: TrainConfig, steps_per_epoch: int) -> Learner:
        return Learner(
            config,
            wanted,
            num_classes=len(self._job.classes),
            class_names=[item.name for item in self._job.classes],
            class_weights=self._class_weights(),
            device=self._device,
            arithmetic=self._arithmetic,
            steps_per_epoch=steps_per_epoch,
            warn=self._attempt.warn,
            say=self._say,
            resumed=self._state is not None,
        )

    def _class_weights(self) -> Tensor | None:
        counts = Counter(sample.class_index for sample in self._samples if sample.split == "train")
        values = class_weight_values(
            self._config.class_weights,
            [counts[index] for index in range(len(self._job.classes))],
            [item.name for item in self._job.classes],
            self._config.effective_beta,
        )
        return None if values is None else torch.tensor(values, dtype=torch.float32)

    def _restore(self, learner: Learner, state: dict[str, Any]) -> None:
        run = self._attempt.run
        try:
            learner.load_state_dict(state["learner"])
        except (RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
            if is_out_of_memory(error):
                raise
            raise CheckpointError(
                f"{printable(run.last_checkpoint)} does not fit {self._config.backbone} as it is built here.",
                "Another version of timm or torch saved it (events.jsonl names them): resume with that one, or "
                "start a new run.",
            ) from error
        settle_best(run, self._progress.best_epoch)

    def _say(self, message: str) -> None:
        self._attempt.phase("loading", message)
