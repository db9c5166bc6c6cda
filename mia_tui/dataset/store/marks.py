"""Flags, skips and notes of images: what is kept of them besides their class.

Functions work within a transaction of the caller.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable
from typing import Any, Literal

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store import rows
from mia_tui.dataset.store.history import Notes
from mia_tui.dataset.store.records import ChangeKind, Mark
from mia_tui.paths import printable

Column = Literal["flagged", "skipped", "note"]

_KINDS: dict[Column, ChangeKind] = {"flagged": "flag", "skipped": "skip", "note": "note"}


def read_marks(connection: sqlite3.Connection) -> dict[ImageKey, Mark]:
    """Marks of the images that have any."""
    found = connection.execute(
        "SELECT path, frame, flagged, skipped, note FROM image WHERE flagged OR skipped OR note IS NOT NULL"
    )
    return {ImageKey(os.fsdecode(path), frame): rows.to_mark(*mark) for path, frame, *mark in found}


def set_flagged(connection: sqlite3.Connection, notes: Notes, keys: Iterable[ImageKey], on: bool) -> int:
    """Flag images, or take flags away, also those of changed content; returns how many changed."""
    flag = (lambda bits: bits | rows.BY_PERSON) if on else (lambda bits: 0)
    return _set(connection, notes, keys, "flagged", flag, make=on)


def set_skipped(connection: sqlite3.Connection, notes: Notes, keys: Iterable[ImageKey], on: bool) -> int:
    """Mark images as passed over, or not; returns how many changed."""
    return _set(connection, notes, keys, "skipped", lambda _: on, make=on)


def set_note(connection: sqlite3.Connection, notes: Notes, key: ImageKey, text: str | None) -> int:
    """Put a note on an image, or take it away; returns how many changed."""
    note = one_line(text or "") or None
    return _set(connection, notes, [key], "note", lambda _: note, make=note is not None)


def one_line(text: str) -> str:
    """A note as it is stored: one line, and inert for a terminal."""
    return printable(" ".join(text.split()))


def write_mark(connection: sqlite3.Connection, image_id: int, column: Column, value: object) -> None:
    """Write one column of an image."""
    connection.execute(f"UPDATE image SET {column} = ? WHERE id = ?", (value, image_id))


def mark_of(connection: sqlite3.Connection, image_id: int, column: Column) -> Any:
    """What a column of an image holds, in the type the history has it."""
    row = connection.execute(f"SELECT {column} FROM image WHERE id = ?", (image_id,)).fetchone()
    return None if row is None else bool(row[0]) if column == "skipped" else row[0]


def _set(
    connection: sqlite3.Connection,
    notes: Notes,
    keys: Iterable[ImageKey],
    column: Column,
    change: Callable[[Any], object],
    *,
    make: bool,
) -> int:
    noted = []
    for key in keys:
        image_id = rows.image_id(connection, key, make=make)
        if image_id is None:
            continue
        before = mark_of(connection, image_id, column)
        after = change(before)
        if after != before:
            write_mark(connection, image_id, column, after)
            noted.append((_KINDS[column], image_id, before, after, None))
    notes.add_many(noted)
    return len(noted)
