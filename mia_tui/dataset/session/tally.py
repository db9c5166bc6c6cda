"""How many images are labelled, left, skipped, flagged. The table of rows counts along: asking costs nothing."""

import numpy as np

from mia_tui.dataset.session.class_list import ClassList
from mia_tui.dataset.session.image_states import ImageStates
from mia_tui.dataset.session.row_table import FLAGGED, SKIPPED
from mia_tui.dataset.store.records import Source


class Tally:
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
