"""What labels.db says, taken over by the session a piece at a time: between two pieces, keys are answered."""

import asyncio

from mia_tui.dataset.session.row_table import Rows
from mia_tui.dataset.session.session import Applied, LabelSession
from mia_tui.dataset.store.records import Change
from mia_tui.tui.labelling.store_thread import StoreSnapshot

_ALL_TOUCHED = 1000  # rows; where so many are others, lists are painted anew
_AT_ONCE = 4096  # changes


class SessionUpdater:
    """Brings a session to what is in labels.db, and keeps which rows are others since.

    Args:
        session: Belongs to the event loop's thread.
    """

    def __init__(self, session: LabelSession) -> None:
        self._session = session
        self._touched: list[int] = []

    async def load(self, snapshot: StoreSnapshot) -> None:
        """Take over everything, instead of what was known before."""
        for _ in self._session.load_in_steps(snapshot.classes, snapshot.labels, snapshot.marks):
            await asyncio.sleep(0)
        self._touched = list(range(min(len(self._session.listing), _ALL_TOUCHED)))

    async def take(self, changes: list[Change], *, from_outside: bool = False) -> Applied:
        """Carry out what is new in the history; nothing is left in the list.

        Args:
            changes: Oldest first.
            from_outside: Whether another program wrote all of it, whoever used that.
        """
        steps = self._session.apply_in_steps(changes)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                applied: Applied = end.value
                break
            await asyncio.sleep(0)
        self._touch(applied.rows)
        if from_outside or applied.by_others:
            self._session.join(applied.rows)
        while changes:  # to let go of 100,000 at once takes 40 ms
            del changes[-_AT_ONCE:]
            await asyncio.sleep(0)
        return applied

    def touched(self) -> list[int]:
        """Rows whose label or marks changed since this was asked the last time."""
        touched, self._touched = self._touched, []
        return touched

    def _touch(self, rows: Rows) -> None:
        """A screen that is not seen does not ask for them; so many need not be kept apart."""
        self._touched = (self._touched + rows[:_ALL_TOUCHED].tolist())[-_ALL_TOUCHED:]
