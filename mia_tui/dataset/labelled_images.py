"""The labelled images of a dataset: labels from the store, or the names of class folders."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from mia_tui.config.train import LabelSource
from mia_tui.dataset.interchange.folders import (
    ClassFolders,
    class_folders_fault,
    not_class_folders,
    read_class_folders,
)
from mia_tui.dataset.model import WHOLE_STACK, ImageClass, ImageKey, Part
from mia_tui.dataset.scan.scan import Scan
from mia_tui.dataset.store.file_changes import find_moves
from mia_tui.dataset.store.frame_numbers import find_frames, present_keys, with_present_frames
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.dataset.store.records import Label
from mia_tui.errors import DataError
from mia_tui.paths import StateFolder, typed_dataset
from mia_tui.text import counted, name_some, printable

META_SOURCE = "source"
"""Key in the store's meta table: "folders" or "store", the source of the labels last time."""


@dataclass(frozen=True)
class NamedClass:
    """A class; `id` is that of labels.db, or a number from 1 if the store does not have it."""

    id: int
    name: str


@dataclass(frozen=True)
class LabelledSet:
    """The labelled images of a dataset.

    Attributes:
        source: Where the labels come from.
        classes: Those with at least one image, in the order of the store or the natural order of folders.
        labels: Position in `classes` of each image, in dataset order.
        parts: Part of each image, if given by a top folder train, val or test; else empty.
        missing: Number of labels of images that no longer exist.
        notes: Sentences about what was noticed.
        missing_labels: The class of each of these labels, unless the class was deleted.
        moved: Present path of files that labels.db knows by another one, old to new.
        frames: Present key of images of stacks whose frames had other numbers, see `store.frame_numbers`.
    """

    source: Literal["folders", "store"]
    classes: tuple[NamedClass, ...]
    labels: dict[ImageKey, int]
    parts: dict[ImageKey, Part]
    missing: int
    notes: tuple[str, ...]
    missing_labels: Mapping[ImageKey, str] = field(default_factory=dict)
    moved: Mapping[str, str] = field(default_factory=dict)
    frames: Mapping[ImageKey, ImageKey] = field(default_factory=dict)

    def here(self, key: ImageKey) -> ImageKey:
        """The key of an image of labels.db with its present path and frame."""
        key = replace(key, path=self.moved[key.path]) if key.path in self.moved else key
        return self.frames.get(key, key)


def labelled_images(
    scan: Scan,
    dataset: Path,
    state: StateFolder,
    *,
    source: LabelSource = "auto",
    keep_empty: bool = False,
    keep_missing: bool = False,
    annotator: str | None = None,
) -> LabelledSet:
    """The labelled images of a dataset; writes nothing.

    Labels move with files that were moved, as `LabelStore.apply_file_changes` would write it. A store with labels
    takes precedence over folders, unless folders were the source last time. If folders are the source, a label that
    a person gave takes precedence over the folder.

    Args:
        scan: The dataset's images.
        dataset: Its folder, for messages.
        state: Where its labels.db is, if there is one.
        source: folders, store, or auto.
        keep_empty: Whether to keep classes without images, so that positions are those of the store (exports).
        keep_missing: Whether labels of missing images are enough (exports).
        annotator: Name of the user.

    Raises:
        DataError: If nothing is labelled, or `source` is folders and the folders are not classes.
        StoreError: If labels.db cannot be read.
    """
    known = _read_store(state, annotator, scan, dataset)
    if source == "folders" or (source == "auto" and known.source == "folders"):
        folders = read_class_folders(scan.keys, explicit=True)
        if folders is None:
            raise not_class_folders(scan.keys, str(dataset))
        return _from_folders(scan, folders, known, keep_empty)
    if known.labels:
        return _from_store(scan, dataset, known, source, keep_empty, keep_missing)
    folders = read_class_folders(scan.keys) if source == "auto" else None
    if folders is None:
        raise _no_labels(scan, dataset, state, source)
    return _from_folders(scan, folders, known, keep_empty)


@dataclass(frozen=True)
class _StoreContents:
    """The content of labels.db; empty if there is none."""

    classes: tuple[ImageClass, ...] = ()
    labels: Mapping[ImageKey, Label] = field(default_factory=dict)
    source: str | None = None
    moved: Mapping[str, str] = field(default_factory=dict)
    frames: Mapping[ImageKey, ImageKey] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def missing_labels(self, scan: Scan) -> dict[ImageKey, str]:
        """The class of each label whose file is missing, except for deleted classes."""
        files = {file.path for file in scan.files}
        names = {image_class.id: image_class.name for image_class in self.classes if not image_class.archived}
        return {
            key: names[label.class_id]
            for key, label in self.labels.items()
            if key.path not in files and key.frame >= WHOLE_STACK and label.class_id in names
        }


def _read_store(state: StateFolder, annotator: str | None, scan: Scan, dataset: Path) -> _StoreContents:
    store = LabelStore.open_existing(state.labels_db, annotator=annotator)
    if store is None:
        return _StoreContents()
    with store:
        classes, labels = tuple(store.classes(archived=True)), store.labels()
        moved = _moves(store, labels, scan, dataset)
        if moved:
            labels = {
                replace(key, path=moved.get(key.path, key.path)): label for key, label in labels.items()
            }
        old = {moved.get(path, path): pages for path, pages in store.old_pages().items()}
        now = find_frames(old, {file.path for file in scan.files} if old else (), scan.stacks, dataset)
        frames = present_keys(old, now)
        labels, doubtful = with_present_frames(labels, frames)
        notes = tuple(note for note in (now.note, doubtful) if note)
        return _StoreContents(classes, labels, store.meta(META_SOURCE), moved, frames, notes)


def _moves(store: LabelStore, labels: Iterable[ImageKey], scan: Scan, dataset: Path) -> dict[str, str]:
    here = {file.path for file in scan.files}
    if all(key.path in here for key in labels):
        return {}
    return find_moves(store.stored_files(), scan.files, dataset)


def _from_store(
    scan: Scan,
    dataset: Path,
    known: _StoreContents,
    source: LabelSource,
    keep_empty: bool,
    keep_missing: bool,
) -> LabelledSet:
    active = {image_class.id: image_class for image_class in known.classes if not image_class.archived}
    missing, notes = _missing(scan, known)
    missing_labels = known.missing_labels(scan)
    ids = {
        key: known.labels[key].class_id
        for key in scan.keys
        if key in known.labels and known.labels[key].class_id in active
    }
    if not ids and not (keep_missing and missing_labels):
        raise DataError(
            f"No image of {printable(dataset)} is labelled: the labels kept for it "
            f"({len(known.labels):,}) belong to missing images or to deleted classes.",
            "Were the images moved? Name the folder that the labels were made in.",
        )
    notes += _store_notes(scan, known, ids, {} if keep_empty else active)
    if source == "auto" and len(ids) < len(scan.keys) and read_class_folders(scan.keys) is not None:
        notes.append("The folders look like classes, too; pass --labels folders to use them instead.")
    names = [NamedClass(image_class.id, image_class.name) for image_class in active.values()]
    classes, labels = _numbered(names, ids, keep_empty)
    return LabelledSet(
        "store", classes, labels, {}, missing, tuple(notes), missing_labels, known.moved, known.frames
    )


def _store_notes(
    scan: Scan, known: _StoreContents, ids: Mapping[ImageKey, int], active: Mapping[int, ImageClass]
) -> list[str]:
    notes = []
    deleted = sum(key in known.labels and key not in ids for key in scan.keys)
    if deleted:
        notes.append(f"{counted(deleted, 'image')} of deleted classes left out.")
    used = set(ids.values())
    empty = [image_class.name for image_class in active.values() if image_class.id not in used]
    if empty:
        notes.append(f"Classes without images left out: {name_some(empty)}.")
    return notes


def _missing(scan: Scan, known: _StoreContents) -> tuple[int, list[str]]:
    """How many labels belong to missing files, and sentences about labels without an image."""
    here, files = set(scan.keys), {file.path for file in scan.files}
    missing = sum(key.path not in files for key in known.labels)
    unused = [key for key in known.labels if key.path in files and key not in here]
    whole = sum(key.frame == WHOLE_STACK for key in unused)
    single = sum(key.frame >= 0 and ImageKey(key.path, WHOLE_STACK) in here for key in unused)
    frames = sum(key.frame >= 0 for key in unused) - single
    notes = list(known.notes)
    if known.moved:
        moves = name_some(f"{old} (now {new})" for old, new in known.moved.items())
        count = counted(len(known.moved), "file was", "files were")
        notes.append(f"{count} moved; labels moved along: {moves}.")
    if missing:
        notes.append(f"{counted(missing, 'labelled image is', 'labelled images are')} not there any more.")
    if frames:
        notes.append(
            f"{counted(frames, 'label is', 'labels are')} of frames that are left out; --frames all includes "
            "those of animated files."
        )
    if whole:
        notes.append(
            f"{counted(whole, 'label of a whole stack is', 'labels of whole stacks are')} kept and not used: here "
            "each frame is labelled."
        )
    if single:
        notes.append(
            f"{counted(single, 'label of a single frame is', 'labels of single frames are')} kept and not used: here "
            "stacks are labelled as a whole."
        )
    return missing, notes


def _from_folders(scan: Scan, folders: ClassFolders, known: _StoreContents, keep_empty: bool) -> LabelledSet:
    """Labels by class folders, overridden by labels that a person gave."""
    here = set(scan.keys)
    classes = _folder_classes(folders, known.classes)
    by_name = {named.name: named.id for named in classes}
    ids = {key: by_name[folders.names[index]] for key, index in folders.labels.items()}
    active = {image_class.id for image_class in known.classes if not image_class.archived}
    decided, moved = [], []
    for key, label in known.labels.items():
        if key not in here or label.class_id not in active or ids.get(key) == label.class_id:
            continue
        if key not in ids:
            ids[key] = label.class_id
        elif label.source == "import":
            moved.append(key)
        else:
            decided.append(key)
            ids[key] = label.class_id
    missing, notes = _missing(scan, known)
    notes += folders.notes
    if decided:
        notes.append(
            f"{counted(len(decided), 'image')} in a class other than its folder's, as a person decided: "
            f"{name_some(key.path for key in decided)}."
        )
    if moved:
        notes.append(
            f"{counted(len(moved), 'image')} moved to another class folder: "
            f"{name_some(key.path for key in moved)}."
        )
    used, labels = _numbered(classes, {key: ids[key] for key in scan.keys if key in ids}, keep_empty)
    parts = dict(folders.parts)
    return LabelledSet(
        "folders",
        used,
        labels,
        parts,
        missing,
        tuple(notes),
        known.missing_labels(scan),
        known.moved,
        known.frames,
    )


def _folder_classes(folders: ClassFolders, stored: Iterable[ImageClass]) -> list[NamedClass]:
    """The folders' classes in order, then those of the store; with the ids of the store if names are equal."""
    stored = list(stored)
    ids = {image_class.name: image_class.id for image_class in stored if not image_class.archived}
    free = max((image_class.id for image_class in stored), default=0) + 1
    classes = []
    for name in folders.names:
        classes.append(NamedClass(ids.get(name, free), name))
        free += name not in ids
    others = (name for name in ids if name not in set(folders.names))
    return classes + [NamedClass(ids[name], name) for name in others]


def _numbered(
    classes: Iterable[NamedClass], ids: Mapping[ImageKey, int], keep_empty: bool
) -> tuple[tuple[NamedClass, ...], dict[ImageKey, int]]:
    """The classes, empty ones only with `keep_empty`, and each image's position among them."""
    used = set(ids.values())
    kept = tuple(named for named in classes if keep_empty or named.id in used)
    position = {named.id: index for index, named in enumerate(kept)}
    return kept, {key: position[class_id] for key, class_id in ids.items()}


def _no_labels(scan: Scan, dataset: Path, state: StateFolder, source: LabelSource) -> DataError:
    fault = class_folders_fault(scan.keys)
    reason = "" if fault is None or source == "store" else f" Its folders are not classes: {fault}"
    folders = read_class_folders(scan.keys, explicit=True)
    way = "put the images into one folder per class"
    top = _only_folder(scan)
    if top is not None:
        way = f"name the folder {printable(top)} in it, whose folders are classes: {printable(dataset / top)}"
    elif folders is not None:
        way = f"pass --labels folders if the folders are classes anyway ({name_some(folders.names)})"
    return DataError(
        f"{printable(dataset)} has no labels.{reason}",
        f"Import them with `mia-tui labels import {typed_dataset(dataset, state.root)} FILE.csv` (columns "
        f"file,class), or {way}.",
    )


def _only_folder(scan: Scan) -> str | None:
    """The single top folder, as after unpacking an archive, if the folders in it are classes."""
    top = scan.keys[0].path.split("/")[0]
    if not all(key.path.startswith(f"{top}/") for key in scan.keys):
        return None
    inner = [ImageKey(key.path.removeprefix(f"{top}/"), key.frame) for key in scan.keys]
    return top if read_class_folders(inner) is not None else None
