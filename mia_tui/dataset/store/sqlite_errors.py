"""What SQLite says, as sentences for the user."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mia_tui.dataset.store.backups import is_damage, newest_copies
from mia_tui.dataset.store.locks import lacks_locks
from mia_tui.errors import StoreError, StoreReplaced
from mia_tui.records import BadRecord
from mia_tui.text import printable

BUSY_TIMEOUT_S = 5.0

_ELSEWHERE = "put the labels elsewhere with --state DIR."

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
def telling(path: Path) -> Iterator[None]:
    """Turns what is wrong with the file `path` into a StoreError: what SQLite raises, except mistakes of ours,
    and rows that are not what they should be."""
    try:
        yield
    except BadRecord as error:
        raise StoreError(f"{printable(path)} is damaged: {printable(error)}.", _backup_hint(path)) from error
    except sqlite3.ProgrammingError:
        raise
    except sqlite3.IntegrityError as error:  # its history says otherwise than its tables
        raise StoreError(f"{printable(path)} is damaged: {error}.", _backup_hint(path)) from error
    except sqlite3.Error as error:
        raise store_error(error, path) from error


def store_error(error: sqlite3.Error, path: Path) -> StoreError:
    """The sentence for an error of SQLite about the file `path`."""
    name = printable(path)
    extended = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    primary = extended & 0xFF
    if primary == sqlite3.SQLITE_FULL:
        return StoreError(f"The disk that holds {name} is full.", f"Free some space, or {_ELSEWHERE}")
    if extended == sqlite3.SQLITE_READONLY_DBMOVED:
        return StoreReplaced(
            f"{name} was replaced or taken away while it was open; nothing was saved.", "Open it again."
        )
    if primary in _FORBIDDEN:
        return StoreError(f"{name} cannot be written.", f"Ask for write access, or {_ELSEWHERE}")
    if extended in _NO_LOCKS or primary == sqlite3.SQLITE_NOLFS or (primary in _BUSY and lacks_locks(path)):
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
    copies = newest_copies(path)
    if not copies:
        return "There is no copy of it in its folder; restore it from a backup of yours."
    return f"Replace it by its newest copy, {printable(copies[0])}."
