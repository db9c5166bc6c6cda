"""What a run's worker and the processes that it started say to each other, over a socket of this user.

A process reports its events, a failure, and its end. The worker asks all of them to stop after the present step, or
ends them at once. A process whose worker has ended ends, too.
"""

import os
import shutil
import tempfile
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Literal, Self

import msgspec

from mia_tui import errors
from mia_tui.errors import MiaError, RunError
from mia_tui.runs.record.events import Event, Failure, KnownEvent, Outcome
from mia_tui.runs.record.log import decode_event, encode_event

_STOP, _END = b"stop", b"end"
_LONGEST_PATH = 80  # bytes; that of a socket is 107 at most


class RankBegan(msgspec.Struct, tag=True):
    """A process has begun."""

    rank: int
    pid: int


class RankEvent(msgspec.Struct, tag=True):
    """An event of the run, as its line."""

    line: str

    def event(self) -> KnownEvent | None:
        found = decode_event(self.line.encode())
        return found if isinstance(found, KnownEvent) else None


class RankWaits(msgspec.Struct, tag=True):
    """A process waits for a disk, for this reason; None continues."""

    reason: str | None


class RankFailed(msgspec.Struct, tag=True):
    """A process failed.

    Attributes:
        error: Why; its kind is the name of a class of `mia_tui.errors`, or of another error.
        is_lost_peer: Whether it says no more than that another process has ended.
        is_out_of_memory: Whether memory ran out on its device.
    """

    error: Failure
    is_lost_peer: bool = False
    is_out_of_memory: bool = False

    def as_error(self) -> MiaError:
        kind = getattr(errors, self.error.kind, RunError)
        return kind(self.error.message, self.error.hint)


class RankEnded(msgspec.Struct, tag=True):
    """A process has done its work."""

    outcome: Outcome


RankMessage = RankBegan | RankEvent | RankWaits | RankFailed | RankEnded
_DECODER = msgspec.json.Decoder(RankMessage)


class RankChannels:
    """The worker's end: the processes that connected, and what they say.

    Args:
        count: How many processes there will be.

    Attributes:
        folder: A folder of this user, removed once all have connected.
        address: Of the socket.
        messages: Number of a process, and what it says; None once it has ended.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        folder = tempfile.gettempdir()
        self.folder = Path(
            tempfile.mkdtemp(prefix="mia-", dir=folder if len(folder) < _LONGEST_PATH else "/tmp")
        )
        self.address = str(self.folder / "ranks")
        self.messages: SimpleQueue[tuple[int, RankMessage | None]] = SimpleQueue()
        self._listener = Listener(self.address, family="AF_UNIX", backlog=64)
        self._lock, self._open = Lock(), dict[int, Connection]()
        self._said: bytes | None = None
        Thread(target=self._accept, name="ranks", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def _remove(self) -> None:
        self._listener.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self) -> None:
        """Ask all processes to stop after the present step."""
        self._say(_STOP)

    def end(self) -> None:
        """End all processes at once."""
        self._say(_END)

    def _say(self, word: bytes) -> None:
        with self._lock:
            self._said = word
            for connection in self._open.values():
                _send(connection, word)

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except OSError:  # closed
                return
            Thread(target=self._listen, args=(connection,), name="rank", daemon=True).start()

    def _listen(self, connection: Connection) -> None:
        rank = -1
        try:
            while True:
                message = _DECODER.decode(connection.recv_bytes())
                if isinstance(message, RankBegan):
                    rank = message.rank
                    with self._lock:
                        self._open[rank] = connection
                        if len(self._open) == self._count:
                            self._remove()  # now, since a worker that is killed cannot
                        if self._said is not None:
                            _send(connection, self._said)
                self.messages.put((rank, message))
        except (OSError, EOFError, msgspec.MsgspecError):
            with self._lock:
                self._open.pop(rank, None)
            self.messages.put((rank, None))


class WorkerChannel:
    """The end of a process: reports, and listens in a thread.

    Args:
        address: Of the worker's socket.
        rank: Number of this process.

    Attributes:
        is_asked_to_stop: Whether to stop after the present step.
    """

    def __init__(self, address: str, rank: int) -> None:
        self.is_asked_to_stop = False
        self._connection: Connection = Client(address, family="AF_UNIX")
        self._lock = Lock()
        self._thread = Thread(target=self._listen, name="worker", daemon=True)
        self.send(RankBegan(rank, os.getpid()))
        self._thread.start()

    def send(self, message: RankMessage) -> None:
        with self._lock:
            self._connection.send_bytes(msgspec.json.encode(message))

    def report(self, event: Event) -> None:
        """Report an event of the run."""
        self.send(RankEvent(encode_event(event).decode()))

    def wait_for_end(self) -> None:
        """Wait until the worker ends this process."""
        self._thread.join()

    def _listen(self) -> None:
        """Until the worker says so or has ended: then nothing that this process does is wanted any more."""
        try:
            while (word := self._connection.recv_bytes()) != _END:
                self.is_asked_to_stop = self.is_asked_to_stop or word == _STOP
        finally:
            os._exit(0)


def _send(connection: Connection, word: Literal[b"stop", b"end"] | bytes) -> None:
    try:
        connection.send_bytes(word)
    except OSError:  # it has ended
        return
