"""What any file of labels comes down to: class names by image, and what of it could not be used."""

from dataclasses import dataclass, field
from typing import Literal

from mia_tui.dataset.model import ImageKey


@dataclass(frozen=True)
class LabelFile:
    """Labels read from a CSV file, from class folders or from MIA's label folders; not yet in the store.

    Attributes:
        name: What was read, for sentences: the file's name.
        labels: Class name of each image.
        classes: The file's classes in an order that means something, as MIA's numbers, unused ones too.
        unmatched: Rows that name no image of the dataset.
        outside: Rows that name a place outside the dataset.
        ambiguous: Rows that fit several images (a bare file name, a stem in MIA's format).
        unreadable: Label files that are broken, each with the reason.
        blank: Rows without a class; they say nothing and are skipped.
        left_out: Outlines of background regions in MIA's files, which are not read.
        source: "folders" if the labels are the names of the dataset's own folders.
        notes: Sentences about what was noticed on the way.
    """

    name: str
    labels: dict[ImageKey, str]
    unmatched: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    ambiguous: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    blank: int = 0
    left_out: int = 0
    classes: tuple[str, ...] = ()
    source: Literal["folders", "store"] = "store"
    notes: tuple[str, ...] = ()
