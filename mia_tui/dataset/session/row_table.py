"""The state of each image of a listing, in arrays by row, with running totals."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isnan, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.listing.arrays import Column
from mia_tui.dataset.model import ImageClass
from mia_tui.dataset.session.class_list import ClassList
from mia_tui.dataset.session.suggested import SuggestedClasses
from mia_tui.dataset.store.records import LabelOrigin

SOURCES: tuple[LabelOrigin, ...] = ("person", "import", "accepted", "page")
FLAGGED, SKIPPED, NOTED, MISSING, UNREADABLE, UNFAMILIAR, UNSURE = 1, 2, 4, 8, 16, 32, 64
BITS = (FLAGGED, SKIPPED, NOTED, MISSING, UNREADABLE, UNFAMILIAR, UNSURE)

_PER_CLASS = len(SOURCES) + 1  # labels of each source; 0 is no label

Rows = NDArray[np.int32]


def source_code(source: LabelOrigin) -> int:
    """A source as a number; 0 is no label."""
    return SOURCES.index(source) + 1


@dataclass(slots=True)
class ImageRecord:
    """The state of one image, as the arrays hold it.

    Attributes:
        class_id: 0 without a label.
        source: As `source_code` gives it; 0 without a label.
        bits: FLAGGED, SKIPPED, NOTED.
        note: None if there is none.
        suggestion: What the model shown suggests, as `SuggestedClasses` counts; 0 for nothing.
        confidence: Of the suggestion, 0 to 1; NaN if unknown.
        compared: As `suggestion`, of the model that it is compared with.
        unsure: Whether the confidence is below the threshold of the model.
    """

    class_id: int = 0
    source: int = 0
    bits: int = 0
    note: str | None = None
    suggestion: int = 0
    confidence: float = nan
    compared: int = 0
    unsure: bool = False

    @property
    def is_empty(self) -> bool:
        return not (self.class_id or self.bits or self.suggestion or self.compared)


class RowTable:
    """Labels, marks and suggestions by row. The arrays are only for reading, since totals are kept for them.

    Attributes:
        notes: By row, if there is one.
        problems: Why an image cannot be shown, by row, if it cannot.
    """

    def __init__(self, rows: int = 0) -> None:
        self._class_ids = Column(np.zeros(rows, np.int32))
        self._sources = Column(np.zeros(rows, np.uint8))
        self._bits = Column(np.zeros(rows, np.uint8))
        self._suggestions = Column(np.zeros(rows, np.int32))
        self._confidences = Column(np.full(rows, nan, np.float32))
        self._compared = Column(np.zeros(rows, np.int32))
        self.notes: dict[int, str] = {}
        self.problems: dict[int, str] = {}
        self._labels = np.zeros((1, _PER_CLASS), np.int64)  # by class and source
        self._with_bit = dict.fromkeys(BITS, 0)

    def __len__(self) -> int:
        return len(self._class_ids)

    @property
    def class_ids(self) -> NDArray[np.int32]:
        return self._class_ids.values

    @property
    def sources(self) -> NDArray[np.uint8]:
        return self._sources.values

    @property
    def bits(self) -> NDArray[np.uint8]:
        return self._bits.values

    @property
    def suggestions(self) -> NDArray[np.int32]:
        return self._suggestions.values

    @property
    def confidences(self) -> NDArray[np.float32]:
        return self._confidences.values

    @property
    def compared(self) -> NDArray[np.int32]:
        return self._compared.values

    @property
    def labels(self) -> NDArray[np.int64]:
        """Number of labels, shape (highest class id + 1 or more, sources + 1); row 0 is not used."""
        return self._labels

    def labels_of(self, class_ids: Iterable[int]) -> dict[int, int]:
        """Number of labels of each class."""
        totals = self._labels.sum(axis=1).tolist()
        return {class_id: totals[class_id] if class_id < len(totals) else 0 for class_id in class_ids}

    def labels_by_source(self, class_ids: Iterable[int]) -> dict[LabelOrigin, int]:
        """Number of labels of these classes from each source."""
        known = [class_id for class_id in class_ids if class_id < len(self._labels)]
        totals = self._labels[known].sum(axis=0).tolist()
        return {source: totals[source_code(source)] for source in SOURCES}

    def with_bit(self, bit: int) -> int:
        """Number of images with a bit set."""
        return self._with_bit[bit]

    def grow(self, rows: int) -> None:
        """Add images without any label or mark."""
        for column, value in self._columns():
            column.append(np.full(rows, value, column.values.dtype))

    def set_labels(self, rows: Rows, class_ids: NDArray[np.int32], sources: NDArray[np.uint8]) -> None:
        """Label images, each once; class 0 with source 0 removes labels."""
        self._count_labels(rows, -1)
        self.class_ids[rows] = class_ids
        self.sources[rows] = sources
        self._count_labels(rows, 1)

    def set_label(self, row: int, class_id: int, source: int) -> None:
        """The same for a single image."""
        self._grow(class_id)
        self._labels[self.class_ids[row], self.sources[row]] -= 1
        self.class_ids[row], self.sources[row] = class_id, source
        self._labels[class_id, source] += 1

    def set_bit(self, row: int, bit: int, on: bool) -> None:
        """Set or clear a bit."""
        before = int(self.bits[row])
        after = before | bit if on else before & ~bit
        self.bits[row] = after
        self._with_bit[bit] += (after != before) * (1 if on else -1)

    def set_bits(self, rows: Rows, bit: int, on: NDArray[np.bool_]) -> None:
        """Set or clear a bit of images, each once."""
        before = self.bits[rows]
        self.bits[rows] = np.where(on, before | bit, before & ~np.uint8(bit))
        self._with_bit[bit] += int(np.count_nonzero(on)) - int(np.count_nonzero(before & bit))

    def set_notes(self, rows: Rows, notes: Sequence[str | None]) -> None:
        """Put notes on images, each once, or remove them."""
        self.set_bits(rows, NOTED, np.array([note is not None for note in notes], np.bool_))
        for row, note in zip(rows.tolist(), notes, strict=True):
            if note is None:
                self.notes.pop(row, None)
            else:
                self.notes[row] = note

    def set_note(self, row: int, note: str | None) -> None:
        """Put a note on an image, or remove it."""
        self.set_bit(row, NOTED, note is not None)
        if note is None:
            self.notes.pop(row, None)
        else:
            self.notes[row] = note

    def set_unfamiliar(self, rows: Rows) -> None:
        """Replace which images are far from all classes."""
        before = np.flatnonzero(self.bits & UNFAMILIAR).astype(np.int32)
        self.set_bits(before, UNFAMILIAR, np.zeros(len(before), np.bool_))
        self.set_bits(rows, UNFAMILIAR, np.ones(len(rows), np.bool_))

    def set_problem(self, row: int, problem: str | None, *, missing: bool) -> None:
        """Record why an image cannot be shown, or that it can."""
        self.set_bit(row, MISSING, problem is not None and missing)
        self.set_bit(row, UNREADABLE, problem is not None and not missing)
        if problem is None:
            self.problems.pop(row, None)
        else:
            self.problems[row] = problem

    def set_suggestions(
        self,
        rows: Rows,
        suggestions: NDArray[np.int32],
        confidences: NDArray[np.float32],
        unsure: NDArray[np.bool_] | None = None,
    ) -> None:
        """Replace what the model shown suggests: this for these images, nothing for all others."""
        self.suggestions[:], self.confidences[:] = 0, nan
        self.suggestions[rows], self.confidences[rows] = suggestions, confidences
        self._clear_unsure()
        if unsure is not None:
            self.set_bits(rows, UNSURE, unsure)

    def _clear_unsure(self) -> None:
        if self._with_bit[UNSURE]:
            rows = np.flatnonzero(self.bits & UNSURE).astype(np.int32)
            self.set_bits(rows, UNSURE, np.zeros(len(rows), np.bool_))

    def set_suggestions_of_first(
        self, suggestions: NDArray[np.int32], confidences: NDArray[np.float32]
    ) -> None:
        """The same for the first rows, given one after the other."""
        count = len(suggestions)
        self.suggestions[:count], self.confidences[:count] = suggestions, confidences
        self.suggestions[count:], self.confidences[count:] = 0, nan
        self._clear_unsure()

    def set_compared(self, rows: Rows, suggestions: NDArray[np.int32]) -> None:
        """The same of the model that it is compared with."""
        self.compared[:] = 0
        self.compared[rows] = suggestions

    def clear_decisions(self) -> None:
        """Remove labels and marks; suggestions and problems stay."""
        self.class_ids[:] = 0
        self.sources[:] = 0
        self.bits[:] = self.bits & (MISSING | UNREADABLE | UNFAMILIAR | UNSURE)
        self.notes.clear()
        self._labels[:] = 0
        self._with_bit.update({FLAGGED: 0, SKIPPED: 0, NOTED: 0})

    def take(self, row: int) -> ImageRecord:
        """Remove and return the label and marks of an image."""
        known = self.known(row)
        self.put(row, ImageRecord())
        known.suggestion, known.confidence, known.compared, known.unsure = 0, nan, 0, False
        return known

    def put(self, row: int, known: ImageRecord) -> None:
        """Replace label and marks of an image, and suggestions for it if there are any."""
        self.set_label(row, known.class_id, known.source)
        self.set_bit(row, FLAGGED, bool(known.bits & FLAGGED))
        self.set_bit(row, SKIPPED, bool(known.bits & SKIPPED))
        self.set_note(row, known.note)
        if known.suggestion:
            self.suggestions[row], self.confidences[row] = known.suggestion, known.confidence
            self.set_bit(row, UNSURE, known.unsure)
        if known.compared:
            self.compared[row] = known.compared

    def put_all(self, rows: Rows, known: Sequence[ImageRecord]) -> None:
        """The same for several images, each once."""
        self.set_labels(
            rows,
            np.array([one.class_id for one in known], np.int32),
            np.array([one.source for one in known], np.uint8),
        )
        bits = np.array([one.bits for one in known], np.uint8)
        for bit in (FLAGGED, SKIPPED):
            self.set_bits(rows, bit, (bits & bit) != 0)
        self.set_notes(rows, [one.note for one in known])
        self.suggestions[rows] = np.array([one.suggestion for one in known], np.int32)
        self.confidences[rows] = np.array([one.confidence for one in known], np.float32)
        self.compared[rows] = np.array([one.compared for one in known], np.int32)
        self.set_bits(rows, UNSURE, np.array([one.unsure for one in known], np.bool_))

    def known_of(self, rows: Rows) -> list[ImageRecord]:
        """The same for several images."""
        bits = self.bits[rows] & (FLAGGED | SKIPPED | NOTED)
        columns = (self.class_ids[rows], self.sources[rows], bits)
        notes = map(self.notes.get, rows.tolist())
        unsure = (self.bits[rows] & UNSURE) != 0
        models = (self.suggestions[rows], self.confidences[rows], self.compared[rows], unsure)
        decided, suggested = ([column.tolist() for column in part] for part in (columns, models))
        return list(map(ImageRecord, *decided, notes, *suggested))

    def known(self, row: int) -> ImageRecord:
        """The state of an image."""
        return ImageRecord(
            int(self.class_ids[row]),
            int(self.sources[row]),
            int(self.bits[row]) & (FLAGGED | SKIPPED | NOTED),
            self.notes.get(row),
            int(self.suggestions[row]),
            float(self.confidences[row]),
            int(self.compared[row]),
            bool(self.bits[row] & UNSURE),
        )

    def moved(self, placed: Rows, rows: int) -> "RowTable":
        """This table for another listing.

        Args:
            placed: New row of each row; -1 if the image is no longer listed.
            rows: Number of rows of the other listing.
        """
        other = RowTable(rows)
        here = np.flatnonzero(placed >= 0)
        for (mine, _), (theirs, _) in zip(self._columns(), other._columns(), strict=True):
            theirs.values[placed[here]] = mine.values[here]
        other.notes = {int(placed[row]): note for row, note in self.notes.items() if placed[row] >= 0}
        other.problems = {int(placed[row]): why for row, why in self.problems.items() if placed[row] >= 0}
        other._grow(len(self._labels) - 1)
        other._count_labels(np.arange(rows, dtype=np.int32), 1)
        other._with_bit = {bit: int(np.count_nonzero(other.bits & bit)) for bit in BITS}
        return other

    def _columns(self) -> list[tuple[Column, Any]]:
        """Each array with its value for an image without anything."""
        return [
            (self._class_ids, 0),
            (self._sources, 0),
            (self._bits, 0),
            (self._suggestions, 0),
            (self._confidences, nan),
            (self._compared, 0),
        ]

    def _count_labels(self, rows: Rows, sign: int) -> None:
        if not len(rows):
            return
        codes = self.class_ids[rows] * _PER_CLASS + self.sources[rows]
        self._grow(int(codes.max()) // _PER_CLASS)
        self._labels += sign * np.bincount(codes, minlength=self._labels.size).reshape(self._labels.shape)

    def _grow(self, class_id: int) -> None:
        if class_id >= len(self._labels):
            more = np.zeros((class_id + 1 - len(self._labels), _PER_CLASS), np.int64)
            self._labels = np.concatenate((self._labels, more))


@dataclass(frozen=True, slots=True)
class RowState:
    """The state of one image, for display.

    Attributes:
        image_class: Its class; None without a label, or if the class is archived.
        source: Where the label comes from; None without one.
        suggestion: What a model suggests; None if nothing. It is kept beside a label, which takes precedence. Its id
            is 0 if the dataset does not have this class.
        confidence: Of the suggestion, 0 to 1; None without one, or if it is not known.
        compared: What the model suggests that this one is compared with; None if nothing.
        problem: A sentence that says why the image cannot be shown; None if it can.
        missing: Whether the problem is that the file does not exist.
        unfamiliar: Whether it is far from all classes.
        unsure: Whether the confidence is below the threshold of the model.
        said: What people said of it beside the label, name and class of each; only where disputes are shown.
        is_decided: Whether somebody decided between those.
    """

    image_class: ImageClass | None
    source: LabelOrigin | None
    suggestion: ImageClass | None
    confidence: float | None
    compared: ImageClass | None
    flagged: bool
    skipped: bool
    note: str | None
    problem: str | None
    missing: bool
    unfamiliar: bool = False
    unsure: bool = False
    said: tuple[tuple[str, str], ...] = ()
    is_decided: bool = False

    @property
    def differs(self) -> bool:
        """Whether label and suggestion are different classes."""
        return None not in (self.image_class, self.suggestion) and self.image_class != self.suggestion

    @property
    def suggests_new(self) -> bool:
        """Whether the suggestion is a class that the dataset does not have."""
        return self.suggestion is not None and not self.suggestion.id


def row_state(
    table: RowTable, classes: ClassList, shown: SuggestedClasses, compared: SuggestedClasses, row: int
) -> RowState:
    """The state of the image in a row.

    Args:
        table: All rows.
        classes: Those of the dataset.
        shown: Those of the model whose suggestions are shown.
        compared: Those of the model that it is compared with.
        row: The row.
    """
    bits, confidence = int(table.bits[row]), float(table.confidences[row])
    image_class = classes.active_of(int(table.class_ids[row]))
    suggestion = shown.shown(int(table.suggestions[row]), classes)
    return RowState(
        image_class=image_class,
        source=None if image_class is None else SOURCES[int(table.sources[row]) - 1],
        suggestion=suggestion,
        confidence=None if suggestion is None or isnan(confidence) else confidence,
        compared=compared.shown(int(table.compared[row]), classes),
        flagged=bool(bits & FLAGGED),
        skipped=bool(bits & SKIPPED),
        note=table.notes.get(row) if bits & NOTED else None,
        problem=table.problems.get(row) if bits & (MISSING | UNREADABLE) else None,
        missing=bool(bits & MISSING),
        unfamiliar=bool(bits & UNFAMILIAR),
        unsure=suggestion is not None and bool(bits & UNSURE),
    )
