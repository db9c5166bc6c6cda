"""A dataset being labelled: what is known of it, and everything that is written about it.

The desk knows no screen. Whatever is written goes through the keeper's thread;
what comes back from the history, our own rows and others', is applied to the
session. So the screen shows what is in labels.db, never what was hoped for.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from mia_tui.dataset.listing.listing import Listing, Rows
from mia_tui.dataset.model import ImageClass, ImageFile, ImageKey
from mia_tui.dataset.session.session import Applied, LabelSession
from mia_tui.dataset.store.label_store import LabelStore, login_name
from mia_tui.dataset.store.records import Change, Source, Step
from mia_tui.dataset.store.writable import why_unwritable
from mia_tui.errors import StoreReplaced
from mia_tui.paths import find_state
from mia_tui.text import counted, printable
from mia_tui.tui.labelling.overwritten import overwritten_words
from mia_tui.tui.labelling.session_updater import SessionUpdater
from mia_tui.tui.labelling.store_thread import StoreThread, Written

Value = TypeVar("Value")


@dataclass(frozen=True)
class Saved:
    """What was written last; `at` is in Unix seconds."""

    what: str
    at: float


class LabelController:
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
        self._intake = SessionUpdater(self.session)
        self._warnings: list[str] = []
        self._labelled: dict[str, None] = {}  # files that may have no fingerprint yet
        self._looked_up_to: ImageKey | None = None  # for such files from earlier sessions; None: not at all
        self._has_looked = False
        self._is_written = False
        self._taking = asyncio.Lock()  # what labels.db says is taken over in order, a step at a time
        self._asked_state = state
        self.state = find_state(dataset, state)
        self.keeper = StoreThread(lambda: find_state(dataset, state).labels_db, self.annotator)

    async def load(self) -> None:
        """Take over what labels.db says.

        Raises:
            StoreError: If it is there and cannot be read.
        """
        async with self._taking:
            await self._load()

    async def news(self) -> Applied | None:
        """Take over what others wrote; None if nothing.

        Raises:
            StoreError: If labels.db cannot be read.
        """
        if self._taking.locked():
            return None
        async with self._taking:
            changes = await self.keeper.news()
            if changes is None:
                await self._load()
                return Applied(self.session.view[:0], True, 0, ())
            return await self._intake.take(changes, from_outside=True) if changes else None

    async def replace_listing(self, listing: Listing, placed: Rows) -> None:
        """The images are these now, for `LabelSession.replace_listing`; never between two steps of a change."""
        async with self._taking:
            self.session.replace_listing(listing, placed)

    def touched(self) -> list[int]:
        """Rows whose label or marks changed since this was asked the last time."""
        return self._intake.touched()

    def warnings(self) -> list[str]:
        """Sentences about what was written that a person should know; each is given out once."""
        warnings, self._warnings = self._warnings, []
        return warnings

    async def write(self, job: Callable[[LabelStore], Value], what: str) -> Value:
        """Do something with the store and take over what became of it.

        Args:
            job: Runs in the keeper's thread.
            what: For the status: what was saved.

        Raises:
            StoreError: If it cannot be written; nothing changed.
        """
        meant = self.keeper.taken
        await self._settle_place()
        async with self._taking:
            written = await self._write(job, meant)
            is_mine = any(change.annotator == self.annotator for change in written.changes)
            await self._intake.take(written.changes)
        if is_mine:
            self.saved = Saved(what, time.time())
        return written.value

    async def assign(self, keys: Sequence[ImageKey], class_id: int, *, source: Source = "person") -> int:
        """Put images into a class, as one step. Returns how many changed."""
        changed = await self.write(
            lambda store: store.set_labels(((key, class_id) for key in keys), source=source),
            f"{_of(keys)} = {self._class_name(class_id)}",
        )
        if len(keys) == 1:
            self.session.pace.note_label(time.monotonic())
        return changed

    async def keep_facts(self, facts: Sequence[tuple[ImageFile, str]]) -> None:
        """Keep what files are known again by; nobody's step, so nothing is said of it.

        Raises:
            StoreError: If it cannot be written.
        """

        def job(store: LabelStore) -> None:
            store.note_root(self.dataset)
            store.note_facts(facts)

        async with self._taking:
            written = await self.keeper.write(job)
            await self._intake.take(written.changes)  # others' labels that came in between

    async def take_labelled(self, most: int) -> list[str]:
        """Some of the labelled files that may have no fingerprint yet; each is given out once.

        Those labelled here come first, then those of earlier sessions, unless nothing was written here: to look
        at a dataset takes no fingerprints.

        Raises:
            StoreError: If labels.db cannot be read.
        """
        while not self._labelled and self.owes_fingerprints:
            after = self._looked_up_to
            found = await self.keeper.read(partial(LabelStore.files_without_hash, after=after))
            paths, self._looked_up_to = found if found is not None else ([], None)
            self._has_looked = self._looked_up_to is None
            self._labelled |= dict.fromkeys(paths)
        paths = list(islice(self._labelled, most))
        for path in paths:
            del self._labelled[path]
        return paths

    def give_back(self, paths: Sequence[str]) -> None:
        """These of the files that were taken are still to do."""
        self._labelled |= dict.fromkeys(paths)

    @property
    def owes_fingerprints(self) -> bool:
        """Whether there may be files for `take_labelled` to give out."""
        return bool(self._labelled) or (self._is_written and not self._has_looked)

    @property
    def labelled_count(self) -> int:
        """Files known to be given out by `take_labelled`."""
        return len(self._labelled)

    async def clear(self, keys: Sequence[ImageKey]) -> int:
        """Take labels away, as one step. Returns how many changed."""
        return await self.write(
            lambda store: store.set_labels(((key, None) for key in keys), source="person"),
            f"{_of(keys)}: no label",
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
        return await self._turn(lambda store: store.redo() if redo else store.undo())

    async def undo_links(self) -> tuple[str, Applied] | None:
        """Take back that labels went along with files that were moved; as `step_back`."""
        return await self._turn(lambda store: store.undo_links())

    async def _turn(self, job: Callable[[LabelStore], Step | None]) -> tuple[str, Applied] | None:
        meant = self.keeper.taken
        if await self.keeper.read(lambda store: True) is None:
            return None  # nothing was ever written, and undo is not to make a labels.db
        async with self._taking:
            written = await self._write(job, meant)
            step = written.value
            images = None if step is None else _others_left_out(written.changes, step.batch)
            applied = await self._intake.take(written.changes)
        if step is None:
            return None
        if images is not None:
            rows = self.session.listing.rows(list(images))
            applied = replace(applied, rows=np.sort(rows[rows >= 0]))
        self.saved = Saved(step.what, time.time())
        return step.what, applied

    async def answered(self, answer: Awaitable[Value]) -> Value:
        """Wait for a person's answer, which is about the labels.db that they saw.

        Raises:
            StoreReplaced: If another one is there by now, whose classes may be others.
        """
        asked = self.keeper.taken
        value = await answer
        if value is not None and self.keeper.taken != asked:
            raise StoreReplaced(
                "labels.db was replaced by another file while you were asked, so nothing was done.",
                "What is in it is shown now; if your answer still holds, give it again.",
            )
        return value

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
        return await self.keeper.read(lambda store: store.label_counts()) or {}

    async def class_folders(self) -> dict[str, int] | None:
        """Classes and their images, where the dataset's folders look like classes as far as it is known."""
        find, told = self.session.listing.folders_later(), self.source == "folders"

        def look() -> dict[str, int] | None:
            from mia_tui.dataset.interchange.folders import images_by_class  # not needed for the first image

            folders = {folder.path: folder.images for folder in find()}
            return images_by_class(folders, told=told)

        return await asyncio.to_thread(look)

    async def _write(self, job: Callable[[LabelStore], Value], meant: int) -> Written[Value]:
        """Write what was meant for one labels.db; where another is there now, load that instead."""
        try:
            written = await self.keeper.write(job, taken=meant)
        except StoreReplaced:
            await self._load()
            raise
        self._labelled |= written.labelled
        self._is_written |= bool(written.changes)
        if written.overwritten:
            self._warnings.append(overwritten_words(written.overwritten, self._class_name))
        return written

    def _class_name(self, class_id: int) -> str:
        image_class = self.session.class_of(class_id)
        return printable(image_class.name) if image_class else "?"

    async def why_unwritable(self) -> str | None:
        """Why nothing can be saved here, as a sentence; None where nothing speaks against it. Writes nothing."""
        place = find_state(
            self.dataset, self._asked_state, class_folders=await self.class_folders() is not None
        )
        return await asyncio.to_thread(why_unwritable, place.labels_db)

    async def left_behind(self) -> Path | None:
        """The state folder that a renaming left behind; None where there is none, or one of the new name."""
        if self._asked_state is not None or self.keeper.is_open:
            return None

        listing = self.session.listing

        def look() -> Path | None:
            from mia_tui.runs.list.orphaned_state import find_orphaned_state

            return find_orphaned_state(self.dataset, lambda: {key.path for key in listing.keys_beside(())})

        return await asyncio.to_thread(look)

    async def _settle_place(self) -> None:
        """Before the first write: labels of class folders lie beside them, not among them."""
        if self.keeper.is_open or self._asked_state is not None:
            return
        self.state = find_state(self.dataset, None, class_folders=await self.class_folders() is not None)
        self.keeper.make_at = self.state.labels_db

    async def _load(self) -> None:
        snapshot = await self.keeper.load()
        if self.keeper.is_open:
            self.state = find_state(self.dataset, self._asked_state)
        self.source, self.saved = snapshot.source, None
        await self._intake.load(snapshot)


def _others_left_out(changes: Sequence[Change], batch: int) -> set[ImageKey] | None:
    """Images of one step, where changes of others came with it; None where none did."""
    if changes and changes[0].batch == changes[-1].batch == batch:  # the rows of a step lie together
        return None
    return {change.image for change in changes if change.batch == batch and change.image is not None}


def _of(keys: Sequence[ImageKey]) -> str:
    return printable(keys[0].path) if len(keys) == 1 else counted(len(keys), "image")
