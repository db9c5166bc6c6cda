"""Making and opening the file labels.db."""

import os
import sqlite3
import time
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from urllib.parse import quote

from mia_tui.dataset.store.migrations import check_schema
from mia_tui.dataset.store.sqlite_errors import BUSY_TIMEOUT_S, telling
from mia_tui.errors import StoreError, StoreReplaced
from mia_tui.files import Identity, OddFile, add_folder, create, hold, identity, let_go, open_to_read
from mia_tui.text import printable

_JOURNAL = "-journal"
_BESIDE = (_JOURNAL, "-wal", "-shm")  # what SQLite may keep beside a file
_SETTLED_NS = 2_000_000_000  # no file system counts time in larger steps
_MOST_BYTES = 1 << 24  # of a value or a row; a few that are larger would fill the memory
# https://www.sqlite.org/fileformat2.html#the_rollback_journal; a journal that ends so names a super-journal before.
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")


def make_file(path: Path) -> bool:
    """Make an empty labels.db, and its folder, where there is none.

    It gets the group and mode of its folder before SQLite sees it, which gives the journal the same: what
    one person of a group labelled, the others can go on with.

    Returns:
        Whether the file is new.

    Raises:
        StoreError: If that cannot be.
    """
    try:
        add_folder(path.parent, root=path.parent, parents=True)
        os.close(create(path))
    except FileExistsError:
        return False
    except OSError as error:
        raise StoreError(
            f"{printable(path)} cannot be made: {error.strerror}.",
            "Put the labels elsewhere with --state DIR.",
        ) from error
    return True


class StoreFile:
    """The file labels.db as it was opened, and what lies beside it.

    SQLite opens it, and what it keeps beside it, by name, follows links and waits for a named pipe: so all that
    somebody else may have put there is refused before each access, and the identity compared. Nobody puts a name
    there without changing the folder's time, so while that stands, three system calls are enough: a label goes to
    the disk while somebody waits for it, and each call may have to wait for another thread of this process.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened: Identity | None = None
        self._journal: BufferedReader | None = None
        self._settled: tuple[int, ...] | None = None  # the folder, when all in it was looked at

    def look(self) -> Identity | None:
        """What tells the file of this name from another that takes its place; None where there is none.

        Raises:
            StoreError: If it is a link or no regular file, or one of those beside it is.
        """
        try:
            return self._looked()
        except OddFile as error:
            raise StoreError(
                f"{printable(error.filename)} cannot be used: {error.strerror}.",
                "See who put it there and remove it or replace it by a copy, "
                "or put the labels elsewhere with --state DIR.",
            ) from error
        except OSError as error:
            raise StoreError(f"{printable(self.path)} cannot be looked at: {error.strerror}.") from error

    def is_in_place(self) -> bool:
        """Whether the file of this name is the one that was opened."""
        try:
            return self._looked() == self._opened
        except OSError:
            return False

    def connect(self, seen: Identity | None) -> sqlite3.Connection:
        """Open a file that is there, in autocommit mode; for reading only where it may not be written.

        The journal is PERSIST: it works without shared memory (WAL does not across NFS), and unlike DELETE
        it does not depend on a folder's entry being synced, so a power loss cannot take back the last label.

        Args:
            seen: What `look` said of it before.

        Raises:
            StoreError: If that cannot be, or the file is no labels.db.
        """
        self._opened = seen
        if seen is not None:
            hold(seen)
        try:
            return self._connected()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """To be called once the connection is closed."""
        if self._opened is not None:
            let_go(self._opened)
            self._opened = None
        self._forget_folder()

    def _connected(self) -> sqlite3.Connection:
        # The name goes in as percent-encoded bytes: it need not be UTF-8.
        uri = f"file:{quote(os.fsencode(self.path.absolute()))}?mode=rw"
        with telling(self.path):
            connection = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            try:
                connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_BYTES)
                connection.execute("PRAGMA trusted_schema = OFF")
                check_schema(connection)  # before the journal: that of another program's file stays as it is
                connection.execute("PRAGMA journal_mode = PERSIST")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA foreign_keys = ON")
                if self.look() != self._opened:
                    raise StoreReplaced(
                        f"{printable(self.path)} was replaced while it was opened.", "Open it again."
                    )
            except BaseException:
                connection.close()
                raise
            return connection

    def _looked(self) -> Identity | None:
        now_ns = time.time_ns()
        try:
            status = self.path.parent.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        folder = (status.st_dev, status.st_ino, status.st_mtime_ns)
        if folder != self._settled:
            self._look_around()
            # Two changes within one tick of the clock look like one.
            is_settled = now_ns - status.st_mtime_ns > _SETTLED_NS
            self._settled = folder if is_settled else None
        elif self._journal is not None:
            self._refuse_super_journal(self._journal)
        return identity(self.path)

    def _look_around(self) -> None:
        self._forget_folder()
        for name in _BESIDE:
            path = self.path.with_name(self.path.name + name)
            if identity(path) is not None and name == _JOURNAL:
                with suppress(FileNotFoundError):
                    self._journal = open_to_read(path)
        if self._journal is not None:
            self._refuse_super_journal(self._journal)

    def _refuse_super_journal(self, journal: BufferedReader) -> None:
        """Refuse a journal that names another: SQLite would delete that, whatever it is. Ours never do.

        Only a transaction on several databases at once has a super-journal, and there is no such here.
        """
        descriptor = journal.fileno()
        if os.pread(descriptor, 1, 0) in (b"", b"\0"):  # it will not be played back
            return
        end = max(0, os.fstat(descriptor).st_size - len(_JOURNAL_MAGIC))
        if os.pread(descriptor, len(_JOURNAL_MAGIC), end) == _JOURNAL_MAGIC:
            raise OddFile("it names another file, which SQLite would delete", Path(f"{self.path}{_JOURNAL}"))

    def _forget_folder(self) -> None:
        self._settled = None
        if self._journal is not None:
            self._journal.close()
            self._journal = None
