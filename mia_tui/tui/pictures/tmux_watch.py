"""Pictures in tmux while the terminals around it change: a session is detached, and attached from another one.

A terminal that comes has none of the pictures that were sent before. One that does not draw such pictures gets none:
it would print them as signs. tmux marks its socket as executable while a terminal is attached, so the socket tells
that something changed, without asking tmux all the time.
"""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from mia_tui.terminal.kitty import placeholder_pattern
from mia_tui.terminal.model import Terminal
from mia_tui.terminal.tmux import Tmux, TmuxQuestion

_SETTLES = 3
"""Calls of `is_due` from a change to the question: a terminal that was attached has answered tmux by then."""

_PICTURES = re.compile(r"\x1bPtmux;(?:[^\x1b]|\x1b\x1b)*\x1b\\|\x1bP[\d;]*q[^\x1b]*\x1b\\")


def ask_tmux(environment: Mapping[str, str]) -> Tmux | None:
    """What tmux says; takes 10 ms."""
    return TmuxQuestion(environment).answer()


class TmuxWatch:
    """Notices when other terminals show the tmux session.

    Args:
        terminal: As it was found at the start.
        environment: With tmux's variables.
        ask: Asks tmux.

    Attributes:
        draws: Whether the terminals that are there draw the pictures that are sent; False until that is known.
    """

    def __init__(
        self,
        terminal: Terminal,
        environment: Mapping[str, str] = os.environ,
        ask: Callable[[Mapping[str, str]], Tmux | None] = ask_tmux,
    ) -> None:
        self._terminal, self._environment, self._ask = terminal, environment, ask
        self._socket = Path(environment.get("TMUX", "").partition(",")[0])
        self._seen = self._changed_at()
        self._waits = 0
        self.draws = True

    def is_due(self) -> bool:
        """Whether to look now, because a terminal came or went; to be called once a second, takes a microsecond."""
        before, self._seen = self._seen, self._changed_at()
        if before != self._seen:
            self._waits, self.draws = _SETTLES, False
            return False
        self._waits = max(0, self._waits - 1)
        return self._waits == 1

    def look(self) -> str | None:
        """The terminals that are there, for a sentence; None while there is none. Sets `draws`; for a thread."""
        tmux = self._ask(self._environment)
        if tmux is None:
            self.draws = True  # it does not say; as at the start, then
        if tmux is None or not tmux.clients:
            return None
        if self._terminal.graphics == "kitty":
            self.draws = tmux.passes_through and tmux.draws_placeholders
        else:
            self.draws = tmux.shows_sixel
        return tmux.names or "This terminal"

    def without_pictures(self, data: str) -> str:
        """What is written to the terminal, with blanks in place of pictures."""
        if "\x1bP" in data:
            data = _PICTURES.sub("", data)
        return placeholder_pattern().sub(" ", data)

    def _changed_at(self) -> int:
        try:
            return self._socket.stat().st_ctime_ns
        except OSError:
            return 0
