"""Room for features in the user's cache folder: those that were not used for longest are removed."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mia_tui.features.layout import TableFolder, all_tables
from mia_tui.files import NO_LOCKS, open_in_place, remove


def bytes_of(folder: TableFolder) -> int:
    """Bytes that the files of a table take; 0 if it is gone."""
    total = 0
    with suppress(OSError), os.scandir(folder.path) as entries:
        for entry in entries:
            with suppress(OSError):
                total += entry.stat(follow_symlinks=False).st_size
    return total


def make_room(most_bytes: int, *, keep: TableFolder, wanted_bytes: int = 0) -> list[TableFolder]:
    """Remove tables until all others and what is wanted have room; errors are ignored.

    Args:
        most_bytes: That all tables may take.
        keep: The table that is about to be used.
        wanted_bytes: That will be added to it.

    Returns:
        The tables that were removed; those that a job writes to stay.
    """
    try:
        tables = all_tables()
    except OSError:
        return []
    sizes = {table.path: bytes_of(table) for table in tables}
    total, removed = sum(sizes.values()) + wanted_bytes, []
    for table in sorted(tables, key=_used_at):
        if total <= most_bytes:
            break
        if table.path == keep.path:
            continue
        with _alone(table) as is_alone:
            if is_alone and _remove(table):
                total -= sizes[table.path]
                removed.append(table)
    return removed


def _used_at(table: TableFolder) -> float:
    """When the description was written or the table opened last."""
    try:
        return table.description_file.stat().st_mtime
    except OSError:
        return 0.0


@contextmanager
def _alone(table: TableFolder) -> Iterator[bool]:
    """Whether no job writes to a table, nor begins to before the block ends."""
    try:
        lock = open_in_place(table.lock, make=False)
    except OSError:  # none, or it is this process that has it
        yield not table.lock.exists()
        return
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except OSError as error:
        yield error.errno in NO_LOCKS
    finally:
        os.close(lock)


def _remove(table: TableFolder) -> bool:
    try:
        remove(table.description_file)  # first: what is left is no table then
        remove(table.path)
    except OSError:
        return False
    with suppress(OSError):  # others may be of the same dataset
        table.path.parent.rmdir()
    return True
