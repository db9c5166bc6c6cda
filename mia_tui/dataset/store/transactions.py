"""Transactions on labels.db: all of an action or nothing, after today's copy, in the present schema."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mia_tui.dataset.store.backups import copy_daily
from mia_tui.dataset.store.connection import StoreFile
from mia_tui.dataset.store.history import ChangeRecorder, StepKind
from mia_tui.dataset.store.migrations import VERSION, check_schema, migrate, schema_version
from mia_tui.dataset.store.sqlite_errors import telling
from mia_tui.errors import StoreError
from mia_tui.text import printable


class StoreWrites:
    """What may write to an open labels.db.

    Args:
        file: What was opened; its path is for sentences, and for the folder of the copies.
        connection: In autocommit mode. Nothing is written before the first transaction.
        annotator: Who acts.

    Attributes:
        notes: The history of the transaction that is open; None outside of any.
        copied_on: Day of the last copy, as 2026-11-23.

    Raises:
        StoreError: If the file is of a later version, or cannot be read.
    """

    def __init__(self, file: StoreFile, connection: sqlite3.Connection, annotator: str) -> None:
        self.notes: ChangeRecorder | None = None
        self._file, self._path = file, file.path
        self._connection = connection
        self._annotator = annotator
        with telling(self._path):
            version = schema_version(connection)
        if version > VERSION:
            raise StoreError(
                f"{printable(self._path)} was written by a later version of mia-tui.", "Update mia-tui."
            )
        self.copied_on = "" if version else _today()  # there is nothing to copy
        self._is_current = version == VERSION
        self._checked: int | None = None  # SQLite's count of changes to the schema, when it was looked at

    @contextmanager
    def transaction(self, step: StepKind = "do") -> Iterator[ChangeRecorder]:
        """The transaction that is open, or a new one, with the rows it adds to the history.

        Raises:
            StoreError: If the file cannot be written; it is as it was before.
        """
        if self.notes is not None:
            yield self.notes
            return
        self.migrate()
        with telling(self._path):
            self._file.look()  # each time: SQLite opens the journal anew
            self._copy()
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._check_schema()
                self.notes = ChangeRecorder(self._connection, self._annotator, step)
                yield self.notes
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite may have done so itself
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                self.notes = None

    def _check_schema(self) -> None:
        """Somebody may have changed it since it was opened; while the count is the same, SQLite reads none anew."""
        changes = self._connection.execute("PRAGMA schema_version").fetchone()[0]
        if changes != self._checked:
            check_schema(self._connection)
            self._checked = changes

    def migrate(self) -> None:
        """Bring the file to the present schema, after today's copy. Who only looks has no need of it.

        Raises:
            StoreError: If the file cannot be written; it is as it was before.
        """
        if not self._is_current:
            with telling(self._path):
                self._copy()
                migrate(self._connection)
            self._is_current = True

    def _copy(self) -> None:
        today = _today()
        if self.copied_on != today:
            copy_daily(self._connection, self._path, today)
            self.copied_on = today


def _today() -> str:
    return time.strftime("%Y-%m-%d")
