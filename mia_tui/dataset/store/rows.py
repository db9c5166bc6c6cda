"""Reading, checking and writing single rows of labels.db."""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, Any, Literal, TypedDict

import msgspec
from msgspec import Meta

from mia_tui.dataset.class_rules import LONGEST_NAME
from mia_tui.dataset.model import FRAME_NUMBERING, ImageClass, ImageKey
from mia_tui.dataset.store.records import Change, ChangeKind, Label, LabelOrigin, Mark, Opinion
from mia_tui.dataset.store.review.records import IssueKind
from mia_tui.decoding import BadRecord, Count, JsonReader, Text, Time, check

# Bits of image.flagged
CONTENT_CHANGED = 1
BY_PERSON = 2

_TOGETHER = 400  # images in one query: SQLite before 3.32 allows 999 values
_FIRST, _MOST = (
    16,
    4096,
)  # rows checked together: few at first for callers that stop soon, then many, which is faster per row

MarkColumn = Literal["flagged", "skipped", "note"]
OpinionKind = Literal["opinion", "decision"]
"""A table of opinions: those of a second pass, one of each annotator, or decisions, one of each image."""
_INSERT = f"INSERT INTO image (path, frame, numbering) VALUES (?, ?, {FRAME_NUMBERING})"
CLASS_COLUMNS = "id, name, colour, key, position, archived"
LABEL_COLUMNS = "class_id, annotator, source, updated_at"
CHANGES = """SELECT change.id, batch, at, annotator, kind, target_id, path, frame, before, after, undoes
    FROM change LEFT JOIN image ON kind != 'class' AND image.id = target_id"""


# SQLite stores any value in any column, whatever the schema says.
_Colour = Annotated[str, Meta(pattern=r"^#[0-9a-fA-F]{6}\Z")]
_Key = Annotated[str, Meta(min_length=1, max_length=1)]
_Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
ClassFields = tuple[Count, _Name, _Colour, _Key | None, int, bool | Annotated[int, Meta(ge=0, le=1)]]
LabelFields = tuple[Count, str, LabelOrigin, Time]
OPINION_COLUMNS = "class_id, annotator, at"
OpinionFields = tuple[Count, str, Time]
StoredFrame = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]  # below -1: see `frame_numbers`
MarkFields = tuple[bytes, StoredFrame, Count, Count, str | None]  # path, frame, flagged, skipped, note
_ChangeFields = tuple[
    Count,  # id
    Count,  # batch
    Time,  # at
    str,  # annotator
    ChangeKind,  # kind
    Count,  # target_id
    bytes | None,  # path
    StoredFrame | None,  # frame
    str | None,  # before
    str | None,  # after
    Count | None,  # undoes
]


class _LabelValue(TypedDict):
    class_id: Count
    annotator: str
    source: LabelOrigin
    updated_at: Time


class _OpinionValue(TypedDict):
    class_id: Count
    annotator: str
    at: Time


class _ClassValue(TypedDict):
    id: Count
    name: _Name
    colour: _Colour
    key: _Key | None
    position: int
    archived: bool


class _KeptValue(TypedDict):
    issue: IssueKind
    class_id: Count
    annotator: str
    at: Time


class _AuditValue(TypedDict):
    id: Count
    said_class_id: Count | None
    class_id: Count | None
    annotator: str | None
    answered_at: Time | None


# The values of a change before and after.
_VALUES: dict[ChangeKind, JsonReader[Any]] = {
    "label": JsonReader(_LabelValue),
    "class": JsonReader(_ClassValue),
    "flag": JsonReader(Count | bool),  # type: ignore[arg-type]
    "skip": JsonReader(bool),
    "note": JsonReader(str),
    "path": JsonReader(Text),
    "frame": JsonReader(StoredFrame),
    "opinion": JsonReader(_OpinionValue),
    "decision": JsonReader(_OpinionValue),
    "kept": JsonReader(_KeptValue),
    "audit": JsonReader(_AuditValue),
}


def checked(found: sqlite3.Cursor, kind: Any) -> Iterator[Any]:
    """The rows that a query found, validated.

    Args:
        found: The result of the query.
        kind: What each row must be, a tuple type with limits.

    Raises:
        BadRecord: If a row is invalid.
    """
    most = _FIRST
    while part := found.fetchmany(most):
        yield from check(part, list[kind])
        most = min(4 * most, _MOST)


@dataclass(slots=True)
class ImageRow:
    """An image as stored; `flagged` holds the bits above."""

    id: int
    flagged: int
    label: Label | None


def image_id(connection: sqlite3.Connection, key: ImageKey) -> int:
    """Id of an image, which is inserted if it is not in the store yet."""
    name = (os.fsencode(key.path), key.frame)
    row = connection.execute("SELECT id FROM image WHERE path = ? AND frame = ?", name).fetchone()
    if row is None:
        row = (connection.execute(_INSERT, name).lastrowid,)
    found: int = row[0]
    return found


def make_images(connection: sqlite3.Connection, keys: Sequence[ImageKey]) -> None:
    """Insert the images that are not in the store yet."""
    connection.executemany(
        f"{_INSERT} ON CONFLICT DO NOTHING",
        ((os.fsencode(key.path), key.frame) for key in keys),
    )


def images_with(
    connection: sqlite3.Connection, keys: Sequence[ImageKey], column: str
) -> Iterator[tuple[int, Any]]:
    """Id and a column of each image, in the order asked for; images that are not in the store are left out.

    Args:
        connection: Of labels.db.
        keys: Images, each once.
        column: Of the table `image`.
    """
    for start in range(0, len(keys), _TOGETHER):
        names = [(os.fsencode(key.path), key.frame) for key in keys[start : start + _TOGETHER]]
        # A cross join keeps the order of its tables: each wanted image is looked up in the index.
        yield from connection.execute(
            f"""SELECT id, {column} FROM (VALUES {", ".join(["(?, ?)"] * len(names))}) AS wanted
            CROSS JOIN image ON path = wanted.column1 AND frame = wanted.column2""",
            list(chain.from_iterable(names)),
        )


def image_row(connection: sqlite3.Connection, key: ImageKey, *, make: bool) -> ImageRow | None:
    """An image with its label; without `make`, None if it is not in the store."""
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
    cursor = connection.execute(_INSERT, name)
    return ImageRow(int(cursor.lastrowid or 0), 0, None)


def write_label_rows(connection: sqlite3.Connection, labels: Mapping[int, Label | None]) -> None:
    """Write labels of images, by id, or delete them."""
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


def opinion_row(
    connection: sqlite3.Connection, kind: OpinionKind, image_id: int, annotator: str
) -> Opinion | None:
    """What an annotator says of an image; the decision about it, whoever made it."""
    whose = " AND annotator = ?" if kind == "opinion" else ""
    row = connection.execute(
        f"SELECT {OPINION_COLUMNS} FROM {kind} WHERE image_id = ?{whose}",
        (image_id, annotator) if whose else (image_id,),
    ).fetchone()
    return None if row is None else Opinion(*check(row, OpinionFields))


def write_opinion(
    connection: sqlite3.Connection,
    kind: OpinionKind,
    image_id: int,
    before: Opinion | None,
    after: Opinion | None,
) -> None:
    """Put an opinion in the place of another, or of none; without a new one, delete it."""
    if before is not None:
        whose = " AND annotator = ?" if kind == "opinion" else ""
        connection.execute(
            f"DELETE FROM {kind} WHERE image_id = ?{whose}",
            (image_id, before.annotator) if whose else (image_id,),
        )
    if after is not None:
        connection.execute(
            f"INSERT INTO {kind} (image_id, {OPINION_COLUMNS}) VALUES (?, ?, ?, ?)",
            (image_id, after.class_id, after.annotator, after.at),
        )


def write_marks(
    connection: sqlite3.Connection, column: MarkColumn, values: Iterable[tuple[object, int]]
) -> None:
    """Write one column of images: value and id of each."""
    connection.executemany(f"UPDATE image SET {column} = ? WHERE id = ?", values)


def mark_value(column: MarkColumn, value: Any) -> Any:
    """What a column holds, in the type it has in the history."""
    return bool(value) if column == "skipped" else value


def read_classes(connection: sqlite3.Connection, *, archived: bool) -> list[ImageClass]:
    """The classes by position; the archived ones only if asked for."""
    found = connection.execute(
        f"SELECT {CLASS_COLUMNS} FROM class WHERE archived <= ? ORDER BY position, id", (archived,)
    )
    classes = [to_class(row) for row in found]
    if len({image_class.name for image_class in classes}) < len(classes):
        raise BadRecord("two classes have the same name")
    return classes


def class_of(connection: sqlite3.Connection, class_id: int) -> ImageClass | None:
    """A class, archived or not."""
    row = connection.execute(f"SELECT {CLASS_COLUMNS} FROM class WHERE id = ?", (class_id,)).fetchone()
    return None if row is None else to_class(row)


def insert_class(connection: sqlite3.Connection, new: ImageClass) -> int:
    """Insert a class, with its id unless that is 0; returns the id."""
    cursor = connection.execute(
        f"INSERT INTO class ({CLASS_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
        (new.id or None, new.name, new.colour, new.key, new.position, new.archived),
    )
    return int(cursor.lastrowid or 0)


def write_class(connection: sqlite3.Connection, new: ImageClass) -> None:
    """Replace the stored class with this id."""
    connection.execute(
        "UPDATE class SET name = ?, colour = ?, key = ?, position = ?, archived = ? WHERE id = ?",
        (new.name, new.colour, new.key, new.position, new.archived, new.id),
    )


def to_class(row: tuple[Any, ...]) -> ImageClass:
    """From `CLASS_COLUMNS`.

    Raises:
        BadRecord: If it is not a valid class.
    """
    try:
        id, name, colour, key, position, archived = check(row, ClassFields)
    except BadRecord as error:
        raise BadRecord(f"its class {row[0]} has an invalid name, colour, key or position") from error
    return ImageClass(id, name, colour, key, position, bool(archived))


def to_mark(flagged: int, skipped: int, note: str | None) -> Mark:
    """From the columns of an image."""
    return Mark(bool(flagged), bool(skipped), note, bool(flagged & CONTENT_CHANGED))


def changes(found: sqlite3.Cursor) -> Iterator[Change]:
    """Rows of `CHANGES`; flags are still their bits.

    Raises:
        BadRecord: If one of them is not a valid change.
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
        BadRecord: If it is invalid.
    """
    return None if text is None else _VALUES[kind].decode(text)
