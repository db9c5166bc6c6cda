"""Turning around a change of a class.

Only the fields that the change set count: a new colour by one person does not
keep another from taking a name back.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from mia_tui.dataset.model import ImageClass
from mia_tui.dataset.store import rows
from mia_tui.dataset.store.class_edits import read_classes
from mia_tui.dataset.store.conflicts import Turning
from mia_tui.dataset.store.records import Change


def turn_class(turning: Turning, change: Change) -> tuple[Any, Any]:
    """Turn a change of a class around: what the class was and is now, as the history has it.

    Raises:
        StoreConflict: If somebody else changed the class since, or would lose a label.
    """
    present = rows.class_of(turning.connection, change.target_id)
    wanted: ImageClass | None = None
    if change.after is None:
        wanted = _insert(turning, ImageClass(**change.before))
    elif present is None:
        raise turning.overwritten("class", change.target_id, f'the class "{change.after["name"]}"')
    elif change.before is None:
        _remove(turning, present, change.after)
    else:
        wanted = _edit(turning, present, change)
    return _value(present), _value(wanted)


def check_label_class(turning: Turning, change: Change, class_id: int, image: str) -> None:
    """Refuse to give an image back to a class that was put away after `change`.

    Raises:
        StoreConflict: If it was.
    """
    found = rows.class_of(turning.connection, class_id)
    if found is None:
        raise turning.refusal(f"would give {image} back to a class that is not there any more")
    if found.archived and not _was_archived(turning, class_id, change.id):
        raise turning.refusal(
            f'would give {image} back to the class "{found.name}", which is archived by now'
        )


def _insert(turning: Turning, wanted: ImageClass) -> ImageClass:
    """A class that was taken back whole: under its old id, with its key if that is free."""
    wanted = _with_free_key(turning, wanted)
    _check_taken(turning, wanted)
    rows.insert_class(turning.connection, wanted)
    return wanted


def _remove(turning: Turning, present: ImageClass, left: Mapping[str, Any]) -> None:
    """A class nobody uses goes altogether; ids are never given twice, so it can come back as it was."""
    # Where it stands among the others is theirs to say.
    if replace(present, position=left["position"]) != ImageClass(**left):
        raise turning.overwritten("class", present.id, f'the class "{present.name}"')
    user = turning.connection.execute(
        "SELECT annotator FROM label WHERE class_id = ? LIMIT 1", (present.id,)
    ).fetchone()
    if user is not None:
        raise turning.refusal(f'would take away the class "{present.name}", which {user[0]} uses')
    turning.connection.execute("DELETE FROM class WHERE id = ?", (present.id,))


def _edit(turning: Turning, present: ImageClass, change: Change) -> ImageClass:
    changed = {name: value for name, value in change.before.items() if value != change.after[name]}
    if any(getattr(present, name) != change.after[name] for name in changed):
        raise turning.overwritten("class", present.id, f'the class "{present.name}"')
    wanted = replace(present, **changed)
    if present.archived and not wanted.archived:
        wanted = _with_free_key(turning, wanted)
    if wanted.archived and not present.archived:
        _check_unused(turning, present, change)
    _check_taken(turning, wanted)
    rows.write_class(turning.connection, wanted)
    return wanted


def _check_taken(turning: Turning, wanted: ImageClass) -> None:
    for other in read_classes(turning.connection, archived=True):
        if other.id == wanted.id:
            continue
        if other.name == wanted.name:
            raise turning.refusal(f'would need the name "{wanted.name}", which another class has now')
        if wanted.key is not None and other.key == wanted.key:
            raise turning.refusal(f'would need the key {wanted.key}, which the class "{other.name}" has now')


def _check_unused(turning: Turning, present: ImageClass, change: Change) -> None:
    """A class that comes to be archived again must not take along what others labelled with it since."""
    user = turning.connection.execute(
        """SELECT change.annotator FROM label JOIN change ON kind = 'label' AND target_id = image_id
        WHERE class_id = ? AND change.id > ? AND change.annotator != ? LIMIT 1""",
        (present.id, change.id, turning.annotator),
    ).fetchone()
    if user is not None:
        raise turning.refusal(f'would put away the class "{present.name}", which {user[0]} uses')


def _with_free_key(turning: Turning, wanted: ImageClass) -> ImageClass:
    """Without its key where another class has that by now: coming back counts for more."""
    taken = {other.key for other in read_classes(turning.connection, archived=True) if other.id != wanted.id}
    return replace(wanted, key=None) if wanted.key in taken else wanted


def _was_archived(turning: Turning, class_id: int, change_id: int) -> bool:
    """Whether a class was archived at the time of a change."""
    row = turning.connection.execute(
        """SELECT after FROM change WHERE kind = 'class' AND target_id = ? AND id < ?
        ORDER BY id DESC LIMIT 1""",
        (class_id, change_id),
    ).fetchone()
    value = None if row is None else rows.from_json("class", row[0])
    return value is not None and bool(value["archived"])


def _value(known: ImageClass | None) -> dict[str, Any] | None:
    return None if known is None else asdict(known)
