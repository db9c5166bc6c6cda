"""A disk that is away for a moment: a network drive that blinks, a file server that restarts.

One rule for the images and for the run's own folder: wait, say so, go on as if nothing had happened, and
end with what was saved if the disk does not come back within `AWAY_S`. Waits are counted in looks, not by the
clock, so that a process that was suspended for an hour does not take that for an hour of waiting.
"""

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from mia_tui.errors import UNREACHABLE, AwayError, MiaError
from mia_tui.text import printable

Result = TypeVar("Result")
OnWait = Callable[[str | None], None]
"""Told why something waits, and None when it goes on."""

AWAY_S = 300.0
"""So long a disk that went away is waited for. A file server that restarts is back within two to four minutes
(NFS alone holds its clients off for 90 seconds); after more than that somebody has to look at it anyway, and an idle
GPU costs more than one command to resume."""

GONE_S = 15.0
"""So long a run's folder must be missing from the folder it lay in until that means that it was deleted."""

LOOK_EVERY_S = 1.0
_LISTEN_EVERY_S = 0.1
_AWAY = UNREACHABLE | {errno.ENOENT, errno.ENOTDIR}


def stopped_within(seconds: float, should_stop: Callable[[], bool]) -> bool:
    """Wait; True as soon as somebody asks to stop."""
    deadline = time.monotonic() + seconds
    while not should_stop():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_LISTEN_EVERY_S)
    return True


def wait_until(is_back: Callable[[], bool], should_stop: Callable[[], bool]) -> bool:
    """Look every second until something is back; False after `AWAY_S`, or as soon as somebody asks to stop."""
    for _ in range(looks(AWAY_S)):
        if stopped_within(LOOK_EVERY_S, should_stop):
            return False
        if is_back():
            return True
    return False


def looks(seconds: float) -> int:
    """How many looks fit into a time."""
    return max(1, round(seconds / LOOK_EVERY_S))


def when_there(
    action: Callable[[], Result], folder: Path, *, should_stop: Callable[[], bool], on_wait: OnWait
) -> Result:
    """Do what writes into a run's folder, as soon as that is there.

    Args:
        action: May be done again from its beginning.
        folder: Of the run.
        should_stop: Whoever asks to stop wants a checkpoint, so that is tried for some more seconds.
        on_wait: Told when it waits, and when it goes on.

    Raises:
        AwayError: If the folder stays away.
        RunError: If it was deleted, or does not take what is written for another reason.
    """
    looked = 0
    while True:
        try:
            result = action()
        except (MiaError, OSError) as error:
            if not _is_away(error):
                raise
            deleted = was_deleted(folder)
            if looked >= looks(GONE_S if deleted or should_stop() else AWAY_S):
                if deleted:
                    raise
                raise AwayError(
                    f"The folder of the run, {printable(folder)}, is away, so nothing more can be saved.",
                    "When it is back, the run can be resumed from its last checkpoint.",
                ) from error
            if not looked:
                on_wait(f"waiting for the folder of the run, {printable(folder)}, to come back")
        else:
            if looked:
                on_wait(None)
            return result
        looked += 1
        time.sleep(LOOK_EVERY_S)


def was_deleted(folder: Path) -> bool:
    """Whether a folder is missing and what it lay in is there, as against a drive that is away with both."""
    try:
        folder.stat()
    except FileNotFoundError:
        return os.path.isdir(folder.parent)  # noqa: PTH112  (Path.is_dir raises where a drive does not answer)
    except OSError:
        pass
    return False


def _is_away(error: BaseException) -> bool:
    """Whether what could not be written would go if the disk were back."""
    cause = error if isinstance(error, OSError) else error.__cause__
    return isinstance(cause, OSError) and cause.errno in _AWAY
