"""Writes to the terminal without ever making the app wait.

Textual's own writer holds at most 30 pieces and then stops the event loop,
which on a slow line froze it for seconds. Pictures are held back by `FlowControl`, so
what collects here stays small.
"""

import os
import queue
import threading
from collections.abc import Callable
from typing import TextIO

_AT_ONCE = 1 << 16


class TerminalWriter:
    """Writes to a terminal, in a thread of its own.

    Args:
        file: The terminal.
        on_gone: Called, in the writing thread, when the terminal does not take anything any more.
    """

    def __init__(self, file: TextIO, on_gone: Callable[[], None]) -> None:
        self._file = file
        self._on_gone = on_gone
        self._waiting: queue.SimpleQueue[bytes | threading.Event] = queue.SimpleQueue()
        self._gone = False
        threading.Thread(target=self._work, name="terminal", daemon=True).start()

    def write(self, text: str) -> None:
        if not self._gone:
            self._waiting.put(text.encode("utf-8", "replace"))

    def drain(self, timeout_s: float) -> None:
        """Wait until everything is written; for the end of the app."""
        if not self._gone:
            self._waiting.put(written := threading.Event())
            written.wait(timeout_s)

    def _work(self) -> None:
        while True:
            item = self._waiting.get()
            if isinstance(item, threading.Event):
                item.set()
                continue
            try:
                self._write_all(item)
            except OSError:
                self._gone = True
                self._on_gone()
                return

    def _write_all(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._file.fileno(), rest[:_AT_ONCE]) :]
