"""Warns when the steps of a run wait for processor cores: a run keeps its number of threads, and other programs may
start at any time.
"""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from mia_tui.text import counted, typed

Result = TypeVar("Result")
Warn = Callable[[str, str | None], None]

_CHECK_EVERY_S = 10.0
_SLOWDOWN = 1.75
"""A warning is given if a step takes so many times its processor time. With a core for each thread it is 1.0; beside
one busy program on two cores, where two threads do a tenth of what they do alone, it is 2."""


class CoreWait:
    """Measures the steps of a run on a CPU, and warns once if they wait for cores.

    It measures the thread that computes: that works, or spins for the others, whenever it has a core.

    Args:
        warn: Takes a message and a hint.
        threads: Number of threads of the run.
        run: Name of the run.
        clock: Elapsed time in seconds.
        used: Processor time of this thread in seconds.
    """

    def __init__(
        self,
        warn: Warn,
        threads: int,
        run: str,
        *,
        clock: Callable[[], float] = time.perf_counter,
        used: Callable[[], float] = time.thread_time,
    ) -> None:
        self._warn, self._threads, self._run = warn, threads, run
        self._clock, self._used = clock, used
        self._past_s = self._used_s = 0.0
        self._has_warned = False

    def timed(self, step: Callable[..., Result], *arguments: Any) -> Result:
        """Do a step and return its result."""
        begun, used = self._clock(), self._used()
        result = step(*arguments)
        self._past_s += self._clock() - begun
        self._used_s += self._used() - used
        if self._past_s >= _CHECK_EVERY_S:
            self._check()
            self._past_s = self._used_s = 0.0
        return result

    def _check(self) -> None:
        slowdown = self._past_s / max(self._used_s, 1e-3)
        if self._has_warned or slowdown < _SLOWDOWN:
            return
        self._has_warned = True
        hint = "Wait until other programs have ended, or stop the run and resume it later."
        if self._threads > 1:
            hint = (
                "Its threads wait for each other. With one it may be faster: stop it, then `mia-tui train --resume "
                f"{typed(self._run)} --threads 1`; the weights are then no longer bit-identical."
            )
        self._warn(
            f"The machine is busy: steps take {slowdown:.1f} times their processor time with "
            f"{counted(self._threads, 'thread')}.",
            hint,
        )
