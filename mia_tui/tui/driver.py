"""The terminal as the app drives it: writes never block, any bytes may come, and the app ends when it is gone."""

import asyncio
import os
import select
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from textual import events
from textual.message import Message

from mia_tui.tui.keys.keyboard import Keyboard, PictureMissing
from mia_tui.tui.terminal_writer import TerminalWriter
from mia_tui.tui.textual_private import TextualDriver

if TYPE_CHECKING:
    from mia_tui.tui.app import MiaApp

LATE_ANSWER_S = 10.0
"""If the terminal has not answered, letters, digits and signs are ignored for so long."""

_LAST_BYTES_S = 2.0
_POLL_S = 0.1
_AT_ONCE = 4096


class TerminalDriver(TextualDriver):
    """Textual's driver, with a `TerminalWriter` and a thread that notices when the terminal is gone."""

    def __init__(self, app: "MiaApp", **options: Any) -> None:
        super().__init__(app, **options)
        file = sys.__stderr__ if sys.__stderr__ is not None and sys.__stderr__.isatty() else sys.__stdout__
        assert file is not None, "the command line has looked for a terminal"
        self._mia = app
        self._terminal_writer = TerminalWriter(file, self._report_gone)
        self._ignored_until = time.monotonic() + LATE_ANSWER_S
        self.write_through(file)
        self._loop_of_app = asyncio.get_running_loop()
        threading.Thread(target=self._watch, name="hang-up", daemon=True).start()

    def start_application_mode(self) -> None:
        """Take the terminal; if that fails, give it back."""
        try:
            super().start_application_mode()  # type: ignore[no-untyped-call]
        except BaseException:
            if self.has_begun:
                self.stop_application_mode()
            raise

    def was_continued(self) -> None:
        """Continue; after a SIGSTOP, which the app cannot handle, something else may have used the terminal.

        If it were taken again without being given back first, two threads would read its keys.
        """
        if not self.has_read:  # the app is about to take the terminal
            return
        if self.reads:
            self.suspend_application_mode()
            self.tell_resumed()
        super().was_continued()

    def write(self, data: str) -> None:
        """Write without waiting for the terminal, as Textual's own writer would."""
        watch = self._mia.tmux_watch
        if watch is not None and not watch.draws:
            data = watch.without_pictures(data)
        self._terminal_writer.write(data)

    def run_input_thread(self) -> None:
        """Read keys until the app ends or is suspended."""
        keyboard = Keyboard()
        while not self.exit_event.is_set():
            due_in_s = keyboard.due_in_s
            wait_s = _POLL_S if due_in_s is None else min(_POLL_S, due_in_s)
            if not select.select([self.fileno], [], [], wait_s)[0]:
                messages = keyboard.rest()
            elif data := self._read():
                messages = keyboard.feed(data)
            else:
                self._report_gone()
                return
            for message in messages:
                self.process_message(message)

    def _read(self) -> bytes:
        """The bytes that have come; none if the terminal is gone."""
        try:
            return os.read(self.fileno, _AT_ONCE)
        except OSError:
            return b""

    def process_message(self, message: Message) -> None:
        """Take out answers about pictures and, for a while, what may be a late answer to a query."""
        if isinstance(message, events.CursorPosition):
            self._loop_of_app.call_soon_threadsafe(self._mia.flow_control.answered)
        elif isinstance(message, PictureMissing):
            self._loop_of_app.call_soon_threadsafe(self._mia.flow_control.on_refused, message.number)
        elif not (self._ignores_text_keys() and isinstance(message, events.Key) and message.is_printable):
            super().process_message(message)

    def _ignores_text_keys(self) -> bool:
        """Whether a late answer of the terminal may come, whose digits would label an image."""
        return not self._mia.context.terminal.answered and time.monotonic() < self._ignored_until

    def close(self) -> None:
        super().close()
        self._terminal_writer.drain(_LAST_BYTES_S)

    def _watch(self) -> None:
        """Wait until the terminal is gone; Textual would read its end in an endless loop."""
        poll = select.poll()
        poll.register(self.fileno, 0)  # errors and hang-ups are always reported
        ended = select.POLLHUP | select.POLLERR
        if any(event & ended for _, event in poll.poll()):  # macOS answers POLLNVAL where it cannot watch
            self._report_gone()

    def _report_gone(self) -> None:
        self._mia.terminal_is_gone()

    def suspend_application_mode(self) -> None:
        super().suspend_application_mode()
        self._terminal_writer.drain(_LAST_BYTES_S)


def leave_at_once(code: int) -> None:
    """End the process now; there is no terminal left to restore."""
    os._exit(code)
