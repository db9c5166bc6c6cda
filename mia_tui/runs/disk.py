"""Writing to the disk that holds a run, and waiting for a disk, of a run or of its images, while it is unreachable.

A network drive drops out, a file server restarts. One rule for the images and for the run's own folder: wait, say so,
continue as if nothing had happened, and end with what was saved if the disk does not come back within `OUTAGE_S`.
Waits are counted in checks, not by the clock, so that a process that was suspended for an hour does not count it.
"""

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

from mia_tui.disk_errors import UNREACHABLE, disk_error
from mia_tui.errors import AwayError, MiaError
from mia_tui.files import add_folder, new_content
from mia_tui.text import printable

Result = TypeVar("Result")
OnWait = Callable[[str | None], None]
"""Called with why something waits, and with None when it continues."""

OUTAGE_S = 300.0
"""How long to wait for a disk that became unreachable. A file server that restarts is back within two to four minutes
(NFS alone holds its clients off for 90 seconds); after more than that somebody has to repair it anyway, and an idle
GPU costs more than one command to resume."""

DELETED_S = 15.0
"""How long a run's folder must be missing from its parent folder to count as deleted."""

LOOK_EVERY_S = 1.0
_LISTEN_EVERY_S = 0.1
_UNREACHABLE = UNREACHABLE | {errno.ENOENT, errno.ENOTDIR}


@contextmanager
def replacing(path: Path, *, root: Path | None = None, sync: bool = True) -> Iterator[BinaryIO]:
    """`new_content`, for runs: with the group and mode of the folder.

    Raises:
        RunError: If the disk does not take it; `path` is as it was before.
    """
    try:
        with new_content(path, root=root, sync=sync) as file:
            yield file
    except OSError as error:
        raise disk_error(error, path) from error
    except RuntimeError as error:  # torch.save says "unexpected pos" after the system's own word
        if isinstance(error.__context__, OSError):
            raise disk_error(error.__context__, path) from error
        raise


def write_atomically(path: Path, data: bytes, *, root: Path | None = None, sync: bool = True) -> None:
    """Replace the content of a file; see `replacing`."""
    with replacing(path, root=root, sync=sync) as file:
        file.write(data)


def make_folder(path: Path, *, root: Path | None = None, parents: bool = False) -> None:
    """Make a folder, if it is not there.

    Args:
        path: The folder.
        root: As for `new_content`; None is the folder above it.
        parents: Whether to make what is missing above it, too. A worker must not: its run may have been deleted.

    Raises:
        RunError: If the disk does not take it, or something else is in its place.
    """
    try:
        add_folder(path, root=root, parents=parents)
    except OSError as error:
        raise disk_error(error, Path(error.filename or path)) from error


def stopped_within(seconds: float, should_stop: Callable[[], bool]) -> bool:
    """Wait; True as soon as somebody asks to stop."""
    deadline = time.monotonic() + seconds
    while not should_stop():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_LISTEN_EVERY_S)
    return True


def wait_until_back(is_back: Callable[[], bool], should_stop: Callable[[], bool]) -> bool:
    """Check every second whether something is back; False after `OUTAGE_S`, or as soon as somebody asks to stop."""
    for _ in range(poll_count(OUTAGE_S)):
        if stopped_within(LOOK_EVERY_S, should_stop):
            return False
        if is_back():
            return True
    return False


def poll_count(seconds: float) -> int:
    """How often `LOOK_EVERY_S` fits into a time."""
    return max(1, round(seconds / LOOK_EVERY_S))


def write_when_back(
    action: Callable[[], Result], folder: Path, *, should_stop: Callable[[], bool], on_wait: OnWait
) -> Result:
    """Write into a run's folder, waiting while the folder cannot be reached.

    Args:
        action: Does the writing; may be repeated from its beginning.
        folder: Of the run.
        should_stop: Whether somebody asked to stop; they want a checkpoint, so it tries for `DELETED_S` more.
        on_wait: Called when it begins to wait, and when it continues.

    Raises:
        AwayError: If the folder stays unreachable.
        RunError: If it was deleted, or cannot be written for another reason.
    """
    polls = 0
    while True:
        try:
            result = action()
        except (MiaError, OSError) as error:
            if not _is_unreachable(error):
                raise
            deleted = was_deleted(folder)
            if polls >= poll_count(DELETED_S if deleted or should_stop() else OUTAGE_S):
                if deleted:
                    raise
                raise AwayError(
                    f"The folder of the run, {printable(folder)}, cannot be reached, so nothing more can be saved.",
                    "When it is back, resume the run from its last checkpoint.",
                ) from error
            if not polls:
                on_wait(f"waiting for the folder of the run, {printable(folder)}, to come back")
        else:
            if polls:
                on_wait(None)
            return result
        polls += 1
        time.sleep(LOOK_EVERY_S)


def was_deleted(folder: Path) -> bool:
    """Whether a folder is missing while its parent is there; on an unreachable drive both are missing."""
    try:
        folder.stat()
    except FileNotFoundError:
        return os.path.isdir(folder.parent)  # noqa: PTH112  (Path.is_dir raises where a drive does not answer)
    except OSError:
        pass
    return False


def _is_unreachable(error: BaseException) -> bool:
    """Whether the write failed only because the disk cannot be reached."""
    cause = error if isinstance(error, OSError) else error.__cause__
    return isinstance(cause, OSError) and cause.errno in _UNREACHABLE
