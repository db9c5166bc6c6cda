"""Timers of the event loop."""

import asyncio
from collections.abc import Callable


def later(seconds: float, action: Callable[[], None]) -> Callable[[], None]:
    """Call a function after so many seconds, in the event loop's thread; returns a function that cancels it."""
    return asyncio.get_running_loop().call_later(seconds, action).cancel
