"""Commands in the order they were given, one at a time.

A key pressed while a label is being written waits for it, so it acts on what
the person will see then. Where a write fails, what was pressed behind it was
meant for other images than it would act on now, and is dropped.
"""

import asyncio
from collections.abc import Awaitable, Callable

from mia_tui.errors import MiaError

Command = Callable[[], Awaitable[None]]

SLOW_S = 0.15
"""A command that takes longer is said to be saving."""


class CommandQueue:
    """Obeys commands. `run` is to be run as a worker of the screen.

    Args:
        begin: Called before each command: what the last one said is over.
        done: Called after each: paint what is different.
        failed: Called with the error, and how many commands behind it were dropped.
        slow: Called with how many commands wait, where one takes longer than a blink.
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
        self._waiting: asyncio.Queue[Command] = asyncio.Queue()
        self._at_work = False

    @property
    def idle(self) -> bool:
        """Whether everything that was asked for is done."""
        return not self._at_work and self._waiting.empty()

    def do(self, command: Command) -> None:
        """Obey a command when those before it are done."""
        self._waiting.put_nowait(command)

    async def run(self) -> None:
        """Obey for as long as the screen is there."""
        while True:
            command = await self._waiting.get()
            self._at_work = True
            self._begin()
            saying = asyncio.get_running_loop().call_later(SLOW_S, self._say_slow)
            try:
                await command()
            except MiaError as error:
                self._failed(error, self._drop_waiting())
            finally:
                saying.cancel()
                self._at_work = False
            self._done()

    def _say_slow(self) -> None:
        self._slow(self._waiting.qsize())

    def _drop_waiting(self) -> int:
        dropped = self._waiting.qsize()
        while not self._waiting.empty():
            self._waiting.get_nowait()
        return dropped
