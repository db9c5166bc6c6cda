"""Undoing and redoing a batch of the history: every change of it, or none.

Each change is reversed, newest first, and only if the store still holds what
the change left: if somebody else changed the same thing since, the whole batch
is refused. Bulk steps have up to a million changes, so those of one kind are
read and written some thousands at a time.

Of a class, only the fields that the change set are compared: a new colour by
one person does not keep another from undoing a new name.
"""

import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby, islice
from typing import Any, Literal

from mia_tui.dataset.model import ImageClass
from mia_tui.dataset.store import history, rows
from mia_tui.dataset.store.edits import free_in_steps
from mia_tui.dataset.store.history import ChangeRecorder
from mia_tui.dataset.store.records import Change, ChangeKind, Label, Step
from mia_tui.dataset.store.review.undo import reverse_answer, reverse_kept, reverse_opinion
from mia_tui.errors import StoreConflict
from mia_tui.text import counted, decode_name, name_some, printable

_AT_ONCE = 4096  # changes
_USERS = """SELECT annotator FROM label WHERE class_id = :class
    UNION SELECT annotator FROM opinion WHERE class_id = :class
    UNION SELECT annotator FROM decision WHERE class_id = :class
    UNION SELECT annotator FROM kept WHERE class_id = :class
    UNION SELECT COALESCE(annotator, 'an audit') FROM audit WHERE :class IN (class_id, said_class_id) LIMIT 1"""


def undo_or_redo(connection: sqlite3.Connection, recorder: ChangeRecorder, batch: int | None) -> Step | None:
    """Undo or redo the step that is next for an annotator.

    Args:
        connection: Within a transaction that a refusal rolls back.
        recorder: Its `step` says which of the two.
        batch: Of moved and changed files, to be undone instead.

    Returns:
        What was done; None if there is nothing to do.

    Raises:
        StoreConflict: If somebody else changed the same things since.
    """
    if batch is None:
        find = history.redoable if recorder.step == "redo" else history.undoable
        batch = find(connection, recorder.annotator)
    elif not history.is_undoable_auto(connection, batch):
        batch = None
    if batch is None:
        return None
    names = {known.id: known.name for known in rows.read_classes(connection, archived=True)}
    changes = history.batch_of(connection, batch)
    try:
        _reverse_batch(connection, recorder, changes)
        did = "Undid"
        if recorder.step == "redo":
            did = "Redid"
            for number, change in enumerate(changes):
                changes[number] = _reversed(change)
            changes.reverse()
        return Step(f"{did}: {_describe(changes, names)}.", recorder.batch)
    finally:
        free_in_steps(changes)


@dataclass(frozen=True)
class Reversal:
    """A batch that is being reversed.

    Attributes:
        connection: Within a transaction that a refusal rolls back.
        annotator: Who asked for it.
        word: For messages.
        batch: Of the changes that the reversal itself adds to the history.
    """

    connection: sqlite3.Connection
    annotator: str
    word: Literal["Undo", "Redo"]
    batch: int

    def overwritten(self, kind: ChangeKind, target_id: int, thing: str) -> StoreConflict:
        """The refusal if `thing` is not what the batch left."""
        who = printable(history.last_annotator(self.connection, kind, target_id))
        return self.refusal(f"would overwrite a change of {thing} by {who}")

    def refusal(self, reason: str) -> StoreConflict:
        """The refusal for a reason, as `would overwrite ...`."""
        return StoreConflict(f"{self.word} {reason}; nothing was changed.")


def _reverse_batch(
    connection: sqlite3.Connection, recorder: ChangeRecorder, changes: Sequence[Change]
) -> None:
    """Reverse all changes of a batch, and record that.

    Args:
        connection: Within a transaction that a refusal rolls back.
        recorder: Its `step` is undo or redo.
        changes: Oldest first, as `batch_of` reads them.

    Raises:
        StoreConflict: If somebody else changed the same things since.
    """
    word: Literal["Undo", "Redo"] = "Redo" if recorder.step == "redo" else "Undo"
    reversal = Reversal(connection, recorder.annotator, word, recorder.batch)
    for kind, run in groupby(reversed(changes), key=lambda change: change.kind):
        while part := list(islice(run, _AT_ONCE)):
            values = _REVERSE[kind](reversal, part)
            recorder.add_many(
                (kind, change.target_id, before, after, change.id)
                for change, (before, after) in zip(part, values, strict=True)
            )


def _reverse_labels(reversal: Reversal, changes: Sequence[Change]) -> list[tuple[Any, Any]]:
    found = _of_targets(reversal, changes, f"SELECT image_id, {rows.LABEL_COLUMNS} FROM label WHERE image_id")
    present = {id: Label(*label) for id, *label in found}
    wanted: dict[int, Label | None] = {}
    for change in changes:
        if wanted.get(change.target_id, present.get(change.target_id)) != _label(change.after):
            raise reversal.overwritten("label", change.target_id, f"the label of {_name(change)}")
        before = wanted[change.target_id] = _label(change.before)
        if before is not None:
            _check_label_class(reversal, change, before.class_id, _name(change))
    rows.write_label_rows(reversal.connection, wanted)
    return [(change.after, change.before) for change in changes]


def _reverse_marks(
    column: rows.MarkColumn, reverse_one: Callable[[Reversal, Change, Any], Any]
) -> Callable[[Reversal, Sequence[Change]], list[tuple[Any, Any]]]:
    """Reverses changes of a column; `reverse_one` is given what the column holds and returns what it is to hold."""

    def reverse_all(reversal: Reversal, changes: Sequence[Change]) -> list[tuple[Any, Any]]:
        found = _of_targets(reversal, changes, f"SELECT id, {column} FROM image WHERE id")
        present = {id: rows.mark_value(column, value) for id, value in found}
        values = []
        for change in changes:
            before = present.get(change.target_id)
            after = present[change.target_id] = reverse_one(reversal, change, before)
            values.append((before, after))
        rows.write_marks(reversal.connection, column, ((value, id) for id, value in present.items()))
        return values

    return reverse_all


def _reverse_flag(reversal: Reversal, change: Change, present: int) -> int:
    """Only the bits that the change set or cleared. If another scan set one again, that is no conflict."""
    before, after = int(change.before), int(change.after)
    changed = before ^ after
    if (present ^ after) & changed & ~rows.CONTENT_CHANGED:
        raise reversal.overwritten("flag", change.target_id, f"the flag of {_name(change)}")
    return (present & ~changed) | (before & changed)


def _reverse_mark(thing: str) -> Callable[[Reversal, Change, Any], Any]:
    def reverse_one(reversal: Reversal, change: Change, present: Any) -> Any:
        if present != change.after:
            raise reversal.overwritten(change.kind, change.target_id, f"the {thing} of {_name(change)}")
        return change.before

    return reverse_one


def _of_targets(reversal: Reversal, changes: Sequence[Change], query: str) -> sqlite3.Cursor:
    """What a query finds for the targets of changes with consecutive ids, newest first."""
    return reversal.connection.execute(
        f"{query} IN (SELECT target_id FROM change WHERE id BETWEEN ? AND ?)",
        (changes[-1].id, changes[0].id),
    )


def _one_by_one(
    reverse_one: Callable[[Reversal, Change], tuple[Any, Any]],
) -> Callable[[Reversal, Sequence[Change]], list[tuple[Any, Any]]]:
    return lambda reversal, changes: [reverse_one(reversal, change) for change in changes]


def _reverse_path(reversal: Reversal, change: Change) -> tuple[Any, Any]:
    """The labels of a moved file return to its former name, where no file is now; a redo links them again."""
    here, there = decode_name(change.after), os.fsencode(decode_name(change.before))
    execute = reversal.connection.execute
    path, frame = execute("SELECT path, frame FROM image WHERE id = ?", (change.target_id,)).fetchone()
    later = execute(
        """SELECT kind FROM change WHERE kind IN ('label', 'flag', 'skip', 'note', 'path') AND target_id = ?
        AND id > ? AND batch NOT IN (?, ?) AND step != 'auto' ORDER BY id DESC LIMIT 1""",
        (change.target_id, change.id, change.batch, reversal.batch),
    ).fetchone()
    if os.fsdecode(path) != here or later is not None:
        kind: ChangeKind = "path" if later is None else later[0]
        raise reversal.overwritten(kind, change.target_id, _name(change))
    taken = execute("SELECT 1 FROM image WHERE path = ? AND frame = ?", (there, frame)).fetchone()
    if taken is not None:
        raise reversal.refusal(
            f"would need the name {printable(os.fsdecode(there))}, which another image has"
        )
    execute(
        "UPDATE image SET path = ?, missing = ? WHERE id = ?",
        (there, reversal.word == "Undo", change.target_id),
    )
    return change.after, change.before


def _reverse_frame(reversal: Reversal, change: Change) -> tuple[Any, Any]:
    """What the frames of a stack are is not a person's choice: the next look at the file would say the same."""
    raise reversal.refusal(f"would give {_name(change)} a number that its frame does not have any more")


def _reverse_class(reversal: Reversal, change: Change) -> tuple[Any, Any]:
    """Reverse a change of a class: what the class was and is now, in the form of the history.

    Raises:
        StoreConflict: If somebody else changed the class since, or would lose a label.
    """
    present = rows.class_of(reversal.connection, change.target_id)
    wanted: ImageClass | None = None
    if change.after is None:
        wanted = _insert_class(reversal, ImageClass(**change.before))
    elif present is None:
        raise reversal.overwritten("class", change.target_id, f'the class "{change.after["name"]}"')
    elif change.before is None:
        _remove_class(reversal, present, change.after)
    else:
        wanted = _edit_class(reversal, present, change)
    return _class_value(present), _class_value(wanted)


def _insert_class(reversal: Reversal, wanted: ImageClass) -> ImageClass:
    """Bring back a class that was removed: with its old id, and with its key if that is free."""
    wanted = _with_free_key(reversal, wanted)
    _check_taken(reversal, wanted)
    rows.insert_class(reversal.connection, wanted)
    return wanted


def _remove_class(reversal: Reversal, present: ImageClass, left: Mapping[str, Any]) -> None:
    """Delete a class that nobody uses; ids are never given twice, so it can come back as it was."""
    # A position may differ: other classes were moved or added since.
    if replace(present, position=left["position"]) != ImageClass(**left):
        raise reversal.overwritten("class", present.id, f'the class "{present.name}"')
    user = reversal.connection.execute(_USERS, {"class": present.id}).fetchone()
    if user is not None:
        raise reversal.refusal(f'would remove the class "{present.name}", which {user[0]} uses')
    reversal.connection.execute("DELETE FROM class WHERE id = ?", (present.id,))


def _edit_class(reversal: Reversal, present: ImageClass, change: Change) -> ImageClass:
    changed = {name: value for name, value in change.before.items() if value != change.after[name]}
    if any(getattr(present, name) != change.after[name] for name in changed):
        raise reversal.overwritten("class", present.id, f'the class "{present.name}"')
    wanted = replace(present, **changed)
    if present.archived and not wanted.archived:
        wanted = _with_free_key(reversal, wanted)
    if wanted.archived and not present.archived:
        _check_unused(reversal, present, change)
    _check_taken(reversal, wanted)
    rows.write_class(reversal.connection, wanted)
    return wanted


def _check_label_class(reversal: Reversal, change: Change, class_id: int, image: str) -> None:
    """Refuse to return an image to a class that was archived or removed after `change`."""
    found = rows.class_of(reversal.connection, class_id)
    if found is None:
        raise reversal.refusal(f"would return {image} to a class that no longer exists")
    if found.archived and not _was_archived(reversal, class_id, change.id):
        raise reversal.refusal(f'would return {image} to the class "{found.name}", which is archived now')


def _check_taken(reversal: Reversal, wanted: ImageClass) -> None:
    for other in rows.read_classes(reversal.connection, archived=True):
        if other.id == wanted.id:
            continue
        if other.name == wanted.name:
            raise reversal.refusal(f'would need the name "{wanted.name}", which another class has now')
        if wanted.key is not None and other.key == wanted.key:
            raise reversal.refusal(f'would need the key {wanted.key}, which the class "{other.name}" has now')


def _check_unused(reversal: Reversal, present: ImageClass, change: Change) -> None:
    """A class that would be archived again must not take with it what others labelled with it since."""
    user = reversal.connection.execute(
        """SELECT change.annotator FROM label JOIN change ON kind = 'label' AND target_id = image_id
        WHERE class_id = ? AND change.id > ? AND change.annotator != ? LIMIT 1""",
        (present.id, change.id, reversal.annotator),
    ).fetchone()
    if user is not None:
        raise reversal.refusal(f'would archive the class "{present.name}", which {user[0]} uses')


def _with_free_key(reversal: Reversal, wanted: ImageClass) -> ImageClass:
    """Without its key if another class has that now: the class matters more than its key."""
    classes = rows.read_classes(reversal.connection, archived=True)
    taken = {other.key for other in classes if other.id != wanted.id}
    return replace(wanted, key=None) if wanted.key in taken else wanted


def _was_archived(reversal: Reversal, class_id: int, change_id: int) -> bool:
    """Whether a class was archived at the time of a change."""
    row = reversal.connection.execute(
        """SELECT after FROM change WHERE kind = 'class' AND target_id = ? AND id < ?
        ORDER BY id DESC LIMIT 1""",
        (class_id, change_id),
    ).fetchone()
    value = None if row is None else rows.from_json("class", row[0])
    return value is not None and bool(value["archived"])


def _class_value(image_class: ImageClass | None) -> dict[str, Any] | None:
    return None if image_class is None else asdict(image_class)


def _label(value: Any) -> Label | None:
    return None if value is None else Label(**value)


def _name(change: Change) -> str:
    return printable("an image" if change.image is None else change.image.path)


def _reversed(change: Change) -> Change:
    """A change in the other direction, as it is after that."""
    image = change.image
    if change.kind == "path" and image is not None:
        image = replace(image, path=decode_name(change.before))
    return replace(change, image=image, before=change.after, after=change.before)


_REVERSE: dict[ChangeKind, Callable[[Reversal, Sequence[Change]], list[tuple[Any, Any]]]] = {
    "label": _reverse_labels,
    "class": _one_by_one(_reverse_class),
    "flag": _reverse_marks("flagged", _reverse_flag),
    "skip": _reverse_marks("skipped", _reverse_mark("skip mark")),
    "note": _reverse_marks("note", _reverse_mark("note")),
    "path": _one_by_one(_reverse_path),
    "frame": _one_by_one(_reverse_frame),
    "opinion": _one_by_one(reverse_opinion("opinion")),
    "decision": _one_by_one(reverse_opinion("decision")),
    "kept": _one_by_one(reverse_kept),
    "audit": _one_by_one(reverse_answer),
}
"""Each takes changes of its kind, newest first, and returns what was and what is now, in the form of the history."""


def _describe(changes: Sequence[Change], names: Mapping[int, str]) -> str:
    """What a step did, as a phrase: `3 images to "round"`, `class "a" merged into "b"`.

    Args:
        changes: All of one batch, in the direction of the step.
        names: Of classes, by id; those that the step adds or removes need not be among them.
    """
    names = {**_names_in(changes), **names}
    labels = [change for change in changes if change.kind == "label"]
    classes = [change for change in changes if change.kind == "class"]
    if classes and (merged := _merge_phrase(classes, labels, names)):
        return merged
    if labels:
        return _label_phrase(labels, names)
    if classes:
        return _class_phrase(classes, names)
    return _mark_phrase(changes)


def _names_in(changes: Sequence[Change]) -> dict[int, str]:
    return {
        change.target_id: (change.after or change.before)["name"]
        for change in changes
        if change.kind == "class"
    }


def _label_phrase(labels: Sequence[Change], names: Mapping[int, str]) -> str:
    images = _image_phrase(labels)
    if any(change.after and _is_imported(change) for change in labels):
        return f"import of {counted(len(labels), 'label')}"
    wanted = {None if change.after is None else change.after["class_id"] for change in labels}
    if len(wanted) > 1:
        return f"{images} to different classes"
    [class_id] = wanted
    if class_id is None:
        return f"{images} without a label"
    return f"{images} to {_quoted(names.get(class_id))}"


def _is_imported(change: Change) -> bool:
    """Whether the label came from a file, or from the labels.db of somebody else."""
    return bool(change.after["source"] == "import" or change.after["annotator"] != change.annotator)


def _merge_phrase(
    classes: Sequence[Change], labels: Sequence[Change], names: Mapping[int, str]
) -> str | None:
    """The phrase for a merge: one class archived, whose labels all went to another."""
    [first, *more] = classes
    if more or not labels or not first.after or not first.after["archived"]:
        return None
    into = {change.after and change.after["class_id"] for change in labels}
    if len(into) > 1 or None in into:
        return None
    images = counted(len(labels), "image")
    return f"class {_quoted(names[first.target_id])} merged into {_quoted(names.get(into.pop()))} ({images})"


def _class_phrase(classes: Sequence[Change], names: Mapping[int, str]) -> str:
    if len(classes) > 1:
        return _classes_phrase(classes, names)
    [change] = classes
    name = _quoted(names[change.target_id])
    if change.before is None:
        return f"class {name} added"
    if change.after is None:
        return f"class {name} removed"
    fields = _changed_fields(change)
    if "archived" in fields:
        return f"class {name} {'archived' if change.after['archived'] else 'restored'}"
    if "name" in fields:
        return f"class {_quoted(change.before['name'])} renamed to {_quoted(change.after['name'])}"
    what = {"colour": "colour", "key": "key", "position": "position"}
    return f"{' and '.join(what[field] for field in sorted(fields))} of class {name}"


def _classes_phrase(classes: Sequence[Change], names: Mapping[int, str]) -> str:
    if all(_changed_fields(change) == {"position"} for change in classes):
        return "order of classes"
    some = name_some(f'"{names[target_id]}"' for target_id in dict.fromkeys(c.target_id for c in classes))
    if all(change.before is None for change in classes):
        return f"classes {some} added"
    if all(change.after is None for change in classes):
        return f"classes {some} removed"
    return f"changes of the classes {some}"


def _changed_fields(change: Change) -> set[str]:
    if change.before is None or change.after is None:
        return set()
    return {name for name in change.before if change.before[name] != change.after[name]}


def _mark_phrase(changes: Sequence[Change]) -> str:
    kinds = {change.kind for change in changes}
    if "path" in kinds:
        moved = [change for change in changes if change.kind == "path"]
        return f"link of {_image_phrase(moved)} to a moved file"
    images = _image_phrase(changes)
    after: Any = changes[0].after
    if kinds == {"flag"}:
        return f"{images} {'flagged' if after else 'no longer flagged'}"
    if kinds == {"skip"}:
        return f"{images} {'skipped' if after else 'no longer skipped'}"
    if kinds <= {"opinion", "decision"}:
        return f"{'decision' if 'decision' in kinds else 'opinion'} on {images}"
    if kinds == {"kept"}:
        return f"{images} kept as labelled" if after else f"{images} no longer kept as labelled"
    if kinds == {"audit"}:
        return f"answer about {images} in the audit"
    return f"note of {images}" if kinds == {"note"} else f"marks of {images}"


def _image_phrase(changes: Sequence[Change]) -> str:
    images = {change.image for change in changes}
    [image, *more] = images
    return printable(image.path) if image and not more else counted(len(images), "image")


def _quoted(name: str | None) -> str:
    return "another class" if name is None else f'"{name}"'
