"""A blind second pass: images that others than the first annotator label again, and how disputes are decided.

What they say is an opinion beside the label, which stays as it is. A dispute,
where label and opinions name different classes, is closed by a decision: the
chosen class becomes the label, and all opinions stay for the figures of
agreement. All of it is in the history, so it can be undone.
"""

import os
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from hashlib import blake2b

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store import rows
from mia_tui.dataset.store.edits import StoreEdits
from mia_tui.dataset.store.errors import as_store_errors
from mia_tui.dataset.store.history import ChangeRecorder
from mia_tui.dataset.store.migrations import REVIEWED_FROM, schema_version
from mia_tui.dataset.store.records import Label, Opinion
from mia_tui.errors import DataError
from mia_tui.text import counted, printable

Opinions = Mapping[ImageKey, Mapping[str, Opinion]]
"""Of each image, what each annotator said."""

_PLACE = tuple[bytes, rows.StoredFrame]


class StoreOpinions(StoreEdits):
    """The second pass of a `LabelStore`, its opinions, and the decisions about disputes."""

    def opinions(self) -> dict[ImageKey, dict[str, Opinion]]:
        """All opinions, by image and annotator."""
        said: dict[ImageKey, dict[str, Opinion]] = {}
        for key, opinion in self._said("opinion"):
            said.setdefault(key, {})[opinion.annotator] = opinion
        return said

    def decisions(self) -> dict[ImageKey, Opinion]:
        """How disputes were decided."""
        return dict(self._said("decision"))

    def second_pass(self) -> set[ImageKey]:
        """The images that were drawn for the second pass."""
        with as_store_errors(self.path):
            if schema_version(self._db) < REVIEWED_FROM:
                return set()
            found = rows.checked(
                self._db.execute("SELECT path, frame FROM second_pass JOIN image ON image.id = image_id"),
                _PLACE,
            )
            return {ImageKey(os.fsdecode(path), frame) for path, frame in found}

    def second_pass_of(self, annotator: str) -> dict[ImageKey, int | None]:
        """The images that somebody is to label again, and what they said; None if nothing yet.

        These are the images drawn that have a label, unless they gave it themselves. An imported label is nobody's.
        """
        with as_store_errors(self.path):
            if schema_version(self._db) < REVIEWED_FROM:
                return {}
            found = rows.checked(
                self._db.execute(
                    """SELECT path, frame, opinion.class_id FROM second_pass
                    JOIN image ON image.id = second_pass.image_id JOIN label ON label.image_id = image.id
                    LEFT JOIN opinion ON opinion.image_id = image.id AND opinion.annotator = :who
                    WHERE label.annotator != :who OR label.source = 'import' OR opinion.class_id IS NOT NULL
                    ORDER BY path, frame""",
                    {"who": annotator},
                ),
                tuple[bytes, rows.StoredFrame, int | None],
            )
            return {ImageKey(os.fsdecode(path), frame): class_id for path, frame, class_id in found}

    def draw_second_pass(self, keys: Iterable[ImageKey]) -> int:
        """Add images to the second pass; returns how many are new in it. This is no step that undo knows."""
        with self.transaction():
            image_ids, now = [rows.image_id(self._db, key) for key in sorted(keys)], time.time()
            before = self._db.total_changes
            self._db.executemany(
                "INSERT INTO second_pass (image_id, drawn_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
                ((image_id, now) for image_id in image_ids),
            )
            return self._db.total_changes - before

    def end_second_pass(self) -> int:
        """Forget which images were drawn; opinions stay. Returns how many there were."""
        with self.transaction():
            return self._db.execute("DELETE FROM second_pass").rowcount

    def give_opinions(self, items: Iterable[tuple[ImageKey, int | None]]) -> int:
        """Say what images are, beside their labels; None withdraws what was said. Returns how many changed.

        A dispute that had been decided is open again if what is said now differs from the decision.

        Raises:
            DataError: If a class does not exist or is archived, or a label is this annotator's own.
            StoreError: If the file cannot be written; nothing changed.
        """
        with self._writer.transaction() as recorder:
            items = list(items)
            self._check_classes(class_id for _, class_id in items)
            changed = 0
            for key, class_id in items:
                image = rows.image_row(self._db, key, make=class_id is not None)
                if image is None:
                    continue
                if class_id is not None and _is_own(image.label, self.annotator):
                    raise DataError(
                        f"The label of {printable(key.path)} is your own.",
                        "A second opinion is given by somebody else.",
                    )
                said = None if class_id is None else Opinion(class_id, self.annotator, recorder.at)
                changed += self._say(recorder, image.id, said, self.annotator)
            return changed

    def decide(self, items: Iterable[tuple[ImageKey, int]]) -> int:
        """Decide disputes: the class becomes the label, and all opinions stay. Returns how many were decided.

        The label until then stays known as an opinion of whoever gave it, for the figures of agreement.

        Raises:
            DataError: If a class does not exist or is archived.
            StoreError: If the file cannot be written; nothing changed.
        """
        with self._writer.transaction() as recorder:
            items = list(items)
            self._check_classes(class_id for _, class_id in items)
            for key, class_id in items:
                image = rows.image_row(self._db, key, make=True)
                assert image is not None
                if image.label is not None and image.label.class_id != class_id:
                    self._keep_as_opinion(recorder, image.id, image.label)
                if image.label is None or image.label.class_id != class_id:
                    self.set_labels([(key, class_id)], source="person")
                before = rows.opinion_row(self._db, "decision", image.id, "")
                after = Opinion(class_id, self.annotator, recorder.at)
                rows.write_opinion(self._db, "decision", image.id, before, after)
                recorder.add("decision", image.id, before, after)
            return len(items)

    def _check_classes(self, class_ids: Iterable[int | None]) -> None:
        for class_id in {class_id for class_id in class_ids if class_id is not None}:
            self._active_class(class_id)

    def _keep_as_opinion(self, recorder: ChangeRecorder, image_id: int, label: Label) -> None:
        rater = rater_of(label)
        if not is_independent(label, rows.opinion_row(self._db, "decision", image_id, "")):
            return
        if rows.opinion_row(self._db, "opinion", image_id, rater) is None:
            said = Opinion(label.class_id, rater, label.updated_at)
            rows.write_opinion(self._db, "opinion", image_id, None, said)
            recorder.add("opinion", image_id, None, said)

    def _say(self, recorder: ChangeRecorder, image_id: int, said: Opinion | None, annotator: str) -> bool:
        """Write one opinion; returns whether it is another one than before."""
        before = rows.opinion_row(self._db, "opinion", image_id, annotator)
        if (before and before.class_id) == (said and said.class_id):
            return False
        rows.write_opinion(self._db, "opinion", image_id, before, said)
        recorder.add("opinion", image_id, before, said)
        decided = rows.opinion_row(self._db, "decision", image_id, "")
        if decided is not None and said is not None and decided.class_id != said.class_id:
            rows.write_opinion(self._db, "decision", image_id, decided, None)
            recorder.add("decision", image_id, decided, None)
        return True

    def _said(self, kind: rows.OpinionKind) -> list[tuple[ImageKey, Opinion]]:
        with as_store_errors(self.path):
            if schema_version(self._db) < REVIEWED_FROM:
                return []
            found = rows.checked(
                self._db.execute(
                    f"""SELECT path, frame, {rows.OPINION_COLUMNS} FROM {kind} JOIN image ON image.id = image_id
                    ORDER BY path, frame, annotator"""
                ),
                tuple[bytes, rows.StoredFrame, *rows.OpinionFields.__args__],  # type: ignore[name-defined]
            )
            return [(ImageKey(os.fsdecode(row[0]), row[1]), Opinion(*row[2:])) for row in found]


def rater_of(label: Label) -> str:
    """Whose judgement a label is: that of its annotator, or of nobody in particular where it was imported."""
    return f"{label.annotator} (import)" if label.source == "import" else label.annotator


def is_independent(label: Label, decided: Opinion | None) -> bool:
    """Whether a label is a judgement of its own, and not what a decision about a dispute wrote."""
    return decided is None or label.class_id != decided.class_id or label.updated_at < decided.at


def _is_own(label: Label | None, annotator: str) -> bool:
    return label is not None and rater_of(label) == annotator


def choose_second_pass(
    labels: Mapping[ImageKey, int], drawn: Collection[ImageKey], count: int, *, seed: int = 0
) -> list[ImageKey]:
    """Draw images for a second pass: of each class the same share, at random, those drawn before among them.

    Each image has a fixed place in a random order, so a larger share contains the smaller one, and which images are
    drawn does not depend on when or where. Each class gets its share of `count`, rounded down; the classes with the
    largest remainders get what is left (Hamilton's method).

    Args:
        labels: Class of each labelled image.
        drawn: Images that were drawn before.
        count: How many images there shall be in all, those drawn before included.
        seed: Another number gives another order.

    Returns:
        The images to add, in order of their paths.
    """
    by_class: dict[int, list[ImageKey]] = {}
    for key, class_id in labels.items():
        by_class.setdefault(class_id, []).append(key)
    drawn = set(drawn)
    added: list[ImageKey] = []
    for class_id, wanted in shares({one: len(keys) for one, keys in by_class.items()}, count).items():
        keys = sorted(by_class[class_id], key=lambda key: (key not in drawn, _place(key, seed)))
        added += [key for key in keys[:wanted] if key not in drawn]
    return sorted(added)


def shares(sizes: Mapping[int, int], count: int) -> dict[int, int]:
    """How many of each class make up `count` in the proportions of `sizes` (Hamilton's method)."""
    total = sum(sizes.values())
    count = min(count, total)
    exact = {one: count * size / total for one, size in sizes.items()} if total else {}
    wanted = {one: int(share) for one, share in exact.items()}
    by_remainder = sorted(exact, key=lambda one: (wanted[one] - exact[one], one))
    for one in by_remainder[: count - sum(wanted.values())]:
        wanted[one] += 1
    return wanted


def _place(key: ImageKey, seed: int) -> bytes:
    """The image's place in a random order."""
    return blake2b(b"%d %d " % (seed, key.frame) + os.fsencode(key.path), digest_size=16).digest()


def renamed_opinion(said: Opinion, taken: Collection[str]) -> Opinion:
    """An opinion by somebody whose name means another person here already."""
    name = said.annotator
    while name in taken:
        name = f"{name} (copy)"
    return replace(said, annotator=name)


def progress_words(mine: Mapping[ImageKey, int | None]) -> str:
    """How far a person's second pass is, as `12 of 80 images labelled again`."""
    done = sum(class_id is not None for class_id in mine.values())
    return f"{done:,} of {counted(len(mine), 'image')} labelled again"
