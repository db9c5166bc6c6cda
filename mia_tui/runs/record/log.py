"""events.jsonl: writing it and reading it, by whole lines.

One writer (the worker that holds the lock), any number of readers. A line goes
out in one write; after a line that was cut (a kill, a full disk) the next one
begins with a newline, so the damage stays in one line, which readers count and
skip. Nothing is ever truncated: a reader may be anywhere in the file.

What cannot be written because the disk is full or cannot be reached waits in memory.
"""

import math
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, get_args

import msgspec

from mia_tui.decoding import BadRecord, JsonReader
from mia_tui.disk_errors import FULL_DISK, UNREACHABLE, disk_error
from mia_tui.files import open_in_place, open_to_read
from mia_tui.runs.record.events import Event, KnownEvent, PhaseName, ProgressMade, StepEnded, UnknownEvent
from mia_tui.text import printable

_CHUNK_BYTES = 1 << 16  # memory is freed soon and used again: half the time that chunks of megabytes take
_TAIL_BYTES = 1 << 16
_LONGEST_TAIL_BYTES = 1 << 24
_LONGEST_LINE_BYTES = 1 << 22  # a warning that names thousands of files is a tenth of it
_DEEPEST = 16  # levels of an unknown event


class EventLog:
    """Writes the log; may be used by several threads.

    On a full disk, and on one that does not answer, the run continues: epochs, checkpoints and the end of the run
    wait in memory and are written as soon as possible; steps and progress are dropped.

    Args:
        path: The file; it is made where there is none.
        root: As for `files.open_in_place`.
        observe: Called with each event after it was written.

    Raises:
        RunError: If the file cannot be opened for writing.
    """

    def __init__(
        self, path: Path, *, root: Path | None = None, observe: Callable[[Event], None] | None = None
    ) -> None:
        self._path, self._root, self._observe = path, root, observe
        self._mutex = threading.Lock()
        self._waiting: list[bytes] = []
        try:
            self._descriptor = open_in_place(path, root=root, append=True)
        except OSError as error:
            raise disk_error(error, path) from error
        self._torn = self._ends_mid_line()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def append(self, event: Event) -> None:
        """Add an event as one line.

        Raises:
            RunError: If the file cannot be written for another reason than a full or unreachable disk.
        """
        line = encode_event(event)
        with self._mutex:
            self._write_waiting()
            if not self._write(line) and not isinstance(event, StepEnded | ProgressMade):
                self._waiting.append(line)
        if self._observe is not None:
            self._observe(event)

    def close(self) -> None:
        """Write the events that wait, if there is room, and close the file."""
        with self._mutex:
            if self._descriptor >= 0:
                self._write_waiting()
                os.close(self._descriptor)
                self._descriptor = -1

    def _write_waiting(self) -> None:
        while self._waiting and self._write(self._waiting[0]):
            del self._waiting[0]

    def _write(self, line: bytes) -> bool:
        """Whether the line is in the file; False if the disk is full or cannot be reached."""
        if self._waiting and line is not self._waiting[0]:
            return False  # earlier events are written first
        data = b"\n" + line if self._torn else line
        try:
            written = os.write(self._descriptor, data)
        except OSError as error:
            if error.errno in UNREACHABLE:
                self._reopen()
            elif error.errno not in FULL_DISK:
                raise disk_error(error, self._path) from error
            return False
        self._torn = written < len(data)
        return written >= len(data) - 1  # without its newline it is complete: the next line begins with one

    def _reopen(self) -> None:
        """After a network drive was unreachable, its files must be opened again (ESTALE)."""
        with suppress(OSError):  # still unreachable; no file is made, since the run may have been deleted
            descriptor = open_in_place(self._path, root=self._root, append=True, make=False)
            os.close(self._descriptor)
            self._descriptor = descriptor
            self._torn = self._ends_mid_line()

    def _ends_mid_line(self) -> bool:
        size = os.fstat(self._descriptor).st_size
        return size > 0 and os.pread(self._descriptor, 1, size - 1) != b"\n"


class EventReader:
    """Reads the log and remembers how far it has read.

    Attributes:
        bad_lines: Number of complete lines so far that are not events.
        offset: Bytes of the file that were read: the beginning of a line, or a position in a line that is too long.
    """

    def __init__(self, path: Path) -> None:
        self.bad_lines = 0
        self.offset = 0
        self._path = path
        self._in_long_line = False

    def read_new(self) -> list[KnownEvent | UnknownEvent]:
        """The events of all lines that were completed since the last call; none if there is no file yet."""
        return list(self.iter_new())

    def iter_new(self) -> Iterator[KnownEvent | UnknownEvent]:
        """Like `read_new`, in bounded memory: a run of weeks has hundreds of megabytes."""
        for events in self.iter_batches():
            yield from events

    def iter_batches(self) -> Iterator[list[KnownEvent | UnknownEvent]]:
        """The same, some hundreds at a time: 200,000 steps are read in 0.1 s so, one by one in 0.3 s.

        Raises:
            OSError: If it is not a regular file, or cannot be read.
        """
        try:
            file = open_to_read(self._path)
        except FileNotFoundError:
            return
        with file:
            file.seek(self.offset)
            rest = b""
            while chunk := file.read(_CHUNK_BYTES):
                if self._in_long_line:
                    chunk = self._behind_long_line(chunk)
                lines, newline, rest = (rest + chunk).rpartition(b"\n")
                if newline:
                    self.offset += len(lines) + 1
                    yield self._decode_lines(lines)
                if len(rest) > _LONGEST_LINE_BYTES:
                    self.offset += len(rest)
                    self.bad_lines += 1
                    self._in_long_line, rest = True, b""

    def _behind_long_line(self, chunk: bytes) -> bytes:
        """What follows the line that is too long and was counted as bad already."""
        _, newline, rest = chunk.partition(b"\n")
        self.offset += len(chunk) - len(rest)
        self._in_long_line = not newline
        return rest

    def _decode_lines(self, lines: bytes) -> list[KnownEvent | UnknownEvent]:
        try:
            return list(_DECODER.decode_lines(lines))
        except BadRecord:  # one of them is bad, or of another version of the program
            return [event for line in lines.split(b"\n") for event in self._decode(line)]

    def _decode(self, line: bytes) -> Iterator[KnownEvent | UnknownEvent]:
        if not line:  # the newline that was added after a torn line
            return
        event = decode_event(line)
        if event is None:
            self.bad_lines += 1
        else:
            yield event


def last_event(path: Path) -> KnownEvent | None:
    """The last known event of a log, read from its end; None if there is none.

    Raises:
        OSError: If it is not a regular file, or cannot be read.
    """
    try:
        file = open_to_read(path)
    except FileNotFoundError:
        return None
    with file:
        size = file.seek(0, os.SEEK_END)
        window = _TAIL_BYTES
        while True:
            start = max(0, size - window)
            file.seek(start)
            lines = file.read(size - start).split(b"\n")[1 if start else 0 : -1]
            for line in reversed(lines):
                event = decode_event(line)
                if event is not None and not isinstance(event, UnknownEvent):
                    return event
            if not start or window > _LONGEST_TAIL_BYTES:
                return None
            window *= 8


# Not strict, because that is how msgspec reads "nan", "inf" and "-inf" as numbers.
_DECODER: JsonReader[KnownEvent] = JsonReader(KnownEvent, strict=False)  # type: ignore[arg-type]
_ANY_OBJECT = JsonReader(dict[str, Any])
_PHASES = frozenset(get_args(PhaseName))
_KNOWN_TYPES = frozenset(kind.__struct_config__.tag for kind in KnownEvent.__args__)


def encode_event(event: Event) -> bytes:
    """An event as its line, newline included."""
    return msgspec.json.encode(_writable(msgspec.to_builtins(event))) + b"\n"


def decode_event(line: bytes) -> KnownEvent | UnknownEvent | None:
    """The event of a line; None if it is torn or bad."""
    try:
        return _DECODER.decode(line)
    except BadRecord:
        return _decode_unknown(line)


def _decode_unknown(line: bytes) -> UnknownEvent | None:
    try:
        raw = _ANY_OBJECT.decode(line)
    except BadRecord:
        return None
    kind = raw.get("type")
    is_other = isinstance(kind, str) and (kind not in _KNOWN_TYPES or _is_other_phase(raw))
    return UnknownEvent(raw) if is_other and _is_flat(raw, _DEEPEST) else None


def _is_other_phase(raw: dict[str, Any]) -> bool:
    """Whether a line is a phase of another version: an event that is unknown here, not a bad line."""
    name = raw.get("name")
    return raw["type"] == "phase" and isinstance(name, str) and name not in _PHASES


def _is_flat(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_flat(item, levels - 1) for item in inner)


def _writable(value: Any) -> Any:
    """The value as JSON can hold it: numbers that are not finite as strings, text without lone surrogates."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return (
            value
            if value.isascii()
            else "".join(c if not "\ud800" <= c <= "\udfff" else printable(c) for c in value)
        )
    if isinstance(value, dict):
        return {_writable(key): _writable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_writable(item) for item in value]
    return value
