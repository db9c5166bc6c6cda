"""Marking several images of the grid, one range at a time."""

import numpy as np

from mia_tui.dataset.session.row_table import Rows
from mia_tui.dataset.session.session import LabelSession


class Marks:
    """The marks of a session, and the range that is being marked.

    Args:
        session: Holds the marks.
    """

    def __init__(self, session: LabelSession) -> None:
        self._session = session
        self._anchor: int | None = None  # row that the range begins at
        self._seen: object = None  # what was listed and in which order when the range began
        self._ranged: Rows = session.view[:0]  # rows that it has marked

    def through(self, before: int | None) -> None:
        """Mark from where the range began to the current image; going back takes those marks away again.

        Args:
            before: The row that was current before this move; a new range begins there.
        """
        session, row = self._session, self._session.current_row
        if row is None or before is None:
            return
        seen = session.listing, session.view_generation
        if self._anchor is None or self._seen != seen:  # in another order, a range would hold other images
            self._anchor, self._ranged, self._seen = before, session.view[:0], seen
        wanted = self._between(self._anchor, row)
        for other in np.setdiff1d(self._ranged, wanted).tolist():
            session.toggle(other)
        new = wanted[~np.isin(wanted, session.selected)]
        session.select_range(self._anchor, row)
        self._ranged = np.concatenate([np.intersect1d(self._ranged, wanted), new])

    def end_range(self) -> None:
        """The next range begins somewhere else."""
        self._anchor = None

    def forget(self) -> None:
        """Take all marks away."""
        self._session.clear_selection()
        self._anchor = None

    def replace(self, rows: Rows) -> None:
        """Mark these rows and no others, as far as they are shown."""
        self.forget()
        self._session.select(rows[np.isin(rows, self._session.view)])

    def _between(self, first: int, last: int) -> Rows:
        view = self._session.view
        places = np.flatnonzero(np.isin(view, [first, last]))
        return view[places[0] : places[-1] + 1] if len(places) else view[:0]
