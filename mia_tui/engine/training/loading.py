"""What a training does before its first step: it reads the images, and builds the network or restores it.

The images come first: while they are read in the background, the libraries of networks are imported, which takes a
second and more, and the network is built. So nothing here may import `engine.network` before it is needed.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import torch
from torch import Tensor

from mia_tui.config.train import TrainConfig
from mia_tui.config.train.class_weights import class_weight_values
from mia_tui.engine.data.feed import Feed, batches
from mia_tui.engine.data.images import ImageStore
from mia_tui.engine.data.network_input import InputOfRun, input_of
from mia_tui.engine.data.scaling import Channels
from mia_tui.engine.device import is_out_of_memory, pick_device, set_up, training_arithmetic
from mia_tui.engine.heap import keep_freed_memory
from mia_tui.engine.parallel.ranks import ALONE, Ranks
from mia_tui.engine.training.fingerprint import RunFingerprint
from mia_tui.engine.training.input_map import settle_input_map
from mia_tui.engine.training.left_out import LeftOutImages
from mia_tui.engine.training.progress import TrainingProgress, channels, starting_scaling
from mia_tui.errors import CheckpointError
from mia_tui.runs.machine.cores import other_processes, other_threads, usable_cores
from mia_tui.runs.record.events import EpochPlace
from mia_tui.runs.record.input_words import other_types_sentence
from mia_tui.runs.record.job import Sample, TrainJob
from mia_tui.runs.worker.attempt import Attempt
from mia_tui.text import printable

if TYPE_CHECKING:
    from mia_tui.engine.training.learner import Learner


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
class LoadedImages:
    """The images of a run.

    Attributes:
        input: What the images become.
        scaling: Mean and deviation of each channel.
        feed: The batches.
        left_out: The images that cannot be read.
        other_types: The warning of images of other types.
        fingerprint: Of the images; it may still be being taken.
    """

    input: InputOfRun
    scaling: tuple[Channels, Channels]
    feed: Feed
    left_out: LeftOutImages
    other_types: OtherTypesWarning
    fingerprint: RunFingerprint


class TrainingLoader:
    """Loads images and network of a run, as it begins or as its last checkpoint has them.

    Args:
        attempt: Takes the events, and is asked to stop while images are read or waited for.
        job: What is trained.
        samples: The images of the run.
        ranks: The processes that train together; each has a device of its own in its job.

    Attributes:
        ranks: The same.
        job: With the number of threads.
        places: Where its images are in the samples: those of the test part are never used here.
        sample_count: How many there are, with those of the test part.
        samples: The others.
        device: Device of the network.
        progress: Where the run is.
        resumed_at: Where it is resumed; None at its beginning.
        arithmetic: Type of the forward pass.
        steps_per_epoch: For the schedule.
        began: When the attempt began to load, on the clock of `time.monotonic`.

    Raises:
        CheckpointError: If the last checkpoint is damaged.
        DeviceError: If the device cannot be used.
    """

    def __init__(
        self, attempt: Attempt, job: TrainJob, samples: Sequence[Sample], ranks: Ranks = ALONE
    ) -> None:
        self.ranks = ranks
        choice = pick_device(job.config.device)
        self.device, self._warning = choice.device, choice.warning
        self._threads = threads = job.threads or usable_cores()
        self._config = config = msgspec.structs.replace(job.config, threads=threads)
        self._attempt, self.job = attempt, msgspec.structs.replace(job, config=config)
        set_up(self.device, threads=threads, deterministic=config.deterministic)
        if self.device.type == "cpu":
            keep_freed_memory()
        self.began, self.sample_count = time.monotonic(), len(samples)
        self.places = [place for place, sample in enumerate(samples) if sample.split != "test"]
        self.samples = [samples[place] for place in self.places]
        self._state = state = self._load_state()
        counts = torch.zeros(len(job.classes), len(job.classes), dtype=torch.int64)
        self.progress = TrainingProgress(**state["progress"]) if state else TrainingProgress(counts)
        self.resumed_at = EpochPlace(self.progress.epoch, self.progress.step) if state else None
        self.arithmetic = (
            state["arithmetic"]
            if state
            else training_arithmetic(config.precision, self.device, config.backbone)
        )
        train_count = sum(sample.split == "train" for sample in self.samples)
        self.steps_per_epoch = len(batches(torch.arange(train_count), config.batch_size))
        self._images: LoadedImages | None = None

    def check_network(self) -> None:
        """Check that the network and its weights are available."""
        from mia_tui.engine.network.backbones import timm_name
        from mia_tui.engine.network.weights import find_weights

        timm_name(self._config.backbone)
        if self._state is None and self._config.weights != "none":
            find = partial(find_weights, self._config.backbone, self._config.weights, on_download=self._say)
            self.ranks.from_first(find)  # one download for all processes of a machine
            find()

    def warn(self) -> None:
        """Warn if a GPU is not used, and if a run is resumed with other processes or threads than before."""
        threads = self._threads
        if self._warning:
            self._attempt.warn(f"Training on the CPU: {self._warning}")
        processes = self.ranks.count if self._state is None else self._state.get("processes", 1)
        if processes != self.ranks.count:
            self._attempt.warn(*other_processes(processes, self.ranks.count))
            return
        before = threads if self._state is None else self._state.get("threads", threads)
        if before != threads and self.device.type == "cpu":
            self._attempt.warn(*other_threads(before, threads))

    def begin_images(self) -> LoadedImages:
        """Begin to read the images in the background; once some of each class are there.

        Raises:
            WorkStopped: If a stop was requested meanwhile.
        """
        if self._images is not None:
            return self._images
        with self._attempt.start.part("images"):
            wanted, scaling = self._settle_input()
            feed = self._open_feed(wanted, scaling)
            left_out = LeftOutImages(self._attempt, self.samples, self.job.classes, feed.images)
            self._images = LoadedImages(
                wanted,
                scaling,
                feed,
                left_out,
                OtherTypesWarning(self._attempt, feed.images, wanted),
                RunFingerprint(self._attempt, self.job, self.samples, is_resumed=self._state is not None),
            )
            self.ranks.together(partial(feed.begin, self.progress.epoch, start=self.progress.step))
            left_out.agree(self.ranks)
            left_out.report(self.progress.epoch)
            self.ranks.together(left_out.check_classes)
            if self.ranks.is_first:
                self._images.fingerprint.begin()
        return self._images

    def load(self) -> "tuple[LoadedImages, Learner]":
        """The images, and the network with its optimizer; call once.

        Raises:
            WorkStopped: If a stop was requested meanwhile.
        """
        images = self.begin_images()
        kept = images.feed.images
        self._say(f"reading images: {kept.keeping}")
        if self._config.cache == "disk" and kept.place != "disk":
            self._attempt.warn(f"Not as asked: {kept.keeping}.")
        if self._config.trials:
            with self._attempt.start.paused():
                images = self._choose_settings(images)
        self._say(f"building {self._config.backbone}")
        with self._attempt.start.part("network"):
            is_resumed = self._state is not None
            learner = self._build_learner(
                images.input, self._config, self.steps_per_epoch, self.ranks, resumed=is_resumed
            )
            if self._state is not None:
                self._restore(learner, self._state)
                self._state = None  # as large as the network and its optimizer
        return images, learner

    def _choose_settings(self, images: LoadedImages) -> LoadedImages:
        """Do the trials of the run, by the images that are read; of several processes the first one does.

        Returns:
            The same images, with batches by the chosen settings.
        """
        from mia_tui.engine.training.trials.search import TrialSearch  # only few runs have trials

        search = TrialSearch(
            self._attempt,
            self.job,
            self.samples,
            make_feed=partial(self._shared_feed, images),
            make_learner=partial(self._new_learner, images),
            class_weights=self._class_weights(),
            arithmetic=self.arithmetic,
        )
        self._config = config = self.ranks.from_first(search.choose)
        self.job = msgspec.structs.replace(self.job, config=config)
        self._images = replace(images, feed=self._shared_feed(images, config, self.samples, self.ranks))
        return self._images

    def _shared_feed(
        self, images: LoadedImages, config: TrainConfig, samples: Sequence[Sample], ranks: Ranks = ALONE
    ) -> Feed:
        """Batches of the images that are read, by other settings or with other parts."""
        return Feed(
            samples,
            Path(self.job.dataset),
            config,
            images.input,
            self.device,
            scaling=images.scaling,
            images=images.feed.images,
            ranks=ranks,
        )

    def _new_learner(self, images: LoadedImages, config: TrainConfig, steps_per_epoch: int) -> "Learner":
        """A network for a trial."""
        return self._build_learner(images.input, config, steps_per_epoch, ALONE, resumed=False)

    def close(self) -> None:
        """Stop the threads that read images."""
        if self._images is not None:
            self._images.feed.close()
            self._images.fingerprint.close()

    def _load_state(self) -> dict[str, Any] | None:
        """The content of the last checkpoint; None at the beginning of a run."""
        if not self._attempt.run.last_checkpoint.exists():
            return None
        from mia_tui.engine.training.checkpoint import load_state

        return load_state(self._attempt.run)

    def _settle_input(self) -> tuple[InputOfRun, tuple[Channels, Channels]]:
        """What the images become, and the scaling: as the run began, or as it is measured now."""
        state = self._state
        training = [sample for sample in self.samples if sample.split == "train"]
        settle = partial(settle_input_map, self._attempt, self.job, training, state is not None)
        wanted = input_of(self._config, self.ranks.from_first(settle))
        if state is None:
            return wanted, starting_scaling(self._config, wanted.input_map)
        from mia_tui.engine.training.checkpoint import check_fits

        check_fits(
            self._attempt.run,
            state,
            classes=len(self.job.classes),
            images=len(self.samples),
            channels=wanted.channel_count,
        )
        return wanted, channels(*state["scaling"])

    def _open_feed(self, wanted: InputOfRun, scaling: tuple[Channels, Channels]) -> Feed:
        return Feed(
            self.samples,
            Path(self.job.dataset),
            self._config,
            wanted,
            self.device,
            scaling=scaling,
            should_stop=self._attempt.should_stop,
            left_out=self._state["skipped"] if self._state else None,
            on_wait=self._attempt.waiting_for_disk,
            numbering=self.job.numbering,
            ranks=self.ranks,
        )

    def _build_learner(
        self, wanted: InputOfRun, config: TrainConfig, steps_per_epoch: int, ranks: Ranks, *, resumed: bool
    ) -> "Learner":
        from mia_tui.engine.training.learner import Learner

        make: Callable[..., Learner] = Learner
        if ranks.count > 1:
            from mia_tui.engine.parallel.learner import ParallelLearner

            make = partial(ParallelLearner, ranks)
        return make(
            config,
            wanted,
            num_classes=len(self.job.classes),
            class_names=[item.name for item in self.job.classes],
            class_weights=self._class_weights(),
            device=self.device,
            arithmetic=self.arithmetic,
            steps_per_epoch=steps_per_epoch,
            warn=self._attempt.warn,
            say=self._say,
            resumed=resumed,
        )

    def _class_weights(self) -> Tensor | None:
        counts = Counter(sample.class_index for sample in self.samples if sample.split == "train")
        values = class_weight_values(
            self._config.class_weights,
            [counts[index] for index in range(len(self.job.classes))],
            [item.name for item in self.job.classes],
            self._config.effective_beta,
        )
        return None if values is None else torch.tensor(values, dtype=torch.float32)

    def _restore(self, learner: "Learner", state: dict[str, Any]) -> None:
        from mia_tui.engine.training.checkpoint import settle_best

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
        if self.ranks.is_first:
            settle_best(run, self.progress.best_epoch)

    def _say(self, message: str) -> None:
        self._attempt.phase("loading", message)
