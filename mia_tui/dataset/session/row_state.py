"""What is known of one image, to be drawn."""

from dataclasses import dataclass
from math import isnan

from mia_tui.dataset.model import ImageClass
from mia_tui.dataset.session.class_list import ClassList
from mia_tui.dataset.session.row_table import FLAGGED, MISSING, NOTED, SKIPPED, SOURCES, UNREADABLE, RowTable
from mia_tui.dataset.store.records import Source


@dataclass(frozen=True, slots=True)
class RowState:
    """What is known of one image, to be drawn.

    Attributes:
        image_class: Its class; None without a label, or where the class was archived.
        source: Where the label comes from; None without one.
        suggestion: What a model says; None if nothing. It stays beside a label, which always wins.
        confidence: Of the suggestion, 0 to 1; None without one.
        problem: Why the image cannot be shown, a sentence; None as long as it can.
        missing: Whether the problem is that the file is gone.
    """

    image_class: ImageClass | None
    source: Source | None
    suggestion: ImageClass | None
    confidence: float | None
    flagged: bool
    skipped: bool
    note: str | None
    problem: str | None
    missing: bool

    @property
    def differs(self) -> bool:
        """Whether label and suggestion are two classes."""
        return None not in (self.image_class, self.suggestion) and self.image_class != self.suggestion


def row_state(table: RowTable, classes: ClassList, row: int) -> RowState:
    """What is known of the image in a row."""
    bits, confidence = int(table.bits[row]), float(table.confidences[row])
    image_class = classes.active_of(int(table.class_ids[row]))
    suggestion = classes.active_of(int(table.suggestions[row]))
    return RowState(
        image_class=image_class,
        source=None if image_class is None else SOURCES[int(table.sources[row]) - 1],
        suggestion=suggestion,
        confidence=None if suggestion is None or isnan(confidence) else confidence,
        flagged=bool(bits & FLAGGED),
        skipped=bool(bits & SKIPPED),
        note=table.notes.get(row) if bits & NOTED else None,
        problem=table.problems.get(row) if bits & (MISSING | UNREADABLE) else None,
        missing=bool(bits & MISSING),
    )
