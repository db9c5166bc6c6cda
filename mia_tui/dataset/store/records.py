"""What labels.db gives out."""

from dataclasses import dataclass
from typing import Any, Literal

from mia_tui.dataset.model import ImageKey

Source = Literal["person", "import", "accepted"]
ChangeKind = Literal["label", "class", "flag", "skip", "note", "path"]


@dataclass(frozen=True, slots=True)
class Label:
    """The class of an image; `updated_at` is in Unix seconds."""

    class_id: int
    annotator: str
    source: Source
    updated_at: float


@dataclass(frozen=True, slots=True)
class Mark:
    """What is kept of an image besides its class.

    Attributes:
        flagged: To be looked at again: a person said so, or `changed`.
        skipped: Passed over on purpose.
        note: One line of a person's; None is none.
        changed: The file's content changed under its label; labelling the image again takes that away.
    """

    flagged: bool = False
    skipped: bool = False
    note: str | None = None
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A row of the history.

    Attributes:
        batch: Changes of one action share it.
        at: Unix seconds.
        target_id: Of a class if `kind` is class, else of the image.
        image: The image, where it is one.
        before: What was; None is nothing. A label is {class_id, annotator, source, updated_at}, a class the
            fields of `ImageClass`, a flag or skip a bool, a path as `encode_name` writes it.
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


@dataclass(frozen=True, slots=True)
class Step:
    """What an undo or a redo did.

    Attributes:
        what: A sentence for the user, as `Undid: 3 images to "round".`
        batch: Of the rows that it added to the history; their images are those concerned.
    """

    what: str
    batch: int
