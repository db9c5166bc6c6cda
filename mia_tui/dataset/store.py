"""labels.db: what people decided, and nothing else.

SQLite, with a journal that also works across NFS, Lustre and GPFS (WAL does
not), synced at each commit: a label that was acknowledged survives a power
loss. `change` is append-only and says who did what and when; labels can be
rebuilt from it. One object belongs to one thread. Names of files are bytes
(`os.fsencode`), so any name goes in and comes out unharmed.
"""

import getpass
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from mia_tui.dataset import rows
from mia_tui.dataset.backups import copy_daily
from mia_tui.dataset.class_book import check_class, class_name, free_colour, free_key
from mia_tui.dataset.migrations import VERSION, migrate, schema_version
from mia_tui.dataset.model import ImageClass, ImageFile, ImageKey, Part
from mia_tui.dataset.reconcile import Reconciled, carry_out, make_plan, read_stored
from mia_tui.dataset.records import Change, ChangeKind, Label, Source
from mia_tui.dataset.store_errors import telling
from mia_tui.dataset.store_file import connect, make_file
from mia_tui.errors import StoreError
from mia_tui.paths import printable

__all__ = ["Change", "Label", "LabelStore", "Source", "login_name"]


class LabelStore:
    """Labels, classes and split of one dataset.

    Args:
        path: The labels.db; it and its folder are made if they are not there.
        annotator: Who decides; the login name if left out.

    Raises:
        StoreError: If the file cannot be opened, made or understood.
    """

    def __init__(self, path: Path, *, annotator: str | None = None) -> None:
        is_new = make_file(path)
        self._take(path, connect(path), annotator)
        if is_new:
            self._copied = _today()  # there is nothing to copy

    @classmethod
    def open_existing(cls, path: Path, *, annotator: str | None = None) -> Self | None:
        """The store if there is one; looking never makes a file, and a read-only one can be read.

        Raises:
            StoreError: If the file cannot be opened or understood.
        """
        try:
            if not path.is_file():
                return None
        except OSError as error:
            raise StoreError(f"{printable(path)} cannot be looked at: {error.strerror}.") from error
        connection = connect(path)
        with telling(path):
            if schema_version(connection) == 0:  # a first write that never came to its end
                connection.close()
                return None
        store = cls.__new__(cls)
        store._take(path, connection, annotator)
        return store

    def _take(self, path: Path, connection: sqlite3.Connection, annotator: str | None) -> None:
        self.path = path
        self.annotator = printable(annotator or login_name())
        self._db = connection
        self._copied = ""  # the day of the last copy
        self._depth = 0
        self._batch: int | None = None
        with telling(path):
            version = schema_version(connection)
            if version > VERSION:
                raise StoreError(
                    f"{printable(path)} was written by a later version of mia-tui.", "Update mia-tui."
                )
            if version < VERSION:
                migrate(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything within is written together or not at all, as one action of the history.

        Transactions may lie in each other; the outermost counts.

        Raises:
            StoreError: If the file cannot be written; it is as it was before.
        """
        if self._depth:
            yield
            return
        with telling(self.path):
            today = _today()
            if self._copied != today:
                copy_daily(self._db, self.path, today)
                self._copied = today
            self._db.execute("BEGIN IMMEDIATE")
            self._depth, self._batch = 1, None
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite may have done so itself
                    self._db.execute("ROLLBACK")
                raise
            finally:
                self._depth = 0

    def classes(self, *, archived: bool = False) -> list[ImageClass]:
        """The classes by position; without those put away, unless asked for."""
        with telling(self.path):
            found = self._db.execute(
                """SELECT id, name, colour, key, position, archived FROM class
                WHERE archived <= ? ORDER BY position, id""",
                (archived,),
            )
            return [rows.to_class(row) for row in found]

    def add_class(self, name: str, *, colour: str | None = None, key: str | None = None) -> ImageClass:
        """Add a class at the end.

        Args:
            name: Stored in the form of `class_book.class_name`.
            colour: #rrggbb; the next one of a palette for colour-blind eyes if left out.
            key: One character; the next free one of 1-9, 0, a-z if left out (None when all are taken).

        Raises:
            DataError: If name, colour or key are not what they should be, or taken.
        """
        name = class_name(name)
        with self.transaction():
            others = self.classes(archived=True)
            colour = free_colour(others) if colour is None else colour.lower()
            key = free_key(others) if key is None else key
            check_class(name, colour, key, others)
            position = max((other.position for other in others), default=-1) + 1
            cursor = self._db.execute(
                "INSERT INTO class (name, colour, key, position) VALUES (?, ?, ?, ?)",
                (name, colour, key, position),
            )
            added = ImageClass(int(cursor.lastrowid or 0), name, colour, key, position)
            self._note_change("class", added.id, None, added)
            return added

    def labels(self) -> dict[ImageKey, Label]:
        """All labels, those of missing images included."""
        with telling(self.path):
            found = self._db.execute(
                """SELECT path, frame, class_id, annotator, source, updated_at
                FROM label JOIN image ON image.id = label.image_id"""
            )
            return {ImageKey(os.fsdecode(row[0]), row[1]): Label(*row[2:]) for row in found}

    def set_labels(self, items: Iterable[tuple[ImageKey, int | None]], *, source: Source) -> int:
        """Label images, or take labels away: all of them together, or none.

        An image that has this label from this source already stays as it is.

        Args:
            items: Image and id of its class; None takes the label away.
            source: Where the labels come from.

        Returns:
            How many images changed.

        Raises:
            StoreError: If the file cannot be written; nothing changed.
        """
        now = time.time()
        with self.transaction():
            return sum(self._set_label(key, class_id, source, now) for key, class_id in items)

    def parts(self) -> dict[ImageKey, Part]:
        """The split: which part each image belongs to."""
        with telling(self.path):
            found = self._db.execute(
                "SELECT path, frame, part FROM split JOIN image ON image.id = split.image_id"
            )
            return {ImageKey(os.fsdecode(path), frame): part for path, frame, part in found}

    def set_parts(self, parts: Mapping[ImageKey, Part], *, replace: bool = False) -> None:
        """Put images into parts; others keep theirs, or lose them with `replace`."""
        with self.transaction():
            if replace:
                self._db.execute("DELETE FROM split")
            self._db.executemany(
                "INSERT INTO split VALUES (?, ?) ON CONFLICT DO UPDATE SET part = excluded.part",
                ((rows.image_id(self._db, key), part) for key, part in parts.items()),
            )

    def meta(self, key: str) -> str | None:
        """A setting that belongs to the labels."""
        with telling(self.path):
            row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
            return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str | None) -> None:
        """Keep a setting; None forgets it."""
        with self.transaction():
            if value is None:
                self._db.execute("DELETE FROM meta WHERE key = ?", (key,))
            else:
                self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def history(self) -> Iterator[Change]:
        """Every change, oldest first."""
        with telling(self.path):
            found = self._db.execute(
                """SELECT change.id, batch, at, annotator, kind, target_id, path, frame, before, after, undoes
                FROM change LEFT JOIN image ON kind != 'class' AND image.id = target_id ORDER BY change.id"""
            )
            yield from map(rows.to_change, found)

    def missing(self) -> set[ImageKey]:
        """Images with a label that were not there at the last `reconcile`."""
        with telling(self.path):
            found = self._db.execute(
                "SELECT path, frame FROM image JOIN label ON label.image_id = image.id WHERE missing"
            )
            return {ImageKey(os.fsdecode(path), frame) for path, frame in found}

    def flagged(self) -> set[ImageKey]:
        """Images whose content changed under their label; labelling them again takes the flag away."""
        with telling(self.path):
            found = self._db.execute("SELECT path, frame FROM image WHERE flagged")
            return {ImageKey(os.fsdecode(path), frame) for path, frame in found}

    def reconcile(self, files: Sequence[ImageFile], root: Path) -> Reconciled:
        """Follow what happened to the files since labels were made; nothing is written if nothing happened.

        Missing files are marked, moved ones (a new file of equal content) keep their labels, and images
        whose content changed under a label are flagged. Reads each labelled file once, for its hash.

        Args:
            files: All files of the dataset, with sizes and times, as `scan` gives them.
            root: The dataset's folder.

        Raises:
            StoreError: If there is something to write and that cannot be.
        """
        with telling(self.path):
            stored = read_stored(self._db)
        plan = make_plan(stored, files, root)
        newly_absent = [path for path in plan.absent if not stored[path].missing]
        if newly_absent or plan.facts or plan.relinked:
            with self.transaction():
                carry_out(self._db, plan, newly_absent, self._note_change)
        missing = tuple(path for path in plan.absent if stored[path].labelled)
        return Reconciled(missing, tuple(plan.relinked), tuple(plan.changed), tuple(plan.returned))

    def _set_label(self, key: ImageKey, class_id: int | None, source: Source, now: float) -> bool:
        image_id = rows.image_id(self._db, key, make=class_id is not None)
        if image_id is None:
            return False
        before = rows.label_of(self._db, image_id)
        flagged = rows.is_flagged(self._db, image_id)
        if class_id is None:
            after = None
            self._db.execute("DELETE FROM label WHERE image_id = ?", (image_id,))
        else:
            if before and (before.class_id, before.source) == (class_id, source) and not flagged:
                return False
            after = Label(class_id, self.annotator, source, now)
            self._db.execute(
                "INSERT OR REPLACE INTO label VALUES (?, ?, ?, ?, ?)",
                (image_id, class_id, now, self.annotator, source),
            )
        if flagged:
            self._db.execute("UPDATE image SET flagged = 0 WHERE id = ?", (image_id,))
            self._note_change("flag", image_id, True, False)
        if before is None and after is None:
            return False
        self._note_change("label", image_id, before, after)
        return True

    def _note_change(self, kind: ChangeKind, target_id: int, before: object, after: object) -> None:
        cursor = self._db.execute(
            """INSERT INTO change (batch, at, annotator, kind, target_id, before, after)
            VALUES (COALESCE(?, (SELECT COALESCE(MAX(id), 0) + 1 FROM change)), ?, ?, ?, ?, ?, ?)""",
            (
                self._batch,
                time.time(),
                self.annotator,
                kind,
                target_id,
                rows.to_json(before),
                rows.to_json(after),
            ),
        )
        if self._batch is None:
            self._batch = cursor.lastrowid


def login_name() -> str:
    """Who is at work; the number of the user where the system has no name for it (containers)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def _today() -> str:
    return time.strftime("%Y-%m-%d")
