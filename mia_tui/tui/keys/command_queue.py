"""Runs commands one at a time, in the order in which they were asked for.

A key pressed while a label is being written waits until that is done, so it
acts on what the person sees then. If a write fails, the commands behind it
are dropped: they were meant for other images.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from mia_tui.errors import MiaError

Command = Callable[[], Awaitable[None]]

SLOW_S = 0.15
"""A command that is not done by then is reported as slow."""


class _Asked(NamedTuple):
    at: float
    command: Command
    opens: bool
    keep: bool


class CommandQueue:
    """Runs commands; `run` is the worker of a screen.

    Args:
        begin: Called before each command that a person asked for, to clear what the last one said.
        done: Called after each, to paint what has changed.
        failed: Called with the error and the number of waiting commands that were dropped.
        slow: Called with the number of waiting commands when one is still running `SLOW_S` after it was asked for.
    """

    def __init__(
        self,
        *,
        begin: Callable[[], None],
        done: Callable[[], None],
        failed: Callable[[MiaError, int], None],
        slow: Callable[[int], None],
    ) -> None:
        self._begin, self._done, self._failed, self._slow = begin, done, failed, slow
        self._waiting: asyncio.Queue[_Asked] = asyncio.Queue()
        self._at_work = False
        self._opening = 0

    @property
    def opens(self) -> bool:
        """Whether a command that opens another screen waits or runs: what is typed now is meant for that screen."""
        return self._opening > 0

    @property
    def waiting(self) -> int:
        """How many commands wait."""
        return self._waiting.qsize()

    @property
    def idle(self) -> bool:
        """Whether all commands are done."""
        return not self._at_work and self._waiting.empty()

    def do(self, command: Command, *, keep: bool = False, opens: bool = False) -> None:
        """Run a command when those before it are done.

        Args:
            command: What to do.
            keep: Whether to run it even if one before it fails or asks something, as for what no key asked for.
            opens: Whether it opens another screen.
        """
        self._opening += opens
        self._waiting.put_nowait(_Asked(time.monotonic(), command, opens, keep))

    async def run(self, first: Command | None = None) -> None:
        """Run commands for as long as the screen exists; before them, do something else if it is given."""
        if first is not None:
            await first()
        loop = asyncio.get_running_loop()
        while True:
            asked_at, command, opens, keep = await self._waiting.get()
            self._at_work = True
            if not keep:  # what no key asked for takes no message away that nobody may have read
                self._begin()
            left_s = asked_at + SLOW_S - time.monotonic()
            saying = loop.call_later(max(0.0, left_s), self._say_slow)
            try:
                await command()
            except MiaError as error:
                self._failed(error, self.drop_waiting())
            finally:
                saying.cancel()
                self._at_work = False
                self._opening -= opens
            self._done()

    def _say_slow(self) -> None:
        self._slow(self._waiting.qsize())

    def drop_waiting(self) -> int:
        """Drop the commands that wait, because another screen opens or one failed; returns how many."""
        waiting = [self._waiting.get_nowait() for _ in range(self._waiting.qsize())]
        dropped = [asked for asked in waiting if not asked.keep]
        self._opening -= sum(asked.opens for asked in dropped)
        for asked in waiting:
            if asked.keep:
                self._waiting.put_nowait(asked)
        return len(dropped)
