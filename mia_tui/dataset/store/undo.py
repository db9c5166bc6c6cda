"""Taking a batch of the history back: every change of it, or none.

Each row is turned around, newest first, and only where the store still holds
what the row left behind: where somebody else changed the same thing since, the
whole batch is refused. Bulk actions have 100,000 rows and more, so what stands
here for labels is kept short.
"""

import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store import history, marks, rows
from mia_tui.dataset.store.class_edits import read_classes
from mia_tui.dataset.store.conflicts import Turning
from mia_tui.dataset.store.history import Notes
from mia_tui.dataset.store.records import Change, ChangeKind, Label, Step
from mia_tui.dataset.store.step_words import describe
from mia_tui.dataset.store.undo_classes import check_label_class, turn_class
from mia_tui.paths import decode_name, printable


def turn(connection: sqlite3.Connection, notes: Notes, batch: int | None) -> Step | None:
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
    turned = turn_around(connection, notes, changes)
    if notes.step == "redo":
        return Step(f"Redid: {describe(turned, names)}.", turned)
    return Step(f"Undid: {describe(changes, names)}.", turned)


def turn_around(
    connection: sqlite3.Connection, notes: Notes, changes: Sequence[Change]
) -> tuple[Change, ...]:
    """Take changes back, and note that.

    Args:
        connection: Within a transaction that a refusal rolls back.
        notes: Its `step` is undo or redo.
        changes: All of one batch, oldest first, as `batch_of` reads them.

    Returns:
        The new changes, as they are given out.

    Raises:
        StoreConflict: If somebody else changed the same things since.
    """
    turning = Turning(connection, notes.annotator, "Redo" if notes.step == "redo" else "Undo")
    turned = [(change, *_TURN[change.kind](turning, change)) for change in reversed(changes)]
    notes.add_many(
        (change.kind, change.target_id, before, after, change.id) for change, before, after in turned
    )
    return tuple(
        history.given_out(
            Change(
                notes.batch + number,
                notes.batch,
                notes.at,
                notes.annotator,
                change.kind,
                change.target_id,
                _image_after(change),
                before,
                after,
                change.id,
            )
        )
        for number, (change, before, after) in enumerate(turned)
    )


def _turn_label(turning: Turning, change: Change) -> tuple[Any, Any]:
    present = rows.label_of(turning.connection, change.target_id)
    if present != _label(change.after):
        raise turning.overwritten("label", change.target_id, f"the label of {_name(change)}")
    wanted = _label(change.before)
    if wanted is not None:
        check_label_class(turning, change, wanted.class_id, _name(change))
    rows.write_label(turning.connection, change.target_id, wanted)
    return change.after, change.before


def _turn_flag(turning: Turning, change: Change) -> tuple[int, int]:
    """Only the bits that the change set or cleared. Following files may have set one again: no conflict."""
    present = int(marks.mark_of(turning.connection, change.target_id, "flagged"))
    before, after = int(change.before), int(change.after)
    changed = before ^ after
    if (present ^ after) & changed & ~rows.CONTENT_CHANGED:
        raise turning.overwritten("flag", change.target_id, f"the flag of {_name(change)}")
    wanted = (present & ~changed) | (before & changed)
    marks.write_mark(turning.connection, change.target_id, "flagged", wanted)
    return present, wanted


def _turn_skip(turning: Turning, change: Change) -> tuple[Any, Any]:
    return _turn_mark(turning, change, "skipped", "skip mark")


def _turn_note(turning: Turning, change: Change) -> tuple[Any, Any]:
    return _turn_mark(turning, change, "note", "note")


def _turn_mark(turning: Turning, change: Change, column: marks.Column, thing: str) -> tuple[Any, Any]:
    if marks.mark_of(turning.connection, change.target_id, column) != change.after:
        raise turning.overwritten(change.kind, change.target_id, f"the {thing} of {_name(change)}")
    marks.write_mark(turning.connection, change.target_id, column, change.before)
    return change.after, change.before


def _turn_path(turning: Turning, change: Change) -> tuple[Any, Any]:
    """The labels of a moved file back to its former name, where no file is now; a redo links them again."""
    here, there = decode_name(change.after), os.fsencode(decode_name(change.before))
    execute = turning.connection.execute
    path, frame = execute("SELECT path, frame FROM image WHERE id = ?", (change.target_id,)).fetchone()
    later = execute(
        """SELECT kind FROM change WHERE kind IN ('label', 'flag', 'skip', 'note', 'path') AND target_id = ?
        AND id > ? AND batch != ? AND step != 'auto' ORDER BY id DESC LIMIT 1""",
        (change.target_id, change.id, change.batch),
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


def _image_after(change: Change) -> ImageKey | None:
    if change.kind != "path" or change.image is None:
        return change.image
    return replace(change.image, path=decode_name(change.before))


_TURN: dict[ChangeKind, Callable[[Turning, Change], tuple[Any, Any]]] = {
    "label": _turn_label,
    "class": turn_class,
    "flag": _turn_flag,
    "skip": _turn_skip,
    "note": _turn_note,
    "path": _turn_path,
}
