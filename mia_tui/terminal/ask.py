"""Queries a terminal for what it can do, once, before the app starts: a later answer would be read as key presses,
and a digit in it would label an image.
"""

import fcntl
import os
import select
import struct
import termios
import time
import tty
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from mia_tui.terminal.answers import (
    QUERIES,
    QUERIES_IN_TMUX,
    QUERIES_WITHOUT_STRINGS,
    Answers,
    is_complete,
    read_answers,
)
from mia_tui.terminal.choose import Wanted, WindowSize, choose_terminal, multiplexer_of
from mia_tui.terminal.model import Terminal

if TYPE_CHECKING:
    from mia_tui.terminal.tmux import TmuxQuestion

TIMEOUT_S = 2.0  # a connection around the world with two hops takes 0.6 s
_MOST_BYTES = (
    1 << 16
)  # all answers take less than 1 KiB; what a person types or pastes meanwhile comes between them
_STDOUT = 1


def ask_terminal(
    wanted: Wanted = "auto",
    *,
    timeout_s: float = TIMEOUT_S,
    terminal_fd: int | None = None,
    meanwhile: Callable[[], object] = lambda: None,
    environment: Mapping[str, str] | None = None,
) -> Terminal:
    """What the terminal can do.

    Keys pressed meanwhile are lost. If the terminal did not answer in time (`Terminal.answered`), late answers may
    still arrive: digits and letters must not be handled as keys at first.

    Args:
        wanted: How pictures should be shown, see `choose.choose_terminal`.
        timeout_s: How long to wait for the last answer.
        terminal_fd: The terminal, open for reading and writing; the one of this process if None.
        meanwhile: Called between query and answer, instead of waiting.
        environment: os.environ if None.
    """
    environment = os.environ if environment is None else environment
    with _terminal(terminal_fd) as fd:
        if fd is None:
            return _no_pictures(wanted, environment, "The output is not a terminal.")
        if environment.get("TERM", "") in ("dumb", ""):
            reason = (
                "This terminal (TERM=dumb) can only write lines."
                if environment.get("TERM")
                else "TERM is not set."
            )
            return _no_pictures(wanted, environment, reason)
        answers, tmux = Answers(), None
        if _in_foreground(fd):
            question = _ask_tmux(environment)
            answers = read_answers(_ask(fd, _queries(environment), timeout_s, meanwhile))
            tmux = question.answer() if question is not None else None
        return choose_terminal(wanted, answers, window_of(fd), environment, tmux)


def window_of(fd: int) -> WindowSize | None:
    """What the kernel knows about a terminal's window; None if it is no terminal."""
    try:
        packed = fcntl.ioctl(fd, termios.TIOCGWINSZ, b"\0" * 8)
    except OSError:
        return None
    rows, columns, width_px, height_px = struct.unpack("HHHH", packed)
    return WindowSize(columns, rows, width_px, height_px)


@contextmanager
def _terminal(given: int | None) -> Iterator[int | None]:
    """A terminal open for reading and writing, or None."""
    if given is not None:
        yield given if os.isatty(given) else None
        return
    if not os.isatty(_STDOUT):
        yield None
        return
    try:
        fd = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        yield None
        return
    try:
        yield fd
    finally:
        os.close(fd)


def _no_pictures(wanted: Wanted, environment: Mapping[str, str], reason: str) -> Terminal:
    """A terminal that shows no pictures. Nothing was queried, so no answer will come."""
    terminal = choose_terminal("none", Answers(complete=True), None, {**environment, "TERM": "dumb"})
    return replace(terminal, note=None if wanted == "none" else f"{reason} Images are not shown.")


def _ask_tmux(environment: Mapping[str, str]) -> "TmuxQuestion | None":
    if multiplexer_of(environment) != "tmux":
        return None
    from mia_tui.terminal.tmux import TmuxQuestion

    return TmuxQuestion(environment)


def _in_foreground(fd: int) -> bool:
    """Whether this process may query the terminal; a process in the background would be stopped."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return True  # not the controlling terminal of this process


def _queries(environment: Mapping[str, str]) -> bytes:
    multiplexer = multiplexer_of(environment)
    if multiplexer == "tmux":
        return QUERIES_IN_TMUX
    return QUERIES_WITHOUT_STRINGS if multiplexer or environment.get("TERM") == "linux" else QUERIES


def _ask(fd: int, queries: bytes, timeout_s: float, meanwhile: Callable[[], object]) -> bytes:
    """Send queries; returns what arrives up to the last answer, or until the time is over."""
    until = time.monotonic() + timeout_s
    data = b""
    with _unbuffered(fd):
        while queries:
            if not _is_ready(fd, until, writing=True):
                return data
            queries = queries[os.write(fd, queries) :]
        meanwhile()
        while len(data) < _MOST_BYTES and not is_complete(data) and _is_ready(fd, until):
            try:
                part = os.read(fd, 4096)
            except OSError:
                break
            if not part:
                break
            data += part
    return data


@contextmanager
def _unbuffered(fd: int) -> Iterator[None]:
    """Turn off echo and line buffering while answers are read; no byte of them is left in the input."""
    before = termios.tcgetattr(fd)
    try:
        tty.setcbreak(fd, termios.TCSANOW)
        yield
    finally:
        termios.tcflush(fd, termios.TCIFLUSH)
        termios.tcsetattr(fd, termios.TCSANOW, before)


def _is_ready(fd: int, until: float, *, writing: bool = False) -> bool:
    wait_s = max(0.0, until - time.monotonic())
    readable, writable, _ = select.select([] if writing else [fd], [fd] if writing else [], [], wait_s)
    return bool(readable or writable)
