"""The file labels.db: creating it, opening it, and noticing that another file was put in its place."""

import os
import sqlite3
import time
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from urllib.parse import quote

from mia_tui.dataset.store import errors
from mia_tui.dataset.store.errors import JOURNAL, as_store_errors
from mia_tui.dataset.store.migrations import check_schema
from mia_tui.disk_errors import LABELS_ELSEWHERE, disk_error
from mia_tui.errors import StoreError, StoreReplaced
from mia_tui.files import (
    Identity,
    OddFile,
    add_folder,
    create,
    hold,
    identity,
    let_go,
    open_to_read,
    read,
)
from mia_tui.text import printable

_BESIDE = (JOURNAL, "-wal", "-shm")  # what SQLite may keep beside a file
_LARGEST_READ = 1 << 30  # bytes; a million labels with their history are less
_TRIES, _AGAIN_S = 20, 0.1
_SETTLED_NS = 2_000_000_000  # no file system has coarser timestamps
_MOST_BYTES = 1 << 24  # of a value or a row; a few larger ones would fill the memory
# https://www.sqlite.org/fileformat2.html#the_rollback_journal; a journal that ends with it names a super-journal.
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")


def make_file(path: Path) -> bool:
    """Create an empty labels.db, and its folder, if there is none.

    It gets the group and mode of its folder before SQLite sees it, and SQLite gives the journal the same: so
    everybody in a group can continue what one of them labelled.

    Returns:
        Whether the file is new.

    Raises:
        StoreError: If it cannot be created.
    """
    try:
        add_folder(path.parent, root=path.parent, parents=True)
        os.close(create(path))
    except FileExistsError:
        return False
    except OSError as error:
        raise disk_error(error, path, StoreError, elsewhere=LABELS_ELSEWHERE) from error
    return True


def check_content(connection: sqlite3.Connection) -> None:
    """Before anything else: refuse what is no labels.db of ours, and values that would fill the memory.

    Raises:
        BadRecord: As `check_schema`.
    """
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_BYTES)
    connection.execute("PRAGMA trusted_schema = OFF")
    check_schema(connection)


def read_content(path: Path) -> bytes:
    """All bytes of a labels.db that may be in use elsewhere, as they are between two transactions.

    Raises:
        StoreError: If it cannot be read, is too large, or a transaction in it was not ended.
    """
    journal = path.with_name(path.name + JOURNAL)
    for _ in range(_TRIES):
        try:
            before = path.stat()
            content = read(path, follow=True, most_bytes=_LARGEST_READ)
            begins = read(journal)[:1] if journal.exists() else b""
            settled = begins in (b"", b"\0") and path.stat().st_mtime_ns == before.st_mtime_ns
        except OSError as error:
            raise StoreError(
                f"{printable(path)} cannot be read: {error.strerror}.", "Check the path."
            ) from error
        if settled:
            break
        time.sleep(_AGAIN_S)
    else:
        raise StoreError(
            f"{printable(path)} is being written, or a program that wrote it was killed.",
            "Try again in a moment, or open it once with mia-tui, which repairs it.",
        )
    if not content:
        raise StoreError(f"{printable(path)} is empty.", "Name another file.")
    if content[18:20] == b"\2\2":  # the journal mode of other programs, which needs files beside it
        content = content[:18] + b"\1\1" + content[20:]
    return content


class StoreFile:
    """The file labels.db as it was opened, and the files that SQLite keeps beside it.

    SQLite opens all of them by name, follows links and waits for a named pipe. So before each access, anything
    that somebody else may have put there is refused, and the file's identity is compared. A new name in a folder
    changes the folder's time, so as long as that is unchanged, three system calls are enough: somebody waits while
    a label is written to disk, and each call may have to wait for another thread of this process.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened: Identity | None = None
        self._journal: BufferedReader | None = None
        self._checked_folder: tuple[int, ...] | None = None  # the folder when everything in it was checked

    def check(self) -> Identity | None:
        """What tells this file from another one put in its place; None if there is no file.

        Raises:
            StoreError: If it, or one of the files beside it, is a link or not a regular file.
        """
        try:
            return self._check_all()
        except OddFile as error:
            raise StoreError(
                f"{printable(error.filename)} cannot be used: {error.strerror}.",
                f"Find out who put it there and remove it or replace it by a copy, or {LABELS_ELSEWHERE}",
            ) from error
        except OSError as error:
            raise StoreError(f"{printable(self.path)} cannot be checked: {error.strerror}.") from error

    def is_in_place(self) -> bool:
        """Whether the file at this path is the one that was opened."""
        try:
            return self._check_all() == self._opened
        except OSError:
            return False

    def connect(self, seen: Identity | None) -> sqlite3.Connection:
        """Open an existing file, in autocommit mode; read-only if it may not be written.

        The journal mode is PERSIST: it needs no shared memory (WAL does, which fails on NFS), and unlike DELETE
        it does not depend on the folder's entry being synced, so a power loss cannot revert the last label.

        Args:
            seen: What `check` returned before.

        Raises:
            StoreError: If it cannot be opened or is not a labels.db.
        """
        self._opened = seen
        if seen is not None:
            hold(seen)
        try:
            return self._connected()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Call this once the connection is closed."""
        if self._opened is not None:
            let_go(self._opened)
            self._opened = None
        self._forget_folder()

    def _connected(self) -> sqlite3.Connection:
        # The name is passed as percent-encoded bytes: it need not be UTF-8.
        uri = f"file:{quote(os.fsencode(self.path.absolute()))}?mode=rw"
        with as_store_errors(self.path):
            connection = sqlite3.connect(uri, uri=True, timeout=errors.BUSY_TIMEOUT_S, isolation_level=None)
            try:
                check_content(
                    connection
                )  # before the journal mode is set: the file of another program stays as it is
                connection.execute("PRAGMA journal_mode = PERSIST")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA foreign_keys = ON")
                if self.check() != self._opened:
                    raise StoreReplaced(
                        f"{printable(self.path)} was replaced while it was opened.", "Open it again."
                    )
            except BaseException:
                connection.close()
                raise
            return connection

    def _check_all(self) -> Identity | None:
        now_ns = time.time_ns()
        try:
            status = self.path.parent.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        folder = (status.st_dev, status.st_ino, status.st_mtime_ns)
        if folder != self._checked_folder:
            self._check_beside()
            # Two changes within one clock tick look like one.
            is_old_enough = now_ns - status.st_mtime_ns > _SETTLED_NS
            self._checked_folder = folder if is_old_enough else None
        elif self._journal is not None:
            self._refuse_super_journal(self._journal)
        return identity(self.path)

    def _check_beside(self) -> None:
        self._forget_folder()
        for name in _BESIDE:
            path = self.path.with_name(self.path.name + name)
            if identity(path) is not None and name == JOURNAL:
                with suppress(FileNotFoundError):
                    self._journal = open_to_read(path)
        if self._journal is not None:
            self._refuse_super_journal(self._journal)

    def _refuse_super_journal(self, journal: BufferedReader) -> None:
        """Refuse a journal that names another file: SQLite would delete that file, whatever it is.

        Only a transaction on several databases at once has such a super-journal, and there is none here.
        """
        descriptor = journal.fileno()
        if os.pread(descriptor, 1, 0) in (b"", b"\0"):  # it will not be rolled back
            return
        end = max(0, os.fstat(descriptor).st_size - len(_JOURNAL_MAGIC))
        if os.pread(descriptor, len(_JOURNAL_MAGIC), end) == _JOURNAL_MAGIC:
            raise OddFile("it names another file, which SQLite would delete", Path(f"{self.path}{JOURNAL}"))

    def _forget_folder(self) -> None:
        self._checked_folder = None
        if self._journal is not None:
            self._journal.close()
            self._journal = None
