"""Making and opening the file labels.db."""

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from mia_tui.dataset.store.migrations import check_schema
from mia_tui.dataset.store.sqlite_errors import BUSY_TIMEOUT_S, telling
from mia_tui.errors import StoreError, StoreReplaced
from mia_tui.files import Identity, OddFile, add_folder, create, identity, open_to_read
from mia_tui.paths import printable

_JOURNAL = "-journal"
_BESIDE = (_JOURNAL, "-wal", "-shm")  # what SQLite may keep beside a file
_MOST_BYTES = 1 << 24  # of a value or a row; a few that are larger would fill the memory
# https://www.sqlite.org/fileformat2.html#the_rollback_journal; a journal that ends so names a super-journal before.
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")


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
        return _looked_at(path)
    except OddFile as error:
        raise StoreError(
            f"{printable(error.filename)} cannot be used: {error.strerror}.",
            "See who put it there and remove it or replace it by a copy, "
            "or put the labels elsewhere with --state DIR.",
        ) from error
    except OSError as error:
        raise StoreError(f"{printable(path)} cannot be looked at: {error.strerror}.") from error


def is_still(path: Path, opened: Identity | None) -> bool:
    """Whether the file of this name is the one that was opened."""
    try:
        return _looked_at(path) == opened
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
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_BYTES)
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


def _looked_at(path: Path) -> Identity | None:
    for name in _BESIDE:
        if identity(path.with_name(path.name + name)) is not None and name == _JOURNAL:
            _refuse_super_journal(path.with_name(path.name + name))
    return identity(path)


def _refuse_super_journal(journal: Path) -> None:
    """Refuse a journal that names another: SQLite would delete that, whatever it is. Ours never do.

    Only a transaction on several databases at once has a super-journal, and there is no such here.
    """
    try:
        with open_to_read(journal) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - len(_JOURNAL_MAGIC)))
            names_another = file.read() == _JOURNAL_MAGIC
    except FileNotFoundError:
        return
    if names_another:
        raise OddFile("it names another file, which SQLite would delete", journal)
