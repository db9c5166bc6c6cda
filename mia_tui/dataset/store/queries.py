"""Reading an open labels.db; nothing here writes."""

import os
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mia_tui.dataset.model import ImageClass, ImageKey, Part, StackMode
from mia_tui.dataset.store import file_changes, frame_numbers, history, rows
from mia_tui.dataset.store.errors import as_store_errors
from mia_tui.dataset.store.file_changes import StoredFile
from mia_tui.dataset.store.frame_numbers import OldPages
from mia_tui.dataset.store.migrations import NUMBERED_FROM, schema_version
from mia_tui.dataset.store.records import Change, Label, Mark
from mia_tui.decoding import BadRecord, Count, Time, check
from mia_tui.text import decode_name

_AT_ONCE = 4096  # rows: a few milliseconds, since a key press may wait for it
META_ROOT = "root"
"""Key in the meta table: the dataset's folder, absolute, as `encode_name` writes it."""

META_STACKS = "stacks"
"""Key in the meta table: "frames" or "whole", how stacks are labelled; absent is by frames."""

_BEFORE_FIRST = ImageKey("", -1)


class StoreQueries:
    """The queries of a `LabelStore`.

    Args:
        path: The labels.db, for messages.
        connection: To that file; what others committed is seen at once.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._db = connection

    def classes(self, *, archived: bool = False) -> list[ImageClass]:
        """The classes by position; the archived ones only if asked for."""
        with as_store_errors(self.path):
            return rows.read_classes(self._db, archived=archived)

    def labels(self) -> dict[ImageKey, Label]:
        """All labels, those of missing images included."""
        with as_store_errors(self.path):
            found = rows.checked(
                self._db.execute(
                    f"SELECT path, frame, {rows.LABEL_COLUMNS} FROM label JOIN image ON image.id = image_id"
                ),
                tuple[bytes, rows.StoredFrame, *rows.LabelFields.__args__],  # type: ignore[name-defined]
            )
            key = self._key_maker()
            labels = {key(os.fsdecode(row[0]), row[1]): Label(*row[2:]) for row in found}
            unknown = {label.class_id for label in labels.values()} - self._class_ids()
            if unknown:
                raise BadRecord(f"it has labels of class {min(unknown)}, but there is no such class")
            return labels

    def label_counts(self) -> dict[int, int]:
        """How many labels each class has, archived classes and missing images included."""
        with as_store_errors(self.path):
            return dict(self._db.execute("SELECT class_id, COUNT(*) FROM label GROUP BY class_id"))

    def marks(self) -> dict[ImageKey, Mark]:
        """Flags, skips and notes of the images that have any."""
        with as_store_errors(self.path):
            found = self._db.execute(
                """SELECT path, frame, flagged, skipped, note FROM image
                WHERE flagged OR skipped OR note IS NOT NULL"""
            )
            key = self._key_maker()
            return {
                key(os.fsdecode(path), frame): rows.to_mark(*mark)
                for path, frame, *mark in rows.checked(found, rows.MarkFields)
            }

    def parts(self) -> dict[ImageKey, Part]:
        """The split: which part each image belongs to."""
        with as_store_errors(self.path):
            found = rows.checked(
                self._db.execute(
                    "SELECT path, frame, part FROM split JOIN image ON image.id = split.image_id"
                ),
                tuple[bytes, rows.StoredFrame, Part],
            )
            key = self._key_maker()
            return {key(os.fsdecode(path), frame): part for path, frame, part in found}

    def meta(self, key: str) -> str | None:
        """A setting that belongs to the labels."""
        with as_store_errors(self.path):
            row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
            return None if row is None else str(row[0])

    def stack_mode(self) -> StackMode:
        """Whether a stack is labelled as a whole; by frames unless somebody chose."""
        return "whole" if self.meta(META_STACKS) == "whole" else "frames"

    def root(self) -> Path | None:
        """The folder of the dataset, as last saved."""
        text = self.meta(META_ROOT)
        return None if text is None else Path(decode_name(text))

    def moves_since(self, at: float) -> dict[str, str]:
        """Files that were moved with their labels since a time (Unix seconds), path then to path now."""
        with as_store_errors(self.path):
            return history.moves_since(self._db, at)

    def last_change(self) -> int:
        """Id of the newest change; 0 if there is none."""
        with as_store_errors(self.path):
            return history.last_change(self._db)

    def last_change_with_time(self) -> tuple[int, float]:
        """Id and time of the newest change, for `has_change`; 0 and 0 if there is none."""
        with as_store_errors(self.path):
            row = self._db.execute("SELECT id, at FROM change ORDER BY id DESC LIMIT 1").fetchone()
            return (0, 0.0) if row is None else check(row, tuple[Count, Time])

    def has_change(self, id_and_time: tuple[int, float]) -> bool:
        """Whether a change is still in the history: it is not if an older copy was written over the file."""
        with as_store_errors(self.path):
            row = self._db.execute("SELECT at FROM change WHERE id = ?", (id_and_time[0],)).fetchone()
            return id_and_time[0] == 0 or (row is not None and row[0] == id_and_time[1])

    def changes_since(self, change_id: int) -> list[Change]:
        """Changes newer than one, by anybody, oldest first."""
        with as_store_errors(self.path):
            changes = list(history.changes_after(self._db, change_id))
            key = self._key_maker()
            if key is ImageKey:
                return changes
            return [
                change
                if change.image is None
                else replace(change, image=key(change.image.path, change.image.frame))
                for change in changes
            ]

    def data_version(self) -> int:
        """A number that differs from before if somebody else wrote; faster than `changes_since`."""
        with as_store_errors(self.path):
            return int(self._db.execute("PRAGMA data_version").fetchone()[0])

    def flagged(self) -> set[ImageKey]:
        """Images whose content changed under their label; labelling them again removes the flag."""
        with as_store_errors(self.path):
            found = rows.checked(
                self._db.execute(f"SELECT path, frame FROM image WHERE flagged & {rows.CONTENT_CHANGED}"),
                tuple[bytes, rows.StoredFrame],
            )
            key = self._key_maker()
            return {key(os.fsdecode(path), frame) for path, frame in found}

    def stored_files(self) -> dict[str, StoredFile]:
        """The files that the store knows, by path: what `find_file_changes` compares with."""
        with as_store_errors(self.path):
            return file_changes.read_stored(self._db)

    def files_without_hash(self, after: ImageKey | None = None) -> tuple[list[str], ImageKey | None]:
        """Labelled files that would not be recognised after a move: the next ones, some thousands at a time.

        Args:
            after: The second value of the previous call; None at first.

        Returns:
            Paths, and the last image that was checked; None at the end.
        """
        after = after or _BEFORE_FIRST
        with as_store_errors(self.path):
            found = self._db.execute(
                """SELECT path, frame, hash IS NULL AND NOT missing
                AND EXISTS (SELECT 1 FROM label WHERE image_id = image.id)
                FROM image WHERE (path, frame) > (?, ?) ORDER BY path, frame LIMIT ?""",
                (os.fsencode(after.path), after.frame, _AT_ONCE),
            ).fetchall()
        if not found:
            return [], None
        paths = dict.fromkeys(os.fsdecode(path) for path, _, wanted in found if wanted)
        last, frame, _ = found[-1]
        return list(paths), ImageKey(os.fsdecode(last), frame)

    def old_pages(self) -> OldPages:
        """Images whose frame now is not known, see `frame_numbers`."""
        with as_store_errors(self.path):
            return frame_numbers.read_old_pages(self._db)

    def _key_maker(self) -> Callable[[str, int], ImageKey]:
        """Makes keys of stored frames; a file of an earlier version does not say which numbering they have."""
        return ImageKey if schema_version(self._db) >= NUMBERED_FROM else frame_numbers.old_key

    def _class_ids(self) -> set[int]:
        return {id for (id,) in self._db.execute("SELECT id FROM class")}
