"""The only way to create, replace, append to, lock, read and remove files and folders of mia-tui.

A dataset may be in a folder that unknown people can write to: somebody else may have put anything at the path of one
of our files. So

- no symbolic link is followed in the last step of a path, nor anywhere below `root`, the folder that the user named
  (which may be a link): from there on every folder is opened by its descriptor,
- a file is replaced by writing a new one with a random name, opened exclusively, then fsync and rename, so that
  others read the whole old or the whole new content,
- group and mode are set on the descriptor, from the folder: files in a folder shared by a group are shared, files in
  a private one are private,
- only regular files are opened; a named pipe, socket or device is refused without waiting for it,
- a file that is changed in place (a log, a lock) has no second name by a hard link.

A file refused for one of these reasons raises `OddFile`, an OSError whose `strerror` says what is there.
"""

import errno
import os
import re
import shutil
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

Identity = tuple[int, int]
"""Of a file: device and inode."""

NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
FORGOTTEN_S = 3600.0  # no file takes so long to write

_LONGEST_NAME_BYTES = 200  # of a name that a temporary one may repeat; file systems take 255
_TEMPORARY = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{16}\.tmp", re.DOTALL)
_CAREFUL = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# O_PATH: a folder on the way need not be readable; it can then be neither listed nor synced.
_PASS_THROUGH = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_TO_LIST = os.O_RDONLY | os.O_DIRECTORY | _CAREFUL
_TRIES = 8
_locked: Counter[Identity] = Counter()  # files that this process holds locks on, see `hold`
os.register_at_fork(after_in_child=_locked.clear)  # locks stay with the parent
_LINK = "it is a symbolic link, which is not followed here"
_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISLNK, _LINK),
    (stat.S_ISDIR, "it is a folder"),
    (stat.S_ISFIFO, "it is a named pipe"),
    (stat.S_ISSOCK, "it is a socket"),
)


class OddFile(OSError):
    """Something else is at the path of one of our files or folders; `strerror` says what, as "it is a socket"."""

    def __init__(self, what: str, path: Path) -> None:
        super().__init__(errno.EINVAL, what, os.fspath(path))


@contextmanager
def new_content(
    path: Path, *, root: Path | None = None, sync: bool = True, mode: int | None = None
) -> Iterator[BinaryIO]:
    """Write new content for `path`, which replaces the old as a whole when the block ends without an error.

    Args:
        path: File to create or replace; its folder exists. A link of this name is replaced, not followed.
        root: The folder that the user named; no link is followed below it. None for the file's own folder.
        sync: Whether the content must survive a power loss (too slow for a heartbeat).
        mode: As for `os.open`, minus the umask; None for the group and mode of the folder.

    Raises:
        OSError: If it cannot be written; `path` is then unchanged. `OddFile` if `path` is neither a regular file nor
            a link.
    """
    with _folder_of(path, root) as (folder, name):
        what = _what_lies_there(name, folder)
        if what not in ("", _LINK):
            raise OddFile(what, path)
        temporary = _temporary_name(name)
        try:
            with os.fdopen(_create(temporary, folder, os.O_RDWR, mode), "wb") as file:
                yield file
                file.flush()
                if sync:
                    os.fsync(file.fileno())
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
            raise
        if sync:
            _sync_folder(folder)


def rename(path: Path, name: str, *, root: Path | None = None) -> None:
    """Rename a file or folder within its folder; it replaces a file or an empty folder of that name.

    Raises:
        OSError: If that fails.
    """
    with _folder_of(path, root) as (folder, old):
        os.replace(old, name, src_dir_fd=folder, dst_dir_fd=folder)


def open_in_place(
    path: Path,
    *,
    root: Path | None = None,
    append: bool = False,
    make: bool = True,
    mode: int | None = None,
) -> int:
    """Open a file to read it and change it in place; returns a descriptor.

    Args:
        path: The file.
        root: As for `new_content`.
        append: Whether everything is written at the end.
        make: Whether it is created if it does not exist.
        mode: Of a new file, as for `new_content`.

    Raises:
        OSError: If that fails; `OddFile` for a link, a hard link, or anything but a regular file.
    """
    flags = os.O_RDWR | (os.O_APPEND if append else 0)
    with _folder_of(path, root) as (folder, name):
        for _ in range(_TRIES):
            try:
                descriptor = _open_regular(name, folder, flags, path)
            except FileNotFoundError:
                if not make:
                    raise
                try:
                    return _create(name, folder, flags, mode)
                except FileExistsError:  # another program created it first
                    continue
            return _unless(_odd_in_place(os.fstat(descriptor)), descriptor, path)
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(path))


def identity(path: Path) -> Identity | None:
    """Device and inode of a file, which differ if another file replaces it; None if there is no file.

    Raises:
        OSError: If it cannot be examined; `OddFile` for a link, a hard link, or anything but a regular file.
    """
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    what = _odd_in_place(status)
    if what:
        raise OddFile(what, path)
    return status.st_dev, status.st_ino


def hold(file: Identity) -> None:
    """Refuse to open this file by another name while this process has locks on it, until `let_go`.

    Closing any descriptor of a file drops all locks that the process has on it (POSIX), and an image may be a link to
    the file or a second name of it.
    """
    _locked[file] += 1


def let_go(file: Identity) -> None:
    """End a `hold`; call it once for each."""
    _locked.subtract([file])
    if _locked[file] <= 0:
        del _locked[file]


def temporary_beside(path: Path) -> Path:
    """An unpredictable name for a file that will be renamed to `path`; see `remove_leftovers`."""
    return path.with_name(_temporary_name(path.name))


def create(path: Path, *, root: Path | None = None, mode: int | None = None) -> int:
    """Create a file; returns a descriptor to read and write it.

    Raises:
        FileExistsError: If anything of that name exists.
        OSError: If it cannot be created.
    """
    with _folder_of(path, root) as (folder, name):
        return _create(name, folder, os.O_RDWR, mode)


def open_to_read(path: Path, *, root: Path | None = None, follow: bool = False) -> BufferedReader:
    """Open a regular file for reading; anything else is refused without waiting for it.

    Args:
        path: The file.
        root: As for `new_content`.
        follow: Whether links are followed, for files of the user: images, weights.

    Raises:
        OSError: If that fails; `OddFile` for a link, or anything but a regular file.
    """
    if follow:
        descriptor = _open_followed(path)
    else:
        with _folder_of(path, root) as (folder, name):
            descriptor = _open_regular(name, folder, os.O_RDONLY, path)
    return os.fdopen(descriptor, "rb")


def read(
    path: Path, *, root: Path | None = None, follow: bool = False, most_bytes: int | None = None
) -> bytes:
    """The content of a regular file.

    Args:
        path: The file.
        root: As for `new_content`.
        follow: As for `open_to_read`.
        most_bytes: A larger file is refused before it is read; None for no limit.

    Raises:
        OSError: As `open_to_read`; `OddFile` for a file that is too large.
    """
    with open_to_read(path, root=root, follow=follow) as file:
        # Not `read(most_bytes)`, which allocates that much memory before it reads anything.
        if most_bytes is not None and os.fstat(file.fileno()).st_size > most_bytes:
            raise OddFile(f"it is larger than {most_bytes:,} bytes", path)
        return file.read()


def add_folder(
    path: Path, *, root: Path | None = None, parents: bool = False, mode: int | None = None
) -> None:
    """Create a folder if it does not exist, with `parents` also those above it; `mode` as for `new_content`.

    Raises:
        OSError: If that fails; `OddFile` for a link or a file of that name.
    """
    if not parents:
        _add_folder(path, root, mode)
        return
    place = path.parent if root is None else root
    for folder in reversed([place, *place.parents]):
        if not folder.is_dir():
            _add_folder(folder, None, mode)
    for step in path.relative_to(place).parts:
        place /= step
        _add_folder(place, root, mode)


def add_new_folder(path: Path, *, root: Path | None = None, mode: int | None = None) -> None:
    """Create a folder that must not exist; `mode` as for `new_content`.

    Raises:
        FileExistsError: If anything of that name exists.
        OSError: If it cannot be created.
    """
    with _folder_of(path, root) as (folder, name):
        os.mkdir(name, 0o777 if mode is None else mode, dir_fd=folder)
        if mode is None:
            with _opened_folder(name, folder) as made:
                _follow_folder(made, folder)


def remove(path: Path, *, root: Path | None = None) -> None:
    """Remove a file, a link (not its target), or a folder with its content; nothing happens if it does not exist.

    Raises:
        OSError: If that fails.
    """
    with suppress(FileNotFoundError), _folder_of(path, root) as (folder, name):
        _remove(name, folder)


def remove_leftovers(
    folder: Path,
    *,
    root: Path | None = None,
    of: Callable[[str], bool] = lambda name: True,
    older_than_s: float = 0.0,
) -> None:
    """Remove temporary files that killed processes left.

    Only if no other process can write there, or with an age that no file reaches while it is written.

    Args:
        folder: Folder of the files that were being replaced.
        root: As for `new_content`.
        of: Whether temporary files of a file of this name are removed.
        older_than_s: Newer ones stay.
    """
    with suppress(OSError), _folder_of(folder / "any", root or folder.parent) as (place, _):
        with _opened_folder(".", place) as opened:
            names = os.listdir(opened)  # noqa: PTH208
        for name in names:
            match = _TEMPORARY.fullmatch(name)
            if match is None or not of(match["name"]):
                continue
            with suppress(OSError):
                status = os.stat(name, dir_fd=place, follow_symlinks=False)
                if time.time() - status.st_mtime >= older_than_s:
                    _remove(name, place)


@contextmanager
def _folder_of(path: Path, root: Path | None) -> Iterator[tuple[int, str]]:
    """The folder of `path`, as a descriptor that was reached without links from `root` on; and the name in it."""
    place = path.parent if root is None else root
    descriptor = os.open(place, _PASS_THROUGH)
    try:
        for step in path.parent.relative_to(place).parts:
            place /= step
            below = _open_folder(step, descriptor, place)
            os.close(descriptor)
            descriptor = below
        yield descriptor, path.name
    except OSError as error:
        if error.filename == path.name:  # the error has only the last name
            error.filename = os.fspath(path)
        raise
    finally:
        os.close(descriptor)


def _open_folder(name: str, folder: int, path: Path) -> int:
    try:
        return os.open(name, _PASS_THROUGH | os.O_NOFOLLOW, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise OddFile(_what_lies_there(name, folder) or "it is a file", path) from error
        raise type(error)(error.errno, error.strerror, os.fspath(path)) from None


def _open_regular(name: str, folder: int, flags: int, path: Path) -> int:
    """Open a regular file by its name in a folder; `path` is for the error."""
    try:
        if _locked:
            _refuse_locked(os.stat(name, dir_fd=folder, follow_symlinks=False), path)
        descriptor = os.open(name, flags | _CAREFUL, dir_fd=folder)
    except OddFile:
        raise
    except OSError as error:
        what = _what_lies_there(name, folder)
        if what:
            raise OddFile(what, path) from error
        raise
    return _unless(_odd(os.fstat(descriptor).st_mode), descriptor, path)


def _open_followed(path: Path) -> int:
    status = os.stat(path)  # noqa: PTH116  # first: opening a device may have an effect
    _refuse_locked(status, path)
    what = _odd(status.st_mode)
    if what:
        raise OddFile(what, path)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    return _unless(_odd(os.fstat(descriptor).st_mode), descriptor, path)


def _unless(what: str, descriptor: int, path: Path) -> int:
    """The descriptor, unless `what` says why it is refused."""
    if what:
        os.close(descriptor)
        raise OddFile(what, path)
    return descriptor


def _create(name: str, folder: int, flags: int, mode: int | None) -> int:
    flags |= os.O_CREAT | os.O_EXCL | _CAREFUL
    descriptor = os.open(name, flags, 0o666 if mode is None else mode, dir_fd=folder)
    if mode is None:
        _follow_folder(descriptor, folder)
    return descriptor


def _add_folder(path: Path, root: Path | None, mode: int | None) -> None:
    try:
        add_new_folder(path, root=root, mode=mode)
    except FileExistsError:
        with _folder_of(path, root) as (folder, name):
            os.close(_open_folder(name, folder, path))


def _what_lies_there(name: str, folder: int) -> str:
    """What is there if it is not a regular file, as "it is a socket"; else empty."""
    try:
        return _odd(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return ""


def _odd(mode: int) -> str:
    if stat.S_ISREG(mode):
        return ""
    return next((words for is_kind, words in _KINDS if is_kind(mode)), "it is a device")


def _odd_in_place(status: os.stat_result) -> str:
    """As `_odd`, for a file that will be changed in place."""
    if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
        return "it has a second name by a hard link, which would change, too"
    return _odd(status.st_mode)


def _refuse_locked(status: os.stat_result, path: Path) -> None:
    if (status.st_dev, status.st_ino) in _locked:
        raise OddFile("it is a file that this program has locked", path)


def _temporary_name(name: str) -> str:
    short = name if len(os.fsencode(name)) <= _LONGEST_NAME_BYTES else "mia-tui"
    return f".{short}.{os.urandom(8).hex()}.tmp"


def _follow_folder(descriptor: int, folder: int) -> None:
    """Give a new file or folder the group and mode of its folder, as far as this user is allowed to.

    Never writable by everybody, even in a folder like /tmp.
    """
    above, own = os.fstat(folder), os.fstat(descriptor)
    try:
        if own.st_gid != above.st_gid:
            os.fchown(descriptor, -1, above.st_gid)
    except OSError:  # a group that this user is not in
        return
    is_folder = stat.S_ISDIR(own.st_mode)
    mode = (above.st_mode & 0o2775 | 0o700) if is_folder else (above.st_mode & 0o664 | 0o600)
    with suppress(OSError):
        os.fchmod(descriptor, mode)


def _remove(name: str, folder: int) -> None:
    if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=folder)
        return
    try:
        shutil.rmtree(name, dir_fd=folder)  # follows no links, not even those created meanwhile
    except FileNotFoundError:  # another process deletes it, too
        with suppress(FileNotFoundError):
            shutil.rmtree(name, dir_fd=folder)


@contextmanager
def _opened_folder(name: str, folder: int) -> Iterator[int]:
    descriptor = os.open(name, _TO_LIST, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _sync_folder(folder: int) -> None:
    with (
        suppress(OSError),
        _opened_folder(".", folder) as opened,
    ):  # some network file systems do not allow that
        os.fsync(opened)
