"""Writing files that others read at any moment: whole or not at all.

A file that is replaced goes through a temporary name in its own folder, fsync
and rename. The temporary name is the same each time, so a worker that is
killed again and again leaves one half-written checkpoint behind, not many.

Everything made here follows the group and mode of the folder it lies in: a
dataset folder shared by a group stays shared, a private one private.
"""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from mia_tui.dataset import shared_folder
from mia_tui.dataset.shared_folder import follow_folder
from mia_tui.errors import MiaError, RunError
from mia_tui.paths import printable

FULL_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_FULL_BYTES = 16 * 1024  # less than any figure or checkpoint
_STATE_HINT = "or put labels and runs elsewhere with --state DIR."


def disk_error(error: OSError, path: Path, kind: type[MiaError] = RunError) -> MiaError:
    """The sentence for a file or folder that could not be written.

    Args:
        error: What the system said.
        path: The file or folder that was to be written.
        kind: Class of the error that is returned (not raised).
    """
    name = printable(path)
    if error.errno == errno.ENOSPC:
        return kind(f"The disk that holds {name} is full.", f"Free some space, {_STATE_HINT}")
    if error.errno == errno.EDQUOT:
        return kind(
            f"Your quota on the disk that holds {name} is used up.", f"Free some space, {_STATE_HINT}"
        )
    if error.errno == errno.EFBIG:
        return kind(f"{name} would be larger than your limit on the size of files.", "`ulimit -f` shows it.")
    if error.errno == errno.EROFS:
        return kind(f"{name} lies on a read-only disk.", "Put labels and runs elsewhere with --state DIR.")
    if error.errno in _FORBIDDEN:
        return kind(f"{name} may not be written by you.", f"Ask its owner, {_STATE_HINT}")
    reason = error.strerror or type(error).__name__
    return kind(f"{name} cannot be written: {reason}.", "Put labels and runs elsewhere with --state DIR.")


def unreadable(path: Path, error: OSError) -> RunError:
    """The sentence for a file of a run that is there and cannot be read."""
    return RunError(f"{printable(path)} cannot be read: {error.strerror}.")


@contextmanager
def replacing(path: Path, *, sync: bool = True) -> Iterator[BinaryIO]:
    """A new content for `path`, which appears there whole when the block ends without an error.

    Args:
        path: File to make or replace; its folder exists.
        sync: Whether the content must survive a power loss (not worth its time for a heartbeat).

    Raises:
        RunError: If the disk does not take it; `path` is as it was before.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        try:
            with temporary.open("wb") as file:
                follow_folder(temporary)
                yield file
                file.flush()
                if sync:
                    os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise disk_error(error, path) from error
    except RuntimeError as error:  # torch.save says "unexpected pos" after the system's own word
        if isinstance(error.__context__, OSError):
            raise disk_error(error.__context__, path) from error
        raise
    if sync:
        _sync_folder(path.parent)


def write_atomically(path: Path, data: bytes, *, sync: bool = True) -> None:
    """Replace the content of a file; see `replacing`."""
    with replacing(path, sync=sync) as file:
        file.write(data)


def make_folder(path: Path, *, parents: bool = False) -> None:
    """Make a folder, if it is not there.

    Args:
        path: The folder.
        parents: Whether to make what is missing above it, too. A worker must not: its run may have been deleted.

    Raises:
        RunError: If the disk does not take it.
    """
    try:
        if not parents:
            path.parent.stat()
        shared_folder.make_folder(path)
    except FileExistsError as error:
        name = printable(error.filename or path)
        raise RunError(f"{name} is a file, a folder was to be there.") from None
    except OSError as error:
        raise disk_error(error, Path(error.filename or path)) from error


def is_full(folder: Path) -> bool:
    """Whether the disk that holds a folder takes next to nothing any more; a used up quota is not seen.

    Raises:
        OSError: If the folder cannot be looked at.
    """
    disk = os.statvfs(folder)
    return disk.f_blocks > 0 and disk.f_bavail * disk.f_frsize < _FULL_BYTES


def check_room(folder: Path) -> None:
    """See that a folder takes a small file, by writing one that is gone at once.

    Raises:
        RunError: If it does not; says why.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_FULL_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise disk_error(error, folder) from error


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # some network file systems refuse to sync a folder
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
