"""The one thread that reads and writes labels.db for the app.

Everything is done in the order it was asked for. A label counts as set when
its commit has returned: only then the screen moves on. labels.db is created by
the first write, never by looking at a dataset.

If another file takes the place of labels.db (a backup that was restored, a
folder that was synced or deleted), the same number may be another class in it.
So nothing is written into it before it was read.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from mia_tui.dataset.model import ImageClass, ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.dataset.store.records import Change, Label, Mark, Opinion
from mia_tui.dataset.store.review.leases import Lease
from mia_tui.errors import MiaError, StoreReplaced
from mia_tui.text import printable

Value = TypeVar("Value")


@dataclass(frozen=True)
class StoreSnapshot:
    """What labels.db says; empty if there is none.

    Attributes:
        classes: Archived ones included.
        generation: Which file it was read from: a higher number for each that took the place of labels.db.
    """

    classes: tuple[ImageClass, ...] = ()
    labels: dict[ImageKey, Label] = field(default_factory=dict)
    marks: dict[ImageKey, Mark] = field(default_factory=dict)
    opinions: dict[ImageKey, dict[str, Opinion]] = field(default_factory=dict)
    decisions: dict[ImageKey, Opinion] = field(default_factory=dict)
    generation: int = 0
    source: str | None = None


@dataclass(frozen=True)
class WriteResult(Generic[Value]):
    """What a write returned, and everything that is new in the history, changes of others included.

    Attributes:
        overwritten: Those of its changes that replaced labels of others that are new as well.
        labelled: Paths of the images that got a label.
    """

    value: Value
    changes: list[Change]
    overwritten: list[Change]
    labelled: dict[str, None]


class StoreThread:
    """Reads and writes labels.db in a thread of its own.

    Args:
        find: Where the labels.db is, or will be; called until there is one, since somebody else may create it.
        annotator: Who labels; the login name if left out.

    Attributes:
        make_at: Where to create a labels.db if there is none; None is where `find` says.
        annotator: The name that labels get.
        busy_since: When the present job was begun (`time.monotonic`), None while there is none.
        loaded_generation: Which file was loaded last, see `StoreSnapshot`.
        leases: Those that were there when somebody else had written last.
        holder: Whose leases end with this thread; None for none.
        has_company: Whether somebody else seemed to be at work when labels.db was loaded.
    """

    def __init__(self, find: Callable[[], Path], annotator: str) -> None:
        self.make_at: Path | None = None
        self._find = find
        self.annotator = annotator
        self.busy_since: float | None = None
        self.leases: list[Lease] = []
        self.holder: str | None = None
        self.has_company = False
        self._store: LabelStore | None = None
        self._loaded = False
        self._seen = (0, 0.0)  # id and time of the last change that was returned
        self._version: int | None = None
        self._generation = 0  # of the file that is there now
        self.loaded_generation = 0
        self._replaced: StoreReplaced | None = None  # what happened to the file before; not raised yet
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = (
            queue.SimpleQueue()
        )
        self._thread = threading.Thread(target=self._work, name="labels", daemon=True)
        self._thread.start()

    async def load(self) -> StoreSnapshot:
        """Everything labels.db says.

        Raises:
            StoreError: If it is there and cannot be read.
        """
        snapshot = await self._ask(self._load)
        self.loaded_generation = snapshot.generation
        return snapshot

    async def write(
        self, job: Callable[[LabelStore], Value], *, generation: int | None = None
    ) -> WriteResult[Value]:
        """Do something with the store, which is created if it is not there.

        Args:
            job: Runs in this thread.
            generation: The file that it is meant for, `loaded_generation` at the time of the key; if left out,
                the one loaded last.

        Raises:
            StoreReplaced: If another file is there by now: load it, then ask again.
            StoreError: If it cannot be written; nothing changed.
        """
        meant = self.loaded_generation if generation is None else generation
        return await self._ask(partial(self._write, job, meant))

    async def read(self, job: Callable[[LabelStore], Value]) -> Value | None:
        """Read something from the store; None if there is none yet.

        Raises:
            StoreError: If it cannot be read.
        """
        return await self._ask(partial(self._read, job))

    async def news(self) -> list[Change] | None:
        """What others wrote since the last call; None if labels.db has to be loaded, since it has just appeared.

        Raises:
            StoreReplaced: Once, if another file is there now, or none; the next call returns None.
            StoreError: If it cannot be read.
        """
        return await self._ask(self._news)

    @property
    def is_open(self) -> bool:
        """Whether labels.db is there and open."""
        return self._store is not None

    def end(self) -> None:
        """End once everything that was asked for is written."""
        self._jobs.put(None)

    def drain(self, timeout_s: float) -> None:
        """Wait until everything that was asked for is written, then end; for the end of the app."""
        self.end()
        self._thread.join(timeout_s)

    async def _ask(self, job: Callable[[], Value]) -> Value:
        future: asyncio.Future[Value] = asyncio.get_running_loop().create_future()
        self._jobs.put((job, future))
        return await future

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            job, future = item
            if future.cancelled():
                continue
            self.busy_since = time.monotonic()
            value, error = None, None
            try:
                value = job()
            except BaseException as raised:  # noqa: BLE001  # raised again in the thread that asked
                error = raised
            self.busy_since = None
            with suppress(RuntimeError):  # the app has ended: nobody waits any more
                future.get_loop().call_soon_threadsafe(_answer, future, value, error)
        if self._store is not None:
            if self.holder is not None:
                with suppress(MiaError):
                    self._store.release_leases(self.holder)
            self._store.close()

    def _load(self) -> StoreSnapshot:
        from mia_tui.dataset.labelled_images import META_SOURCE

        store = self._existing()
        generation, self._replaced = self._generation, None
        if store is None:
            return StoreSnapshot(generation=generation)
        # Read first: a change may then be returned twice, but is never missed.
        seen, version = store.last_change_with_time(), store.data_version()
        classes, source = tuple(store.classes(archived=True)), store.meta(META_SOURCE)
        snapshot = StoreSnapshot(
            classes, store.labels(), store.marks(), store.opinions(), store.decisions(), generation, source
        )
        self._seen, self._version, self._loaded = seen, version, True
        self.leases, self.has_company = store.leases(), store.has_company()
        return snapshot

    def _existing(self) -> LabelStore | None:
        """The store, if there is one; opened again if another file took its place."""
        store = self._store
        if store is not None and not (
            store.is_in_place() and (not self._loaded or store.has_change(self._seen))
        ):
            self._lose(store)
        if self._store is None:
            self._store = LabelStore.open_existing(self._find(), annotator=self.annotator)
        return self._store

    def _lose(self, store: LabelStore) -> None:
        """Close a store whose file was replaced or is gone."""
        self._replaced = _replaced_error(store.path) if store.path.exists() else _gone_error(store.path)
        self._store, self._loaded, self._seen, self._version = None, False, (0, 0.0), None
        self._generation += 1
        store.close()

    def _write(self, job: Callable[[LabelStore], Value], generation: int) -> WriteResult[Value]:
        store = self._existing()
        if generation != self._generation:
            raise _not_saved(self.make_at or self._find())
        if store is None:
            store = self._store = LabelStore(self.make_at or self._find(), annotator=self.annotator)
            self._loaded = True  # it is empty
        try:
            value = job(store)
        except StoreReplaced:  # between our check and that of SQLite
            self._lose(store)
            raise _not_saved(store.path) from None
        changes = self._changes(store)
        labelled = {
            change.image.path: None
            for change in changes
            if change.kind == "label" and change.after is not None and change.image is not None
        }
        return WriteResult(value, changes, find_overwritten(changes, self.annotator), labelled)

    def _read(self, job: Callable[[LabelStore], Value]) -> Value | None:
        store = self._existing()
        return None if store is None else job(store)

    def _news(self) -> list[Change] | None:
        store = self._existing()
        if self._replaced is not None:
            replaced, self._replaced = self._replaced, None
            raise replaced
        if self.loaded_generation != self._generation:
            return None
        if store is None:
            return []
        if not self._loaded:  # it has just appeared, or could not be read the last time
            return None
        version = store.data_version()
        if version == self._version:
            return []
        self._version = version
        self.leases = store.leases()
        return self._changes(store)

    def _changes(self, store: LabelStore) -> list[Change]:
        changes = store.changes_since(self._seen[0])
        if changes:
            self._seen = changes[-1].id, changes[-1].at
        return changes


def _answer(future: asyncio.Future[Any], value: object, error: BaseException | None) -> None:
    """Give an answer to whoever asked, unless they have stopped waiting."""
    if future.cancelled():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(value)


def find_overwritten(changes: Sequence[Change], annotator: str) -> list[Change]:
    """What the newest action of an annotator replaced of the labels of others that they cannot have seen.

    The newest label wins, and the person is told.

    Args:
        changes: Everything that is new in the history, the action included, oldest first.
        annotator: Whose action.
    """
    theirs = {
        change.target_id for change in changes if change.kind == "label" and change.annotator != annotator
    }
    if not theirs:
        return []
    batch = next((change.batch for change in reversed(changes) if change.annotator == annotator), None)
    return [
        change
        for change in changes
        if change.batch == batch
        and change.kind == "label"
        and change.target_id in theirs
        and _replaces(change)
    ]


def _replaces(change: Change) -> bool:
    before, after = change.before, change.after
    if before is None or before["annotator"] == change.annotator:
        return False
    return after is None or after["class_id"] != before["class_id"]


def _replaced_error(path: Path) -> StoreReplaced:
    return StoreReplaced(
        f"{printable(path)} was replaced by another file while the app was open.",
        "Its labels are shown from now on; undo covers only what was done in that file.",
    )


def _gone_error(path: Path) -> StoreReplaced:
    return StoreReplaced(
        f"{printable(path)} was deleted or moved away while the app was open.",
        "If that was a mistake, put it back; the next label creates a new one.",
    )


def _not_saved(path: Path) -> StoreReplaced:
    reason = _replaced_error(path) if path.exists() else _gone_error(path)
    return StoreReplaced(f"Your last key was not saved: {reason.message}", reason.hint)
