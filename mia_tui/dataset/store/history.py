"""The table `change`: what was done and by whom, and which step comes next for undo and redo.

Rows are only added. The rows of one transaction are one batch, named after its
first row, and their ids follow each other without a gap, because only one
program writes at a time. An undo or redo is a batch as well: each of its rows
names in `undoes` the row that it reversed. So a redo undoes an undo, the next
undo undoes that redo, and a batch counts as undone once any row names it.

`step` says what kind of batch it is. What `LabelStore.apply_file_changes`
writes is `auto`: it never keeps a person from undoing their last label, and is
undone only if it is named.
"""

import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import takewhile
from typing import Literal

from mia_tui.dataset.store import rows
from mia_tui.dataset.store.records import Change, ChangeKind
from mia_tui.text import decode_name

StepKind = Literal["do", "undo", "redo", "auto"]
NewChange = tuple[ChangeKind, int, object, object, int | None]
"""Kind, target, before, after, undoes; flags as their bits."""

# `id = batch AND step != 'auto'` is the condition of the index change_step.
_STEPS = "SELECT id FROM change WHERE annotator = :who AND id = batch AND step != 'auto'"
_NOT_UNDONE = "NOT EXISTS (SELECT 1 FROM change AS later WHERE later.undoes = change.id)"
_UNDOABLE = f"{_STEPS} AND step != 'undo' AND {_NOT_UNDONE} ORDER BY id DESC LIMIT 1"
_REDOABLE = f"""{_STEPS} AND step = 'undo' AND {_NOT_UNDONE}
    AND id > COALESCE(({_STEPS} AND step = 'do' ORDER BY id DESC LIMIT 1), 0) ORDER BY id DESC LIMIT 1"""


class ChangeRecorder:
    """Adds the rows of one transaction to the history.

    Args:
        connection: Within a transaction, so that nobody else adds rows.
        annotator: Who makes the changes.
        step: What kind of step the batch is.
    """

    def __init__(self, connection: sqlite3.Connection, annotator: str, step: StepKind) -> None:
        self.annotator = annotator
        self.at = time.time()
        self.step = step
        self._connection = connection
        self.batch = self._next = last_change(connection) + 1

    @property
    def written_batch(self) -> int | None:
        """The batch, if it has any row yet."""
        return None if self._next == self.batch else self.batch

    def add(self, kind: ChangeKind, target_id: int, before: object, after: object) -> None:
        """Record one change."""
        self.add_many([(kind, target_id, before, after, None)])

    def add_many(self, changes: Iterable[NewChange]) -> None:
        """Record changes in the order they were made."""
        self._connection.executemany(
            """INSERT INTO change (id, batch, at, annotator, kind, target_id, before, after, undoes, step)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                (
                    self._take_id(),
                    self.batch,
                    self.at,
                    self.annotator,
                    kind,
                    target_id,
                    rows.to_json(before),
                    rows.to_json(after),
                    undoes,
                    self.step,
                )
                for kind, target_id, before, after, undoes in changes
            ),
        )

    def _take_id(self) -> int:
        self._next += 1
        return self._next - 1


def last_change(connection: sqlite3.Connection) -> int:
    """Id of the newest row; 0 if there is none."""
    return int(connection.execute("SELECT COALESCE(MAX(id), 0) FROM change").fetchone()[0])


def changes_after(connection: sqlite3.Connection, change_id: int) -> Iterator[Change]:
    """Rows newer than one, oldest first, with a flag as yes or no whatever its reason."""
    found = connection.execute(f"{rows.CHANGES} WHERE change.id > ? ORDER BY change.id", (change_id,))
    return map(_without_flag_bits, rows.changes(found))


def batch_of(connection: sqlite3.Connection, batch: int) -> list[Change]:
    """The rows of one step, oldest first; flags are still their bits."""
    # Its rows are contiguous, so reading stops at the next batch: no index on `batch` is needed.
    found = connection.execute(f"{rows.CHANGES} WHERE change.id >= ? ORDER BY change.id", (batch,))
    return list(takewhile(lambda change: change.batch == batch, rows.changes(found)))


def undoable(connection: sqlite3.Connection, annotator: str) -> int | None:
    """The newest batch of an annotator that was not undone: a step or a redo."""
    row = connection.execute(_UNDOABLE, {"who": annotator}).fetchone()
    return None if row is None else row[0]


def redoable(connection: sqlite3.Connection, annotator: str) -> int | None:
    """The newest undo of an annotator that was not redone, if no step of theirs is newer."""
    row = connection.execute(_REDOABLE, {"who": annotator}).fetchone()
    return None if row is None else row[0]


def is_undoable_auto(connection: sqlite3.Connection, batch: int) -> bool:
    """Whether a batch was written because files moved or changed, and was not undone."""
    row = connection.execute(
        f"SELECT 1 FROM change WHERE id = ? AND batch = id AND step = 'auto' AND {_NOT_UNDONE}", (batch,)
    ).fetchone()
    return row is not None


def newest_links(connection: sqlite3.Connection) -> int | None:
    """The newest batch that linked labels to moved files and was not undone."""
    row = connection.execute(
        f"""SELECT batch FROM change WHERE kind = 'path' AND step = 'auto' AND {_NOT_UNDONE}
        ORDER BY id DESC LIMIT 1"""
    ).fetchone()
    return None if row is None else row[0]


def last_annotator(connection: sqlite3.Connection, kind: ChangeKind, target_id: int) -> str:
    """Who changed a target last; "somebody" if nobody did."""
    row = connection.execute(
        "SELECT annotator FROM change WHERE kind = ? AND target_id = ? ORDER BY id DESC LIMIT 1",
        (kind, target_id),
    ).fetchone()
    return "somebody" if row is None else row[0]


def moves_since(connection: sqlite3.Connection, at: float) -> dict[str, str]:
    """Where files moved since a time, as far as labels moved with them: path then, path now."""
    found = connection.execute(
        """SELECT before, after FROM change WHERE kind = 'path' AND at >= ?
        GROUP BY batch, before, after ORDER BY MIN(id)""",
        (at,),
    )
    was: dict[str, str] = {}  # path then, by path now
    for before, after in found:
        old, new = (decode_name(rows.from_json("path", value)) for value in (before, after))
        was[new] = was.pop(old, old)
    return {then: now for now, then in was.items() if then != now}


def rejected_moves(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Moves of files that a person undid: (old, new) as `encode_name` writes them."""
    found = connection.execute(
        "SELECT id, undoes, before, after FROM change WHERE kind = 'path' ORDER BY id"
    ).fetchall()
    is_undo: dict[int, bool] = {}
    for id, undoes, _, _ in found:
        is_undo[id] = undoes is not None and not is_undo.get(undoes, False)
    undone = {undoes for _, undoes, _, _ in found}
    return [
        (rows.from_json("path", after), rows.from_json("path", before))
        for id, _, before, after in found
        if is_undo[id] and id not in undone
    ]


def _without_flag_bits(change: Change) -> Change:
    if change.kind != "flag":
        return change
    return replace(change, before=bool(change.before), after=bool(change.after))
