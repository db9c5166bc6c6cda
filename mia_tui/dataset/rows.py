"""Single rows of labels.db."""

import os
import sqlite3
from typing import Any

import msgspec

from mia_tui.dataset.model import ImageClass, ImageKey
from mia_tui.dataset.records import Change, Label


def image_id(connection: sqlite3.Connection, key: ImageKey, *, make: bool = True) -> int | None:
    """Id of an image; without `make`, None if nothing was ever said about it."""
    name = (os.fsencode(key.path), key.frame)
    row = connection.execute("SELECT id FROM image WHERE path = ? AND frame = ?", name).fetchone()
    if row is None and make:
        row = (connection.execute("INSERT INTO image (path, frame) VALUES (?, ?)", name).lastrowid,)
    return None if row is None else row[0]


def label_of(connection: sqlite3.Connection, image_id: int) -> Label | None:
    """The label of an image."""
    row = connection.execute(
        "SELECT class_id, annotator, source, updated_at FROM label WHERE image_id = ?", (image_id,)
    ).fetchone()
    return None if row is None else Label(*row)


def is_flagged(connection: sqlite3.Connection, image_id: int) -> bool:
    """Whether an image's content changed under its label."""
    row = connection.execute("SELECT flagged FROM image WHERE id = ?", (image_id,)).fetchone()
    return bool(row[0])


def to_class(row: tuple[Any, ...]) -> ImageClass:
    """From id, name, colour, key, position, archived."""
    id, name, colour, key, position, archived = row
    return ImageClass(id, name, colour, key, position, bool(archived))


def to_change(row: tuple[Any, ...]) -> Change:
    """From id, batch, at, annotator, kind, target_id, path, frame, before, after, undoes."""
    id, batch, at, annotator, kind, target_id, path, frame, before, after, undoes = row
    image = None if path is None else ImageKey(os.fsdecode(path), frame)
    return Change(
        id, batch, at, annotator, kind, target_id, image, from_json(before), from_json(after), undoes
    )


def to_json(value: object) -> str | None:
    """A value of a change; None stays None."""
    return None if value is None else msgspec.json.encode(value).decode()


def from_json(text: str | None) -> Any:
    """The inverse of `to_json`."""
    return None if text is None else msgspec.json.decode(text)
