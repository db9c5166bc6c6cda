"""Hands keys to the screens one by one: the next key waits until the last one has taken effect.

Over a slow connection keys come in bursts. Textual passes each at once to the widget with the focus, but a dialog
that a key opens exists only some turns of the event loop later: what was typed into it would go to the screen below,
and the digits of a note would become labels. So a callback follows each key from the widget with the focus up to the
app, and the next key waits for it, and for the screen that the last key opens.

Most keys open nothing: a screen without fields runs their commands at once, and they need not be waited for.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from textual import events
from textual.app import App
from textual.dom import DOMNode
from textual.screen import Screen

from mia_tui.tui.screen import KeyedScreen

_ROUNDS = 2  # the message a widget makes of a key, such as Submitted, travels behind it
_POLL_S = 0.005
_LONGEST_S = 0.5
"""Keys wait so long at most: the callback is lost if its widget is removed."""
MOST_WAITING = 1_000
"""About 5 s of work, and more than anybody types ahead: more come from a cat on the keyboard or a noisy line."""


class KeySerializer:
    """Hands keys to the screens of an app.

    Args:
        app: The app.
        forward: Passes a key to the widget with the focus.
    """

    def __init__(self, app: App[Any], forward: Callable[[events.Event], Awaitable[None]]) -> None:
        self._app, self._forward = app, forward
        self._waiting: deque[events.Event] = deque()
        self._turn = 0
        self._full = False
        self._busy = False

    async def take(self, event: events.Event) -> None:
        """A key was pressed, or text was pasted."""
        screen = self._app.screen
        keyed = screen if isinstance(screen, KeyedScreen) else None
        waiting = len(self._waiting) + (keyed.queue.waiting if keyed is not None else 0)
        if waiting >= MOST_WAITING:
            if not self._full:
                self._full = True
                self._app.notify(
                    f"Keys came too fast; those after the first {MOST_WAITING:,} were ignored.",
                    severity="warning",
                )
            return
        self._full = self._full and waiting > 0
        free = not self._waiting and not self._busy and self._app.focused is None
        if free and keyed is not None and isinstance(event, events.Key) and keyed.run_at_once(event):
            return
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
        """Queue the callback behind everything that a node has to do; a closed node is passed over."""
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
                _POLL_S, self._app.call_later, self._arrive, turn, screen, 1
            )
        else:
            await self._end(turn)

    async def _await_screen(self, turn: int) -> None:
        """Another screen is shown: wait for its fields, before something is typed into them."""
        screen = self._app.screen
        if not screen.call_after_refresh(self._app.call_later, self._arrive, turn, screen, 1):
            await self._end(turn)

    async def _end(self, turn: int) -> None:
        if turn == self._turn and self._busy:
            self._busy = False
            await self._give()


def _opens(screen: Screen[Any]) -> bool:
    """Whether a command that opens another screen waits or runs."""
    return isinstance(screen, KeyedScreen) and screen.queue.opens
