"""Commands in the order they were given, one at a time.

A key pressed while a label is being written waits for it, so it acts on what
the person will see then. Where a write fails, what was pressed behind it was
meant for other images than it would act on now, and is dropped.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from mia_tui.errors import MiaError

Command = Callable[[], Awaitable[None]]

SLOW_S = 0.15
"""What is not done so long after it was asked for is said to take its time."""


class _Asked(NamedTuple):
    at: float
    command: Command
    opens: bool


class CommandQueue:
    """Obeys commands. `run` is to be run as a worker of the screen.

    Args:
        begin: Called before each command: what the last one said is over.
        done: Called after each: paint what is different.
        failed: Called with the error, and how many commands behind it were dropped.
        slow: Called with how many commands wait, when one is at work that was asked for more than a blink ago.
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
        self._kept: list[Command] = []
        self._at_work = False
        self._opening = 0

    @property
    def opens(self) -> bool:
        """Whether a command is due or at work that opens another screen: what is typed now is meant for that."""
        return self._opening > 0

    @property
    def idle(self) -> bool:
        """Whether everything that was asked for is done."""
        return not self._at_work and self._waiting.empty()

    def do(self, command: Command, *, keep: bool = False, opens: bool = False) -> None:
        """Obey a command when those before it are done.

        Args:
            command: What to do.
            keep: Whether it is done even where one before it fails: the end of the app.
            opens: Whether it opens another screen.
        """
        if keep:
            self._kept.append(command)
        self._opening += opens
        self._waiting.put_nowait(_Asked(time.monotonic(), command, opens))

    def forget_waiting(self) -> None:
        """Another screen is shown: what was pressed behind the key that opened it was not meant for this one."""
        self._drop_waiting()

    async def run(self) -> None:
        """Obey for as long as the screen is there."""
        loop = asyncio.get_running_loop()
        while True:
            asked_at, command, opens = await self._waiting.get()
            self._at_work = True
            self._begin()
            left_s = asked_at + SLOW_S - time.monotonic()
            saying = loop.call_later(max(0.0, left_s), self._say_slow)
            try:
                await command()
            except MiaError as error:
                self._failed(error, self._drop_waiting())
            finally:
                saying.cancel()
                self._at_work = False
                self._opening -= opens
            self._done()

    def _say_slow(self) -> None:
        self._slow(self._waiting.qsize())

    def _drop_waiting(self) -> int:
        dropped = self._waiting.qsize()
        while not self._waiting.empty():
            self._opening -= self._waiting.get_nowait().opens
        for command in self._kept:
            self._waiting.put_nowait(_Asked(time.monotonic(), command, False))
        return dropped - len(self._kept)
