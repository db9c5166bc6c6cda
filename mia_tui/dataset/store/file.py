"""Making and opening the file labels.db."""

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from mia_tui.dataset.shared_folder import follow_folder, make_folder
from mia_tui.dataset.store.migrations import check_schema
from mia_tui.dataset.store.sqlite_errors import BUSY_TIMEOUT_S, telling
from mia_tui.errors import StoreError
from mia_tui.paths import printable

Identity = tuple[int, int]
"""Of a file: device and inode."""


def make_file(path: Path) -> bool:
    """Make an empty labels.db, and its folder, where there is none.

    It gets the group and mode of its folder before SQLite sees it, which gives the journal the same: what
    one person of a group labelled, the others can go on with.

    Returns:
        Whether the file is new.

    Raises:
        StoreError: If that cannot be.
    """
    try:
        make_folder(path.parent)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return False
    except OSError as error:
        raise StoreError(
            f"{printable(path)} cannot be made: {error.strerror}.",
            "Put the labels elsewhere with --state DIR.",
        ) from error
    follow_folder(path)
    return True


def identity(path: Path) -> Identity | None:
    """Tells the file of this name from another that takes its place; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def connect(path: Path) -> sqlite3.Connection:
    """Open a file that is there, in autocommit mode; for reading only where it may not be written.

    The journal is PERSIST: it works without shared memory (WAL does not across NFS), and unlike DELETE
    it does not depend on a folder's entry being synced, so a power loss cannot take back the last label.

    Raises:
        StoreError: If that cannot be, or the file is no labels.db.
    """
    # The name goes in as percent-encoded bytes: it need not be UTF-8.
    uri = f"file:{quote(os.fsencode(path.absolute()))}?mode=rw"
    with telling(path):
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        try:
            connection.execute("PRAGMA trusted_schema = OFF")
            check_schema(connection)  # before the journal: that of another program's file stays as it is
            connection.execute("PRAGMA journal_mode = PERSIST")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            connection.close()
            raise
        return connection
