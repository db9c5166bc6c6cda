"""How long a test waits: as long as on a machine that has nothing else to do, times how slow this one is now."""

import time

LONGEST_S = 600.0
"""For a process that ends by itself; it may have to import torch beside programs that keep all cores busy."""
_WORK_S = 0.05


class Patience:
    """Begins to wait when it is made; after so many seconds of an idle machine, `is_over`."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._begun = seconds, time.monotonic()

    def is_over(self) -> bool:
        waited = time.monotonic() - self._begun
        return waited >= self._seconds and waited >= self._seconds * slowness()


def slowness() -> float:
    """How many times as long as alone on a core a piece of work takes just now, beside all that runs."""
    begun, used = time.monotonic(), time.thread_time()
    while time.thread_time() - used < _WORK_S:
        pass
    return max(1.0, (time.monotonic() - begun) / _WORK_S)
