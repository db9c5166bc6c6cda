"""How fast a person labels: images per minute over the last minutes."""

from collections import deque

_WINDOW_S = 180.0  # long enough for a steady figure, short enough to follow the person
_SHORTEST_S = 5.0  # two keys within a second are no pace yet


class Pace:
    """Counts a person's own labels by the clock it is given, so that it can be replayed."""

    def __init__(self) -> None:
        self._labelled_at: deque[float] = deque()

    def note_label(self, at: float) -> None:
        """A person labelled an image at this time, in seconds of any one clock that does not go back."""
        self._labelled_at.append(at)
        self._forget_before(at - _WINDOW_S)

    def per_minute(self, now: float) -> float | None:
        """Images per minute lately; None while there is too little to tell."""
        self._forget_before(now - _WINDOW_S)
        if len(self._labelled_at) < 2:
            return None
        elapsed_s = now - self._labelled_at[0]
        if elapsed_s < _SHORTEST_S:
            return None
        return 60 * (len(self._labelled_at) - 1) / elapsed_s

    def _forget_before(self, time_s: float) -> None:
        while self._labelled_at and self._labelled_at[0] < time_s:
            self._labelled_at.popleft()
