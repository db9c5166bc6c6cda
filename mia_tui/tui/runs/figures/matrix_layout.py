"""Where the cells and margins of a confusion matrix lie in the room there is."""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

LEAST_CELL = 5
"""Columns; `100%` and a space."""

_LONGEST_NAME, _LEAST_NAME = 24, 8
_MOST_UPRIGHT, _LEAST_UPRIGHT = 10, 5  # rows of names written from top to bottom
_CUT_FROM = 8  # columns of a cell; in narrower ones names stand upright
_RECALL, _IMAGES = 8, 9


@dataclass(frozen=True)
class MatrixLayout:
    """The parts of a matrix on the screen, in columns and rows from its upper left corner.

    Attributes:
        names: Columns of the names of rows, with a pointer and a space.
        head: Rows above the cells: a title, and the names of columns.
        upright: Whether those are written from top to bottom.
        recall: Columns behind the cells for the recall of each class; 0 for none.
        images: Columns behind those for the number of images.
        foot: Rows below the cells: precision, number of predictions, scale; fewer where there is little room.
        lefts: Where the columns of cells begin, and where the last one ends.
        tops: The same of rows.
    """

    names: int
    head: int
    upright: bool
    recall: int
    images: int
    foot: int
    lefts: tuple[int, ...]
    tops: tuple[int, ...]

    @property
    def columns_shown(self) -> int:
        return len(self.lefts) - 1

    @property
    def rows_shown(self) -> int:
        return len(self.tops) - 1

    @property
    def least_columns(self) -> int:
        """Columns of the narrowest cell."""
        return min(after - before for before, after in pairwise(self.lefts))

    @property
    def least_rows(self) -> int:
        """Rows of the lowest cell."""
        return min(after - before for before, after in pairwise(self.tops))

    def cell_at(self, x: int, y: int) -> tuple[int, int] | None:
        """Row and column of cells at a place, counted from the first in view; None beside the cells."""
        row, column = bisect_right(self.tops, y) - 1, bisect_right(self.lefts, x) - 1
        inside = 0 <= row < self.rows_shown and 0 <= column < self.columns_shown
        return (row, column) if inside else None


def lay_out(width: int, height: int, classes: int, *, longest: int, digits: int) -> MatrixLayout:
    """Use the whole room: as many cells as there are classes if they fit, as large as they can be.

    Args:
        width: Columns there are.
        height: Rows there are.
        classes: How many classes there are, at least 1.
        longest: Columns of the longest name.
        digits: Columns of the largest number.
    """
    names = max(_LEAST_NAME, min(longest, _LONGEST_NAME, width // 5)) + 2
    recall = _RECALL if width - names >= 6 * LEAST_CELL else 0
    images = max(_IMAGES, digits + 2) if recall and width - names - recall >= 8 * LEAST_CELL else 0
    room = max(1, width - names - recall - images)
    columns = max(1, min(classes, room // max(LEAST_CELL, digits + 2)))
    cell = room // columns
    upright_rows = min(longest, _MOST_UPRIGHT, height // 4)
    upright = longest >= cell and cell < _CUT_FROM and upright_rows >= _LEAST_UPRIGHT
    head = 1 + (upright_rows if upright else 1)
    spare = height - head - classes
    foot = 3 if spare >= 3 or height >= 24 else 2 if spare >= 2 or height >= 18 else 1 if height >= 8 else 0
    down = max(1, height - head - foot)
    rows = max(1, min(classes, down))
    return MatrixLayout(
        names,
        head,
        upright,
        recall,
        images,
        foot,
        tuple(names + place * room // columns for place in range(columns + 1)),
        tuple(head + place * down // rows for place in range(rows + 1)),
    )


def scrolled(first: int, cursor: int, room: int, count: int) -> int:
    """The first row or column in view, moved as little as necessary to show the cursor."""
    first = min(max(first, cursor - room + 1), cursor)
    return max(0, min(first, count - room))
