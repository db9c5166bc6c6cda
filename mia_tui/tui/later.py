"""Doing something in a while, in the thread of the event loop."""

import asyncio
from collections.abc import Callable


def later(seconds: float, action: Callable[[], None]) -> Callable[[], None]:
    """Call a function of the event loop's thread after so many seconds; returns what cancels that."""
    return asyncio.get_running_loop().call_later(seconds, action).cancel
