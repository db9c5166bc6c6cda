"""Messages that were read make room: one that has been up for a moment goes at the next key.

Who labels fast reads a message and presses the next key; from then on it would only lie over what is looked at.
An error stays for its time, unless Esc takes it away. Which messages are shown is a private part of Textual's.
"""

from functools import partial
from typing import Any

from textual.app import App
from textual.notifications import Notification

READ_S = 1.5
"""So long a message stays, whatever is pressed."""

AFTER_KEY_S = 0.1
"""First the key is answered: to paint what lay below a message takes a paint of its own."""


class ReadMessages:
    """Takes the messages of an app away at keys.

    Args:
        app: Shows them.
    """

    def __init__(self, app: App[Any]) -> None:
        self._app = app

    def pressed(self, key: str) -> None:
        """A key was pressed; without a message on the screen this costs nothing."""
        notes = self._app._notifications
        read = [note for note in notes if _is_read(note, key)] if len(notes) else []
        if read:
            self._app.set_timer(AFTER_KEY_S, partial(self._put_away, read))

    def _put_away(self, read: list[Notification]) -> None:
        for note in read:
            self._app._unnotify(note, refresh=False)
        self._app._refresh_notifications()


def _is_read(note: Notification, key: str) -> bool:
    seen_s = note.timeout - note.time_left
    return seen_s >= READ_S and (note.severity != "error" or key == "escape")
