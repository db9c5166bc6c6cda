"""Flow control for pictures: what is on its way to the terminal, and how fast the connection is.

A picture is followed by a question that every terminal answers (the position of
the cursor, CSI 6n). The answer says that the picture has arrived, through all
the buffers of ssh and the kernel; that a write returned does not say so. A late
answer is harmless: the app's input recognises it, and it never becomes a key.
"""

import math
import time
from collections import deque
from collections.abc import Callable

ASK = "\x1b[6n"
"""Written after a picture; the terminal answers when it has processed everything before it."""

SLOW_BYTES_PER_S = 500_000
"""4 Mbit/s; below it, a coarse picture is sent first."""

_PROBE_BYTES = 1_000  # so few bytes measure the round trip alone
_MEASURED_BYTES = 16_000  # fewer say more about the round trip than about the speed
_LEAST_BYTES = 4_000  # fewer may have stayed in a buffer
_FASTER = 1.5
_LOST_S = 3.0
_LOST_TWICE = 2


class FlowControl:
    """Knows what is on its way to the terminal, and the speed of the connection.

    Args:
        clock: Seconds, for tests.

    Attributes:
        bytes_per_s: Measured speed; None while nothing large was sent.
        on_free: Called when nothing is on its way any more.
        on_refused: Called with the number of a picture that the terminal was told to show and does not have (kitty).
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._in_flight: deque[tuple[float, int]] = deque()
        self._shortest_s: float | None = None
        self._lost = 0
        self._sent_before = 0
        self._step = 0.0  # bytes a second that budgets go by: a power of two, or half as much again
        self.bytes_per_s: float | None = None
        self.on_free: Callable[[], object] = lambda: None
        self.on_refused: Callable[[int], object] = lambda _: None

    def take_over(
        self, on_free: Callable[[], object], on_refused: Callable[[int], object]
    ) -> Callable[[], None]:
        """Call others first, until what is returned is called: a screen over another one shows pictures."""
        before = self.on_free, self.on_refused

        def free() -> None:
            on_free()
            before[0]()

        def refused(number: int) -> None:
            on_refused(number)
            before[1](number)

        def give_back() -> None:
            self.on_free, self.on_refused = before

        self.on_free, self.on_refused = free, refused
        return give_back

    @property
    def busy(self) -> bool:
        """Whether a picture is on its way."""
        return bool(self._in_flight)

    @property
    def bytes_in_flight(self) -> int:
        """Size of what is on its way."""
        return sum(size for _, size in self._in_flight)

    @property
    def is_slow(self) -> bool:
        return self.bytes_per_s is not None and self.bytes_per_s < SLOW_BYTES_PER_S

    @property
    def asks(self) -> bool:
        """Whether the terminal answers at all; if it never does, pictures do not wait for answers."""
        return self._lost < _LOST_TWICE

    def budget(self, seconds: float) -> int | None:
        """Bytes that arrive in so many seconds; None if the connection is fast.

        It is rounded, and stays the same while the speed varies a little, so that a picture that was made for one
        budget can be used for the next.
        """
        return int(self._step * seconds) if self.is_slow else None

    @property
    def has_sent(self) -> bool:
        """Whether something was written that no question covers yet."""
        return bool(self._sent_before)

    def sent_before(self, size_bytes: int) -> None:
        """So many bytes were written without a question; the next one covers them as well."""
        self._sent_before += size_bytes

    def sent(self, size_bytes: int) -> None:
        """So many bytes were written, followed by the question."""
        if self.asks:
            self._in_flight.append((self._clock(), size_bytes + self._sent_before))
        self._sent_before = 0

    def answered(self) -> None:
        """The terminal answered the oldest question."""
        self._lost = 0  # even if it is late, it answers
        if not self._in_flight:
            return
        sent_at, size = self._in_flight.popleft()
        self._measure(self._clock() - sent_at, size)
        if not self._in_flight:
            self.on_free()

    def expire(self) -> None:
        """Stop waiting for answers that are long overdue; to be called once a second."""
        if self._in_flight and self._clock() - self._in_flight[0][0] > max(_LOST_S, self._expected_s()):
            self._lost += 1
            self._in_flight.clear()
            self.on_free()

    def _expected_s(self) -> float:
        return 4 * self.bytes_in_flight / (self.bytes_per_s or float("inf"))

    def _measure(self, took_s: float, size: int) -> None:
        if size < _PROBE_BYTES:
            self._shortest_s = took_s if self._shortest_s is None else min(took_s, self._shortest_s)
        old = self.bytes_per_s
        if size >= _MEASURED_BYTES:
            speed = size / max(took_s - (self._shortest_s or 0.0), 1e-4)
        elif size >= _LEAST_BYTES and old is not None:
            # The connection is at least as fast as this. Without this rule, one that was measured as very slow by
            # mistake would never be sent enough to be measured again.
            speed = max(old, size / max(took_s, 1e-4))
        else:
            return
        # A lower speed is used at once, a higher one step by step: sometimes bytes arrive quickly because they
        # were in a buffer, and the next picture would then delay every key.
        self.bytes_per_s = speed if old is None else min(speed, _FASTER * old)
        if not 0.9 * self._step <= self.bytes_per_s <= 2 * self._step:
            self._step = _round_down(self.bytes_per_s)


def _round_down(speed: float) -> float:
    power = 2.0 ** int(math.log2(max(speed, 1.0)))
    return 1.5 * power if speed >= 1.5 * power else power
