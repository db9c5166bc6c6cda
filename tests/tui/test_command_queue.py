"""Commands one after the other, and when a slow one is reported."""

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from unittest.mock import patch

from mia_tui.tui.keys.command_queue import SLOW_S, CommandQueue


class Sleepless(selectors.SelectSelector):
    """Time goes on where somebody waits for it, and only there: a busy machine makes nothing late."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout or 0.0
        return super().select(0)


class Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.clock = Sleepless()
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now


def said_of(commands: int, each_s: float, *, pause_s: float = 0.0) -> list[int]:
    """What is said of commands that are asked for one after the other: how many waited, each time."""
    said: list[int] = []
    queue = CommandQueue(
        begin=lambda: None, done=lambda: None, failed=lambda error, dropped: None, slow=said.append
    )

    def command() -> Awaitable[None]:
        return asyncio.sleep(each_s)

    async def test() -> None:
        worker = asyncio.create_task(queue.run())
        for _ in range(commands):
            queue.do(command)
            await until(lambda: not pause_s or queue.idle)
            await asyncio.sleep(pause_s)
        await until(lambda: queue.idle)
        worker.cancel()

    async def until(is_so: Callable[[], bool]) -> None:
        while not is_so():
            await asyncio.sleep(0.001)

    loop = Loop()
    with patch("mia_tui.tui.keys.command_queue.time.monotonic", loop.time):
        loop.run_until_complete(test())
    loop.close()
    return said


def test_commands_that_wait_long_are_spoken_of_though_each_is_quick() -> None:
    said = said_of(20, SLOW_S / 5)
    assert said and said == sorted(said, reverse=True), "fewer and fewer wait"
    assert 10 <= said[0] < 20 and said[-1] == 0


def test_one_command_that_takes_long_is_spoken_of() -> None:
    assert said_of(1, SLOW_S + 0.1) == [0]


def test_quick_commands_are_not_spoken_of_however_many_follow_each_other() -> None:
    assert said_of(20, SLOW_S / 15, pause_s=0.001) == []


def test_what_no_key_asked_for_is_done_though_another_screen_opens_before_it() -> None:
    done: list[str] = []
    queue = CommandQueue(
        begin=lambda: None, done=lambda: None, failed=lambda error, dropped: None, slow=lambda waiting: None
    )

    async def note(name: str) -> None:
        done.append(name)

    async def ask() -> None:
        await note(f"dropped {queue.drop_waiting()}")

    async def test() -> None:
        queue.do(ask)
        queue.do(lambda: note("key"), opens=True)
        queue.do(lambda: note("news"), keep=True)
        worker = asyncio.create_task(queue.run())
        while not queue.idle:
            await asyncio.sleep(0)
        worker.cancel()

    asyncio.run(test())
    assert done == ["dropped 1", "news"] and not queue.opens


def test_what_no_key_asked_for_leaves_the_last_message() -> None:
    begun: list[str] = []
    queue = CommandQueue(
        begin=lambda: begun.append("begun"),
        done=lambda: None,
        failed=lambda error, dropped: None,
        slow=lambda _: None,
    )

    async def test() -> None:
        worker = asyncio.create_task(queue.run())
        for keep in (True, False, True):
            queue.do(lambda: asyncio.sleep(0), keep=keep)
        while not queue.idle:
            await asyncio.sleep(0)
        worker.cancel()

    asyncio.run(test())
    assert begun == ["begun"]
