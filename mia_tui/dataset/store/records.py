"""The records that labels.db returns."""

from dataclasses import dataclass
from typing import Any, Literal

from mia_tui.dataset.model import ImageKey

LabelOrigin = Literal["person", "import", "accepted", "page"]
ChangeKind = Literal[
    "label", "class", "flag", "skip", "note", "path", "frame", "kept", "audit", "opinion", "decision"
]


@dataclass(frozen=True, slots=True)
class Label:
    """The class of an image; `updated_at` is in Unix seconds."""

    class_id: int
    annotator: str
    source: LabelOrigin
    updated_at: float


@dataclass(frozen=True, slots=True)
class Opinion:
    """What an annotator says an image is, beside its label; `at` is in Unix seconds."""

    class_id: int
    annotator: str
    at: float


@dataclass(frozen=True, slots=True)
class Mark:
    """What is stored about an image besides its class.

    Attributes:
        flagged: To be reviewed: a person flagged it, or `changed`.
        skipped: Skipped on purpose.
        note: One line of text by a person; None if there is none.
        changed: The file's content changed under its label; labelling the image again clears this.
    """

    flagged: bool = False
    skipped: bool = False
    note: str | None = None
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A row of the history.

    Attributes:
        batch: The same for all changes of one step.
        at: Unix seconds.
        target_id: Of a class if `kind` is class, else of the image.
        image: The image, if the change is about one.
        before: The value before; None is none. A label is {class_id, annotator, source, updated_at}, a class the
            fields of `ImageClass`, a flag or skip a bool, a path as `encode_name` writes it, a frame its number, an
            issue or audit the columns of its row that change (`review.edits`), an opinion or decision {class_id,
            annotator, at}.
        after: The value after.
        undoes: The change that this one reversed.
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


@dataclass(frozen=True, slots=True)
class Step:
    """What an undo or a redo did.

    Attributes:
        what: A sentence for the user, as `Undid: 3 images to "round".`
        batch: Of the changes that it added to the history.
    """

    what: str
    batch: int
