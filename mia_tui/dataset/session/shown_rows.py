"""Which images are shown in which order, which of them is the current one, and which are selected."""

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.listing.arrays import Column

Rows = NDArray[np.int32]


class ShownRows:
    """The rows of a listing that are shown, as they were when the filter was set: labelling does not remove any.

    Attributes:
        position: Position of the current image among them; None if there is none.
        anchor: Row of the image that is or was current last, to return to.
        is_backwards: Whether the last move went backwards.
        generation: Counts how often other rows were shown; rows added at the end do not count.
    """

    def __init__(self) -> None:
        self._rows = Column.empty(np.int32)
        self.position: int | None = None
        self.anchor: int | None = None
        self.is_backwards = False
        self.generation = 0

    @property
    def rows(self) -> Rows:
        return self._rows.values

    @property
    def row(self) -> int | None:
        """Row of the current image."""
        return None if self.position is None else int(self.rows[self.position])

    def show(self, rows: Rows, position: int) -> None:
        """Show other rows; a position beyond the end means the last."""
        self._rows = Column(rows)
        self.generation += 1
        self.position = None
        if len(rows):
            self._set_position(min(position, len(rows) - 1))

    def show_around(self, rows: Rows, row: int, *, is_shown: bool) -> None:
        """Show other rows with one of them as current; if `is_shown` is false, the one after it."""
        position = int(np.flatnonzero(rows == row)[0])
        self.show(rows if is_shown else np.delete(rows, position), position)

    def append(self, rows: Rows) -> None:
        """Show more rows at the end; the current image stays."""
        self._rows.append(rows)
        if self.position is None and len(self._rows):
            self._set_position(0)

    def place_of(self, row: int) -> int | None:
        """The position of a row; None if it is not shown."""
        if self.position is not None and row == self.row:
            return self.position
        found = np.flatnonzero(self.rows == row)
        return int(found[0]) if len(found) else None

    def move_to(self, position: int) -> bool:
        """Go to a position, or to the nearest end if it is beyond one. Returns whether the position changed."""
        if self.position is None:
            return False
        before = self.position
        self._set_position(max(0, min(position, len(self._rows) - 1)))
        self.is_backwards = self.position < before
        return self.position != before

    def neighbours(self, ahead: int, behind: int) -> list[int]:
        """Rows around the current one: first those ahead in the direction of the last move, the nearest first."""
        if self.position is None:
            return []
        after = self.rows[self.position + 1 :]
        before = self.rows[: self.position][::-1]
        if self.is_backwards:
            after, before = before, after
        return [*after[:ahead].tolist(), *before[:behind].tolist()]

    def between(self, a: int, b: int) -> Rows:
        """The rows from one to another, in either direction; none if one of them is not shown."""
        places = self.place_of(a), self.place_of(b)
        if places[0] is None or places[1] is None:
            return self.rows[:0]
        start, stop = sorted((places[0], places[1]))
        return self.rows[start : stop + 1]

    def next_place(self, wanted: NDArray[np.bool_], *, backwards: bool, wrap: bool) -> int | None:
        """The position of the next wanted row other than the current one; None if there is none.

        Args:
            wanted: For each row of the listing.
            backwards: Search backwards.
            wrap: Whether to continue at the other end.
        """
        if self.position is None:
            return None
        places = np.flatnonzero(wanted[self.rows])
        after, before = places[places > self.position], places[places < self.position]
        ahead, behind = (before[::-1], after[::-1]) if backwards else (after, before)
        for found in (ahead, behind) if wrap else (ahead,):
            if len(found):
                return int(found[0])
        return None

    def follow(self, placed: Rows, new: Rows, *, in_rows: bool, reverse: bool) -> None:
        """Show the same images, and new ones, of another listing. If the current one is gone, the next is current.

        Args:
            placed: New row of each row; -1 if the image is gone.
            new: Rows of the other listing that are added: sorted in if `in_rows`, else at the end.
            in_rows: Whether the rows are in the order of the listing.
            reverse: Whether they are in the reverse of that order.
        """
        if self.anchor is not None:
            self.anchor = int(placed[self.anchor]) if placed[self.anchor] >= 0 else None
        before = placed[self.rows]
        position = int(np.count_nonzero(before[: self.position or 0] >= 0))
        before = before[before >= 0]
        rows = np.concatenate((before, new))
        if in_rows:
            rows.sort()
            rows = rows[::-1].copy() if reverse else rows
            if len(before):
                row = before[min(position, len(before) - 1)]
                position = int(np.flatnonzero(rows == row)[0])
        self.show(rows, position)

    def _set_position(self, position: int) -> None:
        self.position = position
        self.anchor = int(self.rows[position])


class Selection:
    """The selected rows of a listing.

    Attributes:
        count: Their number.
    """

    def __init__(self, rows: int = 0) -> None:
        self._marked = Column(np.zeros(rows, np.bool_))
        self.count = 0

    @property
    def rows(self) -> Rows:
        """The selected rows, ascending."""
        return np.flatnonzero(self._marked.values).astype(np.int32)

    def has(self, row: int) -> bool:
        return bool(self._marked.values[row])

    def toggle(self, row: int) -> None:
        """Select a row, or deselect it."""
        marked = not self.has(row)
        self._marked.values[row] = marked
        self.count += 1 if marked else -1

    def add(self, rows: Rows) -> None:
        """Select these rows, too."""
        self._marked.values[rows] = True
        self._recount()

    def keep(self, rows: Rows) -> None:
        """Deselect all other rows."""
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
        """This selection for another listing; `placed` is the new row of each row, -1 if it is gone."""
        other = Selection(rows)
        now = placed[self.rows]
        other.add(now[now >= 0])
        return other

    def _recount(self) -> None:
        self.count = int(np.count_nonzero(self._marked.values))
