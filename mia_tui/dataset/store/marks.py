"""Flags, skips and notes of images: what is kept of them besides their class.

They may concern a whole dataset, so rows are read and written together, some
thousands at a time. Functions work within a transaction of the caller.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Literal

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store import rows
from mia_tui.dataset.store.history import ChangeRecorder, Noted
from mia_tui.dataset.store.records import ChangeKind, Mark
from mia_tui.text import printable

Column = Literal["flagged", "skipped", "note"]

_AT_ONCE = 4096  # images: what is kept of them meanwhile is let go of in less time than a screen notices
_KINDS: dict[Column, ChangeKind] = {"flagged": "flag", "skipped": "skip", "note": "note"}


def read_marks(connection: sqlite3.Connection) -> dict[ImageKey, Mark]:
    """Marks of the images that have any."""
    found = connection.execute(
        "SELECT path, frame, flagged, skipped, note FROM image WHERE flagged OR skipped OR note IS NOT NULL"
    )
    return {
        ImageKey(os.fsdecode(path), frame): rows.to_mark(*mark)
        for path, frame, *mark in rows.checked(found, rows.MarkFields)
    }


def set_flagged(
    connection: sqlite3.Connection, notes: ChangeRecorder, keys: Iterable[ImageKey], on: bool
) -> int:
    """Flag images, or take flags away, also those of changed content; returns how many changed."""
    flag = (lambda bits: bits | rows.BY_PERSON) if on else (lambda bits: 0)
    return _set(connection, notes, keys, "flagged", flag, make=on)


def set_skipped(
    connection: sqlite3.Connection, notes: ChangeRecorder, keys: Iterable[ImageKey], on: bool
) -> int:
    """Mark images as passed over, or not; returns how many changed."""
    return _set(connection, notes, keys, "skipped", lambda _: on, make=on)


def set_notes(
    connection: sqlite3.Connection, notes: ChangeRecorder, keys: Iterable[ImageKey], text: str | None
) -> int:
    """Put one note on images, or take theirs away; returns how many changed."""
    note = one_line(text or "") or None
    return _set(connection, notes, keys, "note", lambda _: note, make=note is not None)


def one_line(text: str) -> str:
    """A note as it is stored: one line, and inert for a terminal."""
    return printable(" ".join(text.split()))


def write_marks(connection: sqlite3.Connection, column: Column, values: Iterable[tuple[object, int]]) -> None:
    """Write one column of images: value and id of each."""
    connection.executemany(f"UPDATE image SET {column} = ? WHERE id = ?", values)


def as_noted(column: Column, value: Any) -> Any:
    """What a column holds, in the type the history has it."""
    return bool(value) if column == "skipped" else value


def _set(
    connection: sqlite3.Connection,
    notes: ChangeRecorder,
    keys: Iterable[ImageKey],
    column: Column,
    change: Callable[[Any], object],
    *,
    make: bool,
) -> int:
    """Change a column of images; `change` gives the same when it is asked again about what it gave."""
    keys, changed = iter(keys), 0
    while part := list(dict.fromkeys(islice(keys, _AT_ONCE))):
        if make:
            rows.make_images(connection, part)
        noted = list(_noted(connection, part, column, change))
        write_marks(connection, column, ((after, image_id) for _, image_id, _, after, _ in noted))
        notes.add_many(noted)
        changed += len(noted)
    return changed


def _noted(
    connection: sqlite3.Connection, keys: Sequence[ImageKey], column: Column, change: Callable[[Any], object]
) -> Iterator[Noted]:
    """What is to be changed, as the history has it; images of which nothing was ever said are passed over."""
    for image_id, value in rows.images_with(connection, keys, column):
        before = as_noted(column, value)
        after = change(before)
        if after != before:
            yield _KINDS[column], image_id, before, after, None
