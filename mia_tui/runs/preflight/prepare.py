"""From a dataset and settings to a job: which images, which classes, which part each image is in."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from mia_tui import __version__
from mia_tui.config.check import find_doubts
from mia_tui.config.split import SPLIT_FIELDS
from mia_tui.config.train import Frames, LabelSource, TrainConfig
from mia_tui.config.train.class_weights import class_weight_values
from mia_tui.config.weights_cache import IMAGENET_WEIGHTS, given_weights
from mia_tui.dataset.dataset import Dataset, relink_labels, split_in
from mia_tui.dataset.interchange.folders import read_class_folders
from mia_tui.dataset.labelled_images import labelled_images
from mia_tui.dataset.model import FRAME_NUMBERING, PARTS, ImageKey, Part
from mia_tui.dataset.scan.scan import Scan, scan
from mia_tui.dataset.split.assignment import (
    SplitPlan,
    SplitRule,
    check_rule,
    plan_split,
    read_stored_split,
    store_split,
)
from mia_tui.dataset.store.label_store import LabelStore, stack_mode
from mia_tui.errors import ConfigError, DataError
from mia_tui.paths import StateFolder, find_state, real_path, typed_dataset
from mia_tui.runs.list.orphaned_state import (
    find_orphaned_state,
    orphaned_state_error,
    orphaned_state_hint,
    orphaned_state_message,
)
from mia_tui.runs.preflight.repeats import repeated_jobs, without_given_trials
from mia_tui.runs.record.job import JobClass, Sample, TrainJob
from mia_tui.runs.record.layout import RunDir
from mia_tui.text import counted, name_some, printable, typed

PART_FIELDS = ("labels", "frames", "val", "class_weights", "effective_beta", *SPLIT_FIELDS)
"""The settings that decide which images a job has, in which part, and what weight each class has."""

_SCAN_LASTS_S = 60.0  # then a check looks for images again; meanwhile somebody may have copied some


def read_dataset(
    root: Path,
    state: Path | None = None,
    *,
    frames: Frames = "first",
    source: LabelSource = "auto",
    annotator: str | None = None,
    follow: bool = False,
    found: Scan | None = None,
    progress: Callable[[int], None] | None = None,
) -> Dataset:
    """Scan a folder and read its labels; writes nothing unless labels are to move with their files.

    Args:
        root: Folder of images.
        state: The folder given with --state.
        frames: Frames taken of animated files.
        source: Where labels come from.
        annotator: Who looks.
        follow: Whether labels move with their files, which is saved.
        found: Its images, where it was scanned already.
        progress: Called with how many images were found so far.

    Raises:
        DataError: If there are no images or no labels; if labels are to follow and a renaming left them behind.
        StoreError: If labels.db cannot be read, or written where labels follow.
    """
    images = scan(root, frames=frames, progress=progress) if found is None else found
    place = find_state(root, state, class_folders=read_class_folders(images.keys) is not None)
    left = (
        None if state is not None else find_orphaned_state(root, lambda: {file.path for file in images.files})
    )
    if left is not None and follow:
        raise orphaned_state_error(root, left)
    followed = relink_labels(images, root, place, annotator) if follow else []
    images = images.labelled_as(stack_mode(place.labels_db))
    if left is not None:
        followed.append(f"{orphaned_state_message(root, left)} {orphaned_state_hint(root)}")
    labelled = labelled_images(images, root, place, source=source, annotator=annotator)
    return Dataset(root, images, place, labelled, split_in(place, annotator), followed)


@dataclass(frozen=True)
class Prepared:
    """A job that can be started.

    Attributes:
        counts: Images of each part, by class name.
        class_weights: The weight of each class in the loss; None for equal weights.
        dataset: What it was made from.
        given: Fields that the user named.
        plan: The split to store before the start; None where another folder validates.
        warnings: What was noticed of the parts, a sentence each.
    """

    job: TrainJob
    samples: list[Sample]
    counts: dict[str, dict[Part, int]]
    class_weights: list[float] | None
    dataset: Dataset
    given: frozenset[str]
    plan: SplitPlan | None
    warnings: tuple[str, ...]

    @property
    def state(self) -> StateFolder:
        """Where the run will be."""
        return self.dataset.state

    @property
    def totals(self) -> dict[Part, int]:
        """Images of each part."""
        return {part: sum(of[part] for of in self.counts.values()) for part in PARTS}

    @property
    def notes(self) -> list[str]:
        """What the user should know before the start, a sentence each."""
        return [*self.dataset.notes, *self.warnings, *find_doubts(self.job.config)]

    def create(self, *, after: RunDir | None = None) -> RunDir:
        """Write the run's folder; `after` is a run whose end it waits for."""
        return self.create_all(after=after)[0]

    def create_all(self, *, after: RunDir | None = None) -> list[RunDir]:
        """Write the folders of the run and of its repetitions, each of which waits for the one before it."""
        runs: list[RunDir] = []
        for name, job in repeated_jobs(self.job, self.state):
            ahead = runs[-1] if runs else after
            if ahead is not None:
                job = msgspec.structs.replace(job, after=str(ahead.path.resolve()))
            runs.append(RunDir.create(self.state, job, self.samples, name=name))
        return runs


def prepare_training(
    dataset: Dataset,
    config: TrainConfig,
    *,
    given: Collection[str] = (),
    command: str = "",
    annotator: str | None = None,
    keep: bool = True,
) -> Prepared:
    """Decide everything that a run needs, and store the split if this is the dataset's first training.

    Args:
        dataset: As `read_dataset` gives it.
        config: Settings.
        given: Fields that the user named. A split that is stored already decides those of its fields that
            are not among them.
        command: The command line that does the same again.
        annotator: Who trains, for a new labels.db.
        keep: Whether the split is stored; in a preview it is not, and nothing of the dataset is written.

    Raises:
        DataError: If there are fewer than two classes, or a class has no image to train on.
        ConfigError: If settings do not fit the data: another split than the stored one, unknown class names.
        StoreError: If the split cannot be stored.
    """
    labelled = dataset.labelled
    names = [named.name for named in labelled.classes]
    if len(names) < 2:
        raise DataError(
            f"All labelled images of {printable(dataset.root)} are of one class, {printable(names[0])}.",
            "Training needs at least two classes.",
        )
    held_out: tuple[Part, ...] = ("val", "test") if config.val is None else ("test",)
    _refuse_held_out_classes(dataset, names, held_out)
    plan: SplitPlan | None = None
    parts: Mapping[ImageKey, Part]
    if config.val is None:
        config, plan = _plan(dataset, config, given)
        parts, warnings = plan.split.parts, list(plan.split.warnings)
        validation: list[Sample] = []
    else:
        parts, warnings = _all_to_train(dataset, config)
        validation, more = _validation_folder(Path(config.val), names, config)
        warnings += more
    samples = [
        Sample(path=key.path, frame=key.frame, class_index=index, split=parts[key])
        for key, index in labelled.labels.items()
    ] + validation
    counts = _counts(samples, names)
    _refuse_empty_classes(dataset, counts)
    job = _job(dataset, config, command, given)
    weights = class_weight_values(
        config.class_weights, [counts[name]["train"] for name in names], names, config.effective_beta
    )
    prepared = Prepared(job, samples, counts, weights, dataset, frozenset(given), plan, tuple(warnings))
    return keep_split(prepared, annotator) if keep else prepared


def _job(dataset: Dataset, config: TrainConfig, command: str, given: Collection[str]) -> TrainJob:
    return TrainJob(
        config=without_given_trials(config, given),
        dataset=str(dataset.root.resolve()),
        state=str(dataset.state.root.resolve()),
        classes=[JobClass(named.id, named.name) for named in dataset.labelled.classes],
        threads=config.threads,
        command=command,
        created_at=time.time(),
        version=__version__,
        numbering=FRAME_NUMBERING,
    )


def keep_split(prepared: Prepared, annotator: str | None) -> Prepared:
    """Store the split that a job was prepared with.

    Returns:
        The job; prepared again where another split was stored meanwhile.

    Raises:
        ConfigError: If the settings name another split than that one.
        DataError: If a class has no image to train on by that one.
        StoreError: If it cannot be stored.
    """
    if prepared.plan is None:
        return prepared
    dataset, job = prepared.dataset, prepared.job
    with LabelStore(dataset.state.labels_db, annotator=annotator) as store:
        before = read_stored_split(store)
        if before != prepared.plan.before:
            prepared = prepare_training(
                replace(dataset, stored=before),
                job.config,
                given=prepared.given,
                command=job.command,
                keep=False,
            )
        assert prepared.plan is not None
        store_split(store, dataset.labelled, prepared.plan)
        store.save_root(dataset.root)
    return prepared


class TrainingPreparer:
    """Prepares trainings of one dataset while a person edits their settings; for use in threads.

    The dataset is read once, and a job is prepared again only where the labels or a setting that its images and
    parts depend on have changed.

    Args:
        root: Folder of images.
        state: The folder given with --state.
        annotator: Who trains.
    """

    def __init__(self, root: Path, state: Path | None, annotator: str | None) -> None:
        self._root, self._state, self.annotator = root, state, annotator
        self._lock = threading.Lock()
        self._key: tuple[Frames, LabelSource] | None = None
        self._dataset: Dataset | None = None
        self._scanned_at = 0.0
        self._prepared: tuple[object, Prepared] | None = None

    def estimate(self, config: TrainConfig, given: Collection[str]) -> Prepared:
        """The job as it is known now; writes nothing and reads nothing again.

        Raises:
            MiaError: As `read_dataset` and `prepare_training`.
        """
        with self._lock:
            if self._dataset is None or self._key != (config.frames, config.labels):
                self._read(config, follow=False, progress=None)
            return self._prepare(config, given, "")

    def check(
        self,
        config: TrainConfig,
        given: Collection[str],
        command: str,
        *,
        progress: Callable[[int], None] | None = None,
    ) -> Prepared:
        """The job by the labels of this moment, which move with their files; that is saved.

        Args:
            config: Settings.
            given: Fields that the user named.
            command: The command line that does the same.
            progress: Called with how many images were found so far, where the folder is scanned again.

        Raises:
            MiaError: As `read_dataset` and `prepare_training`.
        """
        config = with_absolute_paths(config)
        with self._lock:
            self._read(config, follow=True, progress=progress)
            return self._prepare(config, given, command)

    def _read(self, config: TrainConfig, *, follow: bool, progress: Callable[[int], None] | None) -> None:
        key, before = (config.frames, config.labels), self._dataset
        is_fresh = (
            before is not None and key == self._key and time.monotonic() < self._scanned_at + _SCAN_LASTS_S
        )
        dataset = read_dataset(
            self._root,
            self._state,
            frames=config.frames,
            source=config.labels,
            annotator=self.annotator,
            follow=follow,
            found=before.scan if before is not None and is_fresh else None,
            progress=progress,
        )
        if before is None or dataset.scan is not before.scan:
            self._scanned_at = time.monotonic()
        if before is None or _content(dataset) != _content(before):
            self._prepared = None
        self._key, self._dataset = key, dataset

    def _prepare(self, config: TrainConfig, given: Collection[str], command: str) -> Prepared:
        assert self._dataset is not None
        named = frozenset(given) & set(SPLIT_FIELDS)
        left_to_split = set() if self._dataset.stored.rule is None else set(SPLIT_FIELDS) - named
        key = (*(getattr(config, name) for name in PART_FIELDS if name not in left_to_split), named)
        if self._prepared is None or self._prepared[0] != key or config.val is not None:
            prepared = prepare_training(self._dataset, config, given=given, keep=False)
            self._prepared = key, prepared
        prepared = self._prepared[1]
        decided = {name: getattr(prepared.job.config, name) for name in SPLIT_FIELDS}
        job = msgspec.structs.replace(
            prepared.job,
            config=without_given_trials(msgspec.structs.replace(config, **decided), given),
            threads=config.threads,
            command=command,
            created_at=time.time(),
        )
        return replace(prepared, job=job, dataset=self._dataset, given=frozenset(given))


def _content(dataset: Dataset) -> tuple[object, ...]:
    """What a job is made from."""
    return dataset.scan.files, dataset.labelled, dataset.stored, dataset.state.root


def with_absolute_paths(config: TrainConfig) -> TrainConfig:
    """The settings with whole paths: a detached worker runs in another folder.

    Raises:
        WeightsError: If there is no file of weights where one is named.
    """
    weights, val = config.weights, config.val
    if weights not in ("none", IMAGENET_WEIGHTS):
        weights = str(given_weights(config.backbone, weights).resolve())
    return msgspec.structs.replace(
        config, weights=weights, val=None if val is None else str(real_path(Path(val)))
    )


def _plan(dataset: Dataset, config: TrainConfig, given: Collection[str]) -> tuple[TrainConfig, SplitPlan]:
    """Parts by the stored split; the settings come back with what it decided."""
    stored = dataset.stored.rule
    if stored is not None:
        decided = {
            "val_fraction": stored.val_fraction,
            "test_fraction": stored.test_fraction,
            "group_by": stored.group_by,
            "split_seed": stored.seed,
        }
        config = msgspec.structs.replace(
            config, **{name: value for name, value in decided.items() if name not in given}
        )
    rule = SplitRule(config.val_fraction, config.test_fraction, config.group_by, config.split_seed)
    check_rule(rule, dataset.labelled.labels)  # before files are read for copies
    return config, plan_split(dataset.stored, dataset.labelled, rule, dataset.copies)


def _all_to_train(dataset: Dataset, config: TrainConfig) -> tuple[Mapping[ImageKey, Part], list[str]]:
    """Everything trains, since another folder validates; what was kept for a test stays out of it."""
    if config.test_fraction:
        raise ConfigError(
            "--test-fraction needs a split, and --val takes its place.", "Leave out one of them."
        )
    known = {**dataset.labelled.parts, **dataset.stored.parts}
    parts: dict[ImageKey, Part] = {
        key: "test" if known.get(key) == "test" else "train" for key in dataset.labelled.labels
    }
    kept = sum(part == "test" for part in parts.values())
    return parts, [f"{counted(kept, 'image')} of the test part are not trained on."] if kept else []


def _validation_folder(folder: Path, names: list[str], config: TrainConfig) -> tuple[list[Sample], list[str]]:
    """The labelled images of --val, by absolute path; classes are matched by name.

    Raises:
        DataError: If none of its classes is trained.
    """
    other = _read_validation(folder, config)
    position = {name: index for index, name in enumerate(names)}
    classes = [named.name for named in other.labelled.classes]
    samples = [
        Sample(
            path=str(folder.resolve() / key.path),
            frame=key.frame,
            class_index=position[classes[index]],
            split="val",
        )
        for key, index in other.labelled.labels.items()
        if classes[index] in position
    ]
    if not samples:
        raise DataError(
            f"The classes of {printable(folder)} ({name_some(classes)}) are none of {name_some(names)}.",
            "Name a folder with the same classes, or leave out --val.",
        )
    unknown = [name for name in classes if name not in position]
    notes = [f"Classes of {printable(folder)} that are not trained are left out: {name_some(unknown)}."]
    return samples, [*other.notes, *(notes if unknown else [])]


def _read_validation(folder: Path, config: TrainConfig) -> Dataset:
    """The folder's labels as they are found; by the names of its folders where only --labels folders finds some."""
    try:
        return read_dataset(folder, frames=config.frames)
    except DataError:
        if config.labels != "folders":
            raise
        return read_dataset(folder, frames=config.frames, source="folders")


def _counts(samples: list[Sample], names: list[str]) -> dict[str, dict[Part, int]]:
    tally = Counter((sample.class_index, sample.split) for sample in samples)
    return {name: {part: tally[index, part] for part in PARTS} for index, name in enumerate(names)}


def _refuse_held_out_classes(dataset: Dataset, names: Sequence[str], held_out: Collection[Part]) -> None:
    """Refuse classes whose images are all in top folders that are not trained on; before a split is stored.

    Raises:
        DataError: If there is one; the way out names the folders.
    """
    labelled = dataset.labelled
    trained = {index for key, index in labelled.labels.items() if labelled.parts.get(key) not in held_out}
    held = {key: index for key, index in labelled.labels.items() if index not in trained}
    if not held:
        return
    folders = sorted({key.path.split("/")[0] for key in held})
    fixing = " and ".join(f"the folder {printable(folder)}" for folder in folders)
    train = next((key.path.split("/")[0] for key, part in labelled.parts.items() if part == "train"), "train")
    if not trained:
        raise DataError(
            f"{printable(dataset.root)} has no image to train on: all are in {fixing}.",
            f"Put images to train on into a folder {printable(train)} beside it, one folder per class, or train on "
            f"one of them by itself: `mia-tui train {typed(dataset.root / folders[0])}`.",
        )
    places = list(dict.fromkeys("/".join(key.path.split("/")[:2]) for key in held))
    wanted = list(dict.fromkeys(f"{train}/{place.split('/')[1]}" for place in places))
    anew = ""
    if dataset.stored.rule is not None:  # what it held out stays so wherever the file goes
        anew = f"; then make a new split: {_split_anew(dataset)}"
    raise DataError(
        f"{_classes_have(names[index] for index in sorted(set(held.values())))} no image to train on: all are in "
        f"{name_some(places)}, and {fixing} fixes the part.",
        f"Move some of them to {name_some(wanted)}, or remove {name_some(places)}{anew}.",
    )


def _refuse_empty_classes(dataset: Dataset, counts: dict[str, dict[Part, int]]) -> None:
    empty = [name for name, of in counts.items() if not of["train"]]
    if not empty:
        return
    hint = f"make another split with {_split_anew(dataset)}."
    if dataset.labelled.parts:
        hint = "take copies of them out of the folders val and test; then " + hint
    raise DataError(f"{_classes_have(empty)} no image to train on.", f"Label more images, or {hint}")


def _classes_have(names: Iterable[str]) -> str:
    """`The class a has`, `The classes a, b have`."""
    names = list(names)
    return (
        f"The class {printable(names[0])} has" if len(names) == 1 else f"The classes {name_some(names)} have"
    )


def _split_anew(dataset: Dataset) -> str:
    return f"`mia-tui labels split {typed_dataset(dataset.root, dataset.state.root)} --new`"
