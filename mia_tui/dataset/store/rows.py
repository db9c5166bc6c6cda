"""Single rows of labels.db."""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import msgspec

from mia_tui.dataset.model import ImageClass, ImageKey
from mia_tui.dataset.store.records import Change, Label, Mark

# Bits of image.flagged
CONTENT_CHANGED = 1
BY_PERSON = 2

_TOGETHER = 400  # images of one query: SQLite before 3.32 takes 999 values

CLASS_COLUMNS = "id, name, colour, key, position, archived"
LABEL_COLUMNS = "class_id, annotator, source, updated_at"
CHANGES = """SELECT change.id, batch, at, annotator, kind, target_id, path, frame, before, after, undoes
    FROM change LEFT JOIN image ON kind != 'class' AND image.id = target_id"""


@dataclass(slots=True)
class ImageRow:
    """What is stored about an image; `flagged` holds the bits above."""

    id: int
    flagged: int
    label: Label | None


def image_id(connection: sqlite3.Connection, key: ImageKey, *, make: bool = True) -> int | None:
    """Id of an image; without `make`, None if nothing was ever said about it."""
    name = (os.fsencode(key.path), key.frame)
    row = connection.execute("SELECT id FROM image WHERE path = ? AND frame = ?", name).fetchone()
    if row is None and make:
        row = (connection.execute("INSERT INTO image (path, frame) VALUES (?, ?)", name).lastrowid,)
    return None if row is None else row[0]


def make_images(connection: sqlite3.Connection, keys: Sequence[ImageKey]) -> None:
    """Make the images that nothing was ever said about."""
    connection.executemany(
        "INSERT INTO image (path, frame) VALUES (?, ?) ON CONFLICT DO NOTHING",
        ((os.fsencode(key.path), key.frame) for key in keys),
    )


def images_with(
    connection: sqlite3.Connection, keys: Sequence[ImageKey], column: str
) -> Iterator[tuple[int, Any]]:
    """Id and a column of each image, in the order asked for; without those nothing was ever said about.

    Args:
        connection: Of labels.db.
        keys: Images, each once.
        column: Of the table `image`.
    """
    for start in range(0, len(keys), _TOGETHER):
        names = [(os.fsencode(key.path), key.frame) for key in keys[start : start + _TOGETHER]]
        # A cross join keeps to the order of its tables: each wanted image is looked up in the index.
        yield from connection.execute(
            f"""SELECT id, {column} FROM (VALUES {", ".join(["(?, ?)"] * len(names))}) AS wanted
            CROSS JOIN image ON path = wanted.column1 AND frame = wanted.column2""",
            list(chain.from_iterable(names)),
        )


def image_row(connection: sqlite3.Connection, key: ImageKey, *, make: bool) -> ImageRow | None:
    """An image with its label; without `make`, None if nothing was ever said about it."""
    name = (os.fsencode(key.path), key.frame)
    row = connection.execute(
        f"""SELECT id, flagged, {LABEL_COLUMNS} FROM image LEFT JOIN label ON image_id = id
        WHERE path = ? AND frame = ?""",
        name,
    ).fetchone()
    if row is not None:
        return ImageRow(row[0], row[1], None if row[2] is None else Label(*row[2:]))
    if not make:
        return None
    cursor = connection.execute("INSERT INTO image (path, frame) VALUES (?, ?)", name)
    return ImageRow(int(cursor.lastrowid or 0), 0, None)


def write_labels(connection: sqlite3.Connection, labels: Mapping[int, Label | None]) -> None:
    """Give images their labels, by id, or take them away."""
    connection.executemany(
        f"INSERT OR REPLACE INTO label (image_id, {LABEL_COLUMNS}) VALUES (?, ?, ?, ?, ?)",
        (
            (id, label.class_id, label.annotator, label.source, label.updated_at)
            for id, label in labels.items()
            if label is not None
        ),
    )
    connection.executemany(
        "DELETE FROM label WHERE image_id = ?", ((id,) for id, label in labels.items() if label is None)
    )


def class_of(connection: sqlite3.Connection, class_id: int) -> ImageClass | None:
    """A class, archived or not."""
    row = connection.execute(f"SELECT {CLASS_COLUMNS} FROM class WHERE id = ?", (class_id,)).fetchone()
    return None if row is None else to_class(row)


def insert_class(connection: sqlite3.Connection, new: ImageClass) -> int:
    """Add a class, under its id unless that is 0; returns the id."""
    cursor = connection.execute(
        f"INSERT INTO class ({CLASS_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
        (new.id or None, new.name, new.colour, new.key, new.position, new.archived),
    )
    return int(cursor.lastrowid or 0)


def write_class(connection: sqlite3.Connection, new: ImageClass) -> None:
    """Replace what is stored of the class with this id."""
    connection.execute(
        "UPDATE class SET name = ?, colour = ?, key = ?, position = ?, archived = ? WHERE id = ?",
        (new.name, new.colour, new.key, new.position, new.archived, new.id),
    )


def to_class(row: tuple[Any, ...]) -> ImageClass:
    """From `CLASS_COLUMNS`."""
    id, name, colour, key, position, archived = row
    return ImageClass(id, name, colour, key, position, bool(archived))


def to_mark(flagged: int, skipped: int, note: str | None) -> Mark:
    """From the columns of an image."""
    return Mark(bool(flagged), bool(skipped), note, bool(flagged & CONTENT_CHANGED))


def to_change(row: tuple[Any, ...]) -> Change:
    """From a row of `CHANGES`; a flag is still its bits."""
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
