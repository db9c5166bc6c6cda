"""Creating and opening the file labels.db, and what SQLite reports about it as sentences for the user."""

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from urllib.parse import quote

from mia_tui.dataset.store.backups import backups_of, is_damage
from mia_tui.dataset.store.migrations import check_schema
from mia_tui.errors import StoreError, StoreReplaced
from mia_tui.files import (
    NO_LOCKS,
    Identity,
    OddFile,
    add_folder,
    create,
    hold,
    identity,
    let_go,
    open_to_read,
    remove,
    temporary_beside,
)
from mia_tui.records import BadRecord
from mia_tui.text import printable

_JOURNAL = "-journal"
_BESIDE = (_JOURNAL, "-wal", "-shm")  # what SQLite may keep beside a file
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
        raise StoreError(
            f"{printable(path)} cannot be created: {error.strerror}.",
            "Store the labels elsewhere with --state DIR.",
        ) from error
    return True


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
                "Find out who put it there and remove it or replace it by a copy, "
                "or store the labels elsewhere with --state DIR.",
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
            connection = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            try:
                connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_BYTES)
                connection.execute("PRAGMA trusted_schema = OFF")
                check_schema(
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
            if identity(path) is not None and name == _JOURNAL:
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
            raise OddFile("it names another file, which SQLite would delete", Path(f"{self.path}{_JOURNAL}"))

    def _forget_folder(self) -> None:
        self._checked_folder = None
        if self._journal is not None:
            self._journal.close()
            self._journal = None


BUSY_TIMEOUT_S = 5.0

_ELSEWHERE = "store the labels elsewhere with --state DIR."

# Primary codes: the lowest 8 bits of sqlite_errorcode, https://www.sqlite.org/rescode.html
_FORBIDDEN = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM})
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
# Extended codes
_NO_LOCKS = frozenset(
    {
        sqlite3.SQLITE_IOERR_LOCK,
        sqlite3.SQLITE_IOERR_RDLOCK,
        sqlite3.SQLITE_IOERR_UNLOCK,
        sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK,
    }
)


@contextmanager
def as_store_errors(path: Path) -> Iterator[None]:
    """Turns errors about the file `path` into a StoreError: those of SQLite, except for programming errors, and
    rows with invalid values."""
    try:
        yield
    except BadRecord as error:
        raise StoreError(f"{printable(path)} is damaged: {printable(error)}.", _backup_hint(path)) from error
    except sqlite3.ProgrammingError:
        raise
    except sqlite3.IntegrityError as error:  # its history contradicts its tables
        raise StoreError(f"{printable(path)} is damaged: {error}.", _backup_hint(path)) from error
    except sqlite3.Error as error:
        raise store_error(error, path) from error


def store_error(error: sqlite3.Error, path: Path) -> StoreError:
    """The message for an error of SQLite about the file `path`."""
    name = printable(path)
    extended = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    primary = extended & 0xFF
    if primary == sqlite3.SQLITE_FULL:
        return StoreError(f"The disk that holds {name} is full.", f"Free some space, or {_ELSEWHERE}")
    if extended == sqlite3.SQLITE_READONLY_DBMOVED:
        return StoreReplaced(
            f"{name} was replaced or removed while it was open; nothing was saved.", "Open it again."
        )
    if primary in _FORBIDDEN:
        return StoreError(f"{name} cannot be written.", f"Ask for write access, or {_ELSEWHERE}")
    if extended in _NO_LOCKS or primary == sqlite3.SQLITE_NOLFS or (primary in _BUSY and _lacks_locks(path)):
        return StoreError(
            f"The disk that holds {name} does not support locks, without which labels could get lost.",
            "Put the labels on another disk with --state DIR.",
        )
    if primary in _BUSY:
        return StoreError(
            f"Another program has been writing to {name} for {BUSY_TIMEOUT_S:g} seconds.",
            "Try again in a moment.",
        )
    if is_damage(error):
        return StoreError(f"{name} is damaged.", _backup_hint(path))
    return StoreError(f"{name} cannot be read or written: {error}.", f"Check the disk, or {_ELSEWHERE}")


def _backup_hint(path: Path) -> str:
    copies = backups_of(path)
    if not copies:
        return "There is no backup of it in its folder; restore it from a backup of your own."
    return f"Replace it with its newest backup, {printable(copies[0])}."


def _lacks_locks(path: Path) -> bool:
    """Whether the disk of the file `path` has no locks; False if that cannot be tried out.

    SQLite cannot be asked: it takes ENOLCK, the answer of a file system without locks, for a temporary problem of
    NFS and reports after its timeout that the file is busy. A lock is tried on a file beside `path`, never on the
    file itself: closing that would release the locks that SQLite holds in this process.
    """
    beside = temporary_beside(path)
    try:
        descriptor = create(beside, root=path.parent)
    except OSError:  # the folder is not writable; SQLite does not lock the journal
        return _journal_lacks_locks(path)
    try:
        return _is_refused(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)
        with suppress(OSError):
            remove(beside, root=path.parent)


def _journal_lacks_locks(path: Path) -> bool:
    try:
        with open_to_read(path.with_name(f"{path.name}-journal")) as file:
            return _is_refused(file.fileno(), fcntl.LOCK_SH)
    except OSError:
        return False


def _is_refused(descriptor: int, kind: int) -> bool:
    try:
        fcntl.lockf(descriptor, kind | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in NO_LOCKS
    return False


def why_unwritable(labels_db: Path) -> str | None:
    """Why labels cannot be saved, as a sentence that says what to do; None if nothing is known to prevent it.

    Nothing is written to find out. Only what the system reports for certain counts: a read-only disk, or a file or
    folder that this user may not write. Anything else is reported when it happens.

    Args:
        labels_db: The file; it and its folders need not exist yet.
    """
    file = labels_db if labels_db.exists() else None
    place = file or _nearest(labels_db.parent)
    if place is None:
        return None
    way_out = "you can look at everything here; to label, name a folder you may write to with --state DIR."
    if _is_read_only(place):
        return f"Labels cannot be saved: {printable(place)} is on a read-only disk; {way_out}"
    journal = labels_db.with_name(labels_db.name + _JOURNAL)
    needed = [file, journal if journal.exists() else labels_db.parent] if file is not None else [place]
    forbidden = next((path for path in needed if not _may_write(path)), None)
    if forbidden is not None:
        return f"Labels cannot be saved: you may not write to {printable(forbidden)}; {way_out}"
    return None


def _nearest(folder: Path) -> Path | None:
    """The folder, or the first one above it that exists."""
    return next((place for place in (folder, *folder.absolute().parents) if place.exists()), None)


def _is_read_only(place: Path) -> bool:
    with suppress(OSError):
        return bool(os.statvfs(place).f_flag & os.ST_RDONLY)
    return False


def _may_write(path: Path) -> bool:
    wanted = os.W_OK | os.X_OK if path.is_dir() else os.W_OK
    by_effective = os.access in os.supports_effective_ids
    return os.access(path, wanted, effective_ids=by_effective)
