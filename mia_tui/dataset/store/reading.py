"""What can be asked of an open labels.db; nothing here writes."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from mia_tui.dataset.model import ImageClass, ImageKey, Part
from mia_tui.dataset.store import class_edits, rows
from mia_tui.dataset.store import history as history_table
from mia_tui.dataset.store import marks as image_marks
from mia_tui.dataset.store import reconcile as files_seen
from mia_tui.dataset.store.reconcile import Stored
from mia_tui.dataset.store.records import Change, Label, Mark
from mia_tui.dataset.store.sqlite_errors import telling
from mia_tui.records import BadRecord, Count, Frame, Time, check
from mia_tui.text import decode_name

_AT_ONCE = 4096  # rows: a few milliseconds, a key may wait for it
META_ROOT = "root"
"""Key in the meta table: the dataset's folder, absolute, as `encode_name` writes it."""

_BEFORE_ALL = ImageKey("", -1)


class StoreReading:
    """The questions that a `LabelStore` answers.

    Args:
        path: The labels.db, for sentences.
        connection: Of it; what others committed is seen at once.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._db = connection

    def classes(self, *, archived: bool = False) -> list[ImageClass]:
        """The classes by position; without those put away, unless asked for."""
        with telling(self.path):
            return class_edits.read_classes(self._db, archived=archived)

    def labels(self) -> dict[ImageKey, Label]:
        """All labels, those of missing images included."""
        with telling(self.path):
            found = rows.checked(
                self._db.execute(
                    f"SELECT path, frame, {rows.LABEL_COLUMNS} FROM label JOIN image ON image.id = image_id"
                ),
                tuple[bytes, Frame, *rows.LabelFields.__args__],  # type: ignore[name-defined]
            )
            labels = {ImageKey(os.fsdecode(row[0]), row[1]): Label(*row[2:]) for row in found}
            unknown = {label.class_id for label in labels.values()} - self._class_ids()
            if unknown:
                raise BadRecord(f"it has labels of class {min(unknown)}, and no such class")
            return labels

    def label_counts(self) -> dict[int, int]:
        """How many labels each class has, archived classes and missing images included."""
        with telling(self.path):
            return dict(self._db.execute("SELECT class_id, COUNT(*) FROM label GROUP BY class_id"))

    def marks(self) -> dict[ImageKey, Mark]:
        """Flags, skips and notes of the images that have any."""
        with telling(self.path):
            return image_marks.read_marks(self._db)

    def parts(self) -> dict[ImageKey, Part]:
        """The split: which part each image belongs to."""
        with telling(self.path):
            found = rows.checked(
                self._db.execute(
                    "SELECT path, frame, part FROM split JOIN image ON image.id = split.image_id"
                ),
                tuple[bytes, Frame, Part],
            )
            return {ImageKey(os.fsdecode(path), frame): part for path, frame, part in found}

    def meta(self, key: str) -> str | None:
        """A setting that belongs to the labels."""
        with telling(self.path):
            row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
            return None if row is None else str(row[0])

    def root(self) -> Path | None:
        """The folder of the dataset at the last write that knew it."""
        text = self.meta(META_ROOT)
        return None if text is None else Path(decode_name(text))

    def moves_since(self, at: float) -> dict[str, str]:
        """Files that labels followed since a time (Unix seconds), path then to path now."""
        with telling(self.path):
            return history_table.moves_since(self._db, at)

    def history(self) -> Iterator[Change]:
        """Every change, oldest first."""
        with telling(self.path):
            yield from history_table.changes_after(self._db, 0)

    def last_change(self) -> int:
        """Id of the newest change; 0 if there is none."""
        with telling(self.path):
            return history_table.last_change(self._db)

    def last_mark(self) -> tuple[int, float]:
        """Id and time of the newest change, for `holds`; of none, 0 and 0."""
        with telling(self.path):
            row = self._db.execute("SELECT id, at FROM change ORDER BY id DESC LIMIT 1").fetchone()
            return (0, 0.0) if row is None else check(row, tuple[Count, Time])

    def holds(self, mark: tuple[int, float]) -> bool:
        """Whether a change is still in the history: not so where an older copy was written over the file."""
        with telling(self.path):
            row = self._db.execute("SELECT at FROM change WHERE id = ?", (mark[0],)).fetchone()
            return mark[0] == 0 or (row is not None and row[0] == mark[1])

    def changes_since(self, change_id: int) -> list[Change]:
        """Changes newer than one, by anybody, oldest first."""
        with telling(self.path):
            return list(history_table.changes_after(self._db, change_id))

    def data_version(self) -> int:
        """Another number than before means that somebody else wrote; quicker than `changes_since`."""
        with telling(self.path):
            return int(self._db.execute("PRAGMA data_version").fetchone()[0])

    def missing(self) -> set[ImageKey]:
        """Images with a label that were not there at the last `reconcile`."""
        return self._keys("SELECT path, frame FROM image JOIN label ON image_id = image.id WHERE missing")

    def flagged(self) -> set[ImageKey]:
        """Images whose content changed under their label; labelling them again takes the flag away."""
        return self._keys(f"SELECT path, frame FROM image WHERE flagged & {rows.CONTENT_CHANGED}")

    def stored_files(self) -> dict[str, Stored]:
        """The files that something is known of, by path: what `make_plan` compares with."""
        with telling(self.path):
            return files_seen.read_stored(self._db)

    def files_without_hash(self, after: ImageKey | None = None) -> tuple[list[str], ImageKey | None]:
        """Labelled files that would not be known again after a move: the next ones, some thousands at a time.

        Args:
            after: The second value of the call before; None at first.

        Returns:
            Paths, and how far was looked; None at the end.
        """
        after = after or _BEFORE_ALL
        with telling(self.path):
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

    def _keys(self, query: str) -> set[ImageKey]:
        with telling(self.path):
            found = rows.checked(self._db.execute(query), tuple[bytes, Frame])
            return {ImageKey(os.fsdecode(path), frame) for path, frame in found}

    def _class_ids(self) -> set[int]:
        return {id for (id,) in self._db.execute("SELECT id FROM class")}
