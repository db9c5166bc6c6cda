"""Writing exported files: completely or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mia_tui.disk_errors import disk_error
from mia_tui.errors import DataError, MiaError
from mia_tui.files import new_content

# Minus the umask: exported files are like any other file of the user.
FILE_MODE, FOLDER_MODE = 0o666, 0o777


def replace_file(path: Path, content: bytes, *, root: Path | None = None, sync: bool = True) -> None:
    """Write a file, which only appears once it is complete.

    Args:
        path: The file.
        content: All of it.
        root: As for `files.new_content`.
        sync: Whether to wait until it is on disk; not worth it for thousands of files that can be written again.

    Raises:
        DataError: If the folder is missing, read-only or full.
    """
    try:
        with new_content(path, root=root, sync=sync, mode=FILE_MODE) as file:
            file.write(content)
    except OSError as error:
        raise cannot_write(path, error) from error


@contextmanager
def writing_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file bit by bit, which only appears once the block ends without an error.

    Raises:
        DataError: If the folder is missing, read-only or full.
    """
    try:
        with new_content(path, mode=FILE_MODE) as file:
            yield file
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> MiaError:
    """The error for an exported file or folder that cannot be written."""
    return disk_error(error, path, DataError, elsewhere="name another file or folder.")
