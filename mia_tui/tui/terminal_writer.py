"""Writes to the terminal without ever making the app wait.

Textual's own writer queues at most 30 pieces and then blocks the event loop,
which on a slow connection froze it for seconds. `FlowControl` holds pictures
back, so the queue here stays small.
"""

import os
import threading
from collections import deque
from collections.abc import Callable

_AT_ONCE = 1 << 16


class TerminalWriter:
    """Writes in a thread of its own.

    Args:
        terminal: Its file descriptor.
        on_gone: Called in that thread when the terminal does not accept anything any more.
    """

    def __init__(self, terminal: int, on_gone: Callable[[], None]) -> None:
        self._terminal = terminal
        self._on_gone = on_gone
        self._waiting: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._writing = False
        self._gone = False
        threading.Thread(target=self._work, name="terminal", daemon=True).start()

    def write(self, text: str) -> None:
        """Write this after all that was written before; returns at once."""
        with self._changed:
            if not self._gone:
                self._waiting.append(text.encode("utf-8", "replace"))
                self._changed.notify_all()

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
            rest = rest[os.write(self._terminal, rest[:_AT_ONCE]) :]
