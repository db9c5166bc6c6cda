"""A dataset being labelled: what is known of it, and everything that is written about it.

The controller knows no screen. Whatever is written goes through the store
thread; what comes back from the history, our own changes and those of others,
is applied to the session. So a screen always shows what is in labels.db.

Many changes are applied in steps, and between two steps keys are handled.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mia_tui.dataset.listing.listing import Listing, Rows
from mia_tui.dataset.model import ImageClass, ImageKey, StackMode
from mia_tui.dataset.session.session import Applied, LabelSession
from mia_tui.dataset.session.suggested import ModelSuggestions
from mia_tui.dataset.store.errors import why_unwritable
from mia_tui.dataset.store.label_store import LabelStore, login_name, stack_mode
from mia_tui.dataset.store.records import Change, LabelOrigin, Step
from mia_tui.errors import StoreError, StoreReplaced
from mia_tui.paths import find_state
from mia_tui.text import counted, name_some, printable
from mia_tui.tui.controller.fingerprint_queue import FingerprintQueue
from mia_tui.tui.controller.leases import ImageLeases
from mia_tui.tui.controller.seen import SeenImages
from mia_tui.tui.controller.store_thread import StoreThread, WriteResult
from mia_tui.tui.controller.suggestions import ShownSuggestions
from mia_tui.tui.controller.ways_back import WaysBack
from mia_tui.tui.live.live_suggestions import LiveSuggestions

if TYPE_CHECKING:
    from mia_tui.tui.look_alikes.pages import Pages

Value = TypeVar("Value")

_MOST_ROWS = 1000  # changed rows that are kept apart; where there are more, whole lists are painted again
_AT_ONCE = 4096  # changes that are freed in one go


@dataclass(frozen=True)
class LastSave:
    """What was written last; `at` is in Unix seconds."""

    what: str
    at: float


class LabelController:
    """One dataset that one person labels.

    Args:
        dataset: Folder of images.
        state: What the user named with --state.
        annotator: Who labels; the login name if left out.
        listing: The images known already.

    Attributes:
        session: What is known; belongs to the event loop's thread.
        suggestions: Whose suggestions are shown.
        live: Those that are learned from the labels, anew after each.
        ways_back: What led to the images that are shown.
        fingerprints: Labelled files that have none yet.
        leases: Which images others are about to label.
        seen: Which images were on the screen as tiles.
        look_alikes: Its pages of look-alikes; None before they are first opened.
        saved: What was written last, None before the first.
        source: Where labels came from last: folders, store, or None.
    """

    def __init__(
        self, dataset: Path, *, state: Path | None, annotator: str | None, listing: Listing | None = None
    ) -> None:
        self.dataset = dataset
        self.annotator = printable(annotator or login_name())
        self.session = LabelSession(listing if listing is not None else Listing(), annotator=self.annotator)
        self.saved: LastSave | None = None
        self.source: str | None = None
        self._changed_rows: list[int] = []
        self._warnings: list[str] = []
        self._updating = asyncio.Lock()  # changes are applied to the session in order
        self._asked_state = state
        self.state = find_state(dataset, state)
        self.suggestions = ShownSuggestions(self, state)
        self.live = LiveSuggestions(self)
        self.ways_back = WaysBack(self.session)
        self.seen = SeenImages()
        self.look_alikes: Pages | None = None
        self.leases = ImageLeases(self)
        self.store_thread = StoreThread(lambda: find_state(dataset, state).labels_db, self.annotator)
        self.fingerprints = FingerprintQueue(self)

    async def load(self) -> None:
        """Bring the session to what labels.db says.

        Raises:
            StoreError: If it is there and cannot be read.
        """
        async with self._updating:
            await self._load()

    async def news(self) -> Applied | None:
        """Apply what others wrote; None if nothing.

        Raises:
            StoreError: If labels.db cannot be read.
        """
        if self._updating.locked():
            return None
        async with self._updating:
            changes = await self.store_thread.news()
            if changes is None:
                await self._load()
                return Applied(self.session.view[:0], 0, ())
            if changes:
                self.leases.saw_others()
            self.leases.learn(self.store_thread.leases)
            return await self._apply(changes, by_other_program=True) if changes else None

    async def replace_listing(self, listing: Listing, placed: Rows) -> None:
        """Call `LabelSession.replace_listing`, but never between two steps of a change."""
        async with self._updating:
            self.session.replace_listing(listing, placed)
        self.live.images_changed()

    def changed_rows(self) -> list[int]:
        """Rows whose label or marks changed since the last call."""
        changed, self._changed_rows = self._changed_rows, []
        return changed

    def warnings(self) -> list[str]:
        """What a person should know about what was written, in sentences; each is returned once."""
        warnings, self._warnings = self._warnings, []
        return warnings

    async def write(self, job: Callable[[LabelStore], Value], what: str) -> Value:
        """Do something with the store and apply what changed in it to the session.

        Args:
            job: Runs in the store thread.
            what: What is saved, for the status line.

        Raises:
            StoreError: If it cannot be written; nothing changed.
        """
        generation = self.store_thread.loaded_generation
        if self._asked_state is None and not self.store_thread.is_open:
            await self._choose_place()
        async with self._in_turn():
            written = await self.store_thread.write(job, generation=generation)
            is_mine = any(change.annotator == self.annotator for change in written.changes)
            await self._take(written)
        if is_mine:
            self.saved = LastSave(what, time.time())
        return written.value

    async def accept_all(self, suggested: Sequence[tuple[ImageKey, int]]) -> int:
        """Accept the suggestions for images, as one step. Returns how many changed."""
        keys = [key for key, _ in suggested]
        return await self.write(
            partial(LabelStore.set_labels, items=suggested, source="accepted"), f"{_of(keys)}: accepted"
        )

    async def assign(self, keys: Sequence[ImageKey], class_id: int, *, source: LabelOrigin = "person") -> int:
        """Put images into a class, as one step. Returns how many changed.

        In a second pass that is an opinion beside the label, and where disputes are shown, a decision.
        """
        what = f"{_of(keys)} = {self._class_name(class_id)}"
        items = [(key, class_id) for key in keys]
        job = partial(LabelStore.set_labels, items=items, source=source)
        if self.session.is_blind:
            job, what = partial(LabelStore.give_opinions, items=items), "second opinion"
        elif self.session.shows_disputes:
            job = partial(LabelStore.decide, items=items)
        self.leases.worked()
        wanted = self.leases.due(keys)
        if wanted:
            changed, leases = await self.write(self.leases.with_label(job, wanted), what)
            self.leases.learn(leases)
        else:
            changed = await self.write(job, what)
        if len(keys) == 1:
            self.session.speed.add_label(time.monotonic())
        return changed

    async def add_and_assign(self, key: ImageKey, name: str, names: Sequence[str]) -> None:
        """Add classes and accept one of them for an image, as one step.

        Raises:
            DataError: If there is a class of such a name by now; nothing changed.
        """

        def job(store: LabelStore) -> None:
            with store.transaction():
                added = dict(zip(names, store.add_classes(names), strict=True))
                store.set_labels([(key, added[name].id)], source="accepted")

        await self.write(job, f"{_of([key])} = {printable(name)}")
        self.session.speed.add_label(time.monotonic())

    def suggest(self, found: ModelSuggestions, rows: Rows | None) -> None:
        """Replace the suggestions that are shown; as `LabelSession.set_suggestions`."""
        self.session.set_suggestions(found, rows)
        self._changed_rows = list(range(min(len(self.session.listing), _MOST_ROWS)))

    def repaint(self, rows: Rows) -> None:
        """Suggestions for these rows are others than before."""
        # A screen that is covered does not ask for them, so only the last ones are kept.
        self._changed_rows = (self._changed_rows + rows[:_MOST_ROWS].tolist())[-_MOST_ROWS:]

    async def write_silently(self, job: Callable[[LabelStore], Value]) -> Value:
        """Do something with the store that is no step of a person.

        Raises:
            StoreError: If it cannot be written.
        """
        async with self._updating:
            written = await self.store_thread.write(job)
            await self._apply(written.changes)  # others' labels that came in between
        return written.value

    async def clear(self, keys: Sequence[ImageKey]) -> int:
        """Remove labels, or in a second pass what was said, as one step. Returns how many changed."""
        items = ((key, None) for key in keys)
        if self.session.is_blind:
            return await self.write(lambda store: store.give_opinions(items), "second opinion withdrawn")
        what = f"{_of(keys)}: no label"
        return await self.write(lambda store: store.set_labels(items, source="person"), what)

    async def flag(self, keys: Sequence[ImageKey], flagged: bool) -> int:
        """Flag images, or remove their flags, as one step."""
        what = f"{_of(keys)}: {'flagged' if flagged else 'no flag'}"
        return await self.write(lambda store: store.set_flagged(keys, flagged), what)

    async def skip(self, keys: Sequence[ImageKey], skipped: bool) -> int:
        """Mark images as skipped, or remove the marks, as one step."""
        what = f"{_of(keys)}: {'skipped' if skipped else 'not skipped'}"
        return await self.write(lambda store: store.set_skipped(keys, skipped), what)

    async def note(self, key: ImageKey, text: str | None) -> int:
        """Keep a note on an image; None removes it."""
        return await self.write(lambda store: store.set_note(key, text), f"{_of([key])}: note")

    async def step_back(self, *, redo: bool = False) -> tuple[str, Applied] | None:
        """Undo or redo my last step: the sentence about it, and what it changed; None if there is none.

        Raises:
            StoreError: If somebody else changed the same since, or nothing can be written.
        """
        return await self._undo_or_redo(lambda store: store.redo() if redo else store.undo())

    async def undo_links(self) -> tuple[str, Applied] | None:
        """Undo that labels followed files that were moved; as `step_back`."""
        return await self._undo_or_redo(lambda store: store.undo_links())

    async def _undo_or_redo(self, job: Callable[[LabelStore], Step | None]) -> tuple[str, Applied] | None:
        generation = self.store_thread.loaded_generation
        if await self.store_thread.read(lambda store: True) is None:
            return None  # nothing was ever written, and undo does not create a labels.db
        async with self._in_turn():
            written = await self.store_thread.write(job, generation=generation)
            step = written.value
            images = None if step is None else _images_of_step(written.changes, step.batch)
            applied = await self._take(written)
        if step is None:
            return None
        if images is not None:
            rows = self.session.listing.rows(list(images))
            applied = replace(applied, rows=np.sort(rows[rows >= 0]))
        self.saved = LastSave(step.what, time.time())
        return step.what, applied

    async def answered(self, answer: Awaitable[Value]) -> Value:
        """Wait for a person's answer, which is about the labels.db that they saw.

        Raises:
            StoreReplaced: If another file took its place meanwhile; its classes may be different.
        """
        asked = self.store_thread.loaded_generation
        value = await answer
        if value is not None and self.store_thread.loaded_generation != asked:
            raise StoreReplaced(
                "labels.db was replaced by another file while you were asked, so nothing was done.",
                "Its contents are shown now; if your answer still applies, give it again.",
            )
        return value

    async def all_classes(self) -> tuple[ImageClass, ...]:
        """Every class, archived ones last.

        Raises:
            StoreError: If labels.db cannot be read.
        """
        found = await self.store_thread.read(lambda store: store.classes(archived=True)) or []
        return tuple(sorted(found, key=lambda image_class: image_class.archived))

    async def label_counts(self) -> Mapping[int, int]:
        """How many labels each class has, archived classes and missing images included.

        Raises:
            StoreError: If labels.db cannot be read.
        """
        return await self.store_thread.read(lambda store: store.label_counts()) or {}

    async def class_folders(self) -> dict[str, int] | None:
        """Classes and their number of images, if the folders known so far look like classes."""
        find, explicit = self.session.listing.folders_later(), self.source == "folders"

        def find_in_thread() -> dict[str, int] | None:
            from mia_tui.dataset.interchange.folders import images_by_class  # not needed for the first image

            folders = {folder.path: folder.images for folder in find()}
            return images_by_class(folders, explicit=explicit)

        return await asyncio.to_thread(find_in_thread)

    @asynccontextmanager
    async def _in_turn(self) -> AsyncIterator[None]:
        """Nothing else is written or applied meanwhile; if another file took the place of labels.db, it is loaded."""
        async with self._updating:
            try:
                yield
            except StoreReplaced:
                await self._load()
                raise

    async def _take(self, written: WriteResult[Any]) -> Applied:
        """Apply what was written, and what others wrote before it."""
        self.fingerprints.written(written)
        if written.overwritten:
            self._warnings.append(overwritten_words(written.overwritten, self._class_name))
        return await self._apply(written.changes)

    async def _apply(self, changes: list[Change], *, by_other_program: bool = False) -> Applied:
        """Apply what is new in the history to the session; of a long list not much is left afterwards.

        Args:
            changes: Oldest first.
            by_other_program: Whether another program wrote all of it, whoever used it.
        """
        steps = self.session.apply_in_steps(changes)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                applied: Applied = end.value
                break
            await asyncio.sleep(0)
        self.repaint(applied.rows)
        is_by_person = not by_other_program and len(changes) > applied.by_others
        if by_other_program or applied.by_others:
            self.session.join(applied.rows)
        while len(changes) > _AT_ONCE:  # to free 100,000 at once takes 40 ms
            del changes[-_AT_ONCE:]
            await asyncio.sleep(0)
        if changes:
            self.live.labels_changed(changes, by_person=is_by_person)
        return applied

    async def _load(self) -> None:
        snapshot = await self.store_thread.load()
        if self.store_thread.is_open:
            self.state = find_state(self.dataset, self._asked_state)
        self.source, self.saved = snapshot.source, None
        self.session.people.load(snapshot.opinions, snapshot.decisions)
        if self.store_thread.has_company:
            self.leases.saw_others()
        self.leases.learn(self.store_thread.leases)
        for _ in self.session.load_in_steps(snapshot.classes, snapshot.labels, snapshot.marks):
            await asyncio.sleep(0)
        self._changed_rows = list(range(min(len(self.session.listing), _MOST_ROWS)))
        self.live.labels_changed()

    def _class_name(self, class_id: int) -> str:
        image_class = self.session.class_of(class_id)
        return printable(image_class.name) if image_class else "?"

    async def why_unwritable(self) -> str | None:
        """Why nothing can be saved here, in a sentence; None if it can. Writes nothing."""
        place = find_state(
            self.dataset, self._asked_state, class_folders=await self.class_folders() is not None
        )
        return await asyncio.to_thread(why_unwritable, place.labels_db)

    def stack_mode(self) -> StackMode:
        """Whether stacks are labelled as a whole. Reads labels.db, so it is for a thread."""
        try:
            return stack_mode(find_state(self.dataset, self._asked_state).labels_db)
        except StoreError:  # which the person is told when the labels are read
            return "frames"

    async def left_behind(self) -> Path | None:
        """The state folder that a renaming of the dataset left behind; None if there is none, or a new one."""
        if self._asked_state is not None or self.store_thread.is_open:
            return None

        listing = self.session.listing

        def find_in_thread() -> Path | None:
            from mia_tui.runs.list.orphaned_state import find_orphaned_state

            return find_orphaned_state(self.dataset, lambda: {key.path for key in listing.keys_except(())})

        return await asyncio.to_thread(find_in_thread)

    async def _choose_place(self) -> None:
        """Before the first write: the labels of class folders lie beside them, not among them."""
        self.state = find_state(self.dataset, None, class_folders=await self.class_folders() is not None)
        self.store_thread.make_at = self.state.labels_db


def overwritten_words(found: Sequence[Change], name_of: Callable[[int], str]) -> str:
    """A sentence about labels of others that were replaced.

    Args:
        found: What `find_overwritten` of the store thread returned.
        name_of: The name of a class by its id.
    """
    people = [printable(name) for name in dict.fromkeys(change.before["annotator"] for change in found)]
    if len(found) > 1:
        images = counted(len(found), "of these images", "of these images")
        return (
            f"{name_some(people)} labelled {images} a moment ago; your step replaced that; "
            "undo brings those labels back."
        )
    [change], [who] = found, people
    image = printable(change.image.path) if change.image is not None else "this image"
    theirs = name_of(change.before["class_id"])
    yours = "you removed that" if change.after is None else f"your {name_of(change.after['class_id'])}"
    did = "" if change.after is None else " replaced it"
    return f"{who} labelled {image} {theirs} a moment ago; {yours}{did}; undo brings {who}'s label back."


def _images_of_step(changes: Sequence[Change], batch: int) -> set[ImageKey] | None:
    """Images of one step, if changes of others came with it; None if none did."""
    if changes and changes[0].batch == changes[-1].batch == batch:  # the changes of a step lie together
        return None
    return {change.image for change in changes if change.batch == batch and change.image is not None}


def _of(keys: Sequence[ImageKey]) -> str:
    return printable(keys[0].path) if len(keys) == 1 else counted(len(keys), "image")
