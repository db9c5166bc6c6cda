"""Keys one after the other: the next is given away when what the last one did is done.

Over a slow connection keys come in bursts. Textual gives each at once to what has the focus, and a dialog that a
key opens is there some turns of the event loop later: what was typed into it would be obeyed by the screen below,
and a note's digits would become labels. So a mark follows each key on its way from the widget with the focus up to
the app, and the next key waits for it, and for the screen that the last one opens.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from textual import events
from textual.app import App
from textual.dom import DOMNode
from textual.screen import Screen

from mia_tui.tui.keys.command_queue import CommandQueue

_ROUNDS = 2  # what a widget makes of a key, as "submitted", goes the way behind it
_LOOK_S = 0.005
_LONGEST_S = 0.5
"""A widget that is taken away takes a mark along; so long keys wait at most."""
MOST_WAITING = 1_000
"""About 5 s of work, and more than anybody types ahead: what comes beyond is a cat, or noise on the line."""


class KeySerializer:
    """Gives keys to the screens of an app.

    Args:
        app: Theirs.
        forward: Gives one away.
    """

    def __init__(self, app: App[Any], forward: Callable[[events.Event], Awaitable[None]]) -> None:
        self._app, self._forward = app, forward
        self._waiting: deque[events.Event] = deque()
        self._turn = 0
        self._full = False
        self._busy = False

    async def take(self, event: events.Event) -> None:
        """A key was pressed, or text was pasted."""
        if len(self._waiting) >= MOST_WAITING:
            if not self._full:
                self._full = True
                self._app.notify(
                    f"Keys came faster than they can be obeyed; those after {MOST_WAITING:,} were left out.",
                    severity="warning",
                )
            return
        self._full = self._full and bool(self._waiting)
        self._waiting.append(event)
        await self._give()

    async def _give(self) -> None:
        while self._waiting and not self._busy:
            self._busy = True
            self._turn += 1
            turn, screen = self._turn, self._app.screen
            asyncio.get_running_loop().call_later(_LONGEST_S, self._app.call_later, self._end, turn)
            await self._forward(self._waiting.popleft())
            self._follow(turn, screen, _ROUNDS)

    def _follow(self, turn: int, screen: Screen[Any], rounds: int) -> None:
        self._send(self._app.focused or self._app.screen, turn, screen, rounds)

    def _send(self, node: DOMNode, turn: int, screen: Screen[Any], rounds: int) -> None:
        """Have the mark come behind all that a node has to do; one that is closed is left out."""
        if node is self._app:
            node.call_later(self._arrive, turn, screen, rounds)
        elif not node.call_later(self._pass, node, turn, screen, rounds):
            self._pass(node, turn, screen, rounds)

    def _pass(self, node: DOMNode, turn: int, screen: Screen[Any], rounds: int) -> None:
        self._send(node.parent or self._app, turn, screen, rounds)

    async def _arrive(self, turn: int, screen: Screen[Any], rounds: int) -> None:
        if turn != self._turn:
            return
        if rounds > 1:
            self._follow(turn, screen, rounds - 1)
        elif self._app.screen is not screen:
            await self._await_screen(turn)
        elif _opens(screen):
            asyncio.get_running_loop().call_later(
                _LOOK_S, self._app.call_later, self._arrive, turn, screen, 1
            )
        else:
            await self._end(turn)

    async def _await_screen(self, turn: int) -> None:
        """Another screen is there: its fields must be, before something is typed into them."""
        screen = self._app.screen
        if not screen.call_after_refresh(self._app.call_later, self._arrive, turn, screen, 1):
            await self._end(turn)

    async def _end(self, turn: int) -> None:
        if turn == self._turn and self._busy:
            self._busy = False
            await self._give()


def _opens(screen: Screen[Any]) -> bool:
    """Whether a command is due or at work that will open another screen."""
    queue = getattr(screen, "queue", None)
    return isinstance(queue, CommandQueue) and queue.opens
