"""A dataset being labelled: what is known of it, and everything that is written about it.

The desk knows no screen. Whatever is written goes through the keeper's thread;
what comes back from the history, our own rows and others', is applied to the
session. So the screen shows what is in labels.db, never what was hoped for.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from mia_tui.dataset.class_book import class_name
from mia_tui.dataset.interchange.apply import ImportReport, import_labels
from mia_tui.dataset.interchange.folders import folder_labels, read_class_folders
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import ImageClass, ImageKey
from mia_tui.dataset.session.session import Applied, LabelSession
from mia_tui.dataset.store.label_store import LabelStore, login_name
from mia_tui.dataset.store.records import Change, Source
from mia_tui.dataset.wording import counted
from mia_tui.paths import find_state, printable
from mia_tui.tui.services.keeper import Keeper, Written

Value = TypeVar("Value")


@dataclass(frozen=True)
class Saved:
    """What was written last; `at` is in Unix seconds."""

    what: str
    at: float


class Desk:
    """One dataset in front of one person.

    Args:
        dataset: Folder of images.
        state: What the user named with --state.
        annotator: Who labels; the login name if left out.
        listing: The images known already.

    Attributes:
        session: What is known; belongs to the event loop's thread.
        saved: What was written last, None before the first.
        source: Where labels came from last: folders, store, or None.
    """

    def __init__(
        self, dataset: Path, *, state: Path | None, annotator: str | None, listing: Listing | None = None
    ) -> None:
        self.dataset = dataset
        self.annotator = printable(annotator or login_name())
        self.session = LabelSession(listing if listing is not None else Listing(), annotator=self.annotator)
        self.saved: Saved | None = None
        self.source: str | None = None
        self._touched: list[int] = []
        self._labelled: dict[str, None] = {}  # files without a fingerprint yet
        self._loading = False
        self._asked_state = state
        self.state = find_state(dataset, state)
        self.keeper = Keeper(lambda: find_state(dataset, state).labels_db, self.annotator)

    async def load(self) -> None:
        """Take over what labels.db says.

        Raises:
            StoreError: If it is there and cannot be read.
        """
        snapshot = await self.keeper.load()
        self.source = snapshot.source
        self._loading = True
        try:
            for _ in self.session.load_in_steps(snapshot.classes, snapshot.labels, snapshot.marks):
                await asyncio.sleep(0)  # between two steps, keys are answered
        finally:
            self._loading = False

    async def news(self) -> Applied | None:
        """Take over what others wrote; None if nothing.

        Raises:
            StoreError: If labels.db cannot be read.
        """
        if self._loading:  # what came now would be overwritten by the snapshot, which is older
            return None
        changes = await self.keeper.news()
        if changes is None:
            await self.load()
            return Applied(self.session.view[:0], True, 0, ())
        return self._take_over(changes) if changes else None

    def touched(self) -> list[int]:
        """Rows whose label or marks changed since this was asked the last time."""
        touched, self._touched = self._touched, []
        return touched

    async def write(self, job: Callable[[LabelStore], Value], what: str) -> Value:
        """Do something with the store and take over what became of it.

        Args:
            job: Runs in the keeper's thread.
            what: For the status: what was saved.

        Raises:
            StoreError: If it cannot be written; nothing changed.
        """
        await self._settle_place()
        written: Written[Value] = await self.keeper.write(job)
        self._take_over(written.changes)
        if written.changes:
            self.saved = Saved(what, time.time())
        return written.value

    async def assign(self, keys: Sequence[ImageKey], class_id: int, *, source: Source = "person") -> int:
        """Put images into a class, as one step. Returns how many changed."""
        image_class = self.session.class_of(class_id)
        name = image_class.name if image_class else "?"
        items = [(key, class_id) for key in keys]
        changed = await self.write(
            lambda store: store.set_labels(items, source=source), f"{_of(keys)} = {name}"
        )
        self._labelled |= dict.fromkeys(key.path for key in keys)
        if len(keys) == 1:
            self.session.pace.note_label(time.monotonic())
        return changed

    def take_labelled(self, most: int) -> list[str]:
        """Some of the files that were labelled and have no fingerprint yet; each is given out once."""
        paths = list(islice(self._labelled, most))
        for path in paths:
            del self._labelled[path]
        return paths

    @property
    def labelled_count(self) -> int:
        """Files that `take_labelled` has not given out yet."""
        return len(self._labelled)

    async def clear(self, keys: Sequence[ImageKey]) -> int:
        """Take labels away, as one step. Returns how many changed."""
        items = [(key, None) for key in keys]
        return await self.write(
            lambda store: store.set_labels(items, source="person"), f"{_of(keys)}: no label"
        )

    async def flag(self, keys: Sequence[ImageKey], flagged: bool) -> int:
        """Flag images, or take their flags away, as one step."""
        what = f"{_of(keys)}: {'flagged' if flagged else 'no flag'}"
        return await self.write(lambda store: store.set_flagged(keys, flagged), what)

    async def skip(self, keys: Sequence[ImageKey], skipped: bool) -> int:
        """Mark images as skipped, or take the marks away, as one step."""
        what = f"{_of(keys)}: {'skipped' if skipped else 'not skipped'}"
        return await self.write(lambda store: store.set_skipped(keys, skipped), what)

    async def note(self, key: ImageKey, text: str | None) -> int:
        """Keep a note on an image; None takes it away."""
        return await self.write(lambda store: store.set_note(key, text), f"{_of([key])}: note")

    async def step_back(self, *, redo: bool = False) -> tuple[str, Applied] | None:
        """Undo or redo my last step: the sentence about it, and what it changed; None if there is none.

        Raises:
            StoreError: If somebody else changed the same since, or nothing can be written.
        """
        if await self.keeper.read(lambda store: True) is None:
            return None  # nothing was ever written, and undo is not to make a labels.db
        written = await self.keeper.write(lambda store: store.redo() if redo else store.undo())
        applied = self._take_over(written.changes)
        if written.value is None:
            return None
        images = [change.image for change in written.value.changes if change.image is not None]
        rows = self.session.listing.rows(list(dict.fromkeys(images)))
        applied = replace(applied, rows=np.sort(rows[rows >= 0]))  # mine only: others may have labelled, too
        self.saved = Saved(written.value.what, time.time())
        return written.value.what, applied

    async def add_class(self, name: str) -> ImageClass:
        """Add a class at the end and make it the current one."""
        added = await self.write(lambda store: store.add_class(name), f"class {class_name(name)}")
        self.session.choose_class(added.id)
        return added

    async def all_classes(self) -> tuple[ImageClass, ...]:
        """Every class, those put away behind the others.

        Raises:
            StoreError: If labels.db cannot be read.
        """
        found = await self.keeper.read(lambda store: store.classes(archived=True)) or []
        return tuple(sorted(found, key=lambda image_class: image_class.archived))

    async def label_counts(self) -> Mapping[int, int]:
        """How many labels each class has, archived classes and missing images included.

        Raises:
            StoreError: If labels.db cannot be read.
        """

        def count(store: LabelStore) -> Mapping[int, int]:
            return Counter(label.class_id for label in store.labels().values())

        return await self.keeper.read(count) or {}

    async def take_folders(self) -> ImportReport:
        """Make the dataset's folders its classes, and the labels of the images in them.

        Raises:
            DataError: If the folders are not classes (any more).
        """
        keys = await asyncio.to_thread(self.all_keys)
        file = await asyncio.to_thread(lambda: folder_labels(keys, name=str(self.dataset)))
        report = await self.write(
            lambda store: import_labels(store, file), counted(len(file.labels), "folder label")
        )
        self.source = "folders"
        return report

    async def take_new_files(self) -> int:
        """Where folders are the classes, label the files that labels.db has never heard of. Returns how many.

        A person's decision stays: an image whose label was taken away is known, and not labelled again.
        """
        if self.source != "folders" or self.class_folders() is None:
            return 0
        known = await self.keeper.read(lambda store: set(store.stored_files())) or set()
        keys = await asyncio.to_thread(self.all_keys)
        new = [key for key in keys if key.path not in known]
        if not new:
            return 0
        file = await asyncio.to_thread(lambda: folder_labels(new, name=str(self.dataset)))
        report = await self.write(lambda store: import_labels(store, file), counted(len(new), "folder label"))
        return report.changed

    def class_folders(self) -> dict[str, int] | None:
        """Classes and their images, where the dataset's folders look like classes as far as it is known."""
        folders = [folder for folder in self.session.listing.folders() if folder.images]
        places = {ImageKey(f"{folder.path}/x" if folder.path else "x"): folder.images for folder in folders}
        found = read_class_folders(places, single=self.source == "folders")
        if found is None:
            return None
        counts = dict.fromkeys(found.names, 0)
        for key, position in found.labels.items():
            counts[found.names[position]] += places[key]
        return counts

    def all_keys(self) -> list[ImageKey]:
        """Every image; slow for a million, so for a thread."""
        listing = self.session.listing
        return [listing.key(row) for row in range(len(listing))]

    async def _settle_place(self) -> None:
        """Before the first write: labels of class folders lie beside them, not among them."""
        if self.keeper.is_open or self._asked_state is not None:
            return
        self.state = find_state(self.dataset, None, class_folders=self.class_folders() is not None)
        self.keeper.make_at = self.state.labels_db

    def _take_over(self, changes: Sequence[Change]) -> Applied:
        applied = self.session.apply(changes)
        self._touched += applied.rows.tolist()
        return applied


def _of(keys: Sequence[ImageKey]) -> str:
    return printable(keys[0].path) if len(keys) == 1 else counted(len(keys), "image")
