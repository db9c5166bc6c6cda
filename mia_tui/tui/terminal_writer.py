"""Writes to the terminal without ever making the app wait.

Textual's own writer holds at most 30 pieces and then stops the event loop,
which on a slow line froze it for seconds. Pictures are held back by `FlowControl`, so
what collects here stays small.
"""

import os
import threading
from collections import deque
from collections.abc import Callable
from typing import TextIO

_AT_ONCE = 1 << 16


class TerminalWriter:
    """Stands for the terminal's file in Textual's driver.

    Args:
        file: The terminal.
        on_gone: Called, in the writing thread, when the terminal does not take anything any more.
    """

    encoding = "utf-8"

    def __init__(self, file: TextIO, on_gone: Callable[[], None]) -> None:
        self._file = file
        self._on_gone = on_gone
        self._waiting: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._writing = False
        self._gone = False
        threading.Thread(target=self._work, name="terminal", daemon=True).start()

    def write(self, text: str) -> int:
        with self._changed:
            if not self._gone:
                self._waiting.append(text.encode("utf-8", "replace"))
                self._changed.notify_all()
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def fileno(self) -> int:
        return self._file.fileno()

    def isatty(self) -> bool:
        return self._file.isatty()

    def drain(self, timeout_s: float) -> None:
        """Wait until everything is written; for the end of the app."""
        with self._changed:
            self._changed.wait_for(lambda: self._gone or not (self._waiting or self._writing), timeout_s)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                data = b"".join(self._waiting)
                self._waiting.clear()
                self._writing = True
            try:
                self._write_all(data)
            except OSError:
                with self._changed:
                    self._gone, self._writing = True, False
                    self._changed.notify_all()
                self._on_gone()
                return
            with self._changed:
                self._writing = False
                self._changed.notify_all()

    def _write_all(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._file.fileno(), rest[:_AT_ONCE]) :]
