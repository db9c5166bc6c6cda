"""Writing and reading what people decide in a review.

Keeping an issue and answering an audit are steps of the history, which an undo reverses; drawing images for an audit
is nobody's step. An answer is an ordinary label by a person, written in the same transaction.
"""

import os
import sqlite3
import time
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store import rows
from mia_tui.dataset.store.edits import StoreEdits
from mia_tui.dataset.store.errors import as_store_errors
from mia_tui.dataset.store.history import ChangeRecorder, NewChange
from mia_tui.dataset.store.migrations import AUDITED_MODEL_FROM, REVIEWED_FROM, schema_version
from mia_tui.dataset.store.review.records import AuditKind, AuditRow, Draw, IssueKind
from mia_tui.decoding import Count, Time

_KEPT = "issue, class_id, annotator, at"
_ANSWER = "id, said_class_id, class_id, annotator, answered_at"
_AuditFields = tuple[
    Count,
    bytes,
    rows.StoredFrame,
    Time,
    Count,
    AuditKind,
    Count | None,
    float | None,
    Count | None,
    str | None,
    Time | None,
    str | None,
]

# A label that is newer than an answer is the answer: somebody looked at the image again. A label alone is none: those
# that a person goes to by themselves, or takes with a page, are not a random part of what was drawn.
_AUDITS = """SELECT audit.id, path, frame, drawn_at, drawn_from, kind, said_class_id, probability,
    CASE WHEN newer.class_id IS NULL THEN audit.class_id ELSE newer.class_id END,
    CASE WHEN newer.class_id IS NULL THEN audit.annotator ELSE newer.annotator END,
    CASE WHEN newer.class_id IS NULL THEN answered_at ELSE newer.updated_at END, {model}
    FROM audit JOIN image ON image.id = audit.image_id
    LEFT JOIN (SELECT label.* FROM label JOIN class ON class.id = class_id AND NOT archived) AS newer
    ON newer.image_id = audit.image_id AND newer.updated_at > answered_at
    AND newer.source != 'import'
    ORDER BY drawn_at, audit.id"""


class ReviewEdits(StoreEdits):
    """The changes that a review can make, and what it reads."""

    def kept(self, issue: IssueKind) -> set[ImageKey]:
        """Images whose issue a person kept, as long as they have the label that they had then."""
        with as_store_errors(self.path):
            if schema_version(self._db) < REVIEWED_FROM:
                return set()
            found = self._db.execute(
                """SELECT path, frame FROM kept JOIN image ON image.id = kept.image_id
                JOIN label ON label.image_id = kept.image_id AND label.class_id = kept.class_id
                WHERE issue = ?""",
                (issue,),
            )
            kept = rows.checked(found, tuple[bytes, rows.StoredFrame])
            return {ImageKey(os.fsdecode(path), frame) for path, frame in kept}

    def keep_issues(self, keys: Iterable[ImageKey], issue: IssueKind) -> int:
        """Keep the labels of images: this issue is not asked about again while they have these labels.

        One step of the history. Images without a label have no issue, and are left out.

        Returns:
            How many were kept that had not been before.

        Raises:
            StoreError: If the file cannot be written; nothing changed.
        """
        with self._writer.transaction() as recorder:
            changes: list[NewChange] = []
            for key in dict.fromkeys(keys):
                image = rows.image_row(self._db, key, make=False)
                if image is None or image.label is None:
                    continue
                before = kept_value(self._db, image.id, issue)
                if before is None or before["class_id"] != image.label.class_id:
                    after = _named(_KEPT, (issue, image.label.class_id, self.annotator, recorder.at))
                    write_kept(self._db, image.id, after)
                    changes.append(("kept", image.id, before, after, None))
            recorder.add_many(changes)
            return len(changes)

    def audits(self) -> list[AuditRow]:
        """All images that were ever drawn, in the order in which they were."""
        with as_store_errors(self.path):
            version = schema_version(self._db)
            if version < REVIEWED_FROM:
                return []
            query = _AUDITS.format(model="audit.model" if version >= AUDITED_MODEL_FROM else "NULL")
            return [
                AuditRow(row[0], ImageKey(os.fsdecode(row[1]), row[2]), *row[3:])
                for row in rows.checked(self._db.execute(query), _AuditFields)
            ]

    def labels_since(self, drawn_at: float) -> int:
        """How many labels were given or changed after an audit was drawn, its own answers aside."""
        with as_store_errors(self.path):
            if schema_version(self._db) < REVIEWED_FROM:
                return 0
            found = self._db.execute(
                """SELECT COUNT(*) FROM label WHERE updated_at > ?
                AND NOT EXISTS (SELECT 1 FROM audit WHERE audit.image_id = label.image_id AND drawn_at >= ?
                    AND (source != 'import' OR audit.class_id = label.class_id))""",
                (drawn_at, drawn_at),
            )
            return int(found.fetchone()[0])

    def page_labels_unaudited(self) -> int:
        """How many labels were taken with pages of look-alikes after the last audit of labels that has an answer."""
        with as_store_errors(self.path):
            if schema_version(self._db) < REVIEWED_FROM:
                return 0
            found = self._db.execute(
                """SELECT COUNT(*) FROM label WHERE source = 'page' AND updated_at > (
                    SELECT COALESCE(MAX(drawn_at), 0) FROM audit
                    WHERE kind = 'label' AND answered_at IS NOT NULL)"""
            )
            return int(found.fetchone()[0])

    def draw_audit(
        self, draws: Sequence[Draw], *, kind: AuditKind, drawn_from: int, model: str | None = None
    ) -> None:
        """Store images that were drawn at random, with what is said of them now.

        Args:
            draws: The images, in the order in which they are to be asked.
            kind: Whether labels or suggestions are audited.
            drawn_from: How many images could have been drawn.
            model: Whose suggestions they are, as for `AuditRow`.

        Raises:
            StoreError: If the file cannot be written; nothing changed.
        """
        with self.transaction():
            now = time.time()
            rows.make_images(self._db, [draw.image for draw in draws])
            self._db.executemany(
                """INSERT INTO audit (image_id, drawn_at, drawn_from, kind, said_class_id, probability, model)
                VALUES (?, ?, ?, ?, ?, ?, ?)""",
                (
                    (
                        rows.image_id(self._db, draw.image),
                        now,
                        drawn_from,
                        kind,
                        draw.said_class_id,
                        draw.probability,
                        model,
                    )
                    for draw in draws
                ),
            )

    def answer_audit(self, answers: Iterable[tuple[ImageKey, int]]) -> int:
        """Say what images of an audit are, as one step of the history; this also labels them.

        Args:
            answers: Image and id of its class. An image that was not drawn is only labelled.

        Returns:
            How many open questions were answered.

        Raises:
            DataError: If a class does not exist or is archived; nothing changed.
            StoreError: If the file cannot be written; nothing changed.
        """
        with self._writer.transaction() as recorder:
            given = dict(answers)
            self.set_labels(given.items(), source="person")
            changes: list[NewChange] = []
            for key, class_id in given.items():
                image_id = rows.image_id(self._db, key)
                for before in _answers_of(self._db, image_id):
                    if before["answered_at"] is None:
                        after = {
                            **before,
                            "class_id": class_id,
                            "annotator": self.annotator,
                            "answered_at": time.time(),
                        }
                        write_answer(self._db, after)
                        changes.append(("audit", image_id, before, after, None))
            recorder.add_many(changes)
            return len(changes)

    def discard_audit(self) -> int:
        """Forget the images that were drawn and not answered yet; returns how many."""
        open_ids = [row.id for row in self.audits() if row.answer is None]
        with self.transaction():
            self._db.executemany("DELETE FROM audit WHERE id = ?", ((id,) for id in open_ids))
        return len(open_ids)

    def merge_class(self, class_id: int, into: int) -> int:
        """As `StoreEdits.merge_class`; what was kept and audited goes with the labels."""
        with self._writer.transaction() as recorder:
            moved = super().merge_class(class_id, into)
            _move_kept(self._db, recorder, class_id, into)
            _move_answers(self._db, recorder, class_id, into)
            return moved


def kept_value(connection: sqlite3.Connection, image_id: int, issue: str) -> dict[str, Any] | None:
    """What is stored of an issue of an image that was kept, in the form of the history."""
    row = connection.execute(
        f"SELECT {_KEPT} FROM kept WHERE image_id = ? AND issue = ?", (image_id, issue)
    ).fetchone()
    return None if row is None else _named(_KEPT, row)


def write_kept(connection: sqlite3.Connection, image_id: int, value: dict[str, Any]) -> None:
    """Store an issue of an image that was kept, in the form of the history."""
    connection.execute(
        f"INSERT OR REPLACE INTO kept (image_id, {_KEPT}) VALUES (?, ?, ?, ?, ?)",
        (image_id, *value.values()),
    )


def answer_value(connection: sqlite3.Connection, audit_id: int) -> dict[str, Any] | None:
    """What is stored of an image of an audit, as far as it changes, in the form of the history."""
    row = connection.execute(f"SELECT {_ANSWER} FROM audit WHERE id = ?", (audit_id,)).fetchone()
    return None if row is None else _named(_ANSWER, row)


def write_answer(connection: sqlite3.Connection, value: dict[str, Any]) -> None:
    """Store what `answer_value` returns."""
    connection.execute(
        f"UPDATE audit SET ({_ANSWER}) = (?, ?, ?, ?, ?) WHERE id = ?", (*value.values(), value["id"])
    )


def _answers_of(connection: sqlite3.Connection, image_id: int) -> list[dict[str, Any]]:
    found = connection.execute(f"SELECT {_ANSWER} FROM audit WHERE image_id = ? ORDER BY id", (image_id,))
    return [_named(_ANSWER, row) for row in found.fetchall()]


def _move_kept(connection: sqlite3.Connection, recorder: ChangeRecorder, class_id: int, into: int) -> None:
    found = connection.execute(
        f"SELECT image_id, {_KEPT} FROM kept WHERE class_id = ?", (class_id,)
    ).fetchall()
    changes: list[NewChange] = []
    for image_id, *row in found:
        before = _named(_KEPT, row)
        after = {**before, "class_id": into}
        write_kept(connection, image_id, after)
        changes.append(("kept", image_id, before, after, None))
    recorder.add_many(changes)


def _move_answers(connection: sqlite3.Connection, recorder: ChangeRecorder, class_id: int, into: int) -> None:
    found = connection.execute(
        f"SELECT image_id, {_ANSWER} FROM audit WHERE said_class_id = ? OR class_id = ?", (class_id, class_id)
    ).fetchall()
    changes: list[NewChange] = []
    for image_id, *row in found:
        before = _named(_ANSWER, row)
        moved = {name: into for name in ("said_class_id", "class_id") if before[name] == class_id}
        after = {**before, **moved}
        write_answer(connection, after)
        changes.append(("audit", image_id, before, after, None))
    recorder.add_many(changes)


def _named(columns: str, row: Collection[Any]) -> dict[str, Any]:
    return dict(zip(columns.split(", "), row, strict=True))
