"""Adding, renaming, ordering, merging and putting away classes.

An archived class keeps its id, name and labels and gives its key away; its
labels count nowhere until it is restored. Functions work within a transaction
of the caller.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import replace

from mia_tui.dataset.class_book import check_class, class_name, free_colour, free_key, free_looks
from mia_tui.dataset.model import ImageClass
from mia_tui.dataset.store import rows
from mia_tui.dataset.store.history import ChangeRecorder
from mia_tui.dataset.store.labelling import move_labels
from mia_tui.errors import DataError
from mia_tui.records import BadRecord


def read_classes(connection: sqlite3.Connection, *, archived: bool) -> list[ImageClass]:
    """The classes by position; without the archived ones, unless asked for."""
    found = connection.execute(
        f"SELECT {rows.CLASS_COLUMNS} FROM class WHERE archived <= ? ORDER BY position, id", (archived,)
    )
    classes = [rows.to_class(row) for row in found]
    if len({known.name for known in classes}) < len(classes):
        raise BadRecord("two classes have the same name")
    return classes


def add_class(
    connection: sqlite3.Connection, notes: ChangeRecorder, name: str, colour: str | None, key: str | None
) -> ImageClass:
    """Add a class at the end; see `LabelStore.add_class`."""
    name = class_name(name)
    known = read_classes(connection, archived=True)
    former = next((other for other in known if other.name == name and other.archived), None)
    if former is not None and not _has_labels(connection, former):
        return _revive(connection, notes, former, colour, key)
    colour = free_colour(known) if colour is None else colour.lower()
    key = free_key(known) if key is None else key
    check_class(name, colour, key, known)
    new = ImageClass(0, name, colour, key, _next_position(known))
    new = replace(new, id=rows.insert_class(connection, new))
    notes.add("class", new.id, None, new)
    return new


def add_classes(
    connection: sqlite3.Connection, notes: ChangeRecorder, names: Iterable[str]
) -> list[ImageClass]:
    """Add many classes at the end; see `LabelStore.add_classes`."""
    names = [class_name(name) for name in names]
    there = {other.name for other in read_classes(connection, archived=True)}
    added = {name: add_class(connection, notes, name, None, None) for name in names if name in there}
    known = read_classes(connection, archived=True)
    looks = free_looks(known)
    for position, name in enumerate((name for name in names if name not in there), _next_position(known)):
        colour, key = next(looks)
        check_class(name, colour, key, [added[name]] if name in added else ())
        new = ImageClass(0, name, colour, key, position)
        added[name] = replace(new, id=rows.insert_class(connection, new))
        notes.add("class", added[name].id, None, added[name])
    return [added[name] for name in names]


def rename_class(
    connection: sqlite3.Connection, notes: ChangeRecorder, class_id: int, name: str
) -> ImageClass:
    """Give a class, archived or not, another name."""
    before = _known(connection, class_id)
    return _edit(connection, notes, before, replace(before, name=class_name(name)))


def recolour_class(
    connection: sqlite3.Connection, notes: ChangeRecorder, class_id: int, colour: str
) -> ImageClass:
    """Give a class another colour, #rrggbb."""
    before = _known(connection, class_id)
    return _edit(connection, notes, before, replace(before, colour=colour.lower()))


def set_class_key(
    connection: sqlite3.Connection, notes: ChangeRecorder, class_id: int, key: str | None
) -> ImageClass:
    """Give a class another key, or none."""
    before = _active(connection, class_id)
    return _edit(connection, notes, before, replace(before, key=key))


def move_class(
    connection: sqlite3.Connection, notes: ChangeRecorder, class_id: int, position: int
) -> ImageClass:
    """Put a class at a place among the others, counted from 0; all are numbered without gaps."""
    moved = _active(connection, class_id)
    order = [other for other in read_classes(connection, archived=False) if other.id != class_id]
    place = max(0, min(position, len(order)))
    order.insert(place, moved)
    for number, before in enumerate(order):
        _edit(connection, notes, before, replace(before, position=number))
    return replace(moved, position=place)


def archive_class(connection: sqlite3.Connection, notes: ChangeRecorder, class_id: int) -> ImageClass:
    """Put a class away; its labels stay with it, its key is free for others."""
    before = _active(connection, class_id)
    return _edit(connection, notes, before, replace(before, key=None, archived=True))


def restore_class(connection: sqlite3.Connection, notes: ChangeRecorder, class_id: int) -> ImageClass:
    """Bring an archived class back with its labels, and with its former key or else the next free one."""
    before = _known(connection, class_id)
    if not before.archived:
        raise DataError(f"The class {before.name} is not archived.")
    key = _key_again(connection, class_id)
    return _edit(connection, notes, before, replace(before, key=key, archived=False))


def merge_class(connection: sqlite3.Connection, notes: ChangeRecorder, class_id: int, into: int) -> int:
    """Move the labels of one class to another and archive it; returns how many moved."""
    before, other = _known(connection, class_id), _active(connection, into)
    if class_id == into:
        raise DataError(f"The class {other.name} cannot be merged into itself.", "Choose another class.")
    moved = move_labels(connection, notes, class_id, into)
    _edit(connection, notes, before, replace(before, key=None, archived=True))
    return moved


def _revive(
    connection: sqlite3.Connection,
    notes: ChangeRecorder,
    former: ImageClass,
    colour: str | None,
    key: str | None,
) -> ImageClass:
    """An archived class without labels is as good as new: its name and id are used again."""
    after = replace(
        former,
        colour=former.colour if colour is None else colour.lower(),
        key=_key_again(connection, former.id) if key is None else key,
        position=_next_position(read_classes(connection, archived=True)),
        archived=False,
    )
    return _edit(connection, notes, former, after)


def _edit(
    connection: sqlite3.Connection, notes: ChangeRecorder, before: ImageClass, after: ImageClass
) -> ImageClass:
    if after == before:
        return after
    others = [other for other in read_classes(connection, archived=True) if other.id != after.id]
    check_class(after.name, after.colour, after.key, others)
    rows.write_class(connection, after)
    notes.add("class", after.id, before, after)
    return after


def _known(connection: sqlite3.Connection, class_id: int) -> ImageClass:
    found = rows.class_of(connection, class_id)
    if found is None:
        raise DataError(f"There is no class with the number {class_id}.", "Choose another class.")
    return found


def _active(connection: sqlite3.Connection, class_id: int) -> ImageClass:
    found = _known(connection, class_id)
    if found.archived:
        raise DataError(f"The class {found.name} is archived.", "Restore it, or choose another class.")
    return found


def _has_labels(connection: sqlite3.Connection, known: ImageClass) -> bool:
    row = connection.execute("SELECT 1 FROM label WHERE class_id = ? LIMIT 1", (known.id,)).fetchone()
    return row is not None


def _next_position(known: list[ImageClass]) -> int:
    return max((other.position for other in known), default=-1) + 1


def _key_again(connection: sqlite3.Connection, class_id: int) -> str | None:
    """The key a class had before it was archived if nobody has it, else the next free one."""
    found = connection.execute(
        "SELECT before FROM change WHERE kind = 'class' AND target_id = ? ORDER BY id DESC", (class_id,)
    )
    values = (rows.from_json("class", before) for (before,) in found)
    former = next((value["key"] for value in values if value and not value["archived"]), None)
    known = read_classes(connection, archived=False)
    taken = {other.key for other in known}
    return former if former is not None and former not in taken else free_key(known)
