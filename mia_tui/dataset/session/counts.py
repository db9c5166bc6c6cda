"""How many images are labelled, left, skipped or flagged, and how fast they are labelled.

The row table keeps running totals, so the counts cost nothing.
"""

from collections import deque

import numpy as np

from mia_tui.dataset.session.class_list import ClassList
from mia_tui.dataset.session.image_states import ImageStates
from mia_tui.dataset.session.row_table import FLAGGED, SKIPPED
from mia_tui.dataset.store.records import LabelOrigin


class SessionCounts:
    """The current counts of a session. Labels of archived classes are not counted.

    Args:
        states: The state of each image.
        classes: The classes.
    """

    def __init__(self, states: ImageStates, classes: ClassList) -> None:
        self._states, self._classes = states, classes

    @property
    def by_class(self) -> dict[int, int]:
        """Number of images of each class except archived ones, in order."""
        return self._states.table.labels_of(self._class_ids())

    @property
    def by_source(self) -> dict[LabelOrigin, int]:
        """Number of labels from each source."""
        return self._states.table.labels_by_source(self._class_ids())

    @property
    def labelled(self) -> int:
        return sum(self.by_source.values())

    @property
    def unlabelled(self) -> int:
        return len(self._states.listing) - self.labelled

    @property
    def left(self) -> int:
        """Images that still need a label: those without one that were not skipped."""
        return self.unlabelled - self._skipped_unlabelled()

    @property
    def skipped(self) -> int:
        return self._states.table.with_bit(SKIPPED)

    @property
    def flagged(self) -> int:
        return self._states.table.with_bit(FLAGGED)

    @property
    def missing(self) -> int:
        """Labels of images whose files are not listed: missing, or not found yet."""
        return self._states.missing - self._states.unused

    @property
    def unused(self) -> int:
        """Labels that do not count now: of single frames where stacks are labelled as a whole, and the like."""
        return self._states.unused

    def _class_ids(self) -> list[int]:
        return [image_class.id for image_class in self._classes.active]

    def _skipped_unlabelled(self) -> int:
        table = self._states.table
        if not self.skipped:
            return 0
        rows = np.flatnonzero(table.bits & SKIPPED)
        active = self._classes.are_active(len(table.labels))
        return int(np.count_nonzero(~active[table.class_ids[rows]]))


_WINDOW_S = 180.0  # long enough for a steady value, short enough to follow changes of speed
_SHORTEST_S = 5.0  # two keys within a second do not tell a speed


class LabellingSpeed:
    """How fast a person labels: images per minute over the last minutes."""

    def __init__(self) -> None:
        self._labelled_at: deque[float] = deque()

    def add_label(self, at: float) -> None:
        """Count a label given at this time, in seconds of any monotonic clock."""
        self._labelled_at.append(at)
        self._forget_before(at - _WINDOW_S)

    def per_minute(self, now: float) -> float | None:
        """Images per minute lately; None as long as there are too few."""
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
