"""How many images are labelled, left, skipped, flagged. The table of rows counts along: asking costs nothing."""

from collections import deque

import numpy as np

from mia_tui.dataset.session.class_list import ClassList
from mia_tui.dataset.session.image_states import ImageStates
from mia_tui.dataset.session.row_table import FLAGGED, SKIPPED
from mia_tui.dataset.store.records import Source


class SessionCounts:
    """The numbers of a session, as they are when they are asked for. Labels of archived classes are not counted.

    Args:
        states: What is known of each image.
        classes: The classes.
    """

    def __init__(self, states: ImageStates, classes: ClassList) -> None:
        self._states, self._classes = states, classes

    @property
    def by_class(self) -> dict[int, int]:
        """How many images each class has, archived ones left out, in order."""
        return self._states.table.labels_of(self._class_ids())

    @property
    def by_source(self) -> dict[Source, int]:
        """How many labels come from where."""
        return self._states.table.labels_by_source(self._class_ids())

    @property
    def labelled(self) -> int:
        return sum(self.by_source.values())

    @property
    def unlabelled(self) -> int:
        return len(self._states.listing) - self.labelled

    @property
    def left(self) -> int:
        """Images that wait for a label: those without one that were not skipped."""
        return self.unlabelled - self._skipped_unlabelled()

    @property
    def skipped(self) -> int:
        return self._states.table.with_bit(SKIPPED)

    @property
    def flagged(self) -> int:
        return self._states.table.with_bit(FLAGGED)

    @property
    def missing(self) -> int:
        """Labels of images that are not listed: gone, or not found yet."""
        return self._states.missing

    def _class_ids(self) -> list[int]:
        return [image_class.id for image_class in self._classes.active]

    def _skipped_unlabelled(self) -> int:
        table = self._states.table
        if not self.skipped:
            return 0
        rows = np.flatnonzero(table.bits & SKIPPED)
        active = self._classes.are_active(len(table.labels))
        return int(np.count_nonzero(~active[table.class_ids[rows]]))


_WINDOW_S = 180.0  # long enough for a steady figure, short enough to follow the person
_SHORTEST_S = 5.0  # two keys within a second are no pace yet


class LabellingSpeed:
    """Counts a person's own labels by the clock it is given, so that it can be replayed."""

    def __init__(self) -> None:
        self._labelled_at: deque[float] = deque()

    def add_label(self, at: float) -> None:
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
