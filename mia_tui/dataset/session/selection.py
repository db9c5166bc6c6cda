"""The images a person marked to do something to all of them."""

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.listing.columns import Column

Rows = NDArray[np.int32]


class Selection:
    """Marked rows of a listing.

    Attributes:
        count: How many they are.
    """

    def __init__(self, rows: int = 0) -> None:
        self._marked = Column(np.zeros(rows, np.bool_))
        self.count = 0

    @property
    def rows(self) -> Rows:
        """The marked rows, ascending."""
        return np.flatnonzero(self._marked.values).astype(np.int32)

    def has(self, row: int) -> bool:
        return bool(self._marked.values[row])

    def toggle(self, row: int) -> None:
        """Mark a row, or take its mark away."""
        marked = not self.has(row)
        self._marked.values[row] = marked
        self.count += 1 if marked else -1

    def add(self, rows: Rows) -> None:
        """Mark these rows, too."""
        self._marked.values[rows] = True
        self._recount()

    def keep(self, rows: Rows) -> None:
        """Take the marks of all others away."""
        if not self.count:
            return
        kept = rows[self._marked.values[rows]]
        self.clear()
        self.add(kept)

    def clear(self) -> None:
        if self.count:
            self._marked.values[:] = False
            self.count = 0

    def grow(self, rows: int) -> None:
        self._marked.append(np.zeros(rows, np.bool_))

    def moved(self, placed: Rows, rows: int) -> "Selection":
        """The same for another listing; `placed` is the new row of each row, -1 where it is gone."""
        other = Selection(rows)
        now = placed[self.rows]
        other.add(now[now >= 0])
        return other

    def _recount(self) -> None:
        self.count = int(np.count_nonzero(self._marked.values))
