"""What labels.db gives out."""

from dataclasses import dataclass
from typing import Any, Literal

from mia_tui.dataset.model import ImageKey

Source = Literal["person", "import", "accepted"]
ChangeKind = Literal["label", "class", "flag", "note", "path"]


@dataclass(frozen=True, slots=True)
class Label:
    """The class of an image; `updated_at` is in Unix seconds."""

    class_id: int
    annotator: str
    source: Source
    updated_at: float


@dataclass(frozen=True, slots=True)
class Change:
    """A row of the history.

    Attributes:
        batch: Changes of one action share it.
        at: Unix seconds.
        target_id: Of a class if `kind` is class, else of the image.
        image: The image, where it is one.
        before: What was; None is nothing. A label is {class_id, annotator, source, updated_at}.
        after: What is since.
        undoes: The change that this one took back.
    """

    id: int
    batch: int
    at: float
    annotator: str
    kind: ChangeKind
    target_id: int
    image: ImageKey | None
    before: Any
    after: Any
    undoes: int | None
