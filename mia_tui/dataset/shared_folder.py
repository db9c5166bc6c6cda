"""Files beside a dataset belong to the people who share it: they follow its group and mode."""

import os
from contextlib import suppress
from pathlib import Path


def make_folder(path: Path) -> None:
    """Make a folder and what is missing above it, with the group and mode of what it lies in.

    Raises:
        OSError: If that cannot be.
    """
    missing = [path]
    while not missing[-1].parent.exists():
        missing.append(missing[-1].parent)
    for folder in reversed(missing):
        try:
            folder.mkdir()
        except FileExistsError:
            if not folder.is_dir():
                raise
        else:
            follow_folder(folder)


def follow_folder(path: Path) -> None:
    """Give a new file or folder the group and mode of the folder it lies in, as far as this user may.

    Never writable by everybody, even below a folder like /tmp.
    """
    try:
        above, own = path.parent.stat(), path.stat()
        if own.st_gid != above.st_gid:
            os.chown(path, -1, above.st_gid)
    except OSError:  # a group that this user is not in
        return
    mode = (above.st_mode & 0o2775 | 0o700) if path.is_dir() else (above.st_mode & 0o664 | 0o600)
    with suppress(OSError):
        path.chmod(mode)
