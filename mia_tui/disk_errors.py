"""What is said about a disk that cannot be written: full, over a quota, read-only, not permitted.

Whoever writes labels, runs or exported files takes the sentences from here. What SQLite reports about labels.db comes
by way of `dataset.store.errors`. A disk that is away for a while is waited for: `runs.disk`. Two warnings about a
disk that will be or is full have words of their own: before a training in `runs.preflight.machine`, and on the screen
of a run in `tui.runs.words`.
"""

import errno
from pathlib import Path

from mia_tui.errors import MiaError, RunError
from mia_tui.files import OddFile
from mia_tui.text import printable

FULL_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

UNREACHABLE = frozenset(
    {
        errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN,
        errno.ENETUNREACH, errno.ECONNRESET, errno.ECONNREFUSED, errno.ECONNABORTED, errno.ENODEV, errno.ENXIO,
        errno.ESHUTDOWN,
    }
)  # fmt: skip
"""Error numbers for a file on a disk that does not answer, unlike those for a file that does not exist."""

RUNS_ELSEWHERE = "put labels and runs elsewhere with --state DIR."
LABELS_ELSEWHERE = "store the labels elsewhere with --state DIR."


def disk_error(
    error: OSError, path: Path, kind: type[MiaError] = RunError, *, elsewhere: str = RUNS_ELSEWHERE
) -> MiaError:
    """The sentence for a file or folder that could not be written.

    Args:
        error: What the system said.
        path: The file or folder that was to be written.
        kind: Class of the error that is returned (not raised).
        elsewhere: What the user can do instead, as the end of a sentence.
    """
    name = printable(path)
    if isinstance(error, OddFile):
        name = printable(error.filename)
        return kind(f"{name} cannot be used: {error.strerror}.", f"Remove it, or {elsewhere}")
    space, instead = f"Free some space, or {elsewhere}", f"{elsewhere[:1].upper()}{elsewhere[1:]}"
    forbidden = f"You may not write to {name}.", f"Ask its owner, or {elsewhere}"
    known = {
        errno.ENOSPC: (f"The disk that holds {name} is full.", space),
        errno.EDQUOT: (f"Your quota on the disk that holds {name} is used up.", space),
        errno.EFBIG: (
            f"{name} would be larger than your limit on the size of files.",
            "`ulimit -f` shows it.",
        ),
        errno.EROFS: (f"{name} is on a read-only disk.", instead),
        errno.EACCES: forbidden,
        errno.EPERM: forbidden,
    }
    reason = error.strerror or type(error).__name__
    return kind(*known.get(error.errno or 0, (f"{name} cannot be written: {reason}.", instead)))
