"""What SQLite reports about labels.db, as errors with sentences for the user; why labels cannot be saved."""

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mia_tui.dataset.store.backups import backups_of, is_damage
from mia_tui.decoding import BadRecord
from mia_tui.disk_errors import LABELS_ELSEWHERE, disk_error
from mia_tui.errors import MiaError, StoreError, StoreReplaced
from mia_tui.files import NO_LOCKS, create, open_to_read, remove, temporary_beside
from mia_tui.text import printable

JOURNAL = "-journal"
"""What SQLite appends to the name of the file for its journal."""

BUSY_TIMEOUT_S = 5.0
"""How long SQLite waits for another program that is writing."""

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
    except UnicodeDecodeError as error:  # a name in its schema, or SQLite's own sentence about that
        raise StoreError(f"{printable(path)} is damaged.", _backup_hint(path)) from error
    except sqlite3.ProgrammingError:
        raise
    except sqlite3.IntegrityError as error:  # its history contradicts its tables
        raise StoreError(f"{printable(path)} is damaged: {error}.", _backup_hint(path)) from error
    except sqlite3.Error as error:
        raise store_error(error, path) from error


def store_error(error: sqlite3.Error, path: Path) -> MiaError:
    """The message for an error of SQLite about the file `path`."""
    name = printable(path)
    extended = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    primary = extended & 0xFF
    if primary == sqlite3.SQLITE_FULL:
        return disk_error(OSError(errno.ENOSPC, ""), path, StoreError, elsewhere=LABELS_ELSEWHERE)
    if extended == sqlite3.SQLITE_READONLY_DBMOVED:
        return StoreReplaced(
            f"{name} was replaced or removed while it was open; nothing was saved.", "Open it again."
        )
    if primary in _FORBIDDEN:
        return StoreError(f"{name} cannot be written.", f"Ask for write access, or {LABELS_ELSEWHERE}")
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
    return StoreError(f"{name} cannot be read or written: {error}.", f"Check the disk, or {LABELS_ELSEWHERE}")


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
        with open_to_read(path.with_name(path.name + JOURNAL)) as file:
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
    journal = labels_db.with_name(labels_db.name + JOURNAL)
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
