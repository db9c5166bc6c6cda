"""Making and opening the file labels.db."""

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from mia_tui.dataset.store.migrations import check_schema
from mia_tui.dataset.store.sqlite_errors import BUSY_TIMEOUT_S, telling
from mia_tui.errors import StoreError, StoreReplaced
from mia_tui.files import Identity, OddFile, add_folder, create, identity
from mia_tui.paths import printable

_BESIDE = ("-journal", "-wal", "-shm")  # what SQLite may keep beside a file


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
        add_folder(path.parent, root=path.parent, parents=True)
        os.close(create(path))
    except FileExistsError:
        return False
    except OSError as error:
        raise StoreError(
            f"{printable(path)} cannot be made: {error.strerror}.",
            "Put the labels elsewhere with --state DIR.",
        ) from error
    return True


def look_at(path: Path) -> Identity | None:
    """What tells the file of this name from another that takes its place; None where there is none.

    SQLite opens it, and what it keeps beside it, by name, follows links and waits for a named pipe: so all that
    somebody else may have put there is refused before, and the identity compared after.

    Raises:
        StoreError: If it is a link or no regular file, or one of those beside it is.
    """
    try:
        for name in _BESIDE:
            identity(path.with_name(path.name + name))
        return identity(path)
    except OddFile as error:
        raise StoreError(
            f"{printable(error.filename)} cannot be used: {error.strerror}.",
            "See who put it there and replace it by a file of its own, or put the labels elsewhere with --state DIR.",
        ) from error
    except OSError as error:
        raise StoreError(f"{printable(path)} cannot be looked at: {error.strerror}.") from error


def is_still(path: Path, opened: Identity | None) -> bool:
    """Whether the file of this name is the one that was opened."""
    try:
        return identity(path) == opened
    except OSError:
        return False


def connect(path: Path, opened: Identity | None) -> sqlite3.Connection:
    """Open a file that is there, in autocommit mode; for reading only where it may not be written.

    The journal is PERSIST: it works without shared memory (WAL does not across NFS), and unlike DELETE
    it does not depend on a folder's entry being synced, so a power loss cannot take back the last label.

    Args:
        path: The file.
        opened: What `look_at` said of it.

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
            if look_at(path) != opened:
                raise StoreReplaced(f"{printable(path)} was replaced while it was opened.", "Open it again.")
        except BaseException:
            connection.close()
            raise
        return connection
