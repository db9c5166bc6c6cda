"""Whether the disk that holds labels.db has locks.

SQLite cannot be asked: it takes ENOLCK, which a file system without locks answers, for a moment's trouble of NFS
and says after its timeout that the file is busy.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from mia_tui.files import NO_LOCKS, create, open_to_read, remove, temporary_beside


def lacks_locks(path: Path) -> bool:
    """Whether a lock beside the file `path` is refused because there are none; False where that cannot be tried.

    Never tried on the file itself: closing it would let go of the locks that SQLite holds in this process.
    """
    beside = temporary_beside(path)
    try:
        descriptor = create(beside, root=path.parent)
    except OSError:  # a folder that may not be written; SQLite locks no journal
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
