"""The line to the terminal: what is on its way, and how fast it goes.

A picture is followed by a question every terminal answers (the place of the
cursor, CSI 6n). Its answer says that the picture has arrived, through all the
buffers of ssh and the kernel, which a write that returned does not say. An
answer that comes late is harmless: the app's input knows it and it never
becomes a key.
"""

import math
import time
from collections import deque
from collections.abc import Callable

ASK = "\x1b[6n"
"""Written after a picture; the terminal answers when it has come to it."""

SLOW_BYTES_PER_S = 500_000
"""4 Mbit/s: below it, a coarse picture goes first."""

_PROBE_BYTES = 1_000  # so few take no time of their own: they tell the way there and back
_MEASURED_BYTES = 16_000  # less tells more of that than of the speed
_TELLING_BYTES = 4_000  # less may have lain in a buffer
_FASTER = 1.5
_LOST_S = 3.0
_LOST_TWICE = 2


class Link:
    """What is on its way to the terminal.

    Args:
        clock: Seconds, for tests.

    Attributes:
        bytes_per_s: Measured speed; None while nothing large was sent.
        on_free: Called when nothing is on its way any more.
        on_refused: Called with the number of a picture that the terminal was to show and does not have (kitty).
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._flying: deque[tuple[float, int]] = deque()
        self._shortest_s: float | None = None
        self._lost = 0
        self._also = 0
        self._step = 0.0  # bytes a second that budgets go by: a power of two, or half as much again
        self.bytes_per_s: float | None = None
        self.on_free: Callable[[], object] = lambda: None
        self.on_refused: Callable[[int], object] = lambda _: None

    @property
    def busy(self) -> bool:
        """Whether a picture is on its way."""
        return bool(self._flying)

    @property
    def flying_bytes(self) -> int:
        """What is on its way."""
        return sum(size for _, size in self._flying)

    @property
    def is_slow(self) -> bool:
        return self.bytes_per_s is not None and self.bytes_per_s < SLOW_BYTES_PER_S

    @property
    def asks(self) -> bool:
        """Whether the terminal answers at all; pictures are not held back for one that never does."""
        return self._lost < _LOST_TWICE

    def budget(self, seconds: float) -> int | None:
        """Bytes that arrive in so many seconds; None where the line is fast.

        It goes by steps and stays while the speed wavers, so that a picture made for it fits the next one.
        """
        return int(self._step * seconds) if self.is_slow else None

    def also(self, size_bytes: int) -> None:
        """So many bytes were written ahead of what the next question stands behind."""
        self._also += size_bytes

    def sent(self, size_bytes: int) -> None:
        """So many bytes were written, with the question behind them."""
        if self.asks:
            self._flying.append((self._clock(), size_bytes + self._also))
        self._also = 0

    def answered(self) -> None:
        """The terminal answered the oldest question."""
        self._lost = 0  # late as it may be, it answers
        if not self._flying:
            return
        sent_at, size = self._flying.popleft()
        self._measure(self._clock() - sent_at, size)
        if not self._flying:
            self.on_free()

    def expire(self) -> None:
        """Give up on answers that are long due; to be called now and then."""
        if self._flying and self._clock() - self._flying[0][0] > max(_LOST_S, self._expected_s()):
            self._lost += 1
            self._flying.clear()
            self.on_free()

    def _expected_s(self) -> float:
        return 4 * self.flying_bytes / (self.bytes_per_s or float("inf"))

    def _measure(self, took_s: float, size: int) -> None:
        if size < _PROBE_BYTES:
            self._shortest_s = took_s if self._shortest_s is None else min(took_s, self._shortest_s)
        old = self.bytes_per_s
        if size >= _MEASURED_BYTES:
            speed = size / max(took_s - (self._shortest_s or 0.0), 1e-4)
        elif size >= _TELLING_BYTES and old is not None:
            # The line is at least as fast as this. Were it not looked at, one that was taken for a very slow one
            # would never be sent enough to find out that it is not.
            speed = max(old, size / max(took_s, 1e-4))
        else:
            return
        # A line that became slower is believed at once, one that became faster step by step: what lay in some
        # buffer arrives at once now and then, and the next picture would hold up every key.
        self.bytes_per_s = speed if old is None else min(speed, _FASTER * old)
        if not 0.9 * self._step <= self.bytes_per_s <= 2 * self._step:
            self._step = _round_down(self.bytes_per_s)


def _round_down(speed: float) -> float:
    power = 2.0 ** int(math.log2(max(speed, 1.0)))
    return 1.5 * power if speed >= 1.5 * power else power
