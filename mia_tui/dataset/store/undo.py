"""Taking a batch of the history back: every change of it, or none.

Each row is turned around, newest first, and only where the store still holds
what the row left behind: where somebody else changed the same thing since, the
whole batch is refused. Bulk actions have a million rows, so those of one kind
are read and written together, some thousands at a time.
"""

import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby, islice
from typing import Any

from mia_tui.dataset.store import history, marks, rows
from mia_tui.dataset.store.class_edits import read_classes
from mia_tui.dataset.store.conflicts import Turning
from mia_tui.dataset.store.history import ChangeRecorder
from mia_tui.dataset.store.long_lists import let_go
from mia_tui.dataset.store.records import Change, ChangeKind, Label, Step
from mia_tui.dataset.store.step_words import describe
from mia_tui.dataset.store.undo_classes import check_label_class, turn_class
from mia_tui.text import decode_name, printable

_AT_ONCE = 4096  # changes


def turn(connection: sqlite3.Connection, notes: ChangeRecorder, batch: int | None) -> Step | None:
    """Undo or redo the step that is next for an annotator.

    Args:
        connection: Within a transaction that a refusal rolls back.
        notes: Its `step` says which of the two.
        batch: Of moved and changed files, to be undone instead.

    Returns:
        What was done; None if there is nothing to do.

    Raises:
        StoreConflict: If somebody else changed the same things since.
    """
    if batch is None:
        find = history.redoable if notes.step == "redo" else history.undoable
        batch = find(connection, notes.annotator)
    elif not history.is_standing_auto(connection, batch):
        batch = None
    if batch is None:
        return None
    names = {known.id: known.name for known in read_classes(connection, archived=True)}
    changes = history.batch_of(connection, batch)
    try:
        turn_around(connection, notes, changes)
        did = "Undid"
        if notes.step == "redo":
            did = "Redid"
            for number, change in enumerate(changes):
                changes[number] = _turned(change)
            changes.reverse()
        return Step(f"{did}: {describe(changes, names)}.", notes.batch)
    finally:
        let_go(changes)


def turn_around(connection: sqlite3.Connection, notes: ChangeRecorder, changes: Sequence[Change]) -> None:
    """Take changes back, and note that.

    Args:
        connection: Within a transaction that a refusal rolls back.
        notes: Its `step` is undo or redo.
        changes: All of one batch, oldest first, as `batch_of` reads them.

    Raises:
        StoreConflict: If somebody else changed the same things since.
    """
    turning = Turning(connection, notes.annotator, "Redo" if notes.step == "redo" else "Undo", notes.batch)
    for kind, run in groupby(reversed(changes), key=lambda change: change.kind):
        while part := list(islice(run, _AT_ONCE)):
            turned = _TURN[kind](turning, part)
            notes.add_many(
                (kind, change.target_id, before, after, change.id)
                for change, (before, after) in zip(part, turned, strict=True)
            )


def _turn_labels(turning: Turning, changes: Sequence[Change]) -> list[tuple[Any, Any]]:
    found = _of_targets(turning, changes, f"SELECT image_id, {rows.LABEL_COLUMNS} FROM label WHERE image_id")
    present = {id: Label(*label) for id, *label in found}
    wanted: dict[int, Label | None] = {}
    for change in changes:
        if wanted.get(change.target_id, present.get(change.target_id)) != _label(change.after):
            raise turning.overwritten("label", change.target_id, f"the label of {_name(change)}")
        before = wanted[change.target_id] = _label(change.before)
        if before is not None:
            check_label_class(turning, change, before.class_id, _name(change))
    rows.write_labels(turning.connection, wanted)
    return [(change.after, change.before) for change in changes]


def _turn_marks(
    column: marks.Column, turn_one: Callable[[Turning, Change, Any], Any]
) -> Callable[[Turning, Sequence[Change]], list[tuple[Any, Any]]]:
    """Turns changes of a column around; `turn_one` gets what the column holds and says what it is to hold."""

    def turn_all(turning: Turning, changes: Sequence[Change]) -> list[tuple[Any, Any]]:
        found = _of_targets(turning, changes, f"SELECT id, {column} FROM image WHERE id")
        present = {id: marks.as_noted(column, value) for id, value in found}
        turned = []
        for change in changes:
            before = present.get(change.target_id)
            after = present[change.target_id] = turn_one(turning, change, before)
            turned.append((before, after))
        marks.write_marks(turning.connection, column, ((value, id) for id, value in present.items()))
        return turned

    return turn_all


def _turn_flag(turning: Turning, change: Change, present: int) -> int:
    """Only the bits that the change set or cleared. Following files may have set one again: no conflict."""
    before, after = int(change.before), int(change.after)
    changed = before ^ after
    if (present ^ after) & changed & ~rows.CONTENT_CHANGED:
        raise turning.overwritten("flag", change.target_id, f"the flag of {_name(change)}")
    return (present & ~changed) | (before & changed)


def _turn_mark(thing: str) -> Callable[[Turning, Change, Any], Any]:
    def turn_one(turning: Turning, change: Change, present: Any) -> Any:
        if present != change.after:
            raise turning.overwritten(change.kind, change.target_id, f"the {thing} of {_name(change)}")
        return change.before

    return turn_one


def _of_targets(turning: Turning, changes: Sequence[Change], query: str) -> sqlite3.Cursor:
    """What a query finds for the targets of changes, whose ids follow each other, newest first."""
    return turning.connection.execute(
        f"{query} IN (SELECT target_id FROM change WHERE id BETWEEN ? AND ?)",
        (changes[-1].id, changes[0].id),
    )


def _one_by_one(
    turn_one: Callable[[Turning, Change], tuple[Any, Any]],
) -> Callable[[Turning, Sequence[Change]], list[tuple[Any, Any]]]:
    return lambda turning, changes: [turn_one(turning, change) for change in changes]


def _turn_path(turning: Turning, change: Change) -> tuple[Any, Any]:
    """The labels of a moved file back to its former name, where no file is now; a redo links them again."""
    here, there = decode_name(change.after), os.fsencode(decode_name(change.before))
    execute = turning.connection.execute
    path, frame = execute("SELECT path, frame FROM image WHERE id = ?", (change.target_id,)).fetchone()
    later = execute(
        """SELECT kind FROM change WHERE kind IN ('label', 'flag', 'skip', 'note', 'path') AND target_id = ?
        AND id > ? AND batch NOT IN (?, ?) AND step != 'auto' ORDER BY id DESC LIMIT 1""",
        (change.target_id, change.id, change.batch, turning.batch),
    ).fetchone()
    if os.fsdecode(path) != here or later is not None:
        kind: ChangeKind = "path" if later is None else later[0]
        raise turning.overwritten(kind, change.target_id, _name(change))
    taken = execute("SELECT 1 FROM image WHERE path = ? AND frame = ?", (there, frame)).fetchone()
    if taken is not None:
        raise turning.refusal(f"would need the name {printable(os.fsdecode(there))}, which another image has")
    execute(
        "UPDATE image SET path = ?, missing = ? WHERE id = ?",
        (there, turning.word == "Undo", change.target_id),
    )
    return change.after, change.before


def _label(value: Any) -> Label | None:
    return None if value is None else Label(**value)


def _name(change: Change) -> str:
    return printable("an image" if change.image is None else change.image.path)


def _turned(change: Change) -> Change:
    """A change the other way, as it is after that."""
    image = change.image
    if change.kind == "path" and image is not None:
        image = replace(image, path=decode_name(change.before))
    return replace(change, image=image, before=change.after, after=change.before)


_TURN: dict[ChangeKind, Callable[[Turning, Sequence[Change]], list[tuple[Any, Any]]]] = {
    "label": _turn_labels,
    "class": _one_by_one(turn_class),
    "flag": _turn_marks("flagged", _turn_flag),
    "skip": _turn_marks("skipped", _turn_mark("skip mark")),
    "note": _turn_marks("note", _turn_mark("note")),
    "path": _one_by_one(_turn_path),
}
"""Each takes changes of its kind, newest first, and gives what was and what is now, as the history has it."""
