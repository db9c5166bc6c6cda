"""What a run writes into its folder, and the sentence where the disk does not take it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mia_tui.errors import MiaError, RunError
from mia_tui.files import OddFile, add_folder, new_content
from mia_tui.text import printable

FULL_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_ELSEWHERE = "put labels and runs elsewhere with --state DIR."


def disk_error(error: OSError, path: Path, kind: type[MiaError] = RunError) -> MiaError:
    """The sentence for a file or folder that could not be written.

    Args:
        error: What the system said.
        path: The file or folder that was to be written.
        kind: Class of the error that is returned (not raised).
    """
    name = printable(path)
    if isinstance(error, OddFile):
        name = printable(error.filename)
        return kind(f"{name} cannot be used: {error.strerror}.", f"Remove it, or {_ELSEWHERE}")
    space, elsewhere = f"Free some space, or {_ELSEWHERE}", f"{_ELSEWHERE[:1].upper()}{_ELSEWHERE[1:]}"
    forbidden = f"{name} may not be written by you.", f"Ask its owner, or {_ELSEWHERE}"
    known = {
        errno.ENOSPC: (f"The disk that holds {name} is full.", space),
        errno.EDQUOT: (f"Your quota on the disk that holds {name} is used up.", space),
        errno.EFBIG: (
            f"{name} would be larger than your limit on the size of files.",
            "`ulimit -f` shows it.",
        ),
        errno.EROFS: (f"{name} lies on a read-only disk.", elsewhere),
        errno.EACCES: forbidden,
        errno.EPERM: forbidden,
    }
    reason = error.strerror or type(error).__name__
    return kind(*known.get(error.errno or 0, (f"{name} cannot be written: {reason}.", elsewhere)))


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
