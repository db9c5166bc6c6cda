"""Steps that wait for cores: other programs may begin at any time, and a run keeps its number of threads."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from mia_tui.text import counted, typed

Result = TypeVar("Result")
Warn = Callable[[str, str | None], None]

_LOOKED_S = 10.0
_TIMES = 1.75
"""So many times its processor time a step must take to be told; with a core for each thread it is 1.0. Beside one
busy program on two cores, where two threads do a tenth of what they do alone, it is 2."""


class CoreWait:
    """Times the steps of a run on a CPU, and says once that they wait for cores.

    The thread that computes is watched: it works, or spins for the others, whenever it has a core.

    Args:
        warn: Told a message and a hint.
        threads: That the run computes with.
        run: Its name.
        clock: Seconds that pass.
        used: Seconds of a core that this thread has used.
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
        self._is_told = False

    def timed(self, step: Callable[..., Result], *arguments: Any) -> Result:
        """What a step returns."""
        begun, used = self._clock(), self._used()
        result = step(*arguments)
        self._past_s += self._clock() - begun
        self._used_s += self._used() - used
        if self._past_s >= _LOOKED_S:
            self._judge()
            self._past_s = self._used_s = 0.0
        return result

    def _judge(self) -> None:
        times = self._past_s / max(self._used_s, 1e-3)
        if self._is_told or times < _TIMES:
            return
        self._is_told = True
        hint = "Wait until other programs have ended, or stop the run and go on later."
        if self._threads > 1:
            hint = (
                "Its threads wait for each other. With one it may be faster: stop it, then `mia-tui train --resume "
                f"{typed(self._run)} --threads 1`; the weights are then no longer equal to the bit."
            )
        self._warn(
            f"The machine is busy: steps take {times:.1f} times their processor time with "
            f"{counted(self._threads, 'thread')}.",
            hint,
        )
