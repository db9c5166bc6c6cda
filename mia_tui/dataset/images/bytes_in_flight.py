"""A limit on the memory of all images that are being decoded at the same time, in all threads of a process.

Sixteen threads with an image of 500 MB each would take all the memory of a machine.
"""

import threading
from collections.abc import Callable

from mia_tui.memory import free_ram_bytes

_LEAST_BYTES = 256 << 20
_SHARE = 0.5  # of what is free when the first image is read


class ByteLimit:
    """Lets threads wait until there is room for what they read. A single image may be larger than the limit.

    Args:
        most: Says how many bytes may be in use at once; is asked once, when the first are taken.
    """

    def __init__(self, most: Callable[[], int]) -> None:
        self._ask, self._most = most, 0
        self._used = 0
        self._freed = threading.Condition()

    def take(self, size_bytes: int) -> None:
        """Wait for room. A thread that has taken bytes must give them back before it takes more."""
        with self._freed:
            self._most = self._most or max(1, self._ask())
            self._freed.wait_for(lambda: not self._used or self._used + size_bytes <= self._most)
            self._used += size_bytes

    def give_back(self, size_bytes: int) -> None:
        """Make room for others."""
        with self._freed:
            self._used -= size_bytes
            self._freed.notify_all()


class ByteShare:
    """What one image that is being read has taken: as much as the largest part of it that was read.

    Args:
        limit: Of all.
    """

    def __init__(self, limit: ByteLimit) -> None:
        self._limit, self._held = limit, 0

    def need(self, size_bytes: int) -> None:
        """Wait for room for this part, if it is larger than all before."""
        if size_bytes > self._held:
            self.give_back()  # whoever waits holds nothing, so that nobody waits forever
            self._limit.take(size_bytes)
            self._held = size_bytes

    def give_back(self) -> None:
        """The image is decoded, or given up."""
        if self._held:
            self._limit.give_back(self._held)
            self._held = 0


IN_FLIGHT = ByteLimit(lambda: max(_LEAST_BYTES, int(_SHARE * free_ram_bytes())))
"""Of this process."""
