"""A dataset as it was read at one moment: its images, their labels, its split, and where labels and runs are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from mia_tui.dataset.hashes import duplicate_groups
from mia_tui.dataset.labelled_images import LabelledSet
from mia_tui.dataset.model import ImageKey, Part
from mia_tui.dataset.scan.scan import Scan
from mia_tui.dataset.split.assignment import StoredSplit, read_stored_split
from mia_tui.dataset.store.frame_numbers import find_frames
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import StoreError
from mia_tui.paths import StateFolder
from mia_tui.text import counted, name_some


@dataclass(frozen=True)
class Dataset:
    """A scanned folder, its labels, and the place of its state.

    Attributes:
        stored: The split that is kept with it.
        followed: What happened to labelled files, a sentence each.
    """

    root: Path
    scan: Scan
    state: StateFolder
    labelled: LabelledSet
    stored: StoredSplit = field(default_factory=StoredSplit)
    followed: list[str] = field(default_factory=list)

    @property
    def notes(self) -> list[str]:
        """What was noticed while reading it, a sentence each."""
        return [*self.scan.notes, *self.followed, *self.labelled.notes]

    @cached_property
    def copies(self) -> Mapping[str, str]:
        """Hash of the content by path, of files that may be copies; reads those of equal size the first time."""
        return duplicate_groups(self.root, self.scan.files)


def split_in(state: StateFolder, annotator: str | None) -> StoredSplit:
    """The split that is kept with a dataset, none where there is no labels.db yet.

    Raises:
        StoreError: If labels.db cannot be read.
    """
    store = LabelStore.open_existing(state.labels_db, annotator=annotator)
    if store is None:
        return StoredSplit()
    with store:
        return read_stored_split(store)


def parts_of(found: Dataset) -> dict[ImageKey, Part]:
    """The part of each image that has one; no split is made for this."""
    store = LabelStore.open_existing(found.state.labels_db)
    if store is None:
        return found.labelled.parts
    with store:
        stored = {found.labelled.here(key): part for key, part in store.parts().items()}
        return {**found.labelled.parts, **stored}


def renumber_frames(store: LabelStore, found: Scan, root: Path) -> list[str]:
    """Give labels of stacks the numbers that frames have now; sentences about what that changed.

    Where nothing can be written, `labelled_images` reads them so.
    """
    old = store.old_pages()
    if not old:
        return []
    now = find_frames(old, {file.path for file in found.files}, found.stacks, root)
    try:
        return store.apply_frames(now).notes
    except StoreError:
        return []


def relink_labels(found: Scan, root: Path, state: StateFolder, annotator: str | None) -> list[str]:
    """Move labels with their files, and name images that are not what was labelled.

    Every labelled file that has no hash yet is read for it.

    Raises:
        StoreError: If labels.db cannot be read, or what happened not be written.
    """
    store = LabelStore.open_existing(state.labels_db, annotator=annotator)
    if store is None:
        return []
    with store:
        moved = [f"{old} (now {new})" for old, new in store.reconcile(found.files, root).relinked]
        notes = renumber_frames(store, found, root)
        doubtful = [key.path for key in store.flagged()]
    if moved:
        notes.append(f"{counted(len(moved), 'label')} followed files that were moved: {name_some(moved)}.")
    if doubtful:
        notes.append(
            f"{counted(len(doubtful), 'image')} changed since labelled, or flagged: {name_some(doubtful)}. Training "
            "uses the present label."
        )
    return notes
