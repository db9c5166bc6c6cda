"""Single rows of labels.db."""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, Any, TypedDict

import msgspec
from msgspec import Meta

from mia_tui.dataset.class_book import LONGEST_NAME
from mia_tui.dataset.model import ImageClass, ImageKey
from mia_tui.dataset.store.records import Change, ChangeKind, Label, Mark, Source
from mia_tui.records import BadRecord, Count, Frame, JsonReader, Text, Time, check

# Bits of image.flagged
CONTENT_CHANGED = 1
BY_PERSON = 2

_TOGETHER = 400  # images of one query: SQLite before 3.32 takes 999 values
_FIRST, _MOST = 16, 4096  # rows checked together: a few for who stops soon, many since each then takes less

CLASS_COLUMNS = "id, name, colour, key, position, archived"
LABEL_COLUMNS = "class_id, annotator, source, updated_at"
CHANGES = """SELECT change.id, batch, at, annotator, kind, target_id, path, frame, before, after, undoes
    FROM change LEFT JOIN image ON kind != 'class' AND image.id = target_id"""


# SQLite keeps any value in any column, whatever the schema says.
_Colour = Annotated[str, Meta(pattern=r"^#[0-9a-fA-F]{6}\Z")]
_Key = Annotated[str, Meta(min_length=1, max_length=1)]
_Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
ClassFields = tuple[Count, _Name, _Colour, _Key | None, int, bool | Annotated[int, Meta(ge=0, le=1)]]
LabelFields = tuple[Count, str, Source, Time]
MarkFields = tuple[bytes, Frame, Count, Count, str | None]  # path, frame, flagged, skipped, note
_ChangeFields = tuple[
    Count,  # id
    Count,  # batch
    Time,  # at
    str,  # annotator
    ChangeKind,  # kind
    Count,  # target_id
    bytes | None,  # path
    Frame | None,  # frame
    str | None,  # before
    str | None,  # after
    Count | None,  # undoes
]


class _LabelValue(TypedDict):
    class_id: Count
    annotator: str
    source: Source
    updated_at: Time


class _ClassValue(TypedDict):
    id: Count
    name: _Name
    colour: _Colour
    key: _Key | None
    position: int
    archived: bool


# What a change has before and after it.
_VALUES: dict[ChangeKind, JsonReader[Any]] = {
    "label": JsonReader(_LabelValue),
    "class": JsonReader(_ClassValue),
    "flag": JsonReader(Count | bool),  # type: ignore[arg-type]
    "skip": JsonReader(bool),
    "note": JsonReader(str),
    "path": JsonReader(Text),
}


def checked(found: sqlite3.Cursor, kind: Any) -> Iterator[Any]:
    """What a query finds.

    Args:
        found: The answer.
        kind: What each row must be, a tuple type with limits.

    Raises:
        BadRecord: If one is not.
    """
    most = _FIRST
    while part := found.fetchmany(most):
        yield from check(part, list[kind])
        most = min(4 * most, _MOST)


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
        label = None if row[2] is None else Label(*check(row[2:], LabelFields))
        id, flagged = check(row[:2], tuple[Count, Count])
        return ImageRow(id, flagged, label)
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
    """From `CLASS_COLUMNS`.

    Raises:
        BadRecord: If no class can be like that.
    """
    try:
        id, name, colour, key, position, archived = check(row, ClassFields)
    except BadRecord as error:
        raise BadRecord(f"its class {row[0]} has a name, colour, key or place that none can have") from error
    return ImageClass(id, name, colour, key, position, bool(archived))


def to_mark(flagged: int, skipped: int, note: str | None) -> Mark:
    """From the columns of an image."""
    return Mark(bool(flagged), bool(skipped), note, bool(flagged & CONTENT_CHANGED))


def changes(found: sqlite3.Cursor) -> Iterator[Change]:
    """Rows of `CHANGES`; a flag is still its bits.

    Raises:
        BadRecord: If no change can be like one of them.
    """
    return map(_to_change, checked(found, _ChangeFields))


def _to_change(row: tuple[Any, ...]) -> Change:
    id, batch, at, annotator, kind, target_id, path, frame, before, after, undoes = row
    image = None if path is None or frame is None else ImageKey(os.fsdecode(path), frame)
    values = from_json(kind, before), from_json(kind, after)
    return Change(id, batch, at, annotator, kind, target_id, image, *values, undoes)


def to_json(value: object) -> str | None:
    """A value of a change; None stays None."""
    return None if value is None else msgspec.json.encode(value).decode()


def from_json(kind: ChangeKind, text: str | None) -> Any:
    """The inverse of `to_json`, for a value of a change of this kind.

    Raises:
        BadRecord: If it is none.
    """
    return None if text is None else _VALUES[kind].decode(text)
