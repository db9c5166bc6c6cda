"""Giving images their labels: writes that may concern a whole dataset, so rows go in together, in parts.

Functions work within a transaction of the caller.
"""

import sqlite3
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store import rows
from mia_tui.dataset.store.history import ChangeRecorder, Noted
from mia_tui.dataset.store.long_lists import let_go
from mia_tui.dataset.store.records import Label, Source
from mia_tui.errors import DataError

_AT_ONCE = 4096  # images


def set_labels(
    connection: sqlite3.Connection,
    notes: ChangeRecorder,
    items: Iterable[tuple[ImageKey, int | None]],
    source: Source,
) -> int:
    """Label images or take labels away; see `LabelStore.set_labels`."""
    items = list(items)
    _check_classes(connection, {class_id for _, class_id in items if class_id is not None})
    now = time.time()
    parts = (items[start : start + _AT_ONCE] for start in range(0, len(items), _AT_ONCE))
    changed = sum(_set_some(connection, notes, part, source, now) for part in parts)
    let_go(items)
    return changed


def _set_some(
    connection: sqlite3.Connection,
    notes: ChangeRecorder,
    items: Sequence[tuple[ImageKey, int | None]],
    source: Source,
    now: float,
) -> int:
    seen: dict[ImageKey, rows.ImageRow] = {}  # as they are after the items so far
    noted: list[Noted] = []
    for key, class_id in items:
        image = seen.get(key) or rows.image_row(connection, key, make=class_id is not None)
        if image is not None:
            seen[key] = image
            label = None if class_id is None else Label(class_id, notes.annotator, source, now)
            noted += _relabel(image, label)
    changed = {target_id for _, target_id, *_ in noted}
    images = [image for image in seen.values() if image.id in changed]
    _write(connection, images, {target_id for kind, target_id, *_ in noted if kind == "flag"})
    notes.add_many(noted)
    return sum(kind == "label" for kind, *_ in noted)


def move_labels(connection: sqlite3.Connection, notes: ChangeRecorder, class_id: int, into: int) -> int:
    """Give all labels of one class to another; who made them, when and how stays."""
    found = connection.execute(
        f"SELECT image_id, {rows.LABEL_COLUMNS} FROM label WHERE class_id = ? ORDER BY image_id", (class_id,)
    ).fetchall()
    connection.execute("UPDATE label SET class_id = ? WHERE class_id = ?", (into, class_id))
    labels = ((row[0], Label(*row[1:])) for row in found)
    notes.add_many(("label", id, label, replace(label, class_id=into), None) for id, label in labels)
    return len(found)


def _check_classes(connection: sqlite3.Connection, wanted: Collection[int]) -> None:
    """Refuse classes that cannot be labelled with; another program may have put them away just now."""
    for class_id in wanted:
        found = rows.class_of(connection, class_id)
        if found is None:
            raise DataError(f"There is no class with the number {class_id}.", "Choose another class.")
        if found.archived:
            raise DataError(f"The class {found.name} is archived.", "Restore it, or choose another class.")


def _relabel(image: rows.ImageRow, label: Label | None) -> list[Noted]:
    """What a new label changes at an image; notes it in `image`."""
    before = image.label
    is_doubted = bool(image.flagged & rows.CONTENT_CHANGED)
    if before is None and label is None:
        return []
    if (
        before
        and label
        and not is_doubted
        and (before.class_id, before.source) == (label.class_id, label.source)
    ):
        return []
    image.label = label
    noted: list[Noted] = [("label", image.id, before, label, None)]
    if is_doubted:
        flagged = image.flagged & ~rows.CONTENT_CHANGED
        noted.insert(0, ("flag", image.id, image.flagged, flagged, None))
        image.flagged = flagged
    return noted


def _write(connection: sqlite3.Connection, images: Collection[rows.ImageRow], flagged: set[int]) -> None:
    rows.write_labels(connection, {image.id: image.label for image in images})
    connection.executemany(
        "UPDATE image SET flagged = ? WHERE id = ?",
        ((image.flagged, image.id) for image in images if image.id in flagged),
    )
