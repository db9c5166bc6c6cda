"""Daily backups of labels.db: the last seven, in the folder beside it."""

import os
import re
import sqlite3
from contextlib import suppress
from pathlib import Path

from mia_tui.files import (
    OddFile,
    add_folder,
    create,
    identity,
    remove,
    remove_leftovers,
    rename,
    temporary_beside,
)
from mia_tui.paths import BACKUPS_FOLDER

KEPT = 7

_NAME = re.compile(r"labels-[0-9]{4}-[0-9]{2}-[0-9]{2}\.db")  # other files there belong to the user


def make_daily_backup(connection: sqlite3.Connection, path: Path, today: str) -> None:
    """Copy the labels as they are before today's first change, unless that was done already.

    If the copy fails (full disk, no permission), labelling continues without it.

    Args:
        connection: Of `path`, outside a transaction.
        path: The labels.db.
        today: As 2026-11-23.

    Raises:
        sqlite3.Error: If labels.db itself is damaged.
    """
    copy = path.parent / BACKUPS_FOLDER / f"labels-{today}.db"
    if os.path.lexists(copy):
        return
    try:
        _copy(connection, copy, path.parent)
    except sqlite3.Error as error:
        if is_damage(error):
            raise
    except OSError:
        pass
    # Backups with a later date, from a clock that was wrong, must not displace the ones made now.
    for old in [made for made in backups_of(path) if made.name <= copy.name][KEPT:]:
        with suppress(OSError):
            remove(old, root=path.parent)


def backups_of(path: Path) -> list[Path]:
    """The backups of a labels.db, newest first."""
    folder = path.parent / BACKUPS_FOLDER
    names: list[str] = []
    with suppress(OSError), os.scandir(folder) as entries:
        names = [e.name for e in entries if _NAME.fullmatch(e.name) and e.is_file(follow_symlinks=False)]
    return [folder / name for name in sorted(names, reverse=True)]


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite found that the file itself is damaged."""
    # The lowest 8 bits are the primary code, https://www.sqlite.org/rescode.html
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _copy(connection: sqlite3.Connection, copy: Path, root: Path) -> None:
    add_folder(copy.parent, root=root)
    remove_leftovers(
        copy.parent, root=root, of=lambda name: name != copy.name
    )  # another program may be writing today's
    temporary = temporary_beside(copy)
    descriptor = create(temporary, root=root)
    try:
        # A name need not be UTF-8, so it is passed as bytes. SQLite only writes to a file that is empty.
        connection.execute("VACUUM INTO CAST(? AS TEXT)", (os.fsencode(temporary.absolute()),))
        status = os.fstat(descriptor)
        if identity(temporary) != (status.st_dev, status.st_ino):
            raise OddFile("it was replaced while it was written", temporary)
        os.fsync(descriptor)
        rename(temporary, copy.name, root=root)
    finally:
        os.close(descriptor)
        with suppress(OSError):
            remove(temporary, root=root)
