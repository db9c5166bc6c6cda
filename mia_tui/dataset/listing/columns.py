"""Arrays that grow."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_ROOM = 4  # times what is needed: what was never written to takes no memory, and copies are rare and small


class Column:
    """A one-dimensional array that values are appended to, at a cost that does not grow with it.

    Args:
        values: What it holds at first. It is not copied, nor written to: that begins with the first append.
    """

    def __init__(self, values: NDArray[Any]) -> None:
        self._buffer = values
        self._count = len(values)

    @classmethod
    def empty(cls, dtype: DTypeLike) -> "Column":
        return cls(np.empty(0, dtype))

    def __len__(self) -> int:
        return self._count

    @property
    def values(self) -> NDArray[Any]:
        """What it holds; good until the next append."""
        return self._buffer[: self._count]

    def append(self, values: NDArray[Any]) -> None:
        """Put values at the end."""
        if not len(values):
            return  # what it was made of may be read-only
        needed = self._count + len(values)
        if needed > len(self._buffer):
            grown = np.empty(_ROOM * needed, self._buffer.dtype)
            grown[: self._count] = self.values
            self._buffer = grown
        self._buffer[self._count : needed] = values
        self._count = needed
