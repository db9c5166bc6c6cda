"""Runs a program on a pty and plays the terminal: answers its questions, presses keys, times what it paints."""

import fcntl
import math
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import pyte
from kitty_terminal import KittyTerminal
from patience import LONGEST_S, Patience
from terminal_stream import KINDS, Answer, Answerer, Kind, Said, take_apart, weigh, whole_sequences

KEYS = {
    **{f"f{n}": f"\x1bO{'PQRS'[n - 1]}" for n in range(1, 5)},
    **{f"f{n}": f"\x1b[{code}~" for n, code in zip(range(5, 13), (15, 17, 18, 19, 20, 21, 23, 24), strict=True)},
    "up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D", "end": "\x1b[F", "home": "\x1b[H",
    **{name: f"\x1b[{n}~" for name, n in (("insert", 2), ("delete", 3), ("pageup", 5), ("pagedown", 6))},
    "enter": "\r", "escape": "\x1b", "tab": "\t", "shift+tab": "\x1b[Z", "space": " ", "backspace": "\x7f",
    "shift+f3": "\x1b[1;2R",
}  # fmt: skip
QUIET_S = 0.06
_PIECE_BYTES = 512  # read at once from a slow link: 2 ms at 2 Mbit/s
_ESCAPE_S = 0.2
_LOOK_S = 0.02
_KEPT = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV")


def key_bytes(key: str) -> bytes:
    """What a terminal sends for a key: a name of `KEYS`, ctrl+letter, or the character itself."""
    if key.startswith("ctrl+") and len(key) == 6:
        return bytes([ord(key[-1]) & 0x1F])
    return KEYS.get(key, key).encode()


class Process(Protocol):
    """A process that was started, as `subprocess` shows it."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...


Start = Callable[[Sequence[str], int, Mapping[str, str]], Process]


class TerminalApp:
    """A program on a pty of its own.

    Args:
        command: What to run.
        home: Folder for HOME and all the XDG folders.
        kind: What kind of terminal to play, by name or as it is.
        columns: Width of the screen in cells.
        rows: Height of the screen in cells.
        cell_px: Size of a cell, (0, 0) for a terminal that does not know it.
        colorterm: COLORTERM; None leaves it out, as ssh does.
        bits_per_s: Speed of the link to the terminal; None is as fast as it goes. About 20 KiB more lie in the
            kernel's buffer, as they would in a socket's.
        environment: More variables.
        start: What starts the process in the terminal with its environment; by default, the system does.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        home: Path,
        kind: str | Kind = "plain",
        columns: int = 120,
        rows: int = 40,
        cell_px: tuple[int, int] = (10, 20),
        colorterm: str | None = "truecolor",
        bits_per_s: float | None = None,
        environment: Mapping[str, str] | None = None,
        start: Start | None = None,
    ) -> None:
        self.kind = KINDS[kind] if isinstance(kind, str) else kind
        self.bits_per_s = bits_per_s
        self._picture = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._picture)
        self._drawn, self._unfinished = 0, b""
        self._text, self._text_of = "", -1  # what the screen said when so many chunks were drawn
        self._chunks: list[tuple[float, bytes]] = []
        self._answerer = Answerer(self.kind, columns, rows, cell_px)
        self._due: deque[tuple[float, bytes]] = deque()
        self._closing = threading.Event()
        self._nothing_at = 0.0  # when nothing was there to be read
        self._master, slave = os.openpty()
        set_size(slave, columns, rows, cell_px)
        self.settings_before: list[object] = termios.tcgetattr(slave)
        variables = clean_environment(home) | dict(self.kind.environment) | dict(environment or {})
        if colorterm is not None:
            variables["COLORTERM"] = colorterm
        self.started_at = time.perf_counter()
        self.process = (start or _start)(command, slave, variables)
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self.hang_up()

    # What was written

    def raw(self, start: int = 0) -> bytes:
        """All that was written, from chunk number `start` on."""
        return b"".join(data for _, data in self._chunks[start:])

    def mark(self) -> int:
        """A place in what was written, for `raw`."""
        return len(self._chunks)

    def said(self) -> Said:
        return take_apart(self.raw())[1]

    def picture(self) -> pyte.Screen:
        """The screen as drawn, without graphics: `buffer[row][column]` has data, fg and bg."""
        end = self.mark()
        whole, self._unfinished = whole_sequences(
            self._unfinished + b"".join(data for _, data in self._chunks[self._drawn : end])
        )
        self._drawn = end
        self._stream.feed(take_apart(whole)[0])
        return self._picture

    def screen(self) -> str:
        """The text on the screen."""
        picture = self.picture()
        if self._text_of != self._drawn:
            self._text_of = self._drawn
            self._text = "\n".join(line.rstrip() for line in picture.display)
        return self._text

    def quiet(self, seconds: float = QUIET_S, *, timeout_s: float = 60.0) -> None:
        """Wait until nothing was written for some time; it is no silence while this process did not listen."""
        begun, patience = time.perf_counter(), Patience(timeout_s)
        while True:
            last = max(self._chunks[-1][0] if self._chunks else begun, begun)
            if self._nothing_at - last >= seconds:
                return
            assert not patience.is_over(), "the program does not come to rest"
            time.sleep(0.005)

    @property
    def kitty(self) -> KittyTerminal:
        """The pictures in a terminal that shows them by the kitty protocol."""
        return self._answerer.kitty

    def rest(self, seconds: float = 0.2, *, timeout_s: float = 60.0) -> None:
        """Wait until nothing was written for some time and the program has nothing to do.

        On a busy machine it may be silent because it waits for a processor.
        """
        patience = Patience(timeout_s)
        self.quiet(seconds)
        while not self._is_asleep():
            assert not patience.is_over(), "the program is always busy"
            self.quiet(seconds)

    def wait_for(self, text: str, *, timeout_s: float = 60.0) -> str:
        """Wait until the screen shows a text; returns the screen."""
        patience = Patience(timeout_s)
        while text not in (shown := self.screen()):
            ended = self.process.poll()
            assert ended is None, f"ended with {ended}, the screen shows:\n{shown}"
            assert not patience.is_over(), f"waited in vain for {text!r}, the screen shows:\n{shown}"
            time.sleep(0.03)
        return shown

    # What is typed

    def type(self, data: bytes) -> None:
        """Send bytes as they are."""
        os.write(self._master, data)

    def press(self, *keys: str) -> None:
        """Press keys one after the other; behind Esc there is a pause, or it would begin another key."""
        for key in keys:
            self.type(key_bytes(key))
            if key == "escape":
                self._let_read()

    def measure(
        self, key: str, *, quiet_s: float = QUIET_S, at_rest: bool = False, timeout_s: float = 60.0
    ) -> Answer:
        """Press a key and wait until all it caused was written; `at_rest`, and until nothing more is to do."""
        start, patience = self.mark(), Patience(timeout_s)
        pressed_at = time.perf_counter()
        self.press(key)
        while self.mark() == start:
            assert not patience.is_over(), f"no answer to {key}"
            time.sleep(0.001)
        (self.rest if at_rest else self.quiet)(quiet_s)
        return weigh(self._chunks[start:], pressed_at)

    def hold(self, key: str, *, seconds: float = 1.0, per_s: float = 30.0) -> list[float]:
        """Press a key again and again, as a keyboard does; when, on the clock of `chunks`."""
        begun = time.perf_counter()
        times = []
        for number in range(round(seconds * per_s)):
            time.sleep(max(0.0, begun + number / per_s - time.perf_counter()))
            times.append(time.perf_counter())
            self.press(key)
        return times

    def chunks(self, start: int = 0) -> list[tuple[float, bytes]]:
        """What was written, in pieces with the time each was read."""
        return self._chunks[start:]

    def zoom(self, columns: int, rows: int, cell_px: tuple[int, int]) -> None:
        """Make the window another one; the program is told by a signal."""
        set_size(self._master, columns, rows, cell_px)

    def _let_read(self) -> None:
        for _ in range(20):  # a program that works on and on reads in between
            time.sleep(_ESCAPE_S)
            if self._is_asleep():
                return

    # The process

    def memory_bytes(self, *, peak: bool = False) -> int:
        """Resident memory now, or at its highest."""
        name = "VmHWM:" if peak else "VmRSS:"
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
        raise AssertionError("the process has ended")

    def cpu_s(self) -> float:
        """Processor time used so far by all threads."""
        after_name = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")

    def send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, number)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        self.process.wait()

    def _is_asleep(self) -> bool:
        """Whether no thread of the program computes, or waits for a processor or a disk."""
        try:
            stats = [path.read_text() for path in Path(f"/proc/{self.process.pid}/task").glob("*/stat")]
        except (FileNotFoundError, ProcessLookupError):  # a thread has ended
            return self.process.poll() is not None
        return not any(stat.rpartition(")")[2].split()[0] in "RD" for stat in stats)

    def wait(self, timeout_s: float = LONGEST_S) -> int:
        """Exit code, once the process has ended."""
        return self.process.wait(timeout_s)

    def hang_up(self) -> None:
        """Close the terminal, as a lost connection does."""
        if not self._closing.is_set():
            self._closing.set()
            self._reader.join()
            os.close(self._master)

    def _read(self) -> None:
        """The thread that reads all that is written, at the speed of the link, and answers."""
        try:
            self._read_all()
        finally:
            self._nothing_at = math.inf

    def _read_all(self) -> None:
        free_at = 0.0
        while not self._closing.is_set():
            now = time.perf_counter()
            while self._due and self._due[0][0] <= now:
                os.write(self._master, self._due.popleft()[1])
            wait_s = max(0.0, self._due[0][0] - now) if self._due else _LOOK_S
            if free_at > now and self.bits_per_s:
                time.sleep(free_at - now)
            looked_at = time.perf_counter()
            if not select.select([self._master], [], [], min(wait_s, _LOOK_S))[0]:
                self._nothing_at = looked_at
                continue
            try:
                data = os.read(self._master, _PIECE_BYTES if self.bits_per_s else 65536)
            except OSError:  # EIO: nobody holds the other end any more
                return
            now = time.perf_counter()
            if self.bits_per_s:
                free_at = max(free_at, now - 0.005) + len(data) * 8 / self.bits_per_s
                now = free_at
            self._chunks.append((now, data))
            for answer in self._answerer.answers(data):
                self._due.append((now + self.kind.delay_s, answer))


def _start(command: Sequence[str], terminal: int, environment: Mapping[str, str]) -> Process:
    return subprocess.Popen(
        command,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=environment,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )


def late(kind: str, delay_s: float) -> Kind:
    """A terminal behind a slow link: every answer comes late."""
    return replace(KINDS[kind], delay_s=delay_s)


def python_app(*arguments: object) -> list[str]:
    """The command that opens the app."""
    return [sys.executable, "-m", "mia_tui", *map(str, arguments)]


def clean_environment(home: Path) -> dict[str, str]:
    """An environment without traces of the terminal the tests run in."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    folders = {
        name: str(home / name.lower())
        for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
    }
    return {
        "LANG": "C.UTF-8",
        **kept,
        "HOME": str(home),
        "TERM": "xterm-256color",
        "LOGNAME": "tester",
        **folders,
    }


def set_size(terminal: int, columns: int, rows: int, cell_px: tuple[int, int]) -> None:
    """Set a terminal's size in cells and pixels."""
    size = struct.pack("HHHH", rows, columns, columns * cell_px[0], rows * cell_px[1])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)
