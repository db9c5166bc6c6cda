"""Where a person was in a dataset, kept from one session to the next."""

from pathlib import Path

from mia_tui.dataset.recent import last_position, remember_dataset
from mia_tui.dataset.session.session import LabelSession


class Bookmark:
    """Where a person was in a dataset: they return to it the next time.

    Args:
        dataset: Its folder.
        session: Its images, and which of them is the current one.
        state: What the user named with --state.
    """

    def __init__(self, dataset: Path, session: LabelSession, state: Path | None) -> None:
        self._dataset, self._session, self._state = dataset, session, state
        self._return_to = last_position(dataset)
        self._saved: object = None

    def go_back(self) -> None:
        """Go where the person was the last time, unless they have moved already. Only the first call does."""
        row = None if self._return_to is None else self._session.listing.row(self._return_to)
        if row is not None and self._session.position == 0:
            self._session.go_to(row)
        self._return_to = None

    def remember(self) -> None:
        """Save where the person is, for the next time; nothing is written if that is saved already."""
        session = self._session
        images, labels = len(session.listing), session.counts.labelled
        place = (session.current, images, labels)
        if place != self._saved:
            self._saved = place
            remember_dataset(self._dataset, self._state, session.current, images=images, labels=labels)
