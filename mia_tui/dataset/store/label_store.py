"""labels.db: what people decided, and nothing else.

SQLite, with a journal that also works across NFS, Lustre and GPFS (WAL does
not), synced at each commit: a label that was acknowledged survives a power
loss. `change` is append-only and says who did what and when; labels and classes
can be rebuilt from it. One object belongs to one thread. Names of files are
bytes (`os.fsencode`), so any name goes in and comes out unharmed.

This is the face: what can be asked stands in reading, what a write does in
labelling, class_edits, marks, undo and reconcile.
"""

import getpass
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from mia_tui.dataset.model import ImageClass, ImageFile, ImageKey, Part
from mia_tui.dataset.store import class_edits, labelling, rows, undo
from mia_tui.dataset.store import history as history_table
from mia_tui.dataset.store import marks as image_marks
from mia_tui.dataset.store import reconcile as files_seen
from mia_tui.dataset.store.connection import StoreFile, make_file
from mia_tui.dataset.store.migrations import schema_version
from mia_tui.dataset.store.reading import META_ROOT, StoreReading
from mia_tui.dataset.store.reconcile import Hashing, Plan, Reconciled
from mia_tui.dataset.store.records import Change, Label, Mark, Source, Step
from mia_tui.dataset.store.sqlite_errors import telling
from mia_tui.dataset.store.transactions import StoreWrites
from mia_tui.text import encode_name, printable

__all__ = ["Change", "Label", "LabelStore", "Mark", "Source", "Step", "login_name"]


class LabelStore(StoreReading):
    """Labels, classes and split of one dataset.

    Args:
        path: The labels.db; it and its folder are made if they are not there.
        annotator: Who decides; the login name if left out.

    Raises:
        StoreError: If the file cannot be opened, made or understood.
    """

    def __init__(self, path: Path, *, annotator: str | None = None) -> None:
        make_file(path)
        file = StoreFile(path)
        self._take(file, file.connect(file.look()), annotator)
        self._writes.migrate()

    @classmethod
    def open_existing(cls, path: Path, *, annotator: str | None = None) -> Self | None:
        """The store if there is one; looking never makes a file, and a read-only one can be read.

        Raises:
            StoreError: If the file cannot be opened or understood.
        """
        file = StoreFile(path)
        seen = file.look()  # before: a file that takes its place meanwhile is noticed at the next look
        if seen is None:
            file.close()
            return None
        connection = file.connect(seen)
        with telling(path):
            if schema_version(connection) == 0:  # a first write that never came to its end
                connection.close()
                file.close()
                return None
        store = cls.__new__(cls)
        store._take(file, connection, annotator)
        return store

    def _take(self, file: StoreFile, connection: sqlite3.Connection, annotator: str | None) -> None:
        super().__init__(file.path, connection)
        self.annotator = printable(annotator or login_name())
        self._file = file
        self._writes = StoreWrites(file, connection, self.annotator)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()
        self._file.close()

    def is_in_place(self) -> bool:
        """Whether what is open is still the file of this name: it may have been replaced, moved or deleted."""
        return self._file.is_in_place()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything within is written together or not at all, as one action of the history.

        Transactions may lie in each other; the outermost counts.

        Raises:
            StoreError: If the file cannot be written; it is as it was before.
        """
        with self._writes.transaction():
            yield

    def add_class(self, name: str, *, colour: str | None = None, key: str | None = None) -> ImageClass:
        """Add a class at the end. An archived one of this name is used again if it has no labels.

        Args:
            name: Stored in the form of `class_book.class_name`.
            colour: #rrggbb; the next one of a palette for colour-blind eyes if left out.
            key: One character; the next free one of 1-9, 0, a-z if left out (None when all are taken).

        Raises:
            DataError: If name, colour or key are not what they should be, or taken.
        """
        with self._writes.transaction() as notes:
            return class_edits.add_class(self._db, notes, name, colour, key)

    def add_classes(self, names: Iterable[str]) -> list[ImageClass]:
        """Add classes at the end as `add_class` does, thousands in a moment; each name once."""
        with self._writes.transaction() as notes:
            return class_edits.add_classes(self._db, notes, names)

    def rename_class(self, class_id: int, name: str) -> ImageClass:
        """Give a class, archived or not, another name; DataError if it is taken."""
        with self._writes.transaction() as notes:
            return class_edits.rename_class(self._db, notes, class_id, name)

    def recolour_class(self, class_id: int, colour: str) -> ImageClass:
        """Give a class another colour, #rrggbb."""
        with self._writes.transaction() as notes:
            return class_edits.recolour_class(self._db, notes, class_id, colour)

    def set_class_key(self, class_id: int, key: str | None) -> ImageClass:
        """Give a class another key, or none; DataError if it is taken."""
        with self._writes.transaction() as notes:
            return class_edits.set_class_key(self._db, notes, class_id, key)

    def move_class(self, class_id: int, position: int) -> ImageClass:
        """Put a class at a place among the others, from 0; beyond the last is last."""
        with self._writes.transaction() as notes:
            return class_edits.move_class(self._db, notes, class_id, position)

    def archive_class(self, class_id: int) -> ImageClass:
        """Put a class away: its labels stay with it and count nowhere, its key is free."""
        with self._writes.transaction() as notes:
            return class_edits.archive_class(self._db, notes, class_id)

    def restore_class(self, class_id: int) -> ImageClass:
        """Bring an archived class back with its labels, and with its key unless that is taken."""
        with self._writes.transaction() as notes:
            return class_edits.restore_class(self._db, notes, class_id)

    def merge_class(self, class_id: int, into: int) -> int:
        """Move the labels of a class, archived or not, to another and archive it; returns how many moved."""
        with self._writes.transaction() as notes:
            return class_edits.merge_class(self._db, notes, class_id, into)

    def set_labels(self, items: Iterable[tuple[ImageKey, int | None]], *, source: Source) -> int:
        """Label images, or take labels away: all of them together, or none.

        An image that has this label from this source already stays as it is.

        Args:
            items: Image and id of its class; None takes the label away.
            source: Where the labels come from.

        Returns:
            How many images changed.

        Raises:
            DataError: If a class is not there, or archived; nothing changed.
            StoreError: If the file cannot be written; nothing changed.
        """
        with self._writes.transaction() as notes:
            return labelling.set_labels(self._db, notes, items, source)

    def set_flagged(self, keys: Iterable[ImageKey], flagged: bool) -> int:
        """Flag images, or take flags away, those of changed content too; returns how many changed."""
        with self._writes.transaction() as notes:
            return image_marks.set_flagged(self._db, notes, keys, flagged)

    def set_skipped(self, keys: Iterable[ImageKey], skipped: bool) -> int:
        """Mark images as passed over on purpose, or not; returns how many changed."""
        with self._writes.transaction() as notes:
            return image_marks.set_skipped(self._db, notes, keys, skipped)

    def set_note(self, key: ImageKey, note: str | None) -> int:
        """Put a note of one line on an image; None or an empty one takes it away. Returns how many changed."""
        return self.set_notes([key], note)

    def set_notes(self, keys: Iterable[ImageKey], note: str | None) -> int:
        """Put the same note on images; as `set_note`."""
        with self._writes.transaction() as notes:
            return image_marks.set_notes(self._db, notes, keys, note)

    def undo(self, batch: int | None = None) -> Step | None:
        """Take back this annotator's newest action that still stands, imports included.

        What `follow` wrote is no action of theirs, and is taken back only if it is named.

        Args:
            batch: `Reconciled.batch`: take back what that `follow` wrote, instead.

        Returns:
            What was done; None if there is nothing to undo.

        Raises:
            StoreConflict: If somebody else changed the same things since; nothing changed.
            StoreError: If the file cannot be written; nothing changed.
        """
        with self._step("undo") as notes:
            return undo.turn(self._db, notes, batch)

    def undo_links(self) -> Step | None:
        """Take back the newest linking of moved files by `follow` that stands; as `undo`."""
        with self._step("undo") as notes:
            batch = history_table.newest_links(self._db)
            return None if batch is None else undo.turn(self._db, notes, batch)

    def redo(self) -> Step | None:
        """Bring back what this annotator undid last, unless they did something else since; as `undo`."""
        with self._step("redo") as notes:
            return undo.turn(self._db, notes, None)

    def set_parts(self, parts: Mapping[ImageKey, Part], *, replace: bool = False) -> None:
        """Put images into parts; others keep theirs, or lose them with `replace`."""
        with self.transaction():
            if replace:
                self._db.execute("DELETE FROM split")
            self._db.executemany(
                "INSERT INTO split VALUES (?, ?) ON CONFLICT DO UPDATE SET part = excluded.part",
                ((rows.image_id(self._db, key), part) for key, part in parts.items()),
            )

    def set_meta(self, key: str, value: str | None) -> None:
        """Keep a setting; None forgets it."""
        with self.transaction():
            if value is None:
                self._db.execute("DELETE FROM meta WHERE key = ?", (key,))
            else:
                self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def note_root(self, root: Path) -> None:
        """Keep where the dataset is; nothing is written if that is known."""
        text = encode_name(str(root.resolve()))
        if self.meta(META_ROOT) != text:
            self.set_meta(META_ROOT, text)

    def follow(self, plan: Plan) -> Reconciled:
        """Write a plan of `make_plan`; nothing is written if nothing happened.

        Missing files are marked, moved ones (a new file of equal content) keep their labels, and images
        whose content changed under a label are flagged.

        Raises:
            StoreError: If there is something to write and that cannot be.
        """
        if not files_seen.has_work(plan):
            return files_seen.report(plan)
        with self._writes.transaction("auto") as notes:
            return files_seen.carry_out(self._db, plan, notes)

    def reconcile(self, files: Sequence[ImageFile], root: Path, *, hashing: Hashing = "all") -> Reconciled:
        """`follow` what happened to the files.

        Args:
            files: All files of the dataset, with sizes and times, as `scan` gives them.
            root: The dataset's folder.
            hashing: As for `make_plan`; by default each labelled file is read once.

        Raises:
            StoreError: If there is something to write and that cannot be.
        """
        return self.follow(files_seen.make_plan(self.stored_files(), files, root, hashing=hashing))

    def note_facts(self, facts: Iterable[tuple[ImageFile, str]]) -> int:
        """Keep size, time and hash of files with a label, so that they are known again after a move.

        No action of anybody, and not in the history. A file known by another hash is left to `follow`.

        Returns:
            How many images got them.
        """
        with self.transaction():
            return files_seen.note_facts(self._db, facts)

    @contextmanager
    def _step(self, step: Literal["undo", "redo"]) -> Iterator[history_table.ChangeRecorder]:
        if self._writes.notes is not None:
            raise RuntimeError(f"{step} is an action of its own, not part of a transaction")
        with self._writes.transaction(step) as notes:
            yield notes


def login_name() -> str:
    """Who is at work; the number of the user where the system has no name for it (containers)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
