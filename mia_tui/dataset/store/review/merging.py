"""Taking over what the labels.db of a copy of the dataset says: with its annotators and times, as one step."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store import rows
from mia_tui.dataset.store.errors import as_store_errors
from mia_tui.dataset.store.history import NewChange
from mia_tui.dataset.store.records import Label, Opinion
from mia_tui.dataset.store.review.edits import ReviewEdits, answer_value, kept_value, write_answer, write_kept
from mia_tui.dataset.store.review.opinions import StoreOpinions
from mia_tui.dataset.store.review.records import AuditRow, IssueKind
from mia_tui.decoding import Count, Time

_AT_ONCE = 4096  # images


@dataclass(frozen=True, slots=True)
class KeptIssue:
    """A label issue that a person looked at and left as it is; `class_id` is the label then."""

    image: ImageKey
    issue: IssueKind
    class_id: int
    annotator: str
    at: float


class StoreMerging(ReviewEdits, StoreOpinions):
    """What a `LabelStore` gives to another one, and takes over from it."""

    def former_labels(self) -> dict[ImageKey, set[Label]]:
        """The labels that images had before the one they have now, if any."""
        with as_store_errors(self.path):
            found = rows.checked(
                self._db.execute(
                    """SELECT path, frame, before FROM change JOIN image ON image.id = target_id
                    WHERE kind = 'label' AND before IS NOT NULL"""
                ),
                tuple[bytes, rows.StoredFrame, str],
            )
            former: dict[ImageKey, set[Label]] = {}
            for path, frame, before in found:
                label = Label(**rows.from_json("label", before))
                former.setdefault(ImageKey(os.fsdecode(path), frame), set()).add(label)
            return former

    def kept_issues(self) -> list[KeptIssue]:
        """All label issues that were kept."""
        with as_store_errors(self.path):
            found = rows.checked(
                self._db.execute(
                    """SELECT path, frame, issue, class_id, annotator, at
                    FROM kept JOIN image ON image.id = image_id"""
                ),
                tuple[bytes, rows.StoredFrame, IssueKind, Count, str, Time],
            )
            return [KeptIssue(ImageKey(os.fsdecode(path), frame), *more) for path, frame, *more in found]

    def take_labels(self, labels: Mapping[ImageKey, Label]) -> int:
        """Give images labels of others, with their annotators and times; returns how many changed."""
        with self._writer.transaction() as recorder:
            items, changed = list(labels.items()), 0
            for start in range(0, len(items), _AT_ONCE):
                changes: list[NewChange] = []
                written: dict[int, Label | None] = {}
                for key, label in items[start : start + _AT_ONCE]:
                    image = rows.image_row(self._db, key, make=True)
                    assert image is not None
                    if image.label != label:
                        changes.append(("label", image.id, image.label, label, None))
                        written[image.id] = label
                rows.write_label_rows(self._db, written)
                recorder.add_many(changes)
                changed += len(changes)
            return changed

    def take_opinions(self, opinions: Iterable[tuple[ImageKey, Opinion]]) -> int:
        """Take over what others said of images, unless they said something here; returns how many are new."""
        with self._writer.transaction() as recorder:
            taken = 0
            for key, said in opinions:
                image_id = rows.image_id(self._db, key)
                if rows.opinion_row(self._db, "opinion", image_id, said.annotator) is None:
                    rows.write_opinion(self._db, "opinion", image_id, None, said)
                    recorder.add("opinion", image_id, None, said)
                    taken += 1
            return taken

    def take_decisions(self, decisions: Mapping[ImageKey, Opinion]) -> int:
        """Take over decisions about disputes that have the label here and are not decided here."""
        with self._writer.transaction() as recorder:
            taken = 0
            for key, decided in decisions.items():
                image = rows.image_row(self._db, key, make=False)
                if image is None or image.label is None or image.label.class_id != decided.class_id:
                    continue
                if rows.opinion_row(self._db, "decision", image.id, "") is None:
                    rows.write_opinion(self._db, "decision", image.id, None, decided)
                    recorder.add("decision", image.id, None, decided)
                    taken += 1
            return taken

    def take_kept(self, kept: Iterable[KeptIssue]) -> int:
        """Take over issues that others kept, where the image has the label of then."""
        with self._writer.transaction() as recorder:
            taken = 0
            for one in kept:
                image = rows.image_row(self._db, one.image, make=False)
                if image is None or image.label is None or image.label.class_id != one.class_id:
                    continue
                if kept_value(self._db, image.id, one.issue) is None:
                    after = {
                        "issue": one.issue,
                        "class_id": one.class_id,
                        "annotator": one.annotator,
                        "at": one.at,
                    }
                    write_kept(self._db, image.id, after)
                    recorder.add("kept", image.id, None, after)
                    taken += 1
            return taken

    def take_audits(self, audits: Iterable[AuditRow]) -> int:
        """Take over images of audits with their answers, but none that was drawn here by the same draw.

        An undo takes back the answers; the images stay drawn.
        """
        with self._writer.transaction() as recorder:
            here = {(row.image, row.drawn_at) for row in self.audits()}
            taken = 0
            for row in audits:
                if row.answer is None or (row.image, row.drawn_at) in here:
                    continue
                image_id = rows.image_id(self._db, row.image)
                cursor = self._db.execute(
                    """INSERT INTO audit
                    (image_id, drawn_at, drawn_from, kind, said_class_id, probability, model)
                    VALUES (?, ?, ?, ?, ?, ?, ?)""",
                    (
                        image_id,
                        row.drawn_at,
                        row.drawn_from,
                        row.kind,
                        row.said_class_id,
                        row.probability,
                        row.model,
                    ),
                )
                before = answer_value(self._db, int(cursor.lastrowid or 0))
                assert before is not None
                after = before | {
                    "class_id": row.answer,
                    "annotator": row.annotator,
                    "answered_at": row.answered_at,
                }
                write_answer(self._db, after)
                recorder.add("audit", image_id, before, after)
                taken += 1
            return taken
