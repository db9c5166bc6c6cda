"""Messages that were read make room: one that has been up for a moment goes at the next key.

Who labels fast reads a message and presses the next key; from then on it would only lie over what is looked at.
An error stays for its time, unless Esc takes it away.
"""

from functools import partial
from typing import Any

from textual.app import App
from textual.notifications import Notification

from mia_tui.tui.textual_private import messages_shown, take_messages_away

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
        read = [note for note in messages_shown(self._app) if _is_read(note, key)]
        if read:
            self._app.set_timer(AFTER_KEY_S, partial(take_messages_away, self._app, read))


def _is_read(note: Notification, key: str) -> bool:
    seen_s = note.timeout - note.time_left
    return seen_s >= READ_S and (note.severity != "error" or key == "escape")
