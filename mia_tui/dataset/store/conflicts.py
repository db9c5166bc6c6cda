"""Refusing an undo or redo that would overwrite what somebody else did."""

import sqlite3
from dataclasses import dataclass
from typing import Literal

from mia_tui.dataset.store.history import last_annotator
from mia_tui.dataset.store.records import ChangeKind
from mia_tui.errors import StoreConflict
from mia_tui.text import printable


@dataclass(frozen=True)
class Turning:
    """A batch that is being turned around.

    Attributes:
        connection: Within a transaction that a refusal rolls back.
        annotator: Who wants that.
        word: For sentences.
        batch: Of the rows that are added to the history meanwhile.
    """

    connection: sqlite3.Connection
    annotator: str
    word: Literal["Undo", "Redo"]
    batch: int

    def overwritten(self, kind: ChangeKind, target_id: int, thing: str) -> StoreConflict:
        """The refusal where `thing` is not what the batch left behind."""
        who = printable(last_annotator(self.connection, kind, target_id))
        return self.refusal(f"would overwrite a change of {thing} by {who}")

    def refusal(self, reason: str) -> StoreConflict:
        """The refusal for a reason, as `would overwrite ...`."""
        return StoreConflict(f"{self.word} {reason}; nothing was changed.")
