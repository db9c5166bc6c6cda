"""The one way to make, replace, append to, lock, read and remove files and folders of ours.

A dataset may lie in a folder that is shared with people one does not know: whatever is found where a file of
ours is to be, somebody else may have put there. So

- no symbolic link is followed at the last step, nor anywhere below `root`, the folder that the user named
  (which may be a link of theirs): every folder from there on is opened by its descriptor,
- what is replaced goes through a random name that is made exclusively, fsync and rename, so that others read
  the old or the new content, whole,
- group and mode are set on the descriptor: they follow the folder, so a dataset folder shared by a group stays
  shared, a private one private,
- only regular files are opened, and a named pipe, a socket or a device is named and never waited for,
- what is changed in place (a log, a lock) has no second name by a hard link.

What is refused for this is an `OddFile`, an OSError whose `strerror` says what lies there.
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
FORGOTTEN_S = 3600.0  # nobody takes so long to write a file

_LONGEST_NAME_BYTES = 200  # of a name that a temporary one may repeat; file systems take 255
_TEMPORARY = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{16}\.tmp", re.DOTALL)
_CAREFUL = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# O_PATH: a folder that may be passed through need not be readable; it can then be neither listed nor synced.
_PASS_THROUGH = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_TO_LIST = os.O_RDONLY | os.O_DIRECTORY | _CAREFUL
_TRIES = 8
_locked: Counter[Identity] = Counter()  # files that this process holds locks on, see `hold`
_LINK = "it is a symbolic link, which is not followed here"
_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISLNK, _LINK),
    (stat.S_ISDIR, "it is a folder"),
    (stat.S_ISFIFO, "it is a named pipe"),
    (stat.S_ISSOCK, "it is a socket"),
)


class OddFile(OSError):
    """Something else lies where a file or folder of ours is to be; `strerror` says what, as "it is a socket"."""

    def __init__(self, what: str, path: Path) -> None:
        super().__init__(errno.EINVAL, what, os.fspath(path))


@contextmanager
def new_content(
    path: Path, *, root: Path | None = None, sync: bool = True, mode: int | None = None
) -> Iterator[BinaryIO]:
    """A new content for `path`, which appears there whole when the block ends without an error.

    Args:
        path: File to make or replace; its folder exists. A link of this name is replaced, not followed.
        root: The folder that the user named; no link is followed below it. None is the file's own folder.
        sync: Whether the content must survive a power loss (not worth its time for a heartbeat).
        mode: As `open` takes it, less the umask; None is the group and mode of the folder.

    Raises:
        OSError: If the disk does not take it; `path` is as it was before. `OddFile` for what is neither a regular
            file nor a link.
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
    """Give a file or folder another name in its own folder, where it takes the place of a file or an empty folder.

    Raises:
        OSError: If that cannot be.
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
    """A descriptor to read and write a file as it is.

    Args:
        path: The file.
        root: As for `new_content`.
        append: Whether all that is written goes to the end.
        make: Whether it is made where there is none.
        mode: Of a new file, as for `new_content`.

    Raises:
        OSError: If that cannot be; `OddFile` for a link, a hard link, or what is no regular file.
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
                except FileExistsError:  # another program was quicker
                    continue
            return _unless(_odd_in_place(os.fstat(descriptor)), descriptor, path)
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(path))


def identity(path: Path) -> Identity | None:
    """Tells the file of this name, which others open by it, from another that takes its place; None for no file.

    Raises:
        OSError: If it cannot be looked at; `OddFile` for a link, a hard link, or what is no regular file.
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
    """Let nothing here open a file by another name as long as this process has locks on it, until `let_go`.

    Closing any descriptor of a file drops all locks that the process has on it (POSIX), and an image may be a link
    to it or a second name of it.
    """
    _locked[file] += 1


def let_go(file: Identity) -> None:
    """The end of `hold`; each has one."""
    _locked.subtract([file])
    if not _locked[file]:
        del _locked[file]


def temporary_beside(path: Path) -> Path:
    """A name that nobody can foresee, of a file that is to be renamed to `path`; see `remove_leftovers`."""
    return path.with_name(_temporary_name(path.name))


def create(path: Path, *, root: Path | None = None, mode: int | None = None) -> int:
    """A descriptor to read and write a new file.

    Raises:
        FileExistsError: If there is anything of that name.
        OSError: If it cannot be made.
    """
    with _folder_of(path, root) as (folder, name):
        return _create(name, folder, os.O_RDWR, mode)


def open_to_read(path: Path, *, root: Path | None = None, follow: bool = False) -> BufferedReader:
    """Open a regular file for reading; anything else is never waited for.

    Args:
        path: The file.
        root: As for `new_content`.
        follow: Whether a link may lead to the file, which is for files of the user: images, weights.

    Raises:
        OSError: If that cannot be; `OddFile` for a link, or what is no regular file.
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
        most_bytes: A larger file is refused before it is read; None takes any.

    Raises:
        OSError: As `open_to_read`; `OddFile` for a file that is too large.
    """
    with open_to_read(path, root=root, follow=follow) as file:
        # Not `read(most_bytes)`, which takes memory for so much before it reads anything.
        if most_bytes is not None and os.fstat(file.fileno()).st_size > most_bytes:
            raise OddFile(f"it is larger than {most_bytes:,} bytes", path)
        return file.read()


def add_folder(
    path: Path, *, root: Path | None = None, parents: bool = False, mode: int | None = None
) -> None:
    """`make_folder` for other callers than runs; `mode` is that of new folders, as for `new_content`.

    Raises:
        OSError: If that cannot be; `OddFile` for a link or a file in its place.
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
    """Make a folder that is not there yet; `mode` as for `new_content`.

    Raises:
        FileExistsError: If there is anything of that name.
        OSError: If it cannot be made.
    """
    with _folder_of(path, root) as (folder, name):
        os.mkdir(name, 0o777 if mode is None else mode, dir_fd=folder)
        if mode is None:
            with _opened_folder(name, folder) as made:
                _follow_folder(made, folder)


def remove(path: Path, *, root: Path | None = None) -> None:
    """Remove a file, a link (not what it leads to), or a folder with all that is in it; nothing if it is gone.

    Raises:
        OSError: If that cannot be.
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
    """Remove what killed writers left under temporary names.

    Only for who keeps others from writing there, or with an age that no file reaches while it is written.

    Args:
        folder: Whose files were to be replaced.
        root: As for `new_content`.
        of: Whether leftovers of a file of this name are meant.
        older_than_s: Younger ones stay.
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
    """The folder that holds `path`, as a descriptor that no link led to from `root` on; and the name in it."""
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
        if error.filename == path.name:  # what failed knows no more than the name
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
    """Open what is a regular file, by its name in a folder; `path` is for the error."""
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
    status = os.stat(path)  # noqa: PTH116  # first: to open a device may do something
    _refuse_locked(status, path)
    what = _odd(status.st_mode)
    if what:
        raise OddFile(what, path)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    return _unless(_odd(os.fstat(descriptor).st_mode), descriptor, path)


def _unless(what: str, descriptor: int, path: Path) -> int:
    """What was opened, unless something is said against it."""
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
    """What is no regular file, as "it is a socket"; else empty."""
    try:
        return _odd(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return ""


def _odd(mode: int) -> str:
    if stat.S_ISREG(mode):
        return ""
    return next((words for is_kind, words in _KINDS if is_kind(mode)), "it is a device")


def _odd_in_place(status: os.stat_result) -> str:
    """As `_odd`, of what is to be changed where it is."""
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
    """Give a new file or folder the group and mode of the folder it lies in, as far as this user may.

    Never writable by everybody, even below a folder like /tmp.
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
        shutil.rmtree(name, dir_fd=folder)  # follows no links, not even those made meanwhile
    except FileNotFoundError:  # somebody else deletes it, too
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
    with suppress(OSError), _opened_folder(".", folder) as opened:  # some network file systems refuse that
        os.fsync(opened)
