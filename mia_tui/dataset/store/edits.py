"""What a person changes in labels.db: labels, marks and classes.

Each edit is one transaction and one step of the history. Labels and marks may
be set for a whole dataset at once, so their rows are read and written some
thousands at a time.

An archived class keeps its id, name and labels, and its key becomes free for
others. Its labels count nowhere until it is restored.
"""

import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import Any

from mia_tui.dataset.class_rules import check_class, class_name, free_colour, free_colours_and_keys, free_key
from mia_tui.dataset.model import ImageClass, ImageKey, Part
from mia_tui.dataset.store import rows
from mia_tui.dataset.store.history import ChangeRecorder, NewChange
from mia_tui.dataset.store.queries import StoreQueries
from mia_tui.dataset.store.records import ChangeKind, Label, LabelOrigin, Opinion
from mia_tui.dataset.store.store_file import StoreFile
from mia_tui.dataset.store.transactions import StoreWriter
from mia_tui.errors import DataError
from mia_tui.text import printable

_AT_ONCE = 4096  # images, changes: so many objects are freed within a millisecond
_OPINION_KINDS: tuple[rows.OpinionKind, ...] = ("opinion", "decision")
_KINDS: dict[rows.MarkColumn, ChangeKind] = {"flagged": "flag", "skipped": "skip", "note": "note"}


class StoreEdits(StoreQueries):
    """The changes that a `LabelStore` can make.

    Args:
        file: The labels.db that was opened.
        connection: To that file.
        annotator: Who makes the changes.
    """

    def __init__(self, file: StoreFile, connection: sqlite3.Connection, annotator: str) -> None:
        super().__init__(file.path, connection)
        self.annotator = annotator
        self._writer = StoreWriter(file, connection, annotator)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything within is written together or not at all, as one step of the history.

        Transactions may be nested; the outermost one counts.

        Raises:
            StoreError: If the file cannot be written; it is as it was before.
        """
        with self._writer.transaction():
            yield

    def set_labels(self, items: Iterable[tuple[ImageKey, int | None]], *, source: LabelOrigin) -> int:
        """Label images, or remove labels: all of them together, or none.

        An image that already has this label from this source is left as it is.

        Args:
            items: Image and id of its class; None removes the label.
            source: Where the labels come from.

        Returns:
            How many images changed.

        Raises:
            DataError: If a class does not exist or is archived; nothing changed.
            StoreError: If the file cannot be written; nothing changed.
        """
        with self._writer.transaction() as recorder:
            items = list(items)
            for class_id in {class_id for _, class_id in items if class_id is not None}:
                self._active_class(class_id)  # another program may have archived it just now
            now = time.time()
            parts = (items[start : start + _AT_ONCE] for start in range(0, len(items), _AT_ONCE))
            changed = sum(_set_some_labels(self._db, recorder, part, source, now) for part in parts)
            free_in_steps(items)
            return changed

    def set_flagged(self, keys: Iterable[ImageKey], flagged: bool) -> int:
        """Flag images, or remove flags, also those for changed content; returns how many changed."""
        flag = (lambda bits: bits | rows.BY_PERSON) if flagged else (lambda bits: 0)
        return self._set_marks(keys, "flagged", flag, make=flagged)

    def set_skipped(self, keys: Iterable[ImageKey], skipped: bool) -> int:
        """Mark images as skipped on purpose, or not; returns how many changed."""
        return self._set_marks(keys, "skipped", lambda _: skipped, make=skipped)

    def set_note(self, key: ImageKey, note: str | None) -> int:
        """Put a note of one line on an image; None or an empty one removes it. Returns how many changed."""
        return self.set_notes([key], note)

    def set_notes(self, keys: Iterable[ImageKey], note: str | None) -> int:
        """Put the same note on several images, as `set_note` does."""
        line = printable(" ".join((note or "").split())) or None
        return self._set_marks(keys, "note", lambda _: line, make=line is not None)

    def add_class(self, name: str, *, colour: str | None = None, key: str | None = None) -> ImageClass:
        """Add a class at the end. An archived class of this name without labels is used again.

        Args:
            name: Stored in the form of `class_rules.class_name`.
            colour: #rrggbb; if left out, the next one of a palette that colour-blind people can tell apart.
            key: One character; if left out, the next free one of 1-9, 0, a-z (None when all are taken).

        Raises:
            DataError: If name, colour or key are not allowed, or already used.
        """
        with self._writer.transaction() as recorder:
            name = class_name(name)
            classes = self.classes(archived=True)
            former = next((other for other in classes if other.name == name and other.archived), None)
            if former is not None and not self._has_labels(former):
                return self._reuse_class(recorder, former, colour, key)
            colour = free_colour(classes) if colour is None else colour.lower()
            key = free_key(classes) if key is None else key
            check_class(name, colour, key, classes)
            return self._insert_class(recorder, ImageClass(0, name, colour, key, _next_position(classes)))

    def add_classes(self, names: Iterable[str]) -> list[ImageClass]:
        """Add classes at the end as `add_class` does, thousands at once; each name once."""
        with self._writer.transaction() as recorder:
            names = [class_name(name) for name in names]
            existing = {other.name for other in self.classes(archived=True)}
            added = {name: self.add_class(name) for name in names if name in existing}
            classes = self.classes(archived=True)
            free = free_colours_and_keys(classes)
            new_names = (name for name in names if name not in existing)
            for position, name in enumerate(new_names, _next_position(classes)):
                colour, key = next(free)
                check_class(name, colour, key, [added[name]] if name in added else ())
                added[name] = self._insert_class(recorder, ImageClass(0, name, colour, key, position))
            return [added[name] for name in names]

    def rename_class(self, class_id: int, name: str) -> ImageClass:
        """Give a class, archived or not, another name; DataError if it is taken."""
        with self._writer.transaction() as recorder:
            before = self._any_class(class_id)
            return self._edit_class(recorder, before, replace(before, name=class_name(name)))

    def recolour_class(self, class_id: int, colour: str) -> ImageClass:
        """Give a class, archived or not, another colour, #rrggbb."""
        with self._writer.transaction() as recorder:
            before = self._any_class(class_id)
            return self._edit_class(recorder, before, replace(before, colour=colour.lower()))

    def set_class_key(self, class_id: int, key: str | None) -> ImageClass:
        """Give a class another key, or none; DataError if it is taken."""
        with self._writer.transaction() as recorder:
            before = self._active_class(class_id)
            return self._edit_class(recorder, before, replace(before, key=key))

    def move_class(self, class_id: int, position: int) -> ImageClass:
        """Move a class to a position among the others, from 0; beyond the last is last. All are renumbered."""
        with self._writer.transaction() as recorder:
            moved = self._active_class(class_id)
            order = [other for other in self.classes() if other.id != class_id]
            place = max(0, min(position, len(order)))
            order.insert(place, moved)
            for number, before in enumerate(order):
                self._edit_class(recorder, before, replace(before, position=number))
            return replace(moved, position=place)

    def archive_class(self, class_id: int) -> ImageClass:
        """Archive a class: its labels stay with it but do not count, its key becomes free."""
        with self._writer.transaction() as recorder:
            before = self._active_class(class_id)
            return self._edit_class(recorder, before, replace(before, key=None, archived=True))

    def restore_class(self, class_id: int) -> ImageClass:
        """Bring back an archived class with its labels, and with its former key, or else the next free one."""
        with self._writer.transaction() as recorder:
            before = self._any_class(class_id)
            if not before.archived:
                raise DataError(f"The class {before.name} is not archived.")
            key = self._former_or_free_key(class_id)
            return self._edit_class(recorder, before, replace(before, key=key, archived=False))

    def merge_class(self, class_id: int, into: int) -> int:
        """Move the labels of a class, archived or not, to another and archive it; returns how many moved."""
        with self._writer.transaction() as recorder:
            before, other = self._any_class(class_id), self._active_class(into)
            if class_id == into:
                raise DataError(
                    f"The class {other.name} cannot be merged into itself.", "Choose another class."
                )
            moved = _move_labels(self._db, recorder, class_id, into)
            self._edit_class(recorder, before, replace(before, key=None, archived=True))
            return moved

    def set_parts(self, parts: Mapping[ImageKey, Part], *, replace: bool = False) -> None:
        """Assign images to parts of the split; all others keep theirs, or lose them with `replace`."""
        with self.transaction():
            if replace:
                self._db.execute("DELETE FROM split")
            self._db.executemany(
                "INSERT INTO split VALUES (?, ?) ON CONFLICT DO UPDATE SET part = excluded.part",
                ((rows.image_id(self._db, key), part) for key, part in parts.items()),
            )

    def set_meta(self, key: str, value: str | None) -> None:
        """Store a setting; None deletes it."""
        with self.transaction():
            if value is None:
                self._db.execute("DELETE FROM meta WHERE key = ?", (key,))
            else:
                self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def _set_marks(
        self,
        keys: Iterable[ImageKey],
        column: rows.MarkColumn,
        change: Callable[[Any], object],
        *,
        make: bool,
    ) -> int:
        """Change a column of images; `change` must give the same for a value that it gave itself."""
        with self._writer.transaction() as recorder:
            keys, changed = iter(keys), 0
            while part := list(dict.fromkeys(islice(keys, _AT_ONCE))):
                if make:
                    rows.make_images(self._db, part)
                changes = list(_mark_changes(self._db, part, column, change))
                rows.write_marks(
                    self._db, column, ((after, image_id) for _, image_id, _, after, _ in changes)
                )
                recorder.add_many(changes)
                changed += len(changes)
            return changed

    def _insert_class(self, recorder: ChangeRecorder, new: ImageClass) -> ImageClass:
        new = replace(new, id=rows.insert_class(self._db, new))
        recorder.add("class", new.id, None, new)
        return new

    def _edit_class(self, recorder: ChangeRecorder, before: ImageClass, after: ImageClass) -> ImageClass:
        if after == before:
            return after
        others = [other for other in self.classes(archived=True) if other.id != after.id]
        check_class(after.name, after.colour, after.key, others)
        rows.write_class(self._db, after)
        recorder.add("class", after.id, before, after)
        return after

    def _reuse_class(
        self, recorder: ChangeRecorder, former: ImageClass, colour: str | None, key: str | None
    ) -> ImageClass:
        """An archived class without labels is as good as new: its name and id are used again."""
        after = replace(
            former,
            colour=former.colour if colour is None else colour.lower(),
            key=self._former_or_free_key(former.id) if key is None else key,
            position=_next_position(self.classes(archived=True)),
            archived=False,
        )
        return self._edit_class(recorder, former, after)

    def _any_class(self, class_id: int) -> ImageClass:
        found = rows.class_of(self._db, class_id)
        if found is None:
            raise DataError(f"There is no class with the number {class_id}.", "Choose another class.")
        return found

    def _active_class(self, class_id: int) -> ImageClass:
        found = self._any_class(class_id)
        if found.archived:
            raise DataError(f"The class {found.name} is archived.", "Restore it, or choose another class.")
        return found

    def _has_labels(self, image_class: ImageClass) -> bool:
        query = "SELECT 1 FROM label WHERE class_id = ? LIMIT 1"
        return self._db.execute(query, (image_class.id,)).fetchone() is not None

    def _former_or_free_key(self, class_id: int) -> str | None:
        """The key a class had before it was archived if no class has it now, else the next free one."""
        found = self._db.execute(
            "SELECT before FROM change WHERE kind = 'class' AND target_id = ? ORDER BY id DESC", (class_id,)
        )
        values = (rows.from_json("class", before) for (before,) in found)
        former = next((value["key"] for value in values if value and not value["archived"]), None)
        classes = self.classes()
        taken = {other.key for other in classes}
        return former if former is not None and former not in taken else free_key(classes)


def free_in_steps(objects: list[Any]) -> None:
    """Empty a long list. A million objects freed at once hold up all threads for a quarter of a second."""
    while objects:
        del objects[-_AT_ONCE:]


def _set_some_labels(
    connection: sqlite3.Connection,
    recorder: ChangeRecorder,
    items: Sequence[tuple[ImageKey, int | None]],
    source: LabelOrigin,
    now: float,
) -> int:
    seen: dict[ImageKey, rows.ImageRow] = {}  # as they are after the items so far
    changes: list[NewChange] = []
    for key, class_id in items:
        image = seen.get(key) or rows.image_row(connection, key, make=class_id is not None)
        if image is not None:
            seen[key] = image
            label = None if class_id is None else Label(class_id, recorder.annotator, source, now)
            changes += _relabel(image, label)
    changed = {target_id for _, target_id, *_ in changes}
    images = [image for image in seen.values() if image.id in changed]
    _write_images(connection, images, {target_id for kind, target_id, *_ in changes if kind == "flag"})
    recorder.add_many(changes)
    return sum(kind == "label" for kind, *_ in changes)


def _relabel(image: rows.ImageRow, label: Label | None) -> list[NewChange]:
    """Give an image another label; returns what that changes."""
    before = image.label
    has_other_content = bool(image.flagged & rows.CONTENT_CHANGED)
    if before is None and label is None:
        return []
    if (
        before
        and label
        and not has_other_content
        and (before.class_id, before.source) == (label.class_id, label.source)
    ):
        return []
    image.label = label
    changes: list[NewChange] = [("label", image.id, before, label, None)]
    if has_other_content:
        flagged = image.flagged & ~rows.CONTENT_CHANGED
        changes.insert(0, ("flag", image.id, image.flagged, flagged, None))
        image.flagged = flagged
    return changes


def _write_images(
    connection: sqlite3.Connection, images: Collection[rows.ImageRow], flagged: set[int]
) -> None:
    rows.write_label_rows(connection, {image.id: image.label for image in images})
    rows.write_marks(
        connection, "flagged", ((image.flagged, image.id) for image in images if image.id in flagged)
    )


def _move_labels(connection: sqlite3.Connection, recorder: ChangeRecorder, class_id: int, into: int) -> int:
    """Give all labels and opinions of one class to another; who made them, when and how stays."""
    found = connection.execute(
        f"SELECT image_id, {rows.LABEL_COLUMNS} FROM label WHERE class_id = ? ORDER BY image_id", (class_id,)
    ).fetchall()
    connection.execute("UPDATE label SET class_id = ? WHERE class_id = ?", (into, class_id))
    labels = ((row[0], Label(*row[1:])) for row in found)
    recorder.add_many(("label", id, label, replace(label, class_id=into), None) for id, label in labels)
    for kind in _OPINION_KINDS:
        said = [
            (id, Opinion(*opinion))
            for id, *opinion in connection.execute(
                f"SELECT image_id, {rows.OPINION_COLUMNS} FROM {kind} WHERE class_id = ?", (class_id,)
            )
        ]
        connection.execute(f"UPDATE {kind} SET class_id = ? WHERE class_id = ?", (into, class_id))
        recorder.add_many((kind, id, one, replace(one, class_id=into), None) for id, one in said)
    return len(found)


def _mark_changes(
    connection: sqlite3.Connection,
    keys: Sequence[ImageKey],
    column: rows.MarkColumn,
    change: Callable[[Any], object],
) -> Iterator[NewChange]:
    """What has to change; images that are not in the store yet are left out."""
    for image_id, value in rows.images_with(connection, keys, column):
        before = rows.mark_value(column, value)
        after = change(before)
        if after != before:
            yield _KINDS[column], image_id, before, after, None


def _next_position(classes: list[ImageClass]) -> int:
    return max((other.position for other in classes), default=-1) + 1
