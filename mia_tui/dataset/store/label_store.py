"""labels.db: what people decided, and nothing else.

SQLite, with a journal that also works on NFS, Lustre and GPFS (WAL does not),
synced at each commit: a label that was reported as saved survives a power loss.
The table `change` is append-only and says who did what and when; labels and
classes can be rebuilt from it. One `LabelStore` belongs to one thread. File
names are stored as bytes (`os.fsencode`), so any name is returned unchanged.

`LabelStore` opens the file, undoes steps and moves labels with
their files. It inherits its queries from `queries`, its edits from `edits`, and
what belongs to several annotators and to reviews from `review`.
"""

import getpass
import os
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from mia_tui.dataset.model import ImageFile, StackMode
from mia_tui.dataset.store import file_changes, frame_numbers, history
from mia_tui.dataset.store.errors import as_store_errors
from mia_tui.dataset.store.file_changes import AppliedFileChanges, FileChanges, Hashing
from mia_tui.dataset.store.frame_numbers import FramesNow, WrittenFrames
from mia_tui.dataset.store.migrations import migrate, schema_version
from mia_tui.dataset.store.queries import META_ROOT
from mia_tui.dataset.store.records import Step
from mia_tui.dataset.store.review.leases import StoreLeases
from mia_tui.dataset.store.review.merging import StoreMerging
from mia_tui.dataset.store.store_file import StoreFile, check_content, make_file, read_content
from mia_tui.dataset.store.undo import undo_or_redo
from mia_tui.text import encode_name, printable


class LabelStore(StoreMerging, StoreLeases):
    """Labels, classes and split of one dataset.

    Args:
        path: The labels.db; it and its folder are created if they do not exist.
        annotator: Who makes the changes; the login name if left out.

    Raises:
        StoreError: If the file cannot be opened, created or understood.
    """

    def __init__(self, path: Path, *, annotator: str | None = None) -> None:
        make_file(path)
        file = StoreFile(path)
        self._open(file, file.connect(file.check()), annotator)
        self._writer.migrate()

    @classmethod
    def open_existing(cls, path: Path, *, annotator: str | None = None) -> Self | None:
        """The store if there is one; this never creates a file, and a read-only file can be read.

        Raises:
            StoreError: If the file cannot be opened or understood.
        """
        file = StoreFile(path)
        seen = file.check()  # before opening, so that a file that replaces it meanwhile is noticed
        if seen is None:
            file.close()
            return None
        connection = file.connect(seen)
        with as_store_errors(path):
            if schema_version(connection) == 0:  # the first write was interrupted
                connection.close()
                file.close()
                return None
        store = cls.__new__(cls)
        store._open(file, connection, annotator)
        return store

    @classmethod
    def read_other(cls, path: Path) -> Self:
        """Another labels.db, only to be read: all of it is read into memory, and the file is never written to.

        Files of earlier versions are brought to the current schema in memory.

        Raises:
            StoreError: If it cannot be read, or is no labels.db.
        """
        content = read_content(path)
        connection = sqlite3.connect(":memory:", isolation_level=None)
        try:
            with as_store_errors(path):
                connection.deserialize(content)
                check_content(connection)
                store = cls.__new__(cls)
                store._open(StoreFile(path), connection, None)
                migrate(connection)
                connection.execute("PRAGMA query_only = ON")
        except BaseException:
            connection.close()
            raise
        return store

    def _open(self, file: StoreFile, connection: sqlite3.Connection, annotator: str | None) -> None:
        super().__init__(file, connection, printable(annotator or login_name()))
        self._file = file

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
        """Whether the open file is still the one at this path: it may have been replaced, moved or deleted."""
        return self._file.is_in_place()

    def undo(self, batch: int | None = None) -> Step | None:
        """Undo this annotator's newest step that has not been undone, imports included.

        What `apply_file_changes` wrote is nobody's step, and is undone only if it is named.

        Args:
            batch: `AppliedFileChanges.batch`: undo what that `apply_file_changes` wrote instead.

        Returns:
            What was undone; None if there is nothing to undo.

        Raises:
            StoreConflict: If somebody else changed the same things since; nothing changed.
            StoreError: If the file cannot be written; nothing changed.
        """
        with self._writer.step("undo") as recorder:
            return undo_or_redo(self._db, recorder, batch)

    def undo_links(self) -> Step | None:
        """Undo the newest linking of moved files by `apply_file_changes`, as `undo` does."""
        with self._writer.step("undo") as recorder:
            batch = history.newest_links(self._db)
            return None if batch is None else undo_or_redo(self._db, recorder, batch)

    def redo(self) -> Step | None:
        """Redo what this annotator undid last, unless they did something else since; as `undo`."""
        with self._writer.step("redo") as recorder:
            return undo_or_redo(self._db, recorder, None)

    def save_root(self, root: Path) -> None:
        """Store where the dataset is; nothing is written if that is known already."""
        text = encode_name(str(root.resolve()))
        if self.meta(META_ROOT) != text:
            self.set_meta(META_ROOT, text)

    def apply_file_changes(self, changes: FileChanges) -> AppliedFileChanges:
        """Write what `find_file_changes` found; nothing is written if nothing happened.

        Missing files are marked, moved files (a new file with the same content) keep their labels, and images
        whose content changed under a label are flagged.

        Raises:
            StoreError: If there is something to write and that fails.
        """
        if not file_changes.has_work(changes):
            return file_changes.report(changes)
        with self._writer.transaction("auto") as recorder:
            return file_changes.write_changes(self._db, changes, recorder)

    def reconcile(
        self, files: Sequence[ImageFile], root: Path, *, hashing: Hashing = "all"
    ) -> AppliedFileChanges:
        """Find out what happened to the files, and write it.

        Args:
            files: All files of the dataset, with sizes and times, as `scan` returns them.
            root: The dataset's folder.
            hashing: As for `find_file_changes`; by default each labelled file is read once.

        Raises:
            StoreError: If there is something to write and that fails.
        """
        changes = file_changes.find_file_changes(self.stored_files(), files, root, hashing=hashing)
        return self.apply_file_changes(changes)

    def apply_frames(self, now: FramesNow) -> WrittenFrames:
        """Give images of stacks the numbers that their frames have now; nothing is written if nothing is old.

        Raises:
            StoreError: If there is something to write and that fails.
        """
        if not now.frames:
            return WrittenFrames()
        with self._writer.transaction("auto") as recorder:
            return frame_numbers.write_frames(self._db, recorder, now)

    def save_fingerprints(self, fingerprints: Iterable[tuple[ImageFile, str]]) -> int:
        """Store size, time and hash of labelled files, so that they are recognised after a move.

        This is nobody's step, and not in the history. A file with another known hash is left to
        `apply_file_changes`.

        Returns:
            How many images got them.
        """
        with self.transaction():
            return file_changes.write_fingerprints(self._db, fingerprints)


def stack_mode(labels_db: Path) -> StackMode:
    """Whether stacks of a dataset are labelled as a whole, where there may be no labels.db yet; only reads.

    Raises:
        StoreError: If labels.db cannot be read.
    """
    store = LabelStore.open_existing(labels_db)
    if store is None:
        return "frames"
    with store:
        return store.stack_mode()


def login_name() -> str:
    """The login name; the number of the user where the system has no name for it (containers)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
