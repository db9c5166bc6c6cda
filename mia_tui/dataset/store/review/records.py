"""The records of a review: label issues that were kept, and images of an audit."""

from dataclasses import dataclass
from typing import Literal

from mia_tui.dataset.model import ImageKey

IssueKind = Literal["label", "duplicate", "outlier"]
AuditKind = Literal["label", "suggestion"]


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An image that was drawn at random.

    Attributes:
        id: Its row.
        image: The image.
        drawn_at: Unix seconds; the same for all images of a draw.
        drawn_from: How many images could have been drawn.
        kind: Whether its label is audited, or its suggestion.
        said_class_id: The class of the label or suggestion when it was drawn.
        probability: Of the suggestion.
        answer: The class that a person gave it in the audit, or by a label after that; None before an answer.
        annotator: Who answered.
        answered_at: Unix seconds; None before an answer.
        model: Whose suggestion it was, see `audits.model_words`; None of a label, and where it is not known.
    """

    id: int
    image: ImageKey
    drawn_at: float
    drawn_from: int
    kind: AuditKind
    said_class_id: int | None
    probability: float | None
    answer: int | None
    annotator: str | None
    answered_at: float | None
    model: str | None = None

    @property
    def is_right(self) -> bool | None:
        """Whether what was said is the answer; None before there is one."""
        return None if self.answer is None else self.answer == self.said_class_id


@dataclass(frozen=True, slots=True)
class Draw:
    """An image to be drawn: what is said of it now."""

    image: ImageKey
    said_class_id: int
    probability: float | None = None
