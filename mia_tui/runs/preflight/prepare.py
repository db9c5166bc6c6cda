"""From a dataset and settings to a job: which images, which classes, which part each image is in."""

import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from mia_tui import __version__
from mia_tui.config.class_weights import class_weight_values
from mia_tui.config.train import Frames, LabelSource, TrainConfig
from mia_tui.config.weights_cache import IMAGENET_WEIGHTS, given_weights
from mia_tui.dataset.interchange.folders import read_class_folders
from mia_tui.dataset.labelled import LabelledSet, labelled_images
from mia_tui.dataset.model import PARTS, ImageKey, Part
from mia_tui.dataset.scan.scanner import Scan, duplicate_groups, scan
from mia_tui.dataset.split.assignment import (
    Split,
    SplitRule,
    check_rule,
    foresee_split,
    stored_rule,
    stored_split,
)
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import ConfigError, DataError
from mia_tui.paths import StateFolder, find_state, real_path, typed_dataset
from mia_tui.runs.list.orphaned_state import (
    find_orphaned_state,
    orphaned_state_error,
    orphaned_state_hint,
    orphaned_state_message,
)
from mia_tui.runs.record.job import JobClass, Sample, TrainJob
from mia_tui.runs.record.layout import RunDir
from mia_tui.text import counted, name_some, printable, typed


@dataclass(frozen=True)
class Dataset:
    """A scanned folder, its labels, and the place of its state.

    Attributes:
        followed: What became of labelled files, a sentence each; empty where nothing was followed.
    """

    root: Path
    scan: Scan
    state: StateFolder
    labelled: LabelledSet
    followed: list[str] = field(default_factory=list)

    @property
    def notes(self) -> list[str]:
        """What was noticed while reading it, a sentence each."""
        return [*self.scan.notes, *self.followed, *self.labelled.notes]


def read_dataset(
    root: Path,
    state: Path | None = None,
    *,
    frames: Frames = "first",
    source: LabelSource = "auto",
    annotator: str | None = None,
    follow: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Dataset:
    """Scan a folder and read its labels; writes nothing unless labels are to follow their files.

    Args:
        root: Folder of images.
        state: What the user named with --state.
        frames: Frames taken of animated files.
        source: Where labels come from.
        annotator: Who looks.
        follow: Whether labels go with files that were moved, which is written down.
        progress: Told how many images were found so far.

    Raises:
        DataError: If there are no images or no labels; if labels are to follow and a renaming left them behind.
        StoreError: If labels.db cannot be read, or written where labels follow.
    """
    found = scan(root, frames=frames, progress=progress)
    place = find_state(root, state, class_folders=read_class_folders(found.keys) is not None)
    left = (
        None if state is not None else find_orphaned_state(root, lambda: {file.path for file in found.files})
    )
    if left is not None and follow:
        raise orphaned_state_error(root, left)
    followed = follow_files(found, root, place, annotator) if follow else []
    if left is not None:
        followed.append(f"{orphaned_state_message(root, left)} {orphaned_state_hint(root)}")
    labelled = labelled_images(found, root, place, source=source, annotator=annotator)
    return Dataset(root, found, place, labelled, followed)


@dataclass(frozen=True)
class Prepared:
    """A job that can be started.

    Attributes:
        notes: What the user should know before the start, a sentence each.
        counts: Images of each part, by class name.
        class_weights: What each class counts in the loss; None for equal weights.
    """

    job: TrainJob
    samples: list[Sample]
    state: StateFolder
    notes: list[str]
    counts: dict[str, dict[Part, int]]
    class_weights: list[float] | None

    def create(self, *, after: RunDir | None = None) -> RunDir:
        """Write the run's folder; `after` is a run whose end it waits for."""
        name = re.sub(r"^timm:", "", self.job.config.backbone)
        job = self.job
        if after is not None:
            job = msgspec.structs.replace(job, after=str(after.path.resolve()))
        return RunDir.create(self.state, job, self.samples, name=name)


def prepare_training(
    dataset: Dataset,
    config: TrainConfig,
    *,
    given: Collection[str] = (),
    command: str = "",
    annotator: str | None = None,
    keep: bool = True,
) -> Prepared:
    """Settle everything a run needs, and store the split if this is the dataset's first training.

    Args:
        dataset: As `read_dataset` gives it.
        config: Settings.
        given: Fields that the user named. A split that is stored already decides those of its fields that
            are not among them.
        command: The command line that does the same again.
        annotator: Who trains, for a new labels.db.
        keep: Whether the split is stored; for a look ahead it is not, and nothing of the dataset is written.

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
    _refuse_held_out_classes(dataset, names, held_out, annotator)
    if config.val is None:
        config, parts, warnings = _split(dataset, config, given, annotator, keep)
        validation: list[Sample] = []
    else:
        parts, warnings = _all_to_train(dataset, config, annotator)
        validation, more = _validation_folder(Path(config.val), names, config)
        warnings += more
    samples = [
        Sample(path=key.path, frame=key.frame, class_index=index, split=parts[key])
        for key, index in labelled.labels.items()
    ] + validation
    counts = _counts(samples, names)
    _refuse_empty_classes(dataset, counts)
    job = TrainJob(
        config=config,
        dataset=str(dataset.root.resolve()),
        state=str(dataset.state.root.resolve()),
        classes=[JobClass(named.id, named.name) for named in labelled.classes],
        threads=config.threads,
        command=command,
        created_at=time.time(),
        version=__version__,
    )
    weights = class_weight_values(
        config.class_weights, [counts[name]["train"] for name in names], names, config.effective_beta
    )
    notes = [*dataset.notes, *warnings, *_doubts(config)]
    return Prepared(job, samples, dataset.state, notes, counts, weights)


def with_absolute_paths(config: TrainConfig) -> TrainConfig:
    """The settings with whole paths: a detached worker stands in another folder.

    Raises:
        WeightsError: If there is no file of weights where one is named.
    """
    weights, val = config.weights, config.val
    if weights not in ("none", IMAGENET_WEIGHTS):
        weights = str(given_weights(config.backbone, weights).resolve())
    return msgspec.structs.replace(
        config, weights=weights, val=None if val is None else str(real_path(Path(val)))
    )


def follow_files(found: Scan, root: Path, state: StateFolder, annotator: str | None) -> list[str]:
    """Let labels go with files that were moved, and name images that are not what was labelled.

    Every labelled file that has no hash yet is read for it.

    Raises:
        StoreError: If labels.db cannot be read, or what happened not be written.
    """
    store = LabelStore.open_existing(state.labels_db, annotator=annotator)
    if store is None:
        return []
    with store:
        moved = [f"{old} (now {new})" for old, new in store.reconcile(found.files, root).relinked]
        doubtful = [key.path for key in store.flagged()]
    notes = []
    if moved:
        notes.append(f"{counted(len(moved), 'label')} went with files that were moved: {name_some(moved)}.")
    if doubtful:
        notes.append(
            f"{counted(len(doubtful), 'image')} changed since labelled, or flagged: {name_some(doubtful)}. Training "
            "takes the label there is."
        )
    return notes


def _doubts(config: TrainConfig) -> list[str]:
    """Settings that are allowed and seldom meant."""
    if config.loss == "focal" and config.label_smoothing:
        return [
            "With --label-smoothing the focal loss no longer pulls predictions to the smoothed targets; "
            "leave out one of them."
        ]
    return []


def _split(
    dataset: Dataset, config: TrainConfig, given: Collection[str], annotator: str | None, keep: bool
) -> tuple[TrainConfig, Mapping[ImageKey, Part], list[str]]:
    """Parts by the stored split; the settings come back with what it decided."""
    stored = _stored_rule(dataset.state, annotator)
    if stored is not None:
        kept = {
            "val_fraction": stored.val_fraction,
            "test_fraction": stored.test_fraction,
            "group_by": stored.group_by,
            "split_seed": stored.seed,
        }
        config = msgspec.structs.replace(
            config, **{name: value for name, value in kept.items() if name not in given}
        )
    rule = SplitRule(config.val_fraction, config.test_fraction, config.group_by, config.split_seed)
    check_rule(rule, dataset.labelled.labels)  # before a store is made for it
    hashes = duplicate_groups(dataset.root, dataset.scan.files)
    if keep:
        with LabelStore(dataset.state.labels_db, annotator=annotator) as store:
            split = stored_split(store, dataset.labelled, rule, hashes)
            store.note_root(dataset.root)
    else:
        split = _foreseen(dataset, rule, hashes, annotator)
    return config, split.parts, list(split.warnings)


def _foreseen(dataset: Dataset, rule: SplitRule, hashes: Mapping[str, str], annotator: str | None) -> Split:
    """The split as it would be stored."""
    store = LabelStore.open_existing(dataset.state.labels_db, annotator=annotator)
    if store is None:
        return foresee_split(None, dataset.labelled, rule, hashes)
    with store:
        return foresee_split(store, dataset.labelled, rule, hashes)


def _stored_rule(state: StateFolder, annotator: str | None) -> SplitRule | None:
    store = LabelStore.open_existing(state.labels_db, annotator=annotator)
    if store is None:
        return None
    with store:
        return stored_rule(store)


def _all_to_train(
    dataset: Dataset, config: TrainConfig, annotator: str | None
) -> tuple[Mapping[ImageKey, Part], list[str]]:
    """Everything trains, since another folder validates; what was kept for a test stays out of it."""
    if config.test_fraction:
        raise ConfigError(
            "--test-fraction needs a split, and --val takes its place.", "Leave out one of them."
        )
    known: dict[ImageKey, Part] = dict(dataset.labelled.parts)
    store = LabelStore.open_existing(dataset.state.labels_db, annotator=annotator)
    if store is not None:
        with store:
            known.update(store.parts())
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


def _refuse_held_out_classes(
    dataset: Dataset, names: Sequence[str], held_out: Collection[Part], annotator: str | None
) -> None:
    """Refuse classes whose images all lie in top folders that are not trained on; before a split is stored.

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
            f"{printable(dataset.root)} has no image to train on: all lie in {fixing}.",
            f"Put images to train on into a folder {printable(train)} beside it, one folder per class, or train on "
            f"one of them by itself: `mia-tui train {typed(dataset.root / folders[0])}`.",
        )
    places = list(dict.fromkeys("/".join(key.path.split("/")[:2]) for key in held))
    wanted = list(dict.fromkeys(f"{train}/{place.split('/')[1]}" for place in places))
    anew = ""
    if _stored_rule(dataset.state, annotator) is not None:  # what it held out stays so wherever the file goes
        anew = f"; then make the split anew: {_split_anew(dataset)}"
    raise DataError(
        f"{_classes_have(names[index] for index in sorted(set(held.values())))} no image to train on: all lie in "
        f"{name_some(places)}, and {fixing} fixes the part.",
        f"Move some of them to {name_some(wanted)}, or take {name_some(places)} away{anew}.",
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
