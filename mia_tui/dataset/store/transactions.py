"""Transactions on labels.db: all of a step or nothing, after the daily backup, in the current schema."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

from mia_tui.dataset.store.backups import make_daily_backup
from mia_tui.dataset.store.errors import as_store_errors
from mia_tui.dataset.store.history import ChangeRecorder, StepKind
from mia_tui.dataset.store.migrations import VERSION, check_schema, migrate, schema_version
from mia_tui.dataset.store.store_file import StoreFile
from mia_tui.errors import StoreError
from mia_tui.text import printable


class StoreWriter:
    """Runs all that writes to an open labels.db.

    Args:
        file: What was opened; its path is for messages, and for the folder of the backups.
        connection: In autocommit mode. Nothing is written before the first transaction.
        annotator: Who makes the changes.

    Attributes:
        recorder: Writes the history of the open transaction; None outside of any.
        copied_on: Day of the last backup, as 2026-11-23.

    Raises:
        StoreError: If the file is of a later version, or cannot be read.
    """

    def __init__(self, file: StoreFile, connection: sqlite3.Connection, annotator: str) -> None:
        self.recorder: ChangeRecorder | None = None
        self._file, self._path = file, file.path
        self._connection = connection
        self._annotator = annotator
        with as_store_errors(self._path):
            version = schema_version(connection)
        if version > VERSION:
            raise StoreError(
                f"{printable(self._path)} was written by a later version of mia-tui.", "Update mia-tui."
            )
        self.copied_on = "" if version else _today()  # there is nothing to back up
        self._is_current = version == VERSION
        self._checked: int | None = None  # SQLite's counter of schema changes when the schema was checked

    @contextmanager
    def transaction(self, step: StepKind = "do") -> Iterator[ChangeRecorder]:
        """The open transaction, or a new one, with the recorder of its history.

        Raises:
            StoreError: If the file cannot be written; it is as it was before.
        """
        if self.recorder is not None:
            yield self.recorder
            return
        self.migrate()
        with as_store_errors(self._path):
            self._file.check()  # each time: SQLite opens the journal anew
            self._back_up()
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._check_schema()
                self.recorder = ChangeRecorder(self._connection, self._annotator, step)
                yield self.recorder
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite may have done so itself
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                self.recorder = None

    @contextmanager
    def step(self, step: Literal["undo", "redo"]) -> Iterator[ChangeRecorder]:
        """A transaction that is never part of another one."""
        if self.recorder is not None:
            raise RuntimeError(f"{step} is a step of its own, not part of a transaction")
        with self.transaction(step) as recorder:
            yield recorder

    def migrate(self) -> None:
        """Bring the file to the current schema, after the daily backup. Reading does not need this.

        Raises:
            StoreError: If the file cannot be written; it is as it was before.
        """
        if not self._is_current:
            with as_store_errors(self._path):
                self._back_up()
                migrate(self._connection)
            self._is_current = True

    def _check_schema(self) -> None:
        """Another program may have changed it since the file was opened; checked only if the counter changed."""
        changes = self._connection.execute("PRAGMA schema_version").fetchone()[0]
        if changes != self._checked:
            check_schema(self._connection)
            self._checked = changes

    def _back_up(self) -> None:
        today = _today()
        if self.copied_on != today:
            make_daily_backup(self._connection, self._path, today)
            self.copied_on = today


def _today() -> str:
    return time.strftime("%Y-%m-%d")
