"""Writing the files of an export, whole or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from mia_tui.disk_errors import disk_error
from mia_tui.errors import MiaError, RunError
from mia_tui.files import (
    FORGOTTEN_S,
    add_folder,
    add_new_folder,
    new_content,
    open_to_read,
    remove,
    remove_leftovers,
    rename,
    temporary_beside,
)
from mia_tui.text import printable

_ELSEWHERE = "name another folder with --out."


def write_file(path: Path, content: bytes) -> None:
    """Write a file.

    Raises:
        RunError: If the disk does not take it.
    """
    with _writing(path) as file:
        file.write(content)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file.

    Raises:
        RunError: If it cannot be read, or the disk does not take it.
    """
    try:
        file = open_to_read(source, follow=True)
    except OSError as error:
        raise RunError(
            f"{printable(source)} cannot be read: {error.strerror or type(error).__name__}.",
            "Use another run, or a copy of the file.",
        ) from error
    with file, _writing(target) as copy:
        shutil.copyfileobj(file, copy)


@contextmanager
def folder_in_the_making(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """A folder with a temporary name beside `out`, which gets that name at the end, and is removed after an error.

    One that a killed export of the same name has left is removed by the next one that succeeds.

    Args:
        out: The folder.
        overwrite: Whether one that is there is replaced; it steps aside first, and comes back if that fails.

    Raises:
        RunError: If the disk does not take it.
    """
    out = out.absolute()
    folder, before = temporary_beside(out), temporary_beside(out)
    try:
        add_folder(out.parent, parents=True)
        add_new_folder(folder)
    except OSError as error:
        raise _refused(error, out) from error
    try:
        yield folder
        try:
            if overwrite and out.is_dir():
                rename(out, before.name)
            _rename_or_bring_back(folder, out, before)
            remove(before)
            remove_leftovers(out.parent, root=out.parent, of=out.name.__eq__, older_than_s=FORGOTTEN_S)
        except OSError as error:
            raise _refused(error, out) from error
    finally:
        with suppress(OSError):
            remove(folder)


def _rename_or_bring_back(folder: Path, out: Path, before: Path) -> None:
    try:
        rename(folder, out.name)
    except OSError:
        with suppress(FileNotFoundError):  # there was none
            rename(before, out.name)
        raise


@contextmanager
def _writing(path: Path) -> Iterator[BinaryIO]:
    try:
        with new_content(path, root=path.parent) as file:
            yield file
    except OSError as error:
        raise _refused(error, path) from error


def _refused(error: OSError, path: Path) -> MiaError:
    return disk_error(error, path, elsewhere=_ELSEWHERE)
