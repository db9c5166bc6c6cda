"""The one thread that reads and writes labels.db for the app.

Everything is done in the order it was asked for. A label counts as set when
its commit has come back: only then the screen moves. labels.db appears with
the first thing written, never by looking.

Where another file takes the place of labels.db (a backup brought back, a
folder synced or deleted), numbers of classes may mean others in it. So nothing
is written into it before it was read.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar, cast

from mia_tui.dataset.model import ImageClass, ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.dataset.store.records import Change, Label, Mark
from mia_tui.errors import StoreReplaced
from mia_tui.text import printable
from mia_tui.tui.labelling.overwritten import find_overwritten

Value = TypeVar("Value")


@dataclass(frozen=True)
class StoreSnapshot:
    """What labels.db says; empty where there is none.

    Attributes:
        classes: Those put away included.
        generation: Which file it was read from; counts on where another one takes its place.
    """

    classes: tuple[ImageClass, ...] = ()
    labels: dict[ImageKey, Label] = field(default_factory=dict)
    marks: dict[ImageKey, Mark] = field(default_factory=dict)
    generation: int = 0
    source: str | None = None


@dataclass(frozen=True)
class Written(Generic[Value]):
    """What a write returned, and everything that is new in the history since, others' changes too.

    Attributes:
        overwritten: Those of its changes that replaced labels of others which are new, too.
        labelled: Paths of the images that got a label.
    """

    value: Value
    changes: list[Change]
    overwritten: list[Change]
    labelled: dict[str, None]


class StoreThread:
    """Reads and writes labels.db in a thread of its own.

    Args:
        find: Where the labels.db is, or will be; asked until there is one, for somebody else may make it.
        annotator: Who labels; the login name if left out.

    Attributes:
        make_at: Where to make a labels.db if there is none; None is where `find` says.
        annotator: The name that labels get.
        busy_since: When the job at work was begun (`time.monotonic`), None while there is none.
    """

    def __init__(self, find: Callable[[], Path], annotator: str) -> None:
        self.make_at: Path | None = None
        self._find = find
        self.annotator = annotator
        self.busy_since: float | None = None
        self._store: LabelStore | None = None
        self._loaded = False
        self._seen = (0, 0.0)  # id and time of the last change that was given out
        self._version: int | None = None
        self._generation = self._taken = 0  # the file that is there; the one that was loaded last
        self._happened: StoreReplaced | None = None  # to the file before, and not told yet
        self._jobs: queue.Queue[tuple[Callable[[], object], Future[object]] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._work, name="labels", daemon=True)
        self._thread.start()

    async def load(self) -> StoreSnapshot:
        """Everything labels.db says.

        Raises:
            StoreError: If it is there and cannot be read.
        """
        snapshot = await self._ask(self._load)
        self._taken = snapshot.generation
        return snapshot

    async def write(self, job: Callable[[LabelStore], Value], *, taken: int | None = None) -> Written[Value]:
        """Do something with the store, which is made if it is not there.

        Args:
            job: Runs in the keeper's thread.
            taken: The file that it is meant for, as `taken` said when it was thought of; the one loaded last.

        Raises:
            StoreReplaced: If another file is there by now: load it, then ask again.
            StoreError: If it cannot be written; nothing changed.
        """
        meant = self._taken if taken is None else taken
        return await self._ask(lambda: self._write(job, meant))

    async def read(self, job: Callable[[LabelStore], Value]) -> Value | None:
        """Ask the store something; None where there is none yet.

        Raises:
            StoreError: If it cannot be read.
        """
        return await self._ask(lambda: self._read(job))

    async def news(self) -> list[Change] | None:
        """What others wrote since the last time; None where labels.db has just appeared (load it then).

        Raises:
            StoreReplaced: Once, if another file is there now, or none; at the next look it is to be loaded.
            StoreError: If it cannot be read.
        """
        return await self._ask(self._news)

    @property
    def taken(self) -> int:
        """Which file was loaded last: another number for each that took the place of labels.db."""
        return self._taken

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
        future: Future[Value] = Future()
        self._jobs.put((job, cast("Future[object]", future)))
        return await asyncio.wrap_future(future)

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            job, future = item
            if not future.set_running_or_notify_cancel():
                continue
            self.busy_since = time.monotonic()
            try:
                value = job()
            except BaseException as error:  # noqa: BLE001  # raised again where it was asked
                self.busy_since = None
                future.set_exception(error)
            else:
                self.busy_since = None
                future.set_result(value)
        if self._store is not None:
            self._store.close()

    def _load(self) -> StoreSnapshot:
        from mia_tui.dataset.labelled import META_SOURCE

        store = self._existing()
        generation, self._happened = self._generation, None
        if store is None:
            return StoreSnapshot(generation=generation)
        seen, version = store.last_change_with_time(), store.data_version()  # first: rather twice than never
        classes, source = tuple(store.classes(archived=True)), store.meta(META_SOURCE)
        snapshot = StoreSnapshot(classes, store.labels(), store.marks(), generation, source)
        self._seen, self._version, self._loaded = seen, version, True
        return snapshot

    def _existing(self) -> LabelStore | None:
        """The store, if there is one; opened anew where another file is there than before."""
        if self._store is not None and not self._is_same(self._store):
            self._lose(self._store)
        if self._store is None:
            self._store = LabelStore.open_existing(self._find(), annotator=self.annotator)
        return self._store

    def _is_same(self, store: LabelStore) -> bool:
        return store.is_in_place() and (not self._loaded or store.has_change(self._seen))

    def _lose(self, store: LabelStore) -> None:
        """What is open is not what is there any more."""
        self._happened = _replaced(store.path) if store.path.exists() else _gone(store.path)
        self._store, self._loaded, self._seen, self._version = None, False, (0, 0.0), None
        self._generation += 1
        store.close()

    def _write(self, job: Callable[[LabelStore], Value], taken: int) -> Written[Value]:
        store = self._existing()
        if taken != self._generation:
            raise _not_saved(self.make_at or self._find())
        if store is None:
            store = self._store = LabelStore(self.make_at or self._find(), annotator=self.annotator)
            self._loaded = True  # it is empty
        try:
            value = job(store)
        except StoreReplaced:  # between our look and that of SQLite
            self._lose(store)
            raise _not_saved(store.path) from None
        changes = self._changes(store)
        return Written(value, changes, find_overwritten(changes, self.annotator), _labelled(changes))

    def _read(self, job: Callable[[LabelStore], Value]) -> Value | None:
        store = self._existing()
        return None if store is None else job(store)

    def _news(self) -> list[Change] | None:
        store = self._existing()
        if self._happened is not None:
            happened, self._happened = self._happened, None
            raise happened
        if self._taken != self._generation:
            return None
        if store is None:
            return []
        if not self._loaded:  # it has just appeared, or could not be read the last time
            return None
        version = store.data_version()
        if version == self._version:
            return []
        self._version = version
        return self._changes(store)

    def _changes(self, store: LabelStore) -> list[Change]:
        changes = store.changes_since(self._seen[0])
        if changes:
            self._seen = changes[-1].id, changes[-1].at
        return changes


def _labelled(changes: list[Change]) -> dict[str, None]:
    return {
        change.image.path: None
        for change in changes
        if change.kind == "label" and change.after is not None and change.image is not None
    }


def _replaced(path: Path) -> StoreReplaced:
    return StoreReplaced(
        f"{printable(path)} was replaced by another file while the app was open.",
        "The labels that are in it are shown from now on; undo knows only what was done in it.",
    )


def _gone(path: Path) -> StoreReplaced:
    return StoreReplaced(
        f"{printable(path)} was deleted or moved away while the app was open.",
        "If that was a mistake, put it back; the next label makes a new one.",
    )


def _not_saved(path: Path) -> StoreReplaced:
    happened = _replaced(path) if path.exists() else _gone(path)
    return StoreReplaced(f"Your last key was not saved: {happened.message}", happened.hint)
